"""Timelines in from other programs and out to them: files are read and media looked for on a thread, one undo step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app.file_job import FileJob
from gen2studio.app.importing import media_item
from gen2studio.app.session import Session
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ProjectError, StudioError, sentence_of
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.codec_parts import decode_media
from gen2studio.document.codec_reader import Node
from gen2studio.document.model import Document, MediaItem
from gen2studio.media import codecs

if TYPE_CHECKING:
    from gen2studio.interchange.notes import Note
    from gen2studio.interchange.outline import OutlineSequence, Wish

_SIZE = (1920, 1080)
_STILLS = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".psd", ".exr", ".dpx", ".tga"))
"""What a file that is not here is taken to be a still by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of an import or export."""

    path: Path
    sequence: str
    """The timeline's name."""
    clips: int = 0
    missing: tuple[str, ...] = ()
    """Names of media that was not found: its clips are offline until it is relinked."""
    notes: tuple[Note, ...] = ()
    """What could not be carried."""

    @property
    def sentences(self) -> tuple[str, ...]:
        found = [note.sentence for note in self.notes]
        if self.missing:
            names = ", ".join(f"“{n}”" for n in self.missing[:3])
            more = f" and {len(self.missing) - 3} more" if len(self.missing) > 3 else ""
            found.insert(0, f"Media that was not found (relink it in the media pool): {names}{more}.")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTimeline:
    """A timeline whose media was looked for; :func:`lay` puts it into a document."""

    path: Path
    outline: OutlineSequence
    found: Mapping[str, MediaItem]
    offsets: Mapping[str, Fraction]
    missing: tuple[str, ...]
    notes: tuple[Note, ...]


# -- in ---------------------------------------------------------------------------------------------------------------


def read_timelines(
    path: Path,
    document: Document,
    *,
    rate: Fraction | None = None,
    media_folder: Path | None = None,
    cancel: CancelToken | None = None,
) -> tuple[ReadTimeline, ...]:
    """Read every timeline of a file and look for the media it names: in the project, where the file says, beside the
    file. ``media_folder`` is where an ``.otioz`` unpacks its media. Raises ProjectError; touches no document."""
    from gen2studio.interchange import formats
    from gen2studio.interchange.building import refuse_empty
    from gen2studio.interchange.notes import Notes
    from gen2studio.interchange.reading import outline_of

    shared = Notes()
    read: list[ReadTimeline] = []
    for timeline in formats.read(path, shared, rate=rate, unpack_to=media_folder):
        notes = Notes()
        outline = outline_of(timeline, notes)
        folders = [path.parent, path.parent / "media", *([media_folder] if media_folder else [])]
        search = _Search(document, outline, folders, notes, cancel or CancelToken())
        read.append(
            ReadTimeline(
                path=path,
                outline=outline,
                found=search.found,
                offsets=search.offsets,
                missing=tuple(search.missing),
                notes=(*shared.all, *notes.all),
            )
        )
    full = [entry for entry in read if any(True for _ in entry.outline.each_clip())]
    if not full:
        refuse_empty(read[0].outline)
    return tuple(full)


def lay(document: Document, read: ReadTimeline) -> tuple[Document, Report]:
    """The document with the timeline in it as the active one, and what to say about it. Raises ProjectError."""
    from gen2studio.interchange.building import build
    from gen2studio.interchange.notes import Notes

    notes = Notes()
    built = build(document, read.outline, read.found, read.offsets, notes)
    sequence = built.document.sequences[built.sequence_id]
    report = Report(
        path=read.path,
        sequence=sequence.name,
        clips=sum(len(t.clips) for t in sequence.tracks),
        missing=read.missing,
        notes=(*read.notes, *notes.all),
    )
    return built.document, report


