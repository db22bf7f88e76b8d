"""Crafted and printed media: pixel art, paper cut-out, halftone, mosaic, stained glass."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.example import colour_map, textures
from gen2studio.example.brushwork import Brushwork
from gen2studio.example.compiled import Team
from gen2studio.example.film import Carried, KeyLayer
from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32, I32
from gen2studio.example.lines import drawn_lines, smoothstep, without_specks
from gen2studio.example.medium import Medium, Picture, mixed, saturated, stepped
from gen2studio.example.pixel_kernels import nearest_cells


def palette_of(samples: Sequence[Picture], table: F32, size: int, seed: int, team: Team) -> F32:
    """(size, 3) Lab colours that stand for the mapped clip: k-means, with chroma counted more than it is frequent."""
    small = [cv2.resize(p, (64, 40), interpolation=cv2.INTER_AREA) for p in samples]
    mapped = [colour_map.apply(table, p.astype(np.float32) / 255, team) for p in small]
    lab = np.ascontiguousarray(np.concatenate([colour_map.to_lab(m).reshape(-1, 3) for m in mapped]))
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    lively = lab[chroma > np.quantile(chroma, 0.8)]
    lab = np.ascontiguousarray(np.concatenate([lab, lively, lively]))
    cv2.setRNGSeed(seed)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 20, 1e-3)
    start = np.argsort(np.argsort(lab[:, 0], kind="stable"), kind="stable") * size // len(lab)
    labels = np.ascontiguousarray(start.astype(np.int32).reshape(-1, 1))
    _, _, centres = cv2.kmeans(lab, size, labels, stop, 1, cv2.KMEANS_USE_INITIAL_LABELS)
    return np.asarray(centres[np.argsort(centres[:, 0])], np.float32)


class Pixel(Medium):
    """Pixel art: a coarse grid, one palette for the whole clip, ordered dither, dark outlines."""

    def __init__(self, brushwork: Brushwork, table: F32, samples: Sequence[Picture]) -> None:
        super().__init__(brushwork, table, samples)
        with Team(1) as team:
            self.palette = palette_of(samples, table, round(self.get("colours", 22)), brushwork.seed, team)

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        height, width = picture.shape[:2]
        cell = max(2, round(self.get("cell", 3.6) * self.unit * self.brush.stroke))
        rows, columns = -(-height // cell), -(-width // cell)
        form = self.simplified(picture, team, 2.0)
        padded = cv2.copyMakeBorder(form, 0, rows * cell - height, 0, columns * cell - width, cv2.BORDER_REPLICATE)
        small = np.asarray(cv2.resize(padded, (columns, rows), interpolation=cv2.INTER_AREA), np.float32)
        small = np.clip(small + 0.55 * (small - gaussian(small, 1.2)), 0, 1).astype(np.float32)
        lab = colour_map.to_lab(small)
        lab[..., 1:] *= 1.2
        pattern = _BAYER[np.arange(rows)[:, None] % 4, np.arange(columns)[None, :] % 4]
        lab[..., 0] += self.get("dither", 0.055) * min(1.5, self.weight) * (pattern - 0.5)
        gap = ((lab[:, :, None, :] - self.palette) ** 2 * np.array([1.0, 1.3, 1.3], np.float32)).sum(-1)
        chosen = self.palette[gap.argmin(-1)]
        light = gaussian(small @ np.array([0.299, 0.587, 0.114], np.float32), 0.6)
        lines = (
            drawn_lines(
                np.asarray(light, np.float32), 0.8, team, threshold=0.035 * self.looseness(0.7, 1, 1.5), softness=0.02
            )
            > 0.5
        )
        chosen = np.where(lines[..., None], chosen * np.array([0.55, 0.8, 0.8], np.float32), chosen)
        flat = colour_map.to_rgb(np.asarray(mixed(lab, np.asarray(chosen, np.float32), self.amount(1.0)), np.float32))
        out = cv2.resize(flat, (columns * cell, rows * cell), interpolation=cv2.INTER_NEAREST)[:height, :width]
        return np.asarray(out, np.float32)


_BAYER = (np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]], np.float32) + 0.5) / 16


class PaperCut(Medium):
    """Stacked sheets of coloured paper, one per tone, with cut edges and drop shadows. Carried: the wobble of the
    scissors."""

    keyed = True

    def key(self, picture: F32, carried: Carried | None, team: Team, cancel: CancelToken) -> KeyLayer:
        height, width = picture.shape[:2]
        unit, seed = height / 288, self.brush.seed * 3
        return KeyLayer(
            np.dstack([textures.noise(height, width, 20 * unit * self.brush.stroke, seed + i, 2) for i in range(2)])
        )

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        assert layer is not None
        unit, size = self.unit, self.brush.stroke**0.5
        height, width = picture.shape[:2]
        form = self.simplified(picture, team, 4.2 * size, passes=2)
        lab = colour_map.to_lab(form)
        light = gaussian(lab[..., 0], 1.5 * unit * size)
        light = light + 0.05 * (layer[..., 0] - 0.5)
        broad = gaussian(lab, 2.4 * unit * size)
        sheets = round(self.get("sheets", 8))
        low, high = float(np.quantile(self._tones(team), 0.04)), float(np.quantile(self._tones(team), 0.96))
        fibre = self.surface("fibre", picture.shape, lambda h, w: textures.paper(h, w, 0.8 * unit, 41))
        out = np.zeros_like(picture)
        drop = self.get("drop", 2.6) * unit * size
        move = np.array([[1, 0, drop * 0.8], [0, 1, drop]], np.float32)
        for k in range(sheets):
            value = low + (high - low) * (k + 0.5) / sheets
            sheet = broad.copy()
            sheet[..., 0] = mixed(broad[..., 0], np.full_like(light, min(0.97, value * 1.02 + 0.03)), 0.85)
            sheet[..., 1:] *= 1.45 * min(1.3, 0.5 + 0.5 * self.weight)
            colour = (
                colour_map.to_rgb(sheet)
                * mixed(np.ones_like(fibre), np.roll(fibre, (k * 37, k * 61), (0, 1)), self.amount(0.9, 1.4))[..., None]
            )
            if k == 0:
                out = colour
                continue
            edge = low + (high - low) * k / sheets
            cover = smoothstep(-0.010, 0.010, light - edge)
            cover = 1 - without_specks(1 - without_specks(cover, 90 * unit * unit), 90 * unit * unit)
            shadow = cv2.warpAffine(cover, move, (width, height), borderMode=cv2.BORDER_REPLICATE)
            shadow = gaussian(shadow, drop * 0.55)
            out = out * (1 - self.amount(0.52, 0.8) * shadow * (1 - cover))[..., None]
            inner = np.asarray(
                cv2.warpAffine(
                    cover,
                    np.array([[1, 0, 0.9 * unit], [0, 1, 1.1 * unit]], np.float32),
                    (width, height),
                    borderMode=cv2.BORDER_REPLICATE,
                )
            )
            lit = np.clip(cover - inner, 0, 1) * self.amount(0.30)
            out = mixed(
                np.asarray(out, np.float32),
                np.asarray(np.clip(colour + lit[..., None], 0, 1), np.float32),
                cover[..., None],
            )
        marks = smoothstep(0.5, 0.75, gaussian(without_specks(self.features(picture), 16 * unit * unit), 0.6 * unit))[
            ..., None
        ]
        return np.asarray(out * (1 - self.amount(0.7) * marks), np.float32)

    def _tones(self, team: Team) -> F32:
        """Lightness of the sample frames after the clip's colour table, so that sheets are cut alike on every frame."""
        return self.surface("tones", (0, 0), lambda _h, _w: self._measured(team))

    def _measured(self, team: Team) -> F32:
        small = [cv2.resize(p, (64, 36), interpolation=cv2.INTER_AREA).astype(np.float32) / 255 for p in self.samples]
        return np.concatenate([colour_map.to_lab(colour_map.apply(self.table, p, team))[..., 0].ravel() for p in small])


