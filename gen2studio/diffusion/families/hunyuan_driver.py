"""HunyuanVideo 1.5 on torch: diffusers' ``HunyuanVideo15Pipeline`` and ``HunyuanVideo15ImageToVideoPipeline`` around
loaded parts.

The pipelines call nobody back, so steps are told by the scheduler. Guidance is a guider object of the job's own.
Latents are the VAE's, normalised: (1, C, T, h / 16, w / 16).

**Padding.** The prompt is padded to a thousand tokens and more, and the class keeps a mask of tokens × tokens beside
the attention: at 848×480 and 121 frames 2.6 GB of it twice over, at 1280×720 13 GB. Where that would be more than
:data:`MASK_LIMIT` bytes the padding is left out instead, and the attention needs no mask: what is left out had no
weight in any sum, so the result is the same but for rounding. Smaller clips run as the class comes, bit for bit.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, TextEmbedding
from gen2studio.diffusion.runtime.loading import Components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.sampling import flow_start, seeds
from gen2studio.diffusion.sampling.decode import pictures, stages_of
from gen2studio.diffusion.sampling.holding import LatentHold, cell_strengths, flow_way, levels_after, taken_steps
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
from gen2studio.diffusion.sampling.tiles import decoded_in_tiles, with_smaller_tiles
from gen2studio.diffusion.sampling.windows import predict_windows, spans
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
MASK_LIMIT = 256 << 20
"""Bytes of a mask of tokens × tokens from which on the padding is left out."""


class HunyuanDriver:
    """Implements :class:`gen2studio.diffusion.families.driving.FamilyDriver`."""

    def __init__(self, mask_limit: int = MASK_LIMIT) -> None:
        """``mask_limit`` in bytes, as :data:`MASK_LIMIT`."""
        self._mask_limit = mask_limit

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.HunyuanVideo15Pipeline)

    @torch.no_grad()
    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        """Beside the prompt what stands in quotation marks in it; the rows of padding, which nothing reads, are 0."""
        library: Any = load_diffusers()
        reader, place = library.HunyuanVideo15Pipeline, torch.device(device)
        words, mask = reader._get_mllm_prompt_embeds(
            parts.text_encoder, parts.tokenizer, text, place, tokenizer_max_length=length
        )
        glyphs, written = reader._get_byt5_prompt_embeds(
            parts.parts["tokenizer_2"], parts.parts["text_encoder_2"], text, place
        )
        return {
            "prompt_embeds": words * mask.unsqueeze(-1).to(words.dtype),
            "prompt_embeds_mask": mask,
            "prompt_embeds_2": glyphs * written.unsqueeze(-1).to(glyphs.dtype),
            "prompt_embeds_mask_2": written,
        }

    @torch.no_grad()
    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        inputs, embeds, sampling, watch = run.inputs, run.embeds, run.sampling, run.watch
        job = own_pipeline(pipe)
        device = job._execution_device
        shape = latent_shape(inputs, run.geometry)
        noise = clip_noise(shape, sampling, device)
        model = pipe.transformer
        guided = embeds.negative is not None
        # A copy and not a new one, which would warn every time that guiders are an experiment.
        guider = copy.copy(pipe.guider)
        guider.guidance_scale = sampling.guidance if guided else 1.0
        stand_in(job, "guider", guider)
        with (
            stopping([*model.transformer_blocks, *stages_of(pipe.vae.encoder)], watch.check),
            _without_masks(model),
        ):
            begin, levels, hold = noise, None, None
            if inputs.start:
                clean = self.encode(job, inputs.start).to(noise)
                if inputs.strength < 1.0:
                    count = taken_steps(sampling.steps, inputs.strength)
                    levels = np.linspace(inputs.strength, 0.0, count + 1)[:-1]
                    begin = flow_start.begun(job.scheduler, levels, 0.0, clean, noise)
                if inputs.masks or inputs.frame_strength:
                    group = run.geometry.frames.group
                    cells = cell_strengths(shape, inputs.frame_strength, inputs.masks, group, inputs.strength)
                    after = levels_after(inputs.strength, sampling.steps)
                    hold = LatentHold(cells, after, flow_way(clean, noise, job.scheduler))
            tap = StepTap(job.scheduler, flow)

            def on_step(index: int, latents: Tensor) -> Tensor:
                assert tap.clean is not None
                watch.stepped(index + 1, job.num_timesteps, tap.clean)
                return latents if hold is None else hold.after(index, latents)

            _after_each_step(job.scheduler, on_step)
            padded = not self._leaves_padding_out(job, shape, embeds.positive)
            if not padded or len(spans(shape[2], sampling.window, sampling.overlap)) > 1:
                stand_in(job, "transformer", _JobTransformer(model, sampling.window, sampling.overlap, padded))
            call: dict[str, Any] = {name: value.to(device) for name, value in embeds.positive.items()}
            for name, value in (embeds.negative or {}).items():
                call[f"negative_{name}"] = value.to(device)
            try:
                made = job(
                    **call,
                    **self._conditions(job, inputs),
                    num_frames=inputs.frames,
                    num_inference_steps=len(levels) if levels is not None else sampling.steps,
                    sigmas=levels,
                    generator=seeds.generator(sampling.seed),
                    latents=begin,
                    output_type="latent",
                ).frames
            finally:
                job.maybe_free_model_hooks()
        return made.float()

    def _leaves_padding_out(self, job: Any, shape: tuple[int, ...], text: TextEmbedding) -> bool:
        config = job.transformer.config
        cells = shape[2] * shape[3] * shape[4] // (config.patch_size_t * config.patch_size**2)
        words = text["prompt_embeds"].shape[1] + text["prompt_embeds_2"].shape[1] + job.vision_num_semantic_tokens
        chosen = next(iter(job.transformer.transformer_blocks)).attn.processor._attention_backend
        # Other kernels than torch's own take no mask.
        return (cells + words) ** 2 > self._mask_limit or chosen is not None

    def _conditions(self, job: Any, inputs: PipelineInputs) -> dict[str, Any]:
        """What a kind of pipeline is called with besides."""
        del job
        return {"width": inputs.width, "height": inputs.height}

    @torch.no_grad()
    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        vae = pipe.vae
        found = vae.encode(video_tensor(frames).to(pipe._execution_device, vae.dtype)).latent_dist.mode()
        return (found * vae.config.scaling_factor).float()

    @torch.no_grad()
    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        vae = pipe.vae
        cell = vae.spatial_compression_ratio

        def part(rows: Tensor) -> Tensor:
            raw = rows.to(device_of(vae), vae.dtype) / vae.config.scaling_factor
            with stopping(stages_of(vae.decoder), how.check):
                return vae.decode(raw, return_dict=False)[0]

        def whole() -> Iterator[Picture]:
            made = part(latents)
            how.progress(1, 1)
            yield from pictures(made)

        def tiled(side: int) -> Iterator[Picture]:
            yield from pictures(decoded_in_tiles(part, latents, side, cell, how.progress))

        return with_smaller_tiles(whole, tiled, side=max(latents.shape[-2:]) * cell, how=how)


class HunyuanImageDriver(HunyuanDriver):
    """The checkpoints that begin with a picture."""

    def pipeline(self, parts: Components) -> Any:
        library: Any = load_diffusers()
        return parts.pipeline(library.HunyuanVideo15ImageToVideoPipeline)

    def _conditions(self, job: Any, inputs: PipelineInputs) -> dict[str, Any]:
        from PIL import Image

        if not inputs.keys:
            raise GenerationError("There is no picture to begin with.", "Put one on the shot's first frame.")

        def size(height: int, width: int, target_size: int) -> tuple[int, int]:
            # The pipeline would choose one by the picture's shape; the run has one already.
            del height, width, target_size
            return inputs.height, inputs.width

        stand_in(job.video_processor, "calculate_default_height_width", size)
        return {"image": Image.fromarray(inputs.keys[0][1])}


class _JobTransformer(torch.nn.Module):
    """The transformer as a job with a large clip sees it: words without their padding, and where the clip is long the
    predictions of overlapping windows, blended."""

    def __init__(self, model: Any, window: int, overlap: int, padded: bool) -> None:
        super().__init__()
        self.model = model
        self._window, self._overlap = window, overlap
        self._padded = padded

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
        """As ``HunyuanVideo15Transformer3DModel.forward`` with ``return_dict=False``; hidden (1, C, T, h, w)."""
        if not self._padded:
            call |= _without_padding(call)

        def predict(part: Tensor, chosen: Tensor) -> Tensor:
            del chosen
            return self.model(hidden_states=part, **call)[0]

        return (predict_windows(predict, hidden_states, self._window, self._overlap, 0),)


class _MaskFree:
    """The class's joint attention where no token is padding: the same sums without a mask of tokens × tokens."""

    def __init__(self, stock: Any) -> None:
        self.stock = stock

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stock, name)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> tuple[Tensor, Tensor]:
        from diffusers.models.attention_dispatch import dispatch_attention_fn
        from diffusers.models.embeddings import apply_rotary_emb

        words = encoder_hidden_states
        if words is None or (attention_mask is not None and not bool(attention_mask.all())):
            return self.stock(attn, hidden_states, words, attention_mask, image_rotary_emb)

        turned: Any = apply_rotary_emb

        def heads(rows: Tensor) -> Tensor:
            return rows.unflatten(2, (attn.heads, -1))

        sides = (
            (attn.norm_q, attn.to_q, attn.norm_added_q, attn.add_q_proj),
            (attn.norm_k, attn.to_k, attn.norm_added_k, attn.add_k_proj),
        )
        query, key = (
            torch.cat(
                [
                    turned(norm(heads(to(hidden_states))), image_rotary_emb, sequence_dim=1),
                    added(heads(add(words))),
                ],
                dim=1,
            )
            for norm, to, added, add in sides
        )
        value = torch.cat([heads(attn.to_v(hidden_states)), heads(attn.add_v_proj(words))], dim=1)
        made = dispatch_attention_fn(
            query, key, value, backend=self.stock._attention_backend, parallel_config=self.stock._parallel_config
        )
        made = made.flatten(2, 3).to(query.dtype)
        count = hidden_states.shape[1]
        picture = attn.to_out[1](attn.to_out[0](made[:, :count]))
        return picture, attn.to_add_out(made[:, count:])


