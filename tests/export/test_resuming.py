"""Exports that are interrupted: what is finished is kept where everything that it depends on is the same."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from gen2studio.app.export import export_sequence
from gen2studio.app.export_values import ExportResult, ExportSettings
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.frozen import frozen_map
from gen2studio.document.model import Document
from gen2studio.media.resumption import Resumption
from tests.export.sequences import DOG, simple

_FRAMES = 8


class _After(CancelToken):
    """Is cancelled when it was asked often enough, as a program that ends in the middle cancels its export."""

    def __init__(self, times: int, resumption: Resumption) -> None:
        super().__init__()
        self._left = times
        self._resumption = resumption

    def check(self) -> None:
        self._left -= 1
        if self._left < 0:
            self._resumption.interrupt()
            self.cancel()
        super().check()


@pytest.fixture
def film(tmp_path: Path, media_root: Path) -> Document:
    """A timeline over a copy of a clip, so that its file may be changed."""
    copy = tmp_path / "source" / "dog.mp4"
    copy.parent.mkdir()
    shutil.copy(media_root / DOG, copy)
    return simple(copy, _FRAMES)


def export(
    document: Document, settings: ExportSettings, *, after: int | None = None, key: str = "export-0000000000aa"
) -> ExportResult:
    resumption = Resumption(key)
    cancel = CancelToken() if after is None else _After(after, resumption)
    return export_sequence(document, settings, take_folder=lambda _: Path("none"), cancel=cancel, resumption=resumption)


def pictures(folder: Path) -> dict[str, int]:
    """Name → when it was written."""
    return {file.name: file.stat().st_mtime_ns for file in sorted(folder.glob("*_*.*")) if file.suffix != ".json"}


def half_done(document: Document, settings: ExportSettings) -> dict[str, int]:
    """The pictures that an interrupted export left."""
    with pytest.raises(Cancelled):
        export(document, settings, after=16)
    hidden = settings.path.with_name(f".{settings.path.name}.export-0000000000aa.part")
    left = pictures(hidden)
    assert 0 < len(left) < _FRAMES
    # What a killed program was in the middle of.
    (hidden / f"half_dog_{_FRAMES - 1:06d}.png").write_bytes(b"\x89PNG")
    return left


@pytest.mark.parametrize("preset", ["png_8", "exr"])
def test_pictures_go_on_after_the_last_finished_one(tmp_path: Path, film: Document, preset: str) -> None:
    settings = ExportSettings(path=tmp_path / "out" / "dog", preset=preset, width=64)
    kept = half_done(film, settings)
    result = export(film, settings)
    made = pictures(result.path)
    assert len(made) == _FRAMES == result.frames
    assert {name: made[name] for name in kept} == kept, "finished pictures were not made again"
    assert result.notes[0] == f"{len(kept)} of {_FRAMES} pictures were finished by the run that was interrupted."
    assert sorted(file.name for file in settings.path.parent.iterdir()) == ["dog"], "nothing hidden is left"
    assert {file.suffix for file in result.path.iterdir()} == {next(iter(kept))[-4:], ".json"}
    # They are the pictures of a run that nothing interrupted, and all tell of one export.
    whole = export(film, replace(settings, path=tmp_path / "whole" / "dog"), key="export-0000000000bb")
    if preset == "png_8":
        import cv2
        import numpy as np

        for name in made:
            first, second = (cv2.imread(str(folder / name)) for folder in (result.path, whole.path))
            assert np.array_equal(first, second)
    assert len({file.stat().st_size for file in (result.path / "dog.json", whole.path / "dog.json")}) == 1


def test_nothing_is_kept_when_the_footage_changed(tmp_path: Path, film: Document) -> None:
    settings = ExportSettings(path=tmp_path / "out" / "dog", preset="png_8", width=64)
    kept = half_done(film, settings)
    os.utime(tmp_path / "source" / "dog.mp4", ns=(1, 1))
    result = export(film, settings)
    assert not any("interrupted" in note for note in result.notes)
    made = pictures(result.path)
    assert len(made) == _FRAMES
    assert all(made[name] != kept[name] for name in kept)


@pytest.mark.parametrize("changed", ["range", "project", "size"])
def test_nothing_is_kept_of_another_export(tmp_path: Path, film: Document, changed: str) -> None:
    settings = ExportSettings(path=tmp_path / "out" / "dog", preset="png_8", width=64)
    half_done(film, settings)
    document = film
    if changed == "range":
        settings = replace(settings, start=1)
    elif changed == "size":
        settings = replace(settings, width=48)
    else:
        sequence = film.sequence
        assert sequence is not None
        muted = replace(sequence, tracks=tuple(replace(track, muted=True) for track in sequence.tracks))
        document = replace(film, sequences=frozen_map({sequence.id: muted}))
    result = export(document, settings)
    assert not any("interrupted" in note for note in result.notes)
    assert sorted(file.name for file in settings.path.parent.iterdir()) == ["dog"]


def test_what_is_cancelled_leaves_nothing(tmp_path: Path, film: Document) -> None:
    settings = ExportSettings(path=tmp_path / "out" / "dog", preset="png_8", width=64)
    half_done(film, settings)
    token = CancelToken()
    resumption = Resumption("export-0000000000aa")
    with pytest.raises(Cancelled):
        export_sequence(
            film,
            settings,
            take_folder=lambda _: Path("none"),
            cancel=token,
            on_progress=lambda _progress: token.cancel(),
            resumption=resumption,
        )
    assert list(settings.path.parent.iterdir()) == []


def test_a_finished_film_is_not_made_again_for_its_mattes(tmp_path: Path, film: Document) -> None:
    """Interrupted in the mattes of a track, the film and the mattes that are finished stay."""
    settings = ExportSettings(path=tmp_path / "out" / "dog", preset="png_8", width=64, track_mattes=True)
    first: dict[str, int] = {}
    # The number of times that a token is asked is the export's own matter: look for a moment among the mattes.
    for after in range(20, 80):
        try:
            export(film, settings, after=after)
        except Cancelled:
            mattes = next(settings.path.parent.glob(".dog * matte.*.part"), None)
            if mattes is not None and 0 < len(pictures(mattes)) < _FRAMES:
                first = pictures(settings.path)
                break
    assert len(first) == _FRAMES
    result = export(film, settings)
    assert pictures(result.path) == first
    assert len(pictures(result.extras[0])) == _FRAMES
    assert "finished before" in result.notes[0]
    assert len(list(settings.path.parent.iterdir())) == 2, "the pictures and their mattes, nothing hidden"
