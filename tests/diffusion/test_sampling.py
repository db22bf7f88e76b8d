"""Denoising, guidance between frames, windows, previews and decoding, against the bare pipeline of diffusers."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import OutOfBudget
from gen2studio.diffusion.families.contract import LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Decoding, Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.wan_vace import WanVaceAdapter
from gen2studio.diffusion.families.wan_vace_driver import WanVaceDriver
from gen2studio.diffusion.sampling import consistency, motion, preview, seeds, windows
from gen2studio.diffusion.sampling.decode import decode, load_latents, save_latents
from gen2studio.diffusion.sampling.denoise import denoise, encode
from gen2studio.diffusion.sampling.step_reuse import StepReuse
from gen2studio.engine.events import Picture

Tensor = torch.Tensor


@dataclass
class Watcher:
    """Notes every step; ``act`` is called before each block, ``between`` after each step."""

    steps: list[int] = field(default_factory=list)
    clean: list[Tensor] = field(default_factory=list)
    act: Callable[[], None] = lambda: None
    between: Callable[[int], None] = lambda step: None

    def check(self) -> None:
        self.act()

    def stepped(self, step: int, steps: int, clean: Tensor) -> None:
        self.steps.append(step)
        self.clean.append(clean)
        self.between(step)


@dataclass
class Model:
    pipe: Any
    geometry: LatentGeometry
    embeds: PromptEmbeds
    quirk: int

    def denoise(self, inputs: PipelineInputs, sampling: Sampling, watch: Watcher | None = None) -> Tensor:
        return denoise(self.pipe, Denoising(inputs, self.embeds, sampling, watch or Watcher(), self.geometry))

    def bare(self, inputs: PipelineInputs, sampling: Sampling, output: str = "latent") -> Any:
        """What an own script would call."""
        from PIL import Image

        return self.pipe(
            prompt_embeds=self.embeds.positive["prompt_embeds"],
            negative_prompt_embeds=self.embeds.negative["prompt_embeds"] if self.embeds.negative else None,
            video=[Image.fromarray(f) for f in inputs.video] or None,
            mask=[Image.fromarray(m).convert("RGB") for m in inputs.masks] or None,
            reference_images=[Image.fromarray(r) for r in inputs.references] or None,
            height=inputs.height,
            width=inputs.width,
            num_frames=inputs.frames - self.quirk,
            num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance,
            conditioning_scale=inputs.scale,
            generator=torch.Generator().manual_seed(sampling.seed),
            output_type=output,
        ).frames


def _model(folder: Path, home: Path) -> Model:
    import diffusers

    from gen2studio.diffusion.runtime.prompt_cache import PromptCache, embed_prompts
    from gen2studio.diffusion.runtime.residency import Residency
    from gen2studio.models.library import ModelLibrary

    installed = ModelLibrary(registry_file=home / "models.json", builtin=folder).models()[0]
    residency = Residency()
    plan = residency.plan_for(installed)
    found = embed_prompts(installed, WanVaceDriver(), plan, ["a red dog", ""], residency, PromptCache(home / "prompts"))
    pipe = residency.acquire(installed, plan).pipeline(diffusers.WanVACEPipeline)
    geometry = WanVaceAdapter().geometry(installed)
    return Model(pipe, geometry, PromptEmbeds(found[0], found[1]), 1 if geometry.temporal == 1 else 0)


@pytest.fixture(scope="module")
def patch(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return _model(tiny_model, tmp_path_factory.mktemp("patch"))


@pytest.fixture(scope="module")
def causal(tiny_causal_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    return _model(tiny_causal_model, tmp_path_factory.mktemp("causal"))


def clip(count: int, seed: int = 0, size: int = 64) -> tuple[Picture, ...]:
    random = np.random.default_rng(seed)
    return tuple(random.integers(0, 255, (size, size, 3), dtype=np.uint8) for _ in range(count))


def controlled(count: int = 9) -> PipelineInputs:
    masks = tuple(np.full((64, 64), 255 if i else 0, np.uint8) for i in range(count))
    reference = np.random.default_rng(5).integers(0, 255, (40, 64, 3), dtype=np.uint8)
    return PipelineInputs(
        task="keys",
        width=64,
        height=64,
        frames=count,
        video=clip(count),
        masks=masks,
        references=(reference,),
        scale=0.8,
    )


PLAIN = PipelineInputs(task="text", width=64, height=64, frames=9)
SAMPLING = Sampling(steps=2, guidance=2.0, seed=5)


@pytest.mark.parametrize("kind", ["patch", "causal"])
def test_latents_and_frames_are_those_of_the_bare_pipeline(kind: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(kind)
    watch = Watcher()
    ours = model.denoise(controlled(), SAMPLING, watch)
    bare = model.bare(controlled(), SAMPLING)
    assert torch.equal(ours, bare[:, :, 1:])
    assert watch.steps == [1, 2] and torch.equal(watch.clean[-1], ours), "the last x0 is the result"
    frames = list(decode(model.pipe, ours))
    whole = np.rint(model.bare(controlled(), SAMPLING, "np")[0] * 255).astype(np.uint8)
    assert np.array_equal(np.stack(frames), whole)
    one = PipelineInputs(task="text", width=64, height=64, frames=1)
    assert torch.equal(model.denoise(one, SAMPLING), model.bare(one, SAMPLING)), "single pictures too"


def test_another_job_at_a_step_leaves_no_trace(patch: Model) -> None:
    alone = patch.denoise(PLAIN, SAMPLING)
    other = replace(SAMPLING, seed=9, steps=3, consistency=1.5, window=4, overlap=2)

    def between(step: int) -> None:
        patch.denoise(controlled(), other)

    assert torch.equal(patch.denoise(PLAIN, SAMPLING, Watcher(between=between)), alone)


def test_cancelling_between_blocks_and_the_next_job(patch: Model) -> None:
    fresh = patch.denoise(controlled(), SAMPLING)
    model = patch.pipe.transformer
    blocks = len(model.blocks) + len(model.vace_blocks)
    calls = 0

    def act() -> None:
        nonlocal calls
        calls += 1
        if calls == 12:
            raise Cancelled

    with pytest.raises(Cancelled):
        patch.denoise(controlled(), SAMPLING, Watcher(act=act))
    assert calls == 12 and blocks > 3, "no block ran after the one that was stopped"
    hooked = [m for m in patch.pipe.transformer.modules() if m._forward_pre_hooks]
    assert not hooked and not patch.pipe.vae.encoder._forward_pre_hooks
    assert torch.equal(patch.denoise(controlled(), SAMPLING), fresh)


def test_a_run_may_take_its_noise_out_of_a_longer_clip(patch: Model) -> None:
    whole = seeds.noise((1, 16, 9, 8, 8), 5)
    seen: list[Tensor] = []
    inner = patch.pipe.transformer.patch_embedding.register_forward_pre_hook(lambda m, args: seen.append(args[0]))
    try:
        patch.denoise(replace(PLAIN, frames=1), replace(SAMPLING, steps=1, noise_frames=(6, 9)))
    finally:
        inner.remove()
    assert torch.equal(seen[0], whole[:, :, 6:7])


def test_strength_returns_to_the_footage_as_it_falls(patch: Model) -> None:
    source = clip(5, seed=3)
    latents = encode(patch.pipe, source)
    far: list[float] = []
    for strength in (0.02, 0.3, 0.9):
        inputs = PipelineInputs(
            task="variation", width=64, height=64, frames=5, video=source, strength=strength, start=source
        )
        far.append(float((patch.denoise(inputs, replace(SAMPLING, steps=4)) - latents).abs().mean()))
    assert far == sorted(far) and far[0] < 0.1 * far[2]


def test_nothing_undoes_what_is_put_back_on_the_footage(patch: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import UniPCMultistepScheduler

    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    model = replace(patch, pipe=type(patch.pipe)(**{**patch.pipe.components, "scheduler": scheduler}))
    correct, corrected = UniPCMultistepScheduler.multistep_uni_c_bh_update, 0

    def counted(*given: Any, **named: Any) -> Any:
        nonlocal corrected
        corrected += 1
        return correct(*given, **named)

    monkeypatch.setattr(UniPCMultistepScheduler, "multistep_uni_c_bh_update", counted)
    source = clip(5, seed=3)
    free = PipelineInputs(task="variation", width=64, height=64, frames=5, video=source, strength=0.9, start=source)
    held = replace(free, frame_strength=(0.9, 0.5, 0.5, 0.0, 0.9))
    model.denoise(free, replace(SAMPLING, steps=4))
    assert corrected
    corrected = 0
    made = model.denoise(held, replace(SAMPLING, steps=4))
    assert not corrected
    assert torch.allclose(made[:, :, 3], encode(patch.pipe, source)[:, :, 3], atol=1e-5)


# -- frame consistency -------------------------------------------------------------------------------------------------


def test_neutral_consistency_costs_nothing(patch: Model) -> None:
    passes: list[tuple[int, ...]] = []
    hook = patch.pipe.transformer.norm_out.register_forward_pre_hook(
        lambda m, args: passes.append(tuple(args[0].shape))
    )
    try:
        patch.denoise(PLAIN, replace(SAMPLING, consistency=1.0))
        neutral = len(passes)
        passes.clear()
        patch.denoise(PLAIN, replace(SAMPLING, consistency=0.5))
    finally:
        hook.remove()
    assert neutral == 2 * SAMPLING.steps
    # One more pass a step: nine frames as one-frame clips, in batches.
    assert len(passes) == (2 + 2) * SAMPLING.steps
    assert sum(shape[0] for shape in passes if shape[0] != 1 or shape[1] == 64) == 9 * SAMPLING.steps


@pytest.mark.parametrize("omega", [0.0, 0.5, 1.7])
def test_consistency_is_the_three_term_formula(patch: Model, omega: float) -> None:
    guidance, model = 2.5, patch.pipe.transformer
    sampling = Sampling(steps=1, guidance=guidance, seed=3, consistency=omega)
    ours = patch.denoise(controlled(), sampling)
    # One Euler step from σ = 1 (to 0): the result is x − v, so v can be read off.
    noise = seeds.noise((1, 16, 10, 8, 8), 3)
    captured: dict[str, Tensor] = {}
    hook = model.register_forward_pre_hook(lambda m, args, kwargs: captured.update(kwargs), with_kwargs=True)
    try:
        patch.bare(controlled(), sampling)
    finally:
        hook.remove()
    control, time = captured["control_hidden_states"], captured["timestep"]
    scale = captured["control_hidden_states_scale"]

    def predict(x: Tensor, c: Tensor, words: Tensor) -> Tensor:
        with torch.no_grad():
            return model(
                hidden_states=x, timestep=time, encoder_hidden_states=words, control_hidden_states=c,
                control_hidden_states_scale=scale, return_dict=False,
            )[0]  # fmt: skip

    with_words = predict(noise, control, patch.embeds.positive["prompt_embeds"])
    assert patch.embeds.negative is not None
    without = patch.embeds.negative["prompt_embeds"]
    video = predict(noise, control, without)
    frames = video.clone()
    for k in range(1, 10):
        pick = [0, k]
        frames[:, :, k] = predict(noise[:, :, pick], control[:, :, pick], without)[:, :, 1]
    expected = frames + omega * (video - frames) + guidance * (with_words - video)
    assert torch.allclose(noise[:, :, 1:] - ours, expected[:, :, 1:], atol=2e-5)


# -- windows -----------------------------------------------------------------------------------------------------------


def test_one_window_is_the_models_own_call_and_more_agree_where_they_overlap(patch: Model) -> None:
    inputs = controlled()
    assert torch.equal(patch.denoise(inputs, replace(SAMPLING, window=9, overlap=3)), patch.denoise(inputs, SAMPLING))
    split = patch.denoise(inputs, replace(SAMPLING, window=4, overlap=2))
    assert split.shape == (1, 16, 9, 8, 8) and bool(torch.isfinite(split).all())
    for count, window, overlap in ((9, 4, 2), (100, 17, 4), (18, 17, 4), (5, 9, 2)):
        parts = windows.spans(count, window, overlap)
        covered = np.zeros(count, int)
        for start, stop in parts:
            covered[start:stop] += 1
        assert covered.min() >= 1 and parts[0][0] == 0 and parts[-1][1] == count
        assert all(b[0] <= a[1] - overlap for a, b in itertools.pairwise(parts))


def test_blending_windows_is_an_average(patch: Model) -> None:
    hidden = torch.arange(12, dtype=torch.float32).view(1, 1, 12, 1, 1).expand(1, 2, 12, 1, 1).contiguous()
    out = windows.predict_windows(lambda h, at: h + hidden.index_select(2, at), hidden, 5, 2, 2)
    assert torch.allclose(out, 2 * hidden), "what is the same in every window stays exactly that"


def test_colour_lock_takes_away_drift_and_keeps_what_the_footage_does() -> None:
    random = np.random.default_rng(0)
    base = random.integers(60, 180, (24, 24, 3)).astype(np.float32)
    parts = ((0, 8), (6, 14), (12, 20))
    pull = np.array([0.0, 1.6, -1.2])
    drifting = [np.clip(base + i * pull, 0, 255).astype(np.uint8) for i in range(20)]
    before = windows.window_drift(drifting, parts)
    locked, reference = windows.colour_lock(drifting, parts)
    after = windows.window_drift(locked, parts)
    assert before > 3 and after < 1.0, (before, after)
    # The next run of the clip is held to the same colours.
    later, _ = windows.colour_lock(drifting[10:], ((0, 8),), reference=reference)
    assert np.abs(windows.lab_statistics(later[:8])[0] - windows.lab_statistics(locked[:8])[0]).max() < 1.0
    dusk = [np.clip(base - 4.0 * i, 0, 255).astype(np.uint8) for i in range(20)]
    kept, _ = windows.colour_lock(dusk, parts, footage=dusk)
    assert np.abs(np.stack(kept).astype(int) - np.stack(dusk)).mean() < 2.0


# -- motion, previews, decoding ----------------------------------------------------------------------------------------


def test_motion_slider_is_monotone_and_keeps_the_noise_normal() -> None:
    assert motion.clock_speed(5) == 1.0 and motion.shared_part(5) == 0.0
    speeds = [motion.clock_speed(m / 2) for m in range(21)]
    assert all(a < b for a, b in itertools.pairwise(speeds))
    noise = seeds.noise((1, 16, 20, 16, 16), 1)
    assert motion.share_noise(noise, 0.0) is noise
    likeness: list[float] = []
    for m in (5.0, 3.0, 1.0, 0.0):
        mixed = motion.share_noise(noise, motion.shared_part(m), 1)
        assert torch.equal(mixed[:, :, 0], noise[:, :, 0])
        assert abs(float(mixed[:, :, 5].std()) - 1) < 0.05
        likeness.append(float((mixed[:, :, 5] * mixed[:, :, 6]).mean()))
    assert likeness == sorted(likeness) and likeness[-1] > 0.3


def test_noises_between_two_seeds_stay_normal() -> None:
    a, b = seeds.noise((4, 32, 32), 1), seeds.noise((4, 32, 32), 2)
    assert torch.equal(seeds.between(a, b, 0.0), a) and torch.allclose(seeds.between(a, b, 1.0), b, atol=1e-5)
    assert abs(float(seeds.between(a, b, 0.5).std()) - 1) < 0.03


def test_previews_show_the_colours_of_the_latents(patch: Model, isolated_home: Path) -> None:
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[:32] = (200, 80, 40)
    picture[32:] = (30, 90, 180)
    colours = preview.colours_of(patch.pipe, "tiny 1", functools.partial(encode, patch.pipe))
    shown = colours.picture(encode(patch.pipe, [picture])[0, :, 0])
    assert shown.shape == (8, 8, 3)
    assert np.abs(shown[1].astype(int) - (200, 80, 40)).max() < 24
    assert np.abs(shown[6].astype(int) - (30, 90, 180)).max() < 24
    assert len(list((isolated_home / "cache" / "latent-colours").glob("*.json"))) == 1
    times = iter([0.0, 0.1, 0.24, 0.3, 0.31])
    clock = preview.PreviewClock(0.25, lambda: next(times))
    assert [clock.due(), clock.due(), clock.due(), clock.due(), clock.due(last=True)] == [
        True,
        False,
        False,
        True,
        True,
    ]


def test_decoding_goes_on_in_tiles_when_memory_runs_out(causal: Model) -> None:
    latents = torch.randn((1, 16, 2, 4, 34), generator=torch.Generator().manual_seed(1))
    whole = list(decode(causal.pipe, latents))
    calls = 0

    def short(module: Any, args: Any) -> None:
        nonlocal calls
        calls += 1
        if args[0].shape[-1] > 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    notes: list[str] = []
    hook = causal.pipe.vae.decoder.register_forward_pre_hook(short)
    try:
        tiled = list(decode(causal.pipe, latents, Decoding(note=notes.append)))
    finally:
        hook.remove()
    assert len(tiled) == len(whole) == 5 and tiled[0].shape == whole[0].shape
    assert notes == [
        "Memory is short: the pictures are decoded in tiles of 256 pixels.",
        "Memory is short: the pictures are decoded in tiles of 128 pixels.",
    ]
    assert not causal.pipe.vae.use_tiling, "the next job decodes whole pictures again"
    always = causal.pipe.vae.decoder.register_forward_pre_hook(lambda *_: (_ for _ in ()).throw(MemoryError()))
    try:
        with pytest.raises(OutOfBudget, match="not enough memory to decode"):
            list(decode(causal.pipe, latents))
    finally:
        always.remove()
    assert np.array_equal(np.stack(list(decode(causal.pipe, latents))), np.stack(whole))


def test_decoding_stops_between_latent_frames(patch: Model) -> None:
    latents = seeds.noise((1, 16, 9, 8, 8), 1)
    done: list[int] = []

    def check() -> None:
        if len(done) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        list(decode(patch.pipe, latents, Decoding(check=check, progress=lambda d, n: done.append(d))))
    assert done == [1, 2, 3]


def test_latents_on_disk(tmp_path: Path) -> None:
    latents = seeds.noise((1, 16, 2, 4, 4), 1)
    path = tmp_path / "run.safetensors"
    save_latents(path, latents)
    found = load_latents(path, (1, 16, 2, 4, 4))
    assert found is not None and torch.equal(found, latents)
    assert load_latents(path, (1, 16, 3, 4, 4)) is None, "of another clip"
    path.write_bytes(path.read_bytes()[:100])
    assert load_latents(path, (1, 16, 2, 4, 4)) is None
    assert consistency.active(0.9) and not consistency.active(1.0)


def test_tiles_are_those_of_the_stock_decoder(causal: Model) -> None:
    vae = causal.pipe.vae
    latents = torch.randn((1, 16, 2, 4, 20), generator=torch.Generator().manual_seed(2))
    ours = np.stack(list(decode(causal.pipe, latents, Decoding(tile=128))))
    mean, std = torch.tensor(vae.config.latents_mean), torch.tensor(vae.config.latents_std)
    raw = latents * std.view(1, -1, 1, 1, 1) + mean.view(1, -1, 1, 1, 1)
    vae.enable_tiling(128, 128, 96, 96)
    try:
        with torch.no_grad():
            stock = vae.decode(raw, return_dict=False)[0]
    finally:
        vae.disable_tiling()
    expected = ((stock[0].clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 3, 0).numpy()
    assert np.abs(ours.astype(int) - expected).max() <= 1


# -- steps that are not computed ---------------------------------------------------------------------------------------


def _passes(model: Model, sampling: Sampling, inputs: PipelineInputs = PLAIN, watch: Watcher | None = None) -> Any:
    """(latents, calls of the transformer) of a run."""
    calls: list[int] = []
    hook = model.pipe.transformer.register_forward_pre_hook(lambda *_: calls.append(1))
    try:
        return model.denoise(inputs, sampling, watch), len(calls)
    finally:
        hook.remove()


def test_reuse_computes_fewer_steps_and_comes_nearer_with_less_tolerance(patch: Model) -> None:
    long = replace(SAMPLING, steps=20)
    whole, every = _passes(patch, long)
    assert every == 2 * 20
    distances: list[float] = []
    counts: list[int] = []
    for tolerance in (0.02, 0.3):
        found, calls = _passes(patch, replace(long, reuse=tolerance))
        distances.append(float((found - whole).abs().mean()))
        counts.append(calls)
    assert counts[1] < counts[0] <= every
    assert counts[1] < every, "a high tolerance must save something"
    assert counts[0] % 2 == counts[1] % 2 == 0, "both predictions of a step are computed, or none"
    assert distances[1] > 0 and distances[0] <= distances[1]
    again, calls = _passes(patch, replace(long, reuse=0.3))
    assert calls == counts[1]
    assert torch.equal(again, found), "the same seed gives the same clip"


def test_reuse_leaves_few_steps_and_other_jobs_alone(patch: Model) -> None:
    few = replace(SAMPLING, steps=6)
    assert torch.equal(_passes(patch, replace(few, reuse=0.3))[0], _passes(patch, few)[0])
    long = replace(SAMPLING, steps=12, reuse=0.3)
    alone, _ = _passes(patch, long)
    other: list[Tensor] = []

    def between(step: int) -> None:
        if step == 5:
            other.append(patch.denoise(PLAIN, replace(SAMPLING, steps=4)))

    mixed, _ = _passes(patch, long, watch=Watcher(between=between))
    assert torch.equal(mixed, alone)
    assert torch.equal(other[0], patch.denoise(PLAIN, replace(SAMPLING, steps=4)))


def test_reuse_follows_the_published_criterion() -> None:
    """The error of a model that follows its input at a steady rate is foreseen, and the sum of it is what counts."""
    reuse = StepReuse(0.1, 20)
    computed: list[int] = []
    for step in range(20):
        x = torch.full((1, 2, 1, 2, 2), 1.0 + 0.01 * step)

        def compute(x: Tensor = x, step: int = step) -> Tensor:
            computed.append(step)
            return 2 * x

        found = reuse.predict(test_reuse_follows_the_published_criterion, "cond", x, compute)
        assert found.shape == x.shape
        assert float((found - 2 * x).abs().max()) < 0.1 * 2, "Δ is one step's, so the error stays within the tolerance"
    # ε is about 2 · 0.01 / 2 = 1 % a step: ten steps at a time, the first four and the last always.
    assert computed[:4] == [0, 1, 2, 3] and computed[-1] == 19
    assert reuse.reused == 20 - len(computed) >= 12
