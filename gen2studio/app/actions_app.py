"""Commands of the program itself: files, editing history, views, playback display, help."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="file.new", text="New project", tip="Start an empty project.", key="Ctrl+N", icon="file-plus", menu="File", group="project"),
    Action(id="file.open", text="Open project…", tip="Open a .g2s project.", key="Ctrl+O", icon="folder-open", menu="File", group="project"),
    Action(id="file.sample", text="Open sample project", tip="Open the bundled sample to try every step.", icon="lightbulb", menu="File", group="project"),
    Action(id="file.save", text="Save", tip="Save the project.", key="Ctrl+S", icon="save", menu="File", group="save"),
    Action(id="file.save_as", text="Save as…", tip="Save the project in another place; a name ending in .zip.g2s makes one file.", key="Ctrl+Shift+S", menu="File", group="save"),
    Action(id="file.revert", text="Revert to saved", tip="Drop everything since the last save.", icon="rotate-ccw", menu="File", group="save"),
    Action(id="file.import", text="Import media…", tip="Add clips, images or sound to the media pool.", key="Ctrl+I", icon="import", menu="File", group="media"),
    Action(id="file.relink", text="Relink missing media…", tip="Point offline media at their new place.", icon="link", menu="File", group="media"),
    Action(id="file.collect", text="Collect media into project", tip="Copy clips, images and depth passes that lie elsewhere into the project, so that it can be carried away.", icon="package", menu="File", group="media"),
    Action(id="file.export", text="Export…", tip="Write the timeline to a film or an image sequence.", key="Ctrl+E", icon="download", menu="File", group="media"),
    Action(id="file.preferences", text="Preferences…", tip="Change how the program works on this machine.", key="Ctrl+,", icon="settings", menu="File", group="end"),
    Action(id="file.quit", text="Quit", tip="Close Gen2 Studio; running jobs resume at the next start.", key="Ctrl+Q", icon="power", menu="File", group="end"),
    Action(id="edit.undo", text="Undo", tip="Take the last step back.", key="Ctrl+Z", icon="undo-2", menu="Edit", group="undo"),
    Action(id="edit.redo", text="Redo", tip="Do the step again.", key="Ctrl+Shift+Z", keys=("Ctrl+Y",), icon="redo-2", menu="Edit", group="undo"),
    Action(id="view.palette", text="Command palette…", tip="Find any command by name.", key="Ctrl+Shift+P", keys=("F1",), icon="command", menu="View", group="find"),
    Action(id="view.shortcuts", text="Keyboard shortcuts…", tip="See every key.", key="Ctrl+/", icon="keyboard", menu="Help", group="help"),
    Action(id="view.reset_layout", text="Reset layout", tip="Put all panels back where they came from.", icon="layout-dashboard", menu="View", group="layout"),
    Action(id="view.fullscreen", text="Full screen", tip="Use the whole screen.", key="F11", icon="fullscreen", menu="View", group="layout", checkable=True),
    Action(id="compare.off", text="Result only", tip="Show the result alone.", icon="image", menu="View/Compare", group="compare", checkable=True),
    Action(id="compare.wipe", text="Wipe", tip="Source on the left, result on the right of a line you can drag.", key="Ctrl+1", icon="square-split-horizontal", menu="View/Compare", group="compare", checkable=True),
    Action(id="compare.side", text="Side by side", tip="Source and result next to each other.", key="Ctrl+2", icon="columns-2", menu="View/Compare", group="compare", checkable=True),
    Action(id="compare.difference", text="Difference", tip="What changed, brighter where more.", key="Ctrl+3", icon="contrast", menu="View/Compare", group="compare", checkable=True),
    Action(id="compare.toggle", text="Show source", tip="Flip between source and result.", key="\\", icon="flip-horizontal", menu="View/Compare", group="compare", checkable=True),
    Action(id="help.doctor", text="Check this machine…", tip="See what is installed and what is missing, with the fix.", icon="cpu", menu="Help", group="help"),
    Action(id="help.about", text="About Gen2 Studio", tip="Version, licence and credits.", icon="info", menu="Help", group="about"),
)  # fmt: skip
