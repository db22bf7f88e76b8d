"""Records are dataclasses in all but the text that is compiled for them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field

import pytest

from gen2studio.core.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    x: int
    y: float = 0.0
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Alone:
    value: float


@dataclass(slots=True)
class Loose:
    value: int
    more: list[int] = field(default_factory=list[int])


@dataclass(frozen=True, slots=True, eq=False)
class Unique:
    value: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    x: int
    y: float = 0.0
    note: str = field(default="", compare=False, repr=False)


def test_they_compare_and_hash_by_their_fields() -> None:
    assert Point(x=1, y=2.0, note="a") == Point(x=1, y=2.0, note="b")
    assert hash(Point(x=1, note="a")) == hash(Point(x=1, note="b")) == hash(Plain(x=1))
    assert Point(x=1) != Point(x=2)
    assert Point(x=1) != Plain(x=1)
    assert Alone(2.0) == Alone(2.0) != Alone(3.0)
    nan = float("nan")
    assert Alone(nan) == Alone(nan), "the same object, as in a tuple"
    assert len({Point(x=1), Point(x=1), Point(x=2)}) == 2


def test_they_show_what_dataclasses_show() -> None:
    assert repr(Point(x=1, y=0.5, note="hidden")) == repr(Plain(x=1, y=0.5)).replace("Plain", "Point")
    loose = Loose(1)
    loose.more.append(2)
    assert repr(loose) == "Loose(value=1, more=[2])"


def test_frozen_ones_stay_as_they_are_and_loose_ones_do_not_hash() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Point(x=1).x = 2  # type: ignore[misc]
    assert not hasattr(Point(x=1), "__dict__")
    with pytest.raises(TypeError):
        hash(Loose(1))
    assert Unique(1) != Unique(1)
    assert len({Unique(1), Unique(1)}) == 2


def test_they_are_replaced_copied_and_kept() -> None:
    point = dataclasses.replace(Point(x=1), y=3.0)
    assert (point.x, point.y) == (1, 3.0)
    assert pickle.loads(pickle.dumps(point)) == copy.deepcopy(point) == point
    assert [f.name for f in dataclasses.fields(point)] == ["x", "y", "note"]
    assert dataclasses.asdict(Loose(1)) == {"value": 1, "more": []}


def test_constructors_take_what_those_of_dataclasses_take() -> None:
    @dataclass(frozen=True, slots=True)
    class Base:
        first: int
        many: list[int] = field(default_factory=list[int])
        made: str = field(init=False, default="made")

        def __post_init__(self) -> None:
            if self.first < 0:
                raise ValueError("below zero")

    @dataclass(frozen=True, slots=True)
    class Longer(Base):
        last: str = field(default="z", kw_only=True)

    assert Base(1) == Base(first=1, many=[])
    assert Base(1).many is not Base(1).many
    assert Base(1).made == "made"
    assert (Longer(1, [2], last="y").many, Longer(1).last) == ([2], "z")
    with pytest.raises(ValueError):
        Longer(-1)
    for wrong in (lambda: Base(), lambda: Base(1, [], "x"), lambda: Longer(1, [], "y"), lambda: Point(1)):  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="__init__"):
            wrong()
    with pytest.raises(dataclasses.FrozenInstanceError):
        Longer(1).first = 2  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del Longer(1).last
    with pytest.raises(TypeError):

        @dataclass
        class Wrong:
            given: int = 1
            missing: str  # type: ignore[misc]


def test_fields_with_defaults_can_be_read_from_the_class_of_loose_ones() -> None:
    @dataclass
    class Open:
        value: int = 3

    assert Open.value == Open().value == 3


def test_own_methods_are_kept() -> None:
    @dataclass(frozen=True)
    class Own:
        value: int

        def __repr__(self) -> str:
            return "own"

        def __hash__(self) -> int:
            return 7

    assert repr(Own(1)) == "own"
    assert hash(Own(1)) == 7
    assert Own(1) == Own(1)


def test_a_replacer_changes_one_field_and_keeps_the_rest() -> None:
    from dataclasses import replace

    from gen2studio.core.curve import CurveKey, Ease
    from gen2studio.core.records import replacer

    move = replacer(CurveKey, "frame")
    key = CurveKey(3, 0.5, Ease.SMOOTH, (-1.0, 0.0), (2.0, 0.25))
    assert move(key, 9) == replace(key, frame=9)
    assert key.frame == 3 and move(key, 9).out_handle is key.out_handle
