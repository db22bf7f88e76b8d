"""What stands for a shot where it is shown small: a frame of the take on the timeline. No Qt in here."""

from __future__ import annotations

from bisect import bisect_right

from gen2studio.document.look import Mode
from gen2studio.document.looks import look_of
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, Take


def clips_of_shots(document: Document) -> dict[str, Clip]:
    """Media id of every shot → the clip that stands for it: one that shows a take, else any."""
    shots = {key for key, item in document.media.items() if item.shot is not None}
    found: dict[str, Clip] = {}
    for sequence in document.sequences.values() if shots else ():
        for _, clip in each_clip(sequence):
            if clip.media_id in shots and (clip.media_id not in found or not found[clip.media_id].active_take):
                found[clip.media_id] = clip
    return found


def poster(document: Document, clip: Clip | None) -> tuple[Take, int] | None:
    """The take that a clip shows and a frame from its middle; None where it shows none."""
    take = document.takes.get(clip.active_take) if clip is not None else None
    if take is None or not take.done:
        return None
    return take, near(take, (take.start + take.stop) // 2)


def near(take: Take, frame: int) -> int:
    """The finished frame of a take that comes nearest before ``frame``, or its first one."""
    runs = take.done
    index = bisect_right([start for start, _ in runs], frame) - 1
    if index < 0:
        return runs[0][0]
    start, stop = runs[index]
    return min(max(frame, start), stop - 1)


def mode_of(document: Document, clip: Clip | None) -> Mode:
    """The mode that fills a shot, as its clip says."""
    return look_of(document, clip).mode if clip is not None else document.default_look.mode
