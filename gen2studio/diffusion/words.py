"""Learned words (textual inversion, Gal et al., arXiv 2208.01618) in prompts, without a trace on shared parts.

A word of n vectors takes n places in a prompt. A job's own copy of the tokenizer knows each place by an id beyond the
vocabulary, and while the job reads its prompts, the table of word vectors answers such ids with the learned ones: no
table grows, no weight changes, and nothing has to be taken out again.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2studio.core.errors import GenerationError
from gen2studio.engine.requests import AdapterRef, WordRef
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.words import learned_word

if TYPE_CHECKING:
    from torch import Tensor

    from gen2studio.diffusion.runtime.loading import Components
    from gen2studio.models.library import InstalledModel


@dataclass(frozen=True, slots=True)
class TaughtWord:
    """A word of a job."""

    word: str
    digest: str
    """SHA-256 of its file."""
    path: Path
    tensor: str
    vectors: int

    def said_in(self, prompt: str) -> bool:
        return _pattern([self.word]).search(prompt) is not None

    @property
    def key(self) -> str:
        """What an embedding of a prompt that says it depends on."""
        return f"{self.word}={self.digest}"

    def load(self) -> Tensor:
        """(vectors, width) float32 on the CPU. Raises GenerationError."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(self.path), "pt") as file:
                rows = file.get_tensor(self.tensor).float()
        except (OSError, SafetensorError) as error:
            raise _gone(self.path.name) from error
        if not bool(rows.isfinite().all()):
            raise GenerationError(f"The word “{self.word}” is damaged: it holds what is no number.", "Import it again.")
        return rows.view(self.vectors, -1)


def words_of(adapters: Iterable[AdapterRef], model: InstalledModel) -> tuple[TaughtWord, ...]:
    """The words among a request's adapters. Raises GenerationError: not there, for another model, one word twice."""
    found: dict[str, TaughtWord] = {}
    library = AdapterLibrary()
    for ref in adapters:
        if not isinstance(ref, WordRef) or not ref.strength:
            continue
        path = Path(ref.path)
        if not ref.path or not path.is_file():
            raise _gone(path.name or ref.adapter_id or ref.digest[:12])
        header = read_header(path)
        held = learned_word(header)
        reason = library.refusal(header, model) if held is not None else f"“{path.name}” holds no learned word."
        if reason or held is None:
            raise GenerationError(reason, f"Choose a word that was made for {model.title}.")
        if ref.word in found:
            raise GenerationError(f"Two adapters are called by the word “{ref.word}”.", "Take one off the list.")
        found[ref.word] = TaughtWord(ref.word, ref.digest, path, held.tensor, held.vectors)
    return tuple(found.values())


def _gone(name: str) -> GenerationError:
    return GenerationError(f"The adapter {name} is not there.", "Take it off the list, or put its file back.")


class Spelling:
    """A tokenizer that knows words of several vectors; the one it is made from stays as it is."""

    def __init__(self, tokenizer: Any, words: Mapping[str, int]) -> None:
        """``words``: word → how many vectors it has."""
        from tokenizers import AddedToken

        self.tokenizer: Any = copy.deepcopy(tokenizer)
        self.first: int = len(tokenizer)
        """Id of the first vector of the first word; the others follow."""
        self._places = {
            word: [f"<|word-{number}-{place}|>" for place in range(count)]
            for number, (word, count) in enumerate(words.items())
        }
        places = [place for found in self._places.values() for place in found]
        self.tokenizer.add_tokens([AddedToken(place, normalized=False, special=True) for place in places])
        self._pattern = _pattern(self._places)

    def text(self, prompt: str) -> str:
        """``prompt`` with a place for every vector of a word it says."""
        return self._pattern.sub(lambda match: " ".join(self._places[match[0].lower()]), prompt)


def _pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Whole words, in any case; the longest first where one begins another."""
    longest = sorted(words, key=lambda word: (-len(word), word))
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest)) or '(?!)'})(?!\w)", re.IGNORECASE)


@contextmanager
def answering(encoder: Any, first: int, vectors: Tensor) -> Generator[None]:
    """Inside, ``encoder`` reads the ids from ``first`` on as ``vectors`` (n, width), through which gradients flow."""
    import torch

    asked: list[Tensor] = []

    def before(_table: Any, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        ids = args[0]
        asked.append(ids)
        return (ids.masked_fill(ids >= first, 0), *args[1:])

    def after(_table: Any, _args: Any, rows: Tensor) -> Tensor:
        ids = asked.pop()
        learned = vectors[(ids - first).clamp_min(0)].to(rows)
        return torch.where((ids >= first)[..., None], learned, rows)

    table = encoder.get_input_embeddings()
    hooks = [table.register_forward_pre_hook(before), table.register_forward_hook(after)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def taught(parts: Components, words: Sequence[TaughtWord]) -> Generator[tuple[Components, Spelling | None]]:
    """``parts`` as they read prompts that say ``words``, and how such a prompt is to be spelled.

    The parts are the very ones, but for the tokenizer. Raises GenerationError.
    """
    if not words:
        yield parts, None
        return
    import torch

    spelling = Spelling(parts.tokenizer, {word.word: word.vectors for word in words})
    encoder = parts.text_encoder
    vectors = torch.cat([word.load() for word in words]).to(encoder.device)
    with answering(encoder, spelling.first, vectors):
        yield replace(parts, parts={**parts.parts, "tokenizer": spelling.tokenizer}), spelling
