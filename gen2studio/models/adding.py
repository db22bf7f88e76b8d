"""Adding whatever an artist points at: it is told from its header, and put where its kind belongs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gen2studio.core.errors import ModelError
from gen2studio.core.records import dataclass
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.checkpoint import INDEX_NAME
from gen2studio.models.companions import family_of_companion
from gen2studio.models.identifying import identify
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


def is_part(path: Path, kind: str) -> bool:
    """Whether a weights file of this kind (as identified) is only a part: by itself :func:`add_path` refuses it."""
    return kind not in ("adapter", "transformer", "model") and family_of_companion(path) is None


def add_path(
    path: Path,
    models: ModelLibrary,
    masks: MaskModelLibrary,
    adapters: AdapterLibrary,
    rest: Path | str | None = None,
    parts: Mapping[str, Path] | None = None,
) -> Added:
    """Add a model folder, a single transformer, a LoRA, a mask model or a part that works beside a model.

    Models and parts are used where they lie, LoRA files are copied. ``rest`` and ``parts`` as in
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
        if found.kind == "adapter":
            adapter = adapters.import_file(path)
            return Added(where="adapters", id=adapter.id, title=adapter.name, sentence=sentence)
        if is_part(path, found.kind):
            beside = found.kind in ("vae", "text_encoder")
            raise ModelError(
                f"“{path.name}”: {sentence}",
                "By itself it can't be added: name it with the model it belongs to."
                if beside
                else "Add the folder of the model it belongs to.",
            )
    model = models.add(path, rest, parts)
    return Added(where="models", id=model.id, title=model.title, sentence=sentence)
