"""JSON forms of the parts of a document: media, takes, training sets. Each pair is lossless."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from gen2studio.core.media_info import AudioInfo, ColourTags, MediaInfo, MediaKind
from gen2studio.document.codec_looks import decode_look, encode_look
from gen2studio.document.codec_paths import load_path, store_path
from gen2studio.document.codec_reader import BIGGEST, Node, complain, fraction_text, integer, pair
from gen2studio.document.model import (
    CLIP_WINDOWS,
    EXPERTS,
    METHODS,
    OPTIMISERS,
    Document,
    Lead,
    MediaItem,
    Shot,
    SourceView,
    Take,
    TrainingClip,
    TrainingImage,
    TrainingSet,
)

Json = dict[str, Any]

PROXIES = ("auto", "always", "never")


# -- media -----------------------------------------------------------------------------------------------------------


def encode_media(item: MediaItem, base: Path | None) -> Json:
    shot = item.shot
    return {
        "id": item.id,
        "name": item.name,
        "path": store_path(item.path, base) if item.path else "",
        "fingerprint": item.fingerprint,
        "info": encode_info(item.info),
        "shot": shot and _encode_shot(shot),
        # Written where they are: files from before there were nested timelines and proxies need no other form.
        **({"nested": item.nested} if item.nested else {}),
        **({"proxy": item.proxy} if item.proxy != "auto" else {}),
    }


def decode_media(node: Node, base: Path | None) -> MediaItem:
    nested = node.ident("nested", optional=True)
    path = node.text("path")
    proxy = node.text("proxy", "auto", limit=16)
    if proxy not in PROXIES:
        complain(node.where, "has an unknown proxy")
    if nested and path:
        complain(node.where, "is a timeline and a file")
    return MediaItem(
        id=node.ident("id"),
        name=node.text("name"),
        path="" if nested else load_path(path, base, node.where),
        fingerprint=node.word("fingerprint"),
        info=decode_info(node.node("info")),
        shot=None if node.raw("shot") is None else _shot(node.node("shot")),
        nested=nested,
        proxy=proxy,
    )


def encode_sources(document: Document) -> list[Json]:
    """How files were left in the source viewer, of files that the project still has."""
    return [
        {"media": key, "in": view.start, "out": view.stop, "at": view.playhead}
        for key, view in document.sources.items()
        if key in document.media
    ]


def decode_sources(root: Node, media: Mapping[str, MediaItem]) -> dict[str, SourceView]:
    """Raises ProjectError; what belongs to no file of the project is left out."""
    found: dict[str, SourceView] = {}
    for data in root.listing("sources", []):
        node = Node(data, "a mark of the source viewer")
        view = SourceView(
            start=node.optional_integer("in"), stop=node.optional_integer("out"), playhead=node.integer("at")
        )
        if view.start is not None and view.stop is not None and view.stop <= view.start:
            complain(node.where, "ends before it begins")
        if (key := node.ident("media")) in media:
            found[key] = view
    return found


def _encode_shot(shot: Shot) -> Json:
    lead = shot.lead
    return {
        "size": [shot.width, shot.height],
        "rate": fraction_text(shot.rate),
        "frames": shot.frames,
        "lead": lead and {"media": lead.media_id, "take": lead.take_id, "start": lead.start, "stop": lead.stop},
    }


def _shot(node: Node) -> Shot:
    width, height = pair(node, "size")
    rate = node.fraction("rate")
    if not width or not height or not Fraction(1, 1000) <= rate <= 1000:
        complain(node.where, "has a rate or size out of range")
    lead = None if node.raw("lead") is None else node.node("lead")
    return Shot(
        width=width,
        height=height,
        rate=rate,
        frames=node.integer("frames", 1),
        lead=lead
        and Lead(
            media_id=lead.ident("media"),
            take_id=lead.ident("take", optional=True),
            start=lead.integer("start"),
            stop=lead.integer("stop"),
        ),
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
    width, height = pair(node, "size")
    coded_width, coded_height = pair(node, "coded_size")
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


# -- takes -----------------------------------------------------------------------------------------------------------


def encode_take(take: Take, base: Path | None = None) -> Json:
    return {
        "id": take.id,
        "media": take.media_id,
        "name": take.name,
        "request": take.request_digest,
        "recipe": take.recipe,
        "look": encode_look(take.look, base),
        "start": take.start,
        "stop": take.stop,
        "done": [list(run) for run in take.done],
        "size": [take.width, take.height],
        "created": take.created,
        "rating": take.rating,
        "flicker": take.flicker,
        "drift": take.drift,
        **({"pinned": True} if take.pinned else {}),
    }


def decode_take(node: Node, base: Path | None = None) -> Take:
    width, height = pair(node, "size")
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
        look=decode_look(node.node("look"), base),
        start=node.integer("start"),
        stop=node.integer("stop"),
        done=tuple(done),
        width=width,
        height=height,
        created=node.text("created", limit=64),
        rating=node.integer("rating", -1, 5),
        flicker=node.optional_number("flicker", -1e12, 1e12),
        drift=node.optional_number("drift", -1e12, 1e12),
        pinned=node.flag("pinned", default=False),
    )


# -- training sets ---------------------------------------------------------------------------------------------------


def encode_training_set(found: TrainingSet) -> Json:
    return {
        "id": found.id,
        "name": found.name,
        "trigger": found.trigger,
        "kind": found.kind,
        "images": [
            {
                "digest": i.digest, "name": i.name, "caption": i.caption,
                "crop": None if i.crop is None else list(i.crop),
                **({"clip": [i.clip.media_id, i.clip.start, i.clip.stop]} if i.clip is not None else {}),
            }
            for i in found.images
        ],
        "generator": found.generator,
        "steps": found.steps,
        "rank": found.rank,
        "learning_rate": found.learning_rate,
        # These and those below are written where they say something: older files need no other form.
        **({"method": found.method} if found.method != "lora" else {}),
        **({"vectors": found.vectors} if found.vectors else {}),
        **({"initial": found.initial} if found.initial else {}),
        **({"optimiser": found.optimiser} if found.optimiser else {}),
        "seed": found.seed,
        # Written where it is on: files from before there was a choice need no other form.
        **({"prior": found.prior} if found.prior else {}),
        **({"size": list(found.size)} if any(found.size) else {}),
        **({"clip_frames": found.clip_frames} if found.clip_frames else {}),
        **({"clip_windows": found.clip_windows} if found.clip_windows != "uniform" else {}),
        **({"every_frame": True} if found.every_frame else {}),
        **({"experts": found.experts} if found.experts != "both" else {}),
    }  # fmt: skip


def decode_training_set(node: Node) -> TrainingSet:
    kind = node.word("kind")
    if kind not in ("subject", "style"):
        complain(node.where, "has an unknown kind")
    return TrainingSet(
        id=node.ident("id"),
        name=node.text("name"),
        trigger=node.text("trigger"),
        kind=kind,
        images=tuple(
            TrainingImage(
                digest=n.hexadecimal("digest", 64),
                name=n.text("name"),
                caption=n.text("caption"),
                crop=_crop(n),
                clip=_clip(n),
            )
            for n in node.nodes("images", "image")
        ),
        generator=node.word("generator"),
        steps=node.integer("steps", 0, 1 << 24),
        rank=node.integer("rank", 1, 4096),
        learning_rate=node.number("learning_rate", 0, 1),
        method=_one_of(node, "method", METHODS, "lora"),
        vectors=node.integer("vectors", 0, 1024, default=0),
        initial=node.text("initial", ""),
        optimiser=_one_of(node, "optimiser", OPTIMISERS, ""),
        seed=node.integer("seed", -(1 << 63), (1 << 64) - 1),
        prior=node.number("prior", 0, 1, default=0.0),
        size=_training_size(node),
        clip_frames=node.integer("clip_frames", 0, 1 << 16, default=0),
        clip_windows=_one_of(node, "clip_windows", CLIP_WINDOWS, "uniform"),
        every_frame=node.flag("every_frame", default=False),
        experts=_one_of(node, "experts", EXPERTS, "both"),
    )


def _one_of(node: Node, key: str, allowed: tuple[str, ...], default: str) -> str:
    found = node.word(key, default)
    if found not in allowed:
        complain(node.where, f"has an unknown {key}")
    return found


def _training_size(node: Node) -> tuple[int, int]:
    sides = node.listing("size", [0, 0])
    if len(sides) != 2:
        complain(node.where, "has no valid size")
    width, height = (integer(side, 0, 1 << 14, node.where, "size") for side in sides)
    return width, height


def _clip(node: Node) -> TrainingClip | None:
    found = node.listing("clip", [])
    if not found:
        return None
    if len(found) != 3:
        complain(node.where, "has no valid clip")
    media_id = Node({"media": found[0]}, node.where).ident("media")
    start, stop = (integer(edge, 0, BIGGEST, node.where, "clip") for edge in found[1:])
    if stop <= start:
        complain(node.where, "has a clip without frames")
    return TrainingClip(media_id=media_id, start=start, stop=stop)


def _crop(node: Node) -> tuple[float, float, float, float] | None:
    if node.raw("crop") is None:
        return None
    sides = node.listing("crop")
    if len(sides) != 4:
        complain(node.where, "has no valid crop")
    x, y, width, height = (Node({"crop": side}, node.where).number("crop", 0, 1) for side in sides)
    if not width or not height:
        complain(node.where, "has a crop out of range")
    return x, y, width, height
