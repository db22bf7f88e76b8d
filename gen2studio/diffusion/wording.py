"""What a model's text encoder is given of a prompt: full-size ones read everything, the built-in one its own words."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from gen2studio.core.errors import StudioError
from gen2studio.diffusion.vocabulary import normalise
from gen2studio.engine.requests import AdapterRef
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.manifest import ModelManifest

BUILT_IN = "mini"
"""Id of the model with a vocabulary of its own."""


def heard(prompt: str, manifest: ModelManifest, triggers: Collection[str] = ()) -> str:
    """``prompt`` as the model hears it.

    For the built-in model synonyms become the words it was taught and unknown words are left out, as the prompt box
    shows them; ``triggers``, the words of adapters in use, stay, because its tokenizer can spell them.
    """
    return prompt if manifest.id != BUILT_IN else normalise(prompt, keep=triggers)


def triggers_of(adapters: Iterable[AdapterRef]) -> frozenset[str]:
    """The trigger words of the adapters a request uses, as far as the library knows them."""
    library = AdapterLibrary()
    found: set[str] = set()
    for ref in adapters:
        try:
            found.update(library.adapter(ref.adapter_id).trigger.split() if ref.adapter_id else ())
        except StudioError:
            # A missing adapter is refused with its own sentence when it is loaded.
            continue
    return frozenset(found)
