"""Projects on disk: a ``.g2s`` folder, or one ``.g2s`` zip file, unpacked into a working folder while it is open.

::

    film.g2s/
      project.json                 the document (written last, atomically)
      tiles/ab/<digest>            zlib-packed mask tiles by content
      blobs/<sha256>.<ext>         style images, painted keys, swatches
      takes/<take id>/…            frames of results, see engine.take_store
      media/…                      slates of shots, takes used as footage; everything in collected projects

A project file can make us read or write nothing outside its folder but media files, which are only ever read. Calls
block on the disk; :class:`gen2studio.app.studio.Studio` makes them for the window.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import zlib
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from gen2studio.app.project_lock import ProjectLock
from gen2studio.app.project_pack import is_pack, pack, unpack
from gen2studio.core.errors import ProjectError
from gen2studio.core.frozen import frozen_map
from gen2studio.core.hashing import file_digest
from gen2studio.core.ids import new_id
from gen2studio.core.media_info import MediaKind
from gen2studio.core.paths import data_dir, write_atomic
from gen2studio.document import codec
from gen2studio.document.look import Look
from gen2studio.document.looks import each_look, map_looks
from gen2studio.document.model import Document, MediaItem
from gen2studio.raster.tiles import TileStore

SUFFIX = ".g2s"
BIGGEST_BLOB = 512 << 20
_BIGGEST_JSON = 1 << 30
_PICTURES = frozenset({".png", ".exr", ".tif", ".tiff", ".jpg", ".jpeg"})
"""Files that numbered depth passes are made of; anything else is one film."""
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_TILE = re.compile(r"^[0-9a-f]{32}$")
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpg"), (b"BM", "bmp"), (b"II*\0", "tif"), (b"MM\0*", "tif"),
    (b"v/1\x01", "exr"), (b"GIF8", "gif"),
)  # fmt: skip


class FolderTiles:
    """Mask tiles in ``tiles/`` of a project folder: the backing of a :class:`TileStore`. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, digest: str) -> Path:
        if not _TILE.match(digest):
            raise ValueError(f"“{digest}” is not the digest of a tile")
        return self.folder / digest[:2] / digest

    def load_tile(self, digest: str) -> bytes | None:
        try:
            return self.path(digest).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def save_tile(self, digest: str, packed: bytes) -> None:
        """Written beside and renamed; not synced, the journal and the save sync what they refer to."""
        target = self.path(digest)
        if target.is_file():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{digest}.{os.getpid()}.part")
        part.write_bytes(packed)
        os.replace(part, target)


