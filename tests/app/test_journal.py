"""The autosave journal: a killed program loses the gesture in hand and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from gen2studio.app import recovery
from gen2studio.app.journal import Journal
from gen2studio.app.project_files import Project
from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import ProjectError
from gen2studio.document import codec, masks
from gen2studio.document.media_edits import add_media
from tests.document.builders import video

WORK = """
import os, sys, time
from pathlib import Path
import numpy as np
from PySide6.QtCore import QCoreApplication
from gen2studio.app.journal import Journal
from gen2studio.app.project_files import Project
from gen2studio.app.store import DocumentStore
from gen2studio.document import codec, edits, masks
from gen2studio.document.media_edits import add_media
from gen2studio.document.sequences import add_sequence, with_sequence
from tests.document.builders import video

app = QCoreApplication([])
project, document = Project.open(Path(sys.argv[1])) if sys.argv[1] else Project.new()
store = DocumentStore(document, project.tiles)
journal = Journal(project, store)
item = video()
if not document.media:
    store.apply("Import", add_media(store.document, item))
    sequence = edits.place_media(edits.new_sequence("One", item.info.rate, 640, 360), item, 0).sequence
    store.apply("Place", add_sequence(store.document, sequence))
    store.apply("Mask", masks.add_object(store.document, item.id, object_id="mask-00000000000a"))
for n in range(int(sys.argv[3])):
    sequence = edits.razor(store.document.sequence, 5 * n + 5)
    store.apply("Razor", with_sequence(store.document, sequence))
    matte = np.full((300, 300), n + 1, np.uint8)
    store.apply("Paint", masks.set_frame(store.document, "mask-00000000000a", n, project.tiles.pack(matte)))
    if n % 3 == 2:
        store.undo_stack.undo()
assert journal.flush()
Path(sys.argv[2]).write_bytes(codec.dumps(store.document, None))
for n in range(40, 90):  # the kill may land in the middle of any of these
    store.apply("Rename", masks.rename_object(store.document, "mask-00000000000a", f"name {n}"))
