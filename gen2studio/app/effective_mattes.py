"""The mattes that the viewer shows: refined on a thread of their own, the newest wish first, remembered.

What the hand or a job is working on is shown as it is, at once; so is a refined matte that is not ready yet, by the one
made last for that frame.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Qt, Signal

from gen2studio.core.errors import sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.log import topic
from gen2studio.core.mask_refinement import Refinement
from gen2studio.core.records import dataclass
from gen2studio.document.model import MaskObject, MediaItem
from gen2studio.raster.tiles import Mask, TileStore

if TYPE_CHECKING:
    from gen2studio.app.mask_editing import MaskEditing
    from gen2studio.raster.matte_refine import StepMemo
    from gen2studio.raster.matte_steady import FlowBook

_log = topic("masks")

BUDGET = 96 << 20
"""Bytes of refined mattes kept: 48 of 1920 × 1080, beside those that were painted."""
Place = tuple[str, int]
"""(object id, media frame)."""


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """One refined matte that somebody looks at."""

    owner: MaskObject
    item: MediaItem
    extent: Extent
    frame: int
    key: tuple[object, ...]
    tiles: TileStore


class EffectiveMattes(QObject):
    """Owned by :class:`~gen2studio.app.mask_editing.MaskEditing`. Everything public belongs to the UI thread."""

    _made = Signal(object, object)
    """(_Wish, matte or a sentence), on its way to the UI thread."""

    def __init__(self, masks: MaskEditing) -> None:
        super().__init__(masks)
        self._masks = masks
        self._read: Callable[[str, int], Any] | None = None
        self._held: OrderedDict[Place, tuple[tuple[object, ...], Mask]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()
        self._wishes: OrderedDict[Place, _Wish] = OrderedDict()
        self._working: _Wish | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._bench = _Bench(self._picture_of)
        self._told = ""
        self._made.connect(self._on_made, Qt.ConnectionType.QueuedConnection)

    def set_pictures(self, read: Callable[[str, int], Any]) -> None:
        """``read(path, media frame)`` gives (H, W, 4) uint8 BGRA at display size, on any thread; raises MediaError
        (:meth:`gen2studio.media.frame_server.FrameServer.get`). Without it mattes don't follow the picture."""
        self._read = read

    def shown(self, owner: MaskObject, frame: int | None = None) -> Mask:
        """The (H, W) uint8 matte to show of an object of the shown media. Read-only."""
        masks = self._masks
        frame = masks.frame if frame is None else frame
        raw = masks.matte(owner.id, frame)
        if not owner.refinement.changes_matte or masks.in_hand(owner, frame):
            return raw
        if masks.is_blank(raw):
            return raw
        key = _key(owner, frame)
        found = self._held.get((owner.id, frame))
        if found is not None:
            self._held.move_to_end((owner.id, frame))
            if _same(found[0], key):
                return found[1]
        stack = owner.refinement
        if not masks.session.shuttle or not (stack.edge > 0 or round(stack.chatter) > 0):
            # While the film plays, steps that look at the footage would take from the pictures their time.
            self._wish(owner, frame, key)
        return found[1] if found is not None and found[1].shape == raw.shape else raw

    @property
    def busy(self) -> bool:
        """Whether a refined matte is on its way."""
        with self._lock:
            return bool(self._wishes) or self._working is not None

    def clear(self) -> None:
        """Another project was opened."""
        with self._lock:
            self._wishes.clear()
        self._held.clear()
        self._bytes = 0
        self._told = ""

    def shutdown(self) -> None:
        with self._lock:
            self._wishes.clear()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    # -- inside --------------------------------------------------------------------------------------------------------

    def _wish(self, owner: MaskObject, frame: int, key: tuple[object, ...]) -> None:
        masks = self._masks
        item = masks.document.media.get(owner.media_id)
        if item is None:
            return
        wish = _Wish(owner, item, masks.extent, frame, key, masks.session.store.tiles)
        place = (owner.id, frame)
        with self._lock:
            if self._working is not None and _same(self._working.key, key) and self._working.frame == frame:
                return
            waiting = self._wishes.get(place)
            if waiting is not None and _same(waiting.key, key):
                return
            self._wishes[place] = wish
            self._wishes.move_to_end(place)
            # Frames that the playhead has left are not worth making.
            for old in [p for p, w in self._wishes.items() if abs(w.frame - masks.frame) > 1]:
                del self._wishes[old]
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="refined-mattes")
        self._pool.submit(self._work)

    def _work(self) -> None:
        with self._lock:
            if not self._wishes:
                return
            _, wish = self._wishes.popitem()
            self._working = wish
        try:
            made: object = self._bench.refined(wish)
        except Exception as error:
            _log.warning("refining a matte failed", exc_info=True)
            made = sentence_of(error)
        with self._lock:
            self._working = None
        self._made.emit(wish, made)

    def _on_made(self, wish: _Wish, made: Any) -> None:
        masks = self._masks
        if isinstance(made, str):
            if made != self._told:
                self._told = made
                masks.session.tell(made, "warning")
            return
        if wish.owner.id not in masks.document.masks:
            return
        place = (wish.owner.id, wish.frame)
        old = self._held.pop(place, None)
        self._bytes += made.nbytes - (old[1].nbytes if old is not None else 0)
        self._held[place] = (wish.key, made)
        while self._bytes > BUDGET and len(self._held) > 1:
            _, (_, gone) = self._held.popitem(last=False)
            self._bytes -= gone.nbytes
        if wish.owner.media_id == masks.media_id and abs(wish.frame - masks.frame) <= 1:
            masks.matte_changed.emit(wish.owner.id, None)

    def _picture_of(self, item: MediaItem, frame: int) -> Any:
        return self._read(item.path, frame) if self._read is not None else None


