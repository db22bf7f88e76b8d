"""What can be set on a transition, in a small window beside it. Changes are seen at once; each row is one undo step."""

from __future__ import annotations

from functools import partial
from typing import Any

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSlider,
    QSpinBox,
    QToolButton,
    QWidget,
)

from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.core.errors import EditRefused
from gen2studio.document import edits
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.model import TrackKind
from gen2studio.ui import theme
from gen2studio.ui.timeline.shapes import TRANSITION_NAMES
from gen2studio.ui.timeline.transition_list import picture_of

_ANGLED = (TransitionKind.WIPE, TransitionKind.PUSH, TransitionKind.SLIDE, TransitionKind.CLOCK)
_SOFT = (TransitionKind.WIPE, TransitionKind.CLOCK, TransitionKind.IRIS)


class TransitionOptions(QWidget):
    """A pop-up: kind, length, how it lies on the cut, direction, softness, colour."""

    def __init__(
        self, session: Session, editing: TimelineEditing, transition_id: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        self.setObjectName("timeline_transition_options")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._session, self._editing, self._id = session, editing, transition_id
        self._showing = False
        self.kind = QComboBox(self)
        self._name(self.kind, "kind", "Kind of transition")
        for kind, name in TRANSITION_NAMES.items():
            self.kind.addItem(picture_of(kind, self.devicePixelRatioF()), name, kind)
        self.frames = QSpinBox(self)
        self._name(self.frames, "frames", "Length in frames")
        self.frames.setSuffix(" frames")
        self.places = QWidget(self)
        places = QHBoxLayout(self.places)
        places.setContentsMargins(0, 0, 0, 0)
        places.setSpacing(3)
        self._places: dict[str, QPushButton] = {}
        for key, text, tip in (
            ("before", "Before", "End at the cut"),
            ("centre", "Centre", "Lie evenly on the cut"),
            ("after", "After", "Begin at the cut"),
        ):
            button = self._places[key] = QPushButton(text, self.places)
            self._name(button, f"place_{key}", tip)
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.clicked.connect(partial(self._on_placed, key))
            places.addWidget(button)
        self.angle = QDoubleSpinBox(self)
        self._name(self.angle, "angle", "Direction in degrees: 0 moves right, 90 down")
        self.angle.setRange(0, 359)
        self.angle.setDecimals(0)
        self.angle.setSingleStep(45)
        self.angle.setWrapping(True)
        self.angle.setSuffix(" °")
        self.softness = QSlider(Qt.Orientation.Horizontal, self)
        self._name(self.softness, "softness", "Softness of the edge")
        self.softness.setRange(0, 100)
        self.colour = QToolButton(self)
        self._name(self.colour, "colour", "Colour that the picture dips to")
        self.colour.setFixedSize(60, 22)
        self.remove = QPushButton(theme.icon("trash-2"), "Remove", self)
        self._name(self.remove, "remove", "Make it a plain cut again (Del)")
        self.remove.setAutoDefault(False)
        form = self._form = QFormLayout(self)
        form.setContentsMargins(12, 10, 12, 12)
        form.setSpacing(7)
        title = QLabel("Transition", self)
        title.setProperty("role", "heading")
        form.addRow(title)
        for text, widget in (
            ("Kind", self.kind),
            ("Length", self.frames),
            ("On the cut", self.places),
            ("Direction", self.angle),
            ("Softness", self.softness),
            ("Colour", self.colour),
        ):
            form.addRow(text, widget)
        form.addRow(self.remove)
        self.kind.currentIndexChanged.connect(lambda _i: self._change("Transition Kind", kind=self.kind.currentData()))
        self.frames.valueChanged.connect(self._on_length)
        self.angle.valueChanged.connect(lambda value: self._change("Transition Direction", angle=value))
        self.softness.valueChanged.connect(lambda value: self._change("Transition Softness", softness=value / 100))
        self.colour.clicked.connect(self._on_colour)
        self.remove.clicked.connect(self._on_remove)
        session.store.changed.connect(lambda _old, _new: self._show())
        self._show()

    def _name(self, widget: QWidget, name: str, tip: str) -> None:
        widget.setObjectName(f"transition_{name}")
        widget.setAccessibleName(tip)
        widget.setToolTip(tip)

    def open_at(self, place: QPoint) -> None:
        """Show above ``place`` (global), wholly on the screen."""
        if self._transition() is None:
            self.close()
            return
        self.adjustSize()
        owner = self.parentWidget()
        area = (owner or self).screen().availableGeometry()
        x = min(max(area.left(), place.x() - self.width() // 2), area.right() - self.width())
        y = place.y() - self.height() - 14
        self.move(x, y if y >= area.top() else min(place.y() + 14, area.bottom() - self.height()))
        self.show()
        self.frames.setFocus(Qt.FocusReason.PopupFocusReason)

    # -- following ---------------------------------------------------------------------------------------------------

    def _transition(self) -> Transition | None:
        sequence = self._session.sequence
        try:
            return edits.find_transition(sequence, self._id)[1] if sequence is not None else None
        except EditRefused:
            return None

    def _show(self) -> None:
        mix, sequence = self._transition(), self._session.sequence
        if mix is None or sequence is None:
            self.close()
            return
        track = edits.find_transition(sequence, self._id)[0]
        sound = track.kind is TrackKind.AUDIO
        self._showing = True
        try:
            self.kind.setCurrentIndex(self.kind.findData(mix.kind))
            room = edits.transition_room(sequence, mix.left, mix.right, self._session.document.media)
            self.frames.setRange(1, max(1, sum(room)))
            self.frames.setValue(mix.duration)
            for key, on in (
                ("before", mix.after == 0),
                ("centre", bool(mix.before and mix.after) and abs(mix.before - mix.after) <= 1),
                ("after", mix.before == 0),
            ):
                self._places[key].setChecked(on)
            self._places["before"].setEnabled(room.before > 0)
            self._places["after"].setEnabled(room.after > 0)
            self._places["centre"].setEnabled(min(room) > 0)
            self.angle.setValue(mix.angle)
            self.softness.setValue(round(mix.softness * 100))
            self.colour.setStyleSheet(f"background: {QColor(*mix.colour).name()}; border-radius: 4px;")
            self._form.setRowVisible(self.kind, not sound)
            self._form.setRowVisible(self.angle, not sound and mix.kind in _ANGLED)
            self._form.setRowVisible(self.softness, not sound and mix.kind in _SOFT)
            self._form.setRowVisible(self.colour, not sound and mix.kind is TransitionKind.DIP)
        finally:
            self._showing = False
        self.adjustSize()

    # -- changing ----------------------------------------------------------------------------------------------------

    def _change(self, label: str, **changes: Any) -> None:
        if not self._showing:
            media = self._session.document.media
            self._editing.perform(
                label, lambda s: edits.change_transition(s, self._id, media, **changes), f"{label} {self._id}"
            )

    def _on_length(self, frames: int) -> None:
        mix, sequence = self._transition(), self._session.sequence
        if self._showing or mix is None or sequence is None:
            return
        room = edits.transition_room(sequence, mix.left, mix.right, self._session.document.media)
        if mix.after == 0:
            before, after = frames, 0
        elif mix.before == 0:
            before, after = 0, frames
        else:
            before = min(frames // 2, room.before)
            after = min(frames - before, room.after)
            before = min(frames - after, room.before)
        self._change("Transition Length", before=before, after=after)

    def _on_placed(self, key: str, _checked: bool = False) -> None:
        mix = self._transition()
        if mix is None:
            return
        whole = mix.duration
        before = {"before": whole, "centre": whole // 2, "after": 0}[key]
        self._change("Place Transition", before=before, after=whole - before)
        self._show()

    def _on_colour(self) -> None:
        from PySide6.QtWidgets import QColorDialog

        mix = self._transition()
        if mix is None:
            return
        dialog = QColorDialog(QColor(*mix.colour), self.parentWidget())
        dialog.setObjectName("transition_colour_dialog")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        media, editing, transition_id = self._session.document.media, self._editing, self._id

        def use(colour: QColor) -> None:
            rgb = (colour.red(), colour.green(), colour.blue())
            editing.perform("Transition Colour", lambda s: edits.change_transition(s, transition_id, media, colour=rgb))

        dialog.colorSelected.connect(use)
        self.close()
        dialog.open()

    def _on_remove(self) -> None:
        transition_id = self._id
        self.close()
        self._editing.perform("Remove Transition", lambda s: edits.remove_transitions(s, [transition_id]))
