"""Where the handles of a clip lie: fades at its corners, transitions on its cuts, the line of its level with its keys,
the steps of its takes. One geometry for painting them and for taking hold of them. No Qt in here.

Positions are content pixels, like those of :mod:`layout`.
"""

from __future__ import annotations

from gen2studio.core.curve import Curve
from gen2studio.document.model import Clip, Track, TrackKind
from gen2studio.ui.timeline.layout import BADGE, BADGE_ROOM, EDGE, MIN_PICTURE, STRIP, Hit, Layout, Row, Zone

FADE_WIDTH = 40
"""Clips narrower than this have no fade handles."""
DOT = 6
"""Pixels around a handle that take hold of it."""
GRASP = 4
"""Pixels above and below a level line that take hold of it."""
MIX_EDGE = 5
"""Pixels on either side of a transition's edge that take hold of it."""
HANDLE_DROP = 10
"""Pixels from the foot of a row up to the middle of the handle on its cuts."""
STEP = 15
"""Pixels of a button that steps through takes."""
STEPS_ROOM = 150
"""Clips narrower than this have no such buttons."""
LOUD, QUIET = 12.0, -48.0
"""Decibels at the upper and lower end of a volume line."""
SILENT = -96.0


def inner(row: Row) -> tuple[int, int]:
    """Top and foot (behind the last pixel) of the part of a clip below its name."""
    strip = STRIP if row.body >= STRIP + MIN_PICTURE else 0
    return row.top + strip, row.top + row.body - 1


def level_curve(track: Track, clip: Clip) -> Curve:
    """The curve that a clip's level line shows."""
    return clip.opacity if track.kind is TrackKind.VIDEO else clip.volume


def level_part(track: Track, clip: Clip, value: float) -> float:
    """0 (foot) … 1 (top) of the line for a curve's value: opacity, or decibels on top of the clip's gain."""
    if track.kind is TrackKind.VIDEO:
        return min(max(value, 0.0), 1.0)
    return min(max((value + clip.gain_db - QUIET) / (LOUD - QUIET), 0.0), 1.0)


def level_value(track: Track, clip: Clip, part: float) -> float:
    """The curve's value at ``part``; the foot of a volume line is silence."""
    part = min(max(part, 0.0), 1.0)
    if track.kind is TrackKind.VIDEO:
        return part
    return SILENT if part <= 0 else QUIET + part * (LOUD - QUIET) - clip.gain_db


def level_y(row: Row, clip: Clip, frame: float) -> float:
    """Height of the line at ``frame`` of the clip."""
    top, foot = inner(row)
    part = level_part(row.track, clip, level_curve(row.track, clip).at(frame))
    return foot - 3 - part * (foot - top - 6)


def part_at(row: Row, y: float) -> float:
    """What of the line's range a content height is: 0…1."""
    top, foot = inner(row)
    return min(max((foot - 3 - y) / max(1, foot - top - 6), 0.0), 1.0)


def has_fades(row: Row, clip: Clip, ppf: float) -> bool:
    """Whether there is room for fade handles."""
    return row.body >= STRIP + MIN_PICTURE and clip.duration * ppf >= FADE_WIDTH


def fade_spots(row: Row, clip: Clip, ppf: float) -> tuple[tuple[float, float], tuple[float, float]]:
    """Middles of the handles of the fade in and the fade out."""
    y = inner(row)[0] + 6
    left, right = clip.start * ppf, clip.end * ppf
    return (left + max(clip.fade_in * ppf, 7.0), y), (right - max(clip.fade_out * ppf, 7.0), y)


def cut_handle(row: Row, index: int, ppf: float) -> tuple[float, float] | None:
    """Middle of the handle that draws a transition out of the cut behind clip ``index``; None where there is none."""
    if row.body < STRIP + MIN_PICTURE or not 0 <= index < len(row.clips) - 1:
        return None
    left, right = row.clips[index], row.clips[index + 1]
    if left.end != right.start or min(left.duration, right.duration) * ppf < 24 or left.id in row.mixed:
        return None
    return left.end * ppf, inner(row)[1] - HANDLE_DROP


def take_steps(row: Row, clip: Clip, ppf: float) -> tuple[float, float] | None:
    """Left edges of the buttons for the previous and the next take, beside the badge."""
    if not clip.takes or clip.duration * ppf < STEPS_ROOM:
        return None
    badge = clip.end * ppf - BADGE - EDGE
    return badge - 2 * STEP - 2, badge - STEP - 2


def hit(layout: Layout, x: float, y: float, ppf: float, levels: bool) -> Hit | None:
    """The handle at content pixels (``x``, ``y``), or None. ``levels``: level lines are shown."""
    index = layout.row_at(y)
    if index < 0:
        return None
    row = layout.rows[index]
    top, foot = inner(row)
    if y >= row.top + row.body:
        return None
    mix = mix_at(row, x, ppf)
    if mix is not None and top <= y:
        return mix
    found = row.at(x / ppf)
    for place in (found, found - 1) if found >= 0 else ():
        spot = cut_handle(row, place, ppf)
        if spot is not None and abs(spot[0] - x) <= DOT + 1 and abs(spot[1] - y) <= DOT:
            return Hit(Zone.CUT_HANDLE, index, row.clips[place], row.clips[place + 1])
    if found < 0:
        return None
    clip = row.clips[found]
    steps = take_steps(row, clip, ppf) if y < row.top + STRIP and clip.duration * ppf >= BADGE_ROOM else None
    if steps is not None:
        for left, zone in zip(steps, (Zone.TAKE_BACK, Zone.TAKE_NEXT), strict=True):
            if left <= x < left + STEP:
                return Hit(zone, index, clip)
    if has_fades(row, clip, ppf):
        for spot, zone in zip(fade_spots(row, clip, ppf), (Zone.FADE_IN, Zone.FADE_OUT), strict=True):
            if abs(spot[0] - x) <= DOT and abs(spot[1] - y) <= DOT:
                return Hit(zone, index, clip)
    if levels and top <= y <= foot and foot - top >= 12:
        frame = x / ppf - clip.start
        for key in level_curve(row.track, clip).keys:
            if abs(key.frame - frame) * ppf <= DOT and abs(level_y(row, clip, key.frame) - y) <= DOT:
                return Hit(Zone.KEY, index, clip, key=key.frame)
        if abs(level_y(row, clip, frame) - y) <= GRASP and min(x - clip.start * ppf, clip.end * ppf - x) > EDGE / 2:
            return Hit(Zone.LEVEL, index, clip)
    return None


def mix_at(row: Row, x: float, ppf: float) -> Hit | None:
    """The transition of a row at content pixel ``x``."""
    for mix in row.mixes_between((x - MIX_EDGE) / ppf, (x + MIX_EDGE) / ppf):
        left, right = mix.start * ppf, mix.stop * ppf
        zone = Zone.MIX
        if min(x - left, right - x) <= min(MIX_EDGE, (right - left) / 3):
            zone = Zone.MIX_HEAD if x - left < right - x else Zone.MIX_TAIL
        return Hit(zone, row.index, row.clips[mix.left], row.clips[mix.left + 1], mix=mix.transition)
    return None
