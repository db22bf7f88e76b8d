"""Training sets: the pictures and clips an adapter is trained on. Pure edits that raise EditRefused."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import with_item, without
from gen2studio.core.hashing import canonical_digest
from gen2studio.core.ids import new_id
from gen2studio.document.edits_tracks import named
from gen2studio.document.model import CLIP_WINDOWS, EXPERTS, METHODS, OPTIMISERS, Document, TrainingImage, TrainingSet

FEWEST, MOST = 5, 30
"""How many pictures a training wants. A set may hold fewer while it is being collected, never more than 100."""
_LIMIT = 100
_RANKS = (1, 128)
_STEPS = 20_000
_VECTORS = 16
_LONGEST = 1001
"""Frames of a window at most; what a model can do is less."""


def training_set_of(document: Document, set_id: str) -> TrainingSet:
    """The training set with this id. Raises EditRefused."""
    found = document.training_sets.get(set_id)
    if found is None:
        raise EditRefused("That training set is no longer in the project.", "Choose another one.")
    return found


def new_training_set(document: Document, name: str = "", **settings: Any) -> tuple[Document, str]:
    """A fresh, empty set (``settings``: fields of TrainingSet); the document with it, and its id."""
    taken = {found.name for found in document.training_sets.values()}
    fresh = next(n for i in range(1, len(taken) + 2) if (n := f"Training set {i}") not in taken)
    found = TrainingSet(id=new_id("set"), name=name or fresh, **settings)
    return replace(document, training_sets=with_item(document.training_sets, found.id, _checked(found))), found.id


def clip_digest(fingerprint: str, start: int, stop: int) -> str:
    """What frames [start, stop) of footage are known by in a set: they are the same clip wherever the file lies."""
    return canonical_digest(("clip", fingerprint, start, stop))


def remove_training_set(document: Document, set_id: str) -> Document:
    """Remove a set. Adapters trained on it stay in the library."""
    training_set_of(document, set_id)
    return replace(document, training_sets=without(document.training_sets, set_id))


def rename_training_set(document: Document, set_id: str, name: str) -> Document:
    found = training_set_of(document, set_id)
    return _with_set(document, replace(found, name=named(name, "A training set")))


def set_training(document: Document, set_id: str, **changes: Any) -> Document:
    """Change any field of the set but its id, name and images. Raises EditRefused."""
    if "trigger" in changes:
        changes["trigger"] = " ".join(str(changes["trigger"]).split())
    if "initial" in changes:
        changes["initial"] = " ".join(str(changes["initial"]).split())[:80]
    return _with_set(document, _checked(replace(training_set_of(document, set_id), **changes)))


def add_images(document: Document, set_id: str, images: Collection[TrainingImage]) -> Document:
    """Add pictures; those that are in the set already are left out."""
    found = training_set_of(document, set_id)
    known = {image.digest for image in found.images}
    fresh = tuple({i.digest: i for i in images if i.digest not in known}.values())
    if len(found.images) + len(fresh) > _LIMIT:
        raise EditRefused(f"A training set holds up to {_LIMIT} pictures.", f"{FEWEST} to {MOST} good ones are best.")
    return _with_set(document, replace(found, images=(*found.images, *fresh)))


def remove_images(document: Document, set_id: str, digests: Collection[str]) -> Document:
    found = training_set_of(document, set_id)
    return _with_set(document, replace(found, images=tuple(i for i in found.images if i.digest not in digests)))


def move_image(document: Document, set_id: str, digest: str, before: str = "") -> Document:
    """Move a picture before another one (empty = to the end)."""
    found = training_set_of(document, set_id)
    image = _image(found, digest)
    if before == digest:
        return document
    rest = [i for i in found.images if i.digest != digest]
    place = rest.index(_image(found, before)) if before else len(rest)
    return _with_set(document, replace(found, images=(*rest[:place], image, *rest[place:])))


def set_caption(document: Document, set_id: str, digest: str, caption: str) -> Document:
    return _change_image(document, set_id, digest, caption=" ".join(caption.split()))


def set_crop(document: Document, set_id: str, digest: str, crop: tuple[float, float, float, float] | None) -> Document:
    """Use only a part of a picture: (x, y, width, height) in 0…1 of it; None = the whole."""
    if crop is not None:
        x, y, width, height = crop
        inside = x >= 0 and y >= 0 and x + width <= 1 + 1e-6 and y + height <= 1 + 1e-6
        if not inside or width <= 0 or height <= 0:
            raise EditRefused("That crop lies outside the picture.", "Draw it inside.")
    return _change_image(document, set_id, digest, crop=crop)


def _image(found: TrainingSet, digest: str) -> TrainingImage:
    image = next((i for i in found.images if i.digest == digest), None)
    if image is None:
        raise EditRefused("That picture is no longer in the training set.", "Choose another one.")
    return image


def _change_image(document: Document, set_id: str, digest: str, **changes: Any) -> Document:
    found = training_set_of(document, set_id)
    image = replace(_image(found, digest), **changes)
    return _with_set(document, replace(found, images=tuple(image if i.digest == digest else i for i in found.images)))


def _checked(found: TrainingSet) -> TrainingSet:
    if found.kind not in ("subject", "style"):
        raise EditRefused("A training set shows a subject or a style.", "Choose one of the two.")
    if not _RANKS[0] <= found.rank <= _RANKS[1]:
        raise EditRefused("The rank of an adapter lies between 1 and 128.", "8 is a good start.")
    if not 0 <= found.steps <= _STEPS:
        raise EditRefused(f"A training takes up to {_STEPS} steps.", "Choose fewer, or 0 for the model's own default.")
    if not 0 <= found.prior <= 1:
        raise EditRefused("Prior preservation weighs between 0 and 1.", "Choose 0 to leave it off.")
    if found.method not in METHODS:
        raise EditRefused("A training makes an adapter or a word.", "Choose one of the two.")
    if not 0 <= found.vectors <= _VECTORS:
        raise EditRefused(f"A word has up to {_VECTORS} vectors.", "Choose fewer, or 0 for the default.")
    if found.optimiser not in OPTIMISERS:
        raise EditRefused("Trainings are stepped by AdamW, whole or in 8 bits.", "Choose one of the two.")
    if not 0 <= found.learning_rate <= 1:
        raise EditRefused("A learning rate lies between 0 and 1.", "Choose 0 for the model's own default.")
    if found.clip_frames and (found.clip_frames % 4 != 1 or not 5 <= found.clip_frames <= _LONGEST):
        raise EditRefused("A window of a clip has 5, 9, 13… frames.", "Choose 17 or 33, or 0 for the default.")
    if found.clip_windows not in CLIP_WINDOWS:
        raise EditRefused("Windows are cut from the head of a clip, evenly, or one after the other.", "Choose one.")
    if found.experts not in EXPERTS:
        raise EditRefused("Of two experts both learn, or the high or low noise one.", "Choose one of the three.")
    if any(found.size) and not all(64 <= side <= 4096 for side in found.size):
        raise EditRefused("Sides of training pictures lie between 64 and 4096.", "Choose the model's own size.")
    return found


def _with_set(document: Document, found: TrainingSet) -> Document:
    if document.training_sets.get(found.id) == found:
        return document
    return replace(document, training_sets=with_item(document.training_sets, found.id, found))
