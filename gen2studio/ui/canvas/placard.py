"""What the viewer says when there is no picture: what to do next, or what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QFont, QPainter

from gen2studio.ui import theme

if TYPE_CHECKING:
    from gen2studio.app.viewer_feed import ViewerPicture

_CELL = 10


def words(*, offline: bool, sentence: str, empty_project: bool) -> tuple[str, str, str]:
    """(icon, headline, what to do)."""
    if offline:
        return "unlink", "This clip is offline", sentence or "Relink it with File ▸ Relink missing media."
    if empty_project:
        return "clapperboard", "Drop a clip here", "or press Ctrl+I to import video, images or sound"
    return (
        "film",
        "Nothing at the playhead",
        "Move the playhead onto a clip, or drag one from the media pool to the timeline",
    )


def paint_instead(
    painter: QPainter,
    area: QRectF,
    picture: ViewerPicture | None,
    shot: tuple[str, str, str] | None,
    *,
    empty_project: bool,
) -> None:
    """What is shown where there is no picture: ``shot`` are the words of an empty shot, when it is one."""
    if shot is not None:
        paint_words(painter, area, *shot)
        return
    offline = picture is not None and picture.shows == "offline"
    sentence = picture.sentence if picture is not None else ""
    paint(painter, area, offline=offline, sentence=sentence, empty_project=empty_project)


def paint(painter: QPainter, area: QRectF, *, offline: bool, sentence: str, empty_project: bool) -> None:
    """Icon, headline and one line of advice in the middle of ``area``."""
    name, headline, advice = words(offline=offline, sentence=sentence, empty_project=empty_project)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    centre = area.center()
    if empty_project and not offline:
        box = QRectF(0, 0, min(460.0, area.width() - 40), min(220.0, area.height() - 40))
        box.moveCenter(centre)
        pen = painter.pen()
        pen.setColor(theme.colour("line_strong"))
        pen.setStyle(Qt.PenStyle.DashLine)
        pen.setWidthF(1.5)
        painter.setPen(pen)
        painter.drawRoundedRect(box, 12, 12)
    paint_words(painter, area, name, headline, advice, "danger" if offline else "text_faint")
    painter.restore()


def paint_words(
    painter: QPainter, area: QRectF, name: str, headline: str, advice: str, ink: str = "text_faint"
) -> None:
    """Icon, headline and one line of advice in the middle of ``area``."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    centre = area.center()
    ratio = painter.device().devicePixelRatio()
    painter.drawPixmap(QPointF(centre.x() - 20, centre.y() - 66), theme.icon_pixmap(name, 40, ink, ratio))
    font = QFont(painter.font())
    font.setPointSizeF(font.pointSizeF() * 1.35)
    font.setWeight(QFont.Weight.DemiBold)
    painter.setFont(font)
    painter.setPen(theme.colour("text"))
    flags = Qt.AlignmentFlag.AlignHCenter | Qt.TextFlag.TextWordWrap
    width = max(120.0, min(420.0, area.width() - 60))
    painter.drawText(QRectF(centre.x() - width / 2, centre.y() - 14, width, 28), flags, headline)
    font.setPointSizeF(font.pointSizeF() / 1.35)
    font.setWeight(QFont.Weight.Normal)
    painter.setFont(font)
    painter.setPen(theme.colour("text_muted"))
    painter.drawText(QRectF(centre.x() - width / 2, centre.y() + 18, width, 70), flags, advice)
    painter.restore()


def paint_checks(painter: QPainter, frame: QRectF, dirty: QRect) -> None:
    """Checks under a picture with transparency, fixed to the screen."""
    seen = frame.toAlignedRect().intersected(dirty)
    if seen.isEmpty():
        return
    painter.fillRect(seen, theme.colour("checker_dark"))
    light = theme.colour("checker_light")
    for row in range(seen.top() // _CELL, seen.bottom() // _CELL + 1):
        for column in range(seen.left() // _CELL, seen.right() // _CELL + 1):
            if (row + column) & 1:
                cell = QRect(column * _CELL, row * _CELL, _CELL, _CELL)
                painter.fillRect(cell.intersected(seen), light)
