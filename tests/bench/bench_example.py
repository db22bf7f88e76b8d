"""The example-based generator against its bars: ``python -m tests.bench.bench_example [--frames N] [--only PART,…]``.

CPU seconds count every thread of the process, one worker thread; 512×288 pixels (square clips: 384×384, the same
number). The flow of the measures (Farnebäck) is another family than that of the synthesis (DIS). Beside it: the colour
map alone, a run without keys (must be worse, else the measure is broken), plain warping of a
painted key, and a fast-style network.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from gen2studio.core.cancel import CancelToken
from gen2studio.engine.requests import BlobRef, KeyRef, PatternRef
from gen2studio.example import colour_map, kernels
from gen2studio.example.brushwork import Brushwork
from gen2studio.example.compiled import Team
from gen2studio.example.film import Footage, as_float
from gen2studio.example.look import ClipColours, PaintingLook
from gen2studio.example.words import Intent
from gen2studio.raster import flow, measures
from tests.bench.fast_style_net import FastStyleNet
from tests.example.stage import MEDIA, ClipContext, Picture, clip, picture, request, run

CASES = (
    ("coast + Van Gogh", "drone_coast_gopro_karma_12s.mp4", (512, 288), 40, "van_gogh_starry_night.jpg"),
    ("runner + Scream", "woman_running_512_6s.mp4", (384, 384), 0, "munch_the_scream.jpg"),
    ("dog + Hokusai", "golden_retriever_512_3.2s.mp4", (384, 384), 0, "hokusai_great_wave.jpg"),
)
STYLE = (BlobRef(digest="style"),)
ROW = "{:<34}{:<20}{:>10}  {:>12}  {}"


def show(what: str, case: str, value: float, bar: str, good: bool) -> None:
    print(ROW.format(what, case, f"{value:.3f}", bar, "ok" if good else "MISSED"), flush=True)


def timed(
    clip_frames: Sequence[Picture],
    blobs: dict[str, Picture],
    masks: Sequence[Picture] | None = None,
    /,
    **wanted: object,
) -> tuple[dict[int, Picture], float]:
    """Frames of a run and its CPU seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        context = ClipContext(clip_frames, Path(scratch), blobs=blobs, masks=masks)
        start = time.process_time()
        run(context, request(clip_frames, **wanted))
        return context.out, time.process_time() - start


def table_only(frames: Sequence[Picture], style: Picture) -> list[Picture]:
    """The clip through its colour map and nothing else."""
    with tempfile.TemporaryDirectory() as scratch, Team(1) as team:
        wanted = request(frames, styles=STYLE)
        context = ClipContext(frames, Path(scratch), blobs={"style": style})
        table = ClipColours(Footage(wanted, context), None, [(style, 1.0)], Intent()).table(1.0)
        return [np.rint(colour_map.apply(table, as_float(f), team) * 255).astype(np.uint8) for f in frames]


def key_seconds(frames: Sequence[Picture], style: Picture) -> float:
    """CPU seconds of one key frame: base, guides and synthesis."""
    with tempfile.TemporaryDirectory() as scratch, Team(1) as team:
        wanted = request(frames, styles=STYLE)
        footage = Footage(wanted, ClipContext(frames, Path(scratch), blobs={"style": style}))
        table = ClipColours(footage, None, [(style, 1.0)], Intent()).table(1.0)
        look = PaintingLook(Brushwork.of(wanted, None), table, [(style, 1.0)], footage.work[1])
        start = time.process_time()
        look.key(as_float(frames[0]), None, team, CancelToken())
        return time.process_time() - start


