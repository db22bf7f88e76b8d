"""What is set on one panel of a storyboard: words, time, shot size, picture, camera, look, dialogue and notes."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.document.board_values import SeedPolicy, ShotSize
from gen2studio.document.look import Camera, Look
from gen2studio.document.model import Board, Panel
from gen2studio.ui.panels.camera_section import CameraSection
from gen2studio.ui.widgets.named import chooser, named, note, text_button
from gen2studio.ui.widgets.section import Section
from gen2studio.ui.widgets.wheel_guard import WheelGuard

Describe = Callable[[Look], str]
"""A look in a few words."""
Extra = tuple[str, str, Callable[[QWidget], QWidget]]
"""(name, title, what makes its content)."""
LAYOUT, FIRST_FRAME = "layout", "first"


class PanelDetails(QWidget):
    """Edits the chosen panel; every change is told with its undo label."""

    changed = Signal(str, str, object)
    """(undo label, merge key, dict of Panel fields)"""
    look_taken = Signal()
    """The panel should be made with the look of the generate panel."""
    frames_wanted = Signal()
    """The camera's start and end should be drawn."""
    frames_dropped = Signal()

    def __init__(
        self,
        describe: Describe,
        parent: QWidget | None = None,
        *,
        prefix: str = "board",
        extras: tuple[Extra, ...] = (),
        roomy: bool = False,
    ) -> None:
        """``prefix`` keeps the names of two forms apart; ``extras`` are further sections; ``roomy``: most are open."""
        super().__init__(parent)
        self._prefix = prefix
        self.setObjectName(f"{prefix}.details")
        self._describe = describe
        self._board: Board | None = None
        self._panel: Panel | None = None
        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(10, 6, 8, 8)
        column.setSpacing(5)
        self.heading = QLabel(inside)
        self.heading.setProperty("role", "heading")
        self.name = named(QLineEdit(inside), f"{prefix}.panel.name", "Panel title", "What the panel is called in lists")
        self.name.setPlaceholderText("title")
        self.name.editingFinished.connect(lambda: self._tell("Rename panel", name=self.name.text().strip()))
        self.seconds = named(
            QDoubleSpinBox(inside), f"{prefix}.panel.seconds", "Seconds", "How long the shot of this panel is"
        )
        self.seconds.setRange(0.1, 120)
        self.seconds.setSingleStep(0.5)
        self.seconds.setSuffix(" s")
        self.seconds.setKeyboardTracking(False)
        self.seconds.setFixedWidth(86)
        WheelGuard(self.seconds)
        self.seconds.valueChanged.connect(
            lambda v: self._tell("Panel length", "panel-seconds", seconds=Fraction(v).limit_denominator(1000))
        )
        top = QHBoxLayout()
        top.addWidget(self.heading)
        top.addWidget(self.name, 1)
        top.addWidget(self.seconds)
        column.addLayout(top)
        self.action = self._text(
            f"{prefix}.panel.action", "Action", "What happens in this shot, for people who read the board",
            64 if roomy else 42, inside,
        )  # fmt: skip
        column.addWidget(self.action)
        self.prompt = self._text(
            f"{prefix}.panel.prompt", "Prompt (empty: the action)",
            "What this shot shows, in words for the generator", 54 if roomy else 42, inside,
        )  # fmt: skip
        column.addWidget(self.prompt)
        self.shot_size = chooser(
            f"{prefix}.panel.size", "Shot size", "How much of a figure the shot shows",
            [(f"{size.value} — {size.title}" if size.value else size.title, size) for size in ShotSize], inside,
        )  # fmt: skip
        self.shot_size.activated.connect(lambda row: self._tell("Shot size", shot_size=self.shot_size.itemData(row)))
        column.addWidget(self.shot_size)
        self.use = chooser(
            f"{prefix}.panel.use", "Picture is", "What the generator does with the picture of this panel",
            [("Picture is a mock-up to follow", LAYOUT), ("Picture is the first frame", FIRST_FRAME)], inside,
        )  # fmt: skip
        self.use.activated.connect(
            lambda row: self._tell("Use of the picture", keep_picture=self.use.itemData(row) == FIRST_FRAME)
        )
        column.addWidget(self.use)
        self.sections: dict[str, Section] = {}
        for name, title, content, opened in (
            ("words", "Dialogue and notes", self._build_words, roomy),
            *((name, title, lambda make=make: make(self), False) for name, title, make in extras),
            ("camera", "Camera", self._build_camera, False),
            ("look", "Look and seed", self._build_look, False),
        ):
            section = Section(f"{prefix}.{name}", title, content, open_=opened, parent=inside)
            section.filled.connect(lambda _content: self._show())
            section.set_shown(True)
            self.sections[name] = section
            column.addWidget(section)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setObjectName(f"{prefix}.details.scroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(scroll)
        self.setMinimumWidth(264)

    # -- building -----------------------------------------------------------------------------------------------------

    def _text(self, name: str, hint: str, tip: str, height: int, parent: QWidget) -> QPlainTextEdit:
        field = named(QPlainTextEdit(parent), name, hint, tip)
        field.setPlaceholderText(hint)
        field.setFixedHeight(height)
        field.setTabChangesFocus(True)
        field.installEventFilter(self)
        return field

    def _build_camera(self) -> QWidget:
        holder = QWidget(self)
        self.draw_frames = text_button(
            f"{self._prefix}.camera.draw", "Draw start and end", "crosshair",
            "Draw what the camera sees at the start and at the end; the axes follow", self.frames_wanted.emit, holder,
        )  # fmt: skip
        self.drop_frames = text_button(
            f"{self._prefix}.camera.drop", "Remove frames", "x", "Take the drawn frames and their move away",
            self.frames_dropped.emit, holder, text=False,
        )  # fmt: skip
        self.camera = CameraSection(
            lambda label, key, camera: self._tell(label, f"panel-{key}" if key else "", camera=camera),
            holder,
            f"{self._prefix}.camera",
        )
        row = QHBoxLayout()
        row.addWidget(self.draw_frames)
        row.addStretch(1)
        row.addWidget(self.drop_frames)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(row)
        column.addWidget(self.camera)
        return holder

    def _build_look(self) -> QWidget:
        holder = QWidget(self)
        self.own = named(
            QCheckBox("A look of its own", holder), f"{self._prefix}.panel.ownLook", "A look of its own",
            "Make this panel with the look that the Generate panel shows now, instead of the board's",
        )  # fmt: skip
        self.own.clicked.connect(self._on_own)
        self.look_words = note(holder, "faint", f"{self._prefix}.panel.look")
        self.take = text_button(
            f"{self._prefix}.panel.takeLook", "Take from Generate panel", "replace",
            "Use the look of the Generate panel again", self.look_taken.emit, holder,
        )  # fmt: skip
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        self.seed = named(
            QSpinBox(holder), f"{self._prefix}.panel.seed", "Seed of the panel",
            "The panel's own seed, while every panel of the board has one (storyboard menu ▸ Seeds)",
        )  # fmt: skip
        self.seed.setRange(0, (1 << 31) - 1)
        self.seed.setPrefix("Seed ")
        self.seed.setKeyboardTracking(False)
        WheelGuard(self.seed)
        self.seed.valueChanged.connect(lambda seed: self._tell("Seed of panel", "panel-seed", seed=seed))
        for widget in (self.own, self.look_words, self.take, self.seed):
            column.addWidget(widget)
        return holder

    def _build_words(self) -> QWidget:
        holder = QWidget(self)
        self.dialogue = self._text(
            f"{self._prefix}.panel.dialogue", "Dialogue", "What is said in this shot", 44, holder
        )
        self.notes = self._text(
            f"{self._prefix}.panel.notes", "Notes", "Anything to remember about this shot", 44, holder
        )
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.dialogue)
        column.addWidget(self.notes)
        return holder

    @property
    def shown(self) -> str:
        """Id of the panel that the form shows and :attr:`changed` is about; empty while there is none."""
        return self._panel.id if self._panel is not None else ""

    # -- showing ------------------------------------------------------------------------------------------------------

    def show_panel(self, board: Board | None, panel: Panel | None) -> None:
        """Show another panel, or what it has become."""
        other = panel is None or self._panel is None or panel.id != self._panel.id
        if other and panel is not None and self._panel is not None:
            self._commit_texts()
        self._board, self._panel = board, panel
        self.setEnabled(panel is not None)
        self._show(other)

    def _show(self, other: bool = False) -> None:
        """``other``: it is another panel, so that what stands in a field is not the artist's typing any more."""
        board, panel = self._board, self._panel
        if board is None or panel is None:
            return
        self.heading.setText(f"Panel {board.panels.index(panel) + 1}" if panel in board.panels else "Panel")
        with QSignalBlocker(self.seconds):
            self.seconds.setValue(float(panel.seconds))
        if other or not self.name.hasFocus():
            self.name.setText(panel.name)
        _show_text(self.action, panel.action, other)
        _show_text(self.prompt, panel.prompt, other)
        self.shot_size.setCurrentIndex(self.shot_size.findData(panel.shot_size))
        self.use.setCurrentIndex(self.use.findData(FIRST_FRAME if panel.keep_picture else LAYOUT))
        self.use.setVisible(bool(panel.picture))
        self.sections["camera"].set_mark("set" if panel.camera != Camera() else "")
        self.sections["look"].set_mark("its own" if panel.look is not None else "")
        self.sections["words"].set_mark("written" if panel.dialogue or panel.notes else "")
        if self.sections["camera"].content is not None:
            self.camera.show_camera(panel.camera)
            self.drop_frames.setVisible(bool(panel.frames))
        if self.sections["look"].content is not None:
            self.own.setChecked(panel.look is not None)
            self.take.setVisible(panel.look is not None)
            self.seed.setVisible(board.seeds is SeedPolicy.OWN)
            with QSignalBlocker(self.seed):
                self.seed.setValue(min(max(0, panel.seed), (1 << 31) - 1))
            words = self._describe(panel.look if panel.look is not None else board.look)
            self.look_words.setText(words if panel.look is not None else f"The board's: {words}")
        if self.sections["words"].content is not None:
            _show_text(self.dialogue, panel.dialogue, other)
            _show_text(self.notes, panel.notes, other)

    # -- changing -----------------------------------------------------------------------------------------------------

    def _tell(self, label: str, merge_key: str = "", **changes: Any) -> None:
        panel = self._panel
        if panel is not None and any(getattr(panel, field) != value for field, value in changes.items()):
            self.changed.emit(label, f"{merge_key}-{panel.id}" if merge_key else "", changes)

    def _on_own(self, on: bool) -> None:
        if on:
            self.look_taken.emit()
        else:
            self._tell("Board look", look=None)

    def _commit_texts(self) -> None:
        """What was typed and not told yet, told at once: a change may have the form show another panel."""
        panel = self._panel
        if panel is None:
            return
        words = {"action": self.action.toPlainText().strip(), "prompt": _typed(self.prompt)}
        if self.sections["words"].content is not None:
            words |= {"dialogue": self.dialogue.toPlainText().strip(), "notes": self.notes.toPlainText().strip()}
        told = {field: text for field, text in words.items() if getattr(panel, field) != text}
        labels = {"action": "Panel action", "dialogue": "Dialogue", "notes": "Notes"}
        self._tell(labels.get(next(iter(told)), "Panel words") if len(told) == 1 else "Panel words", **told)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.FocusOut:
            self._commit_texts()
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.KeyPress
            and event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter)
            and not event.modifiers()
            and watched not in (self.action, getattr(self, "notes", None))
        ):
            self._commit_texts()
            return True
        return super().eventFilter(watched, event)


def _typed(field: QPlainTextEdit) -> str:
    return " ".join(field.toPlainText().split())


def _show_text(field: QPlainTextEdit, text: str, other: bool) -> None:
    if (other or not field.hasFocus()) and field.toPlainText() != text:
        field.setPlainText(text)
