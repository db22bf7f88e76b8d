"""Wan's text and image pipelines on torch: ``WanPipeline`` and ``WanImageToVideoPipeline`` around loaded parts.

Both classes take the same parts, so the pipeline of a job is the one its inputs ask for: the image class when the shot
begins with a picture. Of two experts (2.2 A14B) each stands behind a guided transformer of its own.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.families.wan_recipes import RECIPES
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import decode as decoding
from gen2studio.diffusion.sampling import denoise as denoising
from gen2studio.diffusion.sampling import seeds
from gen2studio.diffusion.sampling.few_steps import recipe_named, scheduler_for, times_of
from gen2studio.diffusion.sampling.guided import GuidedTransformer
from gen2studio.diffusion.sampling.holding import (
    LatentHold,
    begin_at,
    cell_strengths,
    flow_way,
    levels_after,
    noised,
    without_corrector,
)
from gen2studio.diffusion.sampling.jobs import clip_noise, latent_shape, stand_in
from gen2studio.diffusion.sampling.step_reuse import StepReuse
from gen2studio.diffusion.sampling.taps import StepTap, flow
from gen2studio.engine.events import Picture
from gen2studio.models.manifest import MODEL_INDEX

Tensor = torch.Tensor
EXPERTS = ("transformer", "transformer_2")
_LOW_NOISE_GUIDANCE = 2 / 3
"""Part of the text guidance's excess over 1 that the second expert of a text-to-video pair gets: its makers publish 4.0
for the first and 3.0 for the second (model card of Wan2.2-T2V-A14B)."""
# The pipelines warn each time that they round the frame count we computed for them (see num_frames below).
for _name in ("wan", "wan_i2v"):
    logging.getLogger(f"diffusers.pipelines.wan.pipeline_{_name}").setLevel(logging.ERROR)


class WanDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        checked = parts.model.checkpoint()
        kind: Any = getattr(library, checked.family.pipeline)
        return parts.pipeline(kind, **pipeline_options(checked.configs.get(MODEL_INDEX, {})))

    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        pipe = self.pipeline(parts)
        with torch.no_grad():
            made, _ = pipe.encode_prompt(
                text, do_classifier_free_guidance=False, max_sequence_length=length, device=torch.device(device)
            )
        return {"prompt_embeds": made}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        return _Job(pipe, run).run()

    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        return denoising.encode(pipe, frames)

    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        return decoding.decode(pipe, latents, how)


def pipeline_options(index: Any) -> dict[str, Any]:
    """The arguments of a Wan pipeline that are no components, out of a checkpoint's index."""
    ratio = index.get("boundary_ratio")
    return {
        "boundary_ratio": float(ratio) if isinstance(ratio, (int, float)) else None,
        "expand_timesteps": bool(index.get("expand_timesteps", False)),
    }


