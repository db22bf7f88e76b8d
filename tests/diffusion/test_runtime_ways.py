"""Ways to run a model: what is offered where, and that they compute the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.loading import load_components
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.runtime.ways import Way, apply_way, is_compiled, ways_here
from gen2studio.models.holding import RUNNING, HoldingChoices
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.diffusion.test_runtime_residency import FULL

GPU = Machine(device="cuda", name="A card", device_free=8 << 30, device_total=8 << 30)


def among(*packages: str) -> Callable[[str], bool]:
    return lambda package: package in packages


def test_only_what_is_installed_is_offered_and_only_on_a_gpu() -> None:
    assert ways_here(replace(GPU, device="cpu"), among("flash_attn", "triton")) == ()
    assert ways_here(GPU, among()) == ()
    assert [way.id for way in ways_here(GPU, among("flash_attn", "sageattention", "xformers", "triton"))] == [
        "flash", "sage", "xformers", "compiled",
    ]  # fmt: skip


@pytest.fixture
def model(tiny_causal_model: Path, tmp_path: Path) -> InstalledModel:
    return ModelLibrary(tmp_path / "m.json", tiny_causal_model).models()[0]


def predicted(transformer: Any) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)

    def noise(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=random)

    with torch.no_grad():
        return transformer(
            hidden_states=noise(1, 16, 3, 8, 8), control_hidden_states=noise(1, 96, 3, 8, 8),
            encoder_hidden_states=noise(1, 16, transformer.config.text_dim), timestep=torch.tensor([500]),
            return_dict=False,
        )[0]  # fmt: skip


def test_every_way_computes_the_same(model: InstalledModel) -> None:
    other = load_components(model, FULL, ("transformer",)).transformer
    wanted = predicted(other)
    for way in (Way(id="math", title="Plain sums", attention="_native_math"), Way(id="c", title="C", compiled=True)):
        parts = load_components(model, FULL, ("transformer",))
        # Without a code generator: what is tested is that the blocks are the compiled ones, not a compiler.
        apply_way(parts.denoisers, way, **({"backend": "aot_eager"} if way.compiled else {}))
        assert is_compiled(parts.transformer.blocks[0]) == way.compiled
        assert torch.allclose(predicted(parts.transformer), wanted, atol=1e-4), way.id
        assert torch.equal(predicted(other), wanted), "another model is run as it was"


def test_a_way_that_is_not_there_is_one_sentence(model: InstalledModel) -> None:
    parts = load_components(model, FULL, ("transformer",))
    with pytest.raises(GenerationError, match="can't be run as “Sage”"):
        apply_way(parts.denoisers, Way(id="sage", title="Sage", attention="sage"))


def test_a_choice_of_another_machine_is_left_alone(model: InstalledModel, isolated_home: Path) -> None:
    HoldingChoices(name=RUNNING).choose(model.id, "sage")
    residency = Residency(way=HoldingChoices(name=RUNNING).rung)
    parts = residency.acquire(model, FULL)
    assert torch.equal(predicted(parts.transformer), predicted(load_components(model, FULL).transformer))
    assert HoldingChoices().rung(model.id) == "auto", "how it is held is another question"
