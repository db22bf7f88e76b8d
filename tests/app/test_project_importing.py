"""Importing real files: one undo step, clear sentences, linked sound on the timeline."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from gen2studio.app.importing import Importer, expand
from gen2studio.app.store import DocumentStore
from gen2studio.core.errors import MediaError
from gen2studio.core.media_info import MediaKind
from gen2studio.document.model import Document


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    import cv2

    for number in range(1, 6):
        cv2.imwrite(str(tmp_path / f"walk_{number:03d}.png"), np.full((48, 64, 3), number * 20, np.uint8))
    cv2.imwrite(str(tmp_path / "card.png"), np.zeros((32, 32, 3), np.uint8))
    with wave.open(str(tmp_path / "voice.wav"), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(b"\0\0" * 8000)
    (tmp_path / "notes.txt").write_text("not media")
    return tmp_path


def test_folders_are_searched_and_numbers_become_a_sequence(folder: Path) -> None:
    found = expand([folder])
    assert [(f.path.name, f.as_sequence) for f in found] == [
        ("card.png", False), ("voice.wav", False), ("walk_001.png", True),
    ]  # fmt: skip
    with pytest.raises(MediaError):
        expand([folder / "gone.mp4"])


def test_import_is_one_step_and_failures_change_nothing(folder: Path, qtbot: QtBot) -> None:
    store = DocumentStore(Document(id="doc-0123456789ab"))
    importer = Importer(store)
    try:
        with qtbot.waitSignals([importer.failed, importer.finished], timeout=20000):
            importer.import_paths([folder / "notes.txt"])
        assert not store.document.media and store.undo_stack.count() == 0
        with qtbot.waitSignal(importer.finished, timeout=20000) as ended:
            importer.import_paths([folder])
        assert ended.args == [3, 0]
        kinds = [item.info.kind for item in store.document.media.values()]
        assert kinds == [MediaKind.STILL, MediaKind.AUDIO, MediaKind.SEQUENCE]
        assert store.undo_stack.count() == 1
        with qtbot.waitSignal(importer.finished, timeout=20000):
            importer.import_paths([folder / "card.png"])
        assert len(store.document.media) == 3, "a file is imported once"
    finally:
        importer.shutdown()


def test_a_real_clip_lands_with_its_sound(media_root: Path, qtbot: QtBot) -> None:
    clip = next(p for p in sorted((media_root / "clips").glob("*.mp4")) if p.stat().st_size < 8 << 20)
    store = DocumentStore(Document(id="doc-0123456789ab"))
    importer = Importer(store)
    try:
        with qtbot.waitSignal(importer.finished, timeout=60000):
            importer.import_and_place([clip])
    finally:
        importer.shutdown()
    sequence = store.document.sequence
    assert sequence is not None
    (item,) = store.document.media.values()
    assert (sequence.rate, sequence.width, sequence.height) == (item.info.rate, item.info.width, item.info.height)
    (picture,) = sequence.tracks[0].clips
    assert picture.duration == item.info.frame_count
    assert len(sequence.tracks[1].clips) == (item.info.audio is not None)
    store.undo_stack.undo()
    assert not store.document.media and store.document.sequence is None
