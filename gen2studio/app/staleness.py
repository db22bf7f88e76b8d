"""Which frames of a take are no longer what the clip asks for, and what it takes to make only those anew.

No Qt in here. The comparison is of requests at the take's own size and range: trimming a clip makes nothing stale, and
a clip that is pulled longer than its take lacks frames, which is not the same as having stale ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from operator import is_
from pathlib import Path
from typing import Any

from gen2studio.app import planning
from gen2studio.app.choosing import honours, settled
from gen2studio.app.planning import Adapters, Blobs, TakeFolders
from gen2studio.app.planning_levels import with_levels
from gen2studio.app.planning_masks import active_parts, mask_tracks
from gen2studio.app.recipes import request_of_recipe
from gen2studio.core.errors import GenerationError, StudioError
from gen2studio.core.records import dataclass
from gen2studio.document.look import Look, Outpaint, Region
from gen2studio.document.looks import look_of
from gen2studio.document.model import Clip, Document, Take
from gen2studio.engine.differences import differing_frames
from gen2studio.engine.generators import Abilities
from gen2studio.engine.requests import GenerateRequest, Reuse
from gen2studio.engine.take_store import runs_of

_REMEMBERED = 4096

Runs = tuple[tuple[int, int], ...]
"""Half-open runs of media frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """What a comparison needs to know beside the document."""

    blobs: Blobs = lambda digest: Path(digest)
    adapters: Adapters | None = None
    takes: TakeFolders | None = None
    abilities: Callable[[str], Abilities | None] = lambda _generator: None
    """Generator id → what it can do; None for one that is not installed: a take of it is compared with the document
    alone, and counts as made in one piece."""

    def by_frame(self, request: GenerateRequest) -> bool:
        """Whether the generator of a request makes frames one by one."""
        ability = self._ability(request)
        return ability is not None and ability.spans == "frames"

    def join(self, request: GenerateRequest) -> int:
        """Frames on each side of a new span that are mixed with the old ones."""
        parts = request.parts or (request,)
        return max((found.join for part in parts if (found := self._ability(part)) is not None), default=0)

    def _ability(self, request: GenerateRequest) -> Any:
        found = self.abilities(request.generator)
        return found.mode(request.mode) if found is not None else None


def stale_runs(document: Document, clip: Clip, take: Take, judge: Judge) -> Runs:
    """The frames of a take, out of its whole range, that the clip as it stands asks something else for.

    A look that leaves the choice of generator or of the strength to the program accepts what made the take, and one
    that speaks of a shot to be made asks nothing of footage.
    """
    whole = ((take.start, take.stop),)
    look = look_of(document, clip)
    item = document.media.get(clip.media_id)
    footage = item is not None and item.shot is None
    by_object = footage and look.by_object and not look.outpaint.adds
    if footage and look.mode in planning.FROM_NOTHING and not by_object:
        return ()
    try:
        made = request_of_recipe(take.recipe)
        now = _parts_now(document, clip, look, take, made, judge) if by_object else _now(
            document, clip, look, take, made, judge
        )  # fmt: skip
    except GenerationError:
        return whole
    return runs_of(differing_frames(made, now, judge.by_frame))


def is_stale(document: Document, clip: Clip, take: Take, judge: Judge) -> bool:
    """True when the clip shows a frame that ``take`` lacks or has otherwise. A clip trimmed shorter stays fresh."""
    start, stop = planning.media_range(document, clip, planning.rate_of(document, clip))
    if start < take.start or stop > take.stop:
        return True
    return any(first < stop and last > start for first, last in stale_runs(document, clip, take, judge))


class StaleBook:
    """What :func:`stale_runs` found, kept until something it depends on is another object. One thread."""

    def __init__(self, judge: Callable[[], Judge]) -> None:
        self._judge = judge
        self._found: dict[tuple[str, str], tuple[tuple[object, ...], tuple[Runs, bool]]] = {}

    def runs(self, document: Document, clip: Clip, take: Take) -> Runs:
        """As :func:`stale_runs`."""
        return self._both(document, clip, take)[0]

    def is_stale(self, document: Document, clip: Clip, take: Take) -> bool:
        """As :func:`is_stale`."""
        return self._both(document, clip, take)[1]

    def _both(self, document: Document, clip: Clip, take: Take) -> tuple[Runs, bool]:
        judge = self._judge()
        look = look_of(document, clip)
        models = tuple(judge.abilities(part.generator) for part in (look, *(part.look for part in look.parts)))
        basis = (clip, take, look, document.media.get(clip.media_id), *document.masks_of(clip.media_id), *models)
        key = (clip.id, take.id)
        known = self._found.get(key)
        if known is not None and len(known[0]) == len(basis) and all(map(is_, known[0], basis)):
            return known[1]
        if len(self._found) > _REMEMBERED:
            self._found.clear()
        try:
            found = stale_runs(document, clip, take, judge), is_stale(document, clip, take, judge)
        except StudioError:
            found = ((take.start, take.stop),), True
        if not look.adapters:
            # The library of adapters may change without the document.
            self._found[key] = basis, found
        return found


