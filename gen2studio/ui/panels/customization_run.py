"""A training as it runs: loss curve, live test frames, progress, and the buttons that start, pause and stop it."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.customization import Customization, TestFrame, TrainingRun
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import WORD
from gen2studio.ui import theme
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.loss_curve import LossCurve
from gen2studio.ui.widgets.named import named, note
from gen2studio.ui.widgets.pictures import image_of
from gen2studio.ui.widgets.retire import retire

_THUMB = QSize(68, 52)


class _BigFrame(QWidget):
    """One test frame as large as the panel is wide."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        named(self, "customize.frame", "Test frame", "What the adapter makes of the test prompt, always with one seed")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(196)
        self._image = QImage()

    def show_image(self, image: QImage) -> None:
        self._image = image
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(self.rect())
        path = QPainterPath()
        path.addRoundedRect(box, 5, 5)
        painter.fillPath(path, theme.colour("input"))
        if self._image.isNull():
            return
        size = self._image.size().toSizeF().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(box.center())
        painter.setClipPath(path)
        painter.drawImage(place, self._image)


class _Thumb(QToolButton):
    """A test frame in the strip, with the step it was made after."""

    def __init__(self, step: int, image: QImage, parent: QWidget) -> None:
        super().__init__(parent)
        words = "base" if step == 0 else str(step)
        title = "the base model" if step == 0 else f"step {step}"
        named(self, f"customize.frame.{step}", f"Test frame of {title}", f"After {title}" if step else "The base model")
        self.image = image
        self._words = words
        self.setCheckable(True)
        self.setFixedSize(_THUMB.width(), _THUMB.height() + 16)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        box = QRectF(1, 1, _THUMB.width() - 2, _THUMB.height() - 2)
        path = QPainterPath()
        path.addRoundedRect(box, 4, 4)
        painter.save()
        painter.setClipPath(path)
        size = self.image.size().toSizeF().scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatioByExpanding)
        place = QRectF(0, 0, size.width(), size.height())
        place.moveCenter(box.center())
        painter.drawImage(place, self.image)
        painter.restore()
        lit = self.isChecked() or self.hasFocus()
        painter.setPen(QPen(theme.colour("accent" if lit else "line"), 2 if lit else 1))
        painter.drawPath(path)
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() - 1.5)
        painter.setFont(font)
        painter.setPen(theme.colour("text" if self.isChecked() else "text_muted"))
        painter.drawText(QRectF(0, _THUMB.height(), self.width(), 16), Qt.AlignmentFlag.AlignCenter, self._words)


