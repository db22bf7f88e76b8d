"""Learned words in prompts: what diffusers makes of them, in both prompts, and not a trace afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.animatediff_driver import AnimateDiffDriver
from gen2studio.diffusion.runtime.device import quick_machine
from gen2studio.diffusion.runtime.ladder import plans_for
from gen2studio.diffusion.runtime.loading import Components, load_components, text_parts
from gen2studio.diffusion.runtime.prompt_cache import prompt_key
from gen2studio.diffusion.words import Spelling, TaughtWord, taught, words_of
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import WordRef, request_digest, request_recipe
from gen2studio.models.adapters import AdapterLibrary
from tests.diffusion import tiny_animatediff
from tests.diffusion.studio import Stage

WIDTH = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = (*(f"controlnet_{kind}" for kind in tiny_animatediff.CONTROLS), "ip_adapter.safetensors", "image_encoder")
    return tiny_animatediff.build(tmp_path_factory.mktemp("words"), without=(*parts, "few_step_lora.safetensors"))


@pytest.fixture
def stage(folder: Path, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(folder, tmp_path)
    yield made
    made.close()


@pytest.fixture
def texts(stage: Stage) -> Components:
    plan = next(plan for plan in plans_for(stage.model, quick_machine()) if plan.dtype == "float32")
    return load_components(stage.model, plan, text_parts(stage.model))


def word_file(path: Path, vectors: int = 3, seed: int = 1, name: str = "emb_params") -> Path:
    save_file({name: torch.randn(vectors, WIDTH, generator=torch.Generator().manual_seed(seed))}, path)
    return path


def kept_word(path: Path, trigger: str = "") -> WordRef:
    found = AdapterLibrary().import_file(path, trigger=trigger)
    return WordRef(digest=found.sha256, adapter_id=found.id, path=str(found.path), word=found.trigger)


def word_at(path: Path, word: str, vectors: int) -> TaughtWord:
    return TaughtWord(word, hashlib.sha256(path.read_bytes()).hexdigest(), path, "emb_params", vectors)


def said(parts: Components, text: str) -> torch.Tensor:
    return AnimateDiffDriver().embed(parts, text, 77, "cpu")["prompt_embeds"]


def test_a_word_is_read_as_diffusers_reads_it_and_leaves_no_trace(texts: Components, tmp_path: Path) -> None:
    path = word_file(tmp_path / "zorb.safetensors")
    prompt, other = "a red zorb in the meadow", "a red dog in the meadow"
    plain = said(texts, prompt), said(texts, other)
    weights = {name: value.clone() for name, value in texts.text_encoder.state_dict().items()}
    known = len(texts.tokenizer)
    with taught(texts, [word_at(path, "zorb", 3)]) as (parts, spelling):
        assert spelling is not None and parts.text_encoder is texts.text_encoder
        ours = said(parts, spelling.text(prompt))
        assert torch.equal(said(parts, spelling.text(other)), plain[1]), "other prompts are what they were"
        loud, joined = said(parts, spelling.text("A RED Zorb, in the meadow")), spelling.text("zorbing zorb-zorb")
    assert not torch.equal(ours, plain[0]) and not torch.equal(loud, plain[0])
    assert joined.startswith("zorbing <|word-0-0|>") and joined.count("<|") == 6, "whole words only"
    assert torch.equal(said(texts, prompt), plain[0]) and len(texts.tokenizer) == known
    assert weights.keys() == texts.text_encoder.state_dict().keys()
    assert all(torch.equal(value, weights[name]) for name, value in texts.text_encoder.state_dict().items())
    assert not texts.text_encoder.get_input_embeddings()._forward_hooks

    # The other side: diffusers' own loader, which grows the table and the tokenizer.
    pipe: Any = AnimateDiffDriver().pipeline(texts)
    pipe.load_textual_inversion(str(tmp_path), weight_name=path.name, token="zorb", local_files_only=True)
    assert torch.equal(said(texts, prompt), ours)


def test_a_failure_on_the_way_leaves_no_trace_either(texts: Components, tmp_path: Path) -> None:
    path = word_file(tmp_path / "zorb.safetensors")
    table = texts.text_encoder.get_input_embeddings()
    with pytest.raises(RuntimeError), taught(texts, [word_at(path, "zorb", 3)]):
        assert table._forward_hooks
        raise RuntimeError
    assert not table._forward_hooks and not table._forward_pre_hooks
    save_file({"emb_params": torch.full((3, WIDTH), torch.nan)}, path)
    with pytest.raises(GenerationError, match="holds what is no number"), taught(texts, [word_at(path, "zorb", 3)]):
        pass
    assert not table._forward_hooks


def test_several_words_stand_beside_each_other(texts: Components) -> None:
    spelling = Spelling(texts.tokenizer, {"zorb": 1, "zorb2": 2, "<toy>": 1})
    ids = spelling.tokenizer(spelling.text("<TOY> zorb2 dog zorb"))["input_ids"]
    dog = texts.tokenizer("dog")["input_ids"][1:-1]
    first = spelling.first
    assert ids[1:-1] == [first + 3, first + 1, first + 2, *dog, first]


def test_a_word_acts_in_either_prompt_and_belongs_to_the_recipe(stage: Stage, tmp_path: Path) -> None:
    ref = kept_word(word_file(tmp_path / "zorb.safetensors"))
    shot = stage.request("text", stop=1, prompt="a red zorb", negative_prompt="fog")
    plain, taken = stage.made(shot), stage.made(stage.request("text", stop=1, prompt="a red zorb",
                                                              negative_prompt="fog", adapters=(ref,)))  # fmt: skip
    assert not np.array_equal(plain[0], taken[0])
    assert not stage.notes()
    negative = stage.request("text", stop=1, prompt="a red dog", negative_prompt="zorb")
    kept_out = stage.request("text", stop=1, prompt="a red dog", negative_prompt="zorb", adapters=(ref,))
    assert not np.array_equal(stage.made(negative)[0], stage.made(kept_out)[0])
    unsaid = stage.request("text", stop=1, prompt="a red dog", negative_prompt="fog")
    silent = stage.request("text", stop=1, prompt="a red dog", negative_prompt="fog", adapters=(ref,))
    assert np.array_equal(stage.made(unsaid)[0], stage.made(silent)[0])
    assert any("No prompt says “zorb”" in note for note in stage.notes())
    # Taken out again, the first prompt is what it was: nothing stays in the encoder or in the cache.
    assert np.array_equal(stage.made(shot)[0], plain[0])

    digests = {request_digest(request) for request in (unsaid, silent)}
    assert len(digests) == 2 and ref.digest in request_recipe(silent) and '"word":"zorb"' in request_recipe(silent)
    other = TaughtWord("zorb", "0" * 64, Path(ref.path), "emb_params", 3)
    mine = TaughtWord("zorb", ref.digest, Path(ref.path), "emb_params", 3)
    keys = {prompt_key("e", "a zorb", 77, "float32", words=words) for words in ([], [mine], [other])}
    assert len(keys) == 3
    assert prompt_key("e", "a dog", 77, "float32", words=[mine]) == prompt_key("e", "a dog", 77, "float32")


def test_what_cannot_be_said_is_refused(stage: Stage, tmp_path: Path) -> None:
    ref = kept_word(word_file(tmp_path / "zorb.safetensors"))
    twin = kept_word(word_file(tmp_path / "other.safetensors", seed=2), trigger="zorb")
    end = stage.run(stage.request("text", stop=1, prompt="a zorb", adapters=(ref, twin)))
    assert end.state is JobState.FAILED and "Two adapters are called by the word “zorb”" in end.reason
    save_file({"wide": torch.zeros(1, 40)}, tmp_path / "wide.safetensors")
    with pytest.raises(GenerationError, match="width 40, and Tiny AnimateDiff's have 24"):
        words_of([kept_word(tmp_path / "wide.safetensors")], stage.model)
    Path(ref.path).unlink()
    with pytest.raises(GenerationError, match="is not there"):
        words_of([ref], stage.model)
