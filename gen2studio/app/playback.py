"""Playing the timeline: J-K-L shuttle with the sound card as the master clock.

The picture follows the clock, never the other way round: at each tick the frame that is due becomes the playhead, and
frames for which there was no time are counted as dropped. Without a sound device, or when nothing can be heard, the
system clock paces playback.

Playing begins when the first pictures are there, or a moment later: sound that runs on before them costs the frames
that it should begin with. While it plays, only young garbage is collected: looking through all objects takes longer
than a frame.

While stopped, a moving playhead is heard in 60 ms grains once the device has played.

Sound: 1x is exact, 2x either way is resampled (its pitch follows), from 4x on it is silent; backwards it is reversed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal

from gen2studio.app.audio_meters import MeterTap
from gen2studio.app.audio_mix import AudioMixer
from gen2studio.app.playback_clock import PlaybackClock, PlayPlan
from gen2studio.app.session import Session
from gen2studio.core import garbage
from gen2studio.document.model import Document

if TYPE_CHECKING:
    from gen2studio.app.audio_output import AudioOutput

TOP_SPEED = 8.0
_SCRUB_MS = 40
"""The least time between two grains of a scrubbed playhead."""
_STALL_SECONDS = 3.0
"""A device that has not played a sample by then is given up: playback must not hang."""
_ROLL_SECONDS = 0.25
"""How long playing waits for its first pictures."""
_LEAST_MS, _MOST_MS = 4, 10
"""The clock is looked at when the next frame is due, at the latest after so long: what the device says of the time may
shift it by some milliseconds. And hardly sooner: frames may follow each other more quickly than anyone can see."""


class Player(QObject):
    """Moves ``session.playhead`` in time. ``session.shuttle`` is the one truth about the speed: set it, or call these.

    The loop runs over [in, out) of the sequence, or all of it. Moving the playhead while playing plays on from there.
    """

    playing_changed = Signal(bool)
    dropped_changed = Signal(int)
    """Frames that could not be shown in time since playing started."""
    clock_changed = Signal(str)
    """``audio`` or ``system``: what paces playback now."""
    loop_changed = Signal(bool)

    def __init__(self, session: Session, parent: QObject | None = None, *, sound: bool = True) -> None:
        """``sound`` False never touches a sound device."""
        super().__init__(parent)
        self._session = session
        self._sound = sound
        self._clock = PlaybackClock()
        self.meters = MeterTap()
        """How loud what is heard now is."""
        self.ready: Callable[[], bool] | None = None
        """Whether the pictures that come first are there: playing begins with them."""
        self._rolling = 0.0
        """Since when playing waits for them; 0 while it doesn't."""
        self._audio: AudioOutput | None = None
        self._token = 0
        self._loop = False
        self._part: tuple[int, int, int, bool] | None = None
        """(first, stop, rest, loop) of :meth:`play_range`."""
        self._heard: Document | None = None
        """What is played in place of the session's document."""
        self._volume = 1.0
        self._dropped = 0
        self._held = False
        self._moving = False
        self._told = False
        self._last_frame = 0
        self._speed = 0.0
        self._device_there = False
        self._scrub = QTimer(self)
        self._scrub.setSingleShot(True)
        self._scrub.setInterval(_SCRUB_MS)
        self._scrub.timeout.connect(self._on_scrub)
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_tick)
        session.shuttle_changed.connect(self._on_shuttle_changed)
        session.playhead_changed.connect(self._on_playhead_changed)
        session.store.changed.connect(self._on_document_changed)

    # -- state -----------------------------------------------------------------------------------------------------

    @property
    def playing(self) -> bool:
        return self._timer.isActive()

    @property
    def dropped(self) -> int:
        return self._dropped

    @property
    def clock(self) -> str:
        """``audio`` or ``system``."""
        return "audio" if self._clock.on_device else "system"

    @property
    def loop(self) -> bool:
        return self._loop

    def set_loop(self, loop: bool) -> None:
        """Repeat between in and out (or the whole sequence)."""
        if loop != self._loop:
            self._loop = loop
            self.loop_changed.emit(loop)

    @property
    def volume(self) -> float:
        return self._volume

    def set_volume(self, volume: float) -> None:
        """Linear 0…1 monitor volume; exports are not affected."""
        self._volume = min(1.0, max(0.0, volume))
        if self._audio is not None:
            self._audio.set_volume(self._volume)

    def set_audio_offset(self, milliseconds: float) -> None:
        """Positive: the sound is heard later than the device says (a Bluetooth headset); the picture waits."""
        self._clock.set_offset(milliseconds / 1000)

    # -- commands --------------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Space: play forward at 1x, or pause."""
        self._session.set_shuttle(0.0 if self._session.shuttle else 1.0)

    def forward(self) -> None:
        """L: play; again doubles up to 8x; with K held, one frame on."""
        self._shuttle(1)

    def backward(self) -> None:
        """J: play backwards; again doubles up to 8x; with K held, one frame back."""
        self._shuttle(-1)

    def _shuttle(self, way: int) -> None:
        if self._held:
            self.step(way)
            return
        speed = self._session.shuttle
        if speed * way > 0:
            self._session.set_shuttle(way * min(TOP_SPEED, abs(speed) * 2))
        else:
            self._session.set_shuttle(float(way))

    def hold(self) -> None:
        """K pressed: stop; while it is held J and L step."""
        self._held = True
        self.stop()

    def release(self) -> None:
        """K released."""
        self._held = False

    def play_range(self, first: int, stop: int, *, rest: int | None = None, loop: bool = False) -> None:
        """Play frames [first, stop) once, or over and over with ``loop``; stopped, the playhead goes to ``rest`` where
        one is given."""
        self.stop()
        sequence = self._session.sequence
        end = sequence.duration if sequence else 0
        first, stop = max(0, first), min(end, stop)
        if first < stop:
            self._part = (first, stop, stop - 1 if rest is None else rest, loop)
            self._move(first)
            self._session.set_shuttle(1.0)

    def hear(self, document: Document | None) -> None:
        """Play the sound of ``document``, to its end, in place of the session's from the next start on; None: no
        longer. It is the session's with something else on its timeline."""
        self._heard = document

    def stop(self) -> None:
        self._session.set_shuttle(0.0)

    def step(self, frames: int) -> None:
        """Stop and move by ``frames``, inside the sequence."""
        self.stop()
        sequence = self._session.sequence
        last = max(0, sequence.duration - 1) if sequence else 0
        self._session.set_playhead(min(last, max(0, self._session.playhead + frames)))

    def shutdown(self) -> None:
        """Stop playing and end the audio thread. Safe to call twice."""
        if self.playing:
            garbage.rest()
        self._timer.stop()
        self._scrub.stop()
        if self._audio is not None:
            self._audio.shutdown()
            self._audio = None

    # -- playing ---------------------------------------------------------------------------------------------------

    def _bounds(self) -> tuple[int, int]:
        """Frames [first, stop) that are played: in to out while looping, else everything."""
        sequence = self._session.sequence
        if sequence is None:
            return 0, 0
        first, stop = 0, sequence.duration
        if self._heard is not None and self._heard.sequence is not None:
            stop = max(stop, self._heard.sequence.duration)
        if self._part is not None:
            return min(self._part[0], stop), min(self._part[1], stop)
        if self._loop:
            first = min(sequence.in_point or 0, max(0, stop - 1))
            stop = min(stop, sequence.out_point if sequence.out_point is not None else stop)
        return first, max(first, stop)

    def _on_shuttle_changed(self, speed: float) -> None:
        was = self.playing
        if speed == 0.0:
            self._timer.stop()
            if self._audio is not None:
                self._audio.halt()
            self._speed = self._rolling = 0.0
            if self._part is not None:
                rest, self._part = self._part[2], None
                self._move(rest)
        elif not self._start(speed):
            self._session.set_shuttle(0.0)
            return
        if self.playing != was:
            (garbage.hurry if self.playing else garbage.rest)()
            self.playing_changed.emit(self.playing)

    def _start(self, speed: float) -> bool:
        sequence = self._session.sequence
        first, stop = self._bounds()
        if sequence is None or first >= stop:
            return False
        frame = self._session.playhead
        # At the end there is nothing left to play that way: begin again from the other side.
        if speed > 0 and (frame >= stop - 1 or (self._loop and frame < first)):
            frame = first
        elif speed < 0 and (frame <= first or (self._loop and frame >= stop)):
            frame = stop - 1
        fresh = not self.playing
        if fresh:
            self._dropped = 0
            self.dropped_changed.emit(0)
        self._speed = speed
        self._move(frame)
        if fresh and self.ready is not None and not self.ready():
            self._rolling, self._last_frame = time.perf_counter(), frame
        else:
            self._aim(frame)
        self._timer.start(_LEAST_MS)
        return True

    def _aim(self, frame: int) -> None:
        """(Re)start the clock and the sound at ``frame``."""
        sequence = self._session.sequence
        assert sequence is not None
        self._token += 1
        self._rolling, self._last_frame = 0.0, frame
        # Backwards, time runs from the end of the frame that is shown.
        start = Fraction(frame + (1 if self._speed < 0 else 0)) / sequence.rate
        document = self._heard or self._session.document
        device = self._sound and AudioMixer(document).audible
        before = self.clock
        self._clock.begin(start, self._speed, on_device=device, token=self._token)
        if device:
            if self._audio is None:
                from gen2studio.app.audio_output import AudioOutput

                self._audio = AudioOutput(self._clock, self, tap=self.meters)
                self._audio.lost.connect(self._on_device_lost)
                self._audio.set_volume(self._volume)
            self._device_there = True
            self._audio.play(PlayPlan(document=document, start=start, speed=self._speed, token=self._token))
        elif self._audio is not None:
            self._audio.halt()
        if self.clock != before:
            self.clock_changed.emit(self.clock)

    def _on_tick(self) -> None:
        if self._rolling:
            assert self.ready is not None
            if self.ready() or time.perf_counter() - self._rolling > _ROLL_SECONDS:
                self._aim(self._session.playhead)
            return
        self._look()
        if self._timer.isActive():
            self._timer.setInterval(self._wait())

    def _wait(self) -> int:
        """Milliseconds until the next frame is due, as the clock goes now."""
        sequence = self._session.sequence
        if sequence is None or self._clock.stalled_for():
            return _LEAST_MS
        rate, speed = float(sequence.rate), self._speed
        due = (self._last_frame + (1 if speed > 0 else 0)) / rate
        left = ceil((due - self._clock.seconds()) / speed * 1000)
        return min(_MOST_MS, max(1 if rate * abs(speed) < 1000 / _LEAST_MS else _LEAST_MS, left))

    def _look(self) -> None:
        """Show the frame that is due."""
        sequence = self._session.sequence
        first, stop = self._bounds()
        if sequence is None or first >= stop:
            self.stop()
            return
        if self._clock.stalled_for() > _STALL_SECONDS:
            self._on_device_lost(self._token, "The sound device does not play.")
        position = Fraction(self._clock.seconds()) * sequence.rate
        # A sample's rounding must not show a frame too early or late: a thousandth of a frame is nothing.
        frame = floor(position + Fraction(1, 1000)) if self._speed > 0 else -floor(-position + Fraction(1, 1000)) - 1
        if frame == self._last_frame:
            return
        if not first <= frame < stop:
            self._on_end(first, stop)
            return
        passed = abs(frame - self._last_frame) / abs(self._speed)
        missed = max(0, floor(passed + 0.25) - 1)
        self._last_frame = frame
        self._move(frame)
        if missed:
            self._dropped += missed
            self.dropped_changed.emit(self._dropped)

    def note_late(self, frames: int = 1) -> None:
        """Pictures that were not ready in time: they count as dropped while playing."""
        if self.playing:
            self._dropped += frames
            self.dropped_changed.emit(self._dropped)

    def _on_end(self, first: int, stop: int) -> None:
        forwards = self._speed > 0
        if self._part[3] if self._part is not None else self._loop:
            frame = first if forwards else stop - 1
            self._move(frame)
            self._aim(frame)
            return
        self._move(stop - 1 if forwards else first)
        self.stop()

    def _move(self, frame: int) -> None:
        self._moving = True
        try:
            self._session.set_playhead(frame)
        finally:
            self._moving = False

    def _on_playhead_changed(self, frame: int) -> None:
        if self._moving:
            return
        if self.playing:
            self._aim(frame)
        elif self._audio is not None and self._device_there and not self._scrub.isActive():
            self._scrub.start()

    def _on_scrub(self) -> None:
        sequence = self._session.sequence
        if self._audio is not None and sequence is not None and not self.playing:
            self._audio.grain(self._session.document, Fraction(self._session.playhead) / sequence.rate)

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if not self.playing:
            return
        if new.sequence is None:
            self.stop()
        elif new.sequence is not old.sequence and self._audio is not None and self._heard is None:
            self._audio.adopt(new)

    def _on_device_lost(self, token: int, sentence: str) -> None:
        if token != self._token or not self._clock.on_device:
            return
        self._device_there = False
        self._clock.detach()
        self.clock_changed.emit(self.clock)
        if not self._told:
            self._told = True
            self._session.tell(f"{sentence} Playback goes on without sound.", "warning")
