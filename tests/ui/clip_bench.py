"""A timeline of one clip with its sound, and the services that panels of clips need, without window or media files."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeVar

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.frozen import frozen_map
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Track, TrackKind
from gen2studio.ui import theme

RATE = Fraction(25)
LEFT = Qt.MouseButton.LeftButton
W = TypeVar("W", bound=QWidget)


def part(widget: QWidget, kind: type[W], name: str) -> W:
    found = widget.findChild(kind, name)
    assert found is not None, name
    return found


def click(widget: QWidget, name: str) -> None:
    button = part(widget, QAbstractButton, name)
    assert button.isEnabled(), name
    QTest.mouseClick(button, LEFT)


def document() -> Document:
    """40 frames of a 512 × 512 clip at 10 a second with sound, on a timeline of 25 frames a second."""
    sound = AudioInfo(48000, 2, "aac", Fraction(16, 5))
    info = MediaInfo(
        kind=MediaKind.VIDEO, codec="h264", width=512, height=512, rate=Fraction(10), frame_count=32, exact=True,
        duration=Fraction(16, 5), audio=sound,
    )  # fmt: skip
    item = MediaItem(id="media-1", name="dog.mp4", path="/nowhere/dog.mp4", fingerprint="dog", info=info)
    picture = Clip(id="clip-1", media_id=item.id, name="Dog", start=0, duration=40, link="link-1")
    heard = Clip(id="clip-2", media_id=item.id, name="Dog", start=0, duration=40, link="link-1")
    tracks = (
        Track(id="track-1", kind=TrackKind.VIDEO, name="V1", clips=(picture,)),
        Track(id="track-2", kind=TrackKind.AUDIO, name="A1", clips=(heard,)),
    )
    sequence = Sequence(id="seq-1", name="Film", rate=RATE, width=512, height=512, tracks=tracks)
    return Document(
        id="doc-1",
        media=frozen_map({item.id: item}),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )


class ClipBench:
    """Session and editing on :func:`document`, and the widgets under test."""

    def __init__(self, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.session = Session(DocumentStore(document()))
        self.store = self.session.store
        self.editing = TimelineEditing(self.session)
        self.told: list[str] = []
        self.session.message.connect(lambda _severity, sentence: self.told.append(sentence))

    def show(self, widget: QWidget, width: int, height: int) -> None:
        self.qtbot.addWidget(widget)
        theme_application()
        widget.resize(width, height)
        widget.show()
        self.qtbot.waitExposed(widget)

    @property
    def sequence(self) -> Sequence:
        found = self.session.sequence
        assert found is not None
        return found

    @property
    def clip(self) -> Clip:
        """The clip on the video track at the playhead, else its first."""
        clips = self.sequence.video_tracks[0].clips
        return next((c for c in clips if c.start <= self.session.playhead < c.end), clips[0])


def theme_application() -> None:
    from PySide6.QtWidgets import QApplication

    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme.apply(application)
