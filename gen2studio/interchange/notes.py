"""What could not be carried, gathered while a timeline is read or written, and said in words."""

from __future__ import annotations

from gen2studio.core.records import dataclass

_SHOWN = 3
"""Names in a sentence; the others are counted."""


@dataclass(frozen=True, slots=True)
class Note:
    """One kind of thing that was not carried, and where it was."""

    what: str
    """With a capital and no full stop: ``Opacity keys``."""
    names: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        if not self.names:
            return f"{self.what}."
        shown = ", ".join(f"“{name}”" for name in self.names[:_SHOWN])
        more = len(self.names) - _SHOWN
        return f"{self.what}: {shown}{f' and {more} more' if more > 0 else ''}."


class Notes:
    """Gathers notes of one reading or writing; the order is that of first mention."""

    def __init__(self) -> None:
        self._found: dict[str, list[str]] = {}

    def add(self, what: str, name: str = "") -> None:
        names = self._found.setdefault(what, [])
        if name and name not in names:
            names.append(name)

    @property
    def all(self) -> tuple[Note, ...]:
        return tuple(Note(what, tuple(names)) for what, names in self._found.items())
