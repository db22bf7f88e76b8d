"""Clips of the world with everything that is true of them: colour, disparity, subject mask, optical flow.

A batch shares scene, subject, style and time, so that every step is one operation on [B, T, H, W] tensors; colour,
direction, speed, camera and geometry differ from clip to clip.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor

from gen2studio.diffusion.vocabulary import COLOURS
from gen2studio.diffusion.world.camera import make_view
from gen2studio.diffusion.world.fields import smooth
from gen2studio.diffusion.world.grammar import ClipSpec
from gen2studio.diffusion.world.lighting import colour
from gen2studio.diffusion.world.scenes import paint_scene
from gen2studio.diffusion.world.styles import STYLE_FUNCTIONS
from gen2studio.diffusion.world.subjects import BODIES

SUPERSAMPLE = 2
DRAWS = 32


@dataclass
class Clips:
    """``rgb`` [B, T, 3, H, W] 0…1; ``disparity`` [B, T, H, W] 1/depth (0 = infinitely far, about 1 at the bottom edge);
    ``mask`` [B, T, H, W] subject coverage 0…1; ``flow`` [B, T−1, 2, H, W] pixels (x, y) from each frame to the next."""

    rgb: Tensor
    disparity: Tensor
    mask: Tensor
    flow: Tensor

    def __getitem__(self, index: int) -> Clips:
        picked = slice(index, index + 1)
        return Clips(self.rgb[picked], self.disparity[picked], self.mask[picked], self.flow[picked])


def _pooled(field: Tensor) -> Tensor:
    flat = field.reshape(-1, 1, *field.shape[-2:])
    small = functional.avg_pool2d(flat, SUPERSAMPLE, SUPERSAMPLE)
    return small.reshape(*field.shape[:-2], *small.shape[-2:])


@torch.no_grad()
def render_batch(
    specs: Sequence[ClipSpec],
    frames: int = 17,
    height: int = 128,
    width: int = 128,
    *,
    device: str | torch.device = "cpu",
    start: int = 0,
) -> Clips:
    """Render clips that agree in scene, subject, style and time. ``start`` is the first frame's place in a 17-frame
    shot. The same spec and size give the same clip, whatever else is in the batch. Raises ValueError on a mixed
    batch."""
    first = specs[0]
    if any(
        (s.scene, s.subject, s.style, s.time) != (first.scene, first.subject, first.style, first.time) for s in specs
    ):
        raise ValueError("A batch shares scene, subject, style and time; group the specs first.")
    place = torch.device(device)
    table = torch.from_numpy(np.stack([np.random.default_rng(s.seed).random(DRAWS) for s in specs])).float().to(place)
    column = iter(range(DRAWS))

    def draw() -> Tensor:
        return table[:, next(column)].view(-1, 1, 1, 1)

    horizon = (-0.05 + 0.30 * draw()) * (0.4 if first.scene == "room" else 1.0) - (
        0.15 if first.scene == "room" else 0.0
    )
    moves = torch.stack((draw().flatten(), draw().flatten()), 1)
    total = start + frames
    big_h, big_w = height * SUPERSAMPLE, width * SUPERSAMPLE
    view = make_view([s.camera for s in specs], moves, total, big_h, big_w, horizon.flatten(), place)
    for name in ("zoom", "rotate", "track", "forward"):
        setattr(view, name, getattr(view, name)[:, start:])
    seconds = torch.arange(start, total, device=place, dtype=torch.float32).view(1, -1, 1, 1)
    # The subject's numbers come first, so that its place does not depend on how many the scene needs.
    depth_draw, place_draw, phase_draw, speed_draw = draw(), draw(), draw(), draw()
    canvas = paint_scene(first.scene, first.time, view, draw, seconds)
    mask = torch.zeros_like(canvas.disparity)
    motion: Tensor | None = None
    if first.subject != "none":
        body = BODIES[first.subject]
        facing = torch.tensor([-1.0 if s.direction == "left" else 1.0 for s in specs], device=place).view(-1, 1, 1, 1)
        moving = torch.tensor([float(s.direction != "still") for s in specs], device=place).view(-1, 1, 1, 1)
        speed = torch.tensor([0.022 if s.speed == "slowly" else 0.055 for s in specs], device=place).view(-1, 1, 1, 1)
        near = 0.46 + 0.20 * depth_draw
        if body.lift:
            near = near * 0.85
        depth = 1.0 / near
        travel = facing * moving * speed * (0.85 + 0.3 * speed_draw) * (seconds - 8.0)
        xv = (place_draw - 0.5) * 0.5 * (1 - 0.5 * moving) + travel
        world_x = xv * depth + view.track * 0
        now = depth - view.forward
        paint = torch.tensor([COLOURS[s.colour] for s in specs], device=place).T.reshape(3, -1, 1, 1, 1)
        phase = phase_draw * 3 + travel * facing / (near * body.size) + (0.12 * seconds if body.lift else 0.0)
        cruising = body.lift * (0.9 + 0.25 * phase_draw)
        foot = 1.0 - cruising + body.bob * torch.sin(seconds * 0.45 + phase_draw * 6)
        lx = ((view.xv * now + view.track) - world_x) / body.size * facing
        ly = (foot - view.yc * now) / body.size
        if body.lift == 0.0 and first.scene != "sea":
            spread = (((lx / 0.75) ** 2) if first.subject != "car" else (lx / 1.35) ** 2) + (ly / 0.12) ** 2
            canvas.rgb = canvas.rgb * (1 - 0.5 * smooth(1.2, 0.2, spread)).unsqueeze(0)
        key = colour(canvas.light.key, canvas.rgb)
        # Subjects keep some colour of their own at night, else nothing could be told of them.
        lamp = key * 0.72 + 0.28
        soft = 2.2 / (big_h / 2) / body.size / 0.5
        haze = 1.0 - torch.exp(-canvas.light.density * 0.35 / near)
        for alpha, albedo in body.parts(lx, ly, paint, phase, soft):
            seen = albedo * lamp
            seen = seen + haze * (colour(canvas.light.haze, canvas.rgb) - seen)
            canvas.rgb = canvas.rgb + alpha * (seen - canvas.rgb)
            mask = torch.maximum(mask, alpha)
        canvas.disparity = torch.where(mask > 0.5, (1.0 / now).expand_as(mask), canvas.disparity)
        if frames > 1:
            step = world_x[:, 1:] - world_x[:, :-1]
            rise = foot[:, 1:] - foot[:, :-1] + torch.zeros_like(step)
            motion = torch.stack((step / now[:, 1:], rise / now[:, 1:]), 2) * view.zoom[:, 1:].unsqueeze(2)
    ys = (torch.arange(big_h, device=place).float() + 0.5) / SUPERSAMPLE
    xs = (torch.arange(big_w, device=place).float() + 0.5) / SUPERSAMPLE
    styled = STYLE_FUNCTIONS[first.style](
        canvas.rgb.clamp(0, 1), mask, canvas.disparity, xs.view(1, 1, 1, -1), ys.view(1, 1, -1, 1)
    )
    rgb = _pooled(styled.clamp(0, 1)).permute(1, 2, 0, 3, 4).contiguous()
    flow = view.flow(canvas.disparity) if frames > 1 else torch.zeros(len(specs), 0, 2, big_h, big_w, device=place)
    if motion is not None:
        flow = torch.where((mask[:, :-1] > 0.5).unsqueeze(2), flow + motion, flow)
    # View units to output pixels: the frame's height spans two units.
    flow = flow[..., ::SUPERSAMPLE, ::SUPERSAMPLE] * (height / 2)
    return Clips(rgb, _pooled(canvas.disparity), _pooled(mask), flow)


def render_specs(specs: Sequence[ClipSpec], frames: int = 17, height: int = 128, width: int = 128,
                 *, device: str | torch.device = "cpu", start: int = 0, largest: int = 8) -> Clips:  # fmt: skip
    """Any specs, grouped into batches of at most ``largest`` and put back in order."""
    groups: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
    for index, spec in enumerate(specs):
        groups[(spec.scene, spec.subject, spec.style, spec.time)].append(index)
    done: dict[int, Clips] = {}
    for members in groups.values():
        for begin in range(0, len(members), largest):
            part = members[begin : begin + largest]
            batch = render_batch([specs[i] for i in part], frames, height, width, device=device, start=start)
            done.update((index, batch[place]) for place, index in enumerate(part))
    ordered = [done[index] for index in range(len(specs))]
    return Clips(
        torch.cat([c.rgb for c in ordered]),
        torch.cat([c.disparity for c in ordered]),
        torch.cat([c.mask for c in ordered]),
        torch.cat([c.flow for c in ordered]),
    )
