"""The mask workspace without widgets: objects, mattes of the frame on screen, strokes, operations, jobs.

Everything that changes the document is one undo step with the object's name in its label. Whole-matte operations
run on one thread of their own; smart select and propagation run on the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app.effective_mattes import EffectiveMattes
from gen2studio.app.mask_editing_mattes import MatteCache, MatteEdit, difference, empty_matte
from gen2studio.app.mask_engine_choice import MaskEngineChoice
from gen2studio.app.mask_listing import MaskListing
from gen2studio.app.mask_refining import MaskRefining
from gen2studio.app.selection_hover import SelectionHover
from gen2studio.app.session import Session
from gen2studio.app.shape_editing import ShapeEditing
from gen2studio.core.errors import EditRefused, StudioError
from gen2studio.core.geometry import Extent, Rect
from gen2studio.core.ids import new_id
from gen2studio.core.mask_confidence import SUSPECT
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.document import masks as edits
from gen2studio.document.model import Document, MaskBlend, MaskFrame, MaskObject
from gen2studio.raster.tiles import Mask

if TYPE_CHECKING:
    from gen2studio.app.mask_editing_jobs import MaskJob, MaskJobs
    from gen2studio.engine.mask_engines import MaskEngineInfo

QUICK = 1 << 20
"""Pixels up to which a region is made between two events of the window (1280 × 720 is under it)."""
Region = Callable[[Mask], tuple[Rect, Mask]]
"""The matte as it is → a region to add: where it lies, and its (h, w) uint8 coverage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrushSettings:
    """The tip in the artist's hand; lengths in media pixels. Kept while the program runs."""

    radius: float = 24.0
    hardness: float = 0.85
    opacity: float = 1.0
    pressure_size: bool = True
    pressure_opacity: bool = False
    spacing: float = 0.125
    """Distance between dabs in diameters."""
    tolerance: int = 24
    """Levels per channel that fill and wand take for the same colour."""
    contiguous: bool = True
    """The wand keeps to what is connected."""
    antialias: bool = True
    """The wand follows mixed colours along its edge."""
    radial: bool = False
    """The gradient falls off around a point instead of across a line."""


