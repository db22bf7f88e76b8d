"""Key maps: which key means which command. The action table declares the keys of the program's own map; other maps say
what differs from it.

Keys with a scope live in one part of the window, so that two scopes may share a key; keys of the window are live
everywhere and clash with any. What a map gives to one command is taken from the commands that have it by default, so a
map in force is never ambiguous.

Files of maps hold nothing but ids of commands and names of keys, and are bounded before they are believed.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QKeySequence

from gen2studio.app.action_table import share
from gen2studio.app.actions import Action
from gen2studio.app.preferences import Preferences
from gen2studio.core.errors import ProjectError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.log import topic
from gen2studio.core.paths import config_dir, resources_dir, write_atomic
from gen2studio.core.records import dataclass

_log = topic("keys")
OWN = "gen2"
"""Id of the program's own map: the keys that the action table declares."""
FORMAT = "gen2studio-keymap"
_BIGGEST, _MOST, _MOST_KEYS, _LONGEST = 256 << 10, 2000, 6, 64
"""Bytes of a file, commands in it, keys of a command, letters of a key's name."""

Keys = Mapping[str, tuple[str, ...]]
"""Command id → keys in portable text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMap:
    """A named set of differences from the action table."""

    id: str
    """``gen2``, ``premiere``, ``resolve``, or the name of the artist's file."""
    name: str
    about: str = ""
    keys: Keys = field(default_factory=lambda: frozen_map({}))
    """Only commands whose keys this map says; an empty tuple takes the key away."""
    mine: bool = False
    """Made by the artist: may be changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """A command that would lose a key."""

    key: str
    action: Action


def portable(text: str) -> str:
    """A key as maps write it (``Ctrl+Shift+B``), or empty where ``text`` is no key."""
    if not text or len(text) > _LONGEST:
        return ""
    sequence = QKeySequence(text, QKeySequence.SequenceFormat.PortableText)
    written = sequence.toString(QKeySequence.SequenceFormat.PortableText)
    return "" if sequence.isEmpty() or sequence.count() != 1 or not written.isprintable() else written


def native(text: str) -> str:
    """A key as this system writes it."""
    return QKeySequence(text).toString(QKeySequence.SequenceFormat.NativeText)


def resolved(rows: Iterable[Action], keymap: KeyMap) -> dict[str, tuple[str, ...]]:
    """Every command's keys under a map. Keys that the map gives away are taken from whoever has them by default."""
    table = tuple(rows)
    taken: dict[str, list[Action]] = {}
    found: dict[str, tuple[str, ...]] = {}
    for row in table:
        if row.id in keymap.keys:
            found[row.id] = keymap.keys[row.id]
            for key in keymap.keys[row.id]:
                taken.setdefault(key, []).append(row)
    for row in table:
        if row.id not in found:
            keys = [portable(k) for k in row.shortcuts()]
            free = [k for k in keys if k and all(share(row, other) for other in taken.get(k, ()))]
            found[row.id] = tuple(free)
    return found


def conflicts(rows: Iterable[Action], keys: Keys, action: Action, key: str) -> list[Clash]:
    """Who has ``key`` now and would have to give it up if ``action`` took it."""
    return [
        Clash(key=key, action=row)
        for row in rows
        if row.id != action.id and key in keys.get(row.id, ()) and not share(row, action)
    ]


# -- files ------------------------------------------------------------------------------------------------------------


def built_in(path: Path) -> KeyMap:
    """A map of ``resources/keymaps``. Raises ValueError, OSError for a broken one."""
    with open(path, "rb") as handle:
        data = tomllib.load(handle)
    return KeyMap(id=path.stem, name=str(data["name"]), about=str(data.get("about", "")), keys=_keys(data["keys"]))


def _keys(data: Mapping[str, Any]) -> Keys:
    found: dict[str, tuple[str, ...]] = {}
    for action_id, keys in data.items():
        listed = [keys] if isinstance(keys, str) else keys
        written = [portable(k) for k in listed if k]
        if not all(written):
            raise ValueError(f"{action_id}: {listed} holds no key")
        found[action_id] = tuple(dict.fromkeys(written))
    return frozen_map(found)


