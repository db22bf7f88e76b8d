"""Jobs as JSON and back, paths included: what the queue's journal writes.

(The recipe's canonical form leaves hints such as paths out.)
"""

from __future__ import annotations

import dataclasses
import enum
from fractions import Fraction
from typing import Any

from gen2studio.core.geometry import Rect
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.engine import requests

_TYPES: dict[str, type] = {
    cls.__name__: cls
    for cls in (
        requests.SourceRef, requests.BlobRef, requests.KeyRef, requests.MaskTrackRef, requests.PatternRef,
        requests.ControlValues, requests.GenerateRequest, requests.AnchorTrack, requests.PropagateRequest,
        requests.SegmentRequest, requests.Job, requests.CameraMove, requests.MotionRegionRef, requests.DepthPassRef,
        requests.AdapterRef, requests.WordRef, requests.LeadRef, requests.TrainingImageRef, requests.TrainingClipRef,
        requests.TrainRequest,
        requests.OperateRequest, requests.Levels, requests.Reuse, Rect, MaskRaster, MaskShape, ShapePoint, Refinement,
        Keyed,
    )
}  # fmt: skip


def encode(value: Any) -> Any:
    """Plain JSON data of a request value. Raises TypeError for anything a request does not hold."""
    if isinstance(value, enum.Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, Fraction):
        return {"fraction": f"{value.numerator}/{value.denominator}"}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if dataclasses.is_dataclass(value) and type(value).__name__ in _TYPES:
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": type(value).__name__, **fields}
    raise TypeError(f"{type(value).__name__} is not part of a request")


def decode(data: Any) -> Any:
    """The value that :func:`encode` was given. Unknown fields are dropped; raises ValueError for unknown types."""
    if isinstance(data, list):
        return tuple(decode(item) for item in data)
    if isinstance(data, dict):
        if "fraction" in data:
            return Fraction(str(data["fraction"]))
        cls = _TYPES.get(str(data.get("type")))
        if cls is None:
            raise ValueError(f"unknown part of a request: {data.get('type')}")
        names = {f.name for f in dataclasses.fields(cls)}
        values = {name: decode(item) for name, item in data.items() if name in names}
        if cls is requests.Job:
            values["lane"] = requests.Lane(values["lane"])
        try:
            return cls(**values)
        except TypeError as error:
            raise ValueError(str(error)) from error
    return data


def decode_recipe(data: Any) -> Any:
    """The value whose canonical form (:func:`gen2studio.core.hashing.canonical_json`) ``data`` is.

    Hints such as paths are not in it and come back empty; fields that were not there when it was written come back as
    they begin, unknown ones are dropped. Raises ValueError for anything that is no part of a request.
    """
    if isinstance(data, list):
        return tuple(decode_recipe(item) for item in data)
    if not isinstance(data, dict):
        return data
    if set(data) == {"f"}:
        return float.fromhex(str(data["f"]))
    if set(data) == {"q"}:
        return Fraction(str(data["q"]))
    cls = _TYPES.get(str(data.get("t")))
    if cls is None:
        raise ValueError(f"unknown part of a request: {data.get('t')}")
    values: dict[str, Any] = {}
    for f in dataclasses.fields(cls):
        if f.name in data:
            values[f.name] = decode_recipe(data[f.name])
        elif not f.compare and f.default is dataclasses.MISSING:
            values[f.name] = ""
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(str(error)) from error
