"""What the window of models shows and what it asks for: rows, plans, works, and the services behind it. No Qt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.core.cancel import CancelToken
from gen2studio.core.records import dataclass
from gen2studio.models.catalog import Catalog
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.download_contract import DownloadService, StoreService
from gen2studio.models.download_values import Download, DownloadPlan, LicenceText, StoredModel
from gen2studio.models.fitting import Fit, MachineFacts
from gen2studio.models.hub_settings import HubSettingsFile

if TYPE_CHECKING:
    # They bring every reader of weights along, which the window's thread needs not wait for.
    from gen2studio.models.adding import Added
    from gen2studio.models.offers import Offer


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedModel:
    """A model that was added by hand, or the built-in one: not of the catalog."""

    id: str
    title: str
    place: Path
    held: str = ""
    """How it is held in memory here, told from its files."""
    problem: str = ""
    built_in: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServices:
    """What stands behind the window. Every function may block: they are called on threads of our own."""

    catalog: Catalog
    downloads: DownloadService
    store: StoreService
    settings: HubSettingsFile
    machine: Callable[[], MachineFacts]
    """Asks the drivers and measures the processor."""
    held: Callable[[str], str]
    """How an installed model is held here, by its id in the model library, told from its files; empty = not known."""
    refusal: Callable[[StoredModel], str]
    """Why a stored model is not among those that can be used; empty = it is, or needs not be."""
    listed: Callable[[], tuple[ListedModel, ...]]
    """Models that were added by hand, and the built-in one."""
    add: Callable[[Path], Added]
    """Check a folder or file and list it. Raises StudioError."""
    remove: Callable[[str], None]
    """Take a model that was added by hand off the list; its files stay. Raises StudioError."""
    renew: Callable[[], None]
    """Look for generators again: a model came or went."""
    token_place: Callable[[], str]
    """Where the hub's token comes from: environment, keyring, none or unavailable."""
    set_token: Callable[[str], None]
    found: Callable[[CancelToken], tuple[Offer, ...]]
    """What lies elsewhere on this machine: in the hub's cache and in ComfyUI's folders. Raises Cancelled."""
    comfyui: Callable[[], tuple[Path, ...]]
    """ComfyUI's folders in the usual places, named in the settings or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanSet:
    """What getting a model takes: its own download, and those of what it needs and what was asked for with it."""

    wanted: str
    """Id of the entry that was asked for."""
    plans: tuple[DownloadPlan, ...]
    """In the order of downloading; nothing of it is here already."""

    @property
    def to_fetch(self) -> int:
        """Bytes over the network."""
        return sum(plan.to_fetch for plan in self.plans)

    @property
    def reused(self) -> int:
        """Bytes that lie on this machine already."""
        return sum(plan.reused + plan.resumed for plan in self.plans)

    @property
    def disk(self) -> int:
        return sum(plan.disk for plan in self.plans)

    @property
    def problem(self) -> str:
        """Why it can't start now; empty = it can."""
        return next((plan.problem for plan in self.plans if plan.problem), "")

    def licences(self) -> tuple[tuple[LicenceText, tuple[str, ...]], ...]:
        """(text, titles of the entries under it) for every different text; not accepted ones first."""
        found: dict[str, tuple[LicenceText, list[str]]] = {}
        for plan in self.plans:
            found.setdefault(plan.licence.digest, (plan.licence, []))[1].append(plan.entry.title)
        rows = [(text, tuple(titles)) for text, titles in found.values()]
        return tuple(sorted(rows, key=lambda row: bool(row[0].accepted)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One line of the list."""

    id: str
    title: str
    entry: CatalogEntry | None = None
    """None for a model that is not of the catalog."""
    fit: Fit | None = None
    stored: StoredModel | None = None
    download: Download | None = None
    """On its way, paused or failed."""
    listed: ListedModel | None = None
    offer: Offer | None = None
    """Something that lies elsewhere on this machine and is not listed."""
    held: str = ""
    """How it is held here, for what is installed."""
    refused: str = ""
    """Why what is installed can't be used: its files are whole, and something about them is not as it should be.
    Of what was found: why it could not be added."""

    @property
    def problem(self) -> str:
        """Why it can't be used though it is here; empty = it can, or is not here."""
        if self.stored is not None:
            return self.stored.problem or self.refused
        if self.offer is not None:
            return self.refused
        return self.listed.problem if self.listed is not None else ""

    @property
    def installed(self) -> bool:
        return self.stored is not None or self.listed is not None

    @property
    def place(self) -> Path | None:
        """Where its files lie; None when they are not on this machine."""
        if self.stored is not None:
            return self.stored.folder
        if self.offer is not None:
            return self.offer.path
        return self.listed.place if self.listed is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A verification, a move, a deletion or something found that is added."""

    id: str
    what: str
    """``Verifying``, ``Moving``, ``Deleting``, ``Adding``."""
    done: int = 0
    total: int = 0
    cancel: CancelToken = field(default_factory=CancelToken, compare=False)


def size_words(count: int) -> str:
    """``740 MB``, ``16.2 GB``; what is not known says so."""
    if count <= 0:
        return "size not known yet"
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{round(count / 1e6)} MB" if count >= 1_000_000 else f"{max(1, round(count / 1e3))} KB"
