"""A number over time: one value, or keys with an easing after each, as artists know them from curve editors."""

from __future__ import annotations

import enum
from bisect import bisect_right

from gen2studio.core.records import dataclass


class Ease(enum.Enum):
    """How a curve goes on from a key to the next one."""

    LINEAR = "linear"
    HOLD = "hold"
    """Stays, and jumps at the next key."""
    SMOOTH = "smooth"
    """Leaves and arrives without speed (a cubic Hermite with flat ends)."""
    BEZIER = "bezier"
    """A cubic Bézier whose handles the keys hold."""


@dataclass(frozen=True, slots=True)
class CurveKey:
    """``value`` on ``frame``. Handles are (frames, value) away from the key and count only where a neighbouring stretch
    is a BEZIER: ``out_handle`` on this key's stretch (frames ≥ 0), ``in_handle`` on the one before (frames ≤ 0)."""

    frame: int
    value: float
    ease: Ease = Ease.LINEAR
    in_handle: tuple[float, float] = (0.0, 0.0)
    out_handle: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Curve:
    """``value`` while there are no keys; else ``keys`` by frame, held beyond the ends.

    What a frame is belongs to the owner: a clip's own curves count sequence frames from the clip's head (and keep keys
    outside it, so that trimming back brings them back); those of a look count media frames.
    """

    value: float = 0.0
    keys: tuple[CurveKey, ...] = ()

    @property
    def moving(self) -> bool:
        """Whether it has keys."""
        return bool(self.keys)

    def at(self, frame: float) -> float:
        """The value at a frame; between frames too."""
        if not self.keys:
            return self.value
        index = bisect_right(self.keys, frame, key=lambda key: key.frame)
        if index == 0:
            return self.keys[0].value
        left = self.keys[index - 1]
        if index == len(self.keys) or left.frame == frame or left.ease is Ease.HOLD:
            return left.value
        right = self.keys[index]
        part = (frame - left.frame) / (right.frame - left.frame)
        if left.ease is Ease.SMOOTH:
            part = part * part * (3 - 2 * part)
        elif left.ease is Ease.BEZIER:
            return _bezier(left, right, part)
        return left.value + (right.value - left.value) * part

    def with_value(self, frame: int, value: float) -> Curve:
        """Changed as an artist means it: without keys everywhere, with keys by a key here."""
        return self.with_key(CurveKey(frame, value, self._ease_at(frame))) if self.keys else Curve(value)

    def with_key(self, key: CurveKey) -> Curve:
        """With this key, in place of the one on its frame."""
        kept = [old for old in self.keys if old.frame != key.frame]
        return Curve(self.value, tuple(sorted([*kept, key], key=lambda each: each.frame)))

    def without_key(self, frame: int) -> Curve:
        """The last key that goes leaves its value."""
        left = tuple(key for key in self.keys if key.frame != frame)
        return Curve(self.keys[0].value) if self.keys and not left else Curve(self.value, left)

    def key_at(self, frame: int) -> CurveKey | None:
        return next((key for key in self.keys if key.frame == frame), None)

    def shifted(self, frames: int) -> Curve:
        """Every key ``frames`` later."""
        if not frames or not self.keys:
            return self
        return Curve(
            self.value,
            tuple(CurveKey(k.frame + frames, k.value, k.ease, k.in_handle, k.out_handle) for k in self.keys),
        )

    def scaled(self, factor: float) -> Curve:
        """Every key at ``factor`` (> 0) times its frame, as when the owner plays slower; of keys that fall together the
        later one stays."""
        if factor == 1 or not self.keys:
            return self
        moved = {round(k.frame * factor): k for k in self.keys}
        return Curve(
            self.value,
            tuple(
                CurveKey(frame, k.value, k.ease, _stretched(k.in_handle, factor), _stretched(k.out_handle, factor))
                for frame, k in sorted(moved.items())
            ),
        )

    def mirrored(self, last: int) -> Curve:
        """Backwards: what was at frame ``f`` is at ``last − f``."""
        if not self.keys:
            return self
        eases = [Ease.LINEAR, *(key.ease for key in self.keys)]
        keys = [
            CurveKey(last - k.frame, k.value, ease, _turned(k.out_handle), _turned(k.in_handle))
            for k, ease in zip(self.keys, eases, strict=False)
        ]
        return Curve(self.value, tuple(reversed(keys)))

    def _ease_at(self, frame: int) -> Ease:
        before = [key for key in self.keys if key.frame <= frame]
        return before[-1].ease if before else Ease.LINEAR


def _stretched(handle: tuple[float, float], factor: float) -> tuple[float, float]:
    return (handle[0] * factor, handle[1])


def _turned(handle: tuple[float, float]) -> tuple[float, float]:
    return (-handle[0] if handle[0] else 0.0, handle[1])


AT_ZERO = Curve()
"""The curve of a value that rests at 0; shared, so that it can be told by identity."""
AT_ONE = Curve(1.0)


def _bezier(left: CurveKey, right: CurveKey, part: float) -> float:
    """The value where the curve's time is ``part`` (0…1); handles are clamped so that time never runs backwards."""
    span = right.frame - left.frame
    x1 = min(max(left.out_handle[0] / span, 0.0), 1.0)
    x2 = min(max(1 + right.in_handle[0] / span, 0.0), 1.0)
    low, high = 0.0, 1.0
    for _ in range(40):
        t = (low + high) / 2
        x = 3 * (1 - t) ** 2 * t * x1 + 3 * (1 - t) * t * t * x2 + t**3
        low, high = (t, high) if x < part else (low, t)
    t = (low + high) / 2
    y1, y2 = left.value + left.out_handle[1], right.value + right.in_handle[1]
    return (1 - t) ** 3 * left.value + 3 * (1 - t) ** 2 * t * y1 + 3 * (1 - t) * t * t * y2 + t**3 * right.value
