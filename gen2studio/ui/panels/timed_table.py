"""A table of things on the timeline that are edited in place: subtitles, markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QEvent,
    QItemSelectionModel,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QColor, QKeyEvent, QPainter, QPixmap
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QPlainTextEdit,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from gen2studio.core.records import dataclass
from gen2studio.core.time import timecode
from gen2studio.ui import theme
from gen2studio.ui.widgets.key_keeper import KEEPS_ARROWS
from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.timecode_field import TimecodeField

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. ``kind``: time (sequence frames), text (one line or more) or label (a name of the theme's labels)."""

    title: str
    kind: str
    read: Callable[[Any], Any]
    write: Callable[[str, Any], object]
    """(row id, new value)."""
    width: int = 0
    """Pixels, 0 = what is left."""
    tip: str = ""


class TimedModel(QAbstractTableModel):
    """Rows are any values with ``id``; they are shown in the order given, those that match the filter."""

    def __init__(self, columns: Sequence[Column], starts: Callable[[Any], tuple[int, int]], parent: QObject) -> None:
        """``starts(row)`` = sequence frames [start, stop) of a row."""
        super().__init__(parent)
        self.columns = list(columns)
        self._starts = starts
        self._all: tuple[Any, ...] = ()
        self.rows: list[Any] = []
        self.rate = Fraction(25)
        self._filter: Callable[[Any], bool] | None = None
        self._here = -1

    def set_rows(self, rows: tuple[Any, ...], rate: Fraction) -> None:
        """Show other rows. Rows that kept their id and place only have their cells drawn again."""
        if rows is self._all and rate == self.rate:
            return
        self._all, self.rate = rows, rate
        self._refill()

    def set_filter(self, wanted: Callable[[Any], bool] | None) -> None:
        self._filter = wanted
        self._refill()

    def _refill(self) -> None:
        found = [row for row in self._all if self._filter is None or self._filter(row)]
        if [row.id for row in found] == [row.id for row in self.rows]:
            self.rows = found
            if found:
                self.dataChanged.emit(self.index(0, 0), self.index(len(found) - 1, len(self.columns) - 1))
            return
        self.beginResetModel()
        self.rows = found
        self.endResetModel()

    @property
    def hidden(self) -> int:
        """How many rows the filter leaves out."""
        return len(self._all) - len(self.rows)

    def set_playhead(self, frame: int) -> None:
        """Mark the row that the playhead is in."""
        here = next((i for i, row in enumerate(self.rows) if self._starts(row)[0] <= frame < self._starts(row)[1]), -1)
        if here != self._here:
            before, self._here = self._here, here
            for row in (before, here):
                if 0 <= row < len(self.rows):
                    self.dataChanged.emit(self.index(row, 0), self.index(row, len(self.columns) - 1))

    def row_of(self, row_id: str) -> int:
        return next((i for i, row in enumerate(self.rows) if row.id == row_id), -1)

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self.columns)

    def flags(self, index: Index) -> Qt.ItemFlag:
        return super().flags(index) | Qt.ItemFlag.ItemIsEditable

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return self.columns[section].title
        return None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        column, row = self.columns[index.column()], self.rows[index.row()]
        if role == Qt.ItemDataRole.EditRole:
            return column.read(row)
        if role == Qt.ItemDataRole.DisplayRole:
            value = column.read(row)
            if column.kind == "time":
                return "" if value is None else timecode(value, self.rate)
            return "" if column.kind == "label" else value
        if role == Qt.ItemDataRole.DecorationRole and column.kind == "label":
            return swatch(theme.label(column.read(row)))
        if role == Qt.ItemDataRole.ForegroundRole and index.row() == self._here:
            return theme.colour("accent")
        if role == Qt.ItemDataRole.FontRole and column.kind == "time":
            return theme.fixed_font(9.0)
        if role == Qt.ItemDataRole.ToolTipRole:
            return column.tip or column.title
        if role == Qt.ItemDataRole.AccessibleTextRole and column.kind == "label":
            return column.read(row)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        column, row = self.columns[index.column()], self.rows[index.row()]
        if role != Qt.ItemDataRole.EditRole or value == column.read(row):
            return False
        column.write(row.id, value)
        return True


def swatch(ink: QColor, size: int = 12) -> QPixmap:
    """A round dot of a colour."""
    picture = QPixmap(size * 2, size * 2)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(ink)
    painter.drawEllipse(2, 2, size * 2 - 4, size * 2 - 4)
    painter.end()
    picture.setDevicePixelRatio(2)
    return picture


