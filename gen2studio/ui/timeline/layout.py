"""Where everything on the timeline lies: sorted arrays per track, found by bisection. No Qt in here.

Horizontal positions are pixels of the *content*: ``round(frame × pixels per frame)``; the view subtracts its scroll
offset. Vertical positions are content pixels below the ruler.
"""

from __future__ import annotations

import enum
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from collections.abc import Sequence as Many
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from gen2studio.core.records import dataclass
from gen2studio.document.clip_shapes import PLAIN
from gen2studio.document.composition import BlendMode, Transform, Transition, TransitionKind
from gen2studio.document.model import Clip, Sequence, Track, TrackKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

Ints: TypeAlias = "NDArray[np.int64]"

TRACK_GAP = 2
"""Pixels between tracks."""
SECTION_GAP = 6
"""Pixels between the video and the audio tracks."""
MASK_LANE = 13
"""Pixels of the mask lane under the clips of a track that has masks."""
EDGE = 8
"""Pixels on either side of a clip's edge that take hold of the edge."""
CUT = 3
"""Pixels around a cut between two touching clips that take hold of both edges (roll)."""
STRIP = 17
"""Pixels of the name strip at the top of a clip."""
MIN_PICTURE = 18
"""Pixels of a row below its name strip from which the strip stands for itself."""
BADGE = 30
"""Pixels of the take badge at the right end of the name strip."""
BADGE_ROOM = 64
"""Clips narrower than this show no take badge."""
MIN_HEIGHT, MAX_HEIGHT = 24, 240


class Zone(enum.Enum):
    """What of a track is under the pointer."""

    NOTHING = "nothing"
    GAP = "gap"
    BODY = "body"
    HEAD = "head"
    TAIL = "tail"
    CUT = "cut"
    BADGE = "badge"
    CUT_HANDLE = "cut_handle"
    """The dot at the foot of a cut that a transition is drawn out of."""
    MIX = "mix"
    MIX_HEAD = "mix_head"
    MIX_TAIL = "mix_tail"
    """A transition and its edges."""
    FADE_IN = "fade_in"
    FADE_OUT = "fade_out"
    LEVEL = "level"
    KEY = "key"
    """The line of a clip's opacity or volume, and a key on it."""
    TAKE_BACK = "take_back"
    TAKE_NEXT = "take_next"


class Mark(enum.IntFlag):
    """What else than its name a clip's strip tells."""

    REVERSE = 1
    FREEZE = 2
    BLEND = 4
    TRANSFORM = 8
    KEYS = 16


MARKS = tuple(Mark)


class Mix(NamedTuple):
    """A transition where it lies on its row."""

    start: int
    stop: int
    left: int
    """Index of the clip before the cut."""
    transition: Transition


@dataclass(frozen=True, slots=True)
class MaskLane:
    """The mask lane of one clip, in sequence frames."""

    anchors: tuple[int, ...] = ()
    """Frames a person painted."""
    solid: tuple[tuple[int, int], ...] = ()
    """Half-open runs that have a mask."""
    suspect: tuple[tuple[int, int], ...] = ()
    """Half-open runs where propagation is not sure."""
    colour: tuple[int, int, int] = (255, 92, 92)
    shape_keys: tuple[int, ...] = ()
    """Frames that a drawn shape has a key on."""


@dataclass(frozen=True, slots=True)
class Hit:
    """What is under a point."""

    zone: Zone = Zone.NOTHING
    row: int = -1
    clip: Clip | None = None
    neighbour: Clip | None = None
    """For CUT: the clip on the other side; ``clip`` is the one on the left."""
    gap: tuple[int, int] | None = None
    """For GAP: frames [start, stop) up to the next clip; None behind the last clip."""
    mix: Transition | None = None
    key: int | None = None
    """For KEY: its frame, counted from the clip's head."""


