"""A look: what the artist asked of a generator, apart from the footage."""

from __future__ import annotations

import enum
from dataclasses import field, replace
from typing import Any

from gen2studio.core.curve import Curve
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass


class Mode(enum.Enum):
    """The eight modes, in the order the panel shows them."""

    TEXT_TO_VIDEO = "text"
    TEXT_IMAGE_TO_VIDEO = "text_image"
    IMAGE_TO_VIDEO = "image"
    STYLIZE = "stylize"
    STORYBOARD = "storyboard"
    MASK = "mask"
    RENDER = "render"
    CUSTOMIZE = "customize"


class Region(enum.Enum):
    ALL = "all"
    FOREGROUND = "foreground"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleImage:
    """A style reference: an image kept in the project's blobs by content hash."""

    digest: str
    """SHA-256 hex of the image file."""
    name: str = ""
    weight: float = 1.0
    """0…2, relative to the other references."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaintedKey:
    """A painted key frame (EbSynth-like): what ``frame`` of the media should look like."""

    frame: int
    digest: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """A region edit: base colour and a pattern on it. ``kind``: none, spots, stripes, plaid, swatch."""

    kind: str = "none"
    base: tuple[int, int, int] = (245, 243, 238)
    """sRGB 0…255."""
    ink: tuple[int, int, int] = (22, 20, 20)
    scale: float = 1.0
    """Pattern size, 0.25…4; 1 = about 1/24 of the frame height a motif."""
    swatch: str = ""
    """Digest of the swatch image for kind ``swatch``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The sliders. A generator says which of them it honours."""

    structure: float = 2.0
    """0…7: 0 follows every edge of the footage, 7 only its rough layout (Gen-1's t_s, arXiv 2302.03011)."""
    style_weight: float = 1.0
    """0…2: how strongly the style is applied; 1 = as designed."""
    consistency: float = 1.0
    """0…2: how much frames are held together; 1 = neutral."""
    stroke_size: float = 1.0
    """0.25…4: size of brush marks relative to the style image."""
    strength: float = -1.0
    """0…1: denoising strength, or for weight-free looks the mix with the source; −1 = as the generator is best used."""
    protect_skin: float = 0.0
    """0…1: keep the source's own colours on skin."""
    preserve_luminance: float = 1.0
    """0…1: region edits keep the subject's shading."""
    grow: int = 0
    """Pixels the mask is grown (+) or shrunk (−) before use."""
    feather: float = 1.0
    """Gaussian sigma in pixels of the mask's soft edge, inwards only, so that nothing outside the mask changes."""
    guidance: float = 0.0
    """Guidance scale of a diffusion model, 1…20; 0 = the model's own default."""
    steps: int = 0
    """Denoising steps, 1…100; 0 = the model's own default."""
    motion: float = 5.0
    """0…10: general motion of generated shots; 5 = as the model likes it, 0 nearly still."""
    control_scale: float = 1.0
    """0…2: how strictly a structure control (depth, edges, flow) is followed."""
    reuse: float = 0.0
    """0…30 percent: denoising steps that would change less than this are not computed; 0 = all are."""


KEYED: dict[str, tuple[float, float]] = {
    "strength": (0.0, 1.0),
    "structure": (0.0, 7.0),
    "style_weight": (0.0, 2.0),
    "control_scale": (0.0, 2.0),
    "feather": (0.0, 100.0),
    "grow": (-100.0, 100.0),
}
"""The sliders that may have keys, in the order in which they are listed, with the lowest and highest value of a key."""


class StructureSource(enum.Enum):
    """What a diffusion model reads the structure of the footage from."""

    AUTO = "auto"
    """The best that is there: a depth pass, else an estimated depth, else edges."""
    DEPTH_PASS = "depth_pass"
    DEPTH = "depth"
    EDGES = "edges"
    GREY = "grey"
    FLOW = "flow"
    LAYOUT = "layout"
    """Flat regions of colour: mock-ups, boxes and sketches."""
    NONE = "none"


class Fill(enum.Enum):
    """What a mask edit may do with the subject's outline."""

    FREE = "free"
    """The model invents what fills the mask."""
    SHAPE = "shape"
    """The subject keeps its shape: structure goes on inside the mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """Six camera axes, −10…10 over the length of the shot (Gen-2's units); 0 = still.

    ``horizontal`` + moves right, ``vertical`` + up, ``zoom`` + in, ``pan`` + turns right, ``tilt`` + up, ``roll`` +
    clockwise. ``static`` asks for a locked-off camera, which is more than not asking for a move.
    """

    horizontal: float = 0.0
    vertical: float = 0.0
    zoom: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    static: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MotionRegion:
    """One region of the motion brush. Values −10…10 (``ambient`` 0…10) over the length of the shot."""

    raster: MaskRaster
    """Painted on the first frame, at the shot's size."""
    horizontal: float = 0.0
    vertical: float = 0.0
    proximity: float = 0.0
    """+ comes nearer (grows), − goes away."""
    ambient: float = 0.0
    """Undirected stirring: leaves, water, hair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DepthPass:
    """A true depth pass that belongs to the footage, frame by frame."""

    path: str
    """A 16-bit PNG or EXR sequence (first file), or a video."""
    name: str = ""
    near_is_white: bool = True
    near: float | None = None
    """Depth value shown as nearest; None = the 2nd percentile of the clip."""
    far: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outpaint:
    """Room that is added around footage and invented: ``left`` and ``right`` in parts of its width, ``top`` and
    ``bottom`` of its height, 0…2. The footage itself stays as it is inside."""

    left: float = 0.0
    top: float = 0.0
    right: float = 0.0
    bottom: float = 0.0

    @property
    def adds(self) -> bool:
        """Whether there is any such room."""
        return any((self.left, self.top, self.right, self.bottom))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterUse:
    """A trained adapter (LoRA) and how strongly it acts, 0…2."""

    adapter: str
    """Id in the adapter library."""
    strength: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPart:
    """What one mask object, or the background, gets in place of the look around it."""

    object_id: str = ""
    """A mask object of the clip's media; empty = what lies in no object."""
    look: Look
    """Without parts of its own; its region is the object's matte."""
    enabled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything the generate panel holds for one clip."""

    mode: Mode = Mode.STYLIZE
    generator: str = ""
    """Id of a generator; empty = chosen by mode and input, and shown."""
    preset: str = ""
    """Id of a bundled preset in ``resources/looks`` or empty."""
    styles: tuple[StyleImage, ...] = ()
    keys: tuple[PaintedKey, ...] = ()
    pattern: Pattern | None = None
    prompt: str = ""
    negative_prompt: str = ""
    region: Region = Region.ALL
    mask_objects: tuple[str, ...] = ()
    """Ids of the mask objects that count as foreground; empty = all objects of the media."""
    controls: Controls = field(default_factory=Controls)
    seed: int = 1
    seed_locked: bool = True
    structure_source: StructureSource = StructureSource.AUTO
    depth_pass: DepthPass | None = None
    fill: Fill = Fill.SHAPE
    camera: Camera = field(default_factory=Camera)
    motion_regions: tuple[MotionRegion, ...] = ()
    """At most five."""
    adapters: tuple[AdapterUse, ...] = ()
    layout: str = ""
    """Digest of a mock-up or sketch whose layout a generated shot follows (boxes as a skyline), or empty."""
    outpaint: Outpaint = field(default_factory=Outpaint)
    """While it adds room the footage is reframed, not restyled: only the room around it is drawn."""
    key_spacing: int = 0
    """On footage: 0 = the generator draws every frame, n > 0 = a key frame every n frames, −1 = key frames where the
    program finds them needed. The frames between are carried from the key frames."""
    key_carrier: str = ""
    """Id of the generator that carries key frames to the frames between; empty = chosen by the program."""
    curves: tuple[tuple[str, Curve], ...] = ()
    """The sliders of :data:`KEYED` that have keys, as (name, curve on media frames) in the order of that table. Such a
    slider's number in ``controls`` counts nowhere; change them with :meth:`with_curve`."""
    parts: tuple[LookPart, ...] = ()
    """Looks by mask object. While any is enabled one run makes them all, each inside its own matte, and the look's own
    style counts nowhere; where objects overlap the upper one in the list has the pixels."""

    @property
    def by_object(self) -> bool:
        """Whether objects have looks of their own."""
        return any(part.enabled for part in self.parts)

    def curve(self, name: str) -> Curve:
        """A slider of :data:`KEYED` over media frames: its keys, or the one number it has everywhere (−1 for a strength
        that is left to the generator)."""
        found = next((curve for known, curve in self.curves if known == name), None)
        return found if found is not None else Curve(float(getattr(self.controls, name)))

    def with_curve(self, name: str, curve: Curve) -> Look:
        """With this slider as ``curve`` says: keyed, or one number again. Values are kept in the range of
        :data:`KEYED`. Raises KeyError for a slider that can't have keys."""
        low, high = KEYED[name]
        others = {known: old for known, old in self.curves if known != name}
        if not curve.keys:
            value = curve.value if name == "strength" and curve.value < 0 else min(max(curve.value, low), high)
            fixed: Any = round(value) if name == "grow" else value
            return replace(self, curves=_in_order(others), controls=replace(self.controls, **{name: fixed}))
        keys = tuple(replace(key, value=min(max(key.value, low), high)) for key in curve.keys)
        return replace(self, curves=_in_order({**others, name: Curve(curve.value, keys)}))

    def controls_at(self, frame: int) -> Controls:
        """The sliders as they stand on a media frame."""
        if not self.curves:
            return self.controls
        here: dict[str, Any] = {name: curve.at(frame) for name, curve in self.curves}
        if "grow" in here:
            here["grow"] = round(here["grow"])
        return replace(self.controls, **here)


def _in_order(curves: dict[str, Curve]) -> tuple[tuple[str, Curve], ...]:
    return tuple((name, curves[name]) for name in KEYED if name in curves)
