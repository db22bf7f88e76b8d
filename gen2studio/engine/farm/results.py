"""Where a farm's tasks put their frames, the list that the last task makes of them, and how that list is believed.

``results/takes/<take id>/frame_000012.png`` as in any take, ``results/results.json`` when all is there. Tasks on
machines that share a disk write side by side; where they don't, the farm brings their folders together by name.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import FarmError
from gen2studio.core.hashing import file_digest
from gen2studio.core.paths import inside, write_atomic
from gen2studio.core.records import dataclass
from gen2studio.engine.farm.bundle import FarmJob, FarmShot
from gen2studio.engine.requests import request_recipe
from gen2studio.engine.take_store import SCRATCH, TakeStore, frame_name, png_size

FORMAT = "gen2studio-job-results"
RESULTS_FILE = "results.json"
_MOST_JSON = 512 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNKS = frozenset({b"IHDR", b"sRGB", b"tEXt", b"iTXt", b"IDAT", b"IEND"})
"""What the PNGs of a take may hold."""


class SharedTakes(TakeStore):
    """The takes of a job, filled by several machines at once: each looks after its own frames only."""

    def __init__(self, results: Path, window: tuple[int, int]) -> None:
        super().__init__(results / "takes")
        self._window = window

    def finish(self, take_id: str) -> None:
        """What was laid down is for the other tasks too: the last one takes it away."""

    def frames(self, take_id: str) -> tuple[int, ...]:
        first, stop = self._window
        return tuple(frame for frame in super().frames(take_id) if first <= frame < stop)

    def _left_over(self, name: str) -> bool:
        found = re.match(r"^\.frame_(\d+)\.png\.part$", name)
        return found is not None and self._window[0] <= int(found[1]) < self._window[1]


@dataclass(frozen=True, slots=True)
class ShotFrames:
    """The frames of one shot that came back, each checked."""

    shot: FarmShot
    files: tuple[tuple[int, Path, str], ...]
    """(media frame, PNG, its SHA-256) of every frame, in order."""


def gather(job: FarmJob, results: Path, cancel: CancelToken | None = None) -> int:
    """Check that every frame of every shot is whole, list them, and clear what tasks shared; returns how many frames.

    Raises FarmError naming what is missing.
    """
    cancel = cancel or CancelToken()
    store = TakeStore(results / "takes")
    missing: list[str] = []
    shots: list[dict[str, Any]] = []
    total = 0
    for number, shot in enumerate(job.shots, 1):
        listed: list[list[Any]] = []
        for frame in shot.request.wanted:
            cancel.check()
            path = store.frame_path(shot.take_id, frame)
            if png_size(path) != (shot.request.width, shot.request.height):
                continue
            listed.append([frame, file_digest(path), path.stat().st_size])
        lacking = len(shot.request.wanted) - len(listed)
        if lacking:
            missing.append(f"shot {number} lacks {lacking} of {len(shot.request.wanted)} frames")
        shots.append({"take": shot.take_id, "digest": shot.digest, "frames": listed})
        total += len(listed)
    if missing:
        raise FarmError(f"The film is not complete: {', '.join(missing[:5])}.", "Run those tasks again, then gather.")
    plain = {"format": FORMAT, "version": 1, "job": job.digest, "shots": shots}
    write_atomic(results / RESULTS_FILE, (json.dumps(plain, separators=(",", ":")) + "\n").encode())
    for shot in job.shots:
        shutil.rmtree(store.path(shot.take_id) / SCRATCH, ignore_errors=True)
    return total


def frames_done(job: FarmJob, results: Path) -> tuple[int, int]:
    """(frames that lie there, frames in all), by name only."""
    store = TakeStore(results / "takes")
    there = sum(len(frozenset(store.frames(s.take_id)) & frozenset(s.request.wanted)) for s in job.shots)
    return there, sum(len(s.request.wanted) for s in job.shots)


def checked(
    job: FarmJob, results: Path, cancel: CancelToken | None = None, tell: Callable[[int, int], None] | None = None
) -> tuple[ShotFrames, ...]:
    """The frames of a finished job, if they are what its list says and what the job asked for.

    Refused with one sentence (FarmError): results of another job, a frame that is missing, a link, not the PNG that was
    listed, of another size than asked, or bigger than such a picture can be. ``tell`` hears (done, total).
    """
    cancel = cancel or CancelToken()
    listed = _listed(job, results)
    total = sum(len(shot.request.wanted) for shot in job.shots)
    done = 0
    found: list[ShotFrames] = []
    for shot in job.shots:
        entries = listed.get(shot.take_id)
        if entries is None or frozenset(entries) != frozenset(shot.request.wanted):
            raise _refused(f"“{shot.label}” does not have the frames that were asked for")
        files: list[tuple[int, Path, str]] = []
        for frame in shot.request.wanted:
            cancel.check()
            sha256, size = entries[frame]
            files.append((frame, _frame(results, shot, frame, sha256, size), sha256))
            done += 1
            if tell is not None:
                tell(done, total)
        found.append(ShotFrames(shot, tuple(files)))
    return tuple(found)


def _frame(results: Path, shot: FarmShot, frame: int, sha256: str, size: int) -> Path:
    name = f"takes/{shot.take_id}/{frame_name(frame)}"
    path = results / name
    width, height = shot.request.width, shot.request.height
    # PNG can't be bigger than its pixels, a filter byte a row and what surrounds them; text chunks are ours.
    most = 4 * (width + 1) * height + (1 << 20)
    try:
        inside(results, name)
        linked = path.is_symlink() or path.parent.is_symlink() or path.parent.parent.is_symlink()
        if linked or not path.is_file() or path.stat().st_size != size or size > most:
            raise ValueError
        if file_digest(path) != sha256 or png_size(path) != (width, height) or not _is_plain(path):
            raise ValueError
    except (OSError, ValueError):
        raise _refused(f"frame {frame} of “{shot.label}” is not the picture that was listed") from None
    return path


def _is_plain(path: Path) -> bool:
    """8-bit RGB without interlacing, as every frame of a take is, and no chunk that decoders unpack beside the pixels:
    a packed text of a megabyte can be a gigabyte."""
    data = path.read_bytes()
    position, kinds = 8, set[bytes]()
    while position + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        kinds.add(data[position + 4 : position + 8])
        position += 12 + length
    return data[24:29] == b"\x08\x02\x00\x00\x00" and kinds <= _CHUNKS


def _listed(job: FarmJob, results: Path) -> dict[str, dict[int, tuple[str, int]]]:
    """Take id → media frame → (hash, size), as the last task listed them."""
    file = results / RESULTS_FILE
    if not file.is_file():
        there, total = frames_done(job, results)
        raise FarmError(
            f"The farm is not done: {there} of {total} frames are there, and no list of them.",
            "Wait for the step “Gather”, bring its results here, then collect again.",
        )
    try:
        if file.is_symlink() or file.stat().st_size > _MOST_JSON:
            raise _refused("its list is too big or a link")
        plain = cast("dict[str, Any]", json.loads(file.read_bytes()))
        if plain["format"] != FORMAT or plain["job"] != job.digest:
            raise _refused("they were made for another job")
        found: dict[str, dict[int, tuple[str, int]]] = {}
        for entry, shot in zip(plain["shots"], job.shots, strict=True):
            if entry["take"] != shot.take_id or entry["digest"] != shot.digest:
                raise _refused("they were made for another job")
            frames: dict[int, tuple[str, int]] = {}
            for frame, sha256, size in entry["frames"]:
                if not isinstance(frame, int) or not isinstance(size, int) or not _SHA256.fullmatch(sha256):
                    raise ValueError("a frame is listed wrongly")
                frames[frame] = (sha256, size)
            found[shot.take_id] = frames
        return found
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _refused("their list is damaged") from error


def keep(
    shots: Sequence[ShotFrames],
    store: TakeStore,
    cancel: CancelToken | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> None:
    """Copy checked frames into the takes of a project; frames that are there stay as they are.

    Raises FarmError for a file that has changed since it was checked, GenerationError for a take with other settings.
    """
    cancel = cancel or CancelToken()
    total, done = sum(len(found.files) for found in shots), 0
    for found in shots:
        shot = found.shot
        store.begin(shot.take_id, shot.digest, recipe_text(shot))
        there = store.verified(shot.take_id, shot.request.width, shot.request.height)
        for frame, path, sha256 in found.files:
            cancel.check()
            done += 1
            if frame not in there:
                data = path.read_bytes()
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise _refused(f"frame {frame} of “{shot.label}” changes while it is read")
                write_atomic(store.frame_path(shot.take_id, frame), data)
            if tell is not None:
                tell(done, total)


def recipe_text(shot: FarmShot) -> str:
    """The recipe of a shot's take: no path or name of any machine is in it."""
    return request_recipe(shot.request)


def _refused(why: str) -> FarmError:
    return FarmError(f"The farm's results are refused: {why}.", "Render the job again, or bring its results anew.")
