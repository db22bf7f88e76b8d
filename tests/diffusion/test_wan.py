"""Wan's text and image pipelines: every kind of checkpoint against the bare classes of diffusers, and few steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import Clip, Conditions, FrameRule, LatentGeometry, PipelineInputs
from gen2studio.diffusion.families.driving import Denoising, PromptEmbeds, Sampling
from gen2studio.diffusion.families.wan import BETWEEN as BETWEEN_TRAITS
from gen2studio.diffusion.families.wan import ENDS as ENDS_TRAITS
from gen2studio.diffusion.families.wan import IMAGE as IMAGE_TRAITS
from gen2studio.diffusion.families.wan import WanAdapter
from gen2studio.diffusion.families.wan_driver import WanDriver
from gen2studio.diffusion.families.wan_recipes import FASTWAN, LIGHTX2V, SELF_FORCING
from gen2studio.diffusion.planning import recipe_of_adapters
from gen2studio.diffusion.production import refuse_unserved
from gen2studio.diffusion.sampling import seeds
from gen2studio.engine.events import JobState, Picture, Progress
from gen2studio.engine.requests import AdapterRef, KeyRef
from gen2studio.models.architecture import wan_shape
from gen2studio.models.families.rules import TransformerActivations
from gen2studio.models.wan_layout import expected_shapes, expert_of
from tests.diffusion import tiny, tiny_wan
from tests.diffusion.allocations import peak_of
from tests.diffusion.studio import Stage
from tests.diffusion.test_family_contract import transformer_lora
from tests.models.test_wan_checkpoints import BESIDE, BETWEEN, LOOKING, MIDDLE, SMALL

Tensor = torch.Tensor
DRIVER = WanDriver()
SAMPLING = Sampling(steps=2, guidance=3.0, seed=5)


@dataclass
class Watcher:
    """Notes every step; ``act`` is called before each block, ``between`` after each step."""

    clean: list[Tensor] = field(default_factory=list[Tensor])
    act: Callable[[], None] = lambda: None
    between: Callable[[int], None] = lambda step: None

    def check(self) -> None:
        self.act()

    def stepped(self, step: int, steps: int, clean: Tensor) -> None:
        self.clean.append(clean)
        self.between(step)


class Model:
    """A tiny checkpoint of one kind in memory."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.pipe: Any = tiny_wan.pipeline(kind)
        self.side = tiny_wan.manifest(kind)["sizes"][0][0]
        big = kind == "ti2v"
        self.geometry = LatentGeometry(
            spatial=16 if big else 8, multiple=32 if big else 16, channels=48 if big else 16, frames=FrameRule(4, 4),
            temporal=4,
        )  # fmt: skip
        with torch.no_grad():
            words = [
                self.pipe.encode_prompt(text, do_classifier_free_guidance=False, max_sequence_length=16)[0]
                for text in ("a red dog", "noir")
            ]
        self.embeds = PromptEmbeds({"prompt_embeds": words[0]}, {"prompt_embeds": words[1]})

    def picture(self, seed: int) -> Picture:
        return np.random.default_rng(seed).integers(0, 255, (self.side, self.side, 3), dtype=np.uint8)

    def inputs(self, count: int = 9, keys: tuple[int, ...] = (), **more: Any) -> PipelineInputs:
        shown = tuple((at, self.picture(at)) for at in keys)
        return PipelineInputs(task="text", width=self.side, height=self.side, frames=count, keys=shown, **more)

    def denoise(self, inputs: PipelineInputs, sampling: Sampling = SAMPLING, watch: Watcher | None = None) -> Tensor:
        return DRIVER.denoise(self.pipe, Denoising(inputs, self.embeds, sampling, watch or Watcher(), self.geometry))

    def bare(self, inputs: PipelineInputs, sampling: Sampling = SAMPLING, **more: Any) -> Tensor:
        """What an own script would call."""
        import diffusers
        from PIL import Image

        ends = [Image.fromarray(picture) for _, picture in inputs.keys]
        kind = diffusers.WanImageToVideoPipeline if ends else diffusers.WanPipeline
        known = kind._get_signature_keys(kind)[0]
        pipe: Any = kind(
            **{name: part for name, part in self.pipe.components.items() if name in known},
            boundary_ratio=self.pipe.config.boundary_ratio,
            expand_timesteps=self.pipe.config.expand_timesteps,
        )
        shown = dict(zip(("image", "last_image"), ends, strict=False))
        return pipe(
            **shown, **more, prompt_embeds=self.embeds.positive["prompt_embeds"],
            negative_prompt_embeds=self.embeds.negative["prompt_embeds"] if self.embeds.negative else None,
            height=inputs.height, width=inputs.width, num_frames=inputs.frames, num_inference_steps=sampling.steps,
            guidance_scale=sampling.guidance, generator=torch.Generator().manual_seed(sampling.seed),
            output_type="latent",
        ).frames  # fmt: skip


