"""Looking at a training set before hours go into it: what an artist should know, one sentence for each finding.

Only what makes a training impossible is fatal (an image that can't be read, no image at all). Everything else is said
and left to the artist. No Qt here: the window and the command line ask the same questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gen2studio.core.errors import MediaError, sentence_of
from gen2studio.core.geometry import Extent
from gen2studio.core.records import dataclass
from gen2studio.document.model import TrainingImage, TrainingSet
from gen2studio.document.training_sets import FEWEST, MOST
from gen2studio.engine.frames import blob_picture, fitted
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import BlobRef
from gen2studio.engine.training_clips import frames_at, window_length

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ALIKE = 6
"""Bits of 64 in which the perceptual hashes of two pictures of the same view differ at most."""
_SMALLEST = 48
"""Pixels of the shorter side below which there is nothing to learn from."""
_THUMBNAIL = Extent(240, 240)
_LONGEST = 2.5
"""Aspect ratio beyond which the ends of a picture are cut off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What one image, cropped as the artist said, turned out to be."""

    width: int = 0
    height: int = 0
    hash: int = 0
    """64-bit perceptual hash."""
    problem: str = ""
    """Why it can't be read; everything else is zero then."""
    frames: int = 0
    """Of a clip, how many frames it has; ``hash`` and ``thumbnail`` are of the middle one. 0 = a picture."""
    rate: Fraction = Fraction(0)
    """Of a clip, its frames per second."""
    thumbnail: NDArray[np.uint8] | None = field(default=None, compare=False, repr=False)
    """(h, w, 3) uint8, at most 240 pixels wide and high, read-only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about one image, or about the whole set (``digest`` empty)."""

    digest: str
    kind: str
    """unreadable, missing, tiny, long, duplicate, no_caption, no_trigger, few, many, no_trigger_word, empty; of clips
    also short, slow and refused (the model does not learn from such)."""
    sentence: str
    fatal: bool = False


Facts = Mapping[str, ImageFacts]
"""By :func:`facts_key`."""


def facts_key(image: TrainingImage) -> str:
    """What the facts of an image depend on: its content and its crop."""
    return f"{image.digest}:{image.crop}"


def look_at(path: Path | None, image: TrainingImage) -> ImageFacts:
    """Read one image and measure it. Any thread; takes milliseconds to a second."""
    if path is None:
        return ImageFacts(problem="It is no longer in the project.")
    try:
        picture = blob_picture(BlobRef(digest=image.digest, path=str(path)))
    except (MediaError, OSError) as error:
        return ImageFacts(problem=sentence_of(error))
    return facts_of_picture(picture, image.crop)


def facts_of_picture(picture: NDArray[np.uint8], crop: tuple[float, float, float, float] | None) -> ImageFacts:
    """The facts of a (H, W, 3) picture, cropped to (x, y, width, height) in 0…1 of it."""
    height, width = picture.shape[:2]
    if crop is not None:
        x, y, wide, high = crop
        left, top = min(width - 1, round(x * width)), min(height - 1, round(y * height))
        picture = picture[
            top : max(top + 1, round((y + high) * height)), left : max(left + 1, round((x + wide) * width))
        ]
        height, width = picture.shape[:2]
    small = fitted(picture, Extent(width, height).scaled_to_fit(_THUMBNAIL)) if max(width, height) > 240 else picture
    small = np.ascontiguousarray(small)
    small.setflags(write=False)
    return ImageFacts(width=width, height=height, hash=perceptual_hash(picture), thumbnail=small)


