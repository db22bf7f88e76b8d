"""The export queue: one after the other, kept on disk, and gone on with after the process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.export_orders import ExportOrder, OrderFiles, OrderState, _decode_order, _encode_order
from gen2studio.app.export_queue import ExportQueue
from gen2studio.app.export_values import Captions, ExportSettings
from gen2studio.core.errors import ProjectError
from gen2studio.media.decoder import open_decoder
from tests.export.sequences import BUNNY, simple


@pytest.fixture
def queue(tmp_path: Path, qtbot: QtBot) -> Iterator[ExportQueue]:
    made = ExportQueue(tmp_path / "exports")
    yield made
    made.shutdown()


def states(queue: ExportQueue) -> list[OrderState]:
    return [order.state for order in queue.orders]


def settings(path: Path, **changes: object) -> ExportSettings:
    quick = (("preset", "ultrafast"), ("crf", "40"))
    return replace(ExportSettings(path=path, options=quick, sidecar=False), **changes)  # type: ignore[arg-type]


def test_orders_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    order = ExportOrder(
        id="export-0000000000ab",
        title="Film",
        settings=ExportSettings(
            path=tmp_path / "film",
            preset="gif",
            start=3,
            options=(("crf", "1"),),
            captions=Captions.BURNED,
            burn_timecode=True,
            burn_name="Reel",
            loudness=-16.0,
            track_mattes=True,
            width=320,
            rate=10,
        ),
        folder=tmp_path,
        state=OrderState.DONE,
        paths=("/a", "/b"),
    )
    assert _decode_order(_encode_order(order)) == order
    broken = _encode_order(order)
    broken["settings"] = {**broken["settings"], "width": -1}
    with pytest.raises(ProjectError):
        _decode_order(broken)


def test_orders_run_one_after_the_other_in_their_order(
    queue: ExportQueue, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    document = simple(media_root / BUNNY, frames=6)
    queue.open()
    queue.hold(True)
    ended: list[str] = []
    queue.finished.connect(lambda order_id, _result: ended.append(order_id))
    queue.failed.connect(lambda order_id, _sentence: ended.append(order_id))
    ids = [queue.add(document, settings(tmp_path / f"{name}.mp4"), tmp_path) for name in "abc"]
    (tmp_path / "folder.mp4").mkdir()
    bad = queue.add(document, settings(tmp_path / "folder.mp4"), tmp_path)
    assert states(queue) == [OrderState.WAITING] * 4
    # What is exported now does not wait for a held queue, and begins nothing else.
    now = queue.add(document, settings(tmp_path / "now.mp4"), tmp_path, first=True)
    qtbot.waitUntil(lambda: ended == [now], timeout=20000)
    queue.remove(now)
    ended.clear()
    assert states(queue) == [OrderState.WAITING] * 4
    queue.shift(ids[2], -1)
    queue.shift(ids[2], -1)
    queue.cancel(ids[1])
    assert [order.id for order in queue.orders] == [ids[2], ids[0], ids[1], bad]
    with qtbot.waitSignal(queue.failed, timeout=30000):
        queue.hold(False)
    assert ended == [ids[2], ids[0], bad]
    assert states(queue) == [OrderState.DONE, OrderState.DONE, OrderState.CANCELLED, OrderState.FAILED]
    assert (tmp_path / "a.mp4").is_file() and (tmp_path / "c.mp4").is_file() and not (tmp_path / "b.mp4").exists()
    assert queue.orders[3].sentence.endswith("Choose another name.")
    queue.retry(ids[1])
    qtbot.waitUntil(lambda: states(queue)[2] is OrderState.DONE, timeout=20000)
    queue.clear_ended()
    assert queue.orders == ()


def test_an_order_pauses_goes_on_and_is_cancelled(
    queue: ExportQueue, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    document = simple(media_root / BUNNY, frames=200)
    seen: list[int] = []
    queue.progressed.connect(lambda _id, progress: seen.append(progress.done))
    order = queue.add(document, settings(tmp_path / "film.mp4", options=(("preset", "veryslow"),)), tmp_path)
    with qtbot.waitSignal(queue.progressed, timeout=20000):
        pass
    queue.pause(order)
    assert queue.paused
    qtbot.wait(300)
    before = len(seen)
    qtbot.wait(400)
    assert len(seen) <= before + 1
    queue.resume(order)
    qtbot.waitUntil(lambda: len(seen) > before + 1, timeout=20000)
    queue.cancel(order)
    qtbot.waitUntil(lambda: states(queue) == [OrderState.CANCELLED], timeout=20000)
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


_CHILD = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from gen2studio.app.export_queue import ExportQueue
from tests.app.test_export_queue import settings
from tests.export.sequences import simple
application = QCoreApplication([])
clip, folder = Path(sys.argv[1]), Path(sys.argv[2])
queue = ExportQueue(folder / "exports")
queue.add(simple(clip, frames=3), settings(folder / "done.mp4"), folder)
queue.add(simple(clip, frames=250), settings(folder / "half.mp4", options=(("preset", "veryslow"),)), folder)
queue.finished.connect(lambda *_: print("one is done", flush=True))
queue.progressed.connect(lambda _id, p: print("half way", flush=True) if p.total == 250 and p.done else None)
application.exec()
"""


