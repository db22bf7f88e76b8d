"""One file from the hub to the disk: resumed, hashed while it is written, cut off at what was announced, renamed last.

The bytes go into ``NAME.part`` beside the target. Whatever ends a transfer (a pause, a lost connection, a killed
program) leaves the part, and the next call reads it once for its hash and asks for the rest. Only bytes with the right
SHA-256 (for small files: git's blob id) are ever renamed to the target.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import stat
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from gen2studio.core.cancel import CancelToken
from gen2studio.models.download_values import DownloadError, PlannedFile
from gen2studio.models.file_names import PART
from gen2studio.models.hub_connection import HubConnection, Lost

if TYPE_CHECKING:
    import httpx2

_BLOCK = 1 << 20
_STEADY = 1 << 20
"""Bytes that count as a step forward: tries start anew after them."""
_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_WINDOWS_FULL = (39, 112)


class FetchListener:
    """What a transfer tells while it runs; the base class hears nothing. Called on the transfer's own thread."""

    def moved(self, count: int, fetched: bool) -> None:
        """``count`` bytes more are here, fewer when negative; ``fetched`` when they came over the network now."""

    def checking(self, yes: bool) -> None:
        """Bytes that were there already are being read."""

    def noted(self, sentence: str) -> None:
        """What is being waited for; empty = nothing any more."""


class Digest:
    """The hashes of a file that can be compared: SHA-256, and git's blob id where only that is known."""

    def __init__(self, file: PlannedFile) -> None:
        self._file = file
        self.restart()

    def restart(self) -> None:
        self._sha256 = hashlib.sha256()
        # Git's name of a blob, no signature: the hub tells nothing better for small files.
        self._git = hashlib.sha1(b"blob %d\0" % self._file.size, usedforsecurity=False)

    def update(self, block: bytes) -> None:
        self._sha256.update(block)
        if not self._file.sha256:
            self._git.update(block)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    @property
    def right(self) -> bool:
        """Whether all bytes so far are the file that was announced."""
        if self._file.sha256:
            return self.sha256 == self._file.sha256
        return not self._file.git_oid or self._git.hexdigest() == self._file.git_oid


def fetch_file(
    connection: HubConnection,
    address: str,
    file: PlannedFile,
    target: Path,
    token: CancelToken,
    listener: FetchListener | None = None,
) -> str:
    """Bring ``file`` to ``target``; returns its SHA-256. Goes on where ``target.part`` ends.

    Raises DownloadError (the part stays for what another try may change, and is deleted when it was refused), and
    Cancelled when ``token`` is cancelled, also while the server sends nothing.
    """
    hear = listener or FetchListener()
    part = target.with_name(target.name + PART)
    for last in (False, True):
        fresh = _fetch_part(connection, address, file, part, token, hear)
        if fresh.right:
            break
        _throw_away(part)
        hear.moved(-file.size, False)
        if last:
            raise DownloadError(
                f"“{target.name}” is not the file that was announced: its SHA-256 is another one.",
                "It was thrown away. Check the mirror in the settings, or try again later.",
                "refused",
            )
        hear.noted(f"“{target.name}” came with wrong bytes; fetching it once more.")
    with disk_errors(target):
        os.replace(part, target)
    hear.noted("")
    return fresh.sha256


