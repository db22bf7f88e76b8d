"""A storyboard from a script to a film: drawn by hand, stills, six shots by the built-in model, placed, written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from gen2studio.app.board_delivery import Delivery, Form, deliver
from gen2studio.app.board_state import Stage
from gen2studio.app.drawing_tools import Tool
from gen2studio.document.look import Controls, Look, Mode
from gen2studio.document.model import Board
from gen2studio.ui.dialogs.board_import_dialog import BoardImportDialog
from gen2studio.ui.main_window import MainWindow
from tests.ui.desk import LEFT, NONE

WAIT = 240_000
SCRIPT = """Title: Harbour

EXT. HARBOUR - DAWN

A red boat lies in the harbour.

The boat leaves.

Waves break over the rocks.

EXT. SEA - NIGHT

A storm. Clouds run.

A fire burns on the shore.

The boat comes home.
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_six_panels_become_six_shots(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    studio = window.studio
    studio.preferences.set("live_preview", False)
    window.late.finish()
    boards = studio.storyboards

    def board() -> Board:
        assert boards.current is not None
        return boards.current

    script = tmp_path / "harbour.fountain"
    script.write_text(SCRIPT, encoding="utf-8")
    window.binder.action("board.import").trigger()
    dialog = window.findChild(BoardImportDialog)
    assert dialog is not None
    dialog.open_path(str(script))
    qtbot.waitUntil(lambda: dialog.preview.count() == 6 and not dialog.running, timeout=10000)
    QTest.mouseClick(dialog.start, LEFT)
    qtbot.waitUntil(lambda: boards.current is not None and len(boards.current.panels) == 6, timeout=10000)

    # Short and small, in one look; each panel is drawn: a ground, and a box where the boat is.
    boards.set_board_size(96, 64, Fraction(8))
    boards.set_look(Look(mode=Mode.STORYBOARD, prompt="day", controls=Controls(steps=2)))
    board_view = window.storyboard
    for number, panel in enumerate(board().panels):
        boards.change_panel(panel.id, seconds=Fraction(5, 8))
        board_view.choose(panel.id)
        board_view.draw()
        editor = board_view.editor
        qtbot.waitUntil(lambda e=editor: not e.drawing.busy and e.drawing.shown is not None, timeout=20000)
        canvas = editor.canvas
        canvas.fit()
        for tool, colour, corners in (
            (Tool.BOX, (70, 128, 190), ((0.01, 0.6), (0.99, 0.99))),
            (Tool.BOX, (178, 60, 52), ((0.1 + number / 10, 0.4), (0.3 + number / 10, 0.6))),
        ):
            editor.drawing.set(tool=tool, colour=colour)
            start, stop = (canvas.place(*corner).toPoint() for corner in corners)
            QTest.mousePress(canvas, LEFT, NONE, start)
            QTest.mouseMove(canvas, start + QPoint(9, 9))
            QTest.mouseMove(canvas, stop)
            QTest.mouseRelease(canvas, LEFT, NONE, stop)
        qtbot.waitUntil(lambda e=editor: not e.drawing.busy, timeout=20000)
    QTest.keyClick(board_view.editor, Qt.Key.Key_W, Qt.KeyboardModifier.ControlModifier)
    assert all(panel.picture and len(panel.layers) == 1 for panel in board().panels)

    # Two stills of the first panel, one becomes the guide of its shot.
    first = board().panels[0].id
    assert len(boards.stills((first,), 2)) == 2
    qtbot.waitUntil(lambda: len(board().panels[0].stills) == 2 and studio.board.busy == 0, timeout=WAIT)
    board_view.choose(first)
    stills = board_view.details.sections["stills"]
    stills.set_open(True)
    content = stills.content
    assert content is not None
    content._buttons[1].click()  # type: ignore[attr-defined]
    assert board().panels[0].guide == board().panels[0].stills[1].picture

    # The whole board: queued, made, placed in order, linked both ways, none stale.
    assert len(boards.generate()) == 6
    stages = lambda: [boards.state_of(panel).stage for panel in board().panels]  # noqa: E731
    qtbot.waitUntil(lambda: stages() == [Stage.DONE] * 6, timeout=WAIT)
    sequence = studio.session.sequence
    assert sequence is not None and board().sequence_id == sequence.id
    clips = sequence.video_tracks[0].clips
    assert [clip.id for clip in clips] == [panel.clip_id for panel in board().panels]
    assert [(clip.start, clip.duration) for clip in clips] == [(5 * n, 5) for n in range(6)]
    assert all(studio.store.document.takes[clip.active_take].complete for clip in clips)
    studio.session.set_playhead(clips[3].start)
    window.binder.action("board.from_clip").trigger()
    assert board_view.chosen == board().panels[3].id

    # A changed panel has a stale shot, and says why.
    boards.change_panel(board().panels[3].id, prompt="a calm sea")
    state = boards.state_of(board().panels[3])
    assert (state.stage, state.reason) == (Stage.STALE, "Its words changed.")
    assert [s.value for s in stages()].count("done") == 5

    # The results as a contact sheet, the animatic as a film; saved and opened again it is the same.
    results = {panel.id: boards.result_of(panel) for panel in board().panels}
    assert all(results.values())
    for form in (Form.CONTACT, Form.FILM):
        delivery = Delivery(form=form, path=tmp_path / "harbour", results=True, rate=Fraction(8), size=(96, 64))
        path, notes = deliver(
            studio.store.document, board(), delivery, find=boards.find_picture, result_of=lambda p: results[p.id]
        )
        assert path.stat().st_size > 1000 and notes == ()
    with av.open(str(tmp_path / "harbour.mp4")) as film:
        assert sum(1 for _ in film.decode(film.streams.video[0])) == 30
    before = board()
    assert studio.save_as(tmp_path / "film.g2s") and studio.revert()
    assert board() == before