class _Bench:
    """What the thread keeps between two mattes: flow of the last media, steps of the last objects."""

    def __init__(self, read: Callable[[MediaItem, int], Any]) -> None:
        self._read = read
        self._flows: tuple[str, FlowBook] | None = None
        self._memos: OrderedDict[str, tuple[tuple[object, ...], StepMemo]] = OrderedDict()

    def refined(self, wish: _Wish) -> Mask:
        """Read-only. Raises KeyError for lost tiles."""
        from gen2studio.raster.matte_refine import MatteRefiner, StepMemo, with_shapes
        from gen2studio.raster.matte_steady import FlowBook

        owner, picture = wish.owner, partial(self._picture, wish)
        if self._flows is None or self._flows[0] != wish.item.path:
            self._flows = (wish.item.path, FlowBook(picture))
        inputs = (owner.frames, owner.shapes, wish.extent)
        memo = self._memos.pop(owner.id, None)
        if memo is None or not _same(memo[0], inputs):
            memo = (inputs, StepMemo())
        self._memos[owner.id] = memo
        while len(self._memos) > 2:
            self._memos.popitem(last=False)
        mattes = with_shapes(partial(_painted, wish), owner.shapes, wish.extent)
        refiner = MatteRefiner(mattes, picture, owner.refinement, self._flows[1], memo[1])
        made = refiner(wish.frame)
        if made is None:
            made = mattes(wish.frame)
        assert made is not None
        made.setflags(write=False)
        return made

    def _picture(self, wish: _Wish, frame: int) -> Any:
        """(H, W, 3) RGB of the footage, or None where there is none."""
        from gen2studio.core.errors import MediaError

        if not 0 <= frame < max(1, wish.item.info.frame_count):
            return None
        try:
            found = self._read(wish.item, frame)
        except MediaError:
            return None
        if found is None:
            return None
        import cv2

        picture = cv2.cvtColor(found, cv2.COLOR_BGRA2RGB)
        return picture if picture.shape[:2] == (wish.extent.height, wish.extent.width) else None


def _painted(wish: _Wish, frame: int) -> Mask | None:
    found = wish.owner.frames.get(frame)
    if found is None:
        return None
    from gen2studio.raster.matte_refine import at_extent

    return at_extent(wish.tiles.unpack(found.raster), wish.extent)


def _key(owner: MaskObject, frame: int) -> tuple[object, ...]:
    """Everything the refined matte of a frame depends on; compared by identity."""
    reach = round(owner.refinement.chatter)
    rasters = (owner.frames.get(index) for index in range(frame - reach, frame + reach + 1))
    return (owner.refinement, owner.shapes, *(there.raster if there is not None else None for there in rasters))


def _same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    if len(one) != len(other):
        return False
    return all(a is b or (isinstance(a, (Refinement, Extent)) and a == b) for a, b in zip(one, other, strict=True))
