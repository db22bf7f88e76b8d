"""Make the shipped checkpoint: fit the analytic VAE, and write a run's averaged weights in the standard layout.

python -m gen2studio.diffusion.training.mini_release fit --data DIR --codec codec.pt
python -m gen2studio.diffusion.training.mini_release export --run DIR --out resources/models/mini
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gen2studio.diffusion.training.mini_classes import AutoencoderKLWan
from gen2studio.diffusion.training.mini_codec import (
    PatchCodec,
    fit_codec,
    latent_colours,
    natural_frames,
    to_autoencoder,
)
from gen2studio.diffusion.training.mini_data import open_shards
from gen2studio.diffusion.training.mini_model import (
    GEOMETRIES,
    MiniGeometry,
    build_text_encoder,
    build_tokenizer,
    build_transformer,
    save_checkpoint,
)
from gen2studio.diffusion.training.mini_vae import LearnedCodec
from gen2studio.diffusion.world.grammar import draw_spec
from gen2studio.diffusion.world.render import render_specs


def world_frames(count: int, seed: int) -> Tensor:
    """[count, 3, 128, 128] in −1…1 of single frames of the world."""
    rng = random.Random(seed)
    specs = [draw_spec(rng) for _ in range(count)]
    return torch.cat([render_specs([s], 1, start=rng.randrange(17)).rgb[:, 0] for s in specs]) * 2 - 1


def fit(data: Path, codec: Path, steps: int, threads: int) -> None:
    """Fit the codec on the square shards of ``data`` with a third of photograph-like noise."""
    torch.set_num_threads(threads)
    found = [s for s in open_shards(data, {}).values() if s.size == (128, 128)]
    frames = torch.cat([torch.from_numpy(s.rgb[:, :, ::8].copy()).flatten(0, 2) for s in found])
    order = torch.randperm(len(frames), generator=torch.Generator().manual_seed(0))[:1500]
    mixed = torch.cat((frames[order].float() / 127.5 - 1, natural_frames(400, 128, 128, 1)))
    mixed = mixed[torch.randperm(len(mixed), generator=torch.Generator().manual_seed(1))]
    torch.save(fit_codec(mixed, steps=steps, batch=16).state_dict(), codec)


def _codec_and_vae(
    geometry: MiniGeometry, state: dict[str, Tensor]
) -> tuple[PatchCodec | LearnedCodec, AutoencoderKLWan]:
    """The codec of a run and the same as the stock class, its normalisation written into the configuration."""
    if geometry.stage == "A":
        codec = PatchCodec()
        codec.load_state_dict(state)
        return codec, to_autoencoder(codec)
    learned = LearnedCodec(geometry)
    learned.load_state_dict(state)
    learned.vae.register_to_config(
        latents_mean=[float(v) for v in learned.mean], latents_std=[float(v) for v in learned.std]
    )
    return learned, learned.vae.eval()


def export(run: Path, out: Path) -> None:
    """Write the averaged weights of ``run/state.pt`` to ``out``; older weights there are replaced."""
    state: dict[str, Any] = torch.load(run / "state.pt", map_location="cpu", weights_only=True)
    geometry = GEOMETRIES[state["options"]["stage"]]
    codec, vae = _codec_and_vae(geometry, state["codec"])
    transformer = build_transformer(geometry).eval()
    text_encoder = build_text_encoder(geometry, len(build_tokenizer())).eval()
    average = state["average"]
    for name, module in (("transformer", transformer), ("text_encoder", text_encoder)):
        module.load_state_dict({k.removeprefix(f"{name}."): v for k, v in average.items() if k.startswith(f"{name}.")})
    digest = hashlib.sha256()
    for name in sorted(average):
        digest.update(average[name].contiguous().numpy().tobytes())
    revision = f"{geometry.stage.lower()}-{state['step']}-{digest.hexdigest()[:12]}"
    for part in ("transformer", "vae", "text_encoder", "tokenizer", "scheduler"):
        shutil.rmtree(out / part, ignore_errors=True)
    frames = torch.cat((world_frames(32, 5), natural_frames(16, 128, 128, 9)))
    colours = latent_colours(codec, frames, geometry.spatial)
    save_checkpoint(out, geometry, transformer, text_encoder, vae, revision, colours)
    curve = run / "curve.jsonl"
    if curve.exists():
        (out / "training").mkdir(exist_ok=True)
        shutil.copyfile(curve, out / "training" / "curve.jsonl")
        shutil.copyfile(run / "options.json", out / "training" / "options.json")
    for path in out.rglob("*.safetensors"):
        path.chmod(0o644)
    facts = {
        "stage": geometry.stage,
        "steps": state["step"],
        "samples": state["samples"],
        "processor_minutes": round(state["spent"] / 60, 1),
        "parameters": {
            "transformer": sum(p.numel() for p in transformer.parameters()),
            "text_encoder": sum(p.numel() for p in text_encoder.parameters()),
        },
    }
    (out / "training" / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Fit the codec or write the shipped checkpoint.")
    actions = parser.add_subparsers(dest="action", required=True)
    fitting = actions.add_parser("fit")
    fitting.add_argument("--data", type=Path, required=True)
    fitting.add_argument("--codec", type=Path, required=True)
    fitting.add_argument("--steps", type=int, default=400)
    fitting.add_argument("--threads", type=int, default=2)
    exporting = actions.add_parser("export")
    exporting.add_argument("--run", type=Path, required=True)
    exporting.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    if given.action == "fit":
        fit(given.data, given.codec, given.steps, given.threads)
    else:
        export(given.run, given.out)


if __name__ == "__main__":
    main()
