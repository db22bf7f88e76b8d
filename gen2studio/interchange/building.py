"""An outline and the media found for it become sequences of a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from gen2studio.core.errors import ProjectError
from gen2studio.core.ids import is_id, new_id
from gen2studio.core.media_info import MediaKind
from gen2studio.document.codec_composition import decode_transition
from gen2studio.document.codec_reader import Node
from gen2studio.document.codec_timeline import decode_clip, decode_sequence_head, decode_track
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.lookup import head_room, longest, zero_of
from gen2studio.document.media_edits import add_media
from gen2studio.document.model import Clip, Document, Marker, MediaItem, Sequence, Track, TrackKind
from gen2studio.document.nesting import item_of
from gen2studio.document.sequences import add_sequence
from gen2studio.interchange.notes import Notes
from gen2studio.interchange.outline import OutlineClip, OutlineMarker, OutlineSequence, OutlineTrack
from gen2studio.interchange.writing import COLOURS

_NEAR = Fraction(1, 10_000)
"""Seconds: what floating point may have moved a source position."""
_DEFAULT_SIZE = (1920, 1080)
_KINDS = (
    ("dip", TransitionKind.DIP),
    ("clock", TransitionKind.CLOCK),
    ("iris", TransitionKind.IRIS),
    ("push", TransitionKind.PUSH),
    ("slide", TransitionKind.SLIDE),
    ("wipe", TransitionKind.WIPE),
)


class Built:
    """The document with the timeline in it."""

    def __init__(self, document: Document, sequence_id: str) -> None:
        self.document = document
        self.sequence_id = sequence_id


def build(
    document: Document,
    outline: OutlineSequence,
    found: Mapping[str, MediaItem],
    offsets: Mapping[str, Fraction],
    notes: Notes,
) -> Built:
    """Lay ``outline`` into ``document`` as its active timeline.

    ``found`` has the media item of every wish by its key, ``offsets`` the second on the timecode of its first frame.
    Items that the document lacks are added. Raises ProjectError for values that a document can't hold.
    """
    known = {item.id for item in document.media.values()}
    fresh: dict[str, MediaItem] = {}
    for item in found.values():
        if item.id not in known:
            fresh[item.id] = item
    document = add_media(document, *fresh.values())
    builder = _Builder(document, found, offsets, notes)
    builder.remember(outline.media)
    sequence = builder.sequence(outline)
    return Built(add_sequence(builder.document, sequence), sequence.id)


class _Builder:
    def __init__(
        self, document: Document, found: Mapping[str, MediaItem], offsets: Mapping[str, Fraction], notes: Notes
    ) -> None:
        self.document = document
        self._found = found
        self._offsets = offsets
        self._notes = notes
        self._taken = {s.id for s in document.sequences.values()}
        self._taken |= {t.id for s in document.sequences.values() for t in s.tracks}
        self._taken |= {c.id for s in document.sequences.values() for t in s.tracks for c in t.clips}
        self._groups: dict[str, str] = {}
        self._inside: list[tuple[OutlineSequence, MediaItem]] = []
        self._media: tuple[dict[str, Any], ...] = ()

    def remember(self, media: tuple[dict[str, Any], ...]) -> None:
        """The media items as we wrote them: nested timelines get their ids back."""
        self._media = media

    def _own(self, wanted: str, prefix: str) -> str:
        """``wanted`` when nothing in the document has it, else a new id."""
        chosen = wanted if wanted and wanted not in self._taken else new_id(prefix)
        self._taken.add(chosen)
        return chosen

    def sequence(self, outline: OutlineSequence) -> Sequence:
        ours = None
        if outline.ours is not None:
            ours = decode_sequence_head(Node({**outline.ours, "tracks": []}, "the timeline"), ())
        width, height = (ours.width, ours.height) if ours is not None else self._size(outline)
        rate = ours.rate if ours is not None else outline.rate
        made = Sequence(
            id=self._own(ours.id if ours else "", "seq"), name=outline.name, rate=rate, width=width, height=height
        )
        if ours is not None:
            made = replace(ours, id=made.id, name=outline.name)
        tracks: list[Track] = []
        for kind in (TrackKind.VIDEO, TrackKind.AUDIO):
            chosen = [t for t in outline.tracks if t.picture == (kind is TrackKind.VIDEO)]
            for number, track in enumerate(chosen):
                tracks.append(self._track(track, kind, number + 1, rate))
        tracks = _linked(tracks) if outline.ours is None else self._in_sync(tracks, rate)
        markers = self._markers(outline.markers, ours.markers if ours else (), rate)
        return replace(made, tracks=tuple(tracks), markers=markers)

    def _in_sync(self, tracks: list[Track], rate: Fraction) -> list[Track]:
        """Without the links whose clips another program moved apart."""
        moments: dict[tuple[str, str], set[tuple[Fraction, Fraction]]] = {}
        names: dict[str, str] = {}
        for track in tracks:
            for clip in track.clips:
                if clip.link:
                    moments.setdefault((clip.link, clip.media_id), set()).add((zero_of(clip, rate), clip.speed))
                    names[clip.link] = clip.name
        broken = {link for (link, _), found in moments.items() if len(found) > 1}
        for link in broken:
            self._notes.add("Links of clips that are no longer in sync", names[link])
        return [
            replace(t, clips=tuple(replace(c, link="") if c.link in broken else c for c in t.clips)) for t in tracks
        ]

    def _size(self, outline: OutlineSequence) -> tuple[int, int]:
        sizes = [self._found[c.wish].info for c in outline.each_clip() if c.wish in self._found]
        best = max((i for i in sizes if i.width and i.height), key=lambda i: i.width * i.height, default=None)
        return (best.width, best.height) if best is not None else _DEFAULT_SIZE

    # -- tracks ----------------------------------------------------------------------------------------------------

    def _track(self, outline: OutlineTrack, kind: TrackKind, number: int, rate: Fraction) -> Track:
        fallback = f"{'V' if kind is TrackKind.VIDEO else 'A'}{number}"
        track = Track(id="", kind=kind, name=outline.name or fallback)
        written: list[Transition] = []
        if outline.ours is not None:
            head = Node({**outline.ours, "clips": [], "transitions": []}, "a track")
            track = replace(decode_track(head, None, None), name=outline.name or track.name)
            own = Node({"transitions": [], **outline.ours}, "a track")
            written = [decode_transition(n) for n in own.nodes("transitions", "transition")]
        track = replace(track, id=self._own(track.id, "track"), kind=kind, muted=not outline.enabled, transitions=())
        clips: list[Clip] = []
        places: dict[int, Clip] = {}
        ids: dict[str, str] = {}
        for index, entry in enumerate(outline.clips):
            made = self._clip(entry, kind, rate, clips[-1].end if clips else 0)
            if made is None:
                continue
            if entry.ours is not None:
                ids[str(entry.ours.get("id", ""))] = made.id
            clips.append(made)
            places[index] = made
        transitions: list[Transition] = []
        for entry in outline.transitions:
            left, right = places.get(entry.left), places.get(entry.left + 1)
            if left is None or right is None or left.end != right.start:
                self._notes.add("Transitions whose clips don't touch", entry.kind)
                continue
            same = next((t for t in written if ids.get(t.left) == left.id and ids.get(t.right) == right.id), None)
            transition = self._transition(entry.kind, same, left, right)
            before, after = round(entry.before * rate), round(entry.after * rate)
            transition = replace(
                transition,
                before=min(before, left.duration, head_room(right, rate, self.document.media)),
                after=min(after, right.duration, max(0, longest(left, rate, self.document.media) - left.duration)),
            )
            if transition.duration < 1:
                self._notes.add("Transitions that have no material beneath them", f"{left.name} to {right.name}")
                continue
            if (transition.before, transition.after) != (before, after):
                self._notes.add("Transitions were shortened to the material there is", f"{left.name} to {right.name}")
            transitions.append(transition)
        return replace(track, clips=tuple(clips), transitions=tuple(transitions))

    def _transition(self, words: str, same: Transition | None, left: Clip, right: Clip) -> Transition:
        if same is not None:
            return replace(same, left=left.id, right=right.id)
        low = words.lower()
        kind = next((kind for word, kind in _KINDS if word in low), TransitionKind.DISSOLVE)
        if kind is TransitionKind.DISSOLVE and not any(w in low for w in ("dissolve", "fade", "blend")):
            self._notes.add("Transitions that became dissolves", words)
        return Transition(id=new_id("trans"), left=left.id, right=right.id, kind=kind)

    # -- clips -----------------------------------------------------------------------------------------------------

    def _clip(self, entry: OutlineClip, kind: TrackKind, rate: Fraction, cursor: int) -> Clip | None:
        start = max(round(entry.start * rate), cursor)
        stop = max(round(entry.stop * rate), start + 1)
        if entry.nested is not None:
            item = self._nested(entry.nested)
            source = entry.source
        else:
            item = self._found[entry.wish]
            source = entry.source - self._offsets.get(entry.wish, Fraction(0))
        if kind is TrackKind.VIDEO and item.info.kind is MediaKind.AUDIO:
            self._notes.add("Sounds on video tracks", entry.name)
            return None
        if kind is TrackKind.AUDIO and item.info.audio is None and item.path and not item.nested:
            self._notes.add("Clips without sound on audio tracks", entry.name)
            return None
        clip = self._of_ours(entry, item, kind)
        clip = replace(
            clip,
            name=entry.name or item.name,
            start=start,
            duration=stop - start,
            speed=clip.speed if abs(clip.speed - entry.speed) < _NEAR else entry.speed,
            source_in=clip.source_in if abs(clip.source_in - source) < _NEAR else max(Fraction(0), source),
            reverse=entry.reverse,
            freeze=entry.freeze,
            enabled=entry.enabled,
        )
        if entry.ours is None and (entry.fade_in or entry.fade_out):
            length = clip.duration
            fade_in = min(length, round(entry.fade_in * rate))
            clip = replace(clip, fade_in=fade_in, fade_out=min(length - fade_in, round(entry.fade_out * rate)))
        room = longest(clip, rate, self.document.media)
        if room < 1:
            self._notes.add("Clips that show nothing of their media", entry.name)
            return None
        if room < clip.duration:
            self._notes.add("Clips that were longer than their media", entry.name)
            clip = replace(clip, duration=room)
        fade_in = min(clip.fade_in, clip.duration)
        return replace(clip, fade_in=fade_in, fade_out=min(clip.fade_out, clip.duration - fade_in))

    def _nested(self, outline: OutlineSequence) -> MediaItem:
        """The item of a timeline inside; one that was written twice is one again."""
        known = next((item for seen, item in self._inside if seen == outline), None)
        if known is not None:
            return known
        inner = self.sequence(outline)
        self.document = add_sequence(self.document, inner, activate=False)
        item = item_of(inner, self.document.media)
        written = str((outline.ours or {}).get("id", ""))
        own = next((m for m in self._media if str(m.get("nested", "")) == written != ""), None)
        if own is not None and is_id(str(own.get("id"))) and own["id"] not in self.document.media:
            item = replace(item, id=str(own["id"]), name=str(own.get("name") or item.name))
        self.document = add_media(self.document, item)
        self._inside.append((outline, item))
        return item

    def _of_ours(self, entry: OutlineClip, item: MediaItem, kind: TrackKind) -> Clip:
        """The clip as we wrote it, or a plain one, with an id that is free."""
        if entry.ours is None:
            return Clip(id=self._own("", "clip"), media_id=item.id, name=entry.name, start=0, duration=1)
        written = decode_clip(Node(entry.ours, "a clip"), None, set(self.document.takes))
        return replace(
            written,
            id=self._own(written.id, "clip"),
            media_id=item.id,
            link=self._renamed(written.link, "link"),
            group=self._renamed(written.group, "group"),
        )

    def _renamed(self, name: str, prefix: str) -> str:
        """A link or group of the file: its own name while no clip of the document has it."""
        if not name:
            return ""
        if name not in self._groups:
            used = {
                n
                for s in self.document.sequences.values()
                for t in s.tracks
                for c in t.clips
                for n in (c.link, c.group)
            }
            self._groups[name] = new_id(prefix) if name in used else name
        return self._groups[name]

    def _markers(
        self, entries: tuple[OutlineMarker, ...], ours: tuple[Marker, ...], rate: Fraction
    ) -> tuple[Marker, ...]:
        made: list[Marker] = []
        left = list(ours)
        for entry in entries:
            frame, length = round(entry.start * rate), round(entry.duration * rate)
            same = next((m for m in left if (m.frame, m.name) == (frame, entry.name)), None)
            if same is not None:
                left.remove(same)
                made.append(replace(same, duration=length, note=entry.note or same.note))
                continue
            colour = next((name for name, theirs in COLOURS.items() if theirs == entry.colour.upper()), "amber")
            made.append(
                Marker(
                    id=new_id("marker"), frame=frame, duration=length, name=entry.name, note=entry.note, colour=colour
                )
            )
        return tuple(sorted(made, key=lambda m: m.frame))


def _linked(tracks: list[Track]) -> list[Track]:
    """Link pictures with the sounds that show the same moments of the same media."""
    groups: dict[tuple[Any, ...], list[Clip]] = {}
    for track in tracks:
        for clip in track.clips:
            key = (clip.media_id, clip.start, clip.duration, clip.source_in, clip.speed, clip.reverse)
            groups.setdefault(key, []).append(clip)
    links = {c.id: new_id("link") for members in groups.values() if len(members) > 1 for c in members[:1]}
    by_clip: dict[str, str] = {}
    for members in groups.values():
        for clip in members:
            if members[0].id in links:
                by_clip[clip.id] = links[members[0].id]
    return [
        replace(t, clips=tuple(replace(c, link=by_clip[c.id]) if c.id in by_clip else c for c in t.clips))
        for t in tracks
    ]


def refuse_empty(outline: OutlineSequence) -> None:
    """Raises ProjectError for a timeline without any clip."""
    if not any(True for _ in outline.each_clip()):
        raise ProjectError("This timeline holds no clips.", "Choose another file.")
