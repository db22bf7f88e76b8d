"""Playing two tracks of 1080p30 with dissolves through proxies, in the real window, against ffmpeg in the same run.

``python -m tests.bench.bench_playback [seconds]`` prints the frames painted a second from the first that moves to the
last, the dropped ones, how soon after the key it moves, how far picture and sound were apart by the clock of the sound
device, and processor time; then how fast ffmpeg decodes and mixes the same two films (no display, no sound, as fast as
it can). The sound device is a stand-in that plays in real time.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop, QTimer
from PySide6.QtMultimedia import QtAudio
from PySide6.QtWidgets import QApplication

from gen2studio.core.curve import Curve, CurveKey
from gen2studio.document.composition import Transform, Transition
from gen2studio.document.model import Clip, Document, MediaItem
from tests.export.sequences import clip_of, document_with, item_of, sequence_with

CLIPS = Path(os.environ.get("GEN2STUDIO_TEST_MEDIA", Path(__file__).parents[3] / "shared" / "media")) / "clips"
RATE = Fraction(30)


class Card:
    """A sound device that plays what it is given at 48 kHz, by the system's clock."""

    capacity = 7200

    def __init__(self, *_args: object) -> None:
        self._began = 0.0
        self._written = 0

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

    def _played(self) -> int:
        if not self._written:
            return 0
        return min(self._written, int((time.perf_counter() - self._began) * 48000))

    def bytesFree(self) -> int:
        return max(0, self.capacity - (self._written - self._played())) * 8

    def processedUSecs(self) -> int:
        return self._played() * 1_000_000 // 48000

    def write(self, data: bytes) -> int:
        if not self._written:
            self._began = time.perf_counter()
        self._written += len(data) // 8
        return len(data)

    def setBufferSize(self, _size: int) -> None: ...
    def setVolume(self, _volume: float) -> None: ...
    def reset(self) -> None: ...
    def deleteLater(self) -> None: ...


def film(folder: Path, source: Path, name: str, seconds: int) -> Path:
    """1080p30 H.264 with sound and groups of 250, as cameras and screens make them."""
    path = folder / name
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", source, "-f", "lavfi", "-i", "sine=220:r=48000",
         "-map", "0:v", "-map", "1:a", "-t", str(seconds), "-vf", "scale=1920:1080,fps=30", "-c:v", "libx264",
         "-preset", "ultrafast", "-tune", "zerolatency", "-crf", "20", "-g", "250", "-c:a", "aac", path],
        check=True,
    )  # fmt: skip
    return path


