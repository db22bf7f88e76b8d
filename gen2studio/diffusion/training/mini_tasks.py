"""What the mini model practises: every way in which VACE's control says what is given and what is to be made.

An example is a clip, a sentence that is true of it, and a control built of the same clip: nothing (text to video),
frames kept at given times, a region kept or replaced, a structure picture in place of colour, or the same geometry in
another look. Structure pictures come from the very functions that prepare an artist's footage, at random levels 0…7.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.diffusion.conditioning.flow import flow_pictures
from gen2studio.diffusion.conditioning.structure import edges, luminance_range, structure_level
from gen2studio.diffusion.training.mini_data import FLOW_SCALE, Shard
from gen2studio.diffusion.world.grammar import caption

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

TASKS: dict[str, float] = {
    "text": 0.28,
    "first": 0.12,
    "first_last": 0.04,
    "keys": 0.04,
    "extend": 0.04,
    "subject": 0.08,
    "box": 0.07,
    "background": 0.05,
    "outpaint": 0.02,
    "depth": 0.07,
    "edges": 0.06,
    "grey": 0.04,
    "layout": 0.03,
    "flow": 0.02,
    "restyle": 0.04,
    "first_structure": 0.04,
}
"""Task → share of the examples."""
STILL_TASKS = ("text", "subject", "box", "background", "outpaint", "depth", "edges", "grey", "layout", "restyle")
REFERENCE_SHARE = 0.15
EMPTY_CAPTION = 0.10


@dataclass
class Example:
    """``target`` and ``video`` [T, 3, H, W] float32 −1…1, ``mask`` [T, H, W] 0/1 with 1 = to be made, ``reference``
    [3, H, W] or None, ``subject`` [T, H, W] uint8: where the clip's subject is (255 inside)."""

    task: str
    target: F32
    video: F32
    mask: F32
    caption: str
    reference: F32 | None
    subject: U8


def _signed(frames: U8) -> F32:
    return frames.astype(np.float32) / np.float32(127.5) - 1


def _pictures(frames: U8) -> list[U8]:
    """[T, 3, H, W] → T pictures [H, W, 3]."""
    return [np.ascontiguousarray(frame.transpose(1, 2, 0)) for frame in frames]


def _stacked(pictures: list[U8]) -> F32:
    return _signed(np.stack(pictures).transpose(0, 3, 1, 2))


def flat_layout(pictures: list[U8], rng: random.Random) -> list[U8]:
    """A cheap stand-in for a painted layout: heavily smoothed, few tones per channel."""
    steps = rng.choice((3, 4, 5))
    made: list[U8] = []
    for picture in pictures:
        small = cv2.resize(picture, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        small = cv2.medianBlur(small, 5)
        flat = (np.floor(small.astype(np.float32) / 256 * steps) + 0.5) / steps * 255
        large = cv2.resize(flat, (picture.shape[1], picture.shape[0]), interpolation=cv2.INTER_NEAREST)
        made.append(large.astype(np.uint8))
    return made


def structure(kind: str, frames: U8, disparity: U8, flow: NDArray[np.int8], rng: random.Random, level: float) -> F32:
    """The control pictures of one kind as [T, 3, H, W] in −1…1."""
    if kind == "depth":
        # Real depth is scaled per clip, maybe bent: learn to read any monotone map of it.
        curve = (disparity.astype(np.float32) / 255) ** rng.choice((0.4, 0.5, 0.7, 1.0))
        low, high = float(curve.min()), float(np.percentile(curve, 99))
        grey = np.clip((curve - low) / max(0.05, high - low) * 255, 0, 255).astype(np.uint8)
        made = [np.repeat(g[..., None], 3, 2) for g in grey]
    elif kind == "edges":
        pictures = _pictures(frames)
        contrast = luminance_range(pictures)
        made = [edges(p, level=level, contrast=contrast) for p in pictures]
        level *= 0.5
    elif kind == "flow":
        moved = [f.transpose(1, 2, 0).astype(np.float32) / np.float32(FLOW_SCALE) for f in flow[:-1]]
        made = flow_pictures(moved, len(frames), frames.shape[-2:])
    elif kind == "layout":
        made = flat_layout(_pictures(frames), rng)
    else:
        made = [np.repeat(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[..., None], 3, 2) for p in _pictures(frames)]
    if level > 0:
        made = [structure_level(picture, level) for picture in made]
    return _stacked(made)


def _grown(mask: F32, pixels: int) -> F32:
    if pixels <= 0:
        return mask
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pixels + 1, 2 * pixels + 1))
    return np.stack([cv2.dilate(m, kernel) for m in mask]).astype(np.float32)


def _moving_box(frames: int, height: int, width: int, rng: random.Random) -> F32:
    mask = np.zeros((frames, height, width), np.float32)
    h, w = rng.uniform(0.25, 0.7) * height, rng.uniform(0.25, 0.7) * width
    y, x = rng.uniform(0, height - h), rng.uniform(0, width - w)
    vy, vx = rng.uniform(-1.5, 1.5), rng.uniform(-2.5, 2.5)
    for t in range(frames):
        top, left = int(np.clip(y + vy * t, 0, height - 8)), int(np.clip(x + vx * t, 0, width - 8))
        mask[t, top : int(top + h), left : int(left + w)] = 1
    return mask


