"""How much of a clip the model draws: every frame, or key frames that are carried to the frames between."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QGridLayout, QLabel, QSpinBox, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation
from gen2studio.document.codec_looks import MOST_KEY_SPACING
from gen2studio.engine.key_choice import AUTOMATIC, TYPICAL, expected_keys
from gen2studio.ui import theme
from gen2studio.ui.panels.generate_sections import ChoiceRow
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.named import chooser, named, note
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_ALL, _AUTO, _EVERY = range(3)


class KeyFramesSection(QWidget):
    """Three ways, the distance for one of them, and what it comes to on this clip."""

    def __init__(self, generation: Generation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._generation = generation
        self._spacing = TYPICAL
        self.ways = ChoiceRow(
            "keyFrames", "Draw",
            (
                ("all", "Every frame", "The model draws every frame of the clip"),
                ("auto", "Automatic", "The model draws key frames at cuts and where much comes into view; "
                 "the frames between are carried from them"),
                ("every", "Every N", "The model draws a key frame every N frames; the frames between are carried"),
            ),
            self._on_way, self,
        )  # fmt: skip
        self.spacing = named(
            QSpinBox(self), "keyFrames.spacing", "Frames between key frames",
            "One key frame in so many frames; carried pictures hold about twelve frames where the camera moves",
        )  # fmt: skip
        self.spacing.setRange(1, MOST_KEY_SPACING)
        self.spacing.setPrefix("every ")
        self.spacing.setSuffix(" frames")
        self.spacing.setKeyboardTracking(False)
        self.spacing.setProperty("plain", True)
        WheelGuard(self.spacing)
        self.spacing.valueChanged.connect(self._on_spacing)
        self.label = QLabel("A key frame", self)
        self.label.setProperty("role", "muted")
        self.label.setBuddy(self.spacing)
        self.carrier = chooser(
            "keyFrames.carrier", "Carried by",
            "What makes the frames between: the example-based generator at full size, or a video model that takes "
            "given frames", [], self,
        )  # fmt: skip
        self.carrier.activated.connect(
            lambda row: generation.change("Carrier of key frames", key_carrier=self.carrier.itemData(row))
        )
        self.carried = QLabel("Carried by", self)
        self.carried.setProperty("role", "muted")
        self.carried.setBuddy(self.carrier)
        grid = QGridLayout()
        grid.setHorizontalSpacing(theme.SPACING)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(1, 1)
        for row, (label, field) in enumerate(((self.label, self.spacing), (self.carried, self.carrier))):
            grid.addWidget(label, row, 0)
            grid.addWidget(field, row, 1)
        self.words = note(self, "faint", "keyFrames.note")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.ways)
        column.addLayout(grid)
        column.addWidget(self.words)

    def show_state(self, state: PanelState) -> None:
        spacing = shown_spacing(state)
        way = _ALL if spacing == 0 else _AUTO if spacing < 0 else _EVERY
        self.ways.show_choice(way)
        self.ways.set_offered(_ALL, not state.ability.stills_only)
        if spacing > 0:
            self._spacing = spacing
        with QSignalBlocker(self.spacing):
            self.spacing.setValue(self._spacing)
        self.label.setVisible(way == _EVERY)
        self.spacing.setVisible(way == _EVERY)
        self._show_carriers(state, spacing)
        self.words.setText(self._sentence(state, spacing))

    def _show_carriers(self, state: PanelState, spacing: int) -> None:
        titles = {found.id: found.title for found in self._generation.registry.abilities}
        able = [(titles.get(name, name), name) for name in state.ability.carriers]
        entries = [(f"Automatic — {able[0][0]}", ""), *able] if able else []
        if [(self.carrier.itemText(i), self.carrier.itemData(i)) for i in range(self.carrier.count())] != entries:
            self.carrier.clear()
            for title, name in entries:
                self.carrier.addItem(title, name)
        self.carrier.setCurrentIndex(max(0, self.carrier.findData(state.look.key_carrier)))
        for widget in (self.carried, self.carrier):
            widget.setVisible(spacing != 0 and len(able) > 1)

    def _sentence(self, state: PanelState, spacing: int) -> str:
        if not state.honours("key_spacing"):
            return "With key frames a model draws some frames, and the others are carried from them along the motion."
        title, count = state.abilities.title, self._generation.target_length()
        if spacing == 0:
            return f"{title} draws all {count} frames." if count else f"{title} draws every frame."
        about = "about " if spacing < 0 else ""
        keys = expected_keys(count, spacing)
        number = f"{about}{keys} of {count} frames" if count else "the key frames"
        only = " It draws single frames only." if state.ability.stills_only else ""
        painted = " Your painted key frames count as well." if state.look.keys else ""
        chosen = state.look.key_carrier if state.look.key_carrier in state.ability.carriers else ""
        along = "" if chosen and chosen != state.ability.carriers[0] else " along the motion"
        return f"{title} draws {number}; the others are carried from them{along}.{only}{painted}"

    def _on_way(self, way: int) -> None:
        spacing = (0, AUTOMATIC, self._spacing)[way]
        if spacing != self._generation.look.key_spacing:
            self._generation.change("Key frames", key_spacing=spacing)

    def _on_spacing(self, frames: int) -> None:
        self._generation.change("Key frame distance", merge_key="key-spacing", key_spacing=frames)


def shown_spacing(state: PanelState) -> int:
    """The key spacing that a run would have: never 0 where only single frames can be drawn, 0 where none is offered."""
    if not state.honours("key_spacing"):
        return 0
    return AUTOMATIC if state.look.key_spacing == 0 and state.ability.stills_only else state.look.key_spacing


def spacing_mark(state: PanelState) -> str:
    """What the heading says while the section is folded away."""
    spacing = shown_spacing(state)
    return "" if spacing == 0 else "automatic" if spacing < 0 else f"every {spacing}"