class Facts:
    """Columns of clip facts beside the positions of a :class:`Row`."""

    __slots__ = (
        "all_enabled",
        "any_fades",
        "any_groups",
        "any_keys",
        "any_special",
        "enabled",
        "fade_in",
        "fade_out",
        "gain",
        "group_codes",
        "grouped",
        "marks",
        "media",
        "media_ids",
        "pace",
        "source_in",
        "special",
        "speed",
        "turn",
    )

    def __init__(self, clips: tuple[Clip, ...]) -> None:
        count = len(clips)
        codes: dict[str, int] = {}
        self.media: Ints = np.fromiter((codes.setdefault(c.media_id, len(codes)) for c in clips), np.int64, count)
        """Index into ``media_ids``."""
        self.media_ids = tuple(codes)
        self.source_in = np.fromiter((float(c.source_in) for c in clips), np.float64, count)
        self.speed = np.fromiter((float(c.speed) for c in clips), np.float64, count)
        self.gain = np.fromiter((c.gain_db for c in clips), np.float64, count)
        self.enabled = np.fromiter((c.enabled for c in clips), bool, count)
        self.all_enabled = bool(self.enabled.all())
        self.special = np.fromiter((bool(c.takes) for c in clips), bool, count)
        """Clips with takes: the few that may carry bands and a badge."""
        self.any_special = bool(self.special.any())
        self.marks: Ints = np.fromiter((_marks(c) for c in clips), np.int64, count)
        """:class:`Mark` flags."""
        self.pace = self.speed * np.where(self.marks & Mark.REVERSE, -1.0, 1.0) * ((self.marks & Mark.FREEZE) == 0)
        """Media seconds per sequence second, below 0 backwards, 0 for a frozen picture."""
        self.turn = np.fromiter((c.duration if c.reverse and not c.freeze else 0 for c in clips), np.float64, count)
        self.turn *= self.speed
        """Frames by which the media moment at the head lies behind ``source_in``: the length of what plays
        backwards."""
        self.fade_in: Ints = np.fromiter((c.fade_in for c in clips), np.int64, count)
        self.fade_out: Ints = np.fromiter((c.fade_out for c in clips), np.int64, count)
        self.any_fades = bool(self.fade_in.any() or self.fade_out.any())
        self.grouped = np.fromiter((bool(c.group) for c in clips), bool, count)
        self.any_groups = bool(self.grouped.any())
        self.group_codes: Ints = np.fromiter((zlib.crc32(c.group.encode()) for c in clips), np.int64, count)
        """A number that stands for the group: its colour."""
        self.any_keys = bool((self.marks & Mark.KEYS).any())


def _marks(clip: Clip) -> int:
    marks = 0
    if clip.reverse:
        marks |= 1
    if clip.freeze:
        marks |= 2
    if clip.blend is not BlendMode.NORMAL:
        marks |= 4
    if clip.transform is not PLAIN and not _is_plain(clip.transform):
        marks |= 8
    if clip.opacity.keys or clip.volume.keys or clip.pan.keys:
        marks |= 16
    return marks


_plain: dict[int, tuple[Transform, bool]] = {}
"""What was found out about transforms, which clips share; each is kept so that its address is not given again."""


def _is_plain(transform: Transform) -> bool:
    known = _plain.get(id(transform))
    if known is None:
        if len(_plain) > 4096:
            _plain.clear()
        known = _plain[id(transform)] = (transform, transform == PLAIN)
    return known[1]


