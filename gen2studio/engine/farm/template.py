"""The Open Job Description of a farm job, and the two files that AWS Deadline Cloud reads beside it.

- ``template.yaml``: job template of specification version 2023-09
  (https://github.com/OpenJobDescription/openjd-specifications/wiki/2023-09-Template-Schemas);
- ``parameter_values.yaml`` and ``asset_references.yaml``: the job bundle of the Deadline Cloud developer guide
  (https://docs.aws.amazon.com/deadline-cloud/latest/developerguide/build-job-bundle.html).

Both folders of the bundle are PATH parameters with relative defaults, so that path mapping and job attachments work on
them, and ``openjd run`` needs no parameter at all.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import yaml

from gen2studio.engine.farm.bundle import JOB_FOLDER, RESULTS, FarmJob
from gen2studio.engine.farm.windows import MOST_TASKS

T = TypeVar("T")

AHEAD, FRAMES, SHOTS, GATHER = "Lay down", "Frames", "Shots", "Gather"
"""Names of the steps: what windows share, windows of frames, whole shots and panels, the check at the end."""


def span_name(window: tuple[int, int]) -> str:
    """[start, stop) as a task parameter shows it: first and last frame, ``24-47``."""
    return f"{window[0]}-{window[1] - 1}"


def template(job: FarmJob, *, program: str = "gen2studio", gpu: bool = False) -> dict[str, Any]:
    """The job template. ``program`` is the command on the workers; ``gpu`` asks for workers with a GPU for shots that
    are made in one piece."""
    numbered = list(enumerate(job.shots, 1))
    ahead = [n for n, shot in numbered if shot.ahead]
    pairs = [(n, window) for n, shot in numbered if shot.ahead for window in shot.windows]
    whole = [n for n, shot in numbered if not shot.ahead]
    steps: list[dict[str, Any]] = []
    if pairs:
        lay = _step(AHEAD, "What the frames of a clip share, one task for each clip.", ["--ahead"])
        lay["parameterSpace"] = {"taskParameterDefinitions": [_numbers("Shot", ahead)]}
        steps.append(lay)
    for part, chunk in enumerate(_chunks(pairs), 1):
        step = _step(
            FRAMES if part == 1 else f"{FRAMES} {part}", "Windows of frames.", ["--frames", "{{Task.Param.Frames}}"]
        )
        step["parameterSpace"] = {
            "taskParameterDefinitions": [
                _numbers("Shot", [n for n, _ in chunk]),
                {"name": "Frames", "type": "STRING", "range": [span_name(window) for _, window in chunk]},
            ],
            "combination": "(Shot, Frames)",
        }
        step["dependencies"] = [{"dependsOn": AHEAD}]
        steps.append(step)
    for part, chunk in enumerate(_chunks(whole), 1):
        step = _step(SHOTS if part == 1 else f"{SHOTS} {part}", "Shots and panels, one task for each.", [])
        step["parameterSpace"] = {"taskParameterDefinitions": [_numbers("Shot", chunk)]}
        if gpu:
            step["hostRequirements"] = {"amounts": [{"name": "amount.worker.gpu", "min": 1}]}
        steps.append(step)
    gather = _step(GATHER, "Checks that every frame is there and whole, and lists them by hash.", ["--gather"])
    gather["dependencies"] = [{"dependsOn": step["name"]} for step in steps]
    action = gather["script"]["actions"]["onRun"]
    action["args"] = [arg for arg in action["args"] if arg not in ("--shot", "{{Task.Param.Shot}}")]
    steps.append(gather)
    shots = "1 shot" if len(job.shots) == 1 else f"{len(job.shots)} shots"
    return {
        "specificationVersion": "jobtemplate-2023-09",
        "name": _printable(job.name)[:100] or "Gen2 Studio",
        "description": f"{shots}, written by {job.program}.",
        "parameterDefinitions": [
            {
                "name": "Program", "type": "STRING", "default": program, "minLength": 1,
                "description": "The command of Gen2 Studio on the workers.",
                "userInterface": {"control": "LINE_EDIT", "label": "Gen2 Studio command"},
            },
            {
                "name": "JobFolder", "type": "PATH", "objectType": "DIRECTORY", "dataFlow": "IN",
                "default": JOB_FOLDER, "description": "The frozen requests and every file they need.",
                "userInterface": {"control": "HIDDEN"},
            },
            {
                "name": "Results", "type": "PATH", "objectType": "DIRECTORY", "dataFlow": "OUT",
                "default": RESULTS, "description": "Where the frames go.",
                "userInterface": {"control": "CHOOSE_DIRECTORY", "label": "Results"},
            },
        ],
        "steps": steps,
    }  # fmt: skip


def parameter_values(priority: int = 50) -> dict[str, Any]:
    """What Deadline Cloud starts the job with."""
    values: dict[str, Any] = {
        "deadline:targetTaskRunStatus": "READY",
        "deadline:priority": priority,
        # A task that was killed is run again: it goes on at its first missing frame, or starts afresh elsewhere.
        "deadline:maxRetriesPerTask": 5,
        "deadline:maxFailedTasksCount": 20,
    }
    return {"parameterValues": [{"name": name, "value": value} for name, value in values.items()]}


def asset_references(job: FarmJob, bundle: Path) -> dict[str, Any]:
    """What Deadline Cloud uploads for the job and brings back. Its paths are those of the machine that submits."""
    folder = bundle.absolute() / JOB_FOLDER
    files = [folder / "job.json", *(folder / attachment.path for attachment in job.attachments)]
    return {
        "assetReferences": {
            "inputs": {"filenames": [str(file) for file in files], "directories": []},
            "outputs": {"directories": [str(bundle.absolute() / RESULTS)]},
            "referencedPaths": [],
        }
    }


def dump_yaml(value: dict[str, Any]) -> bytes:
    """YAML in the order of ``value``."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100).encode()


def _step(name: str, description: str, extra: list[str]) -> dict[str, Any]:
    arguments = ["task", "{{Param.JobFolder}}", "--out", "{{Param.Results}}", "--shot", "{{Task.Param.Shot}}", *extra]
    return {
        "name": name,
        "description": description,
        "script": {
            "actions": {
                "onRun": {
                    "command": "{{Param.Program}}",
                    "args": arguments,
                    # A cancelled task keeps the frames it has.
                    "cancelation": {"mode": "NOTIFY_THEN_TERMINATE", "notifyPeriodInSeconds": 30},
                }
            }
        },
    }


def _numbers(name: str, values: list[int]) -> dict[str, Any]:
    return {"name": name, "type": "INT", "range": values}


def _chunks(values: list[T]) -> list[list[T]]:
    return [values[i : i + MOST_TASKS] for i in range(0, len(values), MOST_TASKS)]


def _printable(text: str) -> str:
    """Job names may hold no control characters, and doubled braces are expressions."""
    return re.sub(r"\{\{+|\}\}+", " ", "".join(c for c in text if c.isprintable())).strip()
