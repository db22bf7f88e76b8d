"""The bundled looks: data in ``resources/looks/*.toml``, read once, and the catalogue the window shows."""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gen2studio.core import paths
from gen2studio.core.errors import GenerationError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.records import dataclass
from gen2studio.engine.catalog import PresetInfo, PromptWord


@dataclass(frozen=True, slots=True, kw_only=True)
class LookPreset:
    """One bundled look."""

    id: str
    title: str
    description: str
    medium: str
    """Which painter draws it (see :mod:`gen2studio.example.media_table`)."""
    words: tuple[str, ...]
    """Words and phrases of a prompt that choose it, lower case."""
    swatches: tuple[tuple[int, int, int], ...]
    """sRGB colours for its tile."""
    thumbnail: Path | None
    order: int
    grade: Mapping[str, Any]
    """Colour grading before painting (fields of :class:`gen2studio.example.grades.Grade`)."""
    parameters: Mapping[str, float]
    """What the medium's painter reads: lengths in pixels of a 288 px high frame, amounts mostly 0…1."""


@functools.cache
def load_presets() -> tuple[LookPreset, ...]:
    """Every look of ``resources/looks`` in display order. Raises GenerationError naming a file that can't be read."""
    folder = paths.resources_dir() / "looks"
    return tuple(sorted((_read(f) for f in folder.glob("*.toml")), key=lambda p: (p.order, p.id)))


def preset(name: str) -> LookPreset:
    """The look with this id. Raises GenerationError listing those there are."""
    for found in load_presets():
        if found.id == name:
            return found
    names = ", ".join(p.id for p in load_presets())
    raise GenerationError(f"There is no preset called “{name}”.", f"Choose one of: {names}.")


@functools.cache
def preset_words() -> dict[str, str]:
    """Word or phrase → preset id."""
    return {word: found.id for found in load_presets() for word in (found.id.replace("_", " "), *found.words)}


def _read(file: Path) -> LookPreset:
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
        picture = file.with_suffix(".jpg")
        return LookPreset(
            id=file.stem,
            title=data["title"],
            description=data["description"],
            medium=data["medium"],
            words=tuple(data["words"]),
            swatches=tuple((int(r), int(g), int(b)) for r, g, b in data["swatches"]),
            thumbnail=picture if picture.is_file() else None,
            order=int(data["order"]),
            grade=frozen_map(data.get("grade", {})),
            parameters=frozen_map({k: float(v) for k, v in data.get("parameters", {}).items()}),
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise GenerationError(
            f"The look file {file.name} can't be read ({error}).", "Reinstall Gen2 Studio or fix the file."
        ) from error


class ExampleCatalog:
    """:class:`gen2studio.engine.catalog.Catalog` of the example-based generator."""

    def presets(self) -> tuple[PresetInfo, ...]:
        return tuple(
            PresetInfo(
                id=p.id,
                title=p.title,
                words=p.words,
                swatch=p.swatches,
                thumbnail=p.thumbnail,
                description=p.description,
            )
            for p in load_presets()
        )

    def words(self, prompt: str, generator: str = "example") -> tuple[PromptWord, ...]:
        from gen2studio.example.words import weighed

        return tuple(PromptWord(word, known, filler=filler) for word, known, filler in weighed(prompt))
