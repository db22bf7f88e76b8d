"""Looks by object on the command line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.cli.main import main
from gen2studio.media.decoder import open_decoder


def matte(path: Path, rows: slice, columns: slice) -> str:
    picture = np.zeros((512, 512), np.uint8)
    picture[rows, columns] = 255
    cv2.imwrite(str(path), picture)
    return str(path)


def test_parts_make_one_film_and_leave_the_rest(media_root: Path, tmp_path: Path) -> None:
    clip = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    left = matte(tmp_path / "left.png", np.s_[:], np.s_[:200])
    right = matte(tmp_path / "right.png", np.s_[:], np.s_[360:])
    common = ["generate", "--source", str(clip), "--hold-mask", "--range", "0:1", "--size", "128", "--feather", "0"]
    out = tmp_path / "film"
    assert main([*common, "--part", f"{left}=ink", "--part", f"{right}=Oil painting", "--out", str(out)]) == 0
    decoder = open_decoder(clip)
    try:
        own = cv2.resize(decoder.rgb(0), (128, 128), interpolation=cv2.INTER_AREA)
    finally:
        decoder.close()
    made = cv2.cvtColor(cv2.imread(str(out / "frame_000000.png")), cv2.COLOR_BGR2RGB)
    assert np.array_equal(made[:, 50:90], own[:, 50:90])
    for columns in (np.s_[:, :50], np.s_[:, 90:]):
        assert np.abs(made[columns].astype(int) - own[columns]).mean() > 3


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--part", "dog.png"], "write MASK=LOOK"),
        (["--part", "background=ink"], "at least one other part"),
        (["--part", "a.png=ink", "--preset", "oil"], "leave out --preset"),
        (["--part", "a.png=ink", "--mode", "text", "--prompt", "a car"], "leave out --"),
    ],
)
def test_parts_that_make_no_sense_are_one_sentence(
    options: list[str], sentence: str, media_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = media_root / "clips" / "golden_retriever_512_3.2s.mp4"
    assert main(["generate", "--source", str(clip), *options, "--out", str(tmp_path / "x.mp4")]) == 2
    assert sentence in capsys.readouterr().err
