"""The diffusion core against the bare pipeline of diffusers, and what its promises cost.

    python -m tests.bench.bench_diffusion [--only overhead cancel speed flicker reuse joins] [--model FOLDER]
                                          [--threads 2]

overhead  our run beside the same call of the bare pipeline on one small model: CPU time, and whether the bits agree
cancel    from the cancel to an idle engine, beside one transformer block; whether the next job is bit-identical
speed     17 frames at 128×128 in 8 steps with the built-in model, and when the first step preview came
flicker   temporal warp error of three clips over the consistency ω_t = 0, 0.5, 1, 1.5 (Gen-1's control)
reuse     the same clip with steps left out (EasyCache) beside every step computed: CPU time and PSNR
joins     CIELAB drift between the windows of a 4-window shot, without and with the colour lock

Times are of the process's CPU: a busy machine must not decide. Peers run in the same process, in turn.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np

from gen2studio.core import paths
from gen2studio.diffusion.runtime.torch_loading import load_diffusers, load_torch
from gen2studio.engine.events import Picture
from gen2studio.raster import flow as motion

SHOTS = (
    "a red boat sails right slowly on the sea at sunset",
    "a blue car drives left fast in the city at night",
    "a brown dog runs right slowly on a meadow at noon",
)


class Bench:
    """One model, loaded once; ``ours`` and ``bare`` make the latents of the same inputs."""

    def __init__(self, folder: Path, threads: int) -> None:
        from gen2studio.diffusion.families.wan_vace import WanVaceAdapter
        from gen2studio.diffusion.runtime.prompt_cache import PromptCache
        from gen2studio.diffusion.runtime.residency import Residency
        from gen2studio.models.library import ModelLibrary

        self.torch: Any = load_torch()
        self.torch.set_num_threads(threads)
        self.model = ModelLibrary(registry_file=Path(tempfile.mkdtemp()) / "m.json", builtin=folder).models()[0]
        assert self.model.usable, self.model.problem
        self.residency = Residency()
        self.prompts = PromptCache(Path(tempfile.mkdtemp()))
        self.plan = self.residency.plan_for(self.model)
        library: Any = load_diffusers()
        self.pipe = self.residency.acquire(self.model, self.plan).pipeline(library.WanVACEPipeline)
        self.geometry = WanVaceAdapter().geometry(self.model)

    def embeds(self, prompt: str) -> Any:
        from gen2studio.diffusion.families.driving import PromptEmbeds
        from gen2studio.diffusion.families.wan_vace_driver import WanVaceDriver
        from gen2studio.diffusion.runtime.prompt_cache import embed_prompts

        return PromptEmbeds(
            *embed_prompts(self.model, WanVaceDriver(), self.plan, [prompt, ""], self.residency, self.prompts)
        )

    def inputs(self, frames: int, side: int = 0) -> Any:
        from gen2studio.diffusion.families.contract import PipelineInputs

        size = self.model.manifest.sizes[0] if not side else (side, side)
        return PipelineInputs(task="text", width=size[0], height=size[1], frames=frames)

    def ours(self, inputs: Any, embeds: Any, sampling: Any, watch: Any = None) -> Any:
        from gen2studio.diffusion.families.driving import Denoising
        from gen2studio.diffusion.sampling.denoise import denoise

        return denoise(self.pipe, Denoising(inputs, embeds, sampling, watch or Silent(), self.geometry))

    def bare(self, inputs: Any, embeds: Any, sampling: Any) -> Any:
        return self.pipe(
            prompt_embeds=embeds.positive["prompt_embeds"],
            negative_prompt_embeds=embeds.negative["prompt_embeds"] if embeds.negative is not None else None,
            width=inputs.width,
            height=inputs.height,
            num_frames=inputs.frames - (self.geometry.temporal == 1),
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            generator=self.torch.Generator().manual_seed(sampling.seed),
            output_type="latent",
        ).frames

    def sampling(self, steps: int, seed: int = 1, **more: Any) -> Any:
        from gen2studio.diffusion.families.driving import Sampling

        return Sampling(steps=steps, guidance=self.model.manifest.guidance.default, seed=seed, **more)

    def frames(self, latents: Any) -> list[Picture]:
        from gen2studio.diffusion.sampling.decode import decode

        return list(decode(self.pipe, latents))


class Silent:
    """Looks on and does nothing."""

    def check(self) -> None:
        return

    def stepped(self, step: int, steps: int, clean: Any) -> None:
        return


def cpu(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.process_time()
    result = work()
    return time.process_time() - begun, result


def overhead(bench: Bench, rounds: int = 12) -> None:
    """Pairs of runs, each in the other order than the one before, so that a machine that slows down or speeds up
    counts against both alike; what is reported is the median of the pairs' own ratios."""
    inputs, embeds, sampling = bench.inputs(9), bench.embeds(SHOTS[0]), bench.sampling(4)
    runs = {
        "bare": lambda: bench.bare(inputs, embeds, sampling),
        "ours": lambda: bench.ours(inputs, embeds, sampling),
    }
    same = all(bench.torch.equal(runs["bare"](), runs["ours"]()) for _ in range(2))
    ratios: list[float] = []
    taken: dict[str, list[float]] = {"bare": [], "ours": []}
    outside: dict[str, list[float]] = {"bare": [], "ours": []}
    transformer = type(bench.pipe.transformer)
    forward, inside = transformer.forward, [0.0]

    def timed(*given: Any, **named: Any) -> Any:
        begun = time.process_time()
        result = forward(*given, **named)
        inside[0] += time.process_time() - begun
        return result

    transformer.forward = timed
    for number in range(rounds):
        pair: dict[str, float] = {}
        for name in sorted(runs, reverse=bool(number % 2)):
            gc.collect()
            inside[0] = 0.0
            pair[name] = cpu(runs[name])[0]
            outside[name].append(pair[name] - inside[0])
        ratios.append(pair["ours"] / pair["bare"] - 1)
        for name, seconds in pair.items():
            taken[name].append(seconds)
    transformer.forward = forward
    low, middle, high = quantiles(ratios, n=4)
    print(f"overhead   bare {median(taken['bare']):.3f} s, ours {median(taken['ours']):.3f} s CPU: {middle:+.1%} "
          f"(quartiles of {rounds} pairs {low:+.1%} … {high:+.1%}; bar +3 %); identical bits: {same}")  # fmt: skip
    spent = {name: median(values) for name, values in outside.items()}
    print(
        f"           outside the transformer (less of the machine's noise): bare {spent['bare'] * 1000:.0f} ms, "
        f"ours {spent['ours'] * 1000:.0f} ms: {(spent['ours'] - spent['bare']) / median(taken['bare']):+.1%} of a run"
    )


