"""Drawn shapes at 3840 × 2160: ``python -m tests.bench.bench_shapes``.

Drag → repaint: one mouse event that moves a point of a bezier shape with the Edit Shape tool, the shape rasterised
again, laid over paint, and the repaint of what changed. The peer in the same run is what a mask editor without
rectangles pays for the same picture: the outline filled by OpenCV over the whole picture, blurred by the mean feather.
Bars are held against the processor time of all threads together.
"""

from __future__ import annotations

import math
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QApplication

from gen2studio.app.viewer_feed import ViewerPicture
from gen2studio.core.geometry import Extent
from gen2studio.core.mask_shape import ShapePoint
from gen2studio.raster import splines
from tests.bench.bench_brush import Watched, footage, row, scene, timed

EXTENT = Extent(3840, 2160)
NONE, LEFT = Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton


def blob(radius: float, feather: float, count: int = 16) -> tuple[ShapePoint, ...]:
    """A wavy ring of smooth points around the middle, its feather varying from half to one and a half."""
    made: list[ShapePoint] = []
    for i in range(count):
        angle = 2 * math.pi * i / count
        far = radius * (1 + 0.15 * math.sin(3 * angle))
        reach = far * 2 * math.pi / count / 3
        tx, ty = -math.sin(angle) * reach, math.cos(angle) * reach
        soft = feather * (1 + 0.5 * math.sin(2 * angle))
        made.append(
            ShapePoint(1920 + far * math.cos(angle), 1080 + far * math.sin(angle), -tx, -ty, tx, ty, soft)
        )  # fmt: skip
    return tuple(made)


def send(canvas: Watched, kind: QEvent.Type, spot: QPointF, button: Qt.MouseButton, held: Qt.MouseButton) -> None:
    QApplication.sendEvent(canvas, QMouseEvent(kind, spot, spot, button, held, Qt.KeyboardModifier.NoModifier))


def drag(canvas: Watched, point: ShapePoint, steps: int) -> list[tuple[float, float]]:
    start = canvas.transform.to_view(point.x, point.y)
    send(canvas, QEvent.Type.MouseButtonPress, start, LEFT, LEFT)
    samples: list[tuple[float, float]] = []
    for i in range(1, steps + 1):
        spot = QPointF(start.x() + 60 * math.sin(i / 7), start.y() + 40 * math.sin(i / 5))

        def step(spot: QPointF = spot) -> None:
            send(canvas, QEvent.Type.MouseMove, spot, NONE, LEFT)
            canvas.flush()

        canvas.painted = 0
        samples.append(timed(step))
        assert canvas.painted > 300, "nothing was repainted"
    send(canvas, QEvent.Type.MouseButtonRelease, spot, LEFT, NONE)
    canvas.flush()
    return samples


def peer(points: tuple[ShapePoint, ...], feather: float) -> None:
    line = splines.outline("bezier", points)[:, :2]
    mask = np.zeros((EXTENT.height, EXTENT.width), np.uint8)
    cv2.fillPoly(mask, [np.rint(line * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    if feather:
        cv2.GaussianBlur(mask, (0, 0), abs(feather) / 2, dst=mask)


def main() -> int:
    application = QApplication.instance() or QApplication(sys.argv)
    assert application is not None
    session, masks, canvas, media = scene(EXTENT)
    canvas.show_picture(
        ViewerPicture(media_id=media, media_frame=0, image=footage(EXTENT, 1), extent=EXTENT, shows="source")
    )
    canvas.flush()
    print(f"{'3840 × 2160, view 1600 × 900':<44} {'p50':>7} {'p95':>7} {'cpu p50':>9} {'cpu p95':>7}  ms")
    for radius, feather in ((150, 0), (150, 20), (500, 0), (500, 20), (500, -60), (900, 0), (900, 40)):
        points = blob(radius, feather)
        shape_id = masks.shapes.draw("bezier", points, "add")
        session.set_tool("edit_shape")
        canvas.flush()
        name = f"r {radius}, feather {feather}"
        samples = [timed(lambda p=points: splines.coverage(splines.segments("bezier", p), EXTENT)) for _ in range(20)]
        ours = row(f"rasterise, {name}", samples)
        other = row(
            "   OpenCV fill and blur of the picture", [timed(lambda p=points, f=feather: peer(p, f)) for _ in range(3)]
        )
        print(f"{'   OpenCV / ours':<44} {other / ours:7.1f} ×")
        row(f"drag a point → repaint, {name}", drag(canvas, points[2], 60), 16.0 if radius < 900 else None)
        masks.shapes.select(shape_id)
        masks.shapes.remove_shape()
    masks.shutdown()
    canvas.close()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
