"""Pictures for everybody: a byte-budgeted cache of compact frames over a few open decoders, off the UI thread.

Frames are kept as they come from the decoder (4:2:0: 1.5 bytes a pixel), so that the same memory holds almost three
times as many. Converting one costs about 10 ms at 1080p: a quarter of the budget keeps the last ones ready as BGRA,
and prefetching converts the nearest frames ahead.

Workers serve, in this order: requests (the newest of each channel only), then prefetching. A request that is
replaced while its frame is being decoded is abandoned between two packets, so a dragged playhead never waits for
pictures nobody will see.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from gen2studio.core import log
from gen2studio.core.errors import MediaError, sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.media import codecs
from gen2studio.media.abandon import Abandoned

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.media.decoder import Decoder, Picture

Deliver: TypeAlias = "Callable[[str, int, NDArray[np.uint8] | None, str], None]"
"""``deliver(path, index, picture_or_None, error_sentence)``, called on a worker thread."""

_OPEN_DECODERS = 8
_BACKWARD_WINDOW = 24
"""Frames before a backward step that are kept while the decoder passes them anyway."""
_READY_SHARE = 4
"""One part in this many of the budget holds converted frames."""

_log = log.topic("media")


@dataclass(slots=True)
class _Request:
    channel: str
    path: str
    index: int
    size: Extent | None
    deliver: Deliver
    key_preview: bool
    number: int


@dataclass(slots=True)
class _Open:
    decoder: Decoder
    lock: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    last_index: int = -1
    stale: bool = False


@dataclass(frozen=True, slots=True)
class _Wish:
    path: str
    index: int
    size: Extent | None
    rank: int
    """Place in the wish list: the nearest frames are converted as well."""


class FrameServer:
    """Serves BGRA frames (premultiplied, display size or ``size``) to any thread."""

    def __init__(self, budget_bytes: int = 512 << 20, workers: int = 2) -> None:
        """``budget_bytes`` bounds the cached frames; ``workers`` threads serve requests and prefetching."""
        self._budget = budget_bytes
        self._state = threading.Condition()
        self._cache: OrderedDict[tuple[str, int], Picture] = OrderedDict()
        self._bytes = 0
        self._ready: OrderedDict[tuple[str, int, Extent | None], NDArray[np.uint8]] = OrderedDict()
        self._ready_bytes = 0
        self._infos: dict[str, MediaInfo] = {}
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._waiting: OrderedDict[str, _Request] = OrderedDict()
        self._newest: dict[str, int] = {}
        self._wishes: list[_Wish] = []
        self._epochs: dict[str, int] = {}
        self._numbers = 0
        self._wish_epoch = 0
        self._closing = False
        self._threads = [
            threading.Thread(target=self._work, name=f"frame-server-{n}", daemon=True) for n in range(max(1, workers))
        ]
        for thread in self._threads:
            thread.start()

    def set_budget(self, budget_bytes: int) -> None:
        """Change how much memory cached frames may hold; the longest unused ones go at once."""
        with self._state:
            self._budget = budget_bytes
            self._trim()

    @property
    def cached_bytes(self) -> int:
        """Memory the cached frames hold now; never above the budget by more than the newest frame."""
        with self._state:
            return self._bytes + self._ready_bytes

    def is_cached(self, path: Path | str, index: int) -> bool:
        """Whether :meth:`get` would answer without decoding."""
        with self._state:
            return (str(path), index) in self._cache

    def describe(self, path: Path | str, info: MediaInfo) -> None:
        """Tell the server what ``path`` is (spares a probe; makes the first file of a numbered run a sequence)."""
        key = str(path)
        with self._state:
            known = self._infos.get(key)
            self._infos[key] = info
        if known is not None and known != info:
            self.forget(path)
            with self._state:
                self._infos[key] = info

    def get(self, path: Path | str, index: int, size: Extent | None = None) -> NDArray[np.uint8]:
        """The frame as (H, W, 4) BGRA uint8, decoded now if it isn't cached. Raises MediaError. Any thread.

        Indices outside the file are clamped. An image file that nobody described, asked for a frame after 0, is
        read as the numbered sequence it begins if there is one. The array belongs to the caller.
        """
        try:
            return self._pixels(str(path), index, size, self._is_closing)
        except Abandoned:
            raise _closed() from None

    def picture(self, path: Path | str, index: int, abandon: Callable[[], bool] | None = None) -> Picture:
        """The frame in its compact form, decoded now if it isn't cached: convert it on any thread, to any size.

        Raises MediaError, and Abandoned once ``abandon()`` is true between two packets. Any thread.
        """
        stale = self._is_closing if abandon is None else lambda: self._closing or abandon()
        try:
            return self._picture(str(path), index, stale)
        except Abandoned:
            if abandon is not None and not self._closing:
                raise
            raise _closed() from None

    def request(
        self,
        channel: str,
        path: Path | str,
        index: int,
        deliver: Deliver,
        size: Extent | None = None,
        *,
        key_preview: bool = False,
    ) -> None:
        """Ask for a frame; a newer request on ``channel`` replaces this one, even while it is being decoded.

        With ``key_preview`` a frame that isn't cached is preceded by the nearest key frame at or before it
        (delivered under that frame's own index), which comes many times sooner: for dragging the playhead.
        """
        with self._state:
            if self._closing:
                return
            self._numbers += 1
            request = _Request(channel, str(path), index, size, deliver, key_preview, self._numbers)
            self._newest[channel] = request.number
            self._waiting.pop(channel, None)
            self._waiting[channel] = request
            self._state.notify()

    def withdraw(self, channel: str) -> None:
        """Nobody waits for ``channel`` any more: its request is dropped or abandoned."""
        with self._state:
            self._waiting.pop(channel, None)
            self._newest.pop(channel, None)

    def prefetch(self, path: Path | str, indices: Iterable[int], size: Extent | None = None) -> None:
        """Decode these frames into the cache, in this order, when nothing is asked for. Replaces the earlier wish.

        Indices outside the file are left out. Those at the front of the list are also made ready at ``size``.
        """
        key = str(path)
        with self._state:
            self._wish_epoch += 1
            wanted = [index for index in indices if index >= 0]
            self._wishes = [_Wish(key, index, size, rank) for rank, index in enumerate(wanted)]
            self._wishes.reverse()
            self._state.notify()

    def prefetch_around(self, path: Path | str, index: int, direction: int = 1, count: int = 24) -> None:
        """Prefetch ``count`` frames from a playhead: three quarters ahead in ``direction`` (±1), the rest behind."""
        sign = -1 if direction < 0 else 1
        ahead = max(1, count * 3 // 4)
        indices = [index + sign * n for n in range(1, ahead + 1)]
        # The frames behind in rising order: one pass of the decoder gives them all.
        behind = sorted(index - sign * n for n in range(1, count - ahead + 1))
        self.prefetch(path, [*(sorted(indices) if sign < 0 else indices), *behind])

    def forget(self, path: Path | str) -> None:
        """Drop what is cached and open for ``path`` (the file changed or left the project)."""
        key = str(path)
        with self._state:
            self._epochs[key] = self._epochs.get(key, 0) + 1
            for entry in [entry for entry in self._cache if entry[0] == key]:
                self._bytes -= self._cache.pop(entry).nbytes
            for ready in [ready for ready in self._ready if ready[0] == key]:
                self._ready_bytes -= self._ready.pop(ready).nbytes
            self._infos.pop(key, None)
            self._wishes = [wish for wish in self._wishes if wish.path != key]
            opened = self._open.pop(key, None)
            if opened is not None:
                opened.stale = True
        if opened is not None:
            self._close_if_idle(opened)

    def shutdown(self) -> None:
        """Stop the workers, close the decoders. Nothing is delivered after this returns. Safe to call twice."""
        with self._state:
            self._closing = True
            self._waiting.clear()
            self._newest.clear()
            self._wishes.clear()
            self._state.notify_all()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        with self._state:
            opened = list(self._open.values())
            self._open.clear()
            self._cache.clear()
            self._ready.clear()
            self._bytes = self._ready_bytes = 0
            for one in opened:
                one.stale = True
        for one in opened:
            self._close_if_idle(one)

    def _is_closing(self) -> bool:
        return self._closing

    # -- workers ---------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._state:
                while not (self._closing or self._waiting or self._wishes):
                    self._state.wait()
                if self._closing:
                    return
                request = self._waiting.popitem(last=False)[1] if self._waiting else None
                wish = None if request is not None else self._wishes.pop()
                epoch = self._wish_epoch
            if request is not None:
                self._serve(request)
            elif wish is not None:
                self._fetch(wish, epoch)

    def _serve(self, request: _Request) -> None:
        def stale() -> bool:
            return self._closing or self._newest.get(request.channel) != request.number

        if stale():
            return
        pixels: NDArray[np.uint8] | None = None
        sentence = ""
        try:
            if request.key_preview:
                self._preview(request, stale)
            pixels = self._pixels(request.path, request.index, request.size, stale)
        except Abandoned:
            return
        except Exception as error:
            if not isinstance(error, MediaError):
                _log.exception("frame %d of %s", request.index, request.path)
            sentence = sentence_of(error)
        if not stale():
            self._deliver(request, request.index, pixels, sentence)

    def _preview(self, request: _Request, stale: Callable[[], bool]) -> None:
        codecs.load()
        from gen2studio.media.decoder import VideoDecoder

        with self._state:
            if (request.path, request.index) in self._cache:
                return
        with self._decoder(request.path, request.index) as (opened, _):
            decoder = opened.decoder
            if not isinstance(decoder, VideoDecoder) or decoder.info.interlaced:
                return
            key = decoder.clock.key_index_before(request.index)
            if stale():
                raise Abandoned
            if key == request.index:
                return
            with self._state:
                picture = self._cache.get((request.path, key))
            picture = picture or decoder.key_picture(request.index)
        if picture is not None and not stale():
            self._deliver(request, key, picture.bgra(request.size), "")

    def _deliver(self, request: _Request, index: int, pixels: NDArray[np.uint8] | None, sentence: str) -> None:
        try:
            request.deliver(request.path, index, pixels, sentence)
        except Exception:
            # A receiver's fault must not end the thread that serves everybody else.
            _log.exception("delivering frame %d of %s", index, request.path)

    def _fetch(self, wish: _Wish, epoch: int) -> None:
        path, index = wish.path, wish.index

        def stale() -> bool:
            return self._closing or self._wish_epoch != epoch or bool(self._waiting)

        with self._state:
            info = self._infos.get(path)
            there = (path, index) in self._cache and (path, index, wish.size) in self._ready
            if there or (info is not None and info.exact and index >= max(1, info.frame_count)):
                return
        try:
            picture = self._picture(path, index, stale)
            extent = wish.size or picture.extent
            # Half of the room for ready frames is for those to come, the other half for those just seen.
            if (wish.rank + 1) * 4 * extent.pixels <= self._ready_budget // 2:
                if stale():
                    raise Abandoned
                self._pixels(path, index, wish.size, stale)
        except Abandoned:
            with self._state:
                if self._wish_epoch == epoch and not self._closing:
                    self._wishes.append(wish)
        except Exception as error:
            # A wish has no one to tell; the request that follows will report the same error.
            _log.debug("prefetching frame %d of %s: %s", index, path, error)
            with self._state:
                self._wishes = [other for other in self._wishes if other.path != path]

    # -- cache and decoders ----------------------------------------------------------------------------------------

    @property
    def _ready_budget(self) -> int:
        return self._budget // _READY_SHARE

    def _pixels(self, path: str, index: int, size: Extent | None, stale: Callable[[], bool]) -> NDArray[np.uint8]:
        """The frame as BGRA that the caller may keep and change."""
        index = max(0, index)
        key = (path, index, size)
        with self._state:
            ready = self._ready.get(key)
            if ready is not None and not self._closing:
                self._ready.move_to_end(key)
                return ready.copy()
        picture = self._picture(path, index, stale)
        pixels = picture.bgra(size)
        with self._state:
            # What may not be remembered as a frame (a gap, a file that has changed) isn't remembered as pixels either.
            if pixels.nbytes > self._ready_budget or self._cache.get((path, index)) is not picture:
                return pixels
            old = self._ready.pop(key, None)
            self._ready[key] = pixels
            self._ready_bytes += pixels.nbytes - (old.nbytes if old is not None else 0)
            self._trim()
        return pixels.copy()

    def _picture(self, path: str, index: int, stale: Callable[[], bool]) -> Picture:
        # The decoder's libraries load on the first picture, not with the window.
        codecs.load()
        from gen2studio.media.decoder import VideoDecoder
        from gen2studio.media.stills import SequenceDecoder

        index = max(0, index)
        with self._state:
            if self._closing:
                raise _closed()
            picture = self._cache.get((path, index))
            if picture is not None:
                self._cache.move_to_end((path, index))
                return picture
        with self._decoder(path, index) as (opened, epoch):
            with self._state:
                picture = self._cache.get((path, index))
            if picture is not None:
                return picture
            decoder = opened.decoder
            wanted = decoder.clock.clamp(index)
            if isinstance(decoder, VideoDecoder):
                backward = 0 < opened.last_index - wanted <= _BACKWARD_WINDOW
                visit = self._keeper(path, wanted, epoch) if backward else None
                picture = decoder.picture(wanted, stale, visit)
                opened.last_index = wanted
                keep = True
            else:
                picture = decoder.picture(wanted)
                # A gap of a growing take is filled later: only what is really there may be remembered.
                keep = not isinstance(decoder, SequenceDecoder) or decoder.holds(wanted)
            if keep:
                self._keep(path, index, picture, epoch)
        return picture

    def _keeper(self, path: str, wanted: int, epoch: int) -> Callable[[int, Picture], None]:
        """Stepping backwards decodes the same group again and again unless the frames on the way are kept."""

        def keep(index: int, picture: Picture) -> None:
            if wanted - _BACKWARD_WINDOW <= index < wanted:
                self._keep(path, index, picture, epoch)

        return keep

    def _keep(self, path: str, index: int, picture: Picture, epoch: int) -> None:
        with self._state:
            if self._closing or self._epochs.get(path, 0) != epoch:
                return
            old = self._cache.pop((path, index), None)
            self._bytes += picture.nbytes - (old.nbytes if old is not None else 0)
            self._cache[(path, index)] = picture
            self._trim()

    def _trim(self) -> None:
        while self._ready_bytes > self._ready_budget:
            self._ready_bytes -= self._ready.popitem(last=False)[1].nbytes
        while self._bytes + self._ready_bytes > self._budget and len(self._cache) > 1:
            self._bytes -= self._cache.popitem(last=False)[1].nbytes

    @contextmanager
    def _decoder(self, path: str, index: int):
        """An open decoder of ``path``, held alone, and the path's epoch. At most eight stay open."""
        with self._state:
            epoch = self._epochs.get(path, 0)
            opened = self._open.get(path)
            if opened is not None:
                opened.users += 1
                self._open.move_to_end(path)
            info = self._infos.get(path)
        if opened is not None and index > 0 and info is None and opened.decoder.info.kind is MediaKind.STILL:
            info = _as_run(path)
            if info is not None:
                # The image turned out to begin a numbered run: read it as one from now on.
                self._release(opened)
                self.describe(path, info)
                with self._state:
                    self._open.pop(path, None)
                    opened.stale = True
                self._close_if_idle(opened)
                opened = None
        if opened is None:
            if info is None and index > 0:
                info = _as_run(path)
            opened = self._opened(path, info)
        try:
            with opened.lock:
                yield opened, epoch
        finally:
            self._release(opened)

    def _opened(self, path: str, info: MediaInfo | None) -> _Open:
        codecs.load()
        from gen2studio.media.decoder import open_decoder

        fresh = _Open(open_decoder(path, info, self._is_closing), users=1)
        surplus: list[_Open] = []
        with self._state:
            other = self._open.get(path)
            if other is not None:
                # Somebody else opened it meanwhile: share theirs.
                other.users += 1
                fresh.users = 0
                fresh.stale = True
                surplus.append(fresh)
            else:
                self._open[path] = fresh
                idle = [key for key, one in self._open.items() if one.users == 0]
                while len(self._open) > _OPEN_DECODERS and idle:
                    one = self._open.pop(idle.pop(0))
                    one.stale = True
                    surplus.append(one)
        for one in surplus:
            self._close_if_idle(one)
        return other if other is not None else fresh

    def _release(self, opened: _Open) -> None:
        with self._state:
            opened.users -= 1
        self._close_if_idle(opened)

    def _close_if_idle(self, opened: _Open) -> None:
        with self._state:
            close = opened.stale and opened.users == 0
            if close:
                opened.users = -1
        if close:
            opened.decoder.close()


def _closed() -> MediaError:
    return MediaError("The picture reader is closed.", "Open the project again.")


def _as_run(path: str) -> MediaInfo | None:
    """The SEQUENCE info of an image file that begins a numbered run of several images, else None."""
    from gen2studio.media import stills

    file = Path(path)
    if not file.is_file() or not stills.is_still(file):
        return None
    try:
        run = stills.find_run(file, as_sequence=True)
    except MediaError:
        return None
    return stills.run_info(run) if run is not None and len(run.files) > 1 else None
