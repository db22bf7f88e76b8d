"""JSON forms of mask shapes and of the refine stack. Each pair is lossless."""

from __future__ import annotations

import dataclasses
from typing import Any

from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import KINDS, OPERATIONS, MaskShape, ShapePoint
from gen2studio.document.codec_reader import BIGGEST, SIDE, Node, complain, integer

Json = dict[str, Any]

_FAR = 4.0 * SIDE
"""No point or handle lies further out than this, in pixels."""
_POINTS = 4096
"""No shape has more points."""
_RANGES: dict[str, tuple[float, float]] = {
    "despeckle": (0, BIGGEST), "fill_holes": (0, BIGGEST), "border_fix": (0, 64), "chatter": (0, 8), "edge": (0, 64),
    "edge_detail": (0, 1), "grow": (-64, 64), "feather": (0, 64), "decontaminate": (0, 1),
}  # fmt: skip
_KEYED = ("grow", "feather", "decontaminate")


def encode_keyed(number: Keyed) -> Any:
    """A plain number, or [value, [[frame, value], …]]."""
    return [number.value, [list(key) for key in number.keys]] if number.keys else number.value


def decode_keyed(data: Any, low: float, high: float, where: str, key: str) -> Keyed:
    if not isinstance(data, list):
        return Keyed(_number(data, low, high, where, key))
    if len(data) != 2 or not isinstance(data[1], list):
        complain(where, f"has no valid {key}")
    keys: list[tuple[int, float]] = []
    for item in data[1]:
        if not isinstance(item, list) or len(item) != 2:
            complain(where, f"has no valid {key}")
        frame = integer(item[0], 0, BIGGEST, where, key)
        if keys and frame <= keys[-1][0]:
            complain(where, f"has keys of {key} out of order")
        keys.append((frame, _number(item[1], low, high, where, key)))
    return Keyed(_number(data[0], low, high, where, key), tuple(keys))


def encode_refinement(refinement: Refinement) -> Json:
    """Only what differs from a stack that does nothing."""
    idle = Refinement()
    return {
        field.name: encode_keyed(value) if isinstance(value, Keyed) else value
        for field in dataclasses.fields(refinement)
        if (value := getattr(refinement, field.name)) != getattr(idle, field.name)
    }


def decode_refinement(node: Node) -> Refinement:
    given: dict[str, Any] = {}
    for key, (low, high) in _RANGES.items():
        if key not in node.data:
            continue
        if key in _KEYED:
            given[key] = decode_keyed(node.data[key], low, high, node.where, key)
        else:
            given[key] = node.number(key, low, high)
    return Refinement(enabled=node.flag("enabled", True), **given)


def encode_shape(shape: MaskShape) -> Json:
    return {
        "id": shape.id,
        "name": shape.name,
        "kind": shape.kind,
        "operation": shape.operation,
        "visible": shape.visible,
        "start": shape.start,
        "stop": shape.stop,
        "keys": [[frame, [list(_coordinates(point)) for point in points]] for frame, points in shape.keys],
    }


def decode_shape(node: Node) -> MaskShape:
    kind, operation = node.text("kind"), node.text("operation")
    if kind not in KINDS or operation not in OPERATIONS:
        complain(node.where, "is of an unknown kind")
    keys: list[tuple[int, tuple[ShapePoint, ...]]] = []
    for item in node.listing("keys"):
        if not isinstance(item, list) or len(item) != 2 or not isinstance(item[1], list):
            complain(node.where, "has a broken key")
        frame = integer(item[0], 0, BIGGEST, node.where, "key")
        if keys and frame <= keys[-1][0]:
            complain(node.where, "has keys out of order")
        points = tuple(_point(data, node.where) for data in item[1])
        if len(points) > _POINTS or (keys and len(points) != len(keys[0][1])):
            complain(node.where, "has keys of different numbers of points")
        keys.append((frame, points))
    if not keys:
        complain(node.where, "has no points")
    return MaskShape(
        id=node.ident("id"),
        name=node.text("name"),
        kind=kind,
        operation=operation,
        visible=node.flag("visible"),
        start=node.optional_integer("start"),
        stop=node.optional_integer("stop"),
        keys=tuple(keys),
    )


def _coordinates(point: ShapePoint) -> tuple[float, ...]:
    return (point.x, point.y, point.in_x, point.in_y, point.out_x, point.out_y, point.feather)


def _point(data: Any, where: str) -> ShapePoint:
    if not isinstance(data, list) or len(data) != 7:
        complain(where, "has a broken point")
    return ShapePoint(*(_number(value, -_FAR, _FAR, where, "point") for value in data))


def _number(value: Any, low: float, high: float, where: str, key: str) -> float:
    return Node({key: value}, where).number(key, low, high)
