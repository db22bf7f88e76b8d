"""Painted and modelled media: watercolour, oil, anime cel, clay."""

from __future__ import annotations

import cv2
import numpy as np

from gen2studio.core.cancel import CancelToken
from gen2studio.example import colour_map, textures
from gen2studio.example.compiled import Team
from gen2studio.example.film import Carried, KeyLayer
from gen2studio.example.filters import gaussian, luma
from gen2studio.example.kernels import F32
from gen2studio.example.kuwahara import kuwahara, tangent_field
from gen2studio.example.lines import drawn_lines, smoothstep, without_specks
from gen2studio.example.medium import Medium, mixed, saturated, stepped
from gen2studio.example.pixel_kernels import paint_strokes


class Watercolour(Medium):
    """Transparent washes with dark rims, granulating pigment and the white of the paper (after Bousseau et al. 2006).

    The carried layer holds pigment granulation, blotches and the two components of the wobble of wash borders.
    """

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        unit, seed = height / 288, self.brush.seed * 31
        size = self.brush.stroke
        return KeyLayer(
            np.dstack(
                [
                    textures.noise(height, width, 2.2 * unit, seed, 2),
                    textures.noise(height, width, 34 * unit * size, seed + 1, 4),
                    textures.noise(height, width, 11 * unit * size, seed + 2, 3),
                    textures.noise(height, width, 11 * unit * size, seed + 3, 3),
                ]
            )
        )

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit, height, width = self.unit, *picture.shape[:2]
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        reach = self.get("wobble", 9.0) * unit * min(1.5, self.weight) * self.looseness(0.4, 1.0, 1.8)
        moved = cv2.remap(
            picture,
            xs + (layer[..., 2] - 0.5) * reach,
            ys + (layer[..., 3] - 0.5) * reach,
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        wash = self.simplified(
            np.asarray(moved, np.float32), team, self.get("radius", 3.6) * self.brush.stroke**0.5, passes=2
        )
        light = luma(wash)
        levels = stepped(gaussian(light, 0.9 * unit), self.get("steps", 7.0), 0.42)
        wash = np.clip(wash * (mixed(light, levels, 0.65) / np.maximum(light, 0.04))[..., None], 0, 1)
        smooth = gaussian(wash, 1.1 * unit)
        gx, gy = cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1)
        rim = np.sqrt((gx * gx + gy * gy).sum(-1)) * unit / 16
        rim = smoothstep(0.03, 0.4, gaussian(rim, 0.8 * unit))
        density = (
            1.0
            + self.amount(self.get("granulation", 0.55), 2) * (layer[..., 0] - 0.5)
            + self.amount(self.get("blotches", 0.8), 3) * (layer[..., 1] - 0.5)
        )
        density = np.maximum(density + self.amount(self.get("rims", 1.5), 3) * rim, 0.15)[..., None]
        painted = wash - (wash - wash * wash) * (density - 1)
        bare = smoothstep(0.80, 0.97, gaussian(light, 1.5 * unit))[..., None]
        white = np.array([0.985, 0.975, 0.95], np.float32)
        painted = mixed(np.asarray(painted, np.float32), white, 0.75 * bare)
        lines = drawn_lines(self.line_light(picture), 0.8 * unit, team, threshold=0.013, softness=0.03)[..., None]
        painted = painted * (1 - self.amount(self.get("lines", 0.35)) * lines)
        paper = self.surface("paper", picture.shape, lambda h, w: textures.paper(h, w, unit, 5))
        return np.asarray(
            white * np.clip(painted, 0, 1) * mixed(np.ones_like(paper), paper, self.amount(1.0, 1.5))[..., None],
            np.float32,
        )


