"""What the engine asks of a mask tracker and a one-frame selector."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from gen2studio.core.cancel import CancelToken
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.engine.events import Estimate, Picture
from gen2studio.engine.requests import PropagateRequest, SegmentRequest

if TYPE_CHECKING:
    from numpy.typing import NDArray


class MaskContext(Protocol):
    """What a mask job may touch. Every call may raise Cancelled."""

    @property
    def cancel(self) -> CancelToken: ...

    @property
    def threads(self) -> int: ...

    def source(self, frame: int) -> Picture:
        """The source frame at display size, (H, W, 3) uint8 sRGB, read-only."""
        ...

    def matte(self, raster: MaskRaster) -> NDArray[np.uint8]:
        """The (H, W) uint8 pixels of a stored matte."""
        ...

    def checkpoint(self) -> None: ...

    def progress(self, done: int, total: int, stage: str = "") -> None: ...

    def note(self, text: str, frame: int | None = None) -> None: ...

    def emit(self, object_id: str, frame: int, mask: NDArray[np.uint8], confidence: float, engine: str) -> None:
        """A finished (H, W) uint8 matte with confidence 0…1. Never called for anchors."""
        ...

    def preview(self, object_id: str, frame: int, mask: NDArray[np.uint8], engine: str) -> None:
        """What a request with the purpose ``preview`` would select: (h, w) uint8, any size, the frame's proportions."""
        ...


class MaskTracker(Protocol):
    """Carries mattes through a clip."""

    @property
    def title(self) -> str: ...

    def estimate(self, request: PropagateRequest) -> Estimate: ...

    def propagate(self, request: PropagateRequest, context: MaskContext) -> None: ...


class MaskSelector(Protocol):
    """Selects a subject on one frame."""

    @property
    def title(self) -> str: ...

    def segment(self, request: SegmentRequest, context: MaskContext) -> None:
        """Do what ``request.purpose`` says: emit a matte, preview one, or get ready for previews on that frame.

        A selector that can't preview leaves such a request unanswered; so does one that is not prepared for the frame.
        """
        ...