class Halftone(Medium):
    """Four-colour print: rotated dot screens of cyan, magenta, yellow and black with bold outlines."""

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        unit = self.unit
        height, width = picture.shape[:2]
        form = saturated(self.simplified(picture, team, 3.0), 1.0 + 0.35 * min(1.5, self.weight))
        form = np.clip(0.5 + (form - 0.5) * 1.15, 0, 1)
        black = 1 - form.max(-1)
        black = np.clip(black * 1.05 - 0.2, 0, 1)
        inks = np.dstack(
            [np.clip((1 - form[..., c] - black) / np.maximum(1 - black, 0.05), 0, 1) for c in range(3)] + [black]
        )
        period = self.get("period", 4.2) * unit * self.brush.stroke
        screens = self.surface("screens", picture.shape, lambda h, w: _screens(h, w, period))
        soft = 1.1 / period
        dots = smoothstep(-soft, soft, np.asarray(inks - screens, np.float32))
        dots = mixed(np.asarray(inks, np.float32), dots, self.amount(1.0))
        out = np.ones((height, width, 3), np.float32) * np.array([0.98, 0.965, 0.925], np.float32)
        for c, colour in enumerate(((0.0, 0.62, 0.86), (0.90, 0.05, 0.47), (1.0, 0.88, 0.02), (0.08, 0.07, 0.09))):
            out = out * (1 - dots[..., c : c + 1] * (1 - np.array(colour, np.float32)))
        lines = drawn_lines(
            self.line_light(picture),
            1.15 * unit * self.brush.stroke**0.5,
            team,
            threshold=0.015 * self.looseness(0.7, 1, 1.6),
            softness=0.012,
        )
        return mixed(np.asarray(out, np.float32), np.full(3, 0.06, np.float32), (self.amount(0.95) * lines)[..., None])


