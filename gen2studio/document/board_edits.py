"""Edits on what panels are made of: time, layers, camera frames, footage, sound and stills. Pure; raise EditRefused."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

from gen2studio.core.errors import EditRefused
from gen2studio.core.ids import new_id
from gen2studio.document import boards
from gen2studio.document.board_camera import camera_of_frames, frame_at
from gen2studio.document.board_values import (
    Arrow,
    CameraFrame,
    MockUp,
    PanelLayer,
    PanelStill,
    SeedPolicy,
    SoundCue,
)
from gen2studio.document.codec_boards import MOST_ARROWS, MOST_LAYERS, MOST_STILLS
from gen2studio.document.look import Camera
from gen2studio.document.model import Board, Document, MediaItem, Panel
from gen2studio.document.shots import LONGEST

# -- time --------------------------------------------------------------------------------------------------------------


def whole_frames(board: Board, seconds: Fraction) -> Fraction:
    """``seconds`` in whole frames of the board, one at least, no longer than a panel may be."""
    frames = max(1, math.floor(seconds * board.rate + Fraction(1, 2)))
    return min(max(Fraction(frames) / board.rate, boards.SHORTEST), LONGEST)


def starts(board: Board) -> tuple[Fraction, ...]:
    """Second of the board at which each panel begins, and the board's end."""
    found = [Fraction(0)]
    for panel in board.panels:
        found.append(found[-1] + panel.seconds)
    return tuple(found)


def panel_at(board: Board, second: Fraction) -> tuple[int, Fraction]:
    """(place, seconds into it) of the panel shown at ``second``; the last one beyond the end. Needs a panel."""
    at = Fraction(0)
    for place, panel in enumerate(board.panels):
        if second < at + panel.seconds or place == len(board.panels) - 1:
            return place, min(max(second - at, Fraction(0)), panel.seconds)
        at += panel.seconds
    raise EditRefused("There is no panel yet.", "Add one to the storyboard first.")


def set_times(
    document: Document,
    board_id: str,
    times: Mapping[str, Fraction],
    tapped: Mapping[str, Fraction] | None = None,
) -> Document:
    """Give panels (by id) their seconds, in whole frames; ``tapped``: the second of the board each was ended at."""
    board = boards.board_of(document, board_id)
    taps = tapped or {}
    for panel_id, seconds in times.items():
        boards.panel_of(board, panel_id)
        document = boards.set_panel(
            document, board_id, panel_id, seconds=whole_frames(board, seconds), tapped=taps.get(panel_id)
        )
    return document


def split_panel(document: Document, board_id: str, panel_id: str, after: Fraction) -> Document:
    """Two panels in place of one, cut ``after`` seconds: footage and camera go on where they were.

    The words stay with both, the dialogue and its sound with the first, the clip with the first.
    """
    board = boards.board_of(document, board_id)
    panel = boards.panel_of(board, panel_id)
    cut = whole_frames(board, after)
    if cut >= panel.seconds or panel.seconds - cut < boards.SHORTEST:
        raise EditRefused("The panel is too short to be split there.", "Split it further from its ends.")
    frames = panel.frames
    middle = frame_at(frames, float(cut / panel.seconds)) if frames else None
    mock_up = panel.mock_up
    first = replace(
        panel,
        seconds=cut,
        tapped=None,
        frames=(frames[0], middle) if middle else (),
        mock_up=mock_up and replace(mock_up, stop=min(mock_up.stop, mock_up.start + cut)),
    )
    second = replace(
        boards.copy_of(panel),
        seconds=panel.seconds - cut,
        dialogue="",
        sound=None,
        frames=(middle, frames[-1]) if middle else (),
        mock_up=mock_up and replace(mock_up, start=mock_up.start + cut) if _reaches(mock_up, cut) else None,
    )
    if frames:
        aspect = board.width / board.height
        first = replace(first, camera=camera_of_frames(first.frames, aspect, panel.camera))
        second = replace(second, camera=camera_of_frames(second.frames, aspect, panel.camera))
    document = boards.change_panel(document, board_id, panel_id, lambda _old: first)
    place = next(i for i, p in enumerate(board.panels) if p.id == panel_id)
    return boards.add_panel(document, board_id, second, place + 1)


