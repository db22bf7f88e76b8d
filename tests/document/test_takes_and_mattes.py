"""What is forgotten of takes and carried mattes, and what stays."""

from __future__ import annotations

from dataclasses import replace

from gen2studio.core.frozen import frozen_map
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.document import edits, masks, takes
from gen2studio.document.look import Look
from gen2studio.document.model import Document, MaskFrame, MaskObject, Take
from tests.document.builders import timeline, video

DOG = video()
ID, MASK = "doc-000000000001", "mask-000000000001"


def carried() -> Document:
    """A mask painted on frame 4 and carried over 2 … 8."""
    empty = MaskRaster.from_map(64, 48, {})
    frames = {number: MaskFrame(raster=empty, anchor=number == 4) for number in range(2, 9)}
    mask = MaskObject(id=MASK, media_id=DOG.id, name="Dog", frames=frozen_map(frames))
    return Document(id=ID, media=frozen_map({DOG.id: DOG}), masks=frozen_map({MASK: mask}))


def test_carried_mattes_are_forgotten_and_painted_ones_stay() -> None:
    document = carried()

    def left(*span: int | None) -> list[int]:
        return sorted(masks.drop_propagated(document, MASK, *span).masks[MASK].frames)

    assert left() == [4]
    assert left(3, 6) == [2, 4, 6, 7, 8]
    assert left(5) == [2, 3, 4] and left(None, 4) == [4, 5, 6, 7, 8]
    assert masks.drop_propagated(document, MASK, 4, 5) is document, "nothing to forget is no step"


def test_takes_that_nothing_shows_are_purged() -> None:
    made = edits.place_media(timeline(), DOG, 0)
    names = [f"take-00000000000{number}" for number in range(3)]
    kept = {
        name: Take(
            id=name, media_id=DOG.id, name=name, request_digest="0" * 64, recipe="", look=Look(), start=0, stop=9,
            pinned=name == names[1],
        )
        for name in names
    }  # fmt: skip
    track = made.sequence.tracks[0]
    listing = replace(track, clips=(replace(track.clips[0], takes=(names[0],)),))
    sequence = replace(made.sequence, tracks=(listing, *made.sequence.tracks[1:]))
    document = Document(
        id=ID, media=frozen_map({DOG.id: DOG}), sequences=frozen_map({sequence.id: sequence}), takes=frozen_map(kept)
    )
    assert takes.unused(document) == (names[2],)
    purged = takes.purge(document)
    assert list(purged.takes) == names[:2]
    assert takes.purge(purged) is purged
