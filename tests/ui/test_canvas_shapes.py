"""Shapes drawn and edited with real mouse and key events on a real frame; wand and gradient."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from gen2studio.app import actions_shapes
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document import masks as mask_edits
from gen2studio.document import outlines
from gen2studio.raster import gradients, splines
from gen2studio.ui.tools import shape_bindings
from gen2studio.ui.tools.options_strip import OptionsStrip
from tests.ui.canvas_rig import ALT, CTRL, FRAME, LEFT, MIDDLE, NONE, SHIFT, Rig, rig

__all__ = ["rig"]


def shape(rig: Rig) -> MaskShape:
    owner = rig.masks.current()
    assert owner is not None
    return owner.shapes[-1]


def spots(rig: Rig, frame: int = FRAME) -> list[tuple[float, float]]:
    return [(round(p.x), round(p.y)) for p in shape(rig).points_at(frame)]


def hover(rig: Rig, x: float, y: float, modifiers: Qt.KeyboardModifier = NONE) -> None:
    """A move with nothing down; QTest's carries no modifiers."""
    spot = QPointF(rig.view(x, y))
    far = QPointF(rig.canvas.mapToGlobal(spot.toPoint()))
    none = Qt.MouseButton.NoButton
    QApplication.sendEvent(rig.canvas, QMouseEvent(QEvent.Type.MouseMove, spot, far, none, none, modifiers))


def hold(rig: Rig, *points: tuple[float, float], modifiers: Qt.KeyboardModifier) -> None:
    """A drag with the modifiers down all the way."""
    rig.press(*points[0], modifiers)
    for x, y in points[1:]:
        spot = QPointF(rig.view(x, y))
        far = QPointF(rig.canvas.mapToGlobal(spot.toPoint()))
        move = QMouseEvent(QEvent.Type.MouseMove, spot, far, Qt.MouseButton.NoButton, LEFT, modifiers)
        QApplication.sendEvent(rig.canvas, move)
    rig.release(*points[-1], modifiers)


def drawn(rig: Rig, kind: str = "bezier", box: tuple[float, float, float, float] = (150, 120, 350, 320)) -> MaskShape:
    rig.masks.shapes.draw(kind, outlines.rectangle(*box), "add")
    rig.session.set_tool("edit_shape")
    return shape(rig)


def expected(rig: Rig, frame: int = FRAME) -> np.ndarray:
    owner = rig.masks.current()
    assert owner is not None
    return splines.matte_with_shapes(None, owner.shapes, frame, rig.extent)


# -- drawing ---------------------------------------------------------------------------------------------------------


def test_clicks_make_corners_drags_make_smooth_points_and_enter_closes(rig: Rig) -> None:
    rig.session.set_tool("shape")
    rig.click(100, 100)
    rig.drag((300, 100), (330, 120), (350, 140))
    assert rig.canvas.gesturing and rig.steps() == 0
    rig.click(300, 300)
    hover(rig, 200, 350)
    rig.key(Qt.Key.Key_Return)
    assert spots(rig) == [(100, 100), (300, 100), (300, 300)]
    smooth = shape(rig).points_at(FRAME)[1]
    assert (smooth.out_x, smooth.out_y) == pytest.approx((50, 40), abs=1) and smooth.in_x == -smooth.out_x
    assert shape(rig).keys[0][0] == FRAME and shape(rig).kind == "bezier"
    assert (rig.steps(), rig.undo_text()) == (1, "Draw shape on Subject 1")
    assert np.array_equal(rig.matte(), expected(rig))
    rig.session.store.undo_stack.undo()
    assert rig.masks.objects() == ()


def test_a_click_on_the_first_point_closes_and_backspace_takes_back(rig: Rig) -> None:
    rig.session.set_tool("bspline")
    for x, y in ((100, 100), (300, 100), (310, 310), (250, 350)):
        rig.click(x, y)
    rig.key(Qt.Key.Key_Backspace)
    rig.click(100, 300)
    assert rig.canvas.gesturing
    rig.click(101, 101)
    assert not rig.canvas.gesturing
    assert shape(rig).kind == "bspline" and spots(rig) == [(100, 100), (300, 100), (310, 310), (100, 300)]
    assert np.array_equal(rig.matte(), expected(rig))


