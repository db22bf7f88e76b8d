"""Source viewer, trim mode, key maps and panels in the window: what their commands do, and who tells whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QWidget

from gen2studio.app.transport import PROGRAMME
from gen2studio.ui.viewer_area import ViewerArea

if TYPE_CHECKING:
    from gen2studio.app.key_maps import KeyMaps
    from gen2studio.app.trimming import TrimShown
    from gen2studio.ui.main_window import MainWindow
    from gen2studio.ui.trim_view import TrimView


def viewer_area(window: MainWindow) -> ViewerArea:
    """The middle of ``window``, around its programme viewer."""
    return ViewerArea(window.viewer, lambda parent: _source_panel(window, parent), window.studio.transport, window)


def _source_panel(window: MainWindow, parent: QWidget) -> QWidget:
    from gen2studio.ui.source.panel import SourcePanel

    studio = window.studio
    panel = SourcePanel(studio.session, studio.source, window.binder.for_buttons(), parent)
    panel.touched.connect(lambda: studio.transport.set_viewer("source"))
    window.binder.scope("source", panel)
    window.closing.append(panel.shutdown)
    return panel


def wire(window: MainWindow) -> None:
    """Connect what belongs together; called once, after every panel is there."""
    studio, area = window.studio, window.viewers
    area.follow(PROGRAMME, window.timeline)
    window.viewer.touched.connect(lambda: studio.transport.set_viewer(PROGRAMME))
    window.canvas.play_wanted.connect(studio.transport.play)
    window.pool.open_requested.connect(lambda media_id: open_media(window, media_id))
    split, loop = window.binder.action("source.split"), window.binder.action("playback.loop")
    area.split_changed.connect(split.setChecked)
    # Stop in the menu holds no key down.
    window.menus["Playback"].aboutToHide.connect(lambda: QTimer.singleShot(0, window, studio.transport.release))
    loop.setChecked(studio.player.loop)
    studio.player.loop_changed.connect(loop.setChecked)
    window.timeline.view.trim_shown.connect(lambda shown: show_drag(window, shown))
    if studio.preferences.get("key_map") != "gen2":
        window.late.add(lambda: window.key_maps)
    studio.trim.changed.connect(lambda on: window.timeline.view.setFocus() if on else None)
    studio.trim.shown.connect(lambda shown: _show_trim(window, shown, mode=True))


def key_maps(window: MainWindow) -> KeyMaps:
    """The maps there are; the one in force is in force in ``window`` from now on."""
    from gen2studio.app.action_table import all_actions
    from gen2studio.app.key_maps import KeyMaps

    maps = KeyMaps(all_actions(), window.studio.preferences, window)
    maps.changed.connect(lambda: window.binder.use_keys(maps.keys))
    window.binder.use_keys(maps.keys)
    return maps


def edit_keys(window: MainWindow) -> None:
    """Open the editor of key maps, or bring it to the front."""
    from gen2studio.ui.dialogs.key_map_dialog import KeyMapDialog

    there = window.findChild(KeyMapDialog)
    if there is not None and there.isVisible():
        there.raise_()
        there.activateWindow()
        return
    dialog = KeyMapDialog(window.key_maps, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def panels(window: MainWindow) -> list[QWidget]:
    """What the keyboard goes through, in reading order."""
    # A dock whose page was not made yet has no widget, which Qt's type hints leave out.
    docks: list[QWidget | None] = [dock.widget() for dock in window.docks.values()]
    found = [widget for widget in docks if widget is not None]
    found += [pane.viewer for pane in window.viewers.panes.values()]
    return sorted(found, key=lambda p: (p.mapTo(window, p.rect().topLeft()).y() // 80, p.mapTo(window, p.pos()).x()))


def go_panel(window: MainWindow, step: int) -> None:
    """The next or previous panel gets the keyboard, and says so."""
    from gen2studio.ui.panel_cycling import PanelCycle

    panel = PanelCycle(lambda: panels(window)).go(step)
    if panel is not None:
        dock = next((d for d in window.docks.values() if d.widget() is panel), None)
        name = dock.windowTitle() if dock is not None else panel.accessibleName() or "Viewer"
        window.messages.show_message("info", f"Keyboard: {name}")


def open_media(window: MainWindow, media_id: str) -> None:
    """Open a file of the pool in the source viewer."""
    if window.studio.source.open(media_id):
        window.viewers.open_source()


def show_in_source(window: MainWindow, clip_id: str) -> None:
    """Open a clip of the timeline in the source viewer, marked as it is used."""
    if window.studio.source_edits.show_clip(clip_id):
        window.viewers.open_source()


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    studio = window.studio

    def shown(command: Callable[[], bool]) -> Callable[[], None]:
        def run() -> None:
            if command():
                window.viewers.open_source()

        return run

    found: dict[str, Callable[..., object]] = {**studio.transport.handlers(), **studio.source_edits.handlers()}
    found |= studio.trim.handlers()
    found |= {
        "source.match_frame": shown(studio.source_edits.match_frame),
        "source.show_clip": shown(studio.source_edits.show_clip),
        "source.reverse_match": lambda: studio.source_edits.reverse_match_frame() and _to_timeline(window),
        "source.to_source": window.viewers.open_source,
        "source.to_programme": window.viewers.open_programme,
        "source.split": window.viewers.set_split,
        "playback.loop": studio.player.set_loop,
        "keys.edit": lambda: edit_keys(window),
        "panel.next": lambda: go_panel(window, 1),
        "panel.previous": lambda: go_panel(window, -1),
    }
    return found


def _to_timeline(window: MainWindow) -> None:
    window.raise_dock("timeline")
    window.timeline.view.setFocus()


# -- trimming ---------------------------------------------------------------------------------------------------------


def _trim_view(window: MainWindow) -> TrimView:
    """Made when the first edge is trimmed."""
    found = getattr(window, "trim_view", None)
    if found is None:
        from gen2studio.app.trim_pictures import TrimPictures
        from gen2studio.ui.trim_view import TrimView

        studio = window.studio
        pictures = TrimPictures(studio.session, studio.frames, studio.take_folder, window)
        found = window.trim_view = TrimView(window.canvas, pictures)
        found.side_chosen.connect(studio.trim.set_side)
        # The keys that trim live in the timeline.
        found.setFocusProxy(window.timeline.view)
        window.closing.append(pictures.shutdown)
    return found


def show_drag(window: MainWindow, shown: TrimShown | None) -> None:
    """What a drag on the timeline trims; None = it has ended."""
    if shown is None and window.studio.trim.active:
        window.studio.trim.refresh()
    elif shown is not None or window.trim_view is not None:
        _show_trim(window, shown, mode=False)


def _show_trim(window: MainWindow, shown: TrimShown | None, *, mode: bool) -> None:
    trim, view = window.studio.trim, _trim_view(window)
    if mode:
        cut = (trim.cut.track, trim.frame(), trim.side.value) if trim.cut is not None else None
        window.timeline.view.show_cut(cut)
    view.keys = _keys_line(window) if mode else ""
    view.show_trim(shown)


def _keys_line(window: MainWindow) -> str:
    """The keys that matter while a cut is in hand, as they are now."""
    words = (("trim.back", "trim.forward", "trim"), ("trim.side", "", "side"), ("trim.ripple", "", "ripple/gap"))
    parts: list[str] = []
    for first, second, what in words:
        keys = [window.binder.key_text(i) for i in (first, second) if i]
        if all(keys):
            parts.append(f"{' '.join(keys)} {what}")
    return "   ".join([*parts, "J K L play and trim", "Esc done"])
