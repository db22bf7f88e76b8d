"""Drawing on one panel of a storyboard: tools, layers, what shines through, one undo step a stroke. No widgets.

A stroke works on a copy of its layer; finished pixels never change, so the thread that stores them and the screen may
read them at the same time. The document holds digests: undo brings older ones back, whose pixels are mostly still in
memory.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QObject, Signal

from gen2studio.app.drawing_tools import INKING, LABELS, DrawingSettings, Tool
from gen2studio.app.panel_pictures import PanelPictures, canvas_size
from gen2studio.core.errors import EditRefused, sentence_of
from gen2studio.core.geometry import Rect
from gen2studio.core.records import dataclass
from gen2studio.document import board_edits, boards
from gen2studio.document.board_values import LayerBlend, PanelLayer
from gen2studio.document.model import Board, Document, Panel

if TYPE_CHECKING:
    from gen2studio.app.storyboards import Storyboards
    from gen2studio.raster.brush import Stroke
    from gen2studio.raster.drawing import Colour, Pixels, Sheet

_EMPTY = Rect(0, 0, 0, 0)
_BEFORE, _AFTER = (214, 60, 52), (38, 138, 92)
"""Inks of the panels before and after in the onion skin."""


class PanelDrawing(QObject):
    """The panel being drawn on. Lives on the UI thread; pixels are read and stored on one of its own."""

    panel_changed = Signal(object)
    """Panel | None: another one is drawn on, or its layers changed."""
    painted = Signal(object)
    """Rect of canvas pixels that look different now."""
    settings_changed = Signal(object)
    layer_changed = Signal(str)
    """Id of the layer that is drawn on."""

    _loaded = Signal(int, object, object, str)
    _stored = Signal(int, object, str)

    def __init__(
        self,
        storyboards: Storyboards,
        pictures: PanelPictures,
        add_blob: Callable[[bytes], str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._boards = storyboards
        self._session = storyboards.session
        self._pictures = pictures
        self._add_blob = add_blob
        self.settings = DrawingSettings()
        self.size = (0, 0)
        """(width, height) of the canvas; (0, 0) while no panel is open."""
        self.shown: Pixels | None = None
        """(H, W, 4) what the screen shows, blue first, the last channel 255."""
        self._panel_id = ""
        self._layer_id = ""
        self._layers: dict[str, tuple[str, Pixels]] = {}
        """Layer id → (digest or empty, pixels): what is on the screen."""
        self._ground: Pixels | None = None
        self._skin: Pixels | None = None
        self._round = 0
        self._epoch = 0
        self._writing = 0
        self._pending: dict[str, int] = {}
        """Layer id → strokes on it that are not in the document yet."""
        self._wanted: object = None
        self._shown_key: object = None
        self._late = False
        """The screen was behind the document when the stroke began."""
        self._step = ""
        self._steps = 0
        self._given = ""
        self._stroke: Stroke | None = None
        self._before: Pixels | None = None
        self._mask: Pixels | None = None
        self._start = (0.0, 0.0)
        self._erasing = False
        self._dirty = _EMPTY
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="drawing")
        self._loaded.connect(self._on_loaded)
        self._stored.connect(self._on_stored)
        self._session.store.changed.connect(self._on_changed)
        self._session.store.replaced.connect(self._on_replaced)

    def shutdown(self) -> None:
        """Store what was drawn last and end the thread."""
        self._pool.shutdown(wait=True)

    # -- which panel --------------------------------------------------------------------------------------------------

    @property
    def board(self) -> Board | None:
        for board in self._session.document.boards.values():
            if any(panel.id == self._panel_id for panel in board.panels):
                return board
        return None

    @property
    def panel(self) -> Panel | None:
        board = self.board
        return boards.panel_of(board, self._panel_id) if board is not None else None

    @property
    def layer_id(self) -> str:
        """The layer that is drawn on; empty while the panel has none (the first stroke makes one)."""
        return self._layer_id

    @property
    def busy(self) -> bool:
        """Something drawn is not in the document yet, or a panel is being read."""
        return self._writing > 0 or self._wanted is not None

    def open(self, panel_id: str) -> None:
        """Draw on another panel."""
        if panel_id != self._panel_id:
            self.cancel()
            self._panel_id, self._layer_id = panel_id, ""
            # Strokes under way are still in memory under their layer's id, should this panel come back.
            self._layers = {key: layer for key, layer in self._layers.items() if key in self._pending}
            self._shown_key = None
        self._follow()

    def close(self) -> None:
        self.cancel()
        self._panel_id = self._layer_id = ""
        self._layers = {}
        self.shown, self.size, self._wanted, self._shown_key = None, (0, 0), None, None
        self._round += 1
        self.panel_changed.emit(None)

    def choose_layer(self, layer_id: str) -> None:
        if layer_id != self._layer_id:
            self._layer_id = layer_id
            self.layer_changed.emit(layer_id)

    def set(self, **changes: object) -> None:
        """Change settings: tool, colour, width, opacity, solid, tolerance, onion, onion_next."""
        new = replace(self.settings, **changes)  # pyright: ignore[reportArgumentType]
        if new == self.settings:
            return
        skin = (new.onion, new.onion_next) != (self.settings.onion, self.settings.onion_next)
        self.settings = new
        self.settings_changed.emit(new)
        if skin:
            self._follow()

    # -- reading ------------------------------------------------------------------------------------------------------

    def _on_replaced(self, _document: Document) -> None:
        self._epoch += 1
        self._writing = 0
        self._pending.clear()
        self._pictures.clear()
        self.close()

    def _on_changed(self, old: Document, new: Document) -> None:
        if self._panel_id and old.boards is not new.boards:
            self._follow()

    def _follow(self) -> None:
        """Show the panel as the document has it; what was drawn and is not stored yet counts."""
        board, panel = self.board, self.panel
        if board is None or panel is None:
            if self._panel_id:
                self.close()
            return
        self._keep_layer()
        self.panel_changed.emit(panel)
        if self._stroke is not None:
            return  # the end of the stroke asks again
        wish = self._wish(board, panel)
        key = wish.key()
        if key == self._shown_key:
            self._wanted = None
        elif key != self._wanted:
            self._round += 1
            self._wanted = key
            self._pool.submit(self._read, self._round, wish)

    def _wish(self, board: Board, panel: Panel) -> _Wish:
        place = board.panels.index(panel)
        settings = self.settings
        before = board.panels[place - 1].picture if place and settings.onion else ""
        after = board.panels[place + 1].picture if place + 1 < len(board.panels) and settings.onion_next else ""
        layers = panel.layers or ((_base(panel),) if panel.picture else ())
        live = {
            layer.id: found[1]
            for layer in layers
            if (found := self._layers.get(layer.id)) is not None
            and (layer.id in self._pending or found[0] == layer.picture)
        }
        return _Wish(
            canvas_size(board), layers, live, panel.reference, panel.reference_opacity,
            ((before, _BEFORE, settings.onion), (after, _AFTER, settings.onion_next)),
        )  # fmt: skip

    def _keep_layer(self) -> None:
        panel = self.panel
        ids = [layer.id for layer in panel.layers] if panel is not None else []
        if self._layer_id not in ids:
            self.choose_layer(ids[-1] if ids else "")

    def _read(self, number: int, wish: _Wish) -> None:
        from gen2studio.raster import drawing

        size, sentence = wish.size, ""
        ground = drawing.paper(*size)
        skin: Pixels | None = None
        found: dict[str, tuple[str, Pixels]] = {}
        try:
            for layer in wish.layers:
                pixels = wish.live.get(layer.id)
                if pixels is None:
                    made = self._pictures.get(layer.picture, size) if layer.picture else drawing.empty_layer(*size)
                    pixels = made
                found[layer.id] = layer.picture, pixels
            if wish.reference:
                ground = drawing.laid(ground, [drawing.Sheet(self._pictures.get(wish.reference, size), wish.strength)])
            for digest, tint, strength in wish.skins:
                if digest:
                    other = drawing.laid(drawing.paper(*size), [drawing.Sheet(self._pictures.get(digest, size))])
                    part = drawing.onion(other, tint, strength)
                    skin = part if skin is None else _product(skin, part)
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        shown = np.full((size[1], size[0], 4), 255, np.uint8)
        picture = drawing.laid(ground, _sheets(wish.layers, found))
        shown[..., :3] = picture if skin is None else _product(picture, skin)
        self._loaded.emit(number, wish, (ground, skin, found, shown), sentence)

    def _on_loaded(self, number: int, wish: object, parts: object, sentence: str) -> None:
        assert isinstance(wish, _Wish) and isinstance(parts, tuple)
        if number != self._round or self._stroke is not None:
            return
        self._wanted = None
        if sentence:
            self._session.tell(sentence, "error")
        self.size = wish.size
        self._ground, self._skin, found, self.shown = parts
        for layer_id, layer in found.items():
            if layer_id not in self._pending:
                self._layers[layer_id] = layer
        self._layers = {layer_id: self._layers[layer_id] for layer_id in found}
        self._remember_shown()
        self.painted.emit(Rect(0, 0, *self.size))
        self.panel_changed.emit(self.panel)

    def _remember_shown(self) -> None:
        board, panel = self.board, self.panel
        self._shown_key = self._wish(board, panel).key() if board is not None and panel is not None else None

    # -- showing ------------------------------------------------------------------------------------------------------

    def _live_sheets(self) -> list[Sheet]:
        panel = self.panel
        if panel is None:
            return []
        return _sheets(panel.layers or ((_base(panel),) if panel.picture else ()), self._layers)

    def _show(self, area: Rect) -> None:
        """Work out a rectangle of the screen again."""
        from gen2studio.raster import drawing

        if self._ground is None or self.shown is None or area.empty:
            return
        window = np.s_[area.y : area.bottom, area.x : area.right]
        picture = drawing.laid(self._ground, self._live_sheets(), window)
        if self._skin is not None:
            picture = _product(picture, self._skin[window])
        self.shown[window][..., :3] = picture
        self.painted.emit(area)

    def colour_at(self, x: float, y: float) -> Colour | None:
        """The colour on the screen at a canvas position."""
        if self.shown is None or not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            return None
        blue, green, red = (int(v) for v in self.shown[int(y), int(x), :3])
        return red, green, blue

    # -- strokes ------------------------------------------------------------------------------------------------------

    def press(self, x: float, y: float, pressure: float = 1.0, *, erase: bool = False) -> None:
        """Begin at a canvas position; ``erase``: the other end of the pen, whatever the tool."""
        from gen2studio.raster.brush import Brush, Stroke

        tool = self.settings.tool
        if self.shown is None or self._stroke is not None or tool not in INKING or self._panel_id == "":
            return
        layer_id = self._ready_layer(LABELS.get(tool, "Draw"))
        if not layer_id:
            return
        # A picture that is being worked out would be older than this stroke.
        self._late, self._wanted = self._wanted is not None, None
        self._round += 1
        self._erasing = erase or tool is Tool.ERASER
        if tool is Tool.FILL and not erase:
            self._fill(layer_id, x, y)
            return
        self._given, self._before = self._layers[layer_id]
        self._layers[layer_id] = "", self._before.copy()
        self._mask = np.zeros(self.size[::-1], np.uint8)
        soft = tool is Tool.PENCIL and not erase
        freehand = erase or tool in (Tool.PEN, Tool.PENCIL, Tool.ERASER)
        brush = Brush(
            radius=max(0.5, self.settings.width / 2),
            hardness=0.35 if soft else 1.0,
            opacity=self.settings.opacity * (0.7 if soft else 1.0),
            pressure_size=freehand and not soft,
            pressure_opacity=soft,
            spacing=0.08,
        )
        self._stroke = Stroke(self._mask, brush)
        self._start = x, y
        self._dirty = _EMPTY
        if freehand:
            self._lay(self._stroke.press(x, y, pressure))

    def move(self, x: float, y: float, pressure: float = 1.0, *, square: bool = False) -> None:
        """Go on to a canvas position; ``square``: boxes are squares and lines run in steps of 15°."""
        from gen2studio.raster import drawing
        from gen2studio.raster.brush import Stroke

        stroke, mask = self._stroke, self._mask
        if stroke is None or mask is None:
            return
        tool = self.settings.tool
        if self._erasing or tool in (Tool.PEN, Tool.PENCIL):
            self._lay(stroke.move(x, y, pressure))
            return
        x, y = _squared(self._start, (x, y), tool) if square else (x, y)
        mask[:] = 0
        before = self._dirty
        x0, y0 = self._start
        points = (
            [(x0, y0), (x, y)] if tool is Tool.LINE
            else drawing.box_points(x0, y0, x, y) if tool is Tool.BOX
            else drawing.ellipse_points(x0, y0, x, y)
        )  # fmt: skip
        if tool is not Tool.LINE and self.settings.solid:
            mask[:] = np.minimum(drawing.filled(points, self.size), round(255 * self.settings.opacity))
            area = _bounds(points, 2).intersected(Rect(0, 0, *self.size))
        else:
            outline = Stroke(mask, replace(stroke.brush, pressure_size=False))
            area = outline.press(*points[0])
            for point in points[1:]:
                area = area.united(outline.move(*point))
            area = area.united(outline.finish())
        self._dirty = _EMPTY
        self._lay(area, also=before)

    def release(self) -> None:
        """End the stroke: one undo step."""
        stroke = self._stroke
        if stroke is None:
            return
        if self._erasing or self.settings.tool in (Tool.PEN, Tool.PENCIL):
            self._lay(stroke.finish())
        changed = not self._dirty.empty
        label = "Erase" if self._erasing else LABELS.get(self.settings.tool, "Draw")
        layer_id, before = self._layer_id, self._before
        self._stroke = self._mask = self._before = None
        if changed and before is not None and not np.array_equal(self._layers[layer_id][1], before):
            self._store(label, layer_id, self._layers[layer_id][1])
        elif before is not None:
            self._layers[layer_id] = self._given, before
        self._follow()

    def cancel(self) -> None:
        """Drop the stroke under way."""
        if self._stroke is None or self._before is None:
            return
        self._layers[self._layer_id] = self._given, self._before
        area = self._dirty
        self._stroke = self._mask = self._before = None
        self._show(area)
        self._follow()

    def _ready_layer(self, label: str) -> str:
        """The layer a stroke goes to; one is made where there is none, in one undo step with the stroke. Empty after
        saying why there can't be one."""
        self._step = ""
        panel = self.panel
        if panel is None:
            return ""
        if not panel.layers:
            # The picture becomes the lowest layer, so that it is never drawn into.
            layers = (_base(panel),) if panel.picture else ()
            fresh = board_edits.new_layer(panel, "Drawing")
            self._step = self._set_layers(label, (*layers, fresh), fresh.id)
            return self._layer_id
        layer = next((layer for layer in panel.layers if layer.id == self._layer_id), panel.layers[-1])
        if not layer.visible or layer.opacity == 0:
            self._session.tell(f"“{layer.name}” is hidden. Show it, or choose another layer.", "warning")
            return ""
        self.choose_layer(layer.id)
        return layer.id if layer.id in self._layers else ""

    def _lay(self, area: Rect, also: Rect = _EMPTY) -> None:
        """Lay the stroke's coverage over the layer in the rectangles that changed."""
        from gen2studio.raster import drawing

        assert self._before is not None and self._mask is not None
        layer = self._layers[self._layer_id][1]
        if not also.empty:
            window = np.s_[also.y : also.bottom, also.x : also.right]
            layer[window] = self._before[window]
        if not area.empty:
            window = np.s_[area.y : area.bottom, area.x : area.right]
            if self._erasing:
                drawing.rub(self._before[window], self._mask[window], layer[window])
            else:
                drawing.ink(self._before[window], self._mask[window], self.settings.colour, layer[window])
            self._dirty = self._dirty.united(area)
        self._show(area.united(also))

    def _fill(self, layer_id: str, x: float, y: float) -> None:
        from gen2studio.raster import drawing

        before = self._layers[layer_id][1]
        panel = self.panel
        assert panel is not None and self.shown is not None
        # What the drawing looks like decides, not the reference or the onion skin around it.
        plain = self._skin is None and not panel.reference
        seen = self.shown[..., :3] if plain else drawing.laid(drawing.paper(*self.size), self._live_sheets())
        coverage = drawing.flooded(seen, int(x), int(y), self.settings.tolerance)
        if not coverage.any():
            return
        if self.settings.opacity < 1:
            coverage = np.asarray(coverage * self.settings.opacity, np.uint8)
        pixels = before.copy()
        drawing.ink(before, coverage, self.settings.colour, pixels)
        self._layers[layer_id] = "", pixels
        rows, columns = np.flatnonzero(coverage.any(1)), np.flatnonzero(coverage.any(0))
        x0, y0 = int(columns[0]), int(rows[0])
        self._show(Rect(x0, y0, int(columns[-1]) + 1 - x0, int(rows[-1]) + 1 - y0))
        self._store("Fill", layer_id, pixels)

    # -- layers -------------------------------------------------------------------------------------------------------

    def add_layer(self) -> None:
        """A clear layer above the one that is drawn on."""
        panel = self.panel
        if panel is None or self.shown is None:
            return
        if not panel.layers:
            self._ready_layer("Add layer")
            return
        fresh = board_edits.new_layer(panel)
        self._set_layers("Add layer", board_edits.with_layer(panel, fresh, self._layer_id), fresh.id)

    def change_layer(self, layer_id: str, label: str = "Change layer", **changes: object) -> None:
        """Change name, visible, opacity or blend of a layer."""
        panel = self.panel
        if panel is not None:
            self._edit(label, lambda: board_edits.changed_layer(panel, layer_id, **changes))

    def remove_layer(self, layer_id: str) -> None:
        panel = self.panel
        if panel is not None:
            self._edit("Delete layer", lambda: board_edits.without_layer(panel, layer_id))

    def move_layer(self, layer_id: str, steps: int) -> None:
        """Up (+) or down (−)."""
        panel = self.panel
        if panel is not None:
            self._edit("Move layer", lambda: board_edits.moved_layer(panel, layer_id, steps))

    def clear_layer(self, layer_id: str) -> None:
        """Rub out everything on a layer."""
        from gen2studio.raster import drawing

        if layer_id in self._layers and self._stroke is None:
            pixels = drawing.empty_layer(*self.size)
            self._layers[layer_id] = "", pixels
            self._step, self._late = "", True
            self._store("Clear layer", layer_id, pixels)
            self._follow()

    def _edit(self, label: str, change: Callable[[], tuple[PanelLayer, ...]]) -> None:
        try:
            layers = change()
        except EditRefused as refused:
            self._session.tell(str(refused), "warning")
            return
        self._set_layers(label, layers, self._layer_id)

    def _set_layers(self, label: str, layers: tuple[PanelLayer, ...], chosen: str) -> str:
        """Put other layers on the panel at once; the picture they make is stored a moment later, in the same undo step.
        Returns that step's merge key."""
        from gen2studio.raster import drawing

        panel = self.panel
        if panel is None or panel.layers == layers:
            return ""
        for layer in layers:
            if layer.id not in self._layers:
                self._layers[layer.id] = layer.picture, drawing.empty_layer(*self.size)
        self._steps += 1
        key = f"layers-{panel.id}-{self._steps}"
        self._layer_id = chosen
        picture = panel.picture if layers else ""
        self._boards.edit(label, lambda d, b: board_edits.set_layers(d, b.id, panel.id, layers, picture), key)
        self._keep_layer()
        self.layer_changed.emit(self._layer_id)
        self._step = key
        self._store(label, "", None)
        return key

    # -- storing ------------------------------------------------------------------------------------------------------

    def _store(self, label: str, layer_id: str, pixels: Pixels | None) -> None:
        """Write a layer (None: only what all make together) on the thread, then tell the document."""
        if pixels is not None:
            pixels.flags.writeable = False
            self._pending[layer_id] = self._pending.get(layer_id, 0) + 1
            if not self._late:
                self._remember_shown()
            self._late = False
        self._writing += 1
        panel = self.panel
        job = _Stored(self._panel_id, label, self._step, layer_id, panel.layers if panel is not None else ())
        self._pool.submit(self._write, self._epoch, job, pixels, self._live_sheets(), self.size)

    def _write(
        self, epoch: int, job: _Stored, pixels: Pixels | None, sheets: list[Sheet], size: tuple[int, int]
    ) -> None:
        from gen2studio.raster import drawing

        sentence, digest, whole = "", "", ""
        try:
            if pixels is not None and pixels[..., 3].any():
                digest = self._add_blob(drawing.png(pixels))
                self._pictures.keep(digest, pixels)
            whole = self._add_blob(drawing.png(drawing.laid(drawing.paper(*size), sheets)))
        except Exception as error:  # the thread must go on
            sentence = sentence_of(error)
        self._stored.emit(epoch, (job, digest, whole), sentence)

    def _on_stored(self, epoch: int, result: object, sentence: str) -> None:
        if epoch != self._epoch:
            return  # another project is open
        assert isinstance(result, tuple)
        job, digest, whole = result
        self._writing -= 1
        if job.layer_id in self._pending:
            self._pending[job.layer_id] -= 1
            if not self._pending[job.layer_id]:
                del self._pending[job.layer_id]
                if job.layer_id in self._layers:
                    self._layers[job.layer_id] = digest, self._layers[job.layer_id][1]
        if sentence:
            self._session.tell(sentence, "error")
        else:
            self._tell_document(job, digest, whole)
        self._follow()

    def _tell_document(self, job: _Stored, digest: str, whole: str) -> None:
        def change(now: Document, b: Board) -> Document:
            panel = next((p for p in b.panels if p.id == job.panel_id), None)
            if panel is None:
                return now
            # Undone meanwhile, or already something else.
            there = any(x.id == job.layer_id for x in panel.layers) if job.layer_id else panel.layers == job.layers
            if not there:
                return now
            layers = board_edits.changed_layer(panel, job.layer_id, picture=digest) if job.layer_id else panel.layers
            return board_edits.set_layers(now, b.id, panel.id, layers, whole if layers else "")

        board = next(
            (b for b in self._session.document.boards.values() if any(p.id == job.panel_id for p in b.panels)), None
        )
        if board is None:
            return
        if job.layer_id:
            self._boards.edit(job.label, change, job.step, board.id)
        else:
            self._boards.complete(job.label, change, job.step, board.id)


