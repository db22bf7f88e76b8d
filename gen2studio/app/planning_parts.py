"""The parts of a request that stand for something outside the look: images, depth passes, adapters, leads.

Each is named by its content, so that moving a file makes nothing stale. Everything raises GenerationError.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from gen2studio.core.errors import GenerationError
from gen2studio.core.hashing import canonical_digest, file_fingerprint
from gen2studio.core.records import dataclass
from gen2studio.document.look import AdapterUse, Camera, DepthPass, Look, MotionRegion
from gen2studio.document.model import Document, Lead, Take
from gen2studio.engine.requests import (
    AdapterRef,
    BlobRef,
    CameraMove,
    DepthPassRef,
    LeadRef,
    MotionRegionRef,
    SourceRef,
    WordRef,
)

Blobs = Callable[[str], "Path | None"]
"""Digest → file of a project image, or None (:meth:`gen2studio.app.project_files.Project.find_blob`)."""

Adapters = Callable[[str], "FoundAdapter | None"]
"""Id of an adapter → its file in the library, or None."""

TakeFolders = Callable[[str], Path]
"""Take id → the folder of its frames."""

_NUMBERED = re.compile(r"^(.*?)(\d+)$")


@dataclass(frozen=True, slots=True)
class FoundAdapter:
    """An adapter of the library as requests name it."""

    digest: str
    """SHA-256 of the file."""
    path: Path
    generator: str = ""
    """Id of the generator whose model it was trained on; empty = not known."""
    title: str = ""
    word: str = ""
    """It is a learned word, which prompts call so; empty = it acts on its own."""


@dataclass(frozen=True, slots=True)
class Finders:
    """Where the things that looks and shots name are found."""

    blobs: Blobs
    adapters: Adapters | None = None
    takes: TakeFolders | None = None


def blob_ref(digest: str, blobs: Blobs, weight: float = 1.0) -> BlobRef:
    path = blobs(digest)
    if path is None:
        raise GenerationError("A style image of this project is missing.", "Drop the image onto the style board again.")
    return BlobRef(digest=digest, path=path.as_posix(), weight=weight)


def camera_move(camera: Camera) -> CameraMove:
    return CameraMove(**{f.name: getattr(camera, f.name) for f in fields(Camera)})


def motion_refs(look: Look) -> tuple[MotionRegionRef, ...]:
    """The motion brush's regions that hold paint and are asked to move."""

    def moves(region: MotionRegion) -> bool:
        asked = (region.horizontal, region.vertical, region.proximity, region.ambient)
        return not region.raster.is_empty and any(asked)

    return tuple(
        MotionRegionRef(
            raster=region.raster,
            horizontal=region.horizontal,
            vertical=region.vertical,
            proximity=region.proximity,
            ambient=region.ambient,
        )
        for region in look.motion_regions
        if moves(region)
    )


def depth_ref(depth: DepthPass | None) -> DepthPassRef | None:
    """A depth pass by the fingerprint of its first file and how many there are."""
    if depth is None:
        return None
    path = Path(depth.path)
    try:
        folder = (path if path.is_dir() else path.parent).stat().st_mtime_ns
        first = path.stat()
        fingerprint = _depth_fingerprint(depth.path, first.st_size, first.st_mtime_ns, folder)
    except OSError:
        raise GenerationError(
            f"The depth pass “{depth.name or path.name}” is not where it was.", "Choose it again, or remove it."
        ) from None
    return DepthPassRef(
        fingerprint=fingerprint,
        path=path.as_posix(),
        near_is_white=depth.near_is_white,
        near=depth.near,
        far=depth.far,
    )


@lru_cache(maxsize=64)
def _depth_fingerprint(path: str, _size: int, _changed: int, _folder_changed: int) -> str:
    first = Path(path)
    if first.is_dir():
        files = sorted(f for f in first.iterdir() if f.is_file() and not f.name.startswith("."))
        if not files:
            raise FileNotFoundError(path)
        first = files[0]
    named = _NUMBERED.match(first.stem)
    count = 1
    if named is not None:
        names = (f.stem for f in first.parent.iterdir() if f.suffix == first.suffix and f.stem.startswith(named[1]))
        count = sum(name[len(named[1]) :].isdecimal() for name in names)
    return canonical_digest((file_fingerprint(first), count))[:32]


def adapter_refs(uses: tuple[AdapterUse, ...], adapters: Adapters | None) -> tuple[AdapterRef, ...]:
    """The adapters of a look that act at all."""
    found: list[AdapterRef] = []
    for use in uses:
        if not use.strength:
            continue
        known = adapters(use.adapter) if adapters is not None else None
        if known is None:
            raise GenerationError(
                "An adapter of this look is no longer in the library.", "Remove it from the look, or add it again."
            )
        path = known.path.as_posix()
        if known.word:
            # A word is said or not said: it has no strength.
            found.append(WordRef(digest=known.digest, adapter_id=use.adapter, path=path, word=known.word))
        else:
            found.append(AdapterRef(digest=known.digest, adapter_id=use.adapter, path=path, strength=use.strength))
    return tuple(found)


def take_source(document: Document, take: Take, takes: TakeFolders) -> SourceRef:
    """The frames of a take as footage: frame i of it is media frame i."""
    item = document.media.get(take.media_id)
    return SourceRef(
        fingerprint=take.request_digest[:32],
        path=takes(take.id).as_posix(),
        media_id=take.media_id,
        rate=item.info.rate if item is not None and item.info.rate else SourceRef.rate,
        frame_count=max((stop for _, stop in take.done), default=0),
        width=take.width,
        height=take.height,
    )


def lead_ref(
    document: Document, lead: Lead | None, source_of: Callable[[str], SourceRef], takes: TakeFolders | None
) -> LeadRef | None:
    """What comes right before a shot. ``source_of`` gives the footage of a media id."""
    if lead is None:
        return None
    if not lead.take_id:
        return LeadRef(source=source_of(lead.media_id), start=lead.start, stop=lead.stop)
    take = document.takes.get(lead.take_id)
    if take is None or takes is None or not all(take.has(frame) for frame in range(lead.start, lead.stop)):
        raise GenerationError(
            "The frames that this shot goes on from are gone.", "Extend the clip again, or make a new shot."
        )
    return LeadRef(source=take_source(document, take, takes), start=lead.start, stop=lead.stop)


def moved(value: Any, old: Path, new: Path) -> Any:
    """A request (or a part of one) whose hints point below ``new`` where they pointed below ``old``."""
    if isinstance(value, tuple):
        return tuple(moved(item, old, new) for item in cast("tuple[Any, ...]", value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    changes: dict[str, Any] = {}
    for f in fields(value):
        held = getattr(value, f.name)
        if f.name == "path" and isinstance(held, str) and held and Path(held).is_relative_to(old):
            changes[f.name] = (new / Path(held).relative_to(old)).as_posix()
        elif isinstance(held, tuple) or is_dataclass(held):
            # Paths are no part of a value's equality, so whatever holds other values is made anew.
            changes[f.name] = moved(held, old, new)
    return replace(value, **changes) if changes else value