def test_escape_drops_a_shape_and_too_few_points_are_told(rig: Rig) -> None:
    rig.session.set_tool("shape")
    rig.click(100, 100)
    rig.click(200, 100)
    rig.key(Qt.Key.Key_Return)
    assert rig.canvas.gesturing and "three points" in rig.messages[-1][1]
    rig.key(Qt.Key.Key_Escape)
    assert not rig.canvas.gesturing and rig.steps() == 0 and rig.masks.objects() == ()


def test_the_picture_can_be_moved_between_two_clicks(rig: Rig) -> None:
    rig.session.set_tool("shape")
    rig.click(100, 100)
    start = rig.view(200, 200)
    QTest.mousePress(rig.canvas, MIDDLE, NONE, start)
    rig.canvas.mapToGlobal(start)
    before = rig.canvas.transform
    QTest.mouseMove(rig.canvas, start + rig.view(30, 0) - rig.view(0, 0))
    QTest.mouseRelease(rig.canvas, MIDDLE, NONE, start)
    assert rig.canvas.transform.x == pytest.approx(before.x + 30 * before.zoom, abs=2)
    rig.click(300, 100)
    rig.click(300, 300)
    rig.key(Qt.Key.Key_Return)
    assert spots(rig) == [(100, 100), (300, 100), (300, 300)]


def test_the_outline_is_seen_while_it_is_drawn(rig: Rig) -> None:
    rig.session.set_tool("shape")
    before = rig.pixels()
    rig.click(100, 100)
    rig.click(400, 100)
    during = rig.pixels()
    spot = rig.view(250, 100)
    assert np.abs(during[spot.y() - 1 : spot.y() + 2, spot.x()].astype(int) - before[spot.y(), spot.x()]).max() > 60
    rig.key(Qt.Key.Key_Escape)
    assert np.array_equal(rig.pixels(), before)


def test_alt_draws_a_shape_that_takes_away(rig: Rig) -> None:
    drawn(rig)
    rig.session.set_tool("shape")
    rig.click(200, 150, ALT)
    for x, y in ((300, 150), (300, 250), (200, 250)):
        rig.click(x, y)
    rig.key(Qt.Key.Key_Return)
    assert shape(rig).operation == "subtract"
    assert rig.matte()[200, 250] == 0 and rig.matte()[130, 160] == 255


def test_rectangle_ellipse_lasso_and_polygon_may_stay_shapes(rig: Rig) -> None:
    rig.masks.shapes.set(drawn_as="shape")
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (200, 180))
    assert spots(rig) == [(100, 100), (200, 100), (200, 180), (100, 180)]
    rig.session.set_tool("ellipse")
    rig.drag((250, 100), (350, 200))
    assert rig.matte()[150, 300] == 255 and rig.matte()[104, 254] == 0
    rig.session.set_tool("lasso")
    rig.drag((100, 300), (200, 300), (200, 400), (100, 400))
    assert shape(rig).kind == "polygon" and len(spots(rig)) == 4
    owner = rig.masks.current()
    assert owner is not None and len(owner.shapes) == 3 and not owner.frames
    assert np.array_equal(rig.matte(), expected(rig))


# -- editing ---------------------------------------------------------------------------------------------------------


