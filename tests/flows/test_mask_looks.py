"""Looks by object through the real generators: a subject by the built-in model, the background by the weight-free one,
one take; what lies in no mask keeps the source's bytes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from gen2studio.app import planning
from gen2studio.app.choosing import settled
from gen2studio.compose import generator_registry, headless_engine
from gen2studio.core.geometry import Extent
from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.document import edits, masks
from gen2studio.document.look import Controls, Look, LookPart, Mode
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Document, MaskFrame, MediaItem
from gen2studio.document.sequences import add_sequence
from gen2studio.engine.events import Event, JobState
from gen2studio.engine.frames import DecodingReader
from gen2studio.engine.region import Regions
from gen2studio.engine.requests import Job, Lane
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.workspace import Workspace
from gen2studio.media.probe import probe
from gen2studio.raster.tiles import TileStore

DOG, TREE = "mask-00000000000a", "mask-00000000000b"
FRAMES = 1


def test_one_run_gives_each_object_its_look_and_leaves_the_rest(media_root: Path, tmp_path: Path) -> None:
    path = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    info = probe(path)
    item = MediaItem(id="media-00000000000a", name="dog", path=str(path), fingerprint="dog", info=info)
    span = (Fraction(0), Fraction(FRAMES) / info.rate)
    placed = edits.place_media(edits.new_sequence("One", info.rate, 512, 512), item, 0, source=span)
    document = add_sequence(add_media(Document(id="doc-00000000000a"), item), placed.sequence)
    clip = placed.sequence.tracks[0].clips[0]
    tiles = TileStore()
    for object_id, name, (top, bottom, left, right) in (
        (DOG, "Dog", (120, 330, 60, 300)), (TREE, "Tree", (0, 150, 200, 460)),
    ):  # fmt: skip
        matte = np.zeros((512, 512), np.uint8)
        matte[top:bottom, left:right] = 255
        frames = {frame: MaskFrame(raster=tiles.pack(matte), anchor=True) for frame in range(FRAMES)}
        document = masks.set_frames(masks.add_object(document, item.id, name, object_id=object_id), object_id, frames)
    document = masks.set_refinement(document, DOG, Refinement(grow=Keyed(6.0), feather=Keyed(3.0)))

    registry = generator_registry()
    abilities = {a.id: a for a in registry.abilities}
    dog = Look(mode=Mode.MASK, prompt="a red dog", controls=Controls(steps=1))
    tree = Look(preset="ink")
    parts = (
        LookPart(object_id=DOG, look=settled(dog, abilities["mini"])),
        LookPart(object_id=TREE, look=settled(tree, abilities["example"])),
    )
    request = planning.plan_generate(
        document, clip, Look(parts=parts), blobs=lambda _: None, max_side=96,
        revision_of=lambda look: abilities[look.generator].revision,
    )  # fmt: skip
    assert [part.generator for part in request.parts] == ["example", "mini"]

    takes = TakeStore(tmp_path / "takes")
    heard: list[Event] = []
    job = Job(id="job-00000000000a", lane=Lane.RENDER, request=request, label="Looks", take_id="take-00000000000a")
    with headless_engine(heard.append, Workspace(takes=takes, matte=tiles.unpack)) as engine:
        end = engine.run(job)
    assert end.state is JobState.FINISHED, end.reason

    reader = DecodingReader()
    try:
        for frame in range(FRAMES):
            own = reader(request.source, frame, Extent(request.width, request.height))
            made = takes.read(job.take_id, frame)
            ink, red = (Regions(part, tiles.unpack).at(frame) for part in request.parts)
            assert ink is not None and red is not None
            nowhere = (ink == 0) & (red == 0)
            assert nowhere.mean() > 0.3 and np.array_equal(made[nowhere], own[nowhere])
            for inside in ((ink == 255) & (red == 0), red == 255):
                assert inside.any() and np.abs(made[inside].astype(int) - own[inside]).mean() > 6
    finally:
        reader.close()

    # Where both claim a pixel, the upper object of the list has it; elsewhere the lower one's look is what it is alone.
    alone = replace(request, parts=request.parts[:1])
    other = replace(job, id="job-00000000000b", take_id="take-00000000000b", request=alone)
    with headless_engine(heard.append, Workspace(takes=takes, matte=tiles.unpack)) as engine:
        engine.run(other)
    inked = takes.read(other.take_id, 0)
    both = (red == 255) & (ink == 255)
    assert both.any() and not np.array_equal(made[both], inked[both])
    assert np.array_equal(made[red == 0], inked[red == 0])
