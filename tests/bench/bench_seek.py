"""Random seeking and stepping against PyAV, OpenCV, mpv and the ffmpeg program, interleaved in one run.

``python -m tests.bench.bench_seek`` prints the table; ``--exhaustive`` instead compares every frame of every shared
clip, reached in random order, with plain decoding in order (0 wrong is the only acceptable answer).
"""

from __future__ import annotations

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np

from gen2studio.media.clock import clock_of
from gen2studio.media.decoder import open_decoder
from gen2studio.media.decoder_colour import PlanarPicture, settle_tags
from gen2studio.media.decoder_seek import FrameSeeker
from gen2studio.media.frame_server import FrameServer
from gen2studio.media.probe import probe

GOP = 250
SECONDS = 11


def make_clip() -> Path:
    """1080p30 H.264, one key frame every 250 frames, 3 B-frames: moving texture with grain. Made once."""
    path = Path(tempfile.gettempdir()) / f"gen2studio_bench_g{GOP}_{SECONDS}s.mp4"
    if path.exists():
        return path
    rng = np.random.default_rng(7)
    texture = cv2.GaussianBlur(rng.integers(0, 256, (1400, 2400, 3), np.uint8), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    grain = rng.integers(0, 12, (8, 1080, 1920, 3), np.uint8)
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as container:
        options = {"preset": "veryfast", "g": str(GOP), "keyint_min": str(GOP), "sc_threshold": "0", "bf": "3"}
        stream = container.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1920, 1080, "yuv420p", 5_000_000
        for number in range(30 * SECONDS):
            x, y = int(200 + 190 * np.sin(number / 40)), int(140 + 130 * np.cos(number / 31))
            picture = cv2.add(texture[y : y + 1080, x : x + 1920], grain[number % 8])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    part.rename(path)
    return path


class PlainPyAV:
    """Seek to the key frame, decode until the timestamp comes: what everybody writes."""

    def __init__(self, path: Path, pts: np.ndarray) -> None:
        self.container = av.open(str(path))
        self.stream = self.container.streams.video[0]
        self.stream.thread_type = "AUTO"
        self.pts = pts

    def frame(self, index: int) -> np.ndarray:
        target = int(self.pts[index])
        self.container.seek(target, stream=self.stream)
        for frame in self.container.decode(self.stream):
            if frame.pts >= target:
                return frame.to_ndarray(format="bgra")
        raise LookupError(index)


def timed(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


def spawn(command: list[str]) -> Callable[[], object]:
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def percentile(values: list[float], part: float) -> float:
    return float(np.percentile(values, part))


def seek_table(path: Path, rounds: int) -> float:
    clock = clock_of(path)
    ours = open_decoder(path)
    plain = PlainPyAV(path, clock.pts)
    capture = cv2.VideoCapture(str(path))

    def opencv(index: int) -> None:
        capture.set(cv2.CAP_PROP_POS_FRAMES, index)
        assert capture.read()[0]

    engines: dict[str, Callable[[int], Callable[[], object]]] = {
        "ours": lambda n: lambda: ours.bgra(n),
        "PyAV seek and decode": lambda n: lambda: plain.frame(n),
        "OpenCV VideoCapture": lambda n: lambda: opencv(n),
    }
    seconds = [float(clock.time_of(n)) for n in range(clock.frame_count)]
    if shutil.which("ffmpeg"):
        engines["ffmpeg, one spawn a frame"] = lambda n: spawn(
            [
                "ffmpeg",
                "-v",
                "error",
                "-ss",
                f"{seconds[n]:.6f}",
                "-i",
                str(path),
                "-frames:v",
                "1",
                "-pix_fmt",
                "bgra",
                "-f",
                "rawvideo",
                "-y",
                "/dev/null",
            ]
        )
    if shutil.which("mpv"):
        engines["mpv, one spawn a frame"] = lambda n: spawn(
            [
                "mpv",
                "--no-config",
                "--no-terminal",
                "--no-audio",
                "--vo=null",
                "--untimed",
                "--hr-seek=yes",
                f"--start={seconds[n]:.6f}",
                "--frames=1",
                str(path),
            ]
        )
    samples: dict[str, list[float]] = {name: [] for name in engines}
    chosen = random.Random(11)
    for _ in range(rounds):
        index = chosen.randrange(clock.frame_count)
        for name in chosen.sample(list(engines), len(engines)):
            # Each engine comes from another place of the file, as after a click on the timeline.
            samples[name].append(timed(engines[name](index)))
    base = statistics.median(samples["PyAV seek and decode"])
    print(f"\nrandom seek, 1080p30 GOP {GOP}, {rounds} frames{'p50 ms':>14}{'p95 ms':>9}{'vs PyAV':>9}")
    for name, values in samples.items():
        middle = statistics.median(values)
        print(f"  {name:<38}{middle:>12.0f}{percentile(values, 95):>9.0f}{middle / base:>9.2f}")
    for name in ("ffmpeg", "mpv"):
        if not shutil.which(name):
            print(f"  {name}: not installed here")
    ours.close()
    plain.container.close()
    capture.release()
    return statistics.median(samples["ours"]) / base


def step_table(path: Path, steps: int) -> float:
    """One step forward with a kept decoder against decoding the next frame in order, alternating."""
    clock = clock_of(path)
    ours = open_decoder(path)
    container = av.open(str(path))
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    frames = container.decode(stream)
    extent = ours.info.extent

    def decode_next() -> None:
        # The same conversion for both: swscale's quick one is cheaper, and a code value too dark.
        frame = next(frames)
        settle_tags(frame)
        PlanarPicture(frame, extent).bgra()

    start = 20
    ours.bgra(start)
    for _ in range(start + 1):
        next(frames)
    stepping: list[float] = []
    decoding: list[float] = []
    for index in range(start + 1, min(start + 1 + steps, clock.frame_count)):
        stepping.append(timed(lambda index=index: ours.bgra(index)))
        decoding.append(timed(decode_next))
    ratio = statistics.mean(stepping) / statistics.mean(decoding)
    print(
        f"\none step forward {statistics.mean(stepping):.2f} ms, decoding one {statistics.mean(decoding):.2f} ms,"
        f" ratio {ratio:.2f}"
    )
    ours.close()
    container.close()
    return ratio


def cached_table(path: Path) -> float:
    """A playhead dragged to and fro over a dozen frames already seen, then over ones that are cached but not ready."""
    server = FrameServer()
    for index in range(40):
        server.get(path, index)
    ready = [
        timed(lambda index=index: server.get(path, index)) for index in random.Random(3).choices(range(28, 40), k=300)
    ]
    compact = [timed(lambda index=index: server.get(path, index)) for index in range(20)]
    server.shutdown()
    for name, values in (("ready", ready), ("to be converted", compact)):
        print(f"cached 1080p get, {name}: p50 {statistics.median(values):.2f} ms, p95 {percentile(values, 95):.2f} ms")
    return percentile(ready, 95)


def exhaustive(budget: float) -> int:
    from tests.media.conftest import clip_paths
    from tests.media.reference import fingerprint, frames_in_order

    wrong_total = frames_total = 0
    for path in clip_paths():
        clock = clock_of(path)
        truth = frames_in_order(path, clock.frame_count)
        seeker = FrameSeeker(path, clock)
        info = probe(path)
        # A jump decodes half a group of pictures: where a jump to every frame costs too much, runs begin at random.
        groups = max(1, len(clock.keys))
        cost = clock.frame_count**2 / groups / 2 * info.coded_width * info.coded_height
        length = min(48, max(1, round(cost / budget)))
        runs = [range(n, min(n + length, clock.frame_count)) for n in range(0, clock.frame_count, length)]
        random.Random(path.name).shuffle(runs)
        order = [index for run in runs for index in run]
        wrong = [n for n in order if fingerprint(seeker.frame(n)) != truth.get(int(clock.pts[n]))]
        seeker.close()
        frames_total += len(order)
        wrong_total += len(wrong)
        print(
            f"{len(wrong):4d} wrong of {len(order):5d}  in {len(runs):4d} jumps  {path.name} {wrong[:5] or ''}",
            flush=True,
        )
    print(f"{wrong_total} wrong of {frames_total} frames")
    return int(wrong_total > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exhaustive", action="store_true", help="compare every frame of every shared clip")
    parser.add_argument("--budget", type=float, default=1e9, help="pixels a clip may cost in jumps (%(default).0e)")
    parser.add_argument("--rounds", type=int, default=15)
    chosen = parser.parse_args()
    if chosen.exhaustive:
        return exhaustive(chosen.budget)
    path = make_clip()
    seek = seek_table(path, chosen.rounds)
    step = step_table(path, 120)
    cached = cached_table(path)
    print(
        f"\ntargets: seek vs PyAV {seek:.2f} (<= 0.90), step vs decode {step:.2f} (<= 1.10),"
        f" cached p95 {cached:.1f} ms (< 8)"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
