"""Numbers with keys."""

from __future__ import annotations

from gen2studio.core.keyed import Keyed


def test_lines_between_keys_and_held_ends() -> None:
    number = Keyed(9.0, ((10, 1.0), (20, 3.0)))
    assert [number.at(f) for f in (0, 10, 15, 20, 99)] == [1.0, 1.0, 2.0, 3.0, 3.0]
    assert Keyed(9.0).at(4) == 9.0


def test_changing_a_number_keys_it_only_where_it_has_keys() -> None:
    assert Keyed(1.0).with_value(5, 2.0) == Keyed(2.0)
    assert Keyed(1.0, ((0, 1.0),)).with_value(5, 2.0) == Keyed(1.0, ((0, 1.0), (5, 2.0)))


def test_the_last_key_leaves_its_value() -> None:
    one = Keyed(1.0).with_key(7, 4.0)
    assert one.without_key(7) == Keyed(4.0)
    assert one.without_key(8) == one
