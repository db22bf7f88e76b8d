"""CogVideoX on torch: diffusers' ``CogVideoXPipeline`` and ``CogVideoXImageToVideoPipeline`` around loaded parts.

Their latents are (1, T, C, h, w), their schedulers DDIM or DPM-Solver with v-prediction. Checkpoints of 1.5 work on
patches two latent frames deep: where a clip has an odd number, one more frame lies in front and is thrown away.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import seeds
from gen2studio.diffusion.sampling.decode import pictures
from gen2studio.diffusion.sampling.holding import LatentHold, cell_strengths, levels_after, taken_steps, variance_way
from gen2studio.diffusion.sampling.jobs import (
    clip_noise,
    device_of,
    latent_shape,
    own_pipeline,
    stand_in,
    stopping,
    video_tensor,
)
from gen2studio.diffusion.sampling.taps import StepTap, variance_preserving
from gen2studio.diffusion.sampling.tiles import decoded_in_tiles, with_smaller_tiles
from gen2studio.diffusion.sampling.windows import predict_windows, spans
from gen2studio.engine.events import Picture

Tensor = torch.Tensor


class CogVideoXDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.CogVideoXPipeline)

    @torch.no_grad()
    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        made, _ = self.pipeline(parts).encode_prompt(
            text, do_classifier_free_guidance=False, max_sequence_length=length, device=torch.device(device)
        )
        return {"prompt_embeds": made}

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        job = own_pipeline(pipe)
        device = job._execution_device
        deep = pipe.transformer.config.patch_size_t or 1
        shape = latent_shape(inputs, run.geometry)
        noise = clip_noise(shape, sampling, device)
        ahead = -shape[2] % deep
        if ahead:
            extra = seeds.noise((*shape[:2], ahead, *shape[3:]), sampling.seed + 1, device)
            noise = torch.cat([extra, noise], 2)
        tap = _tap(job.scheduler)
        hold: LatentHold | None = None
        with stopping([*pipe.transformer.transformer_blocks, *_vae_blocks(pipe.vae.encoder)], watch.check):
            begin = noise
            if inputs.start:
                clean = self.encode(job, inputs.start).to(noise)
                clean = torch.cat([clean[:, :, :1].expand(-1, -1, ahead, -1, -1), clean], 2)
                times = _begin_late(job.scheduler, sampling.steps, inputs.strength, device)
                begin = job.scheduler.add_noise(clean, noise, times[:1])
                if inputs.masks or inputs.frame_strength:
                    group = run.geometry.frames.group
                    cells = cell_strengths(shape, inputs.frame_strength, inputs.masks, group, inputs.strength)
                    # What lies in front is thrown away: it goes with the frame behind it.
                    cells = torch.cat([cells[:, :, :1].expand(-1, -1, ahead, -1, -1), cells], 2)
                    levels = levels_after(inputs.strength, sampling.steps)
                    hold = LatentHold(cells, levels, variance_way(clean, noise, job.scheduler, times))
            window = -(-sampling.window // deep) if sampling.window else 0
            if len(spans(noise.shape[2] // deep, window, sampling.overlap)) > 1:
                stand_in(job, "transformer", _Windowed(pipe.transformer, window, sampling.overlap, deep))

            def on_step(_: Any, index: int, timestep: Any, values: dict[str, Any]) -> dict[str, Any]:
                assert tap.clean is not None
                watch.stepped(index + 1, job.num_timesteps, tap.clean.transpose(1, 2)[:, :, ahead:])
                if hold is not None:
                    values["latents"] = hold.after(index, values["latents"].transpose(1, 2)).transpose(1, 2)
                return values

            self._prepare(job)
            try:
                made = job(
                    **self._conditions(inputs),
                    width=inputs.width,
                    height=inputs.height,
                    num_frames=inputs.frames,
                    num_inference_steps=sampling.steps,
                    guidance_scale=sampling.guidance if embeds.negative is not None else 1.0,
                    generator=seeds.generator(sampling.seed),
                    latents=begin.transpose(1, 2).to(pipe.transformer.dtype),
                    prompt_embeds=embeds.positive["prompt_embeds"].to(device),
                    negative_prompt_embeds=(
                        None if embeds.negative is None else embeds.negative["prompt_embeds"].to(device)
                    ),
                    output_type="latent",
                    callback_on_step_end=on_step,
                ).frames
            finally:
                job.maybe_free_model_hooks()
        return made.transpose(1, 2)[:, :, ahead:].float()

    def _prepare(self, job: Any) -> None:
        """What a kind of pipeline needs changed on a job's own object."""

    def _conditions(self, inputs: PipelineInputs) -> dict[str, Any]:
        """What a kind of pipeline is called with besides."""
        del inputs
        return {}

    @torch.no_grad()
    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        vae = pipe.vae
        found = vae.encode(video_tensor(frames).to(pipe._execution_device, vae.dtype)).latent_dist.mode().float()
        return found * vae.config.scaling_factor

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae
        cell = 2 ** (len(vae.config.block_out_channels) - 1)
        # As the pipeline does it: times the inverse, so that the bits agree.
        raw = 1 / vae.config.scaling_factor * latents
        stages = _vae_blocks(vae.decoder)

        def whole() -> Iterator[Picture]:
            done = 0
            for part, taken in _decoded(vae, raw, stages, how.check):
                yield from pictures(part)
                done += taken
                how.progress(done, raw.shape[2])

        def of_tile(part: Tensor) -> Tensor:
            return torch.cat([made for made, _ in _decoded(vae, part, stages, how.check)], 2)

        def tiled(side: int) -> Iterator[Picture]:
            yield from pictures(decoded_in_tiles(of_tile, raw, side, cell, how.progress))

        return with_smaller_tiles(whole, tiled, side=max(latents.shape[-2:]) * cell, how=how)


