"""Engines (b) and (c): painted keys over a clip, colour and pattern of a subject."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError
from gen2studio.engine.requests import BlobRef, KeyRef, PatternRef
from gen2studio.example.patterns import Spots
from gen2studio.raster import flow
from gen2studio.raster.measures import correlation, difference, edge_correlation, shading_correlation
from tests.example.stage import GOGH, ClipContext, Picture, dog, picture, request, run, woman


def painted(frames: tuple[Picture, ...], scratch: Path, frame: int) -> Picture:
    context = ClipContext(frames, scratch, blobs={"g": picture(GOGH)})
    run(context, request(frames, frames=(frame,), styles=(BlobRef(digest="g"),)))
    return context.out[frame]


def test_one_painted_key_paints_the_clip_and_beats_warping_it(tmp_path: Path) -> None:
    frames = woman(7)
    key = painted(frames, tmp_path, 0)
    context = ClipContext(frames, tmp_path, blobs={"k": key})
    run(context, request(frames, keys=(KeyRef(frame=0, blob=BlobRef(digest="k")),)))
    assert set(context.out) == set(range(7))
    assert difference(context.out[0], key) < 0.01
    warped = key
    for a, b in itertools.pairwise(frames):
        warped = flow.warp(warped, flow.dis_flow(flow.grey(b), flow.grey(a)))
    assert edge_correlation(context.out[6], frames[6]) > edge_correlation(warped, frames[6])


def test_several_keys_and_resuming(tmp_path: Path) -> None:
    frames = woman(5)
    blobs = {"a": painted(frames, tmp_path, 1), "b": painted(frames, tmp_path, 4)}
    keys = (KeyRef(frame=1, blob=BlobRef(digest="a")), KeyRef(frame=4, blob=BlobRef(digest="b")))
    wanted = request(frames, keys=keys)
    whole = ClipContext(frames, tmp_path / "whole", blobs=blobs, threads=2)
    run(whole, wanted)
    assert set(whole.out) == set(range(5))
    assert difference(whole.out[1], blobs["a"]) < 0.01 and difference(whole.out[4], blobs["b"]) < 0.01
    broken = ClipContext(frames, tmp_path / "broken", blobs=blobs, stop_after=2)
    with pytest.raises(Cancelled):
        run(broken, wanted)
    rest = ClipContext(frames, tmp_path / "broken", blobs=blobs, finished=frozenset(broken.out))
    run(rest, wanted)
    together = {**broken.out, **rest.out}
    assert all(np.array_equal(together[i], whole.out[i]) for i in range(5))


def test_another_key_is_asked_for_at_a_cut_and_the_rest_is_kept(tmp_path: Path) -> None:
    frames = (*dog(2), *woman(2))
    context = ClipContext(frames, tmp_path, blobs={"k": painted(frames, tmp_path, 0)})
    with pytest.raises(GenerationError, match="cut"):
        run(context, request(frames, keys=(KeyRef(frame=0, blob=BlobRef(digest="k")),)))
    assert set(context.out) == {0, 1}
    assert context.notes and context.notes[0][1] == 2


def test_a_key_of_another_shape_is_refused(tmp_path: Path) -> None:
    frames = dog(2)
    context = ClipContext(frames, tmp_path, blobs={"k": np.zeros((40, 90, 3), np.uint8)})
    with pytest.raises(GenerationError, match="shape"):
        run(context, request(frames, keys=(KeyRef(frame=0, blob=BlobRef(digest="k")),)))


def subject(frames: tuple[Picture, ...]) -> list[Picture]:
    """An ellipse on the runner's jacket, soft by a pixel."""
    mask = np.zeros(frames[0].shape[:2], np.uint8)
    cv2.ellipse(mask, (62, 92), (28, 30), 0, 0, 360, 255, -1)
    return [cv2.GaussianBlur(mask, (0, 0), 0.8)] * len(frames)


@pytest.mark.parametrize("kind", ["none", "spots", "stripes", "plaid", "swatch"])
def test_region_edit_keeps_shading_and_everything_outside(kind: str, tmp_path: Path) -> None:
    frames, base = woman(3), (200, 210, 235)
    masks = subject(frames)
    pattern = PatternRef(
        kind=kind, base=base, ink=(30, 30, 80), swatch=BlobRef(digest="s") if kind == "swatch" else None
    )
    context = ClipContext(frames, tmp_path, masks=masks, blobs={"s": picture("pairs/style_mosaic.jpg")})
    run(context, request(frames, mode="mask", region="foreground", pattern=pattern))
    for i in range(3):
        out, mask = context.out[i], masks[i]
        assert np.array_equal(out[mask == 0], frames[i][mask == 0])
        assert difference(out[mask > 200], frames[i][mask > 200]) > 0.1
        if kind == "none":
            assert shading_correlation(out, frames[i], mask == 255) >= 0.98
        elif kind in ("spots", "stripes"):
            inside = out[mask == 255].astype(int).sum(-1)
            assert (inside < 330).mean() > 0.08 and (inside > 420).mean() > 0.08


def test_words_make_a_dalmatian(tmp_path: Path) -> None:
    frames = woman(2)
    context = ClipContext(frames, tmp_path, masks=subject(frames))
    run(context, request(frames, mode="mask", region="foreground", prompt="a white coat with black spots"))
    inside = context.out[0][subject(frames)[0] == 255].mean(-1)
    assert (inside > 170).mean() > 0.3 and (inside < 70).mean() > 0.05
    assert not context.notes


def test_spots_ride_on_the_subject_and_keep_their_size() -> None:
    mask = np.zeros((90, 120), np.uint8)
    mask[15:75, 20:90] = 255
    spots = Spots(14.0, 5)
    spots.begin(mask)
    start, radius = spots.places.copy(), spots.radius.copy()
    assert len(start) > 8
    moved = np.roll(mask, 3, 1)
    forward = np.zeros((90, 120, 2), np.float32)
    forward[..., 0] = np.where(mask > 0, 3.0, -4.0)
    first = spots.coverage(90, 120, 1.0)
    spots.advance(forward, moved)
    kept = len(start)
    gap = spots.places[:kept] - start
    assert np.abs(np.median(gap, axis=0) - (3, 0)).max() < 0.3
    assert np.abs(spots.growth - 1).max() <= 0.15
    assert np.array_equal(spots.radius[:kept], radius)
    assert correlation(np.roll(first, 3, 1), spots.coverage(90, 120, 1.0)) > 0.9


def test_a_swatch_without_an_image_is_an_error(tmp_path: Path) -> None:
    frames = dog(1)
    with pytest.raises(GenerationError, match="swatch"):
        run(
            ClipContext(frames, tmp_path),
            request(frames, mode="mask", pattern=PatternRef(kind="swatch", base=(1, 2, 3), ink=(4, 5, 6))),
        )
