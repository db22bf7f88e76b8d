"""JSON forms of mattes and mask objects. Each pair is lossless."""

from __future__ import annotations

from typing import Any

from gen2studio.core.frozen import frozen_map
from gen2studio.core.mask_raster import TILE, MaskRaster
from gen2studio.document.codec_mask_shapes import (
    decode_refinement,
    decode_shape,
    encode_refinement,
    encode_shape,
)
from gen2studio.document.codec_reader import BIGGEST, SIDE, Node, complain, hexadecimal, integer
from gen2studio.document.model import MaskBlend, MaskFrame, MaskObject

Json = dict[str, Any]


def encode_raster(raster: MaskRaster) -> list[Any]:
    return [raster.width, raster.height, [list(tile) for tile in raster.tiles]]


def decode_raster(data: Any, where: str) -> MaskRaster:
    if not isinstance(data, list) or len(data) != 3 or not isinstance(data[2], list):
        complain(where, "is no matte")
    width, height = (integer(side, 1, SIDE, where, "size") for side in data[:2])
    columns, rows = -(-width // TILE), -(-height // TILE)
    tiles: list[tuple[int, int, str]] = []
    last = (-1, -1)
    for tile in data[2]:
        if not isinstance(tile, list) or len(tile) != 3:
            complain(where, "has a broken tile")
        column = integer(tile[0], 0, columns - 1, where, "tile column")
        row = integer(tile[1], 0, rows - 1, where, "tile row")
        if (row, column) <= last:
            complain(where, "has tiles out of order")
        last = (row, column)
        tiles.append((column, row, hexadecimal(tile[2], 32, where, "tile")))
    return MaskRaster(width, height, tuple(tiles))


def encode_mask_head(mask: MaskObject) -> Json:
    """Everything of a mask but its mattes."""
    return {
        "id": mask.id,
        "media": mask.media_id,
        "name": mask.name,
        "colour": list(mask.colour),
        "visible": mask.visible,
        "locked": mask.locked,
        "blend": mask.blend.value,
        "shapes": [encode_shape(shape) for shape in mask.shapes],
        "refinement": encode_refinement(mask.refinement),
    }


def encode_mask_frame(index: int, frame: MaskFrame) -> list[Any]:
    basis = [frame.basis] if frame.basis else []
    return [index, frame.anchor, frame.confidence, *encode_raster(frame.raster), *basis]


def encode_mask(mask: MaskObject) -> Json:
    return {**encode_mask_head(mask), "frames": [encode_mask_frame(i, f) for i, f in mask.frames.items()]}


def decode_mask_frame(data: Any, where: str) -> tuple[int, MaskFrame]:
    if not isinstance(data, list) or len(data) not in (6, 7) or not isinstance(data[1], bool):
        complain(where, "has a broken matte")
    index = integer(data[0], 0, BIGGEST, where, "frame")
    confidence = Node({"confidence": data[2]}, where).number("confidence", 0, 1)
    raster = decode_raster(data[3:6], f"frame {index} of {where}")
    basis = data[6] if len(data) == 7 else ""
    if not isinstance(basis, str):
        complain(where, "has a broken matte")
    return index, MaskFrame(raster=raster, anchor=data[1], confidence=confidence, basis=basis)


def decode_mask_head(node: Node, frames: dict[int, MaskFrame]) -> MaskObject:
    return MaskObject(
        id=node.ident("id"),
        media_id=node.ident("media"),
        name=node.text("name"),
        colour=node.colour("colour"),
        visible=node.flag("visible"),
        locked=node.flag("locked"),
        blend=node.choice("blend", MaskBlend),
        shapes=tuple(decode_shape(child) for child in node.nodes("shapes", "shape")),
        refinement=decode_refinement(node.node("refinement")),
        frames=frozen_map(frames),
    )


def decode_mask(node: Node) -> MaskObject:
    return decode_mask_head(node, dict(decode_mask_frame(data, node.where) for data in node.listing("frames")))
