"""Where things lie on the timeline: hit-testing, snapping, lanes. No Qt."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from gen2studio.core.time import nominal_rate
from gen2studio.document import edits
from gen2studio.document.model import Clip, Sequence
from gen2studio.ui.timeline.layout import (
    BADGE,
    EDGE,
    MASK_LANE,
    Layout,
    Zone,
    pack_runs,
    runs_on_clip,
    snap,
    snap_targets,
)
from gen2studio.ui.timeline.ruler import tick_step
from gen2studio.ui.timeline.thumbs import grain
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import WavePyramid

PPF = 4.0


def clip(name: str, start: int, duration: int, **more: object) -> Clip:
    return Clip(id=name, media_id="m", name=name, start=start, duration=duration, **more)  # type: ignore[arg-type]


@pytest.fixture
def sequence() -> Sequence:
    empty = edits.new_sequence("S", Fraction(25), 640, 360, video_tracks=2, audio_tracks=1)
    low, high, sound = empty.tracks
    return replace(
        empty,
        tracks=(
            replace(low, clips=(clip("a", 0, 50), clip("b", 50, 30), clip("c", 100, 40, takes=("t",)))),
            replace(high, clips=(clip("d", 20, 200),)),
            replace(sound, clips=(clip("e", 0, 50),)),
        ),
    )


def test_topmost_video_comes_first_and_audio_last(sequence: Sequence) -> None:
    layout = Layout(sequence)
    assert [r.clips[0].id for r in layout.rows] == ["d", "a", "e"]
    tops = [r.top for r in layout.rows]
    assert tops == sorted(tops)
    assert all(a.bottom <= b.top for a, b in zip(layout.rows, layout.rows[1:], strict=False))


def test_visible_slice_is_what_touches_the_view(sequence: Sequence) -> None:
    row = Layout(sequence).rows[1]
    for first, last in ((0, 10), (49, 51), (80, 99), (81, 101), (139, 500), (140, 500)):
        i, j = row.visible(first, last)
        shown = {c.id for c in row.clips[i:j]}
        wanted = {c.id for c in row.clips if c.start < last and c.end > first}
        assert shown == wanted, (first, last)


def test_hits_by_zone(sequence: Sequence) -> None:
    layout = Layout(sequence)
    y = layout.rows[1].top + 30

    def at(x: float, where: float = y) -> tuple[Zone, str]:
        hit = layout.hit(x, where, PPF)
        return hit.zone, hit.clip.id if hit.clip else ""

    assert at(100) == (Zone.BODY, "a")
    assert at(2) == (Zone.HEAD, "a")
    assert at(200) == (Zone.CUT, "a")
    assert at(200 - EDGE + 1) == (Zone.TAIL, "a")
    assert at(200 + EDGE - 1) == (Zone.HEAD, "b")
    assert at(318) == (Zone.TAIL, "b")
    assert at(360) == (Zone.GAP, "")
    assert at(560 - EDGE - BADGE + 4, layout.rows[1].top + 6) == (Zone.BADGE, "c")
    assert layout.hit(360, y, PPF).gap == (80, 100)
    assert layout.hit(900, y, PPF).gap is None
    assert layout.hit(10, layout.height + 50, PPF).zone is Zone.NOTHING
    cut = layout.hit(200, y, PPF)
    assert cut.neighbour is not None and cut.neighbour.id == "b"


def test_a_narrow_clip_can_still_be_taken_by_its_body(sequence: Sequence) -> None:
    layout = Layout(sequence)
    assert layout.hit(115 * 0.3, layout.rows[1].top + 30, 0.3).zone is Zone.BODY


def test_rubber_band_takes_what_it_touches_but_no_locked_track(sequence: Sequence) -> None:
    layout = Layout(sequence)
    assert layout.inside(190, 0, 330, layout.height, PPF) == {"d", "a", "b", "e"}
    locked = replace(sequence, tracks=(replace(sequence.tracks[0], locked=True), *sequence.tracks[1:]))
    assert Layout(locked).inside(190, 0, 330, layout.height, PPF) == {"d", "e"}


def test_snapping_takes_the_nearest_of_all_points(sequence: Sequence) -> None:
    targets = snap_targets(Layout(sequence), playhead=333, without=["c"])
    assert {0, 50, 80, 20, 220, 333} == set(targets.tolist())
    assert snap([47.6, 120.0], targets, 3) == (50, pytest.approx(2.4))
    assert snap([47.6, 219.5], targets, 3) == (220, pytest.approx(0.5))
    assert snap([60.0], targets, 3) is None


def test_only_changed_rows_are_reported(sequence: Sequence) -> None:
    first = Layout(sequence)
    changed = replace(
        sequence, tracks=(sequence.tracks[0], *sequence.tracks[1:2], replace(sequence.tracks[2], clips=()))
    )
    second = Layout(changed, first)
    assert second.changed == [2] and second.same_geometry
    assert second.rows[0].starts is first.rows[0].starts
    laned = Layout(sequence, first, lambda track: track.id == sequence.tracks[0].id)
    assert not laned.same_geometry and laned.rows[1].height == first.rows[1].height + MASK_LANE


def test_media_runs_land_on_the_clip_at_other_rates_and_speeds() -> None:
    slow = clip("x", 100, 50, source_in=Fraction(1), speed=Fraction(1, 2))
    # 12.5 media frames a second at 25 fps and half speed: one media frame lasts four sequence frames.
    assert runs_on_clip([(12, 15)], slow, 25.0, 12.5) == ((100, 110),)
    assert runs_on_clip([(0, 3)], slow, 25.0, 12.5) == ()
    assert pack_runs([3, 1, 2, 7]) == ((1, 4), (7, 8))


def test_ruler_labels_never_crowd() -> None:
    for rate in (Fraction(24000, 1001), Fraction(25), Fraction(60)):
        for ppf in (0.001, 0.02, 0.3, 2.0, 9.0, 40.0):
            label, minor = tick_step(ppf, rate)
            assert label * ppf >= 108 or label >= 14400
            assert label % minor == 0
            whole = nominal_rate(rate)
            assert whole % label == 0 or label % whole == 0, "labels fall on whole seconds"


def test_zoom_keeps_the_frame_under_the_pointer() -> None:
    view = Viewport()
    view.set_size(1000, 200)
    view.set_content(10_000, 100)
    view.scroll_to(3000, 0)
    before = view.frame(400)
    for factor in (1.3, 1.3, 0.5, 1.7):
        view.zoom_by(factor, 400)
        assert view.frame(400) == pytest.approx(before, abs=1.5 / view.ppf)
    view.fit()
    assert view.x(0) == 0 and 900 < view.x(10_000) <= 1000


def test_wave_pyramid_keeps_the_loudest_peak_at_every_zoom() -> None:
    peaks = np.zeros((1000, 2), np.int8)
    peaks[437] = (-90, 100)
    pyramid = WavePyramid(peaks, 100.0)
    for width in (0.01, 0.08, 0.5, 2.0):
        seconds = np.arange(0, 10, width)
        low, top = pyramid.columns(seconds, width)
        assert top.max() == 100 and low.min() == -90, width
        assert abs(seconds[int(top.argmax())] - 4.37) <= width + 0.01
    assert pyramid.columns(np.array([-1.0, 99.0]), 0.1)[1].tolist() == [0, 0]


def test_thumbnail_grain_is_shared_between_near_zooms() -> None:
    assert grain(1.0) == grain(1.01) == 512
    assert grain(0.0) == 16
