"""The sound card on a thread of its own, and the clock that it drives.

Sound is pushed: a precise timer in the audio thread writes whatever the sink has room for. Pull mode's ``readData``
runs on the UI thread with some back ends, where every stall becomes a dropout. The master clock is ``processedUSecs``,
which steps by 5–10 ms and is interpolated with ``perf_counter`` in between.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QIODevice, QObject, Qt, QThread, QTimer, Signal
from PySide6.QtMultimedia import QAudioFormat, QAudioSink, QMediaDevices, QtAudio

from gen2studio.app.audio_meters import MeterTap
from gen2studio.app.audio_mix import AudioMixer, Level
from gen2studio.app.playback_clock import PlaybackClock, PlayPlan
from gen2studio.core.errors import sentence_of
from gen2studio.core.log import topic
from gen2studio.document.model import Document

_log = topic("audio")
_BUFFER_SECONDS = 0.15
_TICK_MS = 10
_FRAME_BYTES = 8
"""Two channels of float32."""
_FADE_SECONDS = 0.004
"""Start and end of grains and jumps are faded over this time, so that they don't click."""
_GRAIN_QUEUE_SECONDS = 0.03
"""Sound still to be heard at which a further scrub grain is left out: grains follow the hand, they don't line up."""
_IDLE_MS = 1500
"""How long the device stays open after the last scrub grain."""
MUTE_AT = 4.0
"""Shuttle speeds from this one on are silent: at 4x and more only fragments could be heard."""