class TestStrip(QWidget):
    """Live test frames side by side, the chosen one large. The newest is chosen until the artist picks another."""

    __test__ = False

    use_requested = Signal(int)
    """Step whose adapter the artist wants."""

    def __init__(self, customization: Customization, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("customize.tests")
        self._customization = customization
        self.big = _BigFrame(self)
        self._row_holder = QWidget(self)
        self._row = QHBoxLayout(self._row_holder)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(4)
        self._row.addStretch(1)
        self._scroll = QScrollArea(self)
        self._scroll.setObjectName("customize.tests.scroll")
        self._scroll.setWidgetResizable(True)
        self._scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setFixedHeight(_THUMB.height() + 16 + 14)
        self._scroll.setWidget(self._row_holder)
        self._group = QButtonGroup(self)
        self._thumbs: dict[int, _Thumb] = {}
        self._follows = True
        self._step = 0
        self.words = ElidedLabel("", parent=self)
        self.words.setObjectName("customize.tests.words")
        self.words.setProperty("role", "muted")
        self.use_button = named(
            QPushButton("Use this step", self), "customize.useStep", "Use this step",
            "Make the adapter in the library what it was here; an unfinished training puts this step into the library",
        )  # fmt: skip
        self.use_button.clicked.connect(lambda _checked=False: self.use_requested.emit(self._step))
        chosen = QHBoxLayout()
        chosen.setSpacing(theme.SPACING)
        chosen.addWidget(self.words, 1)
        chosen.addWidget(self.use_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.big)
        column.addLayout(chosen)
        column.addWidget(self._scroll)
        self.hide()

    @property
    def steps(self) -> tuple[int, ...]:
        return tuple(sorted(self._thumbs))

    def set_frames(self, frames: tuple[TestFrame, ...]) -> None:
        for thumb in self._thumbs.values():
            self._group.removeButton(thumb)
            retire(thumb)
        self._thumbs.clear()
        self._follows = True
        self.setVisible(False)
        for frame in frames:
            self.add_frame(frame)

    def add_frame(self, frame: TestFrame) -> None:
        image = image_of(frame.picture)
        thumb = self._thumbs.get(frame.step)
        if thumb is None:
            thumb = _Thumb(frame.step, image, self._row_holder)
            thumb.clicked.connect(lambda _checked=False, step=frame.step: self._on_clicked(step))
            self._group.addButton(thumb)
            self._row.insertWidget(sum(step < frame.step for step in self._thumbs), thumb)
            self._thumbs[frame.step] = thumb
        thumb.image = image
        thumb.update()
        self.show()
        if self._follows or thumb.isChecked():
            self._choose(frame.step)

    def _show_chosen(self, step: int) -> None:
        if step == self._step and step in self._thumbs:
            self._scroll.ensureWidgetVisible(self._thumbs[step])

    def refresh(self) -> None:
        """Say again which step is shown, and whether it can be used."""
        upto = [(step, loss) for step, loss in self._customization.losses if step <= self._step]
        words = "The base model, before the training"
        if self._step:
            tail = upto[-max(10, len(upto) // 10) :]
            mean = sum(loss for _, loss in tail) / max(1, len(tail))
            words = f"Step {self._step}" + (f" · loss {mean:.3f}" if tail else "")
        self.words.show_text(words)
        self.words.setToolTip(words)
        self.use_button.setVisible(self._step > 0)
        self.use_button.setEnabled(self._step in self._customization.kept_steps())

    def _on_clicked(self, step: int) -> None:
        self._follows = step == max(self._thumbs)
        self._choose(step)

    def _choose(self, step: int) -> None:
        thumb = self._thumbs[step]
        thumb.setChecked(True)
        self._step = step
        self.big.show_image(thumb.image)
        self.big.setAccessibleDescription("The base model" if step == 0 else f"After step {step}")
        self.refresh()
        # A thumb that was just added has its place only after the next turn of the event loop.
        QTimer.singleShot(0, self, lambda: self._show_chosen(step))


class RunSection(QWidget):
    """Binds to :class:`~gen2studio.app.customization.Customization`."""

    start_over_requested = Signal()

    def __init__(self, customization: Customization, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("customize.run")
        self._customization = customization
        self._state: JobState | None = None
        self.curve = LossCurve(self)
        self.tests = TestStrip(customization, self)
        self.tests.use_requested.connect(customization.use_step)
        self.progress = named(QProgressBar(self), "customize.progress", "Progress of the training")
        self.stage = note(self, "muted", "customize.stage")
        self.train_button = named(QPushButton(self), "customize.train", "Train", "Train the adapter on these images")
        self.train_button.setProperty("primary", True)
        self.train_button.clicked.connect(customization.train)
        self.pause_button = named(QPushButton(theme.icon("pause"), " Pause", self), "customize.pause", "Pause")
        self.pause_button.clicked.connect(customization.pause)
        self.cancel_button = named(
            QPushButton(theme.icon("circle-stop"), " Cancel", self), "customize.cancel", "Cancel",
            "Stop the training. What it learned is kept: Train goes on from there.",
        )  # fmt: skip
        self.cancel_button.clicked.connect(customization.cancel)
        self.over_button = named(
            QPushButton(theme.icon("rotate-ccw"), " Start over", self), "customize.startOver", "Start over",
            "Forget the unfinished training and begin anew",
        )  # fmt: skip
        self.over_button.clicked.connect(customization.forget_kept)
        self.reason = note(self, "muted", "customize.reason")
        buttons = QHBoxLayout()
        buttons.setSpacing(theme.SPACING)
        buttons.addWidget(self.train_button, 2)
        buttons.addWidget(self.pause_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        buttons.addWidget(self.over_button, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(theme.SPACING)
        column.addLayout(buttons)
        column.addWidget(self.reason)
        column.addWidget(self.progress)
        column.addWidget(self.stage)
        column.addWidget(self.curve)
        column.addWidget(self.tests)
        customization.run_changed.connect(self._on_run_changed)
        customization.curve_replaced.connect(self._on_curve_replaced)
        customization.loss_measured.connect(self.curve.add_point)
        customization.test_frame_ready.connect(self.tests.add_frame)
        customization.set_changed.connect(lambda _set: self.refresh())
        customization.findings_changed.connect(lambda _found: self.refresh())
        self._on_curve_replaced()

    def refresh(self) -> None:
        """Look again at whether the set can be trained."""
        self._on_run_changed(self._customization.run_state)

    def _on_curve_replaced(self) -> None:
        customization = self._customization
        self.curve.set_points(customization.losses, customization.run_state.total)
        self.tests.set_frames(customization.test_frames)
        self.refresh()

    def _on_run_changed(self, run: TrainingRun) -> None:
        kept = not run.active and self._customization.kept()
        why_not = "" if run.active else self._customization.why_not()
        self.train_button.setVisible(not run.active)
        self.train_button.setText("Go on training" if kept else "Train")
        self.train_button.setAccessibleName(self.train_button.text())
        self.train_button.setEnabled(not why_not)
        self.over_button.setVisible(kept)
        self.pause_button.setVisible(run.active)
        self.cancel_button.setVisible(run.active)
        paused = run.state is JobState.PAUSED
        self.pause_button.setText(" Go on" if paused else " Pause")
        self.pause_button.setIcon(theme.icon("play" if paused else "pause"))
        self.pause_button.setAccessibleName("Go on" if paused else "Pause")
        self.pause_button.setToolTip(
            "Go on with the training" if paused else "Pause: other work may use the model meanwhile"
        )
        self.pause_button.setEnabled(not run.stopping)
        self.cancel_button.setEnabled(not run.stopping)
        self._show_progress(run)
        self._show_reason(run, why_not)
        self.curve.set_total(self._steps(run))
        self.curve.setVisible(run.active or self.curve.points > 0)
        if run.state is not self._state:
            self._state = run.state
            self.tests.refresh()

    def _steps(self, run: TrainingRun) -> int:
        found = self._customization.training_set
        steps = (found.steps if found is not None else 0) or self._customization.usual_steps()
        pair = self._customization.defaults().experts and found is not None and found.experts == "both"
        return 2 * steps if pair else steps

    def _show_progress(self, run: TrainingRun) -> None:
        self.progress.setVisible(run.active)
        self.stage.setVisible(run.active)
        if not run.active:
            return
        busy = run.total > 0 and run.stage != ""
        self.progress.setRange(0, max(1, run.total) if busy else 1)
        self.progress.setValue(run.done if busy else 0)
        self.progress.setFormat("%v of %m" if busy and run.stage == "Training" else "")
        self.stage.setText(stage_text(run))

    def _show_reason(self, run: TrainingRun, why_not: str) -> None:
        role, text = "muted", why_not
        if not text and run.state is JobState.FAILED:
            role, text = "error", run.reason
        elif not text and run.state is JobState.CANCELLED:
            text = run.reason
        elif not text and run.state is JobState.FINISHED:
            found = self._customization.training_set
            text = "The adapter is in the library below, ready to use in any mode."
            if found is not None and found.method == WORD:
                text = "The word is in the library below: use it in a clip, then say it in a prompt."
        if self.reason.property("role") != role:
            self.reason.setProperty("role", role)
            self.reason.style().unpolish(self.reason)
            self.reason.style().polish(self.reason)
        self.reason.setText(text)
        self.reason.setVisible(bool(text))


def stage_text(run: TrainingRun) -> str:
    """One line about a running training."""
    if run.stopping:
        return "Stopping…"
    if run.state is JobState.PAUSED:
        return "Paused"
    if run.state is JobState.QUEUED:
        return "Waiting for its turn"
    left = ""
    if run.eta_seconds is not None and run.stage == "Training":
        minutes = run.eta_seconds / 60
        left = f" · {round(run.eta_seconds)} s left" if minutes < 1.5 else f" · {round(minutes)} min left"
    return f"{run.stage or 'Starting'}{left}"


def heading(text: str, parent: QWidget) -> QLabel:
    """A label in front of a field, of one width so that fields align."""
    label = QLabel(text, parent)
    label.setProperty("role", "muted")
    label.setFixedWidth(74)
    return label
