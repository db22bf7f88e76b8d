"""What app and ui see of the looks a generator brings: presets as values, and which words of a prompt it knows."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class PresetInfo:
    """A bundled look as the preset grid shows it."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    """Words of a prompt that choose it."""
    swatch: tuple[tuple[int, int, int], ...] = ()
    """Two to six sRGB colours that paint its tile while there is no thumbnail."""
    thumbnail: Path | None = None
    """A picture of the look, when one is bundled."""
    description: str = ""


@dataclass(frozen=True, slots=True)
class PromptWord:
    """A word of the prompt as typed, and whether the generator understands it."""

    word: str
    known: bool
    means: str = ""
    """The known word it is read as, when that is another one (a synonym)."""
    filler: bool = False
    """A small connecting word that asks for nothing by itself."""


class Catalog(Protocol):
    """Implemented beside a generator, injected by the composition root."""

    def presets(self) -> tuple[PresetInfo, ...]:
        """Every bundled look in the order the grid shows them."""
        ...

    def words(self, prompt: str, generator: str = "example") -> tuple[PromptWord, ...]:
        """The words of ``prompt`` in order, each marked known to ``generator`` or not."""
        ...


class EmptyCatalog:
    """No presets; every word is unknown. For programs without a generator and for tests."""

    def presets(self) -> tuple[PresetInfo, ...]:
        return ()

    def words(self, prompt: str, generator: str = "example") -> tuple[PromptWord, ...]:
        return tuple(PromptWord(word, False) for word in prompt.split())
