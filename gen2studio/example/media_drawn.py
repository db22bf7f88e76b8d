"""Drawn media: ink, noir, pencil, neon lines, engraving."""

from __future__ import annotations

import cv2
import numpy as np

from gen2studio.core.cancel import CancelToken
from gen2studio.example import colour_map, textures
from gen2studio.example.compiled import Team
from gen2studio.example.film import Carried, KeyLayer
from gen2studio.example.filters import gaussian, luma
from gen2studio.example.kernels import F32
from gen2studio.example.lines import drawn_lines, smoothstep, without_specks, xdog
from gen2studio.example.medium import Medium, mixed, stepped


class Ink(Medium):
    """Brush and ink: filled blacks, thick and thin lines, two or three grey washes on warm paper. Carried: the wash's
    bloom."""

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        unit, seed = height / 288, self.brush.seed * 13
        bloom = textures.noise(height, width, 24 * unit * self.brush.stroke, seed, 4)
        fibre = textures.noise(height, width, 1.8 * unit, seed + 1, 2)
        return KeyLayer(np.dstack([bloom, fibre]))

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit = self.unit
        wash = luma(self.simplified(picture, team, 5.0, passes=2))
        light = gaussian(np.clip(wash + 0.35 * (wash - gaussian(wash, 22 * unit)), 0, 1), 0.8 * unit)
        tone = stepped(np.clip(light + 0.14 * (layer[..., 0] - 0.5), 0, 1), 4.0, 0.3)
        grey = np.clip(0.46 + 0.70 * tone, 0, 1)
        gx, gy = cv2.Scharr(tone, cv2.CV_32F, 1, 0), cv2.Scharr(tone, cv2.CV_32F, 0, 1)
        rim = np.clip(gaussian(np.hypot(gx, gy), 0.7 * unit) * unit / 16, 0, 0.4)
        grey = grey - self.amount(0.45, 1) * np.asarray(rim, np.float32) - 0.10 * (layer[..., 1] - 0.5)
        source = gaussian(self.line_light(picture), 0.7 * unit)
        sigma = 1.25 * unit * self.brush.stroke**0.7
        black = xdog(
            source,
            sigma,
            team,
            strength=self.get("lines", 22.0) * min(1.4, 0.3 + 0.7 * self.weight),
            level=self.get("level", 0.24),
            hardness=9,
        )
        black = 1 - without_specks(1 - black, 30 * unit * unit)
        response, _, _ = self.edge_responses(self.simplified(picture, team, 3.0), 1.0 * unit, team)
        strong, _ = self.edge_scales(1.0, team)
        contour = without_specks(smoothstep(0.55 * strong, 1.1 * strong, response), 60 * unit * unit)
        black = np.minimum(black, 1 - self.amount(0.75) * contour)
        dark = smoothstep(0.08, 0.22, light)
        ink = np.minimum(black, 0.12 + 0.88 * dark)
        paper_colour = np.array([0.965, 0.94, 0.885], np.float32)
        ink_colour = np.array([0.075, 0.07, 0.085], np.float32)
        amount = np.clip(grey, 0, 1) * ink
        out = ink_colour + (paper_colour - ink_colour) * amount[..., None]
        paper = self.surface("paper", picture.shape, lambda h, w: textures.paper(h, w, unit, 9))
        return np.asarray(out * mixed(np.ones_like(paper), paper, 0.7)[..., None], np.float32)


class Noir(Medium):
    """Film noir: hard black and white, deep shadow, soft glow on lights, grain and a dark frame. Carried: the grain."""

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        return KeyLayer(
            textures.noise(height, width, 1.6 * height / 288 * self.brush.stroke, self.brush.seed, 2)[..., None]
        )

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit = self.unit
        mapped = colour_map.apply(self.table, picture, team)
        light = np.asarray(mapped @ np.array([0.46, 0.42, 0.12], np.float32), np.float32)
        radius = self.looseness(0.0, 1.2, 7.0) * unit
        if radius > 0.3:
            light = luma(self.simplified(picture, team, 3.0))
        local = gaussian(light, 26 * unit)
        light = np.clip(light + 0.55 * (light - local) - 0.25 * (local - 0.42), 0, 1)
        hard = self.get("hardness", 9.0) * (0.4 + 0.6 * min(1.6, self.weight))
        middle = self.get("middle", 0.46)
        curve = 1 / (1 + np.exp(-hard * (light - middle)))
        low, high = 1 / (1 + np.exp(hard * middle)), 1 / (1 + np.exp(-hard * (1 - middle)))
        out = np.asarray((curve - low) / (high - low), np.float32)
        glow = gaussian(np.clip(out - 0.55, 0, 1), 8 * unit)
        out = 1 - (1 - out) * (1 - self.amount(0.65) * glow)
        lines = drawn_lines(self.line_light(picture), 0.9 * unit, team, threshold=0.014, softness=0.02)
        out = out * (1 - self.amount(0.55) * lines)
        out = out + self.amount(self.get("grain", 0.34), 0.8) * (layer[..., 0] - 0.5) * (0.25 + out * (1 - out) * 2.4)
        frame = self.surface("vignette", picture.shape, lambda h, w: textures.vignette(h, w, 0.75))
        out = np.clip(out * frame, 0, 1)
        return np.asarray(out[..., None] * np.array([1.0, 0.985, 0.955], np.float32), np.float32)


