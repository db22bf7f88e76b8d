"""What a run is shown: footage, structure, masks, keys, motion guides and references, at the model's size.

Reads through the run's context and hands plain pictures to the family. numpy and OpenCV only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gen2studio.core.errors import GenerationError
from gen2studio.diffusion.families.contract import Clip, Conditions, Matte
from gen2studio.diffusion.framing import Framing, resized
from gen2studio.engine.events import Picture
from gen2studio.engine.generators import RunContext
from gen2studio.engine.reframing import footage_rect
from gen2studio.engine.requests import GenerateRequest

_T = TypeVar("_T")
Depth = NDArray[np.float32]
_SOURCES = ("edges", "depth", "layout", "grey", "flow")
"""What auto takes without a depth pass and a depth network, the first that the model can follow."""
FOOTAGE_MODES = ("stylize", "mask", "render")
_DEPTH_LINES = 288
"""Short side in pixels that depth is estimated at."""


def on_footage(request: GenerateRequest) -> bool:
    """Whether the source's pixels mean something to the request."""
    return not request.from_nothing and (request.mode in FOOTAGE_MODES or any(request.outpaint) or _edits(request))


def _edits(request: GenerateRequest) -> bool:
    return bool(request.masks) and request.region != "all"


def structure_kind(request: GenerateRequest, depth_model: bool, why_not: Mapping[str, str] | None = None) -> str:
    """Which control a request's structure is drawn as: depth_pass, depth, edges, grey, flow, layout or none.

    Auto takes the best that is there: a depth pass, a depth network, else edges. Edits of a region that may invent
    their shape have none; so have shots from nothing without a layout. ``why_not`` says of sources why the model can't
    follow them. Raises GenerationError when such a one is asked for of a model that follows others.
    """
    asked, closed = request.structure_source, why_not or {}
    if closed and all(source in closed for source in _SOURCES):
        return "none"
    if request.layout is not None and (request.from_nothing or not on_footage(request)):
        return "layout"
    if not on_footage(request) or any(request.outpaint) or asked == "none":
        return "none"
    if _edits(request) and request.fill == "free":
        return "none"
    if asked != "auto":
        if asked in closed:
            raise GenerationError(
                f"This model can't follow {asked.replace('_', ' ')}: {closed[asked]}.",
                "Choose another structure source.",
            )
        return asked
    if request.depth_pass is not None and "depth_pass" not in closed:
        return "depth_pass"
    if depth_model and "depth" not in closed:
        return "depth"
    return next(source for source in _SOURCES if source not in closed)


