"""Every number of a clip that may change over time, under one description: the curve editor, the inspector and the
timeline's lane show and change them alike, whoever holds them (the clip, its transform or its look).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from gen2studio.core.curve import Curve
from gen2studio.core.errors import EditRefused
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document import clip_composition, looks, sequences
from gen2studio.document.look import KEYED
from gen2studio.document.lookup import where
from gen2studio.document.model import Clip, Document, MediaItem, Sequence, TrackKind


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveKind:
    """How the values of a curve are named and shown. Shown numbers are ``value × factor``."""

    name: str
    """``opacity``, ``volume``, ``pan``, ``transform.x`` …, ``look.strength`` …: stable."""
    label: str
    unit: str = ""
    """Of the shown number."""
    low: float
    high: float
    """Limits of the value, and of what a person may enter."""
    default: float = 0.0
    factor: float = 1.0
    decimals: int = 1
    """Of the shown number."""
    step: float = 1.0
    """Of the shown number: one turn of the wheel, one press of an arrow."""
    usual: tuple[float, float] = (0.0, 1.0)
    """The values that a graph shows at least."""
    group: str = ""
    """Picture, Transform, Crop, Sound or Look."""
    colour: str = "accent"
    """A name of the theme's colours."""

    def shown(self, value: float) -> float:
        """The number a person reads."""
        return value * self.factor

    def value_of(self, shown: float) -> float:
        """The value of a number that a person entered, kept within the limits."""
        return min(max(shown / self.factor, self.low), self.high)

    def text(self, value: float) -> str:
        """The shown number with its unit."""
        number = f"{self.shown(value) + 0.0:.{self.decimals}f}"
        number = number.replace("-", "−") if float(number) else number.lstrip("-")
        return f"{number} {self.unit}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedCurve:
    """One curve of one clip, in sequence frames for whoever shows it."""

    kind: CurveKind
    clip_id: str
    curve: Curve
    to_sequence_frame: Callable[[float], float]
    """Where a frame of the curve lies on the timeline."""
    from_sequence_frame: Callable[[float], float]
    """The frame of the curve at a place on the timeline."""
    set: Callable[[Document, Curve], Document]
    """The document with another curve in its place. Raises EditRefused."""

    @property
    def name(self) -> str:
        return self.kind.name

    @property
    def label(self) -> str:
        return self.kind.label

    @property
    def unit(self) -> str:
        return self.kind.unit

    @property
    def low(self) -> float:
        return self.kind.low

    @property
    def high(self) -> float:
        return self.kind.high

    def key_frame(self, sequence_frame: int) -> int:
        """The frame that a key has which is set at a sequence frame: the media frame on screen there, for a look."""
        return math.floor(self.from_sequence_frame(sequence_frame) + 1e-6)

    def shown_at(self, key_frame: int) -> int:
        """The first sequence frame that shows a key's frame."""
        return math.ceil(self.to_sequence_frame(key_frame) - 1e-6)

    def at(self, sequence_frame: float) -> float:
        """The value at a place on the timeline."""
        return self.curve.at(self.from_sequence_frame(sequence_frame))


def curves_of(
    clip: Clip,
    document: Document,
    *,
    sequence: Sequence | None = None,
    kind: TrackKind | None = None,
    strength: float = 1.0,
) -> list[NamedCurve]:
    """The curves of a clip, in the order of the inspector: of its sound on an audio track, of its picture and its look
    on a video track.

    Whoever knows the clip's ``sequence`` and the ``kind`` of its track says so and spares the search. ``strength`` is
    what the generator does with a strength that was left to it. Raises EditRefused when the clip is on no timeline.
    """
    if sequence is None or kind is None:
        sequence, kind = _home(document, clip.id)
    names = clip_composition.SOUND_CURVES if kind is TrackKind.AUDIO else clip_composition.PICTURE_CURVES
    found = [_of_clip(clip, name, sequence) for name in names]
    item = document.media.get(clip.media_id)
    if kind is TrackKind.VIDEO and item is not None and _has_frames(item) and not clip.freeze:
        to_sequence, from_sequence = media_frames(clip, item, sequence.rate)
        look = looks.look_of(document, clip)
        for name in KEYED:
            curve = look.curve(name)
            if name == "strength" and curve.value < 0 and not curve.keys:
                curve = Curve(strength)
            found.append(
                NamedCurve(
                    kind=_LOOK_KINDS[name],
                    clip_id=clip.id,
                    curve=curve,
                    to_sequence_frame=to_sequence,
                    from_sequence_frame=from_sequence,
                    set=_look_setter(clip.id, name),
                )
            )
    return found


