"""Objects, whole-matte operations, propagation, confidence, export; the mask panel and the tool bar that drive them."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QProgressBar, QPushButton, QWidget

from gen2studio.app import actions_masks
from gen2studio.app.session import MaskView
from gen2studio.core.errors import EditRefused
from gen2studio.engine.events import JobState, MaskReady, StateChanged
from gen2studio.raster import morphology
from gen2studio.ui.panels.masks_panel import MasksPanel
from gen2studio.ui.panels.masks_rows import eye_rect, lock_rect
from gen2studio.ui.tools.bindings import handlers
from gen2studio.ui.tools.registry import TOOLS
from gen2studio.ui.tools.tool_bar import CanvasToolBar
from tests.ui.canvas_rig import NONE, Rig, rig

__all__ = ["rig"]


def idle(rig: Rig):
    """Wait until the mask job that the block starts is over."""
    return rig.qtbot.waitSignal(rig.masks.job_changed, check_params_cb=lambda job: job is None)


def drawn(rig: Rig) -> str:
    """A rectangle on frame 12; returns the object's id."""
    rig.session.set_tool("rectangle")
    rig.drag((100, 100), (300, 300))
    owner = rig.masks.current()
    assert owner is not None
    return owner.id


def test_objects_are_added_renamed_coloured_hidden_and_deleted(rig: Rig) -> None:
    masks = rig.masks
    first, second = masks.add_object("Dog"), masks.add_object()
    assert [o.name for o in masks.objects()] == ["Dog", "Subject 1"]
    assert masks.objects()[0].colour != masks.objects()[1].colour
    assert rig.session.mask_object == second
    masks.rename_object(second, "Leash")
    masks.recolour_object(second, (1, 2, 3))
    masks.set_visible(first, False)
    owner = masks.objects()[1]
    assert (owner.name, owner.colour) == ("Leash", (1, 2, 3))
    assert [o.id for o, _ in masks.layers()] == []
    masks.remove_object(second)
    assert rig.session.mask_object == first
    assert rig.undo_text() == "Delete Leash"
    while rig.session.store.undo_stack.canUndo():
        rig.session.store.undo_stack.undo()
    assert masks.objects() == ()
    with pytest.raises(EditRefused, match="name"):
        masks.rename_object(masks.add_object(), "  ")


def test_hidden_objects_are_not_painted(rig: Rig) -> None:
    object_id = drawn(rig)
    rig.session.set_tool("hand")
    tinted = rig.pixel(200, 200)
    rig.masks.set_visible(object_id, False)
    assert rig.pixel(200, 200) != tinted


@pytest.mark.parametrize("name", ["invert", "clear", "grow", "shrink", "feather", "fill_holes", "despeckle"])
def test_operations_are_one_step_each_and_equal_the_raster_room(rig: Rig, name: str) -> None:
    drawn(rig)
    rig.drag((150, 150), (200, 200), modifiers=Qt.KeyboardModifier.AltModifier)
    rig.drag((400, 400), (404, 404))
    before, steps = rig.matte().copy(), rig.steps()
    run, expected = {
        "invert": (rig.masks.invert, morphology.invert(before)),
        "clear": (rig.masks.clear, np.zeros_like(before)),
        "grow": (lambda: rig.masks.grow(5), morphology.grow(before, 5)),
        "shrink": (lambda: rig.masks.grow(-3.5), morphology.grow(before, -3.5)),
        "feather": (lambda: rig.masks.feather(4), morphology.feather(before, 4)),
        "fill_holes": (rig.masks.fill_holes, morphology.fill_holes(before)),
        "despeckle": (rig.masks.despeckle, morphology.despeckle(before)),
    }[name]
    with idle(rig):
        run()
    assert np.array_equal(rig.matte(), expected)
    assert rig.steps() == steps + 1
    rig.session.store.undo_stack.undo()
    assert np.array_equal(rig.matte(), before)


def test_a_stroke_right_after_an_operation_paints_on_its_result(rig: Rig) -> None:
    drawn(rig)
    rig.masks.invert()
    rig.session.set_tool("eraser")
    rig.drag((50, 50), (60, 60))
    assert rig.matte()[200, 200] == 0
    assert rig.matte()[400, 400] == 255
    assert rig.matte()[52, 52] == 0
    assert rig.steps() == 3


