"""Adding whatever an artist points at: it is told from its header, and put where its kind belongs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.checkpoint import INDEX_NAME
from gen2studio.models.companions import family_of_companion
from gen2studio.models.identifying import Identified, identify
from gen2studio.models.library import ModelLibrary
from gen2studio.models.mask_models import MaskModelLibrary, is_mask_model


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was added."""

    where: str
    """models, masks or adapters."""
    id: str
    title: str
    sentence: str
    """What it is, with what it needs; empty for folders."""


_PARTS = ("vae", "text_encoder", "image_encoder", "control", "image_adapter", "motion")
"""Kinds of files that only go with a model."""


def is_part(found: Identified) -> bool:
    """Whether a weights file is only a part of models: by itself :func:`add_path` refuses it."""
    return found.kind in _PARTS and family_of_companion(found.path) is None


def why_not(found: Identified) -> str:
    """Why nothing here can use a weights file, whatever lies beside it; empty when it may be added, or is a part."""
    word = found.kind == "embedding" and found.family == "sd15"
    if found.kind == "adapter" or word or found.kind in _PARTS or family_of_companion(found.path) is not None:
        return ""
    if found.kind == "transformer" and found.family == "wan":
        return ""
    if found.kind in ("transformer", "model"):
        known = "single files are run of Wan 2.1 and 2.2 alone, other models from whole folders"
        return f"It is {found.noun()}; {known}."
    if found.kind == "embedding":
        return f"It is {found.noun()}, and Gen2 Studio uses those for Stable Diffusion 1.5 alone."
    return "Gen2 Studio does not know what this file holds."


def add_path(
    path: Path,
    models: ModelLibrary,
    masks: MaskModelLibrary,
    adapters: AdapterLibrary,
    rest: Path | str | None = None,
    parts: Mapping[str, Path] | None = None,
) -> Added:
    """Add a model folder, a single transformer, a LoRA, a learned word, a mask model or a part that goes with a model.

    Models and parts are used where they lie, LoRA files and words are copied. ``rest`` and ``parts`` as in
    :meth:`ModelLibrary.add`. Raises ModelError with what the file is when nothing here can use it.
    """
    path = path.expanduser().absolute()
    if is_mask_model(path):
        mask = masks.add(path)
        return Added(where="masks", id=mask.id, title=mask.title, sentence="")
    sentence = ""
    if path.is_file() and path.name != INDEX_NAME and family_of_companion(path) is None:
        found = identify(path)
        sentence = found.sentence()
        if found.kind in ("adapter", "embedding"):
            adapter = adapters.import_file(path)
            return Added(where="adapters", id=adapter.id, title=adapter.name, sentence=sentence)
        if refusal := why_not(found):
            raise ModelError(f"“{path.name}” can't be used. {refusal}", "Look for the model in the catalog.")
        if is_part(found):
            beside = found.kind in ("vae", "text_encoder")
            raise ModelError(
                f"“{path.name}”: {sentence}",
                "By itself it can't be added: name it with the model it belongs to."
                if beside
                else "Add the folder of the model it belongs to.",
            )
    model = models.add(path, rest, parts)
    return Added(where="models", id=model.id, title=model.title, sentence=sentence)
