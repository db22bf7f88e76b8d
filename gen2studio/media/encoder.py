"""Writing video files with PyAV: pictures in, a finished, tagged file out, or nothing at all.

The file is written under a part name beside its target and renamed when complete. Colour is tagged BT.709 video levels
on the codec context *and* on every frame: ProRes otherwise writes "unknown".
"""

from __future__ import annotations

import contextlib
import errno
import os
from bisect import bisect_right
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent
from gen2studio.media.all_or_nothing import AllOrNothing, check_written
from gen2studio.media.encoder_captions import CaptionTrack, TimedCaption
from gen2studio.media.encoder_presets import ExportPreset

_BT709 = 1
_VIDEO_LEVELS = 1
_RESAMPLING = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioCopy:
    """Sound to pass through without decoding: the packets of ``path`` from its start until ``stop`` seconds."""

    path: Path
    stop: Fraction


class PictureWriter(Protocol):
    """What an export writes to: a video file or a folder of pictures."""

    notes: list[str]
    """Sentences about anything done differently from what was asked (a padded edge, sound left out)."""

    @property
    def frames_muxed(self) -> int:
        """Frames that reached the file: encoders hold some back."""
        ...

    @property
    def part(self) -> Path:
        """Where the result is until :meth:`commit`."""
        ...

    @property
    def audio_wanted(self) -> bool:
        """True when :meth:`write_audio` expects samples."""
        ...

    def write(self, picture: NDArray[Any]) -> None: ...
    def accepts(self, frame: VideoFrame) -> bool: ...
    def write_frame(self, frame: VideoFrame) -> None: ...
    def write_audio(self, samples: NDArray[np.float32]) -> None: ...
    def finish(self, on_packet: Callable[[], None] | None = None) -> None: ...
    def commit(self) -> None: ...
    def abort(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def export_error(error: BaseException, path: Path) -> ExportError:
    """One clear sentence for whatever went wrong while writing ``path``."""
    code = getattr(error, "errno", None)
    if code in (errno.ENOSPC, errno.EDQUOT):
        return ExportError(
            f"The disk with “{path.parent}” is full; nothing was kept.", "Free some space and try again."
        )
    if code == errno.EFBIG:
        return ExportError(
            f"“{path.name}” grew beyond what this disk allows.", "Choose another disk or a shorter range."
        )
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ExportError(f"“{path.parent}” can't be written to.", "Choose another folder or change its permissions.")
    if code in (errno.ENOENT, errno.ENOTDIR):
        return ExportError(f"The folder “{path.parent}” is not there.", "Create it or choose another one.")
    text = str(error).strip().splitlines()
    return ExportError(
        f"“{path.name}” could not be written: {text[0] if text else type(error).__name__}.",
        "Try another preset or folder.",
    )


@contextlib.contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn system and FFmpeg errors raised while writing ``path`` into an :class:`ExportError`."""
    try:
        yield
    except (OSError, ValueError, FFmpegError) as error:
        raise export_error(error, path) from error


def check_folder(folder: Path) -> None:
    """Raise ExportError unless ``folder`` exists (or can be made) and can be written to."""
    with writing(folder / "export"):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "not writable", str(folder))


def chroma_step(pixel_format: str) -> tuple[int, int]:
    """Multiples (across, down) a picture's sides need for ``pixel_format``: (2, 2) for 4:2:0, (2, 1) for 4:2:2."""
    if "420" in pixel_format or pixel_format == "nv12":
        return 2, 2
    if "422" in pixel_format:
        return 2, 1
    return 1, 1


def part_path(path: Path) -> Path:
    """The hidden name beside ``path`` that is written to."""
    return path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")


class Encoder(AllOrNothing):
    """Encodes pictures, and optionally sound, into one video file.

    Use as a context manager: leaving it normally finishes the file, leaving it by an exception removes every trace.
    Not thread-safe; one thread owns it.
    """

    def __init__(
        self,
        path: Path,
        preset: ExportPreset,
        extent: Extent,
        rate: Fraction,
        *,
        sample_rate: int = 0,
        audio_copy: AudioCopy | None = None,
        metadata: Mapping[str, str] | None = None,
        threads: int = 0,
        times: tuple[Fraction, Sequence[int]] | None = None,
        captions: tuple[TimedCaption, ...] = (),
    ) -> None:
        """Open the part file. ``sample_rate`` 0 and no ``audio_copy`` = no sound. Raises ExportError.

        ``captions`` become a track of their own where the preset has one.

        ``times`` is (seconds a tick, when each frame begins in ticks from 0 on) for pictures of a variable rate; None =
        frame n begins at n / ``rate``.
        """
        self.path = path
        self.preset = preset
        self.rate = rate
        self._times = times
        self.notes: list[str] = []
        across, down = (1, 1) if preset.odd_sizes else chroma_step(preset.pixel_format)
        self._pad = (-extent.width % across, -extent.height % down)
        self.extent = Extent(extent.width + self._pad[0], extent.height + self._pad[1])
        if any(self._pad):
            self.notes.append(
                f"{preset.title} needs even sides: the last row or column is repeated, {extent} became {self.extent}."
            )
        self._frames_in = 0
        self._frames_muxed = 0
        self._samples_in = 0
        self._reformatter = VideoReformatter()
        self._part = part_path(path)
        self._audio: AudioStream | None = None
        self._copy: _CopiedAudio | None = None
        self._captions: CaptionTrack | None = None
        self._metadata = dict(metadata or {})
        self._open = True
        self._container: OutputContainer | None = None
        check_folder(path.parent)
        try:
            with writing(path):
                self._begin(sample_rate, audio_copy, threads, captions)
        except BaseException:
            self.abort()
            raise

    def _begin(
        self, sample_rate: int, audio_copy: AudioCopy | None, threads: int, captions: tuple[TimedCaption, ...]
    ) -> None:
        preset = self.preset
        boxes = {"movflags": "+faststart+use_metadata_tags"} if preset.container in ("mp4", "mov") else {}
        self._container = av.open(str(self._part), "w", format=preset.container, options=boxes)
        stream = self._container.add_stream(preset.codec, rate=self.rate, options=dict(preset.options))
        assert isinstance(stream, VideoStream)
        context = stream.codec_context
        context.width, context.height = self.extent.width, self.extent.height
        context.pix_fmt = preset.pixel_format
        context.time_base = self._times[0] if self._times else 1 / self.rate
        context.framerate = self.rate
        context.thread_count = threads
        context.thread_type = "AUTO"
        context.color_range = _VIDEO_LEVELS
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.sample_aspect_ratio = Fraction(1)
        if preset.tag:
            context.codec_tag = preset.tag
        self._video: VideoStream = stream
        if audio_copy is not None:
            self._copy = _CopiedAudio(audio_copy, self._container)
        elif sample_rate and preset.audio:
            audio = self._container.add_stream(preset.audio, rate=sample_rate, layout="stereo")
            assert isinstance(audio, AudioStream)
            if preset.audio_bit_rate:
                audio.bit_rate = preset.audio_bit_rate
            self._audio = audio
        elif sample_rate:
            self.notes.append(f"{preset.title} carries no sound.")
        if captions and preset.subtitles:
            self._captions = CaptionTrack(self._container, preset.subtitles, captions)
        elif captions:
            self.notes.append(f"{preset.title} carries no captions.")
        self._container.metadata.update(self._metadata)

    # -- writing ---------------------------------------------------------------------------------------------------

    @property
    def frames_muxed(self) -> int:
        return self._frames_muxed

    @property
    def _written(self) -> Fraction:
        """Seconds of picture that were written."""
        if self._times is None:
            return self._frames_in / self.rate
        return self._times[1][self._frames_in - 1] * self._times[0] + 1 / self.rate

    @property
    def audio_wanted(self) -> bool:
        return self._audio is not None

    @property
    def audio_copied(self) -> bool:
        return self._copy is not None

    def write(self, picture: NDArray[Any]) -> None:
        """Append a picture: (H, W, 3) RGB or (H, W, 4) straight-alpha RGBA, uint8 or uint16, sRGB/BT.709 as displayed.

        Raises ExportError when the size differs from the encoder's or the disk refuses.
        """
        height, width = picture.shape[:2]
        if (width + self._pad[0], height + self._pad[1]) != (self.extent.width, self.extent.height):
            raise ExportError(f"A picture of {width}×{height} was given to an export of {self.extent}.")
        if self.preset.alpha and picture.shape[2] == 3:
            picture = np.dstack([picture, np.full(picture.shape[:2], np.iinfo(picture.dtype).max, picture.dtype)])
        elif not self.preset.alpha and picture.shape[2] == 4:
            picture = picture[..., :3]
        if any(self._pad):
            picture = np.pad(picture, ((0, self._pad[1]), (0, self._pad[0]), (0, 0)), mode="edge")
        deep = picture.dtype == np.uint16
        layout = ("rgba64le" if deep else "rgba") if picture.shape[2] == 4 else ("rgb48le" if deep else "rgb24")
        rgb = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format=layout)
        frame = self._reformatter.reformat(
            rgb,
            format=self.preset.pixel_format,
            src_colorspace=Colorspace.ITU709,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            interpolation=_RESAMPLING,
        )
        self._encode(frame)

    def accepts(self, frame: VideoFrame) -> bool:
        """True when ``frame`` can be written as it is, without a trip through RGB: same format, size and colour."""
        return (
            frame.format.name == self.preset.pixel_format
            and (frame.width, frame.height) == (self.extent.width, self.extent.height)
            and not any(self._pad)
            and frame.color_range in (_VIDEO_LEVELS, 0)
            and (frame.colorspace == _BT709 or (frame.colorspace == 2 and frame.height >= 720))
            and frame.color_trc in (_BT709, 2)
            and not frame.interlaced_frame
        )

    def write_frame(self, frame: VideoFrame) -> None:
        """Append a decoded frame that :meth:`accepts` approved of, bit for bit: no conversion touches it."""
        if not self.accepts(frame):
            raise ExportError("A frame of another format can't be passed through.")
        # The decoder may show the frame again: it gets its own tags and time back.
        kept = (frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc)
        pts, time_base = frame.pts, frame.time_base
        try:
            self._encode(frame)
        finally:
            frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = kept
            frame.pts = pts
            # Frames straight from a decoder may have no time base, and it can't be unset.
            if time_base:
                frame.time_base = time_base

    def write_planes(self, frame: VideoFrame) -> None:
        """Append a frame of the preset's own pixel format and size, BT.709 at video levels. It is used up.

        Raises ExportError.
        """
        given = (frame.format.name, frame.width, frame.height)
        if given != (self.preset.pixel_format, self.extent.width, self.extent.height):
            raise ExportError(f"A frame of {given[1]}×{given[2]} {given[0]} was given to an export of {self.extent}.")
        self._encode(frame)

    def _encode(self, frame: VideoFrame) -> None:
        frame.color_range = _VIDEO_LEVELS
        frame.colorspace = frame.color_primaries = frame.color_trc = _BT709
        frame.pict_type = PictureType.NONE
        frame.pts = self._times[1][self._frames_in] if self._times else self._frames_in
        frame.time_base = self._times[0] if self._times else 1 / self.rate
        self._frames_in += 1
        with writing(self.path):
            self._mux_video(self._video.encode(frame))
            if self._captions is not None:
                self._captions.pump(self._written)
            if self._copy is not None:
                self._copy.pump(self._written)

    def _mux_video(self, packets: Iterable[Packet]) -> None:
        assert self._container is not None
        for packet in packets:
            # The MP4 muxer stores no duration for the last packet unless it is told.
            if not packet.duration:
                packet.duration = self._ticks_of(packet.pts)
            self._container.mux(packet)
            self._frames_muxed += 1

    def _ticks_of(self, pts: int | None) -> int:
        """How long the frame that begins at ``pts`` lasts, in ticks of the encoder."""
        if self._times is None or pts is None:
            return 1
        tick, starts = self._times
        after = bisect_right(starts, pts)
        return starts[after] - pts if after < len(starts) else max(1, round(1 / self.rate / tick))

    def write_audio(self, samples: NDArray[np.float32]) -> None:
        """Append (n, 2) float32 samples, −1…1, at the encoder's sample rate."""
        if self._audio is None or not len(samples):
            return
        planar = np.ascontiguousarray(np.clip(samples, -1.0, 1.0).T)
        frame = AudioFrame.from_ndarray(planar, format="fltp", layout="stereo")
        frame.sample_rate = self._audio.codec_context.sample_rate
        frame.pts = self._samples_in
        frame.time_base = Fraction(1, frame.sample_rate)
        self._samples_in += len(samples)
        assert self._container is not None
        with writing(self.path):
            self._container.mux(self._audio.encode(frame))

    # -- ending ----------------------------------------------------------------------------------------------------

    def finish(self, on_packet: Callable[[], None] | None = None) -> None:
        """Flush what the encoder holds back and write the index. Raises ExportError; then nothing is left.

        ``on_packet`` is called as each held-back frame arrives; what it raises (a cancel) ends the export.
        """
        if not self._open:
            return
        try:
            with writing(self.path):
                assert self._container is not None
                check_written(self._frames_in)
                for packet in self._video.codec_context.encode_lazy(None):
                    packet.stream = self._video
                    self._mux_video((packet,))
                    if on_packet is not None:
                        on_packet()
                if self._audio is not None:
                    self._container.mux(self._audio.encode(None))
                if self._copy is not None:
                    self._copy.pump(self._written)
                    self._copy.close()
                self._container.close()
                self._container = None
        except BaseException:
            self.abort()
            raise
        self._open = False

    def commit(self) -> None:
        """Rename the finished part file over the target."""
        try:
            with writing(self.path):
                os.replace(self._part, self.path)
        except BaseException:
            self.abort()
            raise

    @property
    def part(self) -> Path:
        """Where the file is until :meth:`commit`."""
        return self._part

    def abort(self) -> None:
        """Stop and remove the part file. Safe to call at any time, also twice."""
        self._open = False
        if self._copy is not None:
            self._copy.close()
        if self._container is not None:
            with contextlib.suppress(Exception):
                self._container.close()
            self._container = None
        # x264's look-ahead may not have produced a byte yet: there is not always a file.
        with contextlib.suppress(OSError):
            self._part.unlink()


