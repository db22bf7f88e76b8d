"""Stable Video Diffusion on torch: diffusers' ``StableVideoDiffusionPipeline`` around loaded parts.

Its latents are (1, F, C, h, w) and its scheduler Euler on EDM's scaling with v-prediction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.families.svd import bucket
from gen2studio.diffusion.runtime.applying import free_memory_of
from gen2studio.diffusion.runtime.loading import Components, is_out_of_memory
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import motion, seeds
from gen2studio.diffusion.sampling.decode import pictures
from gen2studio.diffusion.sampling.jobs import (
    clip_noise,
    device_of,
    latent_shape,
    own_pipeline,
    stand_in,
    stopping,
    video_tensor,
)
from gen2studio.diffusion.sampling.taps import StepTap, karras
from gen2studio.diffusion.sampling.tiles import decoded_in_tiles, with_smaller_tiles
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
_RATE = 7.0
NOISE_ON_IMAGE = 0.02
"""noise_aug_strength as published: more lets the clip leave the picture."""
_CHUNK = 8
"""Frames the decoder takes at a time when all of them are too many."""


class SvdDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.StableVideoDiffusionPipeline)

    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        """Nothing: there are no words."""
        del parts, text, length, device
        return {}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        from PIL import Image

        inputs, sampling, watch = run.inputs, run.sampling, run.watch
        if not inputs.keys:
            raise GenerationError("There is no picture to begin with.", "Put one on the shot's first frame.")
        job = own_pipeline(pipe)
        unet = pipe.unet
        # Motion is the model's own condition here: its noise stays whole.
        noise = clip_noise(latent_shape(inputs, run.geometry), sampling, job._execution_device, share=motion.NEUTRAL)
        tap = StepTap(job.scheduler, karras)

        def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            assert tap.clean is not None
            watch.stepped(index + 1, job.num_timesteps, tap.clean.transpose(1, 2))
            return values

        see = job._encode_image
        # The encoder may compute in wider numbers than the UNet, whose numbers the pipeline takes from what it says.
        stand_in(job, "_encode_image", lambda *values, **named: see(*values, **named).to(unet.dtype))
        blocks = [*unet.down_blocks, unet.mid_block, *unet.up_blocks]
        with stopping([*blocks, pipe.image_encoder, pipe.vae.encoder], watch.check):
            try:
                made = job(
                    image=Image.fromarray(inputs.keys[0][1]),
                    width=inputs.width,
                    height=inputs.height,
                    num_frames=inputs.frames,
                    num_inference_steps=sampling.steps,
                    min_guidance_scale=1.0,
                    max_guidance_scale=max(1.0, sampling.guidance),
                    fps=round(sampling.rate or _RATE),
                    motion_bucket_id=bucket(inputs.motion),
                    noise_aug_strength=NOISE_ON_IMAGE,
                    generator=seeds.generator(sampling.seed),
                    latents=noise.transpose(1, 2).to(unet.dtype),
                    output_type="latent",
                    callback_on_step_end=on_step,
                ).frames
            finally:
                job.maybe_free_model_hooks()
        return made.transpose(1, 2).float()

    @torch.no_grad()
    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        vae = pipe.vae
        video = video_tensor(frames)[0].transpose(0, 1)
        found = [vae.encode(frame[None].to(device_of(vae), vae.dtype)).latent_dist.mode().float() for frame in video]
        return torch.stack([latent[0] for latent in found], 1)[None] * vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae
        cell = 2 ** (len(vae.config.block_out_channels) - 1)
        # As the pipeline does it: times the inverse, so that the bits agree.
        raw = (1 / vae.config.scaling_factor * latents).transpose(1, 2)[0]
        count = raw.shape[0]
        decoder = vae.decoder
        stages = [decoder.mid_block, *decoder.up_blocks]

        def part(frames: Tensor) -> Tensor:
            with stopping(stages, how.check):
                made = vae.decode(frames.to(device_of(vae), vae.dtype), num_frames=len(frames)).sample
            return made.transpose(0, 1)[None]

        def whole() -> Iterator[Picture]:
            # The decoder looks at neighbouring frames: the more at once, the steadier the picture.
            try:
                made = pictures(part(raw))
            except (RuntimeError, MemoryError) as error:
                if count <= _CHUNK or not is_out_of_memory(error):
                    raise
                made = None
            if made is not None:
                how.progress(count, count)
                yield from made
                return
            free_memory_of(torch)
            how.note(f"Memory is short: {_CHUNK} frames are decoded at a time.")
            for begin in range(0, count, _CHUNK):
                yield from pictures(part(raw[begin : begin + _CHUNK]))
                how.progress(min(count, begin + _CHUNK), count)

        def tiled(side: int) -> Iterator[Picture]:
            for begin in range(0, count, _CHUNK):
                frames = raw[begin : begin + _CHUNK]
                yield from pictures(decoded_in_tiles(part, frames, side, cell))
                how.progress(min(count, begin + _CHUNK), count)

        side = max(latents.shape[-2:]) * cell
        return with_smaller_tiles(whole, tiled, side=side, how=how)
