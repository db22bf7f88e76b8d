"""Storyboards: pure edits ``Document → Document`` that raise EditRefused."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from fractions import Fraction
from typing import Any
from zlib import crc32

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import with_item, without
from gen2studio.core.ids import new_id
from gen2studio.document.board_values import SeedPolicy
from gen2studio.document.edits_tracks import named
from gen2studio.document.look import Camera, Look, Mode
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Board, Clip, Document, Panel
from gen2studio.document.shots import LONGEST, RATES

MOST_PANELS = 500
SHORTEST = Fraction(1, 10)
"""Seconds: no panel is shorter."""


def board_of(document: Document, board_id: str) -> Board:
    """The storyboard with this id. Raises EditRefused."""
    found = document.boards.get(board_id)
    if found is None:
        raise EditRefused("That storyboard is no longer in the project.", "Choose another one.")
    return found


def panel_of(board: Board, panel_id: str) -> Panel:
    """The panel with this id. Raises EditRefused."""
    found = next((panel for panel in board.panels if panel.id == panel_id), None)
    if found is None:
        raise EditRefused("That panel is no longer on the storyboard.", "Choose another one.")
    return found


def board_of_panel(document: Document, panel_id: str) -> Board:
    """The storyboard that holds a panel. Raises EditRefused."""
    for board in document.boards.values():
        if any(panel.id == panel_id for panel in board.panels):
            return board
    raise EditRefused("That panel is no longer on a storyboard.", "Choose another one.")


def panel_of_clip(document: Document, clip_id: str) -> tuple[Board, Panel] | None:
    """The panel that a timeline clip was made from, with its storyboard."""
    for board in document.boards.values():
        for panel in board.panels:
            if clip_id and panel.clip_id == clip_id:
                return board, panel
    return None


def clip_of_panel(document: Document, panel: Panel) -> Clip | None:
    """The clip made from a panel, on whichever timeline; None when there is none (any more)."""
    for sequence in document.sequences.values():
        for _, clip in each_clip(sequence):
            if panel.clip_id and clip.id == panel.clip_id:
                return clip
    return None


def look_of_panel(board: Board, panel: Panel) -> Look:
    """What a panel is made with: its own look or the board's, with its words, camera and seed, in storyboard mode.

    The panel's prompt (or its action) comes first and the board's after it, so that one style holds all together.
    """
    look = panel.look if panel.look is not None else board.look
    own = panel.prompt.strip() or " ".join(panel.action.split())
    words = ", ".join(text for text in (own, look.prompt.strip()) if text)
    camera = panel.camera if panel.camera != Camera() else look.camera
    return replace(look, mode=Mode.STORYBOARD, prompt=words, camera=camera, seed=seed_of_panel(board, panel))


def seed_of_panel(board: Board, panel: Panel) -> int:
    """The seed of a panel's shot: of the still that guides it, else by the board's policy."""
    guide = next((still for still in panel.stills if still.picture == panel.guide), None)
    if panel.guide and guide is not None:
        return guide.seed
    look = panel.look if panel.look is not None else board.look
    if board.seeds is SeedPolicy.OWN:
        return panel.seed
    if board.seeds is SeedPolicy.DERIVED:
        return crc32(f"{look.seed} {panel.id}".encode()) >> 1
    return look.seed


# -- boards ------------------------------------------------------------------------------------------------------------


def add_board(document: Document, board: Board) -> Document:
    if board.id in document.boards:
        raise EditRefused(f"“{board.name}” is already in the project.", "Choose it from the list.")
    _check_size(board.width, board.height, board.rate)
    return replace(document, boards=with_item(document.boards, board.id, board))


def new_board(document: Document, name: str = "", look: Look | None = None, **settings: Any) -> tuple[Document, str]:
    """A fresh, empty storyboard (``settings``: width, height, rate); the document with it, and its id."""
    taken = {board.name for board in document.boards.values()}
    fresh = next(
        n for i in range(1, len(taken) + 2) if (n := "Storyboard" if i == 1 else f"Storyboard {i}") not in taken
    )
    look = replace(look or document.default_look, mode=Mode.STORYBOARD, keys=(), mask_objects=())
    board = Board(id=new_id("board"), name=name or fresh, look=look, **settings)
    return add_board(document, board), board.id


def remove_board(document: Document, board_id: str) -> Document:
    """Remove a storyboard. Clips made from its panels stay on the timeline."""
    board_of(document, board_id)
    return replace(document, boards=without(document.boards, board_id))


def rename_board(document: Document, board_id: str, name: str) -> Document:
    return _with_board(document, replace(board_of(document, board_id), name=named(name, "A storyboard")))


def set_board_look(document: Document, board_id: str, look: Look) -> Document:
    """The one look of the board. Panels with a look of their own keep it."""
    return _with_board(document, replace(board_of(document, board_id), look=replace(look, mode=Mode.STORYBOARD)))


def set_board_size(document: Document, board_id: str, width: int, height: int, rate: Fraction) -> Document:
    """Size and rate of the shots made from it from now on. Raises EditRefused."""
    _check_size(width, height, rate)
    return _with_board(document, replace(board_of(document, board_id), width=width, height=height, rate=rate))


def change_board(document: Document, board_id: str, **changes: Any) -> Document:
    """Change fields of a board that nothing else depends on: its seed policy, sound or timeline."""
    return _with_board(document, replace(board_of(document, board_id), **changes))


# -- panels ------------------------------------------------------------------------------------------------------------


def add_panel(document: Document, board_id: str, panel: Panel | None = None, at: int | None = None) -> Document:
    """Add a panel before position ``at`` (None = last). ``panel`` None = an empty one."""
    board = board_of(document, board_id)
    panel = panel or Panel(id=new_id("panel"))
    if len(board.panels) >= MOST_PANELS:
        raise EditRefused(f"A storyboard holds up to {MOST_PANELS} panels.", "Start another one.")
    if any(old.id == panel.id for old in board.panels):
        raise EditRefused("That panel is already on the storyboard.", "Duplicate it instead.")
    _check_seconds(panel.seconds)
    place = len(board.panels) if at is None else min(max(0, at), len(board.panels))
    return _with_panels(document, board, (*board.panels[:place], panel, *board.panels[place:]))


def duplicate_panel(document: Document, board_id: str, panel_id: str) -> Document:
    """A copy right behind the panel, not linked to a clip yet."""
    board = board_of(document, board_id)
    panel = panel_of(board, panel_id)
    return add_panel(document, board_id, copy_of(panel), board.panels.index(panel) + 1)


def copy_of(panel: Panel) -> Panel:
    """The same panel again: no clip stands for it, no still was made of it, and nobody tapped its end."""
    return replace(panel, id=new_id("panel"), clip_id="", stills=(), guide="", tapped=None)


def move_panels(document: Document, board_id: str, panel_ids: Collection[str], before: str = "") -> Document:
    """Move panels, in their order, before another one (empty = to the end)."""
    board = board_of(document, board_id)
    for panel_id in panel_ids:
        panel_of(board, panel_id)
    moved = [panel for panel in board.panels if panel.id in panel_ids]
    # Dropped on itself: it goes before the next one that stays.
    if before in panel_ids:
        ids = [panel.id for panel in board.panels]
        before = next((i for i in ids[ids.index(before) :] if i not in panel_ids), "")
    rest = [panel for panel in board.panels if panel.id not in panel_ids]
    place = rest.index(panel_of(board, before)) if before else len(rest)
    return _with_panels(document, board, (*rest[:place], *moved, *rest[place:]))


def remove_panels(document: Document, board_id: str, panel_ids: Collection[str]) -> Document:
    """Remove panels. Clips made from them stay on the timeline."""
    board = board_of(document, board_id)
    for panel_id in panel_ids:
        panel_of(board, panel_id)
    return _with_panels(document, board, tuple(p for p in board.panels if p.id not in panel_ids))


def rename_panel(document: Document, board_id: str, panel_id: str, name: str) -> Document:
    """An empty name shows the panel's number."""
    return change_panel(document, board_id, panel_id, lambda panel: replace(panel, name=name.strip()))