def test_a_killed_queue_goes_on(qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", _CHILD, str(media_root / BUNNY), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    try:
        lines = [child.stdout.readline().strip(), child.stdout.readline().strip()]
        assert lines == ["one is done", "half way"]
        with pytest.raises(ProjectError):
            _second_lock(tmp_path / "exports" / "1")
    finally:
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
    assert [path for path in tmp_path.iterdir() if ".part" in path.name], "killed in the middle of a file"
    finished = (tmp_path / "done.mp4").stat().st_mtime_ns

    queue = ExportQueue(tmp_path / "exports")
    queue.open()
    try:
        assert [order.settings.path.name for order in queue.orders] == ["done.mp4", "half.mp4"]
        assert queue.orders[0].state is OrderState.DONE
        assert queue.orders[1].state is OrderState.RUNNING
        order = queue.orders[1]
        queue.cancel(order.id)
        qtbot.waitUntil(lambda: states(queue)[1] is OrderState.CANCELLED, timeout=20000)
        assert (tmp_path / "done.mp4").stat().st_mtime_ns == finished, "what was finished stays finished"
        assert not [path for path in tmp_path.iterdir() if ".part" in path.name], "the half file is gone"
    finally:
        queue.shutdown()
    # What waits when the window closes is made by the next one.
    queue = ExportQueue(tmp_path / "exports")
    queue.open()
    queue.hold(True)
    queue.add(simple(media_root / BUNNY, frames=3), settings(tmp_path / "later.mp4"), tmp_path)
    queue.shutdown()
    queue = ExportQueue(tmp_path / "exports")
    queue.open()
    assert queue.held
    with qtbot.waitSignal(queue.finished, timeout=20000):
        queue.hold(False)
    decoder = open_decoder(tmp_path / "later.mp4")
    assert decoder.clock.frame_count == 3
    decoder.close()
    queue.shutdown()


def _shut_in_the_middle(qtbot: QtBot, media_root: Path, tmp_path: Path) -> Path:
    """Queue a sequence of pictures and let the program end with some of them finished; their hidden folder."""
    queue = ExportQueue(tmp_path / "exports")
    # Paused before it has begun, it stops at its first report.
    queue.changed.connect(lambda _index, order: queue.pause(order.id))
    pictures = settings(tmp_path / "stills", preset="png_8", options=(), width=64)
    order = queue.add(simple(media_root / BUNNY, frames=60), pictures, tmp_path)
    hidden = tmp_path / f".stills.{order}.part"
    qtbot.waitUntil((hidden / "stills_000000.png").is_file, timeout=20000)
    queue.hold(True)
    queue.shutdown()
    assert (hidden / "stills_000000.png").is_file()
    return hidden


def test_pictures_that_are_finished_outlive_the_program(qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    hidden = _shut_in_the_middle(qtbot, media_root, tmp_path)
    first = (hidden / "stills_000000.png").stat().st_mtime_ns
    queue = ExportQueue(tmp_path / "exports")
    queue.open()
    assert [order.state for order in queue.orders] == [OrderState.WAITING]
    assert queue.orders[0].sentence == "Interrupted; finished pictures are kept."
    with qtbot.waitSignal(queue.finished, timeout=30000):
        queue.hold(False)
    assert "of 60 pictures were finished by the run that was interrupted." in queue.orders[0].sentence
    assert (tmp_path / "stills" / "stills_000000.png").stat().st_mtime_ns == first
    assert len(list((tmp_path / "stills").glob("*.png"))) == 60
    assert not hidden.exists()
    queue.shutdown()


def test_what_is_taken_off_the_list_leaves_no_pictures(qtbot: QtBot, media_root: Path, tmp_path: Path) -> None:
    hidden = _shut_in_the_middle(qtbot, media_root, tmp_path)
    queue = ExportQueue(tmp_path / "exports")
    queue.open()
    queue.cancel(queue.orders[0].id)
    queue.shutdown()
    assert not hidden.exists()
    assert [path.name for path in tmp_path.iterdir()] == ["exports"]


def _second_lock(folder: Path) -> None:
    from gen2studio.app.project_lock import ProjectLock

    ProjectLock(folder / "lock")


def test_two_programs_have_queues_of_their_own(tmp_path: Path, media_root: Path) -> None:
    first, second = OrderFiles(tmp_path), OrderFiles(tmp_path)
    assert first.folder != second.folder
    order = ExportOrder(
        id="export-0000000000cd", title="x", settings=settings(tmp_path / "x.mp4"), folder=tmp_path,
        state=OrderState.RUNNING, pid=1,
    )  # fmt: skip
    second.add(order, simple(media_root / BUNNY, frames=2))
    second.close()
    first.close()
    third = OrderFiles(tmp_path)
    orders, held = third.load()
    assert [found.id for found in orders] == [order.id]
    assert orders[0].state is OrderState.WAITING
    assert not held
    assert third.document(orders[0]).sequence is not None
    third.close()
