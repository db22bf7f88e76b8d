"""How much memory a model needs, told from its configs and headers: no weight is read, torch is not imported.

Weights are counted exactly. Activations follow the structure of the classes diffusers runs (attention without a stored
matrix, feed-forward in one piece, the VAE frame by frame); the factors were fitted to what the allocator reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gen2studio.core.records import dataclass
from gen2studio.models.architecture import vae_scales, wan_shape
from gen2studio.models.library import InstalledModel
from gen2studio.models.wan_layout import WanShape

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8": 1}
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

    def transformer_bytes(self, dtype: str, *, fp8: bool = False) -> int:
        return self.transformer * (BYTES["float8"] if fp8 else BYTES[dtype])

    def block_bytes(self, dtype: str, *, fp8: bool = False) -> int:
        return self.block * (BYTES["float8"] if fp8 else BYTES[dtype])

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
    for headers in (checked.headers["transformer"],):
        for header in headers:
            for name, tensor in header.tensors.items():
                head, _, rest = name.partition("blocks.")
                if rest:
                    key = f"{head}{rest.split('.')[0]}"
                    blocks[key] = blocks.get(key, 0) + tensor.count
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
