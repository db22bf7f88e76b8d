"""Scopes against counting by hand, and beside FFmpeg's own filters."""

from __future__ import annotations

from fractions import Fraction
from math import atan2, degrees
from pathlib import Path

import av
import numpy as np
import pytest
from av.filter import Graph
from numpy.typing import NDArray

from gen2studio.raster import scopes


def noise(height: int, width: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (height, width, 4), dtype=np.uint8)


def test_luma_and_chroma_are_bt709() -> None:
    picture = np.zeros((1, 7, 3), np.uint8)
    for number, colour in enumerate(((0, 0, 0), (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255), (90, 90, 90))):
        picture[0, number] = colour[::-1]
    y = scopes.luma(picture)[0]
    assert y.tolist()[:6] == [0, 255, 54, 182, 18, 90]
    cb, cr = scopes.chroma(picture)
    assert [abs(int(v) - 128) <= 1 for v in (*cb[0, :2], *cr[0, :2], cb[0, 5], cr[0, 5])] == [True] * 6
    assert int(cr[0, 2]) == 255 and int(cb[0, 4]) == 255


def test_waveform_counts_levels_in_their_columns() -> None:
    plane = np.tile(np.repeat(np.array([10, 200], np.uint8), 5), (40, 1))
    plane[3, 7] = 255
    counts = scopes.waveform(plane)
    wanted = np.zeros((256, 10), int)
    wanted[245, :5] = wanted[55, 5:] = 40
    wanted[55, 7], wanted[0, 7] = 39, 1
    assert np.array_equal(counts, wanted)
    seen = scopes.waveform_picture(np.repeat(plane[..., None], 3, axis=2))
    assert np.array_equal(seen[..., 3] > 0, wanted > 0)
    assert seen[245, 0, 3] > seen[0, 7, 3] > 40, "one pixel of forty can be seen, and is not as bright"
    parade = scopes.waveform_picture(np.repeat(plane[..., None], 3, axis=2), parade=True)
    assert (parade[..., 3] > 0).sum() == 3 * (wanted > 0).sum()


def test_histogram_and_vectorscope_count_every_pixel() -> None:
    bgr = noise(37, 53)[..., :3].copy()
    counts = scopes.histogram(bgr)
    for row, plane in zip(counts, (bgr[..., 2], bgr[..., 1], bgr[..., 0], scopes.luma(bgr)), strict=True):
        assert np.array_equal(row, np.histogram(plane, 256, (0, 256))[0])
    cb, cr = scopes.chroma(bgr)
    vectors = scopes.vectorscope(bgr)
    assert vectors.sum() == 37 * 53
    for y, x in ((0, 0), (20, 30), (36, 52)):
        assert vectors[255 - int(cr[y, x]), int(cb[y, x])] > 0


def test_targets_and_the_skin_line_stand_where_they_are_on_other_scopes() -> None:
    bars = {"R": (1, 0, 0), "Mg": (1, 0, 1), "B": (0, 0, 1), "Cy": (0, 1, 1), "G": (0, 1, 0), "Yl": (1, 1, 0)}
    angles = {
        name: degrees(atan2(*scopes.target(*(255 * c for c in colour))[::-1])) % 360 for name, colour in bars.items()
    }
    # SMPTE RP 177 / BT.709 bars: hue by hue round the circle.
    wanted = {"R": 102.9, "Mg": 49.7, "B": 354.8, "Cy": 282.9, "G": 229.7, "Yl": 174.8}
    for name, angle in wanted.items():
        assert angles[name] == pytest.approx(angle, abs=3), name
    # Skin of very different lightness lies along the line.
    for colour in ((236, 188, 160), (198, 134, 104), (120, 75, 54)):
        cb, cr = scopes.target(*colour)
        assert abs(degrees(atan2(cr, cb)) - scopes.SKIN_DEGREES) < 12


def test_large_pictures_are_picked_from_not_averaged() -> None:
    picture = np.zeros((1080, 1920, 4), np.uint8)
    picture[::2] = 255
    assert set(np.unique(scopes.sampled(picture))) <= {0, 255}
    assert 60_000 < scopes.sampled(picture)[..., 0].size <= 100_000
    assert scopes.sampled(picture[:90, :160]).shape == (90, 160, 3)


def test_the_vectorscope_agrees_with_ffmpeg(media_root: Path) -> None:
    with av.open(str(media_root / "clips/golden_retriever_512_3.2s.mp4")) as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb24")
    bgr = np.ascontiguousarray(rgb[..., ::-1])
    blue, red = scopes.chroma(bgr)
    planes = np.stack([scopes.luma(bgr), blue, red])
    frame = av.VideoFrame.from_ndarray(planes, format="yuv444p")
    for name, own in (("vectorscope=mode=gray:intensity=1", scopes.vectorscope(bgr) > 0),):
        seen = _filtered(frame, *name.split("=", 1)) > 0
        # FFmpeg's grey vectorscope has Cr upwards as ours: the same places are lit.
        assert (seen == own).mean() > 0.999


def _filtered(frame: av.VideoFrame, name: str, options: str) -> NDArray[np.uint8]:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    scope = graph.add(name, options)
    sink = graph.add("buffersink")
    source.link_to(scope)
    scope.link_to(sink)
    graph.configure()
    frame.pts = 0
    graph.vpush(frame)
    graph.vpush(None)
    found = graph.vpull()
    return found.to_ndarray()[:256, :256] if found.to_ndarray().ndim == 2 else found.to_ndarray()[0]
