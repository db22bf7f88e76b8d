"""Renders a small picture of every bundled look from the sample clip: ``resources/looks/<id>.jpg``.

    python packaging/make_look_thumbnails.py

Run after a look changed; the results are committed.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.cli.running import run_job
from gen2studio.compose import generator_registry, look_catalog
from gen2studio.core.hashing import file_fingerprint
from gen2studio.core.ids import new_id
from gen2studio.engine.events import Event, FrameReady
from gen2studio.engine.requests import GenerateRequest, Job, Lane, SourceRef
from gen2studio.engine.workspace import Workspace
from gen2studio.media.probe import probe

ROOT = Path(__file__).resolve().parents[1]
CLIP = ROOT / "resources" / "sample" / "flower.mp4"
FRAME = 40
CROP = (60, 230, 360, 560)
"""Top, left, height, width of the part that is shown."""
SIZE = (224, 144)


def main() -> None:
    info = probe(CLIP)
    source = SourceRef(
        fingerprint=file_fingerprint(CLIP), path=str(CLIP), rate=info.rate, frame_count=info.frame_count,
        width=info.width, height=info.height,
    )  # fmt: skip
    abilities = generator_registry().abilities[0]
    for preset in look_catalog().presets():
        request = GenerateRequest(
            mode="stylize", generator=abilities.id, revision=abilities.revision, source=source, start=0,
            stop=info.frame_count, frames=(FRAME,), width=info.width, height=info.height, preset=preset.id,
        )  # fmt: skip
        pictures: list[np.ndarray] = []

        def hear(event: Event, into: list[np.ndarray] = pictures) -> None:
            if isinstance(event, FrameReady):
                into.append(event.picture)

        job = Job(id=new_id("job"), lane=Lane.STILLS, request=request, label=preset.title)
        run_job(job, Workspace(), ProgressBar(), hear)
        top, left, height, width = CROP
        small = cv2.resize(pictures[0][top : top + height, left : left + width], SIZE, interpolation=cv2.INTER_AREA)
        target = ROOT / "resources" / "looks" / f"{preset.id}.jpg"
        cv2.imwrite(str(target), cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 88])


if __name__ == "__main__":
    main()
