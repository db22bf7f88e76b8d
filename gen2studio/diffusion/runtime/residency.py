"""Who holds loaded models: one owner for the whole program, used on the engine thread.

Models stay loaded between jobs, least recently used first to go when the next one needs the room. What is released is
dead afterwards: no reference is kept, cycles are collected and the allocator's blocks are given back.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from gen2studio.core.cancel import CancelToken
from gen2studio.diffusion.runtime.applying import apply_plan, free_memory_of, tile
from gen2studio.diffusion.runtime.device import Machine, this_machine
from gen2studio.diffusion.runtime.footprint import BYTES, ClipShape
from gen2studio.diffusion.runtime.ladder import MemoryPlan, choose_plan, plans_for
from gen2studio.diffusion.runtime.loading import Components, Progress, load_components, spoken_errors, text_parts
from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.diffusion.runtime.ways import PLAIN, apply_way, ways_here
from gen2studio.models.holding import AUTOMATIC
from gen2studio.models.library import InstalledModel

_KEPT_TEXT_BYTES = 64 << 20
"""A text encoder up to this size stays loaded: the built-in model's. UMT5-XXL has 11 GB."""


@dataclass(frozen=True, slots=True)
class _Key:
    model: str
    digest: str
    plan: MemoryPlan
    way: str


