"""Subtitles as pictures: Qt lays out the letters, the compositor lays them over the frame. Any thread.

Only the SRT tags ``<i>``, ``<b>`` and ``<u>`` mean anything; everything else in a text is shown as it is written.
"""

from __future__ import annotations

import functools
import html
import re
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import (
    QColor,
    QFont,
    QGuiApplication,
    QImage,
    QPainter,
    QPen,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextOption,
)

from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.document.composition import SubtitleStyle

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAFE = 0.9
"""Part of the frame's width that lines are wrapped to: the title-safe area of EBU R 95."""
_TAG = re.compile(r"&lt;(/?)([ibu])&gt;", re.IGNORECASE)
_LONGEST = 2000
"""Letters of a caption that are drawn: a file may claim any length."""


def caption_html(text: str) -> str:
    """``text`` as rich text, with its SRT tags and line breaks and nothing else."""
    safe = html.escape(text[:_LONGEST].replace("\r\n", "\n").strip("\n"), quote=False)
    open_tags: list[str] = []

    def tag(found: re.Match[str]) -> str:
        closing, name = bool(found[1]), found[2].lower()
        if closing:
            if name not in open_tags:
                return ""
            open_tags.remove(name)
            return f"</{name}>"
        open_tags.append(name)
        return f"<{name}>"

    marked = _TAG.sub(tag, safe) + "".join(f"</{name}>" for name in reversed(open_tags))
    return marked.replace("\n", "<br>")


@functools.lru_cache(maxsize=32)
def caption_picture(text: str, style: SubtitleStyle, frame: Extent) -> tuple[NDArray[np.uint8], Rect]:
    """The caption as (H, W, 4) premultiplied BGRA, read-only, and where on a ``frame`` it lies.

    Raises ExportError where there is no Qt application to draw letters with.
    """
    if QGuiApplication.instance() is None:
        raise ExportError("Subtitles can't be drawn without fonts.", "Hide the subtitles, or export from the window.")
    height = max(4.0, style.size * frame.height)
    outline = max(0.0, style.outline) * height
    page = _page(text, height, frame)
    wide, high = page.idealWidth(), page.size().height()
    margin = outline + 0.35 * height + 2
    left = (frame.width - page.textWidth()) / 2
    top = style.place * frame.height - high
    # The text is narrower than its page and stands in its middle.
    spot = QRectF((frame.width - wide) / 2 - margin, top - margin, wide + 2 * margin, high + 2 * margin)
    area = spot.toAlignedRect()
    place = Rect(area.x(), area.y(), area.width(), area.height()).intersected(Rect.of(frame))
    if place.empty:
        return np.zeros((0, 0, 4), np.uint8), Rect(0, 0, 0, 0)
    image = QImage(place.width, place.height, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    painter.translate(-place.x, -place.y)
    if style.box > 0:
        pad = 0.25 * height
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, round(255 * min(1.0, style.box))))
        painter.drawRoundedRect(
            QRectF((frame.width - wide) / 2 - pad, top - pad / 2, wide + 2 * pad, high + pad), pad / 2, pad / 2
        )
    painter.translate(left, top)
    if outline > 0:
        # The pen lies half inside the letters, which are drawn over it.
        pen = QPen(QColor(0, 0, 0), 2 * outline)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        _draw(painter, page, QColor(0, 0, 0), pen)
    _draw(painter, page, QColor(*style.colour), None)
    painter.end()
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(place.height, image.bytesPerLine())
    pixels = rows[:, : place.width * 4].reshape(place.height, place.width, 4).copy()
    pixels.setflags(write=False)
    return pixels, place


def _page(text: str, height: float, frame: Extent) -> QTextDocument:
    page = QTextDocument()
    font = QFont(QGuiApplication.font().family())
    font.setPixelSize(max(1, round(height)))
    font.setWeight(QFont.Weight.Medium)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    page.setDefaultFont(font)
    page.setDocumentMargin(0)
    option = QTextOption(Qt.AlignmentFlag.AlignHCenter)
    option.setWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
    page.setDefaultTextOption(option)
    page.setHtml(caption_html(text))
    page.setTextWidth(SAFE * frame.width)
    return page


def _draw(painter: QPainter, page: QTextDocument, ink: QColor, outline: QPen | None) -> None:
    form = QTextCharFormat()
    form.setForeground(ink)
    form.setTextOutline(outline if outline is not None else QPen(Qt.PenStyle.NoPen))
    cursor = QTextCursor(page)
    cursor.select(QTextCursor.SelectionType.Document)
    cursor.mergeCharFormat(form)
    page.drawContents(painter)
