"""The evaluator's measures and the card they end up in."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from gen2studio.diffusion.training.mini_card import GOALS, write_card
from gen2studio.diffusion.training.mini_measures import edge_correlation, frame_change, psnr, warp_error
from gen2studio.diffusion.training.mini_probe import ATTRIBUTES, Probe, accuracy, answers
from gen2studio.diffusion.world.grammar import ClipSpec
from gen2studio.diffusion.world.render import render_batch

SPEC = ClipSpec("desert", "balloon", "red", "realistic", "day", "right", "slowly", "pan right", 5)
MODEL = Path(__file__).resolve().parents[2] / "resources" / "models" / "mini"


def test_psnr_counts_only_where_it_is_asked() -> None:
    true = np.zeros((2, 8, 8, 3), np.float32)
    made = true.copy()
    made[:, :4] = 0.1
    where = np.zeros((2, 8, 8), np.float32)
    where[:, :4] = 1
    assert abs(psnr(made, true, where) - 20) < 1e-3
    assert psnr(made, true, 1 - where) == 100
    assert np.isnan(psnr(made, true, where * 0))


def test_true_clips_warp_well_and_shuffled_ones_do_not() -> None:
    clips = render_batch([SPEC], 3, 64, 64)
    clip = clips.rgb[0].permute(0, 2, 3, 1).numpy()
    flow = clips.flow[0].permute(0, 2, 3, 1).numpy()
    good = warp_error(clip, flow)
    assert good < 0.02
    noisy = clip + np.random.default_rng(0).normal(0, 0.1, clip.shape).astype(np.float32)
    assert warp_error(noisy, flow) > 3 * good
    assert frame_change(clip) > 0.5 and frame_change(clip[:1]) == 0


def test_edges_of_a_clip_agree_with_themselves_only() -> None:
    first = render_batch([SPEC], 1, 64, 64).rgb[0].permute(0, 2, 3, 1).numpy()
    other = render_batch([ClipSpec(**{**SPEC.__dict__, "scene": "city", "seed": 9})], 1, 64, 64)
    assert edge_correlation(first, first) > 0.999
    assert edge_correlation(first, other.rgb[0].permute(0, 2, 3, 1).numpy()) < 0.6


def test_the_probe_scores_answers_and_skips_what_cannot_be_seen() -> None:
    assert answers(SPEC)["colour"] == 0
    assert answers(SPEC.restyled("noir", "day"))["colour"] == -100

    class Knows(Probe):
        def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
            said = {name: torch.zeros(len(frames), len(words)) for name, words in ATTRIBUTES.items()}
            said["scene"][:, list(ATTRIBUTES["scene"]).index("desert")] = 1
            return said

    frames = [torch.rand(2, 3, 16, 16), torch.rand(2, 3, 16, 16)]
    elsewhere = ClipSpec(**{**SPEC.__dict__, "scene": "city"})
    assert accuracy(Knows(), frames, [SPEC, elsewhere])["scene"] == 0.5


def test_the_card_is_written_from_the_figures(tmp_path: Path) -> None:
    result = json.loads((MODEL / "evaluation.json").read_text())
    result["text"]["generated"]["scene"] = 0.4321
    write_card(tmp_path, result)
    card = (tmp_path / "MODEL_CARD.md").read_text()
    assert "43 %" in card and "not reached" in card
    assert all(f"| {name} |" in card for name in GOALS)
    assert result["revision"] in card


def test_the_shipped_card_belongs_to_the_shipped_weights() -> None:
    revision = json.loads((MODEL / "gen2studio.json").read_text())["revision"]
    assert json.loads((MODEL / "evaluation.json").read_text())["revision"] == revision
    assert revision in (MODEL / "MODEL_CARD.md").read_text()
