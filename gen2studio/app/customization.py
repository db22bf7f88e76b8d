"""Customization: training sets, the trainings made of them, and the library of adapters that came out. No widgets."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

from gen2studio.app import planning, training_material
from gen2studio.app.customization_plan import captioned, plan_training, suggested_caption, with_word
from gen2studio.app.dataset_checks import Finding, ImageFacts, check, counted, facts_key, learner_of, look_at
from gen2studio.app.engine_host import EngineHost
from gen2studio.app.session import Session
from gen2studio.app.training_material import Material
from gen2studio.app.training_runs import TestFrame, TrainingRecord, TrainingRun
from gen2studio.core import paths
from gen2studio.core.errors import GenerationError, StudioError, sentence_of
from gen2studio.core.ids import new_id
from gen2studio.document import media_edits
from gen2studio.document import training_sets as edits
from gen2studio.document.model import Document, MediaItem, TrainingImage, TrainingSet
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.events import (
    AdapterReady,
    JobState,
    LossMeasured,
    Noted,
    Progress,
    StateChanged,
    TestFrameReady,
)
from gen2studio.engine.generators import Abilities, TrainingDefaults, TrainingPreset
from gen2studio.engine.requests import WORD, Job, Lane, SourceRef, TrainRequest, request_digest
from gen2studio.models.adapter_steps import AdapterStep, steps_in
from gen2studio.models.adapters import Adapter, AdapterLibrary

_MOST_POINTS = 4000
"""Loss points kept for a curve; older ones are thinned out evenly."""


class Customization(QObject):
    """Edits training sets as undo steps, checks them, and runs trainings on the engine.

    ``add_blob`` and ``find_blob`` are the project's images. Images are read and checked on a thread of its own.
    """

    set_changed = Signal(object)
    """TrainingSet | None that is being worked on."""
    sets_changed = Signal()
    """Sets were added, removed or renamed."""
    image_read = Signal(str)
    """An image of this digest has been read: its facts and thumbnail are there."""
    frame_read = Signal(str, object)
    """(digest, Picture) that was asked for with :meth:`read_frame`."""
    findings_changed = Signal(object)
    """tuple[Finding, …] about the set being worked on."""
    run_changed = Signal(object)
    """TrainingRun of the set being worked on."""
    loss_measured = Signal(int, float)
    """(step, loss) of its training."""
    test_frame_ready = Signal(object)
    """TestFrame of its training."""
    curve_replaced = Signal()
    """Another run is shown: read :attr:`losses` and :attr:`test_frames` again."""
    noted = Signal(str)
    """A sentence from its training."""
    trained = Signal(str)
    """An adapter (its id) has come into the library."""

    _read = Signal(object)

    def __init__(
        self,
        session: Session,
        host: EngineHost,
        registry: GeneratorRegistry,
        add_blob: Callable[[Path | bytes], str],
        find_blob: Callable[[str], Path | None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._host = host
        self.registry = registry
        self._add_blob = add_blob
        self.find_blob = find_blob
        self._set_id = ""
        self._shown: TrainingSet | None = None
        self._facts: dict[str, ImageFacts] = {}
        self._sources: dict[tuple[str, str, str], SourceRef] = {}
        self._presets: dict[tuple[str, str, bool], tuple[TrainingPreset, ...]] = {}
        self._asked: set[str] = set()
        self._findings: tuple[Finding, ...] = ()
        self._records: dict[str, TrainingRecord] = {}
        self._jobs: dict[str, str] = {}
        self._project = 0
        self._pool = ThreadPoolExecutor(1, "training-images")
        self._closed = False
        self._read.connect(self._on_read, Qt.ConnectionType.QueuedConnection)
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(self._on_document_replaced)
        host.submitted.connect(self._on_submitted)
        host.state_changed.connect(self._on_state_changed)
        host.progressed.connect(self._on_progressed)
        host.noted.connect(self._on_noted)
        host.loss_measured.connect(self._on_loss_measured)
        host.test_frame_ready.connect(self._on_test_frame_ready)
        host.adapter_ready.connect(self._on_adapter_ready)
        self._reload()

    def shutdown(self) -> None:
        """Stop reading images."""
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- sets --------------------------------------------------------------------------------------------------------

    @property
    def sets(self) -> tuple[TrainingSet, ...]:
        return tuple(self._session.document.training_sets.values())

    @property
    def training_set(self) -> TrainingSet | None:
        """The set being worked on: the one chosen, else the first."""
        return self._shown

    def choose(self, set_id: str) -> None:
        """Work on another set."""
        self._set_id = set_id
        self._reload()

    def new_set(self, name: str = "", kind: str = "subject") -> str:
        """A fresh set, and work on it; returns its id."""
        document, set_id = edits.new_training_set(self._session.document, name, kind=kind, rank=self.defaults().rank)
        self._set_id = set_id
        self._session.store.apply("New training set", document)
        return set_id

    def remove_set(self) -> None:
        """Remove the set being worked on. A running training of it goes on."""
        if self._shown is not None:
            self._edit("Remove training set", edits.remove_training_set)

    def rename(self, name: str) -> None:
        self._edit("Rename training set", edits.rename_training_set, name)

    def change(self, label: str, merge_key: str = "", **changes: Any) -> None:
        """Change trigger, kind, generator, steps, rank, learning_rate or seed as one undo step.

        A new trigger word takes the old one's place in every caption.
        """
        found = self._shown
        if found is None:
            return
        old, new = found.trigger, " ".join(str(changes.get("trigger", found.trigger)).split())
        if old and new and new != old:
            captions = {i.digest: with_word(i.caption, old, new) for i in found.images}
            self._edit(
                label,
                lambda document, set_id: edits.set_training(captioned(document, set_id, captions), set_id, **changes),
                merge_key=merge_key,
            )
            return
        self._edit(label, lambda document, set_id: edits.set_training(document, set_id, **changes), merge_key=merge_key)

    def _edit(self, label: str, edit: Callable[..., Document], *values: Any, merge_key: str = "") -> bool:
        if self._shown is None:
            return False
        try:
            changed = edit(self._session.document, self._shown.id, *values)
        except StudioError as error:
            self._session.tell(str(error), "warning")
            self.set_changed.emit(self._shown)
            return False
        self._session.store.apply(label, changed, merge_key)
        return True

    # -- images ------------------------------------------------------------------------------------------------------

    def add_images(self, sources: Sequence[Path | bytes], names: Sequence[str] = ()) -> None:
        """Add files of images and clips (folders are searched) or encoded images to the set, made first where there is
        none. Clips come into the media pool too.

        They are read on a thread and arrive as one undo step. A ``.txt`` file beside an image is its caption. Files
        that can't be used are named in a message.
        """
        labels = list(names) if names else ["Image"] * len(sources)
        pairs = list(zip(sources, labels, strict=True))
        self._submit(
            lambda document: training_material.read_files(pairs, document, self._add_blob, lambda: self._closed)
        )

    def add_media(self, media_ids: Sequence[str]) -> None:
        """Add items of the media pool: films as clips, stills as images."""
        items = [item for i in media_ids if (item := self._session.document.media.get(i)) is not None]
        self._submit(lambda _document: training_material.read_media(items, self._add_blob))

    def add_from_timeline(self) -> None:
        """Add what the selected clips of the timeline show, each as a stretch of its footage."""
        document, selected = self._session.document, self._session.selection
        sequence = document.sequence
        clips = [c for track in sequence.tracks for c in track.clips if c.id in selected] if sequence else []
        shown = [c for c in clips if (item := document.media.get(c.media_id)) is not None and item.info.has_video]
        if sequence is None or not shown:
            self._session.tell("Select a clip with a picture on the timeline first.", "info")
            return
        rate = sequence.rate

        def read(_document: Document) -> Material:
            ranges = [(document.media[c.media_id], planning.media_range(document, c, rate)) for c in shown]
            return training_material.read_ranges(ranges, self._add_blob)

        self._submit(read)

    def _submit(self, read: Callable[[Document], Material]) -> None:
        """Have ``read`` find material on the reading thread, for the set being worked on, made first where there is
        none."""
        if self._closed:
            return
        if self._shown is None:
            self.new_set()
        found, project, document = self._shown, self._project, self._session.document
        assert found is not None

        def take_in() -> None:
            try:
                material = read(document)
            except (StudioError, OSError) as error:
                material = Material(refused=(sentence_of(error),))
            self._send(lambda: self._on_material(project, found.id, material))

        self._pool.submit(take_in)

    def _send(self, arrive: Callable[[], None]) -> None:
        if not self._closed:
            self._read.emit(arrive)

    def _on_read(self, arrive: Callable[[], None]) -> None:
        if not self._closed:
            arrive()

    def _on_material(self, project: int, set_id: str, material: Material) -> None:
        document = self._session.document
        if project != self._project or set_id not in document.training_sets:
            return
        images, refused = material.images, list(material.refused)
        if refused:
            more = f" ({len(refused) - 1} more were refused.)" if len(refused) > 1 else ""
            self._session.tell(refused[0] + more, "warning")
        known = {i.digest for i in document.training_sets[set_id].images}
        fresh = [i for i in images if i.digest not in known]
        if images and not fresh:
            self._session.tell("Those images are in the training set already.", "info")
        if not fresh:
            return
        label = counted(replace(document.training_sets[set_id], images=tuple(fresh)))
        label = "image" if label == "1 image" else "clip" if label == "1 clip" else label
        try:
            needed = [item for item in material.media if item.id not in document.media]
            changed = edits.add_images(media_edits.add_media(document, *needed), set_id, fresh)
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return
        self._session.store.apply(f"Add {label} to training set", changed)

    def remove_images(self, digests: Iterable[str]) -> None:
        self._edit("Remove images from training set", edits.remove_images, frozenset(digests))

    def move_image(self, digest: str, before: str = "") -> None:
        self._edit("Move training image", edits.move_image, digest, before)

    def set_caption(self, digest: str, caption: str) -> None:
        self._edit("Caption", edits.set_caption, digest, caption, merge_key=f"caption-{digest}")

    def set_crop(self, digest: str, crop: tuple[float, float, float, float] | None) -> None:
        """Use only a part (x, y, width, height in 0…1) of an image; None = the whole."""
        self._edit("Crop training image" if crop else "Use the whole image", edits.set_crop, digest, crop)

    def fill_captions(self, caption: str = "") -> None:
        """Give every image without a caption this one, or a plain one made of the trigger word."""
        found = self._shown
        if found is None:
            return
        text = caption or suggested_caption(found)
        captions = {i.digest: i.caption.strip() or text for i in found.images}
        self._edit("Fill in captions", lambda document, set_id: captioned(document, set_id, captions))

    # -- findings ----------------------------------------------------------------------------------------------------

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is worth saying about the set, as far as its images have been read."""
        return self._findings

    def facts(self, image: TrainingImage) -> ImageFacts | None:
        """What an image turned out to be; None while it is being read."""
        return self._facts.get(facts_key(image))

    def _look_at_images(self) -> None:
        found = self._shown
        for image in found.images if found is not None else ():
            key = facts_key(image)
            if key not in self._facts and key not in self._asked and not self._closed:
                self._asked.add(key)
                item = self._item(image)
                self._pool.submit(self._measure, key, self.find_blob(image.digest), image, item)

    def _item(self, image: TrainingImage) -> MediaItem | None:
        return self._session.document.media.get(image.clip.media_id) if image.clip is not None else None

    def _measure(self, key: str, path: Path | None, image: TrainingImage, item: MediaItem | None) -> None:
        if self._closed:
            return
        if image.clip is None:
            facts, source = look_at(path, image), None
        else:
            facts, source = training_material.look_at_clip(item, image)
        self._send(lambda: self._on_facts(key, facts, item, source))

    def read_frame(self, digest: str) -> None:
        """Read the middle frame of a clip in full; :attr:`frame_read` brings it."""
        found = self._shown
        image = next((i for i in found.images if i.digest == digest), None) if found is not None else None
        if image is None or image.clip is None or self._closed:
            return
        item = self._item(image)

        def read() -> None:
            try:
                picture, _ = training_material.middle_frame(item, image)
            except (StudioError, OSError) as error:
                sentence = sentence_of(error)
                self._send(lambda: self._session.tell(sentence, "warning"))
                return
            self._send(lambda: self.frame_read.emit(digest, picture))

        self._pool.submit(read)

    def _on_facts(self, key: str, facts: ImageFacts, item: MediaItem | None, source: SourceRef | None) -> None:
        self._asked.discard(key)
        self._facts[key] = facts
        if item is not None and source is not None:
            self._sources[_file_of(item)] = source
        self.image_read.emit(key.partition(":")[0])
        self._check()
        if source is not None:
            # Only now is it known what the training takes, and whether an unfinished one of this set lies on disk.
            self.set_changed.emit(self._shown)

    def _check(self) -> None:
        found = (
            check(self._shown, self._facts, learner_of(self.abilities(), self._shown))
            if self._shown is not None
            else ()
        )
        if found != self._findings:
            self._findings = found
            self.findings_changed.emit(found)

    # -- the model ---------------------------------------------------------------------------------------------------

    def models(self) -> tuple[Abilities, ...]:
        """The installed models that can be trained, preferred first."""
        return tuple(a for a in self.registry.abilities if a.trainable)

    def abilities(self) -> Abilities | None:
        """The model that the set is trained on: the chosen one, else the first; None where none can be trained."""
        models = self.models()
        chosen = self._shown.generator if self._shown is not None else ""
        return next((a for a in models if a.id == chosen), models[0] if models else None)

    def defaults(self) -> TrainingDefaults:
        """Steps, rank and learning rate of the model when the artist changes nothing."""
        found = self.abilities()
        return found.training if found is not None else TrainingDefaults()

    def presets(self) -> tuple[TrainingPreset, ...]:
        """What cards of each size train on the model, of clips where the set has some, else of pictures."""
        abilities = self.abilities()
        moving = self._shown is not None and any(image.clip is not None for image in self._shown.images)
        if abilities is None:
            return ()
        key = (abilities.id, abilities.revision, moving)
        if key not in self._presets:
            self._presets[key] = self.registry.training_presets(abilities.id, clips=moving)
        return self._presets[key]

    def held(self, usual: str = "") -> str:
        """How the model is held on this machine while this very set is trained, or why it can't be; ``usual`` while
        the set can't be trained."""
        try:
            return self.registry.training_held(self.plan())
        except StudioError:
            return usual

    def why_not(self) -> str:
        """Why the set can't be trained now, in one sentence; empty when it can."""
        found = self._shown
        if found is None:
            return "Make a training set first: drop 5 to 30 images or clips here."
        chosen = found.generator
        if chosen and all(a.id != chosen for a in self.models()):
            return f"The model “{chosen}” that this set was made for is not installed, or can't be trained."
        if self.abilities() is None:
            return self.registry.why_not("customize") or "No model that can be trained is installed."
        if word_reason := self._word_why_not(found):
            return word_reason
        fatal = next((f for f in self._findings if f.fatal), None)
        if fatal is None:
            return ""
        image = next((i for i in found.images if i.digest == fatal.digest), None)
        return f"{image.name}: {fatal.sentence}" if image is not None and image.name else fatal.sentence

    def _word_why_not(self, found: TrainingSet) -> str:
        """Why the set can't become a word; empty when it can, or is to become an adapter."""
        if found.method != WORD:
            return ""
        if self.defaults().word is None:
            return self.defaults().word_why_not
        if len(found.trigger.split()) != 1:
            return "A word that is to be learned needs a name: type a made-up one above."
        return ""

    def usual_steps(self) -> int:
        """Steps of the training when the set says nothing."""
        found, defaults = self._shown, self.defaults()
        word = defaults.word if found is not None and found.method == WORD else None
        return (word or defaults).steps

    # -- training ----------------------------------------------------------------------------------------------------

    def plan(self) -> TrainRequest:
        """The request for the set as it stands. Raises GenerationError when it can't be trained."""
        found, abilities, reason = self._shown, self.abilities(), self.why_not()
        if found is None or abilities is None or reason:
            raise GenerationError(reason, "")
        return plan_training(found, abilities, self.find_blob, footage=self._footage)

    def _footage(self, media_id: str) -> SourceRef:
        item = self._session.document.media.get(media_id)
        if item is None:
            raise GenerationError("The footage of a clip is no longer in the project.", "Take the clip out.")
        found = self._sources.get(_file_of(item))
        if found is None:
            raise GenerationError("The clips are still being read.", "Wait a moment.")
        return found

    def kept(self) -> bool:
        """Whether an unfinished training of exactly this set lies on disk: training goes on there."""
        folder = self._scratch()
        return folder is not None and (folder / "checkpoint.safetensors").is_file()

    def forget_kept(self) -> None:
        """Throw an unfinished training away, so that the next one starts anew."""
        folder = self._scratch()
        if folder is not None and not self.run_state.active:
            shutil.rmtree(folder, ignore_errors=True)
            self._records.pop(self._shown.id if self._shown else "", None)
            self.curve_replaced.emit()
            self.run_changed.emit(self.run_state)

    def _scratch(self) -> Path | None:
        try:
            return paths.data_dir() / "training" / request_digest(self.plan())[:32]
        except StudioError:
            return None

    def train(self) -> str:
        """Queue a training of the set; returns the job id (empty when it can't be trained: a message says why)."""
        if self.run_state.active:
            return self.run_state.job_id
        try:
            request = self.plan()
        except StudioError as error:
            self._session.tell(str(error), "warning")
            return ""
        assert self._shown is not None
        job = Job(
            id=new_id("job"), lane=Lane.RENDER, request=request, label=f"Train “{request.name}”", owner=self._shown.id
        )
        self._host.submit(job)
        return job.id

    def pause(self) -> None:
        """Pause the training, or let it go on."""
        run = self.run_state
        if run.active and not run.stopping:
            (self._host.resume if run.state is JobState.PAUSED else self._host.pause)(run.job_id)

    def cancel(self) -> None:
        """Stop the training; its checkpoint is kept."""
        run = self.run_state
        if run.active and self._shown is not None:
            self._put(self._shown.id, stopping=True)
            self._host.cancel(run.job_id)

    @property
    def run_state(self) -> TrainingRun:
        record = self._record()
        return record.run if record is not None else TrainingRun()

    @property
    def losses(self) -> tuple[tuple[int, float], ...]:
        """(step, loss) of the latest training of the set."""
        record = self._record()
        return tuple(record.losses) if record is not None else ()

    @property
    def test_frames(self) -> tuple[TestFrame, ...]:
        """Test frames of the latest training of the set, by step."""
        record = self._record()
        return tuple(record.tests[step] for step in sorted(record.tests)) if record is not None else ()

    def kept_steps(self) -> frozenset[int]:
        """Steps of the latest training of the set that can be used as adapters, finished or not."""
        return frozenset(step.step for step in self._steps_on_disk())

    def _steps_on_disk(self) -> tuple[AdapterStep, ...]:
        run = self.run_state
        if run.adapter_id:
            return AdapterLibrary().steps(run.adapter_id)
        folder = self._scratch()
        return steps_in(folder) if folder is not None else ()

    def use_step(self, step: int) -> None:
        """Make the trained adapter what it was after ``step`` steps. Of an unfinished training that step comes into
        the library as an adapter of its own, and the training can still go on."""
        found, run = self._shown, self.run_state
        kept = next((kept for kept in self._steps_on_disk() if kept.step == step), None)
        if found is None or kept is None or self._closed:
            self._session.tell(f"Step {step} was not kept.", "warning")
            return

        def write() -> None:
            library = AdapterLibrary()
            try:
                if run.adapter_id:
                    adapter = library.use_step(run.adapter_id, step)
                else:
                    adapter = library.import_file(kept.path, name=f"{found.name}, step {step}", imported=False)
            except (StudioError, OSError) as error:
                sentence = sentence_of(error)
                self._send(lambda: self._session.tell(sentence, "error"))
                return
            self._send(lambda: self._on_step_used(adapter, step))

        self._pool.submit(write)

    def _on_step_used(self, adapter: Adapter, step: int) -> None:
        self._session.tell(f"“{adapter.name}” in the library is step {step} now.", "info")
        self.trained.emit(adapter.id)

    def _record(self) -> TrainingRecord | None:
        return self._records.get(self._shown.id) if self._shown is not None else None

    # -- events ------------------------------------------------------------------------------------------------------

    def _on_submitted(self, job: Job) -> None:
        if not isinstance(job.request, TrainRequest):
            return
        self._jobs[job.id] = job.owner
        total = job.request.steps
        self._records[job.owner] = TrainingRecord(TrainingRun(job_id=job.id, state=JobState.QUEUED, total=total))
        if self._is_shown(job.owner):
            self.curve_replaced.emit()
            self.run_changed.emit(self.run_state)

    def _is_shown(self, set_id: str) -> bool:
        return self._shown is not None and self._shown.id == set_id

    def _put(self, set_id: str, **changes: Any) -> None:
        record = self._records.get(set_id)
        if record is None:
            return
        record.run = replace(record.run, **changes)
        if self._is_shown(set_id):
            self.run_changed.emit(record.run)

    def _on_state_changed(self, event: StateChanged) -> None:
        set_id = self._jobs.get(event.job_id)
        if set_id is None:
            return
        self._put(set_id, state=event.state, reason=event.reason)
        if event.state.ended:
            self._jobs.pop(event.job_id, None)
            self._put(set_id, stopping=False, eta_seconds=None)
            if event.state is JobState.FAILED:
                self._session.tell(event.reason, "error")

    def _on_progressed(self, event: Progress) -> None:
        if (set_id := self._jobs.get(event.job_id)) is not None:
            self._put(set_id, done=event.done, total=event.total, stage=event.stage, eta_seconds=event.eta_seconds)

    def _on_noted(self, event: Noted) -> None:
        if (set_id := self._jobs.get(event.job_id)) is not None and self._is_shown(set_id):
            self.noted.emit(event.text)

    def _on_loss_measured(self, event: LossMeasured) -> None:
        set_id = self._jobs.get(event.job_id)
        if set_id is None:
            return
        losses = self._records[set_id].losses
        if losses and event.step <= losses[-1][0]:
            # The training was taken up again and tells its curve from the start.
            del losses[next(i for i, (step, _) in enumerate(losses) if step >= event.step) :]
            if self._is_shown(set_id):
                self.curve_replaced.emit()
        losses.append((event.step, event.loss))
        if len(losses) > _MOST_POINTS:
            del losses[1:-1:2]
            if self._is_shown(set_id):
                self.curve_replaced.emit()
        if self._is_shown(set_id):
            self.loss_measured.emit(event.step, event.loss)

    def _on_test_frame_ready(self, event: TestFrameReady) -> None:
        set_id = self._jobs.get(event.job_id)
        if set_id is None:
            return
        frame = TestFrame(event.step, event.picture)
        self._records[set_id].tests[event.step] = frame
        if self._is_shown(set_id):
            self.test_frame_ready.emit(frame)

    def _on_adapter_ready(self, event: AdapterReady) -> None:
        if (set_id := self._jobs.get(event.job_id)) is not None:
            self._put(set_id, adapter_id=event.adapter_id)
        self.trained.emit(event.adapter_id)

    # -- keeping up with the document --------------------------------------------------------------------------------

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if old.media is not new.media:
            self._forget_unread_clips()
        if old.training_sets is not new.training_sets:
            names = [(s.id, s.name) for s in old.training_sets.values()]
            if names != [(s.id, s.name) for s in new.training_sets.values()]:
                self._reload()
                self.sets_changed.emit()
            else:
                self._reload()

    def _forget_unread_clips(self) -> None:
        """Footage came, went or was relinked: clips that could not be read, or not of this file, are read again."""
        for image in self._shown.images if self._shown is not None else ():
            item, facts = self._item(image), self._facts.get(facts_key(image))
            if image.clip is not None and facts is not None:
                known = item is not None and _file_of(item) in self._sources
                if not known and not (item is None and facts.problem):
                    del self._facts[facts_key(image)]
        self._look_at_images()

    def _on_document_replaced(self, _new: Document) -> None:
        self._project += 1
        self._facts.clear()
        self._sources.clear()
        self._asked.clear()
        self._records.clear()
        self._jobs.clear()
        self._set_id = ""
        self._shown = None
        self._reload()
        self.sets_changed.emit()

    def _reload(self) -> None:
        sets = self._session.document.training_sets
        found = sets.get(self._set_id) or next(iter(sets.values()), None)
        before, self._shown = self._shown, found
        self._set_id = found.id if found is not None else ""
        if found != before:
            self.set_changed.emit(found)
        if (found.id if found else "") != (before.id if before else ""):
            self.curve_replaced.emit()
            self.run_changed.emit(self.run_state)
        self._look_at_images()
        self._check()


def _file_of(item: MediaItem) -> tuple[str, str, str]:
    """What the frames of an item depend on: the project may be told of another file for it."""
    return item.id, item.path, item.fingerprint
