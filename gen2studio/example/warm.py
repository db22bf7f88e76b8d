"""Compiling the kernels ahead of time: ``python -m gen2studio.example.warm``.

Set-up scripts run it once, and the window runs it as a child process when it finds the cache cold, so that an artist's
first still does not wait for the compiler. Importing this module loads neither numba nor OpenCV.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import sys
from pathlib import Path

import platformdirs

from gen2studio.core import paths


def kernel_cache() -> Path:
    """The folder compiled kernels are kept in; made when missing."""
    named = os.environ.get("GEN2STUDIO_KERNEL_CACHE") or os.environ.get("NUMBA_CACHE_DIR")
    if named:
        folder = Path(named)
    elif (Path(__file__).resolve().parents[2] / "pyproject.toml").is_file():
        folder = Path(platformdirs.user_cache_dir("gen2studio")) / "kernels"
    else:
        folder = paths.cache_dir("kernels")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _stamp() -> Path:
    """A file that says: these sources are compiled by this numba on this Python."""
    digest = hashlib.sha256(f"{importlib.metadata.version('numba')} {sys.version}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return kernel_cache() / f"ready-{digest.hexdigest()[:16]}"


def is_warm() -> bool:
    """Whether :func:`warm` has run for this version of the kernels."""
    return _stamp().exists()


def warm() -> None:
    """Compile or load every kernel (4 to 20 s when cold), then remember that."""
    from gen2studio.example.kernels import warm_up

    warm_up()
    stamp = _stamp()
    for old in stamp.parent.glob("ready-*"):
        old.unlink(missing_ok=True)
    stamp.touch()


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(10)
    warm()
