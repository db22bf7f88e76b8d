"""The rows of the action table that exchange timelines and carry projects."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="file.import_timeline", text="Import timeline…", tip="Read a timeline of another program: OpenTimelineIO, EDL, Final Cut Pro XML.", key="Ctrl+Alt+Shift+I", icon="list-video", menu="File", group="media"),
    Action(id="file.export_timeline", text="Export timeline…", tip="Write this timeline for another program: OpenTimelineIO, EDL, Final Cut Pro XML.", key="Ctrl+Alt+Shift+E", icon="upload", menu="File", group="media"),
    Action(id="file.consolidate", text="Consolidate to new project…", tip="Write a copy of the project with only the stretches of media that its timelines use, and handles.", icon="package", menu="File", group="media"),
)  # fmt: skip
