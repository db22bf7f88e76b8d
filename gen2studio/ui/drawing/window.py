"""The window in which the panels of a storyboard are drawn, written and timed: canvas, layers, form and strip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QAction, QCloseEvent, QColor, QIcon, QPainter, QPen, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QColorDialog,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QSplitter,
    QStackedWidget,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.drawing_tools import DrawingSettings, Tool
from gen2studio.app.storyboards import Storyboards
from gen2studio.core.records import dataclass
from gen2studio.document import board_edits
from gen2studio.document.board_values import ArrowKind
from gen2studio.document.model import Panel
from gen2studio.media.frame_server import FrameServer
from gen2studio.ui import theme
from gen2studio.ui.drawing.canvas import DrawingCanvas
from gen2studio.ui.drawing.layers_panel import LayersPanel
from gen2studio.ui.panels.storyboard_details import Describe, PanelDetails
from gen2studio.ui.panels.storyboard_extras import FootageSection, StillsSection
from gen2studio.ui.panels.storyboard_monitor import BoardMonitor
from gen2studio.ui.panels.storyboard_strip import BoardStrip, StripArea, clock
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import action_button, chooser, named, text_button
from gen2studio.ui.widgets.value_slider import ValueSlider

COLOURS = (
    (26, 28, 34), (90, 96, 108), (158, 163, 172), (246, 244, 238), (178, 60, 52), (226, 132, 58), (240, 200, 84),
    (92, 140, 74), (52, 110, 96), (70, 128, 190), (38, 62, 120), (124, 82, 150), (138, 96, 62), (214, 172, 140),
)  # fmt: skip
"""sRGB inks of the palette: lights and darks, warm to cold, wood, skin."""
_IMAGES = "Images (*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp)"
_TOOLS = tuple(Tool)
_WIDTHS = (1.0, 160.0)


@dataclass(frozen=True, slots=True)
class DrawingServices:
    """What the window needs of the program."""

    boards: Storyboards
    frames: FrameServer | None
    actions: dict[str, QAction]
    describe: Describe
    picture: Callable[[Panel], QPixmap]
    """A small picture of a panel, as the strip shows it."""
    take_look: Callable[[str], object]
    """Give a panel (by id) the look of the generate panel."""


class DrawingWindow(QWidget):
    """Works on the panel that the storyboard has chosen; both follow each other."""

    def __init__(self, services: DrawingServices, chosen: Callable[[str], object], parent: QWidget) -> None:
        """``chosen(panel id)`` is told when another panel is drawn on."""
        super().__init__(parent, Qt.WindowType.Window)
        self.setObjectName("drawingWindow")
        self.setWindowTitle("Storyboard")
        self._services = services
        self._boards = services.boards
        self._told = chosen
        self._panel_id = ""
        self.drawing = self._boards.drawing
        self.player = self._boards.player
        self.canvas = DrawingCanvas(self.drawing, self)
        self.monitor = BoardMonitor(
            self._boards.find_picture, lambda: self._boards.session.document, services.frames, self
        )
        self.monitor.setObjectName("drawing.monitor")
        self._stage = QStackedWidget(self)
        self._stage.addWidget(self.canvas)
        self._stage.addWidget(self.monitor)
        self.strip = BoardStrip(services.picture, self._sound_name, self)
        self.strip.setObjectName("drawing.strip")
        area = StripArea(self.strip, self)
        area.setObjectName("drawing.stripArea")
        area.setFixedHeight(134)
        self.layers = LayersPanel(
            self.drawing, self._ask_reference, lambda: self._boards.set_reference(self._panel_id, None),
            self._set_reference_strength, self,
        )  # fmt: skip
        self.details = PanelDetails(
            services.describe, self, prefix="drawing", roomy=True,
            extras=(
                ("stills", "Stills", lambda box: StillsSection(self._boards, self._now, "drawing", box)),
                ("footage", "Footage and sound", lambda box: FootageSection(self._boards, self._now, "drawing", box)),
            ),
        )  # fmt: skip
        side = QSplitter(Qt.Orientation.Vertical, self)
        side.setObjectName("drawing.side")
        side.setChildrenCollapsible(False)
        side.addWidget(self.layers)
        side.addWidget(self.details)
        side.setStretchFactor(1, 1)
        side.setFixedWidth(304)
        middle = QVBoxLayout()
        middle.setSpacing(0)
        middle.addWidget(self._stage, 1)
        middle.addWidget(self._build_options())
        row = QHBoxLayout()
        row.setSpacing(0)
        row.addWidget(self._build_tools())
        row.addLayout(middle, 1)
        row.addWidget(side)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._build_bar())
        layout.addLayout(row, 1)
        layout.addWidget(area)
        self.setMinimumSize(960, 600)
        self._wire()

    def sizeHint(self) -> QSize:
        return QSize(1440, 900)

    # -- building -----------------------------------------------------------------------------------------------------

    def _strip_of(self, name: str, height: int | None = None) -> tuple[QWidget, QHBoxLayout]:
        holder = QWidget(self)
        holder.setObjectName(name)
        holder.setProperty("role", "bar")
        if height is not None:
            holder.setFixedHeight(height)
        row = QHBoxLayout(holder)
        row.setContentsMargins(8, 4, 8, 4)
        row.setSpacing(4)
        return holder, row

    def _build_bar(self) -> QWidget:
        actions = self._services.actions
        holder, row = self._strip_of("drawing.bar", 40)
        for name in ("drawing.previous", "drawing.next"):
            row.addWidget(action_button(actions[name], holder))
        self.title = ElidedLabel(parent=holder)
        self.title.setObjectName("drawing.title")
        self.title.setProperty("role", "heading")
        row.addSpacing(6)
        row.addWidget(self.title, 1)
        for name in ("drawing.new_panel", "board.split", "board.duplicate"):
            row.addWidget(action_button(actions[name], holder, "drawing"))
        row.addSpacing(14)
        row.addWidget(action_button(actions["drawing.play"], holder))
        row.addWidget(action_button(actions["drawing.tap"], holder))
        self.time = QLabel(holder)
        self.time.setObjectName("drawing.time")
        self.time.setFont(theme.fixed_font(9.5))
        self.time.setMinimumWidth(126)
        self.time.setAlignment(Qt.AlignmentFlag.AlignCenter)
        row.addWidget(self.time)
        row.addSpacing(10)
        row.addWidget(action_button(actions["drawing.onion_skin"], holder))
        row.addWidget(action_button(actions["drawing.zoom_out"], holder))
        self.zoom = named(QToolButton(holder), "drawing.zoom", "Zoom", "How large the panel is shown; click for 100 %")
        self.zoom.setFixedWidth(58)
        self.zoom.clicked.connect(lambda: self.canvas.zoom_to(1.0))
        row.addWidget(self.zoom)
        row.addWidget(action_button(actions["drawing.zoom_in"], holder))
        row.addWidget(action_button(actions["drawing.fit"], holder))
        return holder

    def _build_tools(self) -> QWidget:
        holder = QWidget(self)
        holder.setObjectName("drawing.tools")
        holder.setFixedWidth(76)
        column = QVBoxLayout(holder)
        column.setContentsMargins(6, 8, 6, 8)
        column.setSpacing(4)
        grid = QGridLayout()
        grid.setSpacing(2)
        for place, tool in enumerate(_TOOLS):
            button = action_button(self._services.actions[f"drawing.{tool.value}"], holder)
            button.setFixedSize(31, 31)
            button.setIconSize(theme.icon_size(18))
            grid.addWidget(button, place // 2, place % 2)
        column.addLayout(grid)
        column.addSpacing(10)
        self.ink = named(QToolButton(holder), "drawing.ink", "Colour", "The colour one draws with; click for any other")
        self.ink.setFixedSize(64, 34)
        self.ink.setIconSize(QSize(54, 24))
        self.ink.clicked.connect(self._ask_ink)
        column.addWidget(self.ink)
        inks = QGridLayout()
        inks.setSpacing(1)
        self._inks = QButtonGroup(self)
        for place, rgb in enumerate(COLOURS):
            button = named(
                QToolButton(holder), f"drawing.ink.{place}", f"Ink {QColor(*rgb).name()}",
                f"Draw with {QColor(*rgb).name()}; Alt and a click on the picture takes any colour",
            )  # fmt: skip
            button.setIcon(_swatch(QColor(*rgb), QSize(20, 20)))
            button.setIconSize(QSize(20, 20))
            button.setFixedSize(31, 27)
            button.setCheckable(True)
            button.clicked.connect(lambda _on=False, c=rgb: self.drawing.set(colour=c))
            self._inks.addButton(button, place)
            inks.addWidget(button, place // 2, place % 2)
        column.addLayout(inks)
        column.addStretch(1)
        return holder

    def _build_options(self) -> QWidget:
        holder, row = self._strip_of("drawing.options", 38)
        self.width_slider = ValueSlider(
            "drawing.width", "Width", low=_WIDTHS[0], high=_WIDTHS[1], default=8, step=1, decimals=0, unit="px",
            logarithmic=True, tip="How wide the tip is ([ and ])", compact=True, parent=holder,
        )  # fmt: skip
        self.width_slider.label.setFixedWidth(44)
        self.width_slider.value_changed.connect(lambda width: self.drawing.set(width=float(width)))
        self.opacity = ValueSlider(
            "drawing.opacity", "Opacity", low=5, high=100, default=100, step=1, decimals=0, unit="%",
            tip="How much colour a stroke lays down", compact=True, parent=holder,
        )  # fmt: skip
        self.opacity.label.setFixedWidth(52)
        self.opacity.value_changed.connect(lambda value: self.drawing.set(opacity=value / 100))
        self.tolerance = ValueSlider(
            "drawing.tolerance", "Tolerance", low=0, high=128, default=24, step=1, decimals=0,
            tip="How unlike colours may be that a fill runs over", compact=True, parent=holder,
        )  # fmt: skip
        self.tolerance.label.setFixedWidth(62)
        self.tolerance.value_changed.connect(lambda value: self.drawing.set(tolerance=round(value)))
        self.solid = chooser(
            "drawing.solid", "Shapes", "Whether boxes and ellipses are filled",
            [("Filled", True), ("Outline", False)], holder,
        )  # fmt: skip
        self.solid.activated.connect(lambda row: self.drawing.set(solid=self.solid.itemData(row)))
        self.arrow = chooser(
            "drawing.arrowKind", "Arrow", "Who moves along a new arrow",
            [("Subject moves", ArrowKind.SUBJECT), ("Camera moves", ArrowKind.CAMERA)], holder,
        )  # fmt: skip
        self.arrow.activated.connect(self._on_arrow_kind)
        self.drop = text_button(
            "drawing.drop", "Remove", "x", "Take the camera frames, or the chosen arrow, away (Delete)",
            self.canvas.delete_chosen, holder,
        )  # fmt: skip
        self.hint = ElidedLabel(parent=holder)
        self.hint.setObjectName("drawing.hint")
        self.hint.setProperty("role", "faint")
        for widget in (self.width_slider, self.opacity, self.tolerance):
            widget.setMaximumWidth(260)
            row.addWidget(widget, 2)
        for widget in (self.solid, self.arrow, self.drop):
            row.addWidget(widget)
        row.addWidget(self.hint, 3)
        return holder

    def _wire(self) -> None:
        boards = self._boards
        boards.current_changed.connect(lambda _board: self.reload())
        boards.panel_still_changed.connect(lambda _panel: self.strip.update())
        self.drawing.settings_changed.connect(self._show_settings)
        self.canvas.frames_drawn.connect(self._on_frames)
        self.canvas.arrows_drawn.connect(self._on_arrows)
        self.canvas.colour_picked.connect(lambda rgb: self.drawing.set(colour=rgb))
        self.canvas.zoom_changed.connect(lambda zoom: self.zoom.setText(f"{zoom:.0%}"))
        self.strip.chosen.connect(self.open_panel)
        self.strip.opened.connect(self.open_panel)
        self.strip.sought.connect(self.player.seek)
        self.strip.retimed.connect(
            lambda times: boards.edit("Panel length", lambda d, b: board_edits.set_times(d, b.id, times))
        )
        self.player.moved.connect(self._on_moved)
        self.player.playing_changed.connect(self._on_playing)
        self.details.changed.connect(
            lambda label, key, changes: boards.change_panel(self.details.shown, label, merge_key=key, **changes)
        )
        self.details.look_taken.connect(lambda: self._services.take_look(self._panel_id))
        self.details.frames_wanted.connect(lambda: self.choose_tool(Tool.FRAME))
        self.details.frames_dropped.connect(lambda: self._on_frames(()))
        self._show_settings(self.drawing.settings)

    # -- which panel --------------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return self._panel_id

    @property
    def panel_id(self) -> str:
        """The panel that is drawn on."""
        return self._panel_id

    def open_panel(self, panel_id: str) -> None:
        """Draw on a panel of the current board."""
        board = self._boards.current
        if board is None or all(panel.id != panel_id for panel in board.panels):
            return
        if panel_id != self._panel_id:
            self._panel_id = panel_id
            self.drawing.open(panel_id)
            self._told(panel_id)
        self.reload()

    def step(self, way: int) -> None:
        """The panel before (−1) or after (+1)."""
        board = self._boards.current
        ids = [panel.id for panel in board.panels] if board is not None else []
        if self._panel_id in ids:
            place = min(max(0, ids.index(self._panel_id) + way), len(ids) - 1)
            self.open_panel(ids[place])
            assert board is not None
            self.player.seek(float(board_edits.starts(board)[place]))

    def new_panel(self) -> None:
        """An empty panel behind this one, to draw on."""
        board = self._boards.current
        ids = [panel.id for panel in board.panels] if board is not None else []
        place = ids.index(self._panel_id) + 1 if self._panel_id in ids else len(ids)
        if added := self._boards.add_panel(at=place):
            self.open_panel(added)

    def reload(self) -> None:
        """Show the board and the panel as they are."""
        board = self._boards.current
        ids = [panel.id for panel in board.panels] if board is not None else []
        if self._panel_id not in ids and self.isVisible():
            if not ids:
                self.close()
                return
            self._panel_id = ids[-1]
            self.drawing.open(self._panel_id)
            self._told(self._panel_id)
        panel = self._boards.panel(self._panel_id)
        self.strip.show_board(self.player.board, self._panel_id)
        self.details.show_panel(board, panel)
        for section in self.details.sections.values():
            if isinstance(section.content, StillsSection | FootageSection):
                section.content.reload()
        if board is not None and panel is not None:
            place = ids.index(panel.id) + 1
            size = f"  ·  {panel.shot_size.title}" if panel.shot_size.value else ""
            self.title.show_text(f"Panel {place} of {len(ids)}  {panel.name}{size}")
            self.setWindowTitle(f"{board.name} — Panel {place}")
        self._show_time()

    # -- time ---------------------------------------------------------------------------------------------------------

    def _on_moved(self, second: float) -> None:
        if self.isVisible():
            self.strip.show_second(second)
            if self.player.playing:
                self.monitor.show_moment(self.player.board, second)
            self._show_time()

    def _on_playing(self, on: bool) -> None:
        self._stage.setCurrentWidget(self.monitor if on else self.canvas)
        if on:
            self.monitor.show_moment(self.player.board, self.player.second)
            return
        # The panel that was shown last is the one to draw on.
        board = self._boards.current
        if board is not None and board.panels and self.isVisible():
            at = Fraction(self.player.second).limit_denominator(48000)
            self.open_panel(board.panels[board_edits.panel_at(board, at)[0]].id)
        self.strip.show_board(board, self._panel_id)

    def tap(self) -> None:
        """End the panel that plays; the strip shows the new lengths at once."""
        self.player.tap()
        self.strip.show_board(self.player.board, self._panel_id)

    def _show_time(self) -> None:
        board = self.player.board
        total = float(board_edits.starts(board)[-1]) if board is not None else 0.0
        self.time.setText(f"{clock(round(self.player.second, 1))} / {clock(round(total, 1))}")

    def _sound_name(self, media_id: str) -> str:
        item = self._boards.session.document.media.get(media_id)
        return item.name if item is not None else "missing sound"

    # -- tools --------------------------------------------------------------------------------------------------------

    def choose_tool(self, tool: Tool) -> None:
        self.player.stop()
        self.drawing.set(tool=tool)

    def change_width(self, way: int) -> None:
        """Thicker (+) or thinner (−)."""
        width = self.drawing.settings.width
        step = max(1.0, width * 0.2)
        self.drawing.set(width=float(round(min(_WIDTHS[1], max(_WIDTHS[0], width + way * step)))))

    def set_onion_skin(self, on: bool) -> None:
        if on != (self.drawing.settings.onion > 0):
            self.drawing.set(onion=0.5 if on else 0.0)

    def _show_settings(self, settings: object) -> None:
        assert isinstance(settings, DrawingSettings)
        actions = self._services.actions
        tool = settings.tool
        for other in Tool:
            actions[f"drawing.{other.value}"].setChecked(other is tool)
        actions["drawing.onion_skin"].setChecked(settings.onion > 0)
        for slider, value in ((self.width_slider, settings.width), (self.opacity, settings.opacity * 100)):
            if round(slider.value) != round(value):
                slider.set_value(value)
        self.ink.setIcon(_swatch(QColor(*settings.colour), QSize(54, 24)))
        for place, rgb in enumerate(COLOURS):
            self._inks.setExclusive(False)
            self._inks.button(place).setChecked(rgb == settings.colour)
        shapes = tool in (Tool.BOX, Tool.ELLIPSE)
        strokes = tool in (Tool.PEN, Tool.PENCIL, Tool.ERASER, Tool.LINE) or (shapes and not settings.solid)
        self.width_slider.setVisible(strokes)
        self.opacity.setVisible(tool not in (Tool.FRAME, Tool.ARROW, Tool.HAND))
        self.tolerance.setVisible(tool is Tool.FILL)
        self.solid.setVisible(shapes)
        self.arrow.setVisible(tool is Tool.ARROW)
        self.drop.setVisible(tool in (Tool.FRAME, Tool.ARROW))
        self.hint.show_text(_HINTS.get(tool, ""))

    def _set_reference_strength(self, strength: float) -> None:
        self._boards.change_panel(self._panel_id, "Reference strength", reference_opacity=strength)

    def _on_arrow_kind(self, row: int) -> None:
        self.canvas.arrow_kind = self.arrow.itemData(row)

    def _on_frames(self, frames: object) -> None:
        assert isinstance(frames, tuple)
        panel_id = self._panel_id
        self._boards.edit(
            "Camera frames" if frames else "Remove camera frames",
            lambda d, b: board_edits.set_frames(d, b.id, panel_id, frames),
        )

    def _on_arrows(self, arrows: object) -> None:
        assert isinstance(arrows, tuple)
        panel_id = self._panel_id
        self._boards.edit("Arrows", lambda d, b: board_edits.set_arrows(d, b.id, panel_id, arrows))

    def _ask_ink(self) -> None:
        dialog = QColorDialog(QColor(*self.drawing.settings.colour), self)
        dialog.setObjectName("drawing.ink.dialog")
        dialog.setWindowTitle("Colour")
        dialog.colorSelected.connect(lambda ink: self.drawing.set(colour=(ink.red(), ink.green(), ink.blue())))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _ask_reference(self) -> None:
        dialog = QFileDialog(self, "Reference picture", "", _IMAGES)
        dialog.setObjectName("drawing.reference.dialog")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda name: self._boards.set_reference(self._panel_id, Path(name)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    # -- window -------------------------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.reload()
        self.strip.show_second(self.player.second)
        self.canvas.setFocus()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.player.stop()
        self.drawing.cancel()
        super().closeEvent(event)


_HINTS = {
    Tool.FRAME: "Drag A and B; corners resize, the dot turns. Arrow keys move B, with Alt A, with Shift the size.",
    Tool.ARROW: "Drag to draw who moves where.",
    Tool.HAND: "Drag to move the view; the wheel zooms.",
    Tool.FILL: "Click a region.",
    Tool.ERASER: "Rubs out on the chosen layer.",
}


def _swatch(ink: QColor, size: QSize) -> QIcon:
    pixmap = QPixmap(size * 2)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.colour("text_faint"), 2))
    painter.setBrush(ink)
    painter.drawRoundedRect(pixmap.rect().adjusted(1, 1, -1, -1), 8, 8)
    painter.end()
    pixmap.setDevicePixelRatio(2.0)
    return QIcon(pixmap)
