"""``dataclass`` with less to compile: the program defines hundreds of them before its window is on screen.

``dataclasses.dataclass`` writes and compiles the text of six methods for every class, a fifth of the instructions of
a start. Here it still makes the constructor and what freezes an object; comparing, hashing and showing are ordinary
functions over the fields. What they return is the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses
    import reprlib
    from collections.abc import Callable
    from operator import attrgetter
    from typing import Any

    def dataclass(cls: type | None = None, /, *, eq: bool = True, frozen: bool = False, **options: bool) -> Any:
        """As ``dataclasses.dataclass``, for ``eq``, ``frozen``, ``slots`` and ``kw_only``."""

        def wrap(cls: type) -> type:
            own = set(vars(cls))
            made = dataclasses.dataclass(repr=False, eq=False, frozen=frozen, **options)(cls)
            if "__repr__" not in own:
                made.__repr__ = _shown
            if eq:
                key = _key(made)
                if "__eq__" not in own:
                    made.__eq__ = _equality(key)
                if "__hash__" not in own:
                    made.__hash__ = _hashing(key) if frozen else None
            params = made.__dataclass_params__
            params.repr, params.eq = True, eq
            return made

        return wrap if cls is None else wrap(cls)

    @reprlib.recursive_repr()
    def _shown(self: Any) -> str:
        parts = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
        return f"{type(self).__qualname__}({', '.join(parts)})"

    def _key(cls: type) -> Callable[[Any], Any]:
        """What an object is compared and hashed by: a tuple of fields, or the only one."""
        names = [f.name for f in dataclasses.fields(cls) if f.compare]
        return attrgetter(*names) if names else lambda _object: ()

    def _equality(key: Callable[[Any], Any]) -> Callable[[Any, object], Any]:
        def __eq__(self: Any, other: object) -> Any:
            return (key(self),) == (key(other),) if other.__class__ is self.__class__ else NotImplemented

        return __eq__

    def _hashing(key: Callable[[Any], Any]) -> Callable[[Any], int]:
        def __hash__(self: Any) -> int:
            return hash(key(self))

        return __hash__
