"""The weight-free mask tracker: dense flow, remembered appearance and guided edges."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import cv2
import numpy as np

from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Extent
from gen2studio.engine.events import Estimate
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import AnchorTrack, PropagateRequest
from gen2studio.segmentation.carrier import Carrier, Evidence, weighed
from gen2studio.segmentation.confidence import SUSPECT
from gen2studio.segmentation.frames import work_extent
from gen2studio.segmentation.plan import BACKWARD, FORWARD, Direction, Span, blend_share, spans_of, wanted_range
from gen2studio.segmentation.refine import Soft, full_size
from gen2studio.segmentation.stream import Step, steps

_SECONDS_PER_STEP = 0.2


@dataclass(frozen=True)
class _Carried:
    """A carried matte kept until the other direction arrives: packed 8-bit coverage at working size."""

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
    distance and confidence. Anchors are never emitted. ``direction`` chooses the side of ``from_frame`` that gets
    mattes. A subject that is lost gets an empty matte with confidence 0 and a note, never a guess; when it is found
    again by its appearance, a note asks for a look.
    """

    @property
    def title(self) -> str:
        return "Flow and appearance (no weights)"

    def estimate(self, request: PropagateRequest) -> Estimate:
        """Memory does not grow with the clip's length beyond a few kilobytes per frame between two anchors."""
        wanted = wanted_range(request)
        walked = sum(
            len(span.frames)
            for track in request.objects
            for span in spans_of(track.object_id, [f for f, _ in track.anchors], wanted)
        )
        pixels = max(1, request.source.width * request.source.height)
        objects = max(1, len(request.objects))
        return Estimate(
            memory_bytes=120 * 2**20 + pixels * 3 * 6 + pixels * 4 * 24 + objects * 24 * 2**20,
            disk_bytes=walked * 8192,
            seconds=walked * (_SECONDS_PER_STEP + pixels * 1.5e-7),
        )

    def propagate(self, request: PropagateRequest, context: MaskContext) -> None:
        """Emit a matte for every object and frame of the wanted range that is not an anchor.

        Raises :class:`StudioError` when nothing is drawn or a matte does not fit the clip, and ``Cancelled`` from
        ``context``; what was emitted until then stays valid.
        """
        _Propagation(request, context).run()


