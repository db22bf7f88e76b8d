"""Training on clips: windows of them, motion that is learned, pictures that begin a shot, and pairs of experts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gen2studio.core import paths
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import OutOfBudget
from gen2studio.diffusion.entries import abilities_of
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.training.abilities import held, latents_bytes, work_of
from gen2studio.diffusion.training.ladder import step_bytes, training_plan, training_plans
from gen2studio.diffusion.training.lora_data import PreparedSet
from gen2studio.diffusion.training.lora_model import LoraModel
from gen2studio.diffusion.training.presets import card_of, presets_of
from gen2studio.diffusion.training.recipe import TARGETS, shifted
from gen2studio.engine.events import JobState, LossMeasured, Progress, TestFrameReady
from gen2studio.engine.requests import AdapterRef, TrainingClipRef, TrainRequest, request_digest
from gen2studio.engine.training_clips import WAYS, frames_at, window_length, windows
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.families.rules import ClipShape, TransformerActivations
from gen2studio.models.library import ModelLibrary
from tests.diffusion import tiny, tiny_wan
from tests.diffusion.studio import source_ref
from tests.diffusion.test_training_lora import Bench, dog_files, training
from tests.models.folder import LARGE_WAN, SMALL_WAN, write_checkpoint

STEPS = 24


def on_clips(*ranges: tuple[int, int], **changes: object) -> TrainRequest:
    """Trained on stretches of the moving disc, seen by the tiny models at its own rate."""
    clips = tuple(
        TrainingClipRef(source=source_ref(frame_count=40), start=start, stop=stop, caption="a sks disc moves right")
        for start, stop in ranges
    )
    values = {"clips": clips, "clip_frames": 5, "steps": STEPS, "rank": 4, "learning_rate": 2e-2}
    return training([], **{**values, **changes})


def on_processor(folder: Path, expert: str = "") -> LoraModel:
    listed = ModelLibrary(folder.parent / "m.json", folder).models()[0]
    machine = Machine(device="cpu", name="A processor", memory_free=64 << 30)
    return LoraModel(listed, training_plans(listed, machine)[0], Residency(), expert)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("clips")
    made = {kind: tiny_wan.build(root / kind, kind) for kind in ("t2v", "t2v_a14b", "i2v_a14b", "i2v")}
    return {**made, "vace_pair": tiny.build(root / "vace_pair", "pair")}


@pytest.fixture
def bench(request: pytest.FixtureRequest, checkpoints: dict[str, Path], tmp_path: Path) -> Iterator[Bench]:
    made = Bench(checkpoints[request.param], tmp_path)
    yield made
    made.stage.close()


# -- windows -----------------------------------------------------------------------------------------------------------


def test_a_clip_is_seen_at_the_models_rate() -> None:
    film = frames_at(100, 220, Fraction(24), Fraction(16))
    assert film[:5] == (100, 101, 103, 104, 106) and len(film) == 80 and film[-1] < 220
    # What has fewer frames than the model makes is never stretched by repeating them.
    assert frames_at(0, 30, Fraction(10), Fraction(16)) == tuple(range(30))
    assert frames_at(5, 12, Fraction(50), None) == tuple(range(5, 12))
    assert [window_length(count, 33) for count in (1, 4, 5, 32, 33, 500)] == [1, 1, 5, 29, 33, 33]


def test_windows_are_cut_in_every_way() -> None:
    film = tuple(range(40))
    assert windows(film, 13, "head") == (film[:13],)
    assert windows(film, 13, "chunk") == (film[:13], film[13:26], film[26:39])
    spread = windows(film, 13, "uniform")
    assert spread[0] == film[:13] and spread[-1] == film[-13:] and len(spread) == 4
    assert windows(film[:15], 13, "uniform") == (film[:13],), "two windows would be nearly the same"
    assert windows(film[:7], 13, "chunk") == (film[:5],), "a short clip gives a shorter window"
    assert all(len(window) % 4 == 1 for way in WAYS for window in windows(film, 17, way))
    many = windows(tuple(range(4000)), 5, "chunk", 10)
    assert len(many) == 10 and many[0][0] == 0 and many[-1][-1] > 3990
    with pytest.raises(ValueError, match="sideways"):
        windows(film, 13, "sideways")


# -- learning ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bench", ["t2v"], indirect=True)
def test_clips_teach_motion_and_a_stopped_training_ends_the_same(bench: Bench, media_root: Path) -> None:
    model = bench.stage.model
    request = on_clips((0, 12), (6, 19), generator=model.id)
    bench.cancel_at(11)
    assert bench.run(request).state is JobState.CANCELLED
    scratch = paths.data_dir() / "training" / request_digest(request)[:32]
    prepared = PreparedSet.load(scratch)
    assert prepared is not None
    assert {example.shape for example in prepared.examples} == {"64x64x5"}
    assert {example.item for example in prepared.examples} == {0, 1}
    rows = prepared.tensors["latents.64x64x5"]
    assert len(rows) == len(prepared.examples) > 2 and rows.shape[2] > 1
    bench.restart()
    bench.react = lambda event: None
    assert bench.run(request).state is JobState.FINISHED
    assert "Reading clips" not in {event.stage for event in bench.of(Progress)}, "what was encoded is taken up"
    losses = [event.loss for event in bench.of(LossMeasured)]
    assert np.mean(losses[-8:]) < 0.9 * np.mean(losses[:4])
    shown = bench.of(TestFrameReady)[-1].picture
    assert shown.shape == (128, 128, 3), "four moments of the test clip"
    kept = AdapterLibrary().adapter(request.adapter_id)

    whole = replace(request, adapter_id="adapter-000000000002")
    assert bench.run(whole).state is JobState.FINISHED
    assert AdapterLibrary().adapter(whole.adapter_id).sha256 == kept.sha256, "bit for bit"

    # The same pictures without their order teach another thing: pictures, not motion.
    stills = training(
        dog_files(media_root)[:1], generator=model.id, steps=STEPS, rank=4, learning_rate=2e-2,
        adapter_id="adapter-000000000003",
    )  # fmt: skip
    assert bench.run(stills).state is JobState.FINISHED
    other = AdapterLibrary().adapter(stills.adapter_id)

    def error(path: Path | None) -> float:
        """Loss on a stretch of motion that was not in the set, with fixed noise."""
        learner = on_processor(bench.folder)
        learner.load(lambda *_: None, CancelToken())
        if path is not None:
            learner.transformer.load_lora_adapter(load_file(path), prefix="transformer")
        from tests.diffusion.studio import Extent, footage

        film = [footage(source_ref(frame_count=40), frame, Extent(64, 64)) for frame in range(3, 8)]
        clean = learner.encode_clip(film)
        draw = torch.Generator().manual_seed(4)
        noise = torch.randn(clean.shape, generator=draw)
        words = prepared.tensors["prompts"][1:2]
        with torch.no_grad():
            found = [float(learner.loss(clean, noise, torch.tensor([level]), words, {})) for level in (0.3, 0.6, 0.9)]
        learner.close()
        return float(np.mean(found))

    base, moving, still = error(None), error(kept.path), error(other.path)
    assert moving < 0.9 * base and moving < 0.97 * still, (base, moving, still)


@pytest.mark.parametrize("bench", ["t2v"], indirect=True)
def test_pictures_and_clips_learn_side_by_side(bench: Bench, media_root: Path) -> None:
    model = bench.stage.model
    clip = on_clips((0, 12), generator=model.id, steps=2)
    request = replace(clip, images=training(dog_files(media_root)[:1]).images, size=(32, 32), prior=0.5)
    bench.cancel_at(2)
    assert bench.run(request).state is JobState.CANCELLED
    prepared = PreparedSet.load(paths.data_dir() / "training" / request_digest(request)[:32])
    assert prepared is not None and prepared.examples[0].shape == "32x32x5", "clips have the test frames' shape"
    assert {(e.shape, e.item) for e in prepared.examples if not e.prior} == {("32x32", 0), ("32x32x5", 1)}
    assert {e.shape for e in prepared.examples if e.prior} == {"32x32"}
    too_long = replace(clip, clip_frames=13)
    assert "windows of 13" in bench.run(too_long).reason
    assert "no window" in bench.run(replace(clip, clip_frames=6)).reason
    assert "long enough" in bench.run(on_clips((0, 3), generator=model.id)).reason


@pytest.mark.parametrize("bench", ["i2v", "i2v_a14b"], indirect=True)
def test_a_model_that_begins_with_a_picture_learns_from_clips(bench: Bench, media_root: Path) -> None:
    model = bench.stage.model
    assert abilities_of(model).training.clips == "must" and not abilities_of(model).training.prior
    request = on_clips((0, 12), generator=model.id, steps=3, learning_rate=1e-2, size=(32, 32))
    end = bench.run(request)
    assert end.state is JobState.FINISHED, end.reason
    assert bench.of(TestFrameReady)[-1].picture.shape == (64, 64, 3)
    kept = AdapterLibrary().adapter(request.adapter_id)
    assert AdapterLibrary().refusal(kept, model) == ""
    stills = training(dog_files(media_root)[:1], generator=model.id)
    assert "learns from clips only" in bench.run(stills).reason
    assert "picture the kind" in bench.run(replace(request, prior=0.5)).reason


# -- pairs of experts --------------------------------------------------------------------------------------------------


def test_each_expert_learns_in_its_own_noise(checkpoints: dict[str, Path]) -> None:
    high, low = (on_processor(checkpoints["t2v_a14b"], expert) for expert in ("transformer", "transformer_2"))
    assert high.boundary == low.boundary == 0.875
    shift = high.manifest.flow_shift
    drawn: dict[str, list[float]] = {}
    for name, model in (("high", high), ("low", low)):
        levels = model.levels(2000, torch.Generator().manual_seed(1)).tolist()
        drawn[name] = [shifted(level, shift) for level in levels]
    assert min(drawn["high"]) >= 0.875 - 1e-4 and max(drawn["low"]) <= 0.875 + 1e-4
    # Together they are the distribution that one model would learn from.
    one = on_processor(checkpoints["t2v"])
    whole = [shifted(level, shift) for level in one.levels(4000, torch.Generator().manual_seed(2)).tolist()]
    share = float(np.mean(np.array(whole) >= 0.875))
    assert np.quantile(whole, 1 - share / 2) == pytest.approx(float(np.median(drawn["high"])), abs=0.01)
    assert np.quantile(whole, (1 - share) / 2) == pytest.approx(float(np.median(drawn["low"])), abs=0.02)


def files_of(adapter_id: str) -> dict[str, torch.Tensor]:
    return load_file(AdapterLibrary().adapter(adapter_id).path)


@pytest.mark.parametrize("bench", ["t2v_a14b"], indirect=True)
def test_a_pair_learns_one_after_the_other_and_is_one_adapter(bench: Bench) -> None:
    model = bench.stage.model
    assert abilities_of(model).training.experts
    request = on_clips((0, 12), generator=model.id, steps=4, size=(32, 32), learning_rate=5e-2)
    bench.cancel_at(6)
    assert bench.run(request).state is JobState.CANCELLED, "while the second learns"
    bench.restart()
    bench.react = lambda event: None
    end = bench.run(request)
    assert end.state is JobState.FINISHED, end.reason
    assert [step for step, _ in bench.losses()] == list(range(1, 9)), "the curve is one"
    assert [event.step for event in bench.of(TestFrameReady)] == [0, 4, 8]
    kept = AdapterLibrary().adapter(request.adapter_id)
    assert kept.steps == 8 and [a.id for a in AdapterLibrary().adapters()] == [kept.id], "the pair is one adapter"
    tensors = files_of(kept.id)
    assert {name.partition(".")[0] for name in tensors} == {"transformer", "transformer_2"}
    steps = AdapterLibrary().steps(kept.id)
    assert [step.step for step in steps] == [4, 8], "the first expert's is kept as it handed over"

    whole = replace(request, adapter_id="adapter-000000000002")
    assert bench.run(whole).state is JobState.FINISHED
    assert AdapterLibrary().adapter(whole.adapter_id).sha256 == kept.sha256, "bit for bit"

    # Either half acts on its own expert alone.
    only: dict[str, Any] = {}
    for expert in ("high", "low"):
        single = replace(request, adapter_id=f"adapter-00000000000{expert}", experts=expert)
        assert bench.run(single).state is JobState.FINISHED
        only[expert] = files_of(single.adapter_id)
    assert {name.partition(".")[0] for name in only["high"]} == {"transformer"}
    assert {name.partition(".")[0] for name in only["low"]} == {"transformer_2"}
    assert all(torch.equal(value, tensors[name]) for name, value in only["high"].items())

    def shot(*adapters: str) -> np.ndarray:
        refs = tuple(
            AdapterRef(digest=a.sha256, adapter_id=a.id, path=str(a.path), strength=1.0)
            for a in map(AdapterLibrary().adapter, adapters)
        )
        return np.stack(
            bench.stage.made(
                bench.stage.request("text", stop=5, width=32, height=32, controls={"steps": 4}, adapters=refs)
            )
        )

    plain, both = shot(), shot(kept.id)
    high, low = shot("adapter-00000000000high"), shot("adapter-00000000000low")
    assert not np.array_equal(high, plain) and not np.array_equal(low, plain) and not np.array_equal(high, low)
    assert not np.array_equal(both, high) and not np.array_equal(both, low)
    assert np.array_equal(shot(), plain), "nothing is left behind"


@pytest.mark.parametrize("bench", ["vace_pair"], indirect=True)
def test_the_second_expert_of_a_pair_with_a_control_learns_alone(bench: Bench) -> None:
    request = on_clips((0, 12), generator=bench.stage.model.id, steps=1, experts="low", size=(32, 32))
    end = bench.run(request)
    assert end.state is JobState.FINISHED, end.reason
    assert [event.step for event in bench.of(TestFrameReady)] == [0, 1]
    assert {name.partition(".")[0] for name in files_of(request.adapter_id)} == {"transformer_2"}


@pytest.mark.parametrize("bench", ["t2v"], indirect=True)
def test_an_adapter_of_a_pair_is_refused_by_one_model(
    bench: Bench, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    file = tmp_path / "pair.safetensors"
    layer = "blocks.0.attn1.to_q"
    save_file(
        {
            f"{expert}.{layer}.lora_{side}.weight": torch.zeros(shape)
            for expert in ("transformer", "transformer_2")
            for side, shape in (("A", (2, 32)), ("B", (32, 2)))
        },
        file,
    )
    pair = ModelLibrary(tmp_path / "pair.json", checkpoints["t2v_a14b"]).models()[0]
    adapter = AdapterLibrary().import_file(file, base=pair)
    assert AdapterLibrary().refusal(adapter, pair) == ""
    assert "pair of experts" in AdapterLibrary().refusal(adapter, bench.stage.model)


# -- what it takes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recomputed", [True, False])
def test_the_memory_of_a_step_is_what_the_allocator_says(recomputed: bool) -> None:
    """Within a tenth of the measured peak, counted by torch's own profiler."""
    from diffusers import WanTransformer3DModel
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig
    from torch.profiler import ProfilerActivity, profile

    model: Any = WanTransformer3DModel(
        num_attention_heads=8, attention_head_dim=64, in_channels=16, out_channels=16, text_dim=64, ffn_dim=1024,
        num_layers=2,
    )  # fmt: skip
    model.requires_grad_(False)
    model.add_adapter(LoraConfig(r=4, lora_alpha=4, target_modules=TARGETS))
    cast_training_params([model], dtype=torch.float32)
    if recomputed:
        model.enable_gradient_checkpointing()
    model.train()
    tokens, pairs = 3 * 16 * 16, sum(p.numel() * 4 for p in model.parameters() if p.requires_grad)
    words, latents = torch.zeros(1, 32, 64), torch.randn(1, 16, 3, 32, 32)
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        made = model(hidden_states=latents, timestep=torch.tensor([500.0]), encoder_hidden_states=words).sample
        made.square().mean().backward()
    events: Any = profiled.profiler.kineto_results.events()  # pyright: ignore[reportOptionalMemberAccess]
    changes = sorted((event for event in events if event.name() == "[memory]"), key=lambda event: event.start_ns())
    peak = max(itertools.accumulate(event.nbytes() for event in changes)) - pairs
    work = TransformerActivations(tokens=tokens, dim=512, ffn=1024)
    assert step_bytes(work, 2, "float32", recomputed=recomputed) == pytest.approx(peak, rel=0.1)


