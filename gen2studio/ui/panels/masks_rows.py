"""How one row of the object list is laid out and painted."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QRect, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPainter, QPen
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.core.mask_confidence import SUSPECT
from gen2studio.core.mask_shape import MaskShape
from gen2studio.document.model import MaskBlend, MaskObject
from gen2studio.ui import theme

ROLE = int(Qt.ItemDataRole.UserRole)
ROW = 38
SHAPE_ROW = 25
NAME_LEFT = 42
_SYMBOLS = {"add": "+", "subtract": "−", "intersect": "∩"}


def right_room(shape: bool) -> int:
    """Pixels at the right of a row that its name leaves to the switches."""
    return 56 if shape else 106


def fold_rect(row: QRect) -> QRect:
    return QRect(row.left() + 1, row.top(), 18, row.height())


def chip_rect(row: QRect) -> QRect:
    return QRect(row.left() + 20, row.center().y() - 7, 15, 15)


def blend_rect(row: QRect) -> QRect:
    return QRect(row.right() - (52 if row.height() == SHAPE_ROW else 102), row.top(), 24, row.height())


def solo_rect(row: QRect) -> QRect:
    return QRect(row.right() - 77, row.top(), 24, row.height())


def eye_rect(row: QRect) -> QRect:
    return QRect(row.right() - (27 if row.height() == SHAPE_ROW else 52), row.top(), 25, row.height())


def lock_rect(row: QRect) -> QRect:
    return QRect(row.right() - 27, row.top(), 25, row.height())


class RowPainter(QStyledItemDelegate):
    def __init__(self, masks: MaskEditing, parent: QObject) -> None:
        super().__init__(parent)
        self._masks = masks

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        held = index.data(ROLE)
        row: QRect = option.rect  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(row.adjusted(2, 1, -2, -1), 4, 4)
        if isinstance(held, MaskShape):
            self._shape(painter, row, held)
        elif held is not None:
            self._object(painter, row, held, bool(state & QStyle.StateFlag.State_Open))
        painter.restore()

    def _object(self, painter: QPainter, row: QRect, owner: MaskObject, opened: bool) -> None:
        solo = self._masks.session.mask_solo
        seen = owner.id in solo if solo else owner.visible
        if owner.shapes:
            _icon(painter, fold_rect(row), "chevron-down" if opened else "chevron-right", "text_muted", 12)
        painter.setPen(theme.colour("background"))
        tint = QColor(*owner.colour)
        tint.setAlpha(255 if seen else 110)
        painter.setBrush(tint)
        painter.drawRoundedRect(chip_rect(row), 4, 4)
        name = row.adjusted(NAME_LEFT, 4, -right_room(False), 0)
        _words(painter, QRect(name.left(), row.top() + 4, name.width(), 16), owner.name, seen)
        small = QFont(painter.font())
        small.setPointSizeF(small.pointSizeF() - 1.5)
        painter.setFont(small)
        self._summary(painter, QRect(name.left(), row.top() + 19, name.width(), 15), owner)
        small.setPointSizeF(small.pointSizeF() + 1.5)
        painter.setFont(small)
        _symbol(painter, blend_rect(row), owner.blend.value, owner.blend is not MaskBlend.ADD)
        _letter(painter, solo_rect(row), owner.id in solo)
        _icon(painter, eye_rect(row), "eye" if owner.visible else "eye-off", "text" if owner.visible else "text_faint")
        _icon(
            painter, lock_rect(row), "lock" if owner.locked else "lock-open", "text" if owner.locked else "text_faint"
        )

    def _summary(self, painter: QPainter, area: QRect, owner: MaskObject) -> None:
        """Frames, shapes, and how sure the carried ones are."""
        carried = [f.confidence for f in owner.frames.values() if not f.anchor]
        parts = [f"{len(owner.frames)} fr"] if owner.frames else []
        if owner.shapes:
            parts.append("1 shape" if len(owner.shapes) == 1 else f"{len(owner.shapes)} shapes")
        if carried:
            parts.append(f"{sum(carried) / len(carried):.0%} sure")
        if owner.refinement.changes_matte:
            parts.append("refined")
        doubtful = any(sure < SUSPECT for sure in carried)
        painter.setPen(theme.colour("warning" if doubtful else "text_muted"))
        metrics = QFontMetrics(painter.font())
        text = metrics.elidedText(" · ".join(parts) or "empty", Qt.TextElideMode.ElideRight, area.width())
        painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)

    def _shape(self, painter: QPainter, row: QRect, shape: MaskShape) -> None:
        mark = QRect(row.left() + 20, row.top(), 16, row.height())
        _icon(painter, mark, "spline" if shape.kind != "polygon" else "pentagon", "text_muted", 13)
        name = row.adjusted(NAME_LEFT, 0, -right_room(True), 0)
        _words(painter, name, shape.name or "Shape", shape.visible)
        _symbol(painter, blend_rect(row), shape.operation, shape.operation != "add")
        _switch(painter, eye_rect(row), "eye" if shape.visible else "eye-off", shape.visible)


def _words(painter: QPainter, area: QRect, text: str, strong: bool) -> None:
    painter.setPen(theme.colour("text" if strong else "text_faint"))
    shown = painter.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.drawText(area, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, shown)


def _icon(painter: QPainter, box: QRect, icon: str, ink: str, size: int = 16) -> None:
    spot = QRect(0, 0, size, size)
    spot.moveCenter(box.center())
    painter.drawPixmap(spot.topLeft(), theme.icon_pixmap(icon, size, ink, painter.device().devicePixelRatio()))


def _switch(painter: QPainter, box: QRect, icon: str, on: bool) -> None:
    _icon(painter, box, icon, "text" if on else "text_faint")


def _symbol(painter: QPainter, box: QRect, how: str, strong: bool) -> None:
    """The blend as its sign, in a frame where it is not simply added."""
    chip = QRect(0, 0, 18, 18)
    chip.moveCenter(box.center())
    if strong:
        painter.setPen(QPen(theme.colour("accent"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(chip, 4, 4)
    painter.setPen(theme.colour("text" if strong else "text_muted"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, _SYMBOLS[how])


def _letter(painter: QPainter, box: QRect, on: bool) -> None:
    """S for solo, filled while it is on."""
    chip = QRect(0, 0, 17, 17)
    chip.moveCenter(box.center())
    if on:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("warning"))
        painter.drawRoundedRect(chip, 4, 4)
    painter.setPen(theme.colour("background" if on else "text_faint"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, "S")
