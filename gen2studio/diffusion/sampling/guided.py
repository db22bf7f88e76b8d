"""The transformer as one job sees it: long clips in windows, frame-consistency guidance, cancelling between blocks.

Nothing is changed on the model itself. A job that another one interrupts at a step finds it as it left it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import torch

from gen2studio.diffusion.sampling import consistency as frame_consistency
from gen2studio.diffusion.sampling.windows import predict_windows, spans

Tensor = torch.Tensor


class GuidedTransformer(torch.nn.Module):
    """Stands in for ``pipe.transformer`` in one job's pipeline; everything it does not know it asks the model.

    ``check`` is called before every transformer block and raises to stop at once. With a neutral consistency and a
    clip of one window a call is the model's own call.
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
    ) -> None:
        super().__init__()
        self.model = model
        self._check = check
        self._references = references
        self._window = window
        self._overlap = overlap
        self._consistency = consistency
        self._negative = negative
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
    def cache_context(self, name: str) -> Generator[None]:
        """Told by the pipeline which prediction comes next, "cond" or "uncond"."""
        self._pass = name
        with self.model.cache_context(name):
            yield

    def forward(self, hidden_states: Tensor, **call: Any) -> tuple[Tensor]:
        """As :meth:`WanVACETransformer3DModel.forward` with ``return_dict=False``."""
        if not self._begun:
            self._begun = True
            self.started()
        handles = [
            block.register_forward_pre_hook(self._stop_here) for block in (*self.model.vace_blocks, *self.model.blocks)
        ]
        try:
            return (self._predict(hidden_states, call),)
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
        if len(spans(hidden.shape[2] - self._references, self._window, self._overlap)) == 1:
            return self.model(hidden_states=hidden, **call)[0]

        def predict(part: Tensor, control: Tensor) -> Tensor:
            return self.model(hidden_states=part, **{**call, "control_hidden_states": control})[0]

        return predict_windows(
            predict, hidden, call["control_hidden_states"], self._window, self._overlap, self._references
        )

    def _frames(self, hidden: Tensor, call: dict[str, Any], video: Tensor) -> Tensor:
        def predict(rows: Tensor, control: Tensor, batch: int) -> Tensor:
            mine = {
                **call,
                "control_hidden_states": control,
                "timestep": call["timestep"].expand(batch),
                "encoder_hidden_states": call["encoder_hidden_states"].expand(batch, -1, -1),
            }
            return self.model(hidden_states=rows, **mine)[0]

        return frame_consistency.predict_frames(predict, hidden, call["control_hidden_states"], self._references, video)
