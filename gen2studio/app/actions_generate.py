"""Commands of the generate, takes, storyboard and queue panels."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501

from __future__ import annotations

from gen2studio.app.actions import Action

_MODES = (
    ("text", "Text to Video", "Write a sentence and get a clip.", "type"),
    ("text_image", "Text + Image to Video", "Bring a picture to life as a sentence says.", "image-words"),
    ("image", "Image to Video", "Bring a picture to life without words.", "image-play"),
    ("stylize", "Stylization", "Restyle every frame of a clip.", "palette"),
    ("storyboard", "Storyboard", "Turn mock-ups on panels into animated shots.", "clapperboard"),
    ("mask", "Mask", "Change only a subject that was isolated.", "lasso-select"),
    ("render", "Render", "Turn an untextured render into a textured shot.", "cuboid"),
    ("customize", "Customization", "Train an adapter on a few pictures.", "graduation-cap"),
)

ROWS: tuple[Action, ...] = (
    *(
        Action(id=f"mode.{mode}", text=title, tip=tip, key=f"Alt+{number}", icon=icon, menu="Generate/Mode", group="mode")
        for number, (mode, title, tip, icon) in enumerate(_MODES, 1)
    ),
    Action(
        id="models.open", text="Models…", key="Ctrl+Alt+M", icon="package", menu="Generate", group="models",
        tip="See what runs on this machine, read terms, download, verify, move and delete models.",
    ),
    Action(
        id="shot.new", text="New shot", key="Ctrl+Shift+N", icon="plus", menu="Generate", group="mode",
        tip="Put an empty shot on the timeline for a generator to fill.",
    ),
    Action(
        id="motion.paint", text="Paint motion", key="Ctrl+M", icon="move-3d", menu="Generate", group="mode", checkable=True,
        tip="Paint regions on the first frame of the shot and say how each moves.",
    ),
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
        id="take.purge", text="Delete discarded takes…", icon="trash-2", menu="Generate", group="take",
        tip="Free the disk of takes that no clip lists any more; you are asked first, for undo can't bring them back.",
    ),
    Action(
        id="take.reuse", text="Reuse settings of take", icon="rotate-ccw", menu="Generate", group="take",
        tip="Set all controls to what made the chosen take.",
    ),
    Action(
        id="take.footage", text="Use take as footage", key="Ctrl+Alt+F", icon="arrow-right-from-line", menu="Generate",
        group="operators", tip="Put the chosen take into the media pool as a clip of its own, to work on further.",
    ),
    Action(
        id="take.extend", text="Extend", key="Ctrl+Alt+E", icon="trending-up", menu="Generate", group="operators",
        tip="Make a shot that goes on from the last frames the clip shows, in the same look.",
    ),
    Action(
        id="take.variations", text="Four variations", key="Ctrl+Alt+V", icon="shuffle", menu="Generate",
        group="operators", tip="Make the clip four more times, with the seeds that follow its own.",
    ),
    Action(
        id="take.interpolate", text="Twice the frames (interpolate)", key="Ctrl+Alt+I", icon="copy-plus", menu="Generate",
        group="operators", tip="Make twice as many frames a second of what the clip shows, as a new clip over it.",
    ),
    Action(
        id="take.upscale", text="Twice the size (upscale)", key="Ctrl+Alt+U", icon="image-upscale", menu="Generate", group="operators",
        tip="Make what the clip shows twice as wide and high, as a new clip over it.",
    ),
    Action(
        id="take.reuse_file", text="Reuse settings from file…", icon="upload", menu="Generate", group="take",
        tip="Read the recipe inside a film or image that was exported here.",
    ),
    Action(id="board.new_panel", text="Add panel", icon="plus", menu="Generate/Storyboard", group="panel", tip="Add an empty panel behind the chosen one."),
    Action(id="board.duplicate", text="Duplicate panel", icon="copy", menu="Generate/Storyboard", group="panel", tip="Put a copy of the chosen panel behind it."),
    Action(id="board.remove", text="Delete panel", icon="trash-2", menu="Generate/Storyboard", group="panel", tip="Take the chosen panel off the board."),
    Action(id="board.go_to", text="Show on timeline", icon="crosshair", menu="Generate/Storyboard", group="panel", tip="Go to the clip that was made from the chosen panel."),
    Action(id="board.draw", text="Draw on panel…", icon="pencil-ruler", menu="Generate/Storyboard", group="picture", tip="Draw boxes, shapes and strokes as the mock-up of the chosen panel."),
    Action(id="board.paste", text="Paste picture", icon="clipboard-paste", menu="Generate/Storyboard", group="picture", tip="Use the picture on the clipboard for the chosen panel."),
    Action(id="board.from_frame", text="Use frame of a clip…", icon="film", menu="Generate/Storyboard", group="picture", tip="Use a frame of a clip as the picture of the chosen panel."),
    Action(id="board.animatic", text="Animatic", icon="square-play", menu="Generate/Storyboard", group="run", tip="Lay the pictures of the board on the timeline at their lengths."),
    Action(id="board.stills", text="Stills of the board", icon="grid-2x2", menu="Generate/Storyboard", group="run", tip="Make one still of every panel to judge the look before the shots are made."),
    Action(id="board.generate", text="Generate board", key="Ctrl+Alt+Return", icon="sparkles", menu="Generate/Storyboard", group="run", tip="Queue the shots of all panels with one look and lay them on the timeline."),
    Action(
        id="queue.pause", text="Pause queue", key="Ctrl+Alt+P", icon="pause", menu="Generate", group="queue",
        tip="Hold running and waiting renders; previews go on.", checkable=True,
    ),
)  # fmt: skip
