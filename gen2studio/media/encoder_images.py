"""Writing numbered PNGs: a folder that appears complete or not at all."""

from __future__ import annotations

import os
import re
import shutil
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent
from gen2studio.media.all_or_nothing import AllOrNothing, check_written
from gen2studio.media.encoder import check_folder, writing
from gen2studio.media.metadata import png_with_chunks
from gen2studio.media.resumption import Resumption, finished_pictures

_COMPRESSION = 3
"""zlib level: 3 is within a few per cent of 9 on video frames and several times faster."""


def encode_png(picture: NDArray[Any], text: dict[str, str] | None = None) -> bytes:
    """A PNG file of (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA pixels, uint8 or uint16, with sRGB and text chunks."""
    if picture.ndim == 3:
        code = cv2.COLOR_RGB2BGR if picture.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        picture = cv2.cvtColor(picture, code)
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, _COMPRESSION])
    if not done:
        raise ExportError("A picture could not be packed as PNG.")
    return png_with_chunks(data.tobytes(), text or {}, srgb=picture.ndim == 3)


class ImageSequenceWriter(AllOrNothing):
    """Numbered PNGs ``<name>_%06d.png`` in the folder ``path``, packed on a few threads.

    Pictures are (H, W), (H, W, 3) or (H, W, 4); uint8 pictures become 16-bit by repeating the byte, so that white stays
    white. Everything is written to a hidden folder beside the target, which takes the target's name at the end. An
    existing folder is replaced only when it holds nothing but an earlier sequence of the same name.

    With a :class:`~gen2studio.media.resumption.Resumption` pictures that an interrupted run finished are there already:
    ``kept`` are their numbers, and :meth:`skip` counts them. Each picture then gets its name when it lies on disk.
    """

    suffix = "png"

    def __init__(
        self,
        path: Path,
        extent: Extent,
        *,
        bits: int = 8,
        alpha: bool = False,
        first: int = 0,
        text: dict[str, str] | None = None,
        threads: int = 2,
        grey: bool = False,
        resumption: Resumption | None = None,
    ) -> None:
        self.path = path
        self._resumption = resumption
        self.kept: frozenset[int] = frozenset()
        """Numbers of the pictures that need not be written."""
        self.notes: list[str] = []
        self._extent = extent
        self._bits = bits
        self._alpha = alpha
        self._grey = grey
        self._number = first
        self._text = dict(text or {})
        self._muxed = 0
        self._pending: deque[Future[None]] = deque()
        self._threads = max(1, threads)
        check_folder(path.parent)
        self._check_target()
        with writing(path):
            if resumption is not None:
                self._folder: Path | None = resumption.folder_of(path)
                self._folder.mkdir(exist_ok=True)
                self.kept = finished_pictures(self._folder, path.name, self.suffix)
            else:
                self._folder = path.with_name(f".{path.name}.{os.getpid()}.part")
                shutil.rmtree(self._folder, ignore_errors=True)
                self._folder.mkdir()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="png-writer")

    def _check_target(self) -> None:
        if self.path.is_file():
            raise ExportError(
                f"“{self.path}” is a file, and a picture sequence needs a folder.", "Choose another name."
            )
        if self.path.is_dir():
            own = re.compile(rf"{re.escape(self.path.name)}_\d+\.{self.suffix}|{re.escape(self.path.name)}\.json")
            if any(not own.fullmatch(entry.name) for entry in self.path.iterdir()):
                raise ExportError(
                    f"The folder “{self.path}” holds other files and is not replaced.", "Choose another folder name."
                )

    @property
    def frames_muxed(self) -> int:
        return self._muxed

    @property
    def audio_wanted(self) -> bool:
        return False

    @property
    def part(self) -> Path:
        """The hidden folder that is written to."""
        assert self._folder is not None
        return self._folder

    def accepts(self, frame: VideoFrame) -> bool:
        return False

    def write_frame(self, frame: VideoFrame) -> None:
        raise ExportError("A picture sequence takes pictures, not video frames.")

    def write_audio(self, samples: NDArray[np.float32]) -> None:
        """Sound is not part of a picture sequence."""

    def write(self, picture: NDArray[Any], number: int | None = None) -> None:
        """Append a picture, or write it as ``number``. Blocks while all threads are busy. Raises ExportError."""
        height, width = picture.shape[:2]
        if (width, height) != (self._extent.width, self._extent.height):
            raise ExportError(f"A picture of {width}×{height} was given to a sequence of {self._extent}.")
        target = self._next(number)
        picture = picture.copy()
        self._queue(lambda: self._save(target, picture))

    def skip(self, number: int) -> None:
        """Count a picture of ``kept`` in place of writing it."""
        assert number in self.kept
        self._number = number + 1
        self._muxed += 1

    def _next(self, number: int | None) -> Path:
        """The file of the next picture, or of picture ``number``."""
        if number is not None:
            self._number = number
        target = self.part / f"{self.path.name}_{self._number:06d}.{self.suffix}"
        self._number += 1
        return target

    def _queue(self, work: Callable[[], None]) -> None:
        """Have a picture packed and written on a thread."""
        while len(self._pending) > self._threads:
            self._collect()
        self._pending.append(self._pool.submit(work))

    def _with_channels(self, picture: NDArray[Any]) -> NDArray[Any]:
        """``picture`` with alpha, or without."""
        if self._alpha and picture.shape[2] == 3:
            opaque = np.full(picture.shape[:2], np.iinfo(picture.dtype).max, picture.dtype)
            return np.dstack([picture, opaque])
        if not self._alpha and picture.shape[2] == 4:
            return np.ascontiguousarray(picture[..., :3])
        return picture

    def _save(self, target: Path, picture: NDArray[Any]) -> None:
        if self._resumption is None:
            self._pack(target, picture)
            return
        # A picture that has its name is whole, whatever stops the program or the machine.
        half = target.with_name(f"half_{target.name}")
        self._pack(half, picture)
        handle = os.open(half, os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
        half.replace(target)

    def _pack(self, target: Path, picture: NDArray[Any]) -> None:
        if not self._grey:
            picture = self._with_channels(picture)
        if self._bits == 16 and picture.dtype == np.uint8:
            picture = picture.astype(np.uint16) * 257
        elif self._bits == 8 and picture.dtype == np.uint16:
            picture = ((picture.astype(np.uint32) + 128) // 257).astype(np.uint8)
        target.write_bytes(encode_png(picture, self._text))

    def _collect(self) -> None:
        with writing(self.path):
            self._pending.popleft().result()
        self._muxed += 1

    def finish(self, on_packet: Callable[[], None] | None = None) -> None:
        """Wait for the last picture. Raises ExportError; then nothing is left."""
        try:
            while self._pending:
                self._collect()
                if on_packet is not None:
                    on_packet()
            check_written(self._muxed)
        except BaseException:
            self.abort()
            raise
        self._pool.shutdown()

    def commit(self) -> None:
        """Give the folder its name, replacing an earlier sequence of the same name."""
        folder = self.part
        try:
            with writing(self.path):
                aside = folder.with_name(folder.name + ".old")
                if self.path.is_dir():
                    self.path.rename(aside)
                folder.rename(self.path)
                shutil.rmtree(aside, ignore_errors=True)
        except BaseException:
            self.abort()
            raise
        self._folder = None

    def abort(self) -> None:
        """Stop and remove the hidden folder, or leave it to the next run. Safe to call at any time, also twice."""
        self._pending.clear()
        self._pool.shutdown(wait=True, cancel_futures=True)
        if self._folder is not None:
            if self._resumption is None or not self._resumption.keeps:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
