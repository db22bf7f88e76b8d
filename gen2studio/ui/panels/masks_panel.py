"""The mask panel: objects, brush, views, refinement, smart select, propagation, export."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import (
    QCheckBox,
    QDoubleSpinBox,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedLayout,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.actions_masks import ROWS
from gen2studio.app.generation import Generation
from gen2studio.app.look_parts import LookParts
from gen2studio.app.mask_editing import BrushSettings, MaskEditing
from gen2studio.app.mask_editing_jobs import MaskJob
from gen2studio.app.session import Session
from gen2studio.ui import key_tips, theme
from gen2studio.ui.panels.masks_engines import with_engines
from gen2studio.ui.panels.masks_looks import LooksSection
from gen2studio.ui.panels.masks_objects import ROW, ObjectList
from gen2studio.ui.panels.masks_refine import RefineSection
from gen2studio.ui.panels.masks_views import ViewSection
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.section import Section
from gen2studio.ui.widgets.value_slider import ValueSlider

_ROWS = {row.id: row for row in ROWS}
_DIRECTIONS = ("backward", "both", "forward", "next")
_SMART = ("select_box", "include", "exclude")
# A style sheet leaves a number field without buttons one pixel of room for its text unless their width is given.
_NUMBER_FIELDS = (
    "QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { subcontrol-origin: border; width: 0; border: none; }"
)
_HOW_TO_START = "Paint over the subject, or drop a matte file here."


class MasksPanel(QWidget):
    """Works on the current object and the frame in the viewer. Refusals go to the message bar."""

    def __init__(
        self,
        session: Session,
        masks: MaskEditing,
        parent: QWidget | None = None,
        *,
        bring_in: Callable[[], object] | None = None,
        export: Callable[[], object] | None = None,
        looks: tuple[LookParts, Generation] | None = None,
    ) -> None:
        """``looks`` adds the table of looks by object.

        ``bring_in`` and ``export`` open the dialogs for matte files (``dialogs.matte_commands``)."""
        super().__init__(parent)
        self.setObjectName("masks")
        self.setAccessibleName("Masks")
        self.setStyleSheet(_NUMBER_FIELDS)
        self._session = session
        self._masks = masks
        self._bring_in = bring_in
        self._export = export
        content = QWidget(self)
        layout = QVBoxLayout(content)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(theme.SPACING)
        layout.addWidget(self._objects())
        layout.addWidget(Section("masks.brush", "Brush", self._brush(), parent=content))
        self.view = ViewSection(session, content)
        self.views = self.view.views
        layout.addWidget(Section("masks.view", "View", self.view, parent=content))
        layout.addWidget(
            Section("masks.smart", "Smart select", with_engines(masks, "select", self._smart()), parent=content)
        )
        self.refine = RefineSection(masks, content)
        layout.addWidget(Section("masks.refine", "Refine", self.refine, parent=content))
        layout.addWidget(Section("masks.matte", "Edit matte", self._matte(), parent=content, open_=False))
        carrying = with_engines(masks, "track", self._propagate())
        layout.addWidget(Section("masks.propagate", "Propagate", carrying, parent=content))
        if looks is not None:
            self.looks = LooksSection(masks, *looks, content)
            layout.addWidget(Section("masks.looks", "Looks by object", self.looks, parent=content))
        layout.addLayout(self._files())
        layout.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setObjectName("masks.scroll")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._in_view = InView(self, self._catch_up)
        self._late = False
        """Frames went by while the panel was behind another tab."""
        self._shown_media = ""
        self.setMinimumWidth(content.minimumSizeHint().width() + scroll.verticalScrollBar().sizeHint().width())
        self._wire()

    def _wire(self) -> None:
        session, masks = self._session, self._masks
        masks.objects_changed.connect(self._on_objects_changed)
        masks.place_changed.connect(self._on_place_changed)
        masks.lane_changed.connect(self._on_lane_changed)
        masks.brush_changed.connect(self._on_brush_changed)
        masks.job_changed.connect(self._on_job_changed)
        session.tool_changed.connect(self._on_tool_changed)
        self._on_brush_changed(masks.brush)
        self._on_tool_changed(session.tool)
        self._on_job_changed(masks.job)
        self._on_objects_changed()

    # -- parts -----------------------------------------------------------------------------------------------------

    def _objects(self) -> QWidget:
        box = QWidget(self)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        row = QHBoxLayout()
        self.object_title = QLabel("Objects", box)
        self.object_title.setProperty("role", "heading")
        row.addWidget(self.object_title)
        row.addStretch(1)
        self.add_button = self._tool("mask.add_object", lambda: self._masks.add_object())
        self.copy_button = self._tool(
            "mask.duplicate_object", lambda: self._masks.listing.duplicate(self.objects.chosen_ids())
        )
        self.remove_button = self._tool(
            "mask.remove_object", lambda: self._masks.listing.remove(self.objects.chosen_ids())
        )
        row.addWidget(self.add_button)
        row.addWidget(self.copy_button)
        row.addWidget(self.remove_button)
        layout.addLayout(row)
        stack = QWidget(box)
        self._object_stack = QStackedLayout(stack)
        self.objects = ObjectList(self._masks, stack)
        self._no_objects = EmptyState(
            "brush", "No masks yet", "Paint over the subject, or drop a matte file here.", parent=stack
        )
        self._object_stack.addWidget(self._no_objects)
        self._object_stack.addWidget(self.objects)
        stack.setFixedHeight(3 * ROW + 20)
        layout.addWidget(stack)
        self._object_box = stack
        return box

    def _brush(self) -> QWidget:
        box = QWidget(self)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.brush_size = ValueSlider(
            "masks.size", "Size", low=1, high=2000, default=48, step=1, decimals=0, unit="px",
            tip="Diameter in picture pixels. Keys [ and ], or drag with the right button on the picture.",
            logarithmic=True, compact=True, parent=box,
        )  # fmt: skip
        self.hardness = ValueSlider(
            "masks.hardness", "Hardness", low=0, high=100, default=85, step=1, decimals=0, unit="%",
            tip="How sharp the edge of the brush is. Keys Shift+[ and Shift+].", compact=True, parent=box,
        )  # fmt: skip
        self.opacity = ValueSlider(
            "masks.opacity", "Opacity", low=1, high=100, default=100, step=1, decimals=0, unit="%",
            tip="The most that one stroke adds, however often it crosses itself.",
            compact=True, parent=box,
        )  # fmt: skip
        self.brush_size.value_changed.connect(lambda value: self._masks.set_brush(radius=value / 2))
        self.hardness.value_changed.connect(lambda value: self._masks.set_brush(hardness=value / 100))
        self.opacity.value_changed.connect(lambda value: self._masks.set_brush(opacity=value / 100))
        for slider in (self.brush_size, self.hardness, self.opacity):
            layout.addWidget(slider)
        row = QHBoxLayout()
        self.pressure_size = self._check("masks.pressure_size", "Pen sizes", "Pen pressure changes the size.")
        self.pressure_opacity = self._check("masks.pressure_opacity", "Pen fades", "Pen pressure changes the opacity.")
        self.pressure_size.toggled.connect(lambda on: self._masks.set_brush(pressure_size=on))
        self.pressure_opacity.toggled.connect(lambda on: self._masks.set_brush(pressure_opacity=on))
        row.addWidget(self.pressure_size)
        row.addWidget(self.pressure_opacity)
        row.addStretch(1)
        layout.addLayout(row)
        return box

    def _smart(self) -> QWidget:
        box = QWidget(self)
        layout = QHBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self.smart: dict[str, QToolButton] = {}
        for name, words in zip(_SMART, ("Box", "Include", "Exclude"), strict=True):
            row = _ROWS[f"tool.{name}"]
            button = QToolButton(box)
            button.setIcon(theme.icon(row.icon))
            button.setIconSize(QSize(16, 16))
            button.setText(words)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            button.setObjectName(f"masks.{name}")
            button.setAccessibleName(row.text)
            button.setProperty("command", row.id)
            button.setToolTip(_tip(row.id))
            button.setCheckable(True)
            button.clicked.connect(lambda _on, n=name: self._session.set_tool(n))
            layout.addWidget(button, 1)
            self.smart[name] = button
        return box

    def _matte(self) -> QWidget:
        box = QWidget(self)
        grid = QGridLayout(box)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(theme.SPACING)
        grid.setVerticalSpacing(4)
        self.grow = self._amount("masks.grow", "Grow or shrink", -200, 200, 2, "Negative shrinks.")
        self.feather = self._amount("masks.feather", "Feather", 0, 200, 2, "Softens the edge to either side.")
        for line, (words, field, command) in enumerate(
            (("Grow", self.grow, self._on_grow), ("Feather", self.feather, self._on_feather))
        ):
            button = QPushButton("Apply", box)
            button.setObjectName(f"masks.{words.lower()}.apply")
            button.setAccessibleName(f"Apply {words.lower()}")
            button.setToolTip(f"{words} the matte by this many pixels")
            button.clicked.connect(command)
            label = QLabel(words, box)
            label.setBuddy(field)
            grid.addWidget(label, line, 0)
            grid.addWidget(field, line, 1)
            grid.addWidget(button, line, 2)
        grid.setColumnStretch(1, 1)
        row = QHBoxLayout()
        row.setSpacing(2)
        every = self._every
        for action, command in (
            ("mask.invert", lambda: self._masks.invert(every())),
            ("mask.fill_holes", lambda: self._masks.fill_holes(every())),
            ("mask.despeckle", lambda: self._masks.despeckle(all_frames=every())),
            ("mask.clear", lambda: self._masks.clear(every())),
        ):
            row.addWidget(self._tool(action, command))
        row.addStretch(1)
        self.all_frames = self._check(
            "masks.all_frames", "All frames", "Apply to every frame that has a matte of this object, as one step."
        )
        row.addWidget(self.all_frames)
        grid.addLayout(row, 2, 0, 1, 3)
        return box

    def _propagate(self) -> QWidget:
        box = QWidget(self)
        layout = QVBoxLayout(box)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACING)
        row = QHBoxLayout()
        row.setSpacing(4)
        self.directions: dict[str, QPushButton] = {}
        for direction in _DIRECTIONS:
            action = _ROWS[f"mask.propagate_{direction}"]
            button = QPushButton(theme.icon(action.icon), "", box)
            button.setObjectName(f"masks.propagate_{direction}")
            button.setAccessibleName(action.text)
            button.setProperty("command", action.id)
            button.setToolTip(_tip(action.id))
            button.setIconSize(QSize(18, 18))
            button.clicked.connect(lambda _on, d=direction: self._on_propagate(d))
            row.addWidget(button, 1)
            self.directions[direction] = button
        layout.addLayout(row)
        self.all_objects = self._check(
            "masks.all_objects", "All objects together", "Carry every unlocked object of this clip in one run."
        )
        layout.addWidget(self.all_objects)
        running = QHBoxLayout()
        self.progress = QProgressBar(box)
        self.progress.setObjectName("masks.progress")
        self.progress.setAccessibleName("Progress of the mask job")
        self.progress.setFixedHeight(18)
        running.addWidget(self.progress, 1)
        self.stop_button = self._tool("mask.cancel", self._masks.cancel_job)
        running.addWidget(self.stop_button)
        self._running = QWidget(box)
        self._running.setLayout(running)
        running.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._running)
        self.summary = QLabel("", box)
        self.summary.setObjectName("masks.summary")
        self.summary.setProperty("role", "muted")
        self.summary.setWordWrap(True)
        layout.addWidget(self.summary)
        self.suspect_button = QPushButton(theme.icon("triangle-alert", "warning"), "Next suspect frame", box)
        self.suspect_button.setObjectName("masks.next_suspect")
        self.suspect_button.setAccessibleName("Next suspect frame")
        self.suspect_button.setProperty("command", "mask.next_suspect")
        self.suspect_button.setToolTip(_tip("mask.next_suspect"))
        self.suspect_button.clicked.connect(self._masks.go_to_next_suspect)
        layout.addWidget(self.suspect_button)
        return box

    def _files(self) -> QHBoxLayout:
        """Mattes from and to files."""
        row = QHBoxLayout()
        row.setSpacing(4)
        self.import_button = self._file_button("mask.import", "Import…", lambda: self._bring_in)
        self.export_button = self._file_button("mask.export", "Export…", lambda: self._export)
        row.addWidget(self.import_button, 1)
        row.addWidget(self.export_button, 1)
        return row

    def _file_button(self, action: str, text: str, command: Callable[[], Callable[[], object] | None]) -> QPushButton:
        row = _ROWS[action]
        button = QPushButton(theme.icon(row.icon), text, self)
        button.setObjectName(f"masks.{action.split('.')[1]}")
        button.setAccessibleName(row.text.rstrip("…"))
        button.setProperty("command", action)
        button.setToolTip(_tip(action))
        button.clicked.connect(lambda: opener() if (opener := command()) is not None else None)
        return button

    # -- small parts -----------------------------------------------------------------------------------------------

    def _tool(self, action: str, command: Callable[[], object], checkable: bool = False) -> QToolButton:
        row = _ROWS[action]
        button = QToolButton(self)
        button.setObjectName(f"masks.{action.split('.')[1]}")
        button.setAccessibleName(row.text.rstrip("…"))
        button.setProperty("command", action)
        button.setToolTip(_tip(action))
        button.setIcon(theme.icon(row.icon))
        button.setIconSize(QSize(16, 16))
        button.setFixedSize(28, 28)
        button.setCheckable(checkable)
        button.clicked.connect(lambda: self._masks.attempt(command))
        return button

    def _check(self, name: str, text: str, tip: str) -> QCheckBox:
        box = QCheckBox(text, self)
        box.setObjectName(name)
        box.setAccessibleName(text)
        box.setToolTip(tip)
        return box

    def _amount(self, name: str, title: str, low: float, high: float, value: float, tip: str) -> QDoubleSpinBox:
        field = QDoubleSpinBox(self)
        field.setObjectName(name)
        field.setAccessibleName(title)
        field.setToolTip(f"{title}, in picture pixels. {tip}")
        field.setRange(low, high)
        field.setDecimals(1)
        field.setSingleStep(1)
        field.setValue(value)
        field.setSuffix(" px")
        field.setProperty("plain", True)
        field.setAlignment(Qt.AlignmentFlag.AlignRight)
        field.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        return field

    def _every(self) -> bool:
        return self.all_frames.isChecked()

    # -- what happens ----------------------------------------------------------------------------------------------

    def _on_grow(self) -> None:
        self._masks.attempt(lambda: self._masks.grow(self.grow.value(), self._every()))

    def _on_feather(self) -> None:
        self._masks.attempt(lambda: self._masks.feather(self.feather.value(), self._every()))

    def _on_propagate(self, direction: str) -> None:
        self._masks.attempt(lambda: self._masks.propagate(direction, self.all_objects.isChecked()))

    def _on_place_changed(self, media_id: str, _frame: int) -> None:
        if self._in_view.behind and media_id == self._shown_media:
            # Nobody sees what changes from frame to frame.
            self._late = True
            return
        self._on_objects_changed()
        self.refine.show_stack()

    def _catch_up(self) -> None:
        if self._late:
            self._late = False
            self._on_objects_changed()
            self.refine.show_stack()

    def _on_objects_changed(self) -> None:
        masks = self._masks
        self._shown_media = masks.media_id
        owners, current, shown = masks.objects(), masks.current(), bool(masks.media_id)
        self._object_stack.setCurrentWidget(self.objects if owners else self._no_objects)
        if shown:
            self._no_objects.say("No masks yet", _HOW_TO_START)
        else:
            self._no_objects.say("No clip in the viewer", "Move the playhead onto a clip to mask it.")
        self._object_box.setFixedHeight(min(6 * ROW, max(3 * ROW, self.objects.shown_rows())) + 12)
        self.add_button.setEnabled(shown)
        self.remove_button.setEnabled(current is not None and not current.locked)
        self.copy_button.setEnabled(current is not None)
        self._show_summary()

    def _on_lane_changed(self, _media_id: str) -> None:
        if self._in_view.behind:
            self._late = True
        else:
            self._show_summary()

    def _show_summary(self) -> None:
        masks = self._masks
        current = masks.current()
        lane = masks.confidence_lane(masks.media_id) if current is not None else []
        drawn = sum(anchor for _, anchor, _ in lane)
        carried = [sure for _, anchor, sure in lane if not anchor]
        suspects = len(masks.suspects()) if carried else 0
        if current is None:
            text = "Paint or select the subject on one frame, then carry it through the clip."
        elif not lane:
            text = f"{current.name} is on no frame yet."
        elif not carried:
            text = f"{current.name} is drawn on {_frames(drawn)}. Propagate to carry it through the clip."
        else:
            mean = sum(carried) / len(carried)
            doubt = f"{_frames(suspects)} suspect" if suspects else "none suspect"
            text = f"{_frames(drawn)} drawn, {_frames(len(carried))} propagated at {mean:.0%} confidence, {doubt}."
        self.summary.setText(text)
        self.suspect_button.setEnabled(bool(suspects))
        self.import_button.setEnabled(bool(masks.media_id))
        self.export_button.setEnabled(bool(masks.objects()))
        for button in self.directions.values():
            button.setEnabled(drawn > 0 and masks.job is None)

    def _on_job_changed(self, job: MaskJob | None) -> None:
        self._running.setVisible(job is not None)
        if job is not None:
            self.progress.setRange(0, job.total)
            self.progress.setValue(job.done)
            left = f" · {job.eta_seconds:.0f} s left" if job.eta_seconds else ""
            self.progress.setFormat(f"{job.done} of {job.total}{left}" if job.total else job.note or "…")
            self.progress.setToolTip(f"{job.label}\n{job.note}".strip())
        self._show_summary()

    def _on_brush_changed(self, brush: BrushSettings) -> None:
        self.brush_size.set_value(brush.radius * 2)
        self.hardness.set_value(brush.hardness * 100)
        self.opacity.set_value(brush.opacity * 100)
        self.pressure_size.setChecked(brush.pressure_size)
        self.pressure_opacity.setChecked(brush.pressure_opacity)

    def _on_tool_changed(self, tool: str) -> None:
        for name, button in self.smart.items():
            button.setChecked(name == tool)


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _tip(action: str) -> str:
    return key_tips.tip(_ROWS[action])
