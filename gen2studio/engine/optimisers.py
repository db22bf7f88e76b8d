"""What turns gradients into steps: AdamW, or AdamW whose state takes a quarter. No torch."""

from __future__ import annotations

ADAMW, ADAMW_8BIT = "adamw", "adamw8bit"
OPTIMISERS = (ADAMW, ADAMW_8BIT)
TITLES = {ADAMW: "AdamW", ADAMW_8BIT: "AdamW in 8 bits"}
BLOCK = 256
"""Numbers that share a scale where the state is kept in 8 bits."""


def state_bytes(numbers: int, optimiser: str) -> int:
    """Memory of an optimiser's two moments of each of ``numbers`` trained numbers."""
    return numbers * 8 if optimiser == ADAMW else round(numbers * 2 * (1 + 4 / BLOCK))
