"""A draft: the working copy every timeline edit is made on.

It opens only the tracks an edit touches (and refuses locked ones), and on :meth:`Draft.result` it checks that the
edit broke no rule before a new :class:`~gen2studio.document.model.Sequence` exists. An edit that raises therefore
changed nothing, and tracks that were not opened keep their identity.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterable
from dataclasses import replace
from fractions import Fraction

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document.clip_shapes import fitted, head_moved, shifted, split, tail_moved, zero_of
from gen2studio.document.lookup import Media, each_clip, start_of, where
from gen2studio.document.lookup import track as track_by_id
from gen2studio.document.model import Clip, Sequence, Track
from gen2studio.document.title_ripple import markers_closed, markers_opened, subtitles_closed, subtitles_opened
from gen2studio.document.transition_fit import fit_transitions

_OUT_OF_SYNC = (
    "That would pull a clip out of sync with its linked picture or sound.",
    "Include both, unlock their tracks, or unlink them first.",
)


class Draft:
    """Mutable lists of clips for the tracks in work."""

    def __init__(self, sequence: Sequence) -> None:
        self.sequence = sequence
        self.rate = sequence.rate
        self._open: dict[str, list[Clip]] = {}
        self._subtitles = sequence.subtitles
        self._markers = sequence.markers
        self._halves: dict[str, list[tuple[int, str]]] = {}
        self._parents: dict[str, str] = {}
        """Right halves → the clip they were cut from: transitions at its tail are theirs now."""

    # -- reading -------------------------------------------------------------------------------------------------

    def peek(self, track: Track) -> Iterable[Clip]:
        """The track's clips as they are now, without opening it."""
        return self._open.get(track.id, track.clips)

    def unlocked(self) -> list[str]:
        return [t.id for t in self.sequence.tracks if not t.locked]

    # -- writing -------------------------------------------------------------------------------------------------

    def clips(self, track_id: str) -> list[Clip]:
        """The track's clips, open for changes. Refuses a locked track."""
        found = self._open.get(track_id)
        if found is None:
            track = track_by_id(self.sequence, track_id)
            if track.locked:
                raise EditRefused(f"Track {track.name} is locked.", "Unlock it or work on another track.")
            found = self._open[track_id] = list(track.clips)
        return found

    def swap(self, track_id: str, clip: Clip) -> None:
        """Replace the clip with the same id, wherever it starts now."""
        clips = self.clips(track_id)
        for i, old in enumerate(clips):
            if old.id == clip.id:
                del clips[i]
                insort(clips, clip, key=start_of)
                return
        raise EditRefused("That clip is no longer on the timeline.", "Select a clip and try again.")

    def remove(self, track_id: str, clip_ids: Collection[str]) -> None:
        clips = self.clips(track_id)
        clips[:] = [c for c in clips if c.id not in clip_ids]

    def put(self, track_id: str, clip: Clip) -> None:
        """Lay a clip down; a collision is found by :meth:`result`."""
        insort(self.clips(track_id), clip, key=start_of)

    def punch(self, track_id: str, start: int, stop: int) -> None:
        """Clear [start, stop): clips inside go, clips across its edges are trimmed or split."""
        clips = self.clips(track_id)
        first = bisect_right(clips, start, key=start_of) - 1
        first += first < 0 or clips[first].end <= start
        last = bisect_left(clips, stop, key=start_of)
        kept: list[Clip] = []
        for clip in clips[first:last]:
            if clip.start < start and clip.end > stop:
                left, right = split(clip, stop, self.rate)
                kept.append(tail_moved(left, start - left.end, self.rate))
                kept.append(right)
                self._note_half(right, clip)
            elif clip.start < start:
                kept.append(replace(tail_moved(clip, start - clip.end, self.rate), fade_out=0))
            elif clip.end > stop:
                kept.append(replace(head_moved(clip, stop - clip.start, self.rate), fade_in=0))
        clips[first:last] = kept

    def cut(self, track_id: str, frame: int) -> bool:
        """Razor one track; False when no clip spans ``frame``."""
        track = track_by_id(self.sequence, track_id)
        current = self._open.get(track_id, track.clips)
        index = bisect_left(current, frame, key=start_of) - 1
        if index < 0 or current[index].end <= frame:
            return False
        clips = self.clips(track_id)
        whole = clips[index]
        left, right = split(whole, frame, self.rate)
        clips[index : index + 1] = [left, right]
        self._note_half(right, whole)
        return True

    def _note_half(self, right: Clip, whole: Clip) -> None:
        self._parents[right.id] = self._parents.get(whole.id, whole.id)
        if right.link:
            self._halves.setdefault(right.link, []).append((right.start, right.id))

    def relink_halves(self) -> None:
        """Give the right halves of each cut link a fresh common link, with the partners that lie wholly behind the cut.

        A link with a partner that still spans the cut keeps all its clips together: its uncut sound belongs to both
        halves. Call it before anything is shifted.
        """
        if not self._halves:
            return
        members: dict[str, list[tuple[str, Clip]]] = {link: [] for link in self._halves}
        for track in self.sequence.tracks:
            for clip in self.peek(track):
                if clip.link in members:
                    members[clip.link].append((track.id, clip))
        for link, halves in self._halves.items():
            cut = min(start for start, _ in halves)
            right_ids = {clip_id for _, clip_id in halves}
            if any(c.start < cut < c.end for _, c in members[link]):
                continue
            fresh = new_id("link")
            for track_id, clip in members[link]:
                if clip.id in right_ids or clip.start >= cut:
                    self.swap(track_id, replace(clip, link=fresh))
        self._halves.clear()

    def shift(self, tracks: Collection[str], frame: int, delta: int, *, skip: Collection[str] = ()) -> None:
        """Move every clip that starts at or after ``frame`` by ``delta``. Tracks without one stay closed."""
        if not delta:
            return
        for track in self.sequence.tracks:
            if track.id not in tracks:
                continue
            current = self._open.get(track.id, track.clips)
            first = bisect_left(current, frame, key=start_of)
            if first < len(current):
                clips = self.clips(track.id)
                clips[first:] = [c if c.id in skip else shifted(c, delta) for c in clips[first:]]

    def everywhere_opened(self, frame: int, length: int) -> None:
        """``length`` frames come in at ``frame`` on every unlocked track: captions and markers make room as well."""
        self._subtitles = subtitles_opened(self._subtitles, frame, length)
        self._markers = markers_opened(self._markers, frame, length)

    def everywhere_closed(self, spans: list[tuple[int, int]]) -> None:
        """The ``spans`` (sorted, apart) go from every unlocked track, and from captions and markers."""
        self._subtitles = subtitles_closed(self._subtitles, spans)
        self._markers = markers_closed(self._markers, spans)

    def with_partners(self, tracks: Iterable[str], frame: int) -> set[str]:
        """``tracks`` and every track that holds a linked partner of what lies at or after ``frame`` on them."""
        grown = set(tracks)
        while True:
            links = {
                c.link
                for t in self.sequence.tracks
                if t.id in grown
                for c in self.peek(t)
                if c.link and c.start >= frame
            }
            more = {
                t.id
                for t in self.sequence.tracks
                if t.id not in grown and any(c.link in links and c.start >= frame for c in self.peek(t))
            }
            if not more:
                return grown
            grown |= more

    # -- finishing -----------------------------------------------------------------------------------------------

    def result(self, media: Media | None = None) -> Sequence:
        """The edited sequence; the same object when nothing changed. Raises EditRefused when a rule would break.

        Transitions go with their cuts, and shrink to what their clips are long and, with ``media``, to what their
        media carry: an edit that changes what clips show hands it over.
        """
        self.relink_halves()
        before = {c.id: c for t in self.sequence.tracks if t.id in self._open for c in t.clips}
        tracks: list[Track] = []
        touched: dict[str, set[int | None]] = {}
        changed = False
        for track in self.sequence.tracks:
            clips = self._open.get(track.id)
            if clips is None or (len(clips) == len(track.clips) and all(map(_same, clips, track.clips))):
                tracks.append(track)
                continue
            changed = True
            self._check_track(track, clips)
            for index, clip in enumerate(clips):
                if clip.fade_in + clip.fade_out > clip.duration:
                    clips[index] = fitted(clip)
            for clip in clips:
                old = before.get(clip.id)
                if clip.link and clip is not old:
                    plain = old is not None and _only_moved(old, clip)
                    touched.setdefault(clip.link, set()).add(clip.start - old.start if old and plain else None)
            tracks.append(replace(track, clips=tuple(clips)))
        if not changed:
            return self.sequence
        tracks = fit_transitions(self.sequence.tracks, tracks, self._parents, self.rate, media)
        after = replace(self.sequence, tracks=tuple(tracks), subtitles=self._subtitles, markers=self._markers)
        if touched:
            self._check_sync(after, before, touched)
        return after

    @staticmethod
    def _check_track(track: Track, clips: list[Clip]) -> None:
        cursor = 0
        for clip in clips:
            if clip.duration < 1:
                raise EditRefused("A clip lasts at least one frame.", "Trim less, or delete the clip.")
            if clip.start < cursor:
                if clip.start < 0:
                    raise EditRefused("Nothing can start before the timeline does.", "Move it less far to the left.")
                raise EditRefused(
                    f"There is no room for that on {track.name}.", "Make room first, overwrite, or use another track."
                )
            cursor = clip.start + clip.duration

    def _check_sync(self, after: Sequence, before: dict[str, Clip], touched: dict[str, set[int | None]]) -> None:
        """Linked clips keep together: all moved by one amount, and those of one media show the same moment.

        ``touched`` maps each link to how far its changed clips moved; None stands for a change that is no plain move
        and is looked at exactly. Plain moves are told by integers alone, which keeps long ripples cheap.
        """
        members = [c for _, c in each_clip(after) if c.link in touched]
        for clip in members:
            if before.get(clip.id, clip) is clip:
                touched[clip.link].add(0)
        moments: dict[tuple[str, str], tuple[Fraction, Fraction, bool]] = {}
        drifts: dict[str, Fraction] = {}
        for shifts in touched.values():
            if None not in shifts and len(shifts) > 1:
                raise EditRefused(*_OUT_OF_SYNC)
        for clip in members:
            if None not in touched[clip.link] or clip.freeze:
                continue
            zero = zero_of(clip, self.rate)
            moment = (zero, clip.speed, clip.reverse)
            if moments.setdefault((clip.link, clip.media_id), moment) != moment:
                raise EditRefused(*_OUT_OF_SYNC)
            old = before.get(clip.id, clip)
            same_way = old.reverse == clip.reverse and not old.freeze
            if same_way and old.speed == clip.speed and old.link == clip.link:
                drift = zero - zero_of(old, self.rate)
                if drifts.setdefault(clip.link, drift) != drift:
                    raise EditRefused(*_OUT_OF_SYNC)


def _only_moved(old: Clip, new: Clip) -> bool:
    """Whether a clip of a link at most moved as a whole, told without arithmetic."""
    return (
        old.link == new.link
        and old.source_in is new.source_in
        and old.speed is new.speed
        and old.reverse is new.reverse
        and old.freeze is new.freeze
        and (old.duration == new.duration or not (new.reverse or new.freeze))
    )


def _same(a: Clip, b: Clip) -> bool:
    return a is b


def tracks_of(sequence: Sequence, clip_ids: Collection[str]) -> dict[str, list[Clip]]:
    """Track id → its clips among ``clip_ids``, in time order. Refuses ids that are not on the timeline."""
    wanted = set(clip_ids)
    if not wanted:
        raise EditRefused("No clip is selected.", "Select a clip on the timeline and try again.")
    found: dict[str, list[Clip]] = {}
    count = 0
    for track, clip in each_clip(sequence):
        if clip.id in wanted:
            found.setdefault(track.id, []).append(clip)
            count += 1
    if count < len(wanted):
        where(sequence, next(i for i in wanted if all(i != c.id for _, c in each_clip(sequence))))
    return found
