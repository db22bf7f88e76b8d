"""Trim mode: one cut in hand, moved by keys or by playing, and what the two-up view shows of it and of drags.

Played to where it goes, the cut sounds as its clips go on behind it; the two-up view shows the same frames.

A cut has an outgoing clip on its left and an incoming one on its right; either may be a gap. The side says what moves:
the outgoing tail, the incoming head, or both (roll). Rippling, what follows moves along; otherwise a gap opens or a
neighbour stops the edge.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from gen2studio.app.playback import Player
from gen2studio.app.session import Session
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.app.trim_sound import with_hidden
from gen2studio.core.records import dataclass
from gen2studio.core.time import timecode
from gen2studio.document import edits, lookup
from gen2studio.document.model import Clip, Document, Sequence, Track

AROUND_SECONDS = 2
"""How much is played before and after a cut."""
FEW, MANY = 5, 10
"""Frames of the larger trim steps."""


class Side(enum.Enum):
    """What of a cut moves."""

    OUTGOING = "outgoing"
    ROLL = "roll"
    INCOMING = "incoming"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimPane:
    """One picture of the trim view."""

    title: str
    clip: Clip | None
    """None in a gap."""
    frame: int
    """Sequence frame whose moment of the clip is shown; it may lie beyond the clip, in what its media holds on."""
    offset: int = 0
    """Frames that this edge was moved; 0 for one that stays."""
    moving: bool = False
    small: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TrimShown:
    """What the trim view shows: two panes of a cut, or four of a slip or slide."""

    caption: str
    sequence: Sequence
    panes: tuple[TrimPane, ...]
    delta: int
    cut: int
    """Sequence frame of the cut (of the clip's head while slipping)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A cut on a track. At least one side is a clip."""

    track: str
    left: str
    right: str


def cuts_of(track: Track) -> list[tuple[int, Cut]]:
    """(frame, cut) of a track in time order: heads, tails, and where two clips touch."""
    found: list[tuple[int, Cut]] = []
    before: Clip | None = None
    for clip in track.clips:
        touching = before is not None and before.end == clip.start
        if before is not None and not touching:
            found.append((before.end, Cut(track=track.id, left=before.id, right="")))
        left = before.id if before is not None and touching else ""
        found.append((clip.start, Cut(track=track.id, left=left, right=clip.id)))
        before = clip
    if before is not None:
        found.append((before.end, Cut(track=track.id, left=before.id, right="")))
    return found


def cut_panes(
    sequence: Sequence, left: Clip | None, right: Clip | None, side: Side, offset: int
) -> tuple[TrimPane, ...]:
    """Outgoing last frame and incoming first frame, as they lie in ``sequence``."""
    out = side in (Side.OUTGOING, Side.ROLL) and left is not None
    into = side in (Side.INCOMING, Side.ROLL) and right is not None
    return (
        TrimPane(
            title="Outgoing", clip=left, frame=left.end - 1 if left else 0, offset=offset if out else 0, moving=out
        ),
        TrimPane(
            title="Incoming", clip=right, frame=right.start if right else 0, offset=offset if into else 0, moving=into
        ),
    )


def inner_panes(sequence: Sequence, clip_id: str, slipping: bool, offset: int) -> tuple[TrimPane, ...]:
    """The four pictures of a slip (the clip's own in and out large) or a slide (the neighbours' large)."""
    track, clip = lookup.where(sequence, clip_id)
    before, after = lookup.neighbours(track, clip_id)
    outer, inner = not slipping, slipping
    own = offset if inner else 0
    return (
        TrimPane(
            title="Previous out", clip=before, frame=before.end - 1 if before else 0,
            offset=offset if outer and before else 0, moving=outer, small=slipping,
        ),
        TrimPane(title="In", clip=clip, frame=clip.start, offset=own, moving=inner, small=not slipping),
        TrimPane(title="Out", clip=clip, frame=clip.end - 1, offset=own, moving=inner, small=not slipping),
        TrimPane(
            title="Next in", clip=after, frame=after.start if after else 0,
            offset=offset if outer and after else 0, moving=outer, small=slipping,
        ),
    )  # fmt: skip


def dragged(sequence: Sequence, kind: str, clip_id: str, delta: int, *, right_id: str = "") -> TrimShown | None:
    """What the trim view shows of a drag: ``sequence`` is the timeline as the drag has made it so far.

    ``kind`` is ``head``, ``tail``, ``roll`` (``clip_id`` left, ``right_id`` right of the cut), ``slip`` or ``slide``,
    the first two with ``ripple `` before it where what follows moves along. None when the clip is gone.
    """
    clip = lookup.find_clip(sequence, clip_id)
    if clip is None:
        return None
    if kind in ("slip", "slide"):
        panes = inner_panes(sequence, clip_id, kind == "slip", delta)
        return TrimShown(caption=kind.title(), sequence=sequence, panes=panes, delta=delta, cut=clip.start)
    track = lookup.track_of(sequence, clip_id)
    if kind == "roll":
        right = lookup.find_clip(sequence, right_id)
        panes = cut_panes(sequence, clip, right, Side.ROLL, delta)
        return TrimShown(caption="Roll", sequence=sequence, panes=panes, delta=delta, cut=clip.end)
    before, after = lookup.neighbours(track, clip_id)
    verb = "Ripple" if kind.startswith("ripple") else "Trim"
    if kind.endswith("head"):
        panes = cut_panes(sequence, before, clip, Side.INCOMING, delta)
        return TrimShown(caption=f"{verb} head", sequence=sequence, panes=panes, delta=delta, cut=clip.start)
    panes = cut_panes(sequence, clip, after, Side.OUTGOING, delta)
    return TrimShown(caption=f"{verb} tail", sequence=sequence, panes=panes, delta=delta, cut=clip.end)


class TrimMode(QObject):
    """The cut in hand. While it is on, the trim view covers the programme, and transport keys trim."""

    changed = Signal(bool)
    """Whether trim mode is on."""
    shown = Signal(object)
    """A :class:`TrimShown`, or None when there is nothing to show any more."""

    def __init__(
        self, session: Session, editing: TimelineEditing, player: Player, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._editing = editing
        self._player = player
        self._cut: Cut | None = None
        self._side = Side.ROLL
        self._ripple = True
        self._offset = 0
        self._from: int | None = None
        """Sequence frame from which a dynamic trim plays; None while none does."""
        self._around = False
        session.store.changed.connect(self._on_document_changed)
        session.store.replaced.connect(lambda _new: self.leave())
        session.playhead_changed.connect(self._on_playhead_changed)
        player.playing_changed.connect(self._on_playing_changed)

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def active(self) -> bool:
        return self._cut is not None

    @property
    def cut(self) -> Cut | None:
        return self._cut

    @property
    def side(self) -> Side:
        return self._side

    @property
    def ripple(self) -> bool:
        """Whether a trimmed side moves what follows."""
        return self._ripple

    @property
    def offset(self) -> int:
        """Frames that the cut was moved since it was taken in hand."""
        return self._offset

    @property
    def playing_around(self) -> bool:
        return self._around

    def frame(self) -> int:
        """Sequence frame of the cut; −1 without one."""
        left, right = self._clips()
        if self._side is Side.INCOMING and right is not None:
            return right.start
        return left.end if left is not None else right.start if right is not None else -1

    def _clips(self) -> tuple[Clip | None, Clip | None]:
        sequence, cut = self._session.sequence, self._cut
        if sequence is None or cut is None:
            return None, None
        found = [lookup.find_clip(sequence, i) if i else None for i in (cut.left, cut.right)]
        return found[0], found[1]

    # -- taking a cut in hand ------------------------------------------------------------------------------------------

    def toggle(self) -> None:
        """Take the cut nearest to the playhead in hand, or put it down."""
        if self.active:
            self.leave()
        else:
            self.enter()

    def enter(self) -> bool:
        """Take the cut nearest to the playhead on the target track; False where the track has none."""
        track = self._editing.target_track()
        chosen = self._editing.selected_clips()
        if chosen and self._session.sequence is not None:
            track = lookup.track_of(self._session.sequence, chosen[0].id)
        cuts = cuts_of(track) if track is not None else []
        if track is None or not cuts:
            self._session.tell("There is no cut on the target track.", "info")
            return False
        if track.locked:
            self._session.tell(f"{track.name} is locked.", "info")
            return False
        here = self._session.playhead
        self._take(min(cuts, key=lambda c: abs(c[0] - here))[1])
        return True

    def leave(self) -> None:
        """Put the cut down."""
        if self._cut is None:
            return
        self._end_dynamic()
        if self._around:
            self._player.stop()
        self._cut = None
        self.changed.emit(False)
        self.shown.emit(None)

    def go(self, step: int) -> None:
        """Take the next (+1) or previous (−1) cut of the track in hand."""
        sequence, cut = self._session.sequence, self._cut
        if sequence is None or cut is None:
            return
        cuts = [c for _, c in cuts_of(lookup.track(sequence, cut.track))]
        index = cuts.index(cut) + step if cut in cuts else 0
        if 0 <= index < len(cuts):
            self._take(cuts[index])

    def _take(self, cut: Cut) -> None:
        self._session.set_shuttle(0.0)
        fresh = self._cut is None
        self._cut, self._offset, self._from = cut, 0, None
        if not cut.left:
            self._side = Side.INCOMING
        elif not cut.right:
            self._side = Side.OUTGOING
        else:
            self._side = Side.ROLL
        self._rest()
        if fresh:
            self.changed.emit(True)
        self._show()

    def _rest(self) -> None:
        self._session.set_playhead(max(0, self.frame()))

    def set_side(self, side: Side) -> None:
        """Choose what moves; a side that is a gap can't."""
        cut = self._cut
        if cut is None or side is self._side:
            return
        needs = {Side.OUTGOING: (cut.left,), Side.INCOMING: (cut.right,), Side.ROLL: (cut.left, cut.right)}
        if not all(needs[side]):
            self._session.tell("That side of the cut is a gap.", "info")
            return
        self._end_dynamic()
        self._side = side
        self._show()

    def cycle_side(self) -> None:
        """Outgoing, roll, incoming, and round again, leaving out what is a gap."""
        cut = self._cut
        if cut is None or not (cut.left and cut.right):
            return
        order = (Side.OUTGOING, Side.ROLL, Side.INCOMING)
        self.set_side(order[(order.index(self._side) + 1) % 3])

    def toggle_ripple(self) -> None:
        """Whether a trimmed side moves what follows."""
        self._ripple = not self._ripple
        self._show()

    # -- trimming ------------------------------------------------------------------------------------------------------

    def trim(self, frames: int) -> bool:
        """Move what is chosen of the cut; steps in a row are one undo step. False when nothing could move."""
        cut = self._cut
        if cut is None or not frames:
            return False
        self._session.set_shuttle(0.0)
        media = self._session.document.media
        moving = {Side.OUTGOING: cut.left, Side.INCOMING: cut.right, Side.ROLL: f"{cut.left} {cut.right}"}[self._side]
        key = f"trim {self._side.value} {moving} {self._ripple}"
        done = self._editing.perform(self._label(), lambda s: self._moved(s, cut, frames, media), key)
        if done:
            self._offset += frames
            self._rest()
            self._show()
        return done

    def _label(self) -> str:
        if self._side is Side.ROLL:
            return "Roll Cut"
        which = "Tail" if self._side is Side.OUTGOING else "Head"
        return f"{'Ripple ' if self._ripple else ''}Trim {which}"

    def _moved(self, sequence: Sequence, cut: Cut, frames: int, media: lookup.Media) -> Sequence:
        if self._side is Side.ROLL:
            return edits.roll(sequence, cut.left, cut.right, frames, media)
        if self._side is Side.OUTGOING:
            change = edits.ripple_trim_tail if self._ripple else edits.trim_tail
            return change(sequence, cut.left, frames, media)
        change = edits.ripple_trim_head if self._ripple else edits.trim_head
        return change(sequence, cut.right, frames, media)

    def _limits(self) -> edits.Limits:
        sequence, cut = self._session.sequence, self._cut
        assert sequence is not None and cut is not None
        media = self._session.document.media
        if self._side is Side.ROLL:
            return edits.roll_limits(sequence, cut.left, cut.right, media)
        edge = edits.Edge.TAIL if self._side is Side.OUTGOING else edits.Edge.HEAD
        return edits.trim_limits(
            sequence, cut.left if edge is edits.Edge.TAIL else cut.right, edge, media, ripple=self._ripple
        )

    # -- dynamic trimming and playing around ---------------------------------------------------------------------------

    def play(self, way: int) -> None:
        """J or L: play away from the cut, faster with each press; stopping trims to there."""
        if self._around:
            self._player.stop()
        if self._from is None:
            at, heard = self.frame(), self._unfolded()
            end = heard.sequence.duration if heard.sequence is not None else 0
            if way > 0 and at >= end - 1:
                self._session.tell("The media of this clip ends here.", "info")
                return
            self._player.hear(heard)
            self._from = at
            self._session.set_playhead(max(0, at - (1 if way < 0 else 0)))
        if way > 0:
            self._player.forward()
        else:
            self._player.backward()

    def _unfolded(self) -> Document:
        """What is heard while the cut is played to where it goes: what its clips hold beyond it."""
        left, right = self._clips()
        out, into = self._side is not Side.INCOMING, self._side is not Side.OUTGOING
        return with_hidden(self._session.document, left if out else None, right if into else None)

    def hold(self) -> None:
        """K: stop, and move the cut to where it stopped."""
        if self._from is None:
            self._player.stop()
            return
        start, self._from = self._from, None
        wanted = self._session.playhead - start
        self._player.stop()
        self._player.hear(None)
        limits = self._limits()
        delta = limits.clamp(wanted)
        if delta != wanted:
            self._session.tell("The cut stopped where its media or a neighbour ends.", "info")
        if not self.trim(delta):
            self._rest()
            self._show()

    def _end_dynamic(self) -> None:
        """Drop a dynamic trim without moving the cut."""
        if self._from is not None:
            self._from = None
            self._player.stop()
            self._player.hear(None)

    def play_around(self) -> None:
        """Loop over the cut in hand, or once over the playhead; again stops."""
        if self._around:
            self._player.stop()
            return
        sequence = self._session.sequence
        if sequence is None:
            return
        self._end_dynamic()
        at = self.frame() if self.active else self._session.playhead
        reach = round(AROUND_SECONDS * sequence.rate)
        self._around = True
        self.shown.emit(None)
        self._player.play_range(at - reach, at + reach, rest=at, loop=self.active)
        if not self._player.playing:
            self._around = False
            self._show()

    def _on_playing_changed(self, playing: bool) -> None:
        if playing:
            return
        if self._around:
            self._around = False
            self._show()
        elif self._from is not None:
            # The end of the timeline stops as K does.
            self.hold()

    def _on_playhead_changed(self, _frame: int) -> None:
        if self._from is not None:
            self._show()

    # -- showing -------------------------------------------------------------------------------------------------------

    def _on_document_changed(self, _old: Document, _new: Document) -> None:
        cut = self._cut
        if cut is None:
            return
        found = self._found(cut)
        if found is None:
            self.leave()
        else:
            self._cut = found
            self._show()

    def _found(self, cut: Cut) -> Cut | None:
        """The cut as the timeline has it now: what moves stays in hand, what lies beside it may be another clip."""
        left, right = self._clips()
        if self._side is Side.ROLL:
            return cut if left is not None and right is not None and left.end == right.start else None
        mine = left if self._side is Side.OUTGOING else right
        sequence = self._session.sequence
        if mine is None or sequence is None:
            return None
        track = lookup.track_of(sequence, mine.id)
        before, after = lookup.neighbours(track, mine.id)
        if self._side is Side.OUTGOING:
            touching = after is not None and after.start == mine.end
            return Cut(track=track.id, left=mine.id, right=after.id if touching and after is not None else "")
        touching = before is not None and before.end == mine.start
        return Cut(track=track.id, left=before.id if touching and before is not None else "", right=mine.id)

    def _show(self) -> None:
        sequence, cut = self._session.sequence, self._cut
        if sequence is None or cut is None or self._around:
            return
        left, right = self._clips()
        running = self._limits().clamp(self._session.playhead - self._from) if self._from is not None else 0
        panes = cut_panes(sequence, left, right, self._side, self._offset + running)
        if running:
            panes = tuple(
                TrimPane(
                    title=p.title, clip=p.clip, frame=p.frame + (running if p.moving else 0), offset=p.offset,
                    moving=p.moving,
                )
                for p in panes
            )  # fmt: skip
        self.shown.emit(
            TrimShown(
                caption=self._label(), sequence=sequence, panes=panes, delta=self._offset + running, cut=self.frame()
            )
        )

    def refresh(self) -> None:
        """Show the cut in hand again, after something else was shown."""
        self._show()

    def describe(self) -> str:
        """The cut in hand in one line, for people who can't see the view."""
        sequence = self._session.sequence
        if sequence is None or self._cut is None:
            return "No cut in hand"
        return f"{self._label()} at {timecode(max(0, self.frame()), sequence.rate)}, {self._offset:+d} frames"

    # -- binding -------------------------------------------------------------------------------------------------------

    def handlers(self) -> dict[str, Callable[[], object]]:
        return {
            "trim.mode": self.toggle,
            "trim.back": lambda: self.step(-1),
            "trim.forward": lambda: self.step(1),
            "trim.back_few": lambda: self.step(-FEW),
            "trim.forward_few": lambda: self.step(FEW),
            "trim.back_many": lambda: self.step(-MANY),
            "trim.forward_many": lambda: self.step(MANY),
            "trim.side": self.cycle_side,
            "trim.ripple": self.toggle_ripple,
            "trim.play_around": self.play_around,
        }

    def step(self, frames: int) -> bool:
        """Trim by ``frames``; without a cut in hand the one nearest to the playhead is taken first."""
        if not self.active and not self.enter():
            return False
        return self.trim(frames)
