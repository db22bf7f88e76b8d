"""Where the panels of a storyboard go on a timeline. Pure: documents in, documents out."""

from __future__ import annotations

import math
from collections.abc import Sequence as Row
from dataclasses import replace
from fractions import Fraction

from gen2studio.core.curve import Curve, CurveKey
from gen2studio.core.errors import EditRefused
from gen2studio.core.geometry import Extent
from gen2studio.core.media_info import MediaKind
from gen2studio.core.records import dataclass
from gen2studio.document import boards, edits, media_edits, sequences, shots
from gen2studio.document.board_camera import frame_at, frames_of_camera
from gen2studio.document.board_values import SoundCue
from gen2studio.document.clip_changes import change_clip
from gen2studio.document.composition import Transform
from gen2studio.document.look import Look, PaintedKey, Region
from gen2studio.document.lookup import find_clip, free, where
from gen2studio.document.model import Board, Clip, Document, MediaItem, Panel, Sequence, Shot, Track, TrackKind

_KEYS = 16
"""Keys of a camera move on a timeline, but the first."""


@dataclass(frozen=True, slots=True)
class LaidPanel:
    """A panel and the media that stands for it: a shot, or its picture as a still."""

    panel: Panel
    item: MediaItem
    look: Look | None
    """What the shot is made with; None for stills."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What :func:`lay_panels` made."""

    document: Document
    clip_ids: tuple[str, ...]
    """One for each panel, in their order."""
    fresh: tuple[MediaItem, ...]
    """Media items that came in."""


def panel_shot(board: Board, panel: Panel) -> Shot:
    """The shot that a panel asks for. Raises EditRefused."""
    return shots.shot_of(Extent(board.width, board.height), board.rate, panel.seconds)


def shot_look(board: Board, panel: Panel) -> Look:
    """What a panel's shot is made with: the still that was chosen, or its picture, is the first frame as it is,
    or its picture is the layout to follow."""
    look = replace(boards.look_of_panel(board, panel), region=Region.ALL, mask_objects=(), keys=(), layout="")
    if panel.guide:
        return replace(look, keys=(PaintedKey(frame=0, digest=panel.guide, name=panel.name),))
    if not panel.picture:
        return look
    if panel.keep_picture:
        return replace(look, keys=(PaintedKey(frame=0, digest=panel.picture, name=panel.name),))
    return replace(look, layout=panel.picture)


def lay_panels(
    document: Document, board: Board, panels: Row[LaidPanel], *, frame: int, track: str = "",
    keep_shots: bool = False,
) -> Layout:  # fmt: skip
    """Put the panels on the active timeline in order, linked to their clips. Raises EditRefused.

    Stills and mock-up footage move as the panel's camera does (:func:`move_of`); shots make their own moves.

    A panel that has a clip there keeps its place: the clip shows the new media now, and a shot that is already what
    the panel asks for stays with its takes (any shot does with ``keep_shots``). The others follow the panel before
    them in the next free place; the first one starts at ``frame`` or behind it, where the whole board fits.
    """
    if document.sequence is None:
        fresh = edits.new_sequence("Timeline 1", board.rate, board.width, board.height)
        document = sequences.add_sequence(document, fresh)
    clip_ids: list[str] = []
    added: list[MediaItem] = []
    for laid in panels:
        sequence = document.sequence
        assert sequence is not None
        clip = find_clip(sequence, laid.panel.clip_id) if laid.panel.clip_id else None
        if clip is not None:
            item = document.media.get(clip.media_id)
            shot = item.shot if item is not None else None
            if shot is None or (not keep_shots and (laid.item.shot is None or not _same(shot, laid.item.shot))):
                document = _swapped(document, clip, laid, board)
                added.append(laid.item)
        else:
            document, clip = _placed(document, board, laid, panels, frame, track)
            added.append(laid.item)
        clip_ids.append(clip.id)
        document = boards.link_clip(document, board.id, laid.panel.id, clip.id)
    return Layout(document, tuple(clip_ids), tuple(added))


def _placed(
    document: Document, board: Board, laid: LaidPanel, panels: Row[LaidPanel], frame: int, wanted: str
) -> tuple[Document, Clip]:
    sequence = document.sequence
    assert sequence is not None
    clip = _clip(laid, sequence.rate, board)
    previous = _clip_before(document, sequence, board, laid.panel)
    if previous is not None:
        # Footage may be shorter than its panel: the next one still begins when it should.
        before = next(p for p in document.boards[board.id].panels if p.clip_id == previous[1].id)
        length = round(before.seconds * sequence.rate) if before.mock_up is not None else 0
        track, start = previous[0], max(previous[1].end, previous[1].start + length)
    else:
        track, start = shots.video_track_for(sequence, wanted), frame
    if track is None or track.locked:
        raise EditRefused("There is no unlocked video track.", "Add a track or unlock one.")
    waiting = [p for p in panels if not p.panel.clip_id or find_clip(sequence, p.panel.clip_id) is None]
    length = sum(_clip(p, sequence.rate, board).duration for p in waiting) if previous is None else clip.duration
    clip = replace(clip, start=shots.free_frame(track, start, length))
    sequence = edits.place(sequence, [edits.Placement(track.id, clip)])
    return sequences.with_sequence(_with_media(document, laid.item), sequence), clip


def _clip_before(document: Document, sequence: Sequence, board: Board, panel: Panel) -> tuple[Track, Clip] | None:
    """The clip on the timeline of the nearest panel before this one, with its track."""
    found: Clip | None = None
    for other in document.boards[board.id].panels:
        if other.id == panel.id:
            break
        found = (find_clip(sequence, other.clip_id) if other.clip_id else None) or found
    return where(sequence, found.id) if found is not None else None