def test_points_are_dragged_nudged_and_deleted(rig: Rig) -> None:
    drawn(rig)
    rig.drag((350, 120), (370, 110), (390, 100))
    assert spots(rig)[1] == (390, 100) and rig.undo_text() == "Move point on Subject 1" and rig.steps() == 2
    assert np.array_equal(rig.matte(), expected(rig))
    assert rig.masks.shapes.points == {1}
    for _ in range(3):
        rig.key(Qt.Key.Key_Right)
    rig.key(Qt.Key.Key_Up, SHIFT)
    assert spots(rig)[1] == (393, 90) and rig.steps() == 3
    rig.session.store.undo_stack.undo()
    assert spots(rig)[1] == (390, 100)
    rig.key(Qt.Key.Key_Delete)
    assert len(spots(rig)) == 3 and rig.undo_text() == "Delete points on Subject 1"
    rig.click(150, 120)
    rig.key(Qt.Key.Key_Delete)
    assert len(spots(rig)) == 3 and "three points" in rig.messages[-1][1]
    rig.key(Qt.Key.Key_Escape)
    rig.key(Qt.Key.Key_Delete)
    owner = rig.masks.current()
    assert owner is not None and owner.shapes == () and not rig.matte().any()


def test_a_drag_shows_at_once_and_escape_puts_it_back(rig: Rig) -> None:
    drawn(rig)
    before = rig.matte().copy()
    rig.press(350, 120)
    rig.move(420, 60)
    assert rig.matte()[80, 380] == 255 and rig.steps() == 1
    seen = rig.pixel(390, 90)
    rig.key(Qt.Key.Key_Escape)
    assert np.array_equal(rig.matte(), before) and rig.steps() == 1
    rig.release(420, 60)
    assert rig.pixel(390, 90) != seen and spots(rig)[1] == (350, 120)


def test_a_frame_selects_points_and_they_move_together(rig: Rig) -> None:
    drawn(rig)
    rig.drag((330, 90), (370, 90), (370, 340))
    assert rig.masks.shapes.points == {1, 2}
    rig.drag((350, 320), (360, 320), (370, 320))
    assert spots(rig) == [(150, 120), (370, 120), (370, 320), (150, 320)]
    rig.click(150, 120, SHIFT)
    assert rig.masks.shapes.points == {0, 1, 2}
    rig.click(450, 450)
    assert rig.masks.shapes.points == frozenset() and rig.masks.shapes.current() is not None
    rig.click(450, 450)
    assert rig.masks.shapes.current() is None


def test_double_clicks_add_points_and_round_corners(rig: Rig) -> None:
    drawn(rig)
    before = rig.matte().copy()
    QTest.mouseDClick(rig.canvas, LEFT, NONE, rig.view(250, 120))
    assert spots(rig)[:3] == [(150, 120), (250, 120), (350, 120)] and rig.masks.shapes.points == {1}
    assert np.array_equal(rig.matte(), before)
    assert rig.undo_text() == "Add point on Subject 1"
    QTest.mouseDClick(rig.canvas, LEFT, NONE, rig.view(350, 320))
    rounded = shape(rig).points_at(FRAME)[3]
    assert rounded.in_x or rounded.in_y
    QTest.mouseDClick(rig.canvas, LEFT, NONE, rig.view(350, 320))
    assert shape(rig).points_at(FRAME)[3] == ShapePoint(rounded.x, rounded.y)


def test_handles_turn_smoothly_or_break(rig: Rig) -> None:
    drawn(rig)
    rig.click(350, 120)
    rig.masks.shapes.make_smooth()
    point = shape(rig).points_at(FRAME)[1]
    out = (point.x + point.out_x, point.y + point.out_y)
    rig.drag(out, (out[0] + 20, out[1]), (out[0] + 40, out[1]))
    turned = shape(rig).points_at(FRAME)[1]
    assert turned.out_x == pytest.approx(point.out_x + 40, abs=1.5)
    assert turned.in_x * turned.out_y - turned.in_y * turned.out_x == pytest.approx(0, abs=1e-6)
    out = (turned.x + turned.out_x, turned.y + turned.out_y)
    hold(rig, out, (out[0], out[1] + 20), (out[0], out[1] + 40), modifiers=ALT)
    broken = shape(rig).points_at(FRAME)[1]
    assert (broken.in_x, broken.in_y) == (turned.in_x, turned.in_y) and broken.out_y > turned.out_y + 30


