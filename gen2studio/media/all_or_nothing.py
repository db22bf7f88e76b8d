"""What every writer of exports keeps to: the target is there complete, or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gen2studio.core.errors import ExportError


class AllOrNothing(ABC):
    """A writer in a ``with`` statement: finished and committed at its end, aborted by whatever was raised in it."""

    @abstractmethod
    def finish(self, on_packet: Callable[[], None] | None = None) -> None:
        """Write what is held back. Raises ExportError; then nothing is left.

        ``on_packet`` is called as each held-back frame is written; what it raises (a cancel) ends the export.
        """

    @abstractmethod
    def commit(self) -> None:
        """Give what was written the target's name."""

    @abstractmethod
    def abort(self) -> None:
        """Stop and remove what was written. Safe to call at any time, also twice."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.abort()
            return
        self.finish()
        self.commit()


def check_written(frames: int) -> None:
    """Raises ExportError when there was not a single frame."""
    if not frames:
        raise ExportError("There was not a single frame to export.", "Choose a range that has frames.")
