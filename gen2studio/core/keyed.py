"""Numbers that may change over a clip: one value, or keys on media frames with straight lines between them."""

from __future__ import annotations

from bisect import bisect_left

from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True)
class Keyed:
    """``value`` while there are no keys; else ``keys`` [(media frame, value), …] by frame, held beyond the ends."""

    value: float = 0.0
    keys: tuple[tuple[int, float], ...] = ()

    def at(self, frame: int) -> float:
        """The value on a media frame."""
        if not self.keys:
            return self.value
        index = bisect_left(self.keys, frame, key=lambda key: key[0])
        if index == len(self.keys):
            return self.keys[-1][1]
        after, high = self.keys[index]
        if index == 0 or after == frame:
            return high
        before, low = self.keys[index - 1]
        return low + (high - low) * (frame - before) / (after - before)

    def with_value(self, frame: int, value: float) -> Keyed:
        """Changed as an artist means it: a number without keys changes everywhere, one with keys gets a key here."""
        return self.with_key(frame, value) if self.keys else Keyed(value)

    def with_key(self, frame: int, value: float) -> Keyed:
        keys = dict(self.keys)
        keys[frame] = value
        return Keyed(self.value, tuple(sorted(keys.items())))

    def without_key(self, frame: int) -> Keyed:
        """The last key that goes leaves its value for the whole clip."""
        left = tuple(key for key in self.keys if key[0] != frame)
        if not left and self.keys:
            return Keyed(self.keys[0][1])
        return Keyed(self.value, left)
