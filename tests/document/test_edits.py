"""Timeline edits, one by one: what moves, what stays, what refuses."""

from __future__ import annotations

import sys
from dataclasses import replace
from fractions import Fraction

import pytest

from gen2studio.core.errors import EditRefused
from gen2studio.document import edits, lookup, snapping
from gen2studio.document.model import Clip, Sequence, TrackKind
from tests.document.builders import RATE, still, timeline, video, with_pairs

DOG = video()
CARD = still()
MEDIA = {DOG.id: DOG, CARD.id: CARD}


def layout(sequence: Sequence, track: int = 0) -> list[tuple[int, int]]:
    return [(c.start, c.end) for c in sequence.tracks[track].clips]


def sound_of(sequence: Sequence, picture: str) -> str:
    (other,) = lookup.linked(sequence, [picture]) - {picture}
    return other


def test_placing_media_makes_a_linked_pair_of_the_whole_file() -> None:
    placed = edits.place_media(timeline(), DOG, 10)
    assert layout(placed.sequence, 0) == [(10, 260)] == layout(placed.sequence, 2)
    picture, sound = (lookup.clip_of(placed.sequence, i) for i in placed.clip_ids)
    assert picture.link == sound.link != ""
    assert layout(edits.place_media(timeline(), CARD, 0).sequence) == [(0, 125)]


def test_insert_pushes_and_splits_everything_behind() -> None:
    sequence, ids = with_pairs(2, DOG)
    placed = edits.place_media(sequence, DOG, 25, collision=edits.Collision.INSERT, source=(Fraction(0), Fraction(1)))
    assert layout(placed.sequence) == [(0, 25), (25, 50), (50, 75), (75, 125)] == layout(placed.sequence, 2)
    right = placed.sequence.tracks[0].clips[2]
    assert right.source_in == 1
    assert right.link != lookup.clip_of(placed.sequence, ids[0]).link
    assert len(lookup.linked(placed.sequence, [right.id])) == 2
    assert not lookup.problems(placed.sequence, MEDIA)


def test_overwrite_trims_splits_and_covers() -> None:
    sequence, _ = with_pairs(2, DOG)
    video_track = sequence.tracks[0].id
    new = Clip(id="clip-00000000000f", media_id=CARD.id, name="card", start=30, duration=40)
    over = edits.overwrite(sequence, [edits.Placement(video_track, new)])
    assert layout(over) == [(0, 30), (30, 70), (70, 100)]
    assert over.tracks[2] is sequence.tracks[2]
    with pytest.raises(EditRefused):
        edits.place(sequence, [edits.Placement(video_track, new)])


def test_moving_takes_the_sound_along_and_checks_room() -> None:
    sequence, ids = with_pairs(2, DOG)
    moved = edits.move(sequence, [ids[1]], 30)
    assert layout(moved) == [(0, 50), (80, 130)] == layout(moved, 2)
    up = edits.move(sequence, [ids[1]], 0, track_steps=1)
    assert layout(up, 1) == [(50, 100)]
    assert layout(up, 2) == [(0, 50), (50, 100)]
    with pytest.raises(EditRefused):
        edits.move(sequence, [ids[1]], -10)
    with pytest.raises(EditRefused):
        edits.move(sequence, [ids[1]], 0, track_steps=5)
    alone = edits.move(sequence, [ids[1]], 5, linked=False)
    assert lookup.clip_of(alone, ids[1]).link == ""
    assert layout(edits.move(sequence, ids, 7)) == [(7, 57), (57, 107)]


def test_razor_gives_right_halves_a_common_fresh_link() -> None:
    sequence, ids = with_pairs(1, DOG)
    cut = edits.razor(sequence, 20, tracks=[sequence.tracks[0].id])
    assert layout(cut) == [(0, 20), (20, 50)] == layout(cut, 2)
    left, right = cut.tracks[0].clips
    assert left.id == ids[0]
    assert cut.tracks[2].clips[1].link == right.link != left.link == cut.tracks[2].clips[0].link
    assert right.source_in == Fraction(20, 25)
    for frame in (0, 50, 90):
        with pytest.raises(EditRefused):
            edits.razor(sequence, frame)


