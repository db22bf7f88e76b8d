"""The strip above the ruler: timecode, tools, switches, what the sequence is, zoom."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QSlider, QToolButton, QWidget

from gen2studio.app import actions_timeline, actions_timeline_view
from gen2studio.app.session import Session
from gen2studio.ui import key_tips, theme
from gen2studio.ui.timeline.headers import WIDTH
from gen2studio.ui.timeline.tools import TOOLS
from gen2studio.ui.widgets.playhead_field import PlayheadField

_ROWS = {row.id: row for row in (*actions_timeline.ROWS, *actions_timeline_view.ROWS)}
SLIDER = 1000
"""Steps of the zoom slider."""
SWITCHES = (
    "timeline.toggle_snapping",
    "timeline.toggle_magnetic",
    "timeline.toggle_follow",
    "timeline.toggle_levels",
    "timeline.toggle_captions",
)
COMMANDS = (
    "timeline.razor",
    "timeline.ripple_delete",
    "timeline.link",
    "timeline.unlink",
    "timeline.add_marker",
)


class TimecodeField(PlayheadField):
    """The playhead's timecode; type one to go there."""

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        def where() -> tuple[int, Fraction | None]:
            sequence = session.sequence
            return session.playhead, sequence.rate if sequence is not None else None

        super().__init__(
            "timeline_timecode", "Playhead timecode",
            "Timecode of the playhead. Type a timecode or a frame number and press Enter to go there.",
            session, where, session.set_playhead, parent, size=11.0,
        )  # fmt: skip
        self.setFixedWidth(WIDTH - 14)
        self.show_frame(session.playhead)


class FactsLabel(QLabel):
    """Size, rate and length of the sequence: as many of them as there is room for, never one cut short."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_facts")
        self.setProperty("role", "faint")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._facts: tuple[str, ...] = ()

    def show_facts(self, *facts: str) -> None:
        """The most important one first; it stands rightmost."""
        self._facts = facts
        whole = " · ".join(reversed(facts))
        self.setAccessibleName(f"Sequence: {whole}" if facts else "No sequence")
        self.setToolTip(whole)
        self._fit()

    def _fit(self) -> None:
        texts = (" · ".join(reversed(self._facts[:count])) for count in range(len(self._facts), -1, -1))
        metrics = self.fontMetrics()
        self.setText(next((t for t in texts if metrics.horizontalAdvance(t) + 4 <= self.width()), ""))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()


class ToolStrip(QWidget):
    """Buttons by action id; ``trigger(action id)`` does what they say."""

    def __init__(self, session: Session, trigger: Callable[[str], None], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("timeline_strip")
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._trigger = trigger
        self.buttons: dict[str, QToolButton] = {}
        self.timecode = TimecodeField(session, self)
        row = self._row = QHBoxLayout(self)
        row.setContentsMargins(7, 3, 8, 3)
        row.setSpacing(2)
        row.addWidget(self.timecode)
        row.addSpacing(8)
        for tool in TOOLS:
            row.addWidget(self._button(tool.action, checkable=True))
        row.addWidget(self._line())
        for action_id in SWITCHES:
            row.addWidget(self._button(action_id, checkable=True))
        row.addWidget(self._line())
        for action_id in COMMANDS:
            row.addWidget(self._button(action_id))
        self.transitions = QToolButton(self)
        self.transitions.setObjectName("button_timeline.transitions")
        self.transitions.setAccessibleName("Transitions")
        self.transitions.setToolTip("Transitions: drag one onto a cut, or choose one for the nearest cut")
        self.transitions.setIcon(theme.icon("blend"))
        self.transitions.setIconSize(QSize(16, 16))
        self.transitions.setAutoRaise(True)
        self.transitions.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addWidget(self.transitions)
        row.addStretch(1)
        self.facts = FactsLabel(self)
        row.addWidget(self.facts, 4)
        row.addSpacing(10)
        row.addWidget(self._button("timeline.zoom_out"))
        self.slider = QSlider(Qt.Orientation.Horizontal, self)
        self.slider.setObjectName("timeline_zoom")
        self.slider.setAccessibleName("Timeline zoom")
        self.slider.setToolTip("Zoom of the timeline (Ctrl+wheel)")
        self.slider.setRange(0, SLIDER)
        self.slider.setFixedWidth(110)
        self.slider.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        row.addWidget(self.slider)
        row.addWidget(self._button("timeline.zoom_in"))
        row.addWidget(self._button("timeline.zoom_fit"))
        zoom = [self.buttons["timeline.zoom_out"], self.buttons["timeline.zoom_in"]]
        self._spare: tuple[list[QWidget], ...] = (
            [self.slider],
            [self.buttons[action_id] for action_id in COMMANDS],
            [*zoom, self.buttons["timeline.zoom_fit"]],
            [self.buttons["timeline.toggle_follow"], self.buttons["timeline.toggle_captions"]],
        )
        """What goes when there is no room, first things first: menus and keys have it all."""
        self._widths = [sum(w.sizeHint().width() + row.spacing() for w in group) for group in self._spare]
        self._widths[0] = self.slider.width()
        self._whole = row.sizeHint().width() - self.facts.sizeHint().width()

    def minimumSizeHint(self) -> QSize:
        """Narrow panels hide what is spare instead of growing over their neighbours."""
        return QSize(self._whole - sum(self._widths), super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        missing = self._whole - self.width()
        for group, width in zip(self._spare, self._widths, strict=True):
            for widget in group:
                widget.setVisible(missing <= 0)
            missing -= width if missing > 0 else 0

    def _button(self, action_id: str, checkable: bool = False) -> QToolButton:
        spec = _ROWS[action_id]
        button = QToolButton(self)
        button.setObjectName(f"button_{action_id}")
        button.setAccessibleName(spec.text)
        button.setProperty("command", action_id)
        button.setToolTip(key_tips.tip(spec))
        button.setIcon(theme.icon(spec.icon))
        button.setIconSize(QSize(16, 16))
        button.setAutoRaise(True)
        button.setCheckable(checkable)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self._trigger(action_id))
        self.buttons[action_id] = button
        return button

    def _line(self) -> QFrame:
        line = QFrame(self)
        line.setFixedSize(9, 18)
        line.setFrameShape(QFrame.Shape.VLine)
        line.setProperty("role", "bar")
        return line

    def show_state(self, action_id: str, on: bool) -> None:
        """Whether a tool is in hand or a switch is on."""
        self.buttons[action_id].setChecked(on)
