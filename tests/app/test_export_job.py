"""The export thread the window uses."""

from __future__ import annotations

import threading
from pathlib import Path

from pytestqt.qtbot import QtBot

from gen2studio.app.export import ExportJob, ExportSettings
from tests.export.sequences import DOG, simple


def test_a_job_runs_off_the_ui_thread_and_reports(qtbot: QtBot, tmp_path: Path, media_root: Path) -> None:
    job = ExportJob(simple(media_root / DOG), ExportSettings(path=tmp_path / "dog"), take_folder=Path)
    threads: set[int] = set()
    done: list[int] = []
    job.progressed.connect(lambda p: (threads.add(threading.get_ident()), done.append(p.done)))
    with qtbot.waitSignal(job.finished, timeout=20000) as finished:
        job.start()
    assert finished.args[0].frames == 10
    assert finished.args[0].path == tmp_path / "dog.mp4"
    assert (done[-1], threads) == (10, {threading.get_ident()})
    assert job.wait()


def test_cancelling_a_job_leaves_nothing(qtbot: QtBot, tmp_path: Path, media_root: Path) -> None:
    job = ExportJob(simple(media_root / DOG, 32), ExportSettings(path=tmp_path / "dog"), take_folder=Path)
    job.progressed.connect(lambda _p: job.cancel())
    with qtbot.waitSignal(job.cancelled, timeout=20000):
        job.start()
    assert job.wait()
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_cannot_start_says_why(qtbot: QtBot, tmp_path: Path, media_root: Path) -> None:
    settings = ExportSettings(path=tmp_path / "dog", preset="betamax")
    job = ExportJob(simple(media_root / DOG), settings, take_folder=Path)
    with qtbot.waitSignal(job.failed, timeout=20000) as failed:
        job.start()
    assert "betamax" in failed.args[0]
    assert "h264" in failed.args[0]
    assert job.wait()
