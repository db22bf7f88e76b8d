"""Press a key to record it: the field takes whatever comes next, and lets no command run meanwhile."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QKeyCombination, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QPushButton, QWidget

_MODIFIERS = frozenset(
    {
        Qt.Key.Key_Control, Qt.Key.Key_Shift, Qt.Key.Key_Alt, Qt.Key.Key_AltGr, Qt.Key.Key_Meta, Qt.Key.Key_CapsLock,
        Qt.Key.Key_NumLock, Qt.Key.Key_Super_L, Qt.Key.Key_Super_R, Qt.Key.Key_unknown,
    }
)  # fmt: skip


def key_of(event: QKeyEvent) -> str:
    """The pressed key in portable text; empty for a modifier alone. Letters keep Shift, signs are written as typed."""
    key = Qt.Key(event.key())
    if key in _MODIFIERS:
        return ""
    modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier & ~Qt.KeyboardModifier.GroupSwitchModifier
    if key == Qt.Key.Key_Backtab:
        key = Qt.Key.Key_Tab
    typed = event.text()
    sign = len(typed) == 1 and typed.isprintable() and not typed.isalnum() and not typed.isspace()
    if sign and modifiers == Qt.KeyboardModifier.ShiftModifier:
        # What Shift makes of a sign differs between keyboards: the sign itself is the key.
        modifiers = Qt.KeyboardModifier.NoModifier
    return QKeySequence(QKeyCombination(modifiers, key)).toString(QKeySequence.SequenceFormat.PortableText)


class KeyCapture(QPushButton):
    """A button that records: press it, then the key. Esc gives up."""

    captured = Signal(str)
    """The key in portable text."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__("Add key…", parent)
        self.setObjectName("keyCapture")
        self.setAccessibleName("Record a key")
        self.setToolTip("Click, then press the key that the command shall have; Esc gives up")
        self.setCheckable(True)
        self.toggled.connect(self._on_toggled)

    @property
    def recording(self) -> bool:
        return self.isChecked()

    def _on_toggled(self, on: bool) -> None:
        self.setText("Press a key…  Esc gives up" if on else "Add key…")
        if on:
            self.setFocus(Qt.FocusReason.OtherFocusReason)
            self.grabKeyboard()
        else:
            self.releaseKeyboard()

    def event(self, event: QEvent) -> bool:
        if self.isChecked() and isinstance(event, QKeyEvent):
            if event.type() == QEvent.Type.ShortcutOverride:
                event.accept()
                return True
            if event.type() == QEvent.Type.KeyPress:
                self._take(event)
                return True
            if event.type() == QEvent.Type.KeyRelease:
                return True
        return super().event(event)

    def _take(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and not event.modifiers():
            self.setChecked(False)
        elif text := key_of(event):
            self.setChecked(False)
            self.captured.emit(text)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.setChecked(False)

    def hideEvent(self, event: QEvent) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        self.setChecked(False)
        super().hideEvent(event)  # pyright: ignore[reportArgumentType]