class _CopiedAudio:
    """Packets of another file's sound, muxed in step with the picture."""

    def __init__(self, source: AudioCopy, target: OutputContainer) -> None:
        self._stop = source.stop
        self._target = target
        self._input: InputContainer | None = av.open(str(source.path))
        stream = self._input.streams.best("audio")
        assert isinstance(stream, AudioStream)
        video = self._input.streams.best("video")
        # Media time 0 is the first picture: the sound keeps its distance to it.
        start = video.start_time * video.time_base if video and video.start_time and video.time_base else Fraction(0)
        assert stream.time_base is not None
        self._offset = round(start / stream.time_base)
        self._time_base = stream.time_base
        self._stream = target.add_stream_from_template(stream)
        self._packets = self._input.demux(stream)
        self._next: Packet | None = None

    def pump(self, until: Fraction) -> None:
        """Mux every packet that starts before ``until`` seconds (and before the stop)."""
        limit = min(until, self._stop)
        while self._input is not None:
            packet = self._next or next(self._packets, None)
            self._next = None
            if packet is None or packet.dts is None:
                return
            if (packet.dts - self._offset) * self._time_base >= limit:
                self._next = packet
                return
            packet.dts -= self._offset
            if packet.pts is not None:
                packet.pts -= self._offset
            packet.stream = self._stream
            self._target.mux(packet)

    def close(self) -> None:
        if self._input is not None:
            self._input.close()
            self._input = None
