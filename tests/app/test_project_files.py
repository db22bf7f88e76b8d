"""Projects on disk: folders and zip files, atomic, and safe against hostile ones."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen2studio.app.project_files import Project
from gen2studio.core.errors import ProjectError
from gen2studio.core.paths import data_dir
from gen2studio.document import edits, masks
from gen2studio.document.look import DepthPass, Look
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Board, Document, Panel
from gen2studio.document.sequences import add_sequence
from tests.document.builders import video

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"


def painted(project: Project, document: Document, film: Path) -> Document:
    """A document with a clip, a painted mask, and a style image in the blobs."""
    item = replace(video(), path=film.as_posix())
    document = add_media(document, item)
    sequence = edits.place_media(edits.new_sequence("One", item.info.rate, 640, 360), item, 0).sequence
    document = masks.add_object(add_sequence(document, sequence), item.id, object_id="mask-00000000000a")
    matte = np.zeros((360, 640), np.uint8)
    matte[100:200, 200:400] = 255
    return masks.set_frame(document, "mask-00000000000a", 3, project.tiles.pack(matte))


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "dog.mp4"
    path.write_bytes(b"film")
    return path


@pytest.mark.parametrize("packed", [False, True])
def test_save_and_open_again(tmp_path: Path, film: Path, packed: bool) -> None:
    project, document = Project.new()
    document = painted(project, document, film)
    digest = project.add_blob(PNG)
    document = project.save_as(document, tmp_path / "dog.g2s", packed=packed)
    assert (tmp_path / "dog.g2s").is_file() == packed
    document = masks.rename_object(document, "mask-00000000000a", "Dog")
    project.save(document)
    project.close()
    assert not list((data_dir() / "untitled").iterdir())

    again, opened = Project.open(tmp_path / "dog.g2s")
    assert opened == document
    assert b'"../dog.mp4"' in (again.folder / "project.json").read_bytes()
    raster = opened.masks["mask-00000000000a"].frames[3].raster
    assert int(again.tiles.unpack(raster).sum()) == 100 * 200 * 255
    assert again.blob_path(digest).read_bytes() == PNG
    assert again.verify_blob(digest)
    assert again.offline(opened) == ()
    film.unlink()
    assert again.offline(opened) == tuple(opened.media)
    again.close()


def test_moving_project_and_film_together_keeps_the_link(tmp_path: Path, film: Path) -> None:
    project, document = Project.new()
    project.save_as(painted(project, document, film), tmp_path / "dog.g2s")
    project.close()
    moved = tmp_path / "elsewhere"
    moved.mkdir()
    (tmp_path / "dog.g2s").rename(moved / "dog.g2s")
    film.rename(moved / "dog.mp4")
    again, opened = Project.open(moved / "dog.g2s")
    assert [item.path for item in opened.media.values()] == [(moved / "dog.mp4").as_posix()]
    again.close()


def test_collected_media_travels_inside(tmp_path: Path, film: Path) -> None:
    project, document = Project.new()
    document = project.collect(painted(project, document, film))
    project.save_as(document, tmp_path / "all.g2s", packed=True)
    project.close()
    film.unlink()
    again, opened = Project.open(tmp_path / "all.g2s")
    assert again.offline(opened) == ()
    assert [Path(item.path).read_bytes() for item in opened.media.values()] == [b"film"]
    again.close()


def test_a_failed_save_keeps_the_old_project(tmp_path: Path, film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, document = Project.new()
    document = project.save_as(painted(project, document, film), tmp_path / "dog.g2s", packed=True)
    before = (tmp_path / "dog.g2s").read_bytes()
    monkeypatch.setattr(os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ProjectError, match="full"):
        project.save(replace(document, name="other"))
    monkeypatch.undo()
    assert (tmp_path / "dog.g2s").read_bytes() == before
    assert not [f for f in tmp_path.rglob("*.part*")]
    project.close()


def test_a_project_opens_once(tmp_path: Path, film: Path) -> None:
    project, document = Project.new()
    project.save_as(painted(project, document, film), tmp_path / "dog.g2s")
    with pytest.raises(ProjectError, match="already open"):
        Project.open(tmp_path / "dog.g2s")
    project.close()
    Project.open(tmp_path / "dog.g2s")[0].close()


def test_the_lock_of_a_dead_process_is_taken_over(tmp_path: Path, film: Path) -> None:
    project, document = Project.new()
    project.save_as(painted(project, document, film), tmp_path / "dog.g2s")
    project.close()
    code = (
        "import os, sys; from pathlib import Path; from gen2studio.app.project_files import Project\n"
        "p = Project.open(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path / "dog.g2s")], check=False)
    assert done.returncode == -9
    assert (tmp_path / "dog.g2s" / ".lock").exists()
    Project.open(tmp_path / "dog.g2s")[0].close()


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.g2s").write_bytes(b"hello")
    (tmp_path / "b.g2s").mkdir()
    for name in ("a.g2s", "b.g2s", "c.g2s"):
        with pytest.raises(ProjectError):
            Project.open(tmp_path / name)


def hostile(path: Path, entries: list[tuple[zipfile.ZipInfo | str, bytes]]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in [("project.json", b"{}"), *entries]:
            archive.writestr(name, data)
    return path


def test_hostile_zip_files_write_nothing_outside(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("tiles")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    cases: list[list[tuple[zipfile.ZipInfo | str, bytes]]] = [
        [("../evil.txt", b"x")],
        [("/evil.txt", b"x")],
        [("tiles/../../evil.txt", b"x")],
        [("..\\evil.txt", b"x")],
        [(link, b"/etc")],
        [("blobs/" + "a" * 64 + ".png", b"\0" * (8 << 20))],
    ]
    for number, entries in enumerate(cases):
        with pytest.raises(ProjectError):
            Project.open(hostile(tmp_path / f"{number}.g2s", entries))
    assert not [f for f in [*tmp_path.rglob("evil*"), *data_dir().rglob("evil*")]]
    with pytest.raises(ProjectError):
        Project.open(hostile(tmp_path / "x.g2s", [("notes/readme.txt", b"x")]))
    assert not list(data_dir().rglob("readme.txt"))


def test_folders_with_links_are_refused(tmp_path: Path, film: Path) -> None:
    project, document = Project.new()
    project.save_as(painted(project, document, film), tmp_path / "dog.g2s")
    project.close()
    (tmp_path / "away").mkdir()
    (tmp_path / "dog.g2s" / "takes").rmdir() if (tmp_path / "dog.g2s" / "takes").is_dir() else None
    (tmp_path / "dog.g2s" / "takes").symlink_to(tmp_path / "away")
    with pytest.raises(ProjectError, match="links"):
        Project.open(tmp_path / "dog.g2s")


def test_only_images_become_blobs(tmp_path: Path) -> None:
    project, _ = Project.new()
    with pytest.raises(ProjectError, match="not an image"):
        project.add_blob(b"#!/bin/sh\nrm -rf /")
    with pytest.raises(ProjectError):
        project.add_blob(tmp_path / "gone.png")
    digest = project.add_blob(PNG)
    assert project.add_blob(PNG) == digest
    assert project.find_blob("../../etc/passwd") is None
    project.close()


def test_a_copy_leaves_the_original_alone(tmp_path: Path, film: Path) -> None:
    project, document = Project.new()
    project.save_as(painted(project, document, film), tmp_path / "sample.g2s")
    project.close()
    before = {f: f.read_bytes() for f in (tmp_path / "sample.g2s").rglob("*") if f.is_file()}
    copy, opened = Project.open_copy(tmp_path / "sample.g2s")
    assert copy.untitled
    assert copy.offline(opened) == ()
    copy.tiles.pack(np.full((64, 64), 9, np.uint8))
    copy.close()
    assert {f: f.read_bytes() for f in (tmp_path / "sample.g2s").rglob("*") if f.is_file()} == before


def test_depth_passes_are_collected_and_follow_the_project(tmp_path: Path, film: Path) -> None:
    passes = tmp_path / "depth"
    passes.mkdir()
    for number in range(3):
        (passes / f"z_{number:04d}.png").write_bytes(b"depth %d" % number)
    (tmp_path / "z.mp4").write_bytes(b"depth film")
    project, document = Project.new()
    document = painted(project, document, film)
    look = Look(depth_pass=DepthPass(path=(passes / "z_0000.png").as_posix()))
    gone = replace(look, depth_pass=DepthPass(path=(tmp_path / "gone.mp4").as_posix()))
    board = Board(
        id="board-000000000001", name="Board", look=gone,
        panels=(Panel(id="panel-000000000001", look=replace(look, depth_pass=DepthPass(path=f"{tmp_path}/z.mp4"))),),
    )  # fmt: skip
    document = replace(document, default_look=look, boards={board.id: board})
    document = project.collect(document)
    document = project.save_as(document, tmp_path / "all.g2s", packed=True)
    project.close()
    shutil.rmtree(passes)
    (tmp_path / "z.mp4").unlink()
    again, opened = Project.open(tmp_path / "all.g2s")
    kept = opened.default_look.depth_pass
    assert kept is not None and Path(kept.path).is_relative_to(again.media_dir)
    first = Path(kept.path)
    assert [first.with_name(first.name.replace("0000", f"{n:04d}")).read_bytes() for n in range(3)] == [
        b"depth 0", b"depth 1", b"depth 2",
    ]  # fmt: skip
    [shown] = opened.boards.values()
    panel = shown.panels[0].look
    assert panel is not None and panel.depth_pass is not None
    assert Path(panel.depth_pass.path).read_bytes() == b"depth film"
    # What is not there is not lost from the look: it can be found again.
    assert shown.look.depth_pass is not None and shown.look.depth_pass.path == (tmp_path / "gone.mp4").as_posix()
    assert again.collect(opened) is opened
    again.close()
