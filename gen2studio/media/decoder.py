"""Frame-exact pictures of video files, stills and image sequences behind one interface."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.media import stills
from gen2studio.media.clock import FrameClock, clock_of
from gen2studio.media.decoder_colour import Picture, PlanarPicture, settle_tags
from gen2studio.media.decoder_deinterlace import Deinterlacer
from gen2studio.media.decoder_seek import Abandoned, FrameSeeker
from gen2studio.media.probe import probe
from gen2studio.media.probe_container import orientation_of

__all__ = ["Abandoned", "Decoder", "Picture", "VideoDecoder", "open_decoder"]


class Decoder(Protocol):
    """One open file. Not thread-safe: one thread at a time. Indices outside the file are clamped.

    Pictures are upright, have square pixels and the display size (or ``size``), are deinterlaced, in sRGB-like
    BT.709 display code values, C-contiguous and owned by the caller. All methods raise MediaError.
    """

    info: MediaInfo
    clock: FrameClock

    @property
    def warnings(self) -> list[str]:
        """Damage met so far, in plain sentences (a picture that had to be replaced by its nearest good neighbour)."""
        ...

    def picture(self, index: int) -> Picture:
        """The frame in its compact form: convert it later, on any thread, to any size."""
        ...

    def rgb(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 3) uint8. Transparent files are shown over black."""
        ...

    def rgba(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 4) uint8, straight alpha (255 where the file has none)."""
        ...

    def bgra(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """(H, W, 4) uint8, premultiplied alpha: what QImage Format_ARGB32_Premultiplied takes as it is."""
        ...

    def close(self) -> None: ...


def open_decoder(path: Path | str, info: MediaInfo | None = None, abandon: Callable[[], bool] | None = None) -> Decoder:
    """Open a video, a still, a numbered sequence (folder, first file with a SEQUENCE info, or ``name_%06d.png``).

    A file seen for the first time is read through for its frame index; that raises Abandoned once ``abandon()`` is
    true. Raises MediaError: one sentence and what to do.
    """
    path = Path(path)
    run = stills.find_run(path, as_sequence=info is not None and info.kind is MediaKind.SEQUENCE)
    if run is not None:
        return stills.SequenceDecoder(path, run, info)
    if stills.is_still(path):
        return stills.StillDecoder(path, info)
    if info is None:
        info = probe(path, abandon=abandon)
    if info.kind is MediaKind.AUDIO:
        raise MediaError(f"“{path.name}” holds sound but no pictures.", "Put it on an audio track.")
    return VideoDecoder(path, info, abandon)


class VideoDecoder:
    """A video file. Implements :class:`Decoder`; the frame server also uses the methods it alone has."""

    def __init__(self, path: Path, info: MediaInfo, abandon: Callable[[], bool] | None = None) -> None:
        self.info = info
        self.clock: FrameClock = clock_of(path, info, abandon)
        self._seeker = FrameSeeker(path, self.clock)
        self._orientation: int | None = None
        self._abandon: Callable[[], bool] | None = None
        self._deinterlacer = Deinterlacer(self._raw, self.clock.frame_count) if info.interlaced else None

    @property
    def warnings(self) -> list[str]:
        return self._seeker.warnings

    def picture(
        self,
        index: int,
        abandon: Callable[[], bool] | None = None,
        visit: Callable[[int, Picture], None] | None = None,
    ) -> Picture:
        """The frame in its compact form. Raises :class:`Abandoned` once ``abandon()`` is true between two packets.

        ``visit`` is given every frame decoded on the way, for filling a cache (not for interlaced files).
        """
        index = self.clock.clamp(index)
        if self._deinterlacer is not None:
            self._abandon = abandon
            return self._wrapped(self._deinterlacer.frame(index))

        def passing(number: int, frame: VideoFrame) -> None:
            settle_tags(frame)
            if visit is not None:
                visit(number, self._wrapped(frame))

        frame = self._seeker.frame(index, abandon, passing if visit is not None else None)
        settle_tags(frame)
        return self._wrapped(frame)

    def key_picture(self, index: int) -> Picture | None:
        """The picture of the key frame at or before ``index``, many times faster than the exact one."""
        frame = self._seeker.key_frame(index)
        if frame is None:
            return None
        settle_tags(frame)
        return self._wrapped(frame)

    def rgb(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).rgb(size)

    def rgba(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).rgba(size)

    def bgra(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).bgra(size)

    def close(self) -> None:
        self._seeker.close()

    def _raw(self, index: int) -> VideoFrame:
        frame = self._seeker.frame(index, self._abandon)
        settle_tags(frame)
        return frame

    def _wrapped(self, frame: VideoFrame) -> PlanarPicture:
        if self._orientation is None:
            self._orientation = orientation_of(frame)
        alpha = self.info.has_alpha and any(part.is_alpha for part in frame.format.components)
        return PlanarPicture(frame, self.info.extent, self._orientation, alpha)
