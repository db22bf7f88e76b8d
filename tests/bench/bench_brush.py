"""Brush and viewer speed at 3840 × 2160: ``python -m tests.bench.bench_brush``.

Dab → repaint: one pen event through QTabletEvent, the dab, and the repaint of what changed, until the widget is drawn.
"Whole redraw" is the same event with a full update(): what a canvas without dirty rectangles pays.

Bars are held against the processor time of all threads together: what a clock shows at most when the machine has
nothing else to do, and the same when it has.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from fractions import Fraction

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import MaskView, Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.viewer_feed import ViewerPicture
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document.model import Document, MediaItem, Sequence
from gen2studio.ui.canvas.canvas import Canvas
from gen2studio.ui.canvas.overlay import image_of

VIEW = (1600, 924)


class Watched(Canvas):
    """Tells how much was repainted, so that a measurement of nothing is noticed."""

    painted = 0

    def paintEvent(self, event: QPaintEvent) -> None:
        area = event.region().boundingRect()
        self.painted += area.width() * area.height()
        super().paintEvent(event)

    def flush(self) -> None:
        """Paint now what is waiting to be painted (and one pixel more)."""
        self.repaint(0, self.height() - 1, 1, 1)


def scene(extent: Extent) -> tuple[Session, MaskEditing, Watched, str]:
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=extent.width, height=extent.height, rate=Fraction(25), frame_count=100, exact=True
    )
    item = MediaItem(id="media-00000000000a", name="clip", path="/nowhere.mp4", fingerprint="bench", info=info)
    sequence = Sequence(id="seq-00000000000a", name="Bench", rate=info.rate, width=extent.width, height=extent.height)
    document = Document(
        id="doc-00000000000a",
        media=frozen_map({item.id: item}),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )
    session = Session(DocumentStore(document))
    masks = MaskEditing(session)
    canvas = Watched(session, masks)
    canvas.resize(*VIEW)
    canvas.show()
    assert QTest.qWaitForWindowExposed(canvas)
    return session, masks, canvas, item.id


def footage(extent: Extent, seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (extent.height // 8, extent.width // 8, 4), dtype=np.uint8)
    image = np.ascontiguousarray(np.kron(small, np.ones((8, 8, 1), np.uint8)))
    image[..., 3] = 255
    return image


class Pen:
    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.device = QPointingDevice(
            "pen", 1, QPointingDevice.DeviceType.Stylus, QPointingDevice.PointerType.Pen,
            QPointingDevice.Capability.Pressure | QPointingDevice.Capability.Position, 1, 3,
        )  # fmt: skip

    def send(self, kind: QEvent.Type, x: float, y: float) -> None:
        spot = QPointF(x, y)
        button = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletMove else Qt.MouseButton.LeftButton
        event = QTabletEvent(
            kind, self.device, spot, spot, 1.0, 0, 0, 0, 0, 0, Qt.KeyboardModifier.NoModifier, button,
            Qt.MouseButton.LeftButton,
        )  # fmt: skip
        QApplication.sendEvent(self.canvas, event)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3


def row(name: str, samples: list[tuple[float, float]], target: float | None = None) -> float:
    wall = np.array([s[0] for s in samples])
    cpu = np.array([s[1] for s in samples])
    p95 = float(np.percentile(cpu, 95))
    verdict = "" if target is None else f"  ≤ {target:g} ms: {'yes' if p95 <= target else 'NO'}"
    print(f"{name:<44} {np.median(wall):7.2f} {np.percentile(wall, 95):7.2f} {np.median(cpu):9.2f} {p95:7.2f}{verdict}")
    return float(np.median(wall))


def dabs(canvas: Watched, count: int, whole: bool) -> list[tuple[float, float]]:
    pen = Pen(canvas)
    rng = np.random.default_rng(4)
    points = np.stack([rng.uniform(200, VIEW[0] - 200, count), rng.uniform(100, VIEW[1] - 124, count)], 1)
    # A hand moves a little between two reports of the pen, 200 times a second.
    path = np.cumsum(np.diff(points, axis=0, prepend=points[:1]).clip(-9, 9), 0) + points[0]
    path = path.clip((50, 50), (VIEW[0] - 50, VIEW[1] - 80))
    pen.send(QEvent.Type.TabletPress, *path[0])
    canvas.repaint()
    samples: list[tuple[float, float]] = []
    for x, y in path[1:]:

        def step(x: float = x, y: float = y) -> None:
            pen.send(QEvent.Type.TabletMove, x, y)
            if whole:
                canvas.update()
            canvas.flush()

        canvas.painted = 0
        samples.append(timed(step))
        assert canvas.painted >= (VIEW[0] * 890 if whole else 300), "nothing was repainted"
    pen.send(QEvent.Type.TabletRelease, *path[-1])
    canvas.flush()
    return samples


def main() -> int:
    app = QApplication.instance() or QApplication(sys.argv)
    assert isinstance(app, QApplication)
    sys.setswitchinterval(0.0005)
    extent = Extent(3840, 2160)
    session, masks, canvas, media = scene(extent)
    canvas.show_picture(
        ViewerPicture(media_id=media, media_frame=0, image=footage(extent, 1), extent=extent, shows="source")
    )
    session.set_tool("brush")
    canvas.flush()
    print(f"{'3840 × 2160, view 1600 × 900':<44} {'p50':>7} {'p95':>7} {'cpu p50':>9} {'cpu p95':>7}  ms")
    for zoom in ("fit", "100 %"):
        canvas.fit() if zoom == "fit" else canvas.one_to_one()
        canvas.flush()
        for radius in (10, 50, 300, 400):
            masks.set_brush(radius=radius, hardness=0.8)
            dabs(canvas, 10, False)
            ours = row(f"dab → repaint, r {radius}, {zoom}", dabs(canvas, 200, False), 6.0 if radius <= 300 else 16.0)
            other = row("   the same with a whole redraw", dabs(canvas, 40, True))
            print(f"{'   whole redraw / dirty rectangles':<44} {other / ours:7.1f} ×")
    stack = session.store.undo_stack
    canvas.fit()
    masks.set_brush(radius=50)
    session.set_tool("eraser")
    owner = masks.current()
    assert owner is not None
    before = masks.matte(owner.id).copy()
    dabs(canvas, 200, False)
    after = masks.matte(owner.id).copy()
    row("undo of that stroke, with repaint", [timed(lambda: (stack.undo(), canvas.flush()))])
    exact = np.array_equal(masks.matte(owner.id), before)
    row("redo, with repaint", [timed(lambda: (stack.redo(), canvas.flush()))])
    exact = exact and np.array_equal(masks.matte(owner.id), after)
    print(f"byte-exact: {'yes' if exact else 'NO'}")
    masks.shutdown()
    canvas.close()

    hd = Extent(1920, 1080)
    session, masks, canvas, media = scene(hd)
    pictures = [
        ViewerPicture(media_id=media, media_frame=i, image=footage(hd, i), extent=hd, shows="source") for i in range(8)
    ]
    for picture in pictures:
        canvas.show_picture(picture)
        edit = masks.begin()
        edit.mask[200:900, 300 + 40 * picture.media_frame : 1100] = 255
        edit.changed(edit_area(edit.mask))
        edit.commit("Bench")
    canvas.flush()

    target = QImage(1600, 900, QImage.Format.Format_RGB32)
    frame = canvas._frame()

    def bare(image: np.ndarray | None, smooth: bool) -> None:
        assert image is not None
        painter = QPainter(target)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform, smooth)
        painter.drawImage(frame, image_of(image, opaque=True))
        painter.end()

    def scrub(index: int) -> None:
        canvas.show_picture(pictures[index % len(pictures)])
        canvas.flush()

    print(f"\n{'1920 × 1080, view 1600 × 900':<44} {'p50':>7} {'p95':>7} {'cpu p50':>9} {'cpu p95':>7}  ms")
    row("cached scrub with mask overlay → repaint", [timed(lambda i=i: scrub(i)) for i in range(120)], 8.0)
    session.set_mask_view(MaskView.NONE)
    row("   without mattes", [timed(lambda i=i: scrub(i)) for i in range(120)])
    for name, smooth in (("fast", False), ("smooth", True)):
        samples = [timed(lambda i=i, s=smooth: bare(pictures[i % 8].image, s)) for i in range(120)]
        row(f"   QPainter.drawImage of the picture, {name}", samples)
    session.set_mask_view(MaskView.OVERLAY)

    def settle() -> None:
        canvas._lively = False
        canvas.update()
        canvas.flush()

    samples = []
    for i in range(20):
        scrub(i)
        samples.append(timed(settle))
    row("the smooth repaint once it has stopped", samples)
    masks.shutdown()
    canvas.close()
    return 0 if exact else 1


def edit_area(mask: np.ndarray):
    from gen2studio.raster.morphology import bounds

    return bounds(mask)


if __name__ == "__main__":
    raise SystemExit(main())
