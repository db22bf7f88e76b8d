"""What a drag does, each told as one generator: before the first ``yield`` the press, in the loop the moves, behind it
the release. Closing the generator (Esc) runs its ``finally`` and leaves the document as it was.

While a gesture runs it only shows previews, made by the very edit that the release commits as one undo step.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Protocol

from PySide6.QtCore import Qt

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing, counted
from gen2studio.core.errors import EditRefused
from gen2studio.core.records import dataclass
from gen2studio.core.time import timecode
from gen2studio.document import edits, lookup
from gen2studio.document.model import Clip, Marker, MediaItem, Sequence, TrackKind
from gen2studio.ui.timeline.layout import Ints, Layout, snap, snap_targets
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
class Pointer:
    """The mouse in widget pixels of the view (the ruler's y is negative)."""

    phase: Phase
    x: float
    y: float
    modifiers: Qt.KeyboardModifier

    @property
    def ctrl(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ControlModifier)

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)

    @property
    def alt(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.AltModifier)


Gesture = Generator[None, Pointer, None]


class Host(Protocol):
    """What gestures need of the view."""

    session: Session
    editing: TimelineEditing
    viewport: Viewport
    overlay: Overlay

    @property
    def layout_now(self) -> Layout: ...
    def show_preview(self, sequence: Sequence | None) -> None: ...
    def update_overlay(self) -> None: ...


# -- small common steps ----------------------------------------------------------------------------------------------


def _far(press: Pointer, now: Pointer) -> bool:
    return abs(now.x - press.x) >= START or abs(now.y - press.y) >= START


def _frames(host: Host, press_frame: float, now: Pointer) -> float:
    """Frames travelled since the press, right also when the view scrolled meanwhile."""
    return host.viewport.frame(now.x) - press_frame


def _snapped(host: Host, points: Collection[float], targets: Ints, travelled: float, now: Pointer) -> int:
    """``travelled`` in whole frames, held to a target unless snapping is off (Shift inverts)."""
    host.overlay.snap = None
    if host.session.snapping != now.shift:
        found = snap([p + travelled for p in points], targets, SNAP / host.viewport.ppf)
        if found is not None:
            host.overlay.snap = found[0]
            return round(travelled + found[1])
    return round(travelled)


def _hint(host: Host, now: Pointer, text: str) -> None:
    host.overlay.hint = text
    host.overlay.hint_at = (round(now.x), round(now.y))


def _signed(host: Host, frames: int) -> str:
    sequence = host.session.sequence
    assert sequence is not None
    return ("+" if frames >= 0 else "") + timecode(frames, sequence.rate)


def _try(host: Host, base: Sequence, edit: Callable[[Sequence], Sequence]) -> bool:
    """Show what ``edit`` makes of ``base``, or why it can't."""
    try:
        new = edit(base)
    except EditRefused as refusal:
        host.overlay.refused = refusal.sentence
        host.show_preview(None)
        return False
    host.overlay.refused = ""
    host.show_preview(new)
    return True


def _done(host: Host) -> None:
    host.overlay.clear()
    host.show_preview(None)
    host.update_overlay()


# -- selecting -------------------------------------------------------------------------------------------------------


def choose(host: Host, clip: Clip, pointer: Pointer) -> None:
    """Select on press: a clip with its linked partners; Ctrl adds or takes away, Shift adds."""
    session = host.session
    sequence = session.sequence
    assert sequence is not None
    group = lookup.linked(sequence, [clip.id])
    if pointer.ctrl:
        inside = clip.id in session.selection
        session.set_selection(session.selection - group if inside else session.selection | group)
    elif pointer.shift:
        session.set_selection(session.selection | group)
    elif clip.id not in session.selection:
        session.set_selection(group)
    session.set_track(lookup.track_of(sequence, clip.id).id)


def rubber_band(host: Host, press: Pointer) -> Gesture:
    """Select what a rectangle touches; Ctrl or Shift adds. A click without a drag selects nothing."""
    view, session = host.viewport, host.session
    before = session.selection
    keep = before if press.ctrl or press.shift else frozenset[str]()
    x0, y0 = round(press.x) + view.scroll_x, round(press.y) + view.scroll_y
    committed = False
    try:
        while (now := (yield)).phase is Phase.MOVE:
            x1, y1 = round(now.x) + view.scroll_x, round(now.y) + view.scroll_y
            host.overlay.rubber = (x0, y0, x1, y1)
            session.set_selection(keep | host.layout_now.inside(x0, y0, x1, y1, view.ppf))
            host.update_overlay()
        if not _far(press, now):
            session.set_selection(keep)
        committed = True
    finally:
        if not committed:
            session.set_selection(before)
        _done(host)


