"""The rows of the action table that cut: editing, navigating and playing the timeline."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    # -- playback ------------------------------------------------------------------------------------------------
    Action(id="playback.play", text="Play / Pause", tip="Play from the playhead, or pause.", key="Space", icon="play", menu="Playback", group="shuttle"),
    Action(id="playback.reverse", text="Play Backwards", tip="Play backwards; press again for double speed.", key="J", icon="rewind", menu="Playback", group="shuttle"),
    Action(id="playback.stop", text="Stop", tip="Stop playing; hold it to step with J and L.", key="K", icon="square", menu="Playback", group="shuttle"),
    Action(id="playback.forward", text="Play Forwards", tip="Play forwards; press again for double speed.", key="L", icon="fast-forward", menu="Playback", group="shuttle"),
    Action(id="playback.step_back", text="Step One Frame Back", tip="Move the playhead one frame back.", key="Left", icon="step-back", menu="Playback", group="step"),
    Action(id="playback.step_forward", text="Step One Frame Forward", tip="Move the playhead one frame forward.", key="Right", icon="step-forward", menu="Playback", group="step"),
    Action(id="playback.second_back", text="Step One Second Back", tip="Move the playhead one second back.", key="Shift+Left", menu="Playback", group="step"),
    Action(id="playback.second_forward", text="Step One Second Forward", tip="Move the playhead one second forward.", key="Shift+Right", menu="Playback", group="step"),
    Action(id="timeline.go_start", text="Go to Start", tip="Move the playhead to the first frame.", key="Home", icon="skip-back", menu="Playback", group="go"),
    Action(id="timeline.go_end", text="Go to End", tip="Move the playhead behind the last frame.", key="End", icon="skip-forward", menu="Playback", group="go"),
    Action(id="timeline.go_previous_edit", text="Go to Previous Edit", tip="Move the playhead to the cut or marker before it.", key="Up", icon="chevrons-left", menu="Playback", group="go"),
    Action(id="timeline.go_next_edit", text="Go to Next Edit", tip="Move the playhead to the cut or marker after it.", key="Down", icon="chevrons-right", menu="Playback", group="go"),
    # -- in and out, markers ---------------------------------------------------------------------------------------
    Action(id="timeline.set_in", text="Set In", tip="Start the in/out range at the playhead.", key="I", menu="Playback", group="range"),
    Action(id="timeline.set_out", text="Set Out", tip="End the in/out range after the frame at the playhead.", key="O", menu="Playback", group="range"),
    Action(id="timeline.clear_in_out", text="Clear In and Out", tip="Forget the in/out range.", key="Alt+X", menu="Playback", group="range"),
    Action(id="timeline.mark_clip", text="Set In and Out to Selection", tip="Make the in/out range span the selected clips.", key="X", menu="Playback", group="range", scope="timeline"),
    Action(id="timeline.add_marker", text="Add Marker", tip="Put a marker at the playhead, or take the one there away.", key="M", icon="map-pin", menu="Playback", group="marker"),
    # -- edit ------------------------------------------------------------------------------------------------------
    Action(id="timeline.copy", text="Copy Clips", tip="Copy the selected clips.", key="Ctrl+C", icon="copy", menu="Edit", group="clipboard", scope="timeline"),
    Action(id="timeline.cut", text="Cut Clips", tip="Copy the selected clips and lift them out.", key="Ctrl+X", icon="scissors-line-dashed", menu="Edit", group="clipboard", scope="timeline"),
    Action(id="timeline.paste", text="Paste Clips", tip="Overwrite at the playhead with the copied clips.", key="Ctrl+V", icon="clipboard-paste", menu="Edit", group="clipboard", scope="timeline"),
    Action(id="timeline.paste_insert", text="Paste Insert", tip="Insert the copied clips at the playhead; what follows moves right.", key="Ctrl+Shift+V", menu="Edit", group="clipboard", scope="timeline"),
    Action(id="timeline.duplicate", text="Duplicate Clips", tip="Put a copy of the selected clips right behind them.", key="Ctrl+D", icon="copy", menu="Edit", group="clipboard", scope="timeline"),
    Action(id="timeline.select_all", text="Select All Clips", tip="Select every clip on unlocked tracks.", key="Ctrl+A", menu="Edit", group="select", scope="timeline"),
    Action(id="timeline.select_none", text="Select Nothing", tip="Clear the selection.", key="Ctrl+Shift+A", menu="Edit", group="select", scope="timeline"),
    Action(id="timeline.select_forward", text="Select Clips from Playhead", tip="Select every clip that starts at or after the playhead.", key="Y", menu="Edit", group="select", scope="timeline"),
    # -- clip ------------------------------------------------------------------------------------------------------
    Action(id="timeline.razor", text="Razor at Playhead", tip="Cut the selected clips, or else those on the target track, at the playhead.", key="Ctrl+B", icon="scissors", menu="Clip", group="cut"),
    Action(id="timeline.razor_all", text="Razor All Tracks", tip="Cut every unlocked track at the playhead.", key="Ctrl+Shift+B", menu="Clip", group="cut"),
    Action(id="timeline.trim_head", text="Trim Head to Playhead", tip="Drop what lies before the playhead and close the gap.", key="Q", icon="arrow-right-to-line", menu="Clip", group="cut", scope="timeline"),
    Action(id="timeline.trim_tail", text="Trim Tail to Playhead", tip="Drop what lies after the playhead and close the gap.", key="W", icon="arrow-left-to-line", menu="Clip", group="cut", scope="timeline"),
    Action(id="timeline.lift", text="Lift", tip="Take the selected clips out and leave a gap.", key="Del", keys=("Backspace",), icon="trash-2", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.ripple_delete", text="Ripple Delete", tip="Take the selected clips out and close the gap.", key="Shift+Del", keys=("Shift+Backspace",), icon="fold-horizontal", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.lift_range", text="Lift In to Out", tip="Empty the in/out range on all unlocked tracks.", key=";", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.extract", text="Extract In to Out", tip="Take the in/out range out of all unlocked tracks and close the gap.", key="'", menu="Clip", group="delete", scope="timeline"),
    Action(id="timeline.nudge_left", text="Nudge One Frame Left", tip="Move the selected clips one frame left.", key="Ctrl+Left", menu="Clip", group="nudge", scope="timeline"),
    Action(id="timeline.nudge_right", text="Nudge One Frame Right", tip="Move the selected clips one frame right.", key="Ctrl+Right", menu="Clip", group="nudge", scope="timeline"),
    Action(id="timeline.nudge_left_ten", text="Nudge Ten Frames Left", tip="Move the selected clips ten frames left.", key="Ctrl+Shift+Left", menu="Clip", group="nudge", scope="timeline"),
    Action(id="timeline.nudge_right_ten", text="Nudge Ten Frames Right", tip="Move the selected clips ten frames right.", key="Ctrl+Shift+Right", menu="Clip", group="nudge", scope="timeline"),
    Action(id="timeline.link", text="Link Clips", tip="Make the selected clips move, trim and cut together.", key="Ctrl+L", icon="link", menu="Clip", group="link", scope="timeline"),
    Action(id="timeline.unlink", text="Unlink Clips", tip="Let the selected clips go their own ways.", key="Ctrl+Shift+L", icon="unlink", menu="Clip", group="link", scope="timeline"),
    Action(id="timeline.toggle_enabled", text="Enable / Disable Clips", tip="Show or hide the selected clips without deleting them.", key="D", icon="eye", menu="Clip", group="link", scope="timeline"),
    Action(id="timeline.next_take", text="Next Take", tip="Show the next take of the selected clips.", key="Alt+Right", icon="layers", menu="Clip/Takes", group="takes", scope="timeline"),
    Action(id="timeline.previous_take", text="Previous Take", tip="Show the previous take of the selected clips.", key="Alt+Left", menu="Clip/Takes", group="takes", scope="timeline"),
    Action(id="timeline.show_source", text="Show Source", tip="Show the clip without any take.", key="Alt+Home", menu="Clip/Takes", group="takes", scope="timeline"),
    # -- tracks and tools --------------------------------------------------------------------------------------------
    Action(id="timeline.add_video_track", text="Add Video Track", tip="Add an empty video track on top.", icon="film", menu="Clip/Tracks", group="tracks"),
    Action(id="timeline.add_audio_track", text="Add Audio Track", tip="Add an empty audio track at the bottom.", icon="music", menu="Clip/Tracks", group="tracks"),
    Action(id="timeline.remove_track", text="Remove Target Track", tip="Remove the target track with everything on it.", menu="Clip/Tracks", group="tracks"),
    Action(id="timeline.toggle_lock", text="Lock Target Track", tip="Keep the target track from being changed, or release it.", icon="lock", menu="Clip/Tracks", group="state"),
    Action(id="timeline.toggle_mute", text="Mute / Hide Target Track", tip="Silence an audio track, hide a video track.", icon="volume-x", menu="Clip/Tracks", group="state"),
    Action(id="timeline.tool_select", text="Selection Tool", tip="Select, move and trim clips. While dragging: Ctrl ripples or inserts, Alt slips, Ctrl+Alt slides, Shift inverts snapping.", key="A", icon="mouse-pointer", menu="Clip/Tools", group="tools", scope="timeline"),
    Action(id="timeline.tool_razor", text="Razor Tool", tip="Cut clips where you click; Shift cuts all tracks.", key="C", icon="scissors", menu="Clip/Tools", group="tools", scope="timeline"),
    Action(id="timeline.toggle_snapping", text="Snapping", tip="Snap to cuts, markers and the playhead; hold Shift while dragging to invert.", key="N", icon="magnet", menu="Clip/Tools", group="snapping", checkable=True),
    # -- view ----------------------------------------------------------------------------------------------------------
    Action(id="timeline.zoom_in", text="Zoom Timeline In", tip="See fewer frames, larger.", key="=", keys=("+",), icon="zoom-in", menu="View", group="timeline", scope="timeline"),
    Action(id="timeline.zoom_out", text="Zoom Timeline Out", tip="See more frames, smaller.", key="-", icon="zoom-out", menu="View", group="timeline", scope="timeline"),
    Action(id="timeline.zoom_fit", text="Fit Timeline", tip="Show the whole sequence.", key="Shift+Z", icon="maximize", menu="View", group="timeline"),
    Action(id="timeline.toggle_follow", text="Follow Playhead", tip="Scroll with the playhead while playing.", icon="crosshair", menu="View", group="timeline", checkable=True),
)  # fmt: skip
"""Bound by :meth:`TimelineEditing.handlers`, :meth:`TimelinePanel.handlers` and, for ``playback.*``, the player."""