class MaskEditing(QObject):
    """What canvas, mask panel and timeline lane share. Lives on the UI thread."""

    objects_changed = Signal()
    """The list of objects of the shown media, or something shown about one of them."""
    matte_changed = Signal(str, object)
    """(object id, Rect of media pixels or None for everything): a matte of the frame on screen."""
    place_changed = Signal(str, int)
    """(media id, media frame) on screen."""
    brush_changed = Signal(object)
    """BrushSettings"""
    lane_changed = Signal(str)
    """Media id: :meth:`confidence_lane` would answer differently now."""
    job_changed = Signal(object)
    """MaskJob, or None when nothing runs."""

    def __init__(self, session: Session, host: Any = None, parent: QObject | None = None) -> None:
        """``host`` is an EngineHost (or anything with its ``submit``, ``cancel`` and signals); it may come later."""
        from gen2studio.app.mask_editing_jobs import MaskJobs

        super().__init__(parent)
        self.session = session
        self.media_id = ""
        self.frame = 0
        self.extent = Extent(1, 1)
        self.brush = BrushSettings()
        self._cache = MatteCache()
        self._blank: Mask | None = None
        self._edit: MatteEdit | None = None
        self._fresh: MaskObject | None = None
        self._last_object: dict[str, str] = {}
        self.engine_choice = MaskEngineChoice(self)
        self.hover = SelectionHover(self.engine_choice, self)
        self.jobs: MaskJobs = MaskJobs(self)
        self.shapes = ShapeEditing(self)
        self.effective = EffectiveMattes(self)
        self.refining = MaskRefining(self)
        self.listing = MaskListing(self)
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(self._on_document_replaced)
        session.mask_object_changed.connect(self._on_object_chosen)
        session.mask_solo_changed.connect(lambda _solo: self.objects_changed.emit())
        if host is not None:
            self.set_host(host)

    def set_host(self, host: Any) -> None:
        self.jobs.set_host(host)
        self.hover.set_host(host)

    def shutdown(self) -> None:
        """Stop the worker thread; unfinished operations are dropped. Call before the window goes."""
        if self._edit is not None:
            self._edit.cancel()
        self.effective.shutdown()
        self.jobs.shutdown()

    # -- where the artist is ---------------------------------------------------------------------------------------

    def set_place(self, media_id: str, frame: int, extent: Extent) -> None:
        """The media frame on screen. An unfinished gesture on another frame is cancelled."""
        if (media_id, frame, extent) == (self.media_id, self.frame, self.extent):
            return
        self.jobs.finish_laying()
        if self._edit is not None:
            self._edit.cancel()
        other_media = media_id != self.media_id
        self.media_id, self.frame = media_id, frame
        if extent != self.extent:
            self.extent = extent
            self._blank = None
        if other_media:
            self._choose_object()
            self.objects_changed.emit()
            self.lane_changed.emit(media_id)
        self.place_changed.emit(media_id, frame)

    def _choose_object(self) -> None:
        """Keep the chosen object one of the shown media's own."""
        own = self.document.masks_of(self.media_id) if self.media_id else ()
        chosen = self.session.mask_object
        if not any(o.id == chosen for o in own):
            remembered = self._last_object.get(self.media_id, "")
            if not any(o.id == remembered for o in own):
                remembered = own[0].id if own else ""
            self.session.set_mask_object(remembered)

    def _on_object_chosen(self, object_id: str) -> None:
        if object_id:
            self._last_object[self.media_id] = object_id
        self.objects_changed.emit()
        self.lane_changed.emit(self.media_id)

    # -- objects ---------------------------------------------------------------------------------------------------

    @property
    def document(self) -> Document:
        return self.session.document

    def objects(self) -> tuple[MaskObject, ...]:
        """Of the shown media, oldest first; while a first stroke is drawn, the object it will make."""
        own = self.document.masks_of(self.media_id) if self.media_id else ()
        return (*own, self._fresh) if self._fresh is not None else own

    def current(self) -> MaskObject | None:
        """The object that tools work on."""
        if self._fresh is not None:
            return self._fresh
        found = self.document.masks.get(self.session.mask_object)
        return found if found is not None and found.media_id == self.media_id else None

    def add_object(self, name: str = "") -> str:
        """A new, empty object of the shown media, chosen at once. Raises EditRefused when no media is shown."""
        object_id = new_id("mask")
        grown = edits.add_object(self.document, self._shown_media(), name, object_id=object_id)
        self._apply(f"Add {grown.masks[object_id].name}", grown)
        self.session.set_mask_object(object_id)
        return object_id

    def rename_object(self, object_id: str, name: str) -> None:
        old = edits.mask_of(self.document, object_id)
        self._apply(f"Rename {old.name} to {name.strip()}", edits.rename_object(self.document, object_id, name))

    def recolour_object(self, object_id: str, colour: tuple[int, int, int]) -> None:
        old = edits.mask_of(self.document, object_id)
        self._apply(f"Colour of {old.name}", edits.recolour(self.document, object_id, colour))

    def set_visible(self, object_id: str, visible: bool) -> None:
        old = edits.mask_of(self.document, object_id)
        label = f"{'Show' if visible else 'Hide'} {old.name}"
        self._apply(label, edits.set_visible(self.document, object_id, visible))

    def set_locked(self, object_id: str, locked: bool) -> None:
        old = edits.mask_of(self.document, object_id)
        label = f"{'Lock' if locked else 'Unlock'} {old.name}"
        self._apply(label, edits.set_locked(self.document, object_id, locked))

    def remove_object(self, object_id: str) -> None:
        old = edits.mask_of(self.document, object_id)
        self._apply(f"Delete {old.name}", edits.remove_object(self.document, object_id))

    # -- mattes ----------------------------------------------------------------------------------------------------

    def matte(self, object_id: str, frame: int | None = None) -> Mask:
        """The (H, W) uint8 matte of one object on a frame of the shown media, what was painted with its shapes over it.
        Read-only; blank where there is nothing.

        While a gesture or a propagation is under way this is what it has made so far.
        """
        frame = self.frame if frame is None else frame
        painted = self.painted(object_id, frame)
        owner = self.document.masks.get(object_id)
        return self.shapes.laid(owner, frame, painted) if owner is not None else painted

    def painted(self, object_id: str, frame: int | None = None) -> Mask:
        """As :meth:`matte`, without shapes: what brushes, operations and propagation work on."""
        frame = self.frame if frame is None else frame
        edit = self._edit
        if edit is not None and edit.object_id == object_id and edit.frame == frame:
            return edit.mask
        live = self.jobs.live_matte(object_id, frame)
        if live is not None:
            return live
        found = self.raster(object_id, frame)
        if found is None or found.is_empty or found.extent != self.extent:
            return self._blank_matte()
        return self._cache.get(found, self.session.store.tiles)

    def _blank_matte(self) -> Mask:
        if self._blank is None:
            self._blank = empty_matte(self.extent)
        return self._blank

    def remember(self, raster: MaskRaster, matte: Mask) -> None:
        """``matte`` is what ``raster`` decodes to: spare the decoding."""
        self._cache.keep(raster, matte)

    def raster(self, object_id: str, frame: int) -> MaskRaster | None:
        """What is stored for one object on one frame."""
        found = self.document.masks.get(object_id)
        there = found.frames.get(frame) if found is not None else None
        return there.raster if there is not None else None

    def layers(self) -> Iterator[tuple[MaskObject, Mask]]:
        """Objects to show with their refined mattes of the frame on screen, in list order: the visible ones, or those
        on solo. Blank ones are left out, except where they intersect."""
        for item in self._on_show():
            matte = self.effective.shown(item)
            if matte is not self._blank or item.blend is MaskBlend.INTERSECT:
                yield item, matte

    def neighbours(self) -> Iterator[tuple[int, Mask]]:
        """(−1 or 1, matte) of the objects on show, one frame before and after the frame on screen, for onion skin."""
        for item in self._on_show():
            if item.blend is MaskBlend.ADD:
                for step in (-1, 1):
                    if self.frame + step >= 0:
                        matte = self.effective.shown(item, self.frame + step)
                        if matte is not self._blank:
                            yield step, matte

    def _on_show(self) -> list[MaskObject]:
        solo = self.session.mask_solo
        own = self.objects()
        chosen = [item for item in own if item.id in solo]
        return chosen or [item for item in own if item.visible]

    def in_hand(self, owner: MaskObject, frame: int) -> bool:
        """Whether a gesture or a job is changing the matte of ``owner`` on ``frame`` right now."""
        edit = self._edit
        return (
            (edit is not None and edit.object_id == owner.id and edit.frame == frame)
            or self.shapes.of(owner) is not owner.shapes
            or self.jobs.live_matte(owner.id, frame) is not None
        )

    def is_blank(self, matte: Mask) -> bool:
        """Whether ``matte`` is what :meth:`matte` answers where there is nothing."""
        return matte is self._blank

    def begin(self) -> MatteEdit:
        """Start a gesture on the current object's matte; without an object one is made with the gesture's undo step.

        Raises EditRefused when nothing is shown or the object is locked.
        """
        self.jobs.finish_laying()
        if self._edit is not None:
            self._edit.cancel()
        media_id = self._shown_media()
        self.jobs.settle()
        current = self.current()
        if current is None:
            object_id = new_id("mask")
            current = self._fresh = edits.add_object(self.document, media_id, object_id=object_id).masks[object_id]
            self.objects_changed.emit()
        else:
            self._unlocked(current.id)
        base = self.raster(current.id, self.frame)
        if base is not None and base.extent != self.extent:
            raise EditRefused(
                f"The mattes of {current.name} are {base.extent}, but the picture is {self.extent}.",
                "Relink the clip they were drawn on, or start a new object.",
            )
        shown = self.painted(current.id)
        base = base or MaskRaster(self.extent.width, self.extent.height)
        if self.jobs.live_matte(current.id, self.frame) is not None:
            base = self.session.store.tiles.pack(shown, later=True)
        self._edit = MatteEdit(self, current.id, self.frame, shown.copy(), base, self._on_edit_closed)
        return self._edit

    def _on_edit_closed(self) -> MaskObject | None:
        """The object that the gesture was going to make, if any."""
        self._edit = None
        fresh, self._fresh = self._fresh, None
        if fresh is not None:
            self.objects_changed.emit()
        return fresh

    def lay(self, label: str, region: Region, *, subtract: bool = False, pixels: int = 0) -> None:
        """Add what ``region`` makes of the matte (or take it away) as one undo step. Raises EditRefused.

        ``region`` must not touch anything else: where it concerns more than QUICK ``pixels`` it runs on a thread, and
        the step follows a moment later.
        """
        edit = self.begin()
        label = f"{label} erase" if subtract else label
        if pixels > QUICK:
            self.jobs.lay(edit, label, region, subtract)
            return
        from gen2studio.raster import shapes

        try:
            edit.changed(shapes.put(edit.mask, *region(edit.mask), subtract=subtract))
        except BaseException:
            edit.cancel()
            raise
        edit.commit(label)

    def commit_edit(
        self, edit: MatteEdit, label: str, fresh: MaskObject | None, raster: MaskRaster | None = None
    ) -> None:
        """Called by the gesture's :class:`MatteEdit` when it ends."""
        if not edit.touched:
            return
        document = self.document
        if fresh is not None:
            document = edits.add_object(document, fresh.media_id, fresh.name, fresh.colour, fresh.id)
        owner = edits.mask_of(document, edit.object_id)
        if raster is None:
            raster = self.session.store.tiles.pack(edit.mask, edit.base, edit.touched, later=True)
            self.jobs.compress()
        self._cache.keep(raster, edit.mask)
        there = owner.frames.get(edit.frame)
        if raster == edit.base and (raster.is_empty if there is None else there.anchor):
            self.matte_changed.emit(edit.object_id, None)
            return
        self._apply(f"{label} on {owner.name}", edits.set_frame(document, edit.object_id, edit.frame, raster))
        if fresh is not None:
            self.session.set_mask_object(fresh.id)

    # -- whole-matte operations ------------------------------------------------------------------------------------

    def clear(self, all_frames: bool = False) -> None:
        """Empty the matte: the frame stays an anchor that says "nothing here"."""
        self._operate("Clear", _cleared, all_frames)

    def remove_frame(self) -> None:
        """Forget the matte of the frame on screen, as if it had never been drawn or propagated."""
        owner = self._paintable()
        self._apply(
            f"Remove frame {self.frame} of {owner.name}", edits.clear_frame(self.document, owner.id, self.frame)
        )

    def forget_propagated(self) -> None:
        """Drop every propagated matte of the object; what was drawn by hand stays."""
        owner = self._paintable()
        self._apply(f"Remove propagated frames of {owner.name}", edits.drop_propagated(self.document, owner.id))

    def invert(self, all_frames: bool = False) -> None:
        self._operate("Invert", _inverted, all_frames)

    def fill_holes(self, all_frames: bool = False) -> None:
        self._operate("Fill holes", _filled, all_frames)

    def despeckle(self, smallest: int = 64, all_frames: bool = False) -> None:
        """Remove islands of fewer than ``smallest`` pixels."""
        self._operate("Despeckle", partial(_despeckled, smallest=smallest), all_frames)

    def grow(self, pixels: float, all_frames: bool = False) -> None:
        """Grow by ``pixels``; negative shrinks."""
        if pixels:
            self._operate(
                f"{'Grow' if pixels > 0 else 'Shrink'} by {abs(pixels):g} px",
                partial(_grown, pixels=pixels),
                all_frames,
            )

    def feather(self, pixels: float, all_frames: bool = False) -> None:
        """Soften the edge over about ``pixels`` to either side."""
        if pixels > 0:
            self._operate(f"Feather by {pixels:g} px", partial(_feathered, pixels=pixels), all_frames)

    def _operate(self, label: str, operation: Callable[[Mask], Mask], all_frames: bool) -> None:
        self.jobs.finish_laying()
        owner = self._paintable()
        if self._edit is not None:
            self._edit.cancel()
        self.jobs.settle()
        frames = dict(owner.frames) if all_frames else {}
        if not all_frames:
            blank = MaskFrame(raster=MaskRaster(self.extent.width, self.extent.height), anchor=True)
            frames[self.frame] = owner.frames.get(self.frame, blank)
        if not frames:
            raise EditRefused(f"{owner.name} has no mattes yet.", "Paint it on a frame first.")
        suffix = f"{owner.name}, {len(frames)} frames" if all_frames else owner.name
        self.jobs.operate(f"{label} on {suffix}", owner.id, frames, operation, keep_anchors=all_frames)

    # -- jobs ------------------------------------------------------------------------------------------------------

    def smart_select(
        self,
        box: Rect | None = None,
        include: tuple[tuple[float, float], ...] = (),
        exclude: tuple[tuple[float, float], ...] = (),
        radius: float = 4.0,
    ) -> None:
        """Select the subject on this frame from a box or scribbles (media pixels), over what is already there."""
        self.jobs.finish_laying()
        self._shown_media()
        current = self.current()
        self.jobs.select(current, box, include, exclude, radius)

    def propagate(self, direction: str = "both", all_objects: bool = False) -> None:
        """Carry the current object (or all unlocked ones) ``forward``, ``backward``, ``both`` ways from this frame
        over the clip, or forward to the ``next`` correction. Anchors are never changed. Raises StudioError."""
        self.jobs.finish_laying()
        self._shown_media()
        if all_objects:
            chosen = tuple(o for o in self.objects() if not o.locked and o.anchors)
        else:
            chosen = (self._paintable(),)
        self.jobs.propagate(chosen, direction)

    def engines(self, task: str = "select") -> tuple[MaskEngineInfo, ...]:
        """The engines that can ``select`` or ``track``, best first, also those with a problem."""
        return self.engine_choice.infos(task)

    def choose_engine(self, engine_id: str, task: str = "select") -> None:
        """Take an engine from now on; empty = the best there is. Raises EditRefused."""
        self.engine_choice.choose(engine_id, task)

    def cancel_job(self) -> None:
        """Stop what runs; finished frames are kept."""
        self.jobs.cancel()

    @property
    def job(self) -> MaskJob | None:
        return self.jobs.job

    # -- confidence ------------------------------------------------------------------------------------------------

    def lane_object(self, media_id: str) -> MaskObject | None:
        """The object whose confidence the timeline shows for a media: the chosen one, else its first."""
        own = self.document.masks_of(media_id)
        chosen = self.session.mask_object
        return next((o for o in own if o.id == chosen), own[0] if own else None)

    def confidence_lane(self, media_id: str) -> list[tuple[int, bool, float]]:
        """(media frame, is an anchor, confidence 0…1), sorted, of :meth:`lane_object`; live while propagation runs."""
        owner = self.lane_object(media_id)
        if owner is None:
            return []
        lane = {index: (frame.anchor, frame.confidence) for index, frame in owner.frames.items()}
        for index, confidence in self.jobs.live_confidence(owner.id).items():
            if not lane.get(index, (False, 0.0))[0]:
                lane[index] = (False, confidence)
        return [(index, anchor, confidence) for index, (anchor, confidence) in sorted(lane.items())]

    def suspects(self) -> list[int]:
        """Media frames of the current object that propagation is unsure about."""
        return [index for index, anchor, sure in self.confidence_lane(self.media_id) if not anchor and sure < SUSPECT]

    def next_suspect(self) -> int | None:
        """The suspect frame after the one on screen, going round; None when there is none."""
        suspects = self.suspects()
        return next((i for i in suspects if i > self.frame), suspects[0] if suspects else None)

    def previous_suspect(self) -> int | None:
        """The suspect frame before the one on screen, going round; None when there is none."""
        suspects = self.suspects()
        return next((i for i in reversed(suspects) if i < self.frame), suspects[-1] if suspects else None)

    def go_to_next_suspect(self) -> None:
        self._go_to_suspect(self.next_suspect())

    def go_to_previous_suspect(self) -> None:
        self._go_to_suspect(self.previous_suspect())

    def _go_to_suspect(self, found: int | None) -> None:
        if found is None:
            self.session.tell("No suspect frames: every propagated matte is confident.")
            return
        self.jobs.go_to(found)

    # -- brush -----------------------------------------------------------------------------------------------------

    def set_brush(self, **changes: Any) -> None:
        """Change some of :class:`BrushSettings`; values are clamped to what makes sense."""
        new = replace(self.brush, **changes)
        new = replace(
            new,
            radius=min(1000.0, max(0.5, float(new.radius))),
            hardness=min(1.0, max(0.0, float(new.hardness))),
            opacity=min(1.0, max(0.01, float(new.opacity))),
            spacing=min(2.0, max(0.02, float(new.spacing))),
            tolerance=min(255, max(0, int(new.tolerance))),
        )
        if new != self.brush:
            self.brush = new
            self.brush_changed.emit(new)

    def step_size(self, direction: int) -> None:
        """One step of the bracket keys: about a sixth of the size, at least one pixel."""
        radius = self.brush.radius
        self.set_brush(radius=round(radius + direction * max(1.0, radius / 6)) if radius > 1 or direction > 0 else 0.5)

    def step_hardness(self, direction: int) -> None:
        self.set_brush(hardness=round(self.brush.hardness + 0.1 * direction, 2))

    # -- inside ----------------------------------------------------------------------------------------------------

    def _shown_media(self) -> str:
        if not self.media_id or self.media_id not in self.document.media:
            raise EditRefused("There is no picture to work on.", "Move the playhead onto a clip first.")
        return self.media_id

    def _paintable(self) -> MaskObject:
        self._shown_media()
        current = self.current()
        if current is None:
            raise EditRefused("There is no mask object yet.", "Paint on the picture or add an object first.")
        return self._unlocked(current.id)

    def _unlocked(self, object_id: str) -> MaskObject:
        found = edits.mask_of(self.document, object_id)
        if found.locked:
            raise EditRefused(f"{found.name} is locked.", "Unlock it in the object list to change its mattes.")
        return found

    def _apply(self, label: str, document: Document, merge_key: str = "") -> None:
        self.session.store.apply(label, document, merge_key)

    def attempt(self, command: Callable[[], object]) -> bool:
        """Run a command of the artist; a refusal is told in the message bar instead of raised."""
        try:
            command()
        except StudioError as refused:
            self.session.tell(str(refused), "warning")
            return False
        return True

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if old.masks is new.masks:
            return
        self._choose_object()
        before, after = old.masks, new.masks
        listed = False
        lanes: set[str] = set()
        for object_id in before.keys() | after.keys():
            was, now = before.get(object_id), after.get(object_id)
            if was is now:
                continue
            owner = now or was
            assert owner is not None
            lanes.add(owner.media_id)
            if owner.media_id != self.media_id:
                continue
            if was is None or now is None or replace(was, frames=now.frames, shapes=now.shapes) != now:
                listed = True
                self.matte_changed.emit(object_id, None)
                continue
            if was.shapes is not now.shapes:
                self.shapes.tell_changed(was, now)
                listed = True
            here, there = was.frames.get(self.frame), now.frames.get(self.frame)
            if here is not there:
                area = difference(here.raster if here else None, there.raster if there else None)
                self.matte_changed.emit(object_id, area)
        self.jobs.check(old, new)
        listed = listed or list(before) != list(after)
        if listed:
            self.objects_changed.emit()
        for media_id in lanes:
            self.lane_changed.emit(media_id)

    def _on_document_replaced(self, _new: Document) -> None:
        if self._edit is not None:
            self._edit.cancel()
        self.jobs.forget()
        self.hover.forget()
        self._cache.clear()
        self.shapes.clear()
        self.effective.clear()
        self._last_object.clear()
        self.media_id, self.frame = "", 0
        self.objects_changed.emit()
        self.place_changed.emit("", 0)


def _cleared(mask: Mask) -> Mask:
    return mask * 0


def _inverted(mask: Mask) -> Mask:
    from gen2studio.raster import morphology

    return morphology.invert(mask)


def _filled(mask: Mask) -> Mask:
    from gen2studio.raster import morphology

    return morphology.fill_holes(mask)


def _despeckled(mask: Mask, smallest: int) -> Mask:
    from gen2studio.raster import morphology

    return morphology.despeckle(mask, smallest)


def _grown(mask: Mask, pixels: float) -> Mask:
    from gen2studio.raster import morphology

    return morphology.grow(mask, pixels)


def _feathered(mask: Mask, pixels: float) -> Mask:
    from gen2studio.raster import morphology

    return morphology.feather(mask, pixels)