def merge_panels(document: Document, board_id: str, panel_ids: Collection[str]) -> Document:
    """One panel in place of neighbours: the first one's picture and clip, all their time and words."""
    board = boards.board_of(document, board_id)
    places = [i for i, panel in enumerate(board.panels) if panel.id in panel_ids]
    if len(places) < 2:
        raise EditRefused("Merging needs two panels or more.", "Select neighbouring panels.")
    if places != list(range(places[0], places[-1] + 1)):
        raise EditRefused("Only panels that stand side by side can be merged.", "Select neighbouring panels.")
    parts = [board.panels[i] for i in places]
    seconds = sum((p.seconds for p in parts), Fraction(0))
    if seconds > LONGEST:
        raise EditRefused(f"Together they last longer than {int(LONGEST)} seconds.", "Merge fewer panels.")

    def joined(texts: list[str], between: str) -> str:
        return between.join(dict.fromkeys(text.strip() for text in texts if text.strip()))

    first, last = parts[0], parts[-1]
    frames = (first.frames[0], last.frames[-1]) if first.frames and last.frames else first.frames
    whole = replace(
        first,
        seconds=seconds,
        tapped=last.tapped,
        prompt=joined([p.prompt for p in parts], ", "),
        action=joined([p.action for p in parts], "\n"),
        dialogue=joined([p.dialogue for p in parts], "\n"),
        notes=joined([p.notes for p in parts], "\n"),
        frames=frames,
        camera=camera_of_frames(frames, board.width / board.height, first.camera),
        sound=next((p.sound for p in parts if p.sound is not None), None),
    )
    document = boards.change_panel(document, board_id, first.id, lambda _old: whole)
    return boards.remove_panels(document, board_id, {p.id for p in parts[1:]})


def insert_panels(document: Document, board_id: str, panels: Sequence[Panel], at: int | None = None) -> Document:
    """Add several panels before position ``at`` (None = last), in their order."""
    place = len(boards.board_of(document, board_id).panels) if at is None else at
    for offset, panel in enumerate(panels):
        document = boards.add_panel(document, board_id, panel, place + offset)
    return document


def _reaches(mock_up: MockUp | None, cut: Fraction) -> bool:
    return mock_up is not None and mock_up.start + cut < mock_up.stop


# -- layers ------------------------------------------------------------------------------------------------------------


def set_layers(
    document: Document, board_id: str, panel_id: str, layers: tuple[PanelLayer, ...], picture: str
) -> Document:
    """What was drawn on a panel, and the digest of what it makes together."""
    if len(layers) > MOST_LAYERS:
        raise EditRefused(f"A panel holds up to {MOST_LAYERS} layers.", "Delete one first.")
    if len({layer.id for layer in layers}) != len(layers):
        raise EditRefused("That layer is already on the panel.", "Duplicate it instead.")
    return boards.change_panel(
        document, board_id, panel_id, lambda panel: replace(panel, layers=layers, picture=picture)
    )


def new_layer(panel: Panel, name: str = "", picture: str = "") -> PanelLayer:
    """A fresh layer with a name that no other one of the panel has."""
    taken = {layer.name for layer in panel.layers}
    fresh = next(n for i in range(1, len(taken) + 2) if (n := f"Layer {i}") not in taken)
    return PanelLayer(id=new_id("layer"), name=name or fresh, picture=picture)


def layer_of(panel: Panel, layer_id: str) -> PanelLayer:
    """The layer with this id. Raises EditRefused."""
    found = next((layer for layer in panel.layers if layer.id == layer_id), None)
    if found is None:
        raise EditRefused("That layer is no longer on the panel.", "Choose another one.")
    return found


def with_layer(panel: Panel, layer: PanelLayer, above: str = "") -> tuple[PanelLayer, ...]:
    """The panel's layers with one more, above another one (empty = on top)."""
    if not above:
        return (*panel.layers, layer)
    place = panel.layers.index(layer_of(panel, above)) + 1
    return (*panel.layers[:place], layer, *panel.layers[place:])


def changed_layer(panel: Panel, layer_id: str, **changes: Any) -> tuple[PanelLayer, ...]:
    """The panel's layers with one changed (name, picture, visible, opacity, blend)."""
    layer_of(panel, layer_id)
    if not 0 <= changes.get("opacity", 0) <= 1:
        raise EditRefused("Opacity goes from 0 to 100 %.", "Choose a value in between.")
    return tuple(replace(layer, **changes) if layer.id == layer_id else layer for layer in panel.layers)


def without_layer(panel: Panel, layer_id: str) -> tuple[PanelLayer, ...]:
    """The panel's layers without one of them."""
    layer_of(panel, layer_id)
    return tuple(layer for layer in panel.layers if layer.id != layer_id)


def moved_layer(panel: Panel, layer_id: str, steps: int) -> tuple[PanelLayer, ...]:
    """The panel's layers with one moved up (+) or down (−)."""
    layer = layer_of(panel, layer_id)
    rest = [other for other in panel.layers if other.id != layer_id]
    place = min(max(0, panel.layers.index(layer) + steps), len(rest))
    return (*rest[:place], layer, *rest[place:])


# -- camera, footage, sound, stills ------------------------------------------------------------------------------------


