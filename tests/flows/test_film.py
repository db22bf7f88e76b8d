"""A short film cut in the real window: keys, mouse, joins, titles, saved, exported, reopened."""

from __future__ import annotations

from pathlib import Path

import pytest

from gen2studio.document.composition import TransitionKind
from gen2studio.ui.main_window import MainWindow
from tests.flows.walk_film import TITLES, FilmWalk

CLIPS = ("clips/drone_coast_gopro_karma_12s.mp4", "clips/bbb_640x360_10s_audio.mp4")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_short_film_from_an_empty_project_to_a_file(window: MainWindow, tmp_path: Path) -> None:
    window.showNormal()
    window.resize(1440, 860)
    walk = FilmWalk.over(window, tmp_path, CLIPS)
    walk.cut(18)
    clips = walk.pictures()
    assert len(clips) == 2
    assert clips[0].fade_in == 15
    assert max(c.duration for c in clips) < 70
    assert clips[1].duration < clips[0].duration, "its edge was dragged"
    assert [t.kind for t in walk.sequence.video_tracks[0].transitions] == [TransitionKind.DISSOLVE]
    assert [c.link for c in clips] == [c.link for c in walk.sequence.audio_tracks[0].clips]
    walk.titles()
    assert [s.text for s in walk.sequence.subtitles] == list(TITLES)
    walk.finish()
    steps = window.studio.store.undo_stack
    while steps.canUndo():
        steps.undo()
    sequence = window.studio.session.sequence
    assert sequence is None or sequence.duration == 0
