"""Reverse, freeze, transitions, groups, nesting, attributes, gaps and what trims do to curves and fades."""

from __future__ import annotations

from dataclasses import fields, replace
from fractions import Fraction

import pytest

from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map
from gen2studio.document import clip_composition, clip_shapes, edits, lookup, nesting, sequences
from gen2studio.document.composition import BlendMode, Transform, TransitionKind
from gen2studio.document.look import Look
from gen2studio.document.model import Clip, Document, Sequence, TrackKind
from tests.document.builders import still, timeline, video, with_pairs

DOG = video()
CARD = still()
MEDIA = {DOG.id: DOG, CARD.id: CARD}
RATE = Fraction(25)
RAMP = Curve(0.0, (CurveKey(0, 0.0), CurveKey(40, 1.0, Ease.SMOOTH)))


def layout(sequence: Sequence, track: int = 0) -> list[tuple[int, int]]:
    return [(c.start, c.end) for c in sequence.tracks[track].clips]


def clip(sequence: Sequence, clip_id: str) -> Clip:
    return lookup.clip_of(sequence, clip_id)


def shown(sequence: Sequence, clip_id: str, frame: int) -> Fraction:
    return clip(sequence, clip_id).source_time(frame, RATE)


# -- one clip --------------------------------------------------------------------------------------------------------


def full_clip() -> Clip:
    """A clip on which no field is as on a new one."""
    return Clip(
        id="clip-0123456789ab", media_id=DOG.id, name="dog", start=10, duration=50, source_in=Fraction(1),
        speed=Fraction(2), reverse=True, freeze=True, keep_pitch=False, link="link-0123456789ab",
        group="group-0123456789ab", enabled=False, gain_db=-3.0, volume=RAMP, pan=RAMP, opacity=RAMP,
        blend=BlendMode.SCREEN, transform=Transform(x=RAMP), fade_in=3, fade_out=4, look=Look(prompt="ink"),
        takes=("take-0123456789ab",), active_take="take-0123456789ab",
    )  # fmt: skip


def test_a_shifted_clip_keeps_everything_but_its_place() -> None:
    """``shifted`` copies field by field for speed: none may be forgotten."""
    full = full_clip()
    fresh = Clip(id="", media_id="", name="", start=0, duration=1)
    assert [f.name for f in fields(full) if getattr(full, f.name) == getattr(fresh, f.name)] == []
    assert clip_shapes.shifted(full, 7) == replace(full, start=17)


def test_keys_stay_on_their_picture() -> None:
    plain = replace(full_clip(), reverse=False, freeze=False, speed=Fraction(1))
    head = clip_shapes.head_moved(plain, 8, RATE)
    assert [key.frame for key in head.opacity.keys] == [-8, 32]
    assert [key.frame for key in head.transform.x.keys] == [-8, 32]
    for frame in range(18, 60):
        assert head.opacity.at(frame - head.start) == plain.opacity.at(frame - plain.start)
    back = clip_shapes.head_moved(head, -8, RATE)
    assert back.opacity == plain.opacity and back.source_in == plain.source_in
    assert clip_shapes.tail_moved(plain, -30, RATE).opacity == plain.opacity
    left, right = clip_shapes.split(plain, 30, RATE)
    assert left.opacity.at(19) == plain.opacity.at(19) and right.opacity.at(0) == plain.opacity.at(20)
    slower = clip_shapes.stretched(plain, Fraction(2), 100)
    assert [key.frame for key in slower.volume.keys] == [0, 80]
    turned = clip_shapes.mirrored(plain)
    for offset in range(50):
        assert turned.opacity.at(offset) == pytest.approx(plain.opacity.at(49 - offset))
    assert clip_shapes.mirrored(turned) == replace(plain, opacity=turned.opacity.mirrored(49),
                                                  volume=turned.volume.mirrored(49), pan=turned.pan.mirrored(49),
                                                  transform=Transform(x=turned.transform.x.mirrored(49)))  # fmt: skip


