"""Guides: a picture taken through a camera move and brush strokes, with masks of what the model has to invent.

Brush strokes move things in the world, then the camera moves past it: displacement and sideways parallax are scattered
together with a z-buffer, turning and zooming follow as a homography. Masks follow VACE: 255 = generate; unknown pixels
are mid-grey.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.conditioning.camera import (
    FLAT_DEPTH,
    Pose,
    inverse_distance,
    parallax_shift,
    poses,
    turn_homography,
)
from gen2studio.diffusion.conditioning.motion_brush import BrushRegion, Stroke, strokes
from gen2studio.diffusion.conditioning.splatting import sampled, scatter
from gen2studio.engine.requests import CameraMove
from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
Matte = NDArray[np.uint8]
Depth = NDArray[np.float32]

UNKNOWN = 128
"""Mid-grey: what VACE reads as "nothing is given here"."""
_WORK = 300
_STILL_RIM = 1 / 16
"""Share of the short side that is held on every side when the camera is locked off."""


@dataclass(frozen=True, slots=True)
class Guide:
    """Frames as the move would show them and what is missing in them."""

    frames: tuple[Picture, ...]
    """(H, W, 3) uint8; mid-grey where nothing is known."""
    masks: tuple[Matte, ...]
    """(H, W) uint8: 255 = generate, 0 = keep."""

    def loosened(self, every: int) -> Guide:
        """Only every ``every``-th frame is kept to the letter; the others are shown but free to live (mask 255
        everywhere). 1 = as it is."""
        if every <= 1:
            return self
        free = tuple(mask if index % every == 0 else np.full_like(mask, 255) for index, mask in enumerate(self.masks))
        return dataclasses.replace(self, masks=free)


def motion_guide(
    picture: Picture,
    count: int,
    *,
    camera: CameraMove = CameraMove(),
    regions: Sequence[BrushRegion] = (),
    depth: Depth | None = None,
    seed: int = 0,
    anchor: int = 0,
    frames: Sequence[int] | None = None,
    margin: int = 2,
) -> Guide:
    """``picture`` is frame ``anchor`` of a shot of ``count`` frames; the guide shows ``frames`` of it (None = all).

    Anchor 0 guides from the first frame; to go on from the previous frame of a shot, anchor is that frame's number.
    ``depth`` (H, W), 1 = nearest, gives parallax; without it the picture is a flat wall. ``margin`` pixels around what
    is missing are invented too, since edges there mix two surfaces. A locked-off camera (``static``) without strokes
    holds the picture's rim and leaves its inside to the model. Raises GenerationError for wrong sizes.
    """
    if count < 1 or not 0 <= anchor < count:
        raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
    height, width = picture.shape[:2]
    if depth is not None and depth.shape != (height, width):
        raise GenerationError(
            f"The depth is {depth.shape[1]}×{depth.shape[0]}, the picture {width}×{height}.", "Estimate it again."
        )
    wanted = list(range(count)) if frames is None else list(frames)
    brushed = [region for region in regions if region.moves]
    move = CameraMove() if camera.static else camera
    if camera.static and not brushed:
        return _locked_off(picture, wanted, anchor)
    path = poses(move, count)
    painted = strokes(regions, count, (width, height), seed=seed, wanted=[anchor, *wanted])
    inverse = inverse_distance(np.full((height, width), FLAT_DEPTH, np.float32) if depth is None else depth)
    flat = depth is None and not brushed
    shown: list[Picture] = []
    missing: list[Matte] = []
    for index, frame in enumerate(wanted):
        if frame == anchor:
            shown.append(picture.copy())
            missing.append(np.zeros((height, width), np.uint8))
            continue
        stroke = Stroke(painted[index + 1].field - painted[0].field, painted[index + 1].lift)
        made = (
            _flat_frame(picture, path[anchor], path[frame], float(inverse[0, 0]))
            if flat
            else _frame(picture, path[anchor], path[frame], inverse, stroke)
        )
        shown.append(made[0])
        missing.append(_with_margin(made[1], margin))
    out = tuple(_greyed(s, m) for s, m in zip(shown, missing, strict=True))
    return Guide(out, tuple(missing))


def _flat_frame(picture: Picture, now: Pose, then: Pose, inverse: float) -> tuple[Picture, Matte]:
    """One homography: the wall's sideways shift, then the turn."""
    height, width = picture.shape[:2]
    dx, dy = parallax_shift(now, then, (width, height))
    shift = np.array([[1, 0, dx * inverse], [0, 1, dy * inverse], [0, 0, 1.0]])
    matrix = turn_homography(now, then, (width, height)) @ shift
    moved = cv2.warpPerspective(
        picture, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    known = cv2.warpPerspective(
        np.full((height, width), 255, np.uint8), matrix, (width, height), flags=cv2.INTER_LINEAR
    )
    return np.asarray(moved, np.uint8), np.where(known < 255, np.uint8(255), np.uint8(0)).astype(np.uint8)


def _frame(
    picture: Picture, now: Pose, then: Pose, inverse: NDArray[np.float32], stroke: Stroke
) -> tuple[Picture, Matte]:
    """Strokes and parallax scattered over a canvas with room around it, seen through the turned and zoomed lens."""
    height, width = picture.shape[:2]
    dx, dy = parallax_shift(now, then, (width, height))
    field = np.asarray(stroke.field + inverse[..., None] * np.array([dx, dy], np.float32), np.float32)
    priority = np.minimum(inverse + stroke.lift, 2.0).astype(np.float32)
    # The map is smooth but for its tears: at most about 300 lines of it say all, whatever the picture's size.
    step = max(1, min(height, width) // _WORK)
    first = step // 2
    coarse = np.ascontiguousarray(field[first::step, first::step]) / np.float32(step)
    reach = float(np.abs(coarse).max())
    pad = min(max(coarse.shape[:2]), int(np.ceil(reach)) + 2)
    made = scatter(coarse, np.ascontiguousarray(priority[first::step, first::step]), pad)
    source = made.source * np.float32(step) + np.float32(first)
    seen = _without_specks(made.seen)
    # Target pixel → the sideways-moved view (before the turn) → the picture.
    back = np.linalg.inv(turn_homography(now, then, (width, height)))
    grid = motion.grid(height, width).reshape(-1, 1, 2).astype(np.float64)
    view = cv2.perspectiveTransform(grid, back).reshape(height, width, 2)
    view = ((view - first) / step + pad).astype(np.float32)
    mapped = sampled(source, view, cv2.BORDER_REPLICATE)
    arrived = sampled(seen.astype(np.float32), view, cv2.BORDER_CONSTANT)
    x, y = mapped[..., 0], mapped[..., 1]
    within = (x > -0.51) & (x < width - 0.49) & (y > -0.51) & (y < height - 0.49)
    moved = sampled(picture, mapped, cv2.BORDER_REPLICATE, cv2.INTER_CUBIC)
    hole = np.where((arrived < 0.6) | ~within, np.uint8(255), np.uint8(0)).astype(np.uint8)
    return np.asarray(moved, np.uint8), hole


def _without_specks(seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cracks and specks belong to the surface around them; only what is worth inventing stays a hole."""
    closed = cv2.morphologyEx(seen.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    smallest = max(4, min(seen.shape) ** 2 // 1600)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=8)
    small = stats[:count, cv2.CC_STAT_AREA] < smallest
    small[0] = True
    return np.asarray(small[np.asarray(parts, np.intp)], bool)


def _locked_off(picture: Picture, wanted: Sequence[int], anchor: int) -> Guide:
    height, width = picture.shape[:2]
    rim = max(1, round(_STILL_RIM * min(height, width)))
    inside = np.zeros((height, width), np.uint8)
    inside[rim:-rim, rim:-rim] = 255
    free = _greyed(picture, inside)
    kept = np.zeros((height, width), np.uint8)
    return Guide(
        tuple(picture.copy() if frame == anchor else free for frame in wanted),
        tuple(kept if frame == anchor else inside for frame in wanted),
    )


def _with_margin(hole: Matte, margin: int) -> Matte:
    if margin <= 0 or not hole.any():
        return hole
    return np.asarray(cv2.dilate(hole, np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)), np.uint8)


def _greyed(picture: Picture, mask: Matte) -> Picture:
    return np.where((mask > 0)[..., None], np.uint8(UNKNOWN), picture).astype(np.uint8)
