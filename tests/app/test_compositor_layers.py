"""Composited frames: fades, opacity, blending, transitions, nesting, titles - and exports that show the same."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from gen2studio.app.compositor import OfflinePixels, SequenceRenderer, composed, gathered
from gen2studio.app.compositor_geometry import matrix_of, pose_of
from gen2studio.app.compositor_stack import StackBuilder, is_composed
from gen2studio.app.compositor_titles import caption_html, caption_picture
from gen2studio.app.export import export_sequence
from gen2studio.app.export_values import ExportSettings
from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document.composition import (
    BlendMode,
    Subtitle,
    SubtitleStyle,
    Transform,
    Transition,
    TransitionKind,
)
from gen2studio.document.model import Document, MediaItem, Sequence
from tests.app.test_compositor import Painted, item, stacked
from tests.export.sequences import DOG, SEQ, clip_of, document_with, item_of, sequence_with

RATE = Fraction(25)


def shown(document: Document, frame: int, sequence_id: str = "") -> np.ndarray:
    return SequenceRenderer(document, Painted(document), sequence_id).picture(frame)


def one_track(*clips: object, transition: Transition | None = None, **changes: object) -> Sequence:
    sequence = sequence_with(tuple(clips), rate=RATE, size=(64, 32))  # type: ignore[arg-type]
    if transition is not None:
        sequence = replace(sequence, tracks=(replace(sequence.tracks[0], transitions=(transition,)),))
    return replace(sequence, **changes)  # type: ignore[arg-type]


def test_fades_begin_and_end_with_nothing() -> None:
    one = item("m1")
    clip = replace(clip_of(one, duration=20), fade_in=4, fade_out=5, opacity=Curve(0.8))
    document = document_with(one_track(clip), one)
    red = [int(shown(document, f)[0, 0, 0]) for f in range(20)]
    wanted = [50 * 0.8 * min(1, f / 4, (19 - f) / 5) for f in range(20)]
    assert np.abs(np.array(red) - wanted).max() <= 0.51
    assert red[0] == red[19] == 0


def test_opacity_keys_count_from_the_head_of_the_clip() -> None:
    one, two = item("m1"), item("m2")
    top = replace(clip_of(two, "c2", start=5), opacity=Curve(1.0, (CurveKey(0, 0.0), CurveKey(4, 1.0))))
    document = stacked(top, clip_of(one, "c1", duration=20), one, two)
    assert [int(shown(document, f)[0, 0, 0]) for f in (4, 5, 7, 9, 12)] == [50, 50, 75, 100, 100]


def test_a_smaller_clip_shows_what_lies_below_and_beside_it() -> None:
    one, two = item("m1"), item("m2")
    top = replace(clip_of(two, "c2"), transform=Transform(scale=Curve(0.5), x=Curve(0.25)))
    picture = shown(stacked(top, clip_of(one, "c1"), one, two), 1)
    assert (picture[8:24, 32:64, 0] == 100).all()
    assert (picture[8:24, :32, 0] == 50).all() and (picture[:8, :, 0] == 50).all()


def test_blending_meets_the_formula_on_its_way_through_the_compositor() -> None:
    one, two = item("m2"), item("m4")
    top = replace(clip_of(two, "c2"), blend=BlendMode.SCREEN, opacity=Curve(0.5))
    picture = shown(stacked(top, clip_of(one, "c1"), one, two), 0)
    below, above = 100 / 255, 200 / 255
    met = below + above - below * above
    assert abs(int(picture[5, 5, 0]) - 255 * (below + 0.5 * (met - below))) <= 0.51


@pytest.mark.parametrize("kind", list(TransitionKind))
def test_transitions_reach_over_the_cut_and_leave_the_rest_alone(kind: TransitionKind) -> None:
    one, two = item("m1"), item("m3")
    left = clip_of(one, "c1", duration=10)
    right = replace(clip_of(two, "c2", start=10, duration=10), source_in=Fraction(1))
    across = Transition(id="t", left="c1", right="c2", kind=kind, before=3, after=4, colour=(255, 0, 0))
    document = document_with(one_track(left, right, transition=across), one, two)
    assert (shown(document, 6)[..., 0] == 50).all() and (shown(document, 14)[..., 0] == 150).all()
    sequence = document.sequences[SEQ]
    assert [is_composed(document, sequence, f) for f in (6, 7, 13, 14)] == [False, True, True, False]
    stack = StackBuilder(document, Painted(document).index_at).stack(sequence, 13)
    # Both clips go on beneath it.
    assert [layer.index for layer in stack.layers()] == [13, 28]
    if kind is TransitionKind.DISSOLVE:
        share = (13 - 7 + 1) / 8
        assert abs(int(shown(document, 13)[0, 0, 0]) - (50 + 100 * share)) <= 0.51
    if kind is TransitionKind.WIPE:
        middle = shown(document, 10)
        assert middle[0, 0, 0] == 150 and middle[0, 63, 0] == 50


def test_a_transition_between_modes_mixes_what_each_makes_of_the_track_below() -> None:
    one, two, base = item("m1"), item("m3"), item("m2")
    left = replace(clip_of(one, "c1", duration=10), blend=BlendMode.ADD)
    right = clip_of(two, "c2", start=10, duration=10)
    across = Transition(id="t", left="c1", right="c2", before=1, after=0)
    document = stacked(left, clip_of(base, "c3", duration=20), one, two, base)
    sequence = document.sequences[SEQ]
    track = replace(sequence.tracks[1], clips=(left, right), transitions=(across,))
    document = replace(document, sequences=frozen_map({SEQ: replace(sequence, tracks=(sequence.tracks[0], track))}))
    assert abs(int(shown(document, 9)[0, 0, 0]) - (150 + 150) / 2) <= 1


def test_reverse_freeze_and_solo() -> None:
    one, two = item("m1"), item("m2")
    clip = clip_of(one, "c1", duration=10)
    builder = lambda d: StackBuilder(d, Painted(d).index_at)  # noqa: E731
    back = document_with(one_track(replace(clip, reverse=True)), one)
    assert [next(builder(back).stack(back.sequences[SEQ], f).layers()).index for f in (0, 9)] == [9, 0]
    held = document_with(one_track(replace(clip, freeze=True, source_in=Fraction(2))), one)
    assert [next(builder(held).stack(held.sequences[SEQ], f).layers()).index for f in (0, 9)] == [50, 50]
    document = stacked(clip_of(two, "c2"), clip, one, two)
    sequence = document.sequences[SEQ]
    solo = replace(sequence, tracks=(replace(sequence.tracks[0], solo=True), sequence.tracks[1]))
    assert shown(replace(document, sequences=frozen_map({SEQ: solo})), 1)[0, 0, 0] == 50


def nested(inner: Sequence, *items: MediaItem, **changes: object) -> Document:
    info = MediaInfo(kind=MediaKind.VIDEO, width=inner.width, height=inner.height, rate=inner.rate, frame_count=20)
    inside = MediaItem(id="nest", name="Scene", path="", fingerprint="", info=info, nested=inner.id)
    clip = replace(clip_of(inside, "outer", duration=20), **changes)
    document = document_with(one_track(clip), inside, *items)
    return replace(document, sequences=frozen_map({**document.sequences, inner.id: inner}))


def test_a_nested_timeline_shows_what_it_shows_itself() -> None:
    one, two = item("m1"), item("m2")
    top = replace(clip_of(two, "c2", start=3), opacity=Curve(0.4))
    inner = replace(stacked(top, clip_of(one, "c1", duration=20), one, two).sequences[SEQ], id="inner")
    document = nested(inner, one, two, start=0)
    for frame in (0, 5):
        assert np.array_equal(shown(document, frame), shown(document, frame, "inner"))
    faster = nested(inner, one, two, speed=Fraction(2), duration=5)
    assert np.array_equal(shown(faster, 3), shown(faster, 6, "inner"))
    small = nested(inner, one, two, transform=Transform(scale=Curve(0.5)))
    assert not shown(small, 5)[:8].any()
    assert (shown(small, 5)[8:24, 16:48, 0] == shown(small, 5, "inner")[0, 0, 0]).all()


def test_a_timeline_inside_itself_ends() -> None:
    one = item("m1")
    inner = one_track(clip_of(one, "c1", start=30), id="inner")
    document = nested(inner, one)
    loop = replace(inner, tracks=(replace(inner.tracks[0], clips=(clip_of(document.media["nest"], "again"),)),))
    document = replace(document, sequences=frozen_map({**document.sequences, "inner": loop}))
    assert not shown(document, 3).any()


def test_equal_frames_have_equal_digests_and_changes_change_them() -> None:
    one, two = item("m1"), item("m2")
    top = replace(clip_of(two, "c2"), transform=Transform(scale=Curve(0.5)))
    document = stacked(top, clip_of(one, "c1"), one, two)

    def digest(of: Document, frame: int = 2) -> str:
        return StackBuilder(of, Painted(of).index_at).stack(of.sequences[SEQ], frame).digest()

    def changed(**changes: object) -> str:
        return digest(stacked(replace(top, **changes), clip_of(one, "c1"), one, two))

    base = digest(document)
    assert digest(document) == base
    # Names and sound change nothing that is seen.
    assert changed(name="other", gain_db=3.0, volume=Curve(2.0)) == base
    for changes in (
        {"opacity": Curve(0.5)}, {"blend": BlendMode.ADD}, {"transform": Transform(scale=Curve(0.6))},
        {"source_in": Fraction(1)}, {"enabled": False}, {"fade_in": 9}, {"reverse": True},
    ):  # fmt: skip
        assert changed(**changes) != base, changes
    assert digest(document, 3) != base
    hidden = stacked(clip_of(two, "c2"), replace(clip_of(one, "c1"), opacity=Curve(0.3)), one, two)
    assert digest(hidden) == digest(stacked(clip_of(two, "c2"), clip_of(one, "c1"), one, two))


def test_only_srt_tags_mean_anything_in_a_caption() -> None:
    assert caption_html("<i>a</i> <b>b <u>c</u></b>\nd") == "<i>a</i> <b>b <u>c</u></b><br>d"
    assert caption_html("<script>x</script> & <I>y") == "&lt;script&gt;x&lt;/script&gt; &amp; <i>y</i>"
    assert caption_html("</b>z") == "z"


def test_captions_are_drawn_inside_the_safe_width(qapp: QApplication) -> None:
    frame = Extent(320, 180)
    style = SubtitleStyle(size=0.1)
    picture, area = caption_picture("Hello there", style, frame)
    assert picture.shape == (area.height, area.width, 4)
    solid = picture[..., 3] > 200
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    assert 0.8 * 180 < area.y + rows[-1] <= 0.95 * 180
    assert abs((area.x + (columns[0] + columns[-1]) / 2) - 160) < 3
    assert (picture[solid][:, :3].max(axis=1) > 240).any() and (picture[solid][:, :3].max(axis=1) < 15).any()
    long, wrapped = caption_picture("word " * 60, style, frame)
    assert wrapped.width <= 320 and wrapped.height > 2 * area.height and long[..., 3].any()
    boxed, _ = caption_picture("Hello there", SubtitleStyle(size=0.1, box=0.5), frame)
    assert (boxed[..., 3] > 100).sum() > 1.5 * (picture[..., 3] > 100).sum()


def test_captions_lie_over_the_frame_while_they_last(qapp: QApplication) -> None:
    one = item("m1", 160, 90)
    words = Subtitle(id="s", start=2, duration=3, text="Hi")
    sequence = replace(
        one_track(clip_of(one)), width=160, height=90, subtitles=(words,), subtitle_style=SubtitleStyle(size=0.3)
    )
    document = document_with(sequence, one)
    plain, titled = shown(document, 1), shown(document, 3)
    assert [is_composed(document, sequence, f) for f in (1, 2, 4, 5)] == [False, True, True, False]
    assert (plain[..., 0] == 50).all() and titled[..., 1].max() > 200
    assert (titled[:40, :, 0] == 50).all()
    off = replace(sequence, subtitle_style=SubtitleStyle(shown=False))
    assert (shown(document_with(off, one), 3)[..., 0] == 50).all()


def test_handles_know_where_a_picture_lies() -> None:
    pose = pose_of(Transform(x=Curve(0.5), scale=Curve(0.5), crop_left=Curve(0.25), anchor_x=Curve(0.1)), 0)
    assert pose is not None and pose.crop == (0.25, 0.0, 1.0, 1.0)
    a, b, c, d, e, f = matrix_of(pose, Extent(64, 32), Extent(128, 64))
    assert (a, b, d, e) == (64, 0, 0, 32)
    assert c == pytest.approx(64 + 12.8 + 64 - 0.6 * 64) and f == 16
    assert pose_of(Transform(anchor_x=Curve(0.3)), 0) is None


def test_an_export_shows_what_the_viewer_shows(media_root: Path, tmp_path: Path) -> None:
    dog = item_of(media_root / DOG)
    below = clip_of(dog, "c1", duration=4)
    top = replace(
        clip_of(dog, "c2", duration=4), source_in=Fraction(1), blend=BlendMode.SOFT_LIGHT, opacity=Curve(0.7),
        transform=Transform(scale=Curve(0.6), rotation=Curve(12.0), x=Curve(0.1)), fade_in=2,
    )  # fmt: skip
    document = document_with(sequence_with((below,), (top,), size=(256, 192)), dog)
    result = export_sequence(
        document, ExportSettings(path=tmp_path / "frames", preset="png_8"), take_folder=lambda _take: tmp_path
    )
    import cv2

    pixels = OfflinePixels(lambda _take: tmp_path)
    builder = StackBuilder(document, pixels.index_at)
    files = sorted(result.path.glob("*.png"))
    assert len(files) == 4
    for frame, file in enumerate(files):
        stack = builder.stack(document.sequences[SEQ], frame)
        viewer = composed(stack, gathered(stack, pixels), Extent(256, 192))
        written = cv2.imread(str(file), cv2.IMREAD_COLOR)
        assert np.array_equal(written, viewer[..., :3]), frame
        half = composed(stack, gathered(stack, pixels), Extent(128, 96))
        small = cv2.resize(viewer, (128, 96), interpolation=cv2.INTER_AREA)
        assert np.abs(half.astype(int) - small).mean() < 3
    pixels.close()


def test_alpha_is_kept_through_layers(media_root: Path) -> None:
    one = item("m1")
    clip = replace(clip_of(one), transform=Transform(scale=Curve(0.5)), opacity=Curve(0.5))
    document = document_with(one_track(clip), one)
    picture = SequenceRenderer(document, Painted(document), alpha=True).picture(3)
    assert not picture[:7].any()
    assert (np.abs(picture[10:22, 20:44].astype(int) - (50, 3, 0, 128)).max(axis=(0, 1)) <= (1, 1, 1, 1)).all()
