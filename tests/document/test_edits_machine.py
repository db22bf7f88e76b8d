"""Random edits in random order: no rule ever breaks, a refused edit changes nothing, undo is identity."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gen2studio.core.errors import EditRefused
from gen2studio.document import edits, lookup
from gen2studio.document.model import Sequence, TrackKind
from tests.document.builders import still, timeline, video

ITEMS = (video(), video("media-0000000000a2", 3, sound=False), still())
MEDIA = {item.id: item for item in ITEMS}
frames = st.integers(0, 400)
deltas = st.integers(-120, 120)
picks = st.integers(0, 10_000)
booleans = st.booleans()


class Cutting(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.sequence: Sequence = timeline()
        self.history: list[tuple[Sequence, str]] = []

    # -- how an edit is tried --------------------------------------------------------------------------------------

    def attempt(self, edit: Any) -> None:
        before, text = self.sequence, repr(self.sequence)
        try:
            changed = edit(before)
        except EditRefused as refused:
            assert refused.sentence.endswith("."), refused.sentence
            assert repr(before) == text
            return
        assert repr(before) == text, "an edit changed its input"
        self.history.append((before, text))
        self.sequence = changed

    def clip(self, pick: int) -> str:
        ids = [clip.id for _, clip in lookup.each_clip(self.sequence)]
        return ids[pick % len(ids)] if ids else "clip-000000000000"

    # -- edits -----------------------------------------------------------------------------------------------------

    @rule(
        item=st.sampled_from(ITEMS), frame=frames, collision=st.sampled_from(edits.Collision), seconds=st.integers(1, 3)
    )
    def place(self, item: Any, frame: int, collision: edits.Collision, seconds: int) -> None:
        source = (Fraction(0), Fraction(seconds))
        self.attempt(lambda s: edits.place_media(s, item, frame, collision=collision, source=source).sequence)

    @rule(item=st.sampled_from(ITEMS))
    def append(self, item: Any) -> None:
        self.attempt(lambda s: edits.append_media(s, item, source=(Fraction(0), Fraction(2))).sequence)

    @rule(pick=picks, more=picks, delta=deltas, steps=st.integers(-1, 1), collision=st.sampled_from(edits.Collision),
          linked=booleans)  # fmt: skip
    def move(self, pick: int, more: int, delta: int, steps: int, collision: edits.Collision, linked: bool) -> None:
        ids = {self.clip(pick), self.clip(more)}
        self.attempt(lambda s: edits.move(s, ids, delta, track_steps=steps, collision=collision, linked=linked))

    @rule(pick=picks, delta=deltas)
    def duplicate(self, pick: int, delta: int) -> None:
        self.attempt(lambda s: edits.duplicate(s, [self.clip(pick)], delta).sequence)

    @rule(frame=frames)
    def razor(self, frame: int) -> None:
        self.attempt(lambda s: edits.razor(s, frame))

    @rule(pick=picks, delta=deltas, head=booleans, ripple=booleans, linked=booleans, every=booleans)
    def trim(self, pick: int, delta: int, head: bool, ripple: bool, linked: bool, every: bool) -> None:
        if ripple:
            edit = edits.ripple_trim_head if head else edits.ripple_trim_tail
            self.attempt(lambda s: edit(s, self.clip(pick), delta, MEDIA, all_tracks=every, linked=linked))
        else:
            plain = edits.trim_head if head else edits.trim_tail
            self.attempt(lambda s: plain(s, self.clip(pick), delta, MEDIA, linked=linked))

    @rule(pick=picks, delta=deltas, linked=booleans, kind=st.sampled_from(["slip", "slide", "roll"]))
    def adjust(self, pick: int, delta: int, linked: bool, kind: str) -> None:
        one = self.clip(pick)
        if kind == "slip":
            self.attempt(lambda s: edits.slip(s, one, delta, MEDIA, linked=linked))
        elif kind == "slide":
            self.attempt(lambda s: edits.slide(s, one, delta, MEDIA, linked=linked))
        else:
            self.attempt(lambda s: edits.roll(s, one, self.next_to(s, one), delta, MEDIA, linked=linked))

    @staticmethod
    def next_to(sequence: Sequence, clip_id: str) -> str:
        after = lookup.neighbours(lookup.track_of(sequence, clip_id), clip_id)[1]
        return after.id if after is not None else clip_id

    @rule(pick=picks, linked=booleans, every=booleans)
    def ripple_delete(self, pick: int, linked: bool, every: bool) -> None:
        self.attempt(lambda s: edits.ripple_delete(s, [self.clip(pick)], all_tracks=every, linked=linked))

    @rule(pick=picks, linked=booleans)
    def lift(self, pick: int, linked: bool) -> None:
        self.attempt(lambda s: edits.lift(s, [self.clip(pick)], linked=linked))

    @rule(start=frames, length=st.integers(0, 80), close=booleans)
    def cut_range(self, start: int, length: int, close: bool) -> None:
        edit = edits.extract_range if close else edits.lift_range
        self.attempt(lambda s: edit(s, start, start + length))

    @rule(frame=frames, lane=st.integers(0, 3), every=booleans)
    def close_gap(self, frame: int, lane: int, every: bool) -> None:
        self.attempt(lambda s: edits.close_gap(s, s.tracks[lane % len(s.tracks)].id, frame, all_tracks=every))

    @rule(pick=picks, speed=st.sampled_from([Fraction(1, 3), Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2)]),
          ripple=booleans, linked=booleans)  # fmt: skip
    def speed(self, pick: int, speed: Fraction, ripple: bool, linked: bool) -> None:
        self.attempt(lambda s: edits.set_speed(s, [self.clip(pick)], speed, MEDIA, ripple=ripple, linked=linked))

    @rule(pick=picks, more=picks, together=booleans)
    def relink(self, pick: int, more: int, together: bool) -> None:
        ids = [self.clip(pick), self.clip(more)]
        self.attempt(lambda s: edits.link(s, ids) if together else edits.unlink(s, ids))

    @rule(lane=st.integers(0, 3), locked=booleans)
    def lock(self, lane: int, locked: bool) -> None:
        self.attempt(lambda s: edits.set_locked(s, s.tracks[lane % len(s.tracks)].id, locked))

    @rule(frame=frames, back=booleans)
    def mark(self, frame: int, back: bool) -> None:
        self.attempt(lambda s: edits.add_marker(s, frame) if back else edits.set_in_point(s, frame))

    @rule(kind=st.sampled_from(TrackKind), lane=st.integers(0, 5))
    def tracks(self, kind: TrackKind, lane: int) -> None:
        self.attempt(lambda s: edits.add_track(s, kind, index=lane) if len(s.tracks) < 6 else s)

    @rule(pick=picks, delta=deltas, head=booleans)
    def limits_are_exact(self, pick: int, delta: int, head: bool) -> None:
        """What ``trim_limits`` allows works and the frame beyond refuses (unless a track is locked)."""
        if not any(True for _ in lookup.each_clip(self.sequence)) or any(t.locked for t in self.sequence.tracks):
            return
        one, edge = self.clip(pick), edits.Edge.HEAD if head else edits.Edge.TAIL
        edit = edits.trim_head if head else edits.trim_tail
        limits = edits.trim_limits(self.sequence, one, edge, MEDIA)
        inside = limits.clamp(delta)
        self.attempt(lambda s: edit(s, one, inside, MEDIA))
        assert lookup.clip_of(self.sequence, one) is not None
        if limits.high < edits.FAR:
            try:
                edit(self.history[-1][0], one, limits.high + 1, MEDIA)
            except EditRefused:
                return
            raise AssertionError("a trim went past its limit")

    @rule()
    def undo(self) -> None:
        if self.history:
            self.sequence, text = self.history.pop()
            assert repr(self.sequence) == text

    @invariant()
    def sound(self) -> None:
        assert lookup.problems(self.sequence, MEDIA) == []


TestCutting = Cutting.TestCase
TestCutting.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
