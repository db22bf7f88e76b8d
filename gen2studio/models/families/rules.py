"""The values by which one family of checkpoints is described, and what all of them share.

A family's module makes one :class:`CheckpointFamily`; :mod:`gen2studio.models.families.table` lists them. The check of
a folder (:mod:`gen2studio.models.checkpoint`), the manifest, the loader and the memory estimate read that and nothing
else about a family.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from gen2studio.core.records import dataclass
from gen2studio.models.manifest import FrameRule, GuidanceRange, ModelFacts, StepRange
from gen2studio.models.weights_header import WeightsHeader

Config = Mapping[str, Any]
Configs = Mapping[str, Config]
"""Component → its config; ``model_index`` → what the index says beside naming components (plain values only)."""
Headers = Mapping[str, tuple[WeightsHeader, ...]]
"""Component → the headers of its weight files."""
Classes = Mapping[str, tuple[str, str]]
"""Component → (library, class), out of the allow-list."""

DIFFUSERS, TRANSFORMERS = "diffusers", "transformers"
TENSORS = ""
"""In place of a library: a file of tensors that is no model by itself (an IP-Adapter)."""
DIFFUSERS_WEIGHTS = "diffusion_pytorch_model"
"""Stem of the weights files that diffusers writes."""
TRANSFORMERS_WEIGHTS = "model"
T5_TOKENIZERS = frozenset({"T5Tokenizer", "T5TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"})
"""``TokenizersBackend`` is what transformers 5 calls PreTrainedTokenizerFast when it saves one."""
BYTE_TOKENIZERS = frozenset({"ByT5Tokenizer"})
"""They spell texts in bytes: there is no vocabulary beside their settings."""


@dataclass(frozen=True, slots=True)
class ComponentRule:
    """Which classes may stand for a component, and where its files are."""

    library: str
    classes: frozenset[str]
    config: str
    weights: str = ""
    """Stem of the weights file; empty = the component has no weights."""
    optional: bool = False
    """Some checkpoints of the family lack it (null in their index)."""
    companion: bool = False
    """A work of its own that no index names: it is named when a model is added, or lies inside the folder under the
    part's name, or beside it."""
    wanted: tuple[str, str] = ("", "")
    """What to say, and what to do, when a companion that is not optional is missing."""
    settle: Callable[[Path, Config, Sequence[WeightsHeader]], Config] | None = None
    """Completes the config of a companion, by its path and weights: a single file brings none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipShape:
    """The size of one window of a shot: pixels and frames."""

    width: int
    height: int
    frames: int

    def __str__(self) -> str:
        return f"{self.width}×{self.height}, {self.frames} frames"


class Activations(Protocol):
    """What one pass of the denoiser keeps in memory beside its weights."""

    @property
    def tokens(self) -> int:
        """Positions of the clip that the denoiser attends over."""
        ...

    def denoising_bytes(self, size: int) -> int:
        """Peak of one pass computed in numbers of ``size`` bytes."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerActivations:
    """A transformer over one row of tokens: attention without a stored matrix, the feed-forward in one piece."""

    tokens: int
    dim: int
    ffn: int
    streams: int = 2
    """Tensors of the width of the residual stream that live through the whole pass."""
    latent_numbers: int = 0
    """Numbers of latents and of what is encoded beside them, kept in float32."""
    modulated: bool = False
    """Every token has a time of its own: the six modulations of a block are as long as the clip, kept as computed and,
    inside the block, in float32."""

    def denoising_bytes(self, size: int) -> int:
        """Implements :class:`Activations`; the factors were fitted to what the allocator reported."""
        row = self.tokens * self.dim
        attention = row * (5 * size + 3 * 4)
        feed_forward = 2 * self.tokens * self.ffn * size + 3 * row * 4
        modulation = 6 * row * (size + 4) if self.modulated else 0
        return self.streams * row * size + modulation + max(attention, feed_forward) + self.latent_numbers * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How much one window of a clip is for a checkpoint's denoiser and for its VAE."""

    denoiser: Activations
    vae_channels: int
    """Channels of the VAE's decoder at full resolution."""
    vae_pixels: int
    """Pixels of a frame on the grid the decoder works on."""
    vae_frames: int
    """Frames the VAE works on at a time."""
    vae_planes: float = 0.0
    """Pictures of ``vae_channels`` × ``vae_pixels`` numbers that live at once, where they were counted; 0 = they are
    told from ``vae_frames``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyDefaults:
    """What a checkpoint's manifest takes where ``gen2studio.json`` says nothing."""

    id: str = ""
    """Empty = made from the folder's name."""
    title: str = ""
    licence: str = ""
    sizes: tuple[tuple[int, int], ...] = ((832, 480), (480, 832))
    frames: FrameRule = FrameRule()
    rate: Fraction = Fraction(16)
    guidance: GuidanceRange = GuidanceRange()
    steps: StepRange = StepRange()
    text_length: int = 512
    flow_shift: float = 3.0
    strength: float = 1.0
    recipe: str = ""
    """As in the manifest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointFamily:
    """Everything that is known of a kind of checkpoint without loading it."""

    family: str
    """Id of the family adapter that drives it."""
    pipeline: str
    """``_class_name`` in ``model_index.json``."""
    components: Mapping[str, ComponentRule]
    """The allow-list. What an index names beyond it is refused."""
    ignored: frozenset[str] = frozenset()
    """Parts that an index may name and that are never opened (a safety checker)."""
    check: Callable[[Configs, Headers], None]
    """Raises ModelError with one sentence when the parts don't make one working model."""
    facts: Callable[[Configs, Headers, Classes], ModelFacts]
    defaults: Callable[[ModelFacts, Configs], FamilyDefaults]
    """By what the checkpoint turned out to be: the published ones are known by their shapes."""
    named: Callable[[str, FamilyDefaults], FamilyDefaults] | None = None
    """What the name of its folder tells besides: some distilled checkpoints differ from the others in nothing else."""
    work: Callable[[Configs, ClipShape], Work]
    denoisers: tuple[str, ...] = ("transformer",)
    """Components that denoise, the one that names the model's identity first."""
    text_parts: tuple[str, ...] = ("tokenizer", "text_encoder")
    """What reads the prompt: loaded first and freed before the rest comes."""
    single_files: str = ""
    """Whose tensor names single files of the family may have beside diffusers': wan, or empty."""
    variant: Callable[[Configs], CheckpointFamily] | None = None
    """Where one pipeline class stands for several kinds of checkpoints: which it is, by its configs."""
    precise: frozenset[str] = field(default=frozenset({"vae", "image_encoder"}))
    """Components that compute in float32 whatever the denoiser does."""
    waiting: frozenset[str] = frozenset()
    """Components that stay in main memory, in the denoiser's number format, until a job needs one of them."""