class Oil(Medium):
    """Bristle strokes in several sizes that follow the forms (Hertzmann 1998), lit as relief.

    The carried layer is the painting's difference to the abstracted frame (3) and the paint's height (1).
    """

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        unit = height / 288 * self.brush.stroke
        base = self._base(picture, team, height / 288)
        target = colour_map.apply(self.table, picture, team)
        canvas = base.copy()
        relief = np.full((height, width), 0.4, np.float32)
        along = tangent_field(gaussian(target, 1.5 * unit), 4.0 * unit)
        random = np.random.default_rng(self.brush.seed)
        finest = self.get("finest", 2.1) * self.looseness(0.75, 1.0, 2.6)
        radii = [r for r in (self.get("coarsest", 11.0), 5.0, 2.8) if r > finest * 1.25] + [finest]
        for i, radius in enumerate(radii):
            cancel.check()
            size = max(1.2, radius * unit)
            reference = kuwahara(gaussian(target, size * 0.35), size * 0.9, team)
            gap = np.abs(reference - canvas).sum(-1)
            error = gaussian(gap, size * 0.6) if i else np.ones((height, width), np.float32)
            order = _scattered(height, width, size * self.get("spacing", 0.9), random)
            paint_strokes(
                canvas,
                relief,
                reference,
                error,
                along,
                order,
                size,
                round(size * self.get("length", 7.0)),
                round(size * 2.2),
                0.07 if i else 0.0,
                self.get("opacity", 0.92),
                self.get("jitter", 0.13) * min(1.6, self.weight),
                self.brush.seed + i,
            )
        relief = gaussian(relief, 0.5 * height / 288)
        layer = np.dstack([canvas - base, relief])
        if carried is not None:
            hold = (0.6 * np.minimum(1, carried.weight / 3))[..., None]
            layer = layer + (carried.layer - layer) * hold
        return KeyLayer(np.asarray(layer, np.float32))

    def _base(self, picture: F32, team: Team, unit: float) -> F32:
        return self.simplified(picture, team, 4.0 * self.brush.stroke**0.5, unit=unit)

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit = self.unit
        painted = self._base(picture, team, unit) + layer[..., :3] * min(1.3, self.weight)
        relief = np.ascontiguousarray(layer[..., 3])
        dx, dy = cv2.Sobel(relief, cv2.CV_32F, 1, 0), cv2.Sobel(relief, cv2.CV_32F, 0, 1)
        light = np.clip((dx + dy) * -0.5 * max(1.0, unit) ** 0.5, -0.9, 0.9) * self.amount(
            self.get("relief", 0.17), 1.2
        )
        shine = np.clip(light - 0.03, 0, 1) * self.get("shine", 0.35)
        painted = painted * (1 + light[..., None]) + shine[..., None]
        weave = self.surface("canvas", picture.shape, lambda h, w: textures.canvas(h, w, unit, 3))
        return np.asarray(
            painted * mixed(np.ones_like(weave), weave, self.amount(self.get("canvas", 0.6), 1.5))[..., None],
            np.float32,
        )


def _scattered(height: int, width: int, step: float, random: np.random.Generator) -> np.ndarray:
    """(N, 2) int32 jittered grid positions (x, y) in random order."""
    step = max(1.5, step)
    ys, xs = np.meshgrid(np.arange(step / 2, height, step), np.arange(step / 2, width, step), indexing="ij")
    places = np.stack([xs, ys], -1).reshape(-1, 2) + random.uniform(-0.5, 0.5, (xs.size, 2)) * step
    places[:, 0] = np.clip(places[:, 0], 0, width - 1)
    places[:, 1] = np.clip(places[:, 1], 0, height - 1)
    return places[random.permutation(len(places))].astype(np.int32)


