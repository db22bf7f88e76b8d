"""Writing a farm job: everything beside its target first, then renamed, so that a bundle is whole or not there."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import FarmError
from gen2studio.core.paths import write_atomic
from gen2studio.core.records import dataclass
from gen2studio.engine.farm import template
from gen2studio.engine.farm.bundle import (
    JOB_FILE,
    JOB_FOLDER,
    PROGRAM,
    RESULTS,
    FarmJob,
    FarmShot,
    check_request,
    dump_job,
)
from gen2studio.engine.farm.packing import Packer, size_of
from gen2studio.engine.farm.windows import Division
from gen2studio.engine.requests import GenerateRequest
from gen2studio.raster.tiles import TileStore


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedShot:
    """A take to be made elsewhere."""

    take_id: str
    clip_id: str
    label: str
    request: GenerateRequest
    """With paths on this machine."""
    division: Division
    gpu: bool = False
    """Its generator has weights, which want a GPU."""

    @property
    def tasks(self) -> int:
        return len(self.division.windows) + self.division.ahead


def write_bundle(
    target: Path,
    shots: Sequence[PlannedShot],
    *,
    name: str,
    project: str,
    tiles: TileStore | None = None,
    program: str = "gen2studio",
    gpu: bool = True,
    priority: int = 50,
    cancel: CancelToken | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> FarmJob:
    """Write the bundle folder ``target``, which must not be there. ``tell`` hears (bytes read, bytes in all).

    ``gpu`` asks for workers with a GPU where a shot wants one. Raises FarmError, OSError, Cancelled; nothing is left.
    """
    if not shots:
        raise FarmError("There is nothing to render: every clip shows what it asks for.", "Change a look first.")
    if target.exists():
        raise FarmError(f"“{target.name}” is there already.", "Choose another name.")
    target.parent.mkdir(parents=True, exist_ok=True)
    total = size_of(tuple(shot.request for shot in shots))
    folder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        packer = Packer(folder / JOB_FOLDER, tiles, cancel, (lambda done: tell(done, total)) if tell else None)
        made: list[FarmShot] = []
        for shot in shots:
            request = packer.packed(shot.request)
            try:
                check_request(request)
            except ValueError as error:
                raise FarmError(f"“{shot.label}” can't go to a farm: {error}.", "Render it here.") from error
            made.append(
                FarmShot(
                    take_id=shot.take_id, clip_id=shot.clip_id, label=shot.label, request=request,
                    windows=shot.division.windows, ahead=shot.division.ahead, why=shot.division.why,
                )
            )  # fmt: skip
        job = FarmJob(
            name=name, project=project, shots=tuple(made), attachments=packer.attachments,
            program=PROGRAM, created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )  # fmt: skip
        write_atomic(folder / JOB_FOLDER / JOB_FILE, dump_job(job))
        wants_gpu = gpu and any(shot.gpu and not shot.division.ahead for shot in shots)
        files = {
            "template": template.template(job, program=program, gpu=wants_gpu),
            "parameter_values": template.parameter_values(priority),
            "asset_references": template.asset_references(job, target),
        }
        for stem, value in files.items():
            write_atomic(folder / f"{stem}.yaml", template.dump_yaml(value))
        (folder / RESULTS).mkdir()
        folder.chmod(0o755)
        os.replace(folder, target)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return job
