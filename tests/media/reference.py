"""An independent reading of a file: plain FFmpeg decoding in order, none of our own seeking."""

from __future__ import annotations

import zlib
from pathlib import Path

import av
import numpy as np
from av.codec.context import CodecContext
from av.video.frame import VideoFrame

Fingerprint = tuple[int, ...]


def fingerprint(frame: VideoFrame) -> Fingerprint:
    """CRC of the visible bytes of every plane."""
    sums: list[int] = []
    for number, plane in enumerate(frame.planes):
        rows = np.frombuffer(plane, np.uint8)[: plane.line_size * plane.height].reshape(plane.height, plane.line_size)
        component = next(c for c in frame.format.components if c.plane == number)
        packed = len({c.plane for c in frame.format.components}) == 1 and len(frame.format.components) > 1
        bits = frame.format.padded_bits_per_pixel if packed else 16 if component.bits > 8 else 8
        sums.append(zlib.crc32(np.ascontiguousarray(rows[:, : plane.width * bits // 8])))
    return tuple(sums)


def frames_in_order(path: Path, count: int) -> dict[int, Fingerprint]:
    """Fingerprints of the first ``count`` shown frames by timestamp."""
    shown: dict[int, Fingerprint] = {}
    with av.open(f"file:{path}") as container:
        stream = container.streams.best("video")
        alpha = stream.metadata.get("alpha_mode") == "1"
        codec = stream.codec_context
        if alpha:
            codec = CodecContext.create("libvpx-vp9" if codec.codec.name == "vp9" else "libvpx", "r")
        codec.thread_type = "AUTO"
        for packet in container.demux(stream):
            flush = packet.size == 0 and packet.dts is None
            for frame in codec.decode(None if flush else packet):
                shown[frame.pts] = fingerprint(frame)
                if len(shown) == count:
                    return shown
            if flush:
                break
    return shown
