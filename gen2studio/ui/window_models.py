"""The window of models, opened from wherever a model is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gen2studio.ui.main_window import MainWindow


def open_window(window: MainWindow, mode: str = "") -> None:
    """Open the window of models; with a mode, on what serves it."""
    from gen2studio.ui.dialogs.model_window import ModelWindow

    there = window.findChild(ModelWindow)
    if there is None:
        there = ModelWindow(window.studio.models, window)
    if mode:
        there.show_mode(mode)
    there.show()
    there.raise_()
    there.activateWindow()
