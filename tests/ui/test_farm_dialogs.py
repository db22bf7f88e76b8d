"""The dialogs of render farms and of Content Credentials, driven as an artist drives them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from PySide6.QtWidgets import QDialog

from gen2studio.app.farm import Collected
from gen2studio.app.preferences import Preferences
from gen2studio.app.project_files import Project
from gen2studio.cli.main import main
from gen2studio.core.errors import FarmError
from gen2studio.core.frozen import frozen_map
from gen2studio.document.look import Look
from gen2studio.engine.farm.bundle import read_job
from gen2studio.media import content_credentials
from gen2studio.ui.dialogs.credentials import CertificateDialog, CredentialsRow
from gen2studio.ui.dialogs.farm_dialogs import CollectDialog, SubmitDialog
from tests.export.sequences import simple
from tests.export.test_content_credentials import _identity


@pytest.fixture
def project(media_root: Path, tmp_path: Path) -> Path:
    """One clip with a look that no take shows yet."""
    opened, _ = Project.new()
    document = simple(media_root / "clips/hard/odd_dims_161x121_vp9.webm", 5)
    sequence = document.sequences[document.active_sequence]
    track = sequence.video_tracks[0]
    changed = replace(track, clips=tuple(replace(clip, look=Look(prompt="sunset")) for clip in track.clips))
    sequence = replace(sequence, tracks=tuple(changed if t is track else t for t in sequence.tracks))
    document = replace(document, sequences=frozen_map({sequence.id: sequence}))
    opened.save_as(document, tmp_path / "film.g2s")
    opened.close()
    return tmp_path / "film.g2s"


def dialog_of(window: Any, kind: type[QDialog]) -> Any:
    found = window.findChild(kind)
    assert found is not None and found.isVisible()
    return found


def test_a_clip_is_submitted_and_its_take_collected(
    window: Any, qtbot: Any, project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = window.studio
    studio.preferences.set("live_preview", False)
    assert studio.open_project(project)
    from gen2studio.ui.dialogs.farm_dialogs import open_collect, open_submit

    open_submit(studio, window)
    submit = dialog_of(window, SubmitDialog)
    assert submit.scope.currentText() == "Clips to be made or renewed (1)"
    assert submit.list.item(0).text().endswith("is carried from frame to frame, in order.")
    submit.frames.setValue(3)
    assert "2 tasks of up to 3 frames" in submit.list.item(0).text() and submit.status.text() == "1 take, 3 tasks."
    assert not submit.gpu.isEnabled(), "no model is asked for"
    bundle = tmp_path / "out" / "film.farm"
    submit.path.setText(str(project))
    submit.start.click()
    assert "is there already" in submit.status.text()
    submit.path.setText(str(bundle))
    submit.start.click()
    qtbot.waitUntil(lambda: not submit.running)
    assert "holds 1 take in 3 tasks" in submit.status.text() and submit.copy.isVisible()
    job = read_job(bundle / "job")
    assert job.shots[0].windows == ((0, 3), (3, 5))
    submit.close()

    open_collect(studio, window)
    collect = dialog_of(window, CollectDialog)
    assert not collect.start.isEnabled()
    collect.path.setText(str(bundle))
    collect.start.click()
    qtbot.waitUntil(lambda: not collect.running)
    assert collect.status.text().startswith("The farm is not done: 0 of 5 frames")
    results = str(bundle / "results")
    for extra in (["--shot", "1", "--ahead"], ["--shot", "1", "--frames", "3-4"], ["--shot", "1"], ["--gather"]):
        assert main(["task", str(bundle / "job"), "--out", results, *extra]) == 0, capsys.readouterr().err
    assert main(["task", str(bundle / "job"), "--out", results, "--shot", "1", "--frames", "3-9"]) == 2
    assert main(["task", str(bundle / "job"), "--out", results, "--shot", "2"]) == 1
    assert "openjd_progress: 100.0" in capsys.readouterr().out
    collect.start.click()
    qtbot.waitUntil(lambda: not collect.running)
    assert collect.status.text() == "1 take with 5 frames."
    clip = studio.session.sequence.video_tracks[0].clips[0]
    take = studio.session.document.takes[clip.active_take]
    assert take.id == job.shots[0].take_id and not studio.is_stale(clip, take)
    with pytest.raises(FarmError, match="Another project"):
        studio.render_farm.take_in(Collected((), 0, "doc-ffffffffffff"))
    # Showing it is one undo step; the take stays.
    studio.store.undo_stack.undo()
    clip = studio.session.sequence.video_tracks[0].clips[0]
    assert clip.active_take == "" and clip.takes == (take.id,)
    collect.close()


def test_nothing_to_submit_is_said(window: Any) -> None:
    from gen2studio.ui.dialogs.farm_dialogs import open_submit

    said: list[str] = []
    window.studio.session.message.connect(lambda _severity, text: said.append(text))
    open_submit(window.studio, window)
    assert window.findChild(SubmitDialog) is None and "nothing to submit" in said[-1]


def test_the_row_says_who_signs_and_why_nobody_can(qtbot: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    preferences = Preferences(tmp_path / "preferences.json")
    holder = QDialog()
    qtbot.addWidget(holder)
    row = CredentialsRow(preferences, holder)
    assert "choose your certificate" in row.status.text()
    assert not row.sign.isEnabled() and row.choose.isEnabled() and row.identity == ("", "")

    mine = _identity(tmp_path / "me", ec.generate_private_key(ec.SECP256R1()))
    chooser = CertificateDialog(preferences, holder)
    chooser.accepted.connect(row._chosen)
    chooser.certificate.setText(str(mine.certificate))
    chooser.key.setText(str(tmp_path / "nothing.key"))
    chooser._on_use_clicked()
    qtbot.waitUntil(lambda: "can't be read" in row.status.text())
    assert not row.sign.isEnabled() and not row.sign.isChecked() and row.identity == ("", "")

    chooser.key.setText(str(mine.private_key))
    chooser._on_use_clicked()
    qtbot.waitUntil(lambda: row.status.text().startswith("Signs as Ada Artist, signed by itself"))
    assert row.sign.isChecked() and row.identity == (str(mine.certificate), str(mine.private_key))
    row.sign.setChecked(False)
    assert row.identity == ("", "")
    row.stop()

    monkeypatch.setattr(content_credentials, "available", lambda: False)
    without = CredentialsRow(preferences, holder)
    assert "gen2studio[c2pa]" in without.status.text()
    assert not without.sign.isEnabled() and not without.choose.isEnabled() and without.identity == ("", "")
    without.setEnabled(True)
    assert not without.sign.isEnabled() and not without.choose.isEnabled()