def curve_named(clip: Clip, document: Document, name: str) -> NamedCurve | None:
    """One curve of :func:`curves_of`, or None when the clip has none of that name."""
    return next((each for each in curves_of(clip, document) if each.name == name), None)


def media_frames(
    clip: Clip, item: MediaItem, rate: Fraction
) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """(media frame → sequence frame, sequence frame → media frame) of a clip whose media has a rate, both unrounded
    and going on beyond the clip. Of media with a variable rate it is the average's."""
    step = clip.speed * item.info.rate / rate
    if clip.reverse:
        origin, slope = clip.source_in * item.info.rate + step * (clip.duration - 1 + clip.start), -step
    else:
        origin, slope = clip.source_in * item.info.rate - step * clip.start, step
    at_zero, per_frame = float(origin), float(slope)

    def to_sequence(frame: float) -> float:
        return (frame - at_zero) / per_frame

    def from_sequence(frame: float) -> float:
        return at_zero + per_frame * frame

    return to_sequence, from_sequence


def clip_kinds(names: tuple[str, ...] | None = None, sequence: Sequence | None = None) -> dict[str, CurveKind]:
    """How the curves that clips hold themselves are shown in a sequence: positions in its pixels."""
    return {name: _clip_kind(name, sequence) for name in names or tuple(clip_composition.CURVES)}


def _home(document: Document, clip_id: str) -> tuple[Sequence, TrackKind]:
    active = document.sequence
    others = [s for s in document.sequences.values() if s is not active]
    for sequence in (*([active] if active else []), *others):
        for track in sequence.tracks:
            if any(clip.id == clip_id for clip in track.clips):
                return sequence, track.kind
    raise EditRefused("That clip is no longer on the timeline.", "Select a clip and try again.")


def _has_frames(item: MediaItem) -> bool:
    return item.info.has_video and item.info.kind is not MediaKind.STILL and item.info.rate > 0


def _of_clip(clip: Clip, name: str, sequence: Sequence) -> NamedCurve:
    start = clip.start
    return NamedCurve(
        kind=_clip_kind(name, sequence),
        clip_id=clip.id,
        curve=clip_composition.curve_of(clip, name),
        to_sequence_frame=lambda frame: frame + start,
        from_sequence_frame=lambda frame: frame - start,
        set=_clip_setter(sequence.id, clip.id, name),
    )


def _clip_setter(sequence_id: str, clip_id: str, name: str) -> Callable[[Document, Curve], Document]:
    def set_(document: Document, curve: Curve) -> Document:
        sequence = clip_composition.set_curve(document.sequences[sequence_id], [clip_id], name, curve)
        return sequences.with_sequence(document, sequence)

    return set_


def _look_setter(clip_id: str, name: str) -> Callable[[Document, Curve], Document]:
    def set_(document: Document, curve: Curve) -> Document:
        sequence, _ = _home(document, clip_id)
        track, clip = where(sequence, clip_id)
        if track.locked:
            # The same refusal as for any other curve of the clip.
            clip_composition.set_keep_pitch(sequence, [clip_id], not clip.keep_pitch)
        return looks.set_look(document, [clip_id], looks.look_of(document, clip).with_curve(name, curve))

    return set_


# -- how they are shown ----------------------------------------------------------------------------------------------

