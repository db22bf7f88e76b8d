"""Runs a painter over the wanted frames: stills one by one, video in segments between key frames, resumable.

A segment goes from one key frame to the next (or to the end of a shot). Keys hold a painted layer; the frames between
carry it
(:mod:`gen2studio.example.carry`) over a base that is painted anew on every frame. Keys and the plan of segments are
kept in the
job's scratch folder, so that a resumed job gives the very frames an uninterrupted one gives.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.core.geometry import Rect
from gen2studio.core.hashing import canonical_digest
from gen2studio.core.paths import write_atomic
from gen2studio.engine.generators import RunContext
from gen2studio.engine.requests import GenerateRequest
from gen2studio.example import carry, cuts
from gen2studio.example.compiled import Team
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32, I32

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class KeyLayer:
    """What a painter made of a key frame."""

    layer: F32
    """(h, w, C≤4) at working size."""
    field: I32 | None = None
    """Matches of the synthesis, to start the next key from."""


@dataclass(frozen=True, slots=True)
class Carried:
    """The key before, brought to this key's frame."""

    layer: F32
    field: I32 | None
    weight: F32
    """(h, w) how much to hold on to it: consistency × visibility, 0…6."""


class Painter(Protocol):
    """A look ready to run on one clip."""

    @property
    def keyed(self) -> bool:
        """Whether it has layers to carry; others are painted frame by frame."""
        ...

    def turn_to(self, frame: int) -> None:
        """What is painted next is media frame ``frame``: its controls count."""
        ...

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        """Paint the layer of a key frame (h, w, 3) float sRGB at working size."""
        ...

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        """The finished (H, W, 3) float frame from the source and its layer (at full size)."""
        ...


class Footage:
    """The source frames of a run, cut to the part that is needed (a box around small masks)."""

    def __init__(self, request: GenerateRequest, context: RunContext) -> None:
        self.request = request
        self.context = context
        self.box = _needed_box(request, context)
        self.width, self.height = self.box.width, self.box.height
        self.work = carry.work_size(self.width, self.height)

    def source(self, frame: int) -> Picture:
        whole = self.context.source(frame)
        box = self.box
        return np.ascontiguousarray(whole[box.y : box.bottom, box.x : box.right])

    def emit(self, frame: int, picture: F32) -> None:
        """Hand over a finished float picture of the box; the rest of the frame is the source."""
        done = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
        box = self.box
        if (box.width, box.height) != (self.request.width, self.request.height):
            whole = self.context.source(frame).copy()
            whole[box.y : box.bottom, box.x : box.right] = done
            done = whole
        self.context.emit(frame, done)


def _needed_box(request: GenerateRequest, context: RunContext) -> Rect:
    """The union of the masks over the wanted frames with a margin of 48 px, or everything where that saves little."""
    whole = Rect(0, 0, request.width, request.height)
    if request.region == "all":
        return whole
    union = Rect(0, 0, 0, 0)
    for frame in request.wanted:
        mask = context.mask(frame)
        if mask is None:
            return whole
        x, y, width, height = cv2.boundingRect(mask)
        union = union.united(Rect(x, y, width, height))
        if union.width * union.height > 0.55 * whole.width * whole.height:
            return whole
    if union.empty:
        return Rect(0, 0, min(64, whole.width), min(64, whole.height))
    box = union.grown(48).intersected(whole)
    return whole if box.width * box.height > 0.7 * whole.width * whole.height else box


def as_float(picture: Picture) -> F32:
    return picture.astype(np.float32) * np.float32(1 / 255)


def run_film(painter: Painter, footage: Footage, team: Team) -> None:
    """Emit every wanted frame that isn't finished."""
    request = footage.request
    if request.frames is not None or not painter.keyed or len(request.wanted) == 1:
        _run_stills(painter, footage, team)
        return
    _Run(painter, footage, team).go()


def _run_stills(painter: Painter, footage: Footage, team: Team) -> None:
    context = footage.context
    wanted = footage.request.wanted
    for done, frame in enumerate(wanted):
        if frame not in context.finished:
            context.checkpoint()
            source = footage.source(frame)
            layer = None
            painter.turn_to(frame)
            if painter.keyed:
                small = as_float(carry.shrunk(source, footage.work))
                made = _rounded(painter.key(small, None, team, context.cancel))
                layer = carry.grown(made.layer, footage.width, footage.height)
            footage.emit(frame, painter.finish(as_float(source), layer, team))
        context.progress(done + 1, len(wanted), "Painting")


@dataclass(frozen=True, slots=True)
class _Segment:
    """Frames [start, stop] between two keys; ``fresh`` = the first key begins a shot."""

    start: int
    stop: int
    next_start: int
    fresh: bool


