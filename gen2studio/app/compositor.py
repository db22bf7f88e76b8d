"""What a sequence looks like at a moment: the topmost visible clip, fitted into the frame, over what lies below it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from gen2studio.app.reframing import place as placed
from gen2studio.core.errors import MediaError, ProjectError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, MediaItem, Sequence
from gen2studio.engine.take_store import frame_name
from gen2studio.media import codecs

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from gen2studio.media.decoder import Decoder

Pixels: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 3) RGB or (H, W, 4) straight-alpha RGBA, uint8, sRGB-like display values."""


class PixelSource(Protocol):
    """Where a renderer gets its pixels; injected, so that the window and an export can bring their own."""

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        """Media frame on screen at ``seconds``."""
        ...

    def source(self, item: MediaItem, index: int) -> Pixels:
        """A media frame at display size. Raises MediaError."""
        ...

    def take(self, take_id: str, index: int) -> Pixels:
        """A take's frame at the take's own size. Raises MediaError."""
        ...


class OfflinePixels:
    """Pixels straight from the files, for exports: one open decoder a media, the least recently used closed first."""

    def __init__(self, take_folder: Callable[[str], Path], open_files: int = 6) -> None:
        """``take_folder(take_id)`` is the folder of a take's PNGs (:meth:`TakeStore.path`)."""
        self._take_folder = take_folder
        self._open_files = open_files
        self._decoders: OrderedDict[str, Decoder] = OrderedDict()
        self._last: tuple[tuple[str, int], Pixels] | None = None

    def _decoder(self, item: MediaItem) -> Decoder:
        codecs.load()
        from gen2studio.media.decoder import open_decoder

        decoder = self._decoders.pop(item.id, None)
        if decoder is None:
            while len(self._decoders) >= self._open_files:
                self._decoders.popitem(last=False)[1].close()
            decoder = open_decoder(Path(item.path), item.info)
        self._decoders[item.id] = decoder
        return decoder

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        return self._decoder(item).clock.index_at(seconds)

    def source(self, item: MediaItem, index: int) -> Pixels:
        # A 24 fps clip in a 60 fps sequence shows each frame two or three times.
        key = (item.id, index)
        if self._last is None or self._last[0] != key:
            decoder = self._decoder(item)
            self._last = (key, decoder.rgba(index) if item.info.has_alpha else decoder.rgb(index))
        return self._last[1]

    def planes(self, item: MediaItem, index: int) -> VideoFrame | None:
        """The decoded frame itself when it needs nothing but its colour conversion for display, else None."""
        from gen2studio.media.decoder_colour import PlanarPicture

        picture = self._decoder(item).picture(index)
        if not isinstance(picture, PlanarPicture) or picture.orientation != 1 or picture.has_alpha:
            return None
        upright = (picture.frame.width, picture.frame.height) == (picture.extent.width, picture.extent.height)
        return picture.frame if upright else None

    def take(self, take_id: str, index: int) -> Pixels:
        key = (take_id, index)
        if self._last is None or self._last[0] != key:
            self._last = (key, read_picture(self._take_folder(take_id) / frame_name(index)))
        return self._last[1]

    def warnings(self) -> tuple[str, ...]:
        """Damage the open decoders met, in plain sentences."""
        return tuple(sentence for decoder in self._decoders.values() for sentence in decoder.warnings)

    def close(self) -> None:
        while self._decoders:
            self._decoders.popitem()[1].close()
        self._last = None


def read_picture(path: Path) -> Pixels:
    """A PNG as RGB or, when it has alpha, straight RGBA. Raises MediaError."""
    import cv2

    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise MediaError(f"{path.name} is missing from the take.", "Render the take again.") from None
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if picture is None or picture.dtype != np.uint8:
        raise MediaError(f"{path.name} of the take is damaged.", "Render the take again.")
    if picture.ndim == 2:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    code = cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(picture, code), np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One clip's contribution to a sequence frame."""

    clip: Clip
    item: MediaItem
    index: int
    """Media frame."""
    take_id: str
    """Empty when the source is shown."""
    has_alpha: bool


def sequence_of(document: Document, sequence_id: str = "") -> Sequence:
    """The named or the active sequence. Raises ProjectError."""
    sequence = document.sequences.get(sequence_id or document.active_sequence)
    if sequence is None:
        raise ProjectError("The project has no such timeline.", "Open a project with a timeline.")
    return sequence


def clip_at(clips: tuple[Clip, ...], frame: int) -> Clip | None:
    """The clip that covers sequence ``frame``, by bisection: clips are sorted and never overlap."""
    low, high = 0, len(clips)
    while low < high:
        middle = (low + high) // 2
        if clips[middle].end <= frame:
            low = middle + 1
        else:
            high = middle
    return clips[low] if low < len(clips) and clips[low].start <= frame else None


