"""What the artist prefers on this machine, across projects: one JSON file in the config folder.

Every field is declared here with its default, range and description, so that the settings page can be made from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from gen2studio.core.log import topic
from gen2studio.core.paths import config_dir, write_atomic
from gen2studio.core.records import dataclass

_log = topic("preferences")


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One preference. ``low``/``high`` bound numbers; ``choices`` bounds text."""

    name: str
    title: str
    help: str
    default: Any
    page: str = "General"
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    hidden: bool = False


FIELDS: tuple[Field, ...] = (
    Field(name="live_preview", title="Live preview", default=True, page="Generate",
          help="Restyle the frame under the playhead each time a gesture or a slider ends."),
    Field(name="preview_max_side", title="Preview size", default=512, low=192, high=1920, unit="px", page="Generate",
          help="Long side of live previews and stills. Smaller is faster."),
    Field(name="frame_cache_mb", title="Frame cache", default=768, low=128, high=16384, unit="MB", page="Playback",
          help="Memory kept for decoded frames around the playhead."),
    Field(name="audio_offset_ms", title="Picture delay", default=0, low=-500, high=500, unit="ms", page="Playback",
          help="Delays the picture against the sound, for speakers or screens with a lag."),
    Field(name="follow_playhead", title="Follow playhead", default=True, page="Playback",
          help="Scroll the timeline with the playhead while playing."),
    Field(name="use_proxies", title="Use proxies", default=True, page="Playback",
          help="Play small copies of footage that plays badly. Exports never use them."),
    Field(name="still_seconds", title="Length of stills", default=5.0, low=0.1, high=600.0, unit="s", page="Timeline",
          help="How long an image is when it is placed on the timeline."),
    Field(name="pen_pressure", title="Pen pressure", default=True, page="Masks",
          help="A pen's pressure sets the brush size."),
    Field(name="key_map", title="Key map", default="gen2", hidden=True, help="Which keys mean which commands."),
    Field(name="recent", title="Recent projects", default=[], hidden=True, help=""),
    Field(name="window_geometry", title="", default="", hidden=True, help=""),
    Field(name="window_state", title="", default="", hidden=True, help=""),
    Field(name="magnetic_timeline", title="Magnetic timeline", default=False, hidden=True, help=""),
    Field(name="level_lines", title="Level lines", default=False, hidden=True, help=""),
    Field(name="timeline_overview", title="Overview", default=True, hidden=True, help=""),
    Field(name="caption_lane", title="Subtitle lane", default="auto", choices=("auto", "shown", "hidden"), hidden=True,
          help=""),
    Field(name="import_folder", title="", default="", hidden=True, help=""),
    Field(name="export_folder", title="", default="", hidden=True, help=""),
    Field(name="matte_format", title="", default="prores4444", hidden=True, help=""),
    Field(name="c2pa_sign", title="", default=False, hidden=True, help=""),
    Field(name="c2pa_certificate", title="", default="", hidden=True, help=""),
    Field(name="c2pa_key", title="", default="", hidden=True, help=""),
    Field(name="export_preset", title="", default="mp4_h264", hidden=True, help=""),
)  # fmt: skip

_BY_NAME = {field.name: field for field in FIELDS}


class Preferences(QObject):
    """Typed access with a ``changed(name)`` signal; writes itself atomically a moment after a change."""

    changed = Signal(str)

    def __init__(self, path: Path | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path or config_dir() / "preferences.json"
        self._values: dict[str, Any] = {}
        self._load()

    def _load(self) -> None:
        try:
            stored = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            _log.warning("preferences can't be read and start from their defaults: %s", error)
            return
        if isinstance(stored, dict):
            for name, value in stored.items():
                field = _BY_NAME.get(name)
                if field is not None and _fits(field, value):
                    self._values[name] = value

    def get(self, name: str) -> Any:
        """The value of a declared preference. Raises KeyError for an undeclared one."""
        return self._values.get(name, _BY_NAME[name].default)

    def set(self, name: str, value: Any) -> None:
        field = _BY_NAME[name]
        if not _fits(field, value):
            raise ValueError(f"{field.title or name}: {value!r} is out of range")
        if self.get(name) != value:
            self._values[name] = value
            self.save()
            self.changed.emit(name)

    def reset(self, name: str) -> None:
        self.set(name, _BY_NAME[name].default)

    def save(self) -> None:
        try:
            write_atomic(self._path, json.dumps(self._values, indent=1, sort_keys=True).encode())
        except OSError as error:
            _log.warning("preferences can't be saved: %s", error)

    def watch(self, name: str, react: Callable[[Any], None]) -> None:
        """Call ``react`` with the value now and after each change."""
        react(self.get(name))
        self.changed.connect(lambda changed: react(self.get(name)) if changed == name else None)

    def add_recent(self, path: str) -> None:
        recent = [path, *(p for p in self.get("recent") if p != path)][:10]
        self.set("recent", recent)


def _fits(field: Field, value: Any) -> bool:
    default = field.default
    if isinstance(default, bool):
        return isinstance(value, bool)
    if isinstance(default, (int, float)):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return (field.low is None or value >= field.low) and (field.high is None or value <= field.high)
    if isinstance(default, list):
        return isinstance(value, list) and all(isinstance(v, str) for v in value)
    if not isinstance(value, str):
        return False
    return not field.choices or value in field.choices
