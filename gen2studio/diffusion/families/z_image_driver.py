"""Z-Image on torch: diffusers' ``ZImagePipeline`` around loaded parts.

Latents are its VAE's, normalised: (1, C, 1, h / 8, w / 8). The pipeline for pictures that begin from others
(``ZImageImg2ImgPipeline``) takes the last steps of the whole schedule; here the levels begin at the strength itself,
which is the same wherever the strength is a whole number of steps, and lets eight steps tell other strengths apart too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import flow_start, seeds
from gen2studio.diffusion.sampling.decode import decoded_singly, stages_of
from gen2studio.diffusion.sampling.holding import LatentHold, cell_strengths, flow_way, levels_after
from gen2studio.diffusion.sampling.jobs import (
    clip_noise,
    device_of,
    latent_shape,
    own_pipeline,
    stopping,
    video_tensor,
)
from gen2studio.diffusion.sampling.taps import StepTap, flow
from gen2studio.engine.events import Picture

Tensor = torch.Tensor


class ZImageDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.ZImagePipeline)

    @torch.no_grad()
    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        """As many tokens as the text has, at most ``length``: nothing of it is padding."""
        made, _ = self.pipeline(parts).encode_prompt(
            text, device=torch.device(device), do_classifier_free_guidance=False, max_sequence_length=length
        )
        return {"prompt_embeds": made[0][None]}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        job = own_pipeline(pipe)
        device = job._execution_device
        shape = latent_shape(inputs, run.geometry)
        noise = clip_noise(shape, sampling, device)
        part = pipe.transformer
        blocks = [*part.noise_refiner, *part.context_refiner, *part.layers, *stages_of(pipe.vae.encoder)]
        with stopping(blocks, watch.check):
            begin, levels, hold = noise, None, None
            if inputs.start and (inputs.strength < 1.0 or inputs.masks):
                clean = self.encode(job, inputs.start).to(noise)
                if inputs.strength < 1.0:
                    levels = flow_start.levels(inputs.strength, sampling.steps)
                    shift = _shift(job, shape[3] * shape[4] // 4)
                    begin = flow_start.begun(job.scheduler, levels, shift, clean, noise)
                if inputs.masks:
                    cells = cell_strengths(shape, (), inputs.masks, 1, inputs.strength)
                    hold = LatentHold(
                        cells, levels_after(inputs.strength, sampling.steps), flow_way(clean, noise, job.scheduler)
                    )
            tap = StepTap(job.scheduler, flow)
            last = begin

            def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
                nonlocal last
                assert tap.clean is not None
                last = values["latents"].unsqueeze(2)
                if hold is not None:
                    last = hold.after(index, last)
                watch.stepped(index + 1, job.num_timesteps, tap.clean.float().unsqueeze(2))
                return {"latents": last[:, :, 0]}

            guided = embeds.negative is not None
            try:
                job(
                    height=inputs.height,
                    width=inputs.width,
                    num_inference_steps=len(levels) if levels is not None else sampling.steps,
                    sigmas=None if levels is None else levels.tolist(),
                    # It adds the difference to the prompt's own prediction: 0 is what is 1 elsewhere.
                    guidance_scale=max(0.0, sampling.guidance - 1.0) if guided else 0.0,
                    generator=seeds.generator(sampling.seed),
                    latents=begin[:, :, 0],
                    prompt_embeds=_rows(embeds.positive, device),
                    negative_prompt_embeds=_rows(embeds.negative, device),
                    output_type="latent",
                    callback_on_step_end=on_step,
                )
            finally:
                job.maybe_free_model_hooks()
        return last.float()

    @torch.no_grad()
    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        vae = pipe.vae
        made: list[Tensor] = []
        for frame in frames:
            picture = video_tensor([frame])[:, :, 0].to(pipe._execution_device, vae.dtype)
            found = vae.encode(picture).latent_dist.mode()
            made.append(((found - vae.config.shift_factor) * vae.config.scaling_factor).float())
        return torch.stack(made, 2)

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae

        def part(latent: Tensor) -> Tensor:
            raw = latent[:, :, 0].to(device_of(vae), vae.dtype)
            raw = (raw / vae.config.scaling_factor) + vae.config.shift_factor
            return vae.decode(raw, return_dict=False)[0].unsqueeze(2)

        return decoded_singly(part, latents, vae.decoder, pipe.vae_scale_factor, how)


def _rows(embedding: TextEmbedding | None, device: Any) -> list[Tensor]:
    """The (L, D) rows of a text, as the pipeline wants them."""
    return [] if embedding is None else [embedding["prompt_embeds"][0].to(device)]


def _shift(job: Any, tokens: int) -> float:
    """The shift by the size of the picture, for schedules that have one."""
    from diffusers.pipelines.z_image.pipeline_z_image import calculate_shift

    config = job.scheduler.config
    return calculate_shift(
        tokens, config.get("base_image_seq_len", 256), config.get("max_image_seq_len", 4096),
        config.get("base_shift", 0.5), config.get("max_shift", 1.15),
    )  # fmt: skip
