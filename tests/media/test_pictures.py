"""What a decoded picture looks like: matrix, range, alpha, rotation, pixel shape, HDR."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaKind
from gen2studio.media.decoder import open_decoder
from gen2studio.media.decoder_colour import PlanarPicture, meant_matrix
from gen2studio.media.decoder_hdr import HLG, PQ, hdr_to_sdr, light_to_pq, pq_to_light
from gen2studio.media.probe import probe

KR_KB = {"709": (0.2126, 0.0722), "601": (0.299, 0.114)}


def from_planes(path: Path, matrix: str, *, full: bool) -> np.ndarray:
    """RGB of the first frame by the formulas of BT.709/BT.601 (chroma repeated); every third pixel each way."""
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        planes = [
            np.frombuffer(p, np.uint8)[: p.line_size * p.height].reshape(p.height, -1)[:, : p.width].astype(float)
            for p in frame.planes
        ]
    height, width = planes[0].shape
    y, cb, cr = planes[0], *(p.repeat(2, 0).repeat(2, 1)[:height, :width] for p in planes[1:])
    y, cb, cr = y[::3, ::3], cb[::3, ::3], cr[::3, ::3]
    if full:
        y, cb, cr = y / 255, (cb - 128) / 255, (cr - 128) / 255
    else:
        y, cb, cr = (y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224
    kr, kb = KR_KB[matrix]
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.clip(np.stack([red, green, blue], -1) * 255, 0, 255)


@pytest.mark.parametrize(
    ("clip", "matrix", "full"),
    [
        ("hard/bt709_full_range_720p.mp4", "709", True),
        ("sam2_blocks_mockup_10s.mp4", "709", False),
        ("grey3d_stairs_depth_1600x912_50fps_5s.mp4", "709", False),
        ("cc0_flower_opening_960x540_5s.mp4", "601", False),
        ("golden_retriever_512_3.2s.mp4", "601", False),
        ("asl_walk_640x480_3s.mkv", "601", True),
    ],
)
def test_the_right_matrix_and_range(media_root: Path, clip: str, matrix: str, full: bool) -> None:
    """Tagged files by their tags; untagged ones 709 when HD, else 601. The other matrix must fit worse."""
    path = media_root / "clips" / clip
    decoder = open_decoder(path)
    picture = decoder.rgb(0)[::3, ::3].astype(float)
    decoder.close()
    error = float(np.abs(picture - from_planes(path, matrix, full=full)).mean())
    other = float(np.abs(picture - from_planes(path, "601" if matrix == "709" else "709", full=full)).mean())
    assert error < 1.5
    assert error < other
    assert abs(float((picture - from_planes(path, matrix, full=full)).mean())) < 0.5


def test_brightness_survives_generations(media_root: Path) -> None:
    """Decoded to 8-bit RGB and back twice: not one level darker, which swscale's quick conversion would make it."""
    decoder = open_decoder(media_root / "clips" / "sam2_dog_fetch_1280x720_10s.mp4")
    first = decoder.picture(5)
    decoder.close()
    assert isinstance(first, PlanarPicture)
    again = first
    for _ in range(2):
        rgb = av.VideoFrame.from_ndarray(again.rgb(), format="rgb24")
        exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
        frame = rgb.reformat(format="yuv420p", dst_colorspace="itu709", interpolation=exact)
        frame.colorspace, frame.color_range = 1, 1
        again = replace(first, frame=frame)
    before, after = (np.frombuffer(memoryview(p.frame.planes[0]), np.uint8).astype(int) for p in (first, again))
    assert np.abs(before - after).mean() < 0.02


def test_untagged_video_is_hd_or_sd_by_size() -> None:
    assert [meant_matrix(1920, 1080), meant_matrix(1280, 544), meant_matrix(720, 576)] == [1, 1, 6]


@pytest.mark.parametrize(("turn", "degrees"), [(0, 0), (90, 90), (180, 180), (270, 270)])
def test_turned_phone_clips_show_the_same_scene_upright(hard: Path, turn: int, degrees: int) -> None:
    info = probe(hard / f"decord_rot_{turn}.mov")
    assert info.rotation == degrees
    assert (info.width, info.height) == ((568, 320) if degrees % 180 == 0 else (320, 568))
    decoder = open_decoder(hard / f"decord_rot_{turn}.mov")
    picture = decoder.rgb(0)
    decoder.close()
    with av.open(str(hard / f"decord_rot_{turn}.mov")) as container:
        exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
        stored = next(container.decode(video=0)).reformat(format="rgb24", interpolation=exact).to_ndarray()
    # FFmpeg states the counter-clockwise angle; numpy turns counter-clockwise too.
    expected = np.rot90(stored, -degrees // 90)
    assert np.abs(picture.astype(int) - expected).mean() < 1


def test_a_rotation_the_other_way(hard: Path) -> None:
    assert probe(hard / "nasa_rot90.mp4").rotation == 270


def test_square_pixels(hard: Path) -> None:
    info = probe(hard / "sar_2x1_640x360_5s.mp4")
    assert (info.width, info.height, info.coded_width, info.pixel_aspect) == (1280, 360, 640, Fraction(2))
    decoder = open_decoder(hard / "sar_2x1_640x360_5s.mp4")
    assert decoder.rgb(0).shape == (360, 1280, 3)
    decoder.close()


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("odd_dims_161x121_vp9.webm", (121, 161)),
        ("odd_321x241_444_hevc10.mp4", (241, 321)),
        ("odd_width_vp9_10bit.mp4", (240, 321)),
    ],
)
def test_odd_sizes(hard: Path, name: str, shape: tuple[int, int]) -> None:
    decoder = open_decoder(hard / name)
    for picture in (decoder.rgb(3), decoder.bgra(3), decoder.rgba(3, Extent(77, 33))):
        assert (picture.flags.c_contiguous and picture.flags.owndata) or picture.base is not None
    assert decoder.rgb(3).shape == (*shape, 3)
    assert decoder.bgra(3, Extent(77, 33)).shape == (33, 77, 4)
    assert int(decoder.bgra(3)[..., 3].min()) == 255
    decoder.close()


