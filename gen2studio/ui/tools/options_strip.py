"""The slim strip over the viewer: the options of the canvas tool in hand, and what it does next."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QStackedLayout, QWidget

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import Session
from gen2studio.ui.canvas.canvas import Canvas
from gen2studio.ui.tools.registry import TOOLS
from gen2studio.ui.widgets.elided_label import ElidedLabel

HEIGHT = 34
# A style sheet leaves a number field without buttons one pixel of room for its text unless their width is given.
_NUMBER_FIELDS = (
    "QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { subcontrol-origin: border; width: 0; border: none; }"
)
_HINT_ROOM = 200
"""Pixels beside the options from which on the hint is shown."""
HINTS = {
    "brush": "Paint. Alt erases, Shift-click draws a line, drag with the right button to size",
    "eraser": "Erase. Alt paints, Shift-click draws a line, drag with the right button to size",
    "shape": "Click for a corner, drag for a smooth point",
    "bspline": "Click the points that the curve follows",
    "edit_shape": "Drag points and handles. Alt-drag: feather, double click: add a point, Ctrl: transform",
    "lasso": "Draw around a region. Alt takes it away",
    "polygon": "Click corner by corner. Alt takes the region away",
    "rectangle": "Drag a rectangle. Shift: square, Ctrl: from the centre, Alt: take away",
    "ellipse": "Drag an ellipse. Shift: circle, Ctrl: from the centre, Alt: take away",
    "fill": "Click a hole to fill it. Shift: the region of like colour, Alt: take away",
    "wand": "Click a colour. Alt takes it away",
    "gradient": "Drag from where the matte stays to where it has faded. Shift adds the ramp, Alt turns it round",
    "select_box": "Drag a box around the subject",
    "include": "Scribble over the subject. Alt: over what is not",
    "exclude": "Scribble over what is not the subject. Alt: over the subject",
}
DRAWING = {
    "shape": "Click to add a point, drag for a smooth one. Enter closes, Backspace takes one back, Esc drops",
    "bspline": "Click to add a point. Enter closes, Backspace takes one back, Esc drops",
    "polygon": "Click to add a corner. Enter closes, Backspace takes one back, Esc drops",
}  # fmt: skip
"""While a gesture of several clicks lasts."""


class OptionsStrip(QFrame):
    """One page a group of tools, made when it is first needed; hidden for tools that change no mattes."""

    def __init__(self, session: Session, masks: MaskEditing, canvas: Canvas, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas.options")
        self.setAccessibleName("Tool options")
        self.setProperty("role", "strip")
        self.setStyleSheet(_NUMBER_FIELDS)
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._session = session
        self._masks = masks
        self._canvas = canvas
        self._pages: dict[str, QWidget] = {}
        self._pages_box = QWidget(self)
        self._pages_box.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
        self._stack = QStackedLayout(self._pages_box)
        self._stack.setContentsMargins(0, 0, 0, 0)
        self.hint = ElidedLabel(parent=self)
        self.hint.setObjectName("canvas.options.hint")
        self.hint.setProperty("role", "muted")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 2, 10, 2)
        row.setSpacing(12)
        row.addWidget(self._pages_box)
        row.addWidget(self.hint, 1)
        session.tool_changed.connect(self._on_tool_changed)
        canvas.gesture_started.connect(self._show_hint)
        canvas.gesture_ended.connect(self._show_hint)
        self._on_tool_changed(session.tool)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # A few letters and dots help nobody.
        page = self._stack.currentWidget()
        taken = page.sizeHint().width() if page is not None and not self._pages_box.isHidden() else 0
        self.hint.setVisible(event.size().width() - taken > _HINT_ROOM)

    def _on_tool_changed(self, name: str) -> None:
        tool = TOOLS.get(name)
        shown = tool is not None and tool.edits
        self.setVisible(shown)
        if not shown:
            return
        page = self._page(name)
        self._pages_box.setVisible(page is not None)
        if page is not None:
            self._stack.setCurrentWidget(page)
            # The stack is as wide as its widest page: only the one in front takes room.
            self._pages_box.setFixedWidth(page.sizeHint().width())
        self.hint.setVisible(self.width() - (page.sizeHint().width() if page is not None else 0) > _HINT_ROOM)
        self._show_hint()

    def _show_hint(self) -> None:
        name = self._session.tool
        words = HINTS.get(name, "")
        if self._canvas.gesturing:
            words = DRAWING.get(name, words)
        self.hint.show_text(words)

    def page(self, name: str) -> QWidget | None:
        """The options of a tool; None where it has none."""
        return self._page(name)

    def _page(self, name: str) -> QWidget | None:
        group = _GROUPS.get(name, "")
        if group and group not in self._pages:
            from gen2studio.ui.tools import options_pages

            makers: dict[str, Callable[..., QWidget]] = {
                "brush": options_pages.BrushPage,
                "draw": options_pages.DrawPage,
                "edit": options_pages.EditPage,
                "region": options_pages.RegionPage,
                "wand": options_pages.WandPage,
                "fill": options_pages.FillPage,
                "gradient": options_pages.GradientPage,
            }
            made = makers[group](self._masks, self._canvas, self._pages_box)
            self._pages[group] = made
            self._stack.addWidget(made)
        return self._pages.get(group)


_GROUPS = {
    "brush": "brush", "eraser": "brush", "shape": "draw", "bspline": "draw", "edit_shape": "edit", "lasso": "region",
    "polygon": "region", "rectangle": "region", "ellipse": "region", "wand": "wand", "fill": "fill",
    "gradient": "gradient",
}  # fmt: skip
