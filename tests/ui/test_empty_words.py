"""What panels say while they are empty: whole, and nothing that can't be done."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication, QStackedLayout, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.document.look import Look
from gen2studio.engine.generators import Abilities, ModeAbility
from gen2studio.ui import theme
from gen2studio.ui.panels.adapters_section import AdaptersSection
from gen2studio.ui.panels.generate_state import PanelState
from gen2studio.ui.widgets.empty_state import EmptyState
from tests.fakes.fake_studio import fake_studio


@pytest.mark.parametrize("wide", [150, 200, 260, 600])
def test_every_line_of_an_empty_panel_is_seen(qtbot: QtBot, wide: int) -> None:
    application = QApplication.instance()
    assert isinstance(application, QApplication)
    theme.apply(application)
    page = QWidget()
    qtbot.addWidget(page)
    stack = QStackedLayout(page)
    empty = EmptyState("clapperboard", "No media yet", "Drop clips, images or sound here, or import them.", "Import…")
    stack.addWidget(empty)
    page.resize(wide, 360)
    page.show()
    qtbot.waitExposed(page)
    for label in (empty.title, empty.hint):
        qtbot.waitUntil(lambda label=label: label.height() >= label.heightForWidth(label.width()))
    empty.say("A title of several words in a narrow panel", "And a hint that is longer than the one before it. " * 2)
    for label in (empty.title, empty.hint):
        qtbot.waitUntil(lambda label=label: label.height() >= label.heightForWidth(label.width()))


def test_adapters_are_trained_only_on_what_can_be_trained(qtbot: QtBot) -> None:
    studio, _host = fake_studio()
    section = AdaptersSection(studio.generation, lambda _generator: (), lambda: None)
    qtbot.addWidget(section)
    section.show()
    button = section.train
    mode = ModeAbility(mode="stylize", controls=frozenset({"adapters"}))
    taught = Abilities(id="taught", title="Taught", revision="1", modes=(mode,), trainable=True)
    for abilities in (taught, replace(taught, trainable=False), taught):
        section.show_state(PanelState(look=Look(), abilities=abilities, ability=mode, clip=None, item=None))
        assert button.isVisible() is abilities.trainable
        assert ("Train an adapter" in section.hint.text()) is abilities.trainable
    studio.shutdown(discard=True)
    studio.deleteLater()
