"""Long disk work leaves the window alive, hands back results and errors, and takes no input meanwhile."""

from __future__ import annotations

import threading
import time

import pytest
from PySide6.QtCore import QTimer

from gen2studio.app import disk_work
from gen2studio.app.disk_work import DiskWork


def test_long_work_runs_elsewhere_while_timers_tick(qapp: object) -> None:
    disk = DiskWork()
    ticks: list[float] = []
    told: list[str] = []
    disk.started.connect(told.append)
    enough = threading.Event()

    def tick() -> None:
        ticks.append(time.monotonic())
        if len(ticks) >= 10:
            enough.set()

    timer = QTimer()
    timer.setInterval(5)
    timer.timeout.connect(tick)
    timer.start()

    def work() -> str:
        # It ends only because the window's timers go on beside it.
        assert enough.wait(30)
        return threading.current_thread().name

    assert disk.run("Saving…", work) == "disk-work"
    timer.stop()
    assert told == ["Saving…"]
    assert not disk.busy


def test_short_work_says_nothing(qapp: object, monkeypatch: pytest.MonkeyPatch) -> None:
    # A busy machine may take long to start a thread.
    monkeypatch.setattr(disk_work, "AT_ONCE_SECONDS", 30.0)
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
