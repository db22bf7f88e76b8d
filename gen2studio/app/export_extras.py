"""Files that go with an export: captions as SRT, mattes of the tracks and of the masks on screen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.app.compositor import OfflinePixels, PixelSource, SequenceRenderer, sequence_of
from gen2studio.app.export_picture import timed_captions
from gen2studio.app.export_values import ExportSettings
from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import ExportError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.paths import write_atomic
from gen2studio.document.model import Document, MediaItem, Sequence, TrackKind
from gen2studio.media.resumption import Resumption
from gen2studio.raster.tiles import TileStore

if TYPE_CHECKING:
    from gen2studio.media.decoder import Picture
    from gen2studio.media.encoder_captions import TimedCaption

_PLAIN = re.compile(r"[^\w\- ]+")


def write_extras(
    document: Document,
    settings: ExportSettings,
    path: Path,
    frames: tuple[int, int],
    take_folder: Callable[[str], Path],
    cancel: CancelToken,
    tiles: TileStore | None = None,
    resumption: Resumption | None = None,
) -> tuple[Path, ...]:
    """Write what ``settings`` ask for beside ``path``, for sequence frames [start, stop).

    Each file or folder appears complete or not at all. ``tiles`` hold the masks of the document; with a ``resumption``
    pictures that an interrupted run finished are kept. Raises ExportError,
    MediaError or Cancelled.
    """
    from gen2studio.media.encoder import writing

    made: list[Path] = []
    sequence = sequence_of(document)
    if settings.srt:
        target = path.with_suffix(".srt") if path.suffix else path.with_name(path.name + ".srt")
        with writing(target):
            write_atomic(target, srt_text(timed_captions(sequence, *frames)).encode())
        made.append(target)
    if settings.track_mattes:
        for number, track in enumerate(sequence.video_tracks, 1):
            if track.muted or not track.clips:
                continue
            folder = path.with_name(f"{path.stem} {_name(track.name, f'V{number}')} matte")
            pixels = OfflinePixels(take_folder)
            try:
                _write_alpha(_only(document, sequence, track.id), pixels, folder, frames, cancel, resumption, channel=3)
            finally:
                pixels.close()
            made.append(folder)
    if settings.mask_mattes:
        if tiles is None:
            raise ExportError("The masks of the project can't be read.", "Export without mattes of masks.")
        folder = path.with_name(f"{path.stem} masks matte")
        source = _MaskPixels(document, tiles, take_folder)
        try:
            _write_alpha(document, source, folder, frames, cancel, resumption, channel=0)
        finally:
            source.close()
        made.append(folder)
    return tuple(made)


def srt_text(captions: tuple[TimedCaption, ...]) -> str:
    """A SubRip file."""
    parts = [f"{n}\n{_stamp(c.start)} --> {_stamp(c.end)}\n{c.text.strip()}\n" for n, c in enumerate(captions, 1)]
    return "\n".join(parts)


def _stamp(seconds: Fraction) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"


def _name(name: str, otherwise: str) -> str:
    return _PLAIN.sub("", name).strip() or otherwise


def _only(document: Document, sequence: Sequence, track_id: str) -> Document:
    """The document with every other picture track hidden, and no captions."""
    tracks = tuple(
        replace(track, muted=track.id != track_id, solo=False) if track.kind is TrackKind.VIDEO else track
        for track in sequence.tracks
    )
    style = replace(sequence.subtitle_style, shown=False)
    changed = replace(sequence, tracks=tracks, subtitle_style=style)
    return replace(document, sequences=frozen_map({**document.sequences, sequence.id: changed}))


def _write_alpha(
    document: Document,
    pixels: PixelSource,
    folder: Path,
    frames: tuple[int, int],
    cancel: CancelToken,
    resumption: Resumption | None,
    *,
    channel: int,
) -> None:
    """One channel of each frame as grey PNGs: with ``channel`` 3 the alpha over nothing, else of the picture."""
    from gen2studio.media.encoder_images import ImageSequenceWriter

    renderer = SequenceRenderer(document, pixels, alpha=channel == 3)
    sequence = renderer.sequence
    extent = Extent(sequence.width, sequence.height)
    with ImageSequenceWriter(folder, extent, first=frames[0], grey=True, resumption=resumption) as writer:
        for frame in range(*frames):
            cancel.check()
            if frame in writer.kept:
                writer.skip(frame)
                continue
            writer.write(np.ascontiguousarray(renderer.picture(frame)[..., channel]))


class _MaskPixels:
    """A pixel source that shows, in place of each clip's picture, the united matte of its masks: white on black."""

    def __init__(self, document: Document, tiles: TileStore, take_folder: Callable[[str], Path]) -> None:
        from gen2studio.app.mattes import MatteSource

        self._document = document
        self._files = OfflinePixels(take_folder)
        self._mattes = MatteSource(document, tiles)

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        return self._files.index_at(item, seconds)

    def source(self, item: MediaItem, index: int) -> Picture:
        from gen2studio.media.decoder_colour import ArrayPicture

        owners = [owner.id for owner in self._document.masks_of(item.id)]
        extent = item.info.extent
        matte = self._mattes.region(owners, index) if owners else np.zeros((extent.height, extent.width), np.uint8)
        return ArrayPicture(np.repeat(matte[..., None], 3, axis=2), extent)

    def take(self, take_id: str, index: int) -> Picture:
        # A take has the frames of its media, and so its masks.
        return self.source(self._document.media[self._document.takes[take_id].media_id], index)

    def close(self) -> None:
        self._mattes.close()
        self._files.close()
