"""Commands of generative clips: stale spans, takes inside a clip, gaps, looks between clips."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501

from __future__ import annotations

from gen2studio.app.actions import Action

_TAKES = "Clip/Takes"

ROWS: tuple[Action, ...] = (
    Action(
        id="take.renew",
        text="Re-generate stale spans",
        key="Ctrl+Alt+R",
        icon="refresh-cw",
        menu="Generate",
        group="run",
        tip="Make only the frames of this clip that its look, keys or masks have changed; the others are kept.",
    ),
    Action(
        id="take.renew_all",
        text="Re-generate all stale spans",
        key="Ctrl+Alt+Shift+R",
        menu="Generate",
        group="run",
        tip="Make the stale frames of every clip of this timeline anew.",
    ),
    Action(
        id="gap.fill",
        text="Generate in gap…",
        key="Ctrl+Alt+G",
        icon="square-dashed",
        menu="Generate",
        group="run",
        tip="Make a shot exactly as long as the gap at the playhead, or as the range from In to Out, joined to its neighbours.",
    ),
    Action(
        id="take.pin",
        text="Pin take",
        key="Ctrl+Alt+B",
        icon="pin",
        menu=_TAKES,
        group="choose",
        tip="Keep the chosen take: pinned takes come first and are never deleted as unused. Again lets it go.",
    ),
    Action(
        id="take.rename",
        text="Rename take…",
        icon="type",
        menu=_TAKES,
        group="choose",
        tip="Give the chosen take a name.",
    ),
    Action(
        id="take.compare",
        text="Compare with take before",
        key="Ctrl+Alt+W",
        icon="square-split-horizontal",
        menu=_TAKES,
        group="choose",
        tip="Wipe between the chosen take and the one before it in the list.",
    ),
    Action(
        id="take.promote",
        text="Take as clip above",
        key="Ctrl+Alt+T",
        icon="copy-plus",
        menu=_TAKES,
        group="choose",
        tip="Lay the chosen take over its clip as a clip of its own, on a track above.",
    ),
    *(
        Action(
            id=f"take.rate_{stars}",
            text=f"Rate {stars} of 5",
            key=str(stars),
            menu=f"{_TAKES}/Rating",
            group="stars",
            scope="takes",
            tip=f"Give the chosen take {stars} of 5 stars.",
        )
        for stars in range(1, 6)
    ),
    Action(
        id="take.unrate",
        text="No rating",
        key="0",
        menu=f"{_TAKES}/Rating",
        group="none",
        scope="takes",
        tip="Take the rating off the chosen take.",
    ),
    Action(
        id="take.reject",
        text="Reject",
        key="X",
        icon="thumbs-down",
        menu=f"{_TAKES}/Rating",
        group="none",
        scope="takes",
        tip="Mark the chosen take as rejected.",
    ),
    Action(
        id="look.copy",
        text="Copy look",
        key="Ctrl+Alt+Shift+C",
        icon="copy",
        menu="Clip/Look",
        group="copy",
        tip="Remember the look of the clip: style, prompt, sliders and their keys.",
    ),
    Action(
        id="look.paste",
        text="Paste look",
        key="Ctrl+Alt+Shift+V",
        icon="clipboard-paste",
        menu="Clip/Look",
        group="copy",
        tip="Give the selected clips the copied look; what belongs to other footage stays behind.",
    ),
    Action(
        id="look.paste_prompt",
        text="Paste prompt only",
        icon="clipboard-paste",
        menu="Clip/Look",
        group="copy",
        tip="Give the selected clips the words of the copied look and nothing else.",
    ),
    Action(
        id="look.replace_source",
        text="Replace source under look",
        icon="replace",
        menu="Clip/Look",
        group="source",
        tip="Put the media chosen in the pool under the clip: its look, attributes and place stay. Or drop media on it with Alt.",
    ),
)
"""Bound by :func:`gen2studio.ui.window_takes.handlers`."""
