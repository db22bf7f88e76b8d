"""What the artist marked as a promptable model takes it: a few clicks, a box, and the matte that is corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Rect
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import SegmentRequest
from gen2studio.segmentation.refine import bounds, parts

MOST_POINTS = 8
"""Points that stand for one scribble: models are trained on a handful of clicks."""

Mask = NDArray[np.uint8]
Click = tuple[float, float, int]
"""x, y in display pixels; 1 = subject, 0 = not."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Everything said about a subject on one frame so far."""

    clicks: tuple[Click, ...] = ()
    box: tuple[float, float, float, float] | None = None
    """(x0, y0, x1, y1) in display pixels."""

    @property
    def single(self) -> bool:
        """One click and nothing else: part, whole or all of it could be meant."""
        return len(self.clicks) == 1 and self.box is None

    @property
    def coordinates(self) -> NDArray[np.float64] | None:
        """(N, 2) x, y; None without clicks."""
        return np.array([click[:2] for click in self.clicks], np.float64) if self.clicks else None

    @property
    def labels(self) -> NDArray[np.int64] | None:
        return np.array([click[2] for click in self.clicks], np.int64) if self.clicks else None


@dataclass(frozen=True, slots=True)
class Answered:
    """A selection that was made: what a correction goes on from."""

    frame: int
    object_id: str
    prompt: Prompt
    mask: Mask
    logits: NDArray[np.float32]
    """(1, h, w) low-resolution logits."""
    raster: MaskRaster | None = None
    """What the matte became in the document, once it came back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A request read by a promptable model."""

    prompt: Prompt
    logits: NDArray[np.float32] | None
    """Logits of the answer that is corrected."""
    drawn: Mask | None
    """A matte that was not this model's answer: it is corrected only where the marks touch."""


def wish_of(request: SegmentRequest, context: MaskContext, last: Answered | None) -> tuple[Wish, Answered | None]:
    """What ``request`` asks for, given the model's last answer; and that answer, if this corrects it.

    Raises :class:`StudioError` when there is nothing to select from.
    """
    fresh = _marks(request)
    current = request.current if request.current is not None and not request.current.is_empty else None
    if current is None:
        if request.box is None and not request.include:
            raise StudioError("There is nothing to select from yet.", "Drag a box around the subject or click on it.")
        return Wish(fresh, None, None), None
    if last is not None and (last.frame, last.object_id) == (request.frame, request.object_id):
        if last.raster != current and np.array_equal(context.matte(current), last.mask):
            last = replace(last, raster=current)
        if last.raster == current:
            box = fresh.box or last.prompt.box
            # A new box starts over; clicks go on.
            if fresh.box is None:
                return Wish(Prompt(last.prompt.clicks + fresh.clicks, box), last.logits, None), last
            return Wish(fresh, None, None), None
    drawn = context.matte(current)
    if not request.include and request.box is None:
        area = bounds(drawn, 0, 0)
        assert area is not None
        fresh = Prompt(fresh.clicks, (area.x, area.y, area.right, area.bottom))
    return Wish(fresh, None, drawn), None


def merged(drawn: Mask, found: Mask, request: SegmentRequest) -> Mask:
    """``drawn`` with what was marked: includes add the parts of ``found`` they touch, excludes take the parts it lacks.

    A box adds all that was found inside it. The artist's edge stays everywhere else.
    """
    result = drawn.copy()
    have, want = drawn > 127, found > 127
    adds = want & ~have if request.box is not None else _touched(want & ~have, request.include)
    takes = _touched(have & ~want, request.exclude)
    changed = adds | takes
    # The soft rim around a change belongs to it; what the artist drew otherwise than the model stays.
    rim = cv2.dilate(changed.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    taken = rim & (changed | (have == want))
    result[taken] = found[taken]
    return result


def _touched(changed: NDArray[np.bool_], points: tuple[tuple[float, float], ...]) -> NDArray[np.bool_]:
    if not points or not changed.any():
        return np.zeros(changed.shape, bool)
    names, areas, _ = parts(changed)
    keep = np.zeros(len(areas), bool)
    height, width = changed.shape
    for x, y in points:
        keep[names[min(height - 1, max(0, int(y))), min(width - 1, max(0, int(x)))]] = True
    keep[0] = False
    return keep[names]


def _marks(request: SegmentRequest) -> Prompt:
    clicks = [(x, y, 1) for x, y in _thinned(request.include)] + [(x, y, 0) for x, y in _thinned(request.exclude)]
    box = _checked(request.box, request) if request.box is not None else None
    return Prompt(tuple(clicks), box)


def _thinned(points: tuple[tuple[float, float], ...]) -> list[tuple[float, float]]:
    """At most :data:`MOST_POINTS`, evenly spaced along the scribble."""
    if len(points) <= MOST_POINTS:
        return list(points)
    return [points[round(i)] for i in np.linspace(0, len(points) - 1, MOST_POINTS)]


def _checked(box: Rect, request: SegmentRequest) -> tuple[float, float, float, float]:
    if box.width < 2 or box.height < 2:
        raise StudioError("The box is empty.", "Drag it from one corner of the subject to the opposite one.")
    within = box.intersected(Rect(0, 0, request.source.width, request.source.height))
    if within.width < 2 or within.height < 2:
        raise StudioError("The box lies outside the picture.", "Drag it around the subject.")
    return within.x, within.y, within.right, within.bottom


def matte_of(logits: NDArray[np.float32]) -> Mask:
    """(H, W) uint8 coverage of full-size ``logits``: above 127 exactly where they are positive, and about one pixel
    soft, because the distance to the edge is the logit by its slope."""
    across, down = cv2.Sobel(logits, cv2.CV_32F, 1, 0, scale=0.125), cv2.Sobel(logits, cv2.CV_32F, 0, 1, scale=0.125)
    distance = logits / np.maximum(np.hypot(across, down), np.float32(1e-6))
    cover = np.round(np.clip(distance + np.float32(0.5), 0, 1) * 255)
    return np.where(logits > 0, np.maximum(cover, 128), np.minimum(cover, 127)).astype(np.uint8)