class _Search:
    """Finds the media of an outline. Reads files: runs on a thread."""

    def __init__(
        self, document: Document, outline: OutlineSequence, folders: list[Path], notes: Any, cancel: CancelToken
    ) -> None:
        self._document = document
        self._rate = outline.rate
        self._folders = folders
        self._notes = notes
        self.found: dict[str, MediaItem] = {}
        self.offsets: dict[str, Fraction] = {}
        self.missing: list[str] = []
        written: dict[str, MediaItem] = {}
        for entry in outline.media:
            item = decode_media(Node(entry, "a media file"), None)
            written[item.id] = item
        size = (outline.ours or {}).get("size")
        self._size = tuple(size) if isinstance(size, list) and len(size) == 2 else _SIZE
        for key, wish in outline.wishes.items():
            cancel.check()
            self._place(key, wish, written)

    def _place(self, key: str, wish: Wish, written: Mapping[str, MediaItem]) -> None:
        from gen2studio.interchange.offsets import offset_of

        known = self._in_project(wish)
        item = known or self._on_disk(wish, written)
        timecode = None
        if item is None:
            self.missing.append(wish.name)
            item = written.get(wish.ours)
            if item is not None and item.id in self._document.media:
                item = None
        elif item.info.kind is MediaKind.VIDEO and item.path and wish.latest > item.info.duration:
            from gen2studio.media.timecode import start_timecode

            timecode = start_timecode(Path(item.path), item.info.rate)
        length = item.info.duration if item is not None and item.info.kind is not MediaKind.STILL else None
        self.offsets[key] = offset_of(wish, length or None, timecode, self._notes)
        self.found[key] = item or self._stand_in(wish, self.offsets[key])

    def _in_project(self, wish: Wish) -> MediaItem | None:
        media = self._document.media
        if wish.ours in media and (not wish.path or Path(media[wish.ours].path).name == Path(wish.path).name):
            return media[wish.ours]
        same = [m for m in media.values() if wish.path and m.path == wish.path]
        named = [m for m in media.values() if m.path and Path(m.path).name.casefold() == wish.name.casefold()]
        return next(iter([*same, *named]), None)

    def _on_disk(self, wish: Wish, written: Mapping[str, MediaItem]) -> MediaItem | None:
        from gen2studio.media.probe import probe

        for path in self._places(wish):
            if not path.is_file():
                continue
            ours = written.get(wish.ours)
            try:
                codecs.load()
                as_sequence = ours is not None and ours.info.kind is MediaKind.SEQUENCE
                item = media_item(path, probe(path, as_sequence=as_sequence))
            except (StudioError, OSError) as error:
                self._notes.add(sentence_of(error).rstrip("."), wish.name)
                continue
            if ours is not None and ours.fingerprint == item.fingerprint and ours.id not in self._document.media:
                from dataclasses import replace

                return replace(ours, path=item.path)
            return item
        return None

    def _places(self, wish: Wish) -> list[Path]:
        given = wish.path.replace("\\", "/")
        places = [Path(given)] if given.startswith("/") else []
        if given and not given.startswith("/") and ":" not in given.split("/")[0]:
            places += [folder / given for folder in self._folders]
        name = Path(given).name or wish.name
        return places + [folder / name for folder in self._folders]

    def _stand_in(self, wish: Wish, offset: Fraction) -> MediaItem:
        """An offline item, of unknown length where the file doesn't say one."""
        duration = max(wish.duration, wish.latest - offset) if wish.duration else Fraction(0)
        rate = wish.rate if wish.rate and Fraction(1) <= wish.rate <= 1000 else self._rate
        frames = -(-duration * rate).__floor__()
        sound = AudioInfo(48000, 2, "", duration)
        if wish.picture and Path(wish.name).suffix.lower() in _STILLS:
            info = MediaInfo(kind=MediaKind.STILL, width=int(self._size[0]), height=int(self._size[1]))
        elif wish.picture:
            info = MediaInfo(
                kind=MediaKind.VIDEO,
                width=int(self._size[0]),
                height=int(self._size[1]),
                rate=rate,
                frame_count=frames,
                duration=frames / rate,
                audio=sound,
            )
        else:
            info = MediaInfo(kind=MediaKind.AUDIO, duration=duration, audio=sound)
        given = wish.path.replace("\\", "/")
        path = given if given.startswith("/") else (self._folders[0] / (Path(given).name or wish.name)).as_posix()
        return MediaItem(
            id=new_id("media"), name=Path(wish.name).stem or wish.name, path=path, fingerprint="", info=info
        )


