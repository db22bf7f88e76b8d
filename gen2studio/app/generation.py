"""What the generate panel does: the look being edited, four stills, runs, and the takes they make. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.choosing import Choice, choose, honours, settled, unfollowed_keys
from gen2studio.app.engine_host import EngineHost
from gen2studio.app.planning import FROM_NOTHING, Adapters, TakeFolders
from gen2studio.app.preferences import Preferences
from gen2studio.app.run_state import Arrival, RunState, Still
from gen2studio.app.session import Session
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.document import looks, takes
from gen2studio.document.look import Controls, Look, Mode, PaintedKey, Region, StyleImage
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document
from gen2studio.document.shots import is_shot
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.catalog import Catalog
from gen2studio.engine.events import FrameReady, JobState, Noted, Progress, StateChanged, StepPreview
from gen2studio.engine.frames import fitted
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.engine.requests import GenerateRequest, Job, Lane, Reuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

_CONTROLS = frozenset(f.name for f in fields(Controls))


__all__ = ["Generation", "RunState", "Still"]


class Generation(QObject):
    """Edits looks as undo steps and turns them into jobs."""

    look_changed = Signal(object)
    """Look that the panel should show."""
    target_changed = Signal(object)
    """Clip | None the panel works on."""
    stills_changed = Signal()
    run_changed = Signal(object)
    """RunState of the target clip."""
    still_shown = Signal(str, int, object)
    """(media id, media frame, picture): a still the artist wants to see large."""
    step_shown = Signal(str, int, object, int, int)
    """(media id, media frame, picture at the request's size, step, steps): how a running denoising looks now."""
    stills_of_changed = Signal(str)
    """Clip id whose stills changed, whether it is the target or not."""
    noted = Signal(str)
    """A sentence from the running job, for example that another key frame is wanted."""

    def __init__(
        self,
        session: Session,
        host: EngineHost,
        registry: GeneratorRegistry,
        catalog: Catalog,
        preferences: Preferences,
        add_blob: Callable[[Path | bytes], str],
        find_blob: Callable[[str], Path | None],
        parent: QObject | None = None,
        *,
        adapters: Adapters | None = None,
        take_folder: TakeFolders | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._host = host
        self.registry = registry
        self.catalog = catalog
        self._preferences = preferences
        self._add_blob = add_blob
        self.find_blob = find_blob
        self.adapters = adapters
        """Finds adapters of the library by id."""
        self._take_folder = take_folder
        self.make_shot: Callable[[], str] | None = None
        """Puts a new shot with the present look on the timeline and returns its clip id (set by Shots)."""
        self._choice: tuple[tuple[Any, ...], Choice | None] | None = None
        self._target_id = ""
        self._look: Look = session.document.default_look
        self._stills: dict[str, list[Still]] = {}
        self._runs: dict[tuple[str, Lane], RunState] = {}
        self._jobs: dict[str, Job] = {}
        self._arrival: Arrival | None = None
        session.playhead_changed.connect(self._retarget)
        session.selection_changed.connect(self._retarget)
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(self._on_document_replaced)
        host.submitted.connect(self._on_submitted)
        host.state_changed.connect(self._on_state_changed)
        host.progressed.connect(self._on_progressed)
        host.frame_ready.connect(self._on_frame_ready)
        host.noted.connect(self._on_noted)
        host.step_previewed.connect(self._on_step_previewed)
        self._retarget()

    # -- target and look ------------------------------------------------------------------------------------------

    @property
    def target(self) -> Clip | None:
        return self._session.find_clip(self._target_id) if self._target_id else None

    @property
    def look(self) -> Look:
        """The look of the target clip, or the document's default where the clip has none yet."""
        return self._look

    def _retarget(self, *_: Any) -> None:
        clip = self._session.target_clip()
        identity = clip.id if clip else ""
        if identity != self._target_id:
            self._target_id = identity
            self.target_changed.emit(clip)
            self.stills_changed.emit()
            self.run_changed.emit(self.run_state)
        self._reload_look()

    def _reload_look(self) -> None:
        clip = self.target
        look = (clip.look if clip else None) or self._session.document.default_look
        if look != self._look:
            self._look = look
            self.look_changed.emit(look)

    def _on_document_changed(self, _old: Document, _new: Document) -> None:
        self._retarget()

    def _on_document_replaced(self, _new: Document) -> None:
        self._target_id = "-"
        self._stills.clear()
        self._runs.clear()
        self._jobs.clear()
        self._arrival = None
        self._retarget()

    def set_look(self, label: str, look: Look, merge_key: str = "") -> None:
        """One undo step: the look of the target clip and of the other selected clips, and the default for new ones.

        Painted keys, mask objects and the like belong to footage: clips of other media keep their own.
        """
        document = self._session.document
        clip = self.target
        try:
            changed = looks.set_look(document, {clip.id}, look) if clip else document
            for other in self._selected_beside(clip):
                own = looks.look_of(document, other)
                same = clip is not None and other.media_id == clip.media_id
                shared = look if same else looks.shared_look(look, own)
                if clip is not None and is_shot(document, clip) is not is_shot(document, other):
                    # A shot can't be restyled and footage can't be invented: each keeps to what it is.
                    shared = replace(shared, mode=own.mode, generator=own.generator, region=own.region)
                changed = looks.set_look(changed, {other.id}, shared)
        except StudioError as error:
            self._session.tell(str(error), "warning")
            self.look_changed.emit(self._look)
            return
        changed = looks.set_default_look(changed, looks.without_footage(look))
        self._session.store.apply(label, changed, merge_key)

    def _selected_beside(self, clip: Clip | None) -> list[Clip]:
        """The other selected clips with a picture, when the target is one of the selection."""
        sequence = self._session.sequence
        if clip is None or sequence is None or clip.id not in self._session.selection:
            return []
        chosen = (c for track in sequence.video_tracks for c in track.clips if c.id in self._session.selection)
        return [c for c in chosen if c.id != clip.id]

    def change(self, label: str, merge_key: str = "", **changes: Any) -> None:
        """Change fields of the look; names of :class:`Controls` fields change the sliders. One with keys gets a key on
        the frame under the playhead."""
        controls = {name: changes.pop(name) for name in list(changes) if name in _CONTROLS}
        look = replace(self._look, **changes)
        for name in [name for name, _ in look.curves if controls.get(name, -1) >= 0 or name == "grow"]:
            if name in controls:
                look = look.with_curve(name, look.curve(name).with_value(self.frame_here(), float(controls.pop(name))))
        self.set_look(label, replace(look, controls=replace(look.controls, **controls)), merge_key)

    def frame_here(self) -> int:
        """The media frame of the target clip under the playhead; 0 without a clip."""
        clip = self.target
        return planning.media_frame(self._session.document, clip, self._session.playhead) if clip is not None else 0

    def target_length(self) -> int:
        """How many media frames the target clip shows; 0 without a clip."""
        clip, document = self.target, self._session.document
        if clip is None:
            return 0
        start, stop = planning.media_range(document, clip, planning.rate_of(document, clip))
        return stop - start

    def set_mode(self, mode: Mode) -> None:
        """Choose a mode. Mask mode is about the subject, so it starts inside the mask."""
        region = Region.FOREGROUND if mode is Mode.MASK and self._look.region is Region.ALL else self._look.region
        self.change("Change mode", mode=mode, region=region)

    # -- what the generator honours -------------------------------------------------------------------------------

    def choice(self) -> Choice | None:
        """The generator that runs the present look, and why; None when none serves the mode."""
        return self.choice_for(self._look)

    def choice_for(self, look: Look) -> Choice | None:
        """The generator that would run ``look``."""
        key = (look.mode, look.generator, look.prompt, look.preset, look.adapters, bool(look.styles), bool(look.keys),
               look.outpaint.adds, look.pattern is None, look.depth_pass is None, look.key_spacing != 0,
               len(self.registry.abilities))  # fmt: skip
        if self._choice is None or self._choice[0] != key:
            base = ""
            if look.adapters and self.adapters is not None:
                found = (self.adapters(use.adapter) for use in look.adapters)
                base = next((adapter.generator for adapter in found if adapter is not None), "")
            self._choice = key, choose(look, self.registry, self.catalog.words, base)
        return self._choice[1]

    def hold(self, rung: str) -> None:
        """Hold the model of the look in memory as ``rung`` says (auto = as the program finds best). Raises OSError."""
        if (found := self.abilities()) is not None:
            self.registry.hold(found.id, rung)
            self.renew()

    def run_as(self, way: str) -> None:
        """Run the model of the look in one of its quicker ways (auto = as it comes). Raises OSError."""
        if (found := self.abilities()) is not None:
            self.registry.run_as(found.id, way)
            self.renew()

    def renew(self) -> None:
        """Generators came or went or are held in another way: choose again and show it."""
        self._choice = None
        self.look_changed.emit(self._look)

    def choices(self) -> tuple[Choice, ...]:
        """The generators that a run would use: one, or one for each look by object."""
        looks_run = [p.look for p in self._look.parts if p.enabled] if self._look.by_object else [self._look]
        found = (self.choice_for(look) for look in looks_run)
        return tuple(choice for choice in found if choice is not None)

    def why_chosen(self) -> str:
        """One short sentence: why this generator. Empty when the artist chose it, or none serves the mode."""
        found = self.choice()
        return found.why if found is not None and not found.pinned else ""

    def abilities(self) -> Abilities | None:
        """What the generator that runs the look can do; None when none serves the mode."""
        found = self.choice()
        return found.abilities if found is not None else None

    def abilities_of(self, generator: str) -> Abilities | None:
        """What a generator can do, by its id; None when it is not installed."""
        return next((found for found in self.registry.abilities if found.id == generator), None)

    def offers(self, control: str) -> bool:
        """Whether the generator honours ``control`` in the present mode, or one that does would be chosen for it."""
        found, mode = self.choice(), self._look.mode.value
        if found is None or found.pinned or honours(found.abilities, mode, control):
            return found is not None and honours(found.abilities, mode, control)
        return any(honours(abilities, mode, control) for abilities in self.registry.serving(mode))

    def ability(self) -> ModeAbility | None:
        found = self.abilities()
        return found.mode(self._look.mode.value) if found else None

    @property
    def has_style(self) -> bool:
        """Whether the look holds anything to paint with; an empty one is not worth a preview."""
        look = self._look
        return bool(look.preset or look.styles or look.keys or look.pattern or look.prompt.strip() or look.layout
                    or look.outpaint.adds or look.by_object)  # fmt: skip

    @property
    def needs_shot(self) -> bool:
        """The mode makes a shot of its own, and the target clip is none: a run makes a new one first."""
        clip = self.target
        item = self._session.document.media.get(clip.media_id) if clip else None
        if item is not None and self._look.by_object:
            return False
        return self._look.mode in FROM_NOTHING and (item is None or item.shot is None)

    def why_not(self) -> str:
        return self.registry.why_not(self._look.mode.value)

    # -- style images and key frames ------------------------------------------------------------------------------

    def add_styles(self, sources: list[Path | bytes], names: list[str]) -> None:
        """Add images to the style board; each that can't be read is named in a message, the rest are added."""
        added: list[StyleImage] = []
        for source, name in zip(sources, names, strict=True):
            try:
                added.append(StyleImage(digest=self._add_blob(source), name=name))
            except (StudioError, OSError) as error:
                self._session.tell(sentence_of(error), "error")
        known = {s.digest for s in self._look.styles}
        fresh = tuple(s for s in added if s.digest not in known)
        if fresh:
            self.change("Add style image", styles=(*self._look.styles, *fresh))

    def remove_style(self, digest: str) -> None:
        self.change("Remove style image", styles=tuple(s for s in self._look.styles if s.digest != digest))

    def weigh_style(self, digest: str, weight: float) -> None:
        styles = tuple(replace(s, weight=weight) if s.digest == digest else s for s in self._look.styles)
        self.change("Style image weight", merge_key=f"style-{digest}", styles=styles)

    def add_key(self, source: Path | bytes, name: str) -> None:
        """Use a painting as the key frame of the frame under the playhead."""
        clip = self.target
        if clip is None:
            self._session.tell(
                "Put the playhead on a clip first; the painting belongs to one of its frames.", "warning"
            )
            return
        try:
            frame = planning.media_frame(self._session.document, clip, self._session.playhead)
            key = PaintedKey(frame=frame, digest=self._add_blob(source), name=name)
        except (StudioError, OSError) as error:
            self._session.tell(sentence_of(error), "error")
            return
        keys = tuple(sorted((*(k for k in self._look.keys if k.frame != frame), key), key=lambda k: k.frame))
        self.change(f"Add key frame at {frame}", keys=keys)

    def remove_key(self, frame: int) -> None:
        self.change(f"Remove key frame at {frame}", keys=tuple(k for k in self._look.keys if k.frame != frame))

    def set_swatch(self, source: Path | bytes) -> str:
        """Store a pattern swatch; returns its digest (empty when it could not be read)."""
        try:
            return self._add_blob(source)
        except (StudioError, OSError) as error:
            self._session.tell(sentence_of(error), "error")
            return ""

    # -- running ----------------------------------------------------------------------------------------------------

    @property
    def stills(self) -> tuple[Still, ...]:
        """The stills made last for the target clip."""
        return tuple(self._stills.get(self._target_id, ()))

    @property
    def run_state(self) -> RunState:
        """What is going on for the target clip: its run while there is one, else its stills."""
        render = self._runs.get((self._target_id, Lane.RENDER), RunState())
        stills = self._runs.get((self._target_id, Lane.STILLS), RunState())
        return render if render.active or not stills.active else stills

    @property
    def follows_arrivals(self) -> bool:
        """The playhead goes along with the frames of a run, because nobody has moved it since the run was queued."""
        return self._arrival is not None and self._arrival.playhead == self._session.playhead

    def _target_for_run(self) -> Clip | None:
        """The clip a run works on; a mode that makes shots gets a new one where the target is footage."""
        if self.needs_shot and self.make_shot is not None and self.why_not() == "":
            clip_id = self.make_shot()
            return self._session.find_clip(clip_id) if clip_id else None
        clip = self.target
        if clip is None:
            self._session.tell("Put a clip on the timeline and the playhead on it, then generate.", "warning")
        return clip

    def planned(self, clip: Clip, plan: Callable[[Clip], GenerateRequest]) -> GenerateRequest | None:
        if (reason := self.why_not()) != "":
            self._session.tell(reason, "warning")
            return None
        try:
            return plan(clip)
        except StudioError as error:
            self._session.tell(str(error), "error")
            return None

    def effective(self, look: Look) -> Look:
        """``look`` as the generator that will really run it takes it: see :func:`gen2studio.app.choosing.settled`."""
        if look.parts:
            look = replace(look, parts=tuple(replace(p, look=self.effective(p.look)) for p in look.parts))
        found = self.choice_for(look)
        return settled(look, found.abilities) if found is not None else look

    def effective_look(self) -> Look:
        """The present look with the generator that will really run it."""
        return self.effective(self._look)

    def revision_for(self, look: Look) -> str:
        """The revision of the generator that runs ``look``."""
        found = self.choice_for(look)
        return found.abilities.revision if found else ""

    def plan(self, clip: Clip, look: Look, **options: Any) -> GenerateRequest:
        """The request for a clip with a look, as a run makes it. Raises GenerationError.

        ``options`` as of :func:`gen2studio.app.planning.plan_generate`.
        """
        return planning.plan_generate(
            self._session.document, clip, self.effective(look), blobs=self.find_blob, adapters=self.adapters,
            takes=self._take_folder, revision=self.revision_for(look), revision_of=self.revision_for, **options,
        )  # fmt: skip

    def plan_stills(self, clip: Clip, look: Look, count: int = 4) -> GenerateRequest:
        """The request for ``count`` stills across a clip. Raises GenerationError."""
        return planning.plan_stills(
            self._session.document, clip, self.effective(look), blobs=self.find_blob, adapters=self.adapters,
            takes=self._take_folder, revision=self.revision_for(look), count=count,
            max_side=int(self._preferences.get("preview_max_side")), revision_of=self.revision_for,
        )  # fmt: skip

    def plan_preview(self, document: Document, clip: Clip, frame: int) -> GenerateRequest:
        """The request for the frame under a playhead, small. Raises GenerationError."""
        return planning.plan_preview(
            document, clip, frame, self.effective_look(), blobs=self.find_blob, adapters=self.adapters,
            takes=self._take_folder, revision=self.revision_for(self._look),
            max_side=int(self._preferences.get("preview_max_side")), revision_of=self.revision_for,
        )  # fmt: skip

    def make_stills(self) -> None:
        """Four frames across the clip, first things first."""
        clip = self._target_for_run()
        if clip is None:
            return
        request = self.planned(clip, lambda clip: self.plan_stills(clip, self._look))
        if request is not None:
            self.submit_stills(clip, request)

    def submit_stills(self, clip: Clip, request: GenerateRequest) -> str:
        """Queue planned stills of a clip; returns the job id."""
        self._stills[clip.id] = [Still(frame) for frame in request.wanted]
        job = Job(id=new_id("job"), lane=Lane.STILLS, request=request, label=f"Stills of {clip.name}", owner=clip.id)
        self._host.submit(job)
        self._tell_stills(clip.id)
        return job.id

    def stills_of(self, clip_id: str) -> tuple[Still, ...]:
        """The stills made last for any clip."""
        return tuple(self._stills.get(clip_id, ()))

    def _tell_stills(self, clip_id: str) -> None:
        self.stills_of_changed.emit(clip_id)
        if clip_id == self._target_id:
            self.stills_changed.emit()

    def show_still(self, still: Still) -> None:
        """Go to a still's frame and show it in the viewer."""
        clip = self.target
        if clip is not None and still.picture is not None:
            self._show_at(clip, still.frame, still.picture)

    def _show_at(self, clip: Clip, frame: int, picture: NDArray[np.uint8]) -> None:
        """Move the playhead to a media frame and show ``picture`` there."""
        document = self._session.document
        self._session.set_playhead(planning.sequence_frame(document, clip, frame))
        # A timeline slower than the footage does not stop at every frame of it.
        here = planning.media_frame(document, clip, self._session.playhead)
        self.still_shown.emit(clip.media_id, here, picture)

    def run(self) -> str:
        """Queue the whole clip; returns the job id (empty when it could not be planned).

        A mode that makes shots gets a new one where the target is footage. Without a kept seed every run gets a new
        one. While the playhead rests, it follows the frames as they arrive.
        """
        clip = self._target_for_run()
        if clip is None:
            return ""
        look = self._look
        if not look.seed_locked:
            look = replace(look, seed=_fresh_seed())
        request = self.planned(clip, lambda clip: self.plan(clip, look))
        if request is None:
            return ""
        if look.generator and not request.parts and look.generator != request.generator:
            # The clip says what it was run with: not a generator that does not serve the mode.
            look = replace(look, generator=request.generator)
        if look != self._look:
            self.change("New seed" if look.seed != self._look.seed else "Change generator", **_seed_and_generator(look))
        else:
            self.pin_look(clip)
        job_id = self.submit_run(clip, request)
        here = self._session.playhead
        self._arrival = Arrival(job_id, here, here) if clip.start <= here < clip.end else None
        return job_id

    def submit_run(self, clip: Clip, request: GenerateRequest, label: str = "", reuse: Reuse | None = None) -> str:
        """Queue a planned run of a clip as a new take, which may keep frames of an older one; returns the job id."""
        job = Job(
            id=new_id("job"), lane=Lane.RENDER, request=request, owner=clip.id, take_id=new_id("take"), reuse=reuse,
            label=label or self.run_label(clip, looks.look_of(self._session.document, clip)),
        )  # fmt: skip
        self._tell_unfollowed(looks.look_of(self._session.document, clip))
        self._host.submit(job)
        return job.id

    def _tell_unfollowed(self, look: Look) -> None:
        """Say which keys of the look its generator can't follow."""
        found = self.choice_for(look)
        names = unfollowed_keys(look, found.abilities) if found is not None else ()
        if names and found is not None:
            listed = " and ".join(name.replace("_", " ") for name in names)
            self._session.tell(
                f"{found.abilities.title} can't change {listed} over a clip: the first key's value holds.", "warning"
            )

    def pin_look(self, clip: Clip) -> None:
        """A clip that was run keeps the look it was run with, whatever becomes the default later."""
        look = looks.look_of(self._session.document, clip)

        def pinned(document: Document) -> Document:
            sequence = document.sequence
            there = any(c.id == clip.id and c.look is None for _, c in each_clip(sequence)) if sequence else False
            return looks.set_look(document, {clip.id}, look) if there else document

        if clip.look is None:
            self._session.store.amend(pinned, carried=True)

    def run_label(self, clip: Clip, look: Look) -> str:
        if look.by_object:
            return f"{clip.name}: looks by object"[:80]
        titles = {p.id: p.title for p in self.catalog.presets()}
        what = titles.get(look.preset) or (look.styles[0].name if look.styles else "") or look.prompt or look.mode.value
        return f"{clip.name}: {what}"[:80]

    def cancel(self) -> bool:
        """Stop what runs for the target clip; False when nothing did."""
        state = self.run_state
        if not state.active:
            return False
        self._host.cancel(state.job_id)
        return True

    def new_seed(self) -> None:
        self.change("New seed", seed=_fresh_seed())

    # -- takes ------------------------------------------------------------------------------------------------------

    def reuse(self, recipe_json: str) -> None:
        """Set the look to what a recipe says."""
        try:
            self.set_look("Reuse settings", planning.look_of_recipe(recipe_json))
        except StudioError as error:
            self._session.tell(str(error), "error")

    def reuse_take(self, take_id: str) -> None:
        if (take := self._session.document.takes.get(take_id)) is not None:
            self.set_look("Reuse settings of take", replace(take.look))

    def _take_edit(self, label: str, edit: Callable[[Document], Document]) -> None:
        try:
            self._session.store.apply(label, edit(self._session.document))
        except StudioError as error:
            self._session.tell(str(error), "warning")

    def apply_take(self, take_id: str) -> None:
        """Show ``take_id`` on the target clip (empty = the source): one undo step."""
        clip = self.target
        if clip is None:
            return
        if take_id:
            self._take_edit("Apply take", lambda d: self._applied(d, clip, take_id))
        else:
            self._take_edit("Show source", lambda d: takes.unapply(d, clip.id))

    @staticmethod
    def _applied(document: Document, clip: Clip, take_id: str) -> Document:
        """Apply a take; a variation brings its seed along, so that the clip asks for what it shows."""
        applied = takes.apply_take(document, clip.id, take_id)
        look, made = looks.look_of(document, clip), takes.take_of(document, take_id).look
        if look.seed != made.seed and replace(made, seed=look.seed, generator=look.generator) == look:
            return looks.set_look(applied, {clip.id}, replace(look, seed=made.seed))
        return applied

    def discard_take(self, take_id: str) -> None:
        self._take_edit("Discard take", lambda d: takes.discard(d, take_id))

    def rate_take(self, take_id: str, rating: int) -> None:
        self._take_edit("Rate take", lambda d: takes.rate(d, take_id, rating))

    # -- events -------------------------------------------------------------------------------------------------------

    def _state_of(self, job: Job) -> RunState:
        return self._runs.get((job.owner, job.lane), RunState())

    def _set_run(self, job: Job, state: RunState) -> None:
        self._runs[job.owner, job.lane] = state
        if job.owner == self._target_id:
            self.run_changed.emit(self.run_state)

    def _on_submitted(self, job: Job) -> None:
        """Also jobs of an earlier session that go on now."""
        if job.lane not in (Lane.STILLS, Lane.RENDER) or not isinstance(job.request, GenerateRequest):
            return
        self._jobs[job.id] = job
        total = len(job.request.wanted)
        self._set_run(job, RunState(job_id=job.id, lane=job.lane, state=JobState.QUEUED, total=total))

    def _on_state_changed(self, event: StateChanged) -> None:
        if (job := self._jobs.get(event.job_id)) is None:
            return
        state = self._state_of(job)
        if event.state.ended:
            self._jobs.pop(event.job_id)
            self._end_arrival(event)
        if state.job_id == event.job_id:
            self._set_run(job, replace(state, state=event.state))
            if event.state.ended and job.lane is Lane.STILLS:
                made = self._stills.get(job.owner, ())
                self._stills[job.owner] = [s for s in made if s.picture is not None and not s.rough]
                self._tell_stills(job.owner)
        if event.state is JobState.FAILED:
            self._session.tell(event.reason, "error")
        elif event.state is JobState.CANCELLED and event.reason:
            self._session.tell(event.reason, "info")

    def _on_progressed(self, event: Progress) -> None:
        if (job := self._jobs.get(event.job_id)) is None:
            return
        state = self._state_of(job)
        if state.job_id == event.job_id:
            left = event.eta_seconds
            self._set_run(job, replace(state, done=event.done, total=event.total, stage=event.stage, eta_seconds=left))

    def _on_frame_ready(self, event: FrameReady) -> None:
        if (job := self._jobs.get(event.job_id)) is None:
            return
        if job.lane is Lane.RENDER:
            self._on_frame_arrived(job, event)
        elif self._state_of(job).job_id == job.id:
            self._put_still(job, Still(event.frame, event.picture))

    def _put_still(self, job: Job, made: Still) -> None:
        stills = self._stills.get(job.owner, [])
        for index, still in enumerate(stills):
            if still.frame == made.frame and (still.picture is None or still.rough or not made.rough):
                stills[index] = made
                self._tell_stills(job.owner)

    def _on_step_previewed(self, event: StepPreview) -> None:
        """Show how a denoising is getting on: on its still, or in the viewer while nothing better is there."""
        job = self._jobs.get(event.job_id)
        if job is None or not isinstance(job.request, GenerateRequest):
            return
        if job.lane is Lane.STILLS:
            if self._state_of(job).job_id == job.id:
                self._put_still(job, Still(event.frame, event.picture, rough=True))
            return
        if (clip := self.target) is None or clip.id != job.owner or self._session.shuttle:
            return
        take = self._session.document.takes.get(job.take_id)
        if take is not None and take.has(event.frame):
            return
        arrival = self._arrival
        if arrival is not None and arrival.job_id == job.id and self.follows_arrivals:
            document = self._session.document
            self._session.set_playhead(planning.sequence_frame(document, clip, event.frame))
            self._arrival = replace(arrival, playhead=self._session.playhead)
        size = Extent(job.request.width, job.request.height)
        self.step_shown.emit(clip.media_id, event.frame, fitted(event.picture, size), event.step, event.steps)

    def _on_frame_arrived(self, job: Job, event: FrameReady) -> None:
        """Show a frame of the target clip's run: at its place while the playhead rests, else only where it stands."""
        if (clip := self.target) is None or clip.id != job.owner or self._session.shuttle:
            return
        arrival = self._arrival
        if arrival is not None and arrival.job_id == job.id and self.follows_arrivals:
            start = planning.sequence_frame(self._session.document, clip, event.frame)
            self._arrival = replace(arrival, playhead=start)
            self._show_at(clip, event.frame, event.picture)
        elif planning.media_frame(self._session.document, clip, self._session.playhead) == event.frame:
            self.still_shown.emit(clip.media_id, event.frame, event.picture)

    def _end_arrival(self, event: StateChanged) -> None:
        """The playhead goes back to where the artist left it."""
        arrival = self._arrival
        if arrival is None or arrival.job_id != event.job_id:
            return
        back = self.follows_arrivals
        self._arrival = None
        if back:
            self._session.set_playhead(arrival.origin)

    def _on_noted(self, event: Noted) -> None:
        if event.job_id in self._jobs:
            self.noted.emit(event.text)
            self._session.tell(event.text, "warning")


def _seed_and_generator(look: Look) -> dict[str, Any]:
    return {"seed": look.seed, "generator": look.generator}


def _fresh_seed() -> int:
    return int(np.random.default_rng().integers(1, 2**31 - 1))
