"""Customization by hand in the real window: drop images, say what they are, train, pause, use the adapter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QComboBox, QLineEdit, QMessageBox, QWidget

from gen2studio.engine.events import JobState
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import ModelLibrary
from gen2studio.ui.dialogs.crop_dialog import CropDialog
from gen2studio.ui.panels.customization_panel import CustomizationPanel


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.diffusion.tiny import build

    return build(tmp_path_factory.mktemp("models") / "tiny", "patch")


@pytest.fixture
def small_model(isolated_home: Path, checkpoint: Path) -> str:
    """A tiny model in the artist's own list: it comes before the built-in one."""
    return ModelLibrary().add(checkpoint).id


def found(root: QWidget, kind: type, name: str) -> Any:
    widget = root.findChild(kind, name)
    assert widget is not None, name
    return widget


def click(root: QWidget, name: str) -> None:
    button = found(root, QAbstractButton, name)
    assert button.isEnabled(), f"{name} is disabled: {button.toolTip()}"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


def type_into(root: QWidget, name: str, text: str) -> None:
    field = found(root, QLineEdit, name)
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)
    QTest.keyClick(field, Qt.Key.Key_Return)


def drop(target: QWidget, paths: list[Path]) -> None:
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    entering = QDragEnterEvent(
        QPoint(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(target, entering)
    assert entering.isAccepted()
    event = QDropEvent(
        QPointF(5, 5), Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    )
    QApplication.sendEvent(target, event)
    assert event.isAccepted()


@pytest.fixture
def page(small_model: str, window: Any, qtbot: Any) -> CustomizationPanel:
    click(window, "generate.mode.customize")
    qtbot.waitUntil(lambda: window.findChild(CustomizationPanel) is not None)
    return window.findChild(CustomizationPanel)


def wait(qtbot: Any, until: Callable[[], bool], seconds: float = 60.0) -> None:
    qtbot.waitUntil(until, timeout=round(seconds * 1000))


def test_from_a_drop_to_an_adapter_in_the_look(
    page: CustomizationPanel, window: Any, qtbot: Any, media_root: Path, small_model: str
) -> None:
    studio = window.studio
    work = studio.customization
    drop(page.images, [media_root / "subjects" / "dog"])
    wait(qtbot, lambda: len(page.images.tiles) == 5)
    wait(qtbot, lambda: len([f for f in work.findings if f.kind == "no_caption"]) == 5)
    assert "caption" in page.images.findings.text()
    assert studio.store.undo_stack.undoText() == "Add 5 images to training set"

    type_into(page, "customize.name", "Biscuit")
    type_into(page, "customize.trigger", "zorb")
    type_into(page, "customize.image.0.caption", "a zorb dog in the meadow")
    click(page, "customize.fill")
    captions = [image.caption for image in work.training_set.images]
    assert captions == ["a zorb dog in the meadow", *["a zorb"] * 4]
    assert work.findings == () and not page.images.findings.isVisible()

    # A new trigger word goes into every caption; undo takes it back as one step.
    type_into(page, "customize.trigger", "quux")
    assert [i.caption for i in work.training_set.images][:2] == ["a quux dog in the meadow", "a quux"]
    studio.store.undo_stack.undo()
    assert work.training_set.trigger == "zorb" and work.training_set.images[1].caption == "a zorb"
    assert found(page, QLineEdit, "customize.trigger").text() == "zorb"

    # Crop the first image to its left half, with the mouse.
    page.images.crop_requested.emit(work.training_set.images[0].digest)
    dialog = page.findChild(CropDialog)
    view = dialog.view
    place = view.picture_place()
    grip = QPoint(round(place.right()), round(place.center().y()))
    QTest.mousePress(view, Qt.MouseButton.LeftButton, pos=grip)
    QTest.mouseMove(view, QPoint(round(place.center().x()), round(place.center().y())))
    QTest.mouseRelease(view, Qt.MouseButton.LeftButton)
    click(dialog, "crop.use")
    crop = work.training_set.images[0].crop
    assert crop is not None and crop[0] == 0 and abs(crop[2] - 0.5) < 0.02

    page.sections["settings"].set_open(True)
    page.steps.field.setValue(14)
    page.rank.field.setValue(2)
    page.prior.field.setValue(0.5)
    assert (work.training_set.steps, work.training_set.rank, work.plan().prior) == (14, 2, 0.5)
    page.prior.field.setValue(0)
    assert work.abilities().id == small_model

    click(page, "customize.train")
    wait(qtbot, lambda: len(work.losses) >= 2)
    click(page, "customize.pause")
    wait(qtbot, lambda: work.run_state.state in (JobState.PAUSED, JobState.FINISHED))
    if work.run_state.state is JobState.PAUSED:
        assert page.run.stage.text() == "Paused"
        click(page, "customize.pause")
    wait(qtbot, lambda: work.run_state.state is JobState.FINISHED)
    assert page.run.curve.points == 14
    assert page.run.tests.steps[0] == 0 and page.run.tests.steps[-1] == 14
    assert not found(page, QAbstractButton, "customize.pause").isVisible()

    kept = AdapterLibrary().adapters()
    assert [(a.name, a.trigger, a.base_model) for a in kept] == [("Biscuit", "zorb", small_model)]
    wait(qtbot, lambda: len(page.library.rows) == 1)
    # An earlier step can be the adapter instead: by its test frame, or in the library.
    whole = kept[0].sha256
    click(page, "customize.frame.10")
    assert "Step 10 · loss" in page.run.tests.words.full_text
    click(page, "customize.useStep")
    wait(qtbot, lambda: AdapterLibrary().adapters()[0].steps == 10)
    wait(qtbot, lambda: page.library.rows[0].card.step == 10)
    box = found(page, QComboBox, "library.0.step")
    assert [box.itemData(i) for i in range(box.count())] == [10, 14] and box.currentData() == 10
    box.activated.emit(1)
    wait(qtbot, lambda: AdapterLibrary().adapters()[0].sha256 == whole)
    wait(qtbot, lambda: page.library.rows[0].card.step == 14)
    row = page.library.rows[0]
    assert row.strength is not None
    row.strength.field.setValue(0.8)
    assert [(u.adapter, u.strength) for u in studio.generation.look.adapters] == [(kept[0].id, 0.8)]
    type_into(page, "library.0.name", "Biscuit the dog")
    assert AdapterLibrary().adapter(kept[0].id).name == "Biscuit the dog"
    click(page, "library.0.delete")
    box = page.findChild(QMessageBox, "library.confirm")
    delete = next(b for b in box.buttons() if b.text() == "Delete")
    QTest.mouseClick(delete, Qt.MouseButton.LeftButton)
    assert AdapterLibrary().adapters() == ()
    wait(qtbot, lambda: page.library.rows == [])


def test_a_cancelled_training_can_go_on_or_be_forgotten(
    page: CustomizationPanel, window: Any, qtbot: Any, media_root: Path
) -> None:
    work = window.studio.customization
    drop(page.images, sorted((media_root / "subjects" / "dog").glob("*.jpg"))[:2])
    wait(qtbot, lambda: len(page.images.tiles) == 2)
    type_into(page, "customize.trigger", "zorb")
    click(page, "customize.fill")
    wait(qtbot, lambda: all(work.facts(i) is not None for i in work.training_set.images))
    page.steps.field.setValue(3000)
    assert found(page, QAbstractButton, "customize.train").text() == "Train"
    click(page, "customize.train")
    wait(qtbot, lambda: len(work.losses) >= 3)
    click(page, "customize.cancel")
    wait(qtbot, lambda: work.run_state.state is JobState.CANCELLED)
    assert "kept" in page.run.reason.text()
    train = found(page, QAbstractButton, "customize.train")
    assert train.text() == "Go on training" and work.kept()
    click(page, "customize.startOver")
    assert not work.kept() and train.text() == "Train"
    assert page.run.curve.points == 0


def test_what_cannot_be_read_is_flagged_and_stops_the_training(
    page: CustomizationPanel, window: Any, qtbot: Any, media_root: Path, tmp_path: Path
) -> None:
    work = window.studio.customization
    cut = tmp_path / "cut.png"
    cut.write_bytes((media_root / "broken" / "image_broken_data_stream.png").read_bytes()[:60])
    text = tmp_path / "words.png"
    text.write_text("no picture at all")
    drop(page.images, [cut, text, *sorted((media_root / "subjects" / "dog").glob("*.jpg"))[:1]])
    wait(qtbot, lambda: len(page.images.tiles) == 2)
    assert window.messages.severity == "warning", "the text file is refused in a message"
    wait(qtbot, lambda: any(f.kind == "unreadable" for f in work.findings))
    train = found(page, QAbstractButton, "customize.train")
    assert not train.isEnabled() and "cut.png" in page.run.reason.text()
    tile = next(t for t in page.images.tiles if t.accessibleName() == "cut.png")
    tile.setFocus()
    QTest.keyClick(tile, Qt.Key.Key_Delete)
    wait(qtbot, lambda: train.isEnabled())
    assert len(page.images.tiles) == 1
