"""A track of captions inside a video file, which players can switch on and off."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass
from fractions import Fraction

from av.container import OutputContainer
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import SubtitleSet

_TICK = Fraction(1, 1000)
_LONGEST = 4000
_HEADER = b"""[Script Info]
ScriptType: v4.00+
PlayResX: 384
PlayResY: 288

[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, \
StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding
Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""
_TAG = re.compile(r"<(/?)([ibu])>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TimedCaption:
    """A caption in seconds of the file."""

    start: Fraction
    end: Fraction
    text: str
    """May hold line breaks and the SRT tags ``<i> <b> <u>``."""


class CaptionTrack:
    """Feeds captions to a container in step with its picture."""

    def __init__(self, container: OutputContainer, codec: str, captions: tuple[TimedCaption, ...]) -> None:
        """``codec`` is an FFmpeg subtitle encoder, ``mov_text`` for MP4 and MOV."""
        self._container = container
        self._stream = container.add_stream(codec)
        self._stream.time_base = _TICK
        context = self._stream.codec_context
        assert isinstance(context, SubtitleCodecContext)
        context.time_base = _TICK
        context.subtitle_header = _HEADER
        context.open()
        self._context = context
        self._waiting = deque(captions)
        self._number = 0

    def pump(self, until: Fraction) -> None:
        """Mux every caption that begins before ``until`` seconds."""
        while self._waiting and self._waiting[0].start < until:
            found = self._waiting.popleft()
            line = f"{self._number},0,Default,,0,0,0,,{ass_text(found.text)}".encode()
            self._number += 1
            length = max(1, round((found.end - found.start) / _TICK))
            packet = self._context.encode_subtitle(SubtitleSet.create(line, 0, length))
            packet.pts = packet.dts = round(found.start / _TICK)
            packet.duration = length
            packet.time_base = _TICK
            packet.stream = self._stream
            self._container.mux(packet)


def ass_text(text: str) -> str:
    """SRT text as the text of an ASS dialogue line."""
    # Braces would begin a command, and ASS has no way to write them.
    safe = text[:_LONGEST].replace("{", "(").replace("}", ")").replace("\\", "/")
    marked = _TAG.sub(lambda found: f"{{\\{found[2].lower()}{0 if found[1] else 1}}}", safe)
    return marked.replace("\r\n", "\n").replace("\n", "\\N")
