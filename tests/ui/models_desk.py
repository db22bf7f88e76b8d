"""The window of models over a real hub on this machine, with small entries and a machine of the test's choice."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QDialog, QMessageBox, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.app.model_rows import ListedModel, ModelServices
from gen2studio.core.cancel import CancelToken
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.adding import Added, add_path
from gen2studio.models.catalog import Catalog
from gen2studio.models.catalog_entries import CatalogEntry, Licence, MemoryTier
from gen2studio.models.catalog_reading import LineUp, Pick
from gen2studio.models.downloads import Downloads
from gen2studio.models.elsewhere import find_comfyui
from gen2studio.models.fitting import GIB, MachineFacts
from gen2studio.models.library import ModelLibrary
from gen2studio.models.mask_models import MaskModelLibrary
from gen2studio.models.offers import Offer, offers
from gen2studio.models.storage import ModelStore
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_licence import LicenceDialog
from gen2studio.ui.dialogs.model_window import ModelWindow
from tests.fakes.hub_server import HubServer
from tests.models.hub_entries import QUICK, entry, settings_for, weights

TERMS = Licence(
    id="Lab", title="Lab terms", text="", source_path="LICENSE", commercial="limited", conditions=("Only for labs.",)
)
EIGHT = MachineFacts(device="cuda", name="A card", gpu_bytes=8 * GIB, memory_bytes=32 * 10**9)
BARE = MachineFacts(device="cpu", name="2 processor cores", memory_bytes=16 * 10**9, gigaflops=100)
SIZE = 400_000
"""Bytes of the weights of each entry."""


def tier(gigabytes: float, how: str = "whole") -> MemoryTier:
    return MemoryTier(gpu_gb=gigabytes, how=how, source="computed")


def entries() -> tuple[CatalogEntry, ...]:
    """A model, an adapter that needs it, one with its own terms, one that is too big."""
    weight = "model.safetensors"
    base = entry("base", "lab/base", weight, title="Base", kind="shared", summary="The base.", modes=("text",))
    few = entry(
        "few", "lab/few", weight, title="Few steps", kind="adapter", summary="In four.", needs=("base",),
        fits_with=("base",),
    )  # fmt: skip
    own = entry("own", "lab/own", weight, title="Own terms", kind="shared", summary="Ours.", opt_in=True)
    big = entry("big", "lab/big", weight, title="Big", kind="model", summary="Large.", modes=("mask",))
    return (
        replace(base, memory=(tier(6),), few_step=("few",), download_bytes=SIZE),
        few,
        replace(own, licence=TERMS, memory=(tier(0),)),
        replace(big, memory=(tier(80),)),
    )


class Desk:
    """A hub, the services and the window."""

    def __init__(
        self, hub: HubServer, qtbot: QtBot, machine: MachineFacts = EIGHT, *, cache: Path | None = None,
        searching: bool = True,
    ) -> None:  # fmt: skip
        """``cache`` is the hub's on this machine; without ``searching`` a search waits for :attr:`may_search`."""
        theme.apply(QApplication.instance())  # type: ignore[arg-type]
        self.hub, self.qtbot, self.machine = hub, qtbot, machine
        for found in entries():
            hub.put(found.repo, "model.safetensors", weights(SIZE), large=True)
        hub.put("lab/own", "LICENSE", b"Lab terms: be kind.\n")
        self.parent = QWidget()
        self.renewed = 0
        self.refusal = ""
        self.library = ModelLibrary()
        self.cache = cache
        self.may_search = threading.Event()
        if searching:
            self.may_search.set()
        self.models = ModelDownloads(self._services)
        self.told: list[tuple[str, str]] = []
        self.models.told.connect(lambda severity, sentence: self.told.append((severity, sentence)))
        self.window = ModelWindow(self.models, self.parent)
        self.window.show()
        qtbot.waitUntil(lambda: self.models.is_open and bool(self.window.list.current), timeout=20_000)

    def _services(self) -> ModelServices:
        reuse = {"reuse_hub_cache": True, "hub_cache": str(self.cache)} if self.cache is not None else {}
        settings = settings_for(self.hub, **reuse)
        store = ModelStore(settings)

        def found(cancel: CancelToken) -> tuple[Offer, ...]:
            self.may_search.wait()
            return offers(settings.load(), (), cancel)

        catalog = Catalog(
            entries=entries(),
            line_up=(
                LineUp(
                    gpu_gb=0, title="Small",
                    picks=(Pick(entry="base", extras=("few",), modes=("text",), why="It is the base."),),
                ),
            ),
        )  # fmt: skip
        return ModelServices(
            catalog=catalog, downloads=Downloads(store, settings, token=lambda: "", patience=QUICK), store=store,
            settings=settings, machine=lambda: self.machine, held=lambda _id: "", listed=self._listed,
            refusal=lambda _stored: self.refusal, add=self._add, remove=self.library.remove, renew=self._renew,
            token_place=lambda: "none", set_token=lambda _token: None, found=found,
            comfyui=find_comfyui,
        )  # fmt: skip

    def _renew(self) -> None:
        self.renewed += 1

    def _listed(self) -> tuple[ListedModel, ...]:
        added = (
            ListedModel(id=model.id, title=model.title, place=model.transformer_file or model.folder)
            for model in self.library.models()
            if not model.built_in
        )
        return (ListedModel(id="mini", title="Mini", place=Path("/nowhere"), built_in=True), *added)

    def _add(self, path: Path) -> Added:
        return add_path(path, self.library, MaskModelLibrary(), AdapterLibrary())

    # -- what an artist does -----------------------------------------------------------------------------------------

    def button(self, name: str) -> QAbstractButton:
        found = self.window.findChild(QAbstractButton, name)
        assert found is not None, name
        return found

    def click(self, button: QAbstractButton) -> None:
        assert button.isEnabled() and button.isVisible(), button.objectName()
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def choose(self, row_id: str) -> None:
        """Click the row in the list."""
        shown = self.window.list
        view, index = shown.view, shown.filter.mapFromSource(shown.rows.index_of(row_id))
        view.scrollTo(index)
        self.qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
        assert self.window.details.shown == row_id

    def dialog(self, kind: type[QDialog], name: str = "") -> QDialog:
        """The dialog that opens over the window; waits for it."""
        self.qtbot.waitUntil(lambda: self._open(kind, name) is not None, timeout=20_000)
        found = self._open(kind, name)
        assert found is not None
        return found

    def _open(self, kind: type[QDialog], name: str) -> QDialog | None:
        shown = (found for found in self.window.findChildren(kind) if found.isVisible())
        return next((found for found in shown if name in ("", found.objectName())), None)

    def terms(self) -> LicenceDialog:
        """The dialog with the terms that a click on Get brings."""
        found = self.dialog(LicenceDialog)
        assert isinstance(found, LicenceDialog)
        return found

    def get(self, row_id: str) -> None:
        """Choose a row, get it, accept its terms."""
        self.choose(row_id)
        self.click(self.button("models.get"))
        self.click(self.terms().accept_button)

    def wait_here(self, *row_ids: str) -> None:
        self.qtbot.waitUntil(lambda: all(self.models.is_here(name) for name in row_ids), timeout=20_000)

    def answer(self, name: str, text: str) -> None:
        """Press a button of the message box that opens."""
        box = self.dialog(QMessageBox, name)
        assert isinstance(box, QMessageBox)
        self.click(next(button for button in box.buttons() if button.text().replace("&", "") == text))

    def close(self) -> None:
        self.hub.release()
        self.may_search.set()
        self.models.shutdown()
        self.window.close()
        for widget in (self.window, self.parent):
            widget.deleteLater()
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        assert isinstance(self.models, QObject)
        self.models.deleteLater()
