"""What to install first on this machine: a card for each, with one button."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from gen2studio.app.model_downloads import ModelDownloads
from gen2studio.engine.abilities import MODE_TITLES
from gen2studio.models.catalog_reading import Pick
from gen2studio.models.fitting import fit
from gen2studio.ui import theme
from gen2studio.ui.dialogs.model_words import LIGHT_INKS, about, badge
from gen2studio.ui.widgets.elided_label import ElidedLabel
from gen2studio.ui.widgets.named import named, note, restyle
from gen2studio.ui.widgets.retire import retire_all


class LineUpStrip(QFrame):
    """One row of cards; the cards follow the downloads."""

    wanted = Signal(str, object)
    """(entry id, ids of what is got with it): the artist wants it."""
    chosen = Signal(str)
    """Entry id whose details should be shown."""

    def __init__(self, models: ModelDownloads, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("models.lineUp")
        self._models = models
        self._cards: list[_Card] = []
        self.title = QLabel(self)
        self.title.setProperty("role", "heading")
        self._row = QHBoxLayout()
        self._row.setSpacing(8)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(theme.SPACING)
        layout.addWidget(self.title)
        layout.addLayout(self._row)
        models.rows_changed.connect(self._show)
        models.row_changed.connect(lambda _id: self._show())
        models.works_changed.connect(self._show)

    def fill(self) -> None:
        """Make the cards; once the models are open."""
        line_up = self._models.line_up()
        self.setVisible(line_up is not None)
        retire_all(self._row)
        self._cards = []
        for pick in line_up.picks if line_up is not None else ():
            card = _Card(self._models, pick, self)
            card.wanted.connect(self.wanted)
            card.chosen.connect(self.chosen)
            self._cards.append(card)
            self._row.addWidget(card, 1)
        if line_up is not None:
            self.title.setText(f"For this machine — {line_up.title[0].lower()}{line_up.title[1:]}")
        self._show()

    @property
    def buttons(self) -> tuple[QPushButton, ...]:
        """One of each card, from left to right."""
        return tuple(card.button for card in self._cards)

    def _show(self) -> None:
        for card in self._cards:
            card.show_state()


class _Card(QFrame):
    wanted = Signal(str, object)
    chosen = Signal(str)

    def __init__(self, models: ModelDownloads, pick: Pick, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName(f"models.pick.{pick.entry}")
        self.setProperty("role", "strip")
        self._models = models
        self._pick = pick
        entry = models.catalog.entry(pick.entry)
        ids = dict.fromkeys(
            needed.id for name in (pick.entry, *pick.extras) for needed in models.catalog.with_needs(name)
        )
        self._ids = tuple(ids)
        title = ElidedLabel(entry.title, parent=self)
        title.setProperty("role", "heading")
        modes = ElidedLabel(" · ".join(MODE_TITLES[mode] for mode in pick.modes), parent=self)
        modes.setProperty("role", "muted")
        modes.setToolTip(", ".join(MODE_TITLES[mode] for mode in pick.modes))
        why = note(self, "muted", f"models.why.{pick.entry}")
        why.setText(pick.why)
        why.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._light = QLabel(self)
        self._light.setFixedWidth(14)
        self._said = ElidedLabel(parent=self)
        self.button = named(
            QPushButton(self), f"models.get.{pick.entry}", f"Get {entry.title}",
            "See what it takes and read its terms; nothing is downloaded before you accept them",
        )  # fmt: skip
        self.button.setAutoDefault(False)
        self.button.clicked.connect(self._on_clicked)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        line = QHBoxLayout()
        line.setSpacing(4)
        line.addWidget(self._light)
        line.addWidget(self._said, 1)
        line.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(10, 8, 10, 8)
        layout.setSpacing(3)
        layout.addWidget(title)
        layout.addWidget(modes)
        layout.addWidget(why, 1)
        layout.addLayout(line)
        fitting = fit(models.catalog, entry, models.machine)
        dot = f'<span style="color: {theme.tokens()[LIGHT_INKS[fitting.light]]}">●</span>'
        self._light.setTextFormat(Qt.TextFormat.RichText)
        self._light.setText(dot)
        self._light.setAccessibleName(fitting.words)
        self._reason = fitting.reason
        self._light.setToolTip(fitting.reason)

    def _left(self) -> list[str]:
        return [name for name in self._ids if not self._models.is_here(name)]

    def show_state(self) -> None:
        """Say what is left to get, or how far it is."""
        row = self._models.row(self._pick.entry)
        left = self._left()
        rows = [self._models.row(name) for name in left]
        active = [found for found in rows if found is not None and found.download is not None]
        if active:
            self._said.show_text(f"{badge(active[0], self._models.works)[0]} · {active[0].title}")
            self.button.setText("Show")
        elif not left:
            self._said.show_text("On this machine")
            self.button.setText("Show")
        else:
            self._said.show_text(about(tuple(self._models.catalog.entry(name) for name in left)))
            self.button.setText("Get…")
        self._said.setToolTip(self._reason)
        restyle(self.button, "primary", bool(left) and not active)
        self.button.setEnabled(row is not None)

    def _on_clicked(self) -> None:
        self.chosen.emit(self._pick.entry)
        if self.button.text() == "Get…":
            self.wanted.emit(self._pick.entry, self._pick.extras)