def test_a_locked_track_refuses_and_leaves_no_trace() -> None:
    sequence, ids = with_pairs(2, DOG)
    locked = edits.set_locked(sequence, sequence.tracks[2].id, True)
    for edit in (
        lambda: edits.lift(locked, [ids[0]]),
        lambda: edits.move(locked, [ids[1]], 4),
        lambda: edits.razor(locked, 20),
        lambda: edits.trim_tail(locked, ids[0], -3, MEDIA),
        lambda: edits.ripple_delete(locked, [ids[0]]),
        lambda: edits.extract_range(locked, 0, 10),
    ):
        before = repr(locked)
        with pytest.raises(EditRefused):
            edit()
        assert repr(locked) == before


def test_trims_stop_at_media_and_neighbours_and_limits_say_so() -> None:
    sequence, ids = with_pairs(2, DOG)
    # The first pair starts at the media's head, the second one second into it; both last two of ten seconds.
    assert edits.trim_limits(sequence, ids[0], edits.Edge.HEAD, MEDIA) == (0, 49)
    assert edits.trim_limits(sequence, ids[0], edits.Edge.TAIL, MEDIA) == (-49, 0)
    assert edits.trim_limits(sequence, ids[1], edits.Edge.TAIL, MEDIA) == (-49, 175)
    assert edits.trim_limits(sequence, ids[1], edits.Edge.HEAD, MEDIA, ripple=True) == (-25, 49)
    trimmed = edits.trim_tail(sequence, ids[1], 175, MEDIA)
    assert layout(trimmed) == [(0, 50), (50, 275)] == layout(trimmed, 2)
    for edge, delta in ((edits.trim_tail, 176), (edits.trim_head, -1), (edits.trim_head, 50)):
        with pytest.raises(EditRefused):
            edge(sequence, ids[1], delta, MEDIA)
    head = edits.trim_head(sequence, ids[1], 10, MEDIA)
    assert lookup.clip_of(head, ids[1]).source_in == 1 + Fraction(10, 25)
    j_cut = edits.trim_head(sequence, ids[1], 10, MEDIA, linked=False)
    assert layout(j_cut) == [(0, 50), (60, 100)]
    assert layout(j_cut, 2) == [(0, 50), (50, 100)]
    assert not lookup.problems(j_cut, MEDIA)


def test_ripple_trims_pull_what_follows() -> None:
    sequence, ids = with_pairs(3, DOG)
    tail = edits.ripple_trim_tail(sequence, ids[0], -20, MEDIA)
    assert layout(tail) == [(0, 30), (30, 80), (80, 130)] == layout(tail, 2)
    head = edits.ripple_trim_head(sequence, ids[1], 10, MEDIA)
    assert layout(head) == [(0, 50), (50, 90), (90, 140)] == layout(head, 2)
    assert lookup.clip_of(head, ids[1]).source_in == 1 + Fraction(10, 25)
    longer = edits.ripple_trim_tail(sequence, ids[0], 25, MEDIA)
    assert layout(longer) == [(0, 75), (75, 125), (125, 175)]


def test_ripple_delete_closes_own_tracks_or_all() -> None:
    sequence, ids = with_pairs(3, DOG)
    music = Clip(id="clip-00000000000f", media_id=DOG.id, name="music", start=100, duration=20)
    sequence = edits.place(sequence, [edits.Placement(sequence.tracks[3].id, music)])
    own = edits.ripple_delete(sequence, [ids[0]])
    assert layout(own) == [(0, 50), (50, 100)] == layout(own, 2)
    assert own.tracks[3] is sequence.tracks[3]
    every = edits.ripple_delete(sequence, [ids[0]], all_tracks=True)
    assert layout(every, 3) == [(50, 70)]
    with pytest.raises(EditRefused, match="in the way"):
        edits.ripple_delete(sequence, [ids[2]], all_tracks=True)
    both = edits.ripple_delete(sequence, [ids[0], ids[2]])
    assert layout(both) == [(0, 50)]
    gap = edits.lift(sequence, [ids[1]])
    assert layout(gap) == [(0, 50), (100, 150)]
    assert layout(edits.close_gap(gap, gap.tracks[0].id, 70)) == [(0, 50), (50, 100)]
    with pytest.raises(EditRefused):
        edits.close_gap(gap, gap.tracks[0].id, 20)


