"""The list of mask objects and, under each, its drawn shapes: everything can be clicked in place or reached by keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from PySide6.QtCore import QEvent, QModelIndex, QPersistentModelIndex, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QColor, QContextMenuEvent, QDropEvent, QHelpEvent, QKeyEvent, QMouseEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QMenu,
    QStyleOptionViewItem,
    QToolTip,
    QTreeWidget,
    QTreeWidgetItem,
    QTreeWidgetItemIterator,
    QWidget,
)

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.mask_listing import BLEND_WORDS
from gen2studio.core.mask_confidence import SUSPECT
from gen2studio.core.mask_shape import OPERATIONS, MaskShape
from gen2studio.document import mask_shapes
from gen2studio.document.model import Document, MaskBlend, MaskObject
from gen2studio.ui.panels import masks_rows as rows
from gen2studio.ui.panels.masks_rows import ROW, SHAPE_ROW, RowPainter

Index = QModelIndex | QPersistentModelIndex
__all__ = ["ROW", "SHAPE_ROW", "ObjectList"]


def count_words(owner: MaskObject) -> str:
    """How much of an object there is: "12 frames, 3 suspect"."""
    total = len(owner.frames)
    suspects = sum(not f.anchor and f.confidence < SUSPECT for f in owner.frames.values())
    parts: list[str] = []
    if total:
        parts.append("1 frame" if total == 1 else f"{total} frames")
    if owner.shapes:
        parts.append("1 shape" if len(owner.shapes) == 1 else f"{len(owner.shapes)} shapes")
    if suspects:
        parts.append(f"{suspects} suspect")
    return ", ".join(parts) or "empty"


class _Delegate(RowPainter):
    def sizeHint(self, _option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(180, SHAPE_ROW if index.parent().isValid() else ROW)

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        row = option.rect  # type: ignore[attr-defined]
        editor.setGeometry(row.adjusted(rows.NAME_LEFT - 5, 2, -rows.right_room(index.parent().isValid()) + 4, -2))


class ObjectList(QTreeWidget):
    """Objects of the media in the viewer, in the order in which they are blended. The current row is
    ``session.mask_object``; several rows can be selected for what works on several."""

    def __init__(self, masks: MaskEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("masks.objects")
        self.setAccessibleName("Mask objects")
        self.setHeaderHidden(True)
        self.setColumnCount(1)
        self.setRootIsDecorated(False)
        self.setIndentation(0)
        self.setExpandsOnDoubleClick(False)
        self.setItemDelegate(_Delegate(masks, self))
        self.setMouseTracking(True)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setDragDropMode(QAbstractItemView.DragDropMode.InternalMove)
        self.setDropIndicatorShown(True)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self._masks = masks
        self._filling = False
        self._folded: set[str] = set()
        self.currentItemChanged.connect(self._on_current_changed)
        self.itemChanged.connect(self._on_item_changed)
        masks.objects_changed.connect(self.fill)
        masks.lane_changed.connect(lambda _media: self.fill())
        masks.shapes.changed.connect(self._show_chosen_shape)
        self.fill()

    # -- rows ------------------------------------------------------------------------------------------------------

    def fill(self) -> None:
        """Show the objects as they are now; rows are kept so that an open name editor survives."""
        self._filling = True
        owners = self._masks.objects()
        while self.topLevelItemCount() > len(owners):
            self.takeTopLevelItem(self.topLevelItemCount() - 1)
        while self.topLevelItemCount() < len(owners):
            self.addTopLevelItem(_editable())
        current = self._masks.current()
        for index, owner in enumerate(owners):
            item = self.topLevelItem(index)
            assert item is not None
            _hold(item, owner, owner.name, f"{owner.name}, {BLEND_WORDS[owner.blend]}, {count_words(owner)}")
            while item.childCount() > len(owner.shapes):
                item.takeChild(item.childCount() - 1)
            while item.childCount() < len(owner.shapes):
                child = _editable()
                child.setFlags(child.flags() & ~Qt.ItemFlag.ItemIsDragEnabled & ~Qt.ItemFlag.ItemIsDropEnabled)
                item.addChild(child)
            for line, shape in enumerate(owner.shapes):
                child = item.child(line)
                assert child is not None
                _hold(child, shape, shape.name, f"Shape {shape.name}, {shape.operation}")
            item.setExpanded(owner.id not in self._folded)
            if current is not None and owner.id == current.id:
                here = self.currentItem()
                if here is not item and (here is None or here.parent() is not item):
                    self.setCurrentItem(item)
        if current is None:
            self.setCurrentItem(None)  # type: ignore[arg-type]
            self.clearSelection()
        self._filling = False
        self.viewport().update()

    def owner_at(self, row: int) -> MaskObject:
        item = self.topLevelItem(row)
        assert item is not None
        return item.data(0, rows.ROLE)

    def chosen_ids(self) -> tuple[str, ...]:
        """Ids of the selected objects in list order; else that of the current one."""
        held = (item for item in self._items() if item.isSelected() and item.parent() is None)
        chosen = tuple(item.data(0, rows.ROLE).id for item in held)
        current = self._masks.current()
        return chosen or ((current.id,) if current is not None else ())

    def shown_rows(self) -> int:
        """Pixels that all rows take."""
        return sum(
            ROW + (item.childCount() * SHAPE_ROW if item.isExpanded() else 0)
            for index in range(self.topLevelItemCount())
            if (item := self.topLevelItem(index)) is not None
        )

    def _items(self) -> list[QTreeWidgetItem]:
        found: list[QTreeWidgetItem] = []
        walker = QTreeWidgetItemIterator(self)
        # At the end the iterator has no item, which its signature does not say.
        while (item := cast("QTreeWidgetItem | None", walker.value())) is not None:
            found.append(item)
            walker += 1
        return found

    def _show_chosen_shape(self) -> None:
        """The shape in the artist's hand is the current row."""
        shape = self._masks.shapes.current()
        item = next((i for i in self._items() if shape is not None and i.data(0, rows.ROLE).id == shape.id), None)
        if item is not None and item is not self.currentItem():
            self._filling = True
            self.setCurrentItem(item)
            self._filling = False
        self.viewport().update()

    # -- what is chosen and renamed --------------------------------------------------------------------------------

    def _on_current_changed(self, current: QTreeWidgetItem | None, _previous: QTreeWidgetItem | None) -> None:
        if self._filling or current is None:
            return
        held = current.data(0, rows.ROLE)
        if isinstance(held, MaskShape):
            owner = _owner(current)
            self._masks.session.set_mask_object(owner.id)
            self._masks.shapes.select(held.id)
        elif held is not None:
            self._masks.session.set_mask_object(held.id)

    def _on_item_changed(self, item: QTreeWidgetItem) -> None:
        if self._filling:
            return
        masks, held, name = self._masks, item.data(0, rows.ROLE), item.text(0)
        if name == held.name:
            return

        def rename() -> None:
            if isinstance(held, MaskShape):
                owner = _owner(item)
                renamed = mask_shapes.rename_shape(masks.document, owner.id, held.id, name)
                masks.session.store.apply(f"Rename {held.name} to {name.strip()}", renamed)
            else:
                masks.rename_object(held.id, name)

        if not masks.attempt(rename):
            self._filling = True
            item.setText(0, held.name)
            self._filling = False

    # -- pointer and keys ------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        point = event.position().toPoint()
        command = self._command_at(point) if event.button() == Qt.MouseButton.LeftButton else None
        if command is not None:
            self._masks.attempt(command)
            return
        super().mousePressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._command_at(event.position().toPoint()) is not None:
            self.mousePressEvent(event)
        else:
            super().mouseDoubleClickEvent(event)

    def _command_at(self, point: QPoint) -> Callable[[], object] | None:
        """What a click there does besides choosing the row."""
        item = self.itemAt(point)
        if item is None:
            return None
        row, masks, listing = self.visualItemRect(item), self._masks, self._masks.listing
        held = item.data(0, rows.ROLE)
        if isinstance(held, MaskShape):
            owner = _owner(item)
            if rows.eye_rect(row).contains(point):
                return lambda: self._change_shape(
                    f"{'Hide' if held.visible else 'Show'} {held.name}",
                    mask_shapes.set_visible(masks.document, owner.id, held.id, not held.visible),
                )
            if rows.blend_rect(row).contains(point):
                following = OPERATIONS[(OPERATIONS.index(held.operation) + 1) % len(OPERATIONS)]
                return lambda: self._change_shape(
                    f"{following.title()} {held.name}",
                    mask_shapes.set_operation(masks.document, owner.id, held.id, following),
                )
            return None
        several = self.chosen_ids() if item.isSelected() else (held.id,)
        if rows.fold_rect(row).contains(point) and held.shapes:
            return lambda: self._fold(held.id)
        if rows.eye_rect(row).contains(point):
            return lambda: listing.set_visible(several, not held.visible)
        if rows.lock_rect(row).contains(point):
            return lambda: listing.set_locked(several, not held.locked)
        if rows.solo_rect(row).contains(point):
            return lambda: listing.toggle_solo(several)
        if rows.blend_rect(row).contains(point):
            return lambda: listing.next_blend(held.id)
        if rows.chip_rect(row).adjusted(-3, -5, 4, 5).contains(point):
            return lambda: self.choose_colour(held)
        return None

    def _change_shape(self, label: str, document: Document) -> None:
        self._masks.session.store.apply(label, document)

    def _fold(self, object_id: str) -> None:
        self._folded ^= {object_id}
        self._masks.objects_changed.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        masks, chosen, key = self._masks, self.chosen_ids(), event.key()
        item = self.currentItem()
        held = item.data(0, rows.ROLE) if item is not None else None
        moving = event.modifiers() & Qt.KeyboardModifier.AltModifier
        if held is not None and key in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace):
            shape = isinstance(held, MaskShape)
            masks.attempt(masks.shapes.remove_shape if shape else lambda: masks.listing.remove(chosen))
        elif isinstance(held, MaskObject) and moving and key in (Qt.Key.Key_Up, Qt.Key.Key_Down):
            masks.attempt(lambda: masks.listing.shift(held.id, -1 if key == Qt.Key.Key_Up else 1))
        else:
            super().keyPressEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:
        """Rows are moved by what the document says afterwards, not by the widget."""
        point = event.position().toPoint()
        event.setDropAction(Qt.DropAction.IgnoreAction)
        event.accept()
        self.drop_at(point)

    def drop_at(self, point: QPoint) -> None:
        """Move the selected objects to where ``point`` lies between the rows."""
        item, place = self.itemAt(point), self.topLevelItemCount()
        if item is not None:
            top = item.parent() or item
            row = self.visualItemRect(item)
            below = item.parent() is not None or point.y() > row.center().y()
            place = self.indexOfTopLevelItem(top) + (1 if below else 0)
        chosen = self.chosen_ids()
        self._masks.attempt(lambda: self._masks.listing.move(chosen, place))

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        item = self.itemAt(event.pos())
        held = item.data(0, rows.ROLE) if item is not None else None
        if isinstance(held, MaskObject):
            menu = self.menu_of(held)
            menu.popup(event.globalPos())

    def _rename(self) -> None:
        item = self.currentItem()
        if item is not None:
            self.editItem(item)

    def menu_of(self, owner: MaskObject) -> QMenu:
        """What can be done with an object."""
        masks, chosen = self._masks, self.chosen_ids()
        menu = QMenu(self)
        menu.setObjectName("masks.object_menu")
        menu.aboutToHide.connect(menu.deleteLater)

        def add(text: str, command: Callable[[], object], into: QMenu = menu) -> QAction:
            action = into.addAction(text)
            action.triggered.connect(lambda: masks.attempt(command))
            return action

        add("Rename", self._rename)
        add("Colour…", lambda: self.choose_colour(owner))
        blends = menu.addMenu("Blend")
        for blend, words in BLEND_WORDS.items():
            action = add(words, lambda b=blend: masks.listing.set_blend(owner.id, b), blends)
            action.setCheckable(True)
            action.setChecked(owner.blend is blend)
        add("Solo off" if owner.id in masks.session.mask_solo else "Solo", lambda: masks.listing.toggle_solo(chosen))
        menu.addSeparator()
        add("Copy refinement", masks.refining.copy)
        add("Paste refinement", lambda: masks.refining.paste(chosen)).setEnabled(masks.refining.copied is not None)
        menu.addSeparator()
        add("Duplicate", lambda: masks.listing.duplicate(chosen))
        add("Delete", lambda: masks.listing.remove(chosen))
        return menu

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
            text = self._tip_at(event.pos())
            QToolTip.showText(event.globalPos(), text, self) if text else QToolTip.hideText()
            return True
        return super().viewportEvent(event)

    def _tip_at(self, point: QPoint) -> str:
        item = self.itemAt(point)
        if item is None:
            return ""
        row, held = self.visualItemRect(item), item.data(0, rows.ROLE)
        if rows.eye_rect(row).contains(point):
            return "Hide" if held.visible else "Show"
        if isinstance(held, MaskShape):
            if rows.blend_rect(row).contains(point):
                return f"{held.operation.title()}: how the shape changes what is painted. Click for the next."
            return f"{held.name}: {len(held.keys)} {'key' if len(held.keys) == 1 else 'keys'}\nDouble-click to rename"
        if rows.lock_rect(row).contains(point):
            return "Unlock" if held.locked else "Lock against changes"
        if rows.solo_rect(row).contains(point):
            return "Solo: show only this object in the viewer"
        if rows.blend_rect(row).contains(point):
            words = {
                MaskBlend.ADD: "Add to the objects above",
                MaskBlend.SUBTRACT: "Subtract from the objects above",
                MaskBlend.INTERSECT: "Keep of the objects above what lies in this one",
            }[held.blend]
            return f"{words}. Click for the next."
        if rows.chip_rect(row).contains(point):
            return "Change the colour"
        if rows.fold_rect(row).contains(point) and held.shapes:
            return "Show or fold the shapes"
        return f"{held.name}: {count_words(held)}\nDouble-click or F2 to rename, drag or Alt+Up / Alt+Down to move"


def _editable() -> QTreeWidgetItem:
    item = QTreeWidgetItem()
    item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
    return item


def _owner(item: QTreeWidgetItem) -> MaskObject:
    """The object whose shape a row shows."""
    parent = item.parent()
    assert parent is not None
    return parent.data(0, rows.ROLE)


def _hold(item: QTreeWidgetItem, held: MaskObject | MaskShape, name: str, spoken: str) -> None:
    if item.data(0, rows.ROLE) is not held:
        item.setData(0, rows.ROLE, held)
        item.setText(0, name)
        item.setData(0, int(Qt.ItemDataRole.AccessibleTextRole), spoken)
