"""Every edit of a project with arguments picked at random, and what must hold whatever they were.

The state machine (hypothesis picks) and the long run (``tests.bench.long_edits``, a seeded generator picks) share it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Protocol, TypeVar

from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.core.frozen import frozen_map
from gen2studio.document import clip_composition, codec, edits, lookup, media_edits, nesting, sequences, subtitles
from gen2studio.document.composition import BlendMode, TransitionKind
from gen2studio.document.edits_attributes import Attribute
from gen2studio.document.look import Look
from gen2studio.document.looks import set_look
from gen2studio.document.lookup import Media
from gen2studio.document.model import Clip, Document, TrackKind
from gen2studio.document.model import Sequence as Timeline
from tests.document.builders import still, timeline, video

T = TypeVar("T")
Edit = Callable[[Timeline, "Picks", Media], Timeline]

ITEMS = (video(), video("media-0000000000a2", 3, sound=False), still(), video("media-0000000000a3", 6))
SPEEDS = [Fraction(1, 3), Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2), Fraction(1001, 1000)]
MOST_CLIPS = 40
"""Beyond it edits that add are passed over, so that long runs stay quick."""


class Picks(Protocol):
    """Where arguments come from."""

    def number(self, low: int, high: int) -> int: ...

    def one(self, found: Sequence[T]) -> T: ...


class SeededPicks:
    """Picks of a generator: a seed says it all."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def one(self, found: Sequence[T]) -> T:
        return self._random.choice(found)


def start() -> Document:
    """A project with media and an empty timeline."""
    sequence = timeline()
    return Document(
        id="doc-0123456789ab",
        media=frozen_map({item.id: item for item in ITEMS}),
        sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )


def _flag(picks: Picks) -> bool:
    return picks.one([True, False])


def _clip(sequence: Timeline, picks: Picks) -> Clip:
    found = [clip for _, clip in lookup.each_clip(sequence)]
    return picks.one(found) if found else Clip(id="clip-000000000000", media_id="", name="", start=0, duration=1)


def _ids(sequence: Timeline, picks: Picks) -> set[str]:
    return {_clip(sequence, picks).id for _ in range(picks.number(1, 3))}


def _frame(picks: Picks) -> int:
    return picks.number(0, 400)


def _delta(picks: Picks) -> int:
    return picks.number(-120, 120)


def _cut(sequence: Timeline, picks: Picks) -> tuple[str, str]:
    cuts = [
        (a.id, b.id) for t in sequence.tracks for a, b in zip(t.clips, t.clips[1:], strict=False) if a.end == b.start
    ]
    return picks.one(cuts) if cuts else ("clip-000000000000", "clip-000000000001")


def _track(sequence: Timeline, picks: Picks) -> str:
    return picks.one(sequence.tracks).id


# -- laying down and taking away -------------------------------------------------------------------------------------


def _place(s: Timeline, p: Picks, media: Media) -> Timeline:
    item = p.one(list(media.values()))
    length = Fraction(p.number(1, 75), 25)
    begin = Fraction(p.number(0, 50), 25)
    collision = p.one(list(edits.Collision))
    return edits.place_media(s, item, _frame(p), collision=collision, source=(begin, begin + length)).sequence