class _Run:
    def __init__(self, painter: Painter, footage: Footage, team: Team) -> None:
        self.painter, self.footage, self.team = painter, footage, team
        self.request, self.context = footage.request, footage.context
        self.consistency = self.request.controls.consistency
        self.spacing = (
            max(1, round(1 + 8 * self.consistency)) if self.consistency <= 1 else round(9 + 7 * (self.consistency - 1))
        )
        self.folder = self.context.scratch / canonical_digest(self.request)[:16]
        self.done = 0
        self.stop = self.request.stop
        self.emitted: set[int] = set()

    def go(self) -> None:
        self.done = sum(1 for f in self.request.wanted if f in self.context.finished)
        for start, stop in _stretches(self.request, self.context.kept):
            self.stop = stop
            self._stretch(start)

    def _stretch(self, start: int) -> None:
        """Frames from ``start`` to ``self.stop``, which begin with a key of their own."""
        fresh = True
        before: KeyLayer | None = None
        while start < self.stop:
            self.context.checkpoint()
            known = self._known(start)
            if known is not None and all(f in self.context.finished for f in range(start, known.stop + 1)):
                before = None
                start, fresh = known.next_start, known.next_start != known.stop
                if known.next_start == known.stop == self.stop - 1:
                    return
                continue
            segment, before = self._segment(start, fresh, before)
            if segment.next_start == segment.stop == self.stop - 1 or segment.next_start >= self.stop:
                return
            start, fresh = segment.next_start, segment.next_start != segment.stop

    def _segment(self, start: int, fresh: bool, before: KeyLayer | None) -> tuple[_Segment, KeyLayer]:
        """Plan, paint and emit one segment; returns it and its last key."""
        frames, steps, cut = self._gather(start)
        stop = start + len(frames) - 1
        first = before if before is not None and not fresh else self._key(start, frames[0], None)
        self._emit(start, frames[0], first.layer)
        last = first
        if len(frames) > 1:
            ahead, back = carry.forward_tracks(steps), carry.backward_tracks(steps)
            last = self._key(stop, frames[-1], self._carried(first, ahead[-1]))
            for i in range(1, len(frames) - 1):
                self.context.checkpoint()
                if start + i in self.context.finished:
                    continue
                layer = carry.between(first.layer, last.layer, ahead[i - 1], back[i], i / (len(frames) - 1))
                self._emit(start + i, frames[i], layer)
            self._emit(stop, frames[-1], last.layer)
        following = stop + 1 if cut or stop == start else stop
        segment = _Segment(start, stop, following, fresh)
        write_atomic(
            self.folder / f"segment_{start:06d}.json",
            json.dumps({"stop": stop, "next": following, "fresh": fresh}).encode(),
        )
        return segment, last

    def _gather(self, start: int) -> tuple[list[Picture], list[carry.Step], bool]:
        """Frames from ``start`` to the next key: spacing reached, too much new, the shot or the clip ends (True =
        cut)."""
        frames = [self.footage.source(start)]
        steps: list[carry.Step] = []
        small = carry.shrunk(frames[0], self.footage.work)
        signature = cuts.signature(small)
        for index in range(start + 1, min(self.stop, start + self.spacing + 1)):
            self.context.checkpoint()
            picture = self.footage.source(index)
            small_next = carry.shrunk(picture, self.footage.work)
            signature_next = cuts.signature(small_next)
            if cuts.is_cut(signature, signature_next):
                return frames, steps, True
            step = carry.step_between(small, small_next)
            frames.append(picture)
            steps.append(step)
            small, signature = small_next, signature_next
            if len(steps) >= 2 and float(np.prod([s.share for s in steps])) < 0.72:
                break
        return frames, steps, False

    def _carried(self, first: KeyLayer, track: carry.Track) -> Carried | None:
        if self.consistency <= 0:
            return None
        field = None if first.field is None else track.warp_field(first.field)
        weight = np.asarray(3 * self.consistency * gaussian(track.seen, 1.0), np.float32)
        return Carried(track.warp(first.layer), field, weight)

    def _key(self, frame: int, picture: Picture, carried: Carried | None) -> KeyLayer:
        """The layer of a key frame: as kept by an interrupted run, else painted and kept."""
        path = self.folder / f"key_{frame:06d}.npz"
        if path.is_file():
            with np.load(path) as kept:
                field = kept["field"].astype(np.int32) if "field" in kept else None
                return KeyLayer(kept["layer"].astype(np.float32), field)
        small = as_float(carry.shrunk(picture, self.footage.work))
        self.painter.turn_to(frame)
        made = _rounded(self.painter.key(small, carried, self.team, self.context.cancel))
        memory = io.BytesIO()
        arrays: dict[str, NDArray[Any]] = {"layer": made.layer.astype(np.float16)}
        if made.field is not None:
            arrays["field"] = made.field.astype(np.int16)
        np.savez(memory, allow_pickle=False, **arrays)
        write_atomic(path, memory.getvalue())
        return made

    def _known(self, start: int) -> _Segment | None:
        path = self.folder / f"segment_{start:06d}.json"
        if not path.is_file():
            return None
        kept = json.loads(path.read_text())
        return _Segment(start, kept["stop"], kept["next"], kept["fresh"])

    def _emit(self, frame: int, picture: Picture, layer: F32) -> None:
        if frame in self.context.finished or frame in self.emitted:
            return
        self.emitted.add(frame)
        full = carry.grown(layer, self.footage.width, self.footage.height)
        self.painter.turn_to(frame)
        self.footage.emit(frame, self.painter.finish(as_float(picture), full, self.team))
        self.done += 1
        self.context.progress(self.done, len(self.request.wanted), "Painting")


def _rounded(made: KeyLayer) -> KeyLayer:
    """Layers are always used at half precision, so that a kept one is the same as a fresh one."""
    return KeyLayer(made.layer.astype(np.float16).astype(np.float32), made.field)


def _stretches(request: GenerateRequest, kept: frozenset[int]) -> list[tuple[int, int]]:
    """The range of the request without what another take lends: runs [start, stop)."""
    found: list[tuple[int, int]] = []
    for frame in range(request.start, request.stop):
        if frame in kept:
            continue
        if found and found[-1][1] == frame:
            found[-1] = found[-1][0], frame + 1
        else:
            found.append((frame, frame + 1))
    return found


def sample_frames(request: GenerateRequest) -> Iterator[int]:
    """First, middle and last frame of the clip, for statistics that must be the same on every frame of it."""
    start, stop = request.sampled or (request.start, request.stop)
    last = max(start, stop - 1)
    yield from dict.fromkeys((start, (start + last) // 2, last))
