"""A clip goes to a farm and comes back: the real ``openjd`` command line runs the tasks, one of which is killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from gen2studio.app.project_files import Project
from gen2studio.cli.main import main
from gen2studio.cli.progress_bar import ProgressBar
from gen2studio.cli.running import run_job
from gen2studio.core.frozen import frozen_map
from gen2studio.document import boards
from gen2studio.document.look import Controls, Look, Mode, Region
from gen2studio.document.model import MaskFrame, MaskObject, Panel
from gen2studio.engine.events import JobState
from gen2studio.engine.farm.bundle import job_folder, read_job, tile_files, verified
from gen2studio.engine.request_codec import decode
from gen2studio.engine.requests import Job, Lane, request_digest
from gen2studio.engine.take_store import TakeStore
from gen2studio.engine.workspace import Workspace
from tests.cli.test_shots import checkpoint, model, picture
from tests.export.sequences import simple

__all__ = ["checkpoint", "model", "picture"]

ROOT = Path(__file__).resolve().parents[2]
FRAMES, WINDOW = 8, 4
_OPENJD = Path(sys.executable).with_name("openjd")

_DYING = """#!{python}
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from gen2studio.cli.main import main
from gen2studio.engine.farm.results import SharedTakes
mark = Path({mark!r})
if not mark.exists():
    write = SharedTakes.write
    def dying(self, take_id, frame, picture):
        write(self, take_id, frame, picture)
        if frame == 2:
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    SharedTakes.write = dying
sys.exit(main(sys.argv[1:]))
"""
"""Gen2 Studio as it dies of a kill -9 in the middle of a window, once."""


@pytest.fixture
def project(media_root: Path, tmp_path: Path) -> Path:
    """A clip with a painted look inside a moving matte."""
    path = tmp_path / "private folder" / "film.g2s"
    path.parent.mkdir()
    clip = path.parent / "secret client.webm"
    shutil.copyfile(media_root / "clips/hard/odd_dims_161x121_vp9.webm", clip)
    opened, _ = Project.new()
    document = simple(clip, FRAMES)
    item = next(iter(document.media.values()))
    rasters = {}
    for frame in range(FRAMES):
        matte = np.zeros((item.info.height, item.info.width), np.uint8)
        cv2.circle(matte, (60 + 3 * frame, 60), 40, 255, -1)
        rasters[frame] = MaskFrame(raster=opened.tiles.pack(matte), anchor=True)
    mask = MaskObject(id="mask-000000000001", media_id=item.id, name="Dog", frames=frozen_map(rasters))
    # Words alone are quick; the tests of the engine make farm films of strokes and keys.
    look = Look(prompt="sunset", region=Region.FOREGROUND)
    sequence = document.sequences[document.active_sequence]
    track = sequence.tracks[0]
    clips = tuple(replace(c, look=look) for c in track.clips)
    sequence = replace(sequence, tracks=(replace(track, clips=clips), *sequence.tracks[1:]))
    document = replace(
        document, sequences=frozen_map({sequence.id: sequence}), masks=frozen_map({mask.id: mask})
    )  # fmt: skip
    opened.save_as(document, path)
    opened.close()
    return path


def openjd(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(_OPENJD), *map(str, words)], capture_output=True, text=True, check=False)


def pictures(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in sorted(folder.glob("*.png"))}


def test_a_clip_goes_to_a_farm_and_comes_back(
    project: Path, tmp_path: Path, qapp: object, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, program = tmp_path / "shot.farm", tmp_path / "gen2studio"
    program.write_text(_DYING.format(python=sys.executable, root=str(ROOT), mark=str(tmp_path / "killed")))
    program.chmod(0o755)
    submit = ["submit", str(project), "--out", str(bundle), "--frames", str(WINDOW), "--program", str(program), "-q"]
    assert main(submit) == 0
    told = capsys.readouterr()
    assert "1 shot, 3 tasks" in told.out and "2 tasks of up to 4 frames, after one that lays down" in told.err
    assert main(submit) == 2  # it is there already

    # Nothing that travels tells whose machine it came from; what stays here does.
    travels = [bundle / "template.yaml", bundle / "parameter_values.yaml", *(bundle / "job").rglob("*")]
    for file in travels:
        assert "private" not in str(file.relative_to(bundle)) and "secret" not in file.name
        if file.suffix in (".json", ".yaml"):
            assert str(project.parent) not in file.read_text()
    listed = yaml.safe_load((bundle / "asset_references.yaml").read_text())["assetReferences"]
    assert all(Path(name).is_file() for name in listed["inputs"]["filenames"])
    assert listed["outputs"]["directories"] == [str(bundle / "results")]
    values = yaml.safe_load((bundle / "parameter_values.yaml").read_text())["parameterValues"]
    assert {"name": "deadline:targetTaskRunStatus", "value": "READY"} in values

    template = bundle / "template.yaml"
    assert openjd("check", template).returncode == 0
    summary = openjd("summary", template).stdout
    assert "Total steps: 3" in summary and "Total tasks: 4" in summary

    # A worker dies in the middle of a window; the job is run again and goes on there.
    died = openjd("run", template)
    assert died.returncode != 0 and (tmp_path / "killed").is_file(), died.stdout
    job = read_job(job_folder(bundle))
    take_id = job.shots[0].take_id
    kept = pictures(bundle / "results/takes" / take_id)
    assert "frame_000002.png" in kept and len(kept) < FRAMES
    assert main(["collect", str(bundle), str(project), "-q"]) == 1
    assert "The farm is not done" in capsys.readouterr().err
    done = openjd("run", template)
    assert done.returncode == 0, done.stdout
    assert f"{FRAMES} frames are there and whole" in done.stdout

    # One machine that makes the whole clip makes the same film, to the byte.
    alone = TakeStore(tmp_path / "alone")
    folder = job_folder(bundle)
    opened, document = Project.open(project)
    assert tile_files(job, folder)
    request = verified(job, job.shots[0], folder)
    whole = Job(id="job-000000000001", lane=Lane.RENDER, request=request, label="", take_id=take_id)
    state = run_job(whole, Workspace(takes=alone, matte=opened.tiles.unpack), ProgressBar())
    opened.close()
    assert state is JobState.FINISHED
    film = pictures(alone.path(take_id))
    assert len(film) == FRAMES
    assert pictures(bundle / "results/takes" / take_id) == film
    assert kept.items() <= film.items()

    # It comes back as a take that the clip shows.
    assert main(["collect", str(bundle), str(project), "-q"]) == 0
    assert capsys.readouterr().out.strip().endswith(f"1 take, {FRAMES} frames")
    opened, document = Project.open(project)
    take = document.takes[take_id]
    clip = document.sequence.video_tracks[0].clips[0]  # type: ignore[union-attr]
    assert clip.active_take == take_id and take.done == ((0, FRAMES),)
    assert take.request_digest == job.shots[0].digest and take.look.prompt == "sunset"
    assert pictures(opened.takes_dir / take_id) == film
    opened.close()
    # What the clip shows now is what it asks for: nothing is left to submit.
    assert main(["submit", str(project), "--out", str(tmp_path / "again.farm"), "-q"]) == 1
    assert "nothing to render" in capsys.readouterr().err


def test_panels_of_a_storyboard_are_a_task_each(
    model: str, picture: Path, tmp_path: Path, qapp: object, capsys: pytest.CaptureFixture[str]
) -> None:
    opened, document = Project.new()
    look = Look(mode=Mode.STORYBOARD, generator=model, prompt="ink", controls=Controls(steps=1))
    document, key = boards.new_board(document, look=look, width=64, height=64, rate=Fraction(4))
    digest = opened.add_blob(picture)
    for number, words in enumerate(("a city", "a boat"), 1):
        panel = Panel(
            id=f"panel-{number:012x}", picture=digest if number == 1 else "", prompt=words, seconds=Fraction(1, 2)
        )
        document = boards.add_panel(document, key, panel)
    project = tmp_path / "film.g2s"
    opened.save_as(document, project)
    opened.close()
    bundle, results = tmp_path / "board.farm", str(tmp_path / "board.farm/results")
    name = document.boards[key].name
    assert main(["submit", str(project), "--board", name, "--out", str(bundle), "-q"]) == 0
    told = capsys.readouterr()
    assert "2 shots, 2 tasks" in told.out and told.err.count("makes the frames of a clip together") == 2
    template = yaml.safe_load((bundle / "template.yaml").read_text())
    steps = {step["name"]: step for step in template["steps"]}
    assert list(steps) == ["Shots", "Gather"]
    assert steps["Shots"]["parameterSpace"]["taskParameterDefinitions"][0]["range"] == [1, 2]
    assert steps["Shots"]["hostRequirements"]["amounts"] == [{"name": "amount.worker.gpu", "min": 1}]
    for extra in (["--shot", "2"], ["--shot", "1"], ["--gather"]):
        assert main(["task", str(bundle), "--out", results, *extra]) == 0, capsys.readouterr().err
    assert main(["collect", str(bundle), str(project), "-q"]) == 0
    opened, document = Project.open(project)
    shown = [clip for track in document.sequence.video_tracks for clip in track.clips]  # type: ignore[union-attr]
    assert len(shown) == 2 and all(document.takes[clip.active_take].done for clip in shown)
    opened.close()
    # A worker with another revision of the model would make another film.
    file = bundle / "job/job.json"
    plain = json.loads(file.read_text())
    plain["shots"][0]["request"]["revision"] = "other"
    plain["shots"][0]["digest"] = request_digest(decode(plain["shots"][0]["request"]))
    file.write_text(json.dumps(plain))
    assert main(["task", str(bundle), "--out", results, "--shot", "1"]) == 1
    assert "the job was planned with other" in capsys.readouterr().err
