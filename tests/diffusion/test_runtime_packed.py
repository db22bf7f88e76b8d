"""Weights of few bits: GGUF files an artist has, and the int8 rung that the program packs itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen2studio.cli.main import main
from gen2studio.core.errors import ModelError
from gen2studio.diffusion.adapter_scope import adapters_loaded
from gen2studio.diffusion.entries import abilities_of
from gen2studio.diffusion.families.wan_vace_driver import WanVaceDriver
from gen2studio.diffusion.runtime.applying import with_retries
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.footprint import footprint
from gen2studio.diffusion.runtime.ladder import GROUP_OFFLOAD, MODEL_OFFLOAD, SEQUENTIAL, MemoryPlan, plans_for
from gen2studio.diffusion.runtime.loading import load_components
from gen2studio.diffusion.runtime.prompt_cache import PromptCache, embed_prompts
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.engine.requests import AdapterRef
from gen2studio.models.gguf_header import QUANTIZED
from gen2studio.models.holding import HoldingChoices
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.diffusion.files import WEIGHTS, load, write_gguf
from tests.diffusion.test_runtime_residency import denoise, run

FULL = MemoryPlan(device="cpu", dtype="float32")
KINDS = {"F16": 0.002, "BF16": 0.02, "Q8_0": 0.02, "Q5_0": 0.08, "Q4_0": 0.15}
"""Type → most that the latents may differ, as a part of their size."""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packed")


@pytest.fixture(scope="module")
def library(home: Path, tiny_causal_model: Path) -> ModelLibrary:
    return ModelLibrary(home / "list.json", tiny_causal_model)


@pytest.fixture(scope="module")
def model(library: ModelLibrary) -> InstalledModel:
    return library.models()[0]


@pytest.fixture(scope="module")
def packed(library: ModelLibrary, model: InstalledModel, home: Path) -> dict[str, InstalledModel]:
    """The transformer as GGUF files of several types, added to the library."""
    weights = load(model.folder / "transformer" / WEIGHTS)
    return {
        kind: library.add(write_gguf(home / "files" / f"vace-{kind}.gguf", weights, kind), model.id) for kind in KINDS
    }


@pytest.fixture
def residency() -> Iterator[Residency]:
    made = Residency()
    yield made
    made.release()


@pytest.fixture(scope="module")
def prompts(model: InstalledModel, home: Path) -> list[Any]:
    return [
        made["prompt_embeds"]
        for made in embed_prompts(
            model, WanVaceDriver(), FULL, ["a red dog", ""], Residency(), PromptCache(home / "prompts")
        )
    ]


@pytest.fixture(scope="module")
def wanted(model: InstalledModel, prompts: list[Any]) -> Any:
    return run(Residency().acquire(model, FULL), prompts)


def distance(found: Any, wanted: Any) -> float:
    return float((found.float() - wanted).abs().mean() / wanted.abs().mean())


@pytest.mark.parametrize("kind", KINDS)
def test_a_gguf_file_gives_the_pictures_of_its_original(
    packed: dict[str, InstalledModel], residency: Residency, prompts: list[Any], wanted: Any, kind: str
) -> None:
    import torch

    parts = residency.acquire(packed[kind], FULL)
    assert distance(run(parts, prompts), wanted) < KINDS[kind]
    layer = parts.transformer.blocks[0].ffn.net[2]
    assert type(layer).__name__ == ("Linear" if "F16" in kind else "GGUFLinear")
    names = dict(parts.transformer.named_parameters())
    assert names["patch_embedding.weight"].dtype == torch.float32
    assert names["patch_embedding.weight"].dim() == 5
    if "F16" not in kind:
        half = residency.acquire(packed[kind], replace(FULL, dtype="bfloat16"))
        assert distance(run(half, prompts), wanted) < KINDS[kind] + 0.02
        held = half.transformer
        assert held.blocks[0].scale_shift_table.dtype == torch.float32
        assert held.proj_out.bias.dtype == torch.bfloat16


def test_a_packed_file_is_closer_with_more_bits(
    packed: dict[str, InstalledModel], residency: Residency, prompts: list[Any], wanted: Any
) -> None:
    eight, five, four = (
        distance(run(residency.acquire(packed[kind], FULL), prompts), wanted) for kind in ("Q8_0", "Q5_0", "Q4_0")
    )
    assert 0 < eight < five < four


@pytest.mark.parametrize("placement", [MODEL_OFFLOAD, GROUP_OFFLOAD, SEQUENTIAL])
def test_packed_weights_work_in_every_placement(
    packed: dict[str, InstalledModel], residency: Residency, prompts: list[Any], placement: str
) -> None:
    import torch

    whole = run(residency.acquire(packed["Q4_0"], FULL), prompts)
    assert torch.equal(run(residency.acquire(packed["Q4_0"], replace(FULL, placement=placement)), prompts), whole)


def test_the_plan_of_a_packed_file_counts_what_it_has(packed: dict[str, InstalledModel], model: InstalledModel) -> None:
    import torch

    machine = Machine(
        device="cuda", name="GPU", device_free=1 << 40, device_total=1 << 40, memory_free=1 << 40, bf16=True
    )
    rungs = {plan.rung: plan for plan in plans_for(packed["Q4_0"], machine)}
    assert list(rungs) == ["whole", "tiled", "parts", "blocks", "layers"]
    assert all(plan.exact and "weights kept as Q4_0" in plan.describe() for plan in rungs.values())
    loaded = load_components(packed["Q4_0"], replace(FULL, dtype="bfloat16"), ("transformer",)).transformer
    held = sum(p.numel() * p.element_size() for p in loaded.parameters())
    assert footprint(packed["Q4_0"]).transformer_bytes("bfloat16") == pytest.approx(held, rel=0.15)
    assert loaded.dtype == torch.bfloat16
    assert footprint(model).transformer_bytes("bfloat16") > held
    assert abilities_of(packed["Q4_0"]).trainable, "pairs are trained over what is packed"


@pytest.mark.parametrize("kind", sorted(QUANTIZED))
def test_every_block_format_is_widened_as_its_makers_do_it(tmp_path: Path, kind: str) -> None:
    """The formats of common downloads (Q4_K, Q6_K …) can't be written in Python: random blocks stand for them."""
    import gguf
    import numpy as np
    import torch

    from gen2studio.diffusion.runtime.packed import gguf_tensors, widened
    from gen2studio.models.gguf_header import read_gguf_header

    which = gguf.GGMLQuantizationType[kind]
    block, size = gguf.GGML_QUANT_SIZES[which]
    # Scales are float16 among the bytes: below 0x3b they are finite and less than one.
    raw = np.random.default_rng(7).integers(0, 0x3B, (6, 2 * size), dtype=np.uint8)
    writer = gguf.GGUFWriter(tmp_path / "x.gguf", "wan")
    writer.add_tensor("blocks.0.ffn.0.weight", raw, raw_dtype=which)
    for step in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file, writer.close):
        step()
    header = read_gguf_header(tmp_path / "x.gguf")
    assert header.shape("blocks.0.ffn.0.weight") == (6, 2 * block)
    ((_, packed),) = gguf_tensors(header)
    ours = widened(packed, (6, 2 * block), torch.float32).numpy()
    theirs = gguf.quants.dequantize(raw, which)
    assert np.abs(ours - theirs).max() <= 4e-3 * np.abs(theirs).max()


