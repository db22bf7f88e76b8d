"""Clips with exact truth and the context that a mask job runs in, in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.requests import AnchorTrack, PropagateRequest, SourceRef
from gen2studio.raster.tiles import TileStore

Mask = NDArray[np.uint8]


@dataclass
class ClipContext:
    """A mask job's surroundings over frames in memory; keeps everything it is told."""

    frames: Sequence[NDArray[np.uint8]]
    store: TileStore = field(default_factory=TileStore)
    cancel: CancelToken = field(default_factory=CancelToken)
    threads: int = 2
    cancel_after: int | None = None
    """Cancel as soon as this many mattes were emitted."""
    emitted: dict[tuple[str, int], tuple[Mask, float]] = field(default_factory=dict)
    previews: list[Mask] = field(default_factory=list)
    engines: set[str] = field(default_factory=set)
    notes: list[tuple[str, int | None]] = field(default_factory=list)
    steps: list[tuple[int, int]] = field(default_factory=list)
    fetched: list[int] = field(default_factory=list)

    def source(self, frame: int) -> NDArray[np.uint8]:
        self.checkpoint()
        self.fetched.append(frame)
        view = self.frames[frame].view()
        view.setflags(write=False)
        return view

    def matte(self, raster: MaskRaster) -> Mask:
        return self.store.unpack(raster)

    def checkpoint(self) -> None:
        self.cancel.check()

    def progress(self, done: int, total: int, stage: str = "") -> None:
        self.steps.append((done, total))

    def note(self, text: str, frame: int | None = None) -> None:
        self.notes.append((text, frame))

    def emit(self, object_id: str, frame: int, mask: Mask, confidence: float, engine: str) -> None:
        assert (object_id, frame) not in self.emitted, "a matte was emitted twice"
        self.emitted[(object_id, frame)] = (mask, confidence)
        self.engines.add(engine)
        if self.cancel_after is not None and len(self.emitted) >= self.cancel_after:
            self.cancel.cancel()

    def preview(self, object_id: str, frame: int, mask: Mask, engine: str) -> None:
        self.previews.append(mask)
        self.engines.add(engine)

    def raster(self, mask: Mask) -> MaskRaster:
        return self.store.pack(mask)

    def request(
        self,
        anchors: dict[str, dict[int, Mask]],
        start: int = 0,
        stop: int | None = None,
        from_frame: int = 0,
        direction: str = "both",
        moving_subject: bool = False,
    ) -> PropagateRequest:
        height, width = self.frames[0].shape[:2]
        source = SourceRef(fingerprint="clip", path="", frame_count=len(self.frames), width=width, height=height)
        tracks = tuple(
            AnchorTrack(object_id=name, anchors=tuple((f, self.raster(m)) for f, m in drawn.items()))
            for name, drawn in anchors.items()
        )
        return PropagateRequest(
            source=source,
            objects=tracks,
            start=start,
            stop=len(self.frames) if stop is None else stop,
            from_frame=from_frame,
            direction=direction,
            moving_subject=moving_subject,
        )


def noise_texture(height: int, width: int, seed: int, tint: tuple[int, int, int], contrast: float = 60) -> NDArray:
    """(H, W, 3) uint8 noise over two octaves around ``tint``."""
    rng = np.random.default_rng(seed)
    fine = cv2.GaussianBlur(rng.standard_normal((height, width, 3)).astype(np.float32), (0, 0), 1.5)
    broad = cv2.GaussianBlur(rng.standard_normal((height, width, 3)).astype(np.float32), (0, 0), 6)
    pattern = fine / fine.std() + broad / broad.std()
    return np.clip(np.asarray(tint) + pattern * contrast / 3, 0, 255).astype(np.uint8)


@dataclass(frozen=True)
class Disk:
    """A textured disk moving in a straight line."""

    start: tuple[float, float]
    velocity: tuple[float, float]
    radius: float
    tint: tuple[int, int, int]
    seed: int = 7


def world(
    disks: Sequence[Disk],
    count: int,
    size: tuple[int, int] = (120, 200),
    wall: tuple[int, int] | None = None,
    shake: float = 0.0,
) -> tuple[list[NDArray[np.uint8]], list[list[Mask]]]:
    """``count`` frames of ``disks`` over texture, and each disk's visible truth per frame (later disks are in front).

    ``wall`` (left, right) is a textured post in front of everything; ``shake`` is the camera's swing in pixels.
    """
    height, width = size
    margin = 24
    ground = noise_texture(height + 2 * margin, width + 2 * margin, 1, (70, 100, 60))
    post = noise_texture(height, width, 2, (120, 120, 130), 40)
    skins = [noise_texture(64, 64, d.seed, d.tint, 70) for d in disks]
    frames: list[NDArray[np.uint8]] = []
    truth: list[list[Mask]] = [[] for _ in disks]
    for t in range(count):
        dx, dy = shake * np.sin(t * 0.9), shake * np.cos(t * 0.7)
        view = cv2.warpAffine(ground, np.float32([[1, 0, dx - margin], [0, 1, dy - margin]]), (width, height))
        seen = [np.zeros((height, width), np.float32) for _ in disks]
        for index, disk in enumerate(disks):
            x = disk.start[0] + disk.velocity[0] * t + dx
            y = disk.start[1] + disk.velocity[1] * t + dy
            ys, xs = np.mgrid[0:height, 0:width]
            cover = np.clip(disk.radius + 0.5 - np.hypot(xs - x, ys - y), 0, 1).astype(np.float32)
            skin = cv2.warpAffine(
                skins[index], np.float32([[1, 0, x - 32], [0, 1, y - 32]]), (width, height), borderMode=cv2.BORDER_WRAP
            )
            view = np.round(view + cover[..., None] * (skin.astype(np.float32) - view)).astype(np.uint8)
            for other in range(index):
                seen[other] *= 1 - cover
            seen[index] = cover
        if wall is not None:
            view[:, wall[0] : wall[1]] = post[:, wall[0] : wall[1]]
            for cover in seen:
                cover[:, wall[0] : wall[1]] = 0
        frames.append(view)
        for index, cover in enumerate(seen):
            truth[index].append(np.round(cover * 255).astype(np.uint8))
    return frames, truth


def iou(a: NDArray, b: NDArray) -> float:
    """Region overlap J of two mattes at one half; 1 when both are empty."""
    one, other = a > 127, b > 127
    either = (one | other).sum()
    return float((one & other).sum() / either) if either else 1.0
