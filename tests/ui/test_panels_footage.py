"""Models on footage in the real window: room around a clip, the strength nobody chose, small pictures of shots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QMessageBox
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Compare
from gen2studio.document.look import Controls, Mode, Outpaint
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.generators import ModeAbility
from gen2studio.engine.take_store import TakeStore
from gen2studio.ui.panels.outpaint_section import OutpaintSection
from tests.fakes.fake_engine import FakeGenerator
from tests.ui.desk import Desk, choose, click, open_desk, part
from tests.ui.test_panels_modes import MODEL

DRAWS = replace(
    MODEL,
    modes=tuple(
        ModeAbility(mode=mode.mode, controls=mode.controls | {"outpaint"}, strength=0.5) for mode in MODEL.modes
    ),
)


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    """A clip on the timeline, the weight-free generator and a model that draws around footage."""
    installed = GeneratorRegistry(
        [GeneratorEntry(FakeGenerator().abilities, FakeGenerator), GeneratorEntry(DRAWS, FakeGenerator)]
    )
    with open_desk(qtbot, media_root, installed) as opened:
        qtbot.waitUntil(lambda: opened[0].studio.feed.picture.image is not None, timeout=15000)
        yield opened


def choose_named(combo: QComboBox, title: str) -> None:
    choose(combo, next(row for row in range(combo.count()) if combo.itemText(row) == title))


def test_a_shape_adds_room_that_the_canvas_shows(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    generation, canvas = window.studio.generation, window.canvas
    click(window, "generate.mode.stylize")
    assert generation.abilities().id == FakeGenerator().abilities.id  # type: ignore[union-attr]
    section = window.generate.sections["outpaint"]
    assert section.isVisibleTo(window.generate) and "Outpaint" not in window.generate.not_honoured.words.text()
    section.set_open(True)
    page = section.content
    assert isinstance(page, OutpaintSection)
    whole = canvas._letterbox()
    choose_named(part(window, QComboBox, "outpaint.shape"), "21:9")
    look = generation.look
    assert look.outpaint.left == look.outpaint.right > 0 and look.outpaint.top == 0
    assert generation.abilities().id == "model"  # type: ignore[union-attr]
    assert "becomes 1196 × 512" in page.words.text()
    # What acts inside the clip is gone while the clip stays as it is.
    assert not window.generate.sections["structure"].isVisibleTo(window.generate)
    assert not window.generate.sliders["strength"].isVisibleTo(window.generate)
    # The viewer makes room for the larger frame and hatches what will be drawn.
    assert canvas._letterbox().width() > whole.width() * 1.2
    picture = window.studio.feed.picture
    assert picture.extent.width == 512
    shown = canvas.grab().toImage()
    ring = canvas.transform.to_view(512 + 170, 256).toPoint()
    colours = {shown.pixel(ring.x() + dx, ring.y() + dy) for dx in range(8) for dy in range(8)}
    assert len(colours) > 1
    request = generation.plan(generation.target, look)  # type: ignore[arg-type]
    assert (request.width, request.height, request.outpaint) == (1196, 512, (342, 0, 342, 0))
    part(window, QDoubleSpinBox, "outpaint.top").setValue(25)
    assert generation.look.outpaint.top == 0.25 and page.shape.currentText() == "By hand"
    # Another generator that can't is said so, and its runs are of the clip as it is.
    choose_named(part(window, QComboBox, "generate.generator"), FakeGenerator().abilities.title)
    assert not section.isVisibleTo(window.generate)
    assert generation.plan(generation.target, generation.look).outpaint == (0, 0, 0, 0)  # type: ignore[arg-type]
    generation.change("Back", generator="")
    click(window, "outpaint.reset")
    assert generation.look.outpaint == Outpaint()
    assert canvas._letterbox() == whole


def test_a_reframed_take_lies_around_its_clip(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    studio, canvas = window.studio, window.canvas
    click(window, "generate.mode.stylize")
    studio.generation.change("Room", outpaint=Outpaint(left=0.5), generator="model")
    picture = np.zeros((512, 768, 3), np.uint8)
    picture[:, 256:] = (10, 200, 30)
    studio.feed.show_preview(studio.generation.target.media_id, 0, picture)  # type: ignore[union-attr]
    assert canvas._reach == QRectF(-256, 0, 768, 512)
    assert canvas.picture.shows == "preview"  # type: ignore[union-attr]
    # Tools see the part over the clip, at the clip's size.
    under = canvas._stage.picture
    assert under is not None and under.shape == (512, 512, 4) and (under[..., 1] > 190).all()
    studio.session.set_compare(Compare.WIPE)
    qtbot.waitUntil(lambda: canvas._pair is not None and canvas._pair.reference is not None, timeout=10000)
    assert canvas._reach == QRectF(-256, 0, 768, 512)
    pair = canvas._pair
    assert pair is not None and pair.reference is not None
    assert (pair.reference.width(), pair.reference.height()) == (768, 512)
    canvas.grab()


def test_the_strength_is_the_generators_own_until_it_is_chosen(desk: Desk) -> None:
    window, _ = desk
    generation = window.studio.generation
    click(window, "generate.mode.stylize")
    generation.change("Generator", generator="model")
    slider = window.generate.sliders["strength"]
    assert slider.value == 0.5 and generation.look.controls.strength == Controls().strength
    clip = generation.target
    assert clip is not None
    assert generation.plan(clip, generation.look).controls.strength == 0.5
    slider.field.setValue(1.0)
    assert generation.look.controls.strength == 1.0
    assert generation.plan(clip, generation.look).controls.strength == 1.0
    slider.reset_button.click()
    assert slider.value == 0.5 and generation.look.controls.strength == Controls().strength


def test_shots_are_shown_by_their_mode_until_there_is_a_take(desk: Desk, qtbot: QtBot) -> None:
    window, host = desk
    studio = window.studio
    assert window.takes.model.source_icon == "film"
    qtbot.waitUntil(lambda: not window.takes.model.source_picture().isNull(), timeout=10000)
    click(window, "generate.mode.text")
    studio.generation.change("Words", prompt="a boat")
    with qtbot.waitSignal(studio.shots.slate_written, timeout=10000):
        clip_id = studio.shots.new_shot(Mode.TEXT_TO_VIDEO)
    clip = studio.session.find_clip(clip_id)
    assert clip is not None
    item = studio.store.document.media[clip.media_id]
    model = window.pool.model
    assert model.icon_of(item) == "type" and model.picture(item) is None
    assert window.takes.model.source_icon == "type" and window.takes.model.source_picture().isNull()
    window.timeline.view.grab()
    studio.generation.run()
    job = host.fake.begin()
    store = TakeStore(studio.project.takes_dir)
    store.begin(job.take_id, "0" * 64, "{}")
    for frame in job.request.wanted:  # type: ignore[union-attr]
        store.write(job.take_id, frame, np.full((job.request.height, job.request.width, 3), 90, np.uint8))  # type: ignore[union-attr]
    host.fake.advance(len(job.request.wanted))  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: bool(studio.session.find_clip(clip_id).takes), timeout=5000)  # type: ignore[union-attr]
    host.fake.finish()
    qtbot.waitUntil(lambda: bool(studio.session.find_clip(clip_id).active_take), timeout=5000)  # type: ignore[union-attr]
    qtbot.waitUntil(lambda: model.picture(item) is not None, timeout=10000)


def test_deleting_discarded_takes_is_asked_first(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    told: list[str] = []
    window.studio.session.message.connect(lambda _severity, text: told.append(text))
    window.binder.action("take.purge").trigger()
    assert "no discarded takes" in told[-1]
    assert window.findChild(QMessageBox, "takes.purge") is None
