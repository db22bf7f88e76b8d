"""Which timelines a document has."""

from __future__ import annotations

from dataclasses import replace

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import with_item, without
from gen2studio.document.edits_tracks import named
from gen2studio.document.media_edits import used_by
from gen2studio.document.model import Document, Sequence
from gen2studio.document.nesting import followed


def with_sequence(document: Document, sequence: Sequence) -> Document:
    """The document with an edited sequence in place of its former self; the same object when nothing changed. Media
    that stand for a timeline follow it. Raises EditRefused when the timeline would hold itself."""
    if document.sequences.get(sequence.id) is sequence:
        return document
    return followed(replace(document, sequences=with_item(document.sequences, sequence.id, sequence)))


def add_sequence(document: Document, sequence: Sequence, activate: bool = True) -> Document:
    added = with_sequence(document, sequence)
    return replace(added, active_sequence=sequence.id) if activate or not document.active_sequence else added


def remove_sequence(document: Document, sequence_id: str) -> Document:
    """Remove a sequence; when it was active, the first of the rest is."""
    _known(document, sequence_id)
    for item in [item for item in document.media.values() if item.nested == sequence_id]:
        if used_by(document, item.id):
            raise EditRefused("Another timeline shows that one.", "Delete the clips that show it first.")
        document = replace(document, media=without(document.media, item.id))
    rest = without(document.sequences, sequence_id)
    active = document.active_sequence
    return replace(document, sequences=rest, active_sequence=next(iter(rest), "") if active == sequence_id else active)


def rename_sequence(document: Document, sequence_id: str, name: str) -> Document:
    return with_sequence(document, replace(_known(document, sequence_id), name=named(name, "A timeline")))


def activate(document: Document, sequence_id: str) -> Document:
    _known(document, sequence_id)
    return document if document.active_sequence == sequence_id else replace(document, active_sequence=sequence_id)


def _known(document: Document, sequence_id: str) -> Sequence:
    found = document.sequences.get(sequence_id)
    if found is None:
        raise EditRefused("That timeline is no longer in the project.", "Choose another timeline.")
    return found
