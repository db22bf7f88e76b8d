"""The window of models: terms first, downloads that pause and go on, wrong bytes refused, verified and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QLineEdit, QMessageBox, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from gen2studio.models.download_values import DownloadState
from gen2studio.models.hub_settings import HubSettings
from gen2studio.ui.dialogs.model_settings import ModelSettingsDialog
from gen2studio.ui.dialogs.model_words import badge
from tests.fakes.hub_server import HubServer
from tests.ui.models_desk import BARE, SIZE, Desk

WEIGHTS = "model.safetensors"


@pytest.fixture
def hub() -> Iterator[HubServer]:
    with HubServer() as server:
        yield server


@pytest.fixture
def desk(hub: HubServer, qtbot: QtBot) -> Iterator[Desk]:
    made = Desk(hub, qtbot)
    yield made
    made.close()


def files(desk: Desk) -> list[Path]:
    folder = desk.models.folder
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def test_nothing_is_fetched_before_the_terms_are_accepted(desk: Desk) -> None:
    desk.choose("own")
    desk.click(desk.button("models.get"))
    dialog = desk.terms()
    assert dialog.tabs.count() == 1 and dialog.tabs.tabText(0) == "Lab terms"
    text = dialog.findChild(QPlainTextEdit, "modelLicence.text")
    assert text is not None and text.toPlainText() == "Lab terms: be kind.\n"
    assert any("Only for labs." in label.text() for label in dialog.findChildren(QLabel))
    assert dialog.amount.text().startswith("400 KB to download")
    desk.qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    desk.qtbot.waitUntil(lambda: not dialog.isVisible())
    assert desk.hub.seen(f"/cdn/lab/own/{WEIGHTS}") == []
    assert files(desk) == [] and desk.models.row("own").download is None  # type: ignore[union-attr]


def test_three_clicks_from_an_empty_machine_to_a_running_download(desk: Desk) -> None:
    """The first click opens the window; here it is open."""
    desk.hub.hold(WEIGHTS, after=SIZE // 2)
    desk.click(desk.button("models.get.base"))
    dialog = desk.terms()
    # The pick brings its adapter along.
    assert [plan.entry.id for plan in dialog.plans.plans] == ["base", "few"]
    desk.click(dialog.accept_button)
    desk.qtbot.waitUntil(desk.hub.held.is_set, timeout=20_000)
    desk.qtbot.waitUntil(lambda: bool(desk.models.active))
    desk.hub.release()
    desk.wait_here("base", "few")
    desk.qtbot.waitUntil(lambda: desk.button("models.get.base").text() == "Show")
    assert desk.renewed > 0


def test_a_download_is_paused_and_goes_on_where_it_was(desk: Desk) -> None:
    desk.hub.hold(WEIGHTS, after=SIZE // 2)
    desk.get("base")
    desk.qtbot.waitUntil(desk.hub.held.is_set, timeout=20_000)
    desk.qtbot.waitUntil(desk.button("models.pause").isVisible)
    desk.click(desk.button("models.pause"))
    desk.hub.release()
    desk.qtbot.waitUntil(desk.button("models.resume").isVisible, timeout=20_000)
    row = desk.models.row("base")
    assert row is not None and row.download is not None and row.download.state is DownloadState.PAUSED
    desk.click(desk.button("models.resume"))
    desk.wait_here("base")
    ranges = [request.range for request in desk.hub.seen(f"/cdn/lab/base/{WEIGHTS}")]
    assert len(ranges) == 2 and ranges[0] == "" and ranges[1].startswith("bytes=")
    desk.qtbot.waitUntil(desk.button("models.verify").isVisible)
    assert not desk.button("models.get").isVisible()


def test_a_cancelled_download_leaves_nothing(desk: Desk) -> None:
    desk.hub.hold(WEIGHTS, after=SIZE // 2)
    desk.get("base")
    desk.qtbot.waitUntil(desk.hub.held.is_set, timeout=20_000)
    desk.qtbot.waitUntil(desk.button("models.cancel").isVisible)
    desk.click(desk.button("models.cancel"))
    desk.hub.release()
    desk.qtbot.waitUntil(desk.button("models.get").isVisible, timeout=20_000)
    desk.qtbot.waitUntil(lambda: files(desk) == [])


def test_wrong_bytes_are_refused_in_one_sentence(desk: Desk) -> None:
    desk.hub.corrupt(WEIGHTS, times=20)
    desk.get("base")
    desk.qtbot.waitUntil(lambda: any(severity == "error" for severity, _ in desk.told), timeout=20_000)
    sentence = next(sentence for severity, sentence in desk.told if severity == "error")
    assert sentence.startswith("Base: ") and "SHA-256" in sentence
    row = desk.models.row("base")
    assert row is not None and row.download is not None and row.download.state is DownloadState.FAILED
    assert not desk.models.is_here("base")
    desk.qtbot.waitUntil(lambda: desk.window.details.line.property("role") == "error")
    assert desk.button("models.resume").isVisible() and desk.button("models.cancel").isVisible()


def test_a_refusal_of_the_hub_is_said_with_what_to_do(desk: Desk) -> None:
    desk.hub.repository("lab/base").gated = True
    desk.choose("base")
    desk.click(desk.button("models.get"))
    box = desk.dialog(QMessageBox, "modelPlanFailed")
    assert isinstance(box, QMessageBox)
    texts = [button.text().replace("&", "") for button in box.buttons()]
    assert "Open the model's page" in texts and "Settings…" in texts
    assert desk.button("models.get").isEnabled()
    desk.qtbot.keyClick(box, Qt.Key.Key_Escape)
    desk.qtbot.waitUntil(lambda: not box.isVisible())


def test_what_is_here_is_verified_and_a_change_is_found(desk: Desk) -> None:
    desk.get("base")
    desk.wait_here("base")
    desk.qtbot.waitUntil(desk.button("models.verify").isVisible)
    desk.click(desk.button("models.verify"))
    desk.qtbot.waitUntil(lambda: any("is whole" in sentence for _, sentence in desk.told), timeout=20_000)
    path = next(path for path in files(desk) if path.name == WEIGHTS)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    desk.qtbot.waitUntil(desk.button("models.verify").isVisible)
    desk.click(desk.button("models.verify"))
    desk.qtbot.waitUntil(lambda: any("changed" in sentence for _, sentence in desk.told), timeout=20_000)


def test_what_is_whole_and_can_not_be_used_says_why(desk: Desk) -> None:
    desk.refusal = "This model says that it is of a family that this Gen2 Studio does not know."
    desk.get("base")
    desk.wait_here("base")
    line = desk.window.details.line
    desk.qtbot.waitUntil(lambda: line.text() == desk.refusal)
    assert line.isVisible() and line.property("role") == "error"
    row = desk.models.row("base")
    assert row is not None and badge(row) == ("Problem", "danger")
    # Whole as it is, it can still be verified and deleted.
    assert desk.button("models.verify").isVisible() and desk.button("models.delete").isVisible()


def test_deleting_tells_first_what_it_frees(desk: Desk) -> None:
    desk.get("base")
    desk.wait_here("base")
    desk.qtbot.waitUntil(desk.button("models.delete").isVisible)
    desk.click(desk.button("models.delete"))
    desk.answer("modelDelete", "Cancel")
    assert desk.models.is_here("base")
    desk.click(desk.button("models.delete"))
    desk.answer("modelDelete", "Delete")
    desk.qtbot.waitUntil(lambda: not desk.models.is_here("base"), timeout=20_000)
    desk.qtbot.waitUntil(desk.button("models.get").isVisible)
    assert [path for path in files(desk) if path.name == WEIGHTS] == []
    assert any("is deleted" in sentence for _, sentence in desk.told)


def test_the_list_is_searched_and_filtered(desk: Desk) -> None:
    window = desk.window

    def shown() -> list[str]:
        rows = window.list.filter
        return [rows.index(at, 0).data() for at in range(rows.rowCount())]

    assert shown() == ["Mini", "Base", "Few steps", "Own terms", "Big"]
    desk.qtbot.keyClicks(window.list.search, "four")
    assert shown() == ["Few steps"]
    window.list.search.clear()
    for box, text, found in (
        (window.list.mode, "Mask", ["Big"]),
        (window.list.kind, "Few-step adapter", ["Few steps"]),
        (window.list.block, "Own terms", ["Own terms"]),
        (window.list.block, "Installed", ["Mini"]),
        (window.list.block, "Runs here", ["Mini", "Base", "Few steps", "Own terms"]),
    ):
        box.setCurrentText(text)
        box.activated.emit(box.currentIndex())
        assert shown() == found
        box.setCurrentIndex(0)
        box.activated.emit(0)
    desk.qtbot.keyClicks(window.list.search, "nothing like it")
    assert shown() == [] and window.list.nothing.isVisible() and not window.list.view.isVisible()


def test_details_say_whether_and_why(desk: Desk) -> None:
    desk.choose("big")
    details = desk.window.details
    assert "Does not fit" in details.light.text()
    assert details.reason.text() == "It needs a GPU with at least 80 GB, and this one has 8 GB."
    assert desk.button("models.get").property("primary") is False
    desk.click(desk.button("models.get"))
    dialog = desk.terms()
    assert dialog.unfit.text() == "Does not fit: it needs a GPU with at least 80 GB, and this one has 8 GB."
    assert dialog.unfit.isVisible()
    desk.qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    desk.choose("base")
    assert desk.button("models.get").property("primary") is True
    assert "Runs well" in details.light.text() and details.reason.text() == "Whole."
    page = details.page.toPlainText()
    assert "Apache License 2.0 · Commercial use allowed" in page
    assert "Few steps" in page and "lab/base" in page
    # A relative is one click away.
    details.page.anchorClicked.emit("entry:few")
    assert details.shown == "few" and desk.window.list.current == "few"


def test_without_a_gpu_the_window_says_so(hub: HubServer, qtbot: QtBot) -> None:
    desk = Desk(hub, qtbot, BARE)
    assert desk.window.machine.full_text.startswith("2 processor cores, no GPU, 16 GB of memory free")
    desk.choose("base")
    assert desk.window.details.reason.text() == "It needs a GPU with at least 6 GB, and this machine has none."
    desk.close()


def test_settings_are_kept_and_wrong_ones_refused(desk: Desk, tmp_path: Path) -> None:
    desk.click(desk.button("models.settings"))
    dialog = desk.dialog(ModelSettingsDialog)
    assert isinstance(dialog, ModelSettingsDialog)
    dialog.proxy.setText("socks5://127.0.0.1:9")
    desk.click(dialog.save)
    assert dialog.isVisible() and "SOCKS" in dialog.problem.text()
    dialog.proxy.setText("none")
    dialog.folder.setText(str(tmp_path / "models"))
    desk.click(dialog.save)
    desk.qtbot.waitUntil(lambda: not dialog.isVisible())
    assert desk.models.folder == tmp_path / "models"
    assert desk.models.settings() != HubSettings()


def test_every_control_has_a_name(desk: Desk) -> None:
    desk.click(desk.button("models.settings"))
    dialog = desk.dialog(ModelSettingsDialog)
    for root in (desk.window, dialog):
        for widget in [*root.findChildren(QPushButton), *root.findChildren(QLineEdit)]:
            assert widget.objectName(), widget
            assert widget.accessibleName() or widget.objectName().startswith("qt_"), widget.objectName()
            assert widget.toolTip() or widget.objectName().startswith("qt_"), widget.objectName()
    dialog.close()
