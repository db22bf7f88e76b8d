"""Numbered EXR files with one layer per object: a folder that appears complete or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent
from gen2studio.media.encoder_images import ImageSequenceWriter
from gen2studio.media.exr import write_exr, write_picture
from gen2studio.media.resumption import Resumption
from gen2studio.raster.tiles import Mask


class ExrPictureWriter(ImageSequenceWriter):
    """Writes pictures as ``<name>_%06d.exr`` into the folder ``path``: :func:`gen2studio.media.exr.write_picture`."""

    suffix = "exr"

    def __init__(
        self,
        path: Path,
        extent: Extent,
        *,
        alpha: bool = False,
        first: int = 0,
        rate: Fraction | None = None,
        text: dict[str, str] | None = None,
        resumption: Resumption | None = None,
    ) -> None:
        super().__init__(path, extent, alpha=alpha, first=first, text=text, resumption=resumption)
        self._rate = rate

    def _pack(self, target: Path, picture: NDArray[Any]) -> None:
        write_picture(target, self._with_channels(picture), rate=self._rate, text=self._text)


class ExrSequenceWriter(ImageSequenceWriter):
    """Writes ``<name>_%06d.exr`` into the folder ``path``; see :func:`gen2studio.media.exr.write_exr`."""

    suffix = "exr"

    def __init__(
        self, path: Path, extent: Extent, *, float32: bool = False, rate: Fraction | None = None, threads: int = 2
    ) -> None:
        super().__init__(path, extent, threads=threads)
        self._float32 = float32
        self._rate = rate

    def write(self, picture: NDArray[Any], number: int | None = None) -> None:
        raise ExportError("An EXR sequence of mattes takes layers, not pictures.")

    def write_layers(
        self, layers: Sequence[tuple[str, Mask]], combined: Mask, colour: NDArray[np.float32] | None, number: int
    ) -> None:
        """Write frame ``number``. Blocks while all threads are busy. Raises ExportError."""
        height, width = combined.shape
        if (width, height) != (self._extent.width, self._extent.height):
            raise ExportError(f"A matte of {width}×{height} was given to a sequence of {self._extent}.")
        target = self._next(number)
        float32, rate = self._float32, self._rate
        self._queue(lambda: write_exr(target, layers, combined, colour=colour, float32=float32, rate=rate))
