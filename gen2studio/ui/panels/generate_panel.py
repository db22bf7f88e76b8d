"""The generate panel: mode, style board, words, sliders, seed, four stills, run."""

# One slider, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from gen2studio.app.generation import Generation, RunState
from gen2studio.app.preferences import Preferences
from gen2studio.app.session import Session
from gen2studio.document.look import Controls, Look, Mode, Region
from gen2studio.document.model import Clip
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.engine.events import JobState
from gen2studio.engine.requests import Lane
from gen2studio.ui import theme
from gen2studio.ui.panels.pattern_editor import PatternEditor
from gen2studio.ui.panels.prompt_field import PromptField
from gen2studio.ui.panels.stills_strip import StillsStrip
from gen2studio.ui.panels.style_board import ImageBoard, PresetGrid
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.section import Section
from gen2studio.ui.widgets.value_slider import ValueSlider
from gen2studio.ui.widgets.wheel_guard import WheelGuard

_IMAGES = "Images (*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.exr)"

# (field, title, low, high, step, decimals, unit, tip, low label, high label, logarithmic)
_SLIDERS = (
    ("structure", "Structure", 0.0, 7.0, 0.1, 1, "", "0 follows every edge of the footage, 7 keeps only its rough layout", "every edge", "rough layout", False),
    ("style_weight", "Style weight", 0.0, 2.0, 0.05, 2, "×", "How strongly colour and marks of the style are applied", "subtle", "strong", False),
    ("stroke_size", "Stroke size", 0.25, 4.0, 0.05, 2, "×", "Size of brush marks relative to the style image", "fine", "coarse", True),
    ("consistency", "Frame consistency", 0.0, 2.0, 0.05, 2, "×", "How much frames are held together: 1 is neutral, 0 lets each frame be its own", "lively", "steady", False),
    ("strength", "Strength", 0.0, 1.0, 0.01, 2, "", "Mix of result and source: 1 is the full look", "source", "full look", False),
    ("protect_skin", "Protect skin", 0.0, 1.0, 0.05, 2, "", "Keep the source's own colours and features on skin", "off", "keep", False),
    ("preserve_luminance", "Keep shading", 0.0, 1.0, 0.05, 2, "", "Region edits keep the subject's own light and folds", "flat", "all of it", False),
    ("grow", "Grow mask", -64.0, 64.0, 1.0, 0, "px", "Widen (+) or shrink (−) the subject before use", "", "", False),
    ("feather", "Feather", 0.0, 32.0, 0.5, 1, "px", "Softness of the mask's edge, inwards: nothing outside changes", "", "", False),
)  # fmt: skip
_WHOLE = frozenset({"grow"})


