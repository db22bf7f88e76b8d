"""The whole sound of one file as a strip of minima and maxima, drawn once per width."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QLineF, QObject, QRect, Signal
from PySide6.QtGui import QPainter, QPixmap

from gen2studio.ui import theme
from gen2studio.ui.timeline.feeds import Feed
from gen2studio.ui.timeline.waveforms import LOUDNESS, read_pyramid

if TYPE_CHECKING:
    from gen2studio.ui.timeline.waveforms import WavePyramid


class WaveStrip(QObject):
    """Peaks of the file that is open; read on a thread of their own."""

    arrived = Signal()
    """The sound of the open file can be drawn now."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feed = Feed("source-waveform", read_pyramid, limit=2, parent=self)
        self._feed.made.connect(self._on_made)
        self._path = ""
        self._seconds = 0.0
        self._pyramids: dict[str, WavePyramid] = {}
        self._drawn: dict[tuple[str, int, int, float], QPixmap] = {}

    def open(self, path: str, seconds: float) -> None:
        """Show the sound of ``path`` over ``seconds``; an empty path shows nothing."""
        self._path, self._seconds = path, seconds
        self._drawn.clear()
        if path and path not in self._pyramids:
            self._feed.wish((path,))

    @property
    def ready(self) -> bool:
        return self._path in self._pyramids

    def stop(self) -> None:
        self._feed.stop()

    def _on_made(self, key: tuple[str], pyramid: WavePyramid | None) -> None:
        if pyramid is not None:
            self._pyramids = {key[0]: pyramid} if len(self._pyramids) > 16 else {**self._pyramids, key[0]: pyramid}
            self._drawn.clear()
            if key[0] == self._path:
                self.arrived.emit()

    def paint(self, painter: QPainter, area: QRect) -> None:
        """Draw the whole file into ``area``."""
        pyramid = self._pyramids.get(self._path)
        if pyramid is None or self._seconds <= 0 or area.width() < 2 or area.height() < 4:
            return
        ratio = painter.device().devicePixelRatioF()
        key = (self._path, area.width(), area.height(), ratio)
        if key not in self._drawn:
            self._drawn = {key: self._made(pyramid, area.width(), area.height(), ratio)}
        painter.drawPixmap(area.topLeft(), self._drawn[key])

    def _made(self, pyramid: WavePyramid, width: int, height: int, ratio: float) -> QPixmap:
        columns = round(width * ratio)
        step = self._seconds / columns
        seconds = np.linspace(0.5 * step, self._seconds - 0.5 * step, columns, dtype=np.float64)
        low, high = pyramid.columns(seconds, step)
        middle = (height * ratio - 1) / 2
        top = middle - np.abs(high / 128.0) ** LOUDNESS * middle
        bottom = middle + np.abs(low / 128.0) ** LOUDNESS * middle
        pixmap = QPixmap(columns, round(height * ratio))
        pixmap.fill(theme.colour("text", 0))
        painter = QPainter(pixmap)
        painter.setPen(theme.colour("waveform"))
        painter.drawLines([QLineF(x, float(top[x]), x, float(bottom[x]) + 0.5) for x in range(columns)])
        painter.end()
        pixmap.setDevicePixelRatio(ratio)
        return pixmap
