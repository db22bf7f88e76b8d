"""The takes inside a clip: variations, renewing stale spans, pinning, naming, comparing, laying one over it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal

from gen2studio.app import planning
from gen2studio.app.engine_host import EngineHost
from gen2studio.app.generation import Generation
from gen2studio.app.session import Compare, Session
from gen2studio.app.staleness import Judge, renewal
from gen2studio.app.takes import TakeKeeper
from gen2studio.core.errors import EditRefused, GenerationError, StudioError
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document import edits, looks, lookup, sequences, takes
from gen2studio.document.clip_changes import change_clips
from gen2studio.document.model import Clip, Document, Take
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Job
from gen2studio.engine.take_store import runs_of


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a run over the stale spans of a take makes."""

    made: int
    """Frames that are made anew, with those that are mixed into the old ones."""
    kept: int
    """Frames that are taken over as they are."""


class ClipTakes(QObject):
    """Commands on the takes of the target clip. Lives on the UI thread."""

    renewed = Signal(str, object)
    """(id of the finished take, :class:`Renewal`)"""

    def __init__(
        self,
        session: Session,
        generation: Generation,
        host: EngineHost,
        keeper: TakeKeeper,
        judge: Callable[[], Judge],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._judge = judge
        self._renewals: dict[str, Job] = {}
        host.submitted.connect(self._on_submitted)
        keeper.take_ended.connect(self._on_take_ended)
        session.store.replaced.connect(lambda _document: self._renewals.clear())

    # -- what commands work on ----------------------------------------------------------------------------------------

    def _clip(self, clip_id: str = "") -> Clip:
        clip = self._session.find_clip(clip_id) if clip_id else self._generation.target
        if clip is None:
            raise EditRefused("There is no clip to work on.", "Put the playhead on a clip first.")
        return clip

    def _take(self, take_id: str, clip: Clip) -> Take:
        chosen = take_id or clip.active_take
        if not chosen:
            raise EditRefused("No take is chosen.", "Choose one in the takes panel, or apply one to the clip.")
        return takes.take_of(self._session.document, chosen)

    def _edit(self, label: str, change: Callable[[Document], Document]) -> bool:
        document = self._session.document
        try:
            changed = change(document)
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return False
        if changed is document:
            return False
        self._session.store.apply(label, changed)
        return True

    # -- making -------------------------------------------------------------------------------------------------------

    def variations(self, count: int = 4, clip_id: str = "") -> tuple[str, ...]:
        """Queue the clip (the target) ``count`` times with the seeds that follow its own; returns the job ids."""
        generation, document = self._generation, self._session.document
        clip = self._session.find_clip(clip_id) if clip_id else generation.target
        if clip is None:
            self._session.tell("Put the playhead on a clip first.", "warning")
            return ()
        look = looks.look_of(document, clip)
        known = {take.look.seed for i in clip.takes if (take := document.takes.get(i)) is not None} | {look.seed}
        seeds: list[int] = []
        seed = look.seed
        while len(seeds) < max(1, min(count, 32)):
            seed = (seed + 1) % (1 << 31)
            if seed not in known:
                seeds.append(seed)
        planned = [generation.planned(clip, lambda c, s=s: generation.plan(c, replace(look, seed=s))) for s in seeds]
        if any(request is None for request in planned):
            return ()
        generation.pin_look(clip)
        title = generation.run_label(clip, look)
        return tuple(
            generation.submit_run(clip, request, f"{title}, seed {request.seed}")
            for request in planned
            if request is not None
        )

    def renew(self, clip_id: str = "") -> str:
        """Queue only the stale spans of what a clip (the target) shows; the rest is taken over. Returns the job id, or
        empty after saying why there is nothing to do."""
        generation, document = self._generation, self._session.document
        try:
            clip = self._clip(clip_id)
            take = self._take("", clip)
            look = generation.effective(looks.look_of(document, clip))
            request, reuse = renewal(document, clip, take, look, generation.plan(clip, look), self._judge())
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return ""
        generation.pin_look(clip)
        made = request.stop - request.start - len(reuse.kept())
        label = f"{clip.name}: {made} of {request.stop - request.start} frames anew"
        return generation.submit_run(clip, request, label, reuse)

    def renew_all(self) -> int:
        """Renew every clip of the timeline that shows stale frames; returns how many were queued."""
        document, sequence, judge = self._session.document, self._session.sequence, self._judge()
        queued = 0
        for track in sequence.video_tracks if sequence else ():
            for clip in track.clips:
                take = document.takes.get(clip.active_take)
                if take is None:
                    continue
                look = self._generation.effective(looks.look_of(document, clip))
                try:
                    request = self._generation.plan(clip, look)
                    request, reuse = renewal(document, clip, take, look, request, judge)
                except GenerationError:
                    continue
                self._generation.submit_run(clip, request, f"{clip.name}: stale frames", reuse)
                queued += 1
        if not queued:
            self._session.tell("No clip of this timeline shows frames that can be renewed in part.", "info")
        return queued

    def spans(self, clip: Clip, take_id: str) -> tuple[tuple[int, int], ...]:
        """The sequence frames [start, stop) of a clip that a running renewal makes; empty for other takes."""
        job = self._renewals.get(take_id)
        if job is None:
            return ()
        document = self._session.document
        found: list[tuple[int, int]] = []
        for first, last in runs_of(job.made):
            ends = sorted(planning.sequence_frame(document, clip, frame) for frame in (first, last - 1))
            found.append((ends[0], ends[1] + 1))
        return tuple(found)

    def _on_submitted(self, job: Job) -> None:
        """Also jobs of an earlier session that go on now."""
        if job.reuse is not None and job.take_id:
            self._renewals[job.take_id] = job

    def _on_take_ended(self, take_id: str, state: object) -> None:
        """A clip that shows the old take shows the renewed one: that is what was asked for."""
        job = self._renewals.pop(take_id, None)
        if job is None or job.reuse is None or state is not JobState.FINISHED:
            return
        old = job.reuse.take_id

        def shown(document: Document) -> Document:
            if take_id not in document.takes:
                return document
            return change_clips(
                document,
                lambda clip: (
                    replace(clip, active_take=take_id)
                    if clip.id == job.owner and clip.active_take == old and take_id in clip.takes
                    else clip
                ),
            )

        self._session.store.amend(shown, carried=True)
        self.renewed.emit(take_id, Renewal(len(job.made), len(job.reuse.kept())))

    # -- choosing -----------------------------------------------------------------------------------------------------

    def pin(self, take_id: str = "", clip_id: str = "") -> bool:
        """Pin a take (the applied one), or let it go: a pinned take comes first and is never deleted as unused."""
        document = self._session.document
        try:
            take = self._take(take_id, self._clip(clip_id))
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return False
        label = "Unpin take" if take.pinned else "Pin take"
        return self._edit(label, lambda _d: takes.pin(document, take.id, not take.pinned))

    def rename(self, take_id: str, name: str) -> bool:
        return self._edit("Rename take", lambda d: takes.rename(d, take_id, name))

    def compare_pair(self, left: str = "", right: str = "") -> bool:
        """Compare two takes of the target clip, an empty id being the source; without any the applied take with the one
        before it in the list."""
        try:
            clip = self._clip()
            if not left and not right:
                ring = ("", *(take.id for take in takes.listed(self._session.document, clip)))
                right = clip.active_take if clip.active_take in ring else ring[-1]
                if len(ring) < 2:
                    raise EditRefused("There is only the source to compare.", "Generate the clip first.")
                left = ring[ring.index(right) - 1] if ring.index(right) else ring[1]
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return False
        self._session.set_compare_takes(left, right)
        if self._session.compare is Compare.OFF:
            self._session.set_compare(Compare.WIPE)
        return True

    def promote(self, take_id: str = "", clip_id: str = "") -> str:
        """Lay a take (the applied one) as a clip of its own over its clip, on a track above; returns the new clip's id.

        The new clip is a copy that shows this take, so both can be trimmed, faded and blended against each other. Where
        no track above has room, one is added: one undo step.
        """
        made = new_id("clip")

        def laid(document: Document) -> Document:
            clip = self._clip(clip_id)
            take = self._take(take_id, clip)
            if not take.done or take.media_id != clip.media_id:
                raise EditRefused("That take has no frames for this clip.", "Choose a finished take of it.")
            sequence = document.sequence
            assert sequence is not None
            track = lookup.track_of(sequence, clip.id)
            above = [t for t in sequence.video_tracks[sequence.video_tracks.index(track) + 1 :] if not t.locked]
            target = next((t for t in above if lookup.free(t.clips, clip.start, clip.end)), None)
            if target is None:
                known = {t.id for t in sequence.tracks}
                place = sequence.video_tracks.index(track) + 1
                sequence = edits.add_track(sequence, track.kind, index=place)
                target = next(t for t in sequence.tracks if t.id not in known)
            copy = replace(
                clip, id=made, name=f"{clip.name}, {take.name}"[:200], link="", group="", active_take=take.id,
                look=take.look, takes=clip.takes if take.id in clip.takes else (*clip.takes, take.id),
            )  # fmt: skip
            return sequences.with_sequence(document, edits.place(sequence, [edits.Placement(target.id, copy)]))

        if not self._edit("Take as clip above", laid):
            return ""
        self._session.set_selection(frozenset({made}))
        return made

    def delete(self, take_id: str = "", clip_id: str = "") -> bool:
        """Take a take (the applied one) off its clips; undo brings it back until discarded takes are deleted."""
        try:
            take = self._take(take_id, self._clip(clip_id))
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return False
        return self._edit("Discard take", lambda d: takes.discard(d, take.id))
