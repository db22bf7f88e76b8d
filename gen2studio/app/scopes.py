"""Scopes of the picture that the viewer shows: counted on a thread of their own, the newest picture wins."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PySide6.QtCore import QObject, Signal

from gen2studio.core.log import topic
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

_log = topic("scopes")
Bgra: TypeAlias = "NDArray[np.uint8]"
WAVEFORM, PARADE, VECTORSCOPE, HISTOGRAM = "waveform", "parade", "vectorscope", "histogram"
KINDS = (WAVEFORM, PARADE, VECTORSCOPE, HISTOGRAM)


@dataclass(frozen=True, slots=True, eq=False)
class ScopePictures:
    """What was counted of one picture. Pictures are premultiplied BGRA, (256, n, 4)."""

    pictures: dict[str, Bgra]
    """By kind; the histogram is none."""
    histogram: NDArray[np.int64] | None = None
    """(4, 256) counts of red, green, blue and luma."""


class Scopes(QObject):
    """Nothing is counted while nobody looks: :attr:`wanted` is empty then."""

    ready = Signal(object)
    """ScopePictures"""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        self._next: tuple[Bgra, frozenset[str]] | None = None
        self._working = False
        self.wanted: frozenset[str] = frozenset()

    def show(self, picture: Bgra | None) -> None:
        """Count ``picture`` ((H, W, 4) premultiplied BGRA, not changed by anybody); one that waits is forgotten."""
        if picture is None or not self.wanted:
            return
        with self._lock:
            self._next = (picture, self.wanted)
            if self._working:
                return
            self._working = True
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="scopes")
        self._pool.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                job, self._next = self._next, None
                if job is None:
                    self._working = False
                    return
            try:
                self.ready.emit(counted(*job))
            except Exception:  # one odd picture must not end the scopes
                _log.exception("a picture could not be counted")

    def shutdown(self) -> None:
        """End the thread. Safe to call twice."""
        self.wanted = frozenset()
        with self._lock:
            self._next = None
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None


def counted(picture: Bgra, kinds: frozenset[str]) -> ScopePictures:
    """The scopes ``kinds`` of a picture; blocks for a few milliseconds."""
    from gen2studio.raster import scopes

    bgr = scopes.sampled(picture)
    pictures: dict[str, Bgra] = {}
    if WAVEFORM in kinds:
        pictures[WAVEFORM] = scopes.waveform_picture(bgr)
    if PARADE in kinds:
        pictures[PARADE] = scopes.waveform_picture(bgr, parade=True)
    if VECTORSCOPE in kinds:
        pictures[VECTORSCOPE] = scopes.vectorscope_picture(bgr)
    return ScopePictures(pictures, scopes.histogram(bgr) if HISTOGRAM in kinds else None)
