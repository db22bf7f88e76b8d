"""Interpolation and upscaling of real clips against blending and bicubic, and through the engine's contract."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.operators.compact import CompactUpscaler, load_compact
from gen2studio.diffusion.operators.entries import operator_entries
from gen2studio.diffusion.operators.interpolate import Between, FlowInterpolator
from gen2studio.diffusion.operators.upscale import BackProjectionUpscaler, upscale_clip
from gen2studio.engine.requests import OperateRequest, SourceRef
from gen2studio.raster import measures
from tests.diffusion.test_conditioning import clip
from tests.diffusion.test_transfer import psnr

Picture = NDArray[np.uint8]


class Memory:
    """An OperateContext over frames in memory."""

    def __init__(self, frames: list[Picture], finished: frozenset[int] = frozenset()) -> None:
        self.frames = frames
        self.cancel = CancelToken()
        self.threads = 1
        self.finished = finished
        self.out: dict[int, Picture] = {}
        self.done: list[tuple[int, int]] = []
        self.stop_after = 10**9

    def source(self, frame: int) -> Picture:
        return self.frames[frame]

    def checkpoint(self) -> None:
        self.cancel.check()

    def progress(self, done: int, total: int, stage: str = "") -> None:
        self.done.append((done, total))
        self.checkpoint()

    def note(self, text: str, frame: int | None = None) -> None:
        raise AssertionError(text)

    def emit(self, frame: int, picture: Picture) -> None:
        assert frame not in self.out and frame not in self.finished
        self.out[frame] = picture
        if len(self.out) >= self.stop_after:
            self.cancel.cancel()


def request(kind: str, frames: list[Picture], factor: int, start: int = 0, stop: int | None = None) -> OperateRequest:
    height, width = frames[0].shape[:2]
    scale = factor if kind == "upscale" else 1
    return OperateRequest(
        kind=kind, source=SourceRef(fingerprint="x", path="x", frame_count=len(frames), width=width, height=height),
        start=start, stop=len(frames) if stop is None else stop, factor=factor, width=width * scale,
        height=height * scale,
    )  # fmt: skip


@pytest.fixture(scope="module")
def walkers(media_root: Path) -> list[Picture]:
    return clip(media_root / "clips" / "two_people_walking_720p_2.4s.mp4", 10, 7, 240)


@pytest.fixture(scope="module")
def runner(media_root: Path) -> list[Picture]:
    return clip(media_root / "clips" / "woman_running_512_6s.mp4", 40, 5, 192)


def test_rebuilt_frames_beat_blended_and_held_ones(walkers: list[Picture], runner: list[Picture]) -> None:
    for frames in (walkers, runner):
        for middle in range(1, len(frames) - 1, 2):
            before, truth, after = frames[middle - 1 : middle + 2]
            made = psnr(Between.of(before, after).at(0.5), truth)
            blend = psnr(np.asarray(cv2.addWeighted(before, 0.5, after, 0.5, 0), np.uint8), truth)
            assert made > blend + 1.5 and made > psnr(before, truth) + 4


def test_a_subject_passes_in_front_and_the_ground_stays() -> None:
    ground = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (96, 160, 3)).astype(np.uint8), (0, 0), 2)
    coat = cv2.GaussianBlur(np.random.default_rng(1).integers(0, 255, (40, 30, 3)).astype(np.uint8), (0, 0), 1.5)

    def at(x: int) -> Picture:
        frame = np.asarray(ground // 2 + 60, np.uint8)
        frame[30:70, x : x + 30] = coat
        return frame

    made = Between.of(at(50), at(58)).at(0.5)
    assert psnr(made, at(54)) > psnr(np.asarray(cv2.addWeighted(at(50), 0.5, at(58), 0.5, 0), np.uint8), at(54)) + 6
    assert psnr(made[35:65, 58:80], at(54)[35:65, 58:80]) > 40, "the coat is where it belongs, sharp"


def test_nothing_is_blended_across_a_cut(walkers: list[Picture], media_root: Path) -> None:
    other = clip(media_root / "clips" / "cc0_flower_opening_960x540_5s.mp4", 20, 1, 240)[0]
    other = np.asarray(cv2.resize(other, walkers[0].shape[1::-1]), np.uint8)
    between = Between.of(walkers[0], other)
    assert np.array_equal(between.at(0.25), walkers[0]) and np.array_equal(between.at(0.75), other)


def test_interpolation_keeps_sources_counts_and_resumes(walkers: list[Picture]) -> None:
    frames = [np.asarray(cv2.resize(f, (160, 90), interpolation=cv2.INTER_AREA), np.uint8) for f in walkers[:3]]
    whole = Memory(frames)
    FlowInterpolator().operate(request("interpolate", frames, 3), whole)
    assert sorted(whole.out) == list(range(9))
    assert all(np.array_equal(whole.out[3 * i], frames[i]) for i in range(3))
    assert np.array_equal(whole.out[8], frames[2]), "the last frame is held"
    steps = [measures.difference(whole.out[i], whole.out[0]) for i in range(4)]
    assert steps == sorted(steps) and whole.done[-1] == (9, 9)
    resumed = Memory(frames, frozenset({0, 1, 2, 4}))
    FlowInterpolator().operate(request("interpolate", frames, 3), resumed)
    assert sorted(resumed.out) == [3, 5, 6, 7, 8] and np.array_equal(resumed.out[5], whole.out[5])
    stopped = Memory(frames)
    stopped.stop_after = 2
    with pytest.raises(Cancelled):
        FlowInterpolator().operate(request("interpolate", frames, 2), stopped)
    assert sorted(stopped.out) == [0, 1]


@pytest.mark.parametrize("factor", [2, 4])
def test_upscaling_beats_bicubic_and_lanczos_and_is_as_steady(walkers: list[Picture], factor: int) -> None:
    truth = [np.ascontiguousarray(frame[:240, :424]) for frame in walkers[:5]]
    size = (424 // factor, 240 // factor)
    little = [np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_AREA), np.uint8) for f in truth]
    made = upscale_clip(little, factor)

    def mean(frames: list[Picture]) -> float:
        return float(np.mean([psnr(a, b) for a, b in zip(frames, truth, strict=True)]))

    peers = {
        name: [np.asarray(cv2.resize(f, (424, 240), interpolation=way), np.uint8) for f in little]
        for name, way in (("bicubic", cv2.INTER_CUBIC), ("lanczos", cv2.INTER_LANCZOS4))
    }
    assert mean(made) > max(mean(peers["bicubic"]), mean(peers["lanczos"])) + (1.0 if factor == 2 else 0.4)
    assert measures.flicker(made) < 1.05 * measures.flicker(truth)
    back = cv2.resize(made[2], size, interpolation=cv2.INTER_AREA)
    assert psnr(np.asarray(back, np.uint8), little[2]) > 38, "reduced again it is the source"


def test_upscaling_through_the_contract(walkers: list[Picture]) -> None:
    frames = [np.asarray(cv2.resize(f, (80, 48), interpolation=cv2.INTER_AREA), np.uint8) for f in walkers]
    asked = request("upscale", frames, 2, start=2, stop=5)
    context = Memory(frames)
    entries = operator_entries()
    assert list(entries) == ["interpolate:built-in", "upscale:built-in"]
    operator = entries["upscale:built-in"]()
    assert isinstance(operator, BackProjectionUpscaler) and operator.estimate(asked).memory_bytes > 0
    operator.operate(asked, context)
    assert sorted(context.out) == [0, 1, 2] and context.out[1].shape == (96, 160, 3)
    for kind, factor, maker in (("upscale", 3, BackProjectionUpscaler), ("interpolate", 5, FlowInterpolator)):
        with pytest.raises(GenerationError, match="can't be made"):
            maker().operate(request(kind, frames, factor), Memory(frames))
    with pytest.raises(GenerationError, match="fewer than two"):
        FlowInterpolator().operate(request("interpolate", frames, 2, 0, 1), Memory(frames))


def test_real_esrgan_runs_from_its_weights_in_tiles(
    walkers: list[Picture], media_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = operator_entries([media_root / "weights"])
    operator = entries["upscale:realesr-animevideov3"]()
    assert isinstance(operator, CompactUpscaler)
    truth = walkers[0][40:200, 40:296]
    little = [np.asarray(cv2.resize(truth, (64, 40), interpolation=cv2.INTER_AREA), np.uint8)]
    context = Memory(little)
    operator.operate(request("upscale", little, 4), context)
    assert context.out[0].shape == (160, 256, 3)
    assert measures.edge_correlation(context.out[0], truth) > 0.6
    monkeypatch.setattr("gen2studio.diffusion.operators.compact._TILE", 32)
    tiled = CompactUpscaler(media_root / "weights" / "realesr-animevideov3.pth").enlarged(little[0])
    assert np.abs(tiled[20:-20, 20:-20].astype(int) - context.out[0][20:-20, 20:-20]).max() <= 1, "no seams"
    hostile = tmp_path / "realesr-animevideov3.pth"
    hostile.write_bytes((media_root / "weights" / "raft-small.pth").read_bytes())
    with pytest.raises(GenerationError, match="does not hold"):
        load_compact(hostile)
    hostile.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(GenerationError, match="does not hold"):
        load_compact(hostile)
