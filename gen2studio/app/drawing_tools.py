"""What one draws with on storyboard panels, and how."""

from __future__ import annotations

import enum

from gen2studio.core.records import dataclass


class Tool(enum.Enum):
    PEN = "pen"
    PENCIL = "pencil"
    ERASER = "eraser"
    FILL = "fill"
    LINE = "line"
    BOX = "box"
    ELLIPSE = "ellipse"
    FRAME = "frame"
    """Camera frames; drawn on no layer."""
    ARROW = "arrow"
    """Arrows of movement; drawn on no layer."""
    HAND = "hand"


INKING = frozenset({Tool.PEN, Tool.PENCIL, Tool.ERASER, Tool.FILL, Tool.LINE, Tool.BOX, Tool.ELLIPSE})
LABELS = {Tool.ERASER: "Erase", Tool.FILL: "Fill", Tool.LINE: "Draw line", Tool.BOX: "Draw box",
           Tool.ELLIPSE: "Draw ellipse"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawingSettings:
    """How one draws; kept between panels."""

    tool: Tool = Tool.PEN
    colour: tuple[int, int, int] = (26, 28, 34)
    width: float = 8.0
    """Canvas pixels."""
    opacity: float = 1.0
    solid: bool = True
    """Boxes and ellipses are filled; else their outline is drawn."""
    tolerance: int = 24
    """0…255: how alike colours are that a fill runs over."""
    onion: float = 0.0
    """0…1: how strongly the panel before shines through."""
    onion_next: float = 0.0
