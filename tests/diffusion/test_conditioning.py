"""Controls from footage: structure, depth, passes, flow, masks - on real clips and scenes with known answers."""

from __future__ import annotations

import itertools
import struct
import subprocess
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError, MediaError
from gen2studio.diffusion.conditioning import depth_pass, flow, masks, structure
from gen2studio.diffusion.conditioning.depth import (
    DepthAnythingEstimator,
    affine_fit,
    best_estimator,
    normalised,
    steadied,
)
from gen2studio.diffusion.conditioning.exr_plane import read_exr_plane
from gen2studio.media.decoder import open_decoder
from gen2studio.raster import measures

Picture = NDArray[np.uint8]


def clip(path: Path, start: int, count: int, short: int, step: int = 1) -> list[Picture]:
    decoder = open_decoder(path)
    try:
        out: list[Picture] = []
        for index in range(start, start + count * step, step):
            frame = decoder.rgb(index)
            scale = short / min(frame.shape[:2])
            size = (round(frame.shape[1] * scale), round(frame.shape[0] * scale))
            out.append(np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), np.uint8))
        return out
    finally:
        decoder.close()


@pytest.fixture(scope="session")
def juggler(media_root: Path) -> list[Picture]:
    return clip(media_root / "clips" / "sam2_juggle_person_10s.mp4", 60, 4, 180)


@pytest.fixture(scope="session")
def walk(media_root: Path) -> tuple[list[Picture], list[NDArray[np.float32]]]:
    """The rendered mannequin and its true depth."""
    folder = media_root / "davis" / "grey3d_walk"
    frames = [open_decoder(folder / "frames" / f"{i:05d}.jpg").rgb(0) for i in range(20, 26)]
    depth = [open_decoder(folder / "depth" / f"{i:05d}.png").rgb(0)[..., 0].astype(np.float32) for i in range(20, 26)]
    return frames, depth


