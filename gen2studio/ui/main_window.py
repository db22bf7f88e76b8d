"""The window: docks around the viewer, the menu bar, and what the program's own commands do."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray, QSize, Qt, QTimer
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QKeyEvent, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QDockWidget, QLabel, QMainWindow, QMessageBox, QTabWidget, QWidget

from gen2studio.app.action_table import all_actions
from gen2studio.app.motion_brush import MotionBrush
from gen2studio.app.studio import Studio
from gen2studio.ui import (
    window_boards,
    window_commands,
    window_generate,
    window_inspector,
    window_programme,
    window_sound,
    window_takes,
    window_viewers,
)
from gen2studio.ui.action_binder import ActionBinder
from gen2studio.ui.canvas.canvas import Canvas
from gen2studio.ui.canvas.shot_cards import ShotCards
from gen2studio.ui.dialogs import matte_commands
from gen2studio.ui.late_work import LateWork
from gen2studio.ui.panels.generate_panel import GeneratePanel
from gen2studio.ui.panels.media_pool import MediaPool
from gen2studio.ui.panels.takes_panel import TakesPanel
from gen2studio.ui.pool_thumbnails import PoolThumbnails
from gen2studio.ui.timeline.panel import TimelinePanel
from gen2studio.ui.tools.options_strip import OptionsStrip
from gen2studio.ui.tools.tool_bar import CanvasToolBar
from gen2studio.ui.viewer_panel import ViewerPanel
from gen2studio.ui.widgets.key_keeper import KeyKeeper
from gen2studio.ui.widgets.message_bar import MessageBar

if TYPE_CHECKING:
    from gen2studio.app.clip_inspecting import ClipInspecting
    from gen2studio.app.key_maps import KeyMaps
    from gen2studio.ui.dialogs.command_palette import CommandPalette
    from gen2studio.ui.panels.curves_panel import CurvesPanel
    from gen2studio.ui.panels.history_panel import HistoryPanel
    from gen2studio.ui.panels.inspector_panel import InspectorPanel
    from gen2studio.ui.panels.markers_panel import MarkersPanel
    from gen2studio.ui.panels.masks_panel import MasksPanel
    from gen2studio.ui.panels.mixer_panel import MixerPanel
    from gen2studio.ui.panels.queue_panel import QueuePanel
    from gen2studio.ui.panels.scopes_panel import ScopesPanel
    from gen2studio.ui.panels.storyboard_panel import StoryboardPanel
    from gen2studio.ui.panels.subtitles_panel import SubtitlesPanel
    from gen2studio.ui.trim_view import TrimView

LAYOUT_VERSION = 3
_DOCKS = {
    "media": "Media", "history": "History", "generate": "Generate", "masks": "Masks",
    "timeline": "Timeline", "storyboard": "Storyboard", "takes": "Takes", "queue": "Queue", **window_inspector.DOCKS,
    **window_sound.DOCKS,
}  # fmt: skip
"""Name → title."""


class MainWindow(QMainWindow):
    """Binds widgets to a :class:`~gen2studio.app.studio.Studio`; holds no state of its own but the dock layout."""

    def __init__(self, studio: Studio) -> None:
        super().__init__()
        self.setObjectName("mainWindow")
        self.studio = studio
        session = studio.session
        self.late = LateWork(self)
        """What the first frame does not show: pages behind other tabs, icons of menus, the command palette."""
        self._painted = False
        self.binder = ActionBinder(all_actions(), self, self.late)
        actions = self.binder.for_buttons()

        self.canvas = Canvas(session, studio.masks, self)
        self.tool_bar = CanvasToolBar(session, self)
        self.tool_options = OptionsStrip(session, studio.masks, self.canvas, self)
        self.viewer = ViewerPanel(
            session, studio.player, self.canvas, self.tool_bar, actions, self, options=self.tool_options
        )
        self.viewers = window_viewers.viewer_area(self)
        self.setCentralWidget(self.viewers)
        self.trim_view: TrimView | None = None
        self.closing: list[Callable[[], object]] = []
        """What else to stop when the window closes."""
        self.thumbnails = PoolThumbnails(self)
        # Panels are made inside their docks: one that changes its parent has fonts and colours of all its widgets
        # worked out again.
        docks = self._docks = {name: QDockWidget(title, self) for name, title in _DOCKS.items()}
        self.pool = MediaPool(studio.store, self.thumbnails.request, docks["media"])
        self.motion = MotionBrush(studio.generation, studio.masks, self)
        self.canvas.set_shots(ShotCards(session, studio.generation, self), self.motion)
        self.generate = GeneratePanel(window_generate.services(self, self.motion), actions, docks["generate"])
        self.timeline = TimelinePanel(session, studio.editing, docks["timeline"])
        self.takes = TakesPanel(
            session, studio.generation, studio.take_folder, studio.is_stale, actions, docks["takes"]
        )
        self.takes.model.thumbnails = self.thumbnails.request
        self.pool.model.take_folder = self.timeline.view.painter.take_folder = studio.take_folder

        self._empty: set[str] = set()
        self._fresh = False
        self._build_docks()
        self.messages = MessageBar(self)
        self.statusBar().addWidget(self.messages, 1)
        self._busy = QLabel(self)
        self._busy.setObjectName("status.jobs")
        self.statusBar().addPermanentWidget(self._busy)
        self.statusBar().setSizeGripEnabled(False)
        self.menus = self.binder.fill(self.menuBar())
        self.menus["View"].addSeparator()
        for dock in self._docks.values():
            self.menus["View"].addAction(dock.toggleViewAction())
        self.late.add(lambda: self.palette_dialog)
        self.late.add(self._outline_selections)
        self.late.add(studio.complete)
        self.late.add(studio.exports.open)

        self.setAcceptDrops(True)
        self.setMinimumSize(1024, 640)
        self._wire()
        window_commands.bind(self)
        KeyKeeper([self.viewer, *self._docks.values()], self)
        self._restore_layout()
        self._show_title()

    # -- building -----------------------------------------------------------------------------------------------------

    def _build_docks(self) -> None:
        self._titles = QTimer(self)
        self._titles.setSingleShot(True)
        self._titles.timeout.connect(self._show_dock_titles)
        self.setDockOptions(
            self.dockOptions() | QMainWindow.DockOption.AllowNestedDocks | QMainWindow.DockOption.GroupedDragging
        )
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        shown = {"media": self.pool, "generate": self.generate, "timeline": self.timeline, "takes": self.takes}
        for name, dock in self._docks.items():
            dock.setObjectName(f"dock.{name}")
            if name in shown:
                dock.setWidget(shown[name])
            else:
                self._fill_later(name, dock, unseen=name not in window_sound.DOCKS)
            dock.toggleViewAction().setObjectName(f"dock.{name}.toggle")
            dock.dockLocationChanged.connect(lambda _area: self._titles.start())
            dock.topLevelChanged.connect(lambda _floating: self._titles.start())
            dock.visibilityChanged.connect(lambda _visible: self._titles.start())
        self.setCorner(Qt.Corner.BottomRightCorner, Qt.DockWidgetArea.RightDockWidgetArea)
        self._arrange_docks()

    def _outline_selections(self) -> None:
        """Show under the pointer what a click would select."""
        from gen2studio.ui.canvas.hover_outline import HoverOutline

        self.selection_outline = HoverOutline(self.canvas, self.studio.session, self.studio.masks)

    def _fill_later(self, name: str, dock: QDockWidget, *, unseen: bool = True) -> None:
        """A page behind another tab: the property ``name`` makes it when it is shown, or ``unseen`` after the first
        paint."""
        self._empty.add(name)

        def fill() -> None:
            if name in self._empty:
                self._empty.remove(name)
                dock.setWidget(getattr(self, name))

        if unseen:
            self.late.add(fill)
        # A saved layout may have it in front: then the first frame shows it.
        dock.visibilityChanged.connect(lambda visible: fill() if visible else None)

    @functools.cached_property
    def mixer(self) -> MixerPanel:
        return window_sound.mixer(self)

    @functools.cached_property
    def scopes(self) -> ScopesPanel:
        return window_sound.scopes(self)

    @functools.cached_property
    def history(self) -> HistoryPanel:
        from gen2studio.ui.panels.history_panel import HistoryPanel

        panel = HistoryPanel(self.studio.store.undo_stack, self)
        self.binder.keys_changed.connect(panel.show_keys)
        return panel

    @functools.cached_property
    def masks(self) -> MasksPanel:
        from gen2studio.ui.panels.masks_panel import MasksPanel

        masks = self.studio.masks
        panel = MasksPanel(
            self.studio.session,
            masks,
            self,
            bring_in=lambda: matte_commands.import_mattes(self.studio, self),
            export=lambda: matte_commands.export_mattes(self.studio, self),
            looks=(self.studio.look_parts, self.studio.generation),
        )
        matte_commands.MatteDrop(self.studio, panel)
        return panel

    @functools.cached_property
    def queue(self) -> QueuePanel:
        from gen2studio.ui.panels.queue_panel import QueuePanel

        return QueuePanel(self.studio.board, self.binder.action("queue.pause"), self)

    @functools.cached_property
    def storyboard(self) -> StoryboardPanel:
        from gen2studio.ui.panels.storyboard_panel import StoryboardPanel

        studio = self.studio
        actions = {name: self.binder.action(name) for name in self.binder.rows}
        return StoryboardPanel(
            studio.session, studio.storyboards, studio.generation, studio.take_folder, actions, self,
            frames=studio.frames, footage=lambda path: window_boards.footage_of(self, path),
        )  # fmt: skip

    @functools.cached_property
    def inspecting(self) -> ClipInspecting:
        return window_inspector.inspecting(self)

    @functools.cached_property
    def inspector(self) -> InspectorPanel:
        return window_inspector.inspector(self)

    @functools.cached_property
    def curves(self) -> CurvesPanel:
        return window_inspector.curves(self)

    @functools.cached_property
    def subtitles(self) -> SubtitlesPanel:
        return window_inspector.subtitles(self)

    @functools.cached_property
    def markers(self) -> MarkersPanel:
        return window_inspector.markers(self)

    @property
    def docks(self) -> dict[str, QDockWidget]:
        """By name."""
        return self._docks

    @functools.cached_property
    def key_maps(self) -> KeyMaps:
        """Made when another map than the program's own is in force, or somebody looks at the maps."""
        return window_viewers.key_maps(self)

    @functools.cached_property
    def palette_dialog(self) -> CommandPalette:
        from gen2studio.ui.dialogs.command_palette import CommandPalette

        return CommandPalette(self.binder, self)

    def _arrange_docks(self) -> None:
        docks = self._docks
        for dock in docks.values():
            dock.setFloating(False)
            dock.show()
        for name, area in (
            ("media", Qt.DockWidgetArea.LeftDockWidgetArea),
            ("generate", Qt.DockWidgetArea.RightDockWidgetArea),
            ("timeline", Qt.DockWidgetArea.BottomDockWidgetArea),
        ):
            self.addDockWidget(area, docks[name])
        self.tabifyDockWidget(docks["media"], docks["history"])
        self.tabifyDockWidget(docks["generate"], docks["masks"])
        self.splitDockWidget(docks["timeline"], docks["takes"], Qt.Orientation.Horizontal)
        self.tabifyDockWidget(docks["takes"], docks["queue"])
        self.tabifyDockWidget(docks["timeline"], docks["storyboard"])
        window_inspector.arrange(self)
        window_sound.arrange(self)
        for name in ("media", "generate", "timeline", "takes"):
            docks[name].raise_()

    def _size_docks(self) -> None:
        docks = self._docks
        width, height = max(self.width(), 1024), max(self.height(), 640)
        side, right = min(290, width // 6), min(380, width // 3)
        self.resizeDocks([docks["media"], docks["generate"]], [side, right], Qt.Orientation.Horizontal)
        self.resizeDocks([docks["timeline"]], [max(round(height * 0.34), 296)], Qt.Orientation.Vertical)
        strip = max(300, (width - right) // 4)
        self.resizeDocks([docks["timeline"], docks["takes"]], [width - right - strip, strip], Qt.Orientation.Horizontal)

    def _show_dock_titles(self) -> None:
        """A dock in a group is named by its tab, which can be dragged; its title bar would only say it again."""
        for dock in self._docks.values():
            grouped = bool(self.tabifiedDockWidgets(dock)) and not dock.isFloating()
            # Qt returns null where no title bar was set, which its type hints leave out.
            bare: QWidget | None = dock.titleBarWidget()
            if grouped and not bare:
                dock.setTitleBarWidget(QWidget(dock))
            elif bare and not grouped:
                dock.setTitleBarWidget(None)  # pyright: ignore[reportArgumentType]
                bare.deleteLater()

    def _wire(self) -> None:
        studio, session = self.studio, self.studio.session
        studio.feed.picture_changed.connect(self.canvas.show_picture)
        self.canvas.files_dropped.connect(lambda paths: window_commands.open_paths(self, list(paths)))
        # A result is judged without red on it; on the Masks page the mattes matter more.
        self._docks["masks"].visibilityChanged.connect(self.canvas.set_masking)
        self._docks["masks"].visibilityChanged.connect(studio.programme.feed.set_masking)
        window_programme.wire(self)
        self.canvas.gesture_started.connect(studio.live.begin_gesture)
        self.canvas.gesture_ended.connect(studio.live.end_gesture)
        session.message.connect(self.messages.show_message)
        studio.project_changed.connect(self._show_title)
        studio.saved.connect(self._show_title)
        studio.modified_changed.connect(self._show_title)
        studio.offline_changed.connect(self._on_offline_changed)
        studio.board.busy_changed.connect(self._on_busy_changed)
        studio.shelf.changed.connect(self.generate.refresh)
        self.pool.import_requested.connect(lambda: self.binder.action("file.import").trigger())
        self.pool.files_dropped.connect(studio.import_files)
        self.pool.insert_requested.connect(studio.editing.insert_media)
        self.pool.append_requested.connect(studio.editing.append_media)
        self.pool.remove_requested.connect(lambda ids: window_commands.remove_media(self, ids))
        self.pool.relink_requested.connect(lambda ids: window_commands.relink(self, ids))
        window_commands.wire_timeline(self)
        window_takes.wire(self)
        window_viewers.wire(self)
        self._on_offline_changed(studio.offline)
        self._on_busy_changed(studio.board.busy)

    # -- layout -------------------------------------------------------------------------------------------------------

    def _restore_layout(self) -> None:
        preferences = self.studio.preferences
        geometry, state = preferences.get("window_geometry"), preferences.get("window_state")
        if geometry and self.restoreGeometry(QByteArray.fromBase64(geometry.encode())):
            self.restoreState(QByteArray.fromBase64(state.encode()), LAYOUT_VERSION)
            return
        area = self.screen().availableGeometry().size()
        self.resize(QSize(1680, 980).boundedTo(area))
        if area.width() <= 1440:
            self.setWindowState(Qt.WindowState.WindowMaximized)
            self.resize(area)
        self._fresh = True

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._fresh:
            # Dock sizes only hold once the window has its real size.
            self._fresh = False
            QTimer.singleShot(0, self._size_docks)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        super().keyReleaseEvent(event)
        if not event.isAutoRepeat():
            self.studio.transport.release()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self._painted:
            self._painted = True
            self.late.start()

    def _save_layout(self) -> None:
        self.studio.preferences.set("window_geometry", bytes(self.saveGeometry().toBase64().data()).decode())
        self.studio.preferences.set("window_state", bytes(self.saveState(LAYOUT_VERSION).toBase64().data()).decode())

    def reset_layout(self) -> None:
        self._arrange_docks()
        self._size_docks()

    def raise_dock(self, name: str) -> None:
        self._docks[name].show()
        self._docks[name].raise_()

    # -- showing ------------------------------------------------------------------------------------------------------

    def _show_title(self) -> None:
        self.setWindowTitle(f"{self.studio.title}[*] — Gen2 Studio")
        self.setWindowModified(self.studio.modified)

    def _on_offline_changed(self, offline: frozenset[str]) -> None:
        self.pool.model.set_offline(offline)
        self.binder.action("file.relink").setEnabled(bool(offline))
        if offline:
            count = len(offline)
            what = "1 media file is not where it was" if count == 1 else f"{count} media files are not where they were"
            self.studio.session.tell(f"{what}. File ▸ Relink missing media finds what is missing.", "warning")

    def _on_busy_changed(self, busy: int) -> None:
        self._busy.setText("" if not busy else "1 job" if busy == 1 else f"{busy} jobs")

    # -- files --------------------------------------------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if event.mimeData().hasUrls():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = [Path(u.toLocalFile()) for u in event.mimeData().urls() if u.isLocalFile()]
        if paths:
            event.acceptProposedAction()
            window_commands.open_paths(self, paths)

    def ask_to_keep(self) -> bool:
        """Ask what to do with unsaved changes; False = stay."""
        if not self.studio.modified:
            return True
        box = QMessageBox(self)
        box.setObjectName("unsavedChanges")
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(f"Save the changes to “{self.studio.title}”?")
        box.setInformativeText("Without saving they are lost.")
        box.setStandardButtons(
            QMessageBox.StandardButton.Save | QMessageBox.StandardButton.Discard | QMessageBox.StandardButton.Cancel
        )
        box.setDefaultButton(QMessageBox.StandardButton.Save)
        answer = box.exec()
        if answer == QMessageBox.StandardButton.Save:
            return window_commands.save(self)
        return answer == QMessageBox.StandardButton.Discard

    def ask_to_revert(self) -> bool:
        """Ask before everything since the last save is dropped; False = keep it."""
        box = QMessageBox(self)
        box.setObjectName("revertProject")
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(f"Go back to “{self.studio.title}” as it was saved?")
        box.setInformativeText("Everything since then is dropped, and can't be brought back by Undo.")
        revert = box.addButton("Revert", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        return box.clickedButton() is revert

    def _ask_to_stop_export(self) -> bool:
        """A running export ends with the window; False = stay."""
        kinds = ("exportDialog", "matteExportDialog", "matteImportDialog")
        found = [d for name in kinds for d in self.findChildren(QDialog, name)]
        running: list[Any] = [dialog for dialog in found if getattr(dialog, "running", False)]
        queued = bool(self.studio.exports.running)
        if not running and not queued:
            return True
        imports = running and all(dialog.objectName() == "matteImportDialog" for dialog in running) and not queued
        what = "import" if imports else "export"
        box = QMessageBox(self)
        box.setObjectName("exportRunning")
        box.setIcon(QMessageBox.Icon.Question)
        box.setText(f"An {what} is still running.")
        box.setInformativeText(
            "Closing stops it. The export queue goes on when Gen2 Studio starts next."
            if queued
            else "Closing stops it, and nothing of it is kept."
        )
        stop = box.addButton(f"Stop {what} and close", QMessageBox.ButtonRole.DestructiveRole)
        box.addButton(QMessageBox.StandardButton.Cancel)
        box.setDefaultButton(QMessageBox.StandardButton.Cancel)
        box.exec()
        if box.clickedButton() is not stop:
            return False
        for dialog in running:
            # What the queue runs is stopped with it, and made when the program starts next.
            if dialog.objectName() != "exportDialog":
                dialog.stop()
        return True

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._ask_to_stop_export() or not self.ask_to_keep():
            event.ignore()
            return
        self._save_layout()
        if "palette_dialog" in self.__dict__:
            self.palette_dialog.close()
        self.shutdown()
        event.accept()

    def shutdown(self) -> None:
        """Stop every thread of window and studio. Called once, on closing."""
        matte_commands.close_dialogs(self)
        if "storyboard" in self.__dict__:
            self.storyboard.close_editor()
        while self.closing:
            self.closing.pop()()
        self.timeline.shutdown()
        self.thumbnails.shutdown()
        self.studio.shutdown(discard=True)
