"""``gen2studio doctor``: each finding names the fix, and the exit code says whether something needed is missing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gen2studio.cli import doctor
from gen2studio.cli.main import main


def levels(found: list[doctor.Finding]) -> dict[str, str]:
    return {finding.title: finding.level for finding in found}


def test_this_machine_is_fit(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    titles = {row["title"]: row for row in found}
    assert titles["Python"]["fact"] == sys.version.split()[0]
    assert titles["Qt window"]["level"] == "ok"
    assert titles["Encoders"]["level"] == "ok"
    assert titles["Resources"]["level"] == "ok"
    assert all(row["fix"] for row in found if row["level"] != "ok")


def test_what_is_missing_is_said_with_its_fix(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    versions = {"torch": "2.9.0", "PySide6_Essentials": "6.12.0", "opencv-python": "4.12"}
    monkeypatch.setattr(doctor, "_version", versions.get)
    monkeypatch.setattr(doctor, "_requires", lambda _package: ["numpy", "torch==2.9.0"])
    found = doctor.check_packages()
    assert levels(found)["numba"] == "missing"
    assert "constraints" in next(f.fix for f in found if f.title == "numba")
    assert levels(found)["opencv-python"] == "note"
    assert levels(doctor.check_torch()) == {"torch": "ok", "diffusers": "note", "transformers": "note"}
    versions.update(diffusers="0.42.1", transformers="5.23.0", torchvision="0.24.0")
    assert levels(doctor.check_torch()) == dict.fromkeys(("torch", "diffusers", "transformers", "torchvision"), "ok")
    versions["torch"] = "2.9.0+cpu"
    wrong = doctor.check_torch()[-1]
    assert wrong.level == "note"
    assert "different builds" in wrong.fact
    versions["torch"] = "2.10.0"
    assert "made for torch 2.9.0" in doctor.check_torch()[-1].fact
    versions.clear()
    assert levels(doctor.check_torch()) == {"torch": "note"}

    monkeypatch.setattr(doctor, "check_window", list)
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "MISSING av" in said
    assert "→ pip install" in said


def test_a_qt_that_cannot_load_gives_the_line_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object, **_options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 134, "", "noise\nlibEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(subprocess, "run", broken)
    found = doctor.check_window()[-1]
    assert found.level == "missing"
    assert "libEGL.so.1" in found.fact
    listed = (Path(__file__).parents[2] / "packaging" / "linux-packages.txt").read_text().split()
    assert found.fix.split() == ["sudo", "apt-get", "install", *listed]


def test_folders_that_cannot_be_made_are_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GEN2STUDIO_HOME", str(tmp_path / "file"))
    found = levels(doctor.check_machine())
    assert found["Data folder"] == found["Cache folder"] == "missing"
    assert found["Processor"] == "ok"
