"""Clips by name, and small media made on the spot."""

from __future__ import annotations

from pathlib import Path

import pytest

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "media" / "clips"
VIDEO_SUFFIXES = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".3gp", ".mts", ".mpg", ".ts"}


def clip_paths() -> list[Path]:
    """Every clip with pictures."""
    found = [p for folder in (CLIPS, CLIPS / "hard") for p in sorted(folder.iterdir()) if p.suffix in VIDEO_SUFFIXES]
    return [p for p in found if p.name != "audio_only_15s.mp4"]


@pytest.fixture
def hard(media_root: Path) -> Path:
    return media_root / "clips" / "hard"


@pytest.fixture
def broken(media_root: Path) -> Path:
    return media_root / "broken"