def test_extract_cuts_through_all_tracks() -> None:
    sequence, _ = with_pairs(3, DOG)
    out = edits.extract_range(sequence, 40, 110)
    assert layout(out) == [(0, 40), (40, 80)] == layout(out, 2)
    assert not lookup.problems(out, MEDIA)
    lifted = edits.lift_range(sequence, 10, 20)
    assert layout(lifted) == [(0, 10), (20, 50), (50, 100), (100, 150)]
    first, second = lifted.tracks[0].clips[:2]
    assert first.link != second.link
    with pytest.raises(EditRefused):
        edits.extract_range(sequence, 20, 20)


def test_roll_slip_and_slide() -> None:
    sequence, ids = with_pairs(3, DOG)
    rolled = edits.roll(sequence, ids[0], ids[1], 10, MEDIA)
    assert layout(rolled) == [(0, 60), (60, 100), (100, 150)] == layout(rolled, 2)
    with pytest.raises(EditRefused):
        edits.roll(sequence, ids[0], ids[1], -60, MEDIA)
    assert edits.roll_limits(sequence, ids[0], ids[1], MEDIA) == (-25, 49)  # no more footage before the right one
    assert edits.roll_limits(sequence, ids[1], ids[2], MEDIA) == (-49, 49)  # a frame is left of either
    assert layout(edits.roll(sequence, ids[1], ids[2], -49, MEDIA)) == [(0, 50), (50, 51), (51, 150)]
    with pytest.raises(EditRefused):
        edits.roll(sequence, ids[1], ids[2], -50, MEDIA)
    assert edits.slip_limits(sequence, ids[1], MEDIA) == (-25, 175)
    slipped = edits.slip(sequence, ids[1], -25, MEDIA)
    assert (
        lookup.clip_of(slipped, ids[1]).source_in == 0 == lookup.clip_of(slipped, sound_of(slipped, ids[1])).source_in
    )
    with pytest.raises(EditRefused):
        edits.slip(sequence, ids[1], -26, MEDIA)
    slid = edits.slide(sequence, ids[1], 15, MEDIA)
    assert layout(slid) == [(0, 65), (65, 115), (115, 150)] == layout(slid, 2)
    assert lookup.clip_of(slid, ids[1]).source_in == 1
    low, high = edits.slide_limits(sequence, ids[1], MEDIA)
    assert (low, high) == (-49, 49)


def test_a_clip_slides_through_gaps_and_no_further() -> None:
    sequence, ids = with_pairs(3, DOG)
    gap = edits.lift(sequence, [ids[1]])
    assert edits.slide_limits(gap, ids[0], MEDIA) == (0, 50)
    assert edits.slide_limits(gap, ids[2], MEDIA) == (-50, lookup.FAR)
    assert (
        layout(edits.slide(gap, ids[0], 50, MEDIA))
        == [(50, 100), (100, 150)]
        == layout(edits.slide(gap, ids[0], 50, MEDIA), 2)
    )
    with pytest.raises(EditRefused):
        edits.slide(gap, ids[2], -51, MEDIA)
    # The clip before the last may give all of its footage but one frame, and take what it has left.
    assert edits.slide_limits(sequence, ids[2], MEDIA) == (-49, 175)


def test_speed_keeps_the_source_range() -> None:
    sequence, ids = with_pairs(2, DOG)
    fast = edits.set_speed(sequence, [ids[0]], Fraction(2), MEDIA, ripple=True)
    assert layout(fast) == [(0, 25), (25, 75)] == layout(fast, 2)
    slow = edits.set_speed(sequence, [ids[0]], Fraction(1, 2), MEDIA, ripple=True)
    assert layout(slow) == [(0, 100), (100, 150)]
    with pytest.raises(EditRefused):
        edits.set_speed(sequence, [ids[0]], Fraction(1, 2), MEDIA)
    with pytest.raises(EditRefused):
        edits.set_speed(sequence, [ids[0]], Fraction(0), MEDIA)


def test_links_only_join_what_is_in_sync() -> None:
    sequence, ids = with_pairs(2, DOG)
    sound = sound_of(sequence, ids[1])
    free = edits.unlink(sequence, [ids[1]])
    assert lookup.linked(free, [ids[1]]) == {ids[1]}
    assert lookup.linked(edits.link(free, [ids[1], sound]), [ids[1]]) == {ids[1], sound}
    slipped = edits.slip(free, ids[1], 5, MEDIA)
    with pytest.raises(EditRefused, match="sync"):
        edits.link(slipped, [ids[1], sound])


