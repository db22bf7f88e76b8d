"""What can be in a clip of the world, and the captions that say so. No torch here."""

from __future__ import annotations

import dataclasses
import random
from dataclasses import dataclass

from gen2studio.diffusion.vocabulary import CAMERAS, COLOURS, SCENES, STYLES, SUBJECTS, TIMES

SEA_SUBJECTS = ("boat", "bird", "balloon", "ball")
ROOM_SUBJECTS = ("ball", "dog", "person", "car", "balloon")
LAND_SUBJECTS = ("ball", "car", "dog", "person", "bird", "balloon")


@dataclass(frozen=True)
class ClipSpec:
    """Everything that decides a clip except its size. ``subject`` "none" leaves the scene empty; ``direction`` is
    "left", "right" or "still"; ``speed`` "slowly" or "fast"; ``seed`` draws the geometry."""

    scene: str
    subject: str
    colour: str
    style: str
    time: str
    direction: str
    speed: str
    camera: str
    seed: int

    def restyled(self, style: str, time: str) -> ClipSpec:
        """The same geometry and motion in another look."""
        return dataclasses.replace(self, style=style, time=time)


def subjects_of(scene: str) -> tuple[str, ...]:
    """The subjects that make sense in ``scene``."""
    return SEA_SUBJECTS if scene == "sea" else ROOM_SUBJECTS if scene == "room" else LAND_SUBJECTS


def draw_spec(rng: random.Random, *, scene: str | None = None, subject: str | None = None) -> ClipSpec:
    """A random clip. About one clip in ten is an empty scene."""
    where = scene or rng.choice(list(SCENES))
    what = subject or (rng.choice(subjects_of(where)) if rng.random() > 0.08 else "none")
    style = "realistic" if rng.random() < 0.22 else rng.choice(list(STYLES))
    return ClipSpec(
        scene=where,
        subject=what,
        colour=rng.choice(list(COLOURS)),
        style=style,
        time=rng.choice(list(TIMES)),
        direction="still" if rng.random() < 0.2 else rng.choice(("left", "right")),
        speed=rng.choice(("slowly", "fast")),
        camera="static" if rng.random() < 0.4 else rng.choice(list(CAMERAS)),
        seed=rng.randrange(1 << 30),
    )


def caption(spec: ClipSpec, rng: random.Random | None = None, *, drop: tuple[str, ...] = ()) -> str:
    """A sentence that is true of ``spec``. Without ``rng`` the full canonical sentence; with one, order and detail vary
    as prompts do. ``drop`` leaves parts unsaid: "style", "time", "colour", "camera", "motion", "scene"."""

    def said(part: str, chance: float) -> bool:
        return part not in drop and (rng is None or rng.random() < chance)

    if spec.subject == "none":
        thing = "empty" if rng is not None and rng.random() < 0.3 else "nobody"
    else:
        colour = spec.colour if said("colour", 0.92) else ""
        article = "an" if (colour or spec.subject)[0] in "aeiou" else "a"
        thing = " ".join(word for word in (article, colour, spec.subject) if word)
        if said("motion", 0.75):
            if spec.direction == "still":
                thing += " stands still"
            else:
                thing += f" {SUBJECTS[spec.subject]} {spec.direction} {spec.speed}"
    parts = [thing]
    if said("scene", 0.97):
        parts.append(SCENES[spec.scene])
    if said("time", 0.95):
        parts.append(TIMES[spec.time])
    if rng is not None and rng.random() < 0.2:
        head, tail = parts[:1], parts[1:]
        rng.shuffle(tail)
        parts = head + tail
    text = " ".join(parts)
    if said("style", 0.97):
        if rng is not None and rng.random() < 0.25:
            text = f"{text} {spec.style}"
        else:
            text = f"{STYLES[spec.style]} {text}"
    if said("camera", 0.6 if spec.camera == "static" else 0.85):
        text = f"{text} {CAMERAS[spec.camera]}"
    return " ".join(text.split())
