"""Pattern carriers for region edits: spots as particles, everything else as a re-anchored texture coordinate field.

A texture coordinate advected by flow smears after a dozen frames; spots carried as particles stay round. Stripes,
plaid and
swatches keep two generations of coordinates that are reborn when they get distorted and are cross-faded meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.example import textures
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32
from gen2studio.example.lines import smoothstep
from gen2studio.raster import flow

Mask = NDArray[np.uint8]


def within(motion: F32, mask: Mask, sigma: float) -> F32:
    """``motion`` (h, w, 2) smoothed over the masked subject only and continued a little outside: background motion
    doesn't leak in."""
    weight = np.asarray(cv2.erode(mask, np.ones((3, 3), np.uint8)) > 127, np.float32)
    if weight.sum() < 16:
        weight = np.ones_like(weight)
    near = gaussian(weight, sigma) + 1e-4
    out = np.asarray(gaussian(motion * weight[..., None], sigma) / near[..., None], np.float32)
    far = gaussian(weight, 5 * sigma) + 1e-6
    wide = gaussian(motion * weight[..., None], 5 * sigma) / far[..., None]
    trust = np.clip(near / 0.05, 0, 1)[..., None]
    return np.asarray(wide + (out - wide) * trust, np.float32)


class Spots:
    """Particles on the subject: position, size, outline, age. Reproducible from the seed and the frames passed."""

    FADE_IN = 0.15
    FADE_OUT = 0.22

    def __init__(self, spacing: float, seed: int) -> None:
        self.spacing = spacing
        self.seed = seed
        self.generation = 0
        self.places = np.zeros((0, 2), np.float32)
        self.radius = np.zeros(0, np.float32)
        self.growth = np.zeros(0, np.float32)
        self.turn = np.zeros(0, np.float32)
        self.shape = np.zeros((0, 6), np.float32)
        self.alpha = np.zeros(0, np.float32)
        self.fading = np.zeros(0, np.bool_)

    def begin(self, mask: Mask) -> None:
        """Cover the subject of a first frame."""
        self._keep(np.zeros(len(self.places), np.bool_))
        self._fill(mask, 1.0)

    def advance(self, forward: F32, mask: Mask) -> None:
        """Move with the subject's ``forward`` flow (previous frame → this one) onto this frame's ``mask``."""
        height, width = mask.shape
        motion = within(forward, mask, 3.0)
        xs = np.clip(self.places[:, 0], 0, width - 1).astype(np.int64)
        ys = np.clip(self.places[:, 1], 0, height - 1).astype(np.int64)
        slow = gaussian(motion, 5.0)
        ux, uy = cv2.Sobel(slow[..., 0], cv2.CV_32F, 1, 0) / 8, cv2.Sobel(slow[..., 0], cv2.CV_32F, 0, 1) / 8
        vx, vy = cv2.Sobel(slow[..., 1], cv2.CV_32F, 1, 0) / 8, cv2.Sobel(slow[..., 1], cv2.CV_32F, 0, 1) / 8
        area = ((1 + ux) * (1 + vy) - uy * vx)[ys, xs]
        self.growth = np.clip(self.growth * np.sqrt(np.clip(area, 0.94, 1.06)), 0.87, 1.15).astype(np.float32)
        self.turn = (self.turn + np.clip((vx - uy)[ys, xs] * 0.5, -0.1, 0.1)).astype(np.float32)
        self.places = (self.places + motion[ys, xs]).astype(np.float32)
        inside = self._inside(mask)
        self.fading |= ~inside
        self._thin()
        self.alpha = np.where(
            self.fading, self.alpha - self.FADE_OUT, np.minimum(1.0, self.alpha + self.FADE_IN)
        ).astype(np.float32)
        self._keep(self.alpha > 0)
        self._fill(mask, self.FADE_IN)

    def coverage(self, height: int, width: int, scale: float) -> F32:
        """(height, width) ink coverage 0…1; ``scale`` = this size over working size."""
        out = np.zeros((height, width), np.uint8)
        angles = np.linspace(0, 2 * np.pi, 28, endpoint=False)
        for i in np.argsort(self.alpha, kind="stable"):
            form = self.shape[i]
            r = (
                1
                + form[0] * np.cos(2 * angles + form[1])
                + form[2] * np.cos(3 * angles + form[3])
                + form[4] * np.cos(5 * angles + form[5])
            )
            r = r * self.radius[i] * self.growth[i] * scale
            points = np.stack(
                [
                    (self.places[i, 0] + 0.5) * scale - 0.5 + r * np.cos(angles + self.turn[i]),
                    (self.places[i, 1] + 0.5) * scale - 0.5 + r * np.sin(angles + self.turn[i]),
                ],
                -1,
            )
            cv2.fillPoly(
                out, [np.rint(points * 16).astype(np.int32)], round(255 * float(self.alpha[i])), cv2.LINE_AA, 4
            )
        soft = gaussian(out, max(0.5, 0.55 * scale))
        return np.asarray(soft / np.float32(255), np.float32)

    def _inside(self, mask: Mask) -> NDArray[np.bool_]:
        height, width = mask.shape
        xs, ys = np.rint(self.places[:, 0]).astype(np.int64), np.rint(self.places[:, 1]).astype(np.int64)
        ok = (xs >= 0) & (ys >= 0) & (xs < width) & (ys < height)
        ok[ok] = mask[ys[ok], xs[ok]] > 64
        return ok

    def _thin(self) -> None:
        """Where two spots come too close the younger (later) one fades."""
        if len(self.places) < 2:
            return
        gap = np.hypot(*(self.places[:, None, :] - self.places[None, :, :]).transpose(2, 0, 1))
        live = ~self.fading
        close = (gap < 0.55 * self.spacing) & live[:, None] & live[None, :] & np.tri(len(gap), k=-1, dtype=np.bool_)
        self.fading |= close.any(1)

    def _keep(self, which: NDArray[np.bool_]) -> None:
        for name in ("places", "radius", "growth", "turn", "shape", "alpha", "fading"):
            setattr(self, name, getattr(self, name)[which])

    def _fill(self, mask: Mask, alpha: float) -> None:
        """Poisson-disk darts into the uncovered part of the subject."""
        random = np.random.default_rng((self.seed, self.generation))
        self.generation += 1
        ys, xs = np.nonzero(mask > 127)
        if not len(xs):
            return
        darts = max(24, int(6 * len(xs) / self.spacing**2))
        picks = random.integers(0, len(xs), darts)
        tries = np.stack([xs[picks], ys[picks]], -1).astype(np.float32) + random.uniform(-0.5, 0.5, (darts, 2)).astype(
            np.float32
        )
        taken = [tuple(p) for p in self.places]
        fresh: list[tuple[float, float]] = []
        limit = self.spacing**2 * (0.80 if alpha == 1.0 else 1.1)
        for x, y in tries:
            if all((x - a) ** 2 + (y - b) ** 2 > limit for a, b in taken):
                taken.append((x, y))
                fresh.append((float(x), float(y)))
        if not fresh:
            return
        count = len(fresh)
        shape = np.stack(
            [
                random.uniform(0, 0.2, count),
                random.uniform(0, 6.28, count),
                random.uniform(0, 0.13, count),
                random.uniform(0, 6.28, count),
                random.uniform(0, 0.05, count),
                random.uniform(0, 6.28, count),
            ],
            -1,
        )
        self.places = np.concatenate([self.places, np.array(fresh, np.float32)])
        self.radius = np.concatenate(
            [self.radius, (self.spacing * random.uniform(0.22, 0.42, count)).astype(np.float32)]
        )
        self.growth = np.concatenate([self.growth, np.ones(count, np.float32)])
        self.turn = np.concatenate([self.turn, np.zeros(count, np.float32)])
        self.shape = np.concatenate([self.shape, shape.astype(np.float32)])
        self.alpha = np.concatenate([self.alpha, np.full(count, alpha, np.float32)])
        self.fading = np.concatenate([self.fading, np.zeros(count, np.bool_)])


