"""What the artist means on the timeline, turned into edits of the document.

No widgets in here: menus, keys, the painted timeline and tests all call the same methods. An edit that a rule forbids
tells the artist why, in one sentence, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from PySide6.QtCore import QObject, Signal

from gen2studio.app.session import Session
from gen2studio.app.timeline_clipboard import ClipboardClips, copied, placements, rejoined
from gen2studio.app.timeline_editing_clips import ClipCommands
from gen2studio.app.timeline_editing_joins import JoinCommands
from gen2studio.app.timeline_editing_titles import TitleCommands
from gen2studio.core.errors import EditRefused
from gen2studio.core.media_info import MediaKind
from gen2studio.core.time import timecode
from gen2studio.document import edits, lookup, sequences, takes
from gen2studio.document.model import Clip, Document, Marker, MediaItem, Sequence, Track, TrackKind

Edit = Callable[[Sequence], Sequence]


def counted(count: int, noun: str = "Clip") -> str:
    """``Clip`` or ``3 Clips``: for undo labels."""
    return noun if count == 1 else f"{count} {noun}s"


class TimelineEditing(QObject):
    """Every timeline command. Lives on the UI thread; works on the session's active sequence."""

    refused = Signal(str)
    """Why the last edit could not be made; also told through :meth:`Session.tell`."""
    clipboard_changed = Signal(bool)
    """Whether there are clips to paste."""

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.session = session
        self._clipboard: ClipboardClips | None = None
        self.still_seconds = edits.STILL_SECONDS
        """How long a still becomes on the timeline."""
        self.clips = ClipCommands(self)
        """Direction, freezing, groups, nesting, attributes, other footage."""
        self.joins = JoinCommands(self)
        """Transitions and fades."""
        self.titles = TitleCommands(self)
        """Captions and markers."""
        self.marked: Callable[[MediaItem], tuple[Fraction, Fraction] | None] = lambda _item: None
        """Media seconds [in, out) that the artist marked of a file in the source viewer: what a drag of it means."""

    # -- applying ----------------------------------------------------------------------------------------------------

    def perform(self, label: str, edit: Edit, merge_key: str = "") -> bool:
        """Apply ``edit`` to the active sequence as one undo step. False when it was refused or changed nothing."""

        def change(document: Document) -> Document:
            sequence = document.sequence
            if sequence is None:
                raise EditRefused("There is no timeline yet.", "Drag a clip from the media pool onto it.")
            new = edit(sequence)
            return document if new is sequence else sequences.with_sequence(document, new)

        return self.perform_on_document(label, change, merge_key)

    def perform_on_document(self, label: str, change: Callable[[Document], Document], merge_key: str = "") -> bool:
        """Like :meth:`perform` for edits that reach beyond one sequence."""
        document = self.session.document
        try:
            new = change(document)
        except EditRefused as refusal:
            self._refuse(refusal)
            return False
        if new is document:
            return False
        self.session.store.apply(label, new, merge_key)
        return True

    def _refuse(self, refusal: EditRefused) -> None:
        self.refused.emit(str(refusal))
        self.session.tell(str(refusal), "warning")

    def _here(self, frame: int | None = None) -> str:
        sequence = self.session.sequence
        frame = self.session.playhead if frame is None else frame
        return timecode(frame, sequence.rate) if sequence else str(frame)

    # -- what commands work on ---------------------------------------------------------------------------------------

    def target_track(self, kind: TrackKind | None = None) -> Track | None:
        """The track that keys and insertions work on: the one the artist chose, else the first of its kind."""
        sequence = self.session.sequence
        if sequence is None:
            return None
        chosen = next((t for t in sequence.tracks if t.id == self.session.track), None)
        if chosen is not None and kind in (None, chosen.kind):
            return chosen
        return next((t for t in sequence.tracks if t.kind is (kind or TrackKind.VIDEO)), None)

    def selected_clips(self) -> tuple[Clip, ...]:
        """Selected clips in time order."""
        sequence = self.session.sequence
        chosen = [c for t in sequence.tracks for c in t.clips if c.id in self.session.selection] if sequence else []
        return tuple(sorted(chosen, key=lambda c: c.start))

    def clips_under_playhead(self) -> tuple[Clip, ...]:
        """What keys at the playhead mean: the selected clips there, else the target track's, else the topmost one."""
        sequence = self.session.sequence
        if sequence is None:
            return ()
        frame = self.session.playhead
        chosen = tuple(c for c in self.selected_clips() if c.start <= frame < c.end)
        if chosen:
            return chosen
        track = self.target_track()
        here = lookup.clip_at(track, frame) if track is not None else None
        if here is None:
            candidates = (*reversed(sequence.video_tracks), *sequence.audio_tracks)
            here = next((c for t in candidates if not t.locked and (c := lookup.clip_at(t, frame))), None)
        return (here,) if here is not None else ()

    def _selected_ids(self) -> frozenset[str]:
        if not self.session.selection:
            raise EditRefused("No clip is selected.", "Click a clip on the timeline first.")
        return self.session.selection

    def _on_selection(self, label: str, edit: Callable[[Sequence, frozenset[str]], Sequence], merge: str = "") -> bool:
        ids = self.session.selection
        text = label.format(counted(len(ids)))
        return self.perform(text, lambda s: edit(s, self._selected_ids()), merge)

    # -- placing media -----------------------------------------------------------------------------------------------

    def insert_media(self, media_ids: Iterable[str], track_id: str = "", frame: int | None = None) -> bool:
        """Insert at ``frame`` (the playhead when None); what follows moves right."""
        return self._place("Insert", media_ids, track_id, frame, edits.Collision.INSERT)

    def overwrite_media(self, media_ids: Iterable[str], track_id: str = "", frame: int | None = None) -> bool:
        """Overwrite what lies at ``frame`` (the playhead when None)."""
        return self._place("Overwrite", media_ids, track_id, frame, edits.Collision.OVERWRITE)

    def append_media(self, media_ids: Iterable[str], track_id: str = "") -> bool:
        """Put the media behind the last clip."""
        return self._place("Append", media_ids, track_id, None, None)

    def media_edit(
        self, media_ids: Iterable[str], track_id: str, frame: int, collision: edits.Collision | None
    ) -> Callable[[Sequence], tuple[Sequence, tuple[str, ...]]]:
        """The edit that a drop makes, for a preview of it: sequence → (new sequence, ids of the new clips)."""
        items = self._items(media_ids)

        def edit(sequence: Sequence) -> tuple[Sequence, tuple[str, ...]]:
            track = next((t for t in sequence.tracks if t.id == track_id), None)
            video = track.id if track is not None and track.kind is TrackKind.VIDEO else ""
            audio = track.id if track is not None and track.kind is TrackKind.AUDIO else ""
            at, new = frame, []
            for item in items:
                source = self.marked(item)
                if source is None and item.info.kind is MediaKind.STILL:
                    source = (Fraction(0), self.still_seconds)
                if collision is None:
                    placed = edits.append_media(sequence, item, video_track=video, audio_track=audio, source=source)
                else:
                    placed = edits.place_media(
                        sequence, item, at, collision=collision, video_track=video, audio_track=audio, source=source
                    )
                sequence = placed.sequence
                new += placed.clip_ids
                at = max((lookup.clip_of(sequence, c).end for c in placed.clip_ids), default=at)
            return sequence, tuple(new)

        return edit

    def _items(self, media_ids: Iterable[str]) -> list[MediaItem]:
        media = self.session.document.media
        return [media[i] for i in media_ids if i in media]

    def _place(
        self, verb: str, media_ids: Iterable[str], track_id: str, frame: int | None, collision: edits.Collision | None
    ) -> bool:
        items = self._items(media_ids)
        if not items:
            return False
        at = self.session.playhead if frame is None else max(0, frame)
        target = track_id or self.session.track
        new: list[str] = []

        def change(document: Document) -> Document:
            if document.sequence is None:
                document = sequences.add_sequence(document, self.sequence_for(items[0]))
            assert document.sequence is not None
            edit = self.media_edit([i.id for i in items], target, at, collision)
            sequence, ids = edit(document.sequence)
            new.extend(ids)
            return sequences.with_sequence(document, sequence)

        label = f"{verb} {items[0].name}" if len(items) == 1 else f"{verb} {counted(len(items))}"
        done = self.perform_on_document(label, change)
        if done:
            self.session.set_selection(frozenset(new))
            if (
                frame is None
                and collision is not None
                and (end := max((c.end for c in self.selected_clips()), default=None)) is not None
            ):
                self.session.set_playhead(end)
        return done

    @staticmethod
    def sequence_for(item: MediaItem) -> Sequence:
        """A sequence with the size and rate of the first media put on it; 1920×1080 at 25 without a picture."""
        info = item.info
        return edits.new_sequence("Sequence 1", info.rate or Fraction(25), info.width or 1920, info.height or 1080)

    # -- cutting -----------------------------------------------------------------------------------------------------

    def razor(self) -> bool:
        """Cut the clips at the playhead that commands work on."""
        return self.razor_at(self.session.playhead, [c.id for c in self.clips_under_playhead()])

    def razor_at(self, frame: int, clip_ids: Iterable[str]) -> bool:
        """Cut some clips (and their linked partners) at ``frame``."""
        ids = frozenset(clip_ids)

        def edit(sequence: Sequence) -> Sequence:
            if not ids:
                raise EditRefused("There is no clip at the playhead to cut.")
            return edits.razor_clips(sequence, ids, frame)

        return self.perform(f"Razor at {self._here(frame)}", edit)

    def razor_all(self) -> bool:
        return self.razor_all_at(self.session.playhead)

    def razor_all_at(self, frame: int) -> bool:
        """Cut every unlocked track at ``frame``."""
        return self.perform(f"Razor All Tracks at {self._here(frame)}", lambda s: edits.razor(s, frame))

    def trim_head_to_playhead(self, all_tracks: bool = False) -> bool:
        """Drop what lies before the playhead in the clip under it; what follows moves left. With ``all_tracks`` that
        stretch goes from every unlocked track."""
        clip = self._clip_to_trim()
        if clip is None:
            return False
        media = self.session.document.media
        delta = self.session.playhead - clip.start
        done = self.perform(
            f"Trim Head to {self._here()}",
            lambda s: (
                edits.extract_range(s, clip.start, clip.start + delta)
                if all_tracks
                else edits.ripple_trim_head(s, clip.id, delta, media)
            ),
        )
        if done:
            self.session.set_playhead(clip.start)
        return done

    def trim_tail_to_playhead(self, all_tracks: bool = False) -> bool:
        """Drop what lies after the playhead in the clip under it; what follows moves left. With ``all_tracks`` that
        stretch goes from every unlocked track."""
        clip = self._clip_to_trim()
        if clip is None:
            return False
        media = self.session.document.media
        delta = self.session.playhead - clip.end
        return self.perform(
            f"Trim Tail to {self._here()}",
            lambda s: (
                edits.extract_range(s, clip.end + delta, clip.end)
                if all_tracks
                else edits.ripple_trim_tail(s, clip.id, delta, media)
            ),
        )

    def _clip_to_trim(self) -> Clip | None:
        clips = self.clips_under_playhead()
        if not clips or self.session.playhead == clips[0].start:
            self._refuse(EditRefused("There is nothing to trim at the playhead.", "Put the playhead inside a clip."))
            return None
        return clips[0]

    # -- deleting ----------------------------------------------------------------------------------------------------

    def lift(self) -> bool:
        """Take the selected clips out; a gap stays."""
        return self._on_selection("Lift {}", lambda s, ids: edits.lift(s, ids))

    def ripple_delete(self, all_tracks: bool = False) -> bool:
        """Take the selected clips out and close the gap on their tracks, or on all."""
        return self._on_selection("Ripple Delete {}", lambda s, ids: edits.ripple_delete(s, ids, all_tracks=all_tracks))

    def insert_gap(self, frames: int | None = None) -> bool:
        """Open a gap at the playhead on all unlocked tracks: ``frames`` long, else as in to out, else a second."""
        here = self.session.playhead

        def edit(sequence: Sequence) -> Sequence:
            start, stop = sequence.in_point, sequence.out_point
            marked = stop - start if start is not None and stop is not None else max(1, round(sequence.rate))
            return edits.insert_gap(sequence, here, marked if frames is None else frames)

        return self.perform("Insert Gap", edit)

    def close_gap_here(self) -> bool:
        """Close the gap at the playhead on the target track."""
        track = self.target_track()
        return track is not None and self.close_gap(track.id, self.session.playhead)

    def close_gap(self, track_id: str, frame: int, all_tracks: bool = False) -> bool:
        """Close the gap at ``frame`` of a track."""
        return self.perform("Ripple Delete Gap", lambda s: edits.close_gap(s, track_id, frame, all_tracks=all_tracks))

    def lift_range(self) -> bool:
        """Empty the in/out range."""
        return self.perform("Lift In to Out", lambda s: edits.lift_range(s, *self._range(s)))

    def extract(self) -> bool:
        """Take the in/out range out and close the gap."""
        return self.perform("Extract In to Out", lambda s: edits.extract_range(s, *self._range(s)))

    @staticmethod
    def _range(sequence: Sequence) -> tuple[int, int]:
        start = sequence.in_point or 0
        stop = sequence.duration if sequence.out_point is None else sequence.out_point
        if sequence.in_point is None and sequence.out_point is None:
            raise EditRefused("No in/out range is set.", "Press I and O at its ends first.")
        return start, stop

    # -- moving ------------------------------------------------------------------------------------------------------

    def nudge(self, frames: int) -> bool:
        """Move the selected clips; presses in a row are one undo step."""
        way = "Right" if frames > 0 else "Left"
        return self._on_selection(f"Nudge {{}} {way}", lambda s, ids: edits.move(s, ids, frames), "nudge")

    def move_tracks(self, steps: int) -> bool:
        """Move the selected clips ``steps`` tracks up on screen (− down): pictures up their tracks, sound up its."""

        def edit(sequence: Sequence) -> Sequence:
            ids = self._selected_ids()
            for kind, way in ((TrackKind.VIDEO, steps), (TrackKind.AUDIO, -steps)):
                there = {c.id for t in sequence.tracks if t.kind is kind for c in t.clips if c.id in ids}
                if there and (kind is TrackKind.VIDEO or not _has_pictures(sequence, ids)):
                    return edits.move(sequence, there, 0, track_steps=way, kind=kind)
            return sequence

        return self.perform(f"Move {counted(len(self.session.selection))} {'Up' if steps > 0 else 'Down'}", edit)

    def duplicate(self) -> bool:
        """Put a copy of the selected clips right behind them; what follows moves right."""
        clips = self.selected_clips()
        span = max(c.end for c in clips) - clips[0].start if clips else 0
        new: list[str] = []

        def edit(sequence: Sequence) -> Sequence:
            placed = edits.duplicate(sequence, self._selected_ids(), span, collision=edits.Collision.INSERT)
            new.extend(placed.clip_ids)
            return placed.sequence

        done = self.perform(f"Duplicate {counted(len(clips))}", edit)
        if done:
            self.session.set_selection(frozenset(new))
        return done

    # -- clipboard ---------------------------------------------------------------------------------------------------

    @property
    def can_paste(self) -> bool:
        return self._clipboard is not None

    def copy(self) -> bool:
        sequence = self.session.sequence
        if sequence is None or not self.session.selection:
            return False
        self._clipboard = copied(sequence, self.session.selection)
        self.clipboard_changed.emit(True)
        return True

    def cut(self) -> bool:
        """Copy, then lift."""
        if not self.copy():
            return False
        return self._on_selection("Cut {}", lambda s, ids: edits.lift(s, ids))

    def paste(self, insert: bool = False) -> bool:
        """Put the copied clips at the playhead: over what is there, or with ``insert`` between."""
        board = self._clipboard
        if board is None:
            return False
        new: list[str] = []
        at = self.session.playhead
        track = self.target_track()

        def edit(sequence: Sequence) -> Sequence:
            places = placements(board, sequence, at, track)
            new.extend(p.clip.id for p in places)
            laid = edits.insert(sequence, places) if insert else edits.overwrite(sequence, places)
            return rejoined(board, laid, places, self.session.document.media)

        done = self.perform(f"{'Paste Insert' if insert else 'Paste'} {counted(len(board.clips))}", edit)
        if done:
            self.session.set_selection(frozenset(new))
            self.session.set_playhead(at + board.span)
        return done

    # -- clip facts --------------------------------------------------------------------------------------------------

    def link(self) -> bool:
        return self._on_selection("Link {}", lambda s, ids: edits.link(s, ids))

    def unlink(self) -> bool:
        return self._on_selection("Unlink {}", lambda s, ids: edits.unlink(s, ids))

    def toggle_enabled(self) -> bool:
        enable = not any(c.enabled for c in self.selected_clips())
        verb = "Enable" if enable else "Disable"
        return self._on_selection(f"{verb} {{}}", lambda s, ids: edits.set_enabled(s, ids, enable))

    def set_speed(self, speed: Fraction, ripple: bool = False) -> bool:
        """Media seconds per sequence second of the selected clips."""
        media = self.session.document.media
        label = f"Speed {float(speed) * 100:g} %"
        return self._on_selection(label, lambda s, ids: edits.set_speed(s, ids, speed, media, ripple=ripple))

    def set_gain(self, gain_db: float) -> bool:
        """Volume of the selected clips in decibels."""
        return self._on_selection(f"Volume {gain_db:+g} dB", lambda s, ids: edits.set_gain(s, ids, gain_db))

    def rename_clip(self, clip_id: str, name: str) -> bool:
        return self.perform("Rename Clip", lambda s: edits.rename_clip(s, clip_id, name))

    def apply_take(self, clip_id: str, take_id: str) -> bool:
        """Show a take of a clip; an empty ``take_id`` shows its source."""

        def change(document: Document) -> Document:
            return takes.apply_take(document, clip_id, take_id) if take_id else takes.unapply(document, clip_id)

        take = self.session.document.takes.get(take_id)
        return self.perform_on_document(f"Apply {take.name}" if take else "Show Source", change)

    def step_take(self, step: int) -> bool:
        """Show the next (+1) or previous (−1) take of the selected clips, going round through the source."""
        clips = [c for c in self.selected_clips() if c.takes] or [c for c in self.clips_under_playhead() if c.takes]

        def change(document: Document) -> Document:
            if not clips:
                raise EditRefused("The clip has no takes yet.", "Generate one first.")
            for clip in clips:
                ring = ("", *clip.takes)
                at = ring.index(clip.active_take) if clip.active_take in ring else 0
                chosen = ring[(at + step) % len(ring)]
                document = takes.apply_take(document, clip.id, chosen) if chosen else takes.unapply(document, clip.id)
            return document

        return self.perform_on_document("Next Take" if step > 0 else "Previous Take", change)

    def show_source(self) -> bool:
        clips = [c for c in self.selected_clips() if c.active_take]

        def change(document: Document) -> Document:
            for clip in clips:
                document = takes.unapply(document, clip.id)
            return document

        return self.perform_on_document("Show Source", change)

    # -- tracks ------------------------------------------------------------------------------------------------------

    def add_track(self, kind: TrackKind) -> bool:
        name = "Video" if kind is TrackKind.VIDEO else "Audio"
        return self.perform(f"Add {name} Track", lambda s: edits.add_track(s, kind))

    def remove_track(self, track_id: str = "") -> bool:
        """Remove a track (the target track when empty) with everything on it."""
        track = self.target_track()
        target = track_id or (track.id if track else "")
        done = self.perform("Remove Track", lambda s: edits.remove_track(s, target))
        if done and self.session.track == target:
            left = self.target_track()
            self.session.set_track(left.id if left else "")
        return done

    def rename_track(self, track_id: str, name: str) -> bool:
        return self.perform("Rename Track", lambda s: edits.rename_track(s, track_id, name))

    def set_locked(self, track_id: str, locked: bool) -> bool:
        return self.perform("Lock Track" if locked else "Unlock Track", lambda s: edits.set_locked(s, track_id, locked))

    def set_muted(self, track_id: str, muted: bool) -> bool:
        """Silence an audio track, hide a video track."""
        track = (
            next((t for t in self.session.sequence.tracks if t.id == track_id), None) if self.session.sequence else None
        )
        video = track is not None and track.kind is TrackKind.VIDEO
        label = ("Hide" if muted else "Show") if video else ("Mute" if muted else "Unmute")
        return self.perform(f"{label} Track", lambda s: edits.set_muted(s, track_id, muted))

    def set_solo(self, track_id: str, solo: bool) -> bool:
        """Hear or see only solo tracks of a kind."""
        return self.perform("Solo Track" if solo else "Unsolo Track", lambda s: edits.set_solo(s, track_id, solo))

    def set_track_gain(self, track_id: str, gain_db: float) -> bool:
        """A track's fader; a drag is one undo step."""
        return self.perform(
            "Track Volume", lambda s: edits.set_track_gain(s, track_id, gain_db), f"track gain {track_id}"
        )

    def set_track_pan(self, track_id: str, pan: float) -> bool:
        """−1 left … 1 right; a drag is one undo step."""
        return self.perform("Track Pan", lambda s: edits.set_track_pan(s, track_id, pan), f"track pan {track_id}")

    def set_height(self, track_id: str, height: int) -> bool:
        return self.perform("Track Height", lambda s: edits.set_height(s, track_id, height), f"height {track_id}")

    def _toggle_target(self, setter: Callable[[str, bool], bool], field: str) -> bool:
        track = self.target_track()
        return track is not None and setter(track.id, not getattr(track, field))

    # -- in, out, markers --------------------------------------------------------------------------------------------

    def set_in(self, frame: int | None = None) -> bool:
        at = self.session.playhead if frame is None else frame
        return self.perform(f"Set In at {self._here(at)}", lambda s: edits.set_in_point(s, at))

    def set_out(self, frame: int | None = None) -> bool:
        """End the range after the frame at the playhead, or before ``frame``."""
        at = self.session.playhead + 1 if frame is None else frame
        return self.perform(f"Set Out at {self._here(at)}", lambda s: edits.set_out_point(s, at))

    def clear_in_out(self) -> bool:
        return self.perform("Clear In and Out", edits.clear_in_out)

    def mark_clip(self) -> bool:
        """In and out around the selected clips, else around the clip at the playhead."""
        clips = self.selected_clips() or self.clips_under_playhead()

        def edit(sequence: Sequence) -> Sequence:
            if not clips:
                raise EditRefused("No clip is selected.", "Click a clip on the timeline first.")
            cleared = edits.clear_in_out(sequence)
            inner = edits.set_in_point(cleared, min(c.start for c in clips))
            return edits.set_out_point(inner, max(c.end for c in clips))

        return self.perform("Set In and Out to Selection", edit)

    def toggle_marker(self, frame: int | None = None) -> bool:
        """Put a marker at the playhead; take it away when there is one."""
        at = self.session.playhead if frame is None else frame
        sequence = self.session.sequence
        there: Marker | None = next((m for m in sequence.markers if m.frame == at), None) if sequence else None
        if there is not None:
            return self.perform("Remove Marker", lambda s: edits.remove_markers(s, [there.id]))
        return self.perform(f"Add Marker at {self._here(at)}", lambda s: edits.add_marker(s, at))

    # -- playhead and selection --------------------------------------------------------------------------------------

    def go_start(self) -> None:
        self.session.set_playhead(0)

    def go_end(self) -> None:
        sequence = self.session.sequence
        self.session.set_playhead(sequence.duration if sequence else 0)

    def go_to_edit(self, step: int) -> None:
        """The next (+1) or previous (−1) cut or marker."""
        sequence = self.session.sequence
        if sequence is None:
            return
        here = self.session.playhead
        points = {0, *lookup.edit_points(sequence), *(m.frame for m in sequence.markers)}
        found = (
            min((p for p in points if p > here), default=None)
            if step > 0
            else max((p for p in points if p < here), default=None)
        )
        if found is not None:
            self.session.set_playhead(found)

    def select_all(self) -> None:
        self._select(lambda _clip: True)

    def select_none(self) -> None:
        self.session.set_selection(frozenset())

    def select_forward(self) -> None:
        here = self.session.playhead
        self._select(lambda clip: clip.start >= here)

    def _select(self, wanted: Callable[[Clip], bool]) -> None:
        sequence = self.session.sequence
        tracks = sequence.tracks if sequence else ()
        self.session.set_selection(frozenset(c.id for t in tracks if not t.locked for c in t.clips if wanted(c)))

    def toggle_snapping(self) -> None:
        self.session.set_snapping(not self.session.snapping)

    # -- binding -----------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        """The commands by action id (see actions_timeline.py), without ``playback.*`` and the view's own."""
        return {
            "timeline.go_start": self.go_start,
            "timeline.go_end": self.go_end,
            "timeline.go_previous_edit": lambda: self.go_to_edit(-1),
            "timeline.go_next_edit": lambda: self.go_to_edit(1),
            "timeline.set_in": self.set_in,
            "timeline.set_out": self.set_out,
            "timeline.clear_in_out": self.clear_in_out,
            "timeline.mark_clip": self.mark_clip,
            "timeline.add_marker": self.toggle_marker,
            "timeline.copy": self.copy,
            "timeline.cut": self.cut,
            "timeline.paste": self.paste,
            "timeline.paste_insert": lambda: self.paste(insert=True),
            "timeline.duplicate": self.duplicate,
            "timeline.select_all": self.select_all,
            "timeline.select_none": self.select_none,
            "timeline.select_forward": self.select_forward,
            "timeline.razor": self.razor,
            "timeline.razor_all": self.razor_all,
            "timeline.trim_head": self.trim_head_to_playhead,
            "timeline.trim_tail": self.trim_tail_to_playhead,
            "timeline.lift": self.lift,
            "timeline.ripple_delete": self.ripple_delete,
            "timeline.lift_range": self.lift_range,
            "timeline.extract": self.extract,
            "timeline.nudge_left": lambda: self.nudge(-1),
            "timeline.nudge_right": lambda: self.nudge(1),
            "timeline.nudge_left_ten": lambda: self.nudge(-10),
            "timeline.nudge_right_ten": lambda: self.nudge(10),
            "timeline.link": self.link,
            "timeline.unlink": self.unlink,
            "timeline.toggle_enabled": self.toggle_enabled,
            "timeline.next_take": lambda: self.step_take(1),
            "timeline.previous_take": lambda: self.step_take(-1),
            "timeline.show_source": self.show_source,
            "timeline.add_video_track": lambda: self.add_track(TrackKind.VIDEO),
            "timeline.add_audio_track": lambda: self.add_track(TrackKind.AUDIO),
            "timeline.remove_track": self.remove_track,
            "timeline.toggle_lock": lambda: self._toggle_target(self.set_locked, "locked"),
            "timeline.toggle_mute": lambda: self._toggle_target(self.set_muted, "muted"),
            "timeline.toggle_snapping": self.toggle_snapping,
            "timeline.toggle_solo": lambda: self._toggle_target(self.set_solo, "solo"),
            "timeline.ripple_delete_all": lambda: self.ripple_delete(all_tracks=True),
            "timeline.trim_head_all": lambda: self.trim_head_to_playhead(all_tracks=True),
            "timeline.trim_tail_all": lambda: self.trim_tail_to_playhead(all_tracks=True),
            "timeline.insert_gap": self.insert_gap,
            "timeline.close_gap": self.close_gap_here,
            "timeline.move_up": lambda: self.move_tracks(1),
            "timeline.move_down": lambda: self.move_tracks(-1),
            **self.clips.handlers(),
            **self.joins.handlers(),
            **self.titles.handlers(),
        }


def _has_pictures(sequence: Sequence, clip_ids: frozenset[str]) -> bool:
    return any(clip.id in clip_ids for track in sequence.video_tracks for clip in track.clips)
