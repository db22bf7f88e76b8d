"""kill -9 at any instant: the next start goes on at the first missing frame and ends with the same pictures."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.geometry import Extent
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.take_store import TakeStore
from tests.engine import crash_run
from tests.fakes.fake_engine import invert, ramp_reader, source_ref

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("kill_after_frames", [0, 5, 14])
def test_a_killed_render_goes_on(tmp_path: Path, kill_after_frames: int) -> None:
    command = [sys.executable, "-m", "tests.engine.crash_run", str(tmp_path), "0.03"]
    store = TakeStore(tmp_path / "takes")
    takes = [job.take_id for job in crash_run.JOBS]

    def count() -> int:
        return sum(len(store.frames(take)) for take in takes)

    process = subprocess.Popen(command, cwd=ROOT)
    try:
        deadline = time.monotonic() + 120
        journal = tmp_path / "renders.jsonl"
        while count() < kill_after_frames or not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    kept = {take: set(store.frames(take)) for take in takes}
    before = {(take, f): store.frame_path(take, f).stat().st_mtime_ns for take in takes for f in kept[take]}
    assert kill_after_frames <= len(before) < 24
    pending = RenderJournal(tmp_path / "renders.jsonl").pending()
    unfinished = {job.id for job in crash_run.JOBS if len(kept[job.take_id]) < 12}
    assert unfinished and unfinished <= {job.id for job in pending}
    crash_run.main(tmp_path, 0.0)
    for take in takes:
        assert store.done(take) == ((0, 12),)
        for frame in range(12):
            assert np.array_equal(store.read(take, frame), invert(ramp_reader(source_ref(), frame, Extent(64, 48))))
    for (take, frame), stamp in before.items():
        assert store.frame_path(take, frame).stat().st_mtime_ns == stamp, "a finished frame was made again"
    assert RenderJournal(tmp_path / "renders.jsonl").pending() == ()