# -- out --------------------------------------------------------------------------------------------------------------


def write_timeline(
    document: Document,
    path: Path,
    *,
    sequence_id: str = "",
    track: int = 0,
    take_folder: Callable[[str], Path] | None = None,
) -> Report:
    """Write a timeline in the format of the suffix.

    ``take_folder(take id)`` lets other programs see takes; ``track`` is the video track (0 = lowest) that an edit list
    gets. Raises ProjectError, OSError.
    """
    from gen2studio.interchange import formats
    from gen2studio.interchange.notes import Notes
    from gen2studio.interchange.writing import timeline_of

    sequence = document.sequences.get(sequence_id or document.active_sequence)
    if sequence is None or not any(t.clips for t in sequence.tracks):
        raise ProjectError("There is nothing on the timeline to export.", "Put a clip on it first.")

    def pictures(take_id: str) -> tuple[Path, str, str, int] | None:
        folder = take_folder(take_id) if take_folder is not None else None
        return (folder, "frame_", ".png", 6) if folder is not None and folder.is_dir() else None

    notes = Notes()
    timeline = timeline_of(document, sequence, notes, take_pictures=pictures)
    formats.write(timeline, path, notes, track=track)
    clips = sum(len(t.clips) for t in sequence.tracks)
    return Report(path=path, sequence=sequence.name, clips=clips, notes=notes.all)


class Interchange(QObject):
    """Imports and exports of timelines from the window. One at a time; UI thread only."""

    finished = Signal(object)
    """Report of one import or export."""
    busy_changed = Signal(bool)

    def __init__(self, session: Session, take_folder: Callable[[str], Path], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._take_folder = take_folder
        self._job: FileJob | None = None
        session.store.replaced.connect(self._on_replaced)

    @property
    def busy(self) -> bool:
        return self._job is not None

    def import_timeline(self, path: Path, *, rate: Fraction | None = None, media_folder: Path | None = None) -> bool:
        """Read ``path`` and add its timelines; ``finished`` follows for each. False while another runs."""
        document = self._session.document

        def work(cancel: CancelToken, _tell: object) -> object:
            return read_timelines(path, document, rate=rate, media_folder=media_folder, cancel=cancel)

        return self._start(work, self._on_read)

    def export_timeline(self, path: Path, *, track: int = 0) -> bool:
        """Write the active timeline as it is now. False while another runs."""
        document, folder = self._session.document, self._take_folder

        def work(_cancel: CancelToken, _tell: object) -> object:
            return write_timeline(document, path, track=track, take_folder=folder)

        return self._start(work, self._on_written)

    def cancel(self) -> None:
        if self._job is not None:
            self._job.cancel()

    def shutdown(self) -> None:
        """End what runs and wait for it."""
        if self._job is not None:
            self._job.cancel()
            self._job.wait()

    def _start(self, work: Callable[[CancelToken, Any], object], done: Callable[[Any], None]) -> bool:
        if self._job is not None:
            self._session.tell("A timeline is being read or written.", "warning")
            return False
        job = self._job = FileJob("interchange", work, self)
        job.finished.connect(done)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._end)
        self.busy_changed.emit(True)
        job.start()
        return True

    def _end(self) -> None:
        if self._job is not None:
            self._job.wait()
            self._job.deleteLater()
            self._job = None
            self.busy_changed.emit(False)

    def _on_failed(self, sentence: str) -> None:
        self._end()
        self._session.tell(sentence, "error")

    def _on_read(self, found: tuple[ReadTimeline, ...]) -> None:
        if self._job is None:
            return
        self._end()
        document = self._session.document
        reports: list[Report] = []
        try:
            for read in found:
                document, report = lay(document, read)
                reports.append(report)
        except StudioError as error:
            self._session.tell(str(error), "error")
            return
        self._session.store.apply(f"Import {found[0].path.name}", document)
        for report in reports:
            self.finished.emit(report)

    def _on_written(self, report: Report) -> None:
        self._end()
        self.finished.emit(report)

    def _on_replaced(self, _document: Document) -> None:
        # What is still being read belongs to the project that was open.
        self.cancel()
