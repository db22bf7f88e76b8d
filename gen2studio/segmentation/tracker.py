"""The weight-free mask tracker: dense flow, remembered appearance and guided edges."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Extent
from gen2studio.core.mask_confidence import SUSPECT
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.events import Estimate
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import AnchorTrack, PropagateRequest
from gen2studio.segmentation.carrier import Carrier, Evidence, weighed
from gen2studio.segmentation.frames import work_extent
from gen2studio.segmentation.plan import BACKWARD, FORWARD, Direction, Span, blend_share, spans_of, wanted_range
from gen2studio.segmentation.refine import Soft, full_size
from gen2studio.segmentation.stream import Step, steps

TITLE = "Flow and appearance (no weights)"

_SECONDS_PER_STEP = 0.2

_SHARED = 0.3
"""Two objects of which one lies by more than this share within the other are a part and its whole: both may have the
same pixels. All others exclude each other."""


@dataclass(frozen=True)
class _Carried:
    """A carried matte kept at working size: packed 8-bit coverage. What is emitted is made from this as well, so that
    it can be made again, exactly, when another object arrives at the same frame later."""

    packed: bytes
    confidence: float

    @staticmethod
    def of(matte: Soft, confidence: float) -> _Carried:
        return _Carried(zlib.compress(np.round(matte * 255).astype(np.uint8).tobytes(), 1), confidence)

    def matte(self, extent: Extent) -> Soft:
        raw = np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(extent.height, extent.width)
        return np.asarray(raw, np.float32) / np.float32(255)


class FlowTracker:
    """Carries several mattes at once from their anchors through a clip; implements :class:`MaskTracker`.

    Each anchor is carried both ways to the neighbouring anchors; between two anchors the results are blended by
    distance and confidence. Anchors and settled frames are never emitted, and spans that hold nothing else are not
    walked. ``direction`` chooses the side of ``from_frame`` that gets mattes. Motion is computed once for all objects;
    objects that were drawn apart share no pixel. A subject that is lost gets an empty matte with confidence 0 and a
    note, never a guess; when it is found again by its appearance, a note asks for a look.
    """

    @property
    def title(self) -> str:
        return TITLE

    def estimate(self, request: PropagateRequest) -> Estimate:
        """Memory does not grow with the clip's length beyond a few kilobytes per frame between two anchors."""
        wanted = wanted_range(request)
        spans = [span for track in request.objects for span in _spans(track, wanted)]
        walked = sum(len(span.frames) for span in spans)
        pixels = max(1, request.source.width * request.source.height)
        objects = max(1, len(request.objects))
        return Estimate(
            memory_bytes=120 * 2**20 + pixels * 3 * 6 + pixels * 4 * 24 + objects * 24 * 2**20,
            disk_bytes=walked * 8192,
            seconds=walked * (_SECONDS_PER_STEP + pixels * 1.5e-7),
        )

    def propagate(self, request: PropagateRequest, context: MaskContext) -> None:
        """Emit a matte for every object and frame of the wanted range that is neither an anchor nor settled.

        Raises :class:`StudioError` when nothing is drawn or a matte does not fit the clip, and ``Cancelled`` from
        ``context``; what was emitted until then stays valid.
        """
        _Propagation(request, context).run()


def _spans(track: AnchorTrack, wanted: range) -> list[Span]:
    settled = frozenset(frame for frame, _ in track.settled)
    return spans_of(track.object_id, [frame for frame, _ in track.anchors], wanted, settled)


