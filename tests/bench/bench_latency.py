"""How late a 60 Hz tick of a real window comes while the engine computes: ``python -m tests.bench.bench_latency``.

A window repaints a 1280×720 picture sixty times a second on the UI thread. Lateness = when a tick came minus when it
was due; repaint = what one tick's painting took. Run idle, beside a pure Python loop (the worst neighbour), and beside
a render of the example-based generator on the real engine thread. Bars: lateness p99 ≤ 8 ms and repaint p99 ≤ 16 ms
while the engine computes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QRect, Qt, QThread, QTimer
from PySide6.QtGui import QColor, QImage, QPainter, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget

from gen2studio.app.engine_host import SWITCH_INTERVAL, EngineHost
from gen2studio.compose import build_worker
from gen2studio.core.hashing import file_fingerprint
from gen2studio.engine.events import FrameReady, StateChanged
from gen2studio.engine.requests import GenerateRequest, Job, Lane, SourceRef
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.workspace import Workspace

CLIP = Path(__file__).resolve().parents[3] / "shared" / "media" / "clips" / "golden_retriever_512_3.2s.mp4"
PERIOD = 1 / 60


class Film(QWidget):
    """A viewer that paints a picture and a hundred small rectangles, as a timeline would."""

    def __init__(self) -> None:
        super().__init__()
        self.resize(1280, 720)
        self.picture = QImage(1280, 720, QImage.Format.Format_RGB32)
        self.picture.fill(QColor(40, 44, 52))
        self.tick = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawImage(QRect(0, 0, 1280, 720), self.picture)
        for i in range(100):
            painter.fillRect((i * 37 + self.tick) % 1280, i * 7, 30, 6, QColor.fromHsv(i * 3, 160, 200))
        painter.end()

    def show_frame(self, event: FrameReady) -> None:
        height, width = event.picture.shape[:2]
        self.picture = QImage(event.picture.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class Ticker:
    """Counts ticks of a 60 Hz precise timer and how late each came."""

    def __init__(self, window: Film) -> None:
        self.window = window
        self.late: list[float] = []
        self.paint: list[float] = []
        self.due = 0.0
        self.timer = QTimer()
        self.timer.setTimerType(Qt.TimerType.PreciseTimer)
        self.timer.setInterval(1)
        self.timer.timeout.connect(self._tick)

    def _tick(self) -> None:
        now = time.perf_counter()
        if now < self.due:
            return
        self.late.append(now - self.due)
        self.window.tick += 1
        self.window.repaint()
        self.paint.append(time.perf_counter() - now)
        # A tick that was missed is not made up for: the next is due a period after the last due time still ahead.
        self.due += PERIOD * max(1, 1 + int((time.perf_counter() - self.due) / PERIOD))

    def start(self) -> None:
        self.due = time.perf_counter() + PERIOD
        self.timer.start()

    def row(self, name: str, work: str) -> str:
        late, paint = (np.array(values[5:]) * 1000 for values in (self.late, self.paint))
        a, b = np.percentile(late, [50, 95, 99]), np.percentile(paint, [50, 99])
        return (
            f"{name:<34}{a[0]:7.2f}{a[1]:7.2f}{a[2]:7.2f}{late.max():8.2f}   {b[0]:7.2f}{b[1]:7.2f}{paint.max():8.2f}"
            f"   {len(late):5d}  {work}"
        )


class PythonLoop(QThread):
    """Holds the interpreter as much as a thread can."""

    count = 0

    def run(self) -> None:
        while not self.isInterruptionRequested():
            self.count += sum(range(20_000)) and 1


def measure(
    window: Film, seconds: float, name: str, work: Callable[[], str], done: Callable[[], bool] | None = None
) -> str:
    """One row: tick for ``seconds``, or until ``done``."""
    ticker = Ticker(window)
    ticker.start()
    end = time.perf_counter() + seconds
    # A loop of its own: QApplication.quit would close the window.
    loop = QEventLoop()
    stop = QTimer()
    stop.setInterval(50)
    stop.timeout.connect(lambda: loop.quit() if time.perf_counter() > end or (done and done()) else None)
    stop.start()
    loop.exec()
    ticker.timer.stop()
    return ticker.row(name, work())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--preset", default="oil")
    wanted = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.setswitchinterval(SWITCH_INTERVAL)
    application = QApplication([])
    window = Film()
    window.show()
    rows = [measure(window, wanted.seconds / 2, "idle", lambda: "")]

    loop = PythonLoop()
    loop.start()
    rows.append(measure(window, wanted.seconds / 2, "pure Python loop in a QThread", lambda: f"{loop.count} loops"))
    loop.requestInterruption()
    loop.wait()

    with tempfile.TemporaryDirectory() as folder:
        host = EngineHost(build_worker)
        host.set_workspace(Workspace(takes=TakeStore(Path(folder))))
        ends: list[StateChanged] = []
        frames = [0]
        host.state_changed.connect(lambda event: ends.append(event) if event.state.ended else None)

        def on_frame(event: FrameReady) -> None:
            frames[0] += 1
            window.show_frame(event)

        host.frame_ready.connect(on_frame)
        source = SourceRef(fingerprint=file_fingerprint(CLIP), path=str(CLIP), frame_count=32, width=512, height=512)

        def render(number: int) -> Job:
            request = GenerateRequest(
                mode="stylize", generator="example", revision="1", source=source, start=0, stop=32, seed=number,
                width=wanted.size, height=wanted.size, preset=wanted.preset,
            )  # fmt: skip
            return Job(
                id=f"job-{number:012d}", lane=Lane.RENDER, request=request, label="Bench", take_id=f"take-{number:012d}"
            )

        host.submit(render(1))
        rows.append(
            measure(window, 60, "engine starting, first frame", lambda: f"{frames[0]} frame", lambda: frames[0] > 0)
        )
        for number in range(2, 30):
            host.submit(render(number))
        before = frames[0]
        rows.append(
            measure(window, wanted.seconds, f"example engine, {wanted.preset}, {wanted.size} px",
                    lambda: f"{frames[0] - before} frames")
        )  # fmt: skip
        begun = time.perf_counter()
        clean = host.shutdown()
        stopped = time.perf_counter() - begun
    window.close()
    print(f"{'':34}{'tick late, ms':^29}   {'repaint, ms':^22}")
    print(f"{'background work':<34}{'p50':>7}{'p95':>7}{'p99':>7}{'max':>8}   {'p50':>7}{'p99':>7}{'max':>8}   ticks")
    print("\n".join(rows))
    print(f"engine shut down in the middle of a render: {stopped:.2f} s, {'clean' if clean else 'NOT CLEAN'}")
    failed = [event.reason for event in ends if event.reason and event.state.value == "failed"]
    if failed:
        print(f"the render failed: {failed[0]}")
    del application
    return 1 if failed or not clean else 0


if __name__ == "__main__":
    sys.exit(main())
