"""What a clip says of its own picture and sound: opacity, volume, pan, transform, blending, fades, reverse and freeze.

Pure edits ``Sequence → Sequence`` that raise :class:`~gen2studio.core.errors.EditRefused` on locked tracks, like those
of :mod:`gen2studio.document.edits`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace

from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.errors import EditRefused
from gen2studio.document import edits_hold, edits_trim
from gen2studio.document.composition import CURVES, PICTURE_CURVES, SOUND_CURVES, BlendMode, CurveLimits, Transform
from gen2studio.document.draft import Draft, tracks_of
from gen2studio.document.lookup import Media
from gen2studio.document.model import Clip, Sequence

__all__ = [
    "CURVES",
    "PICTURE_CURVES",
    "SOUND_CURVES",
    "CurveLimits",
    "change",
    "curve_of",
    "set_blend",
    "set_curve",
    "set_fades",
    "set_flip",
    "set_freeze",
    "set_keep_pitch",
    "set_reverse",
    "set_transform",
    "set_value",
    "with_curve",
]


def curve_of(clip: Clip, name: str) -> Curve:
    """A curve of :data:`CURVES`. Raises KeyError for another name."""
    if name not in CURVES:
        raise KeyError(name)
    owner, _, field = name.rpartition(".")
    return getattr(clip.transform if owner else clip, field)


def with_curve(clip: Clip, name: str, curve: Curve) -> Clip:
    """The clip with another curve, whose values are kept inside :data:`CURVES`. Raises KeyError for another name, and
    EditRefused for a value that is no number."""
    curve = _within(curve, CURVES[name])
    owner, _, field = name.rpartition(".")
    if owner:
        return replace(clip, transform=replace(clip.transform, **{field: curve}))
    return replace(clip, **{field: curve})


def _within(curve: Curve, limits: CurveLimits) -> Curve:
    values = (curve.value, *(key.value for key in curve.keys))
    if not all(map(math.isfinite, values)):
        raise EditRefused("That is not a number.", "Enter a number.")
    if limits.low <= min(values) and max(values) <= limits.high:
        return curve

    def kept(value: float) -> float:
        return min(max(value, limits.low), limits.high)

    keys = tuple(CurveKey(k.frame, kept(k.value), k.ease, k.in_handle, k.out_handle) for k in curve.keys)
    return Curve(kept(curve.value), keys)


def change(sequence: Sequence, clip_ids: Collection[str], edit: Callable[[Clip], Clip]) -> Sequence:
    """``edit`` made on each of the clips. It must leave their positions alone. Raises EditRefused."""
    draft = Draft(sequence)
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        for clip in clips:
            changed = edit(clip)
            if changed != clip:
                draft.swap(track_id, changed)
    return draft.result()


def set_curve(sequence: Sequence, clip_ids: Collection[str], name: str, curve: Curve) -> Sequence:
    """Give clips one curve of :data:`CURVES`, its frames counted from each clip's head."""
    return change(sequence, clip_ids, lambda clip: with_curve(clip, name, curve))


def set_value(sequence: Sequence, clip_ids: Collection[str], name: str, frame: int, value: float) -> Sequence:
    """A curve's value at sequence ``frame``: everywhere on a clip without keys, else by a key there."""
    return change(
        sequence,
        clip_ids,
        lambda clip: with_curve(clip, name, curve_of(clip, name).with_value(frame - clip.start, value)),
    )


def set_transform(sequence: Sequence, clip_ids: Collection[str], transform: Transform) -> Sequence:
    """Give clips a whole transform."""
    return change(sequence, clip_ids, lambda clip: replace(clip, transform=transform))


def set_flip(
    sequence: Sequence, clip_ids: Collection[str], *, horizontal: bool | None = None, vertical: bool | None = None
) -> Sequence:
    """Mirror pictures; None leaves that direction as it is."""

    def flipped(clip: Clip) -> Clip:
        was = clip.transform
        new = replace(
            was,
            flip_horizontal=was.flip_horizontal if horizontal is None else horizontal,
            flip_vertical=was.flip_vertical if vertical is None else vertical,
        )
        return replace(clip, transform=new)

    return change(sequence, clip_ids, flipped)


def set_blend(sequence: Sequence, clip_ids: Collection[str], blend: BlendMode) -> Sequence:
    """How pictures are laid over what lies below."""
    return change(sequence, clip_ids, lambda clip: replace(clip, blend=blend))


def set_fades(
    sequence: Sequence, clip_ids: Collection[str], *, fade_in: int | None = None, fade_out: int | None = None
) -> Sequence:
    """Lengths of fades in frames, at most what the clip leaves beside its other fade; None leaves one as it is."""

    def faded(clip: Clip) -> Clip:
        head, tail = clip.fade_in, clip.fade_out
        if fade_in is not None:
            head = min(max(fade_in, 0), clip.duration - tail)
        if fade_out is not None:
            tail = min(max(fade_out, 0), clip.duration - head)
        return replace(clip, fade_in=max(head, 0), fade_out=max(tail, 0))

    return change(sequence, clip_ids, faded)


def set_keep_pitch(sequence: Sequence, clip_ids: Collection[str], keep: bool) -> Sequence:
    """Whether sound at another speed keeps its pitch."""
    return change(sequence, clip_ids, lambda clip: replace(clip, keep_pitch=keep))


def set_reverse(sequence: Sequence, clip_ids: Collection[str], reverse: bool) -> Sequence:
    """Play the same stretch of media from its end to its beginning, or forwards again; linked partners follow."""
    return edits_trim.set_reverse(sequence, clip_ids, reverse)


def set_freeze(sequence: Sequence, clip_ids: Collection[str], freeze: bool, frame: int, media: Media) -> Sequence:
    """Hold what pictures show at sequence ``frame`` (the nearest frame of each) for their whole length; unfrozen, each
    plays on from that moment. Refuses to unfreeze a clip that is longer than what its media has from there."""
    return edits_hold.set_freeze(sequence, clip_ids, freeze, frame, media)
