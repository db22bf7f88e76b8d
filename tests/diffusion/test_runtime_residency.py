"""One owner holds the models: the whole ladder gives the same picture, and what is released is dead."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import GenerationError, OutOfBudget
from gen2studio.diffusion.adapter_scope import adapters_loaded
from gen2studio.diffusion.families.wan_vace_driver import WanVaceDriver
from gen2studio.diffusion.runtime.applying import apply_plan, with_retries
from gen2studio.diffusion.runtime.device import Machine, this_machine
from gen2studio.diffusion.runtime.ladder import (
    GROUP_OFFLOAD,
    MODEL_OFFLOAD,
    SEQUENTIAL,
    MemoryPlan,
    choose_plan,
    plans_for,
)
from gen2studio.diffusion.runtime.loading import Components, load_components
from gen2studio.diffusion.runtime.prompt_cache import PromptCache, embed_prompts, prompt_key
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.engine.requests import AdapterRef
from gen2studio.models.library import InstalledModel, ModelLibrary

FULL = MemoryPlan(device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def model(tiny_causal_model: Path) -> InstalledModel:
    return ModelLibrary(tiny_causal_model.parent / "list.json", tiny_causal_model).models()[0]


@pytest.fixture
def residency() -> Iterator[Residency]:
    made = Residency()
    yield made
    made.release()


@pytest.fixture(scope="module")
def prompts(model: InstalledModel, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    cache = PromptCache(tmp_path_factory.mktemp("prompts"))
    return [
        made["prompt_embeds"]
        for made in embed_prompts(model, WanVaceDriver(), FULL, ["a red dog", ""], Residency(), cache)
    ]


def run(parts: Components, prompts: list[Any], *, output: str = "latent") -> Any:
    from diffusers import WanVACEPipeline

    return denoise(parts.pipeline(WanVACEPipeline), parts.plan, prompts, output=output)


def denoise(pipe: Any, plan: MemoryPlan, prompts: list[Any], *, output: str = "latent") -> Any:
    import torch

    dtype = getattr(torch, plan.dtype)
    return pipe(
        prompt_embeds=prompts[0].to(dtype),
        negative_prompt_embeds=prompts[1].to(dtype),
        height=64,
        width=64,
        num_frames=5,
        num_inference_steps=3,
        guidance_scale=2.0,
        generator=torch.Generator().manual_seed(1),
        max_sequence_length=prompts[0].shape[1],
        output_type=output,
    ).frames


@pytest.fixture(scope="module")
def wanted(tiny_causal_model: Path, prompts: list[Any], model: InstalledModel) -> Any:
    """Latents of the bare pipeline, loaded by the library's own means."""
    import torch
    from diffusers import WanVACEPipeline

    bare = WanVACEPipeline.from_pretrained(
        tiny_causal_model, local_files_only=True, use_safetensors=True, text_encoder=None, tokenizer=None
    )
    bare.set_progress_bar_config(disable=True)
    assert torch.float32 == bare.transformer.dtype
    named = {"transformer": bare.transformer, "vae": bare.vae, "scheduler": bare.scheduler}
    parts = Components(model=model, plan=FULL, parts=named)
    return run(parts, prompts)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"tiled_vae": True},
        {"placement": MODEL_OFFLOAD},
        {"placement": GROUP_OFFLOAD, "tiled_vae": True},
        {"placement": SEQUENTIAL},
    ],
    ids=str,
)
def test_exact_rungs_give_the_bare_pipelines_latents_bit_for_bit(
    model: InstalledModel, residency: Residency, prompts: list[Any], wanted: Any, change: dict[str, Any]
) -> None:
    import torch

    plan = replace(FULL, **change)
    assert plan.exact
    parts = residency.acquire(model, plan)
    assert torch.equal(run(parts, prompts), wanted)
    assert torch.equal(run(residency.acquire(model, plan), prompts), wanted)


@pytest.mark.parametrize(
    "change", [{}, {"fp8_layers": True}, {"fp8_layers": True, "placement": GROUP_OFFLOAD}], ids=str
)
def test_lower_precision_stays_close(
    model: InstalledModel, residency: Residency, prompts: list[Any], wanted: Any, change: dict[str, Any]
) -> None:
    import torch

    parts = residency.acquire(model, replace(FULL, dtype="bfloat16", **change))
    found = run(parts, prompts).float()
    error = float((found - wanted).abs().mean() / wanted.abs().mean())
    assert 0 < error < (0.05 if change else 0.02)
    stored = {p.dtype for p in parts.transformer.blocks[0].ffn.parameters()}
    assert stored == ({torch.float8_e4m3fn} if change else {torch.bfloat16})
    kept = dict(parts.transformer.named_parameters())["blocks.0.scale_shift_table"]
    assert kept.dtype == torch.float32


