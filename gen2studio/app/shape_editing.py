"""Drawn shapes in the artist's hand: which shape and points are selected, how edits make keys, and the draft that a
gesture shows before it becomes one undo step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app.shape_mattes import ShapeMattes
from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Rect
from gen2studio.core.ids import new_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.mask_shape import MaskShape, ShapePoint
from gen2studio.core.records import dataclass
from gen2studio.document import mask_shapes as edits
from gen2studio.document.masks import add_object
from gen2studio.document.model import Document, MaskObject

if TYPE_CHECKING:
    from gen2studio.app.mask_editing import MaskEditing
    from gen2studio.raster.tiles import Mask

Change = Callable[[Document], Document]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeSettings:
    """How shapes are drawn and edited. Kept while the program runs."""

    auto_key: bool = True
    """True: an edit makes a key on the frame on screen. False: it changes every key alike."""
    operation: str = "add"
    """add, subtract or intersect: of the next shape."""
    drawn_as: str = "paint"
    """paint or shape: what lasso, polygon, rectangle and ellipse make."""


class ShapeEditing(QObject):
    """Owned by :class:`~gen2studio.app.mask_editing.MaskEditing`. UI thread only."""

    changed = Signal()
    """Selection, draft or settings: what is drawn of the shapes over the picture."""

    def __init__(self, masks: MaskEditing) -> None:
        super().__init__(masks)
        self._masks = masks
        self._mattes = ShapeMattes()
        self._draft: MaskObject | None = None
        self._shape_id = ""
        self._points: frozenset[int] = frozenset()
        self.settings = ShapeSettings()
        masks.matte_changed.connect(self._on_matte_changed)
        masks.place_changed.connect(lambda _media, _frame: self.drop_draft())
        masks.session.mask_object_changed.connect(lambda _object_id: self.select(""))

    # -- mattes ----------------------------------------------------------------------------------------------------

    def of(self, owner: MaskObject) -> tuple[MaskShape, ...]:
        """The shapes of an object, as the gesture in hand has changed them so far."""
        return self._draft.shapes if self._draft is not None and self._draft.id == owner.id else owner.shapes

    def laid(self, owner: MaskObject, frame: int, painted: Mask) -> Mask:
        """``painted`` with the object's shapes over it; itself where none counts on ``frame``. Read-only unless
        ``painted`` is being painted on."""
        shapes = self.of(owner)
        if not shapes:
            return painted
        live = painted.flags.writeable or (self._draft is not None and self._draft.id == owner.id)
        return self._mattes.get(owner.id, frame, painted, shapes, live)

    def _on_matte_changed(self, object_id: str, area: Rect | None) -> None:
        if area is not None:
            self._mattes.refresh(object_id, self._masks.frame, area)

    def tell_changed(self, was: MaskObject, now: MaskObject) -> None:
        """The shapes of an object of the shown media are others now: the matte of the frame on screen may be too."""
        self._tell_area(now.id, was.shapes, now.shapes)
        self.changed.emit()

    def _tell_area(self, object_id: str, was: tuple[MaskShape, ...], now: tuple[MaskShape, ...]) -> None:
        masks = self._masks
        area = self._mattes.differing(was, now, masks.frame, masks.extent)
        if not area.empty:
            masks.matte_changed.emit(object_id, area)

    def clear(self) -> None:
        """Another project was opened."""
        self._draft = None
        self._shape_id, self._points = "", frozenset()
        self._mattes.clear()

    # -- selection -------------------------------------------------------------------------------------------------

    @property
    def frame(self) -> int:
        """The media frame on screen."""
        return self._masks.frame

    def shapes(self) -> tuple[MaskShape, ...]:
        """Of the current object, in the order they count; the draft of the gesture in hand."""
        owner = self._masks.current()
        return self.of(owner) if owner is not None else ()

    def current(self) -> MaskShape | None:
        """The selected shape."""
        return next((s for s in self.shapes() if s.id == self._shape_id), None)

    @property
    def points(self) -> frozenset[int]:
        """Selected points of the selected shape."""
        shape = self.current()
        return frozenset(i for i in self._points if i < len(shape.keys[0][1])) if shape is not None else frozenset()

    def select(self, shape_id: str, points: Iterable[int] = ()) -> None:
        chosen = frozenset(points)
        if (shape_id, chosen) != (self._shape_id, self._points):
            self._shape_id, self._points = shape_id, chosen
            self.changed.emit()

    def set(self, **changes: Any) -> None:
        """Change some of :class:`ShapeSettings`."""
        new = replace(self.settings, **changes)
        if new != self.settings:
            self.settings = new
            self.changed.emit()

    @property
    def key_frame(self) -> int | None:
        """Where an edit goes: the frame on screen gets a key, or (None) every key changes alike."""
        return self._masks.frame if self.settings.auto_key else None

    # -- edits -----------------------------------------------------------------------------------------------------

    def owner(self) -> MaskObject:
        """The current object, which must be there and unlocked. Raises EditRefused."""
        owner = self._masks.current()
        if owner is None:
            raise EditRefused("There is no mask object yet.", "Draw a shape or paint on the picture first.")
        if owner.locked:
            raise EditRefused(f"{owner.name} is locked.", "Unlock it in the object list to change its shapes.")
        return owner

    def chosen(self) -> MaskShape:
        """The selected shape. Raises EditRefused when there is none."""
        shape = self.current()
        if shape is None:
            raise EditRefused("No shape is selected.", "Click on its outline with the Edit Shape tool.")
        return shape

    def preview(self, change: Change) -> None:
        """Show what ``change`` would make of the current object; nothing is stored."""
        owner = self.owner()
        was = self.of(owner)
        self._draft = change(self._masks.document).masks[owner.id]
        self._tell_area(owner.id, was, self._draft.shapes)
        self.changed.emit()

    def drop_draft(self) -> None:
        """Forget what :meth:`preview` shows."""
        draft, self._draft = self._draft, None
        owner = self._masks.document.masks.get(draft.id) if draft is not None else None
        if draft is not None and owner is not None:
            self._tell_area(owner.id, draft.shapes, owner.shapes)
            self.changed.emit()

    def apply(self, label: str, change: Change, merge_key: str = "") -> None:
        """Make ``change`` one undo step. Raises EditRefused; then what was shown of it is gone."""
        try:
            owner = self.owner()
            new = change(self._masks.document)
        except BaseException:
            self.drop_draft()
            raise
        if new is self._masks.document:
            self.drop_draft()
            return
        # The draft stays until the document holds it: nothing flickers.
        self._masks.session.store.apply(f"{label} on {owner.name}", new, merge_key)
        self.drop_draft()

    def draw(self, kind: str, points: Iterable[ShapePoint], operation: str, label: str = "Draw shape") -> str:
        """A new shape with its first key on the frame on screen, as one undo step; without an object one is made.

        Returns its id; it is selected. Raises EditRefused.
        """
        masks = self._masks
        shape = edits.drawn(kind, tuple(points), masks.frame, operation)
        document, fresh = masks.document, masks.current() is None
        if fresh:
            if masks.media_id not in document.media:
                raise EditRefused("There is no picture to draw on.", "Move the playhead onto a clip first.")
            object_id = new_id("mask")
            document = add_object(document, masks.media_id, object_id=object_id)
        else:
            object_id = self.owner().id
        new = edits.add_shape(document, object_id, shape)
        masks.session.store.apply(f"{label} on {new.masks[object_id].name}", new)
        if fresh:
            masks.session.set_mask_object(object_id)
        self.select(shape.id)
        return shape.id

    def remove_chosen(self) -> None:
        """Delete the selected points from all keys, or the whole shape when all or none of them are selected."""
        owner, shape, points = self.owner(), self.chosen(), self.points
        if points and len(points) < len(shape.keys[0][1]):
            self.apply("Delete points", lambda d: edits.remove_points(d, owner.id, shape.id, points))
            self.select(shape.id)
        else:
            self.apply(f"Delete {shape.name}", lambda d: edits.remove_shape(d, owner.id, shape.id))
            self.select("")

    def nudge(self, dx: float, dy: float) -> None:
        """Move the selected points (or, without any, the shape). Nudges in a row are one undo step."""
        owner, shape, frame = self.owner(), self.chosen(), self.key_frame
        points = self.points or frozenset(range(len(shape.keys[0][1])))
        key = f"nudge:{shape.id}:{frame}:{sorted(points)}"
        self.apply("Nudge", lambda d: edits.move_points(d, owner.id, shape.id, frame, points, dx, dy), key)

    def change_chosen(self, label: str, edit: Callable[[Document, str, str], Document]) -> None:
        """One undo step of ``edit(document, object id, shape id)`` on the selected shape."""
        owner, shape = self.owner(), self.chosen()
        self.apply(label, lambda d: edit(d, owner.id, shape.id))

    def set_operation(self, operation: str) -> None:
        """Of the selected shape, and of the next ones."""
        self.set(operation=operation)
        if self.current() is not None:
            self.change_chosen("Shape operation", lambda d, o, s: edits.set_operation(d, o, s, operation))

    def remove_shape(self) -> None:
        self.change_chosen(f"Delete {self.chosen().name}", edits.remove_shape)
        self.select("")

    def duplicate(self) -> None:
        """Copy the selected shape; the copy is selected."""
        copy_id = new_id("shape")
        self.change_chosen("Duplicate shape", lambda d, o, s: edits.duplicate_shape(d, o, s, copy_id))
        self.select(copy_id)

    def move_in_order(self, step: int) -> None:
        """Let the selected shape count later (+1) or earlier (−1) among the object's shapes."""
        place = self.owner().shapes.index(self.chosen()) + step
        self.change_chosen("Order of shapes", lambda d, o, s: edits.move_shape(d, o, s, place))

    def toggle_visible(self) -> None:
        shape = self.chosen()
        label = f"{'Hide' if shape.visible else 'Show'} {shape.name}"
        self.change_chosen(label, lambda d, o, s: edits.set_visible(d, o, s, not shape.visible))

    def start_here(self) -> None:
        self._live(self._masks.frame, self.chosen().stop)

    def end_here(self) -> None:
        self._live(self.chosen().start, self._masks.frame + 1)

    def live_always(self) -> None:
        self._live(None, None)

    def _live(self, start: int | None, stop: int | None) -> None:
        self.change_chosen("Life of shape", lambda d, o, s: edits.set_life(d, o, s, start, stop))

    def convert(self, kind: str) -> None:
        self.change_chosen(f"Convert to {kind}", lambda d, o, s: edits.convert(d, o, s, kind))

    def make_smooth(self) -> None:
        self._handles("Smooth points", edits.make_smooth)

    def make_corners(self) -> None:
        self._handles("Corner points", edits.make_corners)

    def _handles(self, label: str, edit: Callable[..., Document]) -> None:
        shape = self.chosen()
        if shape.kind != "bezier":
            raise EditRefused(f"A {_KINDS[shape.kind]} has no handles.", "Convert it to a bezier shape first.")
        points = self.points or frozenset(range(len(shape.keys[0][1])))
        self.change_chosen(label, lambda d, o, s: edit(d, o, s, None, points))

    def set_feather(self, feather: float, merge_key: str = "") -> None:
        """Of the selected points, or of the whole shape."""
        owner, shape, frame = self.owner(), self.chosen(), self.key_frame
        points = self.points or frozenset(range(len(shape.keys[0][1])))
        self.apply("Feather", lambda d: edits.set_feather(d, owner.id, shape.id, frame, points, feather), merge_key)

    # -- keys ------------------------------------------------------------------------------------------------------

    def set_key(self) -> None:
        """Keep the selected shape as it is on the frame on screen."""
        frame = self._masks.frame
        self.change_chosen("Shape key", lambda d, o, s: edits.add_key(d, o, s, frame))

    def remove_key(self) -> None:
        frame = self._masks.frame
        self.change_chosen("Remove shape key", lambda d, o, s: edits.remove_key(d, o, s, frame))

    def go_to_key(self, direction: int) -> None:
        """Move the playhead to the next (+1) or previous (−1) key of the selected shape."""
        shape = self.chosen()
        step = edits.next_key if direction > 0 else edits.previous_key
        frame = step(shape, self._masks.frame)
        if frame is None:
            raise EditRefused(
                f"{shape.name} has no key {'after' if direction > 0 else 'before'} this frame.",
                "Set one with Set Shape Key.",
            )
        self._masks.jobs.go_to(frame)

    # -- baking ----------------------------------------------------------------------------------------------------

    def bake(self) -> None:
        """Paint instead of shapes, on every frame of the clip where they count, as one undo step made on a thread."""
        owner = self.owner()
        if not owner.shapes:
            raise EditRefused(f"{owner.name} has no shapes.", "Draw one first.")
        masks, shapes = self._masks, owner.shapes
        tiles, extent = masks.session.store.tiles, masks.extent
        first, stop = masks.jobs.clip_range()
        frames = sorted({*owner.frames, *range(first, stop)})
        alive = [frame for frame in frames if any(shape.lives_at(frame) for shape in shapes)]

        def made(frame: int) -> MaskRaster:
            from gen2studio.raster import splines

            there = owner.frames.get(frame)
            painted = tiles.unpack(there.raster) if there is not None and not there.raster.is_empty else None
            return tiles.pack(splines.matte_with_shapes(painted, shapes, frame, extent))

        def write(mattes: dict[int, MaskRaster]) -> None:
            if masks.document.masks.get(owner.id) is not owner:
                raise EditRefused(f"{owner.name} was changed meanwhile.", "Bake its shapes once more.")
            label = f"Bake shapes of {owner.name}"
            masks.session.store.apply(label, edits.baked(masks.document, owner.id, mattes))

        masks.jobs.make_rasters(f"Bake shapes of {owner.name}", alive, made, write)


_KINDS = {"polygon": "polygon", "bspline": "B-spline", "bezier": "bezier shape"}
