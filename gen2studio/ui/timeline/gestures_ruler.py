"""Drags on the ruler: the playhead, markers and their ranges, the in/out range."""

from __future__ import annotations

from gen2studio.core.time import timecode
from gen2studio.document import edits
from gen2studio.document.model import Marker, Sequence
from gen2studio.ui.timeline.layout import snap, snap_targets
from gen2studio.ui.timeline.pointer import (
    SNAP,
    Gesture,
    Host,
    Phase,
    Pointer,
    attempt,
    far,
    finish,
    hint,
    snapped,
    travelled,
)


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
        finish(host)


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
            if frame == marker.frame and not far(press, now):
                continue
            frame = max(0, marker.frame + snapped(host, [marker.frame], targets, travelled(host, origin, now), now))
            attempt(host, base, edit)
            host.update_overlay()
        host.overlay.clear()
        if frame != marker.frame:
            host.editing.perform("Move Marker", edit)
        else:
            session.set_playhead(marker.frame)
    finally:
        finish(host)


def drag_marker_end(host: Host, press: Pointer, marker: Marker) -> Gesture:
    """Move the far end of a marker's range; at its flag the range ends and a point is left."""
    session = host.session
    base = session.sequence
    assert base is not None
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, session.playhead)
    length = marker.duration

    def edit(sequence: Sequence) -> Sequence:
        return edits.edit_marker(sequence, marker.id, duration=length)

    try:
        while (now := (yield)).phase is Phase.MOVE:
            end = marker.frame + marker.duration
            way = snapped(host, [end], targets, travelled(host, origin, now), now)
            length = max(0, marker.duration + way)
            attempt(host, base, edit)
            hint(host, now, f"Range {timecode(length, base.rate)}")
            host.update_overlay()
        host.overlay.clear()
        if length != marker.duration:
            host.editing.perform("Marker Range", edit)
    finally:
        finish(host)


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
            frame = min(max(low, start + snapped(host, [start], targets, travelled(host, origin, now), now)), high)
            attempt(host, base, edit)
            host.update_overlay()
        host.overlay.clear()
        if frame != start:
            host.editing.perform(f"Move {which.title()} Point", edit)
    finally:
        finish(host)
