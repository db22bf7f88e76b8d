"""Transfer, interpolation and upscaling against OpenCV's resize and blend: ``python -m tests.bench.bench_transfer``.

CPU seconds of one thread, PSNR against the truth: a known relight at full size, dropped frames, full-size frames.
"""

# Each lambda runs at once, in the iteration that made it.
# ruff: noqa: B023

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from gen2studio.diffusion.operators.interpolate import Between
from gen2studio.diffusion.operators.upscale import upscale_clip
from gen2studio.diffusion.transfer.apply import METHODS, apply_large
from tests.diffusion.test_conditioning import Picture, clip
from tests.diffusion.test_transfer import dusk, psnr, small

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "media" / "clips"
NAMES = (
    ("sam2_juggle_person_10s.mp4", 60),
    ("drone_coast_gopro_karma_12s.mp4", 60),
    ("two_people_walking_720p_2.4s.mp4", 10),
)


def timed(work: Callable[[], Picture]) -> tuple[Picture, float]:
    start = time.thread_time()
    made = work()
    return made, time.thread_time() - start


def row(what: str, name: str, ours: float, peer: float, seconds: float, peer_seconds: float) -> None:
    ratio = seconds / max(1e-4, peer_seconds)
    print(f"{what:22} {name[:18]:18} {ours:7.2f} {peer:7.2f} {ours - peer:+6.2f} {seconds:8.3f} {ratio:7.0f}x")


def main() -> None:
    cv2.setNumThreads(1)
    print(f"{'':22} {'clip':18} {'dB':>7} {'peer':>7} {'gain':>6} {'s/frame':>8} {'of peer':>8}")
    for name, start in NAMES:
        full = clip(CLIPS / name, start, 1, 512)[0]
        truth = dusk(full)
        tiny, result = small(full), small(truth)
        size = (full.shape[1], full.shape[0])
        peer, wait = timed(lambda: np.asarray(cv2.resize(result, size, interpolation=cv2.INTER_CUBIC), np.uint8))
        for method in METHODS:
            made, seconds = timed(lambda m=method: apply_large(tiny, result, full, method=m))
            row(f"transfer {method} / resize", name, psnr(made, truth), psnr(peer, truth), seconds, wait)
        frames = clip(CLIPS / name, start, 5, 288)
        made, seconds = timed(lambda: Between.of(frames[1], frames[3]).at(0.5))
        peer, wait = timed(lambda: np.asarray(cv2.addWeighted(frames[1], 0.5, frames[3], 0.5, 0), np.uint8))
        row("interpolate / blend", name, psnr(made, frames[2]), psnr(peer, frames[2]), seconds, wait)
        for factor in (2, 4):
            sides = [s // 8 * 8 for s in frames[0].shape[:2]]
            large = [np.ascontiguousarray(f[: sides[0], : sides[1]]) for f in frames]
            down = (sides[1] // factor, sides[0] // factor)
            little = [np.asarray(cv2.resize(f, down, interpolation=cv2.INTER_AREA), np.uint8) for f in large]
            made, seconds = timed(lambda: upscale_clip(little, factor)[2])
            peer, wait = timed(
                lambda: np.asarray(
                    cv2.resize(little[2], (sides[1], sides[0]), interpolation=cv2.INTER_LANCZOS4), np.uint8
                )
            )
            row(f"upscale x{factor} / Lanczos", name, psnr(made, large[2]), psnr(peer, large[2]), seconds / 5, wait)


if __name__ == "__main__":
    main()