class Project:
    """The files of one open project. Make one with :meth:`new`, :meth:`open` or :meth:`open_copy`."""

    def __init__(self, folder: Path, path: Path | None, packed: bool, lock: ProjectLock) -> None:
        self.folder = folder
        """Working folder: the project itself, or where its zip file is unpacked."""
        self.path = path
        """What the artist opened or saved; None while untitled."""
        self.packed = packed
        self.recovered = False
        """Its document came from a journal and is saved nowhere else yet."""
        self._lock = lock
        self._backing = FolderTiles(folder / "tiles")
        self.tiles = TileStore(self._backing)

    # -- where things are ----------------------------------------------------------------------------------------

    @property
    def untitled(self) -> bool:
        return self.path is None

    @property
    def name(self) -> str:
        return self.path.stem if self.path is not None else "Untitled"

    @property
    def takes_dir(self) -> Path:
        """Root of the take store."""
        found = self.folder / "takes"
        found.mkdir(parents=True, exist_ok=True)
        return found

    @property
    def blobs_dir(self) -> Path:
        return self.folder / "blobs"

    @property
    def media_dir(self) -> Path:
        """Media that belong to the project itself: slates of shots, takes used as footage, collected files."""
        return self.folder / "media"

    @property
    def journal_path(self) -> Path:
        """The autosave journal: among the program's own files, so that it is found without the project."""
        return journals_dir() / f"{_key(self.path or self.folder)}.journal"

    @property
    def base(self) -> Path:
        """What media paths are stored relative to."""
        return self.path or self.folder

    # -- opening -------------------------------------------------------------------------------------------------

    @staticmethod
    def new(name: str = "Untitled") -> tuple[Project, Document]:
        """A fresh untitled project in the program's data folder."""
        folder = data_dir() / "untitled" / new_id("doc")
        folder.mkdir(parents=True)
        lock = ProjectLock(_lock_path(folder, packed=False))
        return Project(folder, None, False, lock), Document(id=new_id("doc"), name=name, default_look=Look())

    @staticmethod
    def open(path: Path) -> tuple[Project, Document]:
        """Open a project folder (or its project.json) or zip file. Raises ProjectError; nothing stays behind then."""
        path = _located(path)
        packed = path.is_file()
        folder = _unpacked(path) if packed else path
        lock = _locked(folder, packed)
        project = Project(folder, path, packed, lock)
        try:
            if packed:
                # What a crashed session left here belongs to its journal; without one it is old.
                if not project.journal_path.exists():
                    shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True, exist_ok=True)
                unpack(path, folder)
            return project, project.read()
        except BaseException:
            project.close()
            raise

    @staticmethod
    def open_copy(path: Path) -> tuple[Project, Document]:
        """Open a project as a new untitled one: the original (a bundled sample, a read-only disk) is never written."""
        path = _located(path)
        project, _ = Project.new()
        try:
            if path.is_file():
                unpack(path, project.folder)
            else:
                _refuse_links(path)
                for name in ("tiles", "blobs", "takes", "media"):
                    if (path / name).is_dir():
                        shutil.copytree(path / name, project.folder / name, dirs_exist_ok=True)
                shutil.copyfile(path / "project.json", project.folder / "project.json")
            document = project.read(base=path)
            project._remove_json()
            return project, replace(document, id=new_id("doc"))
        except BaseException:
            project.close()
            raise

    @staticmethod
    def reopen(folder: Path, path: Path | None, packed: bool) -> Project:
        """Take hold of a project's files without reading its document (recovery)."""
        return Project(folder, path, packed, _locked(folder, packed))

    def read(self, base: Path | None = None) -> Document:
        """The document of ``project.json``. Raises ProjectError."""
        _refuse_links(self.folder)
        file = self.folder / "project.json"
        try:
            if file.stat().st_size > _BIGGEST_JSON:
                raise ProjectError("This project file is too big to be one of ours.", "Open an earlier copy of it.")
            document = codec.loads(file.read_bytes(), base or self.base)
        except FileNotFoundError as error:
            raise ProjectError("This folder holds no Gen2 Studio project.", "Choose a .g2s project.") from error
        except OSError as error:
            raise ProjectError("The project can't be read.", "Check the disk and its permissions.") from error
        return self._remapped(document, base or self.base, self.folder)

    @staticmethod
    def _remapped(document: Document, old: Path, new: Path) -> Document:
        """Collected media and depth passes lie inside the working folder, wherever that is."""
        if old == new:
            return document

        def moved(look: Look) -> Look:
            depth = look.depth_pass
            if depth is None or not Path(depth.path).is_relative_to(old):
                return look
            return replace(look, depth_pass=replace(depth, path=(new / Path(depth.path).relative_to(old)).as_posix()))

        document = map_looks(document, moved)
        media: dict[str, MediaItem] = {}
        for key, item in document.media.items():
            path = Path(item.path)
            media[key] = (
                replace(item, path=(new / path.relative_to(old)).as_posix()) if path.is_relative_to(old) else item
            )
        return (
            replace(document, media=frozen_map(media))
            if any(media[k] is not document.media[k] for k in media)
            else document
        )

    # -- saving --------------------------------------------------------------------------------------------------

    def save(self, document: Document) -> None:
        """Save where the project lies. Atomic: readers and crashes see the old project or the new one."""
        if self.path is None:
            raise ProjectError("This project has no place yet.", "Choose where to save it.")
        with _disk():
            self._write_tiles(document)
            self.recovered = False
            write_atomic(
                self.folder / "project.json", codec.dumps(self._remapped(document, self.folder, self.base), self.base)
            )
            _sync_folder(self.folder)
            if self.packed:
                pack(self.folder, self._names(document), self.path)
                _sync_folder(self.path.parent)

    def save_as(self, document: Document, path: Path, *, packed: bool | None = None) -> Document:
        """Save to another place and go on there. ``packed`` = as one zip file (None = as now).

        Returns the document, with media that was collected inside the project pointing at its new place.
        """
        as_pack = self.packed if packed is None else packed
        path = path.absolute()
        path = path if path.suffix == SUFFIX else path.with_name(path.name + SUFFIX)
        if self.path is not None and path == self.path and as_pack == self.packed:
            self.save(document)
            return document
        if path.is_dir() and (as_pack or (any(path.iterdir()) and not (path / "project.json").is_file())):
            raise ProjectError(f"“{path.name}” is a folder with other files in it.", "Choose another name.")
        if path.is_file() and not as_pack:
            raise ProjectError(f"“{path.name}” is a file already.", "Choose another name.")
        folder = _unpacked(path) if as_pack else path
        with _disk():
            lock = _locked(folder, as_pack)
            try:
                if as_pack:
                    shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir(parents=True, exist_ok=True)
                self._copy_to(document, folder)
            except BaseException:
                lock.release()
                raise
        moved = self._remapped(document, self.folder, folder)
        before = (self.folder, self.path, self.packed, self._lock)
        self.folder, self.path, self.packed, self._lock = folder, path, as_pack, lock
        self._backing.folder = folder / "tiles"
        try:
            self.save(moved)
        except BaseException:
            self._lock.release()
            self.folder, self.path, self.packed, self._lock = before
            self._backing.folder = self.folder / "tiles"
            raise
        before[3].release()
        if before[1] is None or before[2]:
            shutil.rmtree(before[0], ignore_errors=True)
        return moved

    def rehomed(self, document: Document, before: Path) -> Document:
        """``document`` with what lay in the working folder ``before`` where it lies now."""
        return self._remapped(document, before, self.folder)

    def collect(self, document: Document) -> Document:
        """Copy media and depth passes into the project (``media/``) so that it can be carried away; returns the changed
        document. What is not there stays where it was said to be."""
        return self.with_collected(document, self.copy_in(document))

    def copy_in(
        self, document: Document, target: Path | None = None, *, without: Collection[str] = ()
    ) -> dict[str, str]:
        """Copy what lies elsewhere into ``media/``, or into ``target``; where each path is now. Raises ProjectError.

        Media of ``without`` stays where it is.
        """
        target = target or self.folder / "media"
        carried: dict[str, str] = {}
        with _disk():
            target.mkdir(parents=True, exist_ok=True)
            for key, item in document.media.items():
                source = Path(item.path)
                if key in without or source.is_relative_to(self.folder) or not source.is_file():
                    continue
                # The id keeps two files of one name apart.
                if item.info.kind is MediaKind.SEQUENCE:
                    for frame in _numbered(source):
                        shutil.copy2(frame, target / f"{key}_{frame.name}")
                else:
                    shutil.copy2(source, target / f"{key}_{source.name}")
                carried[f"{key} {item.path}"] = (target / f"{key}_{source.name}").as_posix()
            for depth in filter(None, (look.depth_pass for look in each_look(document))):
                if depth.path not in carried:
                    carried[depth.path] = self._collected_pass(Path(depth.path), target)
        return carried

    @staticmethod
    def with_collected(document: Document, carried: Mapping[str, str]) -> Document:
        """``document`` with the paths that :meth:`copy_in` gave."""
        media = {
            key: replace(item, path=carried[found]) if (found := f"{key} {item.path}") in carried else item
            for key, item in document.media.items()
        }
        if any(media[key] is not item for key, item in document.media.items()):
            document = replace(document, media=frozen_map(media))

        def moved(look: Look) -> Look:
            depth = look.depth_pass
            if depth is None or carried.get(depth.path, depth.path) == depth.path:
                return look
            return replace(look, depth_pass=replace(depth, path=carried[depth.path]))

        return map_looks(document, moved)

    def _collected_pass(self, source: Path, target: Path) -> str:
        """Where a depth pass lies now: every file of its sequence, or its film, in the project's media."""
        if source.is_relative_to(self.folder) or not source.exists():
            return source.as_posix()
        # A folder stands for the sequence in it; two passes of one name are kept apart by where they came from.
        first = next(iter(sorted(f for f in source.iterdir() if _plain(f))), None) if source.is_dir() else source
        if first is None:
            return source.as_posix()
        mark = f"depth-{_key(first)[:8]}_"
        files = _numbered(first) if first.stem[-1:].isdecimal() and first.suffix.lower() in _PICTURES else [first]
        for file in files:
            shutil.copy2(file, target / f"{mark}{file.name}")
        return (target / f"{mark}{first.name}").as_posix()

    def _write_tiles(self, document: Document) -> None:
        """Tiles reach the disk as they are painted; this catches those a full disk or another store kept back."""
        for digest in _tile_digests(document):
            if not self._backing.path(digest).is_file():
                try:
                    self._backing.save_tile(digest, self.tiles.packed(digest))
                except (KeyError, ValueError, zlib.error):
                    continue  # lost before: saving the rest must still work

    def copy_to(self, document: Document, folder: Path) -> Document:
        """Copy everything that lies in the project into ``folder`` (tiles, images, takes of ``document``, collected
        media); the document as it is there. Raises ProjectError."""
        with _disk():
            self._copy_to(document, folder)
        return self._remapped(document, self.folder, folder)

    def _copy_to(self, document: Document, folder: Path) -> None:
        self._write_tiles(document)
        for name in self._names(document):
            source, target = self.folder / name, folder / name
            if name == "project.json" or not source.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            if name.endswith(".png"):
                # Frames are never changed in place, so both projects may share them.
                with contextlib.suppress(FileExistsError):
                    try:
                        os.link(source, target)
                    except OSError:
                        shutil.copy2(source, target)
            else:
                shutil.copy2(source, target)

    def _names(self, document: Document) -> Iterator[str]:
        """Relative names of every file the project needs, project.json first."""
        if (self.folder / "project.json").is_file():
            yield "project.json"
        for digest in sorted(_tile_digests(document)):
            if self._backing.path(digest).is_file():
                yield f"tiles/{digest[:2]}/{digest}"
        for folder in ("blobs", "media"):
            if (self.folder / folder).is_dir():
                yield from (f"{folder}/{f.name}" for f in sorted((self.folder / folder).iterdir()) if _plain(f))
        for take_id in document.takes:
            take = self.folder / "takes" / take_id
            if take.is_dir():
                yield from (f"takes/{take_id}/{f.name}" for f in sorted(take.iterdir()) if _plain(f))

    def _remove_json(self) -> None:
        with contextlib.suppress(OSError):
            (self.folder / "project.json").unlink()

    def close(self) -> None:
        """Let go of the project. A working folder whose journal is still needed stays for recovery."""
        if (self.packed or self.untitled) and not self.journal_path.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
        self._lock.release()

    # -- images --------------------------------------------------------------------------------------------------

    def add_blob(self, source: Path | bytes) -> str:
        """Keep an image in the project; returns its SHA-256. Raises ProjectError for anything but an image."""
        try:
            size = len(source) if isinstance(source, bytes) else source.stat().st_size
            if size > BIGGEST_BLOB:
                raise ProjectError("That image is bigger than 512 MB.", "Scale it down first.")
            data = source if isinstance(source, bytes) else source.read_bytes()
        except OSError as error:
            name = source.name if isinstance(source, Path) else "the image"
            raise ProjectError(f"“{name}” can't be read.", "Check the file and try again.") from error
        suffix = image_suffix(data)
        if not suffix:
            raise ProjectError(
                "That file is not an image we can keep.", "Use a PNG, JPEG, WebP, TIFF, BMP or EXR file."
            )
        digest = hashlib.sha256(data).hexdigest()
        if self.find_blob(digest) is None:
            with _disk():
                write_atomic(self.blobs_dir / f"{digest}.{suffix}", data)
        return digest

    def find_blob(self, digest: str) -> Path | None:
        """The file of a blob, or None. This is the ``blobs`` argument of :mod:`gen2studio.app.planning`."""
        if not _SHA256.match(digest):
            return None
        for suffix in ("png", "jpg", "webp", "tif", "exr", "bmp", "gif"):
            path = self.blobs_dir / f"{digest}.{suffix}"
            if path.is_file():
                return path
        return None

    def blob_path(self, digest: str) -> Path:
        """The file of a blob. Raises ProjectError when it is gone."""
        found = self.find_blob(digest)
        if found is None:
            raise ProjectError(
                "A style image of this project is missing.", "Drop the image onto the style board again."
            )
        return found

    def verify_blob(self, digest: str) -> bool:
        """True when the blob is there and its content is what its name says."""
        found = self.find_blob(digest)
        return found is not None and file_digest(found) == digest

    # -- media ---------------------------------------------------------------------------------------------------

    @staticmethod
    def offline(document: Document) -> tuple[str, ...]:
        """Ids of the media whose files are not there: shown as offline, never fatal."""
        return tuple(k for k, item in document.media.items() if not item.nested and not Path(item.path).is_file())


