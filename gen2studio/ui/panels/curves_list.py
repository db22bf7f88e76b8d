"""The parameters of the clip beside the curve editor's graph: which are drawn, which is worked on."""

from __future__ import annotations

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPointF, QSize, Qt
from PySide6.QtGui import QPainter, QPen
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from gen2studio.app.curve_editing import CurveEditing
from gen2studio.ui import theme
from gen2studio.ui.widgets.key_button import diamond
from gen2studio.ui.widgets.named import named

_NAME = Qt.ItemDataRole.UserRole
_KEYS = Qt.ItemDataRole.UserRole + 1


class _Marks(QStyledItemDelegate):
    """A diamond in the colour of the curve before the name, filled when it has keys."""

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        option.decorationSize = QSize(12, 12)

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        keys = index.data(_KEYS)
        if keys is None or index.column() != 0:
            return
        count, ink = keys
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(theme.colour(ink), 1.3))
        painter.setBrush(theme.colour(ink) if count else Qt.BrushStyle.NoBrush)
        area = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        painter.drawPolygon(diamond(QPointF(area.right() - 8, area.center().y() + 0.5), 4.0))
        painter.restore()


class CurvesList(QTreeWidget):
    """Groups of parameters with a check box (drawn or not) and the value at the playhead."""

    def __init__(self, curves: CurveEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, "curves.list", "Parameters", "Check a parameter to draw it; the selected one takes new keys")
        self._curves = curves
        self._rows: dict[str, QTreeWidgetItem] = {}
        self._quiet = False
        self.setColumnCount(2)
        self.setHeaderHidden(True)
        self.setIndentation(12)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setItemDelegate(_Marks(self))
        self.header().setStretchLastSection(False)
        self.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        self.header().setSectionResizeMode(1, QHeaderView.ResizeMode.Fixed)
        self.header().resizeSection(1, 74)
        self.currentItemChanged.connect(lambda _new, _old: self._on_current())
        self.itemChanged.connect(self._on_checked)

    def refresh(self) -> None:
        """Show the curves as they are now."""
        self._quiet = True
        curves = self._curves.curves()
        if list(curves) != list(self._rows):
            self._build()
        shown = set(self._curves.shown())
        playhead = self._curves.session.playhead
        for name, each in curves.items():
            row = self._rows[name]
            state = Qt.CheckState.Checked if name in shown else Qt.CheckState.Unchecked
            if row.checkState(0) != state:
                row.setCheckState(0, state)
            text = each.kind.text(each.at(playhead))
            if row.text(1) != text:
                row.setText(1, text)
            keys = (len(each.curve.keys), each.kind.colour)
            if row.data(0, _KEYS) != keys:
                row.setData(0, _KEYS, keys)
                count = len(each.curve.keys)
                row.setToolTip(0, f"{each.label}: {count or 'no'} key{'' if count == 1 else 's'}")
        current = self._rows.get(self._curves.current)
        if current is not None and current is not self.currentItem():
            self.setCurrentItem(current)
        self._quiet = False

    def _build(self) -> None:
        self.clear()
        self._rows = {}
        groups: dict[str, QTreeWidgetItem] = {}
        for name, each in self._curves.curves().items():
            group = groups.get(each.kind.group)
            if group is None:
                group = groups[each.kind.group] = QTreeWidgetItem(self, [each.kind.group])
                group.setFlags(Qt.ItemFlag.ItemIsEnabled)
                group.setForeground(0, theme.colour("text_muted"))
                group.setFirstColumnSpanned(True)
            row = QTreeWidgetItem(group, [each.label])
            row.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsUserCheckable)
            row.setData(0, _NAME, name)
            row.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            row.setForeground(1, theme.colour("text_muted"))
            row.setCheckState(0, Qt.CheckState.Unchecked)
            self._rows[name] = row
        self.expandAll()

    def _on_current(self) -> None:
        item = self.currentItem()
        name = item.data(0, _NAME) if item is not None else None
        if not self._quiet and name:
            self._curves.set_current(name)

    def _on_checked(self, item: QTreeWidgetItem, column: int) -> None:
        name = item.data(0, _NAME)
        if not self._quiet and name and column == 0:
            self._curves.show(name, item.checkState(0) == Qt.CheckState.Checked)
