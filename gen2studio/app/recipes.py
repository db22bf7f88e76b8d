"""Recipes: the canonical JSON of a request, read back as a look or as that request."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from functools import lru_cache
from typing import Any, cast

from gen2studio.app.planning_levels import curve_of
from gen2studio.app.reframing import of_rooms
from gen2studio.core.errors import GenerationError
from gen2studio.core.geometry import Extent
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document.look import (
    AdapterUse,
    Camera,
    Controls,
    Fill,
    Look,
    Mode,
    MotionRegion,
    Outpaint,
    PaintedKey,
    Pattern,
    Region,
    StructureSource,
    StyleImage,
)
from gen2studio.engine.request_codec import decode_recipe
from gen2studio.engine.requests import GenerateRequest, Levels

AdapterIds = Callable[[str], str]
"""SHA-256 of an adapter's file → its id in the library, or empty."""


def look_of_recipe(recipe_json: str, adapter_ids: AdapterIds | None = None) -> Look:
    """The look a recipe (of a take or an exported file) was made with. Raises GenerationError.

    A recipe names what it used by content: its mask comes back as "all objects", a depth pass has to be chosen again,
    and adapters come back when ``adapter_ids`` finds them in the library.
    """
    recipe = read_recipe(recipe_json)
    try:
        controls = recipe.get("controls") or {}
        pattern = recipe.get("pattern")
        camera = recipe.get("camera") or {}
        source = StructureSource(recipe.get("structure_source", "auto"))
        adapters = ((adapter_ids(str(a["digest"])), a) for a in recipe.get("adapters", ())) if adapter_ids else ()
        look = Look(
            mode=Mode(recipe["mode"]),
            generator=str(recipe["generator"]),
            preset=str(recipe.get("preset", "")),
            styles=tuple(
                StyleImage(digest=str(s["digest"]), weight=float(s.get("weight", 1.0)))
                for s in recipe.get("styles", ())
            ),
            keys=tuple(
                PaintedKey(frame=int(k["frame"]), digest=str(k["blob"]["digest"])) for k in recipe.get("keys", ())
            ),
            pattern=None
            if pattern is None
            else Pattern(
                kind=str(pattern["kind"]),
                base=_colour(pattern["base"]),
                ink=_colour(pattern["ink"]),
                scale=float(pattern.get("scale", 1.0)),
                swatch=str((pattern.get("swatch") or {}).get("digest", "")),
            ),
            prompt=str(recipe.get("prompt", "")),
            negative_prompt=str(recipe.get("negative_prompt", "")),
            region=Region(recipe.get("region", "all")),
            controls=Controls(**{f.name: controls[f.name] for f in fields(Controls) if f.name in controls}),
            seed=int(recipe.get("seed", 1)),
            structure_source=StructureSource.AUTO if source is StructureSource.DEPTH_PASS else source,
            fill=Fill(recipe.get("fill", "shape")),
            camera=Camera(**{f.name: camera[f.name] for f in fields(Camera) if f.name in camera}),
            motion_regions=tuple(
                MotionRegion(
                    raster=_raster(region["raster"]),
                    **{name: float(region[name]) for name in ("horizontal", "vertical", "proximity", "ambient")},
                )
                for region in recipe.get("motion_regions", ())
            ),
            adapters=tuple(AdapterUse(adapter=found, strength=float(a["strength"])) for found, a in adapters if found),
            layout=str((recipe.get("layout") or {}).get("digest", "")),
            outpaint=_outpaint(recipe),
            key_spacing=int(recipe.get("key_spacing", 0)),
            key_carrier=str(recipe.get("key_carrier", "")),
        )
        for levels in recipe.get("levels", ()):
            values = tuple((int(frame), float(value)) for frame, value in levels["values"])
            look = look.with_curve(str(levels["name"]), curve_of(Levels(name="", values=values)))
        return look
    except (KeyError, TypeError, ValueError) as error:
        raise GenerationError("These settings can't be read.", "They may come from another version.") from error


def read_recipe(text: str) -> dict[str, Any]:
    """The fields of a recipe as plain values. Raises GenerationError."""
    try:
        found = _plain(json.loads(text))
    except (ValueError, RecursionError, ZeroDivisionError) as error:
        raise GenerationError("These settings can't be read.", "They may come from another version.") from error
    if not isinstance(found, dict):
        raise GenerationError("These settings can't be read.", "They may come from another version.")
    return cast("dict[str, Any]", found)


@lru_cache(maxsize=256)
def request_of_recipe(text: str) -> GenerateRequest:
    """The request a recipe was written from, without hints such as paths. Raises GenerationError."""
    try:
        found = decode_recipe(json.loads(text))
    except (ValueError, RecursionError, ZeroDivisionError) as error:
        raise GenerationError("These settings can't be read.", "They may come from another version.") from error
    if not isinstance(found, GenerateRequest):
        raise GenerationError("These settings can't be read.", "They may come from another version.")
    return found


def _outpaint(recipe: dict[str, Any]) -> Outpaint:
    left, top, right, bottom = (int(pixels) for pixels in recipe.get("outpaint", (0, 0, 0, 0)))
    if not any((left, top, right, bottom)):
        return Outpaint()
    inside = Extent(int(recipe["width"]) - left - right, int(recipe["height"]) - top - bottom)
    return of_rooms((left, top, right, bottom), inside)


def _raster(value: Any) -> MaskRaster:
    tiles = tuple((int(column), int(row), str(digest)) for column, row, digest in value["tiles"])
    return MaskRaster(int(value["width"]), int(value["height"]), tiles)


def _colour(value: Any) -> tuple[int, int, int]:
    red, green, blue = (int(channel) for channel in value)
    return red, green, blue


def _plain(value: Any) -> Any:
    """Undo the canonical form's markers: exact floats ``{"f": hex}``, fractions ``{"q": "n/d"}``."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        if set(value) == {"f"}:
            return float.fromhex(value["f"])
        if set(value) == {"q"}:
            return Fraction(value["q"])
        return {key: _plain(item) for key, item in value.items()}
    return value
