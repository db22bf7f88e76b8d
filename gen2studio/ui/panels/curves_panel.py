"""The curve editor: parameters on the left, their graph on the right, easing and numbers above."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QShowEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QMenu, QSplitter, QStackedLayout, QVBoxLayout, QWidget

from gen2studio.app.curve_editing import CurveEditing
from gen2studio.core.curve import Ease
from gen2studio.ui.panels.curves_graph import CurvesGraph
from gen2studio.ui.panels.curves_list import CurvesList
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.in_view import InView
from gen2studio.ui.widgets.named import action_button
from gen2studio.ui.widgets.number_field import NumberField
from gen2studio.ui.widgets.timecode_field import TimecodeField

EASES = {
    "curves.hold": Ease.HOLD,
    "curves.linear": Ease.LINEAR,
    "curves.smooth": Ease.SMOOTH,
    "curves.bezier": Ease.BEZIER,
}
_MENU = (
    "curves.add", "curves.remove", "", "curves.cut", "curves.copy", "curves.paste", "curves.select_all", "",
    *EASES, "", "curves.fit",
)  # fmt: skip


class CurvesPanel(QWidget):
    """Binds list, graph and numbers to a :class:`~gen2studio.app.curve_editing.CurveEditing`."""

    def __init__(self, curves: CurveEditing, actions: dict[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("curvesPanel")
        self.curves = curves
        self._actions = actions
        self.list = CurvesList(curves, self)
        self.graph = CurvesGraph(curves, self)
        self.empty = EmptyState(
            "spline", "No curves yet", "Select a clip to see how its parameters change over time.", parent=self
        )
        page = QWidget(self)
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._bar(page))
        splitter = QSplitter(Qt.Orientation.Horizontal, page)
        splitter.setObjectName("curves.splitter")
        splitter.setChildrenCollapsible(False)
        self.list.setMinimumWidth(170)
        splitter.addWidget(self.list)
        splitter.addWidget(self.graph)
        splitter.setStretchFactor(1, 1)
        splitter.setSizes([250, 900])
        column.addWidget(splitter, 1)
        self._stack = QStackedLayout(self)
        self._stack.addWidget(self.empty)
        self._stack.addWidget(page)
        self._view = InView(self, self.refresh)
        self.graph.menu_wanted.connect(self._open_menu)
        curves.changed.connect(self.refresh)
        curves.session.playhead_changed.connect(lambda _frame: self.refresh())
        self.refresh()

    def _bar(self, page: QWidget) -> QWidget:
        bar = QFrame(page)
        bar.setProperty("role", "strip")
        row = QHBoxLayout(bar)
        row.setContentsMargins(8, 3, 8, 3)
        row.setSpacing(2)
        self.title = ElidedLabel(parent=bar)
        self.title.setProperty("role", "muted")
        row.addWidget(self.title, 1)
        for group in (("key.previous", "curves.add", "curves.remove", "key.next"), tuple(EASES)):
            for name in group:
                button = action_button(self._actions[name], bar, "curves.button")
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
                button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
                row.addWidget(button)
            row.addSpacing(8)
        self.frame = TimecodeField("curves.frame", "Frame of the key", "Where the chosen keys stand", bar)
        self.frame.setFixedWidth(108)
        self.frame.edited.connect(self.curves.set_frame)
        self.value = NumberField("curves.value", "Value of the key", low=-1e6, high=1e6, parent=bar)
        self.value.setFixedWidth(84)
        self.value.edited.connect(self._on_value)
        row.addWidget(QLabel("Key", bar))
        row.addWidget(self.frame)
        row.addWidget(self.value)
        row.addSpacing(8)
        for name in ("curves.snap", "curves.zoom_out", "curves.zoom_in", "curves.fit"):
            button = action_button(self._actions[name], bar, "curves.button")
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
            row.addWidget(button)
        return bar

    # -- showing ------------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Show the curves as they are now; nothing while the panel is behind another tab."""
        if not self._view.now:
            return
        curves = self.curves
        clip = curves.clip()
        self._stack.setCurrentIndex(1 if clip is not None else 0)
        if clip is None:
            return
        self.list.refresh()
        current = curves.curves().get(curves.current)
        self.title.show_text(f"{clip.name}  ·  {current.label}" if current is not None else clip.name)
        self._show_numbers()
        chosen = bool(curves.chosen)
        for name in ("curves.remove", "curves.cut", "curves.copy", *EASES):
            self._actions[name].setEnabled(chosen)
        self._actions["curves.paste"].setEnabled(curves.can_paste)
        eases = {key.ease for _each, key in curves.chosen_keys()}
        for name, ease in EASES.items():
            action = self._actions[name]
            action.blockSignals(True)
            action.setChecked(eases == {ease})
            action.blockSignals(False)
            # The buttons hear of it by this signal alone.
            action.changed.emit()

    def _show_numbers(self) -> None:
        curves, sequence = self.curves, self.curves.session.sequence
        keys = curves.chosen_keys()
        here = [(each, key) for each, key in keys if each.name == curves.current]
        self.frame.setEnabled(bool(keys))
        self.value.setEnabled(bool(here))
        if sequence is None or not keys:
            self.frame.clear()
            self.value.set_mixed(0.0)
            return
        frames = sorted({each.shown_at(key.frame) for each, key in keys})
        self.frame.show_frame(frames[0], sequence.rate, mixed=len(frames) > 1)
        if not here:
            self.value.set_mixed(0.0)
            return
        kind = here[0][0].kind
        self.value.setRange(kind.shown(kind.low), kind.shown(kind.high))
        self.value.setDecimals(kind.decimals)
        self.value.setSingleStep(kind.step)
        self.value.setSuffix(f" {kind.unit}" if kind.unit and kind.unit not in "%°" else kind.unit)
        values = {key.value for _each, key in here}
        shown = kind.shown(here[0][1].value)
        if len(values) > 1:
            self.value.set_mixed(shown)
        else:
            self.value.show_value(shown)

    def _on_value(self, shown: float, gesture: int) -> None:
        current = self.curves.curves().get(self.curves.current)
        if current is not None:
            self.curves.set_value(current.kind.value_of(shown), gesture)

    def _open_menu(self, place: QPoint) -> None:
        menu = QMenu(self)
        menu.setObjectName("curves.menu")
        for name in _MENU:
            if name:
                menu.addAction(self._actions[name])
            else:
                menu.addSeparator()
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(place)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.refresh()

    # -- commands -----------------------------------------------------------------------------------------------------

    def add_key(self) -> bool:
        """A key of the current curve at the playhead."""
        return self.curves.add(self.curves.current, self.curves.session.playhead)

    def set_snapping(self, on: bool) -> None:
        self.curves.snapping = on

    def handlers(self) -> dict[str, Callable[..., object]]:
        """The commands by action id."""
        curves, graph = self.curves, self.graph
        return {
            "curves.add": self.add_key,
            "curves.remove": curves.remove,
            "curves.cut": curves.cut,
            "curves.copy": lambda: curves.copy() and self.refresh(),
            "curves.paste": curves.paste,
            "curves.select_all": curves.choose_all,
            "curves.fit": graph.fit,
            "curves.zoom_in": lambda: graph.zoom(1.5),
            "curves.zoom_out": lambda: graph.zoom(1 / 1.5),
            "curves.snap": self.set_snapping,
            **{name: lambda _on=True, ease=ease: curves.set_ease(ease) for name, ease in EASES.items()},
        }
