"""The nine places of the world, each painted from the sky forward. Python branches on the scene only; a batch shares
it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gen2studio.diffusion.world.camera import View
from gen2studio.diffusion.world.fields import box, circle, fbm, hash01, smooth, speckle
from gen2studio.diffusion.world.lighting import LIGHTS, Canvas, Light, colour

Draws = Callable[[], Tensor]
"""The next random number of every clip, [B, 1, 1, 1] in 0…1."""

EDGE = 0.008
"""Softness of painted edges in view units; supersampling does the rest."""


def _sky(view: View, light: Light, draw: Draws, seconds: Tensor) -> Canvas:
    x, y, _ = view.layer(0.0)
    height = (-y).clamp(min=0)
    amount = smooth(0.0, 1.1, height).unsqueeze(0)
    low, top = colour(light.low, x), colour(light.top, x)
    rgb = low + amount * (top - low)
    full = x + y
    rgb = rgb + torch.zeros_like(full)
    canvas = Canvas(light, rgb)
    sun_x, sun_y = (draw() - 0.5) * 1.2, -(light.sun_height + 0.12 * draw())
    shift, kind = draw(), draw()
    if light.sun_size > 0:
        away = circle(x, y, sun_x, sun_y, light.sun_size)
        sun = colour(light.sun, x)
        canvas.add((sun * 0.35 * torch.exp(-away.clamp(min=0) * 5)).clamp(0, 1) * (1 - rgb).clamp(0, 1))
        canvas.paint(smooth(EDGE, -EDGE, away), sun, lit=False)
        if light.glow == 1.0:
            canvas.paint(smooth(EDGE, -EDGE, circle(x, y, sun_x + 0.03, sun_y - 0.02, light.sun_size)) * 0.75,
                         colour(light.top, x), lit=False)  # fmt: skip
    if light.glow == 1.0:
        star = speckle(x * 0.18 + shift, y * 0.18 + shift)
        canvas.add((star > 0.993).float() * smooth(0.05, 0.4, height) * 0.7 * colour((1, 1, 1), x))
    drift = seconds * 0.004
    cloud = fbm(x * 0.10 + shift + drift, (y * 0.30) + kind)
    cloud = smooth(0.52, 0.80, cloud) * smooth(0.06, 0.35, height) * (0.85 if light.glow < 0.9 else 0.25)
    canvas.paint(cloud, 0.62 * colour((1, 1, 1), x) + 0.38 * colour(light.low, x), lit=True)
    return canvas


def _ridge(canvas: Canvas, view: View, disparity: float, base: float, tall: float, stretch: float, seed: Tensor,
           paint: Tensor, snow: float = 0.0) -> None:  # fmt: skip
    """A mountain or dune line: everything below a fractal profile. ``snow`` whitens what is higher than that."""
    x, y, near = view.layer(disparity)
    profile = fbm(x * stretch + seed, seed * 0.37 + torch.zeros_like(x)) - 0.35
    crest = base + tall * profile
    alpha = smooth(-EDGE, EDGE, y + crest)
    relief = fbm(x * stretch * 2.3 + seed, y * stretch * 2.3 + seed)
    slope = fbm(x * stretch + seed + 0.012, seed * 0.37 + torch.zeros_like(x)) - 0.35 - profile
    tone = (0.80 + 0.35 * relief + (slope * 2.5).clamp(-0.12, 0.12)).unsqueeze(0)
    albedo = paint * tone
    if snow > 0:
        white = smooth(snow - 0.05, snow + 0.05, -y + (relief - 0.5) * 0.22).unsqueeze(0)
        albedo = albedo + white * (colour((0.95, 0.96, 1.0), x) * (0.86 + 0.2 * tone * 0.7) - albedo)
    canvas.paint(alpha, albedo, near)


def _trees(canvas: Canvas, view: View, disparity: float, spacing: float, tall: float, seed: Tensor, paint: Tensor, *,
           pine: bool, chance: float = 0.8) -> None:  # fmt: skip
    """A row of trees standing on the ground at this depth, one in each cell of ``spacing`` with some left out."""
    x, y, near = view.layer(disparity)
    cell = torch.floor(x / spacing)
    local = (x / spacing - cell - 0.5) * spacing
    offset = (hash01(cell, seed + 2.0) - 0.5) * spacing * 0.4
    size = tall * (0.7 + 0.6 * hash01(cell, seed + 5.0))
    there = (hash01(cell, seed + 9.0) < chance).float()
    lx, ly = (local - offset) / size, (disparity - y) / size
    trunk = box(lx, ly, 0.0, 0.18, 0.035, 0.2)
    canvas.paint(smooth(0.02, -0.02, trunk) * there, colour((0.30, 0.20, 0.13), x), near)
    if pine:
        wobble = 0.02 * torch.sin(ly * 38.0)
        crown = torch.maximum(lx.abs() - (0.98 - ly) * 0.26 - wobble, 0.16 - ly)
    else:
        crown = torch.minimum(circle(lx, ly, 0.0, 0.66, 0.30), torch.minimum(
            circle(lx, ly, -0.17, 0.52, 0.20), circle(lx, ly, 0.18, 0.54, 0.20)))  # fmt: skip
    shade = (0.72 + 0.45 * smooth(0.1, 1.0, ly) - 0.25 * smooth(-0.1, 0.3, lx) + 0.12 * hash01(cell, seed)).unsqueeze(0)
    canvas.paint(smooth(0.03, -0.03, crown) * there, paint * shade, near)


def _blocks(
    canvas: Canvas, view: View, disparity: float, spacing: float, tall: float, seed: Tensor, paint: Tensor
) -> None:
    """A row of buildings with windows, standing on the ground at this depth."""
    x, y, near = view.layer(disparity)
    cell = torch.floor(x / spacing)
    local = x / spacing - cell
    height = tall * (0.45 + 0.75 * hash01(cell, seed))
    up = disparity - y
    inside = smooth(-EDGE, EDGE, height - up) * smooth(-0.01, 0.01, 0.485 - (local - 0.5).abs())
    tint = (0.75 + 0.5 * hash01(cell, seed + 3.0)).unsqueeze(0)
    wall = paint * tint * (1.08 - 0.25 * local).unsqueeze(0)
    columns, rows = local * 5.0, up / (spacing * 0.22)
    pane = ((columns - torch.floor(columns) - 0.5).abs() < 0.27) & ((rows - torch.floor(rows) - 0.5).abs() < 0.25)
    window = pane.float() * smooth(0.0, 0.02, height - up - 0.03)
    on = (hash01(torch.floor(columns) + cell * 7.0, torch.floor(rows) * 0.137 + seed) < 0.5).float()
    glass = colour((0.45, 0.58, 0.70), x) * 0.75 * colour(canvas.light.key, x)
    lamp = colour((1.0, 0.83, 0.45), x)
    canvas.paint(inside, wall, near)
    dark = glass * (1 - 0.6 * canvas.light.glow)
    lit = dark + (on * min(1.0, canvas.light.glow * 1.2)).unsqueeze(0) * (lamp - dark)
    canvas.paint(window * inside * (0.85 - 0.5 * min(canvas.light.density, 0.3) / 0.3), lit, near, lit=False)


def _ground(canvas: Canvas, view: View, albedo: Callable[[Tensor, Tensor, Tensor], Tensor], floor: float = 0.0) -> None:
    """Paint the ground plane with ``albedo(X, Z, detail)``; detail fades out where texture would alias."""
    x, z, disparity = view.ground()
    detail = smooth(0.06, 0.28, disparity)
    alpha = smooth(floor - 1e-4, floor + EDGE, view.yc) + torch.zeros_like(x)
    canvas.paint(alpha, albedo(x, z, detail), disparity + torch.zeros_like(x))


def _earth(base: tuple[float, float, float], seed: Tensor, scale: float = 0.09, depth: float = 0.45,
           ) -> Callable[[Tensor, Tensor, Tensor], Tensor]:  # fmt: skip
    def albedo(x: Tensor, z: Tensor, detail: Tensor) -> Tensor:
        broad = fbm(x * scale + seed, z * scale * 0.7)
        fine = fbm(x * scale * 6 + seed, z * scale * 5)
        tone = 1.0 + depth * (broad - 0.5) + depth * 0.8 * (fine - 0.5) * detail
        return colour(base, x) * tone.unsqueeze(0)

    return albedo


def sea(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """Open water with an island, ripples and a path of light."""
    seed, sun = draw(), colour(canvas.light.low, view.x)
    _ridge(canvas, view, 0.04, -0.02, 0.45, 0.22, seed, colour((0.36, 0.42, 0.40), view.x))

    def water(x: Tensor, z: Tensor, detail: Tensor) -> Tensor:
        swell = torch.sin(z * 3.2 - seconds * 0.55 + 2.2 * fbm(x * 0.10 + seed, z * 0.10))
        ripple = fbm(x * 0.16 + seed, z * 0.55 - seconds * 0.012)
        deep, pale = colour((0.03, 0.24, 0.38), x), sun * 0.85 + 0.05
        mirror = torch.exp(-1.1 * view.yc).unsqueeze(0) * 0.75
        base = deep + mirror * (pale - deep)
        crest = smooth(0.55, 0.85, ripple + 0.10 * swell) * (0.35 + 0.4 * detail)
        return base * (1 + 0.14 * swell * detail).unsqueeze(0) + crest.unsqueeze(0) * (pale + 0.25) * 0.55

    _ground(canvas, view, water)


def desert(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """Dunes and rippled sand."""
    seed, second = draw(), draw()
    sand = (0.90, 0.68, 0.40)
    _ridge(canvas, view, 0.05, 0.10, 0.42, 0.07, seed, colour((0.80, 0.55, 0.33), view.x))
    _ridge(canvas, view, 0.16, 0.02, 0.34, 0.09, second, colour((0.88, 0.64, 0.37), view.x))

    def dune(x: Tensor, z: Tensor, detail: Tensor) -> Tensor:
        wave = torch.sin(z * 17.0 + 5.0 * fbm(x * 0.12 + seed, z * 0.12)) * detail
        return _earth(sand, seed, 0.05, 0.3)(x, z, detail) * (1 + 0.09 * wave).unsqueeze(0)

    _ground(canvas, view, dune)


def mountains(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """Snow-capped peaks above a dark hillside and an alpine meadow."""
    seed, second, third = draw(), draw(), draw()
    _ridge(canvas, view, 0.03, 0.42, 1.15, 0.16, seed, colour((0.42, 0.44, 0.52), view.x), snow=0.36)
    _ridge(canvas, view, 0.10, 0.10, 0.50, 0.12, second, colour((0.20, 0.33, 0.26), view.x))
    _trees(canvas, view, 0.14, 0.13, 0.20, third, colour((0.10, 0.27, 0.18), view.x), pine=True)
    _ground(canvas, view, _earth((0.36, 0.50, 0.24), seed, 0.08, 0.6), 0.0)


def forest(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """Rows of trees one behind another over a mossy floor."""
    seed, second, third = draw(), draw(), draw()
    _ridge(canvas, view, 0.06, 0.34, 0.30, 0.5, seed, colour((0.13, 0.27, 0.16), view.x))
    _ground(canvas, view, _earth((0.25, 0.31, 0.14), seed, 0.16, 0.9))
    _trees(canvas, view, 0.13, 0.20, 0.75, second, colour((0.13, 0.36, 0.17), view.x), pine=True, chance=0.95)
    _trees(canvas, view, 0.24, 0.46, 1.15, third, colour((0.16, 0.45, 0.18), view.x), pine=False, chance=0.75)


def meadow(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """Rolling hills, round trees and flowers."""
    seed, second, third = draw(), draw(), draw()
    _ridge(canvas, view, 0.06, 0.10, 0.40, 0.07, seed, colour((0.42, 0.62, 0.32), view.x))
    _ridge(canvas, view, 0.12, 0.03, 0.28, 0.08, second, colour((0.45, 0.70, 0.28), view.x))
    grass = _earth((0.42, 0.74, 0.22), seed, 0.07, 0.4)

    def flowers(x: Tensor, z: Tensor, detail: Tensor) -> Tensor:
        base = grass(x, z, detail)
        column, row = torch.floor(x * 7.0), torch.floor(z * 7.0)
        lx, lz = x * 7.0 - column - 0.5, z * 7.0 - row - 0.5
        there = (hash01(column, row * 0.171 + third) < 0.16).float() * smooth(0.32, 0.20, torch.sqrt(lx**2 + lz**2))
        petal = torch.where(hash01(column + 3.0, row * 0.39).unsqueeze(0) < 0.5, colour((0.98, 0.92, 0.35), x),
                            colour((0.98, 0.62, 0.75), x))  # fmt: skip
        return base + (there * detail).unsqueeze(0) * (petal - base)

    _ground(canvas, view, flowers)
    _trees(canvas, view, 0.20, 0.62, 0.42, third, colour((0.25, 0.56, 0.18), view.x), pine=False, chance=0.55)


def city(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """Two lines of towers behind a paved square."""
    seed, second = draw(), draw()
    _blocks(canvas, view, 0.05, 0.22, 0.95, seed, colour((0.50, 0.56, 0.66), view.x))
    _blocks(canvas, view, 0.13, 0.38, 0.85, second, colour((0.58, 0.50, 0.50), view.x))

    def paving(x: Tensor, z: Tensor, detail: Tensor) -> Tensor:
        joint = torch.maximum(smooth(0.44, 0.49, (x - torch.floor(x) - 0.5).abs()),
                              smooth(0.42, 0.49, (z - torch.floor(z) - 0.5).abs()))  # fmt: skip
        return _earth((0.52, 0.52, 0.54), seed, 0.2, 0.25)(x, z, detail) * (1 - 0.35 * joint * detail).unsqueeze(0)

    _ground(canvas, view, paving)


def street(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """A road towards the horizon between houses, with lamps."""
    seed, second = draw(), draw()
    _blocks(canvas, view, 0.10, 0.46, 0.50, seed, colour((0.66, 0.44, 0.36), view.x))
    side = (second - 0.5) * 0.8

    def road(x: Tensor, z: Tensor, detail: Tensor) -> Tensor:
        lateral = x - side
        asphalt = _earth((0.27, 0.27, 0.30), seed, 0.3, 0.3)(x, z, detail)
        walk = _earth((0.62, 0.60, 0.57), seed, 0.3, 0.25)(x, z, detail)
        on_road = smooth(1.52, 1.44, lateral.abs()).unsqueeze(0)
        paint = walk + on_road * (asphalt - walk)
        dash = smooth(0.09, 0.06, lateral.abs()) * smooth(0.30, 0.26, (z * 0.5 - torch.floor(z * 0.5) - 0.5).abs())
        line = smooth(0.06, 0.04, (lateral.abs() - 1.36).abs())
        paint = paint + dash.unsqueeze(0) * (colour((0.98, 0.82, 0.25), x) - paint)
        return paint + line.unsqueeze(0) * 0.8 * (colour((0.95, 0.95, 0.95), x) - paint)

    _ground(canvas, view, road)
    disparity = 0.24
    x, y, near = view.layer(disparity)
    cell = torch.floor(x / 0.85)
    lx, up = x - (cell + 0.5) * 0.85, disparity - y
    post = torch.minimum(box(lx, up, 0.0, 0.33, 0.012, 0.33), box(lx, up, 0.05, 0.655, 0.06, 0.010))
    canvas.paint(smooth(EDGE, -EDGE, post), colour((0.22, 0.24, 0.28), x), near)
    lamp = circle(lx, up, 0.10, 0.63, 0.022)
    canvas.add(colour((1.0, 0.80, 0.45), x) * (0.9 * canvas.light.glow * torch.exp(-lamp.clamp(min=0) * 13)))


def room(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """A wall with a window onto the time of day, a picture, and a wooden floor."""
    tint, place, hue, seed = draw(), draw(), draw(), draw()
    disparity = 0.36
    x, y, near = view.layer(disparity)
    outside = canvas.rgb
    wall_colour = torch.stack((0.86 - 0.24 * hue, 0.76 + 0.06 * tint, 0.66 + 0.16 * hue))
    indoor = colour((1.0, 0.93, 0.80), x) if canvas.light.glow > 0.1 else colour((1, 1, 1), x)
    lift = 0.34 if canvas.light.glow == 1.0 else 0.0
    stripes = 1 + 0.035 * torch.sign(torch.sin(x * 26.0))
    fall = (1.0 - 0.16 * (y + 0.5).abs() - 0.10 * x.abs()) * stripes
    wall = wall_colour * indoor * (colour(canvas.light.key, x) * (1 - lift) + lift) * fall.unsqueeze(0)
    alpha = smooth(EDGE, -EDGE, y - disparity)
    canvas.paint(alpha, wall, near, lit=False)
    wx = (place - 0.5) * 1.1
    px, py = x - wx, y + 0.42
    frame = box(px, py, 0.0, 0.0, 0.36, 0.33)
    pane = box(px, py, 0.0, 0.0, 0.31, 0.28)
    bars = torch.minimum(px.abs(), py.abs()) - 0.016
    canvas.paint(smooth(EDGE, -EDGE, frame), colour((0.93, 0.92, 0.88), x), near)
    seen = smooth(EDGE, -EDGE, torch.maximum(pane, -bars))
    canvas.rgb = canvas.rgb + seen * (outside - canvas.rgb)
    ax = x - wx + torch.where(wx > 0, 0.95, -0.95)
    canvas.paint(smooth(EDGE, -EDGE, box(ax, y, 0.0, -0.42, 0.17, 0.21)), colour((0.42, 0.28, 0.16), x), near)
    art = torch.stack((tint, 1 - hue, place)) * 0.7 + 0.2
    canvas.paint(smooth(EDGE, -EDGE, box(ax, y, 0.0, -0.42, 0.135, 0.175)), art, near)
    skirting = smooth(EDGE, -EDGE, box(x, y, 0.0, disparity - 0.02, 50.0, 0.022))
    canvas.paint(skirting, colour((0.93, 0.92, 0.88), x), near)

    def boards(fx: Tensor, fz: Tensor, detail: Tensor) -> Tensor:
        plank = torch.floor(fx * 3.2)
        joint = smooth(0.45, 0.5, (fx * 3.2 - plank - 0.5).abs())
        grain = fbm(fx * 0.9 + hash01(plank), fz * 0.07 + seed)
        tone = (0.78 + 0.25 * hash01(plank, seed) + 0.25 * (grain - 0.5)) * (1 - 0.4 * joint * detail)
        return colour((0.66, 0.42, 0.24), fx) * tone.unsqueeze(0) * (1 + lift)

    base = canvas.disparity
    fx, fz, floor_disparity = view.ground()
    edge = near * 1.0
    alpha = smooth(-EDGE * 0.2, EDGE, view.yc - edge) + torch.zeros_like(fx)
    canvas.paint(alpha, boards(fx, fz, smooth(0.06, 0.28, floor_disparity)), floor_disparity + torch.zeros_like(base))


def snow(view: View, canvas: Canvas, draw: Draws, seconds: Tensor) -> None:
    """White hills with pines, and snow falling."""
    seed, second, third = draw(), draw(), draw()
    _ridge(canvas, view, 0.05, 0.14, 0.50, 0.09, seed, colour((0.80, 0.85, 0.93), view.x))
    _ridge(canvas, view, 0.12, 0.03, 0.28, 0.08, second, colour((0.88, 0.92, 0.97), view.x))
    _ground(canvas, view, _earth((0.92, 0.95, 0.99), seed, 0.05, 0.16))
    _trees(canvas, view, 0.17, 0.40, 0.42, third, colour((0.16, 0.35, 0.28), view.x), pine=True, chance=0.6)


SCENE_PAINTERS: dict[str, Callable[[View, Canvas, Draws, Tensor], None]] = {
    "sea": sea,
    "desert": desert,
    "mountains": mountains,
    "forest": forest,
    "meadow": meadow,
    "city": city,
    "street": street,
    "room": room,
    "snow": snow,
}


def paint_scene(scene: str, time: str, view: View, draw: Draws, seconds: Tensor) -> Canvas:
    """Sky and scene; ``seconds`` [B, T, 1, 1] drives what moves by itself."""
    canvas = _sky(view, LIGHTS[time], draw, seconds)
    SCENE_PAINTERS[scene](view, canvas, draw, seconds)
    return canvas
