"""Where the jobs of one project read and write: take store, matte pixels, images, journal.

A job keeps the workspace it was queued with, so another project can be opened while it runs.
"""

from __future__ import annotations

from collections.abc import Callable

from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.records import dataclass
from gen2studio.engine.events import Picture
from gen2studio.engine.frames import blob_picture
from gen2studio.engine.journal import RenderJournal
from gen2studio.engine.region import Mask, MatteReader
from gen2studio.engine.requests import BlobRef
from gen2studio.engine.take_store import TakeStore


def no_mattes(raster: MaskRaster) -> Mask:
    """The matte reader of a workspace without tiles. Raises KeyError."""
    raise KeyError(raster.tiles[0][2] if raster.tiles else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The project a job belongs to, as far as the engine needs it. Everything in it may be used from any thread."""

    takes: TakeStore | None = None
    """None: frames of renders are only sent as events."""
    matte: MatteReader = no_mattes
    """Usually ``TileStore.unpack``."""
    blob: Callable[[BlobRef], Picture] = blob_picture
    journal: RenderJournal | None = None
