"""Estimated depth: Depth Anything where its files are there, weaker cues of the picture otherwise - each with its name.

Depth maps are (H, W) float32, 1 = nearest, 0 = farthest, proportional to inverse depth, and scaled once per clip by its
2nd and 98th percentiles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
Depth = NDArray[np.float32]
"""(H, W) float32, 1 = nearest, 0 = farthest (inverse depth)."""
Checkpoint = Callable[[int, int], None]
"""Called with (frames done, frames in all) between frames; may raise Cancelled."""


class DepthEstimator(Protocol):
    """Estimates the depth of a clip."""

    @property
    def title(self) -> str:
        """As shown to the artist, with what it is worth."""
        ...

    @property
    def revision(self) -> str:
        """Changes with the results: part of what makes a take stale."""
        ...

    @property
    def weak(self) -> bool:
        """True where this is a guess from cues rather than a network that knows scenes."""
        ...

    def estimate(self, frames: Sequence[Picture], checkpoint: Checkpoint | None = None) -> list[Depth]:
        """One map per frame, steady in time, scaled per clip. Raises GenerationError."""
        ...


def normalised(
    depths: Sequence[Depth], near: float | None = None, far: float | None = None, clear: float = 0.0
) -> list[Depth]:
    """Maps of any scale (larger = nearer) brought to 0…1 by one range for the clip: ``near`` and ``far``, or the 98th
    and 2nd percentiles over all frames. A clip without any depth is 0.5 everywhere. ``clear`` keeps a margin."""
    if not depths:
        return []
    sample = np.concatenate([d[::3, ::3].ravel() for d in depths])
    sample = sample[np.isfinite(sample)]
    if not sample.size:
        return [np.full(d.shape, 0.5, np.float32) for d in depths]
    low, high = (float(v) for v in np.percentile(sample, (2, 98)))
    low, high = (low if far is None else far), (high if near is None else near)
    if abs(high - low) < 1e-9:
        return [np.full(d.shape, 0.5, np.float32) for d in depths]
    scale = np.float32((1 - 2 * clear) / (high - low))
    return [
        np.clip((np.nan_to_num(d, nan=low, posinf=high, neginf=low) - np.float32(low)) * scale + clear, 0, 1).astype(
            np.float32
        )
        for d in depths
    ]


def depth_pictures(depths: Sequence[Depth]) -> list[Picture]:
    """(H, W, 3) uint8 control pictures, near = white, of maps that are scaled already."""
    return [np.repeat(np.rint(np.clip(d, 0, 1) * 255).astype(np.uint8)[..., None], 3, axis=2) for d in depths]


class DepthAnythingEstimator:
    """Depth Anything V2 Small (Yang et al., NeurIPS 2024; Apache-2.0) by transformers, from a local folder.

    The network sees one frame at a time and knows depth up to scale and shift: every frame is fitted to the one before
    it by (scale, shift) on what stands still, then a median over three frames is taken along the motion. Nothing is
    downloaded; weights are safetensors. About 5 s a frame on two CPU cores at 252 lines.
    """

    title = "Depth Anything V2"
    weak = False

    def __init__(self, folder: Path, device: str = "cpu", lines: int = 252) -> None:
        self._folder = folder
        self._device = device
        self._lines = max(14, lines // 14 * 14)
        self._network: Any = None

    @property
    def revision(self) -> str:
        return f"depth-anything-{self._lines}-1"

    @staticmethod
    def has_files(folder: Path) -> bool:
        """Whether the folder looks like the model's: a configuration and safetensors."""
        return (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))

    def estimate(self, frames: Sequence[Picture], checkpoint: Checkpoint | None = None) -> list[Depth]:
        raw: list[Depth] = []
        for index, frame in enumerate(frames):
            if checkpoint is not None:
                checkpoint(index, len(frames))
            raw.append(self._predict(frame))
        return normalised(steadied(raw, frames))

    def _predict(self, frame: Picture) -> Depth:
        import torch

        network = self._loaded()
        height, width = frame.shape[:2]
        scale = self._lines / min(height, width)
        # The vision transformer's patches are 14 pixels.
        size = (max(14, round(width * scale / 14) * 14), max(14, round(height * scale / 14) * 14))
        small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        unit = (small.astype(np.float32) / 255 - _MEAN) / _DEVIATION
        pixels = torch.from_numpy(np.ascontiguousarray(unit.transpose(2, 0, 1)))[None].to(self._device)
        with torch.inference_mode():
            found = network(pixel_values=pixels).predicted_depth
        plane = found[0].float().cpu().numpy()
        return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)

    def _loaded(self) -> Any:
        if self._network is None:
            from transformers import DepthAnythingForDepthEstimation
            from transformers.utils import logging

            # Its progress bar starts a thread that outlives the load; the job has a progress of its own.
            logging.disable_progress_bar()
            try:
                model: Any = DepthAnythingForDepthEstimation.from_pretrained(
                    str(self._folder), local_files_only=True, use_safetensors=True
                )
                self._network = model.eval().to(self._device)
            except Exception as error:
                raise GenerationError(
                    f"The depth model in “{self._folder.name}” can't be loaded.",
                    "Get its files again, or choose edges as the structure source.",
                ) from error
        return self._network


