"""Which generator runs what the artist left open: by mode, by what is given, by who knows the words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gen2studio.app.choosing import choose, settled
from gen2studio.document.look import (
    AdapterUse,
    Camera,
    Controls,
    DepthPass,
    Look,
    Mode,
    Outpaint,
    PaintedKey,
    Pattern,
    StyleImage,
)
from gen2studio.engine.abilities import GeneratorEntry, GeneratorRegistry
from gen2studio.engine.catalog import PromptWord
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.example.generator import ExampleGenerator
from gen2studio.example.looks import ExampleCatalog

ALL = ("text", "text_image", "image", "stylize", "storyboard", "mask", "render")


def model(name: str, modes: tuple[str, ...] = ALL) -> Abilities:
    served = tuple(ModeAbility(mode=mode, controls=frozenset({"prompt"})) for mode in modes)
    return Abilities(id=name, title=name.title(), revision="1", modes=served, steps=(8, 1, 30))


def registry(*models: Abilities) -> GeneratorRegistry:
    example = ExampleGenerator()
    made = [GeneratorEntry(example.abilities, lambda: example)]
    return GeneratorRegistry([*made, *(GeneratorEntry(m, lambda: example) for m in models)])


def words(prompt: str, generator: str) -> tuple[PromptWord, ...]:
    """The example-based generator's own words; “big” knows every word, “mini” only dogs."""
    if generator == "example":
        return ExampleCatalog().words(prompt)
    return tuple(PromptWord(word, generator == "big" or word == "dog") for word in prompt.split())


DIGEST = "5a" * 32


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (Look(mode=Mode.TEXT_TO_VIDEO, prompt="watercolour"), "big"),
        (Look(mode=Mode.TEXT_IMAGE_TO_VIDEO), "big"),
        (Look(mode=Mode.IMAGE_TO_VIDEO), "big"),
        (Look(mode=Mode.STORYBOARD, styles=(StyleImage(digest=DIGEST),)), "big"),
        (Look(), "example"),
        (Look(styles=(StyleImage(digest=DIGEST),), prompt="unknown thing"), "example"),
        (Look(preset="ink", prompt="unknown thing"), "example"),
        (Look(keys=(PaintedKey(frame=0, digest=DIGEST),)), "example"),
        (Look(mode=Mode.MASK, pattern=Pattern(kind="spots")), "example"),
        (Look(mode=Mode.MASK, prompt="a white dog with black spots"), "example"),
        (Look(prompt="a watercolour castle"), "example"),
        (Look(prompt="a castle on the moon"), "big"),
        (Look(prompt="the big one"), "big"),
        (Look(mode=Mode.RENDER, depth_pass=DepthPass(path="/d_0001.png")), "big"),
        (Look(mode=Mode.RENDER, depth_pass=DepthPass(path="/d_0001.png"), preset="oil"), "example"),
        (Look(preset="ink", adapters=(AdapterUse(adapter="adapter-0123456789ab"),)), "big"),
        (Look(generator="mini", preset="ink"), "mini"),
        (Look(mode=Mode.TEXT_TO_VIDEO, generator="mini"), "mini"),
        (Look(mode=Mode.TEXT_TO_VIDEO, generator="example"), "big"),
        (Look(generator="gone"), "example"),
    ],
)
def test_what_is_given_decides(look: Look, expected: str) -> None:
    found = choose(look, registry(model("big"), model("mini")), words)
    assert found is not None
    assert found.abilities.id == expected
    assert found.why.endswith(".") and len(found.why) < 160
    assert found.pinned == (look.generator == expected)


def test_words_go_to_the_model_that_knows_them() -> None:
    only_mini = registry(model("mini"))
    knows = choose(Look(prompt="dog"), only_mini, words)
    nobody = choose(Look(prompt="castle"), only_mini, words)
    assert knows is not None and knows.abilities.id == "mini"
    assert nobody is not None and nobody.abilities.id == "example" and "No generator" in nobody.why


def test_an_adapter_brings_its_own_model() -> None:
    look = Look(mode=Mode.TEXT_TO_VIDEO, adapters=(AdapterUse(adapter="adapter-0123456789ab"),))
    found = choose(look, registry(model("big"), model("mini")), words, adapter_base="mini")
    assert found is not None and found.abilities.id == "mini"


def test_a_generator_that_can_not_is_named() -> None:
    found = choose(Look(mode=Mode.TEXT_TO_VIDEO, generator="example"), registry(model("mini")), words)
    assert found is not None and found.why.startswith("Example-based does not serve Text to Video.")


