"""What this machine computes with: the device, its memory, and which number formats are worth using on it.

:func:`quick_machine` asks the driver without importing torch, for lists that must be there before anything is loaded;
:func:`this_machine` asks torch itself and is what a run goes by.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gen2studio.core.records import dataclass
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.engine.budget import free_memory, size_text

_ASSUMED_MEMORY = 8 << 30
"""Bytes taken for main memory where the system does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where models run. Bytes are what is free for us."""

    device: str
    """cuda, mps or cpu."""
    name: str
    """In words: "NVIDIA GeForce RTX 4070" or "8 processor cores"."""
    device_free: int = 0
    """Bytes free on the accelerator; 0 without one of its own (cpu, mps)."""
    device_total: int = 0
    memory_free: int = _ASSUMED_MEMORY
    """Bytes of main memory free."""
    bf16: bool = False
    """bfloat16 computes at least as fast as float32 here."""
    fp8_storage: bool = False
    """Weights can be stored as float8 and widened layer by layer."""
    cores: int = 1

    def describe(self) -> str:
        """``NVIDIA GeForce RTX 4070, 11.2 GB of 12.0 GB free``."""
        if self.device == "cuda":
            return f"{self.name}, {size_text(self.device_free)} of {size_text(self.device_total)} free"
        return f"{self.name}, {size_text(self.memory_free)} of memory free"


def this_machine() -> Machine:
    """Ask torch. Call it on the engine thread: the first call imports torch."""
    torch: Any = load_torch()
    memory = free_memory() or _ASSUMED_MEMORY
    cores = os.cpu_count() or 1
    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        # What our own allocator keeps for later is free for the next model.
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        return Machine(
            device="cuda", name=torch.cuda.get_device_name(), device_free=int(free + kept), device_total=int(total),
            memory_free=memory, bf16=bool(torch.cuda.get_device_capability() >= (8, 0)), fp8_storage=True, cores=cores,
        )  # fmt: skip
    mps = getattr(torch.backends, "mps", None)
    if mps is not None and mps.is_available():
        return _mac(memory, cores)
    return _processor(memory, cores)


_FRESH = 2.0
"""Seconds for which an answer of the machine holds at most: a list asks for every model in it."""


def quick_machine() -> Machine:
    """The machine as it is now, without importing torch: the NVIDIA driver, Apple's chip, or the processor."""
    return _asked(int(time.monotonic() / _FRESH))


@functools.lru_cache(maxsize=1)
def _asked(span: int) -> Machine:
    """The machine in one ``span`` of time, by its number."""
    del span
    memory, cores = free_memory() or _ASSUMED_MEMORY, os.cpu_count() or 1
    if _torch_has_cuda():
        found = _nvidia(memory, cores)
        if found is not None:
            return found
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return _mac(memory, cores)
    return _processor(memory, cores)


def _processor(memory: int, cores: int) -> Machine:
    return Machine(
        device="cpu",
        name=f"{cores} processor cores",
        memory_free=memory,
        bf16=_fast_bf16(),
        fp8_storage=True,
        cores=cores,
    )


def _mac(memory: int, cores: int) -> Machine:
    # Metal has no float8, and its memory is the machine's.
    return Machine(device="mps", name="Apple GPU", memory_free=memory, bf16=True, cores=cores)


@functools.lru_cache(maxsize=1)
def _fast_bf16() -> bool:
    """bfloat16 matrices are faster than float32 only on processors with tile units; AVX-512 alone is slower."""
    try:
        return " amx_bf16 " in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


@functools.lru_cache(maxsize=1)
def _torch_has_cuda() -> bool:
    if sys.platform == "darwin":
        return False
    # Builds without CUDA lack its library. Asking for the package's version would import an e-mail parser.
    spec = importlib.util.find_spec("torch")
    folder = Path(spec.origin).parent / "lib" if spec is not None and spec.origin else None
    return folder is not None and any(folder.glob("*torch_cuda*"))


def _nvidia(memory: int, cores: int) -> Machine | None:
    """The first GPU through the driver's own library (NVML); None without a driver or a GPU."""
    name = "nvml.dll" if sys.platform == "win32" else "libnvidia-ml.so.1"

    class Memory(ctypes.Structure):
        _fields_ = [("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong)]

    try:
        nvml: Any = ctypes.CDLL(name)
        if nvml.nvmlInit_v2() != 0:
            return None
    except (OSError, AttributeError):
        return None
    try:
        handle = ctypes.c_void_p()
        held: Any = Memory()
        major, minor = ctypes.c_int(), ctypes.c_int()
        title = ctypes.create_string_buffer(96)
        calls: tuple[Callable[[], int], ...] = (
            lambda: nvml.nvmlDeviceGetHandleByIndex_v2(0, ctypes.byref(handle)),
            lambda: nvml.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(held)),
            lambda: nvml.nvmlDeviceGetName(handle, title, 96),
            lambda: nvml.nvmlDeviceGetCudaComputeCapability(handle, ctypes.byref(major), ctypes.byref(minor)),
        )
        if any(call() != 0 for call in calls):
            return None
        return Machine(
            device="cuda", name=title.value.decode(errors="replace"), device_free=int(held.free),
            device_total=int(held.total), memory_free=memory, bf16=major.value >= 8, fp8_storage=True, cores=cores,
        )  # fmt: skip
    finally:
        nvml.nvmlShutdown()
