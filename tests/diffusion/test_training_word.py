"""Textual inversion through the real engine: learning, resuming, the file that others read, and using the word."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from gen2studio.core.cancel import CancelToken
from gen2studio.diffusion.entries import abilities_of
from gen2studio.diffusion.families.animatediff_driver import AnimateDiffDriver
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.runtime.loading import load_components, text_parts
from gen2studio.diffusion.runtime.prompt_cache import PromptCache
from gen2studio.diffusion.runtime.residency import Residency
from gen2studio.diffusion.training.inversion import StableDiffusionWord
from gen2studio.diffusion.training.ladder import training_plans
from gen2studio.diffusion.training.recipe import settle
from gen2studio.diffusion.words import TaughtWord, taught
from gen2studio.engine.events import JobState, LossMeasured, TestFrameReady
from gen2studio.engine.requests import TrainRequest, WordRef
from gen2studio.models.adapters import AdapterLibrary
from tests.diffusion import tiny_animatediff, tiny_wan
from tests.diffusion.test_training_lora import Bench, dog_files, training
from tests.diffusion.test_words import said

STEPS = 16
_PROCESSOR = Machine(device="cpu", name="A processor", memory_free=64 << 30)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    parts = (*(f"controlnet_{kind}" for kind in tiny_animatediff.CONTROLS), "ip_adapter.safetensors", "image_encoder")
    return tiny_animatediff.build(tmp_path_factory.mktemp("word"), without=(*parts, "few_step_lora.safetensors"))


@pytest.fixture
def bench(checkpoint: Path, tmp_path: Path) -> Iterator[Bench]:
    made = Bench(checkpoint, tmp_path)
    yield made
    made.stage.close()


def learning(bench: Bench, media_root: Path, **changes: Any) -> TrainRequest:
    values = {
        "generator": bench.stage.model.id, "method": "word", "trigger": "Zorb", "steps": STEPS, "vectors": 3,
        "initial": "dog", "rank": 0, "learning_rate": 2e-2, **changes,
    }  # fmt: skip
    return training(dog_files(media_root)[:2], **values)


def test_a_word_is_learned_shown_kept_and_said(bench: Bench, media_root: Path) -> None:
    model = bench.stage.model
    offered = abilities_of(model).training
    assert offered.word is not None and offered.word_why_not == "" and offered.word.held.startswith("Trained on")
    request = learning(bench, media_root)
    end = bench.run(request)
    assert end.state is JobState.FINISHED, end.reason
    losses = [event.loss for event in bench.of(LossMeasured)]
    assert len(losses) == STEPS and np.isfinite(losses).all()
    frames = [event.picture for event in bench.of(TestFrameReady)]
    assert len(frames) >= 2 and not np.array_equal(frames[0], frames[-1])

    kept = AdapterLibrary().adapter(request.adapter_id)
    assert (kept.trigger, kept.vectors, kept.rank, kept.steps, kept.base_model) == ("zorb", 3, 0, STEPS, model.id)
    assert AdapterLibrary().refusal(kept, model) == "" and len(AdapterLibrary().steps(kept.id)) >= 1
    tensors = load_file(kept.path)
    assert list(tensors) == ["zorb"] and tensors["zorb"].shape == (3, 24) and tensors["zorb"].dtype == torch.float32
    with safe_open(kept.path, "pt") as file:
        assert file.metadata()["trigger"] == "Zorb" and file.metadata()["loss"]

    ref = WordRef(digest=kept.sha256, adapter_id=kept.id, path=str(kept.path), word=kept.trigger)
    bench.react = lambda event: None
    shot = bench.stage.request("text", stop=2, prompt="a red Zorb in the meadow")
    plain = bench.stage.made(shot)
    assert not np.array_equal(plain[0], bench.stage.made(replace(shot, adapters=(ref,)))[0])
    assert np.array_equal(plain[0], bench.stage.made(shot)[0])

    # diffusers reads the very file, by the name of its tensor, and makes the same of a prompt.
    plan = training_plans(model, _PROCESSOR)[0]
    parts = load_components(model, plan, text_parts(model))
    pipe: Any = AnimateDiffDriver().pipeline(parts)
    pipe.load_textual_inversion(str(kept.path.parent), weight_name=kept.path.name, local_files_only=True)
    other = said(parts, "a red zorb")
    whole = load_components(model, plan, text_parts(model))
    with taught(whole, [TaughtWord("zorb", kept.sha256, kept.path, "zorb", 3)]) as (own, spelling):
        assert spelling is not None
        assert torch.equal(said(own, spelling.text("a red zorb")), other)


def test_a_cancelled_word_goes_on_bit_for_bit(bench: Bench, media_root: Path) -> None:
    request = learning(bench, media_root)
    bench.cancel_at(7)
    end = bench.run(request)
    assert end.state is JobState.CANCELLED and "kept" in end.reason
    bench.restart()
    assert bench.run(request).state is JobState.FINISHED
    resumed, curve = AdapterLibrary().adapter(request.adapter_id), bench.losses()
    whole = replace(request, adapter_id="adapter-000000000002")
    assert bench.run(whole).state is JobState.FINISHED
    assert AdapterLibrary().adapter(whole.adapter_id).sha256 == resumed.sha256
    assert bench.losses() == curve


@pytest.fixture
def word(bench: Bench) -> Iterator[StableDiffusionWord]:
    made = StableDiffusionWord(
        bench.stage.model,
        training_plans(bench.stage.model, _PROCESSOR, word=True)[0],
        Residency(),
        word="Zorb",
        vectors=3,
    )
    made.load(lambda *_: None, CancelToken())
    yield made
    made.close()


def test_only_the_vectors_move_and_they_stay_as_long_as_words_are(
    word: StableDiffusionWord, bench: Bench, media_root: Path
) -> None:
    parameters = word.arm(settle(learning(bench, media_root), 1_000_000))
    assert [p.shape for p in parameters] == [(3, 24)]
    frozen = {
        name: value.clone() for part in (word.transformer, word._encoder) for name, value in part.state_dict().items()
    }
    prompts = word.embed(["a red zorb in the meadow"], PromptCache(), lambda *_: None, CancelToken(), lambda: None)
    draw = torch.Generator().manual_seed(3)
    clean, noise = (torch.randn(4, 4, 1, 8, 8, generator=draw) for _ in range(2))
    levels = torch.tensor([0.2, 0.4, 0.6, 0.8])

    def loss() -> torch.Tensor:
        return word.loss(clean, noise, levels, prompts.expand(4, -1), {})

    optimiser = torch.optim.AdamW(parameters, lr=3e-2, weight_decay=0.0)
    losses: list[float] = []
    for _ in range(40):
        found = loss()
        optimiser.zero_grad()
        found.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        word.stepped()
        losses.append(float(found.detach()))
    assert losses[-1] < losses[0] and np.mean(losses[-5:]) < np.mean(losses[:5])
    lengths = word._table.norm(dim=1)
    assert ((parameters[0].norm(dim=1) <= lengths.max()) & (parameters[0].norm(dim=1) >= lengths.min())).all()
    after = {**word.transformer.state_dict(), **word._encoder.state_dict()}
    assert all(torch.equal(after[name], value) for name, value in frozen.items())
    assert not word._encoder.get_input_embeddings()._forward_hooks
    # What the word began as is what the base model's test frame shows.
    word.enable(False)
    begun = float(loss().detach())
    word.enable(True)
    assert begun == pytest.approx(losses[0]) and begun > float(loss().detach())


def test_blocks_that_are_recomputed_give_the_same_gradient(bench: Bench, media_root: Path) -> None:
    """As Stable Diffusion 1.5 of full size is trained: the gradient passes recomputed blocks that are frozen."""
    model, found = bench.stage.model, []
    for recomputed in (False, True):
        plan = replace(training_plans(model, _PROCESSOR, word=True)[0], recomputed=recomputed)
        word = StableDiffusionWord(model, plan, Residency(), word="Zorb", vectors=3)
        word.load(lambda *_: None, CancelToken())
        (vectors,) = word.arm(settle(learning(bench, media_root), 1_000_000))
        word.transformer.train()
        assert word.transformer.is_gradient_checkpointing is recomputed
        prompts = word.embed(["a red zorb"], PromptCache(), lambda *_: None, CancelToken(), lambda: None)
        draw = torch.Generator().manual_seed(3)
        clean, noise = (torch.randn(1, 4, 1, 8, 8, generator=draw) for _ in range(2))
        word.loss(clean, noise, torch.tensor([0.5]), prompts, {}).backward()  # type: ignore[no-untyped-call]
        found.append(vectors.grad)
        word.close()
    assert found[0] is not None and found[0].abs().max() > 0 and torch.allclose(found[0], found[1], rtol=1e-4)


def test_every_caption_says_the_word(word: StableDiffusionWord) -> None:
    assert word.calling("a Zorb, in the sun") == "a Zorb, in the sun"
    assert word.calling("a dog in the sun") == "zorb, a dog in the sun"
    assert word.calling("") == "zorb"
    long = " ".join(["a red dog in the meadow"] * 30) + " zorb"
    (row,) = word.embed([long], PromptCache(), lambda *_: None, CancelToken(), lambda: None).tolist()
    first = word._spelt.first
    assert len(row) == 77 and row[1:4] == [first, first + 1, first + 2], "the end of a caption is cut off"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"trigger": "two words"}, "needs a name of one word"),
        ({"optimiser": "adamw8bit"}, "saves nothing"),
        ({"optimiser": "sgd"}, "no optimiser “sgd”"),
        ({"vectors": 17}, "17 vectors is not between 1 and 16"),
    ],
)
def test_what_makes_no_word_is_refused(bench: Bench, media_root: Path, changes: dict[str, Any], sentence: str) -> None:
    end = bench.run(learning(bench, media_root, **changes))
    assert end.state is JobState.FAILED and sentence in end.reason


def test_a_model_without_clip_says_so(tmp_path: Path, media_root: Path) -> None:
    other = Bench(tiny_wan.build(tmp_path / "wan", "t2v"), tmp_path)
    offered = abilities_of(other.stage.model).training
    assert offered.word is None and "reads prompts with UMT5" in offered.word_why_not
    end = other.run(learning(other, media_root))
    assert end.state is JobState.FAILED and offered.word_why_not.split(",")[0] in end.reason
    other.stage.close()


def test_an_optimiser_in_8_bits_can_be_chosen_and_goes_on(bench: Bench, media_root: Path) -> None:
    request = training(dog_files(media_root)[:1], generator=bench.stage.model.id, steps=6, rank=64)
    request = replace(request, optimiser="adamw8bit")
    bench.cancel_at(3)
    assert bench.run(request).state is JobState.CANCELLED
    assert any("The optimiser is kept in 8 bits, which saves" in note for note in bench.stage.notes())
    bench.restart()
    assert bench.run(request).state is JobState.FINISHED
    resumed = AdapterLibrary().adapter(request.adapter_id)
    whole = replace(request, adapter_id="adapter-000000000002")
    assert bench.run(whole).state is JobState.FINISHED
    assert AdapterLibrary().adapter(whole.adapter_id).sha256 == resumed.sha256