def _swapped(document: Document, clip: Clip, laid: LaidPanel, board: Board) -> Document:
    """The document with other media in a panel's clip, which keeps its place."""
    sequence = document.sequence
    assert sequence is not None
    made = _clip(laid, sequence.rate, board)
    track, _ = where(sequence, clip.id)
    if track.locked:
        raise EditRefused(f"Track {track.name} is locked.", "Unlock it or work on another track.")
    room = min((c.start for c in track.clips if c.start > clip.start), default=1 << 40) - clip.start
    fresh = replace(made, id=clip.id, start=clip.start, duration=min(made.duration, room), look=laid.look,
                    enabled=clip.enabled)  # fmt: skip
    document = change_clip(_with_media(document, laid.item), clip.id, lambda _old: fresh)
    old = document.media.get(clip.media_id)
    # An empty shot that nothing shows any more is clutter; footage, pictures and takes are not.
    taken = any(take.media_id == clip.media_id for take in document.takes.values())
    if old is not None and old.shot is not None and not taken and not media_edits.used_by(document, old.id):
        document = media_edits.remove_media(document, [old.id])
    return document


def _clip(laid: LaidPanel, rate: Fraction, board: Board) -> Clip:
    """The clip of a panel's media, at the timeline's start."""
    panel, shot = laid.panel, laid.item.shot is not None
    found = panel.mock_up
    if shot:
        span = None
    elif found is not None and found.media_id == laid.item.id and laid.item.info.kind is not MediaKind.STILL:
        span = found.start, min(found.stop, found.start + panel.seconds, laid.item.info.duration)
    else:
        span = Fraction(0), panel.seconds
    picture, _ = edits.clips_of(laid.item, rate, source=span, audio=False)
    if picture is None:
        raise EditRefused(f"“{laid.item.name}” has no picture.", "Give the panel another one.")
    move = Transform() if shot else move_of(panel, board, picture.duration)
    return replace(picture, name=laid.item.name, link="", look=laid.look, transform=move)


def move_of(panel: Panel, board: Board, frames: int) -> Transform:
    """A transform that shows of a picture what the panel's camera sees, over ``frames`` frames.

    A frame with centre c, width w and angle a is shown whole by scaling by 1/w, turning by −a and moving by the
    negative of c, turned and scaled alike. Zooming evenly is no straight line, so the curves get keys along the way.
    """
    aspect = board.width / board.height
    drawn = panel.frames or frames_of_camera(panel.camera, aspect)
    if not drawn or frames < 2:
        return Transform()
    steps = min(frames - 1, _KEYS)
    values: dict[str, list[CurveKey]] = {name: [] for name in ("x", "y", "scale", "rotation")}
    for step in range(steps + 1):
        at = round(step * (frames - 1) / steps)
        seen = frame_at(drawn, at / (frames - 1))
        scale, turn = 1 / seen.width, math.radians(-seen.angle)
        # Both in widths of the frame; y is told in heights.
        across, down = (seen.x - 0.5) * scale, (seen.y - 0.5) / aspect * scale
        found = {
            "x": -(across * math.cos(turn) - down * math.sin(turn)),
            "y": -(across * math.sin(turn) + down * math.cos(turn)) * aspect,
            "scale": scale,
            "rotation": -seen.angle,
        }
        for name, keys in values.items():
            keys.append(CurveKey(at, round(found[name], 6)))
    x, y, scale, rotation = (Curve(keys[0].value, tuple(keys)) for keys in values.values())
    return Transform(x=x, y=y, scale=scale, rotation=rotation)


def lay_sound(document: Document, board: Board) -> Document:
    """Put the board's guide track and its dialogue on audio tracks of the active timeline, under their panels' clips.

    What lies there already stays, and is not laid twice. Raises EditRefused.
    """
    sequence = document.sequence
    if sequence is None:
        return document
    starts: list[tuple[int, SoundCue]] = []
    first = True
    for panel in document.boards[board.id].panels:
        clip = find_clip(sequence, panel.clip_id) if panel.clip_id else None
        if clip is None:
            continue
        if first and board.sound is not None:
            starts.append((clip.start, board.sound))
        first = False
        if panel.sound is not None:
            starts.append((clip.start, panel.sound))
    for start, cue in starts:
        item = document.media.get(cue.media_id)
        there = any(c.media_id == cue.media_id and c.start == start for t in sequence.audio_tracks for c in t.clips)
        if item is None or item.info.audio is None or there:
            continue
        end = min(item.info.audio.duration, cue.start + Fraction(86400))
        _, sound = edits.clips_of(item, sequence.rate, source=(cue.start, end), audio=True)
        if sound is None:
            continue
        sound = replace(sound, start=start, link="", gain_db=cue.gain_db)
        track = next(
            (t for t in sequence.audio_tracks if not t.locked and free(t.clips, start, start + sound.duration)), None
        )
        if track is None:
            sequence = edits.add_track(sequence, TrackKind.AUDIO)
            track = sequence.audio_tracks[-1]
        sequence = edits.place(sequence, [edits.Placement(track.id, sound)])
    return sequences.with_sequence(document, sequence)


def _with_media(document: Document, item: MediaItem) -> Document:
    return document if item.id in document.media else media_edits.add_media(document, item)


def _same(shot: Shot, wanted: Shot) -> bool:
    return replace(shot, lead=None) == replace(wanted, lead=None)
