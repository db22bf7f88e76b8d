"""The refine section: every step of the chosen object's stack, with keys, reset, bypass, copy and paste."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.mask_refining import STEPS, Step
from gen2studio.ui import theme
from gen2studio.ui.widgets.value_slider import ValueSlider

_SIZES = ("despeckle", "fill_holes")
"""Steps that count pixels: small numbers matter most, so their sliders go by ratios and begin at 1, which is off."""


class RefineSection(QWidget):
    """Works on the current object and the frame in the viewer; what a slider does is seen while it moves."""

    def __init__(self, masks: MaskEditing, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("masks.refine_section")
        self._masks = masks
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(self._head())
        self.sliders: dict[str, ValueSlider] = {}
        self.keys: dict[str, QToolButton] = {}
        for step in STEPS:
            layout.addLayout(self._row(step))
        masks.objects_changed.connect(self.show_stack)
        masks.session.mask_object_changed.connect(lambda _object: self.show_stack())
        self.show_stack()

    def _head(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        self.enabled = QCheckBox("Use refinement", self)
        self.enabled.setObjectName("masks.refine.enabled")
        self.enabled.setAccessibleName("Use refinement")
        self.enabled.setToolTip("Off: show and use the matte as it was drawn; the settings stay.")
        self.enabled.clicked.connect(lambda on: self._masks.attempt(lambda: self._masks.refining.set_enabled(on)))
        row.addWidget(self.enabled)
        row.addStretch(1)
        refining = self._masks.refining
        self.copy_button = self._tool("copy", "Copy refinement", "Remember these settings.", refining.copy)
        self.paste_button = self._tool(
            "paste", "Paste refinement", "Give this object the settings that were copied.", refining.paste,
            icon="clipboard-paste",
        )  # fmt: skip
        self.reset_button = self._tool(
            "reset", "Reset refinement", "Take every step back to nothing.", refining.reset_all, icon="rotate-ccw"
        )
        for button in (self.copy_button, self.paste_button, self.reset_button):
            row.addWidget(button)
        return row

    def _tool(self, name: str, title: str, tip: str, command: object, icon: str = "") -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"masks.refine.{name}")
        button.setAccessibleName(title)
        button.setToolTip(f"{title}\n{tip}")
        button.setIcon(theme.icon(icon or name))
        button.setIconSize(theme.icon_size(15))
        button.setFixedSize(26, 26)
        button.clicked.connect(lambda: self._masks.attempt(command))  # type: ignore[arg-type]
        return button

    def _row(self, step: Step) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(2)
        key = QToolButton(self)
        key.setObjectName(f"masks.refine.{step.name}.key")
        key.setAccessibleName(f"Key of {step.title}")
        key.setToolTip(f"Key of {step.title}")
        key.setIconSize(theme.icon_size(11))
        key.setFixedSize(20, 20)
        key.setAutoRaise(True)
        key.setCheckable(True)
        key.clicked.connect(lambda _on: self._on_key(step.name))
        sized = step.name in _SIZES
        slider = ValueSlider(
            f"masks.refine.{step.name}", step.title, low=1 if sized else step.low, high=step.high,
            default=1 if sized else 50 if step.name == "edge_detail" else 0,
            step=0.5 if step.decimals else 1, decimals=step.decimals, unit=step.unit, tip=step.tip,
            logarithmic=sized, compact=True, parent=self,
        )  # fmt: skip
        slider.field.setFixedWidth(66)
        slider.label.setFixedWidth(82)
        if sized:
            slider.field.setSpecialValueText("off")
        slider.value_changed.connect(lambda value: self._on_value(step, value))
        slider.value_committed.connect(lambda _value: self._masks.refining.end_gesture())
        slider.reset_button.clicked.disconnect()
        slider.reset_button.clicked.connect(lambda: self._masks.attempt(lambda: self._masks.refining.reset(step.name)))
        row.addWidget(key, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(slider, 1)
        # Steps without keys keep the room, so that all sliders stand in one column.
        policy = key.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        key.setSizePolicy(policy)
        key.setVisible(step.keyed)
        self.sliders[step.name], self.keys[step.name] = slider, key
        return row

    # -- what happens ----------------------------------------------------------------------------------------------

    def _on_value(self, step: Step, shown: float) -> None:
        value = 0.0 if step.name in _SIZES and shown <= 1 else shown / step.factor
        if not self._masks.attempt(lambda: self._masks.refining.set_value(step.name, value)):
            self.show_stack()

    def _on_key(self, name: str) -> None:
        self._masks.attempt(lambda: self._masks.refining.toggle_key(name))
        self.show_stack()

    def show_stack(self) -> None:
        """Show the chosen object's values on the frame in the viewer."""
        masks, refining = self._masks, self._masks.refining
        owner = masks.current()
        free = owner is not None and not owner.locked
        self.enabled.setChecked(refining.stack.enabled)
        self.enabled.setEnabled(free)
        self.copy_button.setEnabled(owner is not None)
        self.paste_button.setEnabled(free and refining.copied is not None)
        self.reset_button.setEnabled(free and refining.stack != type(refining.stack)())
        for step in STEPS:
            slider, key = self.sliders[step.name], self.keys[step.name]
            slider.setEnabled(free)
            slider.set_value(refining.value(step.name) * step.factor)
            if not step.keyed:
                continue
            here, keyed = refining.is_key(step.name), refining.has_keys(step.name)
            if keyed:
                slider.reset_button.setEnabled(True)
                slider.reset_button.setToolTip(f"Remove the keys of {step.title}")
            key.setEnabled(free)
            key.setChecked(here)
            key.setIcon(theme.icon("diamond", "accent" if keyed else "text_faint"))
            if here:
                key.setToolTip(f"Remove the key of {step.title} on this frame")
            elif keyed:
                key.setToolTip(f"{step.title} changes over the clip: add a key on this frame")
            else:
                key.setToolTip(f"Let {step.title} change over the clip: add a key on this frame")
