"""A run context over frames in memory, and short real clips at test size."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from gen2studio.core.cancel import CancelToken
from gen2studio.core.geometry import Extent
from gen2studio.engine.generators import RunContext
from gen2studio.engine.requests import BlobRef, ControlValues, GenerateRequest, SourceRef
from gen2studio.example.generator import ExampleGenerator
from gen2studio.media.decoder import open_decoder

Picture = NDArray[np.uint8]
MEDIA = Path(__file__).resolve().parents[3] / "shared" / "media"


class ClipContext:
    """:class:`RunContext` over a list of frames. Emitted frames are composited with the mask as the engine does."""

    def __init__(
        self,
        frames: Sequence[Picture],
        scratch: Path,
        *,
        masks: Sequence[Picture] | None = None,
        blobs: Mapping[str, Picture] | None = None,
        threads: int = 1,
        finished: frozenset[int] = frozenset(),
        kept: frozenset[int] = frozenset(),
        stop_after: int | None = None,
    ) -> None:
        self.frames, self.masks, self.blobs = frames, masks, dict(blobs or {})
        self._scratch, self._threads, self._finished = scratch, threads, finished | kept
        self._kept = kept
        self._cancel = CancelToken()
        self.stop_after = stop_after
        self.out: dict[int, Picture] = {}
        self.notes: list[tuple[str, int | None]] = []

    @property
    def cancel(self) -> CancelToken:
        return self._cancel

    @property
    def finished(self) -> frozenset[int]:
        return self._finished

    @property
    def kept(self) -> frozenset[int]:
        return self._kept

    @property
    def scratch(self) -> Path:
        return self._scratch

    @property
    def threads(self) -> int:
        return self._threads

    def source(self, frame: int) -> Picture:
        return self.frames[frame]

    def mask(self, frame: int) -> Picture | None:
        return None if self.masks is None else self.masks[frame]

    def blob(self, ref: BlobRef) -> Picture:
        return self.blobs[ref.digest]

    def checkpoint(self) -> None:
        self._cancel.check()

    def progress(self, done: int, total: int, stage: str = "") -> None:
        assert 0 <= done <= total
        assert stage

    def note(self, text: str, frame: int | None = None) -> None:
        self.notes.append((text, frame))

    def emit(self, frame: int, picture: Picture) -> None:
        assert picture.dtype == np.uint8 and picture.shape == self.frames[frame].shape
        assert frame not in self.out and frame not in self._finished
        mask = self.mask(frame)
        if mask is not None:
            share = (mask.astype(np.float32) / 255)[..., None]
            mixed = np.rint(self.frames[frame] + (picture.astype(np.float32) - self.frames[frame]) * share)
            picture = np.where(mask[..., None] == 0, self.frames[frame], mixed.astype(np.uint8))
        self.out[frame] = picture
        if self.stop_after is not None and len(self.out) >= self.stop_after:
            self._cancel.cancel()


def request(clip_frames: Sequence[Picture], /, mode: str = "stylize", **values: object) -> GenerateRequest:
    """A request over all of ``clip_frames``; ``controls`` may be given as a mapping."""
    controls = ControlValues(**values.pop("controls", {}))  # type: ignore[arg-type]
    height, width = clip_frames[0].shape[:2]
    return GenerateRequest(
        mode=mode,
        generator="example",
        revision="1",
        source=SourceRef(fingerprint="test", path="", frame_count=len(clip_frames)),
        start=0,
        stop=len(clip_frames),
        width=width,
        height=height,
        controls=controls,
        **values,  # type: ignore[arg-type]
    )


def run(context: RunContext, wanted: GenerateRequest) -> None:
    ExampleGenerator().run(wanted, context)


@functools.cache
def clip(name: str, width: int, height: int, count: int, first: int = 0, step: int = 1) -> tuple[Picture, ...]:
    """Frames of a clip in the shared media, scaled."""
    decoder = open_decoder(MEDIA / "clips" / name)
    try:
        return tuple(decoder.rgb(first + i * step, Extent(width, height)) for i in range(count))
    finally:
        decoder.close()


@functools.cache
def picture(name: str) -> Picture:
    """A style image of the shared media."""
    return cv2.cvtColor(cv2.imread(str(MEDIA / "style" / name)), cv2.COLOR_BGR2RGB)


def woman(count: int = 9) -> tuple[Picture, ...]:
    return clip("woman_running_512_6s.mp4", 128, 128, count)


def dog(count: int = 4) -> tuple[Picture, ...]:
    return clip("golden_retriever_512_3.2s.mp4", 128, 128, count, 14)


def coast(count: int = 9) -> tuple[Picture, ...]:
    return clip("drone_coast_gopro_karma_12s.mp4", 160, 90, count, 40)


GOGH = "van_gogh_starry_night.jpg"
