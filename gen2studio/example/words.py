"""The words the example-based generator understands: media, light, colours and patterns. Everything else is said to
be unknown.

This is a vocabulary, not a language model: "a white dog with black spots" is read as base white, pattern spots, ink
black;
"dog" is a word only a model with text understanding could act on.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import replace

from gen2studio.core.records import dataclass

Colour = tuple[int, int, int]

COLOURS: dict[str, Colour] = {
    "white": (245, 243, 238), "black": (22, 20, 20), "grey": (128, 128, 128), "silver": (190, 194, 200),
    "red": (200, 36, 36), "crimson": (165, 20, 48), "scarlet": (222, 44, 30), "maroon": (110, 22, 30),
    "orange": (236, 122, 28), "amber": (240, 168, 40), "gold": (214, 168, 58), "yellow": (244, 208, 52),
    "lime": (160, 210, 50), "green": (52, 140, 62), "olive": (120, 122, 48), "emerald": (20, 146, 96),
    "mint": (158, 222, 190), "teal": (22, 128, 132), "turquoise": (56, 196, 190), "cyan": (40, 190, 222),
    "blue": (42, 82, 190), "navy": (24, 36, 92), "azure": (70, 150, 230), "indigo": (64, 48, 148),
    "purple": (122, 52, 160), "violet": (140, 82, 200), "lavender": (190, 170, 230), "magenta": (208, 44, 150),
    "pink": (240, 142, 176), "rose": (220, 96, 120), "brown": (112, 70, 42), "chocolate": (84, 48, 30),
    "tan": (202, 166, 120), "beige": (226, 208, 178), "cream": (248, 236, 208), "ivory": (250, 244, 226),
    "copper": (184, 108, 62),
}  # fmt: skip
"""sRGB of every colour word."""

PATTERNS: dict[str, str] = {
    "spots": "spots", "spot": "spots", "spotted": "spots", "dots": "spots", "dot": "spots", "dotted": "spots",
    "polka": "spots", "dalmatian": "spots", "leopard": "spots", "patches": "spots", "speckled": "spots",
    "stripes": "stripes", "stripe": "stripes", "striped": "stripes", "zebra": "stripes", "tiger": "stripes",
    "banded": "stripes", "plaid": "plaid", "tartan": "plaid", "checked": "plaid", "checkered": "plaid",
    "chequered": "plaid", "gingham": "plaid",
}  # fmt: skip

_ADJECTIVES = frozenset(
    {
        "spotted",
        "dotted",
        "striped",
        "banded",
        "speckled",
        "checked",
        "checkered",
        "chequered",
        "plaid",
        "tartan",
        "gingham",
    }
)
_ANIMALS: dict[str, tuple[Colour, Colour]] = {
    "dalmatian": (COLOURS["white"], COLOURS["black"]),
    "zebra": (COLOURS["white"], COLOURS["black"]),
    "tiger": (COLOURS["orange"], COLOURS["black"]),
    "leopard": (COLOURS["tan"], COLOURS["chocolate"]),
}

GRADES: dict[str, str] = {
    "sunset": "sunset", "sunrise": "sunrise", "dawn": "sunrise", "dusk": "dusk", "twilight": "dusk",
    "golden hour": "golden", "golden": "golden", "night": "night", "moonlight": "night", "midnight": "night",
    "winter": "winter", "snowy": "winter", "cold": "winter", "icy": "winter", "autumn": "autumn", "fall": "autumn",
    "summer": "summer", "sunny": "summer", "spring": "spring", "foggy": "fog", "fog": "fog", "misty": "fog",
    "hazy": "fog", "stormy": "storm", "storm": "storm", "rainy": "storm", "warm": "warm", "cool": "cool",
    "vivid": "vivid", "vibrant": "vivid", "saturated": "vivid", "muted": "muted", "faded": "faded",
    "vintage": "faded", "retro": "faded", "sepia": "sepia", "monochrome": "mono", "black and white": "mono",
    "greyscale": "mono", "dark": "dark", "bright": "bright", "pastel colours": "soft", "dreamy": "soft",
    "dramatic": "dramatic", "cinematic": "cinematic",
}  # fmt: skip
"""Light, weather and time words to grade names (see :mod:`gen2studio.example.grades`)."""

_SIZES = {
    "tiny": 0.5,
    "small": 0.65,
    "fine": 0.6,
    "thin": 0.6,
    "narrow": 0.65,
    "big": 1.6,
    "large": 1.7,
    "wide": 1.7,
    "bold": 1.5,
    "huge": 2.4,
}
_SHADES = {"dark": 0.55, "deep": 0.7, "light": 1.35, "pale": 1.5, "bright": 1.15}
_GLUE = frozenset({
    "a", "an", "the", "of", "in", "on", "with", "and", "or", "as", "like", "into", "to", "its", "his", "her",
    "their", "my", "at", "by", "for", "from", "make", "made", "look", "looks", "looking", "turn", "turned", "style",
    "styled", "painting", "painted", "paint", "drawing", "drawn", "picture", "image", "illustration", "art",
    "artistic", "print", "effect", "version", "scene", "video", "film", "colour", "color", "colours", "colors",
    "coloured", "colored", "coat", "pattern", "patterned", "light", "lighting", "time", "day", "season", "mood",
    "tone", "tones",
})  # fmt: skip
_SPELLING = {"gray": "grey", "watercolor": "watercolour", "grayscale": "greyscale", "golden-hour": "golden hour"}
_TOKEN = re.compile(r"[\w'’-]+", re.UNICODE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternWish:
    """A region edit read from words; ``None`` = not said."""

    kind: str = "none"
    base: Colour | None = None
    ink: Colour | None = None
    scale: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a prompt asks for in terms this generator can act on."""

    preset: str = ""
    grades: tuple[str, ...] = ()
    colours: tuple[Colour, ...] = ()
    pattern: PatternWish | None = None
    unknown: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        return not (self.preset or self.grades or self.colours or self.pattern)


