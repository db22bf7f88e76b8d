"""Which frames of a clip become key frames: at cuts, where much comes into view that was not there, and at most so far
apart.

Pixels are read small; numpy and OpenCV come with the first call.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from gen2studio.engine.events import Picture

AUTOMATIC = -1
"""``key_spacing`` of a request: the program chooses the key frames."""
MOST_APART = 16
"""Frames between two automatic keys in a quiet shot. Carried paintings hold about twelve frames on a moving camera and
twice that on a still one; a frame between two keys is never farther than half the distance from one."""
TYPICAL = 12
"""Frames between automatic keys, for telling what a run will cost before anything is looked at."""
_SEEN = 0.72
"""A new key is due once less than this share of the picture was in view on the key before. The same bar at which
strokes get a new key (:mod:`gen2studio.example.film`)."""
_NEARLY_CUT = 0.9
"""Bar of :func:`gen2studio.raster.cuts.is_cut`: what carries keys looks at larger frames than are looked at here, and
stops at what is a cut there. A shot that it found alone would have no key."""
_LINES = 144
"""Short side in pixels at which frames are compared."""


def choose_keys(
    start: int,
    stop: int,
    spacing: int,
    source: Callable[[int], Picture],
    given: Collection[int] = (),
    looked: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[int, ...]:
    """Key frames of the media frames [start, stop), rising; every shot has one at least.

    ``spacing`` n > 0 = every n frames, anew from each cut; :data:`AUTOMATIC` = as much stays in view between them.
    ``given`` frames have a key already: they are in the answer and count like the others. A shot's last frame becomes
    a key where the one before is more than half the distance away. ``source(frame)`` gives (H, W, 3) uint8 pictures
    of one size; ``looked(done, total)`` is called for each.
    """
    import cv2
    import numpy as np

    from gen2studio.raster import cuts, flow

    apart = MOST_APART if spacing < 0 else max(1, spacing)
    keys: set[int] = {frame for frame in given if start <= frame < stop}
    last = start
    keys.add(start)
    seen = 1.0
    grey = signature = None
    for frame in range(start, stop):
        picture = source(frame)
        scale = min(1.0, _LINES / min(picture.shape[:2]))
        size = max(16, round(picture.shape[1] * scale)), max(16, round(picture.shape[0] * scale))
        small = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        following = cuts.signature(small)
        if signature is not None and cuts.is_cut(signature, following, _NEARLY_CUT):
            _close(keys, last, frame - 1, apart)
            keys.add(frame)
            last, seen = frame, 1.0
        elif frame in keys:
            last, seen = frame, 1.0
        else:
            if spacing < 0 and grey is not None:
                now = flow.grey(small)
                back, ahead = flow.dis_flow(now, grey, "fast"), flow.dis_flow(grey, now, "fast")
                seen *= float(flow.visible(back, ahead).mean())
            if frame - last >= apart or (spacing < 0 and seen < _SEEN and frame - last >= 2):
                keys.add(frame)
                last, seen = frame, 1.0
        signature, grey = following, flow.grey(small)
        looked(frame - start + 1, stop - start)
    _close(keys, last, stop - 1, apart)
    return tuple(sorted(keys))


def _close(keys: set[int], last: int, end: int, apart: int) -> None:
    """End a shot with a key, unless the last one is near enough to be carried there."""
    if end - last > apart // 2:
        keys.add(end)


def expected_keys(count: int, spacing: int) -> int:
    """About how many keys a clip of ``count`` frames gets, without looking at it."""
    apart = TYPICAL if spacing < 0 else max(1, spacing)
    return min(count, 1 + (count - 1 + apart // 2) // apart) if count else 0
