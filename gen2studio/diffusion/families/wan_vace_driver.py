"""Wan VACE on torch: diffusers' ``WanVACEPipeline`` around loaded parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import decode as decoding
from gen2studio.diffusion.sampling import denoise as denoising
from gen2studio.engine.events import Picture
from gen2studio.models.manifest import MODEL_INDEX


class WanVaceDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        ratio = parts.model.checkpoint().configs.get(MODEL_INDEX, {}).get("boundary_ratio")
        return parts.pipeline(library.WanVACEPipeline, boundary_ratio=ratio)

    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        pipe = self.pipeline(parts)
        with torch.no_grad():
            made, _ = pipe.encode_prompt(
                text, do_classifier_free_guidance=False, max_sequence_length=length, device=torch.device(device)
            )
        return {"prompt_embeds": made}

    def denoise(self, pipe: Any, run: Denoising) -> torch.Tensor:
        return denoising.denoise(pipe, run)

    def encode(self, pipe: Any, frames: Sequence[Picture]) -> torch.Tensor:
        return denoising.encode(pipe, frames)

    def decode(self, pipe: Any, latents: torch.Tensor, how: Decoding) -> Iterator[Picture]:
        return decoding.decode(pipe, latents, how)
