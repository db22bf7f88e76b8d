"""The masks panel with hand and keys: sliders, keys, copy and paste, the object list, every view's pixels."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget

from gen2studio.app.session import MaskView
from gen2studio.core.frozen import with_item
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document.model import MaskBlend
from gen2studio.ui.canvas import overlay
from gen2studio.ui.panels import masks_rows as rows
from gen2studio.ui.panels.masks_panel import MasksPanel
from tests.ui.canvas_rig import FRAME, LEFT, NONE, Rig, rig

__all__ = ["rig"]


def panel_of(rig: Rig) -> MasksPanel:
    window = QWidget()
    rig.kept.append(window)
    rig.qtbot.addWidget(window)
    window.resize(320, 1100)
    panel = MasksPanel(rig.session, rig.masks, window)
    panel.setGeometry(window.rect())
    window.show()
    return panel


def painted(rig: Rig, *points: tuple[float, float], radius: float = 30.0) -> str:
    rig.session.set_tool("brush")
    rig.masks.set_brush(radius=radius, hardness=1.0)
    rig.drag(*(points or ((200, 200), (300, 200))))
    return rig.session.mask_object


def settle(rig: Rig) -> None:
    rig.canvas.grab()
    rig.qtbot.waitUntil(lambda: not rig.masks.effective.busy, timeout=10_000)
    rig.qtbot.wait(30)


def stack(rig: Rig, object_id: str):
    return rig.session.document.masks[object_id].refinement


# -- refine ----------------------------------------------------------------------------------------------------------


def test_a_slider_gesture_is_one_undo_step_and_is_seen(rig: Rig) -> None:
    panel = panel_of(rig)
    object_id = painted(rig)
    raw = rig.matte().copy()
    steps = rig.steps()
    slider = panel.refine.sliders["grow"].slider
    slider.setSliderDown(True)
    for value in range(129, 141):  # the middle is 0, half a pixel a step
        slider.setValue(value)
    slider.setSliderDown(False)
    assert stack(rig, object_id).grow == Keyed(6.0) and rig.steps() == steps + 1
    settle(rig)
    shown = rig.masks.effective.shown(rig.session.document.masks[object_id])
    expected = cv2.dilate(raw, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (13, 13)))
    assert np.abs(shown.astype(int) - expected).mean() < 0.5 and shown.sum() > raw.sum()
    assert np.array_equal(rig.matte(), raw), "what was painted stays"
    panel.refine.sliders["feather"].field.setValue(3.0)
    assert rig.steps() == steps + 2
    rig.session.store.undo_stack.undo()
    rig.session.store.undo_stack.undo()
    assert not stack(rig, object_id).changes_matte
    assert panel.refine.sliders["grow"].value == 0


def test_sizes_begin_at_off_and_percent_is_percent(rig: Rig) -> None:
    panel = panel_of(rig)
    object_id = painted(rig)
    despeckle = panel.refine.sliders["despeckle"]
    assert despeckle.field.text() == "off"
    despeckle.field.setValue(64)
    panel.refine.sliders["edge_detail"].field.setValue(80)
    assert stack(rig, object_id).despeckle == 64 and stack(rig, object_id).edge_detail == pytest.approx(0.8)
    QTest.mouseClick(despeckle.reset_button, LEFT)
    assert stack(rig, object_id).despeckle == 0 and despeckle.field.text() == "off"


def test_keys_are_set_and_taken_at_the_playhead(rig: Rig) -> None:
    panel = panel_of(rig)
    object_id = painted(rig)
    key, slider = panel.refine.keys["feather"], panel.refine.sliders["feather"]
    QTest.mouseClick(key, LEFT)
    assert stack(rig, object_id).feather.keys == ((FRAME, 0.0),) and key.isChecked()
    rig.show(frame=FRAME + 10)
    assert not key.isChecked()
    slider.field.setValue(8)
    assert stack(rig, object_id).feather.keys == ((FRAME, 0.0), (FRAME + 10, 8.0)) and key.isChecked()
    rig.show(frame=FRAME + 5)
    assert slider.value == 4 and not key.isChecked()
    rig.show(frame=FRAME + 10)
    QTest.mouseClick(key, LEFT)
    assert stack(rig, object_id).feather.keys == ((FRAME, 0.0),)
    QTest.mouseClick(slider.reset_button, LEFT)
    assert stack(rig, object_id).feather == Keyed(0.0)
    assert not panel.refine.keys["chatter"].isVisible()


def test_bypass_copy_and_paste(rig: Rig) -> None:
    panel = panel_of(rig)
    first = painted(rig)
    panel.refine.sliders["grow"].field.setValue(4)
    assert not panel.refine.paste_button.isEnabled()
    QTest.mouseClick(panel.refine.copy_button, LEFT)
    second = rig.masks.add_object("Leash")
    QTest.mouseClick(panel.refine.paste_button, LEFT)
    assert stack(rig, second) == stack(rig, first)
    assert rig.undo_text() == "Paste refinement on Leash"
    panel.refine.enabled.click()
    assert not stack(rig, second).enabled and stack(rig, second).grow == Keyed(4.0)
    rig.masks.set_locked(second, True)
    assert not panel.refine.sliders["grow"].isEnabled() and not panel.refine.enabled.isEnabled()


def test_while_painting_the_raw_matte_shows_at_once(rig: Rig) -> None:
    panel = panel_of(rig)
    object_id = painted(rig)
    panel.refine.sliders["grow"].field.setValue(-20)
    settle(rig)
    owner = rig.session.document.masks[object_id]
    thin = rig.masks.effective.shown(owner)
    assert thin.sum() < 0.5 * rig.matte().sum()
    rig.press(250, 330)
    assert rig.masks.effective.shown(owner) is rig.matte()
    assert rig.matte()[330, 250] == 255
    rig.release(250, 330)
    settle(rig)
    assert rig.masks.effective.shown(rig.session.document.masks[object_id])[330, 250] == 255


# -- the list --------------------------------------------------------------------------------------------------------


def click(panel: MasksPanel, rect: QRect) -> None:
    QTest.mouseClick(panel.objects.viewport(), LEFT, NONE, rect.center())


def row_of(panel: MasksPanel, index: int) -> QRect:
    item = panel.objects.topLevelItem(index)
    assert item is not None
    return panel.objects.visualItemRect(item)


def test_blend_solo_and_order_by_the_pointer(rig: Rig) -> None:
    panel = panel_of(rig)
    first = painted(rig)
    second, third = rig.masks.add_object("Leash"), rig.masks.add_object("A ball with a name that is far too long")
    click(panel, rows.blend_rect(row_of(panel, 1)))
    assert rig.session.document.masks[second].blend is MaskBlend.SUBTRACT
    click(panel, rows.blend_rect(row_of(panel, 1)))
    assert rig.session.document.masks[second].blend is MaskBlend.INTERSECT
    click(panel, rows.solo_rect(row_of(panel, 0)))
    assert rig.session.mask_solo == {first} and [o.id for o, _ in rig.masks.layers()] == [first]
    click(panel, rows.solo_rect(row_of(panel, 0)))
    assert not rig.session.mask_solo
    panel.objects.setCurrentItem(panel.objects.topLevelItem(2))
    panel.objects.drop_at(row_of(panel, 0).topLeft() + QPoint(60, 3))
    assert [m.id for m in rig.masks.objects()] == [third, first, second]
    QTest.keyClick(panel.objects, Qt.Key.Key_Down, Qt.KeyboardModifier.AltModifier)
    assert [m.id for m in rig.masks.objects()] == [first, third, second]
    assert rig.session.mask_object == third
    rig.session.store.undo_stack.undo()
    assert [m.id for m in rig.masks.objects()] == [third, first, second]


def test_several_rows_at_once(rig: Rig) -> None:
    panel = panel_of(rig)
    first, second, third = painted(rig), rig.masks.add_object("B"), rig.masks.add_object("C")
    for index in (0, 1):
        item = panel.objects.topLevelItem(index)
        assert item is not None
        item.setSelected(True)
    last = panel.objects.topLevelItem(2)
    assert last is not None
    last.setSelected(False)
    assert panel.objects.chosen_ids() == (first, second)
    click(panel, rows.eye_rect(row_of(panel, 0)))
    hidden = {i for i, m in rig.session.document.masks.items() if not m.visible}
    assert hidden == {first, second}
    rig.masks.listing.duplicate((first, second))
    assert [m.name for m in rig.masks.objects()] == ["Subject 1", "Subject 1 copy", "B", "B copy", "C"]
    QTest.mouseClick(panel.remove_button, LEFT)
    assert third in rig.session.document.masks and len(rig.session.document.masks) == 4
    assert rig.undo_text() == "Delete B copy"


def test_shapes_are_rows_under_their_object(rig: Rig) -> None:
    panel = panel_of(rig)
    object_id = painted(rig)
    corners = tuple(ShapePoint(float(x), float(y)) for x, y in ((350, 350), (450, 350), (450, 450), (350, 450)))
    shape = MaskShape(id="shape-00000000000a", name="Box", kind="polygon", keys=((FRAME, corners),))
    document = rig.session.document
    owner = document.masks[object_id]
    changed = replace(document, masks=with_item(document.masks, object_id, replace(owner, shapes=(shape,))))
    rig.session.store.apply("Draw shape", changed)
    item = panel.objects.topLevelItem(0)
    assert item is not None and item.childCount() == 1 and item.isExpanded()
    box = panel.objects.visualItemRect(item.child(0))
    assert box.height() == rows.SHAPE_ROW
    click(panel, rows.blend_rect(box))
    assert rig.session.document.masks[object_id].shapes[0].operation == "subtract"
    click(panel, rows.eye_rect(box))
    assert not rig.session.document.masks[object_id].shapes[0].visible
    item.child(0).setText(0, "Crate")
    assert rig.session.document.masks[object_id].shapes[0].name == "Crate"
    QTest.mouseClick(panel.objects.viewport(), LEFT, NONE, box.topLeft() + QPoint(60, 10))
    shown = rig.masks.shapes.current()
    assert shown is not None and shown.id == shape.id
    click(panel, rows.fold_rect(row_of(panel, 0)))
    assert not item.isExpanded()


# -- views -----------------------------------------------------------------------------------------------------------


def test_every_view_paints_what_it_says(rig: Rig) -> None:
    panel = panel_of(rig)
    first = painted(rig, (200, 200), (300, 200))
    second = rig.masks.add_object("Hole")
    rig.session.set_mask_object(second)
    painted(rig, (280, 200), (330, 200), radius=20)
    rig.masks.listing.set_blend(second, MaskBlend.SUBTRACT)
    inside, hole, outside = (210, 200), (300, 200), (100, 400)
    plain = {}
    rig.session.set_mask_view(MaskView.NONE)
    for spot in (inside, hole, outside):
        plain[spot] = rig.pixel(*spot)

    def shows(view: MaskView) -> list[tuple[int, int, int]]:
        panel.views[view].click()
        assert rig.session.mask_view is view
        return [rig.pixel(*spot) for spot in (inside, hole, outside)]

    assert shows(MaskView.MATTE) == [(255, 255, 255), (0, 0, 0), (0, 0, 0)]
    assert shows(MaskView.ALPHA) == [(255, 255, 255), (0, 0, 0), (0, 0, 0)]
    rig.session.set_mask_backdrop((10, 20, 200))
    assert shows(MaskView.COLOUR) == [plain[inside], (10, 20, 200), (10, 20, 200)]
    checks = shows(MaskView.CHECKER)
    assert checks[0] == plain[inside] and checks[1] != plain[hole]
    tinted = shows(MaskView.OVERLAY)
    assert tinted[0] != plain[inside] and tinted[2] == plain[outside]
    lined = shows(MaskView.OUTLINE)
    assert lined[0] == plain[inside] and lined[2] == plain[outside]
    assert rig.pixel(250, 230) != plain[inside]
    left, right = rig.canvas._pane_area(0), rig.canvas._pane_area(1)  # pyright: ignore[reportPrivateUsage]
    assert left == right
    panel.views[MaskView.SIDE].click()
    left, right = rig.canvas._pane_area(0), rig.canvas._pane_area(1)  # pyright: ignore[reportPrivateUsage]
    assert left.right() < right.left() + 1
    assert rig.pixel(*inside) == (255, 255, 255), "the right half is the matte"
    assert first in rig.session.document.masks


def test_onion_skin_shows_before_in_red_and_after_in_green(rig: Rig) -> None:
    painted(rig, (200, 200), (300, 200))
    rig.show(frame=FRAME + 2)
    painted(rig, (200, 400), (300, 400))
    rig.show(frame=FRAME + 1)
    rig.session.set_mask_view(MaskView.NONE)
    plain = np.array([rig.pixel(250, 200), rig.pixel(250, 400)], int)
    rig.session.set_mask_view(MaskView.ONION)
    before, after = np.array([rig.pixel(250, 200), rig.pixel(250, 400)], int) - plain
    assert before[0] > before[1] and before[0] > before[2]
    assert after[1] > after[0] and after[1] > after[2]
    assert set(overlay.ONION) == {-1, 1}
