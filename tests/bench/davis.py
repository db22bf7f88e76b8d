"""Region and boundary measures of DAVIS, and its clips.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation", CVPR 2016: J is the
intersection over the union of two masks; F is the harmonic mean of precision and recall of boundary pixels, which
match bipartitely within a tolerance of ``bound_th`` = 0.008 × the picture's diagonal, approximated by dilation. Both
are averaged over the frames without the first (which is given) and the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"
FOUR = ("dog", "lucia", "car-shadow", "blackswan")
"""The clips that the tracker's design was made with."""

BOUND_TH = 0.008

Mask = NDArray[np.uint8]
"""(H, W) uint8, 0 or 255; soft ones are cut at one half."""


@dataclass
class Clip:
    """Frames with the truth of each object that is followed through them."""

    name: str
    frames: list[NDArray[np.uint8]]
    truth: dict[str, list[Mask]]
    first: int = 0
    """The frame whose truth is given."""

    @property
    def judged(self) -> range:
        """Frames that count: neither the given one nor the last."""
        return range(self.first + 1, len(self.frames) - 1)


def region(a: NDArray, b: NDArray) -> float:
    """J: intersection over union; 1 when both are empty."""
    one, other = a > 127, b > 127
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else 1.0


def boundary(mask: NDArray) -> Mask:
    """One-pixel boundary: 1 where a pixel differs from its right, lower or lower-right neighbour (DAVIS' seg2bmap)."""
    inside = mask > 127
    edge = np.zeros(inside.shape, bool)
    edge[:-1, :-1] = (
        (inside[:-1, :-1] ^ inside[1:, :-1])
        | (inside[:-1, :-1] ^ inside[:-1, 1:])
        | (inside[:-1, :-1] ^ inside[1:, 1:])
    )
    edge[-1, :-1] = inside[-1, :-1] ^ inside[-1, 1:]
    edge[:-1, -1] = inside[:-1, -1] ^ inside[1:, -1]
    return edge.astype(np.uint8)


def tolerance(shape: tuple[int, ...]) -> int:
    """How far apart boundary pixels may lie, in pixels: 8 at 854×480."""
    return int(np.ceil(BOUND_TH * np.hypot(*shape[:2])))


def contour(a: NDArray, b: NDArray) -> float:
    """F of mask ``a`` against truth ``b``; 1 when neither has a boundary, 0 when one of them has none."""
    radius = tolerance(a.shape)
    ys, xs = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (xs * xs + ys * ys <= radius * radius).astype(np.uint8)
    one, other = boundary(a), boundary(b)
    if not one.any() and not other.any():
        return 1.0
    if not one.any() or not other.any():
        return 0.0
    precision = float((one & cv2.dilate(other, disk)).sum() / one.sum())
    recall = float((other & cv2.dilate(one, disk)).sum() / other.sum())
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


@dataclass(frozen=True)
class Score:
    """Means over frames and objects, and J of each (object, frame)."""

    region: float
    contour: float
    frames: dict[tuple[str, int], float]

    def __str__(self) -> str:
        return f"{self.region:.3f}/{self.contour:.3f}"


def scored(clip: Clip, masks: dict[tuple[str, int], Mask]) -> Score:
    """J and F of ``masks`` (one for each object and judged frame) against the clip's truth."""
    frames = {(name, t): region(masks[(name, t)], clip.truth[name][t]) for name in clip.truth for t in clip.judged}
    edges = [contour(masks[(name, t)], clip.truth[name][t]) for name, t in frames]
    return Score(float(np.mean(list(frames.values()))), float(np.mean(edges)), frames)


def read_frames(folder: Path) -> list[NDArray[np.uint8]]:
    """The (H, W, 3) RGB pictures of a folder, by name."""
    return [np.asarray(cv2.cvtColor(cv2.imread(str(p)), cv2.COLOR_BGR2RGB), np.uint8) for p in sorted(folder.iterdir())]


def read_masks(folder: Path) -> list[Mask]:
    """The masks of a folder, by name, as 0 and 255."""
    greys = [cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in sorted(folder.iterdir())]
    return [np.where(np.asarray(grey) > 127, 255, 0).astype(np.uint8) for grey in greys]


def davis_clip(name: str) -> Clip:
    """A clip of the shared media with one subject."""
    folder = MEDIA / "davis" / name
    truth = read_masks(folder / "masks")
    # A subject that enters is taken up once it shows at least half of its median size.
    sizes = np.array([int((m > 0).sum()) for m in truth])
    first = 0 if sizes[0] else int(np.flatnonzero(sizes >= 0.5 * np.median(sizes[sizes > 0]))[0])
    return Clip(name, read_frames(folder / "frames"), {"subject": truth}, first)
