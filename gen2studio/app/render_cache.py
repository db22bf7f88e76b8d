"""Composited frames that are worth keeping: in memory first, and on disk those that could not be made in real time.

A frame's key is the digest of its :class:`~gen2studio.app.compositor_stack.Stack` with its size and whether proxies
stand in for footage, so an edit finds exactly the frames again that it does not change. No Qt in here; any thread.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gen2studio.core import paths
from gen2studio.core.geometry import Extent
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Bgra: TypeAlias = "NDArray[np.uint8]"
_log = topic("render-cache")
_WAITING = 32
"""Frames that may wait to be written; more are only kept in memory."""


@dataclass(frozen=True, slots=True)
class RenderKey:
    """One frame as it is shown."""

    digest: str
    size: Extent
    proxies: bool = False
    """Made with proxies: good enough to play, not to look at."""

    @property
    def name(self) -> str:
        return f"{self.digest}_{self.size.width}x{self.size.height}{'p' if self.proxies else ''}.png"


class RenderCache:
    """Frames by key, least recently used first out."""

    def __init__(self, memory_bytes: int = 256 << 20, disk_bytes: int = 2 << 30, folder: Path | None = None) -> None:
        """``folder`` None = in the program's cache."""
        self._memory = memory_bytes
        self._disk = disk_bytes
        self._folder = folder
        self._lock = threading.Lock()
        self._frames: OrderedDict[RenderKey, Bgra] = OrderedDict()
        self._bytes = 0
        self._files: OrderedDict[str, int] | None = None
        self._file_bytes = 0
        self._purpose: OrderedDict[str, None] = OrderedDict()
        self._writes: queue.Queue[tuple[RenderKey, Bgra] | None] = queue.Queue(_WAITING)
        self._writer: threading.Thread | None = None
        self.revision = 0
        """Rises with every frame that comes or goes."""

    def get(self, key: RenderKey) -> Bgra | None:
        """The frame, read-only, or None. May read a file: not for the UI thread (see :meth:`at_hand`)."""
        found = self.at_hand(key)
        if found is not None or not self.holds(key):
            return found
        import cv2

        file = self._where() / key.name
        try:
            data = np.frombuffer(file.read_bytes(), np.uint8)
        except OSError:
            data = np.empty(0, np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
        if picture is None or picture.shape[:2] != (key.size.height, key.size.width):
            # Deleted or damaged: it is made again.
            self._forget_file(key.name)
            return None
        frame = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2BGRA), np.uint8)
        with self._lock:
            if self._files is not None and key.name in self._files:
                self._files.move_to_end(key.name)
            self._keep(key, frame)
        with contextlib.suppress(OSError):
            file.touch()
        return frame

    def at_hand(self, key: RenderKey) -> Bgra | None:
        """The frame if it is in memory. Quick."""
        with self._lock:
            found = self._frames.get(key)
            if found is not None:
                self._frames.move_to_end(key)
            return found

    def holds(self, key: RenderKey) -> bool:
        """Whether :meth:`get` would answer. The first call lists the folder."""
        with self._lock:
            return key in self._frames or key.name in self._listed()

    def put(self, key: RenderKey, frame: Bgra, *, slow: bool, keep: bool = False) -> None:
        """Keep an opaque frame. ``slow``: it could not be made in real time; those are also kept on disk, as are those
        that were rendered on purpose (``keep``)."""
        frame.setflags(write=False)
        with self._lock:
            self._keep(key, frame)
            if keep:
                self._purpose[key.digest] = None
                while len(self._purpose) > 500_000:
                    self._purpose.popitem(last=False)
            wanted = (slow or keep) and key.name not in self._listed()
        if wanted:
            self._start_writer()
            with contextlib.suppress(queue.Full):
                self._writes.put((key, frame), block=keep)

    def on_purpose(self, digest: str) -> bool:
        """Whether the artist had this frame rendered."""
        with self._lock:
            return digest in self._purpose

    @property
    def any_on_purpose(self) -> bool:
        with self._lock:
            return bool(self._purpose)

    def clear_memory(self) -> None:
        with self._lock:
            self._frames.clear()
            self._bytes = 0
            self.revision += 1

    def delete(self) -> None:
        """Forget every frame, in memory and on disk."""
        self.flush()
        with self._lock:
            names = list(self._listed())
            self._listed().clear()
            self._purpose.clear()
            self._file_bytes = 0
        for name in names:
            with contextlib.suppress(OSError):
                (self._where() / name).unlink()
        self.clear_memory()

    def flush(self) -> None:
        """Wait until what is to lie on disk does."""
        self._writes.join()

    def shutdown(self) -> None:
        """Finish writing. Safe to call twice."""
        if self._writer is not None:
            self._writes.put(None)
            self._writer.join()
            self._writer = None

    # -- memory --------------------------------------------------------------------------------------------------------

    def _keep(self, key: RenderKey, frame: Bgra) -> None:
        old = self._frames.pop(key, None)
        self._bytes += frame.nbytes - (old.nbytes if old is not None else 0)
        self._frames[key] = frame
        while self._bytes > self._memory and len(self._frames) > 1:
            self._bytes -= self._frames.popitem(last=False)[1].nbytes
        self.revision += 1

    # -- disk ----------------------------------------------------------------------------------------------------------

    def _where(self) -> Path:
        if self._folder is None:
            self._folder = paths.cache_dir("renders")
        return self._folder

    def _listed(self) -> OrderedDict[str, int]:
        """Names and sizes, longest unused first."""
        if self._files is None:
            found: list[tuple[float, str, int]] = []
            with contextlib.suppress(OSError):
                for entry in self._where().iterdir():
                    with contextlib.suppress(OSError):
                        stat = entry.stat()
                        if entry.name.startswith("."):
                            # What a killed process left half-written.
                            if time.time() - stat.st_mtime > 600:
                                entry.unlink()
                        else:
                            found.append((stat.st_mtime, entry.name, stat.st_size))
            self._files = OrderedDict((name, size) for _, name, size in sorted(found))
            self._file_bytes = sum(self._files.values())
        return self._files

    def _forget_file(self, name: str) -> None:
        with self._lock:
            self._file_bytes -= self._listed().pop(name, 0)
            self.revision += 1
        with contextlib.suppress(OSError):
            (self._where() / name).unlink()

    def _start_writer(self) -> None:
        if self._writer is None:
            self._writer = threading.Thread(target=self._write, name="render-cache", daemon=True)
            self._writer.start()

    def _write(self) -> None:
        import cv2

        while True:
            wanted = self._writes.get()
            try:
                if wanted is None:
                    return
                key, frame = wanted
                done, data = cv2.imencode(
                    ".png", np.ascontiguousarray(frame[..., :3]), [cv2.IMWRITE_PNG_COMPRESSION, 1]
                )
                if done:
                    self._save(key.name, data.tobytes())
            except OSError as error:
                # A full disk costs another rendering, nothing else.
                _log.warning("a rendered frame was not kept: %s", error)
            finally:
                self._writes.task_done()

    def _save(self, name: str, data: bytes) -> None:
        paths.write_atomic(self._where() / name, data)
        surplus: list[str] = []
        with self._lock:
            files = self._listed()
            self._file_bytes += len(data) - files.pop(name, 0)
            files[name] = len(data)
            while self._file_bytes > self._disk and len(files) > 1:
                old, size = files.popitem(last=False)
                self._file_bytes -= size
                surplus.append(old)
            self.revision += 1
        for old in surplus:
            with contextlib.suppress(OSError):
                (self._where() / old).unlink()
