"""What a training leaves on disk: checkpoints to go on from, and the finished adapter in the layout diffusers reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch

from gen2studio.core.log import topic
from gen2studio.core.paths import write_atomic
from gen2studio.diffusion.training.adamw8bit import AdamW8bit
from gen2studio.diffusion.training.recipe import LoraRecipe
from gen2studio.engine.optimisers import ADAMW, ADAMW_8BIT

CHECKPOINT_NAME = "checkpoint.safetensors"
WEIGHT_NAME = "pytorch_lora_weights.safetensors"
"""The name that ``WanVACEPipeline.load_lora_weights(folder)`` looks for."""

_log = topic("training")
_ADAPTER, _OPTIMISER = "adapter.", "optimiser."


@dataclass(slots=True)
class TrainingState:
    """Everything a step depends on besides the prepared images. Random draws depend on seed and step alone."""

    step: int = 0
    """Steps done."""
    adapter: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    optimiser: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    """``<parameter number>.<name>`` → AdamW's moments and step count."""
    stepped_by: str = ""
    """The optimiser it is the state of; a training goes on with the one it began with. Empty = none yet."""
    losses: list[tuple[int, float]] = field(default_factory=list[tuple[int, float]])
    """(step, loss) so far: the curve is whole again after a restart."""

    def save(self, folder: Path) -> None:
        """Write atomically: a kill leaves the checkpoint before or this one."""
        from safetensors.torch import save

        tensors = {
            **{_ADAPTER + name: value for name, value in self.adapter.items()},
            **{_OPTIMISER + name: value for name, value in self.optimiser.items()},
        }
        record = {"step": self.step, "losses": self.losses, "optimiser": self.stepped_by}
        write_atomic(
            folder / CHECKPOINT_NAME,
            save(tensors, {"training": json.dumps(record)}),
        )

    @staticmethod
    def load(folder: Path) -> TrainingState | None:
        """The last checkpoint; None when there is none that can be read."""
        from safetensors import SafetensorError, safe_open

        path = folder / CHECKPOINT_NAME
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                record = json.loads((file.metadata() or {})["training"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            losses = [(int(step), float(loss)) for step, loss in record["losses"]]
            return TrainingState(
                int(record["step"]),
                {n.removeprefix(_ADAPTER): t for n, t in tensors.items() if n.startswith(_ADAPTER)},
                {n.removeprefix(_OPTIMISER): t for n, t in tensors.items() if n.startswith(_OPTIMISER)},
                str(record.get("optimiser", ADAMW)),
                losses,
            )
        except (SafetensorError, OSError, KeyError, ValueError, TypeError) as error:
            _log.warning("the training checkpoint in %s can't be read: %s", folder, error)
            return None


def optimiser_called(name: str, parameters: list[torch.nn.Parameter], decay: float) -> torch.optim.Optimizer:
    """The optimiser of that name (:data:`gen2studio.engine.optimisers.OPTIMISERS`)."""
    made = AdamW8bit if name == ADAMW_8BIT else torch.optim.AdamW
    return made(parameters, lr=0.0, weight_decay=decay)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """The state of an optimiser as named CPU tensors."""
    state = cast("Mapping[int, Mapping[str, Any]]", optimiser.state_dict()["state"])
    return {
        f"{number}.{name}": torch.as_tensor(value).detach().cpu().clone().contiguous()
        for number, values in state.items()
        for name, value in values.items()
    }


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put :func:`optimiser_tensors` back. Raises ValueError when they belong to other parameters."""
    whole = optimiser.state_dict()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition(".")
        state.setdefault(int(number), {})[name] = value
    if tensors and set(state) != set(whole["param_groups"][0]["params"]):
        raise ValueError("the checkpoint is of another adapter")
    optimiser.load_state_dict({**whole, "state": state})


def adapter_bytes(
    weights: Mapping[str, Mapping[str, torch.Tensor]], recipe: LoraRecipe, about: Mapping[str, str], targets: str
) -> bytes:
    """The adapter as a safetensors file that diffusers loads with its own rank and alpha.

    ``weights`` has those of each denoiser under what it is called in the pipeline: an adapter of two experts is one
    file. ``targets`` is the pattern of the modules that have pairs.

    ``about`` (name, trigger word, base model and its digest…) joins the metadata, all strings, for the library to read.
    """
    from diffusers.loaders.lora_base import LORA_ADAPTER_METADATA_KEY
    from safetensors.torch import save

    config: dict[str, Any] = {
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "target_modules": targets,
        "lora_dropout": 0.0,
        "bias": "none",
        "init_lora_weights": True,
    }
    prefixed = {f"{prefix}.{name}": value for prefix in weights for name, value in config.items()}
    tensors = {f"{prefix}.{name}": value for prefix, found in weights.items() for name, value in found.items()}
    metadata = {"format": "pt", LORA_ADAPTER_METADATA_KEY: json.dumps(prefixed, indent=2, sort_keys=True), **about}
    return ordered(save(tensors, metadata))


def ordered(data: bytes) -> bytes:
    """The same safetensors file with its header in alphabetical order.

    The library writes metadata in random order; an adapter is known by the SHA-256 of its file, so the same training
    must give the same bytes.
    """
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def mean_loss(losses: Sequence[tuple[int, float]]) -> float:
    """Mean over the last tenth of a curve, ten steps at least; NaN for an empty one."""
    tail = losses[-max(10, len(losses) // 10) :]
    return sum(loss for _, loss in tail) / len(tail) if tail else float("nan")
