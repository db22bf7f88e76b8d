"""Dragging clips in time and across tracks: over what is there, between it (Ctrl), or a copy of them (Alt)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gen2studio.app import magnetic
from gen2studio.app.timeline_editing import counted
from gen2studio.core.ids import new_id
from gen2studio.document import edits, lookup
from gen2studio.document.lookup import together
from gen2studio.document.model import Clip, Sequence, TrackKind
from gen2studio.ui.timeline import impact
from gen2studio.ui.timeline.gestures_select import choose
from gen2studio.ui.timeline.layout import snap_targets
from gen2studio.ui.timeline.pointer import (
    Gesture,
    Host,
    Phase,
    Pointer,
    attempt,
    far,
    finish,
    hint,
    signed,
    snapped,
    travelled,
)

GHOSTS = 200
"""Up to so many clips of a drag have a ghost of their own."""


def move_clips(host: Host, press: Pointer, clip: Clip) -> Gesture:
    """Move the selection in time and across tracks. Overwrites what it lands on; Ctrl inserts, Alt leaves the originals
    and lays down copies."""
    session, view = host.session, host.viewport
    base = session.sequence
    assert base is not None
    was_selected = clip.id in session.selection
    if not (press.ctrl and was_selected):
        choose(host, clip, press)
    grabbed = session.selection
    try:
        while (now := (yield)).phase is Phase.MOVE and not far(press, now):
            pass
        if now.phase is Phase.RELEASE:
            if was_selected and press.ctrl:
                choose(host, clip, press)
            elif was_selected and not press.shift:
                session.set_selection(together(base, [clip.id]))
            return
        if press.ctrl and not was_selected:
            # A click with Ctrl adds to the selection; a drag with Ctrl inserts what it took hold of and nothing else.
            session.set_selection(together(base, [clip.id]))
            grabbed = session.selection
        drag = _Drag(host, base, clip, grabbed)
        targets = snap_targets(drag.layout, session.playhead, grabbed)
        origin = view.frame(press.x)
        while now.phase is Phase.MOVE:
            frames = drag.limits.clamp(snapped(host, drag.points, targets, travelled(host, origin, now), now))
            drag.follow(now, frames)
            good = attempt(host, base, drag.edit())
            drag.show(now, good)
            now = yield
        host.overlay.clear()
        if drag.frames or drag.steps:
            drag.commit()
    finally:
        finish(host)


class _Drag:
    """The clips in hand, where they came from and where they would go now."""

    def __init__(self, host: Host, base: Sequence, clip: Clip, grabbed: frozenset[str]) -> None:
        self.host, self.base, self.clip, self.grabbed = host, base, clip, grabbed
        self.layout = host.layout_now
        self.chosen = [c for t in base.tracks for c in t.clips if c.id in grabbed]
        self.linked = lookup.linked(base, grabbed) <= grabbed
        """False when one of a link was chosen alone: it leaves its link."""
        starts, ends = [c.start for c in self.chosen], [c.end for c in self.chosen]
        self.points = {clip.start, clip.end, min(starts), max(ends)}
        self.length = max(ends) - min(starts)
        self.limits = edits.move_limits(base, grabbed, linked=self.linked)
        self.kind = lookup.track_of(base, clip.id).kind
        self.lane = _lane(base, clip)
        self.home = {c.id: r.index for r in self.layout.rows for c in r.clips if c.id in grabbed}
        self.frames, self.steps = 0, 0
        self.insert = self.copy = False
        self._ids = {c.id: new_id("clip") for c in self.chosen}
        self._links = {c.link: new_id("link") for c in self.chosen if c.link}
        self._groups = {c.group: new_id("group") for c in self.chosen if c.group}

    def follow(self, now: Pointer, frames: int) -> None:
        self.frames = frames
        self.steps = _lane_under(self.host, now, self.kind, self.lane) - self.lane
        self.insert, self.copy = now.ctrl, now.alt

    # -- what the release does ---------------------------------------------------------------------------------------

    @property
    def pulled(self) -> bool:
        """On the magnetic track, where clips change places instead of covering each other."""
        main = magnetic.main_track(self.base)
        if not self.host.magnetic or main is None or self.kind is not TrackKind.VIDEO or self.copy:
            return False
        lanes = [t.id for t in self.base.video_tracks]
        return lanes.index(main.id) == self.lane + self.steps

    def edit(self) -> Callable[[Sequence], Sequence]:
        """The edit as it would be made now."""
        frames, steps = self.frames, self.steps
        start = min(c.start for c in self.chosen)
        if self.copy:
            return self._copied
        if self.pulled and not steps:
            return lambda s: magnetic.reordered(s, self.grabbed, start + frames)
        if self.pulled:
            at = magnetic.nearest_cut(self.base, start + frames, self.grabbed)
            return magnetic.closing(self._moved(at - start, steps, edits.Collision.INSERT))
        collision = edits.Collision.INSERT if self.insert else edits.Collision.OVERWRITE
        move = self._moved(frames, steps, collision)
        leaves = self.host.magnetic and steps and magnetic.on_main(self.base, self.grabbed)
        return magnetic.closing(move, self.grabbed) if leaves else move

    def _moved(self, frames: int, steps: int, collision: edits.Collision) -> Callable[[Sequence], Sequence]:
        return lambda s: edits.move(
            s, self.grabbed, frames, track_steps=steps, kind=self.kind, collision=collision, linked=self.linked
        )

    def _copied(self, sequence: Sequence) -> Sequence:
        lanes = [t.id for t in sequence.tracks if t.kind is self.kind]
        placements: list[edits.Placement] = []
        for track, clip in lookup.each_clip(sequence):
            if clip.id in self.grabbed:
                lane = lanes.index(track.id) + self.steps if track.id in lanes else -1
                target = lanes[lane] if 0 <= lane < len(lanes) else track.id
                copied = replace(
                    clip,
                    id=self._ids[clip.id],
                    start=clip.start + self.frames,
                    link=self._links.get(clip.link, ""),
                    group=self._groups.get(clip.group, ""),
                )
                placements.append(edits.Placement(target, copied))
        return edits.insert(sequence, placements) if self.insert else edits.overwrite(sequence, placements)

    def commit(self) -> None:
        verb = "Duplicate" if self.copy else "Insert" if self.insert else "Move"
        done = self.host.editing.perform(f"{verb} {counted(len(self.chosen))}", self.edit())
        if done and self.copy:
            self.host.session.set_selection(frozenset(self._ids.values()))

    # -- what is shown meanwhile -------------------------------------------------------------------------------------

    def show(self, now: Pointer, good: bool) -> None:
        host, overlay = self.host, self.host.overlay
        down = -self.steps if self.kind is TrackKind.VIDEO else self.steps
        overlay.ghosts = [
            (
                self.home[c.id] + (down if self.layout.rows[self.home[c.id]].track.kind is self.kind else 0),
                c.start + self.frames,
                c.end + self.frames,
            )
            for c in self.chosen[:GHOSTS]
        ]
        moving = frozenset() if self.copy else self.grabbed
        overlay.covered, overlay.pushed = [], []
        told = ""
        if good and (self.insert or self.pulled):
            start = min(c.start for c in self.chosen) + self.frames
            if not self.pulled:
                last = host.viewport.frame(host.viewport.width)
                overlay.pushed, count = impact.pushed(self.layout, start, self.length, moving, last)
                told = f" · pushes {count}" if count else ""
        elif good:
            overlay.covered, count = impact.covered(self.layout, overlay.ghosts, moving)
            told = f" · overwrites {count}" if count else ""
        verb = "Copy" if self.copy else "Insert" if self.insert or self.pulled else "Move"
        hint(host, now, f"{verb} {signed(host, self.frames)}{told}" if good else "")
        host.update_overlay()


def _lane(sequence: Sequence, clip: Clip) -> int:
    """Index of the clip's track among the tracks of its kind."""
    track = lookup.track_of(sequence, clip.id)
    return [t.id for t in sequence.tracks if t.kind is track.kind].index(track.id)


def _lane_under(host: Host, now: Pointer, kind: TrackKind, otherwise: int) -> int:
    """Index among the tracks of ``kind`` of the row under the pointer."""
    layout = host.layout_now
    index = layout.nearest_row(now.y + host.viewport.scroll_y, kind)
    if index < 0 or layout.sequence is None:
        return otherwise
    lanes = [t.id for t in layout.sequence.tracks if t.kind is kind]
    return lanes.index(layout.rows[index].track.id)
