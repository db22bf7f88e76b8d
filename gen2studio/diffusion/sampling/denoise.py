"""One run of a Wan VACE pipeline, from its inputs and prompt embeddings to clean latents.

The pipeline that diffusers ships does the work. Every job gets a pipeline object of its own around the shared weights
(made by construction, which casts and copies nothing), with its own scheduler: a job that runs at another one's step,
is cancelled or fails leaves no trace, and the next one gives the bits it would give in a fresh process.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from gen2studio.diffusion.families.contract import PipelineInputs
from gen2studio.diffusion.families.driving import Denoising, Sampling
from gen2studio.diffusion.families.wan_recipes import RECIPES
from gen2studio.diffusion.sampling import motion, seeds
from gen2studio.diffusion.sampling.few_steps import recipe_named, scheduler_for, times_of
from gen2studio.diffusion.sampling.guided import GuidedTransformer
from gen2studio.diffusion.sampling.holding import (
    FREE,
    LatentHold,
    begin_at,
    flow_way,
    levels_after,
    noised,
    taken_steps,
    without_corrector,
)
from gen2studio.diffusion.sampling.jobs import device_of, latent_shape, own_pipeline, stand_in, video_tensor
from gen2studio.diffusion.sampling.step_reuse import StepReuse
from gen2studio.diffusion.sampling.taps import StepTap, flow
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
# The pipeline warns each time that it rounds the frame count we computed for it (see num_frames below).
logging.getLogger("diffusers.pipelines.wan.pipeline_wan_vace").setLevel(logging.ERROR)


@torch.no_grad()
def denoise(pipe: Any, run: Denoising) -> Tensor:
    """Latents (1, C, T, h, w) of the clip, float32, without reference frames. Raises what ``run.watch`` raises."""
    from PIL import Image

    inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
    job = own_pipeline(pipe, boundary_ratio=pipe.config.boundary_ratio)
    positive = embeds.positive["prompt_embeds"]
    negative = embeds.negative["prompt_embeds"] if embeds.negative is not None else None
    references = len(inputs.references)
    device = job._execution_device
    hooks: list[Any] = []
    recipe = recipe_named(RECIPES, sampling.recipe)
    if recipe is not None:
        job.scheduler = scheduler_for(recipe, job.scheduler, sampling.seed)
    steps = len(times_of(recipe)) or sampling.steps
    taken = taken_steps(steps, inputs.strength)
    reuse = StepReuse(sampling.reuse, taken)

    def encoded() -> None:
        while hooks:
            hooks.pop().remove()

    for name in ("transformer", "transformer_2"):
        model = getattr(job, name, None)
        if model is None:
            continue
        guided = GuidedTransformer(
            model,
            watch.check,
            references=references,
            window=sampling.window,
            overlap=sampling.overlap,
            consistency=sampling.consistency,
            negative=None if negative is None else negative.to(device, model.dtype),
            reuse=reuse,
        )
        guided.started = encoded
        stand_in(job, name, guided)

    noise = _noise(latent_shape(inputs, run.geometry), sampling, references, device)
    hooks.append(job.vae.encoder.register_forward_pre_hook(lambda *_: watch.check()))
    try:
        latents = noise
        hold: LatentHold | None = None
        if inputs.start and inputs.frame_strength:
            job.scheduler = without_corrector(job.scheduler)
        begin_at(job.scheduler, steps, inputs.strength, times_of(recipe))
        if inputs.start and (inputs.strength < 1.0 or inputs.frame_strength):
            clean = _clean_start(job, inputs, references)
            if inputs.strength < 1.0:
                job.scheduler.set_timesteps(steps, device=device)
                latents = noised(clean.to(noise), noise, job.scheduler.sigmas[0].to(device))
            if inputs.frame_strength:
                hold = _hold(job, inputs, clean.to(noise), noise, steps, references)
        tap = StepTap(job.scheduler, flow)

        def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
            assert tap.clean is not None
            watch.stepped(index + 1, job.num_timesteps, tap.clean[:, :, references:])
            if hold is not None:
                values["latents"] = hold.after(index, values["latents"])
            return values

        result = job(
            video=[Image.fromarray(frame) for frame in inputs.video] or None,
            mask=[Image.fromarray(mask).convert("RGB") for mask in inputs.masks] or None,
            reference_images=[Image.fromarray(picture) for picture in inputs.references] or None,
            conditioning_scale=float(inputs.scale),
            width=inputs.width,
            height=inputs.height,
            # With a temporal factor of 1 the pipeline takes every length for a wrong one and adds a frame.
            num_frames=inputs.frames - 1 if run.geometry.temporal == 1 else inputs.frames,
            num_inference_steps=steps,
            guidance_scale=sampling.guidance if negative is not None else 1.0,
            generator=seeds.generator(sampling.seed),
            latents=latents,
            prompt_embeds=positive.to(device),
            negative_prompt_embeds=None if negative is None else negative.to(device),
            output_type="latent",
            callback_on_step_end=on_step,
        ).frames
    finally:
        encoded()
        job.maybe_free_model_hooks()
    return result[:, :, references:].float()


def _noise(shape: tuple[int, ...], sampling: Sampling, references: int, device: Any) -> Tensor:
    """Noise for a clip of latents of ``shape`` behind those of ``references`` reference images."""
    length = shape[2]
    if sampling.noise_frames is None:
        drawn = seeds.noise((*shape[:2], references + length, *shape[3:]), sampling.seed, device)
    else:
        first, count = sampling.noise_frames
        whole = seeds.noise((*shape[:2], references + count, *shape[3:]), sampling.seed, device)
        drawn = torch.cat([whole[:, :, :references], whole[:, :, references + first : references + first + length]], 2)
    return motion.share_noise(drawn, motion.shared_part(sampling.motion), references)


def _hold(job: Any, inputs: PipelineInputs, clean: Tensor, noise: Tensor, steps: int, references: int) -> LatentHold:
    """A strength of its own for every latent frame; those of the reference images, in front, are the model's."""
    strengths = torch.tensor([FREE] * references + list(inputs.frame_strength)).view(1, 1, -1, 1, 1)
    return LatentHold(strengths, levels_after(inputs.strength, steps), flow_way(clean, noise, job.scheduler))


