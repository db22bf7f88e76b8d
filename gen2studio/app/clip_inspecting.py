"""What the inspector shows and changes: the facts and curves of the selected clips, one value or mixed.

No widgets in here. Each change is one undo step; changes that carry the same gesture number become one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.clip_curves import CurveKind, NamedCurve, curves_of
from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing, counted
from gen2studio.core.curve import Curve, CurveKey, Ease
from gen2studio.core.errors import EditRefused
from gen2studio.core.records import dataclass
from gen2studio.document import clip_composition, edits, lookup
from gen2studio.document.composition import BlendMode
from gen2studio.document.model import Clip, Document, Sequence, TrackKind

MIXED: Any = object()
"""Stands for a fact in which the clips differ."""

_PLAYING = 80
"""Milliseconds between two looks at the numbers while playing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveState:
    """One parameter of the clips at the playhead."""

    kind: CurveKind
    value: float
    """Of the first clip."""
    mixed: bool = False
    animated: bool = False
    """Any clip has keys."""
    key_here: bool = False
    """Any clip has a key on the frame at the playhead."""
    can_key: bool = False
    """The playhead is over one of the clips, and keys would be followed; or there is one to be taken off."""
    why_not: str = ""
    """Why the parameter can't have keys, where that is another reason than the playhead."""
    earlier: bool = False
    later: bool = False
    """There are keys before and after the playhead."""
    touched: bool = False
    """It has keys, or another value than its default."""


