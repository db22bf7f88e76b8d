"""The list of mask objects: colour, name, eye, lock. Everything can be clicked in place or reached by keys."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QColor, QHelpEvent, QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QListWidget,
    QListWidgetItem,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolTip,
    QWidget,
)

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.document.model import MaskObject
from gen2studio.ui import theme

_ROLE = int(Qt.ItemDataRole.UserRole)
ROW = 32
Index = QModelIndex | QPersistentModelIndex


def chip_rect(row: QRect) -> QRect:
    return QRect(row.left() + 8, row.center().y() - 7, 15, 15)


def eye_rect(row: QRect) -> QRect:
    return QRect(row.right() - 54, row.top(), 26, row.height())


def lock_rect(row: QRect) -> QRect:
    return QRect(row.right() - 28, row.top(), 26, row.height())


class _Delegate(QStyledItemDelegate):
    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        owner: MaskObject = index.data(_ROLE)
        row: QRect = option.rect  # type: ignore[attr-defined]
        state = option.state  # type: ignore[attr-defined]
        chosen = bool(state & QStyle.StateFlag.State_Selected)
        hovered = bool(state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if chosen or hovered:
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(theme.colour("accent_soft" if chosen else "hover"))
            painter.drawRoundedRect(row.adjusted(2, 1, -2, -1), 4, 4)
        painter.setPen(theme.colour("background"))
        tint = QColor(*owner.colour)
        tint.setAlpha(255 if owner.visible else 110)
        painter.setBrush(tint)
        painter.drawRoundedRect(chip_rect(row), 4, 4)
        painter.setPen(theme.colour("text" if owner.visible else "text_faint"))
        name = row.adjusted(32, 0, -60, 0)
        flags = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        count = str(len(owner.frames)) if owner.frames else "empty"
        metrics = painter.fontMetrics()
        room = name.width() - (metrics.horizontalAdvance(count) + 10)
        text = metrics.elidedText(owner.name, Qt.TextElideMode.ElideRight, max(40, room))
        painter.drawText(name, flags, text)
        painter.setPen(theme.colour("text_muted"))
        if room > 40:
            painter.drawText(name, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight, count)
        ratio = painter.device().devicePixelRatio()
        for box, icon, on in (
            (eye_rect(row), "eye" if owner.visible else "eye-off", owner.visible),
            (lock_rect(row), "lock" if owner.locked else "lock-open", owner.locked),
        ):
            ink = "text" if on else "text_faint"
            spot = QRect(0, 0, 16, 16)
            spot.moveCenter(box.center())
            painter.drawPixmap(spot.topLeft(), theme.icon_pixmap(icon, 16, ink, ratio))
        painter.restore()

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:
        return QSize(180, ROW)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, _index: Index) -> None:
        row: QRect = option.rect  # type: ignore[attr-defined]
        editor.setGeometry(row.adjusted(28, 2, -58, -2))


def _count(owner: MaskObject) -> str:
    drawn, total = len(owner.anchors), len(owner.frames)
    if not total:
        return "empty"
    return f"{drawn} drawn" if drawn == total else f"{drawn} drawn, {total - drawn} propagated"


class ObjectList(QListWidget):
    """Objects of the media in the viewer. The selected row is ``session.mask_object``."""

    def __init__(self, masks: MaskEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("masks.objects")
        self.setAccessibleName("Mask objects")
        self.setItemDelegate(_Delegate(self))
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self._masks = masks
        self._filling = False
        self.currentItemChanged.connect(self._on_current_changed)
        self.itemChanged.connect(self._on_item_changed)
        masks.objects_changed.connect(self.fill)
        masks.lane_changed.connect(lambda _media: self.fill())
        self.fill()

    def fill(self) -> None:
        """Show the objects as they are now; rows are kept so that an open name editor survives."""
        self._filling = True
        owners = self._masks.objects()
        while self.count() > len(owners):
            self.takeItem(self.count() - 1)
        while self.count() < len(owners):
            item = QListWidgetItem()
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            self.addItem(item)
        current = self._masks.current()
        for index, owner in enumerate(owners):
            item = self.item(index)
            if item.data(_ROLE) is not owner:
                item.setData(_ROLE, owner)
                item.setText(owner.name)
                item.setData(int(Qt.ItemDataRole.AccessibleTextRole), f"{owner.name}, {_count(owner)}")
            if current is not None and owner.id == current.id and self.currentRow() != index:
                self.setCurrentRow(index)
        if current is None:
            self.setCurrentRow(-1)
        self._filling = False

    def owner_at(self, row: int) -> MaskObject:
        return self.item(row).data(_ROLE)

    def _on_current_changed(self, current: QListWidgetItem | None, _previous: QListWidgetItem | None) -> None:
        if not self._filling and current is not None:
            self._masks.session.set_mask_object(current.data(_ROLE).id)

    def _on_item_changed(self, item: QListWidgetItem) -> None:
        if self._filling:
            return
        owner: MaskObject = item.data(_ROLE)
        if item.text() != owner.name and not self._masks.attempt(
            lambda: self._masks.rename_object(owner.id, item.text())
        ):
            self._filling = True
            item.setText(owner.name)
            self._filling = False

    def mousePressEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        if item is not None and event.button() == Qt.MouseButton.LeftButton:
            row, point = self.visualItemRect(item), event.position().toPoint()
            owner: MaskObject = item.data(_ROLE)
            masks = self._masks
            if eye_rect(row).contains(point):
                masks.attempt(lambda: masks.set_visible(owner.id, not owner.visible))
                return
            if lock_rect(row).contains(point):
                masks.attempt(lambda: masks.set_locked(owner.id, not owner.locked))
                return
            if chip_rect(row).adjusted(-5, -5, 5, 5).contains(point):
                self.choose_colour(owner)
                return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        item = self.itemAt(event.position().toPoint())
        if item is not None:
            row, point = self.visualItemRect(item), event.position().toPoint()
            if eye_rect(row).united(lock_rect(row)).contains(point) or chip_rect(row).contains(point):
                self.mousePressEvent(event)
                return
        super().mouseDoubleClickEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        masks, owner = self._masks, self._masks.current()
        if owner is not None and event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            masks.attempt(lambda: masks.remove_object(owner.id))
        else:
            super().keyPressEvent(event)

    def choose_colour(self, owner: MaskObject) -> None:
        """Ask for another tint, without blocking the window."""
        dialog = QColorDialog(QColor(*owner.colour), self)
        dialog.setObjectName("masks.colour_dialog")
        dialog.setWindowTitle(f"Colour of {owner.name}")
        dialog.colorSelected.connect(
            lambda c: self._masks.attempt(lambda: self._masks.recolour_object(owner.id, (c.red(), c.green(), c.blue())))
        )
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def viewportEvent(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            item = self.itemAt(event.pos())
            if item is None:
                QToolTip.hideText()
                return True
            row, owner = self.visualItemRect(item), item.data(_ROLE)
            if eye_rect(row).contains(event.pos()):
                text = "Hide in the viewer" if owner.visible else "Show in the viewer"
            elif lock_rect(row).contains(event.pos()):
                text = "Unlock" if owner.locked else "Lock against changes"
            elif chip_rect(row).contains(event.pos()):
                text = "Change the colour"
            else:
                text = f"{owner.name}: {_count(owner)}\nDouble-click or F2 to rename"
            QToolTip.showText(event.globalPos(), text, self)
            return True
        return super().viewportEvent(event)
