"""Measure a mini checkpoint against the world's ground truth and write its model card.

    python -m gen2studio.diffusion.training.mini_evaluate --model resources/models/mini --clips 24

Everything runs through the stock ``WanVACEPipeline``. Seeds are fixed; every figure of the card comes from
``evaluation.json``, which this command writes. A probe trained on renders is kept in ``--probe`` to be used again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from gen2studio.diffusion.conditioning.structure import control_clip
from gen2studio.diffusion.training.mini_card import write_card
from gen2studio.diffusion.training.mini_classes import WanVACEPipeline
from gen2studio.diffusion.training.mini_codec import PatchCodec, from_autoencoder
from gen2studio.diffusion.training.mini_measures import edge_correlation, frame_change, psnr, warp_error
from gen2studio.diffusion.training.mini_probe import Probe, accuracy, train_probe
from gen2studio.diffusion.training.mini_sheets import write_sheets
from gen2studio.diffusion.vocabulary import COLOURS
from gen2studio.diffusion.world.grammar import ClipSpec, caption, draw_spec
from gen2studio.diffusion.world.render import Clips, render_specs

F32 = NDArray[np.float32]


class Sampler:
    """The stock pipeline with the checkpoint's own defaults, clips in and out as float arrays [T, H, W, 3] in 0…1."""

    def __init__(self, folder: Path) -> None:
        self.pipeline: Any = WanVACEPipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True)
        self.pipeline.set_progress_bar_config(disable=True)
        self.facts: dict[str, Any] = json.loads((folder / "gen2studio.json").read_text())
        self.codec: PatchCodec = from_autoencoder(self.pipeline.vae)

    def __call__(
        self,
        prompt: str,
        frames: int,
        *,
        seed: int,
        video: F32 | None = None,
        mask: F32 | None = None,
        reference: F32 | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        size: tuple[int, int] = (128, 128),
    ) -> F32:
        """One clip. ``video`` and ``mask`` [T, H, W] as VACE has them (mask 1 = to be made)."""

        def pictures(clip: F32) -> list[Image.Image]:
            return [Image.fromarray(np.rint(np.clip(f, 0, 1) * 255).astype(np.uint8)) for f in clip]

        given: dict[str, Any] = {}
        if video is not None:
            given["video"] = pictures(video)
        if mask is not None:
            given["mask"] = [Image.fromarray((m > 0.5).astype(np.uint8) * 255).convert("RGB") for m in mask]
        if reference is not None:
            given["reference_images"] = pictures(reference[None])
        made = self.pipeline(
            prompt=prompt,
            height=size[1],
            width=size[0],
            # The stock pipeline adds a frame where the VAE does not compress time.
            num_frames=frames - (1 if self.facts["temporal_scale"] == 1 else 0),
            num_inference_steps=steps or self.facts["steps"]["default"],
            guidance_scale=self.facts["guidance"]["default"] if guidance is None else guidance,
            max_sequence_length=self.facts["text_length"],
            generator=torch.Generator().manual_seed(seed),
            output_type="np",
            **given,
        )
        return np.asarray(made.frames[0], np.float32)

    def round_trip(self, clip: F32) -> F32:
        """What is left of a clip after the VAE: the bound of every comparison."""
        frames = torch.from_numpy(clip).permute(0, 3, 1, 2) * 2 - 1
        with torch.no_grad():
            made = self.codec.decode(self.codec.encode(frames))
        return (made.clamp(-1, 1) / 2 + 0.5).permute(0, 2, 3, 1).numpy()


def _clip(clips: Clips, index: int) -> F32:
    return clips.rgb[index].permute(0, 2, 3, 1).numpy()


def _flow(clips: Clips, index: int) -> F32:
    return clips.flow[index].permute(0, 2, 3, 1).numpy()


def _tensor(clip: F32) -> torch.Tensor:
    return torch.from_numpy(clip).permute(0, 3, 1, 2)


