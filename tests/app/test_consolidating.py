"""A consolidated project shows the same frames and sounds from less media, and leaves the original alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gen2studio.app.compositor import OfflinePixels, SequenceRenderer
from gen2studio.app.consolidating import Consolidated, consolidate
from gen2studio.app.importing import media_item, place_on_timeline
from gen2studio.app.project_files import Project
from gen2studio.core.cancel import Cancelled, CancelToken
from gen2studio.core.errors import ProjectError
from gen2studio.core.frozen import frozen_map
from gen2studio.document import edits
from gen2studio.document import masks as mask_edits
from gen2studio.document.lookup import problems
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Document
from gen2studio.document.sequences import with_sequence
from gen2studio.media.audio_reader import AudioReader
from gen2studio.media.probe import probe

NAMES = (
    "clips/handheld_walk_gopro_hero7_12s.mp4",
    "clips/numbered_frames_30fps_2.5s.mkv",
    "clips/people_street_bw_red_960x540_15.7s.mp4",
    "style/hokusai_great_wave.jpg",
)


def project_of(media_root: Path) -> tuple[Project, Document]:
    """The walk from its middle on, all of the numbered clip, a masked clip, a still, and media that nothing uses."""
    project, document = Project.new("Film")
    items = [media_item(media_root / name, probe(media_root / name)) for name in NAMES]
    document = add_media(document, *items)
    document = place_on_timeline(document, items).document
    sequence = document.sequence
    assert sequence is not None
    walk = next(c for c in sequence.tracks[0].clips if c.media_id == items[0].id)
    sequence = edits.trim_head(sequence, walk.id, 150, document.media)
    sequence = edits.trim_tail(sequence, walk.id, -170, document.media)
    document = with_sequence(document, sequence)
    document = mask_edits.add_object(document, items[2].id, "Person")
    extra = media_item(
        media_root / "clips/golden_retriever_512_3.2s.mp4", probe(media_root / "clips/golden_retriever_512_3.2s.mp4")
    )
    return project, add_media(document, extra)


def pictures(document: Document, frames: tuple[int, ...]) -> list[np.ndarray]:
    source = OfflinePixels(lambda take: Path("/nowhere") / take)
    try:
        renderer = SequenceRenderer(document, source)
        return [renderer.picture(frame).copy() for frame in frames]
    finally:
        source.close()


@pytest.fixture(scope="module")
def written(media_root: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Document, Consolidated]:
    project, document = project_of(media_root)
    told: list[float] = []
    done = consolidate(project, document, tmp_path_factory.mktemp("out") / "film.g2s", tell=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    project.close()
    return document, done


def test_it_shows_the_same_frames_from_less_media(written: tuple[Document, Consolidated]) -> None:
    document, done = written
    project, again = Project.open(done.path)
    try:
        assert all(Path(i.path).is_relative_to(done.path) for i in again.media.values())
        before, after = document.sequence, again.sequence
        assert before is not None
        assert after is not None
        assert problems(after, again.media) == []
        frames = tuple(f for t in before.video_tracks for c in t.clips for f in (c.start, c.end - 1))
        for old, new in zip(pictures(document, frames), pictures(again, frames), strict=True):
            assert np.array_equal(old, new)
        walk, cut = before.tracks[0].clips[0], after.tracks[0].clips[0]
        assert cut.source_in < walk.source_in
        old = AudioReader(document.media[walk.media_id].path).read(walk.source_in, 9600)
        new = AudioReader(again.media[cut.media_id].path).read(cut.source_in, 9600)
        assert np.abs(old).max() > 0.01
        assert np.abs(old - new).max() < 1e-3
    finally:
        project.close()


def test_it_says_what_it_did_with_each_file(written: tuple[Document, Consolidated]) -> None:
    _, done = written
    assert done.cut == ("handheld_walk_gopro_hero7_12s",)
    reasons = dict(done.whole)
    assert "masks" in reasons["people_street_bw_red_960x540_15.7s"]
    assert set(reasons) == {"people_street_bw_red_960x540_15.7s", "numbered_frames_30fps_2.5s"}
    assert done.left_out == ("golden_retriever_512_3.2s",)
    assert done.bytes_after < done.bytes_before
    assert len(done.sentences) == 3


def test_one_file_opens_too_and_nothing_is_overwritten(media_root: Path, tmp_path: Path) -> None:
    project, document = project_of(media_root)
    target = tmp_path / "film.zip.g2s"
    consolidate(project, document, target, cut=False)
    copied, again = Project.open_copy(target)
    assert len(again.media) == 4
    copied.close()
    with pytest.raises(ProjectError, match="there already"):
        consolidate(project, document, target)
    project.close()


def test_cancelling_leaves_nothing(media_root: Path, tmp_path: Path) -> None:
    project, document = project_of(media_root)
    token = CancelToken()

    def tell(part: float) -> None:
        if part > 0.3:
            token.cancel()

    with pytest.raises(Cancelled):
        consolidate(project, document, tmp_path / "film.g2s", cancel=token, tell=tell)
    assert list(tmp_path.iterdir()) == []
    project.close()


def test_what_is_offline_is_told(media_root: Path, tmp_path: Path) -> None:
    project, document = project_of(media_root)
    key, item = next(iter(document.media.items()))
    document = replace(document, media=frozen_map({**document.media, key: replace(item, path="/nowhere/walk.mp4")}))
    done = consolidate(project, document, tmp_path / "film.g2s")
    assert done.missing == (item.name,)
    project.close()