def test_alt_drag_feathers_a_point_and_the_handle_goes_on(rig: Rig) -> None:
    drawn(rig, "polygon")
    hard = rig.matte().copy()
    hold(rig, (350, 120), (370, 100), (380, 90), modifiers=ALT)
    wide = shape(rig).points_at(FRAME)[1].feather
    assert 30 < wide < 50 and rig.undo_text() == "Feather on Subject 1"
    assert rig.matte()[110, 345] > 0 == hard[110, 345]
    along = wide / 2**0.5
    rig.drag((350 + along, 120 - along), (360, 110), (345, 125))
    assert shape(rig).points_at(FRAME)[1].feather < 0


def test_segments_bend_and_move(rig: Rig) -> None:
    drawn(rig)
    rig.drag((250, 120), (250, 110), (250, 100))
    assert spots(rig) == [(150, 100), (350, 100), (350, 320), (150, 320)]
    rig.masks.shapes.select(shape(rig).id)
    rig.masks.shapes.make_smooth()
    line = splines.outline("bezier", shape(rig).points_at(FRAME))
    top = line[line[:, 1].argmin()]
    rig.drag((top[0], top[1]), (top[0], top[1] - 15), (top[0], top[1] - 30))
    assert spots(rig)[:2] == [(150, 100), (350, 100)]
    bent = splines.outline("bezier", shape(rig).points_at(FRAME))
    assert bent[:, 1].min() == pytest.approx(top[1] - 30, abs=3)
    assert rig.undo_text() == "Bend segment on Subject 1"


def test_ctrl_shows_the_transform_box(rig: Rig) -> None:
    drawn(rig)
    hover(rig, 250, 220, CTRL)
    assert rig.canvas.cursor().shape() == Qt.CursorShape.SizeAllCursor
    hold(rig, (250, 220), (260, 225), (270, 230), modifiers=CTRL)
    assert np.allclose(spots(rig), [(170, 130), (370, 130), (370, 330), (170, 330)], atol=1.5)
    grip = 8 / rig.canvas.transform.zoom
    hold(rig, (370 + grip, 330 + grip), (400, 400), (470 + grip, 430 + grip), modifiers=CTRL)
    assert np.allclose(spots(rig)[2], (470, 430), atol=5) and np.allclose(spots(rig)[0], (170, 130), atol=1.5)
    before = spots(rig)
    out = 20 / rig.canvas.transform.zoom
    hold(rig, (470 + out, 430 + out), (480, 300), (500, 130), modifiers=CTRL)
    assert rig.undo_text() == "Rotate shape on Subject 1" and spots(rig) != before


# -- keys ------------------------------------------------------------------------------------------------------------


def go(rig: Rig, frame: int) -> None:
    rig.session.set_playhead(frame)
    rig.show(frame)


def test_edits_on_other_frames_make_keys_and_points_go_into_all(rig: Rig) -> None:
    drawn(rig)
    go(rig, 20)
    rig.drag((350, 120), (370, 120), (390, 120))
    assert [at for at, _ in shape(rig).keys] == [12, 20]
    assert spots(rig, 12)[1] == (350, 120) and spots(rig, 16)[1] == (370, 120) and spots(rig, 20)[1] == (390, 120)
    QTest.mouseDClick(rig.canvas, LEFT, NONE, rig.view(250, 320))
    assert {len(points) for _, points in shape(rig).keys} == {5}
    go(rig, 16)
    assert np.array_equal(rig.matte(), expected(rig, 16))
    rig.masks.shapes.set_key()
    rig.masks.shapes.go_to_key(-1)
    assert rig.session.playhead == 12
    go(rig, 16)
    rig.masks.shapes.remove_key()
    assert [at for at, _ in shape(rig).keys] == [12, 20]


