"""Trained adapters in use: each with its strength, several at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QLabel, QMenu, QVBoxLayout, QWidget

from gen2studio.app.generation import Generation
from gen2studio.core.records import dataclass
from gen2studio.document.look import AdapterUse
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import note, restyle, text_button
from gen2studio.ui.widgets.retire import retire_all
from gen2studio.ui.widgets.value_slider import ValueSlider


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterRow:
    """An adapter of the library as this list shows it."""

    id: str
    name: str
    trigger: str = ""
    why_not: str = ""
    """Why it can't be used with the chosen generator; empty = it can."""
    word: bool = False
    """It is a learned word: prompts say its trigger or don't, and it has no strength."""


Library = Callable[[str], "tuple[AdapterRow, ...]"]
"""Generator id → every adapter of the library."""


class AdaptersSection(QWidget):
    """Adapters of the look; the rest of the library is in the menu of the add button."""

    def __init__(
        self,
        generation: Generation,
        library: Library,
        train: Callable[[], object],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._generation = generation
        self._library = library
        self._shown: object = None
        self._rows = QVBoxLayout()
        self._rows.setSpacing(4)
        self._sliders: dict[str, ValueSlider] = {}
        self._words: list[_WordRow] = []
        self.hint = note(self, name="adapters.hint")
        self.add = text_button(
            "adapters.add",
            "Add adapter",
            "plus",
            "Use an adapter that was trained or imported here",
            self._on_add,
            self,
        )
        self.train = text_button(
            "adapters.train", "Train one…", "graduation-cap", "Train an adapter on pictures: the Customization mode",
            train, self,
        )  # fmt: skip
        buttons = QHBoxLayout()
        buttons.addWidget(self.add)
        buttons.addWidget(self.train)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self.hint)
        column.addLayout(self._rows)
        column.addLayout(buttons)

    def show_state(self, state: PanelState) -> None:
        uses = state.look.adapters
        known = {row.id: row for row in self._library(state.abilities.id)}
        shown = (tuple(use.adapter for use in uses), tuple(known.values()))
        if shown != self._shown:
            self._shown = shown
            self._fill(uses, known)
        for use in uses:
            if use.adapter in self._sliders:
                self._sliders[use.adapter].set_value(use.strength)
        for word in self._words:
            word.show_state(state)
        # A model that takes adapters need not be one that this program can train.
        trainable = state.abilities.trainable
        self.train.setVisible(trainable)
        self.hint.setVisible(not uses)
        if known:
            hint = "An adapter teaches the model a subject or a style. Use it by its word in the prompt."
        elif trainable:
            hint = "The library is empty. Train an adapter on a few pictures, and use it here by its word."
        else:
            hint = "The library is empty. This model can't be trained here; Customization imports adapters for it."
        self.hint.setText(hint)
        self.add.setEnabled(bool(known))

    def _fill(self, uses: tuple[AdapterUse, ...], known: dict[str, AdapterRow]) -> None:
        self._sliders.clear()
        self._words.clear()
        retire_all(self._rows)
        for index, use in enumerate(uses):
            row = known.get(use.adapter, AdapterRow(id=use.adapter, name=use.adapter, why_not="It is not installed."))
            if row.word:
                self._words.append(_WordRow(index, row, self._generation, self._remove, self))
                self._rows.addWidget(self._words[-1])
            else:
                self._rows.addWidget(self._row(index, use, row))

    def _row(self, index: int, use: AdapterUse, row: AdapterRow) -> QWidget:
        holder = QWidget(self)
        slider = ValueSlider(
            f"adapter.{index}", row.name, low=0, high=2, default=1, step=0.05, decimals=2, unit="×",
            tip=f"How strongly {row.name} acts; 0 is off, 1 as trained", compact=True, parent=holder,
        )  # fmt: skip
        slider.label.setFixedWidth(110)
        slider.label.setText(slider.label.fontMetrics().elidedText(row.name, Qt.TextElideMode.ElideMiddle, 108))
        slider.label.setToolTip(row.name)
        slider.value_committed.connect(lambda value, a=use.adapter: self._set(a, value))
        self._sliders[use.adapter] = slider
        remove = text_button(
            f"adapter.{index}.remove", f"Remove {row.name}", "x", "Go on without this adapter",
            lambda: self._remove(use.adapter), holder, text=False,
        )  # fmt: skip
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(slider, 1)
        top.addWidget(remove)
        column = QVBoxLayout(holder)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        words = row.why_not or (f"called by “{row.trigger}”" if row.trigger else "")
        if words:
            label = QLabel(words, holder)
            label.setProperty("role", "warning" if row.why_not else "faint")
            label.setWordWrap(True)
            column.addWidget(label)
        return holder

    def _on_add(self) -> None:
        found = self._generation.abilities()
        used = {use.adapter for use in self._generation.look.adapters}
        menu = QMenu(self)
        menu.setObjectName("adapters.menu")
        menu.setToolTipsVisible(True)
        for row in self._library(found.id if found else ""):
            action = menu.addAction(f"{row.name} — “{row.trigger}”" if row.trigger else row.name)
            action.setObjectName(f"adapters.menu.{row.id}")
            action.setEnabled(row.id not in used and not row.why_not)
            action.setToolTip(row.why_not or ("In use already" if row.id in used else f"Use {row.name}"))
            action.triggered.connect(lambda _checked=False, i=row.id: self._use(i))
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.add.mapToGlobal(self.add.rect().bottomLeft()))

    def _use(self, adapter: str) -> None:
        self._generation.change("Add adapter", adapters=(*self._generation.look.adapters, AdapterUse(adapter=adapter)))

    def _set(self, adapter: str, strength: float) -> None:
        uses = tuple(
            replace(use, strength=strength) if use.adapter == adapter else use for use in self._generation.look.adapters
        )
        self._generation.change("Adapter strength", merge_key=f"adapter-{adapter}", adapters=uses)

    def _remove(self, adapter: str) -> None:
        rest = tuple(use for use in self._generation.look.adapters if use.adapter != adapter)
        self._generation.change("Remove adapter", adapters=rest)


