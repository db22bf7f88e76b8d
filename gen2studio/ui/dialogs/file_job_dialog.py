"""What dialogs that read or write files share: a start button that becomes Cancel, progress, one line of message."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QCloseEvent, QDesktopServices
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLayout, QProgressBar, QPushButton, QVBoxLayout, QWidget

from gen2studio.app.export_queue import QueuedJob
from gen2studio.app.export_values import ExportProgress
from gen2studio.app.file_job import FileJob
from gen2studio.ui.panels.queue_panel import span
from gen2studio.ui.widgets.named import named

Job = FileJob | QueuedJob
"""What is run: work on files of its own, or an order of the export queue."""


class FileJobDialog(QDialog):
    """One job at a time; the window stays usable behind it, and the dialog stays open until the job has ended.

    A dialog calls :meth:`build_foot` last while it is built, says in :meth:`begin_work` what its start button does and
    in :meth:`show_result` what came of it, and locks its fields in :meth:`enable_fields`.
    """

    verb = "Export"
    """On the start button."""
    noun = "export"
    undone = "Cancelled; nothing was written."
    unit = "frames"

    def __init__(self, name: str, title: str, prefix: str, parent: QWidget) -> None:
        """``prefix`` begins the object names of the shared controls."""
        super().__init__(parent)
        self.setObjectName(name)
        self.setWindowTitle(title)
        self._prefix = prefix
        self._job: Job | None = None
        self._replacing: tuple[Path, ...] = ()
        """Files that the artist was asked about."""
        self._folder: Path | None = None
        """Where the last job's files are."""

    def build_foot(
        self, body: QLayout, start_tip: str, *, close: str = "Close", close_tip: str, extra: tuple[QWidget, ...] = ()
    ) -> None:
        """Lay out ``body`` above progress, message and buttons; ``extra`` buttons stand before the start button."""
        self.progress = QProgressBar(self)
        self.progress.setObjectName(f"{self._prefix}.progress")
        self.progress.setAccessibleName(f"{self.verb} progress")
        self.progress.hide()
        self.status = QLabel(self)
        self.status.setObjectName(f"{self._prefix}.status")
        self.status.setWordWrap(True)
        # Room for two lines from the start: the dialog must not jump.
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing() + 2)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.reveal = named(
            QPushButton("Open folder", self), f"{self._prefix}.reveal", "Open folder", "Show the folder of the files"
        )
        self.reveal.clicked.connect(self._on_reveal_clicked)
        self.reveal.hide()
        self.close_button = named(QPushButton(close, self), f"{self._prefix}.close", close, close_tip)
        self.close_button.clicked.connect(self.reject)
        self.start = named(QPushButton(self.verb, self), f"{self._prefix}.start", self.verb, start_tip)
        self.start.setProperty("primary", True)
        self.start.setDefault(True)
        self.start.clicked.connect(self._on_start_clicked)
        buttons = QHBoxLayout()
        buttons.addWidget(self.reveal)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        for button in extra:
            buttons.addWidget(button)
        buttons.addWidget(self.start)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(12)
        layout.addLayout(body, 1)
        layout.addWidget(self.progress)
        layout.addWidget(self.status)
        layout.addLayout(buttons)

    # -- for the dialogs ---------------------------------------------------------------------------------------------

    def begin_work(self) -> None:
        """The start button was pressed while nothing runs: check the fields and call :meth:`run_job`."""

    def show_result(self, result: object) -> None:
        """The job returned ``result``: call :meth:`ended` with what to say."""

    def enable_fields(self, on: bool) -> None:
        """Lock or release the fields."""

    @property
    def running(self) -> bool:
        return self._job is not None

    def run_job(self, job: Job, saying: str = "Preparing…", show: Callable[[object], None] | None = None) -> None:
        """Run ``job`` and follow it; ``show`` takes its result (None = :meth:`show_result`)."""
        job.progressed.connect(self._on_progressed)
        job.finished.connect(show or self.show_result)
        job.failed.connect(lambda sentence: self.ended(sentence, "error"))
        job.cancelled.connect(lambda: self.ended(self.undone, "muted"))
        self._job = job
        self.reveal.hide()
        self.progress.setRange(0, 0)
        self.progress.show()
        self.say(saying, "muted")
        self.start.setText(f"Cancel {self.noun}")
        self.enable_fields(False)
        self.close_button.setEnabled(False)
        job.start()

    def say(self, text: str, role: str) -> None:
        """Show one message; ``role`` colours it: muted, warning, error, heading."""
        self.status.setProperty("role", role)
        self.status.setStyleSheet("")
        self.status.style().polish(self.status)
        self.status.setText(text)

    def ended(self, text: str, role: str, folder: Path | None = None) -> None:
        """The job is over. ``folder`` is what Open folder shows."""
        if self._job is not None:
            self._job.wait()
            self._job.deleteLater()
            self._job = None
        self.progress.hide()
        self._replacing = ()
        self._folder = folder
        self.reveal.setVisible(folder is not None)
        self.start.setText(self.verb)
        self.close_button.setEnabled(True)
        self.enable_fields(True)
        self.say(text, role)

    def stop(self) -> None:
        """Cancel a running job and wait for its end."""
        if self._job is not None:
            self._job.cancel()
            self.ended(self.undone, "muted")

    def may_replace(self, targets: tuple[Path, ...]) -> bool:
        """Whether these files may be written: what is there already is asked about once."""
        there = tuple(path for path in targets if holds_something(path))
        if not there or there == self._replacing:
            return True
        self._replacing = there
        names = ", ".join(f"“{path.name}”" for path in there)
        verb = "is" if len(there) == 1 else "are"
        self.say(f"{names} {verb} there already. Press Replace to write over it.", "warning")
        self.start.setText("Replace")
        return False

    def forget_replacing(self) -> None:
        """Something else was chosen: what was said about the files before no longer counts."""
        if self._replacing and self._job is None:
            self._replacing = ()
            self.start.setText(self.verb)
            self.say("", "muted")

    def progress_text(self, progress: ExportProgress) -> str:
        """What is said of a running job."""
        left = f", {span(progress.seconds_left)} left" if progress.seconds_left is not None else ""
        pace = f", {progress.frames_per_second:.1f} a second" if self.unit == "frames" else ""
        return f"{progress.done} of {progress.total} {self.unit}{pace}{left}"

    # -- inside ------------------------------------------------------------------------------------------------------

    def _on_start_clicked(self) -> None:
        if self._job is not None:
            self.say("Stopping…", "muted")
            self._job.cancel()
            return
        self.begin_work()

    def _on_progressed(self, progress: ExportProgress) -> None:
        self.progress.setRange(0, progress.total)
        self.progress.setValue(progress.done)
        self.say(self.progress_text(progress), "muted")

    def _on_reveal_clicked(self) -> None:
        if self._folder is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._folder)))

    def reject(self) -> None:
        if self._job is None:
            super().reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._job is not None:
            event.ignore()
        else:
            super().closeEvent(event)


def holds_something(target: Path) -> bool:
    """A file of that name is there, or a folder with something in it."""
    return target.is_file() or (target.is_dir() and any(target.iterdir()))
