"""Sections of a panel's form beside its words: the stills made of it, and its mock-up footage and dialogue sound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from PySide6.QtCore import QSignalBlocker, QSize, Qt
from PySide6.QtGui import QIcon, QPixmap
from PySide6.QtWidgets import QDoubleSpinBox, QGridLayout, QHBoxLayout, QLabel, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.storyboards import Storyboards
from gen2studio.core.media_info import MediaKind
from gen2studio.document import board_edits
from gen2studio.document.board_values import MockUp, SoundCue
from gen2studio.document.model import Panel
from gen2studio.ui.widgets.named import chooser, named, note, text_button
from gen2studio.ui.widgets.pictures import pixmap_from_file
from gen2studio.ui.widgets.value_slider import ValueSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_THUMB = QSize(112, 64)
_SHOWN = 8


class StillsSection(QWidget):
    """The stills of a panel; a click makes one the guide of its shot, another click takes that back."""

    def __init__(self, boards: Storyboards, chosen: Callable[[], str], prefix: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._boards = boards
        self._chosen = chosen
        self._prefix = prefix
        self._pixmaps: dict[str, QPixmap] = {}
        self._buttons: list[QToolButton] = []
        self.words = note(self, "faint", f"{prefix}.stills.words")
        self.make = text_button(
            f"{prefix}.stills.make", "Four stills", "grid-2x2",
            "Make four variations of this panel's first frame, with seeds that follow each other",
            lambda: boards.stills((chosen(),)) if chosen() else None, self,
        )  # fmt: skip
        self._grid = QGridLayout()
        self._grid.setSpacing(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(self._grid)
        column.addWidget(self.words)
        column.addWidget(self.make, alignment=Qt.AlignmentFlag.AlignLeft)
        boards.panel_still_changed.connect(lambda panel_id: self.reload() if panel_id == chosen() else None)
        boards.current_changed.connect(lambda _board: self.reload())
        self.reload()

    def reload(self) -> None:
        """Show the chosen panel's stills, newest last."""
        panel = self._boards.panel(self._chosen())
        stills = panel.stills[-_SHOWN:] if panel is not None else ()
        while len(self._buttons) < len(stills):
            place = len(self._buttons)
            button = named(
                QToolButton(self), f"{self._prefix}.still.{place + 1}", f"Still {place + 1}",
                "Make this still the guide: the shot begins with it and has its seed",
            )  # fmt: skip
            button.setCheckable(True)
            button.setIconSize(_THUMB)
            button.clicked.connect(lambda _on=False, p=place: self._choose(p))
            self._grid.addWidget(button, place // 2, place % 2)
            self._buttons.append(button)
        for place, button in enumerate(self._buttons):
            button.setVisible(place < len(stills))
            if panel is not None and place < len(stills):
                button.setIcon(QIcon(self._pixmap(stills[place].picture)))
                button.setChecked(stills[place].picture == panel.guide)
        waiting = self._boards.still_maker.waiting(panel.id) if panel is not None else 0
        if waiting:
            text = f"{waiting} more on the way…"
        elif not stills:
            text = "Four variations before the shot is made: choose one and the shot begins with it."
        else:
            text = (
                "The chosen still guides the shot." if panel is not None and panel.guide else "Click one as the guide."
            )
        self.words.setText(text)
        self.make.setEnabled(panel is not None and not waiting)

    def _pixmap(self, digest: str) -> QPixmap:
        if digest not in self._pixmaps:
            path = self._boards.find_picture(digest)
            self._pixmaps[digest] = pixmap_from_file(path, _THUMB, 2.0) if path is not None else QPixmap()
        return self._pixmaps[digest]

    def _choose(self, place: int) -> None:
        panel = self._boards.panel(self._chosen())
        if panel is None:
            return
        still = panel.stills[-_SHOWN:][place].picture
        wanted = "" if still == panel.guide else still
        label = "Choose still" if wanted else "No guide"
        if not self._boards.edit(label, lambda d, b: board_edits.choose_still(d, b.id, panel.id, wanted)):
            self.reload()


class FootageSection(QWidget):
    """Mock-up footage with its range, and dialogue with its level."""

    def __init__(self, boards: Storyboards, chosen: Callable[[], str], prefix: str, parent: QWidget) -> None:
        super().__init__(parent)
        self._boards = boards
        self._chosen = chosen
        self._listed: dict[str, tuple[tuple[str, str], ...]] = {}
        self.clip = chooser(
            f"{prefix}.mockup", "Mock-up footage", "Footage that stands for the panel until its shot is made", [], self
        )
        self.clip.activated.connect(self._on_clip)
        self.start = self._time(
            f"{prefix}.mockup.start", "Start of the footage", "Where the mock-up begins in its file"
        )
        self.stop = self._time(f"{prefix}.mockup.stop", "End of the footage", "Where the mock-up ends in its file")
        self.fit = text_button(
            f"{prefix}.mockup.fit", "As long as the footage", "arrow-left-right", "Give the panel the range's length",
            self._on_fit, self, text=False,
        )  # fmt: skip
        times = QHBoxLayout()
        times.addWidget(self.start)
        times.addWidget(QLabel("to", self))
        times.addWidget(self.stop)
        times.addWidget(self.fit)
        times.addStretch(1)
        self.sound = chooser(f"{prefix}.sound", "Dialogue sound", "Sound that starts with the panel", [], self)
        self.sound.activated.connect(self._on_sound)
        self.gain = ValueSlider(
            f"{prefix}.sound.gain", "Level", low=-60, high=24, default=0, step=1, decimals=0, unit="dB",
            tip="How loud the dialogue is", compact=True, parent=self,
        )  # fmt: skip
        self.gain.value_committed.connect(self._on_gain)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.clip)
        column.addLayout(times)
        column.addWidget(self.sound)
        column.addWidget(self.gain)
        boards.current_changed.connect(lambda _board: self.reload())
        self.reload()

    def _time(self, name: str, title: str, tip: str) -> QDoubleSpinBox:
        field = named(QDoubleSpinBox(self), name, title, tip)
        field.setRange(0, 86400)
        field.setDecimals(2)
        field.setSingleStep(0.1)
        field.setSuffix(" s")
        field.setKeyboardTracking(False)
        WheelGuard(field)
        field.valueChanged.connect(self._on_range)
        return field

    def _panel(self) -> Panel | None:
        return self._boards.panel(self._chosen())

    def reload(self) -> None:
        """Show what the chosen panel has, among what the project has."""
        media = self._boards.session.document.media.values()
        seen = tuple((m.name, m.id) for m in media if m.info.width and m.shot is None)
        heard = tuple((m.name, m.id) for m in media if m.info.audio is not None and m.shot is None)
        self._list("clip", self.clip, (("No mock-up footage", ""), *seen))
        self._list("sound", self.sound, (("No dialogue sound", ""), *heard))
        panel = self._panel()
        mock_up = panel.mock_up if panel is not None else None
        cue = panel.sound if panel is not None else None
        self.clip.setCurrentIndex(max(0, self.clip.findData(mock_up.media_id if mock_up else "")))
        self.sound.setCurrentIndex(max(0, self.sound.findData(cue.media_id if cue else "")))
        item = self._boards.session.document.media.get(mock_up.media_id) if mock_up is not None else None
        moving = item is not None and item.info.kind is not MediaKind.STILL
        for widget in (self.start, self.stop, self.fit):
            widget.setEnabled(moving)
        with QSignalBlocker(self.start), QSignalBlocker(self.stop):
            self.start.setValue(float(mock_up.start) if mock_up else 0)
            self.stop.setValue(float(mock_up.stop) if mock_up else 0)
        self.gain.setEnabled(cue is not None)
        self.gain.set_value(cue.gain_db if cue else 0)

    def _list(self, key: str, combo: object, entries: tuple[tuple[str, str], ...]) -> None:
        if self._listed.get(key) != entries:
            self._listed[key] = entries
            combo.clear()  # type: ignore[attr-defined]
            for title, media_id in entries:
                combo.addItem(title, media_id)  # type: ignore[attr-defined]

    def _on_clip(self, row: int) -> None:
        self._boards.use_footage(self._chosen(), self.clip.itemData(row))

    def _on_range(self, _value: float) -> None:
        panel = self._panel()
        if panel is None or panel.mock_up is None:
            return
        start = Fraction(self.start.value()).limit_denominator(1000)
        stop = Fraction(self.stop.value()).limit_denominator(1000)
        self._set(MockUp(media_id=panel.mock_up.media_id, start=start, stop=stop), "Range of footage")

    def _on_fit(self) -> None:
        panel = self._panel()
        if panel is not None and panel.mock_up is not None:
            self._set(panel.mock_up, "Panel as long as its footage", fit=True)

    def _set(self, mock_up: MockUp, label: str, *, fit: bool = False) -> None:
        panel_id = self._chosen()
        if not self._boards.edit(
            label, lambda d, b: board_edits.set_mock_up(d, b.id, panel_id, mock_up, fit=fit), f"mockup-{panel_id}"
        ):
            self.reload()

    def _on_sound(self, row: int) -> None:
        self._boards.use_sound(self._chosen(), self.sound.itemData(row))

    def _on_gain(self, gain: float) -> None:
        panel = self._panel()
        if panel is not None and panel.sound is not None:
            cue: SoundCue = replace(panel.sound, gain_db=gain)
            self._boards.edit("Level of dialogue", lambda d, b: board_edits.set_sound(d, b.id, panel.id, cue))
