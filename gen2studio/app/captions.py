"""Text laid over pictures: captions in the sequence's style, and burnt-in timecode and names.

Drawn by Qt on any thread. Fonts need a GUI application; the command line gets one without a screen.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PySide6.QtCore import QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QFontMetricsF,
    QGuiApplication,
    QImage,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextLayout,
    QTextOption,
)

from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass
from gen2studio.document.composition import Subtitle, SubtitleStyle

if TYPE_CHECKING:
    from numpy.typing import NDArray

Pixels: TypeAlias = "NDArray[np.uint8]"
_TAG = re.compile(r"<(/?)([ibu])>", re.IGNORECASE)
_LONGEST = 2000
"""Characters of a caption that are drawn; nobody reads more."""
_WIDTH = 0.9
"""Of the frame's width that lines may fill."""
_application: list[QGuiApplication] = []


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


def caption_at(subtitles: tuple[Subtitle, ...], frame: int) -> Subtitle | None:
    """The caption on screen at a sequence frame. They are sorted and never overlap."""
    low, high = 0, len(subtitles)
    while low < high:
        middle = (low + high) // 2
        if subtitles[middle].end <= frame:
            low = middle + 1
        else:
            high = middle
    return subtitles[low] if low < len(subtitles) and subtitles[low].start <= frame else None


@lru_cache(maxsize=16)
def caption(text: str, style: SubtitleStyle, extent: Extent) -> Overlay | None:
    """A caption as it lies in a frame of ``extent``; None when there is nothing to draw."""
    plain, formats = _parsed(text[:_LONGEST])
    if not plain.strip():
        return None
    size = max(4.0, style.size * extent.height)
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPixelSize(round(size))
    font.setWeight(QFont.Weight.DemiBold)
    layout = QTextLayout(plain.replace("\n", "\u2028"), font)
    layout.setTextOption(QTextOption(Qt.AlignmentFlag.AlignHCenter))
    layout.setFormats(formats)
    width, margin = extent.width * _WIDTH, size * (0.35 + style.outline)
    layout.beginLayout()
    height = 0.0
    while (line := layout.createLine()).isValid():
        line.setLineWidth(width)
        line.setPosition(QPointF(0, height))
        height += line.height()
    layout.endLayout()
    used = max((layout.lineAt(i).naturalTextWidth() for i in range(layout.lineCount())), default=0.0)
    box_width, box_height = round(used + 2 * margin), round(height + 2 * margin)
    image = QImage(max(1, box_width), max(1, box_height), QImage.Format.Format_RGBA8888_Premultiplied)
    image.fill(0)
    at = QPointF(margin - (width - used) / 2, margin)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    if style.box > 0:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, round(255 * min(1.0, style.box))))
        radius = size * 0.12
        painter.drawRoundedRect(QRectF(0, 0, box_width, box_height).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)
    if style.outline > 0:
        rim = QTextCharFormat()
        rim.setTextOutline(
            QPen(
                QColor(0, 0, 0, 230), 2 * style.outline * size, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap,
                Qt.PenJoinStyle.RoundJoin,
            )
        )  # fmt: skip
        layout.draw(painter, at, [_over_all(rim, len(plain))])
    ink = QTextCharFormat()
    ink.setForeground(QColor(*style.colour))
    layout.draw(painter, at, [_over_all(ink, len(plain))])
    painter.end()
    foot = style.place * extent.height
    return Overlay(round((extent.width - box_width) / 2), round(foot - box_height + margin), _pixels(image))


@lru_cache(maxsize=64)
def burn_in(text: str, extent: Extent, *, right: bool) -> Overlay:
    """A small line of text on a dark box in an upper corner of the frame: a timecode or a name."""
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


def _over_all(style: QTextCharFormat, length: int) -> QTextLayout.FormatRange:
    found = QTextLayout.FormatRange()
    found.start, found.length, found.format = 0, length, style  # pyright: ignore[reportAttributeAccessIssue]
    return found


def _parsed(text: str) -> tuple[str, list[QTextLayout.FormatRange]]:
    """Text without its SRT tags, and the ranges that they style."""
    plain: list[str] = []
    formats: list[QTextLayout.FormatRange] = []
    on = {"i": 0, "b": 0, "u": 0}
    at = begun = 0

    def close(until: int) -> None:
        if until > begun and any(on.values()):
            style = QTextCharFormat()
            style.setFontItalic(bool(on["i"]))
            if on["b"]:
                style.setFontWeight(QFont.Weight.Black)
            style.setFontUnderline(bool(on["u"]))
            found = _over_all(style, until - begun)
            found.start = begun  # pyright: ignore[reportAttributeAccessIssue]
            formats.append(found)

    cursor = 0
    for tag in _TAG.finditer(text):
        piece = text[cursor : tag.start()]
        plain.append(piece)
        at += len(piece)
        cursor = tag.end()
        close(at)
        begun = at
        name = tag[2].lower()
        on[name] = max(0, on[name] + (-1 if tag[1] else 1))
    plain.append(text[cursor:])
    close(at + len(text) - cursor)
    return "".join(plain), formats
