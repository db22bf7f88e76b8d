"""Wan's text and image checkpoints: the published ones are known by their shapes, and what doesn't fit is refused."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.architecture import wan_shape
from gen2studio.models.checkpoint import CheckedCheckpoint, check_checkpoint
from gen2studio.models.families.wan import FASTWAN_RECIPE
from gen2studio.models.wan_layout import diffusers_name, expected_shapes
from tests.models.folder import SMALL_WAN, TINY, change_json, write_checkpoint, write_json, write_weights

BIG = {key: value for key, value in SMALL_WAN.items() if not key.startswith("vace")}
SMALL = {**BIG, "_class_name": "WanTransformer3DModel"}
LARGE = {**SMALL, "num_attention_heads": 40, "ffn_dim": 13824, "num_layers": 40}
MIDDLE = {**SMALL, "num_attention_heads": 24, "ffn_dim": 14336, "in_channels": 48, "out_channels": 48}
BESIDE = {**LARGE, "in_channels": 36}
LOOKING = {**BESIDE, "image_dim": 1280, "added_kv_proj_dim": 5120}
BETWEEN = {**LOOKING, "pos_embed_seq_len": 514}
TINY_TEXT = {**{k: v for k, v in TINY.items() if not k.startswith("vace")}, "_class_name": "WanTransformer3DModel"}
WEIGHTS = "diffusion_pytorch_model.safetensors"


def write_wan(
    folder: Path, config: dict[str, Any], pipeline: str = "WanPipeline", *, shift: float = 3.0, **index: Any
) -> Path:
    """A whole folder around a transformer ``config``; with a ``boundary_ratio`` two of them."""
    write_checkpoint(folder, TINY if config["text_dim"] == 32 else SMALL_WAN)
    shutil.rmtree(folder / "transformer")
    names = ["transformer", *(["transformer_2"] if index.get("boundary_ratio") else [])]
    change_json(
        folder / "model_index.json", _class_name=pipeline, **index,
        **{name: ["diffusers", "WanTransformer3DModel"] for name in names},
    )  # fmt: skip
    change_json(folder / "scheduler" / "scheduler_config.json", flow_shift=shift)
    for name in names:
        write_json(folder / name / "config.json", config)
        write_weights(folder / name / WEIGHTS, expected_shapes(wan_shape(config)), "BF16")
    if config.get("image_dim"):
        change_json(
            folder / "model_index.json", image_encoder=["transformers", "CLIPVisionModel"],
            image_processor=["transformers", "CLIPImageProcessor"],
        )  # fmt: skip
        write_json(
            folder / "image_encoder" / "config.json",
            {"architectures": ["CLIPVisionModel"], "hidden_size": 1280, "num_hidden_layers": 32, "image_size": 224,
             "patch_size": 14},
        )  # fmt: skip
        table = "vision_model.embeddings.position_embedding.weight"
        last = "vision_model.encoder.layers.31.mlp.fc1.bias"
        write_weights(folder / "image_encoder" / "model.safetensors", {table: (257, 1280), last: (5120,)})
        write_json(folder / "image_processor" / "preprocessor_config.json", {})
    if config["in_channels"] == 48:
        change_json(
            folder / "vae" / "config.json", base_dim=160, z_dim=48, is_residual=True, in_channels=12, out_channels=12,
            patch_size=2, scale_factor_spatial=16, scale_factor_temporal=4, latents_mean=[0.0] * 48,
            latents_std=[1.0] * 48, decoder_base_dim=256,
        )  # fmt: skip
        write_weights(
            folder / "vae" / WEIGHTS,
            {
                "encoder.conv_in.weight": (160, 12, 3, 3, 3),
                "decoder.conv_in.weight": (1024, 48, 3, 3, 3),
                "quant_conv.weight": (96, 96, 1, 1, 1),
            },
        )
    return folder


IMAGES = "WanImageToVideoPipeline"
PUBLISHED: list[tuple[dict[str, Any], dict[str, Any], str, str, float, dict[str, Any]]] = [
    (SMALL, {}, "wan2.1-t2v-1.3b", "wan-t2v", 1.42e9, {"size": (832, 480), "guidance": 5.0}),
    (LARGE, {}, "wan2.1-t2v-14b", "wan-t2v", 14.29e9, {"guidance": 5.0}),
    (LARGE, {"boundary_ratio": 0.875}, "wan2.2-t2v-a14b", "wan-t2v", 14.29e9, {"guidance": 4.0, "steps": 40}),
    (
        MIDDLE, {"expand_timesteps": True}, "wan2.2-ti2v-5b", "wan-ti2v", 5.0e9,
        {"size": (1280, 704), "rate": 24, "frames": 121, "multiple": 32},
    ),
    (LOOKING, {"pipeline": IMAGES}, "wan2.1-i2v-14b-480p", "wan-i2v", 16.39e9, {"size": (832, 480)}),
    (LOOKING, {"pipeline": IMAGES, "shift": 5.0}, "wan2.1-i2v-14b-720p", "wan-i2v", 16.39e9, {"size": (720, 1280)}),
    (BETWEEN, {"pipeline": IMAGES, "shift": 5.0}, "wan2.1-flf2v-14b", "wan-flf", 16.39e9, {"guidance": 5.5}),
    (
        BESIDE, {"pipeline": IMAGES, "boundary_ratio": 0.9}, "wan2.2-i2v-a14b", "wan-i2v-ends", 14.29e9,
        {"guidance": 3.5, "steps": 40},
    ),
    (SMALL, {"pipeline": "WanDMDPipeline"}, "fastwan2.1-t2v-1.3b", "wan-t2v", 1.42e9, {"guidance": 1.0, "steps": 3}),
    (
        MIDDLE, {"pipeline": "WanDMDPipeline", "expand_timesteps": True}, "fastwan2.2-ti2v-5b", "wan-ti2v", 5.0e9,
        {"guidance": 1.0, "steps": 3, "multiple": 32, "rate": 24, "frames": 121},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("config", "index", "name", "family", "parameters", "known"), PUBLISHED)
def test_published_checkpoints_are_known_by_their_shapes(
    tmp_path: Path, config: dict[str, Any], index: dict[str, Any], name: str, family: str, parameters: float,
    known: dict[str, Any],
) -> None:  # fmt: skip
    checked = check_checkpoint(write_wan(tmp_path / "m", config, **index))
    made = checked.manifest
    assert (made.id, made.family, checked.family.family) == (name, family, family)
    transformer = made.component("transformer")
    assert transformer is not None and transformer.parameters == pytest.approx(parameters, rel=0.005)
    assert ("transformer_2" in checked.headers) == ("boundary_ratio" in index)
    assert made.size_multiple == known.get("multiple", 16)
    assert all(side % made.size_multiple == 0 for size in made.sizes for side in size)
    assert made.sizes[0] == known.get("size", made.sizes[0])
    assert (made.frames.native, made.rate) == (
        known.get("frames", made.frames.native),
        Fraction(known.get("rate", made.rate)),
    )
    assert made.guidance.default == known.get("guidance", made.guidance.default)
    assert made.steps.default == known.get("steps", made.steps.default)
    assert made.recipe == (FASTWAN_RECIPE if "DMD" in index.get("pipeline", "") else "")
    assert made.licence == "Apache-2.0"


def test_the_image_branch_in_its_makers_spelling() -> None:
    spelled = {
        "img_emb.proj.0.weight": "condition_embedder.image_embedder.norm1.weight",
        "img_emb.proj.1.bias": "condition_embedder.image_embedder.ff.net.0.proj.bias",
        "img_emb.proj.3.weight": "condition_embedder.image_embedder.ff.net.2.weight",
        "img_emb.proj.4.bias": "condition_embedder.image_embedder.norm2.bias",
        "blocks.3.cross_attn.k_img.weight": "blocks.3.attn2.add_k_proj.weight",
        "blocks.3.cross_attn.norm_k_img.weight": "blocks.3.attn2.norm_added_k.weight",
        "blocks.3.norm3.weight": "blocks.3.norm2.weight",
    }
    assert {name: diffusers_name(name) for name in spelled} == spelled


def refusal_of(folder: Path) -> str:
    with pytest.raises(ModelError) as refused:
        check_checkpoint(folder)
    return str(refused.value)


def test_what_does_not_belong_together_is_refused(tmp_path: Path) -> None:
    def made(name: str, config: dict[str, Any] = TINY_TEXT, **index: Any) -> Path:
        return write_wan(tmp_path / name, config, **index)

    assert isinstance(check_checkpoint(made("good")), CheckedCheckpoint)
    lone = made("lone")
    change_json(lone / "model_index.json", boundary_ratio=0.9)
    assert "there is none" in refusal_of(lone)
    silent = made("silent", boundary_ratio=0.9)
    change_json(silent / "model_index.json", boundary_ratio=None)
    assert "does not say where the second one takes over" in refusal_of(silent)
    odd = made("odd", boundary_ratio=0.9)
    change_json(odd / "model_index.json", boundary_ratio=7)
    assert "boundary_ratio" in refusal_of(odd)
    unlike = made("unlike", boundary_ratio=0.9)
    other = {**TINY_TEXT, "num_layers": 2}
    write_json(unlike / "transformer_2" / "config.json", other)
    write_weights(unlike / "transformer_2" / WEIGHTS, expected_shapes(wan_shape(other)))
    assert "not built alike" in refusal_of(unlike)
    latent = made("latent", {**TINY_TEXT, "in_channels": 20})
    assert "takes 20 and makes 16 latent channels, and the VAE has 16" in refusal_of(latent)
    blind = made("blind", {**TINY_TEXT, "in_channels": 36, "image_dim": 1280, "added_kv_proj_dim": 32},
                 pipeline=IMAGES)  # fmt: skip
    change_json(blind / "model_index.json", image_encoder=[None, None], image_processor=[None, None])
    assert "reads pictures through an image encoder" in refusal_of(blind)
    scales = made("scales")
    change_json(scales / "vae" / "config.json", scale_factor_spatial=10**6)
    assert "scale_factor_spatial" in refusal_of(scales)
    code = made("code")
    change_json(code / "model_index.json", image_encoder=["os", "system"])
    assert "image_encoder" in refusal_of(code)
