"""Every timeline edit under one name: ``from gen2studio.document import edits``.

Pure functions ``Sequence → Sequence``. They raise :class:`~gen2studio.core.errors.EditRefused` and never half-apply;
tracks an edit does not touch keep their identity, so a view finds what changed with ``is``.

Rules shared by all of them:

* ``media`` is the document's ``media`` mapping; media limits come from it (a still has none).
* An edit acts on linked partners too (``linked=True``). With ``linked=False`` a trim may leave a J or L cut (the link
  stays, both halves remain in sync); a move, slip, slide or speed change takes the clip out of its link.
* Groups are moved together (``linked=True``) and trimmed each for itself.
* A locked track refuses every edit that would change one of its clips.
* Linked clips of one media always stay in sync; an edit that would break that refuses.
* Curves count frames from a clip's head and stay on the picture they were set on when a head is trimmed, a clip is
  cut or its speed changes; slipping leaves them. Fades shrink with their clip.
* What moves every unlocked track (insert, extract, gaps, holds, ripples with ``all_tracks``) takes captions and markers
  along.
* A transition stays with its two clips while they touch, and shrinks to what they and their media carry.
* Trims refuse at a media or neighbour limit; :func:`trim_limits`, :func:`roll_limits`, :func:`slip_limits`,
  :func:`slide_limits` and :func:`move_limits` tell the allowed deltas beforehand so that a drag can
  clamp and show them.
"""

from gen2studio.document.edits_attributes import (
    Attribute,
    attributes_of,
    paste_attributes,
    replace_media,
    reset_attributes,
)
from gen2studio.document.edits_fill import (
    fit_to_fill,
    speed_to_fill,
)
from gen2studio.document.edits_hold import (
    HOLD_SECONDS,
    group,
    insert_gap,
    insert_hold,
    set_freeze,
    ungroup,
)
from gen2studio.document.edits_place import (
    STILL_SECONDS,
    Collision,
    Placed,
    Placement,
    append_media,
    clips_of,
    close_gap,
    duplicate,
    extract_range,
    insert,
    lift,
    lift_range,
    move,
    overwrite,
    place,
    place_media,
    razor,
    razor_clips,
    ripple_delete,
)
from gen2studio.document.edits_tracks import (
    add_marker,
    add_track,
    clear_in_out,
    edit_marker,
    link,
    move_marker,
    move_track,
    new_sequence,
    remove_markers,
    remove_track,
    rename_clip,
    rename_track,
    set_enabled,
    set_gain,
    set_height,
    set_in_point,
    set_locked,
    set_muted,
    set_out_point,
    set_solo,
    set_track_gain,
    set_track_pan,
    unlink,
)
from gen2studio.document.edits_transitions import (
    Joined,
    Room,
    add_transition,
    change_transition,
    find_transition,
    remove_transitions,
    transition_room,
)
from gen2studio.document.edits_trim import (
    FASTEST,
    SLOWEST,
    Edge,
    Limits,
    move_limits,
    ripple_trim_head,
    ripple_trim_tail,
    roll,
    roll_limits,
    set_reverse,
    set_speed,
    slide,
    slide_limits,
    slip,
    slip_limits,
    trim_head,
    trim_limits,
    trim_tail,
)
from gen2studio.document.lookup import FAR, Media

__all__ = [
    "FAR",
    "FASTEST",
    "HOLD_SECONDS",
    "SLOWEST",
    "STILL_SECONDS",
    "Attribute",
    "Collision",
    "Edge",
    "Joined",
    "Limits",
    "Media",
    "Placed",
    "Placement",
    "Room",
    "add_marker",
    "add_track",
    "add_transition",
    "append_media",
    "attributes_of",
    "change_transition",
    "clear_in_out",
    "clips_of",
    "close_gap",
    "duplicate",
    "edit_marker",
    "extract_range",
    "find_transition",
    "fit_to_fill",
    "group",
    "insert",
    "insert_gap",
    "insert_hold",
    "lift",
    "lift_range",
    "link",
    "move",
    "move_limits",
    "move_marker",
    "move_track",
    "new_sequence",
    "overwrite",
    "paste_attributes",
    "place",
    "place_media",
    "razor",
    "razor_clips",
    "remove_markers",
    "remove_track",
    "remove_transitions",
    "rename_clip",
    "rename_track",
    "replace_media",
    "reset_attributes",
    "ripple_delete",
    "ripple_trim_head",
    "ripple_trim_tail",
    "roll",
    "roll_limits",
    "set_enabled",
    "set_freeze",
    "set_gain",
    "set_height",
    "set_in_point",
    "set_locked",
    "set_muted",
    "set_out_point",
    "set_reverse",
    "set_solo",
    "set_speed",
    "set_track_gain",
    "set_track_pan",
    "slide",
    "slide_limits",
    "slip",
    "slip_limits",
    "speed_to_fill",
    "transition_room",
    "trim_head",
    "trim_limits",
    "trim_tail",
    "ungroup",
    "unlink",
]
