"""The filmstrip inside clips: pictures of the footage, of the take that is shown, or the mode of an empty shot."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path

from PySide6.QtGui import QPainter

from gen2studio.app.posters import mode_of, near
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, MediaItem, Take
from gen2studio.engine.take_store import frame_name
from gen2studio.ui import theme
from gen2studio.ui.panels.mode_chooser import MODE_ICONS
from gen2studio.ui.timeline.layout import Layout, Stretch
from gen2studio.ui.timeline.thumbs import Thumbnails, grain
from gen2studio.ui.timeline.viewport import Viewport

MIN_THUMB = 20
"""Clips narrower than this show no picture."""


class Filmstrip:
    """Draws the pictures of a row's clips; keeps how each media is cut into them at the present zoom."""

    def __init__(self, viewport: Viewport, thumbnails: Thumbnails, document: Callable[[], Document]) -> None:
        self._viewport = viewport
        self._thumbnails = thumbnails
        self._document = document
        self._take_folder: Callable[[str], Path] | None = None
        self._dim = theme.colour("timeline", 150)
        self._reels: dict[int, dict[str, _Reel | None]] = {}
        self._reels_for: tuple[float, object, object] = (0.0, None, None)
        self._any_nested = False
        self._facts: dict[str, tuple[MediaItem, int]] = {}
        """By media id: what is shown, and the milliseconds of its last frame."""

    @property
    def take_folder(self) -> Callable[[str], Path] | None:
        """Take id → the folder of its frames: shots and nested timelines show those."""
        return self._take_folder

    @take_folder.setter
    def take_folder(self, folder: Callable[[str], Path] | None) -> None:
        self._take_folder = folder
        if folder is not None:
            self._thumbnails.take_folder = folder

    def paint(
        self,
        painter: QPainter,
        layout: Layout,
        stretch: Stretch,
        chosen: Iterable[int],
        top: int,
        high: int,
        ratio: float,
        heads: bool = False,
    ) -> None:
        """The pictures of the ``chosen`` clips of a stretch; with ``heads`` only the first of each."""
        assert layout.sequence is not None
        row, i, x0, x1, left, right = stretch
        second = self._viewport.ppf * float(layout.sequence.rate)
        made_in = self._thumbnails.height_for(high * ratio)
        facts = row.facts
        stop = i + len(x0)
        codes = facts.media[i:stop].tolist()
        rate = float(layout.sequence.rate)
        sources = ((facts.source_in[i:stop] + facts.turn[i:stop] / rate) * 1000.0).tolist()
        speeds = (facts.pace[i:stop] * (1000.0 / second)).tolist()
        reels = self._reels_of(high, second)
        media = self._document().media
        get, draw = self._thumbnails.get, painter.drawPixmap
        for k in chosen:
            a, b = x0[k], x1[k] - 1
            if b <= left or a >= right or b - a < MIN_THUMB - 1:
                continue
            media_id = facts.media_ids[codes[k]]
            if media_id not in reels:
                reels[media_id] = self._reel(media.get(media_id), high, second)
            reel = reels[media_id]
            if reel is None:
                continue
            path, cell, step, last = reel.path, reel.cell, reel.step, reel.last
            frames: TakeFrames | None = None
            if reel.rate:
                frames = self._frames_of(row.clips[i + k])
                if frames is None:
                    self._paint_mode(painter, row.clips[i + k], a, b, top, high, ratio)
                    continue
            source, speed = sources[k], speeds[k]
            first = a if a >= left else a + (left - a) // cell * cell
            for x in (a,) if heads else range(first, b if b < right else right, cell):
                moment = int(source + (x - a) * speed)
                if moment > last:
                    moment = last
                elif moment < 0:
                    moment = 0
                moment -= moment % step
                if frames is not None:
                    picture = get(frames.path(moment * reel.rate // 1000), 0, made_in)
                else:
                    picture = get(path, moment, made_in)
                if picture is None:
                    continue
                wide = cell if x + cell <= b else b - x
                if ratio == 1 and 0 <= picture.height - high <= 3 and picture.width >= wide:
                    # As good as the right size: cut instead of scaled, which is several times quicker.
                    draw(x, top, picture.pixmap, picture.x, picture.y, wide, high)
                else:
                    part = max(1, picture.width * wide // cell)
                    draw(x, top, wide, high, picture.pixmap, picture.x, picture.y, part, picture.height)
            if not facts.enabled[i + k]:
                painter.fillRect(a, top, b - a, high, self._dim)

    def _frames_of(self, clip: Clip) -> TakeFrames | None:
        """The frames that a shot shows; None while it is empty."""
        take = self._document().takes.get(clip.active_take)
        if take is None or not take.done or self.take_folder is None:
            return None
        return TakeFrames(self.take_folder(take.id), take)

    def _paint_mode(self, painter: QPainter, clip: Clip, a: int, b: int, top: int, high: int, ratio: float) -> None:
        """An empty shot: the icon of the mode that will fill it says more than its grey slate."""
        side = min(18, high - 6)
        if b - a < side + 8 or side < 10:
            return
        icon = theme.icon_pixmap(MODE_ICONS[mode_of(self._document(), clip)], side, "text_muted", ratio)
        painter.drawPixmap(a + 6, top + (high - side) // 2, icon)

    def _reel(self, item: MediaItem | None, high: int, second: float) -> _Reel | None:
        """``high`` pixels of filmstrip at ``second`` pixels a second; None for media without a picture."""
        if item is None or not item.info.has_video:
            return None
        path = self._thumbnails.scene(self._document(), item) if item.nested else item.path
        info = item.info
        known = self._facts.get(item.id)
        if known is None or known[0] is not item:
            moving = info.duration > 0 and info.rate > 0
            known = self._facts[item.id] = item, max(0, int(info.duration * 1000) - 1) if moving else 0
        aspect = min(max(info.width / max(info.height, 1), 0.3), 3.0)
        cell = max(16, round(high * aspect))
        return _Reel(path, cell, grain(cell / second), known[1], info.rate if item.shot is not None else Fraction(0))

    def _reels_of(self, high: int, second: float) -> dict[str, _Reel | None]:
        """Reels by media id at this zoom, kept while zoom and media stay the same."""
        document = self._document()
        if self._reels_for[1] is not document.media:
            self._any_nested = any(item.nested for item in document.media.values())
        # What a nested timeline looks like may change with any edit.
        basis = document if self._any_nested else document.media
        known = self._reels_for
        if known[0] != second or known[1] is not document.media or known[2] is not basis:
            self._reels.clear()
            self._reels_for = (second, document.media, basis)
        return self._reels.setdefault(high, {})


@dataclass(frozen=True, slots=True)
class _Reel:
    """How one media is cut into filmstrip pictures at the present zoom."""

    path: str
    cell: int
    """Pixels a picture takes."""
    step: int
    """Milliseconds between pictures: a power of two, so that zooming finds known ones again."""
    last: int
    """Milliseconds of the last frame; 0 for stills."""
    rate: Fraction = Fraction(0)
    """Of a shot, whose pictures are those of its take; 0 for footage."""


class TakeFrames:
    """The files of a take, by media frame: the nearest that is finished."""

    __slots__ = ("_folder", "_take")

    def __init__(self, folder: Path, take: Take) -> None:
        self._folder = folder
        self._take = take

    def path(self, frame: float | Fraction) -> str:
        return f"{self._folder.as_posix()}/{frame_name(near(self._take, int(frame)))}"