def _mean(values: Sequence[float]) -> float:
    kept = [v for v in values if np.isfinite(v)]
    return round(float(np.mean(kept)), 4) if kept else float("nan")


def test_specs(count: int, seed: int) -> list[ClipSpec]:
    """``count`` clips that training never saw, a subject in each, spread evenly over styles and times."""
    rng = random.Random(1_000_003 + seed)
    styles = ["realistic", "watercolor", "anime", "noir", "neon", "paper", "pixel", "sketch"]
    times = ["day", "dawn", "sunset", "night", "fog"]
    specs: list[ClipSpec] = []
    while len(specs) < count:
        spec = draw_spec(rng)
        if spec.subject != "none":
            specs.append(spec.restyled(styles[len(specs) % 8], times[len(specs) % 5]))
    return specs


def text(
    sampler: Sampler, probe: Probe, specs: list[ClipSpec], frames: int, steps: int | None = None
) -> dict[str, Any]:
    """Prompt adherence by the probe, chance by shuffled captions, and motion against true clips."""
    made = [sampler(caption(spec), frames, seed=i, steps=steps) for i, spec in enumerate(specs)]
    tensors = [_tensor(clip) for clip in made]
    return {
        "clips": len(specs),
        "frames": frames,
        "generated": accuracy(probe, tensors, specs),
        "chance": accuracy(probe, tensors, specs, random.Random(0)),
        "frame_change": _mean([frame_change(clip) for clip in made]),
    }


def masks(sampler: Sampler, probe: Probe, specs: list[ClipSpec], frames: int) -> dict[str, Any]:
    """Recolour the subject inside its dilated mask: what stays outside, what is read inside."""
    truth = render_specs(specs, frames)
    outside: list[float] = []
    bound: list[float] = []
    made: list[torch.Tensor] = []
    wanted: list[ClipSpec] = []
    rng = random.Random(4)
    for i, spec in enumerate(specs):
        clip = _clip(truth, i)
        hole = np.stack(
            [cv2.dilate(m, np.ones((9, 9), np.uint8)) for m in (truth.mask[i].numpy() > 0.5).astype(np.uint8)]
        )
        hole = hole.astype(np.float32)
        other = rng.choice([c for c in COLOURS if c != spec.colour])
        target = dataclasses.replace(spec, colour=other)
        grey = np.asarray(clip * (1 - hole[..., None]) + 0.5 * hole[..., None], np.float32)
        result = sampler(
            caption(target), frames, seed=i, video=grey, mask=hole, guidance=sampler.facts["guidance"]["mask_edit"]
        )
        outside.append(psnr(result, clip, 1 - hole))
        bound.append(psnr(sampler.round_trip(clip), clip, 1 - hole))
        made.append(_tensor(result))
        wanted.append(target)
    read, luck = accuracy(probe, made, wanted), accuracy(probe, made, wanted, random.Random(0))
    return {
        "clips": len(specs),
        "outside_psnr": _mean(outside),
        "round_trip_psnr": _mean(bound),
        "subject": read["subject"],
        "subject_chance": luck["subject"],
        "new_colour": read["colour"],
        "new_colour_chance": luck["colour"],
    }


