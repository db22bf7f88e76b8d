"""What a farm job holds: frozen requests, their windows of frames, and every file they need, by its hash.

A bundle is a folder::

    shot.farm/
      template.yaml, parameter_values.yaml, asset_references.yaml    see :mod:`gen2studio.engine.farm.template`
      job/job.json                                                   this module
      job/attachments/<sha256>.<suffix>                              one file
      job/attachments/<digest of the list>/frame_000012.<suffix>     one file of an image sequence
      job/attachments/tiles/<digest>                                 one tile of a matte, packed
      results/                                                       see :mod:`gen2studio.engine.farm.results`

A bundle may come back from strangers' machines: nothing in it is believed that is not checked here. Paths have one of
the shapes above, sizes and hashes must agree, values that cost memory are bounded, and requests consist of the known
types only.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from dataclasses import field, replace
from pathlib import Path
from typing import Any, cast

from gen2studio import __version__
from gen2studio.core.errors import FarmError
from gen2studio.core.ids import is_id
from gen2studio.core.mask_raster import MaskRaster
from gen2studio.core.paths import inside
from gen2studio.core.records import dataclass
from gen2studio.engine.request_codec import decode, encode
from gen2studio.engine.requests import GenerateRequest, request_digest

FORMAT, VERSION = "gen2studio-job", 1
PROGRAM = f"Gen2 Studio {__version__}"
JOB_FOLDER, JOB_FILE, RESULTS = "job", "job.json", "results"
_MOST_JSON = 256 << 20
_MOST_SHOTS = 10_000
_MOST_FRAMES = 1_000_000
_MOST_PIXELS = 1 << 28
"""Of one frame: 16384 × 16384."""
_MOST_SIDE = 65_535
_FILE = re.compile(r"attachments/[0-9a-f]{64}(\.[a-z0-9]{1,8})?")
_NUMBERED = re.compile(r"attachments/[0-9a-f]{32}/frame_\d{6,10}\.[a-z0-9]{1,8}")
_FOLDER = re.compile(r"attachments/[0-9a-f]{32}")
_TILE = re.compile(r"attachments/tiles/[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_FRACTION = re.compile(r"-?\d{1,40}/\d{1,40}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that travels with the job."""

    path: str
    """Below the job folder, with forward slashes."""
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmShot:
    """One take to make: a clip, or a panel of a storyboard."""

    take_id: str
    clip_id: str
    label: str
    request: GenerateRequest
    """Its paths lead below the job folder."""
    windows: tuple[tuple[int, int], ...]
    """Media frames [start, stop) of each task, in order, covering the request's range."""
    ahead: bool = False
    """A task before the windows lays down what is carried through the clip."""
    why: str = ""
    """How it was divided, in a sentence."""

    @property
    def digest(self) -> str:
        return request_digest(self.request)


@dataclass(frozen=True, slots=True, kw_only=True)
class FarmJob:
    """What ``job.json`` says."""

    name: str
    project: str
    """Id of the document the takes belong to."""
    shots: tuple[FarmShot, ...]
    attachments: tuple[Attachment, ...] = ()
    program: str = ""
    created: str = ""
    """ISO 8601 UTC."""
    digest: str = field(default="", compare=False)
    """SHA-256 of the file it was read from; empty for one that was not."""

    def shot(self, number: int) -> FarmShot:
        """The shot with a number from 1. Raises FarmError."""
        if not 1 <= number <= len(self.shots):
            raise FarmError(f"The job has no shot {number}.", f"It has shots 1 to {len(self.shots)}.")
        return self.shots[number - 1]


# -- writing -----------------------------------------------------------------------------------------------------------


def dump_job(job: FarmJob) -> bytes:
    """The text of ``job.json``."""
    shots = [
        {
            "take": shot.take_id, "clip": shot.clip_id, "label": shot.label, "digest": shot.digest,
            "windows": [list(window) for window in shot.windows], "ahead": shot.ahead, "why": shot.why,
            "request": encode(shot.request),
        }
        for shot in job.shots
    ]  # fmt: skip
    plain = {
        "format": FORMAT, "version": VERSION, "name": job.name, "project": job.project, "program": job.program,
        "created": job.created, "shots": shots,
        "attachments": [{"path": a.path, "sha256": a.sha256, "size": a.size} for a in job.attachments],
    }  # fmt: skip
    return (json.dumps(plain, indent=1, ensure_ascii=False) + "\n").encode()


# -- reading -----------------------------------------------------------------------------------------------------------


def job_folder(path: Path) -> Path:
    """The job folder of a bundle, for the bundle itself or anything people point at in it. Raises FarmError."""
    for folder in (path / JOB_FOLDER, path, path.parent / JOB_FOLDER, path.parent):
        if (folder / JOB_FILE).is_file():
            return folder
    raise FarmError(f"“{path.name}” is no farm job of Gen2 Studio.", f"Choose the folder that holds {JOB_FOLDER}/.")


