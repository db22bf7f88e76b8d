"""What matte files of every kind hold: carriers found, depth kept, damage told in one sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaKind
from gen2studio.media.exr import layer_names, read_exr, write_exr
from gen2studio.media.exr_header import read_headers
from gen2studio.media.matte_fit import check_fit, fitted
from gen2studio.media.matte_kinds import ALPHA, IDS, LAYERS, LUMA, MatteFile, MatteFit
from gen2studio.media.matte_reader import MatteReader, find_matte

H, W = 36, 64
RAMP = np.tile((np.arange(W) * 255 // (W - 1)).astype(np.uint8), (H, 1))


def only(path: Path, carrier: str = "", position: int = 0) -> NDArray[np.uint8]:
    """The one matte of a file's image."""
    reader = MatteReader(find_matte(path), carrier)
    try:
        (matte,) = reader.read(position).values()
    finally:
        reader.close()
    return matte


def png(path: Path, pixels: NDArray[np.generic]) -> Path:
    assert cv2.imwrite(str(path), pixels)
    return path


def palette_png(path: Path, numbers: NDArray[np.uint8], table: NDArray[np.uint8]) -> Path:
    """An indexed PNG; ``table`` is (n, 4) BGRA."""
    frame = VideoFrame(numbers.shape[1], numbers.shape[0], "pal8")
    plane = frame.planes[0]
    rows = np.zeros((numbers.shape[0], plane.line_size), np.uint8)
    rows[:, : numbers.shape[1]] = numbers
    plane.update(rows.tobytes())
    colours = np.zeros((256, 4), np.uint8)
    colours[:, 3] = 255
    colours[: len(table)] = table
    frame.planes[1].update(colours.tobytes())
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = numbers.shape[1], numbers.shape[0], "pal8"
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


# -- what carries the matte ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 16])
def test_grey_images_of_both_depths_are_read_exactly(tmp_path: Path, bits: int) -> None:
    pixels = RAMP if bits == 8 else RAMP.astype(np.uint16) * 257
    file = find_matte(png(tmp_path / "matte.png", pixels))
    assert (file.kind, file.carrier, file.extent, file.numbered) == (MediaKind.STILL, LUMA, Extent(W, H), False)
    assert np.array_equal(only(file.path), RAMP)


@pytest.mark.parametrize("bits", [8, 16])
def test_alpha_is_taken_where_it_varies_and_luma_where_it_does_not(tmp_path: Path, bits: int) -> None:
    scale = np.uint16(257) if bits == 16 else np.uint8(1)
    kind = np.uint16 if bits == 16 else np.uint8
    flat = np.full((H, W), 90, np.uint8)
    keyed = np.dstack([flat, flat, flat, RAMP]).astype(kind) * scale
    opaque = np.dstack([RAMP, RAMP, RAMP, np.full_like(RAMP, 255)]).astype(kind) * scale
    first, second = find_matte(png(tmp_path / "a.png", keyed)), find_matte(png(tmp_path / "b.png", opaque))
    assert (first.carrier, second.carrier) == (ALPHA, LUMA)
    assert set(first.carriers) == {ALPHA, LUMA}
    assert np.array_equal(only(first.path), RAMP)
    assert np.array_equal(only(second.path), RAMP)
    assert int(only(first.path, LUMA)[0, 0]) == 90


@pytest.mark.parametrize("suffix", [".tif", ".webp", ".bmp", ".jpg"])
def test_other_image_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = png(tmp_path / f"matte{suffix}", RAMP)
    assert np.abs(only(path).astype(int) - RAMP).max() <= (0 if suffix in (".tif", ".bmp") else 4)


def test_an_indexed_png_of_davis_kind_is_one_object_per_number(tmp_path: Path) -> None:
    numbers = np.zeros((H, W), np.uint8)
    numbers[4:20, 5:20], numbers[10:30, 40:60] = 1, 7
    davis = np.zeros((8, 4), np.uint8)
    davis[:, 3] = 255
    davis[1, 2], davis[7, :3] = 128, 128  # dark red, grey
    path = palette_png(tmp_path / "00000.png", numbers, davis)
    palette_png(tmp_path / "00001.png", np.where(numbers == 7, 7, 0).astype(np.uint8), davis)
    file = find_matte(path)
    assert (file.kind, file.carrier) == (MediaKind.SEQUENCE, IDS)
    assert [x.title for x in file.layers_of(IDS)] == ["Object 1", "Object 7"]
    reader = MatteReader(file)
    first, second = reader.read(0), reader.read(1)
    assert np.array_equal(first["id:7"], (numbers == 7) * np.uint8(255))
    assert set(first) == {"id:1", "id:7"} and set(second) == {"id:7"}
    reader.close()


