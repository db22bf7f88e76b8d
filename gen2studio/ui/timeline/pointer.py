"""What every drag on the timeline shares: the pointer, what a gesture needs of the view, and its small common steps.

Gestures are generators, see :mod:`gen2studio.ui.gesturing`. While one runs it only shows previews, made by the very
edit that the release commits as one undo step.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Generator
from typing import Protocol

from PySide6.QtCore import Qt

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.trimming import TrimShown, dragged
from gen2studio.core.errors import EditRefused
from gen2studio.core.records import dataclass
from gen2studio.core.time import timecode
from gen2studio.document.model import Clip, Sequence
from gen2studio.ui.gesturing import WithModifiers
from gen2studio.ui.timeline.layout import Ints, Layout, snap
from gen2studio.ui.timeline.overlay import Overlay
from gen2studio.ui.timeline.viewport import Viewport

SNAP = 9
"""Pixels within which a drag snaps."""
START = 4
"""Pixels the pointer must travel before a press becomes a drag."""
STOP_WIDTH = 28
"""Pixels of the hatching that shows where the media ends."""


class Phase(enum.Enum):
    PRESS = "press"
    MOVE = "move"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Pointer(WithModifiers):
    """The mouse in widget pixels of the view (the ruler's y is negative)."""

    phase: Phase
    x: float
    y: float
    modifiers: Qt.KeyboardModifier


Gesture = Generator[None, Pointer, None]


class Host(Protocol):
    """What gestures need of the view."""

    session: Session
    editing: TimelineEditing
    viewport: Viewport
    overlay: Overlay
    magnetic: bool
    """The main track is kept without gaps: see :mod:`gen2studio.app.magnetic`."""

    @property
    def layout_now(self) -> Layout: ...
    def show_preview(self, sequence: Sequence | None) -> None: ...
    def update_overlay(self) -> None: ...
    def tell_trim(self, shown: TrimShown | None) -> None: ...


def far(press: Pointer, now: Pointer) -> bool:
    return abs(now.x - press.x) >= START or abs(now.y - press.y) >= START


def travelled(host: Host, press_frame: float, now: Pointer) -> float:
    """Frames travelled since the press, right also when the view scrolled meanwhile."""
    return host.viewport.frame(now.x) - press_frame


def snapped(host: Host, points: Collection[float], targets: Ints, frames: float, now: Pointer) -> int:
    """``frames`` travelled in whole ones, held to a target unless snapping is off (Shift inverts)."""
    host.overlay.snap = None
    if host.session.snapping != now.shift:
        found = snap([p + frames for p in points], targets, SNAP / host.viewport.ppf)
        if found is not None:
            host.overlay.snap = found[0]
            return round(frames + found[1])
    return round(frames)


def hint(host: Host, now: Pointer, text: str) -> None:
    host.overlay.hint = text
    host.overlay.hint_at = (round(now.x), round(now.y))


def signed(host: Host, frames: int) -> str:
    sequence = host.session.sequence
    assert sequence is not None
    return ("+" if frames >= 0 else "") + timecode(frames, sequence.rate)


def attempt(
    host: Host,
    base: Sequence,
    edit: Callable[[Sequence], Sequence],
    trims: tuple[str, str, str, int] | None = None,
) -> bool:
    """Show what ``edit`` makes of ``base``, or why it can't. A drag that trims says in ``trims`` what: kind, clip, clip
    on the right of a rolled cut, frames; see :func:`gen2studio.app.trimming.dragged`."""
    try:
        new = edit(base)
    except EditRefused as refusal:
        host.overlay.refused = refusal.sentence
        host.show_preview(None)
        return False
    host.overlay.refused = ""
    host.show_preview(new)
    if trims is not None:
        kind, clip_id, right_id, frames = trims
        host.tell_trim(dragged(new, kind, clip_id, frames, right_id=right_id))
    return True


def finish(host: Host) -> None:
    host.overlay.clear()
    host.show_preview(None)
    host.tell_trim(None)
    host.update_overlay()


def row_of(host: Host, clip: Clip) -> int:
    place = host.layout_now.find(clip.id)
    return place[0].index if place else -1


def stop_at(
    host: Host, row: int, at: int, delta: int, wanted: int, head: bool, ripple: bool
) -> list[tuple[int, int, int]]:
    """Hatching on the far side of the edge when it can't follow the pointer."""
    if delta == wanted:
        return []
    width = max(1, round(STOP_WIDTH / host.viewport.ppf))
    edge = at if ripple and head else at + delta
    return [(row, edge - width, edge) if wanted < delta else (row, edge, edge + width)]
