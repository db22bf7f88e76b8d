"""The timeline in its real panel: mouse, keys, drops, on a document made of real clips."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication, QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QContextMenuEvent, QDragEnterEvent, QDropEvent, QImage, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.ids import new_id
from gen2studio.core.time import timecode
from gen2studio.document import edits, lookup, media_edits, sequences
from gen2studio.document.look import Look
from gen2studio.document.model import Clip, Document, MediaItem, Take, TrackKind
from gen2studio.media.probe import probe
from gen2studio.ui.timeline.backing import Backing
from gen2studio.ui.timeline.drops import MEDIA_MIME
from gen2studio.ui.timeline.panel import TimelinePanel

DOG = "golden_retriever_512_3.2s.mp4"
BUNNY = "bbb_640x360_10s_audio.mp4"
pytestmark = pytest.mark.qt_log_ignore("This plugin does not support (propagateSizeHints|raise|grabbing)")
"""What the offscreen platform says of windows with a smallest size and of menus."""
LEFT = Qt.MouseButton.LeftButton
NONE = Qt.KeyboardModifier.NoModifier


class Bench:
    """The panel with a bunny (picture and sound) and, right behind it, a dog."""

    def __init__(self, qtbot: QtBot, root: Path) -> None:
        document = Document(id=new_id("doc"))
        self.media: dict[str, str] = {}
        for name in (BUNNY, DOG):
            path = root / "clips" / name
            item = MediaItem(id=new_id("media"), name=name, path=str(path), fingerprint="", info=probe(path))
            document = media_edits.add_media(document, item)
            self.media[name] = item.id
        sequence = edits.new_sequence("Sequence 1", Fraction(25), 640, 360, video_tracks=2, audio_tracks=1)
        self.session = Session(DocumentStore(sequences.add_sequence(document, sequence)))
        self.editing = TimelineEditing(self.session)
        self.told: list[str] = []
        self.session.message.connect(lambda _severity, text: self.told.append(text))
        self.panel = TimelinePanel(self.session, self.editing)
        qtbot.addWidget(self.panel, before_close_func=lambda panel: panel.shutdown())
        self.panel.resize(1366, 380)
        self.panel.show()
        qtbot.waitExposed(self.panel)
        self.view = self.panel.view
        assert self.editing.insert_media([self.media[BUNNY]], frame=0)
        assert self.editing.append_media([self.media[DOG]])
        self.session.set_selection(frozenset())
        self.session.set_playhead(0)
        self.panel.viewport.zoom_to(3.0, 0)
        self.panel.viewport.scroll_to(0, 0)
        self.start = self.session.document

    @property
    def picture(self) -> Clip:
        return self.lane(0)[0]

    def lane(self, track: int) -> tuple[Clip, ...]:
        sequence = self.session.sequence
        assert sequence is not None
        return sequence.tracks[track].clips

    def point(self, frame: float, track: int, dy: int = 40) -> QPoint:
        """Widget point at ``frame`` of a track (in document order)."""
        sequence = self.session.sequence
        assert sequence is not None
        row = self.view.layout_now.row_of_track(sequence.tracks[track].id)
        assert row is not None
        return QPoint(round(frame * self.panel.viewport.ppf) - self.panel.viewport.scroll_x, row.top + dy)

    def drag(self, start: QPoint, stop: QPoint, keys: Qt.KeyboardModifier = NONE, release: bool = True) -> None:
        QTest.mousePress(self.view, LEFT, keys, start)
        for part in (0.3, 0.7, 1.0):
            place = start + (stop - start) * part
            move(self.view, place, keys)
        if release:
            QTest.mouseRelease(self.view, LEFT, keys, stop)

    @property
    def undo_text(self) -> str:
        return self.session.store.undo_stack.undoText()


def move(widget: object, place: QPoint, keys: Qt.KeyboardModifier = NONE) -> None:
    """A mouse move with the left button and ``keys`` held (QTest.mouseMove can't hold keys)."""
    from PySide6.QtGui import QMouseEvent
    from PySide6.QtWidgets import QWidget

    assert isinstance(widget, QWidget)
    event = QMouseEvent(
        QEvent.Type.MouseMove, QPointF(place), QPointF(widget.mapToGlobal(place)), Qt.MouseButton.NoButton, LEFT, keys
    )
    QApplication.sendEvent(widget, event)


@pytest.fixture
def bench(qtbot: QtBot, media_root: Path) -> Iterator[Bench]:
    made = Bench(qtbot, media_root)
    yield made
    assert made.session.sequence is not None
    assert lookup.problems(made.session.sequence, made.session.document.media) == []


def test_dragging_a_clip_moves_it_with_its_sound_as_one_undo_step(bench: Bench) -> None:
    steps = bench.session.store.undo_stack.count()
    dog = bench.lane(0)[1]
    bench.session.set_snapping(False)
    bench.drag(bench.point(dog.start + 20, 0), bench.point(dog.start + 60, 0))
    assert bench.lane(0)[1].start == dog.start + 40
    bench.drag(bench.point(60, 0), bench.point(80, 0))
    picture, sound = bench.lane(0)[0], bench.lane(2)[0]
    assert picture.start == sound.start == 20
    assert bench.session.store.undo_stack.count() == steps + 2
    assert bench.undo_text == "Move 2 Clips"
    bench.session.store.undo_stack.undo()
    bench.session.store.undo_stack.undo()
    assert bench.session.sequence == bench.start.sequence


def test_dragging_upwards_changes_the_track(bench: Bench) -> None:
    dog = bench.lane(0)[1]
    bench.drag(bench.point(dog.start + 20, 0), bench.point(dog.start + 20, 1))
    assert [c.id for c in bench.lane(1)] == [dog.id] and bench.lane(1)[0].start == dog.start


def test_a_drag_snaps_to_the_playhead_and_shift_inverts(bench: Bench) -> None:
    dog = bench.lane(0)[1]
    bench.session.set_playhead(dog.start + 50)
    near = bench.point(dog.start + 20 + 49, 0)
    bench.drag(bench.point(dog.start + 20, 0), near)
    assert bench.lane(0)[1].start == dog.start + 50
    bench.session.store.undo_stack.undo()
    bench.drag(bench.point(dog.start + 20, 0), near, Qt.KeyboardModifier.ShiftModifier)
    assert bench.lane(0)[1].start == dog.start + 49


def test_escape_gives_a_drag_up(bench: Bench) -> None:
    dog = bench.lane(0)[1]
    bench.drag(bench.point(dog.start + 20, 0), bench.point(dog.start + 70, 0), release=False)
    assert bench.view.sequence is not bench.session.sequence, "the drag shows a preview"
    QTest.keyClick(bench.view, Qt.Key.Key_Escape)
    assert not bench.view.gesturing
    assert bench.session.document is bench.start and bench.view.sequence is bench.session.sequence
    QTest.mouseRelease(bench.view, LEFT, NONE, bench.point(dog.start + 70, 0))
    assert bench.session.document is bench.start


def test_a_locked_track_refuses_and_the_document_stays_identical(bench: Bench) -> None:
    sequence = bench.session.sequence
    assert sequence is not None
    bench.editing.set_locked(sequence.tracks[2].id, True)
    before = bench.session.document
    bench.drag(bench.point(60, 0), bench.point(90, 0), release=False)
    assert bench.view.overlay.refused
    QTest.mouseRelease(bench.view, LEFT, NONE, bench.point(90, 0))
    assert bench.session.document is before
    assert any("lock" in text for text in bench.told)


def test_trimming_stops_where_the_media_ends_and_shows_it(bench: Bench) -> None:
    dog = bench.lane(0)[1]
    tail = bench.point(dog.end, 0) - QPoint(4, 0)
    bench.drag(tail, tail + QPoint(200, 0), release=False)
    assert bench.view.overlay.stops, "the stop is hatched"
    QTest.mouseRelease(bench.view, LEFT, NONE, tail + QPoint(200, 0))
    assert bench.lane(0)[1].duration == dog.duration
    bench.session.set_snapping(False)
    bench.drag(tail, tail - QPoint(90, 0))
    assert bench.lane(0)[1].duration == dog.duration - 30
    head = bench.point(dog.start, 0) + QPoint(5, 0)
    bench.drag(head, head + QPoint(60, 0))
    trimmed = bench.lane(0)[1]
    assert (trimmed.start, trimmed.source_in) == (dog.start + 20, Fraction(20, 25))


def test_ctrl_ripples_a_trim_and_the_sound_follows(bench: Bench) -> None:
    bunny, dog = bench.lane(0)
    bench.session.set_snapping(False)
    tail = bench.point(bunny.end, 0) - QPoint(5, 0)
    bench.drag(tail, tail - QPoint(150, 0), Qt.KeyboardModifier.ControlModifier)
    assert bench.lane(0)[0].duration == bunny.duration - 50 == bench.lane(2)[0].duration
    assert bench.lane(0)[1].start == dog.start - 50
    assert bench.undo_text == "Ripple Trim Tail"


def test_rolling_a_cut_moves_only_the_cut(bench: Bench) -> None:
    bunny, dog = bench.lane(0)
    bench.session.set_snapping(False)
    bench.session.set_playhead(100)
    QTest.keyClick(bench.view, Qt.Key.Key_Escape)
    assert bench.editing.razor_at(100, [bunny.id])
    cut = bench.point(100, 0)
    bench.drag(cut, cut + QPoint(45, 0))
    left, right, after = bench.lane(0)
    assert left.end == right.start == 115 and right.end == bunny.end and after == dog
    assert bench.undo_text == "Roll Cut"


def test_alt_slips_the_contents(bench: Bench) -> None:
    bunny = bench.lane(0)[0]
    assert bench.editing.razor_at(100, [bunny.id])
    right = bench.lane(0)[1]
    bench.drag(bench.point(150, 0), bench.point(130, 0), Qt.KeyboardModifier.AltModifier)
    assert bench.lane(0)[1].source_in == right.source_in, "no media behind the tail: nothing to slip to"
    bench.drag(bench.point(150, 0), bench.point(160, 0), Qt.KeyboardModifier.AltModifier)
    slipped = bench.lane(0)[1]
    assert slipped.source_in == right.source_in - Fraction(10, 25)
    assert (slipped.start, slipped.duration) == (right.start, right.duration)
    assert bench.lane(2)[1].source_in == slipped.source_in


def test_ctrl_alt_slides_a_clip_between_its_neighbours(bench: Bench) -> None:
    bunny, dog = bench.lane(0)
    bench.session.set_snapping(False)
    bench.editing.razor_at(100, [bunny.id])
    bench.editing.razor_at(150, [bench.lane(0)[1].id])
    keys = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.AltModifier
    bench.drag(bench.point(125, 0), bench.point(145, 0), keys)
    left, middle, right, after = bench.lane(0)
    assert (left.end, middle.start, middle.end, right.start, right.end) == (120, 120, 170, 170, bunny.end)
    assert middle.source_in == Fraction(100, 25) and after == dog
    assert [c.start for c in bench.lane(2)] == [0, 120, 170], "the sound slides along"
    assert bench.undo_text == "Slide Clip"
    bench.drag(bench.point(145, 0), bench.point(700, 0), keys, release=False)
    assert bench.view.overlay.stops, "the right neighbour keeps one frame"
    QTest.keyClick(bench.view, Qt.Key.Key_Escape)
    assert bench.lane(0)[1].start == 120


def test_ctrl_clicks_choose_and_ctrl_drags_insert(bench: Bench) -> None:
    bunny, dog = bench.lane(0)
    ctrl = Qt.KeyboardModifier.ControlModifier
    QTest.mouseClick(bench.view, LEFT, NONE, bench.point(60, 0))
    QTest.mouseClick(bench.view, LEFT, ctrl, bench.point(dog.start + 20, 0))
    assert bench.session.selection == {bunny.id, bench.lane(2)[0].id, dog.id}
    QTest.mouseClick(bench.view, LEFT, ctrl, bench.point(dog.start + 20, 0))
    assert bench.session.selection == {bunny.id, bench.lane(2)[0].id}
    bench.drag(bench.point(dog.start + 20, 0), bench.point(20, 0), ctrl)
    assert [(c.id, c.start) for c in bench.lane(0)] == [(dog.id, 0), (bunny.id, dog.duration)]
    assert bench.undo_text == "Insert Clip"
    bench.drag(bench.point(20, 0), bench.point(20 + 400, 0), ctrl)
    assert bench.lane(0)[0].id == bunny.id, "a selected clip is inserted as well"


def test_there_is_always_a_target_track(bench: Bench) -> None:
    sequence = bench.session.sequence
    assert sequence is not None
    assert bench.session.track == sequence.tracks[0].id
    bench.session.set_track(sequence.tracks[1].id)
    bench.editing.remove_track()
    assert bench.session.track == sequence.tracks[0].id
    while bench.session.store.undo_stack.canUndo():
        bench.session.store.undo_stack.undo()
    assert bench.session.track == sequence.tracks[0].id


def test_the_ruler_offers_markers_and_range(bench: Bench) -> None:
    def choose(text: str) -> None:
        place = QPoint(300, 24)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, bench.panel.ruler.mapToGlobal(place))
        QApplication.sendEvent(bench.panel.ruler, event)
        menu = bench.panel.findChild(QMenu, "timeline_ruler_menu")
        assert menu is not None
        next(a for a in menu.actions() if a.text() == text).trigger()
        menu.close()
        QCoreApplication.sendPostedEvents(menu, QEvent.Type.DeferredDelete.value)

    choose("Set In Here")
    choose("Add Marker Here")
    sequence = bench.session.sequence
    assert sequence is not None and [m.frame for m in sequence.markers] == [100] == [sequence.in_point]
    choose("Remove Marker")
    sequence = bench.session.sequence
    assert sequence is not None and not sequence.markers


