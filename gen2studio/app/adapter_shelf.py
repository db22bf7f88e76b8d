"""The library of adapters as the window uses it: what is there, what fits which model, renamed, imported, deleted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from PySide6.QtCore import QObject, Qt, Signal

from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.core.records import dataclass
from gen2studio.models.adapter_steps import AdapterStep
from gen2studio.models.adapters import Adapter, AdapterLibrary
from gen2studio.models.library import InstalledModel, ModelLibrary


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCard:
    """One adapter as lists show it."""

    id: str
    name: str
    trigger: str = ""
    kind: str = ""
    base: str = ""
    """Title of the model it was trained on; empty = not known."""
    word: bool = False
    """It is a learned word, called by its trigger: prompts say it or don't, and it has no strength."""
    facts: str = ""
    """``rank 8 · 400 steps · 22 Nov 2026``."""
    why_not: str = ""
    """Why it can't be used with the model asked about; empty = it can."""
    caution: str = ""
    """It fits, but was trained on other weights."""
    step: int = 0
    """The step of its training that it is now; 0 = not known."""
    steps: tuple[AdapterStep, ...] = ()
    """The steps it may be made, first to last."""


class AdapterShelf(QObject):
    """Lists and changes the library. Files are read and copied on a thread of its own."""

    changed = Signal()
    """Something was added, renamed or deleted: ask for the cards again."""
    told = Signal(str, str)
    """(severity, sentence) for the message bar."""
    imported = Signal(str)
    """Adapter id that was brought in from a file."""

    _arrived = Signal(object)

    def __init__(
        self,
        library: AdapterLibrary | None = None,
        models: ModelLibrary | None = None,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._library = library or AdapterLibrary()
        self._models = models or ModelLibrary()
        self._fits: dict[tuple[str, str, str], str] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)

    def shutdown(self) -> None:
        """Wait for a running import; start no other."""
        self._closed = True
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def cards(self, model_id: str = "") -> tuple[AdapterCard, ...]:
        """Every adapter, newest first, and whether it fits a model (empty id = not asked)."""
        model = self._model(model_id)
        return tuple(self._card(adapter, model) for adapter in self._library.adapters())

    def _model(self, model_id: str) -> InstalledModel | None:
        if not model_id:
            return None
        try:
            return self._models.model(model_id)
        except StudioError:
            return None

    def _card(self, adapter: Adapter, model: InstalledModel | None) -> AdapterCard:
        parts = [f"rank {adapter.rank}"] if adapter.rank else []
        parts += [f"word of {adapter.vectors} vector{'s'[: adapter.vectors > 1]}"] if adapter.vectors else []
        parts += [f"{adapter.steps} steps"] if adapter.steps else []
        parts += ["imported"] if adapter.imported else []
        parts += [adapter.created[:10]] if adapter.created else []
        return AdapterCard(
            id=adapter.id, name=adapter.name, trigger=adapter.trigger, kind=adapter.kind, word=adapter.vectors > 0,
            base=adapter.base_title or adapter.base_model, facts=" · ".join(parts),
            why_not=self._refusal(adapter, model) if model is not None else adapter.problem,
            caution=self._library.warning(adapter, model) if model is not None else "",
            step=adapter.steps, steps=self._library.steps(adapter.id) if not adapter.problem else (),
        )  # fmt: skip

    def _refusal(self, adapter: Adapter, model: InstalledModel) -> str:
        """Headers are read once for each pair of adapter and model."""
        if adapter.problem:
            return adapter.problem
        key = (adapter.sha256, model.id, model.digest)
        if key not in self._fits:
            self._fits[key] = self._library.refusal(adapter, model)
        return self._fits[key]

    def rename(self, adapter_id: str, name: str) -> None:
        self._change(lambda: self._library.rename(adapter_id, name))

    def delete(self, adapter_id: str) -> None:
        """Delete the adapter's file. Takes that were made with it stay as they are."""
        self._change(lambda: self._library.delete(adapter_id))

    def use_step(self, adapter_id: str, step: int) -> None:
        """Make an adapter what it was after another step of its training."""
        if self._closed:
            return

        def write() -> None:
            sentence = ""
            try:
                self._library.use_step(adapter_id, step)
            except (StudioError, OSError) as error:
                sentence = sentence_of(error)
            self._send(lambda: self._on_changed(sentence))

        self._thread().submit(write)

    def _on_changed(self, sentence: str) -> None:
        if sentence:
            self.told.emit("error", sentence)
        self.changed.emit()

    def _thread(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, "adapter-import")
        return self._pool

    def _change(self, change: Callable[[], object]) -> None:
        try:
            change()
        except (StudioError, OSError) as error:
            self.told.emit("error", sentence_of(error))
        self.changed.emit()

    def import_file(self, path: Path, model_id: str = "") -> None:
        """Copy a LoRA file or a learned word into the library; what does not fit ``model_id`` (when given) is
        refused."""
        if self._closed:
            return
        self._thread().submit(self._import, path, self._model(model_id))

    def _import(self, path: Path, model: InstalledModel | None) -> None:
        try:
            found = self._library.import_file(path, base=model)
        except (StudioError, OSError) as error:
            sentence = sentence_of(error)
            self._send(lambda: self.told.emit("error", sentence))
            return
        self._send(lambda: self._on_imported(found))

    def _on_imported(self, found: Adapter) -> None:
        self.told.emit("info", f"“{found.name}” is in the library of adapters.")
        self.changed.emit()
        self.imported.emit(found.id)

    def refresh(self) -> None:
        """A training put something into the library."""
        self.changed.emit()

    def _send(self, arrive: Callable[[], None]) -> None:
        if not self._closed:
            self._arrived.emit(arrive)

    def _on_arrived(self, arrive: Callable[[], None]) -> None:
        if not self._closed:
            arrive()
