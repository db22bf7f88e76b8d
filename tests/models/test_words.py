"""Learned words are read from every layout that is about, kept with their word, and refused where they can't act."""

from __future__ import annotations

from pathlib import Path

import pytest

from gen2studio.core.errors import ModelError
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.adding import why_not
from gen2studio.models.identifying import identify
from gen2studio.models.library import ModelLibrary
from gen2studio.models.safetensors_header import read_header
from gen2studio.models.words import LearnedWord, learned_word, word_why_not
from tests.models.folder import write_checkpoint, write_weights


@pytest.fixture
def library(tmp_path: Path) -> AdapterLibrary:
    return AdapterLibrary(tmp_path / "adapters")


@pytest.mark.parametrize(
    ("file", "tensors", "metadata", "expected"),
    [
        ("learned_embeds", {"<Toy>": (768,)}, {}, LearnedWord("<toy>", 1, 768, "<Toy>")),
        ("my Cat", {"emb_params": (4, 768)}, {}, LearnedWord("my-cat", 4, 768, "emb_params")),
        ("x", {"clip_l": (2, 768)}, {}, LearnedWord("x", 2, 768, "clip_l")),
        ("x", {"zorb": (3, 768)}, {"trigger": "Quux"}, LearnedWord("quux", 3, 768, "zorb")),
        ("lots", {"emb_params": (76, 768)}, {}, None),
        ("cube", {"a": (1, 2, 768)}, {}, None),
        ("pair", {"a": (1, 768), "b": (1, 768)}, {}, None),
    ],
)
def test_every_layout_that_is_about_is_read(
    tmp_path: Path, file: str, tensors: dict[str, tuple[int, ...]], metadata: dict[str, str], expected: LearnedWord
) -> None:
    path = write_weights(tmp_path / f"{file}.safetensors", tensors, metadata=metadata or None)
    assert learned_word(read_header(path)) == expected


def test_a_word_is_kept_with_what_calls_it(tmp_path: Path, library: AdapterLibrary) -> None:
    path = write_weights(tmp_path / "Old Photo.safetensors", {"emb_params": (4, 768)})
    kept = library.import_file(path)
    assert (kept.name, kept.trigger, kept.vectors, kept.rank, kept.imported) == ("Old Photo", "old-photo", 4, 0, True)
    assert AdapterLibrary(library.folder).adapters() == (kept,)
    assert library.rename(kept.id, "Photo", "Sepia").trigger == "sepia"
    for words in ("two words", "", "!?"):
        with pytest.raises(ModelError, match="called by one word"):
            library.rename(kept.id, "Photo", words)
    assert identify(path).sentence().startswith("A learned word (textual inversion) for Stable Diffusion 1.5.")
    assert why_not(identify(path)) == ""


def test_what_cannot_act_is_refused_in_one_sentence(tmp_path: Path, library: AdapterLibrary) -> None:
    for suffix in (".pt", ".bin"):
        pickled = tmp_path / f"word{suffix}"
        pickled.write_bytes(b"\x80\x04")
        with pytest.raises(ModelError, match="is a pickle, which can run any program"):
            library.import_file(pickled)
    large = write_weights(tmp_path / "xl.safetensors", {"clip_l": (2, 768), "clip_g": (2, 1280)})
    with pytest.raises(ModelError, match="for Stable Diffusion XL, which has two text encoders"):
        library.import_file(large)
    assert "uses those for Stable Diffusion 1.5 alone" in why_not(identify(large))
    assert library.adapters() == ()

    folder = write_checkpoint(tmp_path / "wan", manifest={"id": "wan", "title": "Small Wan"})
    wan = ModelLibrary(tmp_path / "list.json", folder).model("wan")
    assert word_why_not(wan) == "Only CLIP text encoders can be taught a word, and Small Wan reads prompts with UMT5."
    word = library.import_file(write_weights(tmp_path / "zorb.safetensors", {"zorb": (2, 768)}))
    assert library.refusal(word, wan) == f"“zorb” is a learned word. {word_why_not(wan)}"
