"""Qwen text encoders beside image models: their allow-list and the checks of their configs. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from gen2studio.models.architecture import MOST_LAYERS, mismatch, number
from gen2studio.models.families.rules import TRANSFORMERS, TRANSFORMERS_WEIGHTS, ComponentRule, Config
from gen2studio.models.families.tensor_checks import shapes_of
from gen2studio.models.weights_header import WeightsHeader

QWEN_TOKENIZERS = frozenset({"Qwen2Tokenizer", "Qwen2TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"})


def text_rules(encoder: str) -> dict[str, ComponentRule]:
    """The tokenizer and the text encoder, a transformers class."""
    return {
        "tokenizer": ComponentRule(TRANSFORMERS, QWEN_TOKENIZERS, "tokenizer_config.json"),
        "text_encoder": ComponentRule(TRANSFORMERS, frozenset({encoder}), "config.json", TRANSFORMERS_WEIGHTS),
    }


def check_words(config: Config, headers: Sequence[WeightsHeader]) -> tuple[int, int]:
    """(width, layers) of the language model. Raises ModelError when its weights are others than its config says."""
    width = number(config, "text_encoder", "hidden_size", None, 1 << 16)
    layers = number(config, "text_encoder", "num_hidden_layers", None, MOST_LAYERS)
    words = number(config, "text_encoder", "vocab_size", None, 1 << 24)
    shapes = shapes_of(headers)
    table = next((shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")), None)
    if table != (words, width):
        raise mismatch("The text encoder's word table does not match its config.")
    count = layers_of(shapes, "layers")
    if count != layers:
        raise mismatch(f"The text encoder has {count} layers and its config says {layers}.")
    return width, layers


def layers_of(shapes: Mapping[str, tuple[int, ...]], stem: str) -> int:
    """How many numbered members the list ``stem`` has, of the language model where a vision model lies beside it."""
    found: set[int] = set()
    for name in shapes:
        parts = name.split(".")
        if "visual" in parts:
            continue
        for before, number_ in itertools.pairwise(parts):
            if before == stem and number_.isdecimal():
                found.add(int(number_))
                break
    return len(found)
