"""Timelines in and out: which file, which frame rate, and what could not be carried."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QIcon
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.interchange import Report
from gen2studio.document.model import TrackKind

if TYPE_CHECKING:
    from gen2studio.app.studio import Studio

_RATES = tuple(Fraction(n) for n in (24, 25, 30, 50, 60)) + tuple(Fraction(n * 1000, 1001) for n in (24, 30, 60))


def handlers(studio: Studio, window: QWidget) -> dict[str, Callable[..., object]]:
    """The rows of the action table that are about timeline files."""
    return {
        "file.import_timeline": lambda: import_timeline(studio, window),
        "file.export_timeline": lambda: export_timeline(studio, window),
        "file.consolidate": lambda: consolidate_project(studio, window),
    }


def wire(studio: Studio, window: QWidget) -> None:
    """Show what comes of imports and exports."""
    studio.interchange.finished.connect(lambda report: show_report(studio, window, report))


def consolidate_project(studio: Studio, window: QWidget) -> None:
    """Open the dialog, or bring it to the front."""
    from gen2studio.ui.dialogs.consolidate_dialog import ConsolidateDialog

    there = window.findChild(ConsolidateDialog)
    if there is not None and there.isVisible():
        there.raise_()
        there.activateWindow()
        return
    dialog = ConsolidateDialog(studio, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


# -- in ---------------------------------------------------------------------------------------------------------------


def import_timeline(studio: Studio, window: QWidget) -> None:
    """Ask for a timeline file and read it."""
    from gen2studio.interchange.formats import FORMATS

    every = " ".join(f"*{f.suffix}" for f in FORMATS)
    kinds = ";;".join(f"{f.title} (*{f.suffix})" for f in FORMATS)
    dialog = QFileDialog(
        window,
        "Import timeline",
        studio.preferences.get("import_folder"),
        f"Timelines ({every});;{kinds};;All files (*)",
    )
    dialog.setObjectName("timelineImport.fileDialog")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: read_timeline(studio, window, Path(name)))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


def read_timeline(studio: Studio, window: QWidget, path: Path) -> None:
    """Read a chosen file; an edit list is asked for its frame rate first, because it does not say."""
    studio.preferences.set("import_folder", str(path.parent))
    if path.suffix.lower() != ".edl":
        studio.import_timeline(path)
        return
    sequence = studio.session.sequence
    dialog = RateDialog(path.name, sequence.rate if sequence is not None else None, window)
    dialog.accepted.connect(lambda: studio.import_timeline(path, dialog.rate))
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


class RateDialog(QDialog):
    """At how many frames per second an edit list counts."""

    def __init__(self, name: str, likely: Fraction | None, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("timelineImport.rateDialog")
        self.setWindowTitle("Frame rate of the edit list")
        text = QLabel(f"{name} counts frames and does not say how many make a second.", self)
        text.setWordWrap(True)
        self.rates = QComboBox(self)
        self.rates.setObjectName("timelineImport.rate")
        self.rates.setAccessibleName("Frame rate")
        self.rates.setToolTip("The frame rate of the timeline the list was written from")
        for rate in sorted({*_RATES, *((likely,) if likely else ())}):
            self.rates.addItem(f"{float(rate):g} fps" if rate.denominator == 1 else f"{float(rate):.3f} fps", rate)
        self.rates.setCurrentIndex(max(0, self.rates.findData(likely or Fraction(24))))
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel, parent=self
        )
        buttons.setObjectName("timelineImport.buttons")
        buttons.button(QDialogButtonBox.StandardButton.Ok).setText("Import")
        for button in buttons.buttons():
            button.setIcon(QIcon())
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        form = QFormLayout()
        form.addRow("Frame rate", self.rates)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(buttons)

    @property
    def rate(self) -> Fraction:
        return self.rates.currentData()


# -- out --------------------------------------------------------------------------------------------------------------


def export_timeline(studio: Studio, window: QWidget) -> None:
    """Ask where to, in the format of the chosen kind, and write."""
    from gen2studio.interchange.formats import FORMATS

    sequence = studio.session.sequence
    if sequence is None or not any(track.clips for track in sequence.tracks):
        studio.session.tell("There is nothing on the timeline to export. Put a clip on it first.", "warning")
        return
    forms = [f for f in FORMATS if f.writes]
    folder = Path(studio.preferences.get("export_folder") or Path.home())
    kinds = ";;".join(f"{f.title} (*{f.suffix})" for f in forms)
    dialog = QFileDialog(window, "Export timeline", str(folder / f"{sequence.name}{forms[0].suffix}"), kinds)
    dialog.setObjectName("timelineExport.fileDialog")
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(forms[0].suffix[1:])
    dialog.filterSelected.connect(
        lambda kind: dialog.setDefaultSuffix(next(f.suffix[1:] for f in forms if kind.startswith(f.title + " (")))
    )

    def write(name: str) -> None:
        path = Path(name)
        studio.preferences.set("export_folder", str(path.parent))
        videos = [t.id for t in sequence.tracks if t.kind is TrackKind.VIDEO]
        target = studio.session.track
        studio.interchange.export_timeline(path, track=videos.index(target) if target in videos else 0)

    dialog.fileSelected.connect(write)
    dialog.finished.connect(dialog.deleteLater)
    dialog.open()


# -- what came of it --------------------------------------------------------------------------------------------------


def show_report(studio: Studio, window: QWidget, report: Report) -> None:
    """Say it in one line; what was not carried gets a list."""
    clips = "1 clip" if report.clips == 1 else f"{report.clips} clips"
    if not report.sentences:
        studio.session.tell(f"“{report.sequence}” ({clips}): {report.path.name} carries all of it.", "info")
        return
    studio.session.tell(
        f"“{report.sequence}” ({clips}), {report.path.name}: not everything could be carried.", "warning"
    )
    dialog = ReportDialog(report, window)
    dialog.finished.connect(dialog.deleteLater)
    dialog.show()


class ReportDialog(QDialog):
    """What could not be carried, sentence by sentence."""

    def __init__(self, report: Report, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("timelineReport")
        self.setWindowTitle(f"{report.path.name} - not carried")
        self.resize(620, 340)
        clips = "1 clip" if report.clips == 1 else f"{report.clips} clips"
        head = QLabel(f"“{report.sequence}” with {clips}. These things are not as they were:", self)
        head.setWordWrap(True)
        self.list = QListWidget(self)
        self.list.setObjectName("timelineReport.list")
        self.list.setAccessibleName("What could not be carried")
        self.list.setToolTip("What could not be carried; Copy puts it on the clipboard")
        self.list.setWordWrap(True)
        self.list.setSelectionMode(QListWidget.SelectionMode.ExtendedSelection)
        self.list.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.list.addItems(list(report.sentences))
        copy = QPushButton("Copy", self)
        copy.setObjectName("timelineReport.copy")
        copy.setToolTip("Copy the list")
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText("\n".join(report.sentences)))
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close, parent=self)
        buttons.setObjectName("timelineReport.buttons")
        buttons.button(QDialogButtonBox.StandardButton.Close).setIcon(QIcon())
        buttons.addButton(copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(head)
        layout.addWidget(self.list, 1)
        layout.addWidget(buttons)
