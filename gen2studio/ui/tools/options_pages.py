"""What the options strip shows for each group of tools."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtWidgets import QButtonGroup, QDoubleSpinBox, QFrame, QHBoxLayout, QLabel, QToolButton, QWidget

from gen2studio.app.action_table import all_actions
from gen2studio.app.mask_editing import MaskEditing
from gen2studio.ui import key_tips, theme
from gen2studio.ui.canvas.canvas import Canvas
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_OPERATIONS = (
    ("add", "+", "Add: the shape is added to the matte."),
    ("subtract", "−", "Subtract: the shape is taken away from the matte."),
    ("intersect", "∩", "Intersect: the matte is kept inside the shape only."),
)


class _Page(QWidget):
    """A row of controls that give the focus back to the picture."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(parent)
        self.masks = masks
        self.canvas = canvas
        self.row = QHBoxLayout(self)
        self.row.setContentsMargins(0, 0, 0, 0)
        self.row.setSpacing(4)

    def number(
        self,
        name: str,
        title: str,
        tip: str,
        low: float,
        high: float,
        unit: str,
        changed: Callable[[float], object],
        *,
        decimals: int = 0,
    ) -> QDoubleSpinBox:
        label = QLabel(title, self)
        label.setToolTip(tip)
        label.setProperty("role", "muted")
        field = QDoubleSpinBox(self)
        field.setObjectName(f"canvas.options.{name}")
        field.setAccessibleName(title)
        field.setToolTip(tip)
        field.setRange(low, high)
        field.setDecimals(decimals)
        field.setSuffix(f" {unit}")
        field.setButtonSymbols(QDoubleSpinBox.ButtonSymbols.NoButtons)
        field.setProperty("plain", True)
        field.setAlignment(Qt.AlignmentFlag.AlignRight)
        field.setKeyboardTracking(False)
        field.setFixedSize(66, 24)
        field.valueChanged.connect(changed)
        field.editingFinished.connect(lambda: self.canvas.setFocus() if field.hasFocus() else None)
        WheelGuard(field)
        self.row.addWidget(label)
        self.row.addWidget(field)
        self.row.addSpacing(6)
        return field

    def switch(self, name: str, title: str, tip: str, toggled: Callable[[bool], object]) -> QToolButton:
        button = self.button(name, title, tip)
        button.setCheckable(True)
        button.toggled.connect(toggled)
        return button

    def button(self, name: str, title: str, tip: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"canvas.options.{name}")
        button.setAccessibleName(title)
        button.setText(title)
        button.setToolTip(tip)
        button.setProperty("role", "switch")
        button.setFixedHeight(24)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.row.addWidget(button)
        return button

    def choice(
        self, name: str, options: tuple[tuple[str, str, str], ...], chosen: Callable[[str], object]
    ) -> dict[str, QToolButton]:
        group = QButtonGroup(self)
        group.setExclusive(True)
        made: dict[str, QToolButton] = {}
        for value, title, tip in options:
            button = self.button(f"{name}.{value}", title, tip)
            if len(title) == 1:
                button.setFixedWidth(28)
                button.setAccessibleName(value.capitalize())
            button.setCheckable(True)
            button.clicked.connect(partial(self._chosen, chosen, value))
            group.addButton(button)
            made[value] = button
        self.row.addSpacing(6)
        return made

    @staticmethod
    def _chosen(chosen: Callable[[str], object], value: str, _checked: bool = False) -> None:
        chosen(value)

    def command(self, action_id: str, run: Callable[[], object]) -> QToolButton:
        """A button for a row of the action table."""
        row = next(row for row in all_actions() if row.id == action_id)
        button = self.button(action_id, row.text, key_tips.tip(row))
        button.setProperty("command", action_id)
        if row.icon:
            button.setText("")
            # Its padding leaves the icon room in so small a button.
            button.setProperty("role", "over_picture")
            button.setIcon(theme.icon(row.icon))
            button.setIconSize(QSize(15, 15))
            button.setFixedSize(26, 24)
        button.clicked.connect(lambda _checked=False: self.masks.attempt(run))
        return button

    def line(self) -> None:
        line = QFrame(self)
        line.setFixedSize(1, 18)
        line.setProperty("role", "divider")
        self.row.addSpacing(2)
        self.row.addWidget(line)
        self.row.addSpacing(6)


