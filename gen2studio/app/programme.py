"""Everything behind the programme view: its frames, proxies, rendered stretches - wired once."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.app.compositor import OfflinePixels, composed, gathered
from gen2studio.app.compositor_stack import StackBuilder, is_composed
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.app.playback import Player
from gen2studio.app.preferences import Preferences
from gen2studio.app.programme_feed import ProgrammeFeed
from gen2studio.app.programme_worker import LivePixels, PictureServer, ProgrammeWorker, opaque
from gen2studio.app.proxies import ProxyKeeper
from gen2studio.app.render_cache import RenderCache, RenderKey
from gen2studio.app.render_states import Costs, RenderSpan, RenderStates
from gen2studio.app.session import Session
from gen2studio.app.viewer_feed import ViewerFeed
from gen2studio.core.cancel import CancelToken
from gen2studio.core.geometry import Extent
from gen2studio.document.model import Document, MediaItem, Sequence


class Programme(QObject):
    """Owns proxies, render cache and the programme's feed; makes stretches ready on demand."""

    status_changed = Signal(str)
    """One short line about what is made in the background; empty when nothing is."""
    rendering_changed = Signal(bool)
    _broken = Signal(object)

    def __init__(
        self,
        session: Session,
        server: PictureServer,
        feed: ViewerFeed,
        player: Player,
        preferences: Preferences,
        take_folder: Callable[[str], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._take_folder = take_folder
        self._job: FileJob | None = None
        self._rendering = ""
        self._status = ""
        self.proxies = ProxyKeeper(session, self)
        self.cache = RenderCache()
        self.costs = Costs()
        self.feed = ProgrammeFeed(session, self)
        self.states = RenderStates(lambda: session.document, lambda: self.feed.size, self.cache, self.costs, self)
        pixels = LivePixels(server, take_folder, self.proxies.path_of)
        pixels.broken = self._broken.emit
        self._broken.connect(self._on_broken)
        self.feed.set_worker(lambda deliver: ProgrammeWorker(pixels, self.cache, deliver, self.costs.note))
        feed.set_programme(self.feed)
        feed.set_proxies(self.proxies.path_of, self.proxies.broken)
        feed.frame_skipped.connect(player.note_late)
        player.ready = self.feed.ready
        preferences.watch("use_proxies", self.proxies.set_enabled)
        self.proxies.enabled_changed.connect(lambda on: preferences.set("use_proxies", on))
        self.proxies.changed.connect(self._on_proxies_changed)
        session.store.changed.connect(lambda _old, _new: self.states.refresh())
        session.store.replaced.connect(self._on_document_replaced)
        player.playing_changed.connect(lambda playing: None if playing else self.states.refresh())
        self.feed.size_changed.connect(self.states.refresh)

    def serve(self, session: Session, server: PictureServer, feed: ViewerFeed) -> None:
        """Let another viewer play proxies and show composited frames: the source viewer, of a nested timeline."""
        composed_frames = ProgrammeFeed(session, feed)
        pixels = LivePixels(server, self._take_folder, self.proxies.path_of)
        pixels.broken = self._broken.emit
        composed_frames.set_worker(lambda deliver: ProgrammeWorker(pixels, self.cache, deliver, self.costs.note))
        feed.set_programme(composed_frames)
        feed.set_proxies(self.proxies.path_of, self.proxies.broken)

    def start(self) -> None:
        """Look after the project's proxies; call once the window is up."""
        self.proxies.start()

    def shutdown(self) -> None:
        """Stop every thread. Safe to call twice."""
        if self._job is not None:
            self._job.cancel()
            self._job.wait()
        self.states.shutdown()
        self.proxies.shutdown()
        self.feed.shutdown()
        self.cache.shutdown()

    def render_states(self) -> tuple[RenderSpan, ...]:
        """Stretches of the active sequence that are rendered or would have to be, for the timeline;
        :attr:`states` tells when they change."""
        return self.states.render_states()

    def refresh(self) -> None:
        """Files came or went: look at everything again."""
        self.feed.worker.refresh()
        self.feed.changed.emit()

    # -- rendering a stretch -----------------------------------------------------------------------------------------

    @property
    def rendering(self) -> bool:
        return self._job is not None

    def render_range(self) -> None:
        """Make every composited frame between in and out ready to play; again: stop that."""
        if self._job is not None:
            self._job.cancel()
            return
        document, sequence = self._session.document, self._session.sequence
        if sequence is None:
            return
        start = sequence.in_point or 0
        stop = sequence.out_point if sequence.out_point is not None else sequence.duration
        frames = [f for f in range(start, min(stop, sequence.duration)) if is_composed(document, sequence, f)]
        if not frames:
            self._session.tell("Everything there plays as it is: there is nothing to render.")
            return
        size, cache, take_folder = self.feed.size, self.cache, self._take_folder

        def work(cancel: CancelToken, tell: Tell) -> int:
            return _render(document, sequence, frames, size, cache, take_folder, cancel, tell)

        self._job = job = FileJob("render-range", work, self)
        job.progressed.connect(self._on_rendered)
        job.finished.connect(lambda made: self._end_rendering(f"{made} frames are rendered."))
        job.cancelled.connect(lambda: self._end_rendering("Rendering was stopped; what is done is kept."))
        job.failed.connect(lambda sentence: self._end_rendering(sentence, "error"))
        self._on_rendered((0, len(frames)))
        job.start()
        self.rendering_changed.emit(True)

    def delete_rendered(self) -> None:
        """Throw all rendered frames away."""
        self.cache.delete()
        self.states.refresh()
        self._session.tell("The rendered frames are deleted.")

    def _on_rendered(self, progress: tuple[int, int]) -> None:
        done, total = progress
        self._rendering = f"Rendering {done} of {total} frames"
        self._tell_status()
        self.states.refresh()

    def _end_rendering(self, sentence: str, severity: str = "info") -> None:
        job, self._job = self._job, None
        if job is not None:
            job.wait()
            job.deleteLater()
        self._rendering = ""
        self._tell_status()
        self.states.refresh()
        self._session.tell(sentence, severity)
        self.rendering_changed.emit(False)

    # -- status --------------------------------------------------------------------------------------------------------

    @property
    def status(self) -> str:
        return self._status

    def _tell_status(self) -> None:
        number, count, share = self.proxies.busy
        proxies = f"Proxy {number} of {count} · {share:.0%}" if count else ""
        status = "   ".join(part for part in (self._rendering, proxies) if part)
        if status != self._status:
            self._status = status
            self.status_changed.emit(status)

    def _on_proxies_changed(self, media_id: str) -> None:
        self._tell_status()
        state = self.proxies.state_of(media_id)
        if state.kind == "failed":
            item = self._session.document.media.get(media_id)
            if item is not None:
                self._session.tell(f"There is no proxy of “{item.name}”: {state.sentence}", "warning")

    def _on_broken(self, item: object) -> None:
        assert isinstance(item, MediaItem)
        self.proxies.broken(item)

    def _on_document_replaced(self, _new: Document) -> None:
        if self._job is not None:
            self._job.cancel()
        self.states.refresh()


def _render(
    document: Document,
    sequence: Sequence,
    frames: list[int],
    size: Extent,
    cache: RenderCache,
    take_folder: Callable[[str], Path],
    cancel: CancelToken,
    tell: Tell,
) -> int:
    """Make frames at ``size`` from the footage itself and keep them; returns how many there are."""
    pixels = OfflinePixels(take_folder)
    builder = StackBuilder(document, pixels.index_at)
    told = 0.0
    try:
        for count, frame in enumerate(frames, 1):
            cancel.check()
            stack = builder.stack(sequence, frame)
            key = RenderKey(stack.digest(), size)
            made = cache.get(key)
            if made is None:
                made = opaque(composed(stack, gathered(stack, pixels), size))
            cache.put(key, made, slow=False, keep=True)
            if time.perf_counter() - told > 0.2:
                told = time.perf_counter()
                tell((count, len(frames)))
    finally:
        pixels.close()
    return len(frames)
