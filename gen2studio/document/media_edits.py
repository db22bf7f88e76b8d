"""Edits on the media pool: pure functions ``Document → Document`` that raise EditRefused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map, with_item, without
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document.edits_tracks import named
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Document, MediaItem, Sequence
from gen2studio.document.nesting import followed
from gen2studio.document.transition_fit import refit


def media_of(document: Document, media_id: str) -> MediaItem:
    """The media item with this id. Raises EditRefused."""
    found = document.media.get(media_id)
    if found is None:
        raise EditRefused("That media is no longer in the project.", "Choose another file.")
    return found


def find_by_path(document: Document, path: str) -> MediaItem | None:
    """The item that already stands for a file, so that dropping it twice does not import it twice."""
    return next((item for item in document.media.values() if item.path == path), None)


def used_by(document: Document, media_id: str) -> int:
    """How many clips on all timelines show a media item."""
    return sum(clip.media_id == media_id for s in document.sequences.values() for _, clip in each_clip(s))


def add_media(document: Document, *items: MediaItem) -> Document:
    for item in items:
        if item.id in document.media:
            raise EditRefused(f"“{item.name}” is already in the project.", "Use the one in the media pool.")
    return replace(document, media=frozen_map({**document.media, **{i.id: i for i in items}})) if items else document


def set_proxy(document: Document, media_ids: Collection[str], wish: str) -> Document:
    """``auto`` (a proxy is made when the media would play badly), ``always`` or ``never``. Raises EditRefused."""
    if wish not in ("auto", "always", "never"):
        raise EditRefused(f"There is no such choice for proxies: {wish}.", "Choose automatic, always or never.")
    changed = {i: item for i in media_ids if (item := media_of(document, i)).proxy != wish}
    if not changed:
        return document
    media = {i: replace(item, proxy=wish) if i in changed else item for i, item in document.media.items()}
    return replace(document, media=frozen_map(media))


def remove_media(document: Document, media_ids: Collection[str], *, with_clips: bool = False) -> Document:
    """Remove media with their masks and takes. Refuses when clips use them, unless ``with_clips`` removes those too."""
    sequences: dict[str, Sequence] = {}
    for media_id in media_ids:
        item = media_of(document, media_id)
        count = used_by(document, media_id)
        if count and not with_clips:
            clips = "a clip" if count == 1 else f"{count} clips"
            raise EditRefused(
                f"“{item.name}” is used by {clips} on the timeline.", "Delete them first, or remove both."
            )
    for sequence in document.sequences.values():
        tracks = tuple(
            refit(replace(track, clips=tuple(c for c in track.clips if c.media_id not in media_ids)), sequence.rate)
            if any(c.media_id in media_ids for c in track.clips)
            else track
            for track in sequence.tracks
        )
        locked = [new.name for new, old in zip(tracks, sequence.tracks, strict=True) if new is not old and old.locked]
        if locked:
            raise EditRefused(f"Track {locked[0]} is locked.", "Unlock it first.")
        changed = any(new is not old for new, old in zip(tracks, sequence.tracks, strict=True))
        sequences[sequence.id] = replace(sequence, tracks=tracks) if changed else sequence
    left = replace(
        document,
        media=without(document.media, *media_ids),
        sequences=frozen_map(sequences),
        masks=frozen_map({k: m for k, m in document.masks.items() if m.media_id not in media_ids}),
        takes=frozen_map({k: t for k, t in document.takes.items() if t.media_id not in media_ids}),
    )
    return followed(left)


def relink(document: Document, media_id: str, path: str, fingerprint: str, info: MediaInfo | None = None) -> Document:
    """Point a media item at another file: a moved one, or a replacement of its kind."""
    item = media_of(document, media_id)
    facts = info or item.info
    moving = (MediaKind.VIDEO, MediaKind.SEQUENCE)
    if facts.kind is not item.info.kind and not (facts.kind in moving and item.info.kind in moving):
        raise EditRefused(
            f"“{item.name}” is {_a(item.info.kind)} and that file is {_a(facts.kind)}.",
            "Choose a file of the same kind.",
        )
    if (facts.width, facts.height) != (item.info.width, item.info.height) and document.masks_of(media_id):
        raise EditRefused(
            f"“{item.name}” has masks and that file has another picture size.", "Choose a file of the same size."
        )
    changed = replace(item, path=path, fingerprint=fingerprint, info=facts)
    return document if changed == item else _with_item(document, changed)


def rename_media(document: Document, media_id: str, name: str) -> Document:
    item = media_of(document, media_id)
    return replace(document, media=with_item(document.media, media_id, replace(item, name=named(name, "Media"))))


def set_info(document: Document, media_id: str, info: MediaInfo) -> Document:
    """Note facts found out later (the exact frame count). Does nothing for media that is gone."""
    item = document.media.get(media_id)
    if item is None or item.info == info:
        return document
    return _with_item(document, replace(item, info=info))


def _with_item(document: Document, item: MediaItem) -> Document:
    """Other facts of a media item; transitions shrink where it is shorter than it was said to be."""
    old = document.media[item.id]
    document = replace(document, media=with_item(document.media, item.id, item))
    if item.info.duration >= old.info.duration:
        return document
    sequences: dict[str, Sequence] = {}
    for key, sequence in document.sequences.items():
        tracks = tuple(refit(track, sequence.rate, document.media) for track in sequence.tracks)
        same = all(new is was for new, was in zip(tracks, sequence.tracks, strict=True))
        sequences[key] = sequence if same else replace(sequence, tracks=tracks)
    same = all(sequences[key] is was for key, was in document.sequences.items())
    return document if same else replace(document, sequences=frozen_map(sequences))


def _a(kind: MediaKind) -> str:
    return {
        MediaKind.VIDEO: "a video",
        MediaKind.AUDIO: "sound",
        MediaKind.STILL: "a still",
        MediaKind.SEQUENCE: "an image sequence",
    }[kind]