def read_map(path: Path) -> KeyMap:
    """A map that an artist exported. Raises ProjectError when it is none, or is larger than a map can be."""
    wrong = ProjectError(f"“{path.name}” is not a key map.", "Choose a file that was exported under Edit Keys.")
    try:
        if path.stat().st_size > _BIGGEST:
            raise wrong
        data = json.loads(path.read_bytes().decode("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise wrong from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("keys"), dict):
        raise wrong
    entries: dict[str, Any] = data["keys"]
    if len(entries) > _MOST:
        raise wrong
    found: dict[str, tuple[str, ...]] = {}
    for action_id, keys in entries.items():
        listed: object = keys
        if not re.fullmatch(r"[a-z]+\.[a-z0-9_]{1,60}", action_id) or not isinstance(listed, list):
            raise wrong
        if len(listed) > _MOST_KEYS or not all(isinstance(k, str) and portable(k) for k in listed):
            raise wrong
        found[action_id] = tuple(dict.fromkeys(portable(str(k)) for k in listed))
    name = data.get("name")
    shown = name.strip()[:60] if isinstance(name, str) and name.strip() else path.stem[:60]
    return KeyMap(id="", name=shown, keys=frozen_map(found), mine=True)


def written(keymap: KeyMap) -> bytes:
    """A map as a file."""
    keys = {action_id: list(keys) for action_id, keys in sorted(keymap.keys.items())}
    data = {"format": FORMAT, "version": 1, "name": keymap.name, "keys": keys}
    return json.dumps(data, indent=1, ensure_ascii=False).encode()


class KeyMaps(QObject):
    """The maps there are, and the one in force. Changes are saved and in force at once.

    Changing a built-in map makes a map of the artist's own from it.
    """

    changed = Signal()
    """Other keys are in force, or the list of maps is another."""

    def __init__(self, rows: tuple[Action, ...], preferences: Preferences, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.rows = rows
        self._by_id = {row.id: row for row in rows}
        self._preferences = preferences
        self._maps: dict[str, KeyMap] | None = None
        self._resolved: dict[str, tuple[str, ...]] | None = None
        preferences.watch("key_map", lambda _chosen: self._forget())

    def _forget(self) -> None:
        self._resolved = None
        self.changed.emit()

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def plain(self) -> bool:
        """Whether the keys are those of the action table: then no file need be read."""
        return self._preferences.get("key_map") == OWN

    @property
    def maps(self) -> tuple[KeyMap, ...]:
        """Own, built in, the artist's."""
        return tuple(self._all().values())

    @property
    def current(self) -> KeyMap:
        """The map in force; the program's own where the chosen one is gone."""
        return self._all().get(self._preferences.get("key_map"), self._all()[OWN])

    @property
    def keys(self) -> Keys:
        """Every command's keys now."""
        if self._resolved is None:
            self._resolved = resolved(self.rows, self.current)
        return self._resolved

    def conflicts(self, action_id: str, key: str) -> list[Clash]:
        """Who would have to give ``key`` up."""
        return conflicts(self.rows, self.keys, self._by_id[action_id], key)

    def is_changed(self, action_id: str) -> bool:
        """Whether a command's keys differ from those of the program's own map."""
        declared = tuple(portable(k) for k in self._by_id[action_id].shortcuts())
        return tuple(self.keys[action_id]) != declared

    # -- choosing and changing -----------------------------------------------------------------------------------------

    def choose(self, map_id: str) -> None:
        """Put a map in force. Raises KeyError for one there is not."""
        self._preferences.set("key_map", self._all()[map_id].id)

    def set_keys(self, action_id: str, keys: Iterable[str]) -> None:
        """Give a command these keys; they are taken from whoever had them."""
        action = self._by_id[action_id]
        wanted = tuple(dict.fromkeys(portable(k) for k in keys if portable(k)))[:_MOST_KEYS]
        changed: dict[str, tuple[str, ...]] = {action_id: wanted}
        for key in wanted:
            for clash in conflicts(self.rows, self.keys, action, key):
                left = changed.get(clash.action.id, tuple(self.keys[clash.action.id]))
                changed[clash.action.id] = tuple(k for k in left if k != key)
        self._change({**self.current.keys, **changed})

    def add_key(self, action_id: str, key: str) -> None:
        """Give a command one key more."""
        self.set_keys(action_id, (*self.keys[action_id], key))

    def remove_key(self, action_id: str, key: str) -> None:
        self.set_keys(action_id, [k for k in self.keys[action_id] if k != key])

    def reset(self, action_id: str) -> None:
        """Give a command its declared keys again, taking them from whoever has them now."""
        self.set_keys(action_id, self._by_id[action_id].shortcuts())

    def reset_all(self) -> None:
        """Make the map in force equal to the program's own; built-in maps stay, the own one is chosen."""
        if self.current.mine:
            self._change({})
        else:
            self.choose(OWN)

    def _change(self, keys: Mapping[str, tuple[str, ...]]) -> None:
        now = self.current
        if now.mine:
            self._put(KeyMap(id=now.id, name=now.name, keys=frozen_map(dict(keys)), mine=True))
        else:
            self._put(self._named("My keys" if now.id == OWN else f"My keys ({now.name})", frozen_map(dict(keys))))

    def rename(self, name: str) -> None:
        """Give the artist's map in force another name."""
        now = self.current
        if now.mine and name.strip():
            self._put(KeyMap(id=now.id, name=name.strip()[:60], keys=now.keys, mine=True))

    def delete(self) -> None:
        """Delete the artist's map in force; the program's own is chosen."""
        now = self.current
        if now.mine:
            (_folder() / f"{now.id}.json").unlink(missing_ok=True)
            self._all().pop(now.id, None)
            self.choose(OWN)

    # -- files ---------------------------------------------------------------------------------------------------------

    def import_map(self, path: Path) -> tuple[KeyMap, int]:
        """Add an exported map and choose it: (map, how many of its commands this program does not have).

        Raises ProjectError for a file that is no map.
        """
        found = read_map(path)
        known = {i: k for i, k in found.keys.items() if i in self._by_id}
        unknown = len(found.keys) - len(known)
        # A file made by hand may give one key to two commands: the first keeps it.
        made: dict[str, tuple[str, ...]] = {}
        for action_id, keys in known.items():
            row = self._by_id[action_id]
            made[action_id] = tuple(k for k in keys if not conflicts(self.rows, made, row, k))
        keymap = self._named(found.name, frozen_map(made))
        self._put(keymap)
        return keymap, unknown

    def export_map(self, path: Path) -> None:
        """Write every command's keys, so that the file means the same wherever it is read. Raises OSError."""
        whole = KeyMap(id="", name=self.current.name, keys=frozen_map(dict(self.keys)))
        write_atomic(path, written(whole))

    def _all(self) -> dict[str, KeyMap]:
        if self._maps is None:
            own = KeyMap(id=OWN, name="Gen2 Studio", about="The keys that this program was made with.")
            self._maps = {OWN: own}
            for path in sorted((resources_dir() / "keymaps").glob("*.toml")):
                found = built_in(path)
                self._maps[found.id] = found
            for path in sorted(_folder().glob("*.json")):
                try:
                    read = read_map(path)
                except ProjectError as error:
                    _log.warning("%s", error)
                    continue
                self._maps[path.stem] = KeyMap(id=path.stem, name=read.name, keys=read.keys, mine=True)
        return self._maps

    def _named(self, name: str, keys: Keys) -> KeyMap:
        """A new map of the artist's under a name that is free."""
        names = {m.name for m in self.maps}
        shown, number = name, 2
        while shown in names:
            shown, number = f"{name} {number}", number + 1
        number = 1
        while f"mine{number}" in self._all():
            number += 1
        return KeyMap(id=f"mine{number}", name=shown, keys=keys, mine=True)

    def _put(self, keymap: KeyMap) -> None:
        self._all()[keymap.id] = keymap
        try:
            write_atomic(_folder() / f"{keymap.id}.json", written(keymap))
        except OSError as error:
            _log.warning("the key map can't be saved: %s", error)
        if self._preferences.get("key_map") == keymap.id:
            self._forget()
        else:
            self._preferences.set("key_map", keymap.id)


def _folder() -> Path:
    folder = config_dir() / "keymaps"
    folder.mkdir(exist_ok=True)
    return folder