_CLIP_KINDS: dict[str, CurveKind] = {}
_SHOWN: dict[str, tuple[str, str, float, int, float, tuple[float, float], str, str]] = {
    # name: label, unit, factor, decimals, step, usual, group, colour
    "volume": ("Volume", "dB", 1, 1, 0.5, (-48, 12), "Sound", "label_green"),
    "pan": ("Pan", "%", 100, 0, 5, (-1, 1), "Sound", "label_blue"),
    "opacity": ("Opacity", "%", 100, 0, 1, (0, 1), "Picture", "label_amber"),
    "transform.x": ("Position X", "px", 0, 1, 1, (-0.5, 0.5), "Transform", "label_red"),
    "transform.y": ("Position Y", "px", 0, 1, 1, (-0.5, 0.5), "Transform", "label_green"),
    "transform.scale": ("Scale", "%", 100, 1, 1, (0, 2), "Transform", "label_blue"),
    "transform.stretch": ("Stretch", "%", 100, 1, 1, (0.5, 2), "Transform", "label_cyan"),
    "transform.rotation": ("Rotation", "°", 1, 1, 1, (-180, 180), "Transform", "label_violet"),
    "transform.anchor_x": ("Anchor X", "%", 100, 1, 1, (-0.5, 0.5), "Transform", "label_red"),
    "transform.anchor_y": ("Anchor Y", "%", 100, 1, 1, (-0.5, 0.5), "Transform", "label_green"),
    "transform.crop_left": ("Crop Left", "%", 100, 1, 1, (0, 1), "Crop", "label_red"),
    "transform.crop_right": ("Crop Right", "%", 100, 1, 1, (0, 1), "Crop", "label_amber"),
    "transform.crop_top": ("Crop Top", "%", 100, 1, 1, (0, 1), "Crop", "label_green"),
    "transform.crop_bottom": ("Crop Bottom", "%", 100, 1, 1, (0, 1), "Crop", "label_blue"),
}


def _clip_kind(name: str, sequence: Sequence | None) -> CurveKind:
    label, unit, factor, decimals, step, usual, group, colour = _SHOWN[name]
    if not factor:
        side = (sequence.width if name.endswith("x") else sequence.height) if sequence is not None else 1
        known = f"{name} {side}"
        factor = side
    else:
        known = name
    if known not in _CLIP_KINDS:
        limits = clip_composition.CURVES[name]
        _CLIP_KINDS[known] = CurveKind(
            name=name,
            label=label,
            unit=unit,
            low=limits.low,
            high=limits.high,
            default=limits.default,
            factor=factor,
            decimals=decimals,
            step=step,
            usual=usual,
            group=group,
            colour=colour,
        )
    return _CLIP_KINDS[known]


def _look_kind(
    name: str, label: str, unit: str, default: float, decimals: int, step: float, usual: tuple[float, float], ink: str
) -> CurveKind:
    low, high = KEYED[name]
    return CurveKind(
        name=f"look.{name}",
        label=label,
        unit=unit,
        low=low,
        high=high,
        default=default,
        decimals=decimals,
        step=step,
        usual=usual,
        group="Look",
        colour=ink,
    )


_LOOK_KINDS: dict[str, CurveKind] = {
    "strength": _look_kind("strength", "Strength", "", 1.0, 2, 0.05, (0, 1), "label_amber"),
    "structure": _look_kind("structure", "Structure", "", 2.0, 1, 0.5, (0, 7), "label_blue"),
    "style_weight": _look_kind("style_weight", "Style Weight", "", 1.0, 2, 0.05, (0, 2), "label_violet"),
    "control_scale": _look_kind("control_scale", "Control Scale", "", 1.0, 2, 0.05, (0, 2), "label_cyan"),
    "feather": _look_kind("feather", "Mask Feather", "px", 1.0, 1, 0.5, (0, 20), "label_green"),
    "grow": _look_kind("grow", "Mask Grow", "px", 0.0, 0, 1, (-20, 20), "label_red"),
}
