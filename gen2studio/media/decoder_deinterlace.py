"""Deinterlacing with bwdif, one output frame per input frame, independent of how a frame was reached.

bwdif looks at the frame before and after. Each picture is therefore made from exactly {n-1, n, n+1} (the edge frame
repeated at both ends of a file), so a frame reached at random equals the same frame reached in order. Going forward,
the filter keeps the two frames it has seen and needs one more.
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
        self._graph: Graph | None = None
        self._next = -1
        """The frame that the graph gives after one more push."""
        self._pushed = 0

    def frame(self, index: int) -> VideoFrame:
        """The deinterlaced frame ``index``; progressive frames of mixed material pass unchanged."""
        wanted = [max(0, index - 1), index, min(self._count - 1, index + 1)]
        frames = {n: self._recent[n] if n in self._recent else self._raw(n) for n in sorted(set(wanted))}
        self._recent = frames
        current = frames[index]
        if not current.interlaced_frame:
            return current
        if self._graph is None or self._next != index:
            self._graph, self._pushed = _graph(current), 0
            self._push(frames[wanted[0]])
            self._push(frames[wanted[1]])
            self._push(frames[wanted[2]])
            self._graph.vpull()  # The frame before, made without its own predecessor.
        else:
            self._push(frames[wanted[2]])
        self._next = index + 1
        out = self._graph.vpull()
        out.pts = current.pts
        return out

    def _push(self, frame: VideoFrame) -> None:
        assert self._graph is not None
        stamp = frame.pts
        frame.pts = self._pushed
        self._pushed += 1
        self._graph.vpush(frame)
        frame.pts = stamp


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
