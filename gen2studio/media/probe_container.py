"""Opening files with FFmpeg: local files only, errors in plain words, no text on stderr.

PyAV installs a log callback that drops FFmpeg's messages (``av.logging`` level None, its default); forwarding them to
Python's logging from codec threads is documented to risk a deadlock with the GIL, so the default is kept and the
error codes are put into words here.
"""

from __future__ import annotations

import struct
from pathlib import Path

import av
from av.container import InputContainer
from av.error import DecoderNotFoundError, FFmpegError, PatchWelcomeError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from gen2studio.core.errors import MediaError

_PLAYLISTS = frozenset({"hls", "concat", "dash", "sdp", "rtsp", "ffmetadata", "tty", "lavfi"})
_REPLACE = "Copy the file again from its source, or export it again from the program that made it."
_CONVERT = "Convert it to MP4 (H.264) or ProRes, then import that file."


def open_container(path: Path) -> InputContainer:
    """Open a local file for demuxing. Raises MediaError.

    The ``file:`` prefix keeps names such as ``-x.mp4``, ``concat:…`` or ``a%03d.mov`` from being read as options,
    protocols or patterns, and the protocol whitelist keeps a crafted playlist from reaching the network.
    """
    check_readable(path)
    try:
        container = av.open(
            f"file:{path.absolute().as_posix()}",
            mode="r",
            options={"protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (FFmpegError, OSError, ValueError) as error:
        raise in_words(path, error) from error
    if _PLAYLISTS & set(container.format.name.split(",")):
        container.close()
        raise MediaError(f"“{path.name}” is a list of other files, not media.", "Import the files it names instead.")
    return container


def check_readable(path: Path) -> None:
    """Raise the MediaError for a path that is missing, a folder, empty or unreadable."""
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise MediaError(f"“{path.name}” is a folder without numbered images.", "Choose a media file.")
        if size == 0:
            raise MediaError(f"“{path.name}” is empty (0 bytes).", _REPLACE)
        with open(path, "rb"):
            pass
    except FileNotFoundError as error:
        raise MediaError(f"“{path.name}” is not there.", "Check the path or relink the media.") from error
    except PermissionError as error:
        raise MediaError(f"No permission to read “{path.name}”.", "Change its permissions and try again.") from error
    except OSError as error:
        raise MediaError(f"“{path.name}” can't be read from the disk.", "Check the drive it is on.") from error


def in_words(path: Path, error: BaseException) -> MediaError:
    """The MediaError for an exception of FFmpeg or the system while opening ``path``."""
    if isinstance(error, MediaError):
        return error
    if isinstance(error, MemoryError):
        return MediaError(f"“{path.name}” needs more memory than is free.", "Close other programs and try again.")
    if isinstance(error, (DecoderNotFoundError, PatchWelcomeError)):
        return MediaError(f"“{path.name}” uses a format that can't be decoded here.", _CONVERT)
    if _is_cut_short(path):
        return MediaError(
            f"“{path.name}” is cut short: its index (the “moov” part at the end of the file) is missing.", _REPLACE
        )
    if _is_encrypted(path):
        return MediaError(f"“{path.name}” is encrypted.", "Use a copy without copy protection.")
    return MediaError(f"“{path.name}” can't be read as media: it is damaged or of another kind.", _REPLACE)


def no_picture(path: Path) -> MediaError:
    return MediaError(f"No picture of “{path.name}” can be decoded: its video is damaged.", _REPLACE)


def best_video(container: InputContainer) -> VideoStream | None:
    """FFmpeg's choice of video stream, ignoring cover art."""
    stream = container.streams.best("video")
    if isinstance(stream, VideoStream) and not _is_cover(stream):
        return stream
    for other in container.streams.video:
        if not _is_cover(other):
            return other
    return None


def _is_cover(stream: VideoStream) -> bool:
    return bool(int(stream.disposition) & int(Disposition.attached_pic))


def has_alpha_layer(stream: VideoStream) -> bool:
    """Whether a VP8 or VP9 stream carries its alpha in WebM block additions."""
    return stream.metadata.get("alpha_mode") == "1" and stream.codec_context.codec.name in ("vp8", "vp9")


# The nine 16.16 numbers of a display matrix, by the signs of (a, b, c, d), as EXIF orientations 1…8.
_ORIENTATIONS = {
    (1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4,
    (0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8,
}  # fmt: skip
CLOCKWISE = {1: 0, 2: 0, 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270}
"""Degrees clockwise that each EXIF orientation asks for (2, 4, 5 and 7 also mirror)."""


def orientation_of(frame: VideoFrame) -> int:
    """The EXIF orientation (1…8) of a frame's display matrix; 1 without one or for angles between the quarters."""
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return 1
    a, b, _, c, d, *_rest = struct.unpack("<9i", bytes(data)[:36])
    if max(abs(a), abs(d)) >= max(abs(b), abs(c)):
        signs = (1 if a >= 0 else -1, 0, 0, 1 if d >= 0 else -1)
    else:
        signs = (0, 1 if b >= 0 else -1, 1 if c >= 0 else -1, 0)
    return _ORIENTATIONS[signs]


def _head(path: Path, count: int = 1 << 16) -> bytes:
    try:
        with open(path, "rb") as handle:
            return handle.read(count)
    except OSError:
        return b""


def _is_cut_short(path: Path) -> bool:
    """An ISO base media file without a ``moov`` box: the recording or the copy never finished."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as handle:
            position = 0
            first = True
            while position + 8 <= size:
                handle.seek(position)
                length, kind = struct.unpack(">I4s", handle.read(8))
                if first and kind not in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
                    return False
                first = False
                if kind == b"moov":
                    return False
                if length == 1:
                    length = struct.unpack(">Q", handle.read(8))[0]
                if length < 8:
                    return True
                position += length
            return not first
    except (OSError, struct.error):
        return False


def _is_encrypted(path: Path) -> bool:
    head = _head(path)
    return any(mark in head for mark in (b"encv", b"enca", b"pssh"))
