"""Putting what requests need into a bundle: every file once, under its hash, with no path or name of this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from gen2studio.core.cancel import CancelToken
from gen2studio.core.errors import FarmError
from gen2studio.core.mask_raster import TILE, MaskRaster
from gen2studio.core.paths import write_atomic
from gen2studio.engine.farm.bundle import Attachment
from gen2studio.engine.requests import AdapterRef, BlobRef, DepthPassRef, GenerateRequest, SourceRef
from gen2studio.raster.tiles import TileStore, deflated, solid_digest

_NUMBERED = re.compile(r"^(.*?)(\d+)$")
_BLOCK = 4 << 20


class Packer:
    """Fills ``attachments/`` of one job folder. Blocks on the disk; any thread.

    Big files are hard links where the disk can, so that a bundle costs no room: their hash is in the job, and a file
    that is changed afterwards is refused by every worker.
    """

    def __init__(
        self,
        folder: Path,
        tiles: TileStore | None = None,
        cancel: CancelToken | None = None,
        tell: Callable[[int], None] | None = None,
    ) -> None:
        """``tiles`` hold the mattes; ``tell`` hears how many bytes were read so far."""
        self._folder = folder
        self._tiles = tiles
        self._cancel = cancel or CancelToken()
        self._tell = tell or (lambda _bytes: None)
        self._read = 0
        self._known: dict[tuple[str, bool], str] = {}
        self._held: dict[str, Attachment] = {}

    @property
    def attachments(self) -> tuple[Attachment, ...]:
        """What was packed, by path."""
        return tuple(self._held[path] for path in sorted(self._held))

    def packed(self, request: GenerateRequest) -> GenerateRequest:
        """``request`` with paths below the job folder. Its digest stays. Raises FarmError, OSError, Cancelled."""
        return cast("GenerateRequest", self._value(request))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _value(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(self._value(item) for item in cast("tuple[Any, ...]", value))
        if isinstance(value, MaskRaster):
            for _, _, digest in value.tiles:
                self._tile(digest)
            return value
        if not dataclasses.is_dataclass(value) or isinstance(value, type):
            return value
        if isinstance(value, GenerateRequest) and value.from_nothing and value.source.path:
            # A slate: whoever renders the shot writes it, as it may not be written here yet.
            value = replace(value, source=replace(value.source, path=""))
        changes: dict[str, Any] = {}
        for f in dataclasses.fields(value):
            held = getattr(value, f.name)
            if f.name == "path":
                changes["path"] = self._path(value)
            elif isinstance(held, tuple) or dataclasses.is_dataclass(held):
                changes[f.name] = self._value(held)
        return replace(value, **changes) if changes else value

    def _path(self, ref: Any) -> str:
        if isinstance(ref, SourceRef) and not ref.path:
            return ""
        numbered = isinstance(ref, DepthPassRef) or (isinstance(ref, SourceRef) and ref.frame_count > 1)
        known = self._known.get((ref.path, numbered))
        if known is not None:
            return known
        path = Path(ref.path)
        if not ref.path or not path.exists():
            what = {"BlobRef": "An image", "AdapterRef": "An adapter", "DepthPassRef": "A depth pass"}
            raise FarmError(
                f"{what.get(type(ref).__name__, 'Footage')} of this job is not where it was: {path.name or 'nothing'}.",
                "Relink it, or take it out of the look, then submit again.",
            )
        files = _numbered_beside(path) if numbered else ()
        if path.is_dir() or len(files) > 1:
            found = self._sequence(path, files or tuple(sorted(f for f in path.iterdir() if _shown(f))))
        else:
            found = self._file(path, ref.digest if isinstance(ref, BlobRef | AdapterRef) else "")
        self._known[ref.path, numbered] = found
        return found

    def _file(self, path: Path, expected: str) -> str:
        sha256 = self._hash(path)
        if expected and sha256 != expected:
            raise FarmError(f"“{path.name}” is no longer the file it was.", "Add it again, then submit again.")
        name = f"attachments/{sha256}{_suffix(path)}"
        self._store(path, name, sha256)
        return name

    def _sequence(self, asked: Path, files: tuple[Path, ...]) -> str:
        """Numbered files in a folder of their own, under neutral names that keep their numbers."""
        hashes = [self._hash(file) for file in files]
        listed = hashlib.sha256("\n".join(f"{f.name} {h}" for f, h in zip(files, hashes, strict=True)).encode())
        folder = f"attachments/{listed.hexdigest()[:32]}"
        first = ""
        names: dict[str, Path] = {}
        for position, (file, sha256) in enumerate(zip(files, hashes, strict=True)):
            match = _NUMBERED.match(file.stem)
            name = f"{folder}/frame_{int(match[2]) if match else position:06d}{_suffix(file)}"
            other = names.setdefault(name, file)
            if other != file:
                raise FarmError(
                    f"“{other.name}” and “{file.name}” have the same number, and only one can be that frame.",
                    "Put the frames into a folder of their own, then submit again.",
                )
            self._store(file, name, sha256)
            if not first or file == asked:
                first = name
        if not first:
            raise FarmError(f"“{asked.name}” holds no frames.", "Relink it, then submit again.")
        return folder if asked.is_dir() else first

    def _tile(self, digest: str) -> None:
        name = f"attachments/tiles/{digest}"
        if name in self._held:
            return
        self._cancel.check()
        try:
            if digest == solid_digest():
                data = deflated(b"\xff" * (TILE * TILE))
            elif self._tiles is not None:
                data = self._tiles.packed(digest)
            else:
                raise KeyError(digest)
        except KeyError:
            raise FarmError("A part of the mask is missing from the project.", "Paint the mask again.") from None
        write_atomic(self._folder / name, data)
        self._held[name] = Attachment(path=name, sha256=hashlib.sha256(data).hexdigest(), size=len(data))

    def _hash(self, path: Path) -> str:
        digest = hashlib.sha256()
        with open(path, "rb") as stream:
            while block := stream.read(_BLOCK):
                self._cancel.check()
                digest.update(block)
                self._read += len(block)
                self._tell(self._read)
        return digest.hexdigest()

    def _store(self, path: Path, name: str, sha256: str) -> None:
        target = self._folder / name
        if name not in self._held:
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path.resolve(), target)
            except OSError:
                shutil.copyfile(path, target)
        self._held[name] = Attachment(path=name, sha256=sha256, size=target.stat().st_size)


def size_of(requests: tuple[GenerateRequest, ...]) -> int:
    """Bytes that packing these requests reads, for telling how far it is."""
    sizes: dict[str, int] = {}

    def add(value: Any) -> None:
        if isinstance(value, tuple):
            for item in cast("tuple[Any, ...]", value):
                add(item)
        elif dataclasses.is_dataclass(value) and not isinstance(value, type):
            path = getattr(value, "path", "")
            if path and path not in sizes:
                there = Path(path)
                files = _numbered_beside(there) if isinstance(value, SourceRef | DepthPassRef) else (there,)
                sizes[path] = sum(f.stat().st_size for f in files or (there,) if f.is_file())
            for f in dataclasses.fields(value):
                add(getattr(value, f.name))

    add(requests)
    return sum(sizes.values())


def _shown(file: Path) -> bool:
    return file.is_file() and _NUMBERED.match(file.stem) is not None and not file.name.startswith(".")


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ""


def _numbered_beside(path: Path) -> tuple[Path, ...]:
    """The files that ``path``, a numbered picture, stands for: those of its name, in order of their numbers."""
    from gen2studio.media.stills import is_still

    named = _NUMBERED.match(path.stem)
    if not path.is_file() or named is None or not is_still(path):
        return ()
    found: list[tuple[int, Path]] = []
    for file in path.parent.iterdir():
        other = _NUMBERED.match(file.stem)
        if other is not None and other[1] == named[1] and file.suffix == path.suffix and file.is_file():
            found.append((int(other[2]), file))
    return tuple(file for _, file in sorted(found))