class Row:
    """One track as arrays. Kept as long as its (frozen) track stays the same object."""

    __slots__ = (
        "_ends",
        "_facts",
        "_mix_columns",
        "_mixed",
        "_mixes",
        "_starts",
        "body",
        "clips",
        "durations",
        "ends",
        "height",
        "index",
        "lane",
        "levels",
        "line",
        "starts",
        "top",
        "track",
    )

    def __init__(self, track: Track) -> None:
        self.track = track
        self._facts: Facts | None = None
        self._mixes: tuple[Mix, ...] | None = None
        self._mixed: frozenset[str] = frozenset()
        self._mix_columns: tuple[Ints, Ints, NDArray[np.bool_]] | None = None
        self.line: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        """Kept by :func:`level_lines.level_line`."""
        self.levels: tuple[NDArray[np.float64], NDArray[np.bool_]] | None = None
        """Kept by :func:`level_lines.level_values`."""
        self.clips = track.clips
        count = len(track.clips)
        self.starts: Ints = np.fromiter((c.start for c in track.clips), np.int64, count)
        self.durations: Ints = np.fromiter((c.duration for c in track.clips), np.int64, count)
        self.ends: Ints = self.starts + self.durations
        # Plain lists beside the arrays: a bisection in them is some ten times quicker.
        self._starts: list[int] = self.starts.tolist()
        self._ends: list[int] = self.ends.tolist()
        self.top = 0
        self.body = track.height
        self.lane = 0
        self.height = track.height
        self.index = 0

    def same_clips(self, before: Row) -> None:
        """Take the arrays of a row with the very same clips."""
        self.starts, self.durations, self.ends = before.starts, before.durations, before.ends
        self._starts, self._ends, self._facts = before._starts, before._ends, before._facts
        self.line, self.levels = before.line, before.levels

    @property
    def facts(self) -> Facts:
        """What painting needs of every clip, made at first use."""
        if self._facts is None:
            self._facts = Facts(self.clips)
        return self._facts

    @property
    def mixes(self) -> tuple[Mix, ...]:
        """The track's transitions in time order."""
        if self._mixes is None:
            places = {c.id: i for i, c in enumerate(self.clips)} if self.track.transitions else {}
            found: list[Mix] = []
            for transition in self.track.transitions:
                left, right = places.get(transition.left), places.get(transition.right)
                if left is not None and right == left + 1:
                    cut = self.clips[left].end
                    found.append(Mix(cut - transition.before, cut + transition.after, left, transition))
            self._mixes = tuple(sorted(found, key=lambda mix: mix.start))
            self._mixed = frozenset(mix.transition.left for mix in found)
        return self._mixes

    @property
    def mix_columns(self) -> tuple[Ints, Ints, NDArray[np.bool_]]:
        """(first frames, frames behind the last, whether a dissolve) of the transitions."""
        if self._mix_columns is None:
            mixes = self.mixes
            self._mix_columns = (
                np.fromiter((m.start for m in mixes), np.int64, len(mixes)),
                np.fromiter((m.stop for m in mixes), np.int64, len(mixes)),
                np.fromiter((m.transition.kind is TransitionKind.DISSOLVE for m in mixes), bool, len(mixes)),
            )
        return self._mix_columns

    @property
    def keyed(self) -> list[int]:
        """Indices of the clips that may have keys."""
        return np.flatnonzero(self.facts.marks & (Mark.KEYS | Mark.TRANSFORM)).tolist()

    @property
    def mixed(self) -> frozenset[str]:
        """Ids of the clips that a transition leads out of."""
        return self._mixed if self.mixes else frozenset()

    def mixes_between(self, first: float, last: float) -> tuple[Mix, ...]:
        """Transitions that touch frames ``first``…``last``."""
        mixes = self.mixes
        if not mixes:
            return ()
        i = bisect_left(mixes, first, key=lambda mix: mix.stop)
        return mixes[i : bisect_right(mixes, last, key=lambda mix: mix.start)]

    @property
    def is_video(self) -> bool:
        return self.track.kind is TrackKind.VIDEO

    @property
    def bottom(self) -> int:
        return self.top + self.height

    def visible(self, first: float, last: float) -> tuple[int, int]:
        """Slice [i, j) of the clips that touch frames ``first``…``last``."""
        return bisect_right(self._ends, first), bisect_left(self._starts, last)

    def at(self, frame: float) -> int:
        """Index of the clip at ``frame`` or −1."""
        i = bisect_right(self._starts, frame) - 1
        return i if i >= 0 and frame < self._ends[i] else -1


class Stretch(NamedTuple):
    """The clips of a row that are painted."""

    row: Row
    first: int
    """Index of the first of them."""
    x0: list[int]
    x1: list[int]
    """From where to where each lies, in widget pixels."""
    left: int
    right: int
    """What is painted at all."""


