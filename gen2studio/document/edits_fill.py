"""Four-point editing: a range of the source filled into a range of the timeline by speed. Pure, EditRefused."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from gen2studio.core.errors import EditRefused
from gen2studio.core.media_info import MediaKind
from gen2studio.document.edits_place import Placed, Placement, clips_of, overwrite
from gen2studio.document.edits_trim import FASTEST, SLOWEST
from gen2studio.document.lookup import longest
from gen2studio.document.model import MediaItem, Sequence, TrackKind


def speed_to_fill(seconds: Fraction, frames: int, rate: Fraction) -> Fraction:
    """Media seconds per second at which ``seconds`` of media fill ``frames``. Raises EditRefused out of range."""
    if frames < 1 or seconds <= 0:
        raise EditRefused("Fit to Fill needs a range on both sides.", "Set In and Out in source and timeline.")
    speed = seconds * rate / frames
    if not SLOWEST <= speed <= FASTEST:
        raise EditRefused(f"The source would play at {float(speed) * 100:.4g} %.", "Only 1 % to 10,000 % are possible.")
    return speed


def fit_to_fill(
    sequence: Sequence,
    item: MediaItem,
    source: tuple[Fraction, Fraction],
    start: int,
    stop: int,
    *,
    video_track: str = "",
    audio_track: str = "",
    video: bool = True,
    audio: bool = True,
) -> Placed:
    """Overwrite [``start``, ``stop``) with media seconds [in, out) at the speed that makes them as long. Empty track
    ids mean the first unlocked track of that kind."""
    speed = speed_to_fill(source[1] - source[0], stop - start, sequence.rate)
    if item.info.kind is MediaKind.STILL:
        speed = Fraction(1)
    placements: list[Placement] = []
    halves = clips_of(item, sequence.rate, start, source=source, video=video, audio=audio)
    for clip, chosen, kind in zip(halves, (video_track, audio_track), (TrackKind.VIDEO, TrackKind.AUDIO), strict=True):
        lanes = [t.id for t in sequence.tracks if t.kind is kind and not t.locked]
        target = chosen or next(iter(lanes), "")
        if clip is not None and target:
            filled = replace(clip, duration=stop - start, speed=speed)
            filled = replace(filled, duration=min(filled.duration, longest(filled, sequence.rate, {item.id: item})))
            placements.append(Placement(target, filled))
    if not placements:
        raise EditRefused("There is no unlocked track for that.", "Add a track or unlock one.")
    if len(placements) == 1:
        placements = [Placement(placements[0].track_id, replace(placements[0].clip, link=""))]
    return Placed(overwrite(sequence, placements), tuple(p.clip.id for p in placements))
