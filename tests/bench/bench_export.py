"""Exports against the ffmpeg command line with the same encoder settings, interleaved, best of three.

``python -m tests.bench.bench_export [seconds] [straight|rgb]``. The command line brings its own, usually older, FFmpeg
and x264 than the PyAV wheel: ratios near 1 say that nothing is lost on the way, not which x264 is faster. "rgb" forces
every frame through RGB, as a frame with a take or a letterbox goes; the command line then does the same round trip.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from gen2studio.app.export import ExportSettings, export_sequence
from gen2studio.media.encoder_presets import preset_of
from tests.export.sequences import SEQ, simple

Cost = tuple[float, float]
"""Wall and CPU seconds."""


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _measured(work: Callable[[], object]) -> Cost:
    wall, cpu = time.perf_counter(), _cpu()
    work()
    return time.perf_counter() - wall, _cpu() - cpu


def _source(folder: Path, seconds: int) -> Path:
    path = folder / "source.mp4"
    clip = Path(__file__).resolve().parents[3] / "shared/media/clips/bbb_640x360_10s_audio.mp4"
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-color_range", "tv"]
    scale = "scale=1920:1080:flags=bicubic:out_color_matrix=bt709,noise=alls=6:allf=t,format=yuv420p"
    subprocess.run(
        [
            *("ffmpeg", "-v", "error", "-y", "-i", clip, "-t", str(seconds), "-an", "-vf", scale, "-c:v", "libx264"),
            *("-preset", "veryfast", "-crf", "18", "-g", "30", *tags, path),
        ],
        check=True,
    )
    return path


def _command_line(source: Path, target: Path, preset_id: str, *, rgb: bool) -> list[str]:
    preset = preset_of(preset_id)
    convert = (
        "scale=in_color_matrix=bt709:in_range=tv:out_range=pc,format=rgb24,"
        f"scale=out_color_matrix=bt709:in_range=pc:out_range=tv,format={preset.pixel_format}"
    )
    words = ["ffmpeg", "-v", "error", "-y", "-i", str(source), "-an"]
    words += ["-vf", convert] if rgb else ["-pix_fmt", preset.pixel_format]
    words += ["-c:v", preset.codec]
    for name, value in preset.options.items():
        words += [f"-{name}", value]
    return [*words, "-movflags", "+faststart", str(target)]


def main(seconds: int = 10, only: str = "") -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _source(folder, seconds)
        plain = simple(source, frames=10_000)
        frames = plain.media["media-000000000001"].info.frame_count
        plain = simple(source, frames=frames)
        sequence = plain.sequences[SEQ]
        # A clip at half its opacity does not exist yet; one pixel of letterbox forces the compositor's RGB path.
        letterboxed = replace(plain, sequences={SEQ: replace(sequence, height=sequence.height + 2)})
        print(f"{frames} frames of 1080p; ratio = ours / ffmpeg command line, best of 3 interleaved")
        print(f"{'preset':16}{'path':8}{'ours s':>9}{'cli s':>9}{'wall':>7}{'CPU':>7}")
        for preset_id, document, rgb in (
            ("h264", plain, False),
            ("h264", letterboxed, True),
            ("prores_422_hq", letterboxed, True),
        ):
            if only not in ("", "rgb" if rgb else "straight"):
                continue
            ours: list[Cost] = []
            theirs: list[Cost] = []
            for _ in range(3):
                settings = ExportSettings(path=folder / "ours", preset=preset_id, audio=False, sidecar=False)
                ours.append(
                    _measured(lambda d=document, s=settings: export_sequence(d, s, take_folder=Path))  # type: ignore[misc]
                )
                words = _command_line(source, folder / f"cli{preset_of(preset_id).suffix}", preset_id, rgb=rgb)
                theirs.append(_measured(lambda w=words: subprocess.run(w, check=True)))  # type: ignore[misc]
            wall, cpu = min(w for w, _ in ours), min(c for _, c in ours)
            cli_wall, cli_cpu = min(w for w, _ in theirs), min(c for _, c in theirs)
            path = "rgb" if rgb else "straight"
            row = f"{preset_id:16}{path:9}{wall:8.2f}{cli_wall:9.2f}{wall / cli_wall:7.2f}{cpu / cli_cpu:7.2f}"
            print(row, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10, *sys.argv[2:3])
