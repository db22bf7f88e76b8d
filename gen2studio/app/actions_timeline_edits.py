"""The rows of the action table for the further edits: speed, freezing, transitions, groups, nesting, captions."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    # -- time ----------------------------------------------------------------------------------------------------------
    Action(id="timeline.reverse", text="Reverse Clip", tip="Play the clips and their sound backwards, or forwards again.", key="Ctrl+R", icon="rewind", menu="Clip/Speed", group="time", scope="timeline"),
    Action(id="timeline.freeze", text="Freeze Clip", tip="Hold the frame at the playhead for the whole clip, or let it move again.", key="Shift+R", icon="camera", menu="Clip/Speed", group="time", scope="timeline"),
    Action(id="timeline.insert_hold", text="Insert Freeze Frame", tip="Cut at the playhead and hold that frame for two seconds; what follows moves right.", key="Shift+H", icon="pause", menu="Clip/Speed", group="time", scope="timeline"),
    # -- transitions and fades -----------------------------------------------------------------------------------------
    Action(id="timeline.add_dissolve", text="Add Dissolve", tip="Dissolve at the cuts of the selected clips, or at the nearest cut; sound crossfades.", key="Shift+D", icon="blend", menu="Clip/Transitions", group="transitions", scope="timeline"),
    Action(id="timeline.add_wipe", text="Add Wipe", tip="Wipe from one clip to the next.", menu="Clip/Transitions", group="transitions"),
    Action(id="timeline.add_clock", text="Add Clock Wipe", tip="Wipe round like the hand of a clock.", icon="clock", menu="Clip/Transitions", group="transitions"),
    Action(id="timeline.add_iris", text="Add Iris", tip="Open the next clip from the centre.", icon="circle-dot", menu="Clip/Transitions", group="transitions"),
    Action(id="timeline.add_push", text="Add Push", tip="Push one clip out with the next.", menu="Clip/Transitions", group="transitions"),
    Action(id="timeline.add_slide", text="Add Slide", tip="Slide the next clip over the one before.", menu="Clip/Transitions", group="transitions"),
    Action(id="timeline.add_dip", text="Add Dip to Colour", tip="Go through black, or another colour.", menu="Clip/Transitions", group="transitions"),
    Action(id="timeline.remove_transition", text="Remove Transition", tip="Make the cuts of the selected clips, or the nearest one, plain again.", key="Alt+D", menu="Clip/Transitions", group="remove", scope="timeline"),
    Action(id="timeline.fade_in", text="Fade In to Playhead", tip="Fade in from the head of the clip to the playhead, or over a second.", key="Alt+[", icon="trending-up", menu="Clip/Transitions", group="fades", scope="timeline"),
    Action(id="timeline.fade_out", text="Fade Out from Playhead", tip="Fade out from the playhead to the tail of the clip, or over a second.", key="Alt+]", menu="Clip/Transitions", group="fades", scope="timeline"),
    Action(id="timeline.remove_fades", text="Remove Fades", tip="Take the fades off the selected clips.", menu="Clip/Transitions", group="fades", scope="timeline"),
    # -- groups and nesting --------------------------------------------------------------------------------------------
    Action(id="timeline.group", text="Group Clips", tip="Make the selected clips select and move together.", key="Ctrl+G", icon="box-select", menu="Clip", group="group", scope="timeline"),
    Action(id="timeline.ungroup", text="Ungroup Clips", tip="Take the groups of the selected clips apart.", key="Ctrl+Shift+G", menu="Clip", group="group", scope="timeline"),
    Action(id="timeline.nest", text="Nest Clips", tip="Move the selected clips into a timeline of their own and show that in their place.", key="Alt+N", icon="package", menu="Clip", group="nested", scope="timeline"),
    Action(id="timeline.unnest", text="Take Nested Clip Apart", tip="Lay the contents of the nested clip out in its place.", key="Alt+Shift+N", menu="Clip", group="nested", scope="timeline"),
    # -- attributes ----------------------------------------------------------------------------------------------------
    Action(id="timeline.copy_attributes", text="Copy Attributes", tip="Remember look, transform, opacity, volume, fades and speed of the clip.", key="Ctrl+Alt+C", icon="copy", menu="Edit", group="attributes", scope="timeline"),
    Action(id="timeline.paste_attributes", text="Paste Attributes…", tip="Choose which of the copied attributes the selected clips get.", key="Alt+V", icon="clipboard-paste", menu="Edit", group="attributes", scope="timeline"),
    Action(id="timeline.paste_all_attributes", text="Paste All Attributes", tip="Give the selected clips all that was copied.", key="Alt+Shift+V", menu="Edit", group="attributes", scope="timeline"),
    Action(id="timeline.reset_attributes", text="Reset Attributes", tip="Put look, transform, opacity, volume and fades of the selected clips back.", menu="Edit", group="attributes", scope="timeline"),
    # -- rippling ------------------------------------------------------------------------------------------------------
    Action(id="timeline.ripple_delete_all", text="Ripple Delete on All Tracks", tip="Take the selected clips out and move everything behind them on all tracks.", key="Ctrl+Shift+Del", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.trim_head_all", text="Trim Head on All Tracks", tip="Take the stretch from the head of the clip to the playhead out of all unlocked tracks.", key="Shift+Q", menu="Clip", group="cut", scope="timeline"),
    Action(id="timeline.trim_tail_all", text="Trim Tail on All Tracks", tip="Take the stretch from the playhead to the tail of the clip out of all unlocked tracks.", key="Shift+W", menu="Clip", group="cut", scope="timeline"),
    Action(id="timeline.insert_gap", text="Insert Gap", tip="Open a gap of a second, or as long as in to out, at the playhead on all unlocked tracks.", key="Alt+G", icon="unfold-horizontal", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.close_gap", text="Remove Gap at Playhead", tip="Close the gap at the playhead on the target track.", key="Shift+G", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.move_up", text="Move Clips One Track Up", tip="Move the selected clips to the next track above.", key="Shift+Up", menu="Clip", group="nudge", scope="timeline"),
    Action(id="timeline.move_down", text="Move Clips One Track Down", tip="Move the selected clips to the next track below.", key="Shift+Down", menu="Clip", group="nudge", scope="timeline"),
    Action(id="timeline.toggle_solo", text="Solo Target Track", tip="Hear or see only the target track of its kind, and others that are solo.", menu="Clip/Tracks", group="state"),
    # -- markers and captions ------------------------------------------------------------------------------------------
    Action(id="timeline.mark_range", text="Mark Range", tip="Put a marker over in to out, or over the selected clips.", key="Shift+M", icon="move-horizontal", menu="Playback", group="marker", scope="timeline"),
    Action(id="timeline.next_marker", text="Go to Next Marker", tip="Move the playhead to the marker after it.", key="Alt+PgDown", icon="chevron-right", menu="Playback", group="marker"),
    Action(id="timeline.previous_marker", text="Go to Previous Marker", tip="Move the playhead to the marker before it.", key="Alt+PgUp", icon="chevron-left", menu="Playback", group="marker"),
    Action(id="timeline.remove_markers", text="Remove All Markers", tip="Take all markers off the timeline.", menu="Playback", group="marker"),
    Action(id="subtitle.add", text="Add Subtitle", tip="Put a subtitle at the playhead.", key="Alt+S", icon="message-square", menu="Clip/Subtitles", group="add", scope="timeline"),
    Action(id="subtitle.split", text="Split Subtitle", tip="Cut the subtitle at the playhead in two.", key="Alt+Shift+S", menu="Clip/Subtitles", group="change", scope="timeline"),
    Action(id="subtitle.merge", text="Merge with Next Subtitle", tip="Make the subtitle at the playhead and the next one a single one.", menu="Clip/Subtitles", group="change"),
    Action(id="subtitle.remove", text="Remove Subtitle", tip="Remove the subtitle at the playhead.", menu="Clip/Subtitles", group="change"),
    Action(id="subtitle.import", text="Import Subtitles…", tip="Read subtitles from an SRT, WebVTT or ASS file in place of those of the timeline.", icon="import", menu="Clip/Subtitles", group="files"),
    Action(id="subtitle.export", text="Export Subtitles…", tip="Write the subtitles of the timeline as an SRT file.", icon="upload", menu="Clip/Subtitles", group="files"),
)  # fmt: skip
"""Bound by :meth:`TimelineEditing.handlers` and :mod:`gen2studio.ui.dialogs.timeline_edit_dialogs`."""
