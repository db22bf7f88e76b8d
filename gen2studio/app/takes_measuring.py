"""Flicker and colour drift of finished takes, measured on a thread of their own at a small size."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

from PySide6.QtCore import QObject, Qt, Signal

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.geometry import Extent
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest
from gen2studio.engine.take_store import TakeStore

_log = topic("engine")

_BOX = Extent(384, 384)
"""Pictures are measured inside this box: flicker is seen there, and a long take stays a matter of seconds."""
_PAIRS = 24
"""Consecutive frame pairs looked at, spread evenly over the take."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """A take to measure: what it was asked for, where its frames are, and which ones exist (sorted)."""

    take_id: str
    request: GenerateRequest
    store: TakeStore
    frames: tuple[int, ...]


Measure = Callable[[list[tuple[Picture, Picture]], list[tuple[Picture, Picture]]], tuple[float | None, float | None]]
"""(source pairs, take pairs) of consecutive frames, (H, W, 3) uint8 → (flicker, drift)."""


class TakeMeasuring(QObject):
    """Measures one take after the other; the result arrives on the thread that made this object."""

    measured = Signal(str, object, object)
    """(take id, flicker | None, drift | None), see :class:`gen2studio.document.model.Take`."""
    _arrived = Signal(str, object, object)

    def __init__(self, measure: Measure | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._measure = measure or flicker_and_drift
        self._waiting: queue.Queue[Measurement | None] = queue.Queue()
        self._stop = CancelToken()
        self._thread: threading.Thread | None = None
        self._arrived.connect(self.measured, Qt.ConnectionType.QueuedConnection)

    def measure(self, wanted: Measurement) -> None:
        """Queue a take; returns at once."""
        if self._stop.cancelled:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="take-measures")
            self._thread.start()
        self._waiting.put(wanted)

    def shutdown(self) -> None:
        """Stop, dropping what was not measured yet."""
        self._stop.cancel()
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while (wanted := self._waiting.get()) is not None and not self._stop.cancelled:
            try:
                flicker, drift = self._measure(*read_pairs(wanted, self._stop))
            except Cancelled:
                return
            except Exception:
                # A missing figure is shown as such; the take itself is fine.
                _log.warning("take %s could not be measured", wanted.take_id, exc_info=True)
                continue
            self._arrived.emit(wanted.take_id, flicker, drift)


def read_pairs(
    wanted: Measurement, stop: CancelToken
) -> tuple[list[tuple[Picture, Picture]], list[tuple[Picture, Picture]]]:
    """Consecutive frames of the source and of the take, small, first to last. Raises Cancelled and MediaError."""
    from gen2studio.engine.frames import DecodingReader, fitted

    size = Extent(wanted.request.width, wanted.request.height)
    small = size.scaled_to_fit(_BOX) if size.width > _BOX.width or size.height > _BOX.height else size
    there = set(wanted.frames)
    starts = [frame for frame in wanted.frames if frame + 1 in there]
    if len(starts) > _PAIRS:
        starts = [starts[round(i * (len(starts) - 1) / (_PAIRS - 1))] for i in range(_PAIRS)]
    reader = DecodingReader(keep_open=1)
    sources: list[tuple[Picture, Picture]] = []
    pictures: list[tuple[Picture, Picture]] = []
    try:
        for frame in starts:
            stop.check()
            source = wanted.request.source
            sources.append((reader(source, frame, small), reader(source, frame + 1, small)))
            first, second = (wanted.store.read(wanted.take_id, f) for f in (frame, frame + 1))
            pictures.append((fitted(first, small), fitted(second, small)))
    finally:
        reader.close()
    return sources, pictures


def flicker_and_drift(
    sources: list[tuple[Picture, Picture]], pictures: list[tuple[Picture, Picture]]
) -> tuple[float | None, float | None]:
    """Warp error of the take relative to the source's own, and how far its mean colour wanders beyond the source's.

    Flicker: :func:`gen2studio.raster.measures.warp_error` over the pairs (motion held out from what generators use),
    divided by the same of the source; 1 = as steady as the footage. Drift: ΔE (CIE 1976) between the mean colours of
    the first and the last quarter of the take, minus that of the source, never below 0.
    """
    from gen2studio.raster.measures import held_out_motion, warp_error

    if not pictures:
        return None, None
    own = other = 0.0
    for source, picture in zip(sources, pictures, strict=True):
        motion = held_out_motion(source)
        own += warp_error(source, motion)
        other += warp_error(picture, motion)
    flicker = other / own if own > 1e-6 else None
    return flicker, max(0.0, _wander(pictures) - _wander(sources))


def _wander(pairs: list[tuple[Picture, Picture]]) -> float:
    import cv2
    import numpy as np

    means = [
        cv2.cvtColor((pair[0].reshape(1, -1, 3) / np.float32(255)), cv2.COLOR_RGB2LAB).reshape(-1, 3).mean(0)
        for pair in pairs
    ]
    part = max(1, len(means) // 4)
    return float(np.linalg.norm(np.mean(means[-part:], 0) - np.mean(means[:part], 0)))