def image_suffix(data: bytes) -> str:
    """The suffix of an image's format by its first bytes; empty for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return next((suffix for magic, suffix in _MAGIC if data.startswith(magic)), "")


def journals_dir() -> Path:
    return data_dir() / "journals"


def _tile_digests(document: Document) -> set[str]:
    """Every tile that a matte or a motion region needs."""
    found = {d for mask in document.masks.values() for frame in mask.frames.values() for _, _, d in frame.raster.tiles}
    for look in each_look(document):
        for region in look.motion_regions:
            found.update(digest for _, _, digest in region.raster.tiles)
    return found


def _key(path: Path) -> str:
    return hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:24]


def _unpacked(path: Path) -> Path:
    return data_dir() / "unpacked" / _key(path)


def _lock_path(folder: Path, packed: bool) -> Path:
    return folder.with_name(f"{folder.name}.lock") if packed else folder / ".lock"


def lock_of(folder: Path, packed: bool) -> Path:
    """The lock file of a project's working folder."""
    return _lock_path(folder, packed)


def _locked(folder: Path, packed: bool) -> ProjectLock:
    try:
        return ProjectLock(_lock_path(folder, packed))
    except OSError as error:
        raise ProjectError(
            "The project's folder can't be written.", "Check its permissions, or open it as a copy."
        ) from error


