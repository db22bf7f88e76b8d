"""What a file is: kind, display size, exact frames, colour, sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gen2studio.core.errors import MediaError
from gen2studio.core.media_info import AudioInfo, ColourTags, MediaInfo, MediaKind
from gen2studio.media import stills
from gen2studio.media.clock import clock_of
from gen2studio.media.clock_scan import packets_of
from gen2studio.media.probe_container import (
    CLOCKWISE,
    best_video,
    has_alpha_layer,
    in_words,
    no_picture,
    open_container,
    orientation_of,
)

_FIRST_PICTURE = 400
"""Packets tried until one decodes; a damaged start is survivable, a file without any picture is not."""


def probe(path: Path | str, *, as_sequence: bool = False, abandon: Callable[[], bool] | None = None) -> MediaInfo:
    """The facts of a file, exact frame count included (one demux pass, remembered in a sidecar).

    A folder, a ``name_%06d.png`` pattern, or (with ``as_sequence``) the first file of a numbered run is a SEQUENCE;
    a single image is a STILL of one frame. Raises MediaError: one sentence and what to do; Abandoned once
    ``abandon()`` is true.
    """
    path = Path(path)
    run = stills.find_run(path, as_sequence=as_sequence)
    if run is not None:
        return stills.run_info(run)
    if stills.is_still(path):
        return stills.still_info(path)
    with open_container(path) as container:
        audio = _audio_info(container)
        stream = best_video(container)
        if stream is None:
            if audio is None:
                raise MediaError(f"“{path.name}” holds neither pictures nor sound.", "Choose a video or audio file.")
            return MediaInfo(
                kind=MediaKind.AUDIO,
                container=_container_name(container),
                codec=audio.codec,
                exact=True,
                duration=audio.duration,
                audio=audio,
            )
        try:
            frame = _first_frame(container, stream)
        except FFmpegError as error:
            raise in_words(path, error) from error
        if frame is None:
            raise no_picture(path)
        info = _video_info(container, stream, frame, audio)
    clock = clock_of(path, None, abandon)
    return dataclasses.replace(
        info,
        rate=clock.rate,
        variable_rate=clock.variable_rate,
        frame_count=clock.frame_count,
        exact=True,
        duration=clock.duration,
    )


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    for tried, packet in enumerate(packets_of(container, stream)):
        try:
            frames = stream.decode(packet)
        except FFmpegError:
            frames = []
        if frames:
            return frames[0]
        if tried >= _FIRST_PICTURE:
            break
    try:
        frames = stream.decode(None)
    except FFmpegError:
        return None
    return frames[0] if frames else None


def _video_info(
    container: InputContainer, stream: VideoStream, frame: VideoFrame, audio: AudioInfo | None
) -> MediaInfo:
    orientation = orientation_of(frame)
    aspect = Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    if not Fraction(1, 10) <= aspect <= 10:
        aspect = Fraction(1)
    # Square pixels by widening or by heightening, never by throwing lines away.
    width = round(frame.width * aspect) if aspect > 1 else frame.width
    height = round(frame.height / aspect) if aspect < 1 else frame.height
    if orientation >= 5:
        width, height = height, width
    alpha_layer = has_alpha_layer(stream)
    return MediaInfo(
        kind=MediaKind.VIDEO,
        container=_container_name(container),
        codec=_codec_name(stream),
        pixel_format=frame.format.name,
        width=max(1, width),
        height=max(1, height),
        coded_width=frame.width,
        coded_height=frame.height,
        rotation=CLOCKWISE[orientation],
        pixel_aspect=aspect,
        bit_depth=max((part.bits for part in frame.format.components), default=8),
        has_alpha=alpha_layer or any(part.is_alpha for part in frame.format.components),
        interlaced=frame.interlaced_frame,
        colour=ColourTags(
            primaries=int(frame.color_primaries),
            transfer=int(frame.color_trc),
            matrix=int(frame.colorspace),
            full_range=int(frame.color_range) == 2 or frame.format.name.startswith("yuvj"),
        ),
        audio=audio,
    )


def _audio_info(container: InputContainer) -> AudioInfo | None:
    stream = container.streams.best("audio")
    if not isinstance(stream, AudioStream) or not stream.rate:
        return None
    duration = Fraction(0)
    if stream.duration and stream.time_base:
        duration = stream.duration * Fraction(stream.time_base)
    elif container.duration:
        duration = Fraction(container.duration, av.time_base)
    return AudioInfo(
        sample_rate=stream.rate, channels=stream.channels, codec=stream.codec_context.codec.name, duration=duration
    )


def _codec_name(stream: VideoStream) -> str:
    """The format's name, not the library's (``av1``, not ``libdav1d``)."""
    name = stream.codec_context.codec.canonical_name
    return str(name)


def _container_name(container: InputContainer) -> str:
    """FFmpeg's demuxer name, the first where it lists several (``mov,mp4,…`` → ``mov``)."""
    return container.format.name.split(",")[0]
