"""Memory plans: what is chosen for which machine, and how near the estimates are. No torch except where it measures."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.errors import OutOfBudget
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.footprint import ClipShape, Footprint, footprint
from gen2studio.diffusion.runtime.guarding import mismatch
from gen2studio.diffusion.runtime.ladder import (
    GROUP_OFFLOAD,
    MODEL_OFFLOAD,
    RESIDENT,
    MemoryPlan,
    choose_plan,
    next_plan,
    plans_for,
)
from gen2studio.models.families.wan_vace import WAN_VACE
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.diffusion.allocations import peak_of
from tests.models.folder import LARGE_WAN, SMALL_WAN, TINY, write_checkpoint

GB = 10**9


def listed(folder: Path) -> InstalledModel:
    return ModelLibrary(folder.parent / "list.json", folder).models()[0]


@pytest.fixture(scope="module")
def small_wan(tmp_path_factory: pytest.TempPathFactory) -> InstalledModel:
    return listed(write_checkpoint(tmp_path_factory.mktemp("wan") / "small", SMALL_WAN, dtype="BF16"))


@pytest.fixture(scope="module")
def large_wan(tmp_path_factory: pytest.TempPathFactory) -> InstalledModel:
    return listed(write_checkpoint(tmp_path_factory.mktemp("wan") / "large", LARGE_WAN, dtype="BF16"))


def gpu(gigabytes: float, memory: float = 64) -> Machine:
    free = int(gigabytes * GB)
    return Machine(
        device="cuda", name="GPU", device_free=free, device_total=free, memory_free=int(memory * GB), bf16=True,
        fp8_storage=True, cores=8,
    )  # fmt: skip


def cpu(gigabytes: float, **more: Any) -> Machine:
    return Machine(device="cpu", name="8 cores", memory_free=int(gigabytes * GB), fp8_storage=True, cores=8, **more)


@pytest.mark.parametrize("machine", [gpu(24), cpu(16), Machine(device="mps", name="Apple GPU", bf16=True)])
def test_exact_rungs_come_first_and_a_step_down_never_needs_more(small_wan: InstalledModel, machine: Machine) -> None:
    plans = plans_for(small_wan, machine)

    def need(plan: MemoryPlan) -> int:
        return plan.device_bytes if machine.device == "cuda" else plan.memory_bytes

    assert len(plans) >= 3
    assert [plan.exact for plan in plans] == sorted((plan.exact for plan in plans), reverse=True)
    for kind in (True, False):
        needs = [need(plan) for plan in plans if plan.exact is kind]
        assert needs == sorted(needs, reverse=True)
    assert [plan.tier for plan in plans] == list(range(len(plans)))
    assert len({plan.rung for plan in plans}) == len(plans)
    for plan in plans:
        lower = next_plan(plan)
        # Block by block the device holds two blocks either way, and unpacking one needs a little: within a hundredth.
        assert lower is None or need(lower) <= 1.01 * need(plan)
        assert all(need(skipped) > need(plan) for skipped in plans[plan.tier + 1 : lower.tier if lower else None])
        assert plan.describe().startswith(
            {"cuda": "on the GPU in bf16", "mps": "on the Apple GPU in bf16", "cpu": "on the processor in"}[
                machine.device
            ]
        )
    assert plans[-1].rung == {"cuda": "layers", "mps": "int8", "cpu": "fp8"}[machine.device]


def test_machines_get_the_best_that_fits(small_wan: InstalledModel, large_wan: InstalledModel) -> None:
    assert choose_plan(small_wan, gpu(80)).placement == RESIDENT
    assert not choose_plan(small_wan, gpu(80)).tiled_vae
    eight = choose_plan(small_wan, gpu(7.5))
    assert (eight.placement, eight.exact, eight.text_device) == (GROUP_OFFLOAD, True, "cpu")
    assert choose_plan(small_wan, gpu(80)).text_device == "cuda"
    assert choose_plan(small_wan, gpu(11)).placement in (RESIDENT, MODEL_OFFLOAD)
    assert choose_plan(large_wan, gpu(80)).placement == RESIDENT
    assert choose_plan(large_wan, gpu(23)).placement == GROUP_OFFLOAD
    assert choose_plan(small_wan, cpu(64)).dtype == "float32"
    assert choose_plan(small_wan, cpu(64, bf16=True)).dtype == "bfloat16"
    assert choose_plan(small_wan, cpu(14)).dtype == "bfloat16"
    assert choose_plan(small_wan, cpu(64)).device_bytes == 0


def test_int8_is_for_machines_that_can_hold_the_weights_nowhere_else(large_wan: InstalledModel) -> None:
    """34.7 GB of bf16 weights fit neither the GPU nor main memory; 18.4 GB of int8 do."""
    chosen = choose_plan(large_wan, gpu(40, memory=30))
    assert (chosen.rung, chosen.stored_as, chosen.exact) == ("int8", "int8", False)
    assert "weights kept as int8" in chosen.describe()
    assert choose_plan(large_wan, gpu(16, memory=30)).rung == "int8-blocks"
    whole = plans_for(large_wan, gpu(40))[1]
    assert 0.5 < chosen.device_bytes / whole.device_bytes < 0.7
    assert (
        choose_plan(large_wan, Machine(device="mps", name="Apple GPU", bf16=True, memory_free=34 * GB)).rung == "int8"
    )


def test_a_plan_says_why_it_and_not_the_one_above(small_wan: InstalledModel) -> None:
    assert choose_plan(small_wan, gpu(80)).explain().endswith(": everything fits")
    eight = choose_plan(small_wan, gpu(7.5)).explain()
    assert eight.startswith("on the GPU in bf16, blocks fetched from memory one by one, frames decoded in tiles, about")
    assert "“one part at a time” needs" in eight
    assert eight.endswith("of GPU memory and 7.5 GB is free")
    assert "of memory and" in choose_plan(small_wan, cpu(14)).explain()


def test_the_artists_choice_is_taken_even_where_it_seems_not_to_fit(small_wan: InstalledModel) -> None:
    chosen = choose_plan(small_wan, gpu(80), rung="int8-blocks")
    assert (chosen.placement, chosen.stored_as, chosen.reason) == (GROUP_OFFLOAD, "int8", "as you chose")
    tight = choose_plan(small_wan, gpu(4), rung="whole")
    assert (tight.rung, tight.fits) == ("whole", False)
    assert "more than is free now" in tight.explain()
    elsewhere = choose_plan(small_wan, cpu(64), rung="parts")
    assert elsewhere.rung == "whole"
    assert "it can't be held “one part at a time” here" in elsewhere.explain()


def test_what_fits_nowhere_is_told_before_the_start(large_wan: InstalledModel) -> None:
    with pytest.raises(OutOfBudget) as refusal:
        choose_plan(large_wan, gpu(4))
    assert "Wan 2.1 VACE 14B needs at least" in refusal.value.sentence
    assert "GPU memory" in refusal.value.sentence
    assert "832×480, 81 frames" in refusal.value.sentence
    with pytest.raises(OutOfBudget, match="of memory"):
        choose_plan(large_wan, gpu(80, memory=8))
    assert choose_plan(large_wan, gpu(12), ClipShape(width=480, height=272, frames=33)).fits


def test_bigger_clips_need_more(small_wan: InstalledModel) -> None:
    machine = gpu(24)
    little = plans_for(small_wan, machine, ClipShape(width=480, height=272, frames=17))[0]
    much = plans_for(small_wan, machine, ClipShape(width=1280, height=720, frames=81))[0]
    assert little.device_bytes < plans_for(small_wan, machine)[0].device_bytes < much.device_bytes
    assert replace(little, device_bytes=0, memory_bytes=0, fits=True, tier=0) == replace(
        much, device_bytes=0, memory_bytes=0, fits=True, tier=0
    )


def test_counts_come_from_the_headers(small_wan: InstalledModel) -> None:
    counts = footprint(small_wan)
    assert counts.tokens == 32_760
    assert counts.transformer == pytest.approx(2.15e9, rel=0.01)
    assert counts.block * 45 == pytest.approx(counts.transformer, rel=0.08)
    wide = counts.transformer_bytes("bfloat16")
    assert counts.transformer_bytes("bfloat16", "float8_e4m3fn") / wide == pytest.approx(0.51, abs=0.01)
    assert counts.transformer_bytes("bfloat16", "int8") / wide == pytest.approx(0.54, abs=0.01)
    assert counts.largest == 1536 * 8960


def test_plans_are_told_without_torch(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m")
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "from gen2studio.models.library import ModelLibrary\n"
        "from gen2studio.diffusion.runtime.device import quick_machine\n"
        "from gen2studio.diffusion.runtime.ladder import choose_plan\n"
        f"model = ModelLibrary(Path({str(tmp_path / 'l.json')!r}), Path({str(folder)!r})).models()[0]\n"
        "print(choose_plan(model, quick_machine()).describe())\n"
        "print([m for m in ('torch', 'diffusers', 'transformers', 'safetensors') if m in sys.modules])\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root)
    described, loaded = done.stdout.strip().splitlines()
    assert "about" in described
    assert loaded == "[]"


@pytest.mark.parametrize(
    ("torch", "vision", "needs", "said"),
    [
        ("2.13.0", "0.28.0", ["numpy", "torch==2.13.0"], ""),
        ("2.13.0+cpu", "0.28.0+cpu", ["torch (==2.13.0)"], ""),
        ("2.13.0+cpu", "0.28.0", ["torch==2.13.0"], "different builds"),
        ("2.12.0", "0.28.0", ["torch==2.13.0"], "made for torch 2.13.0"),
    ],
)
def test_a_torchvision_of_another_torch_is_noticed(torch: str, vision: str, needs: list[str], said: str) -> None:
    found = mismatch(torch, vision, needs)
    assert (said in found) if said else found == ""


def counts_for(clip: ClipShape, transformer: dict[str, Any] = TINY, vae: dict[str, Any] | None = None) -> Footprint:
    work = WAN_VACE.work({"transformer": transformer, "vae": vae or {}}, clip)
    return Footprint(transformer=0, block=0, vae=0, text_encoder=0, work=work, clip=clip)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_estimate_of_denoising_is_near_what_is_allocated(dtype: str) -> None:
    import torch
    from diffusers import WanVACETransformer3DModel

    config = {**TINY, "attention_head_dim": 64, "ffn_dim": 700, "text_dim": 64, "num_layers": 3}
    model: Any = WanVACETransformer3DModel(**config).eval()
    form = getattr(torch, dtype)
    for name, parameter in model.named_parameters():
        if not any(part in name.split(".") for part in model._keep_in_fp32_modules):
            parameter.data = parameter.data.to(form)
    inputs = {
        "hidden_states": torch.randn(1, 16, 3, 24, 32, dtype=form),
        "control_hidden_states": torch.randn(1, 96, 3, 24, 32, dtype=form),
        "encoder_hidden_states": torch.randn(1, 16, 64, dtype=form),
        "timestep": torch.tensor([500]),
    }
    measured = peak_of(lambda: model(**inputs, return_dict=False))
    counts = counts_for(ClipShape(width=256, height=192, frames=9), config)
    assert counts.tokens == 3 * 12 * 16
    told = counts.denoising_bytes(dtype)
    assert 1.0 <= told / measured <= 1.5


def test_the_estimate_of_decoding_is_near_what_is_allocated() -> None:
    import torch
    from diffusers import AutoencoderKLWan

    vae: Any = AutoencoderKLWan(base_dim=16, z_dim=16, num_res_blocks=1).eval()
    measured = peak_of(lambda: vae.decode(torch.randn(1, 16, 2, 32, 20), return_dict=False))
    counts = counts_for(ClipShape(width=160, height=256, frames=5), vae={"base_dim": 16})
    told = counts.decoding_bytes("cpu", tiled=False)
    assert 1.0 <= told / measured <= 1.6
