"""JSON forms of looks. The pair is lossless."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gen2studio.core.curve import Curve
from gen2studio.document.codec_curves import decode_curve, encode_curve
from gen2studio.document.codec_masks import decode_raster, encode_raster
from gen2studio.document.codec_paths import load_path, store_path
from gen2studio.document.codec_reader import SIDE, Node, complain
from gen2studio.document.look import (
    KEYED,
    AdapterUse,
    Camera,
    Controls,
    DepthPass,
    Fill,
    Look,
    LookPart,
    Mode,
    MotionRegion,
    Outpaint,
    PaintedKey,
    Pattern,
    Region,
    StructureSource,
    StyleImage,
)

Json = dict[str, Any]

MOTION_REGIONS = 5
"""A look holds at most so many regions of the motion brush."""

_CONTROL_RANGES: dict[str, tuple[float, float]] = {
    "structure": (0, 7),
    "style_weight": (0, 2),
    "consistency": (0, 2),
    "stroke_size": (0.25, 4),
    "strength": (-1, 1),
    "protect_skin": (0, 1),
    "preserve_luminance": (0, 1),
    "feather": (0, 1000),
    "guidance": (0, 100),
    "motion": (0, 10),
    "control_scale": (0, 2),
}
_AXES = ("horizontal", "vertical", "zoom", "pan", "tilt", "roll")
_PUSHES = ("horizontal", "vertical", "proximity", "ambient")
_SIDES = ("left", "top", "right", "bottom")
MOST_ROOM = 2.0
"""Outpainting adds at most so many times the footage's side on each side."""
MOST_KEY_SPACING = 240
"""Key frames lie at most so many frames apart."""


def encode_look(look: Look, base: Path | None = None) -> Json:
    """``base`` is the project folder: a depth pass inside or near it is stored relative to it, as media are."""
    pattern, depth = look.pattern, look.depth_pass
    return {
        "mode": look.mode.value,
        "generator": look.generator,
        "preset": look.preset,
        "styles": [{"digest": s.digest, "name": s.name, "weight": s.weight} for s in look.styles],
        "keys": [{"frame": k.frame, "digest": k.digest, "name": k.name} for k in look.keys],
        "pattern": pattern
        and {
            "kind": pattern.kind,
            "base": list(pattern.base),
            "ink": list(pattern.ink),
            "scale": pattern.scale,
            "swatch": pattern.swatch,
        },
        "prompt": look.prompt,
        "negative_prompt": look.negative_prompt,
        "region": look.region.value,
        "mask_objects": list(look.mask_objects),
        "controls": {
            **{name: getattr(look.controls, name) for name in _CONTROL_RANGES},
            "grow": look.controls.grow,
            "steps": look.controls.steps,
            **({"reuse": look.controls.reuse} if look.controls.reuse else {}),
        },
        "seed": look.seed,
        "seed_locked": look.seed_locked,
        "structure_source": look.structure_source.value,
        "depth_pass": depth
        and {
            "path": store_path(depth.path, base),
            "name": depth.name,
            "near_is_white": depth.near_is_white,
            "near": depth.near,
            "far": depth.far,
        },
        "fill": look.fill.value,
        "camera": encode_camera(look.camera),
        "motion_regions": [
            {"raster": encode_raster(region.raster), **{name: getattr(region, name) for name in _PUSHES}}
            for region in look.motion_regions
        ],
        "adapters": [{"adapter": use.adapter, "strength": use.strength} for use in look.adapters],
        "layout": look.layout,
        # Written where there is one: files from before there was outpainting need no other form.
        **({"outpaint": [getattr(look.outpaint, side) for side in _SIDES]} if look.outpaint.adds else {}),
        **({"key_spacing": look.key_spacing} if look.key_spacing else {}),
        **({"key_carrier": look.key_carrier} if look.key_carrier else {}),
        **({"curves": {name: encode_curve(curve) for name, curve in look.curves}} if look.curves else {}),
        **({"parts": [_encode_part(part, base) for part in look.parts]} if look.parts else {}),
    }


