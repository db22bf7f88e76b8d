"""What the object list does besides naming and colouring: blend, order, solo, copies, several objects at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document import masks as edits
from gen2studio.document.model import Document, MaskBlend

if TYPE_CHECKING:
    from gen2studio.app.mask_editing import MaskEditing

BLEND_WORDS = {MaskBlend.ADD: "Add", MaskBlend.SUBTRACT: "Subtract", MaskBlend.INTERSECT: "Intersect"}


class MaskListing(QObject):
    """Owned by :class:`~gen2studio.app.mask_editing.MaskEditing`. Every change is one undo step. Raises EditRefused."""

    def __init__(self, masks: MaskEditing) -> None:
        super().__init__(masks)
        self._masks = masks

    def set_blend(self, object_id: str, blend: MaskBlend) -> None:
        old = edits.mask_of(self._masks.document, object_id)
        self._apply(f"{BLEND_WORDS[blend]} {old.name}", edits.set_blend(self._masks.document, object_id, blend))

    def next_blend(self, object_id: str) -> None:
        """Add → subtract → intersect → add."""
        order = list(MaskBlend)
        blend = edits.mask_of(self._masks.document, object_id).blend
        self.set_blend(object_id, order[(order.index(blend) + 1) % len(order)])

    def move(self, object_ids: Sequence[str], place: int) -> None:
        """Put objects, in their order, before the one at ``place`` now (the number of rows = at the end)."""
        document = self._masks.document
        if not object_ids:
            return
        own = [m.id for m in document.masks_of(edits.mask_of(document, object_ids[0]).media_id)]
        moved = [i for i in own if i in object_ids]
        left = [i for i in own[:place] if i not in moved] + moved + [i for i in own[place:] if i not in moved]
        for index, object_id in enumerate(left):
            document = edits.move_object(document, object_id, index)
        self._apply(f"Move {self._names(moved)}", document)

    def shift(self, object_id: str, rows: int) -> None:
        """Move an object up (−1) or down (1) in the list."""
        own = [m.id for m in self._masks.document.masks_of(edits.mask_of(self._masks.document, object_id).media_id)]
        place = own.index(object_id) + rows
        if 0 <= place < len(own):
            moved = edits.move_object(self._masks.document, object_id, place)
            self._apply(f"Move {self._names([object_id])}", moved)

    def duplicate(self, object_ids: Sequence[str]) -> None:
        """Copy objects with everything; the last copy is chosen."""
        document, made = self._masks.document, ""
        self._some(object_ids)
        for object_id in object_ids:
            made = new_id("mask")
            document = edits.duplicate_object(document, object_id, made)
        self._apply(f"Duplicate {self._names(object_ids)}", document)
        self._masks.session.set_mask_object(made)

    def remove(self, object_ids: Sequence[str]) -> None:
        document = self._masks.document
        self._some(object_ids)
        for object_id in object_ids:
            document = edits.remove_object(document, object_id)
        self._apply(f"Delete {self._names(object_ids)}", document)

    def set_visible(self, object_ids: Sequence[str], visible: bool) -> None:
        document = self._masks.document
        for object_id in object_ids:
            document = edits.set_visible(document, object_id, visible)
        self._apply(f"{'Show' if visible else 'Hide'} {self._names(object_ids)}", document)

    def set_locked(self, object_ids: Sequence[str], locked: bool) -> None:
        document = self._masks.document
        for object_id in object_ids:
            document = edits.set_locked(document, object_id, locked)
        self._apply(f"{'Lock' if locked else 'Unlock'} {self._names(object_ids)}", document)

    def toggle_solo(self, object_ids: Sequence[str]) -> None:
        """Show only these objects (besides others on solo), or no longer only these. Not an undo step: it changes what
        is seen, not what is made."""
        session = self._masks.session
        chosen = frozenset(object_ids)
        session.set_mask_solo(session.mask_solo - chosen if chosen <= session.mask_solo else session.mask_solo | chosen)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _some(self, object_ids: Sequence[str]) -> None:
        if not object_ids:
            raise EditRefused("There is no mask object chosen.", "Choose one in the list first.")

    def _names(self, object_ids: Sequence[str]) -> str:
        if len(object_ids) != 1:
            return f"{len(object_ids)} objects"
        return edits.mask_of(self._masks.document, object_ids[0]).name

    def _apply(self, label: str, document: Document) -> None:
        if document is not self._masks.document:
            self._masks.session.store.apply(label, document)