@dataclass(slots=True)
class Generation:
    """One texture coordinate field and how old it is."""

    place: F32
    """(h, w, 2) where in the pattern every pixel lies, in working pixels."""
    age: int = 0


@dataclass(slots=True)
class Coordinates:
    """Texture coordinates that stick to the subject: two generations, the younger fading in over the older."""

    LIFE = 30
    BLEND = 8
    current: Generation | None = None
    coming: Generation | None = None
    motion: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    """Similarity of the subject from its first frame to this one."""

    def begin(self, mask: Mask) -> None:
        self.motion = np.eye(3)
        self.current, self.coming = Generation(np.array(flow.grid(*mask.shape))), None

    def advance(self, forward: F32, backward: F32, mask: Mask) -> None:
        """One frame on: ``forward`` previous → this, ``backward`` this → previous."""
        assert self.current is not None
        back = within(backward, mask, 3.0)
        self.motion = _similarity(within(forward, mask, 4.0), mask) @ self.motion
        for each in (self.current, self.coming):
            if each is not None:
                each.place = np.asarray(flow.warp(each.place, back), np.float32)
                each.age += 1
        if self.coming is not None and self.coming.age >= self.BLEND:
            self.current, self.coming = self.coming, None
        if self.coming is None and (self.current.age >= self.LIFE or _distorted(self.current.place, mask) > 0.08):
            self.coming = Generation(self._newborn(mask.shape))

    def _newborn(self, shape: tuple[int, ...]) -> F32:
        back = np.linalg.inv(self.motion)
        grid = flow.grid(shape[0], shape[1])
        return np.asarray(grid @ back[:2, :2].T + back[:2, 2], np.float32)

    def layers(self) -> list[tuple[F32, float]]:
        """(coordinates, weight) of the living generations; weights add up to 1."""
        assert self.current is not None
        if self.coming is None:
            return [(self.current.place, 1.0)]
        t = self.coming.age / self.BLEND
        share = t * t * (3 - 2 * t)
        return [(self.current.place, 1 - share), (self.coming.place, share)]