def decode_look(node: Node, base: Path | None = None) -> Look:
    pattern = None if node.raw("pattern") is None else node.node("pattern")
    depth = None if node.raw("depth_pass") is None else node.node("depth_pass")
    controls = node.node("controls")
    regions = tuple(_region(n) for n in node.nodes("motion_regions", "motion region"))
    if len(regions) > MOTION_REGIONS:
        complain(node.where, "has too many motion regions")
    return Look(
        mode=node.choice("mode", Mode),
        generator=node.word("generator"),
        preset=node.word("preset"),
        styles=tuple(
            StyleImage(digest=n.hexadecimal("digest", 64), name=n.text("name"), weight=n.number("weight", 0, 2))
            for n in node.nodes("styles", "style")
        ),
        keys=tuple(
            PaintedKey(frame=n.integer("frame"), digest=n.hexadecimal("digest", 64), name=n.text("name"))
            for n in node.nodes("keys", "key")
        ),
        pattern=pattern
        and Pattern(
            kind=pattern.word("kind"),
            base=pattern.colour("base"),
            ink=pattern.colour("ink"),
            scale=pattern.number("scale", 0.01, 100),
            swatch=pattern.hexadecimal("swatch", 64, optional=True),
        ),
        prompt=node.text("prompt"),
        negative_prompt=node.text("negative_prompt"),
        region=node.choice("region", Region),
        mask_objects=node.idents("mask_objects"),
        controls=Controls(
            **{name: controls.number(name, low, high) for name, (low, high) in _CONTROL_RANGES.items()},
            grow=controls.integer("grow", -SIDE, SIDE),
            steps=controls.integer("steps", 0, 1000),
            reuse=0.0 if controls.raw("reuse", None) is None else controls.number("reuse", 0, 30),
        ),
        seed=node.integer("seed", -(1 << 63), (1 << 64) - 1),
        seed_locked=node.flag("seed_locked"),
        structure_source=node.choice("structure_source", StructureSource),
        depth_pass=depth
        and DepthPass(
            path=load_path(depth.text("path"), base, depth.where),
            name=depth.text("name"),
            near_is_white=depth.flag("near_is_white"),
            near=depth.optional_number("near", -1e12, 1e12),
            far=depth.optional_number("far", -1e12, 1e12),
        ),
        fill=node.choice("fill", Fill),
        camera=decode_camera(node.node("camera")),
        motion_regions=regions,
        adapters=tuple(
            AdapterUse(adapter=n.word("adapter"), strength=n.number("strength", 0, 2))
            for n in node.nodes("adapters", "adapter")
        ),
        layout=node.hexadecimal("layout", 64, optional=True),
        outpaint=_outpaint(node),
        key_spacing=0 if node.raw("key_spacing", None) is None else node.integer("key_spacing", -1, MOST_KEY_SPACING),
        key_carrier="" if node.raw("key_carrier", None) is None else node.word("key_carrier"),
        curves=_curves(node),
        parts=_parts(node, base),
    )


def _curves(node: Node) -> tuple[tuple[str, Curve], ...]:
    if node.raw("curves", None) is None:
        return ()
    written = node.node("curves")
    if set(written.data) - set(KEYED):
        complain(written.where, "names a slider that has no keys")
    return tuple(
        (name, decode_curve(written.data[name], *limits, f"the {name} of {written.where}"))
        for name, limits in KEYED.items()
        if name in written.data
    )


def _encode_part(part: LookPart, base: Path | None) -> Json:
    return {"object": part.object_id, "enabled": part.enabled, "look": encode_look(part.look, base)}


def _parts(node: Node, base: Path | None) -> tuple[LookPart, ...]:
    if not node.listing("parts", []):
        return ()
    found: list[LookPart] = []
    for part in node.nodes("parts", "look of an object"):
        look = part.node("look")
        if look.listing("parts", []):
            complain(look.where, "has looks inside a look of an object")
        object_id = part.ident("object", optional=True)
        found.append(LookPart(object_id=object_id, enabled=part.flag("enabled"), look=decode_look(look, base)))
    if len({part.object_id for part in found}) < len(found):
        complain(node.where, "has two looks for one object")
    return tuple(found)


def encode_camera(camera: Camera) -> Json:
    return {**{axis: getattr(camera, axis) for axis in _AXES}, "static": camera.static}


def decode_camera(node: Node) -> Camera:
    return Camera(**{axis: node.number(axis, -10, 10) for axis in _AXES}, static=node.flag("static"))


def _outpaint(node: Node) -> Outpaint:
    found = node.listing("outpaint", [])
    if not found:
        return Outpaint()
    if len(found) != len(_SIDES):
        complain(node.where, "has no valid outpaint")
    sides = Node(dict(zip(_SIDES, found, strict=True)), f"the outpaint of {node.where}")
    return Outpaint(**{side: sides.number(side, 0, MOST_ROOM) for side in _SIDES})


def _region(node: Node) -> MotionRegion:
    return MotionRegion(
        raster=decode_raster(node.raw("raster"), f"the matte of {node.where}"),
        **{name: node.number(name, 0 if name == "ambient" else -10, 10) for name in _PUSHES},
    )
