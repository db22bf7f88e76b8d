"""What a download would do, found out before anything is fetched: files, bytes, disk, terms, what is here already."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

from gen2studio.core.cancel import CancelToken
from gen2studio.models.catalog_entries import CatalogEntry, CatalogFile
from gen2studio.models.download_orders import DownloadOrder
from gen2studio.models.download_values import DownloadError, DownloadPlan, LicenceText, PlannedFile, StoredModel
from gen2studio.models.elsewhere import FilesHere
from gen2studio.models.file_names import ARCHIVES, PART, checked_path, is_pickle, is_taken
from gen2studio.models.hub import HubFile, Listing, check_access, list_repository, read_text
from gen2studio.models.hub_connection import HubConnection
from gen2studio.models.licences import LicenceLedger, licence_text

_MOST_FILES = 2000


def make_plan(
    entry: CatalogEntry,
    connection: HubConnection,
    folder: Path,
    here: FilesHere,
    ledger: LicenceLedger,
    *,
    stored: StoredModel | None,
    order: DownloadOrder | None,
    missing: tuple[str, ...],
    token: CancelToken,
    note: Callable[[str], None] | None = None,
) -> DownloadPlan:
    """The plan for ``entry``, to lie in ``folder``.

    ``stored`` is what is installed of it, ``order`` what an interrupted download left, ``missing`` the ids of what it
    needs and is not there. Raises DownloadError, Cancelled.
    """
    listings: dict[tuple[str, str], Listing] = {}

    def listing(repo: str, revision: str) -> Listing:
        key = repo, revision
        if key not in listings:
            listings[key] = list_repository(connection, repo, revision, token, note)
        return listings[key]

    own = listing(entry.repo, entry.revision)
    files = tuple(_chosen(entry, listing))
    for there in listings.values():
        if there.gated:
            check_access(connection, there.repo, token, note)
    _check_files(entry, files)
    terms = ledger.dated(licence_text(entry, lambda path: _licence_of(entry, path, own, connection, token)))
    files = tuple(_with_place(file, folder, here, order, token) for file in files)
    free = _free(folder)
    plan = DownloadPlan(
        entry=entry,
        folder=folder,
        commit=own.commit,
        files=files,
        licence=terms,
        free=free,
        reserve=connection.settings.reserve,
        installed=stored is not None and not stored.problem and _same(stored, files),
        needs=missing,
    )
    return replace(plan, problem=disk_problem(plan.disk, free, plan.reserve, folder))


def order_of(plan: DownloadPlan, licence: LicenceText) -> DownloadOrder:
    """A new order for a plan."""
    entry = plan.entry
    return DownloadOrder(
        id=entry.id, title=entry.title, kind=entry.kind, repo=entry.repo, commit=plan.commit, folder=plan.folder,
        files=plan.files, licence=licence,
    )  # fmt: skip


def disk_problem(needed: int, free: int, reserve: int, folder: Path) -> str:
    """One sentence when ``needed`` bytes don't fit beside the reserve; empty when they do."""
    if needed <= max(0, free - reserve):
        return ""
    return (
        f"{_gb(needed)} are needed, and {_gb(max(0, free - reserve))} can be used on the disk with {folder.parent}, "
        f"where {_gb(reserve)} stay free. Free some space, or choose another folder for models."
    )


def free_bytes(folder: Path) -> int:
    """Bytes free on the disk that ``folder`` lies on, or will."""
    return _free(folder)


def on_one_disk(path: Path, folder: Path) -> bool:
    """Whether ``path`` can be given another name in ``folder``, as far as can be told before trying."""
    with contextlib.suppress(OSError):
        return path.stat().st_dev == _existing(folder).stat().st_dev
    return False


def _licence_of(entry: CatalogEntry, path: str, own: Listing, connection: HubConnection, token: CancelToken) -> str:
    repo = entry.licence.source_repo or entry.repo
    return read_text(connection, repo, own.commit if repo == own.repo else "main", path, token)


