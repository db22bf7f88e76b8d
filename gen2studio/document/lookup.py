"""Finding things on a timeline. Tracks are sorted, so positions are bisected."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Mapping
from fractions import Fraction
from itertools import pairwise
from operator import attrgetter

from gen2studio.core.errors import EditRefused
from gen2studio.core.media_info import MediaKind
from gen2studio.document.clip_shapes import zero_of
from gen2studio.document.model import Clip, MediaItem, Sequence, Track

Media = Mapping[str, MediaItem]
"""The ``media`` mapping of a document: where media limits come from."""

FAR = 1 << 40
"""A frame no timeline reaches: stands for "no limit"."""

start_of = attrgetter("start")


# -- clips and tracks ------------------------------------------------------------------------------------------------


def each_clip(sequence: Sequence) -> Iterator[tuple[Track, Clip]]:
    """Every clip with its track, track by track, in time order."""
    for track in sequence.tracks:
        for clip in track.clips:
            yield track, clip


def find_clip(sequence: Sequence, clip_id: str) -> Clip | None:
    return next((clip for _, clip in each_clip(sequence) if clip.id == clip_id), None)


def clip_of(sequence: Sequence, clip_id: str) -> Clip:
    """The clip with this id. Raises EditRefused."""
    return where(sequence, clip_id)[1]


def track_of(sequence: Sequence, clip_id: str) -> Track:
    """The track that holds the clip. Raises EditRefused."""
    return where(sequence, clip_id)[0]


def where(sequence: Sequence, clip_id: str) -> tuple[Track, Clip]:
    """(track, clip) of a clip id. Raises EditRefused."""
    for track, clip in each_clip(sequence):
        if clip.id == clip_id:
            return track, clip
    raise EditRefused("That clip is no longer on the timeline.", "Select a clip and try again.")


def track(sequence: Sequence, track_id: str) -> Track:
    """The track with this id. Raises EditRefused."""
    for candidate in sequence.tracks:
        if candidate.id == track_id:
            return candidate
    raise EditRefused("That track is no longer on the timeline.", "Choose a track and try again.")


def clip_at(track: Track, frame: int) -> Clip | None:
    """The clip shown at ``frame``, or None in a gap."""
    index = bisect_right(track.clips, frame, key=start_of) - 1
    return track.clips[index] if index >= 0 and frame < track.clips[index].end else None


def clips_in(track: Track, start: int, stop: int) -> tuple[Clip, ...]:
    """The clips that overlap [start, stop)."""
    if stop <= start:
        return ()
    first = bisect_right(track.clips, start, key=start_of) - 1
    first += first < 0 or track.clips[first].end <= start
    return track.clips[first : bisect_left(track.clips, stop, key=start_of)]


def index_of(track: Track, clip: Clip) -> int:
    """Position of a clip that is on ``track``."""
    return bisect_left(track.clips, clip.start, key=start_of)


def neighbours(track: Track, clip_id: str) -> tuple[Clip | None, Clip | None]:
    """The clips before and after, adjacent or not. Raises EditRefused when the clip is not on ``track``."""
    for i, clip in enumerate(track.clips):
        if clip.id == clip_id:
            before = track.clips[i - 1] if i else None
            return before, track.clips[i + 1] if i + 1 < len(track.clips) else None
    raise EditRefused("That clip is no longer on the timeline.", "Select a clip and try again.")


def linked(sequence: Sequence, clip_ids: Collection[str]) -> frozenset[str]:
    """``clip_ids`` and every clip that shares a link with one of them. Unknown ids are left out."""
    wanted = set(clip_ids)
    links = {c.link for _, c in each_clip(sequence) if c.link and c.id in wanted}
    return frozenset(c.id for _, c in each_clip(sequence) if c.id in wanted or (c.link and c.link in links))


def together(sequence: Sequence, clip_ids: Collection[str]) -> frozenset[str]:
    """``clip_ids`` with everything that is selected and moved with them: linked clips and members of their groups, and
    so on through these. Unknown ids are left out."""
    links: set[str] = set()
    groups: set[str] = set()
    found = {c.id for _, c in each_clip(sequence) if c.id in clip_ids}
    members = [c for _, c in each_clip(sequence) if c.link or c.group]
    grown = True
    while grown:
        count = len(found)
        for clip in members:
            if clip.id in found or clip.link in links or clip.group in groups:
                found.add(clip.id)
                if clip.link:
                    links.add(clip.link)
                if clip.group:
                    groups.add(clip.group)
        grown = len(found) > count
    return frozenset(found)


def gaps(track: Track) -> tuple[tuple[int, int], ...]:
    """Empty runs [start, stop) before and between the clips; the open end is not a gap."""
    found: list[tuple[int, int]] = []
    cursor = 0
    for clip in track.clips:
        if clip.start > cursor:
            found.append((cursor, clip.start))
        cursor = clip.end
    return tuple(found)


def gap_at(track: Track, frame: int) -> tuple[int, int] | None:
    """The gap [start, stop) around ``frame``; None inside a clip and after the last one."""
    index = bisect_right(track.clips, frame, key=start_of)
    start = track.clips[index - 1].end if index else 0
    if index == len(track.clips) or start > frame:
        return None
    return start, track.clips[index].start


def edit_points(sequence: Sequence, tracks: Collection[str] | None = None) -> list[int]:
    """Sorted frames where a clip starts or ends."""
    points: set[int] = set()
    for candidate in sequence.tracks:
        if tracks is None or candidate.id in tracks:
            for clip in candidate.clips:
                points.add(clip.start)
                points.add(clip.end)
    return sorted(points)


def next_edit(sequence: Sequence, frame: int) -> int | None:
    """The first edit point after ``frame``."""
    points = edit_points(sequence)
    index = bisect_right(points, frame)
    return points[index] if index < len(points) else None


def previous_edit(sequence: Sequence, frame: int) -> int | None:
    """The last edit point before ``frame``."""
    points = edit_points(sequence)
    index = bisect_left(points, frame) - 1
    return points[index] if index >= 0 else None


def clips_of_media(sequence: Sequence, media_id: str) -> tuple[Clip, ...]:
    return tuple(c for _, c in each_clip(sequence) if c.media_id == media_id)


# -- media limits ----------------------------------------------------------------------------------------------------


def media_seconds(media: Media, clip: Clip) -> Fraction | None:
    """How long the clip's media is, in seconds; None = without end (stills, media of unknown length)."""
    item = media.get(clip.media_id)
    if item is None or item.info.kind is MediaKind.STILL or (item.info.duration <= 0 and not item.nested):
        return None
    return item.info.duration