class Pencil(Medium):
    """Pencil on paper: hatching in three directions that builds up the tone, and drawn contours. Carried: the hatching.

    With ``colour`` 1 the strokes take the colours of the footage.
    """

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        unit, seed, period = height / 288, self.brush.seed * 7, self.get("period", 2.7) * self.brush.stroke
        angles = (-52.0, -12.0, 38.0)
        parts = [
            textures.hatching(height, width, unit, seed + i * 101, angle, period * (1 + 0.12 * i))
            for i, angle in enumerate(angles)
        ]
        parts.append(textures.noise(height, width, 1.5 * unit, seed + 9, 2))
        return KeyLayer(np.dstack(parts))

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit = self.unit
        form = self.simplified(picture, team, 3.0)
        light = luma(form)
        equal = (
            cv2.createCLAHE(2.0, (4, 4)).apply(np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)).astype(np.float32)
            / 255
        )
        tone = np.clip(mixed(light, equal, 0.5) * 1.08, 0, 1)
        colour = self.get("colour", 0.0)
        dark = np.clip((1 - tone) * (1.0 + 0.25 * (self.weight - 1)), 0, 1)
        covered = np.zeros_like(tone)
        for i, (start, share) in enumerate(((0.08, 0.72), (0.34, 0.62), (0.58, 0.7))):
            need = np.clip((dark - start) / 0.55, 0, 1)
            stroke = smoothstep(-0.10, 0.16, layer[..., i] - (1.02 - 0.78 * need))
            covered = 1 - (1 - covered) * (1 - share * stroke * smoothstep(0.0, 0.12, need))
        smudge = np.clip(dark - 0.25, 0, 1) ** 1.4 * self.get("smudge", 0.42)
        covered = 1 - (1 - covered) * (1 - smudge * (0.75 + 0.5 * (layer[..., 3] - 0.5)))
        lines = drawn_lines(
            self.line_light(picture),
            0.75 * unit * self.brush.stroke**0.5,
            team,
            threshold=0.006 * self.looseness(0.6, 1, 2),
            softness=0.030,
        )
        lines = lines * np.clip(0.62 + 1.1 * (layer[..., 3] - 0.35), 0.25, 1)
        covered = 1 - (1 - covered) * (1 - self.amount(0.85) * lines)
        sheet = np.array([0.975, 0.965, 0.94], np.float32)
        graphite = np.array([0.11, 0.11, 0.13], np.float32)
        if colour > 0:
            lab = colour_map.to_lab(form)
            lab[..., 0] = np.clip(lab[..., 0] * 0.62, 0.10, 0.62)
            lab[..., 1:] *= 1.75
            graphite = mixed(np.broadcast_to(graphite, form.shape), colour_map.to_rgb(lab), colour)
            chroma = np.hypot(lab[..., 1], lab[..., 2])
            tint = np.clip(chroma * 2.2, 0, 0.6) * smoothstep(-0.15, 0.2, layer[..., 0] - 0.45)
            covered = 1 - (1 - covered) * (1 - colour * tint * 0.8)
        out = sheet + (graphite - sheet) * np.clip(covered, 0, 1)[..., None]
        paper = self.surface("paper", picture.shape, lambda h, w: textures.paper(h, w, 0.7 * unit, 21))
        return np.asarray(out * mixed(np.ones_like(paper), paper, 0.6)[..., None], np.float32)


