"""What the viewer shows of a shot that nothing was generated for yet: its given frames, or what to do next."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, QRectF, QSize, Qt, QThreadPool, Signal
from PySide6.QtGui import QImage, QPainter

from gen2studio.app.generation import Generation
from gen2studio.app.session import Session
from gen2studio.core.geometry import Extent
from gen2studio.document.look import Look, Mode, PaintedKey
from gen2studio.ui import theme
from gen2studio.ui.canvas import placard
from gen2studio.ui.widgets.pictures import image_from_file

if TYPE_CHECKING:
    from gen2studio.app.viewer_feed import Bgra, ViewerPicture

_KEPT = 12
_ADVICE = {
    Mode.TEXT_TO_VIDEO: ("type", "Write a sentence and press Stills."),
    Mode.TEXT_IMAGE_TO_VIDEO: ("image-words", "Give a first frame and a sentence, then press Stills."),
    Mode.IMAGE_TO_VIDEO: ("image-play", "Drop a picture on “First frame” and press Stills."),
    Mode.STORYBOARD: ("clapperboard", "Add panels to the storyboard, then press Generate board."),
}
_OTHER = ("clapperboard", "Generate this shot, or choose another clip.")


class ShotCards(QObject):
    """Stands given frames in for a slate. Pictures are read on a pool thread; ``changed`` asks to show again."""

    changed = Signal()
    _arrived = Signal(object, object)

    def __init__(self, session: Session, generation: Generation, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._generation = self.generation = generation
        self._pictures: dict[tuple[str, Extent], Bgra | None] = {}
        self._seen: tuple[Mode, tuple[PaintedKey, ...]] | None = None
        self._arrived.connect(self._on_arrived, Qt.ConnectionType.QueuedConnection)
        self._step: tuple[str, int, str] | None = None
        generation.look_changed.connect(self._on_look_changed)
        generation.step_shown.connect(self._on_step_shown)
        generation.still_shown.connect(lambda *_: self._forget_step())

    def is_slate(self, picture: ViewerPicture) -> bool:
        """Whether the picture is the grey of an empty shot, or would be once its file is written."""
        item = self._session.document.media.get(picture.media_id)
        return item is not None and item.shot is not None and picture.shows in ("source", "offline")

    def dressed(self, picture: ViewerPicture) -> ViewerPicture:
        """The picture, or the given frame that stands where the slate would be."""
        if not self.is_slate(picture):
            return picture
        key = self._key_at(self._look(picture), picture.media_frame)
        image = self._picture(key.digest, picture.extent) if key is not None else None
        return picture if image is None else replace(picture, image=image)

    def sentence(self, picture: ViewerPicture | None) -> tuple[str, str, str] | None:
        """(icon, headline, what to do) over a slate, or in a gap while the mode makes a shot of its own; None where
        there is something to see."""
        if picture is None or picture.shows == "empty":
            if not self._generation.needs_shot:
                return None
            icon, advice = _ADVICE[self._generation.look.mode]
            board = self._generation.look.mode is Mode.STORYBOARD
            return icon, "A storyboard" if board else "A new shot", advice
        if not self.is_slate(picture) or self.given(picture):
            return None
        mode = self._look(picture).mode
        icon, advice = _OTHER if mode is Mode.STORYBOARD else _ADVICE.get(mode, _OTHER)
        return icon, "Nothing generated yet", advice

    def given(self, picture: ViewerPicture) -> str:
        """What is given for this frame, in words: "First frame"; empty when nothing is."""
        key = self._key_at(self._look(picture), picture.media_frame) if self.is_slate(picture) else None
        if key is None:
            return ""
        item = self._session.document.media[picture.media_id]
        last = item.shot.frames - 1 if item.shot is not None else -1
        if key.frame == 0:
            return "First frame" if picture.media_frame == 0 else "First frame · nothing generated yet"
        return "Last frame" if key.frame == last else f"Key of frame {key.frame}"

    def _look(self, picture: ViewerPicture) -> Look:
        clip = self._session.find_clip(picture.clip_id)
        target = self._generation.target
        if clip is None or (target is not None and target.id == clip.id):
            return self._generation.look
        return clip.look or self._session.document.default_look

    @staticmethod
    def _key_at(look: Look, frame: int) -> PaintedKey | None:
        """The key that a frame shows while nothing was made: its own, or else the first frame's all along."""
        exact = next((key for key in look.keys if key.frame == frame), None)
        return exact or next((key for key in look.keys if key.frame == 0), None)

    def paint(self, painter: QPainter, picture: ViewerPicture, frame: QRectF, view: QRectF) -> None:
        """Say over the picture's ``frame`` what is missing of an empty shot, or what is given for it."""
        if (words := self.sentence(picture)) is not None:
            paint_empty(painter, frame, view, words)
        elif given := self.given(picture) or self._step_words(picture):
            paint_given(painter, frame, given)

    def _on_step_shown(self, media_id: str, frame: int, _picture: object, step: int, steps: int) -> None:
        self._step = media_id, frame, f"Step {step} of {steps}"

    def _forget_step(self) -> None:
        self._step = None

    def _step_words(self, picture: ViewerPicture) -> str:
        """How far the denoising is whose rough picture is shown; empty when it is a finished one."""
        step = self._step
        return (
            step[2]
            if step and picture.shows == "preview" and step[:2] == (picture.media_id, picture.media_frame)
            else ""
        )

    # -- pictures -----------------------------------------------------------------------------------------------------

    def _picture(self, digest: str, extent: Extent) -> Bgra | None:
        key = (digest, extent)
        if key not in self._pictures:
            path = self._generation.find_blob(digest)
            while len(self._pictures) >= _KEPT:
                self._pictures.pop(next(iter(self._pictures)))
            self._pictures[key] = None
            if path is not None:
                QThreadPool.globalInstance().start(lambda: self._read(key, path))
        return self._pictures[key]

    def _read(self, key: tuple[str, Extent], path: Path) -> None:
        # The viewer may be gone by now.
        with contextlib.suppress(RuntimeError):
            self._arrived.emit(key, _covering(path, key[1]))

    def _on_arrived(self, key: tuple[str, Extent], image: Bgra | None) -> None:
        self._pictures[key] = image
        if image is not None:
            self.changed.emit()

    def _on_look_changed(self, look: Look) -> None:
        if (look.mode, look.keys) != self._seen:
            self._seen = look.mode, look.keys
            self.changed.emit()


