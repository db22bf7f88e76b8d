"""The rows of the inspector: one parameter with its keys, and plain facts beside their names."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QComboBox, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from gen2studio.app.clip_curves import CurveKind
from gen2studio.app.clip_inspecting import CurveState
from gen2studio.ui import theme
from gen2studio.ui.widgets.key_button import KeyButton
from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.number_field import NumberField

LABEL_WIDTH = 92
FIELD_WIDTH = 92


class RowName(QLabel):
    """A parameter's name; a double click resets it."""

    double_clicked = Signal()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.double_clicked.emit()


def row_name(title: str, tip: str, parent: QWidget) -> RowName:
    label = RowName(title, parent)
    label.setToolTip(tip)
    label.setProperty("role", "muted")
    label.setFixedWidth(LABEL_WIDTH)
    return label


def small_button(
    name: str, title: str, icon: str, tip: str, clicked: Callable[[], object], parent: QWidget
) -> QToolButton:
    """A quiet square button of the height of a row."""
    button = named(QToolButton(parent), name, title, tip)
    button.setIcon(theme.icon(icon, "text_muted"))
    button.setIconSize(theme.icon_size(12))
    button.setFixedSize(20, 20)
    button.setAutoRaise(True)
    button.clicked.connect(lambda _checked=False: clicked())
    return button


class CurveRow(QWidget):
    """Name, number, previous key, key, next key, reset.

    ``edited`` carries the value (not the shown number) and the gesture it belongs to.
    """

    edited = Signal(str, float, int)
    key_toggled = Signal(str)
    key_wanted = Signal(str, int)
    reset_wanted = Signal(str)

    def __init__(self, kind: CurveKind, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = kind
        name = kind.name
        self.setObjectName(f"inspector.{name}")
        self.label = row_name(kind.label, f"{kind.label}\nDouble click resets it.", self)
        self.label.double_clicked.connect(lambda: self.reset_wanted.emit(name))
        self.field = NumberField(
            f"inspector.{name}.field",
            kind.label,
            low=kind.shown(kind.low),
            high=kind.shown(kind.high),
            step=kind.step,
            decimals=kind.decimals,
            unit=kind.unit,
            parent=self,
        )
        self.field.setMinimumWidth(64)
        self.field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.field.edited.connect(self._on_edited)
        self.previous = small_button(
            f"inspector.{name}.previous",
            f"Previous key of {kind.label}",
            "chevron-left",
            f"Go to the previous key of {kind.label}",
            lambda: self.key_wanted.emit(name, -1),
            self,
        )
        self.key = KeyButton(f"inspector.{name}.key", kind.label, self)
        self.key.clicked.connect(lambda _checked=False: self.key_toggled.emit(name))
        self.next = small_button(
            f"inspector.{name}.next",
            f"Next key of {kind.label}",
            "chevron-right",
            f"Go to the next key of {kind.label}",
            lambda: self.key_wanted.emit(name, 1),
            self,
        )
        self.reset = small_button(
            f"inspector.{name}.reset",
            f"Reset {kind.label}",
            "rotate-ccw",
            f"Put {kind.label} back to {kind.text(kind.default)} and remove its keys",
            lambda: self.reset_wanted.emit(name),
            self,
        )
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addWidget(self.label)
        layout.addWidget(self.field, 1)
        layout.addSpacing(4)
        for widget in (self.previous, self.key, self.next, self.reset):
            layout.addWidget(widget)

    def _on_edited(self, shown: float, gesture: int) -> None:
        self.edited.emit(self.kind.name, self.kind.value_of(shown), gesture)

    def show_state(self, state: CurveState) -> None:
        if state.kind is not self.kind:
            # Another timeline: positions are in pixels of its frame.
            self.kind = state.kind
            self.field.setRange(self.kind.shown(self.kind.low), self.kind.shown(self.kind.high))
        shown = state.kind.shown(state.value)
        if state.mixed:
            self.field.set_mixed(shown)
        else:
            self.field.show_value(shown)
        self.key.show_state(animated=state.animated, here=state.key_here, possible=state.can_key, why_not=state.why_not)
        self.previous.setEnabled(state.earlier)
        self.next.setEnabled(state.later)
        self.reset.setEnabled(state.touched)


class FactRows(QWidget):
    """Facts in two columns: name and control."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(2)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)

    def add(self, title: str, control: QWidget, tip: str = "") -> QLabel:
        row = self._grid.rowCount()
        label = row_name(title, tip or title, self)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(control, row, 1)
        return label

    def add_wide(self, control: QWidget) -> None:
        self._grid.addWidget(control, self._grid.rowCount(), 0, 1, 2)


def side_by_side(*widgets: QWidget, parent: QWidget, spacing: int = 4, stretch: bool = False) -> QWidget:
    """Controls on one line, pushed to the left unless ``stretch``."""
    line = QWidget(parent)
    layout = QHBoxLayout(line)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for widget in widgets:
        layout.addWidget(widget, 1 if stretch else 0)
    if not stretch:
        layout.addStretch(1)
    return line


def choose_data(combo: QComboBox, data: object) -> None:
    """Show the row with ``data`` without a signal; a value the rows lack (mixed) shows nothing."""
    combo.blockSignals(True)
    combo.setCurrentIndex(next((row for row in range(combo.count()) if combo.itemData(row) == data), -1))
    combo.blockSignals(False)
    combo.setPlaceholderText("–")


def show_tri_state(box: QWidget, value: object, mixed: object) -> None:
    """A check box on, off, or half when the clips differ."""
    from PySide6.QtWidgets import QCheckBox

    assert isinstance(box, QCheckBox)
    box.blockSignals(True)
    if value is mixed:
        box.setTristate(True)
        box.setCheckState(Qt.CheckState.PartiallyChecked)
    else:
        box.setTristate(False)
        box.setChecked(bool(value))
    box.blockSignals(False)