class _Job:
    """One run: a pipeline object of its own around the shared parts, with its own scheduler."""

    def __init__(self, pipe: Any, run: Denoising) -> None:
        self.inputs, self.sampling, self.watch, self.geometry = run.inputs, run.sampling, run.watch, run.geometry
        inputs, sampling, embeds = run.inputs, run.sampling, run.embeds
        self.first = next((picture for frame, picture in inputs.keys if frame == 0), None)
        self.last = next((picture for frame, picture in inputs.keys if frame != 0), None)
        self.recipe = recipe_named(RECIPES, sampling.recipe)
        self.steps = len(times_of(self.recipe)) or sampling.steps
        self.job = _job_pipeline(pipe, image=self.first is not None)
        self.device = self.job._execution_device
        self.positive = embeds.positive["prompt_embeds"].to(self.device)
        guided = embeds.negative is not None and sampling.guidance > 1.0
        self.negative = embeds.negative["prompt_embeds"].to(self.device) if guided and embeds.negative else None
        self.condition: Tensor | None = None
        """Latents (1, C, 1, h, w) of the first picture where the model sees it in place of noise (TI2V-5B)."""

    def run(self) -> Tensor:
        """Clean latents (1, C, T, h, w) float32."""
        job, sampling, watch = self.job, self.sampling, self.watch
        hooks = [
            part.register_forward_pre_hook(lambda *_: watch.check())
            for part in (job.vae.encoder, getattr(job, "image_encoder", None))
            if part is not None
        ]

        def encoded() -> None:
            while hooks:
                hooks.pop().remove()

        self._guide(encoded)
        try:
            noise = clip_noise(latent_shape(self.inputs, self.geometry), sampling, self.device)
            hold = self._schedule(noise)
            latents = self._begin(noise)
            tap = StepTap(job.scheduler, flow)

            def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
                assert tap.clean is not None
                watch.stepped(index + 1, job.num_timesteps, self._seen(tap.clean))
                if hold is not None:
                    values["latents"] = hold.after(index, values["latents"])
                return values

            return job(
                **self._pictures(),
                width=self.inputs.width,
                height=self.inputs.height,
                # With a temporal factor of 1 the pipeline takes every length for a wrong one and adds a frame.
                num_frames=self.inputs.frames - 1 if self.geometry.temporal == 1 else self.inputs.frames,
                num_inference_steps=self.steps,
                **self._guidance(),
                generator=seeds.generator(sampling.seed),
                latents=latents,
                prompt_embeds=self.positive,
                negative_prompt_embeds=self.negative,
                output_type="latent",
                callback_on_step_end=on_step,
            ).frames.float()
        finally:
            encoded()
            job.maybe_free_model_hooks()

    # -- preparing -------------------------------------------------------------------------------------------------

    def _guide(self, encoded: Callable[[], None]) -> None:
        """Put a guided transformer before every expert."""
        reuse = StepReuse(self.sampling.reuse, max(1, round(self.steps * self.inputs.strength)))
        for name in EXPERTS:
            model = getattr(self.job, name, None)
            if model is None:
                continue
            guided = GuidedTransformer(
                model,
                self.watch.check,
                # The picture that the shot begins with is seen by every window and every single frame.
                references=1 if self.first is not None else 0,
                window=self.sampling.window,
                overlap=self.sampling.overlap,
                consistency=self.sampling.consistency,
                negative=None if self.negative is None else self.negative.to(model.dtype),
                reuse=reuse,
            )
            guided.started = encoded
            stand_in(self.job, name, guided)

    def _schedule(self, noise: Tensor) -> LatentHold | None:
        """Choose the scheduler and what it keeps on the footage."""
        inputs, job = self.inputs, self.job
        scheduler = scheduler_for(self.recipe, job.scheduler, self.sampling.seed) if self.recipe else job.scheduler
        held = bool(inputs.frame_strength or inputs.masks) and bool(inputs.start)
        job.scheduler = scheduler = without_corrector(scheduler) if held else scheduler
        begin_at(scheduler, self.steps, inputs.strength, times_of(self.recipe))
        self.clean = self._clean(noise) if inputs.start else None
        if self.clean is None or not held:
            return None
        strength = cell_strengths(
            noise.shape, inputs.frame_strength, inputs.masks, self.geometry.frames.group, inputs.strength
        )
        return LatentHold(strength, levels_after(inputs.strength, self.steps), flow_way(self.clean, noise, scheduler))

    def _clean(self, noise: Tensor) -> Tensor:
        """Latents of the given frames; where none are given, nothing that anything begins from."""
        found = denoising.encode(self.job, self.inputs.start).to(noise)
        out = torch.zeros_like(noise)
        out[:, :, : found.shape[2]] = found
        return out

    def _begin(self, noise: Tensor) -> Tensor:
        if self.clean is None or self.inputs.strength >= 1.0:
            return noise
        self.job.scheduler.set_timesteps(self.steps, device=self.device)
        begun = noised(self.clean, noise, self.job.scheduler.sigmas[0].to(self.device))
        given = self.geometry.frames.latent(len(self.inputs.start))
        return torch.cat([begun[:, :, :given], noise[:, :, given:]], 2)

    # -- calling ---------------------------------------------------------------------------------------------------

    def _pictures(self) -> dict[str, Any]:
        if self.first is None:
            return {}
        from PIL import Image

        prepare = self.job.prepare_latents

        def prepared(*given: Any, **named: Any) -> Any:
            found = prepare(*given, **named)
            if self.job.config.expand_timesteps:
                self.condition = found[1]
            return found

        self.job.prepare_latents = prepared
        ends = {"image": Image.fromarray(self.first)}
        return ends if self.last is None else {**ends, "last_image": Image.fromarray(self.last)}

    def _guidance(self) -> dict[str, float]:
        scale = self.sampling.guidance if self.negative is not None else 1.0
        if self.job.config.boundary_ratio is None or self.first is not None:
            return {"guidance_scale": scale}
        return {"guidance_scale": scale, "guidance_scale_2": 1 + (scale - 1) * _LOW_NOISE_GUIDANCE}

    def _seen(self, clean: Tensor) -> Tensor:
        """The guess of the result as it will be: with the given picture where that stands for itself."""
        if self.condition is None:
            return clean
        return torch.cat([self.condition.to(clean), clean[:, :, 1:]], 2)


def _job_pipeline(pipe: Any, *, image: bool) -> Any:
    """A pipeline object for one job around the components of ``pipe``, with a scheduler of its own."""
    library: Any = load_diffusers()
    kind: Any = library.WanImageToVideoPipeline if image else library.WanPipeline
    known = kind._get_signature_keys(kind)[0]
    parts = {name: part for name, part in pipe.components.items() if name in known}
    parts["scheduler"] = copy.deepcopy(pipe.scheduler)
    made = kind(**parts, boundary_ratio=pipe.config.boundary_ratio, expand_timesteps=bool(pipe.config.expand_timesteps))
    made.set_progress_bar_config(disable=True)
    return made
