"""Drawing on panels: strokes through the real brush, layers, fill, onion skin, undo in the one stack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.drawing_tools import Tool
from gen2studio.app.panel_drawing import PanelDrawing
from gen2studio.app.studio import Studio
from gen2studio.document.board_values import LayerBlend
from gen2studio.document.model import Panel
from tests.fakes.fake_studio import fake_studio

RED = (200, 30, 20)


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    made, _host = fake_studio()
    boards = made.storyboards
    boards.new_board()
    board = boards.current
    assert board is not None
    boards.set_board_size(64, 36)
    boards.add_panel()
    yield made
    made.shutdown(discard=True)
    made.deleteLater()


def opened(studio: Studio, qtbot: QtBot, place: int = 0) -> PanelDrawing:
    drawing = studio.storyboards.drawing
    drawing.open(panel(studio, place).id)
    settle(drawing, qtbot)
    drawing.set(colour=RED, width=40.0)
    return drawing


def settle(drawing: PanelDrawing, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: not drawing.busy and drawing.shown is not None, timeout=10000)


def panel(studio: Studio, place: int = 0) -> Panel:
    board = studio.storyboards.current
    assert board is not None
    return board.panels[place]


def stroke(drawing: PanelDrawing, *points: tuple[float, float], pressure: float = 1.0, erase: bool = False) -> None:
    drawing.press(*points[0], pressure, erase=erase)
    for point in points[1:]:
        drawing.move(*point, pressure)
    drawing.release()


def stored(studio: Studio, digest: str) -> np.ndarray:
    path = studio.project.find_blob(digest)
    assert path is not None
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return picture


def seen(drawing: PanelDrawing, x: int, y: int) -> tuple[int, ...]:
    found = drawing.colour_at(x, y)
    assert found is not None
    return found


def test_a_stroke_is_one_undo_step_on_a_layer_of_its_own(studio: Studio, qtbot: QtBot) -> None:
    drawing = opened(studio, qtbot)
    assert drawing.size == (1280, 720)
    steps = studio.store.undo_stack.count()
    stroke(drawing, (200, 200), (600, 200))
    assert seen(drawing, 400, 200) == RED  # at once
    settle(drawing, qtbot)
    assert studio.store.undo_stack.count() == steps + 1 and studio.store.undo_stack.undoText() == "Draw"
    [layer] = panel(studio).layers
    pixels, flat = stored(studio, layer.picture), stored(studio, panel(studio).picture)
    assert pixels.shape == (720, 1280, 4) and flat.shape == (720, 1280, 3)
    assert tuple(pixels[200, 400]) == (*RED[::-1], 255) and pixels[400, 400, 3] == 0
    assert tuple(flat[200, 400]) == RED[::-1]
    studio.store.undo_stack.undo()
    settle(drawing, qtbot)
    assert panel(studio).layers == () and panel(studio).picture == "" and seen(drawing, 400, 200) != RED
    studio.store.undo_stack.redo()
    settle(drawing, qtbot)
    assert panel(studio).layers == (layer,) and seen(drawing, 400, 200) == RED


def test_pressure_makes_a_stroke_wide_and_the_eraser_rubs_it_out(studio: Studio, qtbot: QtBot) -> None:
    drawing = opened(studio, qtbot)
    stroke(drawing, (100, 100), (500, 100), pressure=0.25)
    stroke(drawing, (100, 300), (500, 300), pressure=1.0)
    settle(drawing, qtbot)
    alpha = stored(studio, panel(studio).layers[0].picture)[..., 3]
    thin, wide = (int((alpha[row - 40 : row + 40, 300] > 128).sum()) for row in (100, 300))
    assert 8 <= thin <= 12 and 38 <= wide <= 42
    # The other end of the pen erases whatever the tool is.
    stroke(drawing, (300, 260), (300, 340), erase=True)
    settle(drawing, qtbot)
    assert studio.store.undo_stack.undoText() == "Erase"
    alpha = stored(studio, panel(studio).layers[0].picture)[..., 3]
    assert alpha[300, 300] == 0 and alpha[300, 400] == 255
    # Strokes in quick succession are stored in order.
    for row in (400, 450, 500):
        stroke(drawing, (100, row), (200, row))
    settle(drawing, qtbot)
    alpha = stored(studio, panel(studio).layers[0].picture)[..., 3]
    assert [int(alpha[row, 150]) for row in (400, 450, 500)] == [255] * 3


def test_shapes_and_fill(studio: Studio, qtbot: QtBot) -> None:
    drawing = opened(studio, qtbot)
    drawing.set(tool=Tool.BOX, solid=False, width=8.0)
    drawing.press(100, 100)
    drawing.move(900, 500)
    drawing.move(500, 300, square=True)  # what was dragged over before is gone
    drawing.release()
    settle(drawing, qtbot)
    flat = stored(studio, panel(studio).picture)
    paper = tuple(int(v) for v in flat[0, 0])
    assert tuple(flat[100, 300]) == RED[::-1] and tuple(flat[300, 300]) == paper and tuple(flat[500, 700]) == paper
    assert tuple(flat[480, 500]) == RED[::-1]  # a square: as high as it is wide
    drawing.set(tool=Tool.FILL, colour=(20, 90, 200))
    drawing.press(300, 300)
    settle(drawing, qtbot)
    flat = stored(studio, panel(studio).picture)
    assert tuple(flat[300, 300]) == (200, 90, 20) and tuple(flat[50, 50]) == paper
    drawing.set(tool=Tool.ELLIPSE, solid=True, colour=RED)
    drawing.press(600, 100)
    drawing.move(800, 200)
    drawing.release()
    settle(drawing, qtbot)
    flat = stored(studio, panel(studio).picture)
    assert tuple(flat[150, 700]) == RED[::-1] and tuple(flat[105, 605]) == paper
    # Three steps, whatever was dragged.
    assert [studio.store.undo_stack.text(i) for i in range(3, studio.store.undo_stack.count())][-3:] == [
        "Draw box", "Fill", "Draw ellipse",
    ]  # fmt: skip


def test_a_picture_becomes_the_lowest_layer(studio: Studio, qtbot: QtBot, media_root: Path) -> None:
    studio.storyboards.set_picture(panel(studio).id, media_root / "style" / "hokusai_great_wave.jpg")
    before = panel(studio).picture
    drawing = opened(studio, qtbot)
    stroke(drawing, (100, 100), (300, 100))
    settle(drawing, qtbot)
    base, top = panel(studio).layers
    assert base.name == "Picture" and base.picture == before and top.id == drawing.layer_id
    drawing.change_layer(base.id, visible=False)
    settle(drawing, qtbot)
    flat = stored(studio, panel(studio).picture)
    assert len(np.unique(flat[400:].reshape(-1, 3), axis=0)) == 1
    studio.store.undo_stack.undo()
    settle(drawing, qtbot)
    assert panel(studio).layers[0].visible
    assert len(np.unique(stored(studio, panel(studio).picture)[400:].reshape(-1, 3), axis=0)) > 100


def test_layers_are_laid_as_they_say(studio: Studio, qtbot: QtBot) -> None:
    drawing = opened(studio, qtbot)
    drawing.set(colour=(200, 200, 0))
    stroke(drawing, (100, 200), (600, 200))
    drawing.add_layer()
    settle(drawing, qtbot)
    drawing.set(colour=(0, 200, 200))
    stroke(drawing, (100, 200), (600, 200))
    settle(drawing, qtbot)
    low, high = panel(studio).layers
    assert seen(drawing, 300, 200) == (0, 200, 200)
    drawing.change_layer(high.id, blend=LayerBlend.MULTIPLY)
    settle(drawing, qtbot)
    assert seen(drawing, 300, 200) == (0, 157, 0)
    drawing.move_layer(low.id, 1)
    drawing.change_layer(low.id, opacity=0.5)
    settle(drawing, qtbot)
    assert [layer.id for layer in panel(studio).layers] == [high.id, low.id]
    red, green, blue = seen(drawing, 300, 200)
    assert (red, green, blue) == (100, 195, 93)
    drawing.remove_layer(low.id)
    settle(drawing, qtbot)
    assert drawing.layer_id == high.id and len(panel(studio).layers) == 1
    said: list[str] = []
    studio.session.message.connect(lambda _severity, text: said.append(text))
    drawing.change_layer(high.id, visible=False)
    stroke(drawing, (10, 10), (20, 20))
    settle(drawing, qtbot)
    assert "is hidden" in said[-1]


def test_onion_skin_and_reference_are_seen_and_not_stored(studio: Studio, qtbot: QtBot, media_root: Path) -> None:
    drawing = opened(studio, qtbot)
    drawing.set(colour=(0, 0, 0))
    stroke(drawing, (100, 100), (600, 100))
    settle(drawing, qtbot)
    studio.storyboards.add_panel()
    drawing.open(panel(studio, 1).id)
    drawing.set(onion=0.8)
    settle(drawing, qtbot)
    red, green, blue = seen(drawing, 300, 100)
    assert red > 180 and green < 120 and blue < 120
    studio.storyboards.set_reference(panel(studio, 1).id, media_root / "style" / "hokusai_great_wave.jpg")
    settle(drawing, qtbot)
    assert len(np.unique(drawing.shown[400:, :, :3].reshape(-1, 3), axis=0)) > 100  # type: ignore[index]
    stroke(drawing, (900, 600), (950, 600))
    settle(drawing, qtbot)
    flat = stored(studio, panel(studio, 1).picture)
    assert len(np.unique(flat[:500].reshape(-1, 3), axis=0)) == 1
    assert panel(studio, 1).reference and panel(studio, 1).layers[0].picture


def test_a_stroke_can_be_dropped_and_panels_changed_at_once(studio: Studio, qtbot: QtBot) -> None:
    drawing = opened(studio, qtbot)
    studio.storyboards.add_panel()
    stroke(drawing, (100, 100), (600, 100))
    first = panel(studio).id
    drawing.open(panel(studio, 1).id)  # before the stroke is stored
    settle(drawing, qtbot)
    assert panel(studio).layers and not panel(studio, 1).layers and seen(drawing, 300, 100) != RED
    drawing.open(first)
    settle(drawing, qtbot)
    assert seen(drawing, 300, 100) == RED
    steps = studio.store.undo_stack.count()
    drawing.press(100, 400)
    drawing.move(600, 400)
    drawing.cancel()
    settle(drawing, qtbot)
    assert seen(drawing, 300, 400) != RED and studio.store.undo_stack.count() == steps