def _covering(path: Path, extent: Extent) -> Bgra | None:
    """The picture cropped around its middle to fill ``extent``, as a generator will use it; None when unreadable."""
    size = QSize(extent.width, extent.height)
    image = image_from_file(path, size)
    if image.isNull():
        return None
    scaled = image.scaled(
        size, Qt.AspectRatioMode.KeepAspectRatioByExpanding, Qt.TransformationMode.SmoothTransformation
    )
    left, top = (scaled.width() - extent.width) // 2, (scaled.height() - extent.height) // 2
    cut = scaled.copy(left, top, extent.width, extent.height).convertToFormat(QImage.Format.Format_ARGB32_Premultiplied)
    pixels = np.frombuffer(cut.constBits(), np.uint8).reshape(extent.height, cut.bytesPerLine() // 4, 4)
    # A copy in any case: the bits go with the image, which nobody holds any more.
    return pixels[:, : extent.width].copy()


def paint_empty(painter: QPainter, frame: QRectF, view: QRectF, words: tuple[str, str, str]) -> None:
    """Cover the slate inside ``frame`` and say ``words`` on it."""
    painter.fillRect(frame, theme.colour("input"))
    pen = painter.pen()
    pen.setColor(theme.colour("line_strong"))
    pen.setStyle(Qt.PenStyle.DashLine)
    painter.setPen(pen)
    painter.drawRect(frame.adjusted(0.5, 0.5, -0.5, -0.5))
    placard.paint_words(painter, frame.intersected(view), *words)


def paint_given(painter: QPainter, frame: QRectF, words: str) -> None:
    """A chip in the corner of the frame that says which given frame is shown."""
    font = painter.font()
    width = painter.fontMetrics().horizontalAdvance(words) + 20
    chip = QRectF(frame.left() + 10, frame.top() + 10, width, 24)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(theme.colour("background", 215))
    painter.drawRoundedRect(chip, 5, 5)
    painter.setFont(font)
    painter.setPen(theme.colour("text"))
    painter.drawText(chip, Qt.AlignmentFlag.AlignCenter, words)
