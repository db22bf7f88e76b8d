"""Where the structure of a shot is read from, and the true depth pass of a render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

from PySide6.QtGui import QDragEnterEvent, QDropEvent, QStandardItemModel
from PySide6.QtWidgets import QCheckBox, QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation
from gen2studio.document.look import DepthPass, Look, StructureSource
from gen2studio.engine.generators import Abilities
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import chooser, named, note, text_button
from gen2studio.ui.widgets.value_slider import ValueSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard

SOURCES = (
    (StructureSource.AUTO, "Automatic"),
    (StructureSource.DEPTH_PASS, "Depth pass"),
    (StructureSource.DEPTH, "Estimated depth"),
    (StructureSource.EDGES, "Edges"),
    (StructureSource.GREY, "Grey"),
    (StructureSource.FLOW, "Optical flow"),
    (StructureSource.LAYOUT, "Flat layout"),
    (StructureSource.NONE, "Nothing"),
)
_WORDS = {
    StructureSource.DEPTH_PASS: "The depth pass below says how far everything is.",
    StructureSource.EDGES: "Lines drawn where the brightness changes.",
    StructureSource.GREY: "The footage without its colours.",
    StructureSource.FLOW: "How every part of the picture moves from frame to frame.",
    StructureSource.LAYOUT: "Flat regions of colour, for mock-ups and sketches.",
    StructureSource.NONE: "The footage only gives its length: the shot is free to be anything.",
}
PASS_SUFFIXES = {".png", ".exr", ".tif", ".tiff", ".mp4", ".mov", ".mkv", ".webm"}


class StructureSection(QWidget):
    """Chooses the source, says what would read it, and holds the depth pass."""

    def __init__(
        self, generation: Generation, choose_pass: Callable[[], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("structure")
        self.setAcceptDrops(True)
        self._generation = generation
        self._pass: DepthPass | None = None
        self.source = chooser(
            "structure.source", "Structure from", "What the model reads the structure of the footage from",
            [(title, source) for source, title in SOURCES], self,
        )  # fmt: skip
        self.source.activated.connect(
            lambda row: generation.change("Structure from", structure_source=self.source.itemData(row))
        )
        self.words = note(self, name="structure.note")
        self.strictness = ValueSlider(
            "control.control_scale", "Strictness", low=0, high=2, default=1, step=0.05, decimals=2, unit="×",
            tip="How strictly the structure is followed", low_label="a hint", high_label="to the line", parent=self,
        )  # fmt: skip
        self.strictness.value_committed.connect(
            lambda value: generation.change("Strictness", merge_key="slider-control_scale", control_scale=value)
        )
        self.depth_row = self._build_pass(choose_pass)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for widget in (self.source, self.words, self.depth_row, self.strictness):
            column.addWidget(widget)

    def _build_pass(self, choose_pass: Callable[[], object]) -> QWidget:
        holder = QWidget(self)
        self.choose = text_button(
            "depth.choose", "Depth pass…", "layers", "Choose a 16-bit PNG or EXR sequence (its first file), or a video",
            choose_pass, holder,
        )  # fmt: skip
        self.name = ElidedLabel("", parent=holder)
        self.drop = text_button(
            "depth.remove", "Remove depth pass", "x", "Go on without the depth pass", self._on_removed, holder,
            text=False,
        )  # fmt: skip
        top = QHBoxLayout()
        top.addWidget(self.choose)
        top.addWidget(self.name, 1)
        top.addWidget(self.drop)
        self.white = named(
            QCheckBox("White is near", holder), "depth.nearIsWhite", "White is near",
            "How the pass was written: most depth passes show near things white, Z passes show them black",
        )  # fmt: skip
        self.white.toggled.connect(lambda on: self._put("White is near", near_is_white=on))
        self.near = self._value("depth.near", "Nearest value", "The depth shown as nearest; automatic = the clip's own")
        self.far = self._value("depth.far", "Farthest value", "The depth shown as farthest; automatic = the clip's own")
        self.near.valueChanged.connect(lambda v: self._put("Nearest depth", near=None if v < 0 else v))
        self.far.valueChanged.connect(lambda v: self._put("Farthest depth", far=None if v < 0 else v))
        self.range = QWidget(holder)
        grid = QGridLayout(self.range)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.addWidget(self.white, 0, 0, 1, 4)
        grid.addWidget(QLabel("Near", self.range), 1, 0)
        grid.addWidget(self.near, 1, 1)
        grid.addWidget(QLabel("Far", self.range), 1, 2)
        grid.addWidget(self.far, 1, 3)
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.range)
        return holder

    def _value(self, name: str, title: str, tip: str) -> QDoubleSpinBox:
        field = named(QDoubleSpinBox(self), name, title, tip)
        field.setRange(-1.0, 1e9)
        field.setDecimals(3)
        field.setValue(-1.0)
        field.setSpecialValueText("automatic")
        field.setKeyboardTracking(False)
        field.setProperty("plain", True)
        WheelGuard(field)
        return field

    def show_state(self, state: PanelState) -> None:
        look = state.look
        self._pass = look.depth_pass
        self._offer(dict(state.abilities.structure_why_not))
        self.source.setCurrentIndex(self.source.findData(look.structure_source))
        self.source.setVisible(state.honours("structure_source"))
        self.words.setText(self._describe(look, state.abilities))
        self.words.setVisible(state.honours("structure_source"))
        self.strictness.setVisible(state.honours("control_scale"))
        self.strictness.set_value(look.controls.control_scale)
        # A pass belongs to footage: without a clip there is nothing it could be kept with.
        there = state.honours("depth_pass") and state.clip is not None
        self.depth_row.setVisible(there)
        self.setAcceptDrops(there)
        found = look.depth_pass
        self.name.show_text(found.name or Path(found.path).name if found else "none")
        self.name.setToolTip(found.path if found else "No depth pass")
        self.name.setProperty("role", "" if found else "faint")
        self.drop.setVisible(found is not None)
        self.range.setVisible(found is not None)
        for widget in (self.white, self.near, self.far):
            widget.blockSignals(True)
        self.white.setChecked(found.near_is_white if found else True)
        self.near.setValue(-1.0 if found is None or found.near is None else found.near)
        self.far.setValue(-1.0 if found is None or found.far is None else found.far)
        for widget in (self.white, self.near, self.far):
            widget.blockSignals(False)

    def _offer(self, why_not: dict[str, str]) -> None:
        """Grey out the sources that the model can't follow; each says why in its tip."""
        for row in range(self.source.count()):
            reason = why_not.get(self.source.itemData(row).value, "")
            item = cast("QStandardItemModel", self.source.model()).item(row)
            item.setEnabled(not reason)
            item.setToolTip(f"Not with this model: {reason}" if reason else "")

    @staticmethod
    def _describe(look: Look, abilities: Abilities) -> str:
        source, readers = look.structure_source, dict(abilities.structure_readers)
        why_not = dict(abilities.structure_why_not)
        if source.value in why_not:
            return f"This model can't follow it: {why_not[source.value]}."
        if source is StructureSource.AUTO:
            if look.depth_pass is not None:
                return "The depth pass, because there is one."
            chosen = readers.get("auto", "")
            return f"Read with: {chosen}." if chosen else "The best there is: a depth pass, else depth, else edges."
        if source is StructureSource.DEPTH_PASS and look.depth_pass is None:
            return "Choose the depth pass of the render."
        if source.value in readers:
            return f"Read with: {readers[source.value]}."
        return _WORDS.get(source, "")

    def _put(self, label: str, **changes: object) -> None:
        if self._pass is not None:
            changed = replace(self._pass, **changes)  # pyright: ignore[reportArgumentType]
            self._generation.change(label, depth_pass=changed)

    def _on_removed(self) -> None:
        self._generation.change("Remove depth pass", depth_pass=None)

    def use_pass(self, path: Path) -> None:
        """Take a file as the depth pass of the clip."""
        self._generation.change("Depth pass", depth_pass=DepthPass(path=path.as_posix(), name=path.name))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _pass_in(event) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = _pass_in(event)
        if path is not None:
            event.acceptProposedAction()
            self.use_pass(path)


def _pass_in(event: QDropEvent) -> Path | None:
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return next((path for path in paths if path.suffix.casefold() in PASS_SUFFIXES), None)
