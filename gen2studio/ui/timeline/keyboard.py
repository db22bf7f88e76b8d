"""The timeline by keys: going from clip to clip, and the menu of the chosen one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent

from gen2studio.document.model import Clip
from gen2studio.ui.timeline.layout import Hit, Row, Zone

if TYPE_CHECKING:
    from gen2studio.ui.timeline.view import TimelineView

_ARROWS = (Qt.Key.Key_Up, Qt.Key.Key_Down)


class Keyboard:
    """Keys that are no commands: the arrows among clips, Enter, Esc."""

    def __init__(self, view: TimelineView) -> None:
        self._view = view

    def takes(self, event: QKeyEvent) -> bool:
        """Whether the key is the view's own and no shortcut of the window."""
        strong = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        return (event.key() == Qt.Key.Key_Escape and self._view.gesturing) or (event.key() in _ARROWS and bool(strong))

    def press(self, event: QKeyEvent) -> bool:
        """True when the key did something."""
        view = self._view
        ctrl = bool(event.modifiers() & Qt.KeyboardModifier.ControlModifier)
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        key = event.key()
        if key == Qt.Key.Key_Escape and (view.gesturing or view.tool != "select"):
            if view.gesturing:
                view.cancel_gesture()
            else:
                view.set_tool("select")
        elif key in _ARROWS and (ctrl or shift):
            self.select_neighbour(1 if key == Qt.Key.Key_Down else -1, across=shift and not ctrl)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and view.session.selection:
            view.clip_activated.emit(next(iter(sorted(view.session.selection))))
        else:
            return False
        return True

    def _chosen(self) -> tuple[Row, Clip] | None:
        """The selected clip that keys go on from: on the target track when there is one."""
        view = self._view
        places = [p for c in sorted(view.session.selection) if (p := view.layout_now.find(c)) is not None]
        return next((p for p in places if p[0].track.id == view.session.track), places[0] if places else None)

    def select_neighbour(self, step: int, across: bool = False) -> None:
        """Select the next (+1) or previous (−1) clip of the track; ``across``: the clip on the track below or above."""
        view = self._view
        rows = view.layout_now.rows
        if view.session.sequence is None or not rows:
            return
        place = self._chosen()
        chosen: Clip | None = None
        if place is None:
            row = view.layout_now.row_of_track(view.session.track) or rows[0]
            chosen = row.clips[max(0, row.at(view.session.playhead))] if row.clips else None
        elif across:
            row, clip = place
            index = row.index + step
            while 0 <= index < len(rows) and chosen is None:
                row = rows[index]
                middle = clip.start + clip.duration // 2
                if row.clips:
                    chosen = min(row.clips, key=lambda c: max(c.start - middle, middle - c.end + 1, 0))
                index += step
        else:
            row, clip = place
            index = row.clips.index(clip) + step
            chosen = row.clips[index] if 0 <= index < len(row.clips) else None
        if chosen is not None:
            view.session.set_selection(frozenset([chosen.id]))
            view.session.set_track(row.track.id)
            view.viewport.reveal(chosen.start)
            view.viewport.reveal_rows(row.top, row.bottom)

    def open_menu(self) -> None:
        """The menu of the selected clip (the menu key)."""
        view = self._view
        place = self._chosen()
        if place is None:
            return
        row, clip = place
        point = QPoint(max(8, view.viewport.x(clip.start) + 8), row.top - view.viewport.scroll_y + row.body // 2)
        view.menu_wanted.emit(Hit(Zone.BODY, row.index, clip), view.mapToGlobal(point))
