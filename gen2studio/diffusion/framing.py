"""Between the artist's frame and the model's: which size a model runs at, and how pictures get there and back.

One rule: the artist's whole frame lies centred inside the model's picture. What sticks out is filled with the mirrored
edge on the way in and cut off on the way out, so footage is never cropped and nothing is stretched.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2studio.engine.events import Picture

_WASTE = 0.2
"""Part of a native picture that may lie outside the frame; a shape of its own is worked out beyond that."""


@dataclass(frozen=True, slots=True)
class Framing:
    """Where an output frame of ``output`` (width, height) lies in the model's picture of ``native`` (width, height)."""

    native: tuple[int, int]
    output: tuple[int, int]

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) of the artist's frame in the model's picture."""
        scale = min(self.native[0] / self.output[0], self.native[1] / self.output[1])
        width = min(self.native[0], max(1, round(self.output[0] * scale)))
        height = min(self.native[1], max(1, round(self.output[1] * scale)))
        return (self.native[0] - width) // 2, (self.native[1] - height) // 2, width, height

    @property
    def scale(self) -> float:
        """Output pixels per model pixel."""
        return self.output[0] / self.box[2]

    @property
    def padded(self) -> bool:
        return self.box[2:] != self.native

    def into(self, picture: Picture) -> Picture:
        """A frame of the output's shape (any size) as the model sees it. Other shapes are cropped to it first."""
        x, y, width, height = self.box
        small = resized(cropped(picture, self.output), (width, height))
        if not self.padded:
            return small
        import cv2

        right, below = self.native[0] - width - x, self.native[1] - height - y
        # A mirror needs more pixels than it adds; very flat frames repeat their edge instead.
        mirrored = max(x, right) < width and max(y, below) < height
        border = cv2.BORDER_REFLECT_101 if mirrored else cv2.BORDER_REPLICATE
        return np.asarray(cv2.copyMakeBorder(small, y, below, x, right, border), np.uint8)

    def mask_into(self, mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A mask (H, W) as the model sees it: nothing that is marked gets lost, nothing outside the frame is marked."""
        from gen2studio.diffusion.conditioning.masks import fit_mask

        x, y, width, height = self.box
        out = np.zeros((self.native[1], self.native[0]), np.uint8)
        out[y : y + height, x : x + width] = fit_mask(mask, (width, height))
        return out

    def inside(self, picture: Picture) -> Picture:
        """The artist's frame out of a model picture, at the model's resolution."""
        x, y, width, height = self.box
        return np.ascontiguousarray(picture[y : y + height, x : x + width])

    def out(self, picture: Picture) -> Picture:
        """A model picture at the output size (Lanczos)."""
        return resized(self.inside(picture), self.output)

    def sentence(self) -> str:
        """What is done to the picture's shape, for the artist; empty when nothing is."""
        if not self.padded:
            return ""
        x, _, width, height = self.box
        return (
            f"The model works at {self.native[0]}×{self.native[1]}; the frame takes {width}×{height} of it, "
            f"the {'sides are' if x else 'rest is'} filled in and cut off again."
        )


def choose_native(
    output: tuple[int, int], sizes: Sequence[tuple[int, int]], multiple: int, *, fixed: bool = False
) -> tuple[int, int]:
    """The size to run a model at for an output of another shape: the native size that wastes least, or one of the same
    area in the output's shape when every native size wastes more than a fifth and others are possible (``fixed``: they
    are not)."""
    aspect = output[0] / output[1]

    def waste(size: tuple[int, int]) -> float:
        other = size[0] / size[1]
        return 1 - min(aspect, other) / max(aspect, other)

    usable = [(w // multiple * multiple, h // multiple * multiple) for w, h in sizes if min(w, h) >= multiple]
    if not usable:
        square = max(multiple, 512 // multiple * multiple)
        usable = [(square, square)]
    best = min(usable, key=waste)
    if fixed or waste(best) <= _WASTE:
        return best
    area = best[0] * best[1]
    width = max(multiple, round(math.sqrt(area * aspect) / multiple) * multiple)
    height = max(multiple, round(math.sqrt(area / aspect) / multiple) * multiple)
    while width * height > area * 1.1 and max(width, height) > multiple:
        width, height = (width - multiple, height) if width >= height else (width, height - multiple)
    return max(multiple, width), max(multiple, height)


def cropped(picture: Picture, shape: tuple[int, int]) -> Picture:
    """The largest centred part of ``picture`` that has the shape of ``shape`` (width, height)."""
    height, width = picture.shape[:2]
    scale = min(width / shape[0], height / shape[1])
    w, h = min(width, max(1, round(shape[0] * scale))), min(height, max(1, round(shape[1] * scale)))
    top, left = (height - h) // 2, (width - w) // 2
    return picture[top : top + h, left : left + w]


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """``picture`` at (width, height): averaged down, Lanczos up."""
    import cv2

    if (picture.shape[1], picture.shape[0]) == size:
        return np.ascontiguousarray(picture)
    smaller = size[0] * size[1] <= picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
