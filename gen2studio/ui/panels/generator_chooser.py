"""Which generator runs: chosen by the program or by the artist, what was chosen and why, and how it will be held."""

from __future__ import annotations

from collections.abc import Collection

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QToolButton, QVBoxLayout, QWidget

from gen2studio.document.look import Look
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.ui import theme
from gen2studio.ui.widgets.named import chooser, named, note

AUTOMATIC = ""
CONTROL_TITLES = {
    "prompt": "Words", "negative_prompt": "Negative prompt", "styles": "Style images", "preset": "Looks",
    "keys": "Key frames", "first_frame": "First frame", "last_frame": "Last frame", "pattern": "Colour and pattern",
    "region": "Where", "seed": "Seed", "structure_source": "Structure source", "depth_pass": "Depth pass",
    "fill": "Mask fill", "camera": "Camera", "motion_brush": "Motion brush", "motion": "General motion",
    "adapters": "Adapters", "layout": "Layout of a mock-up", "lead": "Extend", "outpaint": "Outpaint",
    "structure": "Structure", "style_weight": "Style weight", "consistency": "Frame consistency",
    "stroke_size": "Stroke size", "strength": "Strength", "protect_skin": "Protect skin",
    "preserve_luminance": "Keep shading", "guidance": "Guidance", "steps": "Steps",
    "reuse": "Reuse steps",
    "control_scale": "Strictness", "key_spacing": "Key frames of the model", "grow": "Grow mask", "feather": "Feather",
}  # fmt: skip
"""Control name → what the panel calls it."""


class GeneratorChooser(QWidget):
    """A combo box with “Automatic” first, and the lines under it."""

    generator_chosen = Signal(str)
    """Generator id; empty = automatic."""
    models_wanted = Signal()
    """The artist wants to see which models there are."""
    holding_chosen = Signal(str)
    """How the model is held in memory: one of its ``memory_rungs``, or auto."""
    way_chosen = Signal(str)
    """How the model is run: one of its ``run_ways``, or auto."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = chooser(
            "generate.generator", "Generator", "What makes the picture. Automatic chooses by mode and input.", [], self
        )
        self.models = named(
            QToolButton(self), "generate.generator.models", "Models",
            "See which models serve this mode and run on this machine, and get one",
        )  # fmt: skip
        self.models.setProperty("command", "models.open")
        self.models.setIcon(theme.icon("package"))
        self.models.setIconSize(theme.icon_size(16))
        self.models.clicked.connect(lambda _checked=False: self.models_wanted.emit())
        self.why = note(self, "muted", "generate.generator.why")
        self.memory = note(self, "faint", "generate.generator.memory")
        self.holding = chooser(
            "generate.generator.holding", "Memory",
            "How the model is held in memory. Automatic takes the best that fits before each run; what is smaller is "
            "slower or, kept in 8 bits, a little less exact.", [], self,
        )  # fmt: skip
        self.way = chooser(
            "generate.generator.way", "Speed",
            "How the model is computed. Automatic is as the model comes; the other ways need what is installed on this "
            "machine, and round a little differently.", [], self,
        )  # fmt: skip
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self.box, 1)
        line.addWidget(self.models)
        layout.addLayout(line)
        for widget in (self.why, self.holding, self.memory, self.way):
            layout.addWidget(widget)
        self.box.activated.connect(lambda row: self.generator_chosen.emit(self.box.itemData(row)))
        self.holding.activated.connect(lambda row: self.holding_chosen.emit(self.holding.itemData(row)))
        self.way.activated.connect(lambda row: self.way_chosen.emit(self.way.itemData(row)))

    def show_choice(
        self, look: Look, serving: tuple[Abilities, ...], found: Abilities, automatic: Abilities, why: str
    ) -> None:
        """``found`` is what will run, ``automatic`` what would if it were left to the program, ``why`` one sentence."""
        entries = [(AUTOMATIC, f"Automatic — {automatic.title}"), *((a.id, a.title) for a in serving)]
        if [(self.box.itemData(i), self.box.itemText(i)) for i in range(self.box.count())] != entries:
            self.box.clear()
            for row, (generator, title) in enumerate(entries):
                self.box.addItem(title, generator)
                tip = "The program chooses by mode and input" if not generator else title
                self.box.setItemData(row, tip, Qt.ItemDataRole.ToolTipRole)
        self.box.setCurrentIndex(max(0, self.box.findData(look.generator)))
        self.why.setText(why)
        self.why.setVisible(bool(why))
        self.memory.setText(found.memory_plan)
        self.memory.setVisible(bool(found.memory_plan))
        _offer(self.holding, "Memory", found.memory_rungs, found.memory_rung)
        _offer(self.way, "Speed", found.run_ways, found.run_way)


def _offer(box: QComboBox, title: str, choices: tuple[tuple[str, str], ...], chosen: str) -> None:
    """Fill ``box`` with Automatic and ``choices`` (id, words); it is hidden where there are none."""
    entries = [("auto", f"{title}: Automatic"), *((id_, f"{title}: {words}") for id_, words in choices)]
    if [(box.itemData(i), box.itemText(i)) for i in range(box.count())] != entries:
        box.clear()
        for id_, words in entries:
            box.addItem(words, id_)
    box.setCurrentIndex(max(0, box.findData(chosen)))
    box.setVisible(bool(choices))


class NotHonoured(QWidget):
    """A quiet line that unfolds: what the chosen model can't do here, and why."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("generate.notHonoured")
        self.heading = named(QToolButton(self), "generate.notHonoured.heading", "Not with this model")
        self.heading.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.heading.setIconSize(theme.icon_size(12))
        self.heading.setProperty("role", "section")
        self.heading.clicked.connect(lambda: self._set_open(not self._open))
        self.words = note(self, "faint", "generate.notHonoured.words")
        self.words.setTextFormat(Qt.TextFormat.RichText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 4, 0, 4)
        layout.setSpacing(2)
        layout.addWidget(self.heading, 0, Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(self.words)
        self._open = False
        self._set_open(False)

    def show_ability(self, ability: ModeAbility, shown: Collection[str] = ()) -> None:
        """``shown`` names controls that are there all the same."""
        rows = [(CONTROL_TITLES.get(name, name), why) for name, why in ability.why_not if name not in shown]
        self.setVisible(bool(rows))
        count = f"{len(rows)} controls" if len(rows) != 1 else "1 control"
        self.heading.setText(f"Not with this model: {count}")
        names = ", ".join(title for title, _ in rows)
        self.heading.setToolTip(f"Show or hide why these are missing: {names}")
        muted = theme.tokens()["text_muted"]
        self.words.setText("".join(_ROW.format(muted, _escaped(title), _escaped(why)) for title, why in rows))

    def _set_open(self, open_: bool) -> None:
        self._open = open_
        self.words.setVisible(open_)
        self.heading.setIcon(theme.icon("chevron-down" if open_ else "chevron-right", "text_muted"))


_ROW = '<p style="margin: 0 0 5px 0"><span style="color: {}">{}</span> — {}</p>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
