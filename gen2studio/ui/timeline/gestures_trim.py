"""Dragging edges and contents: trim, ripple, roll, slip, slide; and the razor."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt

from gen2studio.app import magnetic
from gen2studio.core.time import timecode
from gen2studio.document import edits, lookup
from gen2studio.document.lookup import together
from gen2studio.document.model import Clip, MediaItem, Sequence
from gen2studio.ui.timeline.gestures_select import choose
from gen2studio.ui.timeline.layout import Ints, Layout, snap_targets
from gen2studio.ui.timeline.pointer import (
    STOP_WIDTH,
    Gesture,
    Host,
    Phase,
    Pointer,
    attempt,
    far,
    finish,
    hint,
    row_of,
    signed,
    snapped,
    stop_at,
    travelled,
)


def trim_edge(host: Host, press: Pointer, clip: Clip, edge: edits.Edge, ripple: bool | None = None) -> Gesture:
    """Trim a head or tail; Ctrl ripples (``ripple`` says so for good). Where the media (or a neighbour) ends, the edge
    stops, shows it hatched and says what it is."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    alone = clip.id in session.selection and not lookup.linked(base, [clip.id]) <= session.selection
    linked = not (alone or press.alt)
    if clip.id not in session.selection:
        session.set_selection(together(base, [clip.id]) if linked else frozenset([clip.id]))
    if ripple is None:
        ripple = press.ctrl or (host.magnetic and magnetic.on_main(base, [clip.id]))
    head = edge is edits.Edge.HEAD
    at = clip.start if head else clip.end
    row = row_of(host, clip)
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead, lookup.linked(base, [clip.id]))
    trim = (
        (edits.ripple_trim_head if ripple else edits.trim_head)
        if head
        else (edits.ripple_trim_tail if ripple else edits.trim_tail)
    )
    delta = 0

    def edit(sequence: Sequence) -> Sequence:
        return trim(sequence, clip.id, delta, media, linked=linked)

    try:
        limits = edits.trim_limits(base, clip.id, edge, media, ripple=ripple, linked=linked)
        of_media = edits.trim_limits(base, clip.id, edge, media, ripple=True, linked=linked)
        while (now := (yield)).phase is Phase.MOVE:
            wanted = snapped(host, [at], targets, travelled(host, origin, now), now)
            delta = limits.clamp(wanted)
            if delta != wanted:
                host.overlay.snap = None
            kind = f"{'ripple ' if ripple else ''}{'head' if head else 'tail'}"
            good = attempt(host, base, edit, (kind, clip.id, "", delta))
            host.overlay.stops = stop_at(host, row, at, delta, wanted, head, ripple)
            length = timecode(clip.duration + (-delta if head else delta), base.rate)
            name = f"{'Ripple ' if ripple else ''}{'Head' if head else 'Tail'}"
            left = _left(base, of_media, delta, head, wanted != delta)
            hint(host, now, f"{name} {signed(host, delta)} · {length}{left}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if delta:
            label = f"{'Ripple ' if ripple else ''}Trim {'Head' if head else 'Tail'}"
            host.editing.perform(label, edit)
    finally:
        finish(host)


def _left(sequence: Sequence, media: edits.Limits, delta: int, head: bool, held: bool) -> str:
    """How much more the media holds beyond the edge, or what stopped it."""
    end = media.low if head else media.high
    room = delta - end if head else end - delta
    if abs(end) >= edits.FAR:
        return ""
    if held and room == 0:
        return " · end of media"
    if held and delta == (media.high if head else media.low):
        return " · one frame is left"
    if held:
        return " · next clip"
    return f" · {timecode(room, sequence.rate)} left"


def ripple_tool(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """The ripple tool trims the edge nearer to the pointer."""
    frame = host.viewport.frame(press.x)
    edge = edits.Edge.HEAD if frame - clip.start < clip.end - frame else edits.Edge.TAIL
    return trim_edge(host, press, clip, edge, ripple=True)


def roll_tool(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """The roll tool moves the nearer cut of the clip; an edge without a neighbour is trimmed."""
    place = host.layout_now.find(clip.id)
    assert place is not None
    row, frame = place[0], host.viewport.frame(press.x)
    index = row.clips.index(clip)
    head = frame - clip.start < clip.end - frame
    beside = row.clips[index - 1] if head and index else None
    if not head:
        beside = row.clips[index + 1] if index + 1 < len(row.clips) else None
    if beside is not None and head and beside.end == clip.start:
        return roll_cut(host, press, beside, clip)
    if beside is not None and not head and clip.end == beside.start:
        return roll_cut(host, press, clip, beside)
    return trim_edge(host, press, clip, edits.Edge.HEAD if head else edits.Edge.TAIL, ripple=False)


def roll_cut(host: Host, press: Pointer, left: Clip, right: Clip) -> Gesture:
    """Move the cut between two clips that touch; nothing else moves."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    row = row_of(host, left)
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead, lookup.linked(base, [left.id, right.id]))
    linked = not press.alt
    delta = 0

    def edit(sequence: Sequence) -> Sequence:
        return edits.roll(sequence, left.id, right.id, delta, media, linked=linked)

    try:
        limits = edits.roll_limits(base, left.id, right.id, media, linked=linked)
        while (now := (yield)).phase is Phase.MOVE:
            wanted = snapped(host, [left.end], targets, travelled(host, origin, now), now)
            delta = limits.clamp(wanted)
            if delta != wanted:
                host.overlay.snap = None
            good = attempt(host, base, edit, ("roll", left.id, right.id, delta))
            host.overlay.stops = stop_at(host, row, left.end, delta, wanted, False, False)
            room = "" if delta == wanted else " · no more media"
            hint(host, now, f"Roll {signed(host, delta)}{room}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if delta:
            host.editing.perform("Roll Cut", edit)
    finally:
        finish(host)


def slip_clip(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Show earlier or later material in the same place. A click with Alt selects the clip without its partners."""
    media = host.session.document.media
    return _inner_drag(
        host, press, clip, "Slip", lambda s: edits.slip_limits(s, clip.id, media), edits.slip, against=True
    )


def slide_clip(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Move the clip between its neighbours, which give and take."""
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
    origin = host.viewport.frame(press.x)
    delta = 0

    def edit(sequence: Sequence) -> Sequence:
        return change(sequence, clip.id, delta, media)

    try:
        while (now := (yield)).phase is Phase.MOVE and not far(press, now):
            pass
        if now.phase is Phase.RELEASE:
            choose(host, clip, press)
            return
        session.set_selection(group)
        session.set_track(lookup.track_of(base, clip.id).id)
        targets = snap_targets(host.layout_now, session.playhead, group)
        row = row_of(host, clip)
        limits = limits_of(base)
        while now.phase is Phase.MOVE:
            way = travelled(host, origin, now)
            wanted = -round(way) if against else snapped(host, [clip.start, clip.end], targets, way, now)
            delta = limits.clamp(wanted)
            if delta != wanted:
                host.overlay.snap = None
            good = attempt(host, base, edit, (verb.casefold(), clip.id, "", delta))
            width = max(1, round(STOP_WIDTH / host.viewport.ppf))
            host.overlay.stops = []
            if wanted != delta:
                start, stop = (clip.start, clip.end) if against else (clip.start + delta, clip.end + delta)
                place = (start, start + width) if wanted < delta else (stop - width, stop)
                host.overlay.stops = [(row, *place)]
            room = "" if delta == wanted else " · end of media" if against else " · no more room"
            hint(host, now, f"{verb} {signed(host, delta)}{room}" if good else "")
            host.update_overlay()
            now = yield
        host.overlay.clear()
        if delta:
            host.editing.perform(f"{verb} Clip", edit)
    finally:
        finish(host)


# -- the razor -------------------------------------------------------------------------------------------------------


def razor_frame(host: Host, pointer: Pointer, targets: Ints) -> int:
    """Frame where a click of the razor cuts."""
    frame = host.viewport.frame(pointer.x)
    return max(0, snapped(host, [0.0], targets, frame, pointer))


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
        finish(host)
