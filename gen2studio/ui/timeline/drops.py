"""Dropping media from the pool or files from the desktop onto the timeline."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDragMoveEvent, QDropEvent

from gen2studio.app import magnetic
from gen2studio.core.errors import EditRefused
from gen2studio.core.time import timecode
from gen2studio.document import edits
from gen2studio.document.composition import TransitionKind
from gen2studio.document.model import Clip, TrackKind
from gen2studio.ui.timeline import impact
from gen2studio.ui.timeline.layout import Ints, snap, snap_targets
from gen2studio.ui.timeline.pointer import SNAP
from gen2studio.ui.timeline.shapes import TRANSITION_NAMES

if TYPE_CHECKING:
    from gen2studio.ui.timeline.view import TimelineView

MEDIA_MIME = "application/x-gen2studio-media"
"""A JSON list of media ids in UTF-8."""
TRANSITION_MIME = "application/x-gen2studio-transition"
"""Name of a kind of transition in UTF-8."""
CUT_REACH = 60
"""Pixels within which a transition finds its cut."""


def media_ids(mime: QMimeData) -> list[str]:
    """Media ids in a drag, or an empty list."""
    if not mime.hasFormat(MEDIA_MIME):
        return []
    try:
        ids = json.loads(bytes(mime.data(MEDIA_MIME).data()).decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError):
        return []
    return [i for i in ids if isinstance(i, str)] if isinstance(ids, list) else []


def transition_kind(mime: QMimeData) -> TransitionKind | None:
    """The transition in a drag, or None."""
    if not mime.hasFormat(TRANSITION_MIME):
        return None
    name = bytes(mime.data(TRANSITION_MIME).data()).decode("utf-8", "replace")
    return next((kind for kind in TransitionKind if kind.value == name), None)


class Dropping:
    """A drag that hovers over the view: shows what the drop would do, then does it."""

    def __init__(self, view: TimelineView) -> None:
        self._view = view
        self._ids: list[str] = []
        self._paths: list[str] = []
        self._targets: Ints | None = None
        self._shown: tuple[str, int, bool] | None = None
        self._base = view.layout_now
        """What lies on the timeline without what is dragged."""
        self._kind: TransitionKind | None = None
        self._cut: tuple[str, str] | None = None
        """The clips whose cut the transition would go to."""

    def enter(self, event: QDragMoveEvent) -> None:
        mime = event.mimeData()
        self._ids = [i for i in media_ids(mime) if i in self._view.session.document.media]
        self._paths = [u.toLocalFile() for u in mime.urls() if u.isLocalFile()] if mime.hasUrls() else []
        self._kind = transition_kind(mime)
        self._base = self._view.layout_now
        if self._kind is not None:
            self._move_transition(event)
        elif self._ids or self._paths:
            self._targets = snap_targets(self._view.layout_now, self._view.session.playhead)
            self.move(event)
        else:
            event.ignore()

    def _move_transition(self, event: QDragMoveEvent) -> None:
        """Show the transition on the nearest cut of the track under the pointer."""
        view, kind = self._view, self._kind
        assert kind is not None
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        place = event.position()
        overlay = view.overlay
        overlay.hint_at = (round(place.x()), round(place.y()))
        row = self._base.row_at(place.y() + view.viewport.scroll_y)
        cut = self._base.nearest_cut(row, place.x() + view.viewport.scroll_x, view.viewport.ppf, CUT_REACH)
        if cut is not None and cut == self._cut:
            view.update_overlay()
            return
        self._cut = cut
        sequence = view.session.sequence
        overlay.refused, overlay.hint = "", f"Drop {TRANSITION_NAMES[kind]} on a cut"
        if cut is None or sequence is None:
            view.show_preview(None)
        else:
            try:
                joined = edits.add_transition(sequence, *cut, view.session.document.media, kind=kind)
                view.show_preview(joined.sequence)
                overlay.hint = f"{TRANSITION_NAMES[kind]} {timecode(joined.frames, sequence.rate)}"
            except EditRefused as refusal:
                view.show_preview(None)
                overlay.refused = refusal.sentence
        view.update_overlay()

    def move(self, event: QDragMoveEvent) -> None:
        if self._kind is not None:
            self._move_transition(event)
            return
        if not (self._ids or self._paths):
            event.ignore()
            return
        view = self._view
        if (under := self._clip_under(event)) is not None:
            self._show_replacing(event, under)
            return
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
        view.overlay.ghosts, view.overlay.covered, view.overlay.pushed = [], [], []
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
                if insert and self._on_main(track_id):
                    new = magnetic.packed(new)
                view.show_preview(new)
                places = [view.layout_now.find(i) for i in ids]
                ghosts = [(p[0].index, p[1].start, p[1].end) for p in places if p is not None]
                view.overlay.ghosts = ghosts
                view.overlay.hint = f"{'Insert' if insert else 'Overwrite'} at {at}" + self._impact(ghosts, insert)
            except EditRefused as refusal:
                view.show_preview(None)
                view.overlay.refused = refusal.sentence
        view.update_overlay()

    def _clip_under(self, event: QDropEvent) -> Clip | None:
        """With Alt: the picture clip under the pointer, whose source one dragged medium would replace."""
        view = self._view
        if len(self._ids) != 1 or view.replace_source is None:
            return None
        if not event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return None
        hit = view.hit_at(event.position().x(), event.position().y())
        if hit.clip is None or self._base.rows[hit.row].track.kind is not TrackKind.VIDEO:
            return None
        return hit.clip

    def _show_replacing(self, event: QDragMoveEvent, clip: Clip) -> None:
        """Say that the drop puts the medium under the clip."""
        view = self._view
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        overlay = view.overlay
        overlay.hint_at = (round(event.position().x()), round(event.position().y()))
        self._shown = None
        view.show_preview(None)
        overlay.covered, overlay.pushed, overlay.refused, overlay.snap = [], [], "", None
        row = next((r.index for r in self._base.rows if clip in r.clips), 0)
        overlay.ghosts = [(row, clip.start, clip.end)]
        overlay.hint = f"Put under the look of {clip.name}"
        view.update_overlay()

    def _impact(self, ghosts: list[impact.Span], insert: bool) -> str:
        """Show what the drop does to the clips that are there, and say it."""
        overlay, viewport = self._view.overlay, self._view.viewport
        if insert and ghosts:
            start, stop = min(g[1] for g in ghosts), max(g[2] for g in ghosts)
            last = viewport.frame(viewport.width)
            overlay.pushed, count = impact.pushed(self._base, start, stop - start, (), last)
            return f" · pushes {count}" if count else ""
        overlay.covered, count = impact.covered(self._base, ghosts, ())
        return f" · overwrites {count} · Ctrl inserts · Alt replaces" if count else " · Ctrl inserts"

    def _on_main(self, track_id: str) -> bool:
        """Whether a drop goes between the clips of a magnetic track."""
        sequence = self._view.session.sequence
        main = magnetic.main_track(sequence) if sequence is not None else None
        return self._view.magnetic and main is not None and main.id == track_id

    def leave(self) -> None:
        self._ids, self._paths, self._shown = [], [], None
        self._kind = self._cut = None
        self._view.overlay.clear()
        self._view.show_preview(None)
        self._view.update_overlay()

    def drop(self, event: QDropEvent) -> None:
        if self._kind is not None:
            kind, cut, view = self._kind, self._cut, self._view
            self.leave()
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            if cut is None:
                view.session.tell("A transition needs a cut between two clips that touch.", "info")
            else:
                media = view.session.document.media
                name = TRANSITION_NAMES[kind]
                view.editing.perform(f"Add {name}", lambda s: edits.add_transition(s, *cut, media, kind=kind).sequence)
            return
        under = self._clip_under(event)
        if under is not None and self._view.replace_source is not None:
            [media_id] = self._ids
            self.leave()
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self._view.replace_source(media_id, under.id)
            return
        track_id, frame, insert = self._place(event)
        ids, paths = self._ids, self._paths
        self.leave()
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        if ids:
            editing = self._view.editing
            if insert and self._on_main(track_id):
                name = editing.session.document.media[ids[0]].name
                place = editing.media_edit(ids, track_id, frame, edits.Collision.INSERT)
                editing.perform(f"Insert {name}", magnetic.closing(lambda s: place(s)[0]))
            else:
                (editing.insert_media if insert else editing.overwrite_media)(ids, track_id, frame)
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
        if layout.duration and kind is not TrackKind.AUDIO and self._on_main(track_id):
            assert view.session.sequence is not None
            frame = magnetic.nearest_cut(view.session.sequence, frame)
            view.overlay.snap = frame
            return track_id, frame, True
        inverted = bool(modifiers & Qt.KeyboardModifier.ShiftModifier)
        if self._targets is not None and view.session.snapping != inverted:
            found = snap([frame], self._targets, SNAP / view.viewport.ppf)
            if found is not None:
                frame = float(found[0])
                view.overlay.snap = found[0]
        return track_id, round(frame) if layout.duration else 0, bool(modifiers & Qt.KeyboardModifier.ControlModifier)
