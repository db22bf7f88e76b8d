"""What the generate panel asks of the program around it, and what modes, shots and takes do in the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QMessageBox, QWidget

from gen2studio.core.media_info import MediaKind
from gen2studio.document.look import Mode
from gen2studio.ui import window_boards, window_models
from gen2studio.ui.panels.adapters_section import AdapterRow
from gen2studio.ui.panels.generate_services import PanelServices

if TYPE_CHECKING:
    from gen2studio.app.motion_brush import MotionBrush
    from gen2studio.ui.main_window import MainWindow

_PAINTING = frozenset({"brush", "eraser", "lasso", "polygon", "rectangle", "ellipse", "fill"})


def services(window: MainWindow, motion: MotionBrush) -> PanelServices:
    """The program as the generate panel sees it."""
    studio = window.studio

    def find_media(media_id: str) -> Path | None:
        item = studio.store.document.media.get(media_id)
        return Path(item.path) if item is not None and item.info.kind is MediaKind.STILL else None

    def adapters(generator: str) -> tuple[AdapterRow, ...]:
        cards = studio.shelf.cards(generator)
        return tuple(
            AdapterRow(id=card.id, name=card.name, trigger=card.trigger, why_not=card.why_not, word=card.word)
            for card in cards
        )

    def customization(parent: QWidget) -> QWidget:
        from gen2studio.ui.panels.customization_panel import CustomizationPanel

        return CustomizationPanel(studio.customization, studio.shelf, studio.generation, parent)

    return PanelServices(
        session=studio.session,
        generation=studio.generation,
        keys=studio.look_keys,
        preferences=studio.preferences,
        motion=motion,
        adapters=adapters,
        find_media=find_media,
        pick_frame=lambda title, use: pick_frame(window, title, use),
        shot_ready=studio.shots.ensure_shot,
        shot_changed=studio.shots.set_wish,
        shot_sized=studio.shots.shot_for,
        next_shot=lambda: studio.shots.wish,
        customization=customization,
        choose_mode=lambda mode: choose_mode(window, mode),
        models=lambda mode: window_models.open_window(window, mode.value),
    )


def handlers(window: MainWindow) -> dict[str, Callable[..., object]]:
    """Action id → what it does, for modes, shots, the motion brush, takes and storyboards."""
    studio = window.studio
    bound: dict[str, Callable[..., object]] = {
        f"mode.{mode.value}": lambda mode=mode: choose_mode(window, mode) for mode in Mode
    }
    return (
        bound
        | {
            "motion.paint": lambda on: paint_motion(window, on),
            "shot.new": lambda: new_shot(window),
            "generate.stills": lambda: make_stills(window),
            "generate.run": lambda: run(window),
            "take.footage": lambda: studio.footage.use_take(window.takes.chosen),
            "take.purge": lambda: purge_takes(window),
            "file.collect": studio.collect_media,
            "take.extend": lambda: studio.shots.extend() and run(window),
            "take.variations": lambda: studio.clip_takes.variations() and window.raise_dock("queue"),
            "take.interpolate": lambda: studio.footage.interpolate(2) and window.raise_dock("queue"),
            "take.upscale": lambda: studio.footage.upscale(2) and window.raise_dock("queue"),
            "board.new_panel": lambda: add_panel(window),
            "board.duplicate": lambda: studio.storyboards.duplicate_panel(window.storyboard.chosen),
            "board.remove": lambda: studio.storyboards.remove_panels(window.storyboard.selected),
            "board.go_to": lambda: go_to_panel(window),
            "board.draw": lambda: window.storyboard.draw(),
            "board.paste": lambda: window.storyboard.paste(),
            "board.from_frame": lambda: panel_from_frame(window),
            "board.animatic": lambda: studio.storyboards.animatic(),
            "board.stills": lambda: run_board(window, stills=True),
            "board.generate": lambda: run_board(window, stills=False),
        }
        | window_boards.handlers(window)
    )


def choose_mode(window: MainWindow, mode: Mode) -> None:
    """Go to a mode and to the panels that serve it. Storyboard mode shows the look of the board."""
    generation, board = window.studio.generation, window.studio.storyboards.current
    left_board = generation.look.mode is Mode.STORYBOARD and mode is not Mode.STORYBOARD
    if mode is Mode.STORYBOARD and board is not None and generation.look.mode is not mode and _on_board(window):
        generation.set_look("Look of the storyboard", replace(board.look, mode=mode))
    else:
        generation.set_mode(mode)
    window.raise_dock("generate")
    if mode is Mode.STORYBOARD:
        window.raise_dock("storyboard")
    elif left_board:
        window.raise_dock("timeline")


def _on_board(window: MainWindow) -> bool:
    """The generate panel is about the whole board, because no shot stands under the playhead."""
    clip = window.studio.generation.target
    item = window.studio.store.document.media.get(clip.media_id) if clip is not None else None
    return item is None or item.shot is None


def purge_takes(window: MainWindow) -> None:
    """Ask, and delete the takes that were discarded: the one thing here that undo can't take back."""
    found, size = window.studio.discarded_takes()
    if not found:
        window.studio.session.tell("There are no discarded takes: every take is listed by a clip.", "info")
        return
    count = "1 discarded take" if len(found) == 1 else f"{len(found)} discarded takes"
    box = QMessageBox(QMessageBox.Icon.NoIcon, "Delete discarded takes", f"Delete {count}?", parent=window)
    box.setObjectName("takes.purge")
    box.setInformativeText(
        f"{size / 1e6:,.0f} MB on the disk are freed. Undo can't bring these takes back to their clips afterwards."
    )
    delete = box.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.buttonClicked.connect(lambda button: window.studio.purge_takes(found) if button is delete else None)
    box.finished.connect(box.deleteLater)
    box.open()


