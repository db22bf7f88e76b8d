"""What a request will need, for showing it before the start. No torch here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2studio.diffusion.gathering import on_footage
from gen2studio.diffusion.planning import ShotPlan, passes_per_step, shot_plan, still_steps
from gen2studio.diffusion.runtime.device import quick_machine
from gen2studio.diffusion.runtime.footprint import ClipShape
from gen2studio.diffusion.runtime.ladder import plans_for
from gen2studio.diffusion.sampling.windows import spans
from gen2studio.diffusion.timing import latent_window
from gen2studio.engine.events import Estimate
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from gen2studio.diffusion.generator import DiffusionGenerator

_PICTURES = 24
"""Bytes per output pixel for frames in hand: source, mask, result, the writer's queue."""


def estimated(made: DiffusionGenerator, request: GenerateRequest) -> Estimate:
    """Memory of the plan that would be chosen now beyond what is loaded already; seconds where they were measured."""
    geometry = made.family.geometry(made.model)
    plan = shot_plan(made.model.manifest, made.family, geometry, request)
    width, height = plan.framing.native
    window = made.model.manifest.frames.native or plan.clock.count
    shape = ClipShape(width=width, height=height, frames=min(window, geometry.frames.padded(plan.clock.count)))
    asked = made.residency.choice(made.model.id)
    rungs = plans_for(made.model, quick_machine(), shape)
    fitting = next((rung for rung in rungs if rung.fits), rungs[-1])
    chosen = next((rung for rung in rungs if rung.rung == asked), fitting)
    memory = chosen.memory_bytes
    if made.model.id in made.residency.held:
        memory = max(0, memory - made.model.manifest.weight_bytes)
    frames = max(run.count for run in plan.runs)
    memory += request.width * request.height * _PICTURES + frames * width * height * 3 * 12
    seconds = 0.0
    for count, passes in _work(made, plan):
        part = made.pace.seconds(passes, width, height, count)
        if part is None:
            return Estimate(memory_bytes=memory)
        seconds += part
    return Estimate(memory_bytes=memory, seconds=seconds)


def _work(made: DiffusionGenerator, plan: ShotPlan) -> list[tuple[int, int]]:
    """(frames, forward passes over that many frames) of every run."""
    manifest = made.model.manifest
    rule = made.family.geometry(made.model).frames
    each = passes_per_step(plan.guidance, plan.request.controls.consistency)
    if plan.apart:
        finished = plan.draws_keys or not on_footage(plan.request)
        steps = plan.steps if finished else still_steps(plan.steps, manifest)
        return [(1, each * steps) for _ in plan.request.wanted]
    window, overlap = latent_window(manifest.frames.native, rule)
    work: list[tuple[int, int]] = []
    for run in plan.runs:
        latents = rule.latent(rule.padded(run.count))
        parts = spans(latents, window, overlap)
        # Overlaps are computed twice.
        share = sum(b - a for a, b in parts) / latents
        work.append((rule.padded(run.count), max(1, round(each * plan.steps * share))))
    return work
