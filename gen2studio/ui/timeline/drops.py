"""Dropping media from the pool or files from the desktop onto the timeline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDragMoveEvent, QDropEvent

from gen2studio.core.errors import EditRefused
from gen2studio.core.time import timecode
from gen2studio.document import edits
from gen2studio.document.model import TrackKind
from gen2studio.ui.timeline.layout import Ints, snap, snap_targets
from gen2studio.ui.timeline.pointer import SNAP

if TYPE_CHECKING:
    from gen2studio.ui.timeline.view import TimelineView

MEDIA_MIME = "application/x-gen2studio-media"
"""A JSON list of media ids in UTF-8."""


def media_ids(mime: QMimeData) -> list[str]:
    """Media ids in a drag, or an empty list."""
    if not mime.hasFormat(MEDIA_MIME):
        return []
    try:
        ids = json.loads(bytes(mime.data(MEDIA_MIME).data()).decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return []
    return [i for i in ids if isinstance(i, str)] if isinstance(ids, list) else []


class Dropping:
    """A drag that hovers over the view: shows what the drop would do, then does it."""

    def __init__(self, view: TimelineView) -> None:
        self._view = view
        self._ids: list[str] = []
        self._paths: list[str] = []
        self._targets: Ints | None = None
        self._shown: tuple[str, int, bool] | None = None

    def enter(self, event: QDragMoveEvent) -> None:
        mime = event.mimeData()
        self._ids = [i for i in media_ids(mime) if i in self._view.session.document.media]
        self._paths = [u.toLocalFile() for u in mime.urls() if u.isLocalFile()] if mime.hasUrls() else []
        if self._ids or self._paths:
            self._targets = snap_targets(self._view.layout_now, self._view.session.playhead)
            self.move(event)
        else:
            event.ignore()

    def move(self, event: QDragMoveEvent) -> None:
        if not (self._ids or self._paths):
            event.ignore()
            return
        view = self._view
        track_id, frame, insert = self._place(event)
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        view.overlay.hint_at = (round(event.position().x()), round(event.position().y()))
        if self._shown == (track_id, frame, insert):
            view.update_overlay()
            return
        self._shown = (track_id, frame, insert)
        sequence = view.session.sequence
        at = timecode(frame, sequence.rate) if sequence else ""
        view.overlay.refused = ""
        view.overlay.ghosts = []
        if self._paths and not self._ids:
            count = len(self._paths)
            view.overlay.hint = (
                f"Import and place {count} files" if count > 1 else f"Import and place at {at or 'the start'}"
            )
            row = next((r.index for r in view.layout_now.rows if r.track.id == track_id), 0)
            view.overlay.ghosts = [(row, frame, frame + max(1, round(120 / view.viewport.ppf)))]
        elif sequence is None:
            view.overlay.hint = "Start a timeline with this clip"
        else:
            try:
                new, ids = view.editing.media_edit(self._ids, track_id, frame, self._collision(insert))(sequence)
                view.show_preview(new)
                view.overlay.hint = f"{'Insert' if insert else 'Overwrite'} at {at}" + (
                    "" if insert else " · Ctrl inserts"
                )
                places = [view.layout_now.find(i) for i in ids]
                view.overlay.ghosts = [(p[0].index, p[1].start, p[1].end) for p in places if p is not None]
            except EditRefused as refusal:
                view.show_preview(None)
                view.overlay.refused = refusal.sentence
        view.update_overlay()

    def leave(self) -> None:
        self._ids, self._paths, self._shown = [], [], None
        self._view.overlay.clear()
        self._view.show_preview(None)
        self._view.update_overlay()

    def drop(self, event: QDropEvent) -> None:
        track_id, frame, insert = self._place(event)
        ids, paths = self._ids, self._paths
        self.leave()
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if ids:
            place = self._view.editing.insert_media if insert else self._view.editing.overwrite_media
            place(ids, track_id, frame)
            self._view.setFocus(Qt.FocusReason.MouseFocusReason)
        elif paths:
            self._view.files_dropped.emit(paths, track_id, frame)

    @staticmethod
    def _collision(insert: bool) -> edits.Collision:
        return edits.Collision.INSERT if insert else edits.Collision.OVERWRITE

    def _place(self, event: QDropEvent) -> tuple[str, int, bool]:
        """(track id, frame, insert?) under the pointer; the track suits the first media."""
        view = self._view
        layout = view.layout_now
        place = event.position()
        item = view.session.document.media.get(self._ids[0]) if self._ids else None
        kind = None if item is None else TrackKind.VIDEO if item.info.has_video else TrackKind.AUDIO
        row = layout.row_at(place.y() + view.viewport.scroll_y)
        if row < 0 or (kind is not None and layout.rows[row].track.kind is not kind):
            row = layout.nearest_row(place.y() + view.viewport.scroll_y, kind)
        track_id = layout.rows[row].track.id if row >= 0 else ""
        frame = max(0.0, view.viewport.frame(place.x()))
        view.overlay.snap = None
        modifiers = event.modifiers()
        inverted = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if self._targets is not None and view.session.snapping != inverted:
            found = snap([frame], self._targets, SNAP / view.viewport.ppf)
            if found is not None:
                frame = float(found[0])
                view.overlay.snap = found[0]
        return track_id, round(frame) if layout.duration else 0, bool(modifiers & Qt.KeyboardModifier.ControlModifier)