def longest(clip: Clip, rate: Fraction, media: Media) -> int:
    """Sequence frames the clip may last from its ``source_in``: each must show an existing media moment."""
    seconds = None if clip.freeze else media_seconds(media, clip)
    if seconds is None:
        return FAR
    return max(0, -((clip.source_in - seconds) * rate / clip.speed).__floor__())


def media_before(clip: Clip, rate: Fraction, media: Media) -> int:
    """Sequence frames of media before what the clip shows; a still has no end of them."""
    if clip.freeze or media_seconds(media, clip) is None:
        return FAR
    return max(0, int((clip.source_in * rate / clip.speed).__floor__()))


def media_after(clip: Clip, rate: Fraction, media: Media) -> int:
    """Sequence frames of media after what the clip shows."""
    most = longest(clip, rate, media)
    return FAR if most >= FAR else max(0, most - clip.duration)


def head_room(clip: Clip, rate: Fraction, media: Media) -> int:
    """Frames by which the clip's head can go left: media before it, or after it when it plays backwards."""
    return media_after(clip, rate, media) if clip.reverse else media_before(clip, rate, media)


def tail_room(clip: Clip, rate: Fraction, media: Media) -> int:
    """Frames by which the clip's tail can go right."""
    return media_before(clip, rate, media) if clip.reverse else media_after(clip, rate, media)


def slip_room(clip: Clip, rate: Fraction, media: Media) -> tuple[int, int]:
    """Frames by which what the clip shows can become (earlier, later)."""
    if not clip.freeze:
        return media_before(clip, rate, media), media_after(clip, rate, media)
    seconds = media_seconds(media, clip)
    if seconds is None:
        return FAR, FAR
    step = rate / clip.speed
    later = -((clip.source_in - seconds) * step).__floor__() - 1
    return int((clip.source_in * step).__floor__()), max(0, later)


# -- what is wrong ---------------------------------------------------------------------------------------------------