def _screens(height: int, width: int, period: float) -> F32:
    """(H, W, 4) thresholds 0…1 of round dots at the usual angles 15°, 75°, 0°, 45°: coverage equals ink."""
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    layers: list[F32] = []
    for angle in (15.0, 75.0, 0.0, 45.0):
        rad = np.deg2rad(angle)
        u = (xs * np.cos(rad) + ys * np.sin(rad)) * (2 * np.pi / period)
        v = (-xs * np.sin(rad) + ys * np.cos(rad)) * (2 * np.pi / period)
        wave = 0.5 - 0.25 * (np.cos(u) + np.cos(v))
        flat = np.sort(wave.ravel()[:: max(1, wave.size // 20_000)])
        layers.append(np.interp(wave, flat, np.linspace(0, 1, len(flat))).astype(np.float32))
    return np.dstack(layers)


class Cells:
    """A fixed set of tiles: Voronoi cells of a jittered grid, with the distance to their border."""

    def __init__(self, height: int, width: int, cell: float, jitter: float, seed: int, team: Team) -> None:
        random = np.random.default_rng(seed)
        self.columns, self.rows = int(width / cell) + 2, int(height / cell) + 2
        grid_y, grid_x = np.meshgrid(np.arange(self.rows), np.arange(self.columns), indexing="ij")
        shift = (grid_y % 2) * 0.5 * jitter
        centres = (
            np.stack([grid_x + 0.5 + shift - 0.25 * jitter, grid_y + 0.5], -1)
            + random.uniform(-0.5, 0.5, (self.rows, self.columns, 2)) * jitter
        )
        self.points = np.ascontiguousarray(centres.reshape(-1, 2) * cell, np.float32)
        self.label: I32 = np.empty((height, width), np.int32)
        self.edge: F32 = np.empty((height, width), np.float32)
        columns, rows = self.columns, self.rows
        team.over(height, lambda a, b: nearest_cells(self.points, columns, rows, cell, self.label, self.edge, a, b))
        self.count = np.maximum(np.bincount(self.label.ravel(), minlength=len(self.points)), 1)
        self.tone = random.standard_normal((len(self.points), 3)).astype(np.float32)

    def means(self, picture: F32) -> NDArray[np.float32]:
        """(cells, 3) mean colour of every tile."""
        flat = self.label.ravel()
        parts = [np.bincount(flat, picture[..., c].ravel(), len(self.points)) / self.count for c in range(3)]
        return np.stack(parts, -1).astype(np.float32)


class Mosaic(Medium):
    """Glass and stone tesserae in cement: one colour a tile, bevelled, each a little different."""

    def __init__(self, brushwork: Brushwork, table: F32, samples: Sequence[Picture]) -> None:
        super().__init__(brushwork, table, samples)
        self._cells: dict[tuple[int, int], Cells] = {}

    def cells(self, shape: tuple[int, ...], size: float, jitter: float, team: Team) -> Cells:
        key = (shape[0], shape[1])
        if key not in self._cells:
            # One grid for the clip: tiles that changed their size over it would jump.
            self._cells[key] = Cells(shape[0], shape[1], size, jitter, self.brush.seed, team)
        return self._cells[key]

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        unit = self.unit
        form = saturated(self.simplified(picture, team, 2.0), 1.0 + 0.65 * min(1.5, self.weight))
        size = self.get("tile", 5.4) * unit * self.brush.stroke * self.clip_looseness(0.8, 1.0, 1.8)
        cells = self.cells(picture.shape, size, self.get("jitter", 0.42), team)
        colour = cells.means(np.clip(form + 0.55 * (form - gaussian(form, 6 * unit)), 0, 1).astype(np.float32))
        lab = colour_map.to_lab(colour)
        lab[:, 0] += 0.030 * cells.tone[:, 0] * min(2, self.weight)
        lab[:, 1:] += 0.018 * cells.tone[:, 1:] * min(2, self.weight)
        tiles = colour_map.to_rgb(np.asarray(lab, np.float32))[cells.label]
        edge = cells.edge / unit
        body = np.minimum(edge, 1.9)
        light = -(cv2.Sobel(body, cv2.CV_32F, 1, 0) * 0.6 + cv2.Sobel(body, cv2.CV_32F, 0, 1) * 0.8) / 8 * unit
        tiles = tiles * (1 - self.amount(0.34, 0.6) * light)[..., None]
        sheen = np.clip(0.06 * cells.tone[:, 1], -0.05, 0.12)[cells.label][..., None]
        tiles = np.clip(tiles + sheen * self.amount(0.6), 0, 1)
        grout = smoothstep(0.10, 0.55, edge)[..., None]
        cement = (
            np.array([0.24, 0.215, 0.20], np.float32)
            if self.get("dark_grout", 1.0) > 0.5
            else np.array([0.83, 0.80, 0.74], np.float32)
        )
        out = cement + (tiles - cement) * (1 - self.amount(0.95) * (1 - grout))
        return np.asarray(out, np.float32)


class StainedGlass(Mosaic):
    """Large panes of saturated glass in black lead, lit from behind; the lead also follows the contours."""

    def finish(self, picture: F32, layer: F32 | None, team: Team) -> F32:
        unit = self.unit
        form = self.simplified(picture, team, 5.0, passes=2)
        cells = self.cells(picture.shape, self.get("tile", 19.0) * unit * self.brush.stroke, 0.9, team)
        lab = colour_map.to_lab(cells.means(form))
        own = colour_map.to_lab(form)
        own[..., 0] = stepped(
            np.clip(own[..., 0] + 0.3 * (own[..., 0] - gaussian(own[..., 0], 12 * unit)), 0, 1).astype(np.float32),
            6.0,
            0.25,
        )
        panes = mixed(own, lab[cells.label], 0.3)
        panes[..., 0] = np.clip(panes[..., 0] * 1.05 + 0.05 + 0.04 * cells.tone[cells.label, 0], 0, 1)
        panes[..., 1:] = panes[..., 1:] * (1 + 0.75 * min(1.4, self.weight)) + 0.05 * cells.tone[cells.label, 1:]
        ripple = self.surface("ripple", picture.shape, lambda h, w: textures.noise(h, w, 9 * unit, 77, 3))
        glass = colour_map.to_rgb(np.asarray(panes, np.float32)) * (0.86 + 0.34 * ripple[..., None])
        glow = gaussian(np.clip(glass, 0, 1), 9 * unit)
        glass = 1 - (1 - np.clip(glass, 0, 1)) * (1 - 0.30 * glow)
        lead = 1 - smoothstep(0.35, 0.85, cells.edge / unit)
        lines = drawn_lines(
            self.line_light(picture), 1.7 * unit, team, threshold=0.010 * self.looseness(0.7, 1, 1.6), softness=0.010
        )
        lines = without_specks(lines, 60 * unit * unit)
        cover = np.maximum(lead, lines)[..., None] * self.amount(0.97)
        return mixed(np.asarray(glass, np.float32), np.array([0.045, 0.045, 0.055], np.float32), cover)
