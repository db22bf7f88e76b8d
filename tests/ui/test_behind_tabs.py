"""Panels behind another tab do nothing, and are up to date when they come to the front."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtWidgets import QDockWidget, QWidget
from pytestqt.qtbot import QtBot

from gen2studio.core.keyed import Keyed
from gen2studio.core.mask_refinement import Refinement
from gen2studio.document import masks
from gen2studio.ui.panels.history_panel import HistoryPanel
from gen2studio.ui.panels.masks_panel import MasksPanel
from gen2studio.ui.panels.queue_panel import QueuePanel
from tests.ui.desk import Desk, open_desk, part


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    with open_desk(qtbot, media_root) as opened:
        yield opened


def _front(qtbot: QtBot, window: QWidget, name: str) -> None:
    dock = part(window, QDockWidget, name)
    dock.show()
    dock.raise_()
    qtbot.waitUntil(lambda: not dock.visibleRegion().isEmpty())


def test_the_history_lists_steps_when_it_is_seen(desk: Desk, qtbot: QtBot) -> None:
    window, studio = desk[0], desk[0].studio
    history = part(window, HistoryPanel, "history")
    _front(qtbot, window, "dock.history")
    qtbot.waitUntil(lambda: history.view.model().rowCount() == studio.store.undo_stack.count() + 1)
    _front(qtbot, window, "dock.media")
    qtbot.waitUntil(lambda: history.view.stack() is None)
    studio.generation.change("Prompt", prompt="at dusk")
    assert history.view.stack() is None
    _front(qtbot, window, "dock.history")
    qtbot.waitUntil(lambda: history.view.model().rowCount() == studio.store.undo_stack.count() + 1)


def test_the_queue_catches_up(desk: Desk, qtbot: QtBot) -> None:
    window, host = desk
    queue = part(window, QueuePanel, "queuePanel")
    _front(qtbot, window, "dock.queue")
    _front(qtbot, window, "dock.takes")
    qtbot.waitUntil(lambda: queue._in_view.behind)
    window.studio.generation.run()
    host.fake.begin()
    host.fake.advance(3)
    qtbot.waitUntil(lambda: queue._late)
    assert not queue._column.rows[0].bar.value()
    _front(qtbot, window, "dock.queue")
    qtbot.waitUntil(lambda: queue._column.rows[0].bar.value() > 0)


def test_the_masks_rest_while_frames_go_by(desk: Desk, qtbot: QtBot) -> None:
    window, studio = desk[0], desk[0].studio
    panel = part(window, MasksPanel, "masks")
    qtbot.waitUntil(lambda: bool(panel._shown_media))
    document = masks.add_object(studio.store.document, panel._shown_media, object_id="mask-00000000000a")
    grown = Refinement(grow=Keyed(0.0, ((0, 0.0), (10, 10.0))))
    studio.store.apply("Mask", masks.set_refinement(document, "mask-00000000000a", grown))
    studio.session.set_mask_object("mask-00000000000a")
    slider = panel.refine.sliders["grow"]
    _front(qtbot, window, "dock.masks")
    studio.session.set_playhead(2)
    qtbot.waitUntil(lambda: slider.value == 2)
    _front(qtbot, window, "dock.generate")
    qtbot.waitUntil(lambda: panel._in_view.behind)
    studio.session.set_playhead(6)
    qtbot.waitUntil(lambda: panel._late)
    assert slider.value == 2
    _front(qtbot, window, "dock.masks")
    qtbot.waitUntil(lambda: slider.value == 6)
