"""The programme in the viewer: the composited sequence at the size the viewer needs, made off the UI thread.

Which of the two is shown:

- *Programme*: where more is to be seen than one untouched clip, while playing and at rest;
- *Clip*: everywhere else (the clip is the programme there), and wherever the artist works on a clip's own frames - with
  a mask tool in hand, on the Masks page while the clip has mattes to show, while comparing, while a preview of a
  look is shown, and as long as the Programme view is switched off.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil

from PySide6.QtCore import QObject, Signal

from gen2studio.app.compositor_stack import is_composed
from gen2studio.app.programme_worker import ProgrammeWorker, Wish
from gen2studio.app.render_cache import Bgra
from gen2studio.app.session import Compare, MaskView, Session
from gen2studio.core.geometry import Extent
from gen2studio.document.model import Sequence

CLIP_TOOLS = frozenset({
    "brush", "eraser", "lasso", "polygon", "rectangle", "ellipse", "shape", "bspline", "edit_shape", "fill", "wand",
    "gradient", "select_box", "include", "exclude",
})  # fmt: skip
"""Tools that work on the target clip's own frames."""
_STEPS = 8
"""Frames are made at whole eighths of the sequence's size, so that a window can change a little and keep them."""
_AHEAD = 12
_AROUND = 2
_ROLL = 4
"""Frames that are there before playing begins."""


class ProgrammeFeed(QObject):
    """Decides, asks the worker, and hands over frames. :class:`~gen2studio.app.viewer_feed.ViewerFeed` is its only
    user: it shows them or the clip."""

    frame_ready = Signal(object, object, str)
    """(Wish, (H, W, 4) BGRA or None, error sentence) of the frame that is wanted now."""
    preferred_changed = Signal(bool)
    """Whether the artist wants to see the programme."""
    changed = Signal()
    """What decides between programme and clip is another."""
    size_changed = Signal()
    """Frames are made at another size."""
    _made = Signal(object, object, str)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._worker: ProgrammeWorker | None = None
        self._preferred = True
        self._masking = False
        self._need = Extent(960, 540)
        self._wish: Wish | None = None
        self._made.connect(self._on_made)
        session.tool_changed.connect(lambda _tool: self.changed.emit())
        session.mask_view_changed.connect(lambda _view: self.changed.emit())

    def set_worker(self, make: Callable[[Callable[[Wish, Bgra | None, str], None]], ProgrammeWorker]) -> None:
        """``make(deliver)`` makes the worker that calls ``deliver`` on its threads."""
        self._worker = make(lambda wish, frame, sentence: self._made.emit(wish, frame, sentence))

    @property
    def worker(self) -> ProgrammeWorker:
        assert self._worker is not None
        return self._worker

    # -- what decides --------------------------------------------------------------------------------------------------

    @property
    def preferred(self) -> bool:
        return self._preferred

    def set_preferred(self, on: bool) -> None:
        """Show the programme where there is one, or always the clip."""
        if on != self._preferred:
            self._preferred = on
            self.preferred_changed.emit(on)
            self.changed.emit()

    def set_masking(self, masking: bool) -> None:
        """Whether the Masks page is in front."""
        if masking != self._masking:
            self._masking = masking
            self.changed.emit()

    def set_view_size(self, width: int, height: int) -> None:
        """How many screen pixels the sequence's frame takes in the viewer."""
        need = Extent(max(1, width), max(1, height))
        if need != self._need:
            before = self.size
            self._need = need
            if self.size != before:
                self.size_changed.emit()
                self.changed.emit()

    def applies(self) -> bool:
        """Whether the programme is to be shown at the playhead, as far as the session says."""
        session = self._session
        sequence = session.sequence
        if sequence is None or self._worker is None or not self._preferred or session.compare is not Compare.OFF:
            return False
        if session.tool in CLIP_TOOLS:
            return False
        if not is_composed(session.document, sequence, session.playhead):
            return False
        if self._masking and session.mask_view is not MaskView.NONE:
            clip = session.target_clip()
            return clip is None or not session.document.masks_of(clip.media_id)
        return True

    # -- asking --------------------------------------------------------------------------------------------------------

    @property
    def size(self) -> Extent:
        """What frames are made at."""
        sequence = self._session.sequence
        return preview_size(sequence, self._need) if sequence is not None else Extent(1, 1)

    def wish_at(self, frame: int, *, proxies: bool) -> Wish:
        """What the viewer would ask for at a frame of the active sequence."""
        sequence = self._session.sequence
        assert sequence is not None
        return Wish(self._session.document, sequence.id, frame, self.size, proxies)

    @property
    def wish(self) -> Wish | None:
        """What is wanted now; None while the clip is shown."""
        return self._wish

    def follow(self, *, proxies: bool) -> Bgra | None:
        """Want the frame at the playhead; it is returned when it is there already, else :attr:`frame_ready` brings
        it."""
        wish = self.wish_at(self._session.playhead, proxies=proxies)
        self._wish = wish
        found = self.worker.at_hand(wish)
        # On a machine that can't keep up, fewer frames in time are better than all of them too late.
        behind = found is None and bool(self._session.shuttle) and self.worker.pace > 1
        self.worker.want(wish, self._ahead(proxies), late=behind)
        return found

    def ready(self) -> bool:
        """Whether playing may begin: the frames that come first are made, or it is not the programme that is shown."""
        if not self.applies():
            return True
        first = self._ahead(True)[:_ROLL]
        return all(self.worker.at_hand(wish) is not None for wish in first)

    def prepare(self, *, proxies: bool) -> None:
        """The clip is shown: only make what of the programme comes next."""
        self._wish = None
        if self._worker is not None:
            ahead = self._ahead(proxies) if self._session.shuttle and self._preferred else []
            self._worker.want(None, ahead)

    def _ahead(self, proxies: bool) -> list[Wish]:
        session = self._session
        sequence = session.sequence
        if sequence is None:
            return []
        speed, here = session.shuttle, session.playhead
        if speed:
            stride = max(1, round(abs(speed))) * (1 if speed > 0 else -1)
            frames = [here + stride * step for step in range(1, _AHEAD + 1)]
            pace = self.worker.pace
            if pace > 1:
                # The first of them is on screen by the time that it is made; the same ones as at the last look.
                frames = [frame for frame in frames[1:] if frame // abs(stride) % pace == 0]
        else:
            frames = [here + way * step for step in range(1, _AROUND + 1) for way in (1, -1)]
        end = sequence.duration
        inside = [frame for frame in frames if 0 <= frame < end]
        return [
            self.wish_at(frame, proxies=proxies) for frame in inside if is_composed(session.document, sequence, frame)
        ]

    def _on_made(self, wish: object, frame: object, sentence: str) -> None:
        assert isinstance(wish, Wish)
        if wish.same(self._wish):
            self.frame_ready.emit(wish, frame, sentence)

    def shutdown(self) -> None:
        """Stop the worker. Safe to call twice."""
        if self._worker is not None:
            self._worker.shutdown()


def preview_size(sequence: Sequence, need: Extent) -> Extent:
    """The size a viewer that shows the frame on ``need`` screen pixels is served with: never above the sequence's."""
    part = max(need.width / sequence.width, need.height / sequence.height)
    eighths = min(_STEPS, max(1, ceil(part * _STEPS - 1e-6)))
    return Extent(max(1, round(sequence.width * eighths / _STEPS)), max(1, round(sequence.height * eighths / _STEPS)))
