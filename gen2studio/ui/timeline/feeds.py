"""One thread that works off the newest wish first: thumbnails and waveforms arrive when they are ready."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

from PySide6.QtCore import QObject, Signal

from gen2studio.core.log import topic

log = topic("timeline")


class Feed(QObject):
    """Runs ``make(*key)`` for wished keys on its own thread and announces each result on the UI thread.

    The newest wishes come first (they are what is on screen now); when more than ``limit`` wait, the oldest are
    dropped and may be wished for again.
    """

    made = Signal(object, object)
    """(key, result or None when it could not be made)."""

    def __init__(self, name: str, make: Callable[..., Any], limit: int = 256, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self._make = make
        self._limit = limit
        self._wishes: dict[tuple[Hashable, ...], None] = {}
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop = False

    def wish(self, key: tuple[Hashable, ...]) -> None:
        """Ask for a key; asking again moves it to the front."""
        with self._wake:
            if self._stop:
                return
            self._wishes.pop(key, None)
            self._wishes[key] = None
            while len(self._wishes) > self._limit:
                del self._wishes[next(iter(self._wishes))]
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
            self._wake.notify()

    def waiting(self, key: tuple[Hashable, ...]) -> bool:
        return key in self._wishes

    def clear(self) -> None:
        """Forget what nobody needs any more."""
        with self._wake:
            self._wishes.clear()

    def stop(self) -> None:
        """End the thread and wait for it."""
        with self._wake:
            self._stop = True
            self._wishes.clear()
            self._wake.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._wishes and not self._stop:
                    self._wake.wait()
                if self._stop:
                    return
                key, _ = self._wishes.popitem()
            try:
                result = self._make(*key)
            except Exception as error:  # one unreadable file must not end the thread
                log.info("%s %s: %s", self._name, key, error)
                result = None
            if not self._stop:
                self.made.emit(key, result)
