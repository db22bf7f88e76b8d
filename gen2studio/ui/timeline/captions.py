"""The lane of subtitles above the tracks: every caption where and as long as it is shown, its text typed in place."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QRect, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QFocusEvent,
    QFont,
    QFontMetrics,
    QHelpEvent,
    QImage,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QStaticText,
    QWheelEvent,
)
from PySide6.QtWidgets import QMenu, QPlainTextEdit, QToolTip, QWidget

from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.time import timecode
from gen2studio.document import subtitles
from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Sequence
from gen2studio.ui import theme
from gen2studio.ui.timeline.gestures_captions import drag_caption, trim_caption
from gen2studio.ui.timeline.hands import Hands
from gen2studio.ui.timeline.pointer import Host, Phase
from gen2studio.ui.timeline.viewport import Viewport
from gen2studio.ui.timeline.waveforms import rgb32
from gen2studio.ui.widgets.retire import retire

HEIGHT = 26
_TAG = re.compile(r"</?[ibuIBU]>")
NARROW = 12
"""Pixels a caption takes on average below which the lane shows only where there are any."""
MIN_TEXT = 40
"""Captions narrower than this show no text."""
EDGE = 6
"""Pixels of a caption's ends that take hold of them."""
_EDITOR = (260, 56)
"""Least width and the height of the field that a text is typed in."""


def plain(text: str) -> str:
    """A caption's text without its tags."""
    return _TAG.sub("", text)


class CaptionEditor(QPlainTextEdit):
    """A caption's text over its place in the lane: Enter keeps it, Shift+Enter breaks the line, Esc gives it up."""

    done = Signal(bool)
    """Whether to keep what was typed."""

    def __init__(self, text: str, parent: QWidget) -> None:
        super().__init__(text, parent)
        self.setObjectName("timeline_caption_text")
        self.setAccessibleName("Text of the subtitle")
        self.setToolTip("Enter keeps the text, Shift+Enter starts a new line, Esc gives it up.")
        self.setTabChangesFocus(True)
        self._ended = False
        self.selectAll()

    def _end(self, keep: bool) -> None:
        if not self._ended:
            self._ended = True
            self.done.emit(keep)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ShortcutOverride:
            # Letters are text here, whatever else they do in the timeline.
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._end(True)
        elif event.key() == Qt.Key.Key_Escape:
            self._end(False)
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() is not Qt.FocusReason.PopupFocusReason:
            self._end(True)


