"""Small pictures of nested timelines, for the filmstrips of the clips that stand for them. No Qt in here."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from gen2studio.app.compositor import OfflinePixels, SequenceRenderer, composed
from gen2studio.core.geometry import Extent
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Document

if TYPE_CHECKING:
    from gen2studio.app.render_cache import Bgra

_OPEN_FILES = 4


def contents(document: Document, sequence_id: str) -> tuple[object, ...]:
    """What the pictures of a timeline are made of: the same objects give the same pictures. A take counts when it is
    complete, so that its frames do not unmake every picture as they come."""
    found: list[object] = []
    waiting, known = [sequence_id], {sequence_id}
    while waiting:
        sequence = document.sequences.get(waiting.pop())
        if sequence is None:
            continue
        found.append(sequence)
        for _, clip in each_clip(sequence):
            item, take = document.media.get(clip.media_id), document.takes.get(clip.active_take)
            if item is not None and item.nested and item.nested not in known:
                known.add(item.nested)
                waiting.append(item.nested)
            if item is not None:
                found.append(item.path)
            if take is not None:
                found.append((take.id, take.complete))
    return tuple(found)


def same_contents(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether two answers of :func:`contents` give the same pictures. Quick: timelines are compared by identity."""
    return len(one) == len(other) and all(
        a is b or (isinstance(a, str | tuple) and a == b) for a, b in zip(one, other, strict=True)
    )


class NestedPictures:
    """Composites moments of timelines at the size of thumbnails. One thread; :meth:`close` when that has ended."""

    def __init__(self, take_folder: Callable[[str], Path]) -> None:
        self._pixels = OfflinePixels(take_folder, _OPEN_FILES)
        self._renderer: SequenceRenderer | None = None

    def picture(self, document: Document, sequence_id: str, seconds: Fraction, height: int) -> Bgra:
        """(height, W, 4) uint8 BGRA premultiplied, clear where nothing lies. Raises MediaError, ProjectError."""
        renderer = self._renderer
        if renderer is None or renderer.document is not document or renderer.sequence.id != sequence_id:
            if renderer is not None and renderer.document.media is not document.media:
                # A file may have been replaced by another.
                self._pixels.close()
            renderer = self._renderer = SequenceRenderer(document, self._pixels, sequence_id)
        sequence = renderer.sequence
        last = max(0, sequence.duration - 1)
        stack = renderer.stack(min(max(0, (seconds * sequence.rate).__floor__()), last))
        width = max(1, round(sequence.width * height / sequence.height))
        return composed(stack, renderer.gathered(stack), Extent(width, height))

    def close(self) -> None:
        self._pixels.close()