def _show(field: QDoubleSpinBox, value: float) -> None:
    if not field.hasFocus() or abs(field.value() - value) > 1e-6:
        blocker = QSignalBlocker(field)
        field.setValue(value)
        blocker.unblock()


def _check(button: QToolButton, on: bool) -> None:
    blocker = QSignalBlocker(button)
    button.setChecked(on)
    blocker.unblock()


class BrushPage(_Page):
    """Size, hardness, opacity, spacing and what the pen's pressure does."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        change = masks.set_brush
        self.size_field = self.number(
            "size", "Size", "Diameter in picture pixels. Keys [ and ], or drag with the right button on the picture.",
            1, 2000, "px", lambda v: change(radius=v / 2),
        )  # fmt: skip
        self.hardness = self.number(
            "hardness", "Hard", "How sharp the edge of the brush is. Keys Shift+[ and Shift+].", 0, 100, "%",
            lambda v: change(hardness=v / 100),
        )  # fmt: skip
        self.opacity = self.number(
            "opacity", "Opacity", "The most that one stroke adds, however often it crosses itself.", 1, 100, "%",
            lambda v: change(opacity=v / 100),
        )  # fmt: skip
        self.spacing = self.number(
            "spacing", "Spacing", "Distance between two dabs in diameters of the brush.", 2, 200, "%",
            lambda v: change(spacing=v / 100),
        )  # fmt: skip
        self.pen_sizes = self.switch(
            "pen_sizes", "Pen sizes", "Pen pressure changes the size.", lambda on: change(pressure_size=on)
        )
        self.pen_fades = self.switch(
            "pen_fades", "Pen fades", "Pen pressure changes the opacity.", lambda on: change(pressure_opacity=on)
        )
        masks.brush_changed.connect(self._on_brush_changed)
        self._on_brush_changed()

    def _on_brush_changed(self, _brush: object = None) -> None:
        brush = self.masks.brush
        _show(self.size_field, brush.radius * 2)
        _show(self.hardness, brush.hardness * 100)
        _show(self.opacity, brush.opacity * 100)
        _show(self.spacing, brush.spacing * 100)
        _check(self.pen_sizes, brush.pressure_size)
        _check(self.pen_fades, brush.pressure_opacity)


class DrawPage(_Page):
    """What the next shape does to the matte."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        self.operations = self.choice("operation", _OPERATIONS, lambda value: masks.shapes.set(operation=value))
        masks.shapes.changed.connect(self._on_changed)
        self._on_changed()

    def _on_changed(self) -> None:
        _check(self.operations[self.masks.shapes.settings.operation], True)