def structures(sampler: Sampler, specs: list[ClipSpec], frames: int, kind: str) -> dict[str, Any]:
    """A clip made from a control picture and a caption, against the clip that the control was taken from."""
    truth = render_specs(specs, frames)
    made: list[F32] = []
    for i, spec in enumerate(specs):
        depth = truth.disparity[i].sqrt().numpy()
        depth = np.clip((depth - depth.min()) / max(0.05, np.percentile(depth, 99) - depth.min()), 0, 1)
        pictures = [np.rint(f * 255).astype(np.uint8) for f in _clip(truth, i)]
        control = control_clip(kind, pictures, depth=list(depth.astype(np.float32)))
        video = np.asarray(np.stack(control) / 255, np.float32)
        made.append(sampler(caption(spec), frames, seed=i, video=video, mask=np.ones(video.shape[:3], np.float32)))
    count = len(specs)
    own = [edge_correlation(made[i], _clip(truth, i)) for i in range(count)]
    other = [edge_correlation(made[i], _clip(truth, (i + 1) % count)) for i in range(count)]
    return {
        "clips": count,
        "edge_correlation": _mean(own),
        "shuffled": _mean(other),
        "warp_error": _mean([warp_error(made[i], _flow(truth, i)) for i in range(count)]),
        "true_warp_error": _mean([warp_error(_clip(truth, i), _flow(truth, i)) for i in range(count)]),
        "round_trip_warp_error": _mean(
            [warp_error(sampler.round_trip(_clip(truth, i)), _flow(truth, i)) for i in range(count)]
        ),
    }


def first_frames(sampler: Sampler, specs: list[ClipSpec], frames: int) -> dict[str, Any]:
    """Frame 0 given: how well it is kept, and what the following frames still look like it."""
    truth = render_specs(specs, frames)
    kept: list[float] = []
    bound: list[float] = []
    later: list[float] = []
    for i, spec in enumerate(specs):
        clip = _clip(truth, i)
        video, mask = np.full_like(clip, 0.5), np.ones(clip.shape[:3], np.float32)
        video[0], mask[0] = clip[0], 0
        made = sampler(caption(spec), frames, seed=i, video=video, mask=mask)
        kept.append(psnr(made[:1], clip[:1]))
        bound.append(psnr(sampler.round_trip(clip[:1]), clip[:1]))
        later.append(psnr(made[-1:], clip[-1:]))
    return {
        "clips": len(specs),
        "frame_0_psnr": _mean(kept),
        "round_trip_psnr": _mean(bound),
        "last_frame_psnr": _mean(later),
    }


def speed(sampler: Sampler) -> dict[str, Any]:
    """17 frames at 128×128 in 8 steps with guidance, and the time to the first step."""
    marks: list[float] = []
    began, used = time.perf_counter(), time.process_time()

    def on_step(_pipe: Any, _index: int, _t: Any, values: dict[str, Any]) -> dict[str, Any]:
        marks.append(time.perf_counter() - began)
        return values

    sampler.pipeline(
        prompt="a red car drives left fast on a street by day", height=128, width=128, num_frames=16,
        num_inference_steps=8, guidance_scale=3.0, max_sequence_length=32, output_type="np",
        generator=torch.Generator().manual_seed(0), callback_on_step_end=on_step,
    )  # fmt: skip
    return {
        "seconds": round(time.perf_counter() - began, 2),
        "processor_seconds": round(time.process_time() - used, 2),
        "first_step_seconds": round(marks[0], 2),
        "threads": torch.get_num_threads(),
        "load_average": round(os.getloadavg()[0], 1),
    }


def real_footage(sampler: Sampler, media: Path | None) -> dict[str, Any]:
    """PSNR of the VAE alone on real clips at 128 lines, where a folder of them is given."""
    scores: dict[str, float] = {}
    for path in sorted(media.glob("*.mp4"))[:12] if media else []:
        capture = cv2.VideoCapture(str(path))
        ok, frame = capture.read()
        for _ in range(10):
            ok, frame = capture.read() if ok else (ok, frame)
        capture.release()
        if not ok:
            continue
        side = min(frame.shape[:2])
        top, left = (frame.shape[0] - side) // 2, (frame.shape[1] - side) // 2
        crop = cv2.resize(frame[top : top + side, left : left + side], (128, 128), interpolation=cv2.INTER_AREA)
        clip = np.asarray(cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)[None] / 255, np.float32)
        scores[path.stem] = round(psnr(sampler.round_trip(clip), clip), 2)
    return {"clips": len(scores), "mean_psnr": _mean(list(scores.values())), "each": scores}


