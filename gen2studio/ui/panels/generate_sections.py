"""The parts of the generate panel that are rows of plain controls: sliders, where, fill, seed, motion."""

# One slider, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QSignalBlocker
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.generation import Generation
from gen2studio.app.look_keys import LookKeys
from gen2studio.app.motion_brush import MotionBrush
from gen2studio.document.look import KEYED, Controls, Fill, Region
from gen2studio.engine.requests import ControlValues
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.panels.motion_section import MotionSection
from gen2studio.ui.widgets.key_button import KeyButton
from gen2studio.ui.widgets.named import action_button, named
from gen2studio.ui.widgets.value_slider import ValueSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard

# (field, title, low, high, step, decimals, unit, tip, low label, high label, logarithmic)
_SLIDERS = (
    ("structure", "Structure", 0.0, 7.0, 0.1, 1, "", "0 follows every edge of the footage, 7 keeps only its rough layout", "every edge", "rough layout", False),
    ("style_weight", "Style weight", 0.0, 2.0, 0.05, 2, "×", "How strongly colour and marks of the style are applied", "subtle", "strong", False),
    ("stroke_size", "Stroke size", 0.25, 4.0, 0.05, 2, "×", "Size of brush marks relative to the style image", "fine", "coarse", True),
    ("consistency", "Frame consistency", 0.0, 2.0, 0.05, 2, "×", "How much frames are held together: 1 is neutral, 0 lets each frame be its own", "lively", "steady", False),
    ("strength", "Strength", 0.0, 1.0, 0.01, 2, "", "Mix of result and source: 1 is the full look", "source", "full look", False),
    ("protect_skin", "Protect skin", 0.0, 1.0, 0.05, 2, "", "Keep the source's own colours and features on skin", "off", "keep", False),
    ("preserve_luminance", "Keep shading", 0.0, 1.0, 0.05, 2, "", "Region edits keep the subject's own light and folds", "flat", "all of it", False),
    ("grow", "Grow mask", -64.0, 64.0, 1.0, 0, "px", "Widen (+) or shrink (−) the subject before use", "", "", False),
    ("feather", "Feather", 0.0, 32.0, 0.5, 1, "px", "Softness of the mask's edge, inwards: nothing outside changes", "", "", False),
)  # fmt: skip
_WHOLE = frozenset({"grow"})
_ENGINE_SIDE = frozenset({"grow", "feather"})
"""The engine works these out for every generator: they are there wherever mattes decide."""
_INSIDE = frozenset({"structure", "strength"})
"""What acts on the footage's own pixels, which stay as they are while room is drawn around them."""


