"""The rows of the action table that change how the timeline is seen and which tool is in hand."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    # -- tools -----------------------------------------------------------------------------------------------------
    Action(id="timeline.tool_ripple", text="Ripple Tool", tip="Trim the nearer edge of a clip and pull or push what follows; the same as Ctrl on an edge.", key="R", icon="arrow-right-from-line", menu="Clip/Tools", group="tools", scope="timeline"),
    Action(id="timeline.tool_roll", text="Roll Tool", tip="Move the nearer cut of a clip; nothing else moves.", key="E", icon="split-square-horizontal", menu="Clip/Tools", group="tools", scope="timeline"),
    Action(id="timeline.tool_slip", text="Slip Tool", tip="Show earlier or later material in the same place; the same as Alt.", key="S", icon="arrow-left-right", menu="Clip/Tools", group="tools", scope="timeline"),
    Action(id="timeline.tool_slide", text="Slide Tool", tip="Move a clip between its neighbours, which give and take; the same as Ctrl+Alt.", key="Shift+S", icon="move-horizontal", menu="Clip/Tools", group="tools", scope="timeline"),
    Action(id="timeline.toggle_magnetic", text="Magnetic Timeline", tip="Keep the lowest video track without gaps: clips on it close up, make room and change places by themselves.", key="Shift+N", icon="align-horizontal-justify-start", menu="Clip/Tools", group="snapping", checkable=True),
    # -- view ------------------------------------------------------------------------------------------------------
    Action(id="timeline.toggle_levels", text="Opacity and Volume Lines", tip="Show the level of every clip as a line with its keys: drag it, Ctrl+click adds a key, right-click removes one.", key="V", icon="spline", menu="View", group="timeline", scope="timeline", checkable=True),
    Action(id="timeline.toggle_captions", text="Subtitle Lane", tip="Show the lane of subtitles above the tracks.", key="Shift+C", icon="message-square", menu="View", group="timeline", scope="timeline", checkable=True),
    Action(id="timeline.toggle_minimap", text="Timeline Overview", tip="Show the whole sequence in a strip: drag its window to scroll, its edges to zoom.", icon="panel-bottom", menu="View", group="timeline", checkable=True),
    Action(id="timeline.zoom_selection", text="Zoom to Selection", tip="Fill the timeline with the selected clips, else with the in/out range.", key="Z", icon="scan", menu="View", group="timeline", scope="timeline"),
    Action(id="timeline.tracks_small", text="Low Tracks", tip="Make every track low.", menu="View/Track Heights", group="heights"),
    Action(id="timeline.tracks_medium", text="Medium Tracks", tip="Give every track its usual height.", menu="View/Track Heights", group="heights"),
    Action(id="timeline.tracks_large", text="High Tracks", tip="Make every track high.", menu="View/Track Heights", group="heights"),
    Action(id="timeline.open_nested", text="Open Nested Timeline", tip="Open the timeline that the selected clip stands for.", key="Ctrl+Shift+Down", menu="Clip", group="nested", scope="timeline"),
    Action(id="timeline.close_nested", text="Back to the Outer Timeline", tip="Return to the timeline that this one was opened from.", key="Ctrl+Shift+Up", menu="Clip", group="nested", scope="timeline"),
)  # fmt: skip
"""Bound by :meth:`TimelinePanel.handlers`."""