@pytest.mark.parametrize(
    "name",
    ["vp9_alpha_200x200_5s.webm", "derived_prores4444_alpha_grey_walk.mov", "qtrle_argb_alpha_1080p.mov"],
)
def test_alpha_is_read_and_premultiplied(hard: Path, name: str) -> None:
    decoder = open_decoder(hard / name)
    assert decoder.info.has_alpha
    index = decoder.clock.frame_count // 2
    straight, ready, over_black = decoder.rgba(index), decoder.bgra(index), decoder.rgb(index)
    decoder.close()
    alpha = straight[..., 3:]
    assert int(alpha.min()) == 0 and int(alpha.max()) > 200
    expected = straight[..., 2::-1].astype(float) * alpha / 255
    assert np.abs(ready[..., :3] - expected).max() <= 1
    assert np.array_equal(ready[..., 3:], alpha)
    assert np.array_equal(over_black, ready[..., 2::-1])


def test_hdr_becomes_a_plain_picture(hard: Path) -> None:
    info = probe(hard / "av1_10bit_hdr10_720x1280_4s.mp4")
    assert info.colour.is_hdr and info.bit_depth == 10
    decoder = open_decoder(hard / "av1_10bit_hdr10_720x1280_4s.mp4")
    picture = decoder.rgb(4, Extent(180, 320))
    decoder.close()
    with av.open(str(hard / "av1_10bit_hdr10_720x1280_4s.mp4")) as container:
        frames = container.decode(video=0)
        raw = [next(frames) for _ in range(5)][4]
        planar = raw.reformat(180, 320, format="gbrp16le", interpolation="AREA", dst_color_range="JPEG").to_ndarray()
    expected = hdr_to_sdr(planar.astype(float) / 65535, PQ) * 255
    assert np.abs(picture - expected).mean() < 2
    assert 30 < picture.mean() < 220 and picture.std() > 20


def test_tone_curve_facts() -> None:
    light = np.array([0.0, 1.0, 50.0, 203.0, 1000.0, 10000.0])
    assert np.allclose(pq_to_light(light_to_pq(light)), light, rtol=1e-6, atol=1e-6)
    grey = np.repeat(np.linspace(0, 1, 50)[:, None], 3, axis=1)
    for transfer in (PQ, HLG):
        mapped = hdr_to_sdr(grey, transfer)
        assert np.all(np.diff(mapped[:, 0]) >= -1e-9)
        assert np.allclose(mapped, mapped[:, :1], atol=2e-3)
        assert mapped[0, 0] < 0.02 and mapped[-1, 0] > 0.97
    # Below the knee light is kept: 50 cd/m² of a 203 cd/m² white.
    dark = hdr_to_sdr(np.full((1, 3), float(light_to_pq(np.array(50.0)))), PQ)
    assert abs(float(dark[0, 0]) - (50 / 203) ** (1 / 2.4)) < 0.005


def test_the_best_video_stream_is_used(hard: Path) -> None:
    info = probe(hard / "nasa_6streams_13s.mp4")
    assert (info.width, info.height, info.frame_count) == (480, 270, 390)
    assert info.audio is not None and info.audio.channels == 2


def test_absurd_header_duration_is_measured(hard: Path) -> None:
    info = probe(hard / "fragmented.mp4")
    assert info.frame_count == 30 and info.duration == Fraction(30 * 1001, 30000)


def test_audio_only_goes_through_the_same_probe(hard: Path) -> None:
    info = probe(hard / "audio_only_15s.mp4")
    assert info.kind is MediaKind.AUDIO and not info.has_video
    assert abs(float(info.duration) - 15.018) < 0.01


def test_a_growing_size_never_costs_more_than_asked(hard: Path) -> None:
    decoder = open_decoder(hard / "rot-90_bbb_1080p_5.1.mp4")
    assert decoder.bgra(0, Extent(54, 96)).shape == (96, 54, 4)
    small = decoder.rgb(0, Extent(54, 96)).astype(float)
    large = decoder.rgb(0).astype(float).reshape(96, 20, 54, 20, 3).mean((1, 3))
    decoder.close()
    assert np.abs(small - large).mean() < 2