class _Propagation:
    """One run of the tracker."""

    def __init__(self, request: PropagateRequest, context: MaskContext) -> None:
        self._context = context
        self._wanted = wanted_range(request)
        self._moving = request.moving_subject
        self._tracks = {track.object_id: track for track in request.objects}
        self._extent = Extent(16, 16)
        self._anchors: dict[str, dict[int, Soft]] = {}
        self._drawn: dict[str, dict[int, MaskRaster]] = {t.object_id: dict(t.anchors) for t in request.objects}
        """Frames of each object that are not made here: anchors, settled frames, and objects that are not carried."""
        for track in request.objects:
            self._drawn[track.object_id].update(track.settled)
        for beside in request.beside:
            self._drawn.setdefault(beside.object_id, dict(beside.frames))
        self._done_mattes: dict[tuple[str, int], _Carried] = {}
        """What was emitted, for objects that have rivals."""
        self._kept: dict[tuple[str, int], _Carried] = {}
        self._spans: list[Span] = []
        self._rivals: dict[str, frozenset[str]] = {}
        self._states: dict[tuple[str, int, int], str] = {}
        """(object, anchor, direction) → lost, suspect or sure, on the last frame told about."""
        self._done = 0
        self._total = 0

    def run(self) -> None:
        if not any(track.anchors for track in self._tracks.values()):
            raise StudioError("There is no drawn mask to carry.", "Paint or select the subject on one frame first.")
        for track in self._tracks.values():
            self._spans += _spans(track, self._wanted)
        if not self._spans:
            return
        first = self._context.source(self._spans[0].anchor)
        full = Extent(first.shape[1], first.shape[0])
        self._extent = work_extent(full.width, full.height)
        walked = {span.object_id for span in self._spans}
        for object_id in walked:
            self._anchors[object_id] = self._reduced(self._tracks[object_id], full)
        self._rivals = {name: self._rivals_of(name, full) for name in walked}
        self._total = sum(len(run) for direction in (FORWARD, BACKWARD) for run in self._runs(direction))
        self._context.progress(0, self._total, "Carrying masks")
        for direction in (FORWARD, BACKWARD):
            for run in self._runs(direction):
                self._walk(run, direction)

    # -- what is given ---------------------------------------------------------------------------------------------

    def _reduced(self, track: AnchorTrack, full: Extent) -> dict[int, Soft]:
        """The object's anchors at working size, as far as a span starts there."""
        starts = {span.anchor for span in self._spans if span.object_id == track.object_id}
        result: dict[int, Soft] = {}
        for frame, raster in track.anchors:
            if raster.extent != full:
                raise StudioError(
                    f"The mask on frame {frame} is {raster.extent} but the clip is {full}.",
                    "Draw it again on this clip, or import one of the clip's size.",
                )
            if frame in starts:
                result[frame] = self._small(raster)
        return result

    def _small(self, raster: MaskRaster) -> Soft:
        size = (self._extent.width, self._extent.height)
        small = cv2.resize(self._context.matte(raster), size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32) / np.float32(255)

    def _rivals_of(self, name: str, full: Extent) -> frozenset[str]:
        """The objects that ``name`` shares no pixel with: all but those that were drawn over it, or it over them."""
        mine = self._drawn[name]
        anchors = dict(self._tracks[name].anchors)
        rivals: set[str] = set()
        for other, theirs in self._drawn.items():
            if other == name or any(r.extent != full for r in theirs.values()):
                continue
            drawn = dict(self._tracks[other].anchors) if other in self._tracks else theirs
            common = sorted((anchors.keys() & theirs.keys()) | (mine.keys() & drawn.keys()))
            if not any(_overlap(self._small(mine[f]), self._small(theirs[f])) for f in (common[:1] + common[-1:])):
                rivals.add(other)
        return frozenset(rivals)

    # -- walking ---------------------------------------------------------------------------------------------------

    def _runs(self, direction: Direction) -> list[list[int]]:
        """Unbroken runs of frames, in walking order, that cover every span of ``direction`` with its anchor."""
        frames = sorted({f for span in self._spans if span.direction == direction for f in (span.anchor, *span.frames)})
        runs: list[list[int]] = []
        for frame in frames:
            if runs and runs[-1][-1] == frame - 1:
                runs[-1].append(frame)
            else:
                runs.append([frame])
        return runs if direction == FORWARD else [run[::-1] for run in runs[::-1]]

    def _walk(self, order: list[int], direction: Direction) -> None:
        spans = [s for s in self._spans if s.direction == direction]
        at: dict[int, list[Span]] = {}
        needed: dict[int, set[int]] = {}
        for span in spans:
            for frame in span.frames:
                at.setdefault(frame, []).append(span)
            for frame in (span.anchor, *span.frames):
                needed.setdefault(frame, set()).add(span.anchor)
        starts = {(span.anchor, span.object_id) for span in spans}
        carriers: dict[str, Carrier] = {}
        walk = steps(self._context, order, self._extent, {f: frozenset(a) for f, a in needed.items()})
        try:
            for step in walk:
                self._context.checkpoint()
                index = step.frame.index
                self._advance(step, at.get(index, []), carriers)
                for object_id in self._tracks:
                    if (index, object_id) in starts:
                        taken = self._taken(object_id, index, carriers, at.get(index, []))
                        carriers[object_id] = Carrier(step.frame, self._anchors[object_id][index], taken)
                self._done += 1
                self._context.progress(self._done, self._total, "Carrying masks")
        finally:
            walk.close()

    def _taken(self, name: str, index: int, carriers: dict[str, Carrier], spans: Collection[Span]) -> Soft | None:
        """What belongs to the rivals of ``name`` on frame ``index``, which has just been reached; None without any."""
        walking = {span.object_id for span in spans}
        known: list[Soft] = []
        for rival in self._rivals[name]:
            if index in self._drawn[rival]:
                known.append(self._small(self._drawn[rival][index]))
            elif rival in walking:
                known.append(carriers[rival].matte)
        return np.max(known, axis=0) if known else None

    def _advance(self, step: Step, spans: list[Span], carriers: dict[str, Carrier]) -> None:
        """Carry every object whose span covers this frame, let them share the pixels, and hand the mattes on."""
        link = step.link
        if not spans or link is None:
            return
        index = step.frame.index
        active: list[tuple[Span, Carrier, Evidence]] = []
        # Those whose place is known go first: a lost one is not looked for where they are.
        for span in sorted(spans, key=lambda s: carriers[s.object_id].lost):
            carrier, rivals = carriers[span.object_id], self._rivals[span.object_id]
            theirs = [e.expected for s, _, e in active if s.object_id in rivals]
            settled = [self._small(self._drawn[r][index]) for r in rivals if index in self._drawn[r]]
            taken = np.max([*theirs, *settled], axis=0) if theirs or settled else None
            gathered = carrier.gather(step.frame, link, step.far[span.anchor], self._moving, taken)
            if settled:
                # What is certain is not discussed.
                gathered.logit[np.max(settled, axis=0) > 0.5] = -12
            active.append((span, carrier, gathered))
        names = [span.object_id for span, _, _ in active]
        rivals = [[i for i, other in enumerate(names) if other in self._rivals[name]] for name in names]
        odds = weighed([e for _, _, e in active], rivals)
        finished: list[tuple[str, _Carried]] = []
        for (span, carrier, gathered), share in zip(active, odds, strict=True):
            carrier.settle(step.frame, link, gathered, share)
            if index in self._wanted and index not in self._drawn[span.object_id]:
                self._tell(span, index, carrier)
                done = self._finished(span, index, carrier)
                if done is not None:
                    finished.append((span.object_id, done))
        self._emit(step, finished)

    # -- handing on ------------------------------------------------------------------------------------------------

    def _finished(self, span: Span, index: int, carrier: Carrier) -> _Carried | None:
        """The object's matte for this frame, or None while the other direction is still to come."""
        anchors = sorted(frame for frame, _ in self._tracks[span.object_id].anchors)
        here = _Carried.of(carrier.matte, carrier.confidence)
        if not anchors[0] < index < anchors[-1]:
            return here
        if span.direction == FORWARD:
            self._kept[(span.object_id, index)] = here
            return None
        ahead = self._kept.pop((span.object_id, index))
        before = max(a for a in anchors if a < index)
        after = min(a for a in anchors if a > index)
        share = blend_share(index, before, after)
        return _Carried.of(
            *_blended(ahead.matte(self._extent), ahead.confidence, carrier.matte, carrier.confidence, share)
        )

    def _emit(self, step: Step, finished: list[tuple[str, _Carried]]) -> None:
        """Bring mattes to full size and hand them on; where rivals meet, their coverages add up to one at most."""
        index = step.frame.index
        whole = {name: full_size(step.picture, done.matte(self._extent)) for name, done in finished}
        shared = dict(whole)
        for name in whole:
            for rival in self._rivals[name]:
                if rival in whole:
                    shared[name] = _shared(shared[name], whole[rival], whole[name], name < rival)
                elif index in self._drawn[rival]:
                    shared[name] = np.minimum(shared[name], 255 - self._context.matte(self._drawn[rival][index]))
                elif (rival, index) in self._done_mattes:
                    there = full_size(step.picture, self._done_mattes[(rival, index)].matte(self._extent))
                    shared[name] = np.minimum(shared[name], 255 - there)
        for name, done in finished:
            if any(rival in self._tracks for rival in self._rivals[name]):
                self._done_mattes[(name, index)] = done
            mask = shared[name]
            mask.setflags(write=False)
            self._context.emit(name, index, mask, round(float(done.confidence), 4), TITLE)

    def _tell(self, span: Span, index: int, carrier: Carrier) -> None:
        """Notes for the artist, once per event."""
        if carrier.empty:
            return
        name = f"“{span.object_id}” " if len(self._tracks) > 1 else "The subject "
        state = "lost" if carrier.lost else "suspect" if carrier.confidence < SUSPECT else "sure"
        before = self._states.get((span.object_id, span.anchor, span.direction), "sure")
        self._states[(span.object_id, span.anchor, span.direction)] = state
        if carrier.found_again:
            self._context.note(f"{name}seems to be back on frame {index}: check it there.", index)
        elif state == "lost" and before != "lost":
            self._context.note(f"{name}was lost: draw a correction at frame {index} if it is still in view.", index)
        elif state == "suspect" and before == "sure":
            self._context.note(f"{name}is uncertain from here: draw a correction at frame {index}.", index)