def test_nobody_serves() -> None:
    assert choose(Look(mode=Mode.TEXT_TO_VIDEO), registry(), words) is None
    alone = choose(Look(prompt="castle"), registry(), words)
    assert alone is not None and alone.abilities.id == "example"


def test_what_is_left_open_is_settled_by_the_generator() -> None:
    """Room around footage goes to a model that draws it; the strength nobody chose is the one it declares."""
    draws = Abilities(
        id="draws", title="Draws", revision="1", steps=(8, 1, 30),
        modes=(ModeAbility(mode="stylize", controls=frozenset({"outpaint"}), strength=0.5),),
    )  # fmt: skip
    look = Look(preset="ink", outpaint=Outpaint(left=0.5))
    found = choose(look, registry(model("big"), draws), words)
    assert found is not None and found.abilities.id == "draws" and "around" in found.why
    made = settled(look, draws)
    assert (made.generator, made.outpaint, made.controls.strength) == ("draws", look.outpaint, 0.5)
    plain = settled(look, model("big"))
    assert (plain.outpaint, plain.controls.strength) == (Outpaint(), 1.0)
    chosen = Look(controls=Controls(strength=0.8))
    assert settled(chosen, draws).controls.strength == 0.8


def drawer(name: str, *, stills_only: bool = False) -> Abilities:
    """A model whose key frames can be carried on footage."""
    controls = frozenset({"prompt", "key_spacing"})
    served = ModeAbility(mode="stylize", controls=controls, stills_only=stills_only, carriers=("example", "video"))
    return Abilities(id=name, title=name.title(), revision="1", modes=(served,), steps=(8, 1, 30))


def test_key_frames_are_drawn_by_a_model_that_can() -> None:
    installed = registry(model("big"), drawer("keys"))
    found = choose(Look(prompt="watercolour", preset="ink", key_spacing=8), installed, words)
    assert found is not None and found.abilities.id == "keys" and "carried" in found.why
    assert (other := choose(Look(key_spacing=8), registry(model("big")), words)) is not None
    assert other.abilities.id == "example"


def test_what_can_be_carried_settles_the_key_frames() -> None:
    assert settled(Look(key_spacing=8), drawer("keys")).key_spacing == 8
    assert settled(Look(key_spacing=8), model("big")).key_spacing == 0
    assert settled(Look(), drawer("keys")).key_spacing == 0
    assert settled(Look(key_spacing=8, key_carrier="gone"), drawer("keys")).key_carrier == ""
    assert settled(Look(key_spacing=8, key_carrier="video"), drawer("keys")).key_carrier == "video"
    assert settled(Look(key_carrier="video"), drawer("keys")).key_carrier == ""
    assert settled(Look(), drawer("keys", stills_only=True)).key_spacing == -1


def test_the_model_that_takes_what_was_given_comes_first() -> None:
    def able(name: str, modes: tuple[str, ...], *controls: str) -> Abilities:
        served = tuple(ModeAbility(mode=mode, controls=frozenset({"prompt", *controls})) for mode in modes)
        return Abilities(id=name, title=name, revision="1", modes=served, steps=(8, 1, 30))

    making = ("text", "text_image", "image", "storyboard")
    begins = able("begins", making[1:], "first_frame")
    ends = able("ends", making[1:], "first_frame", "last_frame")
    anything = able("anything", making, "keys", "styles", "layout", "camera")
    installed = registry(begins, ends, anything)

    def chosen(look: Look) -> tuple[str, str]:
        choice = choose(look, installed, words)
        assert choice is not None
        return choice.abilities.id, choice.why

    first, last = PaintedKey(frame=0, digest=DIGEST), PaintedKey(frame=80, digest=DIGEST)
    middle = PaintedKey(frame=40, digest=DIGEST)
    image = Look(mode=Mode.IMAGE_TO_VIDEO, keys=(first,))
    assert chosen(image)[0] == "begins"
    assert chosen(replace(image, keys=(first, last))) == ("ends", "It takes a last frame.")
    assert chosen(replace(image, keys=(first, middle, last))) == ("anything", "It takes pictures at their times.")
    assert chosen(replace(image, camera=Camera(pan=2.0)))[1] == "It takes camera moves."
    board = Look(mode=Mode.STORYBOARD, prompt="a dog")
    assert chosen(board)[0] == "anything", "a picture-less panel needs a model that makes shots from words"
    assert chosen(replace(board, keys=(first,)))[0] == "begins"
    assert chosen(replace(board, layout=DIGEST)) == ("anything", "It takes a layout.")
    assert chosen(replace(board, styles=(StyleImage(digest=DIGEST),)))[0] == "anything"
