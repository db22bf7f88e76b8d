"""Still pictures and numbered image sequences behind the same interface as video files.

JPEG is read with libjpeg through OpenCV (it converts CMYK and upsamples chroma smoothly); PNG, TIFF, WebP, BMP and
EXR with FFmpeg, which keeps palette alpha and reports damage without writing to stderr; TIFF layouts FFmpeg lacks
fall back to OpenCV. EXR is scene-linear and gets the sRGB transfer. ICC profiles are not applied.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from numpy.typing import NDArray

from gen2studio.core.errors import MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import ColourTags, MediaInfo, MediaKind
from gen2studio.media.clock import FrameClock, regular_clock
from gen2studio.media.decoder_colour import ArrayPicture, Picture, unpremultiplied, upright
from gen2studio.media.probe_container import check_readable
from gen2studio.media.stills_exif import read_tags

SEQUENCE_RATE = Fraction(24)
"""Frames a second of an image sequence that nobody has said otherwise about."""

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".tif", ".tiff", ".webp", ".bmp", ".exr"})
_NUMBERED = re.compile(r"^(.*?)(\d+)(\.[A-Za-z0-9]+)$")
_PATTERN = re.compile(r"%0?(\d*)d")
_DAMAGED = "Copy it again from its source, or open it in an image editor and save it anew."


def is_still(path: Path) -> bool:
    """Whether the file's first bytes are those of a supported image format."""
    if path.suffix.lower() in (".mjpeg", ".mjpg"):
        return False
    try:
        with open(path, "rb") as handle:
            head = handle.read(12)
    except OSError:
        return False
    return image_kind(head) != ""


