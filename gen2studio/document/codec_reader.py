"""Strict reading of decoded JSON: every value is checked, every complaint says where it is."""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NoReturn, TypeVar, cast

from gen2studio.core.errors import ProjectError
from gen2studio.core.ids import is_id

E = TypeVar("E", bound=enum.Enum)

BIGGEST = 1 << 40
"""No frame, count or size in a project exceeds this."""
SIDE = 65536
"""No picture in a project is wider or higher."""
LONGEST_TEXT = 4 << 20
_FRACTION = re.compile(r"^-?\d{1,24}/\d{1,24}$")
_HEX = re.compile(r"^[0-9a-f]+$")
_WORD = re.compile(r"^[A-Za-z0-9_.\-]*$")
_REMEDY = "Open an earlier copy of the project, or recover it from its journal."
_ABSENT: Any = object()


def complain(where: str, what: str) -> NoReturn:
    raise ProjectError(f"The project file is damaged: {where} {what}.", _REMEDY)


class Node:
    """One JSON object and where it is."""

    __slots__ = ("data", "where")

    def __init__(self, data: Any, where: str) -> None:
        if not isinstance(data, dict):
            complain(where, "is not an object")
        self.data = cast("dict[str, Any]", data)
        self.where = where

    def raw(self, key: str, default: Any = _ABSENT) -> Any:
        value = self.data.get(key, default)
        if value is _ABSENT:
            complain(self.where, f"has no {key}")
        return value

    def text(self, key: str, default: str = _ABSENT, limit: int = LONGEST_TEXT) -> str:
        value = self.raw(key, default)
        if not isinstance(value, str) or len(value) > limit:
            complain(self.where, f"has no valid {key}")
        try:
            value.encode()
        except UnicodeEncodeError:
            complain(self.where, f"has no valid {key}")
        return value

    def word(self, key: str, default: str = _ABSENT) -> str:
        """A short name that may become part of a file name: letters, digits, ``_ . -``."""
        value = self.text(key, default, 128)
        if not _WORD.match(value) or ".." in value:
            complain(self.where, f"has no valid {key}")
        return value

    def ident(self, key: str, optional: bool = False) -> str:
        value = self.text(key, "" if optional else _ABSENT, 64)
        if not (is_id(value) or (optional and not value)):
            complain(self.where, f"has a {key} that is no id")
        return value

    def hexadecimal(self, key: str, length: int, optional: bool = False) -> str:
        value = self.text(key, "" if optional else _ABSENT, 128)
        if optional and not value:
            return value
        return hexadecimal(value, length, self.where, key)

    def integer(self, key: str, low: int = 0, high: int = BIGGEST, default: int = _ABSENT) -> int:
        return integer(self.raw(key, default), low, high, self.where, key)

    def optional_integer(self, key: str, low: int = 0, high: int = BIGGEST) -> int | None:
        value = self.raw(key, None)
        return None if value is None else integer(value, low, high, self.where, key)

    def number(self, key: str, low: float, high: float, default: float = _ABSENT) -> float:
        value = self.raw(key, default)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            complain(self.where, f"has no valid {key}")
        if not low <= value <= high:
            complain(self.where, f"has a {key} out of range")
        return float(value)

    def optional_number(self, key: str, low: float, high: float) -> float | None:
        return None if self.raw(key, None) is None else self.number(key, low, high)

    def flag(self, key: str, default: bool = _ABSENT) -> bool:
        value = self.raw(key, default)
        if not isinstance(value, bool):
            complain(self.where, f"has no valid {key}")
        return value

    def fraction(self, key: str, low: Fraction | int | None = None, default: str = _ABSENT) -> Fraction:
        value = self.raw(key, default)
        if not isinstance(value, str) or not _FRACTION.match(value):
            complain(self.where, f"has no valid {key}")
        above, below = value.split("/")
        if not int(below):
            complain(self.where, f"has no valid {key}")
        found = Fraction(int(above), int(below))
        if low is not None and found < low:
            complain(self.where, f"has a {key} out of range")
        return found

    def choice(self, key: str, kind: type[E]) -> E:
        value = self.raw(key)
        try:
            return kind(value)
        except ValueError:
            complain(self.where, f"has an unknown {key}")

    def colour(self, key: str) -> tuple[int, int, int]:
        value = self.listing(key)
        if len(value) != 3:
            complain(self.where, f"has no valid {key}")
        red, green, blue = (integer(v, 0, 255, self.where, key) for v in value)
        return red, green, blue

    def listing(self, key: str, default: list[Any] = _ABSENT) -> list[Any]:
        value = self.raw(key, default)
        if not isinstance(value, list):
            complain(self.where, f"has no valid {key}")
        return cast("list[Any]", value)

    def nodes(self, key: str, what: str) -> Iterator[Node]:
        for number, item in enumerate(self.listing(key)):
            yield Node(item, f"{what} {number + 1} of {self.where}")

    def idents(self, key: str) -> tuple[str, ...]:
        found = self.listing(key, [])
        for value in found:
            if not isinstance(value, str) or not is_id(value):
                complain(self.where, f"has {key} that are no ids")
        return tuple(found)

    def node(self, key: str) -> Node:
        return Node(self.raw(key), f"the {key} of {self.where}")


def integer(value: Any, low: int, high: int, where: str, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        complain(where, f"has no valid {key}")
    if not low <= value <= high:
        complain(where, f"has a {key} out of range")
    return value


def pair(node: Node, key: str) -> tuple[int, int]:
    """Two sides of a picture in pixels, each 0…:data:`SIDE`."""
    found = node.listing(key)
    if len(found) != 2:
        complain(node.where, f"has no valid {key}")
    return integer(found[0], 0, SIDE, node.where, key), integer(found[1], 0, SIDE, node.where, key)


def hexadecimal(value: Any, length: int, where: str, key: str) -> str:
    if not isinstance(value, str) or len(value) != length or not _HEX.match(value):
        complain(where, f"has a {key} that is no digest")
    return value


def fraction_text(value: Fraction) -> str:
    return f"{value.numerator}/{value.denominator}"


def parse_json(text: bytes | str) -> dict[str, Any]:
    """JSON without NaN or infinities, as an object. Raises ProjectError."""

    def refuse(constant: str) -> NoReturn:
        complain("it", f"holds the number {constant}")

    try:
        data: Any = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise ProjectError("The project file is damaged: it is not valid JSON.", _REMEDY) from error
    return Node(data, "it").data
