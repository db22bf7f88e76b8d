"""Importing torch beside a living window.

``import torch`` maps hundreds of megabytes of shared libraries while it holds the interpreter lock, and the window
stands still for a quarter of a second. Mapping them first through ctypes gives the lock away meanwhile (foreign calls
release it); the import then finds them in the process.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

_LIBRARIES = ("libtorch_global_deps.so", "libc10.so", "libtorch_cpu.so", "libtorch.so", "libtorch_python.so")
"""In the order they need each other; the CUDA ones are pulled in by libtorch.so where they are installed."""


def load_torch() -> ModuleType:
    """``import torch`` without freezing other threads. Call it on the engine thread. Raises ImportError."""
    if "torch" not in sys.modules:
        _map_libraries()
    return importlib.import_module("torch")


def _map_libraries() -> None:
    if not sys.platform.startswith("linux"):
        return
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return
    folder = Path(found.origin).parent / "lib"
    process = ctypes.CDLL(None)
    # Not ctypes.CDLL(path): that opens the library with the lock held.
    process.dlopen.restype = ctypes.c_void_p
    process.dlopen.argtypes = (ctypes.c_char_p, ctypes.c_int)
    for name in _LIBRARIES:
        path = folder / name
        if path.exists():
            process.dlopen(os.fsencode(path), os.RTLD_NOW | os.RTLD_GLOBAL)
