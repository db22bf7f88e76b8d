"""What torch's allocator handed out while something ran."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def peak_of(work: Callable[[], Any]) -> int:
    """Bytes that the allocator had handed out at most while ``work`` ran, by torch's own profiler."""
    import torch
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as record, torch.no_grad():
        work()
    events: Any = record.profiler
    rows = [row for row in events.kineto_results.events() if row.name() == "[memory]"]
    held = most = 0
    for row in sorted(rows, key=lambda row: row.start_ns()):
        held += row.nbytes()
        most = max(most, held)
    return most
