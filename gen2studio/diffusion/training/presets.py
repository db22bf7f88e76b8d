"""What cards of each size train on a model: the works of ``resources/training/presets.toml`` and the memory ladder.

A preset is the first work of the list that has room on the card, by the same estimate that every training is held to.
Nothing is loaded: the model's headers are enough. Imports no torch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from functools import lru_cache

from gen2studio.core.paths import resources_dir
from gen2studio.core.records import dataclass
from gen2studio.diffusion.runtime.device import Machine
from gen2studio.diffusion.training.abilities import clips_of
from gen2studio.diffusion.training.ladder import TrainingPlan, fitting_plan, still_of
from gen2studio.engine.generators import TrainingPreset
from gen2studio.engine.optimisers import TITLES
from gen2studio.models.families.rules import ClipShape
from gen2studio.models.library import InstalledModel

_TAKEN = 600 << 20
"""Bytes of a card that its driver and a desktop take."""
_MAIN_MEMORY = 32 << 30
"""What the machine around the card is taken to have."""


@dataclass(frozen=True, slots=True)
class Works:
    """The table, as it is read."""

    cards: tuple[tuple[int, int], ...]
    """(gigabytes, rank), least first."""
    clips: tuple[tuple[int, int, int], ...]
    """(width, height, frames), best first."""
    pictures: tuple[tuple[int, int, int], ...]


@lru_cache(maxsize=1)
def works() -> Works:
    """The table that comes with the program."""
    table = tomllib.loads((resources_dir() / "training" / "presets.toml").read_text(encoding="utf-8"))
    return Works(
        cards=tuple((int(row["gigabytes"]), int(row["rank"])) for row in table["card"]),
        clips=tuple((*row["size"], int(row["frames"])) for row in table["clips"]),
        pictures=tuple((*row["size"], 1) for row in table["pictures"]),
    )


def card_of(gigabytes: int) -> Machine:
    """A machine with a card of that memory that computes in bfloat16."""
    total = gigabytes << 30
    return Machine(
        device="cuda", name=f"{gigabytes} GB", device_free=total - _TAKEN, device_total=total,
        memory_free=_MAIN_MEMORY, bf16=True,
    )  # fmt: skip


def presets_of(model: InstalledModel, *, clips: bool) -> tuple[TrainingPreset, ...]:
    """One preset for each card of the table, of windows of clips or of pictures. Empty for models that don't learn
    from such. Raises ModelError when the model's files have a problem."""
    learns = clips_of(model)
    if (clips and not learns) or (not clips and learns == "must"):
        return ()
    table, manifest = works(), model.manifest
    area = max(width * height for width, height in manifest.sizes)
    wanted = [
        ClipShape(width=width, height=height, frames=frames)
        for width, height, frames in (table.clips if clips else table.pictures)
        # A little more than the model's own area is rounding; more than that it was not made for.
        if width * height <= 1.1 * area and frames <= manifest.frames.most
    ]
    if not wanted:
        own = still_of(model)
        wanted = [ClipShape(width=own.width, height=own.height, frames=manifest.frames.most if clips else 1)]
    plan = fitting_plan(model)
    return tuple(_preset(model, gigabytes, rank, wanted, plan) for gigabytes, rank in table.cards)


def _preset(
    model: InstalledModel,
    gigabytes: int,
    rank: int,
    wanted: list[ClipShape],
    plan: Callable[[Machine, int, ClipShape], TrainingPlan],
) -> TrainingPreset:
    machine = card_of(gigabytes)
    for clip in wanted:
        found = plan(machine, rank, clip)
        if found.fits:
            return TrainingPreset(
                gigabytes=gigabytes, size=(clip.width, clip.height), frames=clip.frames, rank=rank,
                base=found.packed or ("int8" if found.int8_layers else "bf16"),
                optimiser=TITLES[found.optimiser], recomputed=found.recomputed, needs=found.device_bytes,
            )  # fmt: skip
    least = plan(machine, rank, wanted[-1]).device_bytes
    what = f"{wanted[-1].frames} frames" if wanted[-1].frames > 1 else "a picture"
    return TrainingPreset(
        gigabytes=gigabytes, size=(0, 0), frames=1, rank=rank, needs=least,
        why_not=f"{gigabytes} GB is not enough: {what} of {wanted[-1].width} × {wanted[-1].height} on {model.title} "
        f"needs {least / 1e9:.1f} GB",
    )  # fmt: skip
