"""JSON form of curves: a number while there are no keys, else ``{"value", "keys"}``. The pair is lossless."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, cast

from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document.codec_reader import BIGGEST, Node, complain, integer

MOST_KEYS = 1_000_000
"""No curve of a project has more keys: an hour of 120 frames a second with a key on each has less than half of them."""
_FAR = 1e9
"""Handles reach no farther than this many frames, or units of the value."""


def encode_curve(curve: Curve) -> Any:
    """``1.0``, or ``{"value": 1.0, "keys": [[frame, value, ease, handles in, handles out], …]}``; a key that is linear
    and has no handles is written as ``[frame, value]``."""
    if not curve.keys:
        return curve.value
    return {"value": curve.value, "keys": [_encode_key(key) for key in curve.keys]}


def _encode_key(key: CurveKey) -> list[Any]:
    handles = (*key.in_handle, *key.out_handle)
    if any(handles):
        return [key.frame, key.value, key.ease.value, *handles]
    return [key.frame, key.value] if key.ease is Ease.LINEAR else [key.frame, key.value, key.ease.value]


def decode_curve(data: Any, low: float, high: float, where: str) -> Curve:
    """The curve that :func:`encode_curve` wrote, with every value in ``low``…``high``. Raises ProjectError."""
    if not isinstance(data, dict):
        return Curve(_number(data, low, high, where))
    node = Node(cast("dict[str, Any]", data), where)
    written = node.listing("keys")
    if len(written) > MOST_KEYS:
        complain(where, "has too many keys")
    keys = tuple(_key(item, low, high, where) for item in written)
    if any(right.frame <= left.frame for left, right in pairwise(keys)):
        complain(where, "has keys that are not in order")
    return Curve(node.number("value", low, high), keys)


def curve_of(node: Node, key: str, low: float, high: float, default: float) -> Curve:
    """The curve under ``key`` of an object, or ``Curve(default)`` where there is none. Raises ProjectError."""
    data = node.raw(key, None)
    return Curve(default) if data is None else decode_curve(data, low, high, f"the {key} of {node.where}")


def _key(item: Any, low: float, high: float, where: str) -> CurveKey:
    if not isinstance(item, list) or len(cast("list[Any]", item)) not in (2, 3, 7):
        complain(where, "has a key that can't be read")
    values = cast("list[Any]", item)
    frame = integer(values[0], -BIGGEST, BIGGEST, where, "key")
    value = _number(values[1], low, high, where)
    try:
        ease = Ease(values[2]) if len(values) > 2 else Ease.LINEAR
    except ValueError:
        complain(where, "has a key with an unknown easing")
    if len(values) < 7:
        return CurveKey(frame, value, ease)
    handles = [_number(each, -_FAR, _FAR, where) for each in values[3:]]
    return CurveKey(frame, value, ease, (handles[0], handles[1]), (handles[2], handles[3]))


def _number(value: Any, low: float, high: float, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        complain(where, "has no valid value")
    if not low <= value <= high:
        complain(where, "has a value out of range")
    return float(value)
