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
from collections import deque
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gen2studio.core import log
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.models import hub_settings
from gen2studio.models.catalog_entries import CatalogEntry
from gen2studio.models.copying import copy_resumed, linked
from gen2studio.models.download_orders import DownloadOrder, OrderFiles
from gen2studio.models.download_plans import disk_problem, free_bytes, make_plan, order_of
from gen2studio.models.download_values import (
    Download,
    DownloadError,
    DownloadPlan,
    DownloadState,
    PlannedFile,
    StoredFile,
    StoredModel,
)
from gen2studio.models.elsewhere import FilesHere
from gen2studio.models.fetching import FetchListener, disk_errors, fetch_file
from gen2studio.models.file_names import PART, target_in
from gen2studio.models.gguf_header import read_gguf_header
from gen2studio.models.hashing_files import KnownHashes
from gen2studio.models.hub import file_address
from gen2studio.models.hub_connection import HubConnection, Patience, TransferToken
from gen2studio.models.hub_settings import HubSettings, HubSettingsFile
from gen2studio.models.licences import LicenceLedger
from gen2studio.models.receipts import read_receipt, write_receipt
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.storage import ModelStore

_SHOWN_EVERY = 0.1
_RATE_SECONDS = 5.0
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
        self._jobs: dict[str, _Job] = {}
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
                    job = self._jobs[order.id] = _Job(order)
                    job.failed(order.problem, order.remedy, order.problem_kind)
                    job.done = _bytes_there(order)
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

    def close(self) -> None:
        """Pause everything and wait for the threads; the next run goes on."""
        with self._lock:
            self._closed = True
            jobs = list(self._jobs.values())
        for job in jobs:
            if job.state.active:
                self._stop(job.order.id, "close")
        for job in jobs:
            thread = job.thread
            if thread is not None and thread is not threading.current_thread():
                thread.join()

    def _queued(self, order: DownloadOrder) -> Download:
        """Keep an order and list it as waiting; the caller tells of it and starts what may start."""
        with self._lock:
            if self._closed:
                raise DownloadError("The program is about to end.", "", "failed")
            order = replace(order, wanted="run", problem="", remedy="", problem_kind="")
            with disk_errors(self._orders.folder / order.id):
                self._orders.save(order)
            job = self._jobs[order.id] = _Job(order)
            job.done = _bytes_there(order)
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

    def _ended(self, job: _Job) -> None:
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

    def _work(self, job: _Job) -> None:
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

    def _failed(self, job: _Job, problem: str, remedy: str, kind: str) -> None:
        with self._lock:
            job.failed(problem, remedy, kind)
            job.order = replace(job.order, wanted="pause", problem=problem, remedy=remedy, problem_kind=kind)
            _tidy(job.order)
            job.done = _bytes_there(job.order)
            with contextlib.suppress(OSError):
                self._orders.save(job.order)

    def _whole(self, job: _Job) -> None:
        """Bring everything of an order, check it, and put it in its place. Raises StudioError, Cancelled."""
        order = job.order
        if not _is_in_place(order):
            settings = self._settings.load()
            here = self._here(settings)
            with self._connection(settings) as connection:
                for file in sorted(order.files, key=lambda file: (file.size, file.path)):
                    self._bring(job, file, connection, here, settings)
            self._show(job, DownloadState.CHECKING, "")
            _put_in_place(job.order)
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
        self, job: _Job, file: PlannedFile, connection: HubConnection, here: FilesHere, settings: HubSettings
    ) -> None:
        """One file: taken from where it lies already, or fetched; then checked and written down."""
        target = target_in(job.order.staged, file.path)
        if file.path in job.order.finished:
            if target.is_file() and target.stat().st_size == file.size:
                return
            job.done -= file.size
        before = job.done - _part_of(target)
        self._show(job, DownloadState.CHECKING if file.sha256 else DownloadState.RUNNING, file.path)
        with self._claimed(file, job):
            digest = self._taken(job, file, target, here)
            if not digest:
                job.done = before
                self._check_disk(file, target, settings)
                self._show(job, DownloadState.RUNNING, file.path)
                address = file_address(connection, file.repo, file.commit, file.source)
                digest = fetch_file(connection, address, file, target, job.token, _Ear(self, job))
            try:
                check_weights(target)
            except StudioError:
                # The bytes are those that were announced, and they are no model: none of it is kept.
                shutil.rmtree(job.order.incoming, ignore_errors=True)
                job.order = replace(job.order, finished={})
                raise
            with self._lock:
                job.done = before + file.size
                job.order = replace(job.order, finished={**job.order.finished, file.path: digest})
                self._fresh[digest] = target
            with disk_errors(target):
                self._orders.save(job.order)

    def _taken(self, job: _Job, file: PlannedFile, target: Path, here: FilesHere) -> str:
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
    def _claimed(self, file: PlannedFile, job: _Job) -> Generator[None]:
        """Only one download fetches a file; the others wait and have it then."""
        if not file.sha256:
            yield
            return
        with self._lock:
            claim = self._claims.setdefault(file.sha256, threading.Lock())
        if not claim.acquire(blocking=False):
            self._show(job, DownloadState.RUNNING, file.path, "Another download fetches this file; waiting for it.")
            while not claim.acquire(timeout=0.1):
                job.token.check()
            self._show(job, DownloadState.RUNNING, file.path)
        try:
            yield
        finally:
            claim.release()

    def _check_disk(self, file: PlannedFile, target: Path, settings: HubSettings) -> None:
        needed = file.size - _part_of(target)
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

    def _show(self, job: _Job, state: DownloadState, file: str, note: str = "") -> None:
        with self._lock:
            job.state, job.file, job.note = state, file, note
            shown = job.value()
        self._tell(shown)

    def progressed(self, job: _Job) -> None:
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


