"""Makes the frames of the programme view off the UI thread: the wanted one first, then those that will be next.

One thread says what is shown and decodes it, in the order of the frames, because decoders only run forwards cheaply; a
few others convert and composite. What is no longer wanted is abandoned between two packets. No Qt in here.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from gen2studio.app.compositor import composed, gathered
from gen2studio.app.compositor_stack import Stack, StackBuilder
from gen2studio.app.render_cache import Bgra, RenderCache, RenderKey
from gen2studio.core.errors import MediaError, sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass
from gen2studio.document.model import Document, MediaItem
from gen2studio.media import codecs
from gen2studio.media.abandon import Abandoned

if TYPE_CHECKING:
    from gen2studio.core.media_info import MediaInfo
    from gen2studio.media.clock import FrameClock
    from gen2studio.media.decoder import Picture

_log = topic("programme")
_BACKLOG = 3
"""Decoded frames that may wait to be composited."""
_PAINTERS = max(1, min(4, os.cpu_count() or 1))


class PictureServer(Protocol):
    """What is asked of :class:`gen2studio.media.frame_server.FrameServer`."""

    def describe(self, path: Path | str, info: MediaInfo) -> None: ...
    def picture(self, path: Path | str, index: int, abandon: Callable[[], bool] | None = None) -> Picture: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """One frame that is to be shown."""

    document: Document
    sequence_id: str
    frame: int
    size: Extent
    proxies: bool

    def same(self, other: Wish | None) -> bool:
        """Whether it is the same picture that is asked for. Documents are compared by identity, which is quick."""
        return (
            other is not None
            and self.document is other.document
            and (self.sequence_id, self.frame, self.size, self.proxies)
            == (other.sequence_id, other.frame, other.size, other.proxies)
        )

    @property
    def place(self) -> tuple[int, str, int, Extent, bool]:
        return (id(self.document), self.sequence_id, self.frame, self.size, self.proxies)


class LivePixels:
    """Pictures for the viewer: from the frame server's cache, by proxies where they are wanted."""

    def __init__(
        self,
        server: PictureServer,
        take_folder: Callable[[str], Path],
        proxy_of: Callable[[MediaItem], Path | None],
    ) -> None:
        self._server = server
        self._take_folder = take_folder
        self._proxy_of = proxy_of
        self._clocks: dict[tuple[str, str], FrameClock] = {}
        self._described: dict[str, MediaInfo] = {}
        self.abandon: Callable[[], bool] = lambda: False
        self.proxies = False
        self.used_proxy = False
        self.broken: Callable[[MediaItem], None] = lambda _item: None

    def forget(self) -> None:
        """Files may have changed."""
        self._clocks.clear()
        self._described.clear()

    def index_at(self, item: MediaItem, seconds: Fraction) -> int:
        codecs.load()
        from gen2studio.media.clock import clock_of, regular_clock

        key = (item.path, item.fingerprint)
        clock = self._clocks.get(key)
        if clock is None:
            if item.shot is not None:
                # A slate is as regular as it was asked for, and may be on its way to the disk still.
                clock = regular_clock(item.shot.frames, item.shot.rate)
            else:
                clock = clock_of(Path(item.path), item.info, self.abandon)
            self._clocks[key] = clock
        return clock.index_at(seconds)

    def source(self, item: MediaItem, index: int) -> Picture:
        proxy = self._proxy_of(item) if self.proxies else None
        if proxy is not None:
            codecs.load()
            from gen2studio.media.decoder_colour import PlanarPicture, QuickPicture

            try:
                picture = self._server.picture(proxy, index, self.abandon)
            except MediaError as error:
                _log.warning("the proxy of %s is broken: %s", item.path, error)
                self.broken(item)
            else:
                self.used_proxy = True
                return QuickPicture(picture) if isinstance(picture, PlanarPicture) else picture
        if self._described.get(item.path) != item.info:
            self._described[item.path] = item.info
            self._server.describe(item.path, item.info)
        return self._server.picture(item.path, index, self.abandon)

    def take(self, take_id: str, index: int) -> Picture:
        return self._server.picture(self._take_folder(take_id), index, self.abandon)


