"""JSON forms of the parts of a document: media, looks, timelines, masks, takes. Each pair is lossless."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from fractions import Fraction
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from gen2studio.core.frozen import frozen_map
from gen2studio.core.mask_raster import TILE, MaskRaster
from gen2studio.core.media_info import AudioInfo, ColourTags, MediaInfo, MediaKind
from gen2studio.document.codec_reader import BIGGEST, Node, complain, fraction_text, hexadecimal, integer
from gen2studio.document.look import Controls, Look, Mode, PaintedKey, Pattern, Region, StyleImage
from gen2studio.document.model import Clip, Marker, MaskFrame, MaskObject, MediaItem, Sequence, Take, Track, TrackKind

Json = dict[str, Any]

_NEAR = 2
"""Media up to this many folders above the project is stored relative, so that both can be moved together."""
_DEVICES = ("/dev/", "/proc/", "/sys/")
_SIDE = 65536


# -- media -----------------------------------------------------------------------------------------------------------


def store_path(path: str, base: Path | None) -> str:
    """``path`` relative to the project folder ``base`` when it lies inside or near it."""
    if base is None:
        return path
    try:
        relative = os.path.relpath(path, base)
    except ValueError:  # another drive
        return path
    parts = Path(relative).parts
    # Near the root everything is "near": a path that climbs to it is kept absolute.
    if parts.count("..") > min(_NEAR, len(base.resolve().parts) - 2):
        return path
    return Path(relative).as_posix()


def load_path(stored: str, base: Path | None, where: str) -> str:
    """The absolute path of a stored one. Refuses what can't be a media file."""
    if not stored or "\0" in stored or len(stored) > 4096:
        complain(where, "has no valid path")
    if PurePosixPath(stored).is_absolute() or PureWindowsPath(stored).is_absolute():
        path = stored
    else:
        parts = PurePosixPath(stored).parts
        climbs = sum(part == ".." for part in parts)
        if base is None or climbs > _NEAR or ".." in parts[climbs:]:
            complain(where, "has a path that leads out of the project")
        path = Path(os.path.normpath(base / stored)).as_posix()
    if path.startswith(_DEVICES) or os.path.normpath(path).startswith(_DEVICES):
        complain(where, "has a path that is no media file")
    return path


def encode_media(item: MediaItem, base: Path | None) -> Json:
    return {
        "id": item.id,
        "name": item.name,
        "path": store_path(item.path, base),
        "fingerprint": item.fingerprint,
        "info": encode_info(item.info),
    }


def decode_media(node: Node, base: Path | None) -> MediaItem:
    return MediaItem(
        id=node.ident("id"),
        name=node.text("name"),
        path=load_path(node.text("path"), base, node.where),
        fingerprint=node.word("fingerprint"),
        info=decode_info(node.node("info")),
    )


def encode_info(info: MediaInfo) -> Json:
    audio = info.audio
    return {
        "kind": info.kind.value,
        "container": info.container,
        "codec": info.codec,
        "pixel_format": info.pixel_format,
        "size": [info.width, info.height],
        "coded_size": [info.coded_width, info.coded_height],
        "rotation": info.rotation,
        "pixel_aspect": fraction_text(info.pixel_aspect),
        "rate": fraction_text(info.rate),
        "variable_rate": info.variable_rate,
        "frame_count": info.frame_count,
        "exact": info.exact,
        "duration": fraction_text(info.duration),
        "bit_depth": info.bit_depth,
        "has_alpha": info.has_alpha,
        "interlaced": info.interlaced,
        "colour": [info.colour.primaries, info.colour.transfer, info.colour.matrix, info.colour.full_range],
        "audio": audio
        and {
            "sample_rate": audio.sample_rate,
            "channels": audio.channels,
            "codec": audio.codec,
            "duration": fraction_text(audio.duration),
        },
    }


def decode_info(node: Node) -> MediaInfo:
    width, height = _pair(node, "size")
    coded_width, coded_height = _pair(node, "coded_size")
    rotation = node.integer("rotation", 0, 270)
    if rotation % 90:
        complain(node.where, "has a rotation out of range")
    colour = node.listing("colour")
    if len(colour) != 4 or not isinstance(colour[3], bool):
        complain(node.where, "has no valid colour")
    primaries, transfer, matrix = (integer(v, 0, 1 << 16, node.where, "colour") for v in colour[:3])
    audio = None if node.raw("audio") is None else node.node("audio")
    return MediaInfo(
        kind=node.choice("kind", MediaKind),
        container=node.text("container"),
        codec=node.text("codec"),
        pixel_format=node.text("pixel_format"),
        width=width,
        height=height,
        coded_width=coded_width,
        coded_height=coded_height,
        rotation=rotation,
        pixel_aspect=node.fraction("pixel_aspect", Fraction(1, 1000)),
        rate=node.fraction("rate", 0),
        variable_rate=node.flag("variable_rate"),
        frame_count=node.integer("frame_count"),
        exact=node.flag("exact"),
        duration=node.fraction("duration", 0),
        bit_depth=node.integer("bit_depth", 1, 64),
        has_alpha=node.flag("has_alpha"),
        interlaced=node.flag("interlaced"),
        colour=ColourTags(primaries, transfer, matrix, colour[3]),
        audio=audio
        and AudioInfo(
            sample_rate=audio.integer("sample_rate", 1, 1 << 24),
            channels=audio.integer("channels", 1, 1024),
            codec=audio.text("codec"),
            duration=audio.fraction("duration", 0),
        ),
    )


