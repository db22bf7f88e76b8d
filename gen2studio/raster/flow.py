"""Dense optical flow and what follows from it: warping, composing, visibility.

Flow of a→b is (H, W, 2) float32 in pixels, x first: the content at p in ``a`` is at p + flow[p] in ``b``.
DIS flow: Kroeger et al., "Fast Optical Flow using Dense Inverse Search", ECCV 2016 (OpenCV's implementation).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

Flow = NDArray[np.float32]

PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
SHARP = {"sharp": 1, "fine": 0}
"""DIS without its smoothing pass, stopped at half and at full resolution: edges of motion stay where they are, which
matters when masks are carried over them, and "sharp" costs a third less than "medium"."""

_Solver = tuple[cv2.DISOpticalFlow, int, int]
"""A solver, its own finest scale and patch size."""
_local = threading.local()
_grids: dict[tuple[int, int], NDArray[np.float32]] = {}


def grey(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) luma of an (H, W, 3) uint8 RGB picture."""
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)


def dis_flow(a: NDArray[np.uint8], b: NDArray[np.uint8], preset: str = "medium", start: Flow | None = None) -> Flow:
    """Flow a→b of two (H, W) uint8 pictures; ``start`` is refined when given."""
    # One solver per thread and preset, and another for refinement: OpenCV's keeps using a flow that it was given once.
    solvers: dict[tuple[str, bool], _Solver] = _local.__dict__.setdefault("solvers", {})
    kept = solvers.get((preset, start is None))
    if kept is None:
        made = cv2.DISOpticalFlow.create(PRESETS.get(preset, PRESETS["medium"]))
        if preset in SHARP:
            made.setVariationalRefinementIterations(0)
            made.setFinestScale(SHARP[preset])
        kept = solvers[(preset, start is None)] = made, made.getFinestScale(), made.getPatchSize()
    solver, finest, patch = kept
    # A picture too small for them makes OpenCV choose others, for every later picture too.
    solver.setFinestScale(finest)
    solver.setPatchSize(patch)
    # OpenCV's type hints leave out that the start flow may be None.
    calculate = cast("Callable[..., NDArray[np.float32]]", solver.calc)
    initial = None if start is None else np.array(start, np.float32, order="C")
    return np.asarray(calculate(a, b, initial), np.float32)


def grid(height: int, width: int) -> NDArray[np.float32]:
    """(H, W, 2) pixel coordinates, x first. Cached and read-only."""
    found = _grids.get((height, width))
    if found is None:
        xs, ys = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
        found = np.stack([xs, ys], -1)
        found.setflags(write=False)
        if len(_grids) > 16:
            _grids.clear()
        _grids[(height, width)] = found
    return found


def warp(
    picture: NDArray[Any], flow: Flow, interpolation: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_REPLICATE
) -> NDArray[Any]:
    """Fetch ``picture`` (of frame b) at p + flow[p]: with flow a→b this brings b's content into a's place."""
    remap = cast("Callable[..., NDArray[Any]]", cv2.remap)
    return remap(picture, grid(*flow.shape[:2]) + flow, None, interpolation, borderMode=border)


def compose(first: Flow, second: Flow) -> Flow:
    """Flow a→c from a→b and b→c."""
    return first + np.asarray(warp(second, first), np.float32)


def round_trip_error(forward: Flow, backward: Flow) -> NDArray[np.float32]:
    """(H, W) length in pixels of forward + backward taken at the forward target: large where either is wrong."""
    gap = forward + warp(backward, forward)
    return np.sqrt((gap * gap).sum(-1)).astype(np.float32)


def visible(forward: Flow, backward: Flow, relative: float = 0.01, absolute: float = 0.5) -> NDArray[np.bool_]:
    """(H, W) True where the pixel of a is also seen in b.

    The test |f+b|² < r(|f|²+|b|²)+c is that of Sundaram, Brox and Keutzer, ECCV 2010.
    """
    back = warp(backward, forward)
    gap = forward + back
    bound = relative * ((forward * forward).sum(-1) + (back * back).sum(-1)) + absolute
    target = grid(*forward.shape[:2]) + forward
    height, width = forward.shape[:2]
    x, y = target[..., 0], target[..., 1]
    within = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return ((gap * gap).sum(-1) < bound) & within
