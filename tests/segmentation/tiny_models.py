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


WORDS = "abcdefghijklmnopqrstuvwxyz"
"""What the tiny tokenizer knows: letters."""


def _sam3_vision() -> dict[str, Any]:
    return {
        "model_type": "sam3_vision_model", "fpn_hidden_size": 128,
        "backbone_feature_sizes": [[32, 32], [16, 16], [8, 8]],
        "backbone_config": {
            "model_type": "sam3_vit_model", "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2,
            "num_attention_heads": 2, "image_size": SIDE, "patch_size": 8, "window_size": 4,
            "global_attn_indexes": [1], "pretrain_image_size": 32,
        },
    }  # fmt: skip


def _sam3_heads() -> dict[str, Any]:
    heads = _heads()
    return heads | {"prompt_encoder_config": heads["prompt_encoder_config"] | {"patch_size": 8}}


def _sam3_detector() -> dict[str, Any]:
    layers = {"hidden_size": 128, "num_layers": 1, "num_attention_heads": 4, "intermediate_size": 64}
    text = {
        "model_type": "clip_text_model", "vocab_size": 2 + 2 * len(WORDS), "hidden_size": 32, "intermediate_size": 32,
        "projection_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 32,
        "hidden_act": "gelu", "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1,
    }  # fmt: skip
    return {
        "model_type": "sam3", "vision_config": _sam3_vision(), "text_config": text, "geometry_encoder_config": layers,
        "detr_encoder_config": layers, "detr_decoder_config": layers | {"num_queries": 6},
        "mask_decoder_config": {"hidden_size": 128, "num_attention_heads": 4},
    }  # fmt: skip


def save_sam3_image(folder: Path) -> Path:
    """A SAM 3 detector with its processor: it finds what words name, on single frames."""
    from transformers import Sam3Config, Sam3Model

    return _saved_sam3(Sam3Model(Sam3Config(**_sam3_detector())), folder)


def save_sam3_video(folder: Path) -> Path:
    """A SAM 3 detector and tracker in one, as the published folder is."""
    from transformers import Sam3Config, Sam3TrackerVideoConfig, Sam3VideoConfig, Sam3VideoModel

    tracker = Sam3TrackerVideoConfig(vision_config=_sam3_vision(), **_sam3_heads(), **_sam3_memory())
    config = Sam3VideoConfig(detector_config=Sam3Config(**_sam3_detector()), tracker_config=tracker)
    return _saved_sam3(Sam3VideoModel(config), folder)


def save_sam3_tracker(folder: Path, *, video: bool = True) -> Path:
    """A SAM 3 tracker alone: with its memory, or the image edition."""
    from transformers import Sam3TrackerConfig, Sam3TrackerModel, Sam3TrackerVideoConfig, Sam3TrackerVideoModel

    if video:
        config = Sam3TrackerVideoConfig(vision_config=_sam3_vision(), **_sam3_heads(), **_sam3_memory())
        return _saved_sam3(Sam3TrackerVideoModel(config), folder)
    return _saved_sam3(Sam3TrackerModel(Sam3TrackerConfig(vision_config=_sam3_vision(), **_sam3_heads())), folder)


def _sam3_memory() -> dict[str, Any]:
    return _memory() | {"memory_attention_rope_feat_sizes": [8, 8]}


def _saved_sam3(model: Any, folder: Path) -> Path:
    import torch
    from transformers import CLIPTokenizer, Sam3ImageProcessor, Sam3Processor

    # Drawn anew, the detector's first: it is the same one in every folder. A seed that finds some things, not all.
    torch.manual_seed(10)
    with torch.no_grad():
        for name, weights in model.named_parameters():
            # As initialised every score is one half of one half: nothing would ever be found.
            if weights.dim() > 1:
                weights.normal_(0, 0.15)
            if "presence_head" in name and name.endswith("layer3.bias"):
                weights.fill_(9)
    model.eval().save_pretrained(folder)
    pieces = ["<|startoftext|>", "<|endoftext|>", *(f"{letter}</w>" for letter in WORDS), *WORDS]
    tokenizer = CLIPTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[])
    pictures = Sam3ImageProcessor(size={"height": SIDE, "width": SIDE}, mask_size={"height": 32, "width": 32})
    Sam3Processor(pictures, tokenizer).save_pretrained(folder)
    return folder


def _saved(model: Any, folder: Path) -> Path:
    model.eval().save_pretrained(folder)
    stats = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (folder / "preprocessor_config.json").write_text(json.dumps(stats))
    return folder
