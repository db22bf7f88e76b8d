"""Qwen's text encoders, small: the words of the image models (FLUX.2 klein, Qwen-Image-Edit, Z-Image)."""

from __future__ import annotations

from typing import Any

from tests.diffusion.tiny import WORDS

WIDTH = 16
_CHAT = (
    "{% for message in messages %}<|im_start|> {{ message['role'] }} {{ message['content'] }} <|im_end|> {% endfor %}"
    "{% if add_generation_prompt %}<|im_start|> assistant {% endif %}"
)
_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>",
            "<|video_pad|>")  # fmt: skip
_SPOKEN = ("user", "assistant", "system", "keep", "subjects", "take", "colours", "image", "picture", "from", "2", "1",
           "3", ":")  # fmt: skip


def names() -> list[str]:
    return [*_SPECIAL, "<unk>", *dict.fromkeys((*WORDS, *_SPOKEN))]


def qwen_tokenizer() -> Any:
    """Whole words and Qwen's marks, with a chat template."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    tokens = Tokenizer(models.WordLevel({name: i for i, name in enumerate(names())}, unk_token="<unk>"))
    tokens.normalizer = normalizers.Lowercase()
    tokens.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(
        tokenizer_object=tokens, pad_token="<|endoftext|>", eos_token="<|im_end|>", unk_token="<unk>",
        additional_special_tokens=list(_SPECIAL[1:]),
    )  # fmt: skip
    made.chat_template = _CHAT
    return made


def qwen3() -> Any:
    """Qwen3 of width :data:`WIDTH` with as many layers as its pipelines read, random weights."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    config = Qwen3Config(
        vocab_size=len(names()), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=27,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=2048,
        tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen3ForCausalLM(config).eval()


def qwen3_words() -> Any:
    """Qwen3 without its head, three layers: Z-Image reads the last but one."""
    from transformers import Qwen3Config, Qwen3Model

    config = Qwen3Config(
        vocab_size=len(names()), hidden_size=WIDTH, intermediate_size=2 * WIDTH, num_hidden_layers=3,
        num_attention_heads=2, num_key_value_heads=1, head_dim=8, max_position_embeddings=2048,
        tie_word_embeddings=True,
    )  # fmt: skip
    return Qwen3Model(config).eval()


def qwen2_5_vl() -> Any:
    """Qwen2.5-VL of width :data:`WIDTH`, two layers, with a small eye; random weights."""
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = {name: i for i, name in enumerate(names())}
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": len(ids), "hidden_size": WIDTH, "intermediate_size": 2 * WIDTH, "num_hidden_layers": 2,
            "num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 2048,
            "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [1, 1, 2]},
            "tie_word_embeddings": False,
        },
        vision_config={
            "depth": 2, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": WIDTH,
            "fullatt_block_indexes": [1],
        },
        image_token_id=ids["<|image_pad|>"], video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"], vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=False,
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen_processor() -> Any:
    """What Qwen2.5-VL reads pictures with, around the small vocabulary."""
    from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

    return Qwen2VLProcessor(
        image_processor=Qwen2VLImageProcessor(min_pixels=56 * 56, max_pixels=112 * 112), tokenizer=qwen_tokenizer(),
        video_processor=Qwen2VLVideoProcessor(), chat_template=_CHAT,
    )  # fmt: skip
