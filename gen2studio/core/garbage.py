"""When the cyclic garbage collector may run.

A full collection visits every container of the program while it holds the interpreter lock. Beside a start-up or a
large import, which only ever add objects, it finds nothing, comes again and again, and stops every thread for longer
each time (measured: 65 ms while torch is imported, 245 ms by the time transformers is).
"""

from __future__ import annotations

import contextlib
import gc
import threading
from collections.abc import Generator

_lock = threading.Lock()
_pauses = 0
_hurries = 0
_THRESHOLDS = gc.get_threshold()


@contextlib.contextmanager
def collector_paused() -> Generator[None]:
    """No collection on any thread inside the block. What is alive at its end is never looked at again.

    Blocks may overlap on several threads; the collector runs again when the last one ends. A collector that was off
    before the first block stays off.
    """
    pause()
    try:
        yield
    finally:
        resume()


def pause() -> None:
    """The beginning of :func:`collector_paused`, where it ends in another function: call :func:`resume` there."""
    global _pauses, _was_on
    with _lock:
        if _pauses == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _pauses += 1


def resume() -> None:
    global _pauses
    with _lock:
        _pauses -= 1
        if _pauses == 0:
            # Classes, functions and widgets live as long as the program: later collections need not visit them.
            gc.freeze()
            if _was_on:
                gc.enable()


def hurry() -> None:
    """Collect young garbage only until :func:`rest` was called as often: while a film plays, a full collection would
    take the time of some frames."""
    _hurry(1)


def rest() -> None:
    """The end of :func:`hurry`."""
    _hurry(-1)


def _hurry(step: int) -> None:
    global _hurries
    with _lock:
        _hurries += step
        gc.set_threshold(*_THRESHOLDS[:2], 1 << 30 if _hurries else _THRESHOLDS[2])


_was_on = True