class ProgrammeWorker:
    """Composites frames of sequences; see the module."""

    def __init__(
        self,
        pixels: LivePixels,
        cache: RenderCache,
        deliver: Callable[[Wish, Bgra | None, str], None],
        took: Callable[[Stack, float], object] = lambda _stack, _share: None,
    ) -> None:
        """``deliver(wish, frame or None, error sentence)`` is called on another thread for the wanted frame alone;
        ``took(stack, share)`` hears what part of the time a frame lasts it took to make."""
        self._took = took
        self._pixels = pixels
        self.cache = cache
        self._deliver = deliver
        self._condition = threading.Condition()
        self._wish: Wish | None = None
        self._list: tuple[Wish, ...] = ()
        self._wanted: frozenset[tuple[int, str, int, Extent, bool]] = frozenset()
        self._done: set[tuple[int, str, int, Extent, bool]] = set()
        """Of the present list: made, being made, or failed."""
        self._busy: dict[tuple[int, str, int, Extent, bool], Wish] = {}
        self._keys: OrderedDict[tuple[int, str, int, Extent, bool], tuple[Document, RenderKey]] = OrderedDict()
        self._backlog = 0
        self._closing = False
        self._builders: dict[int, tuple[Document, StackBuilder]] = {}
        self._painters = ThreadPoolExecutor(_PAINTERS, thread_name_prefix="programme-painter")
        self._thread: threading.Thread | None = None
        self._share = 0.0
        self.painted = 0
        """Frames composited since the start."""

    # -- asked by the UI thread ----------------------------------------------------------------------------------------

    @property
    def pace(self) -> int:
        """Every how manyth frame can be made in time, as things go now: 1 when all can."""
        return min(8, max(1, ceil(0.95 * self._share)))

    def want(self, wish: Wish | None, ahead: Sequence[Wish] = (), *, late: bool = False) -> None:
        """Make ``wish`` and then ``ahead``, in this order; replaces what was wanted before. ``late``: the wish would
        come too late anyway, so what is ahead goes first."""
        with self._condition:
            if self._closing:
                return
            self._wish = wish
            own = (wish,) if wish is not None else ()
            self._list = (*ahead, *own) if late else (*own, *ahead)
            self._wanted = frozenset((*(each.place for each in self._list), *self._under_way()))
            self._done &= self._wanted
            if wish is not None and wish.place not in self._busy and self._at_hand(wish) is None:
                # It was made, and has fallen out of memory since.
                self._done.discard(wish.place)
            if self._thread is None and self._list:
                self._thread = threading.Thread(target=self._gather, name="programme", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def _under_way(self) -> list[tuple[int, str, int, Extent, bool]]:
        """Frames being made that lie inside what is wanted: finishing them is cheaper than other ones."""
        if not self._list:
            return []
        first, last = (limit(each.frame for each in self._list) for limit in (min, max))
        like = self._list[0]
        return [
            place
            for place, each in self._busy.items()
            if first <= each.frame <= last
            and (each.document is like.document and each.sequence_id == like.sequence_id)
            and (each.size, each.proxies) == (like.size, like.proxies)
        ]

    def at_hand(self, wish: Wish) -> Bgra | None:
        """The frame if it was made and is in memory. Quick."""
        with self._condition:
            return self._at_hand(wish)

    def _at_hand(self, wish: Wish) -> Bgra | None:
        known = self._keys.get(wish.place)
        return self.cache.at_hand(known[1]) if known is not None and known[0] is wish.document else None

    def key_of(self, wish: Wish) -> RenderKey | None:
        """The key a frame was made under, if it was."""
        with self._condition:
            known = self._keys.get(wish.place)
        return known[1] if known is not None and known[0] is wish.document else None

    def refresh(self) -> None:
        """Files may have changed: look at everything again."""
        with self._condition:
            self._keys.clear()
            self._done.clear()
            self._builders.clear()
            self._pixels.forget()
            self._condition.notify_all()
        self.cache.clear_memory()

    def shutdown(self) -> None:
        """Stop all threads; nothing is delivered afterwards. Safe to call twice."""
        with self._condition:
            self._closing = True
            self._list, self._wish = (), None
            self._wanted = frozenset()
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self._painters.shutdown(wait=True, cancel_futures=True)

    # -- the gathering thread ------------------------------------------------------------------------------------------

    def _next(self) -> Wish | None:
        return next((each for each in self._list if each.place not in self._done), None)

    def _gather(self) -> None:
        while True:
            with self._condition:
                while not self._closing and (self._next() is None or self._backlog >= _BACKLOG):
                    self._condition.wait()
                if self._closing:
                    return
                wish = self._next()
                assert wish is not None
                self._done.add(wish.place)
                self._busy[wish.place] = wish
            submitted = False
            try:
                submitted = self._begin(wish)
            except Abandoned:
                with self._condition:
                    self._done.discard(wish.place)
            except Exception as error:
                if not isinstance(error, MediaError):
                    _log.exception("frame %d of the programme", wish.frame)
                self._tell(wish, None, sentence_of(error))
            if not submitted:
                with self._condition:
                    self._busy.pop(wish.place, None)

    def _stack(self, wish: Wish) -> Stack:
        known = self._builders.get(id(wish.document))
        if known is None or known[0] is not wish.document:
            if len(self._builders) > 4:
                self._builders.clear()
            known = (wish.document, StackBuilder(wish.document, self._pixels.index_at))
            self._builders[id(wish.document)] = known
        sequence = wish.document.sequences.get(wish.sequence_id)
        if sequence is None:
            return Stack(frame=wish.size)
        return known[1].stack(sequence, wish.frame)

    def stack_of(self, wish: Wish) -> Stack:
        """What a frame shows; reads frame indexes. Any thread but the UI's. Raises MediaError."""
        return self._stack(wish)

    def _begin(self, wish: Wish) -> bool:
        """Say what is shown and decode it; False when it was there already."""
        began = time.perf_counter()
        place = wish.place
        self._pixels.abandon = lambda: self._closing or place not in self._wanted
        self._pixels.proxies = wish.proxies
        stack = self._stack(wish)
        digest = stack.digest()
        for proxied in (False, True) if wish.proxies else (False,):
            key = RenderKey(digest, wish.size, proxied)
            found = self.cache.get(key)
            if found is not None:
                self._know(wish, key)
                self._tell(wish, found, "")
                return False
        self._pixels.used_proxy = False
        pictures = gathered(stack, self._pixels)
        key = RenderKey(digest, wish.size, self._pixels.used_proxy)
        spent = time.perf_counter() - began
        with self._condition:
            self._backlog += 1
        self._painters.submit(self._paint, wish, key, stack, pictures, spent)
        return True

    def _paint(self, wish: Wish, key: RenderKey, stack: Stack, pictures: object, gathering: float) -> None:
        try:
            if wish.place not in self._wanted:
                with self._condition:
                    self._done.discard(wish.place)
                return
            began, started = time.thread_time(), time.perf_counter()
            frame = opaque(composed(stack, pictures, wish.size))  # pyright: ignore[reportArgumentType]
            painting, passed = time.thread_time() - began, time.perf_counter() - started
            sequence = wish.document.sequences.get(wish.sequence_id)
            interval = float(1 / sequence.rate) if sequence is not None else 0.04
            share = max(gathering, painting / _PAINTERS) / interval
            self._share = 0.85 * self._share + 0.15 * max(gathering, passed / _PAINTERS) / interval
            self.painted += 1
            self.cache.put(key, frame, slow=share > 1)
            self._took(stack, share)
            self._know(wish, key)
            self._tell(wish, frame, "")
        except Exception as error:
            if not isinstance(error, MediaError):
                _log.exception("frame %d of the programme", wish.frame)
            self._tell(wish, None, sentence_of(error))
        finally:
            with self._condition:
                self._backlog -= 1
                self._busy.pop(wish.place, None)
                self._condition.notify_all()

    def _know(self, wish: Wish, key: RenderKey) -> None:
        with self._condition:
            self._keys.pop(wish.place, None)
            self._keys[wish.place] = (wish.document, key)
            while len(self._keys) > 4096:
                self._keys.popitem(last=False)

    def _tell(self, wish: Wish, frame: Bgra | None, sentence: str) -> None:
        with self._condition:
            wanted = not self._closing and wish.same(self._wish)
        if wanted:
            self._deliver(wish, frame, sentence)


def opaque(frame: Bgra) -> Bgra:
    """A frame over black: premultiplied colours are what they look like there. In place."""
    frame[..., 3] = 255
    return frame