class GeneratePanel(QWidget):
    """Binds to :class:`~gen2studio.app.generation.Generation`; shows only what the chosen generator honours."""

    def __init__(
        self,
        session: Session,
        generation: Generation,
        preferences: Preferences,
        actions: dict[str, QAction],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("generatePanel")
        self._session = session
        self._generation = generation
        self._preferences = preferences

        self.heading = QLabel(self)
        self.heading.setProperty("role", "muted")
        self.mode = QComboBox(self)
        self.mode.setObjectName("generate.mode")
        self.mode.setAccessibleName("Mode")
        self.mode.setToolTip("What to make. Modes that no installed generator serves say what they need.")
        for mode in Mode:
            self.mode.addItem(MODE_TITLES[mode.value], mode)
            if not generation.registry.serving(mode.value):
                row = self.mode.count() - 1
                self.mode.setItemIcon(row, theme.icon("lock", "text_faint"))
                self.mode.setItemData(row, generation.registry.why_not(mode.value), Qt.ItemDataRole.ToolTipRole)
        self.generator = QLabel(self)
        self.generator.setObjectName("generate.generator")
        self.generator.setProperty("role", "faint")
        self.generator.setWordWrap(True)

        self.unserved = EmptyState("lock", "", "", "", self)
        self.unserved.setObjectName("generate.unserved")
        self.body = QWidget(self)
        self._build_body(actions)

        inside = QWidget(self)
        column = QVBoxLayout(inside)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.heading)
        column.addWidget(self.mode)
        column.addWidget(self.generator)
        column.addWidget(self.unserved)
        column.addWidget(self.body)
        column.addStretch(1)
        scroll = QScrollArea(self)
        scroll.setObjectName("generate.scroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(inside)

        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scroll, 1)
        outer.addWidget(self._build_footer(actions))
        self.setMinimumWidth(364)

        for widget in (self.mode, self.seed):
            WheelGuard(widget)
        self.mode.activated.connect(lambda row: generation.set_mode(self.mode.itemData(row)))
        generation.look_changed.connect(self._on_look_changed)
        generation.target_changed.connect(self._on_target_changed)
        generation.stills_changed.connect(self._on_stills_changed)
        generation.run_changed.connect(self._on_run_changed)
        session.store.changed.connect(lambda _old, _new: self._show_heading())
        self._on_target_changed(generation.target)
        self._on_look_changed(generation.look)
        self._on_run_changed(generation.run_state)

    # -- building ---------------------------------------------------------------------------------------------------

    def _build_body(self, actions: dict[str, QAction]) -> None:
        generation = self._generation
        layout = QVBoxLayout(self.body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACING)

        self.presets = PresetGrid(generation.catalog.presets(), self.body)
        self.presets.preset_chosen.connect(lambda preset: generation.change("Choose look", preset=preset))
        self.styles = ImageBoard(
            "styles", "Drop paintings, photos or stills here: the clip takes their colours and marks.", "Add image…",
            "Add style images from files", [self._action_button(actions["generate.style_from_frame"])], self.body,
        )  # fmt: skip
        self.styles.images_dropped.connect(self._add_styles)
        self.styles.add_requested.connect(lambda: self._choose_images("Add style images", self._add_styles))
        self.styles.removed.connect(generation.remove_style)
        self.styles.weighed.connect(generation.weigh_style)
        self.keys = ImageBoard(
            "keys", "Paint over a frame in any program and add it here: the clip follows your painting.", "Add painting…",
            "Use a painting as the frame under the playhead", [self._action_button(actions["generate.export_frame"])], self.body,
        )  # fmt: skip
        self.keys.images_dropped.connect(lambda paths: [generation.add_key(p, p.name) for p in paths[:1]])
        self.keys.add_requested.connect(
            lambda: self._choose_images("Painted key frame", lambda p: generation.add_key(p[0], p[0].name), many=False)
        )
        self.keys.removed.connect(generation.remove_key)
        self.prompt = PromptField(generation.catalog.words, self.body)
        self.prompt.text_committed.connect(lambda text: generation.change("Prompt", prompt=text))
        self.pattern = PatternEditor(generation.set_swatch, self.body)
        self.pattern.pattern_chosen.connect(lambda pattern: generation.change("Pattern", pattern=pattern))

        self.sections: dict[str, Section] = {}
        for name, title, content, shown in (
            ("prompt", "Words", self.prompt, True),
            ("pattern", "Colour and pattern", self.pattern, True),
            ("preset", "Looks", self.presets, True),
            ("styles", "Style images", self.styles, True),
            ("keys", "Painted key frames", self.keys, False),
            ("region", "Where", self._build_region(), True),
            ("controls", "Controls", self._build_sliders(), True),
            ("seed", "Seed", self._build_seed(actions), True),
        ):
            section = Section(name, title, content, open_=shown, parent=self.body)
            self.sections[name] = section
            layout.addWidget(section)

    def _action_button(self, action: QAction) -> QToolButton:
        button = QToolButton()
        button.setObjectName(f"button.{action.objectName()}")
        button.setAccessibleName(action.text())
        button.setDefaultAction(action)
        return button

    def _build_region(self) -> QWidget:
        holder = QWidget(self.body)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._regions = QButtonGroup(holder)
        titles = {
            Region.ALL: ("Everything", "The whole picture changes"),
            Region.FOREGROUND: ("Subject", "Only inside the mask; outside, every pixel stays the source's own"),
            Region.BACKGROUND: ("Background", "Only outside the mask; the subject stays the source's own"),
        }
        for index, region in enumerate(Region):
            button = QPushButton(titles[region][0], holder)
            button.setObjectName(f"region.{region.value}")
            button.setAccessibleName(f"Change {titles[region][0].lower()}")
            button.setToolTip(titles[region][1])
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            self._regions.addButton(button, index)
            row.addWidget(button)
        self._regions.idClicked.connect(lambda i: self._generation.change("Where", region=list(Region)[i]))
        return holder

    def _build_sliders(self) -> QWidget:
        holder = QWidget(self.body)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        self.sliders: dict[str, ValueSlider] = {}
        defaults = Controls()
        for field, title, low, high, step, decimals, unit, tip, left, right, log in _SLIDERS:
            slider = ValueSlider(
                f"control.{field}", title, low=low, high=high, default=float(getattr(defaults, field)), step=step, decimals=decimals,
                unit=unit, tip=tip, low_label=left, high_label=right, logarithmic=log, parent=holder,
            )  # fmt: skip
            slider.value_committed.connect(
                lambda value, f=field, t=title: self._generation.change(
                    t, merge_key=f"slider-{f}", **{f: round(value) if f in _WHOLE else value}
                )
            )
            self.sliders[field] = slider
            column.addWidget(slider)
        return holder

    def _build_seed(self, actions: dict[str, QAction]) -> QWidget:
        holder = QWidget(self.body)
        row = QHBoxLayout(holder)
        row.setContentsMargins(0, 0, 0, 0)
        self.seed = QSpinBox(holder)
        self.seed.setObjectName("seed")
        self.seed.setAccessibleName("Seed")
        self.seed.setToolTip("The same seed gives the same clip")
        self.seed.setRange(0, 2**31 - 1)
        self.seed.setKeyboardTracking(False)
        self.seed.setProperty("plain", True)
        self.seed.valueChanged.connect(lambda v: self._generation.change("Seed", merge_key="seed", seed=v))
        self.lock = QCheckBox("Keep", holder)
        self.lock.setObjectName("seed.lock")
        self.lock.setAccessibleName("Keep the seed")
        self.lock.setToolTip("Keep this seed; otherwise every run takes a new one")
        self.lock.toggled.connect(lambda on: self._generation.change("Keep seed", seed_locked=on))
        row.addWidget(self.seed, 1)
        row.addWidget(self._action_button(actions["generate.new_seed"]))
        row.addWidget(self.lock)
        return holder

    def _build_footer(self, actions: dict[str, QAction]) -> QWidget:
        footer = QWidget(self)
        footer.setObjectName("generate.footer")
        footer.setProperty("role", "footer")
        self.stills = StillsStrip(footer)
        self.stills.still_chosen.connect(self._on_still_chosen)
        self.progress = QProgressBar(footer)
        self.progress.setObjectName("generate.progress")
        self.progress.setAccessibleName("Progress of this clip")
        self.progress.hide()
        self.live = QCheckBox("Live preview", footer)
        self.live.setObjectName("generate.live")
        self.live.setToolTip(actions["generate.live_preview"].toolTip())
        self.live.setChecked(actions["generate.live_preview"].isChecked())
        self.live.toggled.connect(actions["generate.live_preview"].setChecked)
        actions["generate.live_preview"].toggled.connect(self.live.setChecked)
        self.stills_button = self._push("generate.stillsButton", actions["generate.stills"])
        self.run_button = self._push("generate.runButton", actions["generate.run"])
        self.run_button.setProperty("primary", True)
        self.cancel_button = QPushButton(theme.icon("circle-stop"), "Cancel", footer)
        self.cancel_button.setObjectName("generate.cancelButton")
        self.cancel_button.setAccessibleName("Cancel")
        self.cancel_button.setToolTip(actions["generate.cancel"].toolTip())
        # Esc first ends a gesture or playback; this button only ever means the job.
        self.cancel_button.clicked.connect(self._generation.cancel)
        buttons = QHBoxLayout()
        buttons.addWidget(self.stills_button)
        buttons.addWidget(self.run_button, 1)
        buttons.addWidget(self.cancel_button, 1)
        column = QVBoxLayout(footer)
        column.setContentsMargins(10, 8, 10, 10)
        column.setSpacing(theme.SPACING)
        column.addWidget(self.stills)
        column.addWidget(self.progress)
        column.addWidget(self.live)
        column.addLayout(buttons)
        return footer

    def _push(self, name: str, action: QAction) -> QPushButton:
        button = QPushButton(action.text(), self)
        button.setObjectName(name)
        button.setAccessibleName(action.text())
        button.setToolTip(action.toolTip())
        button.clicked.connect(action.trigger)
        # Icons of actions come after the first paint.
        action.changed.connect(lambda: button.setIcon(action.icon()))
        return button

    # -- showing ------------------------------------------------------------------------------------------------------

    def _on_target_changed(self, _clip: Clip | None) -> None:
        self.prompt.drop_pending()
        self._show_heading()
        self._on_stills_changed()

    def _show_heading(self) -> None:
        clip = self._generation.target
        self.heading.setText(f"For {clip.name}" if clip else "No clip under the playhead")
        self.heading.setToolTip(self.heading.text())
        self._show_buttons()

    def _on_look_changed(self, look: Look) -> None:
        self.mode.setCurrentIndex(self.mode.findData(look.mode))
        ability = self._generation.ability()
        found = self._generation.abilities()
        reason = self._generation.why_not()
        self.unserved.setVisible(ability is None)
        self.body.setVisible(ability is not None)
        if ability is None or found is None:
            self.unserved.say(f"{MODE_TITLES[look.mode.value]} can't run here yet", reason)
            self.generator.clear()
        else:
            self.generator.setText(f"{found.title} · on this machine, no download")
            for name, section in self.sections.items():
                section.setVisible(self._honoured(name, ability.controls, look))
            for field, slider in self.sliders.items():
                masked = look.region is not Region.ALL or look.mode is Mode.MASK
                engine_side = field in ("grow", "feather")
                slider.setVisible(masked if engine_side else field in ability.controls)
        self.presets.show_chosen(look.preset)
        self.styles.show_styles(look.styles, self._generation.find_blob)
        self.keys.show_keys(look.keys, self._generation.find_blob)
        self.prompt.set_text(look.prompt)
        self.pattern.set_pattern(look.pattern)
        self._regions.button(list(Region).index(look.region)).setChecked(True)
        for field, slider in self.sliders.items():
            slider.set_value(float(getattr(look.controls, field)))
        with QSignalBlocker(self.seed), QSignalBlocker(self.lock):
            self.seed.setValue(look.seed)
            self.lock.setChecked(look.seed_locked)
        self._show_buttons()

    @staticmethod
    def _honoured(section: str, controls: frozenset[str], look: Look) -> bool:
        if section == "controls":
            return True
        return section in controls

    def _on_stills_changed(self) -> None:
        clip = self._generation.target
        item = self._session.document.media.get(clip.media_id) if clip else None
        rate = item.info.rate if item and item.info.rate else Fraction(25)
        self.stills.show_stills(self._generation.stills, rate)

    def _on_still_chosen(self, still: object) -> None:
        self._generation.show_still(still)  # pyright: ignore[reportArgumentType]

    def _on_run_changed(self, state: RunState) -> None:
        self.progress.setVisible(state.active)
        if state.active:
            self.progress.setRange(0, max(1, state.total))
            self.progress.setValue(state.done)
            what = "Stills" if state.lane is Lane.STILLS else "Clip"
            if state.state is JobState.QUEUED:
                text = f"{what}: waiting in the queue"
            else:
                left = f" · {_duration(state.eta_seconds)} left" if state.eta_seconds is not None else ""
                stage = f" · {state.stage}" if state.stage else ""
                text = f"{what}: {state.done} of {state.total}{left}{stage}"
            self.progress.setFormat(text)
        self._show_buttons()

    def _show_buttons(self) -> None:
        active = self._generation.run_state.active
        ready = self._generation.target is not None and self._generation.ability() is not None
        rendering = active and self._generation.run_state.lane is Lane.RENDER
        self.run_button.setVisible(not rendering)
        self.cancel_button.setVisible(active)
        self.run_button.setEnabled(ready)
        self.stills_button.setEnabled(ready and not rendering)

    # -- choosing files -----------------------------------------------------------------------------------------------

    def _add_styles(self, paths: list[Path]) -> None:
        self._generation.add_styles(list(paths), [p.stem for p in paths])

    def _choose_images(self, title: str, use: Callable[[list[Path]], object], *, many: bool = True) -> None:
        dialog = QFileDialog(self, title, self._preferences.get("import_folder"), _IMAGES)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles if many else QFileDialog.FileMode.ExistingFile)
        dialog.filesSelected.connect(lambda names: use([Path(n) for n in names]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
