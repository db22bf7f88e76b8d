"""Structure controls: what of the footage a model has to follow, as pictures it was trained to read.

Lines are Gaussian gradients at two scales with surround inhibition (Grigorescu, Petkov, Westenberg: "Contour detection
based on nonclassical receptive field inhibition", IEEE TIP 2003), which quiets grass and keeps the outline in front of
it, through the soft threshold of XDoG (Winnemöller et al., Computers & Graphics 2012). How much structure is kept is
Gen-1's t_s: the control is blurred and down-sampled t_s = 0…7 times (Esser et al., "Structure and Content-Guided Video
Synthesis with Diffusion Models", arXiv 2302.03011, section 3.3). Whatever is scaled to a range is scaled once per clip:
scaling per frame flickers.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.conditioning.depth import Depth, depth_pictures
from gen2studio.diffusion.conditioning.flow import Flow, clip_flows, flow_pictures
from gen2studio.diffusion.conditioning.layout import layout
from gen2studio.raster import flow as motion

__all__ = ["KINDS", "MAX_LEVEL", "control_clip", "edges", "grey", "layout", "luminance_range", "structure_level"]

Picture = NDArray[np.uint8]
"""(H, W, 3) uint8 sRGB."""

KINDS = ("depth", "edges", "grey", "flow", "layout")
MAX_LEVEL = 7.0

_SIGMA = 1.0
"""The finer scale at 480 lines, px; the coarser one, for soft outlines, is 2.5 times as wide."""
_COARSEST = 4.0
"""Pixels that level 7 leaves of the short side. At 512 lines every level then halves the control, as Gen-1 does."""


def grey(picture: Picture) -> Picture:
    """The luma of a picture in three equal channels: the plain grey control of VACE."""
    return _three(motion.grey(picture))


def luminance_range(frames: Sequence[Picture]) -> tuple[float, float]:
    """The 2nd and 98th percentile of luma over a clip, 0…255 and at least 24 apart: what :func:`edges` measures
    contrast against."""
    step = max(1, len(frames) // 16)
    samples = [motion.grey(frame)[::4, ::4].ravel() for frame in frames[::step]]
    low, high = (float(v) for v in np.percentile(np.concatenate(samples), (2, 98)))
    if high - low < 24:
        middle = (low + high) / 2
        low, high = middle - 12, middle + 12
    return low, high


def edges(
    picture: Picture, *, dark_lines: bool = False, level: float = 0.0, contrast: tuple[float, float] | None = None
) -> Picture:
    """Lines of the luminance, soft-edged, of a noise-free copy of the picture.

    ``dark_lines`` draws black on white (what VACE's scribble annotator makes) instead of white on black (ControlNet's
    line art). ``level`` 0…7 widens the Gaussians so that fine lines go first and outlines last. ``contrast`` is the
    clip's :func:`luminance_range`; None = this picture's own. Returns (H, W, 3) uint8.
    """
    low, high = contrast if contrast is not None else luminance_range([picture])
    luma = (motion.grey(picture).astype(np.float32) - low) / np.float32(high - low)
    height, width = luma.shape
    sigma = max(0.6, _SIGMA * min(height, width) / 480) * 1.5 ** min(MAX_LEVEL, max(0.0, level))
    # Wide Gaussians see nothing that a smaller picture doesn't hold.
    shrink = max(1.0, sigma / 1.6)
    size = (max(8, round(width / shrink)), max(8, round(height / shrink)))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA) if shrink > 1 else luma
    sigma /= shrink
    # Sensor noise is below a tenth of the clip's range, contours are above it.
    clean = cv2.bilateralFilter(np.ascontiguousarray(small), 0, 0.1, 1.4 * sigma)
    light = np.asarray(clean, np.float32)
    lines = np.maximum(_contours(light, sigma), _contours(light, 2.5 * sigma))
    if shrink > 1:
        lines = cv2.resize(lines, (width, height), interpolation=cv2.INTER_CUBIC)
    value = np.clip(np.rint(lines * 255), 0, 255).astype(np.uint8)
    return _three(255 - value if dark_lines else value)


def _contours(light: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """0…1: how much of a line there is at a scale, where everything around is not lines as well."""
    smooth = cv2.GaussianBlur(light, (0, 0), sigma)
    # Scale-normalised: a step of the clip's whole range is about 0.4 at every sigma.
    slope = sigma * np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)) / 32
    around = cv2.GaussianBlur(slope, (0, 0), 7 * sigma)
    clear = np.maximum(0.0, slope - 1.1 * around - 0.012)
    return np.tanh(clear * 16.0).astype(np.float32)


def structure_level(control: Picture, level: float) -> Picture:
    """``control`` blurred and down-sampled ``level`` times (0…7, fractions allowed) and brought back to its size.

    At 512 lines each level halves it, as in Gen-1 (arXiv 2302.03011); smaller pictures shrink in smaller steps, so that
    7 leaves the same rough layout at every size.
    """
    level = min(MAX_LEVEL, max(0.0, float(level)))
    if level < 1e-3:
        return control.copy()
    height, width = control.shape[:2]
    short = min(height, width)
    factor = max(1.0, short / _COARSEST) ** (level / MAX_LEVEL)
    size = (max(2, round(width / factor)), max(2, round(height / factor)))
    # In float: eight bits would step visibly in what is nearly flat.
    small = cv2.resize(control.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    # What the cubic leaves of the coarse grid goes with half a coarse pixel of blur.
    smooth = cv2.GaussianBlur(large, (0, 0), 0.5 * factor, borderType=cv2.BORDER_REPLICATE)
    return np.clip(np.rint(smooth), 0, 255).astype(np.uint8)


def control_clip(
    kind: str,
    frames: Sequence[Picture],
    *,
    level: float | Sequence[float] = 0.0,
    depth: Sequence[Depth] | None = None,
    flows: Sequence[Flow] | None = None,
    dark_lines: bool = False,
) -> list[Picture]:
    """The control frames of a clip: one (H, W, 3) uint8 picture per frame.

    ``kind``: depth (needs ``depth``, scaled per clip), edges, grey, flow (``flows`` or DIS) or layout. ``level`` is the
    structure slider 0…7, one for the clip or one for each frame. Raises GenerationError for an unknown kind, no frames
    or a wrong number of depth maps.
    """
    if not frames:
        raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
    levels = [float(level)] * len(frames) if isinstance(level, (int, float)) else [float(each) for each in level]
    if kind == "edges":
        contrast = luminance_range(frames)
        # Lines blurred away are no lines any more: half of the level goes into the scale they are looked for at.
        drawn = [edges(f, level=each, contrast=contrast) for f, each in zip(frames, levels, strict=True)]
        softened = [structure_level(f, 0.5 * each) for f, each in zip(drawn, levels, strict=True)]
        return [np.asarray(255 - frame, np.uint8) for frame in softened] if dark_lines else softened
    if kind == "grey":
        made = [grey(frame) for frame in frames]
    elif kind == "layout":
        made = layout(frames)
    elif kind == "depth":
        if depth is None or len(depth) != len(frames):
            raise GenerationError(
                f"There are {0 if depth is None else len(depth)} depth maps for {len(frames)} frames.",
                "Choose another structure source.",
            )
        made = depth_pictures(depth)
    elif kind == "flow":
        made = flow_pictures(flows if flows is not None else clip_flows(frames), len(frames), frames[0].shape[:2])
    else:
        raise GenerationError(f"There is no structure source called “{kind}”.", f"Use one of {', '.join(KINDS)}.")
    return [f if each <= 0 else structure_level(f, each) for f, each in zip(made, levels, strict=True)]


def _three(plane: NDArray[np.uint8]) -> Picture:
    return np.repeat(plane[..., None], 3, axis=2)
