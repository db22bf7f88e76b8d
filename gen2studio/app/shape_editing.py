"""Drawn shapes in the artist's hand: which shape and points are selected, how edits make keys, and the draft that a
gesture shows before it becomes one undo step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.app.shape_mattes import ShapeMattes
from gen2studio.core.geometry import Rect
from gen2studio.core.mask_shape import MaskShape
from gen2studio.document.model import MaskObject
from gen2studio.raster.tiles import Mask

if TYPE_CHECKING:
    from gen2studio.app.mask_editing import MaskEditing


class ShapeEditing(QObject):
    """Owned by :class:`~gen2studio.app.mask_editing.MaskEditing`. UI thread only."""

    changed = Signal()
    """Selection, draft or options: what is drawn of the shapes over the picture."""

    def __init__(self, masks: MaskEditing) -> None:
        super().__init__(masks)
        self._masks = masks
        self._mattes = ShapeMattes()
        self._draft: MaskObject | None = None
        masks.matte_changed.connect(self._on_matte_changed)

    # -- mattes ----------------------------------------------------------------------------------------------------

    def of(self, owner: MaskObject) -> tuple[MaskShape, ...]:
        """The shapes of an object, as the gesture in hand has changed them so far."""
        return self._draft.shapes if self._draft is not None and self._draft.id == owner.id else owner.shapes

    def laid(self, owner: MaskObject, frame: int, painted: Mask) -> Mask:
        """``painted`` with the object's shapes over it; itself where none counts on ``frame``. Read-only unless
        ``painted`` is being painted on."""
        shapes = self.of(owner)
        return self._mattes.get(owner.id, frame, painted, shapes) if shapes else painted

    def _on_matte_changed(self, object_id: str, area: Rect | None) -> None:
        if area is not None:
            self._mattes.refresh(object_id, self._masks.frame, area)

    def tell_changed(self, was: MaskObject, now: MaskObject) -> None:
        """The shapes of an object of the shown media are others now: the matte of the frame on screen may be too."""
        masks = self._masks
        area = self._mattes.differing(was.shapes, now.shapes, masks.frame, masks.extent)
        if not area.empty:
            masks.matte_changed.emit(now.id, area)
        self.changed.emit()

    def clear(self) -> None:
        """Another project was opened."""
        self._draft = None
        self._mattes.clear()
