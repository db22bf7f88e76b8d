"""What a run of each driven family is told to need, and what the process then took at most.

    python -m tests.bench.bench_memory [--families wan-vace ltx …] [--dtypes fp32 bf16]

Every family draws a take of footage through the real engine, with random weights in the published structure, wide and
deep enough for its own memory to stand out: a hundred megabytes of weights and as much of activations. Each run has a
process of its own that first draws with a tiny checkpoint of the family, so that imports, code generated for this
processor and buffers that stay are there before anything is counted. Counted is anonymous memory, and weights that stay
mapped in their file. ``pass`` is what denoising needs beside the weights, ``decode`` the same of the VAE.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

_EXACT = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Tensors of published sizes are mapped and given back one by one; small ones would lie in a heap that keeps holes."""
DTYPES = {"fp32": False, "bf16": True}


@dataclass(frozen=True, slots=True)
class Case:
    """A family's tiny checkpoint, the wider parts put in its place, and what is asked of it."""

    tiny: Callable[[Path], Path]
    parts: Callable[[Any], dict[str, Any]]
    """diffusers → part's folder → a module."""
    mode: str = "stylize"
    frames: int = 5
    pixels: int = 128
    guidance: float = 2.0
    structure: bool = False


_HEADS = {"num_attention_heads": 12, "attention_head_dim": 64}


def _wan_vae(library: Any) -> Any:
    return library.AutoencoderKLWan(
        base_dim=48, z_dim=16, num_res_blocks=2, latents_mean=[0.0] * 16, latents_std=[0.5] * 16
    )


def _wan_vace(library: Any) -> dict[str, Any]:
    model = library.WanVACETransformer3DModel(
        **_HEADS, patch_size=(1, 2, 2), in_channels=16, out_channels=16, text_dim=32, freq_dim=256, ffn_dim=3072,
        num_layers=6, vace_layers=[0, 2, 4], vace_in_channels=96,
    )  # fmt: skip
    return {"transformer": model, "vae": _wan_vae(library)}


def _wan_text(library: Any) -> dict[str, Any]:
    model = library.WanTransformer3DModel(
        **_HEADS, patch_size=(1, 2, 2), in_channels=16, out_channels=16, text_dim=32, freq_dim=256, ffn_dim=3072,
        num_layers=10,
    )  # fmt: skip
    return {"transformer": model, "vae": _wan_vae(library)}


def _ltx(library: Any) -> dict[str, Any]:
    model = library.LTXVideoTransformer3DModel(
        **_HEADS, in_channels=8, out_channels=8, cross_attention_dim=768, num_layers=10, caption_channels=32
    )
    vae = library.AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(32, 64, 128, 128), decoder_block_out_channels=(32, 64, 128, 128),
        layers_per_block=(1, 1, 1, 1, 1), decoder_layers_per_block=(1, 1, 1, 1, 1),
    )  # fmt: skip
    return {"transformer": model, "vae": vae}


def _svd(library: Any) -> dict[str, Any]:
    down = (*("CrossAttnDownBlockSpatioTemporal",) * 3, "DownBlockSpatioTemporal")
    up = ("UpBlockSpatioTemporal", *("CrossAttnUpBlockSpatioTemporal",) * 3)
    unet = library.UNetSpatioTemporalConditionModel(
        sample_size=16, in_channels=8, out_channels=4, block_out_channels=(96, 192, 384, 384), layers_per_block=2,
        down_block_types=down, up_block_types=up, addition_time_embed_dim=8, projection_class_embeddings_input_dim=24,
        cross_attention_dim=16, num_attention_heads=(3, 6, 12, 12), transformer_layers_per_block=1, num_frames=5,
    )  # fmt: skip
    vae = library.AutoencoderKLTemporalDecoder(
        down_block_types=("DownEncoderBlock2D",) * 4, block_out_channels=(32, 64, 128, 128), layers_per_block=2,
        latent_channels=4, sample_size=128,
    )  # fmt: skip
    return {"unet": unet, "vae": vae}


def _cogvideox(library: Any) -> dict[str, Any]:
    model = library.CogVideoXTransformer3DModel(
        **_HEADS, in_channels=4, out_channels=4, time_embed_dim=512, text_embed_dim=32, num_layers=10, sample_width=16,
        sample_height=16, sample_frames=9, patch_size=2, temporal_compression_ratio=4, max_text_seq_length=16,
    )  # fmt: skip
    vae = library.AutoencoderKLCogVideoX(
        down_block_types=("CogVideoXDownBlock3D",) * 4, up_block_types=("CogVideoXUpBlock3D",) * 4,
        block_out_channels=(32, 64, 64, 128), latent_channels=4, layers_per_block=1, sample_height=128,
        sample_width=128,
    )  # fmt: skip
    return {"transformer": model, "vae": vae}


_STAGES = (96, 192, 384, 384)


