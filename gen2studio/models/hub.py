"""What a repository of the hub holds at one commit: its files with sizes and hashes, checked before they are believed.

The hub's protocol: ``/api/models/{repo}/revision/{revision}`` tells the commit, ``/api/models/{repo}/tree/{commit}``
the files in pages (https://huggingface.co/docs/hub/api). A revision is turned into its commit first, so that everything
that follows belongs together however long it takes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast
from urllib.parse import quote

from gen2studio.core.cancel import CancelToken
from gen2studio.core.records import dataclass
from gen2studio.models.download_values import DownloadError
from gen2studio.models.file_names import checked_path, shown
from gen2studio.models.hub_connection import HubConnection, joined, refused_answer

_PAGE_LIMIT = 32 << 20
_MOST_PAGES = 100
_MOST_FILES = 20_000
_LARGEST = 1 << 40
"""Bytes of one file: a terabyte is no model."""
_TEXT_LIMIT = 1 << 20
_COMMIT = re.compile(r"[0-9a-f]{40}")

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """One file of a repository."""

    path: str
    size: int
    sha256: str = ""
    """Of large files."""
    git_oid: str = ""
    """Git's blob id, of small files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A repository at one commit."""

    repo: str
    commit: str
    gated: bool
    files: Mapping[str, HubFile]
    """By path."""


def list_repository(
    connection: HubConnection, repo: str, revision: str, token: CancelToken, note: Note | None = None
) -> Listing:
    """The files of ``repo`` at ``revision`` (a commit, tag or branch).

    Raises DownloadError: offline, 401, 403, 404, 429 past what is worth waiting for, or a listing that can't be right:
    paths that lead elsewhere, two names for one file, sizes that are none.
    """
    base = f"{connection.settings.endpoint}/api/models/{checked_repository(repo)}"
    told = _table(
        connection.text(f"{base}/revision/{quote(revision or 'main', safe='')}", token, _PAGE_LIMIT, note), repo
    )
    commit = str(told.get("sha", ""))
    if not _COMMIT.fullmatch(commit):
        raise refused_answer(base, f"names no commit of {repo}")
    address = f"{base}/tree/{commit}?recursive=true"
    files: dict[str, HubFile] = {}
    names: set[str] = set()
    for _ in range(_MOST_PAGES):
        body, headers = connection.answer(address, token, _PAGE_LIMIT, note)
        for row in _rows(body, repo):
            file = _file(row, repo)
            if file is None:
                continue
            # One name on Windows and macOS.
            if file.path.casefold() in names:
                raise refused_answer(base, f"lists “{file.path}” twice")
            names.add(file.path.casefold())
            files[file.path] = file
            if len(files) > _MOST_FILES:
                raise refused_answer(base, f"lists more than {_MOST_FILES:,} files for {repo}")
        following = _next_page(headers)
        if not following:
            return Listing(repo=repo, commit=commit, gated=bool(told.get("gated")), files=files)
        address = joined(address, following)
    raise refused_answer(base, f"lists the files of {repo} without end")


def check_access(connection: HubConnection, repo: str, token: CancelToken, note: Note | None = None) -> None:
    """Raise DownloadError when ``repo`` is gated and this token may not read it: its listing is open to everybody.

    A mirror that does not know the question is not asked again; its files answer.
    """
    try:
        connection.text(
            f"{connection.settings.endpoint}/api/models/{checked_repository(repo)}/auth-check", token, _TEXT_LIMIT, note
        )
    except DownloadError as refusal:
        if refusal.kind != "missing":
            raise


def file_address(connection: HubConnection, repo: str, commit: str, path: str) -> str:
    """Where a file is asked for."""
    return f"{connection.settings.endpoint}/{checked_repository(repo)}/resolve/{quote(commit, safe='')}/{quote(path)}"


def read_text(connection: HubConnection, repo: str, commit: str, path: str, token: CancelToken) -> str:
    """A short text of a repository, such as its licence. Raises DownloadError."""
    body = connection.text(file_address(connection, repo, commit, checked_path(path)), token, _TEXT_LIMIT)
    return body.decode("utf-8", errors="replace").replace("\r\n", "\n").strip()


def checked_repository(repo: str) -> str:
    """``repo`` when it is ``owner/name``. Raises DownloadError."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.\-]{0,95}/[A-Za-z0-9][\w.\-]{0,95}", repo) or ".." in repo or "--" in repo:
        raise DownloadError(f"“{repo[:80]}” is no repository of the hub.", "Write it as owner/name.", "refused")
    return repo


def _file(row: Any, repo: str) -> HubFile | None:
    table = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
    kind, path, size = table.get("type"), table.get("path"), table.get("size", 0)
    if kind == "directory" and isinstance(path, str):
        checked_path(path)
        return None
    lfs = table.get("lfs")
    large = cast("dict[str, Any]", lfs) if isinstance(lfs, dict) else {}
    digest, oid = str(large.get("oid", "")), str(table.get("oid", ""))
    size = large.get("size", size)
    if kind != "file" or not isinstance(path, str) or type(size) is not int or not 0 <= size <= _LARGEST:
        raise refused_answer(repo, "is listed with something that is no file")
    if (large and not re.fullmatch(r"[0-9a-f]{64}", digest)) or (not large and not _COMMIT.fullmatch(oid)):
        raise refused_answer(repo, f"lists “{shown(path)}” without a hash")
    return HubFile(path=checked_path(path), size=size, sha256=digest, git_oid="" if large else oid)


def _rows(body: bytes, repo: str) -> list[Any]:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        raise refused_answer(repo, "is answered with something that is no list of files")
    return cast("list[Any]", found)


def _table(body: bytes, repo: str) -> dict[str, Any]:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise refused_answer(repo, "is answered with something that is no description of a model")
    return cast("dict[str, Any]", found)


def _next_page(headers: Mapping[str, str]) -> str:
    """The address of ``Link: <…>; rel="next"`` (RFC 8288)."""
    found = re.search(r"<([^<>]+)>\s*;[^,]*\brel=\"?next\"?", headers.get("link", ""))
    return found[1] if found else ""
