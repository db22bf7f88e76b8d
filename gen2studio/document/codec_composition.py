"""JSON forms of transforms, transitions and captions. Each pair is lossless; what is as it begins is not written."""

from __future__ import annotations

from typing import Any

from gen2studio.core.curve import Curve
from gen2studio.document.clip_composition import PICTURE_CURVES
from gen2studio.document.codec_curves import curve_of, encode_curve
from gen2studio.document.codec_reader import Node, complain
from gen2studio.document.composition import (
    PLAIN,
    PLAIN_STYLE,
    Subtitle,
    SubtitleStyle,
    Transform,
    Transition,
    TransitionKind,
)

Json = dict[str, Any]

LONGEST_CAPTION = 20_000
"""Characters."""
_CURVES = tuple(name.removeprefix("transform.") for name in PICTURE_CURVES if name.startswith("transform."))
_STYLE = {"size": (0.005, 1.0), "outline": (0.0, 1.0), "box": (0.0, 1.0), "place": (0.0, 1.0)}


def encode_transform(transform: Transform) -> Json:
    """Only the curves and flips that differ from a picture fitted and centred."""
    if transform is PLAIN:
        return {}
    written: Json = {
        name: encode_curve(curve)
        for name in _CURVES
        if (curve := getattr(transform, name)) is not getattr(PLAIN, name) and curve != getattr(PLAIN, name)
    }
    for name in ("flip_horizontal", "flip_vertical"):
        if getattr(transform, name):
            written[name] = True
    return written


def decode_transform(node: Node) -> Transform:
    curves: dict[str, Curve] = {}
    for name in _CURVES:
        if name in node.data:
            limits = PICTURE_CURVES[f"transform.{name}"]
            curves[name] = curve_of(node, name, limits.low, limits.high, limits.default)
        else:
            curves[name] = getattr(PLAIN, name)
    return Transform(
        **curves,
        flip_horizontal=node.flag("flip_horizontal", default=False),
        flip_vertical=node.flag("flip_vertical", default=False),
    )


def encode_transition(transition: Transition) -> Json:
    written: Json = {
        "id": transition.id,
        "left": transition.left,
        "right": transition.right,
        "before": transition.before,
        "after": transition.after,
    }
    if transition.kind is not TransitionKind.DISSOLVE:
        written["kind"] = transition.kind.value
    if transition.angle:
        written["angle"] = transition.angle
    if transition.softness:
        written["softness"] = transition.softness
    if any(transition.colour):
        written["colour"] = list(transition.colour)
    return written


def decode_transition(node: Node) -> Transition:
    found = Transition(
        id=node.ident("id"),
        left=node.ident("left"),
        right=node.ident("right"),
        kind=node.choice("kind", TransitionKind) if "kind" in node.data else TransitionKind.DISSOLVE,
        before=node.integer("before"),
        after=node.integer("after"),
        angle=node.number("angle", -360, 360, default=0.0),
        softness=node.number("softness", 0, 1, default=0.0),
        colour=node.colour("colour") if "colour" in node.data else (0, 0, 0),
    )
    if not found.duration:
        complain(node.where, "has no length")
    return found


def encode_subtitle(subtitle: Subtitle) -> list[Any]:
    return [subtitle.id, subtitle.start, subtitle.duration, subtitle.text]


def decode_subtitle(data: Any, where: str) -> Subtitle:
    if not isinstance(data, list) or len(data) != 4:
        complain(where, "can't be read")
    node = Node(dict(zip(("id", "start", "duration", "text"), data, strict=True)), where)
    return Subtitle(
        id=node.ident("id"),
        start=node.integer("start"),
        duration=node.integer("duration", 1),
        text=node.text("text", limit=LONGEST_CAPTION),
    )


def encode_style(style: SubtitleStyle) -> Json:
    written: Json = {name: value for name in _STYLE if (value := getattr(style, name)) != getattr(PLAIN_STYLE, name)}
    if style.colour != PLAIN_STYLE.colour:
        written["colour"] = list(style.colour)
    if not style.shown:
        written["shown"] = False
    return written


def decode_style(node: Node) -> SubtitleStyle:
    return SubtitleStyle(
        **{name: node.number(name, *limits, default=getattr(PLAIN_STYLE, name)) for name, limits in _STYLE.items()},
        colour=node.colour("colour") if "colour" in node.data else PLAIN_STYLE.colour,
        shown=node.flag("shown", default=True),
    )
