"""How the artist wants each model to be held in memory, where it is not left to the program.

A small JSON file beside the list of models: model id → rung of the memory ladder. It belongs to this machine, not to a
project: another machine has another ladder.
"""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import ModelError
from gen2studio.core.paths import data_dir, write_atomic

AUTOMATIC = "auto"
"""Left to the program."""
RUNNING = "running.json"
"""The file of the ways in which models are run (:mod:`gen2studio.diffusion.runtime.ways`)."""
_LOCK = threading.RLock()


class HoldingChoices:
    """The choices of this machine. Every call reads the file, so that a change acts on the next run. Thread-safe."""

    def __init__(self, file: Path | None = None, name: str = "holding.json") -> None:
        """``name`` is that of the file in the data folder: :data:`RUNNING` holds how models are run, not held."""
        self._file = file
        self._name = name

    @property
    def file(self) -> Path:
        return self._file or data_dir() / "models" / self._name

    def rung(self, model_id: str) -> str:
        """The rung chosen for a model, or :data:`AUTOMATIC`. A file that can't be read counts as no choice."""
        return self._read().get(model_id, AUTOMATIC)

    def choose(self, model_id: str, rung: str) -> None:
        """Remember a choice; :data:`AUTOMATIC` forgets it. Raises ModelError for what is no name, OSError for a disk
        that can't be written."""
        if not re.fullmatch(r"[a-z0-9-]{1,40}", rung):
            raise ModelError(f"“{rung[:40]}” is no way to hold a model.", "“gen2studio models plan” lists them.")
        with _LOCK:
            table = self._read()
            if rung == AUTOMATIC:
                table.pop(model_id, None)
            else:
                table[model_id] = rung
            write_atomic(self.file, json.dumps(table, indent=1, ensure_ascii=False).encode())

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self.file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        rows = cast("dict[Any, Any]", found) if isinstance(found, dict) else {}
        return {str(key): value for key, value in rows.items() if isinstance(value, str)}
