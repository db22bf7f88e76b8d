"""From a training set to the request that trains it, and how pictures and clips come into a set. No Qt in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from gen2studio.core.errors import GenerationError
from gen2studio.core.ids import new_id
from gen2studio.document import training_sets as edits
from gen2studio.document.model import Document, TrainingSet
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import WORD, BlobRef, SourceRef, TrainingClipRef, TrainingImageRef, TrainRequest

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp"})
"""Pictures that a dropped folder is searched for."""
CLIP_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mxf", ".mpg", ".ts", ".gif"})
"""Clips that it is searched for."""


def plan_training(
    training_set: TrainingSet,
    abilities: Abilities,
    blobs: Callable[[str], Path | None],
    adapter_id: str = "",
    footage: Callable[[str], SourceRef] | None = None,
) -> TrainRequest:
    """The request that trains ``training_set`` on a model. Raises GenerationError for a missing image or clip.

    ``footage`` is the file of a media id; it raises GenerationError when there is none. Numbers that the set leaves to
    the model are settled here, so that the request says all it depends on.
    """
    images: list[TrainingImageRef] = []
    clips: list[TrainingClipRef] = []
    for image in training_set.images:
        if image.clip is not None:
            if footage is None:
                raise GenerationError(f"The clip {image.name} is missing.", "Remove it or add it again.")
            clips.append(
                TrainingClipRef(
                    source=footage(image.clip.media_id), start=image.clip.start, stop=image.clip.stop,
                    caption=image.caption.strip(), crop=image.crop,
                )
            )  # fmt: skip
            continue
        path = blobs(image.digest)
        if path is None:
            raise GenerationError(
                f"The training image {image.name or image.digest[:12]} is missing.", "Remove it or add it again."
            )
        blob = BlobRef(digest=image.digest, path=path.as_posix())
        images.append(TrainingImageRef(blob=blob, caption=image.caption.strip(), crop=image.crop))
    word = abilities.training.word if training_set.method == WORD else None
    usual = word or abilities.training
    return TrainRequest(
        generator=abilities.id,
        revision=abilities.revision,
        adapter_id=adapter_id or new_id("adapter"),
        name=training_set.name,
        trigger=training_set.trigger,
        kind=training_set.kind,
        images=tuple(images),
        steps=training_set.steps or usual.steps,
        rank=(training_set.rank or abilities.training.rank) if word is None else 0,
        learning_rate=training_set.learning_rate or usual.learning_rate,
        method=training_set.method,
        vectors=(training_set.vectors or word.vectors) if word is not None else 0,
        initial=training_set.initial if word is not None else "",
        optimiser=training_set.optimiser if word is None else "",
        seed=training_set.seed,
        prior=training_set.prior if abilities.training.prior and word is None else 0.0,
        clips=tuple(clips),
        # What decides nothing is not in the request: a change of it would begin the training anew.
        clip_frames=(training_set.clip_frames or abilities.training.clip_frames) if clips else 0,
        clip_windows=training_set.clip_windows if clips else "uniform",
        every_frame=training_set.every_frame and bool(clips),
        size=training_set.size,
        experts=training_set.experts if abilities.training.experts else "both",
    )


def suggested_caption(training_set: TrainingSet) -> str:
    """A plain caption for images that have none."""
    trigger = training_set.trigger
    if training_set.kind == "style":
        return f"a picture in {trigger} style" if trigger else "a picture"
    return f"a {trigger}" if trigger else "a picture"


def expanded(sources: Sequence[tuple[Path | bytes, str]]) -> list[tuple[Path | bytes, str]]:
    """(file, name) of each source; folders become the pictures and clips that lie in them, by name."""
    found: list[tuple[Path | bytes, str]] = []
    for source, label in sources:
        if isinstance(source, bytes):
            found.append((source, label))
        elif source.is_dir():
            inside = sorted(p for p in source.iterdir() if is_training_file(p) and p.is_file())
            found.extend((path, path.name) for path in inside if not path.name.startswith("."))
        else:
            found.append((source, source.name))
    return found


def is_clip_file(path: Path) -> bool:
    """Whether a file is a film by its name."""
    return path.suffix.casefold() in CLIP_SUFFIXES


def is_training_file(path: Path) -> bool:
    """Whether a file can be trained on, by its name."""
    return path.suffix.casefold() in IMAGE_SUFFIXES or is_clip_file(path)


def caption_beside(image: Path) -> str:
    """The text of ``name.txt`` beside ``name.jpg``: how captioned data sets come. Empty where there is none."""
    path = image.with_suffix(".txt")
    try:
        if not path.is_file() or path.stat().st_size > 10_000:
            return ""
        return " ".join(path.read_text(encoding="utf-8", errors="replace").split())
    except OSError:
        return ""


def captioned(document: Document, set_id: str, captions: dict[str, str]) -> Document:
    """``document`` with captions of a set by digest."""
    for digest, caption in captions.items():
        document = edits.set_caption(document, set_id, digest, caption)
    return document


def with_word(caption: str, old: str, new: str) -> str:
    """``caption`` with one word in place of another; punctuation around it stays."""
    return " ".join(word.replace(old, new) if word.strip(".,;:!?") == old else word for word in caption.split())
