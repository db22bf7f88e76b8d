"""The document in use and its one undo stack.

Commands hold whole document snapshots; documents share what they did not change, so a snapshot costs what the edit
touched. What jobs produce (takes, exact media facts) is not undoable: it is carried over when an older snapshot
comes back. So are the marks of the source viewer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from gen2studio.core.frozen import frozen_map
from gen2studio.document.model import Document, MediaItem
from gen2studio.raster.tiles import TileStore

Change = Callable[[Document], Document]


class _Step(QUndoCommand):
    def __init__(self, store: DocumentStore, label: str, before: Document, after: Document, merge_key: str) -> None:
        super().__init__(label)
        self._store = store
        self.before = before
        self.after = after
        self.merge_key = merge_key
        self._since = self._since_after = store.carried_count

    def id(self) -> int:
        return hash(self.merge_key) & 0x3FFFFFFF if self.merge_key else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, _Step) or not self.merge_key or other.merge_key != self.merge_key:
            return False
        self.after = other.after
        self._since_after = other._since_after
        return True

    def undo(self) -> None:
        self._store._restore(self.before, self._since)

    def redo(self) -> None:
        self._store._restore(self.after, self._since_after)


class DocumentStore(QObject):
    """Owns the current :class:`Document`. Only the UI thread touches it."""

    changed = Signal(object, object)
    """(old, new): any change, undo and redo included. Compare by identity to see what moved."""
    replaced = Signal(object)
    """(new): another project was opened; forget everything about the old one. Emitted instead of ``changed``."""

    def __init__(self, document: Document, tiles: TileStore | None = None, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._document = document
        self._carried: list[Change] = []
        self.tiles = tiles or TileStore()
        self.undo_stack = QUndoStack(self)
        self.undo_stack.setUndoLimit(500)

    @property
    def document(self) -> Document:
        return self._document

    def apply(self, label: str, new: Document, merge_key: str = "") -> None:
        """Make ``new`` current as one undo step. Steps pushed in a row with one non-empty ``merge_key`` become one."""
        if new is not self._document:
            self.undo_stack.push(_Step(self, label, self._document, new, merge_key))

    def extend(self, label: str, change: Change, merge_key: str) -> None:
        """Make ``change`` part of the step made with ``merge_key``, even when other steps were made since.

        The change is made on the snapshots of the later steps as well, so that each stays one step that can be undone
        on its own. Without such a step in force a new one is made, as :meth:`apply` does.
        """
        stack = self.undo_stack
        steps = [step if isinstance(step := stack.command(i), _Step) else None for i in range(stack.count())]
        mine = [i for i in range(stack.index()) if (step := steps[i]) is not None and step.merge_key == merge_key]
        if not mine or mine[-1] == len(steps) - 1:
            self.apply(label, change(self._document), merge_key)
            return
        # Neighbours share their snapshots, and go on doing so.
        made: dict[int, tuple[Document, Document]] = {}

        def changed(snapshot: Document) -> Document:
            return made.setdefault(id(snapshot), (snapshot, change(snapshot)))[1]

        new = changed(self._document)
        for i in range(mine[-1], len(steps)):
            step = steps[i]
            if step is not None:
                step.before = step.before if i == mine[-1] else changed(step.before)
                step.after = changed(step.after)
        if stack.cleanIndex() > mine[-1]:
            stack.resetClean()
        self._set(new)

    def amend(self, change: Change, *, carried: bool = False) -> None:
        """Change what undo must not take back: takes arriving from jobs, facts found out about media.

        ``carried`` changes are made again on every older snapshot that undo or redo brings back (a take joining its
        clip); what they only do to ``takes`` and media facts comes along without it.
        """
        if carried:
            self._carried.append(change)
        self._set(change(self._document))

    @property
    def carried_count(self) -> int:
        """How many carried changes there have been: a snapshot remembers which of them it already holds."""
        return len(self._carried)

    def replace(self, document: Document, tiles: TileStore) -> None:
        """Switch to another project."""
        self.undo_stack.clear()
        self.tiles = tiles
        self._carried.clear()
        self._document = document
        self.undo_stack.setClean()
        self.replaced.emit(document)

    def _restore(self, snapshot: Document, since: int) -> None:
        current = self._document
        for change in self._carried[since:]:
            snapshot = change(snapshot)
        # What a job found out about a take stays; what the artist says of it (name, rating) is undone like any edit.
        takes = {
            **snapshot.takes,
            **{
                key: replace(mine, done=take.done, flicker=take.flicker, drift=take.drift)
                if (mine := snapshot.takes.get(key)) is not None
                else take
                for key, take in current.takes.items()
            },
        }
        # A nested timeline's facts are those of the timeline that comes back, a file's those that were found out.
        media: dict[str, MediaItem] = {
            key: replace(item, info=current.media[key].info) if key in current.media and not item.nested else item
            for key, item in snapshot.media.items()
        }
        # Where the artist looked is no edit.
        if snapshot.sources is not current.sources:
            snapshot = replace(snapshot, sources=current.sources)
        same_takes = len(takes) == len(snapshot.takes) and all(snapshot.takes.get(k) == v for k, v in takes.items())
        same_media = all(current.media.get(k) is v or current.media.get(k) == v for k, v in snapshot.media.items())
        if not same_takes:
            snapshot = replace(snapshot, takes=frozen_map(takes))
        if not same_media:
            snapshot = replace(snapshot, media=frozen_map(media))
        self._set(snapshot)

    def _set(self, new: Document) -> None:
        old, self._document = self._document, new
        if new is not old:
            self.changed.emit(old, new)
