"""A still that becomes the first frame of its shot: what was liked in a picture is what the shot begins with.

The picture is written as a PNG on a thread; the look is changed on the UI thread, as one undo step.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from gen2studio.core.errors import sentence_of
from gen2studio.document.look import Mode, PaintedKey

if TYPE_CHECKING:
    from gen2studio.app.generation import Generation
    from gen2studio.app.run_state import Still
    from gen2studio.app.session import Session


class FirstFrames(QObject):
    """Makes shots begin with one of their stills. Lives on the UI thread."""

    _written = Signal(str, object)
    """(clip id, the finished Future of PNG bytes)."""

    def __init__(self, generation: Generation, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._generation = generation
        self._session = session
        self._written.connect(self._on_written)

    def begin_with(self, still: Still) -> None:
        """Let the target shot begin with ``still``, by a model that brings pictures to life."""
        from gen2studio.engine.take_store import encode_png

        clip = self._generation.target
        if clip is None or still.picture is None:
            return
        pool = ThreadPoolExecutor(1, thread_name_prefix="first-frame")
        done = pool.submit(encode_png, still.picture)
        done.add_done_callback(lambda future, name=clip.id: self._written.emit(name, future))
        # Its one thread ends with the picture.
        pool.shutdown(wait=False)

    def _on_written(self, clip_id: str, done: Future[bytes]) -> None:
        generation = self._generation
        if generation.target is None or generation.target.id != clip_id:
            return  # another clip was chosen meanwhile
        if (error := done.exception()) is not None:
            self._session.tell(sentence_of(error), "error")
            return
        digest = generation.set_swatch(done.result())
        if not digest:
            return
        look = generation.look
        rest = tuple(key for key in look.keys if key.frame)
        generation.change(
            "Begin with a still",
            mode=Mode.TEXT_IMAGE_TO_VIDEO,
            keys=(PaintedKey(frame=0, digest=digest, name="still"), *rest),
            # What drew the still may draw nothing but stills.
            generator=look.generator if self._brings_to_life(look.generator) else "",
        )

    def _brings_to_life(self, generator: str) -> bool:
        found = next((each for each in self._generation.registry.abilities if each.id == generator), None)
        mode = found.mode(Mode.TEXT_IMAGE_TO_VIDEO.value) if found is not None else None
        return mode is not None and mode.makes_clips
