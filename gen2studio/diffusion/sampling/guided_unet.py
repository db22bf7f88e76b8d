"""A UNet with motion modules as one job sees it: long clips in windows, frame-consistency guidance, control pictures,
style images, cancelling between blocks.

Nothing is changed on the model itself beyond one call: what a call installs is gone when it returns. A job that another
one interrupts at a step finds the model as it left it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

from gen2studio.diffusion.sampling import consistency as frame_consistency
from gen2studio.diffusion.sampling.image_prompt import ImagePrompt
from gen2studio.diffusion.sampling.jobs import stopping
from gen2studio.diffusion.sampling.step_reuse import StepReuse
from gen2studio.diffusion.sampling.windows import predict_windows

Tensor = torch.Tensor


class Control:
    """What a ControlNet was asked at one step. Its answer, some 16 MB a frame at 512 x 512 in bf16, is computed for the
    frames of one window at a time, never for a whole clip."""

    def __init__(self, model: Any, call: dict[str, Any], count: int) -> None:
        self._model = model
        self._call = call
        self._count = count

    def residuals(self, rows: slice, frames: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """(of the way down, of the middle) for some frames of the clips ``rows`` of the batch."""
        cut = {name: _cut(value, rows, frames, self._count) for name, value in self._call.items()}
        down, middle = self._model(**cut, return_dict=False)
        return tuple(down), middle


def stand_in_for_control(model: Any, check: Callable[[], None], count: int) -> Any:
    """A ControlNet for one job that shares the weights of ``model`` and answers with a :class:`Control`.

    ``count`` is the number of frames of the clip. It is of the same class, which pipelines ask for.
    """
    shared = copy.copy(model)

    def forward(sample: Tensor, timestep: Any, *, return_dict: bool = True, **call: Any) -> tuple[Control, None]:
        del return_dict

        def run(**cut: Any) -> Any:
            with stopping(_blocks(model), check):
                return model(**cut)

        return Control(run, {"sample": sample.to(model.dtype), "timestep": timestep, **call}, count), None

    shared.__dict__["forward"] = forward
    return shared


class GuidedUnet(torch.nn.Module):
    """Stands in for ``pipe.unet`` in one job's pipeline; everything it does not know it asks the model.

    With a neutral consistency and a clip of one window a call is the model's own call. ``check`` is called before every
    block of the model and raises to stop at once.

    For frame consistency μ^π is the image model itself: the same weights with the motion modules passed over, which is
    what the frames' batch is to Stable Diffusion (:mod:`gen2studio.diffusion.sampling.consistency`).
    """

    def __init__(
        self,
        model: Any,
        check: Callable[[], None],
        *,
        window: int = 0,
        overlap: int = 0,
        consistency: float = frame_consistency.NEUTRAL,
        style: ImagePrompt | None = None,
        reuse: StepReuse | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._check = check
        self._window = window
        self._overlap = overlap
        self._consistency = consistency
        self._style = style
        self._reuse = reuse or StepReuse(0, 0)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    def forward(
        self,
        sample: Tensor,
        timestep: Any,
        *,
        down_block_additional_residuals: Control | None = None,
        mid_block_additional_residual: None = None,
        added_cond_kwargs: dict[str, Any] | None = None,
        **call: Any,
    ) -> Any:
        """As :meth:`UNetMotionModel.forward`: ``sample`` (B, C, F, h, w), B = 2 with guidance, without words first."""
        del mid_block_additional_residual, added_cond_kwargs
        call.pop("return_dict", None)
        call["timestep"] = timestep
        with ExitStack() as scope:
            scope.enter_context(stopping(_blocks(self.model), self._check))
            if self._style is not None:
                scope.enter_context(self._style.installed(self.model))
            made = self._reuse.predict(
                self, "all", sample, lambda: self._predict(sample, call, down_block_additional_residuals)
            )
        from diffusers.models.unets.unet_motion_model import UNetMotionOutput

        return UNetMotionOutput(sample=made)

    def _predict(self, sample: Tensor, call: dict[str, Any], control: Control | None) -> Tensor:
        video = self._video(sample, call, control, slice(0, len(sample)))
        if not frame_consistency.active(self._consistency) or sample.shape[2] < 2:
            return video
        # The pipeline computes u + ω(c − u) from what it is handed. Handing it v = μ^π + ω_t(μ − μ^π) for u and
        # c + v − u for c makes that v + ω(c − u): the three terms. Without text guidance there is one prediction, with
        # words, and the same blend of it.
        with motion_off(self.model):
            frames = self._frames(sample[:1], call, control)
        plain = video[:1]
        blended = frame_consistency.combine(frames, plain, self._consistency)
        return video + (blended - plain)

    def _video(self, sample: Tensor, call: dict[str, Any], control: Control | None, rows: slice) -> Tensor:
        def predict(part: Tensor, chosen: Tensor) -> Tensor:
            return self._part(part, call, control, rows, chosen, sample.shape[2])

        return predict_windows(predict, sample, self._window, self._overlap, 0)

    def _frames(self, sample: Tensor, call: dict[str, Any], control: Control | None) -> Tensor:
        count = sample.shape[2]
        batch = max(1, min(self._window or count, count))
        parts: list[Tensor] = []
        for begin in range(0, count, batch):
            chosen = torch.arange(begin, min(count, begin + batch), device=sample.device)
            parts.append(
                self._part(sample.index_select(2, chosen), call, control, slice(0, len(sample)), chosen, count)
            )
        return torch.cat(parts, 2)

    def _part(
        self, part: Tensor, call: dict[str, Any], control: Control | None, rows: slice, chosen: Tensor, count: int
    ) -> Tensor:
        """The prediction, in ``part``'s type, for some frames of the clip."""
        cut = {name: _cut(value, rows, chosen, count) for name, value in call.items()}
        if control is not None:
            down, middle = control.residuals(rows, chosen)
            cut |= {"down_block_additional_residuals": down, "mid_block_additional_residual": middle}
        if self._style is not None:
            cut["added_cond_kwargs"] = {"image_embeds": self._style.embeddings(rows)}
        return self.model(sample=part.to(self.model.dtype), **cut, return_dict=False)[0].to(part.dtype)