class EditPage(_Page):
    """The selected shape: operation, feather, points, and its keys."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        shapes = masks.shapes
        self.operations = self.choice(
            "shape", _OPERATIONS, lambda value: masks.attempt(lambda: shapes.set_operation(value))
        )
        self.feather = self.number(
            "feather", "Feather",
            "Pixels over which the edge fades at the selected points (or at all): outwards, inwards when negative.",
            -1000, 1000, "px", lambda v: masks.attempt(lambda: shapes.set_feather(v)),
        )  # fmt: skip
        self.smooth = self.command("shape.smooth", shapes.make_smooth)
        self.smooth.setText("Smooth")
        self.corner = self.command("shape.corner", shapes.make_corners)
        self.corner.setText("Corner")
        self.line()
        self.auto_key = self.switch(
            "auto_key", "Auto key",
            "On: an edit makes a key of the shape on this frame.\nOff: it changes every key alike.",
            lambda on: shapes.set(auto_key=on),
        )  # fmt: skip
        self.previous = self.command("shape.previous_key", partial(shapes.go_to_key, -1))
        self.key_button = self.command("shape.set_key", self._toggle_key)
        self.next = self.command("shape.next_key", partial(shapes.go_to_key, 1))
        self.state = QLabel(self)
        self.state.setObjectName("canvas.options.key_state")
        self.state.setProperty("role", "muted")
        self.row.addWidget(self.state)
        shapes.changed.connect(self._on_changed)
        masks.place_changed.connect(self._on_changed)
        self._on_changed()

    def _toggle_key(self) -> None:
        shapes = self.masks.shapes
        shape = shapes.chosen()
        keyed = any(at == shapes.frame for at, _ in shape.keys)
        (shapes.remove_key if keyed and len(shape.keys) > 1 else shapes.set_key)()

    def _on_changed(self, *_values: object) -> None:
        shapes = self.masks.shapes
        shape = shapes.current()
        _check(self.auto_key, shapes.settings.auto_key)
        for widget in (self.feather, self.smooth, self.corner, self.previous, self.key_button, self.next):
            widget.setEnabled(shape is not None)
        curved = shape is not None and shape.kind == "bezier"
        self.smooth.setEnabled(curved)
        self.corner.setEnabled(curved)
        for button in self.operations.values():
            button.setEnabled(shape is not None)
        if shape is None:
            self.state.setText("No shape selected")
            _show(self.feather, 0.0)
            return
        _check(self.operations[shape.operation], True)
        points = shape.points_at(shapes.frame)
        chosen = [points[i].feather for i in sorted(shapes.points)] or [p.feather for p in points]
        _show(self.feather, sum(chosen) / len(chosen))
        place = next((i for i, (at, _) in enumerate(shape.keys) if at == shapes.frame), None)
        count = len(shape.keys)
        if place is not None:
            self.state.setText(f"Key {place + 1} of {count}")
        else:
            self.state.setText("Between keys" if shape.keys[0][0] < shapes.frame < shape.keys[-1][0] else "No key here")


class RegionPage(_Page):
    """Whether a region is painted at once or stays a shape."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        self.kinds = self.choice(
            "drawn_as",
            (
                ("paint", "Paint", "The region is painted into the matte of this frame."),
                ("shape", "Shape", "The region stays a shape: its points can be moved and keyed."),
            ),
            lambda value: masks.shapes.set(drawn_as=value),
        )
        masks.shapes.changed.connect(self._on_changed)
        self._on_changed()

    def _on_changed(self) -> None:
        _check(self.kinds[self.masks.shapes.settings.drawn_as], True)


class FillPage(_Page):
    """What counts as the same colour."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        self.tolerance = self.number(
            f"{type(self).__name__[:4].lower()}.tolerance", "Tolerance",
            "Levels of 255 that a channel may differ from the colour that was clicked.", 0, 255, "",
            lambda v: masks.set_brush(tolerance=round(v)),
        )  # fmt: skip
        masks.brush_changed.connect(self._on_brush_changed)
        self._on_brush_changed()

    def _on_brush_changed(self, _brush: object = None) -> None:
        _show(self.tolerance, self.masks.brush.tolerance)


class WandPage(FillPage):
    """Tolerance, and how the region is taken."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        self.contiguous = self.switch(
            "contiguous", "Contiguous", "Only what is connected to the click, or the colour anywhere in the picture.",
            lambda on: masks.set_brush(contiguous=on),
        )  # fmt: skip
        self.antialias = self.switch(
            "antialias", "Smooth edge", "Pixels of mixed colour along the edge are covered in part.",
            lambda on: masks.set_brush(antialias=on),
        )  # fmt: skip
        _check(self.contiguous, masks.brush.contiguous)
        _check(self.antialias, masks.brush.antialias)


class GradientPage(_Page):
    """Across a line or around a point."""

    def __init__(self, masks: MaskEditing, canvas: Canvas, parent: QWidget) -> None:
        super().__init__(masks, canvas, parent)
        self.kinds = self.choice(
            "gradient",
            (
                ("linear", "Linear", "The matte fades across the line that is dragged."),
                ("radial", "Radial", "The matte fades around the point where the drag starts."),
            ),
            lambda value: masks.set_brush(radial=value == "radial"),
        )
        _check(self.kinds["radial" if masks.brush.radial else "linear"], True)
