"""What the prompt box says a model hears is what its text encoder is given."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from gen2studio.core.paths import resources_dir
from gen2studio.diffusion.wording import heard, triggers_of
from gen2studio.engine.requests import AdapterRef, Lane
from gen2studio.models.library import ModelLibrary
from tests.diffusion.studio import Stage


def test_the_built_in_model_hears_its_own_words_and_others_hear_everything(tmp_path: Path) -> None:
    library = ModelLibrary(registry_file=tmp_path / "models.json", builtin=resources_dir() / "models" / "mini")
    mini = library.models()[0].manifest
    assert heard("a red automobile at dusk, zorp", mini) == "a red car at sunset"
    assert heard("a red zorp at dusk", mini, ["zorp"]) == "a red zorp at sunset"
    full = replace(mini, id="wan-vace-13b")
    assert heard("a red automobile at dusk, zorp", full) == "a red automobile at dusk, zorp"
    assert triggers_of([AdapterRef(digest="0" * 64, adapter_id="adapter-gone")]) == frozenset()


def test_synonyms_make_the_same_frame(tmp_path: Path) -> None:
    stage = Stage(resources_dir() / "models" / "mini", tmp_path)
    try:
        pictures = [
            stage.made(stage.request("text", prompt=prompt, frames=(0,), width=128, height=128), Lane.STILLS)[0]
            for prompt in ("a red automobile at dusk", "a red car at sunset", "a red car at night")
        ]
    finally:
        stage.close()
    assert np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[2])