class _Propagation:
    """One run of the tracker."""

    def __init__(self, request: PropagateRequest, context: MaskContext) -> None:
        self._context = context
        self._wanted = wanted_range(request)
        self._moving = request.moving_subject
        self._tracks = {track.object_id: track for track in request.objects}
        self._extent = Extent(16, 16)
        self._anchors: dict[str, dict[int, Soft]] = {}
        self._kept: dict[tuple[str, int], _Carried] = {}
        self._spans: list[Span] = []
        self._exclusive = True
        self._states: dict[tuple[str, int, int], str] = {}
        """(object, anchor, direction) → lost, suspect or sure, on the last frame told about."""
        self._done = 0
        self._total = 0

    def run(self) -> None:
        if not any(track.anchors for track in self._tracks.values()):
            raise StudioError("There is no drawn mask to carry.", "Paint or select the subject on one frame first.")
        for track in self._tracks.values():
            self._spans += spans_of(track.object_id, [frame for frame, _ in track.anchors], self._wanted)
        if not self._spans:
            return
        first = self._context.source(self._spans[0].anchor)
        self._extent = work_extent(first.shape[1], first.shape[0])
        for track in self._tracks.values():
            self._anchors[track.object_id] = self._reduced(track, Extent(first.shape[1], first.shape[0]))
        self._exclusive = not self._overlapping()
        self._total = sum(len(run) for direction in (FORWARD, BACKWARD) for run in self._runs(direction))
        self._context.progress(0, self._total, "Carrying masks")
        for direction in (FORWARD, BACKWARD):
            for run in self._runs(direction):
                self._walk(run, direction)

    def _reduced(self, track: AnchorTrack, full: Extent) -> dict[int, Soft]:
        """The object's anchors at working size."""
        result: dict[int, Soft] = {}
        for frame, raster in track.anchors:
            if raster.extent != full:
                raise StudioError(
                    f"The mask on frame {frame} is {raster.extent} but the clip is {full}.",
                    "Draw it again on this clip, or import one of the clip's size.",
                )
            size = (self._extent.width, self._extent.height)
            small = cv2.resize(self._context.matte(raster), size, interpolation=cv2.INTER_AREA)
            result[frame] = np.asarray(small, np.float32) / np.float32(255)
        return result

    def _overlapping(self) -> bool:
        """Whether two objects were drawn over each other: a part and its whole must not fight for pixels."""
        ids = list(self._anchors)
        for index, one in enumerate(ids):
            for other in ids[index + 1 :]:
                for frame in self._anchors[one].keys() & self._anchors[other].keys():
                    a, b = self._anchors[one][frame] > 0.5, self._anchors[other][frame] > 0.5
                    if (a & b).sum() > 0.3 * max(1, min(a.sum(), b.sum())):
                        return True
        return False

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
        for span in spans:
            for frame in span.frames:
                at.setdefault(frame, []).append(span)
        starts = {(span.anchor, span.object_id) for span in spans}
        needed: dict[int, set[int]] = {}
        for span in spans:
            for frame in (span.anchor, *span.frames):
                needed.setdefault(frame, set()).add(span.anchor)
        carriers: dict[str, Carrier] = {}
        walk = steps(self._context, order, self._extent, {f: frozenset(a) for f, a in needed.items()})
        try:
            for step in walk:
                self._context.checkpoint()
                index = step.frame.index
                self._advance(step, at.get(index, []), carriers)
                for object_id in self._tracks:
                    if (index, object_id) in starts:
                        carriers[object_id] = Carrier(step.frame, self._anchors[object_id][index])
                self._done += 1
                self._context.progress(self._done, self._total, "Carrying masks")
        finally:
            walk.close()

    def _advance(self, step: Step, spans: list[Span], carriers: dict[str, Carrier]) -> None:
        """Carry every object whose span covers this frame, let them share the pixels, and hand the mattes on."""
        link = step.link
        active: list[tuple[Span, Carrier, Evidence]] = []
        for span in spans:
            carrier = carriers[span.object_id]
            assert link is not None
            active.append((span, carrier, carrier.gather(step.frame, link, step.far[span.anchor], self._moving)))
        if not active or link is None:
            return
        evidence = [e for _, _, e in active]
        odds = weighed(evidence) if self._exclusive else [weighed([e])[0] for e in evidence]
        for (span, carrier, gathered), share in zip(active, odds, strict=True):
            carrier.settle(step.frame, link, gathered, share)
            if step.frame.index in self._wanted:
                self._tell(span, step.frame.index, carrier)
            self._hand_on(span, step, carrier)

    def _hand_on(self, span: Span, step: Step, carrier: Carrier) -> None:
        index = step.frame.index
        if index not in self._wanted:
            return
        anchors = sorted(self._anchors[span.object_id])
        between = anchors[0] < index < anchors[-1]
        if not between:
            self._emit(span.object_id, step, carrier.matte, carrier.confidence)
        elif span.direction == FORWARD:
            self._kept[(span.object_id, index)] = _Carried.of(carrier.matte, carrier.confidence)
        else:
            ahead = self._kept.pop((span.object_id, index))
            before = max(a for a in anchors if a < index)
            after = min(a for a in anchors if a > index)
            matte, confidence = _blended(
                ahead.matte(self._extent),
                ahead.confidence,
                carrier.matte,
                carrier.confidence,
                blend_share(index, before, after),
            )
            self._emit(span.object_id, step, matte, confidence)

    def _emit(self, object_id: str, step: Step, matte: Soft, confidence: float) -> None:
        mask = full_size(step.picture, matte)
        mask.setflags(write=False)
        self._context.emit(object_id, step.frame.index, mask, round(float(confidence), 4), FlowTracker().title)

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
