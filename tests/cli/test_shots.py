"""Shots from the command line: every mode's options on a tiny random checkpoint, and what is refused in one line."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.cli.main import main
from gen2studio.media.metadata import TRAINED, read_recipe
from gen2studio.media.probe import probe
from gen2studio.models.library import ModelLibrary
from tests.diffusion.tiny import build

QUICK = ["--steps", "1", "--generator", "tiny-patch"]


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("models") / "tiny-patch", "patch")


@pytest.fixture
def model(checkpoint: Path, isolated_home: Path) -> str:
    """The tiny model, added as an artist would."""
    return ModelLibrary().add(checkpoint).id


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    image = np.zeros((48, 64, 3), np.uint8)
    image[:, :32] = (40, 160, 240)
    path = tmp_path / "first.png"
    cv2.imwrite(str(path), image)
    return path


def test_what_is_installed_is_offered_and_preferred(model: str) -> None:
    from gen2studio.app.choosing import choose
    from gen2studio.compose import find_adapter, generator_registry, look_catalog
    from gen2studio.document.look import Look, Mode

    registry, catalog = generator_registry(), look_catalog()
    order = [abilities.id for abilities in registry.abilities]
    # An added model comes before the built-in one.
    assert order[:2] == ["example", model]
    assert registry.operators("interpolate")[0] == registry.operators("upscale")[0] == "built-in"
    found = choose(Look(mode=Mode.TEXT_TO_VIDEO, prompt="a boat"), registry, catalog.words)
    assert found is not None and found.abilities.id == model
    # A text encoder knows every word; the example-based generator says which it does not.
    assert all(word.known for word in catalog.words("a zeppelin in watercolour", model))
    known = {word.word: word.known for word in catalog.words("a zeppelin in watercolour")}
    assert known == {"a": True, "zeppelin": False, "in": True, "watercolour": True}
    assert catalog.presets() and find_adapter("adapter-000000000000") is None


def test_an_unreadable_list_of_models_leaves_the_rest(isolated_home: Path) -> None:
    from gen2studio.compose import generator_registry, models_problem

    file = ModelLibrary().registry_file
    file.parent.mkdir(parents=True)
    file.write_text("{")
    assert "can't be read" in models_problem()
    assert [abilities.id for abilities in generator_registry().abilities] == ["example"]


def test_text_becomes_a_film(model: str, tmp_path: Path, capsys) -> None:
    out = tmp_path / "shot.mp4"
    shot = ["--size", "64x64", "--seconds", "0.5", "--fps", "10", "--camera", "zoom=2,static", "--guidance", "2"]
    assert main(["generate", "--mode", "text", "--prompt", "a boat", *QUICK, *shot, "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    info = probe(out)
    assert (info.width, info.height, info.rate, info.frame_count) == (64, 64, 10, 5)
    record = read_recipe(out)
    assert record is not None and record.source_type == TRAINED and not record.inputs
    recipe = json.loads(record.takes[0].recipe)
    assert recipe["from_nothing"] and recipe["mode"] == "text" and recipe["controls"]["steps"] == 1
    assert recipe["camera"]["static"] and recipe["camera"]["zoom"] == {"f": (2.0).hex()}


def test_pictures_are_put_at_their_times(model: str, picture: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    keys = ["--image", str(picture), "--last", str(picture), "--key", f"{picture}@0.5s"]
    shot = ["--seconds", "1.125", "--fps", "8", "--aspect", "1:1"]
    words = ["--mode", "text_image", "--prompt", "a boat"]
    assert main(["generate", *words, *QUICK, *keys, *shot, "--out", str(out)]) == 0
    frames = sorted(out.glob("frame_*.png"))
    assert len(frames) == 9
    recipe = json.loads((out / "frames.json").read_text())["takes"][0]["recipe"]
    assert [key["frame"] for key in recipe["keys"]] == [0, 4, 8]


def test_a_storyboard_is_one_film(model: str, picture: Path, tmp_path: Path) -> None:
    board = tmp_path / "board.json"
    panels = [{"picture": picture.name, "prompt": "a city", "seconds": 0.5}, {"prompt": "a boat", "camera": "pan=3"}]
    board.write_text(json.dumps({"panels": panels}))
    out = tmp_path / "board.mp4"
    shot = ["--size", "64x64", "--fps", "4", "--prompt", "ink"]
    command = ["generate", "--mode", "storyboard", *QUICK, *shot]
    assert main([*command, "--board", str(board), "--out", str(out)]) == 0
    assert probe(out).frame_count == 2 + 8
    record = read_recipe(out)
    assert record is not None
    recipes = [json.loads(take.recipe) for take in record.takes]
    assert [r["prompt"] for r in recipes] == ["a city, ink", "a boat, ink"]
    assert recipes[0]["layout"] and not recipes[0]["keys"] and not recipes[1]["layout"]
    assert recipes[1]["camera"]["pan"] == {"f": (3.0).hex()}
    stills = tmp_path / "stills"
    panel = ["--panel", f"{picture}|a city|0.5", "--panel", "a boat", "--keep-pictures"]
    assert main(["stills", *command[1:], *panel, "--out", str(stills)]) == 0
    assert sorted(p.name for p in stills.iterdir()) == ["panel_01.png", "panel_02.png"]


def test_a_projects_board(model: str, picture: Path, tmp_path: Path, monkeypatch) -> None:
    from gen2studio.app.project_files import Project
    from gen2studio.document import boards
    from gen2studio.document.look import Look
    from gen2studio.document.model import Panel

    project, document = Project.new()
    document, key = boards.new_board(document, look=Look(prompt="ink"))
    digest = project.add_blob(picture)
    panel = Panel(id="panel-000000000001", picture=digest, prompt="a city", seconds=Fraction(1, 2))
    document = boards.add_panel(document, key, panel)
    project.save_as(document, tmp_path / "film.g2s")
    project.close()
    out = tmp_path / "out"
    arguments = ["--board", str(tmp_path / "film.g2s"), "--size", "64x64", "--fps", "4"]
    assert main(["generate", "--mode", "storyboard", *QUICK, *arguments, "--out", str(out)]) == 0
    assert len(list(out.glob("frame_*.png"))) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--mode", "text"], "needs a --prompt"),
        (["--mode", "text", "--prompt", "x", "--image", "P"], "use --mode text_image"),
        (["--mode", "image"], "needs an --image"),
        (["--mode", "text", "--prompt", "x", "--source", "P"], "leave out --source"),
        (["--mode", "text", "--prompt", "x", "--range", "0:2"], "not with --range"),
        (["--mode", "text", "--prompt", "x", "--generator", "example"], "does not serve text"),
        (["--mode", "text", "--prompt", "x", "--aspect", "wide"], "no aspect ratio"),
        (["--mode", "text", "--prompt", "x", "--size", "65x64"], "can't be 65×64"),
        (["--mode", "text", "--prompt", "x", "--size", "max", "64"], "sized by --aspect"),
        (["--mode", "text", "--prompt", "x", "--fps", "many"], "--fps “many” is not a number"),
        (["--mode", "text", "--prompt", "x", "--seconds", "999"], "lasts up to 120 seconds"),
        (["--mode", "text", "--prompt", "x", "--camera", "up=3"], "no camera move"),
        (["--mode", "text", "--prompt", "x", "--camera", "zoom=11"], "no camera move"),
        (["--mode", "text", "--prompt", "x", "--steps", "0"], "--steps lies between"),
        (["--mode", "text", "--prompt", "x", "--adapter", "rex"], "no adapter “rex”"),
        (["--mode", "text", "--prompt", "x", "--preset", "oil"], "does not honour --preset"),
        (["--mode", "text", "--prompt", "x", "--fill", "free"], "does not honour --fill"),
        (["--mode", "text", "--prompt", "x", "--near-black"], "needs a --depth"),
        (["--mode", "image", "--key", "P@3.5s", "--seconds", "1"], "outside the clip"),
        (["--mode", "image", "--key", "P@99"], "outside the clip"),
        (["--mode", "image", "--key", "P"], "FILE@FRAME"),
        (["--mode", "storyboard", "--prompt", "x"], "needs panels"),
        (["--mode", "storyboard", "--panel", "2"], "neither a picture nor words"),
        (["--mode", "storyboard", "--panel", "gone.png|x"], "no image “gone.png”"),
        (["--mode", "storyboard", "--panel", "x|900"], "a tenth of a second"),
        (["--mode", "storyboard", "--board", "gone.json"], "no file “gone.json”"),
        (["--source", "P", "--prompt", "watercolour", "--camera", "zoom=1"], "is for generated shots"),
        (["--source", "P", "--preset", "ink", "--guidance", "3"], "does not honour --guidance"),
        (["--source", "P", "--prompt", "watercolour", "--panel", "x"], "is for generated shots"),
    ],
)
def test_wrong_wishes_are_one_line(
    arguments: list[str], words: str, model: str, picture: Path, tmp_path: Path, capsys
) -> None:
    filled = [word.replace("P", str(picture)) if word[0] == "P" else word for word in arguments]
    assert main(["generate", *filled, "--out", str(tmp_path / "x.mp4")]) in (1, 2)
    told = capsys.readouterr()
    assert words in told.err and len(told.err.splitlines()) == 1 and "Traceback" not in told.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first.png"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Nine moving frames of 64 × 48 pixels, as pictures."""
    folder = tmp_path / "clip"
    folder.mkdir()
    for frame in range(9):
        image = np.full((48, 64, 3), 40, np.uint8)
        image[10:30, 4 * frame : 4 * frame + 20] = (30, 200, 240)
        cv2.imwrite(str(folder / f"f_{frame:04d}.png"), image)
    return folder / "f_%04d.png"