class Anime(Medium):
    """Cel shading: flat bright colours in few tones, clean coloured outlines, a little bloom."""

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        unit = self.unit
        flat = self.simplified(picture, team, 3.0, passes=2)
        lab = colour_map.to_lab(flat)
        light = gaussian(lab[..., 0], 0.7 * unit)
        cel = stepped(light, self.get("tones", 5.0), self.get("softness", 0.22))
        lab[..., 0] = mixed(lab[..., 0], np.clip(cel, 0, 1) ** 0.82 * 0.97 + 0.03, self.amount(0.85))
        lab[..., 1:] *= 1 + 0.2 * min(1.5, self.weight)
        out = colour_map.to_rgb(lab)
        glow = gaussian(np.clip(out - 0.72, 0, 1), 7 * unit)
        out = 1 - (1 - out) * (1 - 0.9 * np.asarray(glow, np.float32))
        sigma = self.get("line", 0.85) * unit * self.brush.stroke**0.7
        lines = drawn_lines(
            self.line_light(picture), sigma, team, threshold=0.013 * self.looseness(0.7, 1, 1.6), softness=0.014
        )
        lines = np.maximum(without_specks(lines, 26 * unit * unit), 0.8 * self.features(picture))
        ink = np.clip(out * 0.22, 0, 1) * np.array([1.0, 0.9, 1.05], np.float32)
        return mixed(np.asarray(out, np.float32), np.asarray(ink, np.float32), (self.amount(0.92) * lines)[..., None])


class Clay(Medium):
    """Modelling clay: rounded forms with soft light, finger marks and a matt shine. The carried layer is the finger
    marks."""

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        unit, seed = height / 288, self.brush.seed * 17
        dents = textures.noise(height, width, 17 * unit * self.brush.stroke, seed, 2)
        angle = textures.noise(height, width, 40 * unit, seed + 1, 1) * 12.0
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        print_lines = np.sin((xs * np.cos(angle) + ys * np.sin(angle)) * (2 * np.pi / (2.6 * unit)))
        where = smoothstep(0.58, 0.72, textures.noise(height, width, 26 * unit * self.brush.stroke, seed + 2, 1))
        return KeyLayer(np.dstack([dents, np.asarray(print_lines * where, np.float32)]))

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit, stroke = self.unit, self.brush.stroke**0.5
        form = self.simplified(picture, team, 4.4 * stroke, passes=2)
        lab = colour_map.to_lab(form)
        flat = stepped(gaussian(lab[..., 0], 1.5 * unit), self.get("tones", 6.0), 0.35)
        lab[..., 0] = mixed(lab[..., 0], flat, 0.3) * 0.9 + 0.07
        lab[..., 1:] *= 1.0 + 0.35 * min(1.5, self.weight)
        colour = colour_map.to_rgb(lab)
        gx, gy = cv2.Scharr(form, cv2.CV_32F, 1, 0), cv2.Scharr(form, cv2.CV_32F, 0, 1)
        crease = np.sqrt((gx * gx + gy * gy).sum(-1)) * unit / 16
        body = -np.asarray(
            gaussian(np.minimum(crease, 0.22), 1.6 * unit) * 2.2 + gaussian(np.minimum(crease, 0.22), 4.5 * unit) * 3.6,
            np.float32,
        )
        body = body + 0.34 * (layer[..., 0] - 0.5) * min(1.5, self.weight) + 0.012 * layer[..., 1] + 0.35 * lab[..., 0]
        body = np.asarray(body * 10 * unit, np.float32)
        nx, ny = -cv2.Sobel(body, cv2.CV_32F, 1, 0) / 8, -cv2.Sobel(body, cv2.CV_32F, 0, 1) / 8
        length = np.sqrt(nx * nx + ny * ny + 1)
        diffuse = (-0.5 * nx - 0.62 * ny + 0.75) / length
        half = np.clip((-0.28 * nx - 0.36 * ny + 0.89) / length, 0, 1) ** 22
        shade = 1 + (diffuse - 0.75) * self.amount(self.get("relief", 0.62), 1.4)
        out = (
            colour * np.clip(shade, 0.35, 1.5)[..., None]
            + (half * self.amount(self.get("shine", 0.16), 0.4))[..., None]
        )
        return np.asarray(saturated(np.clip(out, 0, 1).astype(np.float32), 1.05), np.float32)
