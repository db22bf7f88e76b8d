"""Export: which presets, where to, which range, what goes with it; now, or into the queue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QPushButton,
    QRadioButton,
    QSpinBox,
    QToolButton,
    QWidget,
)

from gen2studio.app.export_queue import ExportQueue, QueuedJob
from gen2studio.app.export_values import LOUDNESS_TARGETS, Captions, ExportResult, ExportSettings, target_path
from gen2studio.app.file_job import FileJob
from gen2studio.app.preferences import Preferences
from gen2studio.core.errors import StudioError
from gen2studio.core.time import timecode
from gen2studio.document.model import Document
from gen2studio.media.encoder_presets import load_presets, preset_of
from gen2studio.raster.tiles import TileStore
from gen2studio.ui.dialogs.credentials import CredentialsRow
from gen2studio.ui.dialogs.file_job_dialog import FileJobDialog
from gen2studio.ui.panels.queue_panel import span
from gen2studio.ui.widgets.named import chooser, named, text_button


class ExportDialog(FileJobDialog):
    """The document is the one at the moment of the press. What is exported now goes before what waits in the queue."""

    exported = Signal(object)
    """ExportResult"""
    queue_asked = Signal()
    """The artist wants to see the queue."""

    def __init__(
        self,
        document: Callable[[], Document],
        preferences: Preferences,
        name: str,
        take_folder: Callable[[str], Path],
        project_folder: Path,
        queue: ExportQueue,
        tiles: Callable[[], TileStore],
        parent: QWidget,
    ) -> None:
        super().__init__("exportDialog", "Export", "export", parent)
        self.setMinimumWidth(600)
        self._document = document
        self._preferences = preferences
        self._take_folder = take_folder
        self._project_folder = project_folder
        self._queue = queue
        self._tiles = tiles
        self._sizing: FileJob | None = None
        self._targets: dict[str, Path] = {}
        self._make_fields(name)
        self.later = named(
            QPushButton("Add to queue", self), "export.later", "Add to queue",
            "Export it when its turn comes; the queue goes on after a restart",
        )  # fmt: skip
        self.later.clicked.connect(self._on_later_clicked)
        self.build_foot(
            self._rows, "Write the files now, before what waits (Enter)", close_tip="Close this window (Esc)",
            extra=(self.later,),
        )  # fmt: skip
        self.preset.currentIndexChanged.connect(lambda _i: self._on_preset_changed())
        self.path.textChanged.connect(lambda _text: self.forget_replacing())
        self._on_preset_changed()
        self._show_range()
        self._show_queue()
        queue.busy_changed.connect(lambda _busy: self._show_queue())

    # -- fields ------------------------------------------------------------------------------------------------------

    def _make_fields(self, name: str) -> None:
        sequence = self._document().sequence
        presets = [(preset.title, preset.id) for preset in load_presets()]
        self.preset = chooser("export.preset", "Preset", "What kind of file to write", list(presets), self)
        self.preset.setCurrentIndex(max(0, self.preset.findData(self._preferences.get("export_preset"))))
        self.also = named(
            QToolButton(self), "export.also", "Further presets", "Write the same range in further kinds of files"
        )
        self.also.setText("Also…")
        self.also.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        self.also.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.also)
        menu.setToolTipsVisible(True)
        for preset in load_presets():
            action = menu.addAction(preset.title)
            action.setObjectName(f"export.also.{preset.id}")
            action.setData(preset.id)
            action.setCheckable(True)
            action.setToolTip(preset.description)
            action.toggled.connect(lambda _on: self._show_also())
        self.also.setMenu(menu)
        kinds = QHBoxLayout()
        kinds.addWidget(self.preset, 1)
        kinds.addWidget(self.also)
        self.facts = QLabel(self)
        self.facts.setObjectName("export.facts")
        self.facts.setProperty("role", "muted")
        self.facts.setWordWrap(True)
        self.facts.setAlignment(Qt.AlignmentFlag.AlignTop)
        # Room for two lines from the start: the dialog must not jump, and a form does not grow with its text.
        self.facts.setMinimumHeight(2 * self.facts.fontMetrics().lineSpacing() + 2)
        self.sizing = text_button(
            "export.size", "Estimate size", "gauge", "Encode a second from the middle to tell how large it will be",
            self._on_size_clicked, self,
        )  # fmt: skip
        folder = Path(self._preferences.get("export_folder") or Path.home())
        self.path = named(
            QLineEdit(str(folder / name), self), "export.path", "File to write",
            "Where the film goes; a film of that name is replaced when the export is done",
        )  # fmt: skip
        browse = text_button(
            "export.browse",
            "Choose a place",
            "folder-open",
            "Choose a place",
            self._on_browse_clicked,
            self,
            text=False,
        )
        self.whole = named(QRadioButton("Whole timeline", self), "export.whole", "Whole timeline", "Every frame")
        self.marked = named(QRadioButton("In to out", self), "export.marked", "In to out", "The marked range")
        group = QButtonGroup(self)
        group.addButton(self.whole)
        group.addButton(self.marked)
        self.width_field = named(
            QSpinBox(self), "export.width", "Width", "Width of the pictures; the height follows. Smaller files"
        )
        self.width_field.setRange(16, 4096)
        self.width_field.setSuffix(" px wide")
        self.rate_field = named(QSpinBox(self), "export.rate", "Frames a second", "How many frames a second are kept")
        self.rate_field.setRange(1, 60)
        self.rate_field.setSuffix(" a second")
        self.audio = self._check("audio", "With sound", "Untouched sound is passed through where the file type allows "
                                 "it, otherwise encoded again", True)  # fmt: skip
        targets: list[tuple[str, object]] = [("Loudness as mixed", None)]
        targets += [(f"{name}, {level:g} LUFS", level) for level, name in LOUDNESS_TARGETS]
        self.loudness = chooser(
            "export.loudness", "Loudness",
            "Measure the programme by EBU R 128 and bring it to this loudness, with true peaks below −1 dBTP",
            targets, self,
        )  # fmt: skip
        self.captions = chooser(
            "export.captions", "Captions in the picture", "Draw the captions into the picture",
            [("As on the timeline", Captions.SHOWN), ("Burned in", Captions.BURNED), ("Left out", Captions.LEFT_OUT)],
            self,
        )  # fmt: skip
        for box in (self.loudness, self.captions):
            box.setMinimumContentsLength(19)
        self.srt = self._check("srt", "SRT file", "Write the captions beside the film, for any player")
        self.caption_track = self._check("caption_track", "Track in the file", "Players can switch the captions on")
        self.timecode = self._check("timecode", "Timecode", "Burn the timeline's timecode into the picture")
        self.burn_name = named(
            QLineEdit(self), "export.burn_name", "Name in the picture", "A line burnt into the picture, such as a reel"
        )
        self.burn_name.setPlaceholderText("Name or note in the picture")
        self.burn_name.setMaxLength(120)
        self.track_mattes = self._check(
            "track_mattes", "Alpha of each track", "Grey pictures of where each video track shows something"
        )
        self.mask_mattes = self._check("mask_mattes", "Masks", "Grey pictures of the masks of what is on screen")
        self.sidecar = self._check(
            "sidecar", "Settings beside it (.json)", "The settings that made each take; the file has them as well",
            True,
        )  # fmt: skip
        self.credentials = CredentialsRow(self._preferences, self)
        self.credentials.changed.connect(self.forget_replacing)
        form = self._rows = QFormLayout()
        form.setSpacing(10)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        facts = _row(self.facts, stretch=1)
        facts.addWidget(self.sizing, 0, Qt.AlignmentFlag.AlignTop)
        self._animated = _row(self.width_field, self.rate_field)
        self._animated.addStretch(1)
        captions = _row(self.captions, self.srt, self.caption_track)
        captions.addStretch(1)
        mattes = _row(self.track_mattes, self.mask_mattes)
        mattes.addStretch(1)
        sound = _row(self.audio, self.loudness)
        sound.addStretch(1)
        ranges = _row(self.whole, self.marked)
        ranges.addStretch(1)
        place = _row(self.path, stretch=1)
        place.addWidget(browse)
        burns = _row(self.timecode)
        burns.addWidget(self.burn_name, 1)
        for words, row in (
            ("Preset", kinds), ("", facts), ("Size", self._animated), ("File", place), ("Range", ranges),
            ("Sound", sound), ("Captions", captions), ("Burn in", burns), ("Mattes", mattes), ("Recipes", self.sidecar),
            ("Origin", self.credentials),
        ):  # fmt: skip
            form.addRow(words, row)
        form.setRowVisible(captions, sequence is not None and bool(sequence.subtitles))

    def _check(self, name: str, text: str, tip: str, on: bool = False) -> QCheckBox:
        box = named(QCheckBox(text, self), f"export.{name}", text, tip)
        box.setChecked(on)
        box.toggled.connect(lambda _on: self.forget_replacing())
        return box

    def _on_preset_changed(self) -> None:
        preset = preset_of(self.preset.currentData())
        sequence = self._document().sequence
        self.forget_replacing()
        self._rows.setRowVisible(self._animated, preset.is_animation)
        if preset.is_animation and sequence is not None:
            self.width_field.setMaximum(max(16, sequence.width))
            self.width_field.setValue(min(sequence.width, preset.max_width or sequence.width))
            self.rate_field.setMaximum(max(1, round(sequence.rate)))
            self.rate_field.setValue(min(round(sequence.rate), preset.max_rate or 60))
        self._show_facts()
        self._show_also()

    def _show_facts(self, size: str = "") -> None:
        preset = preset_of(self.preset.currentData())
        sequence = self._document().sequence
        frame = f"{sequence.width}×{sequence.height}, BT.709. " if sequence and not preset.is_animation else ""
        self.facts.setText(f"{frame}{preset.description}{f' About {size}.' if size else ''}")
        self.audio.setEnabled(bool(preset.audio))
        self.loudness.setEnabled(bool(preset.audio))
        self.caption_track.setEnabled(bool(preset.subtitles))

    def _show_also(self) -> None:
        current = self.preset.currentData()
        for action in self.also.menu().actions():
            action.setEnabled(action.data() != current)
        count = len(self._presets()) - 1
        self.also.setText(f"Also {count} more" if count else "Also…")
        self.forget_replacing()

    def _presets(self) -> list[str]:
        current = self.preset.currentData()
        further = [a.data() for a in self.also.menu().actions() if a.isChecked() and a.data() != current]
        return [current, *further]

    def _show_range(self) -> None:
        sequence = self._document().sequence
        if sequence is None:
            return
        first = 0 if sequence.in_point is None else sequence.in_point
        last = sequence.duration if sequence.out_point is None else sequence.out_point
        has = sequence.in_point is not None or sequence.out_point is not None
        self.whole.setText(f"Whole timeline ({timecode(sequence.duration, sequence.rate)})")
        self.marked.setText(
            f"In to out ({timecode(first, sequence.rate)} – {timecode(last, sequence.rate)})"
            if has
            else "In to out (not set)"
        )
        self.marked.setEnabled(has)
        self.marked.setChecked(has)
        self.whole.setChecked(not has)

    def _show_queue(self) -> None:
        busy = self._queue.busy
        self.later.setToolTip(
            f"Export it when its turn comes, after {busy} other{'s' if busy != 1 else ''}" if busy
            else "Export it when its turn comes; the queue goes on after a restart"
        )  # fmt: skip

    def _on_browse_clicked(self) -> None:
        dialog = QFileDialog(self, "Export to", str(Path(self.path.text()).parent))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setOption(QFileDialog.Option.DontConfirmOverwrite)
        dialog.selectFile(Path(self.path.text()).name)
        dialog.fileSelected.connect(self.path.setText)
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def settings(self) -> tuple[ExportSettings, ...]:
        """What the fields say, one for each preset. Extras go with the first only."""
        animated = preset_of(self.preset.currentData()).is_animation
        first = ExportSettings(
            path=Path(self.path.text().strip()),
            preset=self.preset.currentData(),
            whole=self.whole.isChecked(),
            audio=self.audio.isChecked(),
            sidecar=self.sidecar.isChecked(),
            width=self.width_field.value() if animated else 0,
            rate=self.rate_field.value() if animated else 0,
            burn_timecode=self.timecode.isChecked(),
            burn_name=self.burn_name.text().strip(),
            captions=self.captions.currentData(),
            srt=self.srt.isChecked(),
            caption_track=self.caption_track.isChecked() and self.caption_track.isEnabled(),
            loudness=self.loudness.currentData(),
            track_mattes=self.track_mattes.isChecked(),
            mask_mattes=self.mask_mattes.isChecked(),
            certificate=self.credentials.identity[0],
            private_key=self.credentials.identity[1],
        )
        plain = replace(first, width=0, rate=0, srt=False, track_mattes=False, mask_mattes=False)
        further = [replace(plain, preset=preset) for preset in self._presets()[1:]]
        # Two presets with one suffix would write one file.
        taken = {first.path.name.lower() + preset_of(first.preset).suffix}
        named_apart: list[ExportSettings] = []
        for settings in further:
            preset = preset_of(settings.preset)
            stem = (
                settings.path.with_suffix("")
                if settings.path.suffix.lower() == preset_of(first.preset).suffix
                else settings.path
            )
            path = stem
            if path.name.lower() + preset.suffix in taken or any(
                preset_of(other.preset).suffix == preset.suffix for other in (first, *named_apart)
            ):
                path = stem.with_name(f"{stem.name} {preset.id}")
            taken.add(path.name.lower() + preset.suffix)
            named_apart.append(replace(settings, path=path))
        return (first, *named_apart)

    # -- the run -----------------------------------------------------------------------------------------------------

    def _checked(self) -> tuple[ExportSettings, ...]:
        """The settings when they can be exported; else nothing, and the artist is told why."""
        if not Path(self.path.text().strip()).name:
            self.say("Give the file a name first.", "error")
            return ()
        wanted = self.settings()
        try:
            targets = tuple(target_path(self._document(), each, self._project_folder) for each in wanted)
        except StudioError as error:
            self.say(str(error), "error")
            return ()
        if not self.may_replace(targets):
            return ()
        self._preferences.set("export_preset", wanted[0].preset)
        self._preferences.set("export_folder", str(wanted[0].path.parent))
        return wanted

    def _add(self, settings: ExportSettings, *, first: bool = False, begin: bool = True) -> str:
        title = f"{settings.path.name} · {preset_of(settings.preset).title}"
        return self._queue.add(
            self._document(), settings, self._project_folder, title, first=first, begin=begin, tiles=self._tiles()
        )

    def begin_work(self) -> None:
        wanted = self._checked()
        if not wanted:
            return
        for settings in reversed(wanted[1:]):
            self._add(settings, first=True, begin=False)
        waits = bool(self._queue.running)
        order_id = self._add(wanted[0], first=True)
        self.run_job(QueuedJob(self._queue, order_id, self), "Waiting for another export…" if waits else "Preparing…")

    def _on_later_clicked(self) -> None:
        wanted = self._checked()
        if not wanted:
            return
        for settings in wanted:
            self._add(settings)
        count = len(wanted)
        self._replacing = ()
        self.start.setText(self.verb)
        self.say(f"{'It is' if count == 1 else f'{count} exports are'} in the queue.", "heading")
        self.queue_asked.emit()

    def show_result(self, result: object) -> None:
        assert isinstance(result, ExportResult)
        notes = "\n".join(result.notes)
        more = f" With {len(result.extras)} more beside it." if result.extras else ""
        said = f"{result.path} is ready: {result.frames} frames in {span(result.seconds)}.{more}\n{notes}".strip()
        self.ended(said, "heading", result.path.parent)
        self.exported.emit(result)

    def enable_fields(self, on: bool) -> None:
        for widget in (
            self.preset, self.also, self.path, self.audio, self.sidecar, self.whole, self.width_field, self.rate_field,
            self.loudness, self.captions, self.srt, self.caption_track, self.timecode, self.burn_name,
            self.track_mattes, self.mask_mattes, self.sizing, self.credentials,
        ):  # fmt: skip
            widget.setEnabled(on)
        if on:
            self._show_facts()
            self._show_range()

    # -- the size ----------------------------------------------------------------------------------------------------

    def _on_size_clicked(self) -> None:
        if self._sizing is not None:
            return
        document, settings, takes = self._document(), self.settings()[0], self._take_folder

        def work(token: object, _tell: object) -> object:
            from gen2studio.app.export_estimate import estimated_bytes, size_text

            return size_text(estimated_bytes(document, settings, takes, token))  # pyright: ignore[reportArgumentType]

        job = FileJob("export-size", work, self)
        job.finished.connect(lambda size: self._sized(str(size)))
        job.failed.connect(lambda sentence: self._sized("", sentence))
        job.cancelled.connect(lambda: self._sized(""))
        self._sizing = job
        self.sizing.setEnabled(False)
        job.start()

    def _sized(self, size: str, sentence: str = "") -> None:
        if self._sizing is not None:
            self._sizing.wait()
            self._sizing.deleteLater()
            self._sizing = None
        self.sizing.setEnabled(self._job is None)
        self._show_facts(size)
        if sentence:
            self.say(sentence, "error")

    def done(self, result: int) -> None:
        if self._sizing is not None:
            self._sizing.cancel()
            self._sized("")
        self.credentials.stop()
        super().done(result)


def _row(*widgets: QWidget, stretch: int = 0) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(12)
    for widget in widgets:
        row.addWidget(widget, stretch)
    return row
