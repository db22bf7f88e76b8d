"""How an adapter is trained: defaults by the size of the model, the schedule, and what a step draws. Imports no torch.

The loss is that of flow matching (Lipman et al., arXiv 2210.02747): x_s = (1 - s) x_0 + s ε, and the model predicts
ε - x_0. Noise levels are drawn logit-normally (Esser et al., arXiv 2403.03206) and shifted exactly as the model's
scheduler shifts them at inference, so that training spends its steps where sampling does.
"""

from __future__ import annotations

import math

from gen2studio.core.errors import GenerationError
from gen2studio.core.records import dataclass
from gen2studio.diffusion.wording import heard
from gen2studio.engine.generators import TrainingDefaults, WordDefaults
from gen2studio.engine.optimisers import OPTIMISERS
from gen2studio.engine.requests import WORD, TrainRequest
from gen2studio.models.manifest import ModelManifest

TARGETS = r"blocks\.\d+\.(attn[12]\.(to_q|to_k|to_v|to_out\.0)|ffn\.net\.(0\.proj|2))"
"""Modules that get low-rank pairs: attention and feed-forward of the main blocks.

The VACE blocks stay as they are: they read the control, and an adapter must not unlearn to follow it.
"""
IMAGE_TARGETS = r"(down|mid|up)_block.*\.attentions\.\d+\.transformer_blocks\.\d+\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
"""The same of Stable Diffusion's image model; motion modules have such layers under another name."""
CAPTION_DROPOUT = 0.1
"""Share of examples trained without their caption, so that guidance keeps its other half."""
WARM_UP = 0.05
"""Share of the steps in which the learning rate rises."""
FLOOR = 0.1
"""Where the cosine decay of the learning rate ends, relative to its peak."""
CLIP = 1.0
"""Largest norm of the gradient."""
WEIGHT_DECAY = 1e-2
SMALL_MODEL = 300_000_000
"""Transformer parameters below which whole batches fit anywhere and activations need not be recomputed."""
SMALL_BATCH = 4
"""Examples of a step of such a model; of a large one each step has one."""
FEWEST_BETWEEN = 10
"""Steps between two test frames at least: a test costs as much as several steps."""
CLIP_FRAMES = 33
"""Frames of a window of a clip while nobody chose: two seconds at 16 frames per second."""
MOST_TESTS = 8
"""Live test frames over a whole training, the base model's first."""
_BEGINNINGS = ("object", "style")
"""What a word of a subject and of a style begins as while nobody says more."""


def training_defaults(transformer_parameters: int) -> TrainingDefaults:
    """Defaults for a model of this size: small ones need a higher rate and fewer steps."""
    if transformer_parameters < SMALL_MODEL:
        return TrainingDefaults(steps=400, rank=8, learning_rate=2e-3, most_rank=64)
    if transformer_parameters < 4_000_000_000:
        return TrainingDefaults(steps=1000, rank=16, learning_rate=2e-4)
    return TrainingDefaults(steps=1500, rank=16, learning_rate=1e-4)


def targets_of(family: str) -> str:
    """The pattern of the whole names of modules that get low-rank pairs in a model of ``family``."""
    return IMAGE_TARGETS if family == "animatediff" else TARGETS


def word_defaults(transformer_parameters: int) -> WordDefaults:
    """How a word is learned on a model of this size.

    Steps and rate are those of diffusers' own example (5e-4 times four pictures a step, 3,000 steps at one rate), with
    fewer steps for the cosine and the norms that are kept.
    """
    if transformer_parameters < SMALL_MODEL:
        return WordDefaults(steps=400, learning_rate=5e-3)
    return WordDefaults()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraRecipe:
    """A training with every number settled."""

    steps: int
    rank: int
    """Of low-rank pairs; 0 where a word is learned."""
    alpha: int
    learning_rate: float
    seed: int
    batch: int
    prior: float
    views: int
    """Augmented views cached of each image."""
    checkpoint_every: int
    test_every: int
    vectors: int = 0
    """Of a word."""
    initial: str = ""
    """The words that a word begins as."""
    frames: int = 1
    """Frames of a window of a clip, 4k + 1; 1 where there are none."""
    size: tuple[int, int] = (0, 0)
    """(width, height) whose area pictures and windows are trained at; zeros = the model's own."""

    def rate_at(self, step: int) -> float:
        """Learning rate of ``step`` (0…steps - 1): linear warm-up, then a cosine to a tenth of the peak."""
        warm = max(1, round(self.steps * WARM_UP))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        through = (step - warm) / max(1, self.steps - warm)
        return self.learning_rate * (FLOOR + (1 - FLOOR) * 0.5 * (1 + math.cos(math.pi * through)))

    def draw_seed(self, step: int) -> int:
        """Seed of everything random in a step. It depends on nothing before it, so a resumed run draws the same."""
        return (self.seed * 0x9E3779B1 + step * 0x85EBCA77 + 0x165667B1) & 0x7FFF_FFFF_FFFF_FFFF

    @property
    def test_steps(self) -> tuple[int, ...]:
        """After how many steps a test frame is made; 0 is the base model, the last is the finished adapter."""
        return (*range(0, self.steps, self.test_every), self.steps)


