"""What an export is asked to be, where it goes, how far it is and what came of it."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path

from gen2studio.core.errors import ExportError
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.model import Document, Sequence
from gen2studio.media.encoder_presets import preset_of

_PROJECT_FOLDERS = ("takes", "blobs", "tiles")


class Captions(enum.Enum):
    """Whether captions are drawn into the picture."""

    SHOWN = "shown"
    """As the timeline shows them."""
    BURNED = "burned"
    LEFT_OUT = "left_out"


LOUDNESS_TARGETS = ((-14.0, "Streaming"), (-16.0, "Podcast"), (-23.0, "Broadcast, EBU R 128"))
"""LUFS of the usual places, and their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSettings:
    """What to export and where to."""

    path: Path
    """The preset's suffix is added where it is missing; picture sequences become a folder of this name."""
    preset: str = "h264"
    """Id of a preset in ``resources/export_presets``."""
    start: int | None = None
    stop: int | None = None
    """Sequence frames [start, stop). None = the sequence's in and out points, or its ends with ``whole``."""
    whole: bool = False
    """Ignore in and out points."""
    audio: bool = True
    sidecar: bool = True
    """Write ``<name>.json`` with the recipes. They are inside the file in any case."""
    options: tuple[tuple[str, str], ...] = ()
    """Encoder options that replace the preset's."""
    width: int = 0
    """Pixels; 0 = the sequence's, or what the preset allows. The height follows."""
    rate: int = 0
    """Frames a second of GIF and WebP at most; 0 = what the preset allows."""
    burn_timecode: bool = False
    burn_name: str = ""
    """A line of text in the picture beside the timecode, or empty."""
    captions: Captions = Captions.SHOWN
    srt: bool = False
    """Write ``<name>.srt`` with the captions of the range."""
    caption_track: bool = False
    """Put the captions into the file as a track that players can switch on."""
    loudness: float | None = None
    """LUFS that the sound is brought to, None = as mixed."""
    true_peak: float = -1.0
    """dBTP that loudness normalisation stays below."""
    track_mattes: bool = False
    """Write each video track's own alpha as a folder of grey pictures."""
    mask_mattes: bool = False
    """Write the masks of what is on screen as a folder of grey pictures."""
    certificate: str = ""
    """PEM file of the certificate that Content Credentials are signed with; empty = none are written."""
    private_key: str = ""
    """PEM file of its private key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportProgress:
    """How far an export is. ``done`` counts frames in the file; encoders look ahead, so it starts late."""

    done: int
    total: int
    frames_per_second: float
    seconds_left: float | None
    """None until it can be told."""
    kept: int = 0
    """Of ``done``: pictures that were finished before the export was interrupted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportResult:
    """A finished export."""

    path: Path
    frames: int
    seconds: float
    """How long it took."""
    notes: tuple[str, ...] = ()
    """Sentences the artist should read: padded edges, takes with missing frames, damaged media."""
    audio: str = ""
    """``encoded``, ``copied`` (bit for bit from the source) or empty."""
    passed_through: int = 0
    """Frames that went from decoder to encoder without a colour conversion."""
    extras: tuple[Path, ...] = ()
    """Further files: captions, folders of mattes."""
    loudness: float | None = None
    """LUFS of the sound in the file, where it was normalised."""


Progress = Callable[[ExportProgress], None]


def export_range(sequence: Sequence, settings: ExportSettings) -> tuple[int, int]:
    """Sequence frames [start, stop) to export. Raises ExportError when it is empty or outside the sequence."""
    end = sequence.duration
    if end == 0:
        raise ExportError("The timeline is empty.", "Place a clip on it first.")
    first = 0 if settings.whole or sequence.in_point is None else sequence.in_point
    last = end if settings.whole or sequence.out_point is None else sequence.out_point
    start = first if settings.start is None else settings.start
    stop = last if settings.stop is None else settings.stop
    if start < 0 or stop > end or start >= stop:
        raise ExportError(
            f"Frames {start} to {stop} are not a range of this timeline, which has {end} frames.",
            "Set the in point before the out point, inside the timeline.",
        )
    return start, stop


def target_path(document: Document, settings: ExportSettings, project_folder: Path | None = None) -> Path:
    """Where the export goes. Raises ExportError when that would overwrite the project's own files."""
    if not settings.path.name:
        raise ExportError("The export has no file name.", "Give it one.")
    target = preset_of(settings.preset).output_path(settings.path.expanduser().absolute())
    resolved = target.resolve()
    for item in document.media.values():
        media = Path(item.path).resolve()
        same = resolved == media or (item.info.kind is MediaKind.SEQUENCE and resolved in (media, media.parent))
        if not same and target.exists() and media.exists():
            same = target.samefile(media)
        if same:
            raise ExportError(
                f"“{target.name}” is media of this project and is not overwritten.", "Choose another name."
            )
    if project_folder is not None:
        root = project_folder.resolve()
        if resolved == root or any((root / name) in (resolved, *resolved.parents) for name in _PROJECT_FOLDERS):
            raise ExportError("Exports can't go into the project's own folders.", "Choose another folder.")
    if target.is_dir() and not preset_of(settings.preset).is_sequence:
        raise ExportError(f"“{target}” is a folder.", "Choose another name.")
    return target
