"""Edit keys: choose a map, find a command, press its key. A key that another command has is only taken when asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QComboBox,
    QDialog,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QHeaderView,
    QInputDialog,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.key_maps import Clash, KeyMaps, native
from gen2studio.app.key_sheets import WHERE, as_html, as_text
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.paths import write_atomic
from gen2studio.ui import theme
from gen2studio.ui.widgets.key_capture import KeyCapture
from gen2studio.ui.widgets.retire import retire_all

_ID = Qt.ItemDataRole.UserRole
MAP_FILTER = "Key maps (*.g2keys);;All files (*)"


class KeyMapDialog(QDialog):
    """Works on a :class:`KeyMaps`; every change is in force at once."""

    def __init__(self, maps: KeyMaps, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keyMapDialog")
        self.setWindowTitle("Edit keys")
        self.resize(820, 660)
        self._maps = maps
        self._rows = {row.id: row for row in maps.rows}
        self._asked: tuple[str, str] | None = None
        """(command, key) that waits for the artist to say whether it may be taken over."""
        layout = QVBoxLayout(self)
        layout.setSpacing(theme.SPACING)
        layout.addLayout(self._build_maps())
        self.about = QLabel(self)
        self.about.setObjectName("keys.about")
        self.about.setProperty("role", "muted")
        layout.addWidget(self.about)
        layout.addLayout(self._build_search())
        layout.addWidget(self._build_tree(), 1)
        layout.addWidget(self._build_command())
        layout.addLayout(self._build_foot())
        maps.changed.connect(self._on_maps_changed)
        self._fill()
        self._on_maps_changed()
        self.search.setFocus()

    # -- building ------------------------------------------------------------------------------------------------------

    def _push(self, name: str, text: str, tip: str, run: Callable[[], object]) -> QPushButton:
        button = QPushButton(text, self)
        button.setObjectName(f"keys.{name}")
        button.setToolTip(tip)
        button.setAutoDefault(False)
        button.clicked.connect(lambda _checked=False: run())
        return button

    def _build_maps(self) -> QHBoxLayout:
        self.chooser = QComboBox(self)
        self.chooser.setObjectName("keys.map")
        self.chooser.setAccessibleName("Key map")
        self.chooser.setToolTip("Which keys mean which commands; in force at once")
        self.chooser.setMinimumWidth(220)
        self.chooser.activated.connect(self._on_map_chosen)
        self.rename = self._push("rename", "Rename…", "Give this map of yours another name", self._on_rename)
        self.delete = self._push("delete", "Delete…", "Delete this map of yours", self._on_delete)
        row = QHBoxLayout()
        label = QLabel("Key map", self)
        label.setBuddy(self.chooser)
        row.addWidget(label)
        row.addWidget(self.chooser)
        row.addWidget(self.rename)
        row.addWidget(self.delete)
        row.addStretch(1)
        row.addWidget(self._push("import", "Import…", "Read a map from a file", self._on_import))
        row.addWidget(self._push("export", "Export…", "Write this map to a file", self._on_export))
        row.addWidget(self._push("sheet", "Print…", "Write the map as a page to print, or as text", self._on_sheet))
        return row

    def _build_search(self) -> QHBoxLayout:
        self.search = QLineEdit(self)
        self.search.setObjectName("keys.search")
        self.search.setAccessibleName("Find a command or key")
        self.search.setPlaceholderText("Find a command or a key")
        self.search.setToolTip("Show only commands whose name, menu or key contains these letters")
        self.search.setClearButtonEnabled(True)
        self.search.textChanged.connect(self._filter)
        self.only_changed = QCheckBox("Changed only", self)
        self.only_changed.setObjectName("keys.onlyChanged")
        self.only_changed.setToolTip("Show only commands whose keys differ from those of Gen2 Studio's own map")
        self.only_changed.toggled.connect(self._filter)
        row = QHBoxLayout()
        row.addWidget(self.search, 1)
        row.addWidget(self.only_changed)
        return row

    def _build_tree(self) -> QTreeWidget:
        self.tree = QTreeWidget(self)
        self.tree.setObjectName("keys.list")
        self.tree.setAccessibleName("Commands and keys")
        self.tree.setHeaderLabels(["Command", "Keys", "Live"])
        self.tree.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.tree.setUniformRowHeights(True)
        head = self.tree.header()
        head.setStretchLastSection(False)
        head.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        head.setSectionResizeMode(1, QHeaderView.ResizeMode.Interactive)
        head.setSectionResizeMode(2, QHeaderView.ResizeMode.Interactive)
        head.resizeSection(1, 210)
        head.resizeSection(2, 130)
        self.tree.currentItemChanged.connect(lambda *_: self._on_command_chosen())
        self.tree.itemActivated.connect(lambda item, _column: self._record() if item.data(0, _ID) else None)
        return self.tree

    def _build_command(self) -> QFrame:
        frame = QFrame(self)
        frame.setObjectName("keys.command")
        frame.setProperty("role", "strip")
        self.title = QLabel(frame)
        self.title.setProperty("role", "heading")
        self.tip = QLabel(frame)
        self.tip.setProperty("role", "muted")
        self.tip.setWordWrap(True)
        self.chips = QHBoxLayout()
        self.chips.setSpacing(theme.SPACING)
        self.capture = KeyCapture(frame)
        self.capture.captured.connect(self._on_captured)
        self.reset_one = self._push("reset", "Reset", "Give this command its own keys again", self._on_reset)
        keys = QHBoxLayout()
        keys.addLayout(self.chips)
        keys.addWidget(self.capture)
        keys.addStretch(1)
        keys.addWidget(self.reset_one)
        self.warning = QFrame(frame)
        self.warning.setObjectName("keys.warning")
        self.words = QLabel(self.warning)
        self.words.setObjectName("keys.clash")
        self.words.setProperty("role", "warning")
        self.words.setWordWrap(True)
        self.take = self._push(
            "take", "Take over", "Give the key to this command and take it from the other", self._on_take
        )
        self.leave = self._push("leave", "Cancel", "Leave the key where it is", self._on_leave)
        ask = QHBoxLayout(self.warning)
        ask.setContentsMargins(0, 0, 0, 0)
        ask.addWidget(self.words, 1)
        ask.addWidget(self.take)
        ask.addWidget(self.leave)
        rows = QVBoxLayout(frame)
        rows.setContentsMargins(12, 10, 12, 10)
        rows.setSpacing(theme.SPACING)
        rows.addWidget(self.title)
        rows.addWidget(self.tip)
        rows.addLayout(keys)
        rows.addWidget(self.warning)
        rows.addStretch(1)
        frame.setMinimumHeight(140)
        return frame

    def _build_foot(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(self._push("resetAll", "Reset all…", "Give every command its own keys again", self._on_reset_all))
        row.addStretch(1)
        row.addWidget(self._push("close", "Close", "Close this window (Esc)", self.accept))
        return row

    # -- the list ------------------------------------------------------------------------------------------------------

    def _fill(self) -> None:
        groups: dict[str, QTreeWidgetItem] = {}
        ratio = self.devicePixelRatioF()
        self._items: dict[str, QTreeWidgetItem] = {}
        for row in self._maps.rows:
            menu = row.menu.replace("/", " ▸ ") or "Other"
            if menu not in groups:
                groups[menu] = QTreeWidgetItem(self.tree, [menu])
                groups[menu].setFirstColumnSpanned(True)
                font = groups[menu].font(0)
                font.setBold(True)
                groups[menu].setFont(0, font)
                groups[menu].setFlags(Qt.ItemFlag.ItemIsEnabled)
            item = QTreeWidgetItem(groups[menu], [row.text.rstrip("…"), "", WHERE.get(row.scope, row.scope)])
            item.setData(0, _ID, row.id)
            item.setToolTip(0, row.tip)
            if row.icon:
                item.setIcon(0, QIcon(theme.icon_pixmap(row.icon, 16, "text_muted", ratio)))
            item.setForeground(2, theme.colour("text_muted"))
            self._items[row.id] = item
        self.tree.expandAll()
        first = next(iter(self._items.values()), None)
        if first is not None:
            self.tree.setCurrentItem(first)

    def _filter(self, *_changed: object) -> None:
        wanted = self.search.text().casefold().strip()
        for index in range(self.tree.topLevelItemCount()):
            group = self.tree.topLevelItem(index)
            if group is None:
                continue
            shown = 0
            for item in (child for at in range(group.childCount()) if (child := group.child(at)) is not None):
                text = f"{group.text(0)} {item.text(0)} {item.text(1)}".casefold()
                action_id: str = item.data(0, _ID)
                fits = wanted in text and (not self.only_changed.isChecked() or self._maps.is_changed(action_id))
                item.setHidden(not fits)
                shown += fits
            group.setHidden(not shown)

    @property
    def command(self) -> str:
        """Id of the chosen command; empty on a heading."""
        item = self.tree.currentItem()
        found = item.data(0, _ID) if item is not None else None
        return found if isinstance(found, str) else ""

    def choose_command(self, action_id: str) -> None:
        """Show a command. Raises KeyError for one there is not."""
        self.tree.setCurrentItem(self._items[action_id])
        self.tree.scrollToItem(self._items[action_id])

    # -- the maps ------------------------------------------------------------------------------------------------------

    def _on_maps_changed(self) -> None:
        now = self._maps.current
        blocked = self.chooser.blockSignals(True)
        self.chooser.clear()
        for keymap in self._maps.maps:
            self.chooser.addItem(keymap.name, keymap.id)
        self.chooser.setCurrentIndex(self.chooser.findData(now.id))
        self.chooser.blockSignals(blocked)
        self.about.setText("Your own map." if now.mine else f"{now.about} Changing a key makes a map of your own.")
        self.rename.setEnabled(now.mine)
        self.delete.setEnabled(now.mine)
        keys = self._maps.keys
        for action_id, item in self._items.items():
            item.setText(1, "   ".join(native(k) for k in keys[action_id]))
            changed = self._maps.is_changed(action_id)
            item.setForeground(1, theme.colour("accent" if changed else "text"))
        self._filter()
        self._on_command_chosen()

    def _on_map_chosen(self, index: int) -> None:
        self._maps.choose(self.chooser.itemData(index))

    def _on_rename(self) -> None:
        name, good = QInputDialog.getText(self, "Rename key map", "Name:", text=self._maps.current.name)
        if good:
            self._maps.rename(name)

    def _on_delete(self) -> None:
        if self._sure("deleteKeyMap", f"Delete the key map “{self._maps.current.name}”?", "Delete"):
            self._maps.delete()

    def _on_reset_all(self) -> None:
        if self._sure("resetKeys", "Give every command the keys of Gen2 Studio's own map?", "Reset all"):
            self._maps.reset_all()

    def _sure(self, name: str, question: str, verb: str) -> bool:
        box = QMessageBox(self)
        box.setObjectName(name)
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(question)
        yes = box.addButton(verb, QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return box.clickedButton() is yes

    # -- files ---------------------------------------------------------------------------------------------------------

    def _on_import(self) -> None:
        dialog = QFileDialog(self, "Import key map", str(Path.home()), MAP_FILTER)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self.import_from(Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def import_from(self, path: Path) -> None:
        """Read a map and choose it; says in the window what was left out, or why it can't be read."""
        try:
            keymap, unknown = self._maps.import_map(path)
        except StudioError as error:
            self._say(str(error))
            return
        left = f" {unknown} of its commands are not in this version." if unknown else ""
        self._say(f"“{keymap.name}” is in force.{left}")

    def _on_export(self) -> None:
        self._ask_where("Export key map", f"{self._maps.current.name}.g2keys", MAP_FILTER, self.export_to)

    def export_to(self, path: Path) -> None:
        self._write(path, lambda: self._maps.export_map(path))

    def _on_sheet(self) -> None:
        kinds = "Page to print (*.html);;Text (*.txt)"
        self._ask_where("Print key map", f"{self._maps.current.name}.html", kinds, self.write_sheet)

    def write_sheet(self, path: Path) -> None:
        """Write the map for paper: ``.txt`` as text, anything else as a page."""
        make = as_text if path.suffix.casefold() == ".txt" else as_html
        self._write(path, lambda: write_atomic(path, make(self._maps).encode()))

    def _ask_where(self, title: str, name: str, kinds: str, use: Callable[[Path], None]) -> None:
        dialog = QFileDialog(self, title, str(Path.home() / name), kinds)
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix(Path(name).suffix[1:])
        dialog.fileSelected.connect(lambda chosen: use(Path(chosen)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _write(self, path: Path, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError as error:
            self._say(sentence_of(error))
        else:
            self._say(f"Wrote {path.name}.")

    def _say(self, sentence: str) -> None:
        self.about.setText(sentence)

    # -- the command ---------------------------------------------------------------------------------------------------

    def _on_command_chosen(self) -> None:
        self._on_leave()
        row = self._rows.get(self.command)
        retire_all(self.chips)
        self.capture.setEnabled(row is not None)
        self.reset_one.setEnabled(row is not None and self._maps.is_changed(row.id))
        if row is None:
            self.title.setText("Choose a command")
            self.tip.setText("")
            return
        self.title.setText(row.text.rstrip("…"))
        self.tip.setText(row.tip)
        for key in self._maps.keys[row.id]:
            self.chips.addWidget(self._chip(row.id, key))

    def _chip(self, action_id: str, key: str) -> QPushButton:
        chip = self._push(
            f"chip.{key}", f"{native(key)}  ✕", f"Take {native(key)} from this command",
            lambda: self._maps.remove_key(action_id, key),
        )  # fmt: skip
        chip.setAccessibleName(f"Remove {native(key)}")
        return chip

    def _record(self) -> None:
        self.capture.setChecked(True)

    def _on_captured(self, key: str) -> None:
        """A key was pressed: it is given at once when it is free, else the artist is asked."""
        action_id = self.command
        if not action_id or key in self._maps.keys[action_id]:
            return
        clashes = self._maps.conflicts(action_id, key)
        if not clashes:
            self._maps.add_key(action_id, key)
            return
        self._asked = (action_id, key)
        self.words.setText(f"{native(key)} is {_named(clashes)}. Take it over?")
        self.warning.show()
        self.take.setFocus()

    def _on_take(self) -> None:
        if self._asked is not None:
            action_id, key = self._asked
            self._asked = None
            self._maps.add_key(action_id, key)

    def _on_leave(self) -> None:
        self._asked = None
        self.warning.hide()

    def _on_reset(self) -> None:
        if self.command:
            self._maps.reset(self.command)


def _named(clashes: list[Clash]) -> str:
    """``“Razor at Playhead” (everywhere) and “Fill” (programme viewer)``."""
    texts = [f"“{c.action.text.rstrip('…')}” ({WHERE.get(c.action.scope, c.action.scope)})" for c in clashes]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
