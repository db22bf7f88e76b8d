"""The longest the window's thread is held by large regions at 3840 × 2160: ``python -m tests.bench.bench_blocks``.

Beside each gesture stands the same pixel work done at once on that thread: what the window would be held for.
Milliseconds of the thread's processor time between two ticks of a timer; the best of three.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QPoint, Qt, QTimer
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gen2studio.app.viewer_feed import ViewerPicture
from gen2studio.core.geometry import Extent
from gen2studio.document import masks as edits
from gen2studio.document.model import MaskFrame
from gen2studio.raster import morphology, shapes
from tests.bench.bench_brush import scene

UHD = Extent(3840, 2160)
BAR_MS = 16.0
LEFT = Qt.MouseButton.LeftButton


def longest(canvas: object, begin: Callable[[], object], done: Callable[[], bool]) -> float:
    """Most milliseconds of this thread between two ticks while ``begin``'s work is under way."""
    marks: list[float] = []
    ticker = QTimer()
    ticker.timeout.connect(lambda: marks.append(time.thread_time()))
    ticker.start(0)
    QTest.qWait(20)
    begin()
    deadline = time.monotonic() + 30
    while not done() and time.monotonic() < deadline:
        QTest.qWait(5)
    QTest.qWait(60)
    ticker.stop()
    return float(np.diff(marks).max()) * 1e3


def at_once(work: Callable[[], object]) -> float:
    start = time.thread_time()
    work()
    return (time.thread_time() - start) * 1e3


def main() -> int:
    application = QApplication.instance() or QApplication(sys.argv)
    session, masks, canvas, media_id = scene(UHD)
    image = np.full((2160, 3840, 4), 255, np.uint8)
    image[..., :3] = np.linspace(90, 110, 3840).astype(np.uint8)[None, :, None]
    canvas.show_picture(
        ViewerPicture(media_id=media_id, clip_id="", media_frame=3, image=image, extent=UHD, shows="source")
    )
    QTest.qWait(200)

    def view(x: float, y: float) -> QPoint:
        return canvas.transform.to_view(x, y).toPoint()

    stack = session.store.undo_stack
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    outline = [(1920 + 1850 * np.cos(a), 1080 + 1030 * np.sin(a)) for a in turn]

    def lasso() -> None:
        session.set_tool("lasso")
        QTest.mousePress(canvas, LEFT, Qt.KeyboardModifier.NoModifier, view(*outline[0]))
        for point in outline[1:]:
            QTest.mouseMove(canvas, view(*point))

    def let_go() -> None:
        QTest.mouseRelease(canvas, LEFT, Qt.KeyboardModifier.NoModifier, view(*outline[-1]))

    def fill(modifier: Qt.KeyboardModifier) -> None:
        session.set_tool("fill")
        QTest.mouseClick(canvas, LEFT, modifier, view(1900, 1000))

    def paint() -> None:
        matte = np.zeros((2160, 3840), np.uint8)
        matte[300:1900, 500:3300] = 255
        raster = session.store.tiles.pack(morphology.feather(matte, 30))
        object_id = masks.add_object("Dog")
        frames = {i: MaskFrame(raster=raster, anchor=i == 3) for i in (3, 4, 5)}
        session.store.apply("Draw", edits.set_frames(session.document, object_id, frames))
        QTest.qWait(200)

    flat = np.zeros((2160, 3840), np.uint8)
    plain, shift = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier

    def nothing() -> None:
        return None

    Work = Callable[[], object]
    rows: list[tuple[str, Work, Work, Work]] = [
        ("lasso around the frame", lasso, let_go, lambda: shapes.polygon(UHD, outline)),
        ("fill", nothing, lambda: fill(plain), lambda: np.full((2160, 3840), 255, np.uint8)),
        ("fill by colour", nothing, lambda: fill(shift), lambda: shapes.fill_colour(image, 1900, 1000, 24)),
        (
            "grow 3 frames by 12",
            paint,
            lambda: masks.grow(12, all_frames=True),
            lambda: [morphology.grow(flat, 12) for _ in range(3)],
        ),
    ]
    print(f"{'gesture':<26} {'held ms':>8} {'at once ms':>11}")
    missed = 0
    for name, prepare, begin, work in rows:
        best = np.inf
        for _ in range(3):
            prepare()
            steps = stack.count()
            best = min(best, longest(canvas, begin, lambda steps=steps: stack.count() > steps and masks.job is None))
        missed += best > BAR_MS
        print(f"{name:<26} {best:8.1f} {at_once(work):11.1f}  ≤ {BAR_MS:g} ms: {'yes' if best <= BAR_MS else 'NO'}")
    canvas.hide()
    del application
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
