"""A word learned by hand in the real window: choose it, train it, put it into the look, say it and keep it out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QAbstractButton, QComboBox, QLabel, QLineEdit
from safetensors.numpy import load_file

from gen2studio.engine.events import JobState
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import ModelLibrary
from gen2studio.ui.panels.customization_panel import CustomizationPanel
from tests.flows.test_customization import click, drop, found, type_into, wait


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model whose text encoder can be taught words, and one whose can't."""
    from tests.diffusion import tiny, tiny_animatediff

    home = tmp_path_factory.mktemp("models")
    parts = (*(f"controlnet_{kind}" for kind in tiny_animatediff.CONTROLS), "ip_adapter.safetensors", "image_encoder")
    image = tiny_animatediff.build(home / "image", without=(*parts, "few_step_lora.safetensors"))
    return image, tiny.build(home / "wan", "patch")


@pytest.fixture
def models(isolated_home: Path, checkpoints: tuple[Path, Path]) -> tuple[str, str]:
    library = ModelLibrary()
    return library.add(checkpoints[0]).id, library.add(checkpoints[1]).id


@pytest.fixture
def page(models: tuple[str, str], window: Any, qtbot: Any) -> CustomizationPanel:
    click(window, "generate.mode.customize")
    wait(qtbot, lambda: window.findChild(CustomizationPanel) is not None)
    return window.findChild(CustomizationPanel)


def pick_model(page: CustomizationPanel, model: str) -> None:
    box = found(page, QComboBox, "customize.model")
    box.activated.emit(box.findData(model))


def test_a_word_is_made_and_said_by_hand(
    page: CustomizationPanel, window: Any, qtbot: Any, media_root: Path, models: tuple[str, str]
) -> None:
    studio, (image, wan) = window.studio, models
    work = studio.customization
    drop(page.images, sorted((media_root / "subjects" / "dog").glob("*.jpg"))[:2])
    wait(qtbot, lambda: len(page.images.tiles) == 2)
    page.sections["settings"].set_open(True)

    # A model that reads with UMT5 says why it can't; the other one offers it.
    pick_model(page, wan)
    word = found(page, QAbstractButton, "customize.method.word")
    assert not word.isEnabled() and "UMT5" in word.toolTip()
    assert "UMT5" in found(page, QLabel, "customize.method.reason").text()
    assert page.optimiser.isVisible() and "in 8 bits" in page.optimiser.figure.text()
    pick_model(page, image)
    assert word.isEnabled() and page.rank.isVisible() and not page.word.isVisible()
    click(page, "customize.method.word")
    assert work.training_set.method == "word" and page.word.isVisible()
    assert not page.rank.isVisible() and not page.prior.isVisible() and not page.optimiser.isVisible()
    assert not found(page, QAbstractButton, "customize.train").isEnabled()
    assert "needs a name" in page.run.reason.text()
    assert "A word that is to be learned needs a name." in [finding.sentence for finding in work.findings]
    studio.store.undo_stack.undo()
    assert work.training_set.method == "lora" and page.rank.isVisible()
    studio.store.undo_stack.redo()

    type_into(page, "customize.name", "Biscuit")
    type_into(page, "customize.trigger", "zorb")
    type_into(page, "customize.initial", "dog")
    click(page, "customize.fill")
    page.word.vectors.field.setValue(2)
    page.steps.field.setValue(10)
    asked = work.plan()
    assert (asked.method, asked.vectors, asked.initial, asked.steps, asked.rank) == ("word", 2, "dog", 10, 0)
    wait(qtbot, lambda: found(page, QAbstractButton, "customize.train").isEnabled())
    click(page, "customize.train")
    wait(qtbot, lambda: work.run_state.state in (JobState.FINISHED, JobState.FAILED), 120)
    assert work.run_state.state is JobState.FINISHED, work.run_state.reason
    assert page.run.curve.points == 10 and page.run.tests.steps == (0, 10)
    (kept,) = AdapterLibrary().adapters()
    assert (kept.name, kept.trigger, kept.vectors, kept.base_model) == ("Biscuit", "zorb", 2, image)
    assert list(load_file(kept.path)) == ["zorb"]

    # In the library it is used or not; in the look it is said.
    wait(qtbot, lambda: len(page.library.rows) == 1)
    row = page.library.rows[0]
    assert row.strength is None and "word of 2 vectors" in row.card.facts
    click(page, "library.0.use")
    assert [use.adapter for use in studio.generation.look.adapters] == [kept.id]
    assert row.use_button is not None and row.use_button.text() == "In use in this clip"

    click(window, "generate.mode.text")
    studio.generation.change("Model", generator=image)
    window.generate.sections["adapters"].set_open(True)
    wait(qtbot, lambda: window.findChild(QAbstractButton, "adapter.0.say") is not None)
    say, keep_out = (found(window, QAbstractButton, f"adapter.0.{name}") for name in ("say", "keepOut"))
    wait(qtbot, lambda: say.isVisible() and keep_out.isVisible())
    click(window, "adapter.0.keepOut")
    assert studio.generation.look.negative_prompt == "zorb" and not keep_out.isVisible()
    studio.generation.change("Prompt", prompt="a red dog")
    click(window, "adapter.0.say")
    assert studio.generation.look.prompt == "a red dog, zorb" and not say.isVisible()
    click(window, "adapter.0.remove")
    assert studio.generation.look.adapters == ()


def test_a_word_of_others_is_imported_and_a_pickle_refused(
    page: CustomizationPanel, window: Any, qtbot: Any, tmp_path: Path, models: tuple[str, str]
) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    shelf, pickled, theirs = window.studio.shelf, tmp_path / "bad.pt", tmp_path / "Old Photo.safetensors"
    pickled.write_bytes(b"\x80\x04")
    shelf.import_file(pickled, models[0])
    wait(qtbot, lambda: window.messages.severity == "error")
    assert AdapterLibrary().adapters() == ()
    save_file({"emb_params": np.ones((3, 24), np.float32)}, theirs)
    shelf.import_file(theirs, models[0])
    wait(qtbot, lambda: len(page.library.rows) == 1)
    assert [(a.trigger, a.vectors) for a in AdapterLibrary().adapters()] == [("old-photo", 3)]
    field = found(page, QLineEdit, "library.0.name")
    assert field.text() == "Old Photo"