def test_fades_shrink_with_their_clip_and_go_where_it_is_cut() -> None:
    sequence, ids = with_pairs(1, DOG)
    sequence = clip_composition.set_fades(sequence, ids, fade_in=20, fade_out=20)
    short = edits.trim_tail(sequence, ids[0], -30, MEDIA)
    assert (clip(short, ids[0]).fade_in, clip(short, ids[0]).fade_out) == (10, 10)
    cut = edits.razor(sequence, 25)
    left, right = cut.tracks[0].clips
    assert (left.fade_in, left.fade_out, right.fade_in, right.fade_out) == (20, 0, 0, 20)
    slow = edits.set_speed(sequence, ids, Fraction(1, 2), MEDIA)
    assert (clip(slow, ids[0]).fade_in, clip(slow, ids[0]).duration) == (40, 100)


# -- backwards and frozen --------------------------------------------------------------------------------------------


def test_a_reversed_clip_is_trimmed_the_other_way_round() -> None:
    sequence, ids = with_pairs(2, DOG)
    turned = edits.set_reverse(sequence, [ids[1]], True, MEDIA)
    sound = next(iter(lookup.linked(turned, [ids[1]]) - {ids[1]}))
    assert clip(turned, sound).reverse and not lookup.problems(turned, MEDIA)
    assert shown(turned, ids[1], 50) == shown(sequence, ids[1], 99)
    # The media lasts ten seconds; the clip shows second 1 to 3, so that its head has 175 frames and its tail 25.
    assert edits.trim_limits(turned, ids[1], edits.Edge.TAIL, MEDIA) == (-49, 25)
    assert edits.trim_limits(turned, ids[1], edits.Edge.HEAD, MEDIA, ripple=True) == (-175, 49)
    head = edits.trim_head(turned, ids[1], 10, MEDIA)
    assert shown(head, ids[1], 70) == shown(turned, ids[1], 70) and clip(head, ids[1]).source_in == 1
    tail = edits.trim_tail(turned, ids[1], 25, MEDIA)
    assert clip(tail, ids[1]).source_in == 0 and shown(tail, ids[1], 70) == shown(turned, ids[1], 70)
    cut = edits.razor(turned, 70)
    assert not lookup.problems(cut, MEDIA)
    assert [c.source_time(70, RATE) for c in cut.tracks[0].clips[1:]] == [shown(turned, ids[1], 70)] * 2
    fast = edits.set_speed(turned, [ids[1]], Fraction(2), MEDIA, ripple=True)
    assert clip(fast, ids[1]).duration == 25 and not lookup.problems(fast, MEDIA)
    assert edits.set_reverse(turned, [ids[1]], False, MEDIA) == sequence


def test_a_reversed_j_cut_stays_in_sync_or_is_refused() -> None:
    sequence, ids = with_pairs(2, DOG)
    j_cut = edits.trim_head(sequence, ids[1], 10, MEDIA, linked=False)
    turned = edits.set_reverse(j_cut, [ids[1]], True, MEDIA)
    assert not lookup.problems(turned, MEDIA)
    whole = edits.append_media(timeline(), DOG).sequence
    picture = whole.tracks[0].clips[0].id
    cut = edits.trim_tail(whole, picture, -10, MEDIA, linked=False)
    with pytest.raises(EditRefused, match="no media"):
        edits.set_reverse(cut, [picture], True, MEDIA)


def test_freezing_holds_the_frame_and_lets_go_in_sync() -> None:
    sequence, ids = with_pairs(2, DOG)
    frozen = edits.set_freeze(sequence, lookup.linked(sequence, [ids[1]]), True, 60, MEDIA)
    assert {shown(frozen, ids[1], f) for f in range(50, 100)} == {shown(sequence, ids[1], 60)}
    sound = next(iter(lookup.linked(frozen, [ids[1]]) - {ids[1]}))
    assert not clip(frozen, sound).freeze
    longer = edits.trim_tail(frozen, ids[1], 900, MEDIA, linked=False)
    assert clip(longer, ids[1]).duration == 950 and not lookup.problems(longer, MEDIA)
    assert edits.set_freeze(frozen, [ids[1]], False, 60, MEDIA) == sequence
    with pytest.raises(EditRefused, match="pictures"):
        edits.set_freeze(sequence, [sound], True, 60, MEDIA)


