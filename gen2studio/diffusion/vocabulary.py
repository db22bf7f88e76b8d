"""The words of the built-in mini model: what it was taught, and which everyday words mean the same.

The mini model knows one small procedural world. A word outside this table tells it nothing, so the prompt box marks
such words; synonyms are mapped to the taught word before the prompt is encoded. Nothing here imports torch.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from gen2studio.core.records import dataclass

SCENES: dict[str, str] = {
    "sea": "on the sea",
    "desert": "in the desert",
    "mountains": "in the mountains",
    "forest": "in the forest",
    "meadow": "on a meadow",
    "city": "in the city",
    "street": "on a street",
    "room": "in a room",
    "snow": "in the snow",
}
"""Scene word → how a caption says it."""

SUBJECTS: dict[str, str] = {
    "ball": "rolls",
    "car": "drives",
    "boat": "sails",
    "dog": "runs",
    "person": "walks",
    "bird": "flies",
    "balloon": "floats",
}
"""Subject word → its verb."""

STYLES: dict[str, str] = {
    "realistic": "a realistic clip of",
    "watercolor": "a watercolor painting of",
    "anime": "an anime drawing of",
    "noir": "a noir film of",
    "neon": "a neon picture of",
    "paper": "a paper collage of",
    "pixel": "pixel art of",
    "sketch": "a pencil sketch of",
}
"""Style word → how a caption opens."""

TIMES: dict[str, str] = {
    "day": "by day",
    "dawn": "at dawn",
    "sunset": "at sunset",
    "night": "at night",
    "fog": "in fog",
}
"""Light and weather word → how a caption says it."""

COLOURS: dict[str, tuple[float, float, float]] = {
    "red": (0.86, 0.13, 0.12),
    "orange": (0.97, 0.52, 0.08),
    "yellow": (0.97, 0.85, 0.15),
    "green": (0.15, 0.62, 0.22),
    "blue": (0.13, 0.32, 0.85),
    "purple": (0.52, 0.18, 0.70),
    "white": (0.94, 0.94, 0.94),
    "black": (0.09, 0.09, 0.11),
}
"""Colour word → linear-ish sRGB albedo in 0…1."""

CAMERAS: dict[str, str] = {
    "static": "static camera",
    "pan left": "the camera pans left",
    "pan right": "the camera pans right",
    "zoom in": "the camera zooms in",
    "zoom out": "the camera zooms out",
    "forward": "the camera moves forward",
}
"""Camera move → how a caption says it."""

SPEEDS: tuple[str, ...] = ("slowly", "fast")
DIRECTIONS: tuple[str, ...] = ("left", "right")

FILLERS: frozenset[str] = frozenset(
    ["a", "an", "the", "of", "in", "on", "at", "by", "with", "and", "to", "is", "it", "its", "still", "stands",
    "empty", "clip", "film", "picture", "painting", "drawing", "collage", "art", "camera", "pans", "zooms", "moves",
    "out", "forward", "static", "no", "nobody", "there"]
)  # fmt: skip
"""Grammar words that carry captions along."""

SYNONYMS: dict[str, str] = {
    # scenes
    "ocean": "sea", "water": "sea", "waves": "sea", "lake": "sea", "beach": "sea", "coast": "sea", "seaside": "sea",
    "harbour": "sea", "harbor": "sea", "river": "sea", "dunes": "desert", "dune": "desert", "sand": "desert",
    "sahara": "desert", "mountain": "mountains", "peak": "mountains", "peaks": "mountains", "alps": "mountains",
    "hills": "mountains", "rocks": "mountains", "cliff": "mountains", "cliffs": "mountains", "canyon": "mountains",
    "woods": "forest", "wood": "forest", "trees": "forest", "tree": "forest", "jungle": "forest", "woodland": "forest",
    "field": "meadow", "fields": "meadow", "grass": "meadow", "park": "meadow", "garden": "meadow", "lawn": "meadow",
    "countryside": "meadow", "flowers": "meadow", "prairie": "meadow", "town": "city", "skyline": "city",
    "skyscrapers": "city", "buildings": "city", "downtown": "city", "metropolis": "city", "urban": "city",
    "road": "street", "highway": "street", "avenue": "street", "alley": "street", "lane": "street", "house": "room",
    "interior": "room", "indoors": "room", "kitchen": "room", "bedroom": "room", "office": "room", "hall": "room",
    "snowy": "snow", "winter": "snow", "ice": "snow", "arctic": "snow", "snowfield": "snow", "frozen": "snow",
    # subjects
    "sphere": "ball", "football": "ball", "basketball": "ball", "bowl": "ball", "automobile": "car", "vehicle": "car",
    "truck": "car", "bus": "car", "taxi": "car", "van": "car", "ship": "boat", "sailboat": "boat", "yacht": "boat",
    "vessel": "boat", "puppy": "dog", "hound": "dog", "dalmatian": "dog", "retriever": "dog", "wolf": "dog",
    "cat": "dog", "fox": "dog", "horse": "dog", "animal": "dog", "man": "person", "woman": "person",
    "human": "person", "figure": "person", "child": "person", "boy": "person", "girl": "person", "people": "person",
    "someone": "person", "walker": "person", "runner": "person", "robot": "person", "astronaut": "person",
    "gull": "bird", "seagull": "bird", "crow": "bird", "pigeon": "bird", "eagle": "bird", "swan": "bird",
    "airship": "balloon", "blimp": "balloon", "walking": "walks", "walk": "walks", "running": "runs", "run": "runs",
    "jogs": "runs", "jogging": "runs", "driving": "drives", "drive": "drives", "rides": "drives",
    "sailing": "sails", "sail": "sails", "flying": "flies", "fly": "flies", "floating": "floats", "float": "floats",
    "drifts": "floats", "drifting": "floats", "rolling": "rolls", "roll": "rolls",
    # styles
    "photo": "realistic", "photograph": "realistic", "photoreal": "realistic", "photorealistic": "realistic",
    "real": "realistic", "cinematic": "realistic", "footage": "realistic", "natural": "realistic",
    "watercolour": "watercolor", "aquarelle": "watercolor", "wash": "watercolor", "painted": "painting",
    "painterly": "watercolor", "cartoon": "anime", "cel": "anime", "comic": "anime", "manga": "anime",
    "ghibli": "anime", "toon": "anime", "illustration": "anime", "animated": "anime", "monochrome": "noir",
    "greyscale": "noir", "grayscale": "noir", "cyberpunk": "neon", "synthwave": "neon", "glowing": "neon",
    "glow": "neon", "vaporwave": "neon", "electric": "neon", "cutout": "paper", "origami": "paper",
    "cardboard": "paper", "felt": "paper", "clay": "paper", "claymation": "paper", "pixelated": "pixel",
    "8bit": "pixel", "retro": "pixel", "voxel": "pixel", "lego": "pixel", "charcoal": "sketch", "ink": "sketch",
    "drawn": "sketch", "pencilled": "sketch", "scribble": "sketch", "etching": "sketch", "lineart": "sketch",
    # light and weather
    "daylight": "day", "sunny": "day", "noon": "day", "midday": "day", "afternoon": "day", "bright": "day",
    "daytime": "day", "morning": "dawn", "sunrise": "dawn", "dusk": "sunset", "evening": "sunset",
    "twilight": "sunset", "golden": "sunset", "midnight": "night", "dark": "night", "moonlight": "night",
    "moonlit": "night", "moon": "night", "nighttime": "night", "stars": "night", "starry": "night", "foggy": "fog",
    "mist": "fog", "misty": "fog", "haze": "fog", "hazy": "fog", "overcast": "fog", "cloudy": "fog", "rain": "fog",
    "rainy": "fog",
    # colours
    "crimson": "red", "scarlet": "red", "ruby": "red", "amber": "orange", "gold": "yellow", "lime": "green",
    "emerald": "green", "olive": "green", "navy": "blue", "azure": "blue", "cyan": "blue", "teal": "blue",
    "turquoise": "blue", "violet": "purple", "magenta": "purple", "pink": "purple", "lilac": "purple",
    "silver": "white", "ivory": "white", "pale": "white", "charcoal-black": "black", "ebony": "black",
    # camera and motion
    "pan": "pans", "panning": "pans", "zoom": "zooms", "zooming": "zooms", "dolly": "forward", "tracking": "forward",
    "pushes": "forward", "leftward": "left", "leftwards": "left", "rightward": "right", "rightwards": "right",
    "slow": "slowly", "calmly": "slowly", "gently": "slowly", "quickly": "fast", "quick": "fast", "rapidly": "fast",
    "speeding": "fast", "moving": "moves", "move": "moves", "movement": "moves", "motionless": "still",
    "standing": "stands", "stand": "stands", "sits": "stands", "sitting": "stands", "video": "clip", "movie": "film",
    "shot": "clip", "scene": "picture", "image": "picture", "render": "picture", "drawings": "drawing",
}  # fmt: skip
"""Everyday word → taught word (the nearest thing the little world has)."""

TRIGGERS: tuple[str, ...] = tuple(f"<trigger{i}>" for i in range(1, 17))
"""Words kept free for customizations: each is one token that no caption of the world ever uses."""


def _taught() -> frozenset[str]:
    words: set[str] = set(FILLERS) | set(SPEEDS) | set(DIRECTIONS)
    for table in (SCENES, STYLES, TIMES, CAMERAS):
        for word, phrase in table.items():
            words.update(word.split())
            words.update(phrase.split())
    words.update(COLOURS)
    for noun, verb in SUBJECTS.items():
        words.update((noun, verb))
    return frozenset(words)


KNOWN: frozenset[str] = _taught()
"""Every word that the mini model's captions were written with."""

