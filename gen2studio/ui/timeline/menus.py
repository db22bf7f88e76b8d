"""Menus of the timeline: what a right click or the menu key offers, and the takes of a clip."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup
from PySide6.QtWidgets import QMenu, QWidget

from gen2studio.app import actions_timeline, actions_timeline_edits
from gen2studio.app.timeline_editing import TimelineEditing
from gen2studio.document import edits
from gen2studio.document.clip_composition import set_fades
from gen2studio.document.composition import Transition, TransitionKind
from gen2studio.document.model import Clip, Document, Sequence
from gen2studio.ui import key_tips, theme
from gen2studio.ui.timeline.layout import Hit, Layout, Zone
from gen2studio.ui.timeline.ruler import MARKER_COLOURS
from gen2studio.ui.timeline.shapes import TRANSITION_NAMES

_ROWS = {row.id: row for row in (*actions_timeline.ROWS, *actions_timeline_edits.ROWS)}
SPEEDS = (Fraction(1, 4), Fraction(1, 2), Fraction(1), Fraction(3, 2), Fraction(2), Fraction(4))
GAINS = (12, 6, 3, 0, -3, -6, -12, -24)
"""Decibels."""


def _fresh(parent: QWidget, title: str = "") -> QMenu:
    menu = QMenu(title, parent)
    menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    return menu


def _add(menu: QMenu, action_id: str, handlers: dict[str, Callable[[], object]]) -> QAction:
    """A row of the action table as a menu entry, with its key shown."""
    row = _ROWS[action_id]
    entry = QAction(row.text, menu)
    if keys := key_tips.keys_of(row):
        entry.setText(f"{row.text}\t{keys[0]}")
    if row.icon:
        entry.setIcon(theme.icon(row.icon))
    entry.triggered.connect(lambda _checked=False: handlers[action_id]())
    menu.addAction(entry)
    return entry


def clip_menu(
    parent: QWidget, editing: TimelineEditing, document: Document, clip: Clip, rename: Callable[[], None]
) -> QMenu:
    """For a clip; ``rename`` asks for its name."""
    menu = _fresh(parent)
    menu.setObjectName("timeline_clip_menu")
    handlers = editing.handlers()
    for action_id in ("timeline.razor", "timeline.trim_head", "timeline.trim_tail"):
        _add(menu, action_id, handlers)
    menu.addSeparator()
    for action_id in ("timeline.cut", "timeline.copy", "timeline.paste", "timeline.paste_insert", "timeline.duplicate"):
        _add(menu, action_id, handlers).setEnabled("paste" not in action_id or editing.can_paste)
    menu.addSeparator()
    for action_id in ("timeline.lift", "timeline.ripple_delete"):
        _add(menu, action_id, handlers)
    menu.addSeparator()
    _add(menu, "timeline.unlink" if clip.link else "timeline.link", handlers)
    _add(menu, "timeline.toggle_enabled", handlers).setText(
        f"{'Disable' if clip.enabled else 'Enable'} Clip\t{_ROWS['timeline.toggle_enabled'].key}"
    )
    speeds = menu.addMenu("Speed")
    group = QActionGroup(speeds)
    for speed in SPEEDS:
        entry = speeds.addAction(f"{float(speed) * 100:g} %", lambda s=speed: editing.set_speed(s))
        entry.setCheckable(True)
        entry.setChecked(clip.speed == speed)
        group.addAction(entry)
    speeds.addSeparator()
    turned, frozen = _add(speeds, "timeline.reverse", handlers), _add(speeds, "timeline.freeze", handlers)
    for entry, on in ((turned, clip.reverse), (frozen, clip.freeze)):
        entry.setCheckable(True)
        entry.setChecked(on)
    _add(speeds, "timeline.insert_hold", handlers)
    item = document.media.get(clip.media_id)
    if item is not None and item.info.audio is not None:
        volume = menu.addMenu("Volume")
        group = QActionGroup(volume)
        for gain in GAINS:
            entry = volume.addAction(f"{gain:+d} dB" if gain else "0 dB", lambda g=gain: editing.set_gain(g))
            entry.setCheckable(True)
            entry.setChecked(clip.gain_db == gain)
            group.addAction(entry)
    _add_shapes(menu, editing, document, clip)
    joins = menu.addMenu("Transitions")
    for kind in TransitionKind:
        _add(joins, f"timeline.add_{kind.value}", handlers)
    joins.addSeparator()
    _add(joins, "timeline.remove_transition", handlers)
    attributes = menu.addMenu("Attributes")
    _add(attributes, "timeline.copy_attributes", handlers)
    _add(attributes, "timeline.paste_all_attributes", handlers).setEnabled(editing.clips.can_paste_attributes)
    _add(attributes, "timeline.reset_attributes", handlers)
    menu.addSeparator()
    _add(menu, "timeline.ungroup" if clip.group else "timeline.group", handlers)
    _add(menu, "timeline.nest", handlers)
    if item is not None and item.nested:
        menu.addAction("Open Nested Timeline", lambda: editing.clips.open_nested(clip.id))
        _add(menu, "timeline.unnest", handlers)
    if clip.takes:
        menu.addMenu(take_menu(menu, editing, document, clip))
    menu.addSeparator()
    _add(menu, "timeline.mark_clip", handlers)
    menu.addAction("Rename…", rename)
    return menu


def _add_shapes(menu: QMenu, editing: TimelineEditing, document: Document, clip: Clip) -> None:
    """Fades of the chosen clips."""
    sequence = document.sequence
    if sequence is None:
        return
    second = max(1, round(sequence.rate))
    fades = menu.addMenu("Fades")
    ids = editing.session.selection or frozenset([clip.id])
    for text, label, change in (
        ("Fade In, One Second", "Fade In", {"fade_in": second}),
        ("Fade Out, One Second", "Fade Out", {"fade_out": second}),
        ("Fade In and Out", "Fade In and Out", {"fade_in": second // 2, "fade_out": second // 2}),
        ("No Fades", "Remove Fades", {"fade_in": 0, "fade_out": 0}),
    ):
        entry = fades.addAction(text, lambda n=label, c=change: editing.perform(n, lambda s: set_fades(s, ids, **c)))
        if text == "No Fades":
            entry.setEnabled(bool(clip.fade_in or clip.fade_out))


def transition_menu(
    parent: QWidget, editing: TimelineEditing, document: Document, mix: Transition, options: Callable[[], None]
) -> QMenu:
    """For a transition; ``options`` opens all that can be set."""
    menu = _fresh(parent)
    menu.setObjectName("timeline_transition_menu")
    menu.addAction(theme.icon("sliders-horizontal"), "Options…", options)
    kinds = menu.addMenu("Kind")
    group = QActionGroup(kinds)
    media = document.media
    for kind, name in TRANSITION_NAMES.items():
        entry = kinds.addAction(
            name,
            lambda k=kind: editing.perform(
                "Transition Kind", lambda s: edits.change_transition(s, mix.id, media, kind=k)
            ),
        )
        entry.setCheckable(True)
        entry.setChecked(mix.kind is kind)
        group.addAction(entry)
    menu.addSeparator()
    menu.addAction(
        theme.icon("trash-2"),
        "Remove\tDel",
        lambda: editing.perform("Remove Transition", lambda s: edits.remove_transitions(s, [mix.id])),
    )
    return menu


def cut_menu(parent: QWidget, join: Callable[[TransitionKind], object]) -> QMenu:
    """For a cut between two clips that touch."""
    menu = _fresh(parent)
    menu.setObjectName("timeline_cut_menu")
    for kind, name in TRANSITION_NAMES.items():
        menu.addAction(f"Add {name}", lambda k=kind: join(k))
    return menu


def gap_menu(parent: QWidget, editing: TimelineEditing, layout: Layout, hit: Hit) -> QMenu:
    """For empty room on a track, or beside the tracks."""
    menu = _fresh(parent)
    menu.setObjectName("timeline_gap_menu")
    handlers = editing.handlers()
    if hit.gap is not None and 0 <= hit.row < len(layout.rows):
        track, frame = layout.rows[hit.row].track, hit.gap[0]
        menu.addAction(
            theme.icon("fold-horizontal"), "Ripple Delete Gap", lambda: editing.close_gap(track.id, frame)
        ).setObjectName("ripple_delete_gap")
        menu.addAction("Ripple Delete Gap on All Tracks", lambda: editing.close_gap(track.id, frame, all_tracks=True))
        menu.addSeparator()
    for action_id in ("timeline.paste", "timeline.paste_insert"):
        _add(menu, action_id, handlers).setEnabled(editing.can_paste)
    menu.addSeparator()
    for action_id in ("timeline.add_video_track", "timeline.add_audio_track"):
        _add(menu, action_id, handlers)
    return menu


def take_menu(parent: QWidget, editing: TimelineEditing, document: Document, clip: Clip) -> QMenu:
    """The takes of a clip: choosing one applies it."""
    menu = _fresh(parent, "Takes")
    menu.setObjectName("timeline_take_menu")
    group = QActionGroup(menu)
    source = menu.addAction("Source", lambda: editing.apply_take(clip.id, ""))
    entries = [(source, "")]
    if clip.takes:
        menu.addSeparator()
    for take_id in clip.takes:
        take = document.takes.get(take_id)
        if take is None:
            continue
        stars = " " + "★" * take.rating if take.rating > 0 else " ✕" if take.rating < 0 else ""
        missing = "" if take.complete else f" ({sum(b - a for a, b in take.done)} of {take.stop - take.start} frames)"
        entries.append(
            (menu.addAction(f"{take.name}{stars}{missing}", lambda t=take_id: editing.apply_take(clip.id, t)), take_id)
        )
    for entry, take_id in entries:
        entry.setCheckable(True)
        entry.setChecked(clip.active_take == take_id)
        group.addAction(entry)
        if entry.isChecked():
            menu.setActiveAction(entry)
    return menu


def ruler_menu(
    parent: QWidget,
    editing: TimelineEditing,
    sequence: Sequence,
    marker_id: str,
    frame: int,
    rename: Callable[[], None],
) -> QMenu:
    """For the ruler at ``frame``, or for the marker there; ``rename`` asks for the marker's name."""
    menu = _fresh(parent)
    menu.setObjectName("timeline_ruler_menu")
    marker = next((m for m in sequence.markers if m.id == marker_id), None)
    if marker is not None:
        menu.addAction("Name Marker…", rename)
        colours = menu.addMenu("Colour")
        group = QActionGroup(colours)
        for name, ink in MARKER_COLOURS.items():
            entry = colours.addAction(
                theme.icon("map-pin", ink),
                name.title(),
                lambda n=name: editing.perform("Colour Marker", lambda s: edits.edit_marker(s, marker_id, colour=n)),
            )
            entry.setCheckable(True)
            entry.setChecked(marker.colour == name)
            group.addAction(entry)
        menu.addAction(theme.icon("trash-2"), "Remove Marker", lambda: editing.toggle_marker(marker.frame))
    else:
        menu.addAction(theme.icon("map-pin"), "Add Marker Here", lambda: editing.toggle_marker(frame))
        menu.addSeparator()
        menu.addAction("Set In Here", lambda: editing.set_in(frame))
        menu.addAction("Set Out Here", lambda: editing.set_out(frame + 1))
        _add(menu, "timeline.clear_in_out", editing.handlers()).setEnabled(
            sequence.in_point is not None or sequence.out_point is not None
        )
    if len(sequence.markers) > (marker is not None):
        menu.addSeparator()
        every = [m.id for m in sequence.markers]
        menu.addAction(
            "Remove All Markers",
            lambda: editing.perform("Remove All Markers", lambda s: edits.remove_markers(s, every)),
        )
    return menu


def menu_for(
    parent: QWidget,
    editing: TimelineEditing,
    document: Document,
    layout: Layout,
    hit: Hit,
    rename: Callable[[Clip], None],
    options: Callable[[str], None],
    join: Callable[[str, str, TransitionKind], object],
) -> QMenu:
    """The context menu of what was hit."""
    clip = hit.clip
    if hit.mix is not None:
        mix = hit.mix
        return transition_menu(parent, editing, document, mix, lambda: options(mix.id))
    if hit.zone in (Zone.CUT, Zone.CUT_HANDLE) and clip is not None and hit.neighbour is not None:
        left, right = clip.id, hit.neighbour.id
        return cut_menu(parent, lambda kind: join(left, right, kind))
    if clip is not None and hit.zone is not Zone.GAP:
        return clip_menu(parent, editing, document, clip, lambda: rename(clip))
    return gap_menu(parent, editing, layout, hit)
