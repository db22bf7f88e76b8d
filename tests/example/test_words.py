"""What is read from a prompt, and what is said about the rest."""

from __future__ import annotations

import pytest

from gen2studio.core.errors import GenerationError
from gen2studio.example import words
from gen2studio.example.looks import ExampleCatalog, load_presets, preset
from tests.example.stage import ClipContext, dog, request, run

WHITE, BLACK = words.COLOURS["white"], words.COLOURS["black"]


@pytest.mark.parametrize(
    ("prompt", "kind", "base", "ink"),
    [
        ("a white dog with black spots", "spots", WHITE, BLACK),
        ("black spots on a white coat", "spots", WHITE, BLACK),
        ("red stripes", "stripes", None, words.COLOURS["red"]),
        ("a striped red shirt", "stripes", words.COLOURS["red"], None),
        ("blue and yellow plaid", "plaid", words.COLOURS["blue"], words.COLOURS["yellow"]),
        ("black and white stripes", "stripes", BLACK, WHITE),
        ("a tiger", "stripes", words.COLOURS["orange"], BLACK),
        ("Dalmatian", "spots", WHITE, BLACK),
    ],
)
def test_patterns_are_read(prompt: str, kind: str, base: words.Colour | None, ink: words.Colour | None) -> None:
    wish = words.parse(prompt).pattern
    assert wish is not None
    assert (wish.kind, wish.base, wish.ink) == (kind, base, ink)


def test_sizes_and_shades_change_patterns() -> None:
    big, plain = words.parse("big spots").pattern, words.parse("spots").pattern
    assert big is not None and plain is not None and big.scale > plain.scale
    dark = words.parse("dark red").colours[0]
    assert sum(dark) < sum(words.COLOURS["red"])


def test_styles_and_light_are_read() -> None:
    intent = words.parse("an oil painting at sunset, black and white")
    assert intent.preset == "oil"
    assert intent.grades == ("sunset", "mono")
    assert not intent.unknown


def test_words_are_marked_in_order_as_typed() -> None:
    assert words.understood("A Watercolour samurai, at night") == [
        ("A", True), ("Watercolour", True), ("samurai", False), ("at", True), ("night", True),
    ]  # fmt: skip
    marked = ExampleCatalog().words("neon samurai")
    assert [(w.word, w.known) for w in marked] == [("neon", True), ("samurai", False)]


def test_every_preset_is_chosen_by_its_words() -> None:
    assert len(load_presets()) >= 12
    for look in load_presets():
        for word in look.words:
            assert words.parse(f"make it {word} please").preset == look.id, word


def test_every_word_of_the_vocabulary_is_understood() -> None:
    for word in words.vocabulary():
        assert all(known for _, known in words.understood(word)), word


def test_nothing_understood_is_an_error_that_names_words_and_the_way_out(tmp_path) -> None:
    frames = dog(1)
    with pytest.raises(GenerationError) as caught:
        run(ClipContext(frames, tmp_path), request(frames, prompt="samurai spaceship"))
    assert "samurai spaceship" in caught.value.sentence
    assert "watercolour" in caught.value.remedy and "model" in caught.value.remedy
    with pytest.raises(GenerationError):
        run(ClipContext(frames, tmp_path), request(frames))


def test_unknown_words_beside_known_ones_are_noted(tmp_path) -> None:
    frames = dog(1)
    context = ClipContext(frames, tmp_path)
    run(context, request(frames, prompt="samurai at sunset"))
    assert 0 in context.out
    assert "“samurai”" in context.notes[0][0] and "sunset" not in context.notes[0][0]


def test_unknown_preset_names_the_ones_there_are() -> None:
    with pytest.raises(GenerationError, match="watercolour"):
        preset("vaporwave")