@pytest.fixture(scope="module")
def pair() -> Model:
    """2.2 T2V: two experts."""
    return Model("t2v_a14b")


@pytest.fixture(scope="module")
def both() -> Model:
    """2.2 TI2V: a time for each token."""
    return Model("ti2v")


ENDS = {"t2v_a14b": (), "ti2v": (0,), "i2v": (0,), "i2v_a14b": (0, 8), "flf": (0, 8)}


@pytest.mark.parametrize("kind", list(ENDS))
def test_latents_are_those_of_the_bare_pipeline(kind: str) -> None:
    model = Model(kind)
    inputs = model.inputs(keys=ENDS[kind])
    # The makers' guidance for the second expert of a text pair is two thirds of what is above one.
    more = {"guidance_scale_2": 1 + 2.0 * 2 / 3} if kind == "t2v_a14b" else {}
    watch = Watcher()
    made = model.denoise(inputs, watch=watch)
    assert torch.equal(made, model.bare(inputs, **more))
    assert len(watch.clean) == 2 and torch.equal(watch.clean[-1], made), "the last guess is the result"
    assert not [m for m in model.pipe.transformer.modules() if m._forward_pre_hooks]


def test_words_alone_and_a_first_frame_are_two_pipelines_on_the_same_parts(both: Model) -> None:
    alone, begun = both.inputs(), both.inputs(keys=(0,))
    assert torch.equal(both.denoise(alone), both.bare(alone))
    made = both.denoise(begun)
    given = DRIVER.encode(both.pipe, [begun.keys[0][1]])
    assert torch.allclose(made[:, :, :1], given, atol=1e-5), "the first latent frame is the picture itself"
    assert not torch.equal(made, both.denoise(both.inputs(keys=(0,)), replace(SAMPLING, seed=6)))


@pytest.mark.parametrize("config", [SMALL, MIDDLE, LOOKING, BETWEEN, BESIDE])
def test_the_expected_tensors_are_those_of_the_class(config: dict[str, Any]) -> None:
    from diffusers import WanTransformer3DModel

    with torch.device("meta"):
        made: Any = WanTransformer3DModel(**{key: value for key, value in config.items() if key != "_class_name"})
    theirs = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    assert expected_shapes(wan_shape(config)) == theirs


@pytest.mark.parametrize("each", [False, True], ids=["one time", "a time for each token"])
def test_the_memory_of_a_pass_is_what_the_allocator_says(each: bool) -> None:
    """Within a fifth of the measured peak, counted by torch's own profiler."""
    from diffusers import WanTransformer3DModel

    model: Any = WanTransformer3DModel(
        num_attention_heads=8, attention_head_dim=64, in_channels=48, out_channels=48, text_dim=64, ffn_dim=2048,
        num_layers=1,
    ).eval()  # fmt: skip
    tokens = 3 * 16 * 16
    time = torch.full((1, tokens), 500.0) if each else torch.tensor([500.0])
    words, latents = torch.zeros(1, 32, 64), torch.randn(1, 48, 3, 32, 32)
    peak = peak_of(lambda: model(hidden_states=latents, timestep=time, encoder_hidden_states=words, return_dict=False))
    work = TransformerActivations(
        tokens=tokens, dim=512, ffn=2048, modulated=each, latent_numbers=4 * tokens * (2 * 48 + 48)
    )
    assert work.denoising_bytes(4) == pytest.approx(peak, rel=0.2)


# -- experts and few steps ---------------------------------------------------------------------------------------------


