"""Track headers: name, target, lock, mute or hide, height."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QMouseEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QInputDialog, QMenu, QSizePolicy, QToolButton, QWidget

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document import edits
from gen2studio.document.model import Sequence, Track, TrackKind
from gen2studio.ui import theme
from gen2studio.ui.timeline.layout import MAX_HEIGHT, MIN_HEIGHT, Layout, Row
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.widgets.retire import retire

WIDTH = 150
GRIP = 5
"""Pixels at a header's lower edge that change its height."""


HEIGHTS = {"Small": 36, "Medium": 64, "Large": 112}
"""Presets in pixels."""


def set_heights(editing: TimelineEditing, height: int) -> bool:
    """Give every track of the timeline one height, as one undo step."""

    def edit(sequence: Sequence) -> Sequence:
        for track in sequence.tracks:
            sequence = edits.set_height(sequence, track.id, height)
        return sequence

    return editing.perform("Track Heights", edit, "heights")


def short_name(index: int, kind: TrackKind) -> str:
    """``V1``, ``A2``: counted from the middle of the timeline outwards."""
    return f"{'V' if kind is TrackKind.VIDEO else 'A'}{index + 1}"


class TrackHeader(QWidget):
    """One track's header."""

    def __init__(self, session: Session, editing: TimelineEditing, track: Track, number: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"track_header_{track.id}")
        self.setMouseTracking(True)
        self._session, self._editing, self.track, self._number = session, editing, track, number
        self._drag: tuple[float, int] | None = None
        self._height = track.height
        self.lock = self._button("lock")
        self.lock.clicked.connect(lambda checked: editing.set_locked(self.track.id, checked))
        self.mute = self._button("mute")
        self.mute.clicked.connect(lambda checked: editing.set_muted(self.track.id, checked))
        self.solo = self._button("solo")
        self.solo.setText("S")
        self.solo.clicked.connect(self._on_solo)
        self.show_track(track, number)

    def _button(self, name: str) -> QToolButton:
        button = QToolButton(self)
        button.setObjectName(f"track_{name}_{self.track.id}")
        button.setCheckable(True)
        button.setAutoRaise(True)
        button.setIconSize(QSize(14, 14))
        button.setFixedSize(22, 20)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        return button

    def _on_solo(self, on: bool) -> None:
        label = "Solo Track" if on else "End Solo"
        self._editing.perform(label, lambda s: edits.set_solo(s, self.track.id, on))

    def show_track(self, track: Track, number: int) -> None:
        """Show what the document says of the track."""
        self.track, self._number = track, number
        video = track.kind is TrackKind.VIDEO
        self.setAccessibleName(f"Track {track.name}")
        self.setToolTip(f"{track.name}: click to make it the target track, double-click to rename, drag its lower edge")
        self.lock.setChecked(track.locked)
        self.lock.setIcon(theme.icon("lock" if track.locked else "lock-open", "text" if track.locked else "text_faint"))
        self.lock.setToolTip("Unlock this track" if track.locked else "Lock this track: nothing on it can be changed")
        self.lock.setAccessibleName(f"Lock {track.name}")
        on, off = ("eye", "eye-off") if video else ("volume-2", "volume-x")
        self.mute.setChecked(track.muted)
        self.mute.setIcon(theme.icon(off if track.muted else on, "text" if track.muted else "text_faint"))
        verb = ("Show" if track.muted else "Hide") if video else ("Unmute" if track.muted else "Mute")
        self.mute.setToolTip(f"{verb} this track")
        self.mute.setAccessibleName(f"{'Hide' if video else 'Mute'} {track.name}")
        self.solo.setChecked(track.solo)
        ink = theme.tokens()["clip_selected" if track.solo else "text_faint"]
        self.solo.setStyleSheet(f"color: {ink}; font-weight: 700; font-size: 11px; padding: 0;")
        what = "shown" if video else "heard"
        self.solo.setToolTip(
            f"End solo: the other tracks are {what} again" if track.solo else f"Solo: only this track is {what}"
        )
        self.solo.setAccessibleName(f"Solo {track.name}")
        self.update()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        y = max(1, min((self.height() - 20) // 2, 8))
        for place, button in enumerate((self.mute, self.solo, self.lock)):
            button.move(self.width() - 25 - 22 * place, y)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        target = self._session.track == self.track.id
        other = self._editing.target_track(self.track.kind)
        partner = not target and other is not None and other.id == self.track.id
        painter.fillRect(self.rect(), theme.colour("raised" if target else "panel"))
        video = self.track.kind is TrackKind.VIDEO
        painter.fillRect(0, 0, 3, self.height(), theme.colour("clip_video_edge" if video else "clip_audio_edge"))
        badge = QRect(9, max(2, min((self.height() - 18) // 2, 9)), 24, 18)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        # The target track, and beside it the track that takes what is not of its kind: sound beside pictures.
        painter.setPen(theme.colour("accent") if target else Qt.PenStyle.NoPen)
        painter.setBrush(theme.colour("accent_soft" if target or partner else "raised"))
        painter.drawRoundedRect(badge.toRectF().adjusted(0.5, 0.5, -0.5, -0.5), 4, 4)
        font = painter.font()
        font.setBold(True)
        font.setPointSizeF(8.5)
        painter.setFont(font)
        painter.setPen(theme.colour("text" if target or partner else "text_muted"))
        painter.drawText(badge, Qt.AlignmentFlag.AlignCenter, short_name(self._number, self.track.kind))
        font.setBold(False)
        painter.setFont(font)
        painter.setPen(theme.colour("text_muted" if not self.track.muted else "text_faint"))
        room = QRect(38, badge.top(), self.width() - 38 - 71, badge.height())
        short = short_name(self._number, self.track.kind)
        shown = self.track.name if self.track.name != short else "Video" if video else "Audio"
        name = painter.fontMetrics().elidedText(shown, Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, name)
        if self.height() >= 52:
            painter.setPen(theme.colour("text_faint"))
            line = QRect(11, badge.bottom() + 5, self.width() - 20, 16)
            text = painter.fontMetrics().elidedText(self._facts(), Qt.TextElideMode.ElideRight, line.width())
            painter.drawText(line, Qt.AlignmentFlag.AlignVCenter, text)
        painter.end()

    def _facts(self) -> str:
        """How many clips; how loud and to which side where that is not as usual."""
        count = len(self.track.clips)
        facts = [f"{count} clip{'' if count == 1 else 's'}"]
        if self.track.gain_db:
            facts.append(f"{self.track.gain_db:+.1f} dB")
        if self.track.pan:
            facts.append(f"{'L' if self.track.pan < 0 else 'R'}{abs(self.track.pan) * 100:.0f}")
        return " · ".join(facts)

    # -- mouse -------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        if event.position().y() >= self.height() - GRIP:
            self._drag = (event.globalPosition().y(), self.track.height)
            self._height = self.track.height
        else:
            self._session.set_track(self.track.id)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._drag is not None:
            start, height = self._drag
            wanted = round(height + event.globalPosition().y() - start)
            self._editing.set_height(self.track.id, min(max(wanted, MIN_HEIGHT), MAX_HEIGHT))
            return
        grip = event.position().y() >= self.height() - GRIP
        self.setCursor(Qt.CursorShape.SizeVerCursor if grip else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, _event: QMouseEvent) -> None:
        self._drag = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.position().y() < self.height() - GRIP:
            self.rename()

    def rename(self) -> None:
        """Ask for a name."""
        name, good = QInputDialog.getText(self, "Rename Track", "Name:", text=self.track.name)
        if good and name.strip():
            self._editing.rename_track(self.track.id, name.strip())

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        self.menu().popup(event.globalPos())

    def _select_all(self) -> None:
        self._session.set_selection(frozenset(c.id for c in self.track.clips))

    def menu(self) -> QMenu:
        """What can be done with this track."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.setObjectName("timeline_track_menu")
        menu.addAction("Make Target", lambda: self._session.set_track(self.track.id)).setEnabled(
            self._session.track != self.track.id
        )
        menu.addAction("Rename…", self.rename)
        menu.addSeparator()
        video = self.track.kind is TrackKind.VIDEO
        menu.addAction(self.lock.icon(), "Unlock" if self.track.locked else "Lock", self.lock.click)
        verb = ("Show" if self.track.muted else "Hide") if video else ("Unmute" if self.track.muted else "Mute")
        menu.addAction(self.mute.icon(), verb, self.mute.click)
        menu.addAction("End Solo" if self.track.solo else "Solo", self.solo.click)
        menu.addAction("Select All Clips on Track", self._select_all).setEnabled(bool(self.track.clips))
        menu.addSeparator()
        menu.addAction("Add Video Track", lambda: self._editing.add_track(TrackKind.VIDEO))
        menu.addAction("Add Audio Track", lambda: self._editing.add_track(TrackKind.AUDIO))
        menu.addAction("Remove Track", lambda: self._editing.remove_track(self.track.id))
        menu.addSeparator()
        for text, height in HEIGHTS.items():
            menu.addAction(f"{text} Height", lambda h=height: self._editing.set_height(self.track.id, h))
        every = menu.addMenu("Height of All Tracks")
        for text, height in HEIGHTS.items():
            every.addAction(text, lambda h=height: set_heights(self._editing, h))
        return menu


class HeaderColumn(QWidget):
    """The headers beside the view; scrolls with it."""

    wheel_turned = Signal(QWheelEvent)

    def __init__(
        self, session: Session, editing: TimelineEditing, viewport: Viewport, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_headers")
        self.setFixedWidth(WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Expanding)
        self._session, self._editing, self._viewport = session, editing, viewport
        self._headers: dict[str, TrackHeader] = {}
        self._rows: list[Row] = []
        viewport.scrolled.connect(self._on_scrolled)
        session.track_changed.connect(self._on_track_changed)

    @property
    def headers(self) -> dict[str, TrackHeader]:
        """By track id."""
        return self._headers

    def show_layout(self, layout: Layout) -> None:
        """Make, move and drop headers so that they match ``layout``."""
        self._rows = layout.rows
        wanted = {r.track.id for r in layout.rows}
        for gone in [k for k in self._headers if k not in wanted]:
            retire(self._headers.pop(gone))
        numbers = _numbers(layout)
        for row in layout.rows:
            header = self._headers.get(row.track.id)
            if header is None:
                header = TrackHeader(self._session, self._editing, row.track, numbers[row.track.id], self)
                self._headers[row.track.id] = header
                header.show()
            elif header.track is not row.track:
                header.show_track(row.track, numbers[row.track.id])
        self._place()

    def _place(self) -> None:
        for row in self._rows:
            header = self._headers[row.track.id]
            header.setGeometry(QRect(QPoint(0, row.top - self._viewport.scroll_y), QSize(self.width() - 2, row.height)))

    def _on_scrolled(self, _dx: int, dy: int) -> None:
        if dy:
            self._place()

    def _on_track_changed(self, _track: str) -> None:
        for header in self._headers.values():
            header.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(event.rect(), theme.colour("timeline"))
        painter.end()

    def wheelEvent(self, event: QWheelEvent) -> None:
        turn = event.angleDelta().y() * 0.8
        self._viewport.scroll_to(self._viewport.scroll_x, self._viewport.scroll_y - turn)
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Add Video Track", lambda: self._editing.add_track(TrackKind.VIDEO))
        menu.addAction("Add Audio Track", lambda: self._editing.add_track(TrackKind.AUDIO))
        menu.popup(event.globalPos())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        self.update()


def _numbers(layout: Layout) -> dict[str, int]:
    sequence = layout.sequence
    if sequence is None:
        return {}
    return {t.id: i for tracks in (sequence.video_tracks, sequence.audio_tracks) for i, t in enumerate(tracks)}
