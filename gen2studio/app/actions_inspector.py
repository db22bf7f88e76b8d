"""The rows of the action table for what a clip holds: inspector, keys, transform."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="view.inspector", text="Inspector", tip="Show every fact and parameter of the selected clips.", key="Ctrl+4", icon="sliders-horizontal", menu="View", group="panels"),
    Action(id="key.previous", text="Go to Previous Key", tip="Move the playhead to the key before it, of any parameter of the clip.", key="Alt+Up", menu="Playback", group="key"),
    Action(id="key.next", text="Go to Next Key", tip="Move the playhead to the key after it, of any parameter of the clip.", key="Alt+Down", menu="Playback", group="key"),
    Action(id="key.transform", text="Set Transform Keys", tip="Set keys of position, scale and rotation at the playhead.", key="Shift+T", icon="diamond", menu="Clip/Transform", group="transform"),
    Action(id="transform.flip_horizontal", text="Flip Horizontally", tip="Mirror the selected clips left and right.", menu="Clip/Transform", group="transform"),
    Action(id="transform.flip_vertical", text="Flip Vertically", tip="Mirror the selected clips top and bottom.", menu="Clip/Transform", group="transform"),
    Action(id="transform.reset", text="Reset Transform", tip="Put position, scale, rotation, anchor and flips of the selected clips back.", menu="Clip/Transform", group="transform"),
    Action(id="transform.fill", text="Fill Frame", tip="Scale the selected clips until they cover the whole frame.", menu="Clip/Transform", group="transform"),
)  # fmt: skip
