"""Will it fit? Memory and disk a job needs against what the machine has free, told before the start."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from gen2studio.core.errors import OutOfBudget
from gen2studio.core.records import dataclass
from gen2studio.engine.events import Estimate
from gen2studio.engine.requests import GenerateRequest

PNG_BYTES_PER_PIXEL = 2.2
"""Measured on film frames with zlib level 1; noise needs up to 3.1."""
_KEEP_MEMORY = 256 << 20
_KEEP_DISK = 512 << 20


@dataclass(frozen=True, slots=True)
class Room:
    """What is free, in bytes; None = can't be found out on this system."""

    memory: int | None
    disk: int | None


def free_memory() -> int | None:
    """Bytes a new allocation can use without swapping."""
    if sys.platform.startswith("linux"):
        return _linux_memory()
    if sys.platform == "win32":
        return _windows_memory()
    if sys.platform == "darwin":
        return _mac_memory()
    return None


def _linux_memory(host: Path = Path("/proc/meminfo"), container: Path = Path("/sys/fs/cgroup")) -> int | None:
    try:
        text = host.read_text()
    except OSError:
        return None
    rows = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    if "MemAvailable" not in rows:
        return None
    free = int(rows["MemAvailable"].split()[0]) * 1024
    # A container may have less than its host: cgroup v2 keeps limit and use in two files.
    try:
        limit = (container / "memory.max").read_text().strip()
        used = int((container / "memory.current").read_text())
        if limit == "max":
            return free
        counts = dict(line.split() for line in (container / "memory.stat").read_text().splitlines())
        # Files that were read a while ago count as used, and go as soon as somebody needs the room.
        return max(0, min(free, int(limit) - used + int(counts.get("inactive_file", 0))))
    except (OSError, ValueError):
        return free


def _windows_memory() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = [
            ("length", ctypes.c_ulong), ("load", ctypes.c_ulong),
            ("total", ctypes.c_ulonglong), ("available", ctypes.c_ulonglong),
            ("page_total", ctypes.c_ulonglong), ("page_available", ctypes.c_ulonglong),
            ("virtual_total", ctypes.c_ulonglong), ("virtual_available", ctypes.c_ulonglong),
            ("extended", ctypes.c_ulonglong),
        ]  # fmt: skip

    status: Any = Status()
    status.length = ctypes.sizeof(Status)
    windll: Any = getattr(ctypes, "windll", None)
    if windll is None or not windll.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return None
    return int(status.available)


def _mac_memory() -> int | None:
    try:
        text = subprocess.run(["/usr/bin/vm_stat"], capture_output=True, text=True, timeout=5, check=True).stdout
        page = int(text.split("page size of ")[1].split()[0])
    except (OSError, subprocess.SubprocessError, IndexError, ValueError):
        return None
    rows = dict(line.split(":", 1) for line in text.splitlines()[1:] if ":" in line)
    pages = sum(
        int(rows.get(name, "0").strip(" .") or 0) for name in ("Pages free", "Pages inactive", "Pages speculative")
    )
    return pages * page


def free_disk(folder: Path) -> int | None:
    """Bytes free where ``folder`` is, or will be."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def room(folder: Path | None) -> Room:
    """What the machine has free now, and the disk of ``folder``."""
    return Room(free_memory(), free_disk(folder) if folder is not None else None)


def with_frames(estimate: Estimate, request: GenerateRequest, stored: int, seconds: float | None = None) -> Estimate:
    """``estimate`` with the disk that ``stored`` frames take, and ``seconds`` measured earlier where it has none."""
    disk = int(stored * request.width * request.height * PNG_BYTES_PER_PIXEL)
    return replace(
        estimate,
        disk_bytes=max(estimate.disk_bytes, disk),
        seconds=seconds if estimate.seconds is None else estimate.seconds,
    )


def check(estimate: Estimate, free: Room) -> None:
    """Raise OutOfBudget with one sentence when ``estimate`` does not fit into ``free``."""
    if free.memory is not None and estimate.memory_bytes > max(0, free.memory - _KEEP_MEMORY):
        raise OutOfBudget(
            f"This needs about {size_text(estimate.memory_bytes)} of memory and only {size_text(free.memory)} is free.",
            "Choose a smaller size or close other programs.",
        )
    if free.disk is not None and estimate.disk_bytes > max(0, free.disk - _KEEP_DISK):
        raise OutOfBudget(
            f"The frames need about {size_text(estimate.disk_bytes)} on disk and only {size_text(free.disk)} is free.",
            "Free some space, render a shorter range or a smaller size.",
        )


def size_text(count: int) -> str:
    """``740 MB``, ``3.2 GB``."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def compute_threads() -> int:
    """CPU threads for engine work: one core is left to the window."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    return max(1, count - 1)


def together(estimates: list[Estimate]) -> Estimate:
    """What passes that run one after the other need: the most memory of any, and the time and disk of all."""
    seconds = [e.seconds for e in estimates]
    return replace(
        estimates[0],
        memory_bytes=max(e.memory_bytes for e in estimates),
        disk_bytes=sum(e.disk_bytes for e in estimates),
        seconds=None if None in seconds else sum(s for s in seconds if s is not None),
    )
