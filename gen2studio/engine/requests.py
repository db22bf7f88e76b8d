"""Requests: frozen values that hold everything one job depends on. The worker never looks at the document.

The canonical digest of a request is its cache key, its staleness key and the recipe written into outputs. Fields with
``compare=False`` are hints where to find things and stay out of the digest.
"""

from __future__ import annotations

import enum
from bisect import bisect_right
from dataclasses import field, replace
from fractions import Fraction

from gen2studio.core.geometry import Rect
from gen2studio.core.hashing import canonical_digest, canonical_json
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape
from gen2studio.core.records import dataclass


class Lane(enum.IntEnum):
    """Who goes first. Previews replace each other; the rest queue."""

    PREVIEW = 0
    STILLS = 1
    MASK = 2
    RENDER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRef:
    """The footage, by fingerprint. Frames are media frame indices of the file's exact index."""

    fingerprint: str
    path: str = field(compare=False)
    media_id: str = field(default="", compare=False)
    rate: Fraction = Fraction(25)
    frame_count: int = 0
    width: int = 0
    height: int = 0
    """Display size in pixels (after rotation, square pixels)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlobRef:
    """An image by content hash (SHA-256 of the file)."""

    digest: str
    path: str = field(default="", compare=False)
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRef:
    """A painted key frame for media frame ``frame``."""

    frame: int
    blob: BlobRef


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskTrackRef:
    """One object's mattes, by media frame; frames without an entry have an empty matte."""

    object_id: str = field(compare=False)
    frames: tuple[tuple[int, MaskRaster], ...] = ()
    """What was painted or carried."""
    blend: str = "add"
    """add, subtract or intersect: how it changes the region of the tracks before it."""
    shapes: tuple[MaskShape, ...] = ()
    """Outlines over what was painted."""
    refinement: Refinement = Refinement()


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternRef:
    kind: str
    """none, spots, stripes, plaid or swatch."""
    base: tuple[int, int, int]
    ink: tuple[int, int, int]
    scale: float = 1.0
    swatch: BlobRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlValues:
    """Slider values; ranges and units as in :class:`gen2studio.document.look.Controls`."""

    structure: float = 2.0
    style_weight: float = 1.0
    consistency: float = 1.0
    stroke_size: float = 1.0
    strength: float = 1.0
    protect_skin: float = 0.0
    preserve_luminance: float = 1.0
    grow: int = 0
    feather: float = 1.0
    guidance: float = 0.0
    steps: int = 0
    motion: float = 5.0
    control_scale: float = 1.0
    reuse: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """A slider that changes over the frames of a request. Its number in the request's ``controls`` counts nowhere."""

    name: str
    """A field of :class:`ControlValues`."""
    values: tuple[tuple[int, float], ...]
    """[(media frame, value), …] by frame: each holds until the next, the first also before it. Never empty, never the
    same value twice in a row."""

    def at(self, frame: int) -> float:
        """The value on a media frame."""
        return self.values[max(0, bisect_right(self.values, frame, key=lambda entry: entry[0]) - 1)][1]


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraMove:
    """As :class:`gen2studio.document.look.Camera`."""

    horizontal: float = 0.0
    vertical: float = 0.0
    zoom: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    static: bool = False

    @property
    def moves(self) -> bool:
        return any((self.horizontal, self.vertical, self.zoom, self.pan, self.tilt, self.roll))


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionRegionRef:
    """As :class:`gen2studio.document.look.MotionRegion`."""

    raster: MaskRaster
    horizontal: float = 0.0
    vertical: float = 0.0
    proximity: float = 0.0
    ambient: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPassRef:
    """A depth pass beside the footage: its frame i belongs to media frame i."""

    fingerprint: str
    path: str = field(compare=False)
    near_is_white: bool = True
    near: float | None = None
    far: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterRef:
    """A LoRA by the SHA-256 of its file."""

    digest: str
    adapter_id: str = field(default="", compare=False)
    path: str = field(default="", compare=False)
    strength: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WordRef(AdapterRef):
    """A word that the text encoder is taught (textual inversion), by the SHA-256 of its file."""

    word: str
    """What prompts call it, in lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeadRef:
    """Frames [start, stop) of other footage that come right before the shot: the shot goes on from them (extend)."""

    source: SourceRef
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """Frames in, restyled frames out. One request = one take (or one preview, or one set of stills)."""

    mode: str
    """Value of :class:`gen2studio.document.look.Mode`."""
    generator: str
    revision: str
    """Model or algorithm revision; changing it makes old takes stale."""
    source: SourceRef
    start: int
    stop: int
    """Media frames [start, stop) the clip covers: per-clip statistics use this range."""
    frames: tuple[int, ...] | None = None
    """Only these frames (stills, live preview); None = all of [start, stop)."""
    width: int
    height: int
    """Output size in pixels."""
    preset: str = ""
    prompt: str = ""
    negative_prompt: str = ""
    styles: tuple[BlobRef, ...] = ()
    keys: tuple[KeyRef, ...] = ()
    pattern: PatternRef | None = None
    region: str = "all"
    """all, foreground or background."""
    masks: tuple[MaskTrackRef, ...] = ()
    """United (maximum) by the engine; empty with region ``all``."""
    controls: ControlValues = ControlValues()
    levels: tuple[Levels, ...] = ()
    """Sliders that change over these frames: read them with :meth:`controls_at`."""
    sampled: tuple[int, int] | None = None
    """Media frames [first, last) that statistics of the whole clip (its colours) are taken from; None = the request's
    own range. A take that keeps frames of another one keeps that one's."""
    seed: int = 1
    from_nothing: bool = False
    """The source is the slate of a generated shot: its pixels mean nothing, only size, rate and length count."""
    structure_source: str = "auto"
    """Value of :class:`gen2studio.document.look.StructureSource`."""
    depth_pass: DepthPassRef | None = None
    fill: str = "shape"
    """free or shape: whether a mask edit keeps the subject's shape."""
    camera: CameraMove = CameraMove()
    motion_regions: tuple[MotionRegionRef, ...] = ()
    adapters: tuple[AdapterRef, ...] = ()
    layout: BlobRef | None = None
    """A mock-up or sketch whose layout the shot follows (storyboard)."""
    lead: LeadRef | None = None
    outpaint: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Pixels of the output (left, top, right, bottom) that lie outside the footage and are invented."""
    key_spacing: int = 0
    """0 = the generator draws every frame; n > 0 = it draws a key frame every n frames, −1 = where the program finds
    they are needed, and the frames between are carried from them (:mod:`gen2studio.engine.keyframed`). A generator that
    is asked for single ``frames`` with a key spacing draws them as key frames: finished, not as quick stills, and all
    with the same noise."""
    key_carrier: str = ""
    """With a key spacing: id of the generator that carries the key frames; empty = the one that carries best of all."""
    parts: tuple[GenerateRequest, ...] = ()
    """Requests for the same frames at the same size, without parts of their own, that make the take together: each
    changes its own region, over what the ones before it have made. With parts the request's own look counts nowhere."""

    @property
    def wanted(self) -> tuple[int, ...]:
        return self.frames if self.frames is not None else tuple(range(self.start, self.stop))

    def varies(self, name: str) -> bool:
        """Whether a slider changes over the request's frames."""
        return any(levels.name == name for levels in self.levels)

    def control(self, name: str, frame: int) -> float:
        """The value of a slider on a media frame."""
        found = next((levels for levels in self.levels if levels.name == name), None)
        return found.at(frame) if found is not None else float(getattr(self.controls, name))

    def controls_at(self, frame: int) -> ControlValues:
        """All sliders on a media frame. A grown matte grows by whole pixels, as it does without keys."""
        if not self.levels:
            return self.controls
        here: dict[str, float] = {levels.name: levels.at(frame) for levels in self.levels}
        if "grow" in here:
            here["grow"] = round(here["grow"])
        return replace(self.controls, **here)  # pyright: ignore[reportArgumentType]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnchorTrack:
    """One object to propagate and the frames a person drew."""

    object_id: str
    anchors: tuple[tuple[int, MaskRaster], ...]
    settled: tuple[tuple[int, MaskRaster], ...] = ()
    """Frames that were carried from these same anchors before: they stay as they are and are not emitted again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PropagateRequest:
    """Carry mattes from their anchors over [start, stop). Anchors inside are kept as drawn."""

    source: SourceRef
    objects: tuple[AnchorTrack, ...]
    start: int
    stop: int
    from_frame: int
    """Where the artist stands; with ``direction`` it says which way to go first."""
    direction: str = "both"
    """forward, backward or both."""
    moving_subject: bool = False
    """The subject moves against a solid background: trust motion against the camera as evidence everywhere."""
    beside: tuple[MaskTrackRef, ...] = ()
    """Mattes of objects that are not carried now: what is theirs is not claimed."""
    engine: str = ""
    """Id of the mask engine; empty = the best one for the task (:mod:`gen2studio.engine.mask_engines`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRequest:
    """Select a subject on one frame from a box, clicks or scribbles, over what is already there."""

    source: SourceRef
    frame: int
    object_id: str
    box: Rect | None = None
    include: tuple[tuple[float, float], ...] = ()
    """Points or scribble samples (x, y) in display pixels that belong to the subject."""
    exclude: tuple[tuple[float, float], ...] = ()
    brush_radius: float = 4.0
    """Radius in pixels that each point stands for."""
    current: MaskRaster | None = None
    text: str = ""
    """Words that name the subject, for engines that find things by name."""
    engine: str = ""
    """As in :class:`PropagateRequest`."""
    purpose: str = "select"
    """``select`` makes a matte; ``preview`` shows what these marks would select, quickly and without keeping it;
    ``prepare`` reads the frame ahead, so that previews there are quick."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImageRef:
    blob: BlobRef
    caption: str
    crop: tuple[float, float, float, float] | None = None
    """(x, y, width, height) in 0…1 of the image; None = the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingClipRef:
    """Media frames [start, stop) of footage to learn from."""

    source: SourceRef
    start: int
    stop: int
    caption: str
    crop: tuple[float, float, float, float] | None = None
    """(x, y, width, height) in 0…1 of its frames; None = the whole."""


LORA, WORD = "lora", "word"
"""What a training makes: low-rank pairs of the denoiser (Hu et al., arXiv 2106.09685), or vectors of a new word of the
text encoder (textual inversion, Gal et al., arXiv 2208.01618)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainRequest:
    """Train an adapter (LoRA) on a model, from pictures, clips or both. One request = one adapter in the library."""

    generator: str
    revision: str
    adapter_id: str = field(compare=False)
    name: str
    trigger: str
    kind: str
    """subject or style."""
    images: tuple[TrainingImageRef, ...]
    steps: int
    rank: int
    learning_rate: float
    seed: int
    method: str = LORA
    """:data:`LORA` or :data:`WORD`."""
    vectors: int = 0
    """Of a word, its vectors; 0 = the model's default."""
    initial: str = ""
    """Of a word, the words it begins as; empty = one for its kind."""
    optimiser: str = ""
    """adamw or adamw8bit; empty = adamw, and in 8 bits where memory asks for it."""
    test_prompt: str = ""
    """Prompt of the live test frames; empty = one made from the captions."""
    prior: float = 0.0
    """0…1: weight of prior preservation (arXiv 2208.12242): the base model's own pictures of the captions without the
    trigger word are trained on as well, so that other subjects of the kind stay what they were. 0 = off."""
    clips: tuple[TrainingClipRef, ...] = ()
    clip_frames: int = 0
    """Frames of a window of a clip, 4k + 1; a shorter clip gives the longest window it can. 0 = the model's default."""
    clip_windows: str = "uniform"
    """Which windows are cut from a clip: :data:`gen2studio.engine.training_clips.WAYS`."""
    every_frame: bool = False
    """A window holds every frame of the clip rather than frames at the model's own rate."""
    size: tuple[int, int] = (0, 0)
    """(width, height) whose area pictures and windows are trained at, each in its own shape; zeros = the model's."""
    experts: str = "both"
    """Of a pair of experts, which learn, one after the other: both, high (noise) or low. Others pay no heed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperateRequest:
    """Work on a finished clip rather than with a model's imagination: more frames, or bigger ones."""

    kind: str
    """interpolate or upscale."""
    source: SourceRef
    """The frames of a take as an image sequence, or footage."""
    start: int
    stop: int
    factor: int
    """interpolate: frames out for each frame in; upscale: times the width and height."""
    width: int
    height: int
    """Output size in pixels."""
    operator: str = "built-in"
    """Id of the operator: built-in, or a network whose weights are installed."""


Request = GenerateRequest | PropagateRequest | SegmentRequest | TrainRequest | OperateRequest


def request_digest(request: Request) -> str:
    """SHA-256 hex of the request's canonical form."""
    return canonical_digest(request)


def request_recipe(request: Request) -> str:
    """Canonical JSON of the request: what "reuse settings" and output metadata carry."""
    return canonical_json(request)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """Frames of a finished take that a new take keeps, so that only the others are made."""

    take_id: str
    runs: tuple[tuple[int, int], ...]
    """Media frames [start, stop) that are kept as they are."""
    joins: tuple[tuple[int, float], ...] = ()
    """(media frame, share of the new picture 0…1) for frames that are made anew and mixed with the old ones, so that
    what is new comes in without a jump."""

    def kept(self) -> frozenset[int]:
        return frozenset(frame for start, stop in self.runs for frame in range(start, stop))


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A request on its way through the queue."""

    id: str
    lane: Lane
    request: Request
    label: str
    owner: str = ""
    """Clip id (or empty): a new preview or stills job of the same owner replaces the one before."""
    take_id: str = ""
    """For renders: where frames are stored, and what a restart resumes."""
    priority: int = 0
    """Higher goes first within a lane."""
    reuse: Reuse | None = None
    """For renders: what an older take lends to this one."""
    span: tuple[int, int] | None = None
    """For renders that several machines share: the media frames [start, stop) made here, just as a run of the whole
    clip makes them. An empty span makes no frame; it lays down what a generator carries through the clip."""

    @property
    def made(self) -> tuple[int, ...]:
        """The media frames that the job makes itself: all that a generation wants, but those it reuses and those that
        other machines make."""
        if not isinstance(self.request, GenerateRequest):
            return ()
        kept = self.reuse.kept() if self.reuse is not None else frozenset[int]()
        first, stop = self.span if self.span is not None else (self.request.start, self.request.stop)
        return tuple(frame for frame in self.request.wanted if frame not in kept and first <= frame < stop)