def rank_correlation(a: NDArray, b: NDArray) -> float:
    ranks = [np.argsort(np.argsort(v.ravel(), kind="stable"), kind="stable").astype(float) for v in (a, b)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


# -- structure ---------------------------------------------------------------------------------------------------------


def test_edges_lie_on_the_outline_and_not_beside_it() -> None:
    picture = np.full((120, 160, 3), 60, np.uint8)
    cv2.circle(picture, (80, 60), 30, (190, 180, 170), -1)
    lines = structure.edges(picture)[..., 0]
    ys, xs = np.mgrid[:120, :160]
    radius = np.hypot(xs - 80, ys - 60)
    assert lines[np.abs(radius - 30) < 1].mean() > 180
    assert lines[np.abs(radius - 30) > 8].mean() < 4
    assert np.array_equal(structure.edges(picture, dark_lines=True)[..., 0], 255 - lines)


def test_noise_draws_no_lines() -> None:
    random = np.random.default_rng(2)
    flat = np.clip(random.normal(120, 4, (120, 160, 3)), 0, 255).astype(np.uint8)
    assert structure.edges(flat, contrast=(20, 235)).mean() < 3


def test_edges_of_a_night_clip_are_read_against_the_range_of_the_clip(media_root: Path) -> None:
    frames = clip(media_root / "clips" / "night_person_1080p_19s.mp4", 200, 2, 180)
    drawn = structure.control_clip("edges", frames)
    assert (drawn[0][..., 0] > 128).mean() > 0.01, "the house stands out although the clip is nearly black"
    assert measures.difference(drawn[0], drawn[1]) < 0.02


@pytest.mark.parametrize("size", [(512, 512), (160, 96)])
def test_structure_levels_take_detail_away_step_by_step(size: tuple[int, int]) -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 255, (size[1], size[0], 3)).astype(np.uint8)
    spread = [structure.structure_level(noise, level).std() for level in (0, 0.5, 1, 2, 3, 5, 7)]
    assert all(b < 0.9 * a for a, b in itertools.pairwise(spread))
    halves = np.full((size[1], size[0], 3), 40, np.uint8)
    halves[:, size[0] // 2 :] = 210
    rough = structure.structure_level(halves, 7)
    assert rough[:, : size[0] // 4].mean() + 60 < rough[:, -size[0] // 4 :].mean(), "the rough layout is still there"
    assert np.array_equal(structure.structure_level(noise, 0), noise)


def test_one_level_halves_a_512_line_control() -> None:
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[:, ::2] = 255
    assert structure.structure_level(picture, 1).std() < 4, "the finest stripes are gone after one halving"


def test_layout_is_few_flat_colours_and_steady(juggler: list[Picture]) -> None:
    made = structure.layout(juggler, colours=8)
    colours = {tuple(c) for frame in made for c in frame.reshape(-1, 3)[::5]}
    assert 3 <= len(colours) <= 8
    still = structure.layout([juggler[0]] * 3, colours=8)
    assert (still[1] != still[2]).any(-1).mean() < 0.01, "what stands still settles at once"
    changed = [(a != b).any(-1).mean() for a, b in itertools.pairwise(made)]
    assert max(changed) < 0.12
    shown = measures.correlation(made[0].astype(np.float32), juggler[0].astype(np.float32))
    assert shown > 0.7, "each region has the colour of what lies there"


def test_a_clip_of_controls_is_refused_in_one_sentence(juggler: list[Picture]) -> None:
    with pytest.raises(GenerationError, match="depth maps"):
        structure.control_clip("depth", juggler, depth=[np.zeros((4, 4), np.float32)])
    with pytest.raises(GenerationError, match="called “pose”"):
        structure.control_clip("pose", juggler)
    with pytest.raises(GenerationError, match="no frames"):
        structure.control_clip("grey", [])


# -- flow --------------------------------------------------------------------------------------------------------------


def test_flow_pictures_code_direction_and_speed_for_the_whole_clip() -> None:
    fields = np.zeros((2, 20, 40, 2), np.float32)
    fields[0, :, :20, 0], fields[0, :, 20:, 0] = 8, -8
    fields[1, :, :, 0] = 2
    drawn = flow.flow_pictures(list(fields), 3)
    assert len(drawn) == 3 and np.array_equal(drawn[0], drawn[1])
    right, left = drawn[1][5, 5].astype(int), drawn[1][5, 30].astype(int)
    assert right[0] > 200 and right[1] < 60, "right is red on Baker's wheel"
    assert left[2] > 200 and left[0] < 60, "left is blue-green"
    assert drawn[2][5, 5].min() > 150, "a quarter of the speed is a quarter of the saturation"
    assert flow.flow_pictures([], 1, (20, 40))[0].min() == 255


def test_the_camera_s_share_of_a_motion_is_found_beside_a_moving_subject() -> None:
    ys, xs = np.mgrid[:90, :160].astype(np.float32)
    field = np.stack([0.03 * xs + 1, -0.02 * ys - 2], -1)
    field[20:50, 30:70] += 6
    matrix, rest = flow.global_motion(field)
    assert np.allclose(matrix, [[0.03, 0, 1], [0, -0.02, -2]], atol=0.02)
    assert np.abs(rest[60:]).max() < 0.05 and np.allclose(rest[35, 50], (6, 6), atol=0.1)


# -- depth -------------------------------------------------------------------------------------------------------------


def test_weak_cues_know_ground_from_wall_and_say_that_they_are_weak(
    walk: tuple[list[Picture], list[NDArray[np.float32]]],
) -> None:
    estimator = best_estimator(None)
    assert estimator.weak and "weak" in estimator.title
    frames, truth = walk
    calls: list[tuple[int, int]] = []
    found = estimator.estimate(frames, lambda done, total: calls.append((done, total)))
    assert len(calls) == len(frames) and all(d.shape == frames[0].shape[:2] for d in found)
    ramp = np.repeat(np.arange(360)[:, None], 640, 1)
    cues = np.mean([rank_correlation(d[::6, ::6], t[::6, ::6]) for d, t in zip(found, truth, strict=True)])
    assert cues > rank_correlation(ramp[::6, ::6], truth[0][::6, ::6]) + 0.03, "better than height in the picture alone"
    assert max(float(np.abs(a - b).mean()) for a, b in itertools.pairwise(found)) < 0.05


def test_depth_is_scaled_once_for_the_clip() -> None:
    near, far = np.linspace(0, 10, 400, dtype=np.float32).reshape(20, 20), np.full((20, 20), 2, np.float32)
    scaled = normalised([near, far])
    assert scaled[0].min() == 0 and scaled[0].max() == 1
    assert np.ptp(scaled[1]) == 0 and 0 < scaled[1][0, 0] < 0.5, "a flat frame stays what it is among the others"
    assert normalised([far])[0][0, 0] == 0.5


def test_networks_that_change_their_scale_are_brought_back(juggler: list[Picture]) -> None:
    random = np.random.default_rng(4)
    ramp = np.repeat(np.linspace(0, 1, juggler[0].shape[0], dtype=np.float32)[:, None], juggler[0].shape[1], 1)
    wild = [ramp * np.float32(random.uniform(0.6, 1.6)) + np.float32(random.uniform(-0.4, 0.4)) for _ in juggler]
    calm = steadied(wild, juggler)
    jumps = [float(np.abs(b - a).mean()) for a, b in itertools.pairwise(calm)]
    assert max(jumps) < 0.03 < max(float(np.abs(b - a).mean()) for a, b in itertools.pairwise(wild))
    scale, shift = affine_fit(ramp * 2 + 1, ramp, np.ones(ramp.shape, bool))
    assert scale == pytest.approx(0.5, abs=1e-3) and shift == pytest.approx(-0.5, abs=1e-3)


def test_depth_anything_runs_from_a_local_folder(tmp_path: Path, juggler: list[Picture]) -> None:
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config
    from transformers.utils import logging

    logging.disable_progress_bar()
    backbone = Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=70, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True,
    )  # fmt: skip
    config = DepthAnythingConfig(
        backbone_config=backbone, neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, reassemble_hidden_size=32,
        head_hidden_size=8,
    )  # fmt: skip
    assert best_estimator(tmp_path).weak
    DepthAnythingForDepthEstimation(config).save_pretrained(tmp_path)
    estimator = best_estimator(tmp_path)
    assert not estimator.weak and isinstance(estimator, DepthAnythingEstimator)
    found = DepthAnythingEstimator(tmp_path, lines=70).estimate(juggler[:2])
    assert [d.shape for d in found] == [juggler[0].shape[:2]] * 2
    assert all(d.min() >= 0 and d.max() <= 1 for d in found)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(GenerationError, match="can't be loaded"):
        DepthAnythingEstimator(tmp_path).estimate(juggler[:1])


# -- depth passes ------------------------------------------------------------------------------------------------------


def write_exr(path: Path, channels: dict[str, NDArray], compression: int) -> None:
    """A scan-line EXR file as renderers write it: channels by name, ZIP (3), ZIPS (2) or uncompressed (0)."""
    height, width = next(iter(channels.values())).shape
    kinds = {np.dtype(np.uint32): 0, np.dtype(np.float16): 1, np.dtype(np.float32): 2}
    listed = sorted(channels)

    def attribute(name: str, kind: str, data: bytes) -> bytes:
        return name.encode() + b"\0" + kind.encode() + b"\0" + struct.pack("<i", len(data)) + data

    table = b"".join(n.encode() + b"\0" + struct.pack("<iB3xii", kinds[channels[n].dtype], 0, 1, 1) for n in listed)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    header = struct.pack("<ii", 20000630, 2)
    header += attribute("channels", "chlist", table + b"\0") + attribute(
        "compression", "compression", bytes([compression])
    )
    header += attribute("dataWindow", "box2i", window) + attribute("displayWindow", "box2i", window)
    header += attribute("lineOrder", "lineOrder", b"\0") + b"\0"
    rows = {0: 1, 2: 1, 3: 16}[compression]
    blocks: list[bytes] = []
    for top in range(0, height, rows):
        raw = b"".join(channels[n][y].tobytes() for y in range(top, min(height, top + rows)) for n in listed)
        packed = raw
        if compression:
            data = np.frombuffer(raw, np.uint8)
            halves = np.concatenate([data[0::2], data[1::2]]).astype(np.int16)
            halves[1:] = (halves[1:] - halves[:-1].copy() + 128) & 255 if len(halves) > 1 else halves[1:]
            packed = zlib.compress(halves.astype(np.uint8).tobytes())
            packed = packed if len(packed) < len(raw) else raw
        blocks.append(struct.pack("<ii", top, len(packed)) + packed)
    place = len(header) + 8 * len(blocks)
    offsets = b""
    for block in blocks:
        offsets += struct.pack("<Q", place)
        place += len(block)
    path.write_bytes(header + offsets + b"".join(blocks))


@pytest.mark.parametrize("compression", [0, 2, 3])
def test_the_z_channel_of_an_exr_is_read_to_the_bit(tmp_path: Path, compression: int) -> None:
    random = np.random.default_rng(3)
    z = random.uniform(1, 40, (37, 53)).astype(np.float32)
    colour = random.uniform(0, 1, (37, 53)).astype(np.float16)
    path = tmp_path / "pass.exr"
    write_exr(path, {"R": colour, "G": colour, "B": colour, "ViewLayer.Depth.Z": z}, compression)
    assert np.array_equal(read_exr_plane(path), z)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(MediaError, match="damaged"):
        read_exr_plane(path)


def test_exr_files_of_ffmpeg_are_read_in_every_compression(tmp_path: Path, media_root: Path) -> None:
    source = media_root / "davis" / "grey3d_walk" / "depth" / "00005.png"
    truth = open_decoder(source).rgb(0)[..., 0] / 255
    for name in ("none", "zip1", "zip16", "rle"):
        path = tmp_path / f"{name}.exr"
        command = [
            "ffmpeg",
            "-v",
            "error",
            "-i",
            str(source),
            "-vf",
            "format=grayf32le",
            "-compression",
            name,
            str(path),
        ]
        subprocess.run(command, check=True)
        assert np.abs(read_exr_plane(path) - truth).max() < 1e-6, name


def test_an_exr_sequence_of_distances_becomes_inverse_depth(tmp_path: Path) -> None:
    for frame in range(3):
        z = np.full((40, 64), 8.0, np.float32)
        z[:, :20] = 2.0
        z[:8] = np.float32(1e10)
        write_exr(tmp_path / f"z_{frame + 1:04d}.exr", {"Z": z}, 3)
    made = depth_pass.read_depth_pass(
        tmp_path / "z_0001.exr", [0, 2], (64, 40), near_is_white=False, near=2.0, far=10.0, footage_frames=3
    )
    assert made[1][20, 5] == pytest.approx(1) and made[1][2, 40] == 0
    assert made[1][20, 40] == pytest.approx((1 / 8 - 1 / 10) / (1 / 2 - 1 / 10), abs=1e-5)


def test_sixteen_bit_passes_keep_their_steps_and_turn_round(tmp_path: Path) -> None:
    ramp = np.repeat(np.linspace(20000, 21000, 640)[None], 48, 0).astype(np.uint16)
    for frame in range(4):
        cv2.imwrite(str(tmp_path / f"d.{frame:03d}.png"), ramp)
    first = tmp_path / "d.000.png"
    near, far = (depth_pass.read_depth_pass(first, [1], (640, 48), near_is_white=w)[0] for w in (True, False))
    assert len(np.unique(near)) > 400, "1000 levels of 65536 are not four of 256"
    assert np.allclose(near, 1 - far, atol=1e-4) and near[0, -1] == 1
    with pytest.raises(MediaError, match="has 4 frames, the footage 9"):
        depth_pass.read_depth_pass(first, [0], (640, 48), footage_frames=9)
    with pytest.raises(MediaError, match="frame 7 is not among them"):
        depth_pass.read_depth_pass(first, [7], (640, 48))
    with pytest.raises(MediaError, match="another shape"):
        depth_pass.read_depth_pass(first, [0], (640, 480))
    with pytest.raises(MediaError, match="nearest where it is farthest"):
        depth_pass.read_depth_pass(first, [0], (640, 48), near=0.1, far=0.9)
    (tmp_path / "d.002.png").unlink()
    with pytest.raises(MediaError, match="lacks its image of frame 2"):
        depth_pass.read_depth_pass(first, [2], (640, 48))
    (tmp_path / "d.001.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    with pytest.raises(MediaError, match="damaged"):
        depth_pass.read_depth_pass(first, [1], (640, 48))


def test_a_colour_mapped_pass_is_read_back_through_its_map(media_root: Path) -> None:
    path = media_root / "clips" / "grey3d_stairs_depth_1600x912_50fps_5s.mp4"
    made = depth_pass.read_depth_pass(path, [60], (320, 182), near_is_white=False, footage_frames=250)[0]
    assert made[:40].max() < 0.05 and made[-20:].min() > 0.9, "sky far, floor near"
    with pytest.raises(MediaError, match="colour picture"):
        depth_pass.read_depth_pass(media_root / "clips" / "cc0_flower_opening_960x540_5s.mp4", [10], (320, 180))


# -- masks -------------------------------------------------------------------------------------------------------------


def test_masks_never_leak_through_causal_groups() -> None:
    moving = [np.zeros((64, 96), np.uint8) for _ in range(9)]
    for index, mask in enumerate(moving):
        mask[8 : 8 + 4, 8 * index : 8 * index + 3] = 255
    latents = masks.latent_masks(moving, (12, 8))
    assert latents.shape == (3, 8, 12)
    assert latents[0].sum() == 1 and latents[1, 1, 1:5].all() and latents[1].sum() == 4
    pooled = masks.pool_groups(moving)
    assert np.array_equal(pooled[0], moving[0])
    assert all(np.array_equal(pooled[i], np.maximum.reduce(moving[1:5])) for i in range(1, 5))
    assert [list(g) for g in masks.frame_groups(7)] == [[0], [1, 2, 3, 4], [5, 6]]


def test_a_single_marked_pixel_survives_shrinking_and_growth_is_round() -> None:
    mask = np.zeros((101, 151), np.uint8)
    mask[50, 70] = 255
    # It lies on the border of two target pixels: both are marked.
    assert (masks.fit_mask(mask, (16, 12)) == 255).sum() == 2
    grown = masks.dilate(mask, 10)
    assert (grown > 0).sum() == pytest.approx(np.pi * 10.5**2, rel=0.08)
    assert masks.fit_mask(mask, (302, 202)).max() > 100
