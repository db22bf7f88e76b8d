"""Importing mattes: where each image of a matte file goes, its mattes as rasters, and the document with them.

Reading is one blocking call on any thread; nothing of the document changes until all of it was read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import EditRefused, MediaError
from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document import masks as edits
from gen2studio.document.model import Document, MaskFrame, MediaItem
from gen2studio.media.matte_fit import check_fit, fitted
from gen2studio.media.matte_kinds import IDS, MatteFile, MatteFit
from gen2studio.raster.tiles import Mask, TileStore

Rgb = NDArray[np.uint8]
Progress = Callable[[int, int], None]
"""(done, total) images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MatteImport:
    """How a matte file becomes mask objects."""

    carrier: str = ""
    """alpha, luma, ids or layers; empty = what was found out."""
    layers: frozenset[str] | None = None
    """Keys of the layers to take; None = those that look like mattes."""
    invert: bool = False
    first_frame: int | None = None
    """The media frame the first image goes to; None = see :func:`first_frame_of`."""
    fit: MatteFit = MatteFit.SAME
    anchors: bool = True
    """True: imported frames count as drawn by hand. False: as propagated, at full confidence."""
    hold: bool = False
    """A still goes to every frame of the clip instead of one."""
    object_id: str = ""
    """Take a single layer into this object, over its frames; empty = new objects."""
    name: str = ""
    """For the new object of a single layer; empty = the layer's or the file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Where the images of a file go."""

    frames: tuple[tuple[int, int], ...]
    """(position in the file, media frame)"""
    notes: tuple[str, ...]
    """What the artist should know before importing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLayer:
    """One layer after reading: an object to be."""

    key: str
    name: str
    frames: tuple[tuple[int, MaskRaster], ...]


def first_frame_of(file: MatteFile, frame_count: int, current: int = 0) -> int:
    """The media frame that a file's first image most likely belongs to.

    Numbers in file names are media frames where they fit into the clip; runs that start at 1 and are as long as the
    clip, or are numbered beyond it (1001, 1002, …), begin at its first frame. A still without a number goes to the
    ``current`` frame.
    """
    if file.kind is MediaKind.STILL and (not file.numbered or file.numbers[0] >= frame_count):
        return current
    if file.kind is MediaKind.VIDEO:
        return 0
    first, last = file.numbers[0], file.numbers[-1]
    if last >= frame_count or (first == 1 and last == frame_count):
        return 0
    return first


def arrange(file: MatteFile, settings: MatteImport, info: MediaInfo, current: int = 0) -> Arrangement:
    """Where each image goes on a media of ``info``, and what to know about it.

    Raises MediaError when shapes differ and ``settings.fit`` does not say what to do, or no image falls into the clip.
    """
    count = max(1, info.frame_count)
    stored = Extent(max(1, info.coded_width), max(1, info.coded_height))
    if info.pixel_aspect != 1 and file.extent == stored and settings.fit is MatteFit.SAME:
        note = f"The mattes have the clip's stored size {stored} and are stretched to {info.extent} like its picture."
    else:
        note = check_fit(file.extent, info.extent, settings.fit, file.path.name)
    notes = [note] if note else []
    first = settings.first_frame
    if first is None:
        first = first_frame_of(file, count, current)
    if file.kind is MediaKind.STILL and settings.hold:
        return Arrangement(frames=tuple((0, frame) for frame in range(count)), notes=tuple(notes))
    start = file.numbers[0]
    places = tuple((position, first + number - start) for position, number in enumerate(file.numbers))
    inside = tuple((position, frame) for position, frame in places if 0 <= frame < count)
    if not inside:
        raise MediaError(
            f"No image of “{file.path.name}” falls into the clip, which has frames 0 to {count - 1}.",
            "Choose another first frame.",
        )
    cut = len(places) - len(inside)
    if cut:
        notes.append(f"{_images(cut)} outside the clip's {count} frames {'is' if cut == 1 else 'are'} left out.")
    if file.kind is not MediaKind.STILL:
        rest = count - len(inside)
        if rest:
            notes.append(
                f"The file fills {len(inside)} of the clip's {count} frames; the other {rest} "
                f"{'stays as it is' if rest == 1 else 'stay as they are'}."
            )
    if file.kind is MediaKind.VIDEO and file.rate and info.rate and file.rate != info.rate:
        notes.append(
            f"The mattes run at {float(file.rate):.4g} frames a second, the clip at {float(info.rate):.4g}: "
            "they are matched frame by frame."
        )
    return Arrangement(frames=inside, notes=tuple(notes))


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def chosen_layers(file: MatteFile, settings: MatteImport) -> frozenset[str]:
    """Keys of the layers that an import takes. Raises MediaError when there are none."""
    offered = file.layers_of(file.require(settings.carrier))
    chosen = settings.layers if settings.layers is not None else frozenset(x.key for x in offered if x.chosen)
    if not chosen:
        raise MediaError(f"No layer of “{file.path.name}” is chosen.", "Choose the layers to import.")
    return chosen


def preview(file: MatteFile, settings: MatteImport, extent: Extent, position: int = 0) -> Mask:
    """Image ``position`` as it would be imported, all chosen layers together: (H, W) uint8. Raises MediaError."""
    from gen2studio.media.matte_reader import MatteReader

    fit = MatteFit.FIT if settings.fit is MatteFit.SAME else settings.fit
    reader = MatteReader(file, settings.carrier)
    try:
        chosen = chosen_layers(file, settings)
        found = [matte for key, matte in reader.read(position).items() if key in chosen]
    finally:
        reader.close()
    shape = (file.extent.height, file.extent.width)
    united = np.asarray(np.maximum.reduce(found) if found else np.zeros(shape, np.uint8), np.uint8)
    united = 255 - united if settings.invert else united
    return fitted(united, extent, fit)


def preview_picture(
    file: MatteFile, settings: MatteImport, item: MediaItem, position: int, current: int, side: int
) -> Rgb:
    """What an import would do with image ``position``, before it: the picture it goes to, dark outside the matte.

    An image that falls outside the clip is shown over the frame on screen, ``current``. (H, W, 3) uint8 with no side
    above ``side`` pixels. Raises MediaError.
    """
    import cv2

    from gen2studio.media.decoder import open_decoder

    full = item.info.extent
    frame = current
    if not settings.hold:
        with contextlib.suppress(MediaError):
            frame = dict(arrange(file, settings, item.info, current).frames).get(position, current)
    matte = preview(file, settings, full, position)
    small = full.scaled_to_fit(Extent(side, side)) if max(full.width, full.height) > side else full
    decoder = open_decoder(Path(item.path), item.info)
    try:
        picture = decoder.rgb(frame, small)
    finally:
        decoder.close()
    weight = np.asarray(cv2.resize(matte, (small.width, small.height), interpolation=cv2.INTER_AREA), np.float32)
    shown = picture * (np.float32(0.22) + np.float32(0.78 / 255) * weight[..., None])
    return np.ascontiguousarray(np.rint(shown), np.uint8)


def read_mattes(
    file: MatteFile,
    settings: MatteImport,
    arrangement: Arrangement,
    extent: Extent,
    tiles: TileStore,
    *,
    cancel: CancelToken | None = None,
    on_progress: Progress | None = None,
) -> tuple[ReadLayer, ...]:
    """Read every image; blocks. Raises MediaError, and Cancelled; the document knows nothing of it yet.

    Layers keep the file's order. Objects that the sample of images did not show are found on the way.
    """
    from gen2studio.media.matte_reader import MatteReader

    carrier = settings.carrier or file.carrier
    offered = {layer.key: layer.title for layer in file.layers_of(carrier)}
    chosen = chosen_layers(file, settings)
    blank = MaskRaster(extent.width, extent.height)
    tracks: dict[str, dict[int, MaskRaster]] = {key: {} for key in offered if key in chosen}
    reader = MatteReader(file, carrier)
    try:
        held: tuple[int, dict[str, MaskRaster]] | None = None
        for done, (position, frame) in enumerate(arrangement.frames):
            if cancel is not None:
                cancel.check()
            if held is None or held[0] != position:
                mattes = reader.read(position)
                held = position, {}
                for key, matte in mattes.items():
                    if key in chosen or (key not in offered and carrier == IDS):
                        shown = 255 - matte if settings.invert else matte
                        held[1][key] = tiles.pack(fitted(shown, extent, settings.fit))
            for key in held[1].keys() - tracks.keys():
                tracks[key] = {before: blank for _, before in arrangement.frames[:done]}
            for key, track in tracks.items():
                track[frame] = held[1].get(key, blank)
            if on_progress is not None:
                on_progress(done + 1, len(arrangement.frames))
    finally:
        reader.close()
    if not any(not raster.is_empty for track in tracks.values() for raster in track.values()):
        raise MediaError(
            f"Every matte of “{file.path.name}” is empty.",
            "Choose another channel, or invert it.",
        )
    stem = file.path.stem.rstrip("0123456789").rstrip("_-. ") or file.path.stem
    several = len(tracks) > 1
    return tuple(
        ReadLayer(
            key=key,
            name=(settings.name if settings.name and not several else "")
            or offered.get(key, "")
            or (f"Object {key.removeprefix('id:')}" if carrier == IDS else stem),
            frames=tuple(track.items()),
        )
        for key, track in tracks.items()
    )


def with_mattes(
    document: Document, media_id: str, settings: MatteImport, layers: tuple[ReadLayer, ...]
) -> tuple[Document, tuple[str, ...]]:
    """The document with the layers as objects of a media, and the ids of these objects. Raises EditRefused."""
    if settings.object_id and len(layers) > 1:
        raise EditRefused("Several layers can't go into one object.", "Import them as new objects.")
    ids: list[str] = []
    for layer in layers:
        object_id = settings.object_id
        if not object_id:
            object_id = new_id("mask")
            taken = {m.name for m in document.masks_of(media_id)}
            name = next(
                n for n in (layer.name, *(f"{layer.name} {k}" for k in range(2, len(taken) + 3))) if n not in taken
            )
            document = edits.add_object(document, media_id, name, object_id=object_id)
        owner = edits.mask_of(document, object_id)
        if owner.media_id != media_id:
            raise EditRefused(f"{owner.name} belongs to another clip.", "Choose an object of this clip.")
        document = edits.set_frames(
            document,
            object_id,
            {f: MaskFrame(raster=raster, anchor=settings.anchors, confidence=1.0) for f, raster in layer.frames},
        )
        ids.append(object_id)
    return document, tuple(ids)


def kept_anchors(document: Document, ids: tuple[str, ...], layers: tuple[ReadLayer, ...]) -> int:
    """How many frames an import as propagated left as they were, because they had been drawn by hand."""
    return sum(
        document.masks[object_id].frames[frame].raster != raster
        for object_id, layer in zip(ids, layers, strict=True)
        for frame, raster in layer.frames
    )


def summary(layers: tuple[ReadLayer, ...]) -> str:
    """``60 mattes of dog`` or ``3 objects of 60 mattes``."""
    count = max(len(layer.frames) for layer in layers)
    mattes = "1 matte" if count == 1 else f"{count} mattes"
    return f"{mattes} of {layers[0].name}" if len(layers) == 1 else f"{len(layers)} objects of {mattes}"
