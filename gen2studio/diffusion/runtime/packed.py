"""Weights kept in blocks of few bits and widened layer by layer while they compute.

A GGUF file brings such weights; the int8 rung of the memory ladder makes them while it loads, as GGUF's ``Q8_0``: 32
whole numbers of 8 bits share one scale. Both become diffusers' ``GGUFLinear``, which works on every device, in every
placement and under adapters. Only matrices of linear layers are packed; what must stay precise is widened on loading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from gen2studio.diffusion.runtime.torch_loading import load_torch
from gen2studio.models.families.tensor_checks import repeated_block
from gen2studio.models.weights_header import TensorInfo, WeightsHeader

_STRIPE = 1 << 18
"""Weights that are wide at a time while they are packed: a matrix of a big model would take a gigabyte more."""
BLOCK = 32
"""Weights that share a scale in ``Q8_0``: the rows of a matrix must be a multiple of it."""


def gguf_tensors(header: WeightsHeader) -> Iterator[tuple[str, Any]]:
    """(name in the file, tensor) in the order of the file: plain tensors, and packed ones as ``GGUFParameter``.

    The header was checked against the file; bytes are read where it says. Raises OSError, and EOFError when the file
    became shorter since.
    """
    import gguf
    from diffusers.quantizers.gguf.utils import GGUFParameter

    torch: Any = load_torch()
    parameter: Any = GGUFParameter
    plain = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    with open(header.path, "rb") as file:
        for name, info in sorted(header.tensors.items(), key=lambda item: item[1].begin):
            held = bytearray(info.size)
            file.seek(header.data_start + info.begin)
            if file.readinto(held) != info.size:
                raise EOFError("the file became shorter")
            raw = torch.frombuffer(held, dtype=torch.uint8) if held else torch.empty(0, dtype=torch.uint8)
            if info.dtype in plain:
                yield name, raw.view(plain[info.dtype]).reshape(info.shape)
            else:
                kind = gguf.GGMLQuantizationType[info.dtype]
                yield name, parameter(raw.reshape(_byte_shape(info)), quant_type=kind)


def _byte_shape(info: TensorInfo) -> tuple[int, ...]:
    """Rows stay rows; a tensor whose rows are no whole blocks is one long row."""
    rows = info.shape[0] if len(info.shape) == 2 else 1
    return rows, info.size // max(1, rows)


def is_packed(tensor: Any) -> bool:
    """Whether ``tensor`` came packed from :func:`gguf_tensors` or :func:`to_int8`."""
    return getattr(tensor, "quant_type", None) is not None


def widened(tensor: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A packed tensor as plain numbers."""
    from diffusers.quantizers.gguf.utils import dequantize_gguf_tensor

    return dequantize_gguf_tensor(tensor).reshape(shape).to(dtype)


def to_int8(tensor: Any) -> Any:
    """``tensor`` (rows, n · 32) packed as ``Q8_0``, bit for bit what the gguf library makes of it in float32.

    Raises OverflowError for weights that are not finite or too large for the scales, which are float16.
    """
    import gguf
    from diffusers.quantizers.gguf.utils import GGUFParameter

    torch: Any = load_torch()
    parameter: Any = GGUFParameter
    rows = tensor.detach().reshape(-1, BLOCK)
    packed = torch.empty(rows.shape[0], 2 + BLOCK, dtype=torch.uint8)
    for part, out in zip(rows.split(_STRIPE // BLOCK), packed.split(_STRIPE // BLOCK), strict=True):
        blocks = part.float()
        scale = blocks.abs().amax(1, keepdim=True) / 127
        if not bool((scale < 65504).all()):
            raise OverflowError("a weight is not finite, or too large for 8 bits")
        # Halves away from zero, as GGUF rounds; torch rounds them to even.
        scaled = blocks * torch.where(scale > 0, 1 / scale, torch.zeros_like(scale))
        out[:, :2] = scale.half().view(torch.uint8)
        out[:, 2:] = scaled.abs().add_(0.5).trunc_().copysign_(scaled).to(torch.int8).view(torch.uint8)
    return parameter(packed.reshape(tensor.shape[0], -1), quant_type=gguf.GGMLQuantizationType.Q8_0)


def to_float8(tensor: Any, dtype: Any, narrow: Any) -> Any:
    """``tensor`` in ``dtype``, stored as the float8 type ``narrow``."""
    torch: Any = load_torch()
    found = torch.empty(tensor.shape, dtype=narrow)
    for part, out in zip(tensor.reshape(-1).split(_STRIPE), found.reshape(-1).split(_STRIPE), strict=True):
        out.copy_(part.to(dtype).to(narrow))
    return found


def packable(module: Any, kept: tuple[str, ...]) -> frozenset[str]:
    """Names of the weights in ``module`` that may be packed: matrices of linear layers outside of ``kept``.

    Motion modules call their first and last layer by the argument's name, which a packed layer has another for.
    """
    torch: Any = load_torch()
    by_name = ("motion_modules.", ("proj_in", "proj_out"))
    return frozenset(
        f"{name}.weight"
        for name, layer in module.named_modules()
        if isinstance(layer, torch.nn.Linear)
        and not any(part in name.split(".") for part in kept)
        and not (by_name[0] in name and name.endswith(by_name[1]))
    )


def worth_packing(name: str, shape: tuple[int, ...]) -> bool:
    """Whether the memory ladder packs this weight itself: matrices inside the blocks, where nearly all weights are.

    What embeds text, time and picture is small and sensitive; diffusers' own float8 storage leaves it out as well.
    """
    return bool(repeated_block(name)) and name.endswith(".weight") and len(shape) == 2 and shape[-1] % BLOCK == 0


def stays_wide(module: Any, name: str) -> bool:
    """Whether diffusers' float8 storage leaves a weight of ``module`` alone: stored narrow, nothing would widen it."""
    from diffusers.hooks.layerwise_casting import DEFAULT_SKIP_MODULES_PATTERN

    own: tuple[str, ...] = tuple(type(module)._skip_layerwise_casting_patterns or ())
    layer = name.removesuffix(".weight")
    return any(re.search(pattern, layer) for pattern in (*DEFAULT_SKIP_MODULES_PATTERN, *own))


def install(module: Any, packed: Mapping[str, Any], dtype: Any) -> None:
    """Put packed weights (by name) into ``module``: their layers become ``GGUFLinear`` that computes in ``dtype``."""
    from diffusers.quantizers.gguf.utils import _replace_with_gguf_linear

    biases = {name: module.get_submodule(name.rpartition(".")[0]).bias for name in packed}
    _replace_with_gguf_linear(module, dtype, packed)
    for name, weight in packed.items():
        layer = module.get_submodule(name.rpartition(".")[0])
        layer._parameters["weight"] = weight
        layer._parameters["bias"] = biases[name]
