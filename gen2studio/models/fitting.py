"""What of the catalog runs on a machine: a light, the reason and an estimate in words. No torch, nothing is loaded.

Before the files are there, a model's memory ladder in the catalog says how it can be held; how long a clip takes comes
from published figures, or on a processor from the work of a draft and what the processor was measured to do. What is
installed is counted exactly by the memory ladder of the generators, whose sentence is shown instead.
"""

from __future__ import annotations

from collections.abc import Callable

from gen2studio.core.records import dataclass
from gen2studio.models.catalog import Catalog
from gen2studio.models.catalog_entries import CatalogEntry, MemoryTier
from gen2studio.models.catalog_reading import LineUp

WELL, SLOW, NO = "well", "slow", "no"
LIGHTS = {WELL: "Runs well", SLOW: "Runs slowly", NO: "Does not fit"}
LISTED = "Not run here"
"""In place of a light: nothing of the machine decides."""
GIB = 1 << 30
_SHARED_MEMORY = 0.7
"""Part of the main memory that Apple lets its GPU use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineFacts:
    """What of a machine decides: filled in by whoever may ask the drivers."""

    device: str
    """cuda, mps or cpu."""
    name: str
    """In words: ``NVIDIA GeForce RTX 4070``, ``8 processor cores``."""
    gpu_bytes: int = 0
    """Of the GPU's own memory, all of it; 0 without one."""
    memory_bytes: int = 0
    """Of main memory that is free now; 0 = not known."""
    gigaflops: float = 0.0
    """What all cores that may work reach in single precision, measured; 0 = not measured."""

    @property
    def gpu_gb(self) -> float:
        """The GPU's memory as it is sold: drivers keep a little for themselves, so it is rounded to whole gigabytes."""
        if self.device == "mps":
            return float(int(self.memory_bytes * _SHARED_MEMORY / GIB))
        return float(round(self.gpu_bytes / GIB))

    def describe(self) -> str:
        """``NVIDIA GeForce RTX 4070 with 12 GB``, ``2 processor cores, no GPU, 14 GB of memory free``."""
        memory = f", {self.memory_bytes / 1e9:.0f} GB of memory free" if self.memory_bytes else ""
        if self.device == "cuda":
            return f"{self.name} with {self.gpu_gb:.0f} GB{memory}"
        return f"{self.name}{memory}" if self.device == "mps" else f"{self.name}, no GPU{memory}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether an entry runs on a machine, as it is shown."""

    light: str
    """well, slow or no."""
    words: str
    """The light in words: ``Runs well``."""
    why: str
    """The rest of the sentence that begins with these words, with its full stop."""
    estimate: str = ""
    """How long it takes, in one sentence with its source; empty = nothing is known."""
    tier: MemoryTier | None = None
    """The line of the memory ladder that is taken."""

    @property
    def reason(self) -> str:
        """One sentence: ``Runs well: kept as int8.``"""
        return f"{self.words}: {self.why}"


def fit(catalog: Catalog, entry: CatalogEntry, machine: MachineFacts) -> Fit:
    """Whether ``entry`` runs on ``machine``. An adapter or a part runs as well as the best model it belongs to."""
    if entry.listed_only:
        return Fit(light=NO, words=LISTED, why="this version of Gen2 Studio can't drive it; it is listed to compare.")
    if entry.memory:
        return _fit_ladder(entry, machine)
    models = [catalog.entry(name) for name in entry.fits_with]
    fits = [(model, _fit_ladder(model, machine)) for model in models if model.memory]
    if not fits:
        return _lit(WELL, "it needs next to no memory of its own.")
    model, best = min(fits, key=lambda row: list(LIGHTS).index(row[1].light))
    return _lit(best.light, f"as {model.title}, which it is for: {best.why}", tier=best.tier)


def _lit(light: str, why: str, estimate: str = "", tier: MemoryTier | None = None) -> Fit:
    return Fit(light=light, words=LIGHTS[light], why=why, estimate=estimate, tier=tier)


