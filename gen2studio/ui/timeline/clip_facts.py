"""What hovering tells: a clip, a transition or a marker in a few lines."""

from __future__ import annotations

from fractions import Fraction

from gen2studio.core.time import timecode
from gen2studio.document.model import Clip, Document, Marker, Sequence
from gen2studio.ui.timeline.layout import Hit, Zone
from gen2studio.ui.timeline.shapes import TRANSITION_NAMES

_TOLD = {
    Zone.FADE_IN: "Drag to fade in",
    Zone.FADE_OUT: "Drag to fade out",
    Zone.CUT_HANDLE: "Drag to make a dissolve of that length",
    Zone.KEY: "Drag the key; right-click removes it",
    Zone.LEVEL: "Drag the line; Ctrl+click adds a key",
    Zone.TAKE_BACK: "Previous take",
    Zone.TAKE_NEXT: "Next take",
    Zone.BADGE: "Takes of this clip",
}


def describe(document: Document, sequence: Sequence | None, hit: Hit) -> str:
    """The tool tip of what was hit; empty over nothing."""
    if sequence is None or hit.clip is None:
        return ""
    if hit.mix is not None:
        mix = hit.mix
        length = timecode(mix.duration, sequence.rate)
        return f"{TRANSITION_NAMES[mix.kind]} · {length}\nDrag its ends; double-click for its options"
    told = _TOLD.get(hit.zone)
    return told if told is not None else describe_clip(document, sequence, hit.clip)


def describe_clip(document: Document, sequence: Sequence, clip: Clip) -> str:
    """Name, place, what of the media it shows, and what was done to it."""
    rate = sequence.rate
    item = document.media.get(clip.media_id)
    lines = [clip.name]
    if item is None:
        lines.append("Its media is not in the project any more")
    elif item.nested:
        lines.append("Nested timeline - double-click to open it")
    elif item.name != clip.name:
        lines.append(item.name)
    lines.append(f"{timecode(clip.start, rate)} - {timecode(clip.end, rate)} · {timecode(clip.duration, rate)}")
    if item is not None and not item.nested and item.info.duration > 0:
        of = item.info.rate or rate
        first, last = clip.source_in, clip.source_in + Fraction(clip.duration) / rate * clip.speed
        lines.append(f"Source {timecode(int(first * of), of)} - {timecode(int(last * of), of)}")
    done: list[str] = []
    if clip.freeze:
        done.append("frozen")
    elif clip.speed != 1 or clip.reverse:
        done.append(f"{float(clip.speed) * 100:g} %{' backwards' if clip.reverse else ''}")
    if clip.gain_db:
        done.append(f"{clip.gain_db:+g} dB")
    if clip.fade_in or clip.fade_out:
        done.append(f"fades {clip.fade_in} / {clip.fade_out} frames")
    if clip.blend.value != "normal":
        done.append(clip.blend.value.replace("_", " "))
    if clip.group:
        done.append("grouped")
    if not clip.enabled:
        done.append("disabled")
    if done:
        lines.append(" · ".join(done))
    if clip.takes:
        take = document.takes.get(clip.active_take)
        shown = take.name if take is not None else "source"
        stars = " " + "★" * take.rating if take is not None and take.rating > 0 else ""
        pin = " · pinned" if take is not None and take.pinned else ""
        lines.append(f"Take: {shown}{stars}{pin} ({len(clip.takes)} in all)")
    return "\n".join(lines)


def describe_marker(marker: Marker, rate: Fraction) -> str:
    """Name, place and note."""
    place = timecode(marker.frame, rate)
    if marker.duration:
        place += f" - {timecode(marker.frame + marker.duration, rate)}"
    return "\n".join(text for text in (marker.name, place, marker.note) if text)
