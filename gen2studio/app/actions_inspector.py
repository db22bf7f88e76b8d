"""The rows of the action table for what a clip holds: inspector, keys, transform."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="view.inspector", text="Inspector", tip="Show every fact and parameter of the selected clips.", key="Ctrl+4", icon="sliders-horizontal", menu="View", group="panels"),
    Action(id="view.curves", text="Curve Editor", tip="Show how the parameters of the clip change over time.", key="Ctrl+5", icon="spline", menu="View", group="panels"),
    Action(id="view.subtitles", text="Subtitles", tip="Show the subtitles of the timeline: list, text, times and style.", key="Ctrl+6", icon="message-square", menu="View", group="panels"),
    Action(id="view.markers", text="Markers", tip="Show the markers of the timeline in a list.", key="Ctrl+7", icon="map-pin", menu="View", group="panels"),
    Action(id="marker.edit", text="Name Marker", tip="Type the name of the marker at the playhead; puts one there first.", key="Alt+M", icon="pencil", menu="Playback", group="marker"),
    Action(id="marker.export", text="Export Markers…", tip="Write the markers as text or CSV.", icon="upload", menu="Playback", group="marker"),
    Action(id="key.previous", text="Go to Previous Key", tip="Move the playhead to the key before it, of any parameter of the clip.", key="Alt+Up", icon="chevron-left", menu="Playback", group="key"),
    Action(id="key.next", text="Go to Next Key", tip="Move the playhead to the key after it, of any parameter of the clip.", key="Alt+Down", icon="chevron-right", menu="Playback", group="key"),
    Action(id="tool.transform", text="Transform Tool", tip="Move, scale, turn and crop the picture by handles in the viewer: Ctrl with a handle crops, Alt scales about the anchor, Shift keeps the axis or frees the proportions.", key="T", icon="scaling", menu="Clip/Transform", group="tool", scope="canvas"),
    Action(id="key.transform", text="Set Transform Keys", tip="Set keys of position, scale and rotation at the playhead.", key="Shift+T", icon="diamond", menu="Clip/Transform", group="transform"),
    Action(id="transform.flip_horizontal", text="Flip Horizontally", tip="Mirror the selected clips left and right.", menu="Clip/Transform", group="transform"),
    Action(id="transform.flip_vertical", text="Flip Vertically", tip="Mirror the selected clips top and bottom.", menu="Clip/Transform", group="transform"),
    Action(id="transform.reset", text="Reset Transform", tip="Put position, scale, rotation, anchor and flips of the selected clips back.", menu="Clip/Transform", group="transform"),
    Action(id="transform.fill", text="Fill Frame", tip="Scale the selected clips until they cover the whole frame.", menu="Clip/Transform", group="transform"),
    Action(id="curves.add", text="Add Key", tip="Add a key to the current curve at the playhead.", key="Ins", keys=("A",), icon="diamond-plus", menu="Clip/Curves", group="key", scope="curves"),
    Action(id="curves.remove", text="Remove Keys", tip="Take the chosen keys away.", key="Del", keys=("Backspace",), icon="trash-2", menu="Clip/Curves", group="key", scope="curves"),
    Action(id="curves.cut", text="Cut Keys", tip="Copy the chosen keys and take them away.", key="Ctrl+X", icon="scissors-line-dashed", menu="Clip/Curves", group="clipboard", scope="curves"),
    Action(id="curves.copy", text="Copy Keys", tip="Copy the chosen keys.", key="Ctrl+C", icon="copy", menu="Clip/Curves", group="clipboard", scope="curves"),
    Action(id="curves.paste", text="Paste Keys", tip="Put the copied keys at the playhead: each on its curve, or those of one curve on the current one.", key="Ctrl+V", icon="clipboard-paste", menu="Clip/Curves", group="clipboard", scope="curves"),
    Action(id="curves.select_all", text="Select All Keys", tip="Choose every key in the graph.", key="Ctrl+A", menu="Clip/Curves", group="clipboard", scope="curves"),
    Action(id="curves.hold", text="Hold", tip="Stay at the chosen keys, and jump at the next ones.", key="1", icon="ease-hold", menu="Clip/Curves", group="ease", checkable=True, scope="curves"),
    Action(id="curves.linear", text="Linear", tip="Go straight from the chosen keys to the next ones.", key="2", icon="ease-linear", menu="Clip/Curves", group="ease", checkable=True, scope="curves"),
    Action(id="curves.smooth", text="Smooth", tip="Leave the chosen keys and arrive at the next ones without speed.", key="3", icon="ease-smooth", menu="Clip/Curves", group="ease", checkable=True, scope="curves"),
    Action(id="curves.bezier", text="Bézier", tip="Bend the curve by handles.", key="4", icon="ease-bezier", menu="Clip/Curves", group="ease", checkable=True, scope="curves"),
    Action(id="curves.snap", text="Snap Keys", tip="Draw keys to the playhead, to other keys and to the ends of the clip.", key="S", icon="magnet", menu="Clip/Curves", group="view", checkable=True, scope="curves"),
    Action(id="curves.zoom_in", text="Zoom In on Curves", tip="Show fewer frames.", key="=", keys=("+",), icon="zoom-in", menu="Clip/Curves", group="view", scope="curves"),
    Action(id="curves.zoom_out", text="Zoom Out of Curves", tip="Show more frames.", key="-", icon="zoom-out", menu="Clip/Curves", group="view", scope="curves"),
    Action(id="curves.fit", text="Fit Curves", tip="Show the whole clip and every value; with several keys chosen, those.", key="Z", icon="maximize", menu="Clip/Curves", group="view", scope="curves"),
)  # fmt: skip
