"""The magnetic timeline: the lowest video track is the story and has no gaps. Clips on it close up and make room by
themselves, and what lies on other tracks stays with the picture it was laid over.

Pure functions ``Sequence → Sequence`` made of the ordinary edits; they raise ``EditRefused`` like those.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection
from dataclasses import replace

from gen2studio.document import edits
from gen2studio.document.draft import Draft
from gen2studio.document.model import Clip, Sequence, Track

Edit = Callable[[Sequence], Sequence]


def main_track(sequence: Sequence) -> Track | None:
    """The track that is kept without gaps."""
    return next(iter(sequence.video_tracks), None)


def on_main(sequence: Sequence, clip_ids: Collection[str]) -> bool:
    """Whether any of the clips lies on the main track."""
    main = main_track(sequence)
    return main is not None and any(c.id in clip_ids for c in main.clips)


def nearest_cut(sequence: Sequence, frame: float, without: Collection[str] = ()) -> int:
    """The frame nearest to ``frame`` where a clip may come between those of the main track, once ``without`` left."""
    main = main_track(sequence)
    cuts = [0]
    for clip in main.clips if main is not None else ():
        if clip.id not in without:
            cuts.append(cuts[-1] + clip.duration)
    return min(cuts, key=lambda cut: abs(cut - frame))


def packed(sequence: Sequence, order: Collection[Clip] | None = None, hold: Collection[str] = ()) -> Sequence:
    """The main track without gaps, its clips in ``order`` (None = as they lie).

    Clips of other tracks go where their linked partner, else the main clip under their head, goes; ``hold`` names those
    that stay. Locked tracks stay, unless a linked partner would leave its sync.
    """
    main = main_track(sequence)
    if main is None or not main.clips:
        return sequence
    starts = [c.start for c in main.clips]
    moved: dict[str, int] = {}
    cursor = 0
    for clip in order if order is not None else main.clips:
        moved[clip.id] = cursor - clip.start
        cursor += clip.duration
    if not any(moved.values()):
        return sequence
    by_link = {c.link: moved[c.id] for c in main.clips if c.link}

    def shift(clip: Clip) -> int:
        if clip.id in hold:
            return 0
        if clip.link in by_link:
            return by_link[clip.link]
        under = bisect_right(starts, clip.start) - 1
        if under < 0 or (clip.start >= main.clips[under].end and under + 1 < len(starts)):
            # It lies over a gap that closes: it goes along with what comes next.
            under += 1
        return max(moved[main.clips[under].id], -clip.start)

    draft = Draft(sequence)
    for track in sequence.tracks:
        shifts = [moved[c.id] if track is main else shift(c) for c in track.clips]
        if track.locked and track is not main:
            shifts = [d if c.link in by_link else 0 for c, d in zip(track.clips, shifts, strict=True)]
        if any(shifts):
            clips = draft.clips(track.id)
            clips[:] = sorted(
                (replace(c, start=c.start + d) if d else c for c, d in zip(track.clips, shifts, strict=True)),
                key=lambda c: c.start,
            )
    return draft.result()


def reordered(sequence: Sequence, clip_ids: Collection[str], frame: int) -> Sequence:
    """The main track's ``clip_ids`` taken out and put back at the cut nearest to ``frame``."""
    main = main_track(sequence)
    if main is None:
        return sequence
    taken = [c for c in main.clips if c.id in clip_ids]
    rest = [c for c in main.clips if c.id not in clip_ids]
    at = nearest_cut(sequence, frame, clip_ids)
    order: list[Clip] = []
    cursor = 0
    for clip in rest:
        if cursor == at:
            order += taken
            taken = []
        order.append(clip)
        cursor += clip.duration
    return packed(sequence, [*order, *taken])


def deleted(sequence: Sequence, clip_ids: Collection[str]) -> Sequence:
    """Delete clips; the main track closes up."""
    return packed(edits.lift(sequence, clip_ids))


def closing(edit: Edit, hold: Collection[str] = ()) -> Edit:
    """``edit``, and then the main track closed up."""
    return lambda sequence: packed(edit(sequence), hold=hold)