class Layout:
    """Rows of a sequence in the order they are drawn: the topmost video track first, then audio."""

    def __init__(
        self,
        sequence: Sequence | None,
        previous: Layout | None = None,
        has_lane: Callable[[Track], bool] | None = None,
        heights: dict[str, int] | None = None,
    ) -> None:
        self.sequence = sequence
        self.rows: list[Row] = []
        self.changed: list[int] = []
        """Rows that are not the same as in ``previous``."""
        old = {r.track.id: r for r in previous.rows} if previous else {}
        top = TRACK_GAP
        tracks = (*reversed(sequence.video_tracks), *sequence.audio_tracks) if sequence else ()
        audio_seen = False
        for index, track in enumerate(tracks):
            if track.kind is TrackKind.AUDIO and not audio_seen:
                audio_seen = True
                top += SECTION_GAP if index else 0
            before = old.get(track.id)
            row = Row(track)
            if before is not None and before.track.clips is track.clips:
                row.same_clips(before)
            body = (heights or {}).get(track.id, track.height)
            row.body = min(max(body, MIN_HEIGHT), MAX_HEIGHT)
            row.lane = MASK_LANE if has_lane is not None and has_lane(track) else 0
            row.height = row.body + row.lane
            row.top, row.index = top, index
            top += row.height + TRACK_GAP
            same = before is not None and before.track is track
            if not (same and before and before.top == row.top and before.height == row.height):
                self.changed.append(index)
            self.rows.append(row)
        self.height = top
        self.same_geometry = previous is not None and [(r.track.id, r.top, r.height) for r in self.rows] == [
            (r.track.id, r.top, r.height) for r in previous.rows
        ]
        self.duration = sequence.duration if sequence else 0
        self._by_clip: dict[str, tuple[int, int]] | None = None

    def row_at(self, y: float) -> int:
        """Index of the row at content height ``y`` or −1."""
        for row in self.rows:
            if row.top <= y < row.bottom:
                return row.index
        return -1

    def nearest_row(self, y: float, kind: TrackKind | None = None) -> int:
        """The row closest to ``y`` (of one kind), or −1 without any."""
        best, distance = -1, float("inf")
        for row in self.rows:
            if kind is not None and row.track.kind is not kind:
                continue
            gap = max(row.top - y, y - row.bottom + 1, 0)
            if gap < distance:
                best, distance = row.index, gap
        return best

    def row_of_track(self, track_id: str) -> Row | None:
        return next((r for r in self.rows if r.track.id == track_id), None)

    def find(self, clip_id: str) -> tuple[Row, Clip] | None:
        if self._by_clip is None:
            self._by_clip = {c.id: (r.index, i) for r in self.rows for i, c in enumerate(r.clips)}
        place = self._by_clip.get(clip_id)
        return None if place is None else (self.rows[place[0]], self.rows[place[0]].clips[place[1]])

    def hit(self, x: float, y: float, ppf: float) -> Hit:
        """What lies at content pixels (``x``, ``y``) at ``ppf`` pixels per frame."""
        index = self.row_at(y)
        if index < 0:
            return Hit()
        row = self.rows[index]
        frame = x / ppf
        found = row.at(frame)
        cut = self._cut(row, x, ppf)
        if cut is not None and y < row.top + row.body:
            return Hit(Zone.CUT, index, row.clips[cut], row.clips[cut + 1])
        if found < 0:
            near = self._near_edge(row, x, ppf)
            if near is not None:
                return Hit(near[1], index, row.clips[near[0]])
            following = int(np.searchsorted(row.starts, frame, "right"))
            start = int(row.ends[following - 1]) if following else 0
            gap = (start, int(row.starts[following])) if following < len(row.clips) else None
            return Hit(Zone.GAP, index, None, None, gap)
        clip = row.clips[found]
        left, right = clip.start * ppf, clip.end * ppf
        edge = min(EDGE, (right - left) / 4)
        if y >= row.top + row.body:
            return Hit(Zone.BODY, index, clip)
        if (
            clip.takes
            and right - left >= BADGE_ROOM
            and y < row.top + STRIP
            and right - BADGE - EDGE <= x < right - EDGE
        ):
            return Hit(Zone.BADGE, index, clip)
        if x - left < edge:
            return Hit(Zone.HEAD, index, clip)
        if right - x <= edge:
            return Hit(Zone.TAIL, index, clip)
        return Hit(Zone.BODY, index, clip)

    def nearest_cut(self, index: int, x: float, ppf: float, reach: float) -> tuple[str, str] | None:
        """Ids of the two touching clips of a row whose cut is nearest to content pixel ``x`` and within ``reach``."""
        if not 0 <= index < len(self.rows):
            return None
        row = self.rows[index]
        i, j = row.visible((x - reach) / ppf, (x + reach) / ppf)
        best: tuple[float, str, str] | None = None
        for k in range(max(0, i - 1), min(j + 1, len(row.clips) - 1)):
            left, right = row.clips[k], row.clips[k + 1]
            away = abs(left.end * ppf - x)
            if left.end == right.start and away <= reach and (best is None or away < best[0]):
                best = (away, left.id, right.id)
        return best[1:] if best is not None else None

    @staticmethod
    def _cut(row: Row, x: float, ppf: float) -> int | None:
        """Index of the left clip when ``x`` is on a cut between two clips that touch."""
        i = int(np.searchsorted(row.starts, x / ppf, "right")) - 1
        for left in (i - 1, i):
            if 0 <= left < len(row.clips) - 1 and row.ends[left] == row.starts[left + 1]:
                narrow = min(int(row.durations[left]), int(row.durations[left + 1])) * ppf
                if narrow >= 4 * CUT and abs(int(row.ends[left]) * ppf - x) <= CUT:
                    return left
        return None

    @staticmethod
    def _near_edge(row: Row, x: float, ppf: float) -> tuple[int, Zone] | None:
        """An edge within reach of a point in a gap."""
        following = int(np.searchsorted(row.starts, x / ppf, "right"))
        if following and x - int(row.ends[following - 1]) * ppf <= CUT:
            return following - 1, Zone.TAIL
        if following < len(row.clips) and int(row.starts[following]) * ppf - x <= CUT:
            return following, Zone.HEAD
        return None

    def inside(self, x0: float, y0: float, x1: float, y1: float, ppf: float) -> frozenset[str]:
        """Ids of the clips that a rubber band touches."""
        left, right = min(x0, x1) / ppf, max(x0, x1) / ppf
        upper, lower = min(y0, y1), max(y0, y1)
        ids: set[str] = set()
        for row in self.rows:
            if row.top < lower and row.bottom > upper and not row.track.locked:
                i, j = row.visible(left, right)
                ids.update(c.id for c in row.clips[i:j])
        return frozenset(ids)

    def edges(self, without: Iterable[str] = ()) -> Ints:
        """Sorted, unique edges of all clips but ``without``."""
        leave = set(without)
        parts: list[Ints] = []
        for row in self.rows:
            if leave:
                keep = np.fromiter((c.id not in leave for c in row.clips), bool, len(row.clips))
                parts += [row.starts[keep], row.ends[keep]]
            else:
                parts += [row.starts, row.ends]
        return np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)