def _fit_ladder(entry: CatalogEntry, machine: MachineFacts) -> Fit:
    gpu = machine.gpu_gb if machine.device != "cpu" else 0.0
    able = [tier for tier in entry.memory if tier.gpu_gb <= gpu]
    held = [tier for tier in able if not machine.memory_bytes or tier.ram_gb * 1e9 <= machine.memory_bytes]
    if not able:
        least = min(tier.gpu_gb for tier in entry.memory)
        has = f"this one has {gpu:.0f} GB" if gpu else "this machine has none"
        return _lit(NO, f"it needs a GPU with at least {least:g} GB, and {has}.")
    if not held:
        least = min(tier.ram_gb for tier in able)
        free = machine.memory_bytes / 1e9
        beside = " beside the GPU" if gpu else ""
        return _lit(NO, f"it needs about {least:g} GB of main memory{beside}, and {free:.0f} GB is free.")
    # The quick way that needs the most memory is the least compromise; a slow one only where there is no quick one.
    tier = max(held, key=lambda tier: (not tier.slow, tier.gpu_gb))
    # A processor is never quick with a model that makes pictures.
    slow = tier.slow or (entry.kind == "model" and tier.gpu_gb == 0)
    why = f"{tier.how}."
    if gpu and tier.gpu_gb == 0 and entry.kind == "model":
        why = f"{_why_no_gpu(entry, machine)}, so the processor works."
    elif slow:
        better = min((other.gpu_gb for other in entry.memory if not other.slow and other.gpu_gb > gpu), default=None)
        why = f"{tier.how}{f'; quick on a GPU with {better:g} GB' if better else ''}."
    return _lit(SLOW if slow else WELL, why, _estimate(entry, machine, tier), tier)


def _why_no_gpu(entry: CatalogEntry, machine: MachineFacts) -> str:
    """Why the GPU that is there is of no use for a model."""
    tiers = [tier for tier in entry.memory if tier.gpu_gb]
    able = [tier for tier in tiers if tier.gpu_gb <= machine.gpu_gb]
    if able:
        least = min(tier.ram_gb for tier in able)
        return f"beside the GPU it needs {least:g} GB of main memory, and {machine.memory_bytes / 1e9:.0f} GB is free"
    few = f"the GPU's {machine.gpu_gb:.0f} GB are too few"
    return f"{few} ({min(tier.gpu_gb for tier in tiers):g} GB)" if tiers else "no way to hold it on a GPU is known"


def _estimate(entry: CatalogEntry, machine: MachineFacts, tier: MemoryTier) -> str:
    if tier.gpu_gb == 0 and entry.draft is not None:
        draft = entry.draft
        clip = f"A draft of {draft.width}×{draft.height}, {draft.frames} frames, {draft.steps} steps"
        if not machine.gigaflops:
            return f"{clip} is {draft.teraflops:g} teraflops of work ({draft.source})."
        seconds = draft.teraflops * 1000 / machine.gigaflops
        return f"{clip} takes {duration(seconds)} here ({machine.gigaflops:.0f} gigaflops, measured on this machine)."
    if entry.pace and machine.device != "cpu":
        figure = entry.pace[0]
        return f"{figure.clip} took {duration(figure.seconds)} on {figure.device} ({figure.source})."
    return ""


def duration(seconds: float) -> str:
    """``about 40 seconds``, ``about 12 minutes``, ``about 3 hours``, ``about 2 days``."""
    for unit, length, limit in (("second", 1, 90), ("minute", 60, 90 * 60), ("hour", 3600, 36 * 3600)):
        if seconds < limit:
            count = max(1, round(seconds / length))
            return f"about {count} {unit}{'s' if count != 1 else ''}"
    return f"about {round(seconds / 86400)} days"


def line_up_for(catalog: Catalog, machine: MachineFacts) -> LineUp | None:
    """What to install on ``machine``: the line-up of the largest memory that it has; None when there is none."""
    gpu = machine.gpu_gb if machine.device != "cpu" else 0.0
    return max((tier for tier in catalog.line_up if tier.gpu_gb <= gpu), key=lambda tier: tier.gpu_gb, default=None)


def measured_gigaflops(cores: int, product: Callable[[], float]) -> float:
    """What the cores that may work reach together, from what one reaches in a matrix product (gigaflops).

    A core is left to the window, and cores that share a memory reach nine tenths of their sum. Layers of these models
    were measured beside the product on one core: attention blocks and convolutions reach 1.3 times as much.
    """
    return product() * max(1, cores - 1) * 0.9


def matrix_product_gigaflops() -> float:
    """Gigaflops of one core, from a product of two 768×768 matrices in single precision. Takes a fifth of a second of
    processor time; call it on a thread of its own."""
    import time

    import numpy as np

    side = 768
    first = np.full((side, side), 1.5, np.float32)
    np.dot(first, first)
    count, begun = 0, time.thread_time()
    while (spent := time.thread_time() - begun) < 0.2:
        np.dot(first, first)
        count += 1
    return 2 * side**3 * count / spent / 1e9