# -- moving ----------------------------------------------------------------------------------------------------------


def move_clips(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Move the selection in time and across tracks. Overwrites what it lands on; Ctrl inserts."""
    session, view = host.session, host.viewport
    base = session.sequence
    assert base is not None
    before = session.selection
    was_selected = clip.id in before
    if not (press.ctrl and was_selected):
        choose(host, clip, press)
    grabbed = session.selection
    try:
        while (now := (yield)).phase is Phase.MOVE and not _far(press, now):
            pass
        if now.phase is Phase.RELEASE:
            if was_selected and press.ctrl:
                choose(host, clip, press)
            elif was_selected and not press.shift:
                session.set_selection(lookup.linked(base, [clip.id]))
            return
        if press.ctrl and not was_selected:
            # A click with Ctrl adds to the selection; a drag with Ctrl inserts what it took hold of and nothing else.
            session.set_selection(lookup.linked(base, [clip.id]))
            grabbed = session.selection
        chosen = [c for t in base.tracks for c in t.clips if c.id in grabbed]
        points = {clip.start, clip.end, min(c.start for c in chosen), max(c.end for c in chosen)}
        targets = snap_targets(host.layout_now, session.playhead, grabbed)
        limits = edits.move_limits(base, grabbed)
        kind = lookup.track_of(base, clip.id).kind
        lane = _lane(base, clip)
        home = {c.id: r.index for r in host.layout_now.rows for c in r.clips if c.id in grabbed}
        origin = view.frame(press.x)
        frames, steps, insert = 0, 0, False
        while now.phase is Phase.MOVE:
            frames = limits.clamp(_snapped(host, points, targets, _frames(host, origin, now), now))
            steps = _lane_under(host, now, kind, lane) - lane
            insert = now.ctrl
            good = _try(host, base, _mover(grabbed, frames, steps, kind, insert))
            down = -steps if kind is TrackKind.VIDEO else steps
            host.overlay.ghosts = [
                (home[c.id] + (down if _same_kind(host, home[c.id], kind) else 0), c.start + frames, c.end + frames)
                for c in chosen[:200]
            ]
            text = f"{'Insert' if insert else 'Move'} {_signed(host, frames)}" if good else ""
            _hint(host, now, text)
            host.update_overlay()
            now = yield
        host.overlay.clear()
        if frames or steps:
            label = f"{'Insert' if insert else 'Move'} {counted(len(chosen))}"
            host.editing.perform(label, _mover(grabbed, frames, steps, kind, insert))
    finally:
        _done(host)


def _mover(
    ids: frozenset[str], frames: int, steps: int, kind: TrackKind, insert: bool
) -> Callable[[Sequence], Sequence]:
    collision = edits.Collision.INSERT if insert else edits.Collision.OVERWRITE
    return lambda s: edits.move(s, ids, frames, track_steps=steps, kind=kind, collision=collision)


def _lane(sequence: Sequence, clip: Clip) -> int:
    """Index of the clip's track among the tracks of its kind."""
    track = lookup.track_of(sequence, clip.id)
    return [t.id for t in sequence.tracks if t.kind is track.kind].index(track.id)


def _lane_under(host: Host, now: Pointer, kind: TrackKind, otherwise: int) -> int:
    """Index among the tracks of ``kind`` of the row under the pointer."""
    layout = host.layout_now
    index = layout.nearest_row(now.y + host.viewport.scroll_y, kind)
    if index < 0 or layout.sequence is None:
        return otherwise
    lanes = [t.id for t in layout.sequence.tracks if t.kind is kind]
    return lanes.index(layout.rows[index].track.id)


def _same_kind(host: Host, row: int, kind: TrackKind) -> bool:
    return host.layout_now.rows[row].track.kind is kind


# -- trimming --------------------------------------------------------------------------------------------------------


def trim_edge(host: Host, press: Pointer, clip: Clip, edge: edits.Edge) -> Gesture:
    """Trim a head or tail; Ctrl ripples. Where the media (or a neighbour) ends, the edge stops and shows it hatched."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    if clip.id not in session.selection:
        session.set_selection(lookup.linked(base, [clip.id]))
    ripple = press.ctrl
    head = edge is edits.Edge.HEAD
    at = clip.start if head else clip.end
    row = _row_of(host, clip)
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead, lookup.linked(base, [clip.id]))
    trim = (
        (edits.ripple_trim_head if ripple else edits.trim_head)
        if head
        else (edits.ripple_trim_tail if ripple else edits.trim_tail)
    )
    delta = 0

    def edit(sequence: Sequence) -> Sequence:
        return trim(sequence, clip.id, delta, media)

    try:
        limits = edits.trim_limits(base, clip.id, edge, media, ripple=ripple)
        while (now := (yield)).phase is Phase.MOVE:
            wanted = _snapped(host, [at], targets, _frames(host, origin, now), now)
            delta = limits.clamp(wanted)
            if delta != wanted:
                host.overlay.snap = None
            good = _try(host, base, edit)
            host.overlay.stops = _stop(host, row, at, delta, wanted, head, ripple)
            length = timecode(clip.duration + (-delta if head else delta), base.rate)
            name = f"{'Ripple ' if ripple else ''}{'Head' if head else 'Tail'}"
            _hint(host, now, f"{name} {_signed(host, delta)} · {length}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if delta:
            label = f"{'Ripple ' if ripple else ''}Trim {'Head' if head else 'Tail'}"
            host.editing.perform(label, edit)
    finally:
        _done(host)


def _row_of(host: Host, clip: Clip) -> int:
    place = host.layout_now.find(clip.id)
    return place[0].index if place else -1


def _stop(
    host: Host, row: int, at: int, delta: int, wanted: int, head: bool, ripple: bool
) -> list[tuple[int, int, int]]:
    """Hatching on the far side of the edge when it can't follow the pointer."""
    if delta == wanted:
        return []
    width = max(1, round(STOP_WIDTH / host.viewport.ppf))
    edge = at if ripple and head else at + delta
    return [(row, edge - width, edge) if wanted < delta else (row, edge, edge + width)]


def roll_cut(host: Host, press: Pointer, left: Clip, right: Clip) -> Gesture:
    """Move the cut between two clips that touch; nothing else moves."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    row = _row_of(host, left)
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead, lookup.linked(base, [left.id, right.id]))
    delta = 0

    def edit(sequence: Sequence) -> Sequence:
        return edits.roll(sequence, left.id, right.id, delta, media)

    try:
        limits = edits.roll_limits(base, left.id, right.id, media)
        while (now := (yield)).phase is Phase.MOVE:
            wanted = _snapped(host, [left.end], targets, _frames(host, origin, now), now)
            delta = limits.clamp(wanted)
            if delta != wanted:
                host.overlay.snap = None
            good = _try(host, base, edit)
            host.overlay.stops = _stop(host, row, left.end, delta, wanted, False, False)
            _hint(host, now, f"Roll {_signed(host, delta)}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if delta:
            host.editing.perform("Roll Cut", edit)
    finally:
        _done(host)


def slip_clip(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Alt+drag: show earlier or later material in the same place."""
    media = host.session.document.media
    return _inner_drag(
        host, press, clip, "Slip", lambda s: edits.slip_limits(s, clip.id, media), edits.slip, against=True
    )


def slide_clip(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Ctrl+Alt+drag: move the clip between its neighbours, which give and take."""
    media = host.session.document.media
    return _inner_drag(
        host, press, clip, "Slide", lambda s: edits.slide_limits(s, clip.id, media), edits.slide, against=False
    )


def _inner_drag(
    host: Host,
    press: Pointer,
    clip: Clip,
    verb: str,
    limits_of: Callable[[Sequence], edits.Limits],
    change: Callable[[Sequence, str, int, Mapping[str, MediaItem]], Sequence],
    *,
    against: bool,
) -> Gesture:
    """A drag of a clip's inside that leaves the rest of the timeline alone; ``against``: the picture follows the hand,
    so the source moves against it. Without ``against`` the clip's edges snap."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    group = lookup.linked(base, [clip.id])
    session.set_selection(group)
    session.set_track(lookup.track_of(base, clip.id).id)
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead, group)
    row = _row_of(host, clip)
    delta = 0

    def edit(sequence: Sequence) -> Sequence:
        return change(sequence, clip.id, delta, media)

    try:
        limits = limits_of(base)
        while (now := (yield)).phase is Phase.MOVE:
            travelled = _frames(host, origin, now)
            wanted = -round(travelled) if against else _snapped(host, [clip.start, clip.end], targets, travelled, now)
            delta = limits.clamp(wanted)
            if delta != wanted:
                host.overlay.snap = None
            good = _try(host, base, edit)
            width = max(1, round(STOP_WIDTH / host.viewport.ppf))
            host.overlay.stops = []
            if wanted != delta:
                start, stop = (clip.start, clip.end) if against else (clip.start + delta, clip.end + delta)
                place = (start, start + width) if wanted < delta else (stop - width, stop)
                host.overlay.stops = [(row, *place)]
            _hint(host, now, f"{verb} {_signed(host, delta)}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if delta:
            host.editing.perform(f"{verb} Clip", edit)
    finally:
        _done(host)


# -- the razor -------------------------------------------------------------------------------------------------------


def razor_frame(host: Host, pointer: Pointer, targets: Ints) -> int:
    """Frame where a click of the razor cuts."""
    frame = host.viewport.frame(pointer.x)
    return max(0, _snapped(host, [0.0], targets, frame, pointer))


def razor_click(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Cut at the release: the clip under the pointer with its partners, with Shift all tracks."""
    all_tracks = press.shift
    steady = Pointer(press.phase, press.x, press.y, Qt.KeyboardModifier.NoModifier)
    playhead_only = snap_targets(Layout(None), host.session.playhead)
    frame = razor_frame(host, steady, playhead_only)
    try:
        while (yield).phase is Phase.MOVE:
            pass
        host.overlay.clear()
        if all_tracks:
            host.editing.razor_all_at(frame)
        else:
            host.editing.razor_at(frame, [clip.id])
    finally:
        _done(host)


# -- on the ruler ----------------------------------------------------------------------------------------------------


def scrub(host: Host, press: Pointer) -> Gesture:
    """Drag the playhead; Shift snaps to cuts. Esc brings it back."""
    session = host.session
    before = session.playhead
    targets = snap_targets(host.layout_now)
    session.set_shuttle(0.0)
    committed = False

    def go(pointer: Pointer) -> None:
        frame = host.viewport.frame(pointer.x)
        found = snap([frame], targets, SNAP / host.viewport.ppf) if pointer.shift else None
        session.set_playhead(found[0] if found else int(max(0.0, frame)))

    go(press)
    try:
        while (now := (yield)).phase is Phase.MOVE:
            go(now)
        committed = True
    finally:
        if not committed:
            session.set_playhead(before)
        _done(host)


def drag_marker(host: Host, press: Pointer, marker: Marker) -> Gesture:
    """Move a marker; a click puts the playhead on it."""
    session = host.session
    base = session.sequence
    assert base is not None
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead)
    frame = marker.frame

    def edit(sequence: Sequence) -> Sequence:
        return edits.move_marker(sequence, marker.id, frame)

    try:
        while (now := (yield)).phase is Phase.MOVE:
            if frame == marker.frame and not _far(press, now):
                continue
            frame = max(0, marker.frame + _snapped(host, [marker.frame], targets, _frames(host, origin, now), now))
            _try(host, base, edit)
            host.update_overlay()
        host.overlay.clear()
        if frame != marker.frame:
            host.editing.perform("Move Marker", edit)
        else:
            session.set_playhead(marker.frame)
    finally:
        _done(host)


def drag_range(host: Host, press: Pointer, which: str) -> Gesture:
    """Move the in or the out point."""
    session = host.session
    base = session.sequence
    assert base is not None
    start = base.in_point if which == "in" else base.out_point
    assert start is not None
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead)
    setter = edits.set_in_point if which == "in" else edits.set_out_point
    low = 0 if which == "in" else (base.in_point or 0) + 1
    high = (base.out_point - 1 if base.out_point is not None else 1 << 40) if which == "in" else 1 << 40
    frame = start

    def edit(sequence: Sequence) -> Sequence:
        return setter(sequence, frame)

    try:
        while (now := (yield)).phase is Phase.MOVE:
            frame = min(max(low, start + _snapped(host, [start], targets, _frames(host, origin, now), now)), high)
            _try(host, base, edit)
            host.update_overlay()
        host.overlay.clear()
        if frame != start:
            host.editing.perform(f"Move {which.title()} Point", edit)
    finally:
        _done(host)
