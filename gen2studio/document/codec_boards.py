"""JSON forms of storyboards. The pair is lossless; what a panel does not have is not written."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

from gen2studio.document.board_values import (
    Arrow,
    ArrowKind,
    CameraFrame,
    LayerBlend,
    MockUp,
    PanelLayer,
    PanelStill,
    SeedPolicy,
    ShotSize,
    SoundCue,
)
from gen2studio.document.codec_looks import decode_camera, decode_look, encode_camera, encode_look
from gen2studio.document.codec_reader import Node, complain, fraction_text, pair
from gen2studio.document.model import Board, Panel

Json = dict[str, Any]
T = TypeVar("T")

MOST_LAYERS = 32
MOST_ARROWS = 32
MOST_STILLS = 64
_SEEDS = (-(1 << 63), (1 << 64) - 1)
_FAR = 4.0
"""Points and frames of a drawing lie within so many pictures of it."""


def encode_board(board: Board, base: Path | None = None) -> Json:
    return {
        "id": board.id,
        "name": board.name,
        "look": encode_look(board.look, base),
        "panels": [encode_panel(panel, base) for panel in board.panels],
        "size": [board.width, board.height],
        "rate": fraction_text(board.rate),
        **_told(
            seeds="" if board.seeds is SeedPolicy.ONE else board.seeds.value,
            sequence=board.sequence_id,
            sound=board.sound and _encode_cue(board.sound),
        ),
    }


def decode_board(node: Node, base: Path | None = None) -> Board:
    width, height = pair(node, "size")
    rate = node.fraction("rate")
    if not width or not height or not Fraction(1, 1000) <= rate <= 1000:
        complain(node.where, "has a rate or size out of range")
    panels = tuple(decode_panel(n, base) for n in node.nodes("panels", "panel"))
    if len({panel.id for panel in panels}) != len(panels):
        complain(node.where, "uses one id twice")
    return Board(
        id=node.ident("id"),
        name=node.text("name"),
        look=decode_look(node.node("look"), base),
        panels=panels,
        width=width,
        height=height,
        rate=rate,
        seeds=node.choice("seeds", SeedPolicy) if "seeds" in node.data else SeedPolicy.ONE,
        sequence_id=node.ident("sequence", optional=True),
        sound=_decode_cue(node.node("sound")) if "sound" in node.data else None,
    )


def encode_panel(panel: Panel, base: Path | None = None) -> Json:
    return {
        "id": panel.id,
        "name": panel.name,
        "picture": panel.picture,
        "prompt": panel.prompt,
        "seconds": fraction_text(panel.seconds),
        "keep_picture": panel.keep_picture,
        "look": None if panel.look is None else encode_look(panel.look, base),
        "camera": encode_camera(panel.camera),
        "notes": panel.notes,
        "dialogue": panel.dialogue,
        "clip": panel.clip_id,
        **_told(
            action=panel.action,
            shot_size=panel.shot_size.value,
            layers=[_encode_layer(layer) for layer in panel.layers],
            reference=panel.reference,
            reference_opacity=None if panel.reference_opacity == 0.5 else panel.reference_opacity,
            frames=[[f.x, f.y, f.width, f.angle] for f in panel.frames],
            arrows=[[a.kind.value, *a.start, *a.end] for a in panel.arrows],
            mock_up=panel.mock_up and _encode_mock_up(panel.mock_up),
            sound=panel.sound and _encode_cue(panel.sound),
            tapped=None if panel.tapped is None else fraction_text(panel.tapped),
            seed=None if panel.seed == 1 else panel.seed,
            stills=[{"picture": s.picture, "seed": s.seed} for s in panel.stills],
            guide=panel.guide,
        ),
    }


def decode_panel(node: Node, base: Path | None = None) -> Panel:
    seconds = node.fraction("seconds")
    if seconds <= 0:
        complain(node.where, "has seconds out of range")
    layers = tuple(_decode_layer(n) for n in node.nodes("layers", "layer")) if "layers" in node.data else ()
    if len(layers) > MOST_LAYERS or len({layer.id for layer in layers}) != len(layers):
        complain(node.where, "has no valid layers")
    return Panel(
        id=node.ident("id"),
        name=node.text("name"),
        picture=node.hexadecimal("picture", 64, optional=True),
        prompt=node.text("prompt"),
        seconds=seconds,
        keep_picture=node.flag("keep_picture"),
        look=None if node.raw("look") is None else decode_look(node.node("look"), base),
        camera=decode_camera(node.node("camera")),
        notes=node.text("notes"),
        dialogue=node.text("dialogue"),
        clip_id=node.ident("clip", optional=True),
        action=node.text("action", ""),
        shot_size=node.choice("shot_size", ShotSize) if "shot_size" in node.data else ShotSize.NONE,
        layers=layers,
        reference=node.hexadecimal("reference", 64, optional=True),
        reference_opacity=node.number("reference_opacity", 0, 1, default=0.5),
        frames=_decode_frames(node),
        arrows=_rows(node, "arrows", MOST_ARROWS, _decode_arrow),
        mock_up=_decode_mock_up(node.node("mock_up")) if "mock_up" in node.data else None,
        sound=_decode_cue(node.node("sound")) if "sound" in node.data else None,
        tapped=node.fraction("tapped", 0) if "tapped" in node.data else None,
        seed=node.integer("seed", *_SEEDS, default=1),
        stills=_decode_stills(node),
        guide=node.hexadecimal("guide", 64, optional=True),
    )


def _told(**fields: Any) -> Json:
    """Only what says something: older files have none of these."""
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


def _encode_layer(layer: PanelLayer) -> Json:
    return {
        "id": layer.id,
        "name": layer.name,
        "picture": layer.picture,
        "visible": layer.visible,
        "opacity": layer.opacity,
        "blend": layer.blend.value,
    }


def _decode_layer(node: Node) -> PanelLayer:
    return PanelLayer(
        id=node.ident("id"),
        name=node.text("name"),
        picture=node.hexadecimal("picture", 64, optional=True),
        visible=node.flag("visible"),
        opacity=node.number("opacity", 0, 1),
        blend=node.choice("blend", LayerBlend),
    )


def _encode_cue(cue: SoundCue) -> Json:
    return {"media": cue.media_id, "start": fraction_text(cue.start), "gain": cue.gain_db}


def _decode_cue(node: Node) -> SoundCue:
    return SoundCue(media_id=node.ident("media"), start=node.fraction("start", 0), gain_db=node.number("gain", -60, 24))


def _encode_mock_up(found: MockUp) -> Json:
    return {"media": found.media_id, "start": fraction_text(found.start), "stop": fraction_text(found.stop)}


def _decode_mock_up(node: Node) -> MockUp:
    start, stop = node.fraction("start", 0), node.fraction("stop", Fraction(0))
    if stop <= start:
        complain(node.where, "has an empty range")
    return MockUp(media_id=node.ident("media"), start=start, stop=stop)


def _decode_frames(node: Node) -> tuple[CameraFrame, ...]:
    found = _rows(node, "frames", 2, _decode_frame)
    if len(found) == 1:
        complain(node.where, "has no valid frames")
    return found


def _decode_frame(row: list[Any], where: str) -> CameraFrame:
    x, y, width, angle = _numbers(row, 4, 180.0, where)
    if not (abs(x) <= _FAR and abs(y) <= _FAR and 0.05 <= width <= 2):
        complain(where, "has a frame out of range")
    return CameraFrame(x=x, y=y, width=width, angle=angle)


def _decode_arrow(row: list[Any], where: str) -> Arrow:
    kind = Node({"kind": row[0] if row else None}, where).choice("kind", ArrowKind)
    a, b, c, d = _numbers(row[1:], 4, _FAR, where)
    return Arrow(kind=kind, start=(a, b), end=(c, d))


def _decode_stills(node: Node) -> tuple[PanelStill, ...]:
    if "stills" not in node.data:
        return ()
    if len(node.listing("stills")) > MOST_STILLS:
        complain(node.where, "has too many stills")
    return tuple(
        PanelStill(picture=n.hexadecimal("picture", 64), seed=n.integer("seed", *_SEEDS))
        for n in node.nodes("stills", "still")
    )


def _rows(node: Node, key: str, most: int, decode: Callable[[list[Any], str], T]) -> tuple[T, ...]:
    rows = node.listing(key, [])
    if len(rows) > most or not all(isinstance(row, list) for row in rows):
        complain(node.where, f"has no valid {key}")
    return tuple(decode(row, f"the {key} of {node.where}") for row in rows)


def _numbers(row: list[Any], count: int, most: float, where: str) -> tuple[float, ...]:
    if len(row) != count:
        complain(where, "has too few or too many numbers")
    return tuple(Node({"number": value}, where).number("number", -most, most) for value in row)
