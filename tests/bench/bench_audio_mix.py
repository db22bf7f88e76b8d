"""The mix of eight tracks against ffmpeg's ``amix`` on the same files, interleaved, best of three.

``python -m tests.bench.bench_audio_mix [seconds]``. Both decode eight AAC files, set eight gains and add them up; ours
pans and fades as well. Beside it: what tempo with pitch, the limiter, loudness and a scope cost.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from gen2studio.app.audio_mix import AudioMixer
from gen2studio.app.scopes import KINDS, counted
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.document.model import Document
from gen2studio.media.loudness import LoudnessMeter
from tests.export.sequences import clip_of, document_with, item_of, sequence_with

RATE, TRACKS = 48000, 8


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _measured(work: Callable[[], object]) -> float:
    before = _cpu()
    work()
    return _cpu() - before


def _sources(folder: Path, seconds: int) -> list[Path]:
    made: list[Path] = []
    for number in range(TRACKS):
        path = folder / f"{number}.m4a"
        tone = f"sine=frequency={110 * (number + 1)}:duration={seconds}:sample_rate={RATE}"
        words = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", tone, "-ac", "2", "-c:a", "aac", str(path)]
        subprocess.run(words, check=True)
        made.append(path)
    return made


def _document(paths: list[Path], seconds: int, **changes: object) -> Document:
    rate = Fraction(25)
    items = [item_of(path, f"media-{number:012x}") for number, path in enumerate(paths)]
    clips = [
        replace(clip_of(item, f"clip-{number:012x}", duration=seconds * 25), gain_db=-12.0, **changes)  # type: ignore[arg-type]
        for number, item in enumerate(items)
    ]
    return document_with(sequence_with(audio=tuple((clip,) for clip in clips), rate=rate), *items)


def _mix(document: Document, seconds: int, block: int = RATE // 10) -> None:
    mixer = AudioMixer(document)
    for first in range(0, seconds * RATE, block):
        mixer.read(Fraction(first, RATE), block)
    mixer.close()


def _amix(paths: list[Path]) -> None:
    words = ["ffmpeg", "-v", "error", "-threads", "1"]
    for path in paths:
        words += ["-i", str(path)]
    graph = "".join(f"[{n}:a]volume=-12dB[v{n}];" for n in range(TRACKS))
    graph += "".join(f"[v{n}]" for n in range(TRACKS)) + f"amix=inputs={TRACKS}:normalize=0"
    subprocess.run([*words, "-filter_complex", graph, "-f", "f32le", "-y", "/dev/null"], check=True)


def main() -> None:
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    with tempfile.TemporaryDirectory() as name:
        paths = _sources(Path(name), seconds)
        fades = {
            "fade_in": 25,
            "fade_out": 25,
            "pan": Curve(0.4),
            "volume": Curve(0.0, (CurveKey(0, 0.0), CurveKey(500, -6.0))),
        }
        plain, dressed = _document(paths, seconds), _document(paths, seconds, **fades)
        sounding = document_of_one(paths[0], seconds)
        works: dict[str, Callable[[], object]] = {
            "ffmpeg amix": lambda: _amix(paths),
            "8 tracks": lambda: _mix(plain, seconds),
            "8 tracks, faded, panned, automated": lambda: _mix(dressed, seconds),
            "1 track": lambda: _mix(sounding, seconds),
            "1 track, 5/4 speed, pitch kept": lambda: _mix(
                document_of_one(paths[0], seconds, speed=Fraction(5, 4)), seconds
            ),
            "1 track, limiter": lambda: _mix(limited(sounding), seconds),
            "loudness alone": lambda: _loudness(seconds),
        }
        best = dict.fromkeys(works, 1e9)
        for _ in range(3):
            for title, work in works.items():
                best[title] = min(best[title], _measured(work))
    peer = best["ffmpeg amix"]
    print(f"{seconds} s of sound, processor seconds, best of 3")
    for title, cost in best.items():
        print(f"{title:38} {cost:7.2f} s  {seconds / cost:6.0f} x real time  {cost / peer:5.2f} x amix")
    picture = np.random.default_rng(1).integers(0, 256, (270, 480, 4), np.uint8).repeat(4, 0).repeat(4, 1)
    for kind in KINDS:
        times = []
        for _ in range(5):
            before = time.process_time()
            counted(picture, frozenset({kind}))
            times.append(time.process_time() - before)
        print(f"{kind + ' of 1920×1080':38} {1000 * min(times):7.1f} ms")


def document_of_one(path: Path, seconds: int, **changes: object) -> Document:
    """One track with the file, which ends early where it plays faster."""
    return _document([path], seconds, **changes)


def limited(document: Document) -> Document:
    """The same with 30 dB more and the limiter on."""
    sequence = next(iter(document.sequences.values()))
    track = sequence.tracks[0]
    loud = replace(track, clips=(replace(track.clips[0], gain_db=24.0),))
    return replace(document, sequences={sequence.id: replace(sequence, tracks=(loud,), limiter=True)})


def _loudness(seconds: int) -> None:
    meter = LoudnessMeter(RATE)
    block = np.random.default_rng(2).uniform(-0.1, 0.1, (RATE, 2)).astype(np.float32)
    for _ in range(seconds):
        meter.feed(block)
    meter.result()


if __name__ == "__main__":
    main()
