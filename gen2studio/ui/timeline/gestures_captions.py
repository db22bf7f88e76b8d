"""Dragging subtitles in their lane."""

from __future__ import annotations

from collections.abc import Collection

from gen2studio.core.time import timecode
from gen2studio.document import subtitles
from gen2studio.document.composition import Subtitle
from gen2studio.document.model import Sequence
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


def drag_caption(host: Host, press: Pointer, caption: Subtitle, chosen: Collection[str]) -> Gesture:
    """Move the chosen captions; they refuse where others are in the way."""
    base = host.session.sequence
    assert base is not None
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, host.session.playhead, chosen)
    first = min(s.start for s in base.subtitles if s.id in chosen)
    frames = 0

    def edit(sequence: Sequence) -> Sequence:
        return subtitles.move_subtitles(sequence, chosen, frames)

    try:
        while (now := (yield)).phase is Phase.MOVE:
            if not frames and not far(press, now):
                continue
            way = snapped(host, [caption.start, caption.end], targets, travelled(host, origin, now), now)
            frames = max(way, -first)
            good = attempt(host, base, edit)
            hint(host, now, f"Subtitle {signed(host, frames)}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if frames:
            host.editing.perform("Move Subtitle", edit)
    finally:
        finish(host)


def trim_caption(host: Host, press: Pointer, caption: Subtitle, part: str) -> Gesture:
    """Drag the ``head`` or ``tail`` of a caption; it stops at its neighbour."""
    base = host.session.sequence
    assert base is not None
    origin = host.viewport.frame(press.x)
    targets = snap_targets(host.layout_now, host.session.playhead, [caption.id])
    at = caption.start if part == "head" else caption.end
    frames = 0

    def edit(sequence: Sequence) -> Sequence:
        if part == "head":
            return subtitles.trim_subtitle(sequence, caption.id, head=frames)
        return subtitles.trim_subtitle(sequence, caption.id, tail=frames)

    try:
        while (now := (yield)).phase is Phase.MOVE:
            frames = snapped(host, [at], targets, travelled(host, origin, now), now)
            good = attempt(host, base, edit)
            length = caption.duration + (-frames if part == "head" else frames)
            hint(host, now, f"Subtitle {timecode(max(1, length), base.rate)}" if good else "")
            host.update_overlay()
        host.overlay.clear()
        if frames:
            host.editing.perform("Trim Subtitle", edit)
    finally:
        finish(host)
