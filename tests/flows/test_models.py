"""From an empty machine to a model in the generate panel, in the real window with a real server; and gone again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QMessageBox
from pytestqt.qtbot import QtBot

from gen2studio.core.paths import data_dir
from gen2studio.ui.dialogs.model_licence import LicenceDialog
from gen2studio.ui.dialogs.model_window import ModelWindow
from gen2studio.ui.main_window import MainWindow
from tests.fakes.hub_server import HubServer
from tests.models.folder import write_checkpoint
from tests.models.hub_entries import settings_for

OWN = """version = 1
[[model]]
id = "lab-vace"
title = "Lab VACE"
kind = "model"
family = "wan-vace"
repo = "lab/vace"
licence = "apache-2-0"
summary = "Restyles footage of the lab."
modes = ["stylize", "text"]
patterns = ["model_index.json", "*/*.json", "*/*.safetensors"]
"""


@pytest.fixture
def hub(tmp_path: Path, isolated_home: Path) -> Iterator[HubServer]:
    """A hub with a small whole checkpoint, which a catalog file of the artist's names."""
    folder = write_checkpoint(tmp_path / "vace")
    with HubServer() as server:
        for path in folder.rglob("*"):
            if path.is_file():
                server.put("lab/vace", path.relative_to(folder).as_posix(), path.read_bytes())
        settings_for(server)
        (data_dir() / "catalog").mkdir()
        (data_dir() / "catalog" / "lab.toml").write_text(OWN, encoding="utf-8")
        yield server


def test_a_model_is_got_used_and_deleted(hub: HubServer, window: MainWindow, qtbot: QtBot) -> None:
    def titles() -> list[str]:
        box = window.generate.generator.box
        return [box.itemText(at) for at in range(box.count())]

    def click(button: QAbstractButton | None) -> None:
        assert button is not None and button.isEnabled() and button.isVisible()
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    window.raise_dock("generate")
    assert not any("WanVACEPipeline" in title or "vace" in title.lower() for title in titles())
    click(window.generate.generator.models)
    models = window.findChild(ModelWindow)
    assert models is not None
    qtbot.waitUntil(lambda: models.list.rows.rowCount() > 0, timeout=30_000)
    # It opened on what serves the panel's mode.
    assert models.list.mode.currentData() == window.studio.generation.look.mode.value
    models.list.choose("lab-vace")
    assert models.details.title.text() == "Lab VACE"
    click(models.details.buttons["get"])
    qtbot.waitUntil(lambda: models.findChild(LicenceDialog) is not None, timeout=30_000)
    dialog = models.findChild(LicenceDialog)
    assert dialog is not None and "Apache License" in dialog.tabs.tabText(0)
    click(dialog.accept_button)
    qtbot.waitUntil(lambda: window.studio.models.is_here("lab-vace"), timeout=60_000)
    stored = window.studio.models.row("lab-vace")
    assert stored is not None and stored.stored is not None and stored.stored.registered.startswith("model:")
    installed = stored.stored.registered.partition(":")[2]
    # At once in the panel, and the window tells how its files would be held here.
    qtbot.waitUntil(lambda: window.generate.generator.box.findData(installed) >= 0)
    assert window.studio.registry.serving("stylize")
    qtbot.waitUntil(lambda: "Held on" in models.details.reason.text())
    click(models.details.buttons["delete"])
    qtbot.waitUntil(lambda: models.findChild(QMessageBox, "modelDelete") is not None, timeout=30_000)
    box = models.findChild(QMessageBox, "modelDelete")
    assert box is not None
    click(next(button for button in box.buttons() if button.text().replace("&", "") == "Delete"))
    qtbot.waitUntil(lambda: window.generate.generator.box.findData(installed) < 0, timeout=30_000)
    assert not window.studio.models.is_here("lab-vace")
    assert not stored.stored.folder.exists()
    models.close()