def _animatediff(library: Any) -> dict[str, Any]:
    kinds = (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D")
    unet = library.UNet2DConditionModel(
        sample_size=16, in_channels=4, out_channels=4, block_out_channels=_STAGES, layers_per_block=2,
        down_block_types=kinds, up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * 3), cross_attention_dim=24,
        attention_head_dim=8,
    )  # fmt: skip
    motion = library.MotionAdapter(
        block_out_channels=_STAGES, motion_layers_per_block=2, motion_num_attention_heads=8, motion_max_seq_length=16,
        use_motion_mid_block=False,
    )  # fmt: skip
    vae = library.AutoencoderKL(
        block_out_channels=(32, 64, 128, 128), layers_per_block=2, sample_size=128,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4,
    )  # fmt: skip
    return {"unet": unet, "motion_adapter": motion, "vae": vae}


def _with_control(library: Any) -> dict[str, Any]:
    made = _animatediff(library)
    return {**made, "controlnet_depth": library.ControlNetModel.from_unet(made["unet"])}


def cases() -> dict[str, Case]:
    """The families by their name in the table."""
    from tests.diffusion import tiny, tiny_animatediff, tiny_cogvideox, tiny_ltx, tiny_svd, tiny_wan

    beside = ("ip_adapter.safetensors", "image_encoder", "few_step_lora.safetensors")
    controls = tuple(f"controlnet_{kind}" for kind in tiny_animatediff.CONTROLS)
    return {
        "wan-vace": Case(lambda folder: tiny.build(folder, "causal"), _wan_vace, guidance=1.0),
        "wan-t2v": Case(lambda folder: tiny_wan.build(folder, "t2v"), _wan_text, guidance=1.0),
        "ltx": Case(lambda folder: tiny_ltx.build(folder, "plain"), _ltx, frames=9, pixels=256),
        "svd": Case(tiny_svd.build, _svd, mode="image"),
        "cogvideox": Case(lambda folder: tiny_cogvideox.build(folder, "text"), _cogvideox, frames=9),
        "animatediff": Case(lambda folder: tiny_animatediff.build(folder, without=(*beside, *controls)), _animatediff),
        "animatediff+depth": Case(
            lambda folder: tiny_animatediff.build(folder, without=(*beside, *controls[1:])),
            _with_control,
            structure=True,
        ),
    }


