"""How clips are laid over, into and beside one another: transforms, blending, transitions, titles."""

from __future__ import annotations

import enum
from typing import NamedTuple

from gen2studio.core.curve import AT_ONE, AT_ZERO, Curve
from gen2studio.core.records import dataclass


class BlendMode(enum.Enum):
    """How a clip is laid over what lies below, on display values (W3C Compositing and Blending Level 1)."""

    NORMAL = "normal"
    ADD = "add"
    MULTIPLY = "multiply"
    SCREEN = "screen"
    OVERLAY = "overlay"
    DARKEN = "darken"
    LIGHTEN = "lighten"
    SOFT_LIGHT = "soft_light"
    HARD_LIGHT = "hard_light"
    DIFFERENCE = "difference"
    COLOUR = "colour"
    LUMINOSITY = "luminosity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """Where a clip's picture lies in the frame. It starts fitted and centred; curves count frames from the clip's head.

    Applied in this order: crop (of the picture), scale and rotation about the anchor, position.
    """

    x: Curve = AT_ZERO
    """Widths of the sequence's frame to the right, 0 = centred."""
    y: Curve = AT_ZERO
    """Heights of the frame downwards."""
    scale: Curve = AT_ONE
    """1 = as large as fits."""
    stretch: Curve = AT_ONE
    """Width against height, 1 = as the picture is."""
    rotation: Curve = AT_ZERO
    """Degrees, clockwise."""
    anchor_x: Curve = AT_ZERO
    """Widths of the picture from its centre."""
    anchor_y: Curve = AT_ZERO
    crop_left: Curve = AT_ZERO
    """Parts of the picture's width, 0…1."""
    crop_right: Curve = AT_ZERO
    crop_top: Curve = AT_ZERO
    crop_bottom: Curve = AT_ZERO
    flip_horizontal: bool = False
    flip_vertical: bool = False


PLAIN = Transform()
"""Fitted and centred; shared, so that it can be told by identity."""


class CurveLimits(NamedTuple):
    """The lowest and the highest value of a clip's curve, and what it is when nobody touched it."""

    low: float
    high: float
    default: float = 0.0


SOUND_CURVES: dict[str, CurveLimits] = {"volume": CurveLimits(-96, 24), "pan": CurveLimits(-1, 1)}
PICTURE_CURVES: dict[str, CurveLimits] = {
    "opacity": CurveLimits(0, 1, 1),
    "transform.x": CurveLimits(-16, 16),
    "transform.y": CurveLimits(-16, 16),
    "transform.scale": CurveLimits(0, 64, 1),
    "transform.stretch": CurveLimits(0.02, 50, 1),
    "transform.rotation": CurveLimits(-36000, 36000),
    "transform.anchor_x": CurveLimits(-8, 8),
    "transform.anchor_y": CurveLimits(-8, 8),
    "transform.crop_left": CurveLimits(0, 1),
    "transform.crop_right": CurveLimits(0, 1),
    "transform.crop_top": CurveLimits(0, 1),
    "transform.crop_bottom": CurveLimits(0, 1),
}
CURVES: dict[str, CurveLimits] = SOUND_CURVES | PICTURE_CURVES
"""Every curve of a clip by name, in the order in which they are listed."""


class TransitionKind(enum.Enum):
    DISSOLVE = "dissolve"
    """On audio tracks: a crossfade of equal power."""
    WIPE = "wipe"
    """A straight edge that moves along ``angle``."""
    CLOCK = "clock"
    IRIS = "iris"
    PUSH = "push"
    SLIDE = "slide"
    DIP = "dip"
    """Through ``colour``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """From one clip to the next that touches it, over frames [cut − ``before``, cut + ``after``) around their cut.

    Both clips go on beneath it, as far as their media reach. The track holds it; it goes when its cut goes.
    """

    id: str
    left: str
    """Id of the clip that ends at the cut."""
    right: str
    """Id of the clip that starts there."""
    kind: TransitionKind = TransitionKind.DISSOLVE
    before: int = 0
    after: int = 0
    angle: float = 0.0
    """Degrees: 0 = the edge moves right, 90 = down."""
    softness: float = 0.0
    """0…1: width of a wipe's edge against the frame's."""
    colour: tuple[int, int, int] = (0, 0, 0)
    """sRGB, of a dip."""

    @property
    def duration(self) -> int:
        return self.before + self.after


@dataclass(frozen=True, slots=True, kw_only=True)
class Subtitle:
    """One caption, over sequence frames [start, start + duration)."""

    id: str
    start: int
    duration: int
    text: str
    """May hold line breaks and the SRT tags ``<i> <b> <u>``."""

    @property
    def end(self) -> int:
        return self.start + self.duration


@dataclass(frozen=True, slots=True, kw_only=True)
class SubtitleStyle:
    """How captions are drawn."""

    size: float = 0.055
    """Of the frame's height."""
    colour: tuple[int, int, int] = (255, 255, 255)
    outline: float = 0.08
    """Width of the dark outline against the size of the letters."""
    box: float = 0.0
    """0…1: opacity of a black box behind the text."""
    place: float = 0.92
    """Where the last line's foot lies, of the frame's height."""
    shown: bool = True


PLAIN_STYLE = SubtitleStyle()
