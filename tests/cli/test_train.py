"""``gen2studio train`` and ``gen2studio adapters`` on a small checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest

from gen2studio.cli.main import main
from gen2studio.models.adapters import AdapterLibrary
from gen2studio.models.library import ModelLibrary


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.diffusion.tiny import build

    return build(tmp_path_factory.mktemp("models") / "tiny", "patch")


@pytest.fixture
def dogs(media_root: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "dogs"
    folder.mkdir()
    for path in sorted((media_root / "subjects" / "dog").glob("*.jpg"))[:2]:
        shutil.copy(path, folder)
    return folder


def test_train_then_list_rename_and_delete(
    checkpoint: Path, isolated_home: Path, dogs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = ModelLibrary().add(checkpoint)
    (dogs / "00.txt").write_text("a zorb dog in the meadow", encoding="utf-8")
    command = [
        "train", "--images", str(dogs), "--name", "Biscuit", "--trigger", "zorb", "--steps", "3", "--rank", "2",
        "--model", model.id, "--frames", str(tmp_path / "frames"),
    ]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr()
    assert "2 images will be learned by heart" in said.err
    kept = AdapterLibrary().adapters()
    assert [(a.name, a.trigger, a.base_model, a.rank, a.steps) for a in kept] == [("Biscuit", "zorb", model.id, 2, 3)]
    assert kept[0].id in said.out and str(kept[0].path) in said.out
    assert sorted(p.name for p in (tmp_path / "frames").iterdir()) == ["step_000000.png", "step_000003.png"]

    assert main(["adapters", "list", "--model", model.id, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["why_not"]) for row in rows] == [("Biscuit", "")]
    copy = tmp_path / "brought.safetensors"
    shutil.copy(kept[0].path, copy)
    assert main(["adapters", "rename", "biscuit", "Old dog"]) == 0
    assert main(["adapters", "delete", kept[0].id]) == 0
    assert AdapterLibrary().adapters() == ()
    assert main(["adapters", "import", str(copy), "--model", model.id]) == 0
    assert [(a.name, a.trigger, a.imported) for a in AdapterLibrary().adapters()] == [("Biscuit", "zorb", True)]


def test_a_folder_of_clips_is_planned_and_learned_from(
    checkpoint: Path, isolated_home: Path, dogs: Path, media_root: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    model = ModelLibrary().add(checkpoint)
    shutil.copy(media_root / "clips" / "golden_retriever_512_3.2s.mp4", dogs / "walk.mp4")
    (dogs / "walk.txt").write_text("a zorb dog walks", encoding="utf-8")
    command = [
        "train", "--images", str(dogs), "--name", "Walk", "--trigger", "zorb", "--steps", "2", "--rank", "2",
        "--model", model.id, "--clip-frames", "5", "--windows", "head", "--size", "64x64",
        "--frames", str(tmp_path / "frames"),
    ]  # fmt: skip
    assert main([*command, "--plan"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "5 frames of 64 × 64" in said[0] and [line[:6].strip() for line in said[1:]] == [
        "8 GB", "12 GB", "16 GB", "24 GB", "48 GB", "80 GB"
    ]  # fmt: skip
    assert AdapterLibrary().adapters() == ()
    assert main(command) == 0
    assert "2 images and 1 clip" in capsys.readouterr().err
    assert [(a.name, a.steps) for a in AdapterLibrary().adapters()] == [("Walk", 2)]
    frame = cv2.imread(str(tmp_path / "frames" / "step_000002.png"))
    assert frame.shape == (128, 128, 3), "four moments of a clip"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["train", "--images", "nowhere", "--name", "X", "--trigger", "zorb"], 2, "nowhere"),
        (["train", "--images", "{dogs}", "--name", "X", "--trigger", "two words"], 2, "one word"),
        (["train", "--images", "{empty}", "--name", "X", "--trigger", "zorb"], 2, "no images"),
        (["train", "--images", "{dogs}", "--name", "X", "--trigger", "zorb", "--model", "gpt"], 1, "gpt"),
        (["train", "--images", "{broken}", "--name", "X", "--trigger", "zorb"], 1, "torn.png"),
        (["train", "--images", "{dogs}", "--name", "X", "--trigger", "zorb", "--size", "big"], 2, "big"),
        (["train", "--images", "{dogs}", "--name", "X", "--trigger", "zorb", "--card", "7"], 2, "7 GB"),
        (["adapters", "delete", "nobody"], 1, "nobody"),
        (["adapters", "import", "{dogs}/00.jpg"], 1, "00.jpg"),
    ],
)
def test_what_goes_wrong_is_one_line(
    arguments: list[str], code: int, words: str, dogs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n torn")
    places = {"dogs": str(dogs), "empty": str(tmp_path / "empty"), "broken": str(tmp_path / "broken")}
    assert main([a.format(**places) for a in arguments]) == code
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert words in error and "Traceback" not in error
