"""A canvas on a real frame, and real Qt mouse, pen and key events for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QPointingDevice, QTabletEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from gen2studio.app.mask_editing import MaskEditing
from gen2studio.app.session import Session
from gen2studio.app.store import DocumentStore
from gen2studio.app.viewer_feed import ViewerPicture
from gen2studio.core.frozen import frozen_map
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, Track, TrackKind
from gen2studio.media.decoder import open_decoder
from gen2studio.media.probe import probe
from gen2studio.ui.canvas.canvas import Canvas
from tests.fakes.fake_host import FakeHost

NONE, SHIFT = Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.ShiftModifier
ALT, CTRL = Qt.KeyboardModifier.AltModifier, Qt.KeyboardModifier.ControlModifier
LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
FRAME = 12


class Rig:
    """Session, mask editing with a scripted engine, and a shown canvas on frame 12 of the dog clip."""

    def __init__(self, clip: Path, image: NDArray[np.uint8], qtbot: QtBot) -> None:
        info = probe(clip)
        item = MediaItem(id="media-00000000000a", name=clip.name, path=str(clip), fingerprint="dog", info=info)
        shot = Clip(id="clip-00000000000a", media_id=item.id, name="Dog", start=0, duration=info.frame_count)
        track = Track(id="track-00000000000a", kind=TrackKind.VIDEO, name="V1", clips=(shot,))
        sequence = Sequence(
            id="seq-00000000000a", name="Shot", rate=info.rate, width=info.width, height=info.height, tracks=(track,)
        )
        document = Document(
            id="doc-00000000000a",
            media=frozen_map({item.id: item}),
            sequences=frozen_map({sequence.id: sequence}),
            active_sequence=sequence.id,
        )
        self.qtbot = qtbot
        self.media_id = item.id
        self.image = image
        self.extent = info.extent
        self.session = Session(DocumentStore(document))
        self.host = FakeHost(self.session)
        self.masks = MaskEditing(self.session, self.host)
        self.canvas = Canvas(self.session, self.masks)
        self.kept: list[object] = []
        """Widgets that live as long as the rig."""
        self.messages: list[tuple[str, str]] = []
        self.session.message.connect(lambda severity, text: self.messages.append((severity, text)))
        qtbot.addWidget(self.canvas)
        self.canvas.resize(760, 620)
        self.canvas.show()
        qtbot.waitExposed(self.canvas)
        self.show()
        self.session.set_playhead(FRAME)

    def show(self, frame: int = FRAME, reference: NDArray[np.uint8] | None = None, shows: str = "source") -> None:
        self.canvas.show_picture(
            ViewerPicture(
                media_id=self.media_id,
                clip_id="clip-00000000000a",
                media_frame=frame,
                image=self.image,
                extent=self.extent,
                shows=shows,
                reference=reference,
            )
        )

    # -- the artist's hand -----------------------------------------------------------------------------------------

    def view(self, x: float, y: float) -> QPoint:
        return self.canvas.transform.to_view(x, y).toPoint()

    def press(self, x: float, y: float, modifiers: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
        QTest.mousePress(self.canvas, button, modifiers, self.view(x, y))

    def move(self, x: float, y: float) -> None:
        QTest.mouseMove(self.canvas, self.view(x, y))

    def release(self, x: float, y: float, modifiers: Qt.KeyboardModifier = NONE, button: Qt.MouseButton = LEFT) -> None:
        QTest.mouseRelease(self.canvas, button, modifiers, self.view(x, y))

    def drag(
        self,
        *points: tuple[float, float],
        modifiers: Qt.KeyboardModifier = NONE,
        button: Qt.MouseButton = LEFT,
    ) -> None:
        """Press at the first point, move over the others, release at the last."""
        self.press(*points[0], modifiers, button)
        for point in points[1:]:
            self.move(*point)
        self.release(*points[-1], modifiers, button)

    def click(self, x: float, y: float, modifiers: Qt.KeyboardModifier = NONE) -> None:
        self.press(x, y, modifiers)
        self.release(x, y, modifiers)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE) -> None:
        QTest.keyClick(self.canvas, key, modifiers)

    def pen(self, *points: tuple[float, float, float], eraser: bool = False) -> None:
        """A pen stroke over (x, y, pressure)."""
        kinds = [QEvent.Type.TabletPress, *[QEvent.Type.TabletMove] * (len(points) - 2), QEvent.Type.TabletRelease]
        tip = QPointingDevice.PointerType.Eraser if eraser else QPointingDevice.PointerType.Pen
        device = QPointingDevice(
            "pen", 7, QPointingDevice.DeviceType.Stylus, tip,
            QPointingDevice.Capability.Pressure | QPointingDevice.Capability.Position, 1, 3,
        )  # fmt: skip
        for kind, (x, y, pressure) in zip(kinds, points, strict=True):
            spot = QPointF(self.view(x, y))
            up = kind == QEvent.Type.TabletRelease
            button = Qt.MouseButton.NoButton if kind == QEvent.Type.TabletMove else LEFT
            buttons = Qt.MouseButton.NoButton if up else LEFT
            far = QPointF(self.canvas.mapToGlobal(spot.toPoint()))
            event = QTabletEvent(kind, device, spot, far, pressure, 0, 0, 0, 0, 0, NONE, button, buttons)
            QApplication.sendEvent(self.canvas, event)
            assert event.isAccepted()

    # -- what came of it -------------------------------------------------------------------------------------------

    def matte(self) -> NDArray[np.uint8]:
        owner = self.masks.current()
        assert owner is not None
        return self.masks.matte(owner.id)

    def undo_text(self) -> str:
        return self.session.store.undo_stack.undoText()

    def steps(self) -> int:
        return self.session.store.undo_stack.index()

    def pixels(self) -> NDArray[np.uint8]:
        """The canvas as painted, (H, W, 4) BGRA."""
        image = self.canvas.grab().toImage().convertToFormat(self.canvas.grab().toImage().Format.Format_RGB32)
        view = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)
        return view[:, : image.width()].copy()

    def pixel(self, x: float, y: float) -> tuple[int, int, int]:
        """RGB on screen over media pixel (x, y)."""
        spot = self.view(x, y)
        blue, green, red, _ = self.pixels()[spot.y(), spot.x()]
        return int(red), int(green), int(blue)


_frames: dict[Path, NDArray[np.uint8]] = {}


def dog_frame(clip: Path) -> NDArray[np.uint8]:
    if clip not in _frames:
        decoder = open_decoder(clip)
        try:
            _frames[clip] = decoder.bgra(FRAME)
        finally:
            decoder.close()
    return _frames[clip]


@pytest.fixture
def rig(qtbot: QtBot, media_root: Path) -> Iterator[Rig]:
    clip = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    made = Rig(clip, dog_frame(clip), qtbot)
    yield made
    made.masks.shutdown()