def _chosen(entry: CatalogEntry, listing: Callable[[str, str], Listing]) -> list[PlannedFile]:
    """The files of an entry as the hub announces them. Raises DownloadError."""
    if entry.files:
        return [_named(entry, file, listing) for file in entry.files]
    own = listing(entry.repo, entry.revision)
    matching = {
        path: file
        for path, file in own.files.items()
        if any(fnmatchcase(path, pattern) for pattern in entry.patterns) and is_taken(path)
    }
    if not matching:
        pickled = any(is_pickle(path) for path in own.files)
        raise DownloadError(
            f"{entry.repo} has no files of {entry.title}"
            + (" but pickles, which can run programs." if pickled else "."),
            "Look for an edition in safetensors format.",
            "refused" if pickled else "missing",
        )
    return [_planned(path, entry.repo, path, own.commit, file) for path, file in sorted(matching.items())]


def _named(entry: CatalogEntry, file: CatalogFile, listing: Callable[[str, str], Listing]) -> PlannedFile:
    repo, source = file.repo or entry.repo, file.source or file.path
    own_revision = entry.revision if repo == entry.repo else "main"
    there = listing(repo, file.revision or own_revision)
    found: HubFile | None = there.files.get(source)
    if found is None:
        raise DownloadError(
            f"{repo} no longer has “{source}”.", "Look for a newer version of the program, or of the model.", "missing"
        )
    trusted = bool(file.sha256) and path_is_archive(source)
    if not is_taken(source) and not trusted:
        raise DownloadError(
            f"“{source}” of {entry.title} is of a kind that can run programs when it is opened.",
            "Look for an edition in safetensors format.",
            "refused",
        )
    if (file.sha256 and found.sha256 and file.sha256 != found.sha256) or (file.size and file.size != found.size):
        raise DownloadError(
            f"“{source}” in {repo} is not the file that the catalog knows.",
            "Don't use it; look for a newer version of the program.",
            "refused",
        )
    return replace(
        _planned(file.path, repo, source, there.commit, found), sha256=found.sha256 or file.sha256
    )  # fmt: skip


def path_is_archive(path: str) -> bool:
    """Whether a file is an archive of torch's."""
    return path.lower().endswith(ARCHIVES)


def _planned(path: str, repo: str, source: str, commit: str, file: HubFile) -> PlannedFile:
    return PlannedFile(
        path=checked_path(path), repo=repo, source=source, commit=commit, size=file.size, sha256=file.sha256,
        git_oid=file.git_oid,
    )  # fmt: skip


def _check_files(entry: CatalogEntry, files: tuple[PlannedFile, ...]) -> None:
    names = [file.path.casefold() for file in files]
    folders = {"/".join(name.split("/")[:depth]) for name in names for depth in range(1, name.count("/") + 1)}
    if len(set(names)) < len(names) or folders & set(names) or len(files) > _MOST_FILES:
        raise DownloadError(
            f"The files of {entry.title} can't lie in one folder.", "Don't use this catalog entry.", "refused"
        )


def _with_place(
    file: PlannedFile, folder: Path, here: FilesHere, order: DownloadOrder | None, token: CancelToken
) -> PlannedFile:
    """The file with what is here of it already."""
    token.check()
    if order is not None and any(_is_same(file, known) for known in order.files):
        staged = order.staged.joinpath(file.path)
        with contextlib.suppress(OSError):
            if file.path in order.finished and staged.stat().st_size == file.size:
                return replace(file, here="done")
            return replace(file, part=min(file.size, staged.with_name(staged.name + PART).stat().st_size))
    path = here.find(file.sha256, file.size, token)
    if path is None:
        return file
    return replace(file, here="link" if on_one_disk(path, folder) else "copy", lies_at=path)


def _is_same(file: PlannedFile, known: PlannedFile) -> bool:
    return (file.path, file.size, file.sha256, file.git_oid) == (known.path, known.size, known.sha256, known.git_oid)


def _same(stored: StoredModel, files: tuple[PlannedFile, ...]) -> bool:
    """Whether what is installed is what would be fetched, as far as the hub tells hashes."""
    there: Mapping[str, tuple[int, str]] = {file.path: (file.size, file.sha256) for file in stored.files}
    return all(
        file.path in there and there[file.path][0] == file.size and file.sha256 in ("", there[file.path][1])
        for file in files
    )


def _existing(folder: Path) -> Path:
    """``folder`` or the nearest of its parents that is there."""
    return next((path for path in (folder, *folder.parents) if path.exists()), Path(folder.anchor or os.curdir))


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(_existing(folder)).free
    except OSError:
        raise DownloadError(
            f"The folder for models {folder.parent} can't be used.", "Choose another one in the settings.", "disk"
        ) from None


def _gb(count: int) -> str:
    return f"{count / 1e9:.1f} GB"
