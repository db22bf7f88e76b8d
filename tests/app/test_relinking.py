"""Missing media is found by its name, by what is in it, and by the folders around it."""

from __future__ import annotations

import shutil
from pathlib import Path

from gen2studio.app.importing import media_item
from gen2studio.app.relinking import search
from gen2studio.document.model import MediaItem
from gen2studio.media.probe import probe


def lost(path: Path) -> MediaItem:
    """The item of a file that is then moved away."""
    item = media_item(path, probe(path))
    path.unlink()
    return item


def test_a_renamed_file_is_found_by_what_is_in_it(media_root: Path, tmp_path: Path) -> None:
    clip = media_root / "clips/golden_retriever_512_3.2s.mp4"
    shutil.copy(clip, tmp_path / "dog.mp4")
    item = lost(tmp_path / "dog.mp4")
    (tmp_path / "new").mkdir()
    shutil.copy(clip, tmp_path / "new" / "A001_C002.mp4")
    shutil.copy(media_root / "clips/woman_running_512_6s.mp4", tmp_path / "new" / "other.mp4")
    matches, complaints = search([item], tmp_path / "new")
    assert [(m.path.name, m.info) for m in matches] == [("A001_C002.mp4", None)]
    assert complaints == []


def test_of_equal_names_the_same_file_wins_then_the_most_alike_folders(media_root: Path, tmp_path: Path) -> None:
    dog, woman = (media_root / "clips" / n for n in ("golden_retriever_512_3.2s.mp4", "woman_running_512_6s.mp4"))
    for place in ("old/day1", "new/day1", "new/day2", "new/zzz/day1"):
        (tmp_path / place).mkdir(parents=True)
    shutil.copy(dog, tmp_path / "old/day1/a.mp4")
    item = lost(tmp_path / "old/day1/a.mp4")
    shutil.copy(woman, tmp_path / "new/day1/a.mp4")
    shutil.copy(dog, tmp_path / "new/day2/a.mp4")
    matches, _ = search([item], tmp_path / "new")
    assert matches[0].path == tmp_path / "new/day2/a.mp4"
    assert matches[0].info is None
    (tmp_path / "new/day2/a.mp4").unlink()
    shutil.copy(woman, tmp_path / "new/a.mp4")
    matches, _ = search([item], tmp_path / "new")
    assert matches[0].path == tmp_path / "new/day1/a.mp4"
    assert matches[0].info is not None, "another file of that name: what it holds is told"
