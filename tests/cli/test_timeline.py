"""The timeline verb: in, out and consolidated, as a script would call it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gen2studio.app.project_files import Project
from gen2studio.cli.main import main


def test_a_cut_of_another_program_becomes_a_project_and_goes_out_again(
    media_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "dog.mp4").symlink_to(media_root / "clips/golden_retriever_512_3.2s.mp4")
    cut = tmp_path / "cut.edl"
    cut.write_text(
        "TITLE: Cut\n"
        "001  AX V C 00:00:00:10 00:00:01:10 00:00:00:00 00:00:01:00\n* FROM CLIP NAME: dog.mp4\n"
        "002  AX V C 00:00:02:00 00:00:03:00 00:00:01:00 00:00:02:00\n* FROM CLIP NAME: dog.mp4\n"
    )
    project = tmp_path / "film.g2s"
    assert main(["timeline", "import", str(project), str(cut), "--rate", "25"]) == 0
    assert "“Cut”, 2 clips" in capsys.readouterr().out
    assert main(["timeline", "export", str(project), "--out", str(tmp_path / "film.otio")]) == 0
    assert main(["timeline", "export", str(project), "--out", str(tmp_path / "film.otio")]) == 2
    assert "--force" in capsys.readouterr().err
    assert main(["timeline", "import", str(project), str(tmp_path / "film.otio")]) == 0
    opened, document = Project.open(project)
    opened.close()
    assert [s.duration for s in document.sequences.values()] == [50, 50]
    assert len(document.media) == 1
    assert main(["timeline", "consolidate", str(project), "--out", str(tmp_path / "small.zip.g2s"), "-q"]) == 0
    assert "of media instead of" in capsys.readouterr().out
    copied, document = Project.open_copy(tmp_path / "small.zip.g2s")
    assert len(document.sequences) == 2
    copied.close()


def test_wrong_usage_is_one_line(media_root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = media_root / "interchange/otio/simple_cut.otio"
    assert main(["timeline", "import", str(tmp_path / "a.g2s"), str(file), "--rate", "fast"]) == 2
    assert "is no frame rate" in capsys.readouterr().err
    assert main(["timeline", "import", str(tmp_path / "a.g2s"), str(media_root / "INDEX.md")]) == 1
    assert "no timeline file" in capsys.readouterr().err
    assert not (tmp_path / "a.g2s").exists()
