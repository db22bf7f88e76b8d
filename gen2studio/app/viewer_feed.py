"""Keeps the viewer's picture in step with the playhead: which clip, which take, which frame, compared with what - or
the programme, where :mod:`gen2studio.app.programme_feed` says that it is to be shown.

While playing and while the playhead is dragged proxies stand in for footage that plays badly; at rest the footage
itself is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.compositor_stack import clip_at, shown_tracks
from gen2studio.app.programme_feed import ProgrammeFeed
from gen2studio.app.reframing import place, place_of_picture
from gen2studio.app.session import Compare, Session
from gen2studio.core.errors import sentence_of
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.log import topic
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, MediaItem, Shot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.app.programme_worker import Wish

_log = topic("viewer")

Bgra: TypeAlias = "NDArray[np.uint8]"
"""(H, W, 4) uint8 BGRA, premultiplied alpha, contiguous: what QImage calls ARGB32_Premultiplied."""
_NOTHING = Extent(1, 1)
_AHEAD = 12
"""Frames fetched ahead while playing."""
_AROUND = 2
"""Frames fetched on either side while the playhead rests."""
_SETTLE_MS = 150
"""A playhead that has not moved for so long rests."""


class FrameSource(Protocol):
    """What the feed asks of :class:`gen2studio.media.frame_server.FrameServer`."""

    def describe(self, path: Path | str, info: MediaInfo) -> None: ...
    def request(
        self,
        channel: str,
        path: Path | str,
        index: int,
        deliver: Callable[[str, int, NDArray[np.uint8] | None, str], None],
        size: Extent | None = None,
        *,
        key_preview: bool = False,
    ) -> None: ...
    def prefetch(self, path: Path | str, indices: list[int], size: Extent | None = None) -> None: ...
    def forget(self, path: Path | str) -> None: ...


class Clock(Protocol):
    """What the feed asks of :class:`gen2studio.media.clock.FrameClock`."""

    def index_at(self, seconds: Fraction) -> int: ...


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ViewerPicture:
    """What the viewer shows at one moment."""

    media_id: str = ""
    """Empty in a gap."""
    clip_id: str = ""
    media_frame: int = 0
    """Index in the file's exact frame index: the key of mattes and takes."""
    image: Bgra | None = None
    """None when ``shows`` is ``empty`` or ``offline``."""
    extent: Extent = _NOTHING
    """Display size of the *media* (mattes have this size); ``image`` may be smaller (a take at a lower size)."""
    place: Rect | None = None
    """Where ``image`` lies, in pixels of the media; None = exactly over it. A reframed take reaches beyond it."""
    reference_place: Rect | None = None
    """The same of ``reference``."""
    shows: str = "empty"
    """``source``, ``take``, ``preview``, ``programme`` (the composited frame ``media_frame`` of the sequence, of its
    ``extent``), ``empty`` (gap) or ``offline`` (missing or unreadable: see ``sentence``)."""
    reference: Bgra | None = None
    """The left picture of a comparison while compare is on (the source, or the take chosen on the left)."""
    take_id: str = ""
    """The take that ``image`` shows."""
    reference_take_id: str = ""
    """The take that ``reference`` shows; empty = the source."""
    exact: bool = True
    """False for the nearest key frame, shown for a moment while the playhead is dragged."""
    sentence: str = ""
    """For ``offline``: what is wrong and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What should be on screen. Pictures are named by (path, index)."""

    clip: Clip
    item: MediaItem
    index: int
    image: tuple[str, int]
    reference: tuple[str, int] | None
    take_id: str
    reference_take_id: str
    takes_revision: Mapping[str, object]
    """By id of a shown take: changes when it has grown."""
    proxied: bool = False
    """A proxy stands in for the source."""

    def same_pictures(self, other: _Wanted | None) -> bool:
        return (
            other is not None
            and (self.image, self.reference, self.clip.id) == (other.image, other.reference, other.clip.id)
            and self.item.info == other.item.info
            and self.takes_revision == other.takes_revision
        )


