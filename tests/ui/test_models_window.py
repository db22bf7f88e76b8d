"""The window of models: terms first, downloads that pause and go on, wrong bytes refused, verified and deleted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMessageBox, QPlainTextEdit, QPushButton
from pytestqt.qtbot import QtBot

from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.download_values import DownloadState
from gen2studio.models.downloads import Downloads
from gen2studio.models.hub_settings import HubSettings
from gen2studio.ui.dialogs.model_licence import LicenceDialog
from gen2studio.ui.dialogs.model_settings import ModelSettingsDialog
from gen2studio.ui.dialogs.model_words import badge, room_words
from tests.fakes.hub_server import HubServer
from tests.models.folder import write_checkpoint, write_weights
from tests.ui.models_desk import BARE, SIZE, Desk

WEIGHTS = "model.safetensors"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without ComfyUI."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


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
    desk.choose("big")
    desk.qtbot.keyClicks(window.list.search, "nothing like it")
    assert shown() == [] and window.list.nothing.isVisible() and not window.list.view.isVisible()
    # Nothing is shown of a model that is not in the list any more.
    assert not window.details.isVisible() and window.list.current == ""
    window.list.search.clear()
    assert window.details.isVisible() and window.details.shown == window.list.current == "mini"


def test_the_list_is_ordered_as_the_artist_likes(desk: Desk) -> None:
    order = desk.window.list.order
    for text, found in (
        ("By name", ["Base", "Big", "Few steps", "Mini", "Own terms"]),
        ("By size", ["Base", "Mini", "Few steps", "Own terms", "Big"]),
        ("Best first", ["Mini", "Base", "Few steps", "Own terms", "Big"]),
    ):
        desk.choose("base")
        order.setCurrentText(text)
        order.activated.emit(order.currentIndex())
        assert shown_rows(desk) == found
        assert desk.window.list.current == desk.window.details.shown == "base"


def test_a_model_is_got_by_keyboard_alone(desk: Desk) -> None:
    window, qtbot = desk.window, desk.qtbot
    window.activateWindow()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is window.list.search)
    first = desk.button("models.get.base")
    qtbot.keyClick(window.list.search, Qt.Key.Key_Backtab)
    assert QApplication.focusWidget() is first
    found = []
    while QApplication.focusWidget() is not window.list.view:
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        found.append(QApplication.focusWidget().objectName())
    assert found == [f"models.{name}" for name in ("search", "order", "mode", "kind", "block", "list")]
    qtbot.keyClick(window.list.view, Qt.Key.Key_Down)
    assert window.details.shown == "base"
    qtbot.keyClick(window.list.view, Qt.Key.Key_Return)
    dialog = desk.terms()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is dialog.accept_button)
    qtbot.keyClick(dialog.accept_button, Qt.Key.Key_Return)
    desk.wait_here("base")
    # What is here is not got again.
    qtbot.keyClick(window.list.view, Qt.Key.Key_Return)
    assert desk.models.row("base").download is None  # type: ignore[union-attr]
    assert not any(found.isVisible() for found in window.findChildren(LicenceDialog))


def test_the_window_fits_a_small_screen(desk: Desk) -> None:
    for row in desk.models.rows():
        desk.choose(row.id)
        smallest = desk.window.minimumSizeHint()
        assert smallest.width() <= 1000 and smallest.height() <= 700, row.id


def test_what_is_asked_of_downloads_is_done_in_its_order_and_off_the_windows_thread(desk: Desk) -> None:
    """Orders are files: writing one may take longer than a frame."""
    asked: list[tuple[str, bool]] = []
    may_resume = threading.Event()

    class Slow(Downloads):
        def resume(self, entry_id: str) -> None:
            may_resume.wait()
            self._noted("resume")

        def pause(self, entry_id: str) -> None:
            self._noted("pause")

        def cancel(self, entry_id: str) -> None:
            self._noted("cancel")

        def _noted(self, what: str) -> None:
            asked.append((what, threading.current_thread() is threading.main_thread()))

    services = desk.models._services
    assert services is not None
    desk.models._services = replace(services, downloads=Slow())
    desk.models.resume("base")
    desk.models.pause("base")
    desk.models.cancel("base")
    may_resume.set()
    desk.qtbot.waitUntil(lambda: len(asked) == 3, timeout=20_000)
    desk.models._services = services
    assert asked == [("resume", False), ("pause", False), ("cancel", False)]


def shown_rows(desk: Desk) -> list[str]:
    rows = desk.window.list.filter
    return [rows.index(at, 0).data() for at in range(rows.rowCount())]


def cached(cache: Path) -> Path:
    """A whole model in the hub's cache, whose files are links as the hub's are; its snapshot."""
    repository = cache / "models--lab--tiny-model"
    source = write_checkpoint(cache.parent / "source")
    snapshot = repository / "snapshots" / ("a" * 40)
    for number, path in enumerate(sorted(path for path in source.rglob("*") if path.is_file())):
        link, blob = snapshot / path.relative_to(source), repository / "blobs" / str(number)
        for folder in (link.parent, blob.parent):
            folder.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(path.read_bytes())
        link.symlink_to(blob)
    return snapshot


def test_what_other_programs_keep_is_found_and_used_where_it_lies(
    hub: HubServer, qtbot: QtBot, home: Path, tmp_path: Path
) -> None:
    snapshot = cached(tmp_path / "cache")
    comfyui = home / "ComfyUI" / "models"
    write_weights(comfyui / "vae" / "wan.safetensors", {"decoder.conv1.weight": (384, 16, 3, 3, 3)})
    write_weights(comfyui / "unet" / "flux.safetensors", {"double_blocks.0.img_attn.qkv.weight": (96, 32)})
    write_weights(comfyui / "unet" / "large.safetensors", {"patch_embedding.weight": (5120, 16, 1, 2, 2)})
    names = ("double_blocks.0.img_attn.qkv.lora_A.weight", "double_blocks.0.img_attn.qkv.lora_B.weight")
    write_weights(comfyui / "loras" / "ink.safetensors", {names[0]: (4, 32), names[1]: (96, 4)})
    desk = Desk(hub, qtbot, cache=tmp_path / "cache")
    window, use = desk.window, desk.button("models.use")
    qtbot.waitUntil(desk.button("models.showFound").isVisible, timeout=20_000)
    assert desk.button("models.showFound").text().strip() == "5 found on this machine"
    assert "lab/tiny-model" not in shown_rows(desk)
    desk.click(desk.button("models.showFound"))
    assert not desk.button("models.showFound").isVisible()
    lora, flux = "LoRA adapter for FLUX or HunyuanVideo", "FLUX transformer"
    vae, model, large = "Wan 2.1 VAE", "lab/tiny-model", "Wan text-to-video 14B transformer"
    assert sorted(shown_rows(desk)) == sorted([lora, flux, vae, model, large])
    # A part is nothing by itself: no button that could only refuse.
    desk.choose(f"found:{comfyui / 'vae' / 'wan.safetensors'}")
    assert not use.isVisible() and "part of models" in window.details.reason.text()
    # Nor is what nothing here runs: it says so before anybody tries.
    desk.choose(f"found:{comfyui / 'unet' / 'flux.safetensors'}")
    assert not use.isVisible() and "a FLUX transformer" in window.details.reason.text()
    # What turns out not to be usable says why, and stays.
    desk.choose(f"found:{comfyui / 'unet' / 'large.safetensors'}")
    desk.click(use)
    qtbot.waitUntil(lambda: any(severity == "error" for severity, _ in desk.told), timeout=20_000)
    qtbot.waitUntil(lambda: window.details.line.property("role") == "error")
    assert use.isVisible() and window.details.line.text() == desk.told[-1][1]
    assert large in shown_rows(desk) and not desk.models.works
    desk.choose(f"found:{comfyui / 'loras' / 'ink.safetensors'}")
    desk.click(use)
    qtbot.waitUntil(lambda: lora not in shown_rows(desk), timeout=20_000)
    assert len(AdapterLibrary().adapters()) == 1 and (comfyui / "loras" / "ink.safetensors").is_file()
    desk.choose(f"found:{snapshot}")
    assert str(snapshot) in window.details.page.toPlainText()
    desk.click(use)
    qtbot.waitUntil(lambda: model not in shown_rows(desk), timeout=20_000)
    added = [found for found in desk.library.models() if not found.built_in]
    assert [found.folder for found in added] == [snapshot]
    # It is among the models now, and a new search does not find it again.
    qtbot.waitUntil(lambda: desk.models.row(added[0].id) is not None, timeout=20_000)
    desk.models.search_machine()
    qtbot.waitUntil(lambda: not desk.models.searching, timeout=20_000)
    assert sorted(shown_rows(desk)) == sorted([lora, flux, vae, large])
    desk.close()


def test_the_window_works_while_the_machine_is_searched(hub: HubServer, qtbot: QtBot) -> None:
    desk = Desk(hub, qtbot, searching=False)
    qtbot.waitUntil(lambda: desk.models.searching)
    block, nothing = desk.window.list.block, desk.window.list.nothing
    desk.choose("base")
    assert desk.button("models.get").isEnabled() and not desk.button("models.showFound").isVisible()
    block.setCurrentText("Found here")
    block.activated.emit(block.currentIndex())
    assert nothing.isVisible() and nothing.title.text() == "Looking at this machine"
    desk.may_search.set()
    qtbot.waitUntil(lambda: nothing.title.text() == "Nothing found on this machine", timeout=20_000)
    assert nothing.isVisible() and not desk.button("models.use").isVisible()
    desk.close()


def test_a_comfyui_folder_is_proposed_and_not_taken_unasked(desk: Desk, home: Path) -> None:
    for name in ("vae", "loras"):
        (home / "ComfyUI" / "models" / name).mkdir(parents=True)
    desk.click(desk.button("models.settings"))
    dialog = desk.dialog(ModelSettingsDialog)
    assert isinstance(dialog, ModelSettingsDialog)
    desk.qtbot.waitUntil(dialog.take_comfyui.isVisible, timeout=20_000)
    folder = str((home / "ComfyUI" / "models").resolve())
    assert dialog.comfyui_found.text() == f"Found: {folder}" and dialog.comfyui.text() == ""
    desk.click(dialog.take_comfyui)
    assert dialog.comfyui.text() == folder and not dialog.take_comfyui.isVisible()
    dialog.comfyui.setText(str(home / "ComfyUI"))
    assert not dialog.take_comfyui.isVisible()
    desk.click(dialog.save)
    desk.qtbot.waitUntil(lambda: not dialog.isVisible())
    assert desk.models.settings().comfyui_folders == (str(home / "ComfyUI"),)


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


def test_a_disk_without_room_is_told_before_anybody_asks(desk: Desk) -> None:
    row = desk.models.row("base")
    assert row is not None
    assert room_words(row, SIZE) == "" and room_words(row, None) == ""
    assert room_words(row, SIZE - 1) == "It is 400 KB to download, and 400 KB are free on that disk."
    desk.choose("base")
    assert not desk.window.details.room.isVisible()
    desk.models._free = 1000
    desk.models.rows_changed.emit()
    assert desk.window.details.room.isVisible() and "1 KB are free" in desk.window.details.room.text()


def test_without_a_gpu_the_window_says_so(hub: HubServer, qtbot: QtBot) -> None:
    desk = Desk(hub, qtbot, BARE)
    assert desk.window.machine.full_text.startswith("2 processor cores, no GPU, 16 GB of memory free")
    desk.choose("base")
    assert desk.window.details.reason.text() == "It needs a GPU with at least 6 GB, and this machine has none."
    desk.close()


def test_settings_are_kept_and_wrong_ones_refused(desk: Desk, tmp_path: Path) -> None:
    services = desk.models._services
    assert services is not None
    services.settings.save(replace(desk.models.settings(), reserve=1_500_000_000))
    desk.click(desk.button("models.settings"))
    dialog = desk.dialog(ModelSettingsDialog)
    assert isinstance(dialog, ModelSettingsDialog)
    dialog.proxy.setText("socks5://127.0.0.1:9")
    desk.click(dialog.save)
    assert dialog.isVisible() and "SOCKS" in dialog.problem.text()
    dialog.proxy.setText("none")
    dialog.folder.setText(str(tmp_path / "models"))
    folders = (str(tmp_path / "Old, and new"), str(tmp_path / "ComfyUI"))
    dialog.comfyui.setText(", ".join(folders))
    desk.click(dialog.save)
    desk.qtbot.waitUntil(lambda: not dialog.isVisible())
    assert desk.models.folder == tmp_path / "models"
    assert desk.models.settings().comfyui_folders == folders
    # Nobody turned it: it is not rounded to whole gigabytes.
    assert desk.models.settings().reserve == 1_500_000_000
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
