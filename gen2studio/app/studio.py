"""The running program without widgets: every service, wired once, and the project they work on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app import planning
from gen2studio.app.adapter_shelf import AdapterShelf
from gen2studio.app.choosing import denoises
from gen2studio.app.clip_looks import ClipLooks
from gen2studio.app.clip_takes import ClipTakes
from gen2studio.app.disk_work import DiskWork
from gen2studio.app.engine_host import EngineHost
from gen2studio.app.export_queue import ExportQueue
from gen2studio.app.export_values import ExportResult
from gen2studio.app.gap_shots import GapShots
from gen2studio.app.generation import Generation
from gen2studio.app.importing import Importer
from gen2studio.app.interchange import Interchange
from gen2studio.app.jobs import EngineSignals, JobBoard
from gen2studio.app.journal import Journal
from gen2studio.app.live_preview import LivePreview
from gen2studio.app.look_keys import LookKeys
from gen2studio.app.look_parts import LookParts
from gen2studio.app.mask_editing import BrushSettings, MaskEditing
from gen2studio.app.planning import Adapters
from gen2studio.app.planning_parts import moved
from gen2studio.app.playback import Player
from gen2studio.app.preferences import Preferences
from gen2studio.app.programme import Programme
from gen2studio.app.project_files import Project
from gen2studio.app.recovery import Candidate, candidate_for, candidates, discard, recover
from gen2studio.app.relinking import Relinker
from gen2studio.app.session import Session
from gen2studio.app.shots import Shots
from gen2studio.app.source_edits import SourceEdits
from gen2studio.app.source_monitor import SourceMonitor
from gen2studio.app.staleness import Judge, StaleBook
from gen2studio.app.store import DocumentStore
from gen2studio.app.take_footage import TakeFootage
from gen2studio.app.takes import TakeKeeper
from gen2studio.app.takes_measuring import TakeMeasuring
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.transport import Transport
from gen2studio.app.trimming import TrimMode
from gen2studio.app.viewer_feed import ViewerFeed
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.ids import new_id
from gen2studio.core.log import topic
from gen2studio.core.paths import data_dir, resources_dir
from gen2studio.document import takes
from gen2studio.document.model import Clip, Document, Take
from gen2studio.engine.abilities import GeneratorRegistry
from gen2studio.engine.catalog import Catalog
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.requests import GenerateRequest, Job, Lane
from gen2studio.engine.take_store import TakeStore, encode_png
from gen2studio.engine.workspace import Workspace
from gen2studio.media import codecs
from gen2studio.media.frame_server import FrameServer
from gen2studio.media.metadata import read_recipe

if TYPE_CHECKING:
    from gen2studio.app.customization import Customization
    from gen2studio.app.farm import Farm
    from gen2studio.app.model_downloads import ModelDownloads
    from gen2studio.app.model_rows import ModelServices
    from gen2studio.app.storyboards import Storyboards

_log = topic("studio")
_LATE_SERVICES = ("storyboards", "customization")
"""Made after the window's first frame, unless somebody asks earlier."""


