"""What a request means for a model, before anything is loaded: size, clock, runs, keys, sampling. No torch here."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.diffusion.families.contract import FamilyAdapter, LatentGeometry, StepRecipe
from gen2studio.diffusion.framing import Framing, choose_native
from gen2studio.diffusion.gathering import on_footage
from gen2studio.diffusion.sampling.motion import NEUTRAL
from gen2studio.diffusion.timing import ModelClock, Run, footage_clock, latent_window, runs_of, shot_clock
from gen2studio.engine.requests import GenerateRequest
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.manifest import ModelManifest

if TYPE_CHECKING:
    from gen2studio.diffusion.families.driving import Sampling

_STILL_STEPS = 6
"""Most steps of a still: it is to be there in seconds."""
_SHOWN = 4
"""Most frames shown at once while they are denoised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShotPlan:
    """Everything that is decided before the model is loaded."""

    request: GenerateRequest
    framing: Framing
    clock: ModelClock
    runs: tuple[Run, ...]
    stills: bool
    task: str
    guidance: float
    steps: int
    keys: tuple[tuple[int, int], ...]
    """(index into the request's keys, model frame), in time order."""
    lead: int = 0
    """Model frames before the shot that are shown to the model and not emitted."""
    recipe: str = ""
    """Name of the few-step recipe that the checkpoint or one of the request's adapters was distilled for."""
    apart: bool = False
    """Stills are drawn one by one: frames of footage as clips of one, and whatever a model of single pictures draws."""

    @property
    def moves(self) -> bool:
        """A camera move or motion strokes are drawn from the first frame."""
        request = self.request
        strokes = any(r.horizontal or r.vertical or r.proximity or r.ambient for r in request.motion_regions)
        return not on_footage(request) and (request.camera.moves or request.camera.static or strokes)

    @property
    def draws_keys(self) -> bool:
        """Single frames are wanted as key frames, to be carried through the clip."""
        return self.stills and self.request.key_spacing != 0

    @property
    def locks_colour(self) -> bool:
        """Whether windows are held to the first one's colours: not where the artist's own pixels give them."""
        late = any(at > 0 for _, at in self.keys)
        return not late and self.task not in ("mask", "background", "outpaint")

    def wanted_of(self, number: int, finished: frozenset[int]) -> list[int]:
        """Unfinished wanted media frames that run ``number`` brings: from the end of the run before to its own."""
        run = self.runs[number]
        low = -1.0 if number == 0 else self.runs[number - 1].stop - 1
        last = number == len(self.runs) - 1
        high = float("inf") if last else run.stop - 1
        return [
            frame for frame in self.request.wanted if frame not in finished and low < self.clock.position(frame) <= high
        ]

    def shown(self, run: Run) -> list[tuple[int, int]]:
        """(media frame, frame of the run) to show while ``run`` is denoised."""
        wanted = [f for f in self.request.wanted if run.start <= self.clock.nearest(f) < run.stop]
        if not wanted:
            return []
        chosen = wanted if self.stills else [wanted[len(wanted) // 2]]
        return [(frame, self.clock.nearest(frame) - run.start) for frame in chosen[:_SHOWN]]

    def sampling(self, manifest: ModelManifest, geometry: LatentGeometry, number: int) -> Sampling:
        """How run ``number`` is sampled. A later run has noise of its own, made from the same seed."""
        from gen2studio.diffusion.families.driving import Sampling

        window, overlap = latent_window(manifest.frames.native, geometry.frames)
        controls = self.request.controls
        return Sampling(
            steps=self.steps,
            guidance=self.guidance,
            seed=self.request.seed + 7919 * number,
            consistency=controls.consistency,
            window=window,
            overlap=overlap,
            motion=NEUTRAL if on_footage(self.request) else controls.motion,
            rate=float(manifest.rate),
            reuse=controls.reuse / 100,
            recipe=self.recipe,
        )

    def still_sampling(
        self, manifest: ModelManifest, geometry: LatentGeometry, at: int, variation: int = 0
    ) -> Sampling:
        """How the single model frame ``at`` is sampled: in few steps and with the noise it has in the take; as a key
        frame finished, and with the noise of all of them, as always by models that draw single frames.

        Pictures that such a model draws from nothing are finished ones, and variations: ``variation`` counts them."""
        from gen2studio.diffusion.families.driving import Sampling

        if self.draws_keys or manifest.frames.native == 1:
            invented = not on_footage(self.request)
            return Sampling(
                steps=self.steps if self.draws_keys or invented else still_steps(self.steps, manifest),
                guidance=self.guidance,
                seed=self.request.seed + (variation if invented else 0),
                rate=float(manifest.rate),
                recipe=self.recipe,
            )
        rule = geometry.frames
        window, overlap = latent_window(manifest.frames.native, rule)
        number = next((i for i, run in enumerate(self.runs) if at < run.stop), 0)
        run = self.runs[number]
        return Sampling(
            steps=still_steps(self.steps, manifest),
            guidance=self.guidance,
            seed=self.request.seed + 7919 * number,
            # No frame has a window of its own, but the noise of a long clip may depend on how long windows are.
            window=window,
            overlap=overlap,
            noise_frames=(rule.group_of(max(0, at - run.start)), rule.latent(rule.padded(run.count))),
            rate=float(manifest.rate),
            recipe=self.recipe,
        )


def shot_plan(
    manifest: ModelManifest, family: FamilyAdapter, geometry: LatentGeometry, request: GenerateRequest
) -> ShotPlan:
    """Decide how ``request`` is run on a model. Nothing is loaded."""
    footage = on_footage(request)
    task = family.task(request)
    stills = request.frames is not None
    asked = request.controls.steps
    steps = min(max(asked, 1), manifest.steps.highest) if asked else manifest.steps.default
    recipe, guidance = manifest.recipe, request.controls.guidance
    distilled = recipe_of_adapters(family, request) if not recipe else None
    if distilled is not None:
        recipe, steps = distilled.name, steps if asked else distilled.steps
        guidance = guidance or distilled.guidance
    native = choose_native((request.width, request.height), manifest.sizes, geometry.multiple, fixed=geometry.fixed)
    traits = family.traits
    window = manifest.frames.native
    lead = 0
    if footage:
        clock = footage_clock(request.start, request.stop, request.source.rate, manifest.rate)
    else:
        motion = NEUTRAL if traits.own_motion else request.controls.motion
        clock = shot_clock(request.start, request.stop, request.source.rate, manifest.rate, motion)
        if stills and window > 1 and clock.count > window:
            # A still shows the whole shot in one window: what happens, though faster than the take will.
            clock = ModelClock(clock.start, clock.stop, (clock.stop - 1 - clock.start) / (window - 1))
        if request.lead is not None:
            have = max(1, math.floor((request.lead.stop - request.lead.start) / (clock.step * lead_pace(request))))
            lead = min(traits.lead, have) if geometry.frames.group == 1 or have >= traits.lead else 1
            clock = ModelClock(clock.start - lead * clock.step, clock.stop, clock.step)
    count = clock.count
    if stills and not footage and not traits.stills_only:
        steps = still_steps(steps, manifest)
    return ShotPlan(
        request=request,
        framing=Framing(native, (request.width, request.height)),
        clock=clock,
        runs=runs_of(count, window, geometry.frames, traits.joint_windows, traits.known),
        stills=stills,
        task=task,
        guidance=family.guidance(manifest, task, guidance),
        steps=steps,
        keys=tuple(
            sorted(
                (
                    (index, clock.nearest(key.frame))
                    for index, key in enumerate(request.keys)
                    if request.start <= key.frame < request.stop
                ),
                key=lambda pair: pair[1],
            )
        ),
        lead=lead,
        recipe=recipe,
        apart=stills and (footage or traits.stills_only),
    )


def recipe_of_adapters(family: FamilyAdapter, request: GenerateRequest) -> StepRecipe | None:
    """The few-step recipe that an adapter of the request was distilled for, by its file's name; None = none was."""
    library = AdapterLibrary()
    for ref in request.adapters:
        name = library.file_name(ref.adapter_id, Path(ref.path)).lower() if ref.strength else ""
        for recipe in family.traits.recipes:
            if name and any(re.search(mark, name) for mark in recipe.marks):
                return recipe
    return None


def lead_pace(request: GenerateRequest) -> float:
    """Frames of the footage that a shot goes on from for each frame of the shot: their rates may differ."""
    lead = request.lead
    return float(lead.source.rate / request.source.rate) if lead is not None and request.source.rate else 1.0


def still_steps(steps: int, manifest: ModelManifest) -> int:
    return max(min(steps, _STILL_STEPS), min(steps, manifest.steps.lowest))


def passes_per_step(guidance: float, consistency: float) -> int:
    """Forward passes of the transformer in one denoising step."""
    return 1 + (guidance > 1.0) + (abs(consistency - 1.0) > 1e-3)
