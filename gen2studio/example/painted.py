"""Engine (b): painted key frames carried over the clip (after Jamriška et al., Stylizing Video by Example, 2019).

Around every painted key the clip is walked frame by frame, outwards in both directions. Each frame is synthesised
from the key's
painting by guided PatchMatch; the guides are the footage's colours and edges, and where in the key every pixel came
from along
the chained flow. Between two keys both results are blended by time and visibility.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.core.hashing import canonical_digest
from gen2studio.core.paths import write_atomic
from gen2studio.engine.generators import RunContext
from gen2studio.engine.requests import GenerateRequest
from gen2studio.example import carry, colour_map, cuts, patchmatch
from gen2studio.example.compiled import Team
from gen2studio.example.film import Footage, as_float
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32, I32
from gen2studio.example.skin import protected
from gen2studio.raster import flow

Picture = NDArray[np.uint8]
UNEXPLAINED = 0.25
"""Share of a frame that no painted key explains from which another key is asked for."""


@dataclass(frozen=True, slots=True)
class _Key:
    frame: int
    painting: F32
    """(h, w, 3) scaled Lab at working size."""
    source: Picture
    """(h, w, 3) the footage's frame at working size."""
    example: patchmatch.Exemplar
    light: F32
    """(h, w, 1) Lab lightness of ``source``."""
    tone: float
    """How much lighter the painting gets where the footage does (regression slope, −1…1.2)."""


@dataclass(slots=True)
class _Walk:
    """The state of a walk away from a key: everything the next frame needs."""

    frame: int
    source: Picture
    track: carry.Track
    result: F32
    """(h, w, 3) the painted frame, Lab."""
    lift: F32
    """(h, w) lightness of the footage that no patch of the key explains, to be added to the finished frame."""


def run_painted(request: GenerateRequest, context: RunContext) -> None:
    """Emit every wanted frame from ``request.keys``. Raises GenerationError when no key lies where it can be used."""
    footage = Footage(request, context)
    with Team(context.threads) as team:
        _Painted(request, context, footage, team).go()


