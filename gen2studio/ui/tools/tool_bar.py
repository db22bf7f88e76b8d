"""The slim bar of canvas tools beside the viewer."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QButtonGroup, QFrame, QSizePolicy, QToolButton, QWidget

from gen2studio.app.action_table import all_actions
from gen2studio.app.session import Session
from gen2studio.ui import key_tips, theme
from gen2studio.ui.tools.registry import TOOLS

_GROUPS = (
    ("brush", "eraser"),
    ("shape", "bspline", "edit_shape"),
    ("lasso", "polygon", "rectangle", "ellipse"),
    ("fill", "wand", "gradient"),
    ("select_box", "include", "exclude"),
    ("transform", "hand", "zoom"),
)

_SIDE, _GAP, _MARGIN = 30, 2, 4


class CanvasToolBar(QWidget):
    """One button a tool; the pressed one is ``session.tool``."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("canvas.tools")
        self.setAccessibleName("Canvas tools")
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session = session
        self._rows = {row.id: row for row in all_actions()}
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self.buttons: dict[str, QToolButton] = {}
        self._lines: list[QFrame] = []
        for index, names in enumerate(_GROUPS):
            if index:
                self._lines.append(self._line())
            for name in names:
                self._button(name)
        self._columns = 0
        self._arrange(1)
        session.tool_changed.connect(self._on_tool_changed)
        self._on_tool_changed(session.tool)

    def _arrange(self, columns: int) -> None:
        """Place the buttons; two columns where the viewer is too low for one."""
        if columns == self._columns:
            return
        self._columns = columns
        self.setFixedWidth(2 * _MARGIN + columns * _SIDE + (columns - 1) * _GAP)
        y = _MARGIN + 2
        for index, names in enumerate(_GROUPS):
            if index:
                self._lines[index - 1].setGeometry(_MARGIN, y + 2, self.width() - 2 * _MARGIN, 1)
                y += 7
            for place, name in enumerate(names):
                row, column = divmod(place, columns)
                self.buttons[name].move(_MARGIN + column * (_SIDE + _GAP), y + row * (_SIDE + _GAP))
            y += -(-len(names) // columns) * (_SIDE + _GAP)

    def _height(self, columns: int) -> int:
        rows = sum(-(-len(names) // columns) for names in _GROUPS)
        return 2 * _MARGIN + rows * (_SIDE + _GAP) + 7 * (len(_GROUPS) - 1)

    def sizeHint(self) -> QSize:
        return QSize(self.width(), self._height(1))

    def minimumSizeHint(self) -> QSize:
        return QSize(self.width(), self._height(2))

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange(1 if event.size().height() >= self._height(1) else 2)
        super().resizeEvent(event)

    def _line(self) -> QFrame:
        line = QFrame(self)
        line.setFixedHeight(1)
        line.setProperty("role", "divider")
        return line

    def _button(self, name: str) -> QToolButton:
        row = self._rows[f"tool.{name}"]
        button = QToolButton(self)
        button.setObjectName(f"canvas.tools.{name}")
        button.setAccessibleName(row.text)
        button.setProperty("command", row.id)
        button.setToolTip(key_tips.tip(row))
        button.setIcon(theme.icon(row.icon))
        button.setIconSize(QSize(18, 18))
        button.setFixedSize(_SIDE, _SIDE)
        button.setCheckable(True)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.setProperty("tool", name)
        button.clicked.connect(self._on_clicked)
        self._group.addButton(button)
        self.buttons[name] = button
        assert name in TOOLS
        return button

    def _on_clicked(self) -> None:
        button = self.sender()
        if isinstance(button, QToolButton):
            self._session.set_tool(str(button.property("tool")))

    def _on_tool_changed(self, tool: str) -> None:
        self._group.setExclusive(False)
        for name, button in self.buttons.items():
            button.setChecked(name == tool)
        self._group.setExclusive(True)
