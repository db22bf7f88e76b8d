"""LTX-Video on torch: diffusers' ``LTXConditionPipeline`` around loaded parts.

The pipeline works on rows of tokens (1, T·h·w, C), with the tokens of pictures at other times in front; it draws its
noise itself. Here it is handed ours, taps and holds see (1, C, T, h, w), and the frames are decoded by our own loop.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch

from gen2studio.diffusion.families.contract import PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, Sampling, TextEmbedding
from gen2studio.diffusion.families.ltx import DISTILLED, DISTILLED_TIMES
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import seeds
from gen2studio.diffusion.sampling.decode import pictures
from gen2studio.diffusion.sampling.holding import FREE, LatentHold, cell_strengths, noised, taken_steps
from gen2studio.diffusion.sampling.jobs import (
    clip_noise,
    device_of,
    global_noise,
    latent_shape,
    own_pipeline,
    stand_in,
    stopping,
    video_tensor,
)
from gen2studio.diffusion.sampling.taps import StepTap, flow_of_tokens
from gen2studio.diffusion.sampling.tiles import decoded_in_tiles, with_smaller_tiles
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
# It warns that times come without sigmas, which is how the stock pipeline itself calls it.
logging.getLogger("diffusers.schedulers.scheduling_flow_match_euler_discrete").setLevel(logging.ERROR)

_RATE = 25.0
_DECODE_TIME, _DECODE_NOISE = 0.05, 0.025
"""For decoders that know a time (0.9.1 and later), out of their makers' description."""
_IMAGE_NOISE, _IMAGE_NOISE_TIMED = 0.15, 0.025
"""Noise on given pictures, which lets them move: the first release, and those whose decoder knows a time."""
_DECODE_SEED = 0x17C
"""Of the noise that the decoder takes: the same latents give the same frames."""


class LtxDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.LTXConditionPipeline)

    @torch.no_grad()
    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        made, mask, _, _ = self.pipeline(parts).encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=length, device=torch.device(device)
        )
        return {"prompt_embeds": made, "prompt_attention_mask": mask}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        job = own_pipeline(pipe)
        device = job._execution_device
        # The pipeline hands times over: nothing may bend the noise levels that go with them.
        job.scheduler = type(job.scheduler).from_config(
            job.scheduler.config, shift=1.0, shift_terminal=None, use_dynamic_shifting=False, stochastic_sampling=False
        )
        times = _times(inputs, sampling)
        shape = latent_shape(inputs, run.geometry)
        noise = clip_noise(shape, sampling, device)
        tokens = shape[2] * shape[3] * shape[4]
        hold: LatentHold | None = None
        blocks = [*pipe.transformer.transformer_blocks, *_encoder_blocks(pipe.vae)]
        with stopping(blocks, watch.check):
            begin = noise
            if inputs.start:
                assert times is not None
                clean = self.encode(job, inputs.start).to(noise)
                level = times[0] / 1000
                begin = noised(clean, noise, level)
                if inputs.masks or inputs.frame_strength:
                    hold = _hold(inputs, times, clean, noise, run.geometry.frames.group)
            _begin_with(job, begin)
            tap = StepTap(job.scheduler, flow_of_tokens)

            def unpacked(rows: Tensor) -> Tensor:
                return job._unpack_latents(rows[:, -tokens:], *shape[2:])

            def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
                assert tap.clean is not None
                watch.stepped(index + 1, job.num_timesteps, unpacked(tap.clean))
                if hold is not None:
                    rows = values["latents"]
                    held = job._pack_latents(hold.after(index, unpacked(rows)))
                    values["latents"] = torch.cat([rows[:, :-tokens], held], 1)
                return values

            try:
                made = job(
                    conditions=_conditions(inputs) or None,
                    width=inputs.width,
                    height=inputs.height,
                    num_frames=inputs.frames,
                    frame_rate=sampling.rate or _RATE,
                    num_inference_steps=sampling.steps,
                    timesteps=times,
                    guidance_scale=sampling.guidance if embeds.negative is not None else 1.0,
                    image_cond_noise_scale=_image_noise(pipe.vae, sampling),
                    generator=seeds.generator(sampling.seed),
                    **_on(device, embeds.positive),
                    **_on(device, embeds.negative or {}, "negative_"),
                    output_type="latent",
                    callback_on_step_end=on_step,
                ).frames
            finally:
                job.maybe_free_model_hooks()
        return made.float()

    @torch.no_grad()
    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        vae = pipe.vae
        found = vae.encode(video_tensor(frames).to(pipe._execution_device, vae.dtype)).latent_dist.mode().float()
        return pipe._normalize_latents(found, vae.latents_mean, vae.latents_std)

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae
        place = dict(device=device_of(vae), dtype=vae.dtype)
        raw = pipe._denormalize_latents(latents, vae.latents_mean, vae.latents_std, vae.config.scaling_factor)
        time: Tensor | None = None
        if vae.config.timestep_conditioning:
            noise = seeds.noise(tuple(raw.shape), _DECODE_SEED, raw.device)
            raw = (1 - _DECODE_NOISE) * raw + _DECODE_NOISE * noise
            time = torch.tensor([_DECODE_TIME], **place)

        def part(tile_of: Tensor) -> Tensor:
            # Decoders of 0.9.1 and later draw noise from torch's own generator.
            with global_noise(_DECODE_SEED, place["device"]):
                return vae.decode(tile_of.to(**place), time, return_dict=False)[0]

        decoder = vae.decoder
        stages = [decoder.conv_in, decoder.mid_block, *decoder.up_blocks, decoder.conv_out]

        def whole() -> Iterator[Picture]:
            with stopping(stages, how.check):
                made = part(raw)
            how.progress(1, 1)
            yield from pictures(made)

        def tiled(side: int) -> Iterator[Picture]:
            with stopping(stages, how.check):
                made = decoded_in_tiles(part, raw, side, vae.spatial_compression_ratio, how.progress)
            yield from pictures(made)

        side = max(latents.shape[-2:]) * vae.spatial_compression_ratio
        return with_smaller_tiles(whole, tiled, side=side, how=how)


