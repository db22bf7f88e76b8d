"""AnimateDiff on torch: diffusers' video-to-video pipelines around Stable Diffusion 1.5 with motion modules.

One pair of pipelines serves every task, without and with a ControlNet: a run from nothing is a video-to-video run of
strength 1, bit for bit what ``AnimateDiffPipeline`` makes of the same noise.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch

from gen2studio.diffusion.families.animatediff import RECIPES
from gen2studio.diffusion.families.contract import PipelineInputs, StepRecipe
from gen2studio.diffusion.families.driving import Decoding, Denoising, Sampling, TextEmbedding
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.runtime.turns import visiting
from gen2studio.diffusion.sampling.decode import decoded_singly
from gen2studio.diffusion.sampling.few_steps import recipe_named
from gen2studio.diffusion.sampling.free_noise import rescheduled
from gen2studio.diffusion.sampling.guided_unet import GuidedUnet, stand_in_for_control
from gen2studio.diffusion.sampling.holding import LatentHold, cell_strengths, levels_after, taken_steps, variance_way
from gen2studio.diffusion.sampling.image_prompt import ImagePrompt, image_prompt
from gen2studio.diffusion.sampling.jobs import clip_noise, device_of, latent_shape, own_pipeline, stand_in, video_tensor
from gen2studio.diffusion.sampling.seeds import generator
from gen2studio.diffusion.sampling.step_reuse import StepReuse
from gen2studio.diffusion.sampling.taps import StepTap, karras, variance_preserving
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
_OPTIONS: Mapping[str, Any] = {
    "clip_sample": False, "timestep_spacing": "linspace", "beta_schedule": "linear", "steps_offset": 1,
}  # fmt: skip
"""Motion modules were trained with these betas, whatever schedule the image model's folder names."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Parts that diffusers' pipeline does not hold by itself."""

    controls: Mapping[str, Any]
    """Kind of control picture → its ControlNet."""
    style: Mapping[str, Tensor] | None
    """Tensors of an IP-Adapter file."""
    image_encoder: Any


class AnimateDiffDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        found = parts.parts
        pipe = library.AnimateDiffVideoToVideoPipeline(
            vae=parts.vae,
            text_encoder=parts.text_encoder,
            tokenizer=parts.tokenizer,
            unet=found.get("unet"),
            motion_adapter=None,
            scheduler=parts.scheduler,
        )
        pipe.set_progress_bar_config(disable=True)
        prefix = "controlnet_"
        controls = {name.removeprefix(prefix): part for name, part in found.items() if name.startswith(prefix)}
        stand_in(pipe, "beside", Beside(controls, found.get("ip_adapter"), found.get("image_encoder")))
        return pipe

    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        del length  # CLIP's is part of its tokenizer.
        with torch.no_grad():
            made, _ = self.pipeline(parts).encode_prompt(
                text, device=torch.device(device), num_images_per_prompt=1, do_classifier_free_guidance=False
            )
        return {"prompt_embeds": made}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        from PIL import Image

        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        library: Any = load_diffusers()
        beside: Beside = pipe.beside
        guided = embeds.negative is not None and sampling.guidance > 1.0
        device = pipe._execution_device
        with ExitStack() as scope:
            unet = GuidedUnet(
                pipe.unet,
                watch.check,
                window=sampling.window,
                overlap=sampling.overlap,
                consistency=sampling.consistency,
                reuse=StepReuse(sampling.reuse, taken_steps(sampling.steps, inputs.strength)),
                style=_style(beside, pipe.unet, inputs, guided, device),
            )
            asked: dict[str, Any] = {}
            if inputs.structure:
                control = beside.controls[inputs.structure_kind]
                scope.enter_context(visiting(control, device))
                shared = stand_in_for_control(control, watch.check, inputs.frames)
                job = own_pipeline(pipe, library.AnimateDiffVideoToVideoControlNetPipeline, controlnet=shared)
                asked["conditioning_frames"] = [Image.fromarray(frame) for frame in inputs.structure]
                asked["controlnet_conditioning_scale"] = float(inputs.scale)
            else:
                job = own_pipeline(pipe)
            scope.callback(job.maybe_free_model_hooks)
            stand_in(job, "unet", unet)
            job.scheduler = scheduler_for(recipe_named(RECIPES, sampling.recipe), pipe.scheduler)
            latents, hold = self._start(job, run, device)
            tap = StepTap(job.scheduler, karras if hasattr(job.scheduler, "sigmas") else variance_preserving)

            def on_step(_: Any, index: int, __: Any, values: dict[str, Any]) -> dict[str, Any]:
                assert tap.clean is not None
                watch.stepped(index + 1, job.num_timesteps, tap.clean)
                return {"latents": values["latents"] if hold is None else hold.after(index, values["latents"])}

            result = job(
                latents=latents,
                width=inputs.width,
                height=inputs.height,
                num_inference_steps=taken_steps(sampling.steps, inputs.strength),
                strength=1.0,
                guidance_scale=sampling.guidance if guided else 1.0,
                generator=_after_the_noise(latent_shape(inputs, run.geometry), sampling.seed),
                prompt_embeds=embeds.positive["prompt_embeds"].to(device),
                negative_prompt_embeds=_on(embeds.negative, device) if guided else None,
                output_type="latent",
                callback_on_step_end=on_step,
                **asked,
            ).frames
        return result.float()

    def _start(self, job: Any, run: Denoising, device: Any) -> tuple[Tensor, LatentHold | None]:
        """The latents that a run begins with, and what holds cells on the footage after each step."""
        inputs, sampling, scheduler = run.inputs, run.sampling, job.scheduler
        strength = inputs.strength
        begin_at(scheduler, sampling.steps, strength)
        scheduler.set_timesteps(taken_steps(sampling.steps, strength), device=device)
        times = scheduler.timesteps
        shape = latent_shape(inputs, run.geometry)
        noise = _noise(shape, sampling, device)
        if not inputs.start:
            return noise * scheduler.init_noise_sigma, None
        clean = self.encode(job, inputs.start, run.watch.check).to(noise)
        first = noise * scheduler.init_noise_sigma if strength >= 1.0 else scheduler.add_noise(clean, noise, times[:1])
        if not inputs.masks and not inputs.frame_strength:
            return first, None
        strengths = cell_strengths(shape, inputs.frame_strength, inputs.masks, 1, strength)
        levels = levels_after(strength, sampling.steps)
        return first, LatentHold(strengths, levels, variance_way(clean, noise, scheduler, times))

    def encode(self, pipe: Any, frames: Sequence[Picture], check: Callable[[], None] = lambda: None) -> Tensor:
        vae = pipe.vae
        found: list[Tensor] = []
        with torch.no_grad():
            for frame in frames:
                check()
                pixels = video_tensor([frame])[:, :, 0].to(device_of(vae), vae.dtype)
                found.append(vae.encode(pixels).latent_dist.mode().float() * vae.config.scaling_factor)
        return torch.stack(found, 2)

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae

        def part(latent: Tensor) -> Tensor:
            # As the pipeline does it: times the inverse, so that the bits agree.
            scaled = 1 / vae.config.scaling_factor * latent[:, :, 0].to(device_of(vae), vae.dtype)
            return vae.decode(scaled, return_dict=False)[0][:, :, None]

        return decoded_singly(part, latents, vae.decoder, 2 ** (len(vae.config.block_out_channels) - 1), how)


def scheduler_for(recipe: StepRecipe | None, own: Any) -> Any:
    """The scheduler of a run: the few-step recipe's, else DDIM, on the betas that motion modules know.

    Kept of the image model's own (``own``) is what its weights were trained for: the range of betas and what it
    predicts.
    """
    library: Any = load_diffusers()
    name, options = ("DDIMScheduler", dict(_OPTIONS)) if recipe is None else (recipe.scheduler, dict(recipe.options))
    kind: Any = getattr(library, name)
    kept = ("num_train_timesteps", "beta_start", "beta_end", "prediction_type", "set_alpha_to_one")
    known = inspect.signature(kind.__init__).parameters
    return kind(**{**{key: own.config[key] for key in kept if key in own.config and key in known}, **options})


def begin_at(scheduler: Any, steps: int, strength: float) -> None:
    """Make the next ``set_timesteps`` of a job's scheduler take the part of ``steps`` from ``strength`` on.

    Distilled schedules keep their own times: LCM's take their steps from below the strength, as its class provides;
    of Lightning's the last are taken. Others get times that end where the strength is (“trailing”): the usual ones have
    both ends of the whole range among few, and a short run would begin nearly without noise.
    """
    if strength >= 1.0:
        return
    count = taken_steps(steps, strength)
    whole = scheduler.set_timesteps
    lcm = type(scheduler).__name__ == "LCMScheduler"
    distilled = scheduler.config["timestep_spacing"] == "trailing"
    if not lcm and not distilled:
        scheduler.register_to_config(timestep_spacing="trailing")

    def shortened(num_inference_steps: int | None = None, device: Any = None, **_: Any) -> None:
        del num_inference_steps
        if lcm:
            whole(count, device=device, strength=strength)
            return
        whole(steps if distilled else max(count + 1, round(count / strength)), device=device)
        scheduler.timesteps = scheduler.timesteps[-count:]
        if hasattr(scheduler, "sigmas"):
            scheduler.sigmas = scheduler.sigmas[-(count + 1) :]

    scheduler.set_timesteps = shortened


def _noise(shape: tuple[int, ...], sampling: Sampling, device: Any) -> Tensor:
    """The run's noise; a part of a longer clip gets the frames it has there."""
    if sampling.noise_frames is None:
        return rescheduled(clip_noise(shape, sampling, device), sampling.window, sampling.overlap, sampling.seed)
    first, count = sampling.noise_frames
    whole = _noise((*shape[:2], count, *shape[3:]), replace(sampling, noise_frames=None), device)
    return whole[:, :, first : first + shape[2]]


def _after_the_noise(shape: tuple[int, ...], seed: int) -> torch.Generator:
    """The pipeline's own generator as it is once the latents were drawn: a scheduler that noises again (LCM) must not
    get the noise that the run began with."""
    drawn = generator(seed)
    torch.randn(shape, generator=drawn)
    return drawn


def _style(beside: Beside, unet: Any, inputs: PipelineInputs, guided: bool, device: Any) -> ImagePrompt | None:
    if not inputs.references or beside.style is None:
        return None
    with visiting(beside.image_encoder, device):
        return image_prompt(
            unet,
            beside.style,
            beside.image_encoder,
            inputs.references,
            scale=inputs.reference_scale,
            shares=inputs.reference_weights,
            # With footage to follow the image says how, and the footage what is where.
            style_only=bool(inputs.structure or inputs.start),
            guided=guided,
            device=device,
        )


def _on(embedding: TextEmbedding | None, device: Any) -> Tensor | None:
    return None if embedding is None else embedding["prompt_embeds"].to(device)