def test_a_hold_is_put_in_between() -> None:
    sequence, ids = with_pairs(2, DOG)
    held = edits.insert_hold(sequence, ids[0], 20, 30, MEDIA)
    assert layout(held.sequence) == [(0, 20), (20, 50), (50, 80), (80, 130)]
    assert layout(held.sequence, 2) == [(0, 20), (50, 80), (80, 130)]
    hold = clip(held.sequence, held.clip_ids[0])
    assert hold.freeze and hold.source_in == shown(sequence, ids[0], 20)
    assert not lookup.problems(held.sequence, MEDIA)
    with pytest.raises(EditRefused):
        edits.insert_hold(sequence, ids[0], 60, 30, MEDIA)


# -- transitions -----------------------------------------------------------------------------------------------------


def joined() -> tuple[Sequence, list[str], str]:
    sequence, ids = with_pairs(3, DOG)
    made = edits.add_transition(sequence, ids[1], ids[2], MEDIA, kind=TransitionKind.WIPE, frames=20)
    return made.sequence, ids, made.transition_ids[0]


def test_a_transition_is_centred_and_as_long_as_the_media_allow() -> None:
    sequence, ids = with_pairs(3, DOG)
    # The second clip begins one second into its media, the first ends with eight to spare.
    assert edits.transition_room(sequence, ids[0], ids[1], MEDIA) == (25, 50)
    made = edits.add_transition(sequence, ids[0], ids[1], MEDIA)
    found = edits.find_transition(made.sequence, made.transition_ids[0])[1]
    assert (found.before, found.after, made.frames) == (12, 13, 25)
    crossfade = made.sequence.tracks[2].transitions
    assert len(crossfade) == 1 and crossfade[0].kind is TransitionKind.DISSOLVE
    assert edits.add_transition(sequence, ids[0], ids[1], MEDIA, frames=80).frames == 50
    twice = edits.add_transition(made.sequence, ids[0], ids[1], MEDIA, frames=10)
    assert len(twice.sequence.tracks[0].transitions) == 1
    whole = edits.append_media(edits.append_media(timeline(), DOG).sequence, DOG).sequence
    one, two = (c.id for c in whole.tracks[0].clips)
    with pytest.raises(EditRefused, match="beyond the cut"):
        edits.add_transition(whole, one, two, MEDIA)
    gap = edits.lift(sequence, [ids[1]])
    with pytest.raises(EditRefused, match="touch"):
        edits.add_transition(gap, ids[0], ids[2], MEDIA)
    card = edits.append_media(edits.append_media(timeline(), CARD).sequence, DOG).sequence
    one, two = (c.id for c in card.tracks[0].clips)
    # The film starts at its first frame: it can't begin earlier, but the card goes on.
    assert edits.add_transition(card, one, two, MEDIA, frames=20).sequence.tracks[0].transitions[0].before == 0


def test_a_transition_follows_its_cut_and_goes_with_it() -> None:
    sequence, ids, mark = joined()
    rolled = edits.roll(sequence, ids[1], ids[2], -8, MEDIA)
    assert edits.find_transition(rolled, mark)[1].duration == 20
    assert not edits.lift(sequence, [ids[1]]).tracks[0].transitions
    apart = edits.move(sequence, [ids[2]], 30)
    assert not apart.tracks[0].transitions and not apart.tracks[2].transitions
    up = edits.move(sequence, [ids[1], ids[2]], 200, track_steps=1)
    assert [t.id for t in up.tracks[1].transitions] == [mark] and not lookup.problems(up, MEDIA)
    cut = edits.razor(sequence, 75)
    left = cut.tracks[0].transitions[0].left
    assert left != ids[1] and clip(cut, left).start == 75
    short = edits.razor(sequence, 96)
    assert edits.find_transition(short, mark)[1].before == 4 and not lookup.problems(short, MEDIA)
    twice = edits.duplicate(sequence, [ids[1], ids[2]], 200).sequence
    assert [t.before for t in twice.tracks[0].transitions] == [10, 10] and not lookup.problems(twice, MEDIA)
    rippled = edits.ripple_delete(sequence, [ids[0]])
    assert [t.id for t in rippled.tracks[0].transitions] == [mark]


