"""Mattes in OpenEXR files, through the official library: layers in, layers out.

Coverage is not colour: channels that carry a matte hold 0 (outside) … 1 (inside) as it is, without any transfer.
A file of ours has one layer per object (``dog.A``) and, for programs that look at the main layer only, the combined
matte as ``Y``, or as ``A`` beside the picture's ``R``, ``G``, ``B``. Half floats hold every 8-bit matte exactly:
round(half(v / 255) · 255) = v for v in 0…255.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.media.exr_header import ExrPart, read_headers

Plane = NDArray[np.float32]
"""(H, W) float32."""
ATTRIBUTE = "gen2studio_mattes"
"""String attribute of our files: JSON {"layers": {layer: object name}}."""
_MAIN = frozenset({"R", "G", "B", "A", "Y", "RY", "BY", "Z", "ZBack"})
"""Channel names that belong to the main layer; any other single name is a layer of its own."""
_REC709 = (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329)


@dataclass(frozen=True, slots=True)
class ExrLayer:
    """Channels that belong together. ``channels`` holds (last part of the name, part index, full name)."""

    name: str
    """Empty for the main layer."""
    title: str
    """What to call the object."""
    channels: tuple[tuple[str, int, str], ...]


@dataclass(frozen=True, slots=True)
class ExrInfo:
    """What a file offers."""

    extent: Extent
    """Of the display window."""
    layers: tuple[ExrLayer, ...]
    ours: bool = False


def exr_info(path: Path) -> ExrInfo:
    """The layers of a file, from its headers alone. Raises MediaError."""
    return _info(read_headers(path))


def _info(parts: tuple[ExrPart, ...]) -> ExrInfo:
    leading = next(iter(parts))
    titles = _titles(leading)
    grouped: dict[str, list[tuple[str, int, str]]] = {}
    clashes = _clashing(parts)
    for index, part in enumerate(parts):
        for channel in part.channels:
            if channel.subsampled:
                continue
            layer, _, last = channel.name.rpartition(".")
            if not layer and last not in _MAIN:
                layer, last = last, "A"
            if len(parts) > 1 and part.name and (not layer or layer in clashes):
                layer = part.name if not layer else f"{part.name}.{layer}"
            grouped.setdefault(layer, []).append((last, index, channel.name))
    first = leading.display
    layers = tuple(
        ExrLayer(name, titles.get(name, name.replace("_", " ").strip()), tuple(channels))
        for name, channels in grouped.items()
    )
    ordered = sorted(layers, key=lambda layer: list(titles).index(layer.name) if layer.name in titles else -1)
    return ExrInfo(Extent(first[2] - first[0], first[3] - first[1]), tuple(ordered), bool(titles))


def _clashing(parts: tuple[ExrPart, ...]) -> set[str]:
    """Layer names that more than one part uses."""
    seen: dict[str, int] = {}
    clashes: set[str] = set()
    for index, part in enumerate(parts):
        for channel in part.channels:
            layer = channel.name.rpartition(".")[0]
            if seen.setdefault(layer, index) != index:
                clashes.add(layer)
    return clashes


def _titles(part: ExrPart) -> dict[str, str]:
    """Layer → object name, as our own files say."""
    try:
        parsed: Any = json.loads(dict(part.text).get(ATTRIBUTE, "{}"))
    except ValueError:
        return {}
    layers: Any = cast("dict[str, Any]", parsed).get("layers") if isinstance(parsed, dict) else None
    if not isinstance(layers, dict):
        return {}
    found = cast("dict[object, object]", layers)
    return {k: v for k, v in found.items() if isinstance(k, str) and isinstance(v, str) and v.strip()}


def read_exr(path: Path) -> tuple[ExrInfo, dict[str, dict[str, Plane]]]:
    """What a file offers, and layer → channel (``A``, ``R``, …) → plane of the display window's size.

    Pixels outside the data window are 0; NaN counts as 0. Raises MediaError.
    """
    import OpenEXR

    parts = read_headers(path)
    info = _info(parts)
    try:
        with OpenEXR.File(str(path), separate_channels=True, num_threads=0) as file:
            stored = [{name: channel.pixels for name, channel in part.channels.items()} for part in file.parts]
    except (RuntimeError, ValueError, TypeError, MemoryError) as error:
        raise _damaged(path) from error
    if len(stored) != len(parts):
        raise _damaged(path)
    planes: dict[str, dict[str, Plane]] = {}
    for layer in info.layers:
        own: dict[str, Plane] = {}
        for last, index, full in layer.channels:
            pixels = stored[index].get(full)
            if pixels is None:
                raise _damaged(path)
            own[last] = _placed(np.asarray(pixels), parts[index], info.extent, path)
        planes[layer.name] = own
    return info, planes


def _damaged(path: Path) -> MediaError:
    return MediaError(f"The pixels of “{path.name}” are damaged.", "Copy it again, or render it anew.")


def _placed(pixels: NDArray[Any], part: ExrPart, extent: Extent, path: Path) -> Plane:
    """The data window's pixels where they lie in the display window."""
    height, width = part.data[3] - part.data[1], part.data[2] - part.data[0]
    if pixels.shape != (height, width):
        raise _damaged(path)
    values = np.nan_to_num(pixels.astype(np.float32), nan=0.0, posinf=1e30, neginf=-1e30)
    if part.data == part.display and (width, height) == (extent.width, extent.height):
        return values
    out = np.zeros((extent.height, extent.width), np.float32)
    x, y = part.data[0] - part.display[0], part.data[1] - part.display[1]
    left, top = max(0, x), max(0, y)
    right, bottom = min(extent.width, x + width), min(extent.height, y + height)
    if right > left and bottom > top:
        out[top:bottom, left:right] = values[top - y : bottom - y, left - x : right - x]
    return out


