"""One request on its way through a model: prompt, runs, latents, frames. Imported when a model first runs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.adapter_scope import adapters_loaded
from gen2studio.diffusion.estimators import depth_folder
from gen2studio.diffusion.families.contract import Clip, Conditions, FamilyAdapter, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.image_editing import instruction
from gen2studio.diffusion.finishing import Finisher
from gen2studio.diffusion.framing import Framing, resized
from gen2studio.diffusion.gathering import Gatherer, on_footage
from gen2studio.diffusion.pace import PaceOfModel
from gen2studio.diffusion.planning import ShotPlan, lead_pace, passes_per_step, shot_plan
from gen2studio.diffusion.runtime.applying import with_retries
from gen2studio.diffusion.runtime.footprint import ClipShape
from gen2studio.diffusion.runtime.ladder import MemoryPlan
from gen2studio.diffusion.runtime.prompt_cache import PromptCache, embed_prompts
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.diffusion.sampling.decode import load_latents, save_latents
from gen2studio.diffusion.sampling.preview import LatentColours, PreviewClock, colours_of
from gen2studio.diffusion.sampling.windows import ColourReference, colour_lock, spans
from gen2studio.diffusion.timing import Run, latent_window
from gen2studio.diffusion.wording import heard, triggers_of
from gen2studio.diffusion.words import TaughtWord, words_of
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import RunContext
from gen2studio.engine.requests import GenerateRequest

if TYPE_CHECKING:
    from torch import Tensor

    from gen2studio.models.library import InstalledModel


@dataclass(slots=True)
class _Loaded:
    """What a run works with."""

    pipe: Any
    embeds: PromptEmbeds
    colours: LatentColours
    plan: MemoryPlan
    by_frame: dict[int, PromptEmbeds]
    """The prompts as they are read with the pictures of each media frame; empty for encoders that see none."""


class Production:
    """Makes the frames of one request with one model."""

    def __init__(
        self,
        model: InstalledModel,
        family: FamilyAdapter,
        residency: Residency,
        prompts: PromptCache,
        pace: PaceOfModel,
        request: GenerateRequest,
        context: RunContext,
    ) -> None:
        self.model = model
        self.family = family
        self.residency = residency
        self.prompts = prompts
        self.pace = pace
        self.request = request
        self.context = context
        self.driver = family.driver()
        self.geometry = family.geometry(model)
        self.shot: ShotPlan = shot_plan(model.manifest, family, self.geometry, request)
        self.framing: Framing = self.shot.framing
        shown = request if "structure" in family.traits.controls else replace(request, structure_source="none")
        unread = dict(family.traits.structure_why_not)
        self.gatherer = Gatherer(shown, context, self.framing, depth_folder(), unread)
        if "structure" not in family.traits.controls and "layout" not in family.traits.controls:
            # Nothing is estimated that no one would look at.
            self.gatherer.kind = "none"
        self.finisher = Finisher(request, context, self.framing, self.shot.clock)
        self.turn = _Turn(context)
        self._stepped_down = False
        self._emitted: frozenset[int] = frozenset()
        self._first: Picture | None = None
        self._small: dict[int, Picture] = {}

    # -- from the top ----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Emit every wanted frame that is not finished. Raises StudioError and Cancelled."""
        sentence = self.framing.sentence()
        if sentence and self.request.frames is None:
            self.context.note(sentence)
        if self.shot.recipe and not self.model.manifest.recipe and self.request.frames is None:
            self.context.note(
                f"An adapter was distilled for {self.shot.recipe}: {self.shot.steps} steps are taken"
                f"{', without guidance' if self.shot.guidance <= 1.0 else ''}."
            )
        if self.finisher.applies_large and self.request.frames is None:
            width, height = self.framing.native
            self.context.note(
                f"The model draws at {width}×{height}: its light and colours are applied to the full-size footage."
            )
        window = self.model.manifest.frames.native or self.shot.clock.count
        shape = ClipShape(
            width=self.framing.native[0],
            height=self.framing.native[1],
            frames=min(window, self.geometry.frames.padded(self.shot.clock.count)),
        )
        plan = self.residency.plan_for(self.model, shape)
        try:
            with_retries(plan, self._with_plan, before_retry=self._step_down)
        finally:
            if self._stepped_down:
                # What was too much for this job may fit the next one, and lower rungs draw slightly other pictures.
                self.residency.release(self.model.id)

    def _step_down(self, failed: MemoryPlan, lower: MemoryPlan) -> None:
        del failed
        self._stepped_down = True
        self.context.note(f"The memory was not enough; going on {lower.describe()}.")
        self.residency.release(self.model.id)

    def _with_plan(self, plan: MemoryPlan) -> None:
        context = self.context

        def told(done: int, total: int, stage: str) -> None:
            # Nobody else is let in: the same model would be loaded twice.
            context.progress(done, max(1, total), stage or "Loading the model", give_way=False)

        guided = self.shot.guidance > 1.0
        triggers = triggers_of(self.request.adapters)
        prompt = self._prompt()
        said = [prompt, self.request.negative_prompt] if guided else [prompt]
        texts = [heard(text, self.model.manifest, triggers) for text in said]
        # A text encoder that sees pictures reads the words anew for every frame.
        wanted = self._unfinished() if self.family.traits.reads_pictures else []
        shown = [(*(inputs := self._still_inputs(frame)).video, *inputs.references) for frame in wanted]
        found = embed_prompts(
            self.model, self.driver, plan, [text for _ in wanted or [0] for text in texts], self.residency,
            self.prompts, progress=told, cancel=context.cancel, pictures=[seen for seen in shown for _ in texts],
            words=self._words(texts),
        )  # fmt: skip
        heard_of = [PromptEmbeds(*found[i : i + len(texts)]) for i in range(0, len(found), len(texts))]
        # The worker caps threads before a job; the first job of a session brings torch in only now.
        load_torch().set_num_threads(max(1, context.threads))
        parts = self.residency.acquire(self.model, plan, progress=told, cancel=context.cancel)
        pipe = self.driver.pipeline(parts)
        given = self.model.manifest.latent_rgb
        colours = colours_of(
            pipe,
            f"{self.model.id} {self.model.component_digest('vae')}",
            functools.partial(self.driver.encode, pipe),
            LatentColours(np.array(given.weight, np.float32), np.array(given.bias, np.float32)) if given else None,
        )
        loaded = _Loaded(pipe, heard_of[0], colours, plan, dict(zip(wanted, heard_of, strict=False)))
        with adapters_loaded(pipe, self.request.adapters, self.model):
            if self.shot.stills:
                self._stills(loaded)
            else:
                self._take(loaded)

    def _words(self, texts: Sequence[str]) -> tuple[TaughtWord, ...]:
        """The learned words of the request; one that no prompt says is told of. Raises GenerationError."""
        words = words_of(self.request.adapters, self.model)
        for word in words:
            if self.request.frames is None and not any(word.said_in(text) for text in texts):
                self.context.note(f"No prompt says “{word.word}”: the learned word has no effect.")
        return words

    def _prompt(self) -> str:
        """What the text encoder is given: of a model that edits pictures also what each picture is for."""
        traits = self.family.traits
        if not traits.stills_only or "styles" not in traits.controls:
            return self.request.prompt
        return instruction(self.request.prompt, sum(1 for style in self.request.styles if style.weight > 0))

    # -- takes -----------------------------------------------------------------------------------------------------

    def _take(self, loaded: _Loaded) -> None:
        before: list[Picture] = []
        reference: ColourReference | None = None
        for number, run in enumerate(self.shot.runs):
            wanted = self.shot.wanted_of(number, self._done)
            last = all(not self.shot.wanted_of(later, self._done) for later in range(number, len(self.shot.runs)))
            if last:
                return
            known = before[-run.known :] if run.known else self._lead(run)
            frames = self._frames_of(loaded, number, run, known)
            if self.shot.locks_colour:
                parts = self._window_parts(len(frames))
                footage = [self._small_source(self.shot.clock.media(run.start + i)) for i in range(len(frames))]
                frames, reference = colour_lock(frames, parts, footage if on_footage(self.request) else (), reference)
            before = frames
            self.finisher.emit(frames, run.start, wanted, self._small_source, self._tick("Finishing frames"))
            self._emitted |= frozenset(wanted)
            self._small.clear()

    def _frames_of(self, loaded: _Loaded, number: int, run: Run, known: Sequence[Picture]) -> list[Picture]:
        inputs, latent_frames = self._inputs(loaded, run, known)
        path = self.context.scratch / f"run-{number:03d}.safetensors"
        shape = (
            1, self.geometry.channels, latent_frames,
            inputs.height // self.geometry.spatial, inputs.width // self.geometry.spatial,
        )  # fmt: skip
        latents = load_latents(path, shape)
        if latents is None:
            sampling = self.shot.sampling(self.model.manifest, self.geometry, number)
            latents = self._denoised(loaded, inputs, sampling, run, number)
            save_latents(path, latents)
        return self._decoded(loaded, latents)[: run.count]

    def _inputs(self, loaded: _Loaded, run: Run, known: Sequence[Picture]) -> tuple[PipelineInputs, int]:
        rule = self.geometry.frames
        count = rule.padded(run.count)
        clock = self.shot.clock
        frames = tuple(clock.media(min(run.start + i, run.stop - 1)) for i in range(count))
        clip = Clip(frames=frames, width=self.framing.native[0], height=self.framing.native[1])
        keys = [
            (at - run.start, self.gatherer.key(index))
            for index, at in self.shot.keys
            if run.start + len(known) <= at < run.stop
        ]
        conditions = self.gatherer.conditions(clip, keys, known)
        if self.shot.moves:
            conditions = self._with_guide(loaded, conditions, clip, run)
        return self.family.inputs(self.request, clip, conditions, rule), rule.latent(count)

    def _lead(self, run: Run) -> tuple[Picture, ...]:
        if run.start or not self.shot.lead:
            return ()
        return self.gatherer.lead(self.shot.lead, self.shot.clock.step * lead_pace(self.request))

    def _with_guide(self, loaded: _Loaded, conditions: Conditions, clip: Clip, run: Run) -> Conditions:
        """Camera move and motion strokes, drawn from the shot's first frame."""
        from gen2studio.diffusion.conditioning.guide import motion_guide
        from gen2studio.diffusion.conditioning.motion_brush import region_of

        first = self._first_frame(loaded)
        last = self.shot.clock.count - 1
        regions = [
            region_of(ref, self.framing.mask_into(np.asarray(self.context.matte(ref.raster), np.uint8)))
            for ref in self.request.motion_regions
        ]
        guide = motion_guide(
            first,
            max(1, self.shot.clock.count),
            camera=self.request.camera,
            regions=regions,
            depth=self.gatherer.depth_of(first),
            seed=self.request.seed,
            frames=[min(run.start + i, last) for i in range(len(clip))],
        )
        return replace(conditions, guide=guide.frames, guide_masks=guide.masks)

    def _first_frame(self, loaded: _Loaded) -> Picture:
        """The given first frame, or one made for it: a still of the same prompt and seed."""
        if self._first is None:
            given = [index for index, at in self.shot.keys if at == 0]
            if given:
                self._first = self.gatherer.key(given[0])
            else:
                run = Run(0, 1)
                clip = Clip(frames=(self.request.start,), width=self.framing.native[0], height=self.framing.native[1])
                inputs = self.family.inputs(self.request, clip, self.gatherer.conditions(clip), self.geometry.frames)
                sampling = self.shot.still_sampling(self.model.manifest, self.geometry, 0)
                self._first = self._decoded(loaded, self._denoised(loaded, inputs, sampling, run, 0, "Drawing"))[0]
        return self._first

    def _window_parts(self, count: int) -> tuple[tuple[int, int], ...]:
        """The windows of a run, in pixel frames."""
        rule = self.geometry.frames
        window, overlap = latent_window(self.model.manifest.frames.native, rule)
        parts = spans(rule.latent(rule.padded(count)), window, overlap)
        return tuple(
            (0 if a == 0 else 1 + (a - 1) * rule.group, min(count, 1 + (b - 1) * rule.group)) for a, b in parts
        )

    # -- stills ----------------------------------------------------------------------------------------------------

    def _stills(self, loaded: _Loaded) -> None:
        """One by one, each wanted frame as a clip of one; else the shot itself, in few steps."""
        if not self.shot.apart:
            self._take(loaded)
            return
        wanted = self._unfinished()
        for number, frame in enumerate(wanted):
            at = self.shot.clock.nearest(frame)
            inputs = self._still_inputs(frame)
            variation = self.request.wanted.index(frame)
            sampling = self.shot.still_sampling(self.model.manifest, self.geometry, at, variation)
            run = Run(at, at + 1)
            reading = replace(loaded, embeds=loaded.by_frame.get(frame, loaded.embeds))
            latents = self._denoised(reading, inputs, sampling, run, number, total=len(wanted))
            picture = self._decoded(loaded, latents)[:1]
            self.finisher.emit_one(picture[0], frame, self._small_source)
            self._emitted |= {frame}

    def _unfinished(self) -> list[int]:
        return [frame for frame in self.request.wanted if frame not in self._done]

    @property
    def _done(self) -> frozenset[int]:
        """Media frames that need not be made: of an earlier start, or before the memory ran out in this one."""
        return self.context.finished | self._emitted

    def _still_inputs(self, frame: int) -> PipelineInputs:
        """A media frame as a clip of one."""
        at = self.shot.clock.nearest(frame)
        clip = Clip(frames=(frame,), width=self.framing.native[0], height=self.framing.native[1])
        keys = [(0, self.gatherer.key(index)) for index, key_at in self.shot.keys if key_at == at]
        return self.family.inputs(self.request, clip, self.gatherer.conditions(clip, keys), self.geometry.frames)

    # -- the model -------------------------------------------------------------------------------------------------

    def _denoised(
        self,
        loaded: _Loaded,
        inputs: PipelineInputs,
        sampling: Sampling,
        run: Run,
        number: int,
        stage: str = "Diffusing",
        total: int = 0,
    ) -> Tensor:
        watch = _Watch(self, loaded, run, number, total or len(self.shot.runs), stage)
        begun = time.perf_counter()
        latents = self.driver.denoise(loaded.pipe, Denoising(inputs, loaded.embeds, sampling, watch, self.geometry))
        if not bool(load_torch().isfinite(latents).all()):
            raise GenerationError(
                "The model made no picture: its numbers ran over.",
                "Take another seed or less guidance; if it comes again, verify the model's files.",
            )
        passes = sampling.steps * passes_per_step(self.shot.guidance, sampling.consistency)
        self.pace.learn_denoising(time.perf_counter() - begun, passes, inputs.width, inputs.height, inputs.frames)
        return latents

    def _decoded(self, loaded: _Loaded, latents: Tensor) -> list[Picture]:
        begun = time.perf_counter()
        how = Decoding(
            tile=256 if loaded.plan.tiled_vae else 0,
            check=self.turn.check,
            progress=self._tick("Decoding frames"),
            note=self.context.note,
        )
        pictures = list(self.driver.decode(loaded.pipe, latents, how))
        self.pace.learn_decoding(time.perf_counter() - begun, *self.framing.native, len(pictures))
        return pictures

    def _tick(self, stage: str) -> Callable[[int, int], None]:
        def tick(done: int, total: int) -> None:
            self.turn.progress(done, max(1, total), stage)

        return tick

    def _small_source(self, frame: int) -> Picture:
        found = self._small.get(frame)
        if found is None:
            found = self._small[frame] = self.gatherer.source(frame)
        return found


