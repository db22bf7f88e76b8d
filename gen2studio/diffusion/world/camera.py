"""The world's camera: pan, zoom and forward travel with exact parallax, and the optical flow that follows from them.

View coordinates have the frame's height span −1…1, x to the right, y down; ``yc`` is y below the horizon. A point at
depth Z with lateral offset X is seen at x = (X − track) / Z − rotate, scaled by zoom about the centre of the frame.
Because every surface of the world is a layer of constant depth or the ground plane, the flow of all that stands still
is a function of disparity and the two camera states alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class View:
    """Camera states of a batch of clips, each [B, T, 1, 1], with the pixel grid ``x`` [1, 1, 1, W], ``y`` [1, 1, H,
    1]."""

    x: Tensor
    y: Tensor
    zoom: Tensor
    rotate: Tensor
    track: Tensor
    forward: Tensor
    horizon: Tensor

    @property
    def xv(self) -> Tensor:
        """Unzoomed, unrotated x of each column [B, T, 1, W]."""
        return self.x / self.zoom + self.rotate

    @property
    def yc(self) -> Tensor:
        """Unzoomed y below the horizon of each row [B, T, H, 1]."""
        return self.y / self.zoom - self.horizon

    def layer(self, disparity: float) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates on an upright layer: (x [B,T,1,W], y [B,T,H,1], its disparity now [B,T,1,1]), in view units of
        the camera's first place."""
        if disparity == 0.0:
            return self.xv, self.yc, torch.zeros_like(self.zoom)
        depth = 1.0 / disparity - self.forward
        return (self.xv * depth + self.track) * disparity, self.yc * depth * disparity, 1.0 / depth

    def ground(self) -> tuple[Tensor, Tensor, Tensor]:
        """Coordinates on the ground plane one unit below the eye: (X, Z, disparity), valid where disparity > 0."""
        disparity = self.yc.clamp(min=1e-3)
        depth = 1.0 / disparity
        return self.xv * depth + self.track, depth + self.forward, disparity

    def flow(self, disparity: Tensor) -> Tensor:
        """Where each pixel of frames 0…T-2 goes in the next frame: [B, T-1, 2, H, W] in view units (x, y)."""
        now, then = slice(None, -1), slice(1, None)
        near = disparity[:, now]
        shrink = 1.0 - near * (self.forward[:, then] - self.forward[:, now])
        xv = (self.xv[:, now] + near * (self.track[:, now] - self.track[:, then])) / shrink
        yc = self.yc[:, now] / shrink
        x = (xv - self.rotate[:, then]) * self.zoom[:, then]
        y = (yc + self.horizon) * self.zoom[:, then]
        return torch.stack(torch.broadcast_tensors(x - self.x, y - self.y), 2)


def make_view(
    moves: list[str], draws: Tensor, frames: int, height: int, width: int, horizon: Tensor, device: torch.device
) -> View:
    """The camera of each clip. ``draws`` [B, 2] in 0…1 sets how much it moves; ``moves`` are words of the vocabulary.

    Speeds are per frame, so a longer clip simply travels further.
    """
    t = torch.arange(frames, device=device, dtype=torch.float32).view(1, frames, 1, 1)
    amount = (0.7 + 0.6 * draws[:, 0]).view(-1, 1, 1, 1)

    def switch(*names: str) -> Tensor:
        return torch.tensor([[float(move in names)] for move in moves], device=device).view(-1, 1, 1, 1)

    pan = (switch("pan right") - switch("pan left")) * amount * t
    zoom = torch.exp((switch("zoom in") - switch("zoom out")) * amount * 0.018 * t)
    # A clip that zooms out starts close, so that the world is seen from about as far in all clips.
    zoom = zoom * (1 + 0.25 * switch("zoom out"))
    ys = (torch.arange(height, device=device) + 0.5) / height * 2 - 1
    xs = ((torch.arange(width, device=device) + 0.5) / width * 2 - 1) * (width / height)
    return View(
        x=xs.view(1, 1, 1, -1).float(),
        y=ys.view(1, 1, -1, 1).float(),
        zoom=zoom + torch.zeros_like(t),
        rotate=pan * 0.012 + torch.zeros_like(t),
        track=pan * 0.03 + torch.zeros_like(t),
        forward=switch("forward") * amount * 0.022 * t,
        horizon=horizon.view(-1, 1, 1, 1),
    )
