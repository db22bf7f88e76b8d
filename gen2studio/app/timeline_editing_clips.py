"""Commands on whole clips: direction, freezing, groups, nesting, attributes, footage. See ``timeline_editing``."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.core.errors import EditRefused
from gen2studio.core.frozen import with_item
from gen2studio.document import clip_composition, edits, lookup, nesting, sequences
from gen2studio.document.edits_attributes import Attribute
from gen2studio.document.model import Clip, Document, Sequence, TrackKind

if TYPE_CHECKING:
    from gen2studio.app.timeline_editing import TimelineEditing

ATTRIBUTE_NAMES: dict[Attribute, str] = {
    Attribute.LOOK: "Look",
    Attribute.TRANSFORM: "Transform",
    Attribute.OPACITY: "Opacity",
    Attribute.BLEND: "Blend Mode",
    Attribute.VOLUME: "Volume and Pan",
    Attribute.FADES: "Fades",
    Attribute.SPEED: "Speed and Direction",
}
"""What the artist reads."""


class ClipCommands(QObject):
    """``TimelineEditing.clips``."""

    attributes_copied = Signal(bool)
    """Whether there are attributes to paste."""

    def __init__(self, editing: TimelineEditing) -> None:
        super().__init__(editing)
        self._editing = editing
        self._session = editing.session
        self._copied: dict[TrackKind, Clip] = {}

    # -- what they work on -------------------------------------------------------------------------------------------

    def _ids(self) -> frozenset[str]:
        """The selected clips, else those at the playhead. Raises EditRefused when there are none."""
        chosen = self._session.selection or frozenset(c.id for c in self._editing.clips_under_playhead())
        if not chosen:
            raise EditRefused("No clip is selected.", "Click a clip on the timeline first.")
        return chosen

    def _clips(self) -> tuple[Clip, ...]:
        return self._editing.selected_clips() or self._editing.clips_under_playhead()

    @property
    def _media(self) -> lookup.Media:
        return self._session.document.media

    # -- time --------------------------------------------------------------------------------------------------------

    def toggle_reverse(self) -> bool:
        """Play the clips backwards, or forwards again; linked sound turns with them."""
        clips = self._clips()
        backwards = not any(clip.reverse for clip in clips)
        return self.set_reverse(backwards)

    def set_reverse(self, backwards: bool) -> bool:
        label = "Reverse Clip" if backwards else "Play Forwards"
        return self._editing.perform(label, lambda s: edits.set_reverse(s, self._ids(), backwards, self._media))

    def toggle_freeze(self) -> bool:
        """Hold the frame at the playhead for the clip's whole length, or let it move again."""
        frozen = not any(clip.freeze for clip in self._clips())
        return self.set_freeze(frozen)

    def set_freeze(self, frozen: bool) -> bool:
        here = self._session.playhead
        label = "Freeze Clip" if frozen else "Unfreeze Clip"
        return self._editing.perform(label, lambda s: edits.set_freeze(s, self._ids(), frozen, here, self._media))

    def insert_hold(self, frames: int | None = None) -> bool:
        """Cut at the playhead and hold the frame there for ``frames`` (two seconds when None)."""
        here = self._session.playhead
        new: list[str] = []

        def edit(sequence: Sequence) -> Sequence:
            length = max(1, round(edits.HOLD_SECONDS * sequence.rate)) if frames is None else frames
            video = {c.id for t in sequence.video_tracks for c in t.clips}
            clip = next((c for c in self._editing.clips_under_playhead() if c.id in video), None)
            if clip is None:
                raise EditRefused("There is no picture at the playhead to hold.", "Put the playhead on a clip.")
            placed = edits.insert_hold(sequence, clip.id, here, length, self._media)
            new.extend(placed.clip_ids)
            return placed.sequence

        done = self._editing.perform("Insert Freeze Frame", edit)
        if done:
            self._session.set_selection(frozenset(new))
        return done

    def set_keep_pitch(self, keep: bool) -> bool:
        """Whether sound at another speed keeps its pitch."""
        label = "Keep Pitch" if keep else "Let Pitch Follow Speed"
        return self._editing.perform(
            label, lambda s: clip_composition.set_keep_pitch(s, lookup.linked(s, self._ids()), keep)
        )

    # -- groups ------------------------------------------------------------------------------------------------------

    def group(self) -> bool:
        """Make the selected clips select and move together."""
        return self._editing.perform("Group Clips", lambda s: edits.group(s, self._session.selection))

    def ungroup(self) -> bool:
        """Take the groups of the selected clips apart."""
        return self._editing.perform("Ungroup Clips", lambda s: edits.ungroup(s, self._session.selection))

    def select_together(self, clip_ids: Collection[str]) -> frozenset[str]:
        """``clip_ids`` with what is selected along with them: linked clips and groups."""
        sequence = self._session.sequence
        return lookup.together(sequence, clip_ids) if sequence is not None else frozenset()

    # -- nested timelines --------------------------------------------------------------------------------------------

    def nest(self, name: str = "") -> bool:
        """Move the selected clips into a timeline of their own, and show that in their place."""
        new: list[str] = []

        def change(document: Document) -> Document:
            if not self._session.selection:
                raise EditRefused("No clip is selected.", "Select the clips to nest.")
            made = nesting.nest(document, self._session.selection, name)
            new.extend(made.clip_ids)
            return made.document

        done = self._editing.perform_on_document("Nest Clips", change)
        if done:
            self._session.set_selection(frozenset(new))
        return done

    def unnest(self) -> bool:
        """Lay the contents of the selected nested clip out in its place."""

        def change(document: Document) -> Document:
            for clip in self._clips():
                item = document.media.get(clip.media_id)
                if item is not None and item.nested:
                    return nesting.unnest(document, clip.id)
            raise EditRefused("No nested clip is selected.", "Select a clip that shows a timeline.")

        return self._editing.perform_on_document("Take Nested Clip Apart", change)

    def open_nested(self, clip_id: str = "") -> bool:
        """Make the timeline that a clip (the selected one when empty) shows the active one."""
        document = self._session.document
        clips = self._clips() if not clip_id else ()
        if clip_id and (found := self._session.find_clip(clip_id)) is not None:
            clips = (found,)
        items = [document.media.get(clip.media_id) for clip in clips]
        target = next((item.nested for item in items if item is not None and item.nested), "")

        def change(document: Document) -> Document:
            if not target:
                raise EditRefused("No nested clip is selected.", "Select a clip that shows a timeline.")
            return sequences.activate(document, target)

        return self._editing.perform_on_document("Open Nested Timeline", change)

    def add_timeline(self, sequence_id: str, frame: int | None = None) -> bool:
        """Lay another timeline of the project down at ``frame`` (the playhead when None), over what is there."""
        at = self._session.playhead if frame is None else frame
        new: list[str] = []

        def change(document: Document) -> Document:
            inner, outer = document.sequences.get(sequence_id), document.sequence
            if inner is None or outer is None:
                raise EditRefused("That timeline is no longer in the project.", "Choose another timeline.")
            if not inner.duration:
                raise EditRefused(f"“{inner.name}” is empty.", "Put clips on it first.")
            item = nesting.item_of(inner, document.media)
            document = replace(document, media=with_item(document.media, item.id, item))
            placed = edits.place_media(outer, item, at, collision=edits.Collision.OVERWRITE)
            new.extend(placed.clip_ids)
            return sequences.with_sequence(document, placed.sequence)

        done = self._editing.perform_on_document("Nest Timeline", change)
        if done:
            self._session.set_selection(frozenset(new))
        return done

    # -- attributes --------------------------------------------------------------------------------------------------

    def copy_attributes(self) -> bool:
        """Remember what the selected picture and sound have, to give it to other clips."""
        sequence = self._session.sequence
        ids = lookup.linked(sequence, [c.id for c in self._clips()][:1]) if sequence is not None else frozenset()
        copied: dict[TrackKind, Clip] = {}
        for track in sequence.tracks if sequence is not None else ():
            for clip in track.clips:
                if clip.id in ids:
                    copied.setdefault(track.kind, clip)
        if not copied:
            self._session.tell("No clip is selected. Click the clip to copy from first.", "warning")
            return False
        self._copied = copied
        self.attributes_copied.emit(True)
        names = [ATTRIBUTE_NAMES[name] for name in Attribute if name in self.copied_attributes]
        what = ", ".join(names).lower() if names else "a plain clip's attributes"
        self._session.tell(f"Copied {what}.", "info")
        return True

    @property
    def can_paste_attributes(self) -> bool:
        return bool(self._copied)

    @property
    def copied_attributes(self) -> frozenset[Attribute]:
        """What the copied clips have that a new clip has not."""
        return frozenset(name for clip in self._copied.values() for name in edits.attributes_of(clip))

    def paste_attributes(self, which: Collection[Attribute] | None = None) -> bool:
        """Give the selected clips the chosen attributes (all that were copied when None)."""
        chosen = self.copied_attributes if which is None else which

        def edit(sequence: Sequence) -> Sequence:
            if not self._copied:
                raise EditRefused("No attributes were copied.", "Select a clip and copy its attributes first.")
            ids = lookup.linked(sequence, self._ids())
            for kind, source in self._copied.items():
                there = [c.id for t in sequence.tracks if t.kind is kind for c in t.clips if c.id in ids]
                if there:
                    sequence = edits.paste_attributes(sequence, source, there, chosen, self._media)
            return sequence

        return self._editing.perform("Paste Attributes", edit)

    def reset_attributes(self, which: Collection[Attribute] = tuple(Attribute)) -> bool:
        """Put the selected clips' attributes back to those of new clips; their speed stays."""
        return self._editing.perform("Reset Attributes", lambda s: edits.reset_attributes(s, self._ids(), which))

    # -- footage -----------------------------------------------------------------------------------------------------

    def replace_media(self, media_id: str, source_in: Fraction | None = None, clip_id: str = "") -> bool:
        """Put other media under a clip (the selected one when empty); its look and attributes stay.

        ``source_in``: the media second its first frame shows; None = as before."""
        item = self._media.get(media_id)

        def edit(sequence: Sequence) -> Sequence:
            if item is None:
                raise EditRefused("That media is no longer in the project.", "Choose another file.")
            target = clip_id or next(iter(c.id for c in self._clips()), "")
            if not target:
                raise EditRefused("No clip is selected.", "Click the clip to replace first.")
            return edits.replace_media(sequence, target, item, self._media, source_in=source_in)

        return self._editing.perform(f"Replace with {item.name}" if item else "Replace Footage", edit)

    # -- binding -----------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "timeline.reverse": self.toggle_reverse,
            "timeline.freeze": self.toggle_freeze,
            "timeline.insert_hold": self.insert_hold,
            "timeline.group": self.group,
            "timeline.ungroup": self.ungroup,
            "timeline.nest": self.nest,
            "timeline.unnest": self.unnest,
            "timeline.copy_attributes": self.copy_attributes,
            "timeline.paste_all_attributes": self.paste_attributes,
            "timeline.reset_attributes": self.reset_attributes,
        }