class Studio(QObject):
    """Owns the services and the open project. Made once, by the composition root; the window only binds to it."""

    project_changed = Signal()
    """Another project is open, or it was saved under another name."""
    saved = Signal()
    modified_changed = Signal()
    """There is something to save now, or no longer."""
    offline_changed = Signal(object)
    """frozenset of media ids whose file is missing."""

    def __init__(
        self,
        preferences: Preferences,
        host: EngineHost,
        registry: GeneratorRegistry,
        catalog: Catalog,
        *,
        adapters: Adapters | None = None,
        models: Callable[[], ModelServices] | None = None,
        sound: bool = True,
        parent: QObject | None = None,
    ) -> None:
        """``models`` makes what the window of models works with; it is called on a thread, when it is first needed."""
        super().__init__(parent)
        self.preferences = preferences
        self._make_models = models
        self.registry = registry
        self.catalog = catalog
        self.disk = DiskWork(self)
        self.project, document = Project.new()
        self.store = DocumentStore(document, self.project.tiles, self)
        self.session = Session(self.store, self)
        self.host = host
        host.setParent(self)
        # Signals of a class and of an instance are of different types to a checker.
        engine = cast(EngineSignals, host)
        self.frames = FrameServer(int(preferences.get("frame_cache_mb")) << 20)
        self.board = JobBoard(engine, self)
        self.measuring = TakeMeasuring(parent=self)
        self.takes = TakeKeeper(
            self.store, engine, lambda: self._take_store, planning.look_of_recipe, self.measuring, self
        )
        self.generation = Generation(
            self.session, host, registry, catalog, preferences,
            lambda source: self.project.add_blob(source), lambda digest: self.project.find_blob(digest), self,
            adapters=adapters, take_folder=self.take_folder,
        )  # fmt: skip
        self.stale_book = StaleBook(self.judge)
        self.clip_takes = ClipTakes(self.session, self.generation, host, self.takes, self.judge, self)
        self.shots = Shots(self.session, self.generation, self.takes, lambda: self.project.media_dir, self)
        self.clip_looks = ClipLooks(self.session, self)
        self.clip_looks.work = self.disk.run
        self.gaps = GapShots(
            self.session, self.generation, self.shots, lambda source: self.project.add_blob(source), self.take_folder,
            self,
        )  # fmt: skip
        self.look_keys = LookKeys(self.session, self.generation, self)
        self.footage = TakeFootage(self.session, engine, lambda: self._take_store, lambda: self.project.media_dir, self)
        self._sound = sound
        self.masks = MaskEditing(self.session, host, self)
        self.masks.effective.set_pictures(self.frames.get)
        self.look_parts = LookParts(self.session, self.generation, self)
        self.editing = TimelineEditing(self.session, self)
        self.feed = ViewerFeed(self.session, self.frames, self.take_folder, self)
        self.player = Player(self.session, self, sound=sound)
        self.programme = Programme(
            self.session, self.frames, self.feed, self.player, preferences, self.take_folder, self
        )
        self.source = SourceMonitor(self.session, self.take_folder, self, sound=sound)
        self.source.serve = self.programme.serve
        self.source.marks_changed.connect(lambda _media: self._set_fresh_takes(True))
        self.source_edits = SourceEdits(self.session, self.editing, self.source, self)
        self.editing.marked = self.source.range_of
        self.trim = TrimMode(self.session, self.editing, self.player, self)
        self.transport = Transport(self.session, self.player, self.editing, self.source, self.trim, self)
        self.live = LivePreview(self.session, engine, self._plan_preview, self)
        self.shelf = AdapterShelf(parent=self)
        self.importer = Importer(self.store, self)
        self.exports = ExportQueue(parent=self)
        self.relinker = Relinker(self.store, self)
        self.interchange = Interchange(self.session, self.take_folder, self)
        self.offline: frozenset[str] = frozenset()
        self.stuck = False
        """After :meth:`shutdown`: the engine sits inside a library call; leave the process with ``os._exit``."""
        self._fresh_takes = False
        self._take_store: TakeStore | None = None
        self._journal: Journal | None = None
        self._renders: RenderJournal | None = None
        self._wire()
        self._adopt()

    @functools.cached_property
    def storyboards(self) -> Storyboards:
        from gen2studio.app.storyboards import Storyboards

        made = Storyboards(
            self.session, self.generation, self.shots, lambda source: self.project.add_blob(source),
            lambda: self.project.media_dir, self,
        )  # fmt: skip
        engine = cast(EngineSignals, self.host)
        made.attach(engine, self.is_stale, lambda: self.board.rows, self.take_folder, sound=self._sound)
        return made

    @functools.cached_property
    def customization(self) -> Customization:
        from gen2studio.app.customization import Customization

        made = Customization(
            self.session, self.host, self.registry,
            lambda source: self.project.add_blob(source), lambda digest: self.project.find_blob(digest), self,
        )  # fmt: skip
        made.trained.connect(lambda _adapter: self.shelf.refresh())
        return made

    @functools.cached_property
    def render_farm(self) -> Farm:
        from gen2studio.app.farm import Farm

        return Farm(self.session, self.generation, lambda: self.storyboards, self.is_stale, lambda: self.project, self)

    @functools.cached_property
    def models(self) -> ModelDownloads:
        from gen2studio.app.model_downloads import ModelDownloads

        assert self._make_models is not None
        made = ModelDownloads(self._make_models, self)
        made.models_changed.connect(self.generation.renew)
        made.models_changed.connect(self.masks.engine_choice.refresh)
        made.models_changed.connect(self.shelf.refresh)
        made.told.connect(lambda severity, sentence: self.session.tell(sentence, severity))
        return made

    def complete(self) -> None:
        """Make every service that was not asked for yet: they follow what jobs of an earlier run bring."""
        for name in _LATE_SERVICES:
            getattr(self, name)

    def _wire(self) -> None:
        self.live.picture_ready.connect(self.feed.show_preview)
        self.live.cleared.connect(self.feed.clear_preview)
        self.live.refused.connect(lambda sentence: self.session.tell(sentence, "info"))
        self.generation.look_changed.connect(self._on_look_changed)
        self.preferences.watch("live_preview", lambda _on: self._follow_live())
        self.generation.still_shown.connect(self.feed.show_preview)
        self.generation.step_shown.connect(
            lambda media, frame, picture, *_: self.feed.show_preview(media, frame, picture)
        )
        self.shots.slate_written.connect(self._on_slate_written)
        self.disk.started.connect(self.session.tell)
        self.shelf.told.connect(lambda severity, sentence: self.session.tell(sentence, severity))
        self.exports.told.connect(lambda sentence: self.session.tell(sentence, "error"))
        self.exports.finished.connect(self._on_exported)
        self.importer.failed.connect(lambda path, sentence: self.session.tell(sentence, "error"))
        self.relinker.told.connect(self.session.tell)
        self.relinker.relinked.connect(lambda found, _missing: self.feed.refresh() if found else None)
        self.host.failed.connect(lambda sentence: self.session.tell(sentence, "error"))
        self.store.changed.connect(self._on_document_changed)
        self.store.undo_stack.cleanChanged.connect(lambda _clean: self.modified_changed.emit())
        self.preferences.watch("audio_offset_ms", self.player.set_audio_offset)
        self.preferences.watch("frame_cache_mb", lambda size: self.frames.set_budget(int(size) << 20))
        self.preferences.watch("still_seconds", self._set_still_length)
        self.preferences.watch("pen_pressure", lambda on: self.masks.set_brush(pressure_size=bool(on)))
        self.masks.brush_changed.connect(self._on_brush_changed)

    def _on_exported(self, _order_id: str, result: object) -> None:
        if isinstance(result, ExportResult):
            self.session.tell(f"{result.path.name} is ready.")

    def _follow_live(self) -> None:
        """Live preview runs while it is wanted, the look holds something to paint with, and a frame is quick to make:
        a diffusion model makes the whole shot for one."""
        choices = self.generation.choices()
        quick = bool(choices) and not any(denoises(choice.abilities) for choice in choices)
        self.live.set_enabled(bool(self.preferences.get("live_preview")) and self.generation.has_style and quick)

    def _on_look_changed(self, _look: object) -> None:
        self._follow_live()
        if not self.live.enabled:
            # A still in the viewer shows the look as it was.
            self.feed.clear_preview()

    def _on_brush_changed(self, brush: BrushSettings) -> None:
        self.preferences.set("pen_pressure", brush.pressure_size)

    def _set_still_length(self, seconds: float) -> None:
        length = Fraction(seconds).limit_denominator(1000)
        self.importer.still_seconds = self.editing.still_seconds = self.source.still_seconds = length

    # -- engine glue -----------------------------------------------------------------------------------------------

    def take_folder(self, take_id: str) -> Path:
        assert self._take_store is not None
        return self._take_store.path(take_id)

    def _plan_preview(self, document: Document, clip: Clip, frame: int) -> GenerateRequest | None:
        """The preview of a frame; None where the real thing is in the viewer already."""
        if self.generation.follows_arrivals:
            return None
        if self.generation.needs_shot:
            return None
        request = self.generation.plan_preview(document, clip, frame)
        take = document.takes.get(clip.active_take)
        if take is not None and take.has(request.wanted[0]) and not self.is_stale(clip, take):
            return None
        return request

    def judge(self) -> Judge:
        """What decides whether a take is still what a clip asks for."""
        return Judge(
            blobs=self.project.find_blob, adapters=self.generation.adapters, takes=self.take_folder,
            abilities=self.generation.abilities_of,
        )  # fmt: skip

    def is_stale(self, clip: Clip, take: Take) -> bool:
        """Whether the clip as it stands would give another result than ``take``."""
        return self.stale_book.is_stale(self.store.document, clip, take)

    def stale_runs(self, clip: Clip) -> tuple[tuple[int, int], ...]:
        """Media frames [start, stop) of a clip's applied take that are not what the clip asks for now."""
        take = self.store.document.takes.get(clip.active_take)
        return self.stale_book.runs(self.store.document, clip, take) if take is not None else ()

    # -- projects --------------------------------------------------------------------------------------------------

    @property
    def modified(self) -> bool:
        """Something was changed since the last save, or a job or a mark in the source viewer is not saved."""
        return not self.store.undo_stack.isClean() or self._fresh_takes

    @property
    def title(self) -> str:
        return self.project.name

    def _adopt(self) -> None:
        """Point every service at the project just opened."""
        self._take_store = TakeStore(self.project.takes_dir)
        self._renders = RenderJournal(self.project.folder / "renders.jsonl")
        tiles = self.store.tiles
        self.host.set_workspace(Workspace(takes=self._take_store, matte=tiles.unpack, journal=self._renders))
        self._journal = Journal(self.project, self.store, self)
        self._journal.failed.connect(lambda sentence: self.session.tell(sentence, "error"))
        for item in self.store.document.media.values():
            self.frames.describe(item.path, item.info)
        self.shots.restore()
        self._look_for_offline()
        self.feed.start()
        self.project_changed.emit()
        if jobs := self._renders.compact():
            self.complete()
        for job in jobs:
            self.host.submit(job)

    def _leave(self, *, discard: bool) -> None:
        """Let go of the open project; ``discard`` when the artist chose not to keep unsaved changes."""
        self._let_go(discard=discard)
        self.project.close()

    def _let_go(self, *, discard: bool) -> None:
        """Stop what works on the open project."""
        self.player.stop()
        self.board.cancel_all()
        self.board.clear_ended()
        self._close_journal(discard=discard)
        if self._renders is not None:
            self._renders.close()

    def _close_journal(self, *, discard: bool) -> None:
        if self._journal is not None:
            self._journal.close(discard=discard)
            self._journal.deleteLater()
            self._journal = None

    def _switch(self, opened: tuple[Project, Document], *, dirty: bool = False) -> None:
        # Whoever switches projects was asked about unsaved changes before.
        self._leave(discard=True)
        self.project, document = opened
        self.store.replace(document, self.project.tiles)
        self._fresh_takes = False
        if dirty:
            self.store.undo_stack.resetClean()
        self._adopt()

    def new_project(self) -> None:
        self._switch(Project.new())

    def open_project(self, path: Path) -> bool:
        """Open a project; False (and a message) when it can't be opened, with the present one left as it was.

        Unsaved work that a crash left in its journal is brought back at once.
        """
        if self.project.path is not None and path.absolute() == self.project.path:
            self.session.tell("That project is open already. File ▸ Revert goes back to what was saved.", "info")
            return True

        def read() -> tuple[Project, Document, bool]:
            project, document = Project.open(path)
            found: Candidate | None = candidate_for(project)
            if found is None or not found.changes:
                return project, document, False
            return *recover(found, project), True

        try:
            project, document, lost = self.disk.run(f"Opening {path.stem}…", read)
        except (StudioError, OSError) as error:
            self.session.tell(sentence_of(error), "error")
            return False
        self._switch((project, document), dirty=lost)
        if lost:
            self.session.tell(
                "Unsaved work from an interrupted session was brought back. File ▸ Revert drops it.", "warning"
            )
        self.preferences.add_recent(str(path))
        return True

    def revert(self) -> bool:
        """Go back to what was saved last. What was done since is gone, and the undo history with it."""
        if self.project.path is None:
            return False
        project = self.project
        try:
            document = self.disk.run(f"Going back to {project.name}…", project.read)
        except (StudioError, OSError) as error:
            self.session.tell(sentence_of(error), "error")
            return False
        self._let_go(discard=True)
        self.project.recovered = False
        self.store.replace(document, self.project.tiles)
        self._adopt()
        return True

    def open_sample(self) -> bool:
        """Open a private copy of the bundled sample, so that trying things out changes nothing."""
        try:
            opened = Project.open_copy(resources_dir() / "sample" / "sample.g2s")
        except (StudioError, OSError) as error:
            self.session.tell(sentence_of(error), "error")
            return False
        self._switch(opened)
        return True

    def save(self) -> bool:
        """Save where the project lives; False when it is untitled or saving failed (a message says why)."""
        if self.project.untitled:
            return False
        self.source.keep_place()
        # What jobs bring meanwhile belongs to the next save.
        project, document = self.project, self.store.document
        done = self._saving(lambda: self.disk.run(f"Saving {project.name}…", lambda: project.save(document)))
        if done and self.store.document is not document:
            self._set_fresh_takes(True)
        return done

    def save_as(self, path: Path, *, packed: bool | None = None) -> bool:
        """Save to another place and go on there; ``packed`` = as one file (None = as now)."""
        self.source.keep_place()
        document = self.store.document

        def write() -> None:
            name = path.name.split(".")[0]
            saved = self.disk.run(f"Saving {name}…", lambda: self.project.save_as(document, path, packed=packed))
            if saved is not document:
                # Jobs may have brought something meanwhile: only what lies in the project's folder has moved.
                self.store.amend(lambda now: self.project.rehomed(now, before))

        waiting, before = self._interrupt_renders(), self.project.folder
        done = self._saving(write)
        behind = done and self.store.document.takes is not document.takes
        if done:
            self._close_journal(discard=True)
            if self._renders is not None:
                self._renders.close()
            self._adopt()
            self.exports.rehome(before, self.project.folder)
            self.preferences.add_recent(str(path))
        if behind:
            self._set_fresh_takes(True)
        for job in waiting:
            self.host.submit(replace(job, request=moved(job.request, before, self.project.folder)))
        return done

    def _interrupt_renders(self) -> list[Job]:
        """Stop renders between two frames, because their folder is about to move; returns jobs that go on with them."""
        jobs = [status.job for status in self.host.jobs() if status.job.lane is Lane.RENDER]
        for job in jobs:
            self.host.cancel(job.id)
        if jobs and not self.host.wait_until_idle(20.0):
            _log.warning("a render did not stop before the project moved")
        return [replace(job, id=new_id("job")) for job in jobs]

    def _saving(self, write: Callable[[], None]) -> bool:
        try:
            write()
        except (StudioError, OSError) as error:
            self.session.tell(sentence_of(error), "error")
            return False
        self.store.undo_stack.setClean()
        self._set_fresh_takes(False)
        if self._journal is not None:
            self._journal.compact()
        self.session.tell(f"Saved {self.project.name}.")
        self.saved.emit()
        return True

    # -- recovery --------------------------------------------------------------------------------------------------

    def recoverable(self) -> tuple[Candidate, ...]:
        """Work that an earlier run did not save. Its journals are read off the window's thread."""
        return self.disk.run("Looking for unsaved work…", candidates)

    def recover(self, candidate: Candidate) -> bool:
        try:
            opened = self.disk.run(f"Bringing back {candidate.name}…", lambda: recover(candidate))
        except (StudioError, OSError) as error:
            self.session.tell(sentence_of(error), "error")
            return False
        self._switch(opened, dirty=True)
        self.session.tell(f"Recovered {candidate.name}: everything up to the last finished gesture is back.")
        return True

    def forget(self, candidate: Candidate) -> None:
        discard(candidate)

    # -- media -----------------------------------------------------------------------------------------------------

    def import_files(self, paths: Sequence[Path]) -> None:
        """Add files to the pool. The very first import also goes to the timeline: there is something to work on.

        A timeline of another program becomes one of this project's.
        """
        timelines = [path for path in paths if self.is_timeline(path)]
        for path in timelines[:1]:
            self.import_timeline(path)
        if len(timelines) > 1:
            self.session.tell("Timelines are imported one at a time; the first of them was taken.", "warning")
        paths = [path for path in paths if path not in timelines]
        if not paths:
            return
        if self.store.document.sequence is None or self.store.document.sequence.duration == 0:
            self.importer.import_and_place(paths)
        else:
            self.importer.import_paths(paths)

    @staticmethod
    def is_timeline(path: Path) -> bool:
        """Whether a file holds a timeline of another program."""
        from gen2studio.interchange.formats import SUFFIXES

        return path.suffix.lower() in SUFFIXES

    def import_timeline(self, path: Path, rate: Fraction | None = None) -> None:
        """Add the timelines of a file; media of an ``.otioz`` goes into the project's own media folder."""
        sequence = self.session.sequence
        if rate is None and path.suffix.lower() == ".edl" and sequence is not None:
            rate = sequence.rate
        self.interchange.import_timeline(path, rate=rate, media_folder=self.project.media_dir)

    def relink(self, media_ids: Sequence[str], folder: Path) -> None:
        """Look for media in ``folder`` and below, by name and fingerprint; one undo step when they are found."""
        self.relinker.relink(media_ids, folder)

    def collect_media(self) -> bool:
        """Copy media and depth passes that lie elsewhere into the project, as one undo step; False when that failed."""
        project, document = self.project, self.store.document
        try:
            carried = self.disk.run("Collecting media…", lambda: project.copy_in(document))
        except (StudioError, OSError) as error:
            self.session.tell(sentence_of(error), "error")
            return False
        # Jobs may have brought something meanwhile: the paths are put into what is there now.
        collected = project.with_collected(self.store.document, carried)
        if collected is self.store.document:
            self.session.tell("Everything lies in the project already.", "info")
            return True
        self.store.apply("Collect media", collected)
        self.session.tell("Media and depth passes are in the project now. Save it to keep that.", "info")
        return True

    def discarded_takes(self) -> tuple[tuple[str, ...], int]:
        """Takes that no clip lists any more and that no job is making, and their bytes on disk."""
        found = tuple(i for i in takes.unused(self.store.document) if not self.takes.job_of(i))
        store = self._take_store
        return found, sum(store.size(take_id) for take_id in found) if store is not None else 0

    def purge_takes(self, take_ids: Sequence[str]) -> None:
        """Delete takes from the disk for good: undo does not bring them back. Ask the artist first."""
        store = self._take_store
        if store is None or not take_ids:
            return
        self.store.amend(lambda document: takes.forget(document, take_ids), carried=True)
        self.disk.run("Deleting takes…", lambda: [store.delete(take_id) for take_id in take_ids])

    def frame_png(self, *, shown: bool) -> bytes | None:
        """The viewer's picture as PNG bytes: what is shown, or the source at full size. None when there is none."""
        picture = self.feed.picture
        item = self.store.document.media.get(picture.media_id)
        try:
            if not shown and item is not None:
                pixels = self.frames.get(item.path, picture.media_frame)
            else:
                pixels = picture.image
        except StudioError as error:
            self.session.tell(str(error), "error")
            return None
        if pixels is None:
            self.session.tell("There is no picture in the viewer. Put the playhead on a clip first.", "warning")
            return None
        return encode_png(np.ascontiguousarray(pixels[..., 2::-1]))

    def reuse_file(self, path: Path) -> None:
        """Set the look to what made an exported film or picture."""
        record = read_recipe(path)
        if record is None or not record.takes:
            self.session.tell(f"{path.name} holds no Gen2 Studio settings.", "warning")
            return
        self.generation.reuse(record.takes[0].recipe)

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if old.media is not new.media:
            for key, item in new.media.items():
                if old.media.get(key) is not item:
                    self.frames.describe(item.path, item.info)
            self._look_for_offline()
        if old.takes is not new.takes:
            self._set_fresh_takes(True)

    def _set_fresh_takes(self, fresh: bool) -> None:
        if fresh != self._fresh_takes:
            self._fresh_takes = fresh
            self.modified_changed.emit()

    def _on_slate_written(self, media_id: str) -> None:
        self._look_for_offline()
        self.feed.refresh(media_id)

    def _look_for_offline(self) -> None:
        offline = frozenset(self.project.offline(self.store.document)) - self.shots.pending
        for media_id in offline:
            # Pictures of it may still be in memory, and would look as if nothing was wrong.
            self.frames.forget(self.store.document.media[media_id].path)
        if offline != self.offline:
            self.offline = offline
            self.programme.refresh()
            self.offline_changed.emit(offline)

    # -- ending ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the engine thread and load the codecs once the window is up."""
        QTimer.singleShot(300, self.host.start)
        self._codecs = threading.Thread(target=codecs.load, name="codecs", daemon=True)
        QTimer.singleShot(100, self._codecs.start)
        self.programme.start()
        QTimer.singleShot(3000, self, self._take_up_downloads)

    def _take_up_downloads(self) -> None:
        """Go on with what was being downloaded when the program ended; nothing is opened where nothing was left."""
        left = data_dir() / "models" / "downloads"
        if self._make_models is not None and left.is_dir() and any(left.glob("*.json")):
            self.models.open()

    def shutdown(self, *, discard: bool = False) -> None:
        """Stop every thread. Unfinished renders stay in the journal and go on at the next start.

        ``discard``: the artist chose not to keep unsaved changes; otherwise they stay recoverable.
        """
        for name in (*_LATE_SERVICES, "models"):
            if name in self.__dict__:
                getattr(self, name).shutdown()
        self.exports.shutdown()
        self.live.shutdown()
        self.player.shutdown()
        self.source.shutdown()
        self.programme.shutdown()
        self.feed.shutdown()
        self.importer.shutdown()
        self.shelf.shutdown()
        self.relinker.shutdown()
        self.interchange.shutdown()
        self.masks.shutdown()
        self.gaps.shutdown()
        self.shots.shutdown()
        self.footage.shutdown()
        self.stuck = not self.host.shutdown()
        self.takes.shutdown()
        self.measuring.shutdown()
        self.frames.shutdown()
        self._close_journal(discard=discard)
        if self._renders is not None:
            self._renders.close()
            self._renders = None
        self.project.close()
        # Widgets outlive the services by a moment; the stack's last words on destruction are not for them.
        self.store.undo_stack.blockSignals(True)
