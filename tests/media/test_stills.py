"""Still pictures and numbered sequences."""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaKind
from gen2studio.media.clock import clock_of
from gen2studio.media.decoder import open_decoder
from gen2studio.media.probe import probe
from gen2studio.media.stills import SequenceDecoder, read_still


@pytest.mark.parametrize(
    ("name", "size", "turn"),
    [("exif_Portrait_6.jpg", (1200, 1800), -1), ("exif_Landscape_8.jpg", (1800, 1200), 1)],
)
def test_exif_orientation(media_root: Path, name: str, size: tuple[int, int], turn: int) -> None:
    path = media_root / "interchange" / "image_inputs" / name
    info = probe(path)
    assert info.kind is MediaKind.STILL and info.frame_count == 1 and (info.width, info.height) == size
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[..., ::-1]
    assert np.array_equal(open_decoder(path).rgb(0), np.rot90(stored, turn))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations(tmp_path: Path, orientation: int) -> None:
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32], upright[:24, 32:], upright[24:, :32] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    stored = {
        1: lambda p: p, 2: np.fliplr, 3: lambda p: np.rot90(p, 2), 4: np.flipud,
        5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 2).transpose(1, 0, 2), 8: lambda p: np.rot90(p, -1),
    }[orientation](upright)  # fmt: skip
    data = cv2.imencode(".jpg", np.ascontiguousarray(stored), [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0]) + bytes(4)
    body = b"Exif\0\0" + tiff
    path = tmp_path / "turned.jpg"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:])
    seen = read_still(path).rgb()
    assert seen.shape == upright.shape
    for row, column in ((12, 16), (12, 48), (36, 16), (36, 48)):
        assert np.abs(seen[row, column].astype(int) - upright[row, column, ::-1]).max() < 12


def test_cmyk_and_16_bit_premultiplied(media_root: Path) -> None:
    folder = media_root / "interchange" / "image_inputs"
    cmyk = read_still(folder / "pil_sample_cmyk.jpg").rgb()
    assert cmyk.shape == (100, 100, 3)
    assert np.allclose(cmyk.reshape(-1, 3).mean(0), [30.2, 5.4, 6.6], atol=2)
    raw = cv2.imread(str(folder / "tiff_16bit_RGBa.tiff"), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]] / 257
    decoder = open_decoder(folder / "tiff_16bit_RGBa.tiff")
    assert decoder.info.has_alpha
    straight, ready = decoder.rgba(0), decoder.bgra(0)
    solid = raw[..., 3] > 60
    assert np.abs(straight[..., 3] - raw[..., 3]).max() <= 1
    assert np.abs(ready[..., 2::-1][solid] - raw[..., :3][solid]).max() <= 3


def _sample() -> np.ndarray:
    rows, columns = np.mgrid[0:30, 0:41]
    return np.stack([rows * 8, columns * 6, 255 - rows * 8], -1).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".webp"])
def test_lossless_formats_come_back_exactly(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a %02d{suffix}"
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if suffix == ".webp" else []
    assert cv2.imwrite(str(path), _sample()[..., ::-1], options)
    assert np.array_equal(read_still(path).rgb(), _sample())


def test_16_bit_grey_and_alpha_png(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    cv2.imwrite(str(tmp_path / "grey.png"), ramp)
    assert np.abs(read_still(tmp_path / "grey.png").rgb()[..., 1] - ramp / 257).max() <= 1
    rgba = np.dstack([_sample(), np.tile(np.arange(41, dtype=np.uint8) * 6, (30, 1))])
    cv2.imwrite(str(tmp_path / "alpha.png"), rgba[..., [2, 1, 0, 3]])
    still = open_decoder(tmp_path / "alpha.png")
    assert np.array_equal(still.rgba(0), rgba)
    assert still.bgra(0, Extent(20, 15)).shape == (15, 20, 4)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Ten numbered images, 1001 to 1010, with 1004 and 1005 missing."""
    folder = tmp_path / "shot"
    folder.mkdir()
    for number in (1001, 1002, 1003, 1006, 1007, 1008, 1009, 1010):
        cv2.imwrite(str(folder / f"shot_{number:04d}.png"), np.full((12, 16, 3), number - 1000, np.uint8))
    return folder


@pytest.mark.parametrize("how", ["folder", "pattern", "first file"])
def test_sequences_hold_the_last_image_over_a_gap(run: Path, how: str) -> None:
    path = {"folder": run, "pattern": run / "shot_%04d.png", "first file": run / "shot_1001.png"}[how]
    info = probe(path, as_sequence=how == "first file")
    assert (info.kind, info.frame_count, info.width, info.rate) == (MediaKind.SEQUENCE, 10, 16, Fraction(24))
    assert clock_of(path, info).frame_count == 10
    decoder = open_decoder(path, info)
    assert [int(decoder.rgb(n)[0, 0, 0]) for n in range(-1, 11)] == [1, 1, 2, 3, 3, 3, 6, 7, 8, 9, 10, 10]
    assert isinstance(decoder, SequenceDecoder)
    assert [decoder.holds(n) for n in range(10)] == [n not in (3, 4) for n in range(10)]


def test_a_single_image_stays_a_still(run: Path) -> None:
    assert probe(run / "shot_1003.png").kind is MediaKind.STILL


def test_a_take_folder_counts_media_frames_and_grows(tmp_path: Path) -> None:
    folder = tmp_path / "takes" / "t1"
    folder.mkdir(parents=True)

    def write(number: int) -> None:
        cv2.imwrite(str(folder / f"frame_{number:06d}.png"), np.full((8, 8, 3), number, np.uint8))

    write(5)
    decoder = open_decoder(folder)
    assert decoder.clock.frame_count == 6
    assert int(decoder.rgb(5)[0, 0, 0]) == 5 and int(decoder.rgb(2)[0, 0, 0]) == 5
    write(2)
    write(9)
    assert [int(decoder.rgb(n)[0, 0, 0]) for n in (2, 3, 5, 9)] == [2, 2, 5, 9]
    assert decoder.clock.frame_count == 10


def test_paths_that_mean_nothing(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="folder without"):
        probe(tmp_path)
    with pytest.raises(MediaError, match="No image matches"):
        probe(tmp_path / "a_%04d.png")
    shutil.copyfile(__file__, tmp_path / "text.png")
    with pytest.raises(MediaError):
        probe(tmp_path / "text.png")
