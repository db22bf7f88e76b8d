"""Carrying painted layers from key frames to the frames between them along composed optical flow.

"Layer" is (h, w, C≤4) float32 at working size (short side at most :data:`WORK_SHORT`): brush relief, hatching, grain.
A frame
between two keys gets both keys' layers, each warped once (flows are composed, pictures never resampled twice),
weighted by
time and visibility, and brought back to the local contrast the keys had.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.example.filters import gaussian
from gen2studio.example.kernels import F32
from gen2studio.example.patchmatch import local_deviation, with_contrast_of
from gen2studio.raster import flow

Picture = NDArray[np.uint8]
WORK_SHORT = 600


def work_size(width: int, height: int) -> tuple[int, int]:
    """(width, height) layers are painted at: the frame's own up to 600 px short side, about half HD above."""
    short = min(width, height)
    if short <= WORK_SHORT:
        return width, height
    scale = 540 / short
    return max(8, round(width * scale)), max(8, round(height * scale))


def shrunk(picture: NDArray, size: tuple[int, int]) -> NDArray:
    """``picture`` at working size (area mean)."""
    if (picture.shape[1], picture.shape[0]) == size:
        return picture
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def grown(layer: F32, width: int, height: int) -> F32:
    """A layer at full size (cubic)."""
    if layer.shape[:2] == (height, width):
        return layer
    return np.asarray(cv2.resize(layer, (width, height), interpolation=cv2.INTER_CUBIC), np.float32).reshape(
        height, width, -1
    )


@dataclass(frozen=True, slots=True)
class Track:
    """How one frame sees a key: flow frame → key (h, w, 2) and visibility 0…1 (h, w)."""

    flow: F32
    seen: F32

    def warp(self, layer: F32) -> F32:
        """The key's layer brought to the frame, (h, w, C)."""
        return np.asarray(flow.warp(layer, self.flow, cv2.INTER_CUBIC, cv2.BORDER_REFLECT_101), np.float32).reshape(
            layer.shape
        )

    def warp_field(self, field: NDArray[np.int32]) -> NDArray[np.int32]:
        """The key's matches brought to the frame (nearest)."""
        height, width = field.shape[:2]
        at = flow.grid(height, width) + self.flow
        xs = np.clip(np.rint(at[..., 0]), 0, width - 1).astype(np.int64)
        ys = np.clip(np.rint(at[..., 1]), 0, height - 1).astype(np.int64)
        return np.ascontiguousarray(field[ys, xs])


@dataclass(frozen=True, slots=True)
class Step:
    """Flows between two neighbouring frames a, b and where each is seen in the other."""

    forward: F32
    backward: F32
    seen_forward: NDArray[np.bool_]
    seen_backward: NDArray[np.bool_]

    @property
    def share(self) -> float:
        """Share of b's pixels that are seen in a."""
        return float(self.seen_backward.mean())


def step_between(a: Picture, b: Picture) -> Step:
    """DIS flow both ways between two (h, w, 3) uint8 frames at working size."""
    grey_a, grey_b = flow.grey(a), flow.grey(b)
    forward, backward = flow.dis_flow(grey_a, grey_b), flow.dis_flow(grey_b, grey_a)
    return Step(forward, backward, flow.visible(forward, backward), flow.visible(backward, forward))


def forward_tracks(steps: list[Step]) -> list[Track]:
    """Track of every following frame back to the first: steps[i] lies between frame i and i + 1."""
    tracks: list[Track] = []
    for step in steps:
        if not tracks:
            tracks.append(Track(step.backward, step.seen_backward.astype(np.float32)))
            continue
        before = tracks[-1]
        seen = step.seen_backward * np.asarray(flow.warp(before.seen, step.backward), np.float32)
        tracks.append(Track(flow.compose(step.backward, before.flow), np.asarray(seen, np.float32)))
    return tracks


def backward_tracks(steps: list[Step]) -> list[Track]:
    """Track of every frame but the last to the last frame; in frame order."""
    tracks: list[Track] = []
    for step in reversed(steps):
        if not tracks:
            tracks.append(Track(step.forward, step.seen_forward.astype(np.float32)))
            continue
        after = tracks[-1]
        seen = step.seen_forward * np.asarray(flow.warp(after.seen, step.forward), np.float32)
        tracks.append(Track(flow.compose(step.forward, after.flow), np.asarray(seen, np.float32)))
    return tracks[::-1]


def between(first: F32, last: F32, to_first: Track, to_last: Track, position: float) -> F32:
    """The layer of a frame ``position`` (0…1) of the way from the first key to the last."""
    a, b = to_first.warp(first), to_last.warp(last)
    seen_a = gaussian(to_first.seen, 1.5)
    seen_b = gaussian(to_last.seen, 1.5)
    weight_a = ((1 - position) * seen_a)[..., None]
    weight_b = (position * seen_b)[..., None]
    total = weight_a + weight_b
    mixed = (weight_a * a + weight_b * b) / np.maximum(total, 1e-3)
    nearer = a if position < 0.5 else b
    trust = np.clip(total / 0.2, 0, 1)
    mixed = mixed * trust + 0.6 * nearer * (1 - trust)
    wanted = (1 - position) * local_deviation(a) + position * local_deviation(b)
    wanted = wanted * (0.6 + 0.4 * trust)
    return with_contrast_of(np.asarray(mixed, np.float32), np.asarray(wanted, np.float32), 1.5)
