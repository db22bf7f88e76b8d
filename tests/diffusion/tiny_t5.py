"""A small T5: the text encoder of the families that read words with T5 (LTX-Video, CogVideoX)."""

from __future__ import annotations

from typing import Any

from tests.diffusion.tiny import WORDS

WIDTH = 32


def t5_encoder() -> Any:
    """A T5 encoder of one layer and width :data:`WIDTH`, random weights."""
    from transformers import T5Config, T5EncoderModel

    config = T5Config(
        vocab_size=len(WORDS) + 3, d_model=WIDTH, d_kv=16, d_ff=64, num_layers=1, num_heads=2, dropout_rate=0.0,
    )  # fmt: skip
    return T5EncoderModel(config).eval()
