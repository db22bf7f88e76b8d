"""``gen2studio matte``: out of a clip with matte files, into a project, and out of that again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.app.project_files import Project
from gen2studio.cli.main import main
from gen2studio.media.matte_reader import MatteReader, find_matte
from tests.export.sequences import simple

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clip(media_root: Path) -> Path:
    return media_root / "clips" / "hard" / "odd_dims_161x121_vp9.webm"


@pytest.fixture
def mattes(tmp_path: Path) -> Path:
    folder = tmp_path / "mattes"
    folder.mkdir()
    for number in range(4, 9):
        picture = np.zeros((121, 161), np.uint8)
        cv2.circle(picture, (60 + number * 4, 60), 30, 255, -1, cv2.LINE_AA)
        cv2.imwrite(str(folder / f"dog_{number:04d}.png"), picture)
    return folder


@pytest.fixture
def project(clip: Path, tmp_path: Path) -> Path:
    path = tmp_path / "shot.g2s"
    project, _ = Project.new()
    project.save_as(simple(clip), path)
    project.close()
    return path


def read(path: Path, position: int = 0) -> np.ndarray:
    reader = MatteReader(find_matte(path))
    try:
        return next(iter(reader.read(position).values()))
    finally:
        reader.close()


def test_a_clip_and_a_matte_sequence_become_a_file(
    clip: Path, mattes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "dog.mov"
    arguments = ["matte", "export", str(clip), "--masks", f"{mattes}=Dog", "--format", "prores4444", "--out", str(out)]
    assert main(arguments) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(out) and "Exporting mattes" in told.err
    file = find_matte(out)
    assert file.count == 5
    assert np.array_equal(read(out, 2), cv2.imread(str(mattes / "dog_0006.png"), cv2.IMREAD_GRAYSCALE))
    assert main(arguments) == 1  # it is there already
    assert main([*arguments, "--force", "-q", "--range", "5:7"]) == 0
    assert find_matte(out).count == 2


def test_into_a_project_and_out_again(
    project: Path, mattes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["matte", "import", str(project), str(mattes), "--name", "Dog", "-q"]) == 0
    assert capsys.readouterr().out == "Dog: 5 frames\n"
    assert main(["matte", "import", str(project), str(mattes), "--into", "dog", "--at", "0", "--invert", "-q"]) == 0
    assert capsys.readouterr().out == "Dog: 9 frames\n"
    out = tmp_path / "out"
    assert main(["matte", "export", str(project), "--object", "Dog", "--format", "exr", "--out", str(out), "-q"]) == 0
    assert len(list(out.iterdir())) == 9
    want = cv2.imread(str(mattes / "dog_0004.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(read(out, 0), 255 - want)
    # The first five frames were overwritten; the rest is as it was.
    want = cv2.imread(str(mattes / "dog_0007.png"), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(read(out, 7), want)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["export", "{clip}", "--out", "{out}"], 2, "--masks"),
        (["export", "nowhere.mp4", "--out", "{out}"], 2, "There is no project or clip"),
        (["export", "{project}", "--out", "{out}"], 2, "no mask objects"),
        (["export", "{clip}", "--masks", "{mattes}", "--object", "Cat", "--out", "{out}"], 2, "no mask object “Cat”"),
        (["export", "{clip}", "--masks", "{mattes}", "--range", "9:4", "--out", "{out}"], 2, "does not lie inside"),
        (["export", "{clip}", "--masks", "{mattes}", "--key", "green", "--out", "{out}"], 2, "not a colour"),
        (["export", "{clip}", "--masks", "{mattes}", "--format", "gif", "--out", "{out}"], 2, "invalid choice"),
        (["export", "{clip}", "--masks", "{broken}", "--out", "{out}"], 1, "damaged or cut short"),
        (["import", "{project}", "{broken}"], 1, "damaged or cut short"),
        (["import", "{project}", "{mattes}", "--from", "alpha"], 1, "no alpha channel"),
        (["import", "{project}", "{mattes}", "--at", "9000"], 1, "falls into the clip"),
        (["import", "{clip}", "{mattes}"], 1, "project"),
    ],
)
def test_wrong_calls_are_one_line(
    arguments: list[str],
    status: int,
    words: str,
    clip: Path,
    project: Path,
    mattes: Path,
    media_root: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken = media_root / "broken" / "image_truncated_image.png"
    places = {"clip": clip, "project": project, "mattes": mattes, "broken": broken, "out": tmp_path / "out"}
    before = (project / "project.json").read_bytes()
    assert main(["matte", *(a.format(**places) for a in arguments)]) == status
    told = [line for line in capsys.readouterr().err.splitlines() if not line.startswith(("Reading", "The file"))]
    assert len(told) == 1 and words in told[0]
    assert (project / "project.json").read_bytes() == before
    assert not (tmp_path / "out").exists()


def test_ctrl_c_leaves_no_half_file(media_root: Path, tmp_path: Path) -> None:
    clip = media_root / "clips" / "bottles_table_640x360_40s.mp4"
    still = tmp_path / "half.png"
    cv2.imwrite(str(still), np.full((360, 640), 90, np.uint8))
    command = [sys.executable, "-m", "gen2studio.cli.main", "matte", "export", str(clip), "--masks", str(still)]
    command += ["--range", "0:1000", "--format", "prores4444", "--out", str(tmp_path / "out" / "table.mov")]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/.table*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert list(tmp_path.glob("out/.table*")), "the export has not begun"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130 and told.splitlines()[-1] == "gen2studio: stopped."
    assert list((tmp_path / "out").iterdir()) == []
