"""Stable Diffusion 1.5 as a model that an adapter is trained on: the image model alone, without its motion modules.

AnimateDiff's motion modules stay frozen and apart, so that what is learned from stills shows in clips (Guo et al.,
arXiv 2307.04725). The image model predicts the noise of a diffusion schedule rather than a velocity.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from gen2studio.core.cancel import CancelToken
from gen2studio.diffusion.runtime.applying import apply_plan
from gen2studio.diffusion.runtime.loading import Progress, load_components
from gen2studio.diffusion.runtime.torch_loading import load_diffusers
from gen2studio.diffusion.training.lora_model import LoraModel, Poll
from gen2studio.diffusion.training.recipe import IMAGE_TARGETS
from gen2studio.engine.events import Picture

_PARTS = ("unet", "vae", "scheduler")


class StableDiffusionLora(LoraModel):
    """As :class:`LoraModel`. Latents keep a time axis of length 1 outside, as all families' do."""

    prefix = "unet"
    targets = IMAGE_TARGETS

    def load(self, progress: Progress, cancel: CancelToken) -> None:
        if self._parts is None:
            if self.device.type == "cuda":
                self._residency.release()
            self._parts = apply_plan(
                load_components(self.model, self._plan, _PARTS, progress=progress, cancel=cancel), self._plan
            )

    @property
    def blocks(self) -> Iterable[Any]:
        unet = self.transformer
        return (*unet.down_blocks, unet.mid_block, *unet.up_blocks)

    @torch.no_grad()
    def encode(self, picture: Picture) -> torch.Tensor:
        pixels = torch.from_numpy(np.ascontiguousarray(picture)).to(self.device, torch.float32)
        still = (pixels / 127.5 - 1.0).permute(2, 0, 1)[None]
        latents = self.vae.encode(still).latent_dist.mode().float() * self.vae.config.scaling_factor
        return latents[:, :, None].cpu()

    @torch.no_grad()
    def decode(self, latents: torch.Tensor) -> Picture:
        still = latents[:, :, 0].to(self.device, torch.float32) / self.vae.config.scaling_factor
        pixels = (self.vae.decode(still, return_dict=False)[0][0].float().clamp(-1, 1) + 1.0) * 127.5
        return np.ascontiguousarray(pixels.round().to(torch.uint8).permute(1, 2, 0).cpu().numpy())

    def loss(
        self,
        clean: torch.Tensor,
        noise: torch.Tensor,
        level: torch.Tensor,
        prompts: torch.Tensor,
        beside: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        """Mean squared error of the predicted noise (Ho et al., arXiv 2006.11239), or of the velocity where the
        checkpoint predicts that (Salimans & Ho, arXiv 2202.00512)."""
        del beside
        noisier = self._noiser()
        # A level is drawn logit-normally; these models were trained with every time as likely as any other.
        even = 0.5 * (1 + torch.erf(torch.logit(level.clamp(1e-6, 1 - 1e-6)) / math.sqrt(2)))
        times = (even * (noisier.config.num_train_timesteps - 1)).round().long().to(self.device)
        still, drawn = clean[:, :, 0].to(self.device), noise[:, :, 0].to(self.device)
        predicted = self.transformer(
            noisier.add_noise(still, drawn, times).to(self.dtype),
            times,
            encoder_hidden_states=prompts.to(self.device, self.dtype),
            return_dict=False,
        )[0].float()
        velocity = noisier.config.prediction_type == "v_prediction"
        wanted = noisier.get_velocity(still, drawn, times) if velocity else drawn
        return (predicted - wanted).square().mean()

    def _noiser(self) -> Any:
        """The schedule that the checkpoint was trained with, whatever it is sampled with."""
        library: Any = load_diffusers()
        return library.DDPMScheduler.from_config(self._loaded.scheduler.config)

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
        """A picture, (1, C, 1, h, w): the UNet alone knows no clips, and begins with none."""
        assert frames == 1 and first is None, "trained on pictures"
        library: Any = load_diffusers()
        parts: Any = self._loaded
        # Nothing that an index names beside these is built: no safety checker, no text encoder.
        missing = dict.fromkeys(("text_encoder", "tokenizer", "safety_checker", "feature_extractor"))
        pipe = library.StableDiffusionPipeline(
            vae=parts.vae,
            unet=self.transformer,
            scheduler=library.DDIMScheduler.from_config(parts.scheduler.config, clip_sample=False),
            requires_safety_checker=False,
            **missing,
        )
        pipe.set_progress_bar_config(disable=True)
        was_training = self.transformer.training
        self.transformer.eval()

        def on_step(_pipe: Any, _index: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
            poll()
            return values

        try:
            with torch.no_grad():
                latents = pipe(
                    prompt_embeds=prompts[1:2].to(self.device, self.dtype),
                    negative_prompt_embeds=prompts[0:1].to(self.device, self.dtype),
                    height=size[1],
                    width=size[0],
                    num_inference_steps=self.manifest.steps.default,
                    guidance_scale=self.manifest.guidance.default,
                    generator=torch.Generator("cpu").manual_seed(seed),
                    output_type="latent",
                    callback_on_step_end=on_step,
                ).images
        finally:
            self.transformer.train(was_training)
        return latents[:, :, None].float()
