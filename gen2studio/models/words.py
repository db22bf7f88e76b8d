"""Words that a text encoder was taught (textual inversion, Gal et al., arXiv 2208.01618), told from a file's header.

Such a file holds one tensor: a row for each vector of the word, as wide as the encoder's own word vectors. diffusers
calls the tensor by the word; AUTOMATIC1111's files call it ``emb_params`` and take the word from the file's name, as
ComfyUI does for every file. All of them read a file with a single tensor of any name.
"""

from __future__ import annotations

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.checkpoint import CheckedCheckpoint
from gen2studio.models.library import InstalledModel
from gen2studio.models.safetensors_header import SafetensorsHeader

MOST_VECTORS = 75
"""A prompt of CLIP's has 77 places, two of which mark its ends."""
_UNNAMED = frozenset({"emb_params", "clip_l", "*"})
"""Names of the tensor that say nothing of the word."""
_TYPES = frozenset({"F32", "F16", "BF16"})
_WIDTHS = {768: "Stable Diffusion 1.5", 1024: "Stable Diffusion 2", 1280: "Stable Diffusion XL"}


@dataclass(frozen=True, slots=True)
class LearnedWord:
    """What a file of a word holds."""

    word: str
    """As the file calls it: in lower case, which is all that CLIP's tokenizer knows."""
    vectors: int
    width: int
    tensor: str
    """Name of the tensor."""


def learned_word(header: SafetensorsHeader) -> LearnedWord | None:
    """The word in a file; None where the file is something else. Raises ModelError for words nothing here can use."""
    names = set(header.tensors)
    if names >= {"clip_l", "clip_g"}:
        raise ModelError(
            f"“{header.path.name}” is a word for Stable Diffusion XL, which has two text encoders.",
            "Get its edition for Stable Diffusion 1.5.",
        )
    if len(names) != 1:
        return None
    name, info = next(iter(header.tensors.items()))
    shape = info.shape if len(info.shape) != 1 else (1, *info.shape)
    if len(shape) != 2 or info.dtype not in _TYPES or not 1 <= shape[0] <= MOST_VECTORS or shape[1] < 8:
        return None
    said = header.metadata.get("trigger", "") or ("" if name in _UNNAMED else name) or header.path.stem
    return LearnedWord("-".join(said.split()).lower(), shape[0], shape[1], name)


def word_width(checked: CheckedCheckpoint) -> int:
    """Width of the word vectors of a model's text encoder; 0 where it is no CLIP, or one of several."""
    encoders = [
        name for name in checked.family.text_parts if name.startswith("text_encoder") and name in checked.classes
    ]
    if encoders != ["text_encoder"] or checked.classes["text_encoder"][1] != "CLIPTextModel":
        return 0
    width = checked.configs.get("text_encoder", {}).get("hidden_size", 512)
    return width if type(width) is int else 0


def word_refusal(word: LearnedWord, name: str, model: InstalledModel) -> str:
    """Why a word, called ``name`` in messages, can't be used with ``model``; empty when it can. Raises ModelError."""
    reason = word_why_not(model)
    if reason:
        return f"{name} is a learned word. {reason}"
    width = word_width(model.checkpoint())
    if word.width != width:
        made_for = _WIDTHS.get(word.width, "")
        other = f" (those of {made_for})" if made_for else ""
        return (
            f"{name} has word vectors of width {word.width}{other}, and {model.title}'s have {width}: it does not fit."
        )
    return ""


def word_why_not(model: InstalledModel) -> str:
    """Why ``model`` can't be taught a word, in one sentence; empty when it can. Raises ModelError on a problem."""
    checked = model.checkpoint()
    if word_width(checked):
        return ""
    named = checked.classes.get("text_encoder", ("", ""))[1]
    if not named:
        return f"{model.title} reads no prompts: there is nothing that could be taught a word."
    reads = named.removesuffix("ForConditionalGeneration").removesuffix("Model").removesuffix("Encoder")
    return f"Only CLIP text encoders can be taught a word, and {model.title} reads prompts with {reads}."
