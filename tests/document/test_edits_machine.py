"""Random edits in random order: no rule ever breaks, a refused edit changes nothing, undo is identity, and what is
saved is what is opened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import EditRefused
from gen2studio.document import edits, lookup
from gen2studio.document.model import Document
from tests.document.random_edits import NAMES, SeededPicks, broken, edited, round_trip, start

T = TypeVar("T")


class _Drawn:
    """Picks of hypothesis, which makes them small again when something breaks."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def number(self, low: int, high: int) -> int:
        return self._data.draw(st.integers(low, high))

    def one(self, found: Sequence[T]) -> T:
        return found[self._data.draw(st.integers(0, len(found) - 1))]


class Cutting(RuleBasedStateMachine):
    """One project in a store, edited, undone and redone."""

    def __init__(self) -> None:
        super().__init__()
        self.store = DocumentStore(start())
        self.past: list[Document] = []
        self.attempt("append", SeededPicks(1))
        self.attempt("append", SeededPicks(2))

    def attempt(self, name: str, picks: _Drawn | SeededPicks) -> None:
        before, text = self.store.document, repr(self.store.document)
        try:
            after = edited(before, name, picks)
        except EditRefused as refused:
            assert refused.sentence.endswith("."), refused.sentence
            assert repr(before) == text
            return
        assert repr(before) == text, f"{name} changed its input"
        if after is not before:
            self.past.append(before)
            self.store.apply(name, after)

    @rule(name=st.sampled_from(NAMES), data=st.data())
    def edit(self, name: str, data: st.DataObject) -> None:
        self.attempt(name, _Drawn(data))

    @rule(data=st.data(), head=st.booleans())
    def limits_are_exact(self, data: st.DataObject, head: bool) -> None:
        """What ``trim_limits`` allows works and the frame beyond refuses (unless a track is locked)."""
        document = self.store.document
        sequence = document.sequence
        assert sequence is not None
        clips = [clip for _, clip in lookup.each_clip(sequence)]
        if not clips or any(t.locked for t in sequence.tracks):
            return
        one, edge = _Drawn(data).one(clips).id, edits.Edge.HEAD if head else edits.Edge.TAIL
        edit = edits.trim_head if head else edits.trim_tail
        limits = edits.trim_limits(sequence, one, edge, document.media)
        changed = edit(sequence, one, limits.clamp(data.draw(st.integers(-99, 99))), document.media)
        assert lookup.problems(changed, document.media) == []
        if limits.high < edits.FAR:
            with pytest.raises(EditRefused):
                edit(sequence, one, limits.high + 1, document.media)

    @rule()
    def undo(self) -> None:
        if self.past:
            now = self.store.document
            self.store.undo_stack.undo()
            assert self.store.document == self.past[-1]
            self.store.undo_stack.redo()
            assert self.store.document == now
            self.store.undo_stack.undo()
            self.past.pop()

    @invariant()
    def sound(self) -> None:
        assert broken(self.store.document) == []

    @invariant()
    def saved_as_it_is(self) -> None:
        assert round_trip(self.store.document)


TestCutting = Cutting.TestCase
TestCutting.settings = settings(
    max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)


def test_edits_in_a_row_by_a_seed() -> None:
    """A short piece of ``tests.bench.long_edits``."""
    picks, document, changed = SeededPicks(5), start(), 0
    for _ in range(600):
        try:
            after = edited(document, picks.one(NAMES), picks)
        except EditRefused:
            continue
        assert broken(after) == []
        changed += after is not document
        document = after
    assert changed > 150
    assert round_trip(document)
