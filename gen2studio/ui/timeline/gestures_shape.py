"""Dragging what is drawn on clips: fades, transitions, level lines and their keys."""

from __future__ import annotations

from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.time import timecode
from gen2studio.document import edits, lookup
from gen2studio.document.clip_composition import set_curve, set_fades
from gen2studio.document.composition import Transition
from gen2studio.document.model import Clip, Sequence, Track, TrackKind
from gen2studio.ui.timeline import handles
from gen2studio.ui.timeline.layout import Hit, Zone, snap_targets
from gen2studio.ui.timeline.pointer import (
    Gesture,
    Host,
    Phase,
    Pointer,
    attempt,
    far,
    finish,
    hint,
    row_of,
    snapped,
    travelled,
)

LEVEL_STICK = 5
"""Pixels within which a level is held to 0 dB or to full opacity."""


def gesture_for(host: Host, hit: Hit, press: Pointer) -> Gesture | None:
    """The drag that begins on a handle; None when something else was hit."""
    clip = hit.clip
    if clip is None:
        return None
    if hit.zone in (Zone.FADE_IN, Zone.FADE_OUT):
        return drag_fade(host, press, clip, hit.zone is Zone.FADE_IN)
    if hit.zone is Zone.CUT_HANDLE and hit.neighbour is not None:
        return draw_mix(host, press, clip, hit.neighbour)
    if hit.mix is not None and hit.zone in (Zone.MIX, Zone.MIX_HEAD, Zone.MIX_TAIL):
        return drag_mix(host, press, hit.mix, hit.zone)
    if hit.zone is Zone.LEVEL:
        return drag_level(host, press, clip)
    if hit.zone is Zone.KEY and hit.key is not None:
        return drag_key(host, press, clip, hit.key)
    return None


# -- fades -----------------------------------------------------------------------------------------------------------


