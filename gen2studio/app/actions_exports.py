"""The rows of the action table about exports in the queue."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="file.export_queue", text="Export Queue…", tip="See what is being exported and what waits.", key="Ctrl+Alt+Q", icon="list-video", menu="File", group="media"),
)  # fmt: skip
