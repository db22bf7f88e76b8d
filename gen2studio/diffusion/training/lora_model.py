"""The model that an adapter is trained on: a private copy with low-rank pairs inside.

Training never touches the instance that generates: offloading and cast hooks of inference break the backward pass.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from gen2studio.core.cancel import CancelToken
from gen2studio.diffusion.entries import family_of
from gen2studio.diffusion.runtime.applying import apply_plan, free_memory_of
from gen2studio.diffusion.runtime.loading import Components, Progress, denoising_parts, load_components
from gen2studio.diffusion.runtime.prompt_cache import PromptCache, embed_prompts
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.sampling.taps import StepTap, flow
from gen2studio.diffusion.training.ladder import TrainingPlan
from gen2studio.diffusion.training.lora_checkpoint import adapter_bytes
from gen2studio.diffusion.training.recipe import CAPTION_DROPOUT, TARGETS, WEIGHT_DECAY, LoraRecipe, unshifted
from gen2studio.engine.events import Picture
from gen2studio.models.library import InstalledModel
from gen2studio.models.manifest import MODEL_INDEX

JOINED = "joined"
"""Among what stands beside noisy latents: channels that are joined to theirs."""
Poll = Callable[[], None]
"""Raises Cancelled when the work is to end; may also let other jobs go first."""


class LoraModel:
    """A Wan model for training: :meth:`embed`, :meth:`load`, :meth:`encode`, then :meth:`arm` and :meth:`predict`.

    Of a pair of experts it holds one. The adapter is always float32, whatever the base is. Everything runs on the
    engine thread.
    """

    prefix = "transformer"
    """What the denoiser is called in an adapter's file."""
    targets = TARGETS
    """Modules that get low-rank pairs, as a pattern of their whole names."""

    def __init__(self, model: InstalledModel, plan: TrainingPlan, residency: Residency, expert: str = "") -> None:
        """``expert`` is the component that learns; empty = the first that denoises."""
        self.model = model
        self.manifest = model.manifest
        checked = model.checkpoint()
        self.controlled = model.manifest.family == "wan-vace"
        """The denoiser wants a control beside what it denoises."""
        self.begins_with_picture = checked.family.pipeline == "WanImageToVideoPipeline"
        """Every clip is denoised beside its first picture."""
        self.expert = expert or checked.family.denoisers[0]
        if expert:
            self.prefix = expert
        ratio = checked.configs.get(MODEL_INDEX, {}).get("boundary_ratio")
        self.boundary = float(ratio) if isinstance(ratio, (int, float)) and "transformer_2" in checked.classes else 0.0
        """Noise level at and above which the first of two experts denoises; 0 = there is one denoiser."""
        self._driver = family_of(model).driver()
        self.device = torch.device(plan.device)
        self.dtype: torch.dtype = getattr(torch, plan.dtype)
        self._plan = plan
        self.optimiser = plan.optimiser
        """What steps the adapter unless its checkpoint says otherwise."""
        self._residency = residency
        self._parts: Components | None = None

    # -- pieces ------------------------------------------------------------------------------------------------------

    def embed(
        self, prompts: Sequence[str], cache: PromptCache, progress: Progress, cancel: CancelToken, poll: Poll
    ) -> torch.Tensor:
        """(n, text length, D) float32 embeddings of ``prompts``, exactly as the pipeline makes them.

        Call it before :meth:`load`: there may be no room for the text encoder beside the transformer.
        """
        rows = embed_prompts(
            self.model, self._driver, self._plan, prompts, self._residency, cache,
            progress=progress, cancel=cancel, poll=poll,
        )  # fmt: skip
        return torch.cat([row["prompt_embeds"].float() for row in rows])

    def load(self, progress: Progress, cancel: CancelToken) -> None:
        """Load the private copy of transformer and VAE. Models that generate give way where memory is theirs alone."""
        if self._parts is None:
            if self.device.type == "cuda":
                self._residency.release()
            denoisers = self.model.checkpoint().family.denoisers
            wanted = [name for name in denoising_parts(self.model) if name == self.expert or name not in denoisers]
            parts = load_components(self.model, self._plan, wanted, progress=progress, cancel=cancel)
            self._parts = apply_plan(parts, self._plan)

    @property
    def _loaded(self) -> Components:
        assert self._parts is not None, "load the model first"
        return self._parts

    @property
    def vae(self) -> Any:
        """AutoencoderKLWan in float32."""
        return self._loaded.vae

    @property
    def transformer(self) -> Any:
        """WanVACETransformer3DModel or WanTransformer3DModel."""
        return self._loaded.transformer

    @property
    def blocks(self) -> Iterable[Any]:
        """What a step goes through one after the other; a cancel ends it between two of them."""
        return self.transformer.blocks

    def _pipeline(self) -> Any:
        return self._driver.pipeline(self._loaded)

    @torch.no_grad()
    def encode(self, picture: Picture) -> torch.Tensor:
        """(1, C, 1, h, w) float32 normalised latents of a (H, W, 3) uint8 picture as a one-frame clip."""
        return self.encode_clip([picture])

    @torch.no_grad()
    def encode_clip(self, pictures: Sequence[Picture]) -> torch.Tensor:
        """(1, C, T, h, w) float32 normalised latents of 4k + 1 pictures (H, W, 3) uint8."""
        pixels = torch.from_numpy(np.stack(pictures)).to(self.device, torch.float32)
        clip = (pixels / 127.5 - 1.0).permute(3, 0, 1, 2)[None]
        with self._in_tiles(len(pictures)):
            latents = self.vae.encode(clip).latent_dist.mode().float()
        mean, std = self._statistics()
        return ((latents - mean) / std).cpu()

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> Picture:
        """The (H, W, 3) uint8 picture of normalised one-frame latents (1, C, 1, h, w)."""
        return self.decode_clip(latents)[0]

    @torch.no_grad()
    def decode_clip(self, latents: torch.Tensor) -> list[Picture]:
        """The pictures (H, W, 3) uint8 of normalised latents (1, C, T, h, w)."""
        mean, std = self._statistics()
        with self._in_tiles(latents.shape[2]):
            clip = self.vae.decode(latents.to(self.device, torch.float32) * std + mean, return_dict=False)[0]
        pixels = (clip[0].float().clamp(-1, 1) + 1.0) * 127.5
        frames = pixels.round().to(torch.uint8).permute(1, 2, 3, 0).cpu().numpy()
        return [np.ascontiguousarray(frame) for frame in frames]

    @contextmanager
    def _in_tiles(self, frames: int) -> Generator[None]:
        """On a GPU a clip is coded in tiles: the denoiser lies beside it."""
        tiled = frames > 1 and self.device.type != "cpu" and not self._plan.tiled_vae
        if tiled:
            self.vae.enable_tiling()
        try:
            yield
        finally:
            if tiled:
                self.vae.disable_tiling()

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.vae.config
        mean, std = (
            torch.tensor(values, device=self.device, dtype=torch.float32).view(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        return mean, std

    @torch.no_grad()
    def beside(self, size: tuple[int, int], frames: int = 1) -> dict[str, torch.Tensor]:
        """What every clip of a shape is denoised beside, by the denoiser's arguments: with VACE a control (1, C', T, h,
        w) that is grey everywhere and all to be made.

        Made by the pipeline's own methods, so that training sees what text-to-video sees.
        """
        if not self.controlled:
            return {}
        pipe = self._pipeline()
        video, mask, references = pipe.preprocess_conditions(
            None, None, None, 1, size[1], size[0], frames, torch.float32, self.device
        )
        latents = pipe.prepare_video_latents(video, mask, references, None, self.device)
        control = torch.cat([latents.float(), pipe.prepare_masks(mask, references).float()], dim=1)
        return {"control_hidden_states": control.cpu()}

    @torch.no_grad()
    def beside_window(self, pictures: Sequence[Picture]) -> dict[str, torch.Tensor]:
        """What one window is denoised beside: where the model begins with a picture, that picture and which latents are
        known, (1, C', T, h, w), and what its image encoder sees in it, (1, L, D). By the pipeline's own methods."""
        if not self.begins_with_picture:
            return {}
        pipe = self._pipeline()
        height, width = pictures[0].shape[:2]
        pixels = torch.from_numpy(np.ascontiguousarray(pictures[0])).to(self.device, torch.float32)
        first = (pixels / 127.5 - 1.0).permute(2, 0, 1)[None]
        channels = self.vae.config.z_dim
        known = pipe.prepare_latents(first, 1, channels, height, width, len(pictures), torch.float32, self.device)[1]
        found = {JOINED: known.float().cpu()}
        if self._loaded.parts.get("image_encoder") is not None:
            from PIL import Image

            seen = pipe.encode_image(Image.fromarray(pictures[0]), self.device)
            found["encoder_hidden_states_image"] = seen.float().cpu()
        return found

    # -- the adapter -------------------------------------------------------------------------------------------------

    caption_dropout = CAPTION_DROPOUT
    """Share of examples that are learned without their caption."""
    weight_decay = WEIGHT_DECAY

    def calling(self, caption: str) -> str:
        """A caption as it is learned from."""
        return caption

    def arm(self, recipe: LoraRecipe) -> list[torch.nn.Parameter]:
        """Put fresh low-rank pairs into the transformer; returns what is to be trained, in a fixed order."""
        from diffusers.training_utils import cast_training_params
        from peft import LoraConfig

        config = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules=self.targets, init_lora_weights=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.transformer.add_adapter(config, adapter_name="default")
        cast_training_params([self.transformer], dtype=torch.float32)
        if self._plan.recomputed:
            self.transformer.enable_gradient_checkpointing()
        return [parameter for _, parameter in self._trained()]

    def _trained(self) -> list[tuple[str, torch.nn.Parameter]]:
        return [(name, p) for name, p in self.transformer.named_parameters() if p.requires_grad]

    def adapter(self) -> dict[str, torch.Tensor]:
        """The adapter's weights by their names in the transformer, float32 on the CPU."""
        from peft.utils import get_peft_model_state_dict

        found = get_peft_model_state_dict(self.transformer)
        return {name: value.detach().float().cpu().contiguous() for name, value in sorted(found.items())}

    def set_adapter(self, weights: dict[str, torch.Tensor]) -> None:
        """Continue from saved weights. Raises ValueError when they are of another adapter."""
        own = {name.replace(".default.", "."): parameter for name, parameter in self._trained()}
        if own.keys() != weights.keys() or any(own[name].shape != weights[name].shape for name in own):
            raise ValueError("the checkpoint is of another adapter")
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(weights[name])

    def stepped(self) -> None:
        """A step of the optimiser is done."""

    def written(
        self, learned: Mapping[str, Mapping[str, torch.Tensor]], recipe: LoraRecipe, about: Mapping[str, str]
    ) -> bytes:
        """The file of what each denoiser ``learned``, by what it is called; ``about`` joins its metadata."""
        return adapter_bytes(learned, recipe, about, self.targets)

    def enable(self, on: bool) -> None:
        """Let the adapter act, or show the base model."""
        if on:
            self.transformer.enable_adapters()
        else:
            self.transformer.disable_adapters()

    def predict(
        self, noisy: torch.Tensor, level: torch.Tensor, prompts: torch.Tensor, beside: Mapping[str, torch.Tensor]
    ) -> torch.Tensor:
        """Velocity ε - x_0, (b, C, T, h, w) float32, at noise ``level`` (b,) in 0…1. With gradients where enabled.

        ``beside``: as :meth:`beside` and :meth:`beside_window` give it, with one row or one for each clip.
        """
        shown = {
            name: value.to(self.device, self.dtype).expand(len(noisy), *value.shape[1:])
            for name, value in beside.items()
        }
        states = noisy.to(self.device, self.dtype)
        if JOINED in shown:
            states = torch.cat([states, shown.pop(JOINED)], 1)
        return self.transformer(
            hidden_states=states,
            timestep=(level * 1000.0).to(self.device),
            encoder_hidden_states=prompts.to(self.device, self.dtype),
            **shown,
            return_dict=False,
        )[0].float()

    def levels(self, count: int, draw: torch.Generator) -> torch.Tensor:
        """Noise levels (count,) in 0…1 before the shift, drawn logit-normally; of an expert, from the part of that
        distribution that lies in its own range."""
        if not self.boundary:
            return torch.sigmoid(torch.randn(count, generator=draw))
        edge = math.log(unshifted(self.boundary, self.manifest.flow_shift))
        edge -= math.log1p(-unshifted(self.boundary, self.manifest.flow_shift))
        below = 0.5 * (1 + math.erf(edge / math.sqrt(2)))
        low, high = (below, 1.0) if self.expert == "transformer" else (0.0, below)
        share = (low + (high - low) * torch.rand(count, generator=draw, dtype=torch.float64)).clamp(1e-9, 1 - 1e-9)
        return torch.sigmoid(torch.special.ndtri(share)).float()

    def loss(
        self,
        clean: torch.Tensor,
        noise: torch.Tensor,
        level: torch.Tensor,
        prompts: torch.Tensor,
        beside: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """Flow-matching loss, a scalar: ``clean`` and ``noise`` (b, C, T, h, w), ``level`` (b,) in 0…1 before the
        shift, ``prompts`` (b, L, D), ``beside`` as for :meth:`predict`."""
        shift = self.manifest.flow_shift
        noisiness = shift * level / (1 + (shift - 1) * level)
        part = noisiness.view(-1, 1, 1, 1, 1)
        predicted = self.predict((1 - part) * clean + part * noise, noisiness, prompts, beside)
        return (predicted - (noise - clean).to(predicted.device)).square().mean()

    # -- test frames -------------------------------------------------------------------------------------------------

    def sample(
        self,
        prompts: torch.Tensor,
        size: tuple[int, int],
        seed: int,
        poll: Poll,
        *,
        frames: int = 1,
        first: Picture | None = None,
    ) -> torch.Tensor:
        """Normalised latents (1, C, T, h, w) of a run from words. ``prompts``: (2, L, D) empty, wanted; ``first``: the
        picture that it begins with, where the model begins with one."""
        return self._run(self._pipeline(), prompts, size, seed, poll, frames, first)

    def begin(
        self, prompts: torch.Tensor, size: tuple[int, int], seed: int, poll: Poll, frames: int, first: Picture | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The first expert's part of a run: latents at the noise level where the second takes over, and its guess there
        of the clean ones."""
        pipe = self._pipeline()
        tap = StepTap(pipe.scheduler, flow)
        edge = self.boundary * pipe.scheduler.config.num_train_timesteps

        def on_step(index: int) -> None:
            times = pipe.scheduler.timesteps
            if index + 1 >= len(times) or float(times[index + 1]) < edge:
                pipe._interrupt = True

        latents = self._run(pipe, prompts, size, seed, poll, frames, first, on_step=on_step)
        return latents, latents if tap.clean is None else tap.clean.float()

    def go_on(
        self,
        latents: torch.Tensor,
        prompts: torch.Tensor,
        size: tuple[int, int],
        seed: int,
        poll: Poll,
        frames: int,
        first: Picture | None,
    ) -> torch.Tensor:
        """The second expert's part of a run, from what :meth:`begin` of the first gave."""
        pipe = self._pipeline()
        scheduler = pipe.scheduler
        edge = self.boundary * scheduler.config.num_train_timesteps
        set_timesteps = scheduler.set_timesteps

        def shortened(*values: Any, **named: Any) -> None:
            set_timesteps(*values, **named)
            begun = min(sum(float(time) >= edge for time in scheduler.timesteps), len(scheduler.timesteps) - 1)
            scheduler.timesteps, scheduler.sigmas = scheduler.timesteps[begun:], scheduler.sigmas[begun:]

        scheduler.set_timesteps = shortened
        return self._run(pipe, prompts, size, seed, poll, frames, first, latents=latents)

    def _run(
        self,
        pipe: Any,
        prompts: torch.Tensor,
        size: tuple[int, int],
        seed: int,
        poll: Poll,
        frames: int,
        first: Picture | None,
        *,
        latents: torch.Tensor | None = None,
        on_step: Callable[[int], None] | None = None,
    ) -> torch.Tensor:
        was_training = self.transformer.training
        self.transformer.eval()
        given: dict[str, Any] = {}
        if first is not None:
            from PIL import Image

            given["image"] = Image.fromarray(first)
        if latents is not None:
            given["latents"] = latents.to(self.device, torch.float32)

        def polled(_pipe: Any, index: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
            poll()
            if on_step is not None:
                on_step(index)
            return values

        try:
            with _quiet_rounding():
                return pipe(
                    prompt_embeds=prompts[1:2].to(self.device, self.dtype),
                    negative_prompt_embeds=prompts[0:1].to(self.device, self.dtype),
                    height=size[1],
                    width=size[0],
                    # With a temporal factor of 1 the pipeline takes every length for a wrong one and adds a frame.
                    num_frames=frames if self.manifest.temporal_scale > 1 else frames - 1,
                    num_inference_steps=self.manifest.steps.default,
                    guidance_scale=self.manifest.guidance.default,
                    generator=torch.Generator("cpu").manual_seed(seed),
                    max_sequence_length=self.manifest.text_length,
                    output_type="latent",
                    callback_on_step_end=polled,
                    **given,
                ).frames.float()
        finally:
            self.transformer.train(was_training)

    def close(self) -> None:
        """Let go of every weight."""
        self._parts = None
        free_memory_of(torch)


@contextmanager
def _quiet_rounding() -> Generator[None]:
    """The pipeline warns each time that it rounds the frame count we computed for it."""
    names = ("pipeline_wan_vace", "pipeline_wan", "pipeline_wan_i2v")
    loggers = [logging.getLogger(f"diffusers.pipelines.wan.{name}") for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
