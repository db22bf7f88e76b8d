"""One take from several requests: each changes its own region, over what the ones before it have made.

What a pass makes lies as numbered PNGs in the scratch folder, so a killed run goes on where it stopped.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gen2studio.engine.contexts import GenerateContext
from gen2studio.engine.events import Picture
from gen2studio.engine.frames import FrameCache
from gen2studio.engine.job_queue import Ticket
from gen2studio.engine.protocol import EventSink
from gen2studio.engine.requests import GenerateRequest
from gen2studio.engine.reuse import Lender
from gen2studio.engine.take_store import encode_png, frame_name, png_size, read_png


class PassFolder:
    """The frames that one pass has made."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def frames(self, request: GenerateRequest) -> frozenset[int]:
        """The frames of ``request`` that are there and whole."""
        size = (request.width, request.height)
        return frozenset(f for f in request.wanted if png_size(self._folder / frame_name(f)) == size)

    def write(self, frame: int, picture: Picture) -> None:
        target = self._folder / frame_name(frame)
        part = target.with_name(f".{target.name}.part")
        part.write_bytes(encode_png(picture))
        os.replace(part, target)

    def read(self, frame: int) -> Picture:
        return read_png(self._folder / frame_name(frame))


class PassContext(GenerateContext):
    """RunContext of one pass. Only the last pass's frames are the take's; the others' go into ``keep``."""

    def __init__(
        self,
        ticket: Ticket,
        request: GenerateRequest,
        sink: EventSink,
        frames: FrameCache,
        threads: int,
        yield_to: Callable[[], None],
        *,
        finished: frozenset[int],
        scratch: Path,
        writer: ThreadPoolExecutor | None,
        place: tuple[int, int],
        below: PassFolder | None,
        keep: PassFolder | None,
        lender: Lender | None = None,
    ) -> None:
        """``place`` = (number of the pass from 0, how many there are); ``below`` = what the pass before made."""
        super().__init__(
            ticket, request, sink, frames, threads, yield_to,
            finished=finished, scratch=scratch, writer=writer, lender=lender,
        )  # fmt: skip
        self._place = place
        self._below = below
        self._keep = keep

    def progress(self, done: int, total: int, stage: str = "", *, give_way: bool = True) -> None:
        number, count = self._place
        words = f"{stage} (look {number + 1} of {count})" if stage else f"Look {number + 1} of {count}"
        super().progress(number * total + done, count * total, words, give_way=give_way)

    def _under(self, frame: int) -> Picture:
        return self._below.read(frame) if self._below is not None else super()._under(frame)

    def _deliver(self, frame: int, whole: Picture) -> None:
        if self._keep is not None:
            self._keep.write(frame, whole)
        else:
            super()._deliver(frame, whole)
