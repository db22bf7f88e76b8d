"""Qwen-Image-Edit on torch: diffusers' ``QwenImageEditPlusPipeline`` around loaded parts.

The VAE is a causal one that is shown single frames: its latents are (1, C, 1, h / 8, w / 8). The denoiser works on rows
of two by two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import flow_start, seeds
from gen2studio.diffusion.sampling.decode import decoded_singly, latent_statistics, stages_of
from gen2studio.diffusion.sampling.edit_pictures import as_images
from gen2studio.diffusion.sampling.jobs import (
    clip_noise,
    device_of,
    latent_shape,
    own_pipeline,
    stand_in,
    stopping,
    video_tensor,
)
from gen2studio.diffusion.sampling.taps import StepTap, flow
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
_NOTHING = " "
"""What the model's makers say in place of an empty negative prompt."""


class QwenImageEditDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.PictureReadingDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.QwenImageEditPlusPipeline)

    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        return self.embed_pictures(parts, text, (), length, device)

    @torch.no_grad()
    def embed_pictures(
        self, parts: Components, text: str, pictures: Sequence[Picture], length: int, device: str
    ) -> TextEmbedding:
        pipe = self.pipeline(parts)
        shown = [_condition(pipe, image) for image in as_images(pictures)]
        made, _ = pipe.encode_prompt(
            text or _NOTHING, image=shown or None, device=torch.device(device), max_sequence_length=length
        )
        return {"prompt_embeds": made}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        job = own_pipeline(pipe)
        device = job._execution_device
        shape = latent_shape(inputs, run.geometry)
        noise = clip_noise(shape, sampling, device)
        blocks = [*pipe.transformer.transformer_blocks, *stages_of(pipe.vae.encoder)]
        size = inputs.height, inputs.width
        with stopping(blocks, watch.check), picture_area(inputs.width * inputs.height):
            begin, levels = noise, None
            if inputs.start and inputs.strength < 1.0:
                levels = flow_start.levels(inputs.strength, sampling.steps)
                clean = self.encode(job, inputs.start)
                shift = _shift(job, shape[3] * shape[4] // 4)
                begin = flow_start.begun(job.scheduler, levels, shift, clean, noise)
            stand_in(job, "_encode_vae_image", _in_its_own_format(pipe))
            tap = StepTap(job.scheduler, flow)
            last = begin

            def unpacked(rows: Tensor) -> Tensor:
                return job._unpack_latents(rows.float(), *size, job.vae_scale_factor)

            def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
                nonlocal last
                assert tap.clean is not None
                last = unpacked(values["latents"])
                watch.stepped(index + 1, job.num_timesteps, unpacked(tap.clean))
                return values

            positive = embeds.positive["prompt_embeds"].to(device)
            negative = None if embeds.negative is None else embeds.negative["prompt_embeds"].to(device)
            try:
                job(
                    image=as_images((*inputs.video, *inputs.references)),
                    height=inputs.height,
                    width=inputs.width,
                    num_inference_steps=len(levels) if levels is not None else sampling.steps,
                    sigmas=levels,
                    true_cfg_scale=sampling.guidance if negative is not None else 1.0,
                    generator=seeds.generator(sampling.seed),
                    latents=job._pack_latents(begin[:, :, 0], 1, *shape[1:2], *shape[3:]),
                    # One text alone is never padded.
                    prompt_embeds=positive,
                    prompt_embeds_mask=_whole(positive),
                    negative_prompt_embeds=negative,
                    negative_prompt_embeds_mask=None if negative is None else _whole(negative),
                    output_type="latent",
                    callback_on_step_end=on_step,
                )
            finally:
                job.maybe_free_model_hooks()
        return last.float()

    @torch.no_grad()
    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        made: list[Tensor] = []
        for frame in frames:
            picture = video_tensor([frame]).to(device_of(pipe.vae), pipe.vae.dtype)
            made.append(pipe._encode_vae_image(picture, None).float())
        return torch.cat(made, 2)

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae

        def part(latent: Tensor) -> Tensor:
            raw = latent.to(device_of(vae), vae.dtype)
            mean, deviation = latent_statistics(vae, raw)
            # As the pipeline does it: divide by the inverse, so that the bits agree.
            return vae.decode(raw / (1.0 / deviation) + mean, return_dict=False)[0]

        return decoded_singly(part, latents, vae.decoder, pipe.vae_scale_factor, how)


@contextmanager
def picture_area(pixels: int) -> Generator[None]:
    """Let the pipeline bring pictures to the area that is drawn, where that is below its usual megapixel.

    It brings every picture to a megapixel, whatever is drawn: beside a small draft they would be most of the work. The
    number is a constant of diffusers' module; the engine's thread alone runs pipelines.
    """
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as module

    usual = module.VAE_IMAGE_SIZE
    module.VAE_IMAGE_SIZE = min(usual, pixels)
    try:
        yield
    finally:
        module.VAE_IMAGE_SIZE = usual


def _in_its_own_format(pipe: Any) -> Callable[..., Tensor]:
    """Encoding in the VAE's number format, handed on in that of the pictures: the pipeline takes both for the same."""

    def encoded(image: Tensor, generator: Any) -> Tensor:
        return pipe._encode_vae_image(image.to(pipe.vae.dtype), generator).to(image.dtype)

    return encoded


def _whole(rows: Tensor) -> Tensor:
    """The mask of (1, L, D) rows that are all words."""
    return torch.ones(rows.shape[:2], dtype=torch.long, device=rows.device)


def _condition(pipe: Any, image: Any) -> Any:
    """A picture as the pipeline shows it to its text encoder."""
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import CONDITION_IMAGE_SIZE, calculate_dimensions

    width, height = calculate_dimensions(CONDITION_IMAGE_SIZE, image.size[0] / image.size[1])
    return pipe.image_processor.resize(image, height, width)


def _shift(job: Any, tokens: int) -> float:
    """The shift of the schedule by the size of the picture, as the pipeline makes it."""
    from diffusers.pipelines.qwenimage.pipeline_qwenimage_edit_plus import calculate_shift

    config = job.scheduler.config
    return calculate_shift(
        tokens, config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096),
        config.get("base_shift", 0.5), config.get("max_shift", 1.15),
    )  # fmt: skip
