"""Commands of the generate, takes and queue panels."""

from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(
        id="generate.stills", text="Four stills", key="Ctrl+T", icon="grid-2x2", menu="Generate", group="run",
        tip="Restyle four frames across the clip to judge the look before the whole clip is made.",
    ),
    Action(
        id="generate.run", text="Generate", key="Ctrl+Return", icon="sparkles", menu="Generate", group="run",
        tip="Queue the whole clip; each frame shows in the viewer as it arrives.",
    ),
    Action(
        id="generate.cancel", text="Cancel", key="Esc", icon="circle-stop", menu="Generate", group="run",
        tip="Stop the running job; finished frames are kept as a take.",
    ),
    Action(
        id="generate.live_preview", text="Live preview", key="Ctrl+Alt+L", icon="eye", menu="Generate", group="preview",
        tip="Restyle the frame under the playhead each time a gesture or slider ends.", checkable=True,
    ),
    Action(
        id="generate.new_seed", text="New seed", key="Ctrl+Shift+R", icon="dices", menu="Generate", group="preview",
        tip="Try another variation of the same look.",
    ),
    Action(
        id="generate.style_from_frame", text="Use frame as style", icon="pipette", menu="Generate", group="style",
        tip="Add the picture in the viewer to the style board.",
    ),
    Action(
        id="generate.export_frame", text="Export frame to paint over…", icon="pencil", menu="Generate", group="style",
        tip="Write the source frame under the playhead as a PNG, to paint a key frame in another program.",
    ),
    Action(
        id="generate.add_key", text="Add painted key frame…", icon="diamond", menu="Generate", group="style",
        tip="Choose a painting of the frame under the playhead; the clip follows it.",
    ),
    Action(
        id="take.apply", text="Apply take", key="Ctrl+Shift+Return", icon="check", menu="Generate", group="take",
        tip="Show the chosen take on the timeline instead of the source.",
    ),
    Action(
        id="take.source", text="Show source on timeline", key="Ctrl+Shift+Backspace", icon="film", menu="Generate",
        group="take", tip="Take the applied take off the clip; the take is kept.",
    ),
    Action(
        id="take.discard", text="Discard take", icon="trash-2", menu="Generate", group="take",
        tip="Take the chosen take off the clip; undo brings it back.",
    ),
    Action(
        id="take.reuse", text="Reuse settings of take", icon="rotate-ccw", menu="Generate", group="take",
        tip="Set all controls to what made the chosen take.",
    ),
    Action(
        id="take.reuse_file", text="Reuse settings from file…", icon="upload", menu="Generate", group="take",
        tip="Read the recipe inside a film or image that was exported here.",
    ),
    Action(
        id="queue.pause", text="Pause queue", key="Ctrl+Alt+P", icon="pause", menu="Generate", group="queue",
        tip="Hold running and waiting renders; previews go on.", checkable=True,
    ),
)  # fmt: skip
