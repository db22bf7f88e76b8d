"""The queue of downloads: whole catalog entries, several at once, paused and resumed, across ends of the program.

Every entry is a thread while it is active. What is finished is written down file by file
(:mod:`gen2studio.models.download_orders`), so that a pause, a lost connection and a killed program are the same case:
the next run goes on. A model appears in its folder only when every byte of it is right.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from gen2studio.core import log
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.models import hub_settings
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.copying import copy_resumed, linked
from gen2studio.models.download_jobs import DownloadJob
from gen2studio.models.download_orders import DownloadOrder, OrderFiles
from gen2studio.models.download_plans import disk_problem, free_bytes, make_plan, order_of
from gen2studio.models.download_values import (
    Download,
    DownloadError,
    DownloadPlan,
    DownloadState,
    PlannedFile,
    StoredModel,
)
from gen2studio.models.elsewhere import FilesHere
from gen2studio.models.fetching import FetchListener, disk_errors, fetch_file
from gen2studio.models.file_names import target_in
from gen2studio.models.hashing_files import KnownHashes
from gen2studio.models.hub import file_address
from gen2studio.models.hub_connection import HubConnection, Patience, TransferToken
from gen2studio.models.hub_settings import HubSettings, HubSettingsFile
from gen2studio.models.licences import LicenceLedger
from gen2studio.models.receipts import read_receipt
from gen2studio.models.staging import bytes_there, check_file, drop_empty_folders, is_in_place, part_of, put_in_place
from gen2studio.models.storage import ModelStore

_OUTCOMES = {
    "model": "Listed among the models.",
    "masks": "Listed among the mask models.",
    "adapter": "Listed among the adapters.",
    "beside": "Ready in the models it belongs to.",
    "": "Ready for the models that use it.",
}

Listener = Callable[[Download], None]


class Downloads:
    """The queue; see :class:`gen2studio.models.download_contract.DownloadService`."""

    def __init__(
        self,
        store: ModelStore | None = None,
        settings: HubSettingsFile | None = None,
        orders: OrderFiles | None = None,
        ledger: LicenceLedger | None = None,
        token: Callable[[], str] = hub_settings.token,
        patience: Patience | None = None,
    ) -> None:
        self._settings = settings or HubSettingsFile()
        self._store = store or ModelStore(self._settings)
        self._orders = orders or OrderFiles()
        self._ledger = ledger or LicenceLedger()
        self._token = token
        self._patience = patience
        self._hashes = KnownHashes()
        self._lock = threading.RLock()
        self._jobs: dict[str, DownloadJob] = {}
        self._listeners: list[Listener] = []
        self._claims: dict[str, threading.Lock] = {}
        self._fresh: dict[str, Path] = {}
        """SHA-256 → a finished file of a download of this run."""
        self._closed = False

    def plan(self, entry: CatalogEntry, cancel: CancelToken | None = None) -> DownloadPlan:
        """What downloading ``entry`` would do. Blocks. Raises DownloadError, Cancelled."""
        settings = self._settings.load()
        stored = self._store.find(entry.id)
        folder = stored.folder if stored is not None and stored.folder.is_dir() else settings.folder / entry.id
        with self._connection(settings) as connection:
            return make_plan(
                entry, connection, folder, self._here(settings), self._ledger,
                stored=stored, order=self._orders.find(entry.id),
                missing=tuple(need for need in entry.needs if self._store.folder_of(need) is None),
                token=cancel or TransferToken(),
            )  # fmt: skip

    def accept_licence(self, plan: DownloadPlan) -> DownloadPlan:
        """Record that exactly this text was accepted today; the plan with that date."""
        return replace(plan, licence=self._ledger.accept(plan.licence, plan.entry.id))

    def start(self, plan: DownloadPlan) -> Download:
        """Queue a plan. Raises DownloadError when its terms were not accepted or it can't start."""
        entry = plan.entry
        licence = self._ledger.dated(plan.licence)
        if not licence.accepted:
            raise DownloadError(
                f"The terms of {entry.title} ({licence.title}) were not accepted yet.",
                "Read and accept them first.",
                "licence",
            )
        if plan.installed:
            raise DownloadError(f"{entry.title} is on this machine already.", "", "there")
        with self._lock:
            job = self._jobs.get(entry.id)
            if job is not None and job.state.active:
                return job.value()
            others = sum(
                other.order.total - other.done
                for other in self._jobs.values()
                if other.state.active and other.order.folder.parent == plan.folder.parent
            )
            problem = disk_problem(plan.disk + others, free_bytes(plan.folder), plan.reserve, plan.folder)
            if problem:
                raise DownloadError(problem, "", "disk")
            left = self._orders.find(entry.id)
            order = order_of(plan, licence)
            if left is not None and left.folder == order.folder:
                done = {file.path for file in plan.files if file.here == "done"}
                order = replace(order, finished={p: d for p, d in left.finished.items() if p in done})
            elif left is not None:
                self._orders.forget(left)
            shown = self._queued(order)
        self._tell(shown)
        self._advance()
        return shown

    def resume(self, entry_id: str) -> None:
        """Queue a paused or failed download again. Raises DownloadError when there is none."""
        with self._lock:
            job = self._jobs.get(entry_id)
            if job is None or job.state is DownloadState.DONE:
                raise DownloadError("There is no download to go on with.", "Start it again.", "missing")
            if job.state.active:
                # Its thread is about to end: it begins again then.
                job.again = job.wanted == "pause"
                return
            shown = self._queued(job.order)
        self._tell(shown)
        self._advance()

    def pause(self, entry_id: str) -> None:
        """Stop soon and keep what is there."""
        self._stop(entry_id, "pause")

    def cancel(self, entry_id: str) -> None:
        """Stop, and delete what was fetched so far."""
        self._stop(entry_id, "cancel")

    def discard(self, entry_id: str) -> int:
        """Delete what an earlier run left of a download that this one did not take up; the bytes that frees.

        Raises DownloadError when there is none, or another program works on it.
        """
        order = self._orders.find(entry_id)
        if order is None:
            raise DownloadError("There is no download to delete.", "“gen2studio models list” shows them.", "missing")
        freed = bytes_there(order)
        with self._held(entry_id):
            self._orders.forget(order)
        return freed

    def forget(self, entry_id: str) -> None:
        """Take a finished download off the list; what it brought stays."""
        with self._lock:
            job = self._jobs.get(entry_id)
            if job is None or job.state is not DownloadState.DONE:
                return
            del self._jobs[entry_id]
        self._tell(job.gone())

    def downloads(self) -> tuple[Download, ...]:
        with self._lock:
            return tuple(job.value() for job in self._jobs.values())

    def restore(self) -> tuple[Download, ...]:
        """Take up the downloads of earlier runs, those that another running program has left out."""
        with contextlib.suppress(StudioError):
            self._store.tidy()
        for order in self._orders.load():
            with self._lock:
                if order.id in self._jobs or self._closed:
                    continue
                try:
                    with self._held(order.id):
                        pass
                except DownloadError:
                    continue
                if order.wanted == "run":
                    shown = self._queued(order)
                else:
                    job = self._jobs[order.id] = DownloadJob(order)
                    job.failed(order.problem, order.remedy, order.problem_kind)
                    job.done = bytes_there(order)
                    shown = job.value()
            self._tell(shown)
        self._advance()
        return self.downloads()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """``listener`` gets every new value, on the downloads' threads; the returned function ends that."""
        with self._lock:
            self._listeners.append(listener)

        def end() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return end

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until nothing is active; False when ``timeout`` seconds passed before."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            with self._lock:
                busy = [job for job in self._jobs.values() if job.thread is not None or job.state.active or job.again]
                thread = next((job.thread for job in busy if job.thread is not None), None)
            if not busy:
                return True
            left = 0.2 if until is None else min(0.2, until - time.monotonic())
            if left <= 0:
                return False
            if thread is not None:
                thread.join(left)
            else:
                # Between two threads of one download.
                time.sleep(0.005)

    def close(self, patience: float | None = None) -> None:
        """Pause everything and wait for the threads; the next run goes on.

        A thread that still waits for a name or a connection is left after ``patience`` seconds: what it has is on the
        disk. None waits for all of them.
        """
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            if job.state.active:
                self._stop(job.order.id, "close")
        until = None if patience is None else time.monotonic() + patience
        for job in jobs:
            thread = job.thread
            if thread is not None and thread is not threading.current_thread():
                thread.join(None if until is None else max(0.0, until - time.monotonic()))

    def _queued(self, order: DownloadOrder) -> Download:
        """Keep an order and list it as waiting; the caller tells of it and starts what may start."""
        with self._lock:
            if self._closed:
                raise DownloadError("The program is about to end.", "", "failed")
            order = replace(order, wanted="run", problem="", remedy="", problem_kind="")
            with disk_errors(self._orders.folder / order.id):
                self._orders.save(order)
            job = self._jobs[order.id] = DownloadJob(order)
            job.done = bytes_there(order)
            return job.value()

    def _advance(self) -> None:
        """Start as many of the waiting as may run at the same time."""
        most = self._settings.load().parallel
        with self._lock:
            if self._closed:
                return
            running = sum(job.thread is not None for job in self._jobs.values())
            for job in self._jobs.values():
                if running >= most:
                    return
                if job.state is DownloadState.WAITING and job.thread is None:
                    job.state = DownloadState.PREPARING
                    job.thread = threading.Thread(
                        target=self._work, args=(job,), name=f"download-{job.order.id}", daemon=True
                    )
                    job.thread.start()
                    running += 1

    def _stop(self, entry_id: str, wanted: str) -> None:
        with self._lock:
            job = self._jobs.get(entry_id)
            if job is None or job.state is DownloadState.DONE or (wanted != "cancel" and not job.state.active):
                return
            job.wanted, job.again = wanted, False
            if job.thread is not None:
                job.token.cancel()
                return
            if wanted == "cancel":
                # Deleting gigabytes takes a while.
                job.token.cancel()
                job.thread = threading.Thread(target=self._work, args=(job,), name=f"download-{entry_id}", daemon=True)
                job.thread.start()
                return
            self._ended(job)
            shown = job.value()
        self._tell(shown)
        self._advance()

    def _ended(self, job: DownloadJob) -> None:
        """Keep or forget what was stopped, as was wanted."""
        order = job.order
        job.state = DownloadState.PAUSED
        if job.wanted == "cancel":
            self._orders.forget(order)
            self._jobs.pop(order.id, None)
            for digest in order.finished.values():
                self._fresh.pop(digest, None)
        elif job.wanted == "pause":
            job.order = replace(order, wanted="pause")
            with contextlib.suppress(OSError):
                self._orders.save(job.order)

    def _work(self, job: DownloadJob) -> None:
        """The thread of one download."""
        try:
            with self._held(job.order.id):
                job.token.check()
                self._whole(job)
        except Cancelled:
            with self._lock:
                self._ended(job)
        except StudioError as error:
            kind = error.kind if isinstance(error, DownloadError) else "failed"
            self._failed(job, error.sentence, error.remedy, kind)
        except Exception as error:
            log.topic("downloads").exception("download of %s", job.order.id)
            self._failed(job, sentence_of(error), "", "failed")
        with self._lock:
            late = job.wanted == "cancel" and self._jobs.get(job.order.id) is job
            if late and job.state in (DownloadState.PAUSED, DownloadState.FAILED):
                # It was asked for while this thread was ending for another reason.
                self._ended(job)
            job.thread = None
            again = job.again and job.state is DownloadState.PAUSED
            job.again = again
            shown = job.gone() if job.wanted == "cancel" and job.order.id not in self._jobs else job.value()
        self._tell(shown)
        if again:
            with contextlib.suppress(StudioError):
                self._tell(self._queued(job.order))
            job.again = False
        self._advance()

    def _failed(self, job: DownloadJob, problem: str, remedy: str, kind: str) -> None:
        with self._lock:
            job.failed(problem, remedy, kind)
            job.order = replace(job.order, wanted="pause", problem=problem, remedy=remedy, problem_kind=kind)
            drop_empty_folders(job.order)
            job.done = bytes_there(job.order)
            with contextlib.suppress(OSError):
                self._orders.save(job.order)

    def _whole(self, job: DownloadJob) -> None:
        """Bring everything of an order, check it, and put it in its place. Raises StudioError, Cancelled."""
        order = job.order
        if not is_in_place(order):
            settings = self._settings.load()
            here = self._here(settings)
            with self._connection(settings) as connection:
                for file in sorted(order.files, key=lambda file: (file.size, file.path)):
                    self._bring(job, file, connection, here, settings)
            self.show(job, DownloadState.CHECKING, "")
            put_in_place(job.order)
        model = read_receipt(order.folder)
        if model is None or model.problem:
            raise DownloadError(f"{order.title} is not whole.", model.problem if model else "Download it again.")
        model = self._store.keep(model)
        self._orders.forget(order)
        with self._lock:
            for file in model.files:
                self._fresh[file.sha256] = order.folder.joinpath(file.path)
            job.outcome = self._outcome(model)
            job.done = order.total
            job.state, job.note, job.file = DownloadState.DONE, "", ""

    def _outcome(self, model: StoredModel) -> str:
        refusal = self._store.refusal(model)
        if refusal:
            return f"It is whole, but can't be used yet: {refusal}"
        return _OUTCOMES[model.registered.partition(":")[0]]

    def _bring(
        self, job: DownloadJob, file: PlannedFile, connection: HubConnection, here: FilesHere, settings: HubSettings
    ) -> None:
        """One file: taken from where it lies already, or fetched; then checked and written down."""
        target = target_in(job.order.staged, file.path)
        if file.path in job.order.finished:
            if target.is_file() and target.stat().st_size == file.size:
                return
            job.done -= file.size
        before = job.done - part_of(target)
        self.show(job, DownloadState.CHECKING if file.sha256 else DownloadState.RUNNING, file.path)
        with self._claimed(file, job):
            digest = self._taken(job, file, target, here)
            if not digest:
                job.done = before
                self._check_disk(file, target, settings)
                self.show(job, DownloadState.RUNNING, file.path)
                address = file_address(connection, file.repo, file.commit, file.source)
                digest = fetch_file(connection, address, file, target, job.token, _Ear(self, job))
            try:
                check_file(target)
            except StudioError as refusal:
                # The bytes are those that were announced, and they are no model: none of it is kept.
                shutil.rmtree(job.order.incoming, ignore_errors=True)
                job.order = replace(job.order, finished={})
                raise DownloadError(refusal.sentence, refusal.remedy, "refused") from None
            with self._lock:
                job.done = before + file.size
                job.order = replace(job.order, finished={**job.order.finished, file.path: digest})
                self._fresh[digest] = target
            with disk_errors(target):
                self._orders.save(job.order)

    def _taken(self, job: DownloadJob, file: PlannedFile, target: Path, here: FilesHere) -> str:
        """The SHA-256 of a file that lies on this machine and was linked or copied; empty = it has to be fetched."""
        for _ in range(2):
            with self._lock:
                fresh = self._fresh.get(file.sha256)
            path = fresh if fresh is not None and fresh.is_file() else here.find(file.sha256, file.size, job.token)
            if path is None or not file.sha256:
                return ""
            # A download that finishes just now takes its files to another folder: then the second look finds them.
            with contextlib.suppress(OSError):
                if linked(path, target):
                    return file.sha256
                if copy_resumed(path, target, job.token) == file.sha256:
                    return file.sha256
                target.unlink()
        return ""

    @contextlib.contextmanager
    def _claimed(self, file: PlannedFile, job: DownloadJob) -> Generator[None]:
        """Only one download fetches a file; the others wait and have it then."""
        if not file.sha256:
            yield
            return
        with self._lock:
            claim = self._claims.setdefault(file.sha256, threading.Lock())
        if not claim.acquire(blocking=False):
            self.show(job, DownloadState.RUNNING, file.path, "Another download fetches this file; waiting for it.")
            while not claim.acquire(timeout=0.1):
                job.token.check()
            self.show(job, DownloadState.RUNNING, file.path)
        try:
            yield
        finally:
            claim.release()

    def _check_disk(self, file: PlannedFile, target: Path, settings: HubSettings) -> None:
        needed = file.size - part_of(target)
        problem = disk_problem(needed, free_bytes(target), settings.reserve, target)
        if problem:
            raise DownloadError(problem, "", "disk")

    @contextlib.contextmanager
    def _held(self, entry_id: str) -> Generator[None]:
        """Keep other running programs from the same download. Raises DownloadError when one has it."""
        from filelock import FileLock, Timeout

        path = self._orders.lock_path(entry_id)
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, timeout=0, thread_local=False)
            try:
                lock.acquire()
            except Timeout:
                raise DownloadError(
                    "Another running Gen2 Studio fetches this model.", "Wait for it, or pause it there.", "busy"
                ) from None
        try:
            yield
        finally:
            lock.release()

    def _here(self, settings: HubSettings) -> FilesHere:
        return FilesHere(settings, self._store.stored(), self._hashes)

    def _connection(self, settings: HubSettings) -> HubConnection:
        return HubConnection(settings, self._token(), self._patience)

    def show(self, job: DownloadJob, state: DownloadState, file: str, note: str = "") -> None:
        """Tell the listeners what a job does now."""
        with self._lock:
            job.state, job.file, job.note = state, file, note
            shown = job.value()
        self._tell(shown)

    def progressed(self, job: DownloadJob) -> None:
        """Tell the listeners, not too often."""
        with self._lock:
            if not job.may_show():
                return
            shown = job.value()
        self._tell(shown)

    def _tell(self, value: Download) -> None:
        with self._lock:
            listeners = list(self._listeners)
        for listener in listeners:
            listener(value)


class _Ear(FetchListener):
    """Hears one transfer for its job."""

    def __init__(self, queue: Downloads, job: DownloadJob) -> None:
        self._queue, self._job = queue, job

    def moved(self, count: int, fetched: bool) -> None:
        self._job.done += count
        if fetched:
            self._job.fetched(count)
        self._queue.progressed(self._job)

    def checking(self, yes: bool) -> None:
        self._queue.show(self._job, DownloadState.CHECKING if yes else DownloadState.RUNNING, self._job.file)

    def noted(self, sentence: str) -> None:
        if sentence != self._job.note:
            self._queue.show(self._job, self._job.state, self._job.file, sentence)