def _blocks(model: Any) -> Iterable[Any]:
    return (*model.down_blocks, model.mid_block, *getattr(model, "up_blocks", ()))


def _cut(value: Any, rows: slice, frames: Tensor, count: int) -> Any:
    """The part of an argument that belongs to some frames of the clips ``rows`` of the batch.

    Arguments that have a row for every frame of every clip, clip after clip, are cut; others are for all.
    """
    if not isinstance(value, torch.Tensor) or value.ndim < 3 or value.shape[0] % count:
        return value
    by_clip = value.unflatten(0, (-1, count))[rows]
    return by_clip.index_select(1, frames).flatten(0, 1)


def motion_modules(model: Any) -> tuple[Any, ...]:
    """Everything of a UNetMotionModel that looks along time."""
    blocks: Sequence[Any] = (*model.down_blocks, model.mid_block, *model.up_blocks)
    return tuple(module for block in blocks for module in getattr(block, "motion_modules", None) or ())


@contextmanager
def motion_off(model: Any) -> Generator[None]:
    """Pass over the motion modules: every frame is a picture of its own, as Stable Diffusion makes it."""
    changed: list[tuple[Any, Any]] = []
    try:
        for module in motion_modules(model):
            changed.append((module, module.__dict__.get("forward")))
            module.__dict__["forward"] = _passed_over
        yield
    finally:
        for module, before in changed:
            if before is None:
                module.__dict__.pop("forward", None)
            else:
                module.__dict__["forward"] = before


def _passed_over(hidden_states: Tensor, *_: Any, **__: Any) -> Tensor:
    return hidden_states
