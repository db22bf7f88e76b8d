"""Commands of storyboards: those of the panel, and those of the window in which panels are drawn."""

from __future__ import annotations

from gen2studio.app.actions import Action

_MENU = "Generate/Storyboard"
_TOOLS = (
    ("pen", "Pen", "B", "pen-tool", "Draw a firm line; pressure makes it wide."),
    ("pencil", "Pencil", "N", "pencil", "Draw a soft line; pressure makes it dark."),
    ("eraser", "Eraser", "E", "eraser", "Rub out; the other end of a pen always does."),
    ("fill", "Fill", "G", "paint-bucket", "Fill a region of like colour."),
    ("line", "Line", "L", "minus", "Draw a straight line; Shift keeps to steps of 15°."),
    ("box", "Box", "R", "square", "Draw a box; Shift makes a square."),
    ("ellipse", "Ellipse", "C", "circle", "Draw an ellipse; Shift makes a circle."),
    (
        "frame",
        "Camera frames",
        "F",
        "crosshair",
        "Draw what the camera sees at the start (A) and at the end (B) of the panel.",
    ),
    ("arrow", "Arrow", "A", "arrow-right", "Draw who moves where; Delete removes the chosen arrow."),
    ("hand", "Hand", "H", "hand", "Move the view; the middle button does so with any tool."),
)

BOARD_ROWS: tuple[Action, ...] = (
    Action(
        id="board.split",
        text="Split panel",
        icon="scissors",
        menu=_MENU,
        group="panel",
        tip="Cut the panel in two where the animatic stands, or in the middle.",
    ),
    Action(
        id="board.merge",
        text="Merge panels",
        icon="fold-horizontal",
        menu=_MENU,
        group="panel",
        tip="Make one panel of the selected neighbours, with all their time and words.",
    ),
    Action(
        id="board.from_clip",
        text="Go to panel of clip",
        icon="corner-down-right",
        menu=_MENU,
        group="panel",
        tip="Show the panel that the clip under the playhead was made from.",
    ),
    Action(
        id="board.play",
        text="Play animatic",
        key="Ctrl+Alt+Space",
        icon="play",
        menu=_MENU,
        group="time",
        tip="Play the storyboard in its panel, with its sound and camera moves.",
    ),
    Action(
        id="board.tap",
        text="Tap: end the panel",
        key="Ctrl+Shift+T",
        icon="timer",
        menu=_MENU,
        group="time",
        tip="While the animatic plays, end the panel that is shown now: time the board by the sound.",
    ),
    Action(
        id="board.view_grid",
        text="Panels as a grid",
        icon="layout-grid",
        menu=_MENU,
        group="view",
        tip="Show the panels as cards.",
    ),
    Action(
        id="board.view_strip",
        text="Panels in time",
        icon="list-video",
        menu=_MENU,
        group="view",
        tip="Show the panels along time, with the animatic beside them.",
    ),
    Action(
        id="board.render_stale",
        text="Render what changed",
        icon="refresh-cw",
        menu=_MENU,
        group="run",
        tip="Queue the shots of new and changed panels, and leave those that are up to date.",
    ),
    Action(
        id="board.import",
        text="Import storyboard…",
        icon="import",
        menu=_MENU,
        group="files",
        tip="Make panels of a folder of images, a PDF, a Storyboarder project or a Fountain script.",
    ),
    Action(
        id="board.export",
        text="Export storyboard…",
        icon="upload",
        menu=_MENU,
        group="files",
        tip="Write the board as PDF pages, pictures, a film with sound or OpenTimelineIO.",
    ),
)

DRAWING_ROWS: tuple[Action, ...] = (
    *(
        Action(id=f"drawing.{name}", text=title, key=key, icon=icon, scope="drawing", tip=tip, checkable=True)
        for name, title, key, icon, tip in _TOOLS
    ),
    Action(
        id="drawing.thinner", text="Thinner", key="[", icon="minus", scope="drawing", tip="Draw with a thinner tip."
    ),
    Action(id="drawing.thicker", text="Thicker", key="]", icon="plus", scope="drawing", tip="Draw with a thicker tip."),
    Action(
        id="drawing.onion_skin",
        text="Onion skin",
        key="O",
        icon="layers-2",
        scope="drawing",
        tip="Let the panel before shine through, or not.",
        checkable=True,
    ),
    Action(
        id="drawing.new_layer",
        text="New layer",
        key="Shift+N",
        icon="layers",
        scope="drawing",
        tip="Add a clear layer above this one.",
    ),
    Action(
        id="drawing.previous",
        text="Previous panel",
        key="PgUp",
        icon="chevron-left",
        scope="drawing",
        tip="Draw on the panel before.",
    ),
    Action(
        id="drawing.next",
        text="Next panel",
        key="PgDown",
        icon="chevron-right",
        scope="drawing",
        tip="Draw on the panel after.",
    ),
    Action(
        id="drawing.new_panel",
        text="New panel",
        key="Ctrl+Return",
        icon="plus",
        scope="drawing",
        tip="Add an empty panel behind this one and draw on it.",
    ),
    Action(
        id="drawing.play",
        text="Play",
        key="Space",
        icon="play",
        scope="drawing",
        tip="Play the animatic from this panel on, or stop it.",
    ),
    Action(
        id="drawing.tap",
        text="Tap",
        key="T",
        icon="timer",
        scope="drawing",
        tip="While the animatic plays, end the panel that is shown now.",
    ),
    Action(id="drawing.fit", text="Fit", key="0", icon="maximize", scope="drawing", tip="Show the whole panel."),
    Action(
        id="drawing.zoom_in", text="Zoom in", key="+", keys=("=",), icon="zoom-in", scope="drawing", tip="Look closer."
    ),
    Action(id="drawing.zoom_out", text="Zoom out", key="-", icon="zoom-out", scope="drawing", tip="Step back."),
    Action(
        id="drawing.close",
        text="Close",
        key="Ctrl+W",
        icon="x",
        scope="drawing",
        tip="Go back to the main window; everything drawn is kept.",
    ),
)
