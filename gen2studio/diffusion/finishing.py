"""From diffused frames at the model's size and clock to the artist's frames, every one of them, at the output size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gen2studio.diffusion.between import along, between
from gen2studio.diffusion.framing import Framing, resized
from gen2studio.diffusion.gathering import on_footage
from gen2studio.diffusion.seams import met
from gen2studio.diffusion.timing import ModelClock
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import RunContext
from gen2studio.engine.reframing import footage_rect
from gen2studio.engine.requests import GenerateRequest

_LARGE = 2.0
"""Output pixels per model pixel from which on footage gets the model's colours applied instead of its pixels."""
_ON_FRAME = 0.02
_CELL = 8
"""Model pixels that a latent cell of the usual VAEs covers."""


class Finisher:
    """Fits, fills in between and emits. One per request."""

    def __init__(self, request: GenerateRequest, context: RunContext, framing: Framing, clock: ModelClock) -> None:
        self._request = request
        self._context = context
        self._framing = framing
        self._clock = clock
        self._footage = on_footage(request)
        self.applies_large = self._footage and framing.scale > _LARGE and not self._invents

    @property
    def _invents(self) -> bool:
        """What the model draws is not in the footage: its pixels are needed, not only its colours."""
        free = bool(self._request.masks) and self._request.region != "all" and self._request.fill == "free"
        return any(self._request.outpaint) or free

    def emit(
        self,
        frames: Sequence[Picture],
        first: int,
        wanted: Sequence[int],
        small_source: Callable[[int], Picture],
        tick: Callable[[int, int], None],
    ) -> None:
        """Emit the media frames ``wanted`` out of model frames ``first`` … of a run. ``small_source`` reads footage at
        the model's size; ``tick(done, total)`` is called before each."""
        if self.applies_large:
            self._emit_large(frames, first, wanted, small_source, tick)
            return
        for done, frame in enumerate(wanted):
            tick(done, len(wanted))
            at = min(max(0.0, self._clock.position(frame) - first), len(frames) - 1)
            index = int(at)
            part = at - index
            if part < _ON_FRAME or index + 1 >= len(frames):
                picture = frames[index]
            elif part > 1 - _ON_FRAME:
                picture = frames[index + 1]
            elif self._footage:
                ends = self._clock.media(first + index), self._clock.media(first + index + 1)
                picture = along(
                    frames[index], frames[index + 1], part,
                    small_source(ends[0]), small_source(frame), small_source(ends[1]),
                )  # fmt: skip
            else:
                picture = between(frames[index], frames[index + 1], part)
            self._context.emit(frame, self._whole(picture, frame))

    def emit_one(self, picture: Picture, frame: int, small_source: Callable[[int], Picture]) -> None:
        """Emit a still: ``picture`` was diffused for media frame ``frame`` itself."""
        if self.applies_large:
            self._apply([picture], [frame], [frame], small_source, lambda done, total: None)
        else:
            self._context.emit(frame, self._whole(picture, frame))

    def _emit_large(
        self,
        frames: Sequence[Picture],
        first: int,
        wanted: Sequence[int],
        small_source: Callable[[int], Picture],
        tick: Callable[[int, int], None],
    ) -> None:
        """The model's change of light and colour, fitted per diffused frame and applied to every full-size frame."""
        at: list[int] = []
        results: list[Picture] = []
        for index, picture in enumerate(frames):
            media = self._clock.media(first + index)
            if not at or media > at[-1]:
                at.append(media)
                results.append(picture)
        self._apply(results, at, wanted, small_source, tick)

    def _apply(
        self,
        results: Sequence[Picture],
        at: Sequence[int],
        wanted: Sequence[int],
        small_source: Callable[[int], Picture],
        tick: Callable[[int, int], None],
    ) -> None:
        from gen2studio.diffusion.transfer.apply import TransferTrack

        sources = [self._framing.inside(small_source(frame)) for frame in at]
        track = TransferTrack(sources, [self._framing.inside(picture) for picture in results], list(at))
        for done, frame in enumerate(wanted):
            tick(done, len(wanted))
            self._context.emit(frame, track.apply(frame, self._context.source(frame)))

    def _whole(self, picture: Picture, frame: int) -> Picture:
        large = self._framing.out(picture)
        if not any(self._request.outpaint):
            return large
        # The engine lays the footage over it: what is drawn around has to meet the footage's own colours there.
        inside = footage_rect(self._request)
        footage = self._context.footage(self._request.source, frame)
        return met(large, resized(footage, (inside.width, inside.height)), inside, _CELL * self._framing.scale)