@pytest.mark.parametrize(
    ("room", "size"),
    [("25%,0,25%,0", (96, 48)), ("8,4,0,0", (72, 52)), ("16:9", (84, 48)), ("1:1", (64, 64))],
)
def test_room_is_drawn_around_a_clip_that_keeps_every_pixel(
    room: str, size: tuple[int, int], model: str, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = ["generate", "--source", str(clip), "--prompt", "a boat", *QUICK, "--range", "2:5", "--outpaint", room]
    assert main([*command, "--out", str(out)]) == 0
    frames = [cv2.imread(str(path)) for path in sorted(out.glob("frame_*.png"))]
    assert len(frames) == 3 and all((f.shape[1], f.shape[0]) == size for f in frames)
    recipe = json.loads((out / "out.json").read_text())["takes"][0]["recipe"]
    left, top = recipe["outpaint"][:2]
    for frame, made in enumerate(frames, 2):
        own = cv2.imread(str(clip.parent / f"f_{frame:04d}.png"))
        assert np.array_equal(made[top : top + 48, left : left + 64], own)


def test_a_clip_is_extended_by_seconds_or_frames(model: str, clip: Path, tmp_path: Path) -> None:
    for number, (length, count) in enumerate((("6f", 6), ("0.2", 5))):
        out = tmp_path / f"more-{number}"
        command = ["generate", "--mode", "text", "--source", str(clip), "--extend", length, "--keep", "4", *QUICK]
        assert main([*command, "--range", ":8", "--out", str(out)]) == 0
        frames = sorted(out.glob("frame_*.png"))
        assert len(frames) == count and cv2.imread(str(frames[0])).shape == (48, 64, 3)
        record = json.loads((out / f"{out.name}.json").read_text())
        recipe = record["takes"][0]["recipe"]
        assert (recipe["lead"]["start"], recipe["lead"]["stop"], recipe["from_nothing"]) == (4, 8, True)
        assert [entry["name"] for entry in record["inputs"]] == ["f_0000.png"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--source", "C", "--outpaint", "1,2,3"], "not left,top,right,bottom"),
        (["--source", "C", "--outpaint", "0,0,0,0"], "adds some room"),
        (["--source", "C", "--outpaint", "300%,0,0,0"], "at most 200%"),
        (["--source", "C", "--outpaint", "4:3"], "has the shape 4:3 already"),
        (["--source", "C", "--outpaint", "wide"], "nor a shape like 16:9"),
        (["--source", "C", "--outpaint", "16:9", "--generator", "example"], "does not honour --outpaint"),
        (["--mode", "text", "--prompt", "x", "--extend", "2"], "needs the --source"),
        (["--source", "C", "--extend", "2"], "use --mode text"),
        (["--mode", "text", "--source", "C", "--extend", "long"], "neither seconds nor frames"),
        (["--mode", "text", "--source", "C", "--extend", "2", "--seconds", "3"], "leave out --seconds"),
        (["--mode", "text", "--source", "C", "--extend", "2", "--keep", "0"], "one frame at least"),
        (["--mode", "text", "--prompt", "x", "--keep", "3"], "--keep belongs to --extend"),
    ],
)
def test_reaching_wrongly_is_one_line(
    arguments: list[str], words: str, model: str, clip: Path, tmp_path: Path, capsys
) -> None:
    filled = [str(clip) if word == "C" else word for word in arguments]
    assert main(["generate", *filled, "--prompt", "a boat", "--out", str(tmp_path / "x.mp4")]) in (1, 2)
    told = capsys.readouterr()
    assert words in told.err and len(told.err.splitlines()) == 1