def set_frames(document: Document, board_id: str, panel_id: str, frames: tuple[CameraFrame, ...]) -> Document:
    """Where the camera starts and ends (two frames, or none); the camera control follows."""
    if len(frames) not in (0, 2):
        raise EditRefused("A camera move has a start and an end.", "Draw both frames.")
    for frame in frames:
        if not (0.05 <= frame.width <= 2 and -1 <= frame.x <= 2 and -1 <= frame.y <= 2 and abs(frame.angle) <= 180):
            raise EditRefused("That camera frame lies too far outside the picture.", "Draw it nearer.")
    board = boards.board_of(document, board_id)
    aspect = board.width / board.height

    def change(panel: Panel) -> Panel:
        before = replace(panel.camera, pan=0.0, tilt=0.0, zoom=0.0, roll=0.0)
        return replace(panel, frames=frames, camera=camera_of_frames(frames, aspect, before))

    return boards.change_panel(document, board_id, panel_id, change)


def set_camera(document: Document, board_id: str, panel_id: str, camera: Camera) -> Document:
    """The camera by its axes. Drawn frames that say otherwise go."""
    board = boards.board_of(document, board_id)

    def change(panel: Panel) -> Panel:
        drawn = camera_of_frames(panel.frames, board.width / board.height, camera)
        return replace(panel, camera=camera, frames=panel.frames if drawn == camera else ())

    return boards.change_panel(document, board_id, panel_id, change)


def set_arrows(document: Document, board_id: str, panel_id: str, arrows: tuple[Arrow, ...]) -> Document:
    if len(arrows) > MOST_ARROWS:
        raise EditRefused(f"A panel holds up to {MOST_ARROWS} arrows.", "Delete one first.")
    return boards.change_panel(document, board_id, panel_id, lambda panel: replace(panel, arrows=arrows))


def set_mock_up(
    document: Document, board_id: str, panel_id: str, mock_up: MockUp | None, *, fit: bool = False
) -> Document:
    """Footage that stands for the panel; ``fit``: the panel becomes as long as the range. Raises EditRefused."""
    if mock_up is not None:
        item = _media(document, mock_up.media_id)
        if not item.info.width:
            raise EditRefused(f"“{item.name}” has no picture.", "Choose a film or an image.")
        if not 0 <= mock_up.start < mock_up.stop:
            raise EditRefused("The range of the footage is empty.", "Choose an end after its start.")
    document = boards.change_panel(document, board_id, panel_id, lambda panel: replace(panel, mock_up=mock_up))
    if mock_up is not None and fit:
        return set_times(document, board_id, {panel_id: min(mock_up.stop - mock_up.start, LONGEST)})
    return document


def set_sound(document: Document, board_id: str, panel_id: str, sound: SoundCue | None) -> Document:
    """Dialogue of a panel, or with an empty ``panel_id`` the sound under the whole board."""
    if sound is not None:
        item = _media(document, sound.media_id)
        if item.info.audio is None:
            raise EditRefused(f"“{item.name}” has no sound.", "Choose a file with sound.")
        if not (sound.start >= 0 and -60 <= sound.gain_db <= 24):
            raise EditRefused("Sound is played from −60 to +24 dB.", "Choose a level in between.")
    if not panel_id:
        return boards.change_board(document, board_id, sound=sound)
    return boards.change_panel(document, board_id, panel_id, lambda panel: replace(panel, sound=sound))


def add_still(document: Document, board_id: str, panel_id: str, still: PanelStill) -> Document:
    """A still that was made of the panel; the oldest go when there are too many."""

    def change(panel: Panel) -> Panel:
        kept = tuple(s for s in panel.stills if s.picture != still.picture)
        chosen = tuple(s for s in kept if s.picture == panel.guide)
        others = tuple(s for s in kept if s.picture != panel.guide)[-(MOST_STILLS - 2) :]
        return replace(panel, stills=(*chosen, *others, still))

    return boards.change_panel(document, board_id, panel_id, change)


def choose_still(document: Document, board_id: str, panel_id: str, picture: str) -> Document:
    """Make a still the guide of the panel's shot (empty = none): it begins with it, and has its seed."""
    panel = boards.panel_of(boards.board_of(document, board_id), panel_id)
    if picture and all(still.picture != picture for still in panel.stills):
        raise EditRefused("That still is no longer on the panel.", "Make stills again.")
    return boards.change_panel(document, board_id, panel_id, lambda panel: replace(panel, guide=picture))


def clear_stills(document: Document, board_id: str, panel_id: str) -> Document:
    """Forget the stills but the chosen one: others are about to be made."""
    return boards.change_panel(
        document,
        board_id,
        panel_id,
        lambda panel: replace(panel, stills=tuple(s for s in panel.stills if s.picture == panel.guide)),
    )


def set_seeds(document: Document, board_id: str, policy: SeedPolicy) -> Document:
    """Where the seeds of the panels come from."""
    return boards.change_board(document, board_id, seeds=policy)


def _media(document: Document, media_id: str) -> MediaItem:
    found = document.media.get(media_id)
    if found is None:
        raise EditRefused("That file is no longer in the project.", "Choose another one.")
    return found
