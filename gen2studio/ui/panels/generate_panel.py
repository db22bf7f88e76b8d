"""The generate panel: the eight modes, the generator, and what it honours of words, pictures, motion and sliders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QFileDialog, QScrollArea, QVBoxLayout, QWidget

from gen2studio.app.generation import RunState
from gen2studio.core.errors import sentence_of
from gen2studio.document.look import Camera, Look, Mode
from gen2studio.document.model import Clip, MediaItem
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.engine.catalog import PromptWord
from gen2studio.ui import theme
from gen2studio.ui.panels.adapters_section import AdaptersSection
from gen2studio.ui.panels.camera_section import CameraSection
from gen2studio.ui.panels.frames_section import FramesSection
from gen2studio.ui.panels.generate_footer import GenerateFooter
from gen2studio.ui.panels.generate_sections import FillRow, MotionPage, RegionRow, SeedRow, SliderRows
from gen2studio.ui.panels.generate_services import PanelServices, Use
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.panels.generator_chooser import AUTOMATIC, GeneratorChooser, NotHonoured
from gen2studio.ui.panels.key_frames_section import KeyFramesSection, spacing_mark
from gen2studio.ui.panels.mode_chooser import ModeChooser
from gen2studio.ui.panels.outpaint_section import OutpaintSection
from gen2studio.ui.panels.pattern_editor import PatternEditor
from gen2studio.ui.panels.prompt_field import PromptField
from gen2studio.ui.panels.sampling_section import SamplingSection
from gen2studio.ui.panels.shot_section import ShotSection
from gen2studio.ui.panels.structure_section import StructureSection
from gen2studio.ui.panels.style_board import ImageBoard, PresetGrid
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.empty_state import EmptyState
from gen2studio.ui.widgets.named import action_button, named
from gen2studio.ui.widgets.section import Section

if TYPE_CHECKING:
    from gen2studio.app.first_frames import FirstFrames

_IMAGES = "Images (*.png *.jpg *.jpeg *.webp *.tif *.tiff *.bmp *.exr)"
_PASSES = "Depth passes (*.png *.exr *.tif *.tiff *.mp4 *.mov *.mkv *.webm)"
_HINTS = {
    Mode.TEXT_TO_VIDEO: (
        "late afternoon sun through the window of a loft",
        "a watercolor painting of a meadow at dawn",
    ),
    Mode.TEXT_IMAGE_TO_VIDEO: ("the waves roll in, slow and heavy", "the sea at sunset"),
    Mode.STYLIZE: ("watercolour, evening light", "watercolour at sunset"),
    Mode.STORYBOARD: ("a paper city at night",),
    Mode.MASK: ("a white dog with black spots", "white with black spots", "a red dog"),
    Mode.RENDER: ("a concrete stairwell, wet from the rain", "oil painting, night", "a street at night"),
}
"""What an empty prompt suggests: the first of which the chosen generator knows every word."""


class GeneratePanel(QWidget):
    """Binds to :class:`~gen2studio.app.generation.Generation`; shows only what the chosen generator honours."""

    def __init__(self, services: PanelServices, actions: dict[str, QAction], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("generatePanel")
        self._services = services
        self._session = services.session
        self._generation = services.generation
        self._actions = actions
        self._training: QWidget | None = None
        self._item: MediaItem | None = None
        self._hinted: tuple[Mode, str, bool] | None = None
        """For what the prompt's hint was chosen."""

        # Everything is made where it stays: a widget that changes its parent has fonts and colours of all inside it
        # worked out again.
        scroll = QScrollArea(self)
        scroll.setObjectName("generate.scroll")
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inside = QWidget(scroll)
        scroll.setWidget(inside)
        self.heading = ElidedLabel(parent=inside)
        self.heading.setObjectName("generate.heading")
        self.heading.setProperty("role", "muted")
        self.mode = ModeChooser(inside)
        self.generator = GeneratorChooser(inside)
        self.unserved = EmptyState("lock", "", "", "Get a model…", inside)
        self.unserved.setObjectName("generate.unserved")
        assert self.unserved.button is not None
        named(self.unserved.button, "generate.unserved.models", "Get a model", "See which models serve this mode")
        self.unserved.button.clicked.connect(lambda _checked=False: services.models(self._generation.look.mode))
        self.body = QWidget(inside)
        self.not_honoured = NotHonoured(inside)
        self._build_body(actions)

        self._column = QVBoxLayout(inside)
        self._column.setContentsMargins(10, 8, 10, 8)
        self._column.setSpacing(theme.SPACING)
        for widget in (self.heading, self.mode, self.generator, self.unserved, self.body, self.not_honoured):
            self._column.addWidget(widget)
        self._column.addStretch(1)
        self.footer = GenerateFooter(self._generation, actions, self)
        self.footer.still_chosen.connect(self._generation.show_still)
        self.footer.begin_asked.connect(lambda still: self._first_frames.begin_with(still))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.setSpacing(0)
        outer.addWidget(scroll, 1)
        outer.addWidget(self.footer)
        self.setMinimumWidth(364)

        self.mode.mode_chosen.connect(services.choose_mode)
        self.generator.generator_chosen.connect(
            lambda generator: self._generation.change("Change generator", generator=generator)
        )
        self.generator.holding_chosen.connect(self._on_holding_chosen)
        self.generator.way_chosen.connect(self._on_way_chosen)
        self.generator.models_wanted.connect(lambda: services.models(self._generation.look.mode))
        self._generation.look_changed.connect(self._on_look_changed)
        self._generation.target_changed.connect(self._on_target_changed)
        self._generation.stills_changed.connect(self._on_stills_changed)
        self._generation.run_changed.connect(self._on_run_changed)
        self._session.store.changed.connect(lambda _old, _new: self._on_document_changed())
        self._on_target_changed(self._generation.target)
        self._on_look_changed(self._generation.look)
        self._on_run_changed(self._generation.run_state)

    # -- building ---------------------------------------------------------------------------------------------------

    def _build_body(self, actions: dict[str, QAction]) -> None:
        """Sections that the first frame shows are made here, the others when their mode is first chosen."""
        generation, services = self._generation, self._services
        layout = QVBoxLayout(self.body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACING)
        self.prompt = PromptField(self._words, self.body)
        self.prompt.text_committed.connect(lambda text: generation.change("Prompt", prompt=text))
        self.presets = PresetGrid(generation.catalog.presets(), self.body)
        self.presets.preset_chosen.connect(lambda preset: generation.change("Choose look", preset=preset))
        self.styles = self._image_board(
            "styles", "Drop paintings, photos or stills here: the clip takes their colours and marks.", "Add image…",
            "Add style images from files", actions["generate.style_from_frame"],
        )  # fmt: skip
        self.styles.images_dropped.connect(self._add_styles)
        self.styles.add_requested.connect(lambda: self._choose_files("Add style images", self._add_styles))
        self.styles.removed.connect(generation.remove_style)
        self.styles.weighed.connect(generation.weigh_style)
        self.keys = self._image_board(
            "keys", "Paint over a frame in any program and add it here: the clip follows your painting.",
            "Add painting…", "Use a painting as the frame under the playhead", actions["generate.export_frame"],
        )  # fmt: skip
        self.keys.images_dropped.connect(lambda paths: generation.add_key(paths[0], paths[0].name))
        self.keys.add_requested.connect(lambda: self.choose_image("Painted key frame", generation.add_key))
        self.keys.removed.connect(generation.remove_key)
        self.rows = SliderRows(generation, services.keys, self.body)
        self.sliders = self.rows.sliders
        self.seed_row = SeedRow(generation, actions["generate.new_seed"], self.body)
        self.seed, self.lock = self.seed_row.seed, self.seed_row.lock

        def frames() -> QWidget:
            return FramesSection(
                generation, services.shot_ready, self.choose_image, services.pick_frame, services.find_media, self.body
            )

        def shot() -> QWidget:
            return ShotSection(services.shot_changed, services.shot_sized, actions["shot.new"], self.body)

        def camera(label: str, merge_key: str, value: Camera) -> None:
            generation.change(label, merge_key=merge_key, camera=value)

        self.sections: dict[str, Section] = {}
        for name, title, content, shown in (
            ("prompt", "Words", self.prompt, True),
            ("frames", "Frames", frames, True),
            ("shot", "Shot", shot, True),
            ("pattern", "Colour and pattern", self._pattern, True),
            ("preset", "Looks", self.presets, True),
            ("styles", "Style images", self.styles, True),
            ("keys", "Painted key frames", self.keys, False),
            ("region", "Where", lambda: RegionRow(generation, self.body), True),
            ("fill", "Mask fill", lambda: FillRow(generation, self.body), True),
            ("structure", "Structure guide", self._structure, True),
            ("keyframes", "Key frames by the model", lambda: KeyFramesSection(generation, self.body), False),
            ("outpaint", "Outpaint", lambda: OutpaintSection(self._session, generation, self.body), False),
            ("camera", "Camera", lambda: CameraSection(camera, self.body), False),
            ("motion", "Motion", lambda: MotionPage(
                generation, services.motion, actions["motion.paint"], self.body), False),
            ("controls", "Controls", self.rows, True),
            ("adapters", "Adapters", lambda: AdaptersSection(
                generation, services.adapters, lambda: services.choose_mode(Mode.CUSTOMIZE), self.body), False),
            ("sampling", "Sampling", lambda: SamplingSection(generation, self.body), False),
            ("seed", "Seed", self.seed_row, True),
        ):  # fmt: skip
            section = Section(name, title, content, open_=shown, parent=self.body)
            section.filled.connect(lambda _content: self._on_look_changed(generation.look))
            self.sections[name] = section
            layout.addWidget(section)

    def _image_board(self, name: str, hint: str, add: str, tip: str, extra: QAction) -> ImageBoard:
        return ImageBoard(name, hint, add, tip, [action_button(extra)], self.body)

    def _pattern(self) -> QWidget:
        editor = PatternEditor(self._generation.set_swatch, self.body)
        editor.pattern_chosen.connect(lambda pattern: self._generation.change("Pattern", pattern=pattern))
        return editor

    def _structure(self) -> QWidget:
        def choose() -> None:
            self._choose_files("Depth pass", lambda paths: page.use_pass(paths[0]), many=False, kinds=_PASSES)

        return (page := StructureSection(self._generation, choose, self.body))

    def page(self, name: str) -> QWidget:
        """The content of a section, made now if it was not needed before."""
        section = self.sections[name]
        section.fill()
        assert section.content is not None
        return section.content

    @property
    def pattern(self) -> PatternEditor:
        """The colour and pattern editor."""
        found = self.page("pattern")
        assert isinstance(found, PatternEditor)
        return found

    def refresh(self) -> None:
        """Something that the sections read has changed: the library of adapters."""
        self._on_look_changed(self._generation.look)

    # -- showing ------------------------------------------------------------------------------------------------------

    def _words(self, text: str) -> tuple[PromptWord, ...]:
        found = self._generation.abilities()
        return self._generation.catalog.words(text, found.id if found else "")

    def _on_target_changed(self, _clip: Clip | None) -> None:
        self.prompt.drop_pending()
        self._show_heading()
        self._on_stills_changed()

    def _on_document_changed(self) -> None:
        """A shot may have become another one under the same look."""
        self._show_heading()
        state = self.state()
        if state is not None and state.item is not self._item:
            self._on_look_changed(state.look)

    def _show_heading(self) -> None:
        clip, mode = self._generation.target, self._generation.look.mode
        if mode is Mode.CUSTOMIZE:
            words = "Teach a model a subject, a style or a motion"
        elif not self._generation.needs_shot:
            words = f"For {clip.name}" if clip else "No clip under the playhead"
        elif mode is Mode.STORYBOARD:
            words = "The look of the whole storyboard"
        else:
            words = "Makes a new shot"
        self.heading.show_text(words)
        self.heading.setToolTip(words)
        self._show_buttons()

    def state(self) -> PanelState | None:
        """What the sections are shown; None where nothing serves the mode."""
        found, ability = self._generation.abilities(), self._generation.ability()
        if found is None or ability is None:
            return None
        clip = self._generation.target
        item = self._session.document.media.get(clip.media_id) if clip else None
        return PanelState(look=self._generation.look, abilities=found, ability=ability, clip=clip, item=item)

    def _on_holding_chosen(self, rung: str) -> None:
        try:
            self._generation.hold(rung)
        except OSError as error:
            self._session.tell(sentence_of(error), "error")

    def _on_way_chosen(self, way: str) -> None:
        try:
            self._generation.run_as(way)
        except OSError as error:
            self._session.tell(sentence_of(error), "error")

    def _on_look_changed(self, look: Look) -> None:
        self.mode.show_mode(look.mode)
        self._show_heading()
        self.mode.show_served({mode: self._generation.registry.why_not(mode.value) for mode in Mode})
        state = self.state()
        training = look.mode is Mode.CUSTOMIZE and state is not None
        self._show_training(training)
        self.unserved.setVisible(state is None)
        self.body.setVisible(state is not None and not training)
        self.not_honoured.setVisible(False)
        # A training set chooses its model itself.
        self.generator.setVisible(state is not None and not training)
        if state is None:
            self.unserved.say(f"{MODE_TITLES[look.mode.value]} can't run here yet", self._generation.why_not())
        else:
            serving = self._generation.registry.serving(look.mode.value)
            free = self._generation.choice_for(replace(look, generator=AUTOMATIC))
            automatic = free.abilities if free is not None else state.abilities
            self.generator.show_choice(look, serving, state.abilities, automatic, self._generation.why_chosen())
            if not training:
                self._show_sections(state)
                self.not_honoured.show_ability(state.ability, {"outpaint"} if self._outpaints(state) else set())
        self._show_buttons()

    def _show_sections(self, state: PanelState) -> None:
        look, self._item = state.look, state.item
        hinted = (look.mode, state.abilities.id, state.sourceless)
        if hinted != self._hinted:
            # Reading a hint as the generator does costs milliseconds: not at every step of a slider.
            self._hinted = hinted
            self.prompt.show_hints(_HINTS.get(look.mode, ()), 4 if state.sourceless else 3)
        self.prompt.set_text(look.prompt)
        self.presets.show_chosen(look.preset)
        self.styles.show_styles(look.styles, self._generation.find_blob)
        self.keys.show_keys(look.keys, self._generation.find_blob)
        inside = not state.reframed
        shown = {
            "frames": (state.sourceless or (state.shot is not None and not state.on_footage))
            and state.honours("first_frame", "last_frame", "keys"),
            "shot": state.sourceless,
            "prompt": look.mode is not Mode.IMAGE_TO_VIDEO and state.honours("prompt"),
            "keys": state.on_footage and inside and state.honours("keys"),
            "region": inside and state.honours("region"),
            "fill": state.masked and state.honours("fill"),
            "structure": inside and state.honours("structure_source", "depth_pass", "control_scale"),
            "keyframes": state.on_footage and inside and self._generation.offers("key_spacing"),
            "outpaint": self._outpaints(state),
            "motion": state.honours("motion", "motion_brush"),
            "controls": bool(self.rows.shown(state)),
            "sampling": state.honours("guidance", "steps", "reuse", "negative_prompt"),
        }
        for name, section in self.sections.items():
            section.set_shown(shown.get(name, name in state.ability.controls))
            content = section.content
            if isinstance(content, PatternEditor):
                content.set_pattern(look.pattern)
            elif isinstance(content, CameraSection):
                content.show_camera(look.camera)
            elif isinstance(content, ShotSection) and state.shot is None:
                content.show_wish(self._services.next_shot())
            elif (show_state := getattr(content, "show_state", None)) is not None:
                show_state(state)
        self.sections["camera"].set_mark("set" if look.camera != Camera() else "")
        self.sections["keyframes"].set_mark(spacing_mark(state))
        self.sections["outpaint"].set_mark("set" if state.reframed else "")
        self.sections["adapters"].set_mark(str(len(look.adapters)) if look.adapters else "")

    def _outpaints(self, state: PanelState) -> bool:
        """There is footage to add room to, and a generator that draws it, or would be chosen for it."""
        footage = state.on_footage and state.item is not None and state.shot is None
        return footage and self._generation.offers("outpaint")

    def _show_training(self, training: bool) -> None:
        """The Customization mode has a page of its own, made when it is first chosen."""
        if training and self._training is None:
            self._training = self._services.customization(self)
            self._column.insertWidget(self._column.indexOf(self.body), self._training)
        if self._training is not None:
            self._training.setVisible(training)
        self.footer.setVisible(not training)

    def _on_stills_changed(self) -> None:
        if (state := self.state()) is not None:
            self.footer.show_stills(self._generation.stills, state.rate, of_shot=state.shot is not None)

    @cached_property
    def _first_frames(self) -> FirstFrames:
        from gen2studio.app.first_frames import FirstFrames

        return FirstFrames(self._generation, self._session, self)

    def _on_run_changed(self, run: RunState) -> None:
        self.footer.show_run(run)
        self._show_buttons()

    def _show_buttons(self) -> None:
        generation = self._generation
        there = generation.target is not None or generation.needs_shot
        ability = generation.ability()
        self.footer.show_buttons(
            ready=there and ability is not None,
            board=generation.needs_shot and generation.look.mode is Mode.STORYBOARD,
            stills_only=ability is not None and not ability.makes_clips,
        )

    # -- choosing files -----------------------------------------------------------------------------------------------

    def _add_styles(self, paths: list[Path]) -> None:
        self._generation.add_styles(list(paths), [p.stem for p in paths])

    def choose_image(self, title: str, use: Use) -> None:
        """Ask for one picture file."""
        self._choose_files(title, lambda paths: use(paths[0], paths[0].name), many=False)

    def _choose_files(
        self, title: str, use: Callable[[list[Path]], object], *, many: bool = True, kinds: str = _IMAGES
    ) -> None:
        dialog = QFileDialog(self, title, self._services.preferences.get("import_folder"), kinds)
        dialog.setFileMode(QFileDialog.FileMode.ExistingFiles if many else QFileDialog.FileMode.ExistingFile)
        dialog.filesSelected.connect(lambda names: use([Path(n) for n in names]))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()