def read_job(folder: Path) -> FarmJob:
    """The job of a job folder. Raises FarmError for anything that is not whole and ours."""
    file = folder / JOB_FILE
    try:
        if file.is_symlink() or file.stat().st_size > _MOST_JSON:
            raise _refused("its description is too big or a link")
        data = file.read_bytes()
    except OSError as error:
        raise FarmError(f"“{file}” can't be read.", "Check the folder and its permissions.") from error
    try:
        return replace(_job(json.loads(data)), digest=hashlib.sha256(data).hexdigest())
    except RecursionError:
        raise _refused("it is nested too deeply") from None
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
        raise _refused(str(error) or type(error).__name__) from error


def _job(plain: Any) -> FarmJob:
    table = cast("dict[str, Any]", plain)
    if not isinstance(plain, dict) or table.get("format") != FORMAT:
        raise FarmError("This folder holds no farm job of Gen2 Studio.", "Choose a bundle that it wrote.")
    if table.get("version") != VERSION:
        raise FarmError("The farm job was written by a newer Gen2 Studio.", "Use that version on every machine.")
    attachments = tuple(_attachment(entry) for entry in _list(table["attachments"], _MOST_FRAMES))
    if len({a.path for a in attachments}) != len(attachments):
        raise ValueError("a file is listed twice")
    program = _words(table["program"])
    shots = tuple(_shot(entry, program) for entry in _list(table["shots"], _MOST_SHOTS))
    if not shots or len({shot.take_id for shot in shots}) != len(shots):
        raise ValueError("its shots have no take each of their own")
    return FarmJob(
        name=_words(table["name"]), project=_text(table["project"]), shots=shots, attachments=attachments,
        program=program, created=_words(table["created"]),
    )  # fmt: skip


def _attachment(entry: Any) -> Attachment:
    path, sha256, size = _text(entry["path"]), _text(entry["sha256"]), _number(entry["size"])
    if not any(shape.fullmatch(path) for shape in (_FILE, _NUMBERED, _TILE)):
        raise ValueError(f"the file “{path[:80]}” lies where none may be")
    if not _SHA256.fullmatch(sha256) or (_FILE.fullmatch(path) and path[12:76] != sha256):
        raise ValueError("a file is listed under another hash than its own")
    return Attachment(path=path, sha256=sha256, size=size)


def _shot(entry: Any, program: str) -> FarmShot:
    _check_plain(entry["request"])
    request = decode(entry["request"])
    if not isinstance(request, GenerateRequest):
        raise ValueError("a shot asks for something else than frames")
    check_request(request)
    if request_digest(request) != entry["digest"]:
        if program != PROGRAM:
            # Another version knows other fields.
            raise FarmError(f"The farm job was written by {program[:60]}, and this is {PROGRAM}.", "Use that version.")
        raise ValueError("a request is not the one its digest names")
    take_id, clip_id = _text(entry["take"]), _text(entry["clip"])
    if not is_id(take_id) or not is_id(clip_id):
        raise ValueError("a take or clip has no proper id")
    windows = tuple((_number(first), _number(stop)) for first, stop in _list(entry["windows"], _MOST_FRAMES))
    starts = (request.start, *(stop for _, stop in windows))
    if not windows or starts != (*(first for first, _ in windows), request.stop):
        raise ValueError("the tasks of a shot don't cover its frames")
    return FarmShot(
        take_id=take_id, clip_id=clip_id, label=_words(entry["label"]), request=request, windows=windows,
        ahead=bool(entry["ahead"]), why=_words(entry["why"]),
    )  # fmt: skip


def check_request(request: GenerateRequest) -> None:
    """Refuse what would cost memory without end, and paths that lead elsewhere. Raises ValueError."""
    for part in (request, *request.parts):
        start, stop, width, height = (_number(v) for v in (part.start, part.stop, part.width, part.height))
        if not 0 < stop - start <= _MOST_FRAMES or part.frames is not None:
            raise ValueError("a shot has no frames, or more than a film")
        if not 0 < width * height <= _MOST_PIXELS or max(width, height) > _MOST_SIDE:
            raise ValueError(f"frames of {width}×{height} pixels are not made")
        if part.parts and part is not request:
            raise ValueError("looks by object don't nest")
    for value in _values(request):
        if isinstance(value, MaskRaster) and not 0 <= _number(value.width) * _number(value.height) <= _MOST_PIXELS:
            raise ValueError("a matte is bigger than any picture")
        path = getattr(value, "path", "")
        if path and not (isinstance(path, str) and any(s.fullmatch(path) for s in (_FILE, _NUMBERED, _FOLDER))):
            raise ValueError(f"the path “{str(path)[:80]}” leads out of the job")
    paths_of(request)


def paths_of(request: GenerateRequest) -> frozenset[str]:
    """The attachments a request names: files, folders of numbered files, tiles."""
    found: set[str] = set()
    for value in _values(request):
        if isinstance(value, MaskRaster):
            found.update(f"attachments/tiles/{digest}" for _, _, digest in value.tiles)
        elif path := getattr(value, "path", ""):
            found.add(path)
    return frozenset(found)


