"""Clips that show nested timelines have a filmstrip: what the viewer would show, small."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QImage
from pytestqt.qtbot import QtBot

from gen2studio.app.compositor import OfflinePixels, SequenceRenderer
from gen2studio.core.frozen import with_item
from gen2studio.document import sequences
from gen2studio.document.model import MediaItem, Track
from gen2studio.ui.timeline.thumbs import Picture
from tests.ui.desk import Desk, open_desk


@pytest.fixture
def desk(qtbot: QtBot, media_root: Path) -> Iterator[Desk]:
    with open_desk(qtbot, media_root) as opened:
        yield opened


def test_a_nested_clip_shows_its_timeline(desk: Desk, qtbot: QtBot) -> None:
    window, studio = desk[0], desk[0].studio
    thumbs = window.timeline.view.thumbnails
    sequence = studio.session.sequence
    assert sequence is not None
    studio.session.set_selection(frozenset(clip.id for track in sequence.tracks for clip in track.clips))
    assert studio.editing.clips.nest()
    item = _nested(studio.store.document.media.values())
    name = thumbs.scene(studio.store.document, item)
    assert thumbs.media_of(name) == item.id
    qtbot.waitUntil(lambda: _first(thumbs, name) is not None, timeout=30_000)
    found = _first(thumbs, name)
    assert found is not None
    # It is the frame that an export would have there.
    inner = studio.store.document.sequences[item.nested]
    pixels = OfflinePixels(studio.take_folder)
    whole = SequenceRenderer(studio.store.document, pixels, item.nested).picture(0)
    pixels.close()
    shown = _rgb(found)
    assert shown.shape[1] == pytest.approx(inner.width * shown.shape[0] / inner.height, abs=1)
    assert shown.std() > 10, "a picture, not a plane"
    assert np.abs(shown.mean(axis=(0, 1)) - whole.mean(axis=(0, 1))).max() < 4
    # An edit of the timeline around it makes no new picture, one inside it does.
    outer = studio.session.sequence
    assert outer is not None
    studio.store.apply("Name", sequences.with_sequence(studio.store.document, replace(outer, name="Film")))
    assert thumbs.scene(studio.store.document, item) == name
    hidden = replace(inner, tracks=tuple(_muted(track) for track in inner.tracks))
    document = studio.store.document
    studio.store.apply("Hide", replace(document, sequences=with_item(document.sequences, inner.id, hidden)))
    again = thumbs.scene(studio.store.document, item)
    assert again != name
    assert thumbs.get(again, 0, found.height) is not None, "the old one is shown while the new one is made"
    qtbot.waitUntil(lambda: _first(thumbs, again) is not None, timeout=30_000)
    empty = _first(thumbs, again)
    assert empty is not None and _rgb(empty).max() == 0


def _nested(items: object) -> MediaItem:
    return next(item for item in items if item.nested)  # type: ignore[attr-defined]


def _muted(track: Track) -> Track:
    return replace(track, muted=True)


def _first(thumbs: object, name: str) -> Picture | None:
    made = thumbs._pictures  # type: ignore[attr-defined]
    return next((made[key] for key in sorted(made) if key[:2] == (name, 0)), None)


def _rgb(picture: Picture) -> np.ndarray:
    page = picture.pixmap.copy(picture.x, picture.y, picture.width, picture.height).toImage()
    image = page.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : image.width() * 3].reshape(image.height(), image.width(), 3).astype(float)
