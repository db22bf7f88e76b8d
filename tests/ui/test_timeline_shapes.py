"""What is drawn on clips and taken hold of: fades, transitions, levels, subtitles, marker ranges, solo, the magnetic
timeline, tools, tabs and the overview. Real mouse events on the real panel."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt
from PySide6.QtGui import QContextMenuEvent, QHelpEvent, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QToolTip, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.app import magnetic
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document import edits, lookup, media_edits, sequences, subtitles, takes
from gen2studio.document.clip_composition import set_curve, set_fades
from gen2studio.document.composition import TransitionKind
from gen2studio.document.look import Look
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Take
from gen2studio.ui.timeline import handles
from gen2studio.ui.timeline.captions import CaptionEditor
from gen2studio.ui.timeline.drops import TRANSITION_MIME
from gen2studio.ui.timeline.panel import TimelinePanel
from gen2studio.ui.timeline.transition_list import TransitionList
from gen2studio.ui.timeline.transition_options import TransitionOptions
from tests.ui.test_timeline_gestures import drop

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support (propagateSizeHints|raise|grabbing)")
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier
CTRL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier
RATE = Fraction(25)


class Desk:
    """Four clips of ten seconds of one media on V1 with their sound, trimmed so that there is media at every cut."""

    def __init__(self, qtbot: QtBot) -> None:
        info = MediaInfo(
            kind=MediaKind.VIDEO, width=640, height=360, rate=RATE, frame_count=1000, duration=Fraction(40),
            audio=AudioInfo(48000, 2, "aac", Fraction(40)),
        )  # fmt: skip
        self.item = MediaItem(id=new_id("media"), name="walk.mp4", path="/none/walk.mp4", fingerprint="", info=info)
        document = media_edits.add_media(Document(id=new_id("doc")), self.item)
        sequence = edits.new_sequence("Film", RATE, 640, 360, video_tracks=2, audio_tracks=1)
        self.session = Session(DocumentStore(sequences.add_sequence(document, sequence)))
        self.editing = TimelineEditing(self.session)
        self.told: list[str] = []
        self.session.message.connect(lambda _severity, text: self.told.append(text))
        self.panel = TimelinePanel(self.session, self.editing)
        qtbot.addWidget(self.panel, before_close_func=lambda panel: panel.shutdown())
        self.panel.resize(1366, 460)
        self.panel.show()
        qtbot.waitExposed(self.panel)
        self.view = self.panel.view

        def lay(s: Sequence) -> Sequence:
            for k in range(4):
                source = (Fraction(8), Fraction(12))
                s = edits.place_media(
                    s, self.item, k * 100, collision=edits.Collision.OVERWRITE, source=source
                ).sequence
            return s

        assert self.editing.perform("Lay", lay)
        self.session.set_selection(frozenset())
        self.session.set_snapping(False)
        self.panel.viewport.zoom_to(3.0, 0)
        self.panel.viewport.scroll_to(0, 0)

    @property
    def sequence(self) -> Sequence:
        assert self.session.sequence is not None
        return self.session.sequence

    def lane(self, track: int) -> tuple[Clip, ...]:
        return self.sequence.tracks[track].clips

    def row(self, track: int):
        row = self.view.layout_now.row_of_track(self.sequence.tracks[track].id)
        assert row is not None
        return row

    def content(self, x: float, y: float) -> QPoint:
        return QPoint(round(x) - self.panel.viewport.scroll_x, round(y) - self.panel.viewport.scroll_y)

    def point(self, frame: float, track: int, dy: int = 40) -> QPoint:
        return self.content(frame * self.panel.viewport.ppf, self.row(track).top + dy)

    def drag(self, widget: QWidget, start: QPoint, stop: QPoint, keys: Qt.KeyboardModifier = NONE) -> None:
        QTest.mousePress(widget, LEFT, keys, start)
        for part in (0.4, 1.0):
            self.move(widget, start + (stop - start) * part, keys)
        QTest.mouseRelease(widget, LEFT, keys, stop)

    def move(self, widget: QWidget, place: QPoint, keys: Qt.KeyboardModifier = NONE, button: bool = True) -> None:
        event = QMouseEvent(
            QEvent.Type.MouseMove, QPointF(place), QPointF(widget.mapToGlobal(place)), Qt.MouseButton.NoButton,
            LEFT if button else Qt.MouseButton.NoButton, keys,
        )  # fmt: skip
        QApplication.sendEvent(widget, event)

    @property
    def undo_text(self) -> str:
        return self.session.store.undo_stack.undoText()


@pytest.fixture
def desk(qtbot: QtBot) -> Iterator[Desk]:
    made = Desk(qtbot)
    yield made
    assert lookup.problems(made.sequence, made.session.document.media) == []


# -- fades and transitions -------------------------------------------------------------------------------------------


def test_fade_handles_are_dragged_at_the_corners(desk: Desk) -> None:
    row, ppf = desk.row(0), desk.panel.viewport.ppf
    clip = desk.lane(0)[0]
    (head, tail) = handles.fade_spots(row, clip, ppf)
    start = desk.content(*head)
    desk.drag(desk.view, start, start + QPoint(60, 0))
    assert desk.lane(0)[0].fade_in == 20 and desk.undo_text == "Fade In"
    start = desk.content(*tail)
    desk.drag(desk.view, start, start - QPoint(600, 0))
    assert desk.lane(0)[0].fade_out == 80, "the two fades never overlap"


def test_a_transition_is_drawn_out_of_a_cut_with_its_crossfade(desk: Desk) -> None:
    row, ppf = desk.row(0), desk.panel.viewport.ppf
    spot = handles.cut_handle(row, 0, ppf)
    assert spot is not None
    start = desk.content(*spot)
    desk.drag(desk.view, start, start + QPoint(36, 0))
    (mix,) = desk.sequence.tracks[0].transitions
    assert (mix.before, mix.after, mix.kind) == (12, 12, TransitionKind.DISSOLVE)
    assert [(m.before, m.after) for m in desk.sequence.tracks[2].transitions] == [(12, 12)], "sound is crossfaded"
    desk.session.store.undo_stack.undo()
    assert not desk.sequence.tracks[0].transitions and not desk.sequence.tracks[2].transitions


def joined(desk: Desk, frames: int = 20, cut: int = 0) -> str:
    left, right = desk.lane(0)[cut : cut + 2]
    media = desk.session.document.media
    assert desk.editing.perform(
        "Join", lambda s: edits.add_transition(s, left.id, right.id, media, frames=frames).sequence
    )
    return desk.sequence.tracks[0].transitions[0].id


def test_edges_and_middle_of_a_transition_are_dragged(desk: Desk) -> None:
    mix_id = joined(desk)

    def mix() -> tuple[int, int]:
        made = edits.find_transition(desk.sequence, mix_id)[1]
        return made.before, made.after

    desk.drag(desk.view, desk.point(110, 0), desk.point(115, 0))
    assert mix() == (15, 15), "both ends move"
    desk.drag(desk.view, desk.point(115, 0), desk.point(120, 0), CTRL)
    assert mix() == (15, 20), "Ctrl: this end alone"
    desk.drag(desk.view, desk.point(102, 0), desk.point(107, 0))
    assert mix() == (10, 25), "the middle moves it along the cut"
    assert desk.view.mix == mix_id
    desk.panel.handlers()["timeline.lift"]()
    assert not desk.sequence.tracks[0].transitions and len(desk.lane(0)) == 4
    assert desk.undo_text == "Remove Transition"


def test_a_transition_is_set_in_its_window(desk: Desk, qtbot: QtBot) -> None:
    mix_id = joined(desk)
    QTest.mouseDClick(desk.view, LEFT, NONE, desk.point(102, 0))
    options = desk.panel.findChild(TransitionOptions)
    assert options is not None and options.isVisible()
    options.kind.setCurrentIndex(options.kind.findData(TransitionKind.DIP))
    options.frames.setValue(30)
    options._places["after"].click()
    made = edits.find_transition(desk.sequence, mix_id)[1]
    assert (made.kind, made.before, made.after) == (TransitionKind.DIP, 0, 30)
    assert not options.softness.isVisible() and options.colour.isVisible()
    options.remove.click()
    assert not desk.sequence.tracks[0].transitions


def test_transitions_are_dropped_on_cuts_from_their_list(desk: Desk) -> None:
    mime = QMimeData()
    mime.setData(TRANSITION_MIME, b"wipe")
    place = desk.point(205, 0)
    drop(desk, mime, place)  # type: ignore[arg-type]
    (mix,) = desk.sequence.tracks[0].transitions
    assert mix.kind is TransitionKind.WIPE and mix.left == desk.lane(0)[1].id
    assert desk.view.sequence is desk.session.sequence, "no preview is left"
    desk.session.set_playhead(310)
    desk.panel.strip.transitions.click()
    popup = desk.panel.findChild(TransitionList)
    assert popup is not None
    popup.list.setCurrentRow(3)
    QTest.keyClick(popup.list, Qt.Key.Key_Return)
    assert [m.kind for m in desk.sequence.tracks[0].transitions] == [TransitionKind.WIPE, TransitionKind.IRIS]


# -- levels ----------------------------------------------------------------------------------------------------------


def test_level_lines_get_keys_move_and_lose_them(desk: Desk) -> None:
    row = desk.row(0)
    clip = desk.lane(0)[1]
    y = handles.level_y(row, clip, 50)
    place = desk.content((clip.start + 50) * 3.0, y)
    desk.drag(desk.view, place, place + QPoint(0, 15))
    assert desk.lane(0)[1] == clip, "hidden lines are not grabbed"
    desk.panel.handlers()["timeline.toggle_levels"]()
    desk.drag(desk.view, place, place + QPoint(0, 20))
    flat = desk.lane(0)[1].opacity
    assert not flat.keys and 0.2 < flat.value < 0.9 and desk.undo_text == "Opacity"
    for frame in (20, 70):
        clip = desk.lane(0)[1]
        QTest.mouseClick(
            desk.view, LEFT, CTRL, desk.content((100 + frame) * 3.0 + 1, handles.level_y(desk.row(0), clip, frame))
        )
    keys = desk.lane(0)[1].opacity.keys
    assert [k.frame for k in keys] == [20, 70] and all(k.value == pytest.approx(flat.value) for k in keys)
    spot = desk.content(120 * 3.0, handles.level_y(desk.row(0), desk.lane(0)[1], 20))
    desk.drag(desk.view, spot, QPoint(spot.x() + 30, desk.row(0).top + 22))
    keys = desk.lane(0)[1].opacity.keys
    assert keys[0].frame == 30 and keys[0].value == 1.0 and keys[1].frame == 70
    spot = desk.content(130 * 3.0, handles.level_y(desk.row(0), desk.lane(0)[1], 30))
    QApplication.sendEvent(
        desk.view, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, spot, desk.view.mapToGlobal(spot))
    )
    assert [k.frame for k in desk.lane(0)[1].opacity.keys] == [70] and desk.undo_text == "Remove Opacity Key"


def test_a_flat_volume_line_is_the_gain_of_the_clip(desk: Desk) -> None:
    desk.panel.show_levels(True)
    clip = desk.lane(2)[0]
    place = desk.content(150, handles.level_y(desk.row(2), clip, 50))
    desk.drag(desk.view, place, place + QPoint(0, 12))
    assert -40 < desk.lane(2)[0].gain_db < -6 and desk.lane(2)[0].volume == Curve()


def test_drags_snap_to_keys(desk: Desk) -> None:
    desk.editing.perform(
        "Keys",
        lambda s: set_curve(s, [desk.lane(0)[1].id], "opacity", Curve(1.0, (CurveKey(40, 1.0), CurveKey(60, 0.5)))),
    )
    desk.session.set_snapping(True)
    last = desk.lane(0)[3]
    desk.session.set_selection(frozenset([last.id]))
    desk.drag(desk.view, desk.point(320, 0), desk.point(161, 1), ALT)
    desk.drag(desk.view, desk.point(310, 0), desk.point(310 - 161, 1))
    assert desk.lane(1)[0].start == 140


# -- subtitles, markers, solo ----------------------------------------------------------------------------------------


def test_subtitles_are_added_typed_moved_and_trimmed_in_their_lane(desk: Desk) -> None:
    lane = desk.panel.captions
    assert not lane.isVisible()
    desk.panel.handlers()["timeline.toggle_captions"]()
    assert lane.isVisible()
    QTest.mouseDClick(lane, LEFT, NONE, QPoint(300, 14))
    editor = desk.panel.findChild(CaptionEditor)
    assert editor is not None
    QTest.keyClicks(editor, "Where are you going?")
    QTest.keyClick(editor, Qt.Key.Key_Return)
    (caption,) = desk.sequence.subtitles
    assert (caption.start, caption.text) == (100, "Where are you going?")
    end = caption.end
    desk.drag(lane, QPoint(360, 14), QPoint(390, 14))
    (caption,) = desk.sequence.subtitles
    assert (caption.start, caption.end) == (110, end + 10)
    tail = QPoint(caption.end * 3 - 3, 14)
    desk.drag(lane, tail, tail - QPoint(30, 0))
    assert desk.sequence.subtitles[0].end == caption.end - 10 and desk.undo_text == "Trim Subtitle"
    desk.panel.handlers()["timeline.lift"]()
    assert not desk.sequence.subtitles and len(desk.lane(0)) == 4


def test_giving_up_the_text_of_a_subtitle_keeps_the_old_one(desk: Desk) -> None:
    desk.editing.perform("Add", lambda s: subtitles.add_subtitle(s, 20, 40, "Before"))
    lane = desk.panel.captions
    assert lane.isVisible(), "the lane comes with the first subtitle"
    QTest.mouseDClick(lane, LEFT, NONE, QPoint(100, 14))
    editor = desk.panel.findChild(CaptionEditor)
    assert editor is not None
    QTest.keyClicks(editor, "After")
    QTest.keyClick(editor, Qt.Key.Key_Escape)
    assert desk.sequence.subtitles[0].text == "Before"


def test_both_ends_of_a_marker_range_are_dragged(desk: Desk) -> None:
    desk.editing.perform("Mark", lambda s: edits.add_marker(s, 50, duration=30, name="Beat"))
    ruler = desk.panel.ruler
    desk.drag(ruler, QPoint(240, 24), QPoint(270, 24))
    assert [(m.frame, m.duration) for m in desk.sequence.markers] == [(50, 40)]
    desk.drag(ruler, QPoint(150, 24), QPoint(180, 24))
    assert [(m.frame, m.duration) for m in desk.sequence.markers] == [(60, 40)]


def test_headers_solo_and_tell_the_gain(desk: Desk) -> None:
    track = desk.sequence.tracks[2]
    header = desk.panel.headers.headers[track.id]
    QTest.mouseClick(header.solo, LEFT)
    assert desk.sequence.tracks[2].solo and desk.undo_text == "Solo Track"
    desk.editing.perform("Gain", lambda s: edits.set_track_gain(s, track.id, -4.5))
    assert "-4.5 dB" in header._facts()


def test_track_heights_have_presets(desk: Desk) -> None:
    desk.panel.handlers()["timeline.tracks_large"]()
    assert {t.height for t in desk.sequence.tracks} == {112}
    desk.session.store.undo_stack.undo()
    assert {t.height for t in desk.sequence.tracks} == {64}


# -- moving ----------------------------------------------------------------------------------------------------------


def test_the_magnetic_timeline_closes_up_and_makes_room(desk: Desk) -> None:
    a, b, c, d = desk.lane(0)
    desk.panel.handlers()["timeline.toggle_magnetic"]()
    desk.drag(desk.view, desk.point(350, 0), desk.point(120, 0))
    assert [x.id for x in desk.lane(0)] == [a.id, d.id, b.id, c.id], "clips change places"
    assert [x.start for x in desk.lane(0)] == [0, 100, 200, 300] == [x.start for x in desk.lane(2)]
    desk.drag(desk.view, desk.point(100, 0) - QPoint(6, 0), desk.point(60, 0) - QPoint(6, 0))
    assert [x.start for x in desk.lane(0)] == [0, 60, 160, 260], "a trim pulls what follows"
    desk.session.set_selection(lookup.linked(desk.sequence, [d.id]))
    desk.panel.handlers()["timeline.lift"]()
    assert [x.start for x in desk.lane(0)] == [0, 60, 160]
    desk.editing.perform("Mute", lambda s: edits.lift(s, [desk.lane(2)[0].id], linked=False))
    desk.drag(desk.view, desk.point(30, 0), desk.point(30, 1))
    assert [x.start for x in desk.lane(0)] == [0, 100] and len(desk.lane(1)) == 1, "moved out, closed up"


def test_what_lies_over_a_magnetic_clip_goes_with_it() -> None:
    info = MediaInfo(kind=MediaKind.VIDEO, width=64, height=36, rate=RATE, frame_count=1000, duration=Fraction(40))
    item = MediaItem(id="m", name="m", path="", fingerprint="", info=info)
    sequence = edits.new_sequence("S", RATE, 64, 36, video_tracks=2)
    for start in (20, 200):
        sequence = edits.place_media(sequence, item, start, source=(Fraction(0), Fraction(4))).sequence
    over = edits.place_media(
        sequence, item, 230, video_track=sequence.tracks[1].id, source=(Fraction(0), Fraction(1))
    ).sequence
    packed = magnetic.packed(over)
    assert [c.start for c in packed.tracks[0].clips] == [0, 100]
    assert packed.tracks[1].clips[0].start == 130
    assert magnetic.packed(packed) is packed


def test_alt_held_during_a_drag_lays_down_copies(desk: Desk) -> None:
    view, place = desk.view, desk.point(350, 0)
    QTest.mousePress(view, LEFT, NONE, place)
    desk.move(view, place + QPoint(150, 0), ALT)
    desk.move(view, place + QPoint(360, 0), ALT)
    assert "Copy" in view.overlay.hint
    QTest.mouseRelease(view, LEFT, ALT, place + QPoint(360, 0))
    assert [c.start for c in desk.lane(0)] == [0, 100, 200, 300, 420]
    copy, sound = desk.lane(0)[4], desk.lane(2)[4]
    assert copy.link == sound.link != desk.lane(0)[3].link and desk.undo_text == "Duplicate 2 Clips"


def test_a_drop_tells_what_it_overwrites_and_pushes(desk: Desk) -> None:
    view, place = desk.view, desk.point(350, 0)
    QTest.mousePress(view, LEFT, NONE, place)
    desk.move(view, place - QPoint(50, 0))
    desk.move(view, place - QPoint(450, 0))
    assert view.overlay.covered and "overwrites 4" in view.overlay.hint, "two pictures with their sound"
    desk.move(view, place - QPoint(450, 0), CTRL)
    assert view.overlay.pushed and "pushes" in view.overlay.hint and not view.overlay.covered
    QTest.keyClick(view, Qt.Key.Key_Escape)
    assert not view.overlay.active


def test_alt_click_chooses_one_of_a_link_and_trims_it_alone(desk: Desk) -> None:
    QTest.mouseClick(desk.view, LEFT, ALT, desk.point(50, 0))
    assert desk.session.selection == {desk.lane(0)[0].id}
    desk.drag(desk.view, desk.point(0, 0) + QPoint(5, 0), desk.point(10, 0) + QPoint(5, 0))
    assert desk.lane(0)[0].start == 10 and desk.lane(2)[0].start == 0, "a J cut"


def test_groups_are_chosen_as_a_whole(desk: Desk) -> None:
    first, last = desk.lane(0)[0], desk.lane(0)[3]
    desk.editing.perform("Group", lambda s: edits.group(s, [first.id, last.id]))
    QTest.mouseClick(desk.view, LEFT, NONE, desk.point(50, 0))
    assert {first.id, last.id, desk.lane(2)[0].id, desk.lane(2)[3].id} == desk.session.selection


@pytest.mark.parametrize(
    ("tool", "grab", "starts"),
    [("ripple", 90, [0, 110, 210, 310]), ("roll", 90, [0, 110, 200, 300]), ("slide", 150, [0, 110, 210, 300])],
)
def test_tools_do_without_modifiers_what_modifiers_do(desk: Desk, tool: str, grab: int, starts: list[int]) -> None:
    desk.panel.handlers()[f"timeline.tool_{tool}"]()
    desk.drag(desk.view, desk.point(grab, 0), desk.point(grab + 10, 0))
    assert [c.start for c in desk.lane(0)] == starts
    QTest.keyClick(desk.view, Qt.Key.Key_Escape)
    assert desk.view.tool == "select"


def test_trims_say_how_much_media_is_left(desk: Desk) -> None:
    tail = desk.point(400, 0) - QPoint(5, 0)
    QTest.mousePress(desk.view, LEFT, NONE, tail)
    desk.move(desk.view, tail + QPoint(30, 0))
    assert "left" in desk.view.overlay.hint
    desk.move(desk.view, tail + QPoint(30 * 100, 0))
    assert "end of media" in desk.view.overlay.hint and desk.view.overlay.stops
    QTest.keyClick(desk.view, Qt.Key.Key_Escape)


def test_a_drag_at_the_edge_scrolls_the_view(desk: Desk, qtbot: QtBot) -> None:
    viewport = desk.panel.viewport
    viewport.zoom_to(8.0, 0)
    QTest.mousePress(desk.view, LEFT, NONE, desk.point(50, 0))
    edge = QPoint(desk.view.width() - 4, desk.point(50, 0).y())
    desk.move(desk.view, QPoint(600, edge.y()))
    desk.move(desk.view, edge)
    qtbot.waitUntil(lambda: viewport.scroll_x > 20, timeout=4000)
    QTest.keyClick(desk.view, Qt.Key.Key_Escape)


# -- takes, tabs, overview, telling ----------------------------------------------------------------------------------


def test_takes_are_stepped_by_the_buttons_beside_the_badge(desk: Desk) -> None:
    clip = desk.lane(0)[0]
    made = [
        Take(id=new_id("take"), media_id=clip.media_id, name=name, request_digest="", recipe="{}", look=Look(),
             start=0, stop=30, done=((0, 30),))
        for name in ("One", "Two")
    ]  # fmt: skip
    for take in made:
        desk.session.store.amend(lambda d, t=take: takes.add_take(d, t, clip.id))
    steps = handles.take_steps(desk.row(0), desk.lane(0)[0], 3.0)
    assert steps is not None
    for left, wanted in ((steps[1], made[0].id), (steps[1], made[1].id), (steps[0], made[0].id)):
        QTest.mouseClick(desk.view, LEFT, NONE, desk.content(left + 7, desk.row(0).top + 9))
        assert desk.lane(0)[0].active_take == wanted


def test_a_nested_clip_opens_as_a_tab_and_back(desk: Desk) -> None:
    inner = edits.new_sequence("Dream", RATE, 640, 360)
    nested = replace(desk.item, id="media-nested", name="Dream", path="", nested=inner.id)

    def nest(document: Document) -> Document:
        document = media_edits.add_media(sequences.add_sequence(document, inner, activate=False), nested)
        assert document.sequence is not None
        laid = edits.place_media(
            document.sequence, nested, 0, video_track=document.sequence.tracks[1].id, source=(Fraction(0), Fraction(4)),
            collision=edits.Collision.OVERWRITE,
        )  # fmt: skip
        return sequences.with_sequence(document, laid.sequence)

    assert desk.editing.perform_on_document("Nest", nest)
    outer = desk.sequence.id
    assert desk.panel.tabs.isVisible()
    desk.session.set_playhead(30)
    QTest.mouseDClick(desk.view, LEFT, NONE, desk.point(50, 1))
    assert desk.sequence.id == inner.id and desk.panel.tabs.back.isVisible()
    assert [desk.panel.tabs.bar.tabText(i) for i in range(2)] == ["Film", "› Dream"]
    desk.panel.handlers()["timeline.close_nested"]()
    assert desk.sequence.id == outer and desk.session.playhead == 30
    desk.panel.tabs.bar.setCurrentIndex(1)
    assert desk.sequence.id == inner.id
    desk.session.store.undo_stack.undo()
    desk.panel.tabs.open(outer)


def test_the_overview_scrolls_and_zooms(desk: Desk) -> None:
    viewport, strip = desk.panel.viewport, desk.panel.overview
    viewport.zoom_to(12.0, 0)
    left, right = strip._window()
    desk.drag(strip, QPoint(round((left + right) / 2), 11), QPoint(round((left + right) / 2) + 200, 11))
    assert viewport.scroll_x > 500
    ppf = viewport.ppf
    edge = round(strip._window()[1])
    desk.drag(strip, QPoint(edge - 1, 11), QPoint(edge + 120, 11))
    assert viewport.ppf < ppf
    desk.panel.show_overview(False)
    assert not strip.isVisible() and desk.panel.across.isVisible()


def test_zooming_to_the_selection_fills_the_view(desk: Desk) -> None:
    clip = desk.lane(0)[2]
    desk.session.set_selection(frozenset([clip.id]))
    desk.panel.handlers()["timeline.zoom_selection"]()
    viewport = desk.panel.viewport
    assert 0 < viewport.x(clip.start) < 60 and viewport.width - 60 < viewport.x(clip.end) < viewport.width


def test_hovering_tells_about_the_clip(desk: Desk) -> None:
    desk.editing.perform("Fade", lambda s: set_fades(s, [desk.lane(0)[0].id], fade_in=10))
    place = desk.point(50, 0)
    QApplication.sendEvent(desk.view, QHelpEvent(QEvent.Type.ToolTip, place, desk.view.mapToGlobal(place)))
    assert "walk.mp4" in QToolTip.text() and "fades 10 / 0" in QToolTip.text()
    QToolTip.hideText()
    desk.move(desk.view, place, button=False)
    assert desk.view.overlay.hover is not None and desk.view.overlay.hover.clip_id == desk.lane(0)[0].id


def test_a_cut_offers_transitions_in_its_menu(desk: Desk) -> None:
    place = QPoint(300, desk.row(0).top + 5)
    QApplication.sendEvent(
        desk.view, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, desk.view.mapToGlobal(place))
    )
    menu = desk.panel.findChild(QMenu, "timeline_cut_menu")
    assert menu is not None
    next(a for a in menu.actions() if a.text() == "Add Push").trigger()
    menu.close()
    assert [m.kind for m in desk.sequence.tracks[0].transitions] == [TransitionKind.PUSH]