def _pair(node: Node, key: str) -> tuple[int, int]:
    found = node.listing(key)
    if len(found) != 2:
        complain(node.where, f"has no valid {key}")
    return integer(found[0], 0, _SIDE, node.where, key), integer(found[1], 0, _SIDE, node.where, key)


# -- looks -----------------------------------------------------------------------------------------------------------

_CONTROL_RANGES: dict[str, tuple[float, float]] = {
    "structure": (0, 7),
    "style_weight": (0, 2),
    "consistency": (0, 2),
    "stroke_size": (0.25, 4),
    "strength": (0, 1),
    "protect_skin": (0, 1),
    "preserve_luminance": (0, 1),
    "feather": (0, 1000),
}


def encode_look(look: Look) -> Json:
    pattern = look.pattern
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
        "controls": {**{name: getattr(look.controls, name) for name in _CONTROL_RANGES}, "grow": look.controls.grow},
        "seed": look.seed,
        "seed_locked": look.seed_locked,
    }


def decode_look(node: Node) -> Look:
    pattern = None if node.raw("pattern") is None else node.node("pattern")
    controls = node.node("controls")
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
            grow=controls.integer("grow", -_SIDE, _SIDE),
        ),
        seed=node.integer("seed", -(1 << 63), (1 << 64) - 1),
        seed_locked=node.flag("seed_locked"),
    )


# -- timelines -------------------------------------------------------------------------------------------------------


def encode_clip(clip: Clip) -> Json:
    return {
        "id": clip.id,
        "media": clip.media_id,
        "name": clip.name,
        "start": clip.start,
        "duration": clip.duration,
        "in": fraction_text(clip.source_in),
        "speed": fraction_text(clip.speed),
        "link": clip.link,
        "enabled": clip.enabled,
        "gain_db": clip.gain_db,
        "look": None if clip.look is None else encode_look(clip.look),
        "takes": list(clip.takes),
        "active_take": clip.active_take,
    }


def decode_clip(node: Node, media: Collection[str] | None, takes: Collection[str] | None) -> Clip:
    media_id = node.ident("media")
    if media is not None and media_id not in media:
        complain(node.where, "shows media that the project does not have")
    speed = node.fraction("speed")
    if speed <= 0:
        complain(node.where, "has a speed out of range")
    listed = node.idents("takes")
    active = node.ident("active_take", optional=True)
    if takes is not None:
        # Takes are results: one that was lost is left out, the clip stays.
        listed = tuple(i for i in listed if i in takes)
        active = active if active in takes else ""
    return Clip(
        id=node.ident("id"),
        media_id=media_id,
        name=node.text("name"),
        start=node.integer("start"),
        duration=node.integer("duration", 1),
        source_in=node.fraction("in"),
        speed=speed,
        link=node.ident("link", optional=True),
        enabled=node.flag("enabled"),
        gain_db=node.number("gain_db", -1000, 1000),
        look=None if node.raw("look") is None else decode_look(node.node("look")),
        takes=listed,
        active_take=active,
    )


def encode_track(track: Track) -> Json:
    return {
        "id": track.id,
        "kind": track.kind.value,
        "name": track.name,
        "locked": track.locked,
        "muted": track.muted,
        "height": track.height,
        "clips": [encode_clip(clip) for clip in track.clips],
    }


def decode_track(node: Node, media: Collection[str] | None, takes: Collection[str] | None) -> Track:
    name = node.text("name")
    clips = tuple(decode_clip(n, media, takes) for n in node.nodes("clips", "clip"))
    cursor = 0
    for clip in clips:
        if clip.start < cursor:
            complain(node.where, f"has clips that overlap at frame {clip.start}")
        cursor = clip.end
    return Track(
        id=node.ident("id"),
        kind=node.choice("kind", TrackKind),
        name=name,
        clips=clips,
        locked=node.flag("locked"),
        muted=node.flag("muted"),
        height=node.integer("height", 1, 4096),
    )


def encode_sequence_head(sequence: Sequence) -> Json:
    """Everything of a sequence but its tracks; ``tracks`` lists their ids."""
    return {
        "id": sequence.id,
        "name": sequence.name,
        "rate": fraction_text(sequence.rate),
        "size": [sequence.width, sequence.height],
        "sample_rate": sequence.sample_rate,
        "markers": [
            {"id": m.id, "frame": m.frame, "name": m.name, "note": m.note, "colour": m.colour} for m in sequence.markers
        ],
        "in": sequence.in_point,
        "out": sequence.out_point,
        "tracks": [track.id for track in sequence.tracks],
    }


