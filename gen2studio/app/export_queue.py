"""The export queue: orders run one after the other on one thread, and are kept on disk until they are done."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.app.export_orders import ExportOrder, OrderFiles, OrderState, forget_kept, interrupted
from gen2studio.app.export_values import ExportProgress, ExportResult, ExportSettings
from gen2studio.app.file_job import FileJob, Tell, Work
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ProjectError, sentence_of
from gen2studio.core.ids import new_id
from gen2studio.core.log import topic
from gen2studio.document.model import Document
from gen2studio.media.resumption import Resumption
from gen2studio.raster.tiles import TileStore

_log = topic("exports")


class ExportQueue(QObject):
    """Lives on the UI thread. Files are written on a thread of their own, exports run on another."""

    added = Signal(int, object)
    """(index, ExportOrder)"""
    changed = Signal(int, object)
    """(index, ExportOrder)"""
    removed = Signal(int, object)
    moved = Signal(int, int)
    """(from, to)"""
    progressed = Signal(str, object)
    """(order id, ExportProgress)"""
    finished = Signal(str, object)
    """(order id, ExportResult)"""
    failed = Signal(str, str)
    """(order id, sentence)"""
    cancelled = Signal(str)
    busy_changed = Signal(int)
    """How many orders run or wait."""
    held_changed = Signal(bool)
    told = Signal(str)
    """A sentence about the queue itself: its files can't be written."""

    def __init__(self, root: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._root = root
        self._files: OrderFiles | None = None
        self._orders: list[ExportOrder] = []
        self._progress: dict[str, ExportProgress] = {}
        self._job: FileJob | None = None
        self._resumption: Resumption | None = None
        """Of the order that runs: what it leaves for the next program."""
        self._running = ""
        self._gate = threading.Event()
        self._gate.set()
        self._held = False
        self._writer: ThreadPoolExecutor | None = None
        self._written: dict[str, Future[None]] = {}
        self._documents: dict[str, Document] = {}
        """Of this session's orders: they need not be read back."""
        self._now: set[str] = set()
        """Orders that are begun although the queue is held."""
        self._complained = False
        self._closing = False

    # -- what is there -----------------------------------------------------------------------------------------------

    @property
    def orders(self) -> tuple[ExportOrder, ...]:
        """In the order they run."""
        return tuple(self._orders)

    @property
    def busy(self) -> int:
        """How many orders run or wait."""
        return sum(not order.state.ended for order in self._orders)

    @property
    def running(self) -> str:
        """Id of the order that runs, or empty."""
        return self._running

    @property
    def held(self) -> bool:
        """Whether no further order is begun."""
        return self._held

    @property
    def paused(self) -> bool:
        """Whether the running order waits."""
        return bool(self._running) and not self._gate.is_set()

    def progress(self, order_id: str) -> ExportProgress | None:
        return self._progress.get(order_id)

    def order(self, order_id: str) -> ExportOrder | None:
        return next((order for order in self._orders if order.id == order_id), None)

    def _index(self, order_id: str) -> int:
        return next((i for i, order in enumerate(self._orders) if order.id == order_id), -1)

    # -- commands ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Read what waits on disk and go on with it. Does nothing when it was opened already."""
        if self._files is not None or self._closing:
            return
        try:
            self._files = OrderFiles(self._root)
            orders, self._held = self._files.load()
        except (OSError, ProjectError) as error:
            _log.warning("the export queue can't be opened: %s", error)
            self.told.emit(f"The export queue can't be kept on disk: {sentence_of(error)}")
            return
        for order in orders:
            self._orders.append(order)
            self.added.emit(len(self._orders) - 1, order)
        self.held_changed.emit(self._held)
        self._next()

    def add(
        self,
        document: Document,
        settings: ExportSettings,
        folder: Path,
        title: str = "",
        *,
        first: bool = False,
        begin: bool = True,
        tiles: TileStore | None = None,
    ) -> str:
        """Queue an export of ``document`` as it is now; returns the order's id.

        ``folder`` is the project's working folder. ``first`` puts it before everything that waits, and lets it run even
        while the queue is held; with ``begin`` False nothing is begun until the next one is added. ``tiles`` that are
        still in memory are written with it.
        """
        self.open()
        order = ExportOrder(id=new_id("export"), title=title or settings.path.name, settings=settings, folder=folder)
        index = len(self._orders)
        if first:
            self._now.add(order.id)
            index = next((i for i, o in enumerate(self._orders) if o.state is OrderState.WAITING), index)
        self._orders.insert(index, order)
        files = self._files
        if files is not None:

            def write() -> None:
                if tiles is not None:
                    tiles.compress()
                files.add(order, document)

            self._written[order.id] = self._write(write)
        self._documents[order.id] = document
        self._write_head()
        self.added.emit(index, order)
        if begin:
            self._next()
        return order.id

    def hold(self, held: bool) -> None:
        """Begin no further order, or go on."""
        if held != self._held:
            self._held = held
            self._write_head()
            self.held_changed.emit(held)
            self._next()

    def pause(self, order_id: str) -> None:
        """Let the running order wait where it is."""
        if order_id == self._running and self._gate.is_set():
            self._gate.clear()
            self._tell(order_id)

    def resume(self, order_id: str) -> None:
        if order_id == self._running and not self._gate.is_set():
            self._gate.set()
            self._tell(order_id)

    def cancel(self, order_id: str) -> None:
        """Stop an order; nothing of it is kept. One that waits is cancelled at once."""
        order = self.order(order_id)
        if order is None or order.state.ended:
            return
        if order_id == self._running:
            if self._job is not None:
                self._job.cancel()
            self._gate.set()
        else:
            self._set(replace(order, state=OrderState.CANCELLED, sentence="Cancelled; nothing was written."))
            self._forget_kept(order)
            self.cancelled.emit(order_id)

    def retry(self, order_id: str) -> None:
        """Let an order that ended wait again."""
        order = self.order(order_id)
        if order is not None and order.state.ended:
            self._set(replace(order, state=OrderState.WAITING, sentence="", paths=(), pid=0))
            self._next()

    def remove(self, order_id: str) -> None:
        """Take an order that does not run off the list. What it made stays."""
        index = self._index(order_id)
        if index < 0 or order_id == self._running:
            return
        order = self._orders.pop(index)
        self._progress.pop(order_id, None)
        self._documents.pop(order_id, None)
        self._written.pop(order_id, None)
        files = self._files
        if files is not None:
            self._write(lambda: files.remove(order_id))
        if not order.state.ended:
            self._forget_kept(order)
        self._write_head()
        self.removed.emit(index, order)
        self.busy_changed.emit(self.busy)

    def clear_ended(self) -> None:
        for order in self.orders:
            if order.state.ended:
                self.remove(order.id)

    def shift(self, order_id: str, by: int) -> None:
        """Run an order that waits earlier (−1) or later (1)."""
        index = self._index(order_id)
        target = index + by
        if index < 0 or not 0 <= target < len(self._orders):
            return
        if self._orders[index].state is not OrderState.WAITING or self._orders[target].state is OrderState.RUNNING:
            return
        self._orders.insert(target, self._orders.pop(index))
        self._write_head()
        self.moved.emit(index, target)

    def rehome(self, before: Path, after: Path) -> None:
        """A project's working folder moved: orders find its takes and masks in the new one."""
        if before == after:
            return
        for order in self.orders:
            if order.folder == before and not order.state.ended:
                self._set(replace(order, folder=after))

    def wait(self, milliseconds: int = 30_000) -> bool:
        """Block until the running export's thread has ended."""
        return self._job is None or self._job.wait(milliseconds)

    def shutdown(self) -> None:
        """Stop; what runs or waits goes on when the program starts next. Safe to call twice."""
        self._closing = True
        self._gate.set()
        if self._job is not None:
            if self._resumption is not None:
                self._resumption.interrupt()
            self._job.cancel()
            self._job.wait()
            self._job.deleteLater()
            self._job = None
            order = self.order(self._running)
            self._running = ""
            if order is not None:
                self._set(interrupted(order))
        if self._writer is not None:
            self._writer.shutdown(wait=True)
            self._writer = None
        if self._files is not None:
            self._files.close()
            self._files = None

    # -- running -----------------------------------------------------------------------------------------------------

    def _next(self) -> None:
        self.busy_changed.emit(self.busy)
        if self._job is not None or self._closing:
            return
        waiting = (order for order in self._orders if order.state is OrderState.WAITING)
        order = next((order for order in waiting if not self._held or order.id in self._now), None)
        if order is None:
            return
        self._running = order.id
        self._gate.set()
        order = replace(order, state=OrderState.RUNNING, pid=os.getpid())
        job = FileJob("export", self._work(order), self)
        job.progressed.connect(self._on_progressed)
        job.finished.connect(self._on_finished)
        job.failed.connect(self._on_failed)
        job.cancelled.connect(self._on_cancelled)
        self._job = job
        self._set(order)
        job.start()

    def _work(self, order: ExportOrder) -> Work:
        files, gate = self._files, self._gate
        resumption = self._resumption = Resumption(order.id)
        written, document = self._written.pop(order.id, None), self._documents.pop(order.id, None)

        def work(token: CancelToken, tell: Tell) -> object:
            if written is not None:
                written.result()
            return run_order(order, document or _document(files, order), token, tell, gate, resumption)

        return work

    def _on_progressed(self, progress: ExportProgress) -> None:
        if self._running:
            self._progress[self._running] = progress
            self.progressed.emit(self._running, progress)

    def _on_finished(self, result: ExportResult) -> None:
        order = self._done()
        if order is not None:
            paths = tuple(path.as_posix() for path in (result.path, *result.extras))
            self._set(replace(order, state=OrderState.DONE, sentence=" ".join(result.notes), paths=paths, pid=0))
            self.finished.emit(order.id, result)
        self._next()

    def _on_failed(self, sentence: str) -> None:
        order = self._done()
        if order is not None:
            self._set(replace(order, state=OrderState.FAILED, sentence=sentence, pid=0))
            self.failed.emit(order.id, sentence)
        self._next()

    def _on_cancelled(self) -> None:
        order = self._done()
        if order is not None:
            cancelled = replace(order, state=OrderState.CANCELLED, sentence="Cancelled; nothing was written.", pid=0)
            self._set(cancelled)
            self.cancelled.emit(order.id)
        self._next()

    def _done(self) -> ExportOrder | None:
        """The order whose thread has said its last word."""
        order = self.order(self._running)
        if self._job is not None:
            self._job.wait()
            self._job.deleteLater()
            self._job = None
        self._running = ""
        if order is not None:
            self._progress.pop(order.id, None)
        return order

    # -- keeping -----------------------------------------------------------------------------------------------------

    def _set(self, order: ExportOrder) -> None:
        index = self._index(order.id)
        if index < 0:
            return
        self._orders[index] = order
        files = self._files
        if files is not None:
            self._write(lambda: files.write(order))
        self.changed.emit(index, order)

    def _forget_kept(self, order: ExportOrder) -> None:
        """An interrupted order is not gone on with: its finished pictures go."""
        self._write(lambda: forget_kept(order))

    def _tell(self, order_id: str) -> None:
        index = self._index(order_id)
        if index >= 0:
            self.changed.emit(index, self._orders[index])

    def _write_head(self) -> None:
        files, ids, held = self._files, [order.id for order in self._orders], self._held
        if files is not None:
            self._write(lambda: files.write_head(ids, held))

    def _write(self, work: Callable[[], None]) -> Future[None]:
        if self._writer is None:
            self._writer = ThreadPoolExecutor(1, thread_name_prefix="export-orders")
        return self._writer.submit(self._guarded, work)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            _log.warning("the export queue can't be written: %s", error)
            if not self._complained:
                self._complained = True
                self.told.emit(f"The export queue can't be kept on disk: {sentence_of(error)}")


def _document(files: OrderFiles | None, order: ExportOrder) -> Document:
    if files is None:
        raise ProjectError("What this export was made of is gone.", "Add it to the queue again.")
    return files.document(order)


def run_order(
    order: ExportOrder,
    document: Document,
    token: CancelToken,
    tell: Tell,
    gate: threading.Event | None = None,
    resumption: Resumption | None = None,
) -> ExportResult:
    """Export one order; blocks. Any thread. While ``gate`` is not set the export waits where it is; ``resumption``
    keeps what is finished when the program ends."""
    from gen2studio.app.export import export_sequence
    from gen2studio.app.project_files import FolderTiles
    from gen2studio.engine.take_store import TakeStore

    def on_progress(progress: ExportProgress) -> None:
        tell(progress)
        while gate is not None and not gate.wait(0.1):
            token.check()

    return export_sequence(
        document,
        order.settings,
        take_folder=TakeStore(order.folder / "takes").path,
        project_folder=order.folder,
        cancel=token,
        on_progress=on_progress,
        tiles=TileStore(FolderTiles(order.folder / "tiles")),
        resumption=resumption,
    )


class QueuedJob(QObject):
    """One order as a dialog sees it: the same signals and calls as :class:`~gen2studio.app.file_job.FileJob`."""

    progressed = Signal(object)
    finished = Signal(object)
    failed = Signal(str)
    cancelled = Signal()

    def __init__(self, queue: ExportQueue, order_id: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._queue = queue
        self.order_id = order_id
        queue.progressed.connect(self._on_progressed)
        queue.finished.connect(self._on_finished)
        queue.failed.connect(self._on_failed)
        queue.cancelled.connect(self._on_cancelled)

    def _on_progressed(self, order_id: str, progress: object) -> None:
        if order_id == self.order_id:
            self.progressed.emit(progress)

    def _on_finished(self, order_id: str, result: object) -> None:
        if order_id == self.order_id:
            self.finished.emit(result)

    def _on_failed(self, order_id: str, sentence: str) -> None:
        if order_id == self.order_id:
            self.failed.emit(sentence)

    def _on_cancelled(self, order_id: str) -> None:
        if order_id == self.order_id:
            self.cancelled.emit()

    def start(self) -> None:
        """It was queued: nothing is left to do."""

    def cancel(self) -> None:
        self._queue.cancel(self.order_id)

    def wait(self, milliseconds: int = 30_000) -> bool:
        return self._queue.running != self.order_id or self._queue.wait(milliseconds)
