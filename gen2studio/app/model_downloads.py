"""The models of this machine and of the catalog as the window uses them: what fits, what is here, what is on its way.

Everything that waits for the network, the disk or a driver runs on threads of its own; what came of it arrives as
signals on the window's thread, in values that nobody changes any more.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from PySide6.QtCore import QObject, Qt, Signal

from gen2studio.app.model_rows import ListedModel, ModelRow, ModelServices, PlanSet, Work, size_words
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import StudioError, UsageError, sentence_of
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass
from gen2studio.engine.budget import free_disk
from gen2studio.models.catalog import Catalog
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.catalog_reading import LineUp
from gen2studio.models.download_values import (
    Download,
    DownloadError,
    DownloadPlan,
    DownloadState,
    Freed,
    StoredModel,
)
from gen2studio.models.fitting import Fit, MachineFacts, fit, line_up_for
from gen2studio.models.hub_settings import HubSettings

if TYPE_CHECKING:
    # They bring every reader of weights along, which the window's thread needs not wait for.
    from gen2studio.models.adding import Added
    from gen2studio.models.offers import Offer

_CLOSING = 10.0
"""Seconds that ending the program waits for a download whose host does not answer."""
_log = topic("models")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Looked:
    """What is installed, as it was found on the disk."""

    stored: dict[str, StoredModel]
    held: dict[str, str]
    refused: dict[str, str]
    listed: tuple[ListedModel, ...]
    free: int | None
    places: frozenset[Path]


class ModelDownloads(QObject):
    """One for the program. :meth:`open` starts it; until ``opened`` there are no rows."""

    opened = Signal()
    """The catalog, the machine and what is stored are known."""
    failed = Signal(str)
    """It could not be opened: one sentence."""
    row_changed = Signal(str)
    """A row says something else now: ask for it again."""
    rows_changed = Signal()
    """Rows came or went."""
    planned = Signal(object)
    """PlanSet that was asked for."""
    plan_failed = Signal(str, str, str)
    """(entry id, sentence, :attr:`DownloadError.kind`)."""
    works_changed = Signal()
    """:attr:`works` changed."""
    freed_known = Signal(str, object)
    """(entry id, Freed): what deleting it would give back."""
    told = Signal(str, str)
    """(severity, sentence)."""
    comfyui_known = Signal(object)
    """ComfyUI's folders in the usual places: a tuple of paths."""
    token_known = Signal(str)
    """Where the hub's token comes from: environment, keyring, none or unavailable."""
    models_changed = Signal()
    """What generators there are may have changed; the registries know it already."""

    _arrived = Signal(object)
    _heard = Signal(object)

    def __init__(self, make: Callable[[], ModelServices], parent: QObject | None = None) -> None:
        """``make`` is called on a thread and may import anything."""
        super().__init__(parent)
        self._make = make
        self._services: ModelServices | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._queue: ThreadPoolExecutor | None = None
        self._fits: dict[str, Fit] = {}
        self._opening = self._closed = False
        self._machine: MachineFacts | None = None
        self._stored: dict[str, StoredModel] = {}
        self._held: dict[str, str] = {}
        self._refused: dict[str, str] = {}
        self._listed: tuple[ListedModel, ...] = ()
        self._free: int | None = None
        self._downloads: dict[str, Download] = {}
        self._works: dict[str, Work] = {}
        self._planning: CancelToken | None = None
        self._searching: CancelToken | None = None
        self._found: dict[Path, Offer] = {}
        self._not_added: dict[str, str] = {}
        self._found_rows: tuple[ModelRow, ...] = ()
        self._places: frozenset[Path] = frozenset()
        self._unlisten: Callable[[], None] | None = None
        self._arrived.connect(lambda deliver: deliver(), Qt.ConnectionType.QueuedConnection)
        self._heard.connect(self._on_heard, Qt.ConnectionType.QueuedConnection)

    # -- opening and closing -----------------------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        return self._services is not None

    def open(self) -> None:
        """Read the catalog, ask the machine, take up downloads of earlier runs; ``opened`` or ``failed`` follows."""
        if self._opening or self._closed or self.is_open:
            return
        self._opening = True

        def work() -> tuple[ModelServices, MachineFacts, tuple[Download, ...]]:
            services = self._make()
            self._unlisten = services.downloads.listen(self._heard.emit)
            return services, services.machine(), services.downloads.restore()

        def done(found: tuple[ModelServices, MachineFacts, tuple[Download, ...]]) -> None:
            self._opening = False
            self._services, self._machine = found[0], found[1]
            known = found[0].catalog
            self._fits = {entry.id: fit(known, entry, found[1]) for entry in known.entries}
            self._downloads |= {download.id: download for download in found[2]}
            for problem in found[0].catalog.problems:
                self.told.emit("warning", problem)
            self._look(self.opened.emit)

        def broke(error: Exception) -> None:
            self._opening = False
            self.failed.emit(sentence_of(error))

        self._do(work, done, broke)

    def shutdown(self) -> None:
        """Pause every download (the next run goes on), stop what verifies or moves, wait for the threads."""
        self._closed = True
        for work in self._works.values():
            work.cancel.cancel()
        for token in (self._planning, self._searching):
            if token is not None:
                token.cancel()
        for pool in (self._queue, self._pool):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)
        if self._unlisten is not None:
            self._unlisten()
        if self._services is not None:
            self._services.downloads.close(_CLOSING)

    # -- what there is -----------------------------------------------------------------------------------------------

    @property
    def catalog(self) -> Catalog:
        return self._open().catalog

    @property
    def machine(self) -> MachineFacts:
        assert self._machine is not None
        return self._machine

    @property
    def folder(self) -> Path:
        """Where downloads lie."""
        return self._open().settings.load().folder

    @property
    def free(self) -> int | None:
        """Bytes free on that disk when it was looked at last; None = can't be found out."""
        return self._free

    @property
    def works(self) -> tuple[Work, ...]:
        """What verifies, moves or deletes now."""
        return tuple(self._works.values())

    @property
    def active(self) -> int:
        """Downloads that a thread works on, or soon will."""
        return sum(1 for download in self._downloads.values() if download.state.active)

    def line_up(self) -> LineUp | None:
        """What to install on this machine first."""
        return line_up_for(self.catalog, self.machine)

    def rows(self) -> tuple[ModelRow, ...]:
        """Every model: those that were added by hand first, the catalog in its order, what lies elsewhere here."""
        return (*self._by_hand(), *(self._row(entry) for entry in self.catalog.entries), *self._found_rows)

    def row(self, row_id: str) -> ModelRow | None:
        """None when there is no such row any more."""
        entry = next((entry for entry in self.catalog.entries if entry.id == row_id), None)
        listed = next((row for row in self._by_hand() if row.id == row_id), None)
        if listed is not None or entry is None:
            return listed or next((row for row in self._found_rows if row.id == row_id), None)
        return self._row(entry)

    def _by_hand(self) -> Iterator[ModelRow]:
        return (ModelRow(id=model.id, title=model.title, listed=model, held=model.held) for model in self._listed)

    def is_here(self, entry_id: str) -> bool:
        """Whether an entry is installed and whole."""
        stored = self._stored.get(entry_id)
        return stored is not None and not stored.problem

    def _row(self, entry: CatalogEntry) -> ModelRow:
        download = self._downloads.get(entry.id)
        return ModelRow(
            id=entry.id,
            title=entry.title,
            entry=entry,
            fit=self._fits[entry.id],
            stored=self._stored.get(entry.id),
            download=download if download is not None and download.state is not DownloadState.DONE else None,
            held=self._held.get(entry.id, ""),
            refused=self._refused.get(entry.id, ""),
        )

    # -- downloads ---------------------------------------------------------------------------------------------------

    def plan(self, entry_id: str, extras: tuple[str, ...] = ()) -> None:
        """Find out what getting an entry (and ``extras`` with it) takes; ``planned`` or ``plan_failed`` follows.

        A plan that was asked for earlier and is not there yet is dropped.
        """
        services = self._open()
        if self._planning is not None:
            self._planning.cancel()
        # It also leaves a hub that says nothing.
        from gen2studio.models.hub_connection import TransferToken

        token = self._planning = TransferToken()
        wanted = dict.fromkeys(entry.id for name in (entry_id, *extras) for entry in services.catalog.with_needs(name))

        def work() -> PlanSet:
            plans: list[DownloadPlan] = []
            for name in wanted:
                if services.store.folder_of(name) is None:
                    plans.append(services.downloads.plan(services.catalog.entry(name), token))
            return PlanSet(wanted=entry_id, plans=tuple(plan for plan in plans if not plan.installed))

        def done(found: PlanSet) -> None:
            if token is self._planning:
                self._planning = None
                self.planned.emit(found)

        def broke(error: Exception) -> None:
            if token is not self._planning:
                return
            self._planning = None
            if not isinstance(error, Cancelled):
                kind = error.kind if isinstance(error, DownloadError) else "failed"
                self.plan_failed.emit(entry_id, sentence_of(error), kind)

        self._do(work, done, broke)

    def stop_planning(self) -> None:
        """Drop the plan that was asked for."""
        if self._planning is not None:
            self._planning.cancel()
            self._planning = None

    def accept_and_start(self, plans: PlanSet) -> None:
        """The artist read and accepted the terms of every plan: record that, and queue the downloads."""
        services = self._open()

        def work() -> None:
            for plan in plans.plans:
                services.downloads.start(services.downloads.accept_licence(plan))

        self._ask_queue(work)

    def pause(self, entry_id: str) -> None:
        """Stop a download and keep what is there."""
        downloads = self._open().downloads
        self._ask_queue(lambda: downloads.pause(entry_id))

    def resume(self, entry_id: str) -> None:
        """Go on with a paused or failed download."""
        downloads = self._open().downloads
        self._ask_queue(lambda: downloads.resume(entry_id))

    def cancel(self, entry_id: str) -> None:
        """Stop a download and delete what it brought."""
        downloads = self._open().downloads
        self._ask_queue(lambda: downloads.cancel(entry_id))

    def _ask_queue(self, work: Callable[[], None]) -> None:
        """On one thread, so that what was asked for first is done first."""
        if self._queue is None:
            self._queue = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model-queue")
        self._do(work, lambda _nothing: None, self._tell_error, self._queue)

    def _on_heard(self, download: Download) -> None:
        """News of a download, on the window's thread."""
        if self._closed:
            return
        known = self._downloads.get(download.id)
        gone = download.state is DownloadState.PAUSED and download.total == 0
        if gone or download.state is DownloadState.DONE:
            self._downloads.pop(download.id, None)
        else:
            self._downloads[download.id] = download
        if download.state is DownloadState.DONE and (known is None or known.state is not DownloadState.DONE):
            self._open().downloads.forget(download.id)
            self.told.emit("info", f"{download.title} is here. {download.outcome}".strip())
            self._changed()
        elif download.state is DownloadState.FAILED and (known is None or known.state is not DownloadState.FAILED):
            self.told.emit("error", f"{download.title}: {download.problem} {download.remedy}".strip())
        self.row_changed.emit(download.id)

    # -- what is installed -------------------------------------------------------------------------------------------

    def verify(self, entry_id: str) -> None:
        """Hash every file of an installed model and compare; a sentence follows."""
        services, work = self._open(), self._begin(entry_id, "Verifying")
        title = self._title(entry_id)

        def done(found: object) -> None:
            from gen2studio.models.download_values import VerifiedFiles

            assert isinstance(found, VerifiedFiles)
            if found.whole:
                known = "all" if found.compared == found.files else str(found.compared)
                self.told.emit("info", f"{title} is whole: {found.files} files read, {known} of them known by hash.")
                return
            bad = [*found.wrong, *found.missing]
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            what = "changed" if found.wrong else "missing"
            self.told.emit("error", f"{title}: “{bad[0]}”{more} {what}. Delete the model and download it again.")

        self._finish(work, lambda tell: services.store.verify(entry_id, tell, work.cancel), done)

    def move(self, entry_id: str, to: Path) -> None:
        """Move an installed model into the folder ``to``."""
        services, work = self._open(), self._begin(entry_id, "Moving")

        def done(found: object) -> None:
            self.told.emit("info", f"{self._title(entry_id)} lies in {to} now.")
            self._changed()

        self._finish(work, lambda tell: services.store.move(entry_id, to, tell, work.cancel), done)

    def ask_freed(self, entry_id: str) -> None:
        """Find out what deleting would give back; ``freed_known`` follows."""
        services = self._open()
        self._do(
            lambda: services.store.would_free(entry_id),
            lambda freed: self.freed_known.emit(entry_id, freed),
            self._tell_error,
        )

    def delete(self, entry_id: str) -> None:
        """Delete an installed model's files."""
        services, work = self._open(), self._begin(entry_id, "Deleting")
        title = self._title(entry_id)

        def done(found: object) -> None:
            assert isinstance(found, Freed)
            self.told.emit("info", f"{title} is deleted: {size_words(found.bytes)} free again.")
            self._changed()

        self._finish(work, lambda _tell: services.store.delete(entry_id), done)

    def add(self, path: Path) -> None:
        """Check a folder or a file of the artist's and list it; nothing is copied."""
        services = self._open()

        self._do(lambda: services.add(path), self._on_added, self._tell_error)

    def _on_added(self, added: Added) -> None:
        where = "It was copied to the adapters." if added.where == "adapters" else "It is used where it lies."
        self.told.emit("info", f"{added.title} is listed. {where}")
        self._changed()

    def remove(self, model_id: str) -> None:
        """Take a model that was added by hand off the list; its files stay."""
        services = self._open()

        def done(_nothing: None) -> None:
            self.told.emit("info", "It is off the list; its files are where they were.")
            self._changed()

        self._do(lambda: services.remove(model_id), done, self._tell_error)

    def stop_work(self, entry_id: str) -> None:
        """Cancel a verification or a move."""
        if (work := self._works.get(entry_id)) is not None:
            work.cancel.cancel()

    # -- what lies elsewhere on this machine -------------------------------------------------------------------------

    @property
    def searching(self) -> bool:
        """Whether the folders of other programs are being read."""
        return self._searching is not None

    def search_machine(self) -> None:
        """Read the headers of what the hub's cache and ComfyUI's folders hold; ``rows_changed`` follows."""
        services = self._open()
        if self._searching is not None:
            self._searching.cancel()
        token = self._searching = CancelToken()

        def ended(found: dict[Path, Offer] | None, error: Exception | None = None) -> None:
            if token is not self._searching:
                return
            self._searching = None
            if found is not None:
                self._found = found
                self._not_added = {}
                self._list_found()
            if error is not None:
                self._tell_error(error)
            self.rows_changed.emit()

        self._do(
            lambda: {_real(offer.path): offer for offer in services.found(token)},
            ended,
            lambda error: ended(None, None if isinstance(error, Cancelled) else error),
        )

    def use(self, row_id: str) -> None:
        """Check something that was found and list it."""
        row = self.row(row_id)
        if row is None or row.offer is None or row_id in self._works:
            return
        services, offer = self._open(), row.offer
        work = self._begin(row_id, "Adding")

        def done(added: object) -> None:
            # An adapter is a copy, and a part joins its model: neither is listed under this path.
            self._found = {place: other for place, other in self._found.items() if other != offer}
            self._list_found()
            self._on_added(cast("Added", added))

        def broke(error: Exception) -> None:
            self._not_added[row_id] = sentence_of(error)
            self._list_found()
            self._tell_error(error)
            self.row_changed.emit(row_id)

        self._finish(work, lambda _tell: services.add(offer.path), done, broke)

    def _list_found(self) -> None:
        """The rows of what was found, less what is listed."""
        self._found_rows = tuple(
            ModelRow(
                id=f"found:{offer.path}",
                title=offer.title,
                offer=offer,
                refused=self._not_added.get(f"found:{offer.path}", ""),
            )
            for place, offer in self._found.items()
            if place not in self._places
        )

    def ask_comfyui(self) -> None:
        """Look for ComfyUI in the usual places; ``comfyui_known`` follows."""
        self._do(self._open().comfyui, self.comfyui_known.emit, self._tell_error)

    # -- settings ----------------------------------------------------------------------------------------------------

    def settings(self) -> HubSettings:
        return self._open().settings.load()

    def save_settings(self, settings: HubSettings) -> None:
        """Keep them; they are in force for what is planned next. Raises UsageError with one sentence."""
        try:
            self._open().settings.save(settings)
        except OSError as error:
            raise UsageError(sentence_of(error), "") from None
        self._look()
        self.search_machine()

    def ask_token(self) -> None:
        """Find out where the hub's token comes from; ``token_known`` follows."""
        self._do(self._open().token_place, self.token_known.emit, self._tell_error)

    def set_token(self, token: str) -> None:
        """Put the hub's token into the system's keyring (empty forgets it); ``token_known`` follows."""
        services = self._open()

        def done(_nothing: None) -> None:
            self.ask_token()

        def broke(error: Exception) -> None:
            self._tell_error(error)
            self.ask_token()

        self._do(lambda: services.set_token(token), done, broke)

    # -- threads -----------------------------------------------------------------------------------------------------

    def _open(self) -> ModelServices:
        assert self._services is not None, "the models are not open yet"
        return self._services

    def _title(self, entry_id: str) -> str:
        stored = self._stored.get(entry_id)
        return stored.title if stored is not None else entry_id

    def _changed(self) -> None:
        """A model came or went: generators are looked for again, then the rows are there."""
        services = self._open()
        self._do(services.renew, lambda _nothing: self._look(self.models_changed.emit), self._tell_error)

    def _look(self, then: Callable[[], object] | None = None) -> None:
        """Read again what is installed."""
        services = self._open()

        def work() -> _Looked:
            stored = {model.id: model for model in services.store.stored()}
            held = {
                model.id: services.held(model.registered.partition(":")[2])
                for model in stored.values()
                if model.registered.startswith("model:") and not model.problem
            }
            refused = {model.id: services.refusal(model) for model in stored.values()}
            ours = {model.registered.partition(":")[2] for model in stored.values()}
            listed = tuple(model for model in services.listed() if model.id not in ours)
            mine = (*(model.place for model in listed), *(model.folder for model in stored.values()))
            places = frozenset(_real(place) for place in mine)
            return _Looked(stored, held, refused, listed, free_disk(services.store.folder), places)

        def done(found: _Looked) -> None:
            self._stored, self._held, self._refused = found.stored, found.held, found.refused
            self._listed, self._free, self._places = found.listed, found.free, found.places
            self._list_found()
            if then is not None:
                then()
            self.rows_changed.emit()

        self._do(work, done, self._tell_error)

    def _begin(self, entry_id: str, what: str) -> Work:
        work = self._works[entry_id] = Work(id=entry_id, what=what)
        self.works_changed.emit()
        return work

    def _finish(
        self,
        work: Work,
        run: Callable[[Callable[[int, int], None]], object],
        done: Callable[[object], None],
        failed: Callable[[Exception], None] | None = None,
    ) -> None:
        """Do a work that was begun, with its progress."""
        shown = [-1]

        def tell(bytes_done: int, total: int) -> None:
            percent = bytes_done * 100 // max(1, total)
            if percent != shown[0]:
                shown[0] = percent
                self._arrived.emit(lambda: progressed(bytes_done, total))

        def progressed(bytes_done: int, total: int) -> None:
            if work.id in self._works:
                self._works[work.id] = replace(work, done=bytes_done, total=total)
                self.works_changed.emit()

        def ended() -> None:
            self._works.pop(work.id, None)
            self.works_changed.emit()

        def well(found: object) -> None:
            ended()
            done(found)

        def broke(error: Exception) -> None:
            ended()
            if not isinstance(error, Cancelled):
                (failed or self._tell_error)(error)

        self._do(lambda: run(tell), well, broke)

    def _do(
        self,
        work: Callable[[], T],
        done: Callable[[T], object],
        broke: Callable[[Exception], object],
        pool: ThreadPoolExecutor | None = None,
    ) -> None:
        """Run ``work`` on a thread (of ``pool``); ``done`` or ``broke`` is called on the window's."""
        if self._closed:
            return
        if self._pool is None:
            # Three: a long verification and a search of the machine must not hold up a plan.
            self._pool = ThreadPoolExecutor(max_workers=3, thread_name_prefix="models")

        def job() -> None:
            try:
                found = work()
            except Exception as error:
                if not isinstance(error, (StudioError, Cancelled, OSError)):
                    _log.exception("work on the models failed")
                self._deliver(lambda error=error: broke(error))
            else:
                self._deliver(lambda: done(found))

        (pool or self._pool).submit(job)

    def _deliver(self, call: Callable[[], object]) -> None:
        def unless_closed() -> None:
            if not self._closed:
                call()

        self._arrived.emit(unless_closed)

    def _tell_error(self, error: Exception) -> None:
        self.told.emit("error", sentence_of(error))


def _real(place: Path) -> Path:
    """Without links, also where a link leads in circles."""
    return Path(os.path.realpath(place))
