"""The page of the Customization mode: a training set, how it is trained, the training, and what came of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.adapter_shelf import AdapterShelf
from gen2studio.app.customization import Customization
from gen2studio.app.customization_plan import CLIP_SUFFIXES, IMAGE_SUFFIXES
from gen2studio.app.generation import Generation
from gen2studio.document.model import TrainingImage, TrainingSet
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import WordDefaults
from gen2studio.engine.requests import WORD
from gen2studio.ui import theme
from gen2studio.ui.dialogs.crop_dialog import CropDialog
from gen2studio.ui.panels.customization_adapters import AdapterLibrarySection
from gen2studio.ui.panels.customization_images import ImagesSection
from gen2studio.ui.panels.customization_method import MethodRow, OptimiserRow, WordSettings
from gen2studio.ui.panels.customization_run import RunSection, heading
from gen2studio.ui.panels.customization_work import WorkSettings
from gen2studio.ui.widgets.named import chooser, named, note, text_button
from gen2studio.ui.widgets.pictures import image_from_file, image_of
from gen2studio.ui.widgets.section import Section
from gen2studio.ui.widgets.value_slider import ValueSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_FILES = " ".join(f"*{suffix}" for suffix in sorted(IMAGE_SUFFIXES | CLIP_SUFFIXES))
_KINDS = {
    "subject": ("Subject", "A person, an animal, a thing: it should come out as it is"),
    "style": ("Style", "How pictures are made: brushwork, colour, grain"),
}


class CustomizationPanel(QWidget):
    """A column of sections, made to stand in the scrolling generate panel.

    Binds to a :class:`~gen2studio.app.customization.Customization` and the shelf of adapters; strengths of adapters go
    into the look of ``generation``.
    """

    def __init__(
        self, customization: Customization, shelf: AdapterShelf, generation: Generation, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("customizationPanel")
        self._customization = customization
        self._shelf = shelf
        self._quiet = False
        self.images = ImagesSection(customization, self)
        self.images.add_requested.connect(self._on_add)
        self.images.crop_requested.connect(self._on_crop)
        self.run = RunSection(customization, self)
        self.library = AdapterLibrarySection(shelf, generation, self._model_id, self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addWidget(self._build_sets())
        self.sections = {
            name: Section(f"customize.{name}", title, content, open_=shown, parent=self)
            for name, title, content, shown in (
                ("images", "Images and clips", self.images, True),
                ("about", "Name and word", self._build_about(), True),
                ("settings", "Settings", self._build_settings(), False),
                ("training", "Training", self.run, True),
                ("library", "Adapters", self.library, True),
            )
        }
        for section in self.sections.values():
            column.addWidget(section)
        customization.set_changed.connect(self.show_set)
        customization.sets_changed.connect(self._show_sets)
        customization.frame_read.connect(self._on_frame_read)
        self._show_sets()
        self.show_set(customization.training_set)

    # -- building ------------------------------------------------------------------------------------------------------

    def _build_sets(self) -> QWidget:
        holder = QWidget(self)
        self.sets = named(QComboBox(holder), "customize.sets", "Training set", "The set of images to work on")
        self.sets.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        WheelGuard(self.sets)
        self.sets.activated.connect(lambda row: self._customization.choose(str(self.sets.itemData(row))))
        self.new_button = text_button(
            "customize.new", "New training set", "plus", "Start another training set", self._customization.new_set,
            holder, text=False,
        )  # fmt: skip
        self.delete_button = text_button(
            "customize.delete", "Remove training set", "trash-2",
            "Remove this training set from the project (its adapters stay)", self._customization.remove_set, holder,
            text=False,
        )  # fmt: skip
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.sets, 1)
        row.addWidget(self.new_button)
        row.addWidget(self.delete_button)
        return holder

    def _build_about(self) -> QWidget:
        holder = QWidget(self)
        customization = self._customization
        self.name = named(QLineEdit(holder), "customize.name", "Name", "What the adapter is called in the library")
        self.name.editingFinished.connect(lambda: self._rename(self.name.text()))
        self.trigger = named(
            QLineEdit(holder), "customize.trigger", "Trigger word",
            "The word that calls it in a prompt, and that its captions must hold: a made-up one is best",
        )  # fmt: skip
        self.trigger.setPlaceholderText("a made-up word, such as “mydog”")
        self.trigger.editingFinished.connect(self._on_trigger)
        self._kinds = QButtonGroup(holder)
        kinds = QHBoxLayout()
        kinds.setSpacing(4)
        for index, (kind, (title, tip)) in enumerate(_KINDS.items()):
            button = named(QPushButton(title, holder), f"customize.kind.{kind}", title, tip)
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._kinds.addButton(button, index)
            kinds.addWidget(button)
        self._kinds.idClicked.connect(lambda i: customization.change("Subject or style", kind=list(_KINDS)[i]))
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        for title, field in (("Name", self.name), ("Word", self.trigger)):
            row = QHBoxLayout()
            row.addWidget(heading(title, holder))
            row.addWidget(field, 1)
            column.addLayout(row)
        row = QHBoxLayout()
        row.addWidget(heading("Learn a", holder))
        row.addLayout(kinds, 1)
        column.addLayout(row)
        self.method = MethodRow(holder)
        self.method.chosen.connect(self._on_method)
        column.addWidget(self.method)
        return holder

    def _build_settings(self) -> QWidget:
        holder = QWidget(self)
        models = [(a.title, a.id) for a in self._customization.models()]
        self.model = chooser(
            "customize.model", "Model", "The model that learns. An adapter works with the model it was trained on.",
            list(models), holder,
        )  # fmt: skip
        self.model.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.model.activated.connect(self._on_model)
        self.plan = note(holder, name="customize.plan")
        defaults = self._customization.defaults()
        self.steps = ValueSlider(
            "customize.steps", "Steps", low=10, high=max(5000, defaults.steps), default=defaults.steps, step=10,
            decimals=0, logarithmic=True, low_label="a taste", high_label="by heart", parent=holder,
            tip="How many times it looks at a few of the images. Too many and it knows nothing else.",
        )  # fmt: skip
        self.rank = ValueSlider(
            "customize.rank", "Rank", low=1, high=defaults.most_rank, default=defaults.rank, step=1, decimals=0,
            low_label="small file", high_label="more detail", parent=holder,
            tip="Size of the adapter: more holds more detail, and learns by heart sooner",
        )  # fmt: skip
        self.rate = ValueSlider(
            "customize.rate", "Learning rate", low=1e-5, high=1e-2, default=defaults.learning_rate, step=1e-5,
            decimals=5, logarithmic=True, low_label="careful", high_label="rash", parent=holder,
            tip="How far each step goes. Lower it when the loss jumps or the pictures fall apart.",
        )  # fmt: skip
        self.prior = ValueSlider(
            "customize.prior", "Prior preservation", low=0, high=1, default=0, step=0.05, decimals=2, zero_words="off",
            low_label="off", high_label="keep the kind as it is", parent=holder,
            tip="Trains on the model's own pictures of the captions as well, so that other dogs stay other dogs. Each "
            "step takes about twice as long.",
        )  # fmt: skip
        change = self._customization.change
        self.prior.value_committed.connect(lambda v: change("Prior preservation", "train-prior", prior=round(v, 2)))
        self.steps.value_committed.connect(lambda v: change("Training steps", "train-steps", steps=round(v)))
        self.rank.value_committed.connect(lambda v: change("Adapter rank", "train-rank", rank=round(v)))
        self.rate.value_committed.connect(
            lambda v: change("Learning rate", "train-rate", learning_rate=float(f"{v:.2g}"))
        )
        self.seed = named(QSpinBox(holder), "customize.seed", "Seed", "The same seed gives the same adapter")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setKeyboardTracking(False)
        self.seed.setProperty("plain", True)
        WheelGuard(self.seed)
        self.seed.valueChanged.connect(lambda v: change("Training seed", "train-seed", seed=v))
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        row = QHBoxLayout()
        row.addWidget(heading("Model", holder))
        row.addWidget(self.model, 1)
        column.addLayout(row)
        column.addWidget(self.plan)
        self.word = WordSettings(self._customization, holder)
        column.addWidget(self.word)
        self.work = WorkSettings(self._customization, holder)
        column.addWidget(self.work)
        for slider in (self.steps, self.rank, self.rate, self.prior):
            column.addWidget(slider)
        self.optimiser = OptimiserRow(self._customization, holder)
        column.addWidget(self.optimiser)
        row = QHBoxLayout()
        row.addWidget(heading("Seed", holder))
        row.addWidget(self.seed, 1)
        column.addLayout(row)
        return holder

    # -- showing -------------------------------------------------------------------------------------------------------

    def _show_sets(self) -> None:
        self._quiet = True
        self.sets.clear()
        for found in self._customization.sets:
            self.sets.addItem(found.name, found.id)
        if not self._customization.sets:
            self.sets.addItem("No training set yet", "")
        shown = self._customization.training_set
        self.sets.setCurrentIndex(max(0, self.sets.findData(shown.id if shown is not None else "")))
        self.sets.setEnabled(bool(self._customization.sets))
        self._quiet = False

    def show_set(self, found: TrainingSet | None) -> None:
        """Show another set, or an edited one."""
        self._quiet = True
        there = found is not None
        for name in ("about", "settings", "training"):
            self.sections[name].setVisible(there)
        self.delete_button.setEnabled(there)
        if found is not None:
            self.sets.setCurrentIndex(max(0, self.sets.findData(found.id)))
            for field, text in ((self.name, found.name), (self.trigger, found.trigger)):
                if not field.hasFocus() or not field.isModified():
                    field.setText(text)
            button = self._kinds.button(list(_KINDS).index(found.kind))
            button.setChecked(True)
            self.method.show_set(found, self._customization.abilities())
            self._show_numbers(found)
        self._quiet = False

    def _show_numbers(self, found: TrainingSet) -> None:
        defaults, abilities = self._customization.defaults(), self._customization.abilities()
        self.model.setCurrentIndex(max(0, self.model.findData(abilities.id if abilities is not None else "")))
        word = (defaults.word or WordDefaults()) if found.method == WORD else None
        usual = word or defaults
        self.plan.setText(self._customization.held(usual.held) if abilities is not None else "")
        self.plan.setVisible(bool(self.plan.text()))
        rank = found.rank or defaults.rank
        for slider, default, value in (
            (self.steps, usual.steps, found.steps or usual.steps),
            (self.rank, defaults.rank, rank),
            (self.rate, usual.learning_rate, found.learning_rate or usual.learning_rate),
        ):
            slider.set_default(default)
            slider.set_value(value)
        self.word.setVisible(word is not None)
        if word is not None:
            self.word.show_set(found, word)
        for widget in (self.rank, self.prior, self.optimiser, self.work):
            widget.setVisible(word is None)
        if word is None:
            self.work.show_set(found)
            self.prior.setVisible(defaults.prior)
        self.optimiser.show_set(found, defaults.pair_numbers * rank)
        self.prior.set_value(found.prior)
        self.seed.blockSignals(True)
        self.seed.setValue(found.seed)
        self.seed.blockSignals(False)
        own = (found.vectors, found.initial) if word else (found.prior, found.rank != defaults.rank, found.optimiser)
        own = own if word else (*own, any(found.size), found.clip_frames, found.every_frame, found.experts != "both")
        changed = found.steps or found.learning_rate or any(own)
        self.sections["settings"].set_mark("changed" if changed else "as the model likes it")

    def _model_id(self) -> str:
        found = self._customization.abilities()
        return found.id if found is not None else ""

    # -- editing -------------------------------------------------------------------------------------------------------

    def _rename(self, name: str) -> None:
        found = self._customization.training_set
        self.name.setModified(False)
        if found is not None and not self._quiet and name.strip() != found.name:
            self._customization.rename(name)

    def _on_trigger(self) -> None:
        found = self._customization.training_set
        word = " ".join(self.trigger.text().split())
        self.trigger.setModified(False)
        if found is not None and not self._quiet and word != found.trigger:
            self._customization.change("Trigger word", trigger=word)

    def _on_method(self, method: str) -> None:
        found = self._customization.training_set
        if found is not None and method != found.method:
            # What was chosen for an adapter is no measure for a word.
            self._customization.change("Adapter or word", method=method, steps=0, learning_rate=0.0)

    def _on_model(self, row: int) -> None:
        self._customization.change(
            "Model to train", generator=str(self.model.itemData(row)), steps=0, learning_rate=0.0
        )
        self.library.refresh()

    def _on_add(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, "Add images and clips", "", f"Images and clips ({_FILES})")
        if names:
            paths = [Path(name) for name in names]
            self._customization.add_images(paths, [path.name for path in paths])

    def _on_crop(self, digest: str) -> None:
        found = self._customization.training_set
        image = next((i for i in found.images if i.digest == digest), None) if found is not None else None
        if image is None:
            return
        if image.clip is not None:
            self._customization.read_frame(digest)
            return
        path = self._customization.find_blob(digest)
        if path is not None:
            self._open_crop(image, image_from_file(path, self.screen().size(), 0.5))

    def _on_frame_read(self, digest: str, picture: Picture) -> None:
        found = self._customization.training_set
        image = next((i for i in found.images if i.digest == digest), None) if found is not None else None
        if image is not None and self.isVisible():
            whole, room = image_of(picture), self.screen().size() / 2
            if whole.width() > room.width() or whole.height() > room.height():
                smooth = Qt.TransformationMode.SmoothTransformation
                whole = whole.scaled(room, Qt.AspectRatioMode.KeepAspectRatio, smooth)
            self._open_crop(image, whole)

    def _open_crop(self, image: TrainingImage, picture: QImage) -> None:
        if picture.isNull():
            return
        abilities = self._customization.abilities()
        native = abilities.native_sizes[0] if abilities is not None and abilities.native_sizes else (0, 0)
        dialog = CropDialog(picture, image.name or "image", image.crop, native, self)
        dialog.chosen.connect(lambda crop: self._customization.set_crop(image.digest, crop))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
