"""The model that an adapter is trained on: a private copy, loaded piece by piece, with low-rank pairs inside.

Training never touches the instance that generates: offloading and cast hooks of inference break the backward pass.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gen2studio.diffusion.training.recipe import TARGETS, LoraRecipe
from gen2studio.engine.events import Picture
from gen2studio.models.manifest import ModelManifest

Poll = Callable[[], None]
"""Raises Cancelled when the work is to end; may also let other jobs go first."""


class LoraModel:
    """A WanVACE checkpoint for training. Use: :meth:`embed`, :meth:`encode`, then :meth:`arm` and :meth:`predict`.

    ``device`` holds what computes; ``dtype`` is the base weights' (float32 on a CPU, bfloat16 on an accelerator); the
    adapter itself is always float32.
    """

    def __init__(self, folder: Path, manifest: ModelManifest, device: torch.device, dtype: torch.dtype) -> None:
        self.folder = folder
        self.manifest = manifest
        self.device = device
        self.dtype = dtype
        self._vae: Any = None
        self._transformer: Any = None
        self._scheduler: Any = None

    # -- pieces ------------------------------------------------------------------------------------------------------

    def _load(self, cls: Any, part: str, dtype: torch.dtype) -> Any:
        model = cls.from_pretrained(
            self.folder, subfolder=part, local_files_only=True, use_safetensors=True, dtype=dtype
        )
        return model.to(self.device).requires_grad_(False).eval()

    @property
    def vae(self) -> Any:
        """AutoencoderKLWan in float32: bands show in anything less."""
        if self._vae is None:
            from diffusers.models.autoencoders.autoencoder_kl_wan import AutoencoderKLWan

            self._vae = self._load(AutoencoderKLWan, "vae", torch.float32)
        return self._vae

    @property
    def transformer(self) -> Any:
        """WanVACETransformer3DModel."""
        if self._transformer is None:
            from diffusers.models.transformers.transformer_wan_vace import WanVACETransformer3DModel

            self._transformer = self._load(WanVACETransformer3DModel, "transformer", self.dtype)
        return self._transformer

    def embed(self, prompts: Sequence[str], poll: Poll) -> torch.Tensor:
        """(n, text length, D) float32 embeddings of ``prompts``, as the pipeline makes them; the encoder is freed."""
        from diffusers.pipelines.wan.pipeline_wan_vace import WanVACEPipeline
        from transformers import AutoTokenizer, UMT5EncoderModel

        encoder = self._load(UMT5EncoderModel, "text_encoder", self.dtype)
        tokenizer = AutoTokenizer.from_pretrained(self.folder / "tokenizer", local_files_only=True)
        pipe: Any = WanVACEPipeline(tokenizer=tokenizer, text_encoder=encoder, vae=None, scheduler=None)  # type: ignore[arg-type]
        rows: list[torch.Tensor] = []
        with torch.no_grad():
            for prompt in prompts:
                poll()
                found, _ = pipe.encode_prompt(
                    prompt, do_classifier_free_guidance=False, max_sequence_length=self.manifest.text_length,
                    device=self.device,
                )  # fmt: skip
                rows.append(found.float().cpu())
        del pipe, encoder, tokenizer
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return torch.cat(rows)

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

    def _pipeline(self) -> Any:
        from diffusers.pipelines.wan.pipeline_wan_vace import WanVACEPipeline

        pipe: Any = WanVACEPipeline(
            tokenizer=None, text_encoder=None, vae=self.vae, scheduler=self.scheduler(), transformer=self.transformer
        )  # type: ignore[arg-type]
        pipe.set_progress_bar_config(disable=True)
        return pipe

    def scheduler(self) -> Any:
        """A fresh scheduler of the checkpoint's own class and settings."""
        import diffusers

        from gen2studio.core.errors import ModelError

        if self._scheduler is None:
            import json

            config = json.loads((self.folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
            name = str(config.get("_class_name", ""))
            if name not in ("UniPCMultistepScheduler", "FlowMatchEulerDiscreteScheduler"):
                raise ModelError(
                    f"The model's scheduler “{name}” is not one we can train with.", "Choose another model."
                )
            self._scheduler = getattr(diffusers, name).from_config(config)
        return type(self._scheduler).from_config(self._scheduler.config)

    # -- the adapter -------------------------------------------------------------------------------------------------

    def arm(self, recipe: LoraRecipe) -> list[torch.nn.Parameter]:
        """Put fresh low-rank pairs into the transformer; returns what is to be trained, in a fixed order."""
        from diffusers.training_utils import cast_training_params
        from peft import LoraConfig

        config = LoraConfig(r=recipe.rank, lora_alpha=recipe.alpha, target_modules=TARGETS, init_lora_weights=True)
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
        self, noisy: torch.Tensor, level: torch.Tensor, prompts: torch.Tensor, control: torch.Tensor
    ) -> torch.Tensor:
        """Velocity ε - x_0, (b, C, 1, h, w) float32, at noise ``level`` (b,) in 0…1. With gradients where enabled."""
        return self.transformer(
            hidden_states=noisy.to(self.device, self.dtype),
            timestep=(level * 1000.0).to(self.device),
            encoder_hidden_states=prompts.to(self.device, self.dtype),
            control_hidden_states=control.to(self.device, self.dtype).expand(len(noisy), -1, -1, -1, -1),
            return_dict=False,
        )[0].float()

    def sample(self, prompts: torch.Tensor, size: tuple[int, int], seed: int, poll: Poll) -> torch.Tensor:
        """Normalised one-frame latents (1, C, 1, h, w) of a text-to-video run. ``prompts``: (2, L, D) empty, wanted."""
        pipe = self._pipeline()
        was_training = self.transformer.training
        self.transformer.eval()

        def on_step(_pipe: Any, _index: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
            poll()
            return values

        try:
            return pipe(
                prompt_embeds=prompts[1:2].to(self.device, self.dtype),
                negative_prompt_embeds=prompts[0:1].to(self.device, self.dtype),
                height=size[1],
                width=size[0],
                # The pipeline rounds to a multiple of the temporal factor plus one, and takes 1 for 2 where that is 1.
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
        self._vae = self._transformer = self._scheduler = None
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
