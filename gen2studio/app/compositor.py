"""What a sequence looks like at a moment: its clips laid over each other, for viewer and exports alike.

The work is in three steps that may lie on different threads: :class:`~gen2studio.app.compositor_stack.StackBuilder`
says what is shown, :func:`gathered` decodes it in the order of the frames, :func:`composed` makes the picture of it -
a pure function, at any size. An untouched single clip is not composited at all.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from gen2studio.app.compositor_geometry import fitted, matrix_of
from gen2studio.app.compositor_stack import Crossing, Layer, Stack, StackBuilder, clip_at
from gen2studio.core.errors import MediaError, ProjectError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.document.model import Document, MediaItem, Sequence
from gen2studio.engine.take_store import frame_name
from gen2studio.media import codecs

if TYPE_CHECKING:
    from av.video.frame import VideoFrame
    from numpy.typing import NDArray

    from gen2studio.media.decoder import Decoder, Picture

__all__ = [
    "Layer", "OfflinePixels", "PixelSource", "SequenceRenderer", "clip_at", "composed", "fitted", "gathered",
    "sequence_of",
]  # fmt: skip

Pixels: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 3) RGB or (H, W, 4) straight-alpha RGBA, uint8, sRGB-like display values."""
Bgra: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 4) uint8 BGRA, premultiplied alpha."""
PictureKey: TypeAlias = "tuple[str, int]"
"""(media or take id, frame) of a layer's picture."""
Pictures: TypeAlias = "Mapping[PictureKey, Picture]"


class PixelSource(Protocol):
    """Where a renderer gets its pictures; injected, so that the window and an export can bring their own."""

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        """Media frame on screen at ``seconds``."""
        ...

    def source(self, item: MediaItem, index: int) -> Picture:
        """A media frame. Raises MediaError."""
        ...

    def take(self, take_id: str, index: int) -> Picture:
        """A take's frame. Raises MediaError."""
        ...


class OfflinePixels:
    """Pictures straight from the files, for exports: one open decoder a media, the least recently used closed first."""

    def __init__(self, take_folder: Callable[[str], Path], open_files: int = 8) -> None:
        """``take_folder(take_id)`` is the folder of a take's PNGs (:meth:`TakeStore.path`)."""
        self._take_folder = take_folder
        self._open_files = open_files
        self._decoders: OrderedDict[str, Decoder] = OrderedDict()
        self._last: OrderedDict[PictureKey, Picture] = OrderedDict()
        self._gone: list[str] = []

    def _decoder(self, item: MediaItem) -> Decoder:
        codecs.load()
        from gen2studio.media.decoder import open_decoder

        decoder = self._decoders.pop(item.id, None)
        if decoder is None:
            while len(self._decoders) >= self._open_files:
                old = self._decoders.popitem(last=False)[1]
                self._gone += old.warnings
                old.close()
            decoder = open_decoder(Path(item.path), item.info)
        self._decoders[item.id] = decoder
        return decoder

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        return self._decoder(item).clock.index_at(seconds)

    def source(self, item: MediaItem, index: int) -> Picture:
        return self._kept((item.id, index), lambda: self._decoder(item).picture(index))

    def planes(self, item: MediaItem, index: int) -> VideoFrame | None:
        """The decoded frame itself when it needs nothing but its colour conversion for display, else None."""
        codecs.load()
        from gen2studio.media.decoder_colour import PlanarPicture

        picture = self.source(item, index)
        if not isinstance(picture, PlanarPicture) or picture.orientation != 1 or picture.has_alpha:
            return None
        upright = (picture.frame.width, picture.frame.height) == (picture.extent.width, picture.extent.height)
        return picture.frame if upright else None

    def take(self, take_id: str, index: int) -> Picture:
        return self._kept((take_id, index), lambda: read_picture(self._take_folder(take_id) / frame_name(index)))

    def _kept(self, key: PictureKey, read: Callable[[], Picture]) -> Picture:
        # A 24 fps clip in a 60 fps sequence shows each frame two or three times, on each of its tracks.
        picture = self._last.pop(key, None)
        if picture is None:
            while len(self._last) >= self._open_files:
                self._last.popitem(last=False)
            picture = read()
        self._last[key] = picture
        return picture

    def warnings(self) -> tuple[str, ...]:
        """Damage the decoders met, in plain sentences."""
        found = [*self._gone, *(sentence for decoder in self._decoders.values() for sentence in decoder.warnings)]
        return tuple(dict.fromkeys(found))

    def close(self) -> None:
        while self._decoders:
            self._decoders.popitem()[1].close()
        self._last.clear()