class CaptionLane(QWidget):
    """Painted; drags run through the view's hands, so that they snap and can be given up like any other."""

    chosen_changed = Signal(object)
    """frozenset of the ids of the chosen captions."""
    wheel_turned = Signal(QWheelEvent)

    def __init__(
        self, host: Host, hands: Hands, editing: TimelineEditing, viewport: Viewport, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_captions")
        self.setAccessibleName("Subtitles")
        self.setFixedHeight(HEIGHT)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._host, self._hands, self._editing, self._viewport = host, hands, editing, viewport
        self._sequence: Sequence | None = None
        self.chosen: frozenset[str] = frozenset()
        self._editor: CaptionEditor | None = None
        self._edited = ""
        self._starts: list[int] = []
        self._ends: list[int] = []
        colour = theme.colour
        self._ground, self._seam = colour("track"), colour("timeline")
        self._edge, self._snap, self._playhead_ink = colour("clip_subtitle_edge"), colour("snap"), colour("playhead")
        self._inks = {
            True: (colour("clip_subtitle"), colour("clip_text")),
            False: (colour("raised"), colour("text_muted")),
        }
        """(body, text) of captions that are shown in the picture, and of those that are not."""
        self._lines: dict[tuple[str, int], QStaticText] = {}
        self._advances: dict[str, int] = {}
        """How wide whole texts are."""
        self._fonts: tuple[QFont, QFontMetrics] | None = None
        viewport.scrolled.connect(self._on_scrolled)
        viewport.zoomed.connect(self.update)
        self._playhead = host.session.playhead
        host.session.playhead_changed.connect(self._on_playhead_changed)

    def show_sequence(self, sequence: Sequence | None) -> None:
        if sequence is not self._sequence:
            self._sequence = sequence
            captions = sequence.subtitles if sequence is not None else ()
            self._starts, self._ends = [s.start for s in captions], [s.end for s in captions]
            known = {s.id for s in captions}
            if not self.chosen <= known:
                self.choose(self.chosen & known)
            self.update()

    def choose(self, ids: frozenset[str]) -> None:
        """Choose captions; clips are chosen no longer, so that keys mean one thing."""
        if ids != self.chosen:
            self.chosen = ids
            if ids:
                self._host.session.set_selection(frozenset())
            self.update()
            self.chosen_changed.emit(ids)

    def _on_playhead_changed(self, frame: int) -> None:
        for each in (self._playhead, frame):
            self.update(self._viewport.x(each) - 1, 0, 3, HEIGHT)
        self._playhead = frame

    def _on_scrolled(self, dx: int, _dy: int) -> None:
        if abs(dx) >= self.width() or self._host.overlay.active:
            self.update()
        elif dx:
            self.scroll(-dx, 0)
            # A text whose caption begins outside is held at the edge.
            held = self._between(0, 0)
            if held:
                self.update(0, 0, max(0, self._viewport.x(held[0].end)) + abs(dx), HEIGHT)

    # -- finding -----------------------------------------------------------------------------------------------------

    def _visible(self) -> tuple[Subtitle, ...]:
        return self._between(0, self.width())

    def _between(self, left: float, right: float) -> tuple[Subtitle, ...]:
        """Captions that touch widget pixels ``left`` … ``right``."""
        if self._sequence is None:
            return ()
        view = self._viewport
        first = bisect_right(self._ends, view.frame(left))
        return self._sequence.subtitles[first : bisect_left(self._starts, view.frame(right), first)]

    def caption_at(self, x: float) -> tuple[Subtitle | None, str]:
        """The caption at widget pixel ``x`` and which part of it: head, tail or body."""
        view = self._viewport
        for caption in self._visible():
            left, right = view.x(caption.start), view.x(caption.end)
            if left <= x < right:
                edge = min(EDGE, (right - left) / 4)
                return caption, "head" if x - left < edge else "tail" if right - x <= edge else "body"
        return None, ""

    # -- painting ----------------------------------------------------------------------------------------------------

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        view = self._viewport
        wide = self.width()
        painter.fillRect(event.rect(), self._ground)
        painter.fillRect(0, HEIGHT - 2, wide, 2, self._seam)
        if self._fonts is None:
            font = self.font()
            font.setPointSizeF(max(7.0, font.pointSizeF() - 1.0))
            self._fonts = font, QFontMetrics(font)
        font, metrics = self._fonts
        painter.setFont(font)
        shown = self._sequence is None or self._sequence.subtitle_style.shown
        body, ink = self._inks[shown]
        captions = self._visible()
        if len(captions) * NARROW > wide:
            # Too narrow for texts and edges: what of the lane is covered, pixel by pixel.
            self._paint_dense(painter, captions, body)
            captions = ()
        else:
            # What scrolling left standing need not be drawn again.
            parts = [self._between(part.left() - 1, part.right() + 1) for part in event.region()]  # pyright: ignore[reportGeneralTypeIssues]
            captions = tuple({caption.id: caption for part in parts for caption in part}.values())
        ppf, scroll = view.ppf, view.scroll_x
        places = [(round(caption.start * ppf) - scroll, round(caption.end * ppf) - scroll) for caption in captions]
        painter.setPen(ink)
        for caption, (left, stop) in zip(captions, places, strict=True):
            room = max(2, stop - left - 1)
            painter.fillRect(left, 3, room, HEIGHT - 8, body)
            if room >= 12:
                painter.fillRect(left, 3, room, 1, self._edge)
            if room >= MIN_TEXT:
                start = left + max(5, 5 - left)
                line = self._line(caption.text, left + room - 4 - start, metrics)
                painter.drawStaticText(start, 3 + (HEIGHT - 9) // 2 - metrics.height() // 2, line)
        if self.chosen:
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(theme.colour("clip_selected"), 2))
            for caption, (left, stop) in zip(captions, places, strict=True):
                if caption.id in self.chosen:
                    painter.drawRect(QRect(left, 3, max(2, stop - left - 1), HEIGHT - 8).adjusted(1, 1, -1, -1))
        if self._sequence is not None and not self._sequence.subtitles:
            painter.setPen(theme.colour("text_faint"))
            painter.drawText(
                self.rect().adjusted(10, 0, 0, -2), Qt.AlignmentFlag.AlignVCenter, "Double-click to add a subtitle"
            )
        snapped = self._host.overlay.snap
        if snapped is not None:
            painter.fillRect(view.x(snapped), 0, 1, HEIGHT, self._snap)
        painter.fillRect(view.x(self._playhead), 0, 1, HEIGHT, self._playhead_ink)
        painter.end()

    def _paint_dense(self, painter: QPainter, captions: tuple[Subtitle, ...], ink: QColor) -> None:
        starts = np.fromiter((c.start for c in captions), np.float64, len(captions))
        stops = starts + np.fromiter((c.duration for c in captions), np.float64, len(captions))
        view = self._viewport
        frames = (np.arange(self.width()) + (0.5 + view.scroll_x)) / view.ppf
        at = np.maximum(np.searchsorted(starts, frames, "right") - 1, 0)
        inside = (frames >= starts[at]) & (frames < stops[at] - 1 / view.ppf)
        pixels = np.where(inside, np.uint32(rgb32(ink)), np.uint32(rgb32(theme.colour("track"))))
        # As high as it is shown: a picture drawn to scale takes several times as long.
        pixels = np.repeat(pixels[None, :], HEIGHT - 8, 0)
        image = QImage(pixels.data, self.width(), HEIGHT - 8, self.width() * 4, QImage.Format.Format_RGB32)
        painter.drawImage(0, 3, image)

    def _line(self, text: str, width: int, metrics: QFontMetrics) -> QStaticText:
        """A caption's text in one line, cut to ``width`` in steps of 8 pixels; kept."""
        advance = self._advances.get(text)
        if advance is None:
            advance = self._advances[text] = metrics.horizontalAdvance(" ".join(plain(text).split()))
        # One that has room is the same at every zoom.
        key = (text, -1 if advance <= width else width // 8)
        known = self._lines.get(key)
        if known is None:
            if len(self._lines) > 4000:
                self._forget_lines()
            whole = " ".join(plain(text).split())
            cut = whole if key[1] < 0 else metrics.elidedText(whole, Qt.TextElideMode.ElideRight, width // 8 * 8)
            known = self._lines[key] = QStaticText(cut)
            known.setTextFormat(Qt.TextFormat.PlainText)
        return known

    def _forget_lines(self) -> None:
        self._lines.clear()
        self._advances.clear()

    # -- mouse -------------------------------------------------------------------------------------------------------

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() is not Qt.MouseButton.LeftButton:
            return
        caption, part = self.caption_at(event.position().x())
        more = event.modifiers() & (Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        if caption is None:
            self.choose(frozenset())
            return
        if more and event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.choose(self.chosen ^ {caption.id})
        elif caption.id not in self.chosen:
            self.choose(self.chosen | {caption.id} if more else frozenset([caption.id]))
        pointer = self._hands.pointer(event, Phase.PRESS, self)
        if part == "body":
            self._hands.begin(drag_caption(self._host, pointer, caption, self.chosen or frozenset([caption.id])))
        else:
            self._hands.begin(trim_caption(self._host, pointer, caption, part))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._hands.gesturing:
            self._hands.feed(self._hands.pointer(event, Phase.MOVE, self))
            self.update()
            return
        part = self.caption_at(event.position().x())[1]
        edge = part in ("head", "tail")
        self.setCursor(Qt.CursorShape.SizeHorCursor if edge else Qt.CursorShape.ArrowCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if event.button() is Qt.MouseButton.LeftButton:
            self._hands.feed(self._hands.pointer(event, Phase.RELEASE, self))
            self.update()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """On a caption: type its text. On empty room: a new one there."""
        if event.button() is not Qt.MouseButton.LeftButton or self._sequence is None:
            return
        self._hands.cancel()
        caption, _ = self.caption_at(event.position().x())
        if caption is None:
            self.add(max(0, int(self._viewport.frame(event.position().x()))))
        else:
            self.edit(caption.id)

    def wheelEvent(self, event: QWheelEvent) -> None:
        self.wheel_turned.emit(event)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._fonts = None
            self._forget_lines()

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self._sequence is not None:
            caption, _ = self.caption_at(event.pos().x())
            if caption is not None:
                rate = self._sequence.rate
                place = f"{timecode(caption.start, rate)} - {timecode(caption.end, rate)}"
                QToolTip.showText(event.globalPos(), f"{caption.text}\n{place}\nDouble-click to change the text", self)
            else:
                QToolTip.showText(event.globalPos(), "Subtitles: double-click to add one", self)
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2) and len(self.chosen) == 1:
            self.edit(next(iter(self.chosen)))
        elif event.key() == Qt.Key.Key_Escape and self._hands.gesturing:
            self._hands.cancel()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        caption, _ = self.caption_at(event.pos().x())
        menu = QMenu(self)
        menu.setObjectName("timeline_caption_menu")
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if caption is not None:
            if caption.id not in self.chosen:
                self.choose(frozenset([caption.id]))
            playhead = self._host.session.playhead
            menu.addAction(theme.icon("type"), "Edit Text…", lambda: self.edit(caption.id))
            menu.addAction("Split at Playhead", lambda: self._split(caption.id)).setEnabled(
                caption.start < playhead < caption.end
            )
            menu.addAction("Merge", self._merge).setEnabled(len(self.chosen) > 1)
            menu.addSeparator()
            menu.addAction(theme.icon("trash-2"), "Delete", self.delete)
        else:
            frame = max(0, int(self._viewport.frame(event.pos().x())))
            menu.addAction(theme.icon("plus"), "Add Subtitle Here", lambda: self.add(frame))
        menu.popup(event.globalPos())

    # -- editing -----------------------------------------------------------------------------------------------------

    def add(self, frame: int) -> None:
        """A new caption at ``frame``, its text about to be typed."""
        before = {s.id for s in self._sequence.subtitles} if self._sequence is not None else set()
        if self._editing.perform("Add Subtitle", lambda s: subtitles.add_subtitle(s, frame)):
            made = self._host.session.sequence
            new = [s.id for s in made.subtitles if s.id not in before] if made is not None else []
            if new:
                self.choose(frozenset(new))
                self.edit(new[0])

    def edit(self, caption_id: str) -> None:
        """Type the text of a caption in place."""
        sequence = self._host.session.sequence
        caption = next((s for s in sequence.subtitles if s.id == caption_id), None) if sequence is not None else None
        parent = self.parentWidget()
        if caption is None or parent is None:
            return
        self._close_editor(True)
        self._edited = caption_id
        self._editor = CaptionEditor(caption.text, parent)
        wide = max(_EDITOR[0], self._viewport.x(caption.end) - self._viewport.x(caption.start))
        left = min(max(0, self._viewport.x(caption.start)), max(0, self.width() - min(wide, self.width())))
        place = self.mapTo(parent, QPoint(left, 0))
        self._editor.setGeometry(QRect(place.x(), place.y(), min(wide, self.width()), _EDITOR[1]))
        self._editor.done.connect(self._close_editor)
        self._editor.show()
        self._editor.raise_()
        self._editor.setFocus(Qt.FocusReason.OtherFocusReason)

    def _close_editor(self, keep: bool) -> None:
        editor, self._editor = self._editor, None
        if editor is None:
            return
        text, caption_id = editor.toPlainText().strip(), self._edited
        retire(editor)
        if keep:
            self._editing.perform("Edit Subtitle", lambda s: subtitles.set_text(s, caption_id, text))
        self.setFocus(Qt.FocusReason.OtherFocusReason)

    def delete(self) -> bool:
        """Remove the chosen captions."""
        ids = self.chosen
        return bool(ids) and self._editing.perform("Delete Subtitle", lambda s: subtitles.remove_subtitles(s, ids))

    def _split(self, caption_id: str) -> None:
        frame = self._host.session.playhead
        self._editing.perform("Split Subtitle", lambda s: subtitles.split_subtitle(s, caption_id, frame))

    def _merge(self) -> None:
        ids = self.chosen
        self._editing.perform("Merge Subtitles", lambda s: subtitles.merge_subtitles(s, ids))
