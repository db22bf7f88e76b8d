"""The pictures of the trim view: frames on both sides of a cut, or around a slipped clip, as they would be shown."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.app.session import Session
from gen2studio.app.trimming import TrimPane, TrimShown
from gen2studio.core.errors import sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.log import topic
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.core.records import dataclass

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from gen2studio.app.viewer_feed import FrameSource
    from gen2studio.document.model import Document

_log = topic("trim")
LARGEST = 960
"""Long side of the pictures in pixels: they are looked at beside each other."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TrimPicture:
    """What one pane shows."""

    image: NDArray[np.uint8] | None = None
    """(H, W, 4) uint8 BGRA, or None while it is read, in a gap, and where it can't be read."""
    extent: Extent = Extent(16, 9)
    """Display size of the media."""
    sentence: str = ""
    """Why there is no picture."""


class TrimPictures(QObject):
    """Reads the panes' frames, newest wish first. A pane keeps its picture until the next one is there."""

    changed = Signal()
    _ready = Signal(int, int, object, str)
    """(serial, pane, picture or None, sentence), from a worker thread."""

    def __init__(
        self,
        session: Session,
        frames: FrameSource,
        take_folder: Callable[[str], Path],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._frames = frames
        self._take_folder = take_folder
        self._serial = 0
        self._panes: tuple[TrimPane, ...] = ()
        self._keys: list[tuple[str, Fraction]] = []
        self.pictures: list[TrimPicture] = []
        """One a pane, in their order."""
        self._reader: ThreadPoolExecutor | None = None
        self._ready.connect(self._on_ready)

    def show(self, shown: TrimShown | None) -> None:
        """Read what ``shown`` needs; None forgets everything."""
        self._serial += 1
        panes = shown.panes if shown is not None else ()
        fresh = len(panes) != len(self._panes)
        keys = [self._key(p, shown.sequence.rate) if shown is not None else ("", Fraction(0)) for p in panes]
        if fresh:
            self.pictures = [TrimPicture() for _ in panes]
        asked = [n for n, key in enumerate(keys) if fresh or n >= len(self._keys) or key != self._keys[n]]
        waiting = [n for n in range(len(panes)) if n not in asked and self.pictures[n].image is None]
        self._panes, self._keys = panes, keys
        for number in (*asked, *waiting):
            self._ask(number, self._session.document)

    def shutdown(self) -> None:
        """End the thread. Safe to call twice."""
        self._serial += 1
        if self._reader is not None:
            self._reader.shutdown(wait=True, cancel_futures=True)
            self._reader = None

    @staticmethod
    def _key(pane: TrimPane, rate: Fraction) -> tuple[str, Fraction]:
        clip = pane.clip
        return (
            (clip.id + clip.active_take, clip.source_time(pane.frame, rate)) if clip is not None else ("", Fraction(0))
        )

    def _ask(self, number: int, document: Document) -> None:
        pane, (_, seconds) = self._panes[number], self._keys[number]
        item = document.media.get(pane.clip.media_id) if pane.clip is not None else None
        if pane.clip is None or item is None:
            self.pictures[number] = TrimPicture(sentence="Gap" if pane.clip is None else "This media is not here.")
            self.changed.emit()
            return
        extent = item.info.extent
        if not item.info.has_video:
            self.pictures[number] = TrimPicture(sentence="Sound", extent=extent)
            self.changed.emit()
            return
        take = document.takes.get(pane.clip.active_take)
        folder = self._take_folder(take.id).as_posix() if take is not None else ""
        path, info, serial = item.path, item.info, self._serial
        scale = min(1.0, LARGEST / max(extent.width, extent.height))
        size = Extent(max(1, round(extent.width * scale)), max(1, round(extent.height * scale)))

        def deliver(_path: str, _index: int, picture: NDArray[np.uint8] | None, sentence: str) -> None:
            self._ready.emit(serial, number, picture, sentence)

        nested = item.nested

        def read() -> None:
            try:
                if nested:
                    self._ready.emit(serial, number, _composed(document, nested, seconds, size, self._take_folder), "")
                    return
                index = _index(path, info, seconds)
            except Exception as error:
                _log.info("no frame index of %s: %s", path, error)
                self._ready.emit(serial, number, None, sentence_of(error))
                return
            shown = folder if take is not None and take.has(index) else path
            self._frames.request(f"trim.{number}", shown, index, deliver, size)

        if self._reader is None:
            self._reader = ThreadPoolExecutor(1, thread_name_prefix="trim-index")
        self._reader.submit(read)

    def _on_ready(self, serial: int, number: int, picture: NDArray[np.uint8] | None, sentence: str) -> None:
        if number >= len(self._panes) or (picture is None and serial != self._serial):
            return
        pane = self._panes[number]
        item = self._session.document.media.get(pane.clip.media_id) if pane.clip is not None else None
        if item is None:
            return
        self.pictures[number] = TrimPicture(image=picture, extent=item.info.extent, sentence=sentence)
        self.changed.emit()


def _composed(
    document: Document, sequence_id: str, seconds: Fraction, size: Extent, take_folder: Callable[[str], Path]
) -> NDArray[np.uint8]:
    """The frame of a nested timeline at ``seconds``: (H, W, 4) BGRA. Raises MediaError."""
    from gen2studio.app.compositor import OfflinePixels, composed, gathered
    from gen2studio.app.compositor_stack import StackBuilder

    sequence = document.sequences[sequence_id]
    pixels = OfflinePixels(take_folder)
    try:
        frame = min(max(0, int((seconds * sequence.rate).__floor__())), max(0, sequence.duration - 1))
        stack = StackBuilder(document, pixels.index_at).stack(sequence, frame)
        return composed(stack, gathered(stack, pixels), size)
    finally:
        pixels.close()


def _index(path: str, info: MediaInfo, seconds: Fraction) -> int:
    if info.kind is MediaKind.STILL:
        return 0
    from gen2studio.app.planning import media_clock

    return media_clock(Path(path), info).index_at(seconds)