@dataclass(slots=True)
class _Token:
    typed: str
    text: str
    meaning: str = ""
    """preset, grade, colour, pattern, size, shade, glue or empty."""
    value: str = ""


def understood(prompt: str) -> list[tuple[str, bool]]:
    """Every word of ``prompt`` in order, as typed, and whether it is understood (small connecting words count as
    such)."""
    return [(t.typed, bool(t.meaning)) for t in _read(prompt)]


def weighed(prompt: str) -> list[tuple[str, bool, bool]]:
    """(word, understood, filler) of every word: a filler (connecting words, sizes, shades) asks for nothing alone."""
    return [(t.typed, bool(t.meaning), t.meaning in ("glue", "size", "shade")) for t in _read(prompt)]


def vocabulary() -> tuple[str, ...]:
    """Every word and phrase that is understood, sorted."""
    from gen2studio.example.looks import preset_words

    return tuple(sorted({*COLOURS, *PATTERNS, *GRADES, *preset_words(), *_SIZES, *_SHADES}))


def parse(prompt: str) -> Intent:
    """Read ``prompt``. Never raises; an empty :class:`Intent` means that nothing was understood."""
    tokens = _read(prompt)
    presets = [t.value for t in tokens if t.meaning == "preset"]
    shaded = _colours(tokens)
    return Intent(
        preset=presets[0] if presets else "",
        grades=tuple(dict.fromkeys(t.value for t in tokens if t.meaning == "grade")),
        colours=tuple(c for _, c in shaded),
        pattern=_pattern(tokens, shaded),
        unknown=tuple(dict.fromkeys(t.typed for t in tokens if not t.meaning)),
    )


def _read(prompt: str) -> list[_Token]:
    from gen2studio.example.looks import preset_words

    presets = preset_words()
    words = [m.group(0) for m in _TOKEN.finditer(prompt)]
    plain = [_SPELLING.get(w.lower(), w.lower()) for w in words]
    tokens = [_Token(w, p) for w, p in zip(words, plain, strict=True)]
    for length in (3, 2, 1):
        for i in range(len(tokens) - length + 1):
            group = tokens[i : i + length]
            if any(t.meaning for t in group):
                continue
            meaning, value = _meaning(" ".join(t.text for t in group), presets)
            if meaning:
                for k, token in enumerate(group):
                    token.meaning, token.value = (meaning, value) if k == 0 else ("glue", "")
    _settle_shades(tokens)
    return tokens


def _meaning(text: str, presets: dict[str, str]) -> tuple[str, str]:
    if text in presets:
        return "preset", presets[text]
    if text in COLOURS:
        return "colour", text
    if text in PATTERNS:
        return "pattern", text
    if text in GRADES:
        return "grade", GRADES[text]
    if text in _SIZES:
        return "size", text
    if text in _SHADES:
        return "shade", text
    return ("glue", "") if text in _GLUE else ("", "")


def _settle_shades(tokens: list[_Token]) -> None:
    """ "dark" and "bright" before a colour are shades of it, else light words; "black and white" with a pattern is
    two colours."""
    for token, following in itertools.pairwise(tokens):
        if token.text in _SHADES and following.meaning == "colour":
            token.meaning, token.value = "shade", token.text
    if any(t.meaning == "pattern" for t in tokens):
        for i, token in enumerate(tokens):
            if token.text == "black" and token.meaning == "grade":
                token.meaning, token.value = "colour", "black"
                tokens[i + 2].meaning, tokens[i + 2].value = "colour", "white"


def _colours(tokens: list[_Token]) -> list[tuple[int, Colour]]:
    found: list[tuple[int, Colour]] = []
    for i, token in enumerate(tokens):
        if token.meaning == "colour":
            colour = COLOURS[token.value]
            if i and tokens[i - 1].meaning == "shade":
                colour = _shaded(colour, _SHADES[tokens[i - 1].value])
            found.append((i, colour))
    return found


def _shaded(colour: Colour, factor: float) -> Colour:
    if factor <= 1:
        return (round(colour[0] * factor), round(colour[1] * factor), round(colour[2] * factor))
    lift = (factor - 1) * 0.9
    r, g, b = (round(c + (255 - c) * min(lift, 0.7)) for c in colour)
    return (r, g, b)


def _pattern(tokens: list[_Token], colours: list[tuple[int, Colour]]) -> PatternWish | None:
    where = next((i for i, t in enumerate(tokens) if t.meaning == "pattern"), None)
    if where is None:
        return None
    word = tokens[where].value
    scale = 1.0
    for token in tokens:
        if token.meaning == "size":
            scale *= _SIZES[token.value]
    wish = PatternWish(kind=PATTERNS[word], scale=scale)
    if not colours:
        base, ink = _ANIMALS.get(word, (None, None))
        return replace(wish, base=base, ink=ink)
    if len(colours) == 1:
        at, colour = colours[0]
        if word in _ADJECTIVES or at > where:
            return replace(wish, base=colour)
        return replace(wish, ink=colour)
    split = next((i for i, t in enumerate(tokens) if t.text in ("with", "on") and i > colours[0][0]), None)
    before = [c for i, c in colours if split is not None and i < split]
    after = [c for i, c in colours if split is not None and i > split]
    if split is not None and before and after:
        first, last = before[0], after[0]
        return (
            replace(wish, base=last, ink=first) if tokens[split].text == "on" else replace(wish, base=first, ink=last)
        )
    return replace(wish, base=colours[0][1], ink=colours[1][1])
