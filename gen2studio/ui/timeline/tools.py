"""The tools of the timeline: what a press on a clip does."""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor

from gen2studio.core.records import dataclass
from gen2studio.ui import theme


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool and the command that chooses it."""

    name: str
    action: str
    icon: str = ""
    """Of its cursor; empty = the arrow."""


TOOLS = (
    Tool("select", "timeline.tool_select"),
    Tool("razor", "timeline.tool_razor", "scissors"),
    Tool("ripple", "timeline.tool_ripple", "arrow-right-from-line"),
    Tool("roll", "timeline.tool_roll", "split-square-horizontal"),
    Tool("slip", "timeline.tool_slip", "arrow-left-right"),
    Tool("slide", "timeline.tool_slide", "move-horizontal"),
)
_BY_NAME = {tool.name: tool for tool in TOOLS}
_cursors: dict[str, QCursor] = {}


def cursor(name: str) -> QCursor:
    """The cursor of a tool: its icon, with a dark rim so that it shows on any footage."""
    tool = _BY_NAME[name]
    if not tool.icon:
        return QCursor(Qt.CursorShape.ArrowCursor)
    if name == "razor":
        return QCursor(Qt.CursorShape.CrossCursor)
    if name not in _cursors:
        _cursors[name] = _drawn(tool.icon)
    return _cursors[name]


def _drawn(icon: str) -> QCursor:
    from PySide6.QtGui import QPainter, QPixmap

    picture = QPixmap(26, 26)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    rim = theme.icon_pixmap(icon, 20, "background")
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            painter.drawPixmap(QPoint(3 + dx, 3 + dy), rim)
    painter.drawPixmap(QPoint(3, 3), theme.icon_pixmap(icon, 20, "text"))
    painter.end()
    return QCursor(picture, 13, 13)
