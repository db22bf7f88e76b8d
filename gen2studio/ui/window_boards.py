"""What storyboard commands do in the window, and in the window in which panels are drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.document.model import MediaItem

if TYPE_CHECKING:
    from gen2studio.ui.drawing.window import DrawingWindow
    from gen2studio.ui.main_window import MainWindow


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    """Action id → what it does."""

    def drawn(act: Callable[[DrawingWindow], object]) -> Callable[..., object]:
        """Only while the drawing window is open; its keys are live nowhere else."""
        return lambda *_on: act(window.storyboard.editor) if _open(window) else None

    bound: dict[str, Callable[..., object]] = {
        "board.split": lambda: window.storyboard.split(),
        "board.merge": lambda: window.storyboard.merge(),
        "board.from_clip": lambda: show_panel_of_clip(window),
        "board.play": lambda: play(window),
        "board.tap": lambda: window.storyboard.tap(),
        "board.view_grid": lambda *_on: window.storyboard.show_way("board.view_grid"),
        "board.view_strip": lambda *_on: window.storyboard.show_way("board.view_strip"),
        "board.render_stale": lambda: window.studio.storyboards.render_stale(),
        "board.import": lambda: import_board(window),
        "board.export": lambda: export_board(window),
        "drawing.thinner": drawn(lambda editor: editor.change_width(-1)),
        "drawing.thicker": drawn(lambda editor: editor.change_width(1)),
        "drawing.new_layer": drawn(lambda editor: editor.drawing.add_layer()),
        "drawing.previous": drawn(lambda editor: editor.step(-1)),
        "drawing.next": drawn(lambda editor: editor.step(1)),
        "drawing.new_panel": drawn(lambda editor: editor.new_panel()),
        "drawing.play": lambda: window.storyboard.play(),
        "drawing.tap": lambda: window.storyboard.tap(),
        "drawing.fit": drawn(lambda editor: editor.canvas.fit()),
        "drawing.zoom_in": drawn(lambda editor: editor.canvas.zoom_step(1)),
        "drawing.zoom_out": drawn(lambda editor: editor.canvas.zoom_step(-1)),
        "drawing.close": drawn(lambda editor: editor.close()),
        "drawing.onion_skin": lambda on: window.storyboard.editor.set_onion_skin(on) if _open(window) else None,
    }
    for tool in ("pen", "pencil", "eraser", "fill", "line", "box", "ellipse", "frame", "arrow", "hand"):
        bound[f"drawing.{tool}"] = lambda on, name=tool: _choose_tool(window, name, on)
    return bound


def _open(window: MainWindow) -> bool:
    return "storyboard" in window.__dict__ and window.storyboard.editing


def _choose_tool(window: MainWindow, name: str, on: bool) -> None:
    """A tool stays chosen when it is chosen again: there is always one."""
    from gen2studio.app.drawing_tools import Tool

    if not _open(window):
        return
    editor = window.storyboard.editor
    chosen = editor.drawing.settings.tool
    if on and chosen is not Tool(name):
        editor.choose_tool(Tool(name))
    elif not on and chosen is Tool(name):
        window.binder.action(f"drawing.{name}").setChecked(True)


def play(window: MainWindow) -> None:
    """Play the animatic where it is seen."""
    if not _open(window):
        window.raise_dock("storyboard")
    window.storyboard.play()


def show_panel_of_clip(window: MainWindow) -> None:
    """Go from a clip to the panel it was made from."""
    window.raise_dock("storyboard")
    if not window.storyboard.go_to_clip_panel():
        window.studio.session.tell("This clip was not made from a panel of a storyboard.")


def footage_of(window: MainWindow, path: Path) -> MediaItem:
    """The media item of a film: the project's own, or a fresh one. Raises MediaError."""
    from gen2studio.app.importing import media_item
    from gen2studio.document.media_edits import find_by_path
    from gen2studio.media import codecs

    known = find_by_path(window.studio.store.document, path.absolute().as_posix())
    if known is not None:
        return known

    def read() -> MediaItem:
        codecs.load()
        from gen2studio.media.probe import probe

        return media_item(path, probe(path))

    return window.studio.disk.run(f"Reading {path.name}…", read)


def import_board(window: MainWindow) -> None:
    """Ask for something to make panels of."""
    from gen2studio.ui.dialogs.board_import_dialog import BoardImportDialog

    window.raise_dock("storyboard")
    dialog = BoardImportDialog(window.studio.storyboards, window.studio.preferences, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def export_board(window: MainWindow) -> None:
    """Ask how and where the board is written."""
    from gen2studio.ui.dialogs.board_export_dialog import BoardExportDialog

    board = window.studio.storyboards.current
    if board is None or not board.panels:
        window.studio.session.tell("There is no panel yet. Add one to the storyboard first.", "warning")
        return
    dialog = BoardExportDialog(window.studio.storyboards, board, window.studio.preferences, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