class _Turn:
    """Whose turn it is: the job's own, or that of another one which it lets go first.

    What a job hangs on the shared modules to be stopped by is called by that other one's passes too, and must not end
    it.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._away = False

    def check(self) -> None:
        """Raises Cancelled when the job whose turn this is was cancelled."""
        if not self._away:
            self._context.cancel.check()

    def progress(self, done: int, total: int, stage: str) -> None:
        """As :meth:`~gen2studio.engine.generators.RunContext.progress`: waiting jobs may run in it."""
        before, self._away = self._away, True
        try:
            self._context.progress(done, total, stage)
        finally:
            self._away = before


class _Watch:
    """Passes steps on as progress and rough pictures, and lets other jobs and cancelling in."""

    def __init__(self, made: Production, loaded: _Loaded, run: Run, number: int, runs: int, stage: str) -> None:
        self._made = made
        self._colours = loaded.colours
        self._run = run
        self._number = number
        self._runs = runs
        self._stage = stage
        self._clock = PreviewClock()

    def check(self) -> None:
        self._made.turn.check()

    def stepped(self, step: int, steps: int, clean: Tensor) -> None:
        context = self._made.context
        if self._clock.due(last=step == steps):
            for frame, index in self._made.shot.shown(self._run):
                latent = min(clean.shape[2] - 1, self._made.geometry.frames.group_of(index))
                small = self._colours.picture(clean[0, :, latent])
                context.step_preview(frame, self._framed(small), step, steps)
        self._made.turn.progress(self._number * steps + step, self._runs * steps, self._stage)

    def _framed(self, small: Picture) -> Picture:
        framing = self._made.framing
        return framing.inside(resized(small, framing.native))


def refuse_unserved(request: GenerateRequest, family: FamilyAdapter) -> None:
    """Raises GenerationError for what no run could make sense of."""
    if request.mode not in family.traits.modes:
        raise GenerationError(f"This model does not serve the mode “{request.mode}”.", "Choose another model.")
    if family.traits.stills_only and request.frames is None:
        raise GenerationError(
            f"{family.traits.title} draws single frames.",
            "Make stills, and begin a video model's shot with one of them."
            if request.from_nothing
            else "Choose key frames: the frames between are carried from them.",
        )
    if request.stop <= request.start or not request.wanted:
        raise GenerationError("The range holds no frames.", "Choose a range of at least one frame.")
    if request.width < 8 or request.height < 8:
        raise GenerationError(
            f"A picture of {request.width}×{request.height} pixels is too small.", "Choose a larger size."
        )
    needs = family.traits.needs
    if "first_frame" in needs and request.lead is None and all(key.frame > request.start for key in request.keys):
        raise GenerationError(
            "This model begins with a picture, and there is none.", "Add a first frame, or choose another model."
        )
    if "last_frame" in needs and all(key.frame <= request.start for key in request.keys):
        raise GenerationError(
            "This model makes the way from one picture to another, and there is no last one.",
            "Add a last frame, or choose another model.",
        )
    if request.mode == "image" and not request.keys and request.lead is None:
        raise GenerationError("There is no image to bring to life.", "Add a first frame, a last frame, or both.")
    if request.mode == "text" and not request.prompt.strip() and request.lead is None:
        raise GenerationError("The prompt is empty.", "Say in words what the shot should show.")
