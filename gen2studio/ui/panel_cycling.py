"""Going from panel to panel by keyboard, and saying which one has the keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QApplication, QWidget


class PanelCycle:
    """The panels in reading order; those that are hidden or behind another tab are left out."""

    def __init__(self, panels: Callable[[], Sequence[QWidget]]) -> None:
        self._panels = panels

    def go(self, step: int) -> QWidget | None:
        """Give the keyboard to the next (+1) or previous (−1) panel that can take it; None when none can."""
        shown = [p for p in self._panels() if p.isVisible() and not p.visibleRegion().isEmpty()]
        if not shown:
            return None
        here = QApplication.focusWidget()
        at = next((i for i, p in enumerate(shown) if here is not None and (p is here or p.isAncestorOf(here))), None)
        start = at if at is not None else (-1 if step > 0 else 0)
        for turn in range(1, len(shown) + 1):
            panel = shown[(start + step * turn) % len(shown)]
            target = entry(panel)
            if target is not None:
                target.setFocus(Qt.FocusReason.TabFocusReason)
                return panel
        return None


def entry(panel: QWidget) -> QWidget | None:
    """Where the keyboard enters a panel: what stands in for it, else its list, else its first control."""
    proxy: QWidget | None = panel.focusProxy()
    if proxy is not None:
        while (further := proxy.focusProxy()) is not None:
            proxy = further
        return proxy
    able = [
        w
        for w in (panel, *panel.findChildren(QWidget))
        if w.isVisible() and w.isEnabled() and w.focusPolicy() & Qt.FocusPolicy.TabFocus and w.focusProxy() is None
    ]
    lists = [w for w in able if isinstance(w, QAbstractItemView)]
    return lists[0] if lists else able[0] if able else None
