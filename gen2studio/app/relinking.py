"""Finding missing media again: searched by name and fingerprint on a thread of its own, relinked in one undo step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document import media_edits
from gen2studio.document.model import Document, MediaItem
from gen2studio.media import codecs

MOST_FILES = 200_000
"""Where a search ends: somebody chose the root of a disk."""
_MOST_READ = 5_000
"""Files of other names whose fingerprint is taken (192 KiB of each are read)."""


@dataclass(frozen=True, slots=True)
class Match:
    """Where a missing file is now. ``info`` is None when it is the very same file, else what the other one holds."""

    media_id: str
    path: Path
    fingerprint: str
    info: MediaInfo | None


def search(items: Sequence[MediaItem], folder: Path) -> tuple[list[Match], list[str]]:
    """Look for ``items`` in ``folder`` and below; returns matches and sentences about files that did not fit.

    A file of the same fingerprint wins over one that only has the same name, and is found under another name too. Of
    several with the same name the one whose folders are most like the lost one's is taken.
    """
    codecs.load()
    from gen2studio.media.probe import probe

    names = {Path(item.path).name.casefold() for item in items}
    suffixes = {Path(item.path).suffix.casefold() for item in items}
    places: dict[str, list[Path]] = {}
    renamed: list[Path] = []
    seen = 0
    for root, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            if name.casefold() in names:
                places.setdefault(name.casefold(), []).append(Path(root) / name)
            elif Path(name).suffix.casefold() in suffixes:
                renamed.append(Path(root) / name)
        seen += len(files)
        if seen > MOST_FILES:
            break
    matches: list[Match] = []
    complaints: list[str] = []
    others: dict[str, Path] | None = None
    for item in items:
        found = sorted(places.get(Path(item.path).name.casefold(), ()), key=lambda p: -_likeness(p, Path(item.path)))
        options = [(path, file_fingerprint(path)) for path in found]
        same = next((option for option in options if option[1] == item.fingerprint), None)
        if same is None and item.fingerprint:
            if others is None:
                others = {file_fingerprint(path): path for path in renamed[:_MOST_READ]}
            if item.fingerprint in others:
                same = (others[item.fingerprint], item.fingerprint)
        if same is not None:
            matches.append(Match(item.id, *same, None))
        elif options:
            path, fingerprint = options[0]
            try:
                matches.append(
                    Match(item.id, path, fingerprint, probe(path, as_sequence=item.info.kind is MediaKind.SEQUENCE))
                )
            except (StudioError, OSError) as error:
                complaints.append(sentence_of(error))
    return matches, complaints


def _likeness(path: Path, lost: Path) -> int:
    """How many folders from the end on are called the same."""
    count = 0
    for one, other in zip(reversed(path.parts), reversed(lost.parts), strict=False):
        if one.casefold() != other.casefold():
            break
        count += 1
    return count


class Relinker(QObject):
    """Searches in the background. UI thread only."""

    relinked = Signal(int, int)
    """(found, still missing)"""
    told = Signal(str, str)
    """(sentence, severity)"""
    _searched = Signal(object, object, object)

    def __init__(self, store: DocumentStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relink")
        self._generation = 0
        self._searched.connect(self._on_searched)
        store.replaced.connect(self._on_replaced)

    def relink(self, media_ids: Sequence[str], folder: Path) -> None:
        """Look for media in ``folder``; ``relinked`` follows."""
        media = self._store.document.media
        items = tuple(media[i] for i in media_ids if i in media)
        generation = self._generation

        def work() -> None:
            try:
                matches, complaints = search(items, folder)
            except OSError as error:
                matches, complaints = [], [sentence_of(error)]
            self._searched.emit(matches, complaints, (generation, len(items), folder))

        self._pool.submit(work)

    def shutdown(self) -> None:
        """Forget what is waiting and end the thread."""
        self._generation += 1
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _on_searched(self, matches: list[Match], complaints: list[str], asked: tuple[int, int, Path]) -> None:
        generation, wanted, folder = asked
        if generation != self._generation:
            return
        document = self._store.document
        found = 0
        for match in matches:
            try:
                document = media_edits.relink(
                    document, match.media_id, match.path.as_posix(), match.fingerprint, match.info
                )
                found += 1
            except StudioError as error:
                complaints.append(str(error))
        if found:
            self._store.apply("Relink media", document)
        for complaint in complaints:
            self.told.emit(complaint, "warning")
        missing = wanted - found
        if missing:
            self.told.emit(f"{missing} of {wanted} files were not found in {folder}.", "warning")
        elif found:
            self.told.emit("1 file was relinked." if found == 1 else f"{found} files were relinked.", "info")
        self.relinked.emit(found, missing)

    def _on_replaced(self, _document: Document) -> None:
        self._generation += 1
