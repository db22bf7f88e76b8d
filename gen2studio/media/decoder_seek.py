"""Frame-exact random access to the decoded frames of a video stream.

To reach frame n: decode on when it lies a little ahead or in the same group of pictures, else seek to the last key
frame at or before it and decode until its timestamp comes out. On the way, frames nobody refers to are skipped
(``skip_frame = NONREF``) for the codecs where that was measured to lose nothing; AV1 loses frames with it.
Containers whose seek lands late (MPEG-TS, broken indexes) are tried again from two seconds earlier, then from the
first byte. A frame that damage has made undecodable is replaced by its nearest good neighbour, with a warning.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from gen2studio.media.abandon import Abandoned
from gen2studio.media.clock import FrameClock
from gen2studio.media.clock_scan import is_flush
from gen2studio.media.probe_container import best_video, has_alpha_layer, no_picture, open_container

_SKIPS_SAFELY = frozenset({"h264", "hevc", "mpeg2video", "mpeg4"})
_NEAR = 8
"""Frames ahead that are cheaper to decode through than to seek for, even across a key frame."""
_STALL = 64
"""Packets decoded past a target before its frame counts as lost (beyond any reorder and thread delay)."""


class FrameSeeker:
    """Decodes single frames of one file by index. One thread at a time."""

    def __init__(self, path: Path, clock: FrameClock, *, slices_only: bool = False) -> None:
        """``slices_only`` turns frame threading off: less delay after a seek for intra codecs and key previews."""
        self.clock = clock
        self.warnings: list[str] = []
        self._path = path
        self._slices = slices_only or clock.all_intra
        self._opened = False
        self._sound = True
        self._damaged = False
        self._open()

    def close(self) -> None:
        """Free the decoder and the file. Safe to call twice."""
        if self._opened:
            self._opened = False
            self._packets = iter(())
            self._ready.clear()
            self._last = None
            self._container.close()

    def frame(
        self,
        index: int,
        abandon: Callable[[], bool] | None = None,
        visit: Callable[[int, VideoFrame], None] | None = None,
    ) -> VideoFrame:
        """The decoded frame ``index``, exact. Raises Abandoned when ``abandon()`` turns true, MediaError.

        ``visit`` gets every frame on the way (which turns skipping off): for filling a cache backwards.
        """
        target = int(self.clock.pts[self.clock.clamp(index)])
        if self._last is not None and self._position == target:
            return self._last
        if not self._can_decode_on(target):
            self._seek(self.clock.key_before(target))
        best: VideoFrame | None = None
        for attempt in range(3):
            frame, first = self._decode_to(target, abandon, visit)
            if self._damaged:
                self._damaged = False
                self._reopen()
                self._seek(self.clock.key_before(target))
                frame, first = self._decode_to(target, abandon, visit)
            if frame is not None and self._stamp(frame) == target:
                return frame
            best = _nearer(best, frame, target)
            started_late = first is None or first > target
            if attempt and not started_late:
                break  # The decoder ran through the place: the frame itself is damaged.
            if attempt == 0:
                self._seek(self.clock.key_before(target - self._ticks(Fraction(2))))
            else:
                self._reopen()
        if best is None:
            raise no_picture(self._path)
        self._warn(index)
        # The decoder may be anywhere now; the substitute is this frame's picture from here on.
        return best

    def key_frame(self, index: int) -> VideoFrame | None:
        """The key picture at or before frame ``index``, drained at once instead of waiting for the reorder delay.

        The decoder gets the one key packet and a flush, so this costs one intra picture. None where the packet
        alone yields nothing. The next :meth:`frame` seeks afresh.
        """
        key = self.clock.key_before(int(self.clock.pts[self.clock.clamp(index)]))
        self._seek(key)
        self._position = None
        self._codec.skip_frame = "DEFAULT"
        for _ in range(_STALL):
            packet = self._next_packet()
            if packet is None:
                return None
            if not packet.is_keyframe:
                continue
            frames = [*self._decode(packet), *self._decode(None)]
            self._must_seek = True
            if frames:
                return frames[0]
        return None

    def _open(self) -> None:
        container = open_container(self._path)
        stream = best_video(container)
        if stream is None:
            container.close()
            raise no_picture(self._path)
        self._container = container
        self._stream = stream
        self._opened = True
        codec = stream.codec_context
        if has_alpha_layer(stream):
            # FFmpeg's own VP8/VP9 decoders drop the alpha layer without a word; libvpx keeps it.
            own = CodecContext.create("libvpx-vp9" if codec.codec.name == "vp9" else "libvpx", "r")
            assert isinstance(own, VideoCodecContext)
            codec = own
        codec.thread_type = "SLICE" if self._slices or not self._sound else "AUTO"
        codec.thread_count = min(8, os.cpu_count() or 1)
        self._codec = codec
        self._own_codec = codec is not stream.codec_context
        # Dropping one field of a pair would break the other: field-coded streams are decoded whole.
        fields = codec.field_order > 1
        self._skips = self._sound and not fields and codec.codec.name in _SKIPS_SAFELY
        # MPEG streams are searched by decoding time and by packet, not by key frame; a program stream may give the
        # first packets after a jump the times of their neighbours, so there the search begins a second earlier.
        lead = {"mpegts": 0, "mpeg": self._ticks(Fraction(1))}.get(container.format.name)
        self._seek_lead = 0 if lead is None else self.clock.key_lead + lead
        self._restart()

    def _restart(self) -> None:
        self._packets = self._container.demux(self._stream)
        self._ready: deque[VideoFrame] = deque()
        self._position: int | None = None
        self._last: VideoFrame | None = None
        self._ended = False
        self._must_seek = False
        self._await_key = False
        self._counted = 0

    def _reopen(self) -> None:
        self.close()
        self._open()

    def _seek(self, pts: int) -> None:
        if self.clock.ordinal:
            self._reopen()
            return
        try:
            self._container.seek(pts - self._seek_lead, stream=self._stream, backward=True)
        except FFmpegError:
            self._reopen()
            return
        if self._own_codec:
            self._codec.flush_buffers()
        self._restart()
        self._await_key = True

    def _can_decode_on(self, target: int) -> bool:
        if self._position is None:
            # Freshly opened: position unknown, but nothing has been read yet.
            return not self._must_seek and not self._ended and target == int(self.clock.pts[0]) and not self._counted
        if self._must_seek or (self._ended and not self._ready) or target <= self._position:
            return False
        if self.clock.ordinal or self.clock.key_before(target) <= self._position:
            return True
        here = self.clock.index_of_pts(self._position)
        there = self.clock.index_of_pts(target)
        return here is not None and there is not None and there - here <= _NEAR

    def _decode_to(
        self, target: int, abandon: Callable[[], bool] | None, visit: Callable[[int, VideoFrame], None] | None
    ) -> tuple[VideoFrame | None, int | None]:
        """Decode up to ``target``: the frame there or nearest to it, and the first timestamp that came out."""
        first: int | None = None
        best: VideoFrame | None = None
        late = 0
        while True:
            while self._ready:
                frame = self._ready.popleft()
                stamp = self._stamp(frame)
                if stamp is None:
                    continue
                self._position, self._last = stamp, frame
                if first is None:
                    first = stamp
                if visit is not None:
                    index = self.clock.index_of_pts(stamp)
                    if index is not None:
                        visit(index, frame)
                if stamp >= target:
                    return (frame if stamp == target else _nearer(best, frame, target)), first
                best = frame
            if self._ended or late > _STALL:
                return best, first
            if abandon is not None and abandon():
                raise Abandoned
            packet = self._next_packet()
            if packet is None:
                self._ended = True
                self._ready.extend(self._decode(None))
                continue
            if self._await_key:
                if not self._is_listed_key(packet):
                    continue
                self._await_key = False
            if self._skips:
                before = visit is None and packet.pts is not None and packet.pts < target
                self._codec.skip_frame = "NONREF" if before and not self.clock.ordinal else "DEFAULT"
            if packet.pts is not None and packet.pts > target and not self.clock.ordinal:
                late += 1
            self._ready.extend(self._decode(packet))

    def _stamp(self, frame: VideoFrame) -> int | None:
        if not self.clock.ordinal:
            return frame.pts
        if not isinstance(frame.opaque, int):
            frame.opaque = self._counted
            self._counted += 1
        return frame.opaque

    def _next_packet(self) -> Packet | None:
        try:
            packet = next(self._packets, None)
        except FFmpegError:
            return None
        return None if packet is None or is_flush(packet) else packet

    def _decode(self, packet: Packet | None) -> list[VideoFrame]:
        try:
            return self._codec.decode(packet)
        except FFmpegError:
            # A damaged packet: go on, the frames around it may be whole. What error concealment makes of the rest of
            # the group depends on every frame before, and frame threads report an error with a later packet (which is
            # lost with it): from now on nothing is skipped and there are no frame threads.
            self._damaged = self._sound
            self._sound = False
            return []

    def _is_listed_key(self, packet: Packet) -> bool:
        """Whether decoding can start here: a key frame, at a time at which the clock knows one."""
        stamp = packet.pts if packet.pts is not None else packet.dts
        if stamp is None or not packet.is_keyframe:
            return False
        found = int(np.searchsorted(self.clock.keys, stamp))
        return found < len(self.clock.keys) and int(self.clock.keys[found]) == stamp

    def _ticks(self, seconds: Fraction) -> int:
        return round(seconds / self.clock.time_base)

    def _warn(self, index: int) -> None:
        text = f"Frame {index} of “{self._path.name}” is damaged; the nearest good frame is shown."
        if text not in self.warnings:
            self.warnings.append(text)


def _nearer(one: VideoFrame | None, other: VideoFrame | None, target: int) -> VideoFrame | None:
    if one is None or other is None or one.pts is None or other.pts is None:
        return one or other
    return other if abs(other.pts - target) < abs(one.pts - target) else one
