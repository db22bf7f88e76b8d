"""Proxies: small all-intra copies of footage that would play badly, for viewing only.

Frame n of a proxy is frame n of its source, whatever the source's timing: variable rates, B-frames, edit lists and
interlaced footage are indexed by the source's own clock, and the proxy's timestamps mean nothing. It is upright, has
square pixels, is SDR, and is at most 540 lines high: Motion JPEG in QuickTime, where any frame costs 1.4 ms (measured;
an exact frame of 1080p H.264 with a group of 250 costs 550 ms), or ProRes 4444 for footage with alpha.

A file named by the source's fingerprint is complete or not there: it is written beside and renamed, and its record
(frames, size, digest of its bytes) comes last. Whatever does not agree with its record is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Collection
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

from gen2studio.core import paths
from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.media import codecs
from gen2studio.media.abandon import Abandoned

_VERSION = 1
LINES = 540
_QUALITY = 4
"""Quantiser of Motion JPEG: 1 MB a second of 540p30."""
_SAMPLE = 16
"""Frames decoded to see what a file costs."""
_LIGHT_SHARE = 0.25
"""The part of one core that playing a file may take: two of them, conversion and everything else share two cores."""
_LIGHT_SEEK = 0.2
"""Seconds that the frame in the middle of a group may cost while the playhead is dragged."""
_CONVERSION = 5e-9
"""Seconds a pixel takes from the decoder's planes to display colours, measured at 1080p."""


@dataclass(frozen=True, slots=True)
class PlayCost:
    """What playing a file takes."""

    decode: float
    """Processor seconds a frame."""
    pixels: int
    rate: float
    """Frames a second."""
    group: float
    """Mean frames from one key frame to the next."""

    @property
    def share(self) -> float:
        """The part of one core that playing takes."""
        return (self.decode + self.pixels * _CONVERSION) * self.rate

    @property
    def seek(self) -> float:
        """Seconds until a frame somewhere in a group is there, in the mean."""
        return self.decode * self.group / 2

    @property
    def plays_badly(self) -> bool:
        return self.share > _LIGHT_SHARE or self.seek > _LIGHT_SEEK


def may_have(info: MediaInfo) -> bool:
    """Whether a proxy of such media makes sense at all."""
    return info.kind is MediaKind.VIDEO and info.width > 0 and info.height > 0


