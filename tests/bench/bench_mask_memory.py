"""Memory of 10 objects with 500 mattes each of 1920 × 1080: ``python -m tests.bench.bench_mask_memory [N FRAMES]``.

Each object is a figure of soft-edged limbs that swings and walks across the picture, so that no two frames share their
edge tiles. They are packed as a propagation packs them, written into a document, and then every frame is shown once
with all objects, which fills the caches of decoded mattes. What the process has gained (resident set) is held against
400 MB, beside what the same mattes take as plain arrays and as PNGs in memory.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from fractions import Fraction
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import cv2
import numpy as np
from PySide6.QtWidgets import QApplication

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.core.frozen import frozen_map
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaInfo, MediaKind
from gen2studio.document import masks as edits
from gen2studio.document.model import Document, MaskFrame, MediaItem, Sequence

EXTENT = Extent(1920, 1080)
TARGET = 400.0


def resident() -> float:
    """Megabytes of the process in memory now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def figure(index: int, frame: int) -> np.ndarray:
    """(1080, 1920) uint8: a walking figure of about a sixth of the picture."""
    rng = np.random.default_rng(index)
    size = rng.uniform(1.2, 1.7)
    x = (rng.uniform(0, 1920) + frame * rng.uniform(1.0, 5.0)) % 1920
    y = rng.uniform(480, 600) + 9 * np.sin(frame / 6 + index)
    mask = np.zeros((1080, 1920), np.uint8)

    def limb(ax: float, ay: float, bx: float, by: float, width: float) -> None:
        ends = [(round((x + size * px) * 16), round((y + size * py) * 16)) for px, py in ((ax, ay), (bx, by))]
        cv2.line(mask, ends[0], ends[1], 255, max(1, round(width * size)), cv2.LINE_AA, 4)

    swing = np.sin(frame / 5 + index)
    limb(0, -110, 0, 90, 150)
    limb(0, -250, 0, -240, 120)
    limb(-50, -90, -120 - 40 * swing, 90, 48)
    limb(50, -90, 120 - 40 * swing, 90, 48)
    limb(-35, 90, -60 + 90 * swing, 380, 66)
    limb(35, 90, 60 - 90 * swing, 380, 66)
    # Hair and motion blur: an edge of a few pixels, and grain in it.
    soft = cv2.GaussianBlur(mask, (0, 0), 2.2)
    edge = (soft > 8) & (soft < 247)
    grain = np.random.default_rng(frame * 31 + index).integers(-3, 4, int(edge.sum()))
    soft[edge] = (soft[edge].astype(int) + grain).clip(0, 255)
    return soft


def main() -> int:
    application = QApplication.instance() or QApplication(sys.argv)
    assert application is not None
    objects, frames = (int(v) for v in sys.argv[1:3]) if len(sys.argv) > 2 else (10, 500)
    info = MediaInfo(
        kind=MediaKind.VIDEO, width=1920, height=1080, rate=Fraction(25), frame_count=frames, exact=True
    )  # fmt: skip
    item = MediaItem(id="media-00000000000a", name="clip", path="/nowhere.mp4", fingerprint="bench", info=info)
    sequence = Sequence(id="seq-00000000000a", name="Bench", rate=info.rate, width=1920, height=1080)
    document = Document(
        id="doc-00000000000a", media=frozen_map({item.id: item}), sequences=frozen_map({sequence.id: sequence}),
        active_sequence=sequence.id,
    )  # fmt: skip
    for index in range(objects):
        document = edits.add_object(document, item.id, object_id=f"mask-{index:012d}")
    session = Session(DocumentStore(document))
    masks = MaskEditing(session)
    tiles = session.store.tiles
    figure(0, 0)
    gc.collect()
    start, begun = resident(), time.process_time()
    as_png = 0
    covered = 0.0
    for index in range(objects):
        made: dict[int, MaskFrame] = {}
        for frame in range(frames):
            matte = figure(index, frame)
            made[frame] = MaskFrame(raster=tiles.pack(matte), anchor=frame == 0, confidence=0.9)
            if frame % 50 == 0:
                as_png += len(cv2.imencode(".png", matte)[1]) * 50
                covered += float(matte.mean()) / 255 / (objects * frames / 50)
        object_id = f"mask-{index:012d}"
        session.store.apply("Propagate", edits.set_frames(session.document, object_id, made), "propagate")
    gc.collect()
    stored = resident() - start
    print(f"{objects} objects × {frames} mattes of 1920 × 1080, {covered:.0%} of the picture each")
    print(f"  made and packed in {time.process_time() - begun:.0f} s of processor time")
    plain = objects * frames * EXTENT.pixels / (1 << 20)
    print(f"{'plain arrays':<44} {plain:8.0f} MB")
    print(f"{'PNGs in memory':<44} {as_png / (1 << 20):8.0f} MB")
    print(f"{'document and packed tiles':<44} {stored:8.0f} MB")
    for frame in range(frames):
        masks.set_place(item.id, frame, EXTENT)
        for owner in masks.objects():
            masks.effective.shown(owner)
    gc.collect()
    used = resident() - start
    verdict = "yes" if used <= TARGET else "NO"
    print(f"{'after showing every frame of every object':<44} {used:8.0f} MB  ≤ {TARGET:g} MB: {verdict}")
    print(f"{'plain arrays / this':<44} {plain / used:8.1f} ×")
    masks.shutdown()
    return 0 if used <= TARGET else 1


if __name__ == "__main__":
    raise SystemExit(main())
