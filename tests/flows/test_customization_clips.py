"""Customization from clips by hand in the real window: drop them, take them from the timeline, train, use presets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication, QComboBox, QWidget

from gen2studio.document.model import TrackKind
from gen2studio.engine.events import JobState
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import ModelLibrary
from gen2studio.ui.dialogs.crop_dialog import CropDialog
from gen2studio.ui.panels.customization_panel import CustomizationPanel
from gen2studio.ui.timeline.drops import MEDIA_MIME
from tests.flows.test_customization import click, drop, found, type_into, wait

CLIP = "golden_retriever_512_3.2s.mp4"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.diffusion.tiny_wan import build

    return build(tmp_path_factory.mktemp("models") / "tiny", "t2v_a14b")


@pytest.fixture
def pair(isolated_home: Path, checkpoint: Path) -> str:
    """A tiny pair of experts in the artist's own list: it comes before the built-in model."""
    return ModelLibrary().add(checkpoint).id


@pytest.fixture
def page(pair: str, window: Any, qtbot: Any) -> CustomizationPanel:
    click(window, "generate.mode.customize")
    qtbot.waitUntil(lambda: window.findChild(CustomizationPanel) is not None)
    return window.findChild(CustomizationPanel)


def choose(root: QWidget, name: str, data: object) -> None:
    box = found(root, QComboBox, name)
    row = box.findData(data)
    assert row >= 0, [box.itemData(i) for i in range(box.count())]
    box.setCurrentIndex(row)
    box.activated.emit(row)


def test_from_a_dropped_clip_to_an_adapter_of_both_experts(
    page: CustomizationPanel, window: Any, qtbot: Any, media_root: Path, pair: str
) -> None:
    studio, work = window.studio, window.studio.customization
    drop(page.images, [media_root / "clips" / CLIP])
    wait(qtbot, lambda: len(page.images.tiles) == 1)
    image = work.training_set.images[0]
    assert image.clip is not None and (image.clip.start, image.clip.stop) == (0, 32)
    assert studio.store.document.media[image.clip.media_id].name == Path(CLIP).stem, "it is in the media pool too"
    assert studio.store.undo_stack.undoText() == "Add clip to training set"
    wait(qtbot, lambda: work.facts(image) is not None)
    assert float(work.facts(image).rate) == 10 and work.facts(image).frames == 32

    page.sections["settings"].set_open(True)
    assert work.abilities().id == pair
    assert page.work.frames.isVisible() and found(page, QWidget, "customize.experts").isVisible()
    assert not page.prior.isVisible(), "one expert in memory pictures nothing by itself"
    page.work.frames.field.setValue(7)
    assert work.training_set.clip_frames == 9, "4k + 1 frames"
    choose(page, "customize.windows", "head")
    choose(page, "customize.experts", "both")
    page.work.frames.field.setValue(5)
    type_into(page, "customize.trigger", "zorb")
    click(page, "customize.fill")
    page.steps.field.setValue(10)
    page.rank.field.setValue(2)
    wait(qtbot, lambda: work.why_not() == "")
    assert "5 frames of" in page.plan.text()
    request = work.plan()
    assert (request.clip_frames, request.clip_windows, request.experts) == (5, "head", "both")

    # Its crop is drawn on a frame of it.
    page.images.crop_requested.emit(image.digest)
    wait(qtbot, lambda: page.findChild(CropDialog) is not None)
    page.findChild(CropDialog).reject()

    click(page, "customize.train")
    wait(qtbot, lambda: work.run_state.state is JobState.FINISHED)
    assert page.run.curve.points == 20, "ten steps for each of two experts"
    assert page.run.tests.steps[-1] == 20
    assert [(a.trigger, a.steps) for a in AdapterLibrary().adapters()] == [("zorb", 20)]


def test_clips_of_the_pool_and_of_the_timeline(
    page: CustomizationPanel, window: Any, qtbot: Any, media_root: Path
) -> None:
    studio, work = window.studio, window.studio.customization
    click(page, "customize.addTimeline")
    assert "Select a clip" in window.messages.text
    studio.import_files([media_root / "clips" / CLIP])
    wait(qtbot, lambda: studio.store.document.sequence is not None)
    track = next(t for t in studio.store.document.sequence.tracks if t.kind is TrackKind.VIDEO and t.clips)
    clip = track.clips[0]
    studio.session.set_selection(frozenset({clip.id}))
    studio.session.set_playhead(clip.start + 12)
    assert studio.editing.trim_tail_to_playhead()
    click(page, "customize.addTimeline")
    wait(qtbot, lambda: len(page.images.tiles) == 1)
    stretch = work.training_set.images[0].clip
    assert stretch is not None and stretch.start == 0 and 5 <= stretch.stop < 32, "only what the clip shows"

    mime = QMimeData()
    mime.setData(MEDIA_MIME, json.dumps([clip.media_id]).encode())
    held = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(page.images, QDragEnterEvent(QPoint(5, 5), *held))
    event = QDropEvent(QPointF(5, 5), *held)
    QApplication.sendEvent(page.images, event)
    assert event.isAccepted()
    wait(qtbot, lambda: len(page.images.tiles) == 2)
    whole = work.training_set.images[1].clip
    assert whole is not None and (whole.start, whole.stop) == (0, 32)

    studio.store.undo_stack.undo()
    assert len(page.images.tiles) == 1
