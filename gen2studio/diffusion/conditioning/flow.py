"""Motion of a clip: DIS flow as built in, RAFT where torchvision and its weights are there, and flow as a control
picture.

DIS: Kroeger et al., ECCV 2016. RAFT: Teed and Deng, ECCV 2020. The colour wheel is that of Baker et al., "A Database
and Evaluation Methodology for Optical Flow", IJCV 2011, which VACE's flow control uses: hue is direction, saturation is
speed, white is still. VACE scales every frame by its own fastest pixel; here one scale serves the clip, so that a still
moment stays white.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
Flow = NDArray[np.float32]
"""(H, W, 2) float32 pixels, x first: what is at p in the first picture is at p + flow[p] in the second."""


class FlowEstimator(Protocol):
    """Estimates the motion between two pictures of one size."""

    @property
    def title(self) -> str:
        """As shown to the artist."""
        ...

    def flow(self, a: Picture, b: Picture) -> Flow: ...


class DisFlow:
    """OpenCV's dense inverse search: no weights, about 30 ms a frame at 640×360."""

    title = "Optical flow (DIS)"

    def __init__(self, preset: str = "medium") -> None:
        self._preset = preset

    def flow(self, a: Picture, b: Picture) -> Flow:
        return motion.dis_flow(motion.grey(a), motion.grey(b), self._preset)


