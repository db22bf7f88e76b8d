"""Wan as single files, the way artists have it: its own release, ComfyUI's files, and mixtures with a whole model."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from gen2studio.cli.main import main
from gen2studio.core.errors import ModelError
from gen2studio.diffusion.families.wan_vace import WanVaceAdapter
from gen2studio.diffusion.runtime.ladder import MemoryPlan
from gen2studio.diffusion.runtime.loading import load_components
from gen2studio.models.library import InstalledModel, ModelLibrary
from tests.diffusion.files import WEIGHTS, load, original_text, original_vae, scaled_fp8, write_gguf, write_original
from tests.models.folder import original_name

FULL = MemoryPlan(device="cpu", dtype="float32")
EVERYTHING = ("transformer", "vae", "scheduler", "tokenizer", "text_encoder")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_causal_model: Path) -> Path:
    """The causal checkpoint with a VAE of the released structure: two residual blocks to a stage."""
    import torch
    from diffusers import AutoencoderKLWan

    folder = shutil.copytree(tiny_causal_model, tmp_path_factory.mktemp("whole") / "whole")
    torch.manual_seed(4)
    AutoencoderKLWan(base_dim=8).save_pretrained(folder / "vae")
    return folder


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, whole: Path) -> Path:
    return write_original(tmp_path_factory.mktemp("original") / "Wan-VACE-toy", whole)


@pytest.fixture
def library(tmp_path: Path) -> ModelLibrary:
    return ModelLibrary(tmp_path / "list.json", tmp_path / "none")


def same_model(found: InstalledModel, whole: Path) -> None:
    """Every part has the tensors of the whole folder, and the words become the same embeddings."""
    import torch

    known = load_components(ModelLibrary(whole.parent / "l.json", whole).models()[0], FULL, EVERYTHING)
    made = load_components(found, FULL, EVERYTHING)
    for part in ("transformer", "vae", "text_encoder"):
        ours, theirs = getattr(made, part).state_dict(), getattr(known, part).state_dict()
        assert ours.keys() == theirs.keys(), part
        assert all(torch.equal(ours[name], theirs[name]) for name in theirs), part
    words = made.tokenizer("a red dog", return_tensors="pt").input_ids
    assert torch.equal(words, known.tokenizer("a red dog", return_tensors="pt").input_ids)
    assert torch.equal(made.text_encoder(words)[0], known.text_encoder(words)[0])
    for key in ("latents_mean", "latents_std", "temperal_downsample", "num_res_blocks", "dim_mult", "is_residual"):
        assert made.vae.config[key] == known.vae.config[key], key
    for key in ("num_attention_heads", "attention_head_dim", "vace_layers", "eps", "qk_norm", "cross_attn_norm"):
        assert list_or(made.transformer.config[key]) == list_or(known.transformer.config[key]), key
    assert type(made.scheduler) is type(known.scheduler)
    assert made.scheduler.config.flow_shift == known.scheduler.config.flow_shift
    latents = torch.randn(1, 16, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(made.vae.decode(latents)[0], known.vae.decode(latents)[0])


def list_or(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def test_the_release_of_wans_makers_is_a_model(library: ModelLibrary, original: Path, whole: Path) -> None:
    added = library.add(original)
    assert (added.folder, added.usable, added.transformer_file) == (original, True, None)
    assert (WanVaceAdapter().geometry(added).spatial, WanVaceAdapter().geometry(added).temporal) == (8, 4)
    same_model(added, whole)
    again = ModelLibrary(library.registry_file, library.registry_file.parent / "none")
    assert again.model(added.id).digest == added.digest
    assert again.verify(added.id).files
    (original / "config.json").rename(original / "config.off")
    try:
        # 32 channels are no head of a released model: without the makers' config the heads can't be told.
        assert again.model(added.id).problem
    finally:
        (original / "config.off").rename(original / "config.json")
    assert again.model(added.id).usable


def test_comfyuis_files_are_a_model_when_all_parts_are_named(
    tmp_path: Path, library: ModelLibrary, original: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch
    from safetensors.torch import save_file

    files = tmp_path / "diffusion_models"
    files.mkdir()
    shutil.copy(original / "config.json", files / "config.json")
    transformer = load(whole / "transformer" / WEIGHTS)
    named = {f"model.diffusion_model.{original_name(name)}": tensor for name, tensor in transformer.items()}
    save_file(named, files / "wan_vace.safetensors")
    vae, text = tmp_path / "wan_2.1_vae.safetensors", tmp_path / "umt5_xxl_fp16.safetensors"
    save_file(original_vae(load(whole / "vae" / WEIGHTS)), vae)
    words = load(whole / "text_encoder" / "model.safetensors")
    save_file({**words, "spiece_model": torch.zeros(8, dtype=torch.uint8)}, text)
    tokenizer = whole / "tokenizer"
    with pytest.raises(ModelError, match="no installed model has the parts"):
        library.add(files / "wan_vace.safetensors")
    parts = {"vae": vae, "text_encoder": text, "tokenizer": tokenizer}
    added = library.add(files / "wan_vace.safetensors", parts=parts)
    same_model(added, whole)
    assert ModelLibrary(library.registry_file, tmp_path / "none").model(added.id) == added
    with pytest.raises(ModelError, match="is a VAE, not a text encoder"):
        library.add(files / "wan_vace.safetensors", parts={**parts, "text_encoder": vae})
    with pytest.raises(ModelError, match="no vocabulary"):
        library.add(files / "wan_vace.safetensors", parts={**parts, "tokenizer": files})
    line = ["--vae", str(vae), "--text-encoder", str(text), "--tokenizer", str(tokenizer)]
    assert main(["models", "add", str(files / "wan_vace.safetensors"), *line]) == 0
    said = capsys.readouterr().out
    assert f"text encoder {text}" in said
    vae.unlink()
    assert f"The file {vae} is not there" in library.model(added.id).problem


def test_single_parts_stand_in_for_those_of_a_whole_model(tmp_path: Path, library: ModelLibrary, whole: Path) -> None:
    import torch
    from safetensors.torch import save_file

    base = library.add(whole)
    file = write_gguf(tmp_path / "vace-Q8_0.gguf", load(whole / "transformer" / WEIGHTS), "Q8_0")
    torch.save(original_text(load(whole / "text_encoder" / "model.safetensors")), tmp_path / "models_t5.pth")
    vae = {name: tensor * 2 for name, tensor in original_vae(load(whole / "vae" / WEIGHTS)).items()}
    save_file(vae, tmp_path / "other_vae.safetensors")
    named = {"vae": tmp_path / "other_vae.safetensors", "text_encoder": tmp_path / "models_t5.pth"}
    added = library.add(file, base.id, named)
    assert added.title == "vace-Q8_0 (Tiny causal test model)"
    made = load_components(added, FULL, EVERYTHING)
    known = load_components(base, FULL, ("vae", "text_encoder"))
    assert torch.equal(made.vae.decoder.conv_in.weight, 2 * known.vae.decoder.conv_in.weight)
    assert torch.equal(made.text_encoder.shared.weight, known.text_encoder.shared.weight)


def test_scaled_fp8_is_multiplied_by_its_scales(tmp_path: Path, library: ModelLibrary, whole: Path) -> None:
    import torch
    from safetensors.torch import save_file

    known = load(whole / "transformer" / WEIGHTS)
    renamed = {original_name(name): 300 * tensor for name, tensor in known.items()}
    save_file(
        scaled_fp8(renamed, lambda name: "blocks" in name and renamed[name].dim() == 2), tmp_path / "s.safetensors"
    )
    added = library.add(tmp_path / "s.safetensors", whole)
    made = load_components(added, FULL, ("transformer",)).transformer.state_dict()
    for name, tensor in known.items():
        error = (made[name] / 300 - tensor).abs().max() / tensor.abs().max().clamp(min=1e-9)
        assert float(error) < 0.04, name
    assert not torch.equal(made["blocks.0.ffn.net.2.weight"] / 300, known["blocks.0.ffn.net.2.weight"])


def test_shards_in_wans_own_layout_are_one_transformer(
    tmp_path: Path, library: ModelLibrary, original: Path, whole: Path
) -> None:
    from safetensors.torch import save_file

    folder = shutil.copytree(original, tmp_path / "sharded")
    weights = load(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    names = sorted(weights, key=lambda name: "vace" in name)
    for number in (1, 2):
        held = names[: len(names) // 2] if number == 2 else names[len(names) // 2 :]
        save_file(
            {name: weights[name] for name in held},
            folder / f"diffusion_pytorch_model-0000{number}-of-00002.safetensors",
        )
    same_model(library.add(folder), whole)
    (folder / "diffusion_pytorch_model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match="1 of 2 weight files are missing"):
        library.add(folder)


class Payload:
    """What a hostile pickle does: call something."""

    def __reduce__(self) -> tuple[Any, ...]:
        import os

        return os.system, ("touch a-pickle-made-this",)


def test_archives_that_hold_programs_are_refused_unopened(
    tmp_path: Path, library: ModelLibrary, original: Path
) -> None:
    import torch

    folder = shutil.copytree(original, tmp_path / "hostile")
    good = torch.load(folder / "Wan2.1_VAE.pth", weights_only=True)
    torch.save({**good, "extra": Payload()}, folder / "Wan2.1_VAE.pth")
    with pytest.raises(ModelError, match=r"(posix|os)\.system"):
        library.add(folder)
    (folder / "Wan2.1_VAE.pth").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(ModelError) as refusal:
        library.add(folder)
    assert "\n" not in str(refusal.value)
    torch.save(good, folder / "Wan2.1_VAE.pth")
    with zipfile.ZipFile(folder / "Wan2.1_VAE.pth") as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    largest = max(members, key=lambda name: len(members[name]))
    with zipfile.ZipFile(folder / "Wan2.1_VAE.pth", "w") as archive:
        for name, raw in members.items():
            archive.writestr(name, raw[:16] if name == largest else raw)
    with pytest.raises(ModelError, match=r"Wan2\.1_VAE\.pth"):
        library.add(folder)
    assert not Path("a-pickle-made-this").exists()


def test_sets_that_lack_a_part_say_which(tmp_path: Path, library: ModelLibrary, original: Path) -> None:
    folder = shutil.copytree(original, tmp_path / "part")
    shutil.rmtree(folder / "google")
    with pytest.raises(ModelError, match="no tokenizer that go with it") as refusal:
        library.add(folder)
    assert "--tokenizer" in refusal.value.remedy
    (folder / "Wan2.1_VAE.pth").unlink()
    with pytest.raises(ModelError, match="no vae and no tokenizer"):
        library.add(folder)
    shutil.copy(folder / WEIGHTS, folder / "again.safetensors")
    with pytest.raises(ModelError, match="are both a transformer"):
        library.add(folder)
