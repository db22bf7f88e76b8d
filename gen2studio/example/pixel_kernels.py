"""Per-pixel kernels: colour lookup, Kuwahara blend, line integrals, brush strokes. All work on row ranges or whole
pictures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gen2studio.example.compiled import compiled
from gen2studio.example.kernels import F32, I32, _hash

U8 = NDArray[np.uint8]


@compiled
def look_up(picture: F32, table: F32, result: F32, y0: int, y1: int) -> None:
    """Trilinear lookup of (H, W, 3) colours 0…1 in a (N, N, N, 3) table indexed [r, g, b]."""
    last = table.shape[0] - 1
    scale = np.float32(last)
    for y in range(y0, y1):
        for x in range(picture.shape[1]):
            r = min(max(picture[y, x, 0], np.float32(0.0)), np.float32(1.0)) * scale
            g = min(max(picture[y, x, 1], np.float32(0.0)), np.float32(1.0)) * scale
            b = min(max(picture[y, x, 2], np.float32(0.0)), np.float32(1.0)) * scale
            ri, gi, bi = min(int(r), last - 1), min(int(g), last - 1), min(int(b), last - 1)
            fr, fg, fb = r - ri, g - gi, b - bi
            for c in range(3):
                low = (table[ri, gi, bi, c] * (1 - fb) + table[ri, gi, bi + 1, c] * fb) * (1 - fg) + (
                    table[ri, gi + 1, bi, c] * (1 - fb) + table[ri, gi + 1, bi + 1, c] * fb
                ) * fg
                high = (table[ri + 1, gi, bi, c] * (1 - fb) + table[ri + 1, gi, bi + 1, c] * fb) * (1 - fg) + (
                    table[ri + 1, gi + 1, bi, c] * (1 - fb) + table[ri + 1, gi + 1, bi + 1, c] * fb
                ) * fg
                result[y, x, c] = low * (1 - fr) + high * fr


@compiled
def sector_blend(
    mean: F32, square: F32, tangent: F32, offset: float, stretch: float, hardness: float, result: F32, y0: int, y1: int
) -> None:
    """Kuwahara blend of eight windows around every pixel, steadier windows weighing more.

    ``mean`` (H, W, 3) is the Gaussian-blurred picture, ``square`` (H, W) the blurred sum of squares, ``tangent`` (H,
    W, 3)
    the local direction (cos, sin) and its coherence 0…1; windows lie on an ellipse of ``offset`` px that is stretched
    along it.
    """
    height, width = square.shape
    for y in range(y0, y1):
        for x in range(width):
            cos, sin, coherence = tangent[y, x, 0], tangent[y, x, 1], tangent[y, x, 2]
            long = np.float32(offset) * (np.float32(1.0) + np.float32(stretch) * coherence)
            short = np.float32(offset) / (np.float32(1.0) + np.float32(stretch) * coherence)
            r = g = b = total = np.float32(0.0)
            for k in range(8):
                u = long * np.float32(_COS[k])
                v = short * np.float32(_SIN[k])
                px = min(max(int(np.rint(x + u * cos - v * sin)), 0), width - 1)
                py = min(max(int(np.rint(y + u * sin + v * cos)), 0), height - 1)
                mr, mg, mb = mean[py, px, 0], mean[py, px, 1], mean[py, px, 2]
                spread = max(square[py, px] - (mr * mr + mg * mg + mb * mb), np.float32(0.0)) * np.float32(hardness)
                spread *= spread
                weight = np.float32(1.0) / (np.float32(1.0) + spread * spread)
                weight = max(weight, np.float32(1e-12))
                total += weight
                r += weight * mr
                g += weight * mg
                b += weight * mb
            result[y, x, 0], result[y, x, 1], result[y, x, 2] = r / total, g / total, b / total


_COS = np.cos(np.arange(8) * np.pi / 4).astype(np.float32)
_SIN = np.sin(np.arange(8) * np.pi / 4).astype(np.float32)


@compiled
def smear(picture: F32, tangent: F32, length: int, result: F32, y0: int, y1: int) -> None:
    """Line integral convolution (Cabral, Leedom 1993): mean of (H, W) ``picture`` along the tangent, ``length`` px
    each way."""
    height, width = picture.shape
    for y in range(y0, y1):
        for x in range(width):
            total = picture[y, x]
            count = np.float32(1.0)
            for way in range(2):
                px, py = np.float32(x), np.float32(y)
                dx, dy = tangent[y, x, 0], tangent[y, x, 1]
                if way == 1:
                    dx, dy = -dx, -dy
                for i in range(length):
                    px += dx
                    py += dy
                    ix, iy = int(px + np.float32(0.5)), int(py + np.float32(0.5))
                    if ix < 0 or iy < 0 or ix >= width or iy >= height:
                        break
                    weight = np.float32(1.0) - np.float32(i) / np.float32(length + 1)
                    total += weight * picture[iy, ix]
                    count += weight
                    tx, ty = tangent[iy, ix, 0], tangent[iy, ix, 1]
                    if tx * dx + ty * dy < 0:
                        tx, ty = -tx, -ty
                    dx, dy = tx, ty
            result[y, x] = total / count


@compiled
def nearest_cells(points: F32, columns: int, rows: int, cell: float, label: I32, edge: F32, y0: int, y1: int) -> None:
    """Voronoi cells of a jittered grid: ``points`` (rows·columns, 2) in pixels, one a grid cell of side ``cell``.

    ``label`` (H, W) gets the nearest point's number, ``edge`` (H, W) the distance in pixels to the border with the
    next cell.
    """
    for y in range(y0, y1):
        for x in range(label.shape[1]):
            gx, gy = int(x / cell), int(y / cell)
            best = second = np.float32(1e12)
            found, other = 0, 0
            for j in range(max(0, gy - 2), min(rows, gy + 3)):
                for i in range(max(0, gx - 2), min(columns, gx + 3)):
                    n = j * columns + i
                    dx, dy = points[n, 0] - x, points[n, 1] - y
                    d = dx * dx + dy * dy
                    if d < best:
                        second, other = best, found
                        best, found = d, n
                    elif d < second:
                        second, other = d, n
            label[y, x] = found
            gap_x, gap_y = points[other, 0] - points[found, 0], points[other, 1] - points[found, 1]
            apart = np.sqrt(gap_x * gap_x + gap_y * gap_y)
            edge[y, x] = (second - best) / (np.float32(2.0) * max(apart, np.float32(1e-3)))


@compiled
def paint_strokes(
    canvas: F32,
    height_map: F32,
    reference: F32,
    error: F32,
    tangent: F32,
    order: I32,
    radius: float,
    longest: int,
    shortest: int,
    tolerance: float,
    opacity: float,
    colour_jitter: float,
    seed: int,
) -> None:
    """Curved brush strokes in one size (Hertzmann, SIGGRAPH 1998), with bristles: each leaves colour and a relief.

    ``canvas`` (H, W, 3) and ``height_map`` (H, W) are painted in place; a stroke starts at every (x, y) of ``order``
    whose
    ``error`` (H, W) is above ``tolerance``, takes its colour from ``reference`` (H, W, 3), follows ``tangent`` (H, W,
    2+)
    and stops when the reference differs more from its colour than the canvas does.
    """
    rows, columns = height_map.shape
    steps_max = int(longest)
    for n in range(order.shape[0]):
        x0, y0 = order[n, 0], order[n, 1]
        if error[y0, x0] < tolerance:
            continue
        shade = (np.float32(_hash(seed, 11, y0, x0) & 0xFFFF) / np.float32(65536.0) - np.float32(0.5)) * np.float32(
            colour_jitter
        )
        tint = (np.float32(_hash(seed, 12, y0, x0) & 0xFFFF) / np.float32(65536.0) - np.float32(0.5)) * np.float32(
            colour_jitter * 0.5
        )
        r = reference[y0, x0, 0] + shade + tint
        g = reference[y0, x0, 1] + shade
        b = reference[y0, x0, 2] + shade - tint
        px, py = np.float32(x0), np.float32(y0)
        dx, dy = np.float32(tangent[y0, x0, 0]), np.float32(tangent[y0, x0, 1])
        if _hash(seed, 13, y0, x0) & 1:
            dx, dy = -dx, -dy
        count = 0
        while count < steps_max:
            ix, iy = int(px + np.float32(0.5)), int(py + np.float32(0.5))
            if ix < 0 or iy < 0 or ix >= columns or iy >= rows:
                break
            if count > shortest:
                own = abs(reference[iy, ix, 0] - r) + abs(reference[iy, ix, 1] - g) + abs(reference[iy, ix, 2] - b)
                there = (
                    abs(reference[iy, ix, 0] - canvas[iy, ix, 0])
                    + abs(reference[iy, ix, 1] - canvas[iy, ix, 1])
                    + abs(reference[iy, ix, 2] - canvas[iy, ix, 2])
                )
                if own > there + np.float32(0.04):
                    break
            taper = min(np.float32(1.0), np.float32(0.35) + np.float32(count) / np.float32(radius))
            left = np.float32(steps_max - count) / np.float32(radius)
            taper = min(taper, np.float32(0.3) + left)
            half = np.float32(radius) * taper
            across = int(half * 2) + 1
            for k in range(-across, across + 1):
                v = np.float32(k) * np.float32(0.5)
                if abs(v) > half:
                    continue
                qx = int(px - dy * v + np.float32(0.5))
                qy = int(py + dx * v + np.float32(0.5))
                if qx < 0 or qy < 0 or qx >= columns or qy >= rows:
                    continue
                hair = np.float32(_hash(seed, n, 3, k) & 0xFFFF) / np.float32(65536.0)
                rim = np.float32(1.0) - (v / half) * (v / half)
                cover = (
                    np.float32(opacity)
                    * (np.float32(0.72) + np.float32(0.28) * hair)
                    * min(np.float32(1.0), rim * np.float32(3.0))
                )
                lift = (hair - np.float32(0.5)) * np.float32(0.05)
                canvas[qy, qx, 0] += cover * (r + lift - canvas[qy, qx, 0])
                canvas[qy, qx, 1] += cover * (g + lift - canvas[qy, qx, 1])
                canvas[qy, qx, 2] += cover * (b + lift - canvas[qy, qx, 2])
                body = np.float32(0.35) + np.float32(0.45) * hair + np.float32(0.4) * (np.float32(1.0) - rim)
                height_map[qy, qx] += cover * (body - height_map[qy, qx])
            tx, ty = np.float32(tangent[iy, ix, 0]), np.float32(tangent[iy, ix, 1])
            if tx * dx + ty * dy < 0:
                tx, ty = -tx, -ty
            dx = dx * np.float32(0.6) + tx * np.float32(0.4)
            dy = dy * np.float32(0.6) + ty * np.float32(0.4)
            norm = np.sqrt(dx * dx + dy * dy)
            if norm < np.float32(1e-4):
                break
            dx /= norm
            dy /= norm
            px += dx
            py += dy
            count += 1


def warm_up() -> None:
    """Run every kernel once on a tiny picture."""
    picture = np.full((12, 12, 3), 0.5, np.float32)
    flat = np.full((12, 12), 0.5, np.float32)
    tangent = np.zeros((12, 12, 3), np.float32)
    tangent[..., 0] = 1.0
    table = np.zeros((3, 3, 3, 3), np.float32)
    look_up(picture, table, picture.copy(), 0, 12)
    sector_blend(picture, flat, tangent, 2.0, 1.0, 10.0, picture.copy(), 0, 12)
    smear(flat, tangent, 3, flat.copy(), 0, 12)
    points = np.array([[3, 3], [9, 3], [3, 9], [9, 9]], np.float32)
    nearest_cells(points, 2, 2, 6.0, np.zeros((12, 12), np.int32), flat.copy(), 0, 12)
    order = np.array([[5, 5]], np.int32)
    paint_strokes(picture.copy(), flat.copy(), picture, flat, tangent, order, 3.0, 6, 2, 0.0, 1.0, 0.1, 1)