def write_model(case: Case, folder: Path, *, wide: bool) -> Path:
    """The tiny checkpoint, or the same with the case's wide parts, for clips of the case's size."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch

    torch: Any = load_torch()
    case.tiny(folder)
    path = folder / "gen2studio.json"
    told = json.loads(path.read_text())
    if wide:
        side = case.pixels
        told |= {"id": f"{told['id']}-wide", "sizes": [[side, side]]}
        told["frames"] |= {"native": case.frames, "max": case.frames}
        torch.manual_seed(1)
        for name, part in case.parts(load_diffusers()).items():
            # Published weights come in half the width; what computes in them is mapped from its file.
            part.to(torch.bfloat16).save_pretrained(folder / name, safe_serialization=True)
    else:
        told |= {"sizes": [[case.pixels, case.pixels]]}
        told["frames"] |= {"native": case.frames, "max": case.frames}
    path.write_text(json.dumps(told))
    return folder


class HighWater:
    """The most memory that this process had in each phase of a run beyond what it had before (Linux). Sampled every few
    milliseconds on a thread. Files that are mapped while they are read are not counted; what of them stays, as weights
    that are computed with as they lie in their file, is :attr:`mapped`."""

    def __init__(self) -> None:
        self.most: dict[str, int] = {}
        self.begun: dict[str, int] = {}
        self._phase = "load"
        self.reset()
        threading.Thread(target=self._watch, daemon=True).start()

    def reset(self) -> None:
        """Count anew from here."""
        self._base, self._mapped = self._now("RssAnon"), self._now("RssFile")
        self.most.clear()
        self.begun.clear()

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        """Inside, what is held most is that of ``phase``; phases may lie within one another."""
        before, self._phase = self._phase, phase
        self.begun.setdefault(phase, self._now("RssAnon") - self._base)
        self._look()
        try:
            yield
        finally:
            self._look()
            self._phase = before

    @property
    def mapped(self) -> int:
        """Of the files that came to be mapped since."""
        return max(0, self._now("RssFile") - self._mapped)

    def _watch(self) -> None:
        while True:
            self._look()
            time.sleep(0.002)

    def _look(self) -> None:
        phase = self._phase
        self.most[phase] = max(self.most.get(phase, 0), self._now("RssAnon") - self._base)

    @staticmethod
    def _now(kind: str) -> int:
        text = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(kind))


def measure(name: str, dtypes: list[str], home: Path) -> Iterator[dict[str, Any]]:
    """Run one family in this process; what it was told and what it took, in bytes, for each number format."""
    import torch

    from gen2studio.core.geometry import Extent
    from gen2studio.diffusion import estimating
    from gen2studio.diffusion.entries import family_of
    from gen2studio.diffusion.runtime.device import quick_machine, this_machine
    from gen2studio.diffusion.runtime.footprint import ClipShape, footprint
    from gen2studio.diffusion.runtime.ladder import choose_plan
    from gen2studio.engine.requests import KeyRef
    from tests.diffusion.studio import Stage, footage, source_ref

    case = cases()[name]
    side = case.pixels

    def stage_of(kind: str, *, half: bool) -> Any:
        stage = Stage(home / kind, home / f"home-{kind}-{half}")
        stage.residency._machine = lambda: replace(this_machine(), bf16=half)
        return stage

    def request_of(stage: Any) -> Any:
        changes: dict[str, Any] = {}
        if case.mode == "image":
            first = footage(source_ref(), 0, Extent(side, side))
            changes["keys"] = (KeyRef(frame=0, blob=stage.image("first", first)),)
        controls = {"steps": 3, "guidance": case.guidance, "structure": 3.0 if case.structure else 0.0}
        if case.mode == "stylize":
            controls["strength"] = 0.6
        return stage.request(
            case.mode, case.frames, source=source_ref(case.frames + 1, side, side), width=side, height=side,
            controls=controls, **changes,
        )  # fmt: skip

    torch.set_num_threads(1)
    memory: HighWater | None = None
    driver: Any = None
    for dtype in dtypes:
        half = DTYPES[dtype]
        first = stage_of("tiny", half=half)
        first.made(request_of(first))
        first.residency.release()
        first.close()
        stage = stage_of("wide", half=half)
        request = request_of(stage)
        machine = replace(quick_machine(), bf16=half)
        estimating.quick_machine = lambda machine=machine: machine
        shape = ClipShape(width=side, height=side, frames=case.frames)
        plan, counts = choose_plan(stage.model, machine, shape), footprint(stage.model, shape)
        told = stage.generators.estimate(request)
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        memory = HighWater() if memory is None else memory
        memory.reset()
        if driver is None:
            driver = type(family_of(stage.model).driver())
            _watched(driver, memory)
        begun = time.process_time()
        stage.made(request)
        yield {
            "dtype": dtype,
            "told": told.memory_bytes,
            "run": max(memory.most.values()) + memory.mapped,
            "weights": memory.begun["pass"] + memory.mapped,
            "told_pass": counts.denoising_bytes(plan.dtype, "cpu"),
            "pass": memory.most["pass"] - memory.begun["pass"],
            "told_coding": counts.decoding_bytes("cpu", tiled=plan.tiled_vae),
            "encode": memory.most.get("encode", 0) - memory.begun.get("encode", 0),
            "decode": memory.most["decode"] - memory.begun["decode"],
            "seconds": int(time.process_time() - begun),
        }
        stage.residency.release()
        stage.close()


def _watched(driver: Any, memory: HighWater) -> None:
    """Have the steps of every job of ``driver`` counted by themselves."""
    denoise, decode = driver.denoise, driver.decode
    wrapped: set[type[Any]] = set()

    def denoised(self: Any, pipe: Any, run: Any) -> Any:
        kind: Any = type(pipe.vae)
        if kind not in wrapped:
            wrapped.add(kind)
            encode = kind.encode

            def encoded(*values: Any, **named: Any) -> Any:
                with memory.during("encode"):
                    return encode(*values, **named)

            kind.encode = encoded
        with memory.during("pass"):
            return denoise(self, pipe, run)

    def decoded(self: Any, pipe: Any, latents: Any, how: Any) -> Any:
        with memory.during("decode"):
            yield from decode(self, pipe, latents, how)

    driver.denoise, driver.decode = denoised, decoded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--families", nargs="*", default=[])
    parser.add_argument("--dtypes", nargs="*", default=list(DTYPES))
    parser.add_argument("--one", nargs=2, metavar=("FAMILY", "HOME"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        for found in measure(args.one[0], args.dtypes, Path(args.one[1])):
            print(json.dumps(found), flush=True)
        return
    known = cases()
    head = ("run", "told", "ratio", "weights", "pass", "told", "ratio", "encode", "decode", "told", "ratio")
    print(f"{'family':20} {'type':5}" + "".join(f"{name:>8}" for name in head) + f"{'CPU s':>8}", flush=True)
    for name in args.families or known:
        with tempfile.TemporaryDirectory() as home:
            write_model(known[name], Path(home) / "tiny", wide=False)
            write_model(known[name], Path(home) / "wide", wide=True)
            command = [sys.executable, "-m", "tests.bench.bench_memory", "--one", name, home, "--dtypes", *args.dtypes]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **_EXACT})
            for line in done.stdout.splitlines():
                found = json.loads(line)
                row = f"{name:20} {found['dtype']:5}"
                for key in ("run/told", "weights", "pass/told_pass", "encode", "decode/told_coding"):
                    took, _, told = key.partition("/")
                    row += f"{found[took] / 1e6:8.1f}"
                    row += f"{found[told] / 1e6:8.1f}{found[told] / max(1, found[took]):8.2f}" if told else ""
                print(f"{row}{found['seconds']:8}", flush=True)
            if done.returncode:
                print(f"{name:20} {(done.stderr.strip().splitlines() or ['failed'])[-1]}", flush=True)


if __name__ == "__main__":
    main()
