"""Mixer and scopes in the window: docks that are hidden at first, and made when they are first seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gen2studio.ui.main_window import MainWindow
    from gen2studio.ui.panels.mixer_panel import MixerPanel
    from gen2studio.ui.panels.scopes_panel import ScopesPanel

DOCKS = {"mixer": "Mixer", "scopes": "Scopes"}
"""Name → title of the docks that are made here."""


def arrange(window: MainWindow) -> None:
    """Put the docks where they come from, and away."""
    docks = window.docks
    window.tabifyDockWidget(docks["takes"], docks["mixer"])
    window.tabifyDockWidget(docks["media"], docks["scopes"])
    for name in DOCKS:
        docks[name].hide()


def mixer(window: MainWindow) -> MixerPanel:
    from gen2studio.ui.panels.mixer_panel import MixerPanel

    panel = MixerPanel(window.studio.editing, window.studio.player.meters, window)
    window.closing.append(panel.shutdown)
    return panel


def scopes(window: MainWindow) -> ScopesPanel:
    from gen2studio.app.scopes import Scopes
    from gen2studio.ui.panels.scopes_panel import ScopesPanel

    counter = Scopes(window)
    window.closing.append(counter.shutdown)
    return ScopesPanel(window.studio.feed, counter, window)


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    """Action id → what it does."""
    return {"view.mixer": lambda: _toggle(window, "mixer"), "view.scopes": lambda: _toggle(window, "scopes")}


def _toggle(window: MainWindow, name: str) -> None:
    dock = window.docks[name]
    if dock.isVisible() and not dock.visibleRegion().isEmpty():
        dock.hide()
    else:
        window.raise_dock(name)
