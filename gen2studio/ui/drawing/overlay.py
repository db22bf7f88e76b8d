"""The colours of :mod:`gen2studio.app.board_overlay` on the screen."""

from __future__ import annotations

from gen2studio.app.board_overlay import Inks
from gen2studio.ui import theme


def inks() -> Inks:
    """The theme's."""
    names = ("success", "danger", "label_amber", "label_cyan", "accent")
    return Inks(*(theme.colour(name) for name in names))
