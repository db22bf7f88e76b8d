"""The box around a clip's picture: its geometry, and drags of every handle by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gen2studio.app.clip_inspecting import ClipInspecting
from gen2studio.app.compositor_geometry import Pose, matrix_of
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.geometry import Extent
from gen2studio.document.composition import Transform
from gen2studio.document.model import Clip
from gen2studio.ui.canvas.transform_box import HANDLES, TransformBox, box_of, snapped
from gen2studio.ui.canvas.transform_handles import TransformHandles
from tests.ui.canvas_rig import ALT, CTRL, LEFT, NONE, SHIFT, Rig, rig

__all__ = ["rig"]

PICTURE, FRAME = Extent(640, 480), Extent(1920, 1080)
poses = st.builds(
    Pose,
    x=st.floats(-1, 1),
    y=st.floats(-1, 1),
    scale=st.floats(0.2, 3),
    stretch=st.floats(0.4, 2.5),
    rotation=st.floats(-180, 180),
    anchor_x=st.floats(-0.5, 0.5),
    anchor_y=st.floats(-0.5, 0.5),
    crop=st.tuples(st.floats(0, 0.3), st.floats(0, 0.3), st.floats(0.6, 1), st.floats(0.6, 1)),
    flip_horizontal=st.booleans(),
    flip_vertical=st.booleans(),
)


def near(a: tuple[float, float], b: tuple[float, float], reach: float = 1e-3) -> bool:
    return math.dist(a, b) < reach


@settings(max_examples=40, deadline=None)
@given(poses)
def test_the_box_lies_where_the_compositor_puts_the_picture(pose: Pose) -> None:
    box = box_of(pose, PICTURE, FRAME)
    a, b, c, d, e, f = matrix_of(pose, PICTURE, FRAME)
    left, top, right, bottom = pose.crop
    placed = [(a * u + b * v + c, d * u + e * v + f) for u in (left, right) for v in (top, bottom)]
    assert all(any(near(corner, spot) for spot in placed) for corner in box.corners)


@settings(max_examples=40, deadline=None)
@given(poses, st.sampled_from(sorted(HANDLES)), st.floats(-200, 200), st.floats(-200, 200))
def test_a_scaled_handle_follows_the_pointer_and_its_opposite_stays(
    pose: Pose, name: str, dx: float, dy: float
) -> None:
    box = box_of(pose, PICTURE, FRAME)
    grip = box.handle(name)
    target = (grip[0] + dx, grip[1] + dy)
    part = HANDLES[name]
    opposite = next(other for other, at in HANDLES.items() if at == (1 - part[0], 1 - part[1]))
    after = replace(box, pose=box.scaled(name, target, keep=False, about_anchor=False))
    assert near(after.handle(opposite), box.handle(opposite), 0.01)
    small = after.pose.scale < 0.01 or after.pose.scale * after.pose.stretch < 0.01
    if 0.5 not in part and not small:
        assert near(after.handle(name), target, 0.01)


@settings(max_examples=30, deadline=None)
@given(poses, st.floats(-300, 300), st.floats(-300, 300))
def test_an_anchor_moves_without_the_picture(pose: Pose, dx: float, dy: float) -> None:
    box = box_of(pose, PICTURE, FRAME)
    target = (box.anchor[0] + dx, box.anchor[1] + dy)
    after = replace(box, pose=box.anchored(target))
    assert near(after.anchor, target, 0.01)
    assert all(near(a, b, 0.01) for a, b in zip(after.corners, box.corners, strict=True))


@settings(max_examples=30, deadline=None)
@given(poses, st.sampled_from(sorted(HANDLES)), st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_a_crop_puts_its_edge_under_the_pointer(pose: Pose, name: str, u: float, v: float) -> None:
    box = box_of(pose, PICTURE, FRAME)
    left, top, right, bottom = box.visible
    target = box.place((left + u * (right - left), top + v * (bottom - top)))
    after = replace(box, pose=box.cropped(name, target))
    part = HANDLES[name]
    u_after, v_after = after.seen(after.handle(name))
    u_target, v_target = after.seen(target)
    if part[0] != 0.5:
        assert u_after == pytest.approx(u_target, abs=0.011)
    if part[1] != 0.5:
        assert v_after == pytest.approx(v_target, abs=0.011)


def test_turning_goes_by_steps_and_keeps_the_anchor() -> None:
    box = box_of(Pose(x=0.1, anchor_x=0.2), PICTURE, FRAME)
    x, y = box.anchor
    pose = box.turned((x + 100, y), (x + 100, y + 55), step=15)
    assert pose.rotation == 30
    assert near(replace(box, pose=pose).anchor, (x, y))


def test_a_moved_picture_snaps_to_the_frame() -> None:
    box: TransformBox = box_of(Pose(scale=0.5), PICTURE, FRAME)
    pose, vertical, horizontal = snapped(box, box.moved(-300, 3), 8)
    assert (vertical, horizontal) == ([], [540.0])
    assert pose.y == pytest.approx(0)
    left = replace(box, pose=box.moved(-596, 0)).bounds[0]
    assert abs(left) < 8
    assert snapped(box, box.moved(-596, 0), 8)[1] == [0.0]


class Hand:
    """The rig of the canvas with handles on its clip."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.session = rig.session
        self.inspecting = ClipInspecting(rig.session, TimelineEditing(rig.session))
        self.handles = TransformHandles(self.inspecting)
        rig.canvas.set_handles(self.handles)
        rig.session.set_tool("transform")

    @property
    def clip(self) -> Clip:
        sequence = self.session.sequence
        assert sequence is not None
        return sequence.video_tracks[0].clips[0]

    @property
    def transform(self) -> Transform:
        return self.clip.transform

    def spot(self, name: str) -> QPoint:
        box = self.handles.box()
        assert box is not None
        return self.handles.spots(box, self.rig.canvas.frame_view)[name].toPoint()

    def drag(self, start: QPoint, by: tuple[int, int], modifiers: Qt.KeyboardModifier = NONE) -> None:
        canvas = self.rig.canvas
        QTest.mousePress(canvas, LEFT, modifiers, start)
        for step in range(1, 6):
            _move(canvas, start + QPoint(*by) * step / 5, modifiers)
        QTest.mouseRelease(canvas, LEFT, modifiers, start + QPoint(*by))

    @property
    def zoom(self) -> float:
        return self.rig.canvas.frame_view.zoom