class SoundFeed:
    """Turns a plan into consecutive blocks of sound. Lives in the audio thread.

    Speeds: 1x exact; up to 2x (either way) resampled, pitch follows as on a tape; silent from :data:`MUTE_AT` on.
    Backwards, the block is read forwards and reversed.
    """

    def __init__(self, open_mixer: Callable[[Document], AudioMixer] = AudioMixer) -> None:
        self._open_mixer = open_mixer
        self._mixer: AudioMixer | None = None
        self._plan: PlayPlan | None = None
        self._played = 0
        self.metering = False
        """Measure the levels of each block."""
        self.levels: Mapping[str, Level] = {}
        """Of the last block, by track id; see :data:`gen2studio.app.audio_mix.MASTER`."""

    @property
    def sample_rate(self) -> int:
        return self._mixer.sample_rate if self._mixer else 48000

    def begin(self, plan: PlayPlan) -> None:
        """Aim at ``plan``, keeping files open where the document allows."""
        if self._mixer is None or not self._mixer.adopt(plan.document):
            self.close()
            self._mixer = self._open_mixer(plan.document)
        self._plan = plan
        self._played = 0

    def adopt(self, document: Document) -> None:
        """The document was edited while playing."""
        if self._mixer is not None:
            self._mixer.adopt(document)

    def block(self, count: int) -> NDArray[np.float32]:
        """The next ``count`` samples, (count, 2) float32 within ±1."""
        plan, mixer = self._plan, self._mixer
        if plan is None or mixer is None or abs(plan.speed) >= MUTE_AT:
            self._played += count
            self.levels = {}
            return np.zeros((count, 2), np.float32)
        mixer.metering = self.metering
        rate = mixer.sample_rate
        speed = abs(plan.speed)
        wanted = max(1, round(count * speed))
        forwards = plan.speed > 0
        at = plan.start + Fraction(round(self._played * plan.speed), rate)
        if not forwards:
            at -= Fraction(wanted, rate)
        sound = mixer.read(at, wanted)
        self.levels = mixer.levels if self.metering else {}
        if not forwards:
            sound = sound[::-1]
        if wanted != count:
            positions = np.arange(count) * (wanted / count)
            known = np.arange(wanted)
            sound = np.column_stack([np.interp(positions, known, sound[:, channel]) for channel in (0, 1)])
        if self._played == 0:
            fade = min(count, round(_FADE_SECONDS * rate))
            sound = sound.copy()
            sound[:fade] *= np.linspace(0, 1, fade)[:, None]
        self._played += count
        return np.clip(sound, -1, 1).astype(np.float32)

    def grain(self, document: Document, at: Fraction, seconds: float = 0.06) -> NDArray[np.float32]:
        """A short, faded piece of sound around a scrubbed frame."""
        self.begin(PlayPlan(document=document, start=at, speed=1.0, token=0))
        sound = self.block(round(seconds * self.sample_rate))
        fade = round(_FADE_SECONDS * self.sample_rate)
        sound[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
        return sound

    def close(self) -> None:
        if self._mixer is not None:
            self._mixer.close()
        self._mixer = None


class _Speaker(QObject):
    """Lives in the audio thread: owns the sink, its timer and the files."""

    lost = Signal(int, str)
    """(token, sentence): the device can't play."""

    def __init__(self, clock: PlaybackClock, tap: MeterTap | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._tap = tap or MeterTap()
        self._feed = SoundFeed()
        self._sink: QAudioSink | None = None
        self._io: QIODevice | None = None
        self._timer: QTimer | None = None
        self._idle: QTimer | None = None
        self._token = 0
        self._volume = 1.0
        self._sink_rate = 0
        self._written = 0
        """Samples given to the open sink."""
        self._base = 0
        """How many of them belong to earlier playbacks."""

    def play(self, plan: object) -> None:
        """Play ``plan``; an open sink is kept (opening one can take a second) and plays out what it holds."""
        assert isinstance(plan, PlayPlan)
        self._rest()
        try:
            tail = self._fade_out() if self._token and self._sink is not None else None
            self._token = plan.token
            self._feed.begin(plan)
            if self._sink is not None and self._sink_rate == self._feed.sample_rate and self._sound():
                if tail is not None:
                    self._write(tail)
                self._base = self._written
            else:
                self._close_sink()
                if not self._open():
                    return
            self._run()
        except Exception as error:
            _log.exception("the sound device failed")
            self.lost.emit(plan.token, sentence_of(error))

    def grain(self, document: object, at: object) -> None:
        """Let the sound at ``at`` seconds be heard for a moment; without a device nothing happens."""
        assert isinstance(document, Document) and isinstance(at, Fraction)
        if self._timer is not None and self._timer.isActive():
            return
        self._token = 0
        try:
            self._feed.metering = self._tap.wanted
            sound = self._feed.grain(document, at)
            if self._sink is None or self._sink_rate != self._feed.sample_rate or not self._sound():
                self._close_sink()
                if not self._open():
                    return
            assert self._sink is not None
            queued = self._written / self._sink_rate - self._sink.processedUSecs() / 1e6
            if queued <= _GRAIN_QUEUE_SECONDS:
                self._tap.add(self._written, len(sound), self._feed.levels)
                self._write(sound[: self._sink.bytesFree() // _FRAME_BYTES])
            self._tap.played(self._written)
        except Exception:
            # A file that can't be read says so when it is played.
            _log.exception("a scrub grain could not be played")
            self._close_sink()
            return
        if self._idle is None:
            self._idle = QTimer(self)
            self._idle.setSingleShot(True)
            self._idle.timeout.connect(self._close_sink)
        self._idle.start(_IDLE_MS)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.stop()
        if self._idle is not None:
            self._idle.stop()

    def _sound(self) -> bool:
        return self._sink is not None and self._sink.error() not in (QtAudio.Error.FatalError, QtAudio.Error.IOError)

    def _fade_out(self) -> NDArray[np.float32]:
        """What would have come next, fading: the end of a playback that is cut short must not click."""
        count = round(_FADE_SECONDS * self._feed.sample_rate)
        return self._feed.block(count) * np.linspace(1, 0, count, dtype=np.float32)[:, None]

    def _write(self, sound: NDArray[np.float32]) -> None:
        assert self._io is not None
        self._written += max(0, self._io.write(sound.tobytes())) // _FRAME_BYTES

    def _open(self) -> bool:
        """Open the device; False (and :attr:`lost`) when there is none that plays this."""
        device = QMediaDevices.defaultAudioOutput()
        if device.isNull():
            self.lost.emit(self._token, "There is no sound device.")
            return False
        wanted = QAudioFormat()
        wanted.setSampleRate(self._feed.sample_rate)
        wanted.setChannelCount(2)
        wanted.setSampleFormat(QAudioFormat.SampleFormat.Float)
        if not device.isFormatSupported(wanted):
            self.lost.emit(self._token, "The sound device can't play this timeline's sample rate.")
            return False
        sink = QAudioSink(device, wanted, self)
        sink.setBufferSize(wanted.bytesForDuration(round(_BUFFER_SECONDS * 1e6)))
        sink.setVolume(self._volume)
        self._sink, self._io, self._sink_rate = sink, sink.start(), wanted.sampleRate()
        self._written = self._base = 0
        if sink.error() != QtAudio.Error.NoError:
            self._close_sink()
            self.lost.emit(self._token, "The sound device could not be opened.")
            return False
        return True

    def _run(self) -> None:
        if self._timer is None:
            self._timer = QTimer(self)
            self._timer.setTimerType(Qt.TimerType.PreciseTimer)
            self._timer.setInterval(_TICK_MS)
            self._timer.timeout.connect(self._on_tick)
        self._timer.start()
        self._on_tick()

    def _on_tick(self) -> None:
        sink = self._sink
        if sink is None or self._io is None:
            return
        if not self._sound():
            self._close_sink()
            self.lost.emit(self._token, "The sound device went away.")
            return
        processed = sink.processedUSecs() / 1e6
        self._clock.device_step(processed - self._base / self._sink_rate, self._token)
        self._tap.played(round(processed * self._sink_rate))
        room = sink.bytesFree() // _FRAME_BYTES
        if room <= 0:
            return
        try:
            self._feed.metering = self._tap.wanted
            sound = self._feed.block(room)
            if self._feed.levels:
                self._tap.add(self._written, room, self._feed.levels)
        except Exception as error:
            _log.exception("sound could not be read")
            self._close_sink()
            self.lost.emit(self._token, sentence_of(error))
            return
        self._write(sound)

    def adopt(self, document: object) -> None:
        assert isinstance(document, Document)
        self._feed.adopt(document)

    def set_volume(self, volume: float) -> None:
        self._volume = volume
        if self._sink is not None:
            self._sink.setVolume(volume)

    def halt(self) -> None:
        self._rest()
        self._token = 0
        self._close_sink()

    def _close_sink(self) -> None:
        if self._sink is not None:
            self._sink.reset()
            self._sink.deleteLater()
            self._tap.clear()
        self._sink = self._io = None

    def shut(self) -> None:
        self.halt()
        self._feed.close()
        if self._timer is not None:
            self._timer.deleteLater()
            self._timer = None
        if self._idle is not None:
            self._idle.deleteLater()
            self._idle = None


class AudioOutput(QObject):
    """The UI thread's handle on the audio thread."""

    lost = Signal(int, str)
    """(token, sentence): playback with this token goes on without a device."""

    _play = Signal(object)
    _grain = Signal(object, object)
    _adopt = Signal(object)
    _volume = Signal(float)
    _halt = Signal()
    _shut = Signal()

    def __init__(self, clock: PlaybackClock, parent: QObject | None = None, *, tap: MeterTap | None = None) -> None:
        """``tap`` hears the levels of what is played."""
        super().__init__(parent)
        self._thread = QThread()
        self._thread.setObjectName("audio")
        self._speaker = _Speaker(clock, tap)
        self._speaker.moveToThread(self._thread)
        self._play.connect(self._speaker.play)
        self._grain.connect(self._speaker.grain)
        self._adopt.connect(self._speaker.adopt)
        self._volume.connect(self._speaker.set_volume)
        self._halt.connect(self._speaker.halt)
        self._shut.connect(self._speaker.shut, Qt.ConnectionType.BlockingQueuedConnection)
        self._speaker.lost.connect(self.lost)
        self._thread.start(QThread.Priority.TimeCriticalPriority)

    def play(self, plan: PlayPlan) -> None:
        self._play.emit(plan)

    def grain(self, document: Document, at: Fraction) -> None:
        """Let a stopped playhead be heard at ``at`` seconds, for 60 ms."""
        self._grain.emit(document, at)

    def adopt(self, document: Document) -> None:
        self._adopt.emit(document)

    def set_volume(self, volume: float) -> None:
        self._volume.emit(volume)

    def halt(self) -> None:
        self._halt.emit()

    def shutdown(self) -> None:
        """Close the device and end the thread. Safe to call twice."""
        if self._thread.isRunning():
            self._shut.emit()
            self._thread.quit()
            self._thread.wait(5000)
