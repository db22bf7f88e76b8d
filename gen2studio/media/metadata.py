"""What an exported file says about itself: the recipes of its takes, and how its pictures came to be.

The same record is written into the file (MP4/MOV ``comment`` tag, PNG ``iTXt`` chunk, EXR attribute) and beside it as
``<name>.json``. XMP carries the IPTC digital source type (:mod:`gen2studio.media.provenance`): as a chunk in PNG, as a
``uuid`` box in MP4 and MOV, as an attribute in EXR. The frames of takes carry their recipe and type as well. Nothing in
a record is a path.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio import __version__
from gen2studio.core.errors import MediaError
from gen2studio.core.paths import part_file
from gen2studio.core.records import dataclass
from gen2studio.media import provenance
from gen2studio.media.provenance import ENHANCED, TRAINED, combined, recipe_fields

FORMAT = "gen2studio-export"
"""Value of ``format`` in a record: tells our sidecars from other programs' JSON."""
TAKE_FORMAT = "gen2studio-take"
"""Value of ``format`` in what a frame of a take says."""
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""User type of the ``uuid`` box that holds XMP in MP4 and MOV (XMP specification part 3)."""
_RECORD_KEYWORD = "Gen2Studio"
_MAX_READ = 64 << 20
_MOST_FRAME_RECIPE = 16 << 10
"""Characters of a recipe that every frame of a take carries; of a longer one only the digest. All of it lies beside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """A media file the exported range uses."""

    name: str
    fingerprint: str
    source_type: str = ""
    """The IPTC digital source type it declares, or empty."""
    shown: bool = True
    """Frames of the range show it as it is, not a take of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRecord:
    """A take the exported range uses. Its mattes are named by digest only: they can be megabytes."""

    take_id: str
    name: str
    media: str
    fingerprint: str
    generator: str
    revision: str
    seed: int | None
    prompt: str
    trained: bool
    request_digest: str
    recipe: str
    """Canonical JSON of the request, with ``masks`` emptied."""
    masks_digest: str = ""
    """SHA-256 of the emptied part; empty when there were no masks."""
    source_type: str = ""
    """The IPTC digital source type of its frames; empty in records of older versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRecord:
    """Everything an export tells about itself."""

    project: str
    preset: str
    width: int
    height: int
    rate: str
    """Frames per second as a fraction, ``30000/1001``."""
    frames: int
    first_frame: int = 0
    takes: tuple[TakeRecord, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    created: str = ""
    """ISO 8601 UTC."""
    program: str = f"Gen2 Studio {__version__}"

    @property
    def source_type(self) -> str:
        """The IPTC digital source type URI of all that is shown, or empty."""
        takes = (take.source_type or (TRAINED if take.trained else ENHANCED) for take in self.takes)
        return combined([*takes, *(held.source_type for held in self.inputs if held.shown)])

    @property
    def systems(self) -> tuple[str, str, str]:
        """Names, revisions and prompts of the trained generators, for readers who look for generated pictures."""
        made = [take for take in self.takes if take.trained]
        return (
            ", ".join(dict.fromkeys(take.generator for take in made if take.generator)),
            ", ".join(dict.fromkeys(take.revision for take in made if take.revision)),
            "; ".join(dict.fromkeys(take.prompt for take in made if take.prompt)),
        )

    def sentence(self) -> str:
        """One line for people who open the file's properties."""
        if not self.takes:
            return f"Exported by {self.program}."
        generators = ", ".join(sorted({f"{t.generator} {t.revision}".strip() for t in self.takes}))
        invented = {bool(recipe_fields(take.recipe).get("from_nothing")) for take in self.takes}
        what = "Made" if invented == {True} else "Restyled" if invented == {False} else "Made and restyled"
        return f"{what} with {generators} and exported by {self.program}."


def now() -> str:
    """The time of an export, ISO 8601 UTC to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def take_record(
    *,
    take_id: str,
    name: str,
    media: str,
    fingerprint: str,
    request_digest: str,
    recipe: str,
    generator: str,
    trained: bool,
    of_source: str = "",
) -> TakeRecord:
    """A take's record; revision, seed and prompt come from its recipe (canonical JSON of its request). ``of_source`` is
    the digital source type that its footage declares."""
    fields = recipe_fields(recipe)
    kind = provenance.type_of_recipe(fields, trained=None if fields.get("parts") else trained, of_source=of_source)
    parts: list[dict[str, Any]] = fields.get("parts") or []
    held = [part["masks"] for part in parts if part.get("masks")]
    masks = [fields.get("masks") or [], *held] if held else fields.get("masks") or []
    masks_digest = ""
    if masks:
        text = json.dumps(masks, sort_keys=True, separators=(",", ":"))
        masks_digest = hashlib.sha256(text.encode()).hexdigest()
        plain = {**fields, "masks": []} | ({"parts": [{**part, "masks": []} for part in parts]} if parts else {})
        recipe = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    seed = fields.get("seed")
    return TakeRecord(
        take_id=take_id,
        name=name,
        media=media,
        fingerprint=fingerprint,
        generator=generator,
        revision=str(fields.get("revision", "")),
        seed=seed if isinstance(seed, int) else None,
        prompt=str(fields.get("prompt", "")),
        trained=trained,
        request_digest=request_digest,
        recipe=recipe,
        masks_digest=masks_digest,
        source_type=kind,
    )


# -- JSON --------------------------------------------------------------------------------------------------------------


def record_json(record: ExportRecord, indent: int | None = None) -> str:
    """The record as JSON; recipes become objects so that people can read them."""
    plain: dict[str, Any] = {"format": FORMAT, "version": 1, **asdict(record)}
    plain["digital_source_type"] = record.source_type
    for take in plain["takes"]:
        with contextlib.suppress(ValueError):
            take["recipe"] = json.loads(take["recipe"])
    return json.dumps(plain, indent=indent, ensure_ascii=False)


def record_from_json(text: str) -> ExportRecord | None:
    """The record in ``text``, or None when it is not one of ours or is damaged."""
    try:
        plain: Any = json.loads(text)
        if not isinstance(plain, dict):
            return None
        table = cast("dict[str, Any]", plain)
        if table.get("format") != FORMAT:
            return None
        takes: list[TakeRecord] = []
        for entry in table["takes"]:
            fields: dict[str, Any] = dict(entry)
            if not isinstance(fields["recipe"], str):
                fields["recipe"] = json.dumps(fields["recipe"], sort_keys=True, separators=(",", ":"))
            takes.append(TakeRecord(**fields))
        inputs = tuple(InputRecord(**entry) for entry in table["inputs"])
        known = {"format", "version", "digital_source_type", "takes", "inputs"}
        rest = {key: value for key, value in table.items() if key not in known}
        return ExportRecord(**rest, takes=tuple(takes), inputs=inputs)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def sidecar_path(path: Path) -> Path:
    """``shot.mp4`` → ``shot.json``; a sequence folder ``shot`` → ``shot/shot.json``. Never another program's JSON."""
    wanted = path / f"{path.name}.json" if path.suffix == "" else path.with_suffix(".json")
    if wanted.is_file():
        try:
            foreign = record_from_json(wanted.read_text(encoding="utf-8")) is None
        except (OSError, UnicodeDecodeError):
            foreign = True
        if foreign:
            return wanted.with_name(f"{path.stem}.gen2studio.json")
    return wanted


def write_sidecar(path: Path, record: ExportRecord) -> Path:
    """Write the record beside the export ``path`` (inside it for a folder) and return where."""
    target = sidecar_path(path)
    with part_file(target) as part:
        part.write_text(record_json(record, indent=2) + "\n", encoding="utf-8")
    return target


# -- MP4 and MOV -------------------------------------------------------------------------------------------------------


def container_tags(record: ExportRecord) -> dict[str, str]:
    """Metadata tags for an MP4 or MOV written with ``movflags use_metadata_tags``."""
    tags = {
        "title": record.project,
        "description": record.sentence(),
        "comment": record_json(record),
        "creation_time": record.created or now(),
    }
    if record.source_type:
        tags[provenance.TYPE_TAG] = record.source_type
    return tags


def xmp_packet(record: ExportRecord) -> str:
    """The XMP packet of an export."""
    systems, versions, prompts = record.systems
    return provenance.xmp_packet(
        kind=record.source_type, tool=record.program, sentence=record.sentence(), created=record.created,
        systems=systems, versions=versions, prompts=prompts,
    )  # fmt: skip


def append_xmp_box(path: Path, record: ExportRecord) -> None:
    """Add the XMP packet to a finished MP4 or MOV as a top-level ``uuid`` box at its end; no offsets move."""
    packet = xmp_packet(record).encode()
    with open(path, "ab") as stream:
        stream.write(struct.pack(">I4s16s", 24 + len(packet), b"uuid", _XMP_BOX) + packet)


# -- PNG ---------------------------------------------------------------------------------------------------------------


def png_text(record: ExportRecord) -> dict[str, str]:
    """Text chunks for a PNG: the record, a sentence, and XMP."""
    return {
        "Software": record.program,
        "Description": record.sentence(),
        _RECORD_KEYWORD: record_json(record),
        provenance.XMP_KEYWORD: xmp_packet(record),
    }


def exr_text(record: ExportRecord) -> dict[str, str]:
    """String attributes for an EXR file: as in PNG and MP4, and ``comments``, which viewers show."""
    text = {
        "software": record.program,
        "comments": record.sentence(),
        _RECORD_KEYWORD.lower(): record_json(record),
        "xmp": xmp_packet(record),
    }
    if record.source_type:
        text[provenance.TYPE_TAG] = record.source_type
    return text


def take_text(digest: str, recipe: str, of_source: str = "") -> dict[str, str]:
    """Text chunks for the frames of a take: its recipe, and XMP. The same text for every frame, machine and day."""
    take = take_record(
        take_id="", name="", media="", fingerprint="", request_digest=digest, recipe=recipe,
        generator=str(recipe_fields(recipe).get("generator") or recipe_fields(recipe).get("operator") or ""),
        trained=any(name not in provenance.WEIGHT_FREE for name in _makers(recipe_fields(recipe))), of_source=of_source,
    )  # fmt: skip
    record = ExportRecord(project="", preset="", width=0, height=0, rate="", frames=0, takes=(take,))
    plain: dict[str, Any] = {"format": TAKE_FORMAT, "version": 1, "digest": digest, "type": take.source_type,
             "masks_digest": take.masks_digest}  # fmt: skip
    if len(take.recipe) <= _MOST_FRAME_RECIPE:
        plain["recipe"] = recipe_fields(take.recipe)
    systems, versions, prompts = record.systems
    packet = provenance.xmp_packet(
        kind=take.source_type, tool=record.program, sentence=f"A frame made with {take.generator} {take.revision}.",
        systems=systems, versions=versions, prompts=prompts,
    )  # fmt: skip
    return {
        "Software": record.program,
        _RECORD_KEYWORD: json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        provenance.XMP_KEYWORD: packet,
    }


def _makers(fields: Mapping[str, Any]) -> list[str]:
    """Ids of the generators, or the operator, that a recipe names."""
    parts: Any = fields.get("parts") or [fields]
    return [str(part.get("generator") or part.get("operator") or "") for part in parts]


def _take_frame(text: str) -> ExportRecord | None:
    """What a frame of a take says, as the record of an export of nothing but that take."""
    fields = recipe_fields(text)
    recipe = fields.get("recipe")
    if fields.get("format") != TAKE_FORMAT or not isinstance(recipe, dict):
        return None
    held = cast("dict[str, Any]", recipe)
    maker = str(held.get("generator") or held.get("operator") or "")
    take = take_record(
        take_id="", name="", media="", fingerprint="", request_digest=str(fields.get("digest", "")),
        recipe=json.dumps(held, sort_keys=True, separators=(",", ":")), generator=maker,
        trained=any(name not in provenance.WEIGHT_FREE for name in _makers(held)),
    )  # fmt: skip
    if fields.get("type") in (TRAINED, provenance.COMPOSITE, ENHANCED):
        # What its footage declared and its mattes decided is no longer in the recipe.
        take = replace(take, source_type=str(fields["type"]))
    return ExportRecord(project="", preset="", width=0, height=0, rate="", frames=1, takes=(take,))


def png_with_chunks(data: bytes, text: Mapping[str, str], srgb: bool = True) -> bytes:
    """``data`` (a PNG file) with an ``sRGB`` chunk and ``iTXt`` chunks after its header, instead of what text it had.

    Texts longer than 1 kB are compressed, except XMP, which readers look for in the clear.
    """
    return with_chunks(_without_text(data), (_png_chunk(b"sRGB", b"\x00") if srgb else b"") + text_chunks(text))


def _without_text(data: bytes) -> bytes:
    kept, position = [data[:8]], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if data[position + 4 : position + 8] not in (b"iTXt", b"tEXt", b"zTXt", b"sRGB"):
            kept.append(data[position:end])
        position = end
    return b"".join(kept)


def with_chunks(data: bytes, chunks: bytes) -> bytes:
    """``data`` (a PNG file) with packed chunks after its header."""
    if not data.startswith(_PNG_MAGIC):
        raise ValueError("not a PNG file")
    header_end = 8 + 8 + 13 + 4
    return data[:header_end] + chunks + data[header_end:]


def text_chunks(text: Mapping[str, str]) -> bytes:
    """``iTXt`` chunks, packed; see :func:`png_with_chunks`."""
    chunks: list[bytes] = []
    for keyword, value in text.items():
        raw = value.encode("utf-8")
        packed = len(raw) > 1024 and not keyword.startswith("XML:")
        body = keyword.encode("latin-1") + (b"\0\1\0\0\0" if packed else b"\0\0\0\0\0")
        chunks.append(_png_chunk(b"iTXt", body + (zlib.compress(raw, 6) if packed else raw)))
    return b"".join(chunks)


def _png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png_chunks(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """(kind, body) of the chunks before the pixels."""
    with open(path, "rb") as stream:
        if stream.read(8) != _PNG_MAGIC:
            return
        while len(header := stream.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind in (b"IDAT", b"IEND") or length > _MAX_READ:
                return
            body = stream.read(length)
            stream.read(4)
            yield kind, body


def read_png_text(path: Path) -> dict[str, str]:
    """All ``tEXt`` and ``iTXt`` entries before a PNG's pixels; damaged ones are left out."""
    found: dict[str, str] = {}
    for kind, body in _png_chunks(path):
        with contextlib.suppress(ValueError, IndexError, zlib.error):
            if kind == b"tEXt":
                keyword, value = body.split(b"\0", 1)
                found[keyword.decode("latin-1")] = value.decode("latin-1")
            elif kind == b"iTXt":
                keyword, rest = body.split(b"\0", 1)
                _language, _translated, raw = rest[2:].split(b"\0", 2)
                if rest[0]:
                    unpacker = zlib.decompressobj()
                    raw = unpacker.decompress(raw, _MAX_READ)
                found[keyword.decode("latin-1")] = raw.decode("utf-8")
    return found


# -- reading back ------------------------------------------------------------------------------------------------------


def read_recipe(path: Path) -> ExportRecord | None:
    """The record an export carries: from the file itself, from a folder's first picture, or from the sidecar.

    Returns None when there is none. Raises MediaError when the file can't be read at all.
    """
    if not path.exists():
        raise MediaError(f"“{path}” is not there.", "Check the path.")
    try:
        for candidate in _carriers(path):
            if (record := _embedded(candidate)) is not None:
                return record
    except OSError as error:
        raise MediaError(f"“{path}” can't be read: {error.strerror or error}.", "Check its permissions.") from error
    return None


def _carriers(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield path / f"{path.name}.json"
        yield from sorted(path.glob("*.png"))[:1]
        yield from sorted(path.glob("*.exr"))[:1]
        return
    yield path
    yield path.with_suffix(".json")
    yield path.with_name(f"{path.stem}.gen2studio.json")


def _embedded(path: Path) -> ExportRecord | None:
    if not path.is_file():
        return None
    suffix = path.suffix.lower()
    if suffix == ".json":
        if path.stat().st_size > _MAX_READ:
            return None
        return record_from_json(path.read_text(encoding="utf-8", errors="replace"))
    if suffix == ".png":
        text = read_png_text(path).get(_RECORD_KEYWORD, "")
        return record_from_json(text) or _take_frame(text)
    if suffix == ".exr":
        from gen2studio.media.exr_header import read_headers

        try:
            return record_from_json(dict(read_headers(path)[0].text).get(_RECORD_KEYWORD.lower(), ""))
        except MediaError:
            return None
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            return record_from_json(container.metadata.get("comment", ""))
    except FFmpegError:
        return None
