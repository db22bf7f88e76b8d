"""Where compiled kernels are kept, the decorator that compiles them, and the thread team that runs them.

Kernels are compiled once per machine and reused by every later process. ``GEN2STUDIO_KERNEL_CACHE`` names the folder;
without it ``NUMBA_CACHE_DIR`` counts, then (in a source checkout) the user's own cache, so that isolated homes of tests
do not compile again, else ``paths.cache_dir("kernels")``.

Kernels release the GIL and are run over row strips by ordinary threads: unlike numba's own thread pool this may happen
from several Python threads at once, and the result can't depend on how many threads there are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, TypeVar

import numba
from numba.core import config

from gen2studio.example.warm import kernel_cache

F = TypeVar("F", bound=Callable[..., Any])


config.CACHE_DIR = str(kernel_cache())  # pyright: ignore[reportAttributeAccessIssue]

_FAST = {"contract", "reassoc", "nsz", "arcp", "afn"}
"""Faster sums; NaN and infinity keep their meaning."""


def compiled(function: F) -> F:
    """numba's ``njit`` without the GIL, cached on disk."""
    dispatcher: Any = numba.njit(nogil=True, cache=True, fastmath=_FAST, error_model="numpy")(function)
    return dispatcher


class Team:
    """Threads that share the rows of a picture. Use as a context manager; one thread means no pool at all."""

    def __init__(self, threads: int) -> None:
        self.threads = max(1, threads)
        self._pool = ThreadPoolExecutor(self.threads, "example") if self.threads > 1 else None

    def __enter__(self) -> Team:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def over(self, count: int, work: Callable[[int, int], None], grain: int = 1) -> None:
        """Call ``work(start, stop)`` so that every index of range(count) is covered once.

        Pieces begin at multiples of ``grain``. ``work`` must give the same result however the range is cut.
        """
        if self._pool is None or count <= grain:
            work(0, count)
            return
        blocks = -(-count // grain)
        pieces = min(blocks, self.threads * 3)
        cuts = [min(count, blocks * i // pieces * grain) for i in range(pieces + 1)]
        waiting = [self._pool.submit(work, a, b) for a, b in itertools.pairwise(cuts) if b > a]
        for future in waiting:
            future.result()