class _Cells(QStyledItemDelegate):
    """Editors by the kind of column. In text Enter accepts and Shift+Enter starts a line."""

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:
        model = index.model()
        assert isinstance(model, TimedModel)
        column = model.columns[index.column()]
        if column.kind == "time":
            field = TimecodeField("table.time", column.title, column.tip, parent)
            field.edited.connect(lambda frame: model.setData(index, frame))
            return field
        if column.kind == "label":
            combo = named(QComboBox(parent), "table.label", column.title)
            for name in theme.LABELS:
                combo.addItem(swatch(theme.label(name)), name.capitalize(), name)
            combo.setMinimumWidth(110)
            combo.activated.connect(lambda _row: (self.commitData.emit(combo), self.closeEditor.emit(combo)))
            return combo
        text = named(QPlainTextEdit(parent), "table.text", column.title)
        text.setTabChangesFocus(True)
        text.setToolTip("Enter accepts, Shift+Enter starts a new line, Esc drops the change")
        return text

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        value = index.data(Qt.ItemDataRole.EditRole)
        if isinstance(editor, TimecodeField):
            model = index.model()
            assert isinstance(model, TimedModel)
            editor.show_frame(value or 0, model.rate)
            editor.selectAll()
        elif isinstance(editor, QComboBox):
            editor.setCurrentIndex(max(0, editor.findData(value)))
        elif isinstance(editor, QPlainTextEdit) and not editor.document().isModified():
            editor.setPlainText(value)
            editor.selectAll()

    def setModelData(self, editor: QWidget, model: QAbstractItemModel, index: Index) -> None:
        if isinstance(editor, TimecodeField):
            editor.commit()
        elif isinstance(editor, QComboBox):
            model.setData(index, editor.currentData())
        elif isinstance(editor, QPlainTextEdit):
            model.setData(index, editor.toPlainText())

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:
        area = option.rect  # pyright: ignore[reportAttributeAccessIssue]
        if isinstance(editor, QPlainTextEdit):
            area.setHeight(max(area.height(), 58))
        elif isinstance(editor, QComboBox):
            area.setWidth(max(area.width(), 120))
        editor.setGeometry(area)

    def eventFilter(self, editor: QObject, event: QEvent) -> bool:
        if isinstance(editor, QPlainTextEdit) and isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress:
            enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.commitData.emit(editor)
                self.closeEditor.emit(editor)
                return True
            if enter:
                editor.insertPlainText("\n")
                return True
        return super().eventFilter(editor, event)

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(super().sizeHint(option, index).width(), 30)


class TimedTable(QTableView):
    """Rows selected as wholes; Enter, F2 or a double click edits a cell, Delete asks to remove rows."""

    remove_wanted = Signal()
    row_chosen = Signal(str)
    """Id of the row that a person went to."""

    def __init__(self, name: str, title: str, model: TimedModel, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, name, title, f"{title}: Enter edits, Delete removes")
        self.timed = model
        self.setModel(model)
        self.setItemDelegate(_Cells(self))
        self.setProperty(KEEPS_ARROWS, True)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.DoubleClicked | QAbstractItemView.EditTrigger.EditKeyPressed)
        self.setShowGrid(False)
        self.setWordWrap(True)
        self.setTabKeyNavigation(False)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(30)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for section, column in enumerate(model.columns):
            if column.width:
                header.setSectionResizeMode(section, QHeaderView.ResizeMode.Interactive)
                self.setColumnWidth(section, column.width)
            else:
                header.setSectionResizeMode(section, QHeaderView.ResizeMode.Stretch)
        self.clicked.connect(self._on_clicked)

    def chosen(self) -> list[str]:
        """Ids of the selected rows in order."""
        rows = sorted({index.row() for index in self.selectionModel().selectedRows()})
        return [self.timed.rows[row].id for row in rows if row < len(self.timed.rows)]

    def choose(self, row_ids: Sequence[str], column: int = 0) -> None:
        """Select rows and show the first of them."""
        self.clearSelection()
        flags = QItemSelectionModel.SelectionFlag.Select | QItemSelectionModel.SelectionFlag.Rows
        rows = [row for row in map(self.timed.row_of, row_ids) if row >= 0]
        for row in rows:
            self.selectionModel().select(self.timed.index(row, column), flags)
        if rows:
            index = self.timed.index(rows[0], column)
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
            self.scrollTo(index)

    def _on_clicked(self, index: QModelIndex) -> None:
        self.row_chosen.emit(self.timed.rows[index.row()].id)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.state() == QAbstractItemView.State.EditingState:
            # The Enter that accepts a cell arrives here as well.
            return
        if event.key() in (Qt.Key.Key_Delete, Qt.Key.Key_Backspace) and not event.modifiers():
            self.remove_wanted.emit()
            return
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.edit(self.currentIndex())
            return
        before = self.currentIndex().row()
        super().keyPressEvent(event)
        after = self.currentIndex().row()
        if after != before and 0 <= after < len(self.timed.rows):
            self.row_chosen.emit(self.timed.rows[after].id)

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            own = (Qt.Key.Key_Delete, Qt.Key.Key_Backspace, Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2)
            if event.key() in own and not event.modifiers():
                event.accept()
                return True
        return super().event(event)