def _conditions(inputs: PipelineInputs) -> list[Any]:
    from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition
    from PIL import Image

    made: list[Any] = []
    if inputs.video:
        made.append(LTXVideoCondition(video=[Image.fromarray(frame) for frame in inputs.video], frame_index=0))
    for at, picture in inputs.keys:
        made.append(LTXVideoCondition(image=Image.fromarray(picture), frame_index=at))
    return made


def _times(inputs: PipelineInputs, sampling: Sampling) -> list[float] | None:
    """The times of a run, falling from 1000 at most; None = the pipeline's own schedule.

    A run that starts from footage begins at its strength and comes down evenly: the pipeline's own schedule spends half
    of its steps above 0.975, where nothing of the footage would be left.
    """
    own = list(DISTILLED_TIMES) if sampling.recipe == DISTILLED else None
    if not inputs.start or inputs.strength >= 1.0:
        if own is None and inputs.start:
            return _whole_schedule(inputs, sampling.steps)
        return own
    top = inputs.strength * 1000
    if own is not None:
        return [top, *(time for time in own if time < top)]
    count = taken_steps(sampling.steps, inputs.strength)
    return [*np.linspace(top, 0.0, count + 1)[:-1]]


def _whole_schedule(inputs: PipelineInputs, steps: int) -> list[float]:
    """All the way down: the pipeline's own times, which what lies around a mask follows; evenly where frames are let go
    one after the other, by their strengths."""
    from diffusers.pipelines.ltx.pipeline_ltx_condition import linear_quadratic_schedule

    if inputs.frame_strength:
        return [*np.linspace(1000.0, 0.0, steps + 1)[:-1]]
    return (linear_quadratic_schedule(steps) * 1000).tolist()


def _image_noise(vae: Any, sampling: Sampling) -> float:
    if sampling.recipe == DISTILLED:
        return 0.0
    return _IMAGE_NOISE_TIMED if vae.config.timestep_conditioning else _IMAGE_NOISE


def _begin_with(job: Any, begin: Tensor) -> None:
    """Let the pipeline begin with ``begin`` (1, C, T, h, w) instead of noise that it draws itself."""
    prepare = job.prepare_latents

    def prepared(*conditions: Any, **named: Any) -> Any:
        # The stock code mixes noise into given latents at this level.
        none = torch.zeros(1, device=begin.device)
        return prepare(*conditions, **{**named, "latents": begin, "sigma": none})

    stand_in(job, "prepare_latents", prepared)


def _hold(inputs: PipelineInputs, times: list[float], clean: Tensor, noise: Tensor, group: int) -> LatentHold:
    """What of the footage stays while the run comes down over ``times``; given pictures in its place are free."""
    levels = [time / 1000 for time in (*times[1:], 0.0)]
    cells = cell_strengths(clean.shape, inputs.frame_strength, inputs.masks, group, inputs.strength)
    given = (len(inputs.video) - 1) // group + 1 if inputs.video else int(any(at == 0 for at, _ in inputs.keys))
    cells[:, :, :given] = FREE

    def known(index: int) -> Tensor:
        return noised(clean, noise, levels[index])

    return LatentHold(cells, levels, known)


def _on(device: Any, embedding: TextEmbedding, prefix: str = "") -> dict[str, Tensor]:
    return {f"{prefix}{name}": value.to(device) for name, value in embedding.items()}


def _encoder_blocks(vae: Any) -> list[Any]:
    return [*vae.encoder.down_blocks, vae.encoder.mid_block]
