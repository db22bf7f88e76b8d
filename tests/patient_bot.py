"""pytest-qt's hands, with patience: how long something may take is no question of a test, whether it happens is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pytestqt.qtbot import QtBot

PATIENCE = 60_000
"""Milliseconds that any wait is given at least: on a busy machine a moment may take seconds."""


class PatientBot(QtBot):
    """Waits that give up sooner by themselves wait this long too; they end when what they wait for is there."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = 0) -> None:
        super().waitUntil(callback, timeout=max(timeout, PATIENCE))

    def waitSignal(self, signal: Any, *, timeout: int = 0, **options: Any) -> Any:
        return super().waitSignal(signal, timeout=max(timeout, PATIENCE), **options)

    def waitSignals(self, signals: list[Any], *, timeout: int = 0, **options: Any) -> Any:
        return super().waitSignals(signals, timeout=max(timeout, PATIENCE), **options)