class ViewerFeed(QObject):
    """Turns session state into pictures. Signals are emitted on the UI thread; decoding happens elsewhere.

    While stopped it follows :meth:`Session.target_clip`; while playing it shows the topmost visible clip.
    """

    picture_changed = Signal(object)
    """ViewerPicture"""
    frame_skipped = Signal()
    """A picture was replaced by a newer one before it was ready."""
    _delivered = Signal(int, str, str, int, object, str)
    _clock_known = Signal(str, object, str)

    def __init__(
        self,
        session: Session,
        frame_server: FrameSource,
        take_folder: Callable[[str], Path],
        parent: QObject | None = None,
        *,
        clock_of: Callable[[Path, MediaInfo], Clock] | None = None,
    ) -> None:
        """``take_folder(take_id)`` is the folder that holds a take's ``frame_%06d.png`` (:meth:`TakeStore.path`).

        ``clock_of`` reads a file's exact frame index; it runs off the UI thread.
        """
        super().__init__(parent)
        self._session = session
        self._server = frame_server
        self._take_folder = take_folder
        self._clock_of = clock_of or _media_clock
        self._clocks: dict[str, Clock] = {}
        self._unreadable: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="frame-index")
        self._picture = ViewerPicture()
        self._wanted: _Wanted | None = None
        self._serial = 0
        self._have: dict[tuple[str, int], Bgra] = {}
        self._preview: tuple[str, int, Bgra] | None = None
        self._open = True
        self._skipped = 0
        self._described: dict[str, MediaInfo] = {}
        self._programme: ProgrammeFeed | None = None
        self._proxy_of: Callable[[MediaItem], Path | None] = lambda _item: None
        self._proxy_broken: Callable[[MediaItem], None] = lambda _item: None
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(_SETTLE_MS)
        self._settle.timeout.connect(lambda: self._follow(dragging=False))
        self._delivered.connect(self._on_delivered)
        self._clock_known.connect(self._on_clock_known)
        session.playhead_changed.connect(self._on_playhead_changed)
        session.selection_changed.connect(self._on_session_changed)
        session.compare_changed.connect(self._on_session_changed)
        session.compare_takes_changed.connect(self._on_session_changed)
        session.shuttle_changed.connect(self._on_session_changed)
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(self._on_document_replaced)

    def set_programme(self, programme: ProgrammeFeed) -> None:
        """Show the composited sequence where there is more to see than one clip."""
        self._programme = programme
        programme.frame_ready.connect(self._on_programme_ready)
        programme.changed.connect(lambda: self._follow(dragging=False))

    def set_proxies(self, proxy_of: Callable[[MediaItem], Path | None], broken: Callable[[MediaItem], None]) -> None:
        """``proxy_of(item)`` is the proxy that may stand in for a media; ``broken(item)`` hears of unreadable ones."""
        self._proxy_of, self._proxy_broken = proxy_of, broken

    # -- for the ui ----------------------------------------------------------------------------------------------------

    @property
    def picture(self) -> ViewerPicture:
        """The picture emitted last."""
        return self._picture

    @property
    def skipped(self) -> int:
        """Pictures replaced by newer ones before they were ready: frames playback could not show."""
        return self._skipped

    def show_preview(self, media_id: str, frame: int, picture: NDArray[np.uint8]) -> None:
        """Lay a live preview ((H, W, 3) RGB or (H, W, 4) BGRA uint8) over ``frame`` of a media until it is cleared."""
        if picture.shape[2] == 3:
            import cv2

            # Frames arrive one after the other while a take is made: turning the channels round in numpy takes 15 ms.
            bgra = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2BGRA), np.uint8)
        else:
            bgra = np.ascontiguousarray(picture)
        self._preview = (media_id, frame, bgra)
        self._show_preview()

    def clear_preview(self) -> None:
        if self._preview is not None:
            self._preview = None
            self._show_preview()

    def _show_preview(self) -> None:
        """A preview is one of the clip: the programme gives way to it, and comes back after it."""
        if self._programme is not None and (self._wanted is None) != self._shows_programme():
            self._follow(dragging=False)
        self._show()

    def refresh(self, media_id: str = "") -> None:
        """Read again from disk (a take grew, a file was relinked). Empty = whatever is shown."""
        wanted = self._wanted
        # A file that could not be read leaves nothing wanted, but its media is what the picture speaks of.
        if media_id and media_id not in (wanted.item.id if wanted is not None else "", self._picture.media_id):
            return
        if wanted is not None:
            for key in (wanted.image, wanted.reference):
                if key is not None:
                    self._server.forget(key[0])
            self._clocks.pop(wanted.item.path, None)
        self._unreadable.clear()
        self._described.clear()
        self._have.clear()
        self._wanted = None
        if self._programme is not None:
            self._programme.worker.refresh()
        self._follow(dragging=False)

    def start(self) -> None:
        """Show what the session stands on; call once everything is connected."""
        self._follow(dragging=False)

    def shutdown(self) -> None:
        """Stop asking. Call before the frame server is shut down; safe to call twice."""
        self._open = False
        self._settle.stop()
        if self._programme is not None:
            self._programme.shutdown()
        self._readers.shutdown(wait=True, cancel_futures=True)

    # -- following the session -------------------------------------------------------------------------------------

    def _on_playhead_changed(self, _frame: int) -> None:
        still = self._session.shuttle == 0.0
        # The first of several moves may be a single step: what follows it soon makes it a drag.
        lively = still and self._settle.isActive()
        if still:
            self._settle.start()
        self._follow(dragging=still, lively=lively)

    def _on_session_changed(self, *_values: object) -> None:
        self._follow(dragging=False)

    def _on_document_changed(self, _old: Document, _new: Document) -> None:
        self._follow(dragging=False)

    def _on_document_replaced(self, _new: Document) -> None:
        self._clocks.clear()
        self._unreadable.clear()
        self._described.clear()
        self._have.clear()
        self._preview = None
        self._wanted = None
        self._follow(dragging=False)

    def _clip(self) -> Clip | None:
        session = self._session
        if session.shuttle == 0.0:
            return session.target_clip()
        for track in reversed(shown_tracks(session.sequence) if session.sequence else ()):
            clip = clip_at(track.clips, session.playhead)
            if clip is not None and clip.enabled:
                return clip
        return None

    def _shows_programme(self) -> bool:
        if self._programme is None or not self._programme.applies():
            return False
        clip = self._session.target_clip() if self._preview is not None else None
        return clip is None or self._preview is None or self._preview[0] != clip.media_id

    def _follow_programme(self, quick: bool) -> None:
        assert self._programme is not None
        before = self._programme.wish
        self._serial += 1
        self._wanted = None
        picture = self._programme.follow(proxies=quick)
        wish = self._programme.wish
        if before is not None and not before.same(wish) and before.frame != self._shown_frame():
            self._skipped += 1
            self.frame_skipped.emit()
        if picture is not None and wish is not None:
            self._show_programme(wish, picture)

    def _shown_frame(self) -> int:
        return self._picture.media_frame if self._picture.shows == "programme" else -1

    def _on_programme_ready(self, wish: Wish, frame: Bgra | None, sentence: str) -> None:
        if not self._open or self._programme is None or self._programme.wish is None:
            return
        if frame is None:
            self._emit(ViewerPicture(extent=self._frame_extent(), shows="offline", sentence=sentence))
        else:
            self._show_programme(wish, frame)

    def _show_programme(self, wish: Wish, frame: Bgra) -> None:
        shown = self._picture
        if shown.shows == "programme" and shown.image is frame and shown.media_frame == wish.frame:
            return
        self._emit(ViewerPicture(media_frame=wish.frame, image=frame, extent=self._frame_extent(), shows="programme"))

    def _frame_extent(self) -> Extent:
        sequence = self._session.sequence
        return Extent(sequence.width, sequence.height) if sequence is not None else _NOTHING

    def _follow(self, dragging: bool, lively: bool = False) -> None:
        if not self._open:
            return
        quick = lively or self._session.shuttle != 0.0
        if self._shows_programme():
            self._follow_programme(quick)
            return
        if self._programme is not None:
            self._programme.prepare(proxies=quick)
        clip = self._clip()
        item = self._session.document.media.get(clip.media_id) if clip else None
        if clip is None or item is None or not item.info.has_video:
            self._serial += 1
            self._wanted = None
            self._emit(ViewerPicture())
            return
        if item.path in self._unreadable:
            self._offline(clip, item, self._unreadable[item.path])
            return
        clock = self._clocks.get(item.path)
        if clock is None and item.shot is not None:
            # A slate is as regular as it was asked for, and may be on its way to the disk still.
            clock = self._clocks[item.path] = _slate_clock(item.shot)
        if clock is None and item.info.kind is not MediaKind.STILL:
            self._ask_clock(item)
            return
        index = clock.index_at(self._session.media_time(clip)) if clock else 0
        wanted = self._plan(clip, item, index, quick)
        if wanted.same_pictures(self._wanted):
            self._wanted = wanted
            return
        previous = self._wanted
        grown = {
            take_id
            for take_id, revision in wanted.takes_revision.items()
            if previous is not None and previous.takes_revision.get(take_id, revision) != revision
        }
        for take_id in grown:
            self._server.forget(self._take_folder(take_id))
            self._have.clear()
        if previous is not None and any(key not in self._have for key in (previous.image, previous.reference) if key):
            self._skipped += 1
            self.frame_skipped.emit()
        self._wanted = wanted
        self._request(wanted, dragging)
        self._prefetch(wanted, clock)

    def _plan(self, clip: Clip, item: MediaItem, index: int, quick: bool) -> _Wanted:
        session, takes = self._session, self._session.document.takes
        comparing = session.compare is not Compare.OFF

        def usable(take_id: str) -> str:
            take = takes.get(take_id)
            return take_id if take is not None and take.media_id == item.id and take.has(index) else ""

        right = usable((session.compare_right or clip.active_take) if comparing else clip.active_take)
        left = usable(session.compare_left) if comparing else ""

        proxy = self._proxy_of(item) if quick and not comparing and not right else None

        def key(take_id: str) -> tuple[str, int]:
            if proxy is not None:
                return (proxy.as_posix(), index)
            return (self._take_folder(take_id).as_posix() if take_id else item.path, index)

        return _Wanted(
            clip=clip,
            item=item,
            index=index,
            image=key(right),
            reference=key(left) if comparing else None,
            take_id=right,
            reference_take_id=left,
            takes_revision={i: (takes[i].done, takes[i].request_digest) for i in (left, right) if i},
            proxied=proxy is not None,
        )

    def _request(self, wanted: _Wanted, dragging: bool) -> None:
        self._serial += 1
        serial = self._serial
        keys = {"viewer.image": wanted.image}
        if wanted.reference is not None:
            keys["viewer.reference"] = wanted.reference
        self._have = {key: picture for key, picture in self._have.items() if key in keys.values()}
        if self._described.get(wanted.item.path) != wanted.item.info:
            self._described[wanted.item.path] = wanted.item.info
            self._server.describe(wanted.item.path, wanted.item.info)
        if all(key in self._have for key in keys.values()):
            self._show()
            return
        for channel, key in keys.items():
            if key not in self._have:
                preview = dragging and wanted.reference is None and not wanted.take_id and not wanted.proxied
                self._server.request(channel, key[0], key[1], self._receiver(serial, key), key_preview=preview)

    def _receiver(self, serial: int, key: tuple[str, int]) -> Callable[[str, int, Bgra | None, str], None]:
        def deliver(_path: str, index: int, picture: Bgra | None, sentence: str) -> None:
            # On a worker thread: the signal carries it over to the UI thread.
            self._delivered.emit(serial, key[0], "" if index == key[1] else "key", index, picture, sentence)

        return deliver

    def _prefetch(self, wanted: _Wanted, clock: Clock | None) -> None:
        sequence = self._session.sequence
        if sequence is None or clock is None:
            return
        speed = self._session.shuttle
        here = self._session.playhead
        if speed:
            stride = max(1, round(abs(speed))) * (1 if speed > 0 else -1)
            frames = [here + stride * step for step in range(1, _AHEAD + 1)]
        else:
            frames = [here + way * step for step in range(1, _AROUND + 1) for way in (1, -1)]
        clip = wanted.clip
        inside = [f for f in frames if clip.start <= f < clip.end]
        indices = dict.fromkeys(clock.index_at(clip.source_time(f, sequence.rate)) for f in inside)
        if wanted.take_id:
            take = self._session.document.takes[wanted.take_id]
            indices = {i: None for i in indices if take.has(i)}
        self._server.prefetch(wanted.image[0], list(indices))

    # -- what comes back -----------------------------------------------------------------------------------------------

    def _on_delivered(self, serial: int, path: str, kind: str, index: int, picture: Bgra | None, sentence: str) -> None:
        wanted = self._wanted
        if not self._open or wanted is None or serial != self._serial:
            return
        if picture is None and wanted.proxied:
            self._proxy_broken(wanted.item)
            self._wanted = None
            self._follow(dragging=False)
            return
        if picture is None:
            if kind != "key":
                self._offline(wanted.clip, wanted.item, sentence)
            return
        if kind == "key":
            if (path, wanted.index) not in self._have:
                self._emit(
                    ViewerPicture(
                        media_id=wanted.item.id,
                        clip_id=wanted.clip.id,
                        media_frame=index,
                        image=picture,
                        extent=wanted.item.info.extent,
                        shows="source",
                        exact=False,
                    )
                )
            return
        self._have[(path, index)] = picture
        if all(key in self._have for key in (wanted.image, wanted.reference) if key is not None):
            self._show()

    def _show(self) -> None:
        wanted = self._wanted
        if wanted is None or not self._open:
            return
        image = self._have.get(wanted.image)
        shows = "take" if wanted.take_id else "source"
        take_id = wanted.take_id
        where = self._place_of(take_id, wanted)
        if self._preview is not None and self._preview[:2] == (wanted.item.id, wanted.index):
            image, shows, take_id = self._preview[2], "preview", ""
            where = self._place_of_preview(image, wanted)
        if image is None:
            return
        reference = self._have.get(wanted.reference) if wanted.reference else None
        self._emit(
            ViewerPicture(
                media_id=wanted.item.id,
                clip_id=wanted.clip.id,
                media_frame=wanted.index,
                image=image,
                extent=wanted.item.info.extent,
                place=where,
                reference_place=self._place_of(wanted.reference_take_id, wanted),
                shows=shows,
                reference=reference,
                take_id=take_id,
                reference_take_id=wanted.reference_take_id,
            )
        )

    def _place_of(self, take_id: str, wanted: _Wanted) -> Rect | None:
        take = self._session.document.takes.get(take_id)
        reaches = take is not None and take.look.outpaint.adds
        return place(take.look.outpaint, wanted.item.info.extent) if take is not None and reaches else None

    def _place_of_preview(self, image: Bgra, wanted: _Wanted) -> Rect | None:
        look = wanted.clip.look or self._session.document.default_look
        found = place_of_picture(look, wanted.item.info.extent, image.shape[1], image.shape[0])
        return found if found != Rect.of(wanted.item.info.extent) else None

    def _offline(self, clip: Clip, item: MediaItem, sentence: str) -> None:
        self._serial += 1
        self._wanted = None
        self._emit(
            ViewerPicture(
                media_id=item.id, clip_id=clip.id, extent=item.info.extent, shows="offline", sentence=sentence
            )
        )

    def _emit(self, picture: ViewerPicture) -> None:
        if picture.shows == "empty" and self._picture.shows == "empty":
            return
        self._picture = picture
        self.picture_changed.emit(picture)

    # -- frame indexes -------------------------------------------------------------------------------------------------

    def _ask_clock(self, item: MediaItem) -> None:
        if item.path in self._waiting:
            return
        self._waiting.add(item.path)
        self._serial += 1
        self._wanted = None
        path, info = item.path, item.info

        def read() -> None:
            try:
                clock, sentence = self._clock_of(Path(path), info), ""
            except Exception as error:
                _log.warning("no frame index of %s: %s", path, error)
                clock, sentence = None, sentence_of(error)
            self._clock_known.emit(path, clock, sentence)

        self._readers.submit(read)

    def _on_clock_known(self, path: str, clock: object, sentence: str) -> None:
        self._waiting.discard(path)
        if clock is None:
            self._unreadable[path] = sentence
        else:
            self._clocks[path] = clock  # pyright: ignore[reportArgumentType]
        self._follow(dragging=False)


def _slate_clock(shot: Shot) -> Clock:
    from gen2studio.media.clock import regular_clock

    return regular_clock(shot.frames, shot.rate)


def _media_clock(path: Path, info: MediaInfo) -> Clock:
    from importlib import import_module

    from gen2studio.app.planning import media_clock

    # What the first picture will be scaled with is loaded here, where nobody waits.
    import_module("cv2")
    return media_clock(path, info)
