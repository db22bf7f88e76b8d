"""The rows of the action table about the export queue, render farms, the mixer and the scopes."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="file.export_queue", text="Export Queue…", tip="See what is being exported and what waits.", key="Ctrl+Alt+Q", icon="list-video", menu="File", group="media"),
    Action(id="generate.submit_farm", text="Submit to a farm…", tip="Write clips or a storyboard as a job that other machines render.", icon="cloud", menu="Generate", group="farm"),
    Action(id="generate.collect_farm", text="Collect from a farm…", tip="Bring what a farm has rendered into the project, as takes.", icon="download", menu="Generate", group="farm"),
    Action(id="view.mixer", text="Mixer", tip="Show or hide the mixer: faders and meters of the audio tracks.", key="Ctrl+Alt+X", icon="sliders-horizontal", menu="View", group="panels"),
    Action(id="view.scopes", text="Scopes", tip="Show or hide the scopes: waveform, vectorscope, histogram.", key="Ctrl+Alt+O", icon="gauge", menu="View", group="panels"),
)  # fmt: skip