class _Painted:
    def __init__(self, request: GenerateRequest, context: RunContext, footage: Footage, team: Team) -> None:
        self.request, self.context, self.footage, self.team = request, context, footage, team
        self.width, self.height = footage.work
        self.unit = self.height / 288
        self.hold = request.controls.consistency
        self.settings = patchmatch.Settings(
            seed=request.seed,
            passes=(2, 2, 1),
            uniformity=0.0,
            sharpness=2000.0,
            style_weight=0.6,
            reach=16,
            restore=True,
        )
        self.keys = [
            self._key(ref.frame, context.blob(ref.blob)) for ref in sorted(request.keys, key=lambda k: k.frame)
        ]
        if not self.keys:
            raise GenerationError(
                "No painted key frame was given.", "Paint over a frame of the clip and add it as a key."
            )
        self.asked: set[int] = set()
        self.done = 0
        self.folder = context.scratch / canonical_digest(request)[:16]

    def _key(self, frame: int, painting: Picture) -> _Key:
        if frame >= self.request.source.frame_count > 0 or frame < 0:
            raise GenerationError(
                f"The painted key of frame {frame} lies outside the clip.", "Move it to a frame of the clip."
            )
        box = self.footage.box
        whole = (self.request.width, self.request.height)
        if abs(painting.shape[1] / painting.shape[0] - whole[0] / whole[1]) > 0.05:
            raise GenerationError(
                f"The painted key of frame {frame} has another shape than the clip.",
                "Export the frame, paint over it and keep its proportions.",
            )
        fitted = cv2.resize(
            painting, whole, interpolation=cv2.INTER_AREA if painting.shape[1] > whole[0] else cv2.INTER_CUBIC
        )
        part = fitted[box.y : box.bottom, box.x : box.right]
        source = carry.shrunk(self.footage.source(frame), self.footage.work)
        lab = colour_map.to_lab(as_float(carry.shrunk(part, self.footage.work)))
        guides = self._guides(frame, frame, source, flow.grid(self.height, self.width))
        light = colour_map.to_lab(as_float(source))[..., :1]
        spread = light[..., 0] - light.mean()
        tone = float((spread * lab[..., 0]).mean() / max(float((spread * spread).mean()), 1e-5))
        return _Key(frame, lab, source, patchmatch.exemplar(lab, guides, 3), light.copy(), min(1.2, max(-1.0, tone)))

    def _guides(self, key: int, frame: int, source: Picture, place: F32) -> F32:
        """(h, w, 6): footage Lab, edge strength, and the position in the key; scaled by the roots of their weights.

        The structure control blurs as it stands on ``frame``; the weights are those of the ``key`` that is carried
        there, because patches are compared with the key's own guides.
        """
        lab = colour_map.to_lab(as_float(source))
        loose = self.request.control("structure", frame)
        lab = gaussian(lab, float(np.interp(loose, [0, 2, 7], [0.01, 0.6, 3.0])) * self.unit + 0.01)
        gx, gy = cv2.Scharr(lab[..., 0], cv2.CV_32F, 1, 0), cv2.Scharr(lab[..., 0], cv2.CV_32F, 0, 1)
        edges = np.minimum(np.hypot(gx, gy) / 8, 1.0)[..., None]
        where = place / np.array([self.width, self.height], np.float32)
        g = float(np.interp(self.request.control("structure", key), [0, 2, 7], [1.7, 1.0, 0.4]))
        weights = np.sqrt(np.array([2 * g, 1.5 * g, 1.5 * g, 0.6 * g, 3.0, 3.0], np.float32))
        return np.asarray(np.concatenate([lab, edges, where], axis=2) * weights, np.float32)

    # -- the plan ------------------------------------------------------------------------------------------------------

    def go(self) -> None:
        """Frames in order; between two keys the later key's walk is kept on disk until its turn."""
        wanted = set(self.request.wanted)
        first, last = min(wanted), max(wanted)
        self.done = len(wanted & self.context.finished)
        spans = self._spans(first, last)
        for left, right, start, stop in spans:
            needed = [f for f in range(start, stop + 1) if f in wanted and f not in self.context.finished]
            if needed:
                self._span(left, right, needed)

    def _spans(self, first: int, last: int) -> list[tuple[_Key | None, _Key | None, int, int]]:
        """(key before, key after, first frame, last frame) covering first…last."""
        spans: list[tuple[_Key | None, _Key | None, int, int]] = []
        keys = self.keys
        if first < keys[0].frame:
            spans.append((None, keys[0], first, min(last, keys[0].frame - 1)))
        for left, right in zip(keys, [*keys[1:], None], strict=True):
            stop = last if right is None else min(last, right.frame - 1)
            start = max(first, left.frame)
            if start <= stop:
                spans.append((left, right, start, stop))
        return spans

    def _span(self, left: _Key | None, right: _Key | None, needed: list[int]) -> None:
        if right is not None:
            self._walk(right, min(needed), -1, set(needed))

        def finish(frame: int, reached: bool = True) -> None:
            a = self._kept(left, frame) if left is not None and reached else None
            b = self._kept(right, frame) if right is not None else None
            self._finish(frame, left, right, a, b)

        # What comes from the right lies there: a frame is whole as soon as the walk from the left has come to it.
        from_left = self._walk(left, max(needed), 1, set(needed), finish) if left is not None else set[int]()
        for frame in needed:
            if frame not in from_left:
                self.context.checkpoint()
                finish(frame, reached=False)

    def _walk(
        self, key: _Key, goal: int, way: int, needed: set[int], arrived: Callable[[int], None] = lambda frame: None
    ) -> set[int]:
        """Synthesise frame by frame from ``key`` towards ``goal``, keeping results on disk; ends at a cut. Returns
        frames done; ``arrived`` is told each."""
        state = _Walk(key.frame, key.source, _identity(self.height, self.width), key.painting, self._nothing())
        reached: set[int] = set()
        if key.frame in needed:
            self._keep(key, key.frame, key.painting, np.ones((self.height, self.width), np.float32), self._nothing())
            reached.add(key.frame)
            arrived(key.frame)
        signature = cuts.signature(key.source)
        while state.frame != goal and (goal - state.frame) * way > 0:
            self.context.checkpoint()
            frame = state.frame + way
            source = carry.shrunk(self.footage.source(frame), self.footage.work)
            following = cuts.signature(source)
            if cuts.is_cut(signature, following):
                self._ask(frame, "The shot changes here")
                break
            signature = following
            state = self._step(key, state, frame, source)
            if frame in needed:
                self._keep(key, frame, state.result, state.track.seen, state.lift)
                reached.add(frame)
                arrived(frame)
        return reached

    def _step(self, key: _Key, state: _Walk, frame: int, source: Picture) -> _Walk:
        """One frame further: chain the flow, guide, synthesise, hold on to the frame before."""
        between = carry.step_between(state.source, source)
        back, seen_now = between.backward, between.seen_backward.astype(np.float32)
        chained = flow.compose(back, state.track.flow)
        seen = np.asarray(seen_now * np.asarray(flow.warp(state.track.seen, back), np.float32), np.float32)
        track = carry.Track(chained, seen)
        place = np.asarray(flow.grid(self.height, self.width) + chained, np.float32)
        np.clip(place[..., 0], 0, self.width - 1, out=place[..., 0])
        np.clip(place[..., 1], 0, self.height - 1, out=place[..., 1])
        before = np.asarray(flow.warp(state.result, back, cv2.INTER_CUBIC), np.float32)
        soft = gaussian(seen_now, 1.0)
        start: I32 = np.rint(place).astype(np.int32)
        made = patchmatch.synthesise(
            key.example, self._guides(key.frame, frame, source, place), self.settings, self.team, self.context.cancel,
            start=start, start_level=2, anchor=before, anchor_weight=np.asarray(2 * self.hold * soft, np.float32),
        )  # fmt: skip
        mix = (min(0.8, 0.5 * self.hold) * soft)[..., None]
        result = np.asarray(made.result + (before - made.result) * mix, np.float32)
        result = patchmatch.with_contrast_of(result, patchmatch.local_deviation(made.result), 1.25)
        result = result.astype(np.float16).astype(np.float32)
        return _Walk(frame, source, track, result, self._unexplained(key, frame, source, made.field, made.cost))

    def _nothing(self) -> F32:
        return np.zeros((self.height, self.width), np.float32)

    def _unexplained(self, key: _Key, frame: int, source: Picture, field: I32, cost: F32) -> F32:
        """Lightness of the footage minus that of the key's footage under the chosen patches, in the painting's tone.

        Shading, outlines and features that the key doesn't hold would otherwise be painted over.
        """
        amount = float(np.interp(self.request.control("structure", frame), [0, 2, 7], [1.0, 0.65, 0.0])) * key.tone
        if amount == 0:
            return self._nothing()
        found = patchmatch.voted(key.light, field, cost, self.settings, self.team)[..., 0]
        gap = colour_map.to_lab(as_float(source))[..., 0] - found
        return np.asarray(amount * np.clip(gap, -0.35, 0.35), np.float32)

    # -- results -------------------------------------------------------------------------------------------------------

    def _path(self, key: _Key, frame: int) -> str:
        return f"walk_{key.frame:06d}_{frame:06d}.npz"

    def _keep(self, key: _Key, frame: int, result: F32, seen: F32, lift: F32) -> None:
        result = np.concatenate([result[..., :1] + lift[..., None], result[..., 1:]], axis=2)
        memory = io.BytesIO()
        np.savez(
            memory, allow_pickle=False, result=result.astype(np.float16), seen=np.rint(seen * 255).astype(np.uint8)
        )
        write_atomic(self.folder / self._path(key, frame), memory.getvalue())

    def _kept(self, key: _Key, frame: int) -> tuple[F32, F32] | None:
        path = self.folder / self._path(key, frame)
        if not path.is_file():
            return None
        with np.load(path) as kept:
            return kept["result"].astype(np.float32), kept["seen"].astype(np.float32) / 255

    def _finish(
        self, frame: int, left: _Key | None, right: _Key | None, a: tuple[F32, F32] | None, b: tuple[F32, F32] | None
    ) -> None:
        if a is None and b is None:
            raise GenerationError(
                f"No painted key can be carried to frame {frame}: a cut lies between.",
                "Paint a key frame in that shot as well.",
            )
        if a is not None and b is not None and left is not None and right is not None:
            position = (frame - left.frame) / (right.frame - left.frame)
            weight_a, weight_b = (1 - position) * (0.08 + a[1]), position * (0.08 + b[1])
            share = gaussian(np.asarray(weight_b / (weight_a + weight_b), np.float32), 2 * self.unit)[..., None]
            layer = a[0] + (b[0] - a[0]) * share
            wanted = (1 - share) * patchmatch.local_deviation(a[0]) + share * patchmatch.local_deviation(b[0])
            layer = patchmatch.with_contrast_of(np.asarray(layer, np.float32), np.asarray(wanted, np.float32), 1.3)
            seen = np.maximum(a[1], b[1])
        else:
            layer, seen = a or b  # pyright: ignore[reportGeneralTypeIssues]
        if 1 - float(seen.mean()) > UNEXPLAINED:
            self._ask(frame, f"{round(100 * (1 - float(seen.mean())))} % of this frame is not in any painted key")
        self._emit(frame, np.asarray(layer, np.float32))

    def _emit(self, frame: int, layer: F32) -> None:
        controls = self.request.controls_at(frame)
        source = as_float(self.footage.source(frame))
        lab = carry.grown(layer, self.footage.width, self.footage.height)
        if self.footage.work != (self.footage.width, self.footage.height):
            own = colour_map.to_lab(source)
            light = own[..., 0]
            small = cv2.resize(
                cv2.resize(light, self.footage.work, interpolation=cv2.INTER_AREA),
                (light.shape[1], light.shape[0]),
                interpolation=cv2.INTER_CUBIC,
            )
            lab[..., 0] += 0.8 * (light - small)
        unit = self.request.height / 288
        painted = lab
        if abs(controls.style_weight - 1) > 1e-3:
            own = colour_map.to_lab(source)
            if controls.style_weight < 1:
                painted = own + (lab - own) * np.float32(controls.style_weight)
            else:
                smooth = gaussian(lab, 4 * unit)
                painted = lab + (lab - smooth) * np.float32(0.6 * (controls.style_weight - 1))
        rgb = colour_map.to_rgb(np.asarray(painted, np.float32))
        rgb = protected(rgb, source, controls.protect_skin, unit)
        self.footage.emit(frame, np.asarray(source + (rgb - source) * np.float32(controls.strength), np.float32))
        self.done += 1
        self.context.progress(self.done, len(self.request.wanted), "Carrying the painted keys")

    def _ask(self, frame: int, why: str) -> None:
        """Ask for another key, at most once in 12 frames."""
        if all(abs(frame - other) >= 12 for other in self.asked):
            self.asked.add(frame)
            self.context.note(f"{why}: paint another key frame here for a better result.", frame)


def _identity(height: int, width: int) -> carry.Track:
    return carry.Track(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))
