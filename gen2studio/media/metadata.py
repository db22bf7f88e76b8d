"""What an exported file says about itself: the recipes of its takes, and how its pictures came to be.

The same record is written into the file (MP4/MOV ``comment`` tag, PNG ``iTXt`` chunk) and beside it as ``<name>.json``.
XMP carries the IPTC digital source type (https://cv.iptc.org/newscodes/digitalsourcetype/):

- ``trainedAlgorithmicMedia`` only when a trained generator made a take that is used;
- ``algorithmicallyEnhanced`` when all takes come from weight-free synthesis. Its pictures are the footage itself,
  repainted by an algorithm that learned from no sampled content; ``algorithmicMedia`` would deny the camera behind
  them, and the trained term would claim a model that is not there;
- nothing when no take is used: where plain footage came from is not ours to say.
"""

from __future__ import annotations

import contextlib
import hashlib
import html
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from gen2studio import __version__
from gen2studio.core.errors import MediaError
from gen2studio.core.paths import part_file
from gen2studio.core.records import dataclass

FORMAT = "gen2studio-export"
"""Value of ``format`` in a record: tells our sidecars from other programs' JSON."""
TRAINED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
ENHANCED = "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced"
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_XMP_BOX = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
"""User type of the ``uuid`` box that holds XMP in MP4 and MOV (XMP specification part 3)."""
_RECORD_KEYWORD = "Gen2Studio"
_MAX_READ = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """A media file the exported range uses."""

    name: str
    fingerprint: str


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
        """The IPTC digital source type URI, or empty."""
        if not self.takes:
            return ""
        return TRAINED if any(take.trained for take in self.takes) else ENHANCED

    def sentence(self) -> str:
        """One line for people who open the file's properties."""
        if not self.takes:
            return f"Exported by {self.program}."
        generators = ", ".join(sorted({f"{t.generator} {t.revision}".strip() for t in self.takes}))
        return f"Restyled with {generators} and exported by {self.program}."


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
) -> TakeRecord:
    """A take's record; revision, seed and prompt come from its recipe (canonical JSON of its request)."""
    fields: dict[str, Any] = {}
    with contextlib.suppress(ValueError):
        parsed: Any = json.loads(recipe)
        if isinstance(parsed, dict):
            fields = cast("dict[str, Any]", parsed)
    masks = fields.get("masks") or []
    masks_digest = ""
    if masks:
        text = json.dumps(masks, sort_keys=True, separators=(",", ":"))
        masks_digest = hashlib.sha256(text.encode()).hexdigest()
        recipe = json.dumps({**fields, "masks": []}, sort_keys=True, separators=(",", ":"))
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
        tags["digital_source_type"] = record.source_type
    return tags


def xmp_packet(record: ExportRecord) -> str:
    """An XMP packet (RDF/XML) with the digital source type, the tool and a sentence."""
    sentence = html.escape(record.sentence())
    kind = f"\n   <Iptc4xmpExt:DigitalSourceType>{record.source_type}</Iptc4xmpExt:DigitalSourceType>"
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>\n'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/">\n'
        ' <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">\n'
        '  <rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/"'
        ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/">\n'
        f"   <xmp:CreatorTool>{html.escape(record.program)}</xmp:CreatorTool>\n"
        f"   <xmp:CreateDate>{html.escape(record.created)}</xmp:CreateDate>\n"
        f'   <dc:description><rdf:Alt><rdf:li xml:lang="x-default">{sentence}</rdf:li></rdf:Alt></dc:description>'
        f"{kind if record.source_type else ''}\n"
        "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n"
        '<?xpacket end="w"?>'
    )


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
        "XML:com.adobe.xmp": xmp_packet(record),
    }


def png_with_chunks(data: bytes, text: Mapping[str, str], srgb: bool = True) -> bytes:
    """``data`` (a PNG file) with an ``sRGB`` chunk and ``iTXt`` chunks after its header.

    Texts longer than 1 kB are compressed, except XMP, which readers look for in the clear.
    """
    if not data.startswith(_PNG_MAGIC):
        raise ValueError("not a PNG file")
    header_end = 8 + 8 + 13 + 4
    chunks = [_png_chunk(b"sRGB", b"\x00")] if srgb else []
    for keyword, value in text.items():
        raw = value.encode("utf-8")
        packed = len(raw) > 1024 and not keyword.startswith("XML:")
        body = keyword.encode("latin-1") + (b"\0\1\0\0\0" if packed else b"\0\0\0\0\0")
        chunks.append(_png_chunk(b"iTXt", body + (zlib.compress(raw, 6) if packed else raw)))
    return data[:header_end] + b"".join(chunks) + data[header_end:]


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
        return record_from_json(read_png_text(path).get(_RECORD_KEYWORD, ""))
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            return record_from_json(container.metadata.get("comment", ""))
    except FFmpegError:
        return None
