"""Long disk work leaves the window alive, hands back results and errors, and takes no input meanwhile."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QTimer

from gen2studio.app.disk_work import DiskWork


def test_long_work_runs_elsewhere_while_timers_tick(qapp: object) -> None:
    disk = DiskWork()
    ticks: list[float] = []
    told: list[str] = []
    disk.started.connect(told.append)
    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start()

    def work() -> str:
        time.sleep(0.2)
        return threading.current_thread().name

    assert disk.run("Saving…", work) == "disk-work"
    timer.stop()
    assert told == ["Saving…"]
    assert len(ticks) >= 10
    assert not disk.busy


def test_short_work_says_nothing(qapp: object) -> None:
    disk = DiskWork()
    told: list[str] = []
    disk.started.connect(told.append)
    assert disk.run("Saving…", lambda: 7) == 7
    assert told == []


def test_errors_come_back_to_the_caller(qapp: object) -> None:
    disk = DiskWork()

    def work() -> None:
        time.sleep(0.05)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        disk.run("Saving…", work)
    assert disk.run("Saving…", lambda: 1) == 1