def _fetch_part(
    connection: HubConnection, address: str, file: PlannedFile, part: Path, token: CancelToken, hear: FetchListener
) -> Digest:
    """Bring the part to its whole size; the digest of what it holds then."""
    digest = Digest(file)
    with disk_errors(part), _opened_part(part) as handle:
        have = _read_again(handle, file, digest, token, hear)
        attempt, steady = 1, have
        while have < file.size or (file.size == 0 and attempt == 1):
            try:
                with connection.opened(address, token, have) as (response, first):
                    if not _continues(response, first, file, have):
                        handle.truncate(0)
                        hear.moved(-have, False)
                        have = 0
                        digest.restart()
                        if response.status_code == 416:
                            continue
                    for block in response.iter_raw():
                        if have + len(block) > file.size:
                            _throw_away(part)
                            raise _refused(part, f"is longer than the {file.size:,} bytes that were announced")
                        handle.write(block)
                        digest.update(block)
                        have += len(block)
                        hear.moved(len(block), True)
                        token.check()
                if have < file.size:
                    raise Lost("The connection was closed before the end.")
                break
            except Lost as lost:
                handle.flush()
                attempt = 1 if have - steady >= min(_STEADY, max(1, file.size // 20)) else attempt
                steady = have
                connection.wait_after(lost, attempt, token, hear.noted)
                attempt += 1
            except DownloadError as refusal:
                if refusal.kind == "refused":
                    _throw_away(part)
                raise
        handle.flush()
        os.fsync(handle.fileno())
    return digest


def _continues(response: httpx2.Response, first: Mapping[str, str], file: PlannedFile, have: int) -> bool:
    """Whether the body goes on at ``have``; False = it is the whole file. Raises DownloadError for another file."""
    name = Path(file.path)
    commit = first.get("x-repo-commit", file.commit)
    if file.commit and commit != file.commit:
        raise _refused(name, "comes from another version of the repository than was listed")
    linked = first.get("x-linked-etag", "").strip('W/"')
    if file.sha256 and re.fullmatch(r"[0-9a-f]{64}", linked) and linked != file.sha256:
        raise _refused(name, "is announced with another SHA-256 than was listed")
    if response.status_code == 416 and have:
        return False
    length = response.headers.get("content-length", "")
    if response.status_code in (206, 416):
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", response.headers.get("content-range", ""))
        if span is None or int(span[1]) != have or span[3] not in ("*", str(file.size)):
            raise _refused(name, "is sent from another place than was asked for")
        return True
    if length.isdigit() and int(length) > file.size:
        raise _refused(name, f"is longer than the {file.size:,} bytes that were announced")
    return have == 0


def _read_again(handle: IO[bytes], file: PlannedFile, digest: Digest, token: CancelToken, hear: FetchListener) -> int:
    """Hash what an earlier run left; bytes of it that count."""
    left = os.fstat(handle.fileno()).st_size
    if left > file.size:
        handle.truncate(0)
        return 0
    if not left:
        return 0
    hear.checking(True)
    handle.seek(0)
    have = 0
    while have < left and (block := handle.read(min(_BLOCK, left - have))):
        token.check()
        digest.update(block)
        have += len(block)
        hear.moved(len(block), False)
    hear.checking(False)
    return have


@contextlib.contextmanager
def _opened_part(part: Path) -> Generator[IO[bytes]]:
    """The part for reading and appending: made when it is not there, and never through a link."""
    with contextlib.suppress(FileNotFoundError):
        found = part.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            part.unlink()
    part.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    # Not buffered: after a kill everything that was counted is in the file.
    with os.fdopen(os.open(part, flags, 0o644), "r+b", buffering=0) as handle:
        yield _Whole(handle)  # type: ignore[misc]


class _Whole:
    """A raw file whose ``write`` writes everything or raises."""

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def write(self, block: bytes) -> int:
        view = memoryview(block)
        while view:
            view = view[self._raw.write(view) :]
        return len(block)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


@contextlib.contextmanager
def disk_errors(target: Path) -> Generator[None]:
    """Put what the disk says into a DownloadError of kind disk."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or getattr(error, "winerror", None) in _WINDOWS_FULL:
            raise DownloadError(
                f"The disk with {target.parent} is full.",
                "Free some space or choose another folder, then go on; what was fetched is kept.",
                "disk",
            ) from None
        raise DownloadError(
            f"“{target.name}” can't be written: {error.strerror or type(error).__name__}.",
            f"Check the folder {target.parent}.",
            "disk",
        ) from None


def _throw_away(part: Path) -> None:
    with contextlib.suppress(OSError):
        part.unlink()


def _refused(file: Path, what: str) -> DownloadError:
    return DownloadError(
        f"“{file.name.removesuffix(PART)}” {what}.",
        "It was thrown away. Check the mirror in the settings, or try again later.",
        "refused",
    )
