"""Only whole, consistent checkpoints of known classes are accepted; all else is refused in one sentence."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.checkpoint import check_checkpoint
from gen2studio.models.wan_layout import expected_shapes, in_diffusers_names
from tests.models.folder import (
    LARGE_WAN,
    SMALL_WAN,
    TINY,
    change_json,
    original_name,
    shape_of,
    write_checkpoint,
    write_header,
    write_json,
    write_weights,
)

WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "model")


def refusal_of(folder: Path, file: Path | None = None) -> str:
    with pytest.raises(ModelError) as refusal:
        check_checkpoint(folder, file)
    assert "\n" not in str(refusal.value)
    assert refusal.value.remedy, "a refusal says what to do"
    return str(refusal.value)


def test_a_whole_folder_passes_and_describes_itself(tmp_path: Path) -> None:
    described = {
        "id": "tiny", "title": "Tiny", "revision": "3", "text_length": 32, "frames": {"native": 17, "max": 33},
        "sizes": [[128, 128], [160, 96]], "guidance": {"default": 3.0, "min": 1, "max": 8, "mask_edit": 2},
        "strength": 0.5,
        "steps": {"default": 8, "min": 4, "max": 30}, "rate": "8", "flow_shift": 2.0, "licence": "Apache-2.0",
        "latent_rgb": {"weight": [[0.1, 0.2, 0.3]] * 16, "bias": [0.5, 0.5, 0.5]},
    }  # fmt: skip
    checked = check_checkpoint(write_checkpoint(tmp_path / "m", shards=3, manifest=described))
    made = checked.manifest
    assert (made.id, made.title, made.family, made.text_length) == ("tiny", "Tiny", "wan-vace", 32)
    assert (made.frames.native, made.frames.most, made.frames.multiple) == (17, 33, 4)
    assert made.sizes == ((128, 128), (160, 96))
    assert (made.guidance.default, made.guidance.mask_edit, made.steps.highest) == (3.0, 2.0, 30)
    assert made.strength == 0.5
    assert made.rate == Fraction(8)
    assert made.latent_rgb is not None
    assert len(made.latent_rgb.weight) == 16
    assert (made.spatial_scale, made.temporal_scale, made.size_multiple) == (8, 4, 16)
    transformer = made.component("transformer")
    assert transformer is not None
    assert transformer.parameters == sum(_count(s) for s in expected_shapes(shape_of(TINY)).values())
    assert len(checked.headers["transformer"]) == 3


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


@pytest.mark.parametrize(
    ("config", "title", "parameters", "wide"),
    [(SMALL_WAN, "Wan 2.1 VACE 1.3B", 2.15e9, False), (LARGE_WAN, "Wan 2.1 VACE 14B", 17.34e9, True)],
)
def test_released_models_are_known_without_a_description(
    tmp_path: Path, config: dict[str, Any], title: str, parameters: float, wide: bool
) -> None:
    made = check_checkpoint(write_checkpoint(tmp_path / "m", config, dtype="BF16", shards=2)).manifest
    assert made.title == title
    assert made.licence == "Apache-2.0"
    assert made.component("transformer").parameters == pytest.approx(parameters, rel=0.005)  # type: ignore[union-attr]
    assert (made.sizes[0], made.frames.native, made.rate) == ((832, 480), 81, Fraction(16))
    assert ((1280, 720) in made.sizes) == wide
    assert (made.guidance.default, made.steps.default, made.flow_shift, made.text_length) == (5.0, 30, 3.0, 512)
    assert 15e9 < made.weight_bytes < 50e9


def test_a_description_that_is_nonsense_falls_back_to_the_family(tmp_path: Path) -> None:
    nonsense = {
        "title": ["x"], "frames": 7, "sizes": [[0, 4], "x", [128]], "guidance": {"default": "high"},
        "rate": "1/0", "latent_rgb": {"weight": [[1, 2]], "bias": []}, "text_length": -4, "flow_shift": float("nan"),
    }  # fmt: skip
    made = check_checkpoint(write_checkpoint(tmp_path / "named", manifest=nonsense)).manifest
    assert (made.title, made.frames.native, made.sizes[0], made.rate) == ("named", 81, (832, 480), Fraction(16))
    assert (made.guidance.default, made.text_length, made.latent_rgb) == (5.0, 1, None)
    (tmp_path / "named" / "gen2studio.json").write_text("{")
    assert "gen2studio.json" in refusal_of(tmp_path / "named")


def test_the_tokenizer_name_of_transformers_5_is_known(folder: Path) -> None:
    change_json(folder / "model_index.json", tokenizer=["transformers", "TokenizersBackend"])
    assert check_checkpoint(folder).classes["tokenizer"] == ("transformers", "TokenizersBackend")


def set_index(**changes: Any) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / "model_index.json", **changes)


def set_config(part: str, **changes: Any) -> Callable[[Path], None]:
    return lambda folder: change_json(folder / part / "config.json", **changes)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


CASES: list[tuple[Callable[[Path], None], str]] = [
    (set_index(_class_name="EvilPipeline"), "“EvilPipeline”"),
    (set_index(_class_name=...), "“nameless”"),
    (set_index(_class_name="WanAnimatePipeline"), "Wan Animate"),
    (set_index(_class_name="WanPipeline"), "Known: WanTransformer3DModel"),
    (set_index(_class_name="KandinskyPipeline"), "does not drive"),
    (set_index(vae=["os", "system"]), "“os.system”"),
    (set_index(vae=["diffusers", "AutoencoderKL"]), "“diffusers.AutoencoderKL”"),
    (set_index(text_encoder=["my_module", "UMT5EncoderModel"]), "“my_module.UMT5EncoderModel”"),
    (set_index(vae=["diffusers"]), "not on the list"),
    (set_index(safety_checker=["diffusers", "AutoencoderKLWan"]), "safety_checker"),
    (set_index(transformer_2=["diffusers", "WanVACETransformer3DModel"]), "no “transformer_2” folder"),
    (set_index(boundary_ratio=0.875), "there is none"),
    (set_index(vae=[None, None]), "names no vae"),
    (_remove("vae/config.json"), "“vae/config.json” is missing"),
    (_remove(f"vae/{WEIGHTS}"), "no weights"),
    (_remove("tokenizer/tokenizer.json"), "no vocabulary"),
    (set_config("text_encoder", auto_map={"AutoModel": "evil.Model"}), "program code of its own"),
    (set_config("text_encoder", quantization_config={"load_in_4bit": True}), "quantized"),
    (set_config("transformer", _class_name="LTXVideoTransformer3DModel"), "LTXVideoTransformer3DModel"),
    (set_config("transformer", num_layers=4), "lack “blocks.3"),
    (set_config("transformer", num_layers=2, vace_layers=[0, 1]), "hold “blocks.2"),
    (set_config("transformer", num_layers=10**9), "num_layers"),
    (set_config("transformer", ffn_dim=128), "64×32 and its config says 128×32"),
    (set_config("transformer", text_dim="many"), "text_dim"),
    (set_config("transformer", vace_layers=[2, 0]), "vace_layers"),
    (set_config("transformer", vace_layers=[0, 9]), "vace_layers"),
    (set_config("transformer", image_dim=1280), "image_dim"),
    (set_config("transformer", rope_max_seq_len=10**12), "rope_max_seq_len"),
    (set_config("transformer", patch_size=[2, 2]), "patch_size"),
    (set_config("vae", z_dim=8), "latents_mean"),
    (set_config("vae", temperal_downsample=[False] * 50), "temperal_downsample"),
    (set_config("vae", temperal_downsample=[False, True]), "control branch"),
    (set_config("vae", in_channels=12), "encoder.conv_in.weight"),
    (set_config("text_encoder", d_model=64), "word table"),
    (set_config("text_encoder", num_layers=5), "5 layers"),
]


@pytest.mark.parametrize(("damage", "said"), CASES, ids=[said for _, said in CASES])
def test_what_does_not_belong_is_refused_with_the_reason(
    folder: Path, damage: Callable[[Path], None], said: str
) -> None:
    damage(folder)
    assert said in refusal_of(folder)


class _Bomb:
    def __reduce__(self) -> tuple[Any, tuple[str, ...]]:
        return exec, ("import builtins; builtins.gen2studio_was_hit = True",)


def test_pickles_are_refused_and_never_opened(folder: Path) -> None:
    weights = folder / "transformer" / WEIGHTS
    weights.unlink()
    (folder / "transformer" / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps(_Bomb()))
    said = refusal_of(folder)
    assert "diffusion_pytorch_model.bin" in said
    assert "pickle" in said
    assert "safetensors edition" in said
    import builtins

    assert not hasattr(builtins, "gen2studio_was_hit")


def test_programs_and_pickles_beside_good_weights_are_left_alone(folder: Path) -> None:
    (folder / "transformer" / "model.py").write_text("raise SystemExit")
    (folder / "vae" / "extra.bin").write_bytes(pickle.dumps(_Bomb()))
    before = set(sys.modules)
    notes = check_checkpoint(folder).notes
    assert any("model.py" in note for note in notes)
    assert any("extra.bin" in note for note in notes)
    assert not [name for name in set(sys.modules) - before if name.startswith(("torch", "diffusers", "transformers"))]


@pytest.mark.parametrize(
    "name", ["../../outside.safetensors", "/etc/passwd", "..\\x.safetensors", "x/../y.safetensors"]
)
def test_an_index_cannot_lead_out_of_its_folder(tmp_path: Path, name: str) -> None:
    folder = write_checkpoint(tmp_path / "m", shards=2)
    write_weights(tmp_path / "outside.safetensors", {"a": (1,)})
    index = folder / "transformer" / f"{WEIGHTS}.index.json"
    change_json(index, weight_map={"a": name})
    said = refusal_of(folder)
    assert "leads outside" in said or "no safetensors file" in said


@pytest.mark.parametrize(
    "what", ["transformer", f"transformer/{WEIGHTS}", "vae/config.json", "tokenizer/tokenizer.json"]
)
def test_links_out_of_the_folder_are_refused(tmp_path: Path, folder: Path, what: str) -> None:
    target = folder / what
    outside = tmp_path / "elsewhere"
    target.rename(outside)
    target.symlink_to(outside)
    assert "leads outside the model's folder" in refusal_of(folder)


def test_the_links_of_a_hugging_face_cache_are_its_own(tmp_path: Path) -> None:
    plain = write_checkpoint(tmp_path / "plain", shards=2)
    entry = tmp_path / "hub" / "models--Wan-AI--Wan2.1-VACE-1.3B-diffusers"
    for number, path in enumerate(sorted(p for p in plain.rglob("*") if p.is_file())):
        blob = entry / "blobs" / str(number)
        blob.parent.mkdir(parents=True, exist_ok=True)
        path.rename(blob)
        link = entry / "snapshots" / "0123abc" / path.relative_to(plain)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blob)
    snapshot = entry / "snapshots" / "0123abc"
    assert len(check_checkpoint(snapshot).headers["transformer"]) == 2
    config = snapshot / "vae" / "config.json"
    config.unlink()
    config.symlink_to("/etc/hostname")
    assert "leads outside" in refusal_of(snapshot)


def test_missing_damaged_and_doubled_shards_are_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "m", shards=3)
    part = folder / "transformer"
    shard = part / "diffusion_pytorch_model-00002-of-00003.safetensors"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-4])
    assert "is cut off" in refusal_of(folder)
    shard.unlink()
    assert "1 of 3 weight files of the transformer are missing, such as diffusion_pytorch_model-00002" in refusal_of(
        folder
    )
    other = (part / "diffusion_pytorch_model-00001-of-00003.safetensors").read_bytes()
    shard.write_bytes(other)
    assert "don't hold what their list says" in refusal_of(folder)
    shard.write_bytes(whole)
    write_weights(part / WEIGHTS, {"a": (1,)})
    assert "twice" in refusal_of(folder)


def test_an_oversized_header_inside_a_checkpoint_is_refused(folder: Path) -> None:
    write_header(folder / "vae" / WEIGHTS, b"{}", 0, claimed=10**12)
    assert "more than the format allows" in refusal_of(folder)


def test_what_is_no_model_folder_says_what_to_choose(tmp_path: Path) -> None:
    assert "nothing at" in refusal_of(tmp_path / "none")
    (tmp_path / "film.mp4").write_bytes(b"")
    assert "is a file" in refusal_of(tmp_path / "film.mp4")
    assert "no model_index.json" in refusal_of(tmp_path)
    write_checkpoint(tmp_path / "inner")
    assert "one folder deeper" in refusal_of(tmp_path)
    original = tmp_path / "original"
    original.mkdir()
    (original / "Wan2.1_VAE.pth").write_bytes(b"")
    assert "original layout" in refusal_of(original)
    write_json(tmp_path / "broken" / "model_index.json", [])
    assert "no table" in refusal_of(tmp_path / "broken")


@pytest.mark.parametrize("prefix", ["", "model.diffusion_model."])
def test_a_single_file_in_original_names_takes_the_place_of_the_transformer(
    tmp_path: Path, folder: Path, prefix: str
) -> None:
    shapes = {prefix + original_name(name): shape for name, shape in expected_shapes(shape_of(TINY)).items()}
    assert in_diffusers_names(shapes) == expected_shapes(shape_of(TINY))
    file = write_weights(tmp_path / "my-wan.safetensors", shapes, "BF16")
    (folder / "transformer" / WEIGHTS).unlink()
    checked = check_checkpoint(folder, file)
    assert checked.transformer_file == file
    assert checked.manifest.component("transformer").dtypes == ("BF16",)  # type: ignore[union-attr]


def test_single_files_of_the_wrong_kind_are_named(tmp_path: Path, folder: Path) -> None:
    shapes = {original_name(name): shape for name, shape in expected_shapes(shape_of(TINY)).items()}
    scaled = {**shapes, "blocks.0.ffn.0.scale_weight": (1,), "scaled_fp8": (2,)}
    assert check_checkpoint(folder, write_weights(tmp_path / "s.safetensors", scaled, "F8_E4M3")).manifest.components
    scaled["blocks.0.ffn.0.scale_weight"] = (7,)
    assert "scaled fp8" in refusal_of(folder, write_weights(tmp_path / "a.safetensors", scaled, "F8_E4M3"))
    large = {original_name(name): shape for name, shape in expected_shapes(shape_of(SMALL_WAN)).items()}
    assert "Wan VACE 1.3B transformer" in refusal_of(folder, write_weights(tmp_path / "b.safetensors", large, "BF16"))
    text = {name: shape for name, shape in large.items() if "vace" not in name}
    assert "text-to-video 1.3B" in refusal_of(folder, write_weights(tmp_path / "c.safetensors", text, "BF16"))
    for name, kind in (
        ("blocks.0.self_attn.q.lora_A.weight", "LoRA adapter"),
        ("decoder.middle.0.residual.0.gamma", "VAE"),
        ("double_blocks.0.img_attn.qkv.weight", "FLUX"),
        ("adaln_single.linear.weight", "LTX-Video"),
        ("something.else", "unknown architecture"),
    ):
        assert kind in refusal_of(folder, write_weights(tmp_path / "d.safetensors", {name: (4, 4)}))


def test_integer_weights_are_refused(tmp_path: Path) -> None:
    assert "I8" in refusal_of(write_checkpoint(tmp_path / "m", dtype="I8"))
