"""How much memory a model needs, told from its configs and headers: no weight is read, torch is not imported.

Weights are counted exactly. Activations follow the structure of the classes diffusers runs (attention without a stored
matrix, feed-forward in one piece, the VAE frame by frame); the factors were fitted to what the allocator reported.
"""

from __future__ import annotations

from gen2studio.core.records import dataclass
from gen2studio.models.families.rules import ClipShape, Work
from gen2studio.models.families.tensor_checks import repeated_block
from gen2studio.models.gguf_header import QUANTIZED
from gen2studio.models.library import InstalledModel

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2, "float8": 1}
INT8 = 34 / 32
"""Bytes of a weight stored as int8: 32 of them share a scale of two bytes."""
TILE = 256
"""Side of a VAE tile in pixels, as diffusers cuts them."""
_UNFOLDED = 20480
"""Up to this size torch's 3-D convolution on a CPU writes out its 27 neighbours instead of calling oneDNN."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """The counts that memory estimates are made of."""

    transformer: int
    """Parameters of everything that denoises."""
    block: int
    """Parameters of the biggest block of it."""
    matrices: float = 0.97
    """Part of the parameters that are matrices inside the blocks: what can be stored in 8 bits."""
    packed: float = 0.0
    """Bytes of a parameter of a file that is packed already (GGUF); 0 = it is not."""
    largest: int = 0
    """Parameters of the biggest matrix: it is wide for a moment while it computes."""
    convolution: int = 0
    """Parameters of its biggest convolution."""
    vae: int
    vae_narrow: bool = False
    """The VAE computes in the denoiser's numbers; else in float32."""
    text_encoder: int
    """Parameters of all text encoders."""
    waiting: int = 0
    """Parameters of what stays in main memory until a job needs a part of it."""
    visiting: int = 0
    """Of the biggest part of that, which comes to the device for a job."""
    beside: int = 0
    """Parameters of what else stays on the device in float32: an image encoder."""
    work: Work
    """Of one window, for the denoiser and for the VAE."""
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

    @property
    def tokens(self) -> int:
        """Positions of the clip in the denoiser."""
        return self.work.denoiser.tokens

    def denoising_bytes(self, dtype: str, device: str = "") -> int:
        """Activations of one pass of the denoiser, and what ``device`` needs beside them: on a processor the biggest
        convolution lies there again in float32, in the order that oneDNN computes in."""
        again = self.convolution * BYTES["float32"] if device == "cpu" else 0
        return self.work.denoiser.denoising_bytes(BYTES[dtype]) + again

    def vae_size(self, dtype: str) -> int:
        """Bytes of a number of the VAE, of a model that computes in ``dtype``."""
        return BYTES[dtype] if self.vae_narrow else BYTES["float32"]

    def decoding_bytes(self, device: str, *, tiled: bool, dtype: str = "float32") -> int:
        """Activations of the VAE decoder, and the frames it hands out in float32. Encoding needs less."""
        pixels, across = self.work.vae_pixels, self.clip.width * self.clip.height / max(1, self.work.vae_pixels)
        if tiled:
            pixels = min(pixels, int(TILE * TILE / across))
        plane = pixels * self.work.vae_channels * self.vae_size(dtype)
        working = plane * (self.work.vae_planes or 8 * self.work.vae_frames + 24)
        rows = (pixels * self.clip.height / max(1, self.clip.width)) ** 0.5
        volumes = self.work.vae_frames > 1
        if device == "cpu" and volumes and self.work.vae_channels * (self.work.vae_frames + 2) * rows <= _UNFOLDED:
            working += plane * 27 * self.work.vae_frames
        frames = self.clip.width * self.clip.height * self.clip.frames * 3 * 4
        return int(working + frames * (3 if tiled else 2))


def footprint(model: InstalledModel, shape: ClipShape | None = None) -> Footprint:
    """The counts of ``model`` for a window of ``shape`` (None = its native one). Raises ModelError on a problem."""
    checked = model.checkpoint()
    family, manifest = checked.family, model.manifest
    clip = shape or native_shape(model)
    blocks: dict[str, int] = {}
    matrices = largest = convolution = 0
    stored = 0.0
    packed = False
    for part in family.denoisers:
        for header in checked.headers.get(part, ()):
            for name, info in header.tensors.items():
                packed = packed or info.dtype in QUANTIZED
                stored += info.size if info.dtype in QUANTIZED else info.count * BYTES["bfloat16"]
                convolution = max(convolution, info.count if len(info.shape) > 3 else 0)
                block = repeated_block(name)
                if block:
                    key = f"{part}.{block}"
                    blocks[key] = blocks.get(key, 0) + info.count
                    if len(info.shape) == 2 and name.endswith(".weight"):
                        matrices += info.count
                        largest = max(largest, info.count)
    sizes = {part.name: part.parameters for part in manifest.components}
    denoiser = sum(sizes.get(part, 0) for part in family.denoisers)
    return Footprint(
        transformer=denoiser,
        block=max(blocks.values(), default=denoiser),
        matrices=matrices / max(1, denoiser),
        packed=stored / max(1, denoiser) if packed else 0.0,
        largest=largest,
        convolution=convolution,
        vae=sizes["vae"],
        vae_narrow="vae" not in family.precise,
        text_encoder=sum(sizes.get(part, 0) for part in family.text_parts),
        waiting=sum(sizes.get(part, 0) for part in family.waiting),
        visiting=max((sizes.get(part, 0) for part in family.waiting), default=0),
        beside=sum(sizes[part] for part in family.precise if part != "vae" and part in sizes),
        work=family.work(checked.configs, clip),
        clip=clip,
    )


def native_shape(model: InstalledModel) -> ClipShape:
    """The first size and the number of frames the model was made for."""
    width, height = model.manifest.sizes[0]
    return ClipShape(width=width, height=height, frames=model.manifest.frames.native)
