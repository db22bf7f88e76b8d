"""A subject with hair laid over a real picture, with its true coverage and colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

_FINE = 3


@dataclass(frozen=True)
class Hairy:
    picture: NDArray[np.uint8]
    alpha: NDArray[np.float32]
    """True coverage, 0…1."""
    coarse: NDArray[np.uint8]
    """What a tracker or a quick hand would give: hard, without hair."""
    subject: NDArray[np.float32]
    """The subject's own colour."""
    band: NDArray[np.bool_]
    """Where there is something to decide."""


def real_frame(clip: Path, width: int = 480, height: int = 270) -> NDArray[np.uint8]:
    """An early frame of a clip, (height, width, 3) RGB."""
    from gen2studio.media.decoder import open_decoder

    decoder = open_decoder(clip)
    try:
        picture = decoder.rgb(5)
    finally:
        decoder.close()
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def hairy(ground: NDArray[np.uint8], *, fair: bool, blur: float = 0.0, strands: int = 500) -> Hairy:
    """A round head of dark or fair hair over ``ground``; ``blur`` is a Gaussian of motion or focus, in pixels."""
    height, width = ground.shape[:2]
    random = np.random.default_rng(7)
    cover = np.zeros((height * _FINE, width * _FINE), np.uint8)
    colour = np.zeros((*cover.shape, 3), np.float32)
    base = np.array([190, 150, 95] if fair else [40, 28, 20], np.float32)
    x0, y0, rx, ry = width / 2, height * 0.55, width * 0.16, height * 0.27
    fine = np.array([x0, y0, rx, ry]) * _FINE
    cv2.ellipse(cover, tuple(fine[:2].astype(int)), tuple(fine[2:].astype(int)), 0, 0, 360, 255, -1)
    texture = cv2.GaussianBlur(random.normal(0, 1, cover.shape).astype(np.float32), (0, 0), 2 * _FINE) * 40
    colour[:] = base + texture[..., None] * 10
    for _ in range(strands):
        at = random.uniform(0, 2 * np.pi)
        x, y = x0 + rx * np.cos(at) * 0.97, y0 + ry * np.sin(at) * 0.97
        way, curl, length = at + random.normal(0, 0.45), random.normal(0, 0.05), random.uniform(6, 24)
        points = []
        for _ in range(14):
            points.append((x * _FINE, y * _FINE))
            x, y = x + np.cos(way) * length / 14, y + np.sin(way) * length / 14
            way += curl + random.normal(0, 0.04)
        line = [np.array(points, np.int32)]
        cv2.polylines(cover, line, False, 255, int(random.choice([1, 2, 3])), cv2.LINE_AA)
        cv2.polylines(colour, line, False, tuple((base * random.uniform(0.6, 1.7)).tolist()), 4)
    alpha = cv2.resize(cover, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    if blur:
        alpha = cv2.GaussianBlur(alpha, (0, 0), blur)
    subject = cv2.resize(np.clip(colour, 0, 255), (width, height), interpolation=cv2.INTER_AREA)
    mixed = subject * alpha[..., None] + ground * (1 - alpha[..., None])
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    hard = (alpha > 0.5).astype(np.uint8) * 255
    coarse = cv2.morphologyEx(cv2.morphologyEx(hard, cv2.MORPH_OPEN, disc), cv2.MORPH_CLOSE, disc)
    edge = cv2.dilate(cv2.morphologyEx(coarse, cv2.MORPH_GRADIENT, disc), np.ones((33, 33), np.uint8))
    return Hairy(
        picture=np.clip(np.rint(mixed), 0, 255).astype(np.uint8),
        alpha=np.asarray(alpha, np.float32),
        coarse=np.asarray(coarse, np.uint8),
        subject=np.asarray(subject, np.float32),
        band=(edge > 0) | ((alpha > 0) & (alpha < 1)),
    )
