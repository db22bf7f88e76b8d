"""What a clip has besides its footage, given to other clips; and other footage under what a clip has. Pure.

Edits on whole documents where looks are concerned, since those fall back on the document's default.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import replace
from fractions import Fraction

from gen2studio.core.errors import EditRefused
from gen2studio.core.media_info import MediaKind
from gen2studio.document import looks
from gen2studio.document.draft import Draft, tracks_of
from gen2studio.document.edits_trim import set_reverse, set_speed
from gen2studio.document.lookup import Media, longest, where
from gen2studio.document.lookup import linked as with_linked
from gen2studio.document.lookup import track as track_by_id
from gen2studio.document.model import Clip, MediaItem, Sequence, TrackKind


class Attribute(enum.Enum):
    """What can be pasted from one clip to others."""

    LOOK = "look"
    TRANSFORM = "transform"
    OPACITY = "opacity"
    BLEND = "blend"
    VOLUME = "volume"
    """With gain and pan."""
    FADES = "fades"
    SPEED = "speed"
    """With direction and pitch."""


def attributes_of(clip: Clip) -> frozenset[Attribute]:
    """What a clip has that a new one has not: what a dialog ticks at first."""
    fresh = Clip(id=clip.id, media_id=clip.media_id, name="", start=0, duration=1)
    found = {
        Attribute.LOOK: clip.look is not None,
        Attribute.TRANSFORM: clip.transform != fresh.transform,
        Attribute.OPACITY: clip.opacity != fresh.opacity,
        Attribute.BLEND: clip.blend is not fresh.blend,
        Attribute.VOLUME: (clip.volume, clip.pan, clip.gain_db) != (fresh.volume, fresh.pan, fresh.gain_db),
        Attribute.FADES: bool(clip.fade_in or clip.fade_out),
        Attribute.SPEED: (clip.speed, clip.reverse, clip.keep_pitch) != (1, False, True),
    }
    return frozenset(name for name, has in found.items() if has)


def paste_attributes(
    sequence: Sequence, source: Clip, clip_ids: Collection[str], which: Collection[Attribute], media: Media
) -> Sequence:
    """Give clips the chosen attributes of ``source``, as it was when it was copied.

    Attributes of pictures go to video tracks, volume to audio tracks, fades and speed to both. Keys keep their distance
    from the head. A look leaves behind what belongs to its own footage where the media differ. A speed changes lengths
    in place and refuses where there is no room.
    """
    if not which:
        raise EditRefused("Nothing was chosen to paste.", "Choose an attribute.")
    # Speed first: it scales the curves that a clip has, and those that are pasted are meant as they are.
    if Attribute.SPEED in which:
        moving = [i for i in with_linked(sequence, clip_ids) if not where(sequence, i)[1].freeze]
        if moving:
            sequence = set_speed(sequence, moving, source.speed, media)
            sequence = set_reverse(sequence, moving, source.reverse, media)
    draft = Draft(sequence)
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        picture = track_by_id(sequence, track_id).kind is TrackKind.VIDEO
        for clip in clips:
            changed = _with_attributes(clip, source, which, picture)
            if changed != clip:
                draft.swap(track_id, changed)
    return draft.result(media)


def _with_attributes(clip: Clip, source: Clip, which: Collection[Attribute], picture: bool) -> Clip:
    if picture and Attribute.LOOK in which:
        look = source.look
        if look is not None and clip.media_id != source.media_id:
            own = clip.look
            look = looks.shared_look(look, own) if own is not None else looks.without_footage(look)
        clip = replace(clip, look=look)
    if picture and Attribute.TRANSFORM in which:
        clip = replace(clip, transform=source.transform)
    if picture and Attribute.OPACITY in which:
        clip = replace(clip, opacity=source.opacity)
    if picture and Attribute.BLEND in which:
        clip = replace(clip, blend=source.blend)
    if not picture and Attribute.VOLUME in which:
        clip = replace(clip, volume=source.volume, pan=source.pan, gain_db=source.gain_db)
    if Attribute.FADES in which:
        clip = replace(clip, fade_in=source.fade_in, fade_out=source.fade_out)
    if Attribute.SPEED in which:
        clip = replace(clip, keep_pitch=source.keep_pitch)
    return clip


def reset_attributes(sequence: Sequence, clip_ids: Collection[str], which: Collection[Attribute]) -> Sequence:
    """Put the chosen attributes back to those of a new clip; speed is left alone."""
    draft = Draft(sequence)
    for track_id, clips in tracks_of(sequence, clip_ids).items():
        picture = track_by_id(sequence, track_id).kind is TrackKind.VIDEO
        for clip in clips:
            fresh = Clip(id=clip.id, media_id=clip.media_id, name="", start=0, duration=1)
            changed = _with_attributes(clip, fresh, set(which) - {Attribute.SPEED}, picture)
            if changed != clip:
                draft.swap(track_id, changed)
    return draft.result()


# -- other footage under it ------------------------------------------------------------------------------------------


def replace_media(
    sequence: Sequence, clip_id: str, item: MediaItem, media: Media, *, source_in: Fraction | None = None
) -> Sequence:
    """Show other media in a clip and its linked partners: place, length, look, transform, curves and fades stay.

    ``source_in`` is the media second to begin with (None = the same as before, or the last that leaves enough). Takes
    and what a look holds of the old footage (keys, masks, motion) stay behind. A partner whose kind the new media does
    not have goes. Raises EditRefused when the media is too short.
    """
    main = where(sequence, clip_id)[1]
    if main.media_id == item.id and source_in is None:
        raise EditRefused("The clip shows that media already.", "Choose another file.")
    known = {**media, item.id: item}
    draft = Draft(sequence)
    group = {i for i in with_linked(sequence, [clip_id]) if where(sequence, i)[1].media_id == main.media_id}
    left: list[tuple[str, Clip]] = []
    for track_id, clips in tracks_of(sequence, group).items():
        picture = track_by_id(sequence, track_id).kind is TrackKind.VIDEO
        has = item.info.has_video if picture else item.info.audio is not None or item.info.kind is MediaKind.AUDIO
        for clip in clips:
            if not has:
                if clip.id == clip_id:
                    raise EditRefused(
                        f"“{item.name}” has no {'picture' if picture else 'sound'}.", "Choose a file that has one."
                    )
                draft.remove(track_id, {clip.id})
                continue
            left.append((track_id, clip))
    begin = main.source_in if source_in is None else source_in
    if source_in is None and item.info.duration > 0 and item.info.kind is not MediaKind.STILL:
        spent = Fraction(main.duration) / sequence.rate * main.speed
        begin = max(Fraction(0), min(begin, item.info.duration - spent))
    for track_id, clip in left:
        look = clip.look
        if look is not None and clip.media_id != item.id:
            look = looks.without_footage(look)
        changed = replace(
            clip,
            media_id=item.id,
            name=item.name if clip.name == _name(media, clip) else clip.name,
            source_in=begin + (clip.source_in - main.source_in),
            link=clip.link if len(left) > 1 else "",
            look=look,
            takes=clip.takes if clip.media_id == item.id else (),
            active_take=clip.active_take if clip.media_id == item.id else "",
        )
        if changed.source_in < 0 or changed.duration > longest(changed, sequence.rate, known):
            raise EditRefused(
                f"“{item.name}” is too short for this clip.", "Trim the clip first, or choose a longer file."
            )
        draft.swap(track_id, changed)
    return draft.result(known)


def _name(media: Media, clip: Clip) -> str:
    item = media.get(clip.media_id)
    return item.name if item is not None else clip.name
