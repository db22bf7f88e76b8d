"""What an export does to pictures after they were composited: burn-ins and another size; and which frames it takes."""

from __future__ import annotations

from collections.abc import Sequence as Frames
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gen2studio.app.compositor import sequence_of
from gen2studio.app.export_values import Captions, ExportSettings
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.time import timecode
from gen2studio.document.model import Document, Sequence
from gen2studio.media.encoder_presets import ExportPreset

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.media.encoder_captions import TimedCaption

Pixels: TypeAlias = "NDArray[np.uint8]"


def as_asked(document: Document, settings: ExportSettings) -> Document:
    """The document with captions drawn, or not, as the export wants them. Raises ProjectError without a timeline."""
    sequence = sequence_of(document)
    shown = sequence.subtitle_style.shown
    wanted = shown if settings.captions is Captions.SHOWN else settings.captions is Captions.BURNED
    if shown == wanted:
        return document
    changed = replace(sequence, subtitle_style=replace(sequence.subtitle_style, shown=wanted))
    return replace(document, sequences=frozen_map({**document.sequences, sequence.id: changed}))


def exported_frames(
    rate: Fraction, start: int, stop: int, preset: ExportPreset, settings: ExportSettings
) -> tuple[Frames[int], Fraction]:
    """The sequence frames that an export holds, and how many of them go by in a second.

    Only animated pictures leave frames out: of each n-th part of a second they take the frame at its beginning.
    """
    most = settings.rate or preset.max_rate
    if not preset.is_animation or not most or rate <= most:
        return range(start, stop), rate
    count = max(1, int((stop - start) * most / rate))
    return [start + int(n * rate / most) for n in range(count)], Fraction(most)


def exported_extent(sequence: Sequence, preset: ExportPreset, settings: ExportSettings) -> Extent:
    """Width and height of the exported pictures."""
    width = settings.width or min(sequence.width, preset.max_width or sequence.width)
    if width == sequence.width:
        return Extent(sequence.width, sequence.height)
    # Even sides: what every chroma format takes.
    height = max(2, round(sequence.height * width / sequence.width / 2) * 2)
    return Extent(max(2, width // 2 * 2), height)


class ExportPicture:
    """Finishes composited pictures. Any thread; pictures of different frames at once."""

    def __init__(self, sequence: Sequence, preset: ExportPreset, settings: ExportSettings) -> None:
        self.extent = exported_extent(sequence, preset, settings)
        self._sequence = sequence
        self._settings = settings

    @property
    def burns(self) -> bool:
        return self._settings.burn_timecode or bool(self._settings.burn_name)

    @property
    def changes(self) -> bool:
        """Whether :meth:`finished` does anything."""
        return self.burns or self.extent != Extent(self._sequence.width, self._sequence.height)

    def finished(self, picture: Pixels, frame: int) -> Pixels:
        """``picture`` of sequence frame ``frame`` as it is written. What was given may be changed or shared."""
        if picture.shape[:2] != (self.extent.height, self.extent.width):
            picture = _resized(picture, self.extent)
        if not self.burns:
            return picture
        from gen2studio.app.burn_in import burn_in, lay_over

        # Burn-ins are drawn at the size of the file, so that they stay sharp.
        picture = picture.copy()
        if self._settings.burn_name:
            lay_over(picture, burn_in(self._settings.burn_name, self.extent, right=False))
        if self._settings.burn_timecode:
            lay_over(picture, burn_in(timecode(frame, self._sequence.rate), self.extent, right=True))
        return picture

    def caption_track(self, start: int, stop: int) -> tuple[TimedCaption, ...]:
        """The captions of the range for a track in the file, or nothing."""
        return timed_captions(self._sequence, start, stop) if self._settings.caption_track else ()


def timed_captions(sequence: Sequence, start: int, stop: int) -> tuple[TimedCaption, ...]:
    """Captions of sequence frames [start, stop) in seconds from its beginning."""
    from gen2studio.media.encoder_captions import TimedCaption

    return tuple(
        TimedCaption(
            max(0, found.start - start) / sequence.rate, (min(found.end, stop) - start) / sequence.rate, found.text
        )
        for found in sequence.subtitles
        if found.start < stop and found.end > start
    )


def _resized(picture: Pixels, extent: Extent) -> Pixels:
    """Area average downwards, Lanczos upwards; colour is premultiplied where there is alpha."""
    import cv2

    height, width = picture.shape[:2]
    method = cv2.INTER_AREA if extent.width <= width and extent.height <= height else cv2.INTER_LANCZOS4
    size = (extent.width, extent.height)
    if picture.shape[2] == 3:
        return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
    values = picture.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    values = np.clip(cv2.resize(values, size, interpolation=method), 0, 255)
    values[..., :3] *= 255 / np.maximum(values[..., 3:], 1e-3)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
