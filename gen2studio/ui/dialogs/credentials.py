"""Content Credentials in the export dialog: whether films are signed, by whom, and what readers will make of it."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.file_job import FileJob, Tell
from gen2studio.app.preferences import Preferences
from gen2studio.core.cancel import CancelToken
from gen2studio.media import content_credentials
from gen2studio.media.content_credentials import MISSING, Identity, Signer
from gen2studio.ui.widgets.named import named, note, text_button

_NONE = "Sign the file: choose your certificate and its private key first."
_FILTER = "PEM files (*.pem *.crt *.cer *.key);;All files (*)"


class CredentialsRow(QWidget):
    """A check box, a button to choose the certificate, and a line that says who signs or why nobody can."""

    changed = Signal()

    def __init__(self, preferences: Preferences, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("export.credentials")
        self._preferences = preferences
        self._job: FileJob | None = None
        self._usable = False
        self._available = content_credentials.available()
        self.sign = named(
            QCheckBox("Content Credentials (C2PA)", self), "export.sign", "Content Credentials",
            "Sign the file with your certificate: what was done, what it was made from, and the recipes",
        )  # fmt: skip
        self.choose = text_button(
            "export.certificate", "Certificate…", "key-round", "Choose the certificate and the private key that sign",
            self._on_choose_clicked, self,
        )  # fmt: skip
        self.status = note(self, "muted", "export.credentials_status")
        # Room for two lines from the start: the dialog must not jump.
        self.status.setMinimumHeight(2 * self.status.fontMetrics().lineSpacing() + 2)
        row = QHBoxLayout()
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(12)
        row.addWidget(self.sign)
        row.addWidget(self.choose)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row)
        layout.addWidget(self.status)
        self.sign.toggled.connect(self._on_toggled)
        self._look()

    @property
    def identity(self) -> tuple[str, str]:
        """(certificate, private key) when the export is to be signed, else two empty texts."""
        if not (self.sign.isChecked() and self._usable):
            return "", ""
        return str(self._preferences.get("c2pa_certificate")), str(self._preferences.get("c2pa_key"))

    def setEnabled(self, on: bool) -> None:
        """While an export runs the row is locked; without the libraries it stays so."""
        self.sign.setEnabled(on and self._usable)
        self.choose.setEnabled(on and self._available)

    def stop(self) -> None:
        """The dialog goes: end the thread that reads the certificate."""
        if self._job is not None:
            self._job.cancel()
            self._job.wait()
            self._job.deleteLater()
            self._job = None

    # -- inside ------------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Ask on a thread who the chosen certificate is: reading it imports a library."""
        self.stop()
        certificate, key = (str(self._preferences.get(name)) for name in ("c2pa_certificate", "c2pa_key"))
        if not self._available:
            self._show(False, MISSING, "muted")
        elif not certificate or not key:
            self._show(False, _NONE, "muted")
        else:
            self._show(False, "Reading the certificate…", "muted")
            identity = Identity(Path(certificate), Path(key))

            def work(_cancel: CancelToken, _tell: Tell) -> object:
                return content_credentials.signer_of(identity)

            job = FileJob("credentials", work, self)
            job.finished.connect(self._on_read)
            job.failed.connect(lambda sentence: self._on_read(sentence))
            self._job = job
            job.start()

    def _on_read(self, found: object) -> None:
        self.stop()
        if isinstance(found, Signer):
            self._show(True, found.sentence(), "muted")
        else:
            self._show(False, str(found), "warning")

    def _show(self, usable: bool, sentence: str, role: str) -> None:
        self._usable = usable
        self.sign.blockSignals(True)
        self.sign.setChecked(usable and bool(self._preferences.get("c2pa_sign")))
        self.sign.blockSignals(False)
        self.sign.setEnabled(usable)
        self.choose.setEnabled(self._available)
        self.status.setProperty("role", role)
        self.status.style().polish(self.status)
        self.status.setText(sentence)
        self.changed.emit()

    def _on_toggled(self, on: bool) -> None:
        self._preferences.set("c2pa_sign", on)
        self.changed.emit()

    def _on_choose_clicked(self) -> None:
        dialog = CertificateDialog(self._preferences, self.window())
        dialog.accepted.connect(self._chosen)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _chosen(self) -> None:
        # Who has just chosen a certificate wants to sign with it.
        self._preferences.set("c2pa_sign", bool(self._preferences.get("c2pa_certificate")))
        self._look()


class CertificateDialog(QDialog):
    """Where the certificate and its key lie. They are read when something is signed, and never copied."""

    def __init__(self, preferences: Preferences, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("certificateDialog")
        self.setWindowTitle("Certificate for Content Credentials")
        self.setMinimumWidth(560)
        self._preferences = preferences
        self.certificate = self._field("c2pa_certificate", "Certificate", "PEM file: your certificate and its chain")
        self.key = self._field("c2pa_key", "Private key", "PEM file: the private key, without a password")
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow("Certificate", self._row(self.certificate, "certificate"))
        form.addRow("Private key", self._row(self.key, "key"))
        words = QLabel(
            "Films are signed on this machine and nothing is sent anywhere. Certificates for signing are sold by "
            "authorities on the C2PA trust list; with any other one, readers say that they don't know who signed.",
            self,
        )
        words.setProperty("role", "muted")
        words.setWordWrap(True)
        cancel = named(QPushButton("Cancel", self), "certificate.cancel", "Cancel", "Close without a change (Esc)")
        cancel.clicked.connect(self.reject)
        use = named(QPushButton("Use", self), "certificate.use", "Use", "Sign with this certificate (Enter)")
        use.setProperty("primary", True)
        use.setDefault(True)
        use.clicked.connect(self._on_use_clicked)
        buttons = QHBoxLayout()
        buttons.addStretch(1)
        buttons.addWidget(cancel)
        buttons.addWidget(use)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(12)
        layout.addLayout(form)
        layout.addWidget(words)
        layout.addStretch(1)
        layout.addLayout(buttons)

    def _field(self, name: str, title: str, tip: str) -> QLineEdit:
        return named(QLineEdit(str(self._preferences.get(name)), self), f"certificate.{name}", title, tip)

    def _row(self, field: QLineEdit, name: str) -> QHBoxLayout:
        browse = text_button(
            f"certificate.browse_{name}", "Choose a file", "folder-open", "Choose a PEM file",
            lambda: self._browse(field), self, text=False,
        )  # fmt: skip
        row = QHBoxLayout()
        row.addWidget(field, 1)
        row.addWidget(browse)
        return row

    def _browse(self, field: QLineEdit) -> None:
        dialog = QFileDialog(self, "PEM file", field.text(), _FILTER)
        dialog.setObjectName("certificate.fileDialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(field.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_use_clicked(self) -> None:
        self._preferences.set("c2pa_certificate", self.certificate.text().strip())
        self._preferences.set("c2pa_key", self.key.text().strip())
        self.accept()
