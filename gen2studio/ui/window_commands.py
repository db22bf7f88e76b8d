"""What the program's own commands do in the window: files, compare, generate, takes. Room commands bring their own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog

from gen2studio.app.session import Compare
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.document import media_edits
from gen2studio.ui import (
    window_generate,
    window_inspector,
    window_models,
    window_programme,
    window_sound,
    window_takes,
    window_viewers,
)
from gen2studio.ui.dialogs import matte_commands, timeline_edit_dialogs, timeline_files
from gen2studio.ui.tools import bindings, shape_bindings

if TYPE_CHECKING:
    from gen2studio.app.jobs import JobRow
    from gen2studio.ui.main_window import MainWindow

_COMPARE = {
    "compare.off": Compare.OFF,
    "compare.wipe": Compare.WIPE,
    "compare.side": Compare.SIDE_BY_SIDE,
    "compare.difference": Compare.DIFFERENCE,
    "compare.toggle": Compare.TOGGLE,
}
_SWITCHES = {
    "timeline.toggle_magnetic": "magnetic_timeline",
    "timeline.toggle_levels": "level_lines",
    "timeline.toggle_minimap": "timeline_overview",
}
"""Switches of the timeline → the preferences that keep them."""
PROJECT_FILTER = "Gen2 Studio projects (*.g2s);;All files (*)"
MEDIA_FILTER = (
    "Media (*.mp4 *.mov *.mkv *.webm *.avi *.mts *.m2ts *.ts *.3gp *.mpg *.mxf *.wav *.mp3 *.flac *.aac *.m4a *.ogg "
    "*.png *.jpg *.jpeg *.tif *.tiff *.webp *.bmp *.exr *.gif);;All files (*)"
)


def bind(window: MainWindow) -> None:
    """Connect every row of the action table."""
    studio, session, binder = window.studio, window.studio.session, window.binder
    generation = studio.generation
    handlers: dict[str, Callable[..., object]] = {
        "file.new": lambda: window.ask_to_keep() and studio.new_project(),
        "file.open": lambda: open_project(window),
        "file.sample": lambda: window.ask_to_keep() and studio.open_sample(),
        "file.save": lambda: save(window),
        "file.save_as": lambda: save_as(window),
        "file.revert": lambda: window.ask_to_revert() and studio.revert(),
        "file.import": lambda: import_media(window),
        "file.relink": lambda: relink(window, tuple(studio.offline)),
        "file.export": lambda: export(window),
        "file.export_queue": lambda: export_queue(window),
        "generate.submit_farm": lambda: farm_dialog(window, "open_submit"),
        "generate.collect_farm": lambda: farm_dialog(window, "open_collect"),
        "file.preferences": lambda: preferences(window),
        "models.open": lambda: window_models.open_window(window),
        "file.quit": window.close,
        "edit.undo": studio.store.undo_stack.undo,
        "edit.redo": studio.store.undo_stack.redo,
        "view.palette": lambda: window.palette_dialog.open_over(window),
        "view.shortcuts": lambda: shortcuts(window),
        "view.reset_layout": window.reset_layout,
        "view.fullscreen": lambda on: window.showFullScreen() if on else window.showNormal(),
        "help.doctor": lambda: doctor(window),
        "help.about": lambda: about(window),
        "generate.cancel": lambda: cancel(window),
        "generate.live_preview": lambda on: live_preview(window, on),
        "generate.new_seed": generation.new_seed,
        "generate.style_from_frame": lambda: style_from_frame(window),
        "generate.export_frame": lambda: export_frame(window),
        "generate.add_key": lambda: window.generate.keys.add_requested.emit(),
        "take.apply": lambda: generation.apply_take(window.takes.chosen),
        "take.source": lambda: generation.apply_take(""),
        "take.discard": lambda: generation.discard_take(window.takes.chosen),
        "take.reuse": lambda: generation.reuse_take(window.takes.chosen),
        "take.reuse_file": lambda: reuse_file(window),
        "queue.pause": lambda on: studio.board.pause() if on else studio.board.resume(),
    }
    handlers |= studio.editing.handlers()
    handlers |= window.timeline.handlers()
    handlers |= window_programme.handlers(window)
    handlers |= bindings.handlers(session, studio.masks, window.canvas)
    handlers |= shape_bindings.handlers(session, studio.masks)
    handlers |= matte_commands.handlers(studio, window)
    handlers |= timeline_files.handlers(studio, window)
    handlers |= timeline_edit_dialogs.handlers(studio, window)
    handlers |= window_generate.handlers(window)
    handlers |= window_takes.handlers(window)
    handlers |= window_inspector.handlers(window)
    handlers |= window_sound.handlers(window)
    handlers |= window_viewers.handlers(window)
    for action_id, mode in _COMPARE.items():
        handlers[action_id] = lambda on, mode=mode: compare(window, mode, on)
    # Checkable commands say what is wanted; the rooms' own handlers flip.
    handlers["timeline.toggle_follow"] = window.timeline.set_following
    handlers["timeline.toggle_snapping"] = session.set_snapping
    handlers |= window.timeline.switches()
    for name, handler in handlers.items():
        binder.bind(name, handler)
    timeline_files.wire(studio, window)
    binder.scope("timeline", window.timeline)
    binder.scope("canvas", window.viewer)
    binder.scope("takes", window.takes)
    _follow(window)


def _follow(window: MainWindow) -> None:
    """Keep actions enabled only while they would do something."""
    studio, binder = window.studio, window.binder
    stack = studio.store.undo_stack
    undo, redo = binder.action("edit.undo"), binder.action("edit.redo")

    def show_undo() -> None:
        undo.setEnabled(stack.canUndo())
        undo.setText(f"Undo {stack.undoText()}".strip())
        redo.setEnabled(stack.canRedo())
        redo.setText(f"Redo {stack.redoText()}".strip())
        binder.action("file.revert").setEnabled(studio.project.path is not None and studio.modified)

    stack.indexChanged.connect(lambda _index: show_undo())
    studio.modified_changed.connect(show_undo)
    studio.project_changed.connect(show_undo)
    studio.board.held_changed.connect(binder.action("queue.pause").setChecked)
    studio.preferences.watch("live_preview", binder.action("generate.live_preview").setChecked)
    studio.preferences.watch("follow_playhead", window.timeline.set_following)
    window.timeline.following_changed.connect(lambda on: studio.preferences.set("follow_playhead", on))
    follow, snapping = binder.action("timeline.toggle_follow"), binder.action("timeline.toggle_snapping")
    follow.setChecked(window.timeline.following)
    window.timeline.following_changed.connect(follow.setChecked)
    _restore_switches(window)
    window.timeline.switched.connect(lambda: _on_switched(window))
    _show_switches(window)
    snapping.setChecked(studio.session.snapping)
    studio.session.snapping_changed.connect(snapping.setChecked)
    studio.session.compare_changed.connect(lambda _mode: _show_compare(window))
    _show_compare(window)
    window_programme.follow(window)
    show_undo()


def _restore_switches(window: MainWindow) -> None:
    kept = window.studio.preferences.get
    window.timeline.restore_switches({action: kept(name) for action, name in _SWITCHES.items()}, kept("caption_lane"))


def _on_switched(window: MainWindow) -> None:
    """Show how the timeline is switched, and keep it for the next start."""
    _show_switches(window)
    states, keep = window.timeline.states(), window.studio.preferences.set
    for action_id, name in _SWITCHES.items():
        keep(name, states[action_id])
    keep("caption_lane", window.timeline.caption_lane)


def _show_switches(window: MainWindow) -> None:
    for action_id, on in window.timeline.states().items():
        window.binder.action(action_id).setChecked(on)


def _show_compare(window: MainWindow) -> None:
    for action_id, mode in _COMPARE.items():
        window.binder.action(action_id).setChecked(window.studio.session.compare is mode)


def wire_timeline(window: MainWindow) -> None:
    """Give the timeline what it shows of masks and jobs."""
    studio = window.studio
    window.takes.take_chosen.connect(lambda take_id: follow_chosen_take(window, take_id))
    window.timeline.clip_activated.connect(lambda _clip: window.raise_dock("generate"))
    window.timeline.files_dropped.connect(
        lambda paths, track, frame: drop_files(window, [Path(p) for p in paths], track, frame)
    )
    studio.masks.lane_changed.connect(window.timeline.refresh_lanes)

    def refresh(row: JobRow) -> None:
        if row.owner and row.take_id:
            window.timeline.refresh_bands(frozenset({row.owner}))

    window.timeline.set_mask_lane(studio.masks.confidence_lane)
    studio.board.row_added.connect(lambda _index, row: refresh(row))
    studio.board.row_changed.connect(lambda _index, row: refresh(row))


# -- files ------------------------------------------------------------------------------------------------------------


def open_project(window: MainWindow) -> None:
    if not window.ask_to_keep():
        return
    dialog = QFileDialog(window, "Open project", window.studio.preferences.get("import_folder"), PROJECT_FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: window.studio.open_project(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def open_paths(window: MainWindow, paths: list[Path]) -> None:
    """Files dropped on the window or named on the command line: one project, or media."""
    projects = [p for p in paths if p.suffix.casefold() == ".g2s"]
    if projects:
        if window.ask_to_keep():
            window.studio.open_project(projects[0])
    else:
        window.studio.import_files(paths)


def save(window: MainWindow) -> bool:
    """Save, asking for a place when there is none yet; False when it was not saved."""
    if window.studio.project.untitled:
        return save_as(window)
    return window.studio.save()


def save_as(window: MainWindow) -> bool:
    dialog = QFileDialog(window, "Save project as", str(Path.home() / f"{window.studio.title}.g2s"), PROJECT_FILTER)
    dialog.setObjectName("saveAs")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("g2s")
    if not dialog.exec() or not dialog.selectedFiles():
        return False
    path = Path(dialog.selectedFiles()[0])
    packed = path.name.casefold().endswith(".zip.g2s")
    return window.studio.save_as(path, packed=packed)


def import_media(window: MainWindow) -> None:
    preferences = window.studio.preferences
    dialog = QFileDialog(window, "Import media", preferences.get("import_folder"), MEDIA_FILTER)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)

    def use(names: list[str]) -> None:
        preferences.set("import_folder", str(Path(names[0]).parent))
        window.studio.import_files([Path(n) for n in names])

    dialog.filesSelected.connect(use)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def drop_files(window: MainWindow, paths: list[Path], track: str, frame: int) -> None:
    """Files dropped on the timeline are placed there; a timeline of another program becomes one of its own."""
    studio = window.studio
    if any(studio.is_timeline(path) for path in paths):
        studio.import_files(paths)
    else:
        studio.importer.import_and_place(paths, frame, track=track)


def remove_media(window: MainWindow, media_ids: tuple[str, ...]) -> None:
    store = window.studio.store
    try:
        store.apply("Remove media", media_edits.remove_media(store.document, media_ids))
    except StudioError as error:
        window.studio.session.tell(str(error), "warning")


def relink(window: MainWindow, media_ids: tuple[str, ...]) -> None:
    """Ask for a folder and find the missing files there by name and fingerprint."""
    if not media_ids:
        return
    dialog = QFileDialog(window, "Folder that holds the missing media")
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.fileSelected.connect(lambda folder: window.studio.relink(media_ids, Path(folder)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def export(window: MainWindow) -> None:
    from gen2studio.ui.dialogs.export_dialog import ExportDialog

    studio = window.studio
    there = window.findChild(ExportDialog)
    if there is not None and there.isVisible():
        there.raise_()
        there.activateWindow()
        return
    dialog = ExportDialog(
        lambda: studio.store.document,
        studio.preferences,
        studio.title,
        studio.take_folder,
        studio.project.folder,
        studio.exports,
        lambda: studio.store.tiles,
        window,
    )
    dialog.queue_asked.connect(lambda: export_queue(window))
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def export_queue(window: MainWindow) -> None:
    from gen2studio.ui.dialogs.export_queue_dialog import ExportQueueDialog

    there = window.findChild(ExportQueueDialog)
    if there is None:
        there = ExportQueueDialog(window.studio.exports, window)
    there.show()
    there.raise_()


def farm_dialog(window: MainWindow, name: str) -> None:
    from gen2studio.ui.dialogs import farm_dialogs

    getattr(farm_dialogs, name)(window.studio, window)


def preferences(window: MainWindow) -> None:
    from gen2studio.ui.dialogs.preferences_dialog import PreferencesDialog

    dialog = PreferencesDialog(window.studio.preferences, window, window.key_maps)
    dialog.keys_wanted.connect(lambda: window_viewers.edit_keys(window))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def shortcuts(window: MainWindow) -> None:
    from gen2studio.ui.dialogs.text_dialogs import ShortcutsDialog

    dialog = ShortcutsDialog(window.binder, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def doctor(window: MainWindow) -> None:
    from gen2studio.ui.dialogs.text_dialogs import DoctorDialog

    dialog = DoctorDialog([sys.executable, "-m", "gen2studio", "doctor"], window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


def about(window: MainWindow) -> None:
    from gen2studio.ui.dialogs.text_dialogs import AboutDialog

    dialog = AboutDialog(window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


# -- compare and generate ---------------------------------------------------------------------------------------------


def compare(window: MainWindow, mode: Compare, on: bool) -> None:
    """Switch a comparison on, or off again. The chosen take stands on the right."""
    session = window.studio.session
    if on:
        session.set_compare_takes("", window.takes.chosen)
        session.set_compare(mode)
    elif session.compare is mode:
        session.set_compare(Compare.OFF)
    # Compare off can't be switched off by itself.
    _show_compare(window)


def follow_chosen_take(window: MainWindow, take_id: str) -> None:
    """While comparing, the take chosen in the strip is the one compared."""
    session = window.studio.session
    if session.compare is not Compare.OFF:
        session.set_compare_takes("", take_id)


def cancel(window: MainWindow) -> None:
    """Esc: the gesture in hand, then the cut in hand, then playback, then the running job, then compare."""
    studio = window.studio
    if window.canvas.cancel_gesture():
        return
    if studio.trim.active:
        studio.trim.leave()
        return
    if studio.session.shuttle or studio.source.session.shuttle:
        studio.player.stop()
        studio.source.session.set_shuttle(0.0)
    elif studio.masks.cancel_job():
        pass
    elif not studio.generation.cancel() and studio.session.compare is not Compare.OFF:
        studio.session.set_compare(Compare.OFF)


def live_preview(window: MainWindow, on: bool) -> None:
    window.studio.preferences.set("live_preview", on)


def style_from_frame(window: MainWindow) -> None:
    """Put what the viewer shows on the style board."""
    data = window.studio.frame_png(shown=True)
    if data is not None:
        name = f"frame {window.studio.feed.picture.media_frame}"
        window.studio.generation.add_styles([data], [name])


def export_frame(window: MainWindow) -> None:
    """Write the source frame as a PNG to paint over."""
    studio = window.studio
    data = studio.frame_png(shown=False)
    if data is None:
        return
    frame = studio.feed.picture.media_frame
    dialog = QFileDialog(
        window, "Export frame to paint over", str(Path.home() / f"{studio.title}_{frame:06d}.png"), "PNG (*.png)"
    )
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)

    def write(name: str) -> None:
        from gen2studio.core.paths import write_atomic

        try:
            write_atomic(Path(name), data)
            studio.session.tell(f"Wrote {name}. Paint over it and add it under Painted key frames.")
        except OSError as error:
            studio.session.tell(sentence_of(error), "error")

    dialog.fileSelected.connect(write)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def reuse_file(window: MainWindow) -> None:
    """Take the settings out of a film or picture exported here."""
    dialog = QFileDialog(window, "Film or picture exported here", window.studio.preferences.get("export_folder"))
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: window.studio.reuse_file(Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def offer_recovery(window: MainWindow) -> None:
    """After a crash, offer what can be brought back."""
    from gen2studio.ui.dialogs.recovery_dialog import RecoveryDialog

    found = tuple(c for c in window.studio.recoverable() if c.changes)
    if not found:
        return
    dialog = RecoveryDialog(found, window)

    def use() -> None:
        for candidate in dialog.dropped:
            window.studio.forget(candidate)
        if dialog.chosen is not None:
            window.studio.recover(dialog.chosen)
        dialog.deleteLater()

    dialog.finished.connect(lambda _result: use())
    dialog.open()
