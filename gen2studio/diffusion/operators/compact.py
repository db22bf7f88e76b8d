"""Real-ESRGAN's small video network as an upscaler, from weights that the artist has.

SRVGGNetCompact (Wang et al., "Real-ESRGAN", ICCVW 2021, and the authors' releases): convolutions at the source's size
and one pixel shuffle, added to the nearest-neighbour enlargement. Layer sizes are read off the weights.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.operators.upscale import fitted, pending
from gen2studio.engine.events import Estimate
from gen2studio.engine.generators import OperateContext
from gen2studio.engine.requests import OperateRequest

Picture = NDArray[np.uint8]

_TILE = 320
_BORDER = 24
"""Pixels of surroundings that a tile sees: more than the network's reach of one per layer."""


class CompactUpscaler:
    """``upscale:realesr-animevideov3``: the network at its own factor (4), reduced where 2 is asked for."""

    title = "Upscaling (Real-ESRGAN animevideov3)"

    def __init__(self, weights: Path, device: str = "cpu") -> None:
        self._weights = weights
        self._device = device
        self._network: Any = None
        self._factor = 4

    def estimate(self, request: OperateRequest) -> Estimate:
        pixels = request.width * request.height
        count = max(0, request.stop - request.start)
        tile = (_TILE + 2 * _BORDER) ** 2 * 64 * 4 * 3
        return Estimate(memory_bytes=24 * pixels + tile + (400 << 20), disk_bytes=2 * pixels * count)

    def operate(self, request: OperateRequest, context: OperateContext) -> None:
        wanted = pending(request, context)
        if wanted:
            context.progress(0, request.stop - request.start, "Loading the network")
            self._load()
        for frame in wanted:
            context.progress(frame, request.stop - request.start, "Upscaling")
            large = self.enlarged(context.source(request.start + frame), context)
            context.emit(frame, fitted(large, (request.width, request.height)))
        context.progress(request.stop - request.start, request.stop - request.start, "Upscaling")

    def enlarged(self, picture: Picture, context: OperateContext | None = None) -> Picture:
        """(4·H, 4·W, 3) uint8, computed tile by tile; tiles overlap by more than the network sees, so no seams."""
        import torch

        self._load()
        height, width = picture.shape[:2]
        factor = self._factor
        out = np.empty((height * factor, width * factor, 3), np.uint8)
        padded = cv2.copyMakeBorder(picture, _BORDER, _BORDER, _BORDER, _BORDER, cv2.BORDER_REPLICATE)
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                if context is not None:
                    context.checkpoint()
                rows, columns = min(_TILE, height - top), min(_TILE, width - left)
                tile = padded[top : top + rows + 2 * _BORDER, left : left + columns + 2 * _BORDER]
                unit = torch.from_numpy(np.ascontiguousarray(tile.transpose(2, 0, 1)))[None].float() / 255
                with torch.inference_mode():
                    made = self._network(unit.to(self._device))[0].clamp(0, 1).mul(255).round().byte().cpu().numpy()
                inner = made[:, _BORDER * factor :, _BORDER * factor :][:, : rows * factor, : columns * factor]
                out[top * factor : (top + rows) * factor, left * factor : (left + columns) * factor] = inner.transpose(
                    1, 2, 0
                )
        return out

    def _load(self) -> None:
        if self._network is None:
            self._network, self._factor = load_compact(self._weights)
            self._network.to(self._device)


def load_compact(path: Path) -> tuple[Any, int]:
    """(module in evaluation mode, factor) from a .pth (weights only) or .safetensors file. Raises GenerationError."""
    try:
        state = _state(path)
        layers = sorted({int(key.split(".")[1]) for key in state})
        features = int(state["body.0.weight"].shape[0])
        last = state[f"body.{layers[-1]}.weight"]
        factor = round((int(last.shape[0]) / 3) ** 0.5)
        if layers != list(range(len(layers))) or len(layers) > 200 or features > 256 or 3 * factor**2 != last.shape[0]:
            raise ValueError("layers")
        network = _network(features, len(layers), factor)
        network.load_state_dict({key: value.float() for key, value in state.items()})
    except (OSError, ValueError, KeyError, IndexError, RuntimeError, pickle.UnpicklingError, AttributeError) as error:
        raise GenerationError(
            f"“{path.name}” does not hold the weights of a Real-ESRGAN compact network.",
            "Use realesr-animevideov3.pth as its authors publish it.",
        ) from error
    return network.eval().requires_grad_(False), factor


def _state(path: Path) -> Mapping[str, Any]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path, device="cpu")
        except SafetensorError as error:
            raise ValueError("safetensors") from error
    import torch

    # Nothing in the file is executed: tensors and plain containers only.
    loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    return loaded.get("params", loaded)


def _network(features: int, layers: int, factor: int) -> Any:
    import torch
    from torch import nn

    class Compact(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.ModuleList()
            for index in range(layers - 1):
                if index % 2:
                    self.body.append(nn.PReLU(features))
                else:
                    self.body.append(nn.Conv2d(3 if index == 0 else features, features, 3, padding=1))
            self.body.append(nn.Conv2d(features, 3 * factor * factor, 3, padding=1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = x
            for layer in self.body:
                y = layer(y)
            large = nn.functional.pixel_shuffle(y, factor)
            return large + nn.functional.interpolate(x, scale_factor=factor, mode="nearest")

    return Compact()
