"""Preferences: one page made from the declared fields; changes take effect at once."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSpinBox,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.key_maps import KeyMaps
from gen2studio.app.preferences import FIELDS, Field, Preferences


class PreferencesDialog(QDialog):
    keys_wanted = Signal()
    """The artist wants to edit keys."""

    def __init__(self, preferences: Preferences, parent: QWidget, maps: KeyMaps | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("preferencesDialog")
        self.setWindowTitle("Preferences")
        self.setMinimumSize(520, 340)
        self._preferences = preferences
        self.tabs = QTabWidget(self)
        self.tabs.setObjectName("preferences.pages")
        pages: dict[str, QFormLayout] = {}
        for field in FIELDS:
            if field.hidden:
                continue
            if field.page not in pages:
                page = QWidget(self)
                pages[field.page] = QFormLayout(page)
                pages[field.page].setContentsMargins(16, 16, 16, 16)
                pages[field.page].setVerticalSpacing(4)
                self.tabs.addTab(page, field.page)
            help_ = QLabel(field.help, self)
            help_.setProperty("role", "muted")
            help_.setWordWrap(True)
            pages[field.page].addRow(field.title, self._editor(field))
            pages[field.page].addRow("", help_)
        if maps is not None:
            self.tabs.addTab(self._keyboard(maps), "Keyboard")
        close = QPushButton("Close", self)
        close.setObjectName("preferences.close")
        close.setToolTip("Close this window (Esc)")
        close.clicked.connect(self.accept)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.tabs, 1)
        layout.addLayout(row)

    def _keyboard(self, maps: KeyMaps) -> QWidget:
        """The page that chooses a key map."""
        page = QWidget(self)
        form = QFormLayout(page)
        form.setContentsMargins(16, 16, 16, 16)
        form.setVerticalSpacing(4)
        chooser = QComboBox(page)
        chooser.setObjectName("preference.key_map")
        chooser.setAccessibleName("Key map")
        chooser.setToolTip("Which keys mean which commands; in force at once")
        chooser.activated.connect(lambda index: maps.choose(chooser.itemData(index)))

        def show() -> None:
            blocked = chooser.blockSignals(True)
            chooser.clear()
            for keymap in maps.maps:
                chooser.addItem(keymap.name, keymap.id)
            chooser.setCurrentIndex(chooser.findData(maps.current.id))
            chooser.blockSignals(blocked)

        maps.changed.connect(show)
        self.finished.connect(lambda _result: maps.changed.disconnect(show))
        show()
        edit = QPushButton("Edit keys…", page)
        edit.setObjectName("preferences.edit_keys")
        edit.setToolTip("Give commands other keys, import, export and print maps")
        edit.clicked.connect(self.keys_wanted)
        help_ = QLabel("Keys as in Gen2 Studio, Premiere Pro or DaVinci Resolve, or a map of your own.", page)
        help_.setProperty("role", "muted")
        help_.setWordWrap(True)
        form.addRow("Key map", chooser)
        form.addRow("", help_)
        form.addRow("", edit)
        return page

    def _editor(self, field: Field) -> QWidget:
        value = self._preferences.get(field.name)
        if isinstance(field.default, bool):
            box = QCheckBox(self)
            box.setChecked(value)
            box.toggled.connect(lambda on: self._preferences.set(field.name, on))
            editor: QWidget = box
        elif field.choices:
            combo = QComboBox(self)
            combo.addItems(list(field.choices))
            combo.setCurrentText(value)
            combo.currentTextChanged.connect(lambda text: self._preferences.set(field.name, text))
            editor = combo
        else:
            whole = isinstance(field.default, int)
            spin = QSpinBox(self) if whole else QDoubleSpinBox(self)
            low, high = field.low or 0, field.high or 0
            if isinstance(spin, QSpinBox):
                spin.setRange(int(low), int(high))
            else:
                spin.setRange(low, high)
            spin.setValue(value)
            spin.setSuffix(f" {field.unit}" if field.unit else "")
            spin.setKeyboardTracking(False)
            spin.valueChanged.connect(lambda number: self._preferences.set(field.name, number))
            editor = spin
        editor.setObjectName(f"preference.{field.name}")
        editor.setAccessibleName(field.title)
        editor.setToolTip(field.help)
        return editor