def evaluate(folder: Path, clips: int, frames: int, probe: Probe, media: Path | None, log: Any) -> dict[str, Any]:
    """All measures. ``log`` is called with one line per part."""
    sampler = Sampler(folder)
    facts = json.loads((folder / "training" / "facts.json").read_text())
    result: dict[str, Any] = {
        "revision": sampler.facts["revision"],
        "training": facts,
        "machine": {"processor": platform.processor() or platform.machine(), "torch": torch.__version__},
        "speed": speed(sampler),
    }
    specs = test_specs(clips, 0)
    renders = render_specs(specs, frames)
    held = [renders.rgb[i] for i in range(len(specs))]
    result["vae"] = {
        "world_psnr": _mean(
            [psnr(sampler.round_trip(_clip(renders, i)), _clip(renders, i)) for i in range(len(specs))]
        ),
        "real": real_footage(sampler, media),
    }
    decoded = [_tensor(sampler.round_trip(_clip(renders, i))) for i in range(len(specs))]
    result["probe"] = {"renders": accuracy(probe, held, specs), "round_trip": accuracy(probe, decoded, specs)}
    result["true_frame_change"] = _mean([frame_change(_clip(renders, i)) for i in range(len(specs))])
    log("probe and VAE done")
    result["text"] = text(sampler, probe, specs, frames)
    log("text done")
    result["stills"] = text(sampler, probe, test_specs(clips * 2, 5), 1)
    result["mask_edit"] = masks(sampler, probe, test_specs(clips, 1), frames)
    log("mask edit done")
    for kind in ("depth", "edges"):
        result[kind] = structures(sampler, test_specs(clips, 2), frames, kind)
        log(f"{kind} done")
    result["first_frame"] = first_frames(sampler, test_specs(clips, 3), frames)
    result["steps"] = {
        str(count): text(sampler, probe, test_specs(clips, 5), 1, steps=count)["generated"] for count in (4, 8, 16, 30)
    }
    log("steps done")
    return result


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Measure a mini checkpoint and write its card.")
    parser.add_argument("--model", type=Path, default=Path("resources/models/mini"))
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--frames", type=int, default=5, help="4k+1 frames of each clip")
    parser.add_argument("--data", type=Path, help="shards to train the probe on; rendered afresh without")
    parser.add_argument("--probe", type=Path, help="where the trained probe is kept")
    parser.add_argument("--probe-steps", type=int, default=500)
    parser.add_argument("--media", type=Path, help="real clips for the VAE's PSNR")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--no-sheets", action="store_true", help="keep the contact sheets that are there")
    parser.add_argument("--sheets-only", action="store_true", help="draw the contact sheets and measure nothing")
    parser.add_argument("--out", type=Path, help="folder of the card (the model's own by default)")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    began = time.process_time()

    def log(line: str) -> None:
        print(f"{time.process_time() - began:7.0f} s  {line}", flush=True)  # noqa: T201

    out: Path = given.out or given.model
    if given.sheets_only:
        write_sheets(Sampler(given.model), out / "samples")
        return
    if given.probe and given.probe.exists():
        probe = Probe()
        probe.load_state_dict(torch.load(given.probe, weights_only=True))
        probe.eval()
    else:
        probe = train_probe(given.data, given.probe_steps)
        if given.probe:
            torch.save(probe.state_dict(), given.probe)
    log("probe trained")
    out.mkdir(parents=True, exist_ok=True)
    result = evaluate(given.model, given.clips, given.frames, probe, given.media, log)
    if not given.no_sheets:
        write_sheets(Sampler(given.model), out / "samples")
        log("contact sheets written")
    result["sheets"] = sorted(path.name for path in (out / "samples").glob("*.jpg"))
    result["evaluation_processor_seconds"] = round(time.process_time() - began)
    (out / "evaluation.json").write_text(json.dumps(result, indent=2) + "\n")
    write_card(out, result)


if __name__ == "__main__":
    main()
