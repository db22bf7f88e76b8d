"""What decides on every picture of an export, as one digest: only under the same one may finished pictures be kept."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import gen2studio
from gen2studio.app.export_values import ExportSettings
from gen2studio.core.hashing import bytes_digest, canonical_digest
from gen2studio.core.media_info import MediaKind
from gen2studio.document import codec
from gen2studio.document.model import Document, MediaItem

_Stamp = tuple[str, int, int]
"""(name, bytes, nanoseconds of its last change) of a file."""


def export_basis(document: Document, settings: ExportSettings, take_folder: Callable[[str], Path]) -> str:
    """Digest of the program's version, the document, the settings with their range, and of size and time of every file
    of media and takes. Reads folders, no files."""
    media = [stamp for item in document.media.values() if not item.nested for stamp in _of_media(item)]
    takes = [(take_id, *stamp) for take_id in document.takes for stamp in _of_folder(take_folder(take_id))]
    return canonical_digest(
        (gen2studio.__version__, bytes_digest(codec.dumps(document, None)), settings, sorted(media), sorted(takes))
    )


def _of_media(item: MediaItem) -> Iterator[_Stamp]:
    path = Path(item.path)
    if item.info.kind is MediaKind.SEQUENCE:
        # Other files in its folder are no part of it: the export itself may go there.
        folder = path if path.is_dir() else path.parent
        start = "" if path.is_dir() else path.stem.rstrip("0123456789").split("%")[0]
        yield from (found for found in _of_folder(folder) if found[0].startswith(start))
        return
    with contextlib.suppress(OSError):
        stat = path.stat()
        yield path.as_posix(), stat.st_size, stat.st_mtime_ns


def _of_folder(folder: Path) -> Iterator[_Stamp]:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file() and not entry.name.startswith("."):
                stat = entry.stat()
                yield entry.name, stat.st_size, stat.st_mtime_ns