class ClipInspecting(QObject):
    """The clips that the inspector is about: the selected ones, else the one the viewer shows."""

    changed = Signal()
    """Something shown may be another: clips, values or the playhead. At most once in a turn of the event loop."""

    def __init__(
        self,
        session: Session,
        editing: TimelineEditing,
        strength_of: Callable[[Clip], float] = lambda _clip: 1.0,
        parent: QObject | None = None,
        *,
        follows: Callable[[Clip, str], bool] = lambda _clip, _slider: True,
    ) -> None:
        """``strength_of`` says what a generator makes of a strength that was left to it, ``follows`` whether it lets a
        slider of the look (:data:`gen2studio.document.look.KEYED`) change over the clip."""
        super().__init__(parent)
        self.session = session
        self.editing = editing
        self._strength_of = strength_of
        self._follows = follows
        self._curves: dict[str, list[NamedCurve]] | None = None
        self._soon = QTimer(self)
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(self.changed)
        session.selection_changed.connect(self._on_moved)
        session.playhead_changed.connect(self._on_moved)
        session.shuttle_changed.connect(self._on_moved)
        session.store.changed.connect(self._on_moved)
        session.store.replaced.connect(self._on_moved)

    def _on_moved(self, *_values: object) -> None:
        self._curves = None
        if not self._soon.isActive():
            # While playing numbers are read at a glance; the time belongs to the picture.
            self._soon.start(_PLAYING if self.session.shuttle else 0)

    def forget(self) -> None:
        """Read the curves again: they were changed in this turn of the event loop."""
        self._curves = None

    # -- what is shown ------------------------------------------------------------------------------------------------

    def clips(self) -> tuple[Clip, ...]:
        """The selected clips in time order, pictures first; else the clip under the playhead."""
        chosen = self.editing.selected_clips()
        if chosen:
            pictures = {clip.id for clip in chosen if self.kind_of(clip) is TrackKind.VIDEO}
            return tuple(sorted(chosen, key=lambda clip: (clip.id not in pictures, clip.start)))
        clip = self.session.target_clip()
        if clip is None and (sequence := self.session.sequence) is not None:
            # One that was just disabled can be enabled again, and sound alone has parameters too.
            tracks = (*reversed(sequence.video_tracks), *sequence.audio_tracks)
            here = (lookup.clip_at(track, self.session.playhead) for track in tracks)
            clip = next((each for each in here if each is not None), None)
        return (clip,) if clip is not None else ()

    def kind_of(self, clip: Clip) -> TrackKind:
        sequence = self.session.sequence
        assert sequence is not None
        return lookup.track_of(sequence, clip.id).kind

    def pictures(self) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.clips() if self.kind_of(clip) is TrackKind.VIDEO)

    def sounds(self) -> tuple[Clip, ...]:
        return tuple(clip for clip in self.clips() if self.kind_of(clip) is TrackKind.AUDIO)

    def fact(self, read: Callable[[Clip], Any], clips: Iterable[Clip] | None = None) -> Any:
        """What ``read`` says of all the clips, :data:`MIXED` when they differ, None without any."""
        found = [read(clip) for clip in (self.clips() if clips is None else clips)]
        if not found:
            return None
        return found[0] if all(each == found[0] for each in found) else MIXED

    def curves(self) -> dict[str, list[NamedCurve]]:
        """Every curve of the clips by name."""
        if self._curves is None:
            self._curves = {}
            sequence = self.session.sequence
            for clip in self.clips():
                strength = self._strength_of(clip) if clip.look is None or clip.look.controls.strength < 0 else 1.0
                found = curves_of(
                    clip, self.session.document, sequence=sequence, kind=self.kind_of(clip), strength=strength
                )
                for each in found:
                    self._curves.setdefault(each.name, []).append(each)
        return self._curves

    def states(self) -> dict[str, CurveState]:
        """Every parameter of the clips at the playhead, by name in the order of the inspector."""
        return {name: self._state(found) for name, found in self.curves().items()}

    def _state(self, found: list[NamedCurve]) -> CurveState:
        kind = found[0].kind
        values = [each.at(self._frame_on(each)) for each in found]
        near = 0.5 * 10.0**-kind.decimals / kind.factor
        here = [each for each in found if self._over(each)]
        key_here = any(each.curve.key_at(each.key_frame(self.session.playhead)) is not None for each in here)
        why_not = self.why_no_keys(kind.name)
        return CurveState(
            kind=kind,
            value=values[0],
            mixed=any(abs(value - values[0]) > near for value in values),
            animated=any(each.curve.moving for each in found),
            key_here=key_here,
            can_key=bool(here) and (key_here or not why_not),
            why_not=why_not,
            earlier=self._neighbour(found, -1) is not None,
            later=self._neighbour(found, 1) is not None,
            touched=any(each.curve.moving or abs(each.curve.value - kind.default) > near for each in found),
        )

    def why_no_keys(self, name: str) -> str:
        """Why a parameter can't change over the clips, in a sentence; empty where it can."""
        found = self.curves().get(name, [])
        slider = name.removeprefix("look.")
        if slider == name or all(self._follows(self._clip(each), slider) for each in found):
            return ""
        return f"The model of this clip keeps one {found[0].label.lower()} from its first to its last frame."

    def _clip(self, curve: NamedCurve) -> Clip:
        clip = self.session.find_clip(curve.clip_id)
        assert clip is not None
        return clip

    def _over(self, curve: NamedCurve) -> bool:
        clip = self._clip(curve)
        return clip.start <= self.session.playhead < clip.end

    def _frame_on(self, curve: NamedCurve) -> int:
        """The playhead, or the clip's frame next to it."""
        clip = self._clip(curve)
        return min(max(self.session.playhead, clip.start), clip.end - 1)

    def _neighbour(self, found: list[NamedCurve], step: int) -> int | None:
        here = self.session.playhead
        frames = [each.shown_at(key.frame) for each in found for key in each.curve.keys]
        if step > 0:
            return min((frame for frame in frames if frame > here), default=None)
        return max((frame for frame in frames if 0 <= frame < here), default=None)

    # -- curves -------------------------------------------------------------------------------------------------------

    def _edit(
        self, name: str, label: str, edit: Callable[[NamedCurve], Curve], merge: str = "", *, over: bool = False
    ) -> bool:
        found = [each for each in self.curves().get(name, []) if not over or self._over(each)]

        def change(document: Document) -> Document:
            for each in found:
                document = each.set(document, edit(each))
            return document

        return bool(found) and self.editing.perform_on_document(label, change, merge)

    def set_value(self, name: str, value: float, gesture: int = 0) -> bool:
        """The value at the playhead: everywhere on a clip without keys, else by a key."""
        found = self.curves().get(name)
        if not found or not math.isfinite(value):
            return False
        merge = f"inspect {name} {gesture}" if gesture else ""
        return self._edit(
            name,
            f"{found[0].label} {found[0].kind.text(value)}",
            lambda each: each.curve.with_value(each.key_frame(self._frame_on(each)), value),
            merge,
        )

    def set_values(self, label: str, values: dict[str, float], gesture: int = 0) -> bool:
        """Several parameters at once, as one step: the handles over the picture."""
        document = self.session.document
        found = [(each, values[name]) for name in values for each in self.curves().get(name, [])]

        def change(document: Document) -> Document:
            for each, value in found:
                curve = each.curve.with_value(each.key_frame(self._frame_on(each)), value)
                if curve != each.curve:
                    document = each.set(document, curve)
            return document

        merge = f"inspect handles {gesture}" if gesture else ""
        done = bool(found) and self.editing.perform_on_document(label, change, merge)
        return done or document is not self.session.document

    def toggle_key(self, name: str) -> bool:
        """Add a key at the playhead with the value there, or take the keys there away."""
        state = self.states().get(name)
        if state is None or not state.can_key:
            return False
        here = self.session.playhead

        def edit(each: NamedCurve) -> Curve:
            frame = each.key_frame(here)
            if state.key_here:
                return each.curve.without_key(frame)
            return each.curve if each.curve.key_at(frame) else each.curve.with_key(_key_on(each.curve, frame))

        verb = "Remove Key of" if state.key_here else "Add Key of"
        return self._edit(name, f"{verb} {state.kind.label}", edit, over=True)

    def go_to_key(self, name: str, step: int) -> bool:
        """Put the playhead on the next (+1) or previous (−1) key of a parameter; of any when ``name`` is empty."""
        curves = self.curves()
        found = curves.get(name, []) if name else [each for some in curves.values() for each in some]
        frame = self._neighbour(found, step)
        if frame is not None:
            self.session.set_playhead(frame)
        return frame is not None

    def reset(self, name: str) -> bool:
        """Back to the default, without keys."""
        found = self.curves().get(name)
        if not found:
            return False
        default = -1.0 if name == "look.strength" else found[0].kind.default
        return self._edit(name, f"Reset {found[0].label}", lambda _each: Curve(default))

    def reset_group(self, group: str) -> bool:
        """Every parameter of a group back to its default."""
        names = [name for name, found in self.curves().items() if found[0].kind.group == group]

        def change(document: Document) -> Document:
            for name in names:
                for each in self.curves()[name]:
                    default = -1.0 if name == "look.strength" else each.kind.default
                    document = each.set(document, Curve(default))
            return document

        done = self.editing.perform_on_document(f"Reset {group}", change)
        if group == "Transform" and self.fact(lambda c: c.transform.flip_horizontal or c.transform.flip_vertical):
            self.set_flip(horizontal=False, vertical=False)
        return done

    def set_keys(self, label: str, names: tuple[str, ...]) -> bool:
        """A key of each of the parameters at the playhead, with the values there."""

        def change(document: Document) -> Document:
            follow = [name for name in names if not self.why_no_keys(name)]
            found = [each for name in follow for each in self.curves().get(name, []) if self._over(each)]
            if not found:
                raise EditRefused("There is no picture at the playhead.", "Put the playhead over a clip.")
            for each in found:
                frame = each.key_frame(self.session.playhead)
                if each.curve.key_at(frame) is None:
                    document = each.set(document, each.curve.with_key(_key_on(each.curve, frame)))
            return document

        return self.editing.perform_on_document(label, change)

    def fill_frame(self) -> bool:
        """Scale the pictures until they cover the whole frame."""

        def change(document: Document) -> Document:
            sequence, clips = document.sequence, self.pictures()
            if sequence is None or not clips:
                raise EditRefused("No picture is selected.", "Select a clip on a video track.")
            for clip in clips:
                item = document.media.get(clip.media_id)
                if item is None or not item.info.width or not item.info.height:
                    continue
                wide, high = sequence.width / item.info.width, sequence.height / item.info.height
                for each in self.curves()["transform.scale"]:
                    if each.clip_id == clip.id:
                        frame = each.key_frame(self._frame_on(each))
                        document = each.set(document, each.curve.with_value(frame, max(wide, high) / min(wide, high)))
            return document

        return self.editing.perform_on_document("Fill Frame", change)

    # -- facts --------------------------------------------------------------------------------------------------------

    def _ids(self, clips: Iterable[Clip]) -> list[str]:
        return [clip.id for clip in clips]

    def _perform(
        self, label: str, clips: tuple[Clip, ...], edit: Callable[[Sequence, list[str]], Sequence], merge: str = ""
    ) -> bool:
        ids = self._ids(clips)
        return bool(ids) and self.editing.perform(label.format(counted(len(ids))), lambda s: edit(s, ids), merge)

    def rename(self, name: str) -> bool:
        def edit(sequence: Sequence, ids: list[str]) -> Sequence:
            for clip_id in ids:
                sequence = edits.rename_clip(sequence, clip_id, name)
            return sequence

        return self._perform("Rename {}", self.clips(), edit)

    def set_enabled(self, enabled: bool) -> bool:
        verb = "Enable" if enabled else "Disable"
        return self._perform(f"{verb} {{}}", self.clips(), lambda s, ids: edits.set_enabled(s, ids, enabled))

    def set_blend(self, blend: BlendMode) -> bool:
        label = f"Blend {blend.value.replace('_', ' ').title()}"
        return self._perform(label, self.pictures(), lambda s, ids: clip_composition.set_blend(s, ids, blend))

    def set_flip(self, *, horizontal: bool | None = None, vertical: bool | None = None) -> bool:
        return self._perform(
            "Flip {}",
            self.pictures(),
            lambda s, ids: clip_composition.set_flip(s, ids, horizontal=horizontal, vertical=vertical),
        )

    def set_gain(self, gain_db: float, gesture: int = 0) -> bool:
        merge = f"inspect gain {gesture}" if gesture else ""
        return self._perform(
            f"Gain {gain_db:+.1f} dB", self.sounds(), lambda s, ids: edits.set_gain(s, ids, gain_db), merge
        )

    def set_fade(self, head: bool, frames: int, gesture: int = 0) -> bool:
        name = "Fade In" if head else "Fade Out"
        fades: dict[str, int] = {"fade_in" if head else "fade_out": frames}
        merge = f"inspect {name} {gesture}" if gesture else ""
        return self._perform(name, self.clips(), lambda s, ids: clip_composition.set_fades(s, ids, **fades), merge)

    def set_keep_pitch(self, keep: bool) -> bool:
        label = "Keep Pitch" if keep else "Let Pitch Follow Speed"
        return self._perform(label, self.clips(), lambda s, ids: clip_composition.set_keep_pitch(s, ids, keep))

    def set_start(self, frame: int) -> bool:
        """Move the first clip's head to ``frame``; the others keep their distance."""
        clips = self.clips()
        if not clips:
            return False
        delta = frame - min(clip.start for clip in clips)
        return delta != 0 and self._perform("Move {}", clips, lambda s, ids: edits.move(s, ids, delta))

    def set_duration(self, frames: int) -> bool:
        """Trim the tails so that the clips last ``frames``."""
        media = self.session.document.media

        def edit(sequence: Sequence, ids: list[str]) -> Sequence:
            if frames < 1:
                raise EditRefused("A clip lasts at least one frame.", "Enter a longer duration.")
            for clip_id in ids:
                clip = lookup.clip_of(sequence, clip_id)
                if clip.duration != frames:
                    # A linked partner has followed already when it ended on the same frame.
                    sequence = edits.trim_tail(sequence, clip_id, frames - clip.duration, media)
            return sequence

        return self._perform("Trim {}", self.clips(), edit)

    def set_source_in(self, seconds: Fraction) -> bool:
        """Slip the clips so that the first one begins at this moment of its media."""
        clips, sequence = self.clips(), self.session.sequence
        if not clips or sequence is None:
            return False
        first, media = clips[0], self.session.document.media
        frames = round((seconds - first.source_in) / first.speed * sequence.rate)

        def edit(sequence: Sequence, ids: list[str]) -> Sequence:
            done: set[str] = set()
            for clip_id in ids:
                if clip_id not in done:
                    sequence = edits.slip(sequence, clip_id, frames, media)
                    done |= lookup.linked(sequence, [clip_id])
            return sequence

        return frames != 0 and self._perform("Slip {}", clips, edit)

    def source_out(self, clip: Clip) -> Fraction:
        """Media seconds at which the clip ends."""
        sequence = self.session.sequence
        assert sequence is not None
        return clip.source_in if clip.freeze else clip.source_in + Fraction(clip.duration) / sequence.rate * clip.speed

    def set_speed(self, percent: float, gesture: int = 0) -> bool:
        """Media seconds per second in percent; the clips get shorter or longer where there is room."""
        speed = Fraction(percent).limit_denominator(10000) / 100
        media = self.session.document.media
        merge = f"inspect speed {gesture}" if gesture else ""
        label = f"Speed {percent:g} %"
        return self._perform(label, self.clips(), lambda s, ids: edits.set_speed(s, ids, speed, media), merge)

    def set_reverse(self, reverse: bool) -> bool:
        """Play the same stretch backwards, together with linked partners."""
        label = "Reverse {}" if reverse else "Play {} Forwards"
        return self._perform(label, self.clips(), lambda s, ids: clip_composition.set_reverse(s, ids, reverse))

    def set_freeze(self, freeze: bool) -> bool:
        """Hold the picture that is on screen at the playhead over the whole length of the clips."""
        label = "Freeze {}" if freeze else "Unfreeze {}"
        here, media = self.session.playhead, self.session.document.media
        return self._perform(
            label, self.pictures(), lambda s, ids: clip_composition.set_freeze(s, ids, freeze, here, media)
        )


def _key_on(curve: Curve, frame: int) -> CurveKey:
    """A key that changes nothing where it stands, with the easing of the stretch it divides."""
    before = [key for key in curve.keys if key.frame <= frame]
    ease = before[-1].ease if before else Ease.LINEAR
    return replace(CurveKey(frame, curve.at(frame)), ease=Ease.LINEAR if ease is Ease.BEZIER else ease)
