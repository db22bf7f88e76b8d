"""What has to be settled before a model library is imported: no network, no foreign code, no broken torchvision.

The libraries read these settings once, while they are imported. Called by :mod:`torch_loading`, so that there is no way
around it.
"""

from __future__ import annotations

import functools
import os
import re
import sys

_SETTINGS = {
    "DIFFUSERS_DISABLE_REMOTE_CODE": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    # Would fetch compiled code from the hub for GGUF files.
    "DIFFUSERS_GGUF_CUDA_KERNELS": "false",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    # A tokenizer that forked threads would warn, or deadlock, in a program with child processes.
    "TOKENIZERS_PARALLELISM": "false",
}


def guard_imports() -> None:
    """Set the environment the model libraries read at import, and hide a torchvision that would break them.

    Cheap and repeatable: no library is imported.
    """
    os.environ.update(_SETTINGS)
    os.environ.pop("DIFFUSERS_TRUST_REMOTE_KERNELS", None)
    _hide_torchvision()


@functools.lru_cache(maxsize=1)
def _hide_torchvision() -> None:
    """Once: :mod:`torchvision_operators` may let it in again."""
    if torchvision_mismatch() and "torchvision" not in sys.modules:
        # None makes "import torchvision" fail like a package that is not installed, which the libraries can live with.
        sys.modules["torchvision"] = None  # type: ignore[assignment]


@functools.lru_cache(maxsize=1)
def torchvision_mismatch() -> str:
    """One sentence when the installed torchvision was built for another torch; empty when it fits or is not there.

    Such a pair fails deep inside the import of the model libraries.
    """
    # Imports an e-mail parser; this module is there before the window is.
    import importlib.metadata

    try:
        vision, torch = importlib.metadata.version("torchvision"), importlib.metadata.version("torch")
        needs = importlib.metadata.requires("torchvision") or []
    except importlib.metadata.PackageNotFoundError:
        return ""
    return mismatch(torch, vision, needs)


def other_version() -> bool:
    """Whether the installed torchvision was made for another version of torch, not only for another build of it."""
    return "made for torch" in torchvision_mismatch()


def mismatch(torch: str, vision: str, needs: list[str]) -> str:
    """The sentence for versions ``torch`` and ``vision``, whose metadata asks for ``needs``."""
    wanted = next((found[1] for line in needs if (found := re.match(r"torch\s*\(?==\s*([\w.+]+)", line))), "")
    base, _, build = torch.partition("+")
    vision_build = vision.partition("+")[2]
    if wanted and wanted.partition("+")[0] != base:
        return f"torchvision {vision} was made for torch {wanted.partition('+')[0]} and torch {torch} is installed."
    if build != vision_build:
        return f"torchvision {vision} and torch {torch} are of different builds."
    return ""
