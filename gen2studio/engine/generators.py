"""What a generator is: it says what it can do, estimates a request, and runs it against a context."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from gen2studio.core.cancel import CancelToken
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.engine.budget import size_text
from gen2studio.engine.events import Estimate, Picture
from gen2studio.engine.requests import BlobRef, GenerateRequest, OperateRequest, SourceRef, TrainRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeAbility:
    """What a generator honours in one mode. The UI shows a control only where ``controls`` names it."""

    mode: str
    controls: frozenset[str]
    """Names from :class:`~gen2studio.engine.requests.ControlValues`, plus ``prompt``, ``negative_prompt``, ``styles``,
    ``preset``, ``keys`` (painted or given frames at their times), ``first_frame``, ``last_frame``, ``pattern``,
    ``region``, ``seed``, ``structure_source``, ``depth_pass``, ``fill``, ``camera``, ``motion_brush``, ``adapters``,
    ``layout``, ``lead`` (extend), ``outpaint``, ``key_spacing`` (key frames that are carried)."""
    why_not: tuple[tuple[str, str], ...] = ()
    """(control, reason) for controls an artist would look for but that this generator can't honour."""
    strength: float = 1.0
    """What ``strength`` is while the artist has not chosen it."""
    keyed: frozenset[str] = frozenset()
    """The sliders among ``controls`` that may change from frame to frame. Of the others a run takes one value, and
    says so. ``feather`` and ``grow`` are the engine's own and may change wherever there is a region."""
    spans: str = "whole"
    """What is made anew when only some frames have changed: ``frames`` (only those: a frame depends on the clip's
    statistics and on frames near it, so any span can be joined to what is there), or ``whole`` (all of them: frames are
    made together)."""
    join: int = 0
    """For ``frames``: how many frames on each side of a new span are mixed with the old ones."""
    stills_only: bool = False
    """It draws single frames of footage and no clips: a whole clip is made from key frames it draws."""
    carriers: tuple[str, ...] = ()
    """Where ``key_spacing`` is a control: ids of the generators that can carry key frames here, preferred first."""
    key_reference: bool = False
    """It takes pictures beside the footage that a result should match: a key frame is shown the one before."""

    @property
    def makes_clips(self) -> bool:
        """Whole clips can be made: at once, or from key frames that are carried. Otherwise only stills."""
        return not self.stills_only or "key_spacing" in self.controls