class Residency:
    """Loads models on demand and holds them. One instance per engine; calls are made on the engine thread."""

    def __init__(
        self,
        machine: Callable[[], Machine] = this_machine,
        *,
        most_models: int = 2,
        choice: Callable[[str], str] = lambda _model: AUTOMATIC,
        way: Callable[[str], str] = lambda _model: PLAIN,
    ) -> None:
        """``choice`` tells the rung that the artist chose for a model (its id), asked anew before each plan; ``way``
        how it is to be run (:mod:`gen2studio.diffusion.runtime.ways`)."""
        self._machine = machine
        self.choice = choice
        self.way = way
        self._most = most_models
        self._held: OrderedDict[_Key, Components] = OrderedDict()
        self._texts: dict[str, Components] = {}
        self._lock = threading.RLock()

    @property
    def held(self) -> tuple[str, ...]:
        """Ids of the models that are loaded, least recently used first."""
        with self._lock:
            return tuple(dict.fromkeys(key.model for key in self._held))

    def plan_for(self, model: InstalledModel, shape: ClipShape | None = None) -> MemoryPlan:
        """The best plan that fits now, counting what could be released. Raises OutOfBudget and ModelError.

        A model that is loaded keeps its plan while that still fits: reloading costs more than a rung. What the artist
        chose comes before both.
        """
        with self._lock:
            room = self._room()
            rung = self.choice(model.id)
            kept = next((key.plan for key in self._held if key.model == model.id), None)
            if kept is not None and rung == AUTOMATIC:
                fitting = (p for p in plans_for(model, room, shape) if p.fits and _as_held(p) == kept)
                found = next(fitting, None)
                if found is not None:
                    return found
            return choose_plan(model, room, shape, rung)

    def acquire(
        self,
        model: InstalledModel,
        plan: MemoryPlan | None = None,
        *,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> Components:
        """Transformer, VAE and scheduler of ``model``, loaded and placed as ``plan`` says (None = the best that fits).

        The same parts come back until they are released or another model needs their room. Don't keep them beyond the
        job. Estimates differ by clip, not the way the model is held: plans that hold it alike share one loaded copy.

        Raises ModelError, GenerationError (OutOfBudget when memory runs out: see ``applying.with_retries``), Cancelled.
        """
        with self._lock:
            chosen = plan or self.plan_for(model)
            key = _Key(model.id, model.digest, _as_held(chosen), self.way(model.id))
            found = self._held.get(key)
            if found is not None:
                self._held.move_to_end(key)
                found.plan = chosen
                tile(found, chosen)
                return found
            for other in [k for k in self._held if k.model == model.id]:
                del self._held[other]
            self._make_room(chosen)
            with spoken_errors(model.title):
                loaded = load_components(model, chosen, progress=progress, cancel=cancel)
                held = apply_plan(loaded, chosen)
                offered = {way.id: way for way in ways_here(self._machine())}
                apply_way(held.denoisers, offered.get(key.way))
                self._held[key] = held
            return self._held[key]

    @contextmanager
    def text_encoder(
        self,
        model: InstalledModel,
        plan: MemoryPlan,
        *,
        progress: Progress | None = None,
        cancel: CancelToken | None = None,
    ) -> Generator[Components]:
        """What reads the prompts of ``model``, on ``plan.text_device``; a big encoder is freed at the end.

        Use it before :meth:`acquire`: on small machines there is no room for both. Raises as :meth:`acquire` does.
        """
        with self._lock:
            digest = f"{model.id}:{text_digest(model)}:{plan.dtype}:{plan.text_device}"
            found = self._texts.get(digest)
            if found is None:
                names = text_parts(model)
                counted = sum(part.parameters for part in model.manifest.components if part.name in names)
                needed = counted * BYTES[plan.dtype]
                on_device = plan.text_device == "cuda"
                self._make_room(
                    replace(plan, device_bytes=needed if on_device else 0, memory_bytes=0 if on_device else needed)
                )
                with spoken_errors(model.title):
                    found = load_components(model, plan, names, progress=progress, cancel=cancel)
                    for part in found.modules:
                        part.to(plan.text_device)
                if needed <= _KEPT_TEXT_BYTES:
                    self._texts = {digest: found}
        try:
            yield found
        finally:
            kept = digest in self._texts
            if not kept:
                found.parts.clear()
            del found
            if not kept:
                free_memory_of(load_torch())

    def release(self, model_id: str | None = None) -> None:
        """Let go of one model, or of all; its memory is free when this returns, unless somebody else holds on to it."""
        with self._lock:
            for key in [key for key in self._held if model_id in (None, key.model)]:
                del self._held[key]
            self._texts = {
                k: v for k, v in self._texts.items() if model_id is not None and not k.startswith(f"{model_id}:")
            }
        free_memory_of(load_torch())

    def _room(self) -> Machine:
        """The machine as it would be after releasing everything that is loaded."""
        now = self._machine()
        loaded = [*self._held.values()]
        device = sum(_weights(parts, on_device=True) for parts in loaded) if now.device == "cuda" else 0
        memory = sum(_weights(parts, on_device=False) for parts in loaded)
        return replace(
            now,
            device_free=min(now.device_total, now.device_free + device),
            memory_free=now.memory_free + memory,
        )

    def _make_room(self, plan: MemoryPlan) -> None:
        """Release least recently used models until ``plan`` fits or nothing is left to release."""
        dropped = False
        while self._held:
            machine = self._machine()
            on_device = plan.device_bytes <= machine.device_free or machine.device != "cuda"
            fits = plan.memory_bytes <= machine.memory_free and on_device
            if fits and len(self._held) < self._most:
                break
            self._held.popitem(last=False)
            dropped = True
            free_memory_of(load_torch())
        if not dropped:
            # What the last job left behind in cycles must not stand in the way of the next model.
            free_memory_of(load_torch())


def text_digest(model: InstalledModel) -> str:
    """Identity of everything that reads the prompt; empty for models without words."""
    return "+".join(filter(None, map(model.component_digest, model.checkpoint().family.text_parts)))


def _as_held(plan: MemoryPlan) -> MemoryPlan:
    """``plan`` without what depends on the clip, or can be changed on a loaded model."""
    return replace(plan, tier=0, tiled_vae=False, device_bytes=0, memory_bytes=0, fits=True, below=None)


def _weights(parts: Components, *, on_device: bool) -> int:
    """Bytes of weights on a GPU with memory of its own, or in main memory."""
    return sum(
        p.numel() * p.element_size()
        for module in parts.modules
        for p in module.parameters()
        if (p.device.type == "cuda") == on_device
    )
