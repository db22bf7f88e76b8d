"""Whether a person sees a panel."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtWidgets import QDockWidget, QWidget


class InView(QObject):
    """Tells whether a panel is seen, and has it refreshed when it comes into view.

    A panel behind another tab of its dock is visible to Qt all the same: its dock lies outside the window. What it
    would show there needs no work while a film plays.
    """

    changed = Signal(bool)
    """Whether the panel is in front of the other tabs now."""

    def __init__(self, panel: QWidget, refresh: Callable[[], object]) -> None:
        """``refresh`` brings the panel up to date; it may ask :attr:`now` first."""
        super().__init__(panel)
        self._panel, self._refresh = panel, refresh
        self._front = True
        self._dock: QDockWidget | None = None
        panel.installEventFilter(self)

    @property
    def now(self) -> bool:
        """Whether the panel is shown and not behind another tab."""
        return self._front and self._panel.isVisible()

    @property
    def behind(self) -> bool:
        """Whether the panel lies behind another tab. One that was never shown does not."""
        return not self._front

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        kind = event.type()
        if kind is QEvent.Type.ParentChange or kind is QEvent.Type.Show:
            self._look_for_dock()
        elif kind is QEvent.Type.Paint and not self._front:
            # Whatever the docks said: it is seen. Nothing may be changed inside a paint.
            QTimer.singleShot(0, self, lambda: self._on_visibility(True))
        return False

    def _look_for_dock(self) -> None:
        parent = self._panel.parentWidget()
        while parent is not None and not isinstance(parent, QDockWidget):
            parent = parent.parentWidget()
        if parent is self._dock:
            return
        if self._dock is not None:
            self._dock.visibilityChanged.disconnect(self._on_visibility)
        self._dock = parent
        if parent is not None:
            parent.visibilityChanged.connect(self._on_visibility)
            self._front = not parent.visibleRegion().isEmpty()

    def _on_visibility(self, front: bool) -> None:
        if front != self._front:
            self._front = front
            if front:
                self._refresh()
            self.changed.emit(front)
