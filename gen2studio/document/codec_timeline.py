"""JSON forms of timelines: sequences, tracks, clips, markers. Each pair is lossless.

A clip's values are written where they differ from those of a new clip, so that a timeline of ten thousand clips stays
a small file that opens at once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from gen2studio.core.curve import AT_ONE, AT_ZERO, Curve
from gen2studio.document.clip_composition import CURVES
from gen2studio.document.codec_composition import (
    decode_style,
    decode_subtitle,
    decode_transform,
    decode_transition,
    encode_style,
    encode_subtitle,
    encode_transform,
    encode_transition,
)
from gen2studio.document.codec_curves import curve_of, encode_curve
from gen2studio.document.codec_looks import decode_look, encode_look
from gen2studio.document.codec_reader import Node, complain, fraction_text, pair
from gen2studio.document.composition import PLAIN, PLAIN_STYLE, BlendMode, Transition
from gen2studio.document.model import Clip, Marker, Sequence, Track, TrackKind

Json = dict[str, Any]

_NOTHING = Fraction(0)
_ONE = Fraction(1)
_LOUDEST = 1000.0


# -- clips -----------------------------------------------------------------------------------------------------------


def encode_clip(clip: Clip, base: Path | None = None) -> Json:
    written: Json = {
        "id": clip.id,
        "media": clip.media_id,
        "name": clip.name,
        "start": clip.start,
        "duration": clip.duration,
    }
    if clip.source_in:
        written["in"] = fraction_text(clip.source_in)
    if clip.speed != _ONE:
        written["speed"] = fraction_text(clip.speed)
    if clip.reverse:
        written["reverse"] = True
    if clip.freeze:
        written["freeze"] = True
    if not clip.keep_pitch:
        written["keep_pitch"] = False
    if clip.link:
        written["link"] = clip.link
    if clip.group:
        written["group"] = clip.group
    if not clip.enabled:
        written["enabled"] = False
    if clip.gain_db:
        written["gain_db"] = clip.gain_db
    if clip.volume is not AT_ZERO and clip.volume != AT_ZERO:
        written["volume"] = encode_curve(clip.volume)
    if clip.pan is not AT_ZERO and clip.pan != AT_ZERO:
        written["pan"] = encode_curve(clip.pan)
    if clip.opacity is not AT_ONE and clip.opacity != AT_ONE:
        written["opacity"] = encode_curve(clip.opacity)
    if clip.blend is not BlendMode.NORMAL:
        written["blend"] = clip.blend.value
    if clip.transform is not PLAIN and (transform := encode_transform(clip.transform)):
        written["transform"] = transform
    if clip.fade_in:
        written["fade_in"] = clip.fade_in
    if clip.fade_out:
        written["fade_out"] = clip.fade_out
    if clip.look is not None:
        written["look"] = encode_look(clip.look, base)
    if clip.takes:
        written["takes"] = list(clip.takes)
    if clip.active_take:
        written["active_take"] = clip.active_take
    return written


def decode_clip(
    node: Node, media: Collection[str] | None, takes: Collection[str] | None, base: Path | None = None
) -> Clip:
    data = node.data
    media_id = node.ident("media")
    if media is not None and media_id not in media:
        complain(node.where, "shows media that the project does not have")
    speed = node.fraction("speed") if "speed" in data else _ONE
    if speed <= 0:
        complain(node.where, "has a speed out of range")
    listed = node.idents("takes") if "takes" in data else ()
    active = node.ident("active_take", optional=True) if "active_take" in data else ""
    if takes is not None:
        # Takes are results: one that was lost is left out, the clip stays.
        listed = tuple(i for i in listed if i in takes)
        active = active if active in takes else ""
    duration = node.integer("duration", 1)
    fade_in = node.integer("fade_in", 0, duration, default=0)
    return Clip(
        id=node.ident("id"),
        media_id=media_id,
        name=node.text("name"),
        start=node.integer("start"),
        duration=duration,
        source_in=node.fraction("in") if "in" in data else _NOTHING,
        speed=speed,
        reverse=node.flag("reverse", default=False),
        freeze=node.flag("freeze", default=False),
        keep_pitch=node.flag("keep_pitch", default=True),
        link=node.ident("link", optional=True) if "link" in data else "",
        group=node.ident("group", optional=True) if "group" in data else "",
        enabled=node.flag("enabled", default=True),
        gain_db=node.number("gain_db", -_LOUDEST, _LOUDEST, default=0.0),
        volume=_curve(node, "volume", AT_ZERO),
        pan=_curve(node, "pan", AT_ZERO),
        opacity=_curve(node, "opacity", AT_ONE),
        blend=node.choice("blend", BlendMode) if "blend" in data else BlendMode.NORMAL,
        transform=decode_transform(node.node("transform")) if "transform" in data else PLAIN,
        fade_in=fade_in,
        fade_out=node.integer("fade_out", 0, duration - fade_in, default=0),
        look=None if data.get("look") is None else decode_look(node.node("look"), base),
        takes=listed,
        active_take=active,
    )


def _curve(node: Node, key: str, plain: Curve) -> Curve:
    if key not in node.data:
        return plain
    limits = CURVES[key]
    return curve_of(node, key, limits.low, limits.high, limits.default)


# -- tracks ----------------------------------------------------------------------------------------------------------


def encode_track(track: Track, base: Path | None = None) -> Json:
    written: Json = {
        "id": track.id,
        "kind": track.kind.value,
        "name": track.name,
        "locked": track.locked,
        "muted": track.muted,
        "height": track.height,
        "clips": [encode_clip(clip, base) for clip in track.clips],
    }
    if track.transitions:
        written["transitions"] = [encode_transition(transition) for transition in track.transitions]
    if track.solo:
        written["solo"] = True
    if track.gain_db:
        written["gain_db"] = track.gain_db
    if track.pan:
        written["pan"] = track.pan
    return written


def decode_track(
    node: Node, media: Collection[str] | None, takes: Collection[str] | None, base: Path | None = None
) -> Track:
    name = node.text("name")
    clips = tuple(decode_clip(n, media, takes, base) for n in node.nodes("clips", "clip"))
    cursor = 0
    for clip in clips:
        if clip.start < cursor:
            complain(node.where, f"has clips that overlap at frame {clip.start}")
        cursor = clip.end
    transitions = ()
    if "transitions" in node.data:
        transitions = tuple(decode_transition(n) for n in node.nodes("transitions", "transition"))
        _check_transitions(transitions, clips, node.where)
    return Track(
        id=node.ident("id"),
        kind=node.choice("kind", TrackKind),
        name=name,
        clips=clips,
        transitions=transitions,
        locked=node.flag("locked"),
        muted=node.flag("muted"),
        solo=node.flag("solo", default=False),
        gain_db=node.number("gain_db", -_LOUDEST, _LOUDEST, default=0.0),
        pan=node.number("pan", -1, 1, default=0.0),
        height=node.integer("height", 1, 4096),
    )


def _check_transitions(transitions: tuple[Transition, ...], clips: tuple[Clip, ...], where: str) -> None:
    """Each joins two clips that touch; in order, apart from each other and inside their two clips."""
    cuts = {(left.id, right.id): right for left, right in pairwise(clips) if left.end == right.start}
    lengths = {clip.id: clip.duration for clip in clips}
    cursor = 0
    for transition in transitions:
        right = cuts.get((transition.left, transition.right))
        if right is None:
            complain(where, "has a transition without a cut")
        if transition.before > lengths[transition.left] or transition.after > right.duration:
            complain(where, "has a transition that is longer than its clips")
        if right.start - transition.before < cursor:
            complain(where, f"has transitions that overlap at frame {right.start}")
        cursor = right.start + transition.after


# -- sequences -------------------------------------------------------------------------------------------------------


def encode_marker(marker: Marker) -> Json:
    written: Json = {
        "id": marker.id,
        "frame": marker.frame,
        "name": marker.name,
        "note": marker.note,
        "colour": marker.colour,
    }
    if marker.duration:
        written["duration"] = marker.duration
    return written


def decode_marker(node: Node) -> Marker:
    return Marker(
        id=node.ident("id"),
        frame=node.integer("frame"),
        duration=node.integer("duration", default=0),
        name=node.text("name"),
        note=node.text("note"),
        colour=node.text("colour", limit=64),
    )


def encode_sequence_head(sequence: Sequence) -> Json:
    """Everything of a sequence but its tracks; ``tracks`` lists their ids."""
    written: Json = {
        "id": sequence.id,
        "name": sequence.name,
        "rate": fraction_text(sequence.rate),
        "size": [sequence.width, sequence.height],
        "sample_rate": sequence.sample_rate,
        "markers": [encode_marker(marker) for marker in sequence.markers],
        "in": sequence.in_point,
        "out": sequence.out_point,
        "tracks": [track.id for track in sequence.tracks],
    }
    if sequence.subtitles:
        written["subtitles"] = [encode_subtitle(subtitle) for subtitle in sequence.subtitles]
    if sequence.subtitle_style != PLAIN_STYLE:
        written["subtitle_style"] = encode_style(sequence.subtitle_style)
    if sequence.limiter:
        written["limiter"] = True
    return written


def encode_sequence(sequence: Sequence, base: Path | None = None) -> Json:
    return {**encode_sequence_head(sequence), "tracks": [encode_track(track, base) for track in sequence.tracks]}


def decode_sequence_head(node: Node, tracks: Iterable[Track]) -> Sequence:
    width, height = pair(node, "size")
    rate = node.fraction("rate")
    if not Fraction(1, 1000) <= rate <= 1000 or not width or not height:
        complain(node.where, "has a rate or size out of range")
    subtitles = tuple(
        decode_subtitle(data, f"subtitle {number} of {node.where}")
        for number, data in enumerate(node.listing("subtitles", []), 1)
    )
    if any(right.start < left.end for left, right in pairwise(subtitles)):
        complain(node.where, "has subtitles that overlap")
    found = Sequence(
        id=node.ident("id"),
        name=node.text("name"),
        rate=rate,
        width=width,
        height=height,
        sample_rate=node.integer("sample_rate", 1000, 1 << 20),
        tracks=tuple(tracks),
        markers=tuple(decode_marker(n) for n in node.nodes("markers", "marker")),
        in_point=node.optional_integer("in"),
        out_point=node.optional_integer("out"),
        subtitles=subtitles,
        subtitle_style=decode_style(node.node("subtitle_style")) if "subtitle_style" in node.data else PLAIN_STYLE,
        limiter=node.flag("limiter", default=False),
    )
    ids = [part.id for t in found.tracks for part in (t, *t.clips, *t.transitions)]
    ids += [subtitle.id for subtitle in subtitles]
    if len(set(ids)) != len(ids):
        complain(node.where, "uses one id twice")
    return found


def decode_sequence(
    node: Node, media: Collection[str] | None, takes: Collection[str] | None, base: Path | None = None
) -> Sequence:
    return decode_sequence_head(node, [decode_track(n, media, takes, base) for n in node.nodes("tracks", "track")])