class SliderRows(QWidget):
    """The sliders of :class:`Controls` that the generator honours, with keys where it follows them."""

    def __init__(self, generation: Generation, keys: LookKeys, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._look_keys = keys
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.sliders: dict[str, ValueSlider] = {}
        self.keys: dict[str, KeyButton] = {}
        defaults = ControlValues()
        for field, title, low, high, step, decimals, unit, tip, left, right, log in _SLIDERS:
            slider = ValueSlider(
                f"control.{field}", title, low=low, high=high, default=float(getattr(defaults, field)), step=step, decimals=decimals,
                unit=unit, tip=tip, low_label=left, high_label=right, logarithmic=log, parent=self,
            )  # fmt: skip
            slider.value_committed.connect(lambda value, f=field, t=title: self._put(generation, f, t, value))
            self.sliders[field] = slider
            column.addWidget(slider)
            if field in KEYED:
                key = self.keys[field] = KeyButton(f"control.{field}.key", title, slider)
                key.clicked.connect(lambda _on, f=field: self._toggle(f))
                slider.add_beside_name(key)
                slider.reset_button.clicked.disconnect()
                slider.reset_button.clicked.connect(lambda _checked=False, f=field: self._reset(f))
        keys.values_changed.connect(self._show_values)

    def shown(self, state: PanelState) -> frozenset[str]:
        """The sliders that do something now."""
        return frozenset(
            field
            for field in self.sliders
            if (state.masked if field in _ENGINE_SIDE else field in state.ability.controls)
            and not (state.reframed and field in _INSIDE)
        )

    def show_state(self, state: PanelState) -> None:
        shown = self.shown(state)
        for field, slider in self.sliders.items():
            slider.setVisible(field in shown)
            if field == "strength":
                slider.set_default(state.ability.strength)
        self._show_values()

    def _show_values(self) -> None:
        """The values under the playhead."""
        keys = self._look_keys
        for field, slider in self.sliders.items():
            value = float(keys.value(field))
            slider.set_value(slider.default if field == "strength" and value < 0 else value)
            button = self.keys.get(field)
            if button is None:
                continue
            keyed, possible = keys.has(field), keys.can_have(field)
            button.setVisible(keyed or possible)
            button.show_state(animated=keyed, here=keys.here(field), possible=keyed or possible)
            if keyed:
                slider.reset_button.setEnabled(True)
                slider.reset_button.setToolTip("Remove the keys; the value on this frame stays")
                if not possible:
                    button.setToolTip("This generator can't change it over a clip: the first key's value holds")

    def _toggle(self, field: str) -> None:
        self._look_keys.toggle(field)
        self._show_values()

    def _reset(self, field: str) -> None:
        if self._look_keys.has(field):
            self._look_keys.clear(field)
        else:
            self.sliders[field].reset()

    def _put(self, generation: Generation, field: str, title: str, value: float) -> None:
        at_default = abs(value - self.sliders[field].default) < 1e-6
        if field == "strength" and at_default and not self._look_keys.has(field):
            # As the generator is best used, whichever runs the look.
            value = Controls().strength
        generation.change(title, merge_key=f"slider-{field}", **{field: round(value) if field in _WHOLE else value})


C = TypeVar("C")


class ChoiceRow(QWidget):
    """A few alternatives side by side, as wide as the panel."""

    def __init__(
        self,
        prefix: str,
        spoken: str,
        choices: tuple[tuple[str, str, str], ...],
        chosen: Callable[[int], object],
        parent: QWidget | None = None,
    ) -> None:
        """``choices`` are (value for the name, title, tip); ``chosen`` is called with the index of the clicked one."""
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        for index, (value, title, tip) in enumerate(choices):
            button = named(QPushButton(title, self), f"{prefix}.{value}", f"{spoken} {title.lower()}", tip)
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._group.addButton(button, index)
            row.addWidget(button)
        self._group.idClicked.connect(chosen)

    def show_choice(self, index: int) -> None:
        self._group.button(index).setChecked(True)

    def set_offered(self, index: int, offered: bool) -> None:
        """Show or hide one of the alternatives."""
        self._group.button(index).setVisible(offered)


class RegionRow(ChoiceRow):
    """Where the picture changes."""

    def __init__(self, generation: Generation, parent: QWidget | None = None) -> None:
        super().__init__(
            "region", "Change",
            (
                ("all", "Everything", "The whole picture changes"),
                ("foreground", "Subject", "Only inside the mask; outside, every pixel stays the source's own"),
                ("background", "Background", "Only outside the mask; the subject stays the source's own"),
            ),
            lambda index: generation.change("Where", region=list(Region)[index]),
            parent,
        )  # fmt: skip

    def show_state(self, state: PanelState) -> None:
        self.show_choice(list(Region).index(state.look.region))


class FillRow(ChoiceRow):
    """What a mask edit may do with the subject's outline."""

    def __init__(self, generation: Generation, parent: QWidget | None = None) -> None:
        super().__init__(
            "fill", "Fill",
            (
                ("shape", "Keep shape", "The subject keeps its shape and its folds: structure goes on inside the mask"),
                ("free", "Free", "The model invents what fills the mask"),
            ),
            lambda index: generation.change("Mask fill", fill=(Fill.SHAPE, Fill.FREE)[index]),
            parent,
        )  # fmt: skip

    def show_state(self, state: PanelState) -> None:
        self.show_choice((Fill.SHAPE, Fill.FREE).index(state.look.fill))


class SeedRow(QWidget):
    """The seed, a die, and whether it is kept."""

    def __init__(self, generation: Generation, new_seed: QAction, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self.seed = named(QSpinBox(self), "seed", "Seed", "The same seed gives the same clip")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setKeyboardTracking(False)
        self.seed.setProperty("plain", True)
        self.seed.valueChanged.connect(lambda v: generation.change("Seed", merge_key="seed", seed=v))
        WheelGuard(self.seed)
        self.lock = named(
            QCheckBox("Keep", self), "seed.lock", "Keep the seed", "Keep this seed; otherwise every run takes a new one"
        )
        self.lock.toggled.connect(lambda on: generation.change("Keep seed", seed_locked=on))
        row.addWidget(self.seed, 1)
        row.addWidget(action_button(new_seed, self))
        row.addWidget(self.lock)

    def show_state(self, state: PanelState) -> None:
        with QSignalBlocker(self.seed), QSignalBlocker(self.lock):
            self.seed.setValue(state.look.seed)
            self.lock.setChecked(state.look.seed_locked)


class MotionPage(QWidget):
    """General motion of a shot, and the brush that says what moves where."""

    def __init__(
        self, generation: Generation, motion: MotionBrush, paint: QAction, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.general = ValueSlider(
            "control.motion", "General motion", low=0, high=10, default=5, step=0.5, decimals=1,
            tip="How much moves in the shot; 5 is as the model likes it", low_label="nearly still", high_label="lively", parent=self,
        )  # fmt: skip
        self.general.value_committed.connect(
            lambda value: generation.change("General motion", merge_key="slider-motion", motion=value)
        )
        self.brush = MotionSection(motion, paint, self)
        column.addWidget(self.general)
        column.addWidget(self.brush)

    def show_state(self, state: PanelState) -> None:
        self.general.setVisible(state.honours("motion"))
        self.general.set_value(state.look.controls.motion)
        self.brush.setVisible(state.honours("motion_brush"))
        self.brush.show_look(state.look)
