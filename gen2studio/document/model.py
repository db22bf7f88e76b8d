"""The document: one frozen value that holds a whole project.

Every edit makes a new one that shares the unchanged parts.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from fractions import Fraction

from gen2studio.core.curve import AT_ONE, AT_ZERO, Curve
from gen2studio.core.frozen import frozen_map
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape
from gen2studio.core.media_info import MediaInfo
from gen2studio.core.records import dataclass
from gen2studio.document.board_values import (
    Arrow,
    CameraFrame,
    MockUp,
    PanelLayer,
    PanelStill,
    SeedPolicy,
    ShotSize,
    SoundCue,
)
from gen2studio.document.composition import (
    PLAIN,
    PLAIN_STYLE,
    BlendMode,
    Subtitle,
    SubtitleStyle,
    Transform,
    Transition,
)
from gen2studio.document.look import Camera, Look


class TrackKind(enum.Enum):
    VIDEO = "video"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Frames that come right before a shot, which goes on from them (extend a clip)."""

    media_id: str
    take_id: str = ""
    """The take they are taken from, or empty: the media's own frames."""
    start: int
    stop: int
    """Media frames [start, stop)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shot:
    """What a generated shot is asked to be. Its media file is a slate of that size and length in the project."""

    width: int
    height: int
    rate: Fraction
    frames: int
    lead: Lead | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaItem:
    """A file the project uses. The file itself is never changed."""

    id: str
    name: str
    path: str
    """Absolute POSIX path in memory; the codec stores it relative to the project folder where it can."""
    fingerprint: str
    """:func:`gen2studio.core.hashing.file_fingerprint` at import."""
    info: MediaInfo
    shot: Shot | None = None
    """Set for a shot that a generator fills: it has no footage, only takes."""
    nested: str = ""
    """Id of the sequence this item stands for: it plays like a file without a path; ``info`` follows the sequence."""
    proxy: str = "auto"
    """``auto`` (made when it would play badly), ``always`` or ``never``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceView:
    """How a file was left in the source viewer, in its own frames. Neither an edit nor part of what is rendered."""

    start: int | None = None
    stop: int | None = None
    """In and out, half-open; None = the file's start, its end."""
    playhead: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskFrame:
    """One frame's matte of one object."""

    raster: MaskRaster
    anchor: bool
    """True when a person painted or corrected it: propagation never changes anchors."""
    confidence: float = 1.0
    """0…1, from propagation; anchors have 1."""
    basis: str = ""
    """What propagation carried it from (digest of the anchors on both sides and the engine); empty = not known. A matte
    whose basis is still true need not be carried again."""


class MaskBlend(enum.Enum):
    """How an object changes the region of the objects above it in the list."""

    ADD = "add"
    SUBTRACT = "subtract"
    INTERSECT = "intersect"


