"""The curve editor by hand: keys added, chosen, moved, bent, copied and typed."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMainWindow
from pytestqt.qtbot import QtBot

from gen2studio.app import actions_inspector
from gen2studio.app.clip_inspecting import ClipInspecting
from gen2studio.app.curve_editing import CurveEditing
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.document import clip_composition, sequences
from gen2studio.ui.action_binder import ActionBinder
from gen2studio.ui.late_work import LateWork
from gen2studio.ui.panels.curves_panel import CurvesPanel
from gen2studio.ui.widgets.number_field import NumberField
from gen2studio.ui.widgets.timecode_field import TimecodeField
from tests.ui.clip_bench import LEFT, ClipBench, click, part

SHIFT, CTRL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
NONE = Qt.KeyboardModifier.NoModifier


class Editor(ClipBench):
    """The curve editor on a clip whose opacity has three keys."""

    def __init__(self, qtbot: QtBot) -> None:
        super().__init__(qtbot)
        keys = (CurveKey(5, 0.0), CurveKey(15, 1.0), CurveKey(25, 0.5))
        self.set_curve("opacity", Curve(1.0, keys))
        window = QMainWindow()
        late = LateWork(window)
        binder = ActionBinder(actions_inspector.ROWS, window, late)
        late.finish()
        self.inspecting = ClipInspecting(self.session, self.editing)
        self.curves = CurveEditing(self.inspecting)
        self.panel = CurvesPanel(self.curves, binder.for_buttons())
        self.graph = self.panel.graph
        for name, handler in self.panel.handlers().items():
            binder.bind(name, handler)
        binder.scope("curves", self.panel)
        window.setCentralWidget(self.panel)
        self.show(window, 1000, 420)
        self.graph.setFocus()
        self.graph.fit()

    def set_curve(self, name: str, curve: Curve) -> None:
        sequence = clip_composition.set_curve(self.sequence, ["clip-1"], name, curve)
        self.store.apply("Curve", sequences.with_sequence(self.store.document, sequence))

    @property
    def opacity(self) -> Curve:
        return self.sequence.video_tracks[0].clips[0].opacity

    def frames(self) -> list[int]:
        return [key.frame for key in self.opacity.keys]

    def at(self, frame: float, value: float, name: str = "opacity") -> QPoint:
        each = self.curves.curves()[name]
        return self.graph.view.point(each, frame, value).toPoint()

    def drag(self, start: QPoint, end: QPoint, modifiers: Qt.KeyboardModifier = NONE) -> None:
        QTest.mousePress(self.graph, LEFT, modifiers, start)
        for step in range(1, 9):
            QTest.mouseMove(self.graph, start + (end - start) * step / 8)
        QTest.mouseRelease(self.graph, LEFT, modifiers, end)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        QTest.keyClick(self.graph, key, modifiers)


@pytest.fixture
def editor(qtbot: QtBot) -> Editor:
    return Editor(qtbot)


def test_a_key_is_dragged_in_time_and_value_as_one_step(editor: Editor) -> None:
    steps = editor.store.undo_stack.index()
    editor.drag(editor.at(15, 1.0), editor.at(10, 0.25))
    assert editor.frames() == [5, 10, 25]
    key = editor.opacity.key_at(10)
    assert key is not None
    assert key.value == pytest.approx(0.25, abs=0.02)
    assert editor.store.undo_stack.index() == steps + 1
    editor.store.undo_stack.undo()
    assert editor.frames() == [5, 15, 25]


def test_a_drag_over_another_key_and_back_loses_nothing(editor: Editor) -> None:
    editor.curves.snapping = False
    start = editor.at(15, 1.0)
    QTest.mousePress(editor.graph, LEFT, NONE, start)
    for frame in (18, 22, 25, 28, 20):
        QTest.mouseMove(editor.graph, editor.at(frame, 1.0))
    QTest.mouseRelease(editor.graph, LEFT, NONE, editor.at(20, 1.0))
    assert editor.frames() == [5, 20, 25]


def test_values_stay_in_range_and_shift_keeps_one_axis(editor: Editor) -> None:
    editor.drag(editor.at(15, 1.0), editor.at(15, 1.0) + QPoint(0, -300))
    assert editor.opacity.key_at(15) == CurveKey(15, 1.0)
    QTest.mousePress(editor.graph, LEFT, NONE, editor.at(25, 0.5))
    target = editor.at(33, 0.5) + QPoint(0, 12)
    for step in range(1, 5):
        event_at = editor.at(25, 0.5) + (target - editor.at(25, 0.5)) * step / 4
        _move(editor, event_at, SHIFT)
    QTest.mouseRelease(editor.graph, LEFT, SHIFT, target)
    assert editor.opacity.key_at(33) == CurveKey(33, 0.5)


def _move(editor: Editor, point: QPoint, modifiers: Qt.KeyboardModifier) -> None:
    from PySide6.QtCore import QEvent
    from PySide6.QtGui import QMouseEvent

    place = QPointF(point)
    globally = QPointF(editor.graph.mapToGlobal(point))
    event = QMouseEvent(QEvent.Type.MouseMove, place, globally, Qt.MouseButton.NoButton, LEFT, modifiers)
    QApplication.sendEvent(editor.graph, event)


def test_dragging_snaps_to_the_playhead(editor: Editor) -> None:
    editor.session.set_playhead(20)
    editor.drag(editor.at(15, 1.0), editor.at(20, 1.0) + QPoint(5, 0))
    assert 20 in editor.frames()


def test_rubber_band_then_delete_and_undo(editor: Editor) -> None:
    editor.drag(editor.at(10, 1.08), editor.at(30, -0.05))
    assert editor.curves.chosen == {("opacity", 15), ("opacity", 25)}
    editor.key(Qt.Key.Key_Delete)
    assert editor.frames() == [5]
    editor.store.undo_stack.undo()
    assert editor.frames() == [5, 15, 25]


def test_double_click_adds_a_key_where_it_is(editor: Editor) -> None:
    QTest.mouseDClick(editor.graph, LEFT, NONE, editor.at(35, 0.2))
    key = editor.opacity.key_at(35)
    assert key is not None
    assert key.value == pytest.approx(0.2, abs=0.02)


def test_arrows_move_keys_and_else_leave_the_playhead_alone(editor: Editor) -> None:
    QTest.mouseClick(editor.graph, LEFT, NONE, editor.at(15, 1.0))
    editor.key(Qt.Key.Key_Right)
    editor.key(Qt.Key.Key_Down, SHIFT)
    key = editor.opacity.key_at(16)
    assert key is not None
    assert key.value == pytest.approx(0.9)
    assert editor.session.playhead == 0


def test_easing_by_key_and_button(editor: Editor) -> None:
    QTest.mouseClick(editor.graph, LEFT, NONE, editor.at(5, 0.0))
    editor.key(Qt.Key.Key_1)
    assert editor.opacity.at(14) == 0.0
    click(editor.panel, "curves.button.curves.smooth")
    assert editor.opacity.keys[0].ease is Ease.SMOOTH
    before = [editor.opacity.at(f) for f in range(5, 16)]
    editor.key(Qt.Key.Key_4)
    assert editor.opacity.keys[0].ease is Ease.BEZIER
    assert [editor.opacity.at(f) for f in range(5, 16)] == pytest.approx(before, abs=1e-6)


def test_a_handle_bends_the_curve(editor: Editor) -> None:
    QTest.mouseClick(editor.graph, LEFT, NONE, editor.at(5, 0.0))
    editor.key(Qt.Key.Key_4)
    each = editor.curves.curves()["opacity"]
    _, handle = editor.graph.handles(each, 0)[0]
    editor.drag(handle.toPoint(), editor.at(6, 0.9))
    assert editor.opacity.at(8) > 0.55
    assert editor.opacity.keys[0].out_handle[0] == pytest.approx(1, abs=0.2)
    editor.store.undo_stack.undo()
    assert editor.opacity.at(8) == pytest.approx(0.3, abs=1e-6)


def test_copy_and_paste_at_the_playhead(editor: Editor) -> None:
    editor.key(Qt.Key.Key_A, CTRL)
    editor.key(Qt.Key.Key_C, CTRL)
    editor.session.set_playhead(30)
    editor.key(Qt.Key.Key_V, CTRL)
    assert editor.frames() == [5, 15, 25, 30, 40, 50]
    editor.curves.set_current("transform.scale")
    editor.key(Qt.Key.Key_V, CTRL)
    scale = editor.sequence.video_tracks[0].clips[0].transform.scale
    assert [(key.frame, key.value) for key in scale.keys] == [(30, 0.0), (40, 1.0), (50, 0.5)]


def test_numbers_are_typed(editor: Editor) -> None:
    QTest.mouseClick(editor.graph, LEFT, NONE, editor.at(15, 1.0))
    frame = part(editor.panel, TimecodeField, "curves.frame")
    frame.setFocus()
    frame.selectAll()
    QTest.keyClicks(frame, "+3")
    QTest.keyClick(frame, Qt.Key.Key_Return)
    assert editor.frames() == [5, 18, 25]
    value = part(editor.panel, NumberField, "curves.value")
    QTest.mouseClick(value.lineEdit(), LEFT)
    QTest.keyClicks(value, "30")
    QTest.keyClick(value, Qt.Key.Key_Return)
    assert editor.opacity.keys[1].value == pytest.approx(0.3)


def test_look_keys_move_by_media_frames(editor: Editor) -> None:
    each = editor.curves.curves()["look.structure"]
    assert editor.curves.add("look.structure", 10)
    look = editor.sequence.video_tracks[0].clips[0].look
    assert look is not None
    # Ten frames a second under a timeline of twenty-five.
    assert [key.frame for key in look.curve("structure").keys] == [4]
    assert each.shown_at(4) == 10
    editor.curves.snapping = False
    spot = editor.at(4, 2.0, "look.structure")
    editor.drag(spot, spot + QPoint(round(10 * editor.graph.view.ppf), 0))
    look = editor.sequence.video_tracks[0].clips[0].look
    assert look is not None
    assert [key.frame for key in look.curve("structure").keys] == [8]


def test_wheel_zooms_about_the_pointer(editor: Editor) -> None:
    view = editor.graph.view
    point = editor.at(20, 0.5)
    before = view.frame(point.x())
    ppf = view.ppf
    event = QWheelEvent(
        QPointF(point), QPointF(editor.graph.mapToGlobal(point)), QPoint(), QPoint(0, 240), Qt.MouseButton.NoButton,
        NONE, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(editor.graph, event)
    assert view.ppf > ppf
    assert view.frame(point.x()) == pytest.approx(before)


def test_the_path_is_the_curve(editor: Editor) -> None:
    """What is drawn goes through what the program computes, for each easing."""
    keys = (
        CurveKey(2, 0.1, Ease.SMOOTH),
        CurveKey(12, 0.9, Ease.BEZIER, out_handle=(6.0, 0.05)),
        CurveKey(22, 0.2, Ease.LINEAR, in_handle=(-2.0, -0.1)),
        CurveKey(30, 0.7, Ease.HOLD),
        CurveKey(36, 0.3),
    )
    editor.set_curve("opacity", Curve(1.0, keys))
    editor.inspecting.forget()
    each = editor.curves.curves()["opacity"]
    view = editor.graph.view
    image = QImage(editor.graph.size(), QImage.Format.Format_RGB32)
    image.fill(0)
    from PySide6.QtGui import QColor, QPainter, QPen

    painter = QPainter(image)
    painter.setPen(QPen(QColor("white"), 3))
    painter.drawPath(view.path(each))
    painter.end()
    for frame in (3, 5, 9, 13, 16, 20, 24, 28, 33, 38):
        spot = view.point(each, frame, each.curve.at(frame)).toPoint()
        near = [image.pixelColor(spot + QPoint(0, dy)).lightness() for dy in range(-2, 3)]
        assert max(near) > 100, frame


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_a_crowd_of_keys_is_drawn_as_far_as_it_reaches(editor: Editor, ratio: float) -> None:
    keys = tuple(CurveKey(frame, (frame * 7 % 11) / 11) for frame in range(1200))
    editor.set_curve("opacity", Curve(1.0, keys))
    editor.inspecting.forget()
    each = editor.curves.curves()["opacity"]
    graph, view = editor.graph, editor.graph.view
    view.fit(200, 1000, [each])
    assert view.crowded(each)
    top, bottom = view.columns(each, ratio)
    assert len(top) == round(graph.width() * ratio)
    inside = [keys[index] for index in view.seen(each, 60, graph.width() - 20)]
    assert len(inside) > 700
    for key in inside:
        at = view.key_point(each, key) * ratio
        assert top[int(at.x())] - 1e-6 <= at.y() <= bottom[int(at.x())] + 1e-6
    # The picture has the curve's colour at the highest keys, and nothing of it above them.
    graph.redraw()
    picture = graph.grab().toImage()
    peak = next(key for key in inside if key.value == 10 / 11)
    at, scale = view.key_point(each, peak), picture.devicePixelRatio()
    column = [picture.pixelColor(int(at.x() * scale), y).saturation() for y in range(picture.height())]
    assert column[int(at.y() * scale) + 1] > 100
    assert max(column[int(40 * scale) : int((at.y() - 3) * scale)]) < 60
