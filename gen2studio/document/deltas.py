"""What changed between two documents, as JSON: the records of the autosave journal.

Documents share what they did not change, so a difference is found by identity and costs what the edit touched. Records
are plain JSON and are applied to plain JSON; only the final result is decoded (strictly) into a document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from gen2studio.document import codec
from gen2studio.document import codec_masks as mattes
from gen2studio.document import codec_parts as parts
from gen2studio.document import codec_timeline as timelines
from gen2studio.document.codec_boards import encode_board
from gen2studio.document.codec_looks import encode_look
from gen2studio.document.codec_reader import complain
from gen2studio.document.model import Document, MaskObject, MediaItem

Json = dict[str, Any]
_WHOLE = ("media", "takes", "boards", "training_sets")
"""Mappings whose entries are recorded whole."""
T = TypeVar("T")


def difference(old: Document, new: Document) -> Json:
    """The record that turns ``old`` into ``new``; empty when nothing differs. Paths are absolute."""
    record: Json = {}
    head: Json = {
        key: value
        for key, value in (("id", new.id), ("name", new.name), ("active_sequence", new.active_sequence))
        if getattr(old, key) != value
    }
    if old.default_look is not new.default_look:
        head["default_look"] = encode_look(new.default_look)
    if old.sources is not new.sources:
        head["sources"] = parts.encode_sources(new)
    if head:
        record["head"] = head
    _mapping(record, "media", old.media, new.media, _encode_media)
    _mapping(record, "takes", old.takes, new.takes, parts.encode_take)
    _mapping(record, "sequences", old.sequences, new.sequences, timelines.encode_sequence_head)
    _mapping(record, "boards", old.boards, new.boards, encode_board)
    _mapping(record, "training_sets", old.training_sets, new.training_sets, parts.encode_training_set)
    _mapping(record, "masks", old.masks, new.masks, mattes.encode_mask_head)
    known = {track.id: track for sequence in old.sequences.values() for track in sequence.tracks}
    tracks = [
        timelines.encode_track(track)
        for key, sequence in new.sequences.items()
        if old.sequences.get(key) is not sequence
        for track in sequence.tracks
        if known.get(track.id) is not track
    ]
    if tracks:
        record["tracks"] = tracks
    frames = {
        key: change
        for key, mask in new.masks.items()
        if old.masks.get(key) is not mask and (change := _frames(old.masks.get(key), mask))
    }
    if frames:
        record["frames"] = frames
    return record


def _encode_media(item: MediaItem) -> Json:
    return parts.encode_media(item, None)


def _mapping(record: Json, name: str, old: Mapping[str, T], new: Mapping[str, T], encode: Any) -> None:
    if old is new:
        return
    changed = [encode(value) for key, value in new.items() if old.get(key) is not value]
    gone = [key for key in old if key not in new]
    if changed:
        record[name] = changed
    if gone:
        record[f"{name}_gone"] = gone
    order = [key for key in old if key in new] + [key for key in new if key not in old]
    if order != list(new):
        record[f"{name}_order"] = list(new)


def _frames(old: MaskObject | None, new: MaskObject) -> Json:
    before = old.frames if old is not None else {}
    if before is new.frames:
        return {}
    change: Json = {}
    changed = [mattes.encode_mask_frame(i, f) for i, f in new.frames.items() if before.get(i) is not f]
    gone = [i for i in before if i not in new.frames]
    if changed:
        change["set"] = changed
    if gone:
        change["gone"] = gone
    return change


class Replay:
    """A document in JSON form that records are applied to. Raises ProjectError for records that make no sense."""

    def __init__(self, data: Json) -> None:
        """``data`` is :func:`gen2studio.document.codec.encode`'s form with absolute paths."""
        try:
            self._take_apart(data)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            complain("its journal", "holds a document that can't be read")

    def _take_apart(self, data: Json) -> None:
        apart = (*_WHOLE, "sequences", "masks")
        self._head = {k: v for k, v in data.items() if k not in apart}
        # An older version's document has fewer of them; what it lacks is brought up when the result is decoded.
        self._whole = tuple(name for name in _WHOLE if name in data)
        self._maps: dict[str, Json] = {name: {e["id"]: e for e in data[name]} for name in self._whole}
        self._tracks: Json = {t["id"]: t for s in data["sequences"] for t in s["tracks"]}
        self._maps["sequences"] = {
            s["id"]: {**s, "tracks": [track["id"] for track in s["tracks"]]} for s in data["sequences"]
        }
        self._frames: dict[str, dict[int, Any]] = {m["id"]: {f[0]: f for f in m["frames"]} for m in data["masks"]}
        self._maps["masks"] = {m["id"]: {k: v for k, v in m.items() if k != "frames"} for m in data["masks"]}

    def apply(self, record: Json) -> None:
        try:
            self._head.update(record.get("head", {}))
            for name, entries in self._maps.items():
                for key in record.get(f"{name}_gone", ()):
                    entries.pop(key, None)
                for entry in record.get(name, ()):
                    entries[entry["id"]] = entry
                if f"{name}_order" in record:
                    self._maps[name] = {key: entries[key] for key in record[f"{name}_order"]}
            for track in record.get("tracks", ()):
                self._tracks[track["id"]] = track
            for key, change in record.get("frames", {}).items():
                frames = self._frames.setdefault(key, {})
                for index in change.get("gone", ()):
                    frames.pop(index, None)
                for frame in change.get("set", ()):
                    frames[frame[0]] = frame
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            complain("its journal", "holds a record that does not fit")

    def document(self) -> Document:
        """Decode the result. Raises ProjectError."""
        try:
            data = {
                **self._head,
                **{name: list(self._maps[name].values()) for name in self._whole},
                "sequences": [
                    {**head, "tracks": [self._tracks[key] for key in head["tracks"]]}
                    for head in self._maps["sequences"].values()
                ],
                "masks": [
                    {**head, "frames": list(self._frames.get(key, {}).values())}
                    for key, head in self._maps["masks"].items()
                ],
            }
        except (KeyError, TypeError):
            complain("its journal", "holds records that do not fit together")
        return codec.decode(data, None)
