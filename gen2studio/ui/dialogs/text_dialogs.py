"""Plain windows that show something: keyboard shortcuts, the machine check, about."""

from __future__ import annotations

from PySide6.QtCore import QProcess, Qt
from PySide6.QtWidgets import (
    QDialog,
    QHeaderView,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QPushButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

import gen2studio
from gen2studio.app.key_sheets import WHERE
from gen2studio.ui import key_tips, theme
from gen2studio.ui.action_binder import ActionBinder


class ShortcutsDialog(QDialog):
    """Every command with its key, searchable."""

    def __init__(self, binder: ActionBinder, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("shortcutsDialog")
        self.setWindowTitle("Keyboard shortcuts")
        self.resize(640, 620)
        self.search = QLineEdit(self)
        self.search.setObjectName("shortcuts.search")
        self.search.setAccessibleName("Find a command or key")
        self.search.setPlaceholderText("Find a command or a key")
        self.search.setToolTip("Show only commands whose name or key contains these letters")
        self.tree = QTreeWidget(self)
        self.tree.setObjectName("shortcuts.list")
        self.tree.setAccessibleName("Commands and keys")
        self.tree.setHeaderLabels(["Command", "Key", "Where"])
        self.tree.setRootIsDecorated(False)
        self.tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for row in binder.rows.values():
            keys = "   ".join(key_tips.keys_of(row))
            item = QTreeWidgetItem([row.text.rstrip("…"), keys, WHERE.get(row.scope, row.scope)])
            item.setToolTip(0, row.tip)
            item.setIcon(0, binder.action(row.id).icon())
            self.tree.addTopLevelItem(item)
        self.search.textChanged.connect(self._filter)
        layout = QVBoxLayout(self)
        layout.addWidget(self.search)
        layout.addWidget(self.tree, 1)

    def _filter(self, text: str) -> None:
        text = text.casefold()
        for index in range(self.tree.topLevelItemCount()):
            item = self.tree.topLevelItem(index)
            if item is not None:
                item.setHidden(text not in f"{item.text(0)} {item.text(1)}".casefold())


class DoctorDialog(QDialog):
    """Runs ``gen2studio doctor`` in a child process and shows what it says."""

    def __init__(self, program: list[str], parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("doctorDialog")
        self.setWindowTitle("Check this machine")
        self.resize(760, 480)
        self.text = QPlainTextEdit(self)
        self.text.setObjectName("doctor.text")
        self.text.setAccessibleName("Findings")
        self.text.setReadOnly(True)
        self.text.setFont(theme.fixed_font(9.5))
        self.text.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.text.setPlainText("Checking…")
        copy = QPushButton("Copy", self)
        copy.setObjectName("doctor.copy")
        copy.setToolTip("Copy all of it, for a bug report")
        copy.clicked.connect(self._on_copy_clicked)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text, 1)
        layout.addWidget(copy, 0, Qt.AlignmentFlag.AlignRight)
        self._process = QProcess(self)
        self._process.finished.connect(self._on_process_finished)
        self._process.start(program[0], program[1:])

    def _on_process_finished(self) -> None:
        self.text.setPlainText(bytes(self._process.readAllStandardOutput().data()).decode(errors="replace"))

    def _on_copy_clicked(self) -> None:
        self.text.selectAll()
        self.text.copy()

    def done(self, result: int) -> None:
        if self._process.state() != QProcess.ProcessState.NotRunning:
            self._process.kill()
            self._process.waitForFinished(2000)
        super().done(result)


class AboutDialog(QDialog):
    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("aboutDialog")
        self.setWindowTitle("About Gen2 Studio")
        logo = QLabel(self)
        logo.setPixmap(theme.icon_pixmap("app", 72, "text", self.devicePixelRatioF()))
        logo.setAlignment(Qt.AlignmentFlag.AlignCenter)
        text = QLabel(
            f"<h3>Gen2 Studio {gen2studio.__version__}</h3>"
            "<p>Paints, masks and stylizes video on your own machine.<br>No account, no network, no telemetry.</p>"
            "<p>Apache-2.0. Icons: Lucide (ISC). Built on Qt for Python (LGPL-3),<br>"
            "PyAV and FFmpeg (GPL-3 with x264 and x265), OpenCV, NumPy and Numba.</p>",
            self,
        )
        text.setAlignment(Qt.AlignmentFlag.AlignCenter)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(28, 22, 28, 22)
        layout.addWidget(logo)
        layout.addWidget(text)