@contextmanager
def _without_masks(model: Any) -> Generator[None]:
    """Let the blocks of ``model`` go without a mask where nothing is masked; they are as they were at the end."""
    layers = [block.attn for block in model.transformer_blocks]
    before = [layer.processor for layer in layers]
    for layer, stock in zip(layers, before, strict=True):
        layer.processor = _MaskFree(stock)
    try:
        yield
    finally:
        for layer, stock in zip(layers, before, strict=True):
            layer.processor = stock


def _without_padding(call: dict[str, Any]) -> dict[str, Tensor]:
    """The words of a call of the transformer, batch 1, that are words, and the picture's tokens where there is one."""
    made: dict[str, Tensor] = {}
    for rows, mask in (
        ("encoder_hidden_states", "encoder_attention_mask"),
        ("encoder_hidden_states_2", "encoder_attention_mask_2"),
    ):
        kept = call[mask][0].bool()
        made |= {rows: call[rows][:, kept], mask: call[mask][:, kept]}
    seen: Tensor = call["image_embeds"]
    # As the class tells it: a picture of zeros is none.
    return made | {"image_embeds": seen if bool(seen.any()) else seen[:, :0]}


def _after_each_step(scheduler: Any, do: Callable[[int, Tensor], Tensor]) -> None:
    """Have ``do`` (step from 0, latents after it) make the latents that a job's own ``scheduler`` hands on."""
    step = scheduler.step
    taken = 0

    @functools.wraps(step)
    def watched(*values: Any, **named: Any) -> Any:
        nonlocal taken
        made = step(*values, **named)
        taken += 1
        return (do(taken - 1, made[0]), *made[1:])

    scheduler.step = watched