class Neon(Medium):
    """Glowing tubes along the contours in saturated colours over a darkened night version of the footage."""

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        unit = self.unit
        form = self.simplified(picture, team, 4.5, passes=2)
        sigma = 1.2 * unit * self.brush.stroke**0.7
        response, wide, along = self.edge_responses(form, sigma, team)
        near, far = self.edge_scales(sigma / unit, team)
        scale = self.looseness(0.7, 1.0, 1.7)
        tubes = np.maximum(
            smoothstep(0.45 * scale * near, 1.1 * scale * near, response),
            0.8 * smoothstep(0.6 * scale * far, 1.3 * scale * far, wide),
        )
        tubes = without_specks(np.asarray(tubes, np.float32), 30 * unit * unit)
        hue = self._hues(form, along)
        glow = np.zeros_like(picture)
        lit = hue * tubes[..., None]
        for reach, power in ((2.2, 0.85), (6.0, 0.9), (17.0, 1.0)):
            glow += gaussian(lit, reach * unit) * power
        night = form**1.6 * np.array([0.30, 0.24, 0.50], np.float32) + np.array([0.012, 0.008, 0.035], np.float32)
        night = mixed(form, night, self.amount(1.0))
        core = np.clip(tubes[..., None] * (0.45 * hue + 0.62 * smoothstep(0.35, 1.0, tubes)[..., None]), 0, 1)
        return np.asarray(
            1 - (1 - night) * (1 - np.clip(core, 0, 1)) * np.exp(-glow * self.amount(1.35, 2.4)), np.float32
        )

    def _hues(self, form: F32, along: F32) -> F32:
        """(H, W, 3) tube colours: the footage's hue where it has one, else between cyan and magenta by the line's
        direction."""
        lab = colour_map.to_lab(gaussian(form, 3 * self.unit))
        chroma = np.hypot(lab[..., 1], lab[..., 2])
        turn = np.clip(0.5 + 0.5 * (along[..., 0] * along[..., 1]) * 2, 0, 1)[..., None]
        cyan, magenta = np.array([0.05, 0.9, 1.0], np.float32), np.array([1.0, 0.12, 0.78], np.float32)
        plain = cyan + (magenta - cyan) * turn
        top = form.max(-1, keepdims=True)
        low = form.min(-1, keepdims=True)
        pure = (form - low) / np.maximum(top - low, 1e-3)
        own = smoothstep(0.08, 0.28, chroma)[..., None] * 0.65
        return np.asarray(plain + (pure - plain) * own, np.float32)


class Engraving(Medium):
    """Copper-plate engraving: lines whose width carries the tone, a second set crossing in the shadows, two inks on
    cream."""

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        unit = self.unit
        height, width = picture.shape[:2]
        form = self.simplified(picture, team, 2.5)
        light = luma(form)
        equal = (
            cv2.createCLAHE(2.2, (4, 4)).apply(np.rint(np.clip(light, 0, 1) * 255).astype(np.uint8)).astype(np.float32)
            / 255
        )
        tone = gaussian(mixed(light, equal, 0.6), 0.6 * unit)
        period = self.get("period", 3.0) * unit * self.brush.stroke
        ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
        bulge = gaussian(tone, 9 * unit) * 5.5 * period
        first = 0.5 + 0.5 * np.cos((ys * 0.94 + xs * 0.34 + bulge) * (2 * np.pi / period))
        second = 0.5 + 0.5 * np.cos((ys * 0.64 - xs * 0.77 + bulge * 0.6) * (2 * np.pi / period))
        edge = 0.9 / max(1.5, period)
        dark = np.clip((0.93 - tone - 0.35 * (tone - gaussian(tone, 24 * unit))) * 1.15, 0, 1)
        ink = smoothstep(-edge, edge, np.asarray(first - (1.02 - 1.0 * dark), np.float32))
        ink = np.maximum(ink, smoothstep(-edge, edge, np.asarray(second - (1.30 - 0.95 * dark), np.float32)))
        lines = drawn_lines(self.line_light(picture), 0.85 * unit, team, threshold=0.010, softness=0.014)
        ink = np.maximum(ink * self.amount(1.0), self.amount(1.0) * lines)[..., None]
        sheet = np.array([0.957, 0.925, 0.850], np.float32)
        plate = np.array([0.11, 0.15, 0.22], np.float32)
        sheet_now = mixed(form, np.broadcast_to(sheet, form.shape), self.amount(1.0) if self.weight < 1 else 1.0)
        out = sheet_now + (plate - sheet_now) * ink
        paper = self.surface("paper", picture.shape, lambda h, w: textures.paper(h, w, 0.8 * unit, 33))
        return np.asarray(out * mixed(np.ones_like(paper), paper, 0.5)[..., None], np.float32)