def _similarity(forward: F32, mask: Mask) -> NDArray[np.float64]:
    """3×3 similarity that best describes the subject's flow."""
    ys, xs = np.nonzero(mask > 127)
    if len(xs) < 24:
        return np.eye(3)
    step = max(1, len(xs) // 400)
    start = np.stack([xs[::step], ys[::step]], -1).astype(np.float64)
    stop = start + forward[ys[::step], xs[::step]]
    a, b = start - start.mean(0), stop - stop.mean(0)
    scale = max(float((a * a).sum()), 1e-6)
    cos = float((a * b).sum()) / scale
    sin = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / scale
    turn = np.array([[cos, -sin], [sin, cos]])
    out = np.eye(3)
    out[:2, :2] = turn
    out[:2, 2] = stop.mean(0) - turn @ start.mean(0)
    return out


def _distorted(place: F32, mask: Mask) -> float:
    """Share of the subject where the coordinate field is stretched or squeezed beyond 0.6…1.6 of its area."""
    soft = gaussian(place, 2.0)
    ux, uy = np.gradient(soft[..., 0], axis=1), np.gradient(soft[..., 0], axis=0)
    vx, vy = np.gradient(soft[..., 1], axis=1), np.gradient(soft[..., 1], axis=0)
    area = ux * vy - uy * vx
    inside = mask > 127
    if not inside.any():
        return 0.0
    return float(((area < 0.6) | (area > 1.6))[inside].mean())


class Cloth:
    """What is printed: ink coverage, or colours, at texture coordinates in pixels of the wanted size."""

    def __init__(self, kind: str, motif: float, seed: int, swatch: F32 | None) -> None:
        self.kind, self.motif = kind, motif
        self.wave = np.tile(textures.noise(256, 256, 40, seed, 2), (1, 1))
        self.swatch = swatch

    def coverage(self, place: F32) -> F32:
        """(H, W) ink 0…1 of stripes or plaid."""
        x, y = place[..., 0] / self.motif, place[..., 1] / self.motif
        if self.kind == "plaid":
            return self._plaid(x, y)
        bend = cv2.remap(
            self.wave,
            np.asarray(x * 11 % 255, np.float32),
            np.asarray(y * 11 % 255, np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        phase = (0.94 * x + 0.34 * y) / 1.9 + (bend - 0.5) * 1.1
        wave = np.cos(2 * np.pi * phase) + (bend - 0.5) * 0.9
        edge = 2.6 / self.motif
        return smoothstep(-edge, edge, np.asarray(wave, np.float32))

    def _plaid(self, x: F32, y: F32) -> F32:
        edge = 0.35 / self.motif * 2
        parts: list[F32] = []
        for u in (x, y):
            wrap = np.abs((u / 2.6) % 1.0 - 0.5) * 2.6
            band = 1 - smoothstep(0.55 - edge, 0.55 + edge, np.asarray(wrap, np.float32))
            thin = 1 - smoothstep(0.06, 0.06 + 2 * edge, np.asarray(np.abs(wrap - 0.98), np.float32))
            parts.append(np.maximum(0.52 * band, 0.75 * thin))
        return np.asarray(1 - (1 - parts[0]) * (1 - parts[1]), np.float32)

    def colours(self, place: F32) -> F32:
        """(H, W, 3) colours of the swatch, mirrored into an endless cloth; one repeat is six motifs high."""
        assert self.swatch is not None
        height, width = self.swatch.shape[:2]
        scale = height / (6 * self.motif)
        x, y = place[..., 0] * scale, place[..., 1] * scale
        picture = self.swatch
        if scale > 1.5:
            picture = gaussian(picture, 0.4 * scale)
        x = np.abs((x % (2 * width)) - width)
        y = np.abs((y % (2 * height)) - height)
        return np.asarray(
            cv2.remap(
                picture,
                np.asarray(x, np.float32),
                np.asarray(y, np.float32),
                cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_REFLECT_101,
            ),
            np.float32,
        )
