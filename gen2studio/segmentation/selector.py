"""The weight-free selector: a graph cut from a box, clicks or scribbles, its edge decided at full size."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Rect
from gen2studio.engine.events import Picture
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import SegmentRequest
from gen2studio.segmentation.geodesic import geodesic_distance
from gen2studio.segmentation.refine import Soft, bounds, full_size, parts, signed_distance

CUT_SIDE = 256
"""Long side in pixels at which the cut is made; the edge is decided at full size."""

ROUNDS = 4

Mask = NDArray[np.uint8]
Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Selection:
    """A selected matte: (H, W) uint8 and how sure it is, 0…1."""

    mask: Mask
    confidence: float


class GraphCutSelector:
    """Selects a subject on one frame; implements :class:`MaskSelector`.

    Rother, Kolmogorov, Blake, "GrabCut: Interactive Foreground Extraction using Iterated Graph Cuts", SIGGRAPH 2004
    (OpenCV's implementation), started from geodesic distances when there are only clicks. The result is the same
    every time, and pixels under include and exclude marks are always in and out; where both lie, out wins.
    """

    @property
    def title(self) -> str:
        return "Graph cut (no weights)"

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        """Emit the selected matte of ``request.frame``. Raises :class:`StudioError` when there is nothing to go by.

        Previews stay unanswered: a cut small enough for a moving pointer (40 ms) chooses other regions than the real
        one (IoU 0.0 to 0.6 against it on four real frames), and would promise what a click does not give.
        """
        if request.text:
            raise StudioError(f"{self.title} can't find things by their name.", "Click on the subject instead.")
        if request.purpose != "select":
            return
        picture = context.source(request.frame)
        current = None
        if request.current is not None and not request.current.is_empty:
            current = context.matte(request.current)
        context.checkpoint()
        context.progress(0, 1, "Selecting")
        chosen = select(picture, request.box, request.include, request.exclude, request.brush_radius, current)
        context.checkpoint()
        chosen.mask.setflags(write=False)
        context.emit(request.object_id, request.frame, chosen.mask, chosen.confidence, self.title)
        context.progress(1, 1, "Selecting")


def select(
    picture: Picture,
    box: Rect | None = None,
    include: Points = (),
    exclude: Points = (),
    brush_radius: float = 4.0,
    current: Mask | None = None,
) -> Selection:
    """Select a subject on ``picture`` (H, W, 3) uint8.

    ``box`` bounds the subject; ``include`` / ``exclude`` are (x, y) display pixels each standing for a disk of
    ``brush_radius``; ``current`` (H, W) uint8 is the matte they correct: it changes only near the marks.
    """
    height, width = picture.shape[:2]
    frame = Rect(0, 0, width, height)
    box = _checked_box(box, frame)
    if current is not None and current.shape != (height, width):
        raise StudioError(
            f"The mask is {current.shape[1]}×{current.shape[0]} but the frame is {width}×{height}.",
            "Clear the mask and select again.",
        )
    inside, outside = _marks(include, frame, brush_radius), _marks(exclude, frame, brush_radius)
    if box is None and current is None and not inside.any():
        raise StudioError("There is nothing to select from yet.", "Drag a box around the subject or click on it.")
    crop = _working_area(frame, box, inside | outside, current)
    soft = _cut(picture, crop, box, inside, outside, current)
    mask = np.zeros((height, width), np.uint8) if current is None else current.copy()
    window = np.s_[crop.y : crop.bottom, crop.x : crop.right]
    edge = full_size(np.ascontiguousarray(picture[window]), soft)
    if current is None:
        mask[window] = edge
    else:
        # Includes only add and excludes only take away, where they touch; the artist's edge stays everywhere else.
        large = cv2.resize(soft, (crop.width, crop.height), interpolation=cv2.INTER_LINEAR) > 0.5
        before, marked = mask[window] > 127, bool(inside.any() or outside.any())
        adds = _touched(large & ~before, inside[window]) if marked else large & ~before
        takes = _touched(before & ~large, outside[window]) if marked else before & ~large
        changed = np.asarray(cv2.dilate((adds | takes).astype(np.uint8), _disk(5)), np.uint8)
        mask[window] = np.where(changed > 0, edge, mask[window])
    mask[inside] = 255
    mask[outside] = 0
    if not (mask > 127).any() and not outside.any():
        raise StudioError(
            "Nothing stands out from its surroundings there.",
            "Draw the box a little wider than the subject, or click on the subject to include it.",
        )
    return Selection(mask, _certainty(soft))


def _checked_box(box: Rect | None, frame: Rect) -> Rect | None:
    if box is None:
        return None
    if box.width < 2 or box.height < 2:
        raise StudioError("The box is empty.", "Drag it from one corner of the subject to the opposite one.")
    within = box.intersected(frame)
    if within.width < 2 or within.height < 2:
        raise StudioError("The box lies outside the picture.", "Drag it around the subject.")
    return within


def _marks(points: Points, frame: Rect, radius: float) -> NDArray[np.bool_]:
    """(H, W) True under the disks of ``points`` (at least the pixel itself)."""
    canvas = np.zeros((frame.height, frame.width), np.uint8)
    for x, y in points:
        centre = (int(np.clip(np.floor(x), 0, frame.width - 1)), int(np.clip(np.floor(y), 0, frame.height - 1)))
        cv2.circle(canvas, centre, max(0, round(radius)), 1, cv2.FILLED)
        canvas[centre[1], centre[0]] = 1
    return canvas > 0


def _working_area(frame: Rect, box: Rect | None, marks: NDArray[np.bool_], current: Mask | None) -> Rect:
    """What the cut looks at: the box with surroundings enough to learn the background; everything for bare clicks."""
    if box is None and current is None:
        return frame
    area = box if box is not None else Rect(0, 0, 0, 0)
    for pixels in (marks, current):
        found = bounds(pixels, 0, 0) if pixels is not None else None
        if found is not None:
            area = area.united(found)
    if area.empty:
        return frame
    return area.grown(max(24, round(0.25 * max(area.width, area.height)))).intersected(frame)


def _cut(
    picture: Picture,
    crop: Rect,
    box: Rect | None,
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
    current: Mask | None,
) -> Soft:
    """Odds 0…1 at working size of the crop being subject."""
    scale = min(1.0, CUT_SIDE / max(crop.width, crop.height))
    size = (max(8, round(crop.width * scale)), max(8, round(crop.height * scale)))
    window = np.s_[crop.y : crop.bottom, crop.x : crop.right]
    small = np.asarray(cv2.resize(picture[window], size, interpolation=cv2.INTER_AREA), np.uint8)
    include = _reduced(inside[window], size)
    exclude = _reduced(outside[window], size) & ~include
    drawn = None if current is None else cv2.resize(current[window], size, interpolation=cv2.INTER_AREA) > 127
    labels = np.full(small.shape[:2], cv2.GC_PR_BGD, np.uint8)
    lab = np.asarray(cv2.cvtColor(np.asarray(small, np.float32) / 255, cv2.COLOR_RGB2Lab), np.float32)
    if drawn is not None:
        _start_from_matte(labels, drawn, lab, include, exclude)
    if box is not None:
        within = np.zeros(small.shape[:2], bool)
        x0, y0 = round((box.x - crop.x) * scale), round((box.y - crop.y) * scale)
        x1, y1 = round((box.right - crop.x) * scale), round((box.bottom - crop.y) * scale)
        within[max(0, y0) : max(y1, y0 + 1), max(0, x0) : max(x1, x0 + 1)] = True
        labels[within & (labels == cv2.GC_PR_BGD)] = cv2.GC_PR_FGD
        if drawn is None:
            labels[~within] = cv2.GC_BGD
    elif drawn is None:
        _start_from_clicks(labels, lab, include, exclude)
    labels[include] = cv2.GC_FGD
    labels[exclude] = cv2.GC_BGD
    result = _grab_cut(small, labels)
    chosen = (result == cv2.GC_FGD) | (result == cv2.GC_PR_FGD)
    return _kept_parts(chosen, include, bare_clicks=box is None and drawn is None)


def _reduced(marks: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Marks at working size: a pixel is marked when any part of it is."""
    return cv2.resize(marks.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 1e-3


def _start_from_matte(
    labels: NDArray[np.uint8],
    drawn: NDArray[np.bool_],
    lab: NDArray[np.float32],
    include: NDArray[np.bool_],
    exclude: NDArray[np.bool_],
) -> None:
    """The matte is settled except within geodesic reach of marks that contradict it; close to them it is turned over.

    Geodesic reach runs along like colours, so a click in a wrongly taken wall frees all of that wall; a straight
    distance is left open as well, because texture makes geodesic ways long.
    """
    labels[drawn] = cv2.GC_PR_FGD
    reach = max(16.0, 0.8 * float(np.sqrt(drawn.sum())))
    smooth = _smoothed(lab)
    for wrong, guess in ((include & ~drawn, cv2.GC_PR_FGD), (exclude & drawn, cv2.GC_PR_BGD)):
        settled, turned = (cv2.GC_BGD, ~drawn) if guess == cv2.GC_PR_FGD else (cv2.GC_FGD, drawn)
        distance = geodesic_distance(smooth, wrong, colour=1.0)
        labels[turned & (distance < 0.5 * reach)] = guess
        labels[turned & (distance >= reach) & (_distance_to(wrong) >= 0.6 * reach)] = settled
    names, areas, _ = parts(drawn)
    refused = np.zeros(len(areas), bool)
    refused[np.unique(names[exclude & drawn])] = True
    refused[np.unique(names[include & drawn])] = False
    refused[0] = False
    if (areas > 0).sum() > refused.sum():
        # A part of its own that an exclude touches goes as a whole, even when its colours are the subject's.
        labels[refused[names]] = cv2.GC_BGD


def _distance_to(marks: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(H, W) straight distance to the nearest mark in pixels; infinite without any."""
    if not marks.any():
        return np.full(marks.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform((~marks).astype(np.uint8), cv2.DIST_L2, 3), np.float32)


def _smoothed(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Texture evened out, edges kept: what geodesic paths are measured on."""
    return np.asarray(cv2.bilateralFilter(lab, 5, 12, 3), np.float32)


def _start_from_clicks(
    labels: NDArray[np.uint8], lab: NDArray[np.float32], include: NDArray[np.bool_], exclude: NDArray[np.bool_]
) -> None:
    """First guess for bare clicks: what is nearer to an include than to an exclude or the picture's border."""
    border = np.zeros(include.shape, bool)
    border[0], border[-1], border[:, 0], border[:, -1] = True, True, True, True
    clear = _distance_to(include) > 0.1 * max(include.shape)
    smooth = _smoothed(lab)
    to_subject = geodesic_distance(smooth, include)
    to_background = geodesic_distance(smooth, exclude | (border & clear))
    labels[to_subject < to_background] = cv2.GC_PR_FGD
    labels[to_subject > 3 * to_background] = cv2.GC_BGD


def _grab_cut(small: NDArray[np.uint8], labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    subject = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
    # Five mixture components each need a pixel at least.
    if subject.sum() < 10 or (~subject).sum() < 10:
        return labels
    cv2.setRNGSeed(1)
    background, subject_model = np.zeros((1, 65)), np.zeros((1, 65))
    result, _, _ = cv2.grabCut(small, labels, (0, 0, 1, 1), background, subject_model, ROUNDS, cv2.GC_INIT_WITH_MASK)
    return np.asarray(result, np.uint8)


def _kept_parts(chosen: NDArray[np.bool_], include: NDArray[np.bool_], bare_clicks: bool) -> Soft:
    """Drop specks (and for bare clicks whatever no click touches), close pinholes, soften to coverage."""
    names, areas, _ = parts(chosen)
    keep = areas >= (np.inf if bare_clicks else 0.05 * areas.max())
    keep[np.unique(names[include & chosen])] = True
    keep[0] = False
    chosen = keep[names]
    names, areas, _ = parts(~chosen, 4)
    small = (areas > 0) & (areas <= 0.002 * chosen.size)
    chosen = chosen | small[names]
    return np.asarray(cv2.GaussianBlur((chosen | include).astype(np.float32), (0, 0), 0.7), np.float32)


def _touched(changed: NDArray[np.bool_], marks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The connected parts of ``changed`` that a mark touches."""
    names, areas, _ = parts(changed)
    keep = np.zeros(len(areas), bool)
    keep[np.unique(names[marks & changed])] = True
    keep[0] = False
    return keep[names]


def _disk(radius: int) -> NDArray[np.uint8]:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)


def _certainty(soft: Soft) -> float:
    """0…1: how compact the selection is - long, frayed edges for little area mean the cut was guessing."""
    inside = soft > 0.5
    area = float(inside.sum())
    if area < 4:
        return 0.1
    rim = float((np.abs(signed_distance(inside)) < 1).sum()) / 2
    return round(float(np.clip(1.5 - 0.06 * rim * rim / area / 4, 0.1, 1.0)), 4)