def proxy_size(info: MediaInfo) -> Extent:
    """At most :data:`LINES` lines, never larger than the source, even sides."""
    size = info.extent
    if size.height > LINES:
        size = Extent(max(1, round(size.width * LINES / size.height)), LINES)
    return Extent(max(2, size.width // 2 * 2), max(2, size.height // 2 * 2))


def proxy_file(fingerprint: str, info: MediaInfo) -> Path:
    """Where the proxy of a file lies or would lie. Raises ValueError for what is no fingerprint of a file."""
    kind = "alpha" if info.has_alpha else "plain"
    if not fingerprint.isalnum() or not fingerprint.isascii():
        raise ValueError(f"not a fingerprint: {fingerprint[:40]!r}")
    return paths.cache_dir("proxies") / f"{fingerprint}_{_VERSION}_{LINES}_{kind}.mov"


def measure(path: Path, info: MediaInfo, abandon: Callable[[], bool] | None = None) -> PlayCost:
    """Decode the first frames on one thread and see what they cost. Raises MediaError, Abandoned."""
    codecs.load()
    import av
    from av.error import FFmpegError

    from gen2studio.media.clock import clock_of
    from gen2studio.media.probe_container import best_video, open_container

    clock = clock_of(path, info, abandon)
    count = 0
    try:
        with open_container(path) as container:
            stream = best_video(container)
            assert isinstance(stream, av.VideoStream)
            stream.codec_context.thread_count = 1
            began = time.thread_time()
            for _frame in container.decode(stream):
                count += 1
                if count >= _SAMPLE:
                    break
            spent = time.thread_time() - began
    except FFmpegError as error:
        raise MediaError(
            f"“{path.name}” can't be read.", "Play it in another program to see whether it is whole."
        ) from error
    return PlayCost(
        decode=spent / max(1, count),
        pixels=info.width * info.height,
        rate=float(info.rate) or 25.0,
        group=clock.frame_count / max(1, len(clock.keys)),
    )


def is_sound(file: Path, frames: int) -> bool:
    """Whether ``file`` is the whole proxy of ``frames`` frames that was written. Reads it once."""
    try:
        record: Any = json.loads(_record(file).read_text(encoding="utf-8"))
        if not isinstance(record, dict):
            return False
        known = cast("dict[str, Any]", record)
        if known.get("frames") != frames or known.get("bytes") != file.stat().st_size:
            return False
        return known.get("digest") == _digest(file)
    except (OSError, ValueError):
        return False


def forget(file: Path) -> None:
    """Remove a proxy and its record."""
    for name in (_record(file), file):
        with contextlib.suppress(OSError):
            name.unlink()


def make(
    path: Path,
    info: MediaInfo,
    file: Path,
    *,
    abandon: Callable[[], bool] = lambda: False,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> int:
    """Write the proxy of ``path``; returns its frames. Blocks; raises MediaError, OSError, and Abandoned once
    ``abandon()`` is true. Nothing is left behind then."""
    codecs.load()
    from gen2studio.media.decoder import open_decoder

    decoder = open_decoder(path, info, abandon)
    forget(file)
    try:
        count = decoder.clock.frame_count
        with paths.part_file(file) as part:
            _write(part, decoder, info, count, abandon, on_progress)
            digest, size = _digest(part), part.stat().st_size
        record = {"frames": count, "bytes": size, "digest": digest}
        paths.write_atomic(_record(file), json.dumps(record).encode())
    finally:
        decoder.close()
    return count


def _write(
    part: Path,
    decoder: Any,
    info: MediaInfo,
    count: int,
    abandon: Callable[[], bool],
    on_progress: Callable[[float], None],
) -> None:
    import av

    size = proxy_size(info)
    alpha = info.has_alpha
    with av.open(str(part), "w", format="mov") as container:
        if alpha:
            stream = container.add_stream("prores_ks", rate=Fraction(25), options={"profile": "4", "qscale": "14"})
            stream.pix_fmt = "yuva444p10le"
        else:
            stream = container.add_stream("mjpeg", rate=Fraction(25))
            stream.pix_fmt = "yuvj420p"
            stream.codec_context.qmin = stream.codec_context.qmax = _QUALITY
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size.width, size.height
        stream.codec_context.thread_count = 1
        for index in range(count):
            if abandon():
                raise Abandoned
            picture = decoder.picture(index)
            container.mux(stream.encode(_frame(picture, size, index, alpha=alpha)))
            on_progress((index + 1) / count)
        container.mux(stream.encode(None))


def _frame(picture: Any, size: Extent, index: int, *, alpha: bool) -> Any:
    from av.video.frame import VideoFrame
    from av.video.reformatter import ColorRange, Colorspace, Interpolation

    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
    if alpha:
        frame = VideoFrame.from_ndarray(picture.rgba(size), format="rgba").reformat(
            format="yuva444p10le",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=exact,
        )
        frame.colorspace = frame.color_primaries = frame.color_trc = 1
        frame.color_range = ColorRange.MPEG
    else:
        # Motion JPEG is JFIF: BT.601, full range.
        frame = VideoFrame.from_ndarray(picture.bgra(size), format="bgra").reformat(
            format="yuvj420p", dst_colorspace=Colorspace.ITU601, dst_color_range=ColorRange.JPEG, interpolation=exact
        )
    frame.pts, frame.time_base = index, Fraction(1, 25)
    return frame


def trim(limit: int, keep: Collection[Path] = ()) -> int:
    """Remove the longest unused proxies until they take at most ``limit`` bytes; ``keep`` stay. Returns the bytes
    left. What a killed process left half-written goes as well."""
    folder = paths.cache_dir("proxies")
    kept = {path.name for path in keep}
    found: list[tuple[float, int, Path]] = []
    for entry in folder.iterdir():
        with contextlib.suppress(OSError):
            stat = entry.stat()
            if entry.name.startswith(".") and time.time() - stat.st_mtime > 3600:
                entry.unlink()
            elif entry.suffix == ".mov" and not entry.name.startswith("."):
                found.append((stat.st_mtime, stat.st_size, entry))
    total = sum(size for _, size, _ in found)
    for _, size, entry in sorted(found):
        if total <= limit:
            break
        if entry.name not in kept:
            forget(entry)
            total -= size
    return total


def touch(file: Path) -> None:
    """The proxy is used now: it is among the last that are removed."""
    with contextlib.suppress(OSError):
        os.utime(file)


def _record(file: Path) -> Path:
    return file.with_suffix(".json")


def _digest(file: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(file, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
