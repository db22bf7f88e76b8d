"""The list of models: searched, filtered, one line each with its light."""

from __future__ import annotations

from PySide6.QtCore import (
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QFont, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QLineEdit,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.app.model_rows import ModelRow, Work
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.models.fitting import NO
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_words import KIND_TITLES, LIGHT_INKS, badge, kind_and_size, kind_of, offer_place
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import chooser, named, text_button

ROW = Qt.ItemDataRole.UserRole
BLOCKS = (
    ("All", "all"),
    ("Commercial-safe", "safe"),
    ("Own terms", "terms"),
    ("Installed", "installed"),
    ("Runs here", "runs"),
    ("Found here", "found"),
)
_ANY = ""
_NOTHING = ("Nothing found", "No model has these words in this mode, kind and block.")
_SEARCHING = ("Looking at this machine", "The hub's cache and ComfyUI's folders are being read.")
_NONE_HERE = (
    "Nothing found on this machine",
    "The hub's cache and ComfyUI's usual folders hold no models. Name other folders in Settings, or add a folder.",
)
_HEIGHT = 46
_Index = QModelIndex | QPersistentModelIndex


class ModelRows(QAbstractListModel):
    """The rows of a :class:`ModelDownloads`, kept up to date."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self._models = models
        self._rows: list[ModelRow] = []
        models.rows_changed.connect(self.reload)
        models.row_changed.connect(self._on_row_changed)
        models.works_changed.connect(self._on_works_changed)
        if models.is_open:
            self.reload()

    def reload(self) -> None:
        """Ask for every row again. Rows that stay keep their place, so that the choice is kept."""
        rows = list(self._models.rows())
        if [row.id for row in rows] == [row.id for row in self._rows]:
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        kept = len(self._rows)
        if kept and [row.id for row in rows[:kept]] == [row.id for row in self._rows]:
            # What was found on the machine comes last, and later: the list stays where it is.
            self.beginInsertRows(QModelIndex(), kept, len(rows) - 1)
            self._rows = rows
            self.endInsertRows()
            self.dataChanged.emit(self.index(0), self.index(kept - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def rowCount(self, parent: _Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: _Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == ROW:
            return row
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.AccessibleTextRole):
            return row.title
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleDescriptionRole):
            said = row.fit.reason if row.fit is not None else row.held
            if row.offer is not None:
                said = str(row.offer.path)
            return said or row.title
        return None

    @property
    def found(self) -> int:
        """How many things lie elsewhere on this machine."""
        return sum(1 for row in self._rows if row.offer is not None)

    def index_of(self, row_id: str) -> QModelIndex:
        """Invalid when there is no such row."""
        at = next((at for at, row in enumerate(self._rows) if row.id == row_id), -1)
        return self.index(at) if at >= 0 else QModelIndex()

    def works(self) -> ModelDownloads:
        return self._models

    def _on_row_changed(self, row_id: str) -> None:
        index, row = self.index_of(row_id), self._models.row(row_id)
        if index.isValid() and row is not None:
            self._rows[index.row()] = row
            self.dataChanged.emit(index, index)

    def _on_works_changed(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))


class ModelFilter(QSortFilterProxyModel):
    """By words, mode, kind and block."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.words: tuple[str, ...] = ()
        self.mode = self.kind = _ANY
        self.block = "all"

    def filterAcceptsRow(self, source_row: int, source_parent: _Index) -> bool:
        row = self.sourceModel().data(self.sourceModel().index(source_row, 0), ROW)
        assert isinstance(row, ModelRow)
        entry = row.entry
        text = row.title.casefold()
        if entry is not None:
            modes = " ".join(MODE_TITLES[mode] for mode in entry.modes)
            text = f"{text} {entry.summary} {entry.repo} {KIND_TITLES[entry.kind]} {modes}".casefold()
        if row.offer is not None:
            text = f"{text} {row.offer.place} {offer_place(row)}".casefold()
        if not all(word in text for word in self.words):
            return False
        if self.mode and (entry is None or self.mode not in entry.modes):
            return False
        if self.kind and kind_of(row) != self.kind:
            return False
        if self.block == "found" or row.offer is not None:
            # A ComfyUI folder may hold hundreds of files: they are a list of their own.
            return self.block == "found" and row.offer is not None
        return {
            "all": True,
            "safe": entry is not None and not entry.opt_in,
            "terms": entry is not None and entry.opt_in,
            "installed": row.installed,
            "runs": row.fit is None or row.fit.light != NO,
        }[self.block]


class ModelDelegate(QStyledItemDelegate):
    """Two lines: the light and the title, what it is; at the right what state it is in."""

    def sizeHint(self, option: QStyleOptionViewItem, index: _Index) -> QSize:
        return QSize(200, _HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: _Index) -> None:
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
        words, said_ink = badge(row, _works(index))
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


def _works(index: _Index) -> tuple[Work, ...]:
    proxy = index.model()
    rows = proxy.sourceModel() if isinstance(proxy, QSortFilterProxyModel) else proxy
    return rows.works().works if isinstance(rows, ModelRows) else ()


class ModelList(QWidget):
    """Search, three filters and the list."""

    chosen = Signal(str)
    """Row id; empty = none."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self._models = models
        self._kept = ""
        self.rows = ModelRows(models, self)
        self.filter = ModelFilter(self)
        self.filter.setSourceModel(self.rows)
        self.search = named(
            QLineEdit(self), "models.search", "Find a model", "Find by name, maker, kind or mode (Ctrl+F)"
        )
        self.search.setPlaceholderText("Find a model")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_filter)
        self.mode = chooser(
            "models.mode", "Mode", "Only what serves this mode",
            [("Every mode", _ANY), *((title, mode) for mode, title in MODE_TITLES.items())], self,
        )  # fmt: skip
        self.kind = chooser(
            "models.kind",
            "Kind",
            "Only this kind",
            [("Every kind", _ANY), *((t, k) for k, t in KIND_TITLES.items())],
            self,
        )
        self.block = chooser("models.block", "Block", "Only these", list(BLOCKS), self)
        for box in (self.mode, self.kind, self.block):
            box.activated.connect(self._on_filter)
        self.view = named(QListView(self), "models.list", "Models")
        self.view.setToolTip("")
        self.view.setModel(self.filter)
        self.view.setItemDelegate(ModelDelegate(self.view))
        self.view.setMouseTracking(True)
        self.view.setUniformItemSizes(True)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.selectionModel().currentChanged.connect(self._on_current)
        self.nothing = EmptyState("search", *_NOTHING, "", self)
        self.found = text_button(
            "models.showFound", "Found on this machine", "search",
            "What other programs keep in the hub's cache and in ComfyUI's folders", self._on_show_found, self,
        )  # fmt: skip
        filters = QHBoxLayout()
        filters.setSpacing(theme.SPACING)
        for box in (self.mode, self.kind, self.block):
            filters.addWidget(box, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACING)
        layout.addWidget(self.search)
        layout.addLayout(filters)
        layout.addWidget(self.view, 1)
        layout.addWidget(self.nothing, 1)
        layout.addWidget(self.found, 0, Qt.AlignmentFlag.AlignLeft)
        self.filter.modelAboutToBeReset.connect(self._on_about_to_reset)
        self.filter.modelReset.connect(self._on_reset)
        models.rows_changed.connect(self._show_nothing)
        self.filter.modelReset.connect(self._show_nothing)
        self.filter.rowsInserted.connect(self._show_nothing)
        self.filter.rowsRemoved.connect(self._show_nothing)
        self._show_nothing()

    @property
    def current(self) -> str:
        """Id of the chosen row; empty = none."""
        row = self.view.currentIndex().data(ROW)
        return row.id if isinstance(row, ModelRow) else ""

    def choose(self, row_id: str) -> None:
        """Choose a row and bring it into sight; filters that hide it are let go."""
        index = self.filter.mapFromSource(self.rows.index_of(row_id))
        if not index.isValid() and self.rows.index_of(row_id).isValid():
            self.search.clear()
            for box in (self.mode, self.kind, self.block):
                box.setCurrentIndex(0)
            self._on_filter()
            index = self.filter.mapFromSource(self.rows.index_of(row_id))
        self.view.setCurrentIndex(index)
        self.view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def choose_first(self) -> None:
        """Choose the first row unless one is chosen."""
        if not self.current:
            self.view.setCurrentIndex(self.filter.index(0, 0))

    def _on_show_found(self) -> None:
        self.search.clear()
        for box, data in ((self.mode, _ANY), (self.kind, _ANY), (self.block, "found")):
            box.setCurrentIndex(box.findData(data))
        self._on_filter()
        self.choose_first()
        self.view.setFocus()

    def _on_about_to_reset(self) -> None:
        self._kept = self.current

    def _on_reset(self) -> None:
        index = self.filter.mapFromSource(self.rows.index_of(self._kept))
        if index.isValid():
            self.view.setCurrentIndex(index)
            self.view.scrollTo(index, QAbstractItemView.ScrollHint.EnsureVisible)

    def _on_filter(self, *_changed: object) -> None:
        self.filter.words = tuple(self.search.text().casefold().split())
        self.filter.mode, self.filter.kind = self.mode.currentData(), self.kind.currentData()
        self.filter.block = self.block.currentData()
        self.filter.invalidate()
        self._show_nothing()

    def _on_current(self, index: QModelIndex) -> None:
        row = index.data(ROW)
        self.chosen.emit(row.id if isinstance(row, ModelRow) else "")

    def _show_nothing(self, *_changed: object) -> None:
        there = self.filter.rowCount() > 0
        self.view.setVisible(there)
        self.nothing.setVisible(not there)
        count, found = self.rows.found, self.filter.block == "found"
        self.found.setVisible(count > 0 and not found)
        self.found.setText(f" {count} found on this machine")
        said = _NOTHING
        if found and not count:
            said = _SEARCHING if self._models.searching else _NONE_HERE
        self.nothing.say(*said)
