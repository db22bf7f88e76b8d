"""Filmstrip pictures: keyed by source file and time, kept in atlas pages, made on a thread of their own."""

from __future__ import annotations

import itertools
import math
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QImage, QPainter, QPixmap

from gen2studio.core.records import dataclass
from gen2studio.document.model import Document, MediaItem
from gen2studio.media import codecs
from gen2studio.ui.timeline.feeds import Feed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gen2studio.app.nested_pictures import NestedPictures

PAGE = 2048, 1024
"""Pixels of an atlas page (8 MiB)."""
PAGES = 8
_SCENES = 64
"""States of nested timelines whose pictures may still be made."""
HEIGHTS = (24, 48, 96, 192)
"""Heights thumbnails are made in; the painter takes the nearest."""


def read_thumbnail(path: str, moment: int, height: int) -> NDArray[np.uint8]:
    """(height, W, 4) uint8 BGRA premultiplied at ``moment`` milliseconds. For the feed's thread."""
    codecs.load()
    from gen2studio.media.thumbnails import thumbnail

    return thumbnail(Path(path), Fraction(moment, 1000), height)


@dataclass(slots=True)
class _Page:
    pixmap: QPixmap
    keys: list[tuple[str, int, int]] = field(default_factory=list)
    x: int = 0
    y: int = 0
    shelf: int = 0


@dataclass(frozen=True, slots=True)
class Picture:
    """A stretch of an atlas page, in its pixels."""

    pixmap: QPixmap
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class _Scene:
    """A nested timeline as it was when its pictures were asked for."""

    name: str
    media_id: str
    sequence_id: str
    document: Document
    made_of: tuple[object, ...]
    before: str
    """The scene that it was until then: shown while the new one is made."""


def grain(wanted: float) -> int:
    """Milliseconds between thumbnails: the power of two at or below ``wanted`` seconds, so that zooming reuses them."""
    return 1 << max(4, math.floor(math.log2(max(wanted * 1000, 1.0))))


class Thumbnails(QObject):
    """Finds or wishes for thumbnails. UI thread."""

    _numbers = itertools.count(1)
    arrived = Signal(str)
    """Path of a file, or name of a :meth:`scene`, that got a new thumbnail."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._feed = Feed("timeline-thumbnails", self._read, parent=self)
        self._feed.made.connect(self._on_made)
        self._pictures: dict[tuple[str, int, int], Picture | None] = {}
        self._pages: list[_Page] = []
        self.take_folder: Callable[[str], Path] = lambda take_id: Path(take_id)
        """Take id → the folder of its frames, for nested timelines that show takes."""
        self._scenes: OrderedDict[str, _Scene] = OrderedDict()
        self._newest: dict[str, _Scene] = {}
        """By media id."""
        self._nested: NestedPictures | None = None

    @staticmethod
    def height_for(pixels: float) -> int:
        """The height in :data:`HEIGHTS` that suits ``pixels``."""
        return next((h for h in HEIGHTS if h >= pixels - 4), HEIGHTS[-1])

    def get(self, path: str, moment: int, height: int) -> Picture | None:
        """The thumbnail at ``moment`` milliseconds of the source, or None while it is made."""
        key = (path, moment, height)
        picture = self._pictures.get(key)
        if picture is None and key not in self._pictures:
            self._feed.wish(key)
            if (scene := self._scenes.get(path)) is not None:
                return self._pictures.get((scene.before, moment, height))
        return picture

    def put(self, path: str, moment: int, height: int, pixels: NDArray[np.uint8]) -> None:
        """Keep a (height, W, 4) BGRA picture."""
        pixels = np.ascontiguousarray(pixels)
        high, wide = pixels.shape[:2]
        image = QImage(pixels.data, wide, high, wide * 4, QImage.Format.Format_ARGB32_Premultiplied)
        wide, high = min(wide, PAGE[0]), min(high, PAGE[1])
        page = self._room(wide, high)
        painter = QPainter(page.pixmap)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Source)
        painter.drawImage(page.x, page.y, image, 0, 0, wide, high)
        painter.end()
        key = (path, moment, height)
        self._pictures[key] = Picture(page.pixmap, page.x, page.y, wide, high)
        page.keys.append(key)
        page.x += wide
        self.arrived.emit(path)

    def scene(self, document: Document, item: MediaItem) -> str:
        """The name under which pictures of a nested timeline are kept: another one whenever it looks different."""
        newest = self._newest.get(item.id)
        if newest is not None and newest.document is document:
            return newest.name
        from gen2studio.app.nested_pictures import contents, same_contents

        made_of = contents(document, item.nested)
        if newest is None or not same_contents(newest.made_of, made_of):
            before = newest.name if newest is not None else ""
            newest = _Scene(f"{item.id}#{next(self._numbers)}", item.id, item.nested, document, made_of, before)
            while len(self._scenes) >= _SCENES:
                self._scenes.popitem(last=False)
        else:
            newest = replace(newest, document=document)
        self._scenes[newest.name] = self._newest[item.id] = newest
        return newest.name

    def media_of(self, name: str) -> str:
        """The media id of a :meth:`scene`; empty for anything else."""
        scene = self._scenes.get(name)
        return scene.media_id if scene is not None else ""

    def _read(self, path: str, moment: int, height: int) -> NDArray[np.uint8]:
        """For the feed's thread."""
        scene = self._scenes.get(path)
        if scene is None:
            return read_thumbnail(path, moment, height)
        if self._nested is None:
            from gen2studio.app.nested_pictures import NestedPictures

            self._nested = NestedPictures(lambda take_id: self.take_folder(take_id))
        return self._nested.picture(scene.document, scene.sequence_id, Fraction(moment, 1000), height)

    def forget_wishes(self) -> None:
        """The view moved on: what is still waiting may not be needed."""
        self._feed.clear()

    def stop(self) -> None:
        self._feed.stop()
        if self._nested is not None:
            self._nested.close()
            self._nested = None

    def _room(self, wide: int, high: int) -> _Page:
        """The page to put a picture on, with its pen moved to free room."""
        page = self._pages[-1] if self._pages else None
        if page is not None:
            if page.x + wide > PAGE[0]:
                page.x, page.y, page.shelf = 0, page.y + page.shelf, 0
            if page.y + max(high, page.shelf) <= PAGE[1]:
                page.shelf = max(page.shelf, high)
                return page
        if len(self._pages) >= PAGES:
            for key in self._pages.pop(0).keys:
                self._pictures.pop(key, None)
        pixmap = QPixmap(*PAGE)
        pixmap.fill(Qt.GlobalColor.transparent)
        page = _Page(pixmap, shelf=high)
        self._pages.append(page)
        return page

    def _on_made(self, key: tuple[str, int, int], pixels: NDArray[np.uint8] | None) -> None:
        if pixels is None:
            self._pictures[key] = None
        else:
            self.put(*key, pixels)