def _margins(frames: int, height: int, width: int, rng: random.Random) -> F32:
    mask = np.ones((frames, height, width), np.float32)
    sides = [rng.uniform(0.08, 0.3) if rng.random() < 0.6 else 0.0 for _ in range(4)]
    if max(sides) == 0:
        sides[rng.randrange(4)] = 0.25
    top, bottom, left, right = sides
    mask[:, int(top * height) : height - int(bottom * height), int(left * width) : width - int(right * width)] = 0
    return mask


def _cut_out(frame: U8, mask: U8) -> F32 | None:
    """The subject of a frame on white, enlarged to fill most of the picture; None where there is none."""
    rows, columns = np.where(mask > 127)
    if len(rows) < 60:
        return None
    height, width = mask.shape
    alpha = (mask.astype(np.float32) / 255)[..., None]
    picture = frame.transpose(1, 2, 0).astype(np.float32) * alpha + 255 * (1 - alpha)
    crop = picture[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = 0.75 * min(height / crop.shape[0], width / crop.shape[1])
    size = (max(4, int(crop.shape[1] * scale)), max(4, int(crop.shape[0] * scale)))
    canvas = np.full((height, width, 3), 255, np.float32)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return canvas.transpose(2, 0, 1) / np.float32(127.5) - 1


def _style_frame(shard: Shard, index: int, look: int, rng: random.Random) -> F32:
    """A frame of another clip of the shard in the same style and time; the clip itself if there is none."""
    mine = shard.specs[index][look]
    same = [
        (other, side)
        for other, looks in enumerate(shard.specs)
        for side, spec in enumerate(looks)
        if other != index and (spec.style, spec.time) == (mine.style, mine.time)
    ]
    other, side = rng.choice(same) if same else (index, look)
    return _signed(shard.rgb[other, side, rng.randrange(shard.frames)])


def draw_example(
    shard: Shard, index: int, start: int, frames: int, rng: random.Random, *, reference: bool, task: str | None = None
) -> Example:
    """An example from frames ``start`` … ``start + frames`` of clip ``index``."""
    look = rng.randrange(2)
    spec = shard.specs[index][look]
    piece = slice(start, start + frames)
    clean = shard.rgb[index, look, piece]
    disparity, flow = shard.disparity[index, piece], shard.flow[index, piece]
    subject = shard.mask[index, piece]
    height, width = shard.size
    if task is None:
        pool = TASKS if frames > 1 else {name: TASKS[name] for name in STILL_TASKS}
        task = rng.choices(list(pool), list(pool.values()))[0]
    target = _signed(clean)
    video = np.zeros_like(target)
    mask = np.ones((frames, height, width), np.float32)
    drop: tuple[str, ...] = ()

    def guide(kind: str | None = None) -> F32:
        kind = kind or rng.choice(("depth", "edges", "grey"))
        # What is drawn from may wear the other look: structure must not carry colour or style.
        source = shard.rgb[index, 1 - look if rng.random() < 0.5 else look, piece]
        level = 0.0 if rng.random() < 0.35 else rng.uniform(0, 7)
        return structure(kind, source, disparity, flow, rng, level)

    if task in ("depth", "edges", "grey", "layout", "flow"):
        video = guide(task)
    elif task == "restyle":
        video = _signed(shard.rgb[index, 1 - look, piece])
    elif task in ("first", "first_last", "first_structure", "keys", "extend"):
        if task == "first_structure":
            video = guide()
        if task == "first":
            kept = {0} if rng.random() < 0.9 else {frames - 1}
        elif task == "first_last":
            kept = {0, frames - 1}
        elif task == "first_structure":
            kept = {0}
        elif task == "extend":
            kept = set(range(rng.randint(1, max(1, frames // 2))))
        else:
            kept = set(rng.sample(range(frames), min(frames, rng.randint(1, 3))))
        for t in kept:
            video[t], mask[t] = target[t], 0
    elif task in ("subject", "background", "box", "outpaint"):
        hole = (subject > 127).astype(np.float32)
        if task == "box" or (task == "subject" and hole.sum() == 0):
            mask = _moving_box(frames, height, width, rng)
        elif task == "outpaint":
            mask = _margins(frames, height, width, rng)
        else:
            mask = _grown(hole, rng.randint(0, 8) + (rng.randint(8, 20) if rng.random() < 0.1 else 0))
            if task == "background":
                mask = 1 - mask
        inside = rng.random()
        filling = np.zeros_like(target)
        if inside < 0.25 and task != "outpaint":
            filling = guide()
        elif inside < 0.40 and task != "outpaint":
            filling = _signed(shard.rgb[index, 1 - look, piece])
        video = np.asarray(target * (1 - mask[:, None]) + filling * mask[:, None], np.float32)
    picture: F32 | None = None
    if reference:
        kind = rng.random()
        if kind < 0.5:
            seen = rng.randrange(shard.frames)
            picture = _cut_out(shard.rgb[index, look, seen], shard.mask[index, seen])
            if picture is not None and rng.random() < 0.5:
                drop = ("colour",)
        if picture is None:
            picture = _style_frame(shard, index, look, rng)
            if rng.random() < 0.6:
                drop = ("style", "time")
    words = "" if rng.random() < EMPTY_CAPTION else caption(spec, rng, drop=drop)
    if words and rng.random() < 0.05:
        # A word that means nothing: free text must not upset the model.
        nonsense = "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(3, 6)))
        pieces = words.split()
        pieces.insert(rng.randrange(len(pieces) + 1), nonsense)
        words = " ".join(pieces)
    return Example(task, target, video, mask, words, picture, subject)