def verified(job: FarmJob, shot: FarmShot, folder: Path) -> GenerateRequest:
    """The request of a shot with paths on this machine, after every file it needs was found whole.

    Raises FarmError for a file that is missing, a link, or of another size or hash than the job says.
    """
    names = paths_of(shot.request)
    held = {a.path: a for a in job.attachments}
    needed = [a for a in job.attachments if a.path in names or a.path.rpartition("/")[0] in names]
    # Of a sequence the request names the first file: its neighbours belong to it.
    folders = {name.rpartition("/")[0] for name in names if _NUMBERED.fullmatch(name)}
    needed += [a for a in job.attachments if a.path.rpartition("/")[0] in folders and a.path not in names]
    for name in names:
        # The tile that is inside everywhere needs no file.
        if name not in held and not _FOLDER.fullmatch(name) and not _TILE.fullmatch(name):
            raise _refused(f"“{name}” is not among its files")
    for attachment in needed:
        check_file(folder, attachment)
    _check_folders(folder, {a.path for a in needed if _NUMBERED.fullmatch(a.path)})
    return cast("GenerateRequest", _moved(shot.request, folder))


def _check_folders(folder: Path, frames: set[str]) -> None:
    """Refuse folders of numbered files with more than was sent: all would be read as frames. Raises FarmError."""
    for name in {path.rpartition("/")[0] for path in frames}:
        there = {f"{name}/{file.name}" for file in (folder / name).iterdir()}
        strange = min((path for path in there - frames if _NUMBERED.fullmatch(path)), default="")
        if strange:
            raise _refused(f"“{strange[:120]}” lies among its frames and was not sent")


def check_file(folder: Path, attachment: Attachment) -> Path:
    """The file of an attachment, if it is what the job says. Raises FarmError."""
    path = folder / attachment.path
    try:
        inside(folder, attachment.path)
        whole = not path.is_symlink() and path.is_file() and path.stat().st_size == attachment.size
        if whole:
            with open(path, "rb") as stream:
                whole = hashlib.file_digest(stream, "sha256").hexdigest() == attachment.sha256
    except (OSError, ValueError):
        whole = False
    if not whole:
        raise FarmError(
            f"The job's file “{attachment.path}” is missing or not the one that was sent.", "Send the job again."
        )
    return path


def tile_files(job: FarmJob, folder: Path) -> dict[str, Path]:
    """Digest → file of every matte tile of the job."""
    tiles = (a for a in job.attachments if _TILE.fullmatch(a.path))
    return {a.path.rpartition("/")[2]: folder / a.path for a in tiles}


# -- inside ------------------------------------------------------------------------------------------------------------


def _values(value: Any) -> list[Any]:
    """Every record in a request, itself included."""
    found: list[Any] = []
    waiting: list[Any] = [value]
    while waiting:
        held = waiting.pop()
        if isinstance(held, tuple):
            waiting.extend(cast("tuple[Any, ...]", held))
        elif dataclasses.is_dataclass(held) and not isinstance(held, type):
            found.append(held)
            waiting.extend(getattr(held, f.name) for f in dataclasses.fields(held))
    return found


def _moved(value: Any, folder: Path) -> Any:
    """A request whose relative paths lead below ``folder``."""
    if isinstance(value, tuple):
        return tuple(_moved(item, folder) for item in cast("tuple[Any, ...]", value))
    if not dataclasses.is_dataclass(value) or isinstance(value, (type, MaskRaster)):
        return value
    changes: dict[str, Any] = {}
    for f in dataclasses.fields(value):
        held = getattr(value, f.name)
        if f.name == "path":
            changes[f.name] = str(folder / held) if held else ""
        elif isinstance(held, tuple) or dataclasses.is_dataclass(held):
            changes[f.name] = _moved(held, folder)
    return replace(value, **changes) if changes else value


def _check_plain(data: Any) -> None:
    """Refuse fractions whose text is short and whose value is not (1e999999999)."""
    waiting = [data]
    while waiting:
        held = waiting.pop()
        if isinstance(held, dict):
            table = cast("dict[str, Any]", held)
            if "fraction" in table and not _FRACTION.fullmatch(str(table["fraction"])):
                raise ValueError("a fraction is none")
            waiting.extend(table.values())
        elif isinstance(held, list):
            waiting.extend(cast("list[Any]", held))


def _refused(why: str) -> FarmError:
    return FarmError(f"The farm job is refused: {why}.", "Use the bundle as Gen2 Studio wrote it.")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 4096:
        raise ValueError("a text is none, or too long")
    return value


def _words(value: Any) -> str:
    """A text for people, on one line: lines of their own mean something to who reads a task's output."""
    return " ".join("".join(c if c.isprintable() else " " for c in _text(value)).split())


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > math.ldexp(1, 53):
        raise ValueError("a number is none")
    return value


def _list(value: Any, most: int) -> list[Any]:
    if not isinstance(value, list) or len(cast("list[Any]", value)) > most:
        raise ValueError("a list is none, or too long")
    return cast("list[Any]", value)
