"""Rectangles and extents as sets of pixels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen2studio.core.geometry import Extent, Rect

extents = st.builds(Extent, st.integers(1, 8192), st.integers(1, 8192))
rects = st.builds(Rect, st.integers(-30, 30), st.integers(-30, 30), st.integers(0, 12), st.integers(0, 12))


def pixels(rect: Rect) -> set[tuple[int, int]]:
    return {(x, y) for x in range(rect.x, rect.right) for y in range(rect.y, rect.bottom)}


@given(rects, rects)
def test_intersection_is_the_common_pixels(a: Rect, b: Rect) -> None:
    assert pixels(a.intersected(b)) == pixels(a) & pixels(b)
    assert a.intersected(b).empty == (not pixels(a) & pixels(b))


@given(rects, rects)
def test_union_is_the_smallest_rectangle_around_both(a: Rect, b: Rect) -> None:
    both = pixels(a) | pixels(b)
    united = a.united(b)
    assert both <= pixels(united)
    if both:
        assert united.width == max(x for x, _ in both) - min(x for x, _ in both) + 1
        assert united.height == max(y for _, y in both) - min(y for _, y in both) + 1
    else:
        assert united.empty


@given(rects, st.integers(0, 5))
def test_growing_and_shrinking_cancel(rect: Rect, margin: int) -> None:
    assert rect.grown(margin).grown(-margin) == rect
    assert pixels(rect) <= pixels(rect.grown(margin))


@given(extents, extents)
def test_fitting_touches_the_box_and_keeps_the_shape(extent: Extent, box: Extent) -> None:
    fitted = extent.scaled_to_fit(box)
    assert fitted.width <= box.width
    assert fitted.height <= box.height
    assert fitted.width == box.width or fitted.height == box.height
    # Within the rounding of one pixel a side.
    assert abs(fitted.width * extent.height - fitted.height * extent.width) <= max(extent.height, extent.width)


@given(extents, st.integers(1, 64))
def test_padding_goes_to_the_next_multiple(extent: Extent, multiple: int) -> None:
    padded = extent.padded_to(multiple)
    assert padded.width % multiple == padded.height % multiple == 0
    assert 0 <= padded.width - extent.width < multiple
    assert 0 <= padded.height - extent.height < multiple


@pytest.mark.parametrize(("width", "height"), [(0, 1), (1, 0), (-3, 4)])
def test_a_picture_has_pixels(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        Extent(width, height)


def test_an_extent_covers_itself() -> None:
    extent = Extent(16, 9)
    assert len(pixels(Rect.of(extent))) == extent.pixels == 144
    assert (str(extent), round(extent.aspect, 3)) == ("16×9", 1.778)
