"""The source viewer: picture, scrub bar, marks, transport, and the edits that carry it to the timeline."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFrame, QHBoxLayout, QMenu, QToolButton, QVBoxLayout, QWidget

from gen2studio.app.session import Session
from gen2studio.app.source_monitor import SourceMonitor
from gen2studio.core.media_info import MediaKind
from gen2studio.core.time import timecode
from gen2studio.document.model import TrackKind
from gen2studio.ui import theme
from gen2studio.ui.source.bar import SourceBar
from gen2studio.ui.source.picture import SourcePicture
from gen2studio.ui.source.waves import WaveStrip
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.playhead_field import PlayheadField

_BUTTONS = (
    ("playback.step_back", "playback.play", "playback.step_forward"),
    ("timeline.set_in", "timeline.set_out"),
    ("source.insert", "source.overwrite", "source.append", "source.fit_to_fill"),
)
_ICONS = {"timeline.set_in": "set-in", "timeline.set_out": "set-out"}


class SourcePanel(QWidget):
    """Shows a :class:`SourceMonitor`. Its buttons are actions of the table, meant for the source."""

    touched = Signal()
    """Somebody works in here: the keys are meant for the source."""

    def __init__(
        self, session: Session, source: SourceMonitor, actions: dict[str, QAction], parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setObjectName("sourcePanel")
        self.setAccessibleName("Source viewer")
        self._session = session
        self._source = source
        self.waves = WaveStrip(self)
        self.picture = SourcePicture(self)
        self.bar = SourceBar(source, self.waves, self)
        self.name = ElidedLabel(mode=Qt.TextElideMode.ElideMiddle, parent=self)
        self.name.setObjectName("source.name")
        self.length = ElidedLabel(parent=self)
        self.length.setObjectName("source.length")
        self.length.setProperty("role", "muted")
        self.length.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.patches = {kind: self._patch(kind) for kind in (TrackKind.VIDEO, TrackKind.AUDIO)}
        self.timecode = _Timecode(source, self)
        self.buttons: dict[str, QToolButton] = {}

        head = QHBoxLayout()
        head.setContentsMargins(10, 2, 8, 2)
        head.setSpacing(4)
        head.addWidget(self.name, 1)
        head.addWidget(self.length, 1)
        for button in self.patches.values():
            head.addWidget(button)
        strip = QFrame(self)
        strip.setObjectName("source.strip")
        strip.setProperty("role", "strip")
        row = QHBoxLayout(strip)
        row.setContentsMargins(8, 3, 6, 3)
        row.setSpacing(1)
        row.addWidget(self.timecode)
        row.addStretch(1)
        for index, group in enumerate(_BUTTONS):
            if index:
                row.addSpacing(5)
            for action_id in group:
                row.addWidget(self._button(actions[action_id], strip))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(head)
        layout.addWidget(self.picture, 1)
        layout.addWidget(self.bar)
        layout.addWidget(strip)
        self.setFocusProxy(self.picture)

        source.opened.connect(self._on_opened)
        source.marks_changed.connect(lambda _media: self._show_length())
        source.patch_changed.connect(lambda _patch: self._show_patches())
        source.feed.picture_changed.connect(self.picture.show_picture)
        source.player.playing_changed.connect(self._on_playing_changed)
        session.store.changed.connect(lambda _old, _new: self._show_patches())
        session.store.replaced.connect(lambda _new: self._show_patches())
        session.track_changed.connect(lambda _track: self._show_patches())
        self.waves.arrived.connect(self.picture.update)
        self._on_opened(source.item.id if source.item is not None else "")
        self._show_patches()

    def shutdown(self) -> None:
        """End the thread that reads waveforms."""
        self.waves.stop()

    # -- buttons -------------------------------------------------------------------------------------------------------

    def _button(self, action: QAction, parent: QWidget) -> QToolButton:
        name = action.objectName()
        button = QToolButton(parent)
        button.setObjectName(f"source.{name}")
        button.setAccessibleName(action.text())
        button.setProperty("command", name)
        button.setToolTip(action.toolTip())
        button.setIcon(theme.icon(_ICONS[name]) if name in _ICONS else action.icon())
        button.setIconSize(theme.icon_size(16))
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        button.clicked.connect(lambda _checked=False: self._trigger(action))
        self.buttons[name] = button
        return button

    def _trigger(self, action: QAction) -> None:
        self.touched.emit()
        action.trigger()

    def _on_playing_changed(self, playing: bool) -> None:
        self.buttons["playback.play"].setIcon(theme.icon("pause" if playing else "play"))

    # -- where edits go ------------------------------------------------------------------------------------------------

    def _patch(self, kind: TrackKind) -> QToolButton:
        what = "picture" if kind is TrackKind.VIDEO else "sound"
        button = QToolButton(self)
        button.setObjectName(f"source.patch.{kind.value}")
        button.setAccessibleName(f"Track for the {what}")
        button.setToolTip(f"Take the {what} along. The arrow chooses the track it goes to.")
        button.setCheckable(True)
        button.setProperty("role", "switch")
        button.setPopupMode(QToolButton.ToolButtonPopupMode.MenuButtonPopup)
        menu = QMenu(button)
        menu.setObjectName(f"source.patch.{kind.value}.menu")
        menu.aboutToShow.connect(lambda: self._fill(menu, kind))
        button.setMenu(menu)
        button.clicked.connect(lambda on: self._set_patch(kind, on=on))
        return button

    def _fill(self, menu: QMenu, kind: TrackKind) -> None:
        menu.clear()
        chosen = self._chosen(kind)
        automatic = menu.addAction("Target track", lambda: self._set_patch(kind, track=""))
        automatic.setCheckable(True)
        automatic.setChecked(not chosen)
        for label, track_id, _name in self._lanes(kind):
            action = menu.addAction(label, lambda track_id=track_id: self._set_patch(kind, track=track_id))
            action.setCheckable(True)
            action.setChecked(track_id == chosen)

    def _lanes(self, kind: TrackKind) -> list[tuple[str, str, str]]:
        """(``V1``, track id, its name) from the bottom up for pictures, from the top down for sound."""
        sequence = self._session.sequence
        tracks = [t for t in sequence.tracks if t.kind is kind] if sequence else []
        letter = "V" if kind is TrackKind.VIDEO else "A"
        return [(f"{letter}{n}", t.id, t.name) for n, t in enumerate(tracks, 1)]

    def _chosen(self, kind: TrackKind) -> str:
        patch = self._source.patch
        return patch.video_track if kind is TrackKind.VIDEO else patch.audio_track

    def _set_patch(self, kind: TrackKind, *, on: bool | None = None, track: str | None = None) -> None:
        patch = self._source.patch
        if kind is TrackKind.VIDEO:
            wanted = replace(
                patch,
                video=patch.video if on is None else on,
                video_track=patch.video_track if track is None else track,
            )
        else:
            wanted = replace(
                patch,
                audio=patch.audio if on is None else on,
                audio_track=patch.audio_track if track is None else track,
            )
        self._source.set_patch(wanted)
        self._show_patches()

    def _show_patches(self) -> None:
        patch = self._source.patch
        for kind, button in self.patches.items():
            lanes = self._lanes(kind)
            chosen = self._chosen(kind)
            target = chosen or self._session.track
            letter = "V" if kind is TrackKind.VIDEO else "A"
            label = next((text for text, track_id, _ in lanes if track_id == target), lanes[0][0] if lanes else letter)
            button.setText(label)
            button.setChecked(patch.video if kind is TrackKind.VIDEO else patch.audio)

    # -- what is open --------------------------------------------------------------------------------------------------

    def _on_opened(self, media_id: str) -> None:
        item = self._source.item
        self.name.show_text(item.name if item is not None else "Source")
        self.name.setToolTip(item.name if item is not None else "")
        sounds = item is not None and item.info.audio is not None
        alone = item is not None and item.info.kind is MediaKind.AUDIO
        if item is not None and (sounds or alone) and not item.nested:
            self.waves.open(item.path, float(self._source.length / self._source.rate))
        else:
            self.waves.open("", 0.0)
        self.picture.show_media(media_id, self.waves if alone else None)
        if item is not None and not alone:
            self.picture.show_picture(self._source.feed.picture)
            self._source.feed.start()
        for button in self.buttons.values():
            button.setEnabled(item is not None)
        self.patches[TrackKind.VIDEO].setEnabled(item is None or item.info.has_video)
        self.patches[TrackKind.AUDIO].setEnabled(item is None or sounds or alone)
        self.timecode.setEnabled(item is not None)
        self.timecode.show_frame(self._source.playhead)
        self._show_length()

    def _show_length(self) -> None:
        source = self._source
        if not source.length:
            self.length.show_text("")
            return
        marks = source.marks
        frames = (source.length if marks.stop is None else marks.stop) - (marks.start or 0)
        whole = marks.start is None and marks.stop is None
        text = timecode(frames, source.rate)
        self.length.show_text(text if whole else f"In–Out {text}")
        self.length.setToolTip("Length of the source" if whole else "Length from In to Out")


class _Timecode(PlayheadField):
    """The source's timecode; type one to go there."""

    def __init__(self, source: SourceMonitor, parent: QWidget) -> None:
        def go(frame: int) -> None:
            source.session.set_shuttle(0.0)
            source.go(frame)

        super().__init__(
            "source.timecode", "Source timecode",
            "Timecode of the source. Type a timecode or a frame number and press Enter to go there.",
            source.session, lambda: (source.playhead, source.rate), go, parent,
        )  # fmt: skip
        self.setFixedWidth(self.fontMetrics().horizontalAdvance("00:00:00:00") + 18)
