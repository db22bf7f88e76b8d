"""Takes on disk: one folder a take, one PNG a frame, written whole or not at all.

``root/<take_id>/frame_%06d.png`` numbered by media frame, ``recipe.json`` beside them. Which frames are finished is
read from the folder itself, so there is no index that could disagree with it after a crash.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2studio.core.errors import GenerationError, MediaError
from gen2studio.core.ids import is_id
from gen2studio.core.paths import inside, write_atomic
from gen2studio.engine.events import Picture
from gen2studio.media import metadata, provenance

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FRAME = re.compile(r"^frame_(\d{6,})\.png$")
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
RECIPE = "recipe.json"
SCRATCH = "scratch"


def frame_name(frame: int) -> str:
    """``frame_000042.png``."""
    return f"frame_{frame:06d}.png"


def runs_of(frames: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Sorted half-open runs [start, stop) that cover exactly ``frames``."""
    runs: list[tuple[int, int]] = []
    for frame in sorted(set(frames)):
        if runs and runs[-1][1] == frame:
            runs[-1] = (runs[-1][0], frame + 1)
        else:
            runs.append((frame, frame + 1))
    return tuple(runs)


class TakeStore:
    """The takes of one project. ``root`` is the folder that holds the take folders. Safe from any thread."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._said: dict[str, bytes] = {}
        """Take id → what its frames say about themselves, as packed PNG chunks."""

    def path(self, take_id: str) -> Path:
        """The folder of a take (it may not exist yet). Raises ValueError for anything that is not an id."""
        if not is_id(take_id):
            raise ValueError(f"“{take_id}” is not a take id")
        return inside(self.root, take_id)

    def frame_path(self, take_id: str, frame: int) -> Path:
        return self.path(take_id) / frame_name(frame)

    def scratch(self, take_id: str) -> Path:
        """Intermediate results of an unfinished take; made when asked for, gone after :meth:`finish`."""
        folder = self.path(take_id) / SCRATCH
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # -- writing -------------------------------------------------------------------------------------------------

    def begin(self, take_id: str, digest: str, recipe: str, source: Path | None = None) -> None:
        """Make the take's folder and recipe, or reopen it; frames written from now on carry the recipe.

        ``source`` is the footage it is made of: what that declares about itself is carried on. Raises GenerationError
        when the take holds another recipe.
        """
        declared = provenance.declared_type(source) if source is not None else ""
        self._said[take_id] = metadata.text_chunks(metadata.take_text(digest, recipe, declared))
        known = self.recipe(take_id)
        if known is not None and known.get("digest") != digest:
            raise GenerationError("This take already holds frames made with other settings.", "Render a new take.")
        if known is None:
            text = json.dumps({"digest": digest, "request": json.loads(recipe)}, indent=1, sort_keys=True)
            write_atomic(self.path(take_id) / RECIPE, text.encode())
        for name in self._names(take_id):
            if self._left_over(name):
                (self.path(take_id) / name).unlink(missing_ok=True)

    def _left_over(self, name: str) -> bool:
        """Whether a file can only be what a killed run left half written."""
        return name.endswith(".part")

    def write(self, take_id: str, frame: int, picture: Picture) -> None:
        """Store one (H, W, 3) uint8 RGB frame. Readers see the old file, or the new one, never half."""
        target = self.frame_path(take_id, frame)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(metadata.with_chunks(encode_png(picture), self._said.get(take_id, b"")))
        os.replace(part, target)

    def borrow(self, take_id: str, lender: str, frames: Iterable[int], size: tuple[int, int]) -> None:
        """Give a take the frames of another one that it lacks, as links where the disk can (frames are never written in
        place), else as copies. Frames that are gone, damaged or of another (width, height) are left out."""
        self.path(take_id).mkdir(parents=True, exist_ok=True)
        there = self.frames(take_id)
        for frame in frames:
            source, target = self.frame_path(lender, frame), self.frame_path(take_id, frame)
            if frame in there or png_size(source) != size:
                continue
            part = target.with_name(f".{target.name}.part")
            part.unlink(missing_ok=True)
            try:
                os.link(source, part)
            except OSError:
                shutil.copyfile(source, part)
            os.replace(part, target)

    def finish(self, take_id: str) -> None:
        """Forget the intermediate results of a finished take."""
        shutil.rmtree(self.path(take_id) / SCRATCH, ignore_errors=True)

    def delete(self, take_id: str) -> None:
        """Remove the take and everything in it."""
        shutil.rmtree(self.path(take_id), ignore_errors=True)

    # -- reading -------------------------------------------------------------------------------------------------

    def recipe(self, take_id: str) -> dict[str, Any] | None:
        """``{"digest", "request"}`` or None when there is no readable recipe."""
        try:
            found = json.loads((self.path(take_id) / RECIPE).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def frames(self, take_id: str) -> tuple[int, ...]:
        """Media frames that have a file, by name only (cheap)."""
        matches = (_FRAME.match(name) for name in self._names(take_id))
        return tuple(sorted(int(match[1]) for match in matches if match))

    def done(self, take_id: str) -> tuple[tuple[int, int], ...]:
        """Half-open runs of the frames that exist."""
        return runs_of(self.frames(take_id))

    def verified(self, take_id: str, width: int, height: int) -> frozenset[int]:
        """Frames whose file is a whole PNG of that size (every chunk's CRC is checked); damaged ones are deleted."""
        good: set[int] = set()
        for frame in self.frames(take_id):
            path = self.frame_path(take_id, frame)
            if png_size(path) == (width, height):
                good.add(frame)
            else:
                path.unlink(missing_ok=True)
        return frozenset(good)

    def read(self, take_id: str, frame: int) -> Picture:
        """A stored frame, (H, W, 3) uint8 RGB. Raises MediaError when it is missing or damaged."""
        return read_png(self.frame_path(take_id, frame))

    def size(self, take_id: str) -> int:
        """Bytes on disk."""
        folder = self.path(take_id)
        return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) if folder.is_dir() else 0

    def takes(self) -> tuple[str, ...]:
        """Ids of every take folder."""
        if not self.root.is_dir():
            return ()
        return tuple(sorted(p.name for p in self.root.iterdir() if p.is_dir() and is_id(p.name)))

    def _names(self, take_id: str) -> list[str]:
        try:
            return [entry.name for entry in self.path(take_id).iterdir()]
        except FileNotFoundError:
            return []


