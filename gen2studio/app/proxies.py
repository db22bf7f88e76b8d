"""Which media have a proxy, and the thread that makes them in the background, one at a time.

The thread runs at low priority and rests while the timeline plays. What :class:`~gen2studio.document.model.MediaItem`
asks for decides: ``always``, ``never``, or ``auto``, where a file gets one when decoding its first frames shows that it
would play or scrub badly.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.session import Session
from gen2studio.core.errors import sentence_of
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass
from gen2studio.document.model import Document, MediaItem

_log = topic("proxies")
_DELAY_MS = 1500
"""Media that was just added is looked at once the first pictures are on screen."""
_NICE = 15


@dataclass(frozen=True, slots=True)
class ProxyState:
    """How far the proxy of one media is."""

    kind: str
    """``making``, ``ready``, ``none`` (it plays well as it is), ``failed``, or empty: not looked at yet, or no proxy is
    wanted."""
    share: float = 0.0
    """0…1 while it is made."""
    sentence: str = ""
    """For ``failed``: why."""


@dataclass(frozen=True, slots=True)
class _Work:
    item: MediaItem
    forced: bool


class ProxyKeeper(QObject):
    """Keeps proxies of the open project's media. :meth:`path_of` may be asked on any thread."""

    changed = Signal(str)
    """Media id: its state is another one."""
    enabled_changed = Signal(bool)
    _told = Signal(str, object)

    def __init__(self, session: Session, parent: QObject | None = None, *, limit_bytes: int = 20 << 30) -> None:
        super().__init__(parent)
        self._session = session
        self._limit = limit_bytes
        self._enabled = True
        self._states: dict[str, ProxyState] = {}
        self._ready: dict[tuple[str, str], Path] = {}
        """(path, fingerprint) → proxy."""
        self._seen: dict[str, tuple[str, str, str]] = {}
        self._queue: list[_Work] = []
        self._making = ""
        self._condition = threading.Condition()
        self._closing = False
        self._resting = False
        self._thread: threading.Thread | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._look)
        self._told.connect(self._on_told)
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(self._on_document_replaced)
        session.shuttle_changed.connect(self._on_shuttle_changed)

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def enabled(self) -> bool:
        """Whether the viewer uses proxies. They are made in any case."""
        return self._enabled

    def set_enabled(self, enabled: bool) -> None:
        if enabled != self._enabled:
            self._enabled = enabled
            self.enabled_changed.emit(enabled)

    def path_of(self, item: MediaItem) -> Path | None:
        """The finished proxy of a media that is to be used, or None. Any thread."""
        if not self._enabled or item.proxy == "never":
            return None
        return self._ready.get((item.path, item.fingerprint))

    def state_of(self, media_id: str) -> ProxyState:
        return self._states.get(media_id, ProxyState(""))

    @property
    def busy(self) -> tuple[int, int, float]:
        """(number of the one being made, how many there may be in all, 0…1 of the one); zeros when idle."""
        making = next((state for state in self._states.values() if state.kind == "making"), None)
        if making is None:
            return 0, 0, 0.0
        ready = sum(state.kind == "ready" for state in self._states.values())
        return ready + 1, ready + 1 + len(self._queue), making.share

    # -- following the document ----------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to look after the project's media; call once the window is up."""
        if self._thread is None and not self._closing:
            self._thread = threading.Thread(target=self._work, name="proxies", daemon=True)
            self._thread.start()
            self._timer.start(_DELAY_MS)

    def shutdown(self) -> None:
        """Stop the thread; a half-made proxy is dropped. Safe to call twice."""
        self._timer.stop()
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def broken(self, item: MediaItem) -> None:
        """A proxy could not be read: make it again. UI thread."""
        from gen2studio.media import proxies

        file = self._ready.pop((item.path, item.fingerprint), None)
        if file is not None:
            proxies.forget(file)
        self._seen.pop(item.id, None)
        self._timer.start(_DELAY_MS)

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if old.media is not new.media and self._thread is not None:
            self._timer.start(_DELAY_MS)

    def _on_document_replaced(self, _new: Document) -> None:
        with self._condition:
            self._queue.clear()
            self._making = ""
        self._states.clear()
        self._seen.clear()
        self.changed.emit("")
        if self._thread is not None:
            self._timer.start(_DELAY_MS)

    def _on_shuttle_changed(self, speed: float) -> None:
        with self._condition:
            self._resting = speed != 0.0
            self._condition.notify_all()

    def _look(self) -> None:
        """Queue what is new, drop what has gone."""
        from gen2studio.media import proxies

        media = self._session.document.media
        for media_id in [known for known in self._seen if known not in media]:
            self._drop(media_id)
        for item in media.values():
            wish = (item.path, item.fingerprint, item.proxy)
            if self._seen.get(item.id) == wish:
                continue
            self._drop(item.id)
            self._seen[item.id] = wish
            usable = not item.nested and item.shot is None and item.fingerprint and proxies.may_have(item.info)
            if item.proxy == "never" or not usable:
                continue
            with self._condition:
                self._queue.append(_Work(item, item.proxy == "always"))
                self._condition.notify_all()

    def _drop(self, media_id: str) -> None:
        self._seen.pop(media_id, None)
        with self._condition:
            self._queue = [work for work in self._queue if work.item.id != media_id]
            if self._making == media_id:
                self._making = ""
        if self._states.pop(media_id, None) is not None:
            self.changed.emit(media_id)

    def _on_told(self, media_id: str, state: object) -> None:
        assert isinstance(state, ProxyState)
        if media_id not in self._seen:
            return
        self._states[media_id] = state
        self.changed.emit(media_id)

    # -- the thread ----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        if sys.platform.startswith("linux"):
            # On Linux a thread has a priority of its own.
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        while True:
            with self._condition:
                while not self._closing and (self._resting or not self._queue):
                    self._condition.wait()
                if self._closing:
                    return
                work = self._queue.pop(0)
                self._making = work.item.id
            try:
                self._told.emit(work.item.id, self._made(work))
            except Exception as error:
                from gen2studio.media.abandon import Abandoned

                if not isinstance(error, Abandoned):
                    _log.warning("no proxy of %s: %s", work.item.path, error)
                    self._told.emit(work.item.id, ProxyState("failed", sentence=sentence_of(error)))

    def _made(self, work: _Work) -> ProxyState:
        from gen2studio.media import proxies
        from gen2studio.media.clock import clock_of

        item, path = work.item, Path(work.item.path)

        def gone() -> bool:
            while self._resting and not self._closing and self._making == item.id:
                time.sleep(0.05)
            return self._closing or self._making != item.id

        # What the project says of a file may be old, or made up: the proxy is of what lies there now.
        file = proxies.proxy_file(file_fingerprint(path), item.info)
        frames = clock_of(path, item.info, gone).frame_count
        if not proxies.is_sound(file, frames):
            if not work.forced and not proxies.measure(path, item.info, gone).plays_badly:
                return ProxyState("none")
            told = 0.0

            def tell(share: float) -> None:
                nonlocal told
                now = time.perf_counter()
                if now - told > 0.2:
                    told = now
                    self._told.emit(item.id, ProxyState("making", share))

            self._told.emit(item.id, ProxyState("making"))
            proxies.make(path, item.info, file, abandon=gone, on_progress=tell)
            proxies.trim(self._limit, [*self._ready.values(), file])
        proxies.touch(file)
        self._ready[(item.path, item.fingerprint)] = file
        return ProxyState("ready", 1.0)
