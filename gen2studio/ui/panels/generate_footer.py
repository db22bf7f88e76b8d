"""The foot of the generate panel: four stills, progress, live preview, and the buttons that run."""

from __future__ import annotations

from fractions import Fraction

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation, RunState, Still
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Lane
from gen2studio.ui import theme
from gen2studio.ui.panels.stills_strip import StillsStrip
from gen2studio.ui.widgets.named import named, note

_COUNTABLE = 100_000
_ONLY_STILLS = "This model draws pictures: make stills, and choose a video model for the shot that begins with one."


class GenerateFooter(QWidget):
    """Follows the run of the target clip."""

    still_chosen = Signal(object)
    """The Still that was clicked."""
    begin_asked = Signal(object)
    """The Still that the shot is to begin with."""

    def __init__(self, generation: Generation, actions: dict[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("generate.footer")
        self.setProperty("role", "footer")
        self._generation = generation
        self.stills = StillsStrip(self)
        self.stills.still_chosen.connect(self.still_chosen)
        self.stills.begin_asked.connect(self.begin_asked)
        self.only_stills = note(self, "faint", "generate.onlyStills")
        self.only_stills.setText(_ONLY_STILLS)
        self.only_stills.hide()
        self.progress = named(QProgressBar(self), "generate.progress", "Progress of this clip")
        self.progress.hide()
        live = actions["generate.live_preview"]
        self.live = named(QCheckBox("Live preview", self), "generate.live", "Live preview", live.toolTip())
        self.live.setChecked(live.isChecked())
        self.live.toggled.connect(live.setChecked)
        live.toggled.connect(self.live.setChecked)
        self.stills_button = self._push("generate.stillsButton", actions["generate.stills"])
        self.run_button = self._push("generate.runButton", actions["generate.run"])
        self.run_button.setProperty("primary", True)
        self.cancel_button = QPushButton(theme.icon("circle-stop"), "Cancel", self)
        named(self.cancel_button, "generate.cancelButton", "Cancel", actions["generate.cancel"].toolTip())
        # Esc first ends a gesture or playback; this button only ever means the job.
        self.cancel_button.clicked.connect(generation.cancel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.stills_button)
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 10)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.stills)
        column.addWidget(self.only_stills)
        column.addWidget(self.progress)
        column.addWidget(self.live)
        column.addLayout(buttons)

    def _push(self, name: str, action: QAction) -> QPushButton:
        button = QPushButton(action.text(), self)
        named(button, name, action.text(), action.toolTip())
        button.clicked.connect(action.trigger)
        # Icons of actions come after the first paint.
        button.setIcon(action.icon())
        action.changed.connect(lambda: button.setIcon(action.icon()))
        return button

    def show_stills(self, stills: tuple[Still, ...], rate: Fraction, of_shot: bool = False) -> None:
        self.stills.show_stills(stills, rate, of_shot)

    def show_run(self, state: RunState) -> None:
        """Progress of the run or of the stills of the target clip."""
        self.progress.setVisible(state.active)
        if not state.active:
            return
        scale = max(1, state.total >> 20)
        self.progress.setRange(0, max(1, state.total // scale))
        self.progress.setValue(state.done // scale)
        what = "Stills" if state.lane is Lane.STILLS else "Clip"
        if state.state is JobState.QUEUED:
            text = f"{what}: waiting in the queue"
        else:
            left = f" · {duration(state.eta_seconds)} left" if state.eta_seconds is not None else ""
            stage = f" · {state.stage}" if state.stage else ""
            # Bytes of a model are no frames to be counted.
            counted = state.total < _COUNTABLE
            share = f"{state.done} of {state.total}" if counted else f"{100 * state.done // state.total} %"
            text = f"{what}: {share}{left}{stage}"
        self.progress.setFormat(text)
        self.progress.setToolTip(text)

    def show_buttons(self, *, ready: bool, board: bool = False, stills_only: bool = False) -> None:
        """``ready``: there is something to run and something that runs it; ``board``: that is a whole storyboard;
        ``stills_only``: what runs it draws pictures and no clips."""
        self.stills_button.setText("Board stills" if board else "Four stills")
        self.run_button.setText("Generate board" if board else "Generate")
        run = self._generation.run_state
        rendering = run.active and run.lane is Lane.RENDER
        self.run_button.setVisible(not rendering)
        self.cancel_button.setVisible(run.active)
        self.run_button.setEnabled(ready and not stills_only)
        self.only_stills.setVisible(stills_only)
        self.stills_button.setEnabled(ready and not rendering)


def duration(seconds: float) -> str:
    """A wait in words."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