@dataclass(frozen=True, slots=True, kw_only=True)
class WordDefaults:
    """How a word is learned when the artist changes nothing, and the limits."""

    steps: int = 2000
    learning_rate: float = 2e-3
    vectors: int = 4
    most_vectors: int = 16
    held: str = ""
    """As :attr:`TrainingDefaults.held`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPreset:
    """The most that a card of a size trains on one model, computed from the model's own files."""

    gigabytes: int
    size: tuple[int, int]
    """(width, height) whose area is trained at; zeros where nothing has room."""
    frames: int
    """Frames of a window of a clip; 1 = for pictures."""
    rank: int
    base: str = ""
    """How the model is kept meanwhile: bf16, int8 or the format of a packed file."""
    optimiser: str = ""
    """As an artist reads it."""
    recomputed: bool = True
    """Blocks are computed again in the backward pass instead of being kept (gradient checkpointing)."""
    needs: int = 0
    """Estimated peak in bytes."""
    why_not: str = ""
    """Why the card trains nothing of this model, in one sentence; empty = it does."""

    @property
    def words(self) -> str:
        """What it is, in one line."""
        if self.why_not:
            return self.why_not
        what = f"Clips of {self.frames} frames" if self.frames > 1 else "Pictures"
        blocks = "blocks recomputed" if self.recomputed else "nothing recomputed"
        return (
            f"{what} at {self.size[0]} × {self.size[1]}, rank {self.rank}; base in {self.base}, {self.optimiser}, "
            f"{blocks}: {size_text(self.needs)}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingDefaults:
    """How an adapter is trained on a model when the artist changes nothing, and the limits of what may be chosen."""

    steps: int = 1000
    rank: int = 16
    learning_rate: float = 1e-4
    most_steps: int = 20_000
    most_rank: int = 128
    held: str = ""
    """How the model is held meanwhile on this machine, or why it can't be, for showing."""
    pair_numbers: int = 0
    """Numbers in the low-rank pairs of an adapter of rank 1: what an optimiser remembers belongs to these alone."""
    word: WordDefaults | None = None
    """How a word is learned (textual inversion); None = none can be."""
    word_why_not: str = ""
    """Why no word can be learned, in one sentence; empty = one can."""
    clips: str = ""
    """``may`` (it learns from clips and pictures), ``must`` (from clips only: it begins with a picture), or empty: it
    learns from pictures."""
    clip_frames: int = 0
    """Frames of a window of a clip while nobody chose."""
    most_frames: int = 0
    """Frames of a window at most."""
    experts: bool = False
    """It is a pair of experts, for much noise and for little, which learn one after the other."""
    prior: bool = True
    """Prior preservation is possible: it draws pictures from words alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    id: str
    title: str
    revision: str
    modes: tuple[ModeAbility, ...]
    any_resolution: bool = True
    needs_weights: bool = False
    native_sizes: tuple[tuple[int, int], ...] = ()
    """(width, height) the model was made for; empty = any."""
    native_rate: Fraction | None = None
    """Frames per second the model was made for; None = any."""
    native_frames: int = 0
    """Frames of one window; longer shots are joined from overlapping windows. 0 = any."""
    guidance: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Default, lowest and highest guidance scale; zeros = there is none."""
    steps: tuple[int, int, int] = (0, 0, 0)
    """Default, lowest and highest number of denoising steps."""
    trainable: bool = False
    """Adapters can be trained on it."""
    training: TrainingDefaults = TrainingDefaults()
    """Where ``trainable``: its defaults."""
    structure_readers: tuple[tuple[str, str], ...] = ()
    """(structure source, what would read it here), for showing: ("depth", "Depth Anything V2 Small"). ``auto`` names
    what is taken when the artist does not choose."""
    structure_why_not: tuple[tuple[str, str], ...] = ()
    """(structure source, reason) for sources that an artist would look for but that this generator can't follow."""
    memory_plan: str = ""
    """How the model will be held on this machine, for showing before a run: "bf16, blocks offloaded, tiled VAE"."""
    memory_rungs: tuple[tuple[str, str], ...] = ()
    """(id, in words with the estimate) of every way to hold it here, preferred first; empty = there is no choice."""
    memory_rung: str = "auto"
    """The way the artist chose; auto = the program chooses before each run."""
    run_ways: tuple[tuple[str, str], ...] = ()
    """(id, in words) of the quicker ways to run it on this machine; empty = there are none."""
    run_way: str = "auto"
    """The one the artist chose; auto = as the model comes."""

    def mode(self, mode: str) -> ModeAbility | None:
        return next((m for m in self.modes if m.mode == mode), None)


class RunContext(Protocol):
    """What a running generator may touch. Every call may raise Cancelled."""

    @property
    def cancel(self) -> CancelToken: ...

    @property
    def finished(self) -> frozenset[int]:
        """Media frames already stored by an earlier, interrupted run of the same request."""
        ...

    @property
    def kept(self) -> frozenset[int]:
        """Those of ``finished`` that come from another take, made with other settings: a generator starts afresh
        between them."""
        ...

    @property
    def scratch(self) -> Path:
        """A folder that survives a kill: intermediate results that make resuming cheap. Write atomically."""
        ...

    @property
    def threads(self) -> int:
        """How many CPU threads the generator may use."""
        ...

    def source(self, frame: int) -> Picture:
        """The source frame at the request's output size. Read-only."""
        ...

    def mask(self, frame: int) -> NDArray[np.uint8] | None:
        """(H, W) uint8 region to change, after region, grow and feather; None = everywhere."""
        ...

    def blob(self, ref: BlobRef) -> Picture:
        """A style image, key frame or swatch: upright, sRGB, at its own size."""
        ...

    def checkpoint(self) -> None:
        """Poll: raises Cancelled, waits while paused, lets a waiting preview go first."""
        ...

    def footage(self, source: SourceRef, frame: int) -> Picture:
        """A frame of other footage than the request's source (a lead), at its own display size. Read-only."""
        ...

    def matte(self, raster: MaskRaster) -> NDArray[np.uint8]:
        """The (H, W) uint8 pixels of a stored matte (motion brush regions)."""
        ...

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        """Tell how far the work is, and :meth:`checkpoint`. Without ``give_way`` only a cancel is heard: where another
        job would take the same memory once more, as in the middle of loading a model."""
        ...

    def note(self, text: str, frame: int | None = None) -> None: ...

    def step_preview(self, frame: int, picture: Picture, step: int, steps: int) -> None:
        """A rough (h, w, 3) uint8 picture, of any size, of how ``frame`` looks after a denoising step."""
        ...

    def emit(self, frame: int, picture: Picture) -> None:
        """A finished frame (H, W, 3) uint8. The engine composites it over the source outside the mask and stores it."""
        ...


class Generator(Protocol):
    @property
    def abilities(self) -> Abilities: ...

    def estimate(self, request: GenerateRequest) -> Estimate: ...

    def run(self, request: GenerateRequest, context: RunContext) -> None:
        """Emit every frame of ``request.wanted`` that is not in ``context.finished``, in any order."""
        ...


class TrainContext(Protocol):
    """What a running training may touch. Every call may raise Cancelled."""

    @property
    def cancel(self) -> CancelToken: ...

    @property
    def threads(self) -> int: ...

    @property
    def scratch(self) -> Path:
        """A folder that survives a kill: checkpoints of the training. Write atomically."""
        ...

    def blob(self, ref: BlobRef) -> Picture: ...

    def footage(self, source: SourceRef, frame: int) -> Picture:
        """A frame of a training clip at its own display size. Read-only."""
        ...

    def checkpoint(self) -> None: ...

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        """As :meth:`RunContext.progress`."""
        ...

    def note(self, text: str, frame: int | None = None) -> None: ...

    def loss(self, step: int, loss: float) -> None: ...

    def test_frame(self, step: int, picture: Picture) -> None: ...

    def finished(self, path: Path) -> None:
        """The adapter file is complete and in the library."""
        ...


class Trainer(Protocol):
    """Trains adapters on one generator's model."""

    def estimate(self, request: TrainRequest) -> Estimate: ...

    def train(self, request: TrainRequest, context: TrainContext) -> None:
        """Resume from what lies in ``context.scratch`` or start; end with ``context.finished``."""
        ...


class OperateContext(Protocol):
    """What a running operator may touch. Every call may raise Cancelled."""

    @property
    def cancel(self) -> CancelToken: ...

    @property
    def threads(self) -> int: ...

    @property
    def finished(self) -> frozenset[int]: ...

    def source(self, frame: int) -> Picture:
        """A source frame at its own display size. Read-only."""
        ...

    def checkpoint(self) -> None: ...

    def progress(self, done: int, total: int, stage: str = "") -> None: ...

    def note(self, text: str, frame: int | None = None) -> None: ...

    def emit(self, frame: int, picture: Picture) -> None:
        """Output frame ``frame`` (counted from 0; upscale: source frame minus ``start``) at the request's size."""
        ...


class Operator(Protocol):
    """Interpolates or upscales finished frames."""

    def estimate(self, request: OperateRequest) -> Estimate: ...

    def operate(self, request: OperateRequest, context: OperateContext) -> None: ...
