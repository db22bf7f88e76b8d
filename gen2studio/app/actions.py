"""Every command of the program in one declarative table: it feeds menus, keys, tool tips and the command palette.

Each room keeps its own rows (``actions_timeline.py``, ``actions_masks.py``, ``actions_generate.py``…); ``ALL`` joins
them. Handlers are bound by id in the ui; a row without a handler is a bug that a test catches.
"""

from __future__ import annotations

from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One command."""

    id: str
    """``room.verb``, stable: key maps refer to it. Also the objectName of its QAction."""
    text: str
    """Menu text, imperative; ``…`` when a dialog follows."""
    tip: str
    """One sentence: what it does."""
    key: str = ""
    """Default shortcut in QKeySequence portable text; several separated by ``, `` are not allowed: use ``keys``."""
    keys: tuple[str, ...] = ()
    """Further shortcuts."""
    icon: str = ""
    """Name of an icon in resources/icons without suffix."""
    menu: str = ""
    """Menu it appears in: File, Edit, Clip, Mask, Generate, View, Playback, Help; ``Mask/Views`` makes a submenu."""
    checkable: bool = False
    scope: str = "window"
    """window, timeline, canvas (programme viewer), source (source viewer), curves (curve editor) or drawing (drawing
    window): where its key is live. Single letters are never live inside text fields."""
    group: str = ""
    """Rows of one menu with the same group sit together; groups are divided by separators."""

    def shortcuts(self) -> tuple[str, ...]:
        return ((self.key,) if self.key else ()) + self.keys
