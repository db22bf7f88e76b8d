"""Commands at cuts and ends: transitions and fades. See ``timeline_editing``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject

from gen2studio.core.errors import EditRefused
from gen2studio.document import clip_composition, edits, lookup
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.model import Clip, Sequence, Track

if TYPE_CHECKING:
    from gen2studio.app.timeline_editing import TimelineEditing

KIND_NAMES: dict[TransitionKind, str] = {
    TransitionKind.DISSOLVE: "Dissolve",
    TransitionKind.WIPE: "Wipe",
    TransitionKind.CLOCK: "Clock Wipe",
    TransitionKind.IRIS: "Iris",
    TransitionKind.PUSH: "Push",
    TransitionKind.SLIDE: "Slide",
    TransitionKind.DIP: "Dip to Colour",
}
"""What the artist reads."""


class JoinCommands(QObject):
    """``TimelineEditing.joins``."""

    def __init__(self, editing: TimelineEditing) -> None:
        super().__init__(editing)
        self._editing = editing
        self._session = editing.session

    # -- transitions -------------------------------------------------------------------------------------------------

    def cuts_in_hand(self) -> list[tuple[Clip, Clip]]:
        """The cuts a command means: between selected neighbours, else at the ends of one selected clip, else the cut
        nearest to the playhead on the target track."""
        sequence = self._session.sequence
        if sequence is None:
            return []
        chosen = self._session.selection
        between: list[tuple[Clip, Clip]] = []
        beside: list[tuple[Clip, Clip]] = []
        for track in sequence.tracks:
            if track.locked:
                continue
            for cut in _cuts(track):
                held = (cut[0].id in chosen) + (cut[1].id in chosen)
                if held == 2:
                    between.append(cut)
                elif held:
                    beside.append(cut)
        if chosen:
            return between or beside
        target = self._editing.target_track()
        here = self._session.playhead
        nearest = min(_cuts(target) if target else [], key=lambda cut: abs(cut[1].start - here), default=None)
        return [nearest] if nearest is not None else []

    def add(self, kind: TransitionKind = TransitionKind.DISSOLVE, frames: int | None = None, **look: Any) -> bool:
        """Join the cuts in hand, centred, over ``frames`` (a second when None) or as long as the media allow."""
        cuts = self.cuts_in_hand()
        media = self._session.document.media
        lengths: list[int] = []

        def edit(sequence: Sequence) -> Sequence:
            if not cuts:
                raise EditRefused("There is no cut for a transition.", "Select a clip that touches another one.")
            refusal: EditRefused | None = None
            joined: set[str] = set()
            for left, right in cuts:
                if right.id in joined:
                    continue
                try:
                    made = edits.add_transition(sequence, left.id, right.id, media, kind=kind, frames=frames, **look)
                except EditRefused as refused:
                    refusal = refused
                    continue
                sequence = made.sequence
                joined |= {edits.find_transition(sequence, i)[1].right for i in made.transition_ids}
                lengths.append(made.frames)
            if not lengths and refusal is not None:
                raise refusal
            return sequence

        done = self._editing.perform(f"Add {KIND_NAMES[kind]}", edit)
        wanted = frames
        if done and lengths and (sequence := self._session.sequence) is not None:
            usual = max(1, round(sequence.rate)) if wanted is None else wanted
            if min(lengths) < usual:
                said = f"{min(lengths)} frames" if min(lengths) > 1 else "1 frame"
                self._session.tell(f"The media beyond the cut allow a transition of {said}.", "info")
        return done

    def change(self, transition_id: str, **values: Any) -> bool:
        """Change kind, before, after, angle, softness or colour; changes in a row are one undo step."""
        media = self._session.document.media
        return self._editing.perform(
            "Change Transition",
            lambda s: edits.change_transition(s, transition_id, media, **values),
            f"transition {transition_id} {' '.join(sorted(values))}",
        )

    def remove(self, transition_ids: Collection[str] = ()) -> bool:
        """Remove transitions; without ids those at the cuts in hand."""
        ids = list(transition_ids)
        if not ids and (sequence := self._session.sequence) is not None:
            cuts = {(left.id, right.id) for left, right in self.cuts_in_hand()}
            ids = [t.id for track in sequence.tracks for t in track.transitions if (t.left, t.right) in cuts]

        def edit(sequence: Sequence) -> Sequence:
            if not ids:
                raise EditRefused("There is no transition at this cut.", "Select a clip that has one.")
            return edits.remove_transitions(sequence, ids)

        return self._editing.perform("Remove Transition", edit)

    def find(self, transition_id: str) -> Transition | None:
        sequence = self._session.sequence
        tracks = sequence.tracks if sequence is not None else ()
        return next((t for track in tracks for t in track.transitions if t.id == transition_id), None)

    # -- fades -------------------------------------------------------------------------------------------------------

    def fade_in(self) -> bool:
        """Fade in from the head to the playhead, or over a second where the playhead is not inside."""
        return self._fade("Fade In", head=True)

    def fade_out(self) -> bool:
        """Fade out from the playhead to the tail, or over a second."""
        return self._fade("Fade Out", head=False)

    def _fade(self, label: str, head: bool) -> bool:
        clips = self._editing.selected_clips() or self._editing.clips_under_playhead()
        here = self._session.playhead

        def edit(sequence: Sequence) -> Sequence:
            if not clips:
                raise EditRefused("No clip is selected.", "Click a clip on the timeline first.")
            usual = max(1, round(sequence.rate))
            for clip in clips:
                inside = clip.start < here < clip.end
                frames = (here - clip.start if head else clip.end - here) if inside else usual
                ids = [
                    i
                    for i in lookup.linked(sequence, [clip.id])
                    if (c := lookup.clip_of(sequence, i)).start == clip.start and c.end == clip.end
                ]
                fades = {"fade_in" if head else "fade_out": frames}
                sequence = clip_composition.set_fades(sequence, ids, **fades)
            return sequence

        return self._editing.perform(label, edit)

    def remove_fades(self) -> bool:
        """Take the fades off the selected clips."""
        ids = [c.id for c in self._editing.selected_clips() or self._editing.clips_under_playhead()]

        def edit(sequence: Sequence) -> Sequence:
            if not ids:
                raise EditRefused("No clip is selected.", "Click a clip on the timeline first.")
            return clip_composition.set_fades(sequence, lookup.linked(sequence, ids), fade_in=0, fade_out=0)

        return self._editing.perform("Remove Fades", edit)

    # -- binding -----------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        named: dict[str, Callable[[], object]] = {
            f"timeline.add_{kind.value}": lambda kind=kind: self.add(kind) for kind in TransitionKind
        }
        return named | {
            "timeline.remove_transition": self.remove,
            "timeline.fade_in": self.fade_in,
            "timeline.fade_out": self.fade_out,
            "timeline.remove_fades": self.remove_fades,
        }


def _cuts(track: Track) -> list[tuple[Clip, Clip]]:
    return [(a, b) for a, b in zip(track.clips, track.clips[1:], strict=False) if a.end == b.start]
