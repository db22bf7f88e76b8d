"""Choosing clips with the mouse: clicks and the rubber band. Links and groups are chosen whole, with Alt in part."""

from __future__ import annotations

from gen2studio.document import lookup
from gen2studio.document.lookup import together
from gen2studio.document.model import Clip
from gen2studio.ui.timeline.pointer import Gesture, Host, Phase, Pointer, far


def choose(host: Host, clip: Clip, pointer: Pointer) -> None:
    """Select on press: a clip with what belongs to it; Ctrl adds or takes away, Shift adds, Alt takes it alone."""
    session = host.session
    sequence = session.sequence
    assert sequence is not None
    group = frozenset([clip.id]) if pointer.alt else together(sequence, [clip.id])
    if pointer.ctrl:
        inside = clip.id in session.selection
        session.set_selection(session.selection - group if inside else session.selection | group)
    elif pointer.shift:
        session.set_selection(session.selection | group)
    elif clip.id not in session.selection or pointer.alt:
        session.set_selection(group)
    session.set_track(lookup.track_of(sequence, clip.id).id)


def rubber_band(host: Host, press: Pointer) -> Gesture:
    """Select what a rectangle touches, with its partners; Alt only what it touches, Ctrl or Shift add. A click without
    a drag selects nothing."""
    view, session = host.viewport, host.session
    before = session.selection
    keep = before if press.ctrl or press.shift else frozenset[str]()
    x0, y0 = round(press.x) + view.scroll_x, round(press.y) + view.scroll_y
    committed = False
    try:
        while (now := (yield)).phase is Phase.MOVE:
            x1, y1 = round(now.x) + view.scroll_x, round(now.y) + view.scroll_y
            host.overlay.rubber = (x0, y0, x1, y1)
            touched = host.layout_now.inside(x0, y0, x1, y1, view.ppf)
            if not now.alt and session.sequence is not None:
                touched = together(session.sequence, touched)
            session.set_selection(keep | touched)
            host.update_overlay()
        if not far(press, now):
            session.set_selection(keep)
        committed = True
    finally:
        if not committed:
            session.set_selection(before)
        host.overlay.clear()
        host.show_preview(None)
        host.update_overlay()
