"""A stretch of a media file as a file of its own, without decoding: packets are copied from the key frame before it.

What was written is read back and compared with the source, picture by picture and sample by sample at both ends: file
formats promise more about cutting than they keep.
"""

from __future__ import annotations

import contextlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import MediaError
from gen2studio.core.media_info import MediaInfo
from gen2studio.media.audio_reader import AudioReader
from gen2studio.media.clock import clock_of
from gen2studio.media.decoder import open_decoder

_CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
_SOUND_LEAD = Fraction(1, 4)
"""Seconds of sound kept before the picture, so that decoders have started when it begins."""
_COMPARED = Fraction(1, 10)


def suffix_for(path: Path) -> str:
    """The suffix of an excerpt of ``path``: its own where it can hold one, else Matroska."""
    return path.suffix.lower() if path.suffix.lower() in _CONTAINERS else ".mkv"


def write_excerpt(
    source: Path, target: Path, info: MediaInfo, start: int, stop: int, cancel: CancelToken | None = None
) -> int:
    """Copy frames [start, stop) of ``source`` to ``target``, with the rest of their groups of pictures.

    Returns the source's frame that is the excerpt's first one. The caller writes beside and renames. Raises MediaError
    when the excerpt is not the same to the bit, OSError when it can't be written.
    """
    clock = clock_of(source, info)
    if clock.ordinal or info.variable_rate:
        raise MediaError(f"{source.name} has no steady times.", "Copy it whole.")
    first = clock.key_index_before(start)
    stop = min(stop, clock.frame_count)
    begin = int(clock.pts[first])
    # Up to the next key frame: the last pictures before any other point may need one that is shown after it.
    later = clock.keys[np.searchsorted(clock.keys, int(clock.pts[stop - 1]), side="right") :]
    end = int(later[0]) if len(later) else clock.end
    try:
        _copy(source, target, begin * clock.time_base, end * clock.time_base, cancel)
    except (FFmpegError, ValueError) as error:
        raise MediaError(f"{source.name} can't be cut without decoding.", "Copy it whole.") from error
    _compare(source, target, info, first, start, stop)
    return first


def _copy(source: Path, target: Path, begin: Fraction, end: Fraction, cancel: CancelToken | None) -> None:
    with contextlib.ExitStack() as stack:
        reading = stack.enter_context(av.open(str(source)))
        writing = stack.enter_context(av.open(str(target), "w", format=_CONTAINERS[suffix_for(source)]))
        picture: Any = reading.streams.best("video")
        sound: Any = reading.streams.best("audio")
        chosen = [stream for stream in (picture, sound) if stream is not None]
        copies = {stream.index: writing.add_stream_from_template(stream) for stream in chosen}
        reading.seek(int((begin - _SOUND_LEAD) / picture.time_base), stream=picture, backward=True)
        done: set[int] = set()
        for packet in reading.demux(chosen):
            if cancel is not None:
                cancel.check()
            if packet.dts is None or packet.pts is None:
                continue
            base = Fraction(packet.time_base)
            is_picture = packet.stream.index == picture.index
            low = begin if is_picture else begin - _SOUND_LEAD
            # Frames that are shown before the key frame and need what lies before it are not part of the excerpt.
            if packet.pts * base < low or packet.pts * base >= end:
                if packet.dts * base >= end:
                    done.add(packet.stream.index)
                    if len(done) == len(chosen):
                        break
                continue
            shift = round(begin / base)
            packet.pts -= shift
            packet.dts -= shift
            packet.stream = copies[packet.stream.index]
            writing.mux(packet)


def _compare(source: Path, target: Path, info: MediaInfo, first: int, start: int, stop: int) -> None:
    """Raises MediaError when frames or sound of the excerpt are not the source's."""
    refusal = MediaError(f"A cut of {source.name} would not be the same.", "Copy it whole.")
    clock, cut = clock_of(source, info), clock_of(target)
    if cut.frame_count < stop - first or cut.rate != clock.rate:
        raise refusal
    was, now = open_decoder(source, info), open_decoder(target)
    try:
        for index in sorted({start, (start + stop) // 2, stop - 1}):
            if clock.time_of(index) - clock.time_of(first) != cut.time_of(index - first):
                raise refusal
            if not np.array_equal(was.rgb(index), now.rgb(index - first)):
                raise refusal
    finally:
        was.close()
        now.close()
    if info.audio is None:
        return
    heard, hears = AudioReader(source), AudioReader(target)
    try:
        count = int(_COMPARED * 48000)
        offset = clock.time_of(first)
        for moment in (clock.time_of(start), clock.time_of(stop - 1) - _COMPARED):
            if moment < offset:
                continue
            if np.abs(heard.read(moment, count) - hears.read(moment - offset, count)).max() > 1e-3:
                raise refusal
    finally:
        heard.close()
        hears.close()
