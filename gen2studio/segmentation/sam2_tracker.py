"""Carrying mattes with SAM 2, EdgeTAM or the SAM 3 tracker: a streaming session with bounded memory.

The drawn frames are the model's conditioning frames; the frames between and after them are shown to it one by one, and
those before the first one backwards. Every object has a session of its own - so that objects drawn on different frames
don't meet as empty masks - but a frame is encoded once for all of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Extent
from gen2studio.engine.events import Estimate
from gen2studio.engine.mask_tools import MaskContext
from gen2studio.engine.requests import AnchorTrack, PropagateRequest
from gen2studio.models.mask_models import MaskModel
from gen2studio.segmentation.plan import wanted_range
from gen2studio.segmentation.prompts import Mask, matte_of
from gen2studio.segmentation.sam2_model import FAMILIES, PromptableModel, load_promptable
from gen2studio.segmentation.sam_building import Loader

_STAGE = "Carrying masks"


class Sam2Tracker:
    """Implements :class:`MaskTracker` with a video model of the SAM 2 kind. On a CUDA device where there is one."""

    def __init__(self, model: MaskModel, load_torch: Loader) -> None:
        """Nothing is loaded before the first job."""
        self._model = model
        self._load_torch = load_torch
        self._loaded: PromptableModel | None = None

    @property
    def title(self) -> str:
        return self._model.title

    def estimate(self, request: PropagateRequest) -> Estimate:
        """Memory is the weights, one frame, and the memories of a dozen frames per object; time is not known yet."""
        objects = max(1, len(request.objects))
        return Estimate(memory_bytes=2 * self._model.bytes + (600 << 20) + objects * (64 << 20))

    def propagate(self, request: PropagateRequest, context: MaskContext) -> None:
        """Emit a matte for every object and frame of the wanted range that is not an anchor.

        Raises StudioError with one sentence, and Cancelled from ``context``; what was emitted until then stays valid.
        """
        tracks = [track for track in request.objects if track.anchors]
        if not tracks:
            raise StudioError("There is no drawn mask to carry.", "Paint or select the subject on one frame first.")
        if self._loaded is None:
            context.progress(0, 0, f"Loading {self.title}")
            self._loaded = load_promptable(self._model, self._load_torch, video=True)
        with self._loaded.torch.inference_mode():
            _Run(self._loaded, FAMILIES[self._model.family].session, self.title, request, tracks, context).go()


@dataclass
class _Walker:
    """One object on its way."""

    track: AnchorTrack
    session: Any
    anchors: tuple[int, ...]
    present: bool = True
    told: set[int] = field(default_factory=set)


class _Run:
    """One propagation."""

    def __init__(
        self, model: PromptableModel, session: str, title: str, request: PropagateRequest, tracks: list[AnchorTrack],
        context: MaskContext,
    ) -> None:  # fmt: skip
        self._model = model
        self._title = title
        self._context = context
        self._wanted = wanted_range(request)
        self._extent = Extent(request.source.width, request.source.height)
        self._several = len(tracks) > 1
        module = importlib.import_module(type(model.network).__module__)
        make = getattr(module, session)
        self._walkers = [
            _Walker(track, self._new_session(make), tuple(sorted(frame for frame, _ in track.anchors)))
            for track in tracks
        ]
        first = self._walkers[0].session
        for walker in self._walkers[1:]:
            # One encoding of a frame serves every object.
            walker.session.cache = first.cache
        config = model.network.config
        self._reach = max(config.num_maskmem, config.max_object_pointers_in_encoder) + 1
        self._done = 0
        self._total = 1

    def _new_session(self, make: Any) -> Any:
        device = self._model.device
        return make(
            video=None, video_height=self._extent.height, video_width=self._extent.width, inference_device=device,
            inference_state_device="cpu", video_storage_device="cpu", dtype=self._model.torch.float32,
        )  # fmt: skip

    def go(self) -> None:
        ahead = {w.track.object_id: self._frames_ahead(w) for w in self._walkers}
        back = {w.track.object_id: self._frames_back(w) for w in self._walkers}
        frames_ahead = sorted({frame for frames in ahead.values() for frame in frames})
        frames_back = sorted({frame for frames in back.values() for frame in frames}, reverse=True)
        self._total = max(1, len(frames_ahead) + len(frames_back))
        if not frames_ahead and not frames_back:
            return
        self._context.progress(0, self._total, _STAGE)
        for frame in sorted({frame for walker in self._walkers for frame in walker.anchors}):
            self._condition(frame)
        self._walk(frames_ahead, ahead, reverse=False)
        for walker in self._walkers:
            self._forget(walker, None)
        self._walk(frames_back, back, reverse=True)

    def _frames_ahead(self, walker: _Walker) -> set[int]:
        """From the object's first anchor to the end; walked also where only later frames are wanted."""
        wanted = [frame for frame in self._wanted if frame > walker.anchors[0] and frame not in walker.anchors]
        if not wanted:
            return set()
        start = max(anchor for anchor in walker.anchors if anchor < wanted[0])
        return set(range(start + 1, wanted[-1] + 1)) - set(walker.anchors)

    def _frames_back(self, walker: _Walker) -> set[int]:
        wanted = [frame for frame in self._wanted if frame < walker.anchors[0]]
        return set(range(wanted[0], walker.anchors[0])) if wanted else set()

    def _condition(self, frame: int) -> None:
        """Show the model what was drawn on ``frame``."""
        self._context.checkpoint()
        pixels = self._model.pixels(self._picture(frame))
        for walker in self._walkers:
            raster = dict(walker.track.anchors).get(frame)
            if raster is None:
                continue
            if raster.extent != self._extent:
                raise StudioError(
                    f"The mask on frame {frame} is {raster.extent} but the clip is {self._extent}.",
                    "Draw it again on this clip, or import one of the clip's size.",
                )
            session, side = walker.session, self._model.side
            small = cv2.resize(self._context.matte(raster), (side, side), interpolation=cv2.INTER_AREA)
            drawn = self._model.torch.from_numpy(np.asarray(small > 127, np.float32))[None, None]
            session.add_mask_inputs(session.obj_id_to_idx(1), frame, drawn)
            session.obj_with_new_inputs = [1]
            self._model.network(inference_session=session, frame=pixels[0], frame_idx=frame)
            self._let_go(session, frame)

    def _walk(self, order: Sequence[int], wanted: dict[str, set[int]], *, reverse: bool) -> None:
        for frame in order:
            self._context.checkpoint()
            pixels = self._model.pixels(self._picture(frame))
            for walker in self._walkers:
                if frame not in wanted[walker.track.object_id]:
                    continue
                answer = self._model.network(
                    inference_session=walker.session, frame=pixels[0], frame_idx=frame, reverse=reverse
                )
                self._let_go(walker.session, frame)
                self._forget(walker, frame + self._reach if reverse else frame - self._reach)
                if frame in self._wanted:
                    self._emit(walker, frame, answer)
            self._done += 1
            self._context.progress(self._done, self._total, _STAGE)

    def _emit(self, walker: _Walker, frame: int, answer: Any) -> None:
        sure = float(answer.object_score_logits.flatten()[0].float().sigmoid())
        logits = self._model.full_size(answer.pred_masks[0, 0], self._extent.height, self._extent.width)
        mask: Mask = matte_of(logits)
        present = sure > 0.5 and bool((mask > 127).any())
        if not present:
            mask = np.zeros_like(mask)
        name = f"“{walker.track.object_id}” " if self._several else "The subject "
        if walker.present and not present:
            self._context.note(f"{name}was lost: draw a correction at frame {frame} if it is still in view.", frame)
        elif present and not walker.present:
            self._context.note(f"{name}seems to be back on frame {frame}: check it there.", frame)
        walker.present = present
        mask.setflags(write=False)
        confidence = _certainty(logits) * (2 * sure - 1) if present else 0.0
        self._context.emit(walker.track.object_id, frame, mask, round(confidence, 4), self._title)

    def _picture(self, frame: int) -> Any:
        return self._context.source(frame)

    @staticmethod
    def _let_go(session: Any, frame: int) -> None:
        """Keep the place of a frame that was seen (sessions count them) and none of its pixels."""
        session.processed_frames[frame] = session.processed_frames[frame][:, :0, :0]

    @staticmethod
    def _forget(walker: _Walker, frame: int | None) -> None:
        """Drop the memories of ``frame`` - the model does not look further back - or with None of all walked frames."""
        for outputs in walker.session.output_dict_per_obj.values():
            if frame is None:
                outputs["non_cond_frame_outputs"].clear()
            else:
                outputs["non_cond_frame_outputs"].pop(frame, None)


def _certainty(logits: Any) -> float:
    """0…1: how far the inside of a mask is from doubt, on average."""
    inside = logits[logits > 0]
    return float(np.tanh(inside.mean() / 4)) if inside.size else 0.0
