"""What the artist is doing right now: playhead, selection, tool, views. Neither saved in the project nor undone."""

from __future__ import annotations

import enum
from fractions import Fraction
from typing import Any

from PySide6.QtCore import QObject, Signal

from gen2studio.app.store import DocumentStore
from gen2studio.document.model import Clip, Document, Sequence, TrackKind


class MaskView(enum.Enum):
    """How mattes are shown. Overlay, outline and onion skin show every object for itself, the others what the objects
    make together."""

    OVERLAY = "overlay"
    MATTE = "matte"
    ALPHA = "alpha"
    """Levels, with what is nearly in or nearly out marked."""
    COLOUR = "colour"
    """The subject alone on the artist's colour."""
    CHECKER = "checker"
    OUTLINE = "outline"
    ONION = "onion"
    """The overlay, with the matte of the frame before in red and of the frame after in green."""
    SIDE = "side"
    """The picture on the left, the matte on the right."""
    NONE = "none"


class Compare(enum.Enum):
    OFF = "off"
    WIPE = "wipe"
    SIDE_BY_SIDE = "side"
    DIFFERENCE = "difference"
    TOGGLE = "toggle"


class Session(QObject):
    """Session state with one signal per field. Setters do nothing when the value is unchanged."""

    playhead_changed = Signal(int)
    """Sequence frame."""
    selection_changed = Signal(object)
    """frozenset of clip ids."""
    track_changed = Signal(str)
    """Id of the target track; empty only while there are no tracks."""
    tool_changed = Signal(str)
    mask_object_changed = Signal(str)
    mask_view_changed = Signal(object)
    mask_opacity_changed = Signal(float)
    mask_backdrop_changed = Signal(object)
    """(red, green, blue) behind the subject in the view on colour."""
    mask_solo_changed = Signal(object)
    """frozenset of mask object ids: while it holds any, the viewer shows no others."""
    compare_changed = Signal(object)
    compare_split_changed = Signal(float)
    compare_takes_changed = Signal(str, str)
    """Take ids on the left and right of a comparison; an empty id is the source."""
    shuttle_changed = Signal(float)
    """Playing speed: 0 stopped, 1 forward, −2 double speed backwards…"""
    snapping_changed = Signal(bool)
    message = Signal(str, str)
    """(severity ``info``/``warning``/``error``, sentence): shown in the message bar, never a modal box."""

    def __init__(self, store: DocumentStore, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.store = store
        self._values: dict[str, Any] = {
            "playhead": 0,
            "selection": frozenset(),
            "track": "",
            "tool": "select",
            "mask_object": "",
            "mask_view": MaskView.OVERLAY,
            "mask_opacity": 0.5,
            "mask_backdrop": (0, 177, 64),
            "mask_solo": frozenset(),
            "compare": Compare.OFF,
            "compare_split": 0.5,
            "shuttle": 0.0,
            "snapping": True,
        }
        self.compare_left = ""
        self.compare_right = ""
        self._keep_track(store.document.sequence)
        store.changed.connect(self._on_document_changed)
        store.replaced.connect(self._on_document_replaced)

    # -- shortcuts into the document -----------------------------------------------------------------------------

    @property
    def document(self) -> Document:
        return self.store.document

    @property
    def sequence(self) -> Sequence | None:
        return self.store.document.sequence

    def target_clip(self) -> Clip | None:
        """The clip that viewer, masks and generate panel work on: the selected video clip under the playhead, else the
        topmost enabled one there, else the first selected video clip."""
        sequence = self.sequence
        if sequence is None:
            return None
        under: Clip | None = None
        selected: Clip | None = None
        for track in reversed(sequence.video_tracks):
            for clip in track.clips:
                here = clip.start <= self.playhead < clip.end
                if clip.id in self.selection:
                    if here:
                        return clip
                    selected = selected or clip
                elif here and under is None and clip.enabled and not track.muted:
                    under = clip
        return under or selected

    def find_clip(self, clip_id: str) -> Clip | None:
        sequence = self.sequence
        for track in sequence.tracks if sequence else ():
            for clip in track.clips:
                if clip.id == clip_id:
                    return clip
        return None

    def media_time(self, clip: Clip) -> Fraction:
        """Media seconds of ``clip`` at the playhead, clamped to the clip."""
        sequence = self.sequence
        assert sequence is not None
        frame = min(max(self.playhead, clip.start), clip.end - 1)
        return clip.source_time(frame, sequence.rate)

    # -- fields ----------------------------------------------------------------------------------------------------

    def _get(self, name: str) -> Any:
        return self._values[name]

    def _put(self, name: str, value: Any, signal: Any) -> None:
        if self._values[name] != value:
            self._values[name] = value
            signal.emit(value)

    @property
    def playhead(self) -> int:
        return self._get("playhead")

    def set_playhead(self, frame: int) -> None:
        self._put("playhead", max(0, int(frame)), self.playhead_changed)

    @property
    def selection(self) -> frozenset[str]:
        return self._get("selection")

    def set_selection(self, clips: frozenset[str]) -> None:
        self._put("selection", frozenset(clips), self.selection_changed)

    @property
    def track(self) -> str:
        return self._get("track")

    def set_track(self, track_id: str) -> None:
        self._put("track", track_id, self.track_changed)

    @property
    def tool(self) -> str:
        return self._get("tool")

    def set_tool(self, tool: str) -> None:
        self._put("tool", tool, self.tool_changed)

    @property
    def mask_object(self) -> str:
        return self._get("mask_object")

    def set_mask_object(self, object_id: str) -> None:
        self._put("mask_object", object_id, self.mask_object_changed)

    @property
    def mask_view(self) -> MaskView:
        return self._get("mask_view")

    def set_mask_view(self, view: MaskView) -> None:
        self._put("mask_view", view, self.mask_view_changed)

    @property
    def mask_opacity(self) -> float:
        return self._get("mask_opacity")

    def set_mask_opacity(self, opacity: float) -> None:
        self._put("mask_opacity", min(1.0, max(0.0, opacity)), self.mask_opacity_changed)

    @property
    def mask_backdrop(self) -> tuple[int, int, int]:
        return self._get("mask_backdrop")

    def set_mask_backdrop(self, colour: tuple[int, int, int]) -> None:
        self._put("mask_backdrop", colour, self.mask_backdrop_changed)

    @property
    def mask_solo(self) -> frozenset[str]:
        return self._get("mask_solo")

    def set_mask_solo(self, object_ids: frozenset[str]) -> None:
        self._put("mask_solo", frozenset(object_ids), self.mask_solo_changed)

    @property
    def compare(self) -> Compare:
        return self._get("compare")

    def set_compare(self, compare: Compare) -> None:
        self._put("compare", compare, self.compare_changed)

    @property
    def compare_split(self) -> float:
        return self._get("compare_split")

    def set_compare_split(self, split: float) -> None:
        self._put("compare_split", min(1.0, max(0.0, split)), self.compare_split_changed)

    def set_compare_takes(self, left: str, right: str) -> None:
        if (left, right) != (self.compare_left, self.compare_right):
            self.compare_left, self.compare_right = left, right
            self.compare_takes_changed.emit(left, right)

    @property
    def shuttle(self) -> float:
        return self._get("shuttle")

    def set_shuttle(self, speed: float) -> None:
        self._put("shuttle", float(speed), self.shuttle_changed)

    @property
    def snapping(self) -> bool:
        return self._get("snapping")

    def set_snapping(self, snapping: bool) -> None:
        self._put("snapping", bool(snapping), self.snapping_changed)

    def tell(self, sentence: str, severity: str = "info") -> None:
        self.message.emit(severity, sentence)

    # -- keeping references alive --------------------------------------------------------------------------------

    def _on_document_changed(self, _old: Document, new: Document) -> None:
        sequence = new.sequence
        known = {c.id for t in sequence.tracks for c in t.clips} if sequence else set()
        self.set_selection(self.selection & known)
        self._keep_track(sequence)
        if self.mask_object and self.mask_object not in new.masks:
            self.set_mask_object("")
        if self.mask_solo:
            self.set_mask_solo(self.mask_solo & new.masks.keys())

    def _on_document_replaced(self, new: Document) -> None:
        self.set_shuttle(0.0)
        self.set_playhead(0)
        self.set_selection(frozenset())
        self.set_mask_object("")
        self.set_mask_solo(frozenset())
        self.set_compare(Compare.OFF)
        self.set_compare_takes("", "")
        self.set_track("")
        self._keep_track(new.sequence)

    def _keep_track(self, sequence: Sequence | None) -> None:
        """There is a target track as long as there are tracks: the artist's choice, else V1."""
        tracks = sequence.tracks if sequence else ()
        if any(t.id == self.track for t in tracks):
            return
        video = (t.id for t in tracks if t.kind is TrackKind.VIDEO)
        self.set_track(next(video, tracks[0].id if tracks else ""))
