"""What a farm has rendered, as takes of the project's document. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from gen2studio.app.recipes import look_of_recipe
from gen2studio.core.errors import FarmError, StudioError
from gen2studio.core.records import dataclass
from gen2studio.document import takes
from gen2studio.document.lookup import each_clip
from gen2studio.document.model import Clip, Document, MediaItem, Take
from gen2studio.engine.farm.bundle import FarmJob, FarmShot
from gen2studio.engine.farm.results import recipe_text
from gen2studio.engine.take_store import runs_of


@dataclass(frozen=True, slots=True)
class Home:
    """Where the take of a shot belongs."""

    shot: FarmShot
    item: MediaItem
    clip_id: str
    """Empty when no clip of the project shows that footage any more."""


def homes(document: Document, job: FarmJob) -> tuple[Home, ...]:
    """Where each take of a job belongs. Raises FarmError when its footage is not in the project: another project's job.

    The clip it was planned for counts; when that is gone, the first one that shows the same footage.
    """
    found: list[Home] = []
    for shot in job.shots:
        source = shot.request.source
        item = document.media.get(source.media_id)
        if item is None or item.fingerprint != source.fingerprint:
            # Footage that was relinked or imported again; slates of one size are all alike and prove nothing.
            alike = (m for m in document.media.values() if m.fingerprint == source.fingerprint and m.shot is None)
            item = next(alike, None) if source.fingerprint and not shot.request.from_nothing else None
        if item is None:
            raise FarmError(
                f"“{shot.label}” was made from footage that is not in this project.",
                "Open the project that the job was written from.",
            )
        known = document.takes.get(shot.take_id)
        if known is not None and known.request_digest != shot.digest:
            raise FarmError(f"“{shot.label}” would replace another take of this project.", "Submit the job anew.")
        clips = [clip for clip in _clips(document) if clip.media_id == item.id]
        clip = next((clip for clip in clips if clip.id == shot.clip_id), clips[0] if clips else None)
        found.append(Home(shot, item, clip.id if clip is not None else ""))
    return tuple(found)


def with_takes(document: Document, found: Sequence[Home]) -> Document:
    """``document`` with the takes, complete, listed with their clips. Those it has already stay as they are."""
    for home in found:
        shot = home.shot
        if shot.take_id in document.takes:
            document = takes.set_done(document, shot.take_id, runs_of(shot.request.wanted))
            continue
        recipe = recipe_text(shot)
        number = 1 + sum(take.media_id == home.item.id for take in document.takes.values())
        try:
            look = look_of_recipe(recipe)
        except StudioError:
            look = document.default_look
        take = Take(
            id=shot.take_id,
            media_id=home.item.id,
            name=f"Take {number}",
            request_digest=shot.digest,
            recipe=recipe,
            look=look,
            start=shot.request.start,
            stop=shot.request.stop,
            width=shot.request.width,
            height=shot.request.height,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            done=runs_of(shot.request.wanted),
        )
        document = takes.add_take(document, take, home.clip_id)
    return document


def applied(document: Document, found: Sequence[Home]) -> Document:
    """``document`` with every clip showing what came back for it."""
    for home in found:
        if home.clip_id and home.shot.take_id in document.takes:
            document = takes.apply_take(document, home.clip_id, home.shot.take_id)
    return document


def _clips(document: Document) -> list[Clip]:
    active = document.sequence
    others = [s for s in document.sequences.values() if s is not active]
    return [clip for s in ([active] if active is not None else []) + others for _, clip in each_clip(s)]