def _times(model: Model, sampling: Sampling) -> list[tuple[int, float]]:
    """(expert, time) of every pass."""
    seen: list[tuple[int, float]] = []
    hooks = [
        part.register_forward_pre_hook(
            lambda _, args, named, which=which: seen.append((which, float(named["timestep"].max()))), with_kwargs=True
        )
        for which, part in enumerate((model.pipe.transformer, model.pipe.transformer_2))
    ]
    try:
        model.denoise(model.inputs(5), sampling)
    finally:
        for hook in hooks:
            hook.remove()
    return seen


def test_two_experts_take_two_of_four_distilled_steps_each(pair: Model) -> None:
    few = Sampling(steps=4, guidance=1.0, seed=1, recipe=LIGHTX2V.name)
    assert _times(pair, few) == [(0, 999.0), (0, 937.0), (1, 833.0), (1, 625.0)]


@pytest.mark.parametrize(
    ("recipe", "times"), [(FASTWAN, [1000.0, 757.0, 522.0]), (SELF_FORCING, [1000.0, 937.5, 833.3333, 625.0])]
)
def test_what_is_noised_again_comes_from_the_seed(recipe: Any, times: list[float], pair: Model) -> None:
    few = Sampling(steps=20, guidance=1.0, seed=1, recipe=recipe.name)
    assert [time for _, time in _times(pair, few)] == pytest.approx(times)
    one = pair.denoise(pair.inputs(5), few)
    torch.rand(3)  # torch's own state is somewhere else now
    assert torch.equal(pair.denoise(pair.inputs(5), few), one)
    assert not torch.equal(pair.denoise(pair.inputs(5), replace(few, seed=2)), one)


def test_distribution_matching_predicts_and_noises_again(pair: Model) -> None:
    """The update rule, step by step: x ← (1 − σ′)·x0 + σ′·ε."""
    few = Sampling(steps=3, guidance=1.0, seed=1, recipe=FASTWAN.name)
    watch = Watcher()
    seen: list[Tensor] = []
    hook = pair.pipe.transformer_2.register_forward_pre_hook(
        lambda _, args, named: seen.append(named["hidden_states"]), with_kwargs=True
    )
    try:
        pair.denoise(pair.inputs(5), few, watch)
    finally:
        hook.remove()
    drawn = seeds.generator(1 + 1_000_003)
    for number, sigma in enumerate((0.757, 0.522)):
        fresh = torch.randn(seen[number].shape, generator=drawn)
        expected = (1 - sigma) * watch.clean[number] + sigma * fresh
        assert torch.allclose(seen[number], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "recipe", "expert"),
    [
        ("wan2.2_t2v_A14b_high_noise_lora_rank64_lightx2v_4step_1217.safetensors", LIGHTX2V, "transformer"),
        ("wan2.2_i2v_A14b_low_noise_lora_rank64_lightx2v_4step_1022.safetensors", LIGHTX2V, "transformer_2"),
        ("Wan22-T2V-LOW-4steps.safetensors", LIGHTX2V, "transformer_2"),
        ("Wan2.1_T2V_1_3B_self_forcing_dmd.safetensors", SELF_FORCING, ""),
        ("low_light_1234steps.safetensors", None, ""),
        ("highland.safetensors", None, ""),
    ],
)
def test_the_makers_names_tell_expert_and_schedule(name: str, recipe: Any, expert: str, stage: Stage) -> None:
    assert expert_of(name) == expert
    request = replace(stage.request("text"), adapters=(AdapterRef(digest="a", path=f"/x/{name}"),))
    family = stage.family
    assert recipe_of_adapters(family, request) == recipe


# -- what stays --------------------------------------------------------------------------------------------------------


def test_a_region_keeps_what_is_around_it_and_a_lead_comes_first(pair: Model) -> None:
    source = tuple(pair.picture(index) for index in range(9))
    clean = DRIVER.encode(pair.pipe, source)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:24, 8:24] = 255
    made = pair.denoise(pair.inputs(start=source, masks=(mask,) * 9), replace(SAMPLING, steps=4))
    outside = torch.ones(4, 4, dtype=torch.bool)
    outside[1:3, 1:3] = False
    assert torch.equal(made[..., outside], clean[..., outside]), "exactly"
    assert not torch.allclose(made[..., ~outside], clean[..., ~outside], atol=0.1)
    led = pair.denoise(pair.inputs(start=source[:5], frame_strength=(0.0, 0.0, 1.0)), replace(SAMPLING, steps=4))
    assert torch.allclose(led[:, :, :2], clean[:, :, :2], atol=1e-6)
    assert not torch.allclose(led[:, :, 2:], clean[:, :, 2:], atol=0.1)