def test_a_palette_of_greys_is_a_matte_and_small_greys_are_numbers(tmp_path: Path) -> None:
    greys = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 4, axis=1)
    greys[:, 3] = 255
    assert np.array_equal(only(palette_png(tmp_path / "grey.png", RAMP, greys)), RAMP)
    ids = find_matte(png(tmp_path / "ids.png", (RAMP > 128).astype(np.uint8) * 2))
    assert ids.carrier == IDS and [x.key for x in ids.layers_of(IDS)] == ["id:2"]
    assert find_matte(png(tmp_path / "plain.png", (RAMP > 128).astype(np.uint8) * 255)).carrier == LUMA


# -- numbering -------------------------------------------------------------------------------------------------------


def test_a_run_keeps_its_numbers_and_gaps(tmp_path: Path) -> None:
    for number in (1001, 1002, 1005):
        png(tmp_path / f"dog.{number}.png", np.full((H, W), number - 1000, np.uint8) * 50)
    png(tmp_path / "cat.0001.png", RAMP)
    whole = find_matte(tmp_path / "dog.1002.png")
    assert whole.numbers == (1001, 1002, 1005) and whole.numbered
    assert find_matte(tmp_path).numbers == whole.numbers  # the longest run of the folder
    assert find_matte(tmp_path / "dog.1005.png", single=True).numbers == (1005,)
    assert int(only(tmp_path / "dog.1001.png", position=2)[0, 0]) == 250


def test_images_of_different_sizes_are_refused(tmp_path: Path) -> None:
    png(tmp_path / "m_0.png", RAMP)
    png(tmp_path / "m_1.png", RAMP[:, :32])
    with pytest.raises(MediaError, match=r"differ in size.*64×36.*32×36"):
        find_matte(tmp_path)


# -- video -----------------------------------------------------------------------------------------------------------