os.kill(os.getpid(), 9)
"""


def work_and_die(project: str, expected: Path, rounds: int) -> None:
    done = subprocess.run([sys.executable, "-c", WORK, project, str(expected), str(rounds)], check=False, timeout=60)
    assert done.returncode == -9


def same_but_name(found: object, expected: bytes) -> bool:
    wanted = codec.loads(expected, None)
    assert isinstance(found, type(wanted))
    mask = found.masks["mask-00000000000a"]
    named = replace(wanted.masks[mask.id], name=mask.name)
    return replace(wanted, masks={mask.id: named}) == found


def test_untitled_work_survives_kill_9(tmp_path: Path) -> None:
    expected = tmp_path / "expected.json"
    work_and_die("", expected, 12)
    (candidate,) = recovery.candidates()
    assert candidate.path is None and candidate.changes > 0
    project, document = recovery.recover(candidate)
    assert same_but_name(document, expected.read_bytes())
    for index, frame in document.masks["mask-00000000000a"].frames.items():
        assert int(project.tiles.unpack(frame.raster)[0, 0]) == index + 1
    assert recovery.candidates() == ()  # it is open here now
    project.close()


@pytest.mark.parametrize("packed", [False, True])
def test_a_saved_project_survives_kill_9(tmp_path: Path, packed: bool) -> None:
    place = tmp_path / "dog.g2s"
    project, document = Project.new()
    project.save_as(document, place, packed=packed)
    project.close()
    saved = place.read_bytes() if packed else (place / "project.json").read_bytes()
    work_and_die(str(place), tmp_path / "expected.json", 5)
    assert saved == (place.read_bytes() if packed else (place / "project.json").read_bytes())
    (candidate,) = recovery.candidates()
    assert candidate.path == place
    project, document = recovery.recover(candidate)
    assert same_but_name(document, (tmp_path / "expected.json").read_bytes())
    project.save(document)
    raster = document.masks["mask-00000000000a"].frames[0].raster
    assert int(project.tiles.unpack(raster)[0, 0]) == 1
    recovery.discard(candidate) if not packed else candidate.journal.unlink()
    project.close()
    again, opened = Project.open(place)
    assert opened == document
    again.close()


def test_every_torn_tail_recovers_a_prefix(tmp_path: Path) -> None:
    work_and_die("", tmp_path / "expected.json", 3)
    (candidate,) = recovery.candidates()
    whole = candidate.journal.read_bytes()
    first = whole.index(b"\n") + 1
    last = 10**9
    for cut in range(len(whole), first, -max(1, (len(whole) - first) // 40)):
        candidate.journal.write_bytes(whole[:cut])
        project, document = recovery.recover(candidate)
        project.close()
        size = len(codec.dumps(document, None))
        assert size <= last or document.masks
        last = size
    candidate.journal.write_bytes(whole[: first // 2])
    assert recovery.candidates() == ()
    with pytest.raises(ProjectError):
        recovery.recover(candidate)


def test_damage_in_the_middle_ends_the_replay_there(tmp_path: Path) -> None:
    work_and_die("", tmp_path / "expected.json", 2)
    (candidate,) = recovery.candidates()
    lines = candidate.journal.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b":", b";", 1)
    candidate.journal.write_bytes(b"".join(lines))
    project, document = recovery.recover(candidate)
    assert not document.media
    project.close()


def test_saving_empties_the_journal_and_a_clean_end_leaves_none(tmp_path: Path, qapp: QApplication) -> None:
    project, document = Project.new()
    store = DocumentStore(document, project.tiles)
    journal = Journal(project, store)
    item = video()
    store.apply("Import", add_media(store.document, item))
    assert journal.flush() and project.journal_path.exists()
    old = project.journal_path
    project.save_as(store.document, tmp_path / "dog.g2s")
    journal.compact()
    assert journal.flush() and not old.exists()
    journal.close()
    journal = Journal(project, store)
    store.apply("Mask", masks.add_object(store.document, item.id))
    assert journal.flush() and project.journal_path.exists()
    store.undo_stack.undo()
    journal.close()
    assert not project.journal_path.exists(), "undone to what is saved: nothing to recover"
    journal = Journal(project, store)
    store.undo_stack.redo()
    journal.close(discard=True)
    assert not project.journal_path.exists()
    project.close()


def test_recovered_work_is_safe_before_anything_else_happens(tmp_path: Path, qapp: QApplication) -> None:
    work_and_die("", tmp_path / "expected.json", 2)
    (candidate,) = recovery.candidates()
    project, document = recovery.recover(candidate)
    store = DocumentStore(document, project.tiles)
    journal = Journal(project, store)
    assert journal.flush()
    journal.close()
    project.close()
    (again,) = recovery.candidates()
    assert again.changes == 0
    project, second = recovery.recover(again)
    assert second == document
    project.close()
    recovery.discard(again)
    assert recovery.candidates() == () and not again.folder.exists()


def test_a_full_disk_is_said_once_and_autosave_comes_back(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    project, document = Project.new()
    store = DocumentStore(document, project.tiles)
    journal = Journal(project, store)
    said: list[str] = []
    journal.failed.connect(said.append)
    item = video()
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda _handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    store.apply("Import", add_media(store.document, item))
    assert journal.flush()
    store.apply("Mask", masks.add_object(store.document, item.id, object_id="mask-00000000000a"))
    assert journal.flush()
    monkeypatch.setattr(os, "fsync", real)
    store.apply("Name", masks.rename_object(store.document, "mask-00000000000a", "Dog"))
    assert journal.flush()
    journal.close()
    project.close()
    qapp.sendPostedEvents()
    assert len(said) <= 1
    (candidate,) = recovery.candidates()
    again, found = recovery.recover(candidate)
    assert found == store.document
    again.close()
