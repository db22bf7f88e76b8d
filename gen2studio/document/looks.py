"""Looks on clips: what was asked of a generator, remembered with the clip."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import frozen_map
from gen2studio.document.clip_changes import change_clips, document_clip
from gen2studio.document.look import Look, Outpaint
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document


def look_of(document: Document, clip: Clip) -> Look:
    """The clip's own look, or the project's default."""
    return clip.look if clip.look is not None else document.default_look


def each_look(document: Document) -> Iterator[Look]:
    """Every look of the project: the default, of clips, takes, storyboards and panels, and the parts of all these."""
    for look in _whole_looks(document):
        yield look
        yield from (part.look for part in look.parts)


def _whole_looks(document: Document) -> Iterator[Look]:
    yield document.default_look
    for sequence in document.sequences.values():
        yield from (clip.look for _, clip in each_clip(sequence) if clip.look is not None)
    yield from (take.look for take in document.takes.values())
    for board in document.boards.values():
        yield board.look
        yield from (panel.look for panel in board.panels if panel.look is not None)


def map_looks(document: Document, change: Callable[[Look], Look]) -> Document:
    """``change`` made on every look of :func:`each_look`. What it leaves as it is stays the very same object."""

    def whole(look: Look) -> Look:
        parts = tuple(
            part if (new := change(part.look)) is part.look else replace(part, look=new) for part in look.parts
        )
        same = all(new is old for new, old in zip(parts, look.parts, strict=True))
        return change(look if same else replace(look, parts=parts))

    def changed(look: Look | None) -> Look | None:
        return None if look is None else whole(look)

    document = change_clips(
        document, lambda clip: clip if (new := changed(clip.look)) is clip.look else replace(clip, look=new)
    )
    takes = {
        key: take if (new := whole(take.look)) is take.look else replace(take, look=new)
        for key, take in document.takes.items()
    }
    boards = {
        key: replace(
            board,
            look=whole(board.look),
            panels=tuple(
                panel if (new := changed(panel.look)) is panel.look else replace(panel, look=new)
                for panel in board.panels
            ),
        )
        for key, board in document.boards.items()
    }
    if any(takes[key] is not take for key, take in document.takes.items()):
        document = replace(document, takes=frozen_map(takes))
    if any(boards[key] != board for key, board in document.boards.items()):
        document = replace(document, boards=frozen_map(boards))
    return set_default_look(document, whole(document.default_look))


def without_footage(look: Look) -> Look:
    """The look without what belongs to one clip's footage or shot: keys, mask objects and their looks, motion, depth
    pass, layout, the room around it, and the sliders' keys on its frames."""
    return replace(
        look,
        keys=(),
        mask_objects=(),
        motion_regions=(),
        depth_pass=None,
        layout="",
        outpaint=Outpaint(),
        curves=(),
        parts=(),
    )


def shared_look(look: Look, own: Look) -> Look:
    """``look`` for a clip of other media, which keeps what belongs to its own."""
    return replace(
        look,
        keys=own.keys,
        mask_objects=own.mask_objects,
        motion_regions=own.motion_regions,
        depth_pass=own.depth_pass,
        layout=own.layout,
        outpaint=own.outpaint,
        curves=own.curves,
        parts=own.parts,
    )


def set_look(document: Document, clip_ids: Collection[str], look: Look | None) -> Document:
    """Give clips a look of their own; None returns them to the default."""
    for clip_id in clip_ids:
        document_clip(document, clip_id)
    return change_clips(document, lambda clip: replace(clip, look=look) if clip.id in clip_ids else clip)


def copy_look(document: Document, from_clip: str, to_clips: Collection[str]) -> Document:
    """Copy one clip's look to others. What belongs to footage (keys, masks, motion…) stays behind where it differs."""
    source = document_clip(document, from_clip)
    look = look_of(document, source)
    elsewhere = without_footage(look)
    targets = {clip_id: document_clip(document, clip_id) for clip_id in to_clips}
    if not targets:
        raise EditRefused("No clip is selected to copy the look to.", "Select one or more clips.")
    return change_clips(
        document,
        lambda clip: (
            replace(clip, look=look if clip.media_id == source.media_id else elsewhere) if clip.id in targets else clip
        ),
    )


def set_default_look(document: Document, look: Look) -> Document:
    """The look that clips without their own use."""
    return document if document.default_look == look else replace(document, default_look=look)