class RaftFlow:
    """RAFT through torchvision, from a local file of weights: torchvision's ``raft_small``/``raft_large`` or the
    authors' ``raft-small.pth``. Loaded when first used; weights only, nothing in the file is run."""

    title = "Optical flow (RAFT)"

    def __init__(self, weights: Path, updates: int = 12, device: str = "cpu") -> None:
        self._weights = weights
        self._updates = updates
        self._device = device
        self._network: Any = None

    @staticmethod
    def available() -> bool:
        """Whether torchvision is installed (asked without importing it)."""
        return importlib.util.find_spec("torchvision") is not None

    def flow(self, a: Picture, b: Picture) -> Flow:
        import torch

        network = self._loaded()
        height, width = a.shape[:2]
        # RAFT works at an eighth of the size and correlates over four octaves of that.
        tall, wide = max(128, -(-height // 8) * 8), max(128, -(-width // 8) * 8)
        pair = [np.pad(p, ((0, tall - height), (0, wide - width), (0, 0)), "edge") for p in (a, b)]
        planes = torch.from_numpy(np.stack(pair)).permute(0, 3, 1, 2).float().to(self._device) / 127.5 - 1
        with torch.inference_mode():
            found = network(planes[:1], planes[1:], num_flow_updates=self._updates)[-1]
        return np.ascontiguousarray(found[0].permute(1, 2, 0).cpu().numpy()[:height, :width], np.float32)

    def _loaded(self) -> Any:
        if self._network is None:
            import torch
            from torchvision.models import optical_flow  # pyright: ignore[reportMissingImports]

            try:
                if self._weights.suffix == ".safetensors":
                    from safetensors.torch import load_file

                    state = load_file(self._weights, device="cpu")
                else:
                    state = torch.load(self._weights, map_location="cpu", weights_only=True)
                named = {_torchvision_name(key): value for key, value in state.items()}
                large = named["feature_encoder.convnormrelu.0.weight"].shape[0] == 64
                network: Any = (optical_flow.raft_large if large else optical_flow.raft_small)(weights=None)
                network.load_state_dict(named)
            except Exception as error:
                raise GenerationError(
                    f"“{self._weights.name}” does not hold the weights of RAFT.", "Use raft-small.pth or torchvision's."
                ) from error
            self._network = network.eval().requires_grad_(False).to(self._device)
        return self._network


_RENAMED = (
    (r"^module\.", ""),
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"encoder\.conv1\.", "encoder.convnormrelu.0."),
    (r"encoder\.conv2\.", "encoder.conv."),
    (r"(layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"update_block\.encoder\.convc(\d)\.", r"update_block.motion_encoder.convcorr\1.0."),
    (r"update_block\.encoder\.convf(\d)\.", r"update_block.motion_encoder.convflow\1.0."),
    (r"update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"update_block\.gru\.", "update_block.recurrent_block.convgru1."),
)


def _torchvision_name(key: str) -> str:
    """A tensor name of the authors' small RAFT as torchvision calls it; torchvision's own names stay."""
    if key.startswith(("feature_encoder", "context_encoder", "update_block.motion_encoder", "mask_predictor")):
        return key
    for pattern, replacement in _RENAMED:
        key = re.sub(pattern, replacement, key)
    return key


def best_flow(weights: Path | None = None) -> FlowEstimator:
    """RAFT where its weights are given and torchvision is installed, else DIS; ``title`` says which."""
    if weights is not None and weights.is_file() and RaftFlow.available():
        return RaftFlow(weights)
    return DisFlow()


def clip_flows(
    frames: Sequence[Picture],
    estimator: FlowEstimator | None = None,
    checkpoint: Callable[[int, int], None] | None = None,
) -> list[Flow]:
    """The N − 1 flows from each frame to the next. ``checkpoint(done, total)`` is called between frames."""
    by = estimator if estimator is not None else DisFlow()
    found: list[Flow] = []
    for index, (a, b) in enumerate(itertools.pairwise(frames)):
        if checkpoint is not None:
            checkpoint(index, len(frames) - 1)
        found.append(by.flow(a, b))
    return found


def flow_pictures(flows: Sequence[Flow], count: int, size: tuple[int, int] | None = None) -> list[Picture]:
    """``count`` colour-wheel pictures of ``count`` − 1 flows: the first one is shown twice, as VACE does.

    Scaled so that the clip's 98th percentile of speed is fully saturated. ``size`` (height, width) is needed when there
    is no flow at all (a single frame): it is white, nothing moves.
    """
    if not flows:
        height, width = size or (0, 0)
        return [np.full((height, width, 3), 255, np.uint8) for _ in range(count)]
    speeds = np.concatenate([np.hypot(f[::4, ::4, 0], f[::4, ::4, 1]).ravel() for f in flows])
    # A static shot has noise of a tenth of a pixel, which must not be stretched to full colour.
    fastest = max(1.0, float(np.percentile(speeds, 98)))
    drawn = [flow_picture(f, fastest) for f in flows]
    return ([drawn[0], *drawn] + [drawn[-1]] * count)[:count]


def flow_picture(flow: Flow, fastest: float) -> Picture:
    """(H, W, 3) uint8 colour-wheel picture of a flow; ``fastest`` pixels a frame is full saturation."""
    wheel = _wheel()
    x, y = flow[..., 0] / np.float32(fastest), flow[..., 1] / np.float32(fastest)
    radius = np.minimum(np.hypot(x, y), 1.0)
    # Baker's convention: the angle of −flow, from −π to π over the 55 colours.
    place = (np.arctan2(-y, -x) / np.pi + 1) / 2 * (len(wheel) - 1)
    low = np.floor(place).astype(np.int32)
    part = (place - low)[..., None].astype(np.float32)
    hue = wheel[low % len(wheel)] * (1 - part) + wheel[(low + 1) % len(wheel)] * part
    return np.floor(255 * (1 - radius[..., None] * (1 - hue))).astype(np.uint8)


@lru_cache(maxsize=1)
def _wheel() -> NDArray[np.float32]:
    """(55, 3) colours 0…1 round the circle, spaced as the eye tells hues apart: 15 steps from red to yellow, 6 to
    green, 4 to cyan, 11 to blue, 13 to magenta and 6 back to red."""
    corners = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [1, 0, 0]], np.float32)
    parts: list[NDArray[np.float32]] = []
    for index, steps in enumerate((15, 6, 4, 11, 13, 6)):
        share = (np.floor(255 * np.arange(steps) / steps) / 255)[:, None].astype(np.float32)
        parts.append(corners[index] * (1 - share) + corners[index + 1] * share)
    return np.concatenate(parts).astype(np.float32)


def global_motion(flow: Flow, rounds: int = 5) -> tuple[NDArray[np.float64], Flow]:
    """The camera's share of a flow as a 2×3 affine map fitted robustly, and what is left: (matrix, residual (H, W, 2)).

    Iteratively reweighted least squares with Cauchy weights over a coarse grid; the matrix gives flow = A·(x, y, 1).
    """
    height, width = flow.shape[:2]
    step = max(1, min(height, width) // 48)
    ys, xs = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    points = np.stack([xs.ravel() / width, ys.ravel() / height, np.ones(xs.size)], 1)
    there = flow[ys.ravel(), xs.ravel()].astype(np.float64)
    weight = np.ones(len(points))
    fit = np.zeros((3, 2))
    for _ in range(rounds):
        weighted = points * weight[:, None]
        fit = np.linalg.lstsq(weighted.T @ points + 1e-9 * np.eye(3), weighted.T @ there, rcond=None)[0]
        gap = np.hypot(*(there - points @ fit).T)
        scale = max(0.1, 1.4826 * float(np.median(gap)))
        weight = 1 / (1 + (gap / scale) ** 2)
    matrix = (fit / np.array([[width], [height], [1.0]])).T
    grid = motion.grid(height, width)
    camera = cv2.transform(grid, matrix)
    return matrix, np.asarray(flow - camera, np.float32)