def test_the_ladder_of_this_machine_runs_from_top_to_bottom(
    model: InstalledModel, residency: Residency, prompts: list[Any]
) -> None:
    """Whatever device the tests run on, each rung it offers makes frames."""
    import numpy as np

    plans = plans_for(model, this_machine())
    frames = [np.asarray(run(residency.acquire(model, plan), prompts, output="np")) for plan in plans]
    for plan, found in zip(plans, frames, strict=True):
        assert np.isfinite(found).all()
        assert float(np.abs(found - frames[0]).mean()) < 0.02, plan.describe()


def test_tiles_meet_without_a_seam(model: InstalledModel) -> None:
    """Tiled decoding differs from whole decoding by what the tiles can't see, not by edges where they meet."""
    import torch

    parts = load_components(model, FULL, ("vae",))
    latents = torch.randn(1, 16, 1, 40, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        whole = apply_plan(parts, FULL).vae.decode(latents, return_dict=False)[0]
        tiled = apply_plan(parts, replace(FULL, tiled_vae=True)).vae.decode(latents, return_dict=False)[0]
    assert tiled.shape == whole.shape
    assert not torch.equal(tiled, whole)
    difference = (tiled - whole).abs().mean()
    assert difference < 0.25 * (whole - whole.mean()).abs().mean()
    rows = (tiled[..., 1:, :] - tiled[..., :-1, :]).abs().mean(dim=(0, 1, 2, 4))
    assert rows[190:194].max() < 2.0 * rows.median()


def test_pipelines_share_parts_but_not_the_scheduler(model: InstalledModel, residency: Residency) -> None:
    from diffusers import WanVACEPipeline

    parts = residency.acquire(model, FULL)
    first, second = parts.pipeline(WanVACEPipeline), parts.pipeline(WanVACEPipeline)
    assert first.transformer is second.transformer is parts.transformer
    assert first.scheduler is not second.scheduler
    assert first.scheduler is not parts.scheduler


def test_what_is_released_is_dead(model: InstalledModel, prompts: list[Any]) -> None:
    residency = Residency()
    for plan in (FULL, replace(FULL, placement=GROUP_OFFLOAD), replace(FULL, placement=MODEL_OFFLOAD)):
        parts = residency.acquire(model, plan)
        run(parts, prompts)
        refs = [weakref.ref(parts.transformer), weakref.ref(parts.vae), weakref.ref(parts.transformer.blocks[0])]
        del parts
        assert residency.held == (model.id,)
        residency.release()
        assert [ref() for ref in refs] == [None, None, None], plan.placement
        assert residency.held == ()


def test_a_loaded_model_is_kept_until_it_is_held_otherwise(model: InstalledModel, residency: Residency) -> None:
    first = residency.acquire(model, FULL)
    assert residency.acquire(model, FULL) is first
    tiled = residency.acquire(model, replace(FULL, tiled_vae=True, tier=1))
    assert tiled is first
    assert tiled.vae.use_tiling
    assert not residency.acquire(model, FULL).vae.use_tiling
    lost = weakref.ref(first.transformer)
    del first, tiled
    residency.acquire(model, replace(FULL, placement=GROUP_OFFLOAD))
    gc.collect()
    assert lost() is None


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> AdapterRef:
    import torch
    from safetensors.torch import save_file

    source = torch.Generator().manual_seed(3)
    weights: dict[str, Any] = {}
    for layer in (f"blocks.{block}.attn1.{part}" for block in range(3) for part in ("to_q", "to_v")):
        weights[f"transformer.{layer}.lora_A.weight"] = 0.5 * torch.randn(4, 32, generator=source)
        weights[f"transformer.{layer}.lora_B.weight"] = 0.5 * torch.randn(32, 4, generator=source)
    path = tmp_path_factory.mktemp("lora") / "x.safetensors"
    save_file(weights, path)
    return AdapterRef(digest="x", path=str(path))


@pytest.mark.parametrize(
    "change",
    [
        {"placement": MODEL_OFFLOAD},
        {"placement": GROUP_OFFLOAD},
        {"placement": SEQUENTIAL},
        {"dtype": "bfloat16", "fp8_layers": True, "placement": GROUP_OFFLOAD},
    ],
    ids=str,
)
def test_adapters_act_alike_however_the_model_is_held(
    model: InstalledModel, residency: Residency, prompts: list[Any], adapter: AdapterRef, change: dict[str, Any]
) -> None:
    import torch
    from diffusers import WanVACEPipeline

    def with_adapter(plan: MemoryPlan) -> tuple[Any, Any]:
        parts = residency.acquire(model, plan)
        pipe = parts.pipeline(WanVACEPipeline)
        with adapters_loaded(pipe, [adapter], model):
            acting = denoise(pipe, plan, prompts).float()
            if plan.fp8_layers:
                layer = pipe.transformer.blocks[0].attn1.to_q
                assert layer.base_layer.weight.dtype == torch.float8_e4m3fn
                assert next(iter(layer.lora_A.values())).weight.dtype == torch.bfloat16
        return acting, denoise(pipe, plan, prompts).float()

    wanted, base = with_adapter(FULL)
    acting, without = with_adapter(replace(FULL, **change))
    effect = (wanted - base).abs().mean()
    assert effect > 0.05
    if replace(FULL, **change).exact:
        assert torch.equal(acting, wanted)
        assert torch.equal(without, base)
    else:
        assert (acting - wanted).abs().mean() < 0.2 * effect


def test_the_least_recently_used_model_makes_room(tmp_path: Path, tiny_model: Path, model: InstalledModel) -> None:
    def listed(name: str) -> InstalledModel:
        folder = shutil.copytree(tiny_model, tmp_path / name)
        text = (folder / "gen2studio.json").read_text().replace("tiny-patch", name)
        (folder / "gen2studio.json").write_text(text)
        return ModelLibrary(tmp_path / "list.json", folder).models()[0]

    first, second, third = listed("a"), listed("b"), listed("c")
    residency = Residency(most_models=2)
    residency.acquire(first, FULL)
    residency.acquire(second, FULL)
    residency.acquire(first, FULL)
    residency.acquire(third, FULL)
    assert residency.held == ("a", "c")
    short = Machine(device="cpu", name="small", memory_free=1 << 20)
    tight = Residency(lambda: short, most_models=8)
    tight.acquire(first, FULL)
    tight.acquire(second, replace(FULL, memory_bytes=2 << 20))
    assert tight.held == ("b",)


def test_a_cancelled_load_leaves_nothing_behind(model: InstalledModel, residency: Residency) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(Cancelled):
        residency.acquire(model, FULL, cancel=token)
    assert residency.held == ()
    assert residency.acquire(model, FULL).transformer is not None


def test_the_plan_counts_what_could_be_released(model: InstalledModel) -> None:
    parts = load_components(model, FULL)
    weights = sum(p.numel() * p.element_size() for m in (parts.transformer, parts.vae) for p in m.parameters())
    best = choose_plan(model, Machine(device="cpu", name="big", memory_free=1 << 40))
    short = Machine(device="cpu", name="small", memory_free=int(best.memory_bytes / 0.92) - weights // 2)
    with pytest.raises(OutOfBudget):
        choose_plan(model, short)
    residency = Residency(lambda: short)
    residency.acquire(model, best)
    assert residency.plan_for(model).fits
    residency.release()


def test_a_plan_for_a_device_that_is_not_there_is_refused(model: InstalledModel, residency: Residency) -> None:
    import torch

    missing = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(GenerationError, match="torch sees none"):
        residency.acquire(model, replace(FULL, device=missing))
    with pytest.raises(GenerationError, match="float8"):
        residency.acquire(model, replace(FULL, fp8_layers=True))
    assert residency.held == ()


def test_out_of_memory_goes_one_rung_down_and_ends_with_a_sentence(model: InstalledModel) -> None:
    import torch

    plans = plans_for(model, Machine(device="cpu", name="cpu", memory_free=1 << 40, fp8_storage=True))
    tried: list[int] = []
    ghosts: list[weakref.ref[Any]] = []

    def work(plan: MemoryPlan) -> str:
        tried.append(plan.tier)
        big = torch.zeros(1000)
        ghosts.append(weakref.ref(big))
        if plan.tier < 2:
            torch.empty(1 << 60, dtype=torch.uint8)
        return plan.describe()

    def between(failed: MemoryPlan, lower: MemoryPlan) -> None:
        assert lower is failed.below
        assert ghosts[-1]() is None, "the failed call's tensors must be gone before the next try"

    assert with_retries(plans[0], work, before_retry=between) == plans[2].describe()
    assert tried == [0, 1, 2]
    with pytest.raises(OutOfBudget, match="even in the most frugal way"):
        with_retries(plans[0], lambda _plan: torch.empty(1 << 60, dtype=torch.uint8))
    with pytest.raises(ValueError, match="other"):
        with_retries(plans[0], lambda _plan: int("other"))


def test_embeddings_are_the_pipelines_own_and_come_back_from_disk(
    tmp_path: Path, tiny_causal_model: Path, model: InstalledModel, residency: Residency
) -> None:
    import torch
    from diffusers import WanVACEPipeline

    bare = WanVACEPipeline.from_pretrained(
        tiny_causal_model, local_files_only=True, use_safetensors=True, vae=None, transformer=None
    )
    words = ["a red dog walks on the sea", "", "noir"]
    length = model.manifest.text_length
    with torch.no_grad():
        known = [
            bare.encode_prompt(text, do_classifier_free_guidance=False, max_sequence_length=length)[0] for text in words
        ]
    cache = PromptCache(tmp_path / "c")
    for _ in range(2):
        found = embed_prompts(model, WanVaceDriver(), FULL, words, residency, cache)
        assert all(torch.equal(a["prompt_embeds"], b) for a, b in zip(found, known, strict=True))
    loads: list[str] = []
    embed_prompts(
        model, WanVaceDriver(), FULL, words, residency, cache, progress=lambda _d, _t, stage: loads.append(stage)
    )
    assert loads == [], "a cached prompt must not load the text encoder"
    for path in cache.folder.iterdir():
        path.write_bytes(path.read_bytes()[:40])
    found = embed_prompts(model, WanVaceDriver(), FULL, words[:1], residency, cache)
    assert torch.equal(found[0]["prompt_embeds"], known[0])


class _Tight(WanVaceDriver):
    """A driver on an accelerator that is too small for the text encoder."""

    def embed(self, parts: Components, text: str, length: int, device: str) -> Any:
        import torch

        if device != "cpu":
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return super().embed(parts, text, length, device)


def test_the_processor_reads_what_the_accelerator_has_no_room_for(
    tmp_path: Path, model: InstalledModel, residency: Residency
) -> None:
    import torch

    there = replace(FULL, text_device="meta")
    found = embed_prompts(model, _Tight(), there, ["a red dog"], residency, PromptCache(tmp_path / "a"))
    known = embed_prompts(model, WanVaceDriver(), FULL, ["a red dog"], residency, PromptCache(tmp_path / "b"))
    assert torch.equal(found[0]["prompt_embeds"], known[0]["prompt_embeds"])


class _Broken(WanVaceDriver):
    """A driver whose text encoder's numbers run over."""

    def embed(self, parts: Components, text: str, length: int, device: str) -> Any:
        made = super().embed(parts, text, length, device)
        return {name: tensor * float("inf") for name, tensor in made.items()}


def test_an_embedding_of_no_numbers_is_refused_and_not_kept(
    tmp_path: Path, model: InstalledModel, residency: Residency
) -> None:
    cache = PromptCache(tmp_path / "prompts")
    with pytest.raises(GenerationError, match="made nothing of the prompt"):
        embed_prompts(model, _Broken(), FULL, ["a red dog"], residency, cache)
    assert not cache.folder.exists() or not any(cache.folder.iterdir())


def test_keys_hold_everything_an_embedding_depends_on(model: InstalledModel) -> None:
    digest = model.component_digest("text_encoder")
    keys = {
        prompt_key(digest, "a", 512, "bfloat16"),
        prompt_key(digest, "b", 512, "bfloat16"),
        prompt_key(digest, "a", 32, "bfloat16"),
        prompt_key(digest, "a", 512, "float32"),
        prompt_key(digest, "a", 512, "bfloat16", "cuda"),
        prompt_key("other", "a", 512, "bfloat16"),
    }
    assert len(keys) == 6


def test_the_cache_stays_within_its_size(tmp_path: Path) -> None:
    import torch

    cache = PromptCache(tmp_path / "c", limit=4500)
    for name in ("a", "b", "c"):
        padded = torch.nn.functional.pad(torch.ones(1, 4, 100), (0, 0, 0, 4))
        cache.put(name, {"prompt_embeds": padded, "prompt_attention_mask": torch.ones(1, 8, dtype=torch.int64)})
        assert cache.get("a") is not None
    assert cache.get("b") is None
    kept = cache.get("c")
    assert kept is not None
    assert torch.equal(kept["prompt_embeds"], padded), "padding is not written and comes back"
    assert kept["prompt_attention_mask"].shape == (1, 8)
    assert sum(path.stat().st_size for path in cache.folder.iterdir()) <= 4500


def test_the_text_encoder_is_freed_before_the_model_comes(model: InstalledModel, residency: Residency) -> None:
    with residency.text_encoder(model, FULL) as parts:
        kept = weakref.ref(parts.text_encoder)
        del parts
    assert kept() is not None, "the built-in model's small encoder stays"
    residency.release()
    assert kept() is None
