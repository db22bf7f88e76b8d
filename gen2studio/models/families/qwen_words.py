"""Qwen text encoders beside image models: their allow-list and the checks of their configs. No torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.models.families.rules import TRANSFORMERS, TRANSFORMERS_WEIGHTS, ComponentRule, Config
from gen2studio.models.weights_header import WeightsHeader

QWEN_TOKENIZERS = frozenset({"Qwen2Tokenizer", "Qwen2TokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"})
MOST_LAYERS = 256


def text_rules(encoder: str) -> dict[str, ComponentRule]:
    """The tokenizer and the text encoder, a transformers class."""
    return {
        "tokenizer": ComponentRule(TRANSFORMERS, QWEN_TOKENIZERS, "tokenizer_config.json"),
        "text_encoder": ComponentRule(TRANSFORMERS, frozenset({encoder}), "config.json", TRANSFORMERS_WEIGHTS),
    }


def check_words(config: Config, headers: Sequence[WeightsHeader]) -> tuple[int, int]:
    """(width, layers) of the language model. Raises ModelError when its weights are others than its config says."""
    width = number(config, "text_encoder", "hidden_size", 1 << 16)
    layers = number(config, "text_encoder", "num_hidden_layers", MOST_LAYERS)
    words = number(config, "text_encoder", "vocab_size", 1 << 24)
    shapes = shapes_of(headers)
    table = next((shape for name, shape in shapes.items() if name.endswith("embed_tokens.weight")), None)
    if table != (words, width):
        raise misfit("The text encoder's word table does not match its config.")
    count = layers_of(shapes, "layers")
    if count != layers:
        raise misfit(f"The text encoder has {count} layers and its config says {layers}.")
    return width, layers


def shapes_of(headers: Sequence[WeightsHeader]) -> dict[str, tuple[int, ...]]:
    """Name → shape of every tensor of a component."""
    return {name: tensor.shape for header in headers for name, tensor in header.tensors.items()}


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


def number(config: Config, part: str, key: str, highest: int, *, lowest: int = 1, default: int | None = None) -> int:
    """An integer of a config inside its limits. Raises ModelError."""
    value: Any = config.get(key, default)
    if type(value) is not int or not lowest <= value <= highest:
        raise odd(part, key)
    return value


def numbers(config: Config, part: str, key: str, highest: int, *, default: Sequence[int] = ()) -> tuple[int, ...]:
    """A short list of integers of a config. Raises ModelError."""
    value: Any = config.get(key, list(default))
    rows = tuple(cast("Sequence[Any]", value)) if isinstance(value, (list, tuple)) else ()
    if not 0 < len(rows) <= MOST_LAYERS or not all(type(row) is int and 0 < row <= highest for row in rows):
        raise odd(part, key)
    return rows


def odd(part: str, key: str) -> ModelError:
    return ModelError(
        f"The config of the {part.replace('_', ' ')} has a “{key}” that no such model has.",
        "Download the checkpoint again.",
    )


def misfit(sentence: str) -> ModelError:
    return ModelError(sentence, "The parts don't belong together; download the checkpoint again.")
