"""Names of files that strangers announce: which may be written, and which kinds of files are taken at all."""

from __future__ import annotations

import re
from pathlib import Path

from gen2studio.core.paths import inside
from gen2studio.models.download_values import DownloadError

WEIGHTS = (".safetensors", ".gguf")
ARCHIVES = (".pth", ".pt")
"""Torch archives: only where the catalog itself knows the SHA-256; they are opened with ``weights_only`` alone."""
_DATA = (".json", ".txt", ".md", ".model", ".jinja", ".vocab", ".yaml", ".png", ".jpg", ".webp")
_TEXTS = re.compile(r"(LICEN[CS]E|NOTICE|COPYING|README|USE_POLICY)[\w.\- ]*", re.IGNORECASE)
_PICKLES = (".bin", ".ckpt", ".pkl", ".pickle", ".msgpack", ".h5", ".npz", ".npy", ".onnx", *ARCHIVES)
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d|conin\$|conout\$)(\..*)?", re.IGNORECASE)
"""Names that are devices on Windows, with any suffix."""
_LONGEST = 240
_DEEPEST = 8
PART = ".part"
"""Ends the name of a file that is not whole yet."""


def checked_path(path: str) -> str:
    """``path`` as it is when it is a plain relative path that means the same on every system.

    Raises DownloadError (refused): empty, absolute, with ``..``, backslashes, drive letters, streams, device names,
    control characters, names that end in a dot or a space, or too long or too deep.
    """
    names = path.split("/")
    plain = (
        0 < len(path) <= _LONGEST
        and len(names) <= _DEEPEST
        and not re.search(r'[\x00-\x1f\x7f\\:*?"<>|\u200e\u200f\u202a-\u202e\u2066-\u2069]', path)
        and all(name not in ("", ".", "..") and not name.endswith((".", " ")) for name in names)
        and not any(name.startswith((" ", "~")) or _RESERVED.fullmatch(name) for name in names)
        and not path.endswith(PART)
    )
    if not plain:
        raise DownloadError(
            f"The list of files names “{shown(path)}”, which is no plain path inside a model's folder.",
            "Don't use this model; nothing was fetched.",
            "refused",
        )
    return path


def target_in(folder: Path, path: str) -> Path:
    """Where ``path`` lies in ``folder``. Raises DownloadError when a link would lead out of it."""
    try:
        inside(folder, checked_path(path))
    except ValueError:
        raise DownloadError(
            f"“{shown(path)}” would be written outside the folder {folder}.",
            "A link lies in that folder; delete it, then try again.",
            "refused",
        ) from None
    return folder.joinpath(*path.split("/"))


def is_taken(path: str) -> bool:
    """Whether files of this kind are fetched: weights without code, and their data. Never programs or pickles."""
    name = path.rpartition("/")[2]
    return name.lower().endswith((*WEIGHTS, *_DATA)) or (
        bool(_TEXTS.fullmatch(name)) and not name.lower().endswith((*_PICKLES, ".py", ".sh", ".exe"))
    )


def is_pickle(path: str) -> bool:
    """Whether a file of this name can run programs when it is opened carelessly."""
    return path.lower().endswith(_PICKLES)


def shown(path: str) -> str:
    """``path`` as it can be put into a sentence: short, and without characters that do something to a terminal."""
    return re.sub(r"[^\x20-\x7e\u00a1-\u024f]", "?", path)[:80]