def test_the_facts_are_never_cut_short(bench: Bench) -> None:
    sequence = bench.session.sequence
    assert sequence is not None
    length = timecode(sequence.duration, Fraction(25))
    shown = set()
    for width in (1366, 800, 700, 640, 600):
        bench.panel.resize(width, 300)
        QApplication.sendPostedEvents()
        text = bench.panel.facts.text()
        shown.add(text)
        assert text in (f"640×360 · 25 fps · {length}", f"25 fps · {length}", length, "")
    assert len(shown) > 1


def test_the_razor_tool_cuts_picture_and_sound_where_it_clicks(bench: Bench) -> None:
    bench.panel.handlers()["timeline.tool_razor"]()
    QTest.mouseClick(bench.view, LEFT, NONE, bench.point(120, 0))
    assert [c.start for c in bench.lane(0)] == [0, 120, 250]
    assert [c.start for c in bench.lane(2)] == [0, 120]
    assert bench.undo_text == "Razor at 00:00:04:20"
    QTest.keyClick(bench.view, Qt.Key.Key_Escape)
    assert bench.view.tool == "select"


def test_scrubbing_in_the_ruler_moves_the_playhead_and_escape_brings_it_back(bench: Bench) -> None:
    ruler = bench.panel.ruler
    QTest.mousePress(ruler, LEFT, NONE, QPoint(300, 28))
    assert bench.session.playhead == 100
    move(ruler, QPoint(360, 28))
    assert bench.session.playhead == 120
    QTest.mouseRelease(ruler, LEFT, NONE, QPoint(360, 28))
    QTest.mousePress(ruler, LEFT, NONE, QPoint(600, 28))
    QTest.keyClick(bench.view, Qt.Key.Key_Escape)
    assert bench.session.playhead == 120
    assert bench.session.document is bench.start


