"""What a training makes, an adapter or a word, and the settings that only one of the two has."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QButtonGroup, QHBoxLayout, QLineEdit, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gen2studio.app.customization import Customization
from gen2studio.document.model import TrainingSet
from gen2studio.engine.budget import size_text
from gen2studio.engine.generators import Abilities, WordDefaults
from gen2studio.engine.optimisers import ADAMW, ADAMW_8BIT, TITLES, state_bytes
from gen2studio.engine.requests import LORA, WORD
from gen2studio.ui import theme
from gen2studio.ui.panels.customization_run import heading
from gen2studio.ui.widgets.named import chooser, named, note
from gen2studio.ui.widgets.value_slider import ValueSlider

_METHODS = {
    LORA: ("Adapter", "A LoRA: the model itself draws differently while it is in use. Most faithful."),
    WORD: (
        "Word",
        "Textual inversion: the text encoder learns what your word means, and the model stays as it is. "
        "A few kilobytes; several go together well, and one can be kept out with the negative prompt.",
    ),
}


class MethodRow(QWidget):
    """Adapter or word; a model that can't be taught words says why."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._group = QButtonGroup(self)
        self.buttons: dict[str, QPushButton] = {}
        choices = QHBoxLayout()
        choices.setSpacing(4)
        for method, (title, tip) in _METHODS.items():
            button = named(QPushButton(title, self), f"customize.method.{method}", title, tip)
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.clicked.connect(lambda _checked=False, m=method: self.chosen.emit(m))
            self._group.addButton(button)
            self.buttons[method] = button
            choices.addWidget(button, 1)
        row = QHBoxLayout()
        row.setSpacing(theme.SPACING)
        row.addWidget(heading("Make a", self))
        row.addLayout(choices, 1)
        self.reason = note(self, "muted", "customize.method.reason")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.reason)

    def show_set(self, found: TrainingSet, abilities: Abilities | None) -> None:
        """Show what ``found`` makes, and what the model that learns can be taught."""
        why_not = abilities.training.word_why_not if abilities is not None else ""
        self.buttons[found.method].setChecked(True)
        button = self.buttons[WORD]
        button.setEnabled(not why_not or found.method == WORD)
        button.setToolTip(why_not or _METHODS[WORD][1])
        self.reason.setText(why_not)
        self.reason.setVisible(bool(why_not))


class WordSettings(QWidget):
    """Size and beginning of a word."""

    def __init__(self, customization: Customization, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        defaults = WordDefaults()
        self.vectors = ValueSlider(
            "customize.vectors", "Vectors", low=1, high=defaults.most_vectors, default=defaults.vectors, step=1,
            decimals=0, low_label="one word", high_label="more detail", parent=self,
            tip="Size of the word: each vector takes the place of a word in the prompt. More hold more detail, and "
            "leave less room for what else is said.",
        )  # fmt: skip
        self.vectors.value_committed.connect(
            lambda value: customization.change("Vectors of the word", "train-vectors", vectors=round(value))
        )
        self._customization = customization
        self.initial = named(
            QLineEdit(self), "customize.initial", "Begins as",
            "What it is, in a word or two that the model knows, such as “dog”: the word begins as that",
        )  # fmt: skip
        self.initial.editingFinished.connect(self._on_initial)
        row = QHBoxLayout()
        row.addWidget(heading("Begins as", self))
        row.addWidget(self.initial, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addLayout(row)
        column.addWidget(self.vectors)

    def show_set(self, found: TrainingSet, defaults: WordDefaults) -> None:
        self.vectors.set_default(defaults.vectors)
        self.vectors.set_value(found.vectors or defaults.vectors)
        self.initial.setPlaceholderText("style" if found.kind == "style" else "object")
        if not self.initial.hasFocus() or not self.initial.isModified():
            self.initial.setText(found.initial)

    def _on_initial(self) -> None:
        found, text = self._customization.training_set, " ".join(self.initial.text().split())
        self.initial.setModified(False)
        if found is not None and text != found.initial:
            self._customization.change("What the word begins as", initial=text)


class OptimiserRow(QWidget):
    """AdamW, whole or in 8 bits, with what its state takes: it belongs to the pairs of an adapter alone."""

    def __init__(self, customization: Customization, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = chooser(
            "customize.optimiser", "Optimiser",
            "What turns gradients into steps. In 8 bits it remembers them in a quarter of the memory.",
            [("As memory asks for it", ""), *((TITLES[name], name) for name in (ADAMW, ADAMW_8BIT))], self,
        )  # fmt: skip
        self.box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.box.activated.connect(
            lambda row: customization.change("Optimiser", optimiser=str(self.box.itemData(row) or ""))
        )
        self.figure = note(self, "faint", "customize.optimiser.figure")
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(heading("Optimiser", self))
        row.addWidget(self.box, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(row)
        column.addWidget(self.figure)

    def show_set(self, found: TrainingSet, numbers: int) -> None:
        """``numbers`` are those of the pairs that are trained."""
        self.box.setCurrentIndex(max(0, self.box.findData(found.optimiser)))
        whole, narrow = (_finely(state_bytes(numbers, name)) for name in (ADAMW, ADAMW_8BIT))
        self.figure.setText(f"Its state takes {whole} beside the model; in 8 bits {narrow}.")
        self.figure.setVisible(numbers > 0)


def _finely(count: int) -> str:
    """``3.2 MB``: what an adapter's optimiser takes is little, and the two figures should differ."""
    if count < 1e6:
        return f"{max(1, round(count / 1e3))} KB"
    return f"{count / 1e6:.1f} MB" if count < 1e8 else size_text(count)
