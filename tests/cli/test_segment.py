"""``gen2studio segment``: a matte from clicks, with any engine, and errors in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.cli.main import main
from tests.segmentation.clip import Disk, iou, world
from tests.segmentation.small_sam import CHECKPOINT


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """A PNG sequence with a disk on it, and the disk's truth on frame 2."""
    pictures, truth = world([Disk((60, 60), (4, 0), 22, (200, 90, 50))], 4)
    folder = tmp_path_factory.mktemp("clip")
    for index, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"f_{index:04d}.png"), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    return folder, truth[0][2]


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main(["segment", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_clicks_and_a_box_become_a_png(
    frames: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, truth = frames
    out = tmp_path / "new" / "ball.png"
    code, said, told = run(
        capsys, folder, "--frame", 2, "--box", "40,32,58,58", "--click", "68,60", "--click", "10,10,-", "--out", out
    )
    assert code == 0 and said.strip() == str(out) and "Graph cut (no weights)" in told
    mask = cv2.imread(str(out), cv2.IMREAD_UNCHANGED)
    assert mask.dtype == np.uint8 and mask.shape == truth.shape and iou(mask, truth) > 0.9
    again = tmp_path / "again.png"
    code, _, _ = run(
        capsys, folder, "--frame", 2, "--mask", out, "--scribble", "2,2:30,2:30,10", "--scribble", "68,60:72,60:-",
        "--radius", 2, "--out", again,
    )  # fmt: skip
    assert code == 0 and cv2.imread(str(again), 0)[2, 20] == 255 and cv2.imread(str(again), 0)[60, 70] == 0


def test_an_added_model_answers_and_says_so(
    frames: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "add", str(CHECKPOINT)]) == 0
    assert "small-sam: Segment Anything (4 blocks of 96) (masks)" in capsys.readouterr().out
    folder = frames[0]
    code, _, told = run(capsys, folder, "--frame", 2, "--box", "44,36,48,48", "--out", tmp_path / "a.png")
    assert code == 0 and "Segment Anything (4 blocks of 96): " in told
    code, _, told = run(
        capsys, folder, "--frame", 2, "--click", "68,60", "--model", "graph-cut", "--out", tmp_path / "b.png"
    )
    assert code == 0 and "Graph cut" in told
    assert main(["models", "remove", "small-sam"]) == 0
    assert "small-sam" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "Say where the subject is"),
        (("--click", "5"), 2, "is not X,Y"),
        (("--click", "5,a"), 2, "does not name points"),
        (("--click", "900,5"), 2, "lies outside the picture, which is 200×120"),
        (("--click", "5,5", "--frame", "9"), 2, "which has 4 frames"),
        (("--box", "1,2,3"), 2, "is not X,Y,W,H"),
        (("--text", "dog"), 1, "No installed engine finds things by their name"),
        (("--click", "5,5", "--model", "sam9"), 1, "“sam9” is not installed"),
        (("--click", "5,5", "--out", "matte.jpg"), 2, "written as a PNG"),
    ],
)
def test_what_is_wrong_is_one_line(
    frames: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...],
    code: int, said: str,
) -> None:  # fmt: skip
    status, out, told = run(capsys, frames[0], "--out", tmp_path / "m.png", *arguments)
    last = [line for line in told.replace("\r", "\n").splitlines() if line.strip()][-1]
    assert status == code and said in last and out == "" and not (tmp_path / "m.png").exists()
