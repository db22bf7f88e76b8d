"""The document as versioned JSON, and back without loss. Reading is strict: damage is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from gen2studio.core.frozen import frozen_map
from gen2studio.document import codec_masks as mattes
from gen2studio.document import codec_parts as parts
from gen2studio.document import codec_timeline as timelines
from gen2studio.document.codec_boards import decode_board, encode_board
from gen2studio.document.codec_looks import decode_look, encode_look
from gen2studio.document.codec_reader import Node, complain, parse_json
from gen2studio.document.migrations import VERSION, migrate
from gen2studio.document.model import Document, MediaItem, Sequence
from gen2studio.document.nesting import holds_itself


class _WithId(Protocol):
    @property
    def id(self) -> str: ...


T = TypeVar("T", bound=_WithId)


def encode(document: Document, base: Path | None) -> dict[str, Any]:
    """JSON-ready form. ``base`` is the project folder: media inside or near it is stored relative to it."""
    return {
        "format": "gen2studio",
        "version": VERSION,
        "id": document.id,
        "name": document.name,
        "active_sequence": document.active_sequence,
        "default_look": encode_look(document.default_look, base),
        "media": [parts.encode_media(item, base) for item in document.media.values()],
        "sequences": [timelines.encode_sequence(sequence, base) for sequence in document.sequences.values()],
        "masks": [mattes.encode_mask(mask) for mask in document.masks.values()],
        "takes": [parts.encode_take(take, base) for take in document.takes.values()],
        "boards": [encode_board(board, base) for board in document.boards.values()],
        "training_sets": [parts.encode_training_set(found) for found in document.training_sets.values()],
        # Written where there are any: files from before marks were kept need no other form.
        **({"sources": sources} if (sources := parts.encode_sources(document)) else {}),
    }


def decode(data: dict[str, Any], base: Path | None) -> Document:
    """The document of :func:`encode`'s form, of this or an older version. Raises ProjectError. May change ``data``."""
    root = Node(migrate(data), "it")
    media = _by_id((parts.decode_media(n, base) for n in root.nodes("media", "media")), "media")
    takes = {
        take_id: take
        for take_id, take in _by_id((parts.decode_take(n, base) for n in root.nodes("takes", "take")), "takes").items()
        if take.media_id in media
    }
    sequences = _by_id(
        (timelines.decode_sequence(n, media, takes, base) for n in root.nodes("sequences", "sequence")), "sequences"
    )
    _check_nesting(media, sequences)
    masks = _by_id((mattes.decode_mask(n) for n in root.nodes("masks", "mask")), "masks")
    for mask in masks.values():
        if mask.media_id not in media:
            complain(f"mask {mask.name}", "belongs to media that the project does not have")
    boards = _by_id((decode_board(n, base) for n in root.nodes("boards", "storyboard")), "storyboards")
    training = _by_id(
        (parts.decode_training_set(n) for n in root.nodes("training_sets", "training set")), "training sets"
    )
    active = root.ident("active_sequence", optional=True)
    if active and active not in sequences:
        complain("the active timeline", "is not in the project")
    return Document(
        id=root.ident("id"),
        name=root.text("name"),
        media=frozen_map(media),
        sequences=frozen_map(sequences),
        active_sequence=active,
        masks=frozen_map(masks),
        takes=frozen_map(takes),
        default_look=decode_look(root.node("default_look"), base),
        boards=frozen_map(boards),
        training_sets=frozen_map(training),
        sources=frozen_map(parts.decode_sources(root, media)),
    )


def dumps(document: Document, base: Path | None) -> bytes:
    """The text of ``project.json``."""
    return json.dumps(encode(document, base), ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()


def loads(text: bytes, base: Path | None) -> Document:
    """The document of :func:`dumps`'s text. Raises ProjectError."""
    return decode(parse_json(text), base)


def _by_id(items: Iterable[T], what: str) -> dict[str, T]:
    found: dict[str, T] = {}
    for item in items:
        if item.id in found:
            complain(f"one of its {what}", "uses an id twice")
        found[item.id] = item
    return found


def _check_nesting(media: dict[str, MediaItem], sequences: dict[str, Sequence]) -> None:
    """Every nested timeline is in the project, and none holds itself."""
    for item in media.values():
        if item.nested and item.nested not in sequences:
            complain(f"media {item.name}", "is a timeline that the project does not have")
    if holds_itself(media, sequences.values()):
        complain("one of its timelines", "holds itself")
