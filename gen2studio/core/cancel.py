"""Cooperative cancellation, polled at every frame, denoising step and tile."""

from __future__ import annotations

import threading


class Cancelled(Exception):
    """Raised by :meth:`CancelToken.check` once the artist has cancelled. Finished work is kept."""


class CancelToken:
    """Thread-safe one-way flag. ``cancel()`` may be called from any thread, ``check()`` from the worker."""

    __slots__ = ("_event",)

    def __init__(self) -> None:
        self._event = threading.Event()

    def cancel(self) -> None:
        self._event.set()

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def check(self) -> None:
        """Raise :class:`Cancelled` if the token was cancelled."""
        if self._event.is_set():
            raise Cancelled

    def wait(self, seconds: float) -> bool:
        """Sleep up to ``seconds``; return True at once when cancelled."""
        return self._event.wait(seconds)
