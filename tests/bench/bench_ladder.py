"""What each rung of the memory ladder costs: peak memory, time of a step and distance to the exact latents.

    python -m tests.bench.bench_ladder [--model mini|FOLDER] [--width 384 --layers 8] [--steps 4] [--pixels 256]

Without ``--model`` a random transformer of the given width is written (its other parts are those of the tests' tiny
checkpoint). Every rung runs in a process of its own; memory is what that took beyond its imports at most, while
loading, denoising and decoding; beside it what the program would have told before the run.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from gen2studio.core.paths import resources_dir

RUNGS = ("fp32", "bf16", "int8", "fp8", "int8-blocks", "Q8_0", "Q4_0")


def write_model(folder: Path, width: int, layers: int) -> Path:
    """The tiny checkpoint with a transformer of ``width`` channels."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch
    from tests.diffusion.tiny import build

    build(folder, "causal")
    torch: Any = load_torch()
    library: Any = load_diffusers()
    torch.manual_seed(1)
    made: Any = library.WanVACETransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=width // 64, attention_head_dim=64, in_channels=16, out_channels=16,
        text_dim=32, freq_dim=256, ffn_dim=width * 4, num_layers=layers, vace_layers=[*range(0, layers, 2)],
        vace_in_channels=96, rope_max_seq_len=128,
    )  # fmt: skip
    made.save_pretrained(folder / "transformer")
    return folder


class HighWater:
    """The most memory of its own that this process had since :meth:`reset` (Linux): mapped files, which the system can
    take back at any time, are not counted. Sampled every few milliseconds on a thread."""

    def __init__(self) -> None:
        self._most = self._base = self._now()
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> None:
        self._most = self._base = self._now()

    @property
    def bytes(self) -> int:
        return max(self._most, self._now()) - self._base

    def _watch(self) -> None:
        while True:
            self._most = max(self._most, self._now())
            time.sleep(0.003)

    @staticmethod
    def _now() -> int:
        text = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("RssAnon"))


def measure(folder: Path, rung: str, steps: int, pixels: int, out: Path) -> None:
    """Run one rung in this process; print a JSON line and keep the latents in ``out``."""
    from safetensors.torch import load_file, save_file

    from gen2studio.diffusion.families.driving import Decoding
    from gen2studio.diffusion.families.wan_vace import WanVaceAdapter
    from gen2studio.diffusion.families.wan_vace_driver import WanVaceDriver
    from gen2studio.diffusion.runtime.applying import apply_plan
    from gen2studio.diffusion.runtime.device import quick_machine
    from gen2studio.diffusion.runtime.footprint import ClipShape
    from gen2studio.diffusion.runtime.ladder import GROUP_OFFLOAD, MemoryPlan, plans_for
    from gen2studio.diffusion.runtime.loading import load_components
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch
    from gen2studio.models.library import ModelLibrary
    from tests.diffusion.files import WEIGHTS, write_gguf

    torch: Any = load_torch()
    library: Any = load_diffusers()
    torch.set_num_threads(1)
    models = ModelLibrary(out.parent / "list.json", folder)
    model = models.models()[0]
    plan = MemoryPlan(device="cpu", dtype="float32" if rung == "fp32" else "bfloat16")
    if rung.startswith("Q"):
        file = out.parent / f"{rung}.gguf"
        if not file.exists():
            write_gguf(file, load_file(folder / "transformer" / WEIGHTS), rung)
        model = models.add(file, folder)
    plan = replace(plan, int8_layers=rung.startswith("int8"), fp8_layers=rung == "fp8")
    plan = replace(plan, placement=GROUP_OFFLOAD) if rung.endswith("blocks") else plan
    length, width = model.manifest.text_length, model.checkpoint().configs["transformer"]["text_dim"]
    words = torch.randn(1, length, width, generator=torch.Generator().manual_seed(2)).to(getattr(torch, plan.dtype))
    # What the rungs import is no memory of theirs.
    for name in ("diffusers.quantizers.gguf.utils", "diffusers.hooks", "peft", "accelerate.hooks"):
        importlib.import_module(name)
    memory = HighWater()
    parts = apply_plan(load_components(model, plan), plan)
    loading = memory.bytes
    held = sum(p.numel() * p.element_size() for p in parts.transformer.parameters())
    pipe = parts.pipeline(library.WanVACEPipeline)
    before = time.process_time()
    # With a temporal factor of 1 the pipeline takes every length for a wrong one and adds a frame.
    frames = 8 if WanVaceAdapter().geometry(model).temporal == 1 else 9
    side = model.manifest.sizes[0][0] if pixels == 0 else pixels
    latents = pipe(
        prompt_embeds=words, height=side, width=side, num_frames=frames, num_inference_steps=steps, guidance_scale=1.0,
        generator=torch.Generator().manual_seed(1), output_type="latent", max_sequence_length=length,
    ).frames.float()  # fmt: skip
    spent = (time.process_time() - before) / steps
    save_file({"latents": latents.contiguous()}, out)
    for _ in WanVaceDriver().decode(pipe, latents, Decoding()):
        pass
    told = next(
        (
            each.memory_bytes
            for each in plans_for(model, quick_machine(), ClipShape(width=side, height=side, frames=frames))
            if not each.tiled_vae or each.rung in ("bf16", "int8", "fp8")
            if (each.dtype, each.stored_as) == (plan.dtype, plan.stored_as)
        ),
        0,
    )
    table = {"held": held, "loading": loading, "running": memory.bytes, "told": told, "step": spent}
    print(json.dumps(table))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="mini, or a checkpoint folder")
    parser.add_argument("--width", type=int, default=384)
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--pixels", type=int, default=256, help="side of the picture; 0 = the model's own")
    parser.add_argument("--rungs", nargs="*", default=list(RUNGS))
    parser.add_argument("--one", nargs=2, metavar=("RUNG", "OUT"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        measure(Path(args.model), args.one[0], args.steps, args.pixels, Path(args.one[1]))
        return
    from safetensors.torch import load_file

    with tempfile.TemporaryDirectory() as home:
        folder = resources_dir() / "models" / "mini" if args.model == "mini" else Path(args.model)
        if not args.model:
            folder = write_model(Path(home) / "model", args.width, args.layers)
        print(f"{'rung':12} {'weights':>10} {'loading':>10} {'at most':>10} {'told':>10} {'s/step':>8} {'distance':>9}")
        exact: Any = None
        for rung in args.rungs:
            out = Path(home) / f"{rung}.safetensors"
            command = [
                sys.executable,
                "-m",
                "tests.bench.bench_ladder",
                "--model",
                str(folder),
                "--steps",
                str(args.steps),
                "--pixels",
                str(args.pixels),
            ]
            done = subprocess.run([*command, "--one", rung, str(out)], capture_output=True, text=True, check=False)
            if done.returncode:
                print(f"{rung:12} {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
                continue
            found = json.loads(done.stdout.strip().splitlines()[-1])
            latents = load_file(out)["latents"]
            exact = latents if exact is None else exact
            distance = float((latents - exact).abs().mean() / exact.abs().mean())
            sizes = "".join(f" {found[name] / 1e6:7.1f} MB" for name in ("held", "loading", "running", "told"))
            print(f"{rung:12}{sizes} {found['step']:8.2f} {distance:9.4f}", flush=True)


if __name__ == "__main__":
    main()