def snap_targets(layout: Layout, playhead: int | None = None, without: Iterable[str] = ()) -> Ints:
    """Frames worth snapping to: edges, markers with both ends of their ranges, keys, captions, in/out, the start, the
    playhead."""
    extra = [0]
    sequence = layout.sequence
    leave = frozenset(without)
    if sequence is not None:
        extra += [m.frame for m in sequence.markers]
        extra += [m.frame + m.duration for m in sequence.markers if m.duration]
        for subtitle in sequence.subtitles:
            if subtitle.id not in leave:
                extra += (subtitle.start, subtitle.end)
        for row in layout.rows:
            for i in row.keyed:
                clip = row.clips[i]
                if clip.id not in leave:
                    extra += key_frames(clip)
        extra += [p for p in (sequence.in_point, sequence.out_point) if p is not None]
    if playhead is not None:
        extra.append(playhead)
    return np.unique(np.concatenate([layout.edges(leave), np.asarray(extra, np.int64)]))


def key_frames(clip: Clip) -> list[int]:
    """Sequence frames inside a clip on which its opacity, volume, pan or transform has a key."""
    transform = clip.transform
    curves = (clip.opacity, clip.volume, clip.pan, transform.x, transform.y, transform.scale, transform.rotation)
    frames = {clip.start + key.frame for curve in curves for key in curve.keys}
    return [frame for frame in frames if clip.start <= frame <= clip.end]


def snap(points: Many[float], targets: Ints, tolerance: float) -> tuple[int, float] | None:
    """The target nearest to any of ``points`` within ``tolerance`` frames: (target, what to add), or None."""
    best: tuple[int, float] | None = None
    if not len(targets):
        return None
    for point in points:
        i = int(np.searchsorted(targets, point))
        for k in (i - 1, i):
            if 0 <= k < len(targets):
                delta = float(targets[k]) - point
                if abs(delta) <= tolerance and (best is None or abs(delta) < abs(best[1])):
                    best = (int(targets[k]), delta)
    return best


def pack_runs(frames: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Sorted frames as half-open runs."""
    runs: list[tuple[int, int]] = []
    for frame in sorted(frames):
        if runs and runs[-1][1] == frame:
            runs[-1] = (runs[-1][0], frame + 1)
        else:
            runs.append((frame, frame + 1))
    return tuple(runs)


def runs_on_clip(
    runs: Iterable[tuple[int, int]], clip: Clip, sequence_rate: float, media_rate: float
) -> tuple[tuple[int, int], ...]:
    """Runs of media frames as runs of sequence frames, cut to ``clip``; mirrored where it runs backwards, and all of it
    or nothing where it stands still."""
    if clip.freeze:
        still = int(float(clip.source_in) * media_rate + 1e-6)
        return ((clip.start, clip.end),) if any(start <= still < stop for start, stop in runs) else ()
    factor = sequence_rate / (media_rate * float(clip.speed))
    offset = clip.start - float(clip.source_in) / float(clip.speed) * sequence_rate
    shown: list[tuple[int, int]] = []
    for start, stop in runs:
        first = round(start * factor + offset)
        a, b = max(clip.start, first), min(clip.end, max(round(stop * factor + offset), first + 1))
        if a < b:
            shown.append((a, b))
    if clip.reverse:
        return tuple((clip.start + clip.end - b, clip.start + clip.end - a) for a, b in reversed(shown))
    return tuple(shown)
