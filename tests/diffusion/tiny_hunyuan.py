"""Small random checkpoints of the very classes of HunyuanVideo 1.5, built in seconds: 8-pixel cells, two thin layers.

``text``: words to video. ``image``: begins with a picture. ``few``: that, distilled to eight steps without guidance.

    python -m tests.diffusion.tiny_hunyuan FOLDER [text|image|few]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import torch

from tests.diffusion.tiny import TEXT_LENGTH
from tests.diffusion.tiny_qwen import WIDTH, names, qwen_tokenizer

HEADS, HEAD = 2, 16
GLYPHS = SEEN = 16


def build(folder: Path, kind: str = "text", *, seed: int = 7) -> Path:
    """Write a checkpoint into ``folder`` and return it."""
    from gen2studio.diffusion.runtime.torch_loading import load_diffusers

    load_diffusers()
    from diffusers import (
        ClassifierFreeGuidance,
        FlowMatchEulerDiscreteScheduler,
        HunyuanVideo15ImageToVideoPipeline,
        HunyuanVideo15Pipeline,
    )
    from transformers import ByT5Tokenizer

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        parts: dict[str, Any] = {
            "text_encoder": words(),
            "tokenizer": tokenizer(),
            "transformer": transformer(kind),
            "vae": vae(),
            "scheduler": FlowMatchEulerDiscreteScheduler(shift=7.0 if kind == "few" else 5.0),
            "text_encoder_2": glyphs(),
            "tokenizer_2": ByT5Tokenizer(),
            "guider": ClassifierFreeGuidance(guidance_scale=1.0 if kind == "few" else 6.0),
        }
        if kind != "text":
            parts |= {"image_encoder": eye(), "feature_extractor": _processor()}
        pipe = (HunyuanVideo15Pipeline if kind == "text" else HunyuanVideo15ImageToVideoPipeline)(**parts)
        pipe.save_pretrained(folder, safe_serialization=True)
    (folder / "gen2studio.json").write_text(json.dumps(manifest(kind), indent=2))
    return folder


def manifest(kind: str) -> dict[str, Any]:
    """What gen2studio.json says about the checkpoint."""
    default, most = (1.0, 1.0) if kind == "few" else (2.0, 6.0)
    return {
        "id": f"tiny-hunyuan-{kind}",
        "title": f"Tiny HunyuanVideo {kind} test model",
        "revision": "1",
        "text_length": 4 * TEXT_LENGTH,
        "sizes": [[32, 32], [48, 32]],
        "frames": {"native": 9, "max": 9, "multiple": 4},
        "rate": "8",
        "guidance": {"default": default, "min": 1.0, "max": most},
        "steps": {"default": 2, "min": 1, "max": 50},
    }


def tokenizer() -> Any:
    """As Qwen2.5-VL's, the pipeline's own instruction takes 108 tokens, which it cuts off."""
    made = qwen_tokenizer()
    made.chat_template = (
        "{% for message in messages %}{% if message['role'] == 'system' %}{{ '<|im_start|> ' * 108 }}"
        "{% else %}{{ message['content'] }} <|im_end|> {% endif %}{% endfor %}"
    )
    return made


def words() -> Any:
    """The language model of Qwen2.5-VL, four layers: the pipeline reads the third from the end."""
    from transformers import Qwen2_5_VLTextConfig, Qwen2_5_VLTextModel

    config = Qwen2_5_VLTextConfig(
        vocab_size=len(names()), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=4,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=2048,
        rope_parameters={"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
    )  # fmt: skip
    return Qwen2_5_VLTextModel(config).eval()


def glyphs() -> Any:
    """A T5 encoder that reads bytes."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=384, d_model=GLYPHS, d_kv=8, d_ff=32, num_layers=1, num_heads=2, dropout_rate=0.0,
        feed_forward_proj="gated-gelu",
    )  # fmt: skip
    return T5EncoderModel(config).eval()


def eye() -> Any:
    from transformers import SiglipVisionConfig, SiglipVisionModel

    config = SiglipVisionConfig(
        hidden_size=SEEN, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2, image_size=32, patch_size=8
    )
    return SiglipVisionModel(config).eval()


def _processor() -> Any:
    from transformers import SiglipImageProcessor

    return SiglipImageProcessor(size={"height": 32, "width": 32})


def vae() -> Any:
    from diffusers import AutoencoderKLHunyuanVideo15

    made = AutoencoderKLHunyuanVideo15(
        latent_channels=4, block_out_channels=(8, 8, 8, 8), layers_per_block=1, spatial_compression_ratio=8,
        temporal_compression_ratio=4,
    )  # fmt: skip
    with torch.no_grad():
        # A random decoder draws nearly grey pictures: differences must be seen in 8 bits.
        made.decoder.conv_out.conv.weight *= 4
    return made.eval()


def transformer(kind: str) -> Any:
    from diffusers import HunyuanVideo15Transformer3DModel

    return HunyuanVideo15Transformer3DModel(
        in_channels=9, out_channels=4, num_attention_heads=HEADS, attention_head_dim=HEAD, num_layers=2,
        num_refiner_layers=1, text_embed_dim=WIDTH, text_embed_2_dim=GLYPHS, image_embed_dim=SEEN,
        rope_axes_dim=(4, 6, 6), target_size=64, task_type="t2v" if kind == "text" else "i2v",
        use_meanflow=kind == "few",
    ).eval()  # fmt: skip


if __name__ == "__main__":
    build(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "text")
