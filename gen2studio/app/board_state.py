"""How far a panel has come: nothing yet, its picture on the timeline, its shot waiting, running, finished or stale."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable

from gen2studio.app.board_layout import panel_shot, shot_look
from gen2studio.app.jobs import JobRow
from gen2studio.core.errors import EditRefused
from gen2studio.core.records import dataclass
from gen2studio.document import boards
from gen2studio.document.look import Look
from gen2studio.document.model import Board, Clip, Document, Panel, Shot, Take
from gen2studio.engine.events import JobState


class Stage(enum.Enum):
    NONE = "none"
    """Not on a timeline."""
    PICTURE = "picture"
    """Its picture or footage lies on the timeline (animatic)."""
    EMPTY = "empty"
    """Its shot lies there and was never made."""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    STALE = "stale"
    """Its shot was made from what the panel said before."""


@dataclass(frozen=True, slots=True)
class PanelState:
    stage: Stage = Stage.NONE
    reason: str = ""
    """Why it is stale, or how far it has come: a short sentence for a tool tip."""


def panel_state(
    document: Document,
    board: Board,
    panel: Panel,
    is_stale: Callable[[Clip, Take], bool],
    rows: Iterable[JobRow],
) -> PanelState:
    """The state of a panel. ``is_stale`` says whether a clip would give something else than a take today."""
    clip = boards.clip_of_panel(document, panel)
    if clip is None:
        return PanelState()
    item = document.media.get(clip.media_id)
    if item is None or item.shot is None:
        return PanelState(Stage.PICTURE, "Its picture is on the timeline.")
    running = [row for row in rows if row.owner == clip.id and row.take_id and not row.state.ended]
    if any(row.state is not JobState.QUEUED for row in running):
        return PanelState(Stage.RUNNING, f"Its shot is being made: {max(row.progress for row in running):.0%}.")
    if running:
        return PanelState(Stage.QUEUED, "Its shot waits in the queue.")
    take = document.takes.get(clip.active_take)
    if take is None or not take.done:
        return PanelState(Stage.EMPTY, "Its shot was not made yet.")
    if (reason := why_stale(board, panel, clip, item.shot, take, is_stale)) != "":
        return PanelState(Stage.STALE, reason)
    return PanelState(Stage.DONE, "Its shot is up to date.")


def why_stale(
    board: Board, panel: Panel, clip: Clip, shot: Shot, take: Take, is_stale: Callable[[Clip, Take], bool]
) -> str:
    """Why a panel's shot is not what the panel asks for any more; empty when it is."""
    try:
        wanted = panel_shot(board, panel)
    except EditRefused as refused:
        return refused.sentence
    changes: list[str] = []
    if wanted.frames != shot.frames:
        changes.append(f"it lasts {_seconds(wanted)} now, the shot {_seconds(shot)}")
    if (wanted.width, wanted.height) != (shot.width, shot.height) or wanted.rate != shot.rate:
        changes.append(f"the board is {wanted.width} × {wanted.height} at {float(wanted.rate):g} fps now")
    if clip.look is not None and clip.look == shot_look(board, panel) and is_stale(clip, take):
        changes += _differences(take.look, clip.look) or ["a model or file behind it changed"]
    elif clip.look is not None and clip.look != shot_look(board, panel) and is_stale(clip, take):
        # The artist gave the clip a look of its own: it counts, not the panel.
        changes.append("its clip has another look now")
    if not changes:
        return ""
    text = "; ".join(changes)
    return f"{text[0].upper()}{text[1:]}."


def _seconds(shot: Shot) -> str:
    return f"{shot.frames / float(shot.rate):.2f}".rstrip("0").rstrip(".") + " s"


def _differences(made: Look, wanted: Look) -> list[str]:
    """In words, what differs between the look a take was made with and the one that is wanted."""
    parts = (
        ("its words changed", made.prompt != wanted.prompt or made.negative_prompt != wanted.negative_prompt),
        ("its picture changed", made.layout != wanted.layout or made.keys != wanted.keys),
        ("its camera changed", made.camera != wanted.camera),
        ("its seed changed", made.seed != wanted.seed),
        ("another generator makes it", bool(wanted.generator) and made.generator != wanted.generator),
        (
            "the look of the board changed",
            (made.styles, made.preset, made.adapters, made.controls)
            != (wanted.styles, wanted.preset, wanted.adapters, wanted.controls),
        ),
    )
    return [words for words, differs in parts if differs]
