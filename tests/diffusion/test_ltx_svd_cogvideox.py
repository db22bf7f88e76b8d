"""LTX-Video, Stable Video Diffusion and CogVideoX on small checkpoints: what ours gives is what diffusers' own pipeline
gives, and what each of them does that no other family does."""

from __future__ import annotations

import copy
import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen2studio.core.errors import ModelError, OutOfBudget
from gen2studio.core.geometry import Extent
from gen2studio.diffusion.entries import abilities_of, family_of
from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.ltx import DISTILLED_TIMES
from gen2studio.diffusion.families.svd import bucket
from gen2studio.diffusion.planning import shot_plan
from gen2studio.diffusion.runtime.device import quick_machine
from gen2studio.diffusion.runtime.ladder import choose_plan, plans_for
from gen2studio.diffusion.runtime.loading import load_components, text_parts
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.sampling.tiles import decoded_in_tiles, with_smaller_tiles
from gen2studio.engine.events import Event, FrameReady, JobState, Picture, Progress, StateChanged, StepPreview
from gen2studio.engine.requests import AdapterRef, KeyRef, Lane, LeadRef
from gen2studio.models.families.cogvideox import COGVIDEOX, COGVIDEOX_IMAGE
from gen2studio.models.families.ltx import LTX, RECIPE
from gen2studio.models.families.svd import SVD
from gen2studio.models.library import InstalledModel, ModelLibrary
from gen2studio.models.manifest import ModelFacts
from tests.diffusion import tiny_cogvideox, tiny_ltx, tiny_svd
from tests.diffusion.studio import Stage, footage, source_ref
from tests.models.folder import change_json

