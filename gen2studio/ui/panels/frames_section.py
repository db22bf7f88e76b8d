"""Pictures that a generated shot passes through: its first frame, its last, and others at their times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QSize
from PySide6.QtGui import QPixmap
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSpinBox, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation
from gen2studio.document.look import PaintedKey
from gen2studio.ui import theme
from gen2studio.ui.panels.generate_services import Use
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.image_slot import FindMedia, ImageSlot
from gen2studio.ui.widgets.named import named, note, text_button
from gen2studio.ui.widgets.pictures import pixmap_from_file
from gen2studio.ui.widgets.retire import retire_all
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_ROW = QSize(64, 40)


class FramesSection(QWidget):
    """Writes into the keys of the look; the first frame is the key of frame 0, the last that of the last frame."""

    def __init__(
        self,
        generation: Generation,
        ready: Callable[[], bool],
        choose_image: Callable[[str, Use], object],
        pick_frame: Callable[[str, Use], object],
        find_media: FindMedia | None = None,
        parent: QWidget | None = None,
    ) -> None:
        """``ready()`` makes a shot when there is none and says whether there is one now; ``choose_image`` and
        ``pick_frame`` ask for a file, or for a frame of a clip, and hand it on."""
        super().__init__(parent)
        self._generation = generation
        self._ready = ready
        self._choose_image = choose_image
        self._pick_frame = pick_frame
        self._last = 0
        self._shown: object = None
        self._state: PanelState | None = None
        self.first = ImageSlot("frames.first", "First frame", "The shot starts with this picture", find_media)
        self.last = ImageSlot("frames.last", "Last frame", "The shot ends with this picture", find_media)
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.SPACING)
        grid.setVerticalSpacing(2)
        self._tools: dict[str, list[QToolButton]] = {}
        for column, (slot, end) in enumerate(((self.first, "first"), (self.last, "last"))):
            slot.images_dropped.connect(lambda paths, e=end: self._set_end(e, paths[0], paths[0].name))
            slot.clicked.connect(lambda e=end: self._ask(e, choose_image))
            slot.cleared.connect(lambda e=end: self._clear_end(e))
            grid.addWidget(slot, 0, column)
            grid.addLayout(self._row(end), 1, column)
            grid.setColumnStretch(column, 1)
        self.timed = QWidget(self)
        self._rows = QVBoxLayout()
        self._rows.setSpacing(3)
        self.hint = note(self, name="frames.hint")
        add = text_button(
            "frames.addKey", "Add at playhead…", "plus", "Choose a picture for the frame under the playhead",
            self._add_key, self,
        )  # fmt: skip
        pick = text_button(
            "frames.pickKey", "From clip…", "film", "Take a frame of a clip for the frame under the playhead",
            self._pick_key, self,
        )  # fmt: skip
        buttons = QHBoxLayout()
        buttons.addWidget(add)
        buttons.addWidget(pick)
        buttons.addStretch(1)
        column = QVBoxLayout(self.timed)
        column.setContentsMargins(0, 4, 0, 0)
        column.setSpacing(3)
        title = QLabel("At other times", self.timed)
        title.setProperty("role", "muted")
        column.addWidget(title)
        column.addLayout(self._rows)
        column.addWidget(self.hint)
        column.addLayout(buttons)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(grid)
        layout.addWidget(self.timed)

    def _row(self, end: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(0)
        word = f"{end} frame"
        buttons = [
            text_button(
                f"frames.{end}.image", f"Choose {word}", "image", f"Choose a picture file for the {word}",
                lambda: self._ask(end, self._choose_image), self, text=False,
            ),
            text_button(
                f"frames.{end}.pick", f"Take {word} from a clip", "film", f"Take a frame of a clip as the {word}",
                lambda: self._ask(end, self._pick_frame), self, text=False,
            ),
            text_button(
                f"frames.{end}.remove", f"Remove {word}", "x", f"Go on without a {word} (Del)",
                lambda: self._clear_end(end), self, text=False,
            ),
        ]  # fmt: skip
        self._tools[end] = buttons
        for button in buttons:
            row.addWidget(button)
        row.addStretch(1)
        return row

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_state(self, state: PanelState) -> None:
        self._state = state
        self._last = state.shot.frames - 1 if state.shot is not None else 0
        keys = {key.frame: key for key in state.look.keys}
        with_last = state.honours("last_frame", "keys")
        self.first.setVisible(state.honours("first_frame", "keys"))
        self.last.setVisible(with_last)
        for button in self._tools["last"]:
            button.setVisible(with_last)
        self._show_slot(self.first, "first", keys.get(0))
        self._show_slot(self.last, "last", keys.get(self._last) if self._last else None)
        self.timed.setVisible(state.honours("keys"))
        middle = [key for key in state.look.keys if 0 < key.frame < self._last]
        self.hint.setText("The shot passes through pictures at their times." if not middle else "")
        self.hint.setVisible(not middle)
        self._show_rows(middle, state)

    def _show_slot(self, slot: ImageSlot, end: str, key: PaintedKey | None) -> None:
        path = self._generation.find_blob(key.digest) if key is not None else None
        picture = pixmap_from_file(path, QSize(320, 200), self.devicePixelRatioF()) if path is not None else QPixmap()
        slot.show_picture(picture, missing=key is not None and picture.isNull())
        slot.setAccessibleDescription(key.name if key is not None else "empty")
        self._tools[end][2].setEnabled(key is not None)

    def _show_rows(self, keys: list[PaintedKey], state: PanelState) -> None:
        shown = [(key.frame, key.digest, state.rate) for key in keys]
        if shown == self._shown:
            return
        self._shown = shown
        retire_all(self._rows)
        for index, key in enumerate(keys):
            self._rows.addWidget(self._key_row(index, key))

    def _key_row(self, index: int, key: PaintedKey) -> QWidget:
        holder = QWidget(self.timed)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        picture = QLabel(holder)
        picture.setFixedSize(_ROW)
        path = self._generation.find_blob(key.digest)
        if path is not None:
            picture.setPixmap(pixmap_from_file(path, _ROW, self.devicePixelRatioF()))
        field = named(QSpinBox(holder), f"frames.key.{index}.frame", "Frame", "The frame that looks like this picture")
        field.setRange(1, max(1, self._last - 1))
        field.setValue(key.frame)
        field.setKeyboardTracking(False)
        field.setPrefix("frame ")
        field.setFixedWidth(96)
        field.setProperty("plain", True)
        WheelGuard(field)
        field.valueChanged.connect(lambda value, k=key: self._move(k, value))
        text = ElidedLabel(key.name, parent=holder)
        text.setToolTip(key.name)
        remove = text_button(
            f"frames.key.{index}.remove", "Remove key", "x", "Take this picture off its frame",
            lambda k=key: self._generation.remove_key(k.frame), holder, text=False,
        )  # fmt: skip
        row.addWidget(picture)
        row.addWidget(field)
        row.addWidget(text, 1)
        row.addWidget(remove)
        return holder

    # -- changing -----------------------------------------------------------------------------------------------------

    def _ask(self, end: str, how: Callable[[str, Use], object]) -> None:
        if self._ready():
            how(f"{end.capitalize()} frame", lambda source, name: self._set_end(end, source, name))

    def _set_end(self, end: str, source: Path | bytes, name: str) -> None:
        if not self._ready():
            return
        frame = 0 if end == "first" else self._last
        digest = self._generation.set_swatch(source)
        if digest:
            self._put(f"{end.capitalize()} frame", PaintedKey(frame=frame, digest=digest, name=name))

    def _put(self, label: str, key: PaintedKey) -> None:
        rest = [k for k in self._generation.look.keys if k.frame != key.frame]
        keys = tuple(sorted((*rest, key), key=lambda k: k.frame))
        self._generation.change(label, keys=keys)

    def _clear_end(self, end: str) -> None:
        frame = 0 if end == "first" else self._last
        if any(key.frame == frame for key in self._generation.look.keys):
            self._generation.remove_key(frame)

    def _add_key(self) -> None:
        if self._ready():
            self._choose_image("Key frame", self._generation.add_key)

    def _pick_key(self) -> None:
        if self._ready():
            self._pick_frame("Key frame", self._generation.add_key)

    def _move(self, key: PaintedKey, frame: int) -> None:
        taken = {k.frame for k in self._generation.look.keys} - {key.frame}
        if frame in taken:
            # Two pictures can't share a frame: the field goes back.
            self._shown = None
            if self._state is not None:
                self.show_state(self._state)
            return
        rest = [k for k in self._generation.look.keys if k.frame != key.frame]
        keys = tuple(sorted((*rest, replace(key, frame=frame)), key=lambda k: k.frame))
        self._generation.change(f"Move key to frame {frame}", merge_key="move-key", keys=keys)
