"""Which frames and values the curve editor's graph shows, and where they lie on the widget."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainterPath

from gen2studio.app.clip_curves import CurveKind, NamedCurve
from gen2studio.core.curve import CurveKey, Ease

if TYPE_CHECKING:
    from numpy.typing import NDArray

Reach: TypeAlias = "NDArray[np.float64]"
"""(n,) float64."""
MIN_PPF, MAX_PPF = 0.002, 200.0
_PADDING = 0.1
"""Of the range of values, left free above and below."""
LEFT, TOP, RIGHT, BOTTOM = 54, 24, 12, 10
"""Pixels around the graph: values stand on the left, the ruler above."""


class GraphView:
    """Frames are those of the sequence. Each curve has a range of values of its own over the same height."""

    def __init__(self) -> None:
        self.width, self.height = 200, 100
        self.ppf = 4.0
        self.first = 0.0
        """The frame at the graph's left edge."""
        self.ranges: dict[str, tuple[float, float]] = {}
        self._arrays: dict[str, tuple[tuple[CurveKey, ...], Reach, Reach]] = {}

    @property
    def inner_width(self) -> float:
        return max(1.0, self.width - LEFT - RIGHT)

    @property
    def inner_height(self) -> float:
        return max(1.0, self.height - TOP - BOTTOM)

    @property
    def last(self) -> float:
        return self.first + self.inner_width / self.ppf

    def x(self, frame: float) -> float:
        return LEFT + (frame - self.first) * self.ppf

    def frame(self, x: float) -> float:
        return self.first + (x - LEFT) / self.ppf

    def range_of(self, kind: CurveKind) -> tuple[float, float]:
        return self.ranges.get(kind.name, padded(*kind.usual))

    def y(self, kind: CurveKind, value: float) -> float:
        low, high = self.range_of(kind)
        return TOP + (high - value) / (high - low) * self.inner_height

    def value(self, kind: CurveKind, y: float) -> float:
        low, high = self.range_of(kind)
        return high - (y - TOP) / self.inner_height * (high - low)

    def rise(self, kind: CurveKind, pixels: float) -> float:
        """The change of value that ``pixels`` downwards are."""
        low, high = self.range_of(kind)
        return -pixels / self.inner_height * (high - low)

    # -- moving it ----------------------------------------------------------------------------------------------------

    def fit(self, start: float, stop: float, curves: Iterable[NamedCurve]) -> None:
        """Show frames [start, stop] and every value of the curves."""
        self.ppf = min(max(self.inner_width / max(1.0, (stop - start) * 1.04), MIN_PPF), MAX_PPF)
        self.first = start - (self.inner_width / self.ppf - (stop - start)) / 2
        for each in curves:
            self.ranges[each.name] = fitted_range(each)

    def zoom(self, factor: float, x: float) -> None:
        """Magnify time while the frame at ``x`` stays there."""
        frame = self.frame(x)
        self.ppf = min(max(self.ppf * factor, MIN_PPF), MAX_PPF)
        self.first = frame - (x - LEFT) / self.ppf

    def zoom_values(self, factor: float, y: float, kinds: Iterable[CurveKind]) -> None:
        """Magnify values while those at ``y`` stay there."""
        for kind in kinds:
            low, high = self.range_of(kind)
            about = self.value(kind, y)
            span = min(max((high - low) / factor, 1e-4), 1e6) / (high - low)
            self.ranges[kind.name] = (about - (about - low) * span, about + (high - about) * span)

    def pan(self, dx: float, dy: float, kinds: Iterable[CurveKind]) -> None:
        """Move what is shown by pixels."""
        self.first -= dx / self.ppf
        for kind in kinds:
            low, high = self.range_of(kind)
            shift = dy / self.inner_height * (high - low)
            self.ranges[kind.name] = (low + shift, high + shift)

    # -- drawing ------------------------------------------------------------------------------------------------------

    def point(self, each: NamedCurve, frame: float, value: float) -> QPointF:
        """Where a frame of the curve and a value lie."""
        return QPointF(self.x(each.to_sequence_frame(frame)), self.y(each.kind, value))

    def key_point(self, each: NamedCurve, key: CurveKey) -> QPointF:
        return self.point(each, key.frame, key.value)

    def seen(self, each: NamedCurve, start: float, stop: float) -> range:
        """Indices of the keys that lie between two widget positions."""
        frames = sorted(each.from_sequence_frame(self.frame(x)) for x in (start, stop))
        keys = each.curve.keys
        first = bisect_left(keys, frames[0], key=lambda key: key.frame)
        return range(first, bisect_right(keys, frames[1], key=lambda key: key.frame))

    def crowded(self, each: NamedCurve) -> bool:
        """Whether keys in view stand closer than they can be told apart: their pictures are 11 pixels wide."""
        return len(self.seen(each, LEFT, self.width)) * 8 > self.inner_width

    def path(self, each: NamedCurve) -> QPainterPath:
        """The curve over the whole width. Every easing is exactly a line, a step or one cubic: nothing is sampled. It
        is drawn with pens of one pixel, for which Qt takes a path as it comes; wider ones take far longer. Of a
        :meth:`crowded` curve see :meth:`columns`."""
        inside = self.seen(each, LEFT, self.width)
        keys = each.curve.keys[max(0, inside.start - 1) : inside.stop + 1]
        left, right = float(LEFT), LEFT + self.inner_width
        if not keys:
            y = self.y(each.kind, each.curve.at(0))
            path = QPainterPath(QPointF(left, y))
            path.lineTo(right, y)
            return path
        low, high = self.range_of(each.kind)
        scale, top = self.inner_height / (high - low), TOP
        points = [(self.x(each.to_sequence_frame(key.frame)), top + (high - key.value) * scale) for key in keys]
        # A clip that plays backwards shows its media's last key first.
        backwards = points[0][0] > points[-1][0]
        near, far = (right, left) if backwards else (left, right)
        (x, y), (end, level) = points[0], points[-1]
        path = QPainterPath()
        if x < near if backwards else x > near:
            path.moveTo(near, y)
            path.lineTo(x, y)
        else:
            path.moveTo(x, y)
        for index, (x1, y1) in enumerate(points[1:]):
            ease = keys[index].ease
            if ease is Ease.SMOOTH:
                third = (x1 - x) / 3
                path.cubicTo(x + third, y, x1 - third, y1, x1, y1)
            elif ease is Ease.BEZIER:
                path.cubicTo(*self.controls(each, keys[index], keys[index + 1]), QPointF(x1, y1))
            else:
                if ease is Ease.HOLD:
                    path.lineTo(x1, y)
                path.lineTo(x1, y1)
            x, y = x1, y1
        if end > far if backwards else end < far:
            path.lineTo(far, level)
        return path

    def columns(self, each: NamedCurve, ratio: float = 1.0) -> tuple[Reach, Reach]:
        """A crowded curve, for each column of pixels from the widget's left edge on: (top, bottom) y of what its keys
        and the lines between them reach, at ``ratio`` pixels to one of the widget's. Thousands of keys cost what the
        widget's width does."""
        frames, values = self._numbers(each)
        # Where frames lie is a straight line, whichever way and however fast the clip plays.
        at, step = self.x(each.to_sequence_frame(0)), self.x(each.to_sequence_frame(1))
        x = (at + (step - at) * frames) * ratio
        low, high = self.range_of(each.kind)
        y = (TOP + (high - values) * (self.inner_height / (high - low))) * ratio
        if x[0] > x[-1]:
            x, y = x[::-1], y[::-1]
        count = max(1, round(self.width * ratio))
        edges = np.interp(np.arange(count + 1), x, y)
        top, bottom = np.minimum(edges[:-1], edges[1:]), np.maximum(edges[:-1], edges[1:])
        column = np.floor(x).astype(np.int64)
        first, last = np.searchsorted(column, 0), np.searchsorted(column, count)
        if last > first:
            seen, starts = np.unique(column[first:last], return_index=True)
            reached = y[first:last]
            top[seen] = np.minimum(top[seen], np.minimum.reduceat(reached, starts))
            bottom[seen] = np.maximum(bottom[seen], np.maximum.reduceat(reached, starts))
        return top, bottom

    def _numbers(self, each: NamedCurve) -> tuple[Reach, Reach]:
        """Frames and values of a curve's keys, kept while they stay the same."""
        keys = each.curve.keys
        known = self._arrays.get(each.name)
        if known is None or known[0] is not keys:
            numbers = np.array([(key.frame, key.value) for key in keys], np.float64)
            known = self._arrays[each.name] = keys, numbers[:, 0], numbers[:, 1]
        return known[1], known[2]

    def controls(self, each: NamedCurve, left: CurveKey, right: CurveKey) -> tuple[QPointF, QPointF]:
        """Where the two handles of a Bézier stretch lie, clamped as :mod:`gen2studio.core.curve` clamps them."""
        span = right.frame - left.frame
        out = min(max(left.out_handle[0], 0.0), span)
        back = max(min(right.in_handle[0], 0.0), -span)
        return (
            self.point(each, left.frame + out, left.value + left.out_handle[1]),
            self.point(each, right.frame + back, right.value + right.in_handle[1]),
        )


def padded(low: float, high: float) -> tuple[float, float]:
    room = (high - low) * _PADDING
    return low - room, high + room


def fitted_range(each: NamedCurve) -> tuple[float, float]:
    """The usual range of a curve, wider where its values need it; narrower around keys that use little of it."""
    values = [key.value for key in each.curve.keys] or [each.curve.value]
    for index, key in enumerate(each.curve.keys):
        values += [key.value + key.out_handle[1]] if key.ease is Ease.BEZIER else []
        values += [key.value + key.in_handle[1]] if index and each.curve.keys[index - 1].ease is Ease.BEZIER else []
    low, high = each.kind.usual
    return padded(min(low, *values), max(high, *values)) if values else padded(low, high)


def steps(low: float, high: float, room: float, least: float) -> list[float]:
    """Round numbers in [low, high] that are at least ``least`` pixels apart over ``room`` pixels (1, 2, 5 × 10ⁿ)."""
    if high <= low or room <= 0:
        return []
    wanted = (high - low) * least / room
    power = 10.0 ** math.floor(math.log10(wanted))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted * 0.999)
    first = math.ceil(low / step)
    return [n * step for n in range(first, math.floor(high / step) + 1)]
