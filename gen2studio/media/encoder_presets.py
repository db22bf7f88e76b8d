"""Export presets: data files in ``resources/export_presets``, one TOML each."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from gen2studio.core.errors import ExportError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.paths import resources_dir
from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPreset:
    """How an export is written. ``container`` is an FFmpeg muxer name, or ``png`` or ``exr`` for a folder of
    pictures."""

    id: str
    title: str
    description: str = ""
    order: int = 100
    container: str
    suffix: str = ""
    """File name ending with the dot; empty for picture sequences, which are folders."""
    codec: str
    tag: str = ""
    """Four-character code of the sample entry; empty = the muxer's choice."""
    pixel_format: str
    options: Mapping[str, str] = field(default_factory=lambda: frozen_map({}))
    alpha: bool = False
    odd_sizes: bool = False
    """The codec takes odd widths and heights although its chroma is subsampled."""
    bits: int = 8
    """Bits per channel of picture sequences: 8 or 16."""
    audio: str = ""
    """FFmpeg encoder name; empty = no sound."""
    audio_bit_rate: int = 0
    copy_audio: tuple[str, ...] = ()
    """Codecs of the source that may be passed through untouched in this container."""
    max_width: int = 0
    """Wider pictures are made this wide; 0 = any."""
    max_rate: int = 0
    """Frames a second at most; of faster timelines some are left out. 0 = any."""
    subtitles: str = ""
    """FFmpeg encoder of a subtitle track that the container takes; empty = none."""

    @property
    def is_animation(self) -> bool:
        """An animated picture: loops, silent, for sharing."""
        return self.container in ("gif", "webp")

    @property
    def is_sequence(self) -> bool:
        return self.container in ("png", "exr")

    def output_path(self, path: Path) -> Path:
        """``path`` with this preset's suffix; a picture sequence drops a ``.png`` or ``.exr`` and becomes a
        folder."""
        if self.is_sequence:
            return path.with_suffix("") if path.suffix.lower() in (".png", ".exr") else path
        return path if path.suffix.lower() == self.suffix else path.with_name(path.name + self.suffix)


def parse_preset(text: str, name: str = "preset") -> ExportPreset:
    """A preset from TOML. Raises ExportError naming what is wrong."""
    try:
        table: dict[str, Any] = tomllib.loads(text)
        options = {str(k): str(v) for k, v in dict(table.pop("options", {})).items()}
        copies = tuple(str(c) for c in table.pop("copy_audio", ()))
        return ExportPreset(**table, options=frozen_map(options), copy_audio=copies)
    except (tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise ExportError(f"The export preset “{name}” is damaged: {error}.", "Reinstall Gen2 Studio.") from error


@cache
def load_presets() -> tuple[ExportPreset, ...]:
    """All bundled presets in menu order."""
    files = sorted((resources_dir() / "export_presets").glob("*.toml"))
    presets = [parse_preset(file.read_text(encoding="utf-8"), file.stem) for file in files]
    return tuple(sorted(presets, key=lambda preset: (preset.order, preset.id)))


def preset_of(preset_id: str) -> ExportPreset:
    """The preset with this id. Raises ExportError listing what there is."""
    for preset in load_presets():
        if preset.id == preset_id:
            return preset
    names = ", ".join(preset.id for preset in load_presets())
    raise ExportError(f"There is no export preset “{preset_id}”.", f"Choose one of {names}.")
