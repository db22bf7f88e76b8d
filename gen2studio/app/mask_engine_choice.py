"""Which mask engine the artist chose for selecting and for propagating; nothing chosen means the best there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from gen2studio.core.errors import EditRefused
from gen2studio.engine.mask_engines import MaskEngineInfo, MaskEngines, engines_of

AddModel = Callable[[Path], str]
"""Checks a mask model, lists it and returns its engine id. Raises ModelError."""


class MaskEngineChoice(QObject):
    """Kept while the program runs. ``task`` is ``select`` or ``track``."""

    changed = Signal()
    """Another engine was chosen, or the list of engines is another one."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engines: MaskEngines = engines_of()
        self._add: AddModel | None = None
        self._chosen: dict[str, str] = {}

    def set_engines(self, engines: MaskEngines, add: AddModel | None = None) -> None:
        """The engines of the program, and how a model is added to them."""
        self._engines = engines
        self._add = add
        self.changed.emit()

    def refresh(self) -> None:
        """Models came or went: ask for the engines again. A chosen one that went is automatic again."""
        for task, chosen in tuple(self._chosen.items()):
            if chosen and all(info.id != chosen for info in self.infos(task)):
                self._chosen[task] = ""
        self.changed.emit()

    @property
    def can_add(self) -> bool:
        return self._add is not None

    def infos(self, task: str) -> tuple[MaskEngineInfo, ...]:
        """The engines for ``task``, best first, also those with a problem."""
        return tuple(info for info in self._engines.infos() if (info.tracks if task == "track" else info.selects))

    def automatic(self, task: str) -> MaskEngineInfo | None:
        """Who answers when nobody chose."""
        return self._engines.automatic(task)

    def chosen(self, task: str) -> str:
        """Id of the chosen engine; empty = automatic."""
        return self._chosen.get(task, "")

    def answering(self, task: str) -> MaskEngineInfo | None:
        """Who will answer now; None when there is no engine for it."""
        wanted = self.chosen(task)
        if not wanted:
            return self.automatic(task)
        return next((info for info in self.infos(task) if info.id == wanted), None)

    def choose(self, engine_id: str, task: str) -> None:
        """Take an engine from now on; empty = automatic. Raises EditRefused for one that is not there or has a
        problem."""
        if engine_id:
            found = next((info for info in self.infos(task) if info.id == engine_id), None)
            if found is None:
                raise EditRefused(f"The mask engine “{engine_id}” is not installed.", "Choose another one.")
            if found.problem:
                raise EditRefused(found.problem, "Choose another engine.")
        if engine_id != self.chosen(task):
            self._chosen[task] = engine_id
            self.changed.emit()

    def add_model(self, path: Path) -> str:
        """Add a Segment Anything file or a SAM 2 / SAM 3 folder and take it for selecting. Raises StudioError."""
        if self._add is None:
            raise EditRefused("Models can't be added here.", "Use: gen2studio models add")
        engine_id = self._add(path)
        if any(info.id == engine_id for info in self.infos("select")):
            self._chosen["select"] = engine_id
        self.changed.emit()
        return engine_id