@dataclass(frozen=True, slots=True, eq=False)
class _Wish:
    """Everything that decides the pixels on the screen."""

    size: tuple[int, int]
    layers: tuple[PanelLayer, ...]
    live: dict[str, Pixels]
    """Layers whose newest pixels are in memory."""
    reference: str
    strength: float
    skins: tuple[tuple[str, Colour, float], ...]

    def key(self) -> tuple[object, ...]:
        layers = tuple(
            (x.id, id(self.live[x.id]) if x.id in self.live else x.picture, x.visible, x.opacity, x.blend)
            for x in self.layers
        )
        return self.size, layers, self.reference, self.strength, self.skins


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a stored picture is for."""

    panel_id: str
    label: str
    step: str
    """Merge key of the undo step it completes, or empty: a step of its own."""
    layer_id: str
    layers: tuple[PanelLayer, ...]
    """What the panel had when it was drawn."""


def _sheets(layers: tuple[PanelLayer, ...], pixels: dict[str, tuple[str, Pixels]]) -> list[Sheet]:
    from gen2studio.raster.drawing import Sheet

    return [
        Sheet(pixels[layer.id][1], layer.opacity, layer.blend is LayerBlend.MULTIPLY)
        for layer in layers
        if layer.visible and layer.opacity and layer.id in pixels
    ]


def _base(panel: Panel) -> PanelLayer:
    """The picture of a panel that was not drawn on, as its lowest layer."""
    return PanelLayer(id=f"layer-{panel.picture[:12]}", name="Picture", picture=panel.picture)


def _product(first: Pixels, second: Pixels) -> Pixels:
    import cv2

    return np.asarray(cv2.multiply(np.ascontiguousarray(first), np.ascontiguousarray(second), scale=1 / 255), np.uint8)


def _bounds(points: list[tuple[float, float]], margin: int) -> Rect:
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    x, y = int(min(xs)) - margin, int(min(ys)) - margin
    return Rect(x, y, int(max(xs)) + margin + 1 - x, int(max(ys)) + margin + 1 - y)


def _squared(start: tuple[float, float], end: tuple[float, float], tool: Tool) -> tuple[float, float]:
    dx, dy = end[0] - start[0], end[1] - start[1]
    if tool is Tool.LINE:
        angle = np.round(np.arctan2(dy, dx) / (np.pi / 12)) * (np.pi / 12)
        length = np.hypot(dx, dy)
        return float(start[0] + length * np.cos(angle)), float(start[1] + length * np.sin(angle))
    side = max(abs(dx), abs(dy))
    return start[0] + (side if dx >= 0 else -side), start[1] + (side if dy >= 0 else -side)
