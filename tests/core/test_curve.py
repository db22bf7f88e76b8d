"""A number over time: what it is between keys, beyond them and after its keys were changed."""

from __future__ import annotations

import pytest

from gen2studio.core.curve import Curve, CurveKey, Ease


def curve(*keys: tuple[int, float] | tuple[int, float, Ease]) -> Curve:
    return Curve(7.0, tuple(CurveKey(*key) for key in keys))


def test_without_keys_it_rests() -> None:
    assert Curve(3.0).at(-5) == Curve(3.0).at(500) == 3.0 and not Curve(3.0).moving
    assert Curve(3.0).with_value(9, 4.0) == Curve(4.0)


@pytest.mark.parametrize(
    ("ease", "quarter", "half"), [(Ease.LINEAR, 12.5, 15.0), (Ease.HOLD, 10.0, 10.0), (Ease.SMOOTH, 11.5625, 15.0)]
)
def test_a_stretch_goes_on_as_its_first_key_says(ease: Ease, quarter: float, half: float) -> None:
    moving = curve((4, 10.0, ease), (8, 20.0))
    assert [moving.at(frame) for frame in (-9, 4, 5, 6, 8, 99)] == [10.0, 10.0, quarter, half, 20.0, 20.0]


def test_a_bezier_without_handles_is_smooth_and_with_thirds_a_line() -> None:
    flat = curve((0, 0.0, Ease.BEZIER), (30, 1.0))
    assert flat.at(0) == 0.0 and flat.at(30) == 1.0 and flat.at(15) == pytest.approx(0.5)
    line = Curve(
        0.0, (CurveKey(0, 0.0, Ease.BEZIER, out_handle=(10.0, 1 / 3)), CurveKey(30, 1.0, in_handle=(-10.0, -1 / 3)))
    )
    assert [line.at(frame) for frame in (3, 12, 27)] == pytest.approx([0.1, 0.4, 0.9])
    over = Curve(
        0.0, (CurveKey(0, 0.0, Ease.BEZIER, out_handle=(15.0, 2.0)), CurveKey(30, 0.0, in_handle=(-15.0, 2.0)))
    )
    assert over.at(15) == pytest.approx(1.5)


def test_a_value_is_a_key_where_there_are_keys_and_eases_as_its_neighbour() -> None:
    moving = curve((4, 10.0, Ease.HOLD), (8, 20.0)).with_value(6, 1.0)
    assert moving.keys == (CurveKey(4, 10.0, Ease.HOLD), CurveKey(6, 1.0, Ease.HOLD), CurveKey(8, 20.0))
    assert moving.with_value(2, 0.0).key_at(2) == CurveKey(2, 0.0)
    assert moving.with_value(8, 5.0).at(8) == 5.0 and len(moving.with_value(8, 5.0).keys) == 3


def test_the_last_key_leaves_its_value() -> None:
    moving = curve((4, 10.0), (8, 20.0))
    assert moving.without_key(4) == curve((8, 20.0))
    assert moving.without_key(4).without_key(8) == Curve(20.0)
    assert moving.without_key(5) == moving


def test_keys_move_stretch_and_turn() -> None:
    moving = Curve(
        7.0,
        (
            CurveKey(4, 10.0, Ease.HOLD, out_handle=(2.0, 1.0)),
            CurveKey(8, 20.0, in_handle=(-1.0, 3.0)),
            CurveKey(9, 0.0),
        ),
    )
    assert [key.frame for key in moving.shifted(-5).keys] == [-1, 3, 4] and moving.shifted(-5).at(-1) == 10.0
    slow = moving.scaled(2)
    assert [key.frame for key in slow.keys] == [8, 16, 18] and slow.keys[0].out_handle == (4.0, 1.0)
    assert [(key.frame, key.value) for key in moving.scaled(0.25).keys] == [(1, 10.0), (2, 0.0)]
    back = moving.mirrored(10)
    # A stretch keeps its easing, which now begins at its other end.
    assert back.keys == (
        CurveKey(1, 0.0),
        CurveKey(2, 20.0, Ease.HOLD, out_handle=(1.0, 3.0)),
        CurveKey(6, 10.0, in_handle=(-2.0, 1.0)),
    )