def encode_png(picture: NDArray[np.uint8]) -> bytes:
    """PNG bytes of an (H, W, 3) RGB or (H, W) grey uint8 picture, fast compression (zlib 1, Sub filter)."""
    import cv2

    image = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    good, data = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not good:
        raise MediaError("A frame could not be encoded as PNG.", "Check its size and the free memory.")
    return data.tobytes()


def read_png(path: Path) -> Picture:
    """An (H, W, 3) uint8 RGB picture. Raises MediaError."""
    import cv2

    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise MediaError(f"{path.name} is not in the take.", "Render the missing frames again.") from None
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise MediaError(f"{path.name} is damaged.", "Render the missing frames again.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def png_size(path: Path) -> tuple[int, int] | None:
    """(width, height) when every chunk of the PNG is whole and its CRC right (PNG 1.2, section 3.2), else None."""
    try:
        data = memoryview(path.read_bytes())
    except OSError:
        return None
    if bytes(data[:8]) != _SIGNATURE:
        return None
    position, size = 8, None
    while position + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, position)
        end = position + 12 + length
        if end > len(data):
            return None
        (expected,) = struct.unpack_from(">I", data, end - 4)
        if zlib.crc32(data[position + 4 : end - 4]) != expected:
            return None
        kind = bytes(data[position + 4 : position + 8])
        if kind == b"IHDR":
            size = struct.unpack_from(">II", data, position + 8)
        if kind == b"IEND":
            return (size[0], size[1]) if size else None
        position = end
    return None