def _move(canvas: object, point: QPoint, modifiers: Qt.KeyboardModifier) -> None:
    from PySide6.QtCore import QEvent, QPointF
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QApplication, QWidget

    assert isinstance(canvas, QWidget)
    place, globally = QPointF(point), QPointF(canvas.mapToGlobal(point))
    event = QMouseEvent(QEvent.Type.MouseMove, place, globally, Qt.MouseButton.NoButton, LEFT, modifiers)
    QApplication.sendEvent(canvas, event)


@pytest.fixture
def hand(rig: Rig) -> Hand:
    return Hand(rig)


def test_dragging_inside_moves_the_picture_as_one_step(hand: Hand, qtbot: QtBot) -> None:
    steps = hand.session.store.undo_stack.index()
    inside = hand.spot("anchor") + QPoint(60, 50)
    hand.drag(inside, (90, 40))
    assert hand.transform.x.value * 512 * hand.zoom == pytest.approx(90, abs=1.5)
    assert hand.transform.y.value * 512 * hand.zoom == pytest.approx(40, abs=1.5)
    assert hand.session.store.undo_stack.index() == steps + 1
    hand.session.store.undo_stack.undo()
    assert hand.transform == Transform()


def test_shift_keeps_the_axis_and_the_middle_draws(hand: Hand) -> None:
    inside = hand.spot("anchor") + QPoint(60, 50)
    hand.drag(inside, (100, 20), SHIFT)
    assert hand.transform.y.value == 0
    assert hand.transform.x.value > 0.1
    hand.drag(hand.spot("anchor") + QPoint(60, 50), (-96, 0))
    assert hand.transform.x.value == pytest.approx(0, abs=1e-9)


