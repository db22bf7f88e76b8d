"""The one pass over a file that lists its frames: packets where they tell the truth, decoded frames where not."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.stream import VideoStream

from gen2studio.core.errors import MediaError
from gen2studio.media.abandon import Abandoned
from gen2studio.media.clock import FrameClock, empty_clock, measured_clock
from gen2studio.media.clock_keys import alpha_is_key, is_random_access
from gen2studio.media.probe_container import best_video, has_alpha_layer, in_words, no_picture, open_container

_SAMPLE = 48
"""Packets decoded to learn whether a field-coded stream has one packet a frame."""


def scan(path: Path, abandon: Callable[[], bool] | None = None) -> FrameClock:
    """List the frames of a container file; a file without video gives an empty clock.

    Raises MediaError, and Abandoned once ``abandon()`` is true.
    """
    with open_container(path) as container:
        stream = best_video(container)
        if stream is None:
            return empty_clock()
        if not stream.time_base:
            raise no_picture(path)
        try:
            listing = _Listing(container, stream, abandon)
        except FFmpegError as error:
            raise in_words(path, error) from error
        nominal = Fraction(stream.average_rate or stream.guessed_rate or 0)
        base = Fraction(stream.time_base)
        suspect = listing.suspect or (_may_be_fields(stream) and not _one_packet_a_frame(path))
    if not listing.packets:
        raise MediaError(f"“{path.name}” holds no pictures.", "Choose another file or export it again.")
    if suspect:
        return _scan_by_decoding(path, listing, base, nominal, abandon)
    keys = listing.keys or [min(listing.pts)]
    return measured_clock(
        np.array(listing.pts, np.int64),
        np.array(keys, np.int64),
        base,
        last_duration=listing.last_duration,
        key_lead=listing.key_lead,
        nominal_rate=nominal,
    )


class _Listing:
    """Timestamps of all packets of a stream."""

    def __init__(self, container: InputContainer, stream: VideoStream, abandon: Callable[[], bool] | None) -> None:
        self.pts: list[int] = []
        self.keys: list[int] = []
        self.packets = 0
        self.last_duration = 0
        self.key_lead = 0
        self.suspect = False
        last = -(2**62)
        codec = stream.codec_context.codec.name
        alpha = has_alpha_layer(stream)
        check_keys = codec in ("h264", "hevc")
        extradata = stream.codec_context.extradata or b""
        nominal_keys = 0
        claimed: list[tuple[int, bool]] = []
        for packet in packets_of(container, stream):
            if abandon is not None and abandon():
                raise Abandoned
            self.packets += 1
            pts = packet.pts if packet.pts is not None else packet.dts
            if packet.pts is None and codec in ("h264", "hevc", "mpeg2video", "mpeg1video", "vc1"):
                self.suspect = True
            if packet.is_corrupt or pts is None:
                self.suspect = True
            if pts is None:
                continue
            if packet.is_keyframe:
                nominal_keys += 1
                if packet.dts is not None:
                    self.key_lead = max(self.key_lead, pts - packet.dts)
                honest = True
                if check_keys and nominal_keys == self.packets:
                    # A track without a sync-sample table calls every sample a key: believe the bitstream instead.
                    honest = is_random_access(memoryview(packet), codec, extradata)
                elif alpha:
                    # The alpha layer is a stream of its own with its own key frames; both must start here.
                    honest = alpha_is_key(_alpha_of(packet), codec)
                claimed.append((pts, honest))
            if packet.is_discard:
                continue
            self.pts.append(pts)
            if pts > last:
                last, self.last_duration = pts, int(packet.duration or 0)
        trusted = [pts for pts, honest in claimed if honest]
        self.keys = trusted or [pts for pts, _ in claimed]
        if len(set(self.pts)) != len(self.pts) or not self.pts:
            self.suspect = True


def packets_of(container: InputContainer, stream: VideoStream):
    """The packets of ``stream`` up to the end of what can be read; a read error ends the file instead of raising."""
    try:
        for packet in container.demux(stream):
            if is_flush(packet):
                return
            yield packet
    except FFmpegError:
        return


def _alpha_of(packet: Packet) -> bytes:
    """The alpha layer's own frame in a WebM packet: a block addition after its 8-byte id; empty without one."""
    if not packet.has_sidedata("matroska_block_additional"):
        return b""
    return bytes(packet.get_sidedata("matroska_block_additional"))[8:]


def is_flush(packet: Packet) -> bool:
    """PyAV ends a demux with an empty packet without timestamps (AVI also has empty ones, but those have times)."""
    return packet.size == 0 and packet.dts is None and packet.pts is None


def _may_be_fields(stream: VideoStream) -> bool:
    return stream.codec_context.codec.name in ("h264", "hevc", "vc1") and stream.codec_context.field_order > 1


def _one_packet_a_frame(path: Path) -> bool:
    with open_container(path) as container:
        stream = best_video(container)
        if stream is None:
            return True
        packets = frames = 0
        try:
            for packet in packets_of(container, stream):
                packets += 1
                frames += len(stream.decode(packet))
                if packets == _SAMPLE:
                    break
            frames += len(stream.decode(None))
        except FFmpegError:
            return False
        return packets == frames


def _scan_by_decoding(
    path: Path, listing: _Listing, base: Fraction, nominal: Fraction, abandon: Callable[[], bool] | None
) -> FrameClock:
    pts: list[int] = []
    count = 0
    with open_container(path) as container:
        stream = best_video(container)
        if stream is None:
            raise no_picture(path)
        stream.thread_type = "AUTO"
        ended = False
        packets = packets_of(container, stream)
        while not ended:
            if abandon is not None and abandon():
                raise Abandoned
            packet = next(packets, None)
            ended = packet is None
            try:
                frames = stream.decode(packet)
            except FFmpegError:
                continue
            for frame in frames:
                count += 1
                if frame.pts is not None:
                    pts.append(frame.pts)
    if not count:
        raise no_picture(path)
    if len(set(pts)) != count:
        step = 1 / nominal if nominal else Fraction(1, 25)
        order = np.arange(count, dtype=np.int64)
        return measured_clock(
            order, order[:1], step, last_duration=1, nominal_rate=nominal, ordinal=True
        )  # fmt: skip
    shown = np.array(sorted(pts), np.int64)
    keys = [key for key in listing.keys if key <= shown[-1]] or [int(shown[0])]
    return measured_clock(
        shown,
        np.array(keys, np.int64),
        base,
        last_duration=0,
        key_lead=listing.key_lead,
        nominal_rate=nominal if len(shown) == listing.packets else Fraction(0),
    )
