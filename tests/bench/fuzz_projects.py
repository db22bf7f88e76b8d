"""Damaged and hostile projects: ``python -m tests.bench.fuzz_projects --files 10000 --seed 1``.

Real projects (a folder, a zip file, a journal) are saved with everything a project can hold, then broken: JSON values
and structure, bytes, zip entries, paths that lead out, huge numbers, deep nesting. Each is opened as the program opens
it, and what opens is looked at, edited, saved and closed. It has to open or be refused in one sentence
(``StudioError``); any other exception is a crash, more than :data:`SECONDS` a hang, and anything written, made, renamed
or removed outside the project and the program's own folder (told by an audit hook on every system call of Python's) an
escape.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, NoReturn

from gen2studio.app.project_files import Project
from gen2studio.app.recovery import candidate_for, recover
from gen2studio.core.errors import StudioError
from gen2studio.document import edits, lookup, sequences
from gen2studio.document.model import Document

SECONDS = 20
"""A file that takes longer hangs the program."""
SAMPLE = Path(__file__).parents[1] / "document" / "project_version_4.json"
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 1 << 31, 1 << 40, 1 << 80, -(1 << 63), 10**400, 0.5, -0.0, 1e308, 5e-324, "", "x",
    "0/1", "1/0", "-1/1", f"{'9' * 24}/1", f"1/{'9' * 24}", f"{'9' * 40}/7", [], {}, [[]], [None], {"id": 1},
    "../../../../etc/passwd", "/etc/passwd", "/dev/zero", "/proc/self/mem", "..", "a/../../b", "C:\\windows",
    "\\\\host\\x", "a\0b", "\ud800", "ü" * 500, "x" * 70_000, "clip-0000000000f1", "seq-000000000001",
    "media-0000000000d1", "take-../../../x", "NaN", "media/../../../x", "file:///etc/passwd", "http://localhost/x",
    "${HOME}", "%s%n",
)  # fmt: skip
NAMES: tuple[str, ...] = (
    "../escape.txt", "/tmp/escape.txt", "a/../../escape", "..\\escape", "C:/escape", "project.json/x", "tiles/../../x",
    "media/..", "media/.", "media/con", "media/a\x01b", "media/" + "ü" * 199, "blobs/" + "0" * 64 + ".png/x",
    "takes/take-000000000001/../../x.png", "./project.json", "media//x", "project.json",
)  # fmt: skip


class Hung(BaseException):
    """A project took too long. No ``Exception``: nothing in the program may swallow it."""


# -- what is watched ---------------------------------------------------------------------------------------------------

_allowed: tuple[str, ...] = ()
_escapes: list[str] = []
_watching = False
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir", "os.remove", "os.rmdir", "os.rename", "os.link", "os.symlink", "os.truncate", "os.chmod"}


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    paths: tuple[Any, ...] = ()
    if event == "open":
        path, mode, flags = arguments
        if (isinstance(mode, str) and any(letter in mode for letter in "wax+")) or (
            isinstance(flags, int) and flags & _WRITES
        ):
            paths = (path,)
    elif event in _CHANGES:
        paths = arguments[:2] if event in ("os.rename", "os.link", "os.symlink") else arguments[:1]
        handle = arguments[-1]
        if isinstance(handle, int) and handle >= 0 and event in ("os.remove", "os.rmdir"):
            # Relative to an open folder, as shutil.rmtree goes down a tree.
            paths = (Path(f"/proc/self/fd/{handle}").readlink() / os.fsdecode(arguments[0]),)
    elif event in ("subprocess.Popen", "os.system", "socket.connect"):
        _escapes.append(f"{event} {arguments[0]!r}")
    for path in paths:
        if not isinstance(path, (str, bytes, os.PathLike)):
            continue
        real = os.path.realpath(os.fsdecode(path))
        if not real.startswith(_allowed) and not real.startswith("/dev/null"):
            _escapes.append(f"{event} {real}")


_hooked = False


@contextlib.contextmanager
def watched(*folders: Path) -> Generator[list[str]]:
    """What is written outside ``folders`` meanwhile."""
    global _allowed, _hooked, _watching
    if not _hooked:
        # A hook can't be taken off again; it sleeps while nothing is watched.
        sys.addaudithook(_audit)
        _hooked = True
    _allowed = tuple(os.path.realpath(folder) for folder in folders)
    _escapes.clear()
    _watching = True
    try:
        yield _escapes
    finally:
        _watching = False


def _on_alarm(_number: int, _frame: object) -> NoReturn:
    raise Hung


# -- what is broken ----------------------------------------------------------------------------------------------------


def _places(data: Any) -> list[tuple[Any, Any]]:
    """(container, key) of every value."""
    found: list[tuple[Any, Any]] = []
    pending = [data]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        for key in keys:
            found.append((node, key))
            pending.append(node[key])
    return found


def change_values(data: Any, chance: random.Random) -> Any:
    """Some values become others, go, or come twice."""
    data = copy.deepcopy(data)
    for _ in range(chance.randint(1, 3)):
        places = _places(data)
        node, key = chance.choice(places)
        way = chance.randrange(8)
        if isinstance(node[key], (int, float)) and not isinstance(node[key], bool) and chance.random() < 0.7:
            node[key] = node[key] * chance.choice([1, 1, -1, 2, 1 << 30]) + chance.choice([-3, -1, 0, 1, 4])
        elif isinstance(node[key], str) and chance.random() < 0.3:
            node[key] = chance.choice(["x", "1/3", "red", node[key] * 2, "linear", "clip-0000000000f9"])
        elif way < 4:
            node[key] = copy.deepcopy(chance.choice(VALUES))
        elif way == 4:
            del node[key]
        elif way == 5:
            other, other_key = chance.choice(places)
            if other_key in other if isinstance(other, dict) else other_key < len(other):
                node[key] = copy.deepcopy(other[other_key])
        elif way == 6 and isinstance(node, list):
            node.extend(copy.deepcopy(node[key]) for _ in range(chance.choice([1, 2, 300])))
        else:
            node[key] = copy.deepcopy(chance.choice(VALUES))
    return data


def deep(data: Any, chance: random.Random) -> bytes:
    """A value nested far deeper than any reader can follow."""
    levels = chance.choice([50, 900, 5_000, 100_000])
    way = chance.randrange(3)
    inner = b"[" * levels + b"]" * levels if way else b'{"a":' * levels + b"1" + b"}" * levels
    text = json.dumps(data).encode()
    if way == 2:
        return inner
    at = text.find(b":", chance.randrange(len(text) - 1)) + 1
    return text[:at] + inner + b"," + b'"x":' + text[at:]


def change_bytes(text: bytes, chance: random.Random) -> bytes:
    """Bytes change, come, go; the text ends early."""
    broken = bytearray(text)
    for _ in range(chance.randint(1, 8)):
        at = chance.randrange(len(broken) or 1)
        way = chance.randrange(5)
        if way == 0:
            broken[at : at + 1] = bytes([chance.randrange(256)])
        elif way == 1:
            del broken[at : at + chance.choice([1, 2, 50])]
        elif way == 2:
            broken[at:at] = bytes(chance.choices(b'0123456789"{}[],:-.eaN\\/', k=chance.randint(1, 4)))
        elif way == 3:
            broken[at:at] = broken[at : at + chance.randint(1, 400)]
        elif chance.random() < 0.3:
            del broken[at:]
    return bytes(broken)


def change_zip(source: Path, target: Path, chance: random.Random) -> None:
    """Entries with hostile names, links, doubles, bombs; or damaged bytes of the archive itself."""
    if chance.random() < 0.4:
        target.write_bytes(change_bytes(source.read_bytes(), chance))
        return
    warnings.simplefilter("ignore", UserWarning)  # names that come twice are meant
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            data = old.read(entry)
            way = chance.randrange(12)
            if way == 0:
                entry.filename = chance.choice(NAMES)
            elif way == 1:
                entry.external_attr = 0o120777 << 16
                data = b"/tmp"
            elif way == 2:
                continue
            elif way == 3:
                data = change_bytes(data, chance) if data else b"x"
            elif way == 4 and entry.filename == "project.json":
                data = json.dumps(change_values(json.loads(data), chance)).encode()
            elif way == 5:
                data, entry.compress_type = b"\0" * (4 << 20), zipfile.ZIP_DEFLATED
            new.writestr(entry, data)
        if chance.random() < 0.5:
            with contextlib.suppress(UnicodeEncodeError):
                new.writestr(chance.choice(NAMES), b"escaped")
    if chance.random() < 0.3:
        # Sizes, flags and methods of the directory itself.
        raw = bytearray(target.read_bytes())
        for _ in range(4):
            raw[chance.randrange(max(0, len(raw) - 400), len(raw))] = chance.randrange(256)
        target.write_bytes(bytes(raw))


# -- what is tried -----------------------------------------------------------------------------------------------------


def saved_projects(folder: Path, film: Path) -> tuple[Path, Path, Any]:
    """(folder project, zip project, JSON) with everything a project can hold, saved by the program."""
    data = json.loads(SAMPLE.read_text())
    place = folder / "seed.g2s"
    place.mkdir(parents=True)
    data["media"][0]["path"] = film.as_posix()
    (place / "project.json").write_text(json.dumps(data))
    project, document = Project.open(place)
    project.add_blob(b"\x89PNG\r\n\x1a\n" + bytes(64))
    (project.media_dir).mkdir(exist_ok=True)
    (project.media_dir / "shot-1.mp4").write_bytes(bytes(2000))
    project.save(document)
    packed = folder / "packed.g2s"
    project.save_as(document, packed, packed=True)
    project.close()
    return place, packed, json.loads((place / "project.json").read_text())


def look_at(document: Document) -> None:
    """What the program does with any document it opened."""
    for sequence in document.sequences.values():
        lookup.problems(sequence, document.media)
        for track in sequence.tracks:
            for clip in track.clips[:20]:
                for frame in (clip.start, clip.end - 1):
                    clip.source_time(frame, sequence.rate)
                    for curve in (clip.volume, clip.opacity, clip.transform.scale):
                        curve.at(frame - clip.start)
        changes: tuple[Callable[[], object], ...] = (
            lambda s=sequence: edits.razor(s, 20),
            lambda s=sequence: edits.insert_gap(s, 10, 5),
            lambda s=sequence: edits.ripple_delete(s, [next(c.id for _, c in lookup.each_clip(s))]),
            lambda s=sequence: sequences.with_sequence(document, edits.add_marker(s, 3)),
        )
        for change in changes:
            with contextlib.suppress(StudioError, StopIteration):
                change()


def open_and_use(path: Path) -> str:
    """Open a project as the program does, look at it, save and close it; what came of it."""
    try:
        project, document = Project.open(path)
    except StudioError as refused:
        assert refused.sentence.endswith("."), refused.sentence
        return "refused"
    try:
        candidate = candidate_for(project)
        if candidate is not None:
            try:
                _, document = recover(candidate, project)
            except StudioError:
                return "journal refused"
        look_at(document)
        project.offline(document)
        project.save(document)
        again, _ = _reopened(project, path)
        return "opened" if again else "opened, refused when opened again"
    except StudioError:
        return "opened, not saved"
    finally:
        project.close()


def _reopened(project: Project, path: Path) -> tuple[bool, Document | None]:
    project.close()
    try:
        again, document = Project.open(path)
    except StudioError:
        return False, None
    again.close()
    return True, document


class Fuzz:
    """One run in a folder of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.seed = seed
        self.home = folder / "home"
        os.environ["GEN2STUDIO_HOME"] = str(self.home)
        film = folder / "dog.mp4"
        film.write_bytes(bytes(4096))
        self.outside = folder / "outside"
        self.outside.mkdir()
        self.place, self.packed, self.data = saved_projects(folder / "seeds", film)
        self.came: Counter[str] = Counter()
        self.bad: list[str] = []
        self.slowest = 0.0

    def one(self, number: int) -> None:
        """Break a project and open it."""
        chance = random.Random(f"{self.seed} {number}")
        box = self.folder / "box"
        shutil.rmtree(box, ignore_errors=True)
        box.mkdir()
        path = box / "film.g2s"
        kind = chance.choices(("values", "bytes", "deep", "zip", "journal"), (50, 20, 3, 20, 7))[0]
        if kind == "zip":
            change_zip(self.packed, path, chance)
        else:
            path.mkdir()
            (path / "project.json").write_bytes(self._text(kind, chance))
            if kind == "journal":
                self._journal(path, chance)
        self._run(number, kind, path)

    def _text(self, kind: str, chance: random.Random) -> bytes:
        if kind == "values":
            return json.dumps(change_values(self.data, chance)).encode()
        if kind == "deep":
            return deep(self.data, chance)
        text = json.dumps(self.data).encode()
        return change_bytes(text, chance) if kind == "bytes" else text

    def _journal(self, path: Path, chance: random.Random) -> None:
        """A journal of the project with broken records, whose sums are right."""
        project, _ = Project.open(path)
        target = project.journal_path
        project.close()
        about = {"path": str(path), "folder": str(path), "packed": False, "n": 0, "version": 4, "document": self.data}
        track = {**self.data["sequences"][0]["tracks"][0]}
        records = [
            about,
            {"n": 1, "tracks": [track], "head": {"name": "x"}},
            {"n": 2, "media_gone": ["media-0000000000a1"]},
        ]
        lines: list[bytes] = []
        for record in records:
            if chance.random() < 0.7:
                record = change_values(record, chance)
            with contextlib.suppress(ValueError):
                text = json.dumps(record).encode()
                lines.append(b"%08x %s\n" % (zlib.crc32(text), text))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(b"".join(lines))

    def _run(self, number: int, kind: str, path: Path) -> None:
        began = time.perf_counter()
        signal.signal(signal.SIGALRM, _on_alarm)
        signal.alarm(SECONDS)
        try:
            with watched(path.parent, self.home) as escapes:
                came = open_and_use(path)
        except Hung:
            came = "hung"
        except Exception:
            came = "crashed"
            self.bad.append(f"{number} ({kind}):\n{traceback.format_exc(limit=-6)}")
        finally:
            signal.alarm(0)
        if escapes:
            came = "escaped"
            self.bad.append(f"{number} ({kind}) wrote outside: {', '.join(escapes[:3])}")
        if came == "hung":
            self.bad.append(f"{number} ({kind}) hung")
        self.slowest = max(self.slowest, time.perf_counter() - began)
        self.came[f"{kind}: {came}"] += 1
        for journal in (self.home / "data" / "journals").glob("*"):
            journal.unlink()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, default=-1, help="the number of one file, to look at it again")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(Path(folder), options.seed)
        began = time.process_time()
        for number in [options.only] if options.only >= 0 else range(options.files):
            fuzz.one(number)
            if number % 1000 == 999:
                print(f"{number + 1:>7} files, {len(fuzz.bad)} bad", flush=True)
        for line in fuzz.bad[:20]:
            print(line)
        for name, count in sorted(fuzz.came.items()):
            print(f"{name:40}{count:7}")
        left = list(fuzz.outside.iterdir())
        print(f"{fuzz.came.total()} files, {len(fuzz.bad)} crashed, hung or escaped; slowest {fuzz.slowest:.2f} s, "
              f"{time.process_time() - began:.0f} s CPU")  # fmt: skip
    return 1 if fuzz.bad or left else 0


if __name__ == "__main__":
    sys.exit(main())
