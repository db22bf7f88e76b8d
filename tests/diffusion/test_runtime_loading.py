"""Loading: the same weights as the libraries' own loading, number formats, cancel, and one sentence for what fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import GenerationError, ModelError, OutOfBudget
from gen2studio.diffusion.runtime.ladder import MemoryPlan
from gen2studio.diffusion.runtime.loading import (
    is_out_of_memory,
    load_components,
    spoken,
    spoken_errors,
)
from gen2studio.models.library import InstalledModel, ModelLibrary
from gen2studio.models.wan_layout import expected_shapes, in_diffusers_names
from tests.models.folder import LARGE_WAN, SMALL_WAN, TINY, original_name, shape_of

FULL = MemoryPlan(device="cpu", dtype="float32")
HALF = MemoryPlan(device="cpu", dtype="bfloat16")
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"


def listed(folder: Path) -> InstalledModel:
    return ModelLibrary(folder.parent / "list.json", folder).models()[0]


@pytest.fixture
def copy(tmp_path: Path, tiny_model: Path) -> Path:
    return shutil.copytree(tiny_model, tmp_path / "copy")


@pytest.mark.parametrize("config", [TINY, SMALL_WAN, LARGE_WAN], ids=["tiny", "1.3B", "14B"])
def test_the_expected_tensors_are_those_of_the_class(config: dict[str, Any]) -> None:
    import torch
    from diffusers import WanVACETransformer3DModel

    with torch.device("meta"):
        made: Any = WanVACETransformer3DModel(**config)
    theirs = {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}
    assert expected_shapes(shape_of(config)) == theirs


def test_weights_are_those_of_the_libraries_own_loading(tiny_model: Path) -> None:
    import torch
    from diffusers import AutoencoderKLWan, WanVACETransformer3DModel

    for plan in (FULL, HALF):
        mine = load_components(listed(tiny_model), plan)
        theirs = WanVACETransformer3DModel.from_pretrained(
            tiny_model / "transformer", local_files_only=True, use_safetensors=True, dtype=getattr(torch, plan.dtype)
        )
        for (name, ours), (other, known) in zip(
            mine.transformer.state_dict().items(), theirs.state_dict().items(), strict=True
        ):
            assert name == other
            assert ours.dtype == known.dtype
            assert torch.equal(ours, known)
        vae = AutoencoderKLWan.from_pretrained(tiny_model / "vae", local_files_only=True, use_safetensors=True)
        assert mine.vae.dtype == torch.float32
        assert all(torch.equal(a, b) for a, b in zip(mine.vae.parameters(), vae.parameters(), strict=True))
        assert not any(p.requires_grad for p in (*mine.transformer.parameters(), *mine.vae.parameters()))
        assert type(mine.scheduler).__name__ == "FlowMatchEulerDiscreteScheduler"
        assert mine.text_encoder is None
    assert {str(p.dtype) for p in mine.transformer.parameters()} == {"torch.bfloat16", "torch.float32"}


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_single_file_in_original_names_gives_the_same_transformer(
    tmp_path: Path, tiny_model: Path, prefix: str
) -> None:
    import torch
    from diffusers.loaders.single_file_utils import convert_wan_transformer_to_diffusers
    from safetensors.torch import load_file, save_file

    known = load_file(tiny_model / WEIGHTS)
    renamed = {prefix + original_name(name): tensor for name, tensor in known.items()}
    assert set(convert_wan_transformer_to_diffusers(dict(renamed))) == set(known)
    assert set(in_diffusers_names({name: () for name in renamed})) == set(known)
    file = tmp_path / "original.safetensors"
    save_file(renamed, file)
    model = ModelLibrary(tmp_path / "list.json", tmp_path / "none").add(file, tiny_model)
    loaded = load_components(model, FULL, ("transformer",)).transformer.state_dict()
    assert loaded.keys() == known.keys()
    assert all(torch.equal(loaded[name], known[name]) for name in known)


def test_loading_tells_how_far_it_is_and_stops_between_tensors(tiny_model: Path) -> None:
    seen: list[tuple[int, int, str]] = []
    load_components(listed(tiny_model), FULL, progress=lambda *told: seen.append(told))
    done = [row[0] for row in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1][1] > 0
    assert {"Loading the model", "Loading the VAE"} <= {row[2] for row in seen}
    token = CancelToken()

    def stop(_done: int, _total: int, _stage: str) -> None:
        if _done > 10_000:
            token.cancel()

    with pytest.raises(Cancelled):
        load_components(listed(tiny_model), FULL, progress=stop, cancel=token)


def test_the_libraries_are_imported_without_network_and_foreign_code(tiny_model: Path) -> None:
    program = (
        "import os, sys, socket\n"
        "def no(*a, **k): raise SystemExit('network')\n"
        "socket.socket.connect = no\n"
        "from pathlib import Path\n"
        "from gen2studio.models.library import ModelLibrary\n"
        "from gen2studio.diffusion.runtime.ladder import MemoryPlan\n"
        "from gen2studio.diffusion.runtime.loading import load_components\n"
        f"model = ModelLibrary(Path('none.json'), Path({str(tiny_model)!r})).models()[0]\n"
        "load_components(model, MemoryPlan(device='cpu', dtype='float32'), ('tokenizer', 'scheduler'))\n"
        "from diffusers.utils import constants as d\n"
        "from huggingface_hub import constants as h\n"
        "print(d.DIFFUSERS_DISABLE_REMOTE_CODE, h.HF_HUB_OFFLINE, h.HF_HUB_DISABLE_TELEMETRY)\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "DIFFUSERS_", "TRANSFORMERS_"))}
    environment["DIFFUSERS_TRUST_REMOTE_KERNELS"] = "1"
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=root, env=environment, check=False
    )
    assert done.stdout.split() == ["True", "True", "True"], done.stderr


def damage_after_check(folder: Path, damage: Callable[[Path], None]) -> ModelError:
    """What loading says about files that changed after they were checked."""
    model = listed(folder)
    damage(folder)
    with pytest.raises(ModelError) as refusal:
        load_components(model, FULL, ("tokenizer", "text_encoder", "transformer", "vae"))
    assert "\n" not in str(refusal.value)
    return refusal.value


def test_files_that_change_after_the_check_are_one_sentence(copy: Path) -> None:
    def cut(folder: Path) -> None:
        path = folder / WEIGHTS
        path.write_bytes(path.read_bytes()[:-100])

    said = damage_after_check(copy, cut)
    assert "Tiny patch test model" in said.sentence
    assert "models check" in said.remedy


def test_weights_that_lack_a_tensor_are_never_filled_with_noise(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copy / "vae" / "diffusion_pytorch_model.safetensors"
    held = load_file(path)
    del held["decoder.norm_out.gamma"]
    save_file(held, path)
    with pytest.raises(ModelError, match=r"decoder\.norm_out\.gamma” is missing"):
        load_components(listed(copy), FULL, ("vae",))
    path = copy / "text_encoder" / "model.safetensors"
    held = load_file(path)
    del held["encoder.block.0.layer.0.SelfAttention.q.weight"]
    save_file(held, path)
    with pytest.raises(ModelError, match=r"SelfAttention\.q\.weight"):
        load_components(listed(copy), FULL, ("tokenizer", "text_encoder"))


def test_a_problem_is_told_instead_of_loading(copy: Path) -> None:
    config = json.loads((copy / "model_index.json").read_text())
    config["vae"] = ["os", "system"]
    (copy / "model_index.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"os\.system"):
        load_components(listed(copy), FULL)


def test_running_out_of_memory_is_known_by_what_torch_raises() -> None:
    import torch

    with pytest.raises(RuntimeError) as real:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(real.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(OutOfBudget, match="memory was not enough for Tiny"), spoken_errors("Tiny"):
        torch.empty(1 << 60, dtype=torch.uint8)


def test_what_libraries_raise_is_put_into_words() -> None:
    import pickle

    assert isinstance(spoken("M", ImportError("no module")), GenerationError)
    assert "doctor" in spoken("M", ImportError("no module")).remedy
    assert "pickle" in spoken("M", pickle.UnpicklingError("x")).sentence
    assert "can't be read" in spoken("M", OSError("bad file")).sentence
    assert str(spoken("M", ValueError("line one\nline two"))).startswith("M can't be loaded: line one.")
