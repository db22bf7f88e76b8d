"""Mattes out and in against the ffmpeg command line: CPU time, and what becomes of colour and alpha.

``python -m tests.bench.bench_mattes [frames]``. Both write the same source and mattes with the same encoder settings
(the command line by ``alphamerge``), interleaved, best of two. Alpha error is the largest difference from the painted
8-bit matte after decoding, colour the mean ΔE (CIE 1976) from an accurate conversion of the source; the command
line converts with its defaults.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from gen2studio.app.matte_export import MatteExport, export_mattes
from gen2studio.app.matte_files import MatteImport, arrange, read_mattes, with_mattes
from gen2studio.media.decoder import open_decoder
from gen2studio.media.matte_formats import FORMATS, MATTE
from gen2studio.media.matte_reader import MatteReader, find_matte
from gen2studio.raster.tiles import TileStore
from tests.export.sequences import accurate_pictures, mean_delta_e, simple

MEDIA = Path(__file__).resolve().parents[3] / "shared/media"
CLIP = MEDIA / "clips/cc0_flower_opening_960x540_5s.mp4"


def _cpu() -> float:
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def _measured(work: Callable[[], object]) -> float:
    before = _cpu()
    work()
    return _cpu() - before


def _command_line(kind: str, mattes: Path, target: Path, frames: int) -> list[str] | None:
    words = ["ffmpeg", "-v", "error", "-y", "-i", str(CLIP), "-framerate", "30000/1001", "-i", f"{mattes}/m_%06d.png"]
    to_709 = "scale=out_color_matrix=bt709:out_range=tv"
    merged = f"[0:v]{to_709},format=yuv444p10[c];[1:v]format=gray10[a];[c][a]alphamerge"
    tags = ["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709", "-frames:v", str(frames), "-an"]
    if kind == "prores4444":
        words += ["-filter_complex", merged, "-c:v", "prores_ks", "-profile:v", "4444", "-alpha_bits", "16"]
    elif kind == "vp9":
        eight = f"[0:v]{to_709},format=yuv420p[c];[1:v]format=gray[a];[c][a]alphamerge"
        words += ["-filter_complex", eight, "-c:v", "libvpx-vp9", "-crf", "12", "-b:v", "0", "-auto-alt-ref", "0"]
        words += ["-row-mt", "1", "-deadline", "good", "-cpu-used", "3", "-g", "60"]
    else:
        return None
    return [*words, *tags, str(target)]


def _judged(path: Path, mattes: list[np.ndarray], colours: list[np.ndarray]) -> tuple[str, str]:
    """(largest alpha error, mean ΔE) of a written file."""
    file = find_matte(path)
    reader = MatteReader(file)
    alpha = 0
    for index, matte in enumerate(mattes):
        alpha = max(alpha, int(np.abs(next(iter(reader.read(index).values())).astype(int) - matte).max()))
    reader.close()
    if path.is_dir():
        return str(alpha), "-"
    decoder = open_decoder(path)
    shift = np.mean([mean_delta_e(decoder.rgba(i)[..., :3], c) for i, c in enumerate(colours)])
    decoder.close()
    return str(alpha), f"{shift:.2f}"


def main(frames: int) -> None:
    document = simple(CLIP)
    item = next(iter(document.media.values()))
    extent = item.info.extent
    y, x = np.mgrid[: extent.height, : extent.width]
    truth = [
        np.clip(128 - (np.hypot(x - 400 - 6 * n, y - 270) - 150) * 5, 0, 255).astype(np.uint8) for n in range(frames)
    ]
    colours = accurate_pictures(CLIP)[:frames]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        mattes = folder / "m"
        mattes.mkdir()
        for n, matte in enumerate(truth):
            cv2.imwrite(str(mattes / f"m_{n:06d}.png"), matte)
        tiles = TileStore()
        file = find_matte(mattes)
        settings = MatteImport(name="Disc")
        layers = read_mattes(file, settings, arrange(file, settings, item.info), extent, tiles)
        document, objects = with_mattes(document, item.id, settings, layers)
        print(f"{CLIP.name}, {extent}, {frames} frames; CPU milliseconds a frame, out and in")
        heads = ("out", "ffmpeg", "ratio", "in", "alpha", "ffmpeg", "ΔE", "ffmpeg")
        print(f"{'format':20}" + "".join(f"{head:>8}" for head in heads))
        for chosen in FORMATS:
            best, peer, back = 1e9, 1e9, 1e9
            theirs = ("-", "-")
            ours = ("-", "-")
            command = _command_line(chosen.id, mattes, folder / f"peer{chosen.suffix}", frames)
            for turn in range(2):
                target = folder / f"{chosen.id}{turn}"
                wanted = MatteExport(
                    path=target, format=chosen.id, objects=objects, audio=False,
                    content=MATTE if chosen.id == "exr" else "straight",
                )  # fmt: skip
                made: list[Path] = []
                best = min(best, _measured(lambda w=wanted, m=made: m.extend(export_mattes(document, w, tiles).paths)))
                if command is not None:
                    peer = min(peer, _measured(lambda c=command: subprocess.run(c, check=True)))
                if not chosen.id.startswith("green"):
                    found = find_matte(made[0])
                    places = arrange(found, MatteImport(first_frame=0), item.info)
                    back = min(
                        back,
                        _measured(lambda f=found, p=places: read_mattes(f, MatteImport(), p, extent, TileStore())),
                    )
                    ours = _judged(made[0], truth, colours)
            if command is not None:
                theirs = _judged(folder / f"peer{chosen.suffix}", truth, colours)
            scale = 1000 / frames
            cells = [
                f"{best * scale:.1f}",
                f"{peer * scale:.1f}" if command else "-",
                f"{best / peer:.2f}" if command else "-",
                f"{back * scale:.1f}" if back < 1e9 else "-",
            ]
            cells += [ours[0], theirs[0], ours[1], theirs[1]]
            print(f"{chosen.id:20}" + "".join(f"{cell:>8}" for cell in cells))


if __name__ == "__main__":
    started = time.perf_counter()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 24)
    print(f"{time.perf_counter() - started:.0f} s")
