"""What the generate panel shows in each mode, its sections by hand, and the storyboard, over an engine that waits."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPoint, Qt, QUrl
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QScrollBar,
    QWidget,
)
from pytestqt.qtbot import QtBot

from gen2studio.document.look import Camera, Look, Mode, PaintedKey, StructureSource
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.ui.main_window import MainWindow
from gen2studio.ui.panels.camera_section import AXES, CameraSection
from gen2studio.ui.panels.frames_section import FramesSection
from gen2studio.ui.panels.key_frames_section import KeyFramesSection
from gen2studio.ui.panels.shot_section import ShotSection
from gen2studio.ui.panels.storyboard_model import PANEL_MIME
from gen2studio.ui.panels.structure_section import StructureSection
from tests.fakes.fake_engine import FakeGenerator
from tests.fakes.fake_studio import with_clip
from tests.ui.desk import LEFT, NONE, Desk, at_rest, choose, click, drop, open_desk, part

_EVERYTHING = frozenset(
    {
        "adapters", "camera", "consistency", "control_scale", "depth_pass", "fill", "first_frame", "guidance", "keys",
        "last_frame", "layout", "lead", "motion", "motion_brush", "negative_prompt", "pattern", "preset", "prompt",
        "region", "seed", "steps", "strength", "structure", "structure_source", "styles",
    }
)  # fmt: skip
MODEL = Abilities(
    id="model",
    title="A model",
    revision="1",
    modes=tuple(
        ModeAbility(mode=mode.value, controls=_EVERYTHING, why_not=(("stroke_size", "it paints at its own scale"),))
        for mode in Mode
        if mode is not Mode.CUSTOMIZE
    ),
    native_sizes=((128, 128), (160, 96)),
    native_rate=Fraction(8),
    native_frames=17,
    guidance=(3.0, 1.0, 5.0),
    steps=(8, 4, 30),
    memory_plan="on the processor in fp32, about 30 MB",
    structure_readers=(("auto", "lines"), ("depth", "a weak cue")),
)


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    """An empty window beside a model that honours everything."""
    installed = GeneratorRegistry(
        [GeneratorEntry(FakeGenerator().abilities, FakeGenerator), GeneratorEntry(MODEL, FakeGenerator)]
    )
    with open_desk(qtbot, None, installed) as opened:
        opened[0].late.finish()
        yield opened


def press(qtbot: QtBot, window: MainWindow, name: str) -> None:
    """Click a button once it lies where it belongs."""
    at_rest(qtbot, window, name)
    click(window, name)


def look_of(window: MainWindow) -> Look:
    return window.studio.generation.look


def open_all(window: MainWindow) -> None:
    for section in window.generate.sections.values():
        section.set_open(True)
    for section in window.storyboard.details.sections.values():
        section.set_open(True)


def test_every_control_of_every_mode_has_a_name_and_fits_the_panel(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    kinds = (QAbstractButton, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)
    window.studio.storyboards.add_panel()
    for mode in Mode:
        if mode is Mode.CUSTOMIZE:
            continue
        press(qtbot, window, f"generate.mode.{mode.value}")
        open_all(window)
        lacking = [
            f"{type(widget).__name__} {widget.objectName() or '?'}"
            for widget in (*window.generate.findChildren(QWidget), *window.storyboard.findChildren(QWidget))
            if isinstance(widget, kinds)
            and not isinstance(widget, QScrollBar)
            and not widget.objectName().startswith("qt_")
            and not isinstance(widget.parent(), (QAbstractSpinBox, QComboBox))
            and not (widget.objectName() and widget.accessibleName() and widget.toolTip())
        ]
        assert lacking == [], mode
        assert window.generate.body.minimumSizeHint().width() <= 344, mode


def test_sections_are_made_when_their_mode_is_chosen(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    sections = window.generate.sections
    assert sections["shot"].content is None
    assert sections["camera"].content is None
    press(qtbot, window, "generate.mode.text")
    assert isinstance(sections["shot"].content, ShotSection)
    assert sections["camera"].isVisible()
    assert sections["camera"].content is None
    press(qtbot, window, "section.camera.heading")
    assert isinstance(sections["camera"].content, CameraSection)
    assert not sections["keys"].isVisible()
    assert not sections["frames"].isHidden()


def test_the_generator_is_chosen_by_the_program_or_by_hand(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.text")
    chooser = window.generate.generator
    assert chooser.box.currentText() == "Automatic — A model"
    assert chooser.why.text()
    assert chooser.memory.text() == MODEL.memory_plan
    chooser.box.setFocus()
    QTest.keyClick(chooser.box, Qt.Key.Key_Down)
    assert look_of(window).generator == "model"
    assert window.generate.not_honoured.isVisible()
    assert not window.generate.not_honoured.words.isVisible()
    press(qtbot, window, "generate.notHonoured.heading")
    assert "it paints at its own scale" in window.generate.not_honoured.words.text()


def test_how_the_model_is_held_is_chosen_by_hand(qtbot: QtBot) -> None:
    chosen: list[str] = []

    def hold(rung: str) -> Abilities:
        chosen.append(rung)
        return replace(model, memory_rung=rung, memory_plan=f"held as {rung}")

    model = replace(MODEL, memory_rungs=(("whole", "Whole, about 30 MB"), ("int8", "Kept as int8, about 12 MB")))
    entries = [
        GeneratorEntry(FakeGenerator().abilities, FakeGenerator),
        GeneratorEntry(model, FakeGenerator, hold=hold),
    ]
    with open_desk(qtbot, None, GeneratorRegistry(entries)) as (window, _):
        window.late.finish()
        press(qtbot, window, "generate.mode.text")
        box = window.generate.generator.holding
        assert [box.itemText(row) for row in range(box.count())] == [
            "Memory: Automatic", "Memory: Whole, about 30 MB", "Memory: Kept as int8, about 12 MB",
        ]  # fmt: skip
        assert box.currentIndex() == 0
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_End)
        assert chosen == ["int8"]
        assert box.currentIndex() == 2
        assert window.generate.generator.memory.text() == "held as int8"
        press(qtbot, window, "generate.mode.stylize")
        assert box.isVisible() == bool(window.studio.generation.abilities().memory_rungs)


def test_a_quicker_way_to_run_a_model_is_chosen_where_there_is_one(qtbot: QtBot) -> None:
    chosen: list[str] = []

    def run_as(way: str) -> Abilities:
        chosen.append(way)
        return replace(model, run_way=way)

    model = replace(MODEL, run_ways=(("flash", "FlashAttention"),))
    entries = [
        GeneratorEntry(FakeGenerator().abilities, FakeGenerator),
        GeneratorEntry(model, FakeGenerator, run_as=run_as),
    ]
    with open_desk(qtbot, None, GeneratorRegistry(entries)) as (window, _):
        window.late.finish()
        press(qtbot, window, "generate.mode.text")
        box = window.generate.generator.way
        assert [box.itemText(row) for row in range(box.count())] == ["Speed: Automatic", "Speed: FlashAttention"]
        assert box.isVisible()
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_End)
        assert chosen == ["flash"]
        assert box.currentIndex() == 1
        press(qtbot, window, "generate.mode.stylize")
        assert not box.isVisible(), "what runs here has no other way"


def test_arrow_keys_go_from_mode_to_mode(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    tiles = window.generate.mode.tiles
    tiles[Mode.TEXT_TO_VIDEO].setFocus()
    tiles[Mode.TEXT_TO_VIDEO].click()
    QTest.keyClick(tiles[Mode.TEXT_TO_VIDEO], Qt.Key.Key_Right)
    assert look_of(window).mode is Mode.TEXT_IMAGE_TO_VIDEO
    QTest.keyClick(tiles[Mode.TEXT_IMAGE_TO_VIDEO], Qt.Key.Key_Down)
    assert look_of(window).mode is Mode.MASK
    assert window.studio.session.playhead == 0


def test_a_shot_takes_its_size_from_the_model(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.text")
    section = window.generate.page("shot")
    assert isinstance(section, ShotSection)
    assert "17 frames" in section.size_note.text()
    press(qtbot, window, "button.shot.new")
    press(qtbot, window, "shot.aspect.1x1")
    clip = window.studio.generation.target
    assert clip is not None
    shot = window.studio.store.document.media[clip.media_id].shot
    assert shot is not None
    assert (shot.width, shot.height) == (128, 128)
    assert section.size_note.text() == "128 × 128 · 17 frames"
    window.studio.store.undo_stack.undo()
    assert section.aspects[Fraction(16, 9)].isChecked()


def test_frames_are_dropped_and_moved(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.image")
    section = window.generate.page("frames")
    assert isinstance(section, FramesSection)
    picture = media_root / "style" / "hokusai_great_wave.jpg"
    # Dropped without a shot, it makes one.
    assert drop(section.first, [picture])
    assert window.studio.generation.target is not None
    assert [key.frame for key in look_of(window).keys] == [0]
    assert section.first.has_picture
    assert drop(section.last, [picture])
    assert [key.frame for key in look_of(window).keys] == [0, 16]
    window.studio.session.set_playhead(5)
    window.studio.generation.add_key(picture, "middle")
    assert [key.frame for key in look_of(window).keys] == [0, 5, 16]
    at_rest(qtbot, window, "frames.key.0.frame")
    field = part(window, QWidget, "frames.key.0.frame")
    assert field.isVisible()
    field.setValue(9)  # type: ignore[attr-defined]
    assert [key.frame for key in look_of(window).keys] == [0, 9, 16]
    QTest.keyClick(section.last, Qt.Key.Key_Delete)
    assert [key.frame for key in look_of(window).keys] == [0, 9]
    press(qtbot, window, "frames.first.remove")
    assert [key.frame for key in look_of(window).keys] == [9]


def test_the_viewer_shows_what_is_given_of_an_empty_shot(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.image")
    press(qtbot, window, "button.shot.new")
    feed, cards = window.studio.feed, window.canvas._cards
    assert cards is not None
    qtbot.waitUntil(lambda: feed.picture.shows == "source", timeout=15000)
    assert cards.sentence(feed.picture) == (
        "image-play",
        "Nothing generated yet",
        "Drop a picture on “First frame” and press Stills.",
    )
    grey = feed.picture.image
    page = window.generate.page("frames")
    assert isinstance(page, FramesSection)
    drop(page.first, [media_root / "style" / "hokusai_great_wave.jpg"])
    qtbot.waitUntil(lambda: cards.dressed(feed.picture).image is not grey, timeout=15000)
    assert cards.given(feed.picture) == "First frame"
    assert cards.sentence(feed.picture) is None
    assert cards.dressed(feed.picture).image.std() > 20  # type: ignore[union-attr]


def test_a_camera_move_is_one_step_and_is_played(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.text")
    section = window.generate.page("camera")
    assert isinstance(section, CameraSection)
    window.generate.sections["camera"].set_open(True)
    assert set(section.sliders) == {axis for axis, _, _ in AXES}
    slider = section.sliders["zoom"].slider
    steps = window.studio.store.undo_stack.count()
    slider.setSliderDown(True)
    slider.setValue(slider.maximum())
    assert section.picture.playing
    assert look_of(window).camera == Camera()
    slider.setSliderDown(False)
    assert look_of(window).camera == Camera(zoom=10)
    assert window.studio.store.undo_stack.count() == steps + 1
    assert window.generate.sections["camera"].heading.text().endswith("set")
    at_rest(qtbot, window, section.static.objectName())
    QTest.mouseClick(section.static, LEFT, NONE, QPoint(8, section.static.height() // 2))
    assert look_of(window).camera == Camera(static=True)
    assert not slider.isEnabled()
    press(qtbot, window, "camera.reset")
    assert look_of(window).camera == Camera()


def test_structure_says_what_reads_it_and_takes_a_depth_pass(
    desk: Desk, qtbot: QtBot, media_root: Path, tmp_path: Path
) -> None:
    window, _ = desk
    with_clip(window.studio, media_root, qtbot)
    press(qtbot, window, "generate.mode.render")
    window.studio.generation.change("Choose model", generator="model")
    section = window.generate.page("structure")
    assert isinstance(section, StructureSection)
    assert section.words.text() == "Read with: lines."
    section.source.setFocus()
    for _ in range(2):
        QTest.keyClick(section.source, Qt.Key.Key_Down)
    assert look_of(window).structure_source is StructureSource.DEPTH
    assert section.words.text() == "Read with: a weak cue."
    first = tmp_path / "depth_0001.exr"
    first.write_bytes(b"")
    assert drop(section, [first])
    found = look_of(window).depth_pass
    assert found is not None
    assert (found.path, found.near_is_white, found.near) == (first.as_posix(), True, None)
    at_rest(qtbot, window, section.white.objectName())
    QTest.mouseClick(section.white, LEFT, NONE, QPoint(8, section.white.height() // 2))
    section.near.setValue(2.5)
    changed = look_of(window).depth_pass
    assert changed is not None
    assert (changed.near_is_white, changed.near) == (False, 2.5)
    press(qtbot, window, "depth.remove")
    assert look_of(window).depth_pass is None


def test_sampling_leaves_zero_to_the_model(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.text")
    window.generate.sections["sampling"].set_open(True)
    field = part(window, QAbstractSpinBox, "control.guidance.field")
    assert field.text() == "model: 3"
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, "4")
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert look_of(window).controls.guidance == 4
    press(qtbot, window, "control.guidance.reset")
    assert look_of(window).controls.guidance == 0
    negative = part(window, QLineEdit, "negativePrompt")
    negative.setFocus()
    QTest.keyClicks(negative, "fog")
    QTest.keyClick(negative, Qt.Key.Key_Return)
    assert look_of(window).negative_prompt == "fog"


def test_panels_are_added_reordered_written_and_removed(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.storyboard")
    board, boards = window.storyboard, window.studio.storyboards
    assert board.empty.isVisible()
    press(qtbot, window, "board.first")
    pictures = [media_root / "style" / name for name in ("hokusai_great_wave.jpg", "munch_the_scream.jpg")]
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in pictures])
    board.model.dropMimeData(data, Qt.DropAction.CopyAction, 1, 0, QModelIndex())
    assert len(board.model.panels) == 3
    assert [bool(panel.picture) for panel in board.model.panels] == [False, True, True]
    board.choose(board.model.panels[2].id)
    assert board.details.heading.text() == "Panel 3"
    board.details.prompt.setFocus()
    QTest.keyClicks(board.details.prompt, "a scream")
    QTest.keyClick(board.details.prompt, Qt.Key.Key_Return)
    assert board.model.panels[2].prompt == "a scream"
    # The last card is dragged to the front.
    moved = board.model.panels[2].id
    drag = QMimeData()
    drag.setData(PANEL_MIME, json.dumps([moved]).encode())
    board.model.dropMimeData(drag, Qt.DropAction.MoveAction, 0, 0, QModelIndex())
    assert board.model.panels[0].id == moved
    assert board.chosen == moved
    window.studio.store.undo_stack.undo()
    assert board.model.panels[2].id == moved
    board.choose(moved)
    window.generate.prompt.text_committed.emit("gold")
    open_all(window)
    at_rest(qtbot, window, board.details.own.objectName())
    QTest.mouseClick(board.details.own, LEFT, NONE, QPoint(8, board.details.own.height() // 2))
    own = board.model.panels[2].look
    assert own is not None
    assert own.prompt == "gold"
    board.details.camera.sliders["pan"].value_committed.emit(3.0)
    assert board.model.panels[2].camera == Camera(pan=3.0)
    QTest.keyClick(board.view, Qt.Key.Key_Delete)
    assert len(board.model.panels) == 2
    assert boards.current is not None
    assert "4 s" in board.facts.toolTip()


def test_keys_reach_the_modes_and_the_board(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    for number, mode in enumerate(Mode, 1):
        if mode is Mode.CUSTOMIZE:
            continue
        QTest.keyClick(window, getattr(Qt.Key, f"Key_{number}"), Qt.KeyboardModifier.AltModifier)
        assert look_of(window).mode is mode


def test_the_motion_brush_is_off_where_there_is_no_shot(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    told: list[str] = []
    window.studio.session.message.connect(lambda _severity, sentence: told.append(sentence))
    window.binder.action("motion.paint").trigger()
    assert not window.motion.active
    assert not window.binder.action("motion.paint").isChecked()
    assert "first frame" in told[0]


def test_keys_that_share_a_frame_are_refused(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    press(qtbot, window, "generate.mode.image")
    press(qtbot, window, "button.shot.new")
    digest = window.studio.generation.set_swatch(media_root / "style" / "hokusai_great_wave.jpg")
    keys = tuple(PaintedKey(frame=frame, digest=digest, name=str(frame)) for frame in (3, 6))
    window.studio.generation.change("Keys", keys=keys)
    window.generate.page("frames")
    field = part(window, QAbstractSpinBox, "frames.key.1.frame")
    field.setValue(3)  # type: ignore[attr-defined]
    assert [key.frame for key in look_of(window).keys] == [3, 6]
    assert replace(look_of(window), keys=()) != look_of(window)


def key_frames(stills_only: bool) -> GeneratorRegistry:
    """What paints by itself, and a model that can draw key frames."""
    controls = frozenset({"prompt", "key_spacing", "seed"})
    served = ModeAbility(mode="stylize", controls=controls, stills_only=stills_only, carriers=("fake", "drawer"))
    drawing = Abilities(id="drawer", title="Drawer", revision="1", modes=(served,), steps=(8, 4, 30))
    return GeneratorRegistry(
        [GeneratorEntry(FakeGenerator().abilities, FakeGenerator), GeneratorEntry(drawing, FakeGenerator)]
    )


def test_key_frames_by_the_model(qtbot: QtBot, media_root: Path) -> None:
    with open_desk(qtbot, media_root, key_frames(stills_only=False)) as (window, host):
        section = window.generate.sections["keyframes"]
        assert section.isVisibleTo(window.generate) and section.content is None
        section.set_open(True)
        page = section.content
        assert isinstance(page, KeyFramesSection)
        assert look_of(window).key_spacing == 0 and not page.spacing.isVisibleTo(page)
        # Automatic generator: key frames bring the model that draws them.
        page.ways.findChild(QPushButton, "keyFrames.auto").click()
        assert look_of(window).key_spacing == -1
        assert window.studio.generation.abilities().id == "drawer"
        assert "about 4 of 32 frames" in page.words.text() and "automatic" in section.heading.text()
        page.ways.findChild(QPushButton, "keyFrames.every").click()
        assert page.spacing.isVisibleTo(page) and look_of(window).key_spacing == page.spacing.value()
        page.spacing.setValue(8)
        assert look_of(window).key_spacing == 8 and "every 8" in section.heading.text()
        assert [page.carrier.itemData(i) for i in range(page.carrier.count())] == ["", "fake", "drawer"]
        assert page.carrier.isVisibleTo(page) and "along the motion" in page.words.text()
        choose(page.carrier, 2)
        assert look_of(window).key_carrier == "drawer" and "along the motion" not in page.words.text()
        click(window, "generate.runButton")
        request = host.jobs()[-1].job.request
        assert (request.key_spacing, request.key_carrier) == (8, "drawer")
        window.studio.store.undo_stack.undo()
        page.ways.findChild(QPushButton, "keyFrames.all").click()
        assert look_of(window).key_spacing == 0


def test_what_draws_single_frames_always_has_key_frames(qtbot: QtBot, media_root: Path) -> None:
    with open_desk(qtbot, media_root, key_frames(stills_only=True)) as (window, _):
        window.studio.generation.change("Generator", generator="drawer")
        section = window.generate.sections["keyframes"]
        section.set_open(True)
        page = section.content
        assert isinstance(page, KeyFramesSection)
        ways = {name: page.ways.findChild(QPushButton, f"keyFrames.{name}") for name in ("all", "auto")}
        assert not ways["all"].isVisibleTo(page) and ways["auto"].isChecked()
        assert "single frames only" in page.words.text()


def test_a_model_of_pictures_makes_stills_and_one_begins_the_shot(qtbot: QtBot) -> None:
    served = tuple(
        ModeAbility(mode=mode, controls=frozenset({"prompt", "seed"}), stills_only=True)
        for mode in ("text", "storyboard")
    )
    painter = Abilities(id="painter", title="Painter", revision="1", modes=served, steps=(8, 4, 30))
    installed = GeneratorRegistry([GeneratorEntry(each, FakeGenerator) for each in (painter, MODEL)])
    with open_desk(qtbot, None, installed) as (window, host):
        generation, footer = window.studio.generation, window.generate.footer
        window.studio.preferences.set("live_preview", False)
        generation.set_mode(Mode.TEXT_TO_VIDEO)
        # The first in the list, and yet a shot goes to what makes clips.
        assert generation.abilities().id == "model" and footer.only_stills.isHidden()
        generation.change("Words", prompt="a red dog", generator="painter")
        assert not footer.only_stills.isHidden() and not footer.run_button.isEnabled()
        click(window, "generate.stillsButton")
        qtbot.waitUntil(lambda: bool(host.jobs()))
        request = host.jobs()[-1].job.request
        assert request.generator == "painter" and request.key_spacing == 0 and len(request.frames) == 4
        host.fake.run_all()
        assert footer.stills.begin.isHidden()
        QTest.mouseClick(footer.stills.buttons[1], LEFT)
        assert not footer.stills.begin.isHidden() and "still 2" in footer.stills.begin.text()
        click(window, "stills.begin")
        qtbot.waitUntil(lambda: look_of(window).mode is Mode.TEXT_IMAGE_TO_VIDEO)
        look = look_of(window)
        assert [key.frame for key in look.keys] == [0] and look.generator == "" and look.prompt == "a red dog"
        assert generation.abilities().id == "model" and footer.run_button.isEnabled()
        assert generation.find_blob(look.keys[0].digest) is not None and footer.only_stills.isHidden()
        # A storyboard has its stills of it, and is told who makes no shots.
        window.studio.storyboards.add_panel()
        window.studio.storyboards.set_look(replace(look, mode=Mode.STORYBOARD, keys=(), generator="painter"))
        before = len(host.jobs())
        assert window.studio.storyboards.generate() == () and len(host.jobs()) == before