def test_strength_returns_to_the_footage_as_it_falls(pair: Model) -> None:
    source = tuple(pair.picture(index) for index in range(5))
    clean = DRIVER.encode(pair.pipe, source)
    for recipe in ("", FASTWAN.name):
        far = [
            float((pair.denoise(pair.inputs(5, start=source, strength=strength), few) - clean).abs().mean())
            for strength in (0.1, 0.5, 0.9)
            for few in [Sampling(steps=6, guidance=1.0, seed=2, recipe=recipe)]
        ]
        assert far[0] < min(far[1:]), recipe
        assert recipe or far == sorted(far)


def test_a_picture_that_is_needed_is_asked_for_before_anything_is_loaded(stage: Any) -> None:
    request = small(stage)
    key = KeyRef(frame=0, blob=stage.image("first", np.zeros((32, 32, 3), np.uint8)))
    image = replace(request, mode="image", keys=(key,))
    for family, asked, said in (
        (IMAGE_TRAITS, replace(image, keys=()), "begins with a picture"),
        (IMAGE_TRAITS, replace(image, keys=(replace(key, frame=4),)), "begins with a picture"),
        (BETWEEN_TRAITS, image, "there is no last one"),
        (IMAGE_TRAITS, request, "does not serve the mode"),
    ):
        with pytest.raises(GenerationError, match=said):
            refuse_unserved(asked, WanAdapter(family))
    refuse_unserved(replace(image, keys=(key, replace(key, frame=4))), WanAdapter(BETWEEN_TRAITS))
    clip = Clip(frames=tuple(range(9)), width=32, height=32)
    picture = np.zeros((32, 32, 3), np.uint8)
    with pytest.raises(GenerationError, match="frame 3 of the shot"):
        WanAdapter(ENDS_TRAITS).inputs(image, clip, Conditions(keys=((0, picture), (3, picture))), FrameRule(4, 4))
    made = WanAdapter(ENDS_TRAITS).inputs(image, clip, Conditions(keys=((0, picture), (7, picture))), FrameRule(4, 4))
    assert [at for at, _ in made.keys] == [0, 8], "a picture in the last latent frame is the end"


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_cancelling_between_blocks_and_another_job_at_a_step_leave_no_trace(pair: Model) -> None:
    inputs = pair.inputs(5)
    alone = pair.denoise(inputs)
    calls = 0

    def act() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        pair.denoise(inputs, watch=Watcher(act=act))
    modules = [*pair.pipe.transformer.modules(), *pair.pipe.transformer_2.modules(), pair.pipe.vae.encoder]
    assert calls == 3 and not [module for module in modules if module._forward_pre_hooks]

    def between(step: int) -> None:
        pair.denoise(pair.inputs(9), replace(SAMPLING, seed=9, consistency=1.5, window=2, overlap=1))

    assert torch.equal(pair.denoise(inputs, watch=Watcher(between=between)), alone)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    home = tmp_path_factory.mktemp("pair")
    made: Any = Stage(tiny_wan.build(home / "model", "t2v_a14b"), home)
    from gen2studio.diffusion.entries import family_of

    made.family = family_of(made.model)
    made.made(small(made))  # starts the thread that writes takes
    yield made
    made.close()


def small(stage: Stage, **changes: Any) -> Any:
    return stage.request("text", 5, width=32, height=32, **changes)