def read_picture(path: Path) -> Picture:
    """A PNG of a take. Raises MediaError."""
    import cv2

    codecs.load()
    from gen2studio.media.decoder_colour import ArrayPicture

    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise MediaError(f"{path.name} is missing from the take.", "Render the take again.") from None
    picture = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    if picture is None or picture.dtype != np.uint8:
        raise MediaError(f"{path.name} of the take is damaged.", "Render the take again.")
    if picture.ndim == 2:
        pixels = cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB)
    else:
        pixels = cv2.cvtColor(picture, cv2.COLOR_BGRA2RGBA if picture.shape[2] == 4 else cv2.COLOR_BGR2RGB)
    return ArrayPicture(np.asarray(pixels, np.uint8), Extent(picture.shape[1], picture.shape[0]))


def sequence_of(document: Document, sequence_id: str = "") -> Sequence:
    """The named or the active sequence. Raises ProjectError."""
    sequence = document.sequences.get(sequence_id or document.active_sequence)
    if sequence is None:
        raise ProjectError("The project has no such timeline.", "Open a project with a timeline.")
    return sequence


# -- pictures of a stack ---------------------------------------------------------------------------------------------


def picture_key(layer: Layer) -> PictureKey:
    return (layer.take_id or layer.item.id, layer.index)


def gathered(stack: Stack, source: PixelSource) -> Pictures:
    """Every picture that ``stack`` needs, decoded but not converted: frames gathered in order are decoded in order.
    Raises MediaError."""
    found: dict[PictureKey, Picture] = {}
    for layer in stack.layers():
        key = picture_key(layer)
        if layer.nested is None and key not in found:
            taken = layer.take_id
            found[key] = source.take(taken, layer.index) if taken else source.source(layer.item, layer.index)
    return found


def composed(stack: Stack, pictures: Pictures, size: Extent | None = None) -> Bgra:
    """The frame at ``size`` (None = the sequence's), clear where nothing lies. Any thread; the array is the caller's.

    ``pictures`` are those of :func:`gathered`.
    """
    return _Composition(pictures).frame(stack, size or stack.frame)


class _Composition:
    """One call of :func:`composed`."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures

    def frame(self, stack: Stack, size: Extent) -> Bgra:
        from gen2studio.raster.blending import lay

        canvas: Bgra | None = None
        for entry in stack.entries:
            if canvas is None:
                # What lies lowest has nothing to blend with.
                canvas = self._first(entry, size)
            elif isinstance(entry, Layer):
                self._lay(entry, canvas)
            else:
                canvas = self._cross(entry, canvas)
        if canvas is None:
            canvas = _clear(size)
        if stack.captions and stack.style is not None:
            from gen2studio.app.compositor_titles import caption_picture

            words, area = caption_picture("\n".join(stack.captions), stack.style, size)
            if not area.empty:
                lay(canvas[area.y : area.bottom, area.x : area.right], words, opaque=False)
        return canvas

    def _first(self, entry: Layer | Crossing, size: Extent) -> Bgra:
        if isinstance(entry, Crossing):
            return self._cross(entry, _clear(size))
        pixels, area, opaque = self._placed(entry, size)
        if area == Rect.of(size) and entry.opacity >= 1:
            return pixels
        canvas = _clear(size)
        self._put(canvas, pixels, area, entry, opaque)
        return canvas

    def _lay(self, layer: Layer, canvas: Bgra) -> None:
        pixels, area, opaque = self._placed(layer, Extent(canvas.shape[1], canvas.shape[0]))
        self._put(canvas, pixels, area, layer, opaque)

    @staticmethod
    def _put(canvas: Bgra, pixels: Bgra, area: Rect, layer: Layer, opaque: bool) -> None:
        from gen2studio.raster.blending import lay

        if not area.empty:
            part = canvas[area.y : area.bottom, area.x : area.right]
            lay(part, pixels, layer.blend, layer.opacity, opaque=opaque)

    def _alone(self, layer: Layer | None, size: Extent) -> Bgra:
        """A layer's picture on the whole frame, clear around it."""
        from gen2studio.raster.blending import faded

        if layer is None:
            return _clear(size)
        pixels, area, _ = self._placed(layer, size)
        pixels = faded(pixels, layer.opacity)
        if area == Rect.of(size):
            return pixels
        canvas = _clear(size)
        canvas[area.y : area.bottom, area.x : area.right] = pixels
        return canvas

    def _cross(self, entry: Crossing, canvas: Bgra) -> Bgra:
        from gen2studio.raster import transitions
        from gen2studio.raster.blending import lay

        size = Extent(canvas.shape[1], canvas.shape[0])
        t, kind = entry.transition, entry.transition.kind.value
        modes = [side.blend if side is not None else "normal" for side in (entry.left, entry.right)]
        if modes[0] == modes[1]:
            both = self._alone(entry.left, size), self._alone(entry.right, size)
            picture = transitions.joined(*both, kind, entry.progress, t.angle, t.softness, t.colour)
            lay(canvas, picture, modes[0])
            return canvas
        if kind in transitions.MOVING:
            places = transitions.offsets(kind, entry.progress, size, t.angle)
            for side, place, mode in zip((entry.left, entry.right), places, modes, strict=True):
                lay(canvas, transitions.moved(self._alone(side, size), *place), mode)
            return canvas
        # Each blends with what lies below in its own way: what comes of that goes over from one to the other.
        sides: list[Bgra] = []
        for side in (entry.left, entry.right):
            below = canvas.copy()
            if side is not None:
                self._lay(side, below)
            sides.append(below)
        return transitions.joined(sides[0], sides[1], kind, entry.progress, t.angle, t.softness, t.colour)

    def _placed(self, layer: Layer, size: Extent) -> tuple[Bgra, Rect, bool]:
        """A layer's pixels, where on a frame of ``size`` they lie, and whether they hide it there."""
        from gen2studio.raster import warping

        opaque = not layer.has_alpha
        if layer.pose is None:
            area = fitted(layer.extent, size)
            return self._pixels(layer, Extent(area.width, area.height)), area, opaque
        matrix = matrix_of(layer.pose, layer.extent, size)
        if layer.pose.crop == warping.WHOLE:
            upright = warping.lies_on_pixels(matrix)
            if upright is not None and not upright.empty and upright.width <= 2 * size.width:
                area = upright.intersected(Rect.of(size))
                pixels = self._pixels(layer, Extent(upright.width, upright.height))
                x, y = area.x - upright.x, area.y - upright.y
                return pixels[y : y + max(0, area.height), x : x + max(0, area.width)], area, opaque
        area = warping.reach(matrix, size, layer.pose.crop)
        if area.empty:
            return _clear(Extent(1, 1)), Rect(0, 0, 0, 0), False
        native = layer.extent if layer.nested is not None else self._pictures[picture_key(layer)].extent
        pixels = self._pixels(layer, warping.needed(matrix, native))
        return warping.warped(pixels, matrix, area, layer.pose.crop), area, False

    def _pixels(self, layer: Layer, size: Extent) -> Bgra:
        if layer.nested is not None:
            return self.frame(layer.nested, size)
        return self._pictures[picture_key(layer)].bgra(size)


