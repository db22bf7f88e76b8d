"""A crowded timeline while it is zoomed: its rough picture shows everything in its place, and is finished at rest."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.frozen import frozen_map
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document import edits, sequences
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.model import Clip, Document, Marker, MediaItem
from gen2studio.ui import theme
from gen2studio.ui.timeline.backing import Backing
from gen2studio.ui.timeline.panel import TimelinePanel
from gen2studio.ui.timeline.waveforms import WavePyramid, rgb32

pytestmark = pytest.mark.qt_log_ignore("This plugin does not support (propagateSizeHints|raise|grabbing)")
RATE = Fraction(25)
LONG, GAP = 40, 10
"""Frames of every clip, and of the room behind every second one."""


def film() -> Document:
    """Two tracks of each kind with 60 clips each; every second pair touches and has a dissolve; fades; a marker."""
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=640, height=360, rate=RATE, frame_count=5000, duration=Fraction(200),
        audio=AudioInfo(48000, 2, "aac", Fraction(200)),
    )  # fmt: skip
    item = MediaItem(id=new_id("media"), name="walk.mp4", path="/none/walk.mp4", fingerprint="", info=info)
    sequence = edits.new_sequence("Film", RATE, 640, 360, video_tracks=2, audio_tracks=2)
    tracks = []
    for number, track in enumerate(sequence.tracks):
        clips = tuple(
            Clip(
                id=new_id("clip"),
                media_id=item.id,
                name="walk.mp4",
                start=k * LONG + (k + 1) // 2 * GAP,
                duration=LONG,
                source_in=Fraction(2 + k),
                fade_in=12 * (k % 2),
                enabled=k % 7 != 3,
            )
            for k in range(60)
        )
        mixes = tuple(
            Transition(id=new_id("cross"), left=a.id, right=b.id, kind=TransitionKind.DISSOLVE, before=6, after=6)
            for a, b in itertools.pairwise(clips)
            if a.end == b.start
        )
        tracks.append(replace(track, clips=clips, transitions=mixes, height=64, locked=number == 1))
    full = replace(sequence, tracks=tuple(tracks), markers=(Marker(id="marker-1", frame=85, colour="red"),))
    return sequences.add_sequence(Document(id=new_id("doc"), media=frozen_map({item.id: item})), full)


@pytest.fixture
def panel(qtbot: QtBot) -> Iterator[TimelinePanel]:
    session = Session(DocumentStore(film()))
    shown = TimelinePanel(session, TimelineEditing(session))
    qtbot.addWidget(shown, before_close_func=lambda panel: panel.shutdown())
    loud = np.full((20000, 1), 100, np.int8)
    shown.view.waveforms.put("/none/walk.mp4", WavePyramid(np.concatenate([-loud, loud], 1), 100.0))
    shown.resize(1200, 460)
    shown.show()
    qtbot.waitExposed(shown)
    shown.viewport.fit()
    yield shown


def pixels(panel: TimelinePanel) -> NDArray[np.uint32]:
    view = panel.view
    image = QImage(view.size(), QImage.Format.Format_RGB32)
    view.render(image)
    return np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1).copy() | 0xFF000000


def finish(panel: TimelinePanel) -> None:
    panel.view.rest()
    while panel.view.paint_ahead():
        pass
    assert not panel.view.unfinished


@pytest.mark.parametrize("factor", [1.0, 1.7, 3.1])
def test_everything_is_where_it_belongs_while_zooming(panel: TimelinePanel, factor: float) -> None:
    viewport, view = panel.viewport, panel.view
    viewport.zoom_by(factor * 1.01, 400)
    assert view.unfinished, "the picture of so many clips is rough while it is zoomed"
    rough = pixels(panel)
    finish(panel)
    full = pixels(panel)
    assert not np.array_equal(rough, full), "slopes and badges are left out while rough"
    edges = {rgb32(theme.colour(name)) for name in ("clip_video_edge", "clip_audio_edge", "line_strong")}
    for row in view.layout_now.rows:
        top = row.top - viewport.scroll_y
        if row.track.muted or row.track.locked:
            continue
        # The top edge shows exactly which columns clips cover; a line of the marker may lie over it.
        covered = [np.isin(picture[top], list(edges)) for picture in (rough, full)]
        assert covered[0].any() and (covered[0] == covered[1]).mean() > 0.995
        if not row.is_video:
            wave = rgb32(theme.colour("waveform"))
            middle = top + row.body // 2 + 8
            assert (rough[middle] == wave).sum() > 0.5 * (full[middle] == wave).sum() > 0
    marker = viewport.x(85)
    if 0 <= marker < view.width():
        top = view.layout_now.rows[1].top - viewport.scroll_y + 40
        assert rough[top, marker] == full[top, marker] != full[top, marker - 3], "the line of the marker"


def test_the_finished_picture_is_the_one_painted_anew(panel: TimelinePanel) -> None:
    viewport, view = panel.viewport, panel.view
    viewport.zoom_by(1.5, 300)
    pixels(panel)
    viewport.scroll_to(viewport.scroll_x + 31, 0)
    pixels(panel)
    finish(panel)
    shown = pixels(panel)
    kept, view._backing = view._backing, Backing(viewport, view._paint_tracks)
    anew = pixels(panel)
    view._backing = kept
    assert np.array_equal(shown, anew)


def test_the_zoom_comes_to_rest_by_itself(panel: TimelinePanel, qtbot: QtBot) -> None:
    panel.viewport.zoom_by(1.2, 300)
    assert panel.view.unfinished
    qtbot.waitUntil(lambda: not panel.view.unfinished)


def test_a_few_clips_are_never_rough(panel: TimelinePanel) -> None:
    panel.viewport.zoom_to(10.0, 0)
    assert not panel.view.unfinished
