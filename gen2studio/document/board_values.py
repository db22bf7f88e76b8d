"""What a storyboard panel is made of besides its words: drawn layers, shot size, camera frames, mock-up footage, sound,
stills. Values only; the edits are in :mod:`gen2studio.document.boards` and ``board_edits``."""

from __future__ import annotations

import enum
from fractions import Fraction

from gen2studio.core.records import dataclass


class ShotSize(enum.Enum):
    """How much of a figure the shot shows, from nearest to farthest, and the named kinds of shot beside that."""

    NONE = ""
    ECU = "ECU"
    BCU = "BCU"
    CU = "CU"
    MCU = "MCU"
    MS = "MS"
    MLS = "MLS"
    FS = "FS"
    LS = "LS"
    WS = "WS"
    EWS = "EWS"
    INSERT = "INS"
    TWO_SHOT = "2S"
    OVER_SHOULDER = "OTS"
    POINT_OF_VIEW = "POV"
    ESTABLISHING = "EST"
    AERIAL = "AER"

    @property
    def title(self) -> str:
        """In words, as menus show it."""
        return _SIZES[self]


_SIZES = {
    ShotSize.NONE: "No shot size",
    ShotSize.ECU: "Extreme close-up",
    ShotSize.BCU: "Big close-up",
    ShotSize.CU: "Close-up",
    ShotSize.MCU: "Medium close-up",
    ShotSize.MS: "Medium shot",
    ShotSize.MLS: "Medium long shot",
    ShotSize.FS: "Full shot",
    ShotSize.LS: "Long shot",
    ShotSize.WS: "Wide shot",
    ShotSize.EWS: "Extreme wide shot",
    ShotSize.INSERT: "Insert",
    ShotSize.TWO_SHOT: "Two shot",
    ShotSize.OVER_SHOULDER: "Over the shoulder",
    ShotSize.POINT_OF_VIEW: "Point of view",
    ShotSize.ESTABLISHING: "Establishing shot",
    ShotSize.AERIAL: "Aerial shot",
}


class LayerBlend(enum.Enum):
    """How a drawn layer is laid over those below, on display values (W3C Compositing and Blending Level 1)."""

    NORMAL = "normal"
    MULTIPLY = "multiply"


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelLayer:
    """One layer of a drawing, as large as the picture."""

    id: str
    name: str = ""
    picture: str = ""
    """Digest of a project image with transparency (RGBA), or empty: nothing is drawn on it yet."""
    visible: bool = True
    opacity: float = 1.0
    """0…1."""
    blend: LayerBlend = LayerBlend.NORMAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFrame:
    """What the camera sees of the picture: a rectangle of the board's shape."""

    x: float = 0.5
    """Centre, 0…1 of the picture's width; may lie a little outside."""
    y: float = 0.5
    """Centre, 0…1 of the picture's height."""
    width: float = 1.0
    """Of the picture's width, 0.05…2."""
    angle: float = 0.0
    """Degrees clockwise, −180…180."""


class ArrowKind(enum.Enum):
    """Who moves along an arrow."""

    CAMERA = "camera"
    SUBJECT = "subject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrow:
    """A drawn arrow; points are (x, y), 0…1 of the picture."""

    kind: ArrowKind = ArrowKind.SUBJECT
    start: tuple[float, float] = (0.25, 0.5)
    end: tuple[float, float] = (0.75, 0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class MockUp:
    """Footage that stands for the panel until its shot is made: seconds [start, stop) of a media item."""

    media_id: str
    start: Fraction = Fraction(0)
    stop: Fraction = Fraction(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundCue:
    """Sound that plays with a panel (dialogue) or the whole board (a guide track), from ``start`` seconds of it on."""

    media_id: str
    start: Fraction = Fraction(0)
    gain_db: float = 0.0
    """−60…24."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PanelStill:
    """One of the stills made of a panel before its shot."""

    picture: str
    """Digest of a project image."""
    seed: int


class SeedPolicy(enum.Enum):
    """Where a panel's seed comes from."""

    ONE = "one"
    """The look's: every panel the same."""
    OWN = "own"
    """Each panel's own."""
    DERIVED = "derived"
    """The look's and the panel's id: all different, and none to think about. Reordering changes none."""
