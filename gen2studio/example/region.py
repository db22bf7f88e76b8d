"""Engine (c): change the colour and pattern of a masked subject; its shading stays and the pattern sticks to it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.engine.generators import RunContext
from gen2studio.engine.requests import GenerateRequest, PatternRef
from gen2studio.example import carry, colour_map, cuts
from gen2studio.example.film import Footage, as_float, sample_frames
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32
from gen2studio.example.patterns import Cloth, Coordinates, Mask, Spots
from gen2studio.example.skin import protected
from gen2studio.example.words import PatternWish
from gen2studio.raster import flow

Picture = NDArray[np.uint8]
Colour = tuple[int, int, int]
KINDS = ("none", "spots", "stripes", "plaid", "swatch")


def run_region(request: GenerateRequest, wish: PatternWish | PatternRef, context: RunContext) -> None:
    """Emit every wanted frame with the masked part recoloured. Raises GenerationError for an unknown pattern."""
    if wish.kind not in KINDS:
        raise GenerationError(f"There is no pattern called “{wish.kind}”.", f"Use one of {', '.join(KINDS)}.")
    swatch = None
    if wish.kind == "swatch":
        if not isinstance(wish, PatternRef) or wish.swatch is None:
            raise GenerationError(
                "The swatch pattern has no image.", "Drop an image on the swatch field or choose another pattern."
            )
        swatch = as_float(context.blob(wish.swatch))
    _Region(request, wish, swatch, context).go()


class _Region:
    def __init__(
        self, request: GenerateRequest, wish: PatternWish | PatternRef, swatch: F32 | None, context: RunContext
    ) -> None:
        self.request, self.wish, self.context = request, wish, context
        self.footage = Footage(request, context)
        self.scale = self.footage.width / self.footage.work[0]
        controls = request.controls
        self.motif = request.height / 24 * wish.scale * controls.stroke_size / self.scale
        self.spots = Spots(self.motif * 1.75, request.seed) if wish.kind == "spots" else None
        self.cloth = (
            Cloth(wish.kind, self.motif * self.scale, request.seed, swatch)
            if wish.kind in ("stripes", "plaid", "swatch")
            else None
        )
        self.coordinates = Coordinates() if self.cloth is not None else None
        self.middle, self.brightest = self._lights()
        self.base, self.ink = self._colours()

    def _mask(self, frame: int) -> Mask:
        box = self.footage.box
        mask = self.context.mask(frame)
        if mask is None:
            return np.full((box.height, box.width), 255, np.uint8)
        return np.ascontiguousarray(mask[box.y : box.bottom, box.x : box.right])

    def _lights(self) -> tuple[float, float]:
        """(median Lab lightness of the subject 0…1, its 97th percentile relative to that) over sample frames."""
        values: list[F32] = []
        for frame in sample_frames(self.request):
            inside = self._mask(frame) > 127
            if inside.any():
                values.append(colour_map.to_lab(as_float(self.footage.source(frame)))[..., 0][inside])
        if not values:
            return 0.5, 1.25
        lights = np.concatenate(values)
        middle = max(0.06, float(np.median(lights)))
        return middle, min(2.2, max(1.05, float(np.quantile(lights, 0.97)) / middle))

    def _colours(self) -> tuple[F32 | None, F32]:
        """Lab of the base (None = the subject's own) and of the ink (contrasting when not said)."""
        base, ink = self.wish.base, self.wish.ink
        light = self.middle if base is None else float(_lab(base)[0])
        if ink is None:
            ink = (22, 20, 20) if light > 0.45 else (245, 243, 238)
        return (None if base is None else _lab(base)), _lab(ink)

    def go(self) -> None:
        """Walk the range in order (carriers depend on the frames before); stills start their carrier on the very
        frame."""
        request, context = self.request, self.context
        wanted = request.wanted
        alone = request.frames is not None
        frames = wanted if alone else range(request.start, request.stop)
        before: Picture | None = None
        signature: NDArray[np.float32] | None = None
        wish_set, done = set(wanted), 0
        needs_walk = self.spots is not None or self.coordinates is not None
        for frame in frames:
            context.checkpoint()
            finished = frame in context.finished
            if finished and not needs_walk:
                done += 1
                continue
            source, mask = self.footage.source(frame), self._mask(frame)
            if needs_walk:
                small = carry.shrunk(source, self.footage.work)
                small_mask = carry.shrunk(mask, self.footage.work)
                following = cuts.signature(small)
                fresh = before is None or alone or (signature is not None and cuts.is_cut(signature, following))
                self._move(None if fresh else before, small, small_mask)
                before, signature = small, following
            if frame in wish_set:
                done += 1
                if not finished:
                    self.footage.emit(frame, self._painted(frame, source, mask))
                context.progress(done, len(wanted), "Recolouring")

    def _move(self, before: Picture | None, now: Picture, mask: Mask) -> None:
        if before is None:
            if self.spots is not None:
                self.spots.begin(mask)
            if self.coordinates is not None:
                self.coordinates.begin(mask)
            return
        a, b = flow.grey(before), flow.grey(now)
        forward = flow.dis_flow(a, b)
        if self.spots is not None:
            self.spots.advance(forward, mask)
        if self.coordinates is not None:
            self.coordinates.advance(forward, flow.dis_flow(b, a), mask)

    def _painted(self, frame: int, source: Picture, mask: Mask) -> F32:
        """The whole box painted where the mask (a few pixels grown) is; the engine cuts it out with the soft matte."""
        rgb = as_float(source)
        controls = self.request.controls_at(frame)
        unit = self.request.height / 288
        own = colour_map.to_lab(rgb)
        keep = controls.preserve_luminance
        shade = own[..., 0] / self.middle
        shade = 1 + (shade - 1) * keep
        fine = (own[..., 0] - gaussian(own[..., 0], 2 * unit)) * keep
        shift = own[..., 1:] - np.median(own[mask > 127][:, 1:], axis=0) if (mask > 127).any() else own[..., 1:] * 0
        painted = (
            own.copy()
            if self.base is None
            else _coat(self.base, shade, fine, np.asarray(shift, np.float32), self.brightest)
        )
        height, width = mask.shape
        if self.spots is not None:
            cover = self.spots.coverage(height, width, self.scale)
            painted = _over(painted, _coat(self.ink, shade, fine, np.asarray(shift, np.float32), self.brightest), cover)
        elif self.cloth is not None and self.coordinates is not None:
            painted = self._clothed(painted, shade, fine, np.asarray(shift, np.float32))
        painted = own + (painted - own) * np.float32(min(1.0, controls.style_weight))
        out = protected(colour_map.to_rgb(np.asarray(painted, np.float32)), rgb, controls.protect_skin, unit)
        inside = cv2.dilate((mask > 0).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)[..., None]
        return np.asarray(rgb + (out - rgb) * inside * np.float32(controls.strength), np.float32)

    def _clothed(self, painted: F32, shade: F32, fine: F32, shift: F32) -> F32:
        assert self.cloth is not None and self.coordinates is not None
        height, width = shade.shape
        layers = [
            (carry.grown(np.asarray(place * np.float32(self.scale), np.float32), width, height), weight)
            for place, weight in self.coordinates.layers()
        ]
        if self.cloth.kind == "swatch":
            colour = sum(
                (self.cloth.colours(place) * np.float32(weight) for place, weight in layers),
                np.zeros((height, width, 3), np.float32),
            )
            return _coat(colour_map.to_lab(np.asarray(colour, np.float32)), shade, fine, shift, self.brightest)
        cover = sum(
            (self.cloth.coverage(place) * np.float32(weight) for place, weight in layers),
            np.zeros((height, width), np.float32),
        )
        return _over(painted, _coat(self.ink, shade, fine, shift, self.brightest), np.asarray(cover, np.float32))


def _lab(colour: Colour) -> F32:
    return colour_map.to_lab(np.array(colour, np.float32)[None, None] / np.float32(255))[0, 0]


def _coat(paint: F32, shade: F32, fine: F32, shift: F32, brightest: float = 1.25) -> F32:
    """A coat of ``paint`` (Lab, (3,) or (H, W, 3)) under the subject's ``shade`` (H, W; 1 = its middle tone).

    Lightness stays linear in the shade, placed and sloped so that the subject's ``brightest`` shade still has room
    below
    white and its middle stays near the paint; only the ends roll off. Dark paint keeps a sheen and the fine relief of
    folds and fur.
    """
    light = paint[..., 0]
    slope = min(0.62, 0.24 / max(brightest - 1, 0.05))
    placed = np.maximum(1.0, brightest - (0.945 / np.maximum(light, 0.05) - 1) / slope)
    lit = light * (1 + slope * (shade - placed)) + (1 - light) * (0.05 + 0.24 * (shade - 1) + 0.5 * fine)
    lit = np.where(lit > 0.93, 0.93 + 0.07 * np.tanh((lit - 0.93) / 0.07), lit)
    lit = np.where(lit < 0.06, 0.06 * np.exp(np.minimum(lit / 0.06 - 1, 0)), lit)
    out = np.empty((*shade.shape, 3), np.float32)
    out[..., 0] = lit
    out[..., 1:] = paint[..., 1:] * np.clip(0.55 + 0.45 * shade, 0.5, 1.1)[..., None] + 0.13 * shift
    return out


def _over(below: F32, above: F32, cover: F32) -> F32:
    return np.asarray(below + (above - below) * cover[..., None], np.float32)
