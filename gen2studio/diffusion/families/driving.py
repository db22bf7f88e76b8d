"""The torch side of a family: what the production of a take asks of it.

A family is two objects. Its :class:`~gen2studio.diffusion.families.contract.FamilyAdapter` says what the family takes
and arranges a request's conditions, without torch. Its driver, made when a model first runs, holds no weights either:
it builds diffusers' own pipeline around loaded parts and runs it. Everything between - framing, runs and windows of a
long shot, previews, saved latents, retries with less memory, finishing - is shared and asks the driver.

Latents cross in one layout whatever the pipeline's own is: (1, C, T, h, w) float32 on the compute device, normalised as
the family's denoiser sees them, T as :class:`~gen2studio.diffusion.families.contract.FrameRule` counts. A driver packs
and unpacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from gen2studio.diffusion.sampling import consistency as frame_consistency
from gen2studio.diffusion.sampling import motion
from gen2studio.engine.events import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
    from gen2studio.diffusion.runtime.loading import Components

TextEmbedding: TypeAlias = "Mapping[str, Tensor]"
"""What a family's text encoders made of one text, batch 1, on the CPU. ``prompt_embeds`` (1, L, D) is always there;
other names are the family's own (``prompt_attention_mask``, …)."""


@dataclass(frozen=True, slots=True)
class PromptEmbeds:
    """The prompts of a run; ``negative`` None without text guidance. Families without words have empty tables."""

    positive: TextEmbedding
    negative: TextEmbedding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a run is sampled."""

    steps: int
    guidance: float
    seed: int
    consistency: float = frame_consistency.NEUTRAL
    """ω_t of Gen-1; 1 = neutral."""
    window: int = 0
    """Latent frames in one window; 0 = the whole clip at once."""
    overlap: int = 2
    motion: float = motion.NEUTRAL
    noise_frames: tuple[int, int] | None = None
    """(first latent frame, latent frames of the whole clip): take this run's noise out of a longer clip's."""
    rate: float = 0.0
    """Frames per second that the model is to think of, for those that are told; 0 = its own."""
    reuse: float = 0.0
    """Summed relative error up to which steps are not computed but carried on; 0 = every step is computed."""
    recipe: str = ""
    """Name of the few-step recipe (:class:`~gen2studio.diffusion.families.contract.StepRecipe`) whose schedule is
    used; empty = the model's own."""


class Watch(Protocol):
    """Who looks on while a run works."""

    def check(self) -> None:
        """Cheap; raises Cancelled. Called before every block."""
        ...

    def stepped(self, step: int, steps: int, clean: Tensor) -> None:
        """After step ``step`` (from 1) of ``steps``; ``clean`` (1, C, T, h, w) is the model's guess of the result.

        Never called inside a module: other jobs may run meanwhile, and with the same ones."""
        ...


@dataclass(frozen=True, slots=True)
class Denoising:
    """What one run of a pipeline works on, and who looks on."""

    inputs: PipelineInputs
    embeds: PromptEmbeds
    sampling: Sampling
    watch: Watch
    geometry: LatentGeometry


def _unheard(*_: object) -> None:
    """For who does not listen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoding:
    """How latents become frames, and who looks on."""

    tile: int = 0
    """Side in pixels of the tiles to begin with; 0 = whole pictures. Smaller ones are tried when memory runs out."""
    check: Callable[[], None] = _unheard
    """Cheap; raises Cancelled. Called before every part, and inside the decoder."""
    progress: Callable[[int, int], None] = _unheard
    """(parts done, all parts), frames or tiles. Never called inside the decoder: other jobs may run meanwhile, and with
    its modules."""
    note: Callable[[str], None] = _unheard
    """Takes one sentence for the artist."""


class FamilyDriver(Protocol):
    """Implemented once per family; holds no weights and no state of a job."""

    def pipeline(self, parts: Components) -> Any:
        """Diffusers' pipeline around these very parts (shared, never copied or cast), with a scheduler of its own."""
        ...

    def embed(self, parts: Components, text: str, length: int, device: str) -> TextEmbedding:
        """``text`` as the pipeline itself would encode it, padded to ``length`` tokens; no gradient. ``parts`` holds
        the tokenizers and text encoders only."""
        ...

    def denoise(self, pipe: Any, run: Denoising) -> Tensor:
        """Clean latents (1, C, T, h, w) float32 of one run, without reference frames.

        A job leaves nothing behind on ``pipe`` or its parts, whether it ends, is cancelled or fails; the same inputs
        and seed give the same bits on one device. Raises what ``run.watch`` raises.
        """
        ...

    def encode(self, pipe: Any, frames: Sequence[Picture]) -> Tensor:
        """Normalised latents (1, C, T, h, w) of frames (H, W, 3) uint8, as the pipeline computes them."""
        ...

    def decode(self, pipe: Any, latents: Tensor, how: Decoding) -> Iterator[Picture]:
        """Frames (H, W, 3) uint8 in order, as they are decoded. Raises OutOfBudget when even the smallest tiles are too
        big, and what ``how.check`` raises."""
        ...


class PictureReadingDriver(FamilyDriver, Protocol):
    """Of families whose text encoder sees the pictures that the words are about."""

    def embed_pictures(
        self, parts: Components, text: str, pictures: Sequence[Picture], length: int, device: str
    ) -> TextEmbedding:
        """As :meth:`FamilyDriver.embed`, of a text about ``pictures`` in their order."""
        ...
