"""Timecode and names burnt into pictures for review copies.

Drawn by Qt on any thread. Fonts need a GUI application; the command line gets one without a screen.
"""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PySide6.QtCore import QCoreApplication, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFontDatabase,
    QFontMetricsF,
    QGuiApplication,
    QImage,
    QPainter,
)

from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8]"
_application: list[QGuiApplication] = []
_drawing = threading.Lock()
"""Qt aborted once as two threads asked for their first font at one moment."""


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """Pixels to lay over a picture at (x, y): (H, W, 4) uint8 premultiplied RGBA."""

    x: int
    y: int
    pixels: Pixels


def ensure_fonts() -> None:
    """Make sure that text can be drawn: without a window there is no application yet. Main thread."""
    if QCoreApplication.instance() is None:
        _application.append(QGuiApplication(["gen2studio", "-platform", "offscreen"]))


def burn_in(text: str, extent: Extent, *, right: bool) -> Overlay:
    """A small line of text on a dark box in an upper corner of the frame: a timecode or a name."""
    with _drawing:
        return _drawn(text, extent, right)


@lru_cache(maxsize=64)
def _drawn(text: str, extent: Extent, right: bool) -> Overlay:
    size = max(9, round(extent.height * 0.036))
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(size)
    font.setBold(True)
    metrics = QFontMetricsF(font)
    text = metrics.elidedText(text, Qt.TextElideMode.ElideMiddle, extent.width * 0.45)
    width, height = round(metrics.horizontalAdvance(text) + size), round(size * 1.6)
    image = QImage(max(1, width), height, QImage.Format.Format_RGBA8888_Premultiplied)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(0, 0, 0, 165))
    painter.drawRoundedRect(QRectF(0, 0, width, height), size * 0.2, size * 0.2)
    painter.setPen(QColor(255, 255, 255))
    painter.setFont(font)
    painter.drawText(QRectF(0, 0, width, height), Qt.AlignmentFlag.AlignCenter, text)
    painter.end()
    inset = round(extent.height * 0.03)
    return Overlay(extent.width - inset - width if right else inset, inset, _pixels(image))


def lay_over(picture: Pixels, overlay: Overlay) -> None:
    """Lay an overlay over (H, W, 3) RGB or (H, W, 4) straight RGBA pixels, in place; what lies outside is cut off."""
    height, width = picture.shape[:2]
    top, left = max(0, overlay.y), max(0, overlay.x)
    bottom, right = min(height, overlay.y + overlay.pixels.shape[0]), min(width, overlay.x + overlay.pixels.shape[1])
    if top >= bottom or left >= right:
        return
    over = overlay.pixels[top - overlay.y : bottom - overlay.y, left - overlay.x : right - overlay.x].astype(np.float32)
    below = picture[top:bottom, left:right]
    keep = 1 - over[..., 3:] / 255
    if picture.shape[2] == 3:
        below[...] = np.rint(over[..., :3] + below * keep).astype(np.uint8)
        return
    under = below[..., 3:].astype(np.float32) * keep
    alpha = over[..., 3:] + under
    colour = (over[..., :3] * 255 + below[..., :3] * under) / np.maximum(alpha, 1e-3)
    below[..., :3] = np.clip(np.rint(colour), 0, 255).astype(np.uint8)
    below[..., 3:] = np.rint(alpha).astype(np.uint8)


def _pixels(image: QImage) -> Pixels:
    bits = np.frombuffer(image.constBits(), np.uint8)
    return bits.reshape(image.height(), image.bytesPerLine())[:, : image.width() * 4].reshape(
        image.height(), image.width(), 4
    ).copy()  # fmt: skip