def test_a_corner_scales_in_proportion(hand: Hand) -> None:
    hand.drag(hand.spot("bottom_right"), (-100, -100))
    assert hand.transform.scale.value == pytest.approx(1 - 100 / (512 * hand.zoom), abs=0.01)
    assert hand.transform.stretch.value == 1
    box = hand.handles.box()
    assert box is not None
    assert near(box.handle("top_left"), (0, 0), 1.5)


def test_alt_scales_about_the_anchor_and_shift_frees_the_sides(hand: Hand) -> None:
    hand.drag(hand.spot("bottom_right"), (-80, -80), ALT)
    assert (hand.transform.x.value, hand.transform.y.value) == pytest.approx((0, 0), abs=1e-6)
    assert hand.transform.scale.value < 0.85
    hand.drag(hand.spot("right"), (-60, 0))
    assert hand.transform.stretch.value < 0.95
    stretch = hand.transform.stretch.value
    hand.drag(hand.spot("bottom_right"), (40, -40), SHIFT)
    assert hand.transform.stretch.value > stretch + 0.1


def test_the_stalk_turns_by_steps(hand: Hand) -> None:
    hand.drag(hand.spot("rotate"), (240, 200), SHIFT)
    assert hand.transform.rotation.value > 0
    assert hand.transform.rotation.value % 15 == pytest.approx(0)


def test_ctrl_crops_and_the_cross_moves_the_anchor(hand: Hand) -> None:
    hand.drag(hand.spot("left"), (80, 0), CTRL)
    assert hand.transform.crop_left.value == pytest.approx(80 / (512 * hand.zoom), abs=0.01)
    assert hand.transform.scale.value == 1
    hand.drag(hand.spot("anchor"), (70, -60))
    assert hand.transform.anchor_x.value == pytest.approx(70 / (512 * hand.zoom), abs=0.01)


def test_arrows_nudge_and_escape_puts_back(hand: Hand) -> None:
    hand.rig.canvas.setFocus()
    hand.rig.key(Qt.Key.Key_Right)
    hand.rig.key(Qt.Key.Key_Down, SHIFT)
    assert hand.transform.x.value * 512 == pytest.approx(1)
    assert hand.transform.y.value * 512 == pytest.approx(10)
    before = hand.transform
    start = hand.spot("bottom_right")
    QTest.mousePress(hand.rig.canvas, LEFT, NONE, start)
    _move(hand.rig.canvas, start + QPoint(-80, -80), NONE)
    assert hand.transform != before
    hand.rig.key(Qt.Key.Key_Escape)
    assert hand.transform == before


def test_a_keyed_parameter_gets_a_key_and_the_others_none(hand: Hand) -> None:
    hand.session.set_playhead(12)
    hand.inspecting.toggle_key("transform.x")
    hand.session.set_playhead(20)
    hand.rig.show(20)
    hand.drag(hand.spot("anchor") + QPoint(60, 50), (90, 40))
    assert [key.frame for key in hand.transform.x.keys] == [12, 20]
    assert not hand.transform.y.keys
    assert not hand.transform.scale.keys


def test_the_inspector_brings_the_box_out_with_the_timelines_tools(hand: Hand) -> None:
    hand.session.set_tool("select")
    hand.drag(hand.spot("anchor") + QPoint(60, 50), (90, 40))
    assert hand.transform == Transform()
    hand.rig.canvas.want_handles(True)
    hand.rig.canvas.fit()
    hand.drag(hand.spot("anchor") + QPoint(60, 50), (90, 40))
    assert hand.transform.x.value > 0
    before = hand.transform
    hand.session.set_tool("brush")
    hand.drag(hand.spot("anchor") + QPoint(60, 50), (20, 20))
    assert hand.transform == before
