"""What a clip's top edge and mask lane tell: takes rendered, stale, queued; masks painted, carried, doubtful."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygon

from gen2studio.core.mask_confidence import SUSPECT
from gen2studio.core.records import dataclass
from gen2studio.document.model import Clip, Document, Sequence
from gen2studio.ui import theme
from gen2studio.ui.timeline.layout import MASK_LANE, MaskLane, pack_runs, runs_on_clip

BAND = 4
"""Pixels of the band along a clip's top edge."""

JobSpan = tuple[str, int, int]
"""(``queued`` | ``rendering`` | ``rendered`` | ``failed``, start, stop) in sequence frames."""
LaneFrames = list[tuple[int, bool, float]]
"""(media frame, painted by hand, confidence 0…1) of the masks of one media."""


@dataclass(frozen=True, slots=True)
class Band:
    """One stretch of a band. ``kind``: rendered, missing, stale, queued, rendering or failed."""

    kind: str
    start: int
    stop: int


def lane_frames(document: Document, media_id: str) -> LaneFrames:
    """The masks of a media as the document holds them: painted in any object wins, else the least sure one counts."""
    frames: dict[int, tuple[bool, float]] = {}
    for mask in document.masks_of(media_id):
        for index, frame in mask.frames.items():
            anchor, sure = frames.get(index, (False, 1.0))
            frames[index] = (anchor or frame.anchor, min(sure, 1.0 if frame.anchor else frame.confidence))
    return [(index, *frames[index]) for index in sorted(frames)]


def shape_keys(document: Document, media_id: str) -> list[int]:
    """Media frames that shapes of a media's masks have keys on."""
    shapes = (shape for mask in document.masks_of(media_id) for shape in mask.shapes)
    return sorted({frame for shape in shapes for frame, _ in shape.keys})


def lane_of(
    clip: Clip,
    frames: LaneFrames,
    sequence_rate: float,
    media_rate: float,
    colour: tuple[int, int, int],
    keys: Iterable[int] = (),
) -> MaskLane:
    """The lane of one clip in sequence frames. ``keys`` are those of shapes."""
    solid = pack_runs(index for index, _, _ in frames)
    doubtful = pack_runs(index for index, anchor, sure in frames if not anchor and sure < SUSPECT)
    anchors = [runs_on_clip([(i, i + 1)], clip, sequence_rate, media_rate) for i, anchor, _ in frames if anchor]
    return MaskLane(
        tuple(run[0][0] for run in anchors if run),
        runs_on_clip(solid, clip, sequence_rate, media_rate),
        runs_on_clip(doubtful, clip, sequence_rate, media_rate),
        colour,
        tuple(run[0][0] for i in keys if (run := runs_on_clip([(i, i + 1)], clip, sequence_rate, media_rate))),
    )


class BandBook:
    """Bands and lanes by clip, asked for once and kept until told that something changed."""

    def __init__(self, document: Callable[[], Document]) -> None:
        self._document = document
        self.job_states: Callable[[str], list[JobSpan]] | None = None
        self.stale: Callable[[Clip], bool] | None = None
        self.stale_runs: Callable[[Clip], tuple[tuple[int, int], ...]] | None = None
        """Media frames of a clip's applied take that are stale, where it is not all of them or none."""
        self.lane_source: Callable[[str], LaneFrames] | None = None
        self._bands: dict[str, tuple[Clip, tuple[Band, ...]]] = {}
        self._lanes: dict[str, tuple[Clip, MaskLane | None]] = {}
        self._frames: dict[str, LaneFrames] = {}

    def known(self) -> dict[str, tuple[Band, ...]]:
        """Bands by clip id, as last shown."""
        return {clip_id: bands for clip_id, (_, bands) in self._bands.items()}

    def forget(self, clip_ids: Iterable[str] | None = None) -> None:
        """Ask again for the bands of some clips, or all."""
        if clip_ids is None:
            self._bands.clear()
        else:
            for clip_id in clip_ids:
                self._bands.pop(clip_id, None)

    def forget_lanes(self, media_id: str = "") -> None:
        """Ask again for the masks of one media, or all."""
        self._lanes.clear()
        if media_id:
            self._frames.pop(media_id, None)
        else:
            self._frames.clear()

    def frames(self, media_id: str) -> LaneFrames:
        if media_id not in self._frames:
            source = self.lane_source or (lambda m: lane_frames(self._document(), m))
            self._frames[media_id] = source(media_id)
        return self._frames[media_id]

    def media_with_masks(self) -> frozenset[str]:
        return frozenset(m.media_id for m in self._document().masks.values() if m.frames or m.shapes)

    def lane(self, clip: Clip, sequence: Sequence) -> MaskLane | None:
        known = self._lanes.get(clip.id)
        if known is not None and known[0] is clip:
            return known[1]
        document = self._document()
        masks = document.masks_of(clip.media_id)
        item = document.media.get(clip.media_id)
        lane = None
        if masks and item is not None and item.info.has_video:
            frames = self.frames(clip.media_id)
            rate = float(item.info.rate) or float(sequence.rate)
            keys = shape_keys(document, clip.media_id)
            if frames or keys:
                lane = lane_of(clip, frames, float(sequence.rate), rate, masks[0].colour, keys)
        self._lanes[clip.id] = (clip, lane)
        return lane

    def bands(self, clip: Clip, sequence: Sequence) -> tuple[Band, ...]:
        """The applied take first, jobs over it."""
        known = self._bands.get(clip.id)
        if known is not None and known[0] is clip:
            return known[1]
        bands: list[Band] = []
        document = self._document()
        take = document.takes.get(clip.active_take) if clip.active_take else None
        item = document.media.get(clip.media_id)
        if take is not None and item is not None:
            rate = float(item.info.rate) or float(sequence.rate)
            factor = float(sequence.rate)
            kind = "stale" if self.stale is not None and self.stale(clip) else "rendered"
            bands += [Band("missing", *run) for run in runs_on_clip([(take.start, take.stop)], clip, factor, rate)]
            bands += [Band(kind, *run) for run in runs_on_clip(take.done, clip, factor, rate)]
            if self.stale_runs is not None:
                runs = [(max(a, c), min(b, d)) for a, b in self.stale_runs(clip) for c, d in take.done]
                bands += [
                    Band("stale", *run) for run in runs_on_clip((r for r in runs if r[0] < r[1]), clip, factor, rate)
                ]
        if self.job_states is not None:
            for state, start, stop in self.job_states(clip.id):
                start, stop = max(start, clip.start), min(stop, clip.end)
                if start < stop:
                    bands.append(Band(state, start, stop))
        self._bands[clip.id] = (clip, tuple(bands))
        return self._bands[clip.id][1]

    @property
    def any_rendering(self) -> bool:
        return any(b.kind == "rendering" for _, bands in self._bands.values() for b in bands)