def test_without_auto_key_an_edit_changes_every_key(rig: Rig) -> None:
    drawn(rig)
    go(rig, 20)
    rig.drag((350, 120), (370, 120), (390, 120))
    rig.masks.shapes.set(auto_key=False)
    go(rig, 16)
    rig.drag((370, 120), (370, 130), (370, 140))
    assert [at for at, _ in shape(rig).keys] == [12, 20]
    assert spots(rig, 12)[1] == (350, 140) and spots(rig, 20)[1] == (390, 140)


def test_another_frame_cancels_a_drag(rig: Rig) -> None:
    drawn(rig)
    rig.press(350, 120)
    rig.move(400, 60)
    go(rig, 13)
    assert spots(rig, 13)[1] == (350, 120) and rig.steps() == 1
    assert np.array_equal(rig.matte(), expected(rig, 13))


# -- beside paint ----------------------------------------------------------------------------------------------------


def test_paint_and_shapes_make_one_matte(rig: Rig) -> None:
    drawn(rig)
    rig.session.set_tool("brush")
    rig.masks.set_brush(radius=30, hardness=1.0, pressure_size=False)
    rig.press(60, 60)
    rig.move(250, 220)
    owner = rig.masks.current()
    assert owner is not None
    painted = rig.masks.painted(owner.id)
    assert painted[60, 60] == 255 and painted[300, 340] == 0
    assert np.array_equal(rig.matte(), splines.matte_with_shapes(painted, owner.shapes, FRAME, rig.extent))
    rig.release(250, 220)
    rig.session.store.undo_stack.undo()
    assert np.array_equal(rig.matte(), expected(rig))


def test_a_finished_matte_never_changes(rig: Rig) -> None:
    drawn(rig)
    first = rig.matte()
    kept = first.copy()
    assert not first.flags.writeable
    rig.drag((350, 120), (370, 110), (390, 100))
    assert np.array_equal(first, kept) and not np.array_equal(rig.matte(), kept)


def test_baking_leaves_the_same_mattes_as_paint(rig: Rig) -> None:
    drawn(rig)
    go(rig, 20)
    rig.drag((350, 120), (370, 120), (390, 120))
    seen = {}
    for frame in (0, 12, 16, 20, 31):
        go(rig, frame)
        seen[frame] = rig.matte().copy()
    rig.masks.shapes.bake()
    rig.qtbot.waitUntil(lambda: rig.masks.job is None)
    owner = rig.masks.current()
    assert owner is not None and owner.shapes == () and rig.undo_text() == "Bake shapes of Subject 1"
    for frame, matte in seen.items():
        assert np.array_equal(rig.masks.matte(owner.id, frame), matte)


def test_a_locked_object_is_refused_in_words(rig: Rig) -> None:
    drawn(rig)
    owner = rig.masks.current()
    assert owner is not None
    rig.session.store.apply("Lock", mask_edits.set_locked(rig.session.document, owner.id, True))
    rig.drag((350, 120), (370, 110), (390, 100))
    assert "locked" in rig.messages[-1][1] and spots(rig)[1] == (350, 120)
    rig.session.set_tool("shape")
    for x, y in ((20, 20), (60, 20), (60, 60)):
        rig.click(x, y)
    rig.key(Qt.Key.Key_Return)
    assert "locked" in rig.messages[-1][1] and len(rig.masks.shapes.shapes()) == 1


# -- wand and gradient -----------------------------------------------------------------------------------------------


def test_the_wand_takes_the_colour_of_the_source(rig: Rig) -> None:
    rig.session.set_tool("wand")
    rig.image = rig.image.copy()
    rig.image[300:400, 300:420] = (40, 200, 90, 255)
    rig.image[20:60, 20:60] = (40, 200, 90, 255)
    rig.show()
    rig.click(350, 350)
    assert (rig.matte()[302:398, 302:418] == 255).all() and rig.matte()[40, 40] == 0
    rig.masks.set_brush(contiguous=False)
    rig.click(350, 350)
    assert rig.matte()[40, 40] == 255 and rig.steps() == 2
    rig.click(350, 350, ALT)
    assert not rig.matte().any()
    rig.show(shows="take", reference=None)
    rig.click(350, 350)
    assert "source" in rig.messages[-1][1] and not rig.matte().any()
    rig.show(shows="take", reference=rig.image)
    rig.click(350, 350)
    assert rig.matte()[350, 350] == 255


