"""The library of trained adapters: use one in the look with a strength, rename, import, delete."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QIcon, QImage, QKeyEvent, QPixmap
from PySide6.QtWidgets import (
    QComboBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMessageBox,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.adapter_shelf import AdapterCard, AdapterShelf
from gen2studio.app.generation import Generation
from gen2studio.document.look import AdapterUse, Look
from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import chooser, named, note, text_button
from gen2studio.ui.widgets.pictures import image_from_file
from gen2studio.ui.widgets.retire import retire
from gen2studio.ui.widgets.value_slider import ValueSlider

_FRAME = QSize(36, 28)


class _NameField(QLineEdit):
    """Esc takes the typing back."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self._before = text

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.setText(self._before)
            self.clearFocus()
        else:
            super().keyPressEvent(event)


class AdapterRowWidget(QFrame):
    """One adapter: name and facts, and where it fits, a strength for the look."""

    def __init__(self, index: int, card: AdapterCard, section: AdapterLibrarySection) -> None:
        super().__init__(section)
        self.card = card
        name = f"library.{index}"
        self.setObjectName(name)
        self.name_field = named(_NameField(card.name, self), f"{name}.name", f"Name of {card.name}", "Rename")
        self.name_field.setFrame(False)
        self.name_field.setStyleSheet("QLineEdit { background: transparent; border: none; padding: 2px 0; }")
        self.name_field.editingFinished.connect(lambda: section.rename(card, self.name_field.text()))
        self.remove_button = text_button(
            f"{name}.delete", f"Delete {card.name}", "trash-2", "Delete this adapter from the library",
            lambda: section.ask_delete(card), self, text=False,
        )  # fmt: skip
        self.remove_button.setIconSize(theme.icon_size(14))
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(self.name_field, 1)
        if card.trigger:
            word = QLabel(f"“{card.trigger}”", self)
            word.setProperty("role", "muted")
            word.setToolTip(f"Write “{card.trigger}” in a prompt to call it")
            top.addWidget(word)
        top.addWidget(self.remove_button)
        facts = ElidedLabel(" · ".join(part for part in (card.base, card.facts) if part), parent=self)
        facts.setProperty("role", "faint")
        facts.setToolTip(facts.full_text)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 2, 0, 6)
        column.setSpacing(1)
        column.addLayout(top)
        column.addWidget(facts)
        if card.why_not or card.caution:
            column.addWidget(self._sentence(card.why_not or card.caution))
        self.step: QComboBox | None = self._step_chooser(name, section) if len(card.steps) > 1 else None
        if self.step is not None:
            column.addSpacing(4)
            column.addWidget(self.step)
            column.addSpacing(2)
        self.strength: ValueSlider | None = None
        self.use_button: QPushButton | None = None
        if card.word and not card.why_not:
            self.use_button = named(
                QPushButton(self), f"{name}.use", f"Use {card.name} in this clip",
                f"Let this clip's prompts say “{card.trigger}”: the prompt to have it, the negative one to keep it out",
            )  # fmt: skip
            self.use_button.setCheckable(True)
            self.use_button.clicked.connect(lambda on: section.use(card, 1.0 if on else 0.0))
            column.addSpacing(4)
            column.addWidget(self.use_button)
            self.show_strength(0.0)
        elif not card.why_not:
            self.strength = ValueSlider(
                f"{name}.strength", "Strength", low=0, high=2, default=0, step=0.05, decimals=2, unit="×",
                tip=f"How strongly {card.name} acts in the look of this clip: 0 is off, 1 as trained", compact=True,
                parent=self,
            )  # fmt: skip
            self.strength.value_committed.connect(lambda value: section.use(card, value))
            column.addWidget(self.strength)

    def show_strength(self, strength: float) -> None:
        """How strongly the adapter acts in the look; of a word, whether it is in use."""
        if self.strength is not None:
            self.strength.set_value(strength)
        if self.use_button is not None:
            self.use_button.setChecked(strength > 0)
            self.use_button.setText("In use in this clip" if strength > 0 else "Use in this clip")

    def _step_chooser(self, name: str, section: AdapterLibrarySection) -> QComboBox:
        """The kept steps of the training, each with its loss and its test frame."""
        box = chooser(
            f"{name}.step", f"Training step of {self.card.name}",
            "Which step of its training it is: earlier ones are freer, later ones closer to the images", [], self,
        )  # fmt: skip
        box.setIconSize(_FRAME)
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        for kept in self.card.steps:
            loss = f" · loss {kept.loss:.3f}" if kept.loss is not None else ""
            picture = image_from_file(kept.picture, _FRAME * 2) if kept.picture is not None else QImage()
            box.addItem(QIcon(QPixmap.fromImage(picture)), f"Step {kept.step}{loss}", kept.step)
        box.setCurrentIndex(box.findData(self.card.step))
        box.activated.connect(lambda row: section.use_step(self.card, int(box.itemData(row))))
        return box

    def _sentence(self, text: str) -> QLabel:
        label = note(self, "warning")
        label.setText(text)
        return label