def _clear(size: Extent) -> Bgra:
    return np.zeros((size.height, size.width, 4), np.uint8)


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
        self._stacks = StackBuilder(document, frame_of.index_at)
        self._kept: tuple[int, Stack] | None = None
        self._lock = threading.Lock()

    def stack(self, frame: int) -> Stack:
        """What is on screen at ``frame``. Raises MediaError."""
        with self._lock:
            if self._kept is None or self._kept[0] != frame:
                self._kept = (frame, self._stacks.stack(self.sequence, frame))
            return self._kept[1]

    def layers(self, frame: int) -> tuple[Layer, ...]:
        """The clips on screen at ``frame``, bottom first: nothing below the topmost opaque picture."""
        return tuple(self.stack(frame).layers())

    def picture(self, frame: int) -> Pixels:
        """(H, W, 3) RGB of the sequence size, or (H, W, 4) straight RGBA with ``alpha``. Raises MediaError."""
        stack = self.stack(frame)
        return self.made(stack, self.gathered(stack))

    def gathered(self, stack: Stack) -> Pictures:
        """Decoded pictures of a stack, for :meth:`made`: call it in the order of the frames, on one thread."""
        return gathered(stack, self._pixels)

    def made(self, stack: Stack, pictures: Pictures) -> Pixels:
        """:meth:`picture` of a stack whose pictures were gathered. Any thread."""
        from gen2studio.media.decoder_colour import unpremultiplied

        plain = stack.plain
        if plain is not None:
            picture = pictures[picture_key(plain)]
            if picture.extent == self.extent and (not plain.has_alpha or self._alpha):
                # Straight from the decoder: alpha isn't multiplied in only to be divided out again.
                return picture.rgba() if self._alpha else picture.rgb()
        import cv2

        canvas = composed(stack, pictures)
        if self._alpha:
            return np.asarray(cv2.cvtColor(unpremultiplied(canvas), cv2.COLOR_BGRA2RGBA), np.uint8)
        # Premultiplied colours are what they look like over black.
        return np.asarray(cv2.cvtColor(canvas, cv2.COLOR_BGRA2RGB), np.uint8)