class CogVideoXImageDriver(CogVideoXDriver):
    """The checkpoints that begin with a picture."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.CogVideoXImageToVideoPipeline)

    def _prepare(self, job: Any) -> None:
        prepare = job.prepare_latents

        def prepared(image: Tensor, *values: Any, **named: Any) -> Any:
            # The stock code hands the picture over in the transformer's numbers; our VAE computes in float32.
            return prepare(image.to(job.vae.dtype), *values, **named)

        stand_in(job, "prepare_latents", prepared)

    def _conditions(self, inputs: PipelineInputs) -> dict[str, Any]:
        from PIL import Image

        if not inputs.keys:
            raise GenerationError("There is no picture to begin with.", "Put one on the shot's first frame.")
        return {"image": Image.fromarray(inputs.keys[0][1])}


class _Windowed(torch.nn.Module):
    """The transformer as a job with a long clip sees it: predictions of overlapping windows, blended.

    ``window`` and ``overlap`` count patches along time, each ``deep`` latent frames.
    """

    def __init__(self, model: Any, window: int, overlap: int, deep: int) -> None:
        super().__init__()
        self.model = model
        self._window, self._overlap, self._deep = window, overlap, deep

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    @contextmanager
    def cache_context(self, name: str) -> Generator[None]:
        with self.model.cache_context(name):
            yield

    def forward(self, hidden_states: Tensor, **call: Any) -> tuple[Tensor]:
        """As ``CogVideoXTransformer3DModel.forward`` with ``return_dict=False``; hidden (B, T, C, h, w)."""
        deep, batch = self._deep, len(hidden_states)
        rotary = call.pop("image_rotary_emb", None)
        shape = hidden_states.shape
        # (B, patches, deep, C, h, w) → (B, deep · C, patches, h, w): windows are cut between patches.
        folded = hidden_states.reshape(batch, shape[1] // deep, deep * shape[2], *shape[3:]).transpose(1, 2)

        def predict(part: Tensor, chosen: Tensor) -> Tensor:
            count = len(chosen)
            frames = part.transpose(1, 2).reshape(batch, count * deep, -1, *shape[3:])
            mine = None
            if rotary is not None:
                # A window lies in time where a clip of its length would.
                mine = tuple(table[: len(table) * count // folded.shape[2]] for table in rotary)
            made = self.model(hidden_states=frames, image_rotary_emb=mine, **call)[0]
            return made.reshape(batch, count, -1, *shape[3:]).transpose(1, 2)

        made = predict_windows(predict, folded, self._window, self._overlap, 0)
        return (made.transpose(1, 2).reshape(batch, shape[1], -1, *shape[3:]),)


def _tap(scheduler: Any) -> StepTap:
    if type(scheduler).__name__ == "CogVideoXDPMScheduler":
        # step(output, clean prediction before, time, time before, sample, …)
        return StepTap(scheduler, variance_preserving, timestep_at=2, sample_at=4)
    return StepTap(scheduler, variance_preserving)


def _begin_late(scheduler: Any, steps: int, strength: float, device: Any) -> Tensor:
    """Make ``set_timesteps`` leave out the steps above ``strength``; the times that stay."""
    set_timesteps = scheduler.set_timesteps
    left_out = steps - taken_steps(steps, strength)

    def shortened(*values: Any, **named: Any) -> None:
        set_timesteps(*values, **named)
        scheduler.timesteps = scheduler.timesteps[left_out:]

    scheduler.set_timesteps = shortened
    shortened(steps, device=device)
    return scheduler.timesteps


def _vae_blocks(coder: Any) -> list[Any]:
    stages = coder.down_blocks if hasattr(coder, "down_blocks") else coder.up_blocks
    return [*stages, coder.mid_block]


def _decoded(vae: Any, raw: Tensor, stages: Sequence[Any], check: Callable[[], None]) -> Iterator[tuple[Tensor, int]]:
    """(decoded part, latent frames in it), as ``AutoencoderKLCogVideoX._decode`` cuts a clip. The caches between the
    parts are ours: a job that runs in between neither sees nor clears them."""
    size = vae.num_latent_frames_batch_size
    rest = raw.shape[2] % size
    hook = getattr(vae, "_hf_hook", None)
    device = device_of(vae)
    cache: Any = None
    for number in range(max(raw.shape[2] // size, 1)):
        check()
        if hook is not None and hasattr(hook, "pre_forward"):
            hook.pre_forward(vae)
        part = raw[:, :, size * number + (rest if number else 0) : size * (number + 1) + rest].to(device, vae.dtype)
        if vae.post_quant_conv is not None:
            part = vae.post_quant_conv(part)
        with stopping(stages, check):
            made, cache = vae.decoder(part, conv_cache=cache)
        yield made, part.shape[2]
