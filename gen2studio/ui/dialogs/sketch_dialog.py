"""Drawing on a storyboard panel: boxes as a skyline, shapes, strokes. Small on purpose; it makes one picture."""

from __future__ import annotations

import enum
from collections.abc import Callable

from PySide6.QtCore import QBuffer, QIODevice, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QIcon,
    QImage,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QPixmap,
    QShortcut,
    QTabletEvent,
)
from PySide6.QtWidgets import (
    QButtonGroup,
    QColorDialog,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.ui import theme
from gen2studio.ui.widgets.named import named, text_button
from gen2studio.ui.widgets.value_slider import ValueSlider

PAPER = QColor(236, 234, 228)
COLOURS = (
    (26, 28, 34), (90, 96, 108), (158, 163, 172), (236, 234, 228), (178, 60, 52), (226, 132, 58), (240, 200, 84),
    (92, 140, 74), (52, 110, 96), (70, 128, 190), (38, 62, 120), (124, 82, 150), (138, 96, 62), (214, 172, 140),
)  # fmt: skip
"""sRGB inks of the palette: lights and darks, sky, leaves, stone, skin."""
_UNDO = 40


class Tool(enum.Enum):
    BRUSH = "brush"
    BOX = "box"
    ELLIPSE = "ellipse"
    LINE = "line"
    FILL = "fill"


_TOOLS = (
    (Tool.BRUSH, "Brush", "brush", "B", "Draw freely"),
    (Tool.BOX, "Box", "square", "R", "Drag a filled box; Shift makes a square"),
    (Tool.ELLIPSE, "Ellipse", "circle", "C", "Drag a filled ellipse; Shift makes a circle"),
    (Tool.LINE, "Line", "minus", "L", "Drag a straight line"),
    (Tool.FILL, "Background", "paint-bucket", "G", "Click to fill the whole panel"),
)


class SketchPad(QWidget):
    """The picture being drawn, shown as large as it fits. Pixels are sRGB."""

    changed = Signal()

    def __init__(self, size: QSize, picture: QImage | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("sketch.pad")
        self.setAccessibleName("Sketch")
        self.setToolTip("Draw here")
        self.setCursor(Qt.CursorShape.CrossCursor)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 200)
        self.image = QImage(size, QImage.Format.Format_RGB32)
        self.image.fill(PAPER)
        if picture is not None and not picture.isNull():
            self._lay(picture)
        self.tool = Tool.BRUSH
        self.ink = QColor(*COLOURS[0])
        self.width_px = max(2.0, size.height() / 40)
        self._undo: list[QImage] = []
        self._redo: list[QImage] = []
        self._start: QPointF | None = None
        self._last: QPointF | None = None
        self._base: QImage | None = None

    def sizeHint(self) -> QSize:
        return self.image.size().scaled(QSize(760, 470), Qt.AspectRatioMode.KeepAspectRatio)

    def _lay(self, picture: QImage) -> None:
        painter = QPainter(self.image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        size = picture.size().scaled(self.image.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
        place = QRectF(QPointF(), size.toSizeF())
        place.moveCenter(QRectF(self.image.rect()).center())
        painter.drawImage(place, picture)
        painter.end()

    # -- history ------------------------------------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        return bool(self._undo)

    @property
    def can_redo(self) -> bool:
        return bool(self._redo)

    def undo(self) -> None:
        self._step(self._undo, self._redo)

    def redo(self) -> None:
        self._step(self._redo, self._undo)

    def _step(self, source: list[QImage], target: list[QImage]) -> None:
        if source:
            target.append(self.image.copy())
            self.image = source.pop()
            self._shown()

    def _remember(self) -> None:
        self._undo.append(self.image.copy())
        del self._undo[:-_UNDO]
        self._redo.clear()

    def clear(self) -> None:
        """An empty panel."""
        self._remember()
        self.image.fill(PAPER)
        self._shown()

    def _shown(self) -> None:
        self.update()
        self.changed.emit()

    # -- drawing ------------------------------------------------------------------------------------------------------

    def _place(self) -> QRectF:
        size = self.image.size().scaled(self.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(QPointF(), size.toSizeF())
        place.moveCenter(QRectF(self.rect()).center())
        return place

    def _point(self, at: QPointF) -> QPointF:
        place = self._place()
        scale = self.image.width() / max(1.0, place.width())
        return (at - place.topLeft()) * scale

    def _press(self, at: QPointF) -> None:
        self._remember()
        if self.tool is Tool.FILL:
            self.image.fill(self.ink)
            self._shown()
            return
        self._start = self._last = self._point(at)
        self._base = self.image.copy()
        if self.tool is Tool.BRUSH:
            self._stroke(self._start, 1.0)

    def _move(self, at: QPointF, square: bool, pressure: float) -> None:
        if self._start is None or self._base is None:
            return
        point = self._point(at)
        if self.tool is Tool.BRUSH:
            self._stroke(point, pressure)
            return
        self.image = self._base.copy()
        painter = QPainter(self.image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if self.tool is Tool.LINE:
            painter.setPen(_pen(self.ink, self.width_px))
            painter.drawLine(self._start, point)
        else:
            across = point - self._start
            if square:
                side = max(abs(across.x()), abs(across.y()))
                across = QPointF(side if across.x() >= 0 else -side, side if across.y() >= 0 else -side)
            box = QRectF(self._start, self._start + across).normalized()
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self.ink)
            if self.tool is Tool.BOX:
                painter.drawRect(box)
            else:
                painter.drawEllipse(box)
        painter.end()
        self.update()

    def _stroke(self, point: QPointF, pressure: float) -> None:
        assert self._last is not None
        painter = QPainter(self.image)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(_pen(self.ink, max(1.0, self.width_px * pressure)))
        # A dot where the pen stands still.
        painter.drawLine(self._last, point if point != self._last else point + QPointF(0.01, 0))
        painter.end()
        self._last = point
        self.update()

    def _release(self) -> None:
        if self._start is not None:
            self._start = self._last = self._base = None
            self.changed.emit()

    # -- events -------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self._press(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._move(event.position(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier), 1.0)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._release()

    def tabletEvent(self, event: QTabletEvent) -> None:
        kind = event.type()
        if kind == QTabletEvent.Type.TabletPress:
            self._press(event.position())
        elif kind == QTabletEvent.Type.TabletMove:
            self._move(event.position(), bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier), event.pressure())
        else:
            self._release()
        event.accept()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), theme.colour("canvas"))
        place = self._place()
        painter.drawImage(place, self.image)
        painter.setPen(theme.colour("line_strong"))
        painter.drawRect(place.adjusted(-0.5, -0.5, 0.5, 0.5))
        painter.end()


class SketchDialog(QDialog):
    """Draws on a picture; ``use(png bytes)`` gets it when it is kept."""

    def __init__(
        self, size: QSize, picture: QImage | None, use: Callable[[bytes], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sketchDialog")
        self.setWindowTitle("Draw on panel")
        self._use = use
        self.pad = SketchPad(size, picture, self)
        self._tools: dict[Tool, QToolButton] = {}
        side = QVBoxLayout()
        side.setSpacing(3)
        group = QButtonGroup(self)
        for tool, title, icon, key, tip in _TOOLS:
            button = named(QToolButton(self), f"sketch.{tool.value}", title, f"{title} ({key})\n{tip}")
            button.setIcon(theme.icon(icon))
            button.setIconSize(theme.icon_size(18))
            button.setFixedSize(32, 32)
            button.setCheckable(True)
            button.setShortcut(QKeySequence(key))
            button.setToolTip(f"{title} ({key})\n{tip}")
            button.clicked.connect(lambda _checked=False, t=tool: self._choose(t))
            group.addButton(button)
            self._tools[tool] = button
            side.addWidget(button)
        side.addSpacing(6)
        self.undo = text_button("sketch.undo", "Undo", "undo-2", "Undo (Ctrl+Z)", self.pad.undo, self, text=False)
        self.redo = text_button("sketch.redo", "Redo", "redo-2", "Redo (Ctrl+Shift+Z)", self.pad.redo, self, text=False)
        self.clear = text_button(
            "sketch.clear", "Clear", "trash-2", "Start on an empty panel", self.pad.clear, self, text=False
        )
        for button in (self.undo, self.redo, self.clear):
            button.setFixedSize(32, 32)
            side.addWidget(button)
        side.addStretch(1)
        for keys, act in (("Ctrl+Z", self.pad.undo), ("Ctrl+Shift+Z", self.pad.redo), ("Ctrl+Y", self.pad.redo)):
            QShortcut(QKeySequence(keys), self, act)
        inks = QHBoxLayout()
        inks.setSpacing(3)
        self._inks = QButtonGroup(self)
        for index, rgb in enumerate(COLOURS):
            inks.addWidget(self._ink_button(index, QColor(*rgb)))
        more = text_button(
            "sketch.ink.more", "Other colour…", "palette", "Choose any colour", self._ask_ink, self, text=False
        )
        inks.addWidget(more)
        inks.addStretch(1)
        self.width_slider = ValueSlider(
            "sketch.width", "Width", low=1, high=max(8.0, size.height() / 6), default=round(self.pad.width_px), step=1,
            decimals=0, unit="px", tip="How wide strokes and lines are ([ and ])", compact=True, parent=self,
        )  # fmt: skip
        self.width_slider.label.setFixedWidth(44)
        self.width_slider.value_changed.connect(self._set_width)
        self.width_slider.setMaximumWidth(300)
        foot = QHBoxLayout()
        foot.addLayout(inks)
        foot.addSpacing(10)
        foot.addWidget(self.width_slider, 1)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        keep = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        keep.setText("Use on panel")
        named(keep, "sketch.keep", "Use on panel", "Make this the picture of the panel (Return)")
        keep.setProperty("primary", True)
        leave = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        named(leave, "sketch.cancel", "Cancel", "Leave the panel as it was (Esc)")
        for button in self.buttons.buttons():
            # The style's own drawings would be the only coloured icons of the program.
            button.setIcon(QIcon())
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        hint = QLabel("Flat boxes and shapes are enough: the look of the board makes a world of them.", self)
        hint.setProperty("role", "faint")
        last = QHBoxLayout()
        last.addWidget(hint, 1)
        last.addWidget(self.buttons)
        middle = QHBoxLayout()
        middle.addLayout(side)
        middle.addWidget(self.pad, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(middle, 1)
        layout.addLayout(foot)
        layout.addLayout(last)
        self.pad.changed.connect(self._show_history)
        self._choose(Tool.BOX)
        self._show_history()

    def _ink_button(self, index: int, ink: QColor) -> QToolButton:
        button = named(QToolButton(self), f"sketch.ink.{index}", f"Ink {ink.name()}", f"Draw with {ink.name()}")
        pixmap = QPixmap(36, 36)
        pixmap.fill(ink)
        edge = QPainter(pixmap)
        edge.setPen(QPen(theme.colour("text_faint"), 2))
        edge.drawRect(1, 1, 34, 34)
        edge.end()
        pixmap.setDevicePixelRatio(2.0)
        button.setIcon(QIcon(pixmap))
        button.setIconSize(theme.icon_size(18))
        button.setCheckable(True)
        button.setChecked(index == 0)
        button.clicked.connect(lambda _checked=False: self._set_ink(ink))
        self._inks.addButton(button)
        return button

    def _choose(self, tool: Tool) -> None:
        self.pad.tool = tool
        self._tools[tool].setChecked(True)

    def _set_ink(self, ink: QColor) -> None:
        self.pad.ink = ink

    def _set_width(self, width: float) -> None:
        self.pad.width_px = width

    def _ask_ink(self) -> None:
        ink = QColorDialog.getColor(self.pad.ink, self, "Colour")
        if ink.isValid():
            self._set_ink(ink)

    def _show_history(self) -> None:
        self.undo.setEnabled(self.pad.can_undo)
        self.redo.setEnabled(self.pad.can_redo)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        step = {Qt.Key.Key_BracketLeft: 0.8, Qt.Key.Key_BracketRight: 1.25}.get(Qt.Key(event.key()))
        if step is not None:
            self.width_slider.set_value(max(1.0, self.pad.width_px * step))
            self._set_width(self.width_slider.value)
        else:
            super().keyPressEvent(event)

    def accept(self) -> None:
        self._use(png_of(self.pad.image))
        super().accept()


def _pen(ink: QColor, width: float) -> QPen:
    return QPen(ink, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin)


def png_of(image: QImage) -> bytes:
    """The PNG file of a picture."""
    buffer = QBuffer()
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")  # pyright: ignore[reportCallIssue, reportArgumentType]
    return bytes(buffer.data().data())
