"""Transitions against their geometry, point by point."""

from __future__ import annotations

from math import atan2, cos, hypot, pi, radians, sin

import numpy as np
import pytest

from gen2studio.core.geometry import Extent
from gen2studio.document.composition import TransitionKind
from gen2studio.raster.transitions import MOVING, WEIGHED, joined, moved, offsets, share

SIZE = Extent(60, 36)
OLD = np.full((36, 60, 4), (10, 20, 30, 255), np.uint8)
NEW = np.full((36, 60, 4), (200, 150, 100, 255), np.uint8)


def one(kind: str, progress: float, angle: float = 0.0, softness: float = 0.0) -> np.ndarray:
    return joined(OLD, NEW, kind, progress, angle, softness, (255, 0, 0))


@pytest.mark.parametrize("kind", [kind.value for kind in TransitionKind])
@pytest.mark.parametrize("softness", [0.0, 0.4])
def test_every_transition_starts_with_the_old_and_ends_with_the_new(kind: str, softness: float) -> None:
    for angle in (0, 30, 90, 200):
        assert np.array_equal(one(kind, 0.0, angle, softness), OLD)
        assert np.array_equal(one(kind, 1.0, angle, softness), NEW)


def test_a_dissolve_is_a_mean() -> None:
    wanted = OLD * 0.7 + NEW * 0.3
    assert np.abs(one("dissolve", 0.3) - wanted).max() <= 0.51


@pytest.mark.parametrize("angle", [0, 90, 180, 35, 250])
@pytest.mark.parametrize("softness", [0.0, 0.5])
def test_a_wipe_is_a_ramp_along_its_angle(angle: float, softness: float) -> None:
    dx, dy = cos(radians(angle)), sin(radians(angle))
    length = abs(dx) * 60 + abs(dy) * 36
    soft = max(softness, 1 / length)
    got = share("wipe", 0.4, SIZE, angle, softness)
    assert isinstance(got, np.ndarray)
    for y, x in ((0, 0), (18, 30), (35, 59), (7, 44), (30, 12)):
        place = (dx * (x + 0.5 - 30) + dy * (y + 0.5 - 18)) / length + 0.5
        assert got[y, x] == pytest.approx(min(1, max(0, (0.4 * (1 + soft) - place) / soft)), abs=1e-3)
    # Half the way, half the frame.
    half = share("wipe", 0.5, SIZE, angle, softness)
    assert np.mean(half) == pytest.approx(0.5, abs=0.02)


def test_a_clock_turns_from_twelve_and_an_iris_opens_from_the_middle() -> None:
    clock = share("clock", 0.25, SIZE)
    iris = share("iris", 0.5, SIZE)
    assert isinstance(clock, np.ndarray) and isinstance(iris, np.ndarray)
    for y, x in ((3, 45), (30, 45), (30, 10), (3, 10), (17, 50)):
        turned = atan2(x + 0.5 - 30, 18 - (y + 0.5)) % (2 * pi) / (2 * pi)
        assert clock[y, x] == (1 if turned < 0.245 else 0 if turned > 0.255 else pytest.approx(clock[y, x]))
    for y, x in ((18, 30), (18, 50), (1, 1), (10, 20), (34, 30)):
        far = hypot((x + 0.5 - 30) / 30, (y + 0.5 - 18) / 18) / 2**0.5
        assert iris[y, x] == (1 if far < 0.45 else 0 if far > 0.57 else pytest.approx(iris[y, x]))
    # A hand that starts at three o'clock.
    late = share("clock", 0.25, SIZE, 90.0)
    assert isinstance(late, np.ndarray) and late[30, 45] == 1 and late[3, 45] == 0


def test_a_push_shows_both_without_a_seam() -> None:
    for progress in (0.1, 0.37, 0.8):
        out = one("push", progress)
        edge = round(60 * progress)
        assert np.array_equal(out[:, :edge], NEW[:, :edge])
        assert np.array_equal(out[:, edge:], OLD[:, edge:])
    down = one("push", 0.5, 90.0)
    assert np.array_equal(down[:18], NEW[:18]) and np.array_equal(down[18:], OLD[18:])


def test_pushed_pictures_move_and_a_slide_leaves_the_old_one() -> None:
    ramp = OLD.copy()
    ramp[..., 0] = np.arange(60)[None, :]
    out = joined(ramp, NEW, "push", 0.5, 0.0, 0.0, (0, 0, 0))
    assert list(out[0, 30:, 0]) == list(range(30))
    out = joined(ramp, NEW, "slide", 0.5, 0.0, 0.0, (0, 0, 0))
    assert list(out[0, 30:, 0]) == list(range(30, 60))
    # From the right.
    assert (joined(ramp, NEW, "slide", 0.25, 180.0, 0.0, (0, 0, 0))[:, 45:] == NEW[:, 45:]).all()
    with pytest.raises(KeyError):
        offsets("dissolve", 0.5, SIZE)


def test_a_dip_goes_through_its_colour() -> None:
    assert (one("dip", 0.5) == (0, 0, 255, 255)).all()
    assert np.abs(one("dip", 0.25)[0, 0].astype(float) - (OLD[0, 0] + np.array([0, 0, 255, 255])) / 2).max() <= 0.51
    assert np.abs(one("dip", 0.75)[0, 0].astype(float) - (NEW[0, 0] + np.array([0, 0, 255, 255.0])) / 2).max() <= 0.51


def test_every_kind_is_known() -> None:
    assert {kind.value for kind in TransitionKind} == WEIGHED | MOVING | {"dip"}
    with pytest.raises(KeyError):
        one("star", 0.5)
    assert not moved(NEW, 60, 0).any() and not moved(NEW, 0, -36).any()
