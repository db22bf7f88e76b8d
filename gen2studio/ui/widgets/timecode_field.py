"""A field for a moment or a length as timecode."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtCore import Signal
from PySide6.QtGui import QFocusEvent
from PySide6.QtWidgets import QLineEdit, QWidget

from gen2studio.core.time import parse_timecode, timecode
from gen2studio.ui import theme
from gen2studio.ui.widgets.named import named

HINT = "Type a timecode (HH:MM:SS:FF), seconds (2.5) or frames (60); + and − go from where it is."


class TimecodeField(QLineEdit):
    """Shows frames as timecode; ``edited`` carries the frames a person entered.

    ``+12`` and ``-2.5`` are relative. What can't be read puts the old text back.
    """

    edited = Signal(int)

    def __init__(self, name: str, title: str, tip: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        named(self, name, title, f"{tip or title}\n{HINT}")
        self._rate = Fraction(25)
        self._frame = 0
        self._mixed = False
        self.setFont(theme.fixed_font(9.0))
        self.editingFinished.connect(self.commit)

    @property
    def frame(self) -> int:
        return self._frame

    @property
    def rate(self) -> Fraction:
        """Of the timecode shown."""
        return self._rate

    def show_frame(self, frame: int, rate: Fraction, *, mixed: bool = False) -> None:
        """Show a frame; with ``mixed`` a dash in its place. What is being typed is left alone."""
        self._frame, self._rate, self._mixed = frame, rate, mixed
        if not (self.hasFocus() and self.isModified()):
            self._restore()

    def _restore(self) -> None:
        self.setText("–" if self._mixed else timecode(self._frame, self._rate))
        self.setModified(False)

    def commit(self) -> None:
        """Take what was typed, if anything was."""
        if not self.isModified():
            return
        text = self.text().strip()
        sign, rest = (text[0], text[1:].strip()) if text[:1] in ("+", "-", "−") else ("", text)
        try:
            frame = parse_timecode(rest, self._rate)
        except ValueError:
            self._restore()
            return
        if sign:
            frame = self._frame + (frame if sign == "+" else -frame)
        self._restore()
        self.edited.emit(frame)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self._restore()
