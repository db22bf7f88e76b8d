"""How much a training works on at once: presets by the memory of a card, picture size, windows of clips, experts."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from gen2studio.app.customization import Customization
from gen2studio.document.model import TrainingSet
from gen2studio.engine.generators import TrainingPreset
from gen2studio.ui import theme
from gen2studio.ui.panels.customization_run import heading
from gen2studio.ui.widgets.named import chooser, note
from gen2studio.ui.widgets.value_slider import ValueSlider

_WINDOWS: list[tuple[str, object]] = [
    ("its beginning", "head"),
    ("spread over it", "uniform"),
    ("all of it", "chunk"),
]
_EXPERTS: list[tuple[str, object]] = [
    ("both, one after the other", "both"),
    ("much noise: layout and motion", "high"),
    ("little noise: look and detail", "low"),
]
_OWN = (0, 0)


class WorkSettings(QWidget):
    """Binds to :class:`~gen2studio.app.customization.Customization`. What a set or a model has no use for is hidden."""

    def __init__(self, customization: Customization, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("customize.work")
        self._customization = customization
        self._presets: tuple[TrainingPreset, ...] = ()
        self._picked = -1
        change = customization.change
        self.preset = chooser(
            "customize.preset", "Preset by memory",
            "What a card of this size trains on this model: size, frames and rank in one step", [], self,
        )  # fmt: skip
        self.preset.activated.connect(self._on_preset)
        self.figures = note(self, name="customize.preset.figures")
        self.area = chooser(
            "customize.size", "Picture size",
            "The area that pictures and clips are trained at, each in its own shape: less takes less memory", [], self,
        )  # fmt: skip
        self.area.activated.connect(lambda row: change("Training size", size=self.area.itemData(row)))
        self.frames = ValueSlider(
            "customize.clipFrames", "Frames of a window", low=5, high=81, default=33, step=4, decimals=0,
            low_label="less memory", high_label="longer motion", parent=self,
            tip="How long a stretch of a clip it sees at once: 5, 9, 13… frames",
        )  # fmt: skip
        self.frames.value_committed.connect(
            lambda value: change("Frames of a window", "train-frames", clip_frames=round((value - 1) / 4) * 4 + 1)
        )
        self.windows = chooser(
            "customize.windows", "From each clip",
            "Which windows are cut from a clip: one from its beginning, four spread evenly, or one after the other",
            _WINDOWS, self,
        )  # fmt: skip
        self.windows.activated.connect(
            lambda row: change("Windows of clips", clip_windows=str(self.windows.itemData(row)))
        )
        self.rate = chooser(
            "customize.rate.clips", "Speed of clips",
            "At the model's rate a second stays a second; every frame keeps motion that is quicker than that",
            [("in real time", False), ("every frame", True)], self,
        )  # fmt: skip
        self.rate.activated.connect(lambda row: change("Speed of clips", every_frame=bool(self.rate.itemData(row))))
        self.experts = chooser(
            "customize.experts", "Experts",
            "This model is a pair: one expert denoises much noise, the other little. One after the other is in memory.",
            _EXPERTS, self,
        )  # fmt: skip
        self.experts.activated.connect(lambda row: change("Experts to train", experts=str(self.experts.itemData(row))))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self._rows = {
            name: self._row(title, box)
            for name, title, box in (
                ("preset", "Preset", self.preset),
                ("size", "Size", self.area),
                ("experts", "Experts", self.experts),
                ("windows", "From a clip", self.windows),
                ("rate", "Clips play", self.rate),
            )
        }
        for name in ("preset", "size", "experts"):
            column.addWidget(self._rows[name])
            if name == "preset":
                column.addWidget(self.figures)
        column.addWidget(self.frames)
        for name in ("windows", "rate"):
            column.addWidget(self._rows[name])

    def _row(self, title: str, box: QComboBox) -> QWidget:
        holder = QWidget(self)
        box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.SPACING)
        row.addWidget(heading(title, holder))
        row.addWidget(box, 1)
        return holder

    def show_set(self, found: TrainingSet) -> None:
        """Show what a set says, and what its model allows."""
        abilities = self._customization.abilities()
        training = self._customization.defaults()
        native = abilities.native_sizes if abilities is not None else ()
        moving = any(image.clip is not None for image in found.images) and bool(training.clips)
        self._show_presets(found)
        self._show_sizes(found, native)
        self._rows["experts"].setVisible(training.experts)
        self.experts.setCurrentIndex(max(0, self.experts.findData(found.experts)))
        for widget in (self.frames, self._rows["windows"], self._rows["rate"]):
            widget.setVisible(moving)
        if moving:
            self.frames.set_range(5, max(9, training.most_frames))
            self.frames.set_default(training.clip_frames)
            self.frames.set_value(found.clip_frames or training.clip_frames)
        self.windows.setCurrentIndex(max(0, self.windows.findData(found.clip_windows)))
        self.rate.setCurrentIndex(int(found.every_frame))
        rate = abilities.native_rate if abilities is not None else None
        self.rate.setItemText(0, f"in real time, {float(rate):g} frames a second" if rate else "in real time")

    def _show_presets(self, found: TrainingSet) -> None:
        presets = self._customization.presets()
        if presets != self._presets:
            self._presets = presets
            self.preset.clear()
            for preset in presets:
                self.preset.addItem(_line(preset), preset)
        # Cards that train alike are told apart by what the artist picked.
        alike = [row for row, each in enumerate(presets) if _says(found, each)]
        chosen = self._picked if self._picked in alike else alike[0] if alike else -1
        self._rows["preset"].setVisible(bool(presets))
        self.preset.setPlaceholderText("by the memory of a card")
        self.preset.setCurrentIndex(chosen)
        words = presets[chosen].words if chosen >= 0 else ""
        self.figures.setText(f"{words}." if words else "")
        self.figures.setVisible(bool(words))

    def _show_sizes(self, found: TrainingSet, native: tuple[tuple[int, int], ...]) -> None:
        own = native[0] if native else (0, 0)
        known: list[tuple[int, int]] = [_OWN]
        for size in (*(preset.size for preset in self._presets if not preset.why_not), found.size):
            if size not in known and size != own and any(size):
                known.append(size)
        if [self.area.itemData(row) for row in range(self.area.count())] != known:
            self.area.clear()
            for size in known:
                text = f"{size[0]} × {size[1]}" if any(size) else f"the model's own, {own[0]} × {own[1]}"
                self.area.addItem(text, size)
        self.area.setCurrentIndex(known.index(found.size) if found.size in known else 0)

    def _on_preset(self, row: int) -> None:
        preset: TrainingPreset = self.preset.itemData(row)
        found = self._customization.training_set
        if found is None:
            return
        self._picked = row
        if preset.why_not:
            self.figures.setText(f"{preset.why_not}.")
            self.figures.setVisible(True)
            return
        frames = preset.frames if preset.frames > 1 else found.clip_frames
        self._customization.change(
            f"Preset for {preset.gigabytes} GB", size=preset.size, rank=preset.rank, clip_frames=frames
        )


def _line(preset: TrainingPreset) -> str:
    """“24 GB: 81 frames of 832 × 480”."""
    if preset.why_not:
        return f"{preset.gigabytes} GB: too little"
    what = f"{preset.frames} frames of" if preset.frames > 1 else "pictures of"
    return f"{preset.gigabytes} GB: {what} {preset.size[0]} × {preset.size[1]}"


def _says(found: TrainingSet, preset: TrainingPreset) -> bool:
    """Whether a set is as a preset would make it."""
    frames = preset.frames if preset.frames > 1 else found.clip_frames
    return not preset.why_not and (found.size, found.rank, found.clip_frames) == (preset.size, preset.rank, frames)