def _clean_start(job: Any, inputs: PipelineInputs, references: int) -> Tensor:
    """Latents of the footage, behind those of the reference images."""
    clean = encode(job, inputs.start)
    if references:
        white = [_on_white(picture, inputs.width, inputs.height) for picture in inputs.references]
        clean = torch.cat([*[encode(job, [picture]) for picture in reversed(white)], clean], 2)
    return clean


@torch.no_grad()
def encode(pipe: Any, frames: Iterable[Picture]) -> Tensor:
    """Normalised latents (1, C, T, h, w) of frames (H, W, 3) uint8, as the pipeline computes them."""
    vae = pipe.vae
    found = vae.encode(video_tensor(frames).to(device_of(vae), vae.dtype)).latent_dist.mode().float()
    mean, std = latent_statistics(vae, found)
    return (found - mean) / std


def latent_statistics(vae: Any, like: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the VAE's latents, shaped to broadcast over (1, C, T, h, w)."""
    shape = (1, -1, 1, 1, 1)
    mean = torch.tensor(vae.config.latents_mean, device=like.device, dtype=like.dtype).view(shape)
    std = torch.tensor(vae.config.latents_std, device=like.device, dtype=like.dtype).view(shape)
    return mean, std


def _on_white(picture: Picture, width: int, height: int) -> Picture:
    """A reference image as the pipeline sees it: letterboxed onto white."""
    import cv2

    scale = min(width / picture.shape[1], height / picture.shape[0])
    w, h = max(1, int(picture.shape[1] * scale)), max(1, int(picture.shape[0] * scale))
    small = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    canvas = np.full((height, width, 3), 255, np.uint8)
    top, left = (height - h) // 2, (width - w) // 2
    canvas[top : top + h, left : left + w] = small
    return canvas
