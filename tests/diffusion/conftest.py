"""Small checkpoints that the diffusion tests share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session", autouse=True)
def torch_as_the_program_loads_it() -> None:
    """What a test imports from the model libraries by itself comes after the program's own precautions."""
    from gen2studio.diffusion.runtime.torch_loading import load_torch

    load_torch()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random Wan VACE checkpoint with a patch VAE that reconstructs (any number of frames 4k+1)."""
    from tests.diffusion.tiny import build

    return build(tmp_path_factory.mktemp("models") / "tiny-patch", "patch")


@pytest.fixture(scope="session")
def tiny_causal_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a random Wan VACE checkpoint in the standard layout: four frames to a latent frame."""
    from tests.diffusion.tiny import build

    return build(tmp_path_factory.mktemp("models") / "tiny-causal", "causal")
