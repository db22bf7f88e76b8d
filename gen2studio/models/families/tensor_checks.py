"""Holding the tensors that a config promises against those that the files hold, for families that know all of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from gen2studio.models.architecture import mismatch
from gen2studio.models.weights_header import WeightsHeader

Shapes = dict[str, tuple[int, ...]]
_BLOCK = re.compile(r"(?:.*?\.)??(?:\w*blocks|layers|\w+_refiner)\.\d+(?=\.)")


def repeated_block(name: str) -> str:
    """The outermost of a denoiser's repeated blocks that holds the tensor ``name``; empty for what stands alone.

    Most families call them blocks; Z-Image has layers and refiners.
    """
    found = _BLOCK.match(name)
    return found[0] if found is not None else ""


def shapes_of(headers: Sequence[WeightsHeader]) -> Shapes:
    """Name → shape of every tensor of a component."""
    return {name: tensor.shape for header in headers for name, tensor in header.tensors.items()}


def check_tensors(part: str, wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    """The files hold ``wanted`` in these very shapes, and nothing else. Raises ModelError."""
    check_some(part, wanted, found)
    strange = next((name for name in found if name not in wanted), None)
    if strange is not None:
        raise mismatch(f"The {part}'s weights hold “{strange[:80]}”, which its config does not know.")


def check_some(part: str, wanted: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]]) -> None:
    """The files hold ``wanted`` in these very shapes, whatever else. Raises ModelError."""
    for name, shape in wanted.items():
        if name not in found:
            raise mismatch(f"The {part}'s weights lack “{name}”.")
        if found[name] != shape:
            has, says = ("×".join(map(str, sides)) or "one number" for sides in (found[name], shape))
            raise mismatch(f"The {part}'s “{name}” is {has} and its config says {says}.")


def linear(name: str, outputs: int, inputs: int, *, bias: bool = True) -> Shapes:
    """The tensors of a linear layer."""
    made: Shapes = {f"{name}.weight": (outputs, inputs)}
    return made | {f"{name}.bias": (outputs,)} if bias else made


def count_of(found: Mapping[str, tuple[int, ...]], stem: str) -> int:
    """How many numbered blocks ``stem``.0, ``stem``.1, … there are."""
    numbers = {name[len(stem) + 1 :].split(".")[0] for name in found if name.startswith(f"{stem}.")}
    return len(numbers)
