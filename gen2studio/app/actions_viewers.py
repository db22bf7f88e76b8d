"""The rows of the action table for the source viewer, matching frames, trim mode, key maps and going between panels."""

# One row, one line: the table is read across, so lines may be long here.
# ruff: noqa: E501
from __future__ import annotations

from gen2studio.app.actions import Action

ROWS: tuple[Action, ...] = (
    # -- source viewer -------------------------------------------------------------------------------------------------
    Action(id="source.insert", text="Insert from Source", tip="Put the marked source in at the playhead or In; what follows moves right.", key="Ctrl+F9", icon="between-horizontal-start", menu="Clip/Source", group="lay"),
    Action(id="source.overwrite", text="Overwrite from Source", tip="Put the marked source over what is there: three of the marks on both sides say where.", key="Ctrl+F10", icon="replace", menu="Clip/Source", group="lay"),
    Action(id="source.append", text="Append from Source", tip="Put the marked source behind the last clip.", key="Ctrl+F12", icon="list-plus", menu="Clip/Source", group="lay"),
    Action(id="source.fit_to_fill", text="Fit to Fill", tip="Fill In to Out of the timeline with In to Out of the source, at the speed that takes.", key="Ctrl+F11", icon="move-horizontal", menu="Clip/Source", group="lay"),
    Action(id="source.mark_all", text="Mark Whole Source", tip="Set In and Out of the source to its start and end.", key="X", menu="Clip/Source", group="mark", scope="source"),
    Action(id="source.show_clip", text="Show Clip in Source", tip="Open the clip at the playhead in the source viewer, marked as it is used.", key="Alt+F", icon="monitor", menu="Clip/Source", group="match"),
    Action(id="source.match_frame", text="Match Frame", tip="Show in the source viewer what the timeline shows: the same file at the same frame.", key="F", icon="crosshair", menu="Clip/Source", group="match"),
    Action(id="source.reverse_match", text="Reverse Match Frame", tip="Go to the source's frame on the timeline; again, to the next clip that shows it.", key="Shift+F", icon="refresh-cw", menu="Clip/Source", group="match"),
    Action(id="source.to_source", text="Source Viewer", tip="Give the keys to the source viewer.", key="Shift+3", keys=("#",), icon="film", menu="View/Viewers", group="viewers"),
    Action(id="source.to_programme", text="Programme Viewer", tip="Give the keys to the programme viewer.", key="Shift+4", keys=("$",), icon="monitor", menu="View/Viewers", group="viewers"),
    Action(id="source.split", text="Source and Programme Side by Side", tip="Show both viewers next to each other, or one behind the other.", key="Ctrl+Alt+1", icon="columns-2", menu="View/Viewers", group="viewers", checkable=True),
    # -- trim mode -----------------------------------------------------------------------------------------------------
    Action(id="trim.mode", text="Trim Mode", tip="Take the cut nearest to the playhead in hand: arrows trim, J-K-L trims to where it stops, Esc puts it down.", key="T", icon="unfold-horizontal", menu="Clip/Trim", group="mode", scope="timeline"),
    Action(id="trim.side", text="Change Side", tip="In trim mode: trim the outgoing clip, roll the cut, or trim the incoming clip.", key="U", menu="Clip/Trim", group="mode", scope="timeline"),
    Action(id="trim.ripple", text="Ripple or Leave Gap", tip="In trim mode: move what follows along, or leave a gap.", key="Shift+U", menu="Clip/Trim", group="mode", scope="timeline"),
    Action(id="trim.back", text="Trim One Frame Back", tip="Move the cut one frame earlier.", key=",", menu="Clip/Trim", group="step", scope="timeline"),
    Action(id="trim.forward", text="Trim One Frame Forward", tip="Move the cut one frame later.", key=".", menu="Clip/Trim", group="step", scope="timeline"),
    Action(id="trim.back_few", text="Trim Five Frames Back", tip="Move the cut five frames earlier.", key="Shift+,", keys=("<",), menu="Clip/Trim", group="step", scope="timeline"),
    Action(id="trim.forward_few", text="Trim Five Frames Forward", tip="Move the cut five frames later.", key="Shift+.", keys=(">",), menu="Clip/Trim", group="step", scope="timeline"),
    Action(id="trim.back_many", text="Trim Ten Frames Back", tip="Move the cut ten frames earlier.", key="Alt+,", menu="Clip/Trim", group="step", scope="timeline"),
    Action(id="trim.forward_many", text="Trim Ten Frames Forward", tip="Move the cut ten frames later.", key="Alt+.", menu="Clip/Trim", group="step", scope="timeline"),
    Action(id="trim.play_around", text="Play Around", tip="Play two seconds before and after the cut in hand over and over, or once around the playhead.", key="/", icon="refresh-cw", menu="Playback", group="shuttle"),
    Action(id="playback.loop", text="Loop", tip="Play from In to Out over and over, or the whole timeline.", key="Shift+L", icon="refresh-cw", menu="Playback", group="shuttle", checkable=True),
    Action(id="playback.in_to_out", text="Play In to Out", tip="Play the marked range once.", key="Ctrl+Shift+Space", icon="square-play", menu="Playback", group="shuttle"),
    # -- keys and panels -----------------------------------------------------------------------------------------------
    Action(id="keys.edit", text="Edit Keys…", tip="Choose a key map, give commands other keys, print the map.", key="Ctrl+Alt+K", icon="keyboard", menu="Edit", group="keys"),
    Action(id="panel.next", text="Next Panel", tip="Give the keyboard to the next panel.", key="Ctrl+F6", menu="View", group="panels"),
    Action(id="panel.previous", text="Previous Panel", tip="Give the keyboard to the panel before.", key="Ctrl+Shift+F6", menu="View", group="panels"),
)  # fmt: skip
"""Bound by :meth:`SourceEdits.handlers`, :meth:`TrimMode.handlers` and :mod:`gen2studio.ui.window_viewers`."""
