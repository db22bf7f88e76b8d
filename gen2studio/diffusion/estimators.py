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


def structure_readers(without: frozenset[str] = frozenset()) -> tuple[tuple[str, str], ...]:
    """(structure source, what reads it here), as :attr:`gen2studio.engine.generators.Abilities.structure_readers`, of
    the sources that a model can follow: all but ``without``."""
    depth = depth_folder() is not None
    auto = (
        ("depth_pass", "a depth pass"),
        *((("depth", "Depth Anything V2"),) if depth else ()),
        *(("edges", "lines"), ("depth", "guessed depth"), ("layout", "flat regions of colour")),
    )
    # A depth pass is there or not; what comes after it is always there.
    first = [text for source, text in auto if source not in without][: 1 if "depth_pass" in without else 2]
    readers = (
        ("auto", ", else ".join(first)),
        ("depth_pass", "the pass itself"),
        ("depth", "Depth Anything V2 Small" if depth else "guessed from sharpness, position and motion (weak)"),
        ("edges", "lines of the luminance"),
        ("grey", "the luminance"),
        ("flow", "optical flow (DIS)"),
        ("layout", "flat regions of colour"),
        ("none", "nothing"),
    )
    return tuple(row for row in readers if row[0] not in without)
