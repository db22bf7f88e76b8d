"""What becomes of one clip when its place, its edges or its speed change. Pure functions ``Clip → Clip``.

They know about direction: the head of a clip that plays backwards shows the latest moment of its media, so that
trimming it leaves ``source_in`` alone and trimming its tail moves it. They keep curves on the picture they were set
on (keys outside the clip stay and come back when it is made longer) and fades inside the clip.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from gen2studio.core.curve import Curve
from gen2studio.core.ids import new_id
from gen2studio.core.records import replacer
from gen2studio.document.composition import CURVES, PLAIN, Transform
from gen2studio.document.model import Clip

_TRANSFORM_CURVES = (
    "x", "y", "scale", "stretch", "rotation", "anchor_x", "anchor_y", "crop_left", "crop_right", "crop_top",
    "crop_bottom",
)  # fmt: skip


_with_start = replacer(Clip, "start")


def shifted(clip: Clip, delta: int) -> Clip:
    """The clip ``delta`` frames later. Ripples do this a thousand times."""
    return _with_start(clip, clip.start + delta)


def head_moved(clip: Clip, delta: int, rate: Fraction) -> Clip:
    """The clip with its head ``delta`` frames later and its tail where it was; what it shows stays in place."""
    still = clip.reverse or clip.freeze
    return with_curves(
        fitted(
            replace(
                clip,
                start=clip.start + delta,
                duration=clip.duration - delta,
                source_in=clip.source_in if still else clip.source_in + Fraction(delta) / rate * clip.speed,
            )
        ),
        lambda curve: curve.shifted(-delta),
    )


def tail_moved(clip: Clip, delta: int, rate: Fraction) -> Clip:
    """The clip with its tail ``delta`` frames later and its head where it was; what it shows stays in place."""
    source_in = clip.source_in
    if clip.reverse and not clip.freeze:
        source_in -= Fraction(delta) / rate * clip.speed
    return fitted(replace(clip, duration=clip.duration + delta, source_in=source_in))


def split(clip: Clip, frame: int, rate: Fraction) -> tuple[Clip, Clip]:
    """The two halves at a frame inside the clip; the right half gets a new id and keeps the link. Each keeps the fade
    at its own outer end."""
    left = replace(tail_moved(clip, frame - clip.end, rate), fade_in=min(clip.fade_in, frame - clip.start), fade_out=0)
    right = head_moved(clip, frame - clip.start, rate)
    return left, replace(right, id=new_id("clip"), fade_in=0, fade_out=min(clip.fade_out, right.duration))


def fitted(clip: Clip) -> Clip:
    """The clip with fades that it can hold: they shrink alike."""
    both, length = clip.fade_in + clip.fade_out, max(0, clip.duration)
    if both <= length:
        return clip
    fade_in = clip.fade_in * length // both
    return replace(clip, fade_in=fade_in, fade_out=min(clip.fade_out, length - fade_in))


def mirrored(clip: Clip) -> Clip:
    """The clip played the other way round over the same stretch of media; curves stay on their pictures."""
    last = clip.duration - 1
    return with_curves(replace(clip, reverse=not clip.reverse), lambda curve: curve.mirrored(last))


def stretched(clip: Clip, scale: Fraction, duration: int) -> Clip:
    """The clip lasting ``duration`` frames, its curves and fades at ``scale`` times their frames."""
    factor = float(scale)
    changed = replace(
        clip, duration=duration, fade_in=round(clip.fade_in * scale), fade_out=round(clip.fade_out * scale)
    )
    return with_curves(fitted(changed), lambda curve: curve.scaled(factor))


def held(clip: Clip, offset: int) -> Clip:
    """The clip with every curve at rest as it is ``offset`` frames from its head (Béziers kept within their limits)."""

    def rest(curve: Curve, name: str) -> Curve:
        limits = CURVES[name]
        return Curve(min(max(curve.at(offset), limits.low), limits.high))

    own: dict[str, Any] = {
        name: rest(curve, name) for name in ("volume", "pan", "opacity") if (curve := getattr(clip, name)).keys
    }
    moving = {
        name: rest(curve, f"transform.{name}")
        for name in _TRANSFORM_CURVES
        if (curve := getattr(clip.transform, name)).keys
    }
    if moving:
        own["transform"] = replace(clip.transform, **moving)
    return replace(clip, **own) if own else clip


def with_curves(clip: Clip, change: Callable[[Curve], Curve]) -> Clip:
    """``change`` made on every curve of the clip that has keys."""
    volume, pan, opacity = clip.volume, clip.pan, clip.opacity
    transform = with_transform_curves(clip.transform, change)
    if not (volume.keys or pan.keys or opacity.keys) and transform is clip.transform:
        return clip
    return replace(
        clip,
        volume=change(volume) if volume.keys else volume,
        pan=change(pan) if pan.keys else pan,
        opacity=change(opacity) if opacity.keys else opacity,
        transform=transform,
    )


def with_transform_curves(transform: Transform, change: Callable[[Curve], Curve]) -> Transform:
    """``change`` made on every curve of a transform that has keys."""
    if transform is PLAIN:
        return transform
    moving = {name: change(curve) for name in _TRANSFORM_CURVES if (curve := getattr(transform, name)).keys}
    return replace(transform, **moving) if moving else transform


def zero_of(clip: Clip, rate: Fraction) -> Fraction:
    """The sequence position (in frames) of the clip's media second 0. Clips of one media are in sync when it agrees and
    they play at one speed in one direction; a frozen clip has none and is in sync with everything."""
    media_frames = clip.source_in * rate / clip.speed
    return clip.end - 1 + media_frames if clip.reverse else clip.start - media_frames


def source_in_at(clip: Clip, zero: Fraction, rate: Fraction) -> Fraction:
    """The ``source_in`` with which the clip, where it lies, has its media second 0 at ``zero``."""
    frames = zero - (clip.end - 1) if clip.reverse else clip.start - zero
    return frames * clip.speed / rate
