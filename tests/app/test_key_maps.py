"""Key maps: never ambiguous, saved, bounded, and put in force as a whole."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gen2studio.app.action_table import all_actions, clashes
from gen2studio.app.actions import Action
from gen2studio.app.key_maps import OWN, KeyMap, KeyMaps, built_in, portable, read_map, resolved, written
from gen2studio.app.key_sheets import as_html, as_text
from gen2studio.app.preferences import Preferences
from gen2studio.core.errors import ProjectError
from gen2studio.core.paths import resources_dir

BUILT_IN = sorted((resources_dir() / "keymaps").glob("*.toml"))


def row(name: str, *keys: str, scope: str = "window") -> Action:
    return Action(id=f"test.{name}", text=name.title(), tip=f"{name}.", keys=keys, scope=scope)


TABLE = (
    row("cut", "C"),
    row("dab", "D", scope="canvas"),
    row("drop", "D", "Del", scope="timeline"),
    row("idle"),
)


@pytest.fixture
def maps(qapp: object) -> KeyMaps:
    return KeyMaps(TABLE, Preferences())


def with_keys(rows: tuple[Action, ...], keys: dict[str, tuple[str, ...]]) -> tuple[Action, ...]:
    return tuple(Action(id=r.id, text=r.text, tip=r.tip, keys=keys[r.id], scope=r.scope) for r in rows)


@pytest.mark.parametrize("path", BUILT_IN, ids=lambda p: p.stem)
def test_built_in_maps_know_their_commands_and_are_never_ambiguous(path: Path, qapp: object) -> None:
    rows = all_actions()
    keymap = built_in(path)
    assert len(keymap.keys) > 40 and keymap.keys.keys() <= {r.id for r in rows}
    keys = resolved(rows, keymap)
    assert clashes(with_keys(rows, keys)) == []
    # Nothing that the map says is lost: it says no key twice itself.
    assert all(keys[i] == wanted for i, wanted in keymap.keys.items())


def test_there_are_maps_for_those_who_come_from_premiere_and_resolve(qapp: object) -> None:
    premiere, resolve = (built_in(resources_dir() / "keymaps" / f"{n}.toml").keys for n in ("premiere", "resolve"))
    assert premiere["timeline.razor"] == ("Ctrl+K",) and premiere["source.insert"] == (",",)
    assert resolve["timeline.tool_razor"] == ("B",) and resolve["source.overwrite"] == ("F10",)


def test_a_key_given_away_is_taken_from_its_owner_unless_they_live_apart(maps: KeyMaps) -> None:
    assert maps.plain and maps.keys["test.dab"] == ("D",) and maps.keys["test.drop"] == ("D", "Del")
    assert [c.action.id for c in maps.conflicts("test.idle", "D")] == ["test.dab", "test.drop"]
    assert maps.conflicts("test.dab", "Del") == []
    seen: list[str] = []
    maps.changed.connect(lambda: seen.append(maps.current.name))
    maps.add_key("test.idle", "D")
    assert maps.keys == {"test.cut": ("C",), "test.dab": (), "test.drop": ("Del",), "test.idle": ("D",)}
    assert clashes(with_keys(TABLE, dict(maps.keys))) == []
    assert seen and maps.current.mine and maps.is_changed("test.dab") and not maps.is_changed("test.cut")
    maps.reset("test.dab")
    assert maps.keys["test.dab"] == ("D",) and maps.keys["test.idle"] == ()
    maps.remove_key("test.drop", "Del")
    maps.reset_all()
    assert not any(maps.is_changed(r.id) for r in TABLE) and maps.current.mine


def test_the_artists_maps_are_there_at_the_next_start(maps: KeyMaps) -> None:
    maps.add_key("test.cut", "Ctrl+K")
    maps.rename("Mine alone")
    again = KeyMaps(TABLE, Preferences())
    assert again.current.name == "Mine alone" and again.keys["test.cut"] == ("C", "Ctrl+K")
    # A changed built-in map is left as it was, and another map of the artist's is made from it.
    again.choose("premiere")
    again.add_key("test.cut", "F2")
    assert [m.name for m in again.maps if m.mine] == ["Mine alone", "My keys (Premiere-like)"]
    again.delete()
    assert again.current.id == OWN and [m.name for m in again.maps if m.mine] == ["Mine alone"]


def test_a_map_carried_to_another_machine_means_the_same(maps: KeyMaps, tmp_path: Path) -> None:
    maps.set_keys("test.cut", ["Shift+X", "F2"])
    file = tmp_path / "keys.g2keys"
    maps.export_map(file)
    before = dict(maps.keys)
    maps.choose(OWN)
    keymap, unknown = maps.import_map(file)
    assert (dict(maps.keys), unknown, maps.current.id) == (before, 0, keymap.id)
    data = json.loads(file.read_text())
    data["keys"] |= {"test.gone": ["Q"], "test.idle": ["F2"]}
    file.write_text(json.dumps(data))
    _, unknown = maps.import_map(file)
    assert unknown == 1 and clashes(with_keys(TABLE, dict(maps.keys))) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'{"format": "gen2studio-keymap", "keys": []}',
        b'{"format": "gen2studio-keymap", "keys": {"../../x": ["A"]}}',
        b'{"format": "gen2studio-keymap", "keys": {"a.b": "A"}}',
        b'{"format": "gen2studio-keymap", "keys": {"a.b": [1]}}',
        b'{"format": "gen2studio-keymap", "keys": {"a.b": ["no such key at all"]}}',
        b'{"format": "gen2studio-keymap", "keys": {"a.b": ["A","B","C","D","E","F","G"]}}',
        b'{"format": "gen2studio-keymap", "keys": {' + b" " * (300 << 10) + b"}}",
        b"[" * 100_000,
    ],
    ids=["empty", "binary", "list", "no-keys", "path", "text", "number", "nonsense", "many", "huge", "deep"],
)
def test_what_is_no_map_is_refused_in_words(content: bytes, tmp_path: Path, qapp: object) -> None:
    file = tmp_path / "bad.g2keys"
    file.write_bytes(content)
    with pytest.raises(ProjectError, match="not a key map"):
        read_map(file)


def test_a_broken_own_file_does_not_keep_the_others_away(maps: KeyMaps, isolated_home: Path) -> None:
    maps.add_key("test.cut", "F2")
    folder = next(isolated_home.rglob("keymaps"))
    (folder / "broken.json").write_text("{")
    (folder / "mine7.json").write_bytes(written(KeyMap(id="", name="Seven")))
    again = KeyMaps(TABLE, Preferences())
    assert [m.name for m in again.maps if m.mine] == ["My keys", "Seven"]


def test_keys_are_written_one_way(qapp: object) -> None:
    assert portable("ctrl+shift+b") == "Ctrl+Shift+B" and portable("Del") == "Del"
    assert portable("") == portable("Ctrl+K, Ctrl+S") == portable("x" * 65) == ""


def test_the_map_on_paper_holds_every_key(maps: KeyMaps) -> None:
    maps.add_key("test.cut", "<")
    text, page = as_text(maps), as_html(maps, every=True)
    assert "Cut" in text and "Idle" not in text and "Idle" in page
    assert "<kbd>&lt;</kbd>" in page and "http" not in page
