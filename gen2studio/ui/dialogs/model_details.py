"""One model in full: whether it fits, what can be done with it, its terms, memory and relatives."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import (
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.app.model_rows import ModelRow
from gen2studio.models.download_values import DownloadState
from gen2studio.models.fitting import NO
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_words import (
    LIGHT_INKS,
    facts_page,
    offer_words,
    percent,
    place_and_size,
    progress_line,
    room_words,
)
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import named, note, restyle

_BUTTONS = (
    ("get", "Get…", "See what it takes and read its terms; nothing is downloaded before you accept them"),
    ("use", "Use", "Check it and add it to the models or adapters of this program"),
    ("pause", "Pause", "Stop for now; what is here stays, also when the program ends"),
    ("resume", "Go on", "Go on where it stopped"),
    ("cancel", "Cancel", "Stop, and delete what was downloaded so far"),
    ("verify", "Verify", "Read every file and compare its SHA-256"),
    ("move", "Move…", "Move its files to another folder or disk"),
    ("open", "Open folder", "Show its files"),
    ("delete", "Delete…", "Delete its files; you are told first how much that frees"),
    ("remove", "Take off the list", "Its files stay where they are"),
    ("stop", "Stop", "Stop what goes on with its files"),
)


class ModelDetails(QWidget):
    """Shows one row. What the buttons ask for leaves as signals."""

    asked = Signal(str, str)
    """(what, row id): get, use, pause, resume, cancel, verify, move, open, delete, remove, stop."""
    entry_wanted = Signal(str)
    """A link to another entry was followed."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self._models = models
        self._row: ModelRow | None = None
        self._planning = ""
        self._shown_page = ""
        self.title = ElidedLabel(parent=self)
        self.title.setObjectName("models.details.title")
        self.title.setProperty("role", "heading")
        font = self.title.font()
        font.setPointSizeF(font.pointSizeF() * 1.35)
        self.title.setFont(font)
        self.summary = note(self, "muted", "models.details.summary")
        box = QFrame(self)
        box.setProperty("role", "strip")
        self.light = QLabel(box)
        self.light.setObjectName("models.details.light")
        self.light.setTextFormat(Qt.TextFormat.RichText)
        self.reason = note(box, "", "models.details.reason")
        self.estimate = note(box, "muted", "models.details.estimate")
        self.room = note(box, "warning", "models.details.room")
        inside = QVBoxLayout(box)
        inside.setContentsMargins(12, 9, 12, 9)
        inside.setSpacing(3)
        for label in (self.light, self.reason, self.estimate, self.room):
            inside.addWidget(label)
        self.buttons: dict[str, QPushButton] = {}
        actions = QHBoxLayout()
        actions.setSpacing(theme.SPACING)
        for name, text, tip in _BUTTONS:
            button = named(QPushButton(text, self), f"models.{name}", text.rstrip("…"), tip)
            button.setAutoDefault(False)
            button.clicked.connect(self._asker(name))
            # All of them side by side would make the window wider than any row needs.
            button.hide()
            self.buttons[name] = button
            actions.addWidget(button)
        actions.addStretch(1)
        self.buttons["delete"].setProperty("danger", True)
        self.buttons["use"].setProperty("primary", True)
        self.bar = QProgressBar(self)
        self.bar.setObjectName("models.details.progress")
        self.bar.setAccessibleName("Progress")
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.line = note(self, "muted", "models.details.line")
        self.page = named(QTextBrowser(self), "models.details.page", "Terms, memory and relatives")
        self.page.setToolTip("")
        self.page.setOpenLinks(False)
        self.page.setFrameShape(QFrame.Shape.NoFrame)
        self.page.setStyleSheet("background: transparent; border: none; padding: 0;")
        self.page.document().setDocumentMargin(0)
        self.page.document().setDefaultStyleSheet(f"a {{ color: {theme.tokens()['accent']}; text-decoration: none; }}")
        self.page.anchorClicked.connect(self._on_link)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(4, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(self.title)
        layout.addWidget(self.summary)
        layout.addWidget(box)
        layout.addLayout(actions)
        layout.addWidget(self.bar)
        layout.addWidget(self.line)
        layout.addWidget(self.page, 1)

    def _asker(self, what: str) -> Callable[[], None]:
        return lambda *_checked: self.asked.emit(what, self._row.id) if self._row is not None else None

    @property
    def shown(self) -> str:
        """Id of the row that is shown; empty = none."""
        return self._row.id if self._row is not None else ""

    def show_row(self, row: ModelRow | None) -> None:
        """Show another row, or the same one as it is now."""
        self.setVisible(row is not None)
        self._row = row
        if row is None:
            return
        entry = row.entry
        self.title.show_text(row.title)
        self.title.setToolTip(row.title)
        self.summary.setText(entry.summary if entry is not None else "")
        self.summary.setVisible(entry is not None)
        self._show_fit(row)
        here = frozenset(other.id for other in self._models.catalog.entries if self._models.is_here(other.id))
        page = facts_page(row, self._models.catalog, here, dict(theme.tokens()))
        if page != self._shown_page:
            # The place that was scrolled to is only given up for another page.
            self._shown_page = page
            self.page.setHtml(page)
        self.show_state(row)

    def show_state(self, row: ModelRow) -> None:
        """Show how far its download, its verification or its move is, and what can be done."""
        self._row = row
        download, work = row.download, next((w for w in self._models.works if w.id == row.id), None)
        installed = row.stored is not None
        visible = {
            "get": not installed and row.listed is None and row.offer is None and download is None,
            "use": row.offer is not None and row.offer.usable and work is None,
            "pause": download is not None and download.state.active,
            "resume": download is not None and not download.state.active,
            "cancel": download is not None,
            "verify": installed and work is None and download is None,
            "move": installed and work is None and download is None,
            "open": row.place is not None and work is None,
            "delete": installed and work is None and download is None,
            "remove": row.listed is not None and not row.listed.built_in,
            "stop": work is not None and work.what not in ("Deleting", "Adding"),
        }
        for name, button in self.buttons.items():
            button.setVisible(visible[name])
        looking = self._planning == row.id
        listed_only = row.entry is not None and row.entry.listed_only
        self.buttons["get"].setEnabled(not looking and not listed_only)
        self.buttons["get"].setText("Asking the hub…" if looking else "Get…")
        restyle(self.buttons["get"], "primary", row.fit is not None and row.fit.light != NO)
        running = work is not None or (download is not None and download.state is not DownloadState.FAILED)
        self.bar.setVisible(running)
        done, total = (work.done, work.total) if work is not None else (0, 0)
        line = f"{work.what} {percent(work.done, work.total)}".strip() if work is not None else ""
        if work is None and download is not None:
            done, total, line = download.done, download.total, progress_line(download)
        self.bar.setRange(0, 1000 if total > 0 else 0)
        self.bar.setValue(min(1000, done * 1000 // total) if total > 0 else 0)
        problem = row.problem
        self.line.setText(line or problem)
        self.line.setVisible(bool(line or problem))
        failed = bool(problem and not line) or (download is not None and download.state is DownloadState.FAILED)
        restyle(self.line, "role", "error" if failed else "muted")

    def set_planning(self, entry_id: str) -> None:
        """Say that the hub is asked about an entry; empty = no longer."""
        self._planning = entry_id
        if self._row is not None:
            self.show_state(self._row)

    def _show_fit(self, row: ModelRow) -> None:
        fit = row.fit
        ink = LIGHT_INKS[fit.light] if fit is not None else "danger" if row.listed and row.listed.problem else "success"
        said = fit.words if fit is not None else "Can't be used" if ink == "danger" else "Installed"
        reason = f"{fit.why[:1].upper()}{fit.why[1:]}" if fit is not None else ""
        if row.offer is not None:
            ink, said = "text_muted", "Found on this machine"
            reason = f"{place_and_size(row)}. {offer_words(row)}"
        self.light.setText(f'<span style="color: {theme.tokens()[ink]}">●</span> <b>{said}</b>')
        if row.held:
            reason = f"Held {row.held}." if not row.held.endswith(".") else row.held
        self.reason.setText(reason)
        self.reason.setVisible(bool(reason))
        self.estimate.setText(fit.estimate if fit is not None else "")
        self.estimate.setVisible(bool(self.estimate.text()))
        self.room.setText(room_words(row, self._models.free))
        self.room.setVisible(bool(self.room.text()))

    def _on_link(self, address: QUrl) -> None:
        if address.scheme() == "entry":
            self.entry_wanted.emit(address.path())
        elif address.scheme() == "https":
            QDesktopServices.openUrl(address)


class DownloadStrip(QFrame):
    """One quiet line at the foot: what is on its way altogether."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("models.foot")
        self._models = models
        self.words = ElidedLabel(parent=self)
        self.words.setObjectName("models.message")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.words, 1)

    def say(self, severity: str, sentence: str) -> None:
        """Show a sentence; errors in their colour."""
        ink = {"error": "danger", "warning": "warning"}.get(severity, "text_muted")
        self.words.setStyleSheet(f"color: {theme.tokens()[ink]};")
        self.words.show_text(sentence)
        self.words.setToolTip(sentence)
