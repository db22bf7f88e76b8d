"""Writing short films for sharing: animated GIF and WebP, which every browser and chat shows without a player.

A GIF has 256 colours. They are chosen from all frames together (FFmpeg's ``palettegen``), so that nothing flickers, and
the rest is made of them by error diffusion (``paletteuse``). The frames wait in a lossless file beside the target until
the last one is known.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.error import BlockingIOError, EOFError
from av.video.format import VideoFormat
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent
from gen2studio.media.all_or_nothing import AllOrNothing, check_written
from gen2studio.media.encoder import check_folder, part_path, writing
from gen2studio.media.encoder_presets import ExportPreset

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.filter import Graph


class AnimationWriter(AllOrNothing):
    """An animated GIF or WebP that loops for ever.

    A part file takes the target's name at the end, or nothing is left.
    """

    def __init__(self, path: Path, preset: ExportPreset, extent: Extent, rate: Fraction) -> None:
        """``preset.container`` is ``gif`` or ``webp``. Raises ExportError when the folder can't be written to."""
        self.path = path
        self.notes: list[str] = []
        self._preset = preset
        self._extent = extent
        self._rate = rate
        self._palette = preset.container == "gif"
        self._part = part_path(path)
        self._store = self._part.with_suffix(".frames.mkv")
        self._count = self._muxed = 0
        self._container: OutputContainer | None = None
        check_folder(path.parent)
        with writing(path):
            if self._palette:
                self._container, self._stream = _opened(self._store, "matroska", "ffv1", "bgr0", extent, rate, {})
                self._chooser = _chain(extent, rate, "bgr0", [("palettegen", "stats_mode=full:reserve_transparent=0")])
            else:
                self._container, self._stream = _opened(
                    self._part, "webp", preset.codec, preset.pixel_format, extent, rate, dict(preset.options), loop=True
                )

    @property
    def frames_muxed(self) -> int:
        return self._muxed

    @property
    def part(self) -> Path:
        """Where the file is until :meth:`commit`."""
        return self._part

    @property
    def audio_wanted(self) -> bool:
        return False

    def accepts(self, frame: VideoFrame) -> bool:
        return False

    def write_frame(self, frame: VideoFrame) -> None:
        raise ExportError("An animation takes pictures, not video frames.")

    def write_audio(self, samples: NDArray[np.float32]) -> None:
        """Sound is not part of an animated picture."""

    def write(self, picture: NDArray[Any]) -> None:
        """Append a picture: (H, W, 3) RGB or (H, W, 4) RGBA uint8 of the writer's size. Raises ExportError."""
        height, width = picture.shape[:2]
        if (width, height) != (self._extent.width, self._extent.height):
            raise ExportError(f"A picture of {width}×{height} was given to an animation of {self._extent}.")
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture[..., :3]), format="rgb24")
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._count += 1
        assert self._container is not None
        with writing(self.path):
            if self._palette:
                kept = frame.reformat(format="bgr0")
                kept.pts, kept.time_base = frame.pts, frame.time_base
                self._container.mux(self._stream.encode(kept))
                self._chooser.vpush(kept)
            else:
                self._container.mux(self._stream.encode(frame.reformat(format=self._preset.pixel_format)))
                self._muxed += 1

    def finish(self, on_packet: Callable[[], None] | None = None) -> None:
        """Choose the palette, and write the file. Raises ExportError; then nothing is left."""
        try:
            with writing(self.path):
                check_written(self._count)
                self._close()
                if self._palette:
                    self._write_gif(on_packet)
        except BaseException:
            self.abort()
            raise

    def _write_gif(self, on_packet: Callable[[], None] | None) -> None:
        self._chooser.vpush(None)
        colours = self._chooser.vpull()
        dither = self._preset.options.get("dither", "sierra2_4a")
        graph = _painting(self._extent, self._rate, colours, dither)
        options = {key: value for key, value in self._preset.options.items() if key != "dither"}
        self._container, self._stream = _opened(
            self._part, "gif", "gif", "pal8", self._extent, self._rate, options, loop=True
        )
        with av.open(str(self._store)) as kept:
            for number, frame in enumerate(kept.decode(video=0)):
                plain = frame.reformat(format="bgr0")
                plain.pts, plain.time_base = number, 1 / self._rate
                graph.vpush(plain)
                self._mux(graph, on_packet)
        graph.vpush(None)
        self._mux(graph, on_packet)
        self._close()

    def _mux(self, graph: _Painting, on_packet: Callable[[], None] | None) -> None:
        assert self._container is not None
        for painted in _ready(graph):
            painted.pts, painted.time_base = self._muxed, 1 / self._rate
            self._container.mux(self._stream.encode(painted))
            self._muxed += 1
            if on_packet is not None:
                on_packet()

    def _close(self) -> None:
        if self._container is not None:
            self._container.mux(self._stream.encode(None))
            self._container.close()
            self._container = None

    def commit(self) -> None:
        """Rename the finished part file over the target."""
        try:
            with writing(self.path):
                os.replace(self._part, self.path)
        finally:
            self.abort()

    def abort(self) -> None:
        """Stop and remove what was written. Safe to call at any time, also twice."""
        if self._container is not None:
            with contextlib.suppress(Exception):
                self._container.close()
            self._container = None
        for file in (self._part, self._store):
            with contextlib.suppress(OSError):
                file.unlink()


def _opened(
    path: Path, container: str, codec: str, layout: str, extent: Extent, rate: Fraction, options: dict[str, str],
    *, loop: bool = False,
) -> tuple[OutputContainer, VideoStream]:  # fmt: skip
    opened = av.open(str(path), "w", format=container, options={"loop": "0"} if loop else {})
    stream = opened.add_stream(codec, rate=rate, options=options)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = extent.width, extent.height, layout
    stream.time_base = 1 / rate
    return opened, stream


def _chain(extent: Extent, rate: Fraction, layout: str, filters: list[tuple[str, str]]) -> Graph:
    from av.filter import Graph

    graph = Graph()
    last = graph.add_buffer(width=extent.width, height=extent.height, format=VideoFormat(layout), time_base=1 / rate)
    for name, values in filters:
        following = graph.add(name, values)
        last.link_to(following)
        last = following
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph


def _painting(extent: Extent, rate: Fraction, colours: VideoFrame, dither: str) -> _Painting:
    """Frames in, frames of palette indices out."""
    from av.filter import Graph

    graph = Graph()
    layout = VideoFormat("bgr0")
    pictures = graph.add_buffer(width=extent.width, height=extent.height, format=layout, time_base=1 / rate)
    palette = graph.add_buffer(width=colours.width, height=colours.height, format=colours.format, time_base=1 / rate)
    paint = graph.add("paletteuse", f"dither={dither}:diff_mode=rectangle")
    pictures.link_to(paint, 0, 0)
    palette.link_to(paint, 0, 1)
    paint.link_to(graph.add("buffersink"))
    graph.configure()
    colours.pts, colours.time_base = 0, 1 / rate
    palette.push(colours)
    palette.push(None)
    return _Painting(graph, pictures)


class _Painting:
    """A graph whose frames all go in at one of its two ends."""

    def __init__(self, graph: Graph, pictures: Any) -> None:
        self._graph = graph
        self._pictures = pictures

    def vpush(self, frame: VideoFrame | None) -> None:
        self._pictures.push(frame)

    def vpull(self) -> VideoFrame:
        return self._graph.vpull()


def _ready(graph: _Painting) -> Iterator[VideoFrame]:
    while True:
        try:
            yield graph.vpull()
        except (BlockingIOError, EOFError):
            return
