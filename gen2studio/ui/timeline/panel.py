"""The timeline panel: tool strip, track headers, the painted view, scroll bars and zoom.

Published interface (bodies follow).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document.model import Clip


class TimelinePanel(QWidget):
    """Shows the active sequence of ``session`` and turns gestures into edits through ``editing``."""

    files_dropped = Signal(list, str, int)
    """(paths, track id or "", sequence frame): files from the desktop; the owner imports and places them."""
    clip_activated = Signal(str)
    """A clip was double-clicked: show its look."""

    def __init__(self, session: Session, editing: TimelineEditing, parent: QWidget | None = None) -> None: ...
    def set_mask_lane(self, provider: Callable[[Clip], Any] | None) -> None:
        """``provider(clip)`` → ``MaskLane`` (see layout.py) or None."""

    def set_job_states(self, provider: Callable[[str], list[tuple[str, int, int]]] | None) -> None:
        """``provider(clip_id)`` → [(``queued``|``rendering``|``rendered``|``failed``, start, stop)], sequence frames."""

    def set_stale(self, provider: Callable[[Clip], bool] | None) -> None:
        """``provider(clip)``: whether its applied take no longer matches what the artist asks for now."""

    def refresh_bands(self, clip_ids: frozenset[str] | None = None) -> None:
        """Ask the providers again: for some clips, or all."""

    def handlers(self) -> dict[str, Callable[[], object]]:
        """The view commands by action id: timeline.zoom_in, zoom_out, zoom_fit, toggle_follow, tool_select, tool_razor."""
        ...

    def shutdown(self) -> None:
        """Stop the thumbnail and waveform threads. Call before the application ends."""
