"""What a family of diffusion models declares about itself, as data that is readable without torch.

The planner, the panels and the generator read :class:`FamilyTraits`; a family's own module turns a request and its
prepared conditions into :class:`PipelineInputs`. A checkpoint's manifest may narrow what the family allows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from gen2studio.core.records import dataclass
from gen2studio.engine.events import Picture
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.library import InstalledModel
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.diffusion.families.driving import FamilyDriver

Matte: TypeAlias = "NDArray[np.uint8]"
"""(H, W) uint8; VACE's meaning: 255 = generate, 0 = keep."""

TASKS = (
    "text",
    "reference",
    "keys",
    "structure",
    "mask",
    "background",
    "outpaint",
    "extend",
    "style_frame",
    "variation",
)
"""What one run of a model does."""


@dataclass(frozen=True, slots=True)
class FrameRule:
    """Clip lengths a model takes: ``step`` · k + 1 frames, of which each ``group`` share one latent frame."""

    step: int = 4
    group: int = 4

    def padded(self, count: int) -> int:
        """The shortest allowed length that holds ``count`` frames (at least one)."""
        return 1 + -(-(max(1, count) - 1) // self.step) * self.step

    def latent(self, count: int) -> int:
        """Latent frames of a clip of ``count`` frames."""
        return (count - 1) // self.group + 1

    def group_of(self, frame: int) -> int:
        """The latent frame that holds ``frame`` (causal: the first frame has one for itself)."""
        return 0 if frame == 0 else (frame - 1) // self.group + 1


@dataclass(frozen=True, slots=True)
class StepRecipe:
    """A way to sample in few steps, with the schedule a distilled checkpoint or adapter was made for."""

    name: str
    steps: int
    guidance: float
    scheduler: str
    """Class name in diffusers."""
    options: tuple[tuple[str, Any], ...] = ()
    note: str = ""
    marks: tuple[str, ...] = ()
    """What makers call adapter files that were distilled so: regular expressions, found in a lower-case file name."""


@dataclass(frozen=True, slots=True)
class MemoryHint:
    """One rung of the memory ladder: how a model may be held when there is less room."""

    name: str
    bytes_per_weight: float
    """Of the transformer, where the compute happens."""
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyTraits:
    """Everything a family declares. Sizes, lengths and ranges of one checkpoint are in its manifest
    (:class:`gen2studio.models.manifest.ModelManifest`)."""

    id: str
    title: str
    pipeline: str
    """Class name in diffusers; also the only ``_class_name`` a checkpoint of the family may have."""
    modes: tuple[str, ...]
    conditions: frozenset[str]
    """Of :data:`TASKS`, what the family can be conditioned on."""
    controls: frozenset[str]
    """Names as in :class:`gen2studio.engine.generators.ModeAbility`."""
    why_not: tuple[tuple[str, str], ...] = ()
    needs: frozenset[str] = frozenset()
    """Of ``first_frame`` and ``last_frame``, the pictures without which it makes no shot."""
    schedulers: tuple[str, ...] = ()
    recipes: tuple[StepRecipe, ...] = ()
    memory: tuple[MemoryHint, ...] = ()
    frame_consistency: bool = False
    """Frames can be run on their own through the same weights (needed for frame-consistency guidance)."""
    adapters: bool = False
    stills_only: bool = False
    """It edits one picture at a time: it draws stills of footage, told in words which picture plays which part."""
    reads_pictures: bool = False
    """Its text encoder sees the pictures that the words are about: its driver is a
    :class:`gen2studio.diffusion.families.driving.PictureReadingDriver`."""
    joint_windows: int = 4
    """Windows of a long shot that are denoised together; longer ones go on from the last frames of the run before. 1
    for families that must see the frames before, as many as may be for those that can't."""
    known: int = 0
    """Frames that such a run is shown of the one before; 0 = as many as windows overlap."""
    lead: int = 5
    """Frames of other footage that an extension is shown (two latent frames of a causal VAE), or 1 of shorter ones."""
    structure_why_not: tuple[tuple[str, str], ...] = ()
    """(structure source, reason) for the values of :class:`gen2studio.document.look.StructureSource` that can't be
    followed."""
    own_motion: bool = False
    """The model has a condition of its own for how much moves: the motion slider is that and leaves the clock alone."""


@dataclass(frozen=True, slots=True)
class LatentGeometry:
    """How a checkpoint maps pixels to latents, as the stock pipeline derives it."""

    spatial: int
    """Pixels to a latent cell."""
    multiple: int
    """Widths and heights must be multiples of this."""
    channels: int
    frames: FrameRule
    temporal: int
    """The pipeline's own temporal factor; 1 = every frame has a latent frame."""
    control_layers: int = 0
    """VACE layers, each with a scale of its own."""
    fixed: bool = False
    """Only the sizes of the manifest are possible."""

    def size(self, width: int, height: int) -> tuple[int, int]:
        """The latent (width, height) of a picture."""
        return width // self.spatial, height // self.spatial


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """The stretch of time and the picture size that one run of the model works on.

    ``frames[i]`` is the media frame that frame i of the run stands for (rising; the last one may repeat as padding).
    """

    frames: tuple[int, ...]
    width: int
    height: int

    def __len__(self) -> int:
        return len(self.frames)

    def index_of(self, media_frame: int) -> int:
        """The run's frame nearest to a media frame."""
        return min(range(len(self.frames)), key=lambda i: (abs(self.frames[i] - media_frame), i))


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What was prepared for a clip, all at its size. Lists have one entry per frame of the clip."""

    source: tuple[Picture, ...] = ()
    """The footage; empty for shots made from nothing."""
    structure: tuple[Picture, ...] = ()
    """Depth, edges, flow, grey or layout pictures, after the structure level."""
    masks: tuple[Matte, ...] = ()
    """Where to generate; empty = everywhere."""
    keys: tuple[tuple[int, Picture], ...] = ()
    """(frame of the clip, picture) that must appear there."""
    guide: tuple[Picture, ...] = ()
    """A drawn motion: the first frame warped along a camera move or motion strokes, grey where nothing is known."""
    guide_masks: tuple[Matte, ...] = ()
    references: tuple[Picture, ...] = ()
    """Style or subject images at their own size."""
    lead: tuple[Picture, ...] = ()
    """Frames of other footage that come right before; they take the clip's first places."""
    border: Matte | None = None
    """255 where the picture reaches beyond the footage (outpaint)."""
    structure_kind: str = ""
    """What ``structure`` shows: depth, edges, grey, flow or layout; empty without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineInputs:
    """Exactly what one call of the pipeline gets, apart from prompt, seed and steps."""

    task: str
    width: int
    height: int
    frames: int
    video: tuple[Picture, ...] = ()
    """Control frames at (height, width); empty = none."""
    masks: tuple[Matte, ...] = ()
    references: tuple[Picture, ...] = ()
    reference_scale: float = 1.0
    """How much the references count beside the words, for families that weigh them."""
    reference_weights: tuple[float, ...] = ()
    """How much each of them counts beside the others, for the same; empty = alike."""
    scale: float = 1.0
    """How strongly the control acts (conditioning_scale)."""
    strength: float = 1.0
    """1 = start from pure noise; below, from the noised ``start`` at that noise level."""
    start: tuple[Picture, ...] = ()
    """The frames whose latents a run of strength < 1 starts from."""
    frame_strength: tuple[float, ...] = ()
    """A strength for every latent frame, none above ``strength``; empty = all have that one."""
    keys: tuple[tuple[int, Picture], ...] = ()
    """(frame, picture) for families that take pictures at their times: first, last, any; at (height, width)."""
    structure: tuple[Picture, ...] = ()
    """Control pictures for families that take them beside the video (ControlNets), one per frame."""
    structure_kind: str = ""
    """What they are: depth, edges, scribble, grey, flow or layout."""
    motion: float = 5.0
    """General motion 0…10 for families that have a control of their own for it (SVD's bucket)."""


class FamilyAdapter(Protocol):
    """Implemented once per family, stateless."""

    @property
    def traits(self) -> FamilyTraits: ...

    def task(self, request: GenerateRequest) -> str:
        """Which of :data:`TASKS` a request asks for first; the others may join in."""
        ...

    def guidance(self, manifest: ModelManifest, task: str, asked: float = 0.0) -> float:
        """The guidance scale to use: what was asked, kept in the model's range, or the task's default when 0."""
        ...

    def inputs(self, request: GenerateRequest, clip: Clip, conditions: Conditions, frames: FrameRule) -> PipelineInputs:
        """The pipeline's inputs for one run. Raises GenerationError."""
        ...

    def geometry(self, model: InstalledModel) -> LatentGeometry:
        """How the checkpoint maps pixels to latents, from its configs. Raises ModelError when it has a problem."""
        ...

    def driver(self) -> FamilyDriver:
        """The torch side; imports torch and diffusers."""
        ...
