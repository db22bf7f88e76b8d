"""Deinterlacing with bwdif, one output frame per input frame, independent of how a frame was reached.

bwdif looks at the frame before and after. Each picture is therefore made from exactly {n-1, n, n+1} (the edge frame
repeated at both ends of a file), so a frame reached at random equals the same frame reached in order.
"""

from __future__ import annotations

from collections.abc import Callable

from av.filter.graph import Graph
from av.video.frame import VideoFrame


class Deinterlacer:
    """Turns raw frames of one interlaced stream into progressive ones."""

    def __init__(self, raw: Callable[[int], VideoFrame], frame_count: int) -> None:
        """``raw(index)`` gives the decoded frame; it is asked in rising order of index."""
        self._raw = raw
        self._count = frame_count
        self._recent: dict[int, VideoFrame] = {}

    def frame(self, index: int) -> VideoFrame:
        """The deinterlaced frame ``index``; progressive frames of mixed material pass unchanged."""
        wanted = [max(0, index - 1), index, min(self._count - 1, index + 1)]
        frames = {n: self._recent[n] if n in self._recent else self._raw(n) for n in sorted(set(wanted))}
        self._recent = frames
        current = frames[index]
        if not current.interlaced_frame:
            return current
        graph = _graph(current)
        for position, n in enumerate(wanted):
            source = frames[n]
            stamp = source.pts
            source.pts = position
            graph.vpush(source)
            source.pts = stamp
        graph.vpush(None)
        graph.vpull()
        out = graph.vpull()
        out.pts = current.pts
        return out


def _graph(frame: VideoFrame) -> Graph:
    graph = Graph()
    graph.threads = 1
    source = graph.add(
        "buffer",
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base=1/25:pixel_aspect=1/1"
        f":colorspace={frame.colorspace}:range={frame.color_range}",
    )
    weave = graph.add("bwdif", "mode=send_frame:parity=auto:deint=all")
    sink = graph.add("buffersink")
    source.link_to(weave)
    weave.link_to(sink)
    graph.configure()
    return graph