def set_picture(
    document: Document, board_id: str, panel_id: str, digest: str, keep_picture: bool | None = None
) -> Document:
    """Give a panel a picture (a project image; empty = none) in place of what was drawn on it.

    ``keep_picture``: it is the first frame as it is.
    """
    return change_panel(
        document,
        board_id,
        panel_id,
        lambda panel: replace(
            panel,
            picture=digest,
            layers=panel.layers if digest and digest == panel.picture else (),
            keep_picture=panel.keep_picture if keep_picture is None else keep_picture,
        ),
    )


def set_panel(document: Document, board_id: str, panel_id: str, **changes: Any) -> Document:
    """Change fields of a panel that nothing else depends on: words, seconds, size, seed, look… Raises EditRefused."""
    if "seconds" in changes:
        changes["seconds"] = Fraction(changes["seconds"])
        _check_seconds(changes["seconds"])
    if isinstance(changes.get("look"), Look):
        changes["look"] = replace(changes["look"], mode=Mode.STORYBOARD)
    return change_panel(document, board_id, panel_id, lambda panel: replace(panel, **changes))


def link_clip(document: Document, board_id: str, panel_id: str, clip_id: str) -> Document:
    """Say that a clip stands for a panel (empty = none). A clip stands for one panel at most."""
    if clip_id and (other := panel_of_clip(document, clip_id)) is not None and other[1].id != panel_id:
        document = change_panel(document, other[0].id, other[1].id, lambda panel: replace(panel, clip_id=""))
    return change_panel(document, board_id, panel_id, lambda panel: replace(panel, clip_id=clip_id))


def change_panel(document: Document, board_id: str, panel_id: str, change: Callable[[Panel], Panel]) -> Document:
    """Change one panel; the same document when nothing differs."""
    board = board_of(document, board_id)
    panel_of(board, panel_id)
    return _with_panels(document, board, tuple(change(p) if p.id == panel_id else p for p in board.panels))


def _with_panels(document: Document, board: Board, panels: tuple[Panel, ...]) -> Document:
    return _with_board(document, replace(board, panels=panels))


def _with_board(document: Document, board: Board) -> Document:
    if document.boards.get(board.id) == board:
        return document
    return replace(document, boards=with_item(document.boards, board.id, board))


def _check_seconds(seconds: Fraction) -> None:
    if not SHORTEST <= seconds <= LONGEST:
        raise EditRefused(f"A panel lasts a tenth of a second to {int(LONGEST)} seconds.", "Choose a time in between.")


def _check_size(width: int, height: int, rate: Fraction) -> None:
    if width % 2 or height % 2 or not 16 <= min(width, height) <= max(width, height) <= 8192:
        raise EditRefused(f"Shots can't be {width}×{height} pixels.", "Use even sides of 16 to 8192.")
    if not RATES[0] <= rate <= RATES[1]:
        raise EditRefused(f"{float(rate):g} frames per second is no rate for a shot.", "Choose 1 to 120.")
