"""The file formats of timelines, read within bounds and written beside the target.

OpenTimelineIO reads and writes its own files; CMX 3600 edit lists, Final Cut Pro 7 XML and Final Cut Pro X XML are the
OpenTimelineIO project's own adapters.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from gen2studio.core.errors import ProjectError, StudioError
from gen2studio.core.paths import inside, part_file
from gen2studio.core.records import dataclass
from gen2studio.interchange.notes import Notes
from gen2studio.interchange.writing import DEFAULT, TAKE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

    import opentimelineio as otio

LARGEST = 256 << 20
"""Bytes of a timeline file: one of 100,000 clips is a third of that."""
_MOST_BUNDLED = 20_000
_RATES = (24.0, 25.0, 30.0, 50.0, 60.0, 23.976, 29.97, 59.94)


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format. ``adapter`` is OpenTimelineIO's name for it."""

    id: str
    title: str
    suffix: str
    adapter: str
    writes: bool = True
    whole: bool = False
    """Carries everything of ours."""


FORMATS = (
    Format(id="otio", title="OpenTimelineIO", suffix=".otio", adapter="otio_json", whole=True),
    Format(id="otioz", title="OpenTimelineIO with media", suffix=".otioz", adapter="otioz", whole=True),
    Format(id="edl", title="Edit list (CMX 3600)", suffix=".edl", adapter="cmx_3600"),
    Format(id="fcp7", title="Final Cut Pro 7 XML (Premiere, Resolve)", suffix=".xml", adapter="fcp_xml"),
    Format(id="fcpx", title="Final Cut Pro X XML", suffix=".fcpxml", adapter="fcpx_xml", writes=False),
)
SUFFIXES = tuple(f.suffix for f in FORMATS)


def format_of(path: Path) -> Format:
    """The format of a file by its suffix. Raises ProjectError."""
    found = next((f for f in FORMATS if path.suffix.lower() == f.suffix), None)
    if found is None:
        raise ProjectError(f"{path.name} is no timeline file.", f"Choose one of {', '.join(SUFFIXES)}.")
    return found


# -- reading ----------------------------------------------------------------------------------------------------------


