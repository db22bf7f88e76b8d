"""The outline under the pointer: what a click would select, asked of the engine and never committed."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gen2studio.core.errors import GenerationError
from gen2studio.engine.events import JobState, SelectionPreviewed
from gen2studio.engine.mask_engines import MaskEngineEntry, MaskEngineInfo, MaskEngines
from gen2studio.engine.mask_tools import MaskSelector
from gen2studio.engine.requests import Job, Lane, SegmentRequest
from gen2studio.ui.canvas.hover_outline import HoverOutline, outline_of
from gen2studio.ui.panels.masks_engines import EngineBox
from tests.ui.canvas_rig import Rig, rig

__all__ = ["rig"]


def unloaded() -> MaskSelector:
    raise GenerationError("Nothing is loaded in this test.")


MODEL = MaskEngineInfo(id="model", title="A model", selects=True, previews=True, prepares=True)
CUT = MaskEngineInfo(id="cut", title="A cut", selects=True)
BROKEN = MaskEngineInfo(id="broken", title="A broken one", selects=True, problem="Its file is gone.")


@pytest.fixture
def outline(rig: Rig) -> HoverOutline:
    entries = [MaskEngineEntry(info=info, selector=unloaded) for info in (BROKEN, MODEL, CUT)]
    rig.masks.engine_choice.set_engines(MaskEngines(lambda: entries))
    sheet = HoverOutline(rig.canvas, rig.session, rig.masks)
    rig.session.set_tool("include")
    return sheet


def asked(rig: Rig, purpose: str) -> list[Job]:
    jobs = [job for job in rig.host.fake.submitted if isinstance(job.request, SegmentRequest)]
    return [job for job in jobs if isinstance(job.request, SegmentRequest) and job.request.purpose == purpose]


def answered(rig: Rig, job: Job, mask: np.ndarray) -> None:
    request = job.request
    assert isinstance(request, SegmentRequest)
    rig.host.selection_previewed.emit(
        SelectionPreviewed(job_id=job.id, object_id=request.object_id, frame=request.frame, mask=mask, engine="A model")
    )


def end(rig: Rig, state: JobState = JobState.FINISHED) -> None:
    """The job that was asked first ends."""
    rig.host.fake.begin()
    if state is JobState.FINISHED:
        rig.host.fake.finish()
    else:
        rig.host.fake.fail("The model broke.")


def prepared(rig: Rig, qtbot: QtBot, x: float, y: float) -> None:
    rig.move(x, y)
    qtbot.waitUntil(lambda: len(asked(rig, "prepare")) == 1)
    end(rig)


def test_the_outline_of_a_click_follows_the_pointer(rig: Rig, outline: HoverOutline, qtbot: QtBot) -> None:
    prepared(rig, qtbot, 200, 150)
    first = asked(rig, "preview")[-1]
    assert first.lane is Lane.PREVIEW and first.request.include == ((pytest.approx(200, 2), pytest.approx(150, 2)),)
    before = rig.session.document
    mask = np.zeros((60, 107), np.uint8)
    mask[20:40, 30:60] = 255
    answered(rig, first, mask)
    extent = rig.masks.extent
    bounds = outline.outline.boundingRect()
    assert bounds.left() == pytest.approx(30 * extent.width / 107, abs=6)
    assert bounds.bottom() == pytest.approx(40 * extent.height / 60, abs=6)
    picture = outline.grab().toImage()
    assert any(
        picture.pixelColor(x, y).alpha() for x in range(0, picture.width(), 3) for y in range(0, picture.height(), 3)
    )
    rig.move(210, 150)
    rig.move(220, 150)
    assert len(asked(rig, "preview")) == 1, "one point is answered at a time"
    end(rig)
    last = asked(rig, "preview")
    assert len(last) == 2 and last[1].request.include[0][0] == pytest.approx(220, abs=2), "only the newest point waits"
    assert rig.session.document is before
    QApplication.sendEvent(rig.canvas, QEvent(QEvent.Type.Leave))
    assert outline.outline.isEmpty()


def test_alt_and_the_exclude_tool_ask_for_what_goes_away(rig: Rig, outline: HoverOutline, qtbot: QtBot) -> None:
    prepared(rig, qtbot, 200, 150)
    assert asked(rig, "preview")[-1].request.exclude == ()
    end(rig)
    rig.session.set_tool("exclude")
    rig.move(240, 160)
    assert asked(rig, "preview")[-1].request.include == () and asked(rig, "preview")[-1].request.exclude


def test_other_tools_engines_and_an_empty_viewer_ask_nothing(rig: Rig, outline: HoverOutline, qtbot: QtBot) -> None:
    rig.session.set_tool("brush")
    rig.move(200, 150)
    rig.session.set_tool("include")
    rig.masks.choose_engine("cut")
    rig.move(210, 150)
    rig.masks.choose_engine("model")
    rig.show(shows="black")
    rig.move(220, 150)
    qtbot.wait(350)
    assert asked(rig, "prepare") == [] and asked(rig, "preview") == []


def test_a_frame_that_can_t_be_read_says_so_once(rig: Rig, outline: HoverOutline, qtbot: QtBot) -> None:
    rig.move(200, 150)
    qtbot.waitUntil(lambda: len(asked(rig, "prepare")) == 1)
    end(rig, JobState.FAILED)
    assert rig.masks.hover.busy.startswith("The model broke.")
    assert outline.grab().toImage().pixelColor(1, 1).alpha() == 0
    rig.masks.hover.leave()
    assert rig.masks.hover.busy == ""


def test_the_engine_box_lists_and_chooses(rig: Rig, outline: HoverOutline, qtbot: QtBot) -> None:
    box = EngineBox(rig.masks, "select")
    qtbot.addWidget(box)
    assert [box.itemText(i) for i in range(box.count())] == [
        "Automatic: A model", "A broken one (not usable)", "A model", "A cut",
    ]  # fmt: skip
    box.setCurrentIndex(3)
    box.activated.emit(3)
    assert rig.masks.engine_choice.chosen("select") == "cut" and "too slow" in box.toolTip()
    box.setCurrentIndex(1)
    box.activated.emit(1)
    assert rig.messages[-1] == ("warning", "Its file is gone. Choose another engine.")
    assert box.currentIndex() == 3
    rig.click(200, 150)
    assert asked(rig, "select")[-1].request.engine == "cut"


def test_holes_and_the_picture_s_edge_close_the_outline() -> None:
    mask = np.full((20, 30), 255, np.uint8)
    mask[8:12, 10:20] = 0
    path = outline_of(mask, 300, 200)
    assert path.contains(path.boundingRect().center()) is False
    assert path.boundingRect().width() == pytest.approx(300, abs=12)
    assert outline_of(None, 300, 200).isEmpty() and outline_of(mask * 0, 300, 200).isEmpty()
    assert path.fillRule() is Qt.FillRule.OddEvenFill
