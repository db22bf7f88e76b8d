"""Textual inversion (Gal et al., arXiv 2208.01618): of the whole model, only the vectors of one new word are trained.

The noise that Stable Diffusion predicts of the artist's pictures, captioned with the word, is brought close to the one
that was added; the gradient goes through the frozen image model and the frozen text encoder into the vectors alone.
After each step they are brought back to the lengths that the vocabulary's own vectors have: a word that has grown
longer drowns the rest of a prompt (Alaluf et al., arXiv 2305.15391, rescale theirs for that reason).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.runtime.applying import apply_plan
from gen2studio.diffusion.runtime.loading import Progress, load_components
from gen2studio.diffusion.runtime.prompt_cache import PromptCache
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.training.ladder import TrainingPlan
from gen2studio.diffusion.training.lora_checkpoint import ordered
from gen2studio.diffusion.training.lora_model import Poll
from gen2studio.diffusion.training.lora_sd import StableDiffusionLora
from gen2studio.diffusion.training.recipe import LoraRecipe
from gen2studio.diffusion.words import Spelling, answering
from gen2studio.models.library import InstalledModel

_PARTS = ("tokenizer", "text_encoder", "unet", "vae", "scheduler")
_USUAL = (0.01, 0.99)
"""Which part of the vocabulary's lengths a vector may have: all but the shortest and the longest words'."""


class StableDiffusionWord(StableDiffusionLora):
    """As :class:`StableDiffusionLora`; prompts are (n, length) ids of tokens, not what an encoder made of them."""

    caption_dropout = 0.0
    """A caption without the word teaches nothing."""
    weight_decay = 0.0
    """Lengths are kept by :meth:`stepped`."""

    def __init__(
        self,
        model: InstalledModel,
        plan: TrainingPlan,
        residency: Residency,
        expert: str = "",
        *,
        word: str,
        vectors: int,
    ) -> None:
        super().__init__(model, plan, residency, expert)
        self.word = word.lower()
        self._count = vectors
        self._spelling: Spelling | None = None
        self._vectors = torch.nn.Parameter(torch.zeros(vectors, 1))
        self._beginning = self._vectors.detach()
        self._lengths = (0.0, 0.0)
        self._acts = True

    def load(self, progress: Progress, cancel: CancelToken) -> None:
        if self._parts is None:
            if self.device.type == "cuda":
                self._residency.release()
            parts = load_components(self.model, self._plan, _PARTS, progress=progress, cancel=cancel)
            # The encoder is small beside the rest, and its vectors are what is learned.
            parts.text_encoder.float()
            self._parts = apply_plan(parts, self._plan)
            for part in (self.transformer, self._encoder):
                part.requires_grad_(False)
            self._spelling = Spelling(self._parts.tokenizer, {self.word: self._count})
            lengths = self._table.norm(dim=1).sort().values
            self._lengths = tuple(float(lengths[int(share * (len(lengths) - 1))]) for share in _USUAL)

    @property
    def _encoder(self) -> Any:
        return self._loaded.text_encoder

    @property
    def _table(self) -> torch.Tensor:
        """The vocabulary's vectors (words, width)."""
        return self._encoder.get_input_embeddings().weight.detach().float()

    @property
    def _spelt(self) -> Spelling:
        assert self._spelling is not None, "load the model first"
        return self._spelling

    # -- prompts -----------------------------------------------------------------------------------------------------

    def calling(self, caption: str) -> str:
        """The caption, and the word before it where it lacks the word."""
        said = caption.lower().split()
        there = any(self.word in (part, part.strip(".,;:!?\"'()")) for part in said)
        return caption if there else f"{self.word}, {caption}".strip(", ")

    def embed(
        self, prompts: Sequence[str], cache: PromptCache, progress: Progress, cancel: CancelToken, poll: Poll
    ) -> torch.Tensor:
        """(n, length) int64: the ids of ``prompts``, with one beyond the vocabulary for each vector of the word."""
        del cache
        self.load(progress, cancel)
        poll()
        places = {self._spelt.first + place for place in range(self._count)}
        rows: list[list[int]] = []
        for prompt in prompts:
            text = self._spelt.text(prompt)
            row = self._ids(text)
            if text != prompt and not places <= set(row):
                # The end of a long caption is cut off: the word comes first then.
                row = self._ids(f"{self._spelt.text(self.word)} {prompt}")
            rows.append(row)
        return torch.tensor(rows, dtype=torch.int64)

    def _ids(self, text: str) -> list[int]:
        tokenizer = self._spelt.tokenizer
        found = tokenizer(text, padding="max_length", truncation=True, max_length=tokenizer.model_max_length)
        return list(found["input_ids"])

    def _read(self, ids: torch.Tensor) -> torch.Tensor:
        """What the encoder makes of ids: (n, length, width), with gradients into the vectors where enabled."""
        vectors = self._vectors if self._acts else self._beginning
        with answering(self._encoder, self._spelt.first, vectors):
            return self._encoder(ids.to(self.device))[0]

    # -- the word ----------------------------------------------------------------------------------------------------

    def arm(self, recipe: LoraRecipe) -> list[torch.nn.Parameter]:
        """Begin with the vectors of :attr:`LoraRecipe.initial`, again and again where there are more of its own."""
        ids = self._loaded.tokenizer(recipe.initial, add_special_tokens=False)["input_ids"]
        if not ids:
            raise GenerationError(
                f"“{recipe.initial}” is nothing that a word could begin as.", "Say what it is: a dog, a house, a style."
            )
        chosen = [ids[place % len(ids)] for place in range(recipe.vectors)]
        self._beginning = self._table[chosen].clone()
        self._vectors = torch.nn.Parameter(self._beginning.clone())
        if self._plan.recomputed:
            self.transformer.enable_gradient_checkpointing()
        return [self._vectors]

    @torch.no_grad()
    def stepped(self) -> None:
        """Bring the vectors back to lengths that words have."""
        lengths = self._vectors.norm(dim=1, keepdim=True)
        self._vectors.mul_(lengths.clamp(*self._lengths) / lengths.clamp_min(1e-12))

    def adapter(self) -> dict[str, torch.Tensor]:
        return {self.word: self._vectors.detach().float().cpu().clone()}

    @torch.no_grad()
    def set_adapter(self, weights: dict[str, torch.Tensor]) -> None:
        found = weights.get(self.word)
        if found is None or found.shape != self._vectors.shape:
            raise ValueError("the checkpoint is of another word")
        self._vectors.copy_(found)

    def enable(self, on: bool) -> None:
        """Let the learned vectors act, or those that the word began with."""
        self._acts = on

    def written(
        self, learned: Mapping[str, Mapping[str, torch.Tensor]], recipe: LoraRecipe, about: Mapping[str, str]
    ) -> bytes:
        """A file with one tensor, called by the word: as diffusers, AUTOMATIC1111 and ComfyUI read it."""
        from safetensors.torch import save

        del recipe
        return ordered(save(dict(learned[self.prefix]), {"format": "pt", **about}))

    # -- the image model ---------------------------------------------------------------------------------------------

    def loss(
        self,
        clean: torch.Tensor,
        noise: torch.Tensor,
        level: torch.Tensor,
        prompts: torch.Tensor,
        beside: Mapping[str, torch.Tensor],
    ) -> torch.Tensor:
        return super().loss(clean, noise, level, self._read(prompts), beside)

    def sample(
        self, prompts: torch.Tensor, size: tuple[int, int], seed: int, poll: Callable[[], None], **clip: Any
    ) -> torch.Tensor:
        with torch.no_grad():
            return super().sample(self._read(prompts), size, seed, poll, **clip)