def image_kind(head: bytes) -> str:
    """``png``, ``jpeg``, ``tiff``, ``webp``, ``exr``, ``bmp`` by a file's first 12 bytes; empty for anything else."""
    if head[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if head[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if head[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[:4] == b"\x76\x2f\x31\x01":
        return "exr"
    if head[:2] == b"BM":
        return "bmp"
    return ""


def read_still(path: Path) -> ArrayPicture:
    """An image file as 8-bit RGB or straight RGBA, upright. Raises MediaError.

    16-bit samples are rounded to 8 bits; float samples are taken as linear light and get the sRGB transfer.
    """
    check_readable(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MediaError(f"“{path.name}” can't be read from the disk.", "Check the drive it is on.") from error
    kind = image_kind(data[:12])
    if not kind:
        raise MediaError(f"“{path.name}” is not an image.", "Use PNG, JPEG, TIFF, WebP, BMP or EXR.")
    pixels = _with_opencv(data) if kind == "jpeg" else _with_ffmpeg(path, kind)
    if pixels is None and kind == "tiff":
        pixels = _with_opencv(data)
    if pixels is None:
        raise MediaError(f"The image “{path.name}” is damaged or cut short.", _DAMAGED)
    tags = read_tags(data)
    if tags.premultiplied and pixels.shape[2] == 4:
        pixels = unpremultiplied(pixels)
    pixels = np.ascontiguousarray(upright(pixels, tags.orientation))
    return ArrayPicture(pixels, Extent(pixels.shape[1], pixels.shape[0]))


def _with_ffmpeg(path: Path, kind: str) -> NDArray[np.uint8] | None:
    """RGB or RGBA of the first picture, or None when it can't be decoded whole."""
    frame = first_frame(path, kind)
    if frame is None:
        return None
    alpha = any(part.is_alpha for part in frame.format.components) or _palette_alpha(frame)
    deep = kind != "exr" and any(part.bits > 8 for part in frame.format.components)
    try:
        if deep:
            return _rounded(frame.reformat(format="rgba64le" if alpha else "rgb48le").to_ndarray())
        return np.ascontiguousarray(frame.reformat(format="rgba" if alpha else "rgb24").to_ndarray(), np.uint8)
    except (FFmpegError, ValueError, MemoryError):
        return None


def first_frame(path: Path, kind: str) -> av.VideoFrame | None:
    """The picture of an image file as FFmpeg decodes it, in its own pixel format; None when it can't be decoded whole.

    ``kind`` is one of :func:`image_kind`'s but ``jpeg``. EXR comes with the sRGB transfer.
    """
    options = {"apply_trc": "iec61966_2_1"} if kind == "exr" else {}
    try:
        # One file, never a pattern: "image2" would read “%03d” in a name as numbering.
        demuxer = {"exr": "exr_pipe", "bmp": "bmp_pipe", "png": "png_pipe", "tiff": "tiff_pipe", "webp": "webp_pipe"}
        with av.open(f"file:{path.absolute().as_posix()}", format=demuxer[kind], options=options) as container:
            return next(container.decode(video=0), None)
    except (FFmpegError, ValueError, MemoryError):
        return None


def _palette_alpha(frame: av.VideoFrame) -> bool:
    if frame.format.name != "pal8":
        return False
    palette = np.frombuffer(memoryview(frame.planes[1]), np.uint8).reshape(-1, 4) if len(frame.planes) > 1 else None
    return palette is None or int(palette[:, 3].min()) < 255


def _with_opencv(data: bytes) -> NDArray[np.uint8] | None:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None or not pixels.size:
        return None
    if pixels.dtype == np.uint16:
        pixels = _rounded(pixels)
    elif pixels.dtype != np.uint8:
        pixels = _encoded_srgb(pixels.astype(np.float32))
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(
        cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB), np.uint8
    )


def _rounded(deep: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit samples to the nearest 8-bit ones: value / 257."""
    return ((deep.astype(np.uint32) * 255 + 32895) >> 16).astype(np.uint8)


def _encoded_srgb(linear: NDArray[np.float32]) -> NDArray[np.uint8]:
    """IEC 61966-2-1: linear light 0…1 to 8-bit code values."""
    value = np.clip(np.nan_to_num(linear), 0, 1)
    code = np.where(value <= 0.0031308, value * 12.92, 1.055 * np.power(value, 1 / 2.4) - 0.055)
    return np.rint(code * 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class NumberedRun:
    """Numbered images in one folder: ``prefix`` + number + ``suffix``. Numbers may have gaps."""

    folder: Path
    files: dict[int, str]
    """File name by number, rising."""
    first: int
    """The number of frame 0."""

    @property
    def frame_count(self) -> int:
        return max(self.files) - self.first + 1 if self.files else 0

    def path_of(self, index: int) -> tuple[Path, bool] | None:
        """The file shown at frame ``index`` and whether it is that very frame.

        A gap shows the last image before it (at the start: the first after it), as players do with a lost frame.
        """
        number = self.first + index
        if number in self.files:
            return self.folder / self.files[number], True
        before = [n for n in self.files if n < number]
        shown = max(before) if before else min(self.files, default=None)
        return None if shown is None else (self.folder / self.files[shown], False)


def find_run(path: Path, *, as_sequence: bool = False) -> NumberedRun | None:
    """The numbered run that ``path`` means: a folder, a ``name_%06d.png`` pattern, or (``as_sequence``) a first file.

    Frame 0 is the lowest number, or the number of the first file. In a take folder (it holds ``recipe.json`` or lies
    in ``takes``) numbers are media frames: frame 0 is number 0, and what isn't made yet is a gap. None for other
    paths. Raises MediaError for a pattern that matches nothing.
    """
    if path.is_dir():
        runs = _runs_in(path)
        if not runs:
            return None
        return _run(path, max(runs.values(), key=len), None)
    pattern = _PATTERN.search(path.name)
    if pattern is not None and not path.exists():
        prefix, suffix = path.name[: pattern.start()], path.name[pattern.end() :]
        files = _runs_in(path.parent).get((prefix, suffix.lower())) if path.parent.is_dir() else None
        if not files:
            raise MediaError(f"No image matches “{path.name}”.", "Check the folder and the numbering.")
        return _run(path.parent, files, None)
    if not as_sequence:
        return None
    named = _NUMBERED.match(path.name)
    if named is None:
        raise MediaError(f"“{path.name}” has no number in its name.", "Choose the first image of a numbered sequence.")
    files = _runs_in(path.parent).get((named[1], named[3].lower()), {})
    return _run(path.parent, files, int(named[2]))


def _run(folder: Path, files: dict[int, str], first: int | None) -> NumberedRun:
    if first is None:
        take = (folder / "recipe.json").exists() or folder.parent.name == "takes"
        first = 0 if take else min(files)
    return NumberedRun(folder, {n: files[n] for n in sorted(files) if n >= first}, first)


def _runs_in(folder: Path) -> dict[tuple[str, str], dict[int, str]]:
    """Numbered images of a folder by (prefix, lower-case suffix)."""
    runs: dict[tuple[str, str], dict[int, str]] = {}
    for entry in folder.iterdir():
        named = _NUMBERED.match(entry.name)
        if named is not None and named[3].lower() in _SUFFIXES and not entry.name.startswith("."):
            runs.setdefault((named[1], named[3].lower()), {})[int(named[2])] = entry.name
    return runs


def still_info(path: Path) -> MediaInfo:
    """The facts of one image file (it is decoded: only a whole picture is a usable one). Raises MediaError."""
    return _info_of(read_still(path), path, MediaKind.STILL)


def run_info(run: NumberedRun) -> MediaInfo:
    """The facts of a numbered sequence, from its first image. Raises MediaError."""
    if not run.files:
        raise MediaError(f"“{run.folder.name}” holds no numbered images.", "Choose a folder with name_0001.png, …")
    first = run.folder / next(iter(run.files.values()))
    info = _info_of(read_still(first), first, MediaKind.SEQUENCE)
    import dataclasses

    return dataclasses.replace(
        info, rate=SEQUENCE_RATE, frame_count=run.frame_count, duration=run.frame_count / SEQUENCE_RATE
    )


def _info_of(picture: ArrayPicture, path: Path, kind: MediaKind) -> MediaInfo:
    extent = picture.extent
    with open(path, "rb") as handle:
        name = image_kind(handle.read(12))
    return MediaInfo(
        kind=kind,
        container=name,
        codec=name,
        pixel_format="rgba" if picture.has_alpha else "rgb24",
        width=extent.width,
        height=extent.height,
        coded_width=extent.width,
        coded_height=extent.height,
        frame_count=1,
        exact=True,
        has_alpha=picture.has_alpha,
        colour=ColourTags(primaries=1, transfer=13, matrix=0, full_range=True),
    )


class StillDecoder:
    """One image as a media of one frame. Implements :class:`gen2studio.media.decoder.Decoder`."""

    def __init__(self, path: Path, info: MediaInfo | None = None) -> None:
        self._picture = read_still(path)
        self.info = info if info is not None else _info_of(self._picture, path, MediaKind.STILL)
        self.clock: FrameClock = regular_clock(1, Fraction(0))
        self.warnings: list[str] = []

    def picture(self, index: int) -> Picture:
        del index
        return self._picture

    def rgb(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).rgb(size)

    def rgba(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).rgba(size)

    def bgra(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).bgra(size)

    def close(self) -> None:
        return


class SequenceDecoder:
    """A numbered run as a media of many frames. Implements :class:`gen2studio.media.decoder.Decoder`.

    A folder that grows (a take being generated) is looked at again whenever its modification time changes.
    """

    def __init__(self, path: Path, run: NumberedRun, info: MediaInfo | None = None) -> None:
        self._path = path
        self._run = run
        self._stamp = _folder_stamp(run.folder)
        self.info = info if info is not None else run_info(run)
        self.warnings: list[str] = []
        self.clock: FrameClock = regular_clock(run.frame_count, self.info.rate or SEQUENCE_RATE)

    def holds(self, index: int) -> bool:
        """Whether frame ``index`` has an image of its own (False: a gap, shown by a neighbour)."""
        self._refresh()
        return self._run.first + index in self._run.files

    def picture(self, index: int) -> Picture:
        self._refresh()
        found = self._run.path_of(self.clock.clamp(index))
        if found is None:
            raise MediaError(f"“{self._run.folder.name}” holds no numbered images any more.", "Relink the media.")
        picture = read_still(found[0])
        extent = self.info.extent
        return picture if picture.extent == extent else ArrayPicture(picture.pixels, extent)

    def rgb(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).rgb(size)

    def rgba(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).rgba(size)

    def bgra(self, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        return self.picture(index).bgra(size)

    def close(self) -> None:
        return

    def _refresh(self) -> None:
        stamp = _folder_stamp(self._run.folder)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        run = find_run(self._path, as_sequence=self._path.is_file())
        if run is not None and run.files:
            self._run = run
            self.clock = regular_clock(run.frame_count, self.info.rate or SEQUENCE_RATE)


def _folder_stamp(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return -1
