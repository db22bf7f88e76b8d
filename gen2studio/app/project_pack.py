"""A project as one ``.g2s`` zip file: written beside and renamed, unpacked with guards against hostile files."""

from __future__ import annotations

import errno
import lzma
import os
import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from gen2studio.core.errors import ProjectError
from gen2studio.core.paths import inside, part_file

_WANTED = re.compile(
    r"project\.json|tiles/[0-9a-f]{2}/[0-9a-f]{32}|blobs/[0-9a-f]{64}\.[a-z0-9]{1,5}"
    r"|takes/[a-z]{1,8}-[0-9a-f]{12,32}/[A-Za-z0-9_\-]{1,80}\.(png|json)|media/[^/\\:\0]{1,200}"
)
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, ArithmeticError, RuntimeError,
    MemoryError,
)  # fmt: skip
"""What the standard library raises for damaged archives."""
_DAMAGE = frozenset({errno.EINVAL, errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.EILSEQ})
"""What the system says to offsets and names that no archive of ours has."""
_MOST_FILES = 4_000_000
_WORST_RATIO = 250
"""Deflate can't do better than 1,032:1; what we write stays far below, a bomb does not."""
_SMALL = 1 << 20


def is_pack(path: Path) -> bool:
    return path.is_file() and zipfile.is_zipfile(path)


def pack(folder: Path, names: Iterable[str], target: Path) -> None:
    """Write ``names`` (relative POSIX paths below ``folder``) into a zip at ``target``, atomically."""
    with part_file(target) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            for name in names:
                # Pictures and tiles are packed already.
                method = zipfile.ZIP_DEFLATED if name.endswith(".json") else zipfile.ZIP_STORED
                archive.write(inside(folder, name), name, compress_type=method)
        with open(part, "rb") as handle:
            os.fsync(handle.fileno())


def unpack(source: Path, folder: Path) -> None:
    """Unpack a project into ``folder``. Raises ProjectError for anything that is no project or not safe.

    Refused: names that leave the folder, links, encrypted entries, bombs (ratio, count, more than the disk holds).
    Files that are no part of a project are left out.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            entries = archive.infolist()
            _check(entries, folder)
            for entry in entries:
                if entry.is_dir() or not _WANTED.fullmatch(entry.filename):
                    continue
                target = inside(folder, entry.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as stream, open(target, "wb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
    except OSError as error:
        if error.errno not in _DAMAGE:
            raise
        raise ProjectError("This project file is damaged.", "Open an earlier copy of it.") from error
    except _BROKEN as error:
        raise ProjectError("This project file is damaged.", "Open an earlier copy of it.") from error


def _check(entries: list[zipfile.ZipInfo], folder: Path) -> None:
    seen: set[str] = set()
    total = 0
    if len(entries) > _MOST_FILES:
        raise ProjectError("This project file holds too many files.", "Don't open it unless you know who made it.")
    for entry in entries:
        name = entry.filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts or "\0" in name:
            raise ProjectError("This project file tries to write outside its folder.", "Don't open it.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ProjectError("This project file contains links.", "Don't open it unless you know who made it.")
        if entry.flag_bits & 1:
            raise ProjectError("This project file is encrypted.", "Unpack it with its password first.")
        if name in seen:
            raise ProjectError("This project file is damaged: it holds a file twice.", "Open an earlier copy of it.")
        seen.add(name)
        if _WANTED.fullmatch(name):
            total += entry.file_size
            if entry.file_size > _SMALL and entry.file_size > _WORST_RATIO * max(1, entry.compress_size):
                raise ProjectError("This project file unpacks to far more than it holds.", "Don't open it.")
    if "project.json" not in seen:
        raise ProjectError("This is not a Gen2 Studio project.", "Choose a .g2s project.")
    if total > shutil.disk_usage(folder).free - (64 << 20):
        raise ProjectError("The disk is too full to open this project.", "Free some space, then try again.")