def test_a_pair_of_adapters_goes_to_its_experts_and_out_again(stage: Any, tmp_path: Path) -> None:
    def made(*names: str) -> list[bytes]:
        refs = tuple(AdapterRef(digest=name, path=str(transformer_lora(tmp_path / name))) for name in names)
        return [frame.tobytes() for frame in stage.made(small(stage, adapters=refs))]

    base = made()
    high, low, everywhere = (made(f"look_{name}.safetensors") for name in ("high_noise", "low_noise", "plain"))
    together = made("look_high_noise.safetensors", "look_low_noise.safetensors")
    assert len({frames[0] for frames in (base, high, low, together)}) == 4
    assert everywhere == together, "one that is made for neither acts on both"
    assert made() == base
    parts = stage.residency.acquire(stage.model, stage.residency.plan_for(stage.model)).parts
    assert not any(getattr(parts[name], "peft_config", None) for name in ("transformer", "transformer_2"))


def test_a_distilled_adapter_brings_its_schedule(stage: Any, tmp_path: Path) -> None:
    path = transformer_lora(tmp_path / "wan2.2_lightx2v_4step.safetensors")
    request = small(stage, adapters=(AdapterRef(digest="d", path=str(path)),), controls={"steps": 0})
    stage.made(request)
    notes = " ".join(stage.notes())
    assert "lightx2v, 4 steps" in notes and "4 steps are taken, without guidance" in notes
    steps = {event.total for event in stage.events if isinstance(event, Progress) and event.stage == "Diffusing"}
    assert steps == {4}


def test_a_run_goes_on_from_its_latents(stage: Any) -> None:
    """Killed while decoding: the next start decodes what was denoised, and denoises nothing."""
    request = small(stage, seed=21)
    whole = stage.made(request)
    passes: list[int] = []
    parts = stage.residency.acquire(stage.model, stage.residency.plan_for(stage.model)).parts
    hook = parts["transformer"].register_forward_pre_hook(lambda *_: passes.append(1))
    broken = parts["vae"].decoder.register_forward_pre_hook(_raise)
    try:
        assert stage.run(request, take="take-000000000999").state is JobState.FAILED
        broken.remove()
        count = len(passes)
        end = stage.run(request, take="take-000000000999")
    finally:
        hook.remove()
        broken.remove()
    assert end.state is JobState.FINISHED and count > 0 and len(passes) == count
    found = stage.frames()
    assert all(np.array_equal(found[index], frame) for index, frame in enumerate(whole))


def test_a_distilled_checkpoint_is_sampled_as_it_was_distilled(tmp_path: Path) -> None:
    folder = tiny_wan.build(tmp_path / "model", "ti2v")
    index, card = folder / "model_index.json", folder / "gen2studio.json"
    index.write_text(index.read_text().replace('"WanPipeline"', '"WanDMDPipeline"'))
    said = json.loads(card.read_text())
    card.write_text(json.dumps({name: said[name] for name in ("id", "text_length", "sizes", "frames", "rate")}))
    stage = Stage(folder, tmp_path)
    try:
        able = stage.generators.abilities[0]
        text = able.mode("text")
        assert able.steps == (3, 3, 3) and stage.model.manifest.recipe == FASTWAN.name
        assert text is not None and not {"guidance", "negative_prompt"} & text.controls
        request = stage.request("text", 5, width=64, height=64, controls={"steps": 0})
        one = [frame.tobytes() for frame in stage.made(request)]
        assert {event.steps for event in stage.previews()} == {3}
        assert [frame.tobytes() for frame in stage.made(request)] == one
    finally:
        stage.close()


def test_wan_vace_takes_two_experts(tmp_path: Path) -> None:
    """VACE-Fun A14B: both experts are steered by the same control, each at its noise levels."""
    stage = Stage(tiny.build(tmp_path / "model", "pair"), tmp_path)
    try:
        request = stage.request("stylize", 5, structure_source="grey")
        whole = [frame.tobytes() for frame in stage.made(request)]
        parts = stage.residency.acquire(stage.model, stage.residency.plan_for(stage.model)).parts
        passes: list[str] = []
        hooks = [
            parts[name].register_forward_pre_hook(lambda *_, name=name: passes.append(name))
            for name in ("transformer", "transformer_2")
        ]
        assert [frame.tobytes() for frame in stage.made(request)] == whole
        for hook in hooks:
            hook.remove()
        # Two passes a step with guidance; at a flow shift of 3 the first of two steps lies above 0.875.
        assert passes == ["transformer", "transformer", "transformer_2", "transformer_2"]
    finally:
        stage.close()


def _raise(*_: Any) -> None:
    raise ValueError("cut off")
