"""The list of models: searched, filtered, one line each with its light."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QSortFilterProxyModel, Qt, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QAbstractItemView, QHBoxLayout, QLineEdit, QListView, QVBoxLayout, QWidget

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.app.model_rows import ModelRow
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.models.fitting import LIGHTS, NO
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_delegate import ROW, WORKS, Index, ModelDelegate
from gen2studio.ui.dialogs.model_words import KIND_TITLES, bytes_of, kind_of, offer_place
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import chooser, named, text_button

BLOCKS = (
    ("All", "all"),
    ("Commercial-safe", "safe"),
    ("Own terms", "terms"),
    ("Installed", "installed"),
    ("Runs here", "runs"),
    ("Found here", "found"),
)
ORDERS = (("Best first", "light"), ("By name", "name"), ("By size", "size"))
_ANY = ""
_NOTHING = ("Nothing found", "No model has these words in this mode, kind and block.")
_SEARCHING = ("Looking at this machine", "The hub's cache and ComfyUI's folders are being read.")
_NONE_HERE = (
    "Nothing found on this machine",
    "The hub's cache and ComfyUI's folders hold nothing that Gen2 Studio runs. Name other folders in Settings, or add "
    "a folder.",
)


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

    def rowCount(self, parent: Index = QModelIndex()) -> int:
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid():
            return None
        row = self._rows[index.row()]
        if role == ROW:
            return row
        if role == WORKS:
            return self._models.works
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

    def order_key(self, at: int, order: str) -> tuple[object, ...]:
        """What a row is sorted by: in doubt, the catalog's own order."""
        row = self._rows[at]
        if order == "name":
            return (row.title.casefold(), at)
        if order == "size":
            size = bytes_of(row)
            return (size == 0, size, at)
        # What is here already comes first, whatever its files are.
        if row.fit is None:
            return (-1, at)
        listed_only = row.entry is not None and row.entry.listed_only
        return (len(LIGHTS) if listed_only else list(LIGHTS).index(row.fit.light), at)

    def _on_row_changed(self, row_id: str) -> None:
        index, row = self.index_of(row_id), self._models.row(row_id)
        if index.isValid() and row is not None:
            self._rows[index.row()] = row
            self.dataChanged.emit(index, index)

    def _on_works_changed(self) -> None:
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))


class ModelFilter(QSortFilterProxyModel):
    """By words, mode, kind and block; in an order of the artist's choice."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.words: tuple[str, ...] = ()
        self.mode = self.kind = _ANY
        self.block = "all"
        self.order = ORDERS[0][1]
        self.sort(0)

    def lessThan(self, left: Index, right: Index) -> bool:
        rows = self.sourceModel()
        assert isinstance(rows, ModelRows)
        one, other = (rows.order_key(index.row(), self.order) for index in (left, right))
        return one < other  # type: ignore[operator]

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
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


class ModelList(QWidget):
    """Search, order, three filters and the list."""

    chosen = Signal(str)
    """Row id; empty = none."""
    wanted = Signal(str)
    """Row id: Return was pressed on it, or it was double-clicked."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self._models = models
        self._kept = ""
        self._filtering = False
        self.rows = ModelRows(models, self)
        self.filter = ModelFilter(self)
        self.filter.setSourceModel(self.rows)
        self.search = named(
            QLineEdit(self), "models.search", "Find a model", "Find by name, maker, kind or mode (Ctrl+F)"
        )
        self.search.setPlaceholderText("Find a model")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._on_filter)
        self.order = chooser(
            "models.order", "Order", "What runs best here first, by name, or the smallest first", list(ORDERS), self
        )
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
        for box in (self.mode, self.kind, self.block, self.order):
            box.activated.connect(self._on_filter)
        self.view = named(QListView(self), "models.list", "Models")
        self.view.setToolTip("")
        self.view.setAccessibleDescription("Return gets or uses the chosen model")
        self.view.setModel(self.filter)
        self.view.setItemDelegate(ModelDelegate(self.view))
        self.view.setMouseTracking(True)
        self.view.setUniformItemSizes(True)
        self.view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.selectionModel().currentChanged.connect(self._on_current)
        self.view.doubleClicked.connect(lambda _index: self.wanted.emit(self.current))
        for key in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            pressed = QShortcut(QKeySequence(key), self.view, context=Qt.ShortcutContext.WidgetShortcut)
            pressed.activated.connect(lambda: self.wanted.emit(self.current))
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
        first = QHBoxLayout()
        first.setSpacing(theme.SPACING)
        first.addWidget(self.search, 2)
        first.addWidget(self.order, 1)
        layout.addLayout(first)
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
        self.filter.block, self.filter.order = self.block.currentData(), self.order.currentData()
        # While rows go, what is current changes from row to row, and may be one that goes next.
        self._filtering = True
        self.filter.invalidate()
        self._filtering = False
        self.choose_first()
        self.view.scrollTo(self.view.currentIndex())
        self._show_nothing()
        self.chosen.emit(self.current)

    def _on_current(self, index: QModelIndex) -> None:
        if not self._filtering:
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
