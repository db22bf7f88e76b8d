"""Every mode through the real window: real events, real pipelines on the built-in models, small shots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QDoubleSpinBox, QSpinBox
from pytestqt.qtbot import QtBot

from gen2studio.app.drawing_tools import Tool
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.document.look import Camera, Mode
from gen2studio.document.model import Clip, Take
from gen2studio.engine.take_store import read_png
from gen2studio.media import codecs
from gen2studio.media.decoder import open_decoder
from gen2studio.media.encoder import Encoder
from gen2studio.media.encoder_presets import ExportPreset
from gen2studio.ui.main_window import MainWindow
from gen2studio.ui.panels.frames_section import FramesSection
from gen2studio.ui.panels.structure_section import StructureSection
from tests.ui.desk import LEFT, NONE, at_rest, click, drop, part

FRAMES = 5
SIDE = 128
STEPS = 4
WAIT = 600_000
_CLIP = ExportPreset(
    id="clip", title="Clip", container="mp4", suffix=".mp4", codec="libx264", tag="avc1", pixel_format="yuv420p",
    options=frozen_map({"preset": "ultrafast", "crf": "10", "g": "9"}),
)  # fmt: skip


@dataclass
class Artist:
    """Hands on the real window, and eyes on what comes of it."""

    window: MainWindow
    qtbot: QtBot

    def press(self, name: str) -> None:
        """Click a button once it lies where it belongs."""
        at_rest(self.qtbot, self.window, name)
        click(self.window, name)

    def until(self, there: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(there()), timeout=WAIT)

    def mode(self, mode: Mode) -> None:
        self.press(f"generate.mode.{mode.value}")
        assert self.window.studio.generation.look.mode is mode

    def generator(self, title: str) -> None:
        box = part(self.window, QComboBox, "generate.generator")
        row = next(i for i in range(box.count()) if title in box.itemText(i) and box.itemData(i))
        box.setFocus()
        QTest.keyClick(box, Qt.Key.Key_Home)
        for _ in range(row):
            QTest.keyClick(box, Qt.Key.Key_Down)
        assert box.currentIndex() == row

    def words(self, text: str) -> None:
        field = self.window.generate.prompt.field
        assert field.isVisible()
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert self.window.studio.generation.look.prompt == text

    def number(self, name: str, text: str) -> None:
        """Type into a number field."""
        field = self.window.findChild(QDoubleSpinBox, name) or self.window.findChild(QSpinBox, name)
        assert field is not None, name
        field.setFocus()
        field.selectAll()
        QTest.keyClicks(field, text)
        QTest.keyClick(field, Qt.Key.Key_Return)

    def few_steps(self) -> None:
        panel = self.window.generate
        if not panel.sections["sampling"].is_open:
            self.press("section.sampling.heading")
        self.number("control.steps.field", str(STEPS))
        assert self.window.studio.generation.look.controls.steps == STEPS

    def shot(self) -> Clip:
        """A new, small, square shot."""
        self.press("button.shot.new")
        self.press("shot.aspect.1x1")
        self.number("shot.rate", "8")
        self.number("shot.seconds", "0.63")
        clip = self.window.studio.generation.target
        assert clip is not None
        shot = self.window.studio.store.document.media[clip.media_id].shot
        assert shot is not None
        assert (shot.width, shot.height, shot.frames) == (SIDE, SIDE, FRAMES)
        return clip

    def stills(self) -> list[NDArray[np.uint8]]:
        generation = self.window.studio.generation
        self.press("generate.stillsButton")
        self.until(
            lambda: (
                len(generation.stills) == 4 and all(s.picture is not None and not s.rough for s in generation.stills)
            )
        )
        return [still.picture for still in generation.stills if still.picture is not None]

    def take(self) -> tuple[Take, list[NDArray[np.uint8]]]:
        """Run the target clip; its newest take and the take's frames."""
        studio = self.window.studio
        clip = studio.generation.target
        assert clip is not None
        before = set(clip.takes)
        self.press("generate.runButton")

        def made() -> Take | None:
            now = studio.session.find_clip(clip.id)
            fresh = [t for t in (now.takes if now else ()) if t not in before]
            take = studio.store.document.takes.get(fresh[-1]) if fresh else None
            return take if take is not None and take.complete and not studio.generation.run_state.active else None

        self.until(made)
        take = made()
        assert take is not None
        return take, self.frames(take)

    def frames(self, take: Take) -> list[NDArray[np.uint8]]:
        folder = self.window.studio.take_folder(take.id)
        return [read_png(folder / f"frame_{frame:06d}.png") for frame in range(take.start, take.stop)]


