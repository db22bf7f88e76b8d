"""Integer pixel geometry: extents, rectangles, padding to a multiple, fitting."""

from __future__ import annotations

from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """A picture size in pixels."""

    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"an extent needs at least one pixel, got {self.width}x{self.height}")

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def aspect(self) -> float:
        return self.width / self.height

    def padded_to(self, multiple: int) -> Extent:
        """The smallest extent at least this big whose sides are multiples of ``multiple``."""
        return Extent(-(-self.width // multiple) * multiple, -(-self.height // multiple) * multiple)

    def scaled_to_fit(self, box: Extent) -> Extent:
        """The largest extent with this aspect inside ``box`` (never below 1 px a side)."""
        scale = min(box.width / self.width, box.height / self.height)
        return Extent(max(1, round(self.width * scale)), max(1, round(self.height * scale)))

    def __str__(self) -> str:
        return f"{self.width}×{self.height}"


@dataclass(frozen=True, slots=True)
class Rect:
    """A half-open pixel rectangle: x ≤ px < x + width. Zero-sized rectangles are empty."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    def intersected(self, other: Rect) -> Rect:
        x, y = max(self.x, other.x), max(self.y, other.y)
        return Rect(x, y, max(0, min(self.right, other.right) - x), max(0, min(self.bottom, other.bottom) - y))

    def united(self, other: Rect) -> Rect:
        if self.empty:
            return other
        if other.empty:
            return self
        x, y = min(self.x, other.x), min(self.y, other.y)
        return Rect(x, y, max(self.right, other.right) - x, max(self.bottom, other.bottom) - y)

    def grown(self, margin: int) -> Rect:
        return Rect(self.x - margin, self.y - margin, self.width + 2 * margin, self.height + 2 * margin)

    @staticmethod
    def of(extent: Extent) -> Rect:
        return Rect(0, 0, extent.width, extent.height)
