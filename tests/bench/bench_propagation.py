"""Mask propagation from the first frame's truth on the shared DAVIS clips, beside simpler ways.

Run ``python -m tests.bench.bench_propagation [clip …] [--quick]``. J is region overlap and F the boundary measure of
Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016: boundaries
match within a disk of 0.008 × the diagonal (8 px at 854×480); first and last frame are left out. The last two columns
give the worst frame its truth as a further anchor, once and twice.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.raster.flow import dis_flow, grey, warp
from gen2studio.segmentation.confidence import SUSPECT
from gen2studio.segmentation.tracker import FlowTracker
from tests.segmentation.clip import ClipContext, Disk, world

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media" / "davis"
SHARED = ("dog", "lucia", "car-shadow", "blackswan")

Mask = NDArray[np.uint8]


def region(a: NDArray, b: NDArray) -> float:
    """J: intersection over union; 1 when both are empty."""
    one, other = a > 127, b > 127
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else 1.0


def _boundary(mask: NDArray) -> Mask:
    """One-pixel boundary: pixels that differ from their right, lower or lower-right neighbour (as DAVIS' seg2bmap)."""
    inside = mask > 127
    edge = np.zeros(inside.shape, bool)
    edge[:-1, :-1] = (
        (inside[:-1, :-1] ^ inside[1:, :-1])
        | (inside[:-1, :-1] ^ inside[:-1, 1:])
        | (inside[:-1, :-1] ^ inside[1:, 1:])
    )
    edge[-1, :-1] = inside[-1, :-1] ^ inside[-1, 1:]
    edge[:-1, -1] = inside[:-1, -1] ^ inside[1:, -1]
    return edge.astype(np.uint8)


def contour(a: NDArray, b: NDArray) -> float:
    """F: harmonic mean of boundary precision and recall within the tolerance disk."""
    radius = int(np.ceil(0.008 * np.hypot(*a.shape)))
    ys, xs = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (xs * xs + ys * ys <= radius * radius).astype(np.uint8)
    one, other = _boundary(a), _boundary(b)
    if not one.any() and not other.any():
        return 1.0
    if not one.any() or not other.any():
        return 0.0
    precision = float((one & cv2.dilate(other, disk)).sum() / one.sum())
    recall = float((other & cv2.dilate(one, disk)).sum() / other.sum())
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


@dataclass
class Clip:
    name: str
    frames: list[NDArray[np.uint8]]
    truth: list[Mask]
    first: int
    """The first frame with a subject."""


def davis_clip(name: str) -> Clip:
    folder = MEDIA / name
    frames = [
        np.asarray(cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB), np.uint8)
        for p in sorted((folder / "frames").iterdir())
    ]
    truth = [
        np.where(cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) > 127, 255, 0).astype(np.uint8)
        for p in sorted((folder / "masks").iterdir())
    ]
    # A subject that enters is taken up once it shows at least half of its median size.
    sizes = np.array([int((m > 0).sum()) for m in truth])
    first = int(np.flatnonzero(sizes >= 0.5 * np.median(sizes[sizes > 0]))[0])
    return Clip(name, frames, truth, 0 if sizes[0] else first)


def made_clips() -> list[Clip]:
    """Cases with exact truth that real clips lack: full occlusion, look-alike, fast motion, camera shake."""
    red = (205, 85, 50)
    cases = {
        "made: post": world([Disk((60, 120), (9, 0), 30, red)], 40, (240, 428), wall=(150, 240)),
        "made: look-alike": world(
            [Disk((60, 110), (8, 0), 30, red), Disk((370, 130), (-8, 0), 30, red, seed=5)], 40, (240, 428)
        ),
        "made: fast": world([Disk((50, 60), (17, 6), 26, red)], 20, (240, 428)),
        "made: shake": world([Disk((80, 120), (5, 1), 30, red)], 40, (240, 428), shake=14),
    }
    return [
        Clip(name, frames, [np.where(m > 127, 255, 0).astype(np.uint8) for m in truth[0]], 0)
        for name, (frames, truth) in cases.items()
    ]


def copied(clip: Clip) -> dict[int, Mask]:
    return {t: clip.truth[clip.first] for t in range(clip.first + 1, len(clip.frames))}


def flow_warped(clip: Clip) -> dict[int, Mask]:
    """The soft mask chained by full-size DIS flow."""
    matte = clip.truth[clip.first].astype(np.float32)
    result: dict[int, Mask] = {}
    for t in range(clip.first + 1, len(clip.frames)):
        matte = np.asarray(warp(matte, dis_flow(grey(clip.frames[t]), grey(clip.frames[t - 1]))), np.float32)
        result[t] = np.round(matte).astype(np.uint8)
    return result