def test_propagation_arrives_live_keeps_anchors_and_is_one_step(rig: Rig) -> None:
    object_id = drawn(rig)
    anchor = rig.matte().copy()
    lanes: list[str] = []
    rig.masks.lane_changed.connect(lanes.append)
    rig.masks.propagate("both")
    request = rig.host.fake.submitted[-1].request
    assert (request.start, request.stop, request.from_frame, request.direction) == (0, 32, 12, "both")
    rig.host.fake.begin()
    rig.host.fake.advance(5)
    job = rig.masks.job
    assert job is not None
    assert (job.done, job.total) == (5, 32)
    assert rig.masks.matte(object_id, 4)[100, 100] == 255  # live, before it is in the document
    assert rig.masks.matte(object_id, 9).max() == 0
    rig.qtbot.waitUntil(lambda: rig.session.document.masks[object_id].frames.keys() >= {0, 1, 2, 3, 4})
    with idle(rig):
        rig.host.fake.finish()
    owner = rig.session.document.masks[object_id]
    assert sorted(owner.frames) == list(range(32))
    assert owner.anchors == (12,)
    assert np.array_equal(rig.matte(), anchor)
    assert rig.media_id in lanes
    assert rig.steps() == 2
    lane = rig.masks.confidence_lane(rig.media_id)
    assert lane[12] == (12, True, 1.0)
    assert lane[13] == (13, False, 0.9)
    rig.session.store.undo_stack.undo()
    assert list(rig.session.document.masks[object_id].frames) == [12]


def test_cancel_keeps_finished_frames(rig: Rig) -> None:
    object_id = drawn(rig)
    rig.masks.propagate("forward")
    rig.host.fake.begin()
    rig.host.fake.advance(6)
    with idle(rig):
        rig.masks.cancel_job()
    assert sorted(rig.session.document.masks[object_id].frames) == [12, 13, 14, 15, 16, 17]
    assert "kept" in rig.messages[-1][1]


def test_undo_during_a_run_stops_it(rig: Rig) -> None:
    object_id = drawn(rig)
    rig.masks.propagate("forward")
    rig.host.fake.begin()
    rig.host.fake.advance(4)
    rig.qtbot.waitUntil(lambda: len(rig.session.document.masks[object_id].frames) == 4)
    with idle(rig):
        rig.session.store.undo_stack.undo()
    assert list(rig.session.document.masks[object_id].frames) == [12]


def test_to_the_next_correction_and_backward_ask_for_the_right_span(rig: Rig) -> None:
    drawn(rig)
    rig.show(frame=20)
    rig.drag((100, 100), (200, 200))
    rig.show(frame=12)
    rig.masks.propagate("next")
    request = rig.host.fake.submitted[-1].request
    assert (request.start, request.stop, request.direction) == (12, 21, "forward")
    assert [a for a, _ in request.objects[0].anchors] == [12, 20]
    with idle(rig):
        rig.masks.cancel_job()
    rig.masks.propagate("backward")
    request = rig.host.fake.submitted[-1].request
    assert (request.start, request.stop) == (0, 13)
    with idle(rig):
        rig.masks.cancel_job()


def test_nothing_drawn_is_refused_and_a_failure_is_told(rig: Rig) -> None:
    rig.masks.add_object("Dog")
    with pytest.raises(EditRefused, match="Dog is on no frame"):
        rig.masks.propagate("both")
    drawn(rig)
    rig.masks.propagate("both")
    with pytest.raises(EditRefused, match="still running"):
        rig.masks.propagate("forward")
    rig.host.fake.begin()
    rig.host.fake.fail("The tracker lost its way.", "Correct a frame.")
    assert rig.masks.job is None
    assert rig.messages[-1] == ("error", "The tracker lost its way. Correct a frame.")


def test_suspect_frames_are_listed_and_visited(rig: Rig) -> None:
    object_id = drawn(rig)
    rig.masks.propagate("both")
    job = rig.host.fake.begin()
    mask = np.full((512, 512), 255, np.uint8)
    for frame, sure in ((14, 0.9), (17, 0.2), (25, 0.1)):
        event = MaskReady(job_id=job.id, object_id=object_id, frame=frame, mask=mask, confidence=sure, engine="Fake")
        rig.host.mask_ready.emit(event)
    with idle(rig):
        rig.host.state_changed.emit(StateChanged(job_id=job.id, state=JobState.FINISHED))
    assert rig.masks.suspects() == [17, 25]
    assert rig.masks.next_suspect() == 17
    rig.masks.go_to_next_suspect()
    assert rig.session.playhead == 17
    rig.show(frame=25)
    assert rig.masks.next_suspect() == 17  # round again
    assert rig.masks.previous_suspect() == 17
    rig.masks.go_to_previous_suspect()
    assert rig.session.playhead == 17
    rig.show(frame=17)
    assert rig.masks.previous_suspect() == 25  # round again
    rig.host.fake.shutdown()


