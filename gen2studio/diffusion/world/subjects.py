"""The seven things that can be in a clip, built of distance functions in a local frame one unit tall.

Local x points the way the subject faces, local y up from its foot. ``phase`` [B, T, 1, 1] is the travelled distance in
body lengths: it turns wheels, swings legs and beats wings.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gen2studio.diffusion.world.fields import box, capsule, circle, smooth
from gen2studio.diffusion.world.lighting import colour

Part = tuple[Tensor, Tensor]
"""(alpha [B,T,H,W], albedo broadcastable to [3,B,T,H,W])"""


@dataclass(frozen=True)
class Body:
    """How large a subject is (height in units of the eye's height above the ground), how high it flies, and its
    shape."""

    size: float
    lift: float
    parts: Callable[[Tensor, Tensor, Tensor, Tensor, float], list[Part]]
    bob: float = 0.0


def _fill(distance: Tensor, soft: float) -> Tensor:
    return smooth(soft, -soft, distance)


def _shade(paint: Tensor, amount: Tensor) -> Tensor:
    return paint * amount.unsqueeze(0)


def _ball(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    radius = 0.5
    inside = _fill(circle(x, y, 0.0, radius, radius), soft)
    light = 0.72 + 0.5 * smooth(0.75, 0.0, torch.sqrt((x + 0.15) ** 2 + (y - 0.68) ** 2))
    angle = phase * 2.0
    across = x * torch.cos(angle) - (y - radius) * torch.sin(angle)
    stripe = smooth(0.13 + soft, 0.13 - soft, across.abs())
    pale = paint + 0.75 * (1 - paint)
    pale = torch.where(paint.mean(0, keepdim=True) > 0.8, paint * 0.45, pale)
    return [(inside, _shade(paint, light)), (inside * stripe, _shade(pale, light))]


def _car(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    dark, glass = colour((0.08, 0.08, 0.09), x), colour((0.55, 0.72, 0.82), x)
    body = _fill(box(x, y, 0.0, 0.40, 1.15, 0.22, 0.14), soft)
    cabin = _fill(box(x + 0.10, y, 0.0, 0.72, 0.62, 0.26, 0.20), soft)
    window = _fill(torch.maximum(box(x + 0.10, y, 0.0, 0.74, 0.50, 0.15, 0.10), 0.03 - (x + 0.10).abs()), soft)
    light = 0.78 + 0.34 * smooth(0.1, 0.95, y)
    parts: list[Part] = [(cabin, _shade(paint, light)), (window, glass), (body, _shade(paint, light))]
    for wheel in (-0.68, 0.68):
        away = circle(x, y, wheel, 0.22, 0.22)
        parts.append((_fill(away, soft), dark))
        hub = _fill(away + 0.11, soft)
        spoke = 0.6 + 0.25 * torch.sign(torch.sin(4 * torch.atan2(y - 0.22, x - wheel) - phase * 9))
        parts.append((hub, _shade(colour((0.85, 0.85, 0.88), x), spoke)))
    parts.append((_fill(circle(x, y, 1.10, 0.46, 0.07), soft), colour((1.0, 0.95, 0.7), x)))
    return parts


def _boat(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    hull = torch.maximum(torch.maximum(x.abs() - 0.52 - 0.55 * (y - 0.02), y - 0.24), -y + 0.01)
    mast = box(x, y, 0.0, 0.60, 0.014, 0.40)
    sail = torch.maximum(torch.maximum(0.03 - x, 0.30 - y), x * 1.45 + y - 0.98)
    jib = torch.maximum(torch.maximum(x + 0.035, 0.32 - y), -x * 2.0 + y - 0.90)
    cloth = colour((0.96, 0.95, 0.90), x)
    light = 0.70 + 0.8 * y.clamp(0, 0.5)
    return [
        (_fill(mast, soft), colour((0.35, 0.24, 0.15), x)),
        (_fill(sail, soft), _shade(cloth, 0.9 + 0.12 * y)),
        (_fill(jib, soft), _shade(paint * 0.5 + cloth * 0.5, 0.9 + 0.12 * y)),
        (_fill(hull, soft), _shade(paint, light)),
    ]


def _dog(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    swing, wag = torch.sin(phase * 5.0) * 0.17, 0.08 * torch.sin(phase * 9.0)
    torso = capsule(x, y, -0.42, 0.58, 0.34, 0.62, 0.185)
    neck = capsule(x, y, 0.34, 0.66, 0.55, 0.86, 0.12)
    head = torch.minimum(circle(x, y, 0.58, 0.90, 0.155), capsule(x, y, 0.62, 0.87, 0.82, 0.83, 0.075))
    tail = capsule(x, y, -0.56, 0.64, -0.80, 0.86 + wag, 0.05)
    legs: list[Tensor] = []
    for hip, sign in ((-0.44, 1.0), (-0.34, -1.0), (0.26, -1.0), (0.36, 1.0)):
        legs.append(capsule(x, y, hip, 0.50, hip + sign * swing, 0.05, 0.062))
    front, back = torch.minimum(legs[0], legs[3]), torch.minimum(legs[1], legs[2])
    light = 0.74 + 0.32 * smooth(0.1, 0.9, y)
    coat = _shade(paint, light)
    ear = capsule(x, y, 0.52, 0.99, 0.46, 0.80, 0.055)
    dark = colour((0.05, 0.05, 0.05), x)
    whole = torch.minimum(torch.minimum(torso, neck), torch.minimum(head, torch.minimum(tail, front)))
    return [
        (_fill(back, soft), coat * 0.6),
        (_fill(whole, soft), coat),
        (_fill(ear, soft), coat * 0.62),
        (_fill(circle(x, y, 0.62, 0.93, 0.03), soft), dark),
        (_fill(circle(x, y, 0.88, 0.85, 0.045), soft), dark),
    ]


def _person(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    swing = torch.sin(phase * 6.0)
    skin, trousers = colour((0.90, 0.70, 0.56), x), colour((0.20, 0.22, 0.32), x)
    foot_a, foot_b = 0.17 * swing, -0.17 * swing
    leg_a = capsule(x, y, 0.0, 0.46, foot_a, 0.04, 0.055)
    leg_b = capsule(x, y, 0.0, 0.46, foot_b, 0.04, 0.055)
    arm_a = capsule(x, y, 0.0, 0.74, -0.15 * swing, 0.46, 0.042)
    arm_b = capsule(x, y, 0.0, 0.74, 0.15 * swing, 0.46, 0.042)
    torso = capsule(x, y, 0.0, 0.52, 0.0, 0.72, 0.105)
    head, hair = circle(x, y, 0.02, 0.90, 0.088), circle(x, y, 0.0, 0.925, 0.092)
    light = 0.78 + 0.26 * smooth(0.2, 0.8, y)
    shirt = _shade(paint, light)
    return [
        (_fill(arm_b, soft), shirt * 0.65),
        (_fill(leg_b, soft), trousers * 0.7),
        (_fill(leg_a, soft), trousers),
        (_fill(torso, soft), shirt),
        (_fill(arm_a, soft), shirt * 0.85),
        (_fill(hair, soft), colour((0.22, 0.14, 0.09), x)),
        (_fill(torch.maximum(head, -(x + 0.035)), soft), skin),
    ]


def _bird(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    beat = torch.sin(phase * 4.0 + x.new_tensor(0.4)) * 0.42 + 0.12
    body = capsule(x, y, -0.34, 0.46, 0.30, 0.54, 0.14)
    head = circle(x, y, 0.42, 0.60, 0.13)
    tail = capsule(x, y, -0.40, 0.46, -0.68, 0.46, 0.06)
    beak = capsule(x, y, 0.52, 0.60, 0.68, 0.57, 0.035)
    near = capsule(x, y, 0.06, 0.54, -0.22, 0.54 + beat, 0.11)
    tip = capsule(x, y, -0.22, 0.54 + beat, -0.50, 0.52 + beat * 1.35, 0.07)
    far = capsule(x, y, 0.10, 0.54, 0.02, 0.54 + beat * 0.9, 0.09)
    light = 0.75 + 0.4 * smooth(0.2, 0.9, y)
    plumage = _shade(paint, light)
    return [
        (_fill(far, soft), plumage * 0.6),
        (_fill(torch.minimum(torch.minimum(body, head), tail), soft), plumage),
        (_fill(torch.minimum(near, tip), soft), plumage * 0.82),
        (_fill(beak, soft), colour((0.98, 0.70, 0.15), x)),
        (_fill(circle(x, y, 0.46, 0.63, 0.028), soft), colour((0.03, 0.03, 0.03), x)),
    ]


def _balloon(x: Tensor, y: Tensor, paint: Tensor, phase: Tensor, soft: float) -> list[Part]:
    envelope = torch.minimum(circle(x, y, 0.0, 0.66, 0.34), torch.maximum(
        torch.maximum(x.abs() - 0.07 - 0.62 * (y - 0.26), y - 0.62), 0.26 - y))  # fmt: skip
    stripe = torch.sign(torch.sin(torch.asin((x / 0.36).clamp(-0.99, 0.99)) * 6.0))
    pale = torch.where(paint.mean(0, keepdim=True) > 0.8, paint * 0.55, paint + 0.65 * (1 - paint))
    light = 0.72 + 0.5 * smooth(0.5, 0.0, torch.sqrt((x + 0.12) ** 2 + (y - 0.76) ** 2))
    cloth = torch.where(stripe.unsqueeze(0) > 0.4, pale, paint)
    ropes = torch.minimum(
        capsule(x, y, -0.07, 0.28, -0.055, 0.12, 0.008), capsule(x, y, 0.07, 0.28, 0.055, 0.12, 0.008)
    )
    return [
        (_fill(ropes, soft), colour((0.25, 0.2, 0.15), x)),
        (_fill(envelope, soft), _shade(cloth, light)),
        (_fill(box(x, y, 0.0, 0.07, 0.075, 0.06, 0.02), soft), colour((0.50, 0.32, 0.16), x)),
    ]


BODIES: dict[str, Body] = {
    "ball": Body(0.72, 0.0, _ball),
    "car": Body(0.74, 0.0, _car),
    "boat": Body(1.35, 0.0, _boat, bob=0.02),
    "dog": Body(0.86, 0.0, _dog),
    "person": Body(1.40, 0.0, _person),
    "bird": Body(0.72, 1.05, _bird, bob=0.05),
    "balloon": Body(1.35, 0.55, _balloon, bob=0.03),
}
"""Every subject word that has a shape."""
