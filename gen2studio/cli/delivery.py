"""Where the frames of a headless run go: a film with the clip's sound, or numbered PNGs, with the recipe inside."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from gen2studio.cli.footage import Footage
from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.core.errors import UsageError
from gen2studio.core.geometry import Extent
from gen2studio.engine.requests import GenerateRequest, request_digest, request_recipe
from gen2studio.engine.take_store import TakeStore
from gen2studio.media.metadata import (
    ExportRecord,
    InputRecord,
    container_tags,
    now,
    png_text,
    png_with_chunks,
    take_record,
    write_sidecar,
)
from gen2studio.media.provenance import declared_type

_PRESETS = {".mp4": "h264", ".mov": "prores_422_hq"}
_SAMPLE_RATE = 48000


def preset_for(out: Path) -> str:
    """Export preset id for a file name, or empty for PNGs. Raises UsageError."""
    suffix = out.suffix.lower()
    if suffix in _PRESETS:
        return _PRESETS[suffix]
    if suffix == ".png":
        if not re.search(r"%0?\d*d", out.name):
            raise UsageError(f"“{out.name}” is one picture; name the sequence like frame_%06d.png.")
        return ""
    if suffix and not out.is_dir():
        raise UsageError(f"“{out.name}” ends with {suffix}; write an .mp4, a .mov, a folder or name_%06d.png.")
    return ""


@dataclass(frozen=True, slots=True)
class Part:
    """One request's frames in the take store: the whole output, or one panel of a storyboard."""

    footage: Footage
    request: GenerateRequest
    take_id: str
    frames: tuple[int, ...]
    """Media frames that are there."""


def record_of(parts: Sequence[Part], trained: bool) -> ExportRecord:
    """What the output tells about itself."""
    first = parts[0]
    request, rate = first.request, first.footage.source.rate
    takes = tuple(
        take_record(
            take_id=part.take_id,
            name=part.footage.title,
            media=part.footage.name or part.footage.path.name,
            fingerprint=part.footage.source.fingerprint,
            request_digest=request_digest(part.request),
            recipe=request_recipe(part.request),
            generator=part.request.generator,
            trained=trained,
            of_source="" if part.request.from_nothing else declared_type(Path(part.request.source.path)),
        )
        for part in parts
    )
    return ExportRecord(
        project=first.footage.title if len(parts) == 1 else "storyboard",
        preset="",
        width=request.width,
        height=request.height,
        rate=f"{rate.numerator}/{rate.denominator}",
        frames=sum(len(part.frames) for part in parts),
        first_frame=request.start,
        takes=takes,
        inputs=tuple(
            InputRecord(name=part.footage.path.name, fingerprint=part.footage.source.fingerprint, shown=False)
            for part in parts
            if not part.request.from_nothing
        )
        + tuple(
            InputRecord(name=Path(lead.source.path).name, fingerprint=lead.source.fingerprint, shown=False)
            for part in parts
            if (lead := part.request.lead) is not None
        ),
        created=now(),
    )


def write_pngs(out: Path, store: TakeStore, parts: Sequence[Part], record: ExportRecord) -> Path:
    """Copy stored frames to ``out`` (a folder, or a ``name_%06d.png`` pattern), numbered by media frame.

    The panels of a storyboard follow each other. Returns the folder. Every file appears whole or not at all.
    """
    folder, pattern = (out.parent, out.name) if out.suffix.lower() == ".png" else (out, "frame_%06d.png")
    folder.mkdir(parents=True, exist_ok=True)
    text = png_text(record)
    offset = 0
    for part in parts:
        for frame in part.frames:
            target = folder / (pattern % (offset + frame))
            half = target.with_name(f".{target.name}.part")
            half.write_bytes(png_with_chunks(store.frame_path(part.take_id, frame).read_bytes(), text))
            os.replace(half, target)
        offset += part.request.stop
    return folder


def write_film(out: Path, store: TakeStore, parts: Sequence[Part], record: ExportRecord, bar: ProgressBar) -> list[str]:
    """Encode the parts one after the other at the clip's rate, a single one with the clip's sound, and write the
    recipe beside it. Returns notes. Raises ExportError. A film is whole or not there.
    """
    from gen2studio.media.encoder import Encoder
    from gen2studio.media.encoder_presets import preset_of

    if len(parts) == 1:
        notes = _film_of_clip(out, store, parts[0], record, bar)
        write_sidecar(out, record)
        return notes
    first = parts[0].request
    shown = [(part.take_id, frame) for part in parts for frame in part.request.wanted]
    out.parent.mkdir(parents=True, exist_ok=True)
    with Encoder(
        out, preset_of(preset_for(out)), Extent(first.width, first.height), parts[0].footage.source.rate,
        metadata=container_tags(record),
    ) as encoder:  # fmt: skip
        for number, (take_id, frame) in enumerate(shown, 1):
            encoder.write(store.read(take_id, frame))
            bar.show(number, len(shown), "Encoding")
        notes = encoder.notes
    bar.clear()
    write_sidecar(out, record)
    return notes


def _film_of_clip(out: Path, store: TakeStore, part: Part, record: ExportRecord, bar: ProgressBar) -> list[str]:
    from gen2studio.media.audio_reader import AudioReader
    from gen2studio.media.encoder import AudioCopy, Encoder
    from gen2studio.media.encoder_presets import preset_of

    footage, request, take_id = part.footage, part.request, part.take_id
    preset = preset_of(preset_for(out))
    rate, clock, info = footage.source.rate, footage.clock, footage.info
    begin = clock.time_of(request.start)
    if request.stop < clock.frame_count:
        end = clock.time_of(request.stop)
    else:
        end = clock.time_of(request.stop - 1) + 1 / rate
    # A constant grid over the range: what the film shows at k / rate is the frame the clip shows there.
    count = max(1, round((end - begin) * rate))
    shown = [min(max(request.start, clock.index_at(begin + k / rate)), request.stop - 1) for k in range(count)]
    if not info.variable_rate and count == request.stop - request.start:
        shown = list(range(request.start, request.stop))
    whole = request.start == 0 and request.stop == clock.frame_count
    sound = info.audio is not None
    copied = sound and whole and info.audio is not None and info.audio.codec in preset.copy_audio
    reader = AudioReader(footage.path, _SAMPLE_RATE) if sound and not copied else None
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        with Encoder(
            out,
            preset,
            Extent(request.width, request.height),
            rate,
            sample_rate=_SAMPLE_RATE if reader is not None else 0,
            audio_copy=AudioCopy(path=footage.path, stop=end - begin) if copied else None,
            metadata=container_tags(record),
        ) as encoder:
            for number, frame in enumerate(shown):
                encoder.write(store.read(take_id, frame))
                if reader is not None and encoder.audio_wanted:
                    first, last = (round(Fraction(n) / rate * _SAMPLE_RATE) for n in (number, number + 1))
                    encoder.write_audio(reader.read(begin + Fraction(first, _SAMPLE_RATE), last - first))
                bar.show(number + 1, count, "Encoding")
            notes = encoder.notes
    finally:
        if reader is not None:
            reader.close()
    bar.clear()
    return notes
