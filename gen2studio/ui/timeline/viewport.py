"""Which part of the timeline is seen, and how large."""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

MIN_PPF, MAX_PPF = 0.0005, 48.0
"""Pixels per frame: hours on a screen … one frame as wide as a thumb."""
TAIL = 240
"""Pixels of empty room that can be scrolled into behind the last clip."""


class Viewport(QObject):
    """Zoom and scroll offset. Offsets are whole pixels, so that a scrolled picture can be reused."""

    zoomed = Signal()
    scrolled = Signal(int, int)
    """(dx, dy) pixels the content moved left and up."""
    ranged = Signal()
    """The scrollable range or the visible size changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.ppf = 4.0
        self.scroll_x = 0
        self.scroll_y = 0
        self.width = 100
        self.height = 100
        self.duration = 0
        """Frames."""
        self.content_height = 0
        self._floor = 0.0
        """Content width that must stay scrollable, so that deleting the last clip does not make the view jump."""

    # -- mapping -------------------------------------------------------------------------------------------------------

    def x(self, frame: float) -> int:
        """Widget x of a frame's left edge."""
        return round(frame * self.ppf) - self.scroll_x

    def frame(self, x: float) -> float:
        """Frame position (a fraction within the frame) at widget ``x``."""
        return (x + self.scroll_x) / self.ppf

    @property
    def max_x(self) -> int:
        return max(0, round(max(self.duration * self.ppf + TAIL, self._floor)) - self.width)

    @property
    def max_y(self) -> int:
        return max(0, self.content_height - self.height)

    # -- changing ------------------------------------------------------------------------------------------------------

    def set_size(self, width: int, height: int) -> None:
        self.width, self.height = max(1, width), max(1, height)
        self.ranged.emit()
        self.scroll_to(self.scroll_x, self.scroll_y)

    def set_content(self, duration: int, height: int) -> None:
        """The sequence became ``duration`` frames long and ``height`` pixels high."""
        if (duration, height) != (self.duration, self.content_height):
            self.duration, self.content_height = duration, height
            self._floor = float(self.scroll_x + self.width) if self.scroll_x else 0.0
            self.ranged.emit()
            self.scroll_to(self.scroll_x, self.scroll_y)

    def scroll_to(self, x: float, y: float) -> None:
        """Scroll to content pixel (``x``, ``y``), kept inside the range."""
        new_x = min(max(0, round(x)), self.max_x)
        new_y = min(max(0, round(y)), self.max_y)
        dx, dy = new_x - self.scroll_x, new_y - self.scroll_y
        if dx or dy:
            self.scroll_x, self.scroll_y = new_x, new_y
            self.scrolled.emit(dx, dy)

    def zoom_to(self, ppf: float, anchor_x: float) -> None:
        """Show ``ppf`` pixels per frame and keep what is at widget ``anchor_x`` where it is."""
        ppf = min(max(ppf, MIN_PPF), MAX_PPF)
        if ppf == self.ppf:
            return
        frame = self.frame(anchor_x)
        self.ppf = ppf
        self._floor = 0.0
        wanted = round(frame * ppf - anchor_x)
        self.scroll_x = min(max(0, wanted), self.max_x)
        self.zoomed.emit()
        self.ranged.emit()

    def zoom_by(self, factor: float, anchor_x: float) -> None:
        self.zoom_to(self.ppf * factor, anchor_x)

    def fit(self) -> None:
        """Show everything."""
        room = max(1, self.width - 24)
        self.scroll_x = 0
        self.zoom_to(room / max(self.duration, 1) if self.duration else 4.0, 0)

    def reveal(self, frame: int, margin: int = 40) -> None:
        """Scroll as little as needed to see ``frame``."""
        x = self.x(frame)
        if x < margin:
            self.scroll_to(self.scroll_x + x - margin, self.scroll_y)
        elif x > self.width - margin:
            self.scroll_to(self.scroll_x + x - self.width + margin, self.scroll_y)

    def reveal_rows(self, top: int, bottom: int) -> None:
        """Scroll as little as needed to see content heights ``top``…``bottom``."""
        if top < self.scroll_y:
            self.scroll_to(self.scroll_x, top)
        elif bottom > self.scroll_y + self.height:
            self.scroll_to(self.scroll_x, bottom - self.height)

    def show_span(self, start: int, stop: int) -> None:
        """Zoom and scroll so that frames [``start``, ``stop``) fill the view."""
        room = max(1, self.width - 48)
        ppf = min(max(room / max(1, stop - start), MIN_PPF), MAX_PPF)
        self.scroll_x = 0
        self.zoom_to(ppf, 0)
        middle = (start + stop) / 2 * self.ppf
        self.scroll_to(middle - self.width / 2, self.scroll_y)

    def turn_page(self, frame: int) -> None:
        """While playing: when ``frame`` leaves the view, show it near the left edge."""
        x = self.x(frame)
        if x < 0 or x > self.width - 20:
            self.scroll_to(self.scroll_x + x - self.width // 10, self.scroll_y)
