"""Storyboards from and to files: real folders, PDFs, Storyboarder projects and scripts, written and read again."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import opentimelineio as otio
import pytest
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QPainter, QPdfWriter
from PySide6.QtPdf import QPdfDocument
from pytestqt.qtbot import QtBot

from gen2studio.app import fountain
from gen2studio.app.board_delivery import Delivery, Form, deliver
from gen2studio.app.board_export import PageOptions
from gen2studio.app.board_import import FoundBoard, panels_of, read_board
from gen2studio.app.studio import Studio
from gen2studio.cli.main import main
from gen2studio.core.errors import ExportError, ProjectError
from gen2studio.document import board_edits, boards
from gen2studio.document.board_values import Arrow, CameraFrame, ShotSize
from gen2studio.document.model import Board, Document
from tests.fakes.fake_studio import fake_studio

RED, GREEN = (30, 30, 200), (60, 180, 40)
SCRIPT = """Title: _The **Lighthouse**_
Author: Nobody
Contact:
    nowhere

# Act one

EXT. HARBOUR - DAWN #1#

= The keeper comes home.

A *small* harbour lies in fog. [[slow!]] A boat leaves.

KEEPER (V.O.)
(quiet)
Forty years,
and never dark.

CUT TO:

.LAMP ROOM

/* cut this
scene out */
The lamp will not light.

@McAvoy
Look!

!SHOUTING IN CAPITALS IS ACTION

BOY ^
I see it.

