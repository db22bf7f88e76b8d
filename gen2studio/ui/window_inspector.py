"""Inspector, curve editor, markers and subtitles in the window: making their panels, and what their commands do."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QWidget

from gen2studio.app.actions_inspector import ROWS

if TYPE_CHECKING:
    from gen2studio.app.clip_inspecting import ClipInspecting
    from gen2studio.document.model import Clip
    from gen2studio.ui.main_window import MainWindow
    from gen2studio.ui.panels.curves_panel import CurvesPanel
    from gen2studio.ui.panels.inspector_panel import InspectorPanel

DOCKS = {"inspector": "Inspector", "curves": "Curves"}
"""Name → title of the docks that are made here."""


def arrange(window: MainWindow) -> None:
    """Put the docks where they come from."""
    docks = window.docks
    window.tabifyDockWidget(docks["generate"], docks["inspector"])
    window.tabifyDockWidget(docks["timeline"], docks["curves"])


def inspecting(window: MainWindow) -> ClipInspecting:
    """What the panels ask about the selected clips."""
    from gen2studio.app.clip_inspecting import ClipInspecting
    from gen2studio.document import looks

    studio = window.studio

    def strength_of(clip: Clip) -> float:
        return studio.generation.effective(looks.look_of(studio.store.document, clip)).controls.strength

    return ClipInspecting(studio.session, studio.editing, strength_of, window)


def inspector(window: MainWindow) -> InspectorPanel:
    from gen2studio.ui.panels.inspector_panel import InspectorPanel

    return InspectorPanel(window.inspecting, window)


def curves(window: MainWindow) -> CurvesPanel:
    from gen2studio.app.curve_editing import CurveEditing
    from gen2studio.ui.panels.curves_panel import CurvesPanel

    panel = CurvesPanel(CurveEditing(window.inspecting, window), window.binder.for_buttons(), window)
    window.binder.scope("curves", panel)
    snap = window.binder.action("curves.snap")
    snap.blockSignals(True)
    snap.setChecked(panel.curves.snapping)
    snap.blockSignals(False)
    window.inspector.curve_chosen.connect(panel.curves.set_current)
    return panel


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    """Action id → what it does, for the rows of :mod:`gen2studio.app.actions_inspector`."""

    def flip(way: str) -> object:
        ask = window.inspecting
        field = f"flip_{way}"
        now = ask.fact(lambda clip: getattr(clip.transform, field), ask.pictures())
        return ask.set_flip(**{way: now is not True})

    def on_curves(name: str) -> Callable[..., object]:
        # The panel is made when it is first needed.
        return lambda *values: window.curves.handlers()[name](*values)

    bound: dict[str, Callable[..., object]] = {row.id: on_curves(row.id) for row in ROWS if row.scope == "curves"}
    return bound | {
        "view.curves": lambda: show(window, "curves"),
        "view.inspector": lambda: show(window, "inspector"),
        "key.previous": lambda: window.inspecting.go_to_key("", -1),
        "key.next": lambda: window.inspecting.go_to_key("", 1),
        "key.transform": lambda: window.inspecting.set_keys(
            "Set Transform Keys",
            ("transform.x", "transform.y", "transform.scale", "transform.rotation"),
        ),
        "transform.flip_horizontal": lambda: flip("horizontal"),
        "transform.flip_vertical": lambda: flip("vertical"),
        "transform.reset": lambda: window.inspecting.reset_group("Transform"),
        "transform.fill": lambda: window.inspecting.fill_frame(),
    }


def show(window: MainWindow, name: str) -> None:
    """Bring a dock to the front and put the keyboard into it."""
    window.raise_dock(name)
    target = {"curves": "curves.graph"}.get(name)
    widget = window.docks[name].widget()
    found = widget.findChild(QWidget, target) if target else widget
    if found is not None:
        found.setFocus()
