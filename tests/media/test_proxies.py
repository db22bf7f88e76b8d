"""Proxies: the same frames under the same numbers, whole or not there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.media import proxies
from gen2studio.media.abandon import Abandoned
from gen2studio.media.decoder import open_decoder
from gen2studio.media.probe import probe

HARD = "clips/hard"
CLIPS = (
    "android_slowmo_vfr.mp4",
    "derived_vfr_dropped_frames.mkv",
    "bframe_pyramid_800x640_4s.mp4",
    "decord_rot_90.mov",
    "nonzero_start.mp4",
    "sar_2x1_640x360_5s.mp4",
    "vp9_alpha_200x200_5s.webm",
)


@pytest.mark.parametrize("name", CLIPS)
def test_frame_n_of_a_proxy_is_frame_n_of_its_source(name: str, media_root: Path, tmp_path: Path) -> None:
    path = media_root / HARD / name
    info = probe(path)
    file = tmp_path / "proxy.mov"
    count = proxies.make(path, info, file)
    source, proxy = open_decoder(path, info), open_decoder(file)
    try:
        assert count == source.clock.frame_count == proxy.clock.frame_count
        assert proxy.clock.all_intra
        size = proxies.proxy_size(info)
        assert proxy.info.extent == size
        small = Extent(max(2, size.width // 4), max(2, size.height // 4))
        step = max(1, count // 12)
        wanted = {n: source.bgra(n, small).astype(int) for n in range(0, count, step)}
        for number, picture in wanted.items():
            shown = proxy.bgra(number, small).astype(int)
            own = np.abs(shown - picture).mean()
            assert own < 4, number
            # No other of the compared frames is nearer than its own, but for footage that stands still.
            others = [np.abs(shown - other).mean() for n, other in wanted.items() if n != number]
            assert own <= min(others) + 0.3, number
        assert (proxy.info.has_alpha, source.info.has_alpha) in ((True, True), (False, False))
    finally:
        source.close()
        proxy.close()


def test_a_proxy_that_is_not_what_was_written_is_not_sound(media_root: Path, tmp_path: Path) -> None:
    path = media_root / HARD / "android_slowmo_vfr.mp4"
    file = tmp_path / "proxy.mov"
    count = proxies.make(path, probe(path), file)
    assert proxies.is_sound(file, count)
    assert not proxies.is_sound(file, count + 1)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0x40
    file.write_bytes(bytes(data))
    assert not proxies.is_sound(file, count)
    proxies.make(path, probe(path), file)
    assert proxies.is_sound(file, count)
    with open(file, "r+b") as stream:
        stream.truncate(1000)
    assert not proxies.is_sound(file, count)
    file.with_suffix(".json").write_text(json.dumps(["frames"]))
    assert not proxies.is_sound(file, count)
    proxies.forget(file)
    assert not list(tmp_path.iterdir())


def test_abandoned_half_way_nothing_is_left(media_root: Path, tmp_path: Path) -> None:
    path = media_root / HARD / "bframe_pyramid_800x640_4s.mp4"
    seen: list[float] = []
    with pytest.raises(Abandoned):
        proxies.make(path, probe(path), tmp_path / "proxy.mov", abandon=lambda: len(seen) > 3, on_progress=seen.append)
    assert 3 < len(seen) < 10
    assert not list(tmp_path.iterdir())


def test_killed_while_making_one_the_next_run_makes_it_whole(media_root: Path, tmp_path: Path) -> None:
    path = media_root / HARD / "bframe_pyramid_800x640_4s.mp4"
    file = tmp_path / "proxy.mov"
    code = (
        "import sys\nfrom pathlib import Path\nfrom gen2studio.media import proxies\n"
        "from gen2studio.media.probe import probe\np = Path(sys.argv[1])\n"
        "proxies.make(p, probe(p), Path(sys.argv[2]), on_progress=lambda s: print(s, flush=True))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, path, file], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(5):
        assert child.stdout.readline()
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert not file.exists()
    assert not proxies.is_sound(file, 1)
    left = [entry.name for entry in tmp_path.iterdir()]
    assert all(name.startswith(".") for name in left)
    count = proxies.make(path, probe(path), file)
    assert proxies.is_sound(file, count)


def test_the_longest_unused_go_first_and_leftovers_with_them() -> None:
    from gen2studio.core import paths

    folder = paths.cache_dir("proxies")
    now = time.time()
    for age in range(4):
        file = folder / f"p{age}.mov"
        file.write_bytes(bytes(1000))
        file.with_suffix(".json").write_text("{}")
        os.utime(file, (now - age * 100, now - age * 100))
    stale = folder / ".p9.part.mov"
    stale.write_bytes(b"x")
    os.utime(stale, (now - 9999, now - 9999))
    assert proxies.trim(2500, [folder / "p3.mov"]) == 2000
    assert sorted(entry.name for entry in folder.iterdir()) == ["p0.json", "p0.mov", "p3.json", "p3.mov"]


def test_what_plays_badly_is_measured() -> None:
    light = proxies.PlayCost(decode=0.0005, pixels=640 * 360, rate=25, group=12)
    assert not light.plays_badly
    assert proxies.PlayCost(decode=0.007, pixels=1920 * 1080, rate=30, group=30).plays_badly
    # A small film of one long group can't be scrubbed.
    assert proxies.PlayCost(decode=0.003, pixels=640 * 360, rate=25, group=250).plays_badly


def test_small_footage_is_measured_light_and_groups_are_counted(media_root: Path) -> None:
    path = media_root / HARD / "mjpeg_small_camera.avi"
    cost = proxies.measure(path, probe(path))
    assert cost.decode > 0
    assert cost.group == 1


@pytest.mark.parametrize(
    ("width", "height", "made"),
    [
        (3840, 2160, (960, 540)),
        (161, 121, (160, 120)),
        (1080, 1920, (304, 540)),
        (9000, 1, (9000, 2)),
        (1, 9000, (2, 540)),
    ],
)
def test_proxies_have_at_most_540_lines_and_even_sides(width: int, height: int, made: tuple[int, int]) -> None:
    size = proxies.proxy_size(MediaInfo(kind=MediaKind.VIDEO, width=width, height=height))
    assert proxies.LINES == 540 and (size.width, size.height) == made
