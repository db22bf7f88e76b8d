"""How much memory a model needs, told from its configs and headers: no weight is read, torch is not imported.

Weights are counted exactly. Activations follow the structure of the classes diffusers runs (attention without a stored
matrix, feed-forward in one piece, the VAE frame by frame); the factors were fitted to what the allocator reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen2studio.core.records import dataclass
from gen2studio.models.architecture import vae_scales, wan_shape
from gen2studio.models.gguf_header import QUANTIZED
from gen2studio.models.library import InstalledModel
from gen2studio.models.wan_layout import WanShape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8": 1}
INT8 = 34 / 32
"""Bytes of a weight stored as int8: 32 of them share a scale of two bytes."""
TILE = 256
"""Side of a VAE tile in pixels, as diffusers cuts them."""
_UNFOLDED = 20480
"""Up to this size torch's 3-D convolution on a CPU writes out its 27 neighbours instead of calling oneDNN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """The size of one window of a shot: pixels and frames."""

    width: int
    height: int
    frames: int

    def __str__(self) -> str:
        return f"{self.width}×{self.height}, {self.frames} frames"


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The counts that memory estimates are made of."""

    transformer: int
    """Parameters."""
    block: int
    """Parameters of the biggest transformer block."""
    matrices: float = 0.97
    """Part of the parameters that are matrices inside the blocks: what can be stored in 8 bits."""
    packed: float = 0.0
    """Bytes of a parameter of a file that is packed already (GGUF); 0 = it is not."""
    largest: int = 0
    """Parameters of the biggest matrix: it is wide for a moment while it computes."""
    vae: int
    text_encoder: int
    tokens: int
    """Tokens of the clip in the transformer."""
    shape: WanShape
    vae_channels: int
    """Channels of the VAE's decoder at full resolution."""
    vae_pixels: int
    """Pixels of a frame on the grid the decoder works on."""
    vae_frames: int
    """Frames the VAE works on at a time: its encoder takes four whatever its temporal factor is."""
    clip: ClipShape

    def bytes_per_weight(self, dtype: str, stored_as: str | None = None) -> float:
        """Of the transformer, on average: computed in ``dtype`` and stored as that, as int8 or as a float8 type."""
        if self.packed:
            return self.packed
        wide = BYTES[dtype]
        if stored_as is None:
            return wide
        narrow = INT8 if stored_as == "int8" else BYTES["float8"]
        return self.matrices * narrow + (1 - self.matrices) * wide

    def transformer_bytes(self, dtype: str, stored_as: str | None = None) -> int:
        return int(self.transformer * self.bytes_per_weight(dtype, stored_as))

    def block_bytes(self, dtype: str, stored_as: str | None = None) -> int:
        return int(self.block * self.bytes_per_weight(dtype, stored_as))

    def widening_bytes(self, dtype: str, stored_as: str | None = None) -> int:
        """What the biggest matrix needs beside itself where it is stored narrow."""
        if not self.packed and stored_as is None:
            return 0
        return self.largest * (BYTES[dtype] + (6 if self.packed or stored_as == "int8" else 0))

    def denoising_bytes(self, dtype: str) -> int:
        """Activations of one transformer pass."""
        size, shape = BYTES[dtype], self.shape
        row = self.tokens * shape.dim
        # Residual stream, control stream, and one hint for each VACE block kept until its main block is reached.
        kept = (2 + len(shape.control_layers)) * row * size
        attention = row * (5 * size + 3 * 4)
        feed_forward = 2 * self.tokens * shape.ffn * size + 3 * row * 4
        latents = 4 * self.tokens * (2 * shape.latent_in + shape.control_channels) * 4
        return kept + max(attention, feed_forward) + latents

    def decoding_bytes(self, device: str, *, tiled: bool) -> int:
        """Activations of the VAE decoder in float32, and the frames it hands out. Encoding needs less."""
        pixels, across = self.vae_pixels, self.clip.width * self.clip.height / max(1, self.vae_pixels)
        if tiled:
            pixels = min(pixels, int(TILE * TILE / across))
        plane = pixels * self.vae_channels * 4
        working = plane * (8 * self.vae_frames + 24)
        rows = (pixels * self.clip.height / max(1, self.clip.width)) ** 0.5
        if device == "cpu" and self.vae_channels * (self.vae_frames + 2) * rows <= _UNFOLDED:
            working += plane * 27 * self.vae_frames
        frames = self.clip.width * self.clip.height * self.clip.frames * 3 * 4
        return int(working + frames * (3 if tiled else 2))


def footprint(model: InstalledModel, shape: ClipShape | None = None) -> Footprint:
    """The counts of ``model`` for a window of ``shape`` (None = its native one). Raises ModelError on a problem."""
    checked = model.checkpoint()
    manifest = model.manifest
    clip = shape or native_shape(model)
    wan = wan_shape(checked.configs["transformer"])
    blocks: dict[str, int] = {}
    matrices = largest = 0
    stored = 0.0
    tensors = {name: info for header in checked.headers["transformer"] for name, info in header.tensors.items()}
    for name, info in tensors.items():
        stored += info.size if info.dtype in QUANTIZED else info.count * BYTES["bfloat16"]
        head, _, rest = name.partition("blocks.")
        if rest:
            key = f"{head}{rest.split('.')[0]}"
            blocks[key] = blocks.get(key, 0) + info.count
            if len(info.shape) == 2 and name.endswith(".weight"):
                matrices += info.count
                largest = max(largest, info.count)
    packed = any(info.dtype in QUANTIZED for info in tensors.values())
    vae: Mapping[str, Any] = checked.configs["vae"]
    _, spatial, temporal = vae_scales(vae)
    patch = int(vae.get("patch_size") or 1)
    cells = -(-clip.width // spatial) * -(-clip.height // spatial)
    latent_frames = (clip.frames - 1) // temporal + 1
    sizes = {part.name: part.parameters for part in manifest.components}
    multipliers = vae.get("dim_mult") or [1]
    return Footprint(
        transformer=sizes["transformer"],
        block=max(blocks.values(), default=sizes["transformer"]),
        matrices=matrices / max(1, sizes["transformer"]),
        packed=stored / max(1, sizes["transformer"]) if packed else 0.0,
        largest=largest,
        vae=sizes["vae"],
        text_encoder=sizes["text_encoder"],
        tokens=latent_frames * cells // max(1, wan.patch[0] * wan.patch[1] * wan.patch[2]),
        shape=wan,
        vae_channels=int(vae.get("decoder_base_dim") or vae.get("base_dim") or 96) * int(multipliers[0]),
        vae_pixels=clip.width * clip.height // patch**2,
        vae_frames=max(4, temporal),
        clip=clip,
    )


def native_shape(model: InstalledModel) -> ClipShape:
    """The first size and the number of frames the model was made for."""
    width, height = model.manifest.sizes[0]
    return ClipShape(width=width, height=height, frames=model.manifest.frames.native)
