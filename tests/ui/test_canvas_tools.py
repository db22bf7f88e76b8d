"""Tools with real mouse, pen and key events on a real frame."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from gen2studio.app.session import MaskView
from gen2studio.document import codec
from gen2studio.raster.brush import Brush, Stroke
from tests.ui.canvas_rig import ALT, CTRL, FRAME, NONE, RIGHT, SHIFT, Rig, rig

__all__ = ["rig"]


def test_a_stroke_is_what_the_brush_paints_and_one_undo_step(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.masks.set_brush(radius=20, hardness=0.7)
    path = [(150.0, 200.0), (220.0, 240.0), (300.0, 180.0)]
    rig.drag(*path)
    expected = np.zeros((512, 512), np.uint8)
    stroke = Stroke(expected, Brush(radius=20, hardness=0.7))
    seen = [rig.canvas.transform.to_media(rig.view(x, y).toPointF()) for x, y in path]
    stroke.press(seen[0].x(), seen[0].y())
    for point in seen[1:]:
        stroke.move(point.x(), point.y())
    stroke.finish()
    assert np.array_equal(rig.matte(), expected)
    assert (rig.steps(), rig.undo_text()) == (1, "Brush stroke on Subject 1")
    owner = rig.masks.current()
    assert owner is not None
    assert owner.anchors == (12,)

    painted = rig.matte().copy()
    rig.session.store.undo_stack.undo()
    assert rig.masks.objects() == ()
    rig.session.store.undo_stack.redo()
    rig.session.set_mask_object(owner.id)
    assert np.array_equal(rig.matte(), painted)


def test_the_stroke_shows_while_it_is_drawn(rig: Rig) -> None:
    rig.session.set_tool("brush")
    before = rig.pixel(200, 200)
    rig.press(200, 200)
    during = rig.pixel(204, 204)
    rig.move(330, 330)
    assert rig.canvas.gesturing
    assert during[0] > before[0] + 10
    rig.release(330, 330)
    rig.move(20, 20)
    whole = rig.pixels()
    rig.canvas.update()
    assert np.array_equal(rig.pixels(), whole)


def test_escape_puts_the_matte_back(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.drag((100, 100), (150, 150))
    before = rig.matte().copy()
    rig.press(300, 300)
    rig.move(350, 350)
    assert not np.array_equal(rig.matte(), before)
    rig.key(Qt.Key.Key_Escape)
    assert np.array_equal(rig.matte(), before)
    rig.release(350, 350)
    assert rig.steps() == 1
    assert not rig.canvas.gesturing


def test_another_frame_cancels_the_stroke(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.press(100, 100)
    rig.move(200, 200)
    rig.show(frame=13)
    rig.release(200, 200)
    assert rig.steps() == 0
    assert rig.masks.objects() == ()


def test_eraser_alt_and_pen_end_take_away(rig: Rig) -> None:
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (400, 400))
    full = int(rig.matte().astype(bool).sum())
    rig.session.set_tool("eraser")
    rig.drag((200, 200), (220, 220))
    erased = int(rig.matte().astype(bool).sum())
    assert erased < full
    rig.session.set_tool("brush")
    rig.drag((300, 300), (320, 320), modifiers=ALT)
    assert int(rig.matte().astype(bool).sum()) < erased
    rig.pen((150, 350, 1.0), (160, 350, 1.0), (160, 350, 1.0), eraser=True)
    assert rig.matte()[350, 155] == 0
    assert rig.undo_text() == "Erase on Subject 1"
    assert rig.steps() == 4


def test_pen_pressure_sizes_the_stroke(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.masks.set_brush(radius=30, hardness=1.0)
    rig.pen((100, 100, 1.0), (100.4, 100, 1.0), (100.4, 100, 1.0))
    hard = int(rig.matte().astype(bool).sum())
    rig.pen((300, 300, 0.5), (300.4, 300, 0.5), (300.4, 300, 0.5))
    soft = int(rig.matte().astype(bool).sum()) - hard
    assert 3.2 < hard / soft < 4.8


def test_shift_click_draws_a_straight_line(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.masks.set_brush(radius=8, hardness=1.0)
    rig.click(100, 100)
    rig.click(300, 100, SHIFT)
    assert (rig.matte()[100, 100:300] == 255).all()
    assert rig.steps() == 2


def test_right_drag_sizes_the_brush(rig: Rig) -> None:
    rig.session.set_tool("brush")
    before = rig.masks.brush.radius
    zoom = rig.canvas.transform.zoom
    rig.drag((200, 200), (230, 200), button=RIGHT)
    assert rig.masks.brush.radius == pytest.approx(before + 30, abs=1.5 / zoom)
    assert rig.masks.brush.hardness == pytest.approx(0.85)
    assert rig.steps() == 0


def test_lasso_rectangle_ellipse_and_their_modifiers(rig: Rig) -> None:
    rig.session.set_tool("lasso")
    rig.drag((50, 50), (150, 50), (150, 150), (50, 150))
    assert rig.matte()[100, 100] == 255
    assert rig.undo_text() == "Lasso on Subject 1"
    rig.session.set_tool("rectangle")
    rig.drag((70, 70), (90, 90), modifiers=ALT)
    assert rig.matte()[80, 80] == 0
    assert rig.undo_text() == "Rectangle erase on Subject 1"
    rig.session.set_tool("ellipse")
    rig.press(350, 350, CTRL | SHIFT)
    rig.move(400, 380)
    rig.release(400, 380, CTRL | SHIFT)
    assert rig.matte()[350, 350] == 255
    painted = np.argwhere(rig.matte()[250:] > 127) + np.array([250, 0])
    assert np.abs(painted.mean(0) - 350).max() < 1.5  # Ctrl: from the centre
    assert np.ptp(painted[:, 0]) == pytest.approx(np.ptp(painted[:, 1]), abs=1)  # Shift: a circle
    assert rig.steps() == 3


def test_polygon_closes_by_click_enter_and_double_click(rig: Rig) -> None:
    rig.session.set_tool("polygon")
    corners = [(100, 100), (300, 100), (300, 300), (100, 300)]
    for x, y in corners:
        rig.click(x, y)
    assert rig.canvas.gesturing
    rig.click(100, 100)
    assert not rig.canvas.gesturing
    assert rig.matte()[200, 200] == 255
    for x, y in [(350, 350), (450, 350), (450, 450), (10, 10)]:
        rig.click(x, y)
    rig.key(Qt.Key.Key_Backspace)
    rig.key(Qt.Key.Key_Return)
    assert rig.matte()[370, 430] == 255
    assert rig.matte()[60, 60] == 0
    for x, y in [(10, 400), (60, 400), (60, 450)]:
        rig.click(x, y)
    QTest.mouseDClick(rig.canvas, Qt.MouseButton.LeftButton, NONE, rig.view(60, 450))
    assert rig.matte()[410, 50] == 255
    assert rig.steps() == 3
    rig.click(200, 400)
    rig.key(Qt.Key.Key_Escape)
    assert not rig.canvas.gesturing
    assert rig.steps() == 3


def test_fill_closes_a_ring_and_takes_like_colours(rig: Rig) -> None:
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (300, 300))
    rig.drag((120, 120), (280, 280), modifiers=ALT)
    assert rig.matte()[200, 200] == 0
    rig.session.set_tool("fill")
    rig.click(200, 200)
    assert (rig.matte()[110:290, 110:290] == 255).all()
    rig.click(200, 200, ALT)
    assert rig.matte()[98:302, 98:302].max() == 0
    rig.masks.set_brush(tolerance=40)
    rig.click(256, 480, SHIFT)
    filled = rig.matte().astype(bool)
    spot = rig.canvas.transform.to_media(rig.view(256, 480).toPointF())
    assert filled[int(spot.y()), int(spot.x())]
    seed = rig.image[int(spot.y()), int(spot.x()), :3].astype(int)
    assert (np.abs(rig.image[..., :3][filled].astype(int) - seed) <= 40).all()


def test_a_locked_object_is_refused_in_words(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.drag((100, 100), (120, 120))
    owner = rig.masks.current()
    assert owner is not None
    rig.masks.set_locked(owner.id, True)
    rig.drag((200, 200), (220, 220))
    assert rig.matte()[210, 210] == 0
    assert rig.messages[-1][0] == "warning"
    assert "locked" in rig.messages[-1][1]


def test_smart_select_box_and_scribbles_reach_the_engine(rig: Rig) -> None:
    rig.session.set_tool("select_box")
    rig.drag((50, 60), (300, 400))
    request = rig.host.fake.submitted[-1].request
    assert request.frame == 12
    assert abs(request.box.x - 50) <= 1
    assert abs(request.box.bottom - 400) <= 2
    with rig.qtbot.waitSignal(rig.masks.job_changed, check_params_cb=lambda job: job is None):
        rig.host.fake.run_all()
    assert rig.matte()[10, 10] == 255
    assert rig.steps() == 1  # the object and its selection are one step
    rig.session.set_tool("include")
    rig.drag((300, 300), (360, 300), modifiers=ALT)
    request = rig.host.fake.submitted[-1].request
    assert not request.include
    assert len(request.exclude) >= 5
    assert request.current is not None
    with rig.qtbot.waitSignal(rig.masks.job_changed, check_params_cb=lambda job: job is None):
        rig.host.fake.run_all()


def test_200_strokes_and_20_propagations_undone_give_back_the_same_bytes(rig: Rig) -> None:
    rng = np.random.default_rng(1)
    empty = codec.dumps(rig.session.document, None)
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (300, 300))
    masks, stack = rig.masks, rig.session.store.undo_stack
    owner = masks.current()
    assert owner is not None
    before, document = rig.matte().copy(), rig.session.document
    saved = codec.dumps(document, None)
    rig.session.set_tool("brush")
    # Faint and large: hardly a stroke that changes nothing.
    masks.set_brush(radius=60, opacity=0.3, hardness=0.2)
    frame = FRAME
    for n in range(200):
        x, y = rng.uniform(30, 480, 2)
        rig.drag((x, y), (x + 20, y - 10), modifiers=ALT if rng.random() < 0.4 else NONE)
        if n % 10 == 9:
            with rig.qtbot.waitSignal(masks.job_changed, check_params_cb=lambda job: job is None):
                masks.propagate("both" if n // 10 % 2 else "forward")
                rig.host.fake.run_all()
            frame = int(rng.integers(2, 28))
            rig.show(frame)
    assert len(rig.session.document.masks[owner.id].frames) > 20 and stack.index() >= 180
    after, changed = codec.dumps(rig.session.document, None), rig.matte().copy()
    while stack.index() > 1:
        stack.undo()
    rig.show(FRAME)
    assert rig.session.document == document and codec.dumps(rig.session.document, None) == saved
    assert np.array_equal(rig.matte(), before)
    while stack.canRedo():
        stack.redo()
    rig.show(frame)
    assert codec.dumps(rig.session.document, None) == after and np.array_equal(rig.matte(), changed)
    while stack.canUndo():
        stack.undo()
    assert codec.dumps(rig.session.document, None) == empty


@pytest.mark.parametrize("view", [MaskView.OVERLAY, MaskView.MATTE, MaskView.CHECKER, MaskView.OUTLINE, MaskView.NONE])
def test_views_show_what_they_say(rig: Rig, view: MaskView) -> None:
    rig.session.set_tool("rectangle")
    rig.drag((150, 150), (350, 350))
    rig.session.set_tool("hand")
    rig.session.set_mask_view(MaskView.NONE)
    plain = rig.pixels()
    rig.session.set_mask_view(view)
    shown = rig.pixels()
    inside, outside = rig.view(250, 250), rig.view(50, 450)
    within = shown[inside.y(), inside.x(), :3], plain[inside.y(), inside.x(), :3]
    beyond = shown[outside.y(), outside.x(), :3], plain[outside.y(), outside.x(), :3]
    changed_inside, changed_outside = not np.array_equal(*within), not np.array_equal(*beyond)
    assert (changed_inside, changed_outside) == {
        MaskView.OVERLAY: (True, False),
        MaskView.MATTE: (True, True),
        MaskView.CHECKER: (False, True),
        MaskView.OUTLINE: (False, False),
        MaskView.NONE: (False, False),
    }[view]
    edge = rig.view(150, 250)
    moved = np.abs(
        shown[edge.y(), edge.x() - 3 : edge.x() + 4].astype(int) - plain[edge.y(), edge.x() - 3 : edge.x() + 4]
    )
    assert (moved.max() > 20) == (view is not MaskView.NONE)