class BandPainter:
    """Draws bands and mask lanes in widget pixels."""

    def __init__(self) -> None:
        self._solid = {
            "rendered": theme.colour("band_done"),
            "queued": theme.colour("band_queued"),
            "rendering": theme.colour("band_running"),
            "failed": theme.colour("danger"),
            "missing": theme.colour("line_strong"),
        }
        self._stale = theme.colour("band_stale")
        self._dark = theme.colour("timeline")
        self._suspect = theme.colour("warning")
        self._anchor = theme.colour("text")
        self._lane_ground = theme.colour("background")
        self.phase = 0
        """Shift of the moving stripes of a running job."""

    def draw_bands(self, painter: QPainter, bands: tuple[Band, ...], top: int, x: Callable[[int], int]) -> None:
        """Bands of one clip; ``x`` maps sequence frames to pixels."""
        for band in bands:
            left = x(band.start)
            rect = QRect(left, top, max(2, x(band.stop) - left), BAND)
            if band.kind == "stale":
                painter.fillRect(rect, self._stale)
                self._stripes(painter, rect, self._dark, 0)
            else:
                painter.fillRect(rect, self._solid.get(band.kind, self._solid["missing"]))
                if band.kind == "rendering":
                    self._stripes(painter, rect, self._dark, self.phase, 90)

    def _stripes(self, painter: QPainter, rect: QRect, ink: QColor, phase: int, alpha: int = 170) -> None:
        brush = QBrush(QColor(ink.red(), ink.green(), ink.blue(), alpha), Qt.BrushStyle.BDiagPattern)
        painter.save()
        painter.setBrushOrigin(rect.left() + phase, rect.top())
        painter.fillRect(rect, brush)
        painter.restore()

    def draw_lane(
        self, painter: QPainter, lane: MaskLane, left: int, right: int, top: int, x: Callable[[int], int], width: float
    ) -> None:
        """The mask lane of a clip between widget pixels ``left`` and ``right``; ``width`` is pixels per frame."""
        middle = top + MASK_LANE // 2
        painter.fillRect(QRect(left, top + 1, right - left - 1, MASK_LANE - 2), self._lane_ground)
        ink = QColor(*lane.colour)
        for start, stop in lane.solid:
            painter.fillRect(QRect(x(start), middle - 1, max(2, x(stop) - x(start)), 3), ink)
        for start, stop in lane.suspect:
            painter.fillRect(QRect(x(start), middle - 3, max(2, x(stop) - x(start)), 7), self._suspect)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._anchor, 1.25))
        painter.setBrush(self._lane_ground)
        _diamonds(painter, [x(key) + int(width / 2) for key in lane.shape_keys], middle)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(self._anchor)
        _diamonds(painter, [x(anchor) + int(width / 2) for anchor in lane.anchors], middle)
        painter.restore()


def _diamonds(painter: QPainter, places: list[int], middle: int) -> None:
    """Four pixels to every side; those that would lie over each other are left out."""
    last = -99
    for centre in places:
        if centre - last >= 5:
            corners = ((centre - 4, middle), (centre, middle - 4), (centre + 4, middle), (centre, middle + 4))
            painter.drawPolygon(QPolygon([QPoint(*corner) for corner in corners]))
            last = centre