class _Job:
    """What is known of one download while the program runs. Changed under the queue's lock, or by its own thread."""

    def __init__(self, order: DownloadOrder) -> None:
        self.order = order
        self.state = DownloadState.WAITING
        self.wanted = "run"
        self.again = False
        self.token = TransferToken()
        self.thread: threading.Thread | None = None
        self.done = 0
        self.file = self.note = self.problem = self.remedy = self.kind = self.outcome = ""
        self._steps: deque[tuple[float, int]] = deque()
        self._shown = 0.0

    def failed(self, problem: str, remedy: str, kind: str) -> None:
        self.state = DownloadState.FAILED if problem else DownloadState.PAUSED
        self.problem, self.remedy, self.kind = problem, remedy, kind
        self.note = self.file = ""

    def fetched(self, count: int) -> None:
        now = time.monotonic()
        self._steps.append((now, count))
        while self._steps and now - self._steps[0][0] > _RATE_SECONDS:
            self._steps.popleft()

    def may_show(self) -> bool:
        now = time.monotonic()
        if now - self._shown < _SHOWN_EVERY:
            return False
        self._shown = now
        return True

    def value(self) -> Download:
        rate = self._rate() if self.state is DownloadState.RUNNING else 0.0
        left = max(0, self.order.total - self.done)
        finished = self.state is DownloadState.DONE
        return Download(
            id=self.order.id, title=self.order.title, state=self.state, done=self.done, total=self.order.total,
            rate=rate, seconds_left=left / rate if rate > 0 else None, file=self.file, note=self.note,
            problem=self.problem, remedy=self.remedy, kind=self.kind, folder=self.order.folder if finished else None,
            outcome=self.outcome,
        )  # fmt: skip

    def gone(self) -> Download:
        """The last value of a download that is not listed any more."""
        return Download(id=self.order.id, title=self.order.title, state=DownloadState.PAUSED)

    def _rate(self) -> float:
        """Bytes per second over the window; 0 until it means something."""
        if len(self._steps) < 2:
            return 0.0
        passed = time.monotonic() - self._steps[0][0]
        return sum(count for _, count in self._steps) / passed if passed > 0.2 else 0.0