def perceptual_hash(picture: NDArray[np.uint8]) -> int:
    """64 bits of a (H, W, 3) picture: signs of its lowest cosine frequencies against their median (pHash).

    Scaling, mild colour changes and compression leave nearly all bits alone.
    """
    import cv2

    grey = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].flatten()
    bits = low > np.median(low[1:])
    return int(sum(1 << i for i, bit in enumerate(bits) if bit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Learner:
    """What the checks need to know of the model that learns."""

    title: str = ""
    size: tuple[int, int] = (0, 0)
    """(width, height) it learns at; zeros = not known."""
    rate: Fraction | None = None
    """Frames per second it was made for."""
    clips: str = "may"
    """As :attr:`gen2studio.engine.generators.TrainingDefaults.clips`."""
    clip_frames: int = 0
    """Frames of a window of a clip; 0 = not known."""


def learner_of(abilities: Abilities | None, training_set: TrainingSet) -> Learner:
    """What the checks of a set need to know of the model it is trained on; None = none is installed."""
    if abilities is None:
        return Learner()
    native = abilities.native_sizes[0] if abilities.native_sizes else (0, 0)
    return Learner(
        title=abilities.title,
        size=training_set.size if any(training_set.size) else native,
        rate=abilities.native_rate,
        clips=abilities.training.clips,
        clip_frames=training_set.clip_frames or abilities.training.clip_frames,
    )


def check(
    training_set: TrainingSet, facts: Facts, learner: Learner | None = None, words: Sequence[str] = ()
) -> tuple[Finding, ...]:
    """Everything worth saying about a set, the whole set first. Images whose facts are not in yet are passed over.

    ``words`` are words the model gives a meaning of their own, which therefore make poor trigger words.
    """
    learns = learner or Learner()
    return (
        *_about_set(training_set, words),
        *(f for image in training_set.images for f in _about_image(training_set, image, facts, learns)),
    )


def _about_set(training_set: TrainingSet, words: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    count = len(training_set.images)
    if not count:
        found.append(
            Finding(
                digest="", kind="empty", sentence=f"Add {FEWEST} to {MOST} images or clips to train on.", fatal=True
            )
        )
    elif count < FEWEST:
        images = counted(training_set)
        found.append(
            Finding(
                digest="", kind="few", sentence=f"{images} will be learned by heart; {FEWEST} to {MOST} are better."
            )
        )
    elif count > MOST:
        found.append(
            Finding(
                digest="",
                kind="many",
                sentence=f"{counted(training_set)} need more steps; the best {MOST} usually do better.",
            )
        )
    trigger = training_set.trigger
    if not trigger:
        sentence = "Without a trigger word the adapter is always on."
        if training_set.method == "word":
            sentence = "A word that is to be learned needs a name."
        found.append(Finding(digest="", kind="no_trigger_word", sentence=sentence))
    elif trigger.casefold() in {word.casefold() for word in words}:
        found.append(
            Finding(
                digest="",
                kind="no_trigger_word",
                sentence=f"The model knows “{trigger}” already; a made-up word mixes less with what it means.",
            )
        )
    return found


def counted(training_set: TrainingSet) -> str:
    """“5 images”, “1 clip”, “5 images and 2 clips”."""
    clips = sum(image.clip is not None for image in training_set.images)
    images = len(training_set.images) - clips
    each = ((images, "image"), (clips, "clip"))
    return " and ".join(f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in each if count) or "0 images"


def _about_image(training_set: TrainingSet, image: TrainingImage, facts: Facts, learner: Learner) -> list[Finding]:
    found: list[Finding] = []
    mine = facts.get(facts_key(image))
    if mine is not None and mine.problem:
        return [Finding(digest=image.digest, kind="unreadable", sentence=mine.problem, fatal=True)]
    refusal = _refusal(image, learner)
    if refusal:
        return [Finding(digest=image.digest, kind="refused", sentence=refusal, fatal=True)]
    if mine is not None:
        found += _about_pixels(training_set, image, mine, facts, learner.size)
        if image.clip is not None:
            found += _about_motion(training_set, image, mine, learner)
    if not image.caption.strip():
        found.append(Finding(digest=image.digest, kind="no_caption", sentence="It has no caption: say what is in it."))
    elif training_set.method == "word":
        # Put before a caption that lacks it.
        return found
    elif training_set.trigger and training_set.trigger.casefold() not in image.caption.casefold():
        found.append(
            Finding(
                digest=image.digest,
                kind="no_trigger",
                sentence=f"Its caption lacks the trigger word “{training_set.trigger}”.",
            )
        )
    return found


def _refusal(image: TrainingImage, learner: Learner) -> str:
    if image.clip is not None and not learner.clips:
        return f"It is a clip, and {learner.title} learns from pictures only: choose a Wan model, or take it out."
    if image.clip is None and learner.clips == "must":
        return f"{learner.title} begins with a picture, so it learns from clips only: take this image out."
    return ""


def _about_motion(training_set: TrainingSet, image: TrainingImage, mine: ImageFacts, learner: Learner) -> list[Finding]:
    if image.clip is None:
        return []
    rate = None if training_set.every_frame else learner.rate
    seen = len(frames_at(image.clip.start, image.clip.stop, mine.rate, rate))
    found: list[Finding] = []
    if seen < 5:
        found.append(
            Finding(
                digest=image.digest,
                kind="short",
                sentence=f"It has {seen} frames at the model's rate, and nothing moves in fewer than 5: take it out.",
                fatal=True,
            )
        )
    elif learner.clip_frames and seen < learner.clip_frames:
        found.append(
            Finding(
                digest=image.digest,
                kind="short",
                sentence=f"It has {seen} frames at the model's rate: a window of "
                f"{window_length(seen, learner.clip_frames)} is cut from it instead of {learner.clip_frames}.",
            )
        )
    if rate is not None and 0 < mine.rate < rate * Fraction(9, 10):
        found.append(
            Finding(
                digest=image.digest,
                kind="slow",
                sentence=f"It has {float(mine.rate):g} frames a second and the model {float(rate):g}: what moves is "
                "learned faster than it is.",
            )
        )
    return found


def _about_pixels(
    training_set: TrainingSet, image: TrainingImage, mine: ImageFacts, facts: Facts, native: tuple[int, int]
) -> list[Finding]:
    found: list[Finding] = []
    short, long = sorted((mine.width, mine.height))
    wanted = min(native) if native[0] else 0
    if short < max(_SMALLEST, wanted // 2):
        learns = f"; the model learns at {native[0]} × {native[1]}" if wanted else ""
        found.append(
            Finding(
                digest=image.digest,
                kind="tiny",
                sentence=f"It is only {mine.width} × {mine.height} pixels{learns}: results will be soft.",
            )
        )
    if long > _LONGEST * short:
        found.append(
            Finding(
                digest=image.digest, kind="long", sentence="It is very long: its ends are cut off. Crop it yourself."
            )
        )
    for other in training_set.images:
        if other is image:
            break
        theirs = facts.get(facts_key(other))
        if theirs is not None and not theirs.problem and (theirs.hash ^ mine.hash).bit_count() <= _ALIKE:
            name = other.name or "another image"
            found.append(
                Finding(
                    digest=image.digest,
                    kind="duplicate",
                    sentence=f"It looks the same as {name}: one of them is enough.",
                )
            )
            break
    return found