@dataclass(frozen=True, slots=True, kw_only=True)
class MaskObject:
    """A named subject, isolated over time. ``frames`` is keyed by media frame index."""

    id: str
    media_id: str
    name: str
    colour: tuple[int, int, int] = (255, 92, 92)
    """sRGB tint of the overlay."""
    visible: bool = True
    locked: bool = False
    blend: MaskBlend = MaskBlend.ADD
    frames: Mapping[int, MaskFrame] = field(default_factory=lambda: frozen_map({}))
    """What was painted or carried, without shapes and refinement."""
    shapes: tuple[MaskShape, ...] = ()
    """Outlines over what was painted, applied in order."""
    refinement: Refinement = Refinement()

    @property
    def anchors(self) -> tuple[int, ...]:
        return tuple(sorted(i for i, f in self.frames.items() if f.anchor))


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """A result. Its frames lie as numbered PNGs in the project's take store under its id."""

    id: str
    media_id: str
    name: str
    request_digest: str
    """Digest of the request that made it: a clip whose current request differs shows the take as stale."""
    recipe: str
    """Canonical JSON of that request, for "reuse settings" and for the metadata of exports."""
    look: Look
    start: int
    stop: int
    """Media frames [start, stop) it was asked for."""
    done: tuple[tuple[int, int], ...] = ()
    """Half-open runs of media frames that exist; a cancelled take has fewer than it was asked for."""
    width: int = 0
    height: int = 0
    created: str = ""
    """ISO 8601 UTC."""
    rating: int = 0
    """−1 rejected, 0 unrated, 1…5 stars."""
    flicker: float | None = None
    """Warp error relative to the source's own, see raster.measures; None until measured."""
    drift: float | None = None
    """Mean colour drift (ΔE) from its first to its last frames relative to the source's; None until measured."""
    pinned: bool = False
    """Kept: never collected with what is not used, listed first."""

    def has(self, frame: int) -> bool:
        return any(a <= frame < b for a, b in self.done)

    @property
    def complete(self) -> bool:
        return self.done == ((self.start, self.stop),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A stretch of media on a track. Positions are sequence frames; the source position is exact seconds."""

    id: str
    media_id: str
    name: str
    start: int
    duration: int
    source_in: Fraction = Fraction(0)
    """Seconds into the media of the clip's first frame."""
    speed: Fraction = Fraction(1)
    """Media seconds per sequence second; > 0."""
    reverse: bool = False
    """Plays the same stretch of media from its end to its beginning."""
    freeze: bool = False
    """Shows the moment ``source_in`` for its whole length; no sound, no media limit."""
    keep_pitch: bool = True
    """Sound at another speed keeps its pitch."""
    link: str = ""
    """Clips that share a non-empty link are moved, trimmed and cut together (picture with its sound)."""
    group: str = ""
    """Clips that share a non-empty group are selected and moved together; each is trimmed for itself."""
    enabled: bool = True
    gain_db: float = 0.0
    volume: Curve = AT_ZERO
    """Automation in dB on top of ``gain_db``; −96 and below is silence. Curves count frames from the clip's head."""
    pan: Curve = AT_ZERO
    """−1 left … 1 right."""
    opacity: Curve = AT_ONE
    """0…1."""
    blend: BlendMode = BlendMode.NORMAL
    transform: Transform = PLAIN
    fade_in: int = 0
    """Frames from nothing at the head: opacity of a picture, power of a sound."""
    fade_out: int = 0
    look: Look | None = None
    takes: tuple[str, ...] = ()
    active_take: str = ""
    """Id of the applied take, or empty: the source is shown."""

    @property
    def end(self) -> int:
        """First sequence frame after the clip."""
        return self.start + self.duration

    def source_time(self, frame: int, rate: Fraction) -> Fraction:
        """Media seconds shown at sequence ``frame``; frames beside the clip go on in its direction."""
        if self.freeze:
            return self.source_in
        offset = self.duration - 1 - (frame - self.start) if self.reverse else frame - self.start
        return self.source_in + Fraction(offset) / rate * self.speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    id: str
    kind: TrackKind
    name: str
    clips: tuple[Clip, ...] = ()
    """Sorted by start; never overlapping."""
    transitions: tuple[Transition, ...] = ()
    """Sorted by cut; never overlapping."""
    locked: bool = False
    muted: bool = False
    """Audio: silent. Video: hidden."""
    solo: bool = False
    """While any track of a kind is solo, the others of that kind are as if muted."""
    gain_db: float = 0.0
    pan: float = 0.0
    """−1 left … 1 right."""
    height: int = 64
    """Pixels on screen at 100 % scale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    id: str
    frame: int
    duration: int = 0
    """Frames of a range, 0 = a point."""
    name: str = ""
    note: str = ""
    colour: str = "amber"
    """A name of ``ui.theme``'s label colours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A timeline. Video tracks are listed bottom first, audio tracks top first."""

    id: str
    name: str
    rate: Fraction
    width: int
    height: int
    sample_rate: int = 48000
    tracks: tuple[Track, ...] = ()
    markers: tuple[Marker, ...] = ()
    in_point: int | None = None
    out_point: int | None = None
    """In/out are half-open: frames [in_point, out_point)."""
    subtitles: tuple[Subtitle, ...] = ()
    """Sorted by start; never overlapping."""
    subtitle_style: SubtitleStyle = PLAIN_STYLE
    limiter: bool = False
    """Whether the sum of its sound is held below −1 dBTP."""

    @property
    def duration(self) -> int:
        return max((t.clips[-1].end for t in self.tracks if t.clips), default=0)

    @property
    def video_tracks(self) -> tuple[Track, ...]:
        return tuple(t for t in self.tracks if t.kind is TrackKind.VIDEO)

    @property
    def audio_tracks(self) -> tuple[Track, ...]:
        return tuple(t for t in self.tracks if t.kind is TrackKind.AUDIO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One shot of a storyboard: a picture (mock-up, sketch, still), what it should become, and for how long."""

    id: str
    name: str = ""
    picture: str = ""
    """Digest of a project image, or empty. With ``layers`` it is what they make together on paper."""
    prompt: str = ""
    """Words for the generator; empty = the action."""
    seconds: Fraction = Fraction(2)
    keep_picture: bool = False
    """True: the picture is the first frame as it is. False: its layout guides the shot (boxes as a skyline)."""
    look: Look | None = None
    """Overrides the board's look."""
    camera: Camera = field(default_factory=Camera)
    notes: str = ""
    dialogue: str = ""
    clip_id: str = ""
    """The timeline clip made from this panel, or empty."""
    action: str = ""
    """What happens."""
    shot_size: ShotSize = ShotSize.NONE
    layers: tuple[PanelLayer, ...] = ()
    """What was drawn, bottom first."""
    reference: str = ""
    """Digest of a project image that lies under the drawing while one draws, or empty. It is in no result."""
    reference_opacity: float = 0.5
    frames: tuple[CameraFrame, ...] = ()
    """Where the camera starts and ends: two frames, or none. ``camera`` follows them (``board_camera``)."""
    arrows: tuple[Arrow, ...] = ()
    mock_up: MockUp | None = None
    sound: SoundCue | None = None
    """Dialogue; it starts with the panel."""
    tapped: Fraction | None = None
    """Second of the board at which the panel was ended by tapping along, or None: its length was given otherwise."""
    seed: int = 1
    """Counts with :attr:`SeedPolicy.OWN`."""
    stills: tuple[PanelStill, ...] = ()
    guide: str = ""
    """Picture of the chosen still: the shot begins with it and has its seed. Empty = none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A storyboard: panels in order, one look for all of them (style images, words, adapters)."""

    id: str
    name: str = "Storyboard"
    look: Look = field(default_factory=Look)
    panels: tuple[Panel, ...] = ()
    width: int = 640
    height: int = 384
    rate: Fraction = Fraction(8)
    seeds: SeedPolicy = SeedPolicy.ONE
    sequence_id: str = ""
    """The timeline its clips were laid on last, or empty."""
    sound: SoundCue | None = None
    """What is heard under the animatic."""


CLIP_WINDOWS = ("head", "uniform", "chunk")
"""Which windows a training cuts from a clip: :mod:`gen2studio.engine.training_clips`."""
METHODS = ("lora", "word")
"""What a training makes: an adapter of low-rank pairs, or a word of the text encoder."""
OPTIMISERS = ("", "adamw", "adamw8bit")
"""What steps a training; empty = as memory asks for it."""
EXPERTS = ("both", "high", "low")
"""Which of a pair of experts a training teaches."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingClip:
    """Media frames [start, stop) of footage in the project: what a training set shows of it."""

    media_id: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingImage:
    """A picture of a training set, or a clip. ``crop`` is (x, y, width, height) in 0…1 of it; None = the whole."""

    digest: str
    """SHA-256 of the picture's file; of a clip, what :func:`gen2studio.document.training_sets.clip_digest` says."""
    name: str = ""
    caption: str = ""
    crop: tuple[float, float, float, float] | None = None
    clip: TrainingClip | None = None
    """Where it is a clip: which one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """What an adapter is trained on: 5–30 pictures or clips of one subject, style or motion."""

    id: str
    name: str
    trigger: str = ""
    """The word that calls the subject or style in a prompt."""
    kind: str = "subject"
    """subject or style."""
    images: tuple[TrainingImage, ...] = ()
    generator: str = ""
    steps: int = 0
    """0 = the generator's default."""
    rank: int = 8
    learning_rate: float = 0.0
    """0 = the generator's default."""
    method: str = "lora"
    """What is made of it: an adapter (lora) or a word (textual inversion)."""
    vectors: int = 0
    """Of a word; 0 = the generator's default."""
    initial: str = ""
    """The words that a word begins as; empty = one for its kind."""
    optimiser: str = ""
    """adamw or adamw8bit; empty = as memory asks for it."""
    seed: int = 1
    prior: float = 0.0
    """0…1: weight of prior preservation, 0 = off: see :class:`gen2studio.engine.requests.TrainRequest`."""
    size: tuple[int, int] = (0, 0)
    """(width, height) whose area a picture or clip is trained at; zeros = the generator's own."""
    clip_frames: int = 0
    """Frames of a window of a clip, 4k + 1; 0 = the generator's default."""
    clip_windows: str = "uniform"
    """Which windows are cut from a clip: head, uniform or chunk (:mod:`gen2studio.engine.training_clips`)."""
    every_frame: bool = False
    """Windows hold every frame of a clip, at whatever rate it plays, rather than frames at the model's own rate."""
    experts: str = "both"
    """Of a pair of experts, which learn: both, high (noise) or low."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole project as one value. Mappings are keyed by id and keep insertion order."""

    id: str
    name: str = "Untitled"
    media: Mapping[str, MediaItem] = field(default_factory=lambda: frozen_map({}))
    sequences: Mapping[str, Sequence] = field(default_factory=lambda: frozen_map({}))
    active_sequence: str = ""
    masks: Mapping[str, MaskObject] = field(default_factory=lambda: frozen_map({}))
    takes: Mapping[str, Take] = field(default_factory=lambda: frozen_map({}))
    default_look: Look = field(default_factory=Look)
    boards: Mapping[str, Board] = field(default_factory=lambda: frozen_map({}))
    training_sets: Mapping[str, TrainingSet] = field(default_factory=lambda: frozen_map({}))
    sources: Mapping[str, SourceView] = field(default_factory=lambda: frozen_map({}))
    """By media id; of files that were opened in the source viewer."""

    @property
    def sequence(self) -> Sequence | None:
        return self.sequences.get(self.active_sequence)

    def masks_of(self, media_id: str) -> tuple[MaskObject, ...]:
        return tuple(m for m in self.masks.values() if m.media_id == media_id)