def test_the_gradient_fades_the_matte_or_adds_a_ramp(rig: Rig) -> None:
    rig.session.set_tool("gradient")
    rig.drag((100, 50), (200, 50), (300, 50))
    seen = [rig.canvas.transform.to_media(rig.view(x, 50).toPointF()) for x in (100, 300)]
    ramp = gradients.linear(rig.extent, seen[0].x(), seen[0].y(), seen[1].x(), seen[1].y())
    assert np.array_equal(rig.matte(), ramp) and rig.undo_text() == "Gradient on Subject 1"
    rig.masks.invert()
    rig.qtbot.waitUntil(lambda: rig.masks.job is None)
    rig.masks.set_brush(radial=True)
    rig.drag((400, 400), (420, 400), (480, 400))
    assert rig.matte()[400, 400] > 245 and rig.matte()[400, 484] == 0 and rig.matte()[50, 400] == 0
    rig.click(30, 30)
    assert "Drag from" in rig.messages[-1][1]


def test_spacing_leaves_gaps(rig: Rig) -> None:
    rig.session.set_tool("brush")
    rig.masks.set_brush(radius=10, hardness=1.0, spacing=2.0, pressure_size=False)
    rig.drag((50, 100), (250, 100), (450, 100))
    row = rig.matte()[100, 60:440] > 0
    assert row.any() and not row.all() and np.abs(np.diff(row.astype(int))).sum() >= 12


# -- what the strip and the table say --------------------------------------------------------------------------------


def test_the_strip_shows_the_options_of_the_tool(rig: Rig) -> None:
    strip = OptionsStrip(rig.session, rig.masks, rig.canvas)
    rig.qtbot.addWidget(strip)
    strip.resize(1100, 34)
    rig.session.set_tool("hand")
    assert strip.isHidden()
    rig.session.set_tool("brush")
    page = strip.page("brush")
    page.spacing.setValue(50)
    assert rig.masks.brush.spacing == 0.5 and not strip.isHidden()
    rig.session.set_tool("shape")
    page = strip.page("shape")
    page.operations["subtract"].click()
    assert rig.masks.shapes.settings.operation == "subtract"
    assert strip.hint.full_text.startswith("Click for a corner")
    rig.click(100, 100)
    assert "Enter closes" in strip.hint.full_text
    rig.key(Qt.Key.Key_Escape)
    rig.masks.shapes.set(operation="add")
    drawn(rig)
    page = strip.page("edit_shape")
    assert page.state.text() == "Key 1 of 1" and page.feather.isEnabled()
    page.feather.setValue(12)
    assert {p.feather for p in shape(rig).points_at(FRAME)} == {12.0}
    go(rig, 15)
    assert page.state.text() == "No key here"
    page.key_button.click()
    assert [at for at, _ in shape(rig).keys] == [12, 15]
    page.key_button.click()
    assert [at for at, _ in shape(rig).keys] == [12]
    for name in ("lasso", "fill", "wand", "gradient"):
        rig.session.set_tool(name)
        for button in strip.page(name).findChildren(type(page.key_button)):
            assert button.accessibleName() and button.toolTip() and button.objectName()


def test_every_shape_row_has_a_handler_that_runs(rig: Rig) -> None:
    bound = shape_bindings.handlers(rig.session, rig.masks)
    assert set(bound) == {row.id for row in actions_shapes.ROWS}
    for row in actions_shapes.ROWS:
        drawn(rig)
        bound[row.id]()
        rig.qtbot.waitUntil(lambda: rig.masks.job is None)
        while rig.session.store.undo_stack.canUndo():
            rig.session.store.undo_stack.undo()