def _append(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.append_media(s, p.one(ITEMS), source=(Fraction(p.number(0, 1)), Fraction(2))).sequence


def _fill(s: Timeline, p: Picks, media: Media) -> Timeline:
    begin, at = Fraction(p.number(0, 25), 25), _frame(p)
    source = (begin, begin + Fraction(p.number(1, 50), 25))
    return edits.fit_to_fill(s, p.one(ITEMS), source, at, at + p.number(1, 80)).sequence


def _move(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.move(
        s, _ids(s, p), _delta(p), track_steps=p.number(-1, 1), kind=p.one(list(TrackKind)),
        collision=p.one(list(edits.Collision)), linked=_flag(p),
    )  # fmt: skip


def _duplicate(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.duplicate(s, _ids(s, p), _delta(p), collision=p.one(list(edits.Collision))).sequence


def _lift(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.lift(s, _ids(s, p), linked=_flag(p))


def _ripple_delete(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.ripple_delete(s, _ids(s, p), all_tracks=_flag(p), linked=_flag(p))


def _lift_range(s: Timeline, p: Picks, media: Media) -> Timeline:
    at = _frame(p)
    return edits.lift_range(s, at, at + p.number(0, 80))


def _extract(s: Timeline, p: Picks, media: Media) -> Timeline:
    at = _frame(p)
    return edits.extract_range(s, at, at + p.number(0, 80))


def _close_gap(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.close_gap(s, _track(s, p), _frame(p), all_tracks=_flag(p))


def _insert_gap(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.insert_gap(s, _frame(p), p.number(0, 40), tracks=None if _flag(p) else [_track(s, p)])


def _replace_media(s: Timeline, p: Picks, media: Media) -> Timeline:
    at = Fraction(p.number(0, 60), 25) if _flag(p) else None
    return edits.replace_media(s, _clip(s, p).id, p.one(ITEMS), media, source_in=at)


# -- edges, contents, time -------------------------------------------------------------------------------------------


def _razor(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.razor(s, _frame(p), tracks=None if _flag(p) else [_track(s, p)], linked=_flag(p))


def _trim(s: Timeline, p: Picks, media: Media) -> Timeline:
    edit = p.one([edits.trim_head, edits.trim_tail])
    return edit(s, _clip(s, p).id, _delta(p), media, linked=_flag(p))


def _ripple_trim(s: Timeline, p: Picks, media: Media) -> Timeline:
    edit = p.one([edits.ripple_trim_head, edits.ripple_trim_tail])
    return edit(s, _clip(s, p).id, _delta(p), media, all_tracks=_flag(p), linked=_flag(p))


def _roll(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.roll(s, *_cut(s, p), _delta(p), media, linked=_flag(p))


def _slip(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.slip(s, _clip(s, p).id, _delta(p), media, linked=_flag(p))


def _slide(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.slide(s, _clip(s, p).id, _delta(p), media, linked=_flag(p))


def _speed(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.set_speed(s, _ids(s, p), p.one(SPEEDS), media, ripple=_flag(p), linked=_flag(p))


def _reverse(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.set_reverse(s, _ids(s, p), _flag(p), media, linked=_flag(p))


def _freeze(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.set_freeze(s, _ids(s, p), _flag(p), _frame(p), media)


def _hold(s: Timeline, p: Picks, media: Media) -> Timeline:
    clip = _clip(s, p)
    return edits.insert_hold(s, clip.id, clip.start + p.number(-1, 60), p.number(0, 30), media).sequence


# -- what clips have -------------------------------------------------------------------------------------------------


def _link(s: Timeline, p: Picks, media: Media) -> Timeline:
    return p.one([edits.link, edits.unlink])(s, _ids(s, p))


def _group(s: Timeline, p: Picks, media: Media) -> Timeline:
    return p.one([edits.group, edits.ungroup])(s, _ids(s, p))


def _curve(s: Timeline, p: Picks, media: Media) -> Timeline:
    name = p.one(list(clip_composition.CURVES))
    frames = sorted({p.number(-50, 150) for _ in range(p.number(0, 3))})
    values = [p.number(0, 4) / 4 for _ in frames]
    keys = tuple(
        CurveKey(f, v, p.one(list(Ease)), (-1.0, 0.25), (2.0, 0.0)) for f, v in zip(frames, values, strict=True)
    )
    return clip_composition.set_curve(s, _ids(s, p), name, Curve(0.5, keys))


def _fades(s: Timeline, p: Picks, media: Media) -> Timeline:
    return clip_composition.set_fades(s, _ids(s, p), fade_in=p.number(0, 60), fade_out=p.number(0, 60))


def _blend(s: Timeline, p: Picks, media: Media) -> Timeline:
    return clip_composition.set_blend(s, _ids(s, p), p.one(list(BlendMode)))


def _attributes(s: Timeline, p: Picks, media: Media) -> Timeline:
    which = {p.one(list(Attribute)) for _ in range(p.number(1, 4))}
    return edits.paste_attributes(s, _clip(s, p), _ids(s, p), which, media)


def _reset(s: Timeline, p: Picks, media: Media) -> Timeline:
    return edits.reset_attributes(s, _ids(s, p), tuple(Attribute))


def _clip_facts(s: Timeline, p: Picks, media: Media) -> Timeline:
    ids = _ids(s, p)
    s = edits.set_enabled(s, ids, _flag(p))
    return edits.set_gain(s, ids, float(p.number(-96, 24)))


# -- transitions -----------------------------------------------------------------------------------------------------


def _transition(s: Timeline, p: Picks, media: Media) -> Timeline:
    frames = None if _flag(p) else p.number(0, 40)
    made = edits.add_transition(s, *_cut(s, p), media, kind=p.one(list(TransitionKind)), frames=frames)
    assert edits.find_transition(made.sequence, made.transition_ids[0])[1].duration == made.frames
    return made.sequence


def _change_transition(s: Timeline, p: Picks, media: Media) -> Timeline:
    found = [t.id for track in s.tracks for t in track.transitions] or ["cross-000000000000"]
    return edits.change_transition(s, p.one(found), media, before=p.number(0, 40), after=p.number(0, 40))


def _remove_transition(s: Timeline, p: Picks, media: Media) -> Timeline:
    found = [t.id for track in s.tracks for t in track.transitions] or ["cross-000000000000"]
    return edits.remove_transitions(s, [p.one(found)])


# -- tracks, markers, captions ---------------------------------------------------------------------------------------


def _tracks(s: Timeline, p: Picks, media: Media) -> Timeline:
    lane = _track(s, p)
    return p.one([
        lambda: edits.add_track(s, p.one(list(TrackKind)), index=p.number(0, 5)) if len(s.tracks) < 7 else s,
        lambda: edits.remove_track(s, lane) if len(s.tracks) > 3 else s,
        lambda: edits.move_track(s, lane, p.number(0, 4)),
        lambda: edits.set_solo(s, lane, _flag(p)),
        lambda: edits.set_muted(s, lane, _flag(p)),
        lambda: edits.set_track_gain(s, lane, float(p.number(-96, 24))),
        lambda: edits.set_track_pan(s, lane, p.number(-4, 4) / 4),
    ])()  # fmt: skip


def _lock(s: Timeline, p: Picks, media: Media) -> Timeline:
    # Mostly off, so that edits find tracks to work on.
    return edits.set_locked(s, _track(s, p), p.number(0, 5) == 0)


def _markers(s: Timeline, p: Picks, media: Media) -> Timeline:
    marker = p.one(s.markers).id if s.markers else "marker-000000000000"
    return p.one([
        lambda: edits.add_marker(s, _frame(p), duration=p.number(0, 30), note="note"),
        lambda: edits.edit_marker(s, marker, name="name", colour="red", duration=p.number(0, 30)),
        lambda: edits.move_marker(s, marker, _frame(p)),
        lambda: edits.remove_markers(s, [marker]),
        lambda: edits.set_in_point(s, _frame(p)),
        lambda: edits.set_out_point(s, _frame(p)),
        lambda: edits.clear_in_out(s),
    ])()  # fmt: skip


def _captions(s: Timeline, p: Picks, media: Media) -> Timeline:
    one = p.one(s.subtitles).id if s.subtitles else "title-000000000000"
    two = p.one(s.subtitles).id if s.subtitles else "title-000000000000"
    return p.one([
        lambda: subtitles.add_subtitle(s, _frame(p), p.number(0, 60), "a word or two"),
        lambda: subtitles.add_subtitle(s, _frame(p), None, "more"),
        lambda: subtitles.move_subtitles(s, {one, two}, _delta(p)),
        lambda: subtitles.trim_subtitle(s, one, head=_delta(p), tail=_delta(p)),
        lambda: subtitles.split_subtitle(s, one, _frame(p)),
        lambda: subtitles.merge_subtitles(s, {one, two}),
        lambda: subtitles.remove_subtitles(s, {one}),
        lambda: subtitles.set_text(s, one, "other words"),
        lambda: subtitles.set_style(s, size=p.number(1, 20) / 100, shown=_flag(p)),
    ])()  # fmt: skip


ADDING: dict[str, Edit] = {
    "place": _place, "append": _append, "fill": _fill, "duplicate": _duplicate, "hold": _hold,
}  # fmt: skip
"""Edits that make timelines longer."""

TIMELINE: dict[str, Edit] = ADDING | {
    "move": _move, "lift": _lift, "ripple delete": _ripple_delete, "lift range": _lift_range, "extract": _extract,
    "close gap": _close_gap, "insert gap": _insert_gap, "replace media": _replace_media, "razor": _razor,
    "trim": _trim, "ripple trim": _ripple_trim, "roll": _roll, "slip": _slip, "slide": _slide, "speed": _speed,
    "reverse": _reverse, "freeze": _freeze, "link": _link, "group": _group, "curve": _curve, "fades": _fades,
    "blend": _blend, "attributes": _attributes, "reset": _reset, "clip facts": _clip_facts,
    "transition": _transition, "change transition": _change_transition, "remove transition": _remove_transition,
    "tracks": _tracks, "lock": _lock, "markers": _markers, "captions": _captions,
}  # fmt: skip

KEEPS_GAPS = (
    "razor", "roll", "slip", "reverse", "freeze", "link", "group", "curve", "fades", "blend", "reset",
    "clip facts", "transition", "change transition", "remove transition", "markers", "captions", "lock",
)  # fmt: skip
"""Edits after which every track has as many empty frames as before."""
CLOSES_GAPS = ("ripple delete", "extract", "close gap")
"""Edits after which no track has more."""


def _nest(d: Document, p: Picks) -> Document:
    assert d.sequence is not None
    return nesting.nest(d, _ids(d.sequence, p)).document if len(d.sequences) < 4 else d


def _unnest(d: Document, p: Picks) -> Document:
    assert d.sequence is not None
    shown = [c.id for _, c in lookup.each_clip(d.sequence) if c.media_id in d.media and d.media[c.media_id].nested]
    return nesting.unnest(d, p.one(shown)) if shown else d


def _activate(d: Document, p: Picks) -> Document:
    return sequences.activate(d, p.one(list(d.sequences)))


def _remove_sequence(d: Document, p: Picks) -> Document:
    return sequences.remove_sequence(d, p.one(list(d.sequences))) if len(d.sequences) > 1 else d


def _remove_media(d: Document, p: Picks) -> Document:
    nested = [item.id for item in d.media.values() if item.nested]
    return media_edits.remove_media(d, [p.one(nested)], with_clips=_flag(p)) if nested else d


def _look(d: Document, p: Picks) -> Document:
    assert d.sequence is not None
    return set_look(d, _ids(d.sequence, p), Look(prompt="paper") if _flag(p) else None)


WHOLE: dict[str, Callable[[Document, Picks], Document]] = {
    "nest": _nest, "unnest": _unnest, "activate": _activate, "remove sequence": _remove_sequence,
    "remove media": _remove_media, "look": _look,
}  # fmt: skip

NAMES = (*TIMELINE, *WHOLE)


def edited(document: Document, name: str, picks: Picks) -> Document:
    """The document after one edit of :data:`NAMES`. Raises EditRefused, and AssertionError where a gap came or went."""
    if name in WHOLE:
        return WHOLE[name](document, picks)
    before = document.sequence
    assert before is not None
    if name in ADDING and sum(len(track.clips) for track in before.tracks) > MOST_CLIPS:
        return document
    after = TIMELINE[name](before, picks, document.media)
    old = {track.id: _empty(track.clips) for track in before.tracks}
    for track in after.tracks:
        if track.id not in old:
            continue
        if name in KEEPS_GAPS:
            assert _empty(track.clips) == old[track.id], f"{name} changed the gaps of {track.name}"
        elif name in CLOSES_GAPS:
            assert _empty(track.clips) <= old[track.id], f"{name} opened a gap on {track.name}"
    return sequences.with_sequence(document, after)


def _empty(clips: tuple[Clip, ...]) -> int:
    return (clips[-1].end if clips else 0) - sum(clip.duration for clip in clips)


def broken(document: Document) -> list[str]:
    """What is wrong with a document, in words."""
    found = [line for s in document.sequences.values() for line in lookup.problems(s, document.media)]
    for item in document.media.values():
        if item.nested:
            inner = document.sequences.get(item.nested)
            if inner is None:
                found.append(f"media {item.id} is a timeline that is gone")
            elif item.info != nesting.info_of(inner):
                found.append(f"media {item.id} is not as its timeline is")
    if nesting.holds_itself(document.media, document.sequences.values()):
        found.append("a timeline holds itself")
    for sequence in document.sequences.values():
        found += [
            f"clip {c.id} shows no media" for _, c in lookup.each_clip(sequence) if c.media_id not in document.media
        ]
    return found


def round_trip(document: Document) -> bool:
    """Whether the document is the same after it was written and read."""
    return codec.loads(codec.dumps(document, None), None) == document