def looks(count: int) -> None:
    for name, file, (width, height), first, style_name in CASES:
        frames, style = clip(file, width, height, count, first), picture(style_name)
        blobs = {"style": style}
        seconds = key_seconds(frames, style)
        show("key frame, CPU s", name, seconds, "<= 2.1", seconds <= 2.1)
        out, spent = timed(frames, blobs, styles=STYLE)
        show("keyed video, CPU s/frame", name, spent / count, "<= 0.8", spent / count <= 0.8)
        keyed = [out[i] for i in range(count)]
        motion = measures.held_out_motion(frames)
        source = measures.warp_error(frames, motion)
        mapped = measures.warp_error(table_only(frames, style), motion) / source
        errors = measures.warp_errors(keyed, motion)
        ratio = float(errors.mean()) / source
        show("warp error / source", name, ratio, "(info)", True)
        show("colour map alone / source", name, mapped, "(info)", True)
        show("keyed / colour map alone", name, ratio / mapped, "<= 1.15", ratio / mapped <= 1.15)
        keys = sorted({*range(0, count - 1, 9), count - 1})
        own = measures.warp_errors(frames, motion)
        relative = errors / np.maximum(own, 1e-6)
        at = [k - 1 for k in keys if k] + [k for k in keys if k < count - 1]
        rest = [i for i in range(count - 1) if i not in at]
        jump = float(relative[at].mean() / relative[rest].mean())
        show("error at keys / others", name, jump, "<= 1.5", jump <= 1.5)
        middle = [(a + b) // 2 for a, b in itertools.pairwise(keys)]
        kept = float(
            np.mean([measures.detail(keyed[m]) for m in middle]) / np.mean([measures.detail(keyed[k]) for k in keys])
        )
        show("detail between keys / at keys", name, kept, ">= 0.85", kept >= 0.85)
        gain = float(np.mean([measures.detail(a) for a in keyed]) / np.mean([measures.detail(a) for a in frames]))
        show("detail / source", name, gain, ">= 1.0", gain >= 1.0)
        few = min(count, 5)
        alone, _ = timed(frames[:few], blobs, styles=STYLE, controls={"consistency": 0.0})
        control = measures.warp_error([alone[i] for i in range(few)], measures.held_out_motion(frames[:few])) / source
        show("control: every frame alone", name, control / ratio, ">= 1.3 x keyed", control / ratio >= 1.3)


def paired(count: int) -> None:
    for (name, file, (width, height), first, style_name), least in zip(CASES[1:], (0.6, 0.4), strict=True):
        frames = clip(file, width, height, count, first)
        key, _ = timed(frames, {"style": picture(style_name)}, styles=STYLE, frames=(0,))
        out, spent = timed(frames, {"key": key[0]}, keys=(KeyRef(frame=0, blob=BlobRef(digest="key")),))
        show("paired, CPU s/frame", name, spent / count, "<= 1.0", spent / count <= 1.0)
        chained = np.zeros((height, width, 2), np.float32)
        warped: list[Picture] = [key[0]]
        for a, b in itertools.pairwise(frames):
            chained = flow.compose(flow.dis_flow(flow.grey(b), flow.grey(a)), chained)
            warped.append(np.asarray(flow.warp(key[0], chained), np.uint8))
        late = range(count // 2, count)
        ours = float(np.mean([measures.edge_correlation(out[i], frames[i]) for i in late]))
        plain = float(np.mean([measures.edge_correlation(warped[i], frames[i]) for i in late]))
        show("edge correlation with source", name, ours, f">= {least}", ours >= least)
        show("above plain warping by", name, ours - plain, ">= 0.15", ours - plain >= 0.15)
        kept = float(np.mean([measures.detail(out[i]) for i in late]) / measures.detail(key[0]))
        show("detail / key, later half", name, kept, ">= 0.55", kept >= 0.55)


def region(count: int) -> None:
    frames = clip("woman_running_512_6s.mp4", 384, 384, count)
    mask = np.zeros((384, 384), np.uint8)
    cv2.ellipse(mask, (185, 285), (70, 70), 0, 0, 360, 255, -1)
    masks = [mask]
    for a, b in itertools.pairwise(frames):
        moved = flow.warp(masks[-1], flow.dis_flow(flow.grey(b), flow.grey(a)))
        masks.append(np.where(cv2.GaussianBlur(moved, (0, 0), 1.5) > 127, 255, 0).astype(np.uint8))
    for kind in ("none", "spots", "stripes"):
        pattern = PatternRef(kind=kind, base=(245, 243, 238), ink=(22, 20, 20))
        out, spent = timed(frames, {}, masks, mode="mask", region="foreground", pattern=pattern)
        show(f"region edit ({kind}), CPU s/frame", "runner", spent / count, "<= 0.1", spent / count <= 0.1)
        outside = max(int(np.abs(out[i].astype(int) - frames[i])[masks[i] == 0].max()) for i in range(count))
        show("largest change outside", "runner", outside, "= 0", outside == 0)
        if kind == "none":
            shade = min(measures.shading_correlation(out[i], frames[i], masks[i] == 255) for i in range(count))
            show("shading correlation, worst", "runner", shade, ">= 0.98", shade >= 0.98)


def large() -> None:
    frames = clip("drone_coast_gopro_karma_12s.mp4", 1920, 1080, 19, 40)
    _, spent = timed(frames, {"style": picture("van_gogh_starry_night.jpg")}, styles=STYLE)
    show("1920x1080 keyed, CPU s/frame", "coast + Van Gogh", spent / 19, "<= 3", spent / 19 <= 3)


def stills() -> None:
    for name, file, (width, height), first, style_name in CASES:
        frames, style = clip(file, width, height, 25, first), picture(style_name)
        _, spent = timed(frames, {"style": style}, styles=STYLE, frames=(12,))
        show("first still, CPU s", name, spent, "<= 3", spent <= 3)
    frames = clip(CASES[0][1], 512, 288, 25, 40)
    for preset in ("watercolour", "oil", "ink", "neon"):
        _, spent = timed(frames, {}, preset=preset, frames=(12,))
        show("first still, CPU s", f"coast, {preset}", spent, "<= 3", spent <= 3)


def reference() -> None:
    """The network's figures beside ours on the same frames; no bar."""
    net = FastStyleNet(MEDIA / "weights" / "ml5_wave")
    name, file, (width, height), first, style_name = CASES[2]
    frames = clip(file, width, height, 4, first)
    start = time.process_time()
    theirs = [net(f) for f in frames]
    spent = (time.process_time() - start) / len(frames)
    ours, _ = timed(frames, {"style": picture(style_name)}, styles=STYLE)
    motion = measures.held_out_motion(frames)
    source = measures.warp_error(frames, motion)
    show("network, CPU s/frame (NumPy)", name, spent, "(info)", True)
    for title, made in (("network", theirs), ("ours", [ours[i] for i in range(4)])):
        show(f"{title}: warp error / source", name, measures.warp_error(made, motion) / source, "(info)", True)
        show(f"{title}: detail / source", name, measures.detail(made[2]) / measures.detail(frames[2]), "(info)", True)
        show(f"{title}: edge correlation", name, measures.edge_correlation(made[2], frames[2]), "(info)", True)
    strip = np.concatenate([frames[2], theirs[2], ours[2]], axis=1)
    path = Path(tempfile.gettempdir()) / "bench_example_reference.png"
    cv2.imwrite(str(path), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR))
    print(f"source | network | ours: {path}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=25)
    parser.add_argument("--only", default="looks,paired,region,large,stills,reference")
    arguments = parser.parse_args()
    kernels.warm_up()
    print(ROW.format("figure", "case", "value", "bar", ""))
    parts = {
        "looks": lambda: looks(arguments.frames),
        "paired": lambda: paired(arguments.frames),
        "region": lambda: region(arguments.frames),
        "large": large,
        "stills": stills,
        "reference": reference,
    }
    for name in arguments.only.split(","):
        parts[name]()


if __name__ == "__main__":
    main()
