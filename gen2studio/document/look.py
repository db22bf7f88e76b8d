"""A look: what the artist asked of a generator, apart from the footage."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


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
    strength: float = 1.0
    """0…1: denoising strength, or for weight-free looks the mix with the source."""
    protect_skin: float = 0.0
    """0…1: keep the source's own colours on skin."""
    preserve_luminance: float = 1.0
    """0…1: region edits keep the subject's shading."""
    grow: int = 0
    """Pixels the mask is grown (+) or shrunk (−) before use."""
    feather: float = 1.0
    """Gaussian sigma in pixels of the mask's soft edge, inwards only, so that nothing outside the mask changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Everything the generate panel holds for one clip."""

    mode: Mode = Mode.STYLIZE
    generator: str = "example"
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