def test_int8_is_what_the_library_makes_of_the_weights() -> None:
    import gguf
    import torch

    from gen2studio.diffusion.runtime.packed import to_int8, widened

    source = torch.Generator().manual_seed(5)
    weights = torch.randn(24, 96, generator=source) * torch.logspace(-4, 1, 24)[:, None]
    weights[3] = 0
    weights[4, :32] = torch.tensor([127.0, *(0.5 + i for i in range(31))])
    packed = to_int8(weights)
    theirs = gguf.quants.quantize(weights.numpy(), gguf.GGMLQuantizationType.Q8_0)
    assert packed.as_tensor().numpy().tobytes() == theirs.tobytes()
    again = widened(packed, (24, 96), torch.float32)
    assert float((again - weights).abs().max()) <= float(weights.abs().max()) / 127 * 0.51
    for bad in (float("inf"), float("nan"), 1e8):
        with pytest.raises(OverflowError):
            to_int8(torch.full((1, 32), bad))


@pytest.mark.parametrize("placement", ["resident", GROUP_OFFLOAD, SEQUENTIAL])
def test_int8_is_closer_than_float8_and_nearly_as_small(
    model: InstalledModel, residency: Residency, prompts: list[Any], wanted: Any, placement: str
) -> None:
    import torch

    half = replace(FULL, dtype="bfloat16", placement=placement)
    wide = distance(run(residency.acquire(model, half), prompts), wanted)
    narrow: dict[str, float] = {}
    sizes: dict[str, int] = {}
    for name in ("int8_layers", "fp8_layers"):
        parts = residency.acquire(model, replace(half, **{name: True}))
        narrow[name] = distance(run(parts, prompts), wanted)
        sizes[name] = sum(p.numel() * p.element_size() for p in parts.transformer.blocks.parameters())
    assert narrow["int8_layers"] < 0.5 * narrow["fp8_layers"]
    assert narrow["int8_layers"] < wide + 0.02
    assert sizes["int8_layers"] < 1.15 * sizes["fp8_layers"]
    assert not replace(half, int8_layers=True).exact
    assert torch.isfinite(torch.tensor([*narrow.values()])).all()