def test_every_card_has_a_preset_that_it_has_room_for(tmp_path: Path) -> None:
    """On files of full size that hold no weights."""
    for name, config, least in (("small", SMALL_WAN, 8), ("large", LARGE_WAN, 24)):
        model = ModelLibrary(
            tmp_path / f"{name}.json", write_checkpoint(tmp_path / name, config, dtype="BF16")
        ).models()[0]
        for clips in (True, False):
            presets = presets_of(model, clips=clips)
            assert [preset.gigabytes for preset in presets] == [8, 12, 16, 24, 48, 80]
            possible = [preset for preset in presets if not preset.why_not]
            assert possible[0].gigabytes <= (48 if clips and least > 8 else least)
            work = [preset.size[0] * preset.size[1] * preset.frames for preset in possible]
            assert work == sorted(work), "a bigger card does at least as much"
            for preset in possible:
                assert preset.needs < preset.gigabytes << 30
                assert (preset.frames > 1) is clips and preset.words.endswith("GB")
                request = replace(
                    on_clips((0, 12)) if clips else training([]), size=preset.size, rank=preset.rank,
                    clip_frames=preset.frames if clips else 0,
                )  # fmt: skip
                plan = training_plan(model, card_of(preset.gigabytes), preset.rank, clip=work_of(model, request))
                assert plan.device_bytes == preset.needs, "the preset is held to the estimate of the training itself"
                assert f"about {preset.needs / 1e9:.1f} GB" in held(model, card_of(preset.gigabytes), request)
            refused = [preset for preset in presets if preset.why_not]
            assert all("not enough" in preset.words for preset in refused)


