"""Preferences: one page made from the declared fields; changes take effect at once."""

from __future__ import annotations

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

from gen2studio.app.preferences import FIELDS, Field, Preferences


class PreferencesDialog(QDialog):
    def __init__(self, preferences: Preferences, parent: QWidget) -> None:
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
