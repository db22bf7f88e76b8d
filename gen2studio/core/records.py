"""``dataclass`` with nothing to compile: the program defines hundreds of them before its window is on screen.

``dataclasses.dataclass`` writes and compiles the text of six methods for every class, a fifth of the instructions of
a start. Here the constructor is compiled when the first object is made; freezing, comparing, hashing and showing are
ordinary functions over the fields. What they return is the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar, cast

__all__ = ["dataclass", "replacer"]

T = TypeVar("T")


def replacer(cls: type[T], name: str) -> Callable[[T, Any], T]:
    """A function (record, value) → the record with ``value`` in its field ``name``, as ``dataclasses.replace`` makes,
    three times as fast: for what is done to thousands of records at once.

    ``cls`` is a slotted record without ``__post_init__``. The function is compiled when it is called first.
    """

    def compile_it() -> Callable[[T, Any], T]:
        scope: dict[str, Any] = {"_new": object.__new__, "_cls": cls}
        lines = ["made = _new(_cls)"]
        for f in fields(cast("Any", cls)):
            scope[f"_put_{f.name}"] = getattr(cls, f.name).__set__
            lines.append(f"_put_{f.name}(made, {'value' if f.name == name else f'record.{f.name}'})")
        exec("def replaced(record, value):\n " + "\n ".join([*lines, "return made"]), scope)
        return scope["replaced"]

    compiled: list[Callable[[T, Any], T]] = []

    def replaced(record: T, value: Any) -> T:
        if not compiled:
            compiled.append(compile_it())
        return compiled[0](record, value)

    return replaced


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses
    import reprlib
    from dataclasses import MISSING
    from operator import attrgetter

    def dataclass(
        cls: type | None = None, /, *, eq: bool = True, frozen: bool = False, slots: bool = False, kw_only: bool = False
    ) -> Any:
        """As ``dataclasses.dataclass`` with these options. Raises TypeError for a field without a default that
        follows one with a default."""

        def wrap(cls: type) -> type:
            own = set(vars(cls))
            if not cls.__doc__:
                # Or one is made of the signature, which takes longer than all the rest.
                cls.__doc__ = cls.__name__
            make = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)
            types = _own_types(cls)
            if types:
                # Every annotation that is a text is otherwise searched three times for what these don't hold.
                cls.__annotations__ = dict.fromkeys(types)
            made = make(cls)
            for name in types:
                made.__dataclass_fields__[name].type = types[name]
            if types:
                made.__annotations__ = types
            methods = {"__init__": _constructing(made, frozen), "__repr__": _shown}
            if frozen:
                methods |= _freezing(made)
            if frozen and slots:
                methods |= {"__getstate__": _state, "__setstate__": _set_state}
            if eq:
                key = _key(made)
                methods["__eq__"] = _equality(key)
                # A class that says how it compares has a ``__hash__`` of None unless it says that as well.
                if "__hash__" not in own or ("__eq__" in own and vars(cls)["__hash__"] is None):
                    made.__hash__ = _hashing(key) if frozen else None
            for name, method in methods.items():
                if name not in own:
                    setattr(made, name, method)
            params = made.__dataclass_params__
            params.init, params.repr, params.eq = True, True, eq
            return made

        return wrap if cls is None else wrap(cls)

    def _own_types(cls: type) -> dict[str, str]:
        """The annotations of a class when all of them are texts that name plain fields; else none."""
        types = vars(cls).get("__annotations__", {})
        plain = all(isinstance(text, str) and "Var" not in text and "KW_ONLY" not in text for text in types.values())
        return types if plain else {}

    def _constructing(cls: type, frozen: bool) -> Callable[..., None]:
        """An ``__init__`` that makes way for the compiled one when it is called."""
        defaults = [f.default is not MISSING or f.default_factory is not MISSING for f in _arguments(cls, False)]
        if defaults != sorted(defaults):
            raise TypeError(f"{cls.__name__}: a field without a default follows one with a default")

        def __init__(self: Any, /, *values: Any, **named: Any) -> None:
            cls.__init__ = _constructor(cls, frozen)
            cls.__init__(self, *values, **named)

        return __init__

    def _arguments(cls: type, kw_only: bool) -> list[dataclasses.Field[Any]]:
        return [f for f in dataclasses.fields(cls) if f.init and f.kw_only == kw_only]

    def _constructor(cls: type, frozen: bool) -> Callable[..., None]:
        """What ``dataclasses`` would have made: its text, compiled."""
        scope: dict[str, Any] = {"_put": object.__setattr__, "_MISSING": MISSING}
        lines: list[str] = []
        for f in dataclasses.fields(cls):
            if f.default_factory is not MISSING:
                scope[f"_new_{f.name}"] = f.default_factory
                value = f"_new_{f.name}()" + (f" if {f.name} is _MISSING else {f.name}" if f.init else "")
            elif f.default is not MISSING:
                scope[f"_default_{f.name}"] = f.default
                value = f.name if f.init else f"_default_{f.name}"
            elif f.init:
                value = f.name
            else:
                continue
            lines.append(f"_put(self, {f.name!r}, {value})" if frozen else f"self.{f.name} = {value}")
        if hasattr(cls, "__post_init__"):
            lines.append("self.__post_init__()")

        def argument(f: dataclasses.Field[Any]) -> str:
            if f.default_factory is not MISSING:
                return f"{f.name}=_MISSING"
            return f.name if f.default is MISSING else f"{f.name}=_default_{f.name}"

        listed = ["self", *map(argument, _arguments(cls, False))]
        if named := _arguments(cls, True):
            listed += ["*", *map(argument, named)]
        body = "\n ".join(lines or ["pass"])
        exec(f"def __init__({', '.join(listed)}):\n {body}", scope)
        made = scope["__init__"]
        made.__qualname__ = f"{cls.__qualname__}.__init__"
        made.__module__ = cls.__module__
        return made

    def _freezing(cls: type) -> dict[str, Callable[..., None]]:
        names = frozenset(f.name for f in dataclasses.fields(cls))

        def __setattr__(self: Any, name: str, value: Any) -> None:
            if type(self) is cls or name in names:
                raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
            super(cls, self).__setattr__(name, value)

        def __delattr__(self: Any, name: str) -> None:
            if type(self) is cls or name in names:
                raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
            super(cls, self).__delattr__(name)

        return {"__setattr__": __setattr__, "__delattr__": __delattr__}

    def _state(self: Any) -> list[Any]:
        return [getattr(self, f.name) for f in dataclasses.fields(self)]

    def _set_state(self: Any, state: list[Any]) -> None:
        for f, value in zip(dataclasses.fields(self), state, strict=True):
            object.__setattr__(self, f.name, value)

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
