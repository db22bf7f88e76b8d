"""Two pictures in one view: wipe, side by side, difference, toggle, and labels that say which is which."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QImage, QPainter, QPen

from gen2studio.app.session import Compare
from gen2studio.core.records import dataclass
from gen2studio.ui import theme
from gen2studio.ui.canvas.overlay import image_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

GRIP = 7.0
"""Widget pixels to either side of the wipe line that catch the pointer."""
_GAIN = 4.0
"""Differences are shown this many times brighter: a change of 16 levels is plain to see."""


_MOST = 4_000_000
"""Screen pixels up to which a resampled picture is kept."""


@dataclass(slots=True)
class Pair:
    """The two pictures as QImages, and their difference once somebody asks for it."""

    result: QImage
    reference: QImage | None
    arrays: tuple[NDArray[np.uint8], NDArray[np.uint8] | None]
    opaque: bool = True
    _difference: QImage | None = None
    _scaled: dict[tuple[str, int, int], QImage] = field(default_factory=dict)

    def scaled(self, which: str, width: int, height: int) -> QImage | None:
        """``result`` or ``reference`` resampled to screen pixels, kept until the next size: half the work of scaling
        while painting, and what lies under a brush dab is copied. None when that would not pay."""
        source = self.arrays[0] if which == "result" else self.arrays[1]
        if source is None or width * height > _MOST or width >= 4 * source.shape[1]:
            return None
        key = (which, width, height)
        if key not in self._scaled:
            import cv2

            for old in [k for k in self._scaled if k[0] == which]:
                del self._scaled[old]
            pixels = np.asarray(cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
            self._scaled[key] = image_of(pixels, self.opaque)
        return self._scaled[key]

    def difference(self) -> QImage:
        if self._difference is None:
            from gen2studio.raster import compositing

            image, reference = self.arrays
            assert reference is not None
            self._difference = image_of(compositing.difference(image, reference, _GAIN), opaque=True)
        return self._difference


def pair_of(image: NDArray[np.uint8], reference: NDArray[np.uint8] | None, opaque: bool) -> Pair:
    image = np.ascontiguousarray(image)
    other = np.ascontiguousarray(reference) if reference is not None else None
    return Pair(image_of(image, opaque), image_of(other, opaque) if other is not None else None, (image, other), opaque)


def paint_pair(
    painter: QPainter, frame: QRectF, pair: Pair, mode: Compare, split: float, left_pane: bool, quick: bool = False
) -> None:
    """Paint the pair into ``frame`` (widget pixels). ``left_pane`` tells the two halves of side by side apart;
    ``quick`` takes the nearest pixels, for pictures that are gone in a moment."""
    if pair.reference is None or mode is Compare.OFF:
        _draw(painter, frame, pair, "result", quick)
    elif mode is Compare.TOGGLE or (mode is Compare.SIDE_BY_SIDE and left_pane):
        _draw(painter, frame, pair, "reference", quick)
    elif mode is Compare.SIDE_BY_SIDE:
        _draw(painter, frame, pair, "result", quick)
    elif mode is Compare.DIFFERENCE:
        _draw_image(painter, frame, pair.difference(), quick)
    else:
        line = wipe_line(frame, split)
        left, right = QRectF(frame), QRectF(frame)
        left.setRight(line)
        right.setLeft(line)
        for part, which in ((left, "reference"), (right, "result")):
            painter.save()
            painter.setClipRect(part, Qt.ClipOperation.IntersectClip)
            _draw(painter, frame, pair, which, quick)
            painter.restore()


def _draw(painter: QPainter, frame: QRectF, pair: Pair, which: str, quick: bool) -> None:
    image = pair.reference if which == "reference" and pair.reference is not None else pair.result
    ratio = painter.device().devicePixelRatio()
    width, height = round(frame.width() * ratio), round(frame.height() * ratio)
    whole = abs(frame.x() - round(frame.x())) + abs(frame.y() - round(frame.y())) < 1e-6
    scaled = None
    if whole and not quick and (width, height) != (image.width(), image.height()):
        scaled = pair.scaled(which, width, height)
    if scaled is None:
        _draw_image(painter, frame, image, quick)
    else:
        scaled.setDevicePixelRatio(ratio)
        painter.drawImage(frame.topLeft(), scaled)


def _draw_image(painter: QPainter, frame: QRectF, image: QImage, quick: bool) -> None:
    scale = frame.width() / max(1, image.width()) * painter.device().devicePixelRatio()
    smooth = not quick and scale < 4.0 and abs(scale - 1.0) > 1e-9
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
    painter.drawImage(frame, image)


def wipe_line(frame: QRectF, split: float) -> float:
    """Widget x of the wipe line, on a whole pixel."""
    return float(round(frame.left() + frame.width() * split))


def paint_wipe_handle(painter: QPainter, frame: QRectF, view: QRectF, split: float, hot: bool) -> None:
    """The line over the picture and the grip in the middle of what is visible of it."""
    x = wipe_line(frame, split)
    seen = frame.intersected(view)
    if seen.isEmpty():
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.colour("background", 150), 3))
    painter.drawLine(QPointF(x, seen.top()), QPointF(x, seen.bottom()))
    ink = theme.colour("accent" if hot else "text")
    painter.setPen(QPen(ink, 1.25))
    painter.drawLine(QPointF(x, seen.top()), QPointF(x, seen.bottom()))
    middle = QPointF(x, seen.center().y())
    painter.setPen(QPen(ink, 1.5))
    painter.setBrush(theme.colour("panel", 235))
    painter.drawEllipse(middle, 13, 13)
    for side in (-1, 1):
        tip = QPointF(x + side * 7.5, middle.y())
        painter.drawLine(tip, tip + QPointF(-side * 3.5, -3.5))
        painter.drawLine(tip, tip + QPointF(-side * 3.5, 3.5))
    painter.restore()


def paint_labels(
    painter: QPainter, mode: Compare, names: tuple[str, str], whole: QRectF, left: QRectF, right: QRectF
) -> None:
    """Name both sides of a comparison; ``left`` and ``right`` are the panes of side by side."""
    if mode is Compare.WIPE:
        paint_label(painter, whole, names[0])
        paint_label(painter, whole, names[1], right=True)
    elif mode is Compare.SIDE_BY_SIDE:
        paint_label(painter, left, names[0])
        paint_label(painter, right, names[1], right=True)
    elif mode is Compare.DIFFERENCE:
        paint_label(painter, whole, f"Difference ×4: {names[0]} and {names[1]}")
    elif mode is Compare.TOGGLE:
        paint_label(painter, whole, names[0])


def paint_label(painter: QPainter, area: QRectF, text: str, right: bool = False) -> None:
    """A chip in an upper corner of ``area`` that names what is shown there."""
    if not text or area.width() < 60:
        return
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    metrics = QFontMetricsF(painter.font())
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, area.width() - 40)
    width, height = metrics.horizontalAdvance(shown) + 16, metrics.height() + 6
    left = area.right() - width - 10 if right else area.left() + 10
    chip = QRectF(left, area.top() + 10, width, height)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("background", 205))
    painter.drawRoundedRect(chip, 5, 5)
    painter.setPen(theme.colour("text"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, shown)
    painter.restore()
