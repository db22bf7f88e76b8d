"""Tiny random models of transformers' own classes, saved as an artist's folder would be: for wiring alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIDE = 64
"""Pixels of the square that the tiny models look at."""


def _vision() -> dict[str, Any]:
    return {
        "model_type": "sam2_vision_model",
        "backbone_config": {
            "model_type": "sam2_hiera_det_model", "hidden_size": 8, "num_attention_heads": 1,
            "image_size": [SIDE, SIDE], "blocks_per_stage": [1, 1, 2, 1], "embed_dim_per_stage": [8, 16, 32, 64],
            "num_attention_heads_per_stage": [1, 2, 4, 8], "window_size_per_stage": [8, 4, 4, 2],
            "global_attention_blocks": [3], "window_positional_embedding_background_size": [4, 4],
        },
        "backbone_channel_list": [64, 32, 16, 8], "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]],
        "fpn_hidden_size": 128,
    }  # fmt: skip


def _heads() -> dict[str, Any]:
    return {
        "prompt_encoder_config": {"hidden_size": 128, "image_size": SIDE, "patch_size": 16, "mask_input_channels": 8},
        "mask_decoder_config": {
            "hidden_size": 128, "mlp_dim": 64, "num_attention_heads": 4, "iou_head_hidden_dim": 32,
            "dynamic_multimask_via_stability": False,
        },
    }  # fmt: skip


def _memory() -> dict[str, Any]:
    return {
        "image_size": SIDE, "memory_attention_hidden_size": 128, "memory_attention_num_layers": 1,
        "memory_attention_feed_forward_hidden_size": 64, "memory_attention_rope_feat_sizes": [4, 4],
        "memory_encoder_hidden_size": 128, "memory_encoder_output_channels": 64, "mask_downsampler_embed_dim": 128,
        "memory_fuser_embed_dim": 128, "memory_fuser_intermediate_dim": 64, "memory_fuser_num_layers": 1,
        "num_maskmem": 3, "max_object_pointers_in_encoder": 4,
    }  # fmt: skip


def save_sam2_video(folder: Path) -> Path:
    """A SAM 2 video model."""
    import torch
    from transformers import Sam2VideoConfig, Sam2VideoModel

    torch.manual_seed(5)
    model = Sam2VideoModel(Sam2VideoConfig(vision_config=_vision(), **_heads(), **_memory()))
    return _saved(model, folder)


def save_sam2_image(folder: Path) -> Path:
    """A SAM 2 model without memory: it selects and can't carry masks."""
    import torch
    from transformers import Sam2Config, Sam2Model

    torch.manual_seed(5)
    return _saved(Sam2Model(Sam2Config(vision_config=_vision(), **_heads())), folder)


def save_edgetam_video(folder: Path) -> Path:
    """An EdgeTAM video model: timm's RepViT, and memories resampled by a perceiver."""
    import torch
    from transformers import EdgeTamVideoConfig, EdgeTamVideoModel

    torch.manual_seed(5)
    encoder = {
        "model_type": "timm_wrapper", "architecture": "repvit_m1", "num_labels": 2, "num_classes": 2,
        "model_args": {
            "in_chans": 3, "features_only": True, "out_indices": [0, 1, 2, 3], "embed_dim": [8, 16, 32, 64],
            "depth": [1, 1, 1, 1],
        },
    }  # fmt: skip
    vision = {**_vision(), "model_type": "edgetam_vision_model", "backbone_config": encoder}
    memory = _memory() | {"memory_attention_mlp_hidden_size": 64, "memory_attention_rope_k_sizes": [2, 2]}
    memory.pop("memory_attention_feed_forward_hidden_size")
    latents = {name: 4 for name in ("perceiver_resampler_num_latents", "perceiver_resampler_num_latents_2d")}
    config = EdgeTamVideoConfig(vision_config=vision, **_heads(), **memory, **latents, perceiver_resampler_num_layers=1)
    return _saved(EdgeTamVideoModel(config), folder)


def _saved(model: Any, folder: Path) -> Path:
    model.eval().save_pretrained(folder)
    stats = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(stats))
    return folder
