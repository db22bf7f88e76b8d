"""The autosave journal: every committed change is on disk a moment later; a crash loses the gesture in hand only.

A journal is a text file of records, one a line: ``<CRC-32, 8 hex digits> <JSON>``. The first holds the whole document
as it was last saved, the others what changed since, numbered. Writing happens on a thread of its own; the UI thread
only hands over the two documents (values that share what did not change). Changes that pile up while the disk is busy
become one record.
"""

from __future__ import annotations

import json
import os
import queue
import threading
import zlib
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app.project_files import Project
from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import sentence_of
from gen2studio.core.log import topic
from gen2studio.document import codec
from gen2studio.document.deltas import difference
from gen2studio.document.migrations import VERSION
from gen2studio.document.model import Document

_log = topic("document")
_COMPACT_AT = 8 << 20
"""A journal grown by more bytes than this (and than four times its first record) starts over from a fresh snapshot."""


class JournalFile:
    """One journal on disk. Not thread-safe: the journal thread alone uses it."""

    def __init__(self, path: Path, about: dict[str, Any]) -> None:
        self._path = path
        self._about = about
        self._stream: IO[bytes] | None = None
        self._number = 0
        self._first = 0
        self._grown = 0

    def begin(self, document: Document) -> None:
        """Start over from a whole document, atomically: the old journal is valid until the new one is."""
        self.close()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        part = self._path.with_suffix(".part")
        stream = open(part, "wb")  # noqa: SIM115 - stays open for appending
        self._stream, self._number = stream, 0
        first = {**self._about, "n": 0, "version": VERSION, "document": codec.encode(document, None)}
        self._first = self._write(first)
        self._grown = 0
        os.replace(part, self._path)

    def append(self, old: Document, new: Document) -> None:
        """Add what changed from ``old`` to ``new``; the first record of a new journal is ``old``."""
        if self._stream is None:
            self.begin(old)
        record = difference(old, new)
        if not record:
            return
        if self._grown > max(_COMPACT_AT, 4 * self._first):
            self.begin(new)
            return
        self._number += 1
        self._grown += self._write({"n": self._number, **record})

    def _write(self, record: dict[str, Any]) -> int:
        assert self._stream is not None
        text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
        line = b"%08x %s\n" % (zlib.crc32(text), text)
        self._stream.write(line)
        self._stream.flush()
        os.fsync(self._stream.fileno())
        return len(line)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def remove(self) -> None:
        self.close()
        with suppress(OSError):
            self._path.unlink()


class _Job:
    __slots__ = ("kind", "new", "old")

    def __init__(self, kind: str, old: Document | None = None, new: Document | None = None) -> None:
        self.kind, self.old, self.new = kind, old, new


class Journal(QObject):
    """Follows a :class:`DocumentStore` and writes the journal of the open :class:`Project` from its creation on.

    Recovered work is written down at once, since it is saved nowhere else. Call :meth:`compact` after a save and
    :meth:`close` before the project is closed.
    """

    failed = Signal(str)
    """Autosave does not work (disk full…): one sentence. Said once until it works again."""

    def __init__(self, project: Project, store: DocumentStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._jobs: queue.SimpleQueue[_Job] = queue.SimpleQueue()
        self._idle = threading.Event()
        self._idle.set()
        about = {
            "path": str(project.path) if project.path is not None else "",
            "folder": str(project.folder),
            "packed": project.packed,
        }
        file = JournalFile(project.journal_path, about)
        self._thread: threading.Thread | None = threading.Thread(
            target=self._run, args=(file, store.document, project.recovered), name="journal", daemon=True
        )
        if project.recovered:
            self._put(_Job("begin", new=store.document))
        self._thread.start()
        store.changed.connect(self._on_changed)

    def compact(self, document: Document | None = None) -> None:
        """``document`` (None = the store's) is safe in the project now: forget what led to it."""
        self._put(_Job("saved", new=document or self._store.document))

    def close(self, *, discard: bool = False) -> None:
        """Write what is pending and let go of the file. ``discard`` removes it (the artist chose not to keep changes);
        without unsaved changes it goes anyway."""
        if self._thread is not None:
            self._store.changed.disconnect(self._on_changed)
            self._put(_Job("discard" if discard else "stop"))
            self._thread.join()
            self._thread = None

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything handed over is on disk (tests, before a risky step). Not for the UI thread."""
        return self._idle.wait(timeout)

    # -- UI thread ---------------------------------------------------------------------------------------------------

    def _on_changed(self, old: Document, new: Document) -> None:
        if self._thread is not None:
            self._put(_Job("change", old, new))

    def _put(self, job: _Job) -> None:
        self._idle.clear()
        self._jobs.put(job)

    # -- journal thread ----------------------------------------------------------------------------------------------

    def _run(self, file: JournalFile, written: Document, recovered: bool) -> None:
        said = False
        clean = None if recovered else written
        current = written
        running = True
        while running:
            pending = [self._jobs.get()]
            with suppress(queue.Empty):
                while True:
                    pending.append(self._jobs.get_nowait())
            restart = removed = False
            for job in pending:
                if job.kind == "change" and job.new is not None:
                    current = job.new
                elif job.kind == "begin":
                    restart = True
                elif job.kind == "saved" and job.new is not None:
                    clean, removed = job.new, True
                elif job.kind in ("stop", "discard"):
                    running = False
                    removed = removed or job.kind == "discard"
                    clean = current if job.kind == "discard" else clean
            try:
                if removed:
                    file.remove()
                    written = clean or current
                if restart:
                    file.begin(current)
                    written = current
                if not running and current is clean:
                    file.remove()
                elif current is not written:
                    file.append(written, current)
                    written = current
                said = False
            except (OSError, ValueError) as error:
                _log.error("the journal can't be written: %s", error)
                # The next success must start from a whole document: records in between are missing.
                file.close()
                if not said:
                    self.failed.emit(f"Autosave does not work: {sentence_of(error)}")
                    said = True
            if self._jobs.empty():
                self._idle.set()
        file.close()