def two_tracks(first: MediaItem, second: MediaItem, seconds: int) -> Document:
    """The lower track dissolves between two stretches every four seconds; the upper one moves, at 60 %."""
    lower: list[Clip] = []
    for start in range(0, seconds * 30, 120):
        clip = clip_of(first, f"clip-{start:012x}", start=start, duration=min(120, seconds * 30 - start))
        lower.append(replace(clip, source_in=Fraction(start, 30) if (start // 120) % 2 else Fraction(2)))
    transitions = tuple(
        Transition(id=f"trans-{left.end:012x}", left=left.id, right=right.id, before=15, after=15)
        for left, right in pairwise(lower)
    )
    end = seconds * 30
    glide = Curve(0.0, (CurveKey(0, -0.2), CurveKey(end, 0.2)))
    upper = replace(
        clip_of(second, "clip-upper0000001", duration=end),
        opacity=Curve(0.6), transform=Transform(scale=Curve(0.5), x=glide),
    )  # fmt: skip
    sound = clip_of(first, "clip-sound0000001", duration=end)
    sequence = sequence_with(tuple(lower), (upper,), audio=((sound,),), rate=RATE, size=(1920, 1080))
    tracks = (replace(sequence.tracks[0], transitions=transitions), *sequence.tracks[1:])
    return document_with(replace(sequence, tracks=tracks), first, second)


def wait(seconds: float, until: object = None) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end and not (callable(until) and until()):
        loop = QEventLoop()
        QTimer.singleShot(20, loop.quit)
        loop.exec()


def peer(first: Path, second: Path, seconds: int) -> tuple[float, float]:
    """(frames a second, processor seconds a frame) of ffmpeg laying one film over the other at the viewer's size."""
    graph = "[0:v]scale=960:540[a];[1:v]scale=480:270,format=rgba,colorchannelmixer=aa=0.6[b];[a][b]overlay=240:135"
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        ["ffmpeg", "-v", "error", "-t", str(seconds), "-i", first, "-t", str(seconds), "-i", second,
         "-filter_complex", graph, "-f", "null", "-"],
        check=True,
    )  # fmt: skip
    spent, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    frames = seconds * 30
    return frames / spent, (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / frames


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    sys.setswitchinterval(0.0005)
    scratch = tempfile.TemporaryDirectory(prefix="bench-playback-")
    folder = Path(scratch.name)
    os.environ["GEN2STUDIO_HOME"] = str(folder / "home")
    first = film(folder, CLIPS / "night_person_1080p_19s.mp4", "first.mp4", seconds)
    second = film(folder, CLIPS / "drone_coast_gopro_karma_12s.mp4", "second.mp4", seconds)

    application = QApplication([])
    from gen2studio.app import audio_output
    from gen2studio.compose import studio
    from gen2studio.ui import theme
    from gen2studio.ui.main_window import MainWindow

    audio_output.QAudioSink = Card  # type: ignore[assignment,misc]
    audio_output.QMediaDevices = Card()  # type: ignore[assignment,misc]
    theme.apply(application)
    services = studio()
    window = MainWindow(services)
    window.canvas.setMinimumSize(960, 564)
    window.resize(1680, 980)
    window.show()
    wait(1.0)
    items = item_of(first, "media-00000000000a"), item_of(second, "media-00000000000b")
    services.store.replace(two_tracks(*items, seconds), services.store.tiles)
    services.start()
    began = time.perf_counter()
    wait(600, lambda: all(services.programme.proxies.state_of(i.id).kind in ("ready", "none", "failed") for i in items))
    print(f"proxies of two minutes of 1080p30: {time.perf_counter() - began:.0f} s", flush=True)
    wait(2.0)

    late: list[float] = []
    """Milliseconds from when a frame was due to when it was painted."""
    due: list[float] = []
    """The same to when it became the playhead: what the clock and its timer cost."""
    frames: dict[int, float] = {}
    """When each frame was painted first."""
    drops: list[int] = []
    """Where the playhead was when frames were dropped."""
    player, clock = services.player, services.player._clock

    def shown() -> None:
        # After the paint that the picture causes: what the artist sees when. The first frame was there before.
        picture = services.feed.picture
        if player.playing and picture.shows == "programme" and picture.media_frame not in frames:
            frames[picture.media_frame] = time.perf_counter()
            if picture.media_frame:
                late.append((clock.seconds() - picture.media_frame / 30) * 1000)

    paint = window.canvas.paintEvent

    def painted(event: object) -> None:
        paint(event)  # type: ignore[arg-type]
        shown()

    window.canvas.paintEvent = painted  # type: ignore[method-assign,assignment]
    services.session.playhead_changed.connect(lambda frame: due.append((clock.seconds() - frame / 30) * 1000))
    player.dropped_changed.connect(lambda count: count and drops.append(services.session.playhead))
    usage, began, on_ui = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter(), time.thread_time()
    player.toggle()
    wait(seconds + 30, lambda: not player.playing)
    after = resource.getrusage(resource.RUSAGE_SELF)
    # A film of N frames is N - 1 steps from its first moving picture to its last.
    moving = [when for frame, when in frames.items() if frame]
    spent = (moving[-1] - moving[0]) * len(moving) / (len(moving) - 1)
    cpu = after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime
    on_ui = (time.thread_time() - on_ui) / max(1, len(frames)) * 1000
    begin, steady = np.array(late[:30]), np.array(late[30:])
    print(f"frames made at {services.programme.feed.size}, clock: {player.clock}")
    print(f"{'':28}{'frames/s':>10}{'dropped':>9}{'CPU ms/frame':>14}")
    each = cpu / max(1, len(frames)) * 1e3
    print(f"{'Gen2 Studio, playing':28}{len(moving) / spent:10.2f}{player.dropped:9d}{each:14.1f}")
    fps, each = peer(first, second, min(seconds, 20))
    print(f"{'ffmpeg, decode and overlay':28}{fps:10.2f}{'-':>9}{each * 1e3:14.1f}")
    print(f"of which on the UI thread: {on_ui:.1f} ms/frame")
    for name, values in (("in the first second", begin), ("afterwards", steady), ("of the timer alone", np.array(due))):
        middle, most = np.median(values), np.percentile(values, 95)
        print(
            f"A/V offset ms {name}: median {middle:.1f}, p95 {most:.1f}, max {values.max():.1f}, "
            f"above 20: {int((values > 20).sum())} of {len(values)}"
        )
    print(f"moving {(moving[0] - began) * 1000:.0f} ms after the key; frames dropped at: {drops or 'none'}")
    worst = sorted(np.argsort(np.array(late))[-5:].tolist())
    print("latest frames (number, ms):", ", ".join(f"{each + 1} {late[each]:.0f}" for each in worst))
    window.shutdown()
    scratch.cleanup()
    os._exit(0)


if __name__ == "__main__":
    main()
