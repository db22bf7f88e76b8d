"""The storyboard: panels as cards in a row that wraps, what is set on the chosen one, and what becomes of the board."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QItemSelectionModel, QPoint, QSize, Qt
from PySide6.QtGui import QAction, QGuiApplication, QKeyEvent, QPixmap, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QInputDialog,
    QLabel,
    QListView,
    QMenu,
    QPushButton,
    QSizePolicy,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.drawing_tools import Tool
from gen2studio.app.generation import Generation
from gen2studio.app.session import Session
from gen2studio.app.storyboards import Storyboards
from gen2studio.core.errors import StudioError, sentence_of
from gen2studio.document import board_edits
from gen2studio.document.board_values import SeedPolicy
from gen2studio.document.look import Look
from gen2studio.document.model import Board, Document, MediaItem, Panel
from gen2studio.document.shots import ASPECTS, nearest_aspect
from gen2studio.ui import theme
from gen2studio.ui.panels.storyboard_details import PanelDetails
from gen2studio.ui.panels.storyboard_extras import FootageSection, StillsSection
from gen2studio.ui.panels.storyboard_model import CardDelegate, PanelsModel
from gen2studio.ui.panels.storyboard_monitor import BoardMonitor
from gen2studio.ui.panels.storyboard_strip import BoardStrip, StripArea, clock
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.named import action_button, chooser, named, text_button
from gen2studio.ui.widgets.pictures import png_of

if TYPE_CHECKING:
    from gen2studio.media.frame_server import FrameServer
    from gen2studio.ui.drawing.window import DrawingWindow

_EDITS = ("board.new_panel", "board.duplicate", "board.remove")
_SEEDS = (
    ("One seed for all panels", SeedPolicy.ONE),
    ("Each panel its own", SeedPolicy.OWN),
    ("Different, derived from the board's", SeedPolicy.DERIVED),
)
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
        *,
        frames: FrameServer | None = None,
        footage: Callable[[Path], MediaItem] | None = None,
    ) -> None:
        """``frames`` decodes mock-up footage; ``footage`` makes a media item of a film that was dropped."""
        super().__init__(parent)
        self.setObjectName("storyboardPanel")
        self._frames = frames
        self._footage = footage
        self._session = session
        self._boards = boards
        self._generation = generation
        self._take_folder = take_folder
        self._playing = False
        """The player is bound."""
        self._in_view = InView(self, self._catch_up)
        self._late = False
        """Takes changed while the panel was behind another tab."""
        self._actions = actions
        self.model = PanelsModel(self._own_picture, boards.result_of, boards.state_of, self)
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
        self.details = PanelDetails(
            self._describe, self,
            extras=(
                ("stills", "Stills", lambda box: StillsSection(boards, lambda: self.chosen, "board", box)),
                ("footage", "Footage and sound", lambda box: FootageSection(boards, lambda: self.chosen, "board", box)),
            ),
        )  # fmt: skip
        self.monitor = BoardMonitor(boards.find_picture, lambda: session.document, frames, self)
        self.strip = BoardStrip(self.small_picture, self._sound_name, self)
        self._views = QStackedWidget(self)
        self._views.addWidget(self.view)
        self._views.addWidget(self._build_time())
        self._split = QSplitter(Qt.Orientation.Horizontal, self)
        self._split.setObjectName("board.split")
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self._views)
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
        for button, title in self._pushes:
            button.setText(title if roomy or button.property("primary") else "")
        self._show_details()
        self.look.setToolButtonStyle(
            Qt.ToolButtonStyle.ToolButtonTextBesideIcon if roomy else Qt.ToolButtonStyle.ToolButtonIconOnly
        )

    def _build_time(self) -> QWidget:
        """The strip, with the animatic beside it."""
        page = QSplitter(Qt.Orientation.Horizontal, self)
        page.setObjectName("board.time")
        page.setChildrenCollapsible(False)
        left = QWidget(page)
        column = QVBoxLayout(left)
        column.setContentsMargins(0, 0, 4, 0)
        column.setSpacing(3)
        column.addWidget(self.monitor, 1)
        row = QHBoxLayout()
        self.clock = QLabel(left)
        self.clock.setObjectName("board.clock")
        self.clock.setFont(theme.fixed_font(9))
        for name in ("board.play", "board.tap"):
            row.addWidget(action_button(self._actions[name], left, "time"))
        row.addWidget(self.clock, 1, Qt.AlignmentFlag.AlignRight)
        column.addLayout(row)
        area = StripArea(self.strip, page)
        page.addWidget(left)
        page.addWidget(area)
        page.setStretchFactor(1, 1)
        page.setSizes([250, 650])
        return page

    @cached_property
    def editor(self) -> DrawingWindow:
        """The window in which panels are drawn."""
        from gen2studio.ui.drawing.window import DrawingServices, DrawingWindow

        services = DrawingServices(
            self._boards, self._frames, self._actions, self._describe, self.small_picture, self._take_look
        )
        window = DrawingWindow(services, self.choose, self.window())
        for name, action in self._actions.items():
            if name.startswith("drawing.") or name in ("edit.undo", "edit.redo"):
                window.addAction(action)
        return window

    @property
    def editing(self) -> bool:
        """The drawing window is open."""
        return "editor" in self.__dict__ and self.editor.isVisible()

    def close_editor(self) -> None:
        """Close the drawing window, as the main window does."""
        if "editor" in self.__dict__:
            self.editor.close()

    def _show_details(self) -> None:
        """Time needs the width: a narrow panel shows no form beside it."""
        self.details.setVisible(self.width() >= _ROOMY or self._views.currentIndex() == 0)

    def _build_bar(self) -> QHBoxLayout:
        actions = self._actions
        bar = QHBoxLayout()
        bar.setSpacing(2)
        self._ways = {name: action_button(actions[name], self) for name in ("board.view_grid", "board.view_strip")}
        for name, button in self._ways.items():
            button.setCheckable(False)
            button.setProperty("role", "switch")
            bar.addWidget(button)
            actions[name].setCheckable(True)
        bar.addSpacing(6)
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
        self._pushes: list[tuple[QPushButton, str]] = []
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
        self._pushes.append((button, title))
        button.clicked.connect(action.trigger)
        button.setIcon(action.icon())
        button.setEnabled(action.isEnabled())

        def follow() -> None:
            button.setIcon(action.icon())
            button.setEnabled(action.isEnabled())

        action.changed.connect(follow)
        return button

    def _wire(self) -> None:
        boards, actions = self._boards, self._actions
        boards.current_changed.connect(lambda _board: self.reload())
        boards.panel_still_changed.connect(lambda _panel: self.reload())
        self._session.store.changed.connect(self._on_document_changed)
        self.board.activated.connect(lambda row: boards.choose(self.board.itemData(row)))
        self.model.moved.connect(self._on_moved)
        self.model.images_dropped.connect(self._on_images_dropped)
        self.view.selectionModel().currentChanged.connect(lambda _now, _before: self._show_chosen())
        self.view.selectionModel().selectionChanged.connect(
            lambda _now, _before: actions["board.merge"].setEnabled(len(self.selected) > 1)
        )
        self.details.changed.connect(self._on_changed)
        self.details.look_taken.connect(lambda: self._take_look(self.chosen))
        self.details.frames_wanted.connect(self.draw_camera)
        self.details.frames_dropped.connect(self._drop_frames)
        self.model.films_dropped.connect(self._on_films_dropped)
        self.strip.chosen.connect(self.choose)
        self.strip.opened.connect(lambda _panel: self.draw())
        self.strip.retimed.connect(
            lambda times: boards.edit("Panel length", lambda d, b: board_edits.set_times(d, b.id, times))
        )
        self.show_way("board.view_grid")

    def _start_player(self) -> None:
        """The player is made when time is looked at for the first time."""
        if self._playing:
            return
        self._playing = True
        player = self._boards.player
        self.strip.sought.connect(player.seek)
        player.moved.connect(self._on_second)
        player.playing_changed.connect(self._on_playing)

    def show_way(self, name: str) -> None:
        """Cards (``board.view_grid``) or time (``board.view_strip``)."""
        for other in self._ways:
            self._actions[other].setChecked(other == name)
        self._views.setCurrentIndex(0 if name == "board.view_grid" else 1)
        self._show_details()
        if name == "board.view_strip":
            self._start_player()
            self._show_time()

    def play(self) -> None:
        """Play the animatic, or stop it: where the panel is drawn, else in the strip."""
        self._start_player()
        if not self.editing:
            self.show_way("board.view_strip")
        self._boards.player.toggle()

    def tap(self) -> None:
        """End the panel that plays."""
        self._start_player()
        if self.editing:
            self.editor.tap()
        else:
            self._boards.player.tap()
        self._show_time()

    def _on_second(self, second: float) -> None:
        self.strip.show_second(second)
        self.monitor.show_moment(self._boards.player.board, second)
        self._show_clock()

    def _on_playing(self, on: bool) -> None:
        self._actions["board.play"].setIcon(theme.icon("pause" if on else "play"))
        self._actions["drawing.play"].setIcon(theme.icon("pause" if on else "play"))
        self._show_time()

    def _show_time(self) -> None:
        if not self._playing:
            return
        player = self._boards.player
        self.strip.show_board(player.board, self.chosen)
        self.monitor.show_moment(player.board, player.second)
        self._show_clock()

    def _show_clock(self) -> None:
        player = self._boards.player
        total = float(board_edits.starts(player.board)[-1]) if player.board is not None else 0.0
        self.clock.setText(f"{clock(round(player.second, 1))} / {clock(round(total, 1))}")

    def _sound_name(self, media_id: str) -> str:
        item = self._session.document.media.get(media_id)
        return item.name if item is not None else "missing sound"

    def small_picture(self, panel: Panel) -> QPixmap:
        """What stands for a panel where it is small."""
        own, made = self.model.pictures(panel)
        return made if own.isNull() else own

    # -- pictures -----------------------------------------------------------------------------------------------------

    def _own_picture(self, panel: Panel) -> Path | None:
        return self._generation.find_blob(panel.picture) if panel.picture else None

    def _describe(self, look: Look) -> str:
        """A look in a few words."""
        titles = {preset.id: preset.title for preset in self._generation.catalog.presets()}
        parts = [titles.get(look.preset, ""), ", ".join(style.name for style in look.styles[:2]), look.prompt]
        found = self._generation.choice_for(look)
        words = " · ".join(part for part in parts if part) or "no look yet"
        return f"{words} · {found.abilities.title}" if found is not None else words

    def _on_document_changed(self, old: Document, new: Document) -> None:
        same = old.sequences is new.sequences and old.media is new.media
        if same and old.takes is not new.takes and self._in_view.behind:
            # Frames of a job arrive many times a second.
            self._late = True
        elif old.takes is not new.takes or not same:
            self.model.show(self._boards.current)
            if old.media is not new.media:
                self._show_sections()

    def _catch_up(self) -> None:
        if self._late:
            self._late = False
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
        self._show_sections()
        self._show_time()
        if self.editing and panel is not None:
            self.editor.open_panel(panel.id)
        self._actions["board.merge"].setEnabled(len(self.selected) > 1)
        for name in ("board.split", "board.duplicate", "board.remove", "board.go_to", *_PICTURES):
            self._actions[name].setEnabled(panel is not None)
        for name in ("board.animatic", "board.stills", "board.generate", "board.play", "board.tap",
                     "board.render_stale", "board.export"):  # fmt: skip
            self._actions[name].setEnabled(board is not None and bool(board.panels))

    # -- changing -----------------------------------------------------------------------------------------------------

    def _on_changed(self, label: str, merge_key: str, changes: dict[str, object]) -> None:
        if self.details.shown:
            self._boards.change_panel(self.details.shown, label, merge_key=merge_key, **changes)

    def _show_sections(self) -> None:
        for section in self.details.sections.values():
            if isinstance(section.content, StillsSection | FootageSection):
                section.content.reload()

    def _take_look(self, panel_id: str) -> None:
        if panel_id:
            self._boards.change_panel(panel_id, "Look of its own", look=self._generation.look)

    def _drop_frames(self) -> None:
        panel_id = self.chosen
        self._boards.edit("Remove camera frames", lambda d, b: board_edits.set_frames(d, b.id, panel_id, ()))

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
        if not self.chosen:
            return
        self._start_player()
        fresh = "editor" not in self.__dict__
        editor = self.editor
        if fresh:
            area = self.screen().availableGeometry()
            editor.resize(QSize(1680, 1000).boundedTo(area.size() * 0.94))
        editor.open_panel(self.chosen)
        if editor.isMinimized():
            editor.showNormal()
        editor.show()
        editor.raise_()
        editor.activateWindow()

    def draw_camera(self) -> None:
        """Open the chosen panel to draw where its camera starts and ends."""
        self.draw()
        self.editor.choose_tool(Tool.FRAME)

    def split(self) -> None:
        """Cut the chosen panel where the animatic stands in it, else in the middle."""
        board, panel_id = self._boards.current, self.chosen
        panel = self._boards.panel(panel_id)
        if board is None or panel is None:
            return
        after = panel.seconds / 2
        if self._playing:
            at = Fraction(self._boards.player.second).limit_denominator(48000)
            place, into = board_edits.panel_at(board, at)
            if board.panels[place].id == panel_id and 0 < into < panel.seconds:
                after = into
        self._boards.edit("Split panel", lambda d, b: board_edits.split_panel(d, b.id, panel_id, after))

    def merge(self) -> None:
        """Make one panel of the selected ones."""
        chosen = self.selected
        self._boards.edit("Merge panels", lambda d, b: board_edits.merge_panels(d, b.id, chosen))

    def go_to_clip_panel(self) -> bool:
        """Choose the panel that the clip under the playhead was made from."""
        found = self._boards.panel_under_playhead()
        if found:
            self.choose(found)
        return bool(found)

    def paste(self) -> None:
        """Use the picture on the clipboard."""
        image = QGuiApplication.clipboard().image()
        if image.isNull():
            self._session.tell("There is no picture on the clipboard. Copy one in another program first.", "warning")
        elif self.chosen:
            self._boards.set_picture(self.chosen, png_of(image))

    def _on_films_dropped(self, paths: list[Path], row: int, onto: bool) -> None:
        if self._footage is None:
            return
        for offset, path in enumerate(paths):
            try:
                item = self._footage(path)
            except (StudioError, OSError) as error:
                self._session.tell(sentence_of(error), "error")
                continue
            on = self.model.panels[row].id if onto and not offset and row < len(self.model.panels) else ""
            if added := self._boards.add_footage(item, row + offset, on):
                self.choose(added)

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
        seeds = menu.addMenu(theme.icon("dices"), "Seeds")
        for title, policy in _SEEDS:
            entry = seeds.addAction(
                title, lambda p=policy: boards.edit("Seeds", lambda d, b: board_edits.set_seeds(d, b.id, p))
            )
            entry.setCheckable(True)
            entry.setChecked(board is not None and board.seeds is policy)
        sound = menu.addMenu(theme.icon("music"), "Sound under the animatic")
        heard = [(m.name, m.id) for m in self._session.document.media.values() if m.info.audio is not None]
        for title, media_id in (("None", ""), *heard):
            entry = sound.addAction(title, lambda m=media_id: boards.use_sound("", m))
            entry.setCheckable(True)
            cue = board.sound if board is not None else None
            entry.setChecked((cue.media_id if cue is not None else "") == media_id)
        menu.addSeparator()
        for name in ("board.import", "board.export"):
            menu.addAction(self._actions[name])
        for entry in (rename, remove, shape.menuAction(), seeds.menuAction(), sound.menuAction()):
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
        for group in ((*_EDITS, "board.split", "board.merge"), _PICTURES, ("board.go_to", "board.render_stale")):
            for name in group:
                menu.addAction(self._actions[name])
            menu.addSeparator()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.view.viewport().mapToGlobal(position))