class _WordRow(QWidget):
    """A learned word of the look: what it is called, and the two prompts that can say it."""

    def __init__(
        self,
        index: int,
        row: AdapterRow,
        generation: Generation,
        remove: Callable[[str], object],
        parent: QWidget,
    ) -> None:
        super().__init__(parent)
        self._generation = generation
        self._word = row.trigger
        name = f"adapter.{index}"
        title = ElidedLabel(row.name, parent=self)
        title.setToolTip(row.name)
        self.say = text_button(
            f"{name}.say", "Into the prompt", "plus", f"Say “{row.trigger}” in the prompt",
            lambda: self._put("Prompt", "prompt"), self,
        )  # fmt: skip
        self.keep_out = text_button(
            f"{name}.keepOut", "Keep out", "minus", f"Say “{row.trigger}” in the negative prompt",
            lambda: self._put("Negative prompt", "negative_prompt"), self,
        )  # fmt: skip
        taken_out = text_button(
            f"{name}.remove", f"Remove {row.name}", "x", "Go on without this word", lambda: remove(row.id), self,
            text=False,
        )  # fmt: skip
        top = QHBoxLayout()
        top.setContentsMargins(0, 0, 0, 0)
        top.addWidget(title, 1)
        top.addWidget(taken_out)
        self.words = QLabel(self)
        self.words.setWordWrap(True)
        buttons = QHBoxLayout()
        buttons.setContentsMargins(0, 0, 0, 0)
        buttons.addWidget(self.say)
        buttons.addWidget(self.keep_out)
        buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(self.words)
        column.addLayout(buttons)
        self._why_not = row.why_not

    def show_state(self, state: PanelState) -> None:
        said, kept_out = (self._in(text) for text in (state.look.prompt, state.look.negative_prompt))
        deniable = state.honours("negative_prompt")
        self.say.setVisible(not self._why_not and not said)
        self.keep_out.setVisible(not self._why_not and deniable and not kept_out and not said)
        places = (("the prompt", said), ("the negative prompt", deniable and kept_out))
        where = [text for text, there in places if there]
        words = f"“{self._word}” is in {' and '.join(where)}" if where else f"“{self._word}” is in no prompt yet"
        self.words.setText(self._why_not or words)
        restyle(self.words, "role", "warning" if self._why_not else "faint")

    def _in(self, text: str) -> bool:
        return re.search(rf"(?<!\w){re.escape(self._word)}(?!\w)", text, re.IGNORECASE) is not None

    def _put(self, label: str, field: str) -> None:
        before = str(getattr(self._generation.look, field)).strip()
        self._generation.change(label, **{field: f"{before}, {self._word}" if before else self._word})
