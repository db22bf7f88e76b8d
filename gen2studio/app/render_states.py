"""Which stretches of the timeline play in real time only once they are rendered, and which are.

Frames are *heavy* when frames made of the same clips in the same way took longer than they last. A thread walks the
sequence a moment after anything changed; the timeline draws what comes of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from gen2studio.app.compositor import OfflinePixels
from gen2studio.app.compositor_stack import Layer, Stack, StackBuilder, is_composed
from gen2studio.app.render_cache import RenderCache, RenderKey
from gen2studio.core.errors import StudioError
from gen2studio.core.geometry import Extent
from gen2studio.core.log import topic
from gen2studio.core.records import dataclass
from gen2studio.document.model import Document, Sequence

_log = topic("render-states")
_WAIT_MS = 300
_LONGEST = 200_000
"""Frames of a sequence that are looked at."""


@dataclass(frozen=True, slots=True)
class RenderSpan:
    """Sequence frames [start, stop)."""

    kind: str
    """``rendered`` or ``needed``."""
    start: int
    stop: int


def make_up(stack: Stack) -> tuple[object, ...]:
    """What a frame is made of, without what changes from frame to frame: frames of one make-up cost about the same."""
    parts: list[object] = [len(stack.captions)]
    for entry in stack.entries:
        if isinstance(entry, Layer):
            parts.append(_layer(entry))
        else:
            sides = [_layer(side) if side is not None else None for side in (entry.left, entry.right)]
            parts.append((entry.transition.kind.value, *sides))
    return tuple(parts)


def _layer(layer: Layer) -> tuple[object, ...]:
    inner = make_up(layer.nested) if layer.nested is not None else ()
    return (layer.clip.id, layer.pose is not None, layer.opacity < 1, layer.blend, bool(layer.take_id), inner)


class Costs:
    """How long frames of each make-up took, against how long they last. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shares: dict[tuple[object, ...], float] = {}

    def note(self, stack: Stack, share: float) -> None:
        """A frame took ``share`` of the time it is on screen."""
        key = make_up(stack)
        with self._lock:
            before = self._shares.get(key)
            after = share if before is None else 0.7 * before + 0.3 * share
            if len(self._shares) > 5000:
                self._shares.clear()
            self._shares[key] = after

    def heavy(self, stack: Stack) -> bool:
        with self._lock:
            return self._shares.get(make_up(stack), 0.0) > 1

    @property
    def any_heavy(self) -> bool:
        with self._lock:
            return any(share > 1 for share in self._shares.values())


def spans_of(
    document: Document, sequence: Sequence, builder: StackBuilder, cache: RenderCache, costs: Costs, size: Extent,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[RenderSpan, ...]:  # fmt: skip
    """The stretches of ``sequence`` that are heavy or were rendered on purpose. Raises MediaError."""
    spans: list[RenderSpan] = []
    for frame in range(min(sequence.duration, _LONGEST)):
        if stop():
            break
        if not is_composed(document, sequence, frame):
            continue
        stack = builder.stack(sequence, frame)
        digest = stack.digest()
        held = cache.holds(RenderKey(digest, size)) or cache.holds(RenderKey(digest, size, True))
        heavy = costs.heavy(stack)
        if not heavy and not (held and cache.on_purpose(digest)):
            continue
        kind = "rendered" if held else "needed"
        if spans and spans[-1].kind == kind and spans[-1].stop == frame:
            spans[-1] = RenderSpan(kind, spans[-1].start, frame + 1)
        else:
            spans.append(RenderSpan(kind, frame, frame + 1))
    return tuple(spans)


class RenderStates(QObject):
    """The spans of the active sequence, kept up to date."""

    changed = Signal()
    _found = Signal(object, object)

    def __init__(
        self,
        document: Callable[[], Document],
        size: Callable[[], Extent],
        cache: RenderCache,
        costs: Costs,
        parent: QObject | None = None,
    ) -> None:
        """``size()`` is the one that frames of the viewer are made at."""
        super().__init__(parent)
        self._document = document
        self._size = size
        self._cache = cache
        self._costs = costs
        self._spans: tuple[RenderSpan, ...] = ()
        self._thread: threading.Thread | None = None
        self._stop = False
        self._again = False
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_WAIT_MS)
        self._timer.timeout.connect(self._look)
        self._found.connect(self._on_found)

    def render_states(self) -> tuple[RenderSpan, ...]:
        """Spans of the active sequence, by start: what a timeline draws over its ruler."""
        return self._spans

    def refresh(self) -> None:
        """Something changed: look again in a moment."""
        if not self._stop and not self._timer.isActive():
            self._timer.start()

    def _look(self) -> None:
        if self._thread is not None:
            self._again = True
            return
        document = self._document()
        sequence = document.sequence
        if sequence is None or not (self._costs.any_heavy or self._cache.any_on_purpose):
            self._on_found(None, ())
            return
        size = self._size()

        def work() -> None:
            pixels = OfflinePixels(lambda _take: Path())
            spans: tuple[RenderSpan, ...] = ()
            try:
                builder = StackBuilder(document, pixels.index_at)
                spans = spans_of(
                    document, sequence, builder, self._cache, self._costs, size, lambda: self._stop or self._again
                )
            except StudioError as error:
                _log.debug("no render states: %s", error)
            finally:
                pixels.close()
            self._found.emit(sequence, spans)

        self._thread = threading.Thread(target=work, name="render-states", daemon=True)
        self._thread.start()

    def _on_found(self, sequence: object, spans: tuple[RenderSpan, ...]) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._again:
            self._again = False
            self.refresh()
            return
        current = self._document().sequence
        if sequence is not None and sequence is not current:
            self.refresh()
        elif spans != self._spans:
            self._spans = spans
            self.changed.emit()

    def shutdown(self) -> None:
        """Safe to call twice."""
        self._stop = True
        self._timer.stop()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
