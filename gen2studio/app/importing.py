"""Bringing files into the project: probed on a thread of their own, added in one undo step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from PySide6.QtCore import QObject, Signal

from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import EditRefused, MediaError, StudioError, sentence_of
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document import edits
from gen2studio.document.media_edits import add_media, find_by_path
from gen2studio.document.model import Document, MediaItem
from gen2studio.document.sequences import add_sequence, with_sequence
from gen2studio.media import codecs

MEDIA_SUFFIXES = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".m2v",
        ".ts",
        ".m2ts",
        ".mts",
        ".mxf",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
        ".y4m",
        ".gif",
        ".dv",
        ".wav",
        ".mp3",
        ".flac",
        ".ogg",
        ".oga",
        ".opus",
        ".m4a",
        ".aac",
        ".aif",
        ".aiff",
        ".wma",
        ".ac3",
        ".png",
        ".jpg",
        ".jpeg",
        ".webp",
        ".tif",
        ".tiff",
        ".bmp",
        ".exr",
        ".hdr",
        ".dpx",
        ".tga",
        ".jp2",
    ]
)
"""What a folder is searched for; a file that is named directly is probed whatever it is called."""
_MOST_FILES = 2000


@dataclass(frozen=True, slots=True)
class Found:
    """A file to probe; ``as_sequence`` = the first of numbered images."""

    path: Path
    as_sequence: bool = False


def expand(paths: Sequence[Path]) -> tuple[Found, ...]:
    """Files as they are, folders searched; three or more numbered images of one name become one sequence.

    A single numbered image named directly stays a still. Raises MediaError for a path that is not there or too much.
    """
    codecs.load()
    from gen2studio.media.stills import find_run, is_still

    found: list[Found] = []
    for path in paths:
        path = path.absolute()
        if not path.exists():
            raise MediaError(f"“{path.name}” is not there.", "Check the path.")
        if not path.is_dir():
            found.append(Found(path))
            continue
        for folder, names, files in os.walk(path):
            names[:] = sorted(n for n in names if not n.startswith("."))
            seen: set[str] = set()
            for name in sorted(files):
                file = Path(folder) / name
                if name in seen or name.startswith(".") or file.suffix.lower() not in MEDIA_SUFFIXES:
                    continue
                run = None
                if file.stem[-1:].isdecimal() and is_still(file):
                    try:
                        run = find_run(file, as_sequence=True)
                    except MediaError:
                        run = None
                if run is not None and len(run.files) >= 3:
                    seen.update(run.files.values())
                    found.append(Found(file, as_sequence=True))
                else:
                    found.append(Found(file))
                if len(found) > _MOST_FILES:
                    raise MediaError("That folder holds more than 2,000 media files.", "Import a smaller folder.")
    return tuple(dict.fromkeys(found))


def media_item(path: Path, info: MediaInfo) -> MediaItem:
    """A new media item for a probed file. Reads 192 KiB of it for the fingerprint. Raises OSError."""
    name = path.stem.rstrip("0123456789").rstrip("_-. ") if info.kind is MediaKind.SEQUENCE else path.stem
    return MediaItem(
        id=new_id("media"),
        name=name or path.stem,
        path=path.absolute().as_posix(),
        fingerprint=file_fingerprint(path),
        info=info,
    )


class PlacedItems(NamedTuple):
    document: Document
    clip_ids: tuple[str, ...]


def place_on_timeline(
    document: Document,
    items: Sequence[MediaItem],
    frame: int | None = None,
    *,
    track: str = "",
    collision: edits.Collision = edits.Collision.OVERWRITE,
    still_seconds: Fraction = edits.STILL_SECONDS,
) -> PlacedItems:
    """Lay media items (added already) one behind the other from ``frame`` on; None = behind everything.

    Stills last ``still_seconds``.

    A document without a timeline gets one of the first item's size and rate. Raises EditRefused.
    """
    sequence = document.sequence
    if sequence is None:
        first = next((item.info for item in items if item.info.has_video), None)
        rate = first.rate if first is not None and first.rate else Fraction(25)
        width, height = (first.width, first.height) if first is not None and first.width else (1920, 1080)
        sequence = edits.new_sequence("Timeline 1", rate, width, height)
        document = add_sequence(document, sequence)
    at = frame
    placed: list[str] = []
    for item in items:
        source = (Fraction(0), still_seconds) if item.info.kind is MediaKind.STILL else None
        if at is None:
            result = edits.append_media(sequence, item, video_track=track, source=source)
        else:
            result = edits.place_media(sequence, item, at, collision=collision, video_track=track, source=source)
        sequence = result.sequence
        placed.extend(result.clip_ids)
        if at is not None:
            at = max(c.end for t in sequence.tracks for c in t.clips if c.id in result.clip_ids)
    return PlacedItems(with_sequence(document, sequence), tuple(placed))


@dataclass(frozen=True, slots=True)
class _Request:
    place: bool
    frame: int | None
    track: str
    collision: edits.Collision


class Importer(QObject):
    """Probes files in the background and adds them to the document. Failures leave the project as it was."""

    imported = Signal(object)
    """tuple[MediaItem, ...]: what one request brought, files that were in the project already included."""
    failed = Signal(str, str)
    """(path, sentence) of a file that can't be used."""
    finished = Signal(int, int)
    """(imported, failed) at the end of one request."""
    _probed = Signal(object, object, object)

    def __init__(self, store: DocumentStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="import")
        self._generation = 0
        self.still_seconds = edits.STILL_SECONDS
        """How long a still becomes on the timeline."""
        self._probed.connect(self._on_probed)
        store.replaced.connect(self._on_replaced)

    def import_paths(self, paths: Sequence[Path]) -> None:
        """Add files and folders to the media pool: one undo step when all are probed."""
        self._submit(paths, _Request(False, None, "", edits.Collision.REFUSE))

    def import_and_place(
        self,
        paths: Sequence[Path],
        frame: int | None = None,
        *,
        track: str = "",
        collision: edits.Collision = edits.Collision.OVERWRITE,
    ) -> None:
        """The same, and lay them on the timeline from ``frame`` on (None = behind everything)."""
        self._submit(paths, _Request(True, frame, track, collision))

    def shutdown(self) -> None:
        """Forget what is waiting and end the thread."""
        self._generation += 1
        self._pool.shutdown(wait=True, cancel_futures=True)

    # -- import thread -----------------------------------------------------------------------------------------------

    def _submit(self, paths: Sequence[Path], request: _Request) -> None:
        self._pool.submit(self._probe_all, tuple(paths), request, self._generation)

    def _probe_all(self, paths: tuple[Path, ...], request: _Request, generation: int) -> None:
        codecs.load()
        from gen2studio.media.probe import probe

        items: list[MediaItem] = []
        errors: list[tuple[str, str]] = []
        found: list[Found] = []
        for path in paths:
            try:
                found.extend(expand([path]))
            except (StudioError, OSError) as error:
                errors.append((str(path), sentence_of(error)))
        for file in found:
            if generation != self._generation:
                return
            try:
                items.append(media_item(file.path, probe(file.path, as_sequence=file.as_sequence)))
            except Exception as error:  # a hostile file must not end the thread
                errors.append((str(file.path), sentence_of(error)))
        self._probed.emit(items, errors, (request, generation))

    # -- UI thread ---------------------------------------------------------------------------------------------------

    def _on_probed(self, items: list[MediaItem], errors: list[tuple[str, str]], asked: tuple[_Request, int]) -> None:
        request, generation = asked
        if generation != self._generation:
            return
        for path, sentence in errors:
            self.failed.emit(path, sentence)
        document = self._store.document
        used: list[MediaItem] = []
        fresh: list[MediaItem] = []
        for item in items:
            known = find_by_path(document, item.path) or next((f for f in fresh if f.path == item.path), None)
            used.append(known or item)
            if known is None:
                fresh.append(item)
        if used:
            changed = add_media(document, *fresh)
            if request.place:
                try:
                    placed = place_on_timeline(
                        changed,
                        used,
                        request.frame,
                        track=request.track,
                        collision=request.collision,
                        still_seconds=self.still_seconds,
                    )
                    changed = placed.document
                except EditRefused as refused:
                    self.failed.emit(used[0].path, str(refused))
            one = f"“{used[0].name}”" if len(used) == 1 else f"{len(used)} files"
            self._store.apply(f"Import {one}", changed)
            self.imported.emit(tuple(used))
        self.finished.emit(len(used), len(errors))

    def _on_replaced(self, _document: Document) -> None:
        # Files asked for in the project before do not belong into this one.
        self._generation += 1
