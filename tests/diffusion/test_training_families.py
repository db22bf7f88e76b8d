"""Training adapters on models beside VACE, and over a base that is kept in 8 bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import OutOfBudget
from gen2studio.diffusion.entries import abilities_of
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.packed import is_packed
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.training.ladder import training_plan, training_plans
from gen2studio.diffusion.training.lora_model import LoraModel
from gen2studio.diffusion.training.recipe import settle
from gen2studio.engine.events import JobState, LossMeasured, TestFrameReady
from gen2studio.engine.requests import AdapterRef
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.diffusion import tiny_animatediff, tiny_wan
from tests.diffusion.files import WEIGHTS, write_gguf
from tests.diffusion.test_training_lora import Bench, dog_files, training
from tests.models.folder import LARGE_WAN, SMALL_WAN, write_checkpoint


@pytest.fixture(scope="module", params=["t2v", "ti2v", "animatediff"])
def checkpoint(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    if request.param == "animatediff":
        return tiny_animatediff.build(tmp_path_factory.mktemp(request.param) / request.param)
    return tiny_wan.build(tmp_path_factory.mktemp(request.param) / request.param, request.param)


@pytest.fixture
def bench(checkpoint: Path, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(checkpoint, tmp_path)
    yield made
    made.stage.close()


def test_an_adapter_learns_and_acts(bench: Bench, media_root: Path) -> None:
    model = bench.stage.model
    assert abilities_of(model).trainable
    request = training(dog_files(media_root)[:3], generator=model.id, steps=12)
    end = bench.run(request)
    assert end.state is JobState.FINISHED, end.reason
    losses = [event.loss for event in bench.of(LossMeasured)]
    assert len(losses) == 12 and np.isfinite(losses).all()
    assert bench.of(TestFrameReady)[-1].picture.shape[2] == 3
    kept = AdapterLibrary().adapter(request.adapter_id)
    assert AdapterLibrary().refusal(kept, model) == ""

    used = AdapterRef(digest=kept.sha256, adapter_id=kept.id, path=str(kept.path), strength=1.0)
    bench.react = lambda event: None
    shot = bench.stage.request("text", stop=1, prompt="a red dog", from_nothing=True)
    plain = bench.stage.made(shot)
    adapted = bench.stage.made(replace(shot, adapters=(used,)))
    assert not np.array_equal(plain[0], adapted[0])


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> InstalledModel:
    """A text model whose matrices are wide enough to be kept in 8 bits."""
    folder = tiny_wan.build(tmp_path_factory.mktemp("wide") / "wide", "t2v")
    return ModelLibrary(folder.parent / "m.json", folder).models()[0]


def test_the_base_goes_into_8_bits_where_memory_ends(tmp_path: Path) -> None:
    """On files of full size that hold no weights: what a card of 8, 24 and 80 GB can train."""
    small, large = (
        ModelLibrary(tmp_path / f"{name}.json", write_checkpoint(tmp_path / name, config, dtype="BF16")).models()[0]
        for name, config in (("small", SMALL_WAN), ("large", LARGE_WAN))
    )

    def card(gigabytes: float) -> Machine:
        free = int(gigabytes * 1e9)
        return Machine(
            device="cuda", name="A card", device_free=free, device_total=free, memory_free=64 << 30, bf16=True
        )

    for machine in (card(80), Machine(device="cpu", name="A processor", memory_free=64 << 30)):
        plans = training_plans(small, machine)
        assert [(plan.exact, plan.optimiser) for plan in plans] == [
            (True, "adamw"), (True, "adamw8bit"), (False, "adamw"), (False, "adamw8bit"),
        ]  # fmt: skip
        chosen = training_plan(small, machine)
        assert plans[0].fits and (chosen.exact, chosen.optimiser) == (plans[0].exact, plans[0].optimiser)
        # Where there is room for it nothing is computed twice.
        assert not chosen.recomputed and plans[0].recomputed
        peaks = [plan.device_bytes or plan.memory_bytes for plan in plans]
        assert peaks == sorted(peaks, reverse=True)
        assert peaks[0] - peaks[1] in (0, plans[1].saved_bytes)
        assert all(plan.optimiser == "adamw8bit" for plan in training_plans(small, machine, optimiser="adamw8bit"))
    assert training_plan(small, card(8)).exact
    assert training_plan(large, card(80)).exact
    assert not training_plan(large, card(30)).exact
    assert training_plan(large, card(80), rank=64).device_bytes > training_plan(large, card(80)).device_bytes
    with pytest.raises(OutOfBudget, match="of GPU memory"):
        training_plan(large, card(12))


@pytest.mark.parametrize("base", ["int8", "Q4_0"])
def test_pairs_learn_over_a_packed_base(base: str, wide: InstalledModel, media_root: Path, tmp_path: Path) -> None:
    listed = wide
    if base != "int8":
        file = tmp_path / f"wide-{base}.gguf"
        write_gguf(file, load_file(wide.folder / "transformer" / WEIGHTS), base)
        listed = ModelLibrary(tmp_path / "m.json", wide.folder).add(file, wide.folder)
    narrow = training_plans(listed, Machine(device="cpu", name="A processor", memory_free=64 << 30))[-1]
    model = LoraModel(listed, narrow, Residency())
    model.load(lambda *_: None, CancelToken())
    packed = {name: p for name, p in model.transformer.named_parameters() if is_packed(p)}
    assert packed, "nothing is kept in 8 bits: the test would show nothing"
    before = {name: p.detach().clone() for name, p in packed.items()}
    pairs = model.arm(settle(training(dog_files(media_root)[:1], rank=4), 1_000_000))
    optimiser = torch.optim.AdamW(pairs, lr=2e-2)
    draw = torch.Generator().manual_seed(3)
    channels = wide.manifest.latent_channels
    noisy, wanted = (torch.randn(1, channels, 1, 8, 8, generator=draw) for _ in range(2))
    prompts = torch.randn(1, wide.manifest.text_length, model.transformer.config.text_dim, generator=draw)
    losses: list[float] = []
    for _ in range(30):
        loss = (model.predict(noisy, torch.tensor([0.5]), prompts, {}) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * losses[0]
    assert all(torch.equal(packed[name], kept) for name, kept in before.items()), "the base stays as it is"
    model.close()