def test_a_transition_shrinks_to_what_the_media_carry() -> None:
    sequence, ids, mark = joined()
    slipped = edits.slip(sequence, ids[2], -47, MEDIA)
    # Three frames of media are left before what the right clip shows.
    assert edits.find_transition(slipped, mark)[1].before == 3
    assert not lookup.problems(slipped, MEDIA)
    long = edits.change_transition(sequence, mark, MEDIA, before=500, after=500, softness=3)
    found = edits.find_transition(long, mark)[1]
    assert (found.before, found.after, found.softness) == (50, 50, 1.0)
    assert not edits.remove_transitions(sequence, [mark]).tracks[0].transitions
    with pytest.raises(EditRefused):
        edits.change_transition(sequence, mark, MEDIA, before=0, after=0)


# -- groups, gaps, fill ----------------------------------------------------------------------------------------------


def test_groups_move_together_and_trim_alone() -> None:
    sequence, ids = with_pairs(3, DOG)
    grouped = edits.group(sequence, [ids[1], ids[2]])
    assert len(lookup.together(grouped, [ids[1]])) == 4
    moved = edits.move(grouped, [ids[2]], 30)
    assert layout(moved) == [(0, 50), (80, 130), (130, 180)] == layout(moved, 2)
    assert layout(edits.trim_tail(grouped, ids[2], -5, MEDIA)) == [(0, 50), (50, 100), (100, 145)]
    copy = edits.duplicate(grouped, [ids[1], ids[2]], 200)
    fresh = {clip(copy.sequence, i).group for i in copy.clip_ids}
    assert len(fresh) == 1 and fresh != {clip(grouped, ids[1]).group}
    assert lookup.together(edits.ungroup(grouped, [ids[1]]), [ids[1]]) == lookup.linked(grouped, [ids[1]])
    with pytest.raises(EditRefused):
        edits.ungroup(sequence, ids)


def test_gaps_open_and_close() -> None:
    sequence, _ = with_pairs(2, DOG)
    opened = edits.insert_gap(sequence, 25, 40)
    assert layout(opened) == [(0, 25), (65, 90), (90, 140)] == layout(opened, 2)
    assert not lookup.problems(opened, MEDIA)
    assert layout(edits.close_gap(opened, opened.tracks[0].id, 30)) == [(0, 25), (25, 50), (50, 100)]
    with pytest.raises(EditRefused):
        edits.insert_gap(sequence, 100, 40)


def test_four_points_make_a_speed() -> None:
    placed = edits.fit_to_fill(timeline(), DOG, (Fraction(1), Fraction(3)), 10, 35)
    picture, sound = (clip(placed.sequence, i) for i in placed.clip_ids)
    assert (picture.start, picture.end, picture.speed) == (10, 35, 2)
    assert sound.speed == 2 and not lookup.problems(placed.sequence, MEDIA)
    with pytest.raises(EditRefused, match="%"):
        edits.fit_to_fill(timeline(), DOG, (Fraction(0), Fraction(10)), 0, 1)


# -- attributes and media --------------------------------------------------------------------------------------------


def test_chosen_attributes_are_pasted() -> None:
    sequence, ids = with_pairs(2, DOG)
    source = replace(full_clip(), reverse=False, freeze=False)
    assert edits.attributes_of(source) == set(edits.Attribute)
    assert edits.attributes_of(clip(sequence, ids[0])) == set()
    some = edits.paste_attributes(sequence, source, ids, {edits.Attribute.OPACITY, edits.Attribute.FADES}, MEDIA)
    got = clip(some, ids[1])
    assert (got.opacity, got.fade_in, got.blend, got.look, got.speed) == (RAMP, 3, BlendMode.NORMAL, None, 1)
    every = edits.paste_attributes(sequence, source, [ids[1]], set(edits.Attribute), MEDIA)
    got = clip(every, ids[1])
    assert (got.transform.x, got.blend, got.speed, got.keep_pitch) == (RAMP, BlendMode.SCREEN, 2, False)
    assert got.look is not None and got.look.prompt == "ink"
    assert not lookup.problems(every, MEDIA)
    assert clip(edits.reset_attributes(some, ids, set(edits.Attribute)), ids[1]) == clip(sequence, ids[1])


