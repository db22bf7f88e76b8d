"""The timecode of a playhead that can be typed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import Qt
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from gen2studio.app.session import Session
from gen2studio.core.time import parse_timecode, timecode
from gen2studio.ui import theme
from gen2studio.ui.widgets.named import named


class PlayheadField(QLineEdit):
    """Follows a playhead; a timecode or a frame number typed into it goes there, Esc puts it back."""

    def __init__(
        self,
        name: str,
        title: str,
        tip: str,
        session: Session,
        where: Callable[[], tuple[int, Fraction | None]],
        go: Callable[[int], object],
        parent: QWidget | None = None,
        *,
        size: float = 10.0,
    ) -> None:
        """``where()`` is (frame, its rate or None while there is nothing to go to); ``session`` says when it changes
        and what can't be read; ``size`` is that of the font in points."""
        super().__init__(parent)
        named(self, name, title, tip)
        self.setFont(theme.fixed_font(size))
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._session, self._where, self._go = session, where, go
        session.playhead_changed.connect(self.show_frame)
        self.returnPressed.connect(self._on_entered)

    def show_frame(self, frame: int) -> None:
        """Show a frame, unless something is being typed."""
        if not self.hasFocus() or not self.isModified():
            rate = self._where()[1]
            self.setText(timecode(frame, rate) if rate is not None else "00:00:00:00")

    def _on_entered(self) -> None:
        rate = self._where()[1]
        if rate is not None:
            try:
                frame = parse_timecode(self.text(), rate)
            except ValueError:
                self._session.tell(f"“{self.text()}” is not a timecode. Type HH:MM:SS:FF or a frame number.", "warning")
            else:
                self._go(frame)
        self._restore()

    def _restore(self) -> None:
        self.setModified(False)
        self.clearFocus()
        self.show_frame(self._where()[0])

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._restore()
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.setModified(False)
        self.show_frame(self._where()[0])