# -- widgets -----------------------------------------------------------------------------------------------------------


def panel_of(rig: Rig) -> MasksPanel:
    window = QWidget()
    rig.kept.append(window)
    rig.qtbot.addWidget(window)
    window.resize(300, 900)
    panel = MasksPanel(rig.session, rig.masks, window)
    panel.setGeometry(window.rect())
    window.show()
    return panel


def test_the_panel_lists_objects_and_toggles_in_place(rig: Rig) -> None:
    panel = panel_of(rig)
    object_id = drawn(rig)
    rig.masks.add_object("Leash")
    rows = panel.objects
    first, second = rows.topLevelItem(0), rows.topLevelItem(1)
    assert first is not None and second is not None
    assert [rows.owner_at(i).name for i in range(rows.topLevelItemCount())] == ["Subject 1", "Leash"]
    assert rows.currentItem() is second
    box = rows.visualItemRect(first)
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, NONE, box.topLeft() + QPoint(70, 12))
    assert rig.session.mask_object == object_id
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, NONE, eye_rect(box).center())
    assert not rig.session.document.masks[object_id].visible
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, NONE, lock_rect(box).center())
    assert rig.session.document.masks[object_id].locked
    QTest.mouseClick(rows.viewport(), Qt.MouseButton.LeftButton, NONE, lock_rect(box).center())
    first.setText(0, "Dog")
    assert rig.session.document.masks[object_id].name == "Dog"
    first.setText(0, "   ")
    assert first.text(0) == "Dog"
    QTest.keyClick(rows, Qt.Key.Key_Delete)
    assert object_id not in rig.session.document.masks


def test_the_panel_drives_brush_views_and_propagation(rig: Rig) -> None:
    panel = panel_of(rig)
    panel.brush_size.field.setValue(100)
    assert rig.masks.brush.radius == 50
    rig.masks.set_brush(hardness=0.25)
    assert panel.hardness.value == 25
    panel.views[MaskView.CHECKER].click()
    assert rig.session.mask_view is MaskView.CHECKER
    forward = panel.findChild(QPushButton, "masks.propagate_forward")
    assert forward is not None
    assert not forward.isEnabled()
    drawn(rig)
    assert forward.isEnabled()
    progress = panel.findChild(QProgressBar, "masks.progress")
    assert progress is not None
    assert not progress.isVisible()
    forward.click()
    rig.host.fake.begin()
    rig.host.fake.advance(3)
    assert progress.isVisible()
    assert (progress.value(), progress.maximum()) == (3, 20)
    with idle(rig):
        panel.stop_button.click()
    assert not progress.isVisible()
    assert "2 frames propagated" in panel.summary.text()


def test_every_button_has_a_name_and_a_tip(rig: Rig) -> None:
    for widget in (panel_of(rig), CanvasToolBar(rig.session, rig.canvas)):
        for button in widget.findChildren(QAbstractButton):
            if button.objectName().startswith(("masks.", "canvas.")):
                assert button.accessibleName(), button.objectName()
                assert button.toolTip(), button.objectName()


def test_the_tool_bar_and_the_session_agree(rig: Rig) -> None:
    bar = CanvasToolBar(rig.session)
    rig.qtbot.addWidget(bar)
    assert set(bar.buttons) == set(TOOLS)
    for name, button in bar.buttons.items():
        button.click()
        assert rig.session.tool == name
    rig.session.set_tool("razor")
    assert not any(button.isChecked() for button in bar.buttons.values())


def test_every_row_has_a_handler_that_runs(rig: Rig) -> None:
    bound = handlers(rig.session, rig.masks, rig.canvas)
    # Matte files are for the window: tests/flows/test_mattes.py. The inspector has the row of the tool for transforms.
    rows = {row.id for row in actions_masks.ROWS} - {"mask.import", "mask.export"}
    assert set(bound) - {"tool.transform"} == rows
    drawn(rig)
    for row in actions_masks.ROWS:
        if row.id in bound:
            bound[row.id]()
            rig.masks.cancel_job()
            rig.qtbot.waitUntil(lambda: rig.masks.job is None)