def test_other_media_under_everything_else() -> None:
    other = video("media-0000000000a9", 3)
    media = {**MEDIA, other.id: other}
    sequence, ids = with_pairs(3, DOG)
    sequence = clip_composition.set_curve(sequence, [ids[2]], "opacity", RAMP)
    new = edits.replace_media(sequence, ids[2], other, media)
    got = clip(new, ids[2])
    assert (got.media_id, got.start, got.duration, got.opacity) == (other.id, 100, 50, RAMP)
    # The clip began at second 2 of the old file; the new one is a second long enough for it only from second 1.
    assert got.source_in == 1 and not lookup.problems(new, media)
    assert {c.media_id for t in new.tracks for c in t.clips if c.link == got.link} == {other.id}
    silent = video("media-0000000000aa", 5, sound=False)
    assert layout(edits.replace_media(sequence, ids[2], silent, {**media, silent.id: silent}), 2) == [
        (0, 50),
        (50, 100),
    ]
    tiny = video("media-0000000000ab", 1)
    with pytest.raises(EditRefused, match="too short"):
        edits.replace_media(sequence, ids[2], tiny, {**media, tiny.id: tiny})


# -- timelines inside timelines --------------------------------------------------------------------------------------


def project(sequence: Sequence) -> Document:
    return Document(
        id="doc-0123456789ab",
        media=frozen_map(MEDIA),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )


def test_clips_are_nested_and_taken_apart_again() -> None:
    sequence, ids, mark = joined()
    document = project(sequence)
    made = nesting.nest(document, [ids[1], ids[2]])
    outer = made.document.sequence
    assert outer is not None
    inner = made.document.sequences[made.sequence_id]
    assert layout(outer) == [(0, 50), (50, 150)] == layout(outer, 2)
    assert layout(inner) == [(0, 50), (50, 100)] and [t.id for t in inner.tracks[0].transitions] == [mark]
    item = made.document.media[clip(outer, made.clip_ids[0]).media_id]
    assert (item.nested, item.info.frame_count, item.info.audio is not None) == (inner.id, 100, True)
    back = nesting.unnest(made.document, made.clip_ids[0]).sequence
    assert back is not None
    assert layout(back) == layout(sequence) and len(back.tracks[0].transitions) == 1
    assert not lookup.problems(back, MEDIA)


def test_nested_media_follow_their_timeline_and_never_hold_themselves() -> None:
    sequence, ids = with_pairs(3, DOG)
    made = nesting.nest(project(sequence), [ids[1], ids[2]])
    inner = made.document.sequences[made.sequence_id]
    shorter = sequences.with_sequence(made.document, edits.ripple_delete(inner, [ids[2]]))
    item = next(item for item in shorter.media.values() if item.nested)
    assert item.info.duration == 2 and item.info.frame_count == 50
    placed = edits.place_media(inner, item, 0).sequence
    with pytest.raises(EditRefused, match="hold itself"):
        sequences.with_sequence(made.document, placed)
    with pytest.raises(EditRefused, match="shows that one"):
        sequences.remove_sequence(made.document, inner.id)


def test_track_faders_and_range_markers() -> None:
    sequence = timeline()
    lane = sequence.tracks[2].id
    mixed = edits.set_track_pan(edits.set_track_gain(edits.set_solo(sequence, lane, True), lane, -6), lane, 0.5)
    assert (mixed.tracks[2].solo, mixed.tracks[2].gain_db, mixed.tracks[2].pan) == (True, -6.0, 0.5)
    for wrong in (lambda: edits.set_track_gain(sequence, lane, 99), lambda: edits.set_track_pan(sequence, lane, 2)):
        with pytest.raises(EditRefused):
            wrong()
    marked = edits.add_marker(sequence, 10, duration=25, note="music")
    changed = edits.edit_marker(marked, marked.markers[0].id, duration=0, colour="red")
    assert (changed.markers[0].duration, changed.markers[0].note) == (0, "music")
    assert sequence.tracks[2].kind is TrackKind.AUDIO
