"""A named slider with a number field, a unit and a reset: how every generation control is set."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QLabel, QSlider, QToolButton, QWidget

from gen2studio.ui import theme
from gen2studio.ui.widgets.middle_slider import MiddleSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard


class _Name(QLabel):
    double_clicked = Signal()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()
        self.double_clicked.emit()


class ValueSlider(QWidget):
    """``value_changed`` follows every move; ``value_committed`` comes once when a gesture ends.

    A gesture ends with the release of the mouse, a key, a turn of the wheel, Enter in the field, or reset.

    With ``logarithmic`` the slider moves in equal ratios (low must be > 0). Double click on the name resets.
    ``compact`` puts everything on one line. A range across zero is filled from its middle. ``zero_words`` is shown in
    the field in place of the lowest value ("model default").
    """

    value_changed = Signal(float)
    value_committed = Signal(float)

    def __init__(
        self,
        name: str,
        title: str,
        *,
        low: float,
        high: float,
        default: float,
        step: float = 0.05,
        decimals: int = 2,
        unit: str = "",
        tip: str = "",
        low_label: str = "",
        high_label: str = "",
        logarithmic: bool = False,
        compact: bool = False,
        zero_words: str = "",
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName(name)
        self._low, self._high, self._default = low, high, default
        self._step = step
        self._log = logarithmic
        self._value = default
        self._quiet = False

        self.label = _Name(title, self)
        self.label.setToolTip(tip)
        self.label.double_clicked.connect(self.reset)
        self.slider = MiddleSlider(self) if low < 0 < high else QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setObjectName(f"{name}.slider")
        self.slider.setAccessibleName(title)
        self.slider.setAccessibleDescription(tip)
        self.slider.setToolTip(tip)
        self.slider.setRange(0, 1000 if logarithmic else max(1, round((high - low) / step)))
        self.slider.setMinimumWidth(70)
        self.field = QDoubleSpinBox(self)
        self.field.setObjectName(f"{name}.field")
        self.field.setAccessibleName(f"{title} value")
        self.field.setToolTip(tip)
        self.field.setRange(low, high)
        self.field.setDecimals(decimals)
        self.field.setSingleStep(step)
        self.field.setSuffix(f" {unit}" if unit else "")
        self.field.setProperty("plain", True)
        self.field.setAlignment(Qt.AlignmentFlag.AlignRight)
        self.field.setKeyboardTracking(False)
        self.field.setFixedWidth(72)
        if zero_words:
            self.field.setSpecialValueText(zero_words)
            self.field.setFixedWidth(108)
        for widget in (self.slider, self.field):
            WheelGuard(widget)
        self.reset_button = QToolButton(self)
        self.reset_button.setObjectName(f"{name}.reset")
        self.reset_button.setAccessibleName(f"Reset {title}")
        self.reset_button.setIcon(theme.icon("rotate-ccw", "text_muted"))
        self.reset_button.setIconSize(theme.icon_size(12))
        self.reset_button.setFixedSize(20, 20)
        self.reset_button.setAutoRaise(True)

        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setHorizontalSpacing(theme.SPACING)
        layout.setVerticalSpacing(1)
        if compact:
            self.label.setFixedWidth(74)
            self.field.setFixedWidth(56)
            for column, widget in enumerate((self.label, self.slider, self.field, self.reset_button)):
                layout.addWidget(widget, 0, column)
            layout.setColumnStretch(1, 1)
        else:
            self._lay_out(layout, low_label, high_label)
        self.slider.valueChanged.connect(self._on_slider_moved)
        self.slider.sliderReleased.connect(self._commit)
        self.field.valueChanged.connect(self._on_field_changed)
        self.reset_button.clicked.connect(self.reset)
        self.set_value(default)

    def add_beside_name(self, widget: QWidget) -> None:
        """Put a small widget between the name and the number."""
        layout = self.layout()
        assert isinstance(layout, QGridLayout)
        layout.removeWidget(self.label)
        layout.addWidget(self.label, 0, 0)
        layout.addWidget(widget, 0, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _lay_out(self, layout: QGridLayout, low_label: str, high_label: str) -> None:
        layout.addWidget(self.label, 0, 0, 1, 2)
        layout.addWidget(self.field, 0, 2)
        layout.addWidget(self.reset_button, 0, 3)
        layout.addWidget(self.slider, 1, 0, 1, 4)
        if low_label or high_label:
            left, right = QLabel(low_label, self), QLabel(high_label, self)
            for label in (left, right):
                label.setProperty("role", "faint")
                font = label.font()
                font.setPointSizeF(font.pointSizeF() - 1.5)
                label.setFont(font)
            right.setAlignment(Qt.AlignmentFlag.AlignRight)
            layout.addWidget(left, 2, 0)
            layout.addWidget(right, 2, 1, 1, 3)
        layout.setColumnStretch(0, 1)
        layout.setColumnStretch(1, 1)

    @property
    def value(self) -> float:
        return self._value

    @property
    def default(self) -> float:
        return self._default

    def set_range(self, low: float, high: float) -> None:
        """Change what may be chosen, for controls whose range is the model's; the value stays where it can."""
        if (low, high) == (self._low, self._high):
            return
        self._low, self._high = low, high
        self._quiet = True
        self.slider.setRange(0, 1000 if self._log else max(1, round((high - low) / self._step)))
        self.field.setRange(low, high)
        self._quiet = False
        self.set_value(self._value)

    def set_default(self, default: float) -> None:
        """Change what reset goes back to, for controls whose neutral depends on the preset."""
        self._default = default
        self._show_reset()

    def set_value(self, value: float) -> None:
        """Show ``value`` (clamped to the range) without any signal."""
        self._value = min(self._high, max(self._low, value))
        self._quiet = True
        self.slider.setValue(self._to_slider(self._value))
        self.field.setValue(self._value)
        self._quiet = False
        self._show_reset()

    def reset(self) -> None:
        self._take(self._default)
        self._commit()

    def _show_reset(self) -> None:
        changed = not math.isclose(self._value, self._default, abs_tol=self._step / 2)
        self.reset_button.setEnabled(changed)
        self.reset_button.setToolTip(f"Back to {self._default:g}" if changed else "Already at its default")

    def _to_slider(self, value: float) -> int:
        if self._log:
            return round(1000 * math.log(value / self._low) / math.log(self._high / self._low))
        return round((value - self._low) / self._step)

    def _from_slider(self, position: int) -> float:
        if self._log:
            return self._low * (self._high / self._low) ** (position / 1000)
        return min(self._high, self._low + position * self._step)

    def _take(self, value: float) -> None:
        self.set_value(value)
        self.value_changed.emit(self._value)

    def _commit(self) -> None:
        self.value_committed.emit(self._value)

    def _on_slider_moved(self, position: int) -> None:
        if self._quiet:
            return
        self._take(self._from_slider(position))
        if not self.slider.isSliderDown():
            self._commit()

    def _on_field_changed(self, value: float) -> None:
        if not self._quiet:
            self._take(value)
            self._commit()
