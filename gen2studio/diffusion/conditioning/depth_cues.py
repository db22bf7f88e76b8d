"""Depth guessed from the cues painters use: a weaker stand-in where no depth network is installed, and named as that.

Cues, as in Hoiem, Efros, Hebert: "Automatic Photo Pop-up" (SIGGRAPH 2005) and Karsch, Liu, Kang: "Depth Transfer"
(PAMI 2014), reduced to what needs no learning:

- the ground rises to the horizon, and what rises over the horizon stands on the ground at its foot;
- what moves against the camera's own motion is nearer than what goes along with it (parallax and subjects);
- air takes contrast and colour from what is far, lenses take sharpness from what is not the subject.

The cues are summed, smoothed along the picture's edges, carried along the motion and scaled once per clip.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.diffusion.conditioning.depth import Checkpoint, Depth, normalised
from gen2studio.diffusion.conditioning.flow import global_motion
from gen2studio.diffusion.conditioning.guided import guided_filter
from gen2studio.raster import flow as motion

Picture = NDArray[np.uint8]
F32 = NDArray[np.float32]

_WORK = 216
"""Lines the cues are measured at."""
_HORIZON = 0.42
"""Where the horizon lies when nothing tells: a little over the middle, as most pictures are framed."""


class WeakDepthCue:
    """Depth estimated from cues. Right about ground, sky and moving subjects; unaware of what things are."""

    title = "Estimated from cues (weak)"
    revision = "depth-cues-1"
    weak = True

    def estimate(self, frames: Sequence[Picture], checkpoint: Checkpoint | None = None) -> list[Depth]:
        if not frames:
            return []
        height, width = frames[0].shape[:2]
        scale = min(1.0, _WORK / min(height, width))
        size = (max(16, round(width * scale)), max(16, round(height * scale)))
        small = [np.asarray(cv2.resize(f, size, interpolation=cv2.INTER_AREA), np.uint8) for f in frames]
        greys = [motion.grey(f) for f in small]
        raw: list[Depth] = []
        memory: Depth | None = None
        apart: F32 | None = None
        for index, picture in enumerate(small):
            if checkpoint is not None:
                checkpoint(index, len(small))
            back = motion.dis_flow(greys[index], greys[index - 1]) if index else None
            moved = _parallax(greys, index)
            if apart is None or back is None:
                apart = moved
            else:
                # What moved once is remembered while it stands still.
                apart = np.asarray(np.maximum(moved, 0.9 * motion.warp(apart, back)), np.float32)
            now = _still_cues(picture) + np.float32(0.55) * apart
            light = greys[index].astype(np.float32) / np.float32(255)
            now = guided_filter(light, np.asarray(now, np.float32), max(4, size[1] // 24), 2e-3)
            if memory is not None and back is not None:
                carried = np.asarray(motion.warp(memory, back), np.float32)
                seen = cv2.blur(np.abs(motion.warp(greys[index - 1], back).astype(np.float32) - greys[index]), (7, 7))
                trust = np.float32(0.8) * np.exp(-np.square(seen / 12)).astype(np.float32)
                now = now + trust * (carried - now)
            memory = np.asarray(now, np.float32)
            raw.append(memory)
        scaled = normalised(raw)
        return [self._full(depth, frame) for depth, frame in zip(scaled, frames, strict=True)]

    @staticmethod
    def _full(depth: Depth, frame: Picture) -> Depth:
        height, width = frame.shape[:2]
        if depth.shape == (height, width):
            return depth
        large = np.asarray(cv2.resize(depth, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
        light = motion.grey(frame).astype(np.float32) / np.float32(255)
        return np.clip(guided_filter(light, large, max(2, height // 90), 1e-3, 2), 0, 1).astype(np.float32)


def _still_cues(picture: Picture) -> F32:
    """What one picture says, about 0…1.6, larger = nearer."""
    height, width = picture.shape[:2]
    lab = cv2.cvtColor(picture.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
    light = np.asarray(lab[..., 0] / 100, np.float32)
    colour = np.hypot(lab[..., 1], lab[..., 2]) / 60
    detail = np.abs(light - cv2.GaussianBlur(light, (0, 0), 1.5))
    reach = max(3, width // 24 | 1)
    sharp = cv2.blur(detail, (reach, reach))
    sharp = np.minimum(sharp / max(0.01, float(np.percentile(sharp, 95))), 1)
    sky = _sky(picture, light, sharp)
    horizon = _horizon(sky, height)
    ground = _standing(picture, horizon, sky)
    # Haze: bright, pale and soft. The darkest channel stays dark near the camera (He, Sun, Tang: dark channel, 2009).
    dark = cv2.erode(picture.min(2), np.ones((reach // 2 * 2 + 1,) * 2, np.uint8)).astype(np.float32) / 255
    haze = cv2.blur(np.clip(dark - 0.25, 0, 0.6), (reach, reach))
    near = ground + 0.18 * sharp + 0.08 * np.minimum(colour, 1) - 0.35 * haze
    return np.asarray(near * (1 - 0.9 * sky), np.float32)


def _sky(picture: Picture, light: F32, sharp: F32) -> F32:
    """(H, W) 0…1: smooth, brighter than the median or blue, and joined to the upper border."""
    blue = picture[..., 2].astype(np.int16) - picture[..., 0].astype(np.int16)
    smooth = sharp < 0.35
    plausible = smooth & ((light > max(0.55, float(np.median(light)))) | ((blue > 18) & (light > 0.3)))
    count, labels = cv2.connectedComponents(plausible.astype(np.uint8), connectivity=4)
    if count <= 1:
        return np.zeros(light.shape, np.float32)
    top = np.bincount(labels[:2].ravel(), minlength=count)
    top[0] = 0
    chosen = np.isin(labels, np.flatnonzero(top > 0.15 * labels.shape[1]))
    # A wall may be all of that too: sky doesn't reach the lower third of the picture.
    if chosen[int(0.7 * len(chosen)) :].mean() > 0.1:
        return np.zeros(light.shape, np.float32)
    return np.asarray(cv2.GaussianBlur(chosen.astype(np.float32), (0, 0), 2.0), np.float32)


def _horizon(sky: F32, height: int) -> float:
    """The row of the horizon: the lower border of a wide sky, else the usual framing."""
    rows = sky.mean(1)
    if float(rows.max()) < 0.25:
        return _HORIZON * height
    low = int(np.flatnonzero(rows > 0.25).max())
    return float(np.clip(low, 0.2 * height, 0.65 * height))


def _standing(picture: Picture, horizon: float, sky: F32) -> F32:
    """Ground depth by row, where regions that rise over the horizon take that of their foot."""
    height, width = picture.shape[:2]
    rows = np.arange(height, dtype=np.float32)
    ramp = np.clip((rows - horizon) / max(1.0, height - horizon), 0, 1)
    plane = np.repeat(ramp[:, None], width, axis=1)
    labels = _regions(picture)
    total = int(labels.max()) + 1
    area = np.bincount(labels.ravel(), minlength=total)
    row_of = np.repeat(np.arange(height)[:, None], width, axis=1).ravel()
    order = np.argsort(labels.ravel(), kind="stable")
    starts = np.searchsorted(labels.ravel()[order], np.arange(total))
    sorted_rows = row_of[order]
    # Row-major order within a label: rows rise, so ranks are percentiles. The extremes are specks.
    head = sorted_rows[starts + (0.03 * (area - 1)).astype(np.intp)].astype(np.float32)
    foot = sorted_rows[starts + (0.97 * (area - 1)).astype(np.intp)]
    upright = np.clip((horizon + 0.03 * height - head) / (0.08 * height), 0, 1)
    level = ramp[foot]
    # A wall or a sky that fills the upper picture reaches the horizon and no further: it is as far as its foot is.
    standing = upright[labels]
    mixed = plane * (1 - standing) + level[labels] * standing
    smooth = cv2.GaussianBlur(mixed.astype(np.float32), (0, 0), 0.01 * width)
    return np.asarray(smooth * (1 - sky), np.float32)


def _regions(picture: Picture) -> NDArray[np.int32]:
    """Connected regions of even colour, (H, W) labels from 0."""
    even = cv2.pyrMeanShiftFiltering(picture, 8, 22, maxLevel=1)
    lab = cv2.cvtColor(even, cv2.COLOR_RGB2Lab).astype(np.int32)
    code = (lab[..., 0] // 20) * 10000 + (lab[..., 1] // 12) * 100 + lab[..., 2] // 12
    # One labelling for all codes: pixels at even places, links between equal neighbours at odd ones.
    height, width = code.shape
    links = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    links[::2, ::2] = 1
    links[::2, 1::2] = code[:, 1:] == code[:, :-1]
    links[1::2, ::2] = code[1:] == code[:-1]
    _, labels = cv2.connectedComponents(links, connectivity=4)
    return np.asarray(labels[::2, ::2], np.int32) - 1


def _parallax(greys: Sequence[NDArray[np.uint8]], index: int) -> F32:
    """0…1: how much a place moves against the fitted motion of the camera, over a step long enough to show."""
    shape = greys[index].shape
    other = index - 3 if index >= 3 else min(len(greys) - 1, index + 3)
    if other == index:
        return np.zeros(shape, np.float32)
    found = motion.dis_flow(greys[index], greys[other])
    _, rest = global_motion(found)
    speed = cv2.GaussianBlur(np.hypot(rest[..., 0], rest[..., 1]), (0, 0), 2.0)
    # A pixel and a half is the noise of the flow; four are certainly motion.
    noise = max(1.5, 2.0 * float(np.median(speed)))
    return np.clip((speed - noise) / (1.7 * noise), 0, 1).astype(np.float32)