@pytest.mark.parametrize("kind", ["gguf", "int8"])
def test_adapters_act_on_packed_weights(
    model: InstalledModel,
    packed: dict[str, InstalledModel],
    residency: Residency,
    prompts: list[Any],
    home: Path,
    kind: str,
) -> None:
    import torch
    from diffusers import WanVACEPipeline
    from safetensors.torch import save_file

    source = torch.Generator().manual_seed(3)
    path = home / f"{kind}-lora.safetensors"
    pairs = {
        f"transformer.blocks.{block}.attn1.{part}.lora_{side}.weight": 0.5 * torch.randn(shape, generator=source)
        for block in range(3) for part in ("to_q", "to_v") for side, shape in (("A", (4, 32)), ("B", (32, 4)))
    }  # fmt: skip
    save_file(pairs, path)
    adapter = AdapterRef(digest=kind, path=str(path))

    def effect(of: InstalledModel, plan: MemoryPlan) -> tuple[Any, Any]:
        pipe = residency.acquire(of, plan).pipeline(WanVACEPipeline)
        with adapters_loaded(pipe, [adapter], of):
            acting = denoise(pipe, plan, prompts).float()
        return acting, denoise(pipe, plan, prompts).float()

    acting, base = effect(model, FULL)
    other = packed["Q8_0"] if kind == "gguf" else model
    plan = FULL if kind == "gguf" else replace(FULL, dtype="bfloat16", int8_layers=True, placement=GROUP_OFFLOAD)
    narrow, rest = effect(other, plan)
    size = float((acting - base).abs().mean())
    assert size > 0.05
    assert float((narrow - acting).abs().mean()) < 0.2 * size
    assert float((rest - base).abs().mean()) < 0.2 * size


def test_a_run_that_has_no_memory_goes_on_as_int8(
    model: InstalledModel, residency: Residency, prompts: list[Any]
) -> None:
    import torch

    machine = Machine(device="cpu", name="cpu", memory_free=1 << 40)
    tried: list[str] = []

    def work(plan: MemoryPlan) -> Any:
        tried.append(plan.rung)
        if plan.rung != "int8":
            torch.empty(1 << 60, dtype=torch.uint8)
        return run(residency.acquire(model, plan), prompts)

    found = with_retries(plans_for(model, machine)[0], work, before_retry=lambda *_: residency.release())
    assert tried == ["whole", "tiled", "bf16", "int8"]
    assert torch.isfinite(found).all()