def film(path: Path, codec: str, layout: str, *, options: dict[str, str] | None = None) -> Path:
    """Three frames: grey, with the ramp as alpha where ``layout`` has it, else the ramp as grey."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.width, stream.height = W, H
        stream.pix_fmt = layout
        for number in range(3):
            flat = np.full((H, W), 120, np.uint8)
            shifted = np.roll(RAMP, number, axis=1)
            keyed = "a" in layout.replace("gray", "")
            planes = [flat, flat, flat, shifted] if keyed else [shifted] * 3
            frame = VideoFrame.from_ndarray(np.dstack(planes), format="rgba" if keyed else "rgb24")
            frame.pts = number
            container.mux(stream.encode(frame.reformat(format=layout)))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("name", "codec", "layout", "carrier", "error"),
    [
        ("a.mov", "prores_ks", "yuva444p10le", ALPHA, 0),
        ("b.webm", "libvpx-vp9", "yuva420p", ALPHA, 6),
        ("c.mov", "png", "rgba", ALPHA, 0),
        ("d.mov", "qtrle", "argb", ALPHA, 0),
        ("e.mkv", "ffv1", "gray", LUMA, 0),
        ("f.mp4", "libx264", "yuv420p", LUMA, 6),
        ("g.mov", "prores_ks", "yuv422p10le", LUMA, 3),
    ],
)
def test_videos_bring_alpha_or_luma(
    tmp_path: Path, name: str, codec: str, layout: str, carrier: str, error: int
) -> None:
    options = {"prores_ks": {"profile": "4444" if "444" in layout else "hq", "alpha_bits": "16"}}.get(codec, {})
    path = film(tmp_path / name, codec, layout, options=options)
    file = find_matte(path)
    assert (file.kind, file.count, file.rate, file.carrier) == (MediaKind.VIDEO, 3, 25, carrier)
    assert np.abs(only(path, position=2).astype(int) - np.roll(RAMP, 2, axis=1)).max() <= error


def test_real_files_with_alpha_are_found(hard: Path) -> None:
    for name, extent in (
        ("derived_prores4444_alpha_grey_walk.mov", Extent(640, 360)),
        ("vp9_alpha_200x200_5s.webm", Extent(200, 200)),
        ("qtrle_argb_alpha_1080p.mov", Extent(1920, 1080)),
    ):
        file = find_matte(hard / name)
        assert (file.carrier, file.extent) == (ALPHA, extent), name


# -- OpenEXR ---------------------------------------------------------------------------------------------------------


def exr(path: Path, channels: dict[str, NDArray[np.generic]], **header: object) -> Path:
    base = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File({**base, **header}, dict(channels)) as file:
        file.write(str(path))
    return path


SOFT = (RAMP / 255).astype(np.float16)


def test_every_8_bit_matte_survives_a_half_float_exr(tmp_path: Path) -> None:
    matte = np.tile(np.arange(256, dtype=np.uint8), (3, 1))
    for float32 in (False, True):
        path = tmp_path / f"m{float32}.exr"
        write_exr(path, [("Dog", matte)], matte, float32=float32)
        reader = MatteReader(find_matte(path))
        assert np.array_equal(reader.read(0)["layer:Dog"], matte)
        reader.close()


def test_our_exr_names_its_layers_and_keeps_the_objects_names(tmp_path: Path) -> None:
    names = ["Hund & Katze", "R", "dog.left", "dog left", "3"]
    assert len({n.lower() for n in layer_names(names)}) == len(names)
    path = tmp_path / "mattes.exr"
    write_exr(path, [(n, RAMP) for n in names], RAMP, colour=np.zeros((H, W, 3), np.float32))
    (part,) = read_headers(path)
    stored = {c.name for c in part.channels}
    assert {"R", "G", "B", "A"} < stored and all(n.endswith(".A") for n in stored - {"R", "G", "B", "A"})
    offered = find_matte(path).layers_of(LAYERS)
    assert sorted(x.title for x in offered if x.chosen) == sorted(names)
    assert [x.key for x in offered if not x.chosen] == ["layer:"]


@pytest.mark.parametrize("carrier", [ALPHA, LUMA])
def test_a_plain_exr_brings_alpha_or_luma(tmp_path: Path, carrier: str) -> None:
    flat = np.full((H, W), 0.25, np.float32)
    alpha = SOFT.astype(np.float32) if carrier == ALPHA else np.ones_like(flat)
    colour = flat if carrier == ALPHA else SOFT.astype(np.float32)
    path = exr(tmp_path / "m.exr", {"R": colour, "G": colour, "B": colour, "A": alpha})
    assert find_matte(path).carrier == carrier
    assert np.array_equal(only(path), RAMP)


def test_a_single_channel_and_named_layers_of_other_programs(tmp_path: Path) -> None:
    assert np.array_equal(only(exr(tmp_path / "y.exr", {"Y": SOFT})), RAMP)
    depth = np.full((H, W), 17.5, np.float32)
    path = exr(
        tmp_path / "n.exr",
        {"R": SOFT, "G": SOFT, "B": SOFT, "hair.red": SOFT, "dog.A": 1 - SOFT, "depth.Z": depth, "mask": SOFT},
    )
    offered = {x.key: x.chosen for x in find_matte(path).layers_of(LAYERS)}
    assert offered == {"layer:": False, "layer:hair": True, "layer:dog": True, "layer:depth": False, "layer:mask": True}


def test_parts_are_layers(tmp_path: Path) -> None:
    base = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIPS_COMPRESSION}
    parts = [OpenEXR.Part(dict(base), {"A": SOFT}, "dog"), OpenEXR.Part(dict(base), {"A": 1 - SOFT}, "car")]
    with OpenEXR.File(parts) as file:
        file.write(str(tmp_path / "parts.exr"))
    found = find_matte(tmp_path / "parts.exr")
    reader = MatteReader(found)
    mattes = reader.read(0)
    reader.close()
    assert np.array_equal(mattes["layer:dog"], RAMP)
    assert set(mattes) == {"layer:dog", "layer:car"}


def test_a_data_window_smaller_than_the_picture_is_placed(tmp_path: Path) -> None:
    window = np.array([8, 4], np.int32), np.array([8 + 15, 4 + 9], np.int32)
    display = np.array([0, 0], np.int32), np.array([W - 1, H - 1], np.int32)
    path = exr(tmp_path / "w.exr", {"A": np.ones((10, 16), np.float16)}, dataWindow=window, displayWindow=display)
    info, planes = read_exr(path)
    assert info.extent == Extent(W, H)
    inside = np.zeros((H, W), np.float32)
    inside[4:14, 8:24] = 1
    assert np.array_equal(planes[""]["A"], inside)


def hostile(path: Path, box: tuple[int, int, int, int]) -> Path:
    """A small EXR whose header claims another data window."""
    exr(path, {"A": SOFT.astype(np.float32)})
    data = bytearray(path.read_bytes())
    at = data.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    data[at : at + 16] = struct.pack("<4i", *box)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    "box", [(0, 0, 199_999, 199_999), (0, 0, 2**31 - 2, 10), (-(2**31), -(2**31), 2**31 - 1, 2**31 - 1), (5, 5, 2, 2)]
)
def test_absurd_data_windows_are_refused_before_anything_is_allocated(
    tmp_path: Path, box: tuple[int, int, int, int]
) -> None:
    with pytest.raises(MediaError, match=r"pixels a side|damaged"):
        find_matte(hostile(tmp_path / "h.exr", box))


def test_thousands_of_layers_and_gigabytes_of_pixels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="GB of memory"):
        read_headers(hostile(tmp_path / "big.exr", (0, 0, 32_000, 32_000)))
    tiny = np.zeros((2, 2), np.float16)
    many = exr(tmp_path / "many.exr", {f"l{n}.A": tiny for n in range(1100)})
    with pytest.raises(MediaError, match="1024 channels"):
        read_headers(many)


def test_a_header_of_megabytes_is_refused_and_one_long_attribute_passed_over(tmp_path: Path) -> None:
    whole = exr(tmp_path / "m.exr", {"A": SOFT}).read_bytes()

    def with_texts(count: int, length: int) -> Path:
        """The file with so many string attributes more, each of this length."""
        added = b"".join(
            f"t{n}".encode() + b"\0string\0" + struct.pack("<i", length) + b"x" * length for n in range(count)
        )
        path = tmp_path / f"{count}.exr"
        path.write_bytes(whole[:8] + added + whole[8:])
        return path

    with pytest.raises(MediaError, match="longer than that of any picture"):
        read_headers(with_texts(9, 500_000))
    # What is passed over is not counted, and not kept.
    (part,) = read_headers(with_texts(1, 5 << 20))
    assert "t0" not in dict(part.text)


def test_damaged_exrs_are_one_sentence(tmp_path: Path) -> None:
    whole = exr(tmp_path / "m.exr", {"A": np.random.default_rng(1).random((H, W)).astype(np.float16)}).read_bytes()
    (tmp_path / "cut.exr").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "head.exr").write_bytes(whole[:60])
    wrong = bytearray(whole)
    for at in range(len(wrong) - 900, len(wrong)):
        wrong[at] ^= 0x5A
    (tmp_path / "bits.exr").write_bytes(wrong)
    for name, words in (("cut", "cut short"), ("head", "damaged or cut short"), ("bits", "pixels .* damaged")):
        with pytest.raises(MediaError, match=words):
            find_matte(tmp_path / f"{name}.exr")


@pytest.mark.parametrize("seed", range(40))
def test_headers_with_flipped_bytes_never_escape_as_other_errors(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    path = exr(tmp_path / "f.exr", {"A": SOFT, "dog.A": SOFT})
    data = bytearray(path.read_bytes())
    for at in rng.integers(4, 400, 6):
        data[at] = int(rng.integers(0, 256))
    path.write_bytes(data)
    try:
        read_headers(path)
    except MediaError as error:
        assert error.sentence


# -- broken files ----------------------------------------------------------------------------------------------------


def test_broken_files_are_one_sentence_each(broken: Path) -> None:
    names = [
        "derived_zero_bytes.mp4", "derived_text_renamed.mp4", "derived_truncated_no_moov.mp4", "encrypted_clearkey.mp4",
        "image_broken_data_stream.png", "image_truncated_image.png", "invalid_bitstream_vp9.webm",
        "derived_truncated.safetensors",
    ]  # fmt: skip
    for name in names:
        with pytest.raises(MediaError) as caught:
            find_matte(broken / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(MediaError, match="not there"):
        find_matte(broken / "nothing.png")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="holds no images"):
        find_matte(tmp_path)


def test_a_carrier_that_is_not_there_is_refused(tmp_path: Path) -> None:
    file = find_matte(png(tmp_path / "m.png", RAMP.astype(np.uint16) * 257))
    with pytest.raises(MediaError, match="no alpha channel"):
        MatteReader(file, ALPHA)
    assert isinstance(file, MatteFile)


# -- fitting ---------------------------------------------------------------------------------------------------------


def test_the_same_shape_is_scaled_and_another_one_refused() -> None:
    assert "scaled to 128×72" in check_fit(Extent(W, H), Extent(128, 72), MatteFit.SAME, "m.png")
    assert check_fit(Extent(W, H), Extent(W, H), MatteFit.SAME, "m.png") == ""
    with pytest.raises(MediaError, match=r"“m.png” is 64×36 and the clip 64×64: the shapes differ"):
        check_fit(Extent(W, H), Extent(64, 64), MatteFit.SAME, "m.png")


def test_fit_crop_and_stretch_place_the_middle_in_the_middle() -> None:
    solid = np.full((H, W), 255, np.uint8)
    fit = fitted(solid, Extent(64, 64), MatteFit.FIT)
    assert fit[14:50].min() == 255 and fit[:14].max() == 0 and fit[50:].max() == 0
    left = np.zeros((H, W), np.uint8)
    left[:, : W // 2] = 255
    crop = fitted(left, Extent(36, 36), MatteFit.CROP)
    assert crop[:, :18].min() == 255 and crop[:, 18:].max() == 0
    stretch = fitted(left, Extent(32, 80), MatteFit.STRETCH)
    assert stretch.shape == (80, 32) and stretch[:, :16].min() == 255