def test_tracks_markers_and_range() -> None:
    sequence = edits.add_track(timeline(1, 1), TrackKind.VIDEO)
    assert [t.name for t in sequence.tracks] == ["V1", "V2", "A1"]
    assert [t.name for t in edits.move_track(sequence, sequence.tracks[1].id, 0).tracks] == ["V2", "V1", "A1"]
    marked = edits.add_marker(edits.add_marker(sequence, 30), 10, name="start")
    assert [m.frame for m in marked.markers] == [10, 30]
    with pytest.raises(EditRefused):
        edits.add_marker(marked, 10)
    moved = edits.move_marker(marked, marked.markers[0].id, 40)
    assert [m.name for m in moved.markers] == ["", "start"]
    assert edits.remove_markers(moved, [moved.markers[0].id]).markers == moved.markers[1:]
    ranged = edits.set_in_point(edits.set_out_point(sequence, 50), 60)
    assert (ranged.in_point, ranged.out_point) == (60, None)


def test_snapping_prefers_the_nearest_edge() -> None:
    sequence, ids = with_pairs(2, DOG)
    points = snapping.snap_points(edits.add_marker(sequence, 73), exclude={ids[1]}, playhead=90)
    assert points == [0, 50, 73, 90, 100]
    assert snapping.snap(76, points, 5) == 73
    assert snapping.snap(81, points, 5) is None
    assert snapping.snap_span(47, 72, points, 5) == (1, 73)


def test_neighbour_and_gap_lookups() -> None:
    sequence, ids = with_pairs(3, DOG)
    gap = edits.lift(sequence, [ids[1]])
    track = gap.tracks[0]
    assert lookup.gaps(track) == ((50, 100),)
    assert lookup.gap_at(track, 50) == (50, 100)
    assert lookup.gap_at(track, 49) is None
    assert lookup.clip_at(track, 49) is track.clips[0]
    assert lookup.clip_at(track, 50) is None
    assert lookup.clips_in(track, 49, 101) == track.clips
    assert lookup.clips_in(track, 50, 100) == ()
    assert lookup.next_edit(gap, 50) == 100
    assert lookup.previous_edit(gap, 50) == 0


def test_problems_names_broken_rules() -> None:
    sequence, _ = with_pairs(2, DOG)
    track = sequence.tracks[0]
    broken = replace(track, clips=(track.clips[0], replace(track.clips[1], start=49)))
    found = lookup.problems(replace(sequence, tracks=(broken, *sequence.tracks[1:])), MEDIA)
    assert any("overlaps" in line for line in found)
    assert any("out of sync" in line for line in found)


def many(count: int) -> Sequence:
    sequence = edits.new_sequence("Long", RATE, 64, 64, video_tracks=10, audio_tracks=10)
    tracks = []
    for lane, track in enumerate(sequence.tracks):
        clips = tuple(
            Clip(id=f"clip-{lane:04x}{n:08x}", media_id=DOG.id, name="c", start=n * 50, duration=50,
                 link=f"link-{lane % 10:04x}{n:08x}")
            for n in range(count // 20)
        )  # fmt: skip
        tracks.append(replace(track, clips=clips))
    return replace(sequence, tracks=tuple(tracks))


def calls_of(sequence: Sequence) -> int:
    """How many functions a ripple at the head calls: what it costs, whatever else the machine does."""
    first = [track.clips[0].id for track in sequence.tracks]
    count = 0

    def counted(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        edits.ripple_delete(sequence, first, all_tracks=True)
    finally:
        sys.setprofile(before)
    return count


def test_a_ripple_at_the_head_costs_no_more_than_its_clips() -> None:
    small, big = calls_of(many(1000)), calls_of(many(10000))
    assert small < 25 * 1000
    assert big < 11 * small


def test_untouched_tracks_keep_their_identity() -> None:
    sequence = many(1000)
    moved = edits.move(sequence, [sequence.tracks[0].clips[-1].id], 100)
    same = [new is old for new, old in zip(moved.tracks, sequence.tracks, strict=True)]
    assert same.count(False) == 2
