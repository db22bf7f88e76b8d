"""Mattes as grey PNG sequences: numbered by media frame, complete or not there at all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import ExportError
from gen2studio.core.geometry import Extent
from gen2studio.media.matte_writer import write_mattes

EXTENT = Extent(20, 12)


def matte(frame: int) -> np.ndarray:
    """A soft ramp that tells its frame."""
    return np.tile(np.arange(20, dtype=np.uint8) * 12 + frame, (12, 1))


@pytest.mark.parametrize("bits", [8, 16])
def test_mattes_are_read_back_as_they_were_painted(tmp_path: Path, bits: int) -> None:
    told: list[int] = []
    frames = (3, 4, 17)
    folder = tmp_path / "dog matte"
    assert write_mattes(folder, EXTENT, ((n, matte(n)) for n in frames), bits=bits, on_progress=told.append) == 3
    assert [p.name for p in sorted(folder.iterdir())] == [f"dog matte_{n:06d}.png" for n in frames]
    assert told == [1, 2, 3]
    for number in frames:
        read = cv2.imread(str(folder / f"dog matte_{number:06d}.png"), cv2.IMREAD_UNCHANGED)
        assert read.shape == (12, 20) and read.dtype == (np.uint8 if bits == 8 else np.uint16)
        assert np.array_equal(read if bits == 8 else read // 257, matte(number))


def test_a_cancel_leaves_nothing(tmp_path: Path) -> None:
    token = CancelToken()

    def mattes() -> Iterator[tuple[int, np.ndarray]]:
        for number in range(5):
            if number == 3:
                token.cancel()
            yield number, matte(number)

    with pytest.raises(Cancelled):
        write_mattes(tmp_path / "dog", EXTENT, mattes(), cancel=token)
    assert list(tmp_path.iterdir()) == []


def test_a_matte_of_another_size_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExportError):
        write_mattes(tmp_path / "dog", EXTENT, [(0, matte(0)), (1, matte(1)[:, :10])])
    with pytest.raises(ExportError, match="8 or 16"):
        write_mattes(tmp_path / "dog", EXTENT, [], bits=12)
    assert list(tmp_path.iterdir()) == []