def cut_per_frame(clip: Clip) -> dict[int, Mask]:
    """GrabCut on each half-size frame, started from the mask of the frame before with a band left open."""
    height, width = clip.truth[0].shape
    mask = cv2.resize(clip.truth[clip.first], (width // 2, height // 2), interpolation=cv2.INTER_AREA) > 127
    kernel = np.ones((3, 3), np.uint8)
    result: dict[int, Mask] = {}
    for t in range(clip.first + 1, len(clip.frames)):
        small = cv2.resize(clip.frames[t], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        labels = np.where(mask, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        labels[cv2.erode(mask.astype(np.uint8), kernel, iterations=8) > 0] = cv2.GC_FGD
        labels[cv2.dilate(mask.astype(np.uint8), kernel, iterations=8) == 0] = cv2.GC_BGD
        if mask.sum() > 20:
            cv2.setRNGSeed(1)
            cv2.grabCut(small, labels, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), 1, cv2.GC_INIT_WITH_MASK)
            mask = (labels == cv2.GC_FGD) | (labels == cv2.GC_PR_FGD)
        result[t] = cv2.resize(mask.astype(np.uint8) * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return result


@dataclass
class Tracked:
    masks: dict[int, Mask]
    confidence: dict[int, float]
    cpu_ms: float
    wall_ms: float


def tracked(clip: Clip, corrections: tuple[int, ...] = ()) -> Tracked:
    context = ClipContext(clip.frames)
    anchors = {f: clip.truth[f] for f in (clip.first, *corrections)}
    request = context.request({"subject": anchors}, start=clip.first)
    wall, cpu = time.perf_counter(), time.process_time()
    FlowTracker().propagate(request, context)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    masks = {f: m for (_, f), (m, _) in context.emitted.items()}
    count = max(1, len(masks))
    masks.update({f: clip.truth[f] for f in corrections})
    sure = {f: c for (_, f), (_, c) in context.emitted.items()}
    return Tracked(masks, sure, 1000 * cpu / count, 1000 * wall / count)


def measured(clip: Clip, masks: dict[int, Mask]) -> tuple[float, float, dict[int, float]]:
    """Mean J, mean F and J per frame, without the first and the last frame."""
    frames = range(clip.first + 1, len(clip.frames) - 1)
    per_frame = {t: region(masks[t], clip.truth[t]) for t in frames}
    return (
        float(np.mean(list(per_frame.values()))),
        float(np.mean([contour(masks[t], clip.truth[t]) for t in frames])),
        per_frame,
    )


def _shown(values: tuple[float, float]) -> str:
    return f"{values[0]:.3f}/{values[1]:.3f}"


def bench(clip: Clip, quick: bool) -> list[tuple[float, float]]:
    """Print one clip's row; return (J, F) per column."""
    peers: list[Callable[[Clip], dict[int, Mask]]] = [copied, flow_warped, cut_per_frame]
    scores = [measured(clip, peer(clip))[:2] for peer in peers]
    run = tracked(clip)
    j, f, per_frame = measured(clip, run.masks)
    scores.append((j, f))
    wrong = [t for t in per_frame if per_frame[t] < 0.4]
    silent = [t for t in wrong if run.confidence[t] >= SUSPECT]
    anchors: tuple[int, ...] = ()
    for _ in range(0 if quick else 2):
        anchors = (*anchors, min(per_frame, key=lambda t: per_frame[t]))
        j, f, per_frame = measured(clip, tracked(clip, anchors).masks)
        scores.append((j, f))
    row = " ".join(f"{_shown(s):>12}" for s in scores)
    print(f"{clip.name:18}{row}  {run.cpu_ms:6.0f} {run.wall_ms:6.0f}   {len(silent)}/{len(wrong)}", flush=True)
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clips", nargs="*", help="folders of the DAVIS media; default: all, and the made ones")
    parser.add_argument("--quick", action="store_true", help="leave out the corrections")
    arguments = parser.parse_args()
    names = ["copied", "DIS warp", "GrabCut", "tracker", "+1", "+2"]
    print(
        "J/F from the first frame's truth; ms per frame of the tracker; frames J < .4 that were not flagged / all such"
    )
    print(f"{'clip':18}" + " ".join(f"{n:>12}" for n in names) + "     cpu   wall   silent")
    if arguments.clips:
        for name in arguments.clips:
            bench(davis_clip(name), arguments.quick)
        return 0
    rows = [bench(davis_clip(name), arguments.quick) for name in SHARED]
    means = [tuple(np.mean([row[c] for row in rows], 0)) for c in range(len(rows[0]))]
    print(f"{'mean of the four':18}" + " ".join(f"{_shown((float(m[0]), float(m[1]))):>12}" for m in means))
    j, f = means[3]
    print(f"bars: J {j:.3f} >= 0.78 {j >= 0.78}, F {f:.3f} >= 0.74 {f >= 0.74}; good: {j >= 0.82 and f >= 0.79}")
    others = sorted(p.name for p in MEDIA.iterdir() if (p / "masks").is_dir() and p.name not in SHARED)
    for clip in [*(davis_clip(name) for name in others), *made_clips()]:
        bench(clip, True)
    return 0 if j >= 0.78 and f >= 0.74 else 1


if __name__ == "__main__":
    sys.exit(main())
