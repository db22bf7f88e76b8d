"""Importing torch and the model libraries beside a living window.

``import torch`` maps hundreds of megabytes of shared libraries while it holds the interpreter lock, and the window
stands still for a quarter of a second. Mapping them first through ctypes gives the lock away meanwhile (foreign calls
release it); the import then finds them in the process. What is left are the libraries' own Python modules, between
whose bytecodes the lock changes hands, and the garbage collector, which rests while they come.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import mmap
import os
import sys
from pathlib import Path
from types import ModuleType

from gen2studio.core.garbage import collector_paused
from gen2studio.diffusion.runtime.guarding import guard_imports
from gen2studio.diffusion.runtime.torchvision_operators import admit_torchvision

_LIBRARIES = ("libtorch_global_deps.so", "libc10.so", "libtorch_cpu.so", "libtorch.so", "libtorch_python.so")
"""In the order they need each other; the CUDA ones are pulled in by libtorch.so where they are installed."""
_BINDINGS = "libtorch_python.so"
_MODEL_MODULES = (
    "diffusers",
    "diffusers.schedulers.scheduling_unipc_multistep",
    "diffusers.schedulers.scheduling_flow_match_euler_discrete",
    "diffusers.models.autoencoders.autoencoder_kl_wan",
    "diffusers.models.transformers.transformer_wan_vace",
    "transformers.models.umt5.modeling_umt5",
    "transformers.models.t5.tokenization_t5",
    "diffusers.pipelines.wan.pipeline_wan_vace",
)
"""What the Wan VACE pipeline is made of, from the parts to the whole."""
_MADV_POPULATE_READ = 22


def load_torch() -> ModuleType:
    """``import torch`` without freezing other threads. Call it on the engine thread. Raises ImportError."""
    guard_imports()
    if "torch" not in sys.modules:
        _map_libraries()
        with collector_paused():
            importlib.import_module("torch")
    admit_torchvision()
    return sys.modules["torch"]


def load_diffusers() -> ModuleType:
    """``import diffusers`` with the Wan VACE pipeline and its text encoder, without freezing other threads.

    Call it on the engine thread; it takes seconds. Raises ImportError.
    """
    load_torch()
    with collector_paused():
        for name in _MODEL_MODULES:
            importlib.import_module(name)
    # Their bars go to a terminal nobody sees, and even a silent one starts a monitoring thread.
    for name in ("diffusers", "transformers"):
        sys.modules[name].utils.logging.disable_progress_bar()
    importlib.import_module("tqdm").tqdm.monitor_interval = 0
    return sys.modules["diffusers"]


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
    _touch(process, _BINDINGS)


def _touch(process: ctypes.CDLL, library: str) -> None:
    """Bring the pages of a mapped library into memory: its start function runs with the lock held, over all of it."""
    process.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    with open("/proc/self/maps", encoding="utf-8") as maps:
        for line in maps:
            if line.rstrip().endswith(f"/{library}"):
                start, end = (int(part, 16) for part in line.split()[0].split("-"))
                # Linux before 5.14 does not know this advice and says so; the pages then come when they are used.
                process.madvise(start, (end - start) // mmap.PAGESIZE * mmap.PAGESIZE, _MADV_POPULATE_READ)
