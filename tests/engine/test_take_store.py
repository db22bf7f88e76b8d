"""Takes on disk: whole frames or none, found again, never mixed up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gen2studio.core.errors import GenerationError, MediaError
from gen2studio.engine.take_store import TakeStore, png_size, runs_of

TAKE = "take-000000000001"


@pytest.fixture
def store(tmp_path: Path) -> TakeStore:
    return TakeStore(tmp_path / "takes")


def picture(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 31, 3), np.uint8)


def test_frames_come_back_exactly_and_runs_are_read_from_the_folder(store: TakeStore) -> None:
    store.begin(TAKE, "d1", '{"a": 1}')
    for frame in (0, 1, 2, 7, 8, 1_000_000):
        store.write(TAKE, frame, picture(frame))
    assert store.done(TAKE) == ((0, 3), (7, 9), (1_000_000, 1_000_001))
    assert np.array_equal(store.read(TAKE, 7), picture(7))
    assert store.recipe(TAKE) == {"digest": "d1", "request": {"a": 1}}
    assert store.size(TAKE) > 6 * 20 * 31 and store.takes() == (TAKE,)
    store.delete(TAKE)
    assert store.takes() == () and store.done(TAKE) == () and store.size(TAKE) == 0


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other size", "not a png"])
def test_damaged_frames_are_found_and_removed(store: TakeStore, damage: str) -> None:
    store.begin(TAKE, "d1", "{}")
    for frame in range(3):
        store.write(TAKE, frame, picture(frame))
    path = store.frame_path(TAKE, 1)
    data = bytearray(path.read_bytes())
    if damage == "empty":
        data = bytearray()
    elif damage == "cut":
        data = data[: len(data) // 2]
    elif damage == "flipped":
        data[len(data) // 2] ^= 0x10
    elif damage == "not a png":
        data = bytearray(b"GIF89a" + bytes(200))
    if damage == "other size":
        store.write(TAKE, 1, picture()[:10])
    else:
        path.write_bytes(data)
    assert store.verified(TAKE, 31, 20) == {0, 2}
    assert store.frames(TAKE) == (0, 2)
    with pytest.raises(MediaError):
        store.read(TAKE, 1)


def test_a_half_written_frame_is_never_seen(store: TakeStore) -> None:
    store.begin(TAKE, "d1", "{}")
    store.write(TAKE, 0, picture())
    (store.path(TAKE) / ".frame_000001.png.part").write_bytes(b"\x89PNG")
    assert store.frames(TAKE) == (0,)
    store.begin(TAKE, "d1", "{}")
    assert sorted(p.name for p in store.path(TAKE).iterdir()) == ["frame_000000.png", "recipe.json"]


def test_another_recipe_is_refused_and_ids_never_lead_outside(store: TakeStore) -> None:
    store.begin(TAKE, "d1", "{}")
    with pytest.raises(GenerationError, match="other settings"):
        store.begin(TAKE, "d2", "{}")
    for name in ("../evil", "take-xyz", "", "/etc"):
        with pytest.raises(ValueError):
            store.path(name)


def test_runs() -> None:
    assert runs_of([]) == ()
    assert runs_of([3, 1, 2, 2, 9]) == ((1, 4), (9, 10))


def test_png_size_of_nothing(tmp_path: Path) -> None:
    assert png_size(tmp_path / "missing.png") is None
