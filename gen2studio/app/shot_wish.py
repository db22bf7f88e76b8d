"""What a shot is wished to be, and the media item that stands for it. No Qt: the command line uses it too."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

from gen2studio.core.geometry import Extent
from gen2studio.core.ids import new_id
from gen2studio.core.records import dataclass
from gen2studio.document import shots
from gen2studio.document.model import MediaItem, Shot
from gen2studio.engine.generators import Abilities
from gen2studio.media.slate import SUFFIX, slate_fingerprint, slate_info

LEAD_FRAMES = 5
"""Frames, on the model's clock, that an extension sees of what comes before: two groups of a causal VAE."""
_SECONDS = Fraction(4)
_RATE = Fraction(24)


@dataclass(frozen=True, slots=True)
class ShotWish:
    """What the artist asks of a shot; the generator's sizes make pixels of it."""

    aspect: Fraction
    """Width to height."""
    seconds: Fraction
    rate: Fraction


def shot_for(wish: ShotWish, abilities: Abilities | None) -> Shot:
    """The shot that a wish becomes with a generator's native sizes. Raises EditRefused."""
    size = shots.shot_size(wish.aspect, abilities.native_sizes if abilities else ())
    return shots.shot_of(size, wish.rate, wish.seconds)


def default_wish(abilities: Abilities | None) -> ShotWish:
    """16:9, at the rate and of the length that a model was made for."""
    rate = (abilities.native_rate if abilities else None) or _RATE
    frames = abilities.native_frames if abilities else 0
    return ShotWish(shots.ASPECTS["16:9"], frames / rate if frames else _SECONDS, rate)


def lead_frames(rate: Fraction, abilities: Abilities | None) -> int:
    """How many frames of footage at ``rate`` make up :data:`LEAD_FRAMES` of the model's slower ones."""
    native = (abilities.native_rate if abilities else None) or rate
    return math.ceil(LEAD_FRAMES * max(Fraction(1), rate / native))


def shot_item(shot: Shot, name: str, folder: Path) -> MediaItem:
    """The media item of a new shot, with its slate to be written into ``folder``."""
    media_id = new_id("media")
    size = Extent(shot.width, shot.height)
    return MediaItem(
        id=media_id,
        name=name,
        path=(folder / f"{media_id}_slate{SUFFIX}").as_posix(),
        fingerprint=slate_fingerprint(size, shot.rate, shot.frames),
        info=slate_info(size, shot.rate, shot.frames),
        shot=shot,
    )
