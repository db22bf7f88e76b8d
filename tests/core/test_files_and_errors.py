"""Atomic writing, names that try to leave their folder, and errors put into words."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from gen2studio.core.errors import MediaError, StudioError, sentence_of
from gen2studio.core.frozen import frozen_map, with_item, without
from gen2studio.core.paths import cache_dir, config_dir, data_dir, inside, part_file, resources_dir, write_atomic


def test_own_files_lie_where_they_were_told_to(isolated_home: Path) -> None:
    for folder in (data_dir(), config_dir(), cache_dir("peaks")):
        assert folder.is_dir()
        assert folder.is_relative_to(isolated_home)
    assert (resources_dir() / "icons").is_dir()


def test_a_write_that_fails_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "value.json"
    write_atomic(file, b"old")
    with pytest.raises(TypeError):
        write_atomic(file, "not bytes")  # type: ignore[arg-type]
    assert file.read_bytes() == b"old"
    assert [p.name for p in file.parent.iterdir()] == ["value.json"]
    with pytest.raises(RuntimeError), part_file(file) as part:
        part.write_bytes(b"half")
        raise RuntimeError
    assert file.read_bytes() == b"old"
    with part_file(file) as part:
        part.write_bytes(b"new")
        assert part.suffix == ".json"
        assert file.read_bytes() == b"old"
    assert file.read_bytes() == b"new"
    assert [p.name for p in file.parent.iterdir()] == ["value.json"]


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/passwd"])
def test_a_name_must_not_lead_outside(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside"):
        inside(tmp_path, name)


def test_a_link_must_not_lead_outside(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "way").symlink_to(tmp_path)
    with pytest.raises(ValueError, match="outside"):
        inside(root, "way/x")
    assert inside(root, "a/b") == root.resolve() / "a" / "b"
    assert inside(root, ".") == root.resolve()


def test_errors_are_a_sentence_and_what_to_do() -> None:
    error = MediaError("That file is damaged.", "Copy it again.")
    assert isinstance(error, StudioError)
    assert str(error) == "That file is damaged. Copy it again."
    assert sentence_of(error) == str(error)
    assert str(MediaError("Done.")) == "Done."


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FileNotFoundError(errno.ENOENT, "x", "/a/b.mp4"), "/a/b.mp4 is not there"),
        (PermissionError(errno.EACCES, "x", "/a"), "No permission to use /a"),
        (OSError(errno.ENOSPC, "x"), "The disk is full"),
        (MemoryError(), "ran out of memory"),
        (ValueError("first line\nsecond line"), "Something went wrong: first line. The log"),
        (ValueError(), "Something went wrong: ValueError."),
    ],
)
def test_system_errors_are_put_into_words(error: BaseException, words: str) -> None:
    said = sentence_of(error)
    assert words in said
    assert "\n" not in said


def test_frozen_maps_are_copies_that_do_not_change() -> None:
    source = {"a": 1}
    frozen = frozen_map(source)
    source["a"] = 2
    assert frozen["a"] == 1
    with pytest.raises(TypeError):
        frozen["b"] = 3  # type: ignore[index]
    assert dict(with_item(frozen, "b", 3)) == {"a": 1, "b": 3}
    assert dict(without(frozen, "a", "zzz")) == {}
    assert dict(frozen) == {"a": 1}
