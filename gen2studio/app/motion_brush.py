"""The motion brush: up to five painted regions of a look and how each moves. No widgets.

It paints with the brush in the artist's hand, on the first frame of the shot; each stroke and each value is one undo
step of the look.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Signal

from gen2studio.app.generation import Generation
from gen2studio.app.mask_editing import BrushSettings, MaskEditing, Region
from gen2studio.app.mask_editing_mattes import MatteCache, MatteEdit, empty_matte
from gen2studio.core.errors import EditRefused
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.document.look import Look, MotionRegion
from gen2studio.raster.tiles import Mask

MOST = 5
"""Regions a shot may have."""
COLOURS = ((255, 112, 98), (255, 196, 61), (82, 201, 140), (92, 164, 255), (199, 125, 255))
"""sRGB tints of the regions, in order."""


@dataclass(frozen=True, slots=True)
class Tint:
    """What a layer of the canvas needs to know of its owner."""

    colour: tuple[int, int, int]


class MotionBrush(QObject):
    """While it is active, the canvas paints regions of motion in place of mattes. Lives on the UI thread."""

    active_changed = Signal(bool)
    chosen_changed = Signal(int)
    matte_changed = Signal(str, object)
    """(empty, Rect of media pixels or None for everything): what is painted has changed on screen."""

    def __init__(self, generation: Generation, masks: MaskEditing, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = generation
        self._masks = masks
        self._active = False
        self._chosen = 0
        self._cache = MatteCache()
        self._edit: MatteEdit | None = None
        generation.look_changed.connect(self._on_look_changed)
        generation.target_changed.connect(lambda _clip: self.set_active(False))
        masks.place_changed.connect(lambda _media, _frame: self._cancel())

    # -- what is chosen -----------------------------------------------------------------------------------------------

    @property
    def regions(self) -> tuple[MotionRegion, ...]:
        return self._generation.look.motion_regions

    @property
    def active(self) -> bool:
        return self._active

    @property
    def chosen(self) -> int:
        """The region that strokes go to; one past the last makes a new one."""
        return self._chosen

    @property
    def brush(self) -> BrushSettings:
        return self._masks.brush

    def set_active(self, active: bool) -> None:
        """Paint regions, or mattes again."""
        if active == self._active:
            return
        self._cancel()
        self._active = active
        self.active_changed.emit(active)
        self.matte_changed.emit("", None)

    def choose(self, index: int) -> None:
        index = max(0, min(index, len(self.regions), MOST - 1))
        if index != self._chosen:
            self._cancel()
            self._chosen = index
            self.chosen_changed.emit(index)
            self.matte_changed.emit("", None)

    # -- painting -----------------------------------------------------------------------------------------------------

    def matte(self, index: int) -> Mask:
        """The (H, W) uint8 matte of a region on the shown media, read-only; blank where its size is another."""
        edit = self._edit
        if edit is not None and index == self._chosen:
            return edit.mask
        raster = self.regions[index].raster if index < len(self.regions) else None
        if raster is None or raster.is_empty or raster.extent != self._masks.extent:
            return empty_matte(self._masks.extent)
        return self._cache.get(raster, self._masks.session.store.tiles)

    def layers(self) -> Iterator[tuple[Tint, Mask]]:
        """Every region with its matte, as :meth:`MaskEditing.layers` gives objects."""
        count = max(len(self.regions), self._chosen + 1 if self._edit is not None else 0)
        for index in range(count):
            yield Tint(COLOURS[index % MOST]), self.matte(index)

    def begin(self) -> MatteEdit:
        """Start a gesture on the chosen region. Raises EditRefused when nothing is shown to paint on."""
        self._cancel()
        if not self._masks.media_id:
            raise EditRefused("There is no picture to paint on.", "Put the playhead on the shot first.")
        extent = self._masks.extent
        blank = MaskRaster(extent.width, extent.height)
        raster = self.regions[self._chosen].raster if self._chosen < len(self.regions) else blank
        base = raster if raster.extent == extent else blank
        self._edit = MatteEdit(self, "", 0, self.matte(self._chosen).copy(), base, self._on_edit_closed)
        return self._edit

    def lay(self, label: str, region: Region, *, subtract: bool = False, pixels: int = 0) -> None:
        """Add what ``region`` makes of the chosen region's matte, or take it away, as one undo step."""
        from gen2studio.raster import shapes

        edit = self.begin()
        try:
            edit.changed(shapes.put(edit.mask, *region(edit.mask), subtract=subtract))
        except BaseException:
            edit.cancel()
            raise
        edit.commit(f"{label} erase" if subtract else label)

    def _on_edit_closed(self) -> None:
        self._edit = None

    def commit_edit(self, edit: MatteEdit, label: str, fresh: object, raster: MaskRaster | None = None) -> None:
        """Called by the gesture's :class:`MatteEdit` when it ends."""
        if not edit.touched:
            return
        if raster is None:
            raster = self._masks.session.store.tiles.pack(edit.mask, edit.base, edit.touched)
        self._cache.keep(raster, edit.mask)
        index, regions = self._chosen, list(self.regions)
        if index < len(regions):
            regions[index] = replace(regions[index], raster=raster)
        elif not raster.is_empty:
            # Something that moves at once: a region that does nothing would only puzzle.
            regions.append(MotionRegion(raster=raster, horizontal=3.0))
        self._generation.change(f"{label} on motion region {index + 1}", motion_regions=tuple(regions))
        self.matte_changed.emit("", None)

    def _cancel(self) -> None:
        if self._edit is not None:
            self._edit.cancel()

    # -- values -------------------------------------------------------------------------------------------------------

    def set_value(self, index: int, field: str, value: float) -> None:
        """Set ``horizontal``, ``vertical``, ``proximity`` or ``ambient`` of a region; a gesture is one undo step."""
        if index < len(self.regions):
            self._put(index, f"Motion {field}", f"motion-{index}-{field}", **{field: value})

    def remove(self, index: int) -> None:
        if index < len(self.regions):
            rest = self.regions[:index] + self.regions[index + 1 :]
            self._generation.change(f"Remove motion region {index + 1}", motion_regions=rest)

    def clear(self) -> None:
        """Take every region off."""
        if self.regions:
            self._generation.change("Clear motion brush", motion_regions=())

    def _put(self, index: int, label: str, merge_key: str, **changes: Any) -> None:
        regions = list(self.regions)
        regions[index] = replace(regions[index], **changes)
        self._generation.change(label, merge_key=merge_key, motion_regions=tuple(regions))

    def centre(self, index: int) -> tuple[float, float] | None:
        """The middle of a region's paint in media pixels; None while it is empty."""
        matte = self.matte(index)
        down, across = np.flatnonzero(matte.any(axis=1)), np.flatnonzero(matte.any(axis=0))
        if not down.size:
            return None
        box = matte[down[0] : down[-1] + 1, across[0] : across[-1] + 1].astype(np.float64)
        total = box.sum()
        x = (box.sum(axis=0) @ np.arange(box.shape[1])) / total
        y = (box.sum(axis=1) @ np.arange(box.shape[0])) / total
        return float(across[0] + x + 0.5), float(down[0] + y + 0.5)

    def _on_look_changed(self, _look: Look) -> None:
        if self._chosen > len(self.regions):
            self._chosen = len(self.regions)
            self.chosen_changed.emit(self._chosen)
        if self._active:
            self.matte_changed.emit("", None)
