"""Room around the footage that is drawn anew: another shape of the frame, or each side by hand."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation
from gen2studio.app.reframing import place, to_aspect
from gen2studio.app.session import Session
from gen2studio.core.geometry import Extent
from gen2studio.document.codec_looks import MOST_ROOM
from gen2studio.document.look import Outpaint
from gen2studio.document.shots import ASPECTS
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.named import chooser, named, note, text_button
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_SIDES = (
    ("left", "Left", "Room added on the left, in per cent of the clip's width", 0, 0),
    ("right", "Right", "Room added on the right, in per cent of the clip's width", 0, 2),
    ("top", "Top", "Room added above, in per cent of the clip's height", 1, 0),
    ("bottom", "Bottom", "Room added below, in per cent of the clip's height", 1, 2),
)  # fmt: skip
_TIMELINE, _BY_HAND, _AS_IT_IS = "timeline", "hand", "none"
_IDLE = "Add room on any side: the model draws what lies there, and the clip inside keeps every pixel."


class OutpaintSection(QWidget):
    """A shape to choose, four sides in per cent, and what comes of them."""

    def __init__(self, session: Session, generation: Generation, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = generation
        self._extent = Extent(16, 9)
        self.shape = chooser(
            "outpaint.shape", "New shape of the frame",
            "Add equal room on two sides until the frame has this shape", [], self,
        )  # fmt: skip
        self.shape.activated.connect(lambda row: self._on_shape(self.shape.itemData(row)))
        self.reset = text_button(
            "outpaint.reset", "No added room", "rotate-ccw", "Take the added room away", self._on_reset, self,
            text=False,
        )  # fmt: skip
        top = QHBoxLayout()
        top.addWidget(self.shape, 1)
        top.addWidget(self.reset)
        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(5)
        self.sides: dict[str, QDoubleSpinBox] = {}
        for side, title, tip, row, column in _SIDES:
            field = named(QDoubleSpinBox(self), f"outpaint.{side}", f"Room {title.lower()}", tip)
            field.setRange(0, 100 * MOST_ROOM)
            field.setDecimals(1)
            field.setSingleStep(5)
            field.setSuffix(" %")
            field.setKeyboardTracking(False)
            WheelGuard(field)
            field.valueChanged.connect(lambda _value: self._on_sides())
            label = QLabel(title, self)
            label.setProperty("role", "muted")
            label.setBuddy(field)
            grid.addWidget(label, row, column)
            grid.addWidget(field, row, column + 1)
            self.sides[side] = field
        grid.setColumnStretch(1, 1)
        grid.setColumnStretch(3, 1)
        self.words = note(self, "faint", "outpaint.note")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(top)
        column.addLayout(grid)
        column.addWidget(self.words)

    def show_state(self, state: PanelState) -> None:
        if state.item is None:
            return
        self._extent = state.item.info.extent
        outpaint = state.look.outpaint
        for side, field in self.sides.items():
            with QSignalBlocker(field):
                field.setValue(100 * getattr(outpaint, side))
        self._show_shapes(outpaint)
        self.reset.setEnabled(outpaint.adds)
        reached = place(outpaint, self._extent)
        self.words.setText(
            f"{self._extent.width} × {self._extent.height} becomes {reached.width} × {reached.height}. The clip inside "
            "keeps every pixel; only the room around it is drawn, as the words say."
            if outpaint.adds
            else _IDLE
        )

    def _shapes(self) -> list[tuple[str, str, float]]:
        """(key, title, aspect) of the shapes that this clip can get by adding room."""
        found: list[tuple[str, str, float]] = []
        sequence = self._session.sequence
        if sequence is not None:
            found.append((_TIMELINE, "Fill the timeline's frame", sequence.width / sequence.height))
        found += [(title, title, float(aspect)) for title, aspect in ASPECTS.items()]
        return [entry for entry in found if _fits(to_aspect(self._extent, entry[2]))]

    def _show_shapes(self, outpaint: Outpaint) -> None:
        shapes = self._shapes()
        entries = [(_AS_IT_IS, "Shape of the clip"), *((key, title) for key, title, _ in shapes), (_BY_HAND, "By hand")]
        if [(self.shape.itemData(i), self.shape.itemText(i)) for i in range(self.shape.count())] != entries:
            self.shape.clear()
            for key, title in entries:
                self.shape.addItem(title, key)
        chosen = _BY_HAND if outpaint.adds else _AS_IT_IS
        chosen = next((key for key, _, aspect in shapes if to_aspect(self._extent, aspect) == outpaint), chosen)
        self.shape.setCurrentIndex(self.shape.findData(chosen))

    def _on_shape(self, key: str) -> None:
        aspect = next((aspect for name, _, aspect in self._shapes() if name == key), None)
        if key == _AS_IT_IS:
            self._on_reset()
        elif aspect is not None:
            self._generation.change("Outpaint", outpaint=to_aspect(self._extent, aspect))

    def _on_sides(self) -> None:
        wanted = Outpaint(**{side: field.value() / 100 for side, field in self.sides.items()})
        self._generation.change("Outpaint", merge_key="outpaint", outpaint=wanted)

    def _on_reset(self) -> None:
        self._generation.change("No outpaint", outpaint=Outpaint())


def _fits(outpaint: Outpaint) -> bool:
    return outpaint.adds and max(outpaint.left, outpaint.top) <= MOST_ROOM