def encode_sequence(sequence: Sequence) -> Json:
    return {**encode_sequence_head(sequence), "tracks": [encode_track(track) for track in sequence.tracks]}


def decode_sequence_head(node: Node, tracks: Iterable[Track]) -> Sequence:
    width, height = _pair(node, "size")
    rate = node.fraction("rate")
    if not Fraction(1, 1000) <= rate <= 1000 or not width or not height:
        complain(node.where, "has a rate or size out of range")
    found = Sequence(
        id=node.ident("id"),
        name=node.text("name"),
        rate=rate,
        width=width,
        height=height,
        sample_rate=node.integer("sample_rate", 1000, 1 << 20),
        tracks=tuple(tracks),
        markers=tuple(
            Marker(
                id=n.ident("id"),
                frame=n.integer("frame"),
                name=n.text("name"),
                note=n.text("note"),
                colour=n.text("colour", limit=64),
            )
            for n in node.nodes("markers", "marker")
        ),
        in_point=node.optional_integer("in"),
        out_point=node.optional_integer("out"),
    )
    ids = [t.id for t in found.tracks] + [c.id for t in found.tracks for c in t.clips]
    if len(set(ids)) != len(ids):
        complain(node.where, "uses one id twice")
    return found


def decode_sequence(node: Node, media: Collection[str] | None, takes: Collection[str] | None) -> Sequence:
    return decode_sequence_head(node, [decode_track(n, media, takes) for n in node.nodes("tracks", "track")])


# -- masks -----------------------------------------------------------------------------------------------------------


def encode_raster(raster: MaskRaster) -> list[Any]:
    return [raster.width, raster.height, [list(tile) for tile in raster.tiles]]


def decode_raster(data: Any, where: str) -> MaskRaster:
    if not isinstance(data, list) or len(data) != 3 or not isinstance(data[2], list):
        complain(where, "is no matte")
    width, height = (integer(side, 1, _SIDE, where, "size") for side in data[:2])
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
    }


def encode_mask_frame(index: int, frame: MaskFrame) -> list[Any]:
    return [index, frame.anchor, frame.confidence, *encode_raster(frame.raster)]


def encode_mask(mask: MaskObject) -> Json:
    return {**encode_mask_head(mask), "frames": [encode_mask_frame(i, f) for i, f in mask.frames.items()]}


def decode_mask_frame(data: Any, where: str) -> tuple[int, MaskFrame]:
    if not isinstance(data, list) or len(data) != 6 or not isinstance(data[1], bool):
        complain(where, "has a broken matte")
    index = integer(data[0], 0, BIGGEST, where, "frame")
    confidence = Node({"confidence": data[2]}, where).number("confidence", 0, 1)
    raster = decode_raster(data[3:], f"frame {index} of {where}")
    return index, MaskFrame(raster=raster, anchor=data[1], confidence=confidence)


def decode_mask_head(node: Node, frames: dict[int, MaskFrame]) -> MaskObject:
    return MaskObject(
        id=node.ident("id"),
        media_id=node.ident("media"),
        name=node.text("name"),
        colour=node.colour("colour"),
        visible=node.flag("visible"),
        locked=node.flag("locked"),
        frames=frozen_map(frames),
    )


def decode_mask(node: Node) -> MaskObject:
    return decode_mask_head(node, dict(decode_mask_frame(data, node.where) for data in node.listing("frames")))


# -- takes -----------------------------------------------------------------------------------------------------------


def encode_take(take: Take) -> Json:
    return {
        "id": take.id,
        "media": take.media_id,
        "name": take.name,
        "request": take.request_digest,
        "recipe": take.recipe,
        "look": encode_look(take.look),
        "start": take.start,
        "stop": take.stop,
        "done": [list(run) for run in take.done],
        "size": [take.width, take.height],
        "created": take.created,
        "rating": take.rating,
        "flicker": take.flicker,
        "drift": take.drift,
    }


def decode_take(node: Node) -> Take:
    width, height = _pair(node, "size")
    done: list[tuple[int, int]] = []
    for run in node.listing("done"):
        if not isinstance(run, list) or len(run) != 2:
            complain(node.where, "has broken runs")
        start, stop = (integer(edge, 0, BIGGEST, node.where, "run") for edge in run)
        if stop <= start or (done and start < done[-1][1]):
            complain(node.where, "has broken runs")
        done.append((start, stop))
    return Take(
        id=node.ident("id"),
        media_id=node.ident("media"),
        name=node.text("name"),
        request_digest=node.word("request"),
        recipe=node.text("recipe"),
        look=decode_look(node.node("look")),
        start=node.integer("start"),
        stop=node.integer("stop"),
        done=tuple(done),
        width=width,
        height=height,
        created=node.text("created", limit=64),
        rating=node.integer("rating", -1, 5),
        flicker=node.optional_number("flicker", -1e12, 1e12),
        drift=node.optional_number("drift", -1e12, 1e12),
    )
