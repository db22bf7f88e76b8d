"""The collector rests while it could only stand in the way, and runs again afterwards."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from gen2studio.core import garbage


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.enable()
    gc.unfreeze()


def test_blocks_may_overlap() -> None:
    with garbage.collector_paused():
        garbage.pause()
        assert not gc.isenabled()
    assert not gc.isenabled(), "the other pause still holds"
    garbage.resume()
    assert gc.isenabled()


def test_what_was_made_meanwhile_is_not_visited_again() -> None:
    before = gc.get_freeze_count()
    with garbage.collector_paused():
        kept = [[i] for i in range(5000)]
    assert gc.get_freeze_count() >= before + 5000
    assert not any(item is kept for item in gc.get_objects())


def test_an_error_lets_the_collector_run_again() -> None:
    with pytest.raises(ValueError), garbage.collector_paused():
        raise ValueError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with garbage.collector_paused():
        pass
    assert not gc.isenabled()
