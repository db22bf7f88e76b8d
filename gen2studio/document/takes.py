"""Edits on takes: results of the generators. Pure functions ``Document → Document`` that raise EditRefused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import with_item, without
from gen2studio.document.clip_changes import change_clip, change_clips, document_clip
from gen2studio.document.edits_tracks import named
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, Take


def take_of(document: Document, take_id: str) -> Take:
    """The take with this id. Raises EditRefused."""
    found = document.takes.get(take_id)
    if found is None:
        raise EditRefused("That take is no longer in the project.", "Choose another take.")
    return found


def takes_of(document: Document, clip: Clip) -> tuple[Take, ...]:
    """The takes of a clip that still exist, oldest first."""
    return tuple(document.takes[i] for i in clip.takes if i in document.takes)


def listed(document: Document, clip: Clip) -> tuple[Take, ...]:
    """The takes of a clip as lists show them and steps go through them: pinned ones first, else oldest first."""
    return tuple(sorted(takes_of(document, clip), key=lambda take: not take.pinned))


def pin(document: Document, take_id: str, pinned: bool) -> Document:
    """Pin a take, or let it go."""
    return _with_take(document, replace(take_of(document, take_id), pinned=pinned))


def add_take(document: Document, take: Take, clip_id: str = "") -> Document:
    """Add a take, and list it with a clip when one is named. A clip that is gone by now leaves the take unlisted."""
    added = replace(document, takes=with_item(document.takes, take.id, take))
    if not clip_id:
        return added
    return change_clips(
        added,
        lambda clip: (
            replace(clip, takes=(*clip.takes, take.id)) if clip.id == clip_id and take.id not in clip.takes else clip
        ),
    )


def apply_take(document: Document, clip_id: str, take_id: str) -> Document:
    """Show a take in a clip instead of its source."""
    take = take_of(document, take_id)
    clip = document_clip(document, clip_id)
    if clip.media_id != take.media_id:
        raise EditRefused("That take was made from other footage.", "Apply it to a clip of the same media.")
    if not take.done:
        raise EditRefused("That take has no finished frame yet.", "Wait for its first frame, then apply it.")
    return change_clip(
        document,
        clip_id,
        lambda old: replace(
            old, active_take=take_id, takes=old.takes if take_id in old.takes else (*old.takes, take_id)
        ),
    )


def unapply(document: Document, clip_id: str) -> Document:
    """Show the source again; the takes stay."""
    return change_clip(document, clip_id, lambda old: replace(old, active_take=""))


def discard(document: Document, take_id: str) -> Document:
    """Take a take off every clip. It stays in the document until :func:`purge`, so that undo brings it back."""
    take_of(document, take_id)
    return change_clips(
        document,
        lambda clip: (
            replace(
                clip,
                takes=tuple(i for i in clip.takes if i != take_id),
                active_take="" if clip.active_take == take_id else clip.active_take,
            )
            if take_id in clip.takes or clip.active_take == take_id
            else clip
        ),
    )


def unused(document: Document) -> tuple[str, ...]:
    """Takes that no clip lists, no shot goes on from and nobody pinned. Undo may bring one back until
    :func:`forget`."""
    used = {i for s in document.sequences.values() for _, c in each_clip(s) for i in (*c.takes, c.active_take)}
    used |= {item.shot.lead.take_id for item in document.media.values() if item.shot and item.shot.lead}
    return tuple(take_id for take_id, take in document.takes.items() if take_id not in used and not take.pinned)


def purge(document: Document) -> Document:
    """Forget the takes :func:`unused` names."""
    gone = unused(document)
    return replace(document, takes=without(document.takes, *gone)) if gone else document


def forget(document: Document, take_ids: Collection[str]) -> Document:
    """Take takes off every clip and out of the document; those it does not hold are passed over."""
    for take_id in take_ids:
        if take_id in document.takes:
            document = discard(document, take_id)
    gone = [take_id for take_id in take_ids if take_id in document.takes]
    return replace(document, takes=without(document.takes, *gone)) if gone else document


def rate(document: Document, take_id: str, rating: int) -> Document:
    """−1 rejected, 0 unrated, 1…5 stars."""
    if not -1 <= rating <= 5:
        raise EditRefused("A rating is 1 to 5 stars, none, or rejected.", "Choose one of those.")
    return _with_take(document, replace(take_of(document, take_id), rating=rating))


def rename(document: Document, take_id: str, name: str) -> Document:
    return _with_take(document, replace(take_of(document, take_id), name=named(name, "A take")))


def set_done(document: Document, take_id: str, runs: tuple[tuple[int, int], ...]) -> Document:
    """Note which frames exist: sorted, half-open, merged runs."""
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(runs):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        elif stop > start:
            merged.append((start, stop))
    return _with_take(document, replace(take_of(document, take_id), done=tuple(merged)))


def measured(document: Document, take_id: str, flicker: float | None, drift: float | None) -> Document:
    """Note the measured flicker and colour drift."""
    return _with_take(document, replace(take_of(document, take_id), flicker=flicker, drift=drift))


def _with_take(document: Document, take: Take) -> Document:
    if document.takes.get(take.id) == take:
        return document
    return replace(document, takes=with_item(document.takes, take.id, take))