def settle(request: TrainRequest, transformer_parameters: int) -> LoraRecipe:
    """The recipe of a request; zeros take the model's defaults. Raises GenerationError for what can't be trained."""
    defaults = training_defaults(transformer_parameters)
    if not request.images and not request.clips:
        raise GenerationError(
            "The training set holds no images and no clips.", "Add 5 to 30 images of the subject or style."
        )
    word = word_defaults(transformer_parameters) if request.method == WORD else None
    steps = request.steps or (word or defaults).steps
    rank = request.rank or defaults.rank
    rate = request.learning_rate or (word or defaults).learning_rate
    vectors = (request.vectors or word.vectors) if word is not None else 0
    if not 1 <= steps <= defaults.most_steps:
        raise GenerationError(
            f"{steps} training steps is not between 1 and {defaults.most_steps}.", "Change the steps."
        )
    if word is not None and not 1 <= vectors <= word.most_vectors:
        raise GenerationError(f"{vectors} vectors is not between 1 and {word.most_vectors}.", "Change the vectors.")
    if request.optimiser not in ("", *OPTIMISERS):
        raise GenerationError(f"There is no optimiser “{request.optimiser}”.", "Choose adamw or adamw8bit.")
    if not 1 <= rank <= defaults.most_rank:
        raise GenerationError(f"A rank of {rank} is not between 1 and {defaults.most_rank}.", "Change the rank.")
    if not 0 < rate <= 0.1:
        raise GenerationError(f"A learning rate of {rate:g} is not between 0 and 0.1.", "Change the learning rate.")
    small = transformer_parameters < SMALL_MODEL
    return LoraRecipe(
        steps=steps,
        rank=0 if word is not None else rank,
        alpha=0 if word is not None else rank,
        learning_rate=rate,
        seed=request.seed,
        batch=SMALL_BATCH if small else 1,
        prior=min(1.0, max(0.0, request.prior)) if word is None else 0.0,
        views=8 if len(request.images) <= 12 else 4,
        frames=_frames(request),
        size=request.size,
        checkpoint_every=max(5, steps // 20),
        test_every=max(FEWEST_BETWEEN, math.ceil(steps / (MOST_TESTS - 1))),
        vectors=vectors,
        initial=(request.initial.strip() or _BEGINNINGS[request.kind == "style"]) if word is not None else "",
    )


def _frames(request: TrainRequest) -> int:
    """Frames of a window. Raises GenerationError for a length that no video model takes."""
    frames = request.clip_frames or CLIP_FRAMES
    if not request.clips:
        return 1
    if frames < 5 or frames % 4 != 1:
        raise GenerationError(f"{frames} frames are no window of a clip.", "Choose 5, 9, 13, 17… frames.")
    return frames


def shifted(u: float, shift: float) -> float:
    """A noise level 0…1 as the scheduler's timestep shift moves it."""
    return shift * u / (1 + (shift - 1) * u)


def unshifted(level: float, shift: float) -> float:
    """The noise level 0…1 that :func:`shifted` moves to ``level``."""
    return level / (shift - (shift - 1) * level)


def plain_caption(caption: str, trigger: str) -> str:
    """The caption without the trigger word: what the base model knows the kind by."""
    words = [word for word in caption.split() if word.strip(".,;:!?").casefold() != trigger.casefold()]
    return " ".join(words)


def taught(caption: str, manifest: ModelManifest, trigger: str) -> str:
    """The caption as the model's text encoder is given it: the built-in model only hears words it was taught, and the
    trigger word, which its tokenizer spells."""
    return heard(caption, manifest, trigger.split())


def test_prompt_of(request: TrainRequest) -> str:
    """The prompt of the live test frames: the artist's, else the shortest caption that has the trigger word."""
    if request.test_prompt.strip():
        return request.test_prompt.strip()
    captions = sorted((each.caption.strip() for each in (*request.images, *request.clips)), key=lambda c: (len(c), c))
    calling = [c for c in captions if request.trigger and request.trigger.casefold() in c.casefold()]
    named = [c for c in captions if c]
    return (calling or named or [request.trigger or request.name])[0]