def _overlap(a: Soft, b: Soft) -> bool:
    one, other = a > 0.5, b > 0.5
    return bool((one & other).sum() > _SHARED * max(1, min(one.sum(), other.sum())))


def _shared(
    mask: NDArray[np.uint8], rival: NDArray[np.uint8], own: NDArray[np.uint8], first: bool
) -> NDArray[np.uint8]:
    """``mask`` limited where ``own`` and ``rival`` together would cover more than a pixel.

    It is shared in proportion, so that a soft edge between two subjects stays soft; ``first`` says which rounds up.
    """
    both = own.astype(np.uint16) + rival
    meeting = both > 255
    if not meeting.any():
        return mask
    share = own[meeting].astype(np.float32) * 255 / both[meeting]
    limited = mask.copy()
    limited[meeting] = np.minimum(mask[meeting], (np.ceil(share - 0.5) if first else np.floor(share)).astype(np.uint8))
    return limited


def _blended(
    ahead: Soft, ahead_confidence: float, back: Soft, back_confidence: float, share: float
) -> tuple[Soft, float]:
    """Mix the mattes carried from both sides, by distance to the anchors and by how sure each side is."""
    later = share * (back_confidence + 0.02)
    earlier = (1 - share) * (ahead_confidence + 0.02)
    weight = np.float32(later / (later + earlier))
    matte = (1 - weight) * ahead + weight * back
    both, either = float(np.minimum(ahead, back).sum()), float(np.maximum(ahead, back).sum())
    agreement = both / either if either > 0 else 1.0
    confidence = float((1 - weight) * ahead_confidence + weight * back_confidence)
    return matte.astype(np.float32), confidence * (0.5 + 0.5 * agreement)
