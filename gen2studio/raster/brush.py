"""Brush dabs on a uint8 matte: cached stamps, even spacing, one opacity per stroke, rectangles of what changed.

A stroke keeps a coverage plane in which dabs are joined by maximum, so that overlapping dabs never exceed the stroke's
opacity; the coverage is then laid *over* the matte as it was at the press ("wash" mode in the words of paint programs).
All arithmetic is exact to the nearest of 255 levels and needs no window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from gen2studio.core.geometry import Rect
from gen2studio.raster.tiles import Mask, tiles_touching

SUBPIXEL = 4
"""Small tips are placed to a quarter of a pixel, so that slow thin lines do not wobble."""
_SUBPIXEL_RADIUS = 16.0
EMPTY = Rect(0, 0, 0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Brush:
    """A round tip. Lengths in media pixels."""

    radius: float = 24.0
    hardness: float = 0.85
    """0 = falls off from the centre, 1 = hard edge (one pixel of antialiasing)."""
    opacity: float = 1.0
    erase: bool = False
    pressure_size: bool = True
    pressure_opacity: bool = False
    spacing: float = 0.125
    """Distance between dabs in diameters."""

    def at(self, pressure: float) -> tuple[float, float]:
        """(radius, opacity) under ``pressure`` 0…1; never thinner than half a pixel."""
        pressure = min(1.0, max(0.0, pressure))
        radius = self.radius * pressure if self.pressure_size else self.radius
        opacity = self.opacity * pressure if self.pressure_opacity else self.opacity
        return max(0.5, radius), opacity


def falloff(distance: np.ndarray, radius: float, hardness: float) -> np.ndarray:
    """Coverage 0…1 (float64) of a round tip at ``distance`` pixels from its centre."""
    outer = radius + 0.5
    inner = min(radius * hardness, radius - 0.5)
    t = np.clip((outer - distance) / (outer - inner), 0.0, 1.0)
    return t if outer - inner <= 1.0 + 1e-9 else t * t * (3.0 - 2.0 * t)


@lru_cache(maxsize=256)
def stamp(radius: float, hardness: float, shift_x: int = 0, shift_y: int = 0) -> Mask:
    """The (2n+1, 2n+1) uint8 tip, read-only. ``shift_*`` place its centre in 1/SUBPIXEL pixels right of and below the
    middle pixel's centre."""
    reach = math.ceil(radius + 0.5) + (1 if shift_x or shift_y else 0)
    axis = np.arange(-reach, reach + 1, dtype=np.float64)
    distance = np.hypot(axis[None, :] - shift_x / SUBPIXEL, axis[:, None] - shift_y / SUBPIXEL)
    tip = np.rint(falloff(distance, radius, hardness) * 255.0).astype(np.uint8)
    tip.setflags(write=False)
    return tip


@lru_cache(maxsize=64)
def _thinned(radius: float, hardness: float, shift_x: int, shift_y: int, level: int) -> Mask:
    tip = np.asarray(cv2.convertScaleAbs(stamp(radius, hardness, shift_x, shift_y), alpha=level / 255.0), np.uint8)
    tip.setflags(write=False)
    return tip


def _quantised(radius: float) -> float:
    """Radii in steps an eye can't tell apart, so that pen pressure still finds its stamps in the cache."""
    step = 0.25 if radius < 16 else 0.5 if radius < 64 else 2.0
    return max(0.5, round(radius / step) * step)


