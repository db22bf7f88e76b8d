"""Matte files on threads: results, one sentence when it fails, cancel, and the latest question wins."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QObject
from pytestqt.qtbot import QtBot

from gen2studio.app.matte_export import MatteExport
from gen2studio.app.matte_files import MatteImport, arrange
from gen2studio.app.matte_jobs import MatteLook, export_job, finish_import, import_job
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.media.matte_reader import find_matte
from tests.export.sequences import simple


@pytest.fixture
def session(media_root: Path) -> Session:
    return Session(DocumentStore(simple(media_root / "clips" / "hard" / "odd_dims_161x121_vp9.webm")))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "mattes"
    place.mkdir()
    for number in range(20):
        matte = np.zeros((121, 161), np.uint8)
        cv2.circle(matte, (20 + 5 * number, 60), 25, 255, -1, cv2.LINE_AA)
        cv2.imwrite(str(place / f"dog_{number:03d}.png"), matte)
    return place


def test_an_import_becomes_one_undo_step_and_an_export_its_files(
    qtbot: QtBot, session: Session, folder: Path, tmp_path: Path
) -> None:
    item = next(iter(session.document.media.values()))
    file, settings, owner = find_matte(folder), MatteImport(), QObject()
    reading = import_job(file, settings, arrange(file, settings, item.info), item, session.store.tiles, owner)
    told: list[int] = []
    reading.progressed.connect(lambda progress: told.append(progress.done))
    with qtbot.waitSignal(reading.finished, timeout=20000) as read:
        reading.start()
    assert reading.wait() and told[-1] == 20
    before = session.document
    assert finish_import(session, item.id, settings, read.args[0]) == "Imported 20 mattes of mattes."
    assert session.store.undo_stack.count() == 1
    (made,) = session.document.masks
    assert session.mask_object == made
    wanted = MatteExport(path=tmp_path / "out", format="png8", objects=(made,))
    writing = export_job(session.document, wanted, session.store.tiles, None, owner)
    with qtbot.waitSignal(writing.finished, timeout=20000) as written:
        writing.start()
    assert writing.wait() and written.args[0].frames == 20
    session.store.undo_stack.undo()
    assert session.document == before


def test_a_cancelled_import_ends_as_cancelled(qtbot: QtBot, session: Session, folder: Path) -> None:
    item = next(iter(session.document.media.values()))
    file, settings, owner = find_matte(folder), MatteImport(), QObject()
    job = import_job(file, settings, arrange(file, settings, item.info), item, session.store.tiles, owner)
    job.cancel()
    with qtbot.waitSignal(job.cancelled, timeout=20000):
        job.start()
    assert job.wait() and not job.running


def test_what_fails_is_one_sentence(qtbot: QtBot, session: Session, folder: Path) -> None:
    item = next(iter(session.document.media.values()))
    file, settings, owner = find_matte(folder), MatteImport(), QObject()
    (folder / "dog_011.png").unlink()
    job = import_job(file, settings, arrange(file, settings, item.info), item, session.store.tiles, owner)
    with qtbot.waitSignal(job.failed, timeout=20000) as failed:
        job.start()
    assert job.wait() and failed.args == ["“dog_011.png” is not there any more. Check the folder."]


def test_the_latest_question_wins(qtbot: QtBot, session: Session, folder: Path) -> None:
    look = MatteLook()
    found: list[str] = []
    failed: list[str] = []
    look.found.connect(lambda file: found.append(file.path.name))
    look.failed.connect(failed.append)
    for number in range(6):
        look.look(folder / f"dog_{number:03d}.png")
    look.look(folder / "nothing.png")
    look.look(folder)
    qtbot.waitUntil(lambda: bool(found), timeout=20000)
    assert (found, failed) == (["mattes"], [])
    look.look(folder / "nothing.png")
    qtbot.waitUntil(lambda: bool(failed), timeout=20000)
    assert failed == ["“nothing.png” is not there. Check the path."]
    item = next(iter(session.document.media.values()))
    with qtbot.waitSignal(look.previewed, timeout=20000) as shown:
        look.preview(find_matte(folder), MatteImport(), item, 3, 0, 80)
    assert shown.args[0].shape == (60, 80, 3)
    look.shutdown()