class _Ear(FetchListener):
    """Hears one transfer for its job."""

    def __init__(self, queue: Downloads, job: _Job) -> None:
        self._queue, self._job = queue, job

    def moved(self, count: int, fetched: bool) -> None:
        self._job.done += count
        if fetched:
            self._job.fetched(count)
        self._queue.progressed(self._job)

    def checking(self, yes: bool) -> None:
        self._queue._show(self._job, DownloadState.CHECKING if yes else DownloadState.RUNNING, self._job.file)

    def noted(self, sentence: str) -> None:
        if sentence != self._job.note:
            self._queue._show(self._job, self._job.state, self._job.file, sentence)


def check_weights(path: Path) -> None:
    """Raise ModelError when a weights file is not what its name says; only its header is read."""
    if path.suffix.lower() == ".safetensors":
        read_header(path)
    elif path.suffix.lower() == ".gguf":
        read_gguf_header(path)


def _put_in_place(order: DownloadOrder) -> None:
    """Receipt and licence into the staged folder, then rename it: the model is there, whole, or not at all."""
    target = order.folder
    files = tuple(StoredFile(path=file.path, size=file.size, sha256=order.finished[file.path]) for file in order.files)
    model = StoredModel(
        id=order.id, title=order.title, kind=order.kind, folder=order.staged, repo=order.repo, commit=order.commit,
        licence_id=order.licence.id, licence_title=order.licence.title, accepted=order.licence.accepted,
        downloaded=datetime.now(UTC).date().isoformat(), files=files,
    )  # fmt: skip
    with disk_errors(target):
        _keep_only(order)
        write_receipt(model, order.licence.text)
        old = order.incoming / "old"
        if target.exists():
            before = read_receipt(target)
            if before is None or before.id != order.id:
                raise DownloadError(
                    f"There is something named “{order.id}” in {target.parent} that was not downloaded.",
                    "Move it away, then go on.",
                    "disk",
                )
            target.rename(old)
        order.staged.rename(target)
        shutil.rmtree(old, ignore_errors=True)


def _keep_only(order: DownloadOrder) -> None:
    """Delete what an earlier plan staged and this one has not."""
    wanted = {order.staged.joinpath(file.path) for file in order.files}
    for path in sorted(order.staged.rglob("*"), reverse=True):
        if path.is_symlink() or path.is_file():
            if path not in wanted or path.is_symlink():
                path.unlink()
        elif not any(path in file.parents for file in wanted):
            path.rmdir()


def _is_in_place(order: DownloadOrder) -> bool:
    """Whether the model was put in its place and the program ended before it said so."""
    there = read_receipt(order.folder)
    return (
        there is not None
        and not there.problem
        and not order.staged.exists()
        and {file.path: file.sha256 for file in there.files} == dict(order.finished)
        and len(order.finished) == len(order.files)
    )


def _bytes_there(order: DownloadOrder) -> int:
    """Bytes of an order that are staged."""
    total = 0
    for file in order.files:
        path = order.staged.joinpath(file.path)
        total += file.size if file.path in order.finished else min(file.size, _part_of(path))
    return total


def _part_of(target: Path) -> int:
    with contextlib.suppress(OSError):
        return target.with_name(target.name + PART).stat().st_size
    return 0


def _tidy(order: DownloadOrder) -> None:
    """Delete the folders of an order that hold nothing."""
    folders = [path for path in order.incoming.rglob("*") if path.is_dir() and not path.is_symlink()]
    for folder in [*sorted(folders, key=lambda path: -len(path.parts)), order.incoming, order.incoming.parent]:
        with contextlib.suppress(OSError):
            folder.rmdir()
