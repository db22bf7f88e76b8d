"""Two experts of Wan as single files, in the makers' spelling and ComfyUI's, and GGUF for one of them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.checkpoint import check_checkpoint
from tests.diffusion import tiny_wan
from tests.diffusion.files import WEIGHTS, load, original_text, original_vae, write_gguf
from tests.diffusion.studio import Stage
from tests.models.folder import original_name, write_json

NAMES = {"transformer": "wan2.2_t2v_high_noise_toy", "transformer_2": "wan2.2_t2v_low_noise_toy"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pair with a VAE of the released structure."""
    import torch
    from diffusers import AutoencoderKLWan

    folder = tiny_wan.build(tmp_path_factory.mktemp("pair") / "whole", "t2v_a14b")
    torch.manual_seed(4)
    AutoencoderKLWan(base_dim=8).save_pretrained(folder / "vae")
    return folder


@pytest.fixture(scope="module")
def files(whole: Path) -> Path:
    """The same model as single files in one folder."""
    import torch
    from safetensors.torch import save_file

    folder = whole.parent / "files"
    folder.mkdir()
    for part, name in NAMES.items():
        prefix = "model.diffusion_model." if part == "transformer_2" else ""
        weights = load(whole / part / WEIGHTS)
        save_file({f"{prefix}{original_name(n)}": t for n, t in weights.items()}, folder / f"{name}.safetensors")
    write_json(folder / "config.json", {"_class_name": "WanModel", "num_heads": 2})
    torch.save(original_vae(load(whole / "vae" / WEIGHTS)), folder / "Wan2.1_VAE.pth")
    text = original_text(load(whole / "text_encoder" / "model.safetensors"))
    torch.save(text, folder / "models_t5_umt5-xxl-enc-bf16.pth")
    shutil.copytree(whole / "tokenizer", folder / "google" / "umt5-xxl")
    shutil.copy(whole / "gen2studio.json", folder)
    return folder


def frames_of(folder: Path, home: Path) -> list[bytes]:
    stage = Stage(folder, home)
    try:
        assert stage.model.manifest.family == "wan-t2v"
        made: list[Any] = stage.made(stage.request("text", 5, width=32, height=32, controls={"steps": 4}))
        return [frame.tobytes() for frame in made]
    finally:
        stage.close()


def test_a_pair_of_files_is_the_model_that_a_folder_of_both_is(whole: Path, files: Path, tmp_path: Path) -> None:
    found = check_checkpoint(files)
    assert {name: part.stem for name, part in found.parts.items() if name in NAMES} == NAMES
    assert found.configs["model_index"]["boundary_ratio"] == 0.875
    assert frames_of(files, tmp_path / "a") == frames_of(whole, tmp_path / "b")


def test_one_of_two_experts_is_no_model(files: Path, tmp_path: Path) -> None:
    alone = shutil.copytree(files, tmp_path / "alone")
    (alone / f"{NAMES['transformer_2']}.safetensors").unlink()
    with pytest.raises(ModelError, match="one of two experts"):
        check_checkpoint(alone)


def test_a_packed_file_stands_for_its_expert(whole: Path, tmp_path: Path) -> None:
    file = write_gguf(tmp_path / "wan2.2_low_noise-Q8_0.gguf", load(whole / "transformer_2" / WEIGHTS), "Q8_0")
    found = check_checkpoint(whole, file)
    assert found.parts["transformer_2"] == file and "transformer" not in found.parts
    assert found.headers["transformer_2"][0].format == "gguf" and found.headers["transformer"][0].format != "gguf"
