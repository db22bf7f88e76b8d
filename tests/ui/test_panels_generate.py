"""The generate panel in the real window: every control by mouse and keyboard, over an engine that waits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDoubleSpinBox, QPlainTextEdit, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Compare
from gen2studio.document.look import Look, Mode, Region
from gen2studio.engine.catalog import PromptWord
from gen2studio.ui.panels.prompt_field import PromptField
from tests.ui.desk import LEFT, NONE, Desk, choose, click, drop, open_desk, part


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    """A window with one clip on the timeline."""
    with open_desk(qtbot, media_root) as opened:
        yield opened


def test_modes_that_nobody_serves_say_what_they_need(desk: Desk) -> None:
    window, _ = desk
    served: list[str] = []
    for mode in Mode:
        click(window, f"generate.mode.{mode.value}")
        assert window.studio.generation.look.mode is mode
        run = part(window, QPushButton, "generate.runButton")
        tile = part(window, QToolButton, f"generate.mode.{mode.value}")
        assert tile.isChecked()
        if window.generate.body.isVisible():
            served.append(mode.value)
            assert run.isEnabled()
            assert "needs" not in tile.toolTip()
            assert not window.generate.unserved.isVisible()
        else:
            assert "needs" in window.generate.unserved.hint.text()
            assert "needs" in tile.toolTip()
            assert not run.isEnabled()
            assert not part(window, QPushButton, "generate.stillsButton").isEnabled()
    assert served == ["stylize", "mask", "render"]


def test_only_controls_that_the_generator_honours_are_shown(desk: Desk) -> None:
    window, _ = desk
    shown = {name for name, slider in window.generate.sliders.items() if slider.isVisibleTo(window.generate)}
    assert shown == {"structure", "style_weight"}
    click(window, "region.foreground")
    shown = {name for name, slider in window.generate.sliders.items() if slider.isVisibleTo(window.generate)}
    assert shown == {"structure", "style_weight", "grow", "feather"}
    assert window.studio.generation.look.region is Region.FOREGROUND
    # Their numbers can be read.
    for slider in window.generate.sliders.values():
        if slider.isVisibleTo(window.generate):
            edit = slider.field.lineEdit()
            room = edit.width() - 10
            assert edit.fontMetrics().horizontalAdvance(slider.field.text()) <= room, slider.objectName()


def test_a_second_click_takes_a_look_off(desk: Desk) -> None:
    window, _ = desk
    click(window, "preset.wet")
    assert window.studio.generation.look.preset == "wet"
    click(window, "preset.oil")
    assert not part(window, QToolButton, "preset.wet").isChecked()
    click(window, "preset.oil")
    assert window.studio.generation.look.preset == ""


def test_the_seed_is_kept_or_drawn_anew_and_the_frame_in_the_viewer_becomes_a_style(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    generation = window.studio.generation
    assert window.generate.lock.isChecked()
    QTest.mouseClick(window.generate.lock, LEFT, NONE, QPoint(8, window.generate.lock.height() // 2))
    assert not generation.look.seed_locked
    click(window, "button.generate.new_seed")
    assert generation.look.seed == window.generate.seed.value() != 1
    qtbot.waitUntil(lambda: window.studio.feed.picture.shows == "source", timeout=15000)
    click(window, "button.generate.style_from_frame")
    assert [style.name for style in generation.look.styles] == ["frame 0"]


def test_images_are_dropped_weighed_and_removed(desk: Desk, media_root: Path, tmp_path: Path) -> None:
    window, _ = desk

    def look() -> Look:
        return window.studio.generation.look

    images = [media_root / "style" / name for name in ("hokusai_great_wave.jpg", "munch_the_scream.jpg")]
    assert drop(window.generate.styles, images)
    assert [style.name for style in look().styles] == ["hokusai_great_wave", "munch_the_scream"]
    text = tmp_path / "words.txt"
    text.write_text("x")
    drop(window.generate.styles, [text])
    assert len(look().styles) == 2
    weight = part(window, QDoubleSpinBox, "styles.1.weight")
    weight.setFocus()
    weight.selectAll()
    QTest.keyClicks(weight, "0.4")
    QTest.keyClick(weight, Qt.Key.Key_Return)
    assert [style.weight for style in look().styles] == [1.0, 0.4]
    click(window, "styles.0.remove")
    assert [style.name for style in look().styles] == ["munch_the_scream"]


def test_a_painting_becomes_the_key_of_the_frame_under_the_playhead(desk: Desk, media_root: Path) -> None:
    window, _ = desk
    window.studio.session.set_playhead(11)
    assert drop(window.generate.keys, [media_root / "style" / "hokusai_great_wave.jpg"])
    clip = window.studio.generation.target
    assert clip is not None
    assert clip.look is not None
    assert [key.frame for key in clip.look.keys] == [11]
    click(window, "keys.0.remove")
    assert window.studio.generation.look.keys == ()


def test_a_slider_gesture_is_one_step_and_reset_goes_back(desk: Desk) -> None:
    window, _ = desk
    generation, stack = window.studio.generation, window.studio.store.undo_stack
    slider = window.generate.sliders["structure"]
    steps = stack.count()
    slider.slider.setSliderDown(True)
    for position in range(20, 61, 4):
        slider.slider.setValue(position)
    assert generation.look.controls.structure == 2.0
    assert slider.field.value() == 6.0
    slider.slider.setSliderDown(False)
    assert generation.look.controls.structure == 6.0
    assert stack.count() == steps + 1
    QTest.mouseClick(slider.reset_button, LEFT)
    assert generation.look.controls.structure == 2.0
    assert not slider.reset_button.isEnabled()
    stack.undo()
    assert slider.value == 2.0


def test_arrow_keys_move_a_focused_slider_and_not_the_playhead(desk: Desk) -> None:
    window, _ = desk
    window.studio.session.set_playhead(4)
    slider = window.generate.sliders["structure"]
    slider.slider.setFocus()
    QTest.keyClick(slider.slider, Qt.Key.Key_Right)
    assert window.studio.generation.look.controls.structure == pytest.approx(2.1)
    assert window.studio.session.playhead == 4
    window.canvas.setFocus()
    QTest.keyClick(window.canvas, Qt.Key.Key_Right)
    assert window.studio.session.playhead == 5


def test_the_wheel_scrolls_the_panel_and_changes_nothing(desk: Desk) -> None:
    window, _ = desk
    before = window.studio.generation.look
    window.canvas.setFocus()
    place = QPointF(5, 5)
    for name in ("control.structure.slider", "control.structure.field", "seed", "generate.generator"):
        widget = part(window, QWidget, name)
        event = QWheelEvent(
            place, widget.mapToGlobal(place), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, NONE,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)
        assert window.studio.generation.look == before, name
        assert not widget.hasFocus()
        assert not widget.focusPolicy() & Qt.FocusPolicy.WheelFocus & ~Qt.FocusPolicy.StrongFocus


def test_unknown_words_are_named_and_typing_commits_once(desk: Desk, qtbot: QtBot) -> None:
    window, _ = desk
    stack = window.studio.store.undo_stack
    # The fake generator has no words: the section is hidden, the field works all the same.
    field = part(window, QPlainTextEdit, "prompt")
    steps = stack.count()
    field.setFocus()
    QTest.keyClicks(field, "gold  fish")
    assert stack.count() == steps
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert window.studio.generation.look.prompt == "gold fish"
    assert stack.count() == steps + 1
    assert "“fish”" in window.generate.prompt.note.text()
    assert "gold" not in window.generate.prompt.note.text()
    # A pause in typing commits as well.
    QTest.keyClicks(field, " gone")
    qtbot.waitUntil(lambda: window.studio.generation.look.prompt == "gold fish gone", timeout=3000)
    window.studio.store.undo_stack.undo()
    assert field.toPlainText() == "gold fish"


def test_an_empty_prompt_suggests_what_the_generator_understands(qtbot: QtBot) -> None:
    field = PromptField(lambda text: tuple(PromptWord(word, word in ("gold", "fox")) for word in text.split()))
    qtbot.addWidget(field)
    field.show_hints(("gold fish", "gold fox", "fox"))
    assert field.field.placeholderText() == "for example: gold fox"
    field.show_hints(("red fish", "blue fish"))
    assert field.field.placeholderText() == "for example: blue fish"
    field.show_hints(())
    assert field.field.placeholderText() == ""


def test_words_meant_for_one_clip_do_not_land_on_another(desk: Desk, qtbot: QtBot, media_root: Path) -> None:
    window, _ = desk
    studio = window.studio
    first = studio.generation.target
    assert first is not None
    with qtbot.waitSignal(studio.importer.finished, timeout=15000):
        studio.importer.import_and_place([media_root / "clips" / "numbered_frames_30fps_2.5s.mkv"])
    field = part(window, QPlainTextEdit, "prompt")
    field.setFocus()
    QTest.keyClicks(field, "snow")
    studio.session.set_playhead(first.end + 2)
    qtbot.wait(900)
    assert studio.generation.target is not None
    assert studio.generation.target.id != first.id
    assert studio.generation.look.prompt == ""
    assert field.toPlainText() == ""


def test_pattern_editor(desk: Desk, media_root: Path) -> None:
    window, _ = desk
    editor, look = window.generate.pattern, window.studio.generation
    assert not editor.base.isEnabled()
    choose(editor.kind, 2)
    assert look.look.pattern is not None
    assert look.look.pattern.kind == "spots"
    base, ink = look.look.pattern.base, look.look.pattern.ink
    QTest.mouseClick(editor.swap, LEFT)
    assert (look.look.pattern.base, look.look.pattern.ink) == (ink, base)
    editor.base.colour_chosen.emit((1, 2, 3))
    assert look.look.pattern.base == (1, 2, 3)
    digest = look.set_swatch(media_root / "style" / "black_zigzag_texture.jpg")
    assert digest
    assert look.find_blob(digest) is not None
    choose(editor.kind, 0)
    assert look.look.pattern is None


def test_stills_run_cancel_and_the_buttons_that_go_with_them(desk: Desk, qtbot: QtBot) -> None:
    window, host = desk
    panel = window.generate
    # On a slow machine a live preview would be made with the stills, and the source not be seen again.
    window.studio.preferences.set("live_preview", False)
    click(window, "preset.wet")
    click(window, "generate.stillsButton")
    assert [button.isVisible() for button in panel.footer.stills.buttons] == [True] * 4
    assert not panel.footer.stills.buttons[0].isEnabled()
    host.fake.run_all()
    assert panel.footer.stills.buttons[3].isEnabled()
    qtbot.waitUntil(lambda: window.studio.feed.picture.shows == "source", timeout=15000)
    QTest.mouseClick(panel.footer.stills.buttons[3], LEFT)
    qtbot.waitUntil(lambda: window.studio.feed.picture.shows == "preview", timeout=15000)
    assert window.studio.session.playhead == window.studio.generation.stills[3].frame

    click(window, "generate.runButton")
    assert panel.footer.cancel_button.isVisible()
    assert not panel.footer.run_button.isVisible()
    host.fake.begin()
    host.fake.advance(8)
    assert "8 of 32" in panel.footer.progress.text()
    click(window, "generate.cancelButton")
    assert panel.footer.run_button.isVisible()
    assert not panel.footer.progress.isVisible()
    clip = window.studio.generation.target
    assert clip is not None
    assert len(clip.takes) == 1
    assert window.takes.chosen == clip.takes[0]


def test_escape_ends_one_thing_at_a_time(desk: Desk) -> None:
    window, _ = desk
    studio = window.studio
    studio.generation.run()
    studio.session.set_compare(Compare.WIPE)
    studio.player.toggle()
    assert studio.session.shuttle != 0
    window.canvas.setFocus()
    QTest.keyClick(window.canvas, Qt.Key.Key_Escape)
    assert studio.session.shuttle == 0
    assert studio.generation.run_state.active
    QTest.keyClick(window.canvas, Qt.Key.Key_Escape)
    assert not studio.generation.run_state.active
    assert studio.session.compare is Compare.WIPE
    QTest.keyClick(window.canvas, Qt.Key.Key_Escape)
    assert studio.session.compare is Compare.OFF
    # The panel's own button only ever means the job.
    studio.generation.run()
    studio.player.toggle()
    click(window, "generate.cancelButton")
    assert not studio.generation.run_state.active
    assert studio.session.shuttle != 0
    studio.player.stop()
