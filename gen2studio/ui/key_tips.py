"""Tool tips that show the keys in force. A button that stands for a command names it in its property ``command``."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtGui import QKeySequence

from gen2studio.app.actions import Action

_in_force: dict[str, tuple[str, ...]] = {}


def use(keys: Mapping[str, tuple[str, ...]]) -> None:
    """Another key map is in force: command id → keys in portable text. One window a process, one map a window."""
    _in_force.clear()
    _in_force.update(keys)


def keys_of(row: Action) -> list[str]:
    """The keys of a command as this system writes them."""
    return [_written(key) for key in _in_force.get(row.id, row.shortcuts())]


def first_keys(*rows: Action) -> str:
    """The first keys of commands that belong together, as in ``Ctrl+Z, Ctrl+Shift+Z``; empty where none has one."""
    return ", ".join(keys[0] for row in rows if (keys := keys_of(row)))


def tip(row: Action) -> str:
    """What a tool tip says of a command: name, first key, what it does."""
    keys = _in_force.get(row.id, row.shortcuts())
    label = row.text.rstrip("…")
    if not keys:
        return f"{label}\n{row.tip}"
    return f"{label} ({_written(keys[0])})\n{row.tip}"


def _written(key: str) -> str:
    return QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText)
