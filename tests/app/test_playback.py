"""Shuttle, clock and ends, on the real timer. No sound device is needed: the machine that runs this has none."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from PySide6.QtMultimedia import QtAudio
from pytestqt.qtbot import QtBot

from gen2studio.app import audio_output, playback
from gen2studio.app.audio_mix import AudioMixer
from gen2studio.app.audio_output import SoundFeed
from gen2studio.app.playback import Player
from gen2studio.app.playback_clock import PlaybackClock, PlayPlan
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document.model import Document, MediaItem
from tests.export.sequences import SEQ, clip_of, document_with, sequence_with


def document(frames: int = 20, rate: Fraction = Fraction(100)) -> Document:
    info = MediaInfo(kind=MediaKind.VIDEO, width=8, height=8, rate=rate, frame_count=frames)
    item = MediaItem(id="m1", name="m", path="/m.mp4", fingerprint="", info=info)
    return document_with(sequence_with((clip_of(item, duration=frames),), rate=rate, size=(8, 8)), item)


@pytest.fixture
def session(qtbot: QtBot) -> Session:
    return Session(DocumentStore(document()))


@pytest.fixture
def player(session: Session) -> Iterator[Player]:
    player = Player(session, sound=False)
    yield player
    player.shutdown()


def test_it_plays_to_the_last_frame_and_stops(qtbot: QtBot, session: Session, player: Player) -> None:
    seen: list[int] = []
    told: list[bool] = []
    session.playhead_changed.connect(seen.append)
    player.playing_changed.connect(told.append)
    player.playing_changed.connect(lambda _on: seen.append(session.playhead))
    with qtbot.waitSignals([player.playing_changed, player.playing_changed], timeout=5000):
        player.toggle()
    assert session.playhead == 19
    assert session.shuttle == 0.0
    assert not player.playing
    assert told == [True, False]
    assert seen[0] == 0 and seen == sorted(seen), "it starts where it stood, and never goes back"
    assert player.clock == "system"


def test_playing_again_at_the_end_starts_over(qtbot: QtBot, session: Session, player: Player) -> None:
    session.set_playhead(19)
    player.toggle()
    assert session.playhead == 0
    assert player.playing
    player.toggle()
    assert not player.playing


def test_backwards_it_stops_at_the_first_frame(qtbot: QtBot, session: Session, player: Player) -> None:
    session.set_playhead(8)
    seen: list[int] = []
    session.playhead_changed.connect(seen.append)
    with qtbot.waitSignals([player.playing_changed, player.playing_changed], timeout=5000):
        player.backward()
    assert session.playhead == 0
    assert seen == sorted(seen, reverse=True)


def test_j_k_l(qtbot: QtBot, session: Session, player: Player) -> None:
    session.store.replace(document(100000), session.store.tiles)
    session.set_playhead(50000)
    speeds: list[float] = []
    session.shuttle_changed.connect(speeds.append)
    for _ in range(5):
        player.forward()
    assert speeds == [1.0, 2.0, 4.0, 8.0]
    player.backward()
    player.backward()
    assert speeds[-2:] == [-1.0, -2.0]
    player.hold()
    assert session.shuttle == 0.0
    here = session.playhead
    player.forward()
    player.forward()
    assert session.playhead == here + 2
    player.backward()
    assert session.playhead == here + 1
    assert not player.playing
    player.release()
    player.forward()
    assert session.shuttle == 1.0
    player.stop()


def test_stepping_stays_inside(session: Session, player: Player) -> None:
    player.step(-3)
    assert session.playhead == 0
    player.step(100)
    assert session.playhead == 19


def test_loop_repeats_between_in_and_out(qtbot: QtBot, session: Session, player: Player) -> None:
    now = session.document
    sequence = replace(now.sequences[SEQ], in_point=5, out_point=9)
    session.store.apply("in and out", replace(now, sequences={SEQ: sequence}))
    player.set_loop(True)
    seen: list[int] = []
    session.playhead_changed.connect(seen.append)
    player.toggle()
    qtbot.waitUntil(lambda: sum(1 for a, b in itertools.pairwise(seen) if b < a) >= 2, timeout=5000)
    player.stop()
    assert seen[0] == 5
    assert set(seen) <= {5, 6, 7, 8}


def test_a_seek_while_playing_plays_on_from_there(qtbot: QtBot, session: Session, player: Player) -> None:
    session.store.replace(document(100000), session.store.tiles)
    player.toggle()
    qtbot.waitUntil(lambda: session.playhead > 2, timeout=5000)
    session.set_playhead(70000)
    qtbot.waitUntil(lambda: session.playhead > 70002, timeout=5000)
    assert session.playhead < 71000
    player.stop()


def test_time_lost_by_the_ui_thread_is_counted_as_dropped(qtbot: QtBot, session: Session, player: Player) -> None:
    session.store.replace(document(100000), session.store.tiles)
    player.toggle()
    qtbot.waitUntil(lambda: session.playhead > 1, timeout=5000)
    before = session.playhead
    time.sleep(0.2)
    qtbot.waitUntil(lambda: session.playhead > before + 10, timeout=5000)
    player.stop()
    assert player.dropped >= 15


def test_it_begins_with_its_first_pictures(
    qtbot: QtBot, session: Session, player: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "_ROLL_SECONDS", 600.0)
    session.store.replace(document(100000), session.store.tiles)
    session.set_playhead(40)
    there: list[bool] = []
    player.ready = lambda: bool(there)
    seen: list[int] = []
    session.playhead_changed.connect(seen.append)
    player.toggle()
    full = gc.get_threshold()[2]
    assert player.playing and full > 1_000_000, "no full collection while it plays"
    qtbot.wait(60)
    assert seen == [], "time stands still until then"
    there.append(True)
    qtbot.waitUntil(lambda: session.playhead > 43)
    assert seen == sorted(seen)
    player.stop()
    assert gc.get_threshold()[2] < 100


def test_pictures_that_never_come_hold_it_up_only_for_a_moment(qtbot: QtBot, session: Session, player: Player) -> None:
    session.store.replace(document(100000), session.store.tiles)
    player.ready = lambda: False
    player.toggle()
    qtbot.waitUntil(lambda: session.playhead > 3)
    player.stop()


def test_an_empty_timeline_does_not_play(session: Session, player: Player) -> None:
    session.store.replace(document_with(sequence_with()), session.store.tiles)
    player.toggle()
    assert session.shuttle == 0.0
    assert not player.playing


def test_a_lost_device_is_told_once_and_playback_goes_on(qtbot: QtBot, session: Session) -> None:
    # What the audio thread reports when there is no device, without starting a sound system.
    player = Player(session, sound=False)
    told: list[tuple[str, str]] = []
    session.message.connect(lambda severity, sentence: told.append((severity, sentence)))
    for _ in range(2):
        player.toggle()
        player._clock.begin(Fraction(0), 1.0, on_device=True, token=player._token)
        player._on_device_lost(player._token, "There is no sound device.")
        assert player.clock == "system"
        qtbot.waitUntil(lambda: session.playhead > 2, timeout=5000)
        player.stop()
        session.set_playhead(0)
    assert told == [("warning", "There is no sound device. Playback goes on without sound.")]
    player.shutdown()


def test_the_device_drives_the_clock() -> None:
    clock = PlaybackClock()
    clock.begin(Fraction(10), 2.0, on_device=True, token=3)
    time.sleep(0.02)
    assert clock.seconds() == 10.0
    assert clock.stalled_for() >= 0.02
    clock.device_step(5.0, token=2)
    assert clock.seconds() == 10.0
    clock.device_step(1.0, token=3)
    assert clock.stalled_for() == 0.0
    assert 12.0 <= clock.seconds() < 12.0 + 2 * 0.05 + 1e-9
    time.sleep(0.08)
    assert clock.seconds() == pytest.approx(12.1)
    clock.set_offset(0.25)
    assert clock.seconds() == pytest.approx(11.6)
    clock.set_offset(0.0)
    clock.detach()
    here = clock.seconds()
    assert here >= 12.1 - 1e-9
    time.sleep(0.02)
    assert clock.seconds() >= here + 0.03


class Ramp:
    """Sound whose value is its own position in seconds / 100."""

    def __init__(self, _item: MediaItem, sample_rate: int) -> None:
        self.rate = sample_rate

    def read(self, start_seconds: Fraction, frames: int) -> np.ndarray:
        at = (float(start_seconds) + np.arange(frames) / self.rate) / 100
        return np.column_stack([at, at]).astype(np.float32)

    def close(self) -> None:
        pass


@pytest.mark.parametrize("speed", [1.0, 2.0, -1.0, -2.0])
def test_sound_follows_the_shuttle_without_seams(speed: float) -> None:
    item = MediaItem(
        id="m1",
        name="m",
        path="/m",
        fingerprint="",
        info=MediaInfo(kind=MediaKind.AUDIO, audio=AudioInfo(48000, 2, "aac", Fraction(60))),
    )
    of = document_with(sequence_with(audio=((clip_of(item, duration=1000),),), rate=Fraction(25)), item)
    feed = SoundFeed(lambda of: AudioMixer(of, open_reader=Ramp))
    feed.begin(PlayPlan(document=of, start=Fraction(20), speed=speed, token=1))
    sound = np.concatenate([feed.block(480) for _ in range(10)])[480:, 0]
    wanted = (20 + speed * (np.arange(480, 4800) + (0.5 if speed < 0 else 0)) / 48000) / 100
    assert np.abs(sound - wanted).max() < 2 * abs(speed) / 48000 / 100
    feed.begin(PlayPlan(document=of, start=Fraction(20), speed=4 * speed, token=2))
    assert not feed.block(480).any()
    feed.close()


class Card:
    """A sound card that plays as fast as it is asked: what it was given, and how often one was opened."""

    opened: list[Card] = []

    def __init__(self, *_: object) -> None:
        self.heard = np.zeros((0, 2), np.float32)
        self.played = 0
        self.capacity = 7200
        self.opened.append(self)

    def defaultAudioOutput(self) -> Card:
        return self

    def isNull(self) -> bool:
        return False

    def isFormatSupported(self, _wanted: object) -> bool:
        return True

    def start(self) -> Card:
        return self

    def error(self) -> QtAudio.Error:
        return QtAudio.Error.NoError

    def bytesFree(self) -> int:
        return (self.capacity - (len(self.heard) - self.played)) * 8

    def processedUSecs(self) -> int:
        return self.played * 1_000_000 // 48000

    def write(self, data: bytes) -> int:
        self.heard = np.concatenate([self.heard, np.frombuffer(data, np.float32).reshape(-1, 2)])
        return len(data)

    def play(self, samples: int) -> None:
        self.played = min(len(self.heard), self.played + samples)

    def setBufferSize(self, _size: int) -> None: ...
    def setVolume(self, _volume: float) -> None: ...
    def reset(self) -> None: ...
    def deleteLater(self) -> None: ...


@pytest.fixture
def speaker(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[audio_output._Speaker]:
    Card.opened = []
    device = Card()
    Card.opened = []
    monkeypatch.setattr(audio_output, "QAudioSink", Card)
    monkeypatch.setattr(audio_output, "QMediaDevices", device)
    made = audio_output._Speaker(PlaybackClock())
    made._feed = SoundFeed(lambda of: AudioMixer(of, open_reader=Ramp))
    yield made
    made.shut()


def ramp() -> Document:
    info = MediaInfo(kind=MediaKind.AUDIO, audio=AudioInfo(48000, 2, "aac", Fraction(60)))
    item = MediaItem(id="m1", name="m", path="/m", fingerprint="", info=info)
    return document_with(sequence_with(audio=((clip_of(item, duration=1000),),), rate=Fraction(25)), item)


def test_a_jump_while_playing_keeps_the_device_open(speaker: audio_output._Speaker) -> None:
    clock, of = speaker._clock, ramp()
    clock.begin(Fraction(10), 1.0, on_device=True, token=1)
    speaker.play(PlayPlan(document=of, start=Fraction(10), speed=1.0, token=1))
    card = Card.opened[0]
    card.play(4800)
    speaker._on_tick()
    assert clock.seconds() == pytest.approx(10.1, abs=0.06)
    clock.begin(Fraction(30), 1.0, on_device=True, token=2)
    speaker.play(PlayPlan(document=of, start=Fraction(30), speed=1.0, token=2))
    assert Card.opened == [card]
    # What the card still holds of the old place is not time at the new one.
    assert clock.seconds() == 30
    switched = speaker._base
    card.play(switched - card.played)
    speaker._on_tick()
    assert clock.seconds() == 30
    card.play(2400)
    speaker._on_tick()
    assert clock.seconds() == pytest.approx(30.05, abs=0.06) and clock.seconds() > 30.04
    heard = card.heard[:, 0]
    fade = 192
    assert heard[switched - fade - 1] == pytest.approx(0.1, abs=0.01) and abs(heard[switched - 1]) < 0.001
    assert heard[switched + fade] == pytest.approx((30 + fade / 48000) / 100, abs=1e-5)


def test_a_scrubbed_playhead_is_heard_in_short_grains(speaker: audio_output._Speaker) -> None:
    speaker.grain(ramp(), Fraction(20))
    card = Card.opened[0]
    assert len(card.heard) == 2880
    assert abs(card.heard[0, 0]) < 0.001 and abs(card.heard[-1, 0]) < 0.001
    assert card.heard[1440, 0] == pytest.approx(0.2003, abs=1e-4)
    speaker.grain(ramp(), Fraction(21))
    assert len(card.heard) == 2880, "grains don't line up behind a hand that is faster"
    card.play(2000)
    speaker.grain(ramp(), Fraction(22))
    assert len(card.heard) == 5760
    clock = speaker._clock
    clock.begin(Fraction(5), 1.0, on_device=True, token=7)
    speaker.play(PlayPlan(document=ramp(), start=Fraction(5), speed=1.0, token=7))
    assert Card.opened == [card] and clock.seconds() == 5
