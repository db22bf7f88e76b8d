"""Three-point editing by every combination of marks: what is placed lies where four points say, or nothing changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from gen2studio.app.session import Session
from gen2studio.app.source_edits import SourceEdits
from gen2studio.app.source_monitor import Marks, SourceMonitor
from gen2studio.app.store import DocumentStore
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.media_info import AudioInfo, MediaInfo, MediaKind
from gen2studio.document import lookup
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.model import Clip, MediaItem, Sequence
from tests.export.sequences import document_with, sequence_with

RATE = Fraction(25)
"""Of the timeline."""
FRAMES = 120
"""Length of the source in its own frames."""
STILL = Fraction(5)
"""Seconds of a still that has no marks."""

marks = st.tuples(st.none() | st.integers(0, FRAMES - 1), st.none() | st.integers(1, FRAMES + 5)).filter(
    lambda pair: None in pair or pair[0] < pair[1]  # type: ignore[operator]
)
ranges = st.tuples(st.none() | st.integers(0, 159), st.none() | st.integers(1, 160)).filter(
    lambda pair: None in pair or pair[0] < pair[1]
)  # type: ignore[operator]


def film(name: str, rate: Fraction, frames: int, sound: bool = True) -> MediaItem:
    audio = AudioInfo(sample_rate=48000, channels=2, codec="pcm", duration=frames / rate) if sound else None
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=64, height=36, rate=rate, frame_count=frames, exact=True,
        duration=frames / rate, audio=audio,
    )  # fmt: skip
    return MediaItem(id=name, name=name, path=f"/{name}.mp4", fingerprint="", info=info)


def still(name: str) -> MediaItem:
    info = MediaInfo(
        kind=MediaKind.STILL, width=64, height=36, rate=RATE, frame_count=1, exact=True, duration=Fraction(0)
    )
    return MediaItem(id=name, name=name, path=f"/{name}.png", fingerprint="", info=info)


def timeline(media_id: str) -> Sequence:
    """Two clips with sound that touch under a dissolve, a third behind a gap, and one on a second video track."""
    shot = [
        Clip(id=f"v{n}", media_id=media_id, name="x", start=start, duration=long, source_in=Fraction(1), link=f"l{n}")
        for n, (start, long) in enumerate(((0, 40), (40, 50), (120, 30)))
    ]
    sound = [replace(clip, id=f"a{n}") for n, clip in enumerate(shot)]
    over = Clip(id="over", media_id=media_id, name="x", start=20, duration=60)
    made = sequence_with(tuple(shot), (over,), audio=(tuple(sound),), rate=RATE)
    join = Transition(id="t", kind=TransitionKind.DISSOLVE, left="v0", right="v1", before=4, after=5)
    return replace(made, tracks=(replace(made.tracks[0], transitions=(join,)), *made.tracks[1:]))


def wanted(
    length: Fraction, rate: Fraction, source: tuple[int | None, int | None], record: tuple[int | None, int | None],
    playhead: int, endless: bool,
) -> tuple[int, int, Fraction] | None:  # fmt: skip
    """(start, duration, source in) that the marks mean, worked out frame by frame; None where it must be refused."""
    first, stop = record
    begin = None if source[0] is None else source[0] / rate
    end = None if source[1] is None else min(source[1] / rate, length)
    if first is not None and stop is not None:
        # The range on the timeline rules: as long as it is, from the in, else up to the out, else from the start.
        frames = stop - first
        if endless:
            return first, frames, Fraction(0)
        if begin is None:
            begin = end - frames / RATE if end is not None else Fraction(0)
        return (first, frames, begin) if begin >= 0 and begin + frames / RATE <= length else None
    begin = begin or Fraction(0)
    end = begin + STILL if endless and end is None else length if end is None else end
    frames = ceil((end - begin) * RATE)
    if stop is not None:
        # Back-timed: it ends at the out, and loses at its head what would lie before the timeline.
        lost = max(0, frames - stop)
        return (stop - frames + lost, frames - lost, begin + lost / RATE) if frames > lost else None
    return (playhead if first is None else first, frames, begin) if frames > 0 else None


@pytest.mark.parametrize("verb", ["insert", "overwrite"])
@settings(max_examples=150, deadline=None)
@given(
    source=marks,
    record=ranges,
    playhead=st.integers(0, 180),
    rate=st.sampled_from([Fraction(25), Fraction(50), Fraction(24000, 1001)]),
    kind=st.sampled_from(["film", "silent", "still"]),
)
def test_what_is_placed_lies_where_the_marks_say(
    qapp: object,
    verb: str,
    source: tuple[int | None, int | None],
    record: tuple[int | None, int | None],
    playhead: int,
    rate: Fraction,
    kind: str,
) -> None:
    laid = film("laid", RATE, 250)
    item = still("new") if kind == "still" else film("new", rate, FRAMES, sound=kind == "film")
    before = replace(timeline("laid"), in_point=record[0], out_point=record[1])
    media = {laid.id: laid, item.id: item}
    assert lookup.problems(before, media) == []
    session = Session(DocumentStore(document_with(before, laid, item)))
    editing = TimelineEditing(session)
    monitor = SourceMonitor(session, Path, sound=False)
    told: list[str] = []
    session.message.connect(lambda _severity, sentence: told.append(sentence))
    assert monitor.open(item.id)
    monitor.set_marks(Marks(start=source[0], stop=source[1]))
    session.set_playhead(playhead)
    playhead = session.playhead
    whole = session.document
    endless = kind == "still"
    length = STILL if endless else item.info.duration
    edits = SourceEdits(session, editing, monitor)
    done = edits.insert() if verb == "insert" else edits.overwrite()
    expected = wanted(length, monitor.rate, source, record, playhead, endless)
    event(f"{sum(p is not None for p in (*source, *record))} marks, {'placed' if done else 'refused'}")
    try:
        if expected is None:
            assert not done and session.document is whole and len(told) == 1
            assert session.store.undo_stack.count() == 0 and session.playhead == playhead
            return
        start, duration, source_in = expected
        assert done and told == []
        after = session.sequence
        assert after is not None and lookup.problems(after, media) == []
        placed = [c for t in after.tracks for c in t.clips if c.media_id == item.id]
        assert len(placed) == (2 if kind == "film" else 1) and len({c.link for c in placed}) == 1
        for clip in placed:
            assert (clip.start, clip.duration, clip.source_in) == (start, duration, source_in)
        assert session.playhead == start + duration
        for old, new in zip(before.tracks, after.tracks, strict=True):
            given_here = any(c.media_id == item.id for c in new.clips)
            kept = shown(old.clips, lambda frame: frame + duration if verb == "insert" and frame >= start else frame)
            if verb == "overwrite" and given_here:
                kept = {at: moment for at, moment in kept.items() if not start <= at < start + duration}
            assert shown([c for c in new.clips if c.media_id == laid.id]) == kept
        session.store.undo_stack.undo()
        assert session.document == whole
    finally:
        monitor.shutdown()


def shown(clips: Iterable[Clip], move: Callable[[int], int] = lambda frame: frame) -> dict[int, Fraction]:
    """Sequence frame, moved, → the moment of the media that is shown there."""
    return {move(frame): clip.source_time(frame, RATE) for clip in clips for frame in range(clip.start, clip.end)}
