"""Picking one frame of a clip or take: for first frames, keys and panels."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QSignalBlocker, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QIcon
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.studio import Studio
from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Extent
from gen2studio.core.time import timecode
from gen2studio.engine.take_store import encode_png
from gen2studio.ui.widgets.named import chooser, named
from gen2studio.ui.widgets.pictures import pixmap_of

_CHANNEL = "frame-picker"
_BOX = Extent(720, 460)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where frames come from."""

    title: str
    path: str
    start: int
    stop: int
    rate: Fraction
    extent: Extent


class FramePicker(QDialog):
    """``use(png bytes, name)`` gets the chosen frame at its own size."""

    _arrived = Signal(str, int, object)

    def __init__(
        self, studio: Studio, title: str, use: Callable[[bytes, str], object], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("framePicker")
        self.setWindowTitle(title)
        self._studio = studio
        self._use = use
        self._sources = _sources(studio)
        self.source = chooser(
            "framePicker.source", "Clip", "The clip or take to take a frame of",
            [(source.title, index) for index, source in enumerate(self._sources)], self,
        )  # fmt: skip
        self.picture = QLabel(self)
        self.picture.setObjectName("framePicker.picture")
        self.picture.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.picture.setMinimumSize(480, 300)
        self.picture.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)
        self.slider = named(QSlider(Qt.Orientation.Horizontal, self), "framePicker.slider", "Frame", "Move to a frame")
        self.field = named(QSpinBox(self), "framePicker.field", "Frame number", "The frame that is shown")
        self.field.setKeyboardTracking(False)
        self.clock = QLabel(self)
        self.clock.setProperty("role", "muted")
        row = QHBoxLayout()
        row.addWidget(self.slider, 1)
        row.addWidget(self.field)
        row.addWidget(self.clock)
        self.buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, self
        )
        self._keep = self.buttons.button(QDialogButtonBox.StandardButton.Ok)
        self._keep.setText("Use frame")
        self._keep.setProperty("primary", True)
        named(self._keep, "framePicker.use", "Use frame", "Use the frame that is shown (Return)")
        cancel = self.buttons.button(QDialogButtonBox.StandardButton.Cancel)
        named(cancel, "framePicker.cancel", "Cancel", "Take no frame (Esc)")
        for button in self.buttons.buttons():
            # The style's own drawings would be the only coloured icons of the program.
            button.setIcon(QIcon())
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.source)
        layout.addWidget(self.picture, 1)
        layout.addLayout(row)
        layout.addWidget(self.buttons)
        self.resize(QSize(640, 520))
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self.source.activated.connect(lambda _row: self._show_source())
        self.slider.valueChanged.connect(self._on_frame)
        self.field.valueChanged.connect(self._on_frame)
        self._keep.setEnabled(bool(self._sources))
        if self._sources:
            self._choose_target()
            QTimer.singleShot(0, self, self._show_source)
        else:
            self.picture.setText("There is no clip in this project yet. Import one first.")

    def _choose_target(self) -> None:
        """Start with what the viewer shows."""
        shown = self._studio.feed.picture
        item = self._studio.store.document.media.get(shown.media_id)
        row = next((i for i, s in enumerate(self._sources) if item is not None and s.path == item.path), 0)
        self.source.setCurrentIndex(row)
        self._first = shown.media_frame if item is not None else 0

    def _source(self) -> _Source:
        return self._sources[self.source.currentIndex()]

    def _show_source(self) -> None:
        source = self._source()
        frame = min(max(self._first, source.start), source.stop - 1)
        with QSignalBlocker(self.slider), QSignalBlocker(self.field):
            for widget in (self.slider, self.field):
                widget.setRange(source.start, source.stop - 1)
                widget.setValue(frame)
        self._ask(frame)

    def _on_frame(self, frame: int) -> None:
        with QSignalBlocker(self.slider), QSignalBlocker(self.field):
            self.slider.setValue(frame)
            self.field.setValue(frame)
        self._first = frame
        self._ask(frame)

    def _ask(self, frame: int) -> None:
        source = self._source()
        self.clock.setText(timecode(frame, source.rate))
        size = source.extent.scaled_to_fit(_BOX)

        def deliver(path: str, index: int, picture: NDArray[np.uint8] | None, _sentence: str) -> None:
            # On a worker thread: the signal carries it over.
            self._arrived.emit(path, index, picture)

        self._studio.frames.request(_CHANNEL, source.path, frame, deliver, size)

    def _on_arrived(self, path: str, index: int, picture: NDArray[np.uint8] | None) -> None:
        if path != self._source().path or index != self.field.value() or picture is None:
            return
        ratio = self.devicePixelRatioF()
        self.picture.setPixmap(pixmap_of(picture, self.picture.size(), ratio))

    def accept(self) -> None:
        source, frame = self._source(), self.field.value()
        try:
            pixels = self._studio.frames.get(source.path, frame)
        except StudioError as error:
            self._studio.session.tell(str(error), "error")
            return
        super().accept()
        self._use(encode_png(np.ascontiguousarray(pixels[..., 2::-1])), f"{source.title}, frame {frame}")

    def done(self, result: int) -> None:
        self._studio.frames.withdraw(_CHANNEL)
        super().done(result)


def _sources(studio: Studio) -> list[_Source]:
    """Footage of the pool, and complete takes of every clip on the timeline."""
    document = studio.store.document
    found: list[_Source] = []
    for item in document.media.values():
        info = item.info
        if info.has_video and item.shot is None:
            count = max(1, info.frame_count)
            found.append(_Source(item.name, item.path, 0, count, info.rate or Fraction(25), info.extent))
    for take in document.takes.values():
        item = document.media.get(take.media_id)
        if item is not None and take.done:
            start, stop = take.done[0]
            folder = studio.take_folder(take.id).as_posix()
            extent = Extent(max(1, take.width), max(1, take.height))
            title = f"{item.name} · {take.name}"
            found.append(_Source(title, folder, start, stop, item.info.rate or Fraction(25), extent))
    return found
