"""The headless verbs on real clips, end to end at a small size."""

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

from gen2studio.cli.main import main
from gen2studio.core import paths
from gen2studio.media.decoder import open_decoder
from gen2studio.media.metadata import read_recipe
from gen2studio.media.probe import probe

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def clip(media_root: Path) -> Path:
    return media_root / "clips" / "golden_retriever_512_3.2s.mp4"


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    picture = np.zeros((512, 512), np.uint8)
    cv2.ellipse(picture, (256, 300), (120, 140), 0, 0, 360, 255, -1)
    path = tmp_path / "dog.png"
    cv2.imwrite(str(path), picture)
    return path


def frames_of(path: Path, count: int) -> list[np.ndarray]:
    decoder = open_decoder(path)
    try:
        return [decoder.rgb(i) for i in range(count)]
    finally:
        decoder.close()


def test_generate_writes_a_film_with_its_recipe(clip: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "film" / "oil.mp4"
    arguments = ["generate", "--source", str(clip), "--preset", "oil", "--size", "160", "--range", "3:6", "--seed", "4"]
    assert main([*arguments, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out.strip() == str(out) and "3/3" in told.err
    info = probe(out)
    assert (info.width, info.height, info.rate) == (160, 160, 10)
    made = frames_of(out, 3)
    source = [cv2.resize(f, (160, 160), interpolation=cv2.INTER_AREA) for f in frames_of(clip, 6)[3:]]
    gaps = [float(np.abs(a.astype(int) - b).mean()) for a, b in zip(made, source, strict=True)]
    assert all(2 < gap < 90 for gap in gaps), gaps
    record = read_recipe(out)
    assert record is not None and record.takes[0].seed == 4 and record.takes[0].generator == "example"
    assert out.with_suffix(".json").is_file()
    assert not list((paths.cache_dir("takes")).iterdir()), "a finished take is not kept twice"
    assert main([*arguments, "--out", str(out)]) == 2 and "already there" in capsys.readouterr().err


def test_generate_changes_nothing_outside_the_mask(clip: Path, mask: Path, tmp_path: Path) -> None:
    out = tmp_path / "spots"
    code = main([
        "generate", "--mode", "mask", "--source", str(clip), "--mask", str(mask), "--hold-mask", "--pattern", "spots",
        "--base", "#fff", "--ink", "#101010", "--range", "0:2", "--feather", "3", "--out", str(out),
    ])  # fmt: skip
    assert code == 0
    inside = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) > 0
    for index, source in enumerate(frames_of(clip, 2)):
        made = cv2.cvtColor(cv2.imread(str(out / f"frame_{index:06d}.png")), cv2.COLOR_BGR2RGB)
        assert np.array_equal(made[~inside], source[~inside])
        assert np.abs(made[inside].astype(int) - source[inside]).mean() > 5
    assert (out / "spots.json").is_file()


def test_generate_keeps_the_sound_of_the_range(media_root: Path, tmp_path: Path) -> None:
    clip = media_root / "clips" / "bbb_640x360_10s_audio.mp4"
    out = tmp_path / "part.mov"
    span = ["--range", "30:36", "--size", "96x54"]
    assert main(["generate", "--source", str(clip), "--preset", "noir", *span, "--out", str(out)]) == 0
    info = probe(out)
    assert info.audio is not None and info.codec.startswith("prores")
    assert abs(float(info.duration) - 6 / float(probe(clip).rate)) < 0.05


def test_generate_folder_pattern_and_resume_after_an_interrupt(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "frames"
    command = [
        sys.executable, "-m", "gen2studio", "generate", "--source", str(clip), "--preset", "watercolour",
        "--size", "192", "--range", "0:12", "--out", str(out / "a_%04d.png"),
    ]  # fmt: skip
    takes = paths.cache_dir("takes")
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=dict(os.environ))
    try:
        deadline = time.monotonic() + 120
        while len(list(takes.glob("take-*/frame_*.png"))) < 3:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=120)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130 and "are kept; run the same command again" in told
    kept = {p.name: p.read_bytes() for p in out.glob("a_*.png")}
    assert 3 <= len(kept) < 12
    stored = {p: p.stat().st_mtime_ns for p in takes.glob("take-*/frame_*.png")}
    again = subprocess.run([*command[:-1], str(out)], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    assert again.returncode == 0, again.stderr
    assert len(list(out.glob("frame_*.png"))) == 12 and len(stored) >= len(kept)
    whole = tmp_path / "whole"
    fresh = subprocess.run([*command[:-1], str(whole)], cwd=ROOT, capture_output=True, text=True, env=dict(os.environ))
    assert fresh.returncode == 0
    for path in whole.glob("frame_*.png"):
        assert np.array_equal(cv2.imread(str(path)), cv2.imread(str(out / path.name))), path.name


def test_stills_are_spread_over_the_range(clip: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "stills"
    assert main(["stills", "--source", str(clip), "--preset", "ink", "--size", "max", "128", "--out", str(out)]) == 0
    names = [f"still_{frame:06d}.png" for frame in (4, 12, 20, 28)]
    assert sorted(p.name for p in out.iterdir()) == names
    assert capsys.readouterr().out.split() == [str(out / name) for name in names]
    assert cv2.imread(str(out / names[0])).shape == (128, 128, 3)


def test_propagate_writes_mattes_and_keeps_the_painted_one(clip: Path, mask: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "mattes"
    code = main(["propagate", str(clip), "--mask", f"{mask}@2", "--to", "6", "--out", str(out)])
    assert code == 0 and "4 mattes" in capsys.readouterr().err
    files = sorted(out.glob("*.png"))
    assert [p.name[-10:-4] for p in files] == ["000002", "000003", "000004", "000005"]
    painted = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    assert np.array_equal(cv2.imread(str(files[0]), cv2.IMREAD_UNCHANGED), painted)
    overlap = (cv2.imread(str(files[1]), cv2.IMREAD_UNCHANGED) > 127) & (painted > 127)
    assert overlap.sum() > 0.7 * (painted > 127).sum()
    assert main([
        "generate", "--mode", "mask", "--source", str(clip), "--mask", str(out), "--range", "2:6", "--pattern",
        "stripes", "--size", "128", "--out", str(tmp_path / "striped"),
    ]) == 0  # fmt: skip
    assert len(list((tmp_path / "striped").glob("frame_*.png"))) == 4


def test_propagate_carries_several_named_subjects(clip: Path, mask: Path, tmp_path: Path, capsys) -> None:
    out, other = tmp_path / "mattes", tmp_path / "other.png"
    painted = cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE)
    assert cv2.imwrite(str(other), np.where(painted > 127, 0, 255).astype(np.uint8))
    masks = ["--mask", f"dog={mask}@4", "--mask", f"ground={other}@4"]
    code = main(["propagate", str(clip), *masks, "--direction", "backward", "--from", "1", "--out", str(out)])
    told = capsys.readouterr().err
    assert code == 0 and "dog: 4 mattes" in told and "ground: 4 mattes" in told
    for number in range(1, 5):
        dog, ground = (cv2.imread(str(out / n / f"{n}_{number:06d}.png"), 0).astype(int) for n in ("dog", "ground"))
        assert (dog + ground).max() <= 255, "both claim a pixel"
    assert np.array_equal(cv2.imread(str(out / "dog" / "dog_000004.png"), 0), painted)
    again = ["propagate", str(clip), *masks, "--out", str(tmp_path / "more")]
    assert main([*again, "--engine", "none-such"]) == 1 and "not installed" in capsys.readouterr().err
    assert main([*again, *masks[:2]]) == 2 and "two masks of “dog”" in capsys.readouterr().err
    assert not (tmp_path / "more").exists()


def test_words_not_understood_are_named(clip: Path, tmp_path: Path, capsys) -> None:
    arguments = ["stills", "--source", str(clip), "--count", "1", "--size", "64", "--out", str(tmp_path)]
    assert main([*arguments, "--prompt", "watercolour zeppelin"]) == 0
    assert "zeppelin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["generate", "--source", "nope.mp4", "--preset", "oil", "--out", "x.mp4"], 1, "no file “nope.mp4”"),
        (["generate", "--preset", "oil"], 2, "required: --out"),
        (["generate", "--preset", "oil", "--out", "x.mp4"], 2, "needs a --source"),
        (["generate", "--source", "CLIP", "--preset", "dali", "--out", "x.mp4"], 2, "no preset “dali”"),
        (["generate", "--source", "CLIP", "--range", "9:3", "--out", "x.mp4"], 2, "does not lie inside"),
        (["generate", "--source", "CLIP", "--structure", "9", "--out", "x.mp4"], 2, "between 0 and 7"),
        (["generate", "--source", "CLIP", "--mode", "mask", "--out", "x.mp4"], 2, "needs a --mask"),
        (["generate", "--source", "CLIP", "--out", "x.gif"], 2, "ends with .gif"),
        (["generate", "--source", "CLIP", "--out", "one.png"], 2, "one picture"),
        (["generate", "--source", "CLIP", "--size", "big", "--out", "x.mp4"], 2, "neither WIDTHxHEIGHT"),
        (["generate", "--source", "CLIP", "--base", "pink", "--pattern", "spots", "--out", "x"], 2, "not a colour"),
        (["generate", "--source", "CLIP", "--style", "none.jpg", "--out", "x.mp4"], 1, "no image “none.jpg”"),
        (["generate", "--source", "CLIP", "--size", "64", "--range", "0:2", "--out", "x.mp4"], 1, "nothing yet"),
        (["generate", "--source", "BROKEN", "--preset", "oil", "--out", "x.mp4"], 1, ""),
        (["propagate", "CLIP", "--mask", "m.png", "--out", "o"], 2, "FILE@FRAME"),
        (["propagate", "CLIP", "--mask", "m.png@99", "--out", "o"], 2, "outside the clip"),
        (["propagate", "CLIP", "--mask", "../a=m.png@1", "--out", "o"], 1, "can't be read"),
        (["propagate", "CLIP", "--mask", "..=m.png@1", "--out", "o"], 2, "can't be a subject's name"),
        (["stills", "--source", "CLIP", "--count", "0", "--out", "o"], 2, "between 1 and 64"),
        (["frobnicate"], 2, "neither a file nor one of the verbs"),
        (["--nonsense"], 2, "unrecognized"),
    ],
)  # fmt: skip
def test_errors_are_one_line_with_an_exit_code(
    arguments: list[str], code: int, words: str, clip: Path, tmp_path: Path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(clip.read_bytes()[:3000])
    places = {"CLIP": str(clip), "BROKEN": str(broken)}
    assert main([places.get(word, word) for word in arguments]) == code
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if "░" not in line and "█" not in line]
    assert len(lines) == 1 and words in lines[0] and "Traceback" not in told.err and told.out == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.mp4"], "nothing is left behind"


def test_help_version_and_listing(capsys) -> None:
    assert main(["--version"]) == 0 and capsys.readouterr().out.startswith("Gen2 Studio ")
    assert main(["--help"]) == 0
    told = capsys.readouterr().out
    assert all(verb in told for verb in ("generate", "stills", "propagate", "probe", "export", "doctor"))
    assert main(["generate", "--help"]) == 0 and "PNG@FRAME" in capsys.readouterr().out
    assert main(["stills", "--source", "x", "--preset", "list", "--out", "y"]) == 0
    assert "watercolour" in capsys.readouterr().out