> THE END <
"""


def image(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (64, 36), alpha: int | None = None) -> Path:
    picture = np.zeros((size[1], size[0], 3 if alpha is None else 4), np.uint8)
    picture[..., :3] = colour
    if alpha is not None:
        picture[: size[1] // 2, :, 3] = alpha
    assert cv2.imwrite(str(path), picture)
    return path


def tone(path: Path, seconds: float = 1.0) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24000)
        t = np.arange(round(24000 * seconds)) / 24000
        file.writeframes((np.sin(t * 2764) * 12000).astype("<i2").tobytes())
    return path


@pytest.fixture
def studio(qtbot: QtBot) -> Iterator[Studio]:
    made, _host = fake_studio()
    yield made
    made.shutdown(discard=True)
    made.deleteLater()


def brought(studio: Studio, found: FoundBoard) -> Board:
    panels, items, _notes = panels_of(found, studio.storyboards.add_picture)
    assert studio.storyboards.bring_in(found, panels, items, fresh=True)
    board = studio.storyboards.current
    assert board is not None
    return board


def six(studio: Studio, folder: Path) -> tuple[Document, Board]:
    """A board of six panels with words, a camera move, an arrow, and sound under it."""
    folder.mkdir()
    for number in range(6):
        image(folder / f"shot {number + 1}.png", (40 * number, 200, 255 - 40 * number))
    board = brought(studio, read_board(folder, seconds=Fraction(1, 2)))
    studio.storyboards.set_board_size(64, 36, Fraction(12))
    ids = [panel.id for panel in board.panels]
    change = studio.storyboards.change_panel
    change(ids[0], action="A boat leaves.", dialogue="KEEPER: Dark.", notes="slow", shot_size=ShotSize.EWS)
    frames = (CameraFrame(), CameraFrame(x=0.25, y=0.25, width=0.5))
    studio.storyboards.edit("x", lambda d, b: board_edits.set_frames(d, b.id, ids[1], frames))
    studio.storyboards.edit("x", lambda d, b: board_edits.set_arrows(d, b.id, ids[2], (Arrow(),)))
    document = studio.store.document
    return document, document.boards[board.id]


def written(studio: Studio, tmp_path: Path, delivery: Delivery) -> Path:
    document, board = studio.store.document, studio.storyboards.current
    assert board is not None
    path, notes = deliver(document, board, delivery, find=studio.storyboards.find_picture)
    assert notes == ()
    assert not list(tmp_path.glob(".*part*"))
    return path


# -- reading -----------------------------------------------------------------------------------------------------------


def test_fountain_as_the_syntax_says() -> None:
    play = fountain.parse(SCRIPT)
    assert play.title == "The Lighthouse"
    first, second = play.scenes
    assert (first.heading, first.number, first.notes) == ("EXT. HARBOUR - DAWN", "1", "The keeper comes home.")
    assert [(p.action, p.character, p.dialogue, p.notes) for p in first.passages] == [
        ("A small harbour lies in fog.  A boat leaves.", "", "", "slow!"),
        ("", "KEEPER (V.O.)", "(quiet)\nForty years,\nand never dark.", ""),
    ]
    assert second.heading == "LAMP ROOM"
    assert [(p.action, p.character, p.dialogue) for p in second.passages] == [
        ("The lamp will not light.", "", ""),
        ("", "McAvoy", "Look!"),
        ("SHOUTING IN CAPITALS IS ACTION", "", ""),
        ("", "BOY", "I see it."),
        ("THE END", "", ""),
    ]
    assert fountain.parse("").scenes == ()
    assert fountain.parse("Just words.").scenes[0].passages[0].action == "Just words."
    assert fountain.parse("INT. X\n\nA\\*b\\* _c_ **d**").scenes[0].passages[0].action == "A*b* c d"


def test_a_script_becomes_panels(tmp_path: Path) -> None:
    file = tmp_path / "film.fountain"
    file.write_text(SCRIPT, encoding="utf-8")
    found = read_board(file)
    assert found.name == "The Lighthouse" and found.kind == "Fountain script, 2 scenes"
    assert [(p.name, p.dialogue) for p in found.panels] == [
        ("1 EXT. HARBOUR - DAWN", "KEEPER (V.O.): (quiet) Forty years, and never dark."),
        ("LAMP ROOM", "McAvoy: Look!"),
        ("LAMP ROOM", "BOY: I see it."),
        ("LAMP ROOM", ""),
    ]
    assert all(Fraction(2) <= panel.seconds <= 10 for panel in found.panels)
    scenes = read_board(file, by_scene=True)
    assert len(scenes.panels) == 2 and "THE END" in scenes.panels[1].action


def test_a_folder_of_images_in_natural_order(studio: Studio, tmp_path: Path) -> None:
    for name, colour in (("panel 10", RED), ("panel 2", GREEN)):
        image(tmp_path / f"{name}.png", colour)
    (tmp_path / "notes.md").write_text("no picture")
    found = read_board(tmp_path, seconds=Fraction(3))
    assert [panel.name for panel in found.panels] == ["panel 2", "panel 10"]
    board = brought(studio, found)
    assert [panel.seconds for panel in board.panels] == [3, 3] and all(panel.picture for panel in board.panels)
    assert studio.store.undo_stack.undoText() == "Import storyboard"
    with pytest.raises(ProjectError):
        read_board(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ProjectError):
        read_board(tmp_path / "empty")


def test_pages_of_a_pdf(studio: Studio, tmp_path: Path) -> None:
    path = tmp_path / "board.pdf"
    writer = QPdfWriter(str(path))
    writer.setResolution(72)
    painter = QPainter(writer)
    for number, colour in enumerate((QColor(200, 30, 30), QColor(40, 180, 60))):
        if number:
            writer.newPage()
        painter.fillRect(QRectF(0, 0, writer.width(), writer.height()), colour)
        painter.drawText(40, 40, f"Scene {number + 1}")
    painter.end()
    del writer
    found = read_board(path)
    assert found.kind == "2 PDF pages" and found.aspect is not None and 0.6 < found.aspect < 0.8
    assert found.panels[0].notes == "Scene 1"
    board = brought(studio, found)
    picture = cv2.imread(str(studio.storyboards.find_picture(board.panels[1].picture)))
    assert picture is not None and max(picture.shape) == 1600
    blue, green, red = (int(v) for v in picture[800, 600])
    assert green > 150 and red < 80 and blue < 90
    path.write_bytes(b"%PDF-1.4 broken")
    with pytest.raises(ProjectError):
        read_board(path)


def storyboarder(tmp_path: Path, **changes: object) -> Path:
    folder = tmp_path / "lighthouse"
    (folder / "images").mkdir(parents=True, exist_ok=True)
    image(folder / "images" / "board-1-AAAAA-fill.png", RED, alpha=255)
    image(folder / "images" / "board-1-AAAAA-pencil.png", (0, 0, 0), alpha=0)
    image(folder / "images" / "board-2-BBBBB.png", GREEN, alpha=255)
    tone(folder / "images" / "AAAAA-audio.wav")
    image(folder / "secret.png", RED)
    data = {
        "version": "3.0.0", "aspectRatio": "1.7777777777777777", "fps": 24, "defaultBoardTiming": 2000,
        "boards": [
            {
                "uid": "AAAAA", "url": "board-1-AAAAA.png", "newShot": True, "shot": "1A", "time": 0, "duration": 1500,
                "dialogue": "Never dark.", "action": "A boat leaves.", "notes": "fog",
                "layers": {
                    "fill": {"url": "board-1-AAAAA-fill.png", "opacity": 0.5},
                    "pencil": {"url": "board-1-AAAAA-pencil.png"},
                    "ink": {"url": "../secret.png"},
                },
                "audio": {"filename": "AAAAA-audio.wav", "duration": 1000},
            },
            {"uid": "BBBBB", "url": "board-2-BBBBB.png", "number": 2, "shot": "1B", "layers": {}},
            {"uid": "CCCCC", "url": "/etc/passwd", "duration": "no number"},
        ],
        **changes,
    }  # fmt: skip
    path = folder / "lighthouse.storyboarder"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_a_storyboarder_project(studio: Studio, tmp_path: Path) -> None:
    path = storyboarder(tmp_path)
    found = read_board(path.parent)  # the folder of a project will do
    first, second, third = found.panels
    assert (first.name, first.seconds, first.dialogue, first.notes) == ("1A", Fraction(3, 2), "Never dark.", "fog")
    assert [layer.name for layer in first.layers] == ["Fill", "Pencil"] and first.layers[0].opacity == 0.5
    assert first.sound is not None and second.seconds == 2 and [x.name for x in second.layers] == ["Drawing"]
    # Nothing outside the images folder is read, whatever the file says.
    assert third.picture is None and third.layers == () and third.seconds == 2
    assert found.notes == ("2 pictures or sounds are missing: ../secret.png, /etc/passwd.",)
    board = brought(studio, found)
    panel = board.panels[0]
    assert [layer.picture != "" for layer in panel.layers] == [True, False]
    flat = cv2.imread(str(studio.storyboards.find_picture(panel.picture)))
    assert flat is not None and np.abs(flat[5, 30].astype(int) - (143, 143, 228)).max() <= 2
    assert tuple(flat[30, 30]) == (255, 255, 255)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"boards": 4}', '{"boards": []}', '{"boards": [3, null, "x"]}', "[" * 9000]
)
def test_damaged_projects_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.storyboarder"
    path.write_text(text)
    with pytest.raises(ProjectError):
        read_board(path)


# -- writing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layout", "pages"), [("1", 6), ("2x3", 1), ("3x3", 1)])
def test_pdf_pages(studio: Studio, tmp_path: Path, layout: str, pages: int) -> None:
    six(studio, tmp_path / "lighthouse")
    path = written(studio, tmp_path, Delivery(form=Form.PDF, path=tmp_path / "b", pages=PageOptions(layout=layout)))
    document = QPdfDocument(None)
    assert document.load(str(path)) is QPdfDocument.Error.None_ and document.pageCount() == pages
    text = document.getAllText(0).text()
    for words in ("lighthouse", "EWS", "shot 1", "A boat leaves.", "KEEPER: Dark.", "slow", "0.5 s", "6 panels"):
        assert words in " ".join(text.split())
    document.close()


def test_contact_sheet_and_pictures(studio: Studio, tmp_path: Path) -> None:
    six(studio, tmp_path / "lighthouse")
    sheet = cv2.imread(str(written(studio, tmp_path, Delivery(form=Form.CONTACT, path=tmp_path / "sheet"))))
    assert sheet is not None and sheet.shape[1] == 2400
    # Every panel's colour is on it.
    for number in range(6):
        colour = (40 * number, 200, 255 - 40 * number)
        assert (np.abs(sheet.astype(int) - colour).max(2) <= 1).sum() > 20000
    folder = written(studio, tmp_path, Delivery(form=Form.PICTURES, path=tmp_path / "pictures"))
    assert [file.name for file in sorted(folder.iterdir())][::5] == ["01_shot-1.png", "06_shot-6.png"]


def test_a_film_with_sound_and_camera(studio: Studio, tmp_path: Path, qtbot: QtBot) -> None:
    from gen2studio.app.importing import media_item
    from gen2studio.media.probe import probe

    _document, board = six(studio, tmp_path / "lighthouse")
    sound = tone(tmp_path / "guide.wav", 1.0)
    item = media_item(sound, probe(sound))
    studio.storyboards.bring_in(FoundBoard(name="x", panels=(), kind=""), (), (item,), fresh=False)
    studio.storyboards.use_sound("", item.id)
    picture = np.full((360, 640, 3), 255, np.uint8)
    picture[:180, :320] = RED
    cv2.imwrite(str(tmp_path / "corner.png"), picture)
    studio.storyboards.set_picture(board.panels[1].id, tmp_path / "corner.png")
    path = written(
        studio, tmp_path, Delivery(form=Form.FILM, path=tmp_path / "film", rate=Fraction(12), size=(160, 90))
    )
    with av.open(str(path)) as film:
        frames = [frame.to_ndarray(format="bgr24") for frame in film.decode(film.streams.video[0])]
        assert len(frames) == 36
    with av.open(str(path)) as film:
        heard = np.concatenate([f.to_ndarray()[0] for f in film.decode(film.streams.audio[0])])
    assert np.abs(heard[4800:40000]).max() > 0.2 and np.abs(heard[60000:]).max() < 0.01
    # The second panel's camera goes into its red corner.
    red = [(np.abs(frame.astype(int) - RED).max(2) < 40).mean() for frame in frames[6:12]]
    assert red[0] < 0.3 and red[-1] > 0.85 and red == sorted(red)


def test_open_timeline(studio: Studio, tmp_path: Path) -> None:
    six(studio, tmp_path / "lighthouse")
    timeline = otio.adapters.read_from_file(
        str(written(studio, tmp_path, Delivery(form=Form.OTIO, path=tmp_path / "t")))
    )
    track = timeline.video_tracks()[0]
    assert [clip.name for clip in track] == [f"shot {n}" for n in range(1, 7)]
    assert timeline.duration().to_seconds() == 3.0
    first = track[0]
    assert (tmp_path / first.media_reference.target_url).is_file()
    assert first.metadata["gen2studio"]["shot_size"] == "EWS" and first.markers[0].name == "KEEPER: Dark."
    assert list(track[1].metadata["gen2studio"]["camera_frames"][1]) == [0.25, 0.25, 0.5, 0.0]


def test_nothing_is_written_for_an_empty_board(studio: Studio, tmp_path: Path) -> None:
    studio.storyboards.new_board()
    board = studio.storyboards.current
    assert board is not None
    for form in Form:
        with pytest.raises(ExportError):
            deliver(studio.store.document, board, Delivery(form=form, path=tmp_path / "x"), find=lambda _d: None)
    assert list(tmp_path.iterdir()) == []


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], qtbot: QtBot) -> None:
    script = tmp_path / "film.fountain"
    script.write_text(SCRIPT, encoding="utf-8")
    project = tmp_path / "film.g2s"
    assert main(["board", "import", str(project), str(script), "--by-scene"]) == 0
    assert main(["board", "import", str(project), str(storyboarder(tmp_path).parent), "--board", "The Lighthouse"]) == 0
    assert "3 panels of Storyboarder project" in capsys.readouterr().out
    assert main(["board", "list", str(project)]) == 0
    out = capsys.readouterr().out
    assert "The Lighthouse: 5 panels" in out and "1A" in out
    assert main(["board", "export", str(project), str(tmp_path / "b.pdf"), "--layout", "3x3", "-q"]) == 0
    assert main(["board", "export", str(project), str(tmp_path / "b.pdf"), "-q"]) == 1
    assert "already there" in capsys.readouterr().err
    assert main(["board", "export", str(project), str(tmp_path / "pictures"), "-q"]) == 0
    assert len(list((tmp_path / "pictures").iterdir())) == 5
    assert main(["board", "export", str(project), str(tmp_path / "x.pdf"), "--board", "Other"]) == 2
    assert main(["board", "render", str(project), "--panels", "9", "-q"]) == 2
    assert "1 to 5" in capsys.readouterr().err
    assert boards.SHORTEST < 1
