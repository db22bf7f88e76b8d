"""The model that an adapter is trained on: a private copy with low-rank pairs inside.

Training never touches the instance that generates: offloading and cast hooks of inference break the backward pass.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from gen2studio.core.cancel import CancelToken
from gen2studio.diffusion.entries import family_of
from gen2studio.diffusion.runtime.applying import apply_plan, free_memory_of
from gen2studio.diffusion.runtime.loading import Components, Progress, load_components
from gen2studio.diffusion.runtime.prompt_cache import PromptCache, embed_prompts
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.training.ladder import TrainingPlan
from gen2studio.diffusion.training.recipe import TARGETS, LoraRecipe
from gen2studio.engine.events import Picture
from gen2studio.models.library import InstalledModel

Poll = Callable[[], None]
"""Raises Cancelled when the work is to end; may also let other jobs go first."""


class LoraModel:
    """A Wan model for training: :meth:`embed`, :meth:`load`, :meth:`encode`, then :meth:`arm` and :meth:`predict`.

    The adapter is always float32, whatever the base is. Everything runs on the engine thread.
    """

    prefix = "transformer"
    """What the denoiser is called in an adapter's file."""
    targets = TARGETS
    """Modules that get low-rank pairs, as a pattern of their whole names."""

    def __init__(self, model: InstalledModel, plan: TrainingPlan, residency: Residency) -> None:
        self.model = model
        self.manifest = model.manifest
        self.controlled = model.manifest.family == "wan-vace"
        """The denoiser wants a control beside what it denoises."""
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
            parts = load_components(self.model, self._plan, progress=progress, cancel=cancel)
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
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device, torch.float32)
        clip = (pixels / 127.5 - 1.0).permute(2, 0, 1)[None, :, None]
        latents = self.vae.encode(clip).latent_dist.mode().float()
        mean, std = self._statistics()
        return ((latents - mean) / std).cpu()

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> Picture:
        """The (H, W, 3) uint8 picture of normalised one-frame latents (1, C, 1, h, w)."""
        mean, std = self._statistics()
        clip = self.vae.decode(latents.to(self.device, torch.float32) * std + mean, return_dict=False)[0]
        pixels = (clip[0, :, 0].float().clamp(-1, 1) + 1.0) * 127.5
        return np.ascontiguousarray(pixels.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())

    def _statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        config = self.vae.config
        mean, std = (
            torch.tensor(values, device=self.device, dtype=torch.float32).view(1, -1, 1, 1, 1)
            for values in (config.latents_mean, config.latents_std)
        )
        return mean, std

    @torch.no_grad()
    def control(self, size: tuple[int, int]) -> torch.Tensor:
        """(1, C', 1, h, w) control of a clip without any: grey everywhere, all of it to be made.

        Made by the pipeline's own methods, so that training sees what text-to-video sees.
        """
        pipe = self._pipeline()
        video, mask, references = pipe.preprocess_conditions(
            None, None, None, 1, size[1], size[0], 1, torch.float32, self.device
        )
        latents = pipe.prepare_video_latents(video, mask, references, None, self.device)
        return torch.cat([latents.float(), pipe.prepare_masks(mask, references).float()], dim=1).cpu()

    # -- the adapter -------------------------------------------------------------------------------------------------

    def arm(self, recipe: LoraRecipe) -> list[torch.nn.Parameter]:
        """Put fresh low-rank pairs into the transformer; returns what is to be trained, in a fixed order."""
        from diffusers.training_utils import cast_training_params
        from peft import LoraConfig

        config = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules=self.targets, init_lora_weights=True)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.transformer.add_adapter(config, adapter_name="default")
        cast_training_params([self.transformer], dtype=torch.float32)
        if recipe.recompute:
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

    def enable(self, on: bool) -> None:
        """Let the adapter act, or show the base model."""
        if on:
            self.transformer.enable_adapters()
        else:
            self.transformer.disable_adapters()

    def predict(
        self, noisy: torch.Tensor, level: torch.Tensor, prompts: torch.Tensor, control: torch.Tensor | None
    ) -> torch.Tensor:
        """Velocity ε - x_0, (b, C, 1, h, w) float32, at noise ``level`` (b,) in 0…1. With gradients where enabled.

        ``control`` (1, C', 1, h, w) where the model is :attr:`controlled`.
        """
        shown: dict[str, torch.Tensor] = {}
        if control is not None:
            shown["control_hidden_states"] = control.to(self.device, self.dtype).expand(len(noisy), -1, -1, -1, -1)
        return self.transformer(
            hidden_states=noisy.to(self.device, self.dtype),
            timestep=(level * 1000.0).to(self.device),
            encoder_hidden_states=prompts.to(self.device, self.dtype),
            **shown,
            return_dict=False,
        )[0].float()

    def loss(
        self,
        clean: torch.Tensor,
        noise: torch.Tensor,
        level: torch.Tensor,
        prompts: torch.Tensor,
        control: torch.Tensor | None,
    ) -> torch.Tensor:
        """Flow-matching loss, a scalar: ``clean`` and ``noise`` (b, C, 1, h, w), ``level`` (b,) in 0…1 before the
        shift, ``prompts`` (b, L, D), ``control`` (1, C', 1, h, w) for models that have one."""
        shift = self.manifest.flow_shift
        noisiness = shift * level / (1 + (shift - 1) * level)
        part = noisiness.view(-1, 1, 1, 1, 1)
        predicted = self.predict((1 - part) * clean + part * noise, noisiness, prompts, control)
        return (predicted - (noise - clean).to(predicted.device)).square().mean()

    def sample(self, prompts: torch.Tensor, size: tuple[int, int], seed: int, poll: Poll) -> torch.Tensor:
        """Normalised one-frame latents (1, C, 1, h, w) of a text-to-video run. ``prompts``: (2, L, D) empty, wanted."""
        pipe = self._pipeline()
        was_training = self.transformer.training
        self.transformer.eval()

        def on_step(_pipe: Any, _index: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
            poll()
            return values

        try:
            with _quiet_rounding():
                return pipe(
                    prompt_embeds=prompts[1:2].to(self.device, self.dtype),
                    negative_prompt_embeds=prompts[0:1].to(self.device, self.dtype),
                    height=size[1],
                    width=size[0],
                    # Rounded by the pipeline to a multiple of the temporal factor plus one, but 1 to 2 where it is 1.
                    num_frames=1 if self.manifest.temporal_scale > 1 else 0,
                    num_inference_steps=self.manifest.steps.default,
                    guidance_scale=self.manifest.guidance.default,
                    generator=torch.Generator("cpu").manual_seed(seed),
                    max_sequence_length=self.manifest.text_length,
                    output_type="latent",
                    callback_on_step_end=on_step,
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
    names = ("pipeline_wan_vace", "pipeline_wan")
    loggers = [logging.getLogger(f"diffusers.pipelines.wan.{name}") for name in names]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
