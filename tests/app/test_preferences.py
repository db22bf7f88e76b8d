"""Preferences: declared, checked, kept, and harmless when their file is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gen2studio.app.preferences import FIELDS, Preferences


def test_what_is_set_is_there_next_time(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "preferences.json"
    first = Preferences(file)
    changed: list[str] = []
    first.changed.connect(changed.append)
    first.set("preview_max_side", 640)
    first.set("preview_max_side", 640)
    assert changed == ["preview_max_side"]
    assert Preferences(file).get("preview_max_side") == 640
    first.reset("preview_max_side")
    assert Preferences(file).get("preview_max_side") == 512


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preview_max_side", 5), ("preview_max_side", "512"), ("preview_max_side", True), ("live_preview", 1),
        ("still_seconds", 0.0), ("still_seconds", 1e9), ("recent", "x"), ("recent", [1]), ("export_preset", 3),
    ],
)  # fmt: skip
def test_a_value_out_of_range_is_refused_and_ignored_in_a_file(
    tmp_path: Path, qapp: object, name: str, value: Any
) -> None:
    file = tmp_path / "preferences.json"
    default = next(field.default for field in FIELDS if field.name == name)
    with pytest.raises(ValueError, match="out of range"):
        Preferences(file).set(name, value)
    file.write_text(json.dumps({name: value, "unheard_of": 1}))
    assert Preferences(file).get(name) == default


def test_a_damaged_file_means_defaults(tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "preferences.json"
    file.write_text("{ not json")
    assert Preferences(file).get("live_preview") is True


def test_an_undeclared_name_is_a_mistake(tmp_path: Path, qapp: object) -> None:
    with pytest.raises(KeyError):
        Preferences(tmp_path / "p.json").get("colour_of_the_sky")


def test_watchers_hear_now_and_later(tmp_path: Path, qapp: object) -> None:
    preferences = Preferences(tmp_path / "p.json")
    heard: list[Any] = []
    preferences.watch("frame_cache_mb", heard.append)
    preferences.set("frame_cache_mb", 256)
    preferences.set("live_preview", False)
    assert heard == [768, 256]


def test_recent_projects_are_the_last_ten_without_repeats(tmp_path: Path, qapp: object) -> None:
    preferences = Preferences(tmp_path / "p.json")
    for number in range(12):
        preferences.add_recent(f"/film{number}.g2s")
    preferences.add_recent("/film5.g2s")
    assert preferences.get("recent")[:3] == ["/film5.g2s", "/film11.g2s", "/film10.g2s"]
    assert len(preferences.get("recent")) == 10


def test_a_folder_that_cannot_be_written_is_not_fatal(tmp_path: Path, qapp: object) -> None:
    (tmp_path / "file").write_text("")
    preferences = Preferences(tmp_path / "file" / "p.json")
    preferences.set("live_preview", False)
    assert preferences.get("live_preview") is False


def test_every_visible_field_explains_itself() -> None:
    for field in FIELDS:
        assert field.hidden or (field.title and field.help.endswith("."))