_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def steadied(depths: Sequence[Depth], frames: Sequence[Picture]) -> list[Depth]:
    """Maps that are each right up to scale and shift, made steady: fitted to the map before on what agrees, then the
    median of three along the motion."""
    if len(depths) < 2:
        return [np.asarray(d, np.float32) for d in depths]
    greys = [motion.grey(f) for f in frames]
    aligned = [np.asarray(depths[0], np.float32)]
    back: list[motion.Flow] = []
    ahead: list[motion.Flow] = []
    for index in range(1, len(depths)):
        there = motion.dis_flow(greys[index], greys[index - 1], "fast")
        here = motion.dis_flow(greys[index - 1], greys[index], "fast")
        back.append(there)
        ahead.append(here)
        before = np.asarray(motion.warp(aligned[-1], there), np.float32)
        scale, shift = affine_fit(depths[index], before, motion.visible(there, here))
        aligned.append(np.asarray(depths[index] * np.float32(scale) + np.float32(shift), np.float32))
    return _median_along(aligned, back, ahead)


def affine_fit(values: Depth, target: Depth, where: NDArray[np.bool_], rounds: int = 4) -> tuple[float, float]:
    """(scale, shift) that bring ``values`` to ``target`` over ``where``, robust against what moved (Cauchy weights)."""
    x = values[where][::7].astype(np.float64)
    y = target[where][::7].astype(np.float64)
    if x.size < 16 or float(x.std()) < 1e-9:
        return 1.0, 0.0
    weight = np.ones_like(x)
    scale, shift = 1.0, 0.0
    for _ in range(rounds):
        total = weight.sum()
        mx, my = float((weight * x).sum() / total), float((weight * y).sum() / total)
        spread = float((weight * (x - mx) ** 2).sum())
        scale = float((weight * (x - mx) * (y - my)).sum()) / max(spread, 1e-12)
        # A depth map never turns inside out from one frame to the next.
        scale = min(4.0, max(0.25, scale))
        shift = my - scale * mx
        gap = np.abs(y - scale * x - shift)
        weight = 1 / (1 + (gap / max(1e-9, 1.4826 * float(np.median(gap)))) ** 2)
    return scale, shift


def _median_along(depths: list[Depth], back: list[motion.Flow], ahead: list[motion.Flow]) -> list[Depth]:
    out: list[Depth] = []
    for index, here in enumerate(depths):
        before = motion.warp(depths[index - 1], back[index - 1]) if index > 0 else here
        after = motion.warp(depths[index + 1], ahead[index]) if index + 1 < len(depths) else here
        low, high = np.minimum(before, after), np.maximum(before, after)
        out.append(np.clip(here, low, high).astype(np.float32))
    return out


def best_estimator(folder: Path | None = None, device: str = "cpu") -> DepthEstimator:
    """Depth Anything where ``folder`` holds its files, else the weak cues; ``title`` and ``weak`` say which."""
    from gen2studio.diffusion.conditioning.depth_cues import WeakDepthCue

    if folder is not None and DepthAnythingEstimator.has_files(folder):
        return DepthAnythingEstimator(folder, device)
    return WeakDepthCue()
