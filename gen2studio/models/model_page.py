"""The README's page of models: one table of what runs where, made from the catalog. No figure in it is typed.

python -m gen2studio.models.model_page README.md      writes the table between its two marks
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from gen2studio.core.paths import resources_dir, write_atomic
from gen2studio.models.catalog import Catalog, load_catalog
from gen2studio.models.catalog_entries import CatalogEntry, MemoryTier
from gen2studio.models.fitting import GIB, MachineFacts, duration, fit

BEGIN, END = "<!-- models: begin -->", "<!-- models: end -->"
CARDS = (0, 8, 12, 24, 80)
"""GPU memory of the columns in gigabytes; 0 = none."""
_MEMORY = {0: 32, 8: 32, 12: 64, 24: 64, 80: 128}
"""Main memory of a machine with such a card, in gigabytes."""
_SLOW_PROCESSOR = 100.0
"""Gigaflops of the machine without a GPU: two cores of a laptop."""


def machine_of(card: int) -> MachineFacts:
    """A machine of the table."""
    memory = _MEMORY[card] * 10**9
    if not card:
        return MachineFacts(device="cpu", name="a processor", memory_bytes=memory)
    return MachineFacts(device="cuda", name=f"{card} GB", gpu_bytes=card * GIB, memory_bytes=memory)


def table(catalog: Catalog) -> str:
    """The table as Markdown: every model that makes pictures, the commercial-safe ones first."""
    heads = ["model", *("no GPU" if card == 0 else f"{card} GB" for card in CARDS), "terms", "sources"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    models = [entry for entry in catalog.entries if entry.kind == "model" and not entry.listed_only]
    for entry in sorted(models, key=lambda entry: entry.opt_in):
        cells = [fit(catalog, entry, machine_of(card)) for card in CARDS]
        used = list(dict.fromkeys(cell.tier for cell in cells if cell.tier is not None))
        row = [
            entry.title,
            *(_held(entry, cell.tier) for cell in cells),
            entry.licence.id + ("*" if entry.opt_in else ""),
            "; ".join(_source(entry, tier) for tier in used) or "—",
        ]
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _source(entry: CatalogEntry, tier: MemoryTier) -> str:
    if tier.gpu_gb:
        return f"{tier.gpu_gb:g} GB: {tier.source}"
    return f"no GPU: {tier.source}" + (f"; its time: {entry.draft.source}" if entry.draft is not None else "")


def _held(entry: CatalogEntry, tier: MemoryTier | None) -> str:
    if tier is None:
        return "—"
    if tier.gpu_gb == 0 and entry.draft is not None:
        draft = entry.draft
        seconds = draft.teraflops * 1000 / _SLOW_PROCESSOR
        return f"draft {draft.width}×{draft.height}, {draft.frames} frames: {duration(seconds)}"
    return f"{tier.how}{' (slow)' if tier.slow else ''}"


def page(catalog: Catalog) -> str:
    """What stands between the marks, with them."""
    compared = ", ".join(entry.title for entry in catalog.entries if entry.listed_only)
    last = f"\n\nListed to compare, not run by this version: {compared}." if compared else ""
    return f"{BEGIN}\n\n{table(catalog)}{last}\n\n{END}"


def renewed(text: str, catalog: Catalog) -> str:
    """``text`` with the table as the catalog makes it now. Raises ValueError without the marks."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"the marks {BEGIN} and {END} are not there")
    return pattern.sub(lambda _match: page(catalog), text)


def main() -> int:
    """Renew the table of the file that is named on the command line."""
    path = Path(sys.argv[1])
    text = path.read_text(encoding="utf-8")
    write_atomic(path, renewed(text, load_catalog(resources_dir() / "models")).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
