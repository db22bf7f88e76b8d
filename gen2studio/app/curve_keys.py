"""Changing several keys of a curve at once: pure functions ``Curve → Curve``.

Keys are named by their frames. What moves onto another key takes its place; the curve keeps its value without keys.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from gen2studio.core.curve import Curve, CurveKey, Ease

Handle = tuple[float, float]


def changed(curve: Curve, frames: Collection[int], change: Callable[[CurveKey], CurveKey]) -> tuple[Curve, list[int]]:
    """``change`` made on the keys on ``frames``; also the frames that these keys have now, in order."""
    moved = [change(key) for key in curve.keys if key.frame in frames]
    taken = {key.frame: key for key in moved}
    kept = [key for key in curve.keys if key.frame not in frames and key.frame not in taken]
    keys = tuple(sorted([*kept, *taken.values()], key=lambda key: key.frame))
    return Curve(curve.value, keys), sorted(taken)


def moved(
    curve: Curve,
    frames: Collection[int],
    frame_of: Callable[[int], int],
    value_of: Callable[[float], float],
) -> tuple[Curve, list[int]]:
    """The keys on ``frames`` at other frames and values; their handles go along."""

    def change(key: CurveKey) -> CurveKey:
        return CurveKey(frame_of(key.frame), value_of(key.value), key.ease, key.in_handle, key.out_handle)

    return changed(curve, frames, change)


def without(curve: Curve, frames: Collection[int]) -> Curve:
    """Without these keys; the last one that goes leaves its value."""
    left = tuple(key for key in curve.keys if key.frame not in frames)
    if not left and curve.keys:
        return Curve(curve.keys[0].value)
    return Curve(curve.value, left)


def joined(curve: Curve, keys: Iterable[CurveKey]) -> Curve:
    """With these keys in place of those on their frames."""
    fresh = {key.frame: key for key in keys}
    kept = [key for key in curve.keys if key.frame not in fresh]
    return Curve(curve.value, tuple(sorted([*kept, *fresh.values()], key=lambda key: key.frame)))


def eased(curve: Curve, frames: Collection[int], ease: Ease) -> Curve:
    """The stretches after the keys on ``frames`` with another easing. A stretch that becomes a Bézier keeps its shape:
    handles as long as a third of it, level where it was smooth, along it where it was straight."""
    keys = list(curve.keys)
    for index, key in enumerate(keys):
        if key.frame not in frames:
            continue
        if ease is Ease.BEZIER and key.ease is not Ease.BEZIER and index + 1 < len(keys):
            right = keys[index + 1]
            span = (right.frame - key.frame) / 3
            rise = 0.0 if key.ease in (Ease.SMOOTH, Ease.HOLD) else (right.value - key.value) / 3
            keys[index] = replace(key, ease=ease, out_handle=(span, rise))
            keys[index + 1] = replace(right, in_handle=(-span, -rise))
        else:
            keys[index] = replace(key, ease=ease)
    return Curve(curve.value, tuple(keys))


def with_handle(curve: Curve, frame: int, *, out: bool, handle: Handle, aligned: bool) -> Curve:
    """One handle of a key elsewhere. With ``aligned`` the other one turns along and keeps its length in frames, so that
    the curve has no corner there. Handles stay on their side, and inside their stretch."""
    index = next((i for i, key in enumerate(curve.keys) if key.frame == frame), None)
    if index is None:
        return curve
    key = curve.keys[index]
    handle = _inside(curve, index, out, handle)
    fields: dict[str, Handle] = {"out_handle" if out else "in_handle": handle}
    other = key.in_handle if out else key.out_handle
    if aligned and other[0] and handle[0]:
        fields["in_handle" if out else "out_handle"] = (other[0], handle[1] / handle[0] * other[0])
    keys = list(curve.keys)
    keys[index] = replace(key, **fields)
    return Curve(curve.value, tuple(keys))


def _inside(curve: Curve, index: int, out: bool, handle: Handle) -> Handle:
    neighbour = index + 1 if out else index - 1
    if not 0 <= neighbour < len(curve.keys):
        return handle
    span = curve.keys[neighbour].frame - curve.keys[index].frame
    low, high = (0, span) if out else (span, 0)
    return (min(max(handle[0], low), high), handle[1])


def has_out_handle(curve: Curve, index: int) -> bool:
    """Whether the key's handle to the right is in use."""
    return curve.keys[index].ease is Ease.BEZIER and index + 1 < len(curve.keys)


def has_in_handle(curve: Curve, index: int) -> bool:
    """Whether the key's handle to the left is in use."""
    return index > 0 and curve.keys[index - 1].ease is Ease.BEZIER
