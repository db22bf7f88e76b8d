"""Edits on drawn shapes: outlines that must stay stay, every key keeps its number of points, refusals say why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.document import codec, masks, outlines
from gen2studio.document import mask_shapes as edits
from gen2studio.document.model import Document
from tests.document import builders

SQUARE = outlines.rectangle(10, 20, 110, 220)
ROUND = outlines.ellipse(10, 20, 110, 220)


@pytest.fixture
def document() -> Document:
    return with_shape(edits.drawn("bezier", ROUND, 5))


def with_shape(*shapes: MaskShape) -> Document:
    item = builders.video()
    document = Document(id="doc-0000000000a1", media=frozen_map({item.id: item}))
    object_id = "mask-0000000000a1"
    document = masks.add_object(document, item.id, object_id=object_id)
    for shape in shapes:
        document = edits.add_shape(document, object_id, shape)
    return document


def ids(document: Document) -> tuple[str, str]:
    object_id = next(iter(document.masks))
    return object_id, document.masks[object_id].shapes[-1].id


def last(document: Document) -> MaskShape:
    return document.masks[next(iter(document.masks))].shapes[-1]


def line(kind: str, points: tuple[ShapePoint, ...]) -> np.ndarray:
    from gen2studio.raster import splines

    return splines.outline(kind, points, 0.01)


def apart(first: np.ndarray, second: np.ndarray) -> float:
    """How far the farthest of some hundred points of one closed line is from the other, both ways."""
    return max(_reach(first, second), _reach(second, first))


def _reach(points: np.ndarray, of: np.ndarray) -> float:
    a, b = of, np.roll(of, -1, 0)
    along = b - a
    length = (along[:, :2] ** 2).sum(1).clip(1e-12)
    worst = 0.0
    points = points[:: max(1, len(points) // 120)]
    for chunk in np.array_split(points, max(1, len(points) // 64)):
        t = (((chunk[:, None, :2] - a[None, :, :2]) * along[None, :, :2]).sum(2) / length).clip(0, 1)
        near = a[None] + t[:, :, None] * along[None]
        gap = np.hypot(*(np.moveaxis(near[:, :, :2] - chunk[:, None, :2], 2, 0)))
        worst = max(worst, float(gap.min(1).max()))
    return worst


numbers = st.floats(-300, 300, allow_nan=False).map(lambda v: round(v, 2))
handles = st.one_of(st.just(0.0), st.floats(-120, 120, allow_nan=False).map(lambda v: round(v, 2)))
points = st.builds(ShapePoint, numbers, numbers, handles, handles, handles, handles, st.floats(-40, 40))


@st.composite
def keyed(draw: st.DrawFn, kinds: tuple[str, ...] = ("bezier", "polygon", "bspline")) -> MaskShape:
    count = draw(st.integers(3, 7))
    frames = sorted(draw(st.sets(st.integers(0, 60), min_size=1, max_size=3)))
    own = st.lists(points, min_size=count, max_size=count).map(tuple)
    return MaskShape(id="s", kind=draw(st.sampled_from(kinds)), keys=tuple((at, draw(own)) for at in frames))


@settings(max_examples=25, deadline=None)
@given(keyed(), st.integers(0, 6), st.floats(0, 1))
def test_adding_a_point_changes_no_keys_outline(shape: MaskShape, segment: int, t: float) -> None:
    document = with_shape(shape)
    object_id, shape_id = ids(document)
    segment %= len(shape.keys[0][1])
    grown = last(edits.add_point(document, object_id, shape_id, segment, t))
    for (at, before), (now, after) in zip(shape.keys, grown.keys, strict=True):
        assert at == now
        assert len(after) == (2 * len(before) if shape.kind == "bspline" else len(before) + 1)
        assert apart(line(shape.kind, before), line(shape.kind, after)) < 0.05


@settings(max_examples=15, deadline=None)
@given(keyed(), st.sampled_from(["bezier", "polygon"]))
def test_converting_keeps_the_outline(shape: MaskShape, to: str) -> None:
    document = with_shape(shape)
    converted = last(edits.convert(document, *ids(document), to))
    assert converted.kind == to and len({len(p) for _, p in converted.keys}) == 1
    for (_, before), (_, after) in zip(shape.keys, converted.keys, strict=True):
        assert apart(line(shape.kind, before), line(to, after)) < (0.05 if to == "bezier" else 0.26)


@settings(max_examples=10, deadline=None)
@given(keyed(("bezier", "polygon")))
def test_a_bspline_goes_through_the_points_there_were(shape: MaskShape) -> None:
    document = with_shape(shape)
    converted = last(edits.convert(document, *ids(document), "bspline"))
    for (_, before), (_, after) in zip(shape.keys, converted.keys, strict=True):
        curve = line("bspline", after)
        for p in before:
            gap = _reach(np.array([[p.x, p.y, 0.0]]), curve)
            assert gap < 0.02


def test_keys_are_made_moved_and_removed(document: Document) -> None:
    object_id, shape_id = ids(document)
    moved = edits.move_points(document, object_id, shape_id, 15, {0}, 10, -4)
    shape = last(moved)
    assert [at for at, _ in shape.keys] == [5, 15]
    assert shape.points_at(5) == ROUND and shape.points_at(10)[0].x == ROUND[0].x + 5
    assert shape.points_at(10)[0].y == ROUND[0].y - 2 and shape.points_at(99)[0].x == ROUND[0].x + 10
    between = edits.add_key(moved, object_id, shape_id, 10)
    assert last(between).points_at(10) == shape.points_at(10) and edits.has_key(last(between), 10)
    away = edits.move_key(between, object_id, shape_id, 10, 30)
    assert [at for at, _ in last(away).keys] == [5, 15, 30]
    assert (edits.next_key(last(away), 15), edits.previous_key(last(away), 15)) == (30, 5)
    gone = edits.remove_key(edits.remove_key(away, object_id, shape_id, 30), object_id, shape_id, 15)
    assert last(gone).keys == last(document).keys
    with pytest.raises(EditRefused, match="only key"):
        edits.remove_key(gone, object_id, shape_id, 5)
    with pytest.raises(EditRefused, match="no key on this frame"):
        edits.move_key(gone, object_id, shape_id, 6, 7)
    assert edits.move_points(document, object_id, shape_id, 15, {0}, 0, 0) is document


def test_an_edit_without_a_frame_changes_every_key(document: Document) -> None:
    object_id, shape_id = ids(document)
    two = edits.move_points(document, object_id, shape_id, 15, {0, 1, 2, 3}, 50, 0)
    moved = last(edits.move_points(two, object_id, shape_id, None, {2}, 3, 4))
    assert [p[2].y for _, p in moved.keys] == [ROUND[2].y + 4] * 2 and len(moved.keys) == 2
    turned = last(edits.transform(two, object_id, shape_id, None, (0.0, 2.0, -2.0, 0.0, 0.0, 0.0)))
    first = turned.keys[0][1][0]
    assert (first.x, first.y) == pytest.approx((-2 * ROUND[0].y, 2 * ROUND[0].x))
    assert (first.out_x, first.out_y) == pytest.approx((0.0, 2 * ROUND[0].out_x))


def test_handles_feather_and_corners(document: Document) -> None:
    object_id, shape_id = ids(document)
    point = last(edits.set_handle(document, object_id, shape_id, 5, 1, "out", 30, 0, "smooth")).points_at(5)[1]
    far = abs(ROUND[1].in_y)
    assert (point.out_x, point.out_y) == (30, 0) and (point.in_x, point.in_y) == pytest.approx((-far, 0))
    point = last(edits.set_handle(document, object_id, shape_id, 5, 1, "in", 3, 4, "symmetric")).points_at(5)[1]
    assert (point.in_x, point.in_y, point.out_x, point.out_y) == (3, 4, -3, -4)
    point = last(edits.set_handle(document, object_id, shape_id, 5, 1, "in", 3, 4, "break")).points_at(5)[1]
    assert (point.out_x, point.out_y) == (ROUND[1].out_x, ROUND[1].out_y)
    corners = edits.make_corners(document, object_id, shape_id, 5, {0, 2})
    assert [p.out_x for p in last(corners).points_at(5)] == [0, ROUND[1].out_x, 0, ROUND[3].out_x]
    smooth = last(edits.make_smooth(corners, object_id, shape_id, 5, {0})).points_at(5)[0]
    assert smooth.out_x > 0 and smooth.out_y == pytest.approx(0) and smooth.in_x == pytest.approx(-smooth.out_x)
    soft = last(edits.set_feather(document, object_id, shape_id, 5, {1}, 5000)).points_at(5)
    assert [p.feather for p in soft] == [0, 1000, 0, 0]


def test_points_go_from_all_keys_and_three_must_stay(document: Document) -> None:
    object_id, shape_id = ids(document)
    two = edits.move_points(document, object_id, shape_id, 15, {0}, 9, 9)
    fewer = edits.remove_points(two, object_id, shape_id, {1})
    assert [len(p) for _, p in last(fewer).keys] == [3, 3]
    with pytest.raises(EditRefused, match="three points"):
        edits.remove_points(fewer, object_id, shape_id, {1})
    with pytest.raises(EditRefused, match="same points"):
        edits.set_points(document, object_id, shape_id, 5, ROUND[:3])


def test_the_list_of_shapes(document: Document) -> None:
    object_id, first = ids(document)
    document = edits.add_shape(document, object_id, edits.drawn("polygon", SQUARE, 0, "subtract"))
    _, second = ids(document)
    names = [s.name for s in document.masks[object_id].shapes]
    assert names[-2:] == ["Shape 1", "Shape 2"] or len(set(names)) == len(names)
    swapped = edits.move_shape(document, object_id, second, 0)
    assert swapped.masks[object_id].shapes[0].id == second
    copied = edits.duplicate_shape(document, object_id, first, "shape-copy")
    assert edits.shape_of(copied, object_id, "shape-copy").keys == edits.shape_of(copied, object_id, first).keys
    named = edits.rename_shape(document, object_id, first, " Left arm ")
    assert edits.shape_of(named, object_id, first).name == "Left arm"
    hidden = edits.set_visible(document, object_id, first, False)
    assert not edits.shape_of(hidden, object_id, first).lives_at(5)
    living = edits.set_life(document, object_id, first, 4, 9)
    assert [edits.shape_of(living, object_id, first).lives_at(f) for f in (3, 4, 8, 9)] == [False, True, True, False]
    with pytest.raises(EditRefused, match="at least one frame"):
        edits.set_life(document, object_id, first, 4, 4)
    with pytest.raises(EditRefused, match="no longer there"):
        edits.remove_shape(edits.remove_shape(document, object_id, first), object_id, first)
    with pytest.raises(EditRefused, match="operation"):
        edits.set_operation(document, object_id, first, "xor")
    assert edits.set_operation(document, object_id, second, "subtract") is document


def test_a_locked_object_keeps_its_shapes(document: Document) -> None:
    object_id, shape_id = ids(document)
    locked = masks.set_locked(document, object_id, True)
    with pytest.raises(EditRefused, match="locked"):
        edits.move_points(locked, object_id, shape_id, 5, {0}, 1, 1)


def test_baking_paints_and_forgets_the_shapes(document: Document) -> None:
    object_id, _ = ids(document)
    baked = edits.baked(document, object_id, {3: MaskRaster(8, 8)})
    mask = baked.masks[object_id]
    assert mask.shapes == () and mask.frames[3].anchor
    with pytest.raises(EditRefused, match="no shapes"):
        edits.baked(baked, object_id, {})


def test_edited_shapes_are_saved_and_read_again(document: Document) -> None:
    object_id, shape_id = ids(document)
    edited = edits.add_point(
        edits.set_feather(document, object_id, shape_id, 9, {1}, -7.5), object_id, shape_id, 2, 0.3
    )
    assert codec.loads(codec.dumps(edited, None), None) == edited