class Stroke:
    """One stroke on ``mask``, which is changed in place. Call :meth:`press`, then :meth:`move` for every event.

    ``touched`` collects the (column, row) tiles to store; :meth:`cancel` puts the matte back byte for byte.
    Positions are media pixels, the centre of the top left pixel being (0.5, 0.5).
    """

    def __init__(self, mask: Mask, brush: Brush) -> None:
        if mask.ndim != 2 or mask.dtype != np.uint8:
            raise ValueError(f"a matte is (H, W) uint8, got {mask.shape} {mask.dtype}")
        self.mask = mask
        self.brush = brush
        self.touched: set[tuple[int, int]] = set()
        self.dirty = EMPTY
        self.dabs = 0
        self._before = mask.copy()
        self._coverage = np.zeros_like(mask)
        self._frame = Rect(0, 0, mask.shape[1], mask.shape[0])
        self._x = self._y = 0.0
        self._pressure = 1.0
        self._left = 0.0

    def press(self, x: float, y: float, pressure: float = 1.0) -> Rect:
        """The first dab. Returns the rectangle of pixels that may have changed."""
        self._x, self._y, self._pressure = x, y, pressure
        radius, _ = self.brush.at(pressure)
        self._left = self._step(radius)
        return self._blend([self._dab(x, y, pressure)])

    def move(self, x: float, y: float, pressure: float = 1.0) -> Rect:
        """Dabs from the last position to here, evenly spaced, pressure interpolated. Returns what may have changed."""
        length = math.hypot(x - self._x, y - self._y)
        if length == 0.0:
            self._pressure = max(self._pressure, pressure)
            return EMPTY
        painted: list[Rect] = []
        travelled = self._left
        while travelled <= length:
            t = travelled / length
            force = self._pressure + (pressure - self._pressure) * t
            painted.append(self._dab(self._x + (x - self._x) * t, self._y + (y - self._y) * t, force))
            travelled += self._step(self.brush.at(force)[0])
        self._left = travelled - length
        self._x, self._y, self._pressure = x, y, pressure
        return self._blend(painted)

    def finish(self) -> Rect:
        """The last dab, so that a stroke ends where the pen was lifted."""
        return self._blend([self._dab(self._x, self._y, self._pressure)])

    def cancel(self) -> Rect:
        """Put the matte back as it was. Returns the rectangle that changed."""
        area = self.dirty
        if not area.empty:
            window = np.s_[area.y : area.bottom, area.x : area.right]
            self.mask[window] = self._before[window]
        self.touched.clear()
        self.dirty = EMPTY
        return area

    def _step(self, radius: float) -> float:
        return max(0.5, 2.0 * radius * self.brush.spacing)

    def _dab(self, x: float, y: float, pressure: float) -> Rect:
        """Join one dab to the coverage. Returns its rectangle clipped to the matte."""
        radius, opacity = self.brush.at(pressure)
        radius = _quantised(radius)
        x, y = x - 0.5, y - 0.5
        if radius < _SUBPIXEL_RADIUS:
            fine_x, fine_y = round(x * SUBPIXEL), round(y * SUBPIXEL)
            column, row = fine_x // SUBPIXEL, fine_y // SUBPIXEL
            shift_x, shift_y = fine_x % SUBPIXEL, fine_y % SUBPIXEL
        else:
            column, row, shift_x, shift_y = round(x), round(y), 0, 0
        level = round(255 * opacity)
        if level >= 255:
            tip = stamp(radius, self.brush.hardness, shift_x, shift_y)
        else:
            tip = _thinned(radius, self.brush.hardness, shift_x, shift_y, level)
        reach = tip.shape[0] // 2
        area = Rect(column - reach, row - reach, tip.shape[1], tip.shape[0])
        inside = area.intersected(self._frame)
        if inside.empty:
            return EMPTY
        target = self._coverage[inside.y : inside.bottom, inside.x : inside.right]
        source = tip[inside.y - area.y : inside.bottom - area.y, inside.x - area.x : inside.right - area.x]
        cv2.max(target, source, target)
        self.dabs += 1
        return inside

    def _blend(self, painted: list[Rect]) -> Rect:
        """Lay the coverage over the matte in the rectangles that got dabs."""
        painted = [r for r in painted if not r.empty]
        if not painted:
            return EMPTY
        whole = EMPTY
        for rect in painted:
            whole = whole.united(rect)
            self.touched.update(tiles_touching(rect, self._frame.width, self._frame.height))
        together = whole.width * whole.height <= sum(r.width * r.height for r in painted)
        for rect in [whole] if together else painted:
            window = np.s_[rect.y : rect.bottom, rect.x : rect.right]
            lay(self._before[window], self._coverage[window], self.mask[window], erase=self.brush.erase)
        self.dirty = self.dirty.united(whole)
        return whole


def lay(before: Mask, coverage: Mask, out: Mask, *, erase: bool = False) -> None:
    """``out`` = ``coverage`` over ``before`` (or taken away from it), all (H, W) uint8.

    Paint: 255 − (255 − before)(255 − coverage)/255; erase: before·(255 − coverage)/255, rounded to nearest. A product
    of two bytes over 255 never ends in one half, so single precision gives the exactly rounded value.
    """
    rest = cv2.bitwise_not(coverage)
    if erase:
        cv2.multiply(before, rest, out, scale=1.0 / 255.0)
    else:
        cv2.multiply(cv2.bitwise_not(before), rest, out, scale=1.0 / 255.0)
        cv2.bitwise_not(out, out)
