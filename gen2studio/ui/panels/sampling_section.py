"""How the model samples: guidance, steps, what to keep out of the picture."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QLineEdit, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.named import named
from gen2studio.ui.widgets.value_slider import ValueSlider


class SamplingSection(QWidget):
    """Zero leaves a value to the model, and says what that is."""

    def __init__(self, generation: Generation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._generation = generation
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        self.guidance = ValueSlider(
            "control.guidance", "Guidance", low=0, high=20, default=0, step=0.5, decimals=1, zero_words="model default",
            tip="How strictly the words are followed; high values look harder and may burn out", parent=self,
        )  # fmt: skip
        self.guidance.value_committed.connect(
            lambda value: generation.change("Guidance", merge_key="slider-guidance", guidance=value)
        )
        self.steps = ValueSlider(
            "control.steps", "Steps", low=0, high=100, default=0, step=1, decimals=0, zero_words="model default",
            tip="Denoising steps: more take longer and settle finer detail", parent=self,
        )  # fmt: skip
        self.steps.value_committed.connect(
            lambda value: generation.change("Steps", merge_key="slider-steps", steps=round(value))
        )
        self.reuse = ValueSlider(
            "control.reuse", "Reuse steps", low=0, high=30, default=0, step=1, decimals=0, unit="%", zero_words="off",
            tip="Steps that would change less than this are not computed: a few percent are hard to see, 20 % is quick "
            "and softer", parent=self,
        )  # fmt: skip
        self.reuse.value_committed.connect(
            lambda value: generation.change("Reuse steps", merge_key="slider-reuse", reuse=value)
        )
        self.negative_label = QLabel("Keep out", self)
        self.negative = named(
            QLineEdit(self),
            "negativePrompt",
            "Negative prompt",
            "Words for what should not be in the picture",
        )
        self.negative.setPlaceholderText("for example: blurry, text, watermark")
        self.negative.editingFinished.connect(self._on_negative)
        self.negative_label.setBuddy(self.negative)
        for widget in (self.guidance, self.steps, self.reuse, self.negative_label, self.negative):
            column.addWidget(widget)

    def show_state(self, state: PanelState) -> None:
        guidance, steps = state.abilities.guidance, state.abilities.steps
        self.guidance.setVisible(state.honours("guidance"))
        self.steps.setVisible(state.honours("steps"))
        for slider, scale in ((self.guidance, guidance), (self.steps, steps)):
            if scale[2] > 0:
                slider.set_range(0, scale[2])
                slider.field.setSpecialValueText(f"model: {scale[0]:g}")
        self.guidance.set_value(state.look.controls.guidance)
        self.steps.set_value(state.look.controls.steps)
        self.reuse.setVisible(state.honours("reuse"))
        self.reuse.set_value(state.look.controls.reuse)
        shown = state.honours("negative_prompt")
        self.negative_label.setVisible(shown)
        self.negative.setVisible(shown)
        if not self.negative.hasFocus():
            self.negative.setText(state.look.negative_prompt)

    def _on_negative(self) -> None:
        text = " ".join(self.negative.text().split())
        if text != self._generation.look.negative_prompt:
            self._generation.change("Negative prompt", negative_prompt=text)
