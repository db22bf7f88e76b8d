"""Mattes in and out without stopping the window: looking into files, previews, imports and exports on threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.app.export import ExportProgress
from gen2studio.app.file_job import FileJob, Tell
from gen2studio.app.session import Session
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import sentence_of
from gen2studio.core.log import topic

if TYPE_CHECKING:
    from gen2studio.app.matte_export import MatteExport
    from gen2studio.app.matte_files import Arrangement, MatteImport, ReadLayer
    from gen2studio.document.model import Document, MediaItem
    from gen2studio.media.matte_kinds import MatteFile
    from gen2studio.raster.tiles import TileStore

_log = topic("mattes")


def export_job(
    document: Document, settings: MatteExport, tiles: TileStore, project_folder: Path | None, parent: QObject
) -> FileJob:
    """An export of the document as it is now."""

    def work(token: CancelToken, tell: Tell) -> object:
        from gen2studio.app.matte_export import export_mattes

        return export_mattes(document, settings, tiles, project_folder=project_folder, cancel=token, on_progress=tell)

    return FileJob("mattes", work, parent)


def import_job(
    file: MatteFile,
    settings: MatteImport,
    arrangement: Arrangement,
    item: MediaItem,
    tiles: TileStore,
    parent: QObject,
) -> FileJob:
    """Reading a matte file; :func:`finish_import` lays what comes of it into the document."""
    extent = item.info.extent

    def work(token: CancelToken, tell: Tell) -> object:
        from gen2studio.app.matte_files import read_mattes

        began = time.perf_counter()
        told = 0.0

        def on_progress(done: int, total: int) -> None:
            nonlocal told
            now = time.perf_counter()
            if now - told < 0.1 and done < total:
                return
            told = now
            pace = done / max(1e-6, now - began)
            left = (total - done) / pace if done >= min(10, total) else None
            tell(ExportProgress(done=done, total=total, frames_per_second=pace, seconds_left=left))

        return read_mattes(file, settings, arrangement, extent, tiles, cancel=token, on_progress=on_progress)

    return FileJob("mattes", work, parent)


def finish_import(session: Session, media_id: str, settings: MatteImport, layers: tuple[ReadLayer, ...]) -> str:
    """Lay read mattes into the document as one undo step and choose the first object; returns what was done.

    Raises EditRefused when the object or its clip is gone or locked by now.
    """
    from gen2studio.app.matte_files import kept_anchors, summary, with_mattes

    document, ids = with_mattes(session.document, media_id, settings, layers)
    sentence = summary(layers)
    session.store.apply(f"Import {sentence}", document)
    session.set_mask_object(ids[0])
    kept = kept_anchors(document, ids, layers)
    drawn = f" {kept} drawn by hand {'was' if kept == 1 else 'were'} kept." if kept else ""
    return f"Imported {sentence}.{drawn}"


class MatteLook(QObject):
    """Looks into a matte file and shows what an import would do with it; the latest question wins."""

    found = Signal(object)
    """MatteFile"""
    previewed = Signal(object)
    """(H, W, 3) uint8 RGB: the clip's picture, dark outside the matte."""
    failed = Signal(str)
    """One sentence."""
    _answered = Signal(int, str, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="matte-look")
        self._asked = 0
        self._answered.connect(self._on_answered)

    def look(self, path: Path, single: bool = False) -> None:
        """Find out what ``path`` holds: :attr:`found` or :attr:`failed` follows."""

        def work(stale: Callable[[], bool]) -> object:
            from gen2studio.media import codecs

            codecs.load()
            from gen2studio.media.matte_reader import find_matte

            return find_matte(path, single=single, abandon=stale)

        self._ask("found", work)

    def preview(
        self, file: MatteFile, settings: MatteImport, item: MediaItem, position: int, current: int, side: int
    ) -> None:
        """Show image ``position`` over the frame it goes to, at most ``side`` pixels wide; :attr:`previewed` follows.

        ``current`` is the media frame on screen: where a still goes.
        """

        def work(_stale: Callable[[], bool]) -> object:
            from gen2studio.app.matte_files import preview_picture

            return preview_picture(file, settings, item, position, current, side)

        self._ask("previewed", work)

    def shutdown(self) -> None:
        """Forget every question and end the thread."""
        self._asked += 1
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _ask(self, kind: str, work: Callable[[Callable[[], bool]], object]) -> None:
        self._asked += 1
        number = self._asked

        def run() -> None:
            if number != self._asked:
                return
            try:
                self._answered.emit(number, kind, work(lambda: number != self._asked))
            except Exception as error:  # a hostile file must not end the thread
                self._answered.emit(number, "failed", sentence_of(error))

        self._pool.submit(run)

    def _on_answered(self, number: int, kind: str, answer: object) -> None:
        if number == self._asked:
            getattr(self, kind).emit(answer)
