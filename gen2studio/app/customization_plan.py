"""From a training set to the request that trains it, and how images come into a set. No Qt in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gen2studio.core.errors import GenerationError
from gen2studio.core.ids import new_id
from gen2studio.document.model import TrainingSet
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import BlobRef, TrainingImageRef, TrainRequest

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
"""Files that a dropped folder is searched for."""


def plan_training(
    training_set: TrainingSet, abilities: Abilities, blobs: Callable[[str], Path | None], adapter_id: str = ""
) -> TrainRequest:
    """The request that trains ``training_set`` on a model. Raises GenerationError for a missing image.

    Numbers that the set leaves to the model are settled here, so that the request says all it depends on.
    """
    images: list[TrainingImageRef] = []
    for image in training_set.images:
        path = blobs(image.digest)
        if path is None:
            raise GenerationError(
                f"The training image {image.name or image.digest[:12]} is missing.", "Remove it or add it again."
            )
        blob = BlobRef(digest=image.digest, path=path.as_posix())
        images.append(TrainingImageRef(blob=blob, caption=image.caption.strip(), crop=image.crop))
    return TrainRequest(
        generator=abilities.id,
        revision=abilities.revision,
        adapter_id=adapter_id or new_id("adapter"),
        name=training_set.name,
        trigger=training_set.trigger,
        kind=training_set.kind,
        images=tuple(images),
        steps=training_set.steps or abilities.training.steps,
        rank=training_set.rank or abilities.training.rank,
        learning_rate=training_set.learning_rate or abilities.training.learning_rate,
        seed=training_set.seed,
        prior=training_set.prior,
    )


def suggested_caption(training_set: TrainingSet) -> str:
    """A plain caption for images that have none."""
    trigger = training_set.trigger
    if training_set.kind == "style":
        return f"a picture in {trigger} style" if trigger else "a picture"
    return f"a {trigger}" if trigger else "a picture"


def expanded(sources: Sequence[tuple[Path | bytes, str]]) -> list[tuple[Path | bytes, str]]:
    """(image, name) of each source; folders become the images that lie in them, by name."""
    found: list[tuple[Path | bytes, str]] = []
    for source, label in sources:
        if isinstance(source, bytes):
            found.append((source, label))
        elif source.is_dir():
            inside = sorted(p for p in source.iterdir() if p.suffix.casefold() in IMAGE_SUFFIXES and p.is_file())
            found.extend((path, path.name) for path in inside if not path.name.startswith("."))
        else:
            found.append((source, source.name))
    return found


def caption_beside(image: Path) -> str:
    """The text of ``name.txt`` beside ``name.jpg``: how captioned data sets come. Empty where there is none."""
    path = image.with_suffix(".txt")
    try:
        if not path.is_file() or path.stat().st_size > 10_000:
            return ""
        return " ".join(path.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return ""