def _now(
    document: Document, clip: Clip, look: Look, take: Take, made: GenerateRequest, judge: Judge
) -> GenerateRequest:
    """What the clip asks for now, over the range and at the size of its take. Raises GenerationError."""
    abilities = judge.abilities(look.generator or made.generator)
    look = _as_made(look, made, abilities)
    if abilities is not None and not honours(abilities, look.mode.value, "outpaint"):
        look = replace(look, outpaint=Outpaint())
    revision = abilities.revision if abilities is not None else made.revision
    request = planning.plan_generate(
        document, clip, replace(look, region=Region.ALL), revision=revision,
        blobs=judge.blobs, adapters=judge.adapters, takes=judge.takes,
    )  # fmt: skip
    reframed = any(request.outpaint)
    masks = () if reframed else mask_tracks(document, clip.media_id, look, take.start, take.stop)
    return with_levels(
        replace(
            _over(request, take), masks=masks, region=Region.ALL.value if reframed else look.region.value
        ),
        look,
    )  # fmt: skip


def _parts_now(
    document: Document, clip: Clip, look: Look, take: Take, made: GenerateRequest, judge: Judge
) -> GenerateRequest:
    wanted = active_parts(document, clip.media_id, look, take.start, take.stop)
    if len(made.parts) != len(wanted):
        raise GenerationError("The take was made with other looks.", "Render it again.")
    parts: list[GenerateRequest] = []
    for (part, tracks), old in zip(wanted, made.parts, strict=True):
        abilities = judge.abilities(part.look.generator or old.generator)
        bare = replace(_as_made(part.look, old, abilities), region=Region.ALL, parts=(), outpaint=Outpaint())
        request = planning.plan_generate(
            document, clip, bare, revision=abilities.revision if abilities is not None else old.revision,
            seed=look.seed, blobs=judge.blobs, adapters=judge.adapters, takes=judge.takes,
        )  # fmt: skip
        request = replace(_over(request, take), region=planning.region_of(part).value, masks=tracks)
        parts.append(with_levels(request, bare))
    return planning.of_parts(parts)


def _over(request: GenerateRequest, take: Take) -> GenerateRequest:
    return replace(request, start=take.start, stop=take.stop, width=take.width, height=take.height, frames=None)


def _as_made(look: Look, made: GenerateRequest, abilities: Abilities | None) -> Look:
    """The look with what it leaves to the program as it was chosen for a request."""
    if not look.generator:
        look = replace(look, generator=made.generator)
    if look.controls.strength < 0:
        look = replace(look, controls=replace(look.controls, strength=made.controls.strength))
    return settled(look, abilities) if abilities is not None else look


# -- making only the stale frames --------------------------------------------------------------------------------------


def renewal(
    document: Document, clip: Clip, take: Take, look: Look, request: GenerateRequest, judge: Judge
) -> tuple[GenerateRequest, Reuse]:
    """The request for a take that keeps the frames of ``take`` which still hold, and which ones those are.

    ``request`` is what a run of the clip with ``look`` (as its generator runs it) asks for. The new take reaches as far
    as the clip, and on over what is good of the old one beside it; statistics of the clip are taken from where the old
    one took them. Raises GenerationError when nothing is stale, or nothing can be kept.
    """
    stale = stale_runs(document, clip, take, judge)
    good = {frame for first, last in take.done for frame in range(first, last)}
    good -= {frame for first, last in stale for frame in range(first, last)}
    wanted = set(range(request.start, request.stop))
    if wanted <= good:
        raise GenerationError("Nothing of this take is stale.", "Change its look, its masks or its keys first.")
    if not wanted & good or (take.width, take.height) != (request.width, request.height):
        raise GenerationError("Every frame of this take is stale.", "Generate the clip again.")
    start, stop = request.start, request.stop
    while start - 1 in good:
        start -= 1
    while stop in good:
        stop += 1
    made = request_of_recipe(take.recipe)
    basis = made.sampled or (made.start, made.stop)
    request = _widened(document, clip, look, request, start, stop, basis)
    missing = sorted(set(range(start, stop)) - good)
    joins = _joins(missing, good, judge.join(request))
    kept = (good & set(range(start, stop))) - joins.keys()
    return request, Reuse(take_id=take.id, runs=runs_of(kept), joins=tuple(sorted(joins.items())))


def _joins(missing: list[int], good: set[int], reach: int) -> dict[int, float]:
    """Share of the new picture on good frames near the missing ones."""
    shares: dict[int, float] = {}
    for first, last in runs_of(missing):
        for way, edge in ((-1, first), (1, last - 1)):
            for distance in range(1, reach + 1):
                frame = edge + way * distance
                if frame not in good:
                    break
                share = round(1 - distance / (reach + 1), 4)
                shares[frame] = max(shares.get(frame, 0.0), share)
    return shares


def _widened(
    document: Document, clip: Clip, look: Look, request: GenerateRequest, start: int, stop: int, basis: tuple[int, int]
) -> GenerateRequest:
    """``request`` over media frames [start, stop), with the mattes and levels of all of them."""
    if not request.parts:
        masks = mask_tracks(document, clip.media_id, look, start, stop) if request.masks else ()
        wide = replace(request, start=start, stop=stop, sampled=basis, masks=masks)
        return with_levels(wide, look)
    parts: list[GenerateRequest] = []
    wanted = active_parts(document, clip.media_id, look, start, stop)
    if len(wanted) != len(request.parts):
        raise GenerationError("The looks by object have changed.", "Generate the clip again.")
    for (part, tracks), old in zip(wanted, request.parts, strict=True):
        wide = replace(old, start=start, stop=stop, sampled=basis, masks=tracks)
        parts.append(with_levels(wide, part.look))
    return replace(planning.of_parts(parts), sampled=basis)
