"""Damaged and hostile projects open or are refused in one sentence: a small part of ``tests.bench.fuzz_projects``."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

import pytest

from gen2studio.app.project_files import Project
from gen2studio.app.recovery import candidate_for, recover
from gen2studio.core.errors import ProjectError
from gen2studio.document import codec
from tests.bench.fuzz_projects import SAMPLE, Fuzz, watched


def test_broken_projects_neither_crash_nor_hang_nor_write_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEN2STUDIO_HOME", str(tmp_path / "home"))
    fuzz = Fuzz(tmp_path, 7)
    for number in range(120):
        fuzz.one(number)
    assert fuzz.bad == []
    # It broke them in ways that matter, and not so much that nothing opens.
    assert sum(count for name, count in fuzz.came.items() if name.endswith("refused")) > 20
    assert sum(count for name, count in fuzz.came.items() if name.endswith(": opened")) > 3


def test_the_watch_sees_what_is_written_elsewhere(tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    with watched(inner) as escapes:
        (inner / "mine").write_text("x")
        assert escapes == []
        (tmp_path / "other").write_text("x")
        assert len(escapes) == 1 and escapes[0].endswith("other")


@pytest.mark.parametrize("value", [10**400, -(10**400), 1e308])
def test_numbers_beyond_all_bounds_are_refused(value: float) -> None:
    data = json.loads(SAMPLE.read_text())
    data["default_look"]["controls"]["structure"] = value
    with pytest.raises(ProjectError, match="out of range"):
        codec.decode(data, Path("/films/dog.g2s"))


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "film.g2s"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.json", SAMPLE.read_text())
    raw = bytearray(path.read_bytes())
    raw[60:400] = bytes(340)
    path.write_bytes(bytes(raw))
    with pytest.raises(ProjectError, match="damaged"):
        Project.open(path)


def test_a_journal_with_a_broken_document_is_refused(tmp_path: Path) -> None:
    project, _ = Project.new()
    first = {"path": "", "folder": str(project.folder), "packed": False, "n": 0, "version": 4}
    for document in ({"name": "x", "sequences": ["x"]}, {"name": "x"}):
        text = json.dumps({**first, "document": document}).encode()
        project.journal_path.parent.mkdir(parents=True, exist_ok=True)
        project.journal_path.write_bytes(b"%08x %s\n" % (zlib.crc32(text), text))
        candidate = candidate_for(project)
        assert candidate is not None
        with pytest.raises(ProjectError, match="journal"):
            recover(candidate, project)
    project.journal_path.unlink()
    project.close()