BUILDERS: dict[str, Callable[[Path], Path]] = {
    "ltx-plain": lambda folder: tiny_ltx.build(folder, "plain"),
    "ltx-timed": lambda folder: tiny_ltx.build(folder, "timed"),
    "ltx-distilled": lambda folder: tiny_ltx.build(folder, "distilled"),
    "svd": tiny_svd.build,
    "cog-text": lambda folder: tiny_cogvideox.build(folder, "text"),
    "cog-text15": lambda folder: tiny_cogvideox.build(folder, "text15"),
    "cog-image": lambda folder: tiny_cogvideox.build(folder, "image"),
    "cog-image15": lambda folder: tiny_cogvideox.build(folder, "image15"),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a small checkpoint, built when it is first asked for."""
    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = BUILDERS[name](tmp_path_factory.mktemp("models") / name)
        return made[name]

    return folder


@dataclass
class Looking:
    """A watch that counts, remembers the last clean prediction and can stop a run."""

    stop_at: int = -1
    checks: int = 0
    steps: int = 0
    clean: torch.Tensor | None = None

    def check(self) -> None:
        self.checks += 1
        if self.checks == self.stop_at:
            raise KeyboardInterrupt

    def stepped(self, step: int, steps: int, clean: torch.Tensor) -> None:
        assert step == self.steps + 1 <= steps
        self.steps, self.clean = step, clean


class Driven:
    """A loaded checkpoint and its driver, without the engine around them."""

    def __init__(self, folder: Path, home: Path) -> None:
        library = ModelLibrary(registry_file=home / "models.json", builtin=folder)
        self.model: InstalledModel = library.models()[0]
        assert self.model.usable, self.model.problem
        self.family = family_of(self.model)
        self.driver = self.family.driver()
        self.geometry: LatentGeometry = self.family.geometry(self.model)
        # Held in float32 on every machine: bits are compared.
        plan = replace(choose_plan(self.model, quick_machine()), dtype="float32")
        self.parts = load_components(self.model, plan, (*self.family_parts, *text_parts(self.model)))
        self.pipe = self.driver.pipeline(self.parts)
        self.width, self.height = self.model.manifest.sizes[0]

    @property
    def family_parts(self) -> tuple[str, ...]:
        rules = self.model.checkpoint().family
        return tuple(name for name in rules.components if name not in rules.text_parts)

    def words(self, guided: bool = True) -> PromptEmbeds:
        length = self.model.manifest.text_length

        def said(text: str) -> dict[str, torch.Tensor]:
            return dict(self.driver.embed(self.parts, text, length, "cpu"))

        return PromptEmbeds(said("a red dog"), said("noir") if guided else None)

    def picture(self, frame: int) -> Picture:
        return footage(source_ref(), frame, Extent(self.width, self.height))

    def inputs(self, frames: int, **changes: Any) -> PipelineInputs:
        return PipelineInputs(task="text", width=self.width, height=self.height, frames=frames, **changes)

    def made(self, inputs: PipelineInputs, watch: Looking | None = None, **sampling: Any) -> torch.Tensor:
        how = Sampling(**{"steps": 3, "guidance": 2.0, "seed": 5, "rate": 8.0, **sampling})
        guided = how.guidance > 1 and bool(text_parts(self.model))
        return self.driver.denoise(
            self.pipe, Denoising(inputs, self.words(guided), how, watch or Looking(), self.geometry)
        )

    def decoded(self, latents: torch.Tensor, **named: Any) -> list[Picture]:
        return list(self.driver.decode(self.pipe, latents, Decoding(**named)))

    def stock(self, **call: Any) -> torch.Tensor:
        """What the pipeline itself makes of the same prompts and seed, as latents."""
        words = self.words() if text_parts(self.model) else PromptEmbeds({})
        named = {
            **words.positive,
            **{f"negative_{name}": value for name, value in (words.negative or {}).items()},
        }
        pipe = type(self.pipe)(**{**self.pipe.components, "scheduler": copy.deepcopy(self.pipe.scheduler)})
        pipe.set_progress_bar_config(disable=True)
        return pipe(
            width=self.width, height=self.height, num_inference_steps=3, generator=torch.Generator().manual_seed(5),
            output_type="latent", **named, **call,
        ).frames  # fmt: skip


@pytest.fixture(scope="module")
def driven(folders: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Driven]:
    made: dict[str, Driven] = {}

    def get(name: str) -> Driven:
        if name not in made:
            made[name] = Driven(folders(name), tmp_path_factory.mktemp("home"))
        return made[name]

    return get


# -- the pipeline itself ---------------------------------------------------------------------------------------------


def test_ltx_gives_the_bits_of_the_stock_pipeline(driven: Callable[[str], Driven]) -> None:
    from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition
    from PIL import Image

    ltx = driven("ltx-plain")
    first, last = (Image.fromarray(ltx.picture(frame)) for frame in (0, 8))
    shown = [LTXVideoCondition(image=first, frame_index=0), LTXVideoCondition(image=last, frame_index=12)]
    stock = ltx.stock(conditions=shown, num_frames=17, frame_rate=8, guidance_scale=2.0)
    ours = ltx.made(ltx.inputs(17, keys=((0, ltx.picture(0)), (12, ltx.picture(8)))))
    assert torch.equal(ours, stock)
    lead = LTXVideoCondition(video=[Image.fromarray(ltx.picture(frame)) for frame in range(9)])
    stock = ltx.stock(conditions=[lead], num_frames=17, frame_rate=8, guidance_scale=2.0)
    assert torch.equal(ltx.made(ltx.inputs(17, video=tuple(ltx.picture(frame) for frame in range(9)))), stock)


def test_svd_gives_the_bits_of_the_stock_pipeline(driven: Callable[[str], Driven]) -> None:
    from PIL import Image

    svd = driven("svd")
    noise = torch.randn((1, 4, 5, 4, 4), generator=torch.Generator().manual_seed(5)).transpose(1, 2)
    stock = svd.stock(
        image=Image.fromarray(svd.picture(0)), num_frames=5, fps=8, motion_bucket_id=177, max_guidance_scale=2.0,
        latents=noise,
    )  # fmt: skip
    ours = svd.made(svd.inputs(5, keys=((0, svd.picture(0)),), motion=7.0))
    assert torch.equal(ours, stock.transpose(1, 2))


@pytest.mark.parametrize("name", ["cog-text", "cog-image", "cog-image15"])
def test_cogvideox_gives_the_bits_of_the_stock_pipeline(driven: Callable[[str], Driven], name: str) -> None:
    from PIL import Image

    cog = driven(name)
    frames = cog.model.manifest.frames.native
    count = (frames - 1) // 4 + 1
    noise = torch.randn((1, 4, count, 4, 4), generator=torch.Generator().manual_seed(5))
    ahead = int(name.endswith("15"))
    if ahead:
        front = torch.randn((1, 4, 1, 4, 4), generator=torch.Generator().manual_seed(6))
        noise = torch.cat([front, noise], 2)
    shown = {"image": Image.fromarray(cog.picture(0))} if "image" in name else {}
    stock = cog.stock(num_frames=frames, guidance_scale=2.0, latents=noise.transpose(1, 2), **shown)
    keys = ((0, cog.picture(0)),) if shown else ()
    assert torch.equal(cog.made(cog.inputs(frames, keys=keys)), stock.transpose(1, 2)[:, :, ahead:])


def test_footage_is_drawn_again_as_the_stock_video_pipeline_does(driven: Callable[[str], Driven]) -> None:
    from diffusers import CogVideoXVideoToVideoPipeline

    cog = driven("cog-text")
    start = tuple(cog.picture(frame) for frame in range(9))
    ours = cog.made(cog.inputs(9, start=start, strength=0.6), steps=5)
    pipe = CogVideoXVideoToVideoPipeline(**{**cog.pipe.components, "scheduler": copy.deepcopy(cog.pipe.scheduler)})
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler.set_timesteps(5)
    clean = cog.driver.encode(cog.pipe, start)
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(5))
    begin = pipe.scheduler.add_noise(clean, noise, pipe.scheduler.timesteps[2:3]).transpose(1, 2)
    words = cog.words()
    stock = pipe(
        latents=begin, strength=0.6, num_inference_steps=5, guidance_scale=2.0, output_type="latent", height=32,
        width=32, prompt_embeds=words.positive["prompt_embeds"],
        negative_prompt_embeds=(words.negative or {})["prompt_embeds"],
        generator=torch.Generator().manual_seed(5),
    ).frames  # fmt: skip
    assert torch.equal(ours, stock.transpose(1, 2))


# -- decoding ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ltx-plain", "svd", "cog-text"])
def test_frames_are_those_of_the_pipelines_own_decoder(driven: Callable[[str], Driven], name: str) -> None:
    made = driven(name)
    count = 5 if name == "svd" else 9
    latents = made.driver.encode(made.pipe, [made.picture(frame) for frame in range(count)])
    if name == "ltx-plain":
        vae = made.pipe.vae
        whole = vae.decode(made.pipe._denormalize_latents(latents, vae.latents_mean, vae.latents_std)).sample
    else:
        whole = made.pipe.decode_latents(latents.transpose(1, 2), *((count, count) if name == "svd" else ()))
    wanted = ((whole[0].detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).numpy()
    assert np.array_equal(np.stack(made.decoded(latents)), wanted)
    assert len(made.decoded(latents, tile=32)) == count


def test_a_decoder_that_draws_noise_draws_the_same_and_leaves_torchs_own_alone(
    driven: Callable[[str], Driven],
) -> None:
    ltx = driven("ltx-timed")
    latents = ltx.made(ltx.inputs(9))
    state = torch.random.get_rng_state()
    one = ltx.decoded(latents)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    assert all(np.array_equal(a, b) for a, b in zip(one, ltx.decoded(latents), strict=True))


def test_decoding_goes_on_in_smaller_tiles_from_the_frame_that_is_missing() -> None:
    tries: list[int] = []
    notes: list[str] = []

    def frames(size: int, fits: int) -> Iterator[Picture]:
        tries.append(size)
        for number in range(3):
            if number == 1 and size > fits:
                raise torch.OutOfMemoryError("CUDA out of memory.")
            yield np.full((2, 2, 3), number, np.uint8)

    def made(fits: int, tile: int = 0) -> list[int]:
        tries.clear()
        found = with_smaller_tiles(
            lambda: frames(1024, fits),
            lambda size: frames(size, fits),
            side=1024,
            how=Decoding(tile=tile, note=notes.append),
        )
        return [int(picture[0, 0, 0]) for picture in found]

    assert made(1024) == [0, 1, 2] and tries == [1024] and not notes
    assert made(256) == [0, 1, 2] and tries == [1024, 512, 256] and len(notes) == 2
    assert made(256, tile=256) == [0, 1, 2] and tries == [256]
    with pytest.raises(OutOfBudget, match="not enough memory"):
        made(64)
    with pytest.raises(RuntimeError, match="another"):
        list(with_smaller_tiles(_broken, lambda size: frames(size, 0), side=64, how=Decoding()))


def _broken() -> Iterator[Picture]:
    raise RuntimeError("another failure")
    yield


def test_svd_decodes_fewer_frames_at_a_time_when_memory_is_short(
    driven: Callable[[str], Driven], monkeypatch: pytest.MonkeyPatch
) -> None:
    svd = driven("svd")
    latents = torch.randn((1, 4, 10, 2, 2))
    decoder, forward = type(svd.pipe.vae.decoder), type(svd.pipe.vae.decoder).forward

    def tight(self: Any, sample: torch.Tensor, *rest: Any, **named: Any) -> Any:
        if len(sample) > 8:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return forward(self, sample, *rest, **named)

    monkeypatch.setattr(decoder, "forward", tight)
    notes: list[str] = []
    assert len(svd.decoded(latents, note=notes.append)) == 10
    assert notes == ["Memory is short: 8 frames are decoded at a time."]


@pytest.mark.parametrize("size", [(9, 7), (4, 4), (3, 12)])
def test_tiles_of_a_picture_make_the_picture(size: tuple[int, int]) -> None:
    latents = torch.rand((1, 3, 2, *size))
    joined = decoded_in_tiles(lambda tile: tile.repeat_interleave(8, -1).repeat_interleave(8, -2), latents, 32, 8)
    assert torch.allclose(joined, latents.repeat_interleave(8, -1).repeat_interleave(8, -2), atol=1e-6)


# -- what each does alone ----------------------------------------------------------------------------------------------


def test_a_distilled_ltx_walks_its_times_without_guidance(driven: Callable[[str], Driven]) -> None:
    ltx = driven("ltx-distilled")
    assert ltx.model.manifest.recipe == RECIPE
    seen: list[tuple[int, float]] = []

    def look(_: Any, values: Any, named: dict[str, Any]) -> None:
        seen.append((len(named["hidden_states"]), float(named["timestep"].max())))

    hook = ltx.pipe.transformer.register_forward_pre_hook(look, with_kwargs=True)
    try:
        ltx.made(ltx.inputs(9), recipe=RECIPE, guidance=1.0)
        assert seen == [(1, pytest.approx(time)) for time in DISTILLED_TIMES]
        seen.clear()
        start = tuple(ltx.picture(frame) for frame in range(9))
        ltx.made(ltx.inputs(9, start=start, strength=0.8), recipe=RECIPE, guidance=1.0)
        assert [time for _, time in seen] == pytest.approx([800.0, 725.0, 0.03])
    finally:
        hook.remove()


def test_a_distilled_ltx_offers_no_slider_that_it_was_not_made_for(driven: Callable[[str], Driven]) -> None:
    for mode in abilities_of(driven("ltx-distilled").model).modes:
        assert not mode.controls & {"guidance", "negative_prompt", "steps"}
        assert {"guidance", "negative_prompt", "steps"} <= set(dict(mode.why_not))


@pytest.mark.parametrize("name", ["ltx-timed", "svd", "cog-text", "cog-image15"])
def test_every_rung_of_the_memory_ladder_draws_the_clip(driven: Callable[[str], Driven], name: str) -> None:
    """Narrow weights beside a VAE in float32, and in tiles: what passes between the parts is cast on the way."""
    made = driven(name)
    frames = made.model.manifest.frames.native
    pictures = tuple(made.picture(frame) for frame in range(frames))
    inputs = made.inputs(frames, keys=((0, pictures[0]),) if name != "cog-text" else ())
    whole = made.made(inputs)
    for plan in plans_for(made.model, quick_machine()):
        dtype = getattr(torch, plan.dtype)
        pipe = made.driver.pipeline(Residency().acquire(made.model, plan))

        def said(table: Any, dtype: torch.dtype = dtype) -> dict[str, torch.Tensor]:
            return {name: value.to(dtype) if value.is_floating_point() else value for name, value in table.items()}

        words = made.words(bool(text_parts(made.model)))
        words = PromptEmbeds(said(words.positive), said(words.negative) if words.negative else None)
        how = Sampling(steps=3, guidance=2.0, seed=5, rate=8.0)
        latents = made.driver.denoise(pipe, Denoising(inputs, words, how, Looking(), made.geometry))
        assert latents.dtype == torch.float32
        apart = float((latents - whole).abs().mean() / whole.abs().mean())
        assert apart == 0 if plan.exact and plan.dtype == "float32" else apart < 0.5, plan.rung
        if name != "svd":
            begun = replace(inputs, start=pictures, strength=0.6)
            again = made.driver.denoise(pipe, Denoising(begun, words, how, Looking(), made.geometry))
            assert bool(torch.isfinite(again).all())


def test_held_frames_of_footage_come_out_as_they_were(driven: Callable[[str], Driven]) -> None:
    for name in ("ltx-plain", "cog-text"):
        made = driven(name)
        start = tuple(made.picture(frame) for frame in range(9))
        clean = made.driver.encode(made.pipe, start)
        count = clean.shape[2]
        held = made.made(made.inputs(9, start=start, strength=0.8, frame_strength=(0.8,) + (0.0,) * (count - 1)))
        assert torch.allclose(held[:, :, 1:], clean[:, :, 1:], atol=1e-5), name
        assert not torch.allclose(held[:, :, :1], clean[:, :, :1], atol=1e-2), name


@pytest.mark.parametrize("name", ["ltx-plain", "ltx-distilled", "cog-text", "cog-text15"])
def test_around_a_mask_the_latents_are_the_footages_own(driven: Callable[[str], Driven], name: str) -> None:
    made = driven(name)
    start = tuple(made.picture(frame) for frame in range(9))
    mask = np.zeros((made.height, made.width), np.uint8)
    mask[:, : made.width // 2] = 255
    clean = made.driver.encode(made.pipe, start)
    half = clean.shape[-1] // 2
    guidance = 1.0 if name == "ltx-distilled" else 2.0
    found: list[torch.Tensor] = []
    for strength in (1.0, 0.5):
        inputs = made.inputs(9, start=start, strength=strength, masks=(mask,) * 9)
        found.append(made.made(inputs, steps=4, guidance=guidance))
        assert torch.allclose(found[-1][..., half:], clean[..., half:], atol=1e-5), strength
        assert not torch.allclose(found[-1][..., :half], clean[..., :half], atol=1e-2), strength
    assert not torch.equal(*found)


def test_a_picture_to_begin_with_stays_where_footage_is_held(driven: Callable[[str], Driven]) -> None:
    """LTX-Video's first picture lies among the clip's own tokens: what is held must not be laid over it."""
    made = driven("ltx-plain")
    start = tuple(made.picture(frame) for frame in range(9))
    levels = (0.1,) * made.geometry.frames.latent(9)
    shown = [
        made.made(made.inputs(9, start=start, strength=0.8, frame_strength=levels, keys=((0, made.picture(key)),)))
        for key in (0, 11)
    ]
    assert not torch.allclose(shown[0][:, :, :1], shown[1][:, :, :1], atol=1e-2)


def test_a_long_cogvideox_clip_is_denoised_in_windows(driven: Callable[[str], Driven]) -> None:
    for name in ("cog-text", "cog-text15"):
        cog = driven(name)
        frames = 17 if name == "cog-text" else 33
        latents = cog.geometry.frames.latent(frames)
        seen: set[int] = set()
        hook = cog.pipe.transformer.register_forward_pre_hook(
            lambda _, values, named, seen=seen: seen.add(named["hidden_states"].shape[1]), with_kwargs=True
        )
        try:
            whole = cog.made(cog.inputs(frames))
            everything = max(seen)
            seen.clear()
            windows = cog.made(cog.inputs(frames), window=4, overlap=1)
        finally:
            hook.remove()
        assert everything >= latents and seen == {4}, name
        assert windows.shape == whole.shape and not torch.equal(windows, whole)


def test_the_motion_slider_is_the_bucket() -> None:
    assert [bucket(value) for value in (0.0, 5.0, 10.0)] == [1, 127, 253]
    values = [bucket(step / 4) for step in range(41)]
    assert values == sorted(set(values))


@pytest.mark.parametrize("name", ["ltx-plain", "svd", "cog-image"])
def test_a_stopped_run_leaves_nothing_on_the_shared_parts(driven: Callable[[str], Driven], name: str) -> None:
    made = driven(name)
    frames = 5 if name == "svd" else 9
    inputs = made.inputs(frames, keys=((0, made.picture(0)),))
    watch = Looking()
    before = made.made(inputs, watch)
    assert watch.clean is not None and torch.allclose(watch.clean, before, atol=1e-4)
    for stop_at in (1, watch.checks // 2, watch.checks):
        with pytest.raises(KeyboardInterrupt):
            made.made(inputs, Looking(stop_at=stop_at))
    modules = [module for part in made.parts.modules for module in part.modules()]
    assert not any(module._forward_pre_hooks for module in modules)
    assert torch.equal(made.made(inputs), before)


# -- through the engine ------------------------------------------------------------------------------------------------


class Switch:
    act: Callable[[Event], None] = staticmethod(lambda event: None)

    def __call__(self, event: Event) -> None:
        self.act(event)


@pytest.fixture(scope="module", params=["ltx-plain", "svd", "cog-image15"])
def stage(
    request: pytest.FixtureRequest, folders: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    made = Stage(folders(request.param), tmp_path_factory.mktemp("stage"), Switch())
    made.made(of_a_picture(made))  # starts the thread that writes takes
    yield made
    made.close()


def of_a_picture(stage: Stage, stop: int = 5, **changes: Any) -> Any:
    width, height = stage.model.manifest.sizes[0]
    picture = footage(source_ref(), 0, Extent(width, height))
    first = KeyRef(frame=0, blob=stage.image("first", picture))
    return stage.request("image", stop, keys=(first,), width=width, height=height, **changes)


def test_a_shot_longer_than_a_clip_goes_on_from_its_last_frame(stage: Stage) -> None:
    family = family_of(stage.model)
    request = of_a_picture(stage, stop=40, source=source_ref(60))
    geometry = family.geometry(stage.model)
    plan = shot_plan(stage.model.manifest, family, geometry, request)
    native = stage.model.manifest.frames.native
    assert len(plan.runs) > 1
    assert all(run.count <= native for run in plan.runs)
    assert {run.known for run in plan.runs[1:]} == {min(family.traits.known, native - 1)}
    frames = stage.made(replace(request, stop=native + 4))
    assert len(frames) == native + 4 and len({frame.tobytes() for frame in frames}) > native


def test_a_run_that_died_while_decoding_goes_on_there(stage: Stage) -> None:
    request = of_a_picture(stage, seed=41)
    whole = stage.made(request)
    switch: Any = stage._on_event

    def cancel(event: Event) -> None:
        if isinstance(event, Progress) and event.stage == "Decoding frames":
            stage.engine.queue.cancel(event.job_id)

    switch.act = cancel
    try:
        assert stage.run(request, take="take-0123456789ab").state is JobState.CANCELLED
    finally:
        switch.act = lambda event: None
    again = stage.run(request, take="take-0123456789ab")
    assert again.state is JobState.FINISHED, again.reason
    assert not stage.previews(), "nothing is denoised twice"
    assert all(np.array_equal(a, stage.frames()[i]) for i, a in enumerate(whole))


@pytest.mark.parametrize("phase", ["Diffusing", "Decoding frames"])
def test_a_job_in_between_outlives_the_one_that_let_it_in(stage: Stage, phase: str) -> None:
    outer, inner = of_a_picture(stage, seed=47), replace(of_a_picture(stage, seed=48), frames=(1,))
    alone = stage.made(inner, Lane.PREVIEW)[0]
    switch: Any = stage._on_event
    jobs = [stage.job(outer), stage.job(inner, Lane.PREVIEW)]
    ends: dict[str, JobState] = {}
    submitted: list[str] = []

    def act(event: Event) -> None:
        if isinstance(event, Progress) and event.job_id == jobs[0].id and event.stage == phase and not submitted:
            submitted.append(jobs[1].id)
            stage.engine.queue.submit(jobs[1])
        elif isinstance(event, StepPreview) and event.job_id == jobs[1].id:
            # What the outer job hung on the shared modules must not take this for a reason to end the inner one.
            stage.engine.queue.cancel(jobs[0].id)
        elif isinstance(event, StateChanged) and event.state.ended:
            ends[event.job_id] = event.state

    switch.act = act
    stage.events.clear()
    try:
        stage.engine.run(jobs[0])
    finally:
        switch.act = lambda event: None
    assert ends == {jobs[0].id: JobState.CANCELLED, jobs[1].id: JobState.FINISHED}
    shown = [e.picture for e in stage.events if isinstance(e, FrameReady) and e.job_id == jobs[1].id]
    assert len(shown) == 1 and np.array_equal(shown[0], alone)


def test_previews_are_shown_at_the_steps(stage: Stage) -> None:
    stage.made(of_a_picture(stage, seed=42))
    shown: list[StepPreview] = stage.previews()
    assert shown and shown[-1].step == shown[-1].steps
    assert shown[-1].picture.std() > 0


def test_stills_show_moments_of_the_shot(stage: Stage) -> None:
    request = replace(of_a_picture(stage, stop=9, seed=45), frames=(1, 7))
    stage.made(request, Lane.STILLS)
    assert sorted(stage.frames()) == [1, 7]
    assert not np.array_equal(stage.frames()[1], stage.frames()[7])


def test_the_same_frames_come_without_a_network_after_a_fresh_load(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*_: Any) -> None:
        raise AssertionError("nothing may be fetched")

    request = of_a_picture(stage, seed=43)
    before = stage.made(request)
    monkeypatch.setattr(socket.socket, "connect", no_network)
    other = Stage(stage.model.folder, tmp_path)
    try:
        again = other.made(of_a_picture(other, seed=43))
    finally:
        other.close()
    assert all(np.array_equal(a, b) for a, b in zip(before, again, strict=True))


def test_an_adapter_acts_for_one_job_and_not_a_moment_longer(stage: Stage, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    if not family_of(stage.model).traits.adapters:
        assert "adapters" in dict(stage.generators.abilities[0].modes[0].why_not)
        return
    request = of_a_picture(stage, seed=44)
    before = stage.made(request)
    name = "transformer.transformer_blocks.0.attn1.to_v"
    made = torch.Generator().manual_seed(1)
    tensors = {f"{name}.lora_{side}.weight": torch.randn((4, 32), generator=made) for side in "A"}
    tensors[f"{name}.lora_B.weight"] = torch.randn((32, 4), generator=made)
    save_file(tensors, tmp_path / "look.safetensors", metadata={"format": "pt"})
    adapter = AdapterRef(digest="look", path=str(tmp_path / "look.safetensors"))
    other = stage.made(replace(request, adapters=(adapter,)))
    assert any(not np.array_equal(a, b) for a, b in zip(before, other, strict=True))
    silent = stage.made(replace(request, adapters=(replace(adapter, strength=0.0),)))
    after = stage.made(request)
    assert all(np.array_equal(a, b) for a, b in zip(before, silent, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_what_a_family_cannot_do_is_said_in_one_sentence(stage: Stage) -> None:
    family = family_of(stage.model)
    request = of_a_picture(stage)
    if family.traits.id != "ltx":
        blob = request.keys[0].blob
        end = stage.run(replace(request, keys=(KeyRef(frame=3, blob=blob),)))
        assert end.state is JobState.FAILED and "begins with a picture" in end.reason
        lead = LeadRef(source=source_ref(), start=0, stop=8)
        end = stage.run(replace(request, lead=lead))
        assert end.state is JobState.FAILED and "takes one picture" in end.reason
    end = stage.run(replace(request, mode="render"))
    assert end.state is JobState.FAILED and "does not serve" in end.reason


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "part", "changes", "words"),
    [
        ("ltx-plain", "transformer", {"num_layers": 3}, "lack"),
        ("ltx-plain", "transformer", {"num_layers": 100_000}, "num_layers"),
        ("ltx-plain", "transformer", {"patch_size": 2}, "patch_size"),
        ("ltx-plain", "transformer", {"caption_channels": 64}, "caption_projection"),
        ("ltx-plain", "vae", {"latent_channels": 16}, "conv_in"),
        ("ltx-plain", "vae", {"spatio_temporal_scaling": "all"}, "spatio_temporal_scaling"),
        ("svd", "unet", {"cross_attention_dim": 32}, "attn2"),
        ("svd", "unet", {"num_frames": 100_000}, "num_frames"),
        ("svd", "unet", {"down_block_types": ["Anything"]}, "down_block_types"),
        ("svd", "unet", {"addition_time_embed_dim": 9}, "rate, the motion"),
        ("svd", "image_encoder", {"projection_dim": 12}, "visual_projection"),
        ("cog-text", "transformer", {"in_channels": 8}, "patch_embed"),
        ("cog-text", "transformer", {"num_layers": 1}, "does not know"),
        ("cog-image", "transformer", {"max_text_seq_length": 20}, "pos_embedding"),
        ("cog-text", "vae", {"temporal_compression_ratio": 3}, "temporal_compression_ratio"),
        ("cog-text", "vae", {"block_out_channels": []}, "block_out_channels"),
    ],
)
def test_a_config_that_does_not_fit_its_weights_is_refused(
    folders: Callable[[str], Path], tmp_path: Path, name: str, part: str, changes: dict[str, Any], words: str
) -> None:
    from gen2studio.models.checkpoint import check_checkpoint

    folder = tmp_path / "model"
    shutil.copytree(folders(name), folder)
    change_json(folder / part / "config.json", **changes)
    with pytest.raises(ModelError, match=words) as refusal:
        check_checkpoint(folder)
    assert refusal.value.remedy


def test_a_distilled_ltx_is_known_by_its_name(folders: Callable[[str], Path], tmp_path: Path) -> None:
    from gen2studio.models.checkpoint import check_checkpoint

    folder = tmp_path / "models--Lightricks--LTX-Video-0.9.8-13B-distilled" / "snapshots" / "0123abcd"
    shutil.copytree(folders("ltx-plain"), folder)
    (folder / "gen2studio.json").unlink()
    made = check_checkpoint(folder).manifest
    assert (made.recipe, made.guidance.highest, made.steps.default) == (RECIPE, 1.0, 8)
    plain = tmp_path / "LTX-Video-0.9.7-dev"
    shutil.copytree(folder, plain)
    made = check_checkpoint(plain).manifest
    assert (made.recipe, made.guidance.default, made.steps.default, made.rate) == ("", 3.0, 40, 25)


@pytest.mark.parametrize(
    ("family", "dim", "config", "title", "frames", "size", "rate"),
    [
        (LTX, 2048, {}, "LTX-Video 2B", 161, (768, 512), 25),
        (SVD, 320, {"unet": {"num_frames": 25}}, "Stable Video Diffusion XT", 25, (1024, 576), 7),
        (SVD, 320, {"unet": {"num_frames": 14}}, "Stable Video Diffusion", 14, (1024, 576), 7),
        (COGVIDEOX, 1920, {}, "CogVideoX 2B", 49, (720, 480), 8),
        (COGVIDEOX, 3072, {"transformer": {"patch_size_t": 2}}, "CogVideoX 1.5 5B", 81, (1360, 768), 16),
        (COGVIDEOX_IMAGE, 3072, {}, "CogVideoX 5B image to video", 49, (720, 480), 8),
    ],
)
def test_published_checkpoints_are_known_by_their_shape(
    family: Any, dim: int, config: dict[str, Any], title: str, frames: int, size: tuple[int, int], rate: int
) -> None:
    configs = {"transformer": {}, "unet": {}, "vae": {"block_out_channels": [128, 256, 256, 512]}, **config}
    facts = ModelFacts(
        dim=dim, patch=(1, 1, 1), latent_channels=4, temporal_scale=8, spatial_scale=8, flow_shift=None, components=()
    )  # fmt: skip
    known = family.defaults(facts, configs)
    assert (known.title, known.frames.native, known.sizes[0], known.rate) == (title, frames, size, rate)
    assert known.licence