def layer_names(names: Sequence[str]) -> list[str]:
    """Layer names for objects of these names: letters, digits and underscores, each one once."""
    taken: set[str] = set()
    out: list[str] = []
    for name in names:
        plain = re.sub(r"\W+", "_", name).strip("_") or "matte"
        if plain[0].isdigit() or plain in _MAIN:
            plain = f"matte_{plain}"
        unique = next(n for n in (plain, *(f"{plain}_{k}" for k in range(2, 10_000))) if n.lower() not in taken)
        taken.add(unique.lower())
        out.append(unique)
    return out


def write_exr(
    path: Path,
    layers: Sequence[tuple[str, NDArray[np.uint8]]],
    combined: NDArray[np.uint8],
    *,
    colour: NDArray[np.float32] | None = None,
    float32: bool = False,
    rate: Fraction | None = None,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write one frame: every object's (H, W) uint8 matte as ``<layer>.A``, the combined one as ``Y`` or ``A``.

    ``layers`` is (object name, matte), in order. ``colour`` is (H, W, 3) float32, stored as it is given. ZIP
    compression, half floats unless ``float32``. Raises OSError when the file can't be written.
    """
    import OpenEXR

    kind = np.float32 if float32 else np.float16
    names = layer_names([name for name, _ in layers])
    channels: dict[str, NDArray[Any]] = {}
    if colour is not None:
        for index, name in enumerate("RGB"):
            channels[name] = np.ascontiguousarray(colour[..., index]).astype(kind)
    channels["A" if colour is not None else "Y"] = _coverage(combined, kind)
    for name, (_, matte) in zip(names, layers, strict=True):
        channels[f"{name}.A"] = _coverage(matte, kind)
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        ATTRIBUTE: _titles_text(names, [name for name, _ in layers]),
        **dict(text or {}),
    }
    if rate:
        header["framesPerSecond"] = rate
    if colour is not None:
        header["chromaticities"] = _REC709
    _save(path, header, channels)


def write_picture(
    path: Path,
    picture: NDArray[np.uint8] | NDArray[np.uint16],
    *,
    rate: Fraction | None = None,
    text: Mapping[str, str] | None = None,
) -> None:
    """Write one frame as scene-linear half floats with BT.709 primaries, ZIP compression.

    ``picture`` is (H, W, 3) RGB or (H, W, 4) RGBA display code values with straight alpha; the file's colour is
    premultiplied, as OpenEXR has it ("Technical Introduction to OpenEXR"). ``text`` become string attributes. Raises
    OSError when the file can't be written.
    """
    import OpenEXR

    top = np.iinfo(picture.dtype).max
    light = linear_light(picture[..., :3].astype(np.float32) / np.float32(top))
    channels: dict[str, NDArray[Any]] = {}
    if picture.shape[2] == 4:
        alpha = picture[..., 3].astype(np.float32) / np.float32(top)
        light = light * alpha[..., None]
        channels["A"] = alpha.astype(np.float16)
    for index, name in enumerate("RGB"):
        channels[name] = np.ascontiguousarray(light[..., index]).astype(np.float16)
    header: dict[str, Any] = {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        "chromaticities": _REC709,
        **dict(text or {}),
    }
    if rate:
        header["framesPerSecond"] = rate
    _save(path, header, channels)


def _save(path: Path, header: dict[str, Any], channels: dict[str, NDArray[Any]]) -> None:
    import OpenEXR

    # Packed in memory: the library does not tell a full disk from other trouble, the system does.
    packed = io.BytesIO()
    try:
        with OpenEXR.File(header, channels, num_threads=0) as file:
            file.write(packed)
    except (RuntimeError, ValueError) as error:
        raise OSError(f"OpenEXR: {error}") from error
    path.write_bytes(packed.getvalue())


def _titles_text(layers: Sequence[str], names: Sequence[str]) -> str:
    return json.dumps({"layers": dict(zip(layers, names, strict=True))}, ensure_ascii=False)


def _coverage(matte: NDArray[np.uint8], kind: type[np.float16] | type[np.float32]) -> NDArray[Any]:
    table = (np.arange(256, dtype=np.float64) / 255).astype(kind)
    return table[matte]


def linear_light(code: NDArray[np.float32]) -> NDArray[np.float32]:
    """Display code values 0…1 to scene-linear light by the sRGB curve (IEC 61966-2-1), as stills are read back."""
    value = np.asarray(code, np.float32)
    low = value <= 0.04045
    return np.where(low, value / 12.92, np.power((np.maximum(value, 0.04045) + 0.055) / 1.055, 2.4)).astype(np.float32)
