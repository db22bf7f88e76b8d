"""The queue's journal: renders that were waiting or running when the program died are offered at the next start.

Append-only JSON lines. A line is in the kernel's hands when the call returns (a killed process loses nothing); the
worker syncs it to the disk, so that the caller's thread never waits for the disk. A torn last line is ignored. A disk
that takes no line (it is full, or gone) stops no render: what is lost is the offer to go on after a crash, or one comes
back that was over.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from gen2studio.core.log import topic
from gen2studio.core.paths import write_atomic
from gen2studio.engine.request_codec import decode, encode
from gen2studio.engine.requests import Job

_log = topic("engine")


class RenderJournal:
    """Which renders have not ended, in a file that survives anything. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._stream: Any = None
        self._dirty = False

    def queued(self, job: Job) -> None:
        """Remember ``job``. Saying it again (a resumed one) replaces the earlier line."""
        self._append({"op": "queued", "job": encode(job)})

    def ended(self, job_id: str) -> None:
        """The job finished, failed or was cancelled by the artist: it must not come back."""
        self._append({"op": "ended", "id": job_id})

    def pending(self) -> tuple[Job, ...]:
        """Renders that never ended, in the order they were queued."""
        found: dict[str, Job] = {}
        with self._lock:
            try:
                lines = self.path.read_bytes().split(b"\n")
            except FileNotFoundError:
                return ()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
                if record["op"] == "queued":
                    job = decode(record["job"])
                    if not isinstance(job, Job):
                        raise ValueError("not a job")
                    found[job.id] = job
                elif record["op"] == "ended":
                    found.pop(record["id"], None)
            except (ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
                _log.warning("line %d of %s is torn and was left out: %s", number, self.path.name, error)
        return tuple(found.values())

    def compact(self) -> tuple[Job, ...]:
        """Rewrite the file with the pending renders only and return them. Call once when a project is opened."""
        jobs = self.pending()
        with self._lock:
            self._close()
            if jobs:
                lines = (json.dumps({"op": "queued", "job": encode(job)}) for job in jobs)
                write_atomic(self.path, ("\n".join(lines) + "\n").encode())
            else:
                self.path.unlink(missing_ok=True)
        return jobs

    def sync(self) -> None:
        """Force what was appended onto the disk."""
        with self._lock:
            if not self._dirty or self._stream is None:
                return
            # Synced through a copy of the handle and outside the lock: whoever queues a job must not wait for the disk.
            handle = os.dup(self._stream.fileno())
            self._dirty = False
        try:
            os.fsync(handle)
        except OSError as error:
            _log.warning("%s could not be synced: %s", self.path.name, error)
        finally:
            os.close(handle)

    def close(self) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._stream is None:
            return
        stream, dirty, self._stream, self._dirty = self._stream, self._dirty, None, False
        try:
            with stream:
                if dirty:
                    os.fsync(stream.fileno())
        except OSError as error:
            _log.warning("%s could not be closed: %s", self.path.name, error)

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._write(json.dumps(record, separators=(",", ":")).encode() + b"\n")
        except OSError as error:
            _log.warning("%s takes no line: %s", self.path.name, error)
            with self._lock:
                # What is left of the line is ended when the file is opened again.
                self._close()

    def _write(self, line: bytes) -> None:
        with self._lock:
            if self._stream is None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                torn = (
                    self.path.exists() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
                )
                self._stream = open(self.path, "ab")  # noqa: SIM115 - kept open between appends
                if torn:
                    self._stream.write(b"\n")
            self._stream.write(line)
            self._stream.flush()
            self._dirty = True