def test_markers_and_range_are_dragged_on_the_ruler(bench: Bench) -> None:
    bench.session.set_snapping(False)
    bench.editing.toggle_marker(100)
    bench.editing.set_in(20)
    ruler = bench.panel.ruler
    for start, stop in ((QPoint(300, 24), QPoint(390, 24)), (QPoint(60, 5), QPoint(90, 5))):
        QTest.mousePress(ruler, LEFT, NONE, start)
        move(ruler, start + (stop - start) / 2)
        move(ruler, stop)
        QTest.mouseRelease(ruler, LEFT, NONE, stop)
    sequence = bench.session.sequence
    assert sequence is not None
    assert [m.frame for m in sequence.markers] == [130]
    assert sequence.in_point == 30


def test_rubber_band_and_keys_select(bench: Bench) -> None:
    corner = QPoint(900, bench.view.layout_now.rows[0].top + 4)
    bench.drag(corner, bench.point(200, 0, 20))
    assert bench.session.selection == {c.id for c in (*bench.lane(0), *bench.lane(2))}, "the sound comes along"
    bench.drag(corner, bench.point(200, 0, 20), Qt.KeyboardModifier.AltModifier)
    assert bench.session.selection == {c.id for c in bench.lane(0)}, "Alt chooses only what it touches"
    bench.session.set_selection(frozenset([bench.lane(0)[0].id]))
    QTest.keyClick(bench.view, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert bench.session.selection == {bench.lane(0)[1].id}
    QTest.keyClick(bench.view, Qt.Key.Key_Down, Qt.KeyboardModifier.ShiftModifier)
    assert bench.session.selection == {bench.lane(2)[0].id}
    QTest.mouseClick(bench.view, LEFT, NONE, bench.point(400, 0))
    assert not bench.session.selection


def drop(bench: Bench, mime: QMimeData, place: QPoint, keys: Qt.KeyboardModifier = NONE) -> None:
    for kind in (QDragEnterEvent, QDropEvent):
        where = place if kind is QDragEnterEvent else QPointF(place)
        event = kind(where, Qt.DropAction.CopyAction, mime, LEFT, keys)
        QApplication.sendEvent(bench.view, event)
        if kind is QDragEnterEvent:
            assert event.isAccepted()


def pool_drag(*ids: str) -> QMimeData:
    mime = QMimeData()
    mime.setData(MEDIA_MIME, json.dumps(ids).encode())
    return mime


def test_dropping_media_overwrites_and_ctrl_inserts(bench: Bench) -> None:
    drop(bench, pool_drag(bench.media[DOG]), bench.point(100, 1))
    assert [(c.name, c.start) for c in bench.lane(1)] == [(DOG, 100)]
    length = bench.lane(1)[0].duration
    drop(bench, pool_drag(bench.media[DOG]), bench.point(100, 0), Qt.KeyboardModifier.ControlModifier)
    assert [c.start for c in bench.lane(0)] == [0, 100, 100 + length, 250 + length]
    assert bench.lane(1)[0].start == 100 + length
    bench.session.store.undo_stack.undo()
    bench.session.store.undo_stack.undo()
    assert bench.session.document is bench.start or bench.session.sequence == bench.start.sequence


def test_hovering_shows_what_a_drop_would_do_and_leaving_takes_it_back(bench: Bench) -> None:
    mime = pool_drag(bench.media[DOG])
    event = QDragEnterEvent(bench.point(100, 1), Qt.DropAction.CopyAction, mime, LEFT, NONE)
    QApplication.sendEvent(bench.view, event)
    assert bench.view.overlay.ghosts and bench.view.sequence is not bench.session.sequence
    bench.view._dropping.leave()
    assert not bench.view.overlay.ghosts and bench.view.sequence is bench.session.sequence
    assert bench.session.document is bench.start


def test_files_from_the_desktop_are_handed_on(bench: Bench, qtbot: QtBot, media_root: Path) -> None:
    mime = QMimeData()
    path = media_root / "clips" / DOG
    mime.setUrls([QUrl.fromLocalFile(str(path))])
    with qtbot.waitSignal(bench.panel.files_dropped) as caught:
        drop(bench, mime, bench.point(150, 1))
    sequence = bench.session.sequence
    assert sequence is not None
    assert caught.args == [[str(path)], sequence.tracks[1].id, 150]


def test_a_gap_is_closed_from_its_menu(bench: Bench) -> None:
    bench.session.set_snapping(False)
    dog = bench.lane(0)[1]
    bench.drag(bench.point(dog.start + 20, 0), bench.point(dog.start + 60, 0))
    hit = bench.view.hit_at(*bench.point(dog.start + 10, 0).toTuple())
    assert hit.gap == (dog.start, dog.start + 40)
    bench.view.menu_wanted.emit(hit, bench.view.mapToGlobal(QPoint(10, 10)))
    menu = bench.panel.findChild(QMenu, "timeline_gap_menu")
    assert menu is not None
    next(a for a in menu.actions() if a.objectName() == "ripple_delete_gap").trigger()
    menu.close()
    assert bench.lane(0)[1].start == dog.start


def take(media_id: str, name: str) -> Take:
    return Take(
        id=new_id("take"), media_id=media_id, name=name, request_digest="", recipe="{}", look=Look(), start=0, stop=30,
        done=((0, 30),),
    )  # fmt: skip


def test_takes_are_applied_from_the_badge_and_stepped(bench: Bench) -> None:
    from gen2studio.document import takes

    dog = bench.lane(0)[1]
    one, two = take(dog.media_id, "One"), take(dog.media_id, "Two")
    bench.session.store.amend(lambda d: takes.add_take(takes.add_take(d, one, dog.id), two, dog.id))
    right = bench.point(dog.end, 0, 8)
    QTest.mouseClick(bench.view, LEFT, NONE, right - QPoint(20, 0))
    menu = bench.panel.findChild(QMenu, "timeline_take_menu")
    assert menu is not None
    next(a for a in menu.actions() if a.text().startswith("Two")).trigger()
    menu.close()
    assert bench.lane(0)[1].active_take == two.id
    bench.editing.step_take(1)
    assert bench.lane(0)[1].active_take == ""
    bench.editing.step_take(1)
    assert bench.lane(0)[1].active_take == one.id


def picture_of(bench: Bench) -> QImage:
    image = QImage(bench.view.size(), QImage.Format.Format_RGB32)
    bench.view.render(image)
    return image


def test_thumbnails_arrive_on_their_own(bench: Bench, qtbot: QtBot) -> None:
    colours: set[int] = set()

    def coloured() -> None:
        image = picture_of(bench)
        place = bench.point(60, 0, 40)
        colours.update(image.pixel(place.x() + dx, place.y()) for dx in range(0, 60, 4))
        assert len(colours) > 6

    qtbot.waitUntil(lambda: not coloured(), timeout=8000)


def test_waveforms_arrive_on_their_own(bench: Bench, qtbot: QtBot) -> None:
    from gen2studio.ui import theme

    ink = theme.colour("waveform").rgb()

    def drawn() -> None:
        image = picture_of(bench)
        top = bench.point(0, 2, 0).y()
        heights = [sum(image.pixel(x, top + y) == ink for y in range(18, 63)) for x in range(10, 700, 5)]
        assert max(heights) > 6 > min(heights), "loud and quiet places differ"

    qtbot.waitUntil(lambda: not drawn(), timeout=8000)


def test_bands_show_what_jobs_do(bench: Bench) -> None:
    dog = bench.lane(0)[1]
    states = {dog.id: [("rendering", dog.start, dog.start + 20), ("queued", dog.start + 20, dog.end)]}
    bench.panel.set_job_states(lambda clip_id: states.get(clip_id, []))
    place = bench.point(dog.end - 10, 0, 1)
    queued = picture_of(bench).pixelColor(place).name()
    states[dog.id] = []
    bench.panel.refresh_bands(frozenset([dog.id]))
    from gen2studio.ui import theme

    assert queued == theme.tokens()["band_queued"]
    assert picture_of(bench).pixelColor(place).name() != queued


def test_wheel_zooms_at_the_cursor_and_scrolls(bench: Bench) -> None:
    view, viewport = bench.view, bench.panel.viewport
    before = viewport.frame(400)

    def turn(keys: Qt.KeyboardModifier) -> None:
        place = QPointF(400, 60)
        event = QWheelEvent(
            place, QPointF(view.mapToGlobal(place)), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, keys,
            Qt.ScrollPhase.NoScrollPhase, False,
        )  # fmt: skip
        QApplication.sendEvent(view, event)

    turn(Qt.KeyboardModifier.ControlModifier)
    assert viewport.ppf == pytest.approx(3.6)
    assert viewport.frame(400) == pytest.approx(before, abs=0.5)


def painted_anew(bench: Bench) -> QImage:
    """What the view would show had it kept nothing."""
    view = bench.view
    kept, view._backing = view._backing, Backing(bench.panel.viewport, view._paint_tracks)
    try:
        return picture_of(bench)
    finally:
        view._backing = kept


@pytest.mark.parametrize("dx", [13, -13, 200])
def test_a_scrolled_picture_is_the_same_as_one_painted_anew(bench: Bench, dx: int) -> None:
    viewport = bench.panel.viewport
    viewport.zoom_to(8.0, 0)
    viewport.scroll_to(300, 0)
    picture_of(bench)
    viewport.scroll_to(300 + dx, 0)
    scrolled = picture_of(bench)
    assert scrolled == painted_anew(bench)


def test_what_was_painted_ahead_is_the_same_as_painted_anew(bench: Bench) -> None:
    """Far and back, over the seam of the ring, with tracks locked and too many to see, after edits outside the view."""
    viewport, view = bench.panel.viewport, bench.view
    for _ in range(5):
        bench.editing.add_track(TrackKind.VIDEO)
    sequence = bench.session.sequence
    assert sequence is not None
    bench.editing.set_locked(sequence.tracks[0].id, True)
    bench.editing.set_muted(sequence.tracks[2].id, True)
    viewport.zoom_to(21.0, 0)
    viewport.scroll_to(0, viewport.max_y)
    picture_of(bench)
    for step in (90, 250, 40, 380, 380, 350, -500, -500, -500, 2500, -77):
        while view.paint_ahead():
            pass
        viewport.scroll_to(viewport.scroll_x + step, viewport.scroll_y - (step == 40) * 21)
        assert picture_of(bench) == painted_anew(bench), f"after {step} pixels to {viewport.scroll_x}"
    bench.editing.set_locked(sequence.tracks[0].id, False)
    picture_of(bench)
    while view.paint_ahead():
        pass
    viewport.scroll_to(viewport.scroll_x - 300, viewport.scroll_y)
    assert picture_of(bench) == painted_anew(bench), "a row that changed is painted again outside the view as well"


def test_headers_lock_and_mute(bench: Bench) -> None:
    sequence = bench.session.sequence
    assert sequence is not None
    track = sequence.tracks[0]
    header = bench.panel.headers.headers[track.id]
    QTest.mouseClick(header.lock, LEFT)
    QTest.mouseClick(header.mute, LEFT)
    changed = bench.session.sequence
    assert changed is not None and changed.tracks[0].locked and changed.tracks[0].muted
    assert bench.undo_text == "Hide Track"


def test_deleting_by_keys_of_the_table(bench: Bench) -> None:
    commands = bench.editing.handlers()
    bunny, dog = bench.lane(0)
    bench.session.set_selection(frozenset([bunny.id]))
    commands["timeline.ripple_delete"]()
    assert [(c.id, c.start) for c in bench.lane(0)] == [(dog.id, 0)] and not bench.lane(2)
    bench.session.store.undo_stack.undo()
    bench.session.set_playhead(30)
    bench.session.set_selection(frozenset())
    sequence = bench.session.sequence
    assert sequence is not None
    bench.session.set_track(sequence.tracks[0].id)
    commands["timeline.trim_head"]()
    assert bench.lane(0)[0].duration == bunny.duration - 30 and bench.lane(0)[1].start == dog.start - 30
    assert bench.session.playhead == 0


def test_copy_and_paste_keep_picture_and_sound_linked(bench: Bench) -> None:
    bunny = bench.lane(0)[0]
    sequence = bench.session.sequence
    assert sequence is not None
    bench.session.set_track(sequence.tracks[0].id)
    bench.session.set_selection(lookup.linked(sequence, [bunny.id]))
    assert bench.editing.copy()
    bench.session.set_playhead(400)
    assert bench.editing.paste()
    picture, sound = bench.lane(0)[-1], bench.lane(2)[-1]
    assert picture.start == sound.start == 400
    assert picture.link == sound.link != bunny.link
    assert bench.session.selection == {picture.id, sound.id}


def test_nothing_selected_is_said_and_changes_nothing(bench: Bench) -> None:
    bench.session.set_selection(frozenset())
    assert not bench.editing.lift()
    assert bench.told and bench.session.document is bench.start


def test_every_row_of_the_table_is_bound(bench: Bench) -> None:
    from gen2studio.app import actions_timeline, actions_timeline_view

    table = (*actions_timeline.ROWS, *actions_timeline_view.ROWS)
    bound = {**bench.editing.handlers(), **bench.panel.handlers()}
    rows = {row.id for row in table if not row.id.startswith("playback.")}
    assert rows <= set(bound)
    icons = Path(__file__).resolve().parents[2] / "resources" / "icons"
    assert [r.icon for r in table if r.icon and not (icons / f"{r.icon}.svg").is_file()] == []


def test_the_empty_timeline_says_what_to_do(qtbot: QtBot) -> None:
    session = Session(DocumentStore(Document(id=new_id("doc"))))
    panel = TimelinePanel(session, TimelineEditing(session))
    qtbot.addWidget(panel, before_close_func=lambda p: p.shutdown())
    panel.resize(900, 300)
    panel.show()
    image = QImage(panel.view.size(), QImage.Format.Format_RGB32)
    panel.view.render(image)
    middle = {
        image.pixel(x, y) for x in range(300, 600, 2) for y in range(image.height() // 2 - 30, image.height() // 2)
    }
    assert len(middle) > 3
    assert replace(session.document) == session.document
