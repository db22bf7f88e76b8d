"""The synthesis core: deterministic, guided, faithful."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.example import colour_map, patchmatch
from gen2studio.example.compiled import Team, kernel_cache
from tests.example.stage import GOGH, coast, picture


def _pair() -> tuple[patchmatch.Exemplar, np.ndarray]:
    page = cv2.resize(picture(GOGH), (140, 120), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    frame = coast(1)[0].astype(np.float32) / 255
    guide = colour_map.to_lab(page)
    return patchmatch.exemplar(guide - cv2.GaussianBlur(guide, (0, 0), 3), guide, 3), colour_map.to_lab(frame)


@pytest.mark.parametrize("seed", [1, 7])
def test_one_and_three_threads_give_the_same_field_and_picture(seed: int) -> None:
    example, guides = _pair()
    results = []
    for threads in (1, 3):
        with Team(threads) as team:
            results.append(patchmatch.synthesise(example, guides, patchmatch.Settings(seed=seed), team))
    assert np.array_equal(results[0].field, results[1].field)
    assert np.array_equal(results[0].result, results[1].result)


def test_another_seed_gives_another_field() -> None:
    example, guides = _pair()
    with Team(1) as team:
        a = patchmatch.synthesise(example, guides, patchmatch.Settings(seed=1), team)
        b = patchmatch.synthesise(example, guides, patchmatch.Settings(seed=2), team)
    assert (a.field != b.field).any(-1).mean() > 0.5


def test_a_picture_is_rebuilt_from_itself() -> None:
    frame = coast(1)[0].astype(np.float32) / 255
    lab = colour_map.to_lab(frame)
    example = patchmatch.exemplar(lab, lab, 3)
    with Team(1) as team:
        made = patchmatch.synthesise(example, lab, patchmatch.Settings(uniformity=0.0, restore=False), team)
    assert float(np.abs(made.result - lab).mean()) < 0.01


def test_the_anchor_holds_the_picture() -> None:
    example, guides = _pair()
    anchor = np.zeros((*guides.shape[:2], 3), np.float32)
    with Team(1) as team:
        free = patchmatch.synthesise(example, guides, patchmatch.Settings(restore=False), team)
        held = patchmatch.synthesise(
            example, guides, patchmatch.Settings(restore=False), team,
            start=free.field, anchor=anchor, anchor_weight=np.full(guides.shape[:2], 6, np.float32),
        )  # fmt: skip
    assert np.abs(held.result).mean() < 0.4 * np.abs(free.result).mean()


def test_cancelling_stops_the_synthesis() -> None:
    example, guides = _pair()
    token = CancelToken()
    token.cancel()
    with Team(1) as team, pytest.raises(Cancelled):
        patchmatch.synthesise(example, guides, patchmatch.Settings(), team, token)


def test_the_kernel_cache_can_be_moved_and_ignores_the_isolated_home(tmp_path, monkeypatch) -> None:
    here = kernel_cache()
    monkeypatch.setenv("GEN2STUDIO_HOME", str(tmp_path / "home"))
    assert kernel_cache() == here
    monkeypatch.setenv("GEN2STUDIO_KERNEL_CACHE", str(tmp_path / "kernels"))
    assert kernel_cache() == tmp_path / "kernels"