def new_shot(window: MainWindow) -> None:
    """An empty shot on the timeline, and the panel that fills it."""
    if window.studio.shots.new_shot():
        window.raise_dock("generate")


def make_stills(window: MainWindow) -> None:
    """Four stills of the clip; in storyboard mode one of every panel."""
    if window.studio.generation.look.mode is Mode.STORYBOARD and _on_board(window):
        run_board(window, stills=True)
    else:
        window.studio.generation.make_stills()


def run(window: MainWindow) -> None:
    """The whole clip; in storyboard mode the whole board."""
    if window.studio.generation.look.mode is Mode.STORYBOARD and _on_board(window):
        run_board(window, stills=False)
    elif window.studio.generation.run():
        window.raise_dock("takes")


def run_board(window: MainWindow, *, stills: bool) -> None:
    """Make every panel, in the look that the generate panel shows while it is about the board."""
    boards, generation = window.studio.storyboards, window.studio.generation
    window.raise_dock("storyboard")
    board = boards.current
    if board is not None and generation.look.mode is Mode.STORYBOARD and _on_board(window):
        boards.set_look(generation.look)
    if stills:
        boards.stills()
    else:
        boards.generate()


def add_panel(window: MainWindow) -> None:
    """Another panel, with the storyboard in front."""
    window.raise_dock("storyboard")
    window.storyboard.add_panel()


def go_to_panel(window: MainWindow) -> None:
    """Show the clip that was made from the chosen panel."""
    if window.studio.storyboards.go_to(window.storyboard.chosen):
        window.raise_dock("timeline")
    else:
        window.studio.session.tell("This panel is not on the timeline yet. Animatic or Generate lays it there.")


def panel_from_frame(window: MainWindow) -> None:
    """Use a frame of a clip as the picture of the chosen panel."""
    panel_id = window.storyboard.chosen
    if panel_id:
        pick_frame(
            window,
            "Picture of the panel",
            lambda data, _name: window.studio.storyboards.set_picture(panel_id, data),
        )


def paint_motion(window: MainWindow, on: bool) -> None:
    """Paint regions of motion on the first frame of the shot, or mattes again."""
    session, motion = window.studio.session, window.motion
    clip = window.studio.generation.target
    if on and clip is None:
        session.tell("Make a shot and give it a first frame, then paint what should move.", "warning")
        window.binder.action("motion.paint").setChecked(False)
        return
    if on and clip is not None:
        session.set_playhead(clip.start)
        if session.tool not in _PAINTING:
            session.set_tool("brush")
        # Shots are small: a tip meant for footage would cover half of one.
        masks = window.studio.masks
        item = window.studio.store.document.media.get(clip.media_id)
        if item is not None and masks.brush.radius > item.info.height / 8:
            masks.set_brush(radius=item.info.height / 12)
    motion.set_active(on)


def pick_frame(window: MainWindow, title: str, use: Callable[[bytes, str], object]) -> None:
    """Ask for a frame of a clip or take."""
    from gen2studio.ui.dialogs.frame_picker import FramePicker

    dialog = FramePicker(window.studio, title, use, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()
