"""Commands of the programme view: what the viewer shows, proxies, rendered stretches."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    Action(id="viewer.programme", text="Programme View", tip="Show the composited timeline where there is more than one plain clip; off = always the clip alone.", key="Shift+P", icon="layers", menu="View", group="programme", checkable=True),
    Action(id="viewer.proxies", text="Use Proxies", tip="Play small copies of footage that plays badly. Exports never use them.", key="Alt+P", icon="gauge", menu="Playback", group="render", checkable=True),
    Action(id="render.range", text="Render In to Out", tip="Make every composited frame between in and out ready to play; again to stop.", key="Shift+Return", icon="clapperboard", menu="Playback", group="render"),
    Action(id="render.delete", text="Delete Rendered Frames", tip="Throw away what was rendered for playing; nothing of the project is lost.", icon="trash-2", menu="Playback", group="render"),
    Action(id="proxy.auto", text="Proxy Where Needed", tip="Media of the selected clips get a proxy when they would play badly.", menu="Clip/Proxy", group="proxy"),
    Action(id="proxy.always", text="Always Make a Proxy", tip="Media of the selected clips get a proxy in any case.", menu="Clip/Proxy", group="proxy"),
    Action(id="proxy.never", text="Never Make a Proxy", tip="Media of the selected clips are always played from their own file.", menu="Clip/Proxy", group="proxy"),
)  # fmt: skip
