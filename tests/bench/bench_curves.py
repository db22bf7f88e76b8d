"""What the curve editor costs: repaints of its graph and of the playhead over it, hovering, and a moved key.

``python -m tests.bench.bench_curves``. The peer is Qt's own drawing of the same curves as one path each: what a graph
takes that hands whole curves to the rasteriser.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from PySide6.QtCore import QPointF
from PySide6.QtGui import QImage, QPainter, QPen
from PySide6.QtTest import QTest

from gen2studio.app.clip_inspecting import ClipInspecting
from gen2studio.app.curve_editing import CurveEditing
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document import clip_composition, sequences
from gen2studio.ui import theme
from gen2studio.ui.panels.curves_graph import CurvesGraph
from tests.ui.clip_bench import document

NAMES = ("opacity", "transform.x", "transform.y", "transform.scale")
EASES = (Ease.LINEAR, Ease.SMOOTH, Ease.BEZIER, Ease.HOLD)


def _milliseconds(work: Callable[[], object], times: int = 12) -> float:
    taken: list[float] = []
    for _ in range(times):
        before = time.process_time()
        work()
        taken.append(time.process_time() - before)
    return statistics.median(taken) * 1000


def _one_path(graph: CurvesGraph) -> None:
    image = QImage(graph.size(), QImage.Format.Format_ARGB32_Premultiplied)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for each in graph.listed():
        painter.setPen(QPen(theme.colour(each.kind.colour), 1.8))
        painter.drawPath(graph.view.path(each))
    painter.end()


def main() -> None:
    """Print the table."""
    application = theme.new_application("bench")
    theme.apply(application)
    session = Session(DocumentStore(document()))
    editing = TimelineEditing(session)
    inspecting = ClipInspecting(session, editing)
    curves = CurveEditing(inspecting)
    graph = CurvesGraph(curves)
    graph.resize(1400, 360)
    graph.show()
    QTest.qWaitForWindowExposed(graph)
    print(f"{'keys × curves':>14} {'graph':>9} {'one path':>9} {'playhead':>9} {'hover':>9} {'move':>9}   (ms)")
    for count in (10, 40, 400, 2000):
        keys = tuple(CurveKey(i, (i % 7) / 7, EASES[i % 4], (-0.3, 0.1), (0.3, 0.1)) for i in range(0, count))
        sequence = session.sequence
        assert sequence is not None
        for name in NAMES:
            sequence = clip_composition.set_curve(sequence, ["clip-1"], name, Curve(1.0, keys))
        session.store.apply("Keys", sequences.with_sequence(session.document, sequence))
        inspecting.forget()
        curves.choose(frozenset({("opacity", 4)}))
        graph.view.fit(0, count, curves.curves().values())
        graph.redraw()
        graph.repaint()

        def whole() -> None:
            graph.redraw()
            graph.repaint()

        def move() -> None:
            curves.begin()
            curves.move(1, lambda _each: 0.0)
            graph.repaint()

        row = (
            _milliseconds(whole),
            _milliseconds(lambda: _one_path(graph), 3),
            _milliseconds(graph.repaint),
            _milliseconds(lambda: graph.spot_at(QPointF(500, 200))),
            _milliseconds(move, 4),
        )
        print(f"{count:>10} × {len(NAMES)} " + " ".join(f"{value:9.2f}" for value in row))


if __name__ == "__main__":
    main()
