"""Older project files, brought up one version at a time. Each step is a pure function on decoded JSON.

Add a step here and an example of the older file to the tests whenever ``VERSION`` grows; never change an old step.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gen2studio.core.errors import ProjectError
from gen2studio.document.codec_reader import Node, complain

VERSION = 4

Json = dict[str, Any]


def _pair_to_text(value: Any) -> Any:
    """``[30000, 1001]`` → ``"30000/1001"``."""
    if isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value):
        return f"{value[0]}/{value[1]}"
    return value


def _from_0(data: Json) -> Json:
    """Version 0 wrote fractions as pairs, mattes keyed by frame, a seed without its lock, and no default look."""
    root = Node(data, "it")

    def with_lock(look: Any) -> Any:
        return {"seed_locked": True, **look} if isinstance(look, dict) else look

    for node in root.nodes("media", "media"):
        info = node.node("info").data
        for key in ("pixel_aspect", "rate", "duration"):
            info[key] = _pair_to_text(info.get(key))
        if isinstance(info.get("audio"), dict):
            info["audio"]["duration"] = _pair_to_text(info["audio"].get("duration"))
    for sequence in root.nodes("sequences", "sequence"):
        sequence.data["rate"] = _pair_to_text(sequence.raw("rate"))
        for track in sequence.nodes("tracks", "track"):
            for clip in track.nodes("clips", "clip"):
                for key in ("in", "speed"):
                    clip.data[key] = _pair_to_text(clip.raw(key))
                clip.data["look"] = with_lock(clip.data.get("look"))
    for mask in root.nodes("masks", "mask"):
        frames = mask.raw("frames")
        if not isinstance(frames, dict) or not all(key.isdecimal() and len(key) < 13 for key in frames):
            complain(mask.where, "has no valid frames")
        mask.data["frames"] = [[int(k), *v] if isinstance(v, list) else v for k, v in frames.items()]
    for take in root.nodes("takes", "take"):
        take.data["look"] = with_lock(take.data.get("look"))
    data.setdefault("default_look", json.loads(_LOOK_1))
    return data


_LOOK_1 = """{"mode": "stylize", "generator": "example", "preset": "", "styles": [], "keys": [], "pattern": null,
"prompt": "", "negative_prompt": "", "region": "all", "mask_objects": [], "controls": {"structure": 2.0,
"style_weight": 1.0, "consistency": 1.0, "stroke_size": 1.0, "strength": 1.0, "protect_skin": 0.0,
"preserve_luminance": 1.0, "feather": 1.0, "grow": 0}, "seed": 1, "seed_locked": true}"""
"""The look that version 1 began with."""

_LOOK_2 = """{"structure_source": "auto", "depth_pass": null, "fill": "shape", "camera": {"horizontal": 0.0,
"vertical": 0.0, "zoom": 0.0, "pan": 0.0, "tilt": 0.0, "roll": 0.0, "static": false}, "motion_regions": [],
"adapters": [], "layout": ""}"""
"""What version 2 added to a look."""
_CONTROLS_2 = {"guidance": 0.0, "steps": 0, "motion": 5.0, "control_scale": 1.0}


def _from_1(data: Json) -> Json:
    """Version 1 knew footage and the example-based generator only: no shots, storyboards, training sets, cameras.

    Looks keep the generator they name, so that an old project goes on looking as it did.
    """
    root = Node(data, "it")

    def widen(look: Any) -> None:
        if isinstance(look, dict):
            look.update({key: value for key, value in json.loads(_LOOK_2).items() if key not in look})
            if isinstance(look.get("controls"), dict):
                look["controls"] = {**_CONTROLS_2, **look["controls"]}

    widen(data.get("default_look"))
    for node in root.nodes("media", "media"):
        node.data.setdefault("shot", None)
    for sequence in root.nodes("sequences", "sequence"):
        for track in sequence.nodes("tracks", "track"):
            for clip in track.nodes("clips", "clip"):
                widen(clip.data.get("look"))
    for take in root.nodes("takes", "take"):
        widen(take.data.get("look"))
    data.setdefault("boards", [])
    data.setdefault("training_sets", [])
    return data


def _from_2(data: Json) -> Json:
    """Version 2 knew mask objects that are only painted and add up."""
    for mask in Node(data, "it").nodes("masks", "mask"):
        mask.data.setdefault("blend", "add")
        mask.data.setdefault("shapes", [])
        mask.data.setdefault("refinement", {})
    return data


def _from_3(data: Json) -> Json:
    """Version 3 wrote every value of a clip; clips could be neither blended, moved in the frame, turned round nor
    joined by transitions. All it wrote is read as before, and what it did not write is as on a new clip."""
    return data


MIGRATIONS: dict[int, Callable[[Json], Json]] = {0: _from_0, 1: _from_1, 2: _from_2, 3: _from_3}
"""Version → the step to the next one."""


def migrate(data: Json) -> Json:
    """Bring decoded JSON to :data:`VERSION`. Raises ProjectError for files from a newer program. Changes ``data``."""
    node = Node(data, "it")
    if node.raw("format", None) != "gen2studio":
        raise ProjectError("This is not a Gen2 Studio project.", "Choose a .g2s project.")
    version = node.integer("version")
    if version > VERSION:
        raise ProjectError("This project was saved by a newer Gen2 Studio.", "Update Gen2 Studio, then open it again.")
    while version < VERSION:
        data = MIGRATIONS[version](data)
        version += 1
        data["version"] = version
    return data