@pytest.fixture
def artist(window: MainWindow, qtbot: QtBot) -> Artist:
    window.studio.preferences.set("live_preview", False)
    window.late.finish()
    return Artist(window, qtbot)


def small_clip(source: Path, target: Path) -> NDArray[np.uint8]:
    """The first frames of a clip at the models' own size; returns them as the small file decodes."""
    codecs.load()
    decoder = open_decoder(source)
    try:
        pictures = [cv2.resize(decoder.rgb(i), (SIDE, SIDE), interpolation=cv2.INTER_AREA) for i in range(FRAMES)]
    finally:
        decoder.close()
    with Encoder(target, _CLIP, Extent(SIDE, SIDE), Fraction(8), threads=1) as encoder:
        for picture in pictures:
            encoder.write(np.ascontiguousarray(picture))
    decoder = open_decoder(target)
    try:
        return np.stack([decoder.rgb(i) for i in range(FRAMES)])
    finally:
        decoder.close()


def differs(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> float:
    """Mean absolute difference in levels."""
    return float(np.abs(first.astype(int) - second).mean())


def moved(frames: list[NDArray[np.uint8]]) -> float:
    return differs(frames[0], frames[-1])


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_shots_from_words_and_pictures_and_a_storyboard(artist: Artist, media_root: Path) -> None:
    window, studio = artist.window, artist.window.studio

    # Text: a sentence, a shot, four stills, a take that the viewer shows by itself.
    artist.mode(Mode.TEXT_TO_VIDEO)
    assert window.generate.heading.full_text == "Makes a new shot"
    shot = artist.shot()
    artist.words("a red automobile in the forest at night")
    assert "automobile → car" in window.generate.prompt.synonyms.text()
    assert not window.generate.prompt.note.isVisible()
    artist.few_steps()
    steps: list[tuple[int, int]] = []
    studio.generation.step_shown.connect(lambda *event: steps.append((event[3], event[4])))
    artist.stills()
    _, frames = artist.take()
    assert len(frames) == FRAMES
    assert frames[0].shape == (SIDE, SIDE, 3)
    assert frames[0].std() > 2
    assert {total for _, total in steps} == {STEPS}
    artist.until(lambda: studio.feed.picture.shows == "take")

    # Text + image: the first frame is the picture.
    artist.mode(Mode.TEXT_IMAGE_TO_VIDEO)
    page = window.generate.page("frames")
    assert isinstance(page, FramesSection)
    picture = media_root / "style" / "hokusai_great_wave.jpg"
    artist.shot()
    assert drop(page.first, [picture])
    assert [key.frame for key in studio.generation.look.keys] == [0]
    artist.words("waves on the sea at night")
    assert len(artist.stills()) == 4
    _, frames = artist.take()
    given = cv2.cvtColor(cv2.imread(str(picture)), cv2.COLOR_BGR2RGB)
    side = min(given.shape[:2])
    top, left = (given.shape[0] - side) // 2, (given.shape[1] - side) // 2
    square = cv2.resize(given[top : top + side, left : left + side], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    assert differs(frames[0], square) < differs(frames[0], square[::-1])

    # Image: no words; a region of the motion brush, painted on the first frame, and a camera move.
    artist.mode(Mode.IMAGE_TO_VIDEO)
    assert not window.generate.prompt.isVisible()
    artist.press("section.motion.heading")
    artist.press("button.motion.paint")
    assert window.motion.active
    canvas = window.canvas
    ends = [canvas.transform.to_view(x, y).toPoint() for x, y in ((30, 60), (70, 60))]
    QTest.mousePress(canvas, LEFT, NONE, ends[0])
    QTest.mouseMove(canvas, ends[1])
    QTest.mouseRelease(canvas, LEFT, NONE, ends[1])
    assert len(studio.generation.look.motion_regions) == 1
    assert not studio.store.document.masks
    artist.number("motion.vertical.field", "6")
    region = studio.generation.look.motion_regions[0]
    assert (region.horizontal, region.vertical) == (3.0, 6.0)
    studio.store.undo_stack.undo()
    assert studio.generation.look.motion_regions[0].vertical == 0.0
    artist.press("button.motion.paint")
    artist.press("section.camera.heading")
    artist.number("camera.zoom.field", "5")
    assert studio.generation.look.camera == Camera(zoom=5)
    stills = artist.stills()
    assert len(stills) == 4
    take, frames = artist.take()
    assert take.look.mode is Mode.IMAGE_TO_VIDEO
    assert moved(frames) > 0.5

    # Storyboard: two panels, one drawn and one dropped; stills on the cards, then both shots in one look.
    studio.session.set_selection(frozenset())
    studio.session.set_playhead(studio.session.sequence.duration + 5 if studio.session.sequence else 0)
    artist.mode(Mode.STORYBOARD)
    assert window.generate.heading.full_text == "The look of the whole storyboard"
    board = window.storyboard
    assert board.isVisible()
    artist.press("board.first")
    assert board.chosen
    window.binder.action("board.draw").trigger()
    editor = board.editor
    assert editor.isVisible() and editor.panel_id == board.chosen
    artist.until(lambda: editor.drawing.shown is not None)
    editor.choose_tool(Tool.BOX)
    middle = editor.canvas.rect().center()
    QTest.mousePress(editor.canvas, LEFT, NONE, middle)
    QTest.mouseMove(editor.canvas, middle + QPoint(100, 80))
    QTest.mouseRelease(editor.canvas, LEFT, NONE, middle + QPoint(100, 80))
    artist.until(lambda: bool(board.model.panels[0].picture) and not editor.drawing.busy)
    assert [layer.name for layer in board.model.panels[0].layers] == ["Drawing"]
    editor.close()
    studio.storyboards.set_shot(Fraction(1), Fraction(8))
    artist.number("board.panel.seconds", "0.63")
    QTest.keyClicks(board.details.prompt, "a house on a hill")
    QTest.keyClick(board.details.prompt, Qt.Key.Key_Return)
    window.binder.action("board.duplicate").trigger()
    assert len(board.model.panels) == 2
    assert board.model.panels[1].prompt == "a house on a hill"
    studio.storyboards.set_picture(board.model.panels[1].id, picture)
    artist.words("night")
    artist.press("board.stillsButton")
    artist.until(lambda: all(not board.model.pictures(panel)[1].isNull() for panel in board.model.panels))
    artist.press("board.generateButton")

    def shots() -> list[Clip | None]:
        return [studio.storyboards.clip_of(panel.id) for panel in board.model.panels]

    def done() -> bool:
        takes = [studio.store.document.takes.get(clip.active_take) for clip in shots() if clip is not None]
        return len(takes) == 2 and all(take is not None and take.complete for take in takes)

    artist.until(done)
    first, second = shots()
    assert first is not None and second is not None
    assert second.start == first.end
    assert {clip.look.prompt for clip in (first, second) if clip.look} == {"a house on a hill, night"}
    assert shot.id not in (first.id, second.id)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_footage_restyled_masked_and_rendered(artist: Artist, media_root: Path, tmp_path: Path) -> None:
    window, studio, session = artist.window, artist.window.studio, artist.window.studio.session
    film = tmp_path / "dog.mp4"
    truth = small_clip(media_root / "clips" / "golden_retriever_512_3.2s.mp4", film)
    assert drop(window.pool, [film])
    artist.until(lambda: studio.feed.picture.shows == "source")

    # Stylization: the weight-free generator is chosen for a preset, the model for words that only it knows.
    artist.mode(Mode.STYLIZE)
    artist.press("preset.watercolour")
    assert studio.generation.abilities().id == "example"  # type: ignore[union-attr]
    assert "full size" in window.generate.generator.why.text()
    artist.press("preset.watercolour")
    artist.generator("Built-in mini")
    assert not window.generate.sections["preset"].isVisible()
    assert "Looks" in window.generate.not_honoured.heading.toolTip()
    artist.words("snow at night")
    artist.few_steps()
    assert len(artist.stills()) == 4
    take, frames = artist.take()
    assert take.look.generator == "mini"
    assert differs(frames[3], truth[3]) > 2

    # Mask: outside what was painted every pixel stays the footage's own.
    artist.mode(Mode.MASK)
    session.set_playhead(0)
    session.set_tool("brush")
    canvas = window.canvas
    ends = [canvas.transform.to_view(x, y).toPoint() for x, y in ((40, 40), (80, 60))]
    QTest.mousePress(canvas, LEFT, NONE, ends[0])
    QTest.mouseMove(canvas, ends[1])
    QTest.mouseRelease(canvas, LEFT, NONE, ends[1])
    media_id = studio.feed.picture.media_id
    window.binder.action("mask.propagate_forward").trigger()
    artist.until(lambda: len(studio.store.document.masks_of(media_id)[0].frames) == FRAMES)
    artist.press("fill.free")
    artist.words("a white dog")
    assert len(artist.stills()) == 4
    take, frames = artist.take()
    matte = studio.store.tiles.unpack(studio.store.document.masks_of(media_id)[0].frames[3].raster)
    assert 0 < (matte > 0).mean() < 0.9
    assert np.array_equal(frames[3][matte == 0], truth[3][matte == 0])
    assert differs(frames[3][matte == 255], truth[3][matte == 255]) > 1

    # Render: the structure comes from a true depth pass, 16 bit, dropped on the panel.
    ramp = np.tile(np.linspace(0, 65535, SIDE).astype(np.uint16), (SIDE, 1))
    for frame in range(FRAMES):
        cv2.imwrite(str(tmp_path / f"depth_{frame:04d}.png"), np.roll(ramp, frame * 4, axis=1))
    artist.mode(Mode.RENDER)
    artist.press("region.all")
    page = window.generate.page("structure")
    assert isinstance(page, StructureSection)
    assert drop(page, [tmp_path / "depth_0000.png"])
    assert "depth pass" in page.words.text().lower()
    artist.words("a street in the rain")
    assert len(artist.stills()) == 4
    take, frames = artist.take()
    assert take.look.depth_pass is not None
    assert differs(frames[3], truth[3]) > 2

    # What a take may become: another seed of it, and footage of its own.
    count = len(studio.store.document.media)
    window.takes.choose(take.id)
    window.binder.action("take.footage").trigger()
    artist.until(lambda: len(studio.store.document.media) == count + 1)


def test_what_an_empty_prompt_suggests_is_understood(artist: Artist) -> None:
    generation = artist.window.studio.generation
    for mode in (Mode.TEXT_TO_VIDEO, Mode.STYLIZE, Mode.MASK, Mode.RENDER):
        artist.mode(mode)
        hint = artist.window.generate.prompt.field.placeholderText().removeprefix("for example: ")
        abilities = generation.abilities()
        assert hint and abilities is not None
        assert all(word.known for word in generation.catalog.words(hint, abilities.id)), (mode, abilities.id, hint)
