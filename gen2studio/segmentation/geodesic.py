"""Geodesic distance over a picture: how far a pixel is from seeds, walking along like colours.

Bai, Sapiro, "A Geodesic Framework for Fast Interactive Image and Video Segmentation and Matting", ICCV 2007; computed
by raster sweeps (Toivanen, "New geodesic distance transforms for gray-scale images", 1996).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def geodesic_distance(
    lab: NDArray[np.float32], seeds: NDArray[np.bool_], colour: float = 0.4, rounds: int = 2
) -> NDArray[np.float32]:
    """(H, W) distance in pixels from ``seeds``; crossing one Lab unit of difference costs ``colour`` pixels more.

    ``lab`` is (H, W, 3). Meant for reduced pictures (a few ten thousand pixels). All-infinite when there are no seeds.
    """
    distance = np.where(seeds, np.float32(0), np.float32(np.inf))
    if not seeds.any():
        return distance
    down = _steps(lab, colour, 0)
    right = _steps(lab, colour, 1)
    for _ in range(rounds):
        _sweep(distance, down)
        _sweep(distance[::-1], down[::-1])
        _sweep(distance.T, right.T)
        _sweep(distance.T[::-1], right.T[::-1])
    return distance


def _steps(lab: NDArray[np.float32], colour: float, axis: int) -> NDArray[np.float32]:
    """Cost of the step between each pixel and the next one along ``axis``: one less long than the picture there."""
    gap = np.diff(lab, axis=axis)
    return (1 + colour * np.sqrt((gap * gap).sum(-1))).astype(np.float32)


def _sweep(distance: NDArray[np.float32], step: NDArray[np.float32]) -> None:
    """Relax each row from the one above it, straight and (at √2 of the cost) from both sides."""
    slant = np.float32(1.41421356)
    for row in range(1, len(distance)):
        above, cost, here = distance[row - 1], step[row - 1], distance[row]
        np.minimum(here, above + cost, out=here)
        np.minimum(here[1:], above[:-1] + slant * cost[1:], out=here[1:])
        np.minimum(here[:-1], above[1:] + slant * cost[:-1], out=here[:-1])