def cancel(bench: Bench) -> None:
    from gen2studio.core.cancel import Cancelled

    inputs, embeds, sampling = bench.inputs(17), bench.embeds(SHOTS[1]), bench.sampling(2)
    fresh = bench.ours(inputs, embeds, sampling)
    blocks: list[float] = []

    class Timed(Silent):
        last = 0.0

        def check(self) -> None:
            now = time.perf_counter()
            blocks.append(now - self.last)
            self.last = now

    bench.ours(inputs, embeds, sampling, Timed())
    worst: list[float] = []
    for after in (2, 7, 13, 17):
        stop = Stop(after)
        try:
            bench.ours(inputs, embeds, sampling, stop)
        except Cancelled:
            worst.append(time.perf_counter() - stop.asked)
    same = bool(bench.torch.equal(fresh, bench.ours(inputs, embeds, sampling)))
    block = sorted(blocks)[-3]
    print(
        f"cancel     idle after {max(worst) * 1000:.0f} ms, one block {block * 1000:.0f} ms; next job identical: {same}"
    )


class Stop(Silent):
    """Cancels right after the look before block ``after``: that whole block has to pass."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._calls = 0
        self.asked = 0.0

    def check(self) -> None:
        from gen2studio.core.cancel import Cancelled

        self._calls += 1
        if self._calls == self._after:
            self.asked = time.perf_counter()
        elif self._calls > self._after:
            raise Cancelled


def speed(bench: Bench) -> None:
    inputs, embeds, sampling = bench.inputs(17), bench.embeds(SHOTS[2]), bench.sampling(8)
    begun, begun_cpu = time.perf_counter(), time.process_time()
    first: list[tuple[float, float]] = []

    class First(Silent):
        def stepped(self, step: int, steps: int, clean: Any) -> None:
            if not first:
                first.append((time.perf_counter() - begun, time.process_time() - begun_cpu))

    latents = bench.ours(inputs, embeds, sampling, First())
    frames = bench.frames(latents)
    took, took_cpu = time.perf_counter() - begun, time.process_time() - begun_cpu
    size = f"{len(frames)} frames {inputs.width}×{inputs.height}"
    print(f"speed      {size}, 8 steps: {took_cpu:.1f} s CPU, {took:.1f} s wall")
    print(f"speed      first step preview: {first[0][1]:.2f} s CPU, {first[0][0]:.2f} s wall")


def flicker_of(frames: list[Picture]) -> float:
    """What changes from frame to frame beyond motion: mean |frame − neighbour warped onto it| where both are seen."""
    errors: list[float] = []
    for a, b in itertools.pairwise(frames):
        here, there = motion.grey(a), motion.grey(b)
        ahead, back = motion.dis_flow(here, there), motion.dis_flow(there, here)
        seen = motion.visible(ahead, back)
        gap = np.abs(motion.warp(b, ahead).astype(np.float32) - a.astype(np.float32)).mean(-1)
        errors.append(float(gap[seen].mean()) if seen.any() else float(gap.mean()))
    return float(np.mean(errors))


def flicker(bench: Bench) -> None:
    omegas = (0.0, 0.5, 1.0, 1.5)
    falling = True
    for number, prompt in enumerate(SHOTS):
        embeds = bench.embeds(prompt)
        row = []
        for omega in omegas:
            sampling = bench.sampling(6, seed=number + 1, consistency=omega)
            row.append(flicker_of(bench.frames(bench.ours(bench.inputs(9), embeds, sampling))))
        falling = falling and all(a > b for a, b in itertools.pairwise(row))
        print(f"flicker    ω_t {', '.join(f'{o:g}: {v:.2f}' for o, v in zip(omegas, row, strict=True))}   “{prompt}”")
    print(f"flicker    falls monotonically on all: {falling}")


def reuse(bench: Bench) -> None:
    """Beside the shorter way to the same time: fewer steps."""
    for number, prompt in enumerate(SHOTS):
        inputs, embeds = bench.inputs(17), bench.embeds(prompt)

        def made(sampling: Any, inputs: Any = inputs, embeds: Any = embeds) -> tuple[float, Any]:
            took, latents = cpu(lambda: bench.ours(inputs, embeds, sampling))
            return took, np.stack(bench.frames(latents)).astype(np.float32)

        every = bench.sampling(30, seed=number + 1)
        whole_time, whole = made(every)
        row: list[str] = []
        rows = [(f"{p} %", replace(every, reuse=p / 100)) for p in (3, 6, 12)]
        rows += [(f"{steps} steps", replace(every, steps=steps)) for steps in (20, 12)]
        for title, sampling in rows:
            took, frames = made(sampling)
            error = float(np.mean((frames - whole) ** 2))
            row.append(f"{title}: {took / whole_time:.2f}× {10 * np.log10(255**2 / max(error, 1e-9)):.1f} dB")
        print(f"reuse      30 steps {whole_time:.1f} s CPU; {', '.join(row)}   “{prompt}”")


def joins(bench: Bench) -> None:
    from gen2studio.diffusion.sampling.windows import colour_lock, spans, window_drift

    rule = bench.geometry.frames
    window, overlap = rule.latent(9), max(1, rule.latent(9) // 4)
    latents = window + 3 * (window - overlap)
    # Rounded down to a length the model takes, so that four windows are enough.
    count = rule.padded((latents - 1) * rule.group + 1 - (rule.step - 1))
    for number, prompt in enumerate(SHOTS):
        sampling = bench.sampling(4, seed=number + 5, window=window, overlap=overlap)
        frames = bench.frames(bench.ours(bench.inputs(count), bench.embeds(prompt), sampling))
        cuts = spans(rule.latent(count), window, overlap)
        parts = [(0 if a == 0 else 1 + (a - 1) * rule.group, 1 + (b - 1) * rule.group) for a, b in cuts]
        locked, _ = colour_lock(frames, parts)
        before, after = window_drift(frames, parts), window_drift(locked, parts)
        print(f"joins      {len(parts)} windows: Lab drift {before:.2f}, with the lock {after:.2f}   “{prompt}”")


def main() -> None:
    parts: dict[str, Callable[[Bench], None]] = {
        "overhead": overhead, "cancel": cancel, "speed": speed, "flicker": flicker, "reuse": reuse,
        "joins": joins,
    }  # fmt: skip
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", nargs="+", choices=list(parts), default=list(parts))
    parser.add_argument("--model", type=Path, default=paths.resources_dir() / "models" / "mini")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    bench = Bench(options.model, options.threads)
    print(f"{bench.model.title} ({bench.model.manifest.revision}), {options.threads} threads, {bench.plan.describe()}")
    for name in options.only:
        parts[name](bench)


if __name__ == "__main__":
    main()