def _located(path: Path) -> Path:
    path = path.absolute()
    if path.name == "project.json" and path.is_file():
        path = path.parent
    if path.is_dir():
        if not (path / "project.json").is_file():
            raise ProjectError(f"“{path.name}” holds no Gen2 Studio project.", "Choose a .g2s project.")
    elif not path.is_file():
        raise ProjectError(f"“{path.name}” is not there.", "It was moved, renamed or deleted: choose where it is now.")
    elif not is_pack(path):
        raise ProjectError(f"“{path.name}” is not a Gen2 Studio project.", "Choose a .g2s project.")
    return path


def _refuse_links(folder: Path) -> None:
    """A project's own folders must not be links: they would lead our writing elsewhere."""
    for name in ("project.json", "tiles", "blobs", "takes", "media"):
        entry = folder / name
        below = entry.iterdir() if entry.is_dir() and not entry.is_symlink() else ()
        if entry.is_symlink() or any(child.is_symlink() for child in below):
            raise ProjectError("This project folder contains links.", "Replace them by the files they point to.")


def _plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and not path.name.startswith(".")


def _numbered(first: Path) -> list[Path]:
    """The files of a numbered sequence, by the digits at the end of the stem."""
    head = re.sub(r"\d+$", "", first.stem)
    return sorted(
        f
        for f in first.parent.iterdir()
        if f.suffix == first.suffix and f.stem.startswith(head) and f.stem[len(head) :].isdecimal()
    )


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows can't open folders and needs no such call."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def _disk() -> Generator[None]:
    """Put the disk's complaints into words."""
    try:
        yield
    except OSError as error:
        if error.errno == 28:
            raise ProjectError(
                "The disk is full; the project was not saved.", "Free some space, then save again."
            ) from error
        raise ProjectError(
            f"The project can't be written: {(error.strerror or 'unknown error').lower()}.",
            "Check the disk and its permissions, or save it elsewhere.",
        ) from error