class Gatherer:
    """Prepares the conditions of one request's runs. Everything it returns has the framing's native size."""

    def __init__(
        self,
        request: GenerateRequest,
        context: RunContext,
        framing: Framing,
        depth_folder: Path | None = None,
        structure_why_not: Mapping[str, str] | None = None,
    ) -> None:
        from gen2studio.diffusion.conditioning.depth import best_estimator

        self.request = request
        self.context = context
        self.framing = framing
        self._estimator = best_estimator(depth_folder)
        self.kind = structure_kind(request, not self._estimator.weak, structure_why_not)
        self._told: set[str] = set()

    # -- pictures ------------------------------------------------------------------------------------------------------

    def source(self, frame: int) -> Picture:
        """Footage as the model sees it; with outpainting, inside its borders and grey beyond them."""
        if any(self.request.outpaint):
            return self.framing.into(self.outpainted(frame))
        return self.framing.into(self.context.source(frame))

    def outpainted(self, frame: int) -> Picture:
        """(height, width) output frame with the footage in its place and mid-grey around it."""
        request = self.request
        inside = footage_rect(request)
        canvas = np.full((request.height, request.width, 3), 128, np.uint8)
        whole = self.context.footage(request.source, frame)
        fitted = resized(whole, (inside.width, inside.height))
        canvas[inside.y : inside.bottom, inside.x : inside.right] = fitted
        return canvas

    def border(self) -> Matte | None:
        """255 where the frame reaches beyond the footage."""
        if not any(self.request.outpaint):
            return None
        inside = footage_rect(self.request)
        out = np.full((self.request.height, self.request.width), 255, np.uint8)
        out[inside.y : inside.bottom, inside.x : inside.right] = 0
        return self.framing.mask_into(out)

    def references(self) -> tuple[Picture, ...]:
        """Style and subject images, heaviest first; those of weight 0 are left out."""
        styles = sorted(self.request.styles, key=lambda ref: -ref.weight)
        return tuple(np.ascontiguousarray(self.context.blob(ref)) for ref in styles if ref.weight > 0)

    def key(self, index: int) -> Picture:
        """Key picture ``index`` of the request at the model's size."""
        return self.framing.into(self.context.blob(self.request.keys[index].blob))

    def lead(self, count: int, step: float) -> tuple[Picture, ...]:
        """The last ``count`` frames before the shot, on the model's clock."""
        lead = self.request.lead
        if lead is None:
            return ()
        if lead.stop <= lead.start:
            raise GenerationError("The clip to go on from has no frames.", "Choose another clip, or its end.")
        frames = [max(lead.start, round(lead.stop - (count - i) * step)) for i in range(count)]
        return tuple(self.framing.into(self.context.footage(lead.source, frame)) for frame in frames)

    # -- a run ---------------------------------------------------------------------------------------------------------

    def conditions(
        self, clip: Clip, keys: Sequence[tuple[int, Picture]] = (), known: Sequence[Picture] = ()
    ) -> Conditions:
        """Everything for the frames of ``clip``. ``known`` pictures take its first places."""
        frames = clip.frames
        footage = on_footage(self.request)
        source: tuple[Picture, ...] = ()
        masks: tuple[Matte, ...] = ()
        if footage:
            source = tuple(self._each(frames, self.source, "Reading footage"))
            if _edits(self.request):
                masks = tuple(self._each(frames, self._mask, "Reading masks"))
        return Conditions(
            source=source,
            structure=tuple(self._structure(frames, source)),
            masks=masks,
            keys=tuple(keys),
            references=self.references(),
            lead=tuple(known),
            border=self.border(),
            structure_kind="depth" if self.kind == "depth_pass" else "" if self.kind == "none" else self.kind,
        )

    def _mask(self, frame: int) -> Matte:
        found = self.context.mask(frame)
        if found is None:
            found = np.full((self.request.height, self.request.width), 255, np.uint8)
        return self.framing.mask_into(found)

    def _structure(self, frames: Sequence[int], source: Sequence[Picture]) -> list[Picture]:
        from gen2studio.diffusion.conditioning.structure import control_clip

        kind = self.kind
        if kind == "none":
            return []
        unique = list(dict.fromkeys(frames))
        level = [self.request.control("structure", frame) for frame in unique]
        if kind == "layout" and self.request.layout is not None:
            picture = self.framing.into(self.context.blob(self.request.layout))
            drawn_at = {each: control_clip("layout", [picture], level=each)[0] for each in set(level)}
            at = dict(zip(unique, level, strict=True))
            return [drawn_at[at[frame]] for frame in frames]
        if kind in ("depth", "depth_pass"):
            made = self._depth(unique) if kind == "depth" else self._depth_pass(unique)
            drawn = control_clip("depth", made, level=level, depth=[_plane(picture) for picture in made])
        else:
            by_frame = dict(zip(frames, source, strict=True))
            drawn = control_clip(kind, [by_frame[frame] for frame in unique], level=level)
        table = dict(zip(unique, drawn, strict=True))
        return [table[frame] for frame in frames]

    def _depth(self, frames: Sequence[int]) -> list[Picture]:
        from gen2studio.diffusion.conditioning.depth import depth_pictures

        if self._estimator.weak:
            self._tell(f"The depth is a guess: {self._estimator.title}.")
        scale = min(1.0, _DEPTH_LINES / min(self.request.width, self.request.height))
        size = (max(16, round(self.request.width * scale)), max(16, round(self.request.height * scale)))
        looked_at = [resized(self.context.source(frame), size) for frame in frames]

        def tick(done: int, total: int) -> None:
            self.context.progress(done, total, "Estimating depth")

        return [self.framing.into(p) for p in depth_pictures(self._estimator.estimate(looked_at, tick))]

    def _depth_pass(self, frames: Sequence[int]) -> list[Picture]:
        from gen2studio.diffusion.conditioning.depth import depth_pictures
        from gen2studio.diffusion.conditioning.depth_pass import read_depth_pass

        ref = self.request.depth_pass
        if ref is None:
            raise GenerationError("The clip has no depth pass.", "Add one, or choose another structure source.")
        depths = read_depth_pass(
            Path(ref.path),
            frames,
            (self.request.width, self.request.height),
            near_is_white=ref.near_is_white,
            near=ref.near,
            far=ref.far,
            footage_frames=self.request.source.frame_count,
        )
        return [self.framing.into(p) for p in depth_pictures(depths)]

    def depth_of(self, picture: Picture) -> Depth:
        """The estimated depth of one model picture, for parallax."""
        if self._estimator.weak:
            self._tell(f"The parallax comes from a guess of the depth: {self._estimator.title}.")
        return self._estimator.estimate([picture])[0]

    def _each(self, frames: Sequence[int], read: Callable[[int], _T], stage: str) -> list[_T]:
        table: dict[int, _T] = {}
        for frame in frames:
            if frame not in table:
                self.context.progress(len(table), len(frames), stage)
                table[frame] = read(frame)
        return [table[frame] for frame in frames]

    def _tell(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.context.note(text)


def _plane(picture: Picture) -> Depth:
    return (picture[..., 0].astype(np.float32) / 255).astype(np.float32)