def test_longer_windows_and_larger_pictures_take_more(tmp_path: Path) -> None:
    model = ModelLibrary(tmp_path / "m.json", write_checkpoint(tmp_path / "m", SMALL_WAN, dtype="BF16")).models()[0]
    needs = [
        training_plan(model, card_of(80), clip=ClipShape(width=832, height=480, frames=frames)).device_bytes
        for frames in (1, 17, 33, 81)
    ]
    assert needs[1] < needs[2] and needs[0] < needs[3]
    with pytest.raises(OutOfBudget, match="windows"):
        training_plan(model, card_of(6), clip=ClipShape(width=832, height=480, frames=81))


def test_what_is_encoded_is_counted_before_it_is_written(tmp_path: Path) -> None:
    model = ModelLibrary(tmp_path / "m.json", write_checkpoint(tmp_path / "m", SMALL_WAN, dtype="BF16")).models()[0]
    request = on_clips((0, 40), (0, 40), clip_frames=17, clip_windows="head", size=(832, 480))
    # Five latent frames of 16 channels and 104 × 60 cells in float32, of each of two windows.
    assert latents_bytes(model, request) == 2 * 5 * 16 * 104 * 60 * 4
    assert latents_bytes(model, replace(request, clip_windows="uniform")) == 4 * latents_bytes(model, request)
    assert latents_bytes(model, replace(request, clip_windows="chunk")) == 160 * 5 * 16 * 104 * 60 * 4
