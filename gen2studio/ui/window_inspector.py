"""Inspector, curve editor, markers and subtitles in the window: making their panels, and what their commands do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QWidget

from gen2studio.app.actions_inspector import ROWS

if TYPE_CHECKING:
    from gen2studio.app.clip_inspecting import ClipInspecting
    from gen2studio.document.model import Clip, Marker
    from gen2studio.ui.main_window import MainWindow
    from gen2studio.ui.panels.curves_panel import CurvesPanel
    from gen2studio.ui.panels.inspector_panel import InspectorPanel
    from gen2studio.ui.panels.markers_panel import MarkersPanel
    from gen2studio.ui.panels.subtitles_panel import SubtitlesPanel

DOCKS = {"inspector": "Inspector", "subtitles": "Subtitles", "markers": "Markers", "curves": "Curves"}
"""Name → title of the docks that are made here."""


def arrange(window: MainWindow) -> None:
    """Put the docks where they come from."""
    docks = window.docks
    window.tabifyDockWidget(docks["generate"], docks["inspector"])
    if window.canvas.handles is None:
        window.late.add(lambda: set_handles(window))
    window.tabifyDockWidget(docks["generate"], docks["subtitles"])
    window.tabifyDockWidget(docks["takes"], docks["markers"])
    window.tabifyDockWidget(docks["timeline"], docks["curves"])


def inspecting(window: MainWindow) -> ClipInspecting:
    """What the panels ask about the selected clips."""
    from gen2studio.app.choosing import follows_keys
    from gen2studio.app.clip_inspecting import ClipInspecting
    from gen2studio.document import looks

    studio = window.studio

    def strength_of(clip: Clip) -> float:
        return studio.generation.effective(looks.look_of(studio.store.document, clip)).controls.strength

    def follows(clip: Clip, slider: str) -> bool:
        look = looks.look_of(studio.store.document, clip)
        found = studio.generation.choice_for(look)
        return found is None or follows_keys(found.abilities, look.mode.value, slider)

    return ClipInspecting(studio.session, studio.editing, strength_of, window, follows=follows)


def inspector(window: MainWindow) -> InspectorPanel:
    from gen2studio.ui.panels.inspector_panel import InspectorPanel

    panel = InspectorPanel(window.inspecting, window)
    panel.handles_wanted.connect(window.canvas.want_handles)
    return panel


def set_handles(window: MainWindow) -> None:
    """Give the viewer the box around the clip's picture."""
    from gen2studio.ui.canvas.transform_handles import TransformHandles

    window.canvas.set_handles(TransformHandles(window.inspecting))


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


def subtitles(window: MainWindow) -> SubtitlesPanel:
    from gen2studio.ui.panels.subtitles_panel import SubtitlesPanel

    studio = window.studio
    return SubtitlesPanel(studio.session, studio.editing, window.binder.for_buttons(), window)


def markers(window: MainWindow) -> MarkersPanel:
    from gen2studio.ui.panels.markers_panel import MarkersPanel

    studio = window.studio
    panel = MarkersPanel(studio.session, studio.editing, window.binder.for_buttons(), window)
    panel.export_wanted.connect(lambda: export_markers(window))
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
        "view.subtitles": lambda: show(window, "subtitles"),
        "view.markers": lambda: show(window, "markers"),
        "marker.edit": lambda: name_marker(window),
        "marker.export": lambda: export_markers(window),
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
    target = {"curves": "curves.graph", "markers": "markers.table", "subtitles": "subtitles.table"}.get(name)
    widget = window.docks[name].widget()
    found = widget.findChild(QWidget, target) if target else widget
    if found is not None:
        found.setFocus()


def name_marker(window: MainWindow) -> None:
    """Type the name of the marker at the playhead in its list; without one, put one there first."""
    show(window, "markers")
    panel = window.markers
    panel.refresh()
    if not panel.edit_here() and window.studio.editing.titles.add_marker():
        panel.refresh()
        panel.edit_here()


def export_markers(window: MainWindow) -> None:
    """Ask for a file and write the timeline's markers into it, as the file's name says: text or CSV."""
    studio = window.studio
    sequence = studio.session.sequence
    if sequence is None or not sequence.markers:
        studio.session.tell("This timeline has no markers to write.", "warning")
        return
    # What the panel's filter leaves, where it is in use.
    chosen = window.markers.shown() if "markers" in window.__dict__ and window.markers.view.now else sequence.markers
    dialog = QFileDialog(
        window, "Export markers", str(Path.home() / f"{studio.title} markers.csv"), "CSV (*.csv);;Text (*.txt)"
    )
    dialog.setObjectName("markers.exportDialog")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.filterSelected.connect(lambda kind: dialog.setDefaultSuffix("csv" if "csv" in kind else "txt"))
    dialog.setDefaultSuffix("csv")
    dialog.fileSelected.connect(lambda name: write_markers(window, Path(name), chosen))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def write_markers(window: MainWindow, path: Path, markers: tuple[Marker, ...]) -> None:
    """Write markers on a thread; what comes of it is told."""
    from gen2studio.app.file_job import FileJob
    from gen2studio.app.marker_sheets import markers_csv, markers_text
    from gen2studio.core.paths import write_atomic

    session = window.studio.session
    sequence = session.sequence
    assert sequence is not None
    sheet = markers_text if path.suffix.casefold() == ".txt" else markers_csv
    # A spreadsheet reads a file as UTF-8 only when it says so.
    data = sheet(markers, sequence.rate).encode("utf-8-sig" if sheet is markers_csv else "utf-8")
    job = FileJob("markers", lambda _cancel, _tell: write_atomic(path, data), window)
    job.finished.connect(lambda _none: session.tell(f"{len(markers)} markers were written to “{path.name}”."))
    job.failed.connect(lambda sentence: session.tell(sentence, "error"))
    job.start()
