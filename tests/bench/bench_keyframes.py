"""Key frames that are carried, beside diffusing every frame: cost and steadiness in one table.

    python -m tests.bench.bench_keyframes [--clip FILE] [--frames 24] [--width 384] [--steps 6] [--prompt WORDS]

One clip, one prompt, one seed, the built-in model. ``together`` = the model denoises the clip's frames together, as a
take without key frames does; ``one by one`` = every frame is diffused for itself; ``every N`` and ``automatic`` = key
frames are, and the example-based generator carries the rest. CPU seconds are of this process, all threads. Warp error
(E_warp of Lai et al., ECCV 2018) is along held-out Farnebäck motion and is divided by the footage's own; flicker is
the mean second difference of 8×8 blocks' lightness in per mille. Both reward mush: read them with the detail (beside
that of frames diffused one by one) and the correlation of edges with the footage.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

os.environ.setdefault("GEN2STUDIO_HOME", tempfile.mkdtemp(prefix="bench-"))

import numpy as np

from gen2studio.cli.footage import open_footage
from gen2studio.compose import generator_registry, headless_engine
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.engine.events import Event, FrameReady, JobState, Picture, StateChanged, StepPreview
from gen2studio.engine.frames import DecodingReader
from gen2studio.engine.key_choice import AUTOMATIC
from gen2studio.engine.requests import ControlValues, GenerateRequest, Job, Lane
from gen2studio.engine.take_store import TakeStore, encode_png
from gen2studio.engine.workspace import Workspace
from gen2studio.raster import measures

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media" / "clips"
CLIP = MEDIA / "woman_running_512_6s.mp4"


@dataclass(slots=True)
class Run:
    """What one way of making the clip gave."""

    frames: list[Picture]
    cpu: float
    drawing: float
    """CPU seconds until the last key frame was there."""
    keys: int
    """Key frames that were drawn."""


def run(request: GenerateRequest, takes: TakeStore) -> Run:
    """Make a request; CPU seconds of this process, the loading of libraries and model left out by a run before."""
    found: dict[int, Picture] = {}
    begun = time.process_time()
    drawn, keys = begun, 0

    def hear(event: Event) -> None:
        nonlocal drawn, keys
        if isinstance(event, FrameReady):
            found[event.frame] = event.picture
        elif isinstance(event, StepPreview) and event.steps == 1:
            # A key frame that is finished.
            drawn, keys = time.process_time(), keys + 1
        elif isinstance(event, StateChanged) and event.state is JobState.FAILED:
            raise SystemExit(event.reason)

    lane = Lane.STILLS if request.frames is not None else Lane.RENDER
    job = Job(id=new_id("job"), lane=lane, request=request, label="Bench", take_id=new_id("take"))
    with headless_engine(hear, Workspace(takes=takes)) as engine:
        engine.run(job)
    end = time.process_time()
    return Run([found[frame] for frame in sorted(found)], end - begun, drawn - begun, keys)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clip", type=Path, default=CLIP)
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--strength", type=float, default=0.45)
    parser.add_argument("--sheet", type=Path, help="write a sheet of every way's frames here")
    parser.add_argument("--prompt", default="a watercolor painting of a person in the city")
    args = parser.parse_args()
    footage = open_footage(args.clip)
    height = round(args.width * footage.extent.height / footage.extent.width / 2) * 2
    abilities = next(a for a in generator_registry().abilities if a.id == "mini")
    request = GenerateRequest(
        mode="stylize", generator="mini", revision=abilities.revision, source=footage.source, start=0,
        stop=args.frames, width=args.width, height=height, prompt=args.prompt, seed=3,
        controls=ControlValues(steps=args.steps, strength=args.strength),
    )  # fmt: skip
    reader = DecodingReader()
    source = [reader(footage.source, frame, Extent(args.width, height)) for frame in range(args.frames)]
    motion = measures.held_out_motion(source)
    own = measures.warp_error(source, motion)
    takes = TakeStore(Path(tempfile.mkdtemp(prefix="bench-takes-")))
    run(replace(request, stop=3, key_spacing=2), takes)  # libraries, model and kernels
    ways = {
        "one by one": replace(request, frames=tuple(range(args.frames))),
        "together": request,
        **{f"every {n}": replace(request, key_spacing=n) for n in (4, 8, 16)},
        "automatic": replace(request, key_spacing=AUTOMATIC),
    }
    print(f"{args.clip.name}, {args.frames} frames of {args.width}×{height}, built-in model, {args.steps} steps")
    heads = (("drawn", 7), ("CPU s", 8), ("ratio", 7), ("drawing", 9), ("warp", 7), ("flicker", 9), ("detail", 8))
    print(" " * 12 + "".join(f"{title:>{wide}}" for title, wide in (*heads, ("edges", 7))))
    rows = [np.concatenate(source[:: max(1, args.frames // 6)], 1)]
    base: Run | None = None
    fine = 1.0
    for name, asked in ways.items():
        made = run(asked, takes)
        if base is None:
            base, fine = made, float(np.mean([measures.detail(frame) for frame in made.frames]))
        drawn = made.keys or args.frames
        warp = measures.warp_error(made.frames, motion) / own
        detail = float(np.mean([measures.detail(frame) for frame in made.frames])) / fine
        edges = float(np.mean([measures.edge_correlation(a, b) for a, b in zip(made.frames, source, strict=True)]))
        flicker = 1000 * measures.flicker(made.frames)
        rows.append(np.concatenate(made.frames[:: max(1, args.frames // 6)], 1))
        print(
            f"{name:<12}{drawn:>7}{made.cpu:>8.1f}{made.cpu / base.cpu:>6.2f}×{made.drawing:>9.1f}{warp:>7.2f}"
            f"{flicker:>9.2f}{detail:>8.2f}{edges:>7.2f}"
        )
    if args.sheet is not None:
        args.sheet.write_bytes(encode_png(np.ascontiguousarray(np.concatenate(rows, 0))))
    print(f"{'footage':<12}{'':>7}{'':>8}{'':>7}{'':>9}{1:>7.2f}{1000 * measures.flicker(source):>9.2f}")


if __name__ == "__main__":
    main()
