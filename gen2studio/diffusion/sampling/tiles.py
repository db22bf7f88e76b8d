"""Decoding in overlapping tiles and going on smaller when memory runs out, for decoders of any family.

Tiles overlap by a quarter; where they do, they are mixed by ramps that add up to one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

from gen2studio.core.errors import OutOfBudget
from gen2studio.diffusion.families.driving import Decoding
from gen2studio.diffusion.runtime.applying import free_memory_of
from gen2studio.diffusion.runtime.loading import is_out_of_memory
from gen2studio.engine.events import Picture

Tensor = torch.Tensor
TILES = (512, 256, 128)
"""Tile sides in pixels to try in turn when memory runs out."""


def starts(length: int, side: int) -> list[int]:
    """Where tiles of ``side`` begin that cover ``length``, a quarter of each over its neighbour."""
    if length <= side:
        return [0]
    stride = max(1, side * 3 // 4)
    return [*range(0, length - side, stride), length - side]


def ramp(side: int, rise: int, *, before: bool, after: bool, device: torch.device) -> Tensor:
    """Weights of ``side`` cells: one in the middle, falling over ``rise`` cells where a neighbour lies."""
    up = (torch.arange(1, rise + 1, device=device, dtype=torch.float32)) / (rise + 1)
    out = torch.ones(side, device=device)
    if before:
        out[:rise] = torch.minimum(out[:rise], up)
    if after:
        out[side - rise :] = torch.minimum(out[side - rise :], up.flip(0))
    return out


def decoded_in_tiles(
    decode: Callable[[Tensor], Tensor],
    latents: Tensor,
    side: int,
    cell: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Tensor:
    """(1, 3, F, H, W) float32 of latents (1, C, T, h, w): ``decode`` is called with tiles of ``side`` pixels.

    ``cell`` is the number of pixels to a latent cell. The sum of the tiles is kept on the CPU.
    """
    height, width = latents.shape[-2:]
    tall, wide = min(height, max(2, side // cell)), min(width, max(2, side // cell))
    tops, lefts = starts(height, tall), starts(width, wide)
    total: Tensor | None = None
    sums = torch.zeros(height * cell, width * cell)
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            made = decode(latents[..., top : top + tall, left : left + wide]).float().cpu()
            if total is None:
                total = torch.zeros(*made.shape[:3], height * cell, width * cell)
            down = ramp(
                tall * cell, max(1, tall * cell // 4), before=row > 0, after=row < len(tops) - 1, device=made.device
            )
            across = ramp(
                wide * cell, max(1, wide * cell // 4), before=column > 0, after=column < len(lefts) - 1,
                device=made.device,
            )  # fmt: skip
            weight = down[:, None] * across[None]
            rows = slice(top * cell, (top + tall) * cell)
            columns = slice(left * cell, (left + wide) * cell)
            total[..., rows, columns] += made * weight
            sums[rows, columns] += weight
            progress(row * len(lefts) + column + 1, len(tops) * len(lefts))
    assert total is not None
    return total / sums


def with_smaller_tiles(
    whole: Callable[[], Iterator[Picture]],
    tiled: Callable[[int], Iterator[Picture]],
    *,
    side: int,
    how: Decoding,
    sizes: Sequence[int] = TILES,
) -> Iterator[Picture]:
    """Frames of ``whole()``, or of ``tiled(size)`` when memory runs out: from the first frame that is missing.

    ``side`` is the longer side of the picture in pixels. Raises OutOfBudget when even the smallest tiles are too big.
    """
    first = how.tile if 0 < how.tile < side else 0
    tries = [first, *(size for size in sizes if size < (first or side))]
    done = 0
    for number, size in enumerate(tries):
        if number:
            free_memory_of(torch)
        if size:
            how.note(f"Memory is short: the pictures are decoded in tiles of {size} pixels.")
        try:
            for index, picture in enumerate(tiled(size) if size else whole()):
                if index >= done:
                    done += 1
                    yield picture
            return
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
    free_memory_of(torch)
    raise OutOfBudget(
        "There is not enough memory to decode the pictures.",
        "Close other programs or choose a smaller size, then run again; the render goes on at this point.",
    )
