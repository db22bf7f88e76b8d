"""How a row of the list of models is painted."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from gen2studio.app.model_rows import ModelRow
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_words import LIGHT_INKS, badge, kind_and_size

ROW = Qt.ItemDataRole.UserRole
"""Role of the :class:`ModelRow`."""
WORKS = Qt.ItemDataRole.UserRole + 1
"""Role of what verifies, moves or deletes now."""
Index = QModelIndex | QPersistentModelIndex
_HEIGHT = 46


class ModelDelegate(QStyledItemDelegate):
    """Two lines: the light and the title, what it is; at the right what state it is in."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(200, _HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = index.data(ROW)
        assert isinstance(row, ModelRow)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box: QRect = option.rect.adjusted(2, 1, -2, -1)  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        if chosen or state & QStyle.StateFlag.State_MouseOver:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent_soft" if chosen else "raised"))
            painter.drawRoundedRect(QRectF(box), 5, 5)
        ink = LIGHT_INKS[row.fit.light] if row.fit is not None else "success"
        if row.problem:
            ink = "danger"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour(ink))
        if row.offer is not None:
            # Nobody has looked yet whether it runs here.
            painter.setPen(theme.colour("text_faint"))
            painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawEllipse(QRectF(box.left() + 9, box.top() + 11, 8, 8))
        words, said_ink = badge(row, index.data(WORKS) or ())
        font = QFont(option.font)  # type: ignore[attr-defined]
        painter.setFont(font)
        metrics = painter.fontMetrics()
        room = metrics.horizontalAdvance(words) + 14 if words else 8
        left = box.left() + 26
        upper = QRect(left, box.top() + 5, box.right() - left - room, 18)
        light = row.fit.words if row.fit is not None else ""
        lower = QRect(left, box.top() + 23, box.right() - left - metrics.horizontalAdvance(light) - 16, 17)
        painter.setPen(theme.colour("text"))
        title = metrics.elidedText(row.title, Qt.TextElideMode.ElideRight, upper.width())
        painter.drawText(upper, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, title)
        if words:
            painter.setPen(theme.colour(said_ink))
            at = QRect(box.left(), upper.top(), box.width() - 8, upper.height())
            painter.drawText(at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, words)
        painter.setPen(theme.colour("text_muted"))
        line = metrics.elidedText(kind_and_size(row), Qt.TextElideMode.ElideRight, lower.width())
        painter.drawText(lower, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, line)
        # The light in words as well: colours alone don't reach everybody.
        painter.setPen(theme.colour("text_muted"))
        at = QRect(box.left(), lower.top(), box.width() - 8, lower.height())
        painter.drawText(at, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, light)
        painter.restore()