def read(path: Path, notes: Notes, *, rate: Fraction | None = None, unpack_to: Path | None = None) -> list[Any]:
    """The timelines in a file (:class:`opentimelineio.schema.Timeline`).

    ``rate`` counts the timecodes of an edit list, which does not say; None tries the usual ones. Media of an
    ``.otioz`` is unpacked into ``unpack_to``. Raises ProjectError.
    """
    form = format_of(path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ProjectError(f"{path.name} can't be read.", "Check that the file is there.") from error
    if form.id != "otioz" and size > LARGEST:
        raise ProjectError(f"{path.name} is larger than any timeline.", "Choose another file.")
    try:
        found = _read(path, form, notes, rate, unpack_to)
    except StudioError:
        raise
    except Exception as error:
        # The adapters raise whatever their parsers do: this is their border.
        raise ProjectError(
            f"{path.name} can't be understood as {form.title}{_short(error)}.", "Write it again where it was made."
        ) from error
    timelines = list(_timelines(found))
    if not timelines:
        raise ProjectError(f"{path.name} holds no timeline.", "Choose a file with a whole timeline in it.")
    return timelines


def _read(path: Path, form: Format, notes: Notes, rate: Fraction | None, unpack_to: Path | None) -> Any:
    import opentimelineio as otio

    if form.id == "otioz":
        return otio.adapters.read_from_string(_today(_unpacked(path, unpack_to)), "otio_json")
    text = path.read_text("utf-8-sig", errors="replace")
    if form.id == "otio":
        return otio.adapters.read_from_string(_today(text), "otio_json")
    if form.id in ("fcp7", "fcpx"):
        if "<!ENTITY" in text:
            raise ProjectError(f"{path.name} defines entities, which no timeline needs.", "Don't open it.")
        return otio.adapters.read_from_string(text, form.adapter)
    return _edit_list(text, rate, notes)


def _edit_list(text: str, rate: Fraction | None, notes: Notes) -> Any:
    import opentimelineio as otio

    tried = (float(rate),) if rate is not None else _RATES
    trouble: Exception | None = None
    for number in tried:
        try:
            found = otio.adapters.read_from_string(text, "cmx_3600", rate=number, ignore_timecode_mismatch=True)
        except Exception as error:
            trouble = trouble or error
            continue
        if rate is None:
            notes.add(f"An edit list does not say its frame rate; it was read at {number:g} frames per second")
        return found
    assert trouble is not None
    raise trouble


def _today(text: str) -> str:
    """Newer files brought to what this OpenTimelineIO knows: markers with colours as objects."""
    if '"Marker.3"' not in text:
        return text
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ProjectError("This file is not valid JSON.", "Write it again where it was made.") from error
    return json.dumps(_older(data))


def _older(value: Any) -> Any:
    if isinstance(value, list):
        return [_older(item) for item in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    entries = {key: _older(item) for key, item in cast("dict[str, Any]", value).items()}
    if entries.get("OTIO_SCHEMA") == "Marker.3":
        colour = entries.get("color")
        entries["OTIO_SCHEMA"] = "Marker.2"
        entries["color"] = str(colour.get("name", "")).upper() if isinstance(colour, dict) else colour
    return entries


def _timelines(found: Any) -> Iterable[Any]:
    import opentimelineio as otio

    if isinstance(found, otio.schema.Timeline):
        yield found
    elif isinstance(found, otio.schema.SerializableCollection):
        for entry in found:
            yield from _timelines(entry)
    elif isinstance(found, (otio.schema.Stack, otio.schema.Track, otio.schema.Clip)):
        timeline = otio.schema.Timeline(name=found.name)
        if isinstance(found, otio.schema.Stack):
            timeline.tracks = found.deepcopy()
        else:
            track = found.deepcopy() if isinstance(found, otio.schema.Track) else otio.schema.Track()
            if isinstance(found, otio.schema.Clip):
                track.append(found.deepcopy())
            timeline.tracks.append(track)
        yield timeline


def _unpacked(path: Path, folder: Path | None) -> str:
    """The timeline of an ``.otioz``; its media is unpacked below ``folder`` and named there."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {e.filename: e for e in archive.infolist()}
            if len(entries) > _MOST_BUNDLED:
                raise ProjectError(f"{path.name} holds too many files.", "Don't open it unless you know who made it.")
            content = entries.get("content.otio")
            if content is None or content.file_size > LARGEST:
                raise ProjectError(f"{path.name} holds no timeline.", "Choose another file.")
            text = archive.read(content).decode("utf-8")
            if folder is None:
                return text
            media = [e for name, e in entries.items() if name.startswith("media/") and not e.is_dir()]
            if sum(e.file_size for e in media) > shutil.disk_usage(folder.parent).free - (64 << 20):
                raise ProjectError("The disk is too full to unpack this file.", "Free some space, then try again.")
            for entry in media:
                if entry.file_size > 250 * max(1, entry.compress_size) and entry.file_size > (1 << 20):
                    raise ProjectError(f"{path.name} unpacks to far more than it holds.", "Don't open it.")
                target = inside(folder, Path(entry.filename).name)
                target.parent.mkdir(parents=True, exist_ok=True)
                if not target.exists():
                    with part_file(target) as part, archive.open(entry) as stream, open(part, "wb") as out:
                        shutil.copyfileobj(stream, out, 1 << 20)
            return text
    except (zipfile.BadZipFile, EOFError, UnicodeDecodeError, RuntimeError) as error:
        raise ProjectError(f"{path.name} is damaged.", "Copy it again.") from error


# -- writing ----------------------------------------------------------------------------------------------------------


def write(timeline: otio.schema.Timeline, path: Path, notes: Notes, *, track: int = 0) -> None:
    """Write a timeline beside ``path`` and rename. ``track``: the video track (0 = lowest) of an edit list, which holds
    one. Raises ProjectError, OSError."""
    import opentimelineio as otio

    form = format_of(path)
    if not form.writes:
        raise ProjectError(f"{form.title} can be read, not written.", "Choose OpenTimelineIO or Final Cut Pro 7 XML.")
    try:
        if form.id == "otioz":
            # The bundler refuses a target that is there.
            with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
                bundle = Path(folder) / "timeline.otioz"
                otio.adapters.write_to_file(_bundled(timeline), str(bundle), "otioz", media_policy="MissingIfNotFile")
                bundle.replace(path)
            return
        if form.id == "edl":
            timeline = _one_track(timeline, track, notes)
            text = otio.adapters.write_to_string(timeline, "cmx_3600", rate=timeline.global_start_time.rate)
        elif form.id == "fcp7":
            text = otio.adapters.write_to_string(_for_fcp7(timeline, notes), "fcp_xml")
        else:
            text = otio.adapters.write_to_string(timeline, "otio_json")
    except StudioError:
        raise
    except OSError:
        raise
    except Exception as error:
        raise ProjectError(
            f"This timeline can't be written as {form.title}{_short(error)}.", "Choose OpenTimelineIO instead."
        ) from error
    with part_file(path) as part:
        part.write_text(text, "utf-8")


def _bundled(timeline: otio.schema.Timeline) -> otio.schema.Timeline:
    """Without numbered pictures, which a bundle can't hold: takes stay in the project."""
    made = timeline.deepcopy()
    for clip in made.find_clips():
        references = clip.media_references()
        if clip.active_media_reference_key == TAKE and DEFAULT in references:
            clip.set_media_references({DEFAULT: references[DEFAULT].deepcopy()}, DEFAULT)
    return made


def _one_track(timeline: otio.schema.Timeline, track: int, notes: Notes) -> otio.schema.Timeline:
    """What an edit list can hold: one picture track without nesting."""
    import opentimelineio as otio

    made = timeline.deepcopy()
    pictures = [t for t in made.tracks if t.kind == otio.schema.TrackKind.Video]
    sounds = [t for t in made.tracks if t.kind == otio.schema.TrackKind.Audio]
    if not pictures:
        raise ProjectError("An edit list needs a video track.", "Add one, or choose OpenTimelineIO.")
    chosen = pictures[min(track, len(pictures) - 1)]
    for other in pictures:
        if other is not chosen:
            notes.add("Other video tracks", other.name)
    for other in sounds:
        notes.add("Audio tracks", other.name)
    for child in list(chosen):
        if isinstance(child, otio.schema.Stack):
            notes.add("Nested timelines became clips without media", child.name)
            plain = otio.schema.Clip(name=child.name, source_range=child.trimmed_range())
            chosen[chosen.index(child)] = plain
    if made.tracks.markers:
        notes.add("Markers")
    made.tracks.markers.clear()
    for other in [*pictures, *sounds]:
        if other is not chosen:
            made.tracks.remove(other)
    return made


def _for_fcp7(timeline: otio.schema.Timeline, notes: Notes) -> otio.schema.Timeline:
    """Speeds as Final Cut's own "Time Remap" filters, which the adapter doesn't write for us."""
    import opentimelineio as otio

    made = timeline.deepcopy()
    for transition in made.find_children(descended_from_type=otio.schema.Transition):
        before, after = transition.in_offset, transition.out_offset
        if before.value != after.value:
            notes.add("Transitions were centred on their cuts", transition.name)
            half = otio.opentime.RationalTime((before.value + after.value) // 2, before.rate)
            transition.in_offset = transition.out_offset = half
    for item in made.find_clips():
        for effect in item.effects:
            if isinstance(effect, otio.schema.FreezeFrame):
                notes.add("Freeze frames", item.name)
            elif isinstance(effect, otio.schema.LinearTimeWarp):
                own = dict(item.metadata.get("fcp_xml", {}))
                item.metadata["fcp_xml"] = {**own, "filter": {"effect": _time_remap(effect.time_scalar)}}
    return made


def _time_remap(scalar: float) -> dict[str, Any]:
    values = (("speed", f"{abs(scalar) * 100:.6g}"), ("reverse", "TRUE" if scalar < 0 else "FALSE"))
    return {
        "name": "Time Remap",
        "effectid": "timeremap",
        "effectcategory": "motion",
        "effecttype": "motion",
        "mediatype": "video",
        "parameter": [{"parameterid": name, "name": name, "value": value} for name, value in values],
    }


def _short(error: Exception) -> str:
    """``: what the adapter said``, or nothing where it stumbled over its own feet."""
    if isinstance(error, (AttributeError, TypeError, LookupError)):
        return ""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return f": {text if len(text) <= 140 else text[:139] + '…'}"
