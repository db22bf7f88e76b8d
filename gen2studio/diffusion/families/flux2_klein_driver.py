"""FLUX.2 [klein] on torch: diffusers' ``Flux2KleinPipeline`` around loaded parts.

Its VAE halves the picture three times; two by two of those cells make one latent of the denoiser, normalised by the
statistics of a batch norm that is kept with the VAE. Latents here are those: (1, 4·C, 1, h / 16, w / 16).
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
from gen2studio.diffusion.sampling.edit_pictures import as_images
from gen2studio.diffusion.sampling.jobs import clip_noise, device_of, latent_shape, own_pipeline, stopping, video_tensor
from gen2studio.diffusion.sampling.taps import StepTap, flow
from gen2studio.engine.events import Picture

Tensor = torch.Tensor


class Flux2KleinDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.Flux2KleinPipeline)

    @torch.no_grad()
    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        made, _ = self.pipeline(parts).encode_prompt(text, device=torch.device(device), max_sequence_length=length)
        return {"prompt_embeds": made}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        job = own_pipeline(pipe)
        device = job._execution_device
        shape = latent_shape(inputs, run.geometry)
        noise = clip_noise(shape, sampling, device)
        transformer = pipe.transformer
        blocks = [
            *transformer.transformer_blocks, *transformer.single_transformer_blocks, *stages_of(pipe.vae.encoder),
        ]  # fmt: skip
        with stopping(blocks, watch.check):
            begin, levels = noise, None
            if inputs.start and inputs.strength < 1.0:
                levels = flow_start.levels(inputs.strength, sampling.steps)
                clean = self.encode(job, inputs.start)
                shift = _shift(shape[3] * shape[4], len(levels))
                begin = flow_start.begun(job.scheduler, levels, shift, clean, noise)
            tap = StepTap(job.scheduler, flow)
            last = begin

            def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
                nonlocal last
                assert tap.clean is not None
                last = _unpacked(values["latents"], shape)
                watch.stepped(index + 1, job.num_timesteps, _unpacked(tap.clean, shape))
                return values

            negative = None if embeds.negative is None else embeds.negative["prompt_embeds"].to(device)
            try:
                job(
                    image=as_images((*inputs.video, *inputs.references)) or None,
                    width=inputs.width,
                    height=inputs.height,
                    num_inference_steps=len(levels) if levels is not None else sampling.steps,
                    sigmas=levels,
                    guidance_scale=sampling.guidance if negative is not None else 1.0,
                    generator=seeds.generator(sampling.seed),
                    latents=begin[:, :, 0],
                    prompt_embeds=embeds.positive["prompt_embeds"].to(device),
                    negative_prompt_embeds=negative,
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
            picture = video_tensor([frame])[:, :, 0].to(device_of(pipe.vae), pipe.vae.dtype)
            made.append(pipe._encode_vae_image(picture, None).float())
        return torch.stack(made, 2)

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae

        def part(latent: Tensor) -> Tensor:
            place = dict(device=device_of(vae), dtype=vae.dtype)
            mean = vae.bn.running_mean.view(1, -1, 1, 1).to(**place)
            deviation = torch.sqrt(vae.bn.running_var.view(1, -1, 1, 1).to(**place) + vae.config.batch_norm_eps)
            raw = pipe._unpatchify_latents(latent[:, :, 0].to(**place) * deviation + mean)
            return vae.decode(raw, return_dict=False)[0][:, :, None]

        return decoded_singly(part, latents, vae.decoder, pipe.vae_scale_factor * 2, how)


def _shift(tokens: int, steps: int) -> float:
    """The shift of the schedule, by the size of the picture and the number of steps."""
    from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

    return compute_empirical_mu(image_seq_len=tokens, num_steps=steps)


def _unpacked(rows: Tensor, shape: tuple[int, ...]) -> Tensor:
    """(1, h·w, C) tokens as (1, C, 1, h, w)."""
    return rows.float().transpose(1, 2).reshape(shape)
