"""The transformer as one job sees it: long clips in windows, frame-consistency guidance, cancelling between blocks.

Nothing is changed on the model itself. A job that another one interrupts at a step finds it as it left it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch

from gen2studio.diffusion.runtime.ways import is_compiled
from gen2studio.diffusion.sampling import consistency as frame_consistency
from gen2studio.diffusion.sampling.step_reuse import StepReuse
from gen2studio.diffusion.sampling.windows import predict_windows, spans

Tensor = torch.Tensor


class GuidedTransformer(torch.nn.Module):
    """Stands in for ``pipe.transformer`` in one job's pipeline; everything it does not know it asks the model.

    ``check`` is called before every transformer block and raises to stop at once. With a neutral consistency and a
    clip of one window a call is the model's own call; ``reuse`` says which steps of a job are not computed at all.

    Serves every Wan transformer. What a call brings along the frames - control latents (B, C, T, h, w), a time for
    every token (B, T · cells) - is cut with them. The first ``references`` latent frames are seen by every window and
    by every frame that is run on its own: reference images, or the picture that a shot begins with.
    """

    def __init__(
        self,
        model: Any,
        check: Callable[[], None],
        *,
        references: int = 0,
        window: int = 0,
        overlap: int = 0,
        consistency: float = frame_consistency.NEUTRAL,
        negative: Tensor | None = None,
        reuse: StepReuse | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self._check = check
        self._references = references
        self._window = window
        self._overlap = overlap
        self._consistency = consistency
        self._negative = negative
        self._reuse = reuse or StepReuse(0, 0)
        self._pass = "cond"
        self._held: Tensor | None = None
        self.started: Callable[[], None] = lambda: None
        """Called before the first prediction: everything has been encoded by then."""
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("model"), name)

    @contextmanager
    def cache_context(self, name: str, **place: Any) -> Generator[None]:
        """Told by the pipeline which prediction comes next, "cond" or "uncond", and of some at which ``place``."""
        self._pass = name
        with self.model.cache_context(name, **place):
            yield

    def forward(self, hidden_states: Tensor, **call: Any) -> tuple[Tensor]:
        """As :meth:`WanVACETransformer3DModel.forward` with ``return_dict=False``."""
        if not self._begun:
            self._begun = True
            self.started()
        blocks = (*getattr(self.model, "vace_blocks", ()), *self.model.blocks)
        # A compiled block calls no hooks: a job then stops between steps.
        handles = [block.register_forward_pre_hook(self._stop_here) for block in blocks if not is_compiled(block)]
        self._check()
        try:
            return (self._reuse.predict(self, self._pass, hidden_states, lambda: self._predict(hidden_states, call)),)
        finally:
            for handle in handles:
                handle.remove()

    def _stop_here(self, *_: Any) -> None:
        self._check()

    def _predict(self, hidden: Tensor, call: dict[str, Any]) -> Tensor:
        if not frame_consistency.active(self._consistency) or hidden.shape[2] - self._references < 2:
            return self._video(hidden, call)
        if self._pass == "uncond" and self._held is not None:
            held, self._held = self._held, None
            return held
        video = self._video(hidden, call)
        if self._negative is None:
            # Without text guidance there is no prediction without words: the same blend of the predictions with them.
            return frame_consistency.combine(self._frames(hidden, call, video), video, self._consistency)
        # The pipeline computes u + ω(c − u) from what it is handed. Handing it v = μ^π + ω_t(μ − μ^π) for u and
        # c + v − u for c makes that v + ω(c − u): the three terms.
        without = {**call, "encoder_hidden_states": self._negative}
        plain = self._video(hidden, without)
        blended = frame_consistency.combine(self._frames(hidden, without, plain), plain, self._consistency)
        self._held = blended
        return (video.float() + blended.float() - plain.float()).to(video.dtype)

    def _video(self, hidden: Tensor, call: dict[str, Any]) -> Tensor:
        count = hidden.shape[2]
        if len(spans(count - self._references, self._window, self._overlap)) == 1:
            return self.model(hidden_states=hidden, **call)[0]

        def predict(part: Tensor, chosen: Tensor) -> Tensor:
            return self.model(hidden_states=part, **_at(call, [chosen], count))[0]

        return predict_windows(predict, hidden, self._window, self._overlap, self._references)

    def _frames(self, hidden: Tensor, call: dict[str, Any], video: Tensor) -> Tensor:
        count = hidden.shape[2]

        def predict(rows: Tensor, chosen: list[Tensor]) -> Tensor:
            return self.model(hidden_states=rows, **_at(call, chosen, count))[0]

        return frame_consistency.predict_frames(predict, hidden, self._references, video)


def _at(call: dict[str, Any], rows: list[Tensor], count: int) -> dict[str, Any]:
    """The arguments of a call of batch 1 over ``count`` latent frames, for a batch of clips made of some of them.

    ``rows`` holds the indices of each clip's frames.
    """
    made = dict(call)
    for name, value in call.items():
        if not isinstance(value, torch.Tensor):
            continue
        if name == "control_hidden_states":
            made[name] = torch.cat([value.index_select(2, row) for row in rows])
        elif name == "timestep" and value.ndim == 2:
            by_frame = value.view(1, count, -1)
            made[name] = torch.cat([by_frame.index_select(1, row).flatten(1) for row in rows])
        elif name == "timestep":
            made[name] = value.expand(len(rows))
        elif name.startswith("encoder_hidden_states") and len(rows) > 1:
            # An image branch may read two pictures of one clip, as a batch of two.
            made[name] = value.repeat(len(rows), 1, 1)
    return made
