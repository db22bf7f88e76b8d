"""What the window and the command line ask of downloads and of what is stored: two small contracts.

The real ones are :class:`gen2studio.models.downloads.Downloads` and :class:`gen2studio.models.storage.ModelStore`.
Methods that say "blocks" wait for the network or whole files: call them on a thread of your own. ``start``, ``resume``,
``pause``, ``cancel``, ``restore`` and ``stored`` read and write small files, which can take longer than a frame too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from gen2studio.core.cancel import CancelToken
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.download_values import Download, DownloadPlan, Freed, StoredModel, VerifiedFiles

BytesDone = Callable[[int, int], None]
"""(bytes done, bytes in all), called from the thread that works."""
FindEntry = Callable[[str], CatalogEntry]
"""Catalog entry by id. Raises ModelError for an unknown one."""


class DownloadService(Protocol):
    """The queue of downloads. Thread-safe; listeners are called on the downloads' own threads."""

    def plan(self, entry: CatalogEntry, cancel: CancelToken | None = None) -> DownloadPlan:
        """What downloading ``entry`` would do. Blocks: asks the hub, and looks for what is here already.

        Raises DownloadError with one sentence and what to do (offline, 401, 403, 404, 429, a hostile listing).
        """
        ...

    def accept_licence(self, plan: DownloadPlan) -> DownloadPlan:
        """Record that the artist accepted exactly ``plan.licence.text`` today; the plan with that date."""
        ...

    def start(self, plan: DownloadPlan) -> Download:
        """Queue a plan, or go on with what was paused or failed.

        Raises DownloadError: ``kind`` licence when its terms were not accepted, or the plan's own problem.
        """
        ...

    def pause(self, entry_id: str) -> None:
        """Stop soon and keep what is there. Nothing happens when it is not active."""
        ...

    def resume(self, entry_id: str) -> None:
        """Queue a paused or failed download again. Raises DownloadError when there is none."""
        ...

    def cancel(self, entry_id: str) -> None:
        """Stop, and delete what was fetched so far; it leaves :meth:`downloads` once its thread is done."""
        ...

    def forget(self, entry_id: str) -> None:
        """Take a finished download off the list; what it brought stays."""
        ...

    def downloads(self) -> tuple[Download, ...]:
        """Every download in the order of the queue, also those that an earlier run of the program left."""
        ...

    def restore(self) -> tuple[Download, ...]:
        """Take up the downloads of earlier runs: what ran when the program ended runs on, what was paused stays so."""
        ...

    def listen(self, listener: Callable[[Download], None]) -> Callable[[], None]:
        """``listener`` gets every new value, at most ten a second of each; the returned function ends that.

        A download that was cancelled or forgotten is heard of once more, with ``total`` 0 and state PAUSED, and is not
        in :meth:`downloads` any more.
        """
        ...

    def close(self, patience: float | None = None) -> None:
        """Pause everything and wait for the threads, no longer than ``patience`` seconds: the next run goes on."""
        ...


class StoreService(Protocol):
    """What was downloaded and is whole. Thread-safe; none of it needs the network."""

    @property
    def folder(self) -> Path:
        """Where new downloads lie."""
        ...

    def stored(self) -> tuple[StoredModel, ...]:
        """Everything that was downloaded, by title; what has a problem stands where it is. Reads receipts and sizes."""
        ...

    def find(self, entry_id: str) -> StoredModel | None:
        """The stored model of a catalog entry, or None."""
        ...

    def folder_of(self, entry_id: str) -> Path | None:
        """The folder of a catalog entry's files when they are there and whole: how families find parts and adapters."""
        ...

    def verify(
        self, entry_id: str, progress: BytesDone | None = None, cancel: CancelToken | None = None
    ) -> VerifiedFiles:
        """Hash every file and compare. Blocks. Raises ModelError for what is not stored, Cancelled."""
        ...

    def move(
        self, entry_id: str, to: Path, progress: BytesDone | None = None, cancel: CancelToken | None = None
    ) -> StoredModel:
        """Move to another folder or disk. Blocks. Cancelled or killed, the model stays usable where it was, and the
        next call goes on; the old files are deleted when every new one has the right SHA-256. Raises DownloadError."""
        ...

    def would_free(self, entry_id: str) -> Freed:
        """What :meth:`delete` would give back."""
        ...

    def delete(self, entry_id: str) -> Freed:
        """Take it off every list and delete its files. Raises ModelError for what is not stored, DownloadError."""
        ...