def test_the_artists_choice_is_how_the_model_is_held(
    model: InstalledModel, home: Path, prompts: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    choices = HoldingChoices(home / "holding.json")
    residency = Residency(lambda: Machine(device="cpu", name="8 cores", memory_free=1 << 40), choice=choices.rung)
    assert residency.plan_for(model).rung == "whole"
    kept = residency.acquire(model, residency.plan_for(model))
    choices.choose(model.id, "int8")
    assert HoldingChoices(home / "holding.json").rung(model.id) == "int8"
    plan = residency.plan_for(model)
    assert (plan.rung, plan.stored_as) == ("int8", "int8")
    assert residency.acquire(model, plan) is not kept
    choices.choose(model.id, "auto")
    assert residency.plan_for(model).reason == ""  # What is loaded stays while it fits.
    residency.release()
    assert residency.plan_for(model).rung == "whole"
    with pytest.raises(ModelError, match="no way to hold"):
        choices.choose(model.id, "../x")


def test_the_verbs_show_the_ladder_and_take_a_choice(
    isolated_home: Path, tiny_causal_model: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = load(tiny_causal_model / "transformer" / WEIGHTS)
    file = write_gguf(home / "verb" / "Small VACE.gguf", weights, "Q4_0")
    assert main(["models", "add", str(file), "--with", str(tiny_causal_model)]) == 0
    said = capsys.readouterr().out
    assert "weights kept as Q4_0" in said
    assert main(["models", "add", str(file), "--with", "nothing"]) == 1
    assert "no model folder and no installed model" in capsys.readouterr().err
    assert main(["models", "plan", "mini", "--size", "160x96", "--frames", "17"]) == 0
    ladder = capsys.readouterr().out
    assert "for 160×96, 17 frames:" in ladder
    assert "→ whole" in ladder
    assert "weights kept as int8" in ladder
    assert "everything fits" in ladder
    assert main(["models", "hold", "mini", "int8"]) == 0
    assert "as you chose" in capsys.readouterr().out
    assert main(["models", "plan", "mini"]) == 0
    assert "→ int8" in capsys.readouterr().out
    assert main(["models", "hold", "mini", "sideways"]) == 2
    assert "can't be held “sideways”" in capsys.readouterr().err
    assert main(["models", "plan", "mini", "--size", "big"]) == 2
    assert "no picture size" in capsys.readouterr().err


def test_gguf_files_that_are_something_else_are_refused(
    library: ModelLibrary, model: InstalledModel, home: Path
) -> None:
    import torch

    weights = load(model.folder / "transformer" / WEIGHTS)
    text = {name: tensor for name, tensor in weights.items() if "vace" not in name}
    with pytest.raises(ModelError, match=r"Wan text-to-video of width 32 transformer"):
        library.add(write_gguf(home / "t2v.gguf", text, "Q8_0"), model.folder)
    llama = {"token_embd.weight": torch.zeros(64, 32), "blk.0.attn_q.weight": torch.zeros(32, 32)}
    with pytest.raises(ModelError, match="unknown architecture"):
        library.add(write_gguf(home / "llama.gguf", llama, "Q8_0", architecture="llama"), model.folder)
    fewer = {name: tensor for name, tensor in weights.items() if "blocks.1.ffn" not in name}
    with pytest.raises(ModelError, match=r"lack “blocks\.1\.ffn"):
        library.add(write_gguf(home / "fewer.gguf", fewer, "Q8_0"), model.folder)
    cut = write_gguf(home / "cut.gguf", weights, "Q8_0")
    whole = cut.read_bytes()
    cut.write_bytes(whole[:-500])
    with pytest.raises(ModelError, match="cut off"):
        library.add(cut, model.folder)
    cut.write_bytes(whole)
    added = library.add(cut, model.folder)
    cut.write_bytes(whole[:-500])
    with pytest.raises(ModelError, match="can't be read"):
        load_components(added, FULL, ("transformer",))
    assert "cut off" in library.model(added.id).problem