class AdapterLibrarySection(QWidget):
    """Binds to the shelf and to the look that the generate panel edits."""

    def __init__(
        self, shelf: AdapterShelf, generation: Generation, model: Callable[[], str], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("customize.library")
        self._shelf = shelf
        self._generation = generation
        self._model = model
        self._shown: tuple[AdapterCard, ...] | None = None
        self.rows: list[AdapterRowWidget] = []
        self.hint = note(self, name="library.hint")
        self.hint.setText("Adapters that you train or import are kept here, for every project.")
        self._column = QVBoxLayout()
        self._column.setSpacing(0)
        import_button = text_button(
            "library.import", "Import adapter…", "import",
            "Bring in a LoRA or a learned word (.safetensors) made for this model", self._on_import, self,
        )  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACING)
        layout.addWidget(self.hint)
        layout.addLayout(self._column)
        layout.addWidget(import_button, 0, Qt.AlignmentFlag.AlignLeft)
        shelf.changed.connect(self.refresh)
        generation.look_changed.connect(self._on_look_changed)
        self.refresh()

    def refresh(self) -> None:
        """Read the library again."""
        cards = self._shelf.cards(self._model())
        if cards != self._shown:
            self._shown = cards
            for row in self.rows:
                self._column.removeWidget(row)
                retire(row)
            self.rows = [AdapterRowWidget(index, card, self) for index, card in enumerate(cards)]
            for row in self.rows:
                self._column.addWidget(row)
            self.hint.setVisible(not cards)
        self._on_look_changed(self._generation.look)

    def _on_look_changed(self, look: Look) -> None:
        strengths = {use.adapter: use.strength for use in look.adapters}
        for row in self.rows:
            row.show_strength(strengths.get(row.card.id, 0.0))

    def rename(self, card: AdapterCard, name: str) -> None:
        if name.strip() and name.strip() != card.name:
            self._shelf.rename(card.id, name)

    def use_step(self, card: AdapterCard, step: int) -> None:
        """Make the adapter what it was after another step of its training."""
        if step != card.step:
            self._shelf.use_step(card.id, step)

    def use(self, card: AdapterCard, strength: float) -> None:
        """Put the adapter into the look at this strength; 0 takes it out."""
        look = self._generation.look
        rest = tuple(use for use in look.adapters if use.adapter != card.id)
        if strength <= 0:
            if len(rest) != len(look.adapters):
                self._generation.change("Remove adapter", adapters=rest)
            return
        if len(rest) != len(look.adapters):
            uses = tuple(replace(u, strength=strength) if u.adapter == card.id else u for u in look.adapters)
            self._generation.change("Adapter strength", merge_key=f"adapter-{card.id}", adapters=uses)
        else:
            self._generation.change("Add adapter", adapters=(*rest, AdapterUse(adapter=card.id, strength=strength)))

    def ask_delete(self, card: AdapterCard) -> None:
        """Deleting a file can't be undone, so it is asked for."""
        box = QMessageBox(QMessageBox.Icon.NoIcon, "Delete adapter", f"Delete “{card.name}”?", parent=self)
        box.setObjectName("library.confirm")
        box.setInformativeText("Its file is removed from this machine. Takes made with it stay as they are.")
        delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
        box.buttonClicked.connect(lambda button: self._shelf.delete(card.id) if button is delete else None)
        box.finished.connect(box.deleteLater)
        box.open()

    def _on_import(self) -> None:
        kinds = "LoRA adapters and learned words (*.safetensors)"
        name, _ = QFileDialog.getOpenFileName(self, "Import adapter", "", kinds)
        if name:
            self._shelf.import_file(Path(name), self._model())
