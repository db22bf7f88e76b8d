"""What a download says of itself: the values that pass between its threads, the window and the command line.

Nothing here touches the network or the disk. :class:`gen2studio.models.downloads.Downloads` makes these values and
hands them to whoever listens.
"""

from __future__ import annotations

import enum
from dataclasses import field
from pathlib import Path

from gen2studio.core.errors import StudioError
from gen2studio.core.records import dataclass
from gen2studio.models.catalog_entries import CatalogEntry


class DownloadError(StudioError):
    """A model can't be listed, fetched, kept or moved; ``kind`` says why, for who reacts to it."""

    def __init__(self, sentence: str, remedy: str = "", kind: str = "failed") -> None:
        super().__init__(sentence, remedy)
        self.kind = kind
        """offline, unauthorised (401), gated (403), missing (404), busy (429, 503), refused (hostile, or not what was
        announced), disk, licence, or failed."""


class DownloadState(enum.Enum):
    """Where a download stands."""

    WAITING = "waiting"
    """In the queue."""
    PREPARING = "preparing"
    """Asking the hub for the list of files, looking for what is here already."""
    RUNNING = "running"
    CHECKING = "checking"
    """Hashing what was here already, or the finished files."""
    PAUSED = "paused"
    """By the artist, or because the program ended; what is there stays there."""
    FAILED = "failed"
    """``problem`` and ``remedy`` say why; starting it again goes on where it stopped."""
    DONE = "done"

    @property
    def active(self) -> bool:
        """Whether a thread works on it or soon will."""
        return self in (
            DownloadState.WAITING, DownloadState.PREPARING, DownloadState.RUNNING, DownloadState.CHECKING
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file of a plan, as the hub announced it at a fixed commit."""

    path: str
    """Inside the entry's folder, with forward slashes; checked."""
    repo: str
    source: str
    """Its path in the repository."""
    commit: str
    size: int
    """Bytes; what comes is cut off and refused beyond this."""
    sha256: str = ""
    """Lower-case hex; the hub tells it for large files only."""
    git_oid: str = ""
    """SHA-1 of git's blob for small files, which the hub tells instead."""
    here: str = ""
    """How it need not be fetched: ``done`` (finished by an interrupted download), ``link`` or ``copy`` (the same bytes
    lie on this machine); empty = fetched."""
    lies_at: Path | None = None
    """Where those bytes lie, for link and copy."""
    part: int = 0
    """Bytes of it that an interrupted download left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LicenceText:
    """The terms of an entry, as they are shown before its download."""

    id: str
    title: str
    text: str
    digest: str
    """SHA-256 hex of ``text``: what an acceptance is bound to."""
    url: str = ""
    accepted: str = ""
    """ISO date on which exactly this text was accepted on this machine; empty = not accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadPlan:
    """What downloading an entry would do, found out before anything is fetched."""

    entry: CatalogEntry
    folder: Path
    """Where it will lie."""
    commit: str
    """Of the entry's own repository: the download stays at it."""
    files: tuple[PlannedFile, ...]
    licence: LicenceText
    free: int
    """Bytes free on that disk."""
    reserve: int
    """Bytes that stay free whatever happens."""
    installed: bool = False
    """It is whole and there already."""
    needs: tuple[str, ...] = ()
    """Ids of entries that must be there too and are not."""
    problem: str = ""
    """Why it can't start now (disk, a token that is missing), in one sentence with what to do; empty = it can."""

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)

    @property
    def to_fetch(self) -> int:
        """Bytes that come over the network."""
        return sum(file.size - file.part for file in self.files if not file.here)

    @property
    def reused(self) -> int:
        """Bytes that lie on this machine already and are linked or copied."""
        return sum(file.size for file in self.files if file.here in ("link", "copy"))

    @property
    def resumed(self) -> int:
        """Bytes that an interrupted download left."""
        return sum(file.size if file.here == "done" else file.part for file in self.files if file.here in ("", "done"))

    @property
    def disk(self) -> int:
        """Bytes that the disk must hold in addition."""
        return self.to_fetch + sum(file.size for file in self.files if file.here == "copy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How far one download is; a new value whenever something changed."""

    id: str
    """Of the entry."""
    title: str
    state: DownloadState
    done: int = 0
    """Bytes that are here, whether fetched, linked or found."""
    total: int = 0
    """0 = not known yet."""
    rate: float = 0.0
    """Bytes per second over the last seconds, of what comes over the network."""
    seconds_left: float | None = None
    file: str = ""
    """That is worked on now."""
    note: str = ""
    """What is being waited for: “The connection was lost; trying again in 4 s.”"""
    problem: str = ""
    remedy: str = ""
    kind: str = ""
    """:attr:`DownloadError.kind` of the problem."""
    folder: Path | None = None
    """Where it lies, once it is done."""
    outcome: str = ""
    """Once it is done: what became of it, in one sentence (“Listed among the models.”)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file of what was downloaded, as its receipt keeps it."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """Something that was downloaded and lies whole in the models folder, with the receipt beside it."""

    id: str
    """Of the catalog entry, and the folder's name."""
    title: str
    kind: str
    folder: Path
    repo: str
    commit: str
    licence_id: str
    licence_title: str
    accepted: str
    """ISO date on which the licence was accepted."""
    downloaded: str
    """ISO date."""
    files: tuple[StoredFile, ...] = field(default=())
    registered: str = ""
    """Where it is listed: ``model:<id>``, ``masks:<id>``, ``adapter:<id>``; empty = only here."""
    problem: str = ""
    """Why it can't be used now: a file is missing or has another size."""

    @property
    def bytes(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freed:
    """What deleting something gives back."""

    bytes: int
    """Really freed on the disk."""
    shared: int
    """Bytes that stay because another model or program has the same file by a hard link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFiles:
    """What a full check of stored files found."""

    id: str
    files: int
    compared: int
    """How many were held against a known SHA-256."""
    wrong: tuple[str, ...] = ()
    """Paths whose bytes are not those that were downloaded."""
    missing: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        return not self.wrong and not self.missing
