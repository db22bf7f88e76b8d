"""The storyboard: panels as cards in a row that wraps, what is set on the chosen one, and what becomes of the board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QItemSelectionModel, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QImage, QKeyEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QInputDialog,
    QListView,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.generation import Generation
from gen2studio.app.session import Session
from gen2studio.app.storyboards import Storyboards
from gen2studio.document.look import Look
from gen2studio.document.model import Board, Document, Panel
from gen2studio.document.shots import ASPECTS, nearest_aspect
from gen2studio.ui import theme
from gen2studio.ui.dialogs.sketch_dialog import SketchDialog, png_of
from gen2studio.ui.panels.storyboard_details import PanelDetails
from gen2studio.ui.panels.storyboard_model import CardDelegate, PanelsModel
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import action_button, chooser, named, text_button

_EDITS = ("board.new_panel", "board.duplicate", "board.remove")
_ROOMY = 860
"""Pixels from which on the bar has room for everything."""
_PICTURES = ("board.draw", "board.paste", "board.from_frame")


class PanelView(QListView):
    """Cards in a row; a double click or Return draws, Delete removes."""

    def __init__(self, actions: dict[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._actions = actions
        self.setObjectName("board.panels")
        self.setAccessibleName("Panels of the storyboard")
        self.setFlow(QListView.Flow.LeftToRight)
        self.setWrapping(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setUniformItemSizes(True)
        self.setSpacing(2)
        self.setDragEnabled(True)
        self.setAcceptDrops(True)
        self.setDropIndicatorShown(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setMouseTracking(True)
        self.setItemDelegate(CardDelegate(self))
        self.doubleClicked.connect(lambda _index: actions["board.draw"].trigger())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        name = {Qt.Key.Key_Delete: "board.remove", Qt.Key.Key_Return: "board.draw"}.get(Qt.Key(event.key()))
        if name is not None and not event.modifiers():
            self._actions[name].trigger()
        else:
            super().keyPressEvent(event)


class StoryboardPanel(QWidget):
    """Binds to :class:`~gen2studio.app.storyboards.Storyboards`."""

    def __init__(
        self,
        session: Session,
        boards: Storyboards,
        generation: Generation,
        take_folder: Callable[[str], Path],
        actions: dict[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("storyboardPanel")
        self._session = session
        self._boards = boards
        self._generation = generation
        self._take_folder = take_folder
        self._actions = actions
        self.model = PanelsModel(self._own_picture, self._made_picture, self)
        self.view = PanelView(actions, self)
        self.view.setModel(self.model)
        self.view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.view.customContextMenuRequested.connect(self._on_menu)
        self.empty = EmptyState(
            "clapperboard",
            "No panels yet",
            "A storyboard turns mock-ups into shots in one look. Add a panel, draw boxes as a skyline or drop a "
            "picture, and write what happens.",
            "Add a panel",
            self,
        )
        assert self.empty.button is not None
        named(self.empty.button, "board.first", "Add a panel", actions["board.new_panel"].toolTip())
        self.empty.button.clicked.connect(actions["board.new_panel"].trigger)
        self.setAcceptDrops(True)
        self.details = PanelDetails(self._describe, self)
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.setObjectName("board.split")
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self.view)
        self._split.addWidget(self.details)
        self._split.setStretchFactor(0, 1)
        self._split.setSizes([900, 280])
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 8)
        layout.setSpacing(5)
        layout.addLayout(self._build_bar())
        layout.addWidget(self._split, 1)
        layout.addWidget(self.empty, 1)
        # Its own limit, not that of a bar with everything on it: see resizeEvent.
        self.setMinimumWidth(560)
        self._wire()
        self.reload()

    def sizeHint(self) -> QSize:
        return QSize(900, 300)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        roomy = self.width() >= _ROOMY
        for button in self._roomy:
            button.setVisible(roomy)
        self.look.setToolButtonStyle(
            Qt.ToolButtonStyle.ToolButtonTextBesideIcon if roomy else Qt.ToolButtonStyle.ToolButtonIconOnly
        )

    def _build_bar(self) -> QHBoxLayout:
        actions = self._actions
        bar = QHBoxLayout()
        bar.setSpacing(2)
        self.board = chooser("board.choose", "Storyboard", "The storyboard that is shown", [], self)
        self.board.setMinimumWidth(96)
        bar.addWidget(self.board)
        self.more = text_button(
            "board.more", "Storyboard menu", "ellipsis", "New, rename, delete, aspect of shots", self._on_more, self,
            text=False,
        )  # fmt: skip
        bar.addWidget(self.more)
        self._roomy: list[QWidget] = []
        """Buttons that a narrow panel leaves to the menus."""
        for group in (_EDITS, _PICTURES):
            bar.addSpacing(6)
            for name in group:
                button = action_button(actions[name], self)
                bar.addWidget(button)
                if group is _PICTURES:
                    self._roomy.append(button)
        bar.addSpacing(6)
        self.look = named(QToolButton(self), "board.look", "Look of the board")
        self.look.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.look.setIcon(theme.icon("palette"))
        self.look.setProperty("role", "switch")
        self.look.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        self.look.clicked.connect(lambda: self._boards.set_look(self._generation.look))
        bar.addWidget(self.look)
        self.facts = ElidedLabel(parent=self)
        self.facts.setProperty("role", "faint")
        self.facts.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        bar.addWidget(self.facts, 1)
        bar.addSpacing(6)
        for name, title in (("board.animatic", "Animatic"), ("board.stills", "Stills"), ("board.generate", "Generate")):
            bar.addWidget(self._push(actions[name], title, primary=name == "board.generate"))
        return bar

    def _push(self, action: QAction, title: str, *, primary: bool) -> QPushButton:
        button = named(QPushButton(title, self), f"{action.objectName()}Button", action.text(), action.toolTip())
        button.setProperty("primary", primary)
        button.clicked.connect(action.trigger)
        button.setIcon(action.icon())
        button.setEnabled(action.isEnabled())

        def follow() -> None:
            button.setIcon(action.icon())
            button.setEnabled(action.isEnabled())

        action.changed.connect(follow)
        return button

    def _wire(self) -> None:
        boards = self._boards
        boards.current_changed.connect(lambda _board: self.reload())
        boards.panel_still_changed.connect(lambda _panel: self.reload())
        self._session.store.changed.connect(self._on_document_changed)
        self.board.activated.connect(lambda row: boards.choose(self.board.itemData(row)))
        self.model.moved.connect(self._on_moved)
        self.model.images_dropped.connect(self._on_images_dropped)
        self.view.selectionModel().currentChanged.connect(lambda _now, _before: self._show_chosen())
        self.details.changed.connect(self._on_changed)
        self.details.look_taken.connect(self._on_look_taken)

    # -- pictures -----------------------------------------------------------------------------------------------------

    def _own_picture(self, panel: Panel) -> Path | None:
        return self._generation.find_blob(panel.picture) if panel.picture else None

    def _made_picture(self, panel: Panel) -> Path | NDArray[np.uint8] | None:
        """A frame of the shot made from a panel: of its applied take, else its still."""
        clip = self._boards.clip_of(panel.id)
        take = self._session.document.takes.get(clip.active_take) if clip is not None else None
        if take is not None and take.done:
            first, stop = take.done[0]
            return self._take_folder(take.id) / f"frame_{(first + stop) // 2:06d}.png"
        still = self._boards.still_of(panel.id)
        return still.picture if still is not None else None

    def _describe(self, look: Look) -> str:
        """A look in a few words."""
        titles = {preset.id: preset.title for preset in self._generation.catalog.presets()}
        parts = [titles.get(look.preset, ""), ", ".join(style.name for style in look.styles[:2]), look.prompt]
        found = self._generation.choice_for(look)
        words = " · ".join(part for part in parts if part) or "no look yet"
        return f"{words} · {found.abilities.title}" if found is not None else words

    def _on_document_changed(self, old: Document, new: Document) -> None:
        if old.takes is not new.takes or old.sequences is not new.sequences:
            self.model.show(self._boards.current)

    # -- showing ------------------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> str:
        """Id of the panel that edits work on; empty when there is none."""
        panel = self.model.panel(self.view.currentIndex())
        return panel.id if panel is not None else ""

    @property
    def selected(self) -> tuple[str, ...]:
        """Ids of every selected panel, in order."""
        rows = sorted(index.row() for index in self.view.selectionModel().selectedIndexes())
        return tuple(self.model.panels[row].id for row in rows)

    def choose(self, panel_id: str) -> None:
        row = self.model.row_of(panel_id)
        if row >= 0:
            self.view.selectionModel().setCurrentIndex(
                self.model.index(row), QItemSelectionModel.SelectionFlag.ClearAndSelect
            )
            self.view.scrollTo(self.model.index(row))

    def reload(self) -> None:
        """Show the board as it is now; the chosen panel stays chosen, a new one is chosen at once."""
        board = self._boards.current
        before, known = self.chosen, {panel.id for panel in self.model.panels}
        self.model.show(board)
        panels = board.panels if board is not None else ()
        self.empty.setVisible(not panels)
        self._split.setVisible(bool(panels))
        fresh = [panel.id for panel in panels if panel.id not in known] if known else []
        wanted = fresh[-1] if fresh else before
        if panels and (not self.chosen or self.chosen != wanted):
            self.choose(wanted if any(p.id == wanted for p in panels) else panels[0].id)
        self._show_boards(board)
        self._show_chosen()

    def _show_boards(self, board: Board | None) -> None:
        names = [(found.id, found.name) for found in self._boards.boards]
        if [(self.board.itemData(i), self.board.itemText(i)) for i in range(self.board.count())] != names:
            self.board.clear()
            for board_id, name in names:
                self.board.addItem(name, board_id)
        self.board.setVisible(bool(names))
        self.look.setVisible(board is not None)
        if board is None:
            self.facts.show_text("")
            return
        self.board.setCurrentIndex(self.board.findData(board.id))
        total = float(sum(panel.seconds for panel in board.panels))
        count = "1 panel" if len(board.panels) == 1 else f"{len(board.panels)} panels"
        self.facts.show_text(f"{total:g} s")
        self.board.setToolTip(f"{board.name}: {count}, {total:g} s, {board.width} × {board.height}")
        self.facts.setToolTip(self.board.toolTip())
        words = self._describe(board.look)
        self.look.setText(" " + self.look.fontMetrics().elidedText(words, Qt.TextElideMode.ElideRight, 130))
        self.look.setToolTip(f"Look of the board: {words}\nClick to take the look that the Generate panel shows")

    def _show_chosen(self) -> None:
        board = self._boards.current
        panel = next((p for p in board.panels if p.id == self.chosen), None) if board is not None else None
        self.details.show_panel(board, panel)
        for name in ("board.duplicate", "board.remove", "board.go_to", *_PICTURES):
            self._actions[name].setEnabled(panel is not None)
        for name in ("board.animatic", "board.stills", "board.generate"):
            self._actions[name].setEnabled(board is not None and bool(board.panels))

    # -- changing -----------------------------------------------------------------------------------------------------

    def _on_changed(self, label: str, merge_key: str, changes: dict[str, object]) -> None:
        if self.chosen:
            self._boards.change_panel(self.chosen, label, merge_key=merge_key, **changes)

    def _on_look_taken(self) -> None:
        if self.chosen:
            self._boards.change_panel(self.chosen, "Look of its own", look=self._generation.look)

    def _on_moved(self, panel_id: str, row: int) -> None:
        rest = [panel.id for panel in self.model.panels if panel.id != panel_id]
        self._boards.move_panels((panel_id,), rest[row] if row < len(rest) else "")
        self.choose(panel_id)

    def _on_images_dropped(self, paths: list[Path], row: int, onto: bool) -> None:
        panels = self.model.panels
        if onto and row < len(panels):
            self._boards.set_picture(panels[row].id, paths[0])
            self.choose(panels[row].id)
            paths, row = paths[1:], row + 1
        for offset, path in enumerate(paths):
            self._boards.add_panel(path, at=row + offset)

    def add_panel(self) -> None:
        """An empty panel behind the chosen one."""
        row = self.model.row_of(self.chosen)
        self._boards.add_panel(at=row + 1 if row >= 0 else None)

    def draw(self) -> None:
        """Open the chosen panel for drawing."""
        board, panel_id = self._boards.current, self.chosen
        panel = next((p for p in board.panels if p.id == panel_id), None) if board is not None else None
        if board is None or panel is None:
            return
        path = self._own_picture(panel)
        # Drawn at twice the size of the shot: edges stay clean when it is scaled down.
        size = QSize(board.width, board.height)
        if board.width < 640:
            size *= -(-640 // board.width)
        picture = QImage(str(path)) if path is not None else None
        dialog = SketchDialog(size, picture, lambda data: self._boards.set_picture(panel_id, data), self.window())
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def paste(self) -> None:
        """Use the picture on the clipboard."""
        image = QGuiApplication.clipboard().image()
        if image.isNull():
            self._session.tell("There is no picture on the clipboard. Copy one in another program first.", "warning")
        elif self.chosen:
            self._boards.set_picture(self.chosen, png_of(image))

    def _on_more(self) -> None:
        board, boards = self._boards.current, self._boards
        menu = QMenu(self)
        menu.setObjectName("board.menu")
        menu.addAction(theme.icon("file-plus"), "New storyboard", lambda: boards.new_board())
        rename = menu.addAction(theme.icon("pencil"), "Rename…", self._ask_name)
        remove = menu.addAction(
            theme.icon("trash-2"), "Delete storyboard", lambda: boards.remove_board(board.id) if board else None
        )
        shape = menu.addMenu(theme.icon("ratio"), "Aspect of the shots")
        for title, aspect in ASPECTS.items():
            entry = shape.addAction(title, lambda a=aspect: boards.set_shot(a, board.rate) if board else None)
            entry.setCheckable(True)
            entry.setChecked(board is not None and nearest_aspect(board.width, board.height) == title)
        for entry in (rename, remove, shape.menuAction()):
            entry.setEnabled(board is not None)
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.more.mapToGlobal(self.more.rect().bottomLeft()))

    def _ask_name(self) -> None:
        board = self._boards.current
        if board is None:
            return
        dialog = QInputDialog(self)
        dialog.setObjectName("board.rename")
        dialog.setWindowTitle("Rename storyboard")
        dialog.setLabelText("Name")
        dialog.setTextValue(board.name)
        dialog.textValueSelected.connect(lambda name: self._boards.rename_board(board.id, name))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _on_menu(self, position: QPoint) -> None:
        menu = QMenu(self)
        for group in (_EDITS, _PICTURES, ("board.go_to",)):
            for name in group:
                menu.addAction(self._actions[name])
            menu.addSeparator()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(position))
