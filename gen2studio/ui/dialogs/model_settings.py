"""Where models come from and where they go: folder, mirror, proxy, reuse, and the hub's token."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.core.errors import StudioError
from gen2studio.models.hub_settings import GIB, HUB
from gen2studio.ui.widgets.named import named, note

_TOKEN_WORDS = {
    "environment": "A token comes from HF_TOKEN in the environment.",
    "keyring": "A token lies in the keyring of this system.",
    "none": "No token is kept. Only gated models need one: make one in the hub's settings, Access Tokens.",
    "unavailable": "This system has no keyring that can be opened; start the program with HF_TOKEN set instead.",
}


class ModelSettingsDialog(QDialog):
    """In force for what is downloaded next, once saved."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("modelSettingsDialog")
        self.setWindowTitle("Settings of models")
        self.resize(620, 0)
        self._models = models
        now = models.settings()
        self.folder = self._field(
            "folder", "Folder", "Where downloads lie; empty for the program's own", now.models_folder
        )
        self.folder.setPlaceholderText(str(now.folder))
        self.reserve = named(
            QSpinBox(self), "modelSettings.reserve", "Keep free", "Space on that disk that downloads leave free"
        )
        self.reserve.setRange(0, 10_000)
        self.reserve.setSuffix(" GB")
        self.reserve.setValue(round(now.reserve / GIB))
        self.parallel = named(
            QSpinBox(self), "modelSettings.parallel", "At the same time", "Models that are fetched at the same time"
        )
        self.parallel.setRange(1, 4)
        self.parallel.setValue(now.parallel)
        self.endpoint = self._field(
            "endpoint", "Hub or mirror", "The hub, or a mirror that speaks its protocol", now.endpoint
        )
        self.endpoint.setPlaceholderText(HUB)
        self.proxy = self._field(
            "proxy", "Proxy", "Empty for the system's, “none” for no proxy, or http://host:port", now.proxy
        )
        self.proxy.setPlaceholderText("the system's")
        self.reuse = named(
            QCheckBox("Reuse what other programs fetched from the hub", self), "modelSettings.reuse",
            "Reuse the hub's cache", "Links or copies files of the hub's cache; its files are only read",
        )  # fmt: skip
        self.reuse.setChecked(now.reuse_hub_cache)
        self.cache = self._field(
            "cache", "Hub cache", "Where that cache lies; empty for its usual place", now.hub_cache
        )
        self.cache.setPlaceholderText(str(now.hub_cache_folder))
        self.comfyui = self._field(
            "comfyui", "ComfyUI folder", "Its models are reused and only read", ", ".join(now.comfyui_folders)
        )
        self.comfyui.setPlaceholderText("none")
        self.comfyui_found = note(self, "muted", "modelSettings.comfyuiFound")
        self.take_comfyui = self._push(
            "takeComfyui", "Add", "Add the ComfyUI folder that was found; downloads reuse its files", self._on_take
        )
        self._proposed: tuple[Path, ...] = ()
        self.comfyui.textChanged.connect(self._show_proposal)
        self.token = named(
            QLineEdit(self), "modelSettings.token", "Access token", "Kept in the keyring of this system, nowhere else"
        )
        self.token.setEchoMode(QLineEdit.EchoMode.Password)
        self.token.setPlaceholderText("hf_…")
        self.keep_token = self._push("keepToken", "Keep", "Put this token into the system's keyring", self._on_keep)
        self.forget_token = self._push("forgetToken", "Forget", "Take the token out of the keyring", self._on_forget)
        self.token_words = note(self, "muted", "modelSettings.tokenWords")
        self.problem = note(self, "error", "modelSettings.problem")
        self.problem.hide()
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignRight)
        form.setSpacing(8)
        form.addRow("Models folder", self._with_browse(self.folder, "browseFolder"))
        form.addRow("Keep free", self.reserve)
        form.addRow("At the same time", self.parallel)
        form.addRow("Hub or mirror", self.endpoint)
        form.addRow("Proxy", self.proxy)
        form.addRow("", self.reuse)
        form.addRow("Hub cache", self._with_browse(self.cache, "browseCache"))
        form.addRow("ComfyUI folder", self._with_browse(self.comfyui, "browseComfyui"))
        proposal = QHBoxLayout()
        proposal.addWidget(self.comfyui_found, 1)
        proposal.addWidget(self.take_comfyui)
        form.addRow("", proposal)
        self._show_proposal()
        row = QHBoxLayout()
        row.addWidget(self.token, 1)
        row.addWidget(self.keep_token)
        row.addWidget(self.forget_token)
        form.addRow("Access token", row)
        self.save = self._push("save", "Save", "In force for what is downloaded next (Return)", self._on_save)
        self.save.setDefault(True)
        self.save.setProperty("primary", True)
        leave = self._push("leave", "Cancel", "Change nothing (Esc)", self.reject)
        foot = QHBoxLayout()
        foot.addStretch(1)
        foot.addWidget(leave)
        foot.addWidget(self.save)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 14, 16, 14)
        layout.setSpacing(10)
        layout.addLayout(form)
        layout.addWidget(self.token_words)
        layout.addWidget(self.problem)
        layout.addLayout(foot)
        models.token_known.connect(self._on_token_known)
        models.ask_token()
        models.comfyui_known.connect(self._on_comfyui_known)
        models.ask_comfyui()

    def _field(self, name: str, title: str, tip: str, text: str) -> QLineEdit:
        field = named(QLineEdit(text, self), f"modelSettings.{name}", title, tip)
        field.setCursorPosition(0)
        return field

    def _push(self, name: str, text: str, tip: str, run: object) -> QPushButton:
        button = named(QPushButton(text, self), f"modelSettings.{name}", text, tip)
        button.setAutoDefault(False)
        button.clicked.connect(run)
        return button

    def _with_browse(self, field: QLineEdit, name: str) -> QHBoxLayout:
        row = QHBoxLayout()
        row.addWidget(field, 1)
        row.addWidget(self._push(name, "Choose…", "Choose a folder", lambda *_: self._browse(field)))
        return row

    def _browse(self, field: QLineEdit) -> None:
        dialog = QFileDialog(self, "Choose a folder", field.text() or field.placeholderText())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(field.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_comfyui_known(self, folders: tuple[Path, ...]) -> None:
        self._proposed = folders
        self._show_proposal()

    def _comfyui_folders(self) -> tuple[str, ...]:
        # A comma parts two folders where another whole path begins after it: folders may have commas in their names.
        parts = re.split(r",\s*(?=[/~\\]|[A-Za-z]:)", self.comfyui.text())
        return tuple(part.strip() for part in parts if part.strip())

    def _not_named(self) -> tuple[Path, ...]:
        """What was found and is not in the field: neither the models folder nor the ComfyUI folder that holds it."""
        named_here = {Path(folder).expanduser() for folder in self._comfyui_folders()}
        return tuple(path for path in self._proposed if named_here.isdisjoint((path, path.parent, path.parent.parent)))

    def _show_proposal(self, *_changed: object) -> None:
        left = self._not_named()
        self.comfyui_found.setText(f"Found: {', '.join(str(path) for path in left)}")
        for widget in (self.comfyui_found, self.take_comfyui):
            widget.setVisible(bool(left))

    def _on_take(self, *_checked: object) -> None:
        self.comfyui.setText(", ".join([*self._comfyui_folders(), *(str(path) for path in self._not_named())]))

    def _on_token_known(self, place: str) -> None:
        self.token_words.setText(_TOKEN_WORDS[place])
        self.keep_token.setEnabled(place in ("none", "keyring"))
        self.forget_token.setEnabled(place == "keyring")

    def _on_keep(self, *_checked: object) -> None:
        if self.token.text().strip():
            self._models.set_token(self.token.text())
            self.token.clear()

    def _on_forget(self, *_checked: object) -> None:
        self._models.set_token("")

    def _on_save(self, *_checked: object) -> None:
        now = self._models.settings()
        settings = replace(
            now,
            models_folder=self.folder.text().strip(),
            # What was set to the megabyte elsewhere stays so while nobody turns it here.
            reserve=now.reserve if self.reserve.value() == round(now.reserve / GIB) else self.reserve.value() * GIB,
            parallel=self.parallel.value(),
            endpoint=self.endpoint.text().strip() or HUB,
            proxy=self.proxy.text().strip(),
            reuse_hub_cache=self.reuse.isChecked(),
            hub_cache=self.cache.text().strip(),
            comfyui_folders=self._comfyui_folders(),
        )
        try:
            self._models.save_settings(settings)
        except StudioError as error:
            self.problem.setText(str(error))
            self.problem.show()
            return
        self.accept()
