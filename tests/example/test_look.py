"""Engine (a): presets, style images, controls, video between keys."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.cancel import Cancelled
from gen2studio.core.errors import GenerationError
from gen2studio.engine.requests import BlobRef
from gen2studio.example import cuts
from gen2studio.example.looks import load_presets
from gen2studio.raster.measures import colour_drift, detail, difference, edge_correlation
from tests.example.stage import GOGH, ClipContext, Picture, coast, dog, picture, request, run, woman

STYLE = (BlobRef(digest="gogh"),)
BLOBS = {"gogh": picture(GOGH), "scream": picture("munch_the_scream.jpg")}


def still(frames: tuple[Picture, ...], scratch: Path, frame: int = 0, **values: object) -> Picture:
    context = ClipContext(frames, scratch, blobs=BLOBS)
    run(context, request(frames, frames=(frame,), **values))
    assert set(context.out) == {frame}
    return context.out[frame]


@pytest.mark.parametrize("frames", [woman(3), dog(3), coast(3)], ids=["woman", "dog", "coast"])
def test_presets_differ_from_the_source_and_from_each_other(frames: tuple[Picture, ...], tmp_path: Path) -> None:
    made = {look.id: still(frames, tmp_path, 1, preset=look.id) for look in load_presets()}
    for name, result in made.items():
        assert difference(result, frames[1]) > 0.025, name
    for (a, first), (b, second) in itertools.combinations(made.items(), 2):
        assert difference(first, second) > 0.025, (a, b)


def test_a_style_image_brings_its_colours_and_relief(tmp_path: Path) -> None:
    frames = coast(3)
    made = still(frames, tmp_path, styles=STYLE)
    assert colour_drift([frames[0], made]) > 5
    assert detail(made) > detail(frames[0])
    assert edge_correlation(made, frames[0]) > 0.25
    other = still(frames, tmp_path, styles=(BlobRef(digest="scream"),))
    assert difference(made, other) > 0.06


def test_style_images_are_blended_by_weight(tmp_path: Path) -> None:
    frames = coast(3)
    gogh, scream = still(frames, tmp_path, styles=STYLE), still(frames, tmp_path, styles=(BlobRef(digest="scream"),))
    mostly = still(frames, tmp_path, styles=(BlobRef(digest="gogh", weight=1.8), BlobRef(digest="scream", weight=0.2)))
    assert difference(mostly, gogh) < difference(mostly, scream)
    assert difference(mostly, gogh) > 0.005


def test_a_style_image_of_weight_0_counts_nowhere(tmp_path: Path) -> None:
    frames = coast(3)
    aside = BlobRef(digest="scream", weight=0.0)
    assert np.array_equal(still(frames, tmp_path, styles=(*STYLE, aside)), still(frames, tmp_path, styles=STYLE))
    with pytest.raises(GenerationError, match="nothing yet to paint with"):
        still(frames, tmp_path, styles=(aside,))


@pytest.mark.parametrize("kind", ["image", "watercolour", "oil", "ink"])
@pytest.mark.parametrize(
    ("control", "low", "high"),
    [("structure", 0.0, 7.0), ("style_weight", 0.3, 1.8), ("stroke_size", 0.5, 2.5), ("strength", 0.4, 1.0)],
)
def test_every_control_is_seen(kind: str, control: str, low: float, high: float, tmp_path: Path) -> None:
    frames = woman(3)
    what: dict[str, object] = {"styles": STYLE} if kind == "image" else {"preset": kind}
    a, b = (still(frames, tmp_path, controls={control: v}, **what) for v in (low, high))
    assert difference(a, b) > 0.008
    if control in ("strength", "style_weight"):
        assert difference(a, frames[0]) < difference(b, frames[0])
    if control == "structure" and kind != "ink":
        assert edge_correlation(a, frames[0]) > edge_correlation(b, frames[0])


def test_strength_zero_is_the_source(tmp_path: Path) -> None:
    frames = dog(2)
    assert difference(still(frames, tmp_path, preset="neon", controls={"strength": 0.0}), frames[0]) == 0


def test_seed_repeats_and_varies(tmp_path: Path) -> None:
    frames = coast(2)
    first = still(frames, tmp_path, styles=STYLE, seed=3)
    assert np.array_equal(first, still(frames, tmp_path, styles=STYLE, seed=3))
    assert difference(first, still(frames, tmp_path, styles=STYLE, seed=4)) > 0.005


def test_skin_is_protected_on_request(tmp_path: Path) -> None:
    from gen2studio.example.skin import skin_map

    frames = woman(3)
    plain = still(frames, tmp_path, styles=STYLE)
    kept = still(frames, tmp_path, styles=STYLE, controls={"protect_skin": 1.0})
    skin = skin_map(frames[0].astype(np.float32) / 255, 128 / 288) > 0.7
    assert 0.005 < skin.mean() < 0.3
    assert difference(kept[skin], frames[0][skin]) < 0.5 * difference(plain[skin], frames[0][skin])
    assert difference(kept[~skin], plain[~skin]) < 0.03


def test_light_words_grade_the_picture(tmp_path: Path) -> None:
    frames = dog(2)
    night = still(frames, tmp_path, prompt="night")
    assert night.mean() < 0.6 * frames[0].mean()
    red = still(frames, tmp_path, prompt="red")
    assert red[..., 0].mean() - red[..., 2].mean() > frames[0][..., 0].mean() - frames[0][..., 2].mean() + 10


def test_a_preset_may_take_its_colours_from_an_image(tmp_path: Path) -> None:
    frames = coast(2)
    assert (
        difference(still(frames, tmp_path, preset="mosaic"), still(frames, tmp_path, preset="mosaic", styles=STYLE))
        > 0.04
    )


@pytest.mark.parametrize(
    "what", [{"styles": STYLE}, {"preset": "oil"}, {"preset": "pixel"}], ids=["image", "oil", "pixel"]
)
def test_resuming_gives_the_frames_of_an_uninterrupted_run(what: dict[str, object], tmp_path: Path) -> None:
    frames = woman(9)
    wanted = request(frames, controls={"consistency": 0.4}, **what)
    whole = ClipContext(frames, tmp_path / "whole", blobs=BLOBS, threads=2)
    run(whole, wanted)
    assert set(whole.out) == set(range(9))
    broken = ClipContext(frames, tmp_path / "broken", blobs=BLOBS, stop_after=6)
    with pytest.raises(Cancelled):
        run(broken, wanted)
    rest = ClipContext(frames, tmp_path / "broken", blobs=BLOBS, finished=frozenset(broken.out))
    run(rest, wanted)
    together = {**broken.out, **rest.out}
    assert set(together) == set(range(9))
    assert all(np.array_equal(together[i], whole.out[i]) for i in range(9))


def test_consistency_holds_frames_together(tmp_path: Path) -> None:
    from gen2studio.raster.measures import held_out_motion, warp_error

    frames = coast(7)
    motion = held_out_motion(frames)
    errors = {}
    for value in (0.0, 1.0):
        context = ClipContext(frames, tmp_path / str(value), blobs=BLOBS)
        run(context, request(frames, styles=STYLE, controls={"consistency": value}))
        errors[value] = warp_error([context.out[i] for i in range(7)], motion)
    assert errors[1.0] < 0.6 * errors[0.0]


def test_a_cut_starts_anew(tmp_path: Path) -> None:
    a, b = clip_of(dog(4)), clip_of(woman(4))
    frames = (*a, *b)
    context = ClipContext(frames, tmp_path, blobs=BLOBS)
    run(context, request(frames, styles=STYLE))
    assert set(context.out) == set(range(8))
    assert {p.name for p in tmp_path.rglob("key_*.npz")} == {f"key_{i:06d}.npz" for i in (0, 3, 4, 7)}


def clip_of(frames: tuple[Picture, ...]) -> tuple[Picture, ...]:
    return tuple(np.ascontiguousarray(f) for f in frames)


def test_cuts_are_found_and_motion_is_not_a_cut() -> None:
    clips = [dog(4), woman(9)]
    for frames in clips:
        marks = [cuts.signature(f) for f in frames]
        assert not any(cuts.is_cut(x, y) for x, y in itertools.pairwise(marks))
    assert cuts.is_cut(cuts.signature(clips[0][-1]), cuts.signature(clips[1][0]))


def test_only_the_box_around_a_small_mask_is_painted(tmp_path: Path) -> None:
    frames = tuple(np.ascontiguousarray(np.tile(f, (2, 2, 1))) for f in woman(2))
    mask = np.zeros(frames[0].shape[:2], np.uint8)
    mask[20:60, 30:70] = 255
    context = ClipContext(frames, tmp_path, masks=[mask, mask])
    run(context, request(frames, preset="oil", region="foreground"))
    for i in range(2):
        assert np.array_equal(context.out[i][mask == 0], frames[i][mask == 0])
        assert difference(context.out[i][mask > 0], frames[i][mask > 0]) > 0.02
