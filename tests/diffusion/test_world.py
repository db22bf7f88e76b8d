"""The procedural world: what it says about its clips must be true, to the pixel."""

from __future__ import annotations

import itertools
import random

import cv2
import numpy as np
import pytest
import torch

from gen2studio.diffusion.vocabulary import CAMERAS, SCENES, STYLES, TIMES, TRIGGERS, normalise, understood
from gen2studio.diffusion.world.grammar import ClipSpec, caption, draw_spec, subjects_of
from gen2studio.diffusion.world.render import render_batch, render_specs


def _spec(**changes: object) -> ClipSpec:
    base = ClipSpec("desert", "car", "red", "realistic", "day", "right", "fast", "pan right", 5)
    return ClipSpec(**{**base.__dict__, **changes})


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_clip_is_the_same_alone_and_in_company() -> None:
    first, second = _spec(), _spec(seed=6, colour="blue", camera="static", direction="left")
    together = render_batch([first, second], 2, 48, 64)
    alone = render_batch([second], 2, 48, 64)
    assert together.rgb.shape == (2, 2, 3, 48, 64)
    assert torch.equal(together[1].rgb, alone.rgb)
    assert torch.equal(together[1].flow, alone.flow)
    assert not torch.equal(together[0].rgb, alone.rgb)


def test_a_later_start_is_the_same_shot_later() -> None:
    whole = render_batch([_spec()], 5, 48, 48)
    part = render_batch([_spec()], 2, 48, 48, start=3)
    assert torch.allclose(whole.rgb[:, 3:], part.rgb, atol=1e-4)


def test_another_look_keeps_geometry_and_motion() -> None:
    plain, other = render_batch([_spec()], 2, 64, 64), render_batch([_spec().restyled("sketch", "night")], 2, 64, 64)
    for field in ("disparity", "mask", "flow"):
        assert torch.equal(getattr(plain, field), getattr(other, field))
    assert (plain.rgb - other.rgb).abs().mean() > 0.1


@pytest.mark.parametrize("camera", ["static", "pan left", "zoom in", "zoom out", "forward"])
def test_flow_fetches_the_next_frame(camera: str) -> None:
    """Where the next frame is fetched back along the flow it is the present one, far better than without moving."""
    # A ball has no legs or wheels that move by themselves; clouds drift, so only the ground and below count.
    clips = render_batch([_spec(camera=camera, scene="mountains", subject="balloon")], 3, 96, 96)
    still: list[float] = []
    moved: list[float] = []
    grid = np.stack(np.meshgrid(np.arange(96), np.arange(96)), -1).astype(np.float32)
    for t in range(2):
        now = clips.rgb[0, t].permute(1, 2, 0).numpy()
        then = clips.rgb[0, t + 1].permute(1, 2, 0).numpy()
        target = grid + clips.flow[0, t].permute(1, 2, 0).numpy()
        back = cv2.remap(then, target[..., 0], target[..., 1], cv2.INTER_LINEAR)
        inside = (target >= 0).all(-1) & (target <= 95).all(-1) & (clips.disparity[0, t].numpy() > 0.02)
        assert inside.mean() > 0.3
        moved.append(float(np.abs(back - now).mean(-1)[inside].mean()))
        still.append(float(np.abs(then - now).mean(-1)[inside].mean()))
    assert np.mean(moved) < 0.015
    assert np.mean(moved) < 0.6 * np.mean(still)


def test_the_mask_is_the_subject_and_moves_with_it() -> None:
    clips = render_batch([_spec(camera="static")], 9, 96, 96)
    empty = render_batch([_spec(camera="static", subject="none")], 9, 96, 96)
    covered = clips.mask[0] > 0.9
    change = (clips.rgb - empty.rgb)[0].abs().mean(1)
    assert change[covered].mean() > 0.15
    assert change[clips.mask[0] < 0.01].mean() < 0.02  # the shadow only
    columns = torch.arange(96).float()
    place = [(m.sum(0) * columns).sum() / m.sum() for m in covered.float()]
    assert all(b > a for a, b in itertools.pairwise(place)), "a car driving right moves right"
    flow = clips.flow[0, 4, 0][covered[4]].median()
    assert abs(float(place[5] - place[4]) - float(flow)) < 0.35


def test_depth_is_nearer_towards_the_bottom_and_at_the_subject() -> None:
    clips = render_batch([_spec(camera="static", subject="none")], 1, 64, 64)
    rows = clips.disparity[0, 0].mean(1)
    assert rows[0] == 0, "the sky is infinitely far"
    assert (rows[45:-1] <= rows[46:] + 1e-4).all()
    with_car = render_batch([_spec(camera="static")], 1, 64, 64, start=8)
    car = with_car.mask[0, 0] > 0.9
    feet = torch.where(car.any(1))[0].max()
    assert abs(float(with_car.disparity[0, 0][car].median()) - float(rows[feet])) < 0.12


def test_every_scene_style_and_time_can_be_drawn_and_differ() -> None:
    specs = [
        _spec(scene=scene, subject=subjects_of(scene)[0], style=style, time=time, camera="static")
        for scene, style, time in zip(SCENES, [*STYLES, "realistic"], [*TIMES, *TIMES], strict=False)
    ]
    clips = render_specs(specs, 1, 48, 48)
    assert torch.isfinite(clips.rgb).all()
    assert clips.rgb.min() >= 0 and clips.rgb.max() <= 1
    flat = clips.rgb.flatten(1)
    apart = torch.cdist(flat, flat) + torch.eye(len(specs)) * 99
    assert apart.min() > 3
    assert (flat.std(1) > 0.03).all(), "no clip is a flat colour"


def test_night_is_darker_than_day() -> None:
    day, night = render_specs([_spec(time="day"), _spec(time="night")], 1, 48, 48).rgb.mean((1, 2, 3, 4))
    assert night < 0.5 * day


def test_captions_use_taught_words_only_and_say_what_is_there() -> None:
    rng = random.Random(1)
    for _ in range(400):
        spec = draw_spec(rng)
        sentence = caption(spec, rng)
        assert all(word.known and word.mapped == word.word for word in understood(sentence)), sentence
        full = caption(spec)
        for word in (spec.style, *([spec.subject, spec.colour] if spec.subject != "none" else ["nobody"])):
            assert word in full.split(), full
        if spec.subject != "none" and spec.direction != "still":
            assert spec.direction in full and spec.speed in full
        assert len(full.split()) <= 28
        left = caption(spec, drop=("style", "time", "camera"))
        assert spec.style not in left.split() and "camera" not in left
    assert set(CAMERAS) and len({caption(draw_spec(rng), rng) for _ in range(50)}) > 45


def test_a_mixed_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="shares scene"):
        render_batch([_spec(), _spec(scene="sea", subject="boat")], 1, 32, 32)


def test_the_vocabulary_marks_unknown_words_and_maps_synonyms() -> None:
    prompt = "A photo of my puppy, running in the woods at dusk"
    words = {item.word: (item.known, item.mapped) for item in understood(prompt)}
    assert words["my"] == (False, "my")
    assert words["puppy"] == (True, "dog")
    assert words["woods"] == (True, "forest")
    assert [prompt[i.start : i.end] for i in understood(prompt)] == [i.word for i in understood(prompt)]
    assert normalise(prompt) == "a realistic of dog runs in the forest at sunset"
    assert normalise("a zorp dog", keep=["zorp"]) == "a zorp dog"
    assert normalise(f"a {TRIGGERS[2]} dog") == "a <trigger3> dog"
    assert normalise("") == ""
    assert [tuple(i) for i in understood("cars")] == [("cars", True, "car")]
