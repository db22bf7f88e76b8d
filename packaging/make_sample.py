"""Builds ``resources/sample/sample.g2s`` from a CC0 clip: run once, its result is committed.

    python packaging/make_sample.py FLOWER.mp4

Cuts two seconds, selects the flower by a box, carries the matte through the cut, and leaves a look on the clip, so that
a newcomer finds every kind of thing in the project.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from gen2studio.app import planning
from gen2studio.app.importing import media_item, place_on_timeline
from gen2studio.app.project_files import Project
from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.cli.running import run_job
from gen2studio.core.frozen import with_item
from gen2studio.core.geometry import Rect
from gen2studio.core.ids import new_id
from gen2studio.document import looks, media_edits
from gen2studio.document import masks as mask_edits
from gen2studio.document.look import Controls, Look, Region
from gen2studio.document.model import Document, MaskObject
from gen2studio.engine.events import MaskReady
from gen2studio.engine.requests import Job, Lane
from gen2studio.engine.workspace import Workspace
from gen2studio.media.probe import probe

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "resources" / "sample" / "sample.g2s"
BOX = Rect(384, 150, 170, 200)
"""Around the flower in the first frame of the cut, display pixels."""


def main() -> None:
    source = Path(sys.argv[1])
    shutil.rmtree(SAMPLE, ignore_errors=True)
    clip_path = SAMPLE.parent / "flower.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-y", "-ss", "1.5", "-i", str(source), "-t", "2", "-c:v", "libx264", "-crf", "21",
         "-preset", "slow", "-g", "30", "-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709",
         "-c:a", "aac", "-b:a", "96k", "-movflags", "+faststart", str(clip_path)],
        check=True,
    )  # fmt: skip
    project, document = Project.new("Sample")
    item = media_item(clip_path, probe(clip_path))
    document = media_edits.add_media(document, item)
    document = place_on_timeline(document, [item], 0).document
    document = mask_flower(project, document, item.id)
    sequence = document.sequence
    assert sequence is not None
    clip = sequence.video_tracks[0].clips[0]
    look = Look(preset="watercolour", region=Region.BACKGROUND, controls=Controls(structure=1.5))
    document = looks.set_look(document, {clip.id}, look)
    document = replace(document, default_look=replace(look, mask_objects=()), name="Sample")
    project.save_as(document, SAMPLE)
    project.close()
    print(f"wrote {SAMPLE}")


def mask_flower(project: Project, document: Document, media_id: str) -> Document:
    """One object, selected by the box on the first frame and propagated to the end."""
    flower = MaskObject(id=new_id("mask"), media_id=media_id, name="Flower", colour=(255, 92, 92))
    document = replace(document, masks=with_item(document.masks, flower.id, flower))
    workspace = Workspace(matte=project.tiles.unpack)

    def run(request: object, lane: Lane) -> list[MaskReady]:
        found: list[MaskReady] = []
        job = Job(id=new_id("job"), lane=lane, request=request, label="sample")  # pyright: ignore[reportArgumentType]
        run_job(job, workspace, ProgressBar(), lambda e: found.append(e) if isinstance(e, MaskReady) else None)
        return found

    first = run(planning.plan_segment(document, flower.id, 0, box=BOX), Lane.MASK)[0]
    document = mask_edits.set_frame(document, flower.id, 0, project.tiles.pack(first.mask), anchor=True)
    frames = document.media[media_id].info.frame_count
    request = planning.plan_propagate(
        document, media_id, [flower.id], from_frame=0, start=0, stop=frames, direction="forward"
    )
    for ready in run(request, Lane.MASK):
        raster = project.tiles.pack(ready.mask)
        document = mask_edits.set_frame(
            document, flower.id, ready.frame, raster, anchor=False, confidence=ready.confidence
        )
    return document


if __name__ == "__main__":
    main()
