"""The inspector in the real window: numbers, keys, gestures as undo steps, several clips."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit
from pytestqt.qtbot import QtBot

from gen2studio.app.clip_inspecting import ClipInspecting
from gen2studio.app.curve_editing import CurveEditing
from gen2studio.document import edits, sequences
from gen2studio.document.composition import BlendMode
from gen2studio.document.model import Clip
from gen2studio.ui.panels.inspector_panel import InspectorPanel
from gen2studio.ui.widgets.key_button import KeyButton
from gen2studio.ui.widgets.number_field import NumberField
from gen2studio.ui.widgets.timecode_field import TimecodeField
from tests.ui.clip_bench import LEFT, ClipBench, click, part


class Inspector(ClipBench):
    """The inspector beside a timeline of one clip with sound."""

    def __init__(self, qtbot: QtBot) -> None:
        super().__init__(qtbot)
        self.inspecting = ClipInspecting(self.session, self.editing)
        self.panel = InspectorPanel(self.inspecting)
        self.show(self.panel, 380, 800)


@pytest.fixture
def window(qtbot: QtBot) -> Inspector:
    return Inspector(qtbot)


def clip_of(window: Inspector) -> Clip:
    return window.clip


def field(window: Inspector, name: str) -> NumberField:
    return part(window.panel, NumberField, f"inspector.{name}.field")


def settle(qtbot: QtBot, window: Inspector) -> None:
    with qtbot.waitSignal(window.inspecting.changed):
        window.inspecting._on_moved()


def drag(widget: NumberField, pixels: int, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    edit = widget.lineEdit()
    start = edit.rect().center()
    QTest.mousePress(edit, LEFT, modifiers, start)
    for step in range(1, 7):
        QTest.mouseMove(edit, start + QPoint(pixels * step // 6, 0))
    QTest.mouseRelease(edit, LEFT, modifiers, start + QPoint(pixels, 0))


def test_a_typed_number_changes_the_clip(window: Inspector, qtbot: QtBot) -> None:
    settle(qtbot, window)
    opacity = field(window, "opacity")
    assert opacity.text() == "100%"
    QTest.mouseClick(opacity.lineEdit(), LEFT)
    QTest.keyClicks(opacity, "40")
    QTest.keyClick(opacity, Qt.Key.Key_Return)
    assert clip_of(window).opacity.value == pytest.approx(0.4)
    assert not clip_of(window).opacity.keys


def test_dragging_across_a_number_is_one_step(window: Inspector, qtbot: QtBot) -> None:
    settle(qtbot, window)
    stack = window.store.undo_stack
    steps = stack.index()
    rotation = field(window, "transform.rotation")
    drag(rotation, 60)
    assert clip_of(window).transform.rotation.value == pytest.approx(20, abs=1.1)
    assert stack.index() == steps + 1
    drag(rotation, 30)
    assert stack.index() == steps + 2
    stack.undo()
    stack.undo()
    assert clip_of(window).transform.rotation.value == 0


def test_position_is_shown_in_pixels(window: Inspector, qtbot: QtBot) -> None:
    sequence = window.session.sequence
    assert sequence is not None
    window.inspecting.set_value("transform.x", 0.25)
    settle(qtbot, window)
    assert field(window, "transform.x").value() == pytest.approx(sequence.width / 4)


def test_keys_by_diamond_and_by_value(window: Inspector, qtbot: QtBot) -> None:
    session = window.session
    session.set_playhead(4)
    settle(qtbot, window)
    click(window.panel, "inspector.opacity.key")
    session.set_playhead(10)
    settle(qtbot, window)
    opacity = field(window, "opacity")
    QTest.mouseClick(opacity.lineEdit(), LEFT)
    QTest.keyClicks(opacity, "0")
    QTest.keyClick(opacity, Qt.Key.Key_Return)
    assert [(key.frame, key.value) for key in clip_of(window).opacity.keys] == [(4, 1.0), (10, 0.0)]
    session.set_playhead(7)
    settle(qtbot, window)
    assert opacity.value() == pytest.approx(50)
    click(window.panel, "inspector.opacity.previous")
    assert session.playhead == 4
    settle(qtbot, window)
    click(window.panel, "inspector.opacity.next")
    assert session.playhead == 10
    settle(qtbot, window)
    click(window.panel, "inspector.opacity.key")
    assert [key.frame for key in clip_of(window).opacity.keys] == [4]
    settle(qtbot, window)
    click(window.panel, "inspector.opacity.reset")
    assert clip_of(window).opacity.value == 1
    assert not clip_of(window).opacity.keys


def test_no_key_without_the_playhead_on_the_clip(window: Inspector, qtbot: QtBot) -> None:
    session = window.session
    session.set_selection(frozenset({clip_of(window).id}))
    session.set_playhead(clip_of(window).end + 5)
    settle(qtbot, window)
    assert not part(window.panel, KeyButton, "inspector.opacity.key").isEnabled()


def test_a_slider_that_the_model_keeps_has_no_keys(window: Inspector, qtbot: QtBot) -> None:
    follows: list[str] = ["strength"]
    inspecting = ClipInspecting(
        window.session, window.editing, follows=lambda _clip, slider: slider in follows and slider != "control_scale"
    )
    panel = InspectorPanel(inspecting)
    window.show(panel, 380, 800)
    window.session.set_playhead(6)
    panel.refresh()
    key = part(panel, KeyButton, "inspector.look.control_scale.key")
    assert not key.isEnabled() and "keeps one control scale" in key.toolTip()
    assert part(panel, KeyButton, "inspector.look.strength.key").isEnabled()
    assert part(panel, KeyButton, "inspector.opacity.key").isEnabled(), "what the clip itself holds is ours"
    curves = CurveEditing(inspecting)
    before = window.store.document
    assert not curves.add("look.control_scale", 6) and window.told[-1] == inspecting.why_no_keys("look.control_scale")
    assert window.store.document is before
    assert curves.add("look.strength", 6)
    # Keys that a model followed before can be taken off.
    follows.clear()
    panel.refresh()
    assert inspecting.states()["look.strength"].can_key and inspecting.toggle_key("look.strength")
    assert not inspecting.states()["look.strength"].can_key


def test_look_parameters_are_keyed_on_media_frames(window: Inspector, qtbot: QtBot) -> None:
    clip = clip_of(window)
    sequence = window.session.sequence
    assert sequence is not None
    item = window.store.document.media[clip.media_id]
    trimmed = edits.trim_head(sequence, clip.id, 6, window.store.document.media)
    window.store.apply("Trim", sequences.with_sequence(window.store.document, trimmed))
    window.session.set_playhead(6)
    clip = clip_of(window)
    settle(qtbot, window)
    window.inspecting.toggle_key("look.structure")
    look = clip_of(window).look
    assert look is not None
    assert [key.frame for key in look.curve("structure").keys] == [int(clip.source_in * item.info.rate)]


def test_several_clips_show_what_differs(window: Inspector, qtbot: QtBot) -> None:
    window.session.set_playhead(8)
    window.editing.razor()
    sequence = window.session.sequence
    assert sequence is not None
    left, right = sequence.video_tracks[0].clips
    window.session.set_selection(frozenset({left.id}))
    window.inspecting.set_value("opacity", 0.5)
    window.session.set_selection(frozenset({left.id, right.id}))
    settle(qtbot, window)
    opacity = field(window, "opacity")
    assert opacity.text() == "–"
    QTest.mouseClick(opacity.lineEdit(), LEFT)
    QTest.keyClicks(opacity, "70")
    QTest.keyClick(opacity, Qt.Key.Key_Return)
    sequence = window.session.sequence
    assert sequence is not None
    assert [clip.opacity.value for clip in sequence.video_tracks[0].clips] == pytest.approx([0.7, 0.7])


def test_facts(window: Inspector, qtbot: QtBot) -> None:
    settle(qtbot, window)
    name = part(window.panel, QLineEdit, "inspector.name")
    name.setFocus()
    name.selectAll()
    QTest.keyClicks(name, "Hero")
    QTest.keyClick(name, Qt.Key.Key_Return)
    assert clip_of(window).name == "Hero"
    box = part(window.panel, QCheckBox, "inspector.enabled")
    QTest.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
    sequence = window.session.sequence
    assert sequence is not None
    assert not sequence.video_tracks[0].clips[0].enabled
    QTest.mouseClick(box, LEFT, pos=QPoint(8, box.height() // 2))
    duration = part(window.panel, TimecodeField, "inspector.duration")
    duration.setFocus()
    duration.selectAll()
    QTest.keyClicks(duration, "20")
    QTest.keyClick(duration, Qt.Key.Key_Return)
    assert clip_of(window).duration == 20, window.told
    combo = part(window.panel, QComboBox, "inspector.blend")
    combo.setFocus()
    QTest.keyClick(combo, Qt.Key.Key_Down)
    QTest.keyClick(combo, Qt.Key.Key_Down)
    assert clip_of(window).blend is BlendMode.MULTIPLY
    click(window.panel, "inspector.flip_horizontal")
    assert clip_of(window).transform.flip_horizontal


def test_a_locked_track_refuses(window: Inspector, qtbot: QtBot) -> None:
    sequence = window.session.sequence
    assert sequence is not None
    window.editing.set_locked(sequence.video_tracks[0].id, True)
    told: list[str] = []
    window.session.message.connect(lambda _severity, sentence: told.append(sentence))
    before = clip_of(window)
    assert not window.inspecting.set_value("opacity", 0.5)
    assert not window.inspecting.set_value("look.strength", 0.5)
    assert clip_of(window) == before
    assert len(told) == 2


def test_fill_frame_covers_a_wider_sequence(window: Inspector, qtbot: QtBot) -> None:
    sequence = window.session.sequence
    assert sequence is not None
    wide = replace(sequence, width=1024, height=512)
    window.store.apply("Size", sequences.with_sequence(window.store.document, wide))
    assert window.inspecting.fill_frame()
    assert clip_of(window).transform.scale.value == pytest.approx(2)