_TOKEN = re.compile(r"<trigger\d+>|[a-z0-9][a-z0-9'-]*", re.IGNORECASE)


@dataclass(frozen=True)
class Understood:
    """One word of a prompt: as typed, whether the model gets anything from it, and the taught word it becomes."""

    word: str
    known: bool
    mapped: str
    start: int
    end: int

    def __iter__(self):  # (word, known, mapped) unpacks
        return iter((self.word, self.known, self.mapped))


def _lookup(word: str) -> str | None:
    low = word.lower()
    if low in KNOWN or low in TRIGGERS:
        return low
    if low in SYNONYMS:
        return SYNONYMS[low]
    # Plurals and possessives of taught or mapped words.
    for stem in (low.removesuffix("'s"), low.removesuffix("s"), low.removesuffix("es")):
        if stem != low and (stem in KNOWN or stem in SYNONYMS):
            return stem if stem in KNOWN else SYNONYMS[stem]
    return None


def understood(prompt: str) -> list[Understood]:
    """Every word of ``prompt`` in order, with the taught word it maps to (itself when unknown). Positions are
    character offsets for marking."""
    found: list[Understood] = []
    for match in _TOKEN.finditer(prompt):
        mapped = _lookup(match.group())
        found.append(
            Understood(match.group(), mapped is not None, mapped or match.group().lower(), match.start(), match.end())
        )
    return found


def normalise(prompt: str, keep: Collection[str] = ()) -> str:
    """``prompt`` in taught words only: synonyms mapped, unknown words dropped unless listed in ``keep`` (the trigger
    words of customizations in use). Repeated neighbours ("real photo") are said once."""
    kept = {word.lower() for word in keep}
    words: list[str] = []
    for item in understood(prompt):
        if not item.known and item.mapped not in kept:
            continue
        if not words or words[-1] != item.mapped:
            words.append(item.mapped)
    return " ".join(words)
