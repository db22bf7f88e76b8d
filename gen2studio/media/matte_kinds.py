"""What matte files hold and how their mattes are fitted: plain values, without any codec."""

from __future__ import annotations

import enum
from fractions import Fraction
from pathlib import Path

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass

ALPHA, LUMA, IDS, LAYERS = "alpha", "luma", "ids", "layers"
CARRIERS = {ALPHA: "Alpha channel", LUMA: "Brightness", IDS: "Object numbers", LAYERS: "Layers"}
"""How a carrier is called."""


class MatteFit(enum.Enum):
    """What happens to a matte whose shape differs from the picture's."""

    SAME = "same"
    """Scaled when the aspect is the same; refused otherwise."""
    FIT = "fit"
    """Scaled until it lies inside; what is left of the picture is outside the matte."""
    CROP = "crop"
    """Scaled until it covers the picture; what hangs over is cut off."""
    STRETCH = "stretch"
    """Scaled to the picture's width and height."""


@dataclass(frozen=True, slots=True)
class MatteLayer:
    """One matte of a file: it becomes one object."""

    key: str
    """``matte``, ``id:3`` or ``layer:dog``."""
    title: str
    """A name for the object; empty where the file has none."""
    chosen: bool = True
    """Whether it looks like a matte."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteFile:
    """What a matte file holds."""

    path: Path
    kind: MediaKind
    """STILL, SEQUENCE or VIDEO."""
    format: str
    extent: Extent
    """Display size."""
    numbers: tuple[int, ...]
    """The number of each image, rising: from file names, or 0, 1, 2, … of a video."""
    files: tuple[Path, ...] = ()
    """One an image; empty for a video."""
    rate: Fraction = Fraction(0)
    carriers: tuple[str, ...]
    """What may be read as the matte."""
    carrier: str
    """What most likely is."""
    layers: tuple[tuple[str, tuple[MatteLayer, ...]], ...] = ()
    """(carrier, its layers) for every carrier."""
    info: MediaInfo | None = None

    @property
    def count(self) -> int:
        return len(self.numbers)

    @property
    def numbered(self) -> bool:
        """Whether the numbers were written by somebody."""
        return self.kind is MediaKind.SEQUENCE or (self.kind is MediaKind.STILL and self.numbers[0] >= 0)

    def require(self, carrier: str) -> str:
        """``carrier``, or the likely one for an empty name. Raises MediaError when the file has no such carrier."""
        chosen = carrier or self.carrier
        if chosen not in self.carriers:
            offered = ", ".join(CARRIERS[c].lower() for c in self.carriers)
            raise MediaError(
                f"“{self.path.name}” has no {CARRIERS.get(chosen, chosen).lower()} to read.", f"It has: {offered}."
            )
        return chosen

    def layers_of(self, carrier: str) -> tuple[MatteLayer, ...]:
        return dict(self.layers).get(carrier, ())

    def sentence(self) -> str:
        """``50 PNG images of 854×480, alpha channel``."""
        many = {
            MediaKind.STILL: "One {} image",
            MediaKind.SEQUENCE: "{n} {} images",
            MediaKind.VIDEO: "{} video, {n} frames",
        }
        text = many[self.kind].format(self.format, n=self.count)
        return f"{text}, {self.extent}"