def drag_fade(host: Host, press: Pointer, clip: Clip, head: bool) -> Gesture:
    """Drag the handle at a clip's corner inwards; the two fades of a clip never overlap."""
    base = host.session.sequence
    assert base is not None
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, host.session.playhead)
    before = clip.fade_in if head else clip.fade_out
    longest = clip.duration - (clip.fade_out if head else clip.fade_in)
    length = before

    def edit(sequence: Sequence) -> Sequence:
        return (
            set_fades(sequence, [clip.id], fade_in=length) if head else set_fades(sequence, [clip.id], fade_out=length)
        )

    try:
        while (now := (yield)).phase is Phase.MOVE:
            if length == before and not far(press, now):
                continue
            at = clip.start + before if head else clip.end - before
            way = snapped(host, [at], targets, travelled(host, origin, now), now)
            length = min(max(0, before + (way if head else -way)), longest)
            good = attempt(host, base, edit)
            name = "Fade in" if head else "Fade out"
            hint(host, now, f"{name} {timecode(length, base.rate)}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if length != before:
            host.editing.perform("Fade In" if head else "Fade Out", edit)
    finally:
        finish(host)


# -- transitions -----------------------------------------------------------------------------------------------------


def draw_mix(host: Host, press: Pointer, left: Clip, right: Clip) -> Gesture:
    """Pull a dissolve out of a cut: as long to both sides as the drag, where the media reaches. A click makes one of
    the usual length. The sound of a linked cut is crossfaded along."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    half = 0

    def edit(sequence: Sequence) -> Sequence:
        frames = 2 * half if half else None
        return edits.add_transition(sequence, left.id, right.id, media, frames=frames).sequence

    try:
        room = edits.transition_room(base, left.id, right.id, media)
        while (now := (yield)).phase is Phase.MOVE:
            if not half and not far(press, now):
                continue
            half = max(1, abs(round(host.viewport.frame(now.x) - left.end)))
            good = attempt(host, base, edit)
            end = " · end of media" if half > min(room) else ""
            length = min(half, room.before) + min(half, room.after)
            hint(host, now, f"Dissolve {timecode(length, base.rate)}{end}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        host.editing.perform("Add Dissolve", edit)
    finally:
        finish(host)


def drag_mix(host: Host, press: Pointer, mix: Transition, zone: Zone) -> Gesture:
    """Drag an edge of a transition for its length (Ctrl: that edge alone), or its middle along the cut."""
    session = host.session
    base = session.sequence
    assert base is not None
    media = session.document.media
    origin = host.viewport.frame(press.x)
    before, after = mix.before, mix.after

    def edit(sequence: Sequence) -> Sequence:
        return edits.change_transition(sequence, mix.id, media, before=before, after=after)

    try:
        room = edits.transition_room(base, mix.left, mix.right, media)
        while (now := (yield)).phase is Phase.MOVE:
            if (before, after) == (mix.before, mix.after) and not far(press, now):
                continue
            way = round(travelled(host, origin, now))
            if zone is Zone.MIX:
                way = min(max(way, -mix.after, mix.before - room[0]), mix.before, room[1] - mix.after)
                before, after = mix.before - way, mix.after + way
            else:
                longer = -way if zone is Zone.MIX_HEAD else way
                both = not now.ctrl
                before = mix.before + (longer if both or zone is Zone.MIX_HEAD else 0)
                after = mix.after + (longer if both or zone is Zone.MIX_TAIL else 0)
            before, after = min(max(0, before), room[0]), min(max(0, after), room[1])
            if before + after < 1:
                before, after = (1, 0) if room[0] else (0, 1)
            good = attempt(host, base, edit)
            told = f"Transition {timecode(before + after, base.rate)} · −{before} +{after} frames"
            hint(host, now, told if good else "")
            host.update_overlay()
        host.overlay.clear()
        if (before, after) != (mix.before, mix.after):
            host.editing.perform("Change Transition", edit)
    finally:
        finish(host)


# -- levels ----------------------------------------------------------------------------------------------------------


def set_level(sequence: Sequence, clip_id: str, curve: Curve) -> Sequence:
    """The opacity of a clip on a video track, the volume of one on an audio track."""
    name = "opacity" if lookup.track_of(sequence, clip_id).kind is TrackKind.VIDEO else "volume"
    return set_curve(sequence, [clip_id], name, curve)


def set_flat_level(sequence: Sequence, clip: Clip, kind: TrackKind, value: float) -> Sequence:
    """One value for a whole clip: its opacity, or its gain, which is what artists mean without keys."""
    if kind is TrackKind.VIDEO:
        return set_level(sequence, clip.id, Curve(value))
    loud = min(max(value + clip.gain_db, handles.SILENT), handles.LOUD)
    return edits.set_gain(set_level(sequence, clip.id, Curve()), [clip.id], round(loud, 2))


def _named(track: Track) -> str:
    return "Opacity" if track.kind is TrackKind.VIDEO else "Volume"


def _told(track: Track, clip: Clip, value: float) -> str:
    if track.kind is TrackKind.VIDEO:
        return f"Opacity {value * 100:.0f} %"
    loud = value + clip.gain_db
    return "Volume −∞ dB" if loud <= handles.QUIET else f"Volume {loud:+.1f} dB"


def _held(host: Host, track: Track, clip: Clip, row: int, y: float, free: bool) -> float:
    """The value at a height; near full opacity and 0 dB it sticks to them unless ``free``."""
    lane = host.layout_now.rows[row]
    value = handles.level_value(track, clip, handles.part_at(lane, y))
    usual = 1.0 if track.kind is TrackKind.VIDEO else -clip.gain_db
    part, aim = handles.part_at(lane, y), handles.level_part(track, clip, usual)
    top, foot = handles.inner(lane)
    return usual if not free and abs(part - aim) * (foot - top) <= LEVEL_STICK else value


def drag_level(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Drag a level line: the whole line without keys, the stretch between two keys with them. Ctrl+click adds a key and
    takes hold of it."""
    base = host.session.sequence
    assert base is not None
    track = lookup.track_of(base, clip.id)
    row = row_of(host, clip)
    before = handles.level_curve(track, clip)
    at = min(max(0, int(host.viewport.frame(press.x) - clip.start)), clip.duration - 1)
    if press.ctrl:
        added = _with_key(before, at)
        return _drag_keys(host, press, clip, added, (at,), f"Add {_named(track)} Key", moves=True, added=True)
    if before.keys:
        earlier = [k.frame for k in before.keys if k.frame <= at]
        later = [k.frame for k in before.keys if k.frame > at]
        frames = tuple(earlier[-1:] + later[:1])
        return _drag_keys(host, press, clip, before, frames, f"Change {_named(track)}", moves=False)
    return _drag_flat(host, press, clip, track, row, before)


def _drag_flat(host: Host, press: Pointer, clip: Clip, track: Track, row: int, before: Curve) -> Gesture:
    base = host.session.sequence
    assert base is not None
    value = before.value

    def edit(sequence: Sequence) -> Sequence:
        return set_flat_level(sequence, clip, track.kind, value)

    try:
        while (now := (yield)).phase is Phase.MOVE:
            value = _held(host, track, clip, row, now.y + host.viewport.scroll_y, now.shift)
            good = attempt(host, base, edit)
            hint(host, now, _told(track, clip, value) if good else "")
            host.update_overlay()
        host.overlay.clear()
        if value != before.value:
            host.editing.perform(_named(track), edit)
    finally:
        finish(host)


def _with_key(curve: Curve, frame: int) -> Curve:
    known = curve.key_at(frame)
    if known is not None:
        return curve
    return curve.with_key(CurveKey(frame, curve.at(frame)))


def drag_key(host: Host, press: Pointer, clip: Clip, frame: int) -> Gesture:
    """Drag a key in time and value; it stays between its neighbours."""
    base = host.session.sequence
    assert base is not None
    track = lookup.track_of(base, clip.id)
    curve = handles.level_curve(track, clip)
    return _drag_keys(host, press, clip, curve, (frame,), f"Move {_named(track)} Key", moves=True)


def _drag_keys(
    host: Host,
    press: Pointer,
    clip: Clip,
    curve: Curve,
    frames: tuple[int, ...],
    label: str,
    *,
    moves: bool,
    added: bool = False,
) -> Gesture:
    """Drag the keys on ``frames`` up and down by one amount; with ``moves`` (one key) also in time."""
    base = host.session.sequence
    assert base is not None
    track = lookup.track_of(base, clip.id)
    row = row_of(host, clip)
    lane = host.layout_now.rows[row]
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, host.session.playhead, [clip.id])
    start = handles.part_at(lane, press.y + host.viewport.scroll_y)
    grabbed = {f: key for f in frames if (key := curve.key_at(f)) is not None}
    changed = curve

    def edit(sequence: Sequence) -> Sequence:
        return set_level(sequence, clip.id, changed)

    try:
        if added:
            attempt(host, base, edit)
        while (now := (yield)).phase is Phase.MOVE:
            if not far(press, now):
                continue
            part = handles.part_at(lane, now.y + host.viewport.scroll_y)
            changed = curve
            value = 0.0
            for frame, key in grabbed.items():
                if moves:
                    value = _held(host, track, clip, row, now.y + host.viewport.scroll_y, now.shift)
                else:
                    aim = handles.level_part(track, clip, key.value) + part - start
                    value = handles.level_value(track, clip, aim)
                at = frame
                if moves:
                    others = [k.frame for k in curve.keys if k.frame != frame]
                    low = max([f + 1 for f in others if f < frame], default=0)
                    high = min([f - 1 for f in others if f > frame], default=clip.duration - 1)
                    way = snapped(host, [clip.start + frame], targets, travelled(host, origin, now), now)
                    at = min(max(low, frame + way), max(low, high))
                changed = changed.without_key(frame) if len(changed.keys) > 1 else Curve(changed.value)
                changed = changed.with_key(CurveKey(at, value, key.ease, key.in_handle, key.out_handle))
            good = attempt(host, base, edit)
            hint(host, now, _told(track, clip, value) if good else "")
            host.update_overlay()
        host.overlay.clear()
        if changed != handles.level_curve(track, clip):
            host.editing.perform(label, edit)
    finally:
        finish(host)


def remove_key(host: Host, row: int, clip: Clip, frame: int) -> None:
    """Take a key away (right click)."""
    track = host.layout_now.rows[row].track
    curve = handles.level_curve(track, clip).without_key(frame)
    host.editing.perform(f"Remove {_named(track)} Key", lambda s: set_level(s, clip.id, curve))
