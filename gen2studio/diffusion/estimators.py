"""Where optional networks that read footage lie, and what would read it here. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path

from gen2studio.core import paths

DEPTH_FOLDER = "models/depth-anything-v2-small"
"""Inside the data folder: Depth Anything V2 Small in transformers' layout."""


def depth_folder() -> Path | None:
    """The folder of the depth network, when its files are there."""
    folder = paths.data_dir() / DEPTH_FOLDER
    there = (folder / "config.json").is_file() and any(folder.glob("*.safetensors"))
    return folder if there else None


def structure_readers() -> tuple[tuple[str, str], ...]:
    """(structure source, what reads it here), as :attr:`gen2studio.engine.generators.Abilities.structure_readers`."""
    depth = depth_folder() is not None
    return (
        ("auto", "a depth pass, else Depth Anything V2" if depth else "a depth pass, else lines"),
        ("depth_pass", "the pass itself"),
        ("depth", "Depth Anything V2 Small" if depth else "guessed from sharpness, position and motion (weak)"),
        ("edges", "lines of the luminance"),
        ("grey", "the luminance"),
        ("flow", "optical flow (DIS)"),
        ("layout", "flat regions of colour"),
        ("none", "nothing"),
    )
