"""Frames and motion for a walk through a clip, prepared one step ahead on a second thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from gen2studio.core.geometry import Extent
from gen2studio.engine.events import Picture
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.segmentation.frames import WorkFrame
from gen2studio.segmentation.motion import Link, LongLink

AHEAD = 2
"""Steps prepared in advance: enough to keep a second core busy, few enough to stay small in memory."""


@dataclass(frozen=True)
class Step:
    """One frame of a walk with its motion against the frame before and against each anchor in use."""

    picture: Picture
    frame: WorkFrame
    link: Link | None
    """None on the first frame of a walk."""
    far: Mapping[int, LongLink]
    """Anchor frame → motion between this frame and that anchor."""


class _Preparation:
    """Computes steps in order; runs on one thread and keeps what the next step builds on."""

    def __init__(self, extent: Extent) -> None:
        self._extent = extent
        self._before: WorkFrame | None = None
        self._anchors: dict[int, WorkFrame] = {}
        self._far: dict[int, LongLink] = {}

    def step(self, index: int, picture: Picture, anchors: frozenset[int]) -> Step:
        frame = WorkFrame.of(index, picture, self._extent).prepared()
        before = self._before
        link = None
        if before is not None and abs(before.index - index) == 1:
            link = Link.between(frame, before)
        far: dict[int, LongLink] = {}
        for anchor in anchors:
            if anchor == index:
                self._anchors[anchor] = frame
                far[anchor] = LongLink.at_anchor(frame)
            elif link is not None and anchor in self._far:
                far[anchor] = self._far[anchor].advanced(frame, self._anchors[anchor], link)
        self._far = far
        self._anchors = {anchor: kept for anchor, kept in self._anchors.items() if anchor in far}
        self._before = frame
        return Step(picture, frame, link, far)


def steps(
    context: MaskContext, order: Sequence[int], extent: Extent, anchors_at: Mapping[int, frozenset[int]]
) -> Generator[Step]:
    """Walk ``order``, a run of frames; ``anchors_at`` names the anchors whose long-range motion each frame needs.

    Frames are fetched on the caller's thread; everything else about the next :data:`AHEAD` frames is computed on
    one worker while the caller deals with the current one. Close the generator to stop the worker early.
    """
    preparation = _Preparation(extent)
    pending: deque[Future[Step]] = deque()
    source = iter(order)
    with ThreadPoolExecutor(1, thread_name_prefix="mask-motion") as pool:
        try:
            while True:
                while len(pending) < AHEAD:
                    index = next(source, None)
                    if index is None:
                        break
                    context.checkpoint()
                    picture = context.source(index)
                    pending.append(pool.submit(preparation.step, index, picture, anchors_at.get(index, frozenset())))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