def fitted(extent: Extent, frame: Extent) -> Rect:
    """Where media of ``extent`` lies inside ``frame``: as large as it fits, centred (letterbox or pillarbox)."""
    size = extent.scaled_to_fit(frame)
    return Rect((frame.width - size.width) // 2, (frame.height - size.height) // 2, size.width, size.height)


def resized(picture: Pixels, extent: Extent) -> Pixels:
    """``picture`` at ``extent``: area average downwards, Lanczos upwards; colour is premultiplied where there is alpha,
    so that hidden colour does not bleed into edges."""
    import cv2

    height, width = picture.shape[:2]
    if (width, height) == (extent.width, extent.height):
        return picture
    shrinking = extent.width <= width and extent.height <= height
    method = cv2.INTER_AREA if shrinking else cv2.INTER_LANCZOS4
    size = (extent.width, extent.height)
    if picture.shape[2] == 3:
        return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)
    values = picture.astype(np.float32)
    values[..., :3] *= values[..., 3:] / 255
    values = np.clip(cv2.resize(values, size, interpolation=method), 0, 255)
    values[..., :3] *= 255 / np.maximum(values[..., 3:], 1e-3)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def over(top: Pixels, below: Pixels) -> None:
    """Lay straight-alpha RGBA ``top`` over ``below`` (RGB or straight RGBA) in place (Porter and Duff, 1984)."""
    alpha = top[..., 3:].astype(np.float32) / 255
    if below.shape[2] == 3:
        mixed = top[..., :3] * alpha + below * (1 - alpha)
        below[...] = np.rint(mixed).astype(np.uint8)
        return
    under = below[..., 3:].astype(np.float32) / 255 * (1 - alpha)
    total = alpha + under
    colour = (top[..., :3] * alpha + below[..., :3] * under) / np.maximum(total, 1e-6)
    below[..., :3] = np.rint(colour).astype(np.uint8)
    below[..., 3:] = np.rint(total * 255).astype(np.uint8)


class SequenceRenderer:
    """Renders the frames of one sequence. As thread-safe as its pixel source."""

    def __init__(
        self, document: Document, frame_of: PixelSource, sequence_id: str = "", *, alpha: bool = False
    ) -> None:
        """With ``alpha`` pictures are RGBA and gaps transparent, else RGB and gaps black. Raises ProjectError."""
        self.document = document
        self.sequence = sequence_of(document, sequence_id)
        self.extent = Extent(self.sequence.width, self.sequence.height)
        self._pixels = frame_of
        self._alpha = alpha

    def layers(self, frame: int) -> tuple[Layer, ...]:
        """What is on screen at ``frame``, bottom first: nothing below the topmost opaque picture."""
        return tuple(reversed(tuple(self._from_top(frame))))

    def _from_top(self, frame: int) -> Iterator[Layer]:
        for track in reversed(self.sequence.video_tracks):
            clip = None if track.muted else clip_at(track.clips, frame)
            if clip is None or not clip.enabled:
                continue
            layer = self._layer(clip, frame)
            if layer is None:
                continue
            yield layer
            if not layer.has_alpha:
                # The topmost visible clip wins whole: its letterbox is black too, not a window to the track below.
                return

    def _layer(self, clip: Clip, frame: int) -> Layer | None:
        item = self.document.media.get(clip.media_id)
        if item is None:
            raise MediaError(
                f"The media of the clip “{clip.name}” is not in the project.", "Relink or delete the clip."
            )
        if item.info.kind is MediaKind.AUDIO:
            return None
        index = 0
        if item.info.kind is not MediaKind.STILL:
            index = self._pixels.index_at(item, clip.source_time(frame, self.sequence.rate))
        take = self.document.takes.get(clip.active_take)
        shown = take.id if take is not None and take.media_id == item.id and take.has(index) else ""
        return Layer(clip=clip, item=item, index=index, take_id=shown, has_alpha=item.info.has_alpha and not shown)

    def picture(self, frame: int) -> Pixels:
        """(H, W, 3) RGB of the sequence size, or (H, W, 4) straight RGBA with ``alpha``. Raises MediaError.

        May share memory with the pixel source's cache: read-only.
        """
        return self.composed(self.layers(frame))

    def composed(self, layers: tuple[Layer, ...]) -> Pixels:
        """:meth:`picture` of layers that :meth:`layers` gave."""
        if len(layers) == 1:
            picture = self._pixels_of(layers[0])
            if picture.shape == (self.extent.height, self.extent.width, 3) and not self._alpha:
                return picture
        canvas = np.zeros((self.extent.height, self.extent.width, 4 if self._alpha else 3), np.uint8)
        for layer in layers:
            self._lay(layer, canvas)
        return canvas

    def _pixels_of(self, layer: Layer) -> Pixels:
        if layer.take_id:
            return self._pixels.take(layer.take_id, layer.index)
        return self._pixels.source(layer.item, layer.index)

    def _lay(self, layer: Layer, canvas: Pixels) -> None:
        # A take at a reduced size still fills exactly the place of its media; one that reaches beyond it has a shape
        # of its own.
        extent = layer.item.info.extent
        take = self.document.takes.get(layer.take_id)
        if take is not None and take.look.outpaint.adds:
            reached = placed(take.look.outpaint, extent)
            extent = Extent(reached.width, reached.height)
        place = fitted(extent, self.extent)
        picture = resized(self._pixels_of(layer), Extent(place.width, place.height))
        target = canvas[place.y : place.bottom, place.x : place.right]
        if picture.shape[2] == 4:
            over(picture, target)
            return
        if self._alpha:
            canvas[..., :3] = 0
            canvas[..., 3] = 255
        else:
            canvas[...] = 0
        target[..., :3] = picture
