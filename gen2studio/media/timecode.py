"""The timecode a file starts at, for timelines that count from it."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

_TIMECODE = re.compile(r"^(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})$")


def start_timecode(path: Path, rate: Fraction) -> Fraction | None:
    """Seconds from midnight of the first frame's timecode (SMPTE ST 12-1), or None when the file has none."""
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path)) as container:
            texts = [container.metadata.get("timecode")]
            texts += [stream.metadata.get("timecode") for stream in container.streams]
    except (FFmpegError, OSError, ValueError):
        return None
    text = next((t for t in texts if t), None)
    return None if text is None else timecode_seconds(text, rate)


def timecode_seconds(text: str, rate: Fraction) -> Fraction | None:
    """Seconds of ``HH:MM:SS:FF`` at ``rate``; with ``;`` or ``.`` before the frames it drops numbers (29.97, 59.94)."""
    match = _TIMECODE.match(text.strip())
    if match is None or rate <= 0:
        return None
    hours, minutes, seconds, frames = (int(match.group(i)) for i in (1, 2, 3, 5))
    base = round(rate)
    if minutes > 59 or seconds > 59 or frames >= base:
        return None
    count = ((hours * 60 + minutes) * 60 + seconds) * base + frames
    if match.group(4) != ":" and base % 30 == 0:
        # Two numbers (four at 60) are left out each minute but every tenth.
        total = hours * 60 + minutes
        count -= base // 15 * (total - total // 10)
    return count / rate
