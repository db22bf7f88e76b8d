"""The export and probe verbs: statuses, one line on stderr, and Ctrl-C."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gen2studio.app.project_files import Project
from gen2studio.cli import export as export_verb
from gen2studio.cli import probe as probe_verb
from gen2studio.media.probe import probe
from tests.export.sequences import BUNNY, DOG, simple

_MAIN = """
import argparse, sys
from gen2studio.cli import export
parser = argparse.ArgumentParser()
export.add_parser(parser.add_subparsers())
args = parser.parse_args()
sys.exit(args.run(args))
"""


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    verbs = parser.add_subparsers()
    export_verb.add_parser(verbs)
    probe_verb.add_parser(verbs)
    args = parser.parse_args([str(word) for word in words])
    return args.run(args)


@pytest.fixture
def project(tmp_path: Path, media_root: Path) -> Path:
    opened, _ = Project.new("Dog")
    path = tmp_path / "dog.g2s"
    opened.save_as(simple(media_root / DOG), path, packed=False)
    opened.close()
    return path


def test_a_project_is_exported(project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mp4"
    assert run("export", project, out, "--from", "2", "--to", "6") == 0
    assert probe(out).frame_count == 4
    assert capsys.readouterr().out.strip() == str(out)
    assert run("export", project, out) == 1
    assert "--force" in capsys.readouterr().err
    assert run("export", project, out, "--force", "--preset", "prores_422_hq", "--no-sidecar") == 0
    assert (tmp_path / "out.mp4.mov").is_file()


def test_a_project_that_is_open_in_a_window_is_exported_as_saved(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, _ = Project.open(project)
    try:
        assert run("export", project, "--out", tmp_path / "dog.mp4", "--to", "3", "-q") == 0
        assert "what was saved last" in capsys.readouterr().err
        assert run("export", project, "--out", project / "takes" / "dog.mp4", "-q") == 1
    finally:
        opened.close()
    assert probe(tmp_path / "dog.mp4").frame_count == 3


def test_out_names_the_file_and_its_suffix_the_preset(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", project, "--out", tmp_path / "dog.mov", "--to", "2", "--no-sidecar") == 0
    assert probe(tmp_path / "dog.mov").codec == "prores"
    assert run("export", project, "--out", tmp_path / "dog.mov", "--to", "2", "--preset", "h265", "-q") == 0
    assert probe(tmp_path / "dog.mov.mp4").codec == "hevc"
    capsys.readouterr()
    assert run("export", project, tmp_path / "one.mp4", "--out", tmp_path / "two.mp4") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("words", [("probe", "--json", *[BUNNY] * 3), ("export", "--list-presets")])
def test_a_reader_that_leaves_early_is_no_fault(media_root: Path, words: tuple[str, ...]) -> None:
    line = [sys.executable, "-m", "gen2studio", *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=media_root)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    errors = process.stderr.read()
    process.stderr.close()
    process.wait(timeout=120)
    assert errors == ""


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("--from", "later"), 2),
        (("--preset", "betamax"), 1),
        (("--from", "8", "--to", "3"), 1),
    ],
)
def test_mistakes_are_one_line(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], status: int
) -> None:
    assert run("export", project, tmp_path / "out", *words) == status
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["dog.g2s"]


def test_no_project_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export") == 2
    assert "project" in capsys.readouterr().err


def test_presets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("export", "--list-presets") == 0
    assert {"h264", "h265", "prores_422_hq", "prores_4444", "png_8", "png_16"} <= set(capsys.readouterr().out.split())


def test_ctrl_c_leaves_no_half_file(tmp_path: Path, media_root: Path) -> None:
    opened, _ = Project.new("Bunny")
    project, out = tmp_path / "bunny.g2s", tmp_path / "out"
    opened.save_as(simple(media_root / BUNNY, 300), project, packed=False)
    opened.close()
    out.mkdir()
    words = [sys.executable, "-c", _MAIN, "export", str(project), str(out / "bunny"), "--preset", "prores_4444"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env={**os.environ})
    deadline = time.monotonic() + 120
    while not list(out.iterdir()) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    assert process.poll() is None, "the export ended before it could be stopped"
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.strip().splitlines()[-1] == "Cancelled; nothing was kept."
    assert list(out.iterdir()) == []


def test_a_disk_that_takes_no_more_is_one_sentence(tmp_path: Path, project: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    limited = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
    limited += "resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))\n"
    words = [sys.executable, "-c", limited + _MAIN, "export", str(project), str(out / "dog"), "--preset"]
    for preset in ("prores_422_hq", "h264"):
        done = subprocess.run([*words, preset, "-q"], capture_output=True, text=True, timeout=120, check=False)
        if preset == "prores_422_hq":
            assert done.returncode == 1, done.stderr
            assert "beyond what this disk allows" in done.stderr
            assert len(done.stderr.strip().splitlines()) == 1
            assert list(out.iterdir()) == []
        else:
            assert done.returncode == 0, done.stderr


def test_probe_tells_facts_and_recipe(
    project: Path, tmp_path: Path, media_root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("export", project, tmp_path / "out") == 0
    capsys.readouterr()
    assert run("probe", tmp_path / "out.mp4") == 0
    text = capsys.readouterr().out
    assert "512×512, h264 yuv420p" in text
    assert "BT.709, video levels" in text
    assert "exported by Gen2 Studio" in text.replace("Exported", "exported")
    assert run("probe", "--json", media_root / BUNNY, tmp_path / "missing.mp4") == 1
    captured = capsys.readouterr()
    facts = json.loads(captured.out)
    assert (facts["width"], facts["rate"], facts["recipe"]) == (640, "24/1", None)
    assert len(captured.err.strip().splitlines()) == 1