def problems(sequence: Sequence, media: Media | None = None) -> list[str]:
    """Every broken rule in words; an empty list is a sound timeline.

    Checked: clips are sorted, do not overlap, last at least a frame, stay inside their media (when ``media`` is given;
    frozen clips and nested timelines have no limit) and hold their fades; ids are unique; linked clips of one media
    play it at the same speed, in one direction and in sync; transitions join clips that touch, lie apart from each
    other and are carried by their clips and media; markers and subtitles are in order, subtitles apart; in lies before
    out.
    """
    found: list[str] = []
    seen: set[str] = set()
    groups: dict[tuple[str, str], list[Clip]] = {}
    for candidate in sequence.tracks:
        if candidate.id in seen:
            found.append(f"two things share the id {candidate.id}")
        seen.add(candidate.id)
        cursor = 0
        for clip in candidate.clips:
            name = f"clip {clip.id} on {candidate.name}"
            if clip.id in seen:
                found.append(f"two things share the id {clip.id}")
            seen.add(clip.id)
            if clip.duration < 1:
                found.append(f"{name} lasts {clip.duration} frames")
            if clip.speed <= 0:
                found.append(f"{name} has speed {clip.speed}")
                continue
            if clip.start < 0:
                found.append(f"{name} starts before the timeline")
            elif clip.start < cursor:
                found.append(f"{name} overlaps the clip before it")
            cursor = max(cursor, clip.end)
            if clip.fade_in < 0 or clip.fade_out < 0 or clip.fade_in + clip.fade_out > clip.duration:
                found.append(f"{name} is shorter than its fades")
            if clip.source_in < 0 and (media is None or media_seconds(media, clip) is not None):
                found.append(f"{name} starts before its media")
            beyond = media is not None and clip.duration > longest(clip, sequence.rate, media)
            if beyond and media is not None and not _is_nested(clip, media):
                found.append(f"{name} runs past the end of its media")
            if clip.link and not clip.freeze:
                groups.setdefault((clip.link, clip.media_id), []).append(clip)
        found += _transition_problems(candidate, sequence.rate, media, seen)
    for (link, _), members in groups.items():
        if len({(c.speed, c.reverse, zero_of(c, sequence.rate)) for c in members}) > 1:
            found.append(f"the clips of link {link} are out of sync")
    markers = [m.id for m in sequence.markers]
    if len(set(markers)) != len(markers):
        found.append("two markers share an id")
    if any(m.frame < 0 or m.duration < 0 for m in sequence.markers):
        found.append("a marker lies before the timeline or ends before it starts")
    if [m.frame for m in sequence.markers] != sorted(m.frame for m in sequence.markers):
        found.append("the markers are not in order")
    cursor = 0
    for subtitle in sequence.subtitles:
        if subtitle.id in seen:
            found.append(f"two things share the id {subtitle.id}")
        seen.add(subtitle.id)
        if subtitle.duration < 1:
            found.append(f"subtitle {subtitle.id} lasts {subtitle.duration} frames")
        if subtitle.start < cursor:
            found.append(f"subtitle {subtitle.id} overlaps the one before it")
        cursor = max(cursor, subtitle.end)
    start, stop = sequence.in_point, sequence.out_point
    if (start is not None and start < 0) or (stop is not None and stop < 1):
        found.append("the in or out point lies before the timeline")
    if start is not None and stop is not None and stop <= start:
        found.append("the out point lies before the in point")
    return found


def _transition_problems(track: Track, rate: Fraction, media: Media | None, seen: set[str]) -> list[str]:
    found: list[str] = []
    cuts = {(a.id, b.id): (a, b) for a, b in pairwise(track.clips) if a.end == b.start} if track.transitions else {}
    cursor = 0
    for transition in track.transitions:
        name = f"transition {transition.id} on {track.name}"
        if transition.id in seen:
            found.append(f"two things share the id {transition.id}")
        seen.add(transition.id)
        if (transition.left, transition.right) not in cuts:
            found.append(f"{name} has no cut")
            continue
        left, right = cuts[transition.left, transition.right]
        before, after = transition.before, transition.after
        if before < 0 or after < 0 or before + after < 1:
            found.append(f"{name} has no length")
        if before > left.duration or after > right.duration:
            found.append(f"{name} is longer than its clips")
        if right.start - before < cursor:
            found.append(f"{name} overlaps the one before it")
        cursor = right.start + after
        if media is not None:
            if before > head_room(right, rate, media) and not _is_nested(right, media):
                found.append(f"{name} begins before the media of {right.id}")
            if after > tail_room(left, rate, media) and not _is_nested(left, media):
                found.append(f"{name} goes on past the media of {left.id}")
    return found


def _is_nested(clip: Clip, media: Media) -> bool:
    """Whether the clip shows a timeline, which may become shorter under it: it is black there."""
    item = media.get(clip.media_id)
    return item is not None and bool(item.nested)


def free(clips: tuple[Clip, ...] | list[Clip], start: int, stop: int) -> bool:
    """True when no clip of a sorted list overlaps [start, stop)."""
    index = bisect_left(clips, stop, key=start_of) - 1
    return index < 0 or clips[index].end <= start
